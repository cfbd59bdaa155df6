/* libfragoracle_tap.so against a driver and a CUPTI that are not there. It lives once in a process, so every case is a
 * process of its own, whose stderr and exit status are looked at. Exits 77 where the library is not built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "oracle/io/tap_image.h"
#include "tests/support/scratch.h"

#ifdef FO_MOCK_DRIVER
#include "tests/oracle/mock/driver.h"

enum { THREADS = 128, WORDS = 4, PADDED = 512, DATA = THREADS * 4 + THREADS * WORDS * 4 };
static _Alignas(8) uint8_t head_variable[PADDED], data_variable[DATA + 64];

/* One stream; both variables are longer than they need. */
static void make_module(void)
{
    struct fo_capture_head h = {.magic = FO_CAPTURE_MAGIC,
                                .version = FO_CAPTURE_VERSION,
                                .streams = 1,
                                .blocks = 1,
                                .warpgroups = 1,
                                .iterations = 1,
                                .bytes = PADDED + DATA};
    struct fo_capture_stream s = {.op = "wgmma.m64n8k16.f32.bf16.bf16.rs",
                                  .operand = "A",
                                  .kind = FO_KIND_A,
                                  .words = WORDS,
                                  .counters = PADDED,
                                  .data = PADDED + THREADS * 4};
    memcpy(head_variable, &h, sizeof h);
    memcpy(head_variable + sizeof h, &s, sizeof s);
    memset(data_variable, 0xee, sizeof data_variable);
    mock.head = head_variable, mock.head_bytes = PADDED;
    mock.data = data_variable, mock.data_bytes = sizeof data_variable;
}

enum { PLAIN_CALL = CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel };

/* ---- what the processes do; they return their exit status ---- */

static int start(void)
{
    make_module();
    return InitializeInjection() == 1 ? 0 : 50;
}

static int launch_every_way(void)
{
    static const CUpti_CallbackId ids[] = {
        CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel,
        CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz,
        CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx,
        CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz,
        CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel,
        CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz,
    };
    static const enum mock_handle kernels[] = {MOCK_TAPPED, MOCK_KERNEL, MOCK_LIBRARY};
    int failed = start();
    for (uint32_t i = 0; i < 6; i++) {
        mock_launch(ids[i], MOCK_PLAIN, "plain", 0);
        mock_launch(ids[i], MOCK_PLAIN_KERNEL, "plain", 0);
        mock_launch(ids[i], kernels[i % 3], "tapped", 100 + i);
    }
    return failed || mock.dirty_at_launch || mock.strict || mock.relaxed || mock.zeroed != 6 ? 1 : 0;
}

static int launch_three(void)
{
    int failed = start();
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "some_other", 1);
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "the_kernel", 2);
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "the_kernel", 3);
    return failed;
}

/* Nobody came by a recorder: the module holds other kernels too. */
static int launch_three_silent(void)
{
    int failed = start();
    for (int i = 0; i < 3; i++)
        mock_launch(PLAIN_CALL, MOCK_TAPPED, "the_filler", 0);
    return failed;
}

static int launch_silent_ones(void)
{
    int failed = launch_three_silent();
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "the_kernel", 7);
    return failed;
}

/* Nothing tapped: not one call that could be felt. */
static int launch_plain(void)
{
    int failed = start();
    for (int i = 0; i < 100; i++)
        mock_launch(PLAIN_CALL, i % 2 ? MOCK_PLAIN : MOCK_PLAIN_KERNEL, NULL, 0);
    return failed || mock.synchronised || mock.zeroed || mock.copied ? 1 : 0;
}

static int launch_while_capturing(void)
{
    int failed = start();
    mock.capturing = CU_STREAM_CAPTURE_STATUS_ACTIVE;
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "graphed", 1);
    mock.capturing = CU_STREAM_CAPTURE_STATUS_NONE;
    mock.asked_capturing = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "implicit", 1);
    return failed || mock.synchronised || mock.zeroed ? 1 : 0;
}

static int launch_with_calls_inside(void)
{
    int failed = start();
    mock.launch_inside = true;
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "tapped", 5);
    return failed || mock.deepest < 2 || mock.zeroed != 1 ? 1 : 0;
}

static int launch_that_fails(void)
{
    int failed = start();
    mock.launched = CUDA_ERROR_ILLEGAL_ADDRESS;
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "refused", 1);
    mock.launched = CUDA_SUCCESS;
    mock.set = CUDA_ERROR_ILLEGAL_ADDRESS;
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "unset", 1);
    mock.set = CUDA_SUCCESS;
    mock.copy = CUDA_ERROR_ILLEGAL_ADDRESS;
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "uncopied", 1);
    mock.copy = CUDA_SUCCESS;
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "good\nagain", 1);
    return failed;
}

static int launch_that_crashed(void)
{
    int failed = start();
    mock.synchronise = CUDA_ERROR_ILLEGAL_ADDRESS;
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "crashed", 1);
    return failed || mock.zeroed || mock.copied ? 1 : 0;
}

static int launch_bad_images(void)
{
    int failed = start();
    head_variable[0] ^= 1;
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "magic", 1);
    head_variable[0] ^= 1;
    mock.head_bytes = 8;
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "short", 1);
    mock.head_bytes = PADDED;
    mock.data_bytes = DATA - 4;
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "less", 1);
    return failed;
}

static int refused_by_cupti(void)
{
    mock.subscribed = CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
    int failed = start();
    mock_launch(PLAIN_CALL, MOCK_TAPPED, "tapped", 1);
    return failed || mock.synchronised ? 1 : 0;
}

static int called_twice(void)
{
    return start() || InitializeInjection() != 1;
}

/* ---- the cases ---- */

struct world {
    const char *launches, *kernel, *cupti; /* NULL: not set */
};

/* Run a process in this environment; it must end with 0. Returns what it said, owned. */
static char *say_of(void **state, int (*process)(void), const struct world *w)
{
    char out[SCRATCH_PATH], said[SCRATCH_PATH];
    scratch_path(state, "out", out);
    scratch_path(state, "said", said);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!freopen(said, "w", stderr))
            _exit(60);
        setenv("FRAGORACLE_TAP_OUT", out, 1);
        setenv("FRAGORACLE_CUPTI", w->cupti ? w->cupti : FO_MOCK_DRIVER, 1);
        unsetenv("FRAGORACLE_TAP_LAUNCHES");
        unsetenv("FRAGORACLE_TAP_KERNEL");
        if (w->launches)
            setenv("FRAGORACLE_TAP_LAUNCHES", w->launches, 1);
        if (w->kernel)
            setenv("FRAGORACLE_TAP_KERNEL", w->kernel, 1);
        int result = process();
        fflush(stderr);
        exit(result);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    uint8_t *text;
    size_t size;
    assert_int_equal(file_read(said, 0, &text, &size, NULL), STATUS_OK);
    char *line = realloc(text, size + 1);
    assert_non_null(line);
    line[size] = '\0';
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("status %d: %s", status, line);
    return line;
}

/* Exactly so many lines, each beginning with the name of the program, and this among them. */
static void expect_lines(char *said, size_t lines, const char *words)
{
    size_t found = 0;
    if (words && !strstr(said, words))
        fail_msg("\"%s\" does not say \"%s\"", said, words);
    for (const char *at = said; *at; at = strchr(at, '\n') + 1, found++)
        if (strncmp(at, "fragoracle: ", 12) != 0)
            fail_msg("a line without the name: %s", at);
    if (found != lines)
        fail_msg("%zu lines, not %zu: %s", found, lines, said);
    free(said);
}

static struct tap_image read_launch(void **state, const char *name)
{
    char path[SCRATCH_PATH];
    struct tap_image image;
    struct error e;
    if (tap_image_read(scratch_path(state, name, path), &image, &e) != STATUS_OK)
        fail_msg("%s: %s", e.path, e.why);
    json_forget();
    return image;
}

static bool exists(void **state, const char *name)
{
    char path[SCRATCH_PATH];
    struct stat is;
    return stat(scratch_path(state, name, path), &is) == 0;
}

static void callback_every_kind_of_launch_is_read(void **state)
{
    expect_lines(say_of(state, launch_every_way, &(struct world){.launches = "0:6"}), 6, "1 streams in ");
    size_t ran = 0;
    for (uint32_t i = 0; i < 6; i++, ran++) {
        char name[32];
        snprintf(name, sizeof name, "out/launch%u", i);
        struct tap_image image = read_launch(state, name);
        const struct tap_image_launch *l = &image.launch;
        assert_int_equal(l->launch, i);
        assert_string_equal(l->kernel, "tapped");
        assert_string_equal(l->gpu, "Mock GPU");
        assert_true(l->driver[0] && strlen(l->date) == 10);
        assert_memory_equal(l->grid, ((uint32_t[]){1, 2, 3}), 12);
        assert_memory_equal(l->block, ((uint32_t[]){4, 5, 6}), 12);
        assert_int_equal(image.stream_count, 1);
        for (size_t w = 0; w < THREADS * WORDS; w++)
            assert_int_equal(image.stream[0].data[w], 100 + i);
        assert_int_equal(image.stream[0].counter[THREADS - 1], 100 + i);
        tap_image_free(&image);
    }
    assert_int_equal(ran, 6);
}

static void callback_default_reads_the_first_launch_only(void **state)
{
    expect_lines(say_of(state, launch_three, &(struct world){0}), 1, "launch 0 of some_other");
    assert_true(exists(state, "out/launch0/site0.A.npy") && !exists(state, "out/launch1"));
}

static void callback_window_and_name_choose_launches(void **state)
{
    expect_lines(say_of(state, launch_three, &(struct world){.launches = "1:1", .kernel = "kernel"}), 1,
                 "launch 1 of the_kernel");
    struct tap_image image = read_launch(state, "out/launch1");
    assert_int_equal(image.stream[0].data[0], 3);
    tap_image_free(&image);
    assert_false(exists(state, "out/launch0"));
}

static void callback_launches_that_record_nothing_are_not_counted(void **state)
{
    expect_lines(say_of(state, launch_silent_ones, &(struct world){0}), 1, "launch 0 of the_kernel");
    assert_true(exists(state, "out/launch0/tap.json") && !exists(state, "out/launch1"));
    expect_lines(say_of(state, launch_three_silent, &(struct world){0}), 1, "widen the filter");
}

static void callback_second_process_writes_beside_the_first(void **state)
{
    expect_lines(say_of(state, launch_three, &(struct world){0}), 1, "/launch0\n");
    expect_lines(say_of(state, launch_three, &(struct world){0}), 1, "/launch0.");
}

static void callback_process_without_tapped_modules_is_left_alone(void **state)
{
    expect_lines(say_of(state, launch_plain, &(struct world){0}), 0, NULL);
    assert_false(exists(state, "out"));
}

static void callback_launch_into_a_graph_is_not_read(void **state)
{
    expect_lines(say_of(state, launch_while_capturing, &(struct world){.launches = "0:9"}), 2,
                 "graphed: launched into");
    assert_false(exists(state, "out"));
}

static void callback_own_calls_are_no_launches(void **state)
{
    expect_lines(say_of(state, launch_with_calls_inside, &(struct world){.launches = "0:9"}), 1, "launch 0 of tapped");
}

static void callback_failures_are_one_line_each(void **state)
{
    expect_lines(say_of(state, launch_that_fails, &(struct world){.launches = "0:9"}), 4, "ILLEGAL_ADDRESS");
    assert_true(exists(state, "out/launch0/tap.json") && !exists(state, "out/launch1"));
    expect_lines(say_of(state, launch_that_crashed, &(struct world){0}), 1, "crashed");
    char *said = say_of(state, launch_bad_images, &(struct world){.launches = "0:9"});
    assert_true(strstr(said, "has 8 bytes") && strstr(said, "in variables of"));
    expect_lines(said, 3, "not a capture");
}

static void initialize_trouble_is_one_line(void **state)
{
    expect_lines(say_of(state, refused_by_cupti, &(struct world){0}), 1, "another profiler");
    expect_lines(say_of(state, launch_three, &(struct world){.cupti = "/nowhere/libcupti.so"}), 1,
                 "/nowhere/libcupti.so");
    expect_lines(say_of(state, called_twice, &(struct world){0}), 0, NULL);
    static const char *const bad[] = {"", "1", "1:", ":1", "0:0", "0:1x", "-1:1", "99999999999999999999:1", "0 :1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_lines(say_of(state, launch_three, &(struct world){.launches = bad[i]}), 1, "write first:count");
    assert_false(exists(state, "out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(callback_every_kind_of_launch_is_read, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(callback_default_reads_the_first_launch_only, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(callback_window_and_name_choose_launches, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(callback_second_process_writes_beside_the_first, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(callback_process_without_tapped_modules_is_left_alone, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(callback_launch_into_a_graph_is_not_read, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(callback_launches_that_record_nothing_are_not_counted, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(callback_own_calls_are_no_launches, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(callback_failures_are_one_line_each, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(initialize_trouble_is_one_line, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    fprintf(stderr, "not run: libfragoracle_tap.so is not built, there is no cupti.h\n");
    return 77;
}
#endif
