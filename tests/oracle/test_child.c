/* child: subjects in a process of their own, right ones and ones that break in every way that plugin_bad.c knows. Each
 * is one sentence; nothing is left behind: no process, no descriptor, no memory. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/exec/child.h"
#include "oracle/exec/open.h"
#include "probes/weights.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

enum { EXPERTS = 2, N = 16, K = 64, P = 8 };

static const uint32_t starts[] = {0, 3, 7};
static const int32_t ids[] = {1, 0};
static const struct segments segments = {P, EXPERTS, 2, starts, ids};
static const struct bf16 poison = {0x7fa5};

static struct weights_set weights;
static struct bf16 x[P * K];

/* Open ones; the folder itself, . and .. count the same each time. */
static size_t descriptors(void)
{
    size_t count = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

static void no_child_is_left(void)
{
    int how;
    assert_int_equal(waitpid(-1, &how, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static struct executor open_bad(const char *how)
{
    struct executor x_of;
    struct error e;
    setenv("FO_BAD", how, 1);
    if (child_open("plugin:" FO_PLUGIN_BAD, "model", &x_of, &e) != STATUS_OK)
        fail_msg("%s: %s", how, e.why);
    return x_of;
}

static enum status run(const struct executor *of, struct bf16 *out, struct run_report *report, struct error *e)
{
    return of->run(of->self, x, &segments, poison, out, report, e);
}

static void load(const struct executor *of)
{
    struct error e;
    if (of->load(of->self, &weights.w, &e) != STATUS_OK)
        fail_msg("%s", e.why);
}

/* The one sentence of a STATUS_SUBJECT. */
static void expect_broke(enum status s, const struct error *e, const char *sentence)
{
    assert_int_equal(s, STATUS_SUBJECT);
    assert_int_equal(e->status, STATUS_SUBJECT);
    if (strncmp(e->why, sentence, strlen(sentence)) != 0)
        fail_msg("\"%s\" is not \"%s\"", e->why, sentence);
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static void open_of_what_breaks_at_once_says_so(void **state)
{
    static const struct {
        const char *how, *sentence;
    } cases[] = {
        {"crash-open", "the subject died of signal 11 (SIGSEGV) at address 0x10 while it was opened"},
        {"crash-create", "the subject died of signal 11 (SIGSEGV) at address 0x10 while it was opened"},
        {"create-fails", "the subject returned 7 from create while it was opened"},
        {"exit-open", "the subject ended its process (exit status 0) while it was opened"},
        {"hang-open", "the subject did not answer within 0.5 s while it was opened"},
    };
    size_t before = descriptors();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct executor of = {.name = "untouched"};
        struct error e;
        setenv("FO_BAD", cases[i].how, 1);
        setenv("FRAGORACLE_TIMEOUT", strncmp(cases[i].how, "hang", 4) ? "60" : "0.5", 1);
        long live = alloc_live();
        enum status s = child_open("plugin:" FO_PLUGIN_BAD, "model", &of, &e);
        expect_broke(s, &e, cases[i].sentence);
        assert_string_equal(of.name, "untouched");
        assert_int_equal(alloc_live(), live);
        no_child_is_left();
    }
    unsetenv("FRAGORACLE_TIMEOUT");
    assert_int_equal(descriptors(), before);
}

static void open_of_what_is_no_plugin_is_trouble_with_its_path(void **state)
{
    char missing[SCRATCH_PATH], pipe[SCRATCH_PATH], text[SCRATCH_PATH], folder[SCRATCH_PATH];
    scratch_path(state, "missing.so", missing);
    scratch_path(state, "pipe", pipe);
    scratch_path(state, "text.so", text);
    scratch_path(state, "..", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    FILE *f = fopen(text, "w");
    assert_non_null(f);
    fputs("not a shared object\n", f);
    fclose(f);
    const struct {
        const char *path, *how;
        enum status status;
        const char *why;
    } cases[] = {
        {missing, "", STATUS_IO, "cannot be opened: No such file or directory"},
        {pipe, "", STATUS_BAD_INPUT, "is not a regular file"},
        {folder, "", STATUS_BAD_INPUT, "is not a regular file"},
        {text, "", STATUS_BAD_INPUT, "cannot be loaded: "},
        {FO_PLUGIN_EMPTY, "", STATUS_BAD_INPUT, "exports no function fo_plugin_open"},
        {FO_PLUGIN_BAD, "null", STATUS_BAD_INPUT, "fo_plugin_open returned NULL"},
        {FO_PLUGIN_BAD, "version", STATUS_BAD_INPUT, "is a plug-in of version 2; this program takes 1"},
        {FO_PLUGIN_BAD, "size", STATUS_BAD_INPUT, "bytes for struct fo_plugin; it has"},
        {FO_PLUGIN_BAD, "no-run", STATUS_BAD_INPUT, "has no function run"},
        {FO_PLUGIN_BAD, "no-load", STATUS_BAD_INPUT, "has no function load"},
        {FO_PLUGIN_BAD, "type", STATUS_BAD_INPUT, "weight type 77"},
        {FO_PLUGIN_BAD, "layout", STATUS_BAD_INPUT, "the Hopper layout is one of mxfp4 weights, not of bf16"},
        {FO_PLUGIN_BAD, "segments", STATUS_BAD_INPUT, "segments 3: legal are 0 to 2"},
    };
    size_t before = descriptors();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[SCRATCH_PATH + 16];
        struct executor of;
        struct error e;
        snprintf(name, sizeof name, "plugin:%s", cases[i].path);
        setenv("FO_BAD", cases[i].how, 1);
        long live = alloc_live();
        assert_int_equal(child_open(name, "model", &of, &e), cases[i].status);
        expect_error(&e, cases[i].status, cases[i].path, "", -1, cases[i].why);
        assert_int_equal(alloc_live(), live);
        no_child_is_left();
    }
    assert_int_equal(descriptors(), before);
}

static void open_without_the_helper_says_how_to_name_it(void **state)
{
    struct executor of;
    struct error e;
    (void)state;
    setenv("FRAGORACLE_SUBJECT", "/nowhere/fragoracle-subject", 1);
    size_t before = descriptors();
    assert_int_equal(child_open("plugin:" FO_PLUGIN_BAD, "model", &of, &e), STATUS_IO);
    expect_error(&e, STATUS_IO, "/nowhere/fragoracle-subject", "", -1, "$FRAGORACLE_SUBJECT may name it");
    assert_int_equal(descriptors(), before);
    no_child_is_left();
    /* Something that starts and does not speak the language. */
    setenv("FRAGORACLE_SUBJECT", "/bin/true", 1);
    expect_broke(child_open("plugin:" FO_PLUGIN_BAD, "model", &of, &e), &e,
                 "the subject ended its process (exit status 0) while it was opened");
    setenv("FRAGORACLE_SUBJECT", FO_HELPER, 1);
}

static void open_finds_the_helper_on_path(void **state)
{
    char *path = strdup(getenv("PATH")), folder[] = FO_HELPER;
    struct executor of;
    struct error e;
    (void)state;
    *strrchr(folder, '/') = '\0';
    setenv("FO_BAD", "", 1);
    unsetenv("FRAGORACLE_SUBJECT");
    assert_int_equal(child_open("plugin:" FO_PLUGIN_BAD, "model", &of, &e), STATUS_IO);
    expect_error(&e, STATUS_IO, "fragoracle-subject", "", -1, "cannot be started");
    setenv("PATH", folder, 1);
    assert_int_equal(child_open("plugin:" FO_PLUGIN_BAD, "model", &of, &e), STATUS_OK);
    of.release(of.self);
    setenv("PATH", path, 1);
    setenv("FRAGORACLE_SUBJECT", FO_HELPER, 1);
    free(path);
}

static void open_refuses_a_time_limit_that_is_none(void **state)
{
    static const char *const wrong[] = {"soon", "0", "-1", "5x", "nan", "inf", "1e300"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct executor of;
        struct error e;
        setenv("FRAGORACLE_TIMEOUT", wrong[i], 1);
        assert_int_equal(child_open("plugin:" FO_PLUGIN_BAD, "model", &of, &e), STATUS_BAD_ARGUMENT);
        expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, wrong[i]);
    }
    unsetenv("FRAGORACLE_TIMEOUT");
}

/* ---- loading and running ---------------------------------------------------------------------------------------- */

static void load_that_breaks_says_so(void **state)
{
    static const struct {
        const char *how, *sentence;
    } cases[] = {
        {"crash-load", "the subject died of signal 11 (SIGSEGV) at address 0x10 while it loaded weights"},
        {"hang-load", "the subject did not answer within 0.5 s while it loaded weights"},
        {"load-fails", "the subject returned -5 from load while it loaded weights"},
        {"write-weights", "the subject died of signal 11 (SIGSEGV) writing to the values, which is read-only, while it "
                          "loaded weights"},
    };
    size_t before = descriptors();
    (void)state;
    setenv("FRAGORACLE_TIMEOUT", "0.5", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct executor of = open_bad(cases[i].how);
        struct bf16 out[P * N];
        struct run_report report;
        struct error e;
        expect_broke(of.load(of.self, &weights.w, &e), &e, cases[i].sentence);
        no_child_is_left();
        /* A launch without it repeats the sentence. */
        expect_broke(run(&of, out, &report, &e), &e, cases[i].sentence);
        of.release(of.self);
    }
    unsetenv("FRAGORACLE_TIMEOUT");
    assert_int_equal(descriptors(), before);
}

static void run_that_breaks_says_what_and_in_which_launch(void **state)
{
    static const struct {
        const char *how, *sentence;
    } cases[] = {
        {"crash-run", "the subject died of signal 11 (SIGSEGV) at address 0x10 in launch 1"},
        {"crash-second", "the subject died of signal 11 (SIGSEGV) at address 0x10 in launch 2"},
        {"kill", "the subject died of signal 11 (SIGSEGV) in launch 1"},
        {"overflow", "the subject died of signal 11 (SIGSEGV) at address"},
        {"abort", "the subject died of signal 6 (SIGABRT) in launch 1"},
        {"exit", "the subject ended its process (exit status 0) in launch 1"},
        {"hang", "the subject did not answer within 0.5 s in launch 1"},
        {"close", "the subject closed its connection in launch 1"},
        {"write-x", "the subject died of signal 11 (SIGSEGV) writing to x, which is read-only, in launch 1"},
        {"unprotect", "the subject died of signal 11 (SIGSEGV) writing to x, which is read-only, in launch 1"},
        {"write-starts", "the subject died of signal 11 (SIGSEGV) writing to starts, which is read-only, in launch 1"},
        {"write-past-ids",
         "the subject died of signal 11 (SIGSEGV) writing past the end of ids, which is read-only, in launch 1"},
        {"fails", "the subject returned 42 from run in launch 1"},
        {"before", "the subject wrote 4 bytes ahead of the start of out in launch 1"},
        {"after", "the subject wrote 16 bytes past the end of out in launch 1"},
        {"after-one", "the subject wrote 1 byte past the end of out in launch 1"},
        {"far", "the subject wrote 8 bytes past the end of out, 4096 bytes away from it in launch 1"},
        {"past-status", "the subject wrote 4 bytes past the end of the status word in launch 1"},
    };
    size_t before = descriptors();
    (void)state;
    setenv("FRAGORACLE_TIMEOUT", "0.5", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct executor of = open_bad(cases[i].how);
        struct bf16 out[P * N], untouched[P * N] = {{0}};
        struct run_report report = {.launches = 77};
        struct error e;
        enum status s;
        load(&of);
        memset(out, 0, sizeof out);
        if (strcmp(cases[i].how, "crash-second") == 0) {
            assert_int_equal(run(&of, out, &report, &e), STATUS_OK);
            memset(out, 0, sizeof out);
            report.launches = 77;
        }
        s = run(&of, out, &report, &e);
        expect_broke(s, &e, cases[i].sentence);
        assert_memory_equal(out, untouched, sizeof out);
        assert_int_equal(report.launches, 77);
        no_child_is_left();
        /* A new load starts a fresh one; launches go on counting. */
        setenv("FO_BAD", "", 1);
        expect_broke(run(&of, out, &report, &e), &e, cases[i].sentence);
        load(&of);
        assert_int_equal(run(&of, out, &report, &e), STATUS_OK);
        of.release(of.self);
        no_child_is_left();
    }
    unsetenv("FRAGORACLE_TIMEOUT");
    assert_int_equal(descriptors(), before);
}

/* Is there such a process, and not only the number of one that nobody has waited for? */
static bool alive(int pid)
{
    char path[32], text[128] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    bool read = fgets(text, sizeof text, f) != NULL;
    fclose(f);
    return read && !strstr(text, ") Z");
}

static void run_of_a_family_that_hangs_ends_all_of_it(void **state)
{
    char path[SCRATCH_PATH];
    struct bf16 out[P * N];
    struct run_report report;
    struct error e;
    int pid = 0;
    setenv("FO_BAD_PID", scratch_path(state, "pid", path), 1);
    setenv("FRAGORACLE_TIMEOUT", "0.5", 1);
    struct executor of = open_bad("hang-family");
    load(&of);
    expect_broke(run(&of, out, &report, &e), &e, "the subject did not answer within 0.5 s in launch 1");
    of.release(of.self);
    unsetenv("FRAGORACLE_TIMEOUT");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    assert_true(pid > 1);
    for (int i = 0; alive(pid) && i < 500; i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    assert_false(alive(pid));
    no_child_is_left();
}

static void run_that_ends_well_leaves_nothing_behind(void **state)
{
    size_t before = descriptors();
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct executor of = open_bad(i == 2 ? "crash-destroy" : "");
        struct bf16 first[P * N], second[P * N];
        struct run_report report;
        struct error e;
        load(&of);
        assert_int_equal(run(&of, first, &report, &e), STATUS_OK);
        assert_string_equal(report.kernel, "bad");
        assert_int_equal(report.launches, 1);
        assert_int_equal(report.status_word, 0);
        load(&of); /* again, in the same process */
        assert_int_equal(run(&of, second, &report, &e), STATUS_OK);
        assert_memory_equal(first, second, sizeof first);
        of.release(of.self);
        no_child_is_left();
    }
    assert_int_equal(descriptors(), before);
}

static void run_leaves_the_poison_where_nothing_was_written(void **state)
{
    struct executor of = open_bad("unwritten");
    struct bf16 out[P * N];
    struct run_report report;
    struct error e;
    (void)state;
    load(&of);
    assert_int_equal(run(&of, out, &report, &e), STATUS_OK);
    assert_int_equal(out[P * N - 1].bits, poison.bits);
    assert_int_not_equal(out[P * N - 2].bits, poison.bits);
    of.release(of.self);
    of = open_bad("status-first");
    load(&of);
    assert_int_equal(run(&of, out, &report, &e), STATUS_OK);
    assert_int_equal(report.status_word, 3);
    assert_int_equal(run(&of, out, &report, &e), STATUS_OK);
    assert_int_equal(report.status_word, 0);
    of.release(of.self);
}

static void run_of_what_was_not_loaded_or_fits_no_limit_is_refused(void **state)
{
    struct executor of;
    struct bf16 out[P * N];
    struct run_report report;
    struct error e;
    struct segments other = segments, bad = segments;
    const uint32_t decreasing[] = {0, 5, 3};
    (void)state;
    setenv("FO_GOOD", "bf16", 1);
    assert_int_equal(child_open("plugin:" FO_PLUGIN_GOOD, "model", &of, &e), STATUS_OK);
    assert_int_equal(run(&of, out, &report, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "run before load");
    load(&of);
    other.experts = 3;
    assert_int_equal(of.run(of.self, x, &other, poison, out, &report, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "3 experts asked of weights with 2");
    bad.starts = decreasing;
    assert_int_equal(of.run(of.self, x, &bad, poison, out, &report, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "legal segments only");
    assert_int_equal(run(&of, out, &report, &e), STATUS_OK);
    of.release(of.self);

    setenv("FO_GOOD", "bf16 dense", 1);
    assert_int_equal(child_open("plugin:" FO_PLUGIN_GOOD, "model", &of, &e), STATUS_OK);
    load(&of);
    assert_int_equal(run(&of, out, &report, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "one expert and one segment");
    of.release(of.self);

    setenv("FO_GOOD", "bf16 limited", 1);
    assert_int_equal(child_open("plugin:" FO_PLUGIN_GOOD, "model", &of, &e), STATUS_OK);
    assert_int_equal(of.load(of.self, &weights.w, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "the subject wants N % 96 == 0, not N = 16");
    of.release(of.self);

    setenv("FO_GOOD", "int4", 1);
    assert_int_equal(child_open("plugin:" FO_PLUGIN_GOOD, "model", &of, &e), STATUS_OK);
    assert_int_equal(of.load(of.self, &weights.w, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "not applicable: int4 cannot hold");
    assert_int_equal(run(&of, out, &report, &e), STATUS_BAD_ARGUMENT);
    of.release(of.self);
}

static enum status open_load_run(void *context, struct error *e)
{
    struct executor of;
    struct bf16 out[P * N];
    struct run_report report;
    (void)context;
    enum status s = child_open("plugin:" FO_PLUGIN_BAD, "model", &of, e);
    if (s != STATUS_OK)
        return s;
    s = of.load(of.self, &weights.w, e);
    if (s == STATUS_OK)
        s = run(&of, out, &report, e);
    of.release(of.self);
    return s;
}

static void open_without_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    setenv("FO_BAD", "", 1);
    size_t before = descriptors();
    assert_true(alloc_check(open_load_run, NULL, NULL) >= 2);
    no_child_is_left();
    assert_int_equal(descriptors(), before);
}

/* ---- a machine in another process ------------------------------------------------------------------------------- */

static void subject_open_gives_the_same_in_either_process(void **state)
{
    static const char *const names[] = {"rs", "rs+none", "rs+F01"};
    struct machine model;
    (void)state;
    machine_model(&model);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct bf16 out[2][P * N];
        struct run_report report[2];
        for (int away = 0; away < 2; away++) {
            struct executor of;
            struct error e;
            setenv("FRAGORACLE_ISOLATE", away ? "1" : "0", 1);
            assert_int_equal(subject_open(names[i], &model, &of, &e), STATUS_OK);
            assert_string_equal(of.name, "model");
            assert_string_equal(of.subject, names[i]);
            assert_int_equal(of.fidelity, FIDELITY_BIT_EXACT_MODEL);
            assert_int_equal(of.limits.multiple_N, 16);
            load(&of);
            memset(&report[away], 0, sizeof report[away]);
            assert_int_equal(run(&of, out[away], &report[away], &e), STATUS_OK);
            of.release(of.self);
        }
        assert_memory_equal(out[0], out[1], sizeof out[0]);
        assert_string_equal(report[0].kernel, report[1].kernel);
        assert_true(report[0].wgmma > 0 && report[0].wgmma == report[1].wgmma &&
                    report[0].wgmma_expected == report[1].wgmma_expected && report[0].tiles == report[1].tiles &&
                    report[0].a_checksum == report[1].a_checksum);
    }
    unsetenv("FRAGORACLE_ISOLATE");
}

static void subject_open_keeps_bad_segments_and_errors_of_a_machine(void **state)
{
    struct machine model;
    struct executor of;
    struct error e;
    struct bf16 out[P * N];
    struct run_report report;
    const int32_t none[] = {1, 9};
    const struct segments bad = {P, EXPERTS, 2, starts, none};
    struct weights_set odd;
    (void)state;
    machine_model(&model);
    setenv("FRAGORACLE_ISOLATE", "1", 1);
    assert_int_equal(subject_open("rs+nonsense", &model, &of, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(subject_open("plugin:", &model, &of, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "subject", -1, "names no file");
    assert_int_equal(subject_open("rs", &model, &of, &e), STATUS_OK);
    load(&of);
    assert_int_equal(of.run(of.self, x, &bad, poison, out, &report, &e), STATUS_OK);
    assert_int_equal(report.status_word, 2);
    /* What the subject cannot take is trouble of who asks; it lives on. */
    assert_int_equal(weights_make(WEIGHTS_RANDOM, 1, 20, 32, 1, &odd, &e), STATUS_OK);
    assert_int_equal(of.load(of.self, &odd.w, &e), STATUS_BAD_ARGUMENT);
    weights_free(&odd);
    load(&of);
    assert_int_equal(run(&of, out, &report, &e), STATUS_OK);
    of.release(of.self);
    unsetenv("FRAGORACLE_ISOLATE");
}

static int setup(void **state)
{
    struct error e;
    setenv("FRAGORACLE_SUBJECT", FO_HELPER, 1);
    setenv("FO_BAD", "", 1);
    for (size_t i = 0; i < P * K; i++)
        x[i].bits = (uint16_t)(0x3f80 + i % 64);
    return weights_make(WEIGHTS_RANDOM, EXPERTS, N, K, 4, &weights, &e) != STATUS_OK || scratch_setup(state);
}

static int teardown(void **state)
{
    weights_free(&weights);
    return scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_of_what_breaks_at_once_says_so),
        cmocka_unit_test(open_of_what_is_no_plugin_is_trouble_with_its_path),
        cmocka_unit_test(open_without_the_helper_says_how_to_name_it),
        cmocka_unit_test(open_finds_the_helper_on_path),
        cmocka_unit_test(open_refuses_a_time_limit_that_is_none),
        cmocka_unit_test(load_that_breaks_says_so),
        cmocka_unit_test(run_that_breaks_says_what_and_in_which_launch),
        cmocka_unit_test(run_of_a_family_that_hangs_ends_all_of_it),
        cmocka_unit_test(run_that_ends_well_leaves_nothing_behind),
        cmocka_unit_test(run_leaves_the_poison_where_nothing_was_written),
        cmocka_unit_test(run_of_what_was_not_loaded_or_fits_no_limit_is_refused),
        cmocka_unit_test(open_without_memory_leaves_nothing_behind),
        cmocka_unit_test(subject_open_gives_the_same_in_either_process),
        cmocka_unit_test(subject_open_keeps_bad_segments_and_errors_of_a_machine),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
