/* infer_map where the origin is said: contracts, families, counts, several views, degenerate data, refusals. */
#include "probes/infer.h"

#include <math.h>
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
#include "tests/support/alloc.h"
#include "tests/support/expect.h"

/* One capture of one tile. */
struct scene {
    struct splitmix r;
    struct layout contract;
    uint32_t value[TILE_SLOTS], held[TILE_SLOTS];
    struct infer_view view;
    struct infer_question q;
};

static void scene_make(struct scene *s, enum source from, const struct layout *map)
{
    *s = (struct scene){.r = {splitmix_seed()}, .contract = a_affine()};
    fill_matrix(from, ROWS, COLUMNS, &s->r, s->value);
    capture(map ? map : &s->contract, s->value, COLUMNS, 0, 0, s->held);
    s->view = view_of(s->held, s->value, ROWS, COLUMNS);
    s->q = (struct infer_question){slots, elements, 1, &s->view, &s->contract};
}

/* A kernel's capture again, after the values were changed. */
static struct infer_answer asked_again(struct scene *s, const struct layout *map)
{
    capture(map, s->value, COLUMNS, 0, 0, s->held);
    return asked(&s->q);
}

/* Any map as a question about a tile of distinct or of random values; the answer must be the map. */
static struct infer_answer answer_to(const struct layout *map, uint32_t kinds, const struct layout *contract)
{
    static uint32_t value[INFER_SLOTS], held[INFER_SLOTS];
    struct splitmix r = {splitmix_seed()};
    size_t rows = map->codomain.extent[0], columns = map->codomain.extent[1];
    assert_true(box_size(&map->domain) <= INFER_SLOTS && rows * columns <= INFER_SLOTS);
    for (size_t n = 0; n < rows * columns; n++)
        value[n] = kinds ? (uint32_t)splitmix_below(&r, kinds) : (uint32_t)splitmix_next(&r);
    capture(map, value, columns, 0, 0, held);
    struct infer_view v = view_of(held, value, rows, columns);
    struct infer_question q = {map->domain, map->codomain, 1, &v, contract};
    clock_t start = clock();
    struct infer_answer a = asked(&q);
    print_message("%u x %u, %u values: %s, %.1f ms\n", map->codomain.extent[0], map->codomain.extent[1],
                  (unsigned)kinds, infer_family_name(a.family), 1e3 * (double)(clock() - start) / CLOCKS_PER_SEC);
    return a;
}

static void infer_family_name_every_family_has_its_own(void **state)
{
    (void)state;
    assert_string_equal(infer_family_name(INFER_AFFINE), "affine");
    assert_string_equal(infer_family_name(INFER_STRIDED), "strided");
    assert_string_equal(infer_family_name(INFER_SEPARABLE), "separable");
    assert_string_equal(infer_family_name(INFER_TABLE), "table");
    assert_string_equal(infer_family_name(INFER_FAMILIES), "unknown family");
}

static void infer_map_contract_that_fits_is_named_in_every_form(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, SAMPLE, NULL);
    struct layout strided = a_strided(), table = tabulated(&s.contract);
    const struct layout *form[] = {&s.contract, &strided, &table, NULL};
    for (int n = 0; n < 4; n++) {
        s.q.contract = form[n];
        struct infer_answer a = asked(&s.q);
        assert_int_equal(a.contract_fits, form[n] != NULL);
        assert_true(a.unique && a.fits == 1 && a.bijective && a.origin_found && !a.exhausted);
        assert_int_equal(a.family, INFER_AFFINE);
        assert_int_equal(a.map.kind, LAYOUT_AFFINE);
        assert_true(recovered(&a, &s.contract));
        assert_int_equal(a.slots, TILE_SLOTS);
        assert_int_equal(a.explained, TILE_SLOTS);
        assert_int_equal(a.wrong, 0);
        assert_int_equal(a.agree, form[n] ? TILE_SLOTS : 0);
        layout_free(&a.map);
    }
    layout_free(&table);
}

/* The contract is tried first, whatever simpler map fits too. */
static void infer_map_contract_of_a_later_family_keeps_it(void **state)
{
    (void)state;
    static const uint8_t order[PLACES] = {0, 4, 1, 5, 3, 7, 6, 2};
    struct layout map = packed(order);
    struct scene s;
    scene_make(&s, SPREAD, &map);
    s.q.contract = &map;
    struct infer_answer a = asked(&s.q);
    assert_true(a.contract_fits && a.unique && a.family == INFER_SEPARABLE && recovered(&a, &map));
    layout_free(&a.map);
    for (size_t n = 0; n < TILE_SLOTS; n++)
        s.value[n] = 7;
    a = asked_again(&s, &map);
    assert_true(a.contract_fits && !a.unique && a.family == INFER_SEPARABLE && recovered(&a, &map));
    assert_true(a.fits > 1e6 && a.fits_is_lower_bound && a.exhausted);
    check_other(&a, &s.view);
    layout_free(&a.map);
    uint32_t swap = map.table[8];
    map.table[8] = map.table[1023];
    map.table[1023] = swap;
    for (uint32_t n = 0; n < TILE_SLOTS; n++)
        s.value[n] = n / 2;
    a = asked_again(&s, &map);
    assert_true(a.contract_fits && a.family == INFER_TABLE && a.fits == INFINITY && recovered(&a, &map));
    check_other(&a, &s.view);
    layout_free(&a.map);
    layout_free(&map);
}

static void infer_map_one_slot_changed_leaves_only_a_table(void **state)
{
    (void)state;
    struct scene s;
    size_t changed = 0;
    for (size_t slot = 0; slot < TILE_SLOTS; slot += 93, changed++) {
        scene_make(&s, SPREAD, NULL);
        uint32_t other = s.held[slot] == s.value[3] ? s.value[100] : s.value[3];
        s.held[slot] = other;
        struct infer_answer a = asked(&s.q);
        assert_true(!a.contract_fits && a.wrong == 1 && a.agree == TILE_SLOTS - 1 && a.origin_found && !a.moved);
        assert_true(a.found && a.family == INFER_TABLE && !a.unique && a.explained == TILE_SLOTS);
        check_other(&a, &s.view);
        /* What the contract wants where it can be: the map differs from it in that slot alone. */
        assert_int_equal(compared(&a.map, &s.contract).differing, 1);
        layout_free(&a.map);
        s.held[slot] = 0x55555;
        a = asked(&s.q);
        assert_true(!a.found && a.wrong == 1 && a.explained == TILE_SLOTS - 1 && a.fits == 0 && !a.unique);
    }
    assert_true(changed > 10);
}

static void infer_map_table_is_unique_where_every_value_is(void **state)
{
    (void)state;
    uint32_t codes[TILE_SLOTS];
    struct splitmix r = {splitmix_seed()};
    for (uint32_t n = 0; n < TILE_SLOTS; n++)
        codes[n] = n % 100 == 5 ? 20 + n / 100 % 2 * 20 : (uint32_t)splitmix_below(&r, TILE_SLOTS);
    struct layout map;
    struct scene s;
    assert_int_equal(layout_from_table(&slots, &elements, codes, &map, NULL), STATUS_OK);
    scene_make(&s, SPREAD, NULL);
    for (uint32_t n = 0; n < TILE_SLOTS; n++)
        s.value[n] = n * 3 + 1;
    struct infer_answer a = asked_again(&s, &map);
    assert_true(a.unique && a.family == INFER_TABLE && recovered(&a, &map) && !a.bijective && !a.exhausted);
    layout_free(&a.map);
    /* Slots of two elements that are alike: two maps for each. */
    size_t alike = 0;
    s.value[20] = s.value[40];
    for (size_t n = 0; n < TILE_SLOTS; n++)
        alike += codes[n] == 20 || codes[n] == 40;
    a = asked_again(&s, &map);
    assert_true(alike > 10 && alike < 40 && a.fits == ldexp(1, (int)alike) && !a.unique && a.family == INFER_TABLE);
    check_other(&a, &s.view);
    layout_free(&a.map);
    layout_free(&map);
}

static void infer_map_constant_tile_counts_every_affine_map(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, COMMON, NULL);
    memset(s.value, 0, sizeof s.value);
    for (int with = 0; with < 2; with++) {
        s.q.contract = with ? &s.contract : NULL;
        struct infer_answer a = asked_again(&s, &s.contract);
        /* A base and ten images, each any of 1024 elements. */
        assert_true(a.found && a.family == INFER_AFFINE && a.fits == ldexp(1, 110));
        assert_true(!a.unique && !a.fits_is_lower_bound && !a.exhausted);
        assert_int_equal(a.contract_fits, with);
        if (with)
            assert_true(recovered(&a, &s.contract));
        check_other(&a, &s.view);
        layout_free(&a.map);
    }
}

static void infer_map_repeated_rows_are_counted_exactly(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, SPREAD, NULL);
    for (size_t i = 1; i < ROWS; i += 2)
        memcpy(&s.value[i * COLUMNS], &s.value[(i - 1) * COLUMNS], COLUMNS * sizeof *s.value);
    struct infer_answer a = asked_again(&s, &s.contract);
    assert_true(a.contract_fits && a.fits == ldexp(1, 11) && !a.unique && !a.fits_is_lower_bound);
    check_other(&a, &s.view);
    assert_int_equal(a.element.at[0] ^ a.other.at[0], 1);
    layout_free(&a.map);
}

/* Each tile leaves a doubt that the other settles. */
static void infer_map_two_views_make_unique_what_one_leaves_open(void **state)
{
    (void)state;
    struct scene rows, columns;
    scene_make(&rows, SPREAD, NULL);
    scene_make(&columns, SPREAD, NULL);
    for (size_t n = 0; n < TILE_SLOTS; n++) {
        rows.value[n] = (uint32_t)n / COLUMNS;
        columns.value[n] = (uint32_t)n % COLUMNS;
    }
    struct layout map = a_affine();
    map.image[0][0] = (struct point){{33, 2}}; /* the columns are those of the contract */
    struct infer_answer a = asked_again(&rows, &map), b = asked_again(&columns, &map);
    assert_true(a.fits == ldexp(1, 44) && b.fits == ldexp(1, 66) && !a.unique && !b.unique);
    layout_free(&a.map);
    layout_free(&b.map);
    struct infer_view both[2] = {rows.view, columns.view};
    struct infer_question q = {slots, elements, 2, both, &rows.contract};
    a = asked(&q);
    assert_true(a.unique && recovered(&a, &map) && a.explained == TILE_SLOTS);
    assert_int_equal(infer_wrong_slots(&both[1], &rows.contract, 0, 0, NULL), 0);
    assert_true(a.wrong == 512 && a.agree == 512);
    layout_free(&a.map);
    /* Each value occurs in its tile, the pair of them at no element. */
    columns.value[0] = 99;
    capture(&map, columns.value, COLUMNS, 0, 0, columns.held);
    columns.held[700] = 99;
    a = asked(&q);
    assert_true(!a.found && a.explained == TILE_SLOTS - 1);
}

static void infer_map_permuted_lanes_and_places_are_separable(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    struct layout base = a_affine(), map = tabulated(&base);
    uint32_t lane[128], codes[TILE_SLOTS];
    for (uint32_t n = 0; n < 128; n++)
        lane[n] = n;
    for (size_t n = 127; n > 0; n--) {
        size_t k = splitmix_below(&r, n + 1);
        uint32_t t = lane[n];
        lane[n] = lane[k];
        lane[k] = t;
    }
    static const uint8_t place[PLACES] = {5, 2, 7, 0, 1, 3, 6, 4};
    for (size_t n = 0; n < TILE_SLOTS; n++)
        codes[n] = map.table[lane[n / PLACES] * PLACES + place[n % PLACES]];
    memcpy(map.table, codes, sizeof codes);
    static const uint32_t kinds[] = {0, 64, 16};
    for (int n = 0; n < 3; n++) {
        struct infer_answer a = answer_to(&map, kinds[n], &base);
        assert_true(a.unique && a.family == INFER_SEPARABLE && recovered(&a, &map) && a.bijective);
        assert_int_equal(a.map.kind, LAYOUT_TABLE);
        layout_free(&a.map);
    }
    layout_free(&map);
}

static void infer_map_strides_from_any_origin_are_found(void **state)
{
    (void)state;
    struct box domain = {3, {"thread", "reg", "part"}, {8, 6, 2}}, tile = {2, {"i", "j"}, {29, 21}};
    /* Nothing is a power of two, one stride goes back, and the thread moves along both. */
    struct layout map = {.kind = LAYOUT_STRIDED,
                         .domain = domain,
                         .codomain = tile,
                         .offset = {{1, 17}},
                         .modes = 5,
                         .mode = {{0, 1, 2, {{3, (uint32_t)-4}}},
                                  {0, 2, 2, {{5, 1}}},
                                  {0, 4, 2, {{11, 0}}},
                                  {1, 1, 8, {{1, (uint32_t)-2}}},
                                  {2, 1, 2, {{0, 2}}}}};
    static const uint32_t kinds[] = {0, 16, 8};
    struct infer_answer a;
    for (int n = 0; n < 3; n++) {
        a = answer_to(&map, kinds[n], n == 1 ? &map : NULL);
        assert_true(a.unique && a.contract_fits == (n == 1) && a.family == INFER_STRIDED && recovered(&a, &map) &&
                    !a.bijective && !a.exhausted);
        assert_int_equal(a.map.kind, LAYOUT_STRIDED);
        layout_free(&a.map);
    }
    /* Of four values the search for strides is cut before it gets here; something fits in any case, and it is said. */
    a = answer_to(&map, 4, NULL);
    assert_true(a.found && a.exhausted && a.family != INFER_AFFINE && a.fits >= 1);
    layout_free(&a.map);
}

/* The operands of other types and of D, with registers that are no power of two. */
static void infer_map_other_operands_are_recovered(void **state)
{
    (void)state;
    static const struct box domain[] = {{3, {"thread", "reg", "part"}, {128, 4, 4}},
                                        {3, {"thread", "reg", "part"}, {128, 4, 1}},
                                        {3, {"thread", "reg", "part"}, {128, 128, 1}},
                                        {3, {"thread", "reg", "part"}, {128, 12, 1}},
                                        {3, {"thread", "reg", "part"}, {128, 4, 2}}};
    static const struct box tile[] = {{2, {"i", "j"}, {64, 32}},
                                      {2, {"i", "j"}, {64, 8}},
                                      {2, {"i", "j"}, {64, 256}},
                                      {2, {"i", "j"}, {64, 24}},
                                      {2, {"n", "k"}, {256, 4}}};
    static const uint32_t kinds[] = {16, 64, 0, 0, 16};
    struct splitmix r = {splitmix_seed()};
    for (int n = 0; n < 5; n++) {
        struct layout map = affine_zero(&domain[n], &tile[n]);
        struct box power = tile[n];
        power.extent[1] = power.extent[1] == 24 ? 8 : power.extent[1];
        if (n == 3) /* the D fragment: any exclusive or stays inside where register bits 2 and 3 are 8 and 16 columns */
            map = (struct layout){.kind = LAYOUT_AFFINE,
                                  .domain = domain[n],
                                  .codomain = tile[n],
                                  .image = {{{{0, 2}}, {{0, 4}}, {{1, 0}}, {{2, 0}}, {{4, 0}}, {{16, 0}}, {{32, 0}}},
                                            {{{0, 1}}, {{8, 0}}, {{0, 8}}, {{0, 16}}}}};
        else
            map = affine_random_bijection(&domain[n], &power, &r.state);
        struct infer_answer a = answer_to(&map, kinds[n], NULL);
        assert_true(a.unique && a.family == INFER_AFFINE && recovered(&a, &map) && a.bijective && !a.exhausted);
        layout_free(&a.map);
    }
}

/* 16,384 slots whose registers are in any order. */
static void infer_map_large_d_tile_with_permuted_registers_is_separable(void **state)
{
    (void)state;
    struct box domain = {3, {"thread", "reg", "part"}, {128, 128, 1}}, tile = {2, {"i", "j"}, {64, 256}};
    static uint32_t codes[1 << 14];
    struct splitmix r = {splitmix_seed()};
    uint32_t reg[128];
    for (uint32_t n = 0; n < 128; n++) {
        uint32_t k = (uint32_t)splitmix_below(&r, n + 1);
        reg[n] = reg[k];
        reg[k] = n;
    }
    for (uint32_t n = 0; n < 1 << 14; n++) {
        uint32_t t = n / 128, v = reg[n % 128];
        codes[n] = (16 * (t / 32) + t % 32 / 4 + 8 * (v / 2 % 2)) * 256 + 8 * (v / 4) + 2 * (t % 4) + v % 2;
    }
    struct layout map;
    assert_int_equal(layout_from_table(&domain, &tile, codes, &map, NULL), STATUS_OK);
    static const uint32_t kinds[] = {0, 5000};
    for (int n = 0; n < 2; n++) {
        struct infer_answer a = answer_to(&map, kinds[n], NULL);
        assert_true(a.unique && a.family == INFER_SEPARABLE && recovered(&a, &map) && a.bijective);
        layout_free(&a.map);
    }
    layout_free(&map);
}

/* Four values, evenly spread, and no map in sight: the budget ends, and the answer says so. */
static void infer_map_search_that_is_cut_says_so(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, COMMON, NULL);
    for (size_t n = 0; n < TILE_SLOTS; n++) {
        s.value[n] = (uint32_t)splitmix_below(&s.r, 4);
        s.held[n] = (uint32_t)splitmix_below(&s.r, 4);
    }
    s.q.contract = NULL;
    struct infer_answer a = asked(&s.q);
    assert_true(a.exhausted && a.found && a.family == INFER_TABLE && !a.fits_is_lower_bound && !a.unique);
    assert_true(a.fits == INFINITY);
    check_other(&a, &s.view);
    layout_free(&a.map);
    /* One element in 64 differs: sums of tables dodge them in more ways than anybody counts. */
    for (size_t n = 0; n < TILE_SLOTS; n++) {
        s.value[n] = splitmix_below(&s.r, 64) == 0;
        s.held[n] = splitmix_below(&s.r, 64) == 0;
    }
    a = asked(&s.q);
    assert_true(a.exhausted && a.found && a.family == INFER_SEPARABLE && a.fits_is_lower_bound && !a.unique);
    assert_true(a.fits > 1e6);
    check_other(&a, &s.view);
    layout_free(&a.map);
}

/* So many threads of a constant tile that their lists of candidates outgrow the memory of a search. */
static void infer_map_contract_whose_company_is_not_counted_is_not_unique(void **state)
{
    (void)state;
    enum { THREADS = 4096, FEW = 16 };
    struct box domain = {2, {"thread", "reg"}, {THREADS, FEW}}, tile = {2, {"i", "j"}, {16, 32}};
    static uint32_t codes[THREADS * FEW], held[THREADS * FEW], value[512];
    for (uint32_t n = 0; n < THREADS * FEW; n++)
        codes[n] = n / FEW % 13 * 32 + n % FEW * 2 % 13;
    struct layout map;
    assert_int_equal(layout_from_table(&domain, &tile, codes, &map, NULL), STATUS_OK);
    struct infer_view v = view_of(held, value, 16, 32);
    struct infer_question q = {domain, tile, 1, &v, &map};
    struct infer_answer a = asked(&q);
    assert_true(a.contract_fits && a.family == INFER_SEPARABLE && recovered(&a, &map));
    assert_true(a.exhausted && a.fits_is_lower_bound && a.fits == 1 && !a.unique);
    layout_free(&a.map);
    layout_free(&map);
}

static void refused(const struct infer_question *q, const char *why)
{
    struct infer_answer a;
    struct error e;
    memset(&a, 0x5a, sizeof a);
    assert_int_equal(infer_map(q, &a, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, why);
    for (size_t n = 0; n < sizeof a; n++)
        assert_int_equal(((unsigned char *)&a)[n], 0x5a);
}

static void infer_map_impossible_questions_are_refused(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, INT4, NULL);
    struct infer_question good = s.q;
    struct infer_view view = s.view;
    s.q.views = 0;
    refused(&s.q, "no view");
    s.q = good;
    s.view.matrix.rows = 63;
    refused(&s.q, "a tile of 64 x 16 at 0, 0 of a matrix of 63 x 16");
    s.view = view;
    s.view.matrix.columns = 15;
    s.view.origin_known = false;
    refused(&s.q, "matrix of 64 x 15");
    s.view = view;
    s.view.i0 = 1;
    refused(&s.q, "at 1, 0");
    s.view = view;
    s.view.j0 = 1;
    refused(&s.q, "at 0, 1");
    s.view.j0 = SIZE_MAX;
    refused(&s.q, "view 0");
    s.view = view;
    s.q.codomain.rank = 3;
    s.q.codomain.name[2] = "k";
    s.q.codomain.extent[2] = 1;
    refused(&s.q, "3 dimensions");
    s.q = good;
    s.q.domain.extent[0] = 0;
    refused(&s.q, "0 of thread");
    s.q.domain.extent[0] = 8193;
    refused(&s.q, "65544 slots");
    s.q.domain = (struct box){2, {"thread", "reg"}, {1, 1025}};
    refused(&s.q, "1025 slots of one thread");
    s.q.domain = (struct box){4, {"thread", "reg", "part", "half"}, {129, 17, 5, 3}};
    refused(&s.q, "slots of 18 bits");
    s.q = good;
    s.q.domain.extent[1] = 2;
    refused(&s.q, "other boxes");
    s.q = good;
    s.q.codomain.extent[1] = 8;
    refused(&s.q, "other boxes");
    s.q = good;
    s.contract.image[0][0].at[1] = 16;
    refused(&s.q, "leaves the tile");
}

static enum status ask_scene(void *context, struct error *e)
{
    struct scene *s = context;
    struct infer_answer a;
    enum status status = infer_map(&s->q, &a, e);
    if (status == STATUS_OK)
        layout_free(&a.map);
    return status;
}

static void infer_map_failed_allocations_are_reported(void **state)
{
    (void)state;
    static const uint8_t order[PLACES] = {0, 4, 1, 5, 3, 7, 6, 2};
    struct layout map = packed(order);
    struct scene s;
    scene_make(&s, SPREAD, &map);
    size_t failures = alloc_check(ask_scene, NULL, &s); /* separable */
    s.view.origin_known = false;
    failures += alloc_check(ask_scene, NULL, &s); /* the search of the origin */
    s.held[0] ^= 0x4000;
    failures += alloc_check(ask_scene, NULL, &s); /* a table, and a vote */
    uint32_t wide[TILE_SLOTS * 3];
    for (size_t n = 0; n < TILE_SLOTS * 3; n++)
        wide[n] = (uint32_t)(n * n);
    s.view.matrix = (struct infer_matrix){ROWS * 3, COLUMNS, wide};
    s.view.origin_known = true;
    capture(&map, wide, COLUMNS, 5, 0, s.held);
    failures += alloc_check(ask_scene, NULL, &s); /* moved */
    s.held[9] = s.held[8];
    failures += alloc_check(ask_scene, NULL, &s); /* the whole matrix */
    assert_true(failures > 50);
    layout_free(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(infer_family_name_every_family_has_its_own),
        cmocka_unit_test(infer_map_contract_that_fits_is_named_in_every_form),
        cmocka_unit_test(infer_map_contract_of_a_later_family_keeps_it),
        cmocka_unit_test(infer_map_one_slot_changed_leaves_only_a_table),
        cmocka_unit_test(infer_map_table_is_unique_where_every_value_is),
        cmocka_unit_test(infer_map_constant_tile_counts_every_affine_map),
        cmocka_unit_test(infer_map_repeated_rows_are_counted_exactly),
        cmocka_unit_test(infer_map_two_views_make_unique_what_one_leaves_open),
        cmocka_unit_test(infer_map_permuted_lanes_and_places_are_separable),
        cmocka_unit_test(infer_map_strides_from_any_origin_are_found),
        cmocka_unit_test(infer_map_other_operands_are_recovered),
        cmocka_unit_test(infer_map_large_d_tile_with_permuted_registers_is_separable),
        cmocka_unit_test(infer_map_search_that_is_cut_says_so),
        cmocka_unit_test(infer_map_contract_whose_company_is_not_counted_is_not_unique),
        cmocka_unit_test(infer_map_impossible_questions_are_refused),
        cmocka_unit_test(infer_map_failed_allocations_are_reported),
    };
    print_message("FO_TEST_SEED=%llu\n", (unsigned long long)splitmix_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
