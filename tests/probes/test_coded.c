/* coded: the source map of kernels that misplace what they read by a known rule is that rule, element by element. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reference/number.h"
#include "tests/probes/coded_fake.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"

static const struct coded_options small = {24, 32, 64, 4, 1};

/* Ask, hold the map against the rules, and free. Returns the number of observations that are not right. */
static size_t ask(struct fake *f, const struct coded_options *o, struct coded_result *r)
{
    struct error e;
    struct executor x = fake_executor(f);
    if (coded_run(&x, o, r, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return fake_expect(f, r);
}

static void coded_run_of_a_right_kernel_conforms(void **state)
{
    (void)state;
    static const struct coded_options shapes[] = {
        {24, 32, 64, 4, 1}, {1, 1, 32, 1, 2}, {7, 5, 96, 3, 3}, {8, 3, 32, 2, 4}, {130, 20, 160, 6, 5}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct fake f = {.tell_status = true, .report = {.launches = 1, .wgmma = 3, .wgmma_expected = 3}};
        struct coded_result r;
        assert_int_equal(ask(&f, &shapes[i], &r), 0);
        assert_true(coded_conforms(&r));
        assert_true(r.repeats);
        assert_int_equal(r.scaled, 0);
        assert_int_equal(r.launches, f.runs);
        assert_int_equal(r.loads, f.loads);
        assert_int_equal(r.loads, 3 + r.value_planes + r.scale_planes + r.pair_planes);
        /* unit twice and once more, the guard's planes, special, dense twice */
        size_t planes = 2 + r.value_planes + r.scale_planes + r.row_planes + r.pair_planes;
        assert_int_equal(r.launches, planes * r.map.sweeps + 1 + (2 + r.value_planes) + 3);
        assert_int_equal(r.report.wgmma, 3 * r.launches);
        assert_int_equal(r.report.status_word, 0);
        assert_int_equal(r.dense_count, shapes[i].P * shapes[i].N);
        assert_int_equal(r.dense_differing, 0);
        assert_int_equal(r.special.count, shapes[i].P * shapes[i].N);
        assert_int_equal(r.special.differing, 0);
        assert_true(r.pair_count > 0);
        assert_int_equal(r.pair_differing, 0);
        assert_true(r.guard.asked && r.guard.status_told);
        assert_int_equal(r.guard.wrong, 0);
        assert_int_equal(r.guard.status_word, 2);
        coded_result_free(&r);
        fake_free(&f);
    }
}

/* ---- rules ------------------------------------------------------------------------------------------------------ */

static size_t other_k(const struct fake *f, uint32_t p, uint32_t n, uint32_t k, struct fake_term *t)
{
    (void)p, (void)n;
    t->value.k = (k * 5 + 3) % (uint32_t)f->w.K;
    return 1;
}

static size_t other_n(const struct fake *f, uint32_t p, uint32_t n, uint32_t k, struct fake_term *t)
{
    (void)p, (void)k;
    t->value.n = t->scale.n = (n * 3 + 7) % (uint32_t)f->w.N;
    return 1;
}

static size_t other_scale(const struct fake *f, uint32_t p, uint32_t n, uint32_t k, struct fake_term *t)
{
    (void)p;
    t->scale.n = n ^ 8;
    t->scale.k = (k / 32 + 1) % (uint32_t)(f->w.K / 32);
    return 1;
}

static size_t scale_of_value_apart(const struct fake *f, uint32_t p, uint32_t n, uint32_t k, struct fake_term *t)
{
    (void)f, (void)p;
    t->value = (struct source_point){t->value.expert, n ^ 1, k ^ 16};
    t->scale.n = n ^ 4;
    return 1;
}

static size_t dropped(const struct fake *f, uint32_t p, uint32_t n, uint32_t k, struct fake_term *t)
{
    (void)f, (void)p, (void)n, (void)t;
    return k % 7 != 0;
}

static size_t two_mixed(const struct fake *f, uint32_t p, uint32_t n, uint32_t k, struct fake_term *t)
{
    (void)f, (void)p;
    t[1].value.k = k ^ 1;
    return 1 + n % 2;
}

static size_t neighbours_mixed(const struct fake *f, uint32_t p, uint32_t n, uint32_t k, struct fake_term *t)
{
    (void)k;
    t[1].value.n = t[1].scale.n = (n + 1) % (uint32_t)f->w.N;
    t[2].value.expert = t[2].scale.expert = (t->value.expert + 1) % (uint32_t)f->w.experts;
    t[3].value.k = k ^ 2;
    return p % 3 + 2;
}

static size_t wrong_expert(const struct fake *f, uint32_t p, uint32_t n, uint32_t k, struct fake_term *t)
{
    (void)p, (void)k;
    if (n < 8)
        t->value.expert = t->scale.expert = (t->value.expert + 1) % (uint32_t)f->w.experts;
    return 1;
}

static const uint32_t paddings[] = {0, 1, 100, 127, 128, 130, 190, 250, 255};
static uint32_t padding;

static size_t padded_scale(const struct fake *f, uint32_t p, uint32_t n, uint32_t k, struct fake_term *t)
{
    (void)f, (void)p;
    if (n % 3 == 1 && k >= 32)
        t->padding = FAKE_PADDING | padding;
    return 1;
}

static uint32_t row_up(const struct fake *f, uint32_t p, uint32_t n)
{
    (void)f, (void)n;
    return (p + 1) % (uint32_t)small.P;
}

static uint32_t row_by_column(const struct fake *f, uint32_t p, uint32_t n)
{
    (void)f;
    return n % 2 ? p ^ 1 : p;
}

static uint32_t row_missing(const struct fake *f, uint32_t p, uint32_t n)
{
    (void)f;
    return (p * small.N + n) % 11 ? p : FAKE_UNWRITTEN;
}

static int32_t zero_for_none(const struct fake *f, int32_t id)
{
    return id >= 0 && (size_t)id < f->w.experts ? id : 0;
}

static void coded_run_map_of_a_misplacing_kernel_is_its_rule(void **state)
{
    (void)state;
    static const struct fake kernels[] = {{.terms = other_k},
                                          {.terms = other_n},
                                          {.terms = other_scale},
                                          {.terms = dropped},
                                          {.terms = two_mixed},
                                          {.terms = neighbours_mixed},
                                          {.terms = wrong_expert},
                                          {.row = row_up},
                                          {.row = row_by_column},
                                          {.row = row_missing},
                                          {.expert = zero_for_none},
                                          {.terms = scale_of_value_apart},
                                          {.row = row_up, .terms = other_k}};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        struct fake f = kernels[i];
        struct coded_result r;
        assert_true(ask(&f, &small, &r) > 0);
        assert_false(coded_conforms(&r));
        assert_true(r.repeats);
        assert_int_equal(r.pair_differing, 0);
        coded_result_free(&r);
        fake_free(&f);
    }
}

static void coded_run_of_a_padded_scale_knows_the_value_and_not_the_scale(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paddings / sizeof *paddings; i++) {
        struct fake f = {.terms = padded_scale};
        struct coded_result r;
        padding = paddings[i];
        assert_true(ask(&f, &small, &r) > 0);
        struct source_counts c = source_map_count(&r.map);
        assert_int_equal(c.value.mixture + c.scale.mixture + c.row.mixture, 0);
        assert_true(c.scale.unknown > 0);
        assert_int_equal(r.scaled > 0, padding != 127 && padding != 255);
        assert_int_equal(c.value.unknown > 0, padding == 255);
        assert_int_equal(c.row.unknown > 0, padding > 190);
        coded_result_free(&r);
        fake_free(&f);
    }
}

/* ---- factors ---------------------------------------------------------------------------------------------------- */

static float doubled(const struct fake *f, float sum, size_t nonzero)
{
    (void)f, (void)nonzero;
    return 2 * sum;
}

static float negated(const struct fake *f, float sum, size_t nonzero)
{
    (void)f, (void)nonzero;
    return -sum;
}

static float tripled(const struct fake *f, float sum, size_t nonzero)
{
    (void)f, (void)nonzero;
    return 3 * sum;
}

static void coded_run_of_a_factor_knows_every_source_and_does_not_conform(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fake f = {.spoil = i ? negated : doubled};
        struct coded_result r;
        assert_int_equal(ask(&f, &small, &r), 0);
        struct source_counts c = source_map_count(&r.map);
        assert_int_equal(r.scaled,
                         c.value.right - r.map.sweeps * r.map.N * (r.map.P - r.map.starts[r.map.segments.active]));
        assert_true(r.dense_differing > 0);
        /* What only the factor tells must be enough. */
        r.dense_differing = r.pair_differing = r.special.differing = 0;
        assert_false(coded_conforms(&r));
        r.scaled = 0;
        assert_true(coded_conforms(&r));
        coded_result_free(&r);
        fake_free(&f);
    }
    struct fake f = {.spoil = tripled};
    struct executor x = fake_executor(&f);
    struct coded_result r;
    struct error e;
    assert_int_equal(coded_run(&x, &small, &r, &e), STATUS_OK);
    struct source_counts c = source_map_count(&r.map);
    assert_int_equal(c.value.right + c.value.mixture, source_map_observations(&r.map));
    assert_int_equal(c.value.mixture, c.scale.mixture);
    assert_int_equal(c.value.mixture, c.row.mixture);
    assert_true(c.value.mixture > c.value.right);
    coded_result_free(&r);
    fake_free(&f);
}

static void coded_run_takes_minus_zero_for_zero(void **state)
{
    (void)state;
    struct fake f = {.terms = dropped, .spoil = negated};
    struct coded_result r;
    assert_true(ask(&f, &small, &r) > 0);
    struct source_counts c = source_map_count(&r.map);
    assert_true(c.value.zero > 0);
    assert_int_equal(c.value.zero, c.row.zero);
    coded_result_free(&r);
    fake_free(&f);
}

/* ---- what the map does not show --------------------------------------------------------------------------------- */

static float flushed(const struct fake *f, float sum, size_t nonzero)
{
    (void)f, (void)nonzero;
    return sum > -0x1p-126f && sum < 0x1p-126f ? 0 : sum;
}

static float infinite(const struct fake *f, float sum, size_t nonzero)
{
    (void)f, (void)nonzero;
    return sum >= 0x1p127f ? 0x1.8p127f : sum;
}

static float laundered(const struct fake *f, float sum, size_t nonzero)
{
    (void)f, (void)nonzero;
    return sum != sum ? 0 : sum;
}

static float dense_off(const struct fake *f, float sum, size_t nonzero)
{
    (void)f;
    return nonzero > 1 && sum == 7 ? 8 : sum;
}

/* What a scale of 255 gives that is read as Inf, as far as sums without a zero show it. */
static float nan_is_infinite(const struct fake *f, float sum, size_t nonzero)
{
    (void)f;
    return nonzero > 1 && sum != sum ? INFINITY : sum;
}

static float infinite_is_nan(const struct fake *f, float sum, size_t nonzero)
{
    (void)f;
    return nonzero > 1 && isinf(sum) ? NAN : sum;
}

/* No sum of the dense product is that large. */
static float large_is_infinite(const struct fake *f, float sum, size_t nonzero)
{
    (void)f;
    return nonzero > 1 && fabsf(sum) > 1024 ? INFINITY : sum;
}

static void coded_run_tells_inf_from_nan_where_no_zero_hides_it(void **state)
{
    (void)state;
    float (*const spoils[])(const struct fake *, float, size_t) = {nan_is_infinite, infinite_is_nan, large_is_infinite};
    for (size_t i = 0; i < 3; i++) {
        struct fake f = {.spoil = spoils[i]};
        struct coded_result r;
        assert_int_equal(ask(&f, &small, &r), 0);
        assert_int_equal(r.pair_differing + r.dense_differing, 0);
        assert_true(r.special.differing > 0);
        assert_int_equal(r.special.nan_is_infinite, i == 0 ? r.special.differing : 0);
        assert_false(coded_conforms(&r));
        r.special.differing = 0;
        assert_true(coded_conforms(&r));
        coded_result_free(&r);
        fake_free(&f);
    }
}

static void coded_run_finds_wrong_products_and_sums_of_a_right_map(void **state)
{
    (void)state;
    float (*const spoils[])(const struct fake *, float, size_t) = {flushed, infinite, laundered, dense_off};
    for (size_t i = 0; i < 4; i++) {
        struct fake f = {.spoil = spoils[i]};
        struct coded_result r;
        assert_int_equal(ask(&f, &small, &r), 0);
        assert_int_equal(r.pair_differing > 0, i < 3);
        assert_int_equal(r.dense_differing > 0, i == 3);
        assert_false(coded_conforms(&r));
        coded_result_free(&r);
        fake_free(&f);
    }
}

static void coded_run_finds_launches_that_do_not_repeat(void **state)
{
    (void)state;
    struct fake right = {0};
    struct coded_result r;
    ask(&right, &small, &r);
    size_t sweeps = r.map.sweeps, last = r.launches;
    coded_result_free(&r);
    fake_free(&right);
    /* A launch of the unit plane with either poison, the one that repeats the first, and either dense one. */
    const size_t flips[] = {1, 2, 2 * sweeps + 1, last - 1, last};
    for (size_t i = 0; i < sizeof flips / sizeof *flips; i++) {
        struct fake f = {.flips_at = flips[i]};
        struct executor x = fake_executor(&f);
        struct error e;
        assert_int_equal(coded_run(&x, &small, &r, &e), STATUS_OK);
        assert_false(r.repeats);
        assert_false(coded_conforms(&r));
        assert_int_equal(r.map.value[0] == SOURCE_MIXTURE, i < 2);
        assert_int_equal(r.map.row[0] == SOURCE_MIXTURE, i < 2);
        coded_result_free(&r);
        fake_free(&f);
    }
}

static void coded_run_counts_launches_whose_wgmma_are_not_as_expected(void **state)
{
    (void)state;
    struct fake f = {.report = {.wgmma = 1, .wgmma_expected = 2}, .tell_status = true};
    struct coded_result r;
    assert_int_equal(ask(&f, &small, &r), 0);
    assert_int_equal(r.miscounted, r.launches);
    assert_false(coded_conforms(&r));
    r.miscounted = 0;
    assert_true(coded_conforms(&r));
    r.report.status_word = 1;
    assert_false(coded_conforms(&r));
    coded_result_free(&r);
    fake_free(&f);
}

/* ---- the guard -------------------------------------------------------------------------------------------------- */

static int32_t clamped(const struct fake *f, int32_t id)
{
    return id < 0 ? -1 : (size_t)id >= f->w.experts ? (int32_t)f->w.experts - 2 : id;
}

static void coded_run_guard_names_the_expert_that_was_used(void **state)
{
    (void)state;
    struct fake f = {.expert = clamped, .tell_status = true};
    struct coded_result r;
    assert_int_equal(ask(&f, &small, &r), 0);
    /* 8 rows each of expert 3, of expert 4 (there is none), of -1 */
    for (size_t p = 0; p < 24; p++) {
        assert_int_equal(r.guard.found[p], p < 8 ? 3 : p < 16 ? 2 : SOURCE_ZERO);
        assert_int_equal(r.guard.wanted[p], p < 8 ? 3 : SOURCE_ZERO);
    }
    assert_int_equal(r.guard.wrong, 8);
    assert_false(coded_conforms(&r));
    r.guard.wrong = 0;
    assert_true(coded_conforms(&r));
    coded_result_free(&r);
    fake_free(&f);
}

static void coded_run_guard_of_two_experts_in_a_row_is_a_mixture(void **state)
{
    (void)state;
    struct fake f = {.terms = wrong_expert};
    struct coded_result r;
    ask(&f, &small, &r);
    assert_int_equal(r.guard.found[0], SOURCE_MIXTURE);
    assert_int_equal(r.guard.found[8], SOURCE_ZERO);
    assert_int_equal(r.guard.wrong, 8);
    coded_result_free(&r);
    fake_free(&f);
}

static void coded_run_guard_wants_the_status_word_of_who_counts(void **state)
{
    (void)state;
    struct fake counting = {.report = {.wgmma = 1, .wgmma_expected = 1}}, silent = {0};
    struct coded_result r;
    ask(&counting, &small, &r);
    assert_true(r.guard.status_told);
    assert_int_equal(r.guard.status_word, 0);
    assert_int_equal(r.guard.status_wanted, 2);
    assert_int_equal(r.guard.wrong, 0);
    assert_false(coded_conforms(&r));
    coded_result_free(&r);
    fake_free(&counting);
    ask(&silent, &small, &r);
    assert_false(r.guard.status_told);
    assert_true(coded_conforms(&r));
    coded_result_free(&r);
    fake_free(&silent);
}

static uint32_t row_missing_at_the_end(const struct fake *f, uint32_t p, uint32_t n)
{
    (void)f, (void)n;
    return p < small.P / 3 ? p : FAKE_UNWRITTEN;
}

static void coded_run_guard_tells_unwritten_from_zero(void **state)
{
    (void)state;
    struct fake f = {.row = row_missing_at_the_end, .expert = zero_for_none};
    struct coded_result r;
    ask(&f, &small, &r);
    assert_int_equal(r.guard.found[0], 3);
    assert_int_equal(r.guard.found[8], SOURCE_UNWRITTEN);
    assert_int_equal(r.guard.wrong, 16);
    coded_result_free(&r);
    fake_free(&f);
}

/* ---- limits and failures ---------------------------------------------------------------------------------------- */

static void coded_run_without_scales_asks_values_and_rows(void **state)
{
    (void)state;
    struct fake f = {0};
    struct executor x = fake_executor(&f);
    struct coded_result r;
    struct error e;
    x.limits.no_scales = true;
    assert_int_equal(coded_run(&x, &small, &r, &e), STATUS_OK);
    assert_int_equal(fake_expect(&f, &r), 0);
    assert_int_equal(r.scale_planes, 0);
    assert_int_equal(r.pair_planes, 1);
    assert_true(coded_conforms(&r));
    for (size_t i = 0; i < r.map.experts * r.map.N * r.map.blocks; i++) /* of the last load */
        assert_int_equal(f.w.scales[i], 127);
    coded_result_free(&r);
    fake_free(&f);
}

static void coded_run_without_segments_asks_one_expert(void **state)
{
    (void)state;
    struct fake f = {0};
    struct executor x = fake_executor(&f);
    struct coded_result r;
    struct error e;
    x.limits.no_segments = true;
    assert_int_equal(coded_run(&x, &small, &r, &e), STATUS_OK);
    assert_int_equal(fake_expect(&f, &r), 0);
    assert_int_equal(r.map.experts, 1);
    assert_int_equal(r.map.segments.active, 1);
    assert_int_equal(r.map.starts[1], small.P);
    assert_false(r.guard.asked);
    assert_true(coded_conforms(&r));
    coded_result_free(&r);
    fake_free(&f);
}

static void refuse(const struct executor *x, struct coded_options o, enum status s, const char *why)
{
    struct coded_result r = {.launches = 77};
    struct error e = {0};
    assert_int_equal(coded_run(x, &o, &r, &e), s);
    assert_int_equal(r.launches, 77);
    expect_error(&e, s, "", "", -1, why);
}

static void coded_run_refuses_what_cannot_be_asked(void **state)
{
    (void)state;
    struct fake f = {0};
    struct executor x = fake_executor(&f);
    refuse(&x, (struct coded_options){0, 32, 64, 4, 0}, STATUS_BAD_ARGUMENT, "0 rows");
    refuse(&x, (struct coded_options){8, 0, 64, 4, 0}, STATUS_BAD_ARGUMENT, "N = 0");
    refuse(&x, (struct coded_options){8, 32, 33, 4, 0}, STATUS_BAD_ARGUMENT, "K = 33");
    refuse(&x, (struct coded_options){8, 32, 64, 0, 0}, STATUS_BAD_ARGUMENT, "0 experts");
    x.limits = (struct executor_limits){.multiple_N = 16, .multiple_K = 64, .most_P = 20};
    refuse(&x, (struct coded_options){8, 24, 64, 4, 0}, STATUS_BAD_ARGUMENT, "N % 16 == 0 and K % 64 == 0, not N = 24");
    refuse(&x, (struct coded_options){8, 32, 96, 4, 0}, STATUS_BAD_ARGUMENT, "K = 96");
    refuse(&x, small, STATUS_BAD_ARGUMENT, "at most 20 rows, not P = 24");
    assert_int_equal(f.runs, 0);
}

static void coded_run_passes_on_what_the_subject_reports(void **state)
{
    (void)state;
    struct fake right = {0};
    struct coded_result r;
    ask(&right, &small, &r);
    size_t launches = r.launches;
    coded_result_free(&r);
    fake_free(&right);
    for (size_t at = 1; at <= launches; at += 1 + at / 3) {
        struct fake f = {.breaks = at % 2 ? STATUS_SUBJECT : STATUS_DEVICE, .breaks_at = at};
        struct executor x = fake_executor(&f);
        refuse(&x, small, f.breaks, "it broke");
        assert_int_equal(f.runs, at);
        fake_free(&f);
    }
}

struct thrifty {
    struct fake fake;
    struct coded_result result;
};

static enum status run_thrifty(void *context, struct error *e)
{
    static const struct coded_options o = {2, 2, 32, 1, 0};
    struct thrifty *t = context;
    struct executor x = fake_executor(&t->fake);
    enum status s = coded_run(&x, &o, &t->result, e);
    fake_free(&t->fake);
    return s;
}

static void coded_run_without_memory_says_so(void **state)
{
    (void)state;
    struct thrifty t = {.result.launches = 0};
    assert_true(alloc_check(run_thrifty, NULL, &t) > 20);
    coded_result_free(&t.result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coded_run_of_a_right_kernel_conforms),
        cmocka_unit_test(coded_run_map_of_a_misplacing_kernel_is_its_rule),
        cmocka_unit_test(coded_run_of_a_padded_scale_knows_the_value_and_not_the_scale),
        cmocka_unit_test(coded_run_of_a_factor_knows_every_source_and_does_not_conform),
        cmocka_unit_test(coded_run_takes_minus_zero_for_zero),
        cmocka_unit_test(coded_run_tells_inf_from_nan_where_no_zero_hides_it),
        cmocka_unit_test(coded_run_finds_wrong_products_and_sums_of_a_right_map),
        cmocka_unit_test(coded_run_finds_launches_that_do_not_repeat),
        cmocka_unit_test(coded_run_counts_launches_whose_wgmma_are_not_as_expected),
        cmocka_unit_test(coded_run_guard_names_the_expert_that_was_used),
        cmocka_unit_test(coded_run_guard_of_two_experts_in_a_row_is_a_mixture),
        cmocka_unit_test(coded_run_guard_wants_the_status_word_of_who_counts),
        cmocka_unit_test(coded_run_guard_tells_unwritten_from_zero),
        cmocka_unit_test(coded_run_without_scales_asks_values_and_rows),
        cmocka_unit_test(coded_run_without_segments_asks_one_expert),
        cmocka_unit_test(coded_run_refuses_what_cannot_be_asked),
        cmocka_unit_test(coded_run_passes_on_what_the_subject_reports),
        cmocka_unit_test(coded_run_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
