#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "oracle/io/file.h"
#include "oracle/io/npy.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

#define ORDER "'fortran_order': False, "
#define U1    "{'descr': '|u1', " ORDER

/* A version 1.0 file with this header text and this many bytes 0, 1, 2, ... of data. Returns its size. */
static size_t build(const char *header, size_t data_bytes, uint8_t file[1024])
{
    size_t length = strlen(header);
    assert_true(10 + length + data_bytes <= 1024);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (uint8_t)length;
    file[9] = (uint8_t)(length >> 8);
    memcpy(file + 10, header, length);
    for (size_t i = 0; i < data_bytes; i++)
        file[10 + length + i] = (uint8_t)i;
    return 10 + length + data_bytes;
}

/* npy_parse refuses the bytes so, and leaves its result alone. */
static void assert_refused(const uint8_t *bytes, size_t size, const char *field, int64_t offset, const char *why)
{
    struct npy a, before;
    struct error e;
    memset(&a, 0xa5, sizeof a);
    before = a;
    assert_int_equal(npy_parse("f.npy", bytes, size, &a, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, "f.npy", field, offset, why);
    assert_memory_equal(&a, &before, sizeof a);
    assert_int_equal(npy_parse("f.npy", bytes, size, &a, NULL), STATUS_BAD_INPUT);
}

static void npy_parse_file_of_numpy_gives_its_array(void **state)
{
    (void)state;
    /* What numpy.save writes for numpy.arange(6, dtype='<u2').reshape(2, 3): blanks up to byte 127. */
    static const char head[] = "\x93NUMPY\x01\x00\x76\x00{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3), }";
    uint8_t file[140];
    memset(file, ' ', sizeof file);
    memcpy(file, head, sizeof head - 1);
    memcpy(file + 127, "\n\x00\x00\x01\x00\x02\x00\x03\x00\x04\x00\x05", 13);
    struct npy a;
    assert_int_equal(npy_parse("f.npy", file, sizeof file, &a, NULL), STATUS_OK);
    assert_int_equal(a.type, NPY_U2);
    assert_int_equal(a.rank, 2);
    assert_int_equal(a.shape[0], 2);
    assert_int_equal(a.shape[1], 3);
    assert_int_equal(npy_count(&a), 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(((uint16_t *)a.data)[i], i);
    npy_free(&a);
    assert_null(a.data);
}

static void npy_parse_every_truncation_is_refused(void **state)
{
    (void)state;
    static const char *const header[] = {"{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3), }\n",
                                         "{'descr': '|u1', 'fortran_order': False, 'shape': (12,), }   \n"};
    for (int version = 1; version <= 2; version++) {
        for (size_t h = 0; h < 2; h++) {
            uint8_t file[1024];
            struct npy a;
            size_t size = build(header[h], 12, file);
            if (version == 2) {
                memmove(file + 12, file + 10, size - 10);
                file[6] = 2;
                file[10] = file[11] = 0;
                size += 2;
            }
            for (size_t cut = 0; cut < size; cut++) {
                /* A block of exactly the size: a sanitiser sees a read past its end. */
                uint8_t *copy = malloc(cut ? cut : 1);
                struct error e;
                assert_non_null(copy);
                memcpy(copy, file, cut);
                assert_int_equal(npy_parse("f.npy", copy, cut, &a, &e), STATUS_BAD_INPUT);
                assert_int_equal(e.offset, cut < 6 ? 0 : cut);
                assert_true(e.field[0] && e.why[0]);
                free(copy);
            }
            assert_int_equal(npy_parse("f.npy", file, size, &a, NULL), STATUS_OK);
            npy_free(&a);
        }
    }
}

static void npy_parse_header_cut_inside_is_refused(void **state)
{
    (void)state;
    static const char header[] = U1 "'shape': (2, 3), }\n";
    for (size_t cut = 0; cut < sizeof header - 1; cut++) {
        char text[sizeof header];
        uint8_t file[1024];
        struct npy a;
        struct error e;
        memcpy(text, header, cut);
        text[cut] = '\0';
        size_t size = build(text, 0, file);
        uint8_t *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, file, size);
        assert_int_equal(npy_parse("f.npy", copy, size, &a, &e), STATUS_BAD_INPUT);
        assert_true(e.offset >= 10 && e.offset <= (int64_t)size);
        free(copy);
    }
}

static void npy_parse_other_spellings_are_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int rank;
        size_t data_bytes;
    } good[] = {{"{\"shape\":(3,),\"fortran_order\":False,\"descr\":\"<f4\"}\n", 1, 12},
                {"{ 'descr' : '|u1' ,\n\t'fortran_order': False, 'shape': ( ) , }  \n \n", 0, 1},
                {"{'descr': '<u8', 'fortran_order': False, 'shape': (0, 2305843009213693951)}\n", 2, 0},
                {"{'descr': '<i4', 'fortran_order': False, 'shape': (1,2,1,1,1,1,)}\n", 6, 8}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint8_t file[1024];
        struct npy a;
        struct error e;
        char line[1100];
        size_t size = build(good[i].header, good[i].data_bytes, file);
        if (npy_parse("f.npy", file, size, &a, &e))
            fail_msg("%s", error_line(&e, line, sizeof line));
        assert_int_equal(a.rank, good[i].rank);
        assert_int_equal(npy_count(&a) * npy_item_size(a.type), good[i].data_bytes);
        npy_free(&a);
    }
}

#define ORDER "'fortran_order': False, "
#define U1    "{'descr': '|u1', " ORDER

static void npy_parse_wrong_header_is_refused_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *header, *field;
        int64_t offset;
        const char *why;
    } bad[] = {
        {"", "header", 10, "not a dictionary"},
        {"\n", "header", 11, "not a dictionary"},
        {"['descr']\n", "header", 10, "not a dictionary"},
        {"{}\n", "descr", 12, "absent"},
        {"{'descr': '|u1'}\n", "fortran_order", 26, "absent"},
        {U1 "}\n", "shape", 52, "absent"},
        {"{'descr': '|u1' 'shape': (4,)}\n", "header", 26, "not a dictionary of"},
        {"{'descr' '|u1'}\n", "header", 11, "not a dictionary of"},
        {"{descr: '|u1'}\n", "header", 11, "not a dictionary of"},
        {"{'extra': 1, " ORDER "'shape': (4,)}\n", "header", 11, "a key that is not"},
        {"{'descr': '|u1', 'descr': '|u1'}\n", "header", 27, "a key twice"},
        {"{'fortran_order_and_more': False}\n", "header", 11, "not a dictionary of"},
        {"{'descr': '<f4<f4<f4<f4<f4<f4', " ORDER "'shape': (1,)}\n", "descr", 20, "simple type"},
        {"{'descr': '>f4', " ORDER "'shape': (1,)}\n", "descr", 20, "big endian"},
        {"{'descr': '<f8', " ORDER "'shape': (1,)}\n", "descr", 20, "not one of"},
        {"{'descr': '|O', " ORDER "'shape': (1,)}\n", "descr", 20, "not one of"},
        {"{'descr': [('a', '<f4')], " ORDER "'shape': (1,)}\n", "descr", 20, "simple type"},
        {"{'descr': '<f4\n", "descr", 20, "simple type"},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (4,)}\n", "fortran_order", 44, "save it in C order"},
        {"{'descr': '|u1', 'fortran_order': 0, 'shape': (4,)}\n", "fortran_order", 44, "neither"},
        {U1 "'shape': 4}\n", "shape", 60, "not a tuple"},
        {U1 "'shape': (4)}\n", "shape", 60, "not a tuple"},
        {U1 "'shape': [4]}\n", "shape", 60, "not a tuple"},
        {U1 "'shape': (,)}\n", "shape", 61, "not an extent"},
        {U1 "'shape': (-4,)}\n", "shape", 61, "not an extent"},
        {U1 "'shape': (4.0,)}\n", "shape", 62, "no comma"},
        {U1 "'shape': (2 2)}\n", "shape", 63, "no comma"},
        {U1 "'shape': (2, 2\n", "shape", 66, "no comma"},
        {U1 "'shape': (2,\n", "shape", 64, "not an extent"},
        {U1 "'shape': (1,1,1,1,1,1,4)}\n", "shape", 73, "more than 6"},
        {U1 "'shape': (18446744073709551616,)}\n", "shape", 61, "beyond 64 bits"},
        {U1 "'shape': (99999999999999999999,)}\n", "shape", 61, "beyond 64 bits"},
        {U1 "'shape': (4294967296, 4294967296)}\n", "shape", 86, "more bytes than"},
        {U1 "'shape': (4294967296, 4294967296, 0)}\n", "shape", 89, "more bytes than"},
        {U1 "'shape': (4,)} x\n", "header", 66, "newline after the dictionary"},
        {U1 "'shape': (4,)} ", "header", 66, "newline after the dictionary"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t file[1024];
        size_t size = build(bad[i].header, 4, file);
        assert_refused(file, size, bad[i].field, bad[i].offset, bad[i].why);
    }
}

static void npy_parse_wrong_preamble_is_refused(void **state)
{
    (void)state;
    uint8_t file[1024];
    size_t size = build(U1 "'shape': (4,)}\n", 4, file);
    file[6] = 3;
    assert_refused(file, size, "version", 6, "neither 1.0 nor 2.0");
    file[6] = 1;
    file[7] = 1;
    assert_refused(file, size, "version", 6, "neither 1.0 nor 2.0");
    file[7] = 0;
    file[9] = 0x10;
    assert_refused(file, size, "header", (int64_t)size, "ends inside the header");
    file[9] = 0;
    file[5] = 'y';
    assert_refused(file, size, "magic", 0, "not a NumPy file");
}

static void npy_parse_wrong_data_size_is_refused(void **state)
{
    (void)state;
    uint8_t file[1024];
    size_t size = build("{'descr': '<u2', " ORDER "'shape': (4,)}\n", 9, file);
    assert_refused(file, size, "data", (int64_t)size - 1, "trailing data: the shape wants 8 bytes, 9 follow");
    assert_refused(file, size - 2, "data", (int64_t)size - 2, "truncated: the shape wants 8 bytes, 7 follow");
}

static void npy_parse_nul_in_a_name_is_refused(void **state)
{
    (void)state;
    uint8_t file[1024];
    size_t size = build("{'descr': '|u1#', " ORDER "'shape': (4,)}\n", 4, file);
    *(uint8_t *)memchr(file, '#', size) = '\0';
    assert_refused(file, size, "descr", 20, "simple type");
}

static void npy_write_every_type_and_rank_reads_back(void **state)
{
    static const size_t shape[NPY_RANK] = {2, 3, 1, 2, 1, 2};
    char path[SCRATCH_PATH];
    uint8_t data[24 * 8];
    int cases = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37);
    scratch_path(state, "f.npy", path);
    for (int t = NPY_U1; t <= NPY_F4; t++) {
        for (int rank = 0; rank <= NPY_RANK; rank++, cases++) {
            struct npy a;
            struct error e;
            uint8_t *file;
            size_t size;
            assert_int_equal(npy_write(path, (enum npy_type)t, rank, shape, data, &e), STATUS_OK);
            assert_int_equal(npy_read(path, &a, &e), STATUS_OK);
            assert_int_equal(a.rank, rank);
            assert_int_equal(npy_expect(&a, path, (enum npy_type)t, rank, shape, &e), STATUS_OK);
            assert_memory_equal(a.data, data, npy_count(&a) * npy_item_size(a.type));
            assert_int_equal(file_read(path, 0, &file, &size, NULL), STATUS_OK);
            /* Data from a multiple of 64 on, as NumPy aligns it. */
            assert_int_equal((size - npy_count(&a) * npy_item_size(a.type)) % 64, 0);
            free(file);
            npy_free(&a);
        }
    }
    assert_int_equal(cases, 49);
    assert_int_equal(scratch_count(state), 1);
}

static void npy_write_matrix_gives_the_bytes_of_numpy(void **state)
{
    char path[SCRATCH_PATH];
    uint8_t *file, want[132];
    size_t size;
    static const char head[] = "\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }";
    memset(want, ' ', sizeof want);
    memcpy(want, head, sizeof head - 1);
    memcpy(want + 127, "\nabcd", 5);
    assert_int_equal(npy_write(scratch_path(state, "f.npy", path), NPY_U1, 2, (size_t[]){2, 2}, "abcd", NULL),
                     STATUS_OK);
    assert_int_equal(file_read(path, 0, &file, &size, NULL), STATUS_OK);
    assert_int_equal(size, sizeof want);
    assert_memory_equal(file, want, size);
    free(file);
}

static void npy_write_impossible_shape_is_refused(void **state)
{
    char path[SCRATCH_PATH];
    struct error e;
    static const size_t shape[NPY_RANK + 1] = {(size_t)1 << 62, 4, 1, 1, 1, 1, 1};
    scratch_path(state, "f.npy", path);
    assert_int_equal(npy_write(path, NPY_U1, NPY_RANK + 1, shape, "", &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, path, "", -1, "not a shape");
    assert_int_equal(npy_write(path, NPY_U1, -1, shape, "", &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(npy_write(path, NPY_U1, 2, shape, "", &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(npy_write(path, NPY_U4, 1, shape, "", &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(scratch_count(state), 0);
}

static void npy_write_full_disk_keeps_the_old_array(void **state)
{
    char path[SCRATCH_PATH];
    static const uint8_t big[20000];
    struct rlimit before, small;
    struct npy a;
    struct error e;
    assert_int_equal(npy_write(scratch_path(state, "f.npy", path), NPY_U1, 1, (size_t[]){3}, "old", NULL), STATUS_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum status s = npy_write(path, NPY_U1, 1, (size_t[]){sizeof big}, big, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(s, STATUS_IO);
    expect_error(&e, STATUS_IO, path, "", -1, "cannot write");
    assert_int_equal(npy_read(path, &a, NULL), STATUS_OK);
    assert_memory_equal(a.data, "old", 3);
    npy_free(&a);
    assert_int_equal(scratch_count(state), 1);
}

static void npy_read_missing_file_is_an_io_error(void **state)
{
    char path[SCRATCH_PATH];
    struct npy a;
    struct error e;
    assert_int_equal(npy_read(scratch_path(state, "f.npy", path), &a, &e), STATUS_IO);
    expect_error(&e, STATUS_IO, path, "", -1, "No such file");
}

static void npy_expect_differences_are_named(void **state)
{
    (void)state;
    struct npy a = {.type = NPY_F4, .rank = 2, .shape = {3, 4}};
    struct error e;
    assert_int_equal(npy_expect(&a, "f", NPY_F4, 2, (size_t[]){3, 4}, &e), STATUS_OK);
    assert_int_equal(npy_expect(&a, "f", NPY_F4, 2, (size_t[]){0, 4}, &e), STATUS_OK);
    assert_int_equal(npy_expect(&a, "f", NPY_F4, 2, (size_t[]){0, 5}, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, "f", "", -1, "wanted <f4 (any, 5), found <f4 (3, 4)");
    assert_int_equal(npy_expect(&a, "f", NPY_U2, 2, (size_t[]){3, 4}, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, "f", "", -1, "wanted <u2 (3, 4), found <f4 (3, 4)");
    assert_int_equal(npy_expect(&a, "f", NPY_F4, 1, (size_t[]){3}, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, "f", "", -1, "wanted <f4 (3,), found");
    assert_int_equal(npy_expect(&a, "f", NPY_F4, 0, NULL, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, "f", "", -1, "wanted <f4 (), found");
    size_t huge[6] = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    assert_int_equal(npy_expect(&a, "f", NPY_F4, 6, huge, NULL), STATUS_BAD_INPUT);
}

struct job {
    void *const *state;
    char path[SCRATCH_PATH];
    struct npy array;
};

static enum status read_once(void *context, struct error *e)
{
    struct job *j = context;
    return npy_read(j->path, &j->array, e);
}

static void read_failed(void *context)
{
    const struct job *j = context;
    assert_null(j->array.data);
    assert_int_equal(j->array.rank, -5);
}

static enum status write_once(void *context, struct error *e)
{
    struct job *j = context;
    return npy_write(j->path, NPY_U1, 1, (size_t[]){4}, "abcd", e);
}

static void write_failed(void *context)
{
    const struct job *j = context;
    assert_int_equal(scratch_count(j->state), 0);
}

static void npy_without_memory_says_so(void **state)
{
    struct job j = {.state = state, .array = {.rank = -5}};
    scratch_path(state, "f.npy", j.path);
    assert_int_equal(alloc_check(write_once, write_failed, &j), 1);
    assert_int_equal(alloc_check(read_once, read_failed, &j), 2);
    npy_free(&j.array);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_parse_file_of_numpy_gives_its_array),
        cmocka_unit_test(npy_parse_every_truncation_is_refused),
        cmocka_unit_test(npy_parse_header_cut_inside_is_refused),
        cmocka_unit_test(npy_parse_other_spellings_are_accepted),
        cmocka_unit_test(npy_parse_wrong_header_is_refused_at_its_place),
        cmocka_unit_test(npy_parse_wrong_preamble_is_refused),
        cmocka_unit_test(npy_parse_wrong_data_size_is_refused),
        cmocka_unit_test(npy_parse_nul_in_a_name_is_refused),
        IN_SCRATCH(npy_write_every_type_and_rank_reads_back),
        IN_SCRATCH(npy_write_matrix_gives_the_bytes_of_numpy),
        IN_SCRATCH(npy_write_impossible_shape_is_refused),
        IN_SCRATCH(npy_write_full_disk_keeps_the_old_array),
        IN_SCRATCH(npy_read_missing_file_is_an_io_error),
        cmocka_unit_test(npy_expect_differences_are_named),
        IN_SCRATCH(npy_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
