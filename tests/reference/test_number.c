#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "reference/number.h"

/* From the table of OCP MX v1.0, section 5.3.3. */
static const float magnitudes[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};

static void fp4_decode_every_byte_uses_the_low_nibble(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 256; bits++) {
        float want = bits & 8 ? -magnitudes[bits & 7] : magnitudes[bits & 7];
        assert_int_equal(f32_bits(fp4_decode((struct fp4){(uint8_t)bits})), f32_bits(want));
    }
}

static void fp4_encode_every_code_round_trips(void **state)
{
    (void)state;
    for (uint8_t code = 0; code < 16; code++)
        assert_int_equal(fp4_encode(fp4_decode((struct fp4){code})).bits, code);
}

static void fp4_encode_ties_go_to_the_even_code_and_large_values_saturate(void **state)
{
    (void)state;
    static const struct {
        float value;
        uint8_t code;
    } table[] = {
        {0.25f, 0},          {0.75f, 2},          {1.25f, 2},          {1.75f, 4},
        {2.5f, 4},           {3.5f, 6},           {5.0f, 6},           {7.0f, 7},
        {8.0f, 7},           {1e30f, 7},          {INFINITY, 7},       {0x1.000002p-2f, 1},
        {0x1.fffffep-3f, 0}, {0x1.400002p+2f, 7}, {0x1.3ffffep+2f, 6}, {0x1p-149f, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(fp4_encode(table[i].value).bits, table[i].code);
        assert_int_equal(fp4_encode(-table[i].value).bits, 8 | table[i].code);
    }
}

/* Every bf16 pattern is a good set of values: all exponents, many mantissas, both signs. */
static void fp4_encode_every_bf16_takes_a_nearest_code(void **state)
{
    (void)state;
    int cases = 0;
    for (uint32_t bits = 0; bits <= 0xffff; bits++) {
        struct bf16 x = {(uint16_t)bits};
        float value = bf16_decode(x);
        if (bf16_is_nan(x) || isinf(value))
            continue;
        cases++;
        double best = INFINITY;
        for (int code = 0; code < 8; code++)
            best = fmin(best, fabs(fabs((double)value) - (double)magnitudes[code]));
        struct fp4 got = fp4_encode(value);
        if (fabs(fabs((double)value) - (double)magnitudes[got.bits & 7]) != best || (got.bits >> 3) != (bits >> 15))
            fail_msg("bf16 %04x encodes to %x", bits, got.bits);
    }
    assert_int_equal(cases, 65536 - 256);
}

static void e8m0_decode_every_scale_is_its_power_of_two(void **state)
{
    (void)state;
    for (int s = 0; s < 255; s++)
        assert_true((double)e8m0_decode((struct e8m0){(uint8_t)s}) == ldexp(1.0, s - 127));
    assert_true(isnan(e8m0_decode((struct e8m0){255})));
}

static void bf16_decode_every_pattern_is_the_high_half_and_round_trips(void **state)
{
    (void)state;
    int nans = 0;
    for (uint32_t bits = 0; bits <= 0xffff; bits++) {
        struct bf16 x = {(uint16_t)bits};
        float value = bf16_decode(x);
        assert_int_equal(f32_bits(value), bits << 16);
        bool nan = isnan(value);
        assert_int_equal(bf16_is_nan(x), nan);
        assert_int_equal(bf16_encode(value).bits, nan ? 0x7fff : bits);
        nans += nan;
    }
    assert_int_equal(nans, 254);
}

/* For each pair of neighbours, the values between them on either side of the middle, and the middle itself. */
static void bf16_encode_between_every_two_neighbours_rounds_to_nearest_even(void **state)
{
    (void)state;
    int cases = 0;
    for (uint32_t high = 0; high <= 0xffff; high++) {
        if ((high & 0x7f80) == 0x7f80)
            continue;
        static const uint32_t low[] = {0x0001, 0x4000, 0x7fff, 0x8000, 0x8001, 0xc000, 0xffff};
        for (size_t i = 0; i < sizeof low / sizeof *low; i++, cases++) {
            uint32_t up = low[i] > 0x8000 || (low[i] == 0x8000 && high % 2 == 1);
            struct bf16 got = bf16_encode(f32_from_bits(high << 16 | low[i]));
            if (got.bits != high + up)
                fail_msg("%04x%04x encodes to %04x, want %04x", high, low[i], got.bits, high + up);
        }
    }
    assert_int_equal(cases, 7 * (65536 - 256));
}

static void bf16_encode_hand_written_values_match(void **state)
{
    (void)state;
    static const uint32_t table[][2] = {
        {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81},
        {0xbf808001, 0xbf81}, {0x7f7fffff, 0x7f80}, {0x7f7f8000, 0x7f80}, {0x7f7f7fff, 0x7f7f},
        {0xff7fffff, 0xff80}, {0x00008000, 0x0000}, {0x00008001, 0x0001}, {0x80000001, 0x8000},
        {0x007f8000, 0x0080}, {0x7f800001, 0x7fff}, {0xffffffff, 0x7fff}, {0xff800000, 0xff80},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(bf16_encode(f32_from_bits(table[i][0])).bits, table[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fp4_decode_every_byte_uses_the_low_nibble),
        cmocka_unit_test(fp4_encode_every_code_round_trips),
        cmocka_unit_test(fp4_encode_ties_go_to_the_even_code_and_large_values_saturate),
        cmocka_unit_test(fp4_encode_every_bf16_takes_a_nearest_code),
        cmocka_unit_test(e8m0_decode_every_scale_is_its_power_of_two),
        cmocka_unit_test(bf16_decode_every_pattern_is_the_high_half_and_round_trips),
        cmocka_unit_test(bf16_encode_between_every_two_neighbours_rounds_to_nearest_even),
        cmocka_unit_test(bf16_encode_hand_written_values_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
