/* Right source maps with one thing altered, and what is known of the A registers: one stage is named, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/probes/explain_cases.h"

/* Two tiles of tokens in the longest segment, an empty one, unsorted experts, an id above the number of segments, rows
 * of no segment at the end. */
static const uint32_t starts[] = {0, 1, 78, 78, 90, 95};
static const int32_t ids[] = {2, 6, 0, 1, 3};
static const struct segments several = {97, 7, 5, starts, ids};

struct altered {
    synthetic_rule *rule;
    bool everywhere;
    enum explain_registers a;
    enum explain_stage stage;
    const char *what;
};

static uint32_t within(uint64_t code, uint64_t codes)
{
    return code < codes ? (uint32_t)code : SOURCE_ZERO;
}
#define RULE(name, ...)                                                                                                \
    static void name(const struct source_map *m, uint32_t p, uint32_t n, uint32_t k, struct synthetic *found, void *c) \
    {                                                                                                                  \
        (void)m, (void)p, (void)n, (void)k, (void)c;                                                                   \
        __VA_ARGS__;                                                                                                   \
    }
/* clang-format off */
RULE(value_rows_flat, found->value = within(found->value + 16 * (uint64_t)m->K, m->experts * m->N * m->K);
     if (found->value == SOURCE_ZERO) found->scale = found->row = SOURCE_ZERO)
RULE(scale_rows_flat, if (m->experts * m->N * m->blocks > found->scale + 16 * m->blocks) found->scale += 16 * (uint32_t)m->blocks;
     else found->value = found->scale = found->row = SOURCE_ZERO)
RULE(rows_computed, if (found->value == SOURCE_ZERO && p >= m->starts[m->segments.active])
     *found = (struct synthetic){source_value_code(m, (struct source_point){0, n, k}),
                                 source_scale_code(m, (struct source_point){0, n, k / 32}), p})
RULE(no_scale, found->scale = SOURCE_UNKNOWN)
RULE(no_scale_of_some, if (n >= 32) found->scale = SOURCE_UNKNOWN)
RULE(hidden, *found = (struct synthetic){SOURCE_UNKNOWN, SOURCE_UNKNOWN, SOURCE_UNKNOWN})
RULE(zero_features, if (n % 2) *found = (struct synthetic){SOURCE_ZERO, SOURCE_ZERO, SOURCE_ZERO})
RULE(zero_columns, if (k == 40) *found = (struct synthetic){SOURCE_ZERO, SOURCE_ZERO, SOURCE_ZERO})
RULE(column_16, found->value = source_value_code(m, (struct source_point){found->value / (uint32_t)(m->N * m->K), n, k ^ 16}))
RULE(mixtures, if (k % 3 == 0) *found = (struct synthetic){SOURCE_MIXTURE, SOURCE_MIXTURE, SOURCE_MIXTURE})
RULE(features_by_token, if (found->value < SOURCE_CODES) { struct source_point v = source_value_point(m, found->value);
     v.n ^= (p - m->starts[case_segment(m, p)]) % 2; found->value = source_value_code(m, v);
     v.k /= 32; found->scale = source_scale_code(m, v); })
RULE(rows_by_column, found->row = found->row > 0 && case_segment(m, p) == 1 && p > m->starts[1] && k % 2 ? found->row - 1 : found->row)

static const struct altered altered[] = {
    {value_rows_flat, false, EXPLAIN_A_UNKNOWN, EXPLAIN_VALUES, "m + 16"},
    {scale_rows_flat, false, EXPLAIN_A_UNKNOWN, EXPLAIN_SCALES, "m + 16"},
    {rows_computed, true, EXPLAIN_A_UNKNOWN, EXPLAIN_ROUTING, "computed where"},
    {no_scale, false, EXPLAIN_A_UNKNOWN, EXPLAIN_SCALES, "no scale of any block where everywhere"},
    {no_scale_of_some, false, EXPLAIN_A_UNKNOWN, EXPLAIN_SCALES, "no scale of any block where n >= 32"},
    {hidden, false, EXPLAIN_A_UNKNOWN, EXPLAIN_VALUES, "not finite"},
    {hidden, false, EXPLAIN_A_RIGHT, EXPLAIN_EPILOGUE, "not finite"},
    {zero_features, false, EXPLAIN_A_WRONG, EXPLAIN_VALUES, "n % 2 == 1"},
    {zero_features, false, EXPLAIN_A_RIGHT, EXPLAIN_EPILOGUE, "n % 2 == 1"},
    {zero_columns, false, EXPLAIN_A_WRONG, EXPLAIN_VALUES, "k == 40"},
    {zero_columns, false, EXPLAIN_A_RIGHT, EXPLAIN_DESCRIPTOR, "k == 40"},
    {column_16, false, EXPLAIN_A_UNKNOWN, EXPLAIN_VALUES, "k ^ 16 instead of k (or the descriptor"},
    {column_16, false, EXPLAIN_A_WRONG, EXPLAIN_VALUES, "k ^ 16"},
    {column_16, false, EXPLAIN_A_RIGHT, EXPLAIN_DESCRIPTOR, "k ^ 16"},
    {mixtures, false, EXPLAIN_A_WRONG, EXPLAIN_VALUES, "no formula"},
    {mixtures, false, EXPLAIN_A_RIGHT, EXPLAIN_DESCRIPTOR, "no formula"},
    {features_by_token, false, EXPLAIN_A_UNKNOWN, EXPLAIN_EPILOGUE, "n"},
    {rows_by_column, false, EXPLAIN_A_UNKNOWN, EXPLAIN_DESCRIPTOR, "no formula"},
};
/* clang-format on */

static void explain_run_altered_map_one_stage(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof altered / sizeof *altered; i++) {
        const struct altered *c = &altered[i];
        struct source_map m;
        struct explanation x;
        synthetic_map(&several, 64, 128, c->everywhere, c->rule, NULL, &m);
        struct explain_question q = case_question(&m);
        q.registers = c->a;
        q.dense_count = q.dense_differing = 1;
        assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
        bool good = strstr(x.part[c->stage].what, c->what) && x.wrong == case_wrong(&m) && x.wrong > 0;
        for (int g = 0; g < EXPLAIN_ARITHMETIC; g++)
            good &= (x.part[g].state > EXPLAIN_CONFORMS) == (g == (int)c->stage);
        good &= x.part[EXPLAIN_ARITHMETIC].state == EXPLAIN_UNDECIDED;
        if (!good) {
            print_message("case %zu, %zu really wrong\n", i, case_wrong(&m));
            case_print("altered", &x);
        }
        assert_true(good);
        explanation_free(&x);
        source_map_free(&m);
    }
}

/* Blocks of 64 x 64 off the diagonal of a tile of 128 x 128 exchanged: no tile of 64 tokens says it. */
static void explain_run_tile_of_unknown_size_is_found(void **state)
{
    (void)state;
    enum { ROWS = 128, FEATURES = 128, COLUMNS = 64 };
    static const uint32_t one_starts[] = {0, ROWS};
    static const int32_t one_id[] = {0};
    const struct segments one = {ROWS, 1, 1, one_starts, one_id};
    struct source_map m;
    struct explanation x;
    synthetic_map(&one, FEATURES, COLUMNS, false, NULL, NULL, &m);
    for (uint32_t s = 0; s < m.sweeps; s++)
        for (uint32_t p = 0; p < ROWS; p++)
            for (uint32_t n = 0; n < FEATURES; n++) {
                size_t at = source_map_at(&m, s, p, n);
                uint32_t row = (p & ~64u) | (n & 64), feature = (n & ~64u) | (p & 64), k = m.column[s * ROWS + row];
                m.value[at] = source_value_code(&m, (struct source_point){0, feature, k});
                m.scale[at] = source_scale_code(&m, (struct source_point){0, feature, k / 32});
                m.row[at] = row;
            }
    struct explain_question q = {.map = &m, .guard_wrong = -1};
    assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
    assert_true(x.wrong > 0);
    assert_int_equal(x.explained, x.wrong);
    assert_int_equal(x.part[EXPLAIN_EPILOGUE].state, EXPLAIN_DIFFERS);
    assert_string_equal(x.part[EXPLAIN_EPILOGUE].found, "(n & 0x3f) ^ (t & 0x40), (t & 0x3f) ^ (n & 0x40)");
    explanation_free(&x);
    q.tile[1] = 64; /* who knows better is believed */
    assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
    assert_true(x.explained < x.wrong);
    explanation_free(&x);
    source_map_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(explain_run_tile_of_unknown_size_is_found),
                                       cmocka_unit_test(explain_run_altered_map_one_stage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
