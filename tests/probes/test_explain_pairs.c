#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "reference/mxfp4.h"
#include "tests/probes/explain_cases.h"
#include "tests/support/alloc.h"

static const uint32_t starts[] = {0, 19};
static const int32_t ids[] = {0};
static const struct segments segments = {19, 1, 1, starts, ids};
enum { N = 32, K = 64, PLANES = 16, FIRST_SPECIAL = 29 };

/* Rows 29 to 31 hold what is not finite: one block of NaN, one infinity each of 253 and 254; all else fits bf16. */
static uint32_t pair_code(const struct source_map *m, size_t plane, struct source_point v)
{
    (void)m;
    if (v.n > FIRST_SPECIAL)
        return v.k == 5 ? (v.n == 30 ? 7 : 13) : 1;
    return (uint32_t)(v.k + v.n * 7 + plane) % 16;
}

static uint32_t pair_scale(const struct source_map *m, size_t plane, struct source_point s, bool no_scales)
{
    (void)m;
    (void)no_scales;
    if (s.n >= FIRST_SPECIAL)
        return s.k ? 127 : s.n == 29 ? 255 : s.n == 30 ? 253 : 254;
    return (uint32_t)(s.n + s.k * 29 + plane * 16) % 253;
}

typedef float decode_function(uint32_t code, uint32_t scale, uint32_t n, uint32_t k);

static float right(uint32_t code, uint32_t scale, uint32_t n, uint32_t k)
{
    (void)n, (void)k;
    return bf16_decode(mxfp4_decode((struct fp4){(uint8_t)code}, (struct e8m0){(uint8_t)scale}));
}
static float overflows(uint32_t code, uint32_t scale, uint32_t n, uint32_t k)
{
    if (scale < 129 || scale == 255)
        return right(code, scale, n, k);
    return code % 8 == 0 ? NAN : code < 8 ? INFINITY : -INFINITY;
}
static float flushes(uint32_t code, uint32_t scale, uint32_t n, uint32_t k)
{
    return code % 8 == 1 ? 0 : right(code, scale, n, k);
}
static float loses_sign(uint32_t code, uint32_t scale, uint32_t n, uint32_t k)
{
    float x = right(code, scale, n, k);
    return n % 16 >= 8 && k % 16 >= 8 ? fabsf(x) : x;
}
static float negates(uint32_t code, uint32_t scale, uint32_t n, uint32_t k)
{
    return -right(code, scale, n, k);
}
static float negates_some(uint32_t code, uint32_t scale, uint32_t n, uint32_t k)
{
    return n % 16 >= 8 && k >= 32 ? -right(code, scale, n, k) : right(code, scale, n, k);
}
static float zero_is_zero(uint32_t code, uint32_t scale, uint32_t n, uint32_t k)
{
    return scale == 0 ? 0 : right(code, scale, n, k);
}
static float twice(uint32_t code, uint32_t scale, uint32_t n, uint32_t k)
{
    float x = right(code, scale, n, k);
    return code % 8 == 3 && isfinite(x) && scale < 250 ? 2 * x : x;
}

/* One row of A times one 1, as the tensor core does it: zero times no finite number is NaN. */
static struct bf16 product(const struct source_map *m, size_t plane, uint32_t n, uint32_t k, decode_function *decode,
                           bool clamp)
{
    float sum = 0;
    for (uint32_t j = 0; j < K; j++) {
        struct source_point v = {0, n, j}, s = {0, n, j / 32};
        sum += decode(pair_code(m, plane, v), pair_scale(m, plane, s, false), n, j) * (j == k ? 1.0F : 0.0F);
    }
    struct bf16 out = bf16_encode(sum);
    if (clamp && isnan(sum))
        out.bits = 0;
    else if (clamp && isinf(sum))
        out.bits = (uint16_t)((out.bits & BF16_SIGN) | (BF16_EXPONENT - 1));
    return out;
}

struct pair_case {
    const char *name;
    decode_function *decode;
    bool clamp;
    enum explain_stage stage; /* EXPLAIN_STAGES: none */
    const char *says[2];
};

static void explain_pair(const struct pair_case *c)
{
    struct source_map m;
    struct explanation x;
    case_make(&(struct synthetic_kernel){0}, &segments, N, K, &m);
    size_t each = source_map_observations(&m);
    struct bf16 *out = malloc(PLANES * each * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < PLANES * each; i++)
        out[i] = product(&m, i / each, (uint32_t)(i % N), m.column[i % each / N], c->decode, c->clamp);
    struct explain_question q = case_question(&m);
    q.pairs = (struct explain_pairs){PLANES, out, pair_code, pair_scale, false};
    assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
    size_t wrong = 0;
    for (size_t i = 0; i < PLANES * each; i++) {
        struct bf16 want = product(&m, i / each, (uint32_t)(i % N), m.column[i % each / N], right, false);
        wrong += out[i].bits != want.bits;
    }
    size_t said_wrong = 0, said_explained = 0;
    for (int g = 0; g < EXPLAIN_ARITHMETIC; g++) {
        said_wrong += x.part[g].wrong;
        said_explained += x.part[g].explained;
        if (x.part[g].state != (g == (int)c->stage ? EXPLAIN_DIFFERS : EXPLAIN_CONFORMS))
            case_print(c->name, &x);
        assert_int_equal(x.part[g].state, g == (int)c->stage ? EXPLAIN_DIFFERS : EXPLAIN_CONFORMS);
    }
    assert_int_equal(said_wrong, wrong);
    assert_int_equal(said_explained, wrong);
    assert_true((wrong > 0) == (c->stage != EXPLAIN_STAGES));
    for (int i = 0; i < 2 && c->says[i]; i++)
        if (!strstr(x.part[c->stage].what, c->says[i]))
            fail_msg("%s: \"%s\" is not in: %s", c->name, c->says[i], x.part[c->stage].what);
    explanation_free(&x);
    free(out);
    source_map_free(&m);
}

static void explain_run_wrong_pairs_described(void **state)
{
    (void)state;
    static const struct pair_case cases[] = {
        {"right", right, false, EXPLAIN_STAGES, {NULL, NULL}},
        {"overflow", overflows, false, EXPLAIN_SCALES, {"NaN where greatest scale of the row >= 129", NULL}},
        {"flush", flushes, false, EXPLAIN_VALUES, {"(code & 7) == 1", NULL}},
        {"sign", loses_sign, false, EXPLAIN_VALUES, {"without its sign where", "k % 16 >= 8"}},
        {"negated", negates, false, EXPLAIN_VALUES, {"negated where everywhere", "or the arithmetic"}},
        {"negated in part", negates_some, false, EXPLAIN_VALUES, {"negated where", "k >= 32"}},
        {"scale 0", zero_is_zero, false, EXPLAIN_SCALES, {"zero where scale == 0", NULL}},
        {"twice", twice, false, EXPLAIN_VALUES, {"(code & 7) == 3", NULL}},
        {"clamp", right, true, EXPLAIN_EPILOGUE, {"largest", "zero where"}},
    };
    size_t ran = 0;
    for (; ran < sizeof cases / sizeof *cases; ran++)
        explain_pair(&cases[ran]);
    assert_true(ran > 0);
}

/* Tables in every stage, a hole, and pairs. */
static void swizzled(uint32_t at[2], const struct synthetic_kernel *c)
{
    (void)c;
    at[0] ^= ((at[1] + 1) % 8 ^ at[1] % 8) * 8;
}
static void exchanged(uint32_t at[2], const struct synthetic_kernel *c)
{
    (void)c;
    at[1] ^= at[0] % 3 == 1;
}
static void mirrored(uint32_t at[2], const struct synthetic_kernel *c)
{
    (void)c;
    at[0] = at[1] - 1 - at[0];
}
static bool odd(uint32_t p, uint32_t n, uint32_t k, const struct source_map *m)
{
    (void)p, (void)k, (void)m;
    return n % 2;
}

struct asked {
    struct explain_question q;
    struct explanation x;
};
static enum status ask(void *context, struct error *e)
{
    struct asked *a = context;
    return explain_run(&a->q, &a->x, e);
}
static void untouched(void *context)
{
    struct asked *a = context;
    assert_int_equal(a->x.observations, 0);
}

static void explain_run_without_memory_says_so(void **state)
{
    (void)state;
    struct synthetic_kernel kernel = {
        .descriptor = swizzled, .values = exchanged, .scales = exchanged, .rows = mirrored, .zero = odd};
    struct source_map m;
    case_make(&kernel, &segments, N, K, &m);
    size_t each = source_map_observations(&m);
    struct bf16 *out = calloc(each, sizeof *out);
    assert_non_null(out);
    struct asked a = {.q = case_question(&m)};
    a.q.pairs = (struct explain_pairs){1, out, pair_code, pair_scale, false};
    long live = alloc_live();
    assert_true(alloc_check(ask, untouched, &a) > 20);
    explanation_free(&a.x);
    assert_int_equal(alloc_live(), live);
    free(out);
    source_map_free(&m);
}

static void explain_run_right_sources_wrong_specials_scales_or_values(void **state)
{
    (void)state;
    static const struct {
        size_t differing, nan_is_infinite, dense;
        enum explain_registers registers;
        int stage; /* -1: none is blamed for them */
    } cases[] = {{0, 0, 0, EXPLAIN_A_UNKNOWN, -1},
                 {7, 7, 0, EXPLAIN_A_UNKNOWN, EXPLAIN_SCALES},
                 {7, 6, 0, EXPLAIN_A_UNKNOWN, EXPLAIN_VALUES},
                 {7, 7, 0, EXPLAIN_A_RIGHT, EXPLAIN_EPILOGUE},
                 {7, 7, 3, EXPLAIN_A_UNKNOWN, -1}}; /* sums are wrong anyway */
    const struct synthetic_kernel kernel = {0};
    struct source_map m;
    case_make(&kernel, &segments, N, K, &m);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct explanation x;
        struct explain_question q = case_question(&m);
        q.dense_count = q.special_count = 100;
        q.dense_differing = cases[i].dense;
        q.special_differing = cases[i].differing;
        q.special_nan_is_infinite = cases[i].nan_is_infinite;
        q.registers = cases[i].registers;
        assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
        for (int g = 0; g < EXPLAIN_ARITHMETIC; g++)
            assert_int_equal(x.part[g].state, g == cases[i].stage ? EXPLAIN_DIFFERS : EXPLAIN_CONFORMS);
        if (cases[i].stage >= 0)
            assert_int_equal(x.part[cases[i].stage].wrong, cases[i].differing);
        explanation_free(&x);
    }
    source_map_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(explain_run_wrong_pairs_described),
                                       cmocka_unit_test(explain_run_right_sources_wrong_specials_scales_or_values),
                                       cmocka_unit_test(explain_run_without_memory_says_so)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
