/* identity: the segments and the activations that it asks with. */
#include "probes/identity.h"

#include "reference/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct identity_segments segments_of(size_t rows, size_t experts, int historical)
{
    struct identity_segments s;
    assert_int_equal(identity_segments_make(rows, experts, historical, &s, NULL), STATUS_OK);
    assert_int_equal(segments_validate(&s.s, NULL), STATUS_OK);
    assert_int_equal(s.s.rows, rows);
    assert_int_equal(s.s.experts, experts);
    assert_ptr_equal(s.s.starts, s.starts);
    assert_ptr_equal(s.s.ids, s.ids);
    return s;
}

static void assert_segments_have_all_traits(const struct segments *s)
{
    size_t empty = 0, single = 0, most = 0, above = 0, descents = 0;
    for (size_t a = 0; a < s->active; a++) {
        size_t length = s->starts[a + 1] - s->starts[a];
        empty += length == 0;
        single += length == 1;
        most += length > s->rows / 2;
        above += length > 0 && s->ids[a] >= (int32_t)s->active;
        descents += a > 0 && s->ids[a] < s->ids[a - 1];
        for (size_t b = 0; b < a; b++)
            assert_int_not_equal(length, s->starts[b + 1] - s->starts[b]);
    }
    assert_int_equal(empty, 1);
    assert_int_equal(single, 1);
    assert_int_equal(most, 1);
    assert_true(descents > 0);
    assert_true(above > 0 || s->experts <= s->active);
    assert_true(s->starts[s->active] < s->rows);
    assert_int_equal(segments_expert_of_row(s, s->rows - 1), -1);
}

static void identity_segments_make_any_shape_has_all_traits(void **state)
{
    (void)state;
    size_t count[6] = {0};
    for (size_t rows = 8; rows <= 300; rows++) {
        for (size_t experts = 2; experts <= 40; experts++) {
            struct identity_segments s = segments_of(rows, experts, 0);
            assert_segments_have_all_traits(&s.s);
            count[s.s.active]++;
            identity_segments_free(&s);
        }
    }
    assert_int_equal(count[3], 7 * 39); /* rows 8 to 14 */
    assert_int_equal(count[5], 286 * 39);
}

static void identity_segments_make_known_shape_is_as_documented(void **state)
{
    (void)state;
    struct identity_segments s = segments_of(32, 32, 0);
    assert_int_equal(s.s.active, 5);
    assert_memory_equal(s.starts, ((uint32_t[]){0, 1, 18, 18, 26, 31}), 6 * sizeof(uint32_t));
    assert_memory_equal(s.ids, ((int32_t[]){15, 31, 0, 23, 7}), 5 * sizeof(int32_t));
    identity_segments_free(&s);
    s = segments_of(8, 2, 0);
    assert_int_equal(s.s.active, 3);
    assert_memory_equal(s.starts, ((uint32_t[]){0, 1, 7, 7}), 4 * sizeof(uint32_t));
    assert_memory_equal(s.ids, ((int32_t[]){0, 1, 0}), 3 * sizeof(int32_t));
    identity_segments_free(&s);
}

static void identity_segments_make_few_rows_or_one_expert_give_one_segment(void **state)
{
    (void)state;
    static const struct {
        size_t rows, experts;
        int historical;
        int32_t id;
    } of[] = {{7, 4, 0, 3}, {1, 1, 0, 0}, {64, 1, 0, 0}, {32, 4, 1, 0}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct identity_segments s = segments_of(of[i].rows, of[i].experts, of[i].historical);
        assert_int_equal(s.s.active, 1);
        assert_int_equal(s.starts[1], of[i].rows);
        assert_int_equal(s.ids[0], of[i].id);
        identity_segments_free(&s);
    }
}

static void identity_segments_make_impossible_numbers_are_refused(void **state)
{
    (void)state;
    struct identity_segments s = {.s.rows = 77};
    assert_int_equal(identity_segments_make(0, 1, 0, &s, NULL), STATUS_BAD_ARGUMENT);
    assert_int_equal(identity_segments_make(1, 0, 0, &s, NULL), STATUS_BAD_ARGUMENT);
    assert_int_equal(identity_segments_make((size_t)UINT32_MAX + 1, 1, 0, &s, NULL), STATUS_BAD_ARGUMENT);
    assert_int_equal(identity_segments_make(1, (size_t)INT32_MAX + 1, 0, &s, NULL), STATUS_BAD_ARGUMENT);
    assert_int_equal(s.s.rows, 77);
}

/* Which k the rows of each segment ask, read off the activations of all passes. */
static void assert_covers(size_t rows, size_t columns, size_t experts)
{
    struct identity_options o = {.P = rows, .pass = -1};
    struct identity_segments s = segments_of(rows, experts, 0);
    size_t passes = identity_passes(&o, columns), longest = 0;
    struct bf16 *x = malloc(rows * columns * sizeof *x);
    unsigned char *asked = calloc(rows * columns, 1);
    assert_true(passes - 1 <= 2 * ((columns + rows - 1) / rows) + 1 || rows < 32);
    for (size_t pass = 0; pass + 1 < passes; pass++) {
        assert_false(identity_pass_is_special(&o, columns, pass));
        identity_activations(&o, columns, pass, x);
        for (size_t p = 0; p < rows; p++) {
            size_t ones = 0;
            for (size_t k = 0; k < columns; k++) {
                bool one = x[p * columns + k].bits != 0;
                assert_true(!one || p >= columns || x[p * columns + k].bits == BF16_ONE);
                ones += one;
                asked[p * columns + k] |= one;
            }
            assert_int_equal(ones, 1);
        }
    }
    for (size_t a = 1; a < s.s.active; a++)
        if (s.starts[a + 1] - s.starts[a] > s.starts[longest + 1] - s.starts[longest])
            longest = a;
    for (size_t k = 0; k < columns; k++) {
        size_t by_longest = 0;
        for (size_t p = s.starts[longest]; p < s.starts[longest + 1]; p++)
            by_longest += asked[p * columns + k];
        assert_true(by_longest >= 1);
    }
    for (size_t p = 0; p < rows; p++) {
        size_t distinct = 0, places = 0, place[32] = {0};
        for (size_t k = 0; k < columns; k++) {
            distinct += asked[p * columns + k];
            place[k % 32] |= asked[p * columns + k];
        }
        for (size_t i = 0; i < 32; i++)
            places += place[i];
        assert_int_equal(distinct, passes - 1);
        assert_int_equal(places, passes - 1 < 32 ? passes - 1 : 32);
    }
    free(x);
    free(asked);
    identity_segments_free(&s);
}

static void identity_activations_all_passes_cover_what_the_header_says(void **state)
{
    (void)state;
    static const size_t rows[] = {1, 2, 7, 8, 9, 15, 16, 31, 32, 33, 64, 96, 128, 200};
    static const size_t columns[] = {32, 64, 128, 160, 288, 2880};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t j = 0; j < sizeof columns / sizeof *columns; j++)
            if (rows[i] * columns[j] * columns[j] < 300000000) {
                assert_covers(rows[i], columns[j], 1);
                assert_covers(rows[i], columns[j], 6);
            }
    /* The numbers of the header. */
    struct identity_options o = {.P = 32, .pass = -1};
    assert_int_equal(identity_passes(&o, 2880), 171);
    assert_true(identity_pass_is_special(&o, 2880, 170));
}

static void identity_activations_special_pass_is_all_ones_in_turn(void **state)
{
    (void)state;
    struct identity_options o = {.P = 3, .pass = -1};
    struct bf16 x[3 * 32];
    identity_activations(&o, 32, identity_passes(&o, 32) - 1, x);
    for (size_t i = 0; i < 3 * 32; i++)
        assert_int_equal(x[i].bits, i / 32 == 1 ? 0xbf80 : 0x3f80);
}

static void identity_activations_historical_is_the_identity(void **state)
{
    (void)state;
    struct identity_options o = {.P = 5, .historical = 1, .pass = -1};
    struct bf16 x[5 * 32];
    assert_int_equal(identity_passes(&o, 32), 1);
    assert_false(identity_pass_is_special(&o, 32, 0));
    identity_activations(&o, 32, 0, x);
    for (size_t i = 0; i < 5 * 32; i++)
        assert_int_equal(x[i].bits, i % 32 == i / 32 ? 0x3f80 : 0);
}

/* Rows that hold their 1 at one column differ in it, so that none passes for another. */
static void identity_activations_more_rows_than_columns_are_told_apart(void **state)
{
    (void)state;
    enum { ROWS = 500, COLUMNS = 32 };
    static const float wanted[] = {1, -1, 2, -2, 4, -4, 8, -8, 16, -16, 32, -32, 64, -64, 128, -128};
    struct identity_options o = {.P = ROWS, .pass = -1};
    struct bf16 *x = malloc(ROWS * COLUMNS * sizeof *x);
    assert_non_null(x);
    identity_activations(&o, COLUMNS, 0, x);
    for (size_t p = 0; p < ROWS; p++)
        for (size_t k = 0; k < COLUMNS; k++)
            assert_float_equal(bf16_decode(x[p * COLUMNS + k]), k == p % COLUMNS ? wanted[p / COLUMNS] : 0, 0);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_segments_make_any_shape_has_all_traits),
        cmocka_unit_test(identity_segments_make_known_shape_is_as_documented),
        cmocka_unit_test(identity_segments_make_few_rows_or_one_expert_give_one_segment),
        cmocka_unit_test(identity_segments_make_impossible_numbers_are_refused),
        cmocka_unit_test(identity_activations_all_passes_cover_what_the_header_says),
        cmocka_unit_test(identity_activations_special_pass_is_all_ones_in_turn),
        cmocka_unit_test(identity_activations_historical_is_the_identity),
        cmocka_unit_test(identity_activations_more_rows_than_columns_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
