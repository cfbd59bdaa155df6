/* sampled_bound: no order and no grouping of a sum is ever beyond the bound, the bound is reached, and what is not a
 * sum of these products is beyond it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/sampled_bound.h"
#include "probes/weights.h"
#include "reference/accumulate.h"
#include "reference/exact.h"
#include "reference/number.h"

enum { MOST_K = 512 };

/* One dot product. */
struct dot {
    size_t K;
    struct bf16 x[MOST_K], w[MOST_K];
};

/* ---- the arithmetic of kernels, written here ----------------------------------------------------------------------
 */

/* The f32 next to `value` toward zero. */
static float truncated(double value)
{
    float f = (float)value;
    return fabs((double)f) > fabs(value) ? nextafterf(f, 0.0f) : f;
}

static float add_nearest(float a, float b)
{
    return a + b;
}

/* The binary64 sum may have been rounded up to the f32 that truncation must not reach: its error says so. */
static float add_truncated(float a, float b)
{
    double s = (double)a + (double)b, of_b = s - (double)a;
    double error = ((double)a - (s - of_b)) + ((double)b - of_b);
    float f = truncated(s);
    bool rounded_away = (double)f == s && error != 0 && (error < 0) == (s > 0);
    return rounded_away ? nextafterf(f, 0.0f) : f;
}

static int exponent_of(double value)
{
    int exponent = ilogb(value);
    return exponent < -126 ? -126 : exponent;
}

/* A fused sum of n products and c, as accumulate.h has it, for any n. */
static float fused(const struct bf16 *x, const struct bf16 *w, size_t n, float c)
{
    int M = -133;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double a = (double)bf16_decode(x[i]), b = (double)bf16_decode(w[i]);
        if (a != 0 && b != 0 && exponent_of(a) + exponent_of(b) > M)
            M = exponent_of(a) + exponent_of(b);
    }
    if (c != 0 && exponent_of((double)c) > M)
        M = exponent_of((double)c);
    for (size_t i = 0; i < n; i++)
        sum += trunc(ldexp((double)bf16_decode(x[i]) * (double)bf16_decode(w[i]), 25 - M));
    sum += trunc(ldexp((double)c, 25 - M));
    return truncated(ldexp(sum, M - 25));
}

static float product(const struct dot *d, size_t k)
{
    return bf16_decode(d->x[k]) * bf16_decode(d->w[k]);
}

typedef float add_function(float a, float b);

static float sequential(const struct dot *d, size_t from, size_t to, add_function *add)
{
    float sum = 0;
    for (size_t k = from; k < to; k++)
        sum = add(sum, product(d, k));
    return sum;
}

static float pairwise(const struct dot *d, size_t from, size_t to, add_function *add)
{
    if (to - from == 1)
        return product(d, from);
    size_t middle = from + (to - from + 1) / 2;
    return add(pairwise(d, from, middle, add), pairwise(d, middle, to, add));
}

static float steps(const struct dot *d, size_t from, size_t to, size_t group)
{
    float sum = 0;
    for (size_t k = from; k < to; k += group)
        sum = fused(d->x + k, d->w + k, to - k < group ? to - k : group, sum);
    return sum;
}

/* Products are exact in f32: a multiply-add is an addition. */

/* ---- orders -------------------------------------------------------------------------------------------------------
 */

static float sequential_nearest(const struct dot *d)
{
    return sequential(d, 0, d->K, add_nearest);
}
static float sequential_truncated(const struct dot *d)
{
    return sequential(d, 0, d->K, add_truncated);
}
static float pairwise_nearest(const struct dot *d)
{
    return pairwise(d, 0, d->K, add_nearest);
}
static float pairwise_truncated(const struct dot *d)
{
    return pairwise(d, 0, d->K, add_truncated);
}
static float fused_8(const struct dot *d)
{
    return steps(d, 0, d->K, 8);
}
static float fused_16(const struct dot *d)
{
    return steps(d, 0, d->K, 16);
}
static float fused_32(const struct dot *d)
{
    return steps(d, 0, d->K, 32);
}
/* Shuffled, or reversed where there is no r. */
static struct dot permuted(const struct dot *d, struct random *r)
{
    struct dot p = *d;
    for (size_t k = 0; k < d->K; k++) {
        size_t from = r ? k + random_below(r, (uint32_t)(d->K - k)) : k < d->K / 2 ? d->K - 1 - k : k;
        struct bf16 x = p.x[k], w = p.w[k];
        p.x[k] = p.x[from], p.w[k] = p.w[from];
        p.x[from] = x, p.w[from] = w;
    }
    return p;
}

static float reversed_nearest(const struct dot *d)
{
    struct dot p = permuted(d, NULL);
    return sequential_nearest(&p);
}
static float reversed_16(const struct dot *d)
{
    struct dot p = permuted(d, NULL);
    return fused_16(&p);
}
static float shuffled_truncated(const struct dot *d)
{
    struct random r = {7};
    struct dot p = permuted(d, &r);
    return sequential_truncated(&p);
}
static float shuffled_16(const struct dot *d)
{
    struct random r = {8};
    struct dot p = permuted(d, &r);
    return fused_16(&p);
}

static float split(const struct dot *d, size_t parts, size_t group, add_function *add)
{
    float sum = 0;
    for (size_t i = 0; i < parts; i++) {
        size_t from = d->K * i / parts, to = d->K * (i + 1) / parts;
        float part = group ? steps(d, from, to, group) : sequential(d, from, to, add);
        sum = add(sum, part);
    }
    return sum;
}
static float split_2(const struct dot *d)
{
    return split(d, 2, 16, add_nearest);
}
static float split_3_truncated(const struct dot *d)
{
    return split(d, 3, 16, add_truncated);
}
static float split_5(const struct dot *d)
{
    return split(d, 5, 0, add_nearest);
}
static float split_8(const struct dot *d)
{
    return split(d, 8, 32, add_nearest);
}
/* Fused sums from zero, each added in f32: what promotes its accumulators. */
static float promoted_16(const struct dot *d)
{
    return split(d, d->K / 16, 16, add_nearest);
}
static float promoted_32_truncated(const struct dot *d)
{
    return split(d, d->K / 32, 32, add_truncated);
}

/* Any tree: two partial sums at a time, drawn by lot. */
static float random_tree(const struct dot *d)
{
    float part[MOST_K];
    struct random r = {d->K + d->x[0].bits};
    size_t n = d->K;
    for (size_t k = 0; k < n; k++)
        part[k] = product(d, k);
    for (; n > 1; n--) {
        size_t i = random_below(&r, (uint32_t)n), j = random_below(&r, (uint32_t)(n - 1));
        float a = part[i];
        part[i] = part[n - 1];
        part[j] = random_below(&r, 2) ? add_nearest(a, part[j]) : add_truncated(a, part[j]);
    }
    return part[0];
}

static const struct {
    const char *name;
    float (*sum)(const struct dot *d);
} orders[] = {
    {"sequential, nearest", sequential_nearest},
    {"sequential, truncated", sequential_truncated},
    {"reversed, nearest", reversed_nearest},
    {"shuffled, truncated", shuffled_truncated},
    {"pairwise, nearest", pairwise_nearest},
    {"pairwise, truncated", pairwise_truncated},
    {"random tree", random_tree},
    {"fused 8", fused_8},
    {"fused 16", fused_16},
    {"fused 16, reversed", reversed_16},
    {"fused 16, shuffled", shuffled_16},
    {"fused 32", fused_32},
    {"split 2 of fused 16", split_2},
    {"split 3 of fused 16, truncated", split_3_truncated},
    {"split 5 of f32", split_5},
    {"split 8 of fused 32", split_8},
    {"fused 16 from zero, added", promoted_16},
    {"fused 32 from zero, truncated", promoted_32_truncated},
};
enum { ORDERS = sizeof orders / sizeof *orders };

/* ---- inputs -------------------------------------------------------------------------------------------------------
 */

static struct bf16 with_exponent(struct random *r, uint32_t low, uint32_t count)
{
    uint32_t mantissa = random_below(r, 128), sign = random_below(r, 2), field = low + random_below(r, count);
    return (struct bf16){(uint16_t)(sign << 15 | field << BF16_MANTISSA_BITS | mantissa)};
}

/* A weight as MXFP4 gives it. */
static struct bf16 weight(struct random *r)
{
    float scale = ldexpf(1, (int)random_below(r, 8) - 10);
    return bf16_encode(fp4_decode((struct fp4){(uint8_t)random_below(r, 16)}) * scale);
}

enum inputs { RANDOM, ONE_SIGN, CANCELLING, WIDE, NARROW, TINY, LOST, INPUTS };
static const char *const inputs_name[] = {"random", "one sign", "cancelling", "wide", "narrow", "tiny", "lost"};

/* LOST: one product of 1, and all others a little less than what an f32 sum keeps beside it: 2^-23 when truncated,
 * 2^-24 when rounded, 2^-25 in a fused sum. */
static const uint16_t lost[] = {0x33ff, 0x337f, 0x32ff};

static void make_inputs(enum inputs kind, struct random *r, struct dot *d)
{
    static const size_t Ks[] = {32, 64, 96, 128, 192};
    d->K = Ks[random_below(r, 5)];
    uint16_t small = lost[random_below(r, 3)];
    for (size_t k = 0; k < d->K; k++) {
        struct bf16 *x = &d->x[k], *w = &d->w[k];
        *x = bf16_encode((float)(2 * random_unit(r) - 1));
        *w = weight(r);
        if (kind == WIDE)
            *x = with_exponent(r, 97, 61), *w = with_exponent(r, 97, 61);
        if (kind == NARROW)
            *x = with_exponent(r, 122, 6), *w = with_exponent(r, 122, 6);
        if (kind == TINY)
            *x = with_exponent(r, random_below(r, 2) ? 0 : 50, 18),
            *w = with_exponent(r, random_below(r, 2) ? 0 : 50, 18);
        if (kind == LOST)
            x->bits = k == 0 ? BF16_ONE : small, w->bits = BF16_ONE;
        if (kind == ONE_SIGN)
            x->bits &= (uint16_t)~BF16_SIGN, w->bits &= (uint16_t)~BF16_SIGN;
    }
    /* The second half takes away the first, all but a little. */
    for (size_t k = 0; kind == CANCELLING && k < d->K / 2; k++) {
        size_t other = d->K - 1 - k;
        d->x[k] = with_exponent(r, 124, 6), d->w[k] = with_exponent(r, 124, 6);
        d->x[other].bits = d->x[k].bits ^ BF16_SIGN;
        d->w[other].bits = d->w[k].bits ^ (random_below(r, 8) == 0);
    }
}

static struct sampled_bound bound_of(const struct dot *d)
{
    struct sampled_factor x[MOST_K], w[MOST_K];
    sampled_factors(d->x, d->K, x);
    sampled_factors(d->w, d->K, w);
    return sampled_bound_make(x, w, d->K);
}

static double place_of(struct bf16 v)
{
    return (double)bf16_decode(v);
}

/* ---- tests --------------------------------------------------------------------------------------------------------
 */

#if defined(__SANITIZE_ADDRESS__)
enum { DOTS = 500 };
#else
enum { DOTS = 8000 };
#endif

/* 18 orders of 8000 dot products of 7 kinds: 1,008,000 outputs. */
static void sampled_bound_holds_for_every_order_and_grouping(void **state)
{
    (void)state;
    double worst[ORDERS][INPUTS] = {{0}};
    size_t outputs = 0, open = 0;
    struct random r = {20};
    for (int kind = 0; kind < INPUTS; kind++)
        for (size_t i = 0; i < DOTS; i++) {
            struct dot d;
            make_inputs((enum inputs)kind, &r, &d);
            struct sampled_bound b = bound_of(&d);
            struct sampled_interval allowed = sampled_bound_interval(&b);
            open += b.open;
            for (size_t o = 0; o < ORDERS; o++, outputs++) {
                float sum = orders[o].sum(&d);
                struct bf16 out = bf16_encode(sum);
                double error = fabs((double)sum - b.sum);
                worst[o][kind] = fmax(worst[o][kind], b.reach > 0 ? error / b.reach : error > 0 ? 9.0 : 0.0);
                if (error > b.reach || sampled_bound_ratio(&b, out) > 1 || place_of(out) < place_of(allowed.low) ||
                    place_of(out) > place_of(allowed.high))
                    fail_msg("%s of %s %zu: sum %a, exact %a, reach %a", orders[o].name, inputs_name[kind], i,
                             (double)sum, b.sum, b.reach);
            }
        }
    assert_int_equal(open, 0);
    assert_int_equal(outputs, (size_t)ORDERS * INPUTS * DOTS);
    print_message("%zu outputs, 0 beyond the bound; largest |sum - S| / E\n%-32s", outputs, "");
    for (int kind = 0; kind < INPUTS; kind++)
        print_message("%11s", inputs_name[kind]);
    for (size_t o = 0; o < ORDERS; o++) {
        print_message("\n%-32s", orders[o].name);
        for (int kind = 0; kind < INPUTS; kind++)
            print_message("%11.4f", worst[o][kind]);
    }
    print_message("\n");
    /* It is reached: by truncated sums all but whole, by rounded ones to a half, by fused ones to a quarter. */
    assert_true(worst[1][LOST] > 0.98 && worst[0][LOST] > 0.49 && worst[8][LOST] > 0.23);
}

static void fused_of_sixteen_is_that_of_the_reference(void **state)
{
    (void)state;
    struct random r = {3};
    for (size_t i = 0; i < 5000; i++) {
        struct dot d;
        make_inputs((enum inputs)(i % INPUTS), &r, &d);
        float c = i % 2 ? product(&d, 17) : 0.0f;
        float is = fused(d.x, d.w, 16, c), wanted = accumulate_bf16(&accumulate_hopper_bf16, d.x, d.w, c);
        assert_true(is == wanted);
    }
}

static void sampled_bound_make_sums_as_big_integers_do(void **state)
{
    (void)state;
    struct random r = {21};
    size_t inexact = 0;
    for (size_t i = 0; i < 7000; i++) {
        struct dot d;
        struct exact exact;
        make_inputs((enum inputs)(i % INPUTS), &r, &d);
        struct sampled_bound b = bound_of(&d);
        assert_true(exact_sum(d.x, d.w, d.K, 0.0f, &exact));
        double error = fabs(exact_to_double(&exact) - b.sum);
        inexact += error > 0;
        /* The part of E that is set aside for this. */
        if (error > b.reach * 0x1p-22)
            fail_msg("%zu: %a is off by %a of a reach of %a", i, b.sum, error, b.reach);
    }
    assert_true(inexact > 0);
}

/* The formula, by hand. */
static void sampled_bound_make_gives_the_reach_of_the_header(void **state)
{
    (void)state;
    struct dot d = {.K = 4,
                    .x = {{BF16_ONE}, {BF16_ONE | BF16_SIGN}, {0x0001}, {0}},
                    .w = {{0x4000}, {0x4040}, {BF16_ONE}, {0x7f00}}};
    struct sampled_bound b = bound_of(&d);
    double relative = 3 * 0x1p-23, size = 5 + 0x1p-126;
    assert_true(!b.open && b.sum == -1 + 0x1p-133);
    double wanted = relative / (1 - relative) * size + 4 * 0x1p-144;
    assert_true(b.reach >= wanted && b.reach <= wanted * (1 + 0x1p-19));
    memset(d.x, 0, sizeof d.x);
    b = bound_of(&d);
    assert_true(b.sum == 0 && b.reach == 0 && sampled_bound_ratio(&b, (struct bf16){0x8000}) == 0);
    assert_true(isinf(sampled_bound_ratio(&b, (struct bf16){BF16_NAN})));
    assert_true(isinf(sampled_bound_ratio(&b, (struct bf16){0x0001})));
    struct sampled_interval only = sampled_bound_interval(&b);
    assert_true(only.low.bits == 0 && only.high.bits == 0);
}

/* A subnormal sum keeps to its own last place, by the second part of E. */
static void sampled_bound_of_subnormal_factors_counts_them_as_the_least_normal(void **state)
{
    (void)state;
    struct dot d = {.K = 2, .x = {{0x0003}, {0x0003}}, .w = {{BF16_ONE}, {BF16_ONE}}};
    struct sampled_bound b = bound_of(&d);
    assert_true(b.sum == 6 * 0x1p-133);
    assert_true(b.reach > 2 * 0x1p-144 + 2 * 0x1p-149 && b.reach < 3 * 0x1p-144);
    assert_true(sampled_bound_ratio(&b, (struct bf16){0x0006}) == 0);
    assert_true(sampled_bound_ratio(&b, (struct bf16){0x0007}) > 1);
    assert_true(sampled_bound_ratio(&b, (struct bf16){0x0005}) > 1);
    /* A sum too small for bf16 is a zero of either sign. */
    d = (struct dot){.K = 1, .x = {{0x8001}}, .w = {{0x3e00}}};
    b = bound_of(&d);
    assert_true(b.sum == -0x1p-136 && b.reach < 0x1p-140);
    assert_true(sampled_bound_ratio(&b, (struct bf16){0}) == 0 && sampled_bound_ratio(&b, (struct bf16){0x8000}) == 0);
}

/* Around an exact sum the bound is so small that the next output is beyond it, on both sides and for both signs. */
static void sampled_bound_ratio_of_the_next_value_is_beyond(void **state)
{
    (void)state;
    for (size_t bits = 0x0080; bits < 0x7f00; bits += 97) {
        for (uint16_t sign = 0; sign <= 1; sign++) {
            struct bf16 v = {(uint16_t)(bits | (size_t)sign << 15)};
            struct dot d = {.K = 2, .x = {v}, .w = {{BF16_ONE}}};
            struct sampled_bound b = bound_of(&d);
            struct sampled_interval allowed = sampled_bound_interval(&b);
            assert_true(sampled_bound_ratio(&b, v) == 0);
            assert_true(sampled_bound_ratio(&b, (struct bf16){(uint16_t)(v.bits + 1)}) > 1);
            assert_true(sampled_bound_ratio(&b, (struct bf16){(uint16_t)(v.bits - 1)}) > 1);
            assert_true(sampled_bound_ratio(&b, (struct bf16){v.bits ^ BF16_SIGN}) > 1);
            assert_true(sampled_bound_ratio(&b, (struct bf16){BF16_NAN}) > 1);
            assert_true(sampled_bound_ratio(&b, (struct bf16){BF16_EXPONENT}) > 1);
            assert_true(allowed.low.bits == v.bits && allowed.high.bits == v.bits);
        }
    }
}

/* 1 + 2^-8 is a tie between two outputs: either is right, and no third. */
static void sampled_bound_of_a_tie_allows_both_sides(void **state)
{
    (void)state;
    struct dot d = {.K = 2, .x = {{BF16_ONE}, {BF16_ONE}}, .w = {{BF16_ONE}, {0x3b80}}};
    struct sampled_bound b = bound_of(&d);
    struct sampled_interval allowed = sampled_bound_interval(&b);
    assert_true(b.sum == 1 + 0x1p-8);
    assert_int_equal(allowed.low.bits, BF16_ONE);
    assert_int_equal(allowed.high.bits, BF16_ONE + 1);
    for (uint16_t i = 0; i < 4; i++)
        assert_int_equal(sampled_bound_ratio(&b, (struct bf16){(uint16_t)(BF16_ONE - 1 + i)}) <= 1, i == 1 || i == 2);
    /* As fine as binary64 says, not as the f32 on the way. */
    b = (struct sampled_bound){.sum = 1 + 0x1p-8, .reach = 0x1p-40};
    assert_int_equal(sampled_bound_interval(&b).high.bits, BF16_ONE + 1);
    b.sum = 1 + 3 * 0x1p-8;
    assert_int_equal(sampled_bound_interval(&b).low.bits, BF16_ONE + 1);
    b = bound_of(&d);
    /* The ratio is that of the least error before rounding: 0 on both sides, and two half steps over E beyond. */
    double step = 0x1p-8 / b.reach;
    assert_true(sampled_bound_ratio(&b, allowed.low) == 0 && sampled_bound_ratio(&b, allowed.high) == 0);
    assert_true(fabs(sampled_bound_ratio(&b, (struct bf16){BF16_ONE + 2}) / (2 * step) - 1) < 1e-3);
}

static void assert_only(const struct dot *d, uint16_t bits)
{
    struct sampled_bound b = bound_of(d);
    struct sampled_interval only = sampled_bound_interval(&b);
    static const uint16_t others[] = {0, BF16_ONE, BF16_EXPONENT, BF16_EXPONENT | BF16_SIGN, BF16_NAN, 0x7f7f};
    assert_false(b.open);
    assert_int_equal(only.low.bits, bits);
    assert_int_equal(only.high.bits, bits);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(sampled_bound_ratio(&b, (struct bf16){others[i]}) <= 1, others[i] == bits);
}

static void sampled_bound_of_specials_allows_them_alone(void **state)
{
    (void)state;
    const uint16_t inf = BF16_EXPONENT, minus = BF16_EXPONENT | BF16_SIGN;
    struct dot d = {.K = 3, .x = {{BF16_ONE}, {inf}, {BF16_ONE}}, .w = {{BF16_ONE}, {0x4000}, {0x4040}}};
    assert_only(&d, inf);
    d.w[1].bits = 0xc000;
    assert_only(&d, minus);
    d.w[1].bits = 0;
    assert_only(&d, BF16_NAN);
    d.w[1].bits = 0x4000;
    d.w[2].bits = minus;
    assert_only(&d, BF16_NAN);
    d.w[2].bits = inf;
    assert_only(&d, inf);
    d.x[0].bits = 0xffc1;
    assert_only(&d, BF16_NAN);
    /* Any NaN is one. */
    struct sampled_bound b = bound_of(&d);
    assert_true(sampled_bound_ratio(&b, (struct bf16){0xff81}) == 0);
}

static void sampled_bound_where_partial_sums_may_overflow_is_open(void **state)
{
    (void)state;
    struct dot d = {.K = 2, .x = {{0x7f00}, {0x7f00}}, .w = {{BF16_ONE}, {BF16_ONE | BF16_SIGN}}};
    struct sampled_bound b = bound_of(&d);
    assert_true(b.open && sampled_bound_ratio(&b, (struct bf16){BF16_NAN}) == 0);
    struct sampled_interval all = sampled_bound_interval(&b);
    assert_int_equal(all.low.bits, 0xff80);
    assert_int_equal(all.high.bits, 0x7f80);
    d.x[1].bits = 0x7e00; /* 1.25 * 2^127 in all: not yet */
    b = bound_of(&d);
    assert_false(b.open);
    d.x[1].bits = 0x7f00;
    d.x[0].bits = BF16_EXPONENT;
    d.K = 3;
    d.x[2].bits = 0x7f00;
    d.w[2].bits = BF16_ONE;
    b = bound_of(&d);
    assert_true(b.open && isinf(b.sum));
    d.x[0].bits = BF16_NAN;
    b = bound_of(&d);
    assert_true(!b.open && isnan(b.sum));
}

/* What a sum of one product too few, too many or exchanged gives is beyond: the bound hides no weight. */
static void sampled_bound_finds_one_wrong_product_of_many(void **state)
{
    (void)state;
    struct random r = {5};
    size_t found = 0, of = 0, rounds_the_same = 0;
    for (size_t i = 0; i < 4000; i++) {
        struct dot d;
        make_inputs(i % 2 ? RANDOM : ONE_SIGN, &r, &d);
        struct sampled_bound b = bound_of(&d);
        struct bf16 right = bf16_encode(fused_16(&d));
        size_t at = random_below(&r, (uint32_t)d.K);
        d.w[at].bits ^= BF16_SIGN;
        struct bf16 wrong = bf16_encode(fused_16(&d));
        of++;
        rounds_the_same += wrong.bits == right.bits;
        found += sampled_bound_ratio(&b, wrong) > 1;
    }
    print_message("one sign of %zu: %zu found, %zu gave the same output\n", of, found, rounds_the_same);
    assert_true(found > of / 2 && found + rounds_the_same > of * 9 / 10);
}

/* One more rounding on the way, of a partial sum to bf16, is no order of summation. */
static void sampled_bound_finds_partial_sums_in_bf16(void **state)
{
    (void)state;
    struct random r = {6};
    size_t found = 0;
    for (size_t i = 0; i < 2000; i++) {
        struct dot d;
        make_inputs(RANDOM, &r, &d);
        struct sampled_bound b = bound_of(&d);
        float low = bf16_decode(bf16_encode(steps(&d, 0, d.K / 2, 16)));
        float high = bf16_decode(bf16_encode(steps(&d, d.K / 2, d.K, 16)));
        found += sampled_bound_ratio(&b, bf16_encode(low + high)) > 1;
    }
    print_message("partial sums in bf16: %zu of 2000 outputs beyond\n", found);
    assert_true(found > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sampled_bound_holds_for_every_order_and_grouping),
        cmocka_unit_test(fused_of_sixteen_is_that_of_the_reference),
        cmocka_unit_test(sampled_bound_make_sums_as_big_integers_do),
        cmocka_unit_test(sampled_bound_make_gives_the_reach_of_the_header),
        cmocka_unit_test(sampled_bound_of_subnormal_factors_counts_them_as_the_least_normal),
        cmocka_unit_test(sampled_bound_ratio_of_the_next_value_is_beyond),
        cmocka_unit_test(sampled_bound_of_a_tie_allows_both_sides),
        cmocka_unit_test(sampled_bound_of_specials_allows_them_alone),
        cmocka_unit_test(sampled_bound_where_partial_sums_may_overflow_is_open),
        cmocka_unit_test(sampled_bound_finds_one_wrong_product_of_many),
        cmocka_unit_test(sampled_bound_finds_partial_sums_in_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
