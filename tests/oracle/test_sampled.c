/* sampled: the answer of a random probe, field by field, of our kernels, of planted faults, and through files. */
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/sampled.h"
#include "oracle/exec/subject.h"
#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "probes/identity.h"
#include "probes/weights.h"
#include "reference/number.h"
#include "tests/support/alloc.h"
#include "tests/support/scratch.h"

static const struct fo_probe_options plain = {
    .kind = "random", .pass = -1, .on = "model", .P = 16, .N = 32, .K = 128, .weights = {.kind = "random"}};

static json_t *parse(struct fo_answer *answer, char **text)
{
    json_t *document = json_loads(answer->json, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    if (text) {
        *text = answer->text;
        answer->text = NULL;
    }
    fo_answer_free(answer);
    return document;
}

static json_t *probe(const struct fo_probe_options *o, enum fo_verdict verdict, char **text)
{
    struct fo_answer answer;
    struct fo_error error;
    if (fo_probe(o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    if (answer.verdict != verdict)
        fail_msg("%s", answer.text);
    return parse(&answer, text);
}

/* "a.b.c" of a document. */
static const json_t *member(const json_t *document, const char *path)
{
    char name[64];
    while (document && *path) {
        size_t length = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        document = json_object_get(document, name);
        path += length + (path[length] == '.');
    }
    assert_non_null(document);
    return document;
}

static json_int_t integer(const json_t *document, const char *path)
{
    assert_true(json_is_integer(member(document, path)));
    return json_integer_value(member(document, path));
}

static const char *string(const json_t *document, const char *path)
{
    assert_true(json_is_string(member(document, path)));
    return json_string_value(member(document, path));
}

static void probe_random_of_the_production_kernel_conforms(void **state)
{
    (void)state;
    static const char *const passes[] = {"uniform", "spread", "special", "weights"};
    char *text;
    json_t *d = probe(&plain, FO_CONFORMS, &text);
    assert_string_equal(string(d, "schema"), "fragoracle.random/1");
    assert_string_equal(string(d, "probe"), "random");
    assert_string_equal(string(d, "subject"), "rs");
    assert_string_equal(string(d, "executor"), "model");
    assert_string_equal(string(d, "fidelity"), "bit-exact model");
    assert_string_equal(string(d, "weights"), "random, seed 0");
    assert_string_equal(string(d, "judged"), "bit for bit, and by the bound");
    assert_string_equal(string(d, "verdict"), "conforms");
    assert_string_equal(string(d, "repeat"), "fragoracle probe random --subject rs --shape 16,32,128 --weights random "
                                             "--seed 0 --on model");
    assert_string_equal(string(d, "machine.executor"), "model");
    assert_non_null(strstr(string(d, "bound"), "2^-23"));
    assert_int_equal(integer(d, "shape.P"), 16);
    assert_int_equal(integer(d, "shape.N"), 32);
    assert_int_equal(integer(d, "shape.K"), 128);
    assert_int_equal(integer(d, "shape.experts"), 8);
    assert_int_equal(integer(d, "shape.segments"), 5);
    assert_int_equal(integer(d, "seed"), 0);
    assert_int_equal(integer(d, "passes"), 4);
    assert_int_equal(integer(d, "kernel.launches"), 8);
    assert_true(integer(d, "kernel.wgmma") > 0);
    assert_int_equal(integer(d, "counts.compared"), 4 * 16 * 32);
    assert_int_equal(integer(d, "counts.equal"), 4 * 16 * 32);
    assert_int_equal(integer(d, "counts.within") + integer(d, "counts.open") + integer(d, "counts.beyond") +
                         integer(d, "counts.unwritten") + integer(d, "miscounted"),
                     0);
    assert_true(json_number_value(member(d, "counts.worst_ratio")) <= 1);
    assert_true(json_is_null(member(d, "first_beyond")) && json_is_null(member(d, "first_unequal")));
    assert_true(json_is_true(member(d, "repeats")));
    assert_null(json_object_get(d, "freedom"));
    assert_int_equal(json_array_size(member(d, "notes")), 0);
    assert_int_equal(json_array_size(member(d, "per_pass")), 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *pass = json_array_get(member(d, "per_pass"), i);
        assert_string_equal(string(pass, "pass"), passes[i]);
        assert_int_equal(integer(pass, "counts.equal"), 16 * 32);
    }
    assert_non_null(strstr(text, "verdict: conforms\n"));
    assert_null(strstr(text, "first "));
    free(text);
    json_decref(d);
}

static void probe_random_without_a_shape_takes_the_default(void **state)
{
    (void)state;
    struct fo_probe_options o = plain;
    o.P = o.N = o.K = 0;
    o.weights.kind = NULL;
    json_t *d = probe(&o, FO_CONFORMS, NULL);
    assert_int_equal(integer(d, "counts.compared"), 4 * 80 * 208);
    assert_int_equal(integer(d, "shape.K"), 192);
    assert_non_null(strstr(string(d, "weights"), "sample"));
    json_decref(d);
}

static void probe_random_of_a_planted_fault_names_the_first_output_beyond(void **state)
{
    (void)state;
    struct fo_probe_options o = plain;
    char *text;
    o.subject = "rs+F11";
    json_t *d = probe(&o, FO_DIFFERS, &text);
    assert_string_equal(string(d, "first_beyond.pass"), "uniform");
    assert_int_equal(integer(d, "first_beyond.p"), 0);
    assert_int_equal(integer(d, "first_beyond.n"), 1);
    assert_int_equal(integer(d, "first_beyond.found_bits"), 0);
    double low = json_number_value(json_array_get(member(d, "first_beyond.allowed"), 0));
    double high = json_number_value(json_array_get(member(d, "first_beyond.allowed"), 1));
    double sum = json_real_value(member(d, "first_beyond.sum")),
           reach = json_real_value(member(d, "first_beyond.reach"));
    assert_true(low <= high && (low > 0 || high < 0));
    assert_true(reach > 0 && low < sum + reach + 0x1p-8 && high > sum - reach - 0x1p-8);
    struct bf16 ours = {(uint16_t)integer(d, "first_beyond.in_our_order_bits")};
    assert_true((double)bf16_decode(ours) >= low && (double)bf16_decode(ours) <= high);
    assert_true(json_number_value(member(d, "first_beyond.in_our_order")) == (double)bf16_decode(ours));
    assert_true(json_number_value(member(d, "first_beyond.ratio")) > 1);
    assert_true(integer(d, "counts.beyond") > 0);
    assert_non_null(strstr(text, "first beyond: pass uniform, out[0][1] is 0 (0x0000), allowed "));
    assert_non_null(strstr(text, "first unequal: pass uniform, out[0][1]"));
    free(text);
    json_decref(d);
}

/* A fault that random data cannot show, with the reason: the others are beyond the bound, with every set of weights. */
static bool is_blind(const char *id)
{
    /* F27: rows of long segments, which this shape has not. F29: experts that are not there, of which it asks none. */
    return strcmp(id, "F27") == 0 || strcmp(id, "F29") == 0;
}

/* The sets of weights in turn; probes/README.md has the command that asks all three of every fault. */
static void probe_random_finds_planted_faults_by_the_bound_alone(void **state)
{
    (void)state;
    static const char *const weights[] = {"sample", "random", "adversarial"};
    size_t found = 0, blind = 0, hardware = 0;
    for (size_t i = 0; i < fault_count(); i++) {
        const struct fault_entry *f = fault_at(i);
        char subject[64];
        struct fo_probe_options o = plain;
        snprintf(subject, sizeof subject, "rs+%s", f->id);
        o.P = 80, o.N = 144, o.K = 192;
        o.subject = subject;
        o.weights.kind = weights[i % 3];
        if (f->hardware_only) {
            hardware++;
            continue;
        }
        json_t *d = probe(&o, is_blind(f->id) ? FO_CONFORMS : FO_DIFFERS, NULL);
        if (is_blind(f->id))
            blind++;
        else if (integer(d, "counts.beyond") + integer(d, "counts.unwritten") > 0)
            found++;
        else
            fail_msg("%s with %s weights is within the bound", f->id, o.weights.kind);
        json_decref(d);
    }
    print_message("found %zu, cannot %zu, of hardware %zu\n", found, blind, hardware);
    assert_true(found >= 39 && blind == 2);
}

static void probe_random_finds_stale_rows_where_segments_are_long(void **state)
{
    (void)state;
    struct fo_probe_options o = plain;
    o.P = 400;
    o.subject = "rs+F27";
    json_t *d = probe(&o, FO_DIFFERS, NULL);
    assert_true(integer(d, "counts.unwritten") > 0);
    json_decref(d);
}

static void probe_random_refuses_what_belongs_to_others(void **state)
{
    (void)state;
    struct fo_answer answer;
    struct fo_error error;
    struct fo_probe_options o = plain;
    o.historical = 1;
    assert_int_equal(fo_probe(&o, &answer, &error), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(error.line, "belong to identity"));
    o = plain;
    o.pass = 0;
    assert_int_equal(fo_probe(&o, &answer, &error), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(error.line, "belong to identity"));
    o = plain;
    o.K = 100;
    assert_int_equal(fo_probe(&o, &answer, &error), STATUS_BAD_ARGUMENT);
}

static void probe_random_seeds_and_weights_are_said_again(void **state)
{
    (void)state;
    struct fo_probe_options o = plain;
    o.weights = (struct fo_weights_options){.kind = "adversarial", .seed = 77};
    json_t *d = probe(&o, FO_CONFORMS, NULL);
    assert_int_equal(integer(d, "seed"), 77);
    assert_non_null(strstr(string(d, "repeat"), "--weights adversarial --seed 77"));
    json_decref(d);
}

/* ---- other subjects -----------------------------------------------------------------------------------------------
 */

/* The production kernel under a name that is not ours; it breaks where asked. */
struct stranger {
    struct executor inner;
    bool breaks;
    char subject[32];
};

static enum status stranger_load(void *self, const struct weights *w, struct error *e)
{
    struct stranger *s = self;
    return s->breaks ? error_set(e, STATUS_SUBJECT, "it crashed") : s->inner.load(s->inner.self, w, e);
}

static enum status stranger_run(void *self, const struct bf16 *x, const struct segments *g, struct bf16 poison,
                                struct bf16 *out, struct run_report *report, struct error *e)
{
    struct stranger *s = self;
    return s->inner.run(s->inner.self, x, g, poison, out, report, e);
}

static enum status ask_stranger(const struct executor_limits *limits, bool breaks, const char *out,
                                struct fo_answer *answer)
{
    struct error e = {0};
    struct machine machine;
    struct subject rs;
    struct stranger s = {.breaks = breaks, .subject = "plugin:none.so"};
    assert_int_equal(machine_choose("model", &machine, &e), STATUS_OK);
    assert_int_equal(subject_parse("rs", &rs, &e), STATUS_OK);
    assert_int_equal(machine.subject(&rs, &s.inner, &e), STATUS_OK);
    const struct executor executor = {.name = "plugin",
                                      .subject = s.subject,
                                      .fidelity = FIDELITY_APPROXIMATE,
                                      .self = &s,
                                      .load = stranger_load,
                                      .run = stranger_run,
                                      .limits = *limits};
    struct fo_probe_options o = plain;
    o.P = o.N = o.K = 0;
    o.out = out;
    enum status status = sampled_ask(&o, &machine, &executor, answer, &e);
    s.inner.release(s.inner.self);
    return status;
}

static void probe_random_adapts_to_limits_and_says_so(void **state)
{
    (void)state;
    const struct executor_limits limits = {
        .multiple_N = 96, .multiple_K = 64, .most_P = 16, .no_scales = true, .no_segments = true, .no_codes = 1u << 1};
    struct fo_answer answer;
    assert_int_equal(ask_stranger(&limits, false, NULL, &answer), STATUS_OK);
    assert_int_equal(answer.verdict, FO_CONFORMS);
    assert_non_null(strstr(answer.text, "P,N,K = 16,288,192, experts 1\n"));
    json_t *d = parse(&answer, NULL);
    assert_int_equal(integer(d, "passes"), 3);
    assert_int_equal(integer(d, "shape.segments"), 1);
    assert_string_equal(string(d, "judged"), "by the bound");
    const char *note = json_string_value(json_array_get(member(d, "notes"), 0));
    assert_non_null(strstr(note, "block scales (all are 1)"));
    assert_non_null(strstr(note, "; the pass of special weights"));
    json_decref(d);
}

static void probe_random_of_a_subject_that_breaks_differs(void **state)
{
    char path[SCRATCH_PATH];
    struct fo_answer answer;
    struct error e;
    json_t *d, *written;
    assert_int_equal(ask_stranger(&(struct executor_limits){0}, true, scratch_path(state, "out", path), &answer),
                     STATUS_OK);
    assert_int_equal(answer.verdict, FO_DIFFERS);
    assert_non_null(strstr(answer.text, "the subject broke: it crashed\n"));
    d = parse(&answer, NULL);
    assert_string_equal(string(d, "broke"), "it crashed");
    assert_null(json_object_get(d, "counts"));
    assert_int_equal(json_read(scratch_path(state, "out/scores.json", path), SAMPLED_SCHEMA, &written, &e), STATUS_OK);
    assert_true(json_equal(d, written));
    json_decref(written);
    json_decref(d);
}

static void answer_of_a_permitted_kernel_names_the_freedom(void **state)
{
    (void)state;
    const struct sampled_options options = {.P = 1};
    struct sampled_result r = {.passes = 1, .repeats = true};
    const struct sampled_case c = {.subject = "plugin:x",
                                   .executor = "plugin",
                                   .fidelity = "hardware",
                                   .options = &options,
                                   .weights = "some",
                                   .note = "",
                                   .repeat = "",
                                   .machine = json_object()};
    struct fo_answer answer;
    struct error e;
    r.total.of[SAMPLED_EQUAL] = 3;
    r.total.of[SAMPLED_WITHIN] = 1;
    r.total.worst = 0.5;
    r.first_unequal = (struct sampled_output){true,     SAMPLED_SPREAD, 3,  4, {1.25, 0.5, false}, {{0x3f40}, {0x3fe0}},
                                              {0x3fa0}, {0x3f80},       0.5};
    assert_int_equal(sampled_answer(&c, &r, NULL, &answer, &e), STATUS_OK);
    assert_int_equal(answer.verdict, FO_PERMITTED);
    assert_non_null(strstr(answer.text, "verdict: permitted, which leaves free: order of summation\n"));
    json_t *d = parse(&answer, NULL);
    assert_string_equal(string(d, "freedom"), "order of summation");
    assert_string_equal(string(d, "verdict"), "permitted");
    assert_int_equal(integer(d, "counts.compared"), 4);
    json_t *wanted = json_pack("{s:s, s:i, s:i, s:f, s:f, s:[f, f], s:f, s:i, s:f, s:i, s:f}", "pass", "spread", "p", 3,
                               "n", 4, "sum", 1.25, "reach", 0.5, "allowed", 0.75, 1.75, "in_our_order", 1.25,
                               "in_our_order_bits", 0x3fa0, "found", 1.0, "found_bits", 0x3f80, "ratio", 0.5);
    assert_true(json_equal(wanted, member(d, "first_unequal")));
    json_decref(wanted);
    json_decref(d);
    json_decref((json_t *)c.machine);
}

/* ---- files --------------------------------------------------------------------------------------------------------
 */

/* Outputs of the production kernel on the model for what was emitted; `add` to the bits of out[0][0] of pass 1. */
static void run_files(void **state, const struct fo_weights_options *asked, size_t P, size_t N, size_t K, int add)
{
    struct error e;
    struct machine machine;
    struct subject rs;
    struct executor executor;
    struct chosen_weights chosen;
    struct weights_set special;
    struct identity_segments g;
    const struct sampled_options o = {.P = P, .seed = asked->seed};
    struct bf16 *x = calloc(P * K, sizeof *x), *out = calloc(P * N, sizeof *out);
    assert_int_equal(machine_choose("model", &machine, &e), STATUS_OK);
    assert_int_equal(subject_parse("rs", &rs, &e), STATUS_OK);
    assert_int_equal(machine.subject(&rs, &executor, &e), STATUS_OK);
    assert_int_equal(chosen_weights_make(asked, N, K, &chosen, &e), STATUS_OK);
    assert_int_equal(weights_make(WEIGHTS_SPECIAL, chosen.w.experts, N, K, asked->seed, &special, &e), STATUS_OK);
    assert_int_equal(identity_segments_make(P, chosen.w.experts, 0, &g, &e), STATUS_OK);
    for (int pass = 0; pass < SAMPLED_PASSES; pass++) {
        struct run_report report;
        sampled_activations(&o, K, (enum sampled_pass)pass, x);
        assert_int_equal(executor.load(executor.self, pass == SAMPLED_WEIGHTS ? &special.w : &chosen.w, &e), STATUS_OK);
        assert_int_equal(executor.run(executor.self, x, &g.s, (struct bf16){0}, out, &report, &e), STATUS_OK);
        if (pass == 1)
            out[0].bits = (uint16_t)(out[0].bits + add);
        for (int second = 0; second < 2; second++) {
            char name[32], path[SCRATCH_PATH];
            snprintf(name, sizeof name, second ? "out_%d_b.npy" : "out_%d.npy", pass);
            assert_int_equal(npy_write(scratch_path(state, name, path), NPY_U2, 2, (size_t[]){P, N}, out, &e),
                             STATUS_OK);
        }
    }
    executor.release(executor.self);
    chosen_weights_free(&chosen);
    weights_free(&special);
    identity_segments_free(&g);
    free(x);
    free(out);
}

static json_t *score(void **state, enum fo_verdict verdict)
{
    const struct fo_score_options o = {*state, NULL};
    struct fo_answer answer;
    struct fo_error error;
    if (fo_score(&o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    if (answer.verdict != verdict)
        fail_msg("%s", answer.text);
    return parse(&answer, NULL);
}

static void emit_and_score_ask_the_same_of_any_weights(void **state)
{
    static const struct fo_weights_options asked[] = {{.kind = "random", .seed = 4}, {.kind = "adversarial"}, {0}};
    for (size_t i = 0; i < 3; i++) {
        const struct fo_emit_options o = {
            .kind = "random", .P = 9, .N = 48, .K = 64, .weights = asked[i], .out = *state};
        struct fo_answer answer;
        struct fo_error error;
        if (fo_emit(&o, &answer, &error) != 0)
            fail_msg("%s", error.line);
        json_t *emitted = parse(&answer, NULL), *d;
        assert_string_equal(string(emitted, "probe"), "random");
        run_files(state, &asked[i], 9, 48, 64, 0);
        d = score(state, FO_CONFORMS);
        assert_string_equal(string(d, "executor"), "files");
        assert_string_equal(string(d, "judged"), "by the bound");
        assert_string_equal(string(d, "weights"), string(emitted, "weights"));
        assert_null(strstr(string(d, "weights"), "of the probe"));
        assert_memory_equal(string(d, "repeat"), "fragoracle score --in ", 22);
        assert_non_null(strstr(string(d, "repeat"), *state));
        assert_int_equal(integer(d, "counts.equal"), 4 * 9 * 48);
        assert_int_equal(integer(d, "seed"), asked[i].seed);
        json_decref(d);
        run_files(state, &asked[i], 9, 48, 64, 9);
        d = score(state, FO_DIFFERS);
        assert_string_equal(string(d, "first_beyond.pass"), "spread");
        assert_int_equal(integer(d, "counts.beyond"), 1);
        json_decref(d);
        json_decref(emitted);
        scratch_teardown(state);
        scratch_setup(state);
    }
}

/* ---- memory -------------------------------------------------------------------------------------------------------
 */

static enum status ask_once(void *context, struct error *e)
{
    struct fo_answer answer;
    struct fo_error error;
    (void)context;
    struct fo_probe_options o = plain;
    o.P = 2, o.N = 16, o.K = 64;
    int failed = fo_probe(&o, &answer, &error);
    if (failed)
        return error_set(e, (enum status)failed, "%s", error.line);
    fo_answer_free(&answer);
    return STATUS_OK;
}

static void probe_random_without_memory_says_so(void **state)
{
    (void)state;
    long before = alloc_live();
    omp_set_num_threads(1);
    assert_true(alloc_check(ask_once, NULL, NULL) > 20);
    assert_int_equal(alloc_live(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_random_of_the_production_kernel_conforms),
        cmocka_unit_test(probe_random_without_a_shape_takes_the_default),
        cmocka_unit_test(probe_random_of_a_planted_fault_names_the_first_output_beyond),
        cmocka_unit_test(probe_random_finds_planted_faults_by_the_bound_alone),
        cmocka_unit_test(probe_random_finds_stale_rows_where_segments_are_long),
        cmocka_unit_test(probe_random_refuses_what_belongs_to_others),
        cmocka_unit_test(probe_random_seeds_and_weights_are_said_again),
        cmocka_unit_test(probe_random_adapts_to_limits_and_says_so),
        cmocka_unit_test_setup_teardown(probe_random_of_a_subject_that_breaks_differs, scratch_setup, scratch_teardown),
        cmocka_unit_test(answer_of_a_permitted_kernel_names_the_freedom),
        cmocka_unit_test_setup_teardown(emit_and_score_ask_the_same_of_any_weights, scratch_setup, scratch_teardown),
        cmocka_unit_test(probe_random_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
