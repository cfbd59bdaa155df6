/* check: the real program in trust order, on artifacts that are whole, missing, or wrong in one place. A stage whose
 * ground does not hold is undecided, never failed; the exit status, the JSON and the JUnit report say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/answer/stages.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "tests/support/scratch.h"
#include "tests/support/xml.h"

#define ARTIFACTS FO_SOURCE_DIR "/artifacts"
#define CAPTURE   "captures/h100/wgmma.m64n8k16.f32.bf16.bf16.rs"
#define CONTRACT  "contracts/wgmma.m64n64k16.f32.bf16.bf16.rs.A.json"

/* One run of the program. */
struct outcome {
    int exit_status;
    json_t *document;
    char *junit;
};

static void outcome_free(struct outcome *o)
{
    json_decref(o->document);
    free(o->junit);
}

/* A file as a string; owned. */
static char *text_of(const char *path)
{
    uint8_t *data;
    size_t size;
    struct error e;
    if (file_read(path, 0, &data, &size, &e) != STATUS_OK)
        fail_msg("%s: %s", path, e.why);
    char *text = realloc(data, size + 1);
    assert_non_null(text);
    text[size] = '\0';
    return text;
}

/* fragoracle check --on model with these artifacts. */
static struct outcome check_program(void **state, const char *artifacts, const char *subject)
{
    char json[SCRATCH_PATH], junit[SCRATCH_PATH], log[SCRATCH_PATH];
    scratch_path(state, "check.json", json);
    scratch_path(state, "junit.xml", junit);
    scratch_path(state, "log", log);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("FRAGORACLE_ARTIFACTS", artifacts, 1);
        if (!freopen(json, "w", stdout) || !freopen(log, "w", stderr))
            _exit(99);
        execl(FO_PROGRAM, "fragoracle", "check", "--on", "model", "--subject", subject, "--pairs", "1", "--json",
              "--junit", junit, (char *)NULL);
        _exit(98);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    struct outcome o = {WIFEXITED(status) ? WEXITSTATUS(status) : -1, NULL, NULL};
    struct error e;
    if (json_read(json, "fragoracle.check/1", &o.document, &e) != STATUS_OK)
        fail_msg("exit status %d: %s", o.exit_status, e.why);
    o.junit = text_of(junit);
    return o;
}

static const char *stage_text(const struct outcome *o, const char *stage, const char *member)
{
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(o->document, "stages"), i, s)
    {
        if (strcmp(json_string_value(json_object_get(s, "name")), stage) == 0)
            return json_string_value(json_object_get(s, member));
    }
    fail_msg("no stage %s", stage);
    return NULL;
}

/* expected: eleven letters, one a stage in trust order: c conforms, d differs, u undecided. */
static void check_outcome(const struct outcome *o, const char *expected, const char *overall, int exit_status)
{
    int count[256] = {0};
    json_t *stages = json_object_get(o->document, "stages");
    assert_int_equal(json_array_size(stages), STAGE_COUNT);
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        json_t *s = json_array_get(stages, i);
        const char *verdict = json_string_value(json_object_get(s, "verdict"));
        assert_string_equal(json_string_value(json_object_get(s, "name")), check_stages[i].name);
        if (verdict[0] != expected[i])
            fail_msg("%s is %s (%s), wanted %c", check_stages[i].name, verdict,
                     json_string_value(json_object_get(s, "detail")), expected[i]);
        /* Whatever does not conform says why. */
        assert_int_equal(json_string_value(json_object_get(s, "detail"))[0] == '\0', expected[i] == 'c');
        count[(int)expected[i]]++;
    }
    assert_string_equal(json_string_value(json_object_get(o->document, "verdict")), overall);
    assert_int_equal(o->exit_status, exit_status);
    assert_true(xml_well_formed(o->junit));
    assert_int_equal(xml_count(o->junit, "testcase"), STAGE_COUNT);
    assert_int_equal(xml_count(o->junit, "failure"), count['d']);
    assert_int_equal(xml_count(o->junit, "error"), count['u']);
    char counts[96];
    snprintf(counts, sizeof counts, "tests=\"%d\" failures=\"%d\" errors=\"%d\"", STAGE_COUNT, count['d'], count['u']);
    assert_non_null(strstr(o->junit, counts));
}

/* ---- artifacts -------------------------------------------------------------------------------------------------- */

static void link_in(const char *folder, const char *name)
{
    char from[SCRATCH_PATH], to[2 * SCRATCH_PATH];
    snprintf(from, sizeof from, "%s/%s", ARTIFACTS, name);
    snprintf(to, sizeof to, "%s/%s", folder, name);
    if (symlink(from, to) != 0)
        fail_msg("cannot link %s", to);
}

/* A copy of the artifacts, named `name`, without one of its folders ("captures", "contracts", or "" for a whole one).
 */
static const char *artifacts_without(void **state, const char *name, const char *without, char folder[SCRATCH_PATH])
{
    static const char *const parts[] = {"captures", "contracts", "sample"};
    assert_int_equal(mkdir(scratch_path(state, name, folder), 0777), 0);
    for (int i = 0; i < 3; i++)
        if (strcmp(parts[i], without) != 0)
            link_in(folder, parts[i]);
    return folder;
}

static void make_contract(const char *folder, bool lie)
{
    char path[2 * SCRATCH_PATH];
    struct error e;
    json_t *document;
    assert_int_equal(json_read(ARTIFACTS "/" CONTRACT, NULL, &document, &e), STATUS_OK);
    json_t *onehot = json_object_get(json_object_get(document, "sources"), "onehot");
    json_t *reg = json_object_get(json_object_get(onehot, "basis"), "reg");
    if (lie) { /* R1 and R2 exchanged, and still "locked": true */
        json_t *r0 = json_incref(json_array_get(reg, 0)), *r1 = json_incref(json_array_get(reg, 1));
        json_array_set_new(reg, 0, r1);
        json_array_set_new(reg, 1, r0);
    }
    snprintf(path, sizeof path, "%s/contracts", folder);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/%s", folder, CONTRACT);
    assert_int_equal(json_write(path, document, &e), STATUS_OK);
    json_decref(document);
    link_in(folder, "contracts/wgmma.m64n64k16.f32.bf16.bf16.rs.D.json");
}

/* The committed capture with the last bit of one result flipped, or said to be of the model. */
static void make_capture(const char *folder, bool flip)
{
    static const char *const parts[] = {CAPTURE "/a.npy", CAPTURE "/b.npy", CAPTURE "/c.npy"};
    char path[2 * SCRATCH_PATH];
    struct npy d;
    json_t *document;
    snprintf(path, sizeof path, "%s/%s", folder, CAPTURE);
    assert_int_equal(file_make_folder(path, NULL), STATUS_OK);
    for (int i = 0; i < 3; i++)
        link_in(folder, parts[i]);
    assert_int_equal(npy_read(ARTIFACTS "/" CAPTURE "/d.npy", &d, NULL), STATUS_OK);
    ((uint32_t *)d.data)[1000] ^= flip;
    snprintf(path, sizeof path, "%s/%s/d.npy", folder, CAPTURE);
    assert_int_equal(npy_write(path, NPY_U4, 3, d.shape, d.data, NULL), STATUS_OK);
    npy_free(&d);
    assert_int_equal(json_read(ARTIFACTS "/" CAPTURE "/capture.json", NULL, &document, NULL), STATUS_OK);
    if (!flip)
        json_object_set_new(json_object_get(document, "provenance"), "fidelity", json_string("bit-exact model"));
    snprintf(path, sizeof path, "%s/%s/capture.json", folder, CAPTURE);
    assert_int_equal(json_write(path, document, NULL), STATUS_OK);
    json_decref(document);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

/* Stages: formats layouts arithmetic captures decode fragment identity routing planted product. */

static void check_production_kernel_conforms(void **state)
{
    struct outcome o = check_program(state, ARTIFACTS, "rs");
    check_outcome(&o, "ccccccccccc", "conforms", 0);
    assert_string_equal(json_string_value(json_object_get(o.document, "fidelity")), "bit-exact model");
    outcome_free(&o);
}

/* The subject is wrong, its ground is not: only what asks the subject differs. */
static void check_planted_fault_differs(void **state)
{
    struct outcome o = check_program(state, ARTIFACTS, "rs+F01");
    check_outcome(&o, "cccccccddcd", "differs", 1);
    assert_non_null(strstr(stage_text(&o, "identity", "detail"), "repeat: fragoracle probe identity --subject rs+F01"));
    assert_non_null(strstr(stage_text(&o, "product", "detail"), "repeat: fragoracle check --subject rs+F01"));
    outcome_free(&o);
}

static void check_missing_capture_leaves_what_rests_on_it_undecided(void **state)
{
    char folder[SCRATCH_PATH];
    /* The path goes into the report: it must stay XML. */
    artifacts_without(state, "a<b>&\"c'", "captures", folder);
    struct outcome o = check_program(state, folder, "rs");
    check_outcome(&o, "cccucccuuuu", "undecided", 2);
    assert_non_null(strstr(stage_text(&o, "captures", "detail"), "a<b>&\"c'/captures"));
    assert_string_equal(stage_text(&o, "product", "detail"), "rests on captures, which does not conform");
    outcome_free(&o);
}

static void check_wrong_capture_differs_and_is_described(void **state)
{
    char folder[SCRATCH_PATH];
    artifacts_without(state, "flipped", "captures", folder);
    make_capture(folder, true);
    struct outcome o = check_program(state, folder, "rs");
    check_outcome(&o, "cccdcccuuuu", "differs", 1);
    assert_non_null(strstr(stage_text(&o, "captures", "detail"), "narrow: expected "));
    outcome_free(&o);
}

static void check_capture_of_a_model_decides_nothing(void **state)
{
    char folder[SCRATCH_PATH];
    artifacts_without(state, "model", "captures", folder);
    make_capture(folder, false);
    struct outcome o = check_program(state, folder, "rs");
    check_outcome(&o, "cccucccuuuu", "undecided", 2);
    assert_non_null(strstr(stage_text(&o, "captures", "detail"), "not captured on hardware"));
    outcome_free(&o);
}

static void check_contract_that_does_not_lock_differs(void **state)
{
    char folder[SCRATCH_PATH];
    artifacts_without(state, "lie", "contracts", folder);
    make_contract(folder, true);
    struct outcome o = check_program(state, folder, "rs+F01");
    check_outcome(&o,
                  "cccccdcu"
                  "duu",
                  "differs", 1);
    assert_non_null(strstr(stage_text(&o, "fragment", "detail"), "onehot: slot 0.1.0 holds (0,8)"));
    outcome_free(&o);
}

static void check_missing_contracts_are_undecided(void **state)
{
    char folder[SCRATCH_PATH];
    artifacts_without(state, "none", "contracts", folder);
    struct outcome o = check_program(state, folder, "rs");
    check_outcome(&o,
                  "cccccucu"
                  "cuu",
                  "undecided", 2);
    outcome_free(&o);
}

static void fo_check_wrong_options_are_refused(void **state)
{
    (void)state;
    static const struct fo_check_options wrong[] = {
        {.on = "toaster"}, {.on = "model", .subject = "rs+F99"}, {.on = "model", .subject = "rs+F01+F02"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fo_answer answer = {0};
        struct fo_error error = {""};
        assert_int_not_equal(fo_check(&wrong[i], &answer, &error), 0);
        assert_true(error.line[0] != '\0' && !strchr(error.line, '\n') && !answer.json && !answer.text);
    }
}

/* A stage rests only on stages that ran before it. */
static void check_stages_rest_on_earlier_ones_only(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STAGE_COUNT; i++)
        assert_int_equal(check_stages[i].rests_on >> i, 0);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_stages_rest_on_earlier_ones_only),
        cmocka_unit_test(fo_check_wrong_options_are_refused),
        IN_SCRATCH(check_missing_capture_leaves_what_rests_on_it_undecided),
        IN_SCRATCH(check_wrong_capture_differs_and_is_described),
        IN_SCRATCH(check_capture_of_a_model_decides_nothing),
        IN_SCRATCH(check_contract_that_does_not_lock_differs),
        IN_SCRATCH(check_missing_contracts_are_undecided),
        IN_SCRATCH(check_production_kernel_conforms),
        IN_SCRATCH(check_planted_fault_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
