#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/io/file.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

static void write_ok(const char *path, const char *text)
{
    struct error e;
    assert_int_equal(file_write(path, text, strlen(text), &e), STATUS_OK);
}

static void assert_holds(const char *path, const char *text)
{
    uint8_t *data;
    size_t size;
    assert_int_equal(file_read(path, 0, &data, &size, NULL), STATUS_OK);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(data, text, size);
    free(data);
}

/* file_read refuses `path` so, and leaves its results alone. */
static void assert_unreadable(const char *path, size_t limit, enum status s, const char *why)
{
    struct error e;
    uint8_t *data = (uint8_t *)&e;
    size_t size = 77;
    assert_int_equal(file_read(path, limit, &data, &size, &e), s);
    expect_error(&e, s, path, "", -1, why);
    assert_ptr_equal(data, &e);
    assert_int_equal(size, 77);
    assert_int_equal(file_read(path, limit, &data, &size, NULL), s);
}

static void assert_unwritable(const char *path, const char *why)
{
    struct error e;
    assert_int_equal(file_write(path, "new", 3, &e), STATUS_IO);
    expect_error(&e, STATUS_IO, path, "", -1, why);
    assert_int_equal(file_write(path, "new", 3, NULL), STATUS_IO);
}

static void file_read_written_file_gives_its_bytes(void **state)
{
    char path[SCRATCH_PATH];
    write_ok(scratch_path(state, "f", path), "hello\n");
    assert_holds(path, "hello\n");
}

static void file_read_empty_file_gives_a_block_to_free(void **state)
{
    char path[SCRATCH_PATH];
    uint8_t *data = NULL;
    size_t size = 1;
    write_ok(scratch_path(state, "f", path), "");
    assert_int_equal(file_read(path, 0, &data, &size, NULL), STATUS_OK);
    assert_non_null(data);
    assert_int_equal(size, 0);
    free(data);
}

static void file_read_what_is_no_file_is_refused(void **state)
{
    char path[SCRATCH_PATH];
    assert_unreadable(scratch_path(state, "missing", path), 0, STATUS_IO, "No such file");
    assert_unreadable(*state, 0, STATUS_BAD_INPUT, "not a regular file");
    assert_unreadable("/dev/full", 0, STATUS_BAD_INPUT, "not a regular file");
    /* Nobody writes to it: a plain open would wait for ever. */
    assert_int_equal(mkfifo(scratch_path(state, "pipe", path), 0600), 0);
    alarm(20);
    assert_unreadable(path, 0, STATUS_BAD_INPUT, "not a regular file");
    alarm(0);
}

static void file_read_above_limit_is_refused(void **state)
{
    char path[SCRATCH_PATH];
    uint8_t *data;
    size_t size;
    write_ok(scratch_path(state, "f", path), "12345");
    assert_unreadable(path, 4, STATUS_BAD_INPUT, "5 bytes are more than the limit of 4");
    assert_int_equal(file_read(path, 5, &data, &size, NULL), STATUS_OK);
    free(data);
}

static void file_write_existing_file_is_replaced(void **state)
{
    char path[SCRATCH_PATH];
    struct stat st;
    mode_t mask = umask(027);
    write_ok(scratch_path(state, "f", path), "old and longer");
    umask(mask);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(chmod(path, 0604), 0);
    write_ok(path, "new");
    assert_holds(path, "new");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
    assert_int_equal(scratch_count(state), 1);
}

static void file_write_through_link_keeps_the_link(void **state)
{
    char path[SCRATCH_PATH], link[SCRATCH_PATH];
    struct stat st;
    write_ok(scratch_path(state, "f", path), "old");
    assert_int_equal(symlink("f", scratch_path(state, "link", link)), 0);
    write_ok(link, "new");
    assert_holds(path, "new");
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void file_write_longest_name_is_written(void **state)
{
    char path[SCRATCH_PATH], name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    write_ok(scratch_path(state, name, path), "text");
    assert_holds(path, "text");
}

static void file_write_relative_path_is_written_beside_itself(void **state)
{
    int home = open(".", O_RDONLY | O_DIRECTORY);
    assert_true(home >= 0);
    assert_int_equal(chdir(*state), 0);
    write_ok("f", "text");
    assert_holds("f", "text");
    assert_int_equal(fchdir(home), 0);
    close(home);
    assert_int_equal(scratch_count(state), 1);
}

static void file_write_where_nothing_can_be_is_refused(void **state)
{
    char path[SCRATCH_PATH];
    assert_unwritable(scratch_path(state, "missing/f", path), "No such file");
    assert_unwritable(scratch_path(state, "new/", path), "No such file");
    write_ok(scratch_path(state, "f", path), "old");
    assert_unwritable(scratch_path(state, "f/g", path), "Not a directory");
    assert_unwritable(*state, "Is a directory");
    assert_unwritable("/proc/fragoracle", "cannot create a file beside it");
    assert_unwritable("", "No such file");
    if (geteuid() != 0) { /* the superuser writes everywhere */
        assert_int_equal(chmod(*state, 0500), 0);
        assert_unwritable(scratch_path(state, "f", path), "Permission denied");
        assert_int_equal(chmod(*state, 0700), 0);
    }
    assert_holds(scratch_path(state, "f", path), "old");
    assert_int_equal(scratch_count(state), 1);
}

static void file_write_full_device_is_refused(void **state)
{
    (void)state;
    struct stat st;
    assert_unwritable("/dev/full", "No space left on device");
    assert_int_equal(stat("/dev/full", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(file_write("/dev/null", "x", 1, NULL), STATUS_OK);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void file_write_full_disk_leaves_the_old_file(void **state)
{
    char path[SCRATCH_PATH];
    static const char big[100000];
    struct rlimit before, small;
    struct error e;
    write_ok(scratch_path(state, "f", path), "old");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 5000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum status s = file_write(path, big, sizeof big, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(s, STATUS_IO);
    expect_error(&e, STATUS_IO, path, "", -1, "cannot write: File too large");
    assert_holds(path, "old");
    assert_int_equal(scratch_count(state), 1);
}

static void file_make_folder_nested_is_made_once(void **state)
{
    char path[SCRATCH_PATH];
    struct stat st;
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(file_make_folder(scratch_path(state, "a//b/c/", path), NULL), STATUS_OK);
        assert_int_equal(stat(scratch_path(state, "a/b/c", path), &st), 0);
        assert_true(S_ISDIR(st.st_mode));
    }
    assert_int_equal(file_make_folder("/", NULL), STATUS_OK);
    assert_int_equal(file_make_folder(".", NULL), STATUS_OK);
}

static void file_make_folder_impossible_is_refused(void **state)
{
    struct error e;
    char path[SCRATCH_PATH], *endless = malloc(10000);
    assert_non_null(endless);
    write_ok(scratch_path(state, "f", path), "");
    assert_int_equal(file_make_folder(path, &e), STATUS_IO);
    expect_error(&e, STATUS_IO, path, "", -1, "Not a directory");
    assert_int_equal(file_make_folder(scratch_path(state, "f/g", path), &e), STATUS_IO);
    expect_error(&e, STATUS_IO, path, "", -1, "Not a directory");
    assert_int_equal(file_make_folder("/proc/fragoracle/x", &e), STATUS_IO);
    expect_error(&e, STATUS_IO, "/proc/fragoracle/x", "", -1, "cannot make the folder");
    assert_int_equal(file_make_folder("", &e), STATUS_IO);
    memset(endless, 'x', 9999);
    endless[9999] = '\0';
    assert_int_equal(file_make_folder(endless, &e), STATUS_IO);
    assert_non_null(strstr(e.why, "too long"));
    assert_int_equal(file_write(endless, "", 0, &e), STATUS_IO);
    assert_non_null(strstr(e.why, "too long"));
    free(endless);
}

struct reading {
    const char *path;
    uint8_t *data;
    size_t size;
};

static enum status read_once(void *context, struct error *e)
{
    struct reading *r = context;
    return file_read(r->path, 0, &r->data, &r->size, e);
}

static void read_failed(void *context)
{
    const struct reading *r = context;
    assert_null(r->data);
    assert_int_equal(r->size, 77);
}

static void file_read_without_memory_says_so(void **state)
{
    char path[SCRATCH_PATH];
    struct reading r = {.path = scratch_path(state, "f", path), .size = 77};
    write_ok(path, "text");
    assert_int_equal(alloc_check(read_once, read_failed, &r), 1);
    free(r.data);
    assert_int_equal(alloc_live(), 1); /* the scratch folder's name */
}

static void file_sha256_known_messages_give_known_digests(void **state)
{
    (void)state;
    /* source: FIPS 180-4 examples (abc and the two longer ones); the lengths around a block from another program. */
    static const struct {
        const char *text, *hex;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    static const struct {
        size_t count;
        const char *hex;
    } repeated[] = {
        {55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
        {56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
        {63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
        {64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
        {65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
        {119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"},
        {120, "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c"},
        {128, "6836cf13bac400e9105071cd6af47084dfacad4e5e302c94bfed24e013afb73e"},
        {1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    char hex[65];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        file_sha256(known[i].text, strlen(known[i].text), hex);
        assert_string_equal(hex, known[i].hex);
    }
    for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) {
        char *text = malloc(repeated[i].count);
        assert_non_null(text);
        memset(text, 'a', repeated[i].count);
        file_sha256(text, repeated[i].count, hex);
        assert_string_equal(hex, repeated[i].hex);
        free(text);
    }
    file_sha256(NULL, 0, hex);
    assert_string_equal(hex, known[0].hex);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(file_read_written_file_gives_its_bytes),
        IN_SCRATCH(file_read_empty_file_gives_a_block_to_free),
        IN_SCRATCH(file_read_what_is_no_file_is_refused),
        IN_SCRATCH(file_read_above_limit_is_refused),
        IN_SCRATCH(file_write_existing_file_is_replaced),
        IN_SCRATCH(file_write_through_link_keeps_the_link),
        IN_SCRATCH(file_write_longest_name_is_written),
        IN_SCRATCH(file_write_relative_path_is_written_beside_itself),
        IN_SCRATCH(file_write_where_nothing_can_be_is_refused),
        cmocka_unit_test(file_write_full_device_is_refused),
        IN_SCRATCH(file_write_full_disk_leaves_the_old_file),
        IN_SCRATCH(file_make_folder_nested_is_made_once),
        IN_SCRATCH(file_make_folder_impossible_is_refused),
        IN_SCRATCH(file_read_without_memory_says_so),
        cmocka_unit_test(file_sha256_known_messages_give_known_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
