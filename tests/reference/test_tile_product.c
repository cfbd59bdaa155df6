/* tile_product: exact types against a second implementation, the bounds of the others against a machine that follows
 * the published rule in every variant that is open, and against faults that must fall outside. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reference/exact.h"
#include "reference/number.h"
#include "reference/tile_product.h"
#include "tests/support/alloc.h"
#include "tests/support/splitmix.h"

enum { M = 64, N = 16, MOST_K = 32, STEPS = 3 };

static uint32_t a_bits[M * MOST_K], b_bits[N * MOST_K], c_bits[M * N], d_bits[M * N];

static struct wgmma_op operation(const struct wgmma_family *f)
{
    return (struct wgmma_op){f, N, WGMMA_RS};
}

static struct wgmma_op named(const char *name)
{
    struct wgmma_op op;
    assert_int_equal(wgmma_parse(name, &op, NULL), STATUS_OK);
    return op;
}

static struct tile_product made(struct wgmma_op op, const uint32_t *c)
{
    struct tile_product p;
    struct error e;
    if (tile_product_make(&op, c, &p, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    assert_int_equal(p.rows, M);
    assert_int_equal(p.columns, op.n);
    return p;
}

static uint32_t encode(const char *type, double x)
{
    float f = (float)x;
    if (strcmp(type, "bf16") == 0)
        return bf16_encode(f).bits;
    if (strcmp(type, "f16") == 0)
        return f16_encode(f).bits;
    if (strcmp(type, "tf32") == 0)
        return f32_bits(f); /* what is not read stays */
    if (strcmp(type, "e4m3") == 0)
        return e4m3_encode(f).bits;
    if (strcmp(type, "e5m2") == 0)
        return e5m2_encode(f).bits;
    return (uint32_t)(int32_t)x & 0xff;
}

static double decode(const char *type, uint32_t bits)
{
    if (strcmp(type, "f16") == 0)
        return (double)f16_decode((struct f16){(uint16_t)bits});
    if (strcmp(type, "tf32") == 0)
        return (double)f32_from_bits(bits & 0xffffe000u);
    if (strcmp(type, "e4m3") == 0)
        return (double)e4m3_decode((struct e4m3){(uint8_t)bits});
    return (double)e5m2_decode((struct e5m2){(uint8_t)bits});
}

/* ---- the machine ------------------------------------------------------------------------------------------------- */

/* What of the rule is open: more fraction bits than published; whether a zero factor takes part in the alignment; how
 * many bits of an f32 result are kept; whether an f16 result is cut. */
struct variant {
    int more, kept_more;
    bool zero_counts, cut_half;
};
static const struct variant variants[] = {
    {0, 0, false, false}, {0, 0, true, true}, {1, 0, false, true}, {3, 10, true, false}};
enum { VARIANTS = sizeof variants / sizeof *variants };

static int exponent_in(double x, int least)
{
    int exponent;
    if (x == 0)
        return least;
    frexp(x, &exponent);
    return exponent - 1 > least ? exponent - 1 : least;
}

static int least_of(const char *type)
{
    return strcmp(type, "e4m3") == 0 ? -6 : strcmp(type, "tf32") == 0 ? -126 : -14;
}

/* One element, by the published rule. Finite values only. */
static double machine(const struct wgmma_family *f, const struct variant *v, const uint32_t *a, const uint32_t *b,
                      double c)
{
    bool fp8 = f->a_bits == 8;
    int fraction = (fp8 ? 13 : 25) + v->more, kept = fp8 ? 13 + v->kept_more : 23;
    int c_least = f->d_bits == 16 ? -14 : -126;
    int top = c == 0 ? -133 : exponent_in(c, c_least);
    double product[MOST_K];
    top = top < -133 ? -133 : top;
    for (int k = 0; k < f->k; k++) {
        double x = decode(f->a, a[k]), y = decode(f->b, b[k]);
        int exponent = exponent_in(x, least_of(f->a)) + exponent_in(y, least_of(f->b));
        product[k] = x * y;
        if ((product[k] != 0 || v->zero_counts) && exponent > top)
            top = exponent;
    }
    int64_t sum = (int64_t)ldexp(c, fraction - top);
    for (int k = 0; k < f->k; k++)
        sum += (int64_t)ldexp(product[k], fraction - top);
    double exact = ldexp((double)sum, top - fraction);
    if (f->d_bits == 16 && !v->cut_half)
        return (double)f16_decode(f16_encode((float)exact));
    int place = f->d_bits == 16 ? exponent_in(exact, -14) - 10 : exponent_in(exact, -126) - kept;
    return ldexp(trunc(ldexp(exact, -place)), place);
}

static uint32_t d_code(const struct wgmma_family *f, double d)
{
    return f->d_bits == 16 ? f16_encode((float)d).bits : f32_bits((float)d);
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

enum regime { UNIFORM, WIDE, SPARSE, CANCELLING, TINY, REGIMES };

static double draw(struct splitmix *r, enum regime regime)
{
    double x = (double)splitmix_between(r, -4096, 4096) / 4096;
    switch (regime) {
    case WIDE:
        return ldexp(x, splitmix_between(r, -8, 6));
    case SPARSE:
        return splitmix_below(r, 4) ? 0 : ldexp(x, splitmix_between(r, -3, 3));
    case TINY:
        return ldexp(x, splitmix_between(r, -17, -6));
    default:
        return x;
    }
}

static void fill(struct splitmix *r, const struct wgmma_family *f, enum regime regime)
{
    const int k = f->k;
    for (int i = 0; i < M * k; i++)
        a_bits[i] = encode(f->a, draw(r, regime));
    for (int i = 0; i < N * k; i++)
        b_bits[i] = encode(f->b, draw(r, regime));
    /* Products of neighbours cancel but for their last bits. */
    for (int i = 1; regime == CANCELLING && i < M * k; i += 2)
        a_bits[i] = encode(f->a, decode(f->a, a_bits[i - 1]));
    for (int i = 1; regime == CANCELLING && i < N * k; i += 2)
        b_bits[i] = encode(f->b, -decode(f->b, b_bits[i - 1]) * (i % 4 == 1 ? 1 : 0x1.01p0));
}

static bool modelled(const struct wgmma_family *f)
{
    return strcmp(f->a, "bf16") == 0 || strcmp(f->d, "s32") == 0;
}

/* ---- exact ------------------------------------------------------------------------------------------------------- */

static void tile_product_step_bf16_is_the_rule_bit_for_bit(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    struct wgmma_op op = named("wgmma.m64n16k16.f32.bf16.bf16.rs");
    size_t compared = 0, special = 0;
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < M * N; i++)
            c_bits[i] = d_bits[i] = round ? f32_bits((float)draw(&r, WIDE)) : 0;
        struct tile_product p = made(op, round ? c_bits : NULL);
        assert_true(p.exact);
        for (int step = 0; step < STEPS; step++) {
            fill(&r, op.family, (enum regime)(round % 3));
            for (int i = 0; round == 5 && i < 8; i++) /* Inf and NaN, and something above the 16 bits */
                a_bits[splitmix_below(&r, M * 16)] = (i % 2 ? 0x7f80u : 0x7fc0u) | 0xabcd0000u;
            tile_product_step(&p, a_bits, b_bits);
            for (int m = 0; m < M; m++)
                for (int n = 0; n < N; n++, compared++) {
                    struct bf16 a[16], b[16];
                    for (int k = 0; k < 16; k++) {
                        a[k].bits = (uint16_t)a_bits[m * 16 + k];
                        b[k].bits = (uint16_t)b_bits[n * 16 + k];
                    }
                    float d = exact_step(a, b, 16, f32_from_bits(d_bits[m * N + n]), 25, -133);
                    d_bits[m * N + n] = f32_bits(d);
                    special += !isfinite(d);
                    assert_int_equal(p.bits[m * N + n], d_bits[m * N + n]);
                    assert_true(isnan(d) ? isnan(p.low[m * N + n]) : p.low[m * N + n] == (double)d);
                    assert_true(tile_product_holds(&p, (size_t)m, (size_t)n, d_bits[m * N + n]));
                    assert_false(tile_product_holds(&p, (size_t)m, (size_t)n, d_bits[m * N + n] ^ 1));
                }
        }
        tile_product_free(&p);
    }
    assert_int_equal(compared, 6 * STEPS * M * N);
    assert_true(special > 0 && special < compared / 2);
}

static void tile_product_step_integers_are_exact_and_wrap(void **state)
{
    (void)state;
    static const char *const types[] = {"s8.s8", "s8.u8", "u8.s8", "u8.u8"};
    struct splitmix r = {splitmix_seed()};
    size_t wrapped = 0;
    for (int t = 0; t < 4; t++) {
        char name[WGMMA_NAME_SIZE];
        snprintf(name, sizeof name, "wgmma.m64n16k32.s32.%s.ss", types[t]);
        struct wgmma_op op = named(name);
        for (int i = 0; i < M * N; i++)
            c_bits[i] = d_bits[i] = (uint32_t)(i % 2 ? INT32_MAX - i : INT32_MIN + i);
        struct tile_product p = made(op, c_bits);
        assert_true(p.exact);
        for (int step = 0; step < STEPS; step++) {
            for (int i = 0; i < M * 32; i++)
                a_bits[i] = (uint32_t)splitmix_next(&r); /* only the low byte counts */
            for (int i = 0; i < N * 32; i++)
                b_bits[i] = (uint32_t)splitmix_next(&r);
            tile_product_step(&p, a_bits, b_bits);
            for (int i = 0; i < M * N; i++) {
                int64_t sum = (int32_t)d_bits[i];
                for (int k = 0; k < 32; k++) {
                    uint8_t a = (uint8_t)a_bits[i / N * 32 + k], b = (uint8_t)b_bits[i % N * 32 + k];
                    sum += (int64_t)(types[t][0] == 's' ? (int8_t)a : a) * (types[t][3] == 's' ? (int8_t)b : b);
                }
                wrapped += sum > INT32_MAX || sum < INT32_MIN;
                d_bits[i] = (uint32_t)sum;
                assert_int_equal(p.bits[i], d_bits[i]);
                assert_true(p.low[i] == (double)(int32_t)d_bits[i] && p.high[i] == p.low[i]);
            }
        }
        tile_product_free(&p);
    }
    assert_true(wrapped > 100);
}

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

static void check_machine(struct splitmix *r, const struct wgmma_family *f, enum regime regime, const struct variant *v,
                          bool from_zero)
{
    double d[M * N];
    for (int i = 0; i < M * N; i++) {
        c_bits[i] = d_code(f, draw(r, regime));
        d[i] = from_zero ? 0 : f->d_bits == 16 ? decode("f16", c_bits[i]) : (double)f32_from_bits(c_bits[i]);
    }
    struct tile_product p = made(operation(f), from_zero ? NULL : c_bits);
    assert_false(p.exact);
    assert_null(p.bits);
    for (int step = 0; step < STEPS; step++) {
        fill(r, f, regime);
        tile_product_step(&p, a_bits, b_bits);
        for (int i = 0; i < M * N; i++) {
            d[i] = machine(f, v, a_bits + i / N * f->k, b_bits + i % N * f->k, d[i]);
            if (!tile_product_holds(&p, (size_t)(i / N), (size_t)(i % N), d_code(f, d[i])))
                fail_msg("%s.%s.%s regime %d variant %d step %d: %a outside %a .. %a: FO_TEST_SEED=%llu", f->d, f->a,
                         f->b, regime, (int)(v - variants), step, d[i], p.low[i], p.high[i],
                         (unsigned long long)splitmix_seed());
        }
    }
    tile_product_free(&p);
}

static void tile_product_step_every_variant_of_the_rule_is_inside(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    int checked = 0;
    for (size_t i = 0; i < wgmma_family_count(); i++)
        for (int regime = 0; regime < REGIMES && !modelled(wgmma_family_at(i)); regime++)
            for (int v = 0; v < VARIANTS; v++, checked++)
                check_machine(&r, wgmma_family_at(i), (enum regime)regime, &variants[v], v % 2);
    assert_int_equal(checked, 11 * REGIMES * VARIANTS);
}

/* The worst that the rule can do: one product says where the terms are cut, and every other is just below that place.
 */
static void check_worst(const struct wgmma_family *f, double x0, double y0, int top, double sign)
{
    const struct variant published = {0, 0, false, false};
    int last = top - (f->a_bits == 8 ? 13 : 25), x_exponent = (last - 1) / 2;
    for (int i = 0; i < M * f->k; i++)
        a_bits[i] = encode(f->a, i % f->k ? sign * ldexp(1, x_exponent) : sign * x0);
    for (int i = 0; i < N * f->k; i++)
        b_bits[i] = encode(f->b, i % f->k ? 1.75 * ldexp(1, last - x_exponent - 1) : y0);
    double x = decode(f->a, a_bits[1]) * decode(f->b, b_bits[1]);
    assert_true(sign * x == 0.875 * ldexp(1, last)); /* a product that the types can hold */
    double d = machine(f, &published, a_bits, b_bits, 0);
    assert_true(d == sign * x0 * y0); /* all others are lost */
    struct tile_product p = made(operation(f), NULL);
    tile_product_step(&p, a_bits, b_bits);
    for (size_t i = 0; i < M * N; i++)
        if (!tile_product_holds(&p, i / N, i % N, d_code(f, d)))
            fail_msg("%s.%s.%s: %a outside %a .. %a", f->d, f->a, f->b, d, p.low[i], p.high[i]);
    tile_product_free(&p);
}

static void tile_product_step_worst_loss_of_the_rule_is_inside(void **state)
{
    (void)state;
    int checked = 0;
    for (size_t i = 0; i < wgmma_family_count(); i++) {
        const struct wgmma_family *f = wgmma_family_at(i);
        for (int sign = -1; sign <= 1 && !modelled(f); sign += 2, checked++)
            check_worst(f, 1, 1, 0, sign);
    }
    assert_int_equal(checked, 2 * 11);
    /* A subnormal factor says the place by the least exponent of its format. */
    check_worst(named("wgmma.m64n16k16.f32.f16.f16.rs").family, 0x1p-24, 1, -14, 1);
    check_worst(named("wgmma.m64n16k32.f32.e5m2.e5m2.rs").family, 0x1p-16, 1, -14, -1);
    check_worst(named("wgmma.m64n16k8.f32.tf32.tf32.rs").family, 0x1p-136, 0x1p100, -26, 1);
}

/* The bounds are no wider than the rule: (K+1) cut terms on either side, a last place, next to nothing for binary64. */
static void tile_product_step_bounds_are_as_narrow_as_the_rule(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    for (size_t i = 0; i < wgmma_family_count(); i++) {
        const struct wgmma_family *f = wgmma_family_at(i);
        if (modelled(f))
            continue;
        fill(&r, f, UNIFORM); /* |x| <= 1, so M <= 0 and |D| < 2^6 */
        struct tile_product p = made(operation(f), NULL);
        tile_product_step(&p, a_bits, b_bits);
        double widest = 0;
        for (int j = 0; j < M * N; j++)
            widest = fmax(widest, p.high[j] - p.low[j]);
        double terms = 2 * (f->k + 1) * ldexp(1, f->a_bits == 8 ? -13 : -25);
        double place = f->d_bits == 16 ? 2 * ldexp(1, 4 - 10) : ldexp(1, 4 - (f->a_bits == 8 ? 13 : 23));
        assert_true(widest > 0 && widest <= terms * 1.001 + place);
        tile_product_free(&p);
    }
}

static void tile_product_holds_just_beyond_the_bounds_is_outside(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    struct wgmma_op op = named("wgmma.m64n16k16.f32.f16.f16.rs");
    fill(&r, op.family, UNIFORM);
    struct tile_product p = made(op, NULL);
    tile_product_step(&p, a_bits, b_bits);
    for (size_t i = 0; i < M * N; i++) {
        float low = (float)p.low[i], high = (float)p.high[i];
        low = (double)low < p.low[i] ? nextafterf(low, INFINITY) : low;
        high = (double)high > p.high[i] ? nextafterf(high, -INFINITY) : high;
        assert_true(tile_product_holds(&p, i / N, i % N, f32_bits(low)));
        assert_true(tile_product_holds(&p, i / N, i % N, f32_bits(high)));
        assert_false(tile_product_holds(&p, i / N, i % N, f32_bits(nextafterf(low, -INFINITY))));
        assert_false(tile_product_holds(&p, i / N, i % N, f32_bits(nextafterf(high, INFINITY))));
        assert_false(tile_product_holds(&p, i / N, i % N, f32_bits(NAN)));
        assert_false(tile_product_holds(&p, i / N, i % N, f32_bits(INFINITY)));
    }
    tile_product_free(&p);
}

/* The columns of A rotated by one: nearly all elements of D must fall outside. */
static void tile_product_holds_elements_in_another_order_fall_outside(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    const struct variant published = {0, 0, false, false};
    for (size_t i = 0; i < wgmma_family_count(); i++) {
        const struct wgmma_family *f = wgmma_family_at(i);
        if (modelled(f))
            continue;
        fill(&r, f, UNIFORM);
        struct tile_product p = made(operation(f), NULL);
        tile_product_step(&p, a_bits, b_bits);
        for (int m = 0; m < M; m++) {
            uint32_t *row = a_bits + m * f->k, first = row[0];
            memmove(row, row + 1, (size_t)(f->k - 1) * sizeof *row);
            row[f->k - 1] = first;
        }
        size_t outside = 0;
        for (int j = 0; j < M * N; j++) {
            double d = machine(f, &published, a_bits + j / N * f->k, b_bits + j % N * f->k, 0);
            outside += !tile_product_holds(&p, (size_t)(j / N), (size_t)(j % N), d_code(f, d));
        }
        if (outside < M * N * 9 / 10)
            fail_msg("%s.%s.%s: only %zu of %d outside", f->d, f->a, f->b, outside, M * N);
        tile_product_free(&p);
    }
}

static void tile_product_step_small_integers_are_met_exactly(void **state)
{
    (void)state;
    /* 1 x 1 + 2 x 3 + 4 x -5 + 100 = 87 in the corner (0,0) and 100 elsewhere */
    static const char *const names[] = {"wgmma.m64n16k16.f32.f16.f16.rs",   "wgmma.m64n16k8.f32.tf32.tf32.rs",
                                        "wgmma.m64n16k32.f32.e4m3.e5m2.rs", "wgmma.m64n16k16.f16.f16.f16.rs",
                                        "wgmma.m64n16k16.f32.bf16.bf16.rs", "wgmma.m64n16k32.s32.s8.s8.rs"};
    static const double x[] = {1, 2, 4}, y[] = {1, 3, -5};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct wgmma_op op = named(names[i]);
        const struct wgmma_family *f = op.family;
        bool integer = f->d[0] == 's';
        memset(a_bits, 0, sizeof a_bits);
        memset(b_bits, 0, sizeof b_bits);
        for (int k = 0; k < 3; k++) {
            a_bits[k] = encode(f->a, x[k]);
            b_bits[k] = encode(f->b, y[k]);
        }
        for (int j = 0; j < M * N; j++)
            c_bits[j] = integer ? 100 : d_code(f, 100);
        struct tile_product p = made(op, c_bits);
        tile_product_step(&p, a_bits, b_bits);
        for (size_t j = 0; j < M * N; j++) {
            double want = j ? 100 : 87;
            assert_true(p.low[j] <= want && want <= p.high[j]);
            assert_true(p.high[j] - p.low[j] < (f->a_bits == 8 ? 1 : 0.25));
            assert_true(tile_product_holds(&p, j / N, j % N, integer ? (uint32_t)want : d_code(f, want)));
            assert_false(tile_product_holds(&p, j / N, j % N, integer ? (uint32_t)want + 1 : d_code(f, want + 1)));
        }
        tile_product_free(&p);
    }
}

/* One element of a product that is 0 elsewhere: C and two products. */
static struct tile_product corner(const char *name, double c, double x0, double y0, double x1, double y1)
{
    struct wgmma_op op = named(name);
    memset(a_bits, 0, sizeof a_bits);
    memset(b_bits, 0, sizeof b_bits);
    memset(c_bits, 0, sizeof c_bits);
    a_bits[0] = encode(op.family->a, x0);
    b_bits[0] = encode(op.family->b, y0);
    a_bits[1] = encode(op.family->a, x1);
    b_bits[1] = encode(op.family->b, y1);
    c_bits[0] = d_code(op.family, c);
    struct tile_product p = made(op, c_bits);
    tile_product_step(&p, a_bits, b_bits);
    return p;
}

static void tile_product_step_nan_and_infinity_decide(void **state)
{
    (void)state;
    static const char *const f16 = "wgmma.m64n16k16.f32.f16.f16.rs";
    const double inf = (double)INFINITY, nan = (double)NAN;
    static const uint32_t codes[] = {0x7fffffffu, 0x7f800000u, 0xff800000u, 0x3f800000u};
    const struct {
        double c, x0, y0, x1, y1;
        int held; /* which of codes, -1 for all */
    } cases[] = {
        {0, nan, 1, 0, 0, 0},    {nan, 1, 1, 0, 0, 0},    {0, inf, 0, 0, 0, 0},     {0, inf, 1, -inf, 1, 0},
        {-inf, inf, 1, 0, 0, 0}, {inf, -inf, 1, 0, 0, 0}, {0, inf, 1, 1, 1, 1},     {inf, 1, 1, 1, 1, 1},
        {1, inf, -1, 1, 1, 2},   {-inf, 1, 1, 1, 1, 2},   {0, -inf, -inf, 0, 0, 1}, {0, 1, 0.5, 0.5, 1, 3},
        {inf, nan, 1, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tile_product p = corner(f16, cases[i].c, cases[i].x0, cases[i].y0, cases[i].x1, cases[i].y1);
        for (int code = 0; code < 4; code++)
            if (tile_product_holds(&p, 0, 0, codes[code]) != (code == cases[i].held))
                fail_msg("case %zu: code %d, bounds %a .. %a", i, code, p.low[0], p.high[0]);
        assert_true(tile_product_holds(&p, 1, 1, 0)); /* the others are not touched */
        assert_false(tile_product_holds(&p, 1, 1, codes[0]));
        tile_product_free(&p);
    }
}

static void tile_product_step_overflow_may_be_infinite(void **state)
{
    (void)state;
    const uint32_t inf = 0x7f800000u, nan = 0x7fffffffu;
    /* tf32: 2^127 * 1.5 + 2^127 * 1.5 overflows for sure, 2^127 + 2^127 * (1 - 2^-11) + C hardly not */
    struct tile_product p = corner("wgmma.m64n16k8.f32.tf32.tf32.rs", 0, 0x1p127, 1.5, 0x1p127, 1.5);
    assert_true(tile_product_holds(&p, 0, 0, inf));
    assert_false(tile_product_holds(&p, 0, 0, inf - 1));
    assert_false(tile_product_holds(&p, 0, 0, inf | 0x80000000u));
    tile_product_free(&p);
    p = corner("wgmma.m64n16k8.f32.tf32.tf32.rs", 0, -0x1p127, 1.5, -0x1p127, 1.5);
    assert_true(tile_product_holds(&p, 0, 0, inf | 0x80000000u));
    assert_false(tile_product_holds(&p, 0, 0, inf));
    tile_product_free(&p);
    p = corner("wgmma.m64n16k8.f32.tf32.tf32.rs", 0x1.fffffep127, 0x1p104, 0.5, 0, 0);
    assert_true(tile_product_holds(&p, 0, 0, inf));
    assert_true(tile_product_holds(&p, 0, 0, inf - 1));
    assert_false(tile_product_holds(&p, 0, 0, nan));
    /* From there on nothing is known. */
    tile_product_step(&p, a_bits, b_bits);
    assert_true(tile_product_holds(&p, 0, 0, nan) && tile_product_holds(&p, 0, 0, 0));
    a_bits[0] = inf; /* C may be the other infinity */
    tile_product_step(&p, a_bits, b_bits);
    assert_true(tile_product_holds(&p, 0, 0, nan) && tile_product_holds(&p, 0, 0, inf));
    a_bits[0] = nan;
    tile_product_step(&p, a_bits, b_bits);
    assert_true(tile_product_holds(&p, 0, 0, nan));
    assert_false(tile_product_holds(&p, 0, 0, inf));
    tile_product_free(&p);
    /* f16: 65504 + 16 is rounded to Inf, 65504 + 1 is not for sure */
    p = corner("wgmma.m64n16k16.f16.f16.f16.rs", 65504, 4, 8, 0, 0);
    assert_true(tile_product_holds(&p, 0, 0, 0x7c00) && tile_product_holds(&p, 0, 0, 0x7bff));
    assert_false(tile_product_holds(&p, 0, 0, 0x7bfe));
    tile_product_free(&p);
    p = corner("wgmma.m64n16k16.f16.f16.f16.rs", -65504, -200, 200, 0, 0);
    assert_true(tile_product_holds(&p, 0, 0, 0xfc00));
    assert_false(tile_product_holds(&p, 0, 0, 0x7c00));
    assert_false(tile_product_holds(&p, 0, 0, 0xfbfe));
    tile_product_free(&p);
}

static enum status make_once(void *context, struct error *e)
{
    struct tile_product *p = context;
    struct wgmma_op op = named(p->exact ? "wgmma.m64n16k16.f32.bf16.bf16.rs" : "wgmma.m64n16k32.s32.s8.s8.rs"),
                    *o = &op;
    enum status s = tile_product_make(o, NULL, p, e);
    if (s == STATUS_OK)
        tile_product_free(p);
    return s;
}

static void tile_product_make_any_allocation_fails_without_a_trace(void **state)
{
    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        struct tile_product p = {.exact = bf16};
        assert_int_equal(alloc_check(make_once, NULL, &p), 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tile_product_step_bf16_is_the_rule_bit_for_bit),
        cmocka_unit_test(tile_product_step_integers_are_exact_and_wrap),
        cmocka_unit_test(tile_product_step_every_variant_of_the_rule_is_inside),
        cmocka_unit_test(tile_product_step_worst_loss_of_the_rule_is_inside),
        cmocka_unit_test(tile_product_step_bounds_are_as_narrow_as_the_rule),
        cmocka_unit_test(tile_product_holds_just_beyond_the_bounds_is_outside),
        cmocka_unit_test(tile_product_holds_elements_in_another_order_fall_outside),
        cmocka_unit_test(tile_product_step_small_integers_are_met_exactly),
        cmocka_unit_test(tile_product_step_nan_and_infinity_decide),
        cmocka_unit_test(tile_product_step_overflow_may_be_infinite),
        cmocka_unit_test(tile_product_make_any_allocation_fails_without_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
