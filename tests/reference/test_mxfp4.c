#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "reference/mxfp4.h"
#include "tests/support/splitmix.h"

/* E2M1 from its definition: sign, two exponent bits of bias 1, one mantissa bit. */
static double code_value(unsigned code)
{
    int exponent = (code >> 1) & 3, mantissa = code & 1;
    double magnitude = exponent == 0 ? ldexp(mantissa, -1) : ldexp(2 + mantissa, exponent - 2);
    return code & 8 ? -magnitude : magnitude;
}

/* Nearest-even rounding of a finite double to bf16, by way of an integer number of bf16 units in the last place. */
static uint16_t round_to_bf16(double x)
{
    uint16_t sign = signbit(x) ? 0x8000 : 0;
    double magnitude = fabs(x);
    if (magnitude == 0)
        return sign;
    int exponent = ilogb(magnitude) < -126 ? -126 : ilogb(magnitude);
    double units = nearbyint(ldexp(magnitude, 7 - exponent));
    if (units == 256) {
        units = 128;
        exponent++;
    }
    if (exponent > 127)
        return sign | 0x7f80;
    int field = units < 128 ? 0 : exponent + 127;
    return (uint16_t)(sign | field << 7 | ((int)units & 0x7f));
}

static void mxfp4_decode_every_code_and_scale_matches_double_arithmetic(void **state)
{
    (void)state;
    int cases = 0, infinities = 0;
    for (unsigned scale = 0; scale < 256; scale++)
        for (unsigned code = 0; code < 16; code++, cases++) {
            uint16_t want = scale == 255 ? 0x7fff : round_to_bf16(ldexp(code_value(code), (int)scale - 127));
            struct bf16 got = mxfp4_decode((struct fp4){(uint8_t)code}, (struct e8m0){(uint8_t)scale});
            infinities += (want & 0x7fff) == 0x7f80;
            if (got.bits != want)
                fail_msg("code %u, scale %u: got %04x, want %04x", code, scale, got.bits, want);
        }
    assert_int_equal(cases, 4096);
    assert_int_equal(infinities, 12); /* scale 253: codes 6, 7; scale 254: codes 4..7; both signs */
}

/* Written by hand from OCP MX v1.0, sections 5.3.3 and 5.4.1, and from the layout of bf16. */
static void mxfp4_decode_specification_table_matches(void **state)
{
    (void)state;
    static const struct {
        uint8_t code, scale;
        uint16_t want;
    } table[] = {
        {0x0, 127, 0x0000}, {0x1, 127, 0x3f00}, {0x2, 127, 0x3f80}, {0x3, 127, 0x3fc0}, {0x4, 127, 0x4000},
        {0x5, 127, 0x4040}, {0x6, 127, 0x4080}, {0x7, 127, 0x40c0}, {0x8, 127, 0x8000}, {0x9, 127, 0xbf00},
        {0xa, 127, 0xbf80}, {0xb, 127, 0xbfc0}, {0xc, 127, 0xc000}, {0xd, 127, 0xc040}, {0xe, 127, 0xc080},
        {0xf, 127, 0xc0c0}, {0x2, 128, 0x4000}, {0x2, 126, 0x3f00}, {0x2, 0, 0x0040},   {0x1, 0, 0x0020},
        {0x3, 0, 0x0060},   {0x7, 0, 0x0140},   {0x9, 0, 0x8020},   {0x2, 1, 0x0080},   {0x1, 1, 0x0040},
        {0x3, 254, 0x7f40}, {0x4, 254, 0x7f80}, {0xc, 254, 0xff80}, {0x5, 253, 0x7f40}, {0x6, 253, 0x7f80},
        {0x7, 252, 0x7f40}, {0x0, 254, 0x0000}, {0x8, 0, 0x8000},   {0x0, 255, 0x7fff}, {0x8, 255, 0x7fff},
        {0xf, 255, 0x7fff},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct bf16 got = mxfp4_decode((struct fp4){table[i].code}, (struct e8m0){table[i].scale});
        if (got.bits != table[i].want)
            fail_msg("code %x, scale %u: got %04x, want %04x", table[i].code, table[i].scale, got.bits, table[i].want);
    }
}

static void mxfp4_decode_block_pairs_adjacent_elements_low_nibble_first(void **state)
{
    (void)state;
    uint8_t codes[16] = {0x21, 0x43, 0x65, 0x87};
    codes[15] = 0xfa;
    struct bf16 out[32];
    mxfp4_decode_block(codes, (struct e8m0){127}, out);
    static const uint16_t head[] = {0x3f00, 0x3f80, 0x3fc0, 0x4000, 0x4040, 0x4080, 0x40c0, 0x8000};
    for (int i = 0; i < 8; i++)
        assert_int_equal(out[i].bits, head[i]);
    for (int i = 8; i < 30; i++)
        assert_int_equal(out[i].bits, 0);
    assert_int_equal(out[30].bits, 0xbf80);
    assert_int_equal(out[31].bits, 0xc0c0);
}

static void mxfp4_decode_matrix_each_block_takes_its_own_scale(void **state)
{
    (void)state;
    enum { ROWS = 5, K = 96, BLOCKS = K / 32 };
    struct splitmix r = {splitmix_seed()};
    uint8_t blocks[ROWS * BLOCKS * 16], scales[ROWS * BLOCKS];
    for (size_t i = 0; i < sizeof blocks; i++)
        blocks[i] = (uint8_t)splitmix_next(&r);
    for (size_t i = 0; i < sizeof scales; i++)
        scales[i] = (uint8_t)splitmix_next(&r);
    struct bf16 out[ROWS * K];
    mxfp4_decode_matrix(blocks, scales, ROWS, K, out);
    int cases = 0;
    for (size_t n = 0; n < ROWS; n++)
        for (size_t k = 0; k < K; k++, cases++) {
            uint8_t byte = blocks[(n * BLOCKS + k / 32) * 16 + k % 32 / 2];
            struct fp4 code = {(uint8_t)(k % 2 ? byte >> 4 : byte & 15)};
            struct bf16 want = mxfp4_decode(code, (struct e8m0){scales[n * BLOCKS + k / 32]});
            if (out[n * K + k].bits != want.bits)
                fail_msg("row %zu, k %zu; repeat with FO_TEST_SEED=%llu", n, k, (unsigned long long)splitmix_seed());
        }
    assert_int_equal(cases, ROWS * K);
}

/* With a 4 or a 6 in the block (the binade the scale is chosen for), every code comes back as it was. */
static void mxfp4_encode_block_representable_values_round_trip(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    int cases = 0;
    for (int scale = 0; scale <= 252; scale++)
        for (int repeat = 0; repeat < 20; repeat++, cases++) {
            uint8_t codes[16], again[16];
            for (int j = 0; j < 16; j++)
                codes[j] = (uint8_t)splitmix_next(&r);
            codes[repeat % 16] = (uint8_t)((codes[repeat % 16] & 0xf8) | 6 | (repeat & 1));
            struct bf16 values[32];
            float wide[32];
            mxfp4_decode_block(codes, (struct e8m0){(uint8_t)scale}, values);
            for (int i = 0; i < 32; i++)
                wide[i] = bf16_decode(values[i]);
            struct e8m0 got;
            assert_int_equal(mxfp4_encode_block(wide, again, &got, NULL), STATUS_OK);
            if (got.bits != scale || memcmp(codes, again, sizeof codes) != 0)
                fail_msg("scale %d came back as %d; repeat with FO_TEST_SEED=%llu", scale, got.bits,
                         (unsigned long long)splitmix_seed());
        }
    assert_true(cases > 0);
}

static void mxfp4_encode_block_zeros_scale_is_zero_and_signs_stay(void **state)
{
    (void)state;
    float values[32] = {0};
    values[3] = -0.0f;
    uint8_t codes[16];
    struct e8m0 scale = {77};
    assert_int_equal(mxfp4_encode_block(values, codes, &scale, NULL), STATUS_OK);
    assert_int_equal(scale.bits, 0);
    assert_int_equal(codes[1], 0x80);
    assert_int_equal(codes[0], 0);
}

static void mxfp4_encode_block_scale_follows_the_binade_of_the_largest(void **state)
{
    (void)state;
    static const struct {
        float amax;
        uint8_t scale, code;
    } table[] = {
        {1.0f, 125, 6},    {6.0f, 127, 7},    {4.0f, 127, 6},     {3.999f, 126, 7},          {7.9f, 127, 7},
        {8.0f, 128, 6},    {5.0f, 127, 6},    {0x1p-125f, 0, 6},  {0x1p-126f, 0, 4},         {0x1p-128f, 0, 1},
        {0x1p-149f, 0, 0}, {0x1p-124f, 1, 6}, {0x1p127f, 252, 6}, {0x1.fffffep127f, 252, 7},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        float values[32] = {0};
        values[9] = -table[i].amax;
        uint8_t codes[16];
        struct e8m0 scale;
        assert_int_equal(mxfp4_encode_block(values, codes, &scale, NULL), STATUS_OK);
        if (scale.bits != table[i].scale || codes[4] != (8 | table[i].code) << 4)
            fail_msg("largest %a: scale %u byte %02x, want %u and code %u", (double)table[i].amax, scale.bits, codes[4],
                     table[i].scale, table[i].code);
    }
}

/* What the encoder promises: no code at the chosen scale is nearer to the value. */
static void mxfp4_encode_block_random_values_take_the_nearest_code(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    int cases = 0;
    for (int repeat = 0; repeat < 2000; repeat++) {
        float values[32];
        int centre = splitmix_between(&r, -130, 110);
        for (int i = 0; i < 32; i++)
            values[i] = ldexpf((float)splitmix_between(&r, -9999, 9999), centre + splitmix_between(&r, -16, 0));
        uint8_t codes[16];
        struct e8m0 scale;
        assert_int_equal(mxfp4_encode_block(values, codes, &scale, NULL), STATUS_OK);
        for (int i = 0; i < 32; i++, cases++) {
            double value = ldexp(values[i], 127 - scale.bits), best = INFINITY;
            for (unsigned code = 0; code < 16; code++)
                best = fmin(best, fabs(code_value(code) - value));
            unsigned got = i % 2 ? codes[i / 2] >> 4 : codes[i / 2] & 15;
            if (fabs(code_value(got) - value) != best)
                fail_msg("value %a, scale %u, code %u; repeat with FO_TEST_SEED=%llu", (double)values[i], scale.bits,
                         got, (unsigned long long)splitmix_seed());
        }
    }
    assert_true(cases > 0);
}

static void mxfp4_encode_block_nan_or_infinity_is_refused_and_outputs_stay(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 96; i++) {
        float values[32] = {1.0f};
        values[i % 32] = bad[i / 32];
        uint8_t codes[16], before[16];
        memset(codes, 0xa5, sizeof codes);
        memset(before, 0xa5, sizeof before);
        struct e8m0 scale = {77};
        struct error e;
        assert_int_equal(mxfp4_encode_block(values, codes, &scale, &e), STATUS_BAD_INPUT);
        char index[16];
        snprintf(index, sizeof index, "value %d ", i % 32);
        assert_non_null(strstr(e.why, index));
        assert_int_equal(scale.bits, 77);
        assert_memory_equal(codes, before, sizeof codes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mxfp4_decode_every_code_and_scale_matches_double_arithmetic),
        cmocka_unit_test(mxfp4_decode_specification_table_matches),
        cmocka_unit_test(mxfp4_decode_block_pairs_adjacent_elements_low_nibble_first),
        cmocka_unit_test(mxfp4_decode_matrix_each_block_takes_its_own_scale),
        cmocka_unit_test(mxfp4_encode_block_representable_values_round_trip),
        cmocka_unit_test(mxfp4_encode_block_zeros_scale_is_zero_and_signs_stay),
        cmocka_unit_test(mxfp4_encode_block_scale_follows_the_binade_of_the_largest),
        cmocka_unit_test(mxfp4_encode_block_random_values_take_the_nearest_code),
        cmocka_unit_test(mxfp4_encode_block_nan_or_infinity_is_refused_and_outputs_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
