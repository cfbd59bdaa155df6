/* module, as everybody is given it: in a process of its own, with a driver that is not there (mock/module_kernel.c). */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "oracle/exec/open.h"
#include "oracle/io/file.h"
#include "probes/coded.h"
#include "probes/identity.h"
#include "probes/weights.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

enum { P = 9, N = 8, K = 64, E = 3 };

static const struct bf16 poison = {0x7fa5};
static const uint32_t starts[] = {0, 4, P};
static const int32_t ids[] = {2, 0}, beyond[] = {2, E};
static const struct segments segments = {P, E, 2, starts, ids};
static struct weights_set weights;
static struct bf16 x[P * K], out[P * N];

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

/* A sidecar with this entry, and what follows its eleven arguments. */
static enum status open_module(void **state, const char *entry, const char *more, struct executor *of, struct error *e)
{
    const struct machine gpu = {.name = "gpu", .fidelity = FIDELITY_HARDWARE};
    char path[SCRATCH_PATH], text[600], name[SCRATCH_PATH + 8];
    snprintf(text, sizeof text,
             "{\"schema\": \"fragoracle.module/1\", \"entry\": \"%s\", \"grid\": [1], \"block\": [32], \"seconds\": 1, "
             "\"arguments\": [\"x\", \"blocks\", \"scales\", \"starts\", \"ids\", \"out\", \"P\", \"N\", \"K\", \"E\", "
             "\"A\"%s}",
             entry, more);
    assert_int_equal(file_write(scratch_path(state, "k.json", path), text, strlen(text), NULL), STATUS_OK);
    assert_int_equal(file_write(scratch_path(state, "k.ptx", path), "ptx", 3, NULL), STATUS_OK);
    snprintf(name, sizeof name, "module:%s", path);
    return subject_open(name, &gpu, of, e);
}

static struct executor open_or_fail(void **state, const char *entry, const char *more)
{
    struct executor of;
    struct error e;
    if (open_module(state, entry, more, &of, &e) != STATUS_OK)
        fail_msg("%s: %s: %s", e.path, e.field, e.why);
    return of;
}

static enum status load_and_run(const struct executor *of, const struct segments *s, struct run_report *report,
                                struct error *e)
{
    enum status status = of->load(of->self, &weights.w, e);
    return status == STATUS_OK ? of->run(of->self, x, s, poison, out, report, e) : status;
}

static void module_in_a_process_of_its_own_conforms_and_leaves_nothing_behind(void **state)
{
    const struct identity_options asked = {.P = P, .pass = -1, .seed = 3};
    const struct coded_options coded = {P, N, K, E, 4};
    struct identity_result r;
    struct coded_result sources;
    struct error e;
    size_t before = descriptors();
    struct executor of = open_or_fail(state, "tells", ", \"status\"]");
    assert_string_equal(of.name, "module");
    assert_int_equal(of.fidelity, FIDELITY_HARDWARE);
    assert_false(of.limits.no_status);
    assert_int_equal(identity_run(&of, &weights.w, &asked, &r, &e), STATUS_OK);
    assert_true(identity_conforms(&r));
    assert_string_equal(r.report.kernel, "tells");
    identity_result_free(&r);
    assert_int_equal(coded_run(&of, &coded, &sources, &e), STATUS_OK);
    assert_true(coded_conforms(&sources));
    assert_true(sources.guard.asked && sources.guard.status_told);
    coded_result_free(&sources);
    of.release(of.self);
    no_child_is_left();
    assert_int_equal(descriptors(), before);
}

static void module_that_tells_no_status_is_asked_legal_segments_only(void **state)
{
    const struct segments bad = {P, E, 2, starts, beyond};
    const struct coded_options coded = {P, N, K, E, 4};
    struct coded_result sources;
    struct run_report report;
    struct error e;
    struct executor of =
        open_or_fail(state, "product", "], \"limits\": {\"multiple_N\": 4, \"multiple_K\": 32, \"most_P\": 9}");
    assert_true(of.limits.no_status && !of.limits.no_segments && !of.limits.no_scales);
    assert_int_equal(of.limits.multiple_N, 4);
    assert_int_equal(of.limits.multiple_K, 32);
    assert_int_equal(of.limits.most_P, 9);
    assert_int_equal(load_and_run(&of, &bad, &report, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(load_and_run(&of, &segments, &report, &e), STATUS_OK);
    assert_int_equal(coded_run(&of, &coded, &sources, &e), STATUS_OK);
    assert_true(coded_conforms(&sources));
    assert_false(sources.guard.asked);
    coded_result_free(&sources);
    of.release(of.self);
    no_child_is_left();
}

/* A file of the tests as k.ptx or k.json, with one text of it another. */
static void copy_changed(void **state, const char *file, const char *to, const char *from, const char *into)
{
    char path[600], scratch[SCRATCH_PATH], changed[8192];
    uint8_t *data;
    size_t size;
    snprintf(path, sizeof path, FO_SOURCE_DIR "/tests/oracle/%s", file);
    assert_int_equal(file_read(path, 0, &data, &size, NULL), STATUS_OK);
    char *text = realloc(data, size + 1);
    assert_non_null(text);
    text[size] = '\0';
    char *at = strstr(text, from);
    assert_non_null(at);
    int length = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, into, at + strlen(from));
    assert_true(length > 0 && length < (int)sizeof changed);
    assert_int_equal(file_write(scratch_path(state, to, scratch), changed, (size_t)length, NULL), STATUS_OK);
    free(text);
}

/* Name, fidelity and note of what ran there come from the other process. */
static void module_on_the_machine_tells_from_its_process_what_it_rested_on(void **state)
{
    static const struct {
        const char *line;
        enum fidelity fidelity;
        const char *note;
    } cases[] = {
        {"fma.rn.f32 %sum, %left, %right, %sum;", FIDELITY_BIT_EXACT_MODEL, ""},
        {"fma.rn.f32 %sum, %left, %right, %sum; ex2.approx.f32 %left, %left;", FIDELITY_APPROXIMATE, "approximate: "}};
    struct machine model;
    struct run_report report;
    struct error e;
    char path[SCRATCH_PATH], name[SCRATCH_PATH + 8];
    machine_model(&model);
    snprintf(name, sizeof name, "module:%s", scratch_path(state, "k.ptx", path));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct executor of;
        copy_changed(state, "module_product.ptx", "k.ptx", cases[0].line, cases[i].line);
        copy_changed(state, "module_product.json", "k.json", "[64]", "[64]");
        assert_int_equal(subject_open(name, &model, &of, &e), STATUS_OK);
        assert_string_equal(of.name, "ptx");
        assert_int_equal(executor_fidelity(&of), FIDELITY_BIT_EXACT_MODEL);
        if (load_and_run(&of, &segments, &report, &e) != STATUS_OK)
            fail_msg("%s", e.why);
        assert_true(report.steps > 0 && report.wgmma_unpredicted);
        assert_int_equal(executor_fidelity(&of), cases[i].fidelity);
        assert_int_equal(strncmp(of.note, cases[i].note, *cases[i].note ? strlen(cases[i].note) : 1), 0);
        of.release(of.self);
        no_child_is_left();
    }
    copy_changed(state, "module_product.ptx", "k.ptx", "st.global.f32 [%at]", "st.global.f32 [%at+4096]");
    struct executor of;
    assert_int_equal(subject_open(name, &model, &of, &e), STATUS_OK);
    assert_int_equal(load_and_run(&of, &segments, &report, &e), STATUS_SUBJECT);
    assert_int_equal(strncmp(e.why, "the kernel broke in launch 1: line 8", 36), 0);
    of.release(of.self);
    no_child_is_left();
}

static void module_that_breaks_is_one_sentence_and_begins_anew(void **state)
{
    static const struct {
        const char *entry, *sentence;
    } cases[] = {
        {"past_out", "the kernel wrote past the end of out in launch 1"},
        {"hangs", "the kernel did not end within 1 s in launch 1"},
        {"faults", "the kernel ended with CUDA_ERROR_ILLEGAL_ADDRESS in launch 1"},
        {"crashes", "the subject died of signal 11 (SIGSEGV) in launch 1"},
    };
    size_t before = descriptors();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct executor of = open_or_fail(state, cases[i].entry, "]");
        struct run_report report;
        struct error e;
        out[0].bits = 1;
        assert_int_equal(load_and_run(&of, &segments, &report, &e), STATUS_SUBJECT);
        assert_string_equal(e.why, cases[i].sentence);
        assert_int_equal(out[0].bits, 1);
        no_child_is_left();
        assert_int_equal(of.run(of.self, x, &segments, poison, out, &report, &e), STATUS_SUBJECT);
        assert_string_equal(e.why, cases[i].sentence);
        assert_int_equal(of.load(of.self, &weights.w, &e), STATUS_OK);
        of.release(of.self);
        no_child_is_left();
        assert_int_equal(descriptors(), before);
    }
}

static void module_that_is_none_is_trouble_with_its_path_and_field(void **state)
{
    struct executor of = {.name = "untouched"};
    struct error e;
    char path[SCRATCH_PATH];
    size_t before = descriptors();
    assert_int_equal(open_module(state, "product", ", \"frob\"]", &of, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, scratch_path(state, "k.json", path), "arguments[11]", -1,
                 "no array is called 'frob'");
    assert_string_equal(of.name, "untouched");
    /* A launch that cannot be is trouble too, and the process lives on. */
    struct run_report report;
    of = open_or_fail(state, "product", "], \"shared\": \"P - 9 - 1\"");
    assert_int_equal(load_and_run(&of, &segments, &report, &e), STATUS_BAD_INPUT);
    assert_string_equal(e.path, path);
    assert_string_equal(e.field, "shared");
    of.release(of.self);
    no_child_is_left();
    assert_int_equal(descriptors(), before);
}

static int setup(void **state)
{
    struct error e;
    setenv("FRAGORACLE_SUBJECT", FO_HELPER, 1);
    setenv("LD_LIBRARY_PATH", FO_MOCK_MODULE, 1);
    for (size_t i = 0; i < P * K; i++)
        x[i].bits = (uint16_t)(0x3f80 + i % 64);
    return weights_make(WEIGHTS_RANDOM, E, N, K, 4, &weights, &e) != STATUS_OK || scratch_setup(state);
}

static int teardown(void **state)
{
    weights_free(&weights);
    return scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(module_in_a_process_of_its_own_conforms_and_leaves_nothing_behind),
        cmocka_unit_test(module_that_tells_no_status_is_asked_legal_segments_only),
        cmocka_unit_test(module_on_the_machine_tells_from_its_process_what_it_rested_on),
        cmocka_unit_test(module_that_breaks_is_one_sentence_and_begins_anew),
        cmocka_unit_test(module_that_is_none_is_trouble_with_its_path_and_field),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
