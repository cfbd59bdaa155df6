/* site_d: does D follow from the A fragment, the bytes of B and scale-d that were recorded? What the registers hold is
 * taken by the contract, as the hardware takes it: so this says whether fragment, descriptor and arithmetic agree with
 * each other, whatever the matrices should have been. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/infer/site_chain.h"

enum { WHY = 320 };
/* What the records say. */
struct tally {
    size_t records, conforming, undecided, wrong_values;
    char first[200], why[WHY]; /* the first difference; why one is undecided */
    /* The order in which it was summed, of the first record that has more than one; whether another has another. */
    char order[SITE_SCHEDULE_WORDS];
};
/* One warpgroup under one hypothesis of the order. */
struct trial {
    struct site_walk walk;
    uint32_t number[SITE_SCHEDULE_MOST]; /* of each site of the schedule */
    size_t here;                         /* that of D */
    uint32_t results;                    /* times that D came by */
    bool certain;                        /* the order is no hypothesis */
};
enum { TRIALS = 4 };
enum outcome { FOLLOWS, DIFFERS, OPEN, MISSING };

/* Times that all threads came by. false: not equally often. */
static bool came(const struct site_case *c, const struct tap_image_stream *s, const struct site_walk *w, uint32_t *out)
{
    const uint32_t *counter =
        s->counter + ((size_t)w->block * c->image->filter.warpgroups + w->warpgroup) * FO_CAPTURE_THREADS;
    *out = counter[0];
    for (uint32_t t = 1; t < FO_CAPTURE_THREADS; t++)
        if (counter[t] != counter[0])
            return false;
    return true;
}

/* Values of D that cannot be; the first of them. */
static size_t count_wrong(const struct site_chain *h, const struct tile_product *p, uint32_t *row, uint32_t *column)
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

static void note_difference(const struct site_walk *w, const struct tile_product *p, uint32_t time, uint32_t row,
                            uint32_t column, struct tally *t)
{
    const struct site_chain *h = w->chain;
    const struct tap_image_filter *f = &h->c->image->filter;
    size_t at = (size_t)row * h->columns + column;
    if (!*t->first)
        snprintf(t->first, sizeof t->first,
                 "block %u, warpgroup %u, iteration %u: D(%u,%u) is %.9g, should be %.9g%s%.9g",
                 f->first_block + w->block, f->first_warpgroup + w->warpgroup, time, row, column,
                 site_type_decode(h->d_type, h->found[at]), p->low[at], p->exact ? " = " : " to ", p->high[at]);
}

/* Try one beginning. certain: the registers held c, and nothing else. */
static enum status attempt(const struct trial *x, uint32_t time, uint64_t first, uint64_t last, const uint32_t *c,
                           bool certain, enum outcome *outcome, struct tally *t, struct error *e)
{
    struct tile_product p;
    bool known, missing;
    uint32_t row = 0, column = 0;
    enum status s = site_walk_follow(&x->walk, first, last, c, &p, &known, &missing, e);
    *outcome = MISSING;
    if (s != STATUS_OK || missing)
        return s;
    size_t wrong = count_wrong(x->walk.chain, &p, &row, &column);
    *outcome = !wrong ? FOLLOWS : x->certain && (known || certain) ? DIFFERS : OPEN;
    if (*outcome == DIFFERS) {
        t->wrong_values += wrong;
        note_difference(&x->walk, &p, time, row, column, t);
    }
    tile_product_free(&p);
    return STATUS_OK;
}

/* One D in one order: from nothing, or from the D before it. */
static enum status try_order(const struct trial *x, uint32_t time, enum outcome *outcome, struct tally *t,
                             struct error *e)
{
    struct site_chain *h = x->walk.chain;
    const struct site_schedule *order = &x->walk.schedule;
    uint32_t each = site_schedule_came(order, x->here) / x->results;
    uint64_t last = site_schedule_at(order, (struct site_step){x->here, (time + 1) * each - 1});
    uint64_t first = time ? site_schedule_at(order, (struct site_step){x->here, time * each - 1}) + 1 : 0;
    /* From nothing first: a kernel that clears its accumulators says so nowhere. */
    enum status s = attempt(x, time, first, last, NULL, false, outcome, t, e);
    if (s != STATUS_OK || *outcome != OPEN || !time ||
        !site_fragment_take(h->c->image, h->d, &h->d_contract, h->d_type, x->walk.block, x->walk.warpgroup, time - 1,
                            h->before))
        return s;
    return attempt(x, time, first, last, h->before, each == 1 && !h->fed, outcome, t, e);
}

/* One D, in the orders that the counts allow. */
static enum status judge_record(const struct trial *trial, size_t trials, uint32_t time, struct tally *t,
                                struct error *e)
{
    enum outcome outcome = OPEN;
    enum status s = STATUS_OK;
    size_t tried = 0;
    char order[SITE_SCHEDULE_WORDS];
    for (; s == STATUS_OK && outcome != FOLLOWS && outcome != DIFFERS && tried < trials; tried++)
        s = try_order(&trial[tried], time, &outcome, t, e);
    if (s != STATUS_OK)
        return s;
    const struct trial *x = &trial[tried - 1];
    site_schedule_words(&x->walk.schedule, x->number, order);
    t->records++;
    t->conforming += outcome == FOLLOWS;
    t->undecided += outcome == OPEN || outcome == MISSING;
    if (outcome == FOLLOWS && !x->certain && !*t->order)
        snprintf(t->order, sizeof t->order, "%s", order);
    if (outcome == MISSING)
        snprintf(t->why, sizeof t->why, "a wgmma of the chain is outside the window of the capture");
    else if (outcome == OPEN && x->certain)
        snprintf(t->why, sizeof t->why,
                 "D does not follow from zero, and what its registers held before was not recorded");
    else if (outcome == OPEN)
        snprintf(t->why, sizeof t->why, "D does not follow from %s, but they may have run in another order", order);
    return STATUS_OK;
}

/* The sites of the chain that came by, from adder `first` on; how often, into count. false: *why says what is wrong. */
static bool list_sites(size_t first, struct trial *x, uint32_t *count, size_t *sites, char why[WHY])
{
    const struct site_chain *h = x->walk.chain;
    *sites = 0;
    x->here = SITE_SCHEDULE_MOST;
    for (size_t i = first; i < h->adders; i++) {
        uint32_t n, number = h->adder[i].c.site;
        if (!came(h->c, h->adder[i].b, &x->walk, &n)) {
            snprintf(why, WHY, "the threads of the warpgroup came by site %u unequally often", number);
            return false;
        }
        if (!n)
            continue;
        if (number == h->c->site)
            x->here = *sites;
        x->walk.adder[*sites] = i;
        x->number[*sites] = number;
        count[(*sites)++] = n;
    }
    if (x->here == SITE_SCHEDULE_MOST) {
        snprintf(why, WHY, "D came by, but the wgmma of site %u did not", h->c->site);
        return false;
    }
    if (!came(h->c, h->d, &x->walk, &x->results) || count[x->here] % x->results) {
        snprintf(why, WHY, "D and the wgmma of site %u did not come by equally often", h->c->site);
        return false;
    }
    return true;
}

/* The orders that the counts allow: in as many passes as there can be; or in one, in which loops follow one another. Of
 * the accumulator alone, then with what may feed it. */
static size_t list_trials(const struct trial *group, struct trial *trial, char why[WHY])
{
    const struct site_chain *h = group->walk.chain;
    uint32_t count[SITE_SCHEDULE_MOST];
    size_t sites, own = 0, trials = 0;
    for (int fed = 0; fed <= (h->fed > 0); fed++) {
        struct trial *x = &trial[trials];
        *x = *group;
        if (!list_sites(fed ? 0 : h->fed, x, count, &sites, why))
            return 0;
        if (fed && sites == own)
            break;
        own = sites;
        uint32_t passes = site_schedule_passes(count, sites);
        site_schedule_make(count, sites, passes, &x->walk.schedule);
        x->certain = !fed && site_schedule_is_certain(&x->walk.schedule, x->results);
        trials++;
        if (x->certain || x->walk.schedule.runs == 1 || passes == 1)
            continue;
        trial[trials] = *x;
        site_schedule_make(count, sites, 1, &trial[trials++].walk.schedule);
    }
    return trials;
}

/* All D of one warpgroup. */
static enum status judge_group(struct site_chain *h, uint32_t block, uint32_t warpgroup, struct trial *trial,
                               struct tally *t, struct error *e)
{
    struct trial group = {.walk = {.chain = h, .block = block, .warpgroup = warpgroup}};
    enum status s = STATUS_OK;
    uint32_t time, end;
    site_times(h->c->image, h->d, block, warpgroup, &time, &end);
    if (time == end)
        return STATUS_OK;
    size_t trials = list_trials(&group, trial, t->why);
    if (!trials) {
        t->records++;
        t->undecided++;
    }
    for (; s == STATUS_OK && trials && time < end; time++)
        if (site_fragment_take(h->c->image, h->d, &h->d_contract, h->d_type, block, warpgroup, time, h->found))
            s = judge_record(trial, trials, time, t, e);
    return s;
}

static void conclude(const struct site_chain *h, const struct tally *t, struct site_finding *f)
{
    size_t values = (size_t)h->rows * h->columns;
    json_object_set_new(f->document, "records", json_integer((json_int_t)t->records));
    json_object_set_new(f->document, "conforming", json_integer((json_int_t)t->conforming));
    json_object_set_new(f->document, "wrong_values", json_integer((json_int_t)t->wrong_values));
    if (*t->order)
        json_object_set_new(f->document, "order", json_string(t->order));
    if (t->wrong_values)
        site_conclude(
            f, FO_DIFFERS, "arithmetic",
            "D does not follow from the recorded A, B and scale-d: %zu wrong values in %zu of %zu records; %s",
            t->wrong_values, t->records - t->conforming - t->undecided, t->records, t->first);
    else if (t->undecided || !t->records)
        site_conclude(f, FO_UNDECIDED, "", "%zu of %zu records: %s", t->undecided, t->records,
                      *t->why ? t->why : "no D is whole");
    else
        site_conclude(f, FO_CONFORMS, "",
                      SITE_RIGHT " of " SITE_OF " values in " SITE_GOOD " of " SITE_RECORDS
                                 " records follow from A, B and scale-d%s%s",
                      *t->order ? "; summed as " : "", t->order);
    f->count = (struct site_count){
        .right = values * t->conforming, .of = values * t->records, .good = t->conforming, .records = t->records};
}

/* A tap that was asked for registers alone, or the header. */
static bool has_bytes(const struct tap_image *image)
{
    for (uint32_t i = 0; i < image->stream_count; i++)
        if (image->stream[i].kind == FO_KIND_B_BYTES)
            return true;
    return false;
}

enum status site_d_check(const struct site_case *c, struct site_finding *f, struct error *e)
{
    const struct tap_image_filter *w = &c->image->filter;
    struct site_chain h = {0};
    struct tally t = {0};
    enum status s = STATUS_OK;
    char why[SITE_CHAIN_WHY] = "";
    bool any = false;
    struct trial *trial = malloc(TRIALS * sizeof *trial);
    if (!trial)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the orders of a product");
    /* A site may have several results: two ways out of a loop. */
    for (uint32_t i = 0; s == STATUS_OK && !*why && i < c->image->stream_count; i++) {
        const struct tap_image_stream *d = &c->image->stream[i];
        if (d->site != c->site || d->kind != FO_KIND_D)
            continue;
        any = true;
        if (!has_bytes(c->image)) {
            site_conclude(f, FO_NOT_APPLICABLE, "", "the bytes of B were recorded nowhere: no product to compare");
            break;
        }
        s = site_chain_make(c, d, &h, why, e);
        for (uint32_t g = 0; s == STATUS_OK && !*why && g < w->blocks * w->warpgroups; g++)
            s = judge_group(&h, g / w->warpgroups, g % w->warpgroups, trial, &t, e);
        if (s == STATUS_OK && !*why)
            conclude(&h, &t, f);
        site_chain_free(&h);
    }
    if (s == STATUS_OK && any && *why)
        site_conclude(f, FO_UNDECIDED, "", "%s", why);
    free(trial);
    return s;
}
