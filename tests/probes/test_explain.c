#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/probes/explain_cases.h"

/* Two tiles of tokens in the longest segment, an empty one, unsorted experts, an id above the number of segments, rows
 * of no segment at the end. */
static const uint32_t starts[] = {0, 1, 78, 78, 90, 95};
static const int32_t ids[] = {2, 6, 0, 1, 3};
static const struct segments several = {97, 7, 5, starts, ids};
static const uint32_t single_starts[] = {0, 71};
static const int32_t single_ids[] = {0};
static const struct segments single = {71, 1, 1, single_starts, single_ids};

#define MAP(name, body)                                                                                                \
    static void name(uint32_t at[2], const struct synthetic_kernel *c)                                                 \
    {                                                                                                                  \
        (void)c;                                                                                                       \
        body;                                                                                                          \
    }
#define SET(name, test)                                                                                                \
    static bool name(uint32_t p, uint32_t n, uint32_t k, const struct source_map *m)                                   \
    {                                                                                                                  \
        (void)p, (void)n, (void)k, (void)m;                                                                            \
        return test;                                                                                                   \
    }

/* clang-format off */
MAP(row_64_on, at[0] += 64)
MAP(row_of_tile_before, at[0] &= ~64u)
MAP(row_8_exchanged, at[0] ^= 8)
MAP(row_interleaved, at[0] = at[0] / 2 + at[0] % 2 * ((uint32_t)c->m->N / 2))
MAP(column_1_exchanged, at[1] ^= 1)
MAP(column_split_half, at[1] = at[1] / 32 * 32 + at[1] % 32 / 2 + at[1] % 2 * 16)
MAP(both_8_exchanged, at[0] ^= 8; at[1] ^= 8)
MAP(block_of_tile, at[1] %= 4)
MAP(block_even, at[1] &= ~1u)
MAP(block_next, at[1] = (at[1] + 1) % (uint32_t)c->m->blocks)
MAP(block_shifted, at[1] += 1)
MAP(block_before, at[1] -= 1)
MAP(chunk_swizzled, at[0] ^= at[1] % 8 * 8)
MAP(chunk_swizzled_one_off, at[0] ^= ((at[1] + 1) % 8 ^ at[1] % 8) * 8)
MAP(chunk_narrow, at[0] ^= at[1] % 4 * 8)
MAP(step_exchanged, at[0] ^= 32)
MAP(token_pairs_strided, at[1] = (at[1] & 1) | (at[1] >> 1 & 3) << 4 | (at[1] >> 3 & 7) << 1)
MAP(token_bits_exchanged, at[1] = (at[1] & ~3u) | (at[1] & 1) << 1 | (at[1] >> 1 & 1))
MAP(feature_and_token_exchanged, uint32_t n3 = at[0] >> 3 & 1;
    at[0] = (at[0] & ~8u) | (at[1] & 1) << 3; at[1] = (at[1] & ~1u) | n3)
MAP(row_before_in_segment, at[0] = (at[0] + at[1] - 2 % at[1]) % at[1])
MAP(row_after, at[0] += 1)
MAP(row_mirrored, at[0] = at[1] - 1 - at[0])
MAP(expert_next, at[0] = at[0] + 1)
MAP(expert_is_segment, at[0] = at[1])

SET(odd_feature, n % 2 == 1)
SET(last_features, n >= m->N - 16)
SET(row_48_and_on, p - m->starts[case_segment(m, p)] >= 48)
SET(expert_above_active, (size_t)m->ids[case_segment(m, p)] >= m->segments.active)
SET(second_half_of_tile, (p - m->starts[case_segment(m, p)]) % 64 >= 32)
SET(second_tile, (p - m->starts[case_segment(m, p)]) / 64 == 1)
SET(column_40, k == 40)
/* clang-format on */

/* v counts rows g, g + 8, then columns 2q, 2q + 1, 2q + 8, 2q + 9; slot s should hold v[right[s]], and holds
 * v[table[s]]. */
static void pack(uint32_t at[2], const struct synthetic_kernel *c)
{
    static const uint32_t slot_of[8] = {0, 1, 4, 5, 2, 3, 6, 7};
    uint32_t i = at[0] % 16, j = at[1] % 16, q = j % 8 / 2;
    uint32_t v = c->table[slot_of[i / 8 * 4 + j / 8 * 2 + j % 2]];
    at[0] = at[0] / 16 * 16 + i % 8 + v / 4 * 8;
    at[1] = at[1] / 16 * 16 + 2 * q + v / 2 % 2 * 8 + v % 2;
}

struct expected {
    enum explain_stage stage;
    const char *found; /* NULL: any; of sets: part of what */
    int ambiguous;
};
struct planted {
    const char *name;
    struct synthetic_kernel kernel;
    struct expected expected[3];
    int stages;
};
enum { NONE = -1, ANY = EXPLAIN_STAGES };

static bool stages_as_expected(const struct planted *c, const struct explanation *x)
{
    unsigned stages = 0, wanted = 0;
    bool good = true;
    for (int g = 0; g < EXPLAIN_STAGES; g++)
        stages |= (unsigned)(x->part[g].state == EXPLAIN_DIFFERS || x->part[g].state == EXPLAIN_UNDECIDED) << g;
    for (int i = 0; i < c->stages; i++) {
        const struct expected *w = &c->expected[i];
        const struct explain_part *p = &x->part[w->stage];
        wanted |= 1u << w->stage;
        good &= p->state == EXPLAIN_DIFFERS && p->explained == p->wrong;
        good &= !w->found || strstr(p->sets ? p->what : p->found, w->found);
        good &= p->ambiguous == w->ambiguous || w->ambiguous == ANY;
    }
    return good && stages == wanted;
}

static void explain_one(const struct planted *c, const struct segments *s, size_t N, size_t K, unsigned *cases,
                        unsigned *right)
{
    struct source_map m;
    struct explanation x;
    struct error e;
    case_make(&c->kernel, s, N, K, &m);
    struct explain_question q = case_question(&m);
    assert_int_equal(explain_run(&q, &x, &e), STATUS_OK);
    size_t wrong = case_wrong(&m);
    bool good = x.wrong == wrong && x.explained == wrong && (wrong == 0 || stages_as_expected(c, &x));
    ++*cases;
    *right += good;
    if (!good) {
        print_message("N %zu K %zu, %zu segments, %zu really wrong\n", N, K, s->active, wrong);
        case_print(c->name, &x);
    }
    explanation_free(&x);
    source_map_free(&m);
}

static const uint32_t order_rowpair[8] = {0, 4, 1, 5, 3, 7, 6, 2}, order_linear[8] = {0, 1, 2, 3, 4, 5, 6, 7};

#define ROWPAIR       .fragment = pack, .table = order_rowpair
#define LINEAR        .fragment = pack, .table = order_linear
#define ROWPAIR_FOUND "pack order v00 v04 v01 v05 v03 v07 v06 v02"
#define LINEAR_FOUND  "pack order v00 v01 v02 v03 v04 v05 v06 v07"
#define SWIZZLE_FOUND "(t << 3 & 0x38)"

/* clang-format off */
static const struct planted planted[] = {
    {"right", {0}, {{0}}, 0},
    {"rowpair", {ROWPAIR}, {{EXPLAIN_FRAGMENT, ROWPAIR_FOUND, NONE}}, 1},
    {"linear", {LINEAR}, {{EXPLAIN_FRAGMENT, LINEAR_FOUND, NONE}}, 1},
    {"n + 64", {.fragment = row_64_on}, {{EXPLAIN_FRAGMENT, "n + 64", EXPLAIN_EPILOGUE}}, 1},
    {"n & ~64", {.fragment = row_of_tile_before}, {{EXPLAIN_FRAGMENT, "n & ~0x40", EXPLAIN_EPILOGUE}}, 1},
    {"n ^ 8", {.fragment = row_8_exchanged}, {{EXPLAIN_EPILOGUE, "n ^ 8", EXPLAIN_FRAGMENT}}, 1},
    {"interleaved", {.fragment = row_interleaved}, {{EXPLAIN_EPILOGUE, NULL, EXPLAIN_FRAGMENT}}, 1},
    {"k ^ 1", {.values = column_1_exchanged}, {{EXPLAIN_VALUES, "k ^ 1", EXPLAIN_FRAGMENT}}, 1},
    {"split half", {.values = column_split_half}, {{EXPLAIN_VALUES, NULL, EXPLAIN_FRAGMENT}}, 1},
    {"bytes reversed", {.values = both_8_exchanged}, {{EXPLAIN_VALUES, "n ^ 8, k ^ 8", NONE}}, 1},
    {"values n + 64", {.values = row_64_on}, {{EXPLAIN_VALUES, "n + 64", NONE}}, 1},
    {"b % 4", {.scales = block_of_tile}, {{EXPLAIN_SCALES, "b % 4", NONE}}, 1},
    {"b & ~1", {.scales = block_even}, {{EXPLAIN_SCALES, "b & ~1", NONE}}, 1},
    {"b + 1 rotated", {.scales = block_next}, {{EXPLAIN_SCALES, "(b + 1) % ", NONE}}, 1},
    {"b + 1", {.scales = block_shifted}, {{EXPLAIN_SCALES, "b + 1", NONE}}, 1},
    {"b - 1", {.scales = block_before}, {{EXPLAIN_SCALES, "b - 1", NONE}}, 1},
    {"scale n ^ 8", {.scales = row_8_exchanged}, {{EXPLAIN_SCALES, "n ^ 8", NONE}}, 1},
    {"swizzle", {.descriptor = chunk_swizzled}, {{EXPLAIN_DESCRIPTOR, SWIZZLE_FOUND, NONE}}, 1},
    {"swizzle one off", {.descriptor = chunk_swizzled_one_off}, {{EXPLAIN_DESCRIPTOR, NULL, NONE}}, 1},
    {"narrow swizzle", {.descriptor = chunk_narrow}, {{EXPLAIN_DESCRIPTOR, "(t << 3 & 0x18)", NONE}}, 1},
    {"step", {.descriptor = step_exchanged}, {{EXPLAIN_DESCRIPTOR, "k ^ 32", EXPLAIN_FRAGMENT}}, 1},
    {"token pairs", {.epilogue = token_pairs_strided}, {{EXPLAIN_EPILOGUE, NULL, NONE}}, 1},
    {"token bits", {.epilogue = token_bits_exchanged}, {{EXPLAIN_EPILOGUE, NULL, NONE}}, 1},
    {"feature and token", {.epilogue = feature_and_token_exchanged}, {{EXPLAIN_EPILOGUE, NULL, NONE}}, 1},
    {"rows rotated", {.rows = row_before_in_segment}, {{EXPLAIN_ROUTING, "(r - 2) % rows", NONE}}, 1},
    {"rows + 1", {.rows = row_after}, {{EXPLAIN_ROUTING, "r + 1", NONE}}, 1},
    {"rows mirrored", {.rows = row_mirrored}, {{EXPLAIN_ROUTING, NULL, NONE}}, 1},
    {"odd features", {.zero = odd_feature}, {{EXPLAIN_VALUES, "n % 2 == 1", EXPLAIN_SCALES}}, 1},
    {"last features", {.zero = last_features}, {{EXPLAIN_VALUES, "zero where n >= ", EXPLAIN_SCALES}}, 1},
    {"rows 48 unwritten", {.unwritten = row_48_and_on}, {{EXPLAIN_ROUTING, "never written where r >= 48", NONE}}, 1},
    {"half a tile", {.zero = second_half_of_tile}, {{EXPLAIN_DESCRIPTOR, "zero where t >= 32", EXPLAIN_EPILOGUE}}, 1},
    {"odd unwritten", {.unwritten = odd_feature}, {{EXPLAIN_EPILOGUE, "never written where n % 2 == 1", NONE}}, 1},
    {"second tile", {.unwritten = second_tile}, {{EXPLAIN_ROUTING, "never written where tile == 1", NONE}}, 1},
    {"column 40", {.zero = column_40}, {{EXPLAIN_DESCRIPTOR, "zero where k == 40", EXPLAIN_VALUES}}, 1},
    /* two stages */
    {"rowpair, b % 4", {ROWPAIR, .scales = block_of_tile},
     {{EXPLAIN_FRAGMENT, ROWPAIR_FOUND, NONE}, {EXPLAIN_SCALES, "b % 4", NONE}}, 2},
    {"linear, b & ~1", {LINEAR, .scales = block_even},
     {{EXPLAIN_FRAGMENT, LINEAR_FOUND, NONE}, {EXPLAIN_SCALES, "b & ~1", NONE}}, 2},
    {"rowpair, odd zero", {ROWPAIR, .zero = odd_feature},
     {{EXPLAIN_FRAGMENT, ROWPAIR_FOUND, NONE}, {EXPLAIN_VALUES, "n % 2 == 1", EXPLAIN_SCALES}}, 2},
    {"rowpair, swizzle", {ROWPAIR, .descriptor = chunk_swizzled},
     {{EXPLAIN_FRAGMENT, ROWPAIR_FOUND, NONE}, {EXPLAIN_DESCRIPTOR, SWIZZLE_FOUND, NONE}}, 2},
    {"linear, swizzle one off", {LINEAR, .descriptor = chunk_swizzled_one_off},
     {{EXPLAIN_FRAGMENT, LINEAR_FOUND, NONE}, {EXPLAIN_DESCRIPTOR, NULL, NONE}}, 2},
    {"rowpair, rotated", {ROWPAIR, .rows = row_before_in_segment},
     {{EXPLAIN_FRAGMENT, ROWPAIR_FOUND, NONE}, {EXPLAIN_ROUTING, "(r - 2) % rows", NONE}}, 2},
    {"rowpair, unwritten", {ROWPAIR, .unwritten = row_48_and_on},
     {{EXPLAIN_FRAGMENT, ROWPAIR_FOUND, NONE}, {EXPLAIN_ROUTING, "r >= 48", NONE}}, 2},
    {"rowpair, tokens", {ROWPAIR, .epilogue = token_pairs_strided},
     {{EXPLAIN_FRAGMENT, ROWPAIR_FOUND, NONE}, {EXPLAIN_EPILOGUE, NULL, NONE}}, 2},
    {"n + 64, b % 4", {.fragment = row_64_on, .scales = block_of_tile},
     {{EXPLAIN_FRAGMENT, "n + 64", EXPLAIN_EPILOGUE}, {EXPLAIN_SCALES, "b % 4", NONE}}, 2},
    {"n + 64, odd zero", {.fragment = row_64_on, .zero = odd_feature},
     {{EXPLAIN_FRAGMENT, "n + 64", EXPLAIN_EPILOGUE}, {EXPLAIN_VALUES, "n % 2 == 1", EXPLAIN_SCALES}}, 2},
    {"n + 64, swizzle", {.fragment = row_64_on, .descriptor = chunk_swizzled},
     {{EXPLAIN_FRAGMENT, "n + 64", EXPLAIN_EPILOGUE}, {EXPLAIN_DESCRIPTOR, SWIZZLE_FOUND, NONE}}, 2},
    {"n & ~64, k ^ 1", {.fragment = row_of_tile_before, .values = column_1_exchanged},
     {{EXPLAIN_FRAGMENT, "n & ~0x40", EXPLAIN_EPILOGUE}, {EXPLAIN_VALUES, "k ^ 1", EXPLAIN_FRAGMENT}}, 2},
    {"n + 64, rotated", {.fragment = row_64_on, .rows = row_before_in_segment},
     {{EXPLAIN_FRAGMENT, "n + 64", EXPLAIN_EPILOGUE}, {EXPLAIN_ROUTING, "(r - 2) % rows", NONE}}, 2},
    {"n & ~64, tokens", {.fragment = row_of_tile_before, .epilogue = token_bits_exchanged},
     {{EXPLAIN_FRAGMENT, "n & ~0x40", EXPLAIN_EPILOGUE}, {EXPLAIN_EPILOGUE, NULL, NONE}}, 2},
    {"k ^ 1, b % 4", {.values = column_1_exchanged, .scales = block_of_tile},
     {{EXPLAIN_VALUES, "k ^ 1", EXPLAIN_FRAGMENT}, {EXPLAIN_SCALES, "b % 4", NONE}}, 2},
    {"split half, b & ~1", {.values = column_split_half, .scales = block_even},
     {{EXPLAIN_VALUES, NULL, EXPLAIN_FRAGMENT}, {EXPLAIN_SCALES, "b & ~1", NONE}}, 2},
    {"k ^ 1, swizzle", {.values = column_1_exchanged, .descriptor = chunk_swizzled},
     {{EXPLAIN_VALUES, "k ^ 1", EXPLAIN_FRAGMENT}, {EXPLAIN_DESCRIPTOR, SWIZZLE_FOUND, NONE}}, 2},
    {"b % 4, swizzle", {.scales = block_of_tile, .descriptor = chunk_swizzled},
     {{EXPLAIN_SCALES, "b % 4", NONE}, {EXPLAIN_DESCRIPTOR, SWIZZLE_FOUND, NONE}}, 2},
    {"b % 4, tokens", {.scales = block_of_tile, .epilogue = token_pairs_strided},
     {{EXPLAIN_SCALES, "b % 4", NONE}, {EXPLAIN_EPILOGUE, NULL, NONE}}, 2},
    {"b & ~1, rotated", {.scales = block_even, .rows = row_before_in_segment},
     {{EXPLAIN_SCALES, "b & ~1", NONE}, {EXPLAIN_ROUTING, "(r - 2) % rows", NONE}}, 2},
    {"scale n ^ 8, unwritten", {.scales = row_8_exchanged, .unwritten = row_48_and_on},
     {{EXPLAIN_SCALES, "n ^ 8", NONE}, {EXPLAIN_ROUTING, "r >= 48", NONE}}, 2},
    {"n ^ 8, b % 4", {.fragment = row_8_exchanged, .scales = block_of_tile},
     {{EXPLAIN_EPILOGUE, "n ^ 8", EXPLAIN_FRAGMENT}, {EXPLAIN_SCALES, "b % 4", NONE}}, 2},
    {"bytes reversed, b % 4", {.values = both_8_exchanged, .scales = block_of_tile},
     {{EXPLAIN_VALUES, "n ^ 8, k ^ 8", NONE}, {EXPLAIN_SCALES, "b % 4", NONE}}, 2},
    {"bytes reversed, rotated", {.values = both_8_exchanged, .rows = row_before_in_segment},
     {{EXPLAIN_VALUES, "n ^ 8, k ^ 8", NONE}, {EXPLAIN_ROUTING, "(r - 2) % rows", NONE}}, 2},
    {"swizzle, rotated", {.descriptor = chunk_swizzled, .rows = row_before_in_segment},
     {{EXPLAIN_DESCRIPTOR, SWIZZLE_FOUND, NONE}, {EXPLAIN_ROUTING, "(r - 2) % rows", NONE}}, 2},
    {"swizzle, odd zero", {.descriptor = chunk_swizzled, .zero = odd_feature},
     {{EXPLAIN_DESCRIPTOR, SWIZZLE_FOUND, NONE}, {EXPLAIN_VALUES, "n % 2 == 1", EXPLAIN_SCALES}}, 2},
    {"feature and token, b % 4", {.epilogue = feature_and_token_exchanged, .scales = block_of_tile},
     {{EXPLAIN_EPILOGUE, NULL, NONE}, {EXPLAIN_SCALES, "b % 4", NONE}}, 2},
    {"odd zero, unwritten", {.zero = odd_feature, .unwritten = row_48_and_on},
     {{EXPLAIN_VALUES, "n % 2 == 1", EXPLAIN_SCALES}, {EXPLAIN_ROUTING, "r >= 48", NONE}}, 2},
    {"odd zero, b % 4", {.zero = odd_feature, .scales = block_of_tile},
     {{EXPLAIN_VALUES, "n % 2 == 1", EXPLAIN_SCALES}, {EXPLAIN_SCALES, "b % 4", NONE}}, 2},
};
/* clang-format on */

static void explain_run_planted_stage_and_formula(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{128, 256}, {208, 192}};
    unsigned cases = 0, right = 0;
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (int one = 0; one < 2; one++)
                explain_one(&planted[i], one ? &single : &several, shapes[s][0], shapes[s][1], &cases, &right);
    print_message("%u of %u planted kernels explained\n", right, cases);
    assert_true(cases > 0);
    assert_int_equal(right, cases);
}

/* Only several segments can show these. */
static void explain_run_wrong_experts_formula(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct planted experts[] = {
        {"next expert", {.experts = expert_next}, {{EXPLAIN_ROUTING, "e + 1", NONE}}, 1},
        {"segment is expert", {.experts = expert_is_segment}, {{EXPLAIN_ROUTING, "a", NONE}}, 1},
        {"ids above active", {.unwritten = expert_above_active},
         {{EXPLAIN_ROUTING, "never written where active <= e", NONE}}, 1},
        {"segment is expert, b % 4", {.experts = expert_is_segment, .scales = block_of_tile},
         {{EXPLAIN_ROUTING, "a", NONE}, {EXPLAIN_SCALES, "b % 4", NONE}}, 2},
        {"next expert, rowpair", {.experts = expert_next, ROWPAIR},
         {{EXPLAIN_ROUTING, "e + 1", NONE}, {EXPLAIN_FRAGMENT, ROWPAIR_FOUND, NONE}}, 2},
    };
    /* clang-format on */
    unsigned cases = 0, right = 0;
    for (size_t i = 0; i < sizeof experts / sizeof *experts; i++)
        explain_one(&experts[i], &several, 128, 256, &cases, &right);
    assert_true(cases > 0);
    assert_int_equal(right, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain_run_planted_stage_and_formula),
        cmocka_unit_test(explain_run_wrong_experts_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
