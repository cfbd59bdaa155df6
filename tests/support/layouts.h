/* layouts: the boxes, maps and checked operations that the tests of layout share. Include cmocka.h first. */
#ifndef FO_TESTS_SUPPORT_LAYOUTS_H
#define FO_TESTS_SUPPORT_LAYOUTS_H

#include <string.h>

#include "reference/layout.h"

static const struct box slots = {3, {"thread", "reg", "part"}, {128, 4, 2}};
static const struct box elements = {2, {"i", "j"}, {64, 16}};
static const struct box eight_slots = {2, {"reg", "part"}, {4, 2}};
static const struct box eight_values = {2, {"i", "j"}, {2, 4}};

/* splitmix64: the same numbers everywhere; every random test starts from its own seed and names it when it fails. */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline struct layout affine_zero(const struct box *domain, const struct box *codomain)
{
    return (struct layout){.kind = LAYOUT_AFFINE, .domain = *domain, .codomain = *codomain};
}

/* Random images: some are bijections. */
static inline struct layout affine_random(const struct box *domain, const struct box *codomain, uint64_t *seed)
{
    struct layout l = affine_zero(domain, codomain);
    l.offset = box_point(codomain, (uint32_t)(next_random(seed) % box_size(codomain)));
    for (int d = 0; d < domain->rank; d++)
        for (int b = 0; 1u << b < domain->extent[d]; b++)
            l.image[d][b] = box_point(codomain, (uint32_t)(next_random(seed) % box_size(codomain)));
    return l;
}

/* A random bijection: images of ascending code bits, then random elementary steps. needs: boxes of one size. */
static inline struct layout affine_random_bijection(const struct box *domain, const struct box *codomain,
                                                    uint64_t *seed)
{
    struct point *image[32];
    struct layout l = affine_zero(domain, codomain);
    uint32_t bits = 0;
    for (int d = 0; d < domain->rank; d++)
        for (int b = 0; 1u << b < domain->extent[d]; b++, bits++) {
            image[bits] = &l.image[d][b];
            *image[bits] = box_point(codomain, 1u << bits);
        }
    for (int step = 0; bits && step < 200; step++) {
        uint32_t to = (uint32_t)(next_random(seed) % bits), from = (uint32_t)(next_random(seed) % bits);
        for (int c = 0; to != from && c < codomain->rank; c++)
            image[to]->at[c] ^= image[from]->at[c];
    }
    l.offset = box_point(codomain, (uint32_t)(next_random(seed) % box_size(codomain)));
    return l;
}

static inline struct layout identity(const struct box *b)
{
    struct layout l = affine_zero(b, b);
    for (int d = 0; d < b->rank; d++)
        for (int bit = 0; 1u << bit < b->extent[d]; bit++)
            l.image[d][bit].at[d] = 1u << bit;
    return l;
}

static inline struct layout tabulated(const struct layout *l)
{
    static uint32_t codes[1 << 16];
    struct layout table;
    assert_true(box_size(&l->domain) <= sizeof codes / sizeof *codes);
    for (uint32_t i = 0; i < box_size(&l->domain); i++) {
        struct point p = box_point(&l->domain, i), q = layout_apply(l, &p);
        codes[i] = box_code(&l->codomain, &q);
    }
    assert_int_equal(layout_from_table(&l->domain, &l->codomain, codes, &table, NULL), STATUS_OK);
    return table;
}

static inline struct layout_difference compared(const struct layout *a, const struct layout *b)
{
    struct layout_difference d;
    struct error e;
    if (layout_compare(a, b, &d, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return d;
}

static inline struct layout inverted(const struct layout *l)
{
    struct layout out;
    struct error e;
    if (layout_invert(l, &out, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return out;
}

static inline struct layout composed(const struct layout *second, const struct layout *first)
{
    struct layout out;
    struct error e;
    if (layout_compose(second, first, &out, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return out;
}

static inline bool is_bijective(const struct layout *l)
{
    bool bijective;
    struct error e;
    if (layout_check(l, &bijective, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return bijective;
}

/* inverse after l, and l after inverse, are identities. */
static inline void check_inverse(const struct layout *l, const struct layout *inverse)
{
    struct layout there = composed(inverse, l), back = composed(l, inverse);
    struct layout id = identity(&l->domain), id_back = identity(&l->codomain);
    assert_true(compared(&there, &id).equal);
    assert_true(compared(&back, &id_back).equal);
    layout_free(&there);
    layout_free(&back);
}

/* The A fragment of m64k16 three ways. */
static inline struct layout a_affine(void)
{
    struct layout l = affine_zero(&slots, &elements);
    static const struct point thread[7] = {{{0, 2}}, {{0, 4}}, {{1, 0}}, {{2, 0}}, {{4, 0}}, {{16, 0}}, {{32, 0}}};
    memcpy(l.image[0], thread, sizeof thread);
    l.image[1][0] = (struct point){{8, 0}};
    l.image[1][1] = (struct point){{0, 8}};
    l.image[2][0] = (struct point){{0, 1}};
    return l;
}

static inline struct layout a_strided(void)
{
    return (struct layout){.kind = LAYOUT_STRIDED,
                           .domain = slots,
                           .codomain = elements,
                           .modes = 6,
                           .mode = {{0, 1, 4, {{0, 2}}},
                                    {0, 4, 8, {{1, 0}}},
                                    {0, 32, 4, {{16, 0}}},
                                    {1, 1, 2, {{8, 0}}},
                                    {1, 2, 2, {{0, 8}}},
                                    {2, 1, 2, {{0, 1}}}}};
}

/* D of N = 24: twelve registers, no power of two. */
static inline struct layout d24_strided(void)
{
    return (struct layout){.kind = LAYOUT_STRIDED,
                           .domain = {3, {"thread", "reg", "part"}, {128, 12, 1}},
                           .codomain = {2, {"i", "j"}, {64, 24}},
                           .modes = 6,
                           .mode = {{0, 1, 4, {{0, 2}}},
                                    {0, 4, 8, {{1, 0}}},
                                    {0, 32, 4, {{16, 0}}},
                                    {1, 1, 2, {{0, 1}}},
                                    {1, 2, 2, {{8, 0}}},
                                    {1, 4, 3, {{0, 8}}}}};
}

#endif
