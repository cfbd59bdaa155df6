#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "oracle/io/tap_image.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

enum { BLOCKS = 2, WARPGROUPS = 1, ITERATIONS = 3, THREADS = 128, STREAMS = 6, A_WORDS = 4, D_WORDS = 2 };
enum {
    TABLE = sizeof(struct fo_capture_head),
    ENTRY = sizeof(struct fo_capture_stream),
    COUNTERS = TABLE + STREAMS * ENTRY, /* one set, which all streams share */
    DATA = COUNTERS + BLOCKS * WARPGROUPS * THREADS * 4,
    A_BYTES = BLOCKS * WARPGROUPS * ITERATIONS * THREADS * A_WORDS * 4,
    D_BYTES = BLOCKS * WARPGROUPS * ITERATIONS * THREADS * D_WORDS * 4,
    SIZE = DATA + 2 * A_BYTES + 3 * D_BYTES
};

static uint8_t bytes[SIZE]; /* the image of a test, made anew by make_image */

static struct fo_capture_head *head(void)
{
    return (struct fo_capture_head *)(void *)bytes;
}

static struct fo_capture_stream *entry(size_t i)
{
    return (struct fo_capture_stream *)(void *)(bytes + TABLE + i * ENTRY);
}

static void put_entry(size_t at, uint32_t site, enum fo_capture_kind kind, const char *operand, uint32_t words,
                      uint64_t data)
{
    struct fo_capture_stream s = {.op = "wgmma.m64n8k16.f32.bf16.bf16.rs",
                                  .source = "a \"b\"\\c.cu:7",
                                  .kind = kind,
                                  .site = site,
                                  .accumulator = site + 100,
                                  .words = words,
                                  .flags = at % 4,
                                  .counters = COUNTERS,
                                  .data = data};
    strcpy(s.operand, operand);
    *entry(at) = s;
}

/* Entry 2 is unused; the table is not sorted, and site 3 has two results and a stream named like another kind. Thread t
 * of block b came by b + t % 5 times; every word is its own offset. */
static void make_image(void)
{
    memset(bytes, 0, SIZE);
    *head() = (struct fo_capture_head){.magic = FO_CAPTURE_MAGIC,
                                       .version = FO_CAPTURE_VERSION,
                                       .streams = STREAMS,
                                       .first_block = 5,
                                       .blocks = BLOCKS,
                                       .first_warpgroup = 1,
                                       .warpgroups = WARPGROUPS,
                                       .first_iteration = 2,
                                       .iterations = ITERATIONS,
                                       .bytes = SIZE,
                                       .refused = 9};
    put_entry(0, 3, FO_KIND_D, "D", D_WORDS, DATA);
    put_entry(1, 3, FO_KIND_A, "A", A_WORDS, DATA + 3 * D_BYTES);
    put_entry(3, 3, FO_KIND_D, "D", D_WORDS, DATA + D_BYTES);
    put_entry(4, 1, FO_KIND_A, "p/\xc3\xa9", A_WORDS, DATA + 3 * D_BYTES + A_BYTES);
    put_entry(5, 3, FO_KIND_B_DESCRIPTOR, "B", D_WORDS, DATA + 2 * D_BYTES);
    for (uint32_t at = DATA; at < SIZE; at += 4)
        memcpy(bytes + at, &at, 4);
    for (uint32_t i = 0; i < BLOCKS * THREADS; i++) {
        uint32_t count = i / THREADS + i % THREADS % 5;
        memcpy(bytes + COUNTERS + 4 * i, &count, 4);
    }
}

static struct tap_image parsed(void)
{
    struct tap_image image;
    struct error e;
    if (tap_image_parse("f.ftap", bytes, SIZE, &image, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return image;
}

static void check_image(const struct tap_image *image, bool operand_kept)
{
    static const struct {
        uint32_t site;
        enum fo_capture_kind kind;
        const char *operand;
        uint32_t words, entry, data;
    } want[] = {{1, FO_KIND_A, "p/\xc3\xa9", A_WORDS, 4, DATA + 3 * D_BYTES + A_BYTES},
                {3, FO_KIND_A, "A", A_WORDS, 1, DATA + 3 * D_BYTES},
                {3, FO_KIND_D, "D", D_WORDS, 0, DATA},
                {3, FO_KIND_D, "D", D_WORDS, 3, DATA + D_BYTES},
                {3, FO_KIND_B_DESCRIPTOR, "B", D_WORDS, 5, DATA + 2 * D_BYTES}};
    assert_int_equal(image->stream_count, sizeof want / sizeof *want);
    for (size_t i = 0; i < image->stream_count; i++) {
        const struct tap_image_stream *s = &image->stream[i];
        assert_int_equal(s->site, want[i].site);
        assert_int_equal(s->kind, want[i].kind);
        assert_int_equal(s->words, want[i].words);
        assert_int_equal(s->accumulator, want[i].site + 100);
        assert_int_equal(s->flags, want[i].entry % 4);
        assert_string_equal(s->op, "wgmma.m64n8k16.f32.bf16.bf16.rs");
        assert_string_equal(s->operand, operand_kept || i ? want[i].operand : "p/??");
        assert_string_equal(s->source, "a \"b\"\\c.cu:7");
        assert_memory_equal(s->counter, bytes + COUNTERS, BLOCKS * THREADS * 4);
        assert_memory_equal(s->data, bytes + want[i].data, BLOCKS * ITERATIONS * THREADS * want[i].words * 4);
    }
    const struct tap_image_filter *f = &image->filter;
    assert_true(f->first_block == 5 && f->blocks == BLOCKS && f->first_warpgroup == 1 && f->warpgroups == WARPGROUPS);
    assert_true(f->first_iteration == 2 && f->iterations == ITERATIONS && !f->keep_last && image->refused == 9);
}

static void tap_image_parse_image_gives_sorted_streams(void **state)
{
    (void)state;
    make_image();
    struct tap_image image = parsed();
    check_image(&image, true);
    assert_ptr_equal(tap_image_find(&image, 3, FO_KIND_D, "D"), &image.stream[2]);
    assert_ptr_equal(tap_image_find(&image, 3, FO_KIND_B_DESCRIPTOR, NULL), &image.stream[4]);
    assert_null(tap_image_find(&image, 3, FO_KIND_A, "D"));
    assert_null(tap_image_find(&image, 1, FO_KIND_D, NULL));
    tap_image_free(&image);
    assert_null(image.stream);
    tap_image_free(&image);
}

static void tap_image_words_every_slot_follows_the_format(void **state)
{
    (void)state;
    make_image();
    size_t recorded = 0, absent = 0;
    for (int keep_last = 0; keep_last < 2; keep_last++) {
        head()->keep_last = (uint32_t)keep_last;
        struct tap_image image = parsed();
        const struct tap_image_stream *s = &image.stream[1];
        for (uint32_t block = 0; block < BLOCKS; block++)
            for (uint32_t thread = 0; thread < THREADS; thread++)
                for (uint32_t time = 0; time < 12; time++) {
                    uint32_t came = block + thread % 5, iteration = keep_last ? time % ITERATIONS : time - 2;
                    bool there = time < came && (keep_last ? came - time <= ITERATIONS : time >= 2 && time < 5);
                    const uint32_t *words = tap_image_words(&image, s, block, 0, time, thread);
                    assert_int_equal(words != NULL, there);
                    uint32_t at =
                        DATA + 3 * D_BYTES + 4 * (((block * ITERATIONS + iteration) * THREADS + thread) * A_WORDS);
                    if (there)
                        assert_int_equal(words[0], at);
                    recorded += there;
                    absent += !there;
                }
        assert_null(tap_image_words(&image, s, BLOCKS, 0, 2, 4));
        assert_null(tap_image_words(&image, s, 0, WARPGROUPS, 2, 4));
        assert_null(tap_image_words(&image, s, 0, 0, 2, THREADS));
        tap_image_free(&image);
    }
    assert_true(recorded > 100 && absent > 100);
}

/* Both doors refuse what `bytes` holds, and leave their result and the bytes alone. */
static void assert_refused(const char *field, size_t offset, const char *why)
{
    struct tap_image image, before;
    struct error e;
    memset(&image, 0xa5, sizeof image);
    before = image;
    assert_int_equal(tap_image_take("f.ftap", bytes, SIZE, &image, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, "f.ftap", field, (int64_t)offset, why);
    assert_memory_equal(&image, &before, sizeof image);
    assert_int_equal(tap_image_parse("f.ftap", bytes, SIZE, &image, NULL), STATUS_BAD_INPUT);
    assert_memory_equal(&image, &before, sizeof image);
}

#define HEAD_REFUSED(member, value, why)                                                                               \
    do {                                                                                                               \
        make_image();                                                                                                  \
        head()->member = value;                                                                                        \
        assert_refused(#member, offsetof(struct fo_capture_head, member), why);                                        \
    } while (0)
#define ENTRY_REFUSED(at, member, value, why)                                                                          \
    do {                                                                                                               \
        make_image();                                                                                                  \
        entry(at)->member = value;                                                                                     \
        assert_refused(#member, TABLE + at * ENTRY + offsetof(struct fo_capture_stream, member), why);                 \
    } while (0)

static void tap_image_parse_wrong_head_is_refused_with_its_place(void **state)
{
    (void)state;
    HEAD_REFUSED(magic, FO_CAPTURE_MAGIC ^ 1, "not a capture");
    HEAD_REFUSED(version, 2, "another version");
    HEAD_REFUSED(bytes, SIZE + 1, "another size");
    HEAD_REFUSED(bytes, SIZE - 1, "another size");
    HEAD_REFUSED(streams, UINT32_MAX, "more streams");
    HEAD_REFUSED(streams, (SIZE - TABLE) / ENTRY + 1, "more streams");
    HEAD_REFUSED(keep_last, 2, "neither 0 nor 1");
    HEAD_REFUSED(blocks, 0, "empty");
    make_image();
    head()->warpgroups = 0;
    assert_refused("blocks", offsetof(struct fo_capture_head, blocks), "empty");
    make_image();
    head()->iterations = 0;
    assert_refused("blocks", offsetof(struct fo_capture_head, blocks), "empty");
    make_image();
    head()->blocks = head()->warpgroups = UINT32_MAX;
    assert_refused("blocks", offsetof(struct fo_capture_head, blocks), "larger than memory");
    make_image();
    head()->blocks = head()->warpgroups = 1u << 27;
    head()->iterations = UINT32_MAX;
    assert_refused("blocks", offsetof(struct fo_capture_head, blocks), "larger than memory");
}

static void tap_image_parse_wrong_stream_is_refused_with_its_place(void **state)
{
    (void)state;
    ENTRY_REFUSED(3, kind, FO_KIND_ASSERT + 1, "no kind");
    ENTRY_REFUSED(1, words, 0, "none");
    ENTRY_REFUSED(1, data, DATA + 3 * D_BYTES + A_BYTES + 4, "outside");
    ENTRY_REFUSED(1, data, DATA + 2, "multiple of four");
    ENTRY_REFUSED(1, data, UINT64_MAX - 3, "outside");
    ENTRY_REFUSED(0, counters, SIZE - BLOCKS * THREADS * 4 + 4, "outside");
    ENTRY_REFUSED(0, counters, COUNTERS + 1, "multiple of four");
    make_image();
    head()->iterations = entry(0)->words = UINT32_MAX;
    assert_refused("words", TABLE + offsetof(struct fo_capture_stream, words), "more than there is memory");
    make_image();
    entry(5)->words = UINT32_MAX;
    assert_refused("data", TABLE + 5 * ENTRY + offsetof(struct fo_capture_stream, data), "outside");
    make_image();
    memset(entry(1)->op, 'x', sizeof entry(1)->op);
    assert_refused("op", TABLE + ENTRY + offsetof(struct fo_capture_stream, op), "without an end");
    make_image();
    memset(entry(1)->operand, 'x', sizeof entry(1)->operand);
    assert_refused("operand", TABLE + ENTRY + offsetof(struct fo_capture_stream, operand), "without an end");
    make_image();
    memset(entry(1)->source, 'x', sizeof entry(1)->source);
    assert_refused("source", TABLE + ENTRY + offsetof(struct fo_capture_stream, source), "without an end");
    /* Sizes that overflow: the window is legal by itself, the words of a stream are not. */
    make_image();
    head()->blocks = 1u << 26, head()->warpgroups = 1u << 20;
    entry(0)->counters = 0;
    assert_refused("counters", TABLE + offsetof(struct fo_capture_stream, counters), "outside");
    /* The last byte of the image may belong to a stream, and the table may be all there is of it. */
    make_image();
    entry(1)->data = SIZE - A_BYTES;
    struct tap_image image = parsed();
    tap_image_free(&image);
}

/* Cut anywhere, also where the head agrees with the new size. */
static void tap_image_take_every_truncation_is_refused(void **state)
{
    (void)state;
    struct tap_image image;
    struct error e;
    size_t refused = 0;
    make_image();
    for (size_t size = 0; size < SIZE; size++) {
        uint8_t *copy = size < COUNTERS ? malloc(size + 1) : NULL;
        uint8_t *cut = copy ? memcpy(copy, bytes, size) : bytes;
        assert_int_equal(tap_image_take("f", cut, size, &image, &e), STATUS_BAD_INPUT);
        assert_true(e.offset >= 0 && (size_t)e.offset <= size + sizeof(uint64_t) * 8);
        free(copy);
        head()->bytes = size;
        assert_int_equal(tap_image_take("f", bytes, size, &image, &e), STATUS_BAD_INPUT);
        head()->bytes = SIZE;
        refused++;
    }
    assert_int_equal(refused, SIZE);
}

static void tap_image_parse_table_without_users_has_no_streams(void **state)
{
    (void)state;
    make_image();
    for (size_t i = 0; i < STREAMS; i++)
        entry(i)->kind = FO_KIND_UNUSED;
    struct tap_image image = parsed();
    assert_int_equal(image.stream_count, 0);
    tap_image_free(&image);
}

/* ---- folders ---------------------------------------------------------------------------------------------------- */

static struct tap_image image_with_launch(void)
{
    make_image();
    struct tap_image image = parsed();
    image.launch = (struct tap_image_launch){.kernel = "_Z1k\x01\"\xff",
                                             .launch = 7,
                                             .grid = {1, 2, 3},
                                             .block = {128, 4, 5},
                                             .gpu = "NVIDIA H100",
                                             .driver = "580.1",
                                             .date = "2026-01-02"};
    return image;
}

static void tap_image_write_then_read_gives_the_same(void **state)
{
    struct tap_image image = image_with_launch(), back;
    struct error e;
    assert_int_equal(tap_image_write(*state, &image, &e), STATUS_OK);
    assert_int_equal(tap_image_read(*state, &back, &e), STATUS_OK);
    check_image(&back, false);
    assert_string_equal(back.launch.kernel, "_Z1k\x01\"?");
    assert_int_equal(back.launch.launch, 7);
    assert_memory_equal(back.launch.grid, image.launch.grid, sizeof image.launch.grid);
    assert_memory_equal(back.launch.block, image.launch.block, sizeof image.launch.block);
    assert_string_equal(back.launch.gpu, "NVIDIA H100");
    assert_string_equal(back.launch.driver, "580.1");
    assert_string_equal(back.launch.date, "2026-01-02");
    tap_image_free(&back);
    tap_image_free(&image);
    /* The names that others rely on. */
    static const char *const file[] = {"site1.p___.npy",      "site3.A.npy",   "site3.A.count.npy",     "site3.D.npy",
                                       "site3.D.2.count.npy", "site3.D.2.npy", "site3.B.descriptor.npy"};
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        char path[SCRATCH_PATH];
        struct npy array;
        assert_int_equal(npy_read(scratch_path(state, file[i], path), &array, &e), STATUS_OK);
        assert_int_equal(array.rank, strstr(file[i], "count") ? 3 : 5);
        npy_free(&array);
    }
    assert_int_equal(scratch_count(state), 11);
}

static void tap_image_write_streams_that_look_alike_get_files_of_their_own(void **state)
{
    struct error e;
    make_image();
    strcpy(entry(1)->operand, "scale_d");
    entry(5)->kind = FO_KIND_SCALE_D;
    strcpy(entry(3)->operand, "D 2");
    strcpy(entry(0)->operand, "D.2");
    entry(4)->kind = FO_KIND_ASSERT;
    head()->keep_last = 1;
    struct tap_image image = parsed(), back;
    assert_int_equal(tap_image_write(*state, &image, &e), STATUS_OK);
    assert_int_equal(scratch_count(state), 11);
    assert_int_equal(tap_image_read(*state, &back, &e), STATUS_OK);
    assert_true(back.filter.keep_last);
    assert_int_equal(back.stream_count, image.stream_count);
    for (size_t i = 0; i < image.stream_count; i++)
        assert_memory_equal(image.stream[i].data, back.stream[i].data,
                            BLOCKS * ITERATIONS * THREADS * 4 * image.stream[i].words);
    char path[SCRATCH_PATH];
    uint8_t *data;
    size_t size;
    assert_int_equal(file_read(scratch_path(state, "site1.p___.assert.npy", path), 0, &data, &size, &e), STATUS_OK);
    free(data);
    tap_image_free(&back);
    tap_image_free(&image);
}

static void tap_image_read_image_file_gives_its_streams(void **state)
{
    char path[SCRATCH_PATH];
    struct tap_image image;
    struct error e;
    make_image();
    assert_int_equal(file_write(scratch_path(state, "x.ftap", path), bytes, SIZE, &e), STATUS_OK);
    assert_int_equal(tap_image_read(path, &image, &e), STATUS_OK);
    check_image(&image, true);
    tap_image_free(&image);
    assert_int_equal(file_write(path, bytes, SIZE - 1, &e), STATUS_OK);
    assert_int_equal(tap_image_read(path, &image, &e), STATUS_BAD_INPUT);
    assert_string_equal(e.path, path);
    assert_int_equal(tap_image_read("/nowhere/at/all", &image, &e), STATUS_IO);
}

/* One change of tap.json, and the field that the refusal names. */
static void tap_image_read_wrong_document_is_refused_with_its_field(void **state)
{
    static const struct {
        const char *from, *to, *field;
    } change[] = {
        {"\"site\": 1", "\"site\": -1", "site"},
        {"\"site\": 1", "\"site\": 4294967296", "site"},
        {"\"site\": 1", "\"site\": 1.0", "site"},
        {"\"kind\": \"A\"", "\"kind\": \"unused\"", "kind"},
        {"\"kind\": \"A\"", "\"kind\": 3", "kind"},
        {"\"words\": 4", "\"words\": 0", "words"},
        {"\"words\": 4", "\"words\": 5", ""},
        {"\"blocks\": 2", "\"blocks\": 0", "blocks"},
        {"\"blocks\": 2", "\"blocks\": 3", ""},
        {"\"warpgroups\": 1", "\"warpgroups\": 4294967295", ""},
        {"\"iterations\": 3", "\"iterations\": 2", ""},
        {"\"iterations\": 3", "\"iterations\": 0", "iterations"},
        {"\"keep_last\": false", "\"keep_last\": 0", "keep_last"},
        {"\"a_mn\": false", "\"a_mn\": 1", "a_mn"},
        {"\"b_mn\": false", "\"b\": false", "b_mn"},
        {"\"accumulator\": 101", "\"accumulator\": \"\"", "accumulator"},
        {"\"file\": \"site1.", "\"file\": \"../site1.", "file"},
        {"\"count_file\": \"site1.p___.count.npy\"", "\"count_file\": \"\"", "count_file"},
        {"\"count_file\": \"site1.p___.count.npy\"", "\"count_file\": \"site1.p___.npy\"", ""},
        {"\"refused\": 9", "\"refused\": null", "refused"},
        {"\"streams\": [", "\"streams\": 0, \"more\": [", "streams"},
        {"\"op\": \"w", "\"op\": \"1234567890123456789012345678901234567890w", "op"},
        {"\"operand\": \"D\"", "\"operand\": \"1234567890123456\"", "operand"},
        {"fragoracle.tap-capture/1", "fragoracle.tap-capture/2", ""},
        {"\"filter\": {", "\"filter\": 1, \"other\": {", "first_block"},
    };
    struct tap_image image = image_with_launch(), untouched;
    struct error e;
    char path[SCRATCH_PATH];
    uint8_t *text;
    size_t size, ran = 0;
    assert_int_equal(tap_image_write(*state, &image, &e), STATUS_OK);
    tap_image_free(&image);
    assert_int_equal(file_read(scratch_path(state, TAP_IMAGE_JSON, path), 0, &text, &size, &e), STATUS_OK);
    memset(&image, 0xa5, sizeof image);
    untouched = image;
    for (size_t i = 0; i < sizeof change / sizeof *change; i++, ran++) {
        const uint8_t *at = memmem(text, size, change[i].from, strlen(change[i].from));
        assert_non_null(at);
        char *changed = NULL;
        size_t length = 0;
        FILE *to = open_memstream(&changed, &length);
        assert_non_null(to);
        fwrite(text, 1, (size_t)(at - text), to);
        fputs(change[i].to, to);
        fwrite(at + strlen(change[i].from), 1, size - (size_t)(at - text) - strlen(change[i].from), to);
        fclose(to);
        assert_int_equal(file_write(path, changed, length, &e), STATUS_OK);
        free(changed);
        assert_int_equal(tap_image_read(*state, &image, &e), STATUS_BAD_INPUT);
        if (strcmp(e.field, change[i].field) != 0)
            fail_msg("%s: field \"%s\", not \"%s\": %s", change[i].to, e.field, change[i].field, e.why);
        assert_memory_equal(&image, &untouched, sizeof image);
    }
    assert_true(ran > 0);
    assert_int_equal(file_write(path, text, size, &e), STATUS_OK);
    for (size_t cut = size - 2; cut-- > 0;) {
        assert_int_equal(truncate(path, (off_t)cut), 0);
        assert_int_equal(tap_image_read(*state, &image, &e), STATUS_BAD_INPUT);
    }
    free(text);
    json_forget();
}

/* ---- without memory --------------------------------------------------------------------------------------------- */

struct job {
    const char *folder, *file;
    struct tap_image image;
};

static enum status parse_once(void *context, struct error *e)
{
    struct tap_image image;
    (void)context;
    enum status s = tap_image_parse("f", bytes, SIZE, &image, e);
    if (s == STATUS_OK)
        tap_image_free(&image);
    return s;
}

static enum status read_once(void *context, struct error *e)
{
    struct job *j = context;
    struct tap_image image;
    enum status s = tap_image_read(j->file, &image, e);
    if (s == STATUS_OK)
        tap_image_free(&image);
    json_forget();
    return s;
}

static enum status write_once(void *context, struct error *e)
{
    struct job *j = context;
    return tap_image_write(j->folder, &j->image, e);
}

static void tap_image_nth_allocation_fails_cleanly(void **state)
{
    char path[SCRATCH_PATH];
    struct error e;
    struct job j = {*state, *state, image_with_launch()};
    assert_int_equal(alloc_check(parse_once, NULL, NULL), 3);
    assert_int_equal(alloc_check(write_once, NULL, &j), 10);
    assert_true(alloc_check(read_once, NULL, &j) > 20);
    assert_int_equal(file_write(scratch_path(state, "x.ftap", path), bytes, SIZE, &e), STATUS_OK);
    j.file = path;
    assert_int_equal(alloc_check(read_once, NULL, &j), 3);
    tap_image_free(&j.image);
}

static void tap_image_write_absent_folder_is_refused(void **state)
{
    (void)state;
    struct tap_image image = image_with_launch();
    struct error e;
    assert_int_equal(tap_image_write("/nowhere/at/all", &image, &e), STATUS_IO);
    tap_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tap_image_parse_image_gives_sorted_streams),
        cmocka_unit_test(tap_image_words_every_slot_follows_the_format),
        cmocka_unit_test(tap_image_parse_wrong_head_is_refused_with_its_place),
        cmocka_unit_test(tap_image_parse_wrong_stream_is_refused_with_its_place),
        cmocka_unit_test(tap_image_take_every_truncation_is_refused),
        cmocka_unit_test(tap_image_parse_table_without_users_has_no_streams),
        cmocka_unit_test_setup_teardown(tap_image_write_then_read_gives_the_same, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(tap_image_write_streams_that_look_alike_get_files_of_their_own, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(tap_image_read_image_file_gives_its_streams, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(tap_image_read_wrong_document_is_refused_with_its_field, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(tap_image_nth_allocation_fails_cleanly, scratch_setup, scratch_teardown),
        cmocka_unit_test(tap_image_write_absent_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
