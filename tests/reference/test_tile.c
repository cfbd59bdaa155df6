/* tile: every operation against sums that are known without it: whole numbers, the rule in big integers for bf16, and
 * small cases by hand for what rounds, cuts, saturates and overflows. */
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
#include "reference/tile.h"
#include "tests/support/splitmix.h"

enum { MOST_M = 64, MOST_N = 256, MOST_K = 32 };

static uint32_t a[MOST_M * MOST_K], b[MOST_N * MOST_K], c[MOST_M * MOST_N], d[MOST_M * MOST_N];
static const struct tile_options plain;

static struct tile_op named(const char *name)
{
    struct tile_op op;
    struct error e;
    if (tile_op_parse(name, &op, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return op;
}

static bool is(const char *type, const char *name)
{
    return strcmp(type, name) == 0;
}

static uint32_t encode(const char *type, double x)
{
    const float f = (float)x;
    if (is(type, "bf16"))
        return bf16_encode(f).bits;
    if (is(type, "f16"))
        return f16_encode(f).bits;
    if (is(type, "tf32") || is(type, "f32"))
        return f32_bits(f);
    if (is(type, "e4m3"))
        return e4m3_encode(f).bits;
    if (is(type, "e5m2"))
        return e5m2_encode(f).bits;
    return (uint32_t)(int32_t)x & (is(type, "s32") ? UINT32_MAX : 0xff);
}

/* Every operation: of wgmma with the least N, one in the middle and the most. */
static size_t each(void (*check)(const struct tile_op *op, struct splitmix *r))
{
    static const int ns[] = {8, 24, 256};
    struct splitmix r = {splitmix_seed()};
    char name[WGMMA_NAME_SIZE], other[MMA_NAME_SIZE];
    size_t checked = 0;
    for (size_t i = 0; i < wgmma_family_count(); i++)
        for (int i_n = 0; i_n < 3; i_n++, checked++) {
            struct wgmma_op op = {wgmma_family_at(i), ns[i_n], i_n == 1 ? WGMMA_SS : WGMMA_RS};
            struct tile_op t = named(wgmma_format(&op, name));
            assert_int_equal(t.unit, TILE_WGMMA);
            assert_int_equal(t.n, ns[i_n]);
            check(&t, &r);
        }
    for (size_t i = 0; i < mma_op_count(); i++, checked++) {
        struct tile_op t = named(mma_format(mma_op_at(i), other));
        assert_int_equal(t.unit, TILE_MMA);
        check(&t, &r);
    }
    return checked;
}
enum { EACH = 16 * 3 + 32 };

/* ---- names and options ------------------------------------------------------------------------------------------- */

static void tile_op_parse_says_what_an_operation_computes(void **state)
{
    (void)state;
    struct tile_op op = named("wgmma.m64n24k32.f16.e4m3.e5m2.ss");
    assert_string_equal(op.name, "wgmma.m64n24k32.f16.e4m3.e5m2.ss");
    assert_int_equal(op.unit, TILE_WGMMA);
    assert_true(op.m == 64 && op.n == 24 && op.k == 32 && op.bits == 8 && op.d_bits == 16);
    assert_true(is(op.d, "f16") && is(op.a, "e4m3") && is(op.b, "e5m2"));
    op = named("mma.m16n8k4.f32.tf32.tf32");
    assert_string_equal(op.name, "mma.m16n8k4.f32.tf32.tf32");
    assert_int_equal(op.unit, TILE_MMA);
    assert_true(op.m == 16 && op.n == 8 && op.k == 4 && op.bits == 32 && op.d_bits == 32);
}

static void tile_op_parse_of_no_operation_says_what_to_write(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } wrong[] = {
        {"frob", "\"frob\" is no operation; write wgmma.SHAPE.D.A.B.rs (or .ss), or mma.SHAPE.D.A.B"},
        {"mmamma.m16n8k16.f32.bf16.bf16", "is no operation"},
        {"wgmma.m64n12k16.f32.bf16.bf16.rs", "N = 12 is not legal"},
        {"mma.m16n8k16.f32.tf32.tf32", "\"m16n8k16\" is no shape of these types"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct tile_op op = {.k = 77};
        struct error e;
        assert_int_equal(tile_op_parse(wrong[i].name, &op, &e), STATUS_BAD_ARGUMENT);
        assert_non_null(strstr(e.why, wrong[i].why));
        assert_int_equal(op.k, 77);
    }
}

static void check_options(const struct tile_op *op, struct splitmix *r)
{
    const bool wgmma = strncmp(op->name, "wgmma", 5) == 0, integer = op->a[1] == '8';
    const struct {
        struct tile_options o;
        bool legal;
        const char *field;
    } cases[] = {
        {{0}, true, ""},
        {{.without_c = true}, wgmma, "scale-d"},
        {{.negate_a = true}, wgmma && !integer, "neg-a"},
        {{.negate_b = true}, wgmma && !integer, "neg-b"},
        {{.transpose_b = true}, wgmma && (is(op->a, "bf16") || is(op->a, "f16")), "trans-b"},
        {{.saturate = true}, integer, "sat"},
    };
    (void)r;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = {0};
        enum status s = tile_check_options(op, &cases[i].o, &e);
        assert_int_equal(s, cases[i].legal ? STATUS_OK : STATUS_BAD_ARGUMENT);
        assert_int_equal(tile_check_options(op, &cases[i].o, NULL), s);
        if (!cases[i].legal) {
            assert_string_equal(e.field, cases[i].field);
            assert_non_null(strstr(e.why, op->name));
        }
    }
}

static void tile_check_options_takes_what_the_instruction_takes(void **state)
{
    (void)state;
    assert_int_equal(each(check_options), EACH);
}

static void tile_sum_is_approximate_where_nothing_was_measured(void **state)
{
    (void)state;
    size_t exact = 0, integers = 0;
    for (size_t i = 0; i < wgmma_family_count(); i++) {
        const struct wgmma_op op = {wgmma_family_at(i), 8, WGMMA_RS};
        const struct tile_sum s = tile_sum_of_wgmma(&op);
        const bool known = is(op.family->a, "bf16") || is(op.family->d, "s32");
        assert_int_equal(s.approximate == NULL, known);
        if (!known)
            assert_non_null(strstr(s.approximate, op.family->a));
        exact += known;
    }
    assert_int_equal(exact, 5);
    for (size_t i = 0; i < mma_op_count(); i++) {
        const struct mma_op *op = mma_op_at(i);
        const struct tile_sum s = tile_sum_of_mma(op);
        assert_int_equal(s.approximate == NULL, is(op->d, "s32"));
        if (s.approximate)
            assert_non_null(strstr(s.approximate, op->a));
        if (is(op->a, "bf16"))
            assert_non_null(strstr(s.approximate, "measured on wgmma only"));
        integers += s.approximate == NULL;
    }
    assert_int_equal(integers, 8);
}

/* ---- whole numbers ----------------------------------------------------------------------------------------------- */

/* Factors that every type holds, and sums that every D holds: below 2^11 for f16, 2^13 for what keeps 13 bits. */
static void fill_whole(const struct tile_op *op, struct splitmix *r, double *av, double *bv, double *cv)
{
    const int most = op->d_bits == 16 ? 4 : 8, least_a = op->a[0] == 'u' ? 0 : -most,
              least_b = op->b[0] == 'u' ? 0 : -most;
    for (size_t i = 0; i < op->m * op->k; i++)
        a[i] = encode(op->a, av[i] = splitmix_between(r, least_a, most));
    for (size_t i = 0; i < op->n * op->k; i++)
        b[i] = encode(op->b, bv[i] = splitmix_between(r, least_b, most));
    for (size_t i = 0; i < op->m * op->n; i++)
        c[i] = encode(op->d, cv[i] = splitmix_between(r, -1000, 1000));
    for (size_t i = 0; op->bits < 32 && i < op->m * op->k; i++) /* what lies above is ignored */
        a[i] |= (uint32_t)splitmix_next(r) << op->bits;
    for (size_t i = 0; op->bits < 32 && i < op->n * op->k; i++)
        b[i] |= (uint32_t)splitmix_next(r) << op->bits;
    for (size_t i = 0; op->d_bits < 32 && i < op->m * op->n; i++)
        c[i] |= (uint32_t)splitmix_next(r) << op->d_bits;
    for (size_t i = 0; is(op->a, "tf32") && i < op->m * op->k; i++) /* and so is what TF32 does not have */
        a[i] |= (uint32_t)splitmix_below(r, 0x2000);
}

static void check_whole(const struct tile_op *op, struct splitmix *r)
{
    static double av[MOST_M * MOST_K], bv[MOST_N * MOST_K], cv[MOST_M * MOST_N];
    for (int way = 0; way < 16; way++) {
        const struct tile_options o = {
            .without_c = way & 1, .negate_a = way & 2, .negate_b = way & 4, .transpose_b = way & 8};
        if (tile_check_options(op, &o, NULL) != STATUS_OK)
            continue;
        fill_whole(op, r, av, bv, cv);
        const bool given = way == 0 ? splitmix_below(r, 2) : true, in_place = way == 2;
        if (in_place)
            memcpy(d, c, sizeof d);
        tile_mma(op, a, b, in_place ? d : given ? c : NULL, &o, d);
        for (size_t m = 0; m < op->m; m++)
            for (size_t n = 0; n < op->n; n++) {
                double sum = given && !o.without_c ? cv[m * op->n + n] : 0;
                for (size_t k = 0; k < op->k; k++)
                    sum += av[m * op->k + k] * bv[n * op->k + k] * (o.negate_a != o.negate_b ? -1 : 1);
                const uint32_t want = encode(op->d, sum == 0 ? 0 : sum);
                if (d[m * op->n + n] != want)
                    fail_msg("%s, way %d: D[%zu][%zu] is %08x, not %08x (FO_TEST_SEED=%llu)", op->name, way, m, n,
                             d[m * op->n + n], want, (unsigned long long)splitmix_seed());
            }
    }
}

static void tile_mma_of_whole_numbers_is_their_sum(void **state)
{
    (void)state;
    assert_int_equal(each(check_whole), EACH);
}

static size_t high, low, wrapped;

static void check_integers(const struct tile_op *op, struct splitmix *r)
{
    if (op->a[1] != '8')
        return;
    for (int saturate = 0; saturate < 2; saturate++) {
        for (size_t i = 0; i < op->m * op->k; i++)
            a[i] = (uint32_t)splitmix_next(r);
        for (size_t i = 0; i < op->n * op->k; i++)
            b[i] = (uint32_t)splitmix_next(r);
        for (size_t i = 0; i < op->m * op->n; i++) {
            const uint32_t near = (uint32_t)splitmix_below(r, 1 << 17);
            c[i] = i % 3 == 0 ? (uint32_t)splitmix_next(r) : i % 3 == 1 ? INT32_MAX - near : 0x80000000u + near;
        }
        const struct tile_options o = {.saturate = saturate};
        tile_mma(op, a, b, c, &o, d);
        for (size_t i = 0; i < op->m * op->n; i++) {
            int64_t sum = (int32_t)c[i];
            for (size_t k = 0; k < op->k; k++) {
                const uint8_t x = (uint8_t)a[i / op->n * op->k + k], y = (uint8_t)b[i % op->n * op->k + k];
                sum += (int64_t)(op->a[0] == 's' ? (int8_t)x : x) * (op->b[0] == 's' ? (int8_t)y : y);
            }
            const bool over = sum > INT32_MAX, under = sum < INT32_MIN;
            high += saturate && over;
            low += saturate && under;
            wrapped += !saturate && (over || under);
            assert_int_equal(d[i], saturate && over    ? 0x7fffffffu
                                   : saturate && under ? 0x80000000u
                                                       : (uint32_t)(uint64_t)sum);
        }
    }
}

static void tile_mma_of_integers_wraps_or_saturates_at_both_ends(void **state)
{
    (void)state;
    high = low = wrapped = 0;
    assert_int_equal(each(check_integers), EACH);
    assert_true(high > 100 && low > 100 && wrapped > 200);
}

/* ---- bf16 -------------------------------------------------------------------------------------------------------- */

static void check_bf16(const struct tile_op *op, struct splitmix *r)
{
    if (!is(op->a, "bf16"))
        return;
    size_t special = 0;
    for (int regime = 0; regime < 4; regime++) { /* narrow exponents, wide ones, all bits, tiny */
        for (size_t i = 0; i < op->m * op->k; i++)
            a[i] = (uint32_t)splitmix_next(r) & (regime == 2 ? 0xffff : regime == 3 ? 0x81ff : 0x83ff);
        for (size_t i = 0; i < op->n * op->k; i++)
            b[i] = (uint32_t)splitmix_next(r) & (regime == 2 ? 0xffff : regime == 3 ? 0xffff : 0x83ff);
        for (size_t i = 0; regime < 2 && i < op->m * op->k; i++)
            a[i] += 0x3c00 + (regime ? (uint32_t)splitmix_below(r, 8) << 10 : 0) - (regime ? 0x1000 : 0);
        for (size_t i = 0; regime < 2 && i < op->n * op->k; i++)
            b[i] += 0x3c00;
        for (size_t i = 0; i < op->m * op->n; i++)
            c[i] = i % 5 == 0 ? 0 : ((uint32_t)splitmix_next(r) & 0x83ffffff) + (regime == 3 ? 0 : 0x3c000000);
        tile_mma(op, a, b, c, &plain, d);
        for (size_t i = 0; i < op->m * op->n; i++) {
            struct bf16 x[MOST_K], y[MOST_K];
            for (size_t k = 0; k < op->k; k++) {
                x[k].bits = (uint16_t)a[i / op->n * op->k + k];
                y[k].bits = (uint16_t)b[i % op->n * op->k + k];
            }
            const float want = exact_step(x, y, op->k, f32_from_bits(c[i]), 25, -133);
            special += !isfinite(want);
            if (d[i] != f32_bits(want))
                fail_msg("%s, regime %d: %08x, not %08x (FO_TEST_SEED=%llu)", op->name, regime, d[i], f32_bits(want),
                         (unsigned long long)splitmix_seed());
        }
    }
    assert_true(special > 10);
}

static void tile_mma_of_bf16_is_the_rule_in_big_integers(void **state)
{
    (void)state;
    assert_int_equal(each(check_bf16), EACH);
}

/* ---- by hand ----------------------------------------------------------------------------------------------------- */

struct factors {
    double a, b;
};

/* D[0][0] of an operation whose A and B are zero but for A[0][k] and B[0][k]. */
static uint32_t first(const char *name, const struct tile_options *o, uint32_t c0, size_t terms,
                      const struct factors *pair)
{
    const struct tile_op op = named(name);
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    memset(c, 0, sizeof c);
    assert_true(terms <= op.k);
    for (size_t k = 0; k < terms; k++) {
        a[k] = encode(op.a, pair[k].a);
        b[k] = encode(op.b, pair[k].b);
    }
    c[0] = c0;
    tile_mma(&op, a, b, c, o, d);
    return d[0];
}
#define PAIRS(...) ((const struct factors[]){__VA_ARGS__})
#define FIRST(NAME, OPTIONS, C, ...)                                                                                   \
    first(NAME, OPTIONS, C, sizeof PAIRS(__VA_ARGS__) / sizeof *PAIRS(__VA_ARGS__), PAIRS(__VA_ARGS__))

/* fp8: F = 13, and 13 bits are kept of an f32; other types keep 25 and 23. */
static void tile_mma_of_fp8_loses_what_lies_14_bits_below(void **state)
{
    (void)state;
    const char *wgmma = "wgmma.m64n8k32.f32.e5m2.e5m2.rs", *mma = "mma.m16n8k32.f32.e5m2.e5m2";
    assert_int_equal(FIRST(wgmma, &plain, 0, {8192, 1}, {1, 1}), f32_bits(8193));
    assert_int_equal(FIRST(wgmma, &plain, 0, {16384, 1}, {1, 1}), f32_bits(16384));
    assert_int_equal(FIRST(wgmma, &plain, 0, {-16384, 1}, {-1, 1}, {-1, 1}), f32_bits(-16384));
    assert_int_equal(FIRST(mma, &plain, 0, {16384, 1}, {1, 1}), f32_bits(16385));
    assert_int_equal(FIRST(mma, &plain, 0, {16384, 1024}, {-1, 1}), f32_bits(16777215));
    /* Of C too, and of a sum: 16383 is 14 bits wide, 32767 is not kept. */
    assert_int_equal(FIRST(wgmma, &plain, f32_bits(16383.5f), {0, 0}), f32_bits(16383));
    assert_int_equal(FIRST(wgmma, &plain, f32_bits(16383), {16384, 1}), f32_bits(32766));
}

/* mma.sync sums 16 products of fp8 at a time, in order of k; wgmma all 32 at once. */
static void tile_mma_of_fp8_by_mma_sums_sixteen_at_a_time(void **state)
{
    (void)state;
    struct factors pair[32] = {{32768, 32768}, {-32768, 32768}, [31] = {1, 1}};
    assert_int_equal(first("mma.m16n8k32.f32.e5m2.e5m2", &plain, 0, 32, pair), f32_bits(1));
    assert_int_equal(first("wgmma.m64n8k32.f32.e5m2.e5m2.rs", &plain, 0, 32, pair), 0);
    pair[15] = (struct factors){1, 1};
    assert_int_equal(first("mma.m16n8k32.f32.e5m2.e5m2", &plain, 0, 32, pair), f32_bits(1));
    assert_int_equal(first("mma.m16n8k16.f32.e5m2.e5m2", &plain, 0, 16, pair), 0);
}

static void tile_mma_with_f16_result_rounds_to_nearest_even(void **state)
{
    (void)state;
    static const char *const names[] = {"wgmma.m64n8k16.f16.f16.f16.rs", "mma.m16n8k8.f16.f16.f16",
                                        "mma.m16n8k16.f16.f16.f16"};
    for (size_t i = 0; i < 3; i++) {
        const uint32_t nothing = 0;
        assert_int_equal(FIRST(names[i], &plain, nothing, {2048, 1}, {1, 1}), f16_encode(2048).bits);
        assert_int_equal(FIRST(names[i], &plain, nothing, {2050, 1}, {1, 1}), f16_encode(2052).bits);
        assert_int_equal(FIRST(names[i], &plain, nothing, {2048, 1}, {1, 1.5}), f16_encode(2050).bits);
        assert_int_equal(FIRST(names[i], &plain, f16_encode(2049).bits, {0, 0}), f16_encode(2048).bits);
        assert_int_equal(FIRST(names[i], &plain, nothing, {65504, 1}, {15.5, 1}), 0x7bff);
        assert_int_equal(FIRST(names[i], &plain, nothing, {65504, 1}, {16, 1}), 0x7c00);
        assert_int_equal(FIRST(names[i], &plain, nothing, {-65504, 2}), 0xfc00);
        assert_int_equal(FIRST(names[i], &plain, 0x8000, {0, -1}), 0);
        assert_int_equal(FIRST(names[i], &plain, 0x7c00, {-65504, 65504}), 0x7c00);
        assert_int_equal(FIRST(names[i], &plain, 0xfc01, {1, 1}), 0x7fff);
    }
}

static void tile_mma_with_f32_result_cuts_toward_zero(void **state)
{
    (void)state;
    static const char *const names[] = {"wgmma.m64n8k8.f32.tf32.tf32.rs", "wgmma.m64n8k16.f32.f16.f16.ss",
                                        "mma.m16n8k8.f32.f16.f16", "mma.m16n8k16.f32.bf16.bf16",
                                        "mma.m16n8k4.f32.tf32.tf32"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const float big = 0x1p23f;
        assert_int_equal(FIRST(names[i], &plain, f32_bits(big), {1, 0.5}), f32_bits(big));
        assert_int_equal(FIRST(names[i], &plain, f32_bits(big), {1, 0.5}, {1, 0.5}), f32_bits(big + 1));
        assert_int_equal(FIRST(names[i], &plain, f32_bits(-big), {-1, 0.75}), f32_bits(-big));
        assert_int_equal(FIRST(names[i], &plain, f32_bits(big), {1, 0.125}, {1, 0.875}), f32_bits(big));
        assert_int_equal(FIRST(names[i], &plain, 0x7f800000, {-1, 1}), 0x7f800000);
        assert_int_equal(FIRST(names[i], &plain, 0xffffffff, {-1, 1}), 0x7fffffff);
        assert_int_equal(FIRST(names[i], &plain, 0x80000000, {0, 0}), 0);
    }
}

/* A NaN stays one, Inf changes its sign, and a NaN of C has no say where C takes no part. */
static void tile_mma_negates_special_values(void **state)
{
    (void)state;
    static const char *const names[] = {"wgmma.m64n8k16.f32.f16.f16.rs", "wgmma.m64n8k16.f32.bf16.bf16.rs"};
    const struct tile_options negate_a = {.negate_a = true}, negate_b = {.negate_b = true},
                              both = {.negate_a = true, .negate_b = true},
                              alone = {.without_c = true, .negate_a = true};
    for (size_t i = 0; i < 2; i++) {
        const char *const name = names[i];
        assert_int_equal(FIRST(name, &plain, 0, {INFINITY, 2}), 0x7f800000);
        assert_int_equal(FIRST(name, &negate_a, 0, {INFINITY, 2}), 0xff800000);
        assert_int_equal(FIRST(name, &negate_b, 0, {INFINITY, 2}), 0xff800000);
        assert_int_equal(FIRST(name, &both, 0, {INFINITY, 2}), 0x7f800000);
        assert_int_equal(FIRST(name, &negate_a, 0, {NAN, 2}), 0x7fffffff);
        assert_int_equal(FIRST(name, &negate_a, f32_bits(3), {1, 2}), f32_bits(1));
        assert_int_equal(FIRST(name, &negate_a, 0x7f800000, {INFINITY, 2}), 0x7fffffff);
        assert_int_equal(FIRST(name, &alone, 0x7fc00000, {1, 2}), f32_bits(-2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tile_op_parse_says_what_an_operation_computes),
        cmocka_unit_test(tile_op_parse_of_no_operation_says_what_to_write),
        cmocka_unit_test(tile_check_options_takes_what_the_instruction_takes),
        cmocka_unit_test(tile_sum_is_approximate_where_nothing_was_measured),
        cmocka_unit_test(tile_mma_of_whole_numbers_is_their_sum),
        cmocka_unit_test(tile_mma_of_integers_wraps_or_saturates_at_both_ends),
        cmocka_unit_test(tile_mma_of_bf16_is_the_rule_in_big_integers),
        cmocka_unit_test(tile_mma_of_fp8_loses_what_lies_14_bits_below),
        cmocka_unit_test(tile_mma_of_fp8_by_mma_sums_sixteen_at_a_time),
        cmocka_unit_test(tile_mma_with_f16_result_rounds_to_nearest_even),
        cmocka_unit_test(tile_mma_with_f32_result_cuts_toward_zero),
        cmocka_unit_test(tile_mma_negates_special_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
