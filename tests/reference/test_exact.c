#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <mpfr.h>

#include "reference/exact.h"
#include "reference/number.h"
#include "tests/support/splitmix.h"

/* Wide enough for any sum of bf16 products and binary32 values: 2^-266 to 2^270. */
enum { PRECISION = 700, TERMS = 40 };

static void exact_in_mpfr(mpfr_t out, const struct exact *x)
{
    mpfr_t limb;
    mpfr_init2(limb, PRECISION);
    mpfr_set_zero(out, 1);
    for (int i = 0; i < EXACT_LIMBS; i++) {
        mpfr_set_ui(limb, x->limb[i], MPFR_RNDN);
        mpfr_mul_2si(limb, limb, 32 * i + EXACT_LSB, MPFR_RNDN);
        assert_int_equal(mpfr_add(out, out, limb, MPFR_RNDN), 0);
    }
    if (x->limb[EXACT_LIMBS - 1] >> 31) {
        mpfr_set_ui_2exp(limb, 1, 32 * EXACT_LIMBS + EXACT_LSB, MPFR_RNDN);
        assert_int_equal(mpfr_sub(out, out, limb, MPFR_RNDN), 0);
    }
    mpfr_clear(limb);
}

/* c + sum a*b with every operation proven exact by MPFR's ternary value. */
static void sum_in_mpfr(mpfr_t out, const struct bf16 *a, const struct bf16 *b, size_t n, float c)
{
    mpfr_t x, y;
    mpfr_inits2(PRECISION, x, y, (mpfr_ptr)0);
    assert_int_equal(mpfr_set_flt(out, c, MPFR_RNDN), 0);
    for (size_t i = 0; i < n; i++) {
        mpfr_set_flt(x, bf16_decode(a[i]), MPFR_RNDN);
        mpfr_set_flt(y, bf16_decode(b[i]), MPFR_RNDN);
        assert_int_equal(mpfr_mul(x, x, y, MPFR_RNDN), 0);
        assert_int_equal(mpfr_add(out, out, x, MPFR_RNDN), 0);
    }
    mpfr_clears(x, y, (mpfr_ptr)0);
}

static void check_sum(const struct bf16 *a, const struct bf16 *b, size_t n, float c)
{
    mpfr_t want, got;
    mpfr_inits2(PRECISION, want, got, (mpfr_ptr)0);
    sum_in_mpfr(want, a, b, n, c);
    struct exact sum;
    assert_true(exact_sum(a, b, n, c, &sum));
    exact_in_mpfr(got, &sum);
    if (!mpfr_equal_p(want, got))
        fail_msg("%zu terms, c %08x: the sum differs; repeat with FO_TEST_SEED=%llu", n, f32_bits(c),
                 (unsigned long long)splitmix_seed());
    double nearest = mpfr_get_d(want, MPFR_RNDN);
    if (exact_to_double(&sum) != nearest)
        fail_msg("%zu terms: %a as a double, want %a; repeat with FO_TEST_SEED=%llu", n, exact_to_double(&sum), nearest,
                 (unsigned long long)splitmix_seed());
    if (isfinite((float)nearest))
        assert_int_equal(exact_equals(&sum, (float)nearest), mpfr_cmp_d(want, (double)(float)nearest) == 0);
    mpfr_clears(want, got, (mpfr_ptr)0);
}

static struct bf16 random_finite(struct splitmix *r, int low, int high)
{
    uint32_t field = (uint32_t)splitmix_between(r, low, high);
    return (struct bf16){(uint16_t)((splitmix_next(r) & 0x807f) | field << 7)};
}

static void exact_sum_random_terms_match_mpfr(void **state)
{
    (void)state;
    static const int range[][2] = {{0, 254}, {0, 2}, {120, 134}, {250, 254}, {0, 0}};
    struct splitmix r = {splitmix_seed()};
    int cases = 0;
    for (size_t regime = 0; regime < sizeof range / sizeof *range; regime++)
        for (int repeat = 0; repeat < 4000; repeat++, cases++) {
            struct bf16 a[TERMS], b[TERMS];
            size_t n = splitmix_below(&r, TERMS + 1);
            for (size_t i = 0; i < n; i++) {
                a[i] = random_finite(&r, range[regime][0], range[regime][1]);
                b[i] = random_finite(&r, range[regime][0], range[regime][1]);
            }
            uint32_t c = (uint32_t)random_finite(&r, range[regime][0], range[regime][1]).bits << 16;
            check_sum(a, b, n, f32_from_bits(c | (splitmix_next(&r) & 0xffff)));
        }
    assert_int_equal(cases, 20000);
}

static void exact_sum_largest_and_smallest_terms_fit(void **state)
{
    (void)state;
    enum { MANY = 4096 };
    static struct bf16 a[MANY], b[MANY], minus[MANY];
    for (int i = 0; i < MANY; i++) {
        a[i].bits = b[i].bits = 0x7f7f;
        minus[i].bits = 0xff7f;
    }
    check_sum(a, b, MANY, f32_from_bits(0x7f7fffff));
    check_sum(a, minus, MANY, f32_from_bits(0xff7fffff));
    for (int i = 0; i < MANY; i++)
        a[i].bits = b[i].bits = 1;
    check_sum(a, b, 1, 0.0f);
    check_sum(a, b, MANY, f32_from_bits(0x80000001));
    struct exact sum;
    assert_true(exact_sum(a, b, 1, 0.0f, &sum));
    assert_true(exact_to_double(&sum) == 0x1p-266);
    a[0].bits = 0x8001;
    assert_true(exact_sum(a, b, 1, 0.0f, &sum));
    assert_true(exact_to_double(&sum) == -0x1p-266);
}

/* Products 1, 2^-53 (half of the last place of 1), 2^-52 and the least of all, 2^-266, added as the mask says. */
static void exact_to_double_ties_go_to_even(void **state)
{
    (void)state;
    static const struct bf16 a[] = {{0x3f80}, {0x3280}, {0x3280}, {0x0001}};
    static const struct bf16 b[] = {{0x3f80}, {0x3200}, {0x3280}, {0x0001}};
    static const struct {
        unsigned mask;
        double want;
    } table[] = {
        {0x1, 1.0},
        {0x3, 1.0},
        {0x9, 1.0},
        {0xb, 0x1.0000000000001p0},
        {0x5, 0x1.0000000000001p0},
        {0x7, 0x1.0000000000002p0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (uint16_t sign = 0; sign < 2; sign++) {
            struct bf16 x[4], y[4];
            size_t n = 0;
            for (unsigned term = 0; term < 4; term++)
                if (table[i].mask >> term & 1) {
                    x[n].bits = (uint16_t)(a[term].bits | sign << 15);
                    y[n++] = b[term];
                }
            struct exact sum;
            assert_true(exact_sum(x, y, n, 0.0f, &sum));
            assert_true(exact_to_double(&sum) == (sign ? -table[i].want : table[i].want));
        }
}

static void exact_sum_nan_or_infinity_is_refused_and_sum_stays(void **state)
{
    (void)state;
    static const uint16_t special[] = {0x7f80, 0xff80, 0x7f81, 0xffff};
    struct exact before, sum;
    memset(&before, 0x5a, sizeof before);
    for (size_t i = 0; i < 4; i++) {
        sum = before;
        struct bf16 x[2] = {{0x3f80}, {special[i]}}, y[2] = {{0x3f80}, {0x0000}};
        assert_false(exact_sum(x, y, 2, 0.0f, &sum));
        assert_false(exact_sum(y, x, 2, 0.0f, &sum));
        assert_false(exact_sum(y, y, 2, bf16_decode(x[1]), &sum));
        assert_memory_equal(&sum, &before, sizeof sum);
        assert_false(exact_equals(&sum, bf16_decode(x[1])));
    }
}

/* One product of 1 and C = 2^-30: M = 0, so two terms lose less than 2 * 2^-25, and the result less than 2^-23 above 1,
 * 2^-24 below. */
static void exact_within_step_results_at_the_edge_of_the_bound_are_told_apart(void **state)
{
    (void)state;
    struct bf16 one = {0x3f80};
    assert_true(exact_within_step(&one, &one, 1, 0x1p-30f, 1.0f, 25, -133));
    assert_true(exact_within_step(&one, &one, 1, 0x1p-30f, 0x1.000002p0f, 25, -133));
    assert_false(exact_within_step(&one, &one, 1, 0x1p-30f, 0x1.000004p0f, 25, -133));
    assert_true(exact_within_step(&one, &one, 1, 0x1p-30f, 0x1.fffffep-1f, 25, -133));
    assert_false(exact_within_step(&one, &one, 1, 0x1p-30f, 0x1.fffffcp-1f, 25, -133));
    assert_false(exact_within_step(&one, &one, 1, 0x1p-30f, -1.0f, 25, -133));
    assert_false(exact_within_step(&one, &one, 1, 0x1p-30f, NAN, 25, -133));
    assert_false(exact_within_step(&one, &one, 1, 0x1p-30f, INFINITY, 25, -133));
    /* More fraction bits make the bound of the terms tighter: without them only the last place is left. */
    assert_false(exact_within_step(&one, &one, 1, 0x1p-30f, 0x1.fffffep-1f, 40, -133));
    /* Five fraction bits: both terms may lose 2^-5, and no more. */
    assert_true(exact_within_step(&one, &one, 1, 0x1p-4f, 1.0f, 5, -133));
    assert_false(exact_within_step(&one, &one, 1, 0x1.0001p-4f, 1.0f, 5, -133));
    /* A zero result may hide less than the smallest subnormal and 2 * 2^(floor-F). */
    struct bf16 tiny = {0x0d80}, small = {0x2600}; /* 2^-100 * 2^-51 */
    assert_true(exact_within_step(&tiny, &small, 1, 0.0f, 0.0f, 25, -133));
    assert_false(exact_within_step(&tiny, &one, 1, 0.0f, 0.0f, 25, -133));
}

static void exact_within_step_overflow_must_be_near_and_have_the_sign(void **state)
{
    (void)state;
    struct bf16 big = {0x7f00}, minus = {0xff00}, one = {0x3f80}, two = {0x4000};
    assert_true(exact_within_step(&big, &two, 1, 0.0f, INFINITY, 25, -133));
    assert_false(exact_within_step(&big, &two, 1, 0.0f, -INFINITY, 25, -133));
    assert_true(exact_within_step(&minus, &two, 1, 0.0f, -INFINITY, 25, -133));
    assert_false(exact_within_step(&minus, &two, 1, 0.0f, INFINITY, 25, -133));
    assert_false(exact_within_step(&big, &one, 1, 0.0f, INFINITY, 25, -133));
    assert_true(exact_within_step(&big, &one, 1, 0.0f, 0x1p127f, 25, -133));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_sum_random_terms_match_mpfr),
        cmocka_unit_test(exact_sum_largest_and_smallest_terms_fit),
        cmocka_unit_test(exact_to_double_ties_go_to_even),
        cmocka_unit_test(exact_sum_nan_or_infinity_is_refused_and_sum_stays),
        cmocka_unit_test(exact_within_step_results_at_the_edge_of_the_bound_are_told_apart),
        cmocka_unit_test(exact_within_step_overflow_must_be_near_and_have_the_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
