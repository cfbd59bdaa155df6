/* fused_sum: against the rule in binary64, written as the paper writes it; against the big integers of exact.c where
 * the type is bf16; against the bounds of tile_product; and corners by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "reference/exact.h"
#include "reference/fused_sum.h"
#include "reference/number.h"
#include "reference/tile_product.h"
#include "tests/support/splitmix.h"

enum { MOST = 32, CASES = 20000 };
enum { FORMATS = FUSED_E5M2 + 1 };

static const struct fused_profile *const profiles[] = {
    &fused_wgmma_f16, &fused_wgmma_f16_half, &fused_wgmma_tf32, &fused_wgmma_fp8,  &fused_wgmma_fp8_half,
    &fused_mma_16,    &fused_mma_16_half,    &fused_mma_8,      &fused_mma_8_half,
};
enum { PROFILES = sizeof profiles / sizeof *profiles };

static const struct {
    uint32_t mask;
    int least; /* exponent of subnormals */
} formats[FORMATS] = {
    [FUSED_BF16] = {0xffff, -126}, [FUSED_F16] = {0xffff, -14}, [FUSED_TF32] = {0xffffffff, -126},
    [FUSED_E4M3] = {0xff, -6},     [FUSED_E5M2] = {0xff, -14},
};

static double value_of(enum fused_format f, uint32_t bits)
{
    switch (f) {
    case FUSED_BF16:
        return (double)bf16_decode((struct bf16){(uint16_t)bits});
    case FUSED_F16:
        return (double)f16_decode((struct f16){(uint16_t)bits});
    case FUSED_TF32:
        return (double)f32_from_bits(bits & 0xffffe000u);
    case FUSED_E4M3:
        return (double)e4m3_decode((struct e4m3){(uint8_t)bits});
    default:
        return (double)e5m2_decode((struct e5m2){(uint8_t)bits});
    }
}

static int exponent_of(double x, int least)
{
    int exponent;
    frexp(x, &exponent);
    return exponent - 1 > least ? exponent - 1 : least;
}

/* The rule in binary64: every term is exact there, and every sum of such terms. */
static uint32_t expected(const struct fused_profile *p, enum fused_format fa, enum fused_format fb, const uint32_t *a,
                         const uint32_t *b, uint32_t c_bits)
{
    const double c = p->half ? (double)f16_decode((struct f16){(uint16_t)c_bits}) : (double)f32_from_bits(c_bits);
    const int least = p->half ? -14 : -126;
    double special = 0, product[MOST];
    int exponent[MOST], top = -133;
    bool nan = false;
    for (int k = 0; k < p->products; k++) {
        double x = value_of(fa, a[k]), y = value_of(fb, b[k]);
        product[k] = x * y;
        exponent[k] = exponent_of(x, formats[fa].least) + exponent_of(y, formats[fb].least);
        if (!isfinite(product[k]))
            special += product[k];
        else if (product[k] != 0 && exponent[k] > top)
            top = exponent[k];
        nan = nan || isnan(product[k]);
    }
    special += isfinite(c) ? 0 : c;
    if (special != 0)
        return isnan(special)
                   ? (p->half ? 0x7fff : 0x7fffffff)
                   : (special < 0 ? (p->half ? 0x8000u : 0x80000000u) : 0) | (p->half ? 0x7c00u : 0x7f800000u);
    assert_false(nan);
    if (c != 0 && exponent_of(c, least) > top)
        top = exponent_of(c, least);
    double sum = trunc(ldexp(c, p->fraction_bits - top));
    for (int k = 0; k < p->products; k++)
        sum += trunc(ldexp(product[k], p->fraction_bits - top));
    double exact = ldexp(sum, top - p->fraction_bits), place = ldexp(1, exponent_of(exact, least) - p->kept);
    double near = nearbyint(exact / place) * place;
    if (p->half)
        return near == 0 ? 0 : f16_encode((float)near).bits;
    double cut = trunc(exact / place) * place;
    return fabs(cut) >= 0x1p128 ? f32_bits(cut < 0 ? -INFINITY : INFINITY) : cut == 0 ? 0 : f32_bits((float)cut);
}

static uint32_t actual(const struct fused_profile *p, enum fused_format fa, enum fused_format fb, const uint32_t *a,
                       const uint32_t *b, uint32_t c)
{
    struct accumulate_operand x[MOST], y[MOST];
    fused_prepare(fa, a, (size_t)p->products, x);
    fused_prepare(fb, b, (size_t)p->products, y);
    return fused_step(p, x, y, c);
}

/* Bits of a format: anything, ordinary magnitudes, or small ones, which meet in the last places of the sum. */
static uint32_t random_factor(struct splitmix *r, enum fused_format f, int manner)
{
    uint32_t bits = (uint32_t)splitmix_next(r) & formats[f].mask;
    double x = value_of(f, bits);
    while (manner > 0 && (!isfinite(x) || (manner == 2 && (fabs(x) > 4 || fabs(x) < 0x1p-6)))) {
        bits = (uint32_t)splitmix_next(r) & formats[f].mask;
        x = value_of(f, bits);
    }
    return manner == 1 && splitmix_below(r, 4) == 0 ? 0 : bits;
}

static uint32_t random_c(struct splitmix *r, bool half, int manner)
{
    if (manner == 0)
        return (uint32_t)splitmix_next(r) & (half ? 0xffff : 0xffffffff);
    if (splitmix_below(r, 8) == 0)
        return 0;
    float c = ldexpf((float)splitmix_between(r, -0xffffff, 0xffffff), splitmix_between(r, -40, -18));
    return half ? f16_encode(c).bits : f32_bits(c);
}

static void fused_step_of_random_factors_follows_the_rule(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    size_t ran = 0, finite = 0;
    for (int p = 0; p < PROFILES; p++)
        for (int i = 0; i < CASES; i++) {
            enum fused_format fa = (enum fused_format)splitmix_below(&r, FORMATS);
            enum fused_format fb = (enum fused_format)splitmix_below(&r, FORMATS);
            uint32_t a[MOST], b[MOST];
            int manner = i % 3;
            for (int k = 0; k < profiles[p]->products; k++) {
                a[k] = random_factor(&r, fa, k == 0 ? manner : manner + (manner == 0));
                b[k] = random_factor(&r, fb, manner + (manner == 0));
            }
            uint32_t c = random_c(&r, profiles[p]->half, manner);
            uint32_t want = expected(profiles[p], fa, fb, a, b, c), found = actual(profiles[p], fa, fb, a, b, c);
            if (want != found)
                fail_msg("%s, formats %d %d, case %d: %08x, not %08x (FO_TEST_SEED=%llu)", profiles[p]->name, (int)fa,
                         (int)fb, i, found, want, (unsigned long long)splitmix_seed());
            finite +=
                (want & (profiles[p]->half ? 0x7c00u : 0x7f800000u)) != (profiles[p]->half ? 0x7c00u : 0x7f800000u);
            ran++;
        }
    assert_int_equal(ran, PROFILES * CASES);
    assert_true(finite > ran / 2);
}

/* Whole range of bf16, where subnormals and the floor matter, against fixed-point big integers. */
static void fused_step_of_bf16_is_the_one_in_big_integers(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    for (int i = 0; i < CASES; i++) {
        const struct fused_profile *p = i % 2 ? &fused_mma_16 : &fused_mma_8;
        struct bf16 x[MOST], y[MOST];
        uint32_t a[MOST], b[MOST];
        int scale = splitmix_between(&r, 0, 200);
        for (int k = 0; k < p->products; k++) {
            uint32_t field = (uint32_t)splitmix_between(&r, scale, scale + 24);
            a[k] = ((uint32_t)splitmix_next(&r) & 0x807f) | field << 7;
            b[k] = ((uint32_t)splitmix_next(&r) & 0x807f) | (i % 3 ? 40u : 127u) << 7;
            x[k].bits = (uint16_t)a[k];
            y[k].bits = (uint16_t)b[k];
        }
        uint32_t c = i % 5 ? ((uint32_t)splitmix_next(&r) & 0x8fffffffu) : 0;
        float want = exact_step(x, y, (size_t)p->products, f32_from_bits(c), p->fraction_bits, p->floor_exponent);
        uint32_t found = actual(p, FUSED_BF16, FUSED_BF16, a, b, c);
        if (found != f32_bits(want))
            fail_msg("case %d: %08x, not %08x (FO_TEST_SEED=%llu)", i, found, f32_bits(want),
                     (unsigned long long)splitmix_seed());
    }
}

static uint32_t one_product(const struct fused_profile *p, enum fused_format f, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t x[MOST] = {a}, y[MOST] = {b};
    return actual(p, f, f, x, y, c);
}

static void fused_step_keeps_the_bits_of_the_profile(void **state)
{
    (void)state;
    /* fp8: 1 + 2^-13 is kept, 1 + 2^-14 is cut; an f32 result has 13 fraction bits, so the low ones of C go. */
    assert_int_equal(one_product(&fused_wgmma_fp8, FUSED_E4M3, 0x38, 0x38, f32_bits(0x1p-13f)), f32_bits(1 + 0x1p-13f));
    assert_int_equal(one_product(&fused_wgmma_fp8, FUSED_E4M3, 0x38, 0x38, f32_bits(0x1.ffp-14f)), f32_bits(1));
    assert_int_equal(one_product(&fused_wgmma_fp8, FUSED_E4M3, 0, 0, f32_bits(-0x1.0007p0f)), f32_bits(-0x1.0000p0f));
    uint32_t ones[MOST] = {0x38, 0x38}; /* 2 + 2^-13 is inside F, but has 14 fraction bits */
    assert_int_equal(actual(&fused_wgmma_fp8, FUSED_E4M3, FUSED_E4M3, ones, ones, f32_bits(0x1p-13f)), f32_bits(2));
    assert_int_equal(actual(&fused_wgmma_fp8, FUSED_E4M3, FUSED_E4M3, ones, ones, f32_bits(0x1p-12f)),
                     f32_bits(2 + 0x1p-12f));
    uint32_t small[MOST] = {0x3c, 0x20, 0x20}; /* 1, and 2^-14 twice, below F */
    assert_int_equal(actual(&fused_wgmma_fp8, FUSED_E5M2, FUSED_E5M2, small, small, 0), f32_bits(1));
    small[1] = 0x24; /* 2^-12 is not */
    assert_int_equal(actual(&fused_wgmma_fp8, FUSED_E5M2, FUSED_E5M2, small, small, 0), f32_bits(1 + 0x1p-12f));
    /* F 25: two bits below an f32 result still count together. */
    assert_int_equal(one_product(&fused_wgmma_f16, FUSED_F16, 0x3c00, 0x3c00, f32_bits(0x1p-23f)),
                     f32_bits(1 + 0x1p-23f));
    uint32_t a[MOST] = {0x3c00, 0x0400, 0x0400}, b[MOST] = {0x3c00, 0x1800, 0x1800}; /* 1, 2^-14 * 2^-9 twice */
    assert_int_equal(actual(&fused_wgmma_f16, FUSED_F16, FUSED_F16, a, b, 0), f32_bits(1 + 0x1p-22f));
    b[1] = b[2] = 0x1400; /* 2^-24 twice is 2^-23 */
    assert_int_equal(actual(&fused_wgmma_f16, FUSED_F16, FUSED_F16, a, b, 0), f32_bits(1 + 0x1p-23f));
    b[1] = b[2] = 0x0c00; /* 2^-26 twice is nothing */
    assert_int_equal(actual(&fused_wgmma_f16, FUSED_F16, FUSED_F16, a, b, 0), f32_bits(1));
    /* The low 13 bits of tf32 are not read. */
    assert_int_equal(one_product(&fused_wgmma_tf32, FUSED_TF32, 0x3f801fff, 0x40001fff, 0), f32_bits(2));
}

/* 1 - 1 and what is left of small products: terms of 2^-F count, terms of half of that do not. */
static void fused_step_cuts_terms_at_f(void **state)
{
    (void)state;
    static const int fraction[PROFILES] = {25, 25, 25, 13, 13, 25, 25, 25, 25};
    for (int p = 0; p < PROFILES; p++) {
        const bool half = profiles[p]->half;
        uint32_t a[MOST] = {f16_encode(-1).bits}, b[MOST] = {f16_encode(1).bits};
        for (int k = 1; k < 5; k++) {
            a[k] = f16_encode(ldexpf(1, -12)).bits;
            b[k] = f16_encode(ldexpf(1, 12 - fraction[p] - (k > 2))).bits;
        }
        uint32_t one = half ? f16_encode(1).bits : f32_bits(1);
        float want = ldexpf(1, 1 - fraction[p]);
        assert_int_equal(actual(profiles[p], FUSED_F16, FUSED_F16, a, b, one),
                         half ? f16_encode(want).bits : f32_bits(want));
    }
}

static void fused_step_of_half_rounds_to_nearest_even(void **state)
{
    (void)state;
    const struct {
        uint32_t a, b, c, want;
    } rows[] = {
        {0x3c00, 0x3c00, 0x1000, 0x3c00}, /* 1 + 2^-11: a tie, to even */
        {0x3c01, 0x3c00, 0x1000, 0x3c02}, /* 1 + 2^-10 + 2^-11: a tie, to even */
        {0x3c00, 0x3c00, 0x1001, 0x3c01}, /* just above the tie */
        {0x7bff, 0x3c00, 0x4c00, 0x7c00}, /* 65504 + 16: a tie, to Inf */
        {0x7bff, 0x3c00, 0x4bff, 0x7bff}, /* just below */
        {0xfbff, 0x7bff, 0x0000, 0xfc00}, /* far below */
        {0x0001, 0x3800, 0x0000, 0x0000}, /* half the least subnormal: a tie, to +0 */
        {0x8001, 0x3800, 0x0000, 0x0000}, /* from below as well */
        {0x0001, 0x3801, 0x0000, 0x0001}, /* just above */
        {0x03ff, 0x3c00, 0x0001, 0x0400}, /* subnormals into the normal ones */
        {0x7c00, 0x0000, 0x0000, 0x7fff}, /* Inf * 0 */
        {0x3c00, 0x3c00, 0xfc00, 0xfc00}, /* C is -Inf */
        {0x7c00, 0x3c00, 0xfc00, 0x7fff}, /* Inf - Inf */
        {0x3c00, 0x3c00, 0xfc01, 0x7fff}, /* C is NaN */
        {0x0000, 0x0000, 0x8000, 0x0000}, /* -0 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(one_product(&fused_wgmma_f16_half, FUSED_F16, rows[i].a, rows[i].b, rows[i].c), rows[i].want);
}

static void fused_prepare_knows_what_is_special(void **state)
{
    (void)state;
    const struct {
        enum fused_format f;
        uint32_t bits;
        int significand, exponent;
    } rows[] = {
        {FUSED_E4M3, 0x7f, 0, ACCUMULATE_SPECIAL},
        {FUSED_E4M3, 0xff, 0, ACCUMULATE_SPECIAL},
        {FUSED_E4M3, 0x7e, 1792, 8},
        {FUSED_E4M3, 0x81, -128, -6},
        {FUSED_E5M2, 0x7c, 1, ACCUMULATE_SPECIAL},
        {FUSED_E5M2, 0xfc, -1, ACCUMULATE_SPECIAL},
        {FUSED_E5M2, 0x7d, 0, ACCUMULATE_SPECIAL},
        {FUSED_E5M2, 0x01, 256, -14},
        {FUSED_F16, 0x7c00, 1, ACCUMULATE_SPECIAL},
        {FUSED_F16, 0x3c01, 1025, 0},
        {FUSED_F16, 0x8000, 0, ACCUMULATE_ZERO},
        {FUSED_TF32, 0x00001fff, 0, ACCUMULATE_ZERO},
        {FUSED_TF32, 0xc0402000, -1537, 1},
        {FUSED_TF32, 0x7f801fff, 1, ACCUMULATE_SPECIAL},
        {FUSED_BF16, 0x0001, 8, -126},
        {FUSED_BF16, 0x3f80, 1024, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct accumulate_operand o;
        fused_prepare(rows[i].f, &rows[i].bits, 1, &o);
        assert_int_equal(o.significand, rows[i].significand);
        assert_int_equal(o.exponent, rows[i].exponent);
    }
    assert_int_equal(fused_zero().significand, 0);
    assert_int_equal(fused_zero().exponent, ACCUMULATE_ZERO);
}

/* Every type of wgmma: one tile inside the bounds of tile_product, which rest on binary64. */
static void fused_step_stays_within_the_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum fused_format a, b;
        const struct fused_profile *profile;
    } rows[] = {
        {"wgmma.m64n8k16.f32.f16.f16.rs", FUSED_F16, FUSED_F16, &fused_wgmma_f16},
        {"wgmma.m64n8k16.f16.f16.f16.rs", FUSED_F16, FUSED_F16, &fused_wgmma_f16_half},
        {"wgmma.m64n8k8.f32.tf32.tf32.rs", FUSED_TF32, FUSED_TF32, &fused_wgmma_tf32},
        {"wgmma.m64n8k32.f32.e4m3.e5m2.rs", FUSED_E4M3, FUSED_E5M2, &fused_wgmma_fp8},
        {"wgmma.m64n8k32.f16.e5m2.e4m3.rs", FUSED_E5M2, FUSED_E4M3, &fused_wgmma_fp8_half},
    };
    static uint32_t a[64 * MOST], b[8 * MOST];
    struct splitmix r = {splitmix_seed()};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wgmma_op op;
        struct tile_product t;
        assert_int_equal(wgmma_parse(rows[i].name, &op, NULL), STATUS_OK);
        assert_int_equal(op.family->k, rows[i].profile->products);
        assert_int_equal(tile_product_make(&op, NULL, &t, NULL), STATUS_OK);
        size_t k = (size_t)op.family->k;
        for (size_t e = 0; e < 64 * k; e++)
            a[e] = random_factor(&r, rows[i].a, 2);
        for (size_t e = 0; e < 8 * k; e++)
            b[e] = random_factor(&r, rows[i].b, 2);
        tile_product_step(&t, a, b);
        for (size_t m = 0; m < 64; m++)
            for (size_t n = 0; n < 8; n++)
                assert_true(tile_product_holds(&t, m, n,
                                               actual(rows[i].profile, rows[i].a, rows[i].b, a + m * k, b + n * k, 0)));
        tile_product_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fused_step_of_random_factors_follows_the_rule),
        cmocka_unit_test(fused_step_of_bf16_is_the_one_in_big_integers),
        cmocka_unit_test(fused_step_keeps_the_bits_of_the_profile),
        cmocka_unit_test(fused_step_cuts_terms_at_f),
        cmocka_unit_test(fused_step_of_half_rounds_to_nearest_even),
        cmocka_unit_test(fused_prepare_knows_what_is_special),
        cmocka_unit_test(fused_step_stays_within_the_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
