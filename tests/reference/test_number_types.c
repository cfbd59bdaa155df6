/* number: f16, tf32, e4m3, e5m2 and int4, over all codes, and every rounding against a search for the nearest code. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reference/number.h"
#include "tests/support/splitmix.h"

/* A narrow format, its conversions behind one face. */
struct format {
    const char *name;
    int bits, fraction, bias;
    uint32_t largest, overflow; /* magnitudes of the largest finite code, and of what lies beyond rounds to */
    bool has_infinity;
    float (*decode)(uint32_t code);
    uint32_t (*encode)(float x);
};

static float decode_f16(uint32_t code)
{
    return f16_decode((struct f16){(uint16_t)code});
}
static uint32_t encode_f16(float x)
{
    return f16_encode(x).bits;
}
static float decode_e4m3(uint32_t code)
{
    return e4m3_decode((struct e4m3){(uint8_t)code});
}
static uint32_t encode_e4m3(float x)
{
    return e4m3_encode(x).bits;
}
static float decode_e5m2(uint32_t code)
{
    return e5m2_decode((struct e5m2){(uint8_t)code});
}
static uint32_t encode_e5m2(float x)
{
    return e5m2_encode(x).bits;
}

static const struct format formats[] = {
    {"f16", 16, 10, 15, 0x7bff, 0x7c00, true, decode_f16, encode_f16},
    {"e4m3", 8, 3, 7, 0x7e, 0x7e, false, decode_e4m3, encode_e4m3},
    {"e5m2", 8, 2, 15, 0x7b, 0x7b, true, decode_e5m2, encode_e5m2},
};
enum { FORMATS = sizeof formats / sizeof *formats };

/* The value of a magnitude as the formats' tables say, in binary64. */
static double value_of(const struct format *f, uint32_t magnitude)
{
    int field = (int)(magnitude >> f->fraction);
    double fraction = (double)(magnitude & ((1u << f->fraction) - 1)) / (double)(1u << f->fraction);
    return field ? (1 + fraction) * pow(2, field - f->bias) : fraction * pow(2, 1 - f->bias);
}

static uint32_t sign_of(const struct format *f)
{
    return 1u << (f->bits - 1);
}

static void number_decode_every_narrow_code_has_its_value(void **state)
{
    (void)state;
    size_t finite = 0, special = 0;
    for (int i = 0; i < FORMATS; i++) {
        const struct format *f = &formats[i];
        for (uint32_t code = 0; code < 1u << f->bits; code++) {
            uint32_t magnitude = code & (sign_of(f) - 1);
            float x = f->decode(code);
            if (magnitude > f->largest) {
                if (f->has_infinity && magnitude == f->largest + 1)
                    assert_true(x == (code & sign_of(f) ? -INFINITY : INFINITY));
                else
                    assert_true(isnan(x));
                special++;
                continue;
            }
            assert_true(fabs((double)x) == value_of(f, magnitude));
            assert_int_equal(signbit(x) != 0, (code & sign_of(f)) != 0);
            finite++;
        }
    }
    assert_int_equal(finite, 2 * 0x7c00 + 2 * 0x7f + 2 * 0x7c);
    assert_int_equal(finite + special, 65536 + 256 + 256);
}

static void number_encode_every_finite_narrow_code_comes_back(void **state)
{
    (void)state;
    for (int i = 0; i < FORMATS; i++)
        for (uint32_t magnitude = 0; magnitude <= formats[i].largest; magnitude++)
            for (uint32_t sign = 0; sign <= sign_of(&formats[i]); sign += sign_of(&formats[i]))
                assert_int_equal(formats[i].encode(formats[i].decode(magnitude | sign)), magnitude | sign);
}

static void check_encode(const struct format *f, float x, uint32_t magnitude)
{
    uint32_t up = f->encode(x), down = f->encode(-x);
    if (up != magnitude || down != (magnitude | sign_of(f)))
        fail_msg("%s: %a and its negative give %#x and %#x, not %#x", f->name, (double)x, up, down, magnitude);
}

/* Every point where rounding changes its mind, and its two neighbours. */
static void number_encode_every_halfway_point_goes_to_the_even_code(void **state)
{
    (void)state;
    size_t points = 0;
    for (int i = 0; i < FORMATS; i++) {
        const struct format *f = &formats[i];
        for (uint32_t low = 0; low < f->largest; low++, points++) {
            float half = (float)((value_of(f, low) + value_of(f, low + 1)) / 2);
            check_encode(f, half, low + (low & 1));
            check_encode(f, nextafterf(half, 0), low);
            check_encode(f, nextafterf(half, INFINITY), low + 1);
        }
    }
    assert_int_equal(points, 0x7bff + 0x7e + 0x7b);
}

static void number_encode_beyond_the_largest_overflows_or_saturates(void **state)
{
    (void)state;
    for (int i = 0; i < FORMATS; i++) {
        const struct format *f = &formats[i];
        double step = value_of(f, f->largest) - value_of(f, f->largest - 1);
        float largest = (float)value_of(f, f->largest), half = (float)(value_of(f, f->largest) + step / 2);
        check_encode(f, largest, f->largest);
        check_encode(f, nextafterf(half, 0), f->largest);
        check_encode(f, half, f->overflow); /* the largest is odd, or saturates */
        check_encode(f, 2 * largest, f->overflow);
        check_encode(f, 0x1.fffffep127f, f->overflow);
        check_encode(f, INFINITY, f->overflow);
        check_encode(f, 0x1p-149f, 0);
        check_encode(f, 0, 0);
        uint32_t nan = i == 0 ? 0x7fff : 0x7f;
        assert_int_equal(f->encode(NAN), nan);
        assert_int_equal(f->encode(-NAN), nan);
        assert_int_equal(f->encode(f32_from_bits(0xff800001u)), nan);
    }
}

static void number_encode_random_values_take_a_nearest_code(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    for (int n = 0; n < 200000; n++) {
        const struct format *f = &formats[n % FORMATS];
        /* exponents around the range of the format */
        uint32_t field = (uint32_t)splitmix_between(&r, 127 - f->bias - f->fraction - 3, 127 + f->bias + 1);
        float x = f32_from_bits(field << 23 | (uint32_t)splitmix_below(&r, 1u << 23));
        uint32_t low = 0, high = f->largest; /* the codes around x */
        while (high - low > 1) {
            uint32_t middle = (low + high) / 2;
            if (value_of(f, middle) <= (double)x)
                low = middle;
            else
                high = middle;
        }
        double under = (double)x - value_of(f, low), over = value_of(f, high) - (double)x;
        uint32_t want = under < over || (under == over && low % 2 == 0) ? low : high;
        double step = value_of(f, f->largest) - value_of(f, f->largest - 1);
        if ((double)x >= value_of(f, f->largest) + step / 2)
            want = f->overflow;
        check_encode(f, x, want);
    }
}

static void tf32_every_pattern_rounds_as_its_dropped_bits_say(void **state)
{
    (void)state;
    static const uint32_t dropped[] = {0, 1, 0x0fff, 0x1000, 0x1001, 0x1fff};
    size_t finite = 0, nans = 0;
    for (uint32_t kept = 0; kept < 1u << 19; kept++)
        for (size_t d = 0; d < sizeof dropped / sizeof *dropped; d++) {
            uint32_t bits = kept << 13 | dropped[d], low = kept << 13, high = low + 0x2000;
            float x = f32_from_bits(bits);
            assert_int_equal(tf32_truncate(x).bits, low);
            if (isnan(x)) {
                assert_int_equal(tf32_encode(x).bits, TF32_NAN);
                assert_int_equal(tf32_encode_ties_away(x).bits, TF32_NAN);
                nans++;
                continue;
            }
            /* Magnitudes of one sign are in the order of their bits; Inf follows the largest. */
            bool tie = dropped[d] == 0x1000, up = dropped[d] > 0x1000;
            assert_int_equal(tf32_encode(x).bits, up || (tie && kept % 2) ? high : low);
            assert_int_equal(tf32_encode_ties_away(x).bits, up || tie ? high : low);
            assert_int_equal(f32_bits(tf32_decode(tf32_truncate(x))), low);
            finite++;
        }
    assert_int_equal(finite + nans, (1u << 19) * 6);
    assert_true(nans > 6000);
}

static void tf32_rounding_by_hand(void **state)
{
    (void)state;
    assert_true(tf32_decode(tf32_truncate(0x1.ffffp0f)) == 0x1.ffcp0f);
    assert_true(tf32_decode(tf32_encode(0x1.ffffp0f)) == 2.0f);
    assert_true(tf32_decode(tf32_encode(0x1.002p0f)) == 1.0f); /* halfway between 1 and 1 + 2^-10 */
    assert_true(tf32_decode(tf32_encode_ties_away(0x1.002p0f)) == 0x1.004p0f);
    assert_true(tf32_decode(tf32_encode_ties_away(-0x1.002p0f)) == -0x1.004p0f);
    assert_true(tf32_decode(tf32_encode(0x1.006p0f)) == 0x1.008p0f);
    assert_true(isinf(tf32_decode(tf32_encode(0x1.fffffep127f))));
    assert_true(isinf(tf32_decode((struct tf32){0x7f801fffu})));
    assert_true(isnan(tf32_decode(tf32_encode(NAN))));
}

static void f16_decode_keeps_the_payload_of_nan(void **state)
{
    (void)state;
    assert_int_equal(f32_bits(f16_decode((struct f16){0x7e01})), 0x7fc02000u);
    assert_int_equal(f32_bits(f16_decode((struct f16){0xffff})), 0xffffe000u);
}

static void int4_decode_every_code_in_both_codings(void **state)
{
    (void)state;
    static const int twos[] = {0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1};
    static const int offset[] = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};
    for (unsigned code = 0; code < 256; code++) {
        struct int4 x = {(uint8_t)code};
        assert_int_equal(int4_decode(x, INT4_TWOS_COMPLEMENT), twos[code % 16]);
        assert_int_equal(int4_decode(x, INT4_OFFSET8), offset[code % 16]);
    }
}

static void int4_unpack_low_nibble_is_the_even_k(void **state)
{
    (void)state;
    static const uint8_t row[] = {0x21, 0x43, 0xf0};
    static const uint8_t want[] = {1, 2, 3, 4, 0, 15};
    for (size_t k = 0; k < sizeof want; k++)
        assert_int_equal(int4_unpack(row, k).bits, want[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_decode_every_narrow_code_has_its_value),
        cmocka_unit_test(number_encode_every_finite_narrow_code_comes_back),
        cmocka_unit_test(number_encode_every_halfway_point_goes_to_the_even_code),
        cmocka_unit_test(number_encode_beyond_the_largest_overflows_or_saturates),
        cmocka_unit_test(number_encode_random_values_take_a_nearest_code),
        cmocka_unit_test(tf32_every_pattern_rounds_as_its_dropped_bits_say),
        cmocka_unit_test(tf32_rounding_by_hand),
        cmocka_unit_test(f16_decode_keeps_the_payload_of_nan),
        cmocka_unit_test(int4_decode_every_code_in_both_codings),
        cmocka_unit_test(int4_unpack_low_nibble_is_the_even_k),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
