#include "probes/score.h"

#include "probes/weights.h"
#include "reference/mxfp4.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const float nan_value = (float)NAN, inf = (float)INFINITY;

static void encode(const float *in, size_t n, struct bf16 *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = bf16_encode(in[i]);
        assert_true(isnan(in[i]) || bf16_decode(out[i]) == in[i]); /* the examples mean what they say */
    }
}

enum { EXAMPLE_MAX = 64 };

static struct score score_of(size_t P, size_t N, const float *output, const float *expected)
{
    struct bf16 o[EXAMPLE_MAX], r[EXAMPLE_MAX];
    struct score s;
    struct error e;
    assert_in_range(P * N, 1, EXAMPLE_MAX);
    encode(output, P * N, o);
    encode(expected, P * N, r);
    assert_int_equal(score_make(o, r, P, N, &s, &e), STATUS_OK);
    return s;
}

#define SCORE(P, N, output, expected) score_of(P, N, (const float[])output, (const float[])expected)
#define ROW(...)                                                                                                       \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static void assert_hits(struct hits h, uint64_t hits, uint64_t of)
{
    assert_int_equal(h.hits, hits);
    assert_int_equal(h.of, of);
}

static void score_make_one_wrong_element_gives_hand_computed_fields(void **state)
{
    (void)state;
    struct score s = SCORE(2, 2, ROW(1, 2, 3, 4), ROW(1, 2, 3, 5));
    assert_true(s.max_abs == 1 && s.mean_abs == 0.25 && fabs(s.rel_fro - 1 / sqrt(39)) < 1e-15);
    assert_true(s.sum_abs == 1 && s.sum_sq_error == 1 && s.sum_sq_expected == 39);
    assert_int_equal(s.differing, 1);
    assert_int_equal(s.compared, 4);
    assert_int_equal(s.first_differing, 3);
    assert_hits(s.row_exact, 1, 2);
    assert_hits(s.col_exact, 1, 2);
    assert_hits(s.row_identity, 2, 2); /* 1 against 8 */
    assert_hits(s.col_identity, 2, 2); /* 1 against 2 */
}

static void score_make_equal_matrices_give_no_error(void **state)
{
    (void)state;
    struct score s = SCORE(1, 3, ROW(1, -2, 3), ROW(1, -2, 3));
    assert_true(s.max_abs == 0 && s.mean_abs == 0 && s.rel_fro == 0);
    assert_true(s.differing == 0 && s.first_differing == UINT64_MAX);
    assert_hits(s.row_exact, 1, 1);
    assert_hits(s.col_exact, 3, 3);
    assert_hits(s.unwritten, 0, 0);
}

static void score_make_swapped_columns_miss_columns_only(void **state)
{
    (void)state;
    struct score s = SCORE(2, 3, ROW(1, 8, 3, 9, 4, 6), ROW(8, 1, 3, 4, 9, 6));
    assert_hits(s.col_exact, 1, 3);
    assert_hits(s.col_identity, 1, 3);
    assert_hits(s.row_exact, 0, 2);
    assert_true(s.max_abs == 7 && s.sum_abs == 24 && s.first_differing == 0);
    /* Row 0: 49+49 = 98 to its own; (1-4)^2 + (8-9)^2 + 9 = 19 to the other. Row 1 likewise. */
    assert_hits(s.row_identity, 0, 2);
}

static void score_make_zeros_follow_the_definition(void **state)
{
    (void)state;
    struct score both = SCORE(1, 2, ROW(0, 0), ROW(0, 0)), output = SCORE(1, 2, ROW(0, 3), ROW(0, 0));
    assert_true(both.rel_fro == 0 && both.max_abs == 0);
    assert_true(isinf(output.rel_fro) && output.max_abs == 3 && output.mean_abs == 1.5);
    /* The wrong sign of a zero is no error, but it is a difference. */
    struct score sign = SCORE(1, 2, ROW(-0.0f, 1), ROW(0, 1));
    assert_true(sign.rel_fro == 0 && sign.max_abs == 0 && sign.differing == 1);
    assert_hits(sign.row_exact, 0, 1);
    assert_hits(sign.row_identity, 1, 1);
    assert_hits(sign.col_exact, 1, 2);
}

static void score_make_nan_against_nan_is_equal(void **state)
{
    (void)state;
    struct bf16 o[2] = {{0x7fc1}, {0x3f80}}, r[2] = {{BF16_NAN}, {0x4000}};
    struct score s;
    assert_int_equal(score_make(o, r, 1, 2, &s, NULL), STATUS_OK);
    assert_true(s.differing == 1 && s.first_differing == 1 && s.max_abs == 1 && s.mean_abs == 0.5);
    assert_true(s.rel_fro == 0.5); /* the NaN takes no part in |R| */
    assert_hits(s.col_exact, 1, 2);
    assert_hits(s.row_identity, 1, 1);
}

static void score_make_unexpected_nan_is_infinite_and_no_hit(void **state)
{
    (void)state;
    /* Every other row is infinitely far as well, so that nearness alone would call row 0 a hit. */
    struct score s = SCORE(2, 2, ROW(nan_value, 2, 3, 4), ROW(1, 2, 3, 4));
    assert_true(isinf(s.max_abs) && isinf(s.mean_abs) && isinf(s.rel_fro));
    assert_hits(s.row_identity, 1, 2);
    assert_hits(s.col_identity, 1, 2);
    assert_int_equal(s.differing, 1);
    /* In a row whose own NaN is expected, another one is still unexpected. */
    s = SCORE(1, 3, ROW(nan_value, nan_value, 3), ROW(nan_value, 2, 3));
    assert_hits(s.row_identity, 0, 1);
    /* A missing NaN makes the distance infinite, and a finite row is then nearer. */
    s = SCORE(2, 1, ROW(1, 9), ROW(nan_value, 9));
    assert_hits(s.row_identity, 1, 2);
    assert_true(isinf(s.max_abs));
}

static void score_make_infinities_follow_the_definition(void **state)
{
    (void)state;
    struct score s = SCORE(1, 3, ROW(inf, -inf, 1), ROW(inf, -inf, 2));
    assert_true(s.max_abs == 1 && s.differing == 1 && s.rel_fro == 0.5);
    assert_hits(s.row_identity, 1, 1);
    s = SCORE(1, 1, ROW(inf), ROW(-inf));
    assert_true(isinf(s.max_abs) && s.differing == 1);
    s = SCORE(1, 1, ROW(inf), ROW(0x1p127f));
    assert_true(isinf(s.max_abs) && isinf(s.mean_abs) && isinf(s.rel_fro));
    s = SCORE(1, 1, ROW(inf), ROW(nan_value));
    assert_true(isinf(s.max_abs));
    /* Row 0 expects Inf and gives row 1's values; row 1 is itself. */
    s = SCORE(2, 2, ROW(1, 2, 1, 3), ROW(inf, 2, 1, 3));
    assert_hits(s.row_identity, 1, 2);
    /* Inf where Inf is expected, and a search among rows that all hold it there. */
    s = SCORE(2, 3, ROW(inf, 5, 5, inf, 7, 7), ROW(inf, 7, 6, inf, 5, 6));
    assert_hits(s.row_identity, 0, 2); /* 5 against 1 */
    assert_true(s.max_abs == 2);
}

static void score_make_largest_finite_difference_stays_finite(void **state)
{
    (void)state;
    struct bf16 o[1] = {{0x7f7f}}, r[1] = {{0xff7f}};
    struct score s;
    assert_int_equal(score_make(o, r, 1, 1, &s, NULL), STATUS_OK);
    assert_true(s.max_abs == 2 * (double)bf16_decode(o[0]) && s.rel_fro == 2);
}

static void score_make_tie_is_a_hit(void **state)
{
    (void)state;
    assert_hits(SCORE(2, 1, ROW(2, 4), ROW(1, 3)).row_identity, 2, 2);     /* 2 lies between 1 and 3 */
    assert_hits(SCORE(2, 1, ROW(2.25f, 4), ROW(1, 3)).row_identity, 1, 2); /* and 2.25 does not */
}

static void score_make_more_right_elements_may_score_less(void **state)
{
    (void)state;
    /* No element of row 0 is right and it is a hit; one is right and it is none. Nothing may be searched by this score.
     */
    struct score none = SCORE(2, 2, ROW(1, 1, 4, 4), ROW(0, 0, 4, 4));
    struct score one = SCORE(2, 2, ROW(0, 9, 4, 4), ROW(0, 0, 4, 4));
    assert_int_equal(none.differing, 2);
    assert_int_equal(one.differing, 1);
    assert_hits(none.row_identity, 2, 2);
    assert_hits(one.row_identity, 1, 2); /* 81 against 16 + 25 */
}

static void score_make_tie_beyond_binary64_is_decided_exactly(void **state)
{
    (void)state;
    /* 2^120 + 2^-40 (own) against 2^120: binary64 cannot tell, the definition can. */
    struct score s = SCORE(2, 2, ROW(0, 0, 7, 7), ROW(0x1p60f, 0x1p-20f, -0x1p60f, 0));
    assert_hits(s.row_identity, 0, 2);
    /* The other way round, and equal: no row is strictly nearer. */
    s = SCORE(2, 2, ROW(0, 0, -0x1p60f, 0x1p-20f), ROW(0x1p60f, 0, -0x1p60f, 0x1p-20f));
    assert_hits(s.row_identity, 2, 2);
    s = SCORE(2, 2, ROW(0, 0, -0x1p60f, 0x1p-20f), ROW(0x1p60f, 0x1p-20f, -0x1p60f, 0x1p-20f));
    assert_hits(s.row_identity, 2, 2);
    /* The same squares in another order, whose sums round apart: 1 and many halves of its last place. */
    float o[2 * 17] = {0}, r[2 * 17];
    for (size_t i = 0; i < 17; i++) {
        r[i] = i == 16 ? 1 : 0x1p-27f;
        r[17 + i] = o[17 + i] = i == 0 ? -1 : -0x1p-27f;
    }
    assert_hits(score_of(2, 17, o, r).row_identity, 2, 2);
    for (size_t i = 0; i < 17; i++) {
        float t = r[i];
        r[i] = -r[17 + i];
        r[17 + i] = o[17 + i] = -t;
    }
    assert_hits(score_of(2, 17, o, r).row_identity, 2, 2);
    /* Subnormals: 2^-133 is the smallest step there is. */
    s = SCORE(2, 2, ROW(0, 0, 1, 1), ROW(1, 0x1p-133f, -1, 0));
    assert_hits(s.row_identity, 0, 2);
    /* A subnormal has the exponent of the smallest normal: four times the square of 2^-127 is that of 2^-126. */
    s = SCORE(2, 4, ROW(0, 0, 0, 0, 0x1p-127f, 0x1p-127f, 0x1p-127f, 0x1p-127f),
              ROW(0x1p-126f, 0, 0, 0, 0x1p-127f, 0x1p-127f, 0x1p-127f, 0x1p-127f));
    assert_hits(s.row_identity, 2, 2);
    s = SCORE(2, 4, ROW(0, 0, 0, 0, 0x1p-126f, 0, 0, 0),
              ROW(0x1p-127f, 0x1p-127f, 0x1p-127f, 0x1p-127f, 0x1p-126f, 0, 0, 0));
    assert_hits(s.row_identity, 2, 2);
}

/* The definition, written down again for small integers, where every sum is exact. */
static uint64_t count_nearest(const int *o, const int *r, size_t lines, size_t length, size_t line, size_t element)
{
    uint64_t hits = 0;
    for (size_t i = 0; i < lines; i++) {
        long own = 0, best = LONG_MAX;
        for (size_t j = 0; j < lines; j++) {
            long sum = 0;
            for (size_t k = 0; k < length; k++) {
                long d = o[i * line + k * element] - r[j * line + k * element];
                sum += d * d;
            }
            best = sum < best ? sum : best;
            own = i == j ? sum : own;
        }
        hits += own == best;
    }
    return hits;
}

static void score_make_small_integers_agree_with_the_definition(void **state)
{
    (void)state;
    struct random random = {20};
    size_t between = 0;
    for (int round = 0; round < 300; round++) {
        size_t P = 1 + random_below(&random, 12), N = 1 + random_below(&random, 40);
        uint32_t range = 2 + random_below(&random, 5);
        int o[12 * 40], r[12 * 40];
        struct bf16 ob[12 * 40], rb[12 * 40];
        for (size_t i = 0; i < P * N; i++) {
            r[i] = (int)random_below(&random, range);
            o[i] = random_below(&random, 3) ? r[i] : (int)random_below(&random, range);
            ob[i] = bf16_encode((float)o[i]);
            rb[i] = bf16_encode((float)r[i]);
        }
        struct score s;
        assert_int_equal(score_make(ob, rb, P, N, &s, NULL), STATUS_OK);
        assert_hits(s.row_identity, count_nearest(o, r, P, N, N, 1), P);
        assert_hits(s.col_identity, count_nearest(o, r, N, P, 1, N), N);
        between += s.col_identity.hits > 0 && s.col_identity.hits < N;
    }
    assert_true(between > 100); /* the rounds did reach both answers */
}

static void score_make_empty_matrix_is_refused(void **state)
{
    (void)state;
    struct bf16 x = {0};
    struct score s = {.compared = 99};
    struct error e;
    assert_int_equal(score_make(&x, &x, 0, 1, &s, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(score_make(&x, &x, 1, 0, &s, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(score_make(&x, &x, SIZE_MAX, 2, &s, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(s.compared, 99);
}

static void score_unwritten_counts_only_where_both_poisons_survive(void **state)
{
    (void)state;
    struct bf16 pa = {0x7fa5}, pb = {0xffda};
    struct bf16 a[5] = {{0x7fa5}, {0x7fa5}, {1}, {0xffda}, {0x7fa5}};
    struct bf16 b[5] = {{0xffda}, {1}, {0xffda}, {0x7fa5}, {0xffda}};
    struct score s = {.unwritten = {9, 9}};
    score_unwritten(a, pa, b, pb, 5, &s);
    assert_hits(s.unwritten, 2, 5);
}

static void score_add_passes_are_summed_and_means_made_anew(void **state)
{
    (void)state;
    struct score total = {.first_differing = UINT64_MAX};
    struct score clean = SCORE(1, 2, ROW(3, 4), ROW(3, 4)), wrong = SCORE(2, 2, ROW(1, 0, 0, 5), ROW(1, 0, 0, 0));
    score_add(&total, &clean);
    assert_true(total.rel_fro == 0 && total.first_differing == UINT64_MAX);
    wrong.unwritten = (struct hits){1, 4};
    score_add(&total, &wrong);
    assert_true(total.max_abs == 5 && total.mean_abs == 5.0 / 6 && fabs(total.rel_fro - 5 / sqrt(26)) < 1e-15);
    assert_hits(total.row_exact, 2, 3);
    assert_hits(total.col_exact, 3, 4);
    assert_hits(total.row_identity, 3, 3); /* (0,5) is 25 from (0,0), 26 from (1,0) */
    assert_hits(total.col_identity, 4, 4);
    assert_hits(total.unwritten, 1, 4);
    assert_int_equal(total.differing, 1);
    assert_int_equal(total.compared, 6);
    assert_int_equal(total.first_differing, 3); /* within the first pass that differs */
    wrong.first_differing = 0;
    score_add(&total, &wrong);
    assert_int_equal(total.first_differing, 3);
}

static void score_distances_hand_computed_rows_and_columns(void **state)
{
    (void)state;
    const float of[6] = {0, 0, 1, 3, 4, nan_value}, rf[6] = {0, 0, 1, 0, 0, nan_value};
    struct bf16 o[6], r[6];
    encode(of, 6, o);
    encode(rf, 6, r);
    float rows[4], columns[9];
    score_distances(o, r, 2, 3, 0, rows);
    assert_true(rows[0] == 0 && isinf(rows[1]) && isinf(rows[2]) && rows[3] == 5);
    score_distances(o, r, 2, 3, 1, columns);
    const float expected[9] = {3, 3, inf, 4, 4, inf, inf, inf, 0};
    for (size_t i = 0; i < 9; i++)
        assert_true(columns[i] == expected[i]);
}

static void score_distances_more_lines_than_a_group_are_all_there(void **state)
{
    (void)state;
    enum { N = 150 };
    struct bf16 o[N], r[N];
    for (size_t i = 0; i < N; i++)
        o[i] = r[i] = bf16_encode((float)i);
    float *d = malloc(N * N * sizeof *d);
    score_distances(o, r, N, 1, 0, d);
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++)
            assert_true(d[i * N + j] == fabsf((float)i - (float)j));
    }
    score_distances(o, r, 1, N, 1, d);
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++)
            assert_true(d[i * N + j] == fabsf((float)i - (float)j));
    }
    free(d);
}

static void score_errors_follow_the_element_rules(void **state)
{
    (void)state;
    const float of[6] = {1, inf, inf, nan_value, nan_value, -2}, rf[6] = {1, inf, -inf, nan_value, 0, 2};
    const float expected[6] = {0, 0, inf, 0, inf, 4};
    struct bf16 o[6], r[6];
    float got[6];
    encode(of, 6, o);
    encode(rf, 6, r);
    score_errors(o, r, 2, 3, got);
    for (size_t i = 0; i < 6; i++)
        assert_true(got[i] == expected[i]);
}

/* The historical case without a kernel: x = [I_32 | 0] makes output row p column p of W, so a wrong pack order shows as
 * W with elements exchanged inside each fragment. */
enum { SEED_P = 32, SEED_N = 128, SEED_K = 128 };
static const int contract_order[8] = {0, 1, 4, 5, 2, 3, 6, 7};
static const int f01[8] = {0, 4, 1, 5, 3, 7, 6, 2}, f02[8] = {0, 1, 2, 3, 4, 5, 6, 7},
                 f03[8] = {0, 4, 1, 5, 3, 7, 2, 6}, f04[8] = {0, 4, 1, 5, 2, 6, 3, 7};
static const int *const wrong_orders[4] = {f01, f02, f03, f04};

/* Element v of the eight of lane 4g+q in a 16 x 16 tile: v00..v03 are row g, v04..v07 row g+8. */
static size_t element(size_t tile_row, size_t tile_column, size_t lane, int v)
{
    size_t row = tile_row + lane / 4 + (v >= 4 ? 8 : 0), j = (size_t)v % 4;
    return row * SEED_K + tile_column + lane % 4 * 2 + (j & 1) + (j & 2) * 4;
}

static struct score score_of_order(const struct bf16 *w, const int *order)
{
    static struct bf16 wrong[SEED_N * SEED_K], o[SEED_P * SEED_N], r[SEED_P * SEED_N];
    for (size_t m = 0; m < SEED_N; m += 16) {
        for (size_t k = 0; k < SEED_K; k += 16) {
            for (size_t i = 0; i < 32 * 8; i++)
                wrong[element(m, k, i / 8, contract_order[i % 8])] = w[element(m, k, i / 8, order[i % 8])];
        }
    }
    for (size_t p = 0; p < SEED_P; p++) {
        for (size_t n = 0; n < SEED_N; n++) {
            o[p * SEED_N + n] = wrong[n * SEED_K + p];
            r[p * SEED_N + n] = w[n * SEED_K + p];
        }
    }
    struct score s;
    assert_int_equal(score_make(o, r, SEED_P, SEED_N, &s, NULL), STATUS_OK);
    return s;
}

/* Weights as trained ones are: values near a bell curve, so that the scales of all blocks are much alike. */
static void make_bell(struct random *random, struct bf16 *w)
{
    for (size_t i = 0; i < SEED_N * SEED_K; i += MXFP4_BLOCK) {
        float value[MXFP4_BLOCK];
        uint8_t code[MXFP4_BLOCK_BYTES];
        struct e8m0 scale;
        for (size_t j = 0; j < MXFP4_BLOCK; j++) {
            double sum = 0;
            for (int t = 0; t < 12; t++)
                sum += random_unit(random);
            value[j] = (float)((sum - 6) * 0.02);
        }
        assert_int_equal(mxfp4_encode_block(value, code, &scale, NULL), STATUS_OK);
        mxfp4_decode_block(code, scale, w + i);
    }
}

static void score_make_contract_order_is_exact(void **state)
{
    (void)state;
    struct bf16 w[SEED_N * SEED_K];
    struct random random = {1};
    make_bell(&random, w);
    struct score s = score_of_order(w, contract_order);
    assert_hits(s.row_exact, SEED_P, SEED_P);
    assert_hits(s.col_exact, SEED_N, SEED_N);
    assert_hits(s.row_identity, SEED_P, SEED_P);
    assert_int_equal(s.differing, 0);
}

static void score_make_wrong_orders_with_narrow_scales_score_full_rows_yet_none_is_exact(void **state)
{
    (void)state;
    enum { SETS = 20 };
    size_t full[4] = {0};
    struct bf16 *w = malloc(SEED_N * SEED_K * sizeof *w);
    for (uint64_t seed = 1; seed <= SETS; seed++) {
        struct random random = {seed};
        make_bell(&random, w);
        struct score right = score_of_order(w, contract_order), s[4];
        assert_hits(right.row_identity, SEED_P, SEED_P);
        for (size_t i = 0; i < 4; i++) {
            s[i] = score_of_order(w, wrong_orders[i]);
            assert_hits(s[i].row_exact, 0, SEED_P);
            assert_hits(s[i].col_exact, 0, SEED_N);
            full[i] += s[i].row_identity.hits == SEED_P;
        }
        /* What does follow the number of right slots (4, 4, 3 and 2 of 8) is the mean error. */
        assert_true(s[1].mean_abs < s[0].mean_abs && s[3].mean_abs < s[0].mean_abs && s[0].mean_abs < s[2].mean_abs);
    }
    /* The rows that F02 and F04 get half right are nearest to themselves, as the rows of the right order are: a score
     * of 32/32 says nothing about the order. F04 never misses one here, F02 in 17 of 20 sets. */
    assert_int_equal(full[3], SETS);
    assert_in_range(full[1], 15, SETS - 1);
    assert_int_equal(full[0] + full[2], 0);
    free(w);
}

static void score_make_wrong_orders_with_spread_scales_score_as_measured(void **state)
{
    (void)state;
    enum { SETS = 64 };
    double mean[4] = {0};
    struct bf16 *w = malloc(SEED_N * SEED_K * sizeof *w);
    for (uint64_t seed = 0; seed < SETS; seed++) {
        struct weights_set set;
        assert_int_equal(weights_make(WEIGHTS_RANDOM, 1, SEED_N, SEED_K, seed, &set, NULL), STATUS_OK);
        mxfp4_decode_matrix(set.blocks, set.scales, SEED_N, SEED_K, w);
        for (size_t i = 0; i < 4; i++) {
            struct score s = score_of_order(w, wrong_orders[i]);
            mean[i] += (double)s.row_identity.hits / SETS;
            assert_hits(s.row_exact, 0, SEED_P);
        }
        weights_free(&set);
    }
    /* F01 and F04 over many sets: 18.0 and 25.9, with 2.4 and 3.2 from set to set. */
    assert_true(fabs(mean[0] - 18.0) < 1.5 && fabs(mean[3] - 25.9) < 1.5);
    assert_true(mean[1] < SEED_P && mean[2] < SEED_P);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(score_make_one_wrong_element_gives_hand_computed_fields),
        cmocka_unit_test(score_make_equal_matrices_give_no_error),
        cmocka_unit_test(score_make_swapped_columns_miss_columns_only),
        cmocka_unit_test(score_make_zeros_follow_the_definition),
        cmocka_unit_test(score_make_nan_against_nan_is_equal),
        cmocka_unit_test(score_make_unexpected_nan_is_infinite_and_no_hit),
        cmocka_unit_test(score_make_infinities_follow_the_definition),
        cmocka_unit_test(score_make_largest_finite_difference_stays_finite),
        cmocka_unit_test(score_make_tie_is_a_hit),
        cmocka_unit_test(score_make_more_right_elements_may_score_less),
        cmocka_unit_test(score_make_tie_beyond_binary64_is_decided_exactly),
        cmocka_unit_test(score_make_small_integers_agree_with_the_definition),
        cmocka_unit_test(score_make_empty_matrix_is_refused),
        cmocka_unit_test(score_unwritten_counts_only_where_both_poisons_survive),
        cmocka_unit_test(score_add_passes_are_summed_and_means_made_anew),
        cmocka_unit_test(score_distances_hand_computed_rows_and_columns),
        cmocka_unit_test(score_distances_more_lines_than_a_group_are_all_there),
        cmocka_unit_test(score_errors_follow_the_element_rules),
        cmocka_unit_test(score_make_contract_order_is_exact),
        cmocka_unit_test(score_make_wrong_orders_with_narrow_scales_score_full_rows_yet_none_is_exact),
        cmocka_unit_test(score_make_wrong_orders_with_spread_scales_score_as_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
