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
static const uint32_t single_starts[] = {0, 71};
static const int32_t single_ids[] = {0};
static const struct segments single = {71, 1, 1, single_starts, single_ids};

#define MAP(name, ...)                                                                                                 \
    static void name(uint32_t at[2], const struct synthetic_kernel *c)                                                 \
    {                                                                                                                  \
        (void)c;                                                                                                       \
        __VA_ARGS__;                                                                                                   \
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
    {"n & ~64", {.fragment = row_of_tile_before}, {{EXPLAIN_FRAGMENT, NULL, EXPLAIN_EPILOGUE}}, 1},
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
    {"token pairs", {.epilogue = token_pairs_strided}, {{EXPLAIN_EPILOGUE, NULL, EXPLAIN_DESCRIPTOR}}, 1},
    {"token bits", {.epilogue = token_bits_exchanged}, {{EXPLAIN_EPILOGUE, NULL, EXPLAIN_DESCRIPTOR}}, 1},
    {"feature and token", {.epilogue = feature_and_token_exchanged}, {{EXPLAIN_EPILOGUE, NULL, NONE}}, 1},
    {"rows rotated", {.rows = row_before_in_segment}, {{EXPLAIN_ROUTING, "(r - 2) % rows", NONE}}, 1},
    {"rows + 1", {.rows = row_after}, {{EXPLAIN_ROUTING, "r + 1", NONE}}, 1},
    {"rows mirrored", {.rows = row_mirrored}, {{EXPLAIN_ROUTING, NULL, EXPLAIN_EPILOGUE}}, 1},
    {"odd features", {.zero = odd_feature}, {{EXPLAIN_VALUES, "n % 2 == 1", EXPLAIN_SCALES}}, 1},
    {"last features", {.zero = last_features}, {{EXPLAIN_VALUES, "zero where n >= ", EXPLAIN_SCALES}}, 1},
    {"rows 48 unwritten", {.unwritten = row_48_and_on}, {{EXPLAIN_ROUTING, "never written where r >= 48", NONE}}, 1},
    {"half a tile", {.zero = second_half_of_tile}, {{EXPLAIN_DESCRIPTOR, "zero where t >= 32", EXPLAIN_EPILOGUE}}, 1},
    {"odd unwritten", {.unwritten = odd_feature}, {{EXPLAIN_EPILOGUE, "never written where n % 2 == 1", NONE}}, 1},
    {"second tile", {.unwritten = second_tile}, {{EXPLAIN_ROUTING, "never written where r >= 64", NONE}}, 1},
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
     {{EXPLAIN_FRAGMENT, ROWPAIR_FOUND, NONE}, {EXPLAIN_EPILOGUE, NULL, EXPLAIN_DESCRIPTOR}}, 2},
    {"n + 64, b % 4", {.fragment = row_64_on, .scales = block_of_tile},
     {{EXPLAIN_FRAGMENT, "n + 64", EXPLAIN_EPILOGUE}, {EXPLAIN_SCALES, "b % 4", NONE}}, 2},
    {"n + 64, odd zero", {.fragment = row_64_on, .zero = odd_feature},
     {{EXPLAIN_FRAGMENT, "n + 64", EXPLAIN_EPILOGUE}, {EXPLAIN_VALUES, "n % 2 == 1", EXPLAIN_SCALES}}, 2},
    {"n + 64, swizzle", {.fragment = row_64_on, .descriptor = chunk_swizzled},
     {{EXPLAIN_FRAGMENT, "n + 64", EXPLAIN_EPILOGUE}, {EXPLAIN_DESCRIPTOR, SWIZZLE_FOUND, NONE}}, 2},
    {"n & ~64, k ^ 1", {.fragment = row_of_tile_before, .values = column_1_exchanged},
     {{EXPLAIN_FRAGMENT, NULL, EXPLAIN_EPILOGUE}, {EXPLAIN_VALUES, "k ^ 1", EXPLAIN_FRAGMENT}}, 2},
    {"n + 64, rotated", {.fragment = row_64_on, .rows = row_before_in_segment},
     {{EXPLAIN_FRAGMENT, "n + 64", EXPLAIN_EPILOGUE}, {EXPLAIN_ROUTING, "(r - 2) % rows", NONE}}, 2},
    {"n & ~64, tokens", {.fragment = row_of_tile_before, .epilogue = token_bits_exchanged},
     {{EXPLAIN_FRAGMENT, NULL, EXPLAIN_EPILOGUE}, {EXPLAIN_EPILOGUE, NULL, EXPLAIN_DESCRIPTOR}}, 2},
    {"k ^ 1, b % 4", {.values = column_1_exchanged, .scales = block_of_tile},
     {{EXPLAIN_VALUES, "k ^ 1", EXPLAIN_FRAGMENT}, {EXPLAIN_SCALES, "b % 4", NONE}}, 2},
    {"split half, b & ~1", {.values = column_split_half, .scales = block_even},
     {{EXPLAIN_VALUES, NULL, EXPLAIN_FRAGMENT}, {EXPLAIN_SCALES, "b & ~1", NONE}}, 2},
    {"k ^ 1, swizzle", {.values = column_1_exchanged, .descriptor = chunk_swizzled},
     {{EXPLAIN_VALUES, "k ^ 1", EXPLAIN_FRAGMENT}, {EXPLAIN_DESCRIPTOR, SWIZZLE_FOUND, NONE}}, 2},
    {"split half, swizzle", {.values = column_split_half, .descriptor = chunk_swizzled},
     {{EXPLAIN_VALUES, NULL, EXPLAIN_FRAGMENT}, {EXPLAIN_DESCRIPTOR, SWIZZLE_FOUND, NONE}}, 2},
    {"b % 4, swizzle", {.scales = block_of_tile, .descriptor = chunk_swizzled},
     {{EXPLAIN_SCALES, "b % 4", NONE}, {EXPLAIN_DESCRIPTOR, SWIZZLE_FOUND, NONE}}, 2},
    {"b % 4, tokens", {.scales = block_of_tile, .epilogue = token_pairs_strided},
     {{EXPLAIN_SCALES, "b % 4", NONE}, {EXPLAIN_EPILOGUE, NULL, EXPLAIN_DESCRIPTOR}}, 2},
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
    static const size_t shapes[][2] = {{128, 256}, {144, 192}};
    unsigned cases = 0, right = 0;
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            explain_one(&planted[i], s == 0 ? &single : &several, shapes[s][0], shapes[s][1], &cases, &right);
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

/* One small map, every STRIDE-th pack order, from the seed on: the order that is said is the one that was planted. */
static void explain_run_pack_orders_recovered(void **state)
{
    (void)state;
    static const uint32_t one_start[] = {0, 17};
    static const struct segments small = {17, 1, 1, one_start, single_ids};
    enum { STRIDE = 64 };
    uint32_t order[8], orders = 0, right = 0;
    for (uint32_t code = (uint32_t)(splitmix_seed() % STRIDE); code < 40320; code += STRIDE) {
        uint32_t left[8] = {0, 1, 2, 3, 4, 5, 6, 7}, rest = code;
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t pick = rest % (8 - i);
            rest /= 8 - i;
            order[i] = left[pick];
            memmove(left + pick, left + pick + 1, (7 - i - pick) * sizeof *left);
        }
        struct synthetic_kernel kernel = {.fragment = pack, .table = order};
        struct source_map m;
        struct explanation x;
        case_make(&kernel, &small, 16, 32, &m);
        struct explain_question q = case_question(&m);
        assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
        size_t wrong = case_wrong(&m);
        bool good = x.wrong == wrong && x.explained == wrong;
        bool said = false;
        for (int g = 0; g < EXPLAIN_STAGES; g++) {
            const struct explain_part *p = &x.part[g];
            bool equal = p->pack_slots == 8;
            for (int i = 0; i < 8; i++)
                equal &= p->pack_order[i] == order[i];
            said |= equal ||
                    (p->state == EXPLAIN_DIFFERS && (strcmp(p->found, "k ^ 1") == 0 || strcmp(p->found, "k ^ 8") == 0 ||
                                                     strcmp(p->found, "n ^ 8") == 0 || strcmp(p->found, "k ^ 9") == 0));
        }
        good &= wrong == 0 || said;
        if (!good && orders - right < 5)
            case_print("pack order", &x);
        right += good;
        orders++;
        explanation_free(&x);
        source_map_free(&m);
    }
    print_message("%u of %u pack orders recovered\n", right, orders);
    assert_int_equal(orders, 40320 / STRIDE);
    assert_int_equal(right, orders);
}

static void shuffle(struct splitmix *r, uint32_t *table, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        table[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = (uint32_t)splitmix_below(r, i), t = table[i - 1];
        table[i - 1] = table[j];
        table[j] = t;
    }
}

MAP(feature_by_table, at[0] = at[0] / c->a * c->a + c->table[at[0] % c->a])
MAP(block_by_shift_and_modulus, at[1] = (at[1] + c->b) % c->a)

static void explain_run_permuted_features_period_found(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    static const uint32_t periods[] = {8, 12, 16, 32, 48, 64};
    unsigned cases = 0, right = 0;
    uint32_t table[64];
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof periods / sizeof *periods; i++) {
            shuffle(&r, table, periods[i]);
            struct planted c = {"features permuted",
                                {.epilogue = feature_by_table, .table = table, .a = periods[i]},
                                {{EXPLAIN_EPILOGUE, NULL, EXPLAIN_FRAGMENT}},
                                1};
            explain_one(&c, &several, 192, 128, &cases, &right);
        }
    assert_true(cases > 0);
    assert_int_equal(right, cases);
}

static void explain_run_shifted_blocks_formula(void **state)
{
    (void)state;
    unsigned cases = 0, right = 0;
    for (uint32_t m = 2; m <= 8; m++)
        for (uint32_t shift = 0; shift < m; shift++) {
            char found[32];
            snprintf(found, sizeof found, shift ? "(b + %u) %% %u" : "b %% %u", shift ? shift : m, m);
            struct planted c = {"blocks",
                                {.scales = block_by_shift_and_modulus, .a = m, .b = shift},
                                {{EXPLAIN_SCALES, found, NONE}},
                                1};
            explain_one(&c, &several, 64, 288, &cases, &right);
        }
    assert_int_equal(cases, 35);
    assert_int_equal(right, cases);
}

/* Slot bits: lane 0..4, warp 5, 6, register 7, 8, half 9. */
static uint32_t slot_of_element(const uint32_t at[2])
{
    uint32_t i = at[0] % 64, j = at[1] % 16, lane = i % 8 * 4 + j % 8 / 2;
    return lane | i / 16 << 5 | (i / 8 % 2) << 7 | (j / 8) << 8 | (j % 2) << 9;
}
MAP(slot_bits_exchanged, uint32_t s = slot_of_element(at); const uint32_t x = (s >> c->a ^ s >> c->b) & 1;
    s ^= x << c->a | x << c->b; at[0] = at[0] / 64 * 64 + (s >> 5 & 3) * 16 + (s >> 7 & 1) * 8 + (s & 31) / 4;
    at[1] = at[1] / 16 * 16 + (s >> 8 & 1) * 8 + s % 4 * 2 + (s >> 9 & 1))

static void explain_run_slot_bits_exchanged_explained(void **state)
{
    (void)state;
    unsigned cases = 0, right = 0;
    static const size_t features[] = {128, 208};
    for (uint32_t a = 0; a < 10; a++)
        for (uint32_t b = a + 1; b < 10; b++) {
            struct source_map m;
            struct explanation x;
            struct synthetic_kernel kernel = {.fragment = slot_bits_exchanged, .a = a, .b = b};
            case_make(&kernel, &several, features[(a + b) % 2], 128, &m);
            struct explain_question q = case_question(&m);
            q.registers = EXPLAIN_A_WRONG;
            assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
            bool inside_block = (a < 2 || a >= 8) && (b < 2 || b >= 8); /* bits of k alone */
            const struct explain_part *p = &x.part[EXPLAIN_FRAGMENT], *v = &x.part[EXPLAIN_VALUES];
            bool good = x.wrong == case_wrong(&m) && x.explained == x.wrong && x.wrong > 0 &&
                        (p->state == EXPLAIN_DIFFERS || (inside_block && v->state == EXPLAIN_DIFFERS));
            right += good;
            cases++;
            if (!good) {
                print_message("bits %u %u\n", a, b);
                case_print("slot bits", &x);
            }
            explanation_free(&x);
            source_map_free(&m);
        }
    assert_int_equal(cases, 45);
    assert_int_equal(right, cases);
}

MAP(both_by_table, uint32_t i = c->table[at[0] * (uint32_t)c->m->K + at[1]]; at[0] = i / (uint32_t)c->m->K;
    at[1] = i % (uint32_t)c->m->K)

static void explain_run_random_table_is_a_table(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    uint32_t *table = malloc(64 * 128 * sizeof *table);
    assert_non_null(table);
    shuffle(&r, table, 64 * 128);
    struct synthetic_kernel kernel = {.values = both_by_table, .table = table};
    struct source_map m;
    struct explanation x;
    case_make(&kernel, &several, 64, 128, &m);
    struct explain_question q = case_question(&m);
    assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
    assert_int_equal(x.wrong, case_wrong(&m));
    assert_int_equal(x.explained, x.wrong);
    assert_int_equal(x.part[EXPLAIN_VALUES].state, EXPLAIN_DIFFERS);
    assert_int_equal(x.part[EXPLAIN_VALUES].rule.at[0].family, RULE_TABLE);
    assert_int_equal(x.part[EXPLAIN_SCALES].state, EXPLAIN_CONFORMS);
    explanation_free(&x);
    source_map_free(&m);
    free(table);
}

/* Slot 4r + byte of an 8-bit fragment: row g + 8 (r & 1), column 4q + byte + 16 (r >> 1). */
MAP(pack_bytes, uint32_t i = at[0] % 16, j = at[1] % 32;
    uint32_t from = c->table[(i / 8 + j / 16 * 2) * 4 + j % 4], r = from / 4;
    at[0] = at[0] / 16 * 16 + i % 8 + (r & 1) * 8; at[1] = at[1] / 32 * 32 + j % 16 / 4 * 4 + from % 4 + (r >> 1) * 16)

static void explain_run_pack_orders_of_bytes_recovered(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    uint32_t order[16], right = 0, count = 0;
    for (int round = 0; round < 40; round++) {
        shuffle(&r, order, 16);
        struct synthetic_kernel kernel = {.fragment = pack_bytes, .table = order};
        struct source_map m;
        struct explanation x;
        case_make(&kernel, &several, 32, 64, &m);
        struct explain_question q = case_question(&m);
        assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
        const struct explain_part *p = &x.part[EXPLAIN_FRAGMENT];
        bool good = x.explained == case_wrong(&m) && p->state == EXPLAIN_DIFFERS && p->pack_slots == 16;
        for (unsigned s = 0; s < 16; s++)
            good &= p->pack_order[s] == p->pack_wanted[order[s]];
        right += good;
        count++;
        explanation_free(&x);
        source_map_free(&m);
    }
    assert_int_equal(count, 40);
    assert_int_equal(right, count);
}

/* A shift of the rows of a short segment fits its tile too, and is routing all the same. */
MAP(row_of_eight, at[0] %= 8)
static void explain_run_rows_of_one_tile_shift_is_routing(void **state)
{
    (void)state;
    static const uint32_t one_start[] = {0, 40};
    static const struct segments one = {40, 1, 1, one_start, single_ids};
    static const struct planted rows[] = {
        {"r + 1", {.rows = row_after}, {{EXPLAIN_ROUTING, "r + 1", NONE}}, 1},
        {"r % 8", {.rows = row_of_eight}, {{EXPLAIN_ROUTING, "r % 8", NONE}}, 1},
    };
    unsigned cases = 0, right = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        explain_one(&rows[i], &one, 64, 64, &cases, &right);
    assert_int_equal(cases, 2);
    assert_int_equal(right, cases);
}

static void explain_run_noise_undecided(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    struct source_map m;
    struct explanation x;
    synthetic_map(&several, 64, 128, false, NULL, NULL, &m);
    for (size_t i = 0; i < source_map_observations(&m); i++)
        if (m.value[i] < SOURCE_CODES)
            m.value[i] = (uint32_t)splitmix_below(&r, m.experts * m.N * m.K);
    struct explain_question q = case_question(&m);
    assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
    assert_int_equal(x.wrong, case_wrong(&m));
    assert_true(x.explained == 0 && x.wrong > 0);
    assert_int_equal(x.part[EXPLAIN_VALUES].state, EXPLAIN_UNDECIDED);
    assert_string_equal(x.part[EXPLAIN_VALUES].found, "");
    assert_int_equal(x.part[EXPLAIN_SCALES].state, EXPLAIN_CONFORMS);
    assert_int_equal(x.part[EXPLAIN_ROUTING].state, EXPLAIN_CONFORMS);
    explanation_free(&x);
    source_map_free(&m);
}

/* What is known of A decides between two stages that give the same outputs. */
static void explain_run_registers_known_not_ambiguous(void **state)
{
    (void)state;
    static const struct {
        case_map *map;
        enum explain_registers a;
        enum explain_stage stage;
    } cases[] = {{row_8_exchanged, EXPLAIN_A_RIGHT, EXPLAIN_EPILOGUE},
                 {row_8_exchanged, EXPLAIN_A_WRONG, EXPLAIN_FRAGMENT},
                 {row_64_on, EXPLAIN_A_RIGHT, EXPLAIN_EPILOGUE},
                 {row_64_on, EXPLAIN_A_WRONG, EXPLAIN_FRAGMENT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct synthetic_kernel kernel = {.fragment = cases[i].map};
        struct source_map m;
        struct explanation x;
        case_make(&kernel, &several, 128, 128, &m);
        struct explain_question q = case_question(&m);
        q.registers = cases[i].a;
        assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
        for (int g = 0; g < EXPLAIN_ARITHMETIC; g++)
            assert_int_equal(x.part[g].state, g == (int)cases[i].stage ? EXPLAIN_DIFFERS : EXPLAIN_CONFORMS);
        assert_int_equal(x.part[cases[i].stage].ambiguous, NONE);
        explanation_free(&x);
        source_map_free(&m);
    }
}

static void explain_run_right_sources_wrong_sums_arithmetic(void **state)
{
    (void)state;
    struct source_map m;
    struct explanation x;
    synthetic_map(&several, 64, 64, false, NULL, NULL, &m);
    struct explain_question q = case_question(&m);
    q.dense_count = 100;
    assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
    for (int g = 0; g < EXPLAIN_STAGES; g++)
        assert_int_equal(x.part[g].state, EXPLAIN_CONFORMS);
    explanation_free(&x);
    q.dense_differing = 3;
    assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
    assert_int_equal(x.part[EXPLAIN_ARITHMETIC].state, EXPLAIN_DIFFERS);
    assert_int_equal(x.part[EXPLAIN_ARITHMETIC].ambiguous, EXPLAIN_DESCRIPTOR);
    assert_int_equal(x.part[EXPLAIN_VALUES].state, EXPLAIN_CONFORMS);
    explanation_free(&x);
    q.dense_differing = 0;
    q.changes = true;
    q.guard_wrong = 1;
    assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
    assert_int_equal(x.part[EXPLAIN_ARITHMETIC].state, EXPLAIN_DIFFERS);
    assert_int_equal(x.part[EXPLAIN_ROUTING].state, EXPLAIN_DIFFERS);
    explanation_free(&x);
    source_map_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain_run_planted_stage_and_formula),
        cmocka_unit_test(explain_run_wrong_experts_formula),
        cmocka_unit_test(explain_run_pack_orders_recovered),
        cmocka_unit_test(explain_run_permuted_features_period_found),
        cmocka_unit_test(explain_run_shifted_blocks_formula),
        cmocka_unit_test(explain_run_slot_bits_exchanged_explained),
        cmocka_unit_test(explain_run_random_table_is_a_table),
        cmocka_unit_test(explain_run_pack_orders_of_bytes_recovered),
        cmocka_unit_test(explain_run_rows_of_one_tile_shift_is_routing),
        cmocka_unit_test(explain_run_noise_undecided),
        cmocka_unit_test(explain_run_registers_known_not_ambiguous),
        cmocka_unit_test(explain_run_right_sources_wrong_sums_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
