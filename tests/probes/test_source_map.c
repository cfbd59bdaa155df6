#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/synthetic.h"

static const uint32_t starts[] = {0, 1, 10, 13};
static const int32_t ids[] = {2, 0, 1};
static const struct segments segments = {16, 3, 3, starts, ids};

static void source_map_make_columns_ask_each_twice_of_the_longest(void **state)
{
    (void)state;
    struct source_map m;
    struct error e;
    unsigned asked[64] = {0};
    assert_int_equal(source_map_make(&segments, 32, 64, &m, &e), STATUS_OK);
    assert_int_equal(m.sweeps, 2 * ((64 + 8) / 9));
    for (size_t s = 0; s < m.sweeps; s++)
        for (uint32_t p = starts[1]; p < starts[2]; p++)
            asked[m.column[s * 16 + p]]++;
    for (size_t k = 0; k < 64; k++)
        assert_true(asked[k] >= 2);
    assert_int_equal(m.column[3], 3);
    assert_int_equal(m.column[1 * 16 + 3], 12);
    assert_int_equal(m.column[8 * 16 + 3], 12); /* 16 - 1 - 3 */
    source_map_free(&m);
}

static void source_codes_go_forth_and_back(void **state)
{
    (void)state;
    struct source_map m;
    struct error e;
    size_t count = 0;
    assert_int_equal(source_map_make(&segments, 32, 64, &m, &e), STATUS_OK);
    for (uint32_t expert = 0; expert < 3; expert++)
        for (uint32_t n = 0; n < 32; n++)
            for (uint32_t k = 0; k < 64; k++, count++) {
                uint32_t code = source_value_code(&m, (struct source_point){expert, n, k});
                struct source_point back = source_value_point(&m, code);
                assert_int_equal(code, count);
                assert_true(back.expert == expert && back.n == n && back.k == k);
                back = source_scale_point(&m, source_scale_code(&m, (struct source_point){expert, n, k / 32}));
                assert_true(back.expert == expert && back.n == n && back.k == k / 32);
            }
    assert_int_equal(count, 3 * 32 * 64);
    source_map_free(&m);
}

static void swap_rows_of_expert_1(const struct source_map *m, uint32_t p, uint32_t n, uint32_t k,
                                  struct synthetic *found, void *context)
{
    (void)k;
    (void)context;
    if (p >= 10 && n == 5)
        found->value = SOURCE_MIXTURE, found->scale = SOURCE_UNKNOWN, found->row = SOURCE_UNWRITTEN;
    if (p >= 10 && n == 6)
        found->value = source_value_code(m, (struct source_point){1, 7, 0}), found->row = SOURCE_ZERO;
}

static void source_map_count_names_each_kind(void **state)
{
    (void)state;
    struct source_map m;
    synthetic_map(&segments, 32, 64, false, swap_rows_of_expert_1, NULL, &m);
    struct source_counts c = source_map_count(&m);
    size_t each = m.sweeps * 3, all = source_map_observations(&m);
    assert_int_equal(c.value.mixture, each);
    assert_int_equal(c.value.moved, each);
    assert_int_equal(c.value.right, all - 2 * each);
    assert_int_equal(c.scale.unknown, each);
    assert_int_equal(c.scale.right, all - each);
    assert_int_equal(c.row.unwritten, each);
    assert_int_equal(c.row.zero, each);
    assert_int_equal(c.row.right, all - 2 * each);
    assert_int_equal(source_wanted_value(&m, 0, 14, 3), SOURCE_ZERO); /* no segment covers it */
    source_map_free(&m);
}

static void source_map_make_bad_sizes_are_refused(void **state)
{
    (void)state;
    struct source_map m;
    struct error e;
    const struct segments none = {0, 3, 0, starts, ids}, many = {16, 70000, 3, starts, ids};
    assert_int_equal(source_map_make(&segments, 0, 64, &m, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(source_map_make(&segments, 32, 48, &m, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(source_map_make(&none, 32, 64, &m, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(source_map_make(&many, 1024, 64, &m, &e), STATUS_BAD_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_map_make_columns_ask_each_twice_of_the_longest),
        cmocka_unit_test(source_codes_go_forth_and_back),
        cmocka_unit_test(source_map_count_names_each_kind),
        cmocka_unit_test(source_map_make_bad_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
