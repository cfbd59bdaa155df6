#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <jansson.h>

#include "oracle/io/file.h"
#include "oracle/io/safetensors.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

enum { FILE_MAX = 2048 };

/* A file with this header and this many bytes 0, 1, 2, ... of data. Returns its size. */
static size_t build(const char *header, size_t data_bytes, uint8_t file[FILE_MAX])
{
    size_t length = strlen(header);
    assert_true(8 + length + data_bytes <= FILE_MAX);
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < data_bytes; i++)
        file[8 + length + i] = (uint8_t)i;
    return 8 + length + data_bytes;
}

/* safetensors_parse of an exact copy, so that a sanitiser sees a read past its end. */
static enum status parse(const uint8_t *file, size_t size, struct safetensors *s, struct error *e)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, file, size);
    enum status status = safetensors_parse("f.st", copy, size, s, e);
    if (status)
        free(copy);
    return status;
}

static void parse_ok(const char *header, size_t data_bytes, struct safetensors *s)
{
    uint8_t file[FILE_MAX];
    struct error e;
    char line[1100];
    if (parse(file, build(header, data_bytes, file), s, &e))
        fail_msg("%s", error_line(&e, line, sizeof line));
}

static void assert_refused(const uint8_t *file, size_t size, const char *field, int64_t offset, const char *why)
{
    struct safetensors s, before;
    struct error e;
    memset(&s, 0xa5, sizeof s);
    before = s;
    assert_int_equal(parse(file, size, &s, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, "f.st", field, offset, why);
    assert_memory_equal(&s, &before, sizeof s);
    assert_int_equal(parse(file, size, &s, NULL), STATUS_BAD_INPUT);
}

static const char two_tensors[] = "{\"__metadata__\":{\"origin\":\"here\"},"
                                  "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
                                  "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}  ";

static void safetensors_parse_two_tensors_gives_them_by_offset(void **state)
{
    (void)state;
    struct safetensors s;
    parse_ok(two_tensors, 16, &s);
    assert_string_equal(s.path, "f.st");
    assert_int_equal(s.count, 2);
    assert_int_equal(s.data_start, 8 + strlen(two_tensors));
    assert_int_equal(s.file_bytes, s.data_start + 16);
    assert_string_equal(s.tensor[0].name, "a");
    const struct safetensors_tensor *b = safetensors_find(&s, "b");
    assert_ptr_equal(b, &s.tensor[1]);
    assert_string_equal(b->dtype, "BF16");
    assert_int_equal(b->rank, 2);
    assert_int_equal(b->shape[0], 2);
    assert_int_equal(b->shape[1], 3);
    assert_int_equal(b->offset, 4);
    assert_int_equal(b->bytes, 12);
    assert_int_equal(safetensors_data(&s, b)[0], 4);
    assert_null(safetensors_find(&s, "__metadata__"));
    assert_null(safetensors_find(&s, ""));
    safetensors_free(&s);
    assert_int_equal(s.count, 0);
}

static void safetensors_parse_every_truncation_is_refused(void **state)
{
    (void)state;
    uint8_t file[FILE_MAX];
    size_t size = build(two_tensors, 16, file);
    for (size_t cut = 0; cut < size; cut++) {
        struct safetensors s;
        struct error e;
        assert_int_equal(parse(file, cut, &s, &e), STATUS_BAD_INPUT);
        assert_int_equal(e.offset, cut);
        assert_true(e.field[0] && e.why[0]);
    }
    struct safetensors s;
    assert_int_equal(parse(file, size, &s, NULL), STATUS_OK);
    safetensors_free(&s);
}

static void safetensors_parse_header_cut_inside_is_refused(void **state)
{
    (void)state;
    uint8_t file[FILE_MAX];
    size_t length = strlen(two_tensors) - 2; /* the blanks may go */
    for (size_t cut = 0; cut < length; cut++) {
        struct safetensors s;
        struct error e;
        size_t size = build(two_tensors, 0, file);
        file[0] = (uint8_t)cut;
        file[1] = (uint8_t)(cut >> 8);
        assert_int_equal(parse(file, size, &s, &e), STATUS_BAD_INPUT);
        assert_string_equal(e.field, "header");
        assert_true(e.offset >= 0 && e.offset <= (int64_t)(8 + cut));
    }
}

static void safetensors_parse_odd_but_legal_files_are_accepted(void **state)
{
    (void)state;
    struct safetensors s;
    parse_ok("{}", 0, &s);
    assert_int_equal(s.count, 0);
    safetensors_free(&s);
    /* A scalar, an empty tensor at the place of the next, types of less than a byte, a member to be ignored. */
    parse_ok("{\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
             "\"h\":{\"dtype\":\"F4\",\"shape\":[2,3],\"data_offsets\":[4,7],\"note\":1},"
             "\"z\":{\"dtype\":\"I64\",\"shape\":[0,9],\"data_offsets\":[4,4]},"
             "\"6\":{\"dtype\":\"F6_E3M2\",\"shape\":[4],\"data_offsets\":[7,10]}}",
             10, &s);
    assert_int_equal(s.count, 4);
    assert_string_equal(s.tensor[1].name, "z");
    assert_int_equal(s.tensor[2].bytes, 3);
    assert_int_equal(s.tensor[0].rank, 0);
    safetensors_free(&s);
}

#define U8(name, shape, offsets) "\"" name "\":{\"dtype\":\"U8\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void safetensors_parse_wrong_header_is_refused_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *field;
        int64_t offset;
        const char *why;
    } bad[] = {
        {" {}", 0, "header", 8, "does not begin with {"},
        {"[]", 0, "header", 8, "does not begin with {"},
        {"{]", 0, "header", 10, "line 1, column 2"},
        {"{}x", 0, "header", 11, "end of file expected"},
        {"{\"a\":}", 0, "header", 14, "unexpected token"},
        {"{" U8("a", "[4]", "[0,4]") "," U8("a", "[4]", "[0,4]") "}", 4, "header", 64, "duplicate object key"},
        {"{\"a\":4}", 0, "a", 9, "not an object"},
        {"{\"__metadata__\":[]}", 0, "__metadata__", 9, "not an object"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "__metadata__", 9, "k is not a string"},
        {"{\"a\\nb\":{}}", 0, "a?b", 8, "control character"},
        {"{\"longer than the rest\\n\":{}}", 0, "longer than the rest?", 8, "control character"},
        {"{" U8("ok", "[4]", "[0,4]") ",\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "a", 62,
         "dtype is not a string"},
        {"{\"a\":{\"dtype\":8,\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "a", 9, "dtype is not a string"},
        {"{\"a\":{\"dtype\":\"U7\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "a", 9, "unknown dtype U7"},
        {"{\"a\":{\"dtype\":\"\\u001b[\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "a", 9, "unknown dtype ?["},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, "a", 9, "12 bits of F4 are not whole"},
        {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", 4, "a", 9, "shape is not an array"},
        {"{" U8("a", "4", "[0,4]") "}", 4, "a", 9, "shape is not an array"},
        {"{" U8("a", "[-4]", "[0,4]") "}", 4, "a", 9, "extent 0 of the shape is not a natural number"},
        {"{" U8("a", "[2,2.0]", "[0,4]") "}", 4, "a", 9, "extent 1 of the shape is not a natural number"},
        {"{" U8("a", "[1,1,1,1,1,1,4]", "[0,4]") "}", 4, "a", 9, "more than 6 dimensions"},
        {"{" U8("a", "[4294967296,4294967296]", "[0,4]") "}", 4, "a", 9, "more bits than 64"},
        {"{" U8("a", "[9223372036854775808]", "[0,4]") "}", 4, "header", 55, "too big integer"},
        {"{" U8("a", "[4]", "4") "}", 4, "a", 9, "not a pair"},
        {"{" U8("a", "[4]", "[4]") "}", 4, "a", 9, "not a pair"},
        {"{" U8("a", "[4]", "[0,4,8]") "}", 4, "a", 9, "not a pair"},
        {"{" U8("a", "[4]", "[-4,0]") "}", 4, "a", 9, "not a pair"},
        {"{" U8("a", "[4]", "[0,\"4\"]") "}", 4, "a", 9, "not a pair"},
        {"{" U8("a", "[4]", "[4,0]") "}", 4, "a", 9, "data_offsets decrease from 4 to 0"},
        {"{" U8("a", "[5]", "[0,4]") "}", 4, "a", 9, "make 5 bytes, data_offsets span 4"},
        {"{" U8("a", "[5]", "[0,5]") "}", 4, "a", 65, "the data ends at 5, the file's data at 4"},
        {"{" U8("a", "[9223372036854775]", "[1,9223372036854776]") "}", 4, "a", 95, "the data ends at"},
        {"{" U8("a", "[4]", "[1,5]") "}", 5, "a", 62, "a hole before it: the tensor before ends at byte 61"},
        {"{" U8("a", "[4]", "[0,4]") "," U8("b", "[4]", "[3,7]") "}", 7, "b", 116, "overlaps the tensor before it"},
        {"{" U8("a", "[4]", "[0,4]") "," U8("b", "[4]", "[5,9]") "}", 9, "b", 118, "ends at byte 117"},
        {"{" U8("a", "[4]", "[0,4]") "}", 6, "", 65, "2 trailing bytes belong to no tensor"},
        {"{}", 1, "", 10, "1 trailing bytes"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t file[FILE_MAX];
        size_t size = build(bad[i].header, bad[i].data_bytes, file);
        assert_refused(file, size, bad[i].field, bad[i].offset, bad[i].why);
    }
}

static void safetensors_parse_wrong_length_is_refused(void **state)
{
    (void)state;
    uint8_t file[FILE_MAX];
    size_t size = build(two_tensors, 16, file);
    file[7] = 0x80;
    assert_refused(file, size, "header", 0, "is not within 2..100000000");
    file[7] = 0;
    file[2] = 1;
    assert_refused(file, size, "header", (int64_t)size, "the file ends inside the header");
    file[0] = 1;
    file[1] = file[2] = 0;
    assert_refused(file, size, "header", 0, "its length 1 is not within");
}

static const uint8_t bytes[200] = {7, 8, 9};

static void safetensors_write_several_types_read_back(void **state)
{
    static const char *const metadata[] = {"origin", "a \"test\"", "z", "\xc3\xa9", NULL};
    static const struct safetensors_entry entry[] = {{"w.x_blocks", "U8", 4, {1, 2, 3, 16}, bytes},
                                                     {"\xc3\xa9\\\"", "BF16", 2, {3, 1}, bytes},
                                                     {"scalar", "F64", 0, {0}, bytes},
                                                     {"empty", "I32", 1, {0}, NULL},
                                                     {"half", "F4", 1, {4}, bytes}};
    char path[SCRATCH_PATH], again[SCRATCH_PATH];
    struct safetensors s;
    struct error e;
    scratch_path(state, "f.st", path);
    assert_int_equal(safetensors_write(path, entry, 5, metadata, &e), STATUS_OK);
    assert_int_equal(safetensors_read(path, &s, &e), STATUS_OK);
    assert_int_equal(s.count, 5);
    assert_int_equal(s.data_start % 8, 0);
    for (int i = 0; i < 5; i++) {
        const struct safetensors_tensor *t = safetensors_find(&s, entry[i].name);
        assert_non_null(t);
        assert_string_equal(t->dtype, entry[i].dtype);
        assert_int_equal(t->rank, entry[i].rank);
        assert_memory_equal(t->shape, entry[i].shape, sizeof t->shape);
        assert_memory_equal(safetensors_data(&s, t), bytes, t->bytes);
    }
    /* The same call gives the same bytes. */
    assert_int_equal(safetensors_write(scratch_path(state, "g.st", again), entry, 5, metadata, &e), STATUS_OK);
    struct safetensors second;
    assert_int_equal(safetensors_read(again, &second, &e), STATUS_OK);
    assert_int_equal(s.file_bytes, second.file_bytes);
    assert_memory_equal(s.file, second.file, s.file_bytes);
    safetensors_free(&second);
    safetensors_free(&s);
}

static void safetensors_write_one_tensor_gives_these_bytes(void **state)
{
    static const char want[] = "\x50\0\0\0\0\0\0\0{\"__metadata__\":{\"k\":\"v\"},"
                               "\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}  \x07\x08\x09";
    char path[SCRATCH_PATH];
    uint8_t *file;
    size_t size;
    assert_int_equal(safetensors_write(scratch_path(state, "f.st", path),
                                       &(struct safetensors_entry){"a", "U8", 1, {3}, bytes}, 1,
                                       (const char *const[]){"k", "v", NULL}, NULL),
                     STATUS_OK);
    assert_int_equal(file_read(path, 0, &file, &size, NULL), STATUS_OK);
    assert_int_equal(size, sizeof want - 1);
    assert_memory_equal(file, want, size);
    free(file);
}

static void safetensors_write_impossible_entry_is_refused(void **state)
{
    static const struct {
        struct safetensors_entry entry;
        const char *why;
    } bad[] = {{{"a", "U7", 1, {1}, bytes}, "unknown dtype"},
               {{"a", "U8", 7, {1}, bytes}, "more dimensions"},
               {{"a", "U8", -1, {1}, bytes}, "more dimensions"},
               {{"a", "U8", 2, {(size_t)1 << 40, (size_t)1 << 40}, bytes}, "more bits"},
               {{"a", "U8", 2, {0, SIZE_MAX}, bytes}, "more bits"},
               {{"a", "F4", 1, {1}, bytes}, "not whole bytes"},
               {{"first", "U8", 1, {1}, bytes}, "a name twice"},
               {{"__metadata__", "U8", 1, {1}, bytes}, "the reserved one"},
               {{"\xff", "U8", 1, {1}, bytes}, "not UTF-8"}};
    char path[SCRATCH_PATH];
    struct error e;
    scratch_path(state, "f.st", path);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct safetensors_entry two[] = {{"first", "U8", 1, {1}, bytes}, bad[i].entry};
        assert_int_equal(safetensors_write(path, two, 2, NULL, &e), STATUS_BAD_ARGUMENT);
        expect_error(&e, STATUS_BAD_ARGUMENT, path, bad[i].entry.name, -1, bad[i].why);
    }
    assert_int_equal(safetensors_write(path, NULL, 0, (const char *const[]){"k", "\xff", NULL}, &e),
                     STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, path, "__metadata__", -1, "not UTF-8");
    assert_int_equal(scratch_count(state), 0);
}

static void safetensors_write_full_disk_keeps_the_old_file(void **state)
{
    char path[SCRATCH_PATH];
    static const uint8_t big[20000];
    struct rlimit before, small;
    struct safetensors s;
    struct error e;
    scratch_path(state, "f.st", path);
    assert_int_equal(safetensors_write(path, NULL, 0, NULL, &e), STATUS_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum status status =
        safetensors_write(path, &(struct safetensors_entry){"a", "U8", 1, {sizeof big}, big}, 1, NULL, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, STATUS_IO);
    expect_error(&e, STATUS_IO, path, "", -1, "cannot write");
    assert_int_equal(safetensors_read(path, &s, NULL), STATUS_OK);
    assert_int_equal(s.count, 0);
    safetensors_free(&s);
    assert_int_equal(scratch_count(state), 1);
}

static void safetensors_read_missing_file_is_an_io_error(void **state)
{
    char path[SCRATCH_PATH];
    struct safetensors s;
    struct error e;
    assert_int_equal(safetensors_read(scratch_path(state, "f.st", path), &s, &e), STATUS_IO);
    expect_error(&e, STATUS_IO, path, "", -1, "No such file");
}

static void safetensors_weights_pair_gives_views(void **state)
{
    (void)state;
    struct safetensors s;
    struct weights w;
    parse_ok("{" U8("m.w_scales", "[2,3,1]", "[0,6]") "," U8("m.w_blocks", "[2,3,1,16]", "[6,102]") "}", 102, &s);
    assert_int_equal(safetensors_weights(&s, "m.w", &w, NULL), STATUS_OK);
    assert_int_equal(w.experts, 2);
    assert_int_equal(w.N, 3);
    assert_int_equal(w.K, 32);
    assert_ptr_equal(w.scales, s.file + s.data_start);
    assert_ptr_equal(w.blocks, s.file + s.data_start + 6);
    safetensors_free(&s);
}

static void safetensors_weights_absent_stem_says_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *stem, *why;
    } bad[] = {
        {"{}", 0, "w", "the file has no MXFP4 tensors (STEM_blocks and STEM_scales)"},
        {"{" U8("w_blocks", "[1,1,1,16]", "[0,16]") "}", 16, "w", "STEM_scales is absent"},
        {"{" U8("w_scales", "[1,1,1]", "[0,1]") "}", 1, "w", "STEM_blocks is absent"},
        {"{\"w\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "w", "is BF16: quantise it to MXFP4"},
        {"{\"v\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "w", "no MXFP4 tensors: quantise"},
        {"{" U8("block.0.mlp.mlp1_weight.blocks", "[1,1,1,16]", "[0,16]") "," U8("block.0.mlp.mlp1_weight.scales",
                                                                                 "[1,1,1]", "[16,17]") "}",
         17, "block.0.mlp.mlp1_weight",
         "rename block.L.mlp.mlp1_weight.blocks to model.layers.L.mlp.experts.gate_up_proj_blocks"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct safetensors s;
        struct weights w = {.K = 5};
        struct error e;
        parse_ok(bad[i].header, bad[i].data_bytes, &s);
        assert_int_equal(safetensors_weights(&s, bad[i].stem, &w, &e), STATUS_BAD_INPUT);
        expect_error(&e, STATUS_BAD_INPUT, "f.st", bad[i].stem, -1, bad[i].why);
        assert_int_equal(w.K, 5);
        assert_int_equal(safetensors_weights(&s, bad[i].stem, &w, NULL), STATUS_BAD_INPUT);
        safetensors_free(&s);
    }
}

static void safetensors_weights_absent_stem_lists_four(void **state)
{
    char path[SCRATCH_PATH], name[12][20];
    struct safetensors_entry entry[12];
    struct safetensors s;
    struct weights w;
    struct error e;
    for (int i = 0; i < 6; i++) {
        snprintf(name[2 * i], sizeof name[0], "layer%d_blocks", i);
        snprintf(name[2 * i + 1], sizeof name[0], "layer%d_scales", i);
        entry[2 * i] = (struct safetensors_entry){name[2 * i], "U8", 4, {1, 1, 1, 16}, bytes};
        entry[2 * i + 1] = (struct safetensors_entry){name[2 * i + 1], "U8", 3, {1, 1, 1}, bytes};
    }
    for (size_t pairs = 1; pairs <= 6; pairs++) {
        assert_int_equal(safetensors_write(scratch_path(state, "f.st", path), entry, 2 * pairs, NULL, &e), STATUS_OK);
        assert_int_equal(safetensors_read(path, &s, &e), STATUS_OK);
        assert_int_equal(safetensors_weights(&s, "layer", &w, &e), STATUS_BAD_INPUT);
        const char *list = pairs == 6   ? "layer0, layer1, layer2, layer3 and 2 more"
                           : pairs == 4 ? "layer0, layer1, layer2, layer3"
                                        : "absent; the file has layer0";
        expect_error(&e, STATUS_BAD_INPUT, path, "layer", -1, list);
        if (pairs <= 4)
            assert_null(strstr(e.why, "more"));
        safetensors_free(&s);
    }
}

static void safetensors_weights_wrong_tensor_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *field, *why;
    } bad[] = {
        {"{" U8("w_blocks", "[1,1,16]", "[0,16]") "," U8("w_scales", "[1,1,1]", "[16,17]") "}", 17, "w_blocks",
         "wanted U8 [experts, N, K/32, 16], found U8 [1, 1, 16]"},
        {"{" U8("w_blocks", "[1,1,1,16,1]", "[0,16]") "," U8("w_scales", "[1,1,1]", "[16,17]") "}", 17, "w_blocks",
         "found U8 [1, 1, 1, 16, 1]"},
        {"{" U8("w_blocks", "[1,1,1,16]", "[0,16]") "," U8("w_scales", "[1,1,1,1]", "[16,17]") "}", 17, "w_scales",
         "found U8 [1, 1, 1, 1]"},
        {"{" U8("w_blocks", "[1,1,2,8]", "[0,16]") "," U8("w_scales", "[1,1,1]", "[16,17]") "}", 17, "w_blocks",
         "found U8 [1, 1, 2, 8]"},
        {"{" U8("w_blocks", "[0,1,1,16]", "[0,0]") "," U8("w_scales", "[0,1,1]", "[0,0]") "}", 0, "w_blocks",
         "found U8 [0, 1, 1, 16]"},
        {"{\"w_blocks\":{\"dtype\":\"I8\",\"shape\":[1,1,1,16],\"data_offsets\":[0,16]}," U8("w_scales", "[1,1,1]",
                                                                                             "[16,17]") "}",
         17, "w_blocks", "found I8 [1, 1, 1, 16]"},
        {"{" U8("w_blocks", "[1,1,1,16]", "[0,16]") "," U8("w_scales", "[1,1,2]", "[16,18]") "}", 18, "w_scales",
         "wanted U8 [1, 1, 1] as the blocks have it, found U8 [1, 1, 2]"},
        {"{" U8("w_blocks", "[1,1,1,16]", "[0,16]") "," U8("w_scales", "[1,1]", "[16,17]") "}", 17, "w_scales",
         "found U8 [1, 1]"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct safetensors s;
        struct weights w = {.K = 5};
        struct error e;
        parse_ok(bad[i].header, bad[i].data_bytes, &s);
        assert_int_equal(safetensors_weights(&s, "w", &w, &e), STATUS_BAD_INPUT);
        const struct safetensors_tensor *t = safetensors_find(&s, bad[i].field);
        expect_error(&e, STATUS_BAD_INPUT, "f.st", bad[i].field, (int64_t)(s.data_start + t->offset), bad[i].why);
        assert_int_equal(w.K, 5);
        safetensors_free(&s);
    }
}

struct job {
    void *const *state;
    char path[SCRATCH_PATH];
    struct safetensors file;
};

static enum status read_once(void *context, struct error *e)
{
    struct job *j = context;
    return safetensors_read(j->path, &j->file, e);
}

static void read_failed(void *context)
{
    const struct job *j = context;
    assert_null(j->file.file);
    assert_int_equal(j->file.data_start, 77);
}

static enum status write_once(void *context, struct error *e)
{
    static const char *const metadata[] = {"key", "value", NULL};
    static const struct safetensors_entry entry[] = {{"w_blocks", "U8", 4, {1, 1, 1, 16}, bytes},
                                                     {"w_scales", "U8", 3, {1, 1, 1}, bytes}};
    struct job *j = context;
    return safetensors_write(j->path, entry, 2, metadata, e);
}

static void write_failed(void *context)
{
    const struct job *j = context;
    assert_int_equal(scratch_count(j->state), 0);
}

static void safetensors_without_memory_says_so(void **state)
{
    struct job j = {.state = state, .file = {.data_start = 77}};
    scratch_path(state, "f.st", j.path);
    /* Each has dozens of allocations, nearly all of them in the JSON library. */
    assert_true(alloc_check(write_once, write_failed, &j) > 30);
    assert_true(alloc_check(read_once, read_failed, &j) > 30);
    safetensors_free(&j.file);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_parse_two_tensors_gives_them_by_offset),
        cmocka_unit_test(safetensors_parse_every_truncation_is_refused),
        cmocka_unit_test(safetensors_parse_header_cut_inside_is_refused),
        cmocka_unit_test(safetensors_parse_odd_but_legal_files_are_accepted),
        cmocka_unit_test(safetensors_parse_wrong_header_is_refused_at_its_place),
        cmocka_unit_test(safetensors_parse_wrong_length_is_refused),
        IN_SCRATCH(safetensors_write_several_types_read_back),
        IN_SCRATCH(safetensors_write_one_tensor_gives_these_bytes),
        IN_SCRATCH(safetensors_write_impossible_entry_is_refused),
        IN_SCRATCH(safetensors_write_full_disk_keeps_the_old_file),
        IN_SCRATCH(safetensors_read_missing_file_is_an_io_error),
        cmocka_unit_test(safetensors_weights_pair_gives_views),
        cmocka_unit_test(safetensors_weights_absent_stem_says_what_to_do),
        IN_SCRATCH(safetensors_weights_absent_stem_lists_four),
        cmocka_unit_test(safetensors_weights_wrong_tensor_is_refused),
        IN_SCRATCH(safetensors_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
