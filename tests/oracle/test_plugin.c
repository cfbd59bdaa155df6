/* plugin: right ones of every type and layout conform, a wrong one does not, what is not applicable is said, and one
 * that breaks is an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/adapt.h"
#include "oracle/answer/stages.h"
#include "oracle/io/json.h"
#include "tests/support/alloc.h"
#include "tests/support/scratch.h"

#define GOOD "plugin:" FO_PLUGIN_GOOD
#define BAD  "plugin:" FO_PLUGIN_BAD

static const struct fo_probe_options plain = {.kind = "identity", .pass = -1, .on = "model"};

static json_t *probe(const struct fo_probe_options *o, enum fo_verdict verdict, const char *says)
{
    struct fo_answer answer;
    struct fo_error error;
    if (fo_probe(o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    if (answer.verdict != verdict || !strstr(answer.text, says))
        fail_msg("wanted %s with \"%s\":\n%s", fo_verdict_name(verdict), says, answer.text);
    json_t *document = json_loads(answer.json, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    fo_answer_free(&answer);
    return document;
}

static const char *string_of(const json_t *d, const char *member)
{
    return json_string_value(json_object_get(d, member));
}

static void probe_of_a_right_plugin_conforms_in_every_type_and_layout(void **state)
{
    static const struct {
        const char *good, *says;
    } cases[] = {
        {"bf16", "passes 6"},
        {"bf16 checked", "approximate"},
        {"bf16 gpu", "(hardware)"},
        {"bf16 dense", "not applicable: experts and segments (a dense product)"},
        {"bf16 limited", "P,N,K = 16,288,320"},
        {"bf16 scales", "verdict: conforms"},
        {"f16", "not applicable: block scales (all are 1); the special pass\n"},
        {"f16 scales", "passes 6"},
        {"e4m3", "passes 5"},
        {"e4m3 scales dense", "experts 1, segments 1, passes 6"},
        {"int4", "not applicable: block scales (all are 1); values that its type has not"},
        {"int4 scales",
         "not applicable: values that its type has not (the next larger one instead); the special pass\n"},
        {"int4-offset8", "verdict: conforms"},
        {"int4-offset8 scales", "verdict: conforms"},
        {"mxfp4", "passes 6"},
        {"mxfp4 dense", "experts 1"},
        {"hopper", "passes 6"},
        {"hopper8 checked", "passes 6"},
        {"hopper limited", "P,N,K = 16,288,320"},
    };
    struct fo_probe_options o = plain;
    (void)state;
    o.subject = GOOD;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int adversarial = 0; adversarial < 2; adversarial++) {
            bool limited = strstr(cases[i].good, "limited") != NULL; /* then the default is made to fit */
            o.P = limited ? 0 : 40, o.N = limited ? 0 : 48, o.K = limited ? 0 : 96;
            setenv("FO_GOOD", cases[i].good, 1);
            o.weights.kind = adversarial ? "adversarial" : NULL;
            unsetenv("FO_GOOD_WRONG");
            json_t *d = probe(&o, FO_CONFORMS, cases[i].says);
            assert_string_equal(string_of(d, "executor"), "plugin");
            assert_string_equal(string_of(d, "subject"), GOOD);
            assert_null(json_object_get(d, "broke"));
            json_decref(d);
            /* Its twin with one weight of each expert wrong does not. */
            setenv("FO_GOOD_WRONG", "1", 1);
            if (adversarial) {
                o.weights = (struct fo_weights_options){.kind = "random", .seed = 2};
                json_decref(probe(&o, FO_DIFFERS, "verdict: differs"));
                o.weights = (struct fo_weights_options){0};
            }
        }
    unsetenv("FO_GOOD_WRONG");
}

static void probe_of_a_shape_that_is_no_multiple_is_refused(void **state)
{
    struct fo_probe_options o = plain;
    struct fo_answer answer;
    struct fo_error error;
    (void)state;
    setenv("FO_GOOD", "bf16 limited", 1);
    o.subject = GOOD;
    o.P = 16, o.N = 96, o.K = 64;
    assert_int_equal(fo_probe(&o, &answer, &error), STATUS_BAD_ARGUMENT);
    assert_string_equal(error.line, "not applicable: the subject wants K % 80 == 0, not K = 64");
    o.P = 17, o.K = 160;
    assert_int_equal(fo_probe(&o, &answer, &error), STATUS_BAD_ARGUMENT);
    assert_string_equal(error.line, "not applicable: 17 rows, and the subject takes 16");
    o.P = 16;
    json_decref(probe(&o, FO_CONFORMS, "P,N,K = 16,96,160"));
}

static void probe_of_the_special_pass_without_scales_is_refused(void **state)
{
    struct fo_probe_options o = plain;
    struct fo_answer answer;
    struct fo_error error;
    (void)state;
    o.subject = GOOD;
    o.pass = 5;
    setenv("FO_GOOD", "bf16", 1);
    json_decref(probe(&o, FO_CONFORMS, "passes 1"));
    setenv("FO_GOOD", "f16", 1);
    assert_int_equal(fo_probe(&o, &answer, &error), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(error.line, "pass 5 is not one of 0 to 4"));
}

static void probe_of_a_plugin_that_breaks_is_an_answer(void **state)
{
    static const struct {
        const char *how, *sentence;
    } cases[] = {
        {"crash-open", "the subject died of signal 11 (SIGSEGV) at address 0x10 while it was opened"},
        {"crash-load", "the subject died of signal 11 (SIGSEGV) at address 0x10 while it loaded weights"},
        {"crash-second", "the subject died of signal 11 (SIGSEGV) at address 0x10 in launch 2"},
        {"after", "the subject wrote 16 bytes past the end of out in launch 1"},
        {"fails", "the subject returned 42 from run in launch 1"},
    };
    struct fo_probe_options o = plain;
    char out[SCRATCH_PATH], path[SCRATCH_PATH];
    o.subject = BAD;
    o.out = scratch_path(state, "answer", out);
    scratch_path(state, "answer/scores.json", path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e;
        json_t *written;
        setenv("FO_BAD", cases[i].how, 1);
        json_t *d = probe(&o, FO_DIFFERS, cases[i].sentence);
        assert_string_equal(string_of(d, "schema"), "fragoracle.scores/1");
        assert_string_equal(string_of(d, "broke"), cases[i].sentence);
        assert_string_equal(string_of(d, "verdict"), "differs");
        assert_non_null(strstr(string_of(d, "repeat"), "--subject " BAD " --shape 80,208,192"));
        assert_null(json_object_get(d, "scores"));
        assert_int_equal(json_integer_value(json_object_get(json_object_get(d, "shape"), "experts")), 6);
        assert_int_equal(json_read(path, "fragoracle.scores/1", &written, &e), STATUS_OK);
        assert_true(json_equal(written, d));
        json_decref(written);
        json_decref(d);
    }
}

static void probe_of_a_plugin_that_is_wrong_in_numbers_differs(void **state)
{
    static const struct {
        const char *how, *says;
    } cases[] = {{"unwritten", "unwritten     6 of 99840"},
                 {"nan", "max_abs inf"},
                 {"random", "verdict: differs"},
                 {"status", "status word   3"}};
    struct fo_probe_options o = plain;
    (void)state;
    o.subject = BAD;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("FO_BAD", cases[i].how, 1);
        json_t *d = probe(&o, FO_DIFFERS, cases[i].says);
        assert_non_null(json_object_get(d, "scores"));
        json_decref(d);
    }
    setenv("FO_BAD", "", 1);
    json_decref(probe(&o, FO_CONFORMS, "bad, launches 12"));
}

static enum status probe_run(void *context, struct error *e)
{
    struct fo_probe_options o = plain;
    struct fo_answer answer;
    struct fo_error error;
    o.subject = BAD;
    o.P = 8, o.N = 16, o.K = 32;
    o.weights.kind = "random";
    int failed = fo_probe(&o, &answer, &error);
    if (failed)
        return error_set(e, (enum status)failed, "%.300s", error.line);
    assert_int_equal(answer.verdict, *(const enum fo_verdict *)context);
    fo_answer_free(&answer);
    return STATUS_OK;
}

static void probe_of_a_broken_plugin_without_memory_is_trouble(void **state)
{
    enum fo_verdict differs = FO_DIFFERS;
    (void)state;
    setenv("FO_BAD", "crash-open", 1);
    assert_true(alloc_check(probe_run, NULL, &differs) > 10);
    setenv("FO_BAD", "crash-run", 1);
    assert_true(alloc_check(probe_run, NULL, &differs) > 10);
}

static const struct stage *stage_named(const char *name)
{
    for (size_t i = 0; i < STAGE_COUNT; i++)
        if (strcmp(check_stages[i].name, name) == 0)
            return &check_stages[i];
    fail_msg("no stage %s", name);
    return NULL;
}

static void stages_of_a_plugin_ask_what_it_takes(void **state)
{
    static const struct {
        const char *good, *stage;
        enum fo_verdict verdict;
        const char *counted;
    } cases[] = {
        {"bf16", "routing", FO_CONFORMS, "4 of 4 cases: legal segments only"},
        {"mxfp4 checked", "routing", FO_CONFORMS, "9 of 9 cases: status word"},
        {"int4 dense", "routing", FO_NOT_APPLICABLE, "takes no segments"},
        {"int4 dense", "identity", FO_CONFORMS, "3 of 3 probes conform"},
    };
    const struct fo_check_options options = {0};
    struct check c = {.options = &options, .subject = GOOD, .seed = 1};
    (void)state;
    machine_model(&c.machine);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stage_result r = {0};
        struct error e;
        setenv("FO_GOOD", cases[i].good, 1);
        if (stage_named(cases[i].stage)->run(&c, &r, &e) != STATUS_OK)
            fail_msg("%s: %s", cases[i].good, e.why);
        if (r.verdict != cases[i].verdict || !strstr(r.counted, cases[i].counted))
            fail_msg("%s: %s, %s; %s", cases[i].good, fo_verdict_name(r.verdict), r.counted, r.detail);
    }
}

static void stages_of_a_plugin_that_breaks_say_so(void **state)
{
    const struct fo_check_options options = {0};
    struct check c = {.options = &options, .subject = BAD, .seed = 1};
    struct stage_result r = {0};
    struct error e = {0};
    (void)state;
    machine_model(&c.machine);
    setenv("FO_BAD", "crash-run", 1);
    assert_int_equal(stage_identity(&c, &r, &e), STATUS_OK);
    assert_int_equal(r.verdict, FO_DIFFERS);
    assert_non_null(strstr(r.detail, "the subject died of signal 11 (SIGSEGV) at address 0x10 in launch 1; repeat: "));
    assert_int_equal(stage_routing(&c, &r, &e), STATUS_SUBJECT);
    assert_int_equal(stage_product(&c, &r, &e), STATUS_SUBJECT);
    assert_string_equal(e.why, "the subject died of signal 11 (SIGSEGV) at address 0x10 in launch 1");
    setenv("FO_BAD", "", 1);
}

static void adapt_shape_rounds_up_to_what_is_wanted(void **state)
{
    static const struct {
        struct executor_limits l;
        uint64_t P, N, K;
        bool fits;
        uint64_t to[3];
    } cases[] = {
        {{0}, 80, 208, 192, true, {80, 208, 192}},
        {{.multiple_N = 16, .multiple_K = 64}, 80, 208, 192, true, {80, 208, 192}},
        {{.multiple_N = 128, .multiple_K = 128, .most_P = 64}, 80, 208, 192, true, {64, 256, 256}},
        {{.multiple_K = 48}, 1, 1, 64, true, {1, 1, 96}},
        {{.multiple_K = 5}, 1, 1, 32, true, {1, 1, 160}},
        {{.multiple_K = 0xfffffffe}, 1, 1, 32, false, {0}},
        {{.only_P = 25, .only_N = 7, .only_K = 96}, 80, 208, 192, true, {25, 7, 96}},
        {{.only_K = 48}, 80, 208, 192, false, {0}}, /* no whole blocks */
        {{.multiple_N = 0xffffffff}, 1, 1, 32, false, {0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t P = cases[i].P, N = cases[i].N, K = cases[i].K;
        assert_int_equal(adapt_shape(&cases[i].l, &P, &N, &K), cases[i].fits);
        if (cases[i].fits)
            assert_true(P == cases[i].to[0] && N == cases[i].to[1] && K == cases[i].to[2]);
    }
}

static int setup(void **state)
{
    setenv("FRAGORACLE_SUBJECT", FO_HELPER, 1);
    setenv("FO_BAD", "", 1);
    setenv("FO_GOOD", "", 1);
    return scratch_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_of_a_right_plugin_conforms_in_every_type_and_layout),
        cmocka_unit_test(probe_of_a_shape_that_is_no_multiple_is_refused),
        cmocka_unit_test(probe_of_the_special_pass_without_scales_is_refused),
        cmocka_unit_test(probe_of_a_plugin_that_breaks_is_an_answer),
        cmocka_unit_test(probe_of_a_plugin_that_is_wrong_in_numbers_differs),
        cmocka_unit_test(probe_of_a_broken_plugin_without_memory_is_trouble),
        cmocka_unit_test(stages_of_a_plugin_ask_what_it_takes),
        cmocka_unit_test(stages_of_a_plugin_that_breaks_say_so),
        cmocka_unit_test(adapt_shape_rounds_up_to_what_is_wanted),
    };
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
