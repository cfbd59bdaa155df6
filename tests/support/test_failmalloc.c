/* A whole program under failmalloc: every reader and writer of oracle/io, the shared libraries below them included,
 * meets a failure of each n-th allocation. This program starts itself as the one that suffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/io/npy.h"
#include "oracle/io/picture.h"
#include "oracle/io/safetensors.h"
#include "tests/support/scratch.h"

/* What the child ends with; 1 is left to the libraries that end a program themselves. */
enum { ALL_DONE = 0, NO_MEMORY = 3, OTHER_TROUBLE = 4 };

static enum status use_npy(const char *path, struct error *e)
{
    struct npy a;
    enum status s = npy_write(path, NPY_U1, 1, (size_t[]){4}, "abcd", e);
    if (!s)
        s = npy_read(path, &a, e);
    if (!s)
        npy_free(&a);
    return s;
}

static enum status use_safetensors(const char *path, struct error *e)
{
    static const char *const metadata[] = {"key", "value", NULL};
    static const struct safetensors_entry entry[] = {{"w_blocks", "U8", 4, {1, 1, 1, 16}, "0123456789abcdef"},
                                                     {"w_scales", "U8", 3, {1, 1, 1}, "x"}};
    struct safetensors file;
    struct weights w;
    enum status s = safetensors_write(path, entry, 2, metadata, e);
    if (!s)
        s = safetensors_read(path, &file, e);
    if (!s) {
        s = safetensors_weights(&file, "w", &w, e);
        safetensors_free(&file);
    }
    return s;
}

static enum status use_picture(const char *path, struct error *e)
{
    struct picture p;
    enum status s = picture_make(40, 20, (struct colour){1, 2, 3}, &p, e);
    if (s)
        return s;
    picture_text(&p, 2, 2, "text", 1, (struct colour){200, 200, 200});
    s = picture_write_png(path, &p, e);
    picture_free(&p);
    return s;
}

static int child(const char *folder)
{
    void *state = (void *)(uintptr_t)folder;
    char path[SCRATCH_PATH];
    struct error e = {0};
    enum status s = use_npy(scratch_path(&state, "f.npy", path), &e);
    if (!s)
        s = use_safetensors(scratch_path(&state, "f.safetensors", path), &e);
    if (!s)
        s = use_picture(scratch_path(&state, "f.png", path), &e);
    return s == STATUS_OK ? ALL_DONE : s == STATUS_NO_MEMORY && e.why[0] ? NO_MEMORY : OTHER_TROUBLE;
}

#ifdef FO_FAILMALLOC
/* The child's exit status when its n-th allocation fails. */
static int run_child(const char *folder, int n)
{
    char at[20];
    snprintf(at, sizeof at, "%d", n);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("LD_PRELOAD", FO_FAILMALLOC, 1);
        setenv("FAIL_MALLOC_AT", at, 1);
        execl("/proc/self/exe", "test_failmalloc", "--child", folder, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status))
        fail_msg("the allocation %d: signal %d", n, WTERMSIG(status));
    return WEXITSTATUS(status);
}

static void failmalloc_each_allocation_is_survived(void **state)
{
    /* Past the last allocation every run succeeds; a library may also do without one, so one success is no end. */
    int failed = 0, succeeded_in_a_row = 0;
    assert_int_equal(access(FO_FAILMALLOC, R_OK), 0);
    assert_int_equal(run_child(*state, 0), ALL_DONE);
    assert_int_equal(scratch_count(state), 3);
    for (int n = 1; succeeded_in_a_row < 20; n++) {
        int end = run_child(*state, n);
        if (end != ALL_DONE && end != NO_MEMORY)
            fail_msg("the allocation %d: exit status %d", n, end);
        failed += end == NO_MEMORY;
        succeeded_in_a_row = end == ALL_DONE ? succeeded_in_a_row + 1 : 0;
        assert_int_equal(scratch_count(state), 3);
    }
    /* Two readers' and three writers' own allocations, and dozens of the JSON library. */
    assert_true(failed > 60);
}
#else
static void failmalloc_each_allocation_is_survived(void **state)
{
    (void)state;
    skip();
}
#endif

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--child"))
        return child(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(failmalloc_each_allocation_is_survived, scratch_setup, scratch_teardown)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
#ifdef FO_FAILMALLOC
    return failed;
#else
    return failed ? failed : 77; /* sanitisers bring an allocator of their own: not run */
#endif
}
