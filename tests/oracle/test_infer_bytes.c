/* infer: the bytes that a descriptor names, from shared memory that was laid out by the reference and read by another
 * descriptor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reference/descriptor.h"
#include "tests/oracle/infer_captures.h"

enum { N = 64, K = 16, B_ROWS = 64, B_COLUMNS = 256, CHUNK = 16, MEMORY = 1 << 16, WORDS = 4 };

/* B [K,N] into shared memory: the tile of `rows` n at n0 and 64 k at k0, K-major, as `d` (whose start is that of the
 * first 64 k) lays it out. */
static void store(uint8_t *memory, const struct descriptor *d, const struct matrix16 *b, size_t k0, size_t n0,
                  uint32_t rows)
{
    for (uint32_t n = 0; n < rows; n++)
        for (uint32_t chunk = 0; chunk < d->swizzle / CHUNK; chunk++) {
            uint16_t line[8];
            for (uint32_t i = 0; i < 8; i++)
                line[i] = matrix16_at(b, k0 + 8 * chunk + i, n0 + n);
            memcpy(memory + descriptor_chunk(d, false, n, chunk), line, sizeof line);
        }
}

/* What a warpgroup records of the tile that `d` names. */
static void record(struct capture *c, uint32_t bytes, uint32_t descriptor, size_t record, const uint8_t *memory,
                   const struct descriptor *d, bool mn)
{
    uint64_t bits;
    uint32_t along = mn ? N / 8 : K / 8;
    assert_int_equal(descriptor_encode(d, &bits, NULL), STATUS_OK);
    for (uint32_t chunk = 0; chunk < N * K / 8; chunk++)
        memcpy(capture_words(c, bytes, record, chunk % 128) + 4 * (chunk / 128),
               memory + descriptor_chunk(d, mn, chunk / along, chunk % along) % MEMORY, CHUNK);
    for (uint32_t t = 0; t < 128; t++)
        memcpy(capture_words(c, descriptor, record, t), &bits, sizeof bits);
}

static struct capture b_capture(uint32_t iterations, bool mn)
{
    struct capture c = capture_of(1, 1, iterations);
    capture_stream(&c, OP_BF16, "B", FO_KIND_B_BYTES, 3, WORDS);
    c.stream[0].flags = mn ? FO_FLAG_B_MN : 0;
    capture_stream(&c, OP_BF16, "B", FO_KIND_B_DESCRIPTOR, 3, 2);
    return c;
}

static struct fo_answer ask(void **state, struct capture *c, const struct matrix16 *b)
{
    char capture[SCRATCH_PATH], path[SCRATCH_PATH];
    scratch_path(state, "capture.bin", capture);
    scratch_path(state, "b.npy", path);
    capture_write(c, capture);
    matrix16_write(b, path);
    return infer_answer_of((struct fo_infer_options){.capture = capture, .b = path, .site = -1});
}

/* One question about a tile stored by one descriptor and read by another. */
static struct fo_answer read_by(void **state, const struct matrix16 *b, struct descriptor stored,
                                struct descriptor read)
{
    uint8_t *memory = calloc(MEMORY, 1);
    struct capture c = b_capture(2, false);
    store(memory, &stored, b, 0, 64, 128);
    for (uint32_t n = 0; n < 2; n++) {
        struct descriptor d = read;
        d.start += 32 * n; /* along K, within the line */
        record(&c, 0, 1, n, memory, &d, false);
    }
    struct fo_answer answer = ask(state, &c, b);
    capture_free(&c);
    free(memory);
    return answer;
}

static const struct descriptor right = {.start = 1024, .leading = 16, .stride = 1024, .swizzle = 128};

static void fo_infer_of_right_bytes_conforms(void **state)
{
    struct matrix16 b = matrix16_random(B_ROWS, B_COLUMNS, 1);
    struct fo_answer answer = read_by(state, &b, right, right);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer,
                "  B: conforms: 2048 of 2048 elements in 2 of 2 records; 128 of 128 chunks stand at one place only\n"
                "    tiles at (0,64), (16,64)\n"
                "    descriptor: start 0x400, leading byte offset 16, stride byte offset 1024, base offset 0, swizzle "
                "128 bytes\n");
    fo_answer_free(&answer);
    free(b.bits);
}

static void fo_infer_of_a_wrong_stride_says_which_rows(void **state)
{
    struct matrix16 b = matrix16_random(B_ROWS, B_COLUMNS, 2);
    struct descriptor wrong = right;
    wrong.stride = 2048;
    struct fo_answer answer = read_by(state, &b, right, wrong);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer,
                "B: differs: rows 8..15 hold rows 16..23: groups of 8 rows lie 16 rows apart instead of 8 (stride "
                "byte offset) (2 of 2 records, the first: block 0, warpgroup 0, iteration 0)");
    expect_says(&answer, "stride byte offset 2048");
    expect_says(&answer, "verdict: differs: descriptor of B (site 3, kernel.cu:103)");
    fo_answer_free(&answer);
    wrong.stride = 0;
    answer = read_by(state, &b, right, wrong);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "rows 8..15 hold rows 0..7: groups of 8 rows lie 0 rows apart");
    fo_answer_free(&answer);
    free(b.bits);
}

static void fo_infer_of_a_wrong_swizzle_says_so(void **state)
{
    struct matrix16 b = matrix16_random(B_ROWS, B_COLUMNS, 3);
    uint8_t *memory = calloc(MEMORY, 1);
    struct capture c = b_capture(1, false);
    /* Stored without the swizzle that the descriptor promises: lines of 128 bytes in a row. */
    for (uint32_t n = 0; n < 64; n++)
        for (uint32_t k = 0; k < 64; k++) {
            uint16_t bits = matrix16_at(&b, k, n);
            memcpy(memory + 1024 + 128 * n + 2 * k, &bits, 2);
        }
    record(&c, 0, 1, 0, memory, &right, false);
    struct fo_answer answer = ask(state, &c, &b);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer,
                "rows are right, but in 56 of 64 of them the chunks of 16 bytes are exclusive-or'ed: another swizzle "
                "than the one that stored them");
    expect_says(&answer, "swizzle 128 bytes");
    fo_answer_free(&answer);
    capture_free(&c);
    free(memory);
    free(b.bits);
}

static void fo_infer_of_an_mn_major_tile_conforms(void **state)
{
    struct matrix16 b = matrix16_random(B_ROWS, B_COLUMNS, 4);
    uint8_t *memory = calloc(MEMORY, 1);
    struct capture c = b_capture(1, true);
    struct descriptor d = {.start = 2048, .leading = 4096, .stride = 1024, .swizzle = 128};
    for (uint32_t k = 0; k < K; k++)
        for (uint32_t chunk = 0; chunk < N / 8; chunk++)
            memcpy(memory + descriptor_chunk(&d, true, k, chunk), b.bits + (16 + k) * B_COLUMNS + 128 + 8 * chunk,
                   CHUNK);
    record(&c, 0, 1, 0, memory, &d, true);
    struct fo_answer answer = ask(state, &c, &b);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "    tiles at (16,128)\n");
    fo_answer_free(&answer);
    /* Eight k further on than they should be. */
    d.stride = 0;
    record(&c, 0, 1, 0, memory, &d, true);
    answer = ask(state, &c, &b);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "k 8..15 hold k 0..7: groups of 8 k lie 0 k apart instead of 8 (stride byte offset)");
    fo_answer_free(&answer);
    capture_free(&c);
    free(memory);
    free(b.bits);
}

static void fo_infer_of_a_descriptor_that_is_not_uniform_says_which_thread(void **state)
{
    struct matrix16 b = matrix16_random(B_ROWS, B_COLUMNS, 5);
    uint8_t *memory = calloc(MEMORY, 1);
    struct capture c = b_capture(2, false);
    store(memory, &right, &b, 0, 0, 64);
    for (uint32_t n = 0; n < 2; n++)
        record(&c, 0, 1, n, memory, &right, false);
    capture_words(&c, 1, 1, 77)[0] ^= 2;
    struct fo_answer answer = ask(state, &c, &b);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer,
                "the descriptor is not uniform: block 0, warpgroup 0, iteration 1: thread 77 has 0x4000004000010042, "
                "the first 0x4000004000010040");
    fo_answer_free(&answer);
    capture_free(&c);
    free(memory);
    free(b.bits);
}

static void fo_infer_of_bytes_of_something_else_asks(void **state)
{
    struct matrix16 b = matrix16_random(B_ROWS, B_COLUMNS, 6), other = matrix16_random(B_ROWS, B_COLUMNS, 7);
    struct fo_answer answer = read_by(state, &other, right, right);
    fo_answer_free(&answer);
    uint8_t *memory = calloc(MEMORY, 1);
    struct capture c = b_capture(1, false);
    store(memory, &right, &other, 0, 0, 64);
    record(&c, 0, 1, 0, memory, &right, false);
    answer = ask(state, &c, &b);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "128 of 128 chunks of 16 bytes stand nowhere in the matrix of B");
    expect_says(&answer, "verdict: differs: values of B");
    fo_answer_free(&answer);
    for (size_t i = 0; i < B_ROWS * B_COLUMNS; i++)
        b.bits[i] = 0x3f80;
    store(memory, &right, &b, 0, 0, 64);
    record(&c, 0, 1, 0, memory, &right, false);
    answer = ask(state, &c, &b);
    expect_verdict(&answer, FO_UNDECIDED);
    expect_says(&answer, "give them different values");
    fo_answer_free(&answer);
    capture_free(&c);
    free(memory);
    free(b.bits);
    free(other.bits);
}

static void fo_infer_of_a_in_shared_memory_is_judged_by_its_bytes(void **state)
{
    struct matrix16 a = matrix16_random(128, 64, 8);
    struct capture c = capture_of(1, 1, 1);
    char capture[SCRATCH_PATH], path[SCRATCH_PATH];
    capture_stream(&c, "wgmma.m64n64k16.f32.bf16.bf16.ss", "A", FO_KIND_A_BYTES, 0, WORDS);
    for (uint32_t chunk = 0; chunk < 128; chunk++)
        memcpy(capture_words(&c, 0, 0, chunk), a.bits + (64 + chunk / 2) * 64 + 16 + chunk % 2 * 8, CHUNK);
    scratch_path(state, "capture.bin", capture);
    scratch_path(state, "a.npy", path);
    capture_write(&c, capture);
    matrix16_write(&a, path);
    struct fo_infer_options o = {.capture = capture, .matrix = path, .site = -1};
    struct fo_answer answer = infer_answer_of(o);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "  A: conforms: 1024 of 1024 elements in 1 of 1 records");
    expect_says(&answer, "    tiles at (64,16)\n");
    fo_answer_free(&answer);
    for (uint32_t t = 0; t < 128; t++) /* row r ^ 1 */
        memcpy(capture_words(&c, 0, 0, t), a.bits + (64 + (t / 2 ^ 1)) * 64 + 16 + t % 2 * 8, CHUNK);
    capture_write(&c, capture);
    answer = infer_answer_of(o);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "chunks of 16 bytes stand elsewhere");
    fo_answer_free(&answer);
    capture_free(&c);
    free(a.bits);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fo_infer_of_right_bytes_conforms),
        TEST(fo_infer_of_a_wrong_stride_says_which_rows),
        TEST(fo_infer_of_a_wrong_swizzle_says_so),
        TEST(fo_infer_of_an_mn_major_tile_conforms),
        TEST(fo_infer_of_a_descriptor_that_is_not_uniform_says_which_thread),
        TEST(fo_infer_of_bytes_of_something_else_asks),
        TEST(fo_infer_of_a_in_shared_memory_is_judged_by_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
