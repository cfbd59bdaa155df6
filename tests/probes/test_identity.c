#include "probes/identity.h"

#include "probes/weights.h"
#include "reference/matmul.h"
#include "reference/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Executors that compute the product with matmul_grouped and then do one thing wrong. */
enum fault {
    NOTHING,
    ROW_UNWRITTEN,
    NAN_UNWRITTEN,
    COLUMNS_SWAPPED,
    NAN_IN_A_ROW,
    WGMMA_MISSING,
    STATUS_RAISED,
    ID_ABOVE_ACTIVE_SKIPPED, /* F24 */
    SCALE_TILE_RELATIVE,     /* F07, K tiles of 128 */
    SECOND_LAUNCH_WRONG,
    ERROR_AT_LOAD,
    ERROR_AT_THIRD_RUN
};

struct fake {
    enum fault fault;
    struct weights w;
    uint8_t *scales; /* of F07 */
    size_t loads, runs;
};

static enum status fake_load(void *self, const struct weights *w, struct error *e)
{
    struct fake *f = self;
    f->loads++;
    if (f->fault == ERROR_AT_LOAD)
        return error_set(e, STATUS_UNSUPPORTED, "no such layout");
    f->w = *w;
    if (f->fault == SCALE_TILE_RELATIVE) {
        size_t blocks = w->K / 32, count = w->experts * w->N * blocks;
        free(f->scales);
        f->scales = malloc(count);
        for (size_t i = 0; i < count; i++)
            f->scales[i] = w->scales[i - i % blocks + i % blocks % 4];
        f->w.scales = f->scales;
    }
    return STATUS_OK;
}

static void spoil(const struct fake *f, const struct segments *s, struct bf16 poison, struct bf16 *out,
                  struct run_report *report)
{
    size_t N = f->w.N;
    if (f->fault == ROW_UNWRITTEN)
        for (size_t n = 0; n < N; n++)
            out[3 * N + n] = poison;
    if (f->fault == NAN_UNWRITTEN)
        for (size_t i = 0; i < s->rows * N; i++)
            if (bf16_is_nan(out[i]))
                out[i] = poison;
    if (f->fault == COLUMNS_SWAPPED)
        for (size_t p = 0; p < s->rows; p++) {
            struct bf16 t = out[p * N + 5];
            out[p * N + 5] = out[p * N + 6];
            out[p * N + 6] = t;
        }
    if (f->fault == NAN_IN_A_ROW)
        out[2 * N + 7].bits = BF16_NAN;
    if (f->fault == WGMMA_MISSING)
        report->wgmma--;
    if (f->fault == STATUS_RAISED)
        report->status_word = 2;
    if (f->fault == SECOND_LAUNCH_WRONG && f->runs % 2 == 0)
        out[0].bits ^= 0x40;
    if (f->fault == ID_ABOVE_ACTIVE_SKIPPED)
        for (size_t p = 0; p < s->rows; p++)
            if (segments_expert_of_row(s, p) >= (int32_t)s->active)
                memset(out + p * N, 0, N * sizeof *out);
}

static enum status fake_run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison,
                            struct bf16 *out, struct run_report *report, struct error *e)
{
    struct fake *f = self;
    struct error why;
    f->runs++;
    if (f->fault == ERROR_AT_THIRD_RUN && f->runs == 3)
        return error_set(e, STATUS_DEVICE, "launch failed");
    assert_int_equal(segments_validate(s, &why), STATUS_OK);
    for (size_t i = 0; i < s->rows * f->w.N; i++) /* every element holds the poison, a NaN that no epilogue writes */
        assert_true(out[i].bits == poison.bits && bf16_is_nan(poison) && poison.bits != BF16_NAN);
    *report = (struct run_report){.kernel = "fake",
                                  .tile = {64, 64, 128},
                                  .launches = 1,
                                  .tiles = 2,
                                  .wgmma = 10,
                                  .wgmma_expected = 10,
                                  .a_checksum = 0x80000001u};
    enum status status = matmul_grouped(x, s, &f->w, out, &report->status_word, e);
    spoil(f, s, poison, out, report);
    return status;
}

enum { P = 16, N = 48, K = 160, E = 7 };

struct outcome {
    enum status status;
    struct error error;
    struct identity_result result;
    struct fake fake;
};

static struct outcome run(enum fault fault, const struct identity_options *o, size_t k)
{
    struct outcome got = {.fake.fault = fault};
    struct executor x = {"fake", "fake", FIDELITY_BIT_EXACT_MODEL, &got.fake, fake_load, fake_run, NULL, {0},
                         NULL,   NULL};
    struct weights_set w;
    assert_int_equal(weights_make(WEIGHTS_ADVERSARIAL, E, N, k, 4, &w, NULL), STATUS_OK);
    got.status = identity_run(&x, &w.w, o, &got.result, &got.error);
    weights_free(&w);
    free(got.fake.scales);
    return got;
}

static struct outcome run_full(enum fault fault)
{
    struct outcome got = run(fault, &(struct identity_options){.P = P, .pass = -1, .seed = 9}, K);
    assert_int_equal(got.status, STATUS_OK);
    return got;
}

static void fidelity_name_every_value_has_its_word(void **state)
{
    (void)state;
    assert_string_equal(fidelity_name(FIDELITY_HARDWARE), "hardware");
    assert_string_equal(fidelity_name(FIDELITY_HARDWARE_INSTRUMENTED), "hardware-instrumented");
    assert_string_equal(fidelity_name(FIDELITY_BIT_EXACT_MODEL), "bit-exact model");
    assert_string_equal(fidelity_name(FIDELITY_APPROXIMATE), "approximate");
    assert_string_equal(fidelity_name(FIDELITY_UNSUPPORTED), "unsupported");
    assert_string_equal(fidelity_name(FIDELITY_UNSTATED), "unstated");
    assert_string_equal(fidelity_name((enum fidelity)6), "unknown fidelity");
}

static void identity_run_right_kernel_conforms(void **state)
{
    (void)state;
    struct outcome got = run_full(NOTHING);
    struct identity_result *r = &got.result;
    size_t passes = (K + 8) / 9 + 1; /* 9 rows of 16 in the longest segment */
    assert_true(identity_conforms(r));
    assert_int_equal(r->passes, passes);
    assert_int_equal(got.fake.loads, 2);
    assert_int_equal(got.fake.runs, 2 * passes);
    assert_int_equal(r->total.compared, passes * P * N);
    assert_int_equal(r->total.row_exact.hits, passes * P);
    assert_int_equal(r->total.col_identity.hits, passes * N);
    assert_int_equal(r->total.unwritten.of, passes * P * N);
    assert_int_equal(r->shown_pass, 0);
    assert_string_equal(r->report.kernel, "fake");
    assert_int_equal(r->report.tile[2], 128);
    assert_int_equal(r->report.launches, 2 * passes);
    assert_int_equal(r->report.tiles, 4 * passes);
    assert_int_equal(r->report.wgmma, 20 * passes);
    assert_int_equal(r->report.a_checksum, (uint32_t)(2 * passes)); /* sums wrap */
    assert_int_equal(r->pass[3].report.launches, 2);
    for (size_t i = 0; i < passes; i++) {
        assert_int_equal(r->pass[i].pass, i);
        assert_int_equal(r->pass[i].special, i == passes - 1);
    }
    identity_result_free(r);
}

static void identity_run_output_rows_are_rows_of_the_weights(void **state)
{
    (void)state;
    struct outcome got = run(NOTHING, &(struct identity_options){.P = P, .pass = 4}, K);
    struct weights_set w;
    assert_int_equal(got.status, STATUS_OK);
    assert_int_equal(weights_make(WEIGHTS_ADVERSARIAL, E, N, K, 4, &w, NULL), STATUS_OK);
    struct identity_segments s;
    assert_int_equal(identity_segments_make(P, E, 0, &s, NULL), STATUS_OK);
    for (size_t p = 0; p < P; p++) {
        int32_t expert = segments_expert_of_row(&s.s, p);
        for (size_t n = 0; n < N; n++) {
            size_t k = (p + 4 * 9) % K, row = (size_t)(expert < 0 ? 0 : expert) * N + n;
            uint8_t code = w.blocks[row * K / 2 + k / 2] >> (k % 2 ? 4 : 0) & 15;
            float value = fp4_decode((struct fp4){code}) * e8m0_decode((struct e8m0){w.scales[row * K / 32 + k / 32]});
            if (expert < 0 || value == 0)
                value = 0; /* never -0 */
            assert_int_equal(got.result.shown_expected[p * N + n].bits, bf16_encode(value).bits);
            assert_int_equal(got.result.shown_output[p * N + n].bits, bf16_encode(value).bits);
        }
    }
    identity_segments_free(&s);
    weights_free(&w);
    identity_result_free(&got.result);
}

static void identity_run_special_pass_holds_nan_and_inf(void **state)
{
    (void)state;
    int64_t last = (K + 8) / 9;
    struct outcome got = run(NOTHING, &(struct identity_options){.P = P, .pass = last, .seed = 9}, K);
    assert_int_equal(got.status, STATUS_OK);
    assert_true(identity_conforms(&got.result));
    assert_int_equal(got.fake.loads, 1);
    assert_int_equal(got.result.passes, 1);
    assert_int_equal(got.result.pass[0].pass, last);
    assert_true(got.result.pass[0].special);
    size_t nan = 0, plus = 0, minus = 0;
    for (size_t i = 0; i < P * N; i++) {
        nan += got.result.shown_expected[i].bits == BF16_NAN;
        plus += got.result.shown_expected[i].bits == 0x7f80;
        minus += got.result.shown_expected[i].bits == 0xff80;
    }
    assert_true(nan > P && plus > P / 2 && minus > P / 2 && nan + plus + minus < P * N / 2);
    identity_result_free(&got.result);
}

static void identity_run_unwritten_row_is_counted_in_every_pass(void **state)
{
    (void)state;
    struct outcome got = run_full(ROW_UNWRITTEN);
    struct identity_result *r = &got.result;
    assert_false(identity_conforms(r));
    /* In the special pass as well, where NaN is expected in some places and poison is a NaN. */
    for (size_t i = 0; i < r->passes; i++)
        assert_int_equal(r->pass[i].score.unwritten.hits, N);
    assert_int_equal(r->total.unwritten.hits, r->passes * N);
    assert_int_equal(r->total.row_identity.hits, r->passes * (P - 1));
    identity_result_free(r);
}

static void identity_run_unwritten_where_nan_is_due_is_no_difference_and_yet_found(void **state)
{
    (void)state;
    struct outcome got = run_full(NAN_UNWRITTEN);
    assert_int_equal(got.result.total.differing, 0);
    assert_true(got.result.total.unwritten.hits > 0);
    assert_false(identity_conforms(&got.result));
    identity_result_free(&got.result);
}

static void identity_run_swapped_columns_differ_in_these_columns_only(void **state)
{
    (void)state;
    struct outcome got = run_full(COLUMNS_SWAPPED);
    struct identity_result *r = &got.result;
    assert_false(identity_conforms(r));
    assert_int_equal(r->total.unwritten.hits, 0);
    for (size_t i = 0; i < r->passes; i++) {
        assert_int_equal(r->pass[i].score.col_exact.hits, N - 2);
        assert_true(r->pass[i].score.col_identity.hits >= N - 2);
        /* The pass that is shown is the first of the worst, and not the special one where an identity pass differs. */
        uint64_t shown = r->pass[r->shown_pass].score.differing, this = r->pass[i].score.differing;
        assert_true(r->pass[i].special || (i < r->shown_pass ? this < shown : this <= shown));
    }
    assert_false(r->pass[r->shown_pass].special);
    size_t differing = 0;
    for (size_t i = 0; i < P * N; i++)
        differing += r->shown_output[i].bits != r->shown_expected[i].bits;
    assert_int_equal(differing, r->pass[r->shown_pass].score.differing);
    identity_result_free(r);
}

static void identity_run_single_pass_repeats_that_of_all(void **state)
{
    (void)state;
    struct outcome all = run_full(COLUMNS_SWAPPED);
    for (size_t i = 0; i < all.result.passes; i++) {
        struct identity_options o = {.P = P, .pass = (int64_t)i, .seed = 9};
        struct outcome one = run(COLUMNS_SWAPPED, &o, K);
        assert_int_equal(one.status, STATUS_OK);
        assert_int_equal(one.fake.loads, 1);
        assert_int_equal(one.result.total.differing, all.result.pass[i].score.differing);
        assert_true(one.result.total.sum_sq_expected == all.result.pass[i].score.sum_sq_expected);
        assert_int_equal(one.result.shown_pass, i);
        identity_result_free(&one.result);
    }
    identity_result_free(&all.result);
}

static void identity_run_nan_in_a_row_loses_that_row(void **state)
{
    (void)state;
    struct outcome got = run_full(NAN_IN_A_ROW);
    assert_false(identity_conforms(&got.result));
    assert_int_equal(got.result.pass[0].score.row_identity.hits, P - 1);
    assert_int_equal(got.result.pass[0].score.differing, 1);
    assert_true(got.result.total.max_abs > 1e300);
    identity_result_free(&got.result);
}

static void identity_conforms_wrong_counters_alone_do_not(void **state)
{
    (void)state;
    static const enum fault fault[] = {WGMMA_MISSING, STATUS_RAISED};
    for (size_t i = 0; i < 2; i++) {
        struct outcome got = run_full(fault[i]);
        assert_int_equal(got.result.total.differing, 0);
        assert_false(identity_conforms(&got.result));
        identity_result_free(&got.result);
    }
    assert_false(identity_conforms(&(struct identity_result){0}));
}

static void identity_run_second_launch_wrong_is_scored_and_shown(void **state)
{
    (void)state;
    struct outcome got = run_full(SECOND_LAUNCH_WRONG);
    assert_false(identity_conforms(&got.result));
    assert_int_equal(got.result.pass[0].score.differing, 1);
    assert_int_equal(got.result.total.first_differing, 0);
    assert_int_not_equal(got.result.shown_output[0].bits, got.result.shown_expected[0].bits);
    identity_result_free(&got.result);
}

static void identity_run_id_above_active_skipped_is_found(void **state)
{
    (void)state;
    struct outcome got = run_full(ID_ABOVE_ACTIVE_SKIPPED);
    assert_int_equal(got.result.pass[0].score.row_exact.hits, P - 9); /* the longest segment is lost */
    assert_false(identity_conforms(&got.result));
    identity_result_free(&got.result);
}

static void identity_run_tile_relative_scales_show_beyond_one_tile_only(void **state)
{
    (void)state;
    struct identity_options o = {.P = P, .pass = -1};
    struct outcome one = run(SCALE_TILE_RELATIVE, &o, 128), more = run(SCALE_TILE_RELATIVE, &o, 160);
    assert_true(identity_conforms(&one.result));
    assert_false(identity_conforms(&more.result));
    identity_result_free(&one.result);
    identity_result_free(&more.result);
}

static void identity_run_historical_scores_one_pass_of_one_expert(void **state)
{
    (void)state;
    struct identity_options o = {.P = 32, .historical = 1, .pass = -1};
    struct outcome got = run(NOTHING, &o, 128);
    assert_int_equal(got.status, STATUS_OK);
    assert_true(identity_conforms(&got.result));
    assert_int_equal(got.result.passes, 1);
    assert_int_equal(got.fake.loads, 1);
    assert_int_equal(got.result.total.row_identity.hits, 32);
    assert_int_equal(got.result.total.col_identity.hits, N);
    identity_result_free(&got.result);
}

static void identity_run_executor_error_is_passed_on_and_leaves_out_alone(void **state)
{
    (void)state;
    struct identity_options o = {.P = P, .pass = -1};
    struct outcome load = run(ERROR_AT_LOAD, &o, K), third = run(ERROR_AT_THIRD_RUN, &o, K);
    assert_int_equal(load.status, STATUS_UNSUPPORTED);
    assert_string_equal(load.error.why, "no such layout");
    assert_int_equal(load.fake.runs, 0);
    assert_int_equal(third.status, STATUS_DEVICE);
    assert_string_equal(third.error.why, "launch failed");
    assert_int_equal(third.fake.runs, 3);
    assert_null(load.result.pass);
    assert_null(third.result.pass);
}

static void identity_run_bad_options_are_refused_before_anything_runs(void **state)
{
    (void)state;
    static const struct identity_options o[] = {
        {.P = 0, .pass = -1},
        {.P = K + 1, .historical = 1, .pass = -1},
        {.P = P, .pass = -2},
        {.P = P, .pass = (K + 8) / 9 + 1},
        {.P = P, .historical = 1, .pass = 1},
        {.P = SIZE_MAX / 4, .pass = 0},
    };
    for (size_t i = 0; i < sizeof o / sizeof *o; i++) {
        struct outcome got = run(NOTHING, &o[i], K);
        assert_int_equal(got.status, STATUS_BAD_ARGUMENT);
        assert_int_equal(got.fake.loads, 0);
        assert_null(got.result.pass);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fidelity_name_every_value_has_its_word),
        cmocka_unit_test(identity_run_right_kernel_conforms),
        cmocka_unit_test(identity_run_output_rows_are_rows_of_the_weights),
        cmocka_unit_test(identity_run_special_pass_holds_nan_and_inf),
        cmocka_unit_test(identity_run_unwritten_row_is_counted_in_every_pass),
        cmocka_unit_test(identity_run_unwritten_where_nan_is_due_is_no_difference_and_yet_found),
        cmocka_unit_test(identity_run_swapped_columns_differ_in_these_columns_only),
        cmocka_unit_test(identity_run_single_pass_repeats_that_of_all),
        cmocka_unit_test(identity_run_nan_in_a_row_loses_that_row),
        cmocka_unit_test(identity_conforms_wrong_counters_alone_do_not),
        cmocka_unit_test(identity_run_second_launch_wrong_is_scored_and_shown),
        cmocka_unit_test(identity_run_id_above_active_skipped_is_found),
        cmocka_unit_test(identity_run_tile_relative_scales_show_beyond_one_tile_only),
        cmocka_unit_test(identity_run_historical_scores_one_pass_of_one_expert),
        cmocka_unit_test(identity_run_executor_error_is_passed_on_and_leaves_out_alone),
        cmocka_unit_test(identity_run_bad_options_are_refused_before_anything_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
