/* value_swizzle: the index, padding, strides, and that the result is the fragment order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reference/value_swizzle.h"

static const size_t pad_rows[] = {16, 64, 256}, pad_bytes[] = {32, 64};
static const size_t shapes[][2] = {{1, 1}, {16, 32}, {17, 33}, {64, 64}, {96, 80}, {300, 90}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static struct value_swizzle make(size_t rows, size_t row_bytes, size_t pr, size_t pb, size_t stride)
{
    struct value_swizzle s;
    struct error e;
    if (value_swizzle_init(&s, rows, row_bytes, pr, pb, stride, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return s;
}

/* Call body with every shape, every padding, and a tight and a loose stride. */
static void for_every_swizzle(void (*body)(const struct value_swizzle *))
{
    int cases = 0;
    for (int i = 0; i < SHAPES; i++)
        for (int r = 0; r < 3; r++)
            for (int b = 0; b < 2; b++)
                for (size_t gap = 0; gap < 9; gap += 4, cases++) {
                    struct value_swizzle s = make(shapes[i][0], shapes[i][1], pad_rows[r], pad_bytes[b], 0);
                    s = make(shapes[i][0], shapes[i][1], pad_rows[r], pad_bytes[b], s.stride + gap);
                    body(&s);
                }
    assert_int_equal(cases, SHAPES * 3 * 2 * 3);
}

static void value_swizzle_init_pads_and_sizes(void **state)
{
    (void)state;
    struct value_swizzle s = make(2880, 1440, 16, 32, 0);
    assert_int_equal(s.padded_rows, 2880);
    assert_int_equal(s.padded_row_bytes, 1440);
    assert_int_equal(s.stride, 5760);
    assert_int_equal(value_swizzle_rows(&s), 720);
    assert_int_equal(value_swizzle_bytes(&s), 720 * 5760);

    s = make(2881, 1441, 256, 64, 6000);
    assert_int_equal(s.padded_rows, 3072);
    assert_int_equal(s.padded_row_bytes, 1472);
    assert_int_equal(s.stride, 6000);
    assert_int_equal(value_swizzle_bytes(&s), 768 * 6000);
}

static void value_swizzle_init_bad_arguments_are_refused(void **state)
{
    (void)state;
    const size_t huge = SIZE_MAX - 5;
    const size_t bad[][5] = {
        {0, 32, 16, 32, 0}, /* no rows */
        {16, 0, 16, 32, 0}, /* no columns */
        {16, 32, 0, 32, 0}, /* padding of rows */
        {16, 32, 8, 32, 0},
        {16, 32, 24, 32, 0},
        {16, 32, 16, 0, 0}, /* padding of bytes */
        {16, 32, 16, 16, 0},
        {16, 32, 16, 48, 0},
        {16, 32, 16, 32, 127}, /* stride below 4 * 32 */
        {16, 32, 16, 64, 255},
        {huge, 32, 16, 32, 0}, /* each step that can overflow */
        {16, huge, 16, 32, 0},
        {16, SIZE_MAX / 4, 16, 32, 0},
        {SIZE_MAX / 16, 32, 16, 32, 0},
        {64, 32, 16, 32, SIZE_MAX / 8},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct value_swizzle s, before;
        struct error e = {.status = STATUS_OK};
        memset(&s, 0x5a, sizeof s);
        before = s;
        assert_int_equal(value_swizzle_init(&s, bad[i][0], bad[i][1], bad[i][2], bad[i][3], bad[i][4], &e),
                         STATUS_BAD_ARGUMENT);
        assert_int_equal(e.status, STATUS_BAD_ARGUMENT);
        assert_true(e.why[0] != '\0');
        assert_memory_equal(&s, &before, sizeof s);
        assert_int_equal(value_swizzle_init(&s, bad[i][0], bad[i][1], bad[i][2], bad[i][3], bad[i][4], NULL),
                         STATUS_BAD_ARGUMENT);
    }
}

static void value_swizzle_index_places_each_coordinate_bit(void **state)
{
    (void)state;
    struct value_swizzle s = make(64, 128, 16, 32, 1000);
    /* By hand from the two formulas of the header: m, kb, output row, position. */
    static const size_t hand[][4] = {
        {0, 0, 0, 0},
        {1, 0, 0, 64},
        {2, 0, 1, 0},
        {4, 0, 2, 0},
        {8, 0, 0, 1},
        {16, 0, 4, 0},
        {32, 0, 8, 0},
        {0, 1, 0, 16},
        {0, 2, 0, 32},
        {0, 4, 0, 2},
        {0, 8, 0, 4},
        {0, 16, 0, 8},
        {0, 32, 0, 128},
        {0, 64, 0, 256},
        {15, 31, 3, 127},
        {63, 127, 15, 511},
        {9, 5, 0, 64 + 16 + 2 + 1},
    };
    for (size_t i = 0; i < sizeof hand / sizeof *hand; i++)
        assert_int_equal(value_swizzle_index(&s, hand[i][0], hand[i][1]), hand[i][2] * 1000 + hand[i][3]);
}

static void check_bijection(const struct value_swizzle *s)
{
    uint8_t *seen = calloc(1, value_swizzle_bytes(s));
    assert_non_null(seen);
    for (size_t m = 0; m < s->padded_rows; m++)
        for (size_t kb = 0; kb < s->padded_row_bytes; kb++) {
            size_t at = value_swizzle_index(s, m, kb);
            assert_true(at < value_swizzle_bytes(s));
            assert_true(at % s->stride < 4 * s->padded_row_bytes); /* never in the gap between two rows */
            assert_int_equal(seen[at]++, 0);
        }
    size_t count = 0;
    for (size_t i = 0; i < value_swizzle_bytes(s); i++)
        count += seen[i];
    assert_int_equal(count, value_swizzle_rows(s) * 4 * s->padded_row_bytes);
    free(seen);
}

static void value_swizzle_index_every_padding_is_a_bijection(void **state)
{
    (void)state;
    for_every_swizzle(check_bijection);
}

static void check_round_trip(const struct value_swizzle *s)
{
    const size_t in_stride = s->row_bytes + 3, out_stride = s->row_bytes + 1, bytes = value_swizzle_bytes(s);
    uint8_t *in = malloc(s->rows * in_stride), *back = malloc(s->rows * out_stride), *out = malloc(bytes);
    assert_true(in && back && out);
    for (size_t i = 0; i < s->rows * in_stride; i++)
        in[i] = (uint8_t)(1 + (i * 167 + i / 251) % 255); /* never 0, so that padding can be told apart */
    memset(out, 0xee, bytes);
    memset(back, 0xdd, s->rows * out_stride);
    value_swizzle_forward(s, in, in_stride, out);

    size_t nonzero = 0;
    for (size_t i = 0; i < bytes; i++)
        nonzero += out[i] != 0;
    assert_int_equal(nonzero, s->rows * s->row_bytes); /* padding and gaps are zero, nothing is lost */

    /* Padding is not read: whatever stands there must not come back. */
    for (size_t i = 0; i < bytes; i++)
        out[i] = out[i] ? out[i] : 0xcc;
    value_swizzle_inverse(s, out, back, out_stride);
    for (size_t m = 0; m < s->rows; m++) {
        assert_memory_equal(back + m * out_stride, in + m * in_stride, s->row_bytes);
        assert_int_equal(back[m * out_stride + s->row_bytes], 0xdd); /* the gap is not written */
    }
    free(in);
    free(back);
    free(out);
}

static void value_swizzle_inverse_every_padding_gives_the_input_back(void **state)
{
    (void)state;
    for_every_swizzle(check_round_trip);
}

static void value_swizzle_index_aligned_word_is_one_fragment(void **state)
{
    (void)state;
    struct value_swizzle s = make(64, 128, 16, 32, 0);
    size_t words = 0;
    for (size_t m = 0; m < 64; m++)
        for (size_t kb = 0; kb < 128; kb++) {
            if ((m & 8) || (kb & 4))
                continue;
            size_t at = value_swizzle_index(&s, m, kb);
            assert_int_equal(at % 4, 0);
            assert_int_equal(value_swizzle_index(&s, m + 8, kb), at + 1);
            assert_int_equal(value_swizzle_index(&s, m, kb + 4), at + 2);
            assert_int_equal(value_swizzle_index(&s, m + 8, kb + 4), at + 3);
            words++;
        }
    assert_int_equal(words, 64 * 128 / 4);
}

static void value_swizzle_index_sixteen_bytes_are_four_steps_of_one_lane(void **state)
{
    (void)state;
    struct value_swizzle s = make(64, 128, 16, 32, 0);
    int lanes = 0;
    /* 64 columns are 32 bytes; a k16 step is 8 of them; lane (g, q) starts at row g, columns 2q, that is byte q. */
    for (size_t tile = 0; tile < 4; tile++)
        for (size_t warp = 0; warp < 4; warp++)
            for (size_t lane = 0; lane < 32; lane++, lanes++) {
                size_t g = lane / 4, q = lane % 4;
                size_t at = value_swizzle_index(&s, 16 * warp + g, 32 * tile + q);
                assert_int_equal(at % 16, 0);
                for (size_t step = 0; step < 4; step++)
                    assert_int_equal(value_swizzle_index(&s, 16 * warp + g, 32 * tile + 8 * step + q), at + 4 * step);
            }
    assert_int_equal(lanes, 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_swizzle_init_pads_and_sizes),
        cmocka_unit_test(value_swizzle_init_bad_arguments_are_refused),
        cmocka_unit_test(value_swizzle_index_places_each_coordinate_bit),
        cmocka_unit_test(value_swizzle_index_every_padding_is_a_bijection),
        cmocka_unit_test(value_swizzle_inverse_every_padding_gives_the_input_back),
        cmocka_unit_test(value_swizzle_index_aligned_word_is_one_fragment),
        cmocka_unit_test(value_swizzle_index_sixteen_bytes_are_four_steps_of_one_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
