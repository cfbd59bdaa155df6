#include "probes/infer_family.h"

#include <stdlib.h>
#include <string.h>

#include "probes/infer_bits.h"
#include "probes/infer_separable.h"

const char *infer_family_name(enum infer_family f)
{
    static const char *const name[] = {"affine", "strided", "separable", "table"};
    return (size_t)f < sizeof name / sizeof *name ? name[f] : "unknown family";
}

/* What a map is in coordinates, while its family is decided. */
static struct point element_of(const struct box *codomain, const uint32_t *map, const struct box *domain,
                               const struct point *slot)
{
    return box_point(codomain, map[box_code(domain, slot)]);
}

/* The strided layout that agrees with the map at the origin and at every bit. */
static struct layout strided_from_bits(const struct box *domain, const struct box *codomain, const uint32_t *map)
{
    struct layout l = {.kind = LAYOUT_STRIDED, .domain = *domain, .codomain = *codomain};
    struct point zero = {{0}};
    l.offset = element_of(codomain, map, domain, &zero);
    for (int d = 0; d < domain->rank; d++)
        for (uint32_t bit = 1; bit < domain->extent[d] && l.modes < LAYOUT_MODES; bit *= 2) {
            struct layout_mode *m = &l.mode[l.modes++];
            struct point unit = {{0}};
            unit.at[d] = bit;
            *m = (struct layout_mode){.dim = d, .divisor = bit, .extent = 2};
            m->stride = element_of(codomain, map, domain, &unit);
            for (int c = 0; c < LAYOUT_DIMS; c++)
                m->stride.at[c] -= l.offset.at[c];
        }
    return l;
}

static bool layout_is_map(const struct layout *l, const uint32_t *map)
{
    for (uint32_t n = 0; n < box_size(&l->domain); n++) {
        struct point slot = box_point(&l->domain, n), have = layout_apply(l, &slot),
                     want = box_point(&l->codomain, map[n]);
        if (memcmp(&have, &want, sizeof have) != 0)
            return false;
    }
    return true;
}

static bool map_is_separable(const struct box *domain, const struct box *codomain, const uint32_t *map)
{
    size_t places = box_size(domain) / domain->extent[0];
    struct point zero = box_point(codomain, map[0]);
    for (size_t n = 0; n < box_size(domain); n++) {
        struct point a = box_point(codomain, map[n / places * places]), b = box_point(codomain, map[n % places]),
                     sum = box_point(codomain, map[n]);
        for (int c = 0; c < codomain->rank; c++)
            if (a.at[c] + b.at[c] - zero.at[c] != sum.at[c])
                return false;
    }
    return true;
}

static struct layout borrowed_table(const struct box *domain, const struct box *codomain, const uint32_t *map)
{
    return (struct layout){
        .kind = LAYOUT_TABLE, .domain = *domain, .codomain = *codomain, .table = (uint32_t *)map /* only read */};
}

static enum infer_family family_of(const struct box *domain, const struct box *codomain, const uint32_t *map)
{
    struct layout table = borrowed_table(domain, codomain, map), affine;
    if (layout_to_affine(&table, &affine))
        return INFER_AFFINE;
    struct layout strided = strided_from_bits(domain, codomain, map);
    if (layout_is_map(&strided, map))
        return INFER_STRIDED;
    return map_is_separable(domain, codomain, map) ? INFER_SEPARABLE : INFER_TABLE;
}

enum status infer_solution_layout(const struct infer_solution *s, const struct box *domain, const struct box *codomain,
                                  struct layout *out, struct error *e)
{
    const uint32_t *map = s->fits.map[0];
    struct layout table = borrowed_table(domain, codomain, map);
    if (s->family == INFER_AFFINE && layout_to_affine(&table, out))
        return STATUS_OK;
    if (s->family == INFER_STRIDED) {
        *out = strided_from_bits(domain, codomain, map);
        return STATUS_OK;
    }
    return layout_from_table(domain, codomain, map, out, e);
}

struct search {
    const struct box *domain;
    const struct infer_classes *c;
    const uint32_t *contract; /* or NULL */
    struct infer_space exclusive, sum;
    uint32_t *map; /* [slots] */
};

/* Every slot may hold any element of its class: what the contract wants if it can be, so that a map differs from the
 * contract only where it must, else the first. One slot takes another element in the second map. */
static void search_table(struct search *s, struct infer_fits *fits)
{
    const struct infer_classes *c = s->c;
    size_t free_slot = c->slots;
    fits->count = 1;
    for (size_t n = 0; n < c->slots; n++) {
        uint32_t choices = infer_space_count(&s->sum, c->slot[n]);
        s->map[n] = infer_space_element(&s->sum, s->sum.member[s->sum.begin[c->slot[n]]]);
        if (s->contract && c->element[s->contract[n]] == c->slot[n])
            s->map[n] = s->contract[n];
        fits->count *= choices;
        if (choices > 1)
            free_slot = n;
    }
    infer_fits_keep(fits, s->map);
    if (free_slot == c->slots)
        return;
    const uint32_t *member = &s->sum.member[s->sum.begin[c->slot[free_slot]]];
    bool first = infer_space_element(&s->sum, member[0]) == s->map[free_slot];
    s->map[free_slot] = infer_space_element(&s->sum, member[first ? 1 : 0]);
    infer_fits_keep(fits, s->map);
}

static enum status search_family(struct search *s, enum infer_family f, struct infer_fits *fits, struct error *e)
{
    size_t threads = s->domain->extent[0], places = s->c->slots / threads;
    switch (f) {
    case INFER_AFFINE:
        return infer_bits_search(s->domain, s->c, &s->exclusive, fits, e);
    case INFER_STRIDED:
        return infer_bits_search(s->domain, s->c, &s->sum, fits, e);
    case INFER_SEPARABLE:
        /* Of one thread, or of one place a thread, any table is such a sum: no knowledge. */
        return places > 1 && threads > 1 ? infer_separable_search(threads, places, s->c, &s->sum, fits, e) : STATUS_OK;
    default:
        search_table(s, fits);
        return STATUS_OK;
    }
}

static bool contract_fits(const struct infer_classes *c, const uint32_t *contract)
{
    for (size_t n = 0; n < c->slots; n++)
        if (c->slot[n] != c->element[contract[n]])
            return false;
    return true;
}

/* The family of the contract if that fits, else every family in order. */
static enum status search_families(struct search *s, enum infer_family last, struct infer_solution *out,
                                   struct error *e)
{
    static const char *const name[] = {"i", "j"};
    struct box codomain = {2, {name[0], name[1]}, {(uint32_t)s->c->rows, (uint32_t)s->c->columns}};
    bool known = s->contract && contract_fits(s->c, s->contract);
    enum infer_family f = known ? family_of(s->domain, &codomain, s->contract) : INFER_AFFINE;
    for (; known || f <= last; f++) {
        infer_fits_clear(&out->fits);
        if (known)
            infer_fits_keep(&out->fits, s->contract);
        enum status status = search_family(s, f, &out->fits, e);
        if (status != STATUS_OK)
            return status;
        out->exhausted = out->exhausted || out->fits.exhausted;
        out->found = out->fits.maps > 0;
        out->family = f;
        if (out->found)
            break;
    }
    /* A search that was cut may have met fewer maps than are known. */
    if (out->found && out->fits.count < out->fits.maps)
        out->fits.count = out->fits.maps;
    return STATUS_OK;
}

enum status infer_solve(const struct box *domain, const struct infer_classes *c, const uint32_t *contract,
                        enum infer_family last, struct infer_solution *out, struct error *e)
{
    struct infer_solution made = {.explained = c->explained};
    struct search s = {.domain = domain, .c = c, .contract = contract};
    enum status status = STATUS_OK;
    if (c->explained < c->slots) { /* no map fits a slot whose value is nowhere */
        *out = made;
        return STATUS_OK;
    }
    s.map = malloc(c->slots * sizeof *s.map);
    if (!s.map)
        status = error_set(e, STATUS_NO_MEMORY, "no memory for a map of %zu slots", c->slots);
    if (status == STATUS_OK)
        status = infer_fits_make(c->slots, &made.fits, e);
    if (status == STATUS_OK)
        status = infer_space_make(c, true, &s.exclusive, e);
    if (status == STATUS_OK)
        status = infer_space_make(c, false, &s.sum, e);
    if (status == STATUS_OK)
        status = search_families(&s, last, &made, e);
    free(s.map);
    infer_space_free(&s.exclusive);
    infer_space_free(&s.sum);
    if (status == STATUS_OK)
        *out = made;
    else
        infer_solution_free(&made);
    return status;
}

void infer_solution_free(struct infer_solution *s)
{
    infer_fits_free(&s->fits);
}
