/* scale_swizzle: the index for 4 and 8 warps, padding, strides, and the word that serves a lane. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reference/scale_swizzle.h"

static const size_t shapes[][2] = {{1, 1}, {128, 2}, {256, 4}, {129, 3}, {96, 5}, {300, 90}, {513, 7}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static struct scale_swizzle make(size_t rows, size_t blocks, int warps, size_t stride)
{
    struct scale_swizzle s;
    struct error e;
    if (scale_swizzle_init(&s, rows, blocks, warps, stride, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return s;
}

/* Call body with every shape, both numbers of warps, and a tight and a loose stride. */
static void for_every_swizzle(void (*body)(const struct scale_swizzle *))
{
    int cases = 0;
    for (int i = 0; i < SHAPES; i++)
        for (int warps = 4; warps <= 8; warps += 4)
            for (size_t gap = 0; gap < 9; gap += 4, cases++) {
                struct scale_swizzle s = make(shapes[i][0], shapes[i][1], warps, 0);
                s = make(shapes[i][0], shapes[i][1], warps, s.stride + gap);
                body(&s);
            }
    assert_int_equal(cases, SHAPES * 2 * 3);
}

static void scale_swizzle_init_pads_and_sizes(void **state)
{
    (void)state;
    struct scale_swizzle s = make(2880, 90, 4, 0);
    assert_int_equal(s.padded_rows, 2944);
    assert_int_equal(s.padded_blocks, 90);
    assert_int_equal(s.stride, 2880);
    assert_int_equal(scale_swizzle_rows(&s), 92);
    assert_int_equal(scale_swizzle_bytes(&s), 92 * 2880);

    s = make(2880, 5, 8, 200);
    assert_int_equal(s.padded_rows, 3072);
    assert_int_equal(s.padded_blocks, 6);
    assert_int_equal(s.stride, 200);
    assert_int_equal(scale_swizzle_bytes(&s), 96 * 200);
}

static void scale_swizzle_init_bad_arguments_are_refused(void **state)
{
    (void)state;
    const struct {
        size_t rows, blocks;
        int warps;
        size_t stride;
    } bad[] = {
        {0, 2, 4, 0},
        {128, 0, 4, 0},
        {128, 2, 0, 0},
        {128, 2, -4, 0},
        {128, 2, 5, 0},
        {128, 2, 16, 0},
        {128, 2, 4, 63},
        {128, 3, 8, 127},
        {SIZE_MAX - 5, 2, 4, 0}, /* each step that can overflow */
        {128, SIZE_MAX, 4, 0},
        {128, SIZE_MAX / 32 + 1, 4, 0},
        {SIZE_MAX / 4, 128, 4, 0},
        {256, 2, 8, SIZE_MAX / 4},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct scale_swizzle s, before;
        struct error e = {.status = STATUS_OK};
        memset(&s, 0x5a, sizeof s);
        before = s;
        assert_int_equal(scale_swizzle_init(&s, bad[i].rows, bad[i].blocks, bad[i].warps, bad[i].stride, &e),
                         STATUS_BAD_ARGUMENT);
        assert_int_equal(e.status, STATUS_BAD_ARGUMENT);
        assert_true(e.why[0] != '\0');
        assert_memory_equal(&s, &before, sizeof s);
        assert_int_equal(scale_swizzle_init(&s, bad[i].rows, bad[i].blocks, bad[i].warps, bad[i].stride, NULL),
                         STATUS_BAD_ARGUMENT);
    }
}

static void scale_swizzle_index_places_each_coordinate_bit(void **state)
{
    (void)state;
    /* By hand from the formulas of the header: n, kb, output row, position. */
    static const size_t four[][4] = {{0, 0, 0, 0},  {1, 0, 0, 4},  {2, 0, 0, 8},     {4, 0, 0, 16},  {8, 0, 0, 1},
                                     {16, 0, 1, 0}, {32, 0, 2, 0}, {64, 0, 0, 32},   {128, 0, 4, 0}, {256, 0, 8, 0},
                                     {0, 1, 0, 2},  {0, 2, 0, 64}, {511, 3, 15, 127}};
    static const size_t eight[][4] = {{0, 0, 0, 0},  {1, 0, 0, 4},  {2, 0, 0, 8},     {4, 0, 0, 16},   {8, 0, 0, 1},
                                      {16, 0, 1, 0}, {32, 0, 2, 0}, {64, 0, 4, 0},    {128, 0, 0, 32}, {256, 0, 8, 0},
                                      {0, 1, 0, 2},  {0, 2, 0, 64}, {511, 3, 15, 127}};
    struct scale_swizzle s4 = make(512, 4, 4, 500), s8 = make(512, 4, 8, 500);
    for (size_t i = 0; i < sizeof four / sizeof *four; i++) {
        assert_int_equal(scale_swizzle_index(&s4, four[i][0], four[i][1]), four[i][2] * 500 + four[i][3]);
        assert_int_equal(scale_swizzle_index(&s8, eight[i][0], eight[i][1]), eight[i][2] * 500 + eight[i][3]);
    }
}

static void scale_swizzle_index_follows_the_published_formula(void **state)
{
    (void)state;
    struct scale_swizzle s4 = make(512, 6, 4, 0), s8 = make(512, 6, 8, 0);
    for (size_t n = 0; n < 512; n++)
        for (size_t kb = 0; kb < 6; kb++) {
            size_t row4 = (n >> 7) * 4 + ((n >> 4) & 3), row8 = (n >> 8) * 8 + ((n >> 4) & 7);
            size_t at4 = ((((kb >> 1) * 2 + ((n >> 6) & 1)) * 8 + (n & 7)) * 2 + (kb & 1)) * 2 + ((n >> 3) & 1);
            size_t at8 = ((((kb >> 1) * 2 + ((n >> 7) & 1)) * 8 + (n & 7)) * 2 + (kb & 1)) * 2 + ((n >> 3) & 1);
            assert_int_equal(scale_swizzle_index(&s4, n, kb), row4 * s4.stride + at4);
            assert_int_equal(scale_swizzle_index(&s8, n, kb), row8 * s8.stride + at8);
        }
}

static void check_bijection(const struct scale_swizzle *s)
{
    uint8_t *seen = calloc(1, scale_swizzle_bytes(s));
    assert_non_null(seen);
    for (size_t n = 0; n < s->padded_rows; n++)
        for (size_t kb = 0; kb < s->padded_blocks; kb++) {
            size_t at = scale_swizzle_index(s, n, kb);
            assert_true(at < scale_swizzle_bytes(s));
            assert_true(at % s->stride < 32 * s->padded_blocks);
            assert_int_equal(seen[at]++, 0);
        }
    size_t count = 0;
    for (size_t i = 0; i < scale_swizzle_bytes(s); i++)
        count += seen[i];
    assert_int_equal(count, scale_swizzle_rows(s) * 32 * s->padded_blocks);
    free(seen);
}

static void scale_swizzle_index_every_padding_is_a_bijection(void **state)
{
    (void)state;
    for_every_swizzle(check_bijection);
}

static void check_round_trip(const struct scale_swizzle *s)
{
    const size_t in_stride = s->blocks + 3, out_stride = s->blocks + 1, bytes = scale_swizzle_bytes(s);
    uint8_t *in = malloc(s->rows * in_stride), *back = malloc(s->rows * out_stride), *out = malloc(bytes);
    assert_true(in && back && out);
    for (size_t i = 0; i < s->rows * in_stride; i++)
        in[i] = (uint8_t)(1 + (i * 167 + i / 251) % 255); /* never 0, so that padding can be told apart */
    memset(out, 0xee, bytes);
    memset(back, 0xdd, s->rows * out_stride);
    scale_swizzle_forward(s, in, in_stride, out);

    size_t nonzero = 0;
    for (size_t i = 0; i < bytes; i++)
        nonzero += out[i] != 0;
    assert_int_equal(nonzero, s->rows * s->blocks);

    /* Padding is not read: whatever stands there must not come back. */
    for (size_t i = 0; i < bytes; i++)
        out[i] = out[i] ? out[i] : 0xcc;
    scale_swizzle_inverse(s, out, back, out_stride);
    for (size_t n = 0; n < s->rows; n++) {
        assert_memory_equal(back + n * out_stride, in + n * in_stride, s->blocks);
        assert_int_equal(back[n * out_stride + s->blocks], 0xdd);
    }
    free(in);
    free(back);
    free(out);
}

static void scale_swizzle_inverse_every_padding_gives_the_input_back(void **state)
{
    (void)state;
    for_every_swizzle(check_round_trip);
}

static void check_word(const struct scale_swizzle *s)
{
    size_t words = 0;
    for (size_t n = 0; n < s->padded_rows; n++)
        for (size_t kb = 0; kb < s->padded_blocks; kb += 2) {
            if (n & 8)
                continue;
            size_t at = scale_swizzle_index(s, n, kb);
            assert_int_equal(at % 4, 0);
            assert_int_equal(scale_swizzle_index(s, n + 8, kb), at + 1);
            assert_int_equal(scale_swizzle_index(s, n, kb + 1), at + 2);
            assert_int_equal(scale_swizzle_index(s, n + 8, kb + 1), at + 3);
            words++;
        }
    assert_int_equal(words, s->padded_rows * s->padded_blocks / 4);
}

static void scale_swizzle_index_aligned_word_serves_one_lane(void **state)
{
    (void)state;
    for_every_swizzle(check_word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scale_swizzle_init_pads_and_sizes),
        cmocka_unit_test(scale_swizzle_init_bad_arguments_are_refused),
        cmocka_unit_test(scale_swizzle_index_places_each_coordinate_bit),
        cmocka_unit_test(scale_swizzle_index_follows_the_published_formula),
        cmocka_unit_test(scale_swizzle_index_every_padding_is_a_bijection),
        cmocka_unit_test(scale_swizzle_inverse_every_padding_gives_the_input_back),
        cmocka_unit_test(scale_swizzle_index_aligned_word_serves_one_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
