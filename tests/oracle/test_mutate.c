/* fo_mutate and the runs of a test: what becomes of a mutant, and what is trouble. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/fragoracle.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "oracle/mutate/trial.h"
#include "tests/support/alloc.h"
#include "tests/support/scratch.h"

#define TAP "tests/cli/tap.ptx"
/* Holds against the original whatever the file is, but for the text between its last two slashes. */
#define SAME_AS_TAP "cmp -s {} tests/cli/tap.ptx"

static json_t *answer_of(const struct fo_mutate_options *o, enum fo_verdict verdict)
{
    struct fo_answer a = {0};
    struct fo_error e;
    json_t *document;
    struct error why;
    if (fo_mutate(o, &a, &e) != 0)
        fail_msg("%s", e.line);
    assert_int_equal(a.verdict, verdict);
    assert_int_equal(json_parse("answer", a.json, strlen(a.json), "fragoracle.mutate/1", &document, &why), STATUS_OK);
    assert_string_equal(json_string_value(json_object_get(document, "verdict")), fo_verdict_name(verdict));
    assert_non_null(strstr(a.text, fo_verdict_name(verdict)));
    fo_answer_free(&a);
    return document;
}

static void total_is(json_t *document, const char *name, int wanted)
{
    json_t *total = json_object_get(document, "total");
    assert_non_null(json_object_get(total, name));
    assert_int_equal(json_integer_value(json_object_get(total, name)), wanted);
}

static const char *error_of(const struct fo_mutate_options *o)
{
    static struct fo_error e;
    struct fo_answer a = {.verdict = FO_PERMITTED};
    e.line[0] = '\0';
    assert_true(fo_mutate(o, &a, &e) != 0);
    assert_true(a.verdict == FO_PERMITTED && !a.json && !a.text);
    return e.line;
}

/* Every run keeps its temporary files in the scratch folder, and leaves it as it was. */
static int setup(void **state)
{
    return scratch_setup(state) != 0 ? -1 : setenv("TMPDIR", *state, 1);
}

static int teardown(void **state)
{
    unsetenv("TMPDIR");
    return scratch_teardown(state);
}

static void mutate_with_a_test_that_sees_everything_conforms(void **state)
{
    json_t *d = answer_of(&(struct fo_mutate_options){.in = TAP, .run = SAME_AS_TAP}, FO_CONFORMS);
    total_is(d, "offered", 111);
    total_is(d, "chosen", 100);
    total_is(d, "killed", 100);
    total_is(d, "survived", 0);
    assert_true(json_real_value(json_object_get(json_object_get(d, "total"), "kill_rate")) == 1.0);
    json_decref(d);
    assert_int_equal(scratch_count(state), 0);
}

static void mutate_with_a_test_that_sees_nothing_differs(void **state)
{
    json_t *d = answer_of(&(struct fo_mutate_options){.in = TAP, .run = "true", .count = 17}, FO_DIFFERS);
    total_is(d, "survived", 17);
    json_t *one = json_array_get(json_object_get(d, "mutants"), 0);
    assert_int_equal(json_array_size(json_object_get(d, "mutants")), 17);
    assert_string_equal(json_string_value(json_object_get(one, "fate")), "survived");
    json_decref(d);
    struct fo_mutate_options o = {.in = TAP, .run = "sh -c 'true'", .only = "a-exchange:0"};
    d = answer_of(&o, FO_DIFFERS);
    one = json_array_get(json_object_get(d, "mutants"), 0);
    assert_int_equal(json_integer_value(json_object_get(one, "line")), 28);
    assert_int_equal(json_integer_value(json_object_get(one, "column")), 2);
    assert_string_equal(json_string_value(json_object_get(one, "repeat")),
                        "fragoracle mutate " TAP " --only a-exchange:0 --keep . --run 'sh -c '\\''true'\\'''");
    json_decref(d);
    assert_int_equal(scratch_count(state), 0);
}

/* The output is the count of `negate` in the file: nothing that another operator changes shows in it. */
static void mutate_of_an_output_that_stays_is_undecided(void **state)
{
    char output[SCRATCH_PATH], run[3 * SCRATCH_PATH];
    scratch_path(state, "out", output);
    snprintf(run, sizeof run, "grep -c -e '-1,' \"$FRAGORACLE_MUTANT\" >%s; true", output);
    struct fo_mutate_options o = {.in = TAP, .run = run, .output = output, .count = 1000};
    json_t *d = answer_of(&o, FO_DIFFERS);
    total_is(d, "survived", 6); /* negate-a and negate-b of three wgmma */
    total_is(d, "undecided", 105);
    json_decref(d);
    o.only = "wait-drop:0";
    d = answer_of(&o, FO_UNDECIDED);
    total_is(d, "undecided", 1);
    total_is(d, "chosen", 1);
    json_decref(d);
    /* An output that is not written is another one. */
    snprintf(run, sizeof run, "if cmp -s {} " TAP "; then echo >%s; fi", output);
    o.only = "wait-drop:0";
    d = answer_of(&o, FO_DIFFERS);
    json_decref(d);
}

static void mutate_of_a_test_that_hangs_ends_it_and_its_children(void **state)
{
    char pid_file[SCRATCH_PATH], run[3 * SCRATCH_PATH];
    uint8_t *pid;
    size_t size;
    struct error e;
    scratch_path(state, "pid", pid_file);
    snprintf(run, sizeof run, SAME_AS_TAP " || { sleep 1000 & echo $! >%s; wait; }", pid_file);
    json_t *d =
        answer_of(&(struct fo_mutate_options){.in = TAP, .run = run, .timeout = 1, .only = "a-halves:0"}, FO_CONFORMS);
    total_is(d, "hung", 1);
    total_is(d, "killed", 0);
    json_decref(d);
    assert_int_equal(file_read(pid_file, 0, &pid, &size, &e), STATUS_OK);
    int number = 0;
    assert_int_equal(sscanf((const char *)pid, "%d", &number), 1);
    free(pid);
    for (int i = 0; i < 200 && kill(number, 0) == 0; i++)
        usleep(10000);
    char status[64], line[256] = "gone";
    snprintf(status, sizeof status, "/proc/%d/stat", number);
    FILE *f = fopen(status, "r"); /* a zombie that nobody reaped yet is dead, too */
    if (f) {
        assert_non_null(fgets(line, sizeof line, f));
        fclose(f);
        assert_non_null(strstr(line, ") Z"));
    }
}

static void mutate_that_cannot_begin_or_end_is_trouble(void **state)
{
    char output[SCRATCH_PATH], run[3 * SCRATCH_PATH], flag[SCRATCH_PATH];
    struct fo_mutate_options o = {.in = TAP, .run = "echo first; echo why not; exit 3"};
    assert_non_null(strstr(error_of(&o), "before any change the unmutated module fails its test (exit status 3): why "
                                         "not"));
    o.run = "kill -9 $$";
    assert_non_null(strstr(error_of(&o), "(signal 9)"));
    o.run = "sleep 5";
    o.timeout = 1;
    assert_non_null(strstr(error_of(&o), "not through in 1 s"));
    o.timeout = 0;
    o.run = "true";
    o.only = "a-halves:99";
    assert_non_null(strstr(error_of(&o), "--only: there is no mutant 'a-halves:99'"));
    o.only = "a-halves:0";
    o.output = scratch_path(state, "out", output);
    assert_non_null(strstr(error_of(&o), output)); /* not written */
    snprintf(run, sizeof run, "date +%%N >%s", output);
    o.run = run;
    assert_non_null(strstr(error_of(&o), "write different bytes"));
    /* what one mutant broke for good */
    scratch_path(state, "broken", flag);
    snprintf(run, sizeof run, "[ ! -e %s ] && { " SAME_AS_TAP " || touch %s; }", flag, flag);
    o.output = NULL;
    assert_non_null(strstr(error_of(&o), "after the mutants the unmutated module fails"));
    assert_non_null(strstr(error_of(&(struct fo_mutate_options){.run = "true"}), "needs the module"));
    assert_non_null(strstr(error_of(&(struct fo_mutate_options){.in = "no/such.ptx"}), "no/such.ptx"));
    assert_int_equal(setenv("TMPDIR", "/no/such", 1), 0);
    assert_non_null(strstr(error_of(&(struct fo_mutate_options){.in = TAP}), "temporary folder"));
}

static void mutate_without_a_test_lists_and_keeps(void **state)
{
    char folder[SCRATCH_PATH], path[2 * SCRATCH_PATH];
    uint8_t *data;
    size_t size;
    struct error e;
    scratch_path(state, "kept", folder);
    struct fo_mutate_options o = {.in = TAP, .only = "24", .keep = folder};
    json_t *d = answer_of(&o, FO_NOT_APPLICABLE);
    json_decref(d);
    snprintf(path, sizeof path, "%s/a-halves-6.ptx", folder);
    assert_int_equal(file_read(path, 0, &data, &size, &e), STATUS_OK);
    assert_non_null(memmem(data, size, "prmt.b32 %fomutate, %r4, 0, 0x1032;", 35));
    free(data);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); /* and nothing else */
}

/* An assembler that refuses shfl. */
static void mutate_that_does_not_assemble_is_not_counted(void **state)
{
    char ptxas[SCRATCH_PATH];
    FILE *f = fopen(scratch_path(state, "ptxas", ptxas), "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\ngrep -q shfl \"$5\" && { echo 'no shfl here'; exit 1; }\n"
               "grep -q prmt \"$5\" && echo \"(C7519) injected in function 'registers'\"\nexit 0\n");
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(ptxas, 0755), 0);
    struct fo_mutate_options o = {.in = TAP, .run = SAME_AS_TAP, .ptxas = ptxas, .count = 1000};
    json_t *d = answer_of(&o, FO_CONFORMS), *one;
    size_t i;
    int notes = 0;
    total_is(d, "not_assembled", 40);
    total_is(d, "killed", 71);
    json_array_foreach(json_object_get(d, "mutants"), i, one)
    {
        const char *fate = json_string_value(json_object_get(one, "fate"));
        const char *note = json_string_value(json_object_get(one, "ptxas"));
        bool lanes = strcmp(json_string_value(json_object_get(one, "operator")), "a-lanes") == 0;
        assert_int_equal(strcmp(fate, "not-assembled") == 0, lanes);
        if (lanes)
            assert_non_null(strstr(note, "no shfl here"));
        notes += !lanes && note && strstr(note, "(C7519)");
    }
    assert_int_equal(notes, 8); /* a-halves */
    json_decref(d);
    o.only = "a-lanes:0";
    json_decref(answer_of(&o, FO_UNDECIDED));
    o.ptxas = "/no/such/ptxas";
    assert_non_null(strstr(error_of(&o), "/no/such/ptxas"));
}

static void trial_says_how_it_ended(void **state)
{
    static const struct {
        const char *command;
        enum trial_end end;
        int code;
    } cases[] = {{"true", TRIAL_PASSED, 0},
                 {"exit 42", TRIAL_FAILED, 42},
                 {"no-such-program-anywhere", TRIAL_FAILED, 127},
                 {"kill -SEGV $$", TRIAL_SIGNAL, SIGSEGV},
                 {"[ {} = \"$FRAGORACLE_MUTANT\" ] && [ x{}y{} = x/a/by/a/b ]", TRIAL_PASSED, 0},
                 {"[ \"$KEPT\" = kept ] && ! read line", TRIAL_PASSED, 0}};
    char log[SCRATCH_PATH];
    struct trial t;
    struct error e;
    assert_int_equal(setenv("KEPT", "kept", 1), 0);
    assert_int_equal(setenv(TRIAL_VARIABLE, "another", 1), 0);
    scratch_path(state, "log", log);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(trial_run(cases[i].command, "/a/b", log, 20, &t, &e), STATUS_OK);
        assert_int_equal(t.end, cases[i].end);
        assert_int_equal(t.code, cases[i].code);
        assert_true(t.seconds >= 0 && t.seconds < 20);
    }
    assert_int_equal(unsetenv(TRIAL_VARIABLE), 0);
    assert_int_equal(trial_run("true", "/a/b", "/no/such/log", 20, &t, &e), STATUS_IO);
}

static enum status mutate_once(void *context, struct error *e)
{
    struct fo_answer a;
    struct fo_error line;
    enum status s = (enum status)fo_mutate(context, &a, &line);
    if (s != STATUS_OK)
        return error_set(e, s, "%.200s", line.line);
    fo_answer_free(&a);
    return STATUS_OK;
}

static void mutate_without_memory_says_so(void **state)
{
    struct fo_mutate_options o = {.in = TAP, .only = "a-halves:3"};
    assert_true(alloc_check(mutate_once, NULL, &o) > 50);
    assert_int_equal(scratch_count(state), 0);
}

static enum status trial_once(void *context, struct error *e)
{
    struct trial t;
    return trial_run("true {} {}", "/a/b", context, 20, &t, e);
}

static void trial_without_memory_says_so(void **state)
{
    char log[SCRATCH_PATH];
    assert_true(alloc_check(trial_once, NULL, (void *)(uintptr_t)scratch_path(state, "log", log)) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mutate_with_a_test_that_sees_everything_conforms, setup, teardown),
        cmocka_unit_test_setup_teardown(mutate_with_a_test_that_sees_nothing_differs, setup, teardown),
        cmocka_unit_test_setup_teardown(mutate_of_an_output_that_stays_is_undecided, setup, teardown),
        cmocka_unit_test_setup_teardown(mutate_of_a_test_that_hangs_ends_it_and_its_children, setup, teardown),
        cmocka_unit_test_setup_teardown(mutate_that_cannot_begin_or_end_is_trouble, setup, teardown),
        cmocka_unit_test_setup_teardown(mutate_without_a_test_lists_and_keeps, setup, teardown),
        cmocka_unit_test_setup_teardown(mutate_that_does_not_assemble_is_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(trial_says_how_it_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(mutate_without_memory_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(trial_without_memory_says_so, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
