#include "probes/explain_where.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a value of a feature is, as far as it was asked. */
enum { ASKED_INSIDE = 1, ASKED_OUTSIDE = 2 };

/* Does the condition "inside exactly where test(x)" hold for every value that was asked? */
struct range {
    uint32_t modulus, low, high; /* low <= x % modulus <= high; modulus 0: x itself */
};
static bool range_is(const uint8_t *asked, uint32_t extent, struct range r)
{
    for (uint32_t x = 0; x < extent; x++) {
        uint32_t y = r.modulus ? x % r.modulus : x;
        if (asked[x] && (asked[x] & ASKED_INSIDE ? 1 : 0) != (y >= r.low && y <= r.high))
            return false;
    }
    return true;
}

/* The range of x % modulus in the set. */
static struct range range_of(const uint8_t *asked, uint32_t extent, uint32_t modulus)
{
    struct range r = {modulus, UINT32_MAX, 0};
    for (uint32_t x = 0; x < extent; x++)
        if (asked[x] & ASKED_INSIDE) {
            uint32_t y = modulus ? x % modulus : x;
            r.low = y < r.low ? y : r.low;
            r.high = y > r.high ? y : r.high;
        }
    return r;
}

static unsigned write_range(const char *name, const uint8_t *asked, uint32_t extent, struct range r,
                            char text[WHERE_TEXT])
{
    char left[48];
    uint32_t least = UINT32_MAX, most = 0; /* that were asked */
    for (uint32_t x = 0; x < extent; x++)
        if (asked[x]) {
            uint32_t y = r.modulus ? x % r.modulus : x;
            least = y < least ? y : least;
            most = y > most ? y : most;
        }
    if (r.modulus)
        snprintf(left, sizeof left, "%s %% %u", name, r.modulus);
    else
        snprintf(left, sizeof left, "%s", name);
    unsigned dear = r.modulus ? 1 : 0;
    if (r.low == r.high) {
        snprintf(text, WHERE_TEXT, "%s == %u", left, r.low);
        return 1 + dear;
    }
    if (r.high == most) {
        snprintf(text, WHERE_TEXT, "%s >= %u", left, r.low);
        return 1 + dear;
    }
    if (r.low == least) {
        snprintf(text, WHERE_TEXT, "%s <= %u", left, r.high);
        return 1 + dear;
    }
    snprintf(text, WHERE_TEXT, "%u <= %s && %s <= %u", r.low, left, left, r.high);
    return 3 + dear;
}

static unsigned write_list(const char *name, const uint8_t *asked, uint32_t extent, char text[WHERE_TEXT])
{
    enum { SHOWN = 8 };
    uint32_t inside = 0, outside = 0, last_outside = 0;
    for (uint32_t x = 0; x < extent; x++) {
        inside += asked[x] & ASKED_INSIDE ? 1 : 0;
        if (asked[x] == ASKED_OUTSIDE) {
            outside++;
            last_outside = x;
        }
    }
    if (outside == 1) {
        snprintf(text, WHERE_TEXT, "%s != %u", name, last_outside);
        return 2;
    }
    int used = snprintf(text, WHERE_TEXT, "%s in {", name), shown = 0;
    for (uint32_t x = 0; x < extent && shown < SHOWN; x++)
        if (asked[x] & ASKED_INSIDE)
            used += snprintf(text + used, (size_t)(WHERE_TEXT - used), shown++ ? ", %u" : "%u", x);
    if (inside > SHOWN)
        used += snprintf(text + used, (size_t)(WHERE_TEXT - used), ", ... (%u of them)", inside);
    snprintf(text + used, (size_t)(WHERE_TEXT - used), "}");
    return 4 + inside;
}

/* The condition as text; returns its cost, 0 when it excludes nothing. */
static unsigned write_condition(const struct where_feature *f, const uint8_t *asked, char text[WHERE_TEXT])
{
    enum { MOST_MODULUS = 256 };
    uint32_t outside = 0, inside = 0;
    for (uint32_t x = 0; x < f->extent; x++) {
        outside += asked[x] == ASKED_OUTSIDE;
        inside += asked[x] & ASKED_INSIDE ? 1 : 0;
    }
    if (outside == 0)
        return 0;
    if (f->table) {
        snprintf(text, WHERE_TEXT, "%s in a table (%u of %u)", f->name, inside, inside + outside);
        return 100 + inside;
    }
    struct range r = range_of(asked, f->extent, 0);
    if (range_is(asked, f->extent, r))
        return write_range(f->name, asked, f->extent, r, text);
    for (uint32_t m = 2; m <= MOST_MODULUS && m < f->extent; m++) {
        r = range_of(asked, f->extent, m);
        if (range_is(asked, f->extent, r))
            return write_range(f->name, asked, f->extent, r, text);
    }
    return write_list(f->name, asked, f->extent, text);
}

struct search {
    const struct where_question *q;
    uint8_t *asked[WHERE_FEATURES];
    char text[WHERE_FEATURES][WHERE_TEXT];
    unsigned cost[WHERE_FEATURES];
    bool excluded_by[1 << WHERE_FEATURES]; /* by just these features was some observation excluded */
};

static void look(struct search *s)
{
    const struct where_question *q = s->q;
    uint32_t value[WHERE_FEATURES] = {0};
    for (size_t i = 0; i < q->count; i++) {
        if (q->side[i] == WHERE_IGNORED)
            continue;
        q->get(q->context, i, value);
        for (int f = 0; f < q->features; f++) {
            assert(value[f] < q->feature[f].extent);
            s->asked[f][value[f]] |= q->side[i] == WHERE_INSIDE ? ASKED_INSIDE : ASKED_OUTSIDE;
        }
    }
    for (size_t i = 0; i < q->count; i++) {
        if (q->side[i] != WHERE_OUTSIDE)
            continue;
        unsigned excluded = 0;
        q->get(q->context, i, value);
        for (int f = 0; f < q->features; f++)
            excluded |= (unsigned)!(s->asked[f][value[f]] & ASKED_INSIDE) << f;
        s->excluded_by[excluded] = true;
    }
}

static bool subset_suffices(const struct search *s, unsigned subset)
{
    for (unsigned m = 0; m < 1u << s->q->features; m++)
        if (s->excluded_by[m] && !(m & subset))
            return false;
    return true;
}

static bool choose(const struct search *s, unsigned *best)
{
    unsigned least = UINT32_MAX;
    for (unsigned subset = 0; subset < 1u << s->q->features; subset++) {
        unsigned cost = 0;
        for (int f = 0; f < s->q->features; f++)
            if (subset >> f & 1)
                cost += s->cost[f] + 1;
        if (cost < least && subset_suffices(s, subset)) {
            least = cost;
            *best = subset;
        }
    }
    return least != UINT32_MAX;
}

static void answer(struct search *s, unsigned subset, struct where *out)
{
    *out = (struct where){.found = true, .used = subset, .features = s->q->features};
    size_t used = 0;
    for (int f = 0; f < out->features; f++) {
        out->extent[f] = s->q->feature[f].extent;
        if (!(subset >> f & 1))
            continue;
        out->inside[f] = s->asked[f];
        s->asked[f] = NULL;
        for (uint32_t x = 0; x < out->extent[f]; x++)
            out->inside[f][x] = out->inside[f][x] & ASKED_INSIDE ? 1 : 0;
        out->cost += s->cost[f] + 1;
        int n = snprintf(out->text + used, WHERE_TEXT - used, used ? " && %s" : "%s", s->text[f]);
        used += (size_t)n < WHERE_TEXT - used ? (size_t)n : WHERE_TEXT - used - 1;
    }
    if (subset == 0)
        snprintf(out->text, WHERE_TEXT, "everywhere");
}

enum status where_find(const struct where_question *q, struct where *out, struct error *e)
{
    enum status status = STATUS_OK;
    assert(q->features <= WHERE_FEATURES);
    struct search *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(e, STATUS_NO_MEMORY, "no memory to describe a set");
    s->q = q;
    for (int f = 0; f < q->features && status == STATUS_OK; f++) {
        s->asked[f] = calloc(q->feature[f].extent, 1);
        if (!s->asked[f])
            status = error_set(e, STATUS_NO_MEMORY, "no memory to describe a set");
    }
    if (status == STATUS_OK) {
        unsigned best = 0;
        look(s);
        for (int f = 0; f < q->features; f++)
            s->cost[f] = write_condition(&q->feature[f], s->asked[f], s->text[f]);
        if (choose(s, &best))
            answer(s, best, out);
        else
            *out = (struct where){0};
    }
    for (int f = 0; f < q->features; f++)
        free(s->asked[f]);
    free(s);
    return status;
}

bool where_holds(const struct where *w, const uint32_t value[WHERE_FEATURES])
{
    for (int f = 0; f < w->features; f++)
        if (w->inside[f] && !w->inside[f][value[f]])
            return false;
    return w->found;
}

void where_free(struct where *w)
{
    for (int f = 0; f < w->features; f++)
        free(w->inside[f]);
    *w = (struct where){0};
}
