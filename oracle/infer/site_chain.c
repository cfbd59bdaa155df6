#include "oracle/infer/site_chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference/fragment.h"

/* What one site needs to be followed. *why stays empty when it is all there. */
static enum status adder_make(const struct site_case *c, uint32_t site, struct site_adder *out,
                              char why[SITE_CHAIN_WHY], struct error *e)
{
    struct site_adder x = {.c = *c};
    bool recorded = false;
    x.c.site = site;
    x.a = tap_image_find(c->image, site, FO_KIND_A, NULL);
    x.a_bytes = !x.a;
    x.scale = tap_image_find(c->image, site, FO_KIND_SCALE_D, NULL);
    x.b = tap_image_find(c->image, site, FO_KIND_B_BYTES, NULL);
    enum status s = site_bytes_shape(&x.c, 'B', &x.b_tile, &recorded, e);
    if (s == STATUS_OK && !recorded)
        snprintf(why, SITE_CHAIN_WHY, "the bytes of B of site %u were not recorded", site);
    if (s == STATUS_OK && recorded && x.a_bytes) {
        x.a = tap_image_find(c->image, site, FO_KIND_A_BYTES, NULL);
        s = site_bytes_shape(&x.c, 'A', &x.a_tile, &recorded, e);
        if (s == STATUS_OK && !recorded)
            snprintf(why, SITE_CHAIN_WHY, "A of site %u was not recorded", site);
    }
    x.a_type = site_type_find(c->op.family->a);
    if (s == STATUS_OK && !x.a_bytes &&
        (fragment_map(&c->op, FRAGMENT_A, &x.a_contract, e) != STATUS_OK || !x.a_type ||
         x.a->words != x.a_contract.domain.extent[1]))
        snprintf(why, SITE_CHAIN_WHY, "what was recorded of A of site %u is no A fragment", site);
    if (s == STATUS_OK) {
        *out = x;
    } else {
        site_bytes_free(&x.a_tile);
        site_bytes_free(&x.b_tile);
    }
    return s;
}

static void free_adders(struct site_chain *h)
{
    for (size_t i = 0; i < h->adders; i++) {
        site_bytes_free(&h->adder[i].a_tile);
        site_bytes_free(&h->adder[i].b_tile);
    }
    h->adders = h->fed = 0;
}

void site_chain_free(struct site_chain *h)
{
    free_adders(h);
    free(h->adder);
    free(h->a);
    free(h->b);
    free(h->found);
    free(h->before);
    memset(h, 0, sizeof *h);
}

static bool is_adder(const struct tap_image_stream *t)
{
    return t->kind != FO_KIND_ASSERT;
}

static bool has_result(const struct tap_image *image, uint32_t accumulator)
{
    for (uint32_t i = 0; i < image->stream_count; i++)
        if (image->stream[i].accumulator == accumulator && image->stream[i].kind == FO_KIND_D)
            return true;
    return false;
}

/* Where the adders begin: the first stream of the accumulator, or further up where what stands ahead of it has the same
 * operation and no result. */
static uint32_t first_stream(const struct site_chain *h, uint32_t *own)
{
    const struct tap_image *image = h->c->image;
    uint32_t first = 0;
    while (image->stream[first].accumulator != h->d->accumulator || !is_adder(&image->stream[first]))
        first++;
    *own = first;
    while (first > 0 && is_adder(&image->stream[first - 1]) && strcmp(image->stream[first - 1].op, h->d->op) == 0 &&
           !has_result(image, image->stream[first - 1].accumulator))
        first--;
    return first;
}

/* Every site of the chain, in the order of the text. */
static enum status add_adders(struct site_chain *h, char why[SITE_CHAIN_WHY], struct error *e)
{
    const struct tap_image *image = h->c->image;
    enum status s = STATUS_OK;
    uint32_t last = UINT32_MAX, own, first = first_stream(h, &own);
    for (uint32_t i = first; s == STATUS_OK && !*why && i < image->stream_count; i++) {
        const struct tap_image_stream *t = &image->stream[i];
        if ((i >= own && t->accumulator != h->d->accumulator) || !is_adder(t) || t->site == last)
            continue;
        last = t->site;
        h->fed += i < own;
        if (strcmp(t->op, h->d->op) != 0)
            snprintf(why, SITE_CHAIN_WHY, "site %u adds into the same registers by another operation", t->site);
        else if (h->adders == SITE_SCHEDULE_MOST)
            snprintf(why, SITE_CHAIN_WHY, "more than %d wgmma add into one accumulator", SITE_SCHEDULE_MOST);
        else
            s = adder_make(h->c, t->site, &h->adder[h->adders++], why, e);
        if (*why && i < own) { /* then nothing can be said of what feeds it */
            *why = '\0';
            free_adders(h);
            i = own - 1;
        }
    }
    return s;
}

enum status site_chain_make(const struct site_case *c, const struct tap_image_stream *d, struct site_chain *out,
                            char why[SITE_CHAIN_WHY], struct error *e)
{
    struct site_chain h = {
        .c = c, .d = d, .rows = WGMMA_M, .columns = (uint32_t)c->op.n, .k = (uint32_t)c->op.family->k};
    size_t values = (size_t)h.rows * h.columns;
    h.d_type = site_type_find(c->op.family->d);
    if (fragment_map(&c->op, FRAGMENT_D, &h.d_contract, e) != STATUS_OK || !h.d_type ||
        d->words != h.d_contract.domain.extent[1]) {
        snprintf(why, SITE_CHAIN_WHY, "%u registers a thread were recorded, which is no D fragment", d->words);
        return STATUS_OK;
    }
    h.adder = calloc(SITE_SCHEDULE_MOST, sizeof *h.adder);
    h.a = malloc((size_t)h.rows * h.k * sizeof *h.a);
    h.b = malloc((size_t)h.columns * h.k * sizeof *h.b);
    h.found = malloc(values * sizeof *h.found);
    h.before = malloc(values * sizeof *h.before);
    enum status s = STATUS_OK;
    if (!h.adder || !h.a || !h.b || !h.found || !h.before)
        s = error_set(e, STATUS_NO_MEMORY, "no memory to follow an accumulator");
    if (s == STATUS_OK)
        s = add_adders(&h, why, e);
    if (s == STATUS_OK)
        *out = h;
    else
        site_chain_free(&h);
    return s;
}

/* A and B of one wgmma into h->a [row][k] and h->b [n][k]. */
static bool take_factors(struct site_chain *h, const struct site_adder *x, uint32_t block, uint32_t warpgroup,
                         uint32_t time)
{
    if (!site_bytes_take(&x->c, x->b, &x->b_tile, block, warpgroup, time, h->b))
        return false;
    if (x->a_bytes)
        return site_bytes_take(&x->c, x->a, &x->a_tile, block, warpgroup, time, h->a);
    return site_fragment_take(h->c->image, x->a, &x->a_contract, x->a_type, block, warpgroup, time, h->a);
}

/* scale-d of one wgmma: 0, 1, or -1 where it was not recorded. */
static int scale_of(const struct site_adder *x, uint32_t block, uint32_t warpgroup, uint32_t time)
{
    const uint32_t *word = x->scale ? tap_image_words(x->c.image, x->scale, block, warpgroup, time, 0) : NULL;
    return word ? word[0] != 0 : -1;
}

static const struct site_adder *adder_of(const struct site_walk *w, size_t site)
{
    return &w->chain->adder[w->adder[site]];
}

/* Where the recorded steps around `last` begin, and whether `last` is among them: a long loop may lie outside the
 * window almost wholly, and only what was recorded is walked through. */
static bool recorded_from(const struct site_walk *w, uint64_t last, uint64_t *from)
{
    *from = 0;
    for (size_t i = 0; i < w->schedule.sites; i++) {
        const struct site_adder *x = adder_of(w, i);
        uint32_t begin, end;
        site_times(x->c.image, x->b, w->block, w->warpgroup, &begin, &end);
        if (end < site_schedule_came(&w->schedule, i) &&
            site_schedule_at(&w->schedule, (struct site_step){i, end}) <= last)
            return false;
        uint64_t next = begin ? site_schedule_at(&w->schedule, (struct site_step){i, begin - 1}) + 1 : 0;
        *from = next > *from ? next : *from;
    }
    return *from <= last;
}

enum status site_walk_follow(const struct site_walk *w, uint64_t first, uint64_t last, const uint32_t *c,
                             struct tile_product *out, bool *known, bool *missing, struct error *e)
{
    struct tile_product p;
    uint64_t from;
    *known = false;
    *missing = !recorded_from(w, last, &from);
    if (*missing)
        return STATUS_OK;
    bool cut = first < from;
    first = cut ? from : first;
    /* What is before the last scale-d of 0 does not matter. */
    for (uint64_t at = first; at <= last; at++) {
        struct site_step step = site_schedule_step(&w->schedule, at);
        if (scale_of(adder_of(w, step.site), w->block, w->warpgroup, step.time) == 0) {
            first = at;
            *known = true;
        }
    }
    *missing = cut && !*known;
    if (*missing)
        return STATUS_OK;
    enum status s = tile_product_make(&w->chain->c->op, *known ? NULL : c, &p, e);
    if (s != STATUS_OK)
        return s;
    for (uint64_t at = first; at <= last && !*missing; at++) {
        struct site_step step = site_schedule_step(&w->schedule, at);
        if (take_factors(w->chain, adder_of(w, step.site), w->block, w->warpgroup, step.time))
            tile_product_step(&p, w->chain->a, w->chain->b);
        else
            *missing = true;
    }
    if (*missing)
        tile_product_free(&p);
    else
        *out = p;
    return STATUS_OK;
}
