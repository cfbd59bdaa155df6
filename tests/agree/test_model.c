/* The model executor against the independent product: what comes out of rs_index.h, the fragment maps and the fused sum
 * must be what matmul.h says, bit for bit, over random problems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/expect.h"
#include "tests/support/problems.h"
#include "tests/support/splitmix.h"

static const struct bf16 poisons[2] = {{0x7fa5}, {0x1234}};

/* What the cases of a loop had in common, so that none of the interesting kinds is missing. */
struct tally {
    size_t cases, outputs, bad_segments, specials, zero_rows;
};

#define PROBLEM_CHECK(p, truth)                                                                                        \
    do {                                                                                                               \
        if (!(truth))                                                                                                  \
            fail_msg("problem of seed %" PRIu64 " (P %zu N %zu K %zu, %zu experts, %zu segments): %s; "                \
                     "repeat: FO_TEST_SEED=%" PRIu64,                                                                  \
                     (p)->seed, (p)->segments.rows, (p)->weights.w.N, (p)->weights.w.K, (p)->weights.w.experts,        \
                     (p)->segments.active, #truth, (p)->seed);                                                         \
    } while (0)

static void check_elements(const struct problem *p, const struct bf16 *out, const struct bf16 *expected)
{
    size_t first, differing = outputs_differing(out, expected, problem_outputs(p), &first);
    if (differing)
        fail_msg("problem of seed %" PRIu64 " (P %zu N %zu K %zu): %zu elements differ, first (%zu,%zu): %04x, "
                 "expected %04x; repeat: FO_TEST_SEED=%" PRIu64,
                 p->seed, p->segments.rows, p->weights.w.N, p->weights.w.K, differing, first / p->weights.w.N,
                 first % p->weights.w.N, out[first].bits, expected[first].bits, p->seed);
}

static void check_problem(const struct machine *m, const struct problem *p, struct tally *t)
{
    size_t n = problem_outputs(p);
    struct bf16 *out[2];
    struct run_report report[2];
    uint32_t word;
    struct bf16 *expected = problem_expected(p, &word);
    for (int i = 0; i < 2; i++) {
        out[i] = malloc(n * sizeof **out);
        assert_non_null(out[i]);
        problem_run(m, "rs", p, poisons[i], out[i], &report[i]);
        check_elements(p, out[i], expected);
        PROBLEM_CHECK(p, report[i].status_word == word);
        PROBLEM_CHECK(p, report[i].wgmma == problem_wgmma(p));
        PROBLEM_CHECK(p, report[i].wgmma_expected == report[i].wgmma);
        PROBLEM_CHECK(p, report[i].tiles * (p->weights.w.K / 16) == report[i].wgmma);
        PROBLEM_CHECK(p, report[i].launches == 1);
    }
    /* The poison is overwritten everywhere when the two launches left the same bits. */
    PROBLEM_CHECK(p, memcmp(out[0], out[1], n * sizeof **out) == 0);
    PROBLEM_CHECK(p, report[0].a_checksum == report[1].a_checksum);
    t->cases++;
    t->outputs += n;
    t->bad_segments += word != 0;
    for (size_t i = 0; i < n; i++)
        t->specials += (expected[i].bits & BF16_EXPONENT) == BF16_EXPONENT;
    for (size_t row = 0; row < p->segments.rows; row++)
        t->zero_rows += segments_expert_of_row(&p->segments, row) < 0;
    free(expected);
    free(out[0]);
    free(out[1]);
}

static void model_run_random_problems_match_the_independent_product(void **state)
{
    (void)state;
    const size_t cases = PROBLEMS_OF(240);
    struct machine model;
    struct tally t = {0};
    machine_model(&model);
    for (size_t i = 0; i < cases; i++) {
        struct problem p;
        problem_make(splitmix_seed() + i, &p);
        check_problem(&model, &p, &t);
        problem_free(&p);
    }
    print_message("%zu problems, %zu outputs (%zu Inf or NaN), %zu with bad segments, %zu rows without an expert\n",
                  t.cases, t.outputs, t.specials, t.bad_segments, t.zero_rows);
    assert_int_equal(t.cases, cases);
    assert_true(t.bad_segments > cases / 10 && t.bad_segments < cases * 9 / 10);
    assert_true(t.specials > 0 && t.zero_rows > 0);
}

static void model_run_clean_twin_is_identical_to_rs(void **state)
{
    (void)state;
    const size_t cases = PROBLEMS_OF(24);
    struct machine model;
    machine_model(&model);
    for (size_t i = 0; i < cases; i++) {
        struct problem p;
        struct run_report rs, none;
        problem_make(splitmix_seed() + i, &p);
        size_t bytes = problem_outputs(&p) * sizeof(struct bf16);
        struct bf16 *a = malloc(bytes), *b = malloc(bytes);
        assert_true(a && b);
        problem_run(&model, "rs", &p, poisons[0], a, &rs);
        problem_run(&model, "rs+none", &p, poisons[0], b, &none);
        PROBLEM_CHECK(&p, memcmp(a, b, bytes) == 0);
        PROBLEM_CHECK(&p, rs.a_checksum == none.a_checksum && rs.wgmma == none.wgmma);
        PROBLEM_CHECK(&p, rs.status_word == none.status_word && rs.tiles == none.tiles);
        free(a);
        free(b);
        problem_free(&p);
    }
    assert_true(cases > 0);
}

/* ---- planted variants ------------------------------------------------------------------------------------------- */

enum { VARIANTS = 4 };

static void run_variants(const struct problem *p, const char *const names[VARIANTS], struct bf16 *out[VARIANTS],
                         struct run_report report[VARIANTS])
{
    struct machine model;
    machine_model(&model);
    for (int i = 0; i < VARIANTS; i++) {
        out[i] = malloc(problem_outputs(p) * sizeof **out);
        assert_non_null(out[i]);
        problem_run(&model, names[i], p, poisons[0], out[i], &report[i]);
    }
}

static void model_run_two_faults_differ_from_each_alone(void **state)
{
    (void)state;
    static const char *const names[VARIANTS] = {"rs", "rs+F01", "rs+F07", "rs+F01+F07"};
    struct bf16 *out[VARIANTS];
    struct run_report report[VARIANTS];
    struct problem p;
    size_t first, pairs = 0;
    problem_make_dense(splitmix_seed(), 40, 80, 256, 2, &p);
    run_variants(&p, names, out, report);
    for (int a = 0; a < VARIANTS; a++)
        for (int b = a + 1; b < VARIANTS; b++, pairs++) {
            if (outputs_differing(out[a], out[b], problem_outputs(&p), &first) == 0)
                fail_msg("%s and %s leave the same bits", names[a], names[b]);
            if (report[a].a_checksum == report[b].a_checksum)
                fail_msg("%s and %s leave the same checksum of registers", names[a], names[b]);
        }
    assert_int_equal(pairs, 6);
    for (int i = 0; i < VARIANTS; i++)
        free(out[i]);
    problem_free(&p);
}

/* A scale index that restarts at every K tile is right as long as K is one tile. */
static void model_run_tile_relative_scales_differ_only_beyond_one_tile(void **state)
{
    (void)state;
    for (size_t K = 64; K <= 256; K += 64) {
        struct problem p;
        struct machine model;
        struct run_report report;
        uint32_t word;
        size_t first;
        machine_model(&model);
        problem_make_dense(splitmix_seed(), 20, 64, K, 1, &p);
        struct bf16 *out = malloc(problem_outputs(&p) * sizeof *out), *expected = problem_expected(&p, &word);
        assert_non_null(out);
        problem_run(&model, "rs+F07", &p, poisons[0], out, &report);
        assert_int_equal(outputs_differing(out, expected, problem_outputs(&p), &first) == 0, K <= 128);
        free(out);
        free(expected);
        problem_free(&p);
    }
}

/* Every odd feature is zero, every even one right. */
static void model_run_odd_column_fault_zeroes_odd_features(void **state)
{
    (void)state;
    struct problem p;
    struct machine model;
    struct run_report report;
    uint32_t word;
    size_t odd = 0;
    machine_model(&model);
    problem_make_dense(splitmix_seed(), 20, 112, 192, 2, &p);
    struct bf16 *out = malloc(problem_outputs(&p) * sizeof *out), *expected = problem_expected(&p, &word);
    assert_non_null(out);
    problem_run(&model, "rs+F11", &p, poisons[0], out, &report);
    for (size_t i = 0; i < problem_outputs(&p); i++) {
        assert_int_equal(out[i].bits, i % 112 % 2 ? 0 : expected[i].bits);
        odd += i % 112 % 2;
    }
    assert_int_equal(odd, 20 * 56);
    free(out);
    free(expected);
    problem_free(&p);
}

/* ---- the executor itself ---------------------------------------------------------------------------------------- */

static void model_load_and_run_wrong_arguments_are_refused(void **state)
{
    (void)state;
    struct machine model;
    struct subject rs;
    struct executor x;
    struct error e;
    struct problem p;
    struct run_report report;
    struct bf16 *out;
    machine_model(&model);
    problem_make_dense(splitmix_seed(), 20, 64, 128, 2, &p);
    out = malloc(problem_outputs(&p) * sizeof *out);
    assert_non_null(out);
    assert_int_equal(subject_parse("rs", &rs, &e), STATUS_OK);
    assert_int_equal(model.subject(&rs, &x, &e), STATUS_OK);
    assert_int_equal(x.run(x.self, p.x, &p.segments, poisons[0], out, &report, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "run before load");
    struct weights wrong = p.weights.w;
    wrong.N = 56;
    assert_int_equal(x.load(x.self, &wrong, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "N % 16 == 0");
    wrong = p.weights.w;
    wrong.K = 96;
    assert_int_equal(x.load(x.self, &wrong, &e), STATUS_BAD_ARGUMENT);
    wrong = p.weights.w;
    wrong.experts = 1;
    assert_int_equal(x.load(x.self, &wrong, &e), STATUS_OK);
    assert_int_equal(x.run(x.self, p.x, &p.segments, poisons[0], out, &report, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "2 experts asked of weights with 1");
    x.release(x.self);
    free(out);
    problem_free(&p);
}

/* Weights are taken over: a second load replaces the first, and the caller's arrays may go. */
static void model_load_twice_uses_the_second_weights(void **state)
{
    (void)state;
    struct machine model;
    struct subject rs;
    struct executor x;
    struct problem p, q;
    struct run_report report;
    uint32_t word;
    size_t first;
    machine_model(&model);
    problem_make_dense(1, 20, 64, 128, 2, &p);
    problem_make_dense(2, 20, 96, 192, 2, &q);
    struct bf16 *out = malloc(problem_outputs(&q) * sizeof *out), *expected = problem_expected(&q, &word);
    assert_non_null(out);
    assert_int_equal(subject_parse("rs", &rs, NULL), STATUS_OK);
    assert_int_equal(model.subject(&rs, &x, NULL), STATUS_OK);
    assert_int_equal(x.load(x.self, &p.weights.w, NULL), STATUS_OK);
    assert_int_equal(x.load(x.self, &q.weights.w, NULL), STATUS_OK);
    problem_free(&p);
    weights_free(&q.weights);
    assert_int_equal(x.run(x.self, q.x, &q.segments, poisons[0], out, &report, NULL), STATUS_OK);
    assert_int_equal(outputs_differing(out, expected, 20 * 96, &first), 0);
    x.release(x.self);
    free(out);
    free(expected);
    problem_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_run_random_problems_match_the_independent_product),
        cmocka_unit_test(model_run_clean_twin_is_identical_to_rs),
        cmocka_unit_test(model_run_two_faults_differ_from_each_alone),
        cmocka_unit_test(model_run_tile_relative_scales_differ_only_beyond_one_tile),
        cmocka_unit_test(model_run_odd_column_fault_zeroes_odd_features),
        cmocka_unit_test(model_load_and_run_wrong_arguments_are_refused),
        cmocka_unit_test(model_load_twice_uses_the_second_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
