/* The searches of infer against an enumeration that shares nothing with them: on boxes of a few slots every table that
 * fits is written down, and each is affine, strided or separable by the definition of the word, not by parameters. */
#include "probes/infer_bits.h"
#include "probes/infer_family.h"
#include "probes/infer_separable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/splitmix.h"

enum { SLOTS = 12, ELEMENTS = 16, TABLES_MOST = 1 << 16, VIEWS = 3, CASES = 3000 };

/* One question small enough to enumerate. */
struct tiny {
    struct box domain, tile;
    size_t views, slots, elements;
    uint32_t capture[VIEWS][SLOTS], value[VIEWS][ELEMENTS];
};

static const uint32_t domains[][3] = {{2, 2, 2}, {4, 2, 1}, {2, 4, 1}, {1, 8, 1}, {8, 1, 1}, {2, 3, 1}, {3, 2, 1},
                                      {3, 1, 2}, {5, 1, 1}, {2, 1, 3}, {1, 1, 1}, {2, 2, 1}, {2, 5, 1}, {3, 3, 1}};
static const uint32_t tiles[][2] = {{2, 4}, {4, 2}, {1, 8}, {3, 3}, {2, 5}, {5, 1}, {3, 4}, {1, 1}, {2, 2}, {4, 4}};

static uint32_t below(struct splitmix *r, size_t n)
{
    return (uint32_t)splitmix_below(r, n);
}

static bool may_hold(const struct tiny *t, size_t slot, size_t element)
{
    for (size_t v = 0; v < t->views; v++)
        if (t->capture[v][slot] != t->value[v][element])
            return false;
    return true;
}

static double tables(const struct tiny *t)
{
    double product = 1;
    for (size_t s = 0; s < t->slots; s++) {
        int choices = 0;
        for (size_t p = 0; p < t->elements; p++)
            choices += may_hold(t, s, p);
        product *= choices;
    }
    return product;
}

/* A random tile of `kinds` values and a random map, of one of the families so that something fits. */
static void make_tiny(struct splitmix *r, struct tiny *t)
{
    static const char *const slot_name[] = {"thread", "reg", "part"}, *const element_name[] = {"i", "j"};
    memset(t, 0, sizeof *t);
    t->domain.rank = 3;
    t->tile.rank = 2;
    size_t d = below(r, sizeof domains / sizeof *domains), c = below(r, sizeof tiles / sizeof *tiles);
    for (int n = 0; n < 3; n++) {
        t->domain.name[n] = slot_name[n];
        t->domain.extent[n] = domains[d][n];
    }
    for (int n = 0; n < 2; n++) {
        t->tile.name[n] = element_name[n];
        t->tile.extent[n] = tiles[c][n];
    }
    t->slots = box_size(&t->domain);
    t->elements = box_size(&t->tile);
    t->views = 1 + below(r, VIEWS);
    uint32_t step[16], a[16], places = t->domain.extent[1] * t->domain.extent[2], kind = below(r, 4);
    for (int n = 0; n < 16; n++) {
        step[n] = below(r, t->elements);
        a[n] = below(r, t->elements);
    }
    for (size_t v = 0; v < t->views; v++) {
        uint32_t kinds = 1 + below(r, 5);
        for (size_t p = 0; p < t->elements; p++)
            t->value[v][p] = below(r, kinds);
        for (size_t s = 0; s < t->slots; s++) {
            uint32_t p = kind == 0 ? a[s] : kind == 1 ? a[s / places] + step[s % places] : a[0];
            for (int b = 0; b < 4 && kind >= 2; b++)
                p = s >> b & 1u ? kind == 2 ? p ^ step[b] : p + step[b] : p;
            t->capture[v][s] = t->value[v][p % t->elements];
        }
    }
}

static struct point slot_of(const struct tiny *t, size_t s)
{
    return box_point(&t->domain, (uint32_t)s);
}

/* f(x) - f(x without one bit), by exclusive or or in integers, is the same wherever the bit is. */
static bool steps_agree(const struct tiny *t, const uint32_t *f, bool exclusive)
{
    for (int d = 0; d < 3; d++)
        for (uint32_t bit = 1; bit < t->domain.extent[d]; bit *= 2) {
            struct point known = {{0}};
            bool any = false;
            for (size_t s = 0; s < t->slots; s++) {
                struct point at = slot_of(t, s);
                if (!(at.at[d] & bit))
                    continue;
                at.at[d] ^= bit;
                struct point hi = box_point(&t->tile, f[s]), lo = box_point(&t->tile, f[box_code(&t->domain, &at)]),
                             step = {{0}};
                for (int c = 0; c < 2; c++)
                    step.at[c] = exclusive ? hi.at[c] ^ lo.at[c] : hi.at[c] - lo.at[c];
                if (any && memcmp(&step, &known, sizeof step) != 0)
                    return false;
                known = step;
                any = true;
            }
        }
    return true;
}

/* The way from one place to another is the same in every thread. */
static bool ways_agree(const struct tiny *t, const uint32_t *f)
{
    size_t places = t->slots / t->domain.extent[0];
    for (size_t s = places; s < t->slots; s++)
        for (int c = 0; c < 2; c++) {
            uint32_t here = box_point(&t->tile, f[s]).at[c] - box_point(&t->tile, f[s - s % places]).at[c];
            uint32_t there = box_point(&t->tile, f[s % places]).at[c] - box_point(&t->tile, f[0]).at[c];
            if (here != there)
                return false;
        }
    return true;
}

static bool is_of(const struct tiny *t, const uint32_t *f, enum infer_family family)
{
    switch (family) {
    case INFER_AFFINE:
        return steps_agree(t, f, true);
    case INFER_STRIDED:
        return steps_agree(t, f, false);
    case INFER_SEPARABLE:
        return ways_agree(t, f);
    default:
        return true;
    }
}

/* Go through all tables that fit and count those of each family. */
static void enumerate(const struct tiny *t, size_t count[INFER_FAMILIES])
{
    uint32_t f[SLOTS];
    size_t depth = 0;
    memset(count, 0, INFER_FAMILIES * sizeof *count);
    f[0] = 0;
    for (;;) {
        while (f[depth] < t->elements && !may_hold(t, depth, f[depth]))
            f[depth]++;
        if (f[depth] == t->elements) {
            if (depth-- == 0)
                return;
        } else if (depth + 1 < t->slots) {
            f[++depth] = 0;
            continue;
        } else {
            for (int family = 0; family < INFER_FAMILIES; family++)
                count[family] += is_of(t, f, (enum infer_family)family);
        }
        f[depth]++;
    }
}

static void check_kept(const struct tiny *t, const struct infer_fits *f, enum infer_family family, double count)
{
    assert_int_equal(f->maps, count > 1 ? 2 : (int)count);
    for (int n = 0; n < f->maps; n++) {
        for (size_t s = 0; s < t->slots; s++)
            assert_true(may_hold(t, s, f->map[n][s]));
        assert_true(is_of(t, f->map[n], family));
    }
    if (f->maps == 2)
        assert_memory_not_equal(f->map[0], f->map[1], t->slots * sizeof(uint32_t));
}

static void search(const struct tiny *t, const struct infer_classes *c, enum infer_family family, size_t count)
{
    struct infer_space space;
    struct infer_fits fits;
    struct error e;
    assert_int_equal(infer_space_make(c, family == INFER_AFFINE, &space, &e), STATUS_OK);
    assert_int_equal(infer_fits_make(t->slots, &fits, &e), STATUS_OK);
    size_t threads = t->domain.extent[0];
    enum status s = family == INFER_SEPARABLE
                        ? infer_separable_search(threads, t->slots / threads, c, &space, &fits, &e)
                        : infer_bits_search(&t->domain, c, &space, &fits, &e);
    assert_int_equal(s, STATUS_OK);
    assert_false(fits.exhausted);
    if (fits.count != (double)count)
        fail_msg("%s: %g maps found, %zu are there: %ux%ux%u slots, %ux%u elements", infer_family_name(family),
                 fits.count, count, t->domain.extent[0], t->domain.extent[1], t->domain.extent[2], t->tile.extent[0],
                 t->tile.extent[1]);
    check_kept(t, &fits, family, (double)count);
    infer_fits_free(&fits);
    infer_space_free(&space);
}

/* infer_map itself: the first family that has a map, and its count. */
static void ask(const struct tiny *t, const size_t count[INFER_FAMILIES])
{
    struct infer_view view[VIEWS] = {0};
    struct infer_question q = {.domain = t->domain, .codomain = t->tile, .views = t->views, .view = view};
    struct infer_answer a;
    struct error e;
    for (size_t v = 0; v < t->views; v++)
        view[v] = (struct infer_view){.value = t->capture[v],
                                      .matrix = {t->tile.extent[0], t->tile.extent[1], t->value[v]},
                                      .origin_known = true};
    assert_int_equal(infer_map(&q, &a, &e), STATUS_OK);
    int family = 0;
    size_t places = t->slots / t->domain.extent[0];
    while (family < INFER_TABLE &&
           (count[family] == 0 || (family == INFER_SEPARABLE && (places == 1 || places == t->slots))))
        family++;
    assert_int_equal(a.found, count[INFER_TABLE] > 0);
    assert_int_equal(a.slots, t->slots);
    if (a.found) {
        assert_int_equal(a.explained, t->slots);
        assert_int_equal(a.family, family);
        assert_true(a.fits == (double)count[family]);
        assert_int_equal(a.unique, count[family] == 1);
    }
    layout_free(&a.map);
}

static void infer_tiny_boxes_counts_what_enumeration_counts(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    size_t asked = 0, fitted[INFER_FAMILIES] = {0}, unique[INFER_FAMILIES] = {0}, several[INFER_FAMILIES] = {0};
    for (int n = 0; n < CASES; n++) {
        struct tiny t;
        make_tiny(&r, &t);
        if (tables(&t) > TABLES_MOST)
            continue;
        size_t count[INFER_FAMILIES];
        enumerate(&t, count);
        assert_true((double)count[INFER_TABLE] == tables(&t));
        struct infer_tile tile[VIEWS];
        struct infer_classes c;
        struct error e;
        for (size_t v = 0; v < t.views; v++)
            tile[v] = (struct infer_tile){t.capture[v], t.value[v], t.tile.extent[1]};
        assert_int_equal(infer_classes_make(tile, t.views, t.slots, t.tile.extent[0], t.tile.extent[1], &c, &e),
                         STATUS_OK);
        for (int f = 0; f < INFER_TABLE && c.explained == t.slots; f++)
            search(&t, &c, (enum infer_family)f, count[f]);
        ask(&t, count);
        for (int f = 0; f < INFER_FAMILIES; f++) {
            fitted[f] += count[f] > 0;
            unique[f] += count[f] == 1;
            several[f] += count[f] > 1;
        }
        infer_classes_free(&c);
        asked++;
    }
    print_message("%zu questions of %d; at least one, exactly one, several maps:", asked, CASES);
    for (int f = 0; f < INFER_FAMILIES; f++) {
        print_message(" %s %zu %zu %zu", infer_family_name((enum infer_family)f), fitted[f], unique[f], several[f]);
        assert_true(unique[f] > 100 && several[f] > 100);
    }
    print_message("\n");
    assert_true(asked > CASES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(infer_tiny_boxes_counts_what_enumeration_counts),
    };
    print_message("FO_TEST_SEED=%llu\n", (unsigned long long)splitmix_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
