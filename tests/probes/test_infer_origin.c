/* Where the tile of a capture begins: said, found by its values, voted for, moved, or nowhere. */
#include "probes/infer_origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/probes/infer_cases.h"

enum { HIGH = 96, WIDE = 48 }; /* a matrix of several tiles */

/* A matrix, a contract, and one capture from it whose origin nobody says. */
struct scene {
    struct splitmix r;
    struct layout contract;
    uint32_t value[HIGH * WIDE], held[TILE_SLOTS];
    struct infer_view view;
    struct infer_question q;
};

static void scene_make(struct scene *s, enum source from, const struct layout *map, size_t i0, size_t j0)
{
    *s = (struct scene){.r = {splitmix_seed() + i0 * WIDE + j0}, .contract = a_affine()};
    fill_matrix(from, HIGH, WIDE, &s->r, s->value);
    capture(map ? map : &s->contract, s->value, WIDE, i0, j0, s->held);
    s->view = (struct infer_view){.value = s->held, .matrix = {HIGH, WIDE, s->value}};
    s->q = (struct infer_question){slots, elements, 1, &s->view, &s->contract};
}

static void infer_map_unaligned_origins_are_found(void **state)
{
    (void)state;
    size_t asked_of = 0;
    for (size_t i0 = 0; i0 + ROWS <= HIGH; i0 += 4)
        for (size_t j0 = 0; j0 + COLUMNS <= WIDE; j0++, asked_of++) {
            struct scene s;
            scene_make(&s, (asked_of & 1) ? SPREAD : COMMON, NULL, i0, j0);
            struct infer_answer a = asked(&s.q);
            assert_true(a.origin_found && !a.voted && !a.moved && !a.whole);
            assert_int_equal(a.i0, i0);
            assert_int_equal(a.j0, j0);
            assert_true(a.contract_fits && a.unique && recovered(&a, &s.contract));
            assert_int_equal(a.agree, TILE_SLOTS);
            layout_free(&a.map);
        }
    assert_int_equal(asked_of, 9 * 33);
}

static void infer_map_steps_look_nowhere_else(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, SPREAD, NULL, 20, 10);
    s.view.step_i = 10;
    s.view.step_j = 5;
    struct infer_answer a = asked(&s.q);
    assert_true(a.origin_found && a.i0 == 20 && a.j0 == 10);
    layout_free(&a.map);
    s.view.step_i = 3;
    a = asked(&s.q);
    assert_false(a.origin_found);
    layout_free(&a.map);
    s.view.step_i = 10;
    s.view.step_j = 4;
    a = asked(&s.q);
    assert_false(a.origin_found);
    layout_free(&a.map);
    s.view.step_i = SIZE_MAX;
    s.view.step_j = SIZE_MAX;
    a = asked(&s.q);
    assert_false(a.origin_found);
    layout_free(&a.map);
}

static void infer_origin_search_last_corner_with_any_step_is_found(void **state)
{
    (void)state;
    size_t steps = 0;
    for (size_t step = 1; step <= HIGH - ROWS; step++) {
        struct scene s;
        struct infer_origin at[2];
        size_t found, i0 = (HIGH - ROWS) / step * step, j0 = (WIDE - COLUMNS) / step * step;
        scene_make(&s, SPREAD, NULL, i0, j0);
        s.view.step_i = step;
        s.view.step_j = step;
        assert_int_equal(infer_origin_search(&s.view, TILE_SLOTS, ROWS, COLUMNS, 2, at, &found, NULL), STATUS_OK);
        assert_int_equal(found, 1);
        assert_true(at[0].i == i0 && at[0].j == j0);
        steps++;
    }
    assert_int_equal(steps, HIGH - ROWS);
}

static void infer_map_steps_longer_than_the_tile_skip_rows(void **state)
{
    (void)state;
    static const struct box few = {2, {"thread", "reg"}, {2, 2}}, small = {2, {"i", "j"}, {2, 2}};
    uint32_t value[11 * 2], held[4];
    for (uint32_t n = 0; n < 22; n++)
        value[n] = n;
    for (size_t i0 = 0; i0 <= 9; i0 += 3) {
        for (uint32_t n = 0; n < 4; n++)
            held[n] = value[2 * i0 + 3 - n];
        struct infer_view v = {.value = held, .matrix = {11, 2, value}, .step_i = 3};
        struct infer_question q = {few, small, 1, &v, NULL};
        struct infer_answer a = asked(&q);
        assert_true(a.origin_found && a.i0 == i0 && a.unique);
        layout_free(&a.map);
    }
}

/* Two sets of 15 values whose hashes have the same sum, found by reducing the lattice of such relations. */
static void infer_origin_search_equal_hashes_of_other_values_are_refused(void **state)
{
    (void)state;
    static const int relation[] = {0, 1,  1, -1, 0,  0, 3,  1,  -2, -1, 1,  0,  1, 2, 0, 2,
                                   0, -4, 2, 0,  -1, 0, -1, -2, 0,  -1, -1, -1, 0, 1, 0};
    uint32_t value[3 * 10], held[15];
    struct infer_origin at[INFER_ORIGINS];
    size_t ups = 0, downs = 0, found;
    for (uint32_t v = 0; v < sizeof relation / sizeof *relation; v++) {
        for (int n = 0; n < -relation[v]; n++, downs++)
            value[downs / 5 * 10 + downs % 5] = v;
        for (int n = 0; n < relation[v]; n++, ups++)
            held[ups] = value[ups / 5 * 10 + 5 + ups % 5] = v;
    }
    assert_true(ups == 15 && downs == 15);
    struct infer_view v = {.value = held, .matrix = {3, 10, value}, .step_j = 5};
    assert_int_equal(infer_origin_search(&v, 15, 3, 5, INFER_ORIGINS, at, &found, NULL), STATUS_OK);
    assert_int_equal(found, 1);
    assert_true(at[0].i == 0 && at[0].j == 5);
}

/* Three tiles of the same values, of which only the last is in the order that any map knows. */
static void infer_map_several_origins_takes_the_one_that_a_map_fits(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, SPREAD, NULL, 0, 0);
    for (size_t copy = 1; copy <= 2; copy++)
        for (size_t i = 0; i < ROWS; i++)
            for (size_t j = 0; j < COLUMNS; j++)
                s.value[i * WIDE + copy * COLUMNS + j] = s.value[i * WIDE + j];
    for (size_t tile = 0; tile < 2; tile++)
        for (size_t n = TILE_SLOTS - 1; n > 0; n--) { /* shuffled */
            size_t k = splitmix_below(&s.r, n + 1);
            uint32_t *a = &s.value[n / COLUMNS * WIDE + tile * COLUMNS + n % COLUMNS];
            uint32_t *b = &s.value[k / COLUMNS * WIDE + tile * COLUMNS + k % COLUMNS], t = *a;
            *a = *b;
            *b = t;
        }
    s.view.step_i = ROWS;
    s.view.step_j = COLUMNS;
    struct infer_answer a = asked(&s.q);
    assert_true(a.origin_found && a.i0 == 0 && a.j0 == 2 * COLUMNS && a.contract_fits && a.unique);
    layout_free(&a.map);
    /* The same as one view of two. */
    struct scene other;
    scene_make(&other, INT4, NULL, 4, 4);
    struct infer_view both[2] = {other.view, s.view};
    struct infer_question q = {slots, elements, 2, both, &s.contract};
    a = asked(&q);
    assert_true(a.origin_found && a.i0 == 4 && a.contract_fits && a.unique);
    layout_free(&a.map);
    /* Where no map fits anywhere the first is taken, and a table fits there. */
    s.view.matrix.columns = WIDE;
    for (size_t i = 0; i < ROWS; i++)
        memcpy(&s.value[i * WIDE + 2 * COLUMNS], &s.value[i * WIDE + COLUMNS], COLUMNS * sizeof *s.value);
    a = asked(&s.q);
    assert_true(a.origin_found && a.i0 == 0 && a.j0 == 0 && !a.contract_fits);
    assert_true(a.found && a.family == INFER_TABLE && !a.unique);
    layout_free(&a.map);
}

/* Registers 1 and 2 exchanged: the values are those of the tile, the order is not. */
static void infer_map_exchanged_registers_are_placed_and_named(void **state)
{
    (void)state;
    static const uint8_t order[PLACES] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct layout map = packed(order);
    struct scene s;
    bool wrong[TILE_SLOTS];
    scene_make(&s, SPREAD, &map, 17, 9);
    struct infer_answer a = asked(&s.q);
    assert_true(a.origin_found && a.i0 == 17 && a.j0 == 9 && !a.contract_fits);
    assert_true(a.unique && recovered(&a, &map));
    size_t count = infer_wrong_slots(&s.view, &s.contract, a.i0, a.j0, wrong);
    assert_int_equal(count, a.wrong);
    assert_int_equal(a.agree, TILE_SLOTS - a.wrong);
    for (size_t n = 0; n < TILE_SLOTS; n++) {
        assert_true(!wrong[n] || n % PLACES / 2 == 1 || n % PLACES / 2 == 2);
        count -= wrong[n];
    }
    assert_true(count == 0 && a.wrong > 400 && a.wrong <= 512);
    layout_free(&a.map);
    layout_free(&map);
}

static void infer_map_one_wrong_lane_is_placed_by_the_vote(void **state)
{
    (void)state;
    struct scene s;
    bool wrong[TILE_SLOTS];
    scene_make(&s, SPREAD, NULL, 0, 2 * COLUMNS);
    memset(s.held + 37 * PLACES, 0x11, PLACES * sizeof *s.held);
    struct infer_answer a = asked(&s.q);
    assert_false(a.origin_found);
    assert_true(a.voted && a.i0 == 0 && a.j0 == 2 * COLUMNS);
    assert_int_equal(a.wrong, PLACES);
    assert_int_equal(a.agree, TILE_SLOTS - PLACES);
    assert_int_equal(a.explained, TILE_SLOTS - PLACES);
    assert_false(a.found);
    assert_null(a.map.table);
    assert_int_equal(infer_wrong_slots(&s.view, &s.contract, a.i0, a.j0, wrong), PLACES);
    for (size_t n = 0; n < TILE_SLOTS; n++)
        assert_int_equal(wrong[n], n / PLACES == 37);
}

static void infer_map_vote_reaches_the_last_origin(void **state)
{
    (void)state;
    for (int last_column = 0; last_column < 2; last_column++) {
        struct scene s;
        scene_make(&s, SPREAD, NULL, HIGH - ROWS, last_column ? WIDE - COLUMNS : 0);
        s.view.step_i = HIGH - ROWS;
        s.view.step_j = WIDE - COLUMNS;
        s.held[1000] = 0x77777;
        struct infer_answer a = asked(&s.q);
        assert_true(!a.origin_found && a.voted && a.wrong == 1);
        assert_true(a.i0 == HIGH - ROWS && a.j0 == (last_column ? WIDE - COLUMNS : 0));
    }
}

/* A capture of values from all over a matrix, in no order: only a table of the whole matrix fits. */
static void infer_map_values_from_everywhere_are_a_table_of_the_whole(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, SPREAD, NULL, 0, 0);
    for (size_t n = 0; n < TILE_SLOTS; n++)
        s.held[n] = s.value[splitmix_below(&s.r, HIGH * WIDE)];
    struct infer_answer a = asked(&s.q);
    assert_true(!a.origin_found && !a.voted && a.wrong == 0 && a.whole && a.found && a.family == INFER_TABLE);
    assert_int_equal(a.explained, TILE_SLOTS);
    assert_int_equal(infer_wrong_slots(&s.view, &a.map, 0, 0, NULL), 0);
    layout_free(&a.map);
}

/* Steps that the caller gives are also those of the vote; otherwise it looks at whole tiles only. */
static void infer_map_vote_at_an_unaligned_origin_needs_its_steps(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, SPREAD, NULL, 17, 9);
    s.held[5] ^= 0x4000;
    struct infer_answer a = asked(&s.q);
    assert_true(!a.origin_found && !a.voted && a.wrong == 0 && a.i0 == 0 && a.j0 == 0);
    layout_free(&a.map);
    s.view.step_i = 1;
    s.view.step_j = 1;
    a = asked(&s.q);
    assert_true(!a.origin_found && a.voted && a.i0 == 17 && a.j0 == 9 && a.wrong == 1);
    layout_free(&a.map);
}

/* A third right and no rival is clear; a third right with a rival of as many is not. */
static void infer_map_vote_is_taken_only_when_it_is_clear(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, SPREAD, NULL, 0, COLUMNS);
    for (size_t n = 0; n < TILE_SLOTS; n++)
        if (n % 3)
            s.held[n] = 0x12345;
    struct infer_answer a = asked(&s.q);
    assert_true(a.voted && a.j0 == COLUMNS && a.agree == 342 && a.wrong == TILE_SLOTS - 342);
    for (size_t i = 0; i < ROWS; i++)
        memcpy(&s.value[i * WIDE], &s.value[i * WIDE + COLUMNS], COLUMNS * sizeof *s.value);
    s.value[0] ^= 0x100; /* the rival comes first and is one slot short */
    a = asked(&s.q);
    assert_true(!a.origin_found && !a.voted && !a.found && a.wrong == 0 && a.agree == 0);
    /* More than half is enough, however many the rival has. */
    scene_make(&s, SPREAD, NULL, 0, COLUMNS);
    for (size_t i = 0; i < ROWS; i++)
        memcpy(&s.value[i * WIDE], &s.value[i * WIDE + COLUMNS], COLUMNS * sizeof *s.value);
    for (size_t j = 0; j < COLUMNS; j += 2)
        s.value[j] = 0x54321;
    s.held[0] = 0x12345;
    a = asked(&s.q);
    assert_true(a.voted && a.j0 == COLUMNS && a.wrong == 1);
    /* An eighth is the least. */
    scene_make(&s, SPREAD, NULL, 0, COLUMNS);
    for (size_t n = 0; n < TILE_SLOTS; n++)
        if (n % 9)
            s.held[n] = 0x12345;
    a = asked(&s.q);
    assert_false(a.voted);
}

static void infer_map_origin_said_wrongly_is_reported_as_moved(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, SPREAD, NULL, 32, 7);
    s.view.origin_known = true;
    s.view.i0 = 3;
    struct infer_answer a = asked(&s.q);
    assert_true(a.origin_found && a.i0 == 3 && a.j0 == 0 && !a.contract_fits && a.wrong > 900);
    assert_true(a.moved && a.moved_i == 32 && a.moved_j == 7);
    assert_true(a.unique && recovered(&a, &s.contract) && a.explained == TILE_SLOTS);
    layout_free(&a.map);
    s.view.i0 = 32;
    s.view.j0 = 7;
    a = asked(&s.q);
    assert_true(a.contract_fits && !a.moved && a.moved_i == 0);
    layout_free(&a.map);
}

/* Rows two apart: no tile holds these values, but all over the matrix one strided map does. */
static void infer_map_strides_beyond_the_tile_are_found_in_the_whole_matrix(void **state)
{
    (void)state;
    struct box domain = {3, {"thread", "reg", "part"}, {16, 2, 2}}, tile = {2, {"i", "j"}, {8, 8}};
    struct box whole = {2, {"i", "j"}, {HIGH, WIDE}};
    struct layout map = {.kind = LAYOUT_STRIDED,
                         .domain = domain,
                         .codomain = whole,
                         .modes = 4,
                         .offset = {{5, 11}},
                         .mode = {{0, 1, 4, {{0, 3}}}, {0, 4, 4, {{7, 0}}}, {1, 1, 2, {{40, 0}}}, {2, 1, 2, {{0, 1}}}}};
    struct scene s;
    for (int known = 0; known < 2; known++) {
        scene_make(&s, SPREAD, NULL, 0, 0);
        capture(&map, s.value, WIDE, 0, 0, s.held);
        s.view.origin_known = known;
        s.q = (struct infer_question){domain, tile, 1, &s.view, NULL};
        struct infer_answer a = asked(&s.q);
        assert_true(a.found && a.whole && !a.moved && a.family == INFER_STRIDED && a.unique && !a.bijective);
        assert_int_equal(a.origin_found, known);
        assert_int_equal(a.map.kind, LAYOUT_STRIDED);
        assert_true(recovered(&a, &map));
        layout_free(&a.map);
    }
}

static void infer_map_views_have_origins_of_their_own(void **state)
{
    (void)state;
    static const uint8_t order[PLACES] = {3, 1, 4, 0, 5, 2, 7, 6};
    struct layout map = packed(order);
    struct scene a, b;
    scene_make(&a, COMMON, &map, 8, 3);
    scene_make(&b, INT4, &map, 31, 30);
    struct infer_view view[2] = {a.view, b.view};
    struct infer_question q = {slots, elements, 2, view, &a.contract};
    struct infer_answer both = asked(&q);
    assert_true(both.origin_found && both.i0 == 8 && both.j0 == 3 && both.unique && recovered(&both, &map));
    assert_int_equal(both.wrong, infer_wrong_slots(&view[0], &a.contract, 8, 3, NULL) +
                                     infer_wrong_slots(&view[1], &a.contract, 31, 30, NULL));
    layout_free(&both.map);
    /* One of them by a vote: the origins are not all found. */
    for (int voted = 0; voted < 2; voted++) {
        struct scene aligned;
        scene_make(&aligned, SPREAD, NULL, 0, COLUMNS);
        aligned.held[3] = 0x44444;
        view[voted] = aligned.view;
        view[!voted] = a.view;
        both = asked(&q);
        assert_true(!both.origin_found && both.voted && !both.found && both.wrong > 1);
        assert_int_equal(both.i0, voted ? 8 : 0);
    }
    view[0] = a.view;
    view[1] = b.view;
    /* One of them nowhere: neither is judged. */
    memset(b.held, 0x33, sizeof b.held);
    both = asked(&q);
    assert_true(!both.origin_found && !both.voted && !both.found && both.wrong == 0);
    layout_free(&map);
}

static void infer_map_large_matrix_is_searched_in_one_pass(void **state)
{
    (void)state;
    enum { LONG = 2048 };
    struct splitmix r = {splitmix_seed()};
    struct layout contract = a_affine();
    uint32_t held[TILE_SLOTS], *value = malloc(sizeof *value * LONG * LONG);
    assert_non_null(value);
    for (size_t n = 0; n < (size_t)LONG * LONG; n++)
        value[n] = (uint32_t)splitmix_below(&r, 16);
    capture(&contract, value, LONG, LONG - ROWS, LONG - COLUMNS, held);
    struct infer_view v = {.value = held, .matrix = {LONG, LONG, value}};
    struct infer_question q = {slots, elements, 1, &v, &contract};
    clock_t start = clock();
    struct infer_answer a = asked(&q);
    print_message("last tile of %d x %d: %.0f ms\n", LONG, LONG, 1e3 * (double)(clock() - start) / CLOCKS_PER_SEC);
    assert_true(a.origin_found && a.i0 == LONG - ROWS && a.j0 == LONG - COLUMNS && a.unique && a.contract_fits);
    layout_free(&a.map);
    /* Too large to be one tile: values from all over it stay unexplained. */
    for (size_t n = 0; n < TILE_SLOTS; n++)
        held[n] = (uint32_t)splitmix_below(&r, 16);
    q.contract = NULL;
    a = asked(&q);
    assert_true(!a.origin_found && !a.whole && !a.found && a.explained == 0);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(infer_map_unaligned_origins_are_found),
        cmocka_unit_test(infer_map_steps_look_nowhere_else),
        cmocka_unit_test(infer_origin_search_last_corner_with_any_step_is_found),
        cmocka_unit_test(infer_map_steps_longer_than_the_tile_skip_rows),
        cmocka_unit_test(infer_origin_search_equal_hashes_of_other_values_are_refused),
        cmocka_unit_test(infer_map_several_origins_takes_the_one_that_a_map_fits),
        cmocka_unit_test(infer_map_exchanged_registers_are_placed_and_named),
        cmocka_unit_test(infer_map_one_wrong_lane_is_placed_by_the_vote),
        cmocka_unit_test(infer_map_vote_reaches_the_last_origin),
        cmocka_unit_test(infer_map_values_from_everywhere_are_a_table_of_the_whole),
        cmocka_unit_test(infer_map_vote_at_an_unaligned_origin_needs_its_steps),
        cmocka_unit_test(infer_map_vote_is_taken_only_when_it_is_clear),
        cmocka_unit_test(infer_map_origin_said_wrongly_is_reported_as_moved),
        cmocka_unit_test(infer_map_strides_beyond_the_tile_are_found_in_the_whole_matrix),
        cmocka_unit_test(infer_map_views_have_origins_of_their_own),
        cmocka_unit_test(infer_map_large_matrix_is_searched_in_one_pass),
    };
    print_message("FO_TEST_SEED=%llu\n", (unsigned long long)splitmix_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
