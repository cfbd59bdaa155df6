/* Maps that a kernel might really have, planted in tiles of ordinary data and recovered: the pack orders and random
 * affine maps. Prints how often one tile makes the answer unique.
 *     test_probes_infer_planted          1000 affine maps and 250 pack orders of each source
 *     test_probes_infer_planted all      the same with all 40,320 pack orders */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/probes/infer_cases.h"

#if defined(__SANITIZE_ADDRESS__)
enum { AFFINE_CASES = 100, ORDERS = 40 };
#else
enum { AFFINE_CASES = 1000, ORDERS = 250 };
#endif
enum { ALL_ORDERS = 40320 };
static bool all;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* other work on the machine does not count */
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Of one source: answers, and how they came out. */
struct tally {
    size_t cases, unique, bijective, affine;
    double seconds, slowest;
};

static struct infer_answer timed(const struct infer_question *q, struct tally *t)
{
    double start = now();
    struct infer_answer a = asked(q);
    double seconds = now() - start;
    t->seconds += seconds;
    t->slowest = seconds > t->slowest ? seconds : t->slowest;
    t->cases++;
    t->unique += a.unique;
    return a;
}

/* Unique, or a stated number of maps of which this is one. */
static void check_planted(const struct infer_answer *a, const struct infer_view *v, const struct layout *planted)
{
    assert_true(a->found && !a->exhausted && !a->fits_is_lower_bound);
    assert_true(a->fits >= 1);
    assert_int_equal(a->unique, a->fits == 1);
    assert_int_equal(infer_wrong_slots(v, &a->map, v->i0, v->j0, NULL), 0);
    if (a->unique)
        assert_true(recovered(a, planted));
    else
        check_other(a, v);
}

static void plant_affine(enum source from, struct splitmix *r, struct tally *t)
{
    uint32_t value[TILE_SLOTS], held[TILE_SLOTS];
    for (int n = 0; n < AFFINE_CASES; n++) {
        uint64_t seed = splitmix_next(r);
        /* Half of them bijections; what a kernel does may be none. */
        struct layout map =
            n % 2 ? affine_random(&slots, &elements, &seed) : affine_random_bijection(&slots, &elements, &seed);
        bool bijective = is_bijective(&map);
        fill_matrix(from, ROWS, COLUMNS, r, value);
        capture(&map, value, COLUMNS, 0, 0, held);
        struct infer_view v = view_of(held, value, ROWS, COLUMNS);
        struct infer_question q = {.domain = slots, .codomain = elements, .views = 1, .view = &v};
        struct infer_answer a = timed(&q, t);
        assert_int_equal(a.family, INFER_AFFINE);
        assert_int_equal(a.map.kind, LAYOUT_AFFINE);
        check_planted(&a, &v, &map);
        if (a.unique)
            assert_int_equal(a.bijective, bijective);
        t->bijective += bijective;
        layout_free(&a.map);
    }
}

static void infer_map_random_affine_maps_are_unique_from_one_tile(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    for (int from = 0; from < SOURCES; from++) {
        struct tally t = {0};
        plant_affine((enum source)from, &r, &t);
        print_message("affine, %s: %zu of %zu unique (%zu bijections), %.1f ms each, slowest %.1f\n", source_name[from],
                      t.unique, t.cases, t.bijective, 1e3 * t.seconds / (double)t.cases, 1e3 * t.slowest);
        assert_int_equal(t.cases, AFFINE_CASES);
        assert_true(t.bijective >= t.cases / 2 && t.bijective < t.cases);
        assert_int_equal(t.unique, t.cases);
    }
}

static void next_order(uint8_t order[PLACES], struct splitmix *r)
{
    for (uint8_t n = 0; n < PLACES; n++)
        order[n] = n;
    for (size_t n = PLACES - 1; n > 0; n--) {
        size_t k = splitmix_below(r, n + 1);
        uint8_t t = order[n];
        order[n] = order[k];
        order[k] = t;
    }
}

/* The n-th of all orders, in the factorial number system. */
static void nth_order(uint8_t order[PLACES], size_t n)
{
    uint8_t left[PLACES];
    for (uint8_t k = 0; k < PLACES; k++)
        left[k] = k;
    for (size_t k = 0, count = PLACES; k < PLACES; k++, count--) {
        size_t pick = n % count;
        n /= count;
        order[k] = left[pick];
        memmove(left + pick, left + pick + 1, count - 1 - pick);
    }
}

static void plant_order(enum source from, const uint8_t order[PLACES], const struct layout *contract,
                        struct splitmix *r, struct tally *t)
{
    uint32_t value[TILE_SLOTS], held[TILE_SLOTS];
    struct layout map = packed(order), affine;
    bool is_affine = layout_to_affine(&map, &affine);
    fill_matrix(from, ROWS, COLUMNS, r, value);
    capture(&map, value, COLUMNS, 0, 0, held);
    struct infer_view v = view_of(held, value, ROWS, COLUMNS);
    struct infer_question q = {.domain = slots, .codomain = elements, .views = 1, .view = &v, .contract = contract};
    struct infer_answer a = timed(&q, t);
    assert_int_equal(a.family, is_affine ? INFER_AFFINE : INFER_SEPARABLE);
    check_planted(&a, &v, &map);
    assert_int_equal(a.wrong, infer_wrong_slots(&v, contract, 0, 0, NULL));
    assert_int_equal(a.contract_fits, compared(&map, contract).equal);
    assert_true(a.bijective || !a.unique);
    t->affine += is_affine;
    layout_free(&a.map);
    layout_free(&map);
}

static void infer_map_pack_orders_are_recovered_exactly(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    struct layout contract = a_affine();
    size_t affine = 0;
    for (int from = 0; from < SOURCES; from++) {
        struct tally t = {0};
        size_t orders = all ? ALL_ORDERS : ORDERS;
        for (size_t n = 0; n < orders; n++) {
            uint8_t order[PLACES];
            next_order(order, &r);
            if (all)
                nth_order(order, n);
            plant_order((enum source)from, order, &contract, &r, &t);
        }
        print_message("pack orders, %s: %zu of %zu unique (%zu affine), %.1f ms each, slowest %.1f\n",
                      source_name[from], t.unique, t.cases, t.affine, 1e3 * t.seconds / (double)t.cases,
                      1e3 * t.slowest);
        assert_int_equal(t.cases, orders);
        assert_true(!all || t.affine == 1344);
        assert_int_equal(t.unique, t.cases);
        affine += t.affine;
    }
    assert_true(affine > 0);
}

/* The orders of the seed's table, of which the last is the contract's. */
static void infer_map_named_wrong_orders_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        uint8_t order[PLACES];
        size_t wrong; /* of 8 */
        enum infer_family family;
    } named[] = {{{0, 4, 1, 5, 3, 7, 6, 2}, 5, INFER_SEPARABLE}, {{0, 4, 1, 5, 2, 6, 3, 7}, 4, INFER_AFFINE},
                 {{0, 4, 1, 5, 3, 7, 2, 6}, 6, INFER_AFFINE},    {{0, 1, 2, 3, 4, 5, 6, 7}, 4, INFER_AFFINE},
                 {{1, 0, 5, 4, 3, 2, 7, 6}, 8, INFER_AFFINE},    {{0, 1, 4, 5, 2, 3, 6, 7}, 0, INFER_AFFINE}};
    struct splitmix r = {splitmix_seed()};
    struct layout contract = a_affine();
    size_t told = 0;
    for (size_t n = 0; n < sizeof named / sizeof *named; n++)
        for (int from = 0; from < SOURCES; from++, told++) {
            uint32_t value[TILE_SLOTS], held[TILE_SLOTS];
            struct layout map = packed(named[n].order);
            for (uint32_t p = 0; p < TILE_SLOTS; p++) /* all values differ: slots right are slots that agree */
                value[p] = p;
            struct infer_view v = view_of(held, value, ROWS, COLUMNS);
            struct infer_question q = {slots, elements, 1, &v, &contract};
            capture(&map, value, COLUMNS, 0, 0, held);
            struct infer_answer a = asked(&q);
            assert_int_equal(a.wrong, named[n].wrong * 128);
            layout_free(&a.map);
            fill_matrix((enum source)from, ROWS, COLUMNS, &r, value);
            capture(&map, value, COLUMNS, 0, 0, held);
            a = asked(&q);
            assert_true(a.unique && recovered(&a, &map));
            assert_int_equal(a.family, named[n].family);
            assert_int_equal(a.contract_fits, named[n].wrong == 0);
            layout_free(&a.map);
            layout_free(&map);
        }
    assert_int_equal(told, 6 * SOURCES);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(infer_map_random_affine_maps_are_unique_from_one_tile),
        cmocka_unit_test(infer_map_pack_orders_are_recovered_exactly),
        cmocka_unit_test(infer_map_named_wrong_orders_are_told_apart),
    };
    all = argc > 1 && strcmp(argv[1], "all") == 0;
    print_message("FO_TEST_SEED=%llu\n", (unsigned long long)splitmix_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
