/* coded_code: every code goes forth and back, and sums of several do not pass for one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "probes/coded_code.h"
#include "reference/number.h"
#include "tests/support/splitmix.h"

enum { MIXTURES = 1000000, MOST_SOURCES = 16 };

static const struct bf16 one = {BF16_ONE};

/* Read all planes of a code from its own digits. */
static uint32_t read_back(const struct coded_code *c, uint32_t code)
{
    uint32_t state = 0;
    for (size_t plane = 0; plane < c->planes; plane++)
        state = coded_code_read(c, plane, state, (int)coded_code_digit(c, plane, code));
    return state;
}

static void coded_code_read_gives_back_every_code(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 2, 4, 5, 24, 25, 63, 64, 4095, 4096, 425984};
    size_t read = 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int power = 0; power < 2; power++) {
            struct coded_code c = coded_code_make(power ? CODED_POWER_BASE : CODED_VALUE_BASE, counts[i], 2);
            assert_int_equal(c.planes, c.digits + 2);
            /* As many digits as the largest label needs, and no more. */
            assert_true(pow(c.base, (double)c.digits) > (double)counts[i]);
            assert_true(pow(c.base, (double)c.digits - 1) <= (double)counts[i]);
            for (uint32_t code = 0; code < counts[i]; code++, read++)
                assert_int_equal(read_back(&c, code), code);
        }
    struct coded_code most = coded_code_make(CODED_VALUE_BASE, SOURCE_CODES, CODED_VALUE_CHECKS);
    for (uint32_t code = SOURCE_CODES - 1000; code < SOURCE_CODES; code++, read++)
        assert_int_equal(read_back(&most, code), code);
    assert_true(read > 800000);
}

static void coded_code_read_of_a_constant_is_unknown(void **state)
{
    (void)state;
    struct coded_code c = coded_code_make(CODED_VALUE_BASE, 1000, 3);
    for (int digit = 0; digit < CODED_VALUE_BASE; digit++) {
        uint32_t found = 0;
        for (size_t plane = 0; plane < c.planes; plane++)
            found = coded_code_read(&c, plane, found, digit);
        assert_int_equal(found, digit ? SOURCE_MIXTURE : SOURCE_UNKNOWN);
    }
}

static void coded_code_read_refuses_a_label_above_and_a_wrong_check(void **state)
{
    (void)state;
    struct coded_code c = coded_code_make(CODED_VALUE_BASE, 100, 1);
    assert_int_equal(c.digits, 3);
    /* labels 100 and 101: 4 0 0 and 4 0 1 */
    uint32_t found = coded_code_read(&c, 1, coded_code_read(&c, 0, 0, 4), 0);
    assert_int_equal(coded_code_read(&c, 2, found, 0), 99);
    assert_int_equal(coded_code_read(&c, 2, found, 1), SOURCE_MIXTURE);
    for (uint32_t digit = 0; digit < c.base; digit++)
        assert_int_equal(coded_code_read(&c, 3, 99, (int)digit),
                         digit == coded_code_digit(&c, 3, 99) ? 99 : SOURCE_MIXTURE);
    assert_int_equal(coded_code_read(&c, 0, 0, CODED_NO_DIGIT), SOURCE_MIXTURE);
    assert_int_equal(coded_code_read(&c, 0, 0, CODED_HIDDEN), SOURCE_UNKNOWN);
    for (uint32_t word = SOURCE_UNKNOWN; word != 0; word++)
        assert_int_equal(coded_code_read(&c, 0, word, 1), word);
}

static struct bf16 times(struct bf16 x, float factor)
{
    return bf16_encode(bf16_decode(x) * factor);
}

static struct bf16 value_output(uint32_t digit)
{
    return bf16_encode(fp4_decode(coded_value_symbol(digit)));
}

static void coded_digits_are_read_under_every_factor(void **state)
{
    (void)state;
    size_t read = 0;
    for (int exponent = -127; exponent <= 127; exponent++)
        for (int sign = -1; sign <= 1; sign += 2) {
            float factor = (float)sign * ldexpf(1, exponent);
            struct bf16 unit = times(one, factor);
            assert_true(coded_factor_holds(unit));
            for (uint32_t digit = 0; digit < CODED_VALUE_BASE; digit++, read++) {
                struct bf16 output = times(value_output(digit), factor);
                bool finite = isfinite(bf16_decode(output));
                assert_int_equal(coded_value_digit(output, unit), finite ? (int)digit : CODED_HIDDEN);
            }
            for (uint32_t digit = 0; digit < CODED_POWER_BASE; digit++, read++) {
                struct bf16 up = times(coded_row_symbol(digit), factor);
                bool finite = isfinite(bf16_decode(up));
                assert_int_equal(coded_row_digit(up, unit), finite ? (int)digit : CODED_HIDDEN);
                struct bf16 down =
                    bf16_encode(e8m0_decode((struct e8m0){coded_scale_symbol(digit)}) * bf16_decode(unit));
                if (bf16_decode(down) != 0)
                    assert_int_equal(coded_scale_digit(down, unit), digit);
            }
        }
    assert_true(read > 30000);
}

static void coded_digits_are_not_read_from_anything_else(void **state)
{
    (void)state;
    size_t value = 0, power = 0;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        struct bf16 x = {(uint16_t)bits};
        value += coded_value_digit(x, one) >= 0;
        power += (coded_row_digit(x, one) >= 0) + (coded_scale_digit(x, one) >= 0);
        float f = fabsf(bf16_decode(x));
        int exponent;
        assert_int_equal(coded_factor_holds(x), isfinite(f) && f != 0 && frexpf(f, &exponent) == 0.5f);
        if (!isfinite(f))
            assert_int_equal(coded_value_digit(x, one), CODED_HIDDEN);
    }
    assert_int_equal(value, CODED_VALUE_BASE);
    assert_int_equal(power, 2 * CODED_POWER_BASE);
}

/* A sum of sources, as it comes out of the planes: does it read as a code? */
static bool passes(const struct coded_code *c, const uint32_t *source, size_t count)
{
    struct bf16 unit = bf16_encode((float)count);
    if (!coded_factor_holds(unit))
        return false;
    uint32_t found = 0;
    for (size_t plane = 0; plane < c->planes && found < SOURCE_CODES; plane++) {
        float value = 0, scale = 0;
        for (size_t i = 0; i < count; i++) {
            uint32_t digit = coded_code_digit(c, plane, source[i]);
            if (c->base == CODED_VALUE_BASE)
                value += bf16_decode(value_output(digit));
            else
                scale += e8m0_decode((struct e8m0){coded_scale_symbol(digit)});
        }
        found = coded_code_read(c, plane, found,
                                c->base == CODED_VALUE_BASE ? coded_value_digit(bf16_encode(value), unit)
                                                            : coded_scale_digit(bf16_encode(scale), unit));
    }
    return found < SOURCE_CODES;
}

/* How many random sums of 2 to 16 sources pass. near: sources that differ from the first by a little, as neighbours of
 * one tile do, so that most of their digits agree. */
static size_t count_passing(const struct coded_code *c, bool near, struct splitmix *r)
{
    size_t passing = 0;
    for (size_t i = 0; i < MIXTURES; i++) {
        uint32_t source[MOST_SOURCES];
        size_t count = near ? (size_t)2 << splitmix_below(r, 4) : 2 + splitmix_below(r, MOST_SOURCES - 1);
        source[0] = (uint32_t)splitmix_below(r, c->codes);
        for (size_t j = 1; j < count; j++)
            do
                source[j] = (uint32_t)((near ? source[0] + splitmix_below(r, 64) : splitmix_next(r)) % c->codes);
            while (j == 1 && source[1] == source[0]); /* else it might be one source, taken `count` times */
        passing += passes(c, source, count);
    }
    return passing;
}

static void coded_code_of_a_million_sums_passes_for_none(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    struct coded_code value = coded_code_make(CODED_VALUE_BASE, 425984, CODED_VALUE_CHECKS);
    struct coded_code scale = coded_code_make(CODED_POWER_BASE, 13312, CODED_POWER_CHECKS);
    size_t far = count_passing(&value, false, &r), near = count_passing(&value, true, &r);
    size_t far_scale = count_passing(&scale, false, &r), near_scale = count_passing(&scale, true, &r);
    printf("of %d sums of 2 to 16 sources pass for a code: value %zu, of neighbours %zu; scale %zu, of neighbours %zu "
           "(FO_TEST_SEED=%llu)\n",
           MIXTURES, far, near, far_scale, near_scale, (unsigned long long)splitmix_seed());
    assert_int_equal(far + near, 0);
    /* A scale counts only where the value is known, or where the unit plane gave a factor of 1. */
    assert_true(far_scale + near_scale <= 2);
}

/* Without check digits many would: they are what keeps sums out. */
static void coded_code_without_checks_lets_sums_pass(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    struct coded_code value = coded_code_make(CODED_VALUE_BASE, 425984, 0);
    assert_true(count_passing(&value, true, &r) > MIXTURES / 100);
}

static void coded_check_digits_are_even_and_of_their_own(void **state)
{
    (void)state;
    struct coded_code c = coded_code_make(CODED_VALUE_BASE, 100000, CODED_VALUE_CHECKS);
    size_t seen[CODED_VALUE_CHECKS][CODED_VALUE_BASE] = {{0}}, same[CODED_VALUE_CHECKS] = {0};
    for (uint32_t code = 0; code < c.codes; code++)
        for (size_t i = 0; i < CODED_VALUE_CHECKS; i++) {
            uint32_t digit = coded_code_digit(&c, c.digits + i, code);
            seen[i][digit]++;
            same[i] += digit == coded_code_digit(&c, c.digits + (i + 1) % CODED_VALUE_CHECKS, code);
        }
    for (size_t i = 0; i < CODED_VALUE_CHECKS; i++) {
        assert_in_range(same[i], 19000, 21000);
        for (size_t digit = 0; digit < CODED_VALUE_BASE; digit++)
            assert_in_range(seen[i][digit], 19000, 21000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coded_code_read_gives_back_every_code),
        cmocka_unit_test(coded_code_read_of_a_constant_is_unknown),
        cmocka_unit_test(coded_code_read_refuses_a_label_above_and_a_wrong_check),
        cmocka_unit_test(coded_digits_are_read_under_every_factor),
        cmocka_unit_test(coded_digits_are_not_read_from_anything_else),
        cmocka_unit_test(coded_code_of_a_million_sums_passes_for_none),
        cmocka_unit_test(coded_code_without_checks_lets_sums_pass),
        cmocka_unit_test(coded_check_digits_are_even_and_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
