#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "reference/accumulate.h"
#include "reference/exact.h"
#include "reference/number.h"
#include "tests/support/splitmix.h"

enum { N = 16, F = 25, FLOOR = -133 };

struct step {
    struct bf16 a[N], b[N];
    float c;
};

static uint32_t exact_bits(const struct step *s, int fraction_bits, int floor_exponent)
{
    return f32_bits(exact_step(s->a, s->b, N, s->c, fraction_bits, floor_exponent));
}

static uint32_t fast_bits(const struct step *s)
{
    return f32_bits(accumulate_bf16(&accumulate_hopper_bf16, s->a, s->b, s->c));
}

/* The value (-1)^negative * 1.mantissa * 2^exponent as bf16, subnormal (and cut short) below 2^-126. */
static struct bf16 make_bf16(bool negative, int exponent, unsigned mantissa)
{
    unsigned bits = exponent >= -126  ? (unsigned)(exponent + 127) << 7 | mantissa
                    : exponent < -133 ? 0
                                      : (0x80 | mantissa) >> (-126 - exponent);
    return (struct bf16){(uint16_t)(bits | (unsigned)negative << 15)};
}

static float make_f32(struct splitmix *r, int exponent)
{
    float c = ldexpf(1.0f + (float)splitmix_below(r, 1 << 23) * 0x1p-23f, exponent);
    return splitmix_below(r, 2) ? -c : c;
}

/* Term i becomes a random pair whose exponents add up to `exponent`. mask limits the mantissas: 0 gives powers of two.
 */
static void set_term(struct splitmix *r, struct step *s, int i, bool negative, int exponent, unsigned mask)
{
    int low = exponent - 127 > -126 ? exponent - 127 : -126, high = exponent + 126 < 127 ? exponent + 126 : 127;
    int ea = splitmix_between(r, low, high);
    bool flip = splitmix_below(r, 2);
    s->a[i] = make_bf16(flip, ea, (unsigned)splitmix_next(r) & mask);
    s->b[i] = make_bf16(flip != negative, exponent - ea, (unsigned)splitmix_next(r) & mask);
}

static void fill(struct splitmix *r, struct step *s, int low, int high, int c_low, int c_high)
{
    for (int i = 0; i < N; i++)
        set_term(r, s, i, splitmix_below(r, 2), splitmix_between(r, low, high), 0x7f);
    s->c = make_f32(r, splitmix_between(r, c_low, c_high));
}

static float unit_uniform(struct splitmix *r)
{
    return (float)((int32_t)splitmix_next(r)) * 0x1p-31f;
}

static void uniform(struct splitmix *r, struct step *s)
{
    for (int i = 0; i < N; i++) {
        s->a[i] = bf16_encode(unit_uniform(r));
        s->b[i] = bf16_encode(unit_uniform(r));
    }
    s->c = unit_uniform(r) * 4.0f;
}

static void narrow(struct splitmix *r, struct step *s)
{
    fill(r, s, -2, 2, -4, 5);
}

static void wide(struct splitmix *r, struct step *s)
{
    fill(r, s, -30, 30, -30, 30);
}

static void broad(struct splitmix *r, struct step *s)
{
    fill(r, s, -252, 254, -126, 127);
}

/* Pairs that cancel, or nearly; every fourth step has a term of its own size beside them. */
static void cancellation(struct splitmix *r, struct step *s)
{
    fill(r, s, -6, 6, -30, -10);
    for (int i = 0; i < N; i += 2) {
        s->a[i + 1] = s->b[i];
        s->b[i + 1] = (struct bf16){(uint16_t)(s->a[i].bits ^ 0x8000 ^ (splitmix_below(r, 4) == 0))};
    }
    if (splitmix_below(r, 4) == 0)
        set_term(r, s, 5, splitmix_below(r, 2), splitmix_between(r, -30, 0), 0x7f);
}

/* Subnormal and zero factors, some against large partners, next to a C that is tiny or subnormal. */
static void subnormal(struct splitmix *r, struct step *s)
{
    for (int i = 0; i < N; i++) {
        uint16_t x = (uint16_t)(splitmix_next(r) & 0x807f), sign = (uint16_t)(splitmix_next(r) & 0x8000);
        s->a[i].bits = splitmix_below(r, 2) ? x : sign;
        s->b[i] = make_bf16(splitmix_below(r, 2), splitmix_between(r, -30, 30), (unsigned)splitmix_next(r) & 0x7f);
        if (splitmix_below(r, 4) == 0)
            s->b[i].bits = sign;
    }
    s->c = splitmix_below(r, 2) ? f32_from_bits((uint32_t)splitmix_next(r) & 0x807fffff)
                                : make_f32(r, splitmix_between(r, -149, -90));
}

/* Mostly zeros of both signs, a few small terms, C often a zero. */
static void signed_zeros(struct splitmix *r, struct step *s)
{
    fill(r, s, -20, 20, -126, 0);
    for (int i = 0; i < N; i++)
        if (splitmix_below(r, 8) != 0)
            *(splitmix_below(r, 2) ? &s->a[i] : &s->b[i]) = (struct bf16){(uint16_t)(splitmix_next(r) & 0x8000)};
    if (splitmix_below(r, 2))
        s->c = splitmix_below(r, 2) ? 0.0f : -0.0f;
}

static void all_bits(struct splitmix *r, struct step *s)
{
    for (int i = 0; i < N; i++) {
        uint64_t bits = splitmix_next(r);
        s->a[i].bits = (uint16_t)bits;
        s->b[i].bits = (uint16_t)(bits >> 16);
    }
    s->c = f32_from_bits((uint32_t)splitmix_next(r));
}

/* Ordinary values with one or two of the special ones among them. */
static void few_specials(struct splitmix *r, struct step *s)
{
    static const uint16_t special[] = {0x7f80, 0xff80, 0x7f80, 0xff80, 0x7fc0, 0xff81, 0x0000, 0x8000, 0x7f7f, 0x0001};
    fill(r, s, -10, 10, -10, 10);
    for (uint64_t count = splitmix_below(r, 3); count > 0; count--) {
        struct bf16 *side = splitmix_below(r, 2) ? s->a : s->b;
        side[splitmix_below(r, N)].bits = special[splitmix_below(r, 10)];
    }
    if (splitmix_below(r, 8) == 0)
        s->c = bf16_decode((struct bf16){special[splitmix_below(r, 10)]});
}

static void tiny(struct splitmix *r, struct step *s)
{
    fill(r, s, -165, -130, -149, -140);
    if (splitmix_below(r, 4) != 0)
        s->c = 0.0f;
}

/* Two large terms cancel and leave M behind; what remains stands on both sides of the last bit that survives. */
static void boundary(struct splitmix *r, struct step *s)
{
    int M = splitmix_between(r, -100, 100);
    fill(r, s, M - F - 3, M - F + 2, M - F - 3, M - F + 2);
    set_term(r, s, 0, false, M, 0x7f);
    s->a[1] = s->b[0];
    s->b[1] = (struct bf16){(uint16_t)(s->a[0].bits ^ 0x8000)};
}

/* The same where C is the large one: a product of equal size takes it away. */
static void boundary_of_c(struct splitmix *r, struct step *s)
{
    int M = splitmix_between(r, -100, 100);
    fill(r, s, M - F - 3, M - F + 2, 0, 0);
    set_term(r, s, 0, splitmix_below(r, 2), M, 0);
    s->c = -bf16_decode(s->a[0]) * bf16_decode(s->b[0]);
}

/* No term reaches the floor: one lies on the grid of f32 subnormals and powers of two near 2^(floor-F) pull at it. */
static void floor_boundary(struct splitmix *r, struct step *s)
{
    for (int i = 1; i < N; i++)
        set_term(r, s, i, splitmix_below(r, 4) != 0, splitmix_between(r, -161, -157), 0);
    set_term(r, s, 0, false, splitmix_between(r, -149, -140), 0);
    s->c = 0.0f;
}

static void overflow(struct splitmix *r, struct step *s)
{
    fill(r, s, 120, 127, 100, 127);
}

/* All sixteen significands at their largest and of one sign: the widest sum of integers. */
static void widest(struct splitmix *r, struct step *s)
{
    bool negative = splitmix_below(r, 2);
    for (int i = 0; i < N; i++) {
        set_term(r, s, i, negative, 0, 0);
        s->a[i].bits |= 0x7f;
        s->b[i].bits |= splitmix_below(r, 4) ? 0x7f : 0x7e;
    }
    s->c = negative ? -0x1.fffffep0f : 0x1.fffffep0f;
}

struct regime {
    const char *name;
    void (*draw)(struct splitmix *, struct step *);
};
static const struct regime regimes[] = {
    {"uniform(-1,1)", uniform},       {"narrow exponents", narrow},
    {"exponents 2^-30..2^30", wide},  {"broad finite", broad},
    {"cancellation", cancellation},   {"subnormal and tiny C", subnormal},
    {"signed zeros", signed_zeros},   {"all bit patterns", all_bits},
    {"few specials", few_specials},   {"tiny", tiny},
    {"alignment boundary", boundary}, {"alignment boundary of C", boundary_of_c},
    {"floor", floor_boundary},        {"overflow", overflow},
    {"widest sum", widest},
};
enum { REGIMES = sizeof regimes / sizeof *regimes, STEPS_A_REGIME = 140000 };

static void fail_step(const struct step *s, const char *where, uint32_t got, uint32_t want)
{
    printf("%s: got %08x, want %08x for c %08x and the products (a b as bf16 bits)\n", where, got, want,
           f32_bits(s->c));
    for (int i = 0; i < N; i++)
        printf("    %04x %04x = %a * %a\n", s->a[i].bits, s->b[i].bits, (double)bf16_decode(s->a[i]),
               (double)bf16_decode(s->b[i]));
    fail_msg("%s; repeat with FO_TEST_SEED=%llu", where, (unsigned long long)splitmix_seed());
}

static void accumulate_step_random_steps_of_every_regime_match_exact_step(void **state)
{
    (void)state;
    long cases = 0, finite = 0;
    for (size_t i = 0; i < REGIMES; i++) {
        struct splitmix r = {splitmix_seed() + i};
        struct step s;
        for (int repeat = 0; repeat < STEPS_A_REGIME; repeat++, cases++) {
            regimes[i].draw(&r, &s);
            uint32_t got = fast_bits(&s), want = exact_bits(&s, F, FLOOR);
            if (got != want)
                fail_step(&s, regimes[i].name, got, want);
            struct exact sum;
            if (!exact_sum(s.a, s.b, N, s.c, &sum))
                continue;
            finite++;
            if (!exact_within_step(s.a, s.b, N, s.c, f32_from_bits(got), F, FLOOR))
                fail_step(&s, "outside the bound of the exact sum", got, want);
        }
    }
    assert_true(cases >= 2000000);
    assert_true(finite >= cases / 2);
}

/* Each pair of neighbours changes places with chance one half, then the whole is rotated. */
static void accumulate_step_terms_in_another_order_give_the_same_bits(void **state)
{
    (void)state;
    int cases = 0;
    for (size_t i = 0; i < REGIMES; i++) {
        struct splitmix r = {splitmix_seed() + i};
        for (int repeat = 0; repeat < 2000; repeat++, cases++) {
            struct step s, t;
            regimes[i].draw(&r, &s);
            t.c = s.c;
            unsigned flips = (unsigned)splitmix_next(&r), turn = (unsigned)splitmix_below(&r, N);
            for (unsigned k = 0; k < N; k++) {
                unsigned to = ((k ^ (flips >> k / 2 & 1)) + turn) % N;
                bool swap = flips >> (8 + k) & 1;
                t.a[to] = swap ? s.b[k] : s.a[k];
                t.b[to] = swap ? s.a[k] : s.b[k];
            }
            if (fast_bits(&s) != fast_bits(&t))
                fail_step(&s, "order matters", fast_bits(&t), fast_bits(&s));
        }
    }
    assert_true(cases > 0);
}

/* How many of 50,000 steps a wrong rule would get wrong. When a zero product takes part, the least exponent of its
 * zero factor may win M, which is what a higher floor does. */
static int wrong_steps(size_t regime, int fraction_bits, int floor_exponent, bool zeros_take_part)
{
    struct splitmix r = {splitmix_seed() + regime};
    int wrong = 0;
    for (int repeat = 0; repeat < 50000; repeat++) {
        struct step s;
        regimes[regime].draw(&r, &s);
        int floor = floor_exponent;
        for (int i = 0; zeros_take_part && i < N; i++) {
            int field_a = s.a[i].bits >> 7 & 255, field_b = s.b[i].bits >> 7 & 255;
            int e = (field_a ? field_a : 1) + (field_b ? field_b : 1) - 254;
            bool zero = (s.a[i].bits & 0x7fff) == 0 || (s.b[i].bits & 0x7fff) == 0;
            floor = zero && e > floor ? e : floor;
        }
        wrong += fast_bits(&s) != exact_bits(&s, fraction_bits, floor);
    }
    return wrong;
}

static size_t regime_of(void (*draw)(struct splitmix *, struct step *))
{
    size_t i = 0;
    while (regimes[i].draw != draw)
        i++;
    return i;
}

static void accumulate_step_a_wrong_rule_is_caught(void **state)
{
    (void)state;
    static const struct {
        void (*draw)(struct splitmix *, struct step *);
        int fraction_bits, floor_exponent;
        bool zeros_take_part;
        int at_least; /* of 50,000; about three quarters of what the default seed gives */
    } wrong[] = {
        {uniform, F - 1, FLOOR, false, 1000},
        {uniform, F + 1, FLOOR, false, 250},
        {narrow, F - 1, FLOOR, false, 2000},
        {narrow, F + 1, FLOOR, false, 900},
        {boundary, F - 1, FLOOR, false, 30000},
        {boundary, F + 1, FLOOR, false, 30000},
        {boundary_of_c, F - 1, FLOOR, false, 30000},
        {boundary_of_c, F + 1, FLOOR, false, 30000},
        {tiny, F, FLOOR - 1, false, 1},
        {tiny, F, FLOOR + 1, false, 1},
        {floor_boundary, F, FLOOR - 1, false, 2000},
        {floor_boundary, F, FLOOR + 1, false, 6000},
        {subnormal, F, FLOOR, true, 13000},
        {signed_zeros, F, FLOOR, true, 2500},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t regime = regime_of(wrong[i].draw);
        int count = wrong_steps(regime, wrong[i].fraction_bits, wrong[i].floor_exponent, wrong[i].zeros_take_part);
        if (count < wrong[i].at_least)
            fail_msg("%s, F %d, floor %d, zeros %d: only %d of 50000 tell it; repeat with FO_TEST_SEED=%llu",
                     regimes[regime].name, wrong[i].fraction_bits, wrong[i].floor_exponent, wrong[i].zeros_take_part,
                     count, (unsigned long long)splitmix_seed());
        assert_int_equal(wrong_steps(regime, F, FLOOR, false), 0);
    }
}

/* Written by hand from the rule. Products not listed are +0 * +0. Some bf16 bits: 2^-12 = 3980, 2^-13 = 3900,
 * 2^-14 = 3880; 2^-100 = 0d80, 2^-49 = 2700, 2^-58 = 2280, 2^-59 = 2200; 2^127 = 7f00; least subnormal = 0001. */
static const struct {
    const char *name;
    uint16_t product[4][2];
    uint32_t c, want;
} directed[] = {
    {"2^-25 below M is kept", {{0x3f80, 0x3f80}, {0xbf80, 0x3f80}, {0x3980, 0x3900}}, 0, 0x33000000},
    {"2^-26 below M is dropped", {{0x3f80, 0x3f80}, {0xbf80, 0x3f80}, {0x3900, 0x3900}}, 0, 0},
    {"1.5 * 2^-25 loses its half", {{0x3f80, 0x3f80}, {0xbf80, 0x3f80}, {0x39c0, 0x3900}}, 0, 0x33000000},
    {"-1.5 * 2^-25 loses its half", {{0x3f80, 0x3f80}, {0xbf80, 0x3f80}, {0xb9c0, 0x3900}}, 0, 0xb3000000},
    {"-0.5 * 2^-25 becomes +0", {{0x3f80, 0x3f80}, {0xbf80, 0x3f80}, {0xb900, 0x3900}}, 0, 0},
    {"C = 2^-25 is kept", {{0x3f80, 0x3f80}, {0xbf80, 0x3f80}}, 0x33000000, 0x33000000},
    {"C just below 2^-25 is dropped", {{0x3f80, 0x3f80}, {0xbf80, 0x3f80}}, 0x32ffffff, 0},
    {"C = 2 wins M: 2^-25 dropped", {{0xbf80, 0x3f80}, {0x3f80, 0xbf80}, {0x3980, 0x3900}}, 0x40000000, 0},
    {"C = 2 wins M: 2^-24 kept",
     {{0xbf80, 0x3f80}, {0x3f80, 0xbf80}, {0x3980, 0x3980}, {0x3980, 0x3900}},
     0x40000000,
     0x33800000},
    {"1.5 * 1.5 is not renormalised", {{0x3fc0, 0x3fc0}, {0xbfc0, 0x3fc0}, {0x3980, 0x3900}}, 0, 0x33000000},
    {"subnormal factor sets M by its format: 2^-25 dropped",
     {{0x0001, 0x7f00}, {0x8001, 0x7f00}, {0x3980, 0x3900}},
     0,
     0},
    {"subnormal factor sets M by its format: 2^-24 kept",
     {{0x0001, 0x7f00}, {0x8001, 0x7f00}, {0x3980, 0x3980}},
     0,
     0x33800000},
    {"subnormal factor keeps its value", {{0x0001, 0x7f00}}, 0, 0x3c800000},
    {"subnormal C sets M to -126: 2^-152 dropped", {{0x8d80, 0x2580}}, 0x00000001, 0x00000001},
    {"subnormal C sets M to -126: 2^-151 kept", {{0x8d80, 0x2600}}, 0x00000001, 0},
    {"floor: 2^-159 is dropped", {{0x0d80, 0x2700}, {0x8d80, 0x2200}}, 0, 0x00000001},
    {"floor: 2^-158 is kept", {{0x0d80, 0x2700}, {0x8d80, 0x2280}}, 0, 0},
    {"zero product does not win M", {{0x0000, 0x7f00}, {0x0d80, 0x2700}}, 0, 0x00000001},
    {"negative zero product does not win M", {{0x7f00, 0x8000}, {0x0d80, 0x2700}}, 0, 0x00000001},
    {"zero C does not win M", {{0x0d80, 0x2700}, {0x0d80, 0x2700}}, 0x80000000, 0x00000002},
    {"nothing", {{0, 0}}, 0, 0},
    {"lone -0", {{0, 0}}, 0x80000000, 0},
    {"-0 from everywhere", {{0x8000, 0x3f80}, {0x3f80, 0x8000}, {0x8000, 0}, {0, 0x8000}}, 0x80000000, 0},
    {"exact cancellation", {{0x3f80, 0xbf80}}, 0x3f800000, 0},
    {"lone C", {{0, 0}}, 0xbf800001, 0xbf800001},
    {"lone largest C", {{0, 0}}, 0x7f7fffff, 0x7f7fffff},
    {"lone least C", {{0, 0}}, 0x80000001, 0x80000001},
    {"lone subnormal C", {{0, 0}}, 0x007fffff, 0x007fffff},
    {"1 + 2^-24 truncates", {{0x3f80, 0x3f80}, {0x3980, 0x3980}}, 0, 0x3f800000},
    {"1 + 2^-23 is held", {{0x3f80, 0x3f80}, {0x3980, 0x3a00}}, 0, 0x3f800001},
    {"1 + 2^-24 + 2^-25 truncates", {{0x3f80, 0x3f80}, {0x3980, 0x3980}, {0x3980, 0x3900}}, 0, 0x3f800000},
    {"-1 - 2^-24 truncates toward zero", {{0xbf80, 0x3f80}, {0xb980, 0x3980}}, 0, 0xbf800000},
    {"1 - 2^-25 truncates toward zero", {{0x3f80, 0x3f80}, {0xb980, 0x3900}}, 0, 0x3f7fffff},
    {"-1 + 2^-25 truncates toward zero", {{0xbf80, 0x3f80}, {0x3980, 0x3900}}, 0, 0xbf7fffff},
    {"result below 2^-149 is +0", {{0x8d80, 0x2680}}, 0, 0},
    {"least normal less one place is subnormal", {{0x8d80, 0x2700}}, 0x00800000, 0x007fffff},
    {"largest subnormal plus one place is normal", {{0x0d80, 0x2700}}, 0x007fffff, 0x00800000},
    {"2^127 * 2 overflows", {{0x7f00, 0x4000}}, 0, 0x7f800000},
    {"2^127 + 2^127 overflows", {{0x7f00, 0x3f80}, {0x3f80, 0x7f00}}, 0, 0x7f800000},
    {"-2^127 - 2^127 overflows", {{0xff00, 0x3f80}}, 0xff000000, 0xff800000},
    {"half a place above the largest truncates", {{0x7180, 0x4100}}, 0x7f7fffff, 0x7f7fffff},
    {"one place above the largest overflows", {{0x7180, 0x4180}}, 0x7f7fffff, 0x7f800000},
    {"2^128 - 2^127 does not overflow", {{0x7f00, 0x4000}, {0xff00, 0x3f80}}, 0, 0x7f000000},
    {"2^254 - 2^254 leaves nothing of 1", {{0x7f00, 0x7f00}, {0xff00, 0x7f00}, {0x3f80, 0x3f80}}, 0, 0},
    {"Inf * 1", {{0x7f80, 0x3f80}}, 0x3f800000, 0x7f800000},
    {"Inf * -1", {{0x7f80, 0xbf80}}, 0, 0xff800000},
    {"-Inf * -Inf", {{0xff80, 0xff80}}, 0, 0x7f800000},
    {"Inf * least subnormal", {{0x7f80, 0x8001}}, 0, 0xff800000},
    {"Inf beats any finite product", {{0xff00, 0x7f00}, {0xff00, 0x7f00}}, 0x7f800000, 0x7f800000},
    {"lone -Inf C", {{0, 0}}, 0xff800000, 0xff800000},
    {"Inf * 0", {{0x7f80, 0x0000}}, 0, 0x7fffffff},
    {"-0 * -Inf", {{0x8000, 0xff80}}, 0, 0x7fffffff},
    {"Inf - Inf", {{0x7f80, 0x3f80}, {0xff80, 0x3f80}}, 0, 0x7fffffff},
    {"Inf with C = -Inf", {{0x7f80, 0x3f80}}, 0xff800000, 0x7fffffff},
    {"NaN * 1", {{0x7fc0, 0x3f80}}, 0, 0x7fffffff},
    {"signalling NaN * 0", {{0x0000, 0xff81}}, 0, 0x7fffffff},
    {"NaN * Inf", {{0x7f81, 0x7f80}}, 0, 0x7fffffff},
    {"NaN beside Inf", {{0x7f80, 0x3f80}, {0xffff, 0x3f80}}, 0, 0x7fffffff},
    {"NaN C loses its payload", {{0x3f80, 0x3f80}}, 0xffc12345, 0x7fffffff},
    {"lone signalling NaN C", {{0, 0}}, 0x7f800001, 0x7fffffff},
};

static void accumulate_step_hand_written_cases_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof directed / sizeof *directed; i++)
        for (int place = 0; place < N; place++) {
            struct step s = {.c = f32_from_bits(directed[i].c)};
            for (int k = 0; k < 4; k++) {
                s.a[(place + 5 * k) % N].bits = directed[i].product[k][0];
                s.b[(place + 5 * k) % N].bits = directed[i].product[k][1];
            }
            if (fast_bits(&s) != directed[i].want)
                fail_step(&s, directed[i].name, fast_bits(&s), directed[i].want);
            if (exact_bits(&s, F, FLOOR) != directed[i].want)
                fail_step(&s, directed[i].name, exact_bits(&s, F, FLOOR), directed[i].want);
        }
}

/* 16 * (255/128)^2 + (2 - 2^-23) = 65.5009765625 - 2^-23, cut to the place 2^-17. */
static void accumulate_step_widest_sum_matches(void **state)
{
    (void)state;
    for (uint16_t sign = 0; sign < 2; sign++) {
        struct step s = {.c = sign ? -0x1.fffffep0f : 0x1.fffffep0f};
        for (int i = 0; i < N; i++) {
            s.a[i].bits = (uint16_t)(0x3fff | sign << 15);
            s.b[i].bits = 0x3fff;
        }
        assert_int_equal(fast_bits(&s), 0x4283007fu | (uint32_t)sign << 31);
        assert_int_equal(exact_bits(&s, F, FLOOR), 0x4283007fu | (uint32_t)sign << 31);
    }
}

static void accumulate_prepare_every_bf16_keeps_its_value(void **state)
{
    (void)state;
    int cases = 0;
    for (uint32_t bits = 0; bits <= 0xffff; bits++, cases++) {
        struct bf16 x = {(uint16_t)bits};
        struct accumulate_operand o;
        accumulate_prepare(&x, 1, &o);
        float value = bf16_decode(x);
        if (!isfinite(value)) {
            assert_int_equal(o.exponent, ACCUMULATE_SPECIAL);
            assert_int_equal(o.significand, isnan(value) ? 0 : value > 0 ? 1 : -1);
            continue;
        }
        assert_true((double)value == ldexp(o.significand, o.exponent - 7));
        assert_int_equal(o.exponent == ACCUMULATE_ZERO, value == 0.0f);
        bool normal = value != 0.0f && fabsf(value) >= 0x1p-126f;
        if (normal ? o.significand * o.significand < 128 * 128 : value != 0.0f && o.exponent != -126)
            fail_msg("%04x: significand %d, exponent %d", bits, o.significand, o.exponent);
    }
    assert_int_equal(cases, 65536);
}

/* A step without products keeps every finite C and both infinities, except that -0 becomes +0: every sign, exponent
 * and upper half of the mantissa, with two lower halves. */
static void accumulate_step_without_products_keeps_c(void **state)
{
    (void)state;
    static const struct bf16 zeros[N];
    struct accumulate_operand zero[N];
    accumulate_prepare(zeros, N, zero);
    int cases = 0;
    for (uint32_t high = 0; high < 1u << 20; high++) {
        for (uint32_t low = 0; low < 2; low++, cases++) {
            uint32_t c = high << 12 | low * 0x801;
            float value = f32_from_bits(c);
            uint32_t want = isnan(value) ? 0x7fffffff : value == 0.0f ? 0 : c;
            uint32_t got = f32_bits(accumulate_step(&accumulate_hopper_bf16, zero, zero, value));
            if (got != want)
                fail_msg("C %08x: got %08x, want %08x", c, got, want);
        }
    }
    assert_int_equal(cases, 1 << 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accumulate_prepare_every_bf16_keeps_its_value),
        cmocka_unit_test(accumulate_step_hand_written_cases_match),
        cmocka_unit_test(accumulate_step_widest_sum_matches),
        cmocka_unit_test(accumulate_step_without_products_keeps_c),
        cmocka_unit_test(accumulate_step_random_steps_of_every_regime_match_exact_step),
        cmocka_unit_test(accumulate_step_terms_in_another_order_give_the_same_bits),
        cmocka_unit_test(accumulate_step_a_wrong_rule_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
