/* sampled: passes, classes and verdicts of kernels that were written here. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/sampled.h"
#include "probes/weights.h"
#include "reference/matmul.h"
#include "reference/mxfp4.h"
#include "reference/number.h"
#include "tests/support/alloc.h"

enum { P = 24, N = 20, K = 96, EXPERTS = 5 };

/* What a kernel does beside the right product. Pass and launch count from 0. */
struct fake {
    const struct weights *w;
    size_t loads, runs;
    bool other_order; /* as far from the right product as the bound allows */
    int64_t pass;     /* -1: what follows never happens */
    int launch;       /* -1: in both */
    size_t p, n;
    int add; /* to the bits of the output */
    bool unwritten, status, miscounted;
    enum status fails;
};

/* The output farthest from the right one that the bound allows. */
static struct bf16 farthest(const struct fake *f, const struct bf16 *x, int32_t expert, size_t n, struct bf16 right)
{
    struct bf16 row[K];
    struct sampled_factor x_factor[K], w_factor[K];
    size_t block = ((size_t)expert * N + n) * (K / MXFP4_BLOCK);
    mxfp4_decode_matrix(f->w->blocks + block * MXFP4_BLOCK_BYTES, f->w->scales + block, 1, K, row);
    sampled_factors(x, K, x_factor);
    sampled_factors(row, K, w_factor);
    struct sampled_bound b = sampled_bound_make(x_factor, w_factor, K);
    struct sampled_interval allowed = sampled_bound_interval(&b);
    return allowed.low.bits == right.bits ? allowed.high : allowed.low;
}

static enum status fake_load(void *self, const struct weights *w, struct error *e)
{
    struct fake *f = self;
    (void)e;
    f->w = w;
    f->loads++;
    return STATUS_OK;
}

static enum status fake_run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison,
                            struct bf16 *out, struct run_report *report, struct error *e)
{
    struct fake *f = self;
    size_t at = f->p * N + f->n;
    uint32_t status_word;
    bool now = f->pass == (int64_t)(f->runs / 2) && (f->launch < 0 || (size_t)f->launch == f->runs % 2);
    assert_true(out[0].bits == poison.bits && out[P * N - 1].bits == poison.bits);
    if (f->fails != STATUS_OK && f->runs == 3)
        return error_set(e, f->fails, "it broke");
    f->runs++;
    enum status status = matmul_grouped(x, s, f->w, out, &status_word, e);
    for (size_t i = 0; status == STATUS_OK && f->other_order && i < P * N; i++) {
        int32_t expert = segments_expert_of_row(s, i / N);
        if (expert >= 0)
            out[i] = farthest(f, x + i / N * K, expert, i % N, out[i]);
    }
    if (now)
        out[at].bits = f->unwritten ? poison.bits : (uint16_t)(out[at].bits + f->add);
    *report = (struct run_report){.kernel = "fake", .launches = 1, .wgmma = 7, .wgmma_expected = 7};
    report->wgmma += now && f->miscounted;
    report->status_word = now && f->status ? 3 : 0;
    return status;
}

static enum status ask(struct fake *f, const struct sampled_options *o, struct sampled_result *r, struct error *e)
{
    const struct executor executor = {.name = "fake", .subject = "fake", .self = f, .load = fake_load, .run = fake_run};
    struct weights_set set;
    enum status s = weights_make(WEIGHTS_RANDOM, EXPERTS, N, K, 3, &set, e);
    if (s != STATUS_OK)
        return s;
    s = sampled_run(&executor, &set.w, o, r, e);
    weights_free(&set);
    return s;
}

static const struct sampled_options ours = {.P = P, .seed = 1, .bitwise = true}, theirs = {.P = P, .seed = 1};

static void run(struct fake f, const struct sampled_options *o, struct sampled_result *r)
{
    struct error e;
    assert_int_equal(ask(&f, o, r, &e), STATUS_OK);
    assert_int_equal(f.runs, 2 * r->passes);
    assert_int_equal(f.loads, o->no_special ? 1 : 2);
}

static void sampled_run_of_the_right_product_conforms(void **state)
{
    (void)state;
    struct sampled_result r;
    for (int i = 0; i < 2; i++) {
        const struct sampled_options *o = i ? &theirs : &ours;
        run((struct fake){.pass = -1}, o, &r);
        assert_int_equal(sampled_judge(&r, o), SAMPLED_CONFORMS);
        assert_int_equal(r.passes, SAMPLED_PASSES);
        assert_int_equal(r.total.of[SAMPLED_EQUAL], P * N * SAMPLED_PASSES);
        assert_int_equal(r.total.of[SAMPLED_WITHIN] + r.total.of[SAMPLED_OPEN] + r.total.of[SAMPLED_BEYOND], 0);
        assert_int_equal(r.total.unwritten + r.miscounted, 0);
        assert_true(r.repeats && !r.first_beyond.found && !r.first_unequal.found);
        assert_true(r.total.worst <= 1);
        assert_int_equal(r.report.launches, 2 * SAMPLED_PASSES);
        assert_int_equal(r.report.wgmma, 7 * 2 * SAMPLED_PASSES);
        assert_string_equal(r.report.kernel, "fake");
        assert_int_equal(r.active, 5);
    }
}

static void sampled_run_of_another_order_is_permitted_to_strangers_alone(void **state)
{
    (void)state;
    struct sampled_result r;
    run((struct fake){.other_order = true, .pass = -1}, &theirs, &r);
    assert_int_equal(sampled_judge(&r, &theirs), SAMPLED_PERMITTED);
    assert_int_equal(sampled_judge(&r, &ours), SAMPLED_DIFFERS);
    assert_true(r.total.of[SAMPLED_WITHIN] > 0 && r.first_unequal.found && !r.first_beyond.found);
    assert_int_equal(r.total.of[SAMPLED_BEYOND], 0);
    assert_true(r.first_unequal.ratio <= 1 && r.first_unequal.is.bits != r.first_unequal.wanted.bits);
    size_t within = 0;
    for (size_t i = 0; i < r.passes; i++)
        within += r.pass[i].of[SAMPLED_WITHIN];
    assert_int_equal(within, r.total.of[SAMPLED_WITHIN]);
}

/* Four steps off in one output of one pass, in both launches or in either. */
static void sampled_run_of_one_wrong_output_differs_and_names_it(void **state)
{
    (void)state;
    for (int64_t pass = 0; pass < SAMPLED_PASSES; pass++)
        for (int launch = -1; launch < 2; launch++) {
            struct sampled_result r;
            /* Rows 0 and 4 stay finite in every pass, and column 8 in that of special weights. */
            run((struct fake){.pass = pass, .launch = launch, .p = 4, .n = 8, .add = 4}, &theirs, &r);
            assert_int_equal(sampled_judge(&r, &theirs), SAMPLED_DIFFERS);
            assert_int_equal(r.total.of[SAMPLED_BEYOND], 1);
            assert_int_equal(r.pass[pass].of[SAMPLED_BEYOND], 1);
            assert_int_equal(r.repeats, launch < 0);
            const struct sampled_output *first = &r.first_beyond;
            assert_true(first->found && first->pass == (enum sampled_pass)pass && first->p == 4 && first->n == 8);
            assert_int_equal(first->is.bits, (uint16_t)(first->wanted.bits + 4));
            assert_true(first->ratio > 1 && first->ratio == r.total.worst && r.pass[pass].worst == first->ratio);
            assert_true(first->bound.reach > 0 && isfinite(first->bound.sum));
            double is = (double)bf16_decode(first->is);
            assert_true(is < (double)bf16_decode(first->allowed.low) || is > (double)bf16_decode(first->allowed.high));
            assert_int_equal(r.first_unequal.p, 4);
        }
}

static void sampled_run_keeps_the_first_of_several(void **state)
{
    (void)state;
    struct sampled_result r;
    /* Row 23 is covered by no segment, which are judged before the others. */
    run((struct fake){.other_order = true, .pass = 0, .launch = -1, .p = 23, .n = 1, .add = 1}, &theirs, &r);
    assert_true(r.first_beyond.p == 23 && r.first_beyond.n == 1 && r.first_beyond.pass == SAMPLED_UNIFORM);
    assert_int_equal(r.first_beyond.allowed.high.bits, 0);
    assert_true(r.first_unequal.found && r.first_unequal.p < 23 && r.first_unequal.pass == SAMPLED_UNIFORM);
}

static void sampled_run_of_an_unwritten_output_differs(void **state)
{
    (void)state;
    struct sampled_result r;
    /* Row 3 of the special pass is all NaN: that is what a poison is, too. */
    static const size_t row[] = {0, 3, 23};
    for (size_t i = 0; i < 3; i++) {
        run((struct fake){.pass = SAMPLED_SPECIAL, .launch = -1, .p = row[i], .unwritten = true}, &theirs, &r);
        assert_int_equal(r.total.unwritten, 1);
        assert_int_equal(r.pass[SAMPLED_SPECIAL].unwritten, 1);
        assert_int_equal(r.total.of[SAMPLED_BEYOND], row[i] != 3);
        assert_int_equal(sampled_judge(&r, &theirs), SAMPLED_DIFFERS);
        assert_true(r.repeats);
    }
    /* Written once: it is beyond the bound, but not unwritten. */
    run((struct fake){.pass = 0, .launch = 1, .unwritten = true}, &theirs, &r);
    assert_int_equal(r.total.unwritten, 0);
    assert_int_equal(r.total.of[SAMPLED_BEYOND], 1);
    assert_false(r.repeats);
}

static void sampled_judge_looks_at_counts_and_status(void **state)
{
    (void)state;
    struct sampled_result r;
    run((struct fake){.pass = 1, .launch = 1, .miscounted = true}, &ours, &r);
    assert_int_equal(r.miscounted, 1);
    assert_int_equal(sampled_judge(&r, &ours), SAMPLED_DIFFERS);
    run((struct fake){.pass = 1, .launch = 0, .status = true}, &ours, &r);
    assert_int_equal(r.report.status_word, 3);
    assert_int_equal(sampled_judge(&r, &ours), SAMPLED_DIFFERS);
    r = (struct sampled_result){0};
    assert_int_equal(sampled_judge(&r, &ours), SAMPLED_DIFFERS);
    r.total.of[SAMPLED_OPEN] = 9;
    assert_int_equal(sampled_judge(&r, &theirs), SAMPLED_DIFFERS);
    r.total.of[SAMPLED_EQUAL] = 1;
    assert_int_equal(sampled_judge(&r, &theirs), SAMPLED_PERMITTED);
    assert_int_equal(sampled_judge(&r, &ours), SAMPLED_DIFFERS);
}

static void sampled_run_without_special_weights_leaves_the_pass_out(void **state)
{
    (void)state;
    const struct sampled_options o = {.P = P, .no_special = true};
    struct sampled_result r;
    run((struct fake){.pass = -1}, &o, &r);
    assert_int_equal(r.passes, SAMPLED_PASSES - 1);
    assert_int_equal(r.total.of[SAMPLED_EQUAL], P * N * (SAMPLED_PASSES - 1));
}

static void sampled_activations_are_what_the_header_says(void **state)
{
    (void)state;
    static struct bf16 x[SAMPLED_PASSES][P * K], again[P * K];
    for (int pass = 0; pass < SAMPLED_PASSES; pass++) {
        sampled_activations(&ours, K, (enum sampled_pass)pass, x[pass]);
        sampled_activations(&ours, K, (enum sampled_pass)pass, again);
        assert_memory_equal(x[pass], again, sizeof again);
        for (int other = 0; other < pass; other++)
            assert_memory_not_equal(x[other], x[pass], K * sizeof **x);
        sampled_activations(&(struct sampled_options){.P = P, .seed = 2}, K, (enum sampled_pass)pass, again);
        assert_memory_not_equal(x[pass], again, K * sizeof **x);
    }
    size_t negative = 0, least = 255, most = 0;
    for (size_t i = 0; i < P * K; i++) {
        float u = bf16_decode(x[SAMPLED_UNIFORM][i]), w = bf16_decode(x[SAMPLED_WEIGHTS][i]);
        assert_true(fabsf(u) <= 1 && fabsf(w) <= 1);
        negative += u < 0;
        size_t field = x[SAMPLED_SPREAD][i].bits >> 7 & 255;
        least = field < least ? field : least;
        most = field > most ? field : most;
    }
    assert_true(negative > P * K / 3 && negative < P * K * 2 / 3);
    assert_true(least == 127 - 8 && most == 127 + 7);
    for (size_t p = 0; p < P; p++) {
        size_t plus = 0, minus = 0, nan = 0;
        for (size_t k = 0; k < K; k++) {
            float v = bf16_decode(x[SAMPLED_SPECIAL][p * K + k]);
            plus += v == INFINITY;
            minus += v == -INFINITY;
            nan += isnan(v);
        }
        assert_int_equal(plus + minus, p % 4 % 3);
        assert_true(p % 4 != 2 || plus == 1);
        assert_int_equal(nan, p % 4 == 3);
    }
}

static void sampled_run_refuses_shapes_and_passes_failures_on(void **state)
{
    (void)state;
    struct sampled_result r;
    struct error e;
    struct fake f = {.pass = -1};
    const struct executor executor = {.self = &f, .load = fake_load, .run = fake_run};
    struct weights w = {1, 1, 31, NULL, NULL};
    assert_int_equal(sampled_run(&executor, &w, &ours, &r, &e), STATUS_BAD_ARGUMENT);
    w.K = SAMPLED_MOST_K + 32;
    assert_int_equal(sampled_run(&executor, &w, &ours, &r, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(ask(&f, &(struct sampled_options){0}, &r, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(f.runs + f.loads, 0);
    r.passes = 77;
    f.fails = STATUS_SUBJECT;
    assert_int_equal(ask(&f, &ours, &r, &e), STATUS_SUBJECT);
    assert_string_equal(e.why, "it broke");
    assert_int_equal(r.passes, 77);
}

static enum status ask_once(void *context, struct error *e)
{
    struct fake f = {.pass = -1};
    return ask(&f, &ours, context, e);
}

static void sampled_run_without_memory_says_so(void **state)
{
    (void)state;
    struct sampled_result r;
    long before = alloc_live();
    assert_true(alloc_check(ask_once, NULL, &r) > 9);
    assert_int_equal(alloc_live(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sampled_run_of_the_right_product_conforms),
        cmocka_unit_test(sampled_run_of_another_order_is_permitted_to_strangers_alone),
        cmocka_unit_test(sampled_run_of_one_wrong_output_differs_and_names_it),
        cmocka_unit_test(sampled_run_keeps_the_first_of_several),
        cmocka_unit_test(sampled_run_of_an_unwritten_output_differs),
        cmocka_unit_test(sampled_judge_looks_at_counts_and_status),
        cmocka_unit_test(sampled_run_without_special_weights_leaves_the_pass_out),
        cmocka_unit_test(sampled_activations_are_what_the_header_says),
        cmocka_unit_test(sampled_run_refuses_shapes_and_passes_failures_on),
        cmocka_unit_test(sampled_run_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
