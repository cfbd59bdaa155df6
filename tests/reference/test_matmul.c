#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "reference/exact.h"
#include "reference/matmul.h"
#include "reference/mxfp4.h"
#include "tests/support/splitmix.h"

enum { MAX_P = 40, MAX_N = 40, MAX_K = 192, MAX_E = 7, POISON = 0x5a5a };

static struct bf16 x[MAX_P * MAX_K], dense_w[MAX_N * MAX_K], got[MAX_P * MAX_N], want[MAX_P * MAX_N];
static uint8_t blocks[MAX_E * MAX_N * MAX_K / 2], scales[MAX_E * MAX_N * MAX_K / 32];

/* Activations with whole steps of zeros (of both signs); now and then a value that is not finite. */
static void draw_activations(struct splitmix *r, size_t count)
{
    uint64_t zero = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % 16 == 0)
            zero = splitmix_below(r, 3);
        float value = (float)splitmix_between(r, -999, 999) / 512.0f;
        x[i] = zero ? (struct bf16){(uint16_t)(splitmix_next(r) & 0x8000)} : bf16_encode(value);
        if (splitmix_below(r, 500) == 0)
            x[i].bits = splitmix_below(r, 2) ? 0x7f80 : 0xffc0;
    }
}

static void draw_weights(struct splitmix *r, size_t experts, size_t N, size_t K)
{
    for (size_t i = 0; i < experts * N * K / 2; i++)
        blocks[i] = (uint8_t)splitmix_next(r);
    for (size_t i = 0; i < experts * N * K / 32; i++) {
        static const uint8_t special[] = {255, 254, 253, 0};
        scales[i] = splitmix_below(r, 12) ? (uint8_t)splitmix_between(r, 117, 124) : special[splitmix_below(r, 4)];
    }
}

/* Every step of the sum by exact_step, none left out. */
static struct bf16 naive_dot(const struct bf16 *a, const struct bf16 *b, size_t K)
{
    float sum = 0.0f;
    for (size_t k = 0; k < K; k += 16)
        sum = exact_step(a + k, b + k, 16, sum, 25, -133);
    return bf16_encode(sum);
}

static void naive_grouped(const int32_t *expert_of_row, size_t P, size_t N, size_t K)
{
    for (size_t p = 0; p < P; p++)
        for (size_t n = 0; n < N; n++) {
            struct bf16 w[MAX_K];
            want[p * N + n].bits = 0;
            if (expert_of_row[p] < 0)
                continue;
            size_t row = (size_t)expert_of_row[p] * N + n;
            for (size_t k = 0; k < K; k++) {
                uint8_t byte = blocks[(row * K + k) / 2];
                struct fp4 code = {(uint8_t)(k % 2 ? byte >> 4 : byte & 15)};
                w[k] = mxfp4_decode(code, (struct e8m0){scales[(row * K + k) / 32]});
            }
            want[p * N + n] = naive_dot(x + p * K, w, K);
        }
}

static void compare(size_t P, size_t N, size_t K, const char *what)
{
    for (size_t i = 0; i < P * N; i++)
        if (got[i].bits != want[i].bits)
            fail_msg("%s, P %zu N %zu K %zu: element (%zu, %zu) is %04x, want %04x; repeat with FO_TEST_SEED=%llu",
                     what, P, N, K, i / N, i % N, got[i].bits, want[i].bits, (unsigned long long)splitmix_seed());
    for (size_t i = P * N; i < MAX_P * MAX_N; i++)
        if (got[i].bits != POISON)
            fail_msg("%s, P %zu N %zu K %zu: wrote beyond the output, at %zu", what, P, N, K, i);
}

static void poison(void)
{
    for (size_t i = 0; i < MAX_P * MAX_N; i++)
        got[i].bits = POISON;
}

static void matmul_dense_every_small_shape_matches_the_triple_loop(void **state)
{
    (void)state;
    static const size_t Ps[] = {0, 1, 3, 33}, Ns[] = {0, 1, 17, 40}, Ks[] = {0, 16, 48, 176};
    struct splitmix r = {splitmix_seed()};
    int cases = 0, nonzero = 0;
    for (size_t shape = 0; shape < 64; shape++, cases++) {
        size_t P = Ps[shape / 16], N = Ns[shape / 4 % 4], K = Ks[shape % 4];
        draw_activations(&r, P * K);
        for (size_t i = 0; i < N * K; i++) {
            dense_w[i] = bf16_encode((float)splitmix_between(&r, -999, 999) / 64.0f);
            if (splitmix_below(&r, 300) == 0)
                dense_w[i].bits = splitmix_below(&r, 2) ? 0xff80 : 0x7f81;
        }
        for (size_t i = 0; i < P * N; i++) {
            want[i] = naive_dot(x + i / N * K, dense_w + i % N * K, K);
            nonzero += want[i].bits != 0;
        }
        poison();
        assert_int_equal(matmul_dense(x, P, dense_w, N, K, got, NULL), STATUS_OK);
        compare(P, N, K, "dense");
    }
    assert_int_equal(cases, 64);
    assert_true(nonzero > 1000);
}

/* Zeros against NaN and Inf are NaN, in the one step where the weight stands. */
static void matmul_dense_zero_activations_do_not_hide_a_weight_that_is_not_finite(void **state)
{
    (void)state;
    enum { K = 64 };
    memset(x, 0, K * sizeof *x);
    for (int i = 0; i < K; i++) {
        static const uint16_t special[] = {0x7f80, 0xff80, 0x7fc0, 0x7f7f};
        for (int j = 0; j < 4; j++) {
            memset(dense_w, 0, K * sizeof *dense_w);
            dense_w[i].bits = special[j];
            poison();
            assert_int_equal(matmul_dense(x, 1, dense_w, 1, K, got, NULL), STATUS_OK);
            assert_int_equal(got[0].bits, j < 3 ? 0x7fff : 0);
        }
    }
}

static void matmul_dense_subnormal_activations_count(void **state)
{
    (void)state;
    memset(x, 0, 32 * sizeof *x);
    memset(dense_w, 0, 32 * sizeof *dense_w);
    x[20].bits = 0x8001;       /* -2^-133 */
    dense_w[20].bits = 0x7f00; /* 2^127 */
    poison();
    assert_int_equal(matmul_dense(x, 1, dense_w, 1, 32, got, NULL), STATUS_OK);
    assert_int_equal(got[0].bits, 0xbc80); /* -2^-6 */
}

static void matmul_dense_sum_of_negative_zeros_is_positive_zero(void **state)
{
    (void)state;
    for (int i = 0; i < 32; i++) {
        x[i].bits = 0x8000;
        dense_w[i].bits = BF16_ONE;
    }
    x[16].bits = 0x0001; /* a busy step whose result rounds away: 2^-133 * 2^-133 */
    dense_w[16].bits = 0x8001;
    poison();
    assert_int_equal(matmul_dense(x, 1, dense_w, 1, 32, got, NULL), STATUS_OK);
    assert_int_equal(got[0].bits, 0);
}

/* A one is kept only when it comes after 2^30 and -2^30 have cancelled. */
static void matmul_dense_steps_are_taken_in_ascending_order(void **state)
{
    (void)state;
    enum { K = 48 };
    static const struct {
        uint16_t first[3], want;
    } table[] = {
        {{0x4e80, 0xce80, BF16_ONE}, BF16_ONE}, /* (2^30 - 2^30) + 1 */
        {{BF16_ONE, 0x4e80, 0xce80}, 0},        /* (1 + 2^30) - 2^30 */
        {{0x4e80, BF16_ONE, 0xce80}, 0},        /* (2^30 + 1) - 2^30 */
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        memset(x, 0, K * sizeof *x);
        for (size_t k = 0; k < K; k++)
            dense_w[k].bits = BF16_ONE;
        for (size_t step = 0; step < 3; step++)
            x[16 * step].bits = table[i].first[step];
        poison();
        assert_int_equal(matmul_dense(x, 1, dense_w, 1, K, got, NULL), STATUS_OK);
        assert_int_equal(got[0].bits, table[i].want);
    }
}

static void matmul_dense_bad_k_is_refused_and_out_stays(void **state)
{
    (void)state;
    poison();
    struct error e;
    assert_int_equal(matmul_dense(x, 1, dense_w, 1, 24, got, &e), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(e.why, "24"));
    assert_int_equal(matmul_dense(x, SIZE_MAX / 32, dense_w, 1, 64, got, &e), STATUS_NO_MEMORY);
    assert_int_equal(got[0].bits, POISON);
}

struct grouping {
    const char *name;
    size_t P, experts, active;
    uint32_t starts[8];
    int32_t ids[7];
    uint32_t status;
    int32_t expert_of_row[12];
};
static const struct grouping groupings[] = {
    {"one expert", 3, 1, 1, {0, 3}, {0}, 0, {0, 0, 0}},
    {"unsorted, repeated, empty, above active",
     9,
     7,
     5,
     {0, 2, 2, 5, 6, 9},
     {6, 1, 0, 6, 3},
     0,
     {6, 6, 0, 0, 0, 6, 3, 3, 3}},
    {"uncovered head and tail", 8, 2, 2, {2, 4, 5}, {1, 0}, 0, {-1, -1, 1, 1, 0, -1, -1, -1}},
    {"no segment", 4, 2, 0, {0}, {0}, 0, {-1, -1, -1, -1}},
    {"all segments empty", 4, 2, 2, {1, 1, 1}, {0, 1}, 0, {-1, -1, -1, -1}},
    {"negative id", 6, 3, 3, {0, 2, 4, 6}, {2, -1, 0}, 2, {2, 2, -1, -1, 0, 0}},
    {"id beyond the experts", 6, 3, 3, {0, 2, 4, 6}, {2, 1, 3}, 3, {2, 2, 1, 1, -1, -1}},
    {"two bad ids", 6, 3, 3, {0, 2, 4, 6}, {9, 1, -7}, 1, {-1, -1, 1, 1, -1, -1}},
    {"bad id of an empty segment", 4, 3, 2, {0, 0, 4}, {5, 2}, 1, {2, 2, 2, 2}},
    {"decreasing start", 6, 3, 3, {0, 4, 3, 6}, {0, 1, 2}, 2, {-1, -1, -1, -1, -1, -1}},
    {"start beyond the rows", 6, 3, 3, {0, 2, 4, 7}, {0, 1, 2}, 3, {-1, -1, -1, -1, -1, -1}},
    {"bad id before a decreasing start", 6, 3, 3, {0, 2, 4, 3}, {3, 1, 2}, 1, {-1, -1, -1, -1, -1, -1}},
    {"no row", 0, 2, 1, {0, 0}, {1}, 0, {0}},
    {"rows in plenty", 12, 4, 4, {0, 1, 4, 11, 12}, {3, 2, 1, 0}, 0, {3, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 0}},
};

static void matmul_grouped_every_grouping_matches_the_triple_loop(void **state)
{
    (void)state;
    static const size_t Ns[] = {1, 16, 33}, Ks[] = {32, 64, 160};
    struct splitmix r = {splitmix_seed()};
    int cases = 0, nans = 0, numbers = 0;
    for (size_t i = 0; i < sizeof groupings / sizeof *groupings; i++)
        for (size_t shape = 0; shape < 9; shape++, cases++) {
            const struct grouping *g = &groupings[i];
            size_t N = Ns[shape / 3], K = Ks[shape % 3];
            draw_activations(&r, g->P * K);
            draw_weights(&r, g->experts, N, K);
            naive_grouped(g->expert_of_row, g->P, N, K);
            for (size_t k = 0; k < g->P * N; k++) {
                nans += want[k].bits == BF16_NAN;
                numbers += want[k].bits != BF16_NAN && want[k].bits != 0;
            }
            /* Exactly as long as they are said to be, so that a sanitizer sees a read beyond them. */
            uint32_t *starts = malloc((g->active + 1) * sizeof *starts), word = 77;
            int32_t *ids = g->active ? malloc(g->active * sizeof *ids) : NULL;
            memcpy(starts, g->starts, (g->active + 1) * sizeof *starts);
            if (ids)
                memcpy(ids, g->ids, g->active * sizeof *ids);
            struct segments s = {g->P, g->experts, g->active, starts, ids};
            struct weights w = {g->experts, N, K, blocks, scales};
            poison();
            assert_int_equal(matmul_grouped(x, &s, &w, got, &word, NULL), STATUS_OK);
            free(starts);
            free(ids);
            assert_int_equal(word, g->status);
            compare(g->P, N, K, g->name);
        }
    assert_int_equal(cases, 9 * sizeof groupings / sizeof *groupings);
    assert_true(nans > 500 && numbers > 500);
}

static void matmul_grouped_any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    const struct grouping *g = &groupings[1];
    struct splitmix r = {splitmix_seed()};
    draw_activations(&r, g->P * 96);
    draw_weights(&r, g->experts, 40, 96);
    naive_grouped(g->expert_of_row, g->P, 40, 96);
    struct segments s = {g->P, g->experts, g->active, g->starts, g->ids};
    struct weights w = {g->experts, 40, 96, blocks, scales};
    int before = omp_get_max_threads();
    for (int threads = 1; threads <= 5; threads++) {
        omp_set_num_threads(threads);
        uint32_t word = 77;
        poison();
        assert_int_equal(matmul_grouped(x, &s, &w, got, &word, NULL), STATUS_OK);
        assert_int_equal(word, 0);
        compare(g->P, 40, 96, "threads");
    }
    omp_set_num_threads(before);
}

/* Row p of the identity picks column p of the weights. */
static void matmul_grouped_one_hot_rows_give_back_the_weights(void **state)
{
    (void)state;
    enum { P = 32, N = 40, K = 64 };
    struct splitmix r = {splitmix_seed()};
    memset(x, 0, P * K * sizeof *x);
    for (size_t p = 0; p < P; p++)
        x[p * K + p].bits = BF16_ONE;
    for (size_t i = 0; i < N * K / 2; i++)
        blocks[i] = (uint8_t)splitmix_next(&r);
    for (size_t i = 0; i < N * K / 32; i++)
        scales[i] = (uint8_t)splitmix_between(&r, 0, 252);
    static const uint32_t starts[] = {0, P};
    static const int32_t ids[] = {0};
    struct segments s = {P, 1, 1, starts, ids};
    struct weights w = {1, N, K, blocks, scales};
    uint32_t word = 77;
    poison();
    assert_int_equal(matmul_grouped(x, &s, &w, got, &word, NULL), STATUS_OK);
    mxfp4_decode_matrix(blocks, scales, N, K, dense_w);
    for (size_t p = 0; p < P; p++)
        for (size_t n = 0; n < N; n++) {
            struct bf16 weight = dense_w[n * K + p];
            want[p * N + n].bits = weight.bits == BF16_SIGN ? 0 : weight.bits;
        }
    compare(P, N, K, "one-hot");
}

static void matmul_grouped_bad_arguments_are_refused_and_outputs_stay(void **state)
{
    (void)state;
    static const uint32_t starts[] = {0, 1};
    static const int32_t ids[] = {0};
    struct segments s = {1, 2, 1, starts, ids};
    struct weights half_block = {2, 4, 48, blocks, scales}, other_experts = {3, 4, 64, blocks, scales};
    uint32_t word = 77;
    struct error e;
    poison();
    assert_int_equal(matmul_grouped(x, &s, &half_block, got, &word, &e), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(e.why, "48"));
    assert_int_equal(matmul_grouped(x, &s, &other_experts, got, &word, &e), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(e.why, "2 experts"));
    assert_int_equal(word, 77);
    assert_int_equal(got[0].bits, POISON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matmul_dense_every_small_shape_matches_the_triple_loop),
        cmocka_unit_test(matmul_dense_zero_activations_do_not_hide_a_weight_that_is_not_finite),
        cmocka_unit_test(matmul_dense_subnormal_activations_count),
        cmocka_unit_test(matmul_dense_sum_of_negative_zeros_is_positive_zero),
        cmocka_unit_test(matmul_dense_steps_are_taken_in_ascending_order),
        cmocka_unit_test(matmul_dense_bad_k_is_refused_and_out_stays),
        cmocka_unit_test(matmul_grouped_every_grouping_matches_the_triple_loop),
        cmocka_unit_test(matmul_grouped_any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(matmul_grouped_one_hot_rows_give_back_the_weights),
        cmocka_unit_test(matmul_grouped_bad_arguments_are_refused_and_outputs_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
