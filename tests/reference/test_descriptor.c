/* descriptor: fields in and out, and tiles written the plain way (as a bulk copy with a swizzle writes them: whole
 * lines, the chunk index turned by the line) read back chunk by chunk through the descriptor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/rs_index.h"
#include "reference/descriptor.h"
#include "reference/fragment.h"
#include "tests/support/expect.h"
#include "tests/support/splitmix.h"

enum { CHUNK = 16, CHUNKS = DESCRIPTOR_MEMORY / CHUNK, NOTHING = -1 };
static const uint32_t widths[] = {32, 64, 128};
enum { WIDTHS = sizeof widths / sizeof *widths };

/* Shared memory by chunks: which (line, chunk along the line) of the logical tile lies there. */
static int line_in[CHUNKS], along_in[CHUNKS];

static void clear_memory(void)
{
    for (size_t i = 0; i < CHUNKS; i++)
        line_in[i] = along_in[i] = NOTHING;
}

static void put(uint32_t address, int line, int along)
{
    assert_int_equal(address % CHUNK, 0);
    assert_true(address < DESCRIPTOR_MEMORY);
    assert_int_equal(line_in[address / CHUNK], NOTHING);
    line_in[address / CHUNK] = line;
    along_in[address / CHUNK] = along;
}

/* Read a tile of `lines` x `along` chunks through the descriptor; its first chunk is (line0, along0) of the logical
 * tile. Every chunk once. */
static void check_tile(const struct descriptor *d, bool mn, int lines, int along, int line0, int along0)
{
    static bool seen[CHUNKS];
    int read = 0;
    memset(seen, 0, sizeof seen);
    for (int l = 0; l < lines; l++)
        for (int a = 0; a < along; a++, read++) {
            uint32_t at = descriptor_chunk(d, mn, (uint32_t)l, (uint32_t)a);
            assert_true(at < DESCRIPTOR_MEMORY && at % CHUNK == 0);
            assert_false(seen[at / CHUNK]);
            seen[at / CHUNK] = true;
            if (line_in[at / CHUNK] != line0 + l || along_in[at / CHUNK] != along0 + a)
                fail_msg("swizzle %u, %s: chunk %d of line %d found at %u, where (%d,%d) lies", d->swizzle,
                         mn ? "MN" : "K", a, l, at, line_in[at / CHUNK], along_in[at / CHUNK]);
        }
    assert_int_equal(read, lines * along);
    assert_true(read > 0);
}

/* By how much the chunks of a line are turned, counted in lines from the beginning of the pattern. Eight rows of 128
 * bytes, four of two lines of 64, two of four lines of 32 make one period. */
static uint32_t turn(uint32_t width, uint32_t line)
{
    return width == 128 ? line % 8 : width == 64 ? line / 2 % 4 : line / 4 % 2;
}

/* A box of `lines` lines of `width` bytes from `address` on, as a bulk copy with a swizzle leaves it. */
static void write_box(uint32_t address, uint32_t width, int lines, int line0, int along0)
{
    for (uint32_t l = 0; l < (uint32_t)lines; l++)
        for (uint32_t c = 0; c < width / CHUNK; c++)
            put(address + l * width + (c ^ turn(width, l)) * CHUNK, line0 + (int)l, along0 + (int)c);
}

static void descriptor_decode_bits_of_the_production_kernel_give_its_fields(void **state)
{
    (void)state;
    /* kernels/ptx_wgmma.cuh: address, leading 1, stride 1024, 128-byte swizzle. */
    struct descriptor d = descriptor_decode(0x4000004000010000u | (0x2420u >> 4));
    assert_int_equal(d.start, 0x2420);
    assert_int_equal(d.leading, 16);
    assert_int_equal(d.stride, 1024);
    assert_int_equal(d.base, 0);
    assert_int_equal(d.swizzle, 128);
}

static void descriptor_decode_each_field_alone_is_seen_alone(void **state)
{
    (void)state;
    static const struct {
        uint64_t bits;
        struct descriptor d;
    } cases[] = {
        {0, {0, 0, 0, 0, 0}},
        {0x3fff, {0x3fff0, 0, 0, 0, 0}},
        {(uint64_t)0x3fff << 16, {0, 0x3fff0, 0, 0, 0}},
        {(uint64_t)0x3fff << 32, {0, 0, 0x3fff0, 0, 0}},
        {(uint64_t)7 << 49, {0, 0, 0, 7, 0}},
        {(uint64_t)1 << 62, {0, 0, 0, 0, 128}},
        {(uint64_t)2 << 62, {0, 0, 0, 0, 64}},
        {(uint64_t)3 << 62, {0, 0, 0, 0, 32}},
        /* bits of no field */
        {(uint64_t)3 << 14 | (uint64_t)3 << 30 | (uint64_t)7 << 46 | (uint64_t)0x3ff << 52, {0, 0, 0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct descriptor d = descriptor_decode(cases[i].bits);
        assert_memory_equal(&d, &cases[i].d, sizeof d);
    }
}

static void descriptor_encode_every_decoded_descriptor_comes_back(void **state)
{
    (void)state;
    const uint64_t fields = 0xc00e3fff3fff3fffu;
    struct splitmix r = {splitmix_seed()};
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = splitmix_next(&r), back = 0;
        struct descriptor d = descriptor_decode(bits);
        assert_int_equal(descriptor_encode(&d, &back, NULL), STATUS_OK);
        if (back != (bits & fields))
            fail_msg("%#llx came back as %#llx: FO_TEST_SEED=%llu", (unsigned long long)bits, (unsigned long long)back,
                     (unsigned long long)splitmix_seed());
    }
}

static void descriptor_encode_field_out_of_range_is_named(void **state)
{
    (void)state;
    static const struct {
        struct descriptor d;
        const char *field, *why;
    } bad[] = {
        {{8, 0, 0, 0, 0}, "start address", "8 is not legal; write a multiple of 16 below 262144"},
        {{1 << 18, 0, 0, 0, 0}, "start address", "262144 is not legal"},
        {{0, 24, 0, 0, 128}, "leading byte offset", "24 is not legal"},
        {{0, 1 << 18, 0, 0, 128}, "leading byte offset", "262144 is not legal"},
        {{0, 16, 1, 0, 128}, "stride byte offset", "1 is not legal"},
        {{0, 16, 1 << 18, 0, 128}, "stride byte offset", "262144 is not legal"},
        {{0, 0, 0, 8, 64}, "base offset", "8 is not legal; write 0 to 7"},
        {{0, 0, 0, 0, 16}, "swizzle", "16 bytes is no swizzle; write 0, 32, 64 or 128"},
        {{0, 0, 0, 0, 256}, "swizzle", "256 bytes is no swizzle"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t bits = 42;
        struct error e;
        assert_int_equal(descriptor_encode(&bad[i].d, &bits, &e), STATUS_BAD_ARGUMENT);
        expect_error(&e, STATUS_BAD_ARGUMENT, "", bad[i].field, -1, bad[i].why);
        assert_int_equal(bits, 42);
    }
}

static void descriptor_chunk_corners_lie_where_they_are_drawn(void **state)
{
    (void)state;
    static const struct {
        struct descriptor d;
        bool mn;
        uint32_t outer, inner, address;
    } drawn[] = {
        /* K-major, 128 bytes: line 1 has its chunks 0 and 1 exchanged, line 8 begins the next pattern. */
        {{1024, 16, 1024, 0, 128}, false, 0, 0, 1024},
        {{1024, 16, 1024, 0, 128}, false, 0, 1, 1040},
        {{1024, 16, 1024, 0, 128}, false, 1, 0, 1024 + 128 + 16},
        {{1024, 16, 1024, 0, 128}, false, 1, 1, 1024 + 128},
        {{1024, 16, 1024, 0, 128}, false, 7, 0, 1024 + 896 + 112},
        {{1024, 16, 1024, 0, 128}, false, 7, 1, 1024 + 896 + 96},
        {{1024, 16, 1024, 0, 128}, false, 8, 0, 2048},
        {{1024, 16, 2048, 0, 128}, false, 17, 1, 1024 + 2 * 2048 + 128},
        /* the second k16 step of the same tile: chunks 2 and 3 of each line */
        {{1024 + 32, 16, 1024, 0, 128}, false, 0, 0, 1024 + 32},
        {{1024 + 32, 16, 1024, 0, 128}, false, 1, 0, 1024 + 128 + 48},
        {{1024 + 32, 16, 1024, 0, 128}, false, 2, 0, 1024 + 256},
        {{1024 + 32, 16, 1024, 0, 128}, false, 6, 1, 1024 + 768 + 80},
        /* the leading offset of a swizzled K-major tile leads nowhere */
        {{0, 0x3fff0, 512, 0, 64}, false, 0, 1, 16},
        /* K-major, 64 bytes: two lines share a turn. */
        {{512, 16, 512, 0, 64}, false, 1, 0, 512 + 64},
        {{512, 16, 512, 0, 64}, false, 2, 0, 512 + 128 + 16},
        {{512, 16, 512, 0, 64}, false, 5, 1, 512 + 320 + 48},
        {{512, 16, 512, 0, 64}, false, 7, 1, 512 + 448 + 32},
        /* K-major, 32 bytes: four lines share a turn. */
        {{256, 16, 256, 0, 32}, false, 3, 0, 256 + 96},
        {{256, 16, 256, 0, 32}, false, 4, 0, 256 + 128 + 16},
        {{256, 16, 256, 0, 32}, false, 4, 1, 256 + 128},
        {{256, 16, 256, 0, 32}, false, 8, 1, 256 + 256 + 16},
        /* K-major, none: core matrices of 128 bytes, no turn. */
        {{16, 128, 256, 0, 0}, false, 7, 0, 16 + 112},
        {{16, 128, 256, 0, 0}, false, 0, 1, 16 + 128},
        {{16, 128, 256, 0, 0}, false, 8, 0, 16 + 256},
        {{16, 128, 256, 0, 0}, false, 15, 1, 16 + 256 + 128 + 112},
        /* MN-major, none: the offsets exchange their meaning. */
        {{16, 128, 256, 0, 0}, true, 7, 0, 16 + 112},
        {{16, 128, 256, 0, 0}, true, 0, 1, 16 + 256},
        {{16, 128, 256, 0, 0}, true, 8, 0, 16 + 128},
        {{16, 128, 256, 0, 0}, true, 9, 3, 16 + 128 + 16 + 768},
        /* MN-major, 128 bytes: 64 elements of 16 bits, then the leading offset. */
        {{0, 4096, 1024, 0, 128}, true, 0, 7, 112},
        {{0, 4096, 1024, 0, 128}, true, 0, 8, 4096},
        {{0, 4096, 1024, 0, 128}, true, 3, 8, 4096 + 384 + 48},
        {{0, 4096, 1024, 0, 128}, true, 8, 1, 1024 + 16},
        {{0, 4096, 1024, 0, 128}, true, 15, 9, 1024 + 896 + 4096 + 96},
        /* MN-major, 64 and 32 bytes */
        {{0, 2048, 512, 0, 64}, true, 2, 5, 2048 + 128 + 0},
        {{0, 1024, 256, 0, 32}, true, 12, 3, 256 + 1024 + 128},
        /* a pattern that begins 3 lines after a boundary */
        {{1024 + 384, 16, 1024, 3, 128}, false, 0, 0, 1024 + 384},
        {{1024 + 384, 16, 1024, 3, 128}, false, 1, 0, 1024 + 512 + 16},
        /* addresses wrap */
        {{0x3fff0, 16, 1024, 0, 0}, false, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) {
        uint32_t at = descriptor_chunk(&drawn[i].d, drawn[i].mn, drawn[i].outer, drawn[i].inner);
        if (at != drawn[i].address)
            fail_msg("case %zu: %u, not %u", i, at, drawn[i].address);
    }
}

static void descriptor_chunk_k_major_swizzled_box_is_read_back(void **state)
{
    (void)state;
    enum { ROWS = 256, BASE = 3 * 1024 };
    int tiles = 0;
    for (int w = 0; w < WIDTHS; w++) {
        clear_memory();
        write_box(BASE, widths[w], ROWS, 0, 0);
        for (int step = 0; step < (int)widths[w] / 32; step++, tiles++) {
            struct descriptor d = {BASE + 32 * (uint32_t)step, 16, 8 * widths[w], 0, widths[w]};
            check_tile(&d, false, ROWS, 2, 0, 2 * step);
            d.leading = 0; /* means nothing here */
            check_tile(&d, false, ROWS, 2, 0, 2 * step);
        }
    }
    assert_int_equal(tiles, 1 + 2 + 4);
}

static void descriptor_chunk_k_major_groups_apart_follow_the_stride(void **state)
{
    (void)state;
    enum { GROUPS = 16, BASE = 1024 };
    for (int w = 0; w < WIDTHS; w++) {
        uint32_t stride = 8 * widths[w] + 3072;
        clear_memory();
        for (uint32_t g = 0; g < GROUPS; g++)
            write_box(BASE + g * stride, widths[w], 8, 8 * (int)g, 0);
        struct descriptor d = {BASE, 0, stride, 0, widths[w]};
        check_tile(&d, false, 8 * GROUPS, 2, 0, 0);
    }
}

static void descriptor_chunk_k_major_plain_core_matrices_are_read_back(void **state)
{
    (void)state;
    /* Core matrices in either order, packed and apart. */
    static const uint32_t offsets[][2] = {{128, 256}, {4096, 128}, {144, 1024}};
    for (size_t o = 0; o < sizeof offsets / sizeof *offsets; o++) {
        uint32_t leading = offsets[o][0], stride = offsets[o][1];
        clear_memory();
        for (uint32_t row = 0; row < 256; row++)
            for (uint32_t c = 0; c < 2; c++)
                put(2064 + row / 8 * stride + c * leading + row % 8 * CHUNK, (int)row, (int)c);
        struct descriptor d = {2064, leading, stride, 0, 0};
        check_tile(&d, false, 256, 2, 0, 0);
        if (o == 1) { /* the other meaning of the offsets is seen to be wrong */
            d.leading = stride;
            d.stride = leading;
            uint32_t at = descriptor_chunk(&d, false, 8, 0);
            assert_true(line_in[at / CHUNK] != 8 || along_in[at / CHUNK] != 0);
        }
    }
}

static void descriptor_chunk_mn_major_swizzled_boxes_are_read_back(void **state)
{
    (void)state;
    enum { K = 64, ELEMENTS = 256, BASE = 2048 };
    int tiles = 0;
    for (int w = 0; w < WIDTHS; w++) {
        const int in_box = (int)widths[w] / CHUNK, boxes = ELEMENTS * 2 / (int)widths[w];
        const uint32_t leading = K * widths[w];
        clear_memory();
        /* One box: 64 k of w bytes along N. */
        for (int b = 0; b < boxes; b++)
            write_box(BASE + (uint32_t)b * leading, widths[w], K, 0, b * in_box);
        for (int k = 0; k < K; k += 16, tiles++) {
            struct descriptor d = {BASE + (uint32_t)k * widths[w], leading, 8 * widths[w], 0, widths[w]};
            check_tile(&d, true, 16, boxes * in_box, k, 0);
        }
    }
    assert_int_equal(tiles, 3 * 4);
}

static void descriptor_chunk_mn_major_eight_k_a_box_follow_the_stride(void **state)
{
    (void)state;
    /* The other order of atoms: all of N for 8 k, then the next 8 k. */
    enum { ELEMENTS = 128, BASE = 0 };
    for (int w = 0; w < WIDTHS; w++) {
        const int in_box = (int)widths[w] / CHUNK, boxes = ELEMENTS * 2 / (int)widths[w];
        const uint32_t leading = 8 * widths[w], stride = leading * (uint32_t)boxes;
        clear_memory();
        for (int g = 0; g < 2; g++)
            for (int b = 0; b < boxes; b++)
                write_box(BASE + (uint32_t)g * stride + (uint32_t)b * leading, widths[w], 8, 8 * g, b * in_box);
        struct descriptor d = {BASE, leading, stride, 0, widths[w]};
        check_tile(&d, true, 16, boxes * in_box, 0, 0);
    }
}

static void descriptor_chunk_mn_major_plain_core_matrices_are_read_back(void **state)
{
    (void)state;
    static const uint32_t offsets[][2] = {{128, 256}, {4096, 128}, {160, 2048}};
    for (size_t o = 0; o < sizeof offsets / sizeof *offsets; o++) {
        uint32_t leading = offsets[o][0], stride = offsets[o][1];
        clear_memory();
        for (uint32_t k = 0; k < 16; k++)
            for (uint32_t c = 0; c < 32; c++)
                put(16 + k / 8 * leading + c * stride + k % 8 * CHUNK, (int)k, (int)c);
        struct descriptor d = {16, leading, stride, 0, 0};
        check_tile(&d, true, 16, 32, 0, 0);
    }
}

static void descriptor_chunk_pattern_off_its_boundary_is_read_by_the_base_offset(void **state)
{
    (void)state;
    int patterns = 0;
    for (int w = 0; w < WIDTHS; w++)
        for (uint32_t begin = 4096; begin < 4096 + 1024; begin += 128, patterns++) {
            clear_memory();
            write_box(begin, widths[w], 64, 0, 0);
            struct descriptor d = {begin, 16, 8 * widths[w], begin >> 7 & 7, widths[w]};
            check_tile(&d, false, 64, 2, 0, 0);
            if (begin % (8 * widths[w]) != 0) { /* and is not without it */
                bool astray = false;
                d.base = 0;
                for (uint32_t line = 0; line < 64; line++)
                    astray = astray || along_in[descriptor_chunk(&d, false, line, 0) / CHUNK] != 0;
                assert_true(astray);
            }
        }
    assert_int_equal(patterns, 3 * 8);
}

/* The byte of each element of the tile that the production kernel reads. */
static void descriptor_chunk_production_kernel_reads_what_it_wrote(void **state)
{
    (void)state;
    const struct rs_fault neutral = RS_FAULT_NEUTRAL;
    const uint32_t base = 1024 * 7;
    int compared = 0;
    for (uint32_t k = 0; k < 128; k += 16) {
        uint64_t bits = (uint64_t)(((base + rs_smem_step(k)) & 0x3ffffu) >> 4) | (uint64_t)1 << 16 |
                        (uint64_t)(1024 >> 4) << 32 | (uint64_t)1 << 62;
        struct descriptor d = descriptor_decode(bits);
        for (uint32_t token = 0; token < RS_TILE_TOKENS; token++)
            for (uint32_t c = 0; c < 2; c++, compared++) {
                uint32_t at = descriptor_chunk(&d, false, token, c);
                assert_int_equal(at, base + rs_smem_offset(token, k + 8 * c, &neutral));
                uint32_t half = base + k / 64 * RS_TILE_TOKENS * 128;
                assert_int_equal(at, half + fragment_smem_sw128(token, k % 64 + 8 * c));
            }
    }
    assert_int_equal(compared, 8 * RS_TILE_TOKENS * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptor_decode_bits_of_the_production_kernel_give_its_fields),
        cmocka_unit_test(descriptor_decode_each_field_alone_is_seen_alone),
        cmocka_unit_test(descriptor_encode_every_decoded_descriptor_comes_back),
        cmocka_unit_test(descriptor_encode_field_out_of_range_is_named),
        cmocka_unit_test(descriptor_chunk_corners_lie_where_they_are_drawn),
        cmocka_unit_test(descriptor_chunk_k_major_swizzled_box_is_read_back),
        cmocka_unit_test(descriptor_chunk_k_major_groups_apart_follow_the_stride),
        cmocka_unit_test(descriptor_chunk_k_major_plain_core_matrices_are_read_back),
        cmocka_unit_test(descriptor_chunk_mn_major_swizzled_boxes_are_read_back),
        cmocka_unit_test(descriptor_chunk_mn_major_eight_k_a_box_follow_the_stride),
        cmocka_unit_test(descriptor_chunk_mn_major_plain_core_matrices_are_read_back),
        cmocka_unit_test(descriptor_chunk_pattern_off_its_boundary_is_read_by_the_base_offset),
        cmocka_unit_test(descriptor_chunk_production_kernel_reads_what_it_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
