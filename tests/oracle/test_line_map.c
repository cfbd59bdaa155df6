/* line_map: which line is marked where, and that it counts as score.h does. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/line_map.h"
#include "probes/score.h"
#include "reference/number.h"
#include "tests/support/alloc.h"
#include "tests/support/splitmix.h"

enum { MOST = 4096 };

static struct bf16 output[MOST], expected[MOST];

/* Only the bits of a binary32 that a bf16 has. */
static struct bf16 value(float x)
{
    uint32_t bits = f32_bits(x);
    assert_int_equal(bits & 0xffff, 0);
    return (struct bf16){(uint16_t)(bits >> 16)};
}

/* Distinct lines: each element is a small integer of its own row and column. */
static void fill_expected(size_t P, size_t N)
{
    assert_true(P * N <= MOST);
    for (size_t i = 0; i < P * N; i++)
        output[i] = expected[i] = value((float)((i * 37 + i / N * 11) % 128));
}

static struct line_map make(size_t P, size_t N, bool by_column)
{
    struct line_map m;
    struct error e;
    assert_int_equal(line_map_make(output, expected, P, N, by_column, &m, &e), STATUS_OK);
    assert_int_equal(m.lines, by_column ? N : P);
    assert_int_equal(m.hits + m.misses + m.unmarked, m.lines);
    return m;
}

static void line_map_make_equal_matrices_marks_the_diagonal(void **state)
{
    (void)state;
    fill_expected(16, 24);
    for (int by_column = 0; by_column < 2; by_column++) {
        struct line_map m = make(16, 24, by_column);
        assert_int_equal(m.hits, m.lines);
        assert_int_equal(m.per_cell, 1);
        for (size_t i = 0; i < m.cells; i++)
            for (size_t j = 0; j < m.cells; j++) {
                assert_int_equal(m.mark[i * m.cells + j], i == j ? LINE_HIT : LINE_UNMARKED);
                assert_true((m.distance[i * m.cells + j] == 0) == (i == j));
            }
        line_map_free(&m);
    }
}

static void line_map_make_rotated_columns_marks_where_they_came_from(void **state)
{
    (void)state;
    enum { P = 16, N = 24, BY = 5 };
    fill_expected(P, N);
    for (size_t p = 0; p < P; p++)
        for (size_t n = 0; n < N; n++)
            output[p * N + n] = expected[p * N + (n + BY) % N];
    struct line_map m = make(P, N, true);
    assert_int_equal(m.misses, N);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            assert_int_equal(m.mark[i * N + j], j == (i + BY) % N ? LINE_MISS : LINE_UNMARKED);
    line_map_free(&m);
}

/* 65536 + 2^-14 and 65536 + 2^-16 have the same root in binary32. */
static void line_map_make_near_tie_goes_to_the_strictly_nearer_line(void **state)
{
    (void)state;
    struct bf16 zero = value(0), far = value(256), near = value(0x1p-8f), less_near = value(0x1p-7f);
    const struct bf16 o[] = {zero, zero, zero, zero, zero, zero}, r[] = {far, less_near, far, near, far, less_near};
    memcpy(output, o, sizeof o);
    memcpy(expected, r, sizeof r);
    struct line_map m = make(3, 2, false);
    assert_true(m.distance[0] == m.distance[1]);
    const uint8_t want[] = {LINE_UNMARKED, LINE_MISS,     LINE_UNMARKED, LINE_UNMARKED, LINE_HIT,
                            LINE_UNMARKED, LINE_UNMARKED, LINE_MISS,     LINE_UNMARKED};
    assert_memory_equal(m.mark, want, sizeof want);
    line_map_free(&m);
}

static void line_map_make_exact_tie_is_a_hit(void **state)
{
    (void)state;
    const struct bf16 o[] = {value(1), value(1), value(1)}, r[] = {value(3), value(3), value(-1)};
    memcpy(output, o, sizeof o);
    memcpy(expected, r, sizeof r);
    struct line_map m = make(3, 1, false);
    assert_int_equal(m.hits, 3);
    line_map_free(&m);
}

static void line_map_make_unexpected_nan_is_unmarked(void **state)
{
    (void)state;
    fill_expected(8, 8);
    output[3 * 8 + 2].bits = BF16_NAN;
    struct line_map m = make(8, 8, false);
    assert_int_equal(m.hits, 7);
    assert_int_equal(m.unmarked, 1);
    for (size_t j = 0; j < 8; j++) {
        assert_int_equal(m.mark[3 * 8 + j], LINE_UNMARKED);
        assert_true(isinf(m.distance[3 * 8 + j]));
    }
    line_map_free(&m);
}

static void line_map_make_many_lines_are_binned(void **state)
{
    (void)state;
    enum { N = 2 * LINE_MAP_CELLS + 1 }; /* three a cell, the last cell holds two */
    for (size_t n = 0; n < N; n++)
        output[n] = expected[n] = (struct bf16){(uint16_t)(0x3f80 + n)};
    output[4] = expected[5];    /* in its own cell, 1 */
    output[30] = expected[600]; /* cell 10, from cell 200 */
    struct line_map m = make(1, N, true);
    assert_int_equal(m.per_cell, 3);
    assert_int_equal(m.cells, (N + 2) / 3);
    assert_int_equal(m.hits, N - 2);
    for (size_t i = 0; i < m.cells; i++)
        for (size_t j = 0; j < m.cells; j++) {
            enum line_mark want = i == j && i != 10 ? LINE_HIT : LINE_UNMARKED;
            if ((i == 1 && j == 1) || (i == 10 && j == 200))
                want = LINE_MISS;
            assert_int_equal(m.mark[i * m.cells + j], want);
        }
    /* The smallest of the nine pairs: 9..11 against 12..14. */
    assert_true(m.distance[3 * m.cells + 4] == 0x1p-7f);
    line_map_free(&m);
}

static void line_map_make_random_matrices_count_as_score_does(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    static const uint16_t special[] = {0x7f80, 0xff80, 0x7fc0, 0, 0x8000, 0x0001, 0x7f7f};
    size_t misses = 0, unmarked = 0;
    for (int round = 0; round < 400; round++) {
        size_t P = 1 + splitmix_below(&r, 12), N = 1 + splitmix_below(&r, 12);
        bool wild = round % 2; /* else small integers, where ties abound */
        for (size_t i = 0; i < P * N; i++)
            for (int side = 0; side < 2; side++) {
                struct bf16 x = value((float)splitmix_between(&r, -1, 1));
                if (wild && splitmix_below(&r, 8) == 0)
                    x.bits = special[splitmix_below(&r, sizeof special / sizeof *special)];
                else if (wild)
                    x.bits ^= (uint16_t)splitmix_below(&r, 3);
                (side ? output : expected)[i] = x;
            }
        struct score s;
        struct error e;
        assert_int_equal(score_make(output, expected, P, N, &s, &e), STATUS_OK);
        for (int by_column = 0; by_column < 2; by_column++) {
            struct line_map m = make(P, N, by_column);
            if (m.hits != (by_column ? s.col_identity.hits : s.row_identity.hits))
                fail_msg("round %d, %zu x %zu: FO_TEST_SEED=%llu", round, P, N, (unsigned long long)splitmix_seed());
            misses += m.misses;
            unmarked += m.unmarked;
            line_map_free(&m);
        }
    }
    assert_true(misses > 0);
    assert_true(unmarked > 0);
}

static enum status make_once(void *context, struct error *e)
{
    struct line_map *m = context;
    enum status s = line_map_make(output, expected, 4, 4, false, m, e);
    if (s == STATUS_OK)
        line_map_free(m);
    return s;
}

static void line_map_make_any_allocation_fails_without_a_trace(void **state)
{
    (void)state;
    struct line_map m;
    for (size_t i = 0; i < 16; i++)
        output[i] = expected[i] = value(1);
    output[0] = value(0); /* tied with every line */
    assert_true(alloc_check(make_once, NULL, &m) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_map_make_equal_matrices_marks_the_diagonal),
        cmocka_unit_test(line_map_make_rotated_columns_marks_where_they_came_from),
        cmocka_unit_test(line_map_make_near_tie_goes_to_the_strictly_nearer_line),
        cmocka_unit_test(line_map_make_exact_tie_is_a_hit),
        cmocka_unit_test(line_map_make_unexpected_nan_is_unmarked),
        cmocka_unit_test(line_map_make_many_lines_are_binned),
        cmocka_unit_test(line_map_make_random_matrices_count_as_score_does),
        cmocka_unit_test(line_map_make_any_allocation_fails_without_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
