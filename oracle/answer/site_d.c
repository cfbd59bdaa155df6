/* site_d: does D follow from the A fragment, the bytes of B and scale-d that were recorded? What the registers hold is
 * taken by the contract, as the hardware takes it: so this says whether fragment, descriptor and arithmetic agree with
 * each other, whatever the matrices should have been. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/site_bytes.h"
#include "reference/fragment.h"
#include "reference/tile_product.h"

enum { SITES_MOST = 256 };

/* One wgmma that adds into the accumulator. */
struct adder {
    struct site_case c; /* site and op of it */
    const struct tap_image_stream *a, *b, *scale;
    bool a_bytes;
    struct layout a_contract;
    const struct site_type *a_type;
    struct site_bytes a_tile, b_tile; /* shapes only */
};
struct chain {
    const struct site_case *c;
    const struct tap_image_stream *d;
    struct layout d_contract;
    const struct site_type *d_type;
    size_t adders, here; /* here: adders up to the site of D */
    struct adder *adder; /* owned */
    uint32_t rows, columns, k;
    uint32_t *a, *b, *found; /* one tile each; owned */
};
/* What the records say. */
struct tally {
    size_t records, conforming, undecided, wrong_values;
    char first[200], why[200]; /* the first difference; why one is undecided */
};

static uint32_t came(const struct site_case *c, const struct tap_image_stream *s, uint32_t block, uint32_t warpgroup)
{
    const uint32_t *counter =
        s->counter + ((size_t)block * c->image->filter.warpgroups + warpgroup) * FO_CAPTURE_THREADS;
    for (uint32_t t = 1; t < FO_CAPTURE_THREADS; t++)
        if (counter[t] != counter[0])
            return 0;
    return counter[0];
}

/* What one site needs to be followed. *why stays empty when it is all there. */
static enum status adder_make(const struct site_case *c, uint32_t site, struct adder *out, char why[200],
                              struct error *e)
{
    struct adder x = {.c = *c};
    bool recorded = false;
    x.c.site = site;
    x.a = tap_image_find(c->image, site, FO_KIND_A, NULL);
    x.a_bytes = !x.a;
    x.scale = tap_image_find(c->image, site, FO_KIND_SCALE_D, NULL);
    x.b = tap_image_find(c->image, site, FO_KIND_B_BYTES, NULL);
    enum status s = site_bytes_shape(&x.c, 'B', &x.b_tile, &recorded, e);
    if (s == STATUS_OK && !recorded)
        snprintf(why, 200, "the bytes of B of site %u were not recorded", site);
    if (s == STATUS_OK && recorded && x.a_bytes) {
        x.a = tap_image_find(c->image, site, FO_KIND_A_BYTES, NULL);
        s = site_bytes_shape(&x.c, 'A', &x.a_tile, &recorded, e);
        if (s == STATUS_OK && !recorded)
            snprintf(why, 200, "A of site %u was not recorded", site);
    }
    x.a_type = site_type_find(c->op.family->a);
    if (s == STATUS_OK && !x.a_bytes &&
        (fragment_map(&c->op, FRAGMENT_A, &x.a_contract, e) != STATUS_OK || !x.a_type ||
         x.a->words != x.a_contract.domain.extent[1]))
        snprintf(why, 200, "what was recorded of A of site %u is no A fragment", site);
    if (s == STATUS_OK)
        *out = x;
    return s;
}

static void chain_free(struct chain *h)
{
    for (size_t i = 0; i < h->adders; i++) {
        site_bytes_free(&h->adder[i].a_tile);
        site_bytes_free(&h->adder[i].b_tile);
    }
    free(h->adder);
    free(h->a);
    free(h->b);
    free(h->found);
}

/* The sites that add into the accumulator of D, in the order of the text. `why` is filled when they cannot be followed.
 */
static enum status chain_make(const struct site_case *c, const struct tap_image_stream *d, struct chain *out,
                              char why[200], struct error *e)
{
    struct chain h = {.c = c, .d = d, .rows = WGMMA_M, .columns = (uint32_t)c->op.n, .k = (uint32_t)c->op.family->k};
    enum status s = STATUS_OK;
    uint32_t last = UINT32_MAX;
    h.d_type = site_type_find(c->op.family->d);
    if (fragment_map(&c->op, FRAGMENT_D, &h.d_contract, e) != STATUS_OK || !h.d_type ||
        d->words != h.d_contract.domain.extent[1]) {
        snprintf(why, 200, "%u registers a thread were recorded, which is no D fragment", d->words);
        return STATUS_OK;
    }
    h.adder = calloc(SITES_MOST, sizeof *h.adder);
    h.a = malloc((size_t)h.rows * h.k * sizeof *h.a);
    h.b = malloc((size_t)h.columns * h.k * sizeof *h.b);
    h.found = malloc((size_t)h.rows * h.columns * sizeof *h.found);
    if (!h.adder || !h.a || !h.b || !h.found)
        s = error_set(e, STATUS_NO_MEMORY, "no memory to follow an accumulator");
    for (uint32_t i = 0; s == STATUS_OK && !*why && i < c->image->stream_count; i++) {
        const struct tap_image_stream *t = &c->image->stream[i];
        if (t->accumulator != d->accumulator || t->kind == FO_KIND_ASSERT || t->site == last)
            continue;
        last = t->site;
        if (strcmp(t->op, d->op) != 0)
            snprintf(why, 200, "site %u adds into the same registers by another operation", t->site);
        else if (h.adders == SITES_MOST)
            snprintf(why, 200, "more than %d wgmma add into one accumulator", SITES_MOST);
        else
            s = adder_make(c, t->site, &h.adder[h.adders++], why, e);
        if (t->site <= c->site)
            h.here = h.adders;
    }
    if (s == STATUS_OK)
        *out = h;
    else
        chain_free(&h);
    return s;
}

/* A and B of one wgmma into h->a [row][k] and h->b [n][k]. */
static bool take_factors(struct chain *h, const struct adder *x, uint32_t block, uint32_t warpgroup, uint32_t time)
{
    if (!site_bytes_take(&x->c, x->b, &x->b_tile, block, warpgroup, time, h->b))
        return false;
    if (x->a_bytes)
        return site_bytes_take(&x->c, x->a, &x->a_tile, block, warpgroup, time, h->a);
    return site_fragment_take(h->c->image, x->a, &x->a_contract, x->a_type, block, warpgroup, time, h->a);
}

/* scale-d of one wgmma: 0, 1, or -1 where it was not recorded. */
static int scale_of(const struct adder *x, uint32_t block, uint32_t warpgroup, uint32_t time)
{
    const uint32_t *word = x->scale ? tap_image_words(x->c.image, x->scale, block, warpgroup, time, 0) : NULL;
    return word ? word[0] != 0 : -1;
}

/* The wgmma from step `first` to step `last` (counted over times and adders) on C; NULL is zero. *known: scale-d of 0
 * said what it starts from. false: a record is missing. */
static enum status follow(struct chain *h, uint32_t block, uint32_t warpgroup, uint64_t first, uint64_t last,
                          const uint32_t *c, struct tile_product *out, bool *known, bool *missing, struct error *e)
{
    struct tile_product p;
    uint32_t begin, end;
    *known = *missing = false;
    site_times(h->c->image, h->adder[0].b, block, warpgroup, &begin, &end);
    /* A long loop may lie outside the window almost wholly: only what was recorded is walked through. */
    bool cut = first < (uint64_t)begin * h->adders;
    first = cut ? (uint64_t)begin * h->adders : first;
    if (last >= (uint64_t)end * h->adders) {
        *missing = true;
        return STATUS_OK;
    }
    /* What is before the last scale-d of 0 does not matter. */
    for (uint64_t step = first; step <= last; step++)
        if (scale_of(&h->adder[step % h->adders], block, warpgroup, (uint32_t)(step / h->adders)) == 0) {
            first = step;
            *known = true;
        }
    *missing = cut && !*known;
    if (*missing)
        return STATUS_OK;
    enum status s = tile_product_make(&h->c->op, *known ? NULL : c, &p, e);
    if (s != STATUS_OK)
        return s;
    for (uint64_t step = first; step <= last && !*missing; step++) {
        if (take_factors(h, &h->adder[step % h->adders], block, warpgroup, (uint32_t)(step / h->adders)))
            tile_product_step(&p, h->a, h->b);
        else
            *missing = true;
    }
    if (*missing)
        tile_product_free(&p);
    else
        *out = p;
    return STATUS_OK;
}

/* Values of h->found that cannot be; the first of them. */
static size_t count_wrong(const struct chain *h, const struct tile_product *p, uint32_t *row, uint32_t *column)
{
    size_t wrong = 0;
    for (uint32_t i = 0; i < h->rows; i++)
        for (uint32_t j = 0; j < h->columns; j++)
            if (!tile_product_holds(p, i, j, h->found[i * h->columns + j]) && wrong++ == 0) {
                *row = i;
                *column = j;
            }
    return wrong;
}

static void note_difference(const struct chain *h, const struct tile_product *p, uint32_t block, uint32_t warpgroup,
                            uint32_t time, uint32_t row, uint32_t column, struct tally *t)
{
    const struct tap_image_filter *f = &h->c->image->filter;
    size_t at = (size_t)row * h->columns + column;
    if (!*t->first)
        snprintf(t->first, sizeof t->first,
                 "block %u, warpgroup %u, iteration %u: D(%u,%u) is %.9g, should be %.9g%s%.9g", f->first_block + block,
                 f->first_warpgroup + warpgroup, time, row, column, site_type_decode(h->d_type, h->found[at]),
                 p->low[at], p->exact ? " = " : " to ", p->high[at]);
}

/* Try one beginning. *settled: it explains D, or it must be the one. */
static enum status attempt(struct chain *h, uint32_t block, uint32_t warpgroup, uint32_t time, uint64_t first,
                           uint64_t last, const uint32_t *c, bool certain, bool *settled, struct tally *t,
                           struct error *e)
{
    struct tile_product p;
    bool known, missing;
    uint32_t row = 0, column = 0;
    enum status s = follow(h, block, warpgroup, first, last, c, &p, &known, &missing, e);
    if (s != STATUS_OK)
        return s;
    if (missing) {
        snprintf(t->why, sizeof t->why, "a wgmma of the chain is outside the window of the capture");
        t->undecided++;
        *settled = true;
        return STATUS_OK;
    }
    size_t wrong = count_wrong(h, &p, &row, &column);
    if (!wrong) {
        t->conforming++;
        *settled = true;
    } else if (known || certain) {
        t->wrong_values += wrong;
        note_difference(h, &p, block, warpgroup, time, row, column, t);
        *settled = true;
    }
    tile_product_free(&p);
    return STATUS_OK;
}

/* One D: from the D before it, or from nothing. */
static enum status judge_record(struct chain *h, uint32_t block, uint32_t warpgroup, uint32_t time, uint32_t trips,
                                uint32_t *before, struct tally *t, struct error *e)
{
    bool settled = false, follows;
    uint64_t end = ((uint64_t)(time + 1) * trips - 1) * h->adders + h->here - 1;
    uint64_t begin = time ? end + 1 - (uint64_t)trips * h->adders : 0;
    enum status s = STATUS_OK;
    t->records++;
    /* From nothing first: a kernel that clears its accumulators says so nowhere. */
    follows =
        time && site_fragment_take(h->c->image, h->d, &h->d_contract, h->d_type, block, warpgroup, time - 1, before);
    s = attempt(h, block, warpgroup, time, begin, end, NULL, false, &settled, t, e);
    if (s == STATUS_OK && !settled && follows)
        s = attempt(h, block, warpgroup, time, begin, end, before, trips == 1, &settled, t, e);
    if (s != STATUS_OK || settled)
        return s;
    t->undecided++;
    snprintf(t->why, sizeof t->why, "D does not follow from zero, and what its registers held before was not recorded");
    return STATUS_OK;
}

/* All D of one warpgroup. */
static enum status judge_group(struct chain *h, uint32_t block, uint32_t warpgroup, uint32_t *before, struct tally *t,
                               struct error *e)
{
    uint32_t results = came(h->c, h->d, block, warpgroup), time, end, trips = 0;
    enum status s = STATUS_OK;
    site_times(h->c->image, h->d, block, warpgroup, &time, &end);
    if (time == end)
        return STATUS_OK;
    for (size_t i = 0; i < h->adders; i++) {
        uint32_t n = came(h->c, h->adder[i].b, block, warpgroup);
        if (!results || !n || n % results || (trips && n / results != trips)) {
            snprintf(t->why, sizeof t->why, "the wgmma that add into these registers did not come by equally often");
            t->records++;
            t->undecided++;
            return STATUS_OK;
        }
        trips = n / results;
    }
    for (; s == STATUS_OK && time < end; time++)
        if (site_fragment_take(h->c->image, h->d, &h->d_contract, h->d_type, block, warpgroup, time, h->found))
            s = judge_record(h, block, warpgroup, time, trips, before, t, e);
    return s;
}

static void conclude(const struct chain *h, const struct tally *t, struct site_finding *f)
{
    size_t values = (size_t)h->rows * h->columns;
    json_object_set_new(f->document, "records", json_integer((json_int_t)t->records));
    json_object_set_new(f->document, "conforming", json_integer((json_int_t)t->conforming));
    json_object_set_new(f->document, "wrong_values", json_integer((json_int_t)t->wrong_values));
    if (t->wrong_values)
        site_conclude(
            f, FO_DIFFERS, "arithmetic",
            "D does not follow from the recorded A, B and scale-d: %zu wrong values in %zu of %zu records; %s",
            t->wrong_values, t->records - t->conforming - t->undecided, t->records, t->first);
    else if (t->undecided || !t->records)
        site_conclude(f, FO_UNDECIDED, "", "%zu of %zu records: %s", t->undecided, t->records,
                      *t->why ? t->why : "no D is whole");
    else
        site_conclude(f, FO_CONFORMS, "", "%zu of %zu values in %zu of %zu records follow from A, B and scale-d",
                      values, values, t->conforming, t->records);
}

enum status site_d_check(const struct site_case *c, struct site_finding *f, struct error *e)
{
    const struct tap_image_stream *d = tap_image_find(c->image, c->site, FO_KIND_D, NULL);
    const struct tap_image_filter *w = &c->image->filter;
    struct chain h = {0};
    struct tally t = {0};
    char why[200] = "";
    if (!d)
        return STATUS_OK;
    enum status s = chain_make(c, d, &h, why, e);
    if (s != STATUS_OK)
        return s;
    uint32_t *before = malloc((size_t)WGMMA_M * (uint32_t)c->op.n * sizeof *before);
    if (!before)
        s = error_set(e, STATUS_NO_MEMORY, "no memory for D");
    else if (*why)
        site_conclude(f, FO_UNDECIDED, "", "%s", why);
    else {
        for (uint32_t g = 0; s == STATUS_OK && g < w->blocks * w->warpgroups; g++)
            s = judge_group(&h, g / w->warpgroups, g % w->warpgroups, before, &t, e);
        if (s == STATUS_OK)
            conclude(&h, &t, f);
    }
    free(before);
    chain_free(&h);
    return s;
}
