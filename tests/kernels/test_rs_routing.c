/* rs_status, rs_find_tile, rs_max_tiles: the routing of the production kernel against segments.h, row by row, over
 * random segment lists, most of them wrong in some way. */
#include "kernels/rs_index.h"

#include "oracle/exec/machine.h"
#include "reference/segments.h"
#include "tests/support/splitmix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LISTS = 20000 };
static const struct rs_fault neutral = RS_FAULT_NEUTRAL;

/* starts and ids are allocated to their exact length: a sanitiser sees a read past them. */
struct list {
    struct rs_shape shape;
    uint32_t *starts;
    int32_t *ids;
    uint64_t seed;
};

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorted starts within P, then a fault in about half of the lists: a decrease, an overrun, a bad id. */
static struct list list_make(uint64_t seed)
{
    struct splitmix r = {seed};
    struct list l = {.seed = seed};
    uint32_t P = 1 + (uint32_t)splitmix_below(&r, splitmix_below(&r, 4) ? 300 : 3000);
    uint32_t active = (uint32_t)splitmix_below(&r, 12), experts = 1 + (uint32_t)splitmix_below(&r, 10);
    l.shape = (struct rs_shape){P, 64, 64, experts, active};
    l.starts = malloc((active + 1) * sizeof *l.starts);
    l.ids = malloc(active * sizeof *l.ids);
    assert_true(l.starts && (l.ids || active == 0));
    for (uint32_t a = 0; a <= active; a++)
        l.starts[a] = (uint32_t)splitmix_below(&r, P + 1);
    qsort(l.starts, active + 1, sizeof *l.starts, by_value);
    if (splitmix_below(&r, 2)) {
        l.starts[0] = 0;
        l.starts[active] = active ? P : 0;
    }
    for (uint32_t a = 0; a < active; a++)
        l.ids[a] = (int32_t)splitmix_below(&r, experts);
    for (int faults = (int)splitmix_below(&r, 3); active && faults > 0; faults--) {
        uint32_t a = (uint32_t)splitmix_below(&r, active);
        switch (splitmix_below(&r, 5)) {
        case 0:
            l.starts[a + 1] = (uint32_t)splitmix_below(&r, P + 1);
            break;
        case 1:
            l.starts[a + 1] = splitmix_below(&r, 2) ? P + 1 : UINT32_MAX;
            break;
        case 2:
            l.ids[a] = (int32_t)experts;
            break;
        case 3:
            l.ids[a] = splitmix_below(&r, 2) ? -1 : INT32_MIN;
            break;
        default:
            l.ids[a] = INT32_MAX;
        }
    }
    return l;
}

static void list_free(struct list *l)
{
    free(l->starts);
    free(l->ids);
}

#define LIST_CHECK(l, truth)                                                                                           \
    do {                                                                                                               \
        if (!(truth))                                                                                                  \
            fail_msg("list of seed %" PRIu64 " (P %u, %u segments): %s", (l)->seed, (l)->shape.P, (l)->shape.active,   \
                     #truth);                                                                                          \
    } while (0)

/* Every row once and in order, by the expert that segments.h gives it; the tiles that compute as machine.h predicts. */
static size_t check_tiles(const struct list *l, const struct segments *s, int order_bad)
{
    uint32_t next = 0, tiles = 0, computing = 0;
    struct rs_tile tile = {0};
    while (rs_find_tile(&l->shape, l->starts, l->ids, order_bad, tiles, &neutral, &tile)) {
        LIST_CHECK(l, tile.row == next);
        LIST_CHECK(l, tile.rows >= 1 && tile.rows <= RS_TILE_TOKENS);
        LIST_CHECK(l, tile.row + tile.rows <= l->shape.P);
        for (uint32_t row = tile.row; row < tile.row + tile.rows; row++)
            LIST_CHECK(l, tile.expert == segments_expert_of_row(s, row));
        next += tile.rows;
        tiles++;
        computing += tile.expert >= 0;
        LIST_CHECK(l, tiles <= rs_max_tiles(&l->shape));
    }
    LIST_CHECK(l, next == l->shape.P);
    LIST_CHECK(l, computing == machine_expected_tiles(&l->shape, l->starts, l->ids));
    for (uint32_t past = tiles; past < tiles + 3; past++)
        LIST_CHECK(l, !rs_find_tile(&l->shape, l->starts, l->ids, order_bad, past, &neutral, &tile));
    return tiles;
}

static void rs_find_tile_random_lists_cover_every_row_once(void **state)
{
    (void)state;
    uint64_t seed = splitmix_seed();
    size_t good = 0, bad_id = 0, bad_order = 0, tiles = 0;
    for (uint64_t i = 0; i < LISTS; i++) {
        struct list l = list_make(seed + i);
        struct segments s = {l.shape.P, l.shape.experts, l.shape.active, l.starts, l.ids};
        bool want_bad;
        int order_bad = -1;
        uint32_t want = segments_status_word(&s, &want_bad);
        LIST_CHECK(&l, rs_status(&l.shape, l.starts, l.ids, &order_bad) == want);
        LIST_CHECK(&l, order_bad == want_bad);
        tiles += check_tiles(&l, &s, order_bad);
        good += want == 0;
        bad_order += want_bad;
        bad_id += want != 0 && !want_bad;
        list_free(&l);
    }
    print_message("%zu good lists, %zu with bad ids, %zu with bad starts, %zu tiles\n", good, bad_id, bad_order, tiles);
    assert_true(good > LISTS / 10 && bad_id > LISTS / 10 && bad_order > LISTS / 10);
}

/* The most tiles that a shape can need: every run one row into a new tile. */
static void rs_max_tiles_worst_lists_fit(void **state)
{
    (void)state;
    size_t tight = 0;
    for (uint32_t active = 0; active < 20; active++)
        for (uint32_t P = 1; P < 2000; P += 13) {
            struct list l = {.shape = {P, 64, 64, 1, active}};
            l.starts = malloc((active + 1) * sizeof *l.starts);
            l.ids = calloc(active ? active : 1, sizeof *l.ids);
            assert_true(l.starts && l.ids);
            for (uint32_t a = 0; a <= active; a++)
                l.starts[a] = 1 + a < P ? 1 + a : P;
            uint32_t tiles = 0;
            struct rs_tile tile;
            while (rs_find_tile(&l.shape, l.starts, l.ids, 0, tiles, &neutral, &tile))
                tiles++;
            LIST_CHECK(&l, tiles <= rs_max_tiles(&l.shape));
            tight += tiles == rs_max_tiles(&l.shape);
            list_free(&l);
        }
    assert_true(tight > 0);
}

/* The words of the contract, by hand. */
static void rs_status_directed_lists_name_the_lowest_bad_segment(void **state)
{
    (void)state;
    static const struct {
        uint32_t P, active, starts[5];
        int32_t ids[4];
        uint32_t word;
        int order;
    } cases[] = {
        {10, 0, {0}, {0}, 0, 0},
        {10, 2, {0, 5, 10}, {1, 0}, 0, 0},
        {10, 2, {3, 3, 3}, {1, 1}, 0, 0},
        {10, 2, {0, 5, 10}, {2, 0}, 1, 0},
        {10, 2, {0, 5, 10}, {1, -1}, 2, 0},
        {10, 3, {0, 6, 5, 10}, {1, 1, 1}, 2, 1},
        {10, 3, {0, 6, 5, 10}, {7, 1, 1}, 1, 1},
        {10, 2, {0, 5, 11}, {0, 0}, 2, 1},
        {10, 2, {11, 11, 11}, {0, 0}, 1, 1},
        {10, 3, {0, 4, 11, 10}, {0, 0, -1}, 2, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rs_shape shape = {cases[i].P, 16, 64, 2, cases[i].active};
        int order;
        assert_int_equal(rs_status(&shape, cases[i].starts, cases[i].ids, &order), cases[i].word);
        assert_int_equal(order, cases[i].order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rs_find_tile_random_lists_cover_every_row_once),
        cmocka_unit_test(rs_max_tiles_worst_lists_fit),
        cmocka_unit_test(rs_status_directed_lists_name_the_lowest_bad_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
