/* probe: the answer of fo_probe, field by field, and what makes its verdict. */
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oracle/answer/identity_case.h"
#include "oracle/answer/scores.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "tests/support/alloc.h"
#include "tests/support/scratch.h"

/* Ask, and parse the answer's JSON. */
static json_t *probe(const struct fo_probe_options *o, enum fo_verdict verdict, char **text)
{
    struct fo_answer answer;
    struct fo_error error;
    if (fo_probe(o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    assert_int_equal(answer.verdict, verdict);
    json_t *document = json_loads(answer.json, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    if (text) {
        *text = answer.text;
        answer.text = NULL;
    }
    fo_answer_free(&answer);
    return document;
}

static const char *string_of(const json_t *document, const char *member)
{
    const char *text = json_string_value(json_object_get(document, member));
    assert_non_null(text);
    return text;
}

static json_int_t integer_of(const json_t *document, const char *object, const char *member)
{
    const json_t *value = json_object_get(object ? json_object_get(document, object) : document, member);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static json_int_t hits_of(const json_t *document, const char *score)
{
    return integer_of(json_object_get(document, "scores"), score, "hits");
}

static const struct fo_probe_options plain = {.kind = "identity", .pass = -1, .on = "model"};

static void probe_of_the_production_kernel_conforms_at_the_default_shape(void **state)
{
    (void)state;
    char *text;
    json_t *d = probe(&plain, FO_CONFORMS, &text);
    assert_string_equal(string_of(d, "schema"), "fragoracle.scores/1");
    assert_string_equal(string_of(d, "probe"), "identity");
    assert_string_equal(string_of(d, "subject"), "rs");
    assert_string_equal(string_of(d, "executor"), "model");
    assert_string_equal(string_of(d, "fidelity"), "bit-exact model");
    assert_string_equal(string_of(d, "verdict"), "conforms");
    assert_string_equal(string_of(d, "repeat"), "fragoracle probe identity --subject rs --shape 80,208,192 --weights "
                                                "sample --seed 0 --on model");
    assert_int_equal(integer_of(d, "shape", "P"), 80);
    assert_int_equal(integer_of(d, "shape", "N"), 208);
    assert_int_equal(integer_of(d, "shape", "K"), 192);
    assert_int_equal(integer_of(d, "shape", "experts"), 6);
    assert_int_equal(integer_of(d, "shape", "segments"), 5);
    assert_int_equal(integer_of(d, "scores", "differing"), 0);
    assert_int_equal(hits_of(d, "unwritten"), 0);
    assert_true(integer_of(d, "kernel", "wgmma") > 0);
    assert_int_equal(integer_of(d, "kernel", "wgmma"), integer_of(d, "kernel", "wgmma_expected"));

    /* The passes are listed, the last is special, and they sum to the whole. */
    const json_t *list = json_object_get(d, "per_pass");
    size_t passes = json_array_size(list);
    json_int_t compared = 0, launches = 0;
    assert_true(passes > 2);
    assert_int_equal(integer_of(d, NULL, "passes"), passes);
    for (size_t i = 0; i < passes; i++) {
        const json_t *pass = json_array_get(list, i);
        assert_int_equal(integer_of(pass, NULL, "pass"), i);
        assert_int_equal(json_is_true(json_object_get(pass, "special")), i + 1 == passes);
        compared += integer_of(pass, "scores", "compared");
        launches += integer_of(pass, "kernel", "launches");
    }
    assert_int_equal(compared, 80 * 208 * (json_int_t)passes);
    assert_int_equal(compared, integer_of(d, "scores", "compared"));
    assert_int_equal(launches, integer_of(d, "kernel", "launches"));
    assert_non_null(strstr(text, "verdict: conforms\n"));
    free(text);
    json_decref(d);
}

static void probe_of_a_planted_fault_differs_and_its_repeat_line_names_the_pass(void **state)
{
    (void)state;
    struct fo_probe_options o = plain;
    char *text, wanted[32];
    o.subject = "rs+F02";
    json_t *d = probe(&o, FO_DIFFERS, &text);
    json_int_t worst = integer_of(d, NULL, "worst_pass");
    snprintf(wanted, sizeof wanted, " --pass %lld", (long long)worst);
    const char *repeat = string_of(d, "repeat");
    assert_string_equal(repeat + strlen(repeat) - strlen(wanted), wanted);
    assert_non_null(strstr(text, "\n  worst pass "));
    assert_true(integer_of(d, "scores", "differing") > 0);
    free(text);

    /* That pass alone scores as it did among the others. */
    const json_t *list = json_object_get(d, "per_pass");
    o.pass = worst;
    json_t *alone = probe(&o, FO_DIFFERS, NULL);
    assert_int_equal(integer_of(alone, NULL, "passes"), 1);
    assert_true(integer_of(alone, "scores", "differing") > 0);
    assert_true(json_equal(json_object_get(json_array_get(json_object_get(alone, "per_pass"), 0), "scores"),
                           json_object_get(json_array_get(list, (size_t)worst), "scores")));
    json_decref(alone);
    json_decref(d);
}

static void probe_of_the_historical_case_asks_one_expert_in_one_pass(void **state)
{
    (void)state;
    struct fo_probe_options o = plain;
    o.historical = 1;
    json_t *d = probe(&o, FO_CONFORMS, NULL);
    assert_int_equal(integer_of(d, NULL, "passes"), 1);
    assert_int_equal(integer_of(d, "shape", "P"), 32);
    assert_int_equal(integer_of(d, "shape", "N"), 128);
    assert_int_equal(integer_of(d, "shape", "K"), 128);
    assert_int_equal(integer_of(d, "shape", "experts"), 1);
    assert_int_equal(integer_of(d, "shape", "segments"), 1);
    assert_int_equal(hits_of(d, "row_identity"), 32);
    assert_int_equal(hits_of(d, "col_identity"), 128);
    assert_int_equal(integer_of(d, "kernel", "launches"), 2);
    json_decref(d);
}

static void probe_writes_scores_and_maps_to_its_folder(void **state)
{
    char out[SCRATCH_PATH], path[SCRATCH_PATH];
    struct fo_probe_options o = plain;
    static const char *const pictures[] = {"out/deep/rows.png", "out/deep/columns.png", "out/deep/errors.png"};
    o.historical = 1;
    o.subject = "rs+F01";
    o.out = scratch_path(state, "out/deep", out);
    json_t *d = probe(&o, FO_DIFFERS, NULL), *written;
    assert_int_equal(
        json_read(scratch_path(state, "out/deep/scores.json", path), "fragoracle.scores/1", &written, NULL), STATUS_OK);
    assert_true(json_equal(d, written));
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        uint8_t *bytes;
        size_t size;
        assert_int_equal(file_read(scratch_path(state, pictures[i], path), 0, &bytes, &size, NULL), STATUS_OK);
        assert_true(size > 8);
        assert_memory_equal(bytes, "\x89PNG\r\n\x1a\n", 8);
        free(bytes);
    }
    json_decref(written);
    json_decref(d);
}

static void count_line(void *context, const char *line)
{
    *(int *)context += 1;
    assert_null(strchr(line, '\n'));
}

static void probe_shows_progress_and_clears_it(void **state)
{
    (void)state;
    struct fo_probe_options o = plain;
    int lines = 0;
    o.historical = 1;
    o.progress = count_line;
    o.context = &lines;
    json_decref(probe(&o, FO_CONFORMS, NULL));
    assert_int_equal(lines, 2);
}

static void assert_refused(const struct fo_probe_options *o, const char *why)
{
    struct fo_answer answer = {.text = (char *)"untouched"};
    struct fo_error error;
    assert_int_not_equal(fo_probe(o, &answer, &error), 0);
    assert_string_equal(answer.text, "untouched");
    if (!strstr(error.line, why) || strchr(error.line, '\n'))
        fail_msg("\"%s\" does not say \"%s\" in one line", error.line, why);
    assert_int_not_equal(fo_probe(o, &answer, NULL), 0);
}

static void probe_refuses_what_cannot_be(void **state)
{
    (void)state;
    struct fo_probe_options o = plain;
    o.kind = NULL;
    assert_refused(&o, "unknown probe ''");
    o = plain, o.P = 8;
    assert_refused(&o, "shape 8,0,0: wanted 1 to 2147483647 each");
    o = plain, o.P = 8, o.N = 24, o.K = 64;
    assert_refused(&o, "wants N % 16 == 0 and K % 64 == 0, not N = 24, K = 64");
    o = plain, o.pass = -2;
    assert_refused(&o, "there is no pass -2");
    o = plain, o.historical = 1, o.pass = 1;
    assert_refused(&o, "there is no pass 1, only 0 to 0");
    o = plain, o.weights.seed = UINT64_MAX;
    assert_refused(&o, "seed 18446744073709551615");
    o = plain, o.on = "";
    assert_refused(&o, "--on : legal are");
}

/* A result that conforms, of 2 x 3, to be spoiled. */
struct fixture {
    struct identity_pass_result pass;
    struct bf16 output[6], expected[6];
    struct identity_result result;
    struct scores_case c;
};

static void fixture_make(struct fixture *f)
{
    *f = (struct fixture){.pass = {.score = {.compared = 6, .first_differing = UINT64_MAX}},
                          .c = {"rs", "model", "bit-exact model", "made", 2, 3, 32, 1, 1, 0, "", "again", true, NULL}};
    snprintf(f->pass.report.kernel, sizeof f->pass.report.kernel, "k");
    f->result = (struct identity_result){.total = f->pass.score,
                                         .passes = 1,
                                         .pass = &f->pass,
                                         .report = f->pass.report,
                                         .shown_output = f->output,
                                         .shown_expected = f->expected};
    f->c.machine = json_object();
}

static void assert_scored(struct fixture *f, enum fo_verdict verdict, const char *says)
{
    struct fo_answer answer;
    assert_int_equal(scores_answer(&f->c, &f->result, NULL, &answer, NULL), STATUS_OK);
    assert_int_equal(answer.verdict, verdict);
    if (!strstr(answer.text, says))
        fail_msg("no \"%s\" in: %s", says, answer.text);
    fo_answer_free(&answer);
    json_decref((json_t *)f->c.machine);
}

static void scores_answer_differs_for_anything_that_is_not_as_it_should_be(void **state)
{
    (void)state;
    struct fixture f;
    fixture_make(&f);
    assert_scored(&f, FO_CONFORMS, "repeat:  again\n");
    fixture_make(&f);
    f.result.report.status_word = f.pass.report.status_word = 3;
    assert_scored(&f, FO_DIFFERS, "status word   3, although no segment is bad");
    fixture_make(&f);
    f.result.report.wgmma = f.pass.report.wgmma = 7;
    f.result.report.wgmma_expected = f.pass.report.wgmma_expected = 8;
    assert_scored(&f, FO_DIFFERS, "wgmma 7 of 8 expected");
    fixture_make(&f);
    f.result.total.unwritten.hits = 1;
    assert_scored(&f, FO_DIFFERS, "repeat:  again --pass 0\n");
    fixture_make(&f);
    f.result.total.differing = f.pass.score.differing = 1;
    f.result.total.first_differing = f.pass.score.first_differing = 4;
    f.output[4].bits = BF16_ONE;
    assert_scored(&f, FO_DIFFERS, "first row 1, col 1: is 1 (0x3f80), expected 0 (0x0000)");
    fixture_make(&f);
    f.c.repeat_takes_pass = false, f.c.note = "only half";
    f.result.total.unwritten.hits = 1;
    assert_scored(&f, FO_DIFFERS, "note          only half\nverdict: differs\nrepeat:  again\n");
}

static void text_add_word_quotes_what_a_shell_would_take_apart(void **state)
{
    (void)state;
    static const char *const words[][2] = {{"a/b-c_1.x", "a/b-c_1.x"}, {"", "''"},       {"a b", "'a b'"},
                                           {"a'b", "'a'\\''b'"},       {"$x;", "'$x;'"}, {"~", "'~'"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct text t = {0};
        text_add_word(&t, words[i][0]);
        assert_string_equal(t.data, words[i][1]);
        text_free(&t);
    }
}

static enum status probe_once(void *context, struct error *e)
{
    struct fo_probe_options o = plain;
    struct fo_answer answer;
    struct fo_error error;
    (void)context;
    o.P = 8, o.N = 16, o.K = 64, o.historical = 1;
    o.weights.kind = "random";
    int failed = fo_probe(&o, &answer, &error);
    if (!failed)
        fo_answer_free(&answer);
    else
        error_set(e, (enum status)failed, "%s", error.line);
    return (enum status)failed;
}

static void probe_without_memory_says_so(void **state)
{
    (void)state;
    assert_true(alloc_check(probe_once, NULL, NULL) > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_of_the_production_kernel_conforms_at_the_default_shape),
        cmocka_unit_test(probe_of_a_planted_fault_differs_and_its_repeat_line_names_the_pass),
        cmocka_unit_test(probe_of_the_historical_case_asks_one_expert_in_one_pass),
        cmocka_unit_test_setup_teardown(probe_writes_scores_and_maps_to_its_folder, scratch_setup, scratch_teardown),
        cmocka_unit_test(probe_shows_progress_and_clears_it),
        cmocka_unit_test(probe_refuses_what_cannot_be),
        cmocka_unit_test(scores_answer_differs_for_anything_that_is_not_as_it_should_be),
        cmocka_unit_test(text_add_word_quotes_what_a_shell_would_take_apart),
        cmocka_unit_test(probe_without_memory_says_so),
    };
    setenv("FRAGORACLE_ARTIFACTS", FO_SOURCE_DIR "/artifacts", 1);
    omp_set_num_threads(1); /* allocations are counted, and made to fail, in one thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
