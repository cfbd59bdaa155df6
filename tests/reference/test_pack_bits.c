/* pack_bits: a bijection on words, bit for bit as its header draws it, and undone by the unpacking masks of the
 * kernels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reference/number.h"
#include "reference/pack_bits.h"

/* A fixed odd step visits 2^24 words that differ in all bit positions. */
#define STRIDE  0x9e3779b1u
#define SAMPLES (1u << 24)

static const uint32_t backgrounds[] = {0x00000000u, 0xffffffffu, 0x88888888u, 0x77777777u, 0x12345678u, 0xfedcba98u};
enum { BACKGROUNDS = sizeof backgrounds / sizeof *backgrounds };

/* From the diagram: packed bit of bit 0..3 (mantissa, exponent low, exponent high, sign) of the nibble of byte 0..3. */
static const int packed_bit[4][4] = {{6, 7, 8, 15}, {3, 4, 5, 12}, {0, 1, 2, 9}, {13, 10, 11, 14}};

static void pack_bits_forward_one_bit_moves_as_drawn(void **state)
{
    (void)state;
    for (int byte = 0; byte < 4; byte++)
        for (int half = 0; half < 2; half++)
            for (int bit = 0; bit < 4; bit++) {
                uint32_t in = 1u << (8 * byte + 4 * half + bit), out = 1u << (packed_bit[byte][bit] + 16 * half);
                assert_int_equal(pack_bits_forward(in), out);
                assert_int_equal(pack_bits_inverse(out), in);
            }
}

static void pack_bits_forward_every_byte_in_every_place_is_undone(void **state)
{
    (void)state;
    uint32_t seen = 0;
    for (int b = 0; b < BACKGROUNDS; b++)
        for (int byte = 0; byte < 4; byte++)
            for (uint32_t value = 0; value < 256; value++, seen++) {
                uint32_t word = (backgrounds[b] & ~(0xffu << (8 * byte))) | value << (8 * byte);
                assert_int_equal(pack_bits_inverse(pack_bits_forward(word)), word);
                assert_int_equal(pack_bits_forward(pack_bits_inverse(word)), word);
            }
    assert_int_equal(seen, BACKGROUNDS * 4 * 256);
}

static void pack_bits_forward_many_words_are_undone(void **state)
{
    (void)state;
    uint32_t word = 0;
    for (uint32_t i = 0; i < SAMPLES; i++, word += STRIDE)
        if (pack_bits_inverse(pack_bits_forward(word)) != word || pack_bits_forward(pack_bits_inverse(word)) != word)
            fail_msg("word 0x%08x does not come back", (unsigned)word);
}

static void pack_bits_forward_is_linear_over_bits(void **state)
{
    (void)state;
    /* The shuffle only moves bits: the one-bit test then speaks for every word, not only for the sampled ones. */
    uint32_t word = 0;
    for (uint32_t i = 0; i < SAMPLES; i += 64, word += STRIDE)
        for (int bit = 0; bit < 32; bit++)
            assert_true(pack_bits_forward(word ^ 1u << bit) ==
                        (pack_bits_forward(word) ^ pack_bits_forward(1u << bit)));
}

/* y0..y3 as the kernels unpack them. */
static void unpack(uint32_t x, uint32_t y[4])
{
    const uint32_t mask = 0x81C081C0u;
    y[0] = x & mask;
    y[1] = x << 3 & mask;
    y[2] = x << 6 & mask;
    y[3] = (x << 1 & 0x80008000u) | (x >> 3 & 0x01800180u) | (x >> 7 & 0x00400040u);
}

static void check_unpacked(uint32_t word)
{
    uint32_t y[4];
    unpack(pack_bits_forward(word), y);
    for (int i = 0; i < 8; i++) {
        struct fp4 code = {(uint8_t)(word >> (4 * i) & 0xfu)};
        struct bf16 half = {(uint16_t)(y[i / 2] >> (16 * (i % 2)))};
        /* Bits, not values: -0 must stay -0. */
        uint32_t want = f32_bits(fp4_decode(code) * 0x1p-126f);
        if (f32_bits(bf16_decode(half)) != want)
            fail_msg("word 0x%08x, value %d: bf16 0x%04x is not code %d times 2^-126", (unsigned)word, i, half.bits,
                     code.bits);
    }
}

static void pack_bits_forward_unpacks_to_bf16_values(void **state)
{
    (void)state;
    for (int b = 0; b < BACKGROUNDS; b++)
        for (int byte = 0; byte < 4; byte++)
            for (uint32_t value = 0; value < 256; value++)
                check_unpacked((backgrounds[b] & ~(0xffu << (8 * byte))) | value << (8 * byte));
    uint32_t word = 0;
    for (uint32_t i = 0; i < SAMPLES; i += 16, word += STRIDE)
        check_unpacked(word);
}

static void pack_bits_forward_bytes_reads_little_endian_words(void **state)
{
    (void)state;
    uint8_t data[12] = {0x21, 0x43, 0x65, 0x87, 0xa9, 0xcb, 0xed, 0x0f, 0xff, 0x00, 0x80, 0x08}, original[12];
    memcpy(original, data, sizeof data);
    pack_bits_forward_bytes(data, sizeof data);
    static const uint32_t words[3] = {0x87654321u, 0x0fedcba9u, 0x088000ffu};
    for (int i = 0; i < 12; i++)
        assert_int_equal(data[i], pack_bits_forward(words[i / 4]) >> (8 * (i % 4)) & 0xffu);
    pack_bits_inverse_bytes(data, sizeof data);
    assert_memory_equal(data, original, sizeof data);
}

static void pack_bits_forward_bytes_of_nothing_touches_nothing(void **state)
{
    (void)state;
    uint8_t byte = 0x5a;
    pack_bits_forward_bytes(&byte, 0);
    pack_bits_inverse_bytes(&byte, 0);
    assert_int_equal(byte, 0x5a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pack_bits_forward_one_bit_moves_as_drawn),
        cmocka_unit_test(pack_bits_forward_every_byte_in_every_place_is_undone),
        cmocka_unit_test(pack_bits_forward_many_words_are_undone),
        cmocka_unit_test(pack_bits_forward_is_linear_over_bits),
        cmocka_unit_test(pack_bits_forward_unpacks_to_bf16_values),
        cmocka_unit_test(pack_bits_forward_bytes_reads_little_endian_words),
        cmocka_unit_test(pack_bits_forward_bytes_of_nothing_touches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
