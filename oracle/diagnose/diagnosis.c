#include "oracle/diagnose/diagnosis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/diagnose/evidence.h"

enum { CANDIDATES = 128 };

/* A search in progress. */
struct search {
    struct evidence evidence;
    size_t count;
    struct choice candidate[CANDIDATES];
    struct row_place *place;              /* [P]: of the chain that is tried */
    struct chain near[DIAGNOSIS_NEAREST]; /* best first; their places are made again */
    long near_score[DIAGNOSIS_NEAREST];
    size_t nearest;
};

const char *choice_text(const struct choice *c, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s%s%s", c->is->id ? c->is->id : "", c->is->id ? " " : "", c->is->name);
    if (!c->is->id)
        for (int i = 0; i < 8 && used < size; i++)
            used += (size_t)snprintf(text + used, size - used, " v%02u", c->order[i]);
    if (c->is->parameter && used + 3 < size) {
        char parameter[64];
        snprintf(parameter, sizeof parameter, c->is->parameter, c->parameter);
        snprintf(text + used, size - used, " (%s)", parameter);
    }
    return text;
}

bool finding_has_names(const struct finding *x)
{
    for (size_t i = 0; i < x->count; i++)
        if (!x->fault[i].is->id)
            return false;
    return true;
}

static void candidates_make(struct search *s)
{
    const struct geometry *g = s->evidence.g;
    for (size_t i = 0; i < hypothesis_count(); i++) {
        const struct hypothesis *h = hypothesis_at(i);
        struct choice choices[CHOICES] = {{.is = h}};
        size_t count = h->choices ? h->choices(g, h, choices) : 1;
        for (size_t c = 0; c < count && s->count < CANDIDATES; c++)
            s->candidate[s->count++] = choices[c];
    }
}

/* Two that change one and the same thing make a third of its kind, not two faults. */
static bool coexist(const struct choice *a, const struct choice *b)
{
    return a->is != b->is && !(a->is->depth == DEPTH_REGISTER && b->is->depth == DEPTH_REGISTER);
}

/* Keep the best few of the singles; earlier ones stay ahead of equals. */
static void keep_near(struct search *s, const struct chain *c, long score)
{
    size_t at = s->nearest;
    while (at > 0 && s->near_score[at - 1] < score)
        at--;
    if (score <= 0 || at == DIAGNOSIS_NEAREST)
        return;
    s->nearest += s->nearest < DIAGNOSIS_NEAREST;
    for (size_t i = s->nearest - 1; i > at; i--) {
        s->near[i] = s->near[i - 1];
        s->near_score[i] = s->near_score[i - 1];
    }
    s->near[at] = *c;
    s->near_score[at] = score;
}

static long score_of(const struct explained *x)
{
    return (long)x->explained - (long)x->spoiled;
}

static struct finding finding_of(struct evidence *v, const struct chain *c)
{
    struct finding x = {.count = c->count,
                        .map = evidence_map(v, c, NULL, false),
                        .pair = evidence_pair(v, c, NULL, false),
                        .guard = evidence_guard(v, c)};
    memcpy(x.fault, c->step, sizeof x.fault);
    return x;
}

/* Does this chain give everything that was seen? Cheap questions first. */
static bool chain_is_exact(struct evidence *v, const struct chain *c)
{
    struct explained x = evidence_map(v, c, &v->map, true);
    if (explained_exactly(&x))
        x = evidence_pair(v, c, &v->pair, true);
    if (explained_exactly(&x))
        x = evidence_guard(v, c);
    if (explained_exactly(&x))
        x = evidence_map(v, c, NULL, true);
    if (explained_exactly(&x))
        x = evidence_pair(v, c, NULL, true);
    return explained_exactly(&x);
}

/* A chain that foretells anything at all for what it explains, instead of leaving it open, in at least one kind. */
static bool says_something(const struct finding *x, const struct chain *c)
{
    return !chain_mixes(c) || x->pair.explained > 0;
}

/* Enough to rank by, and to give up on most. */
static struct explained look(struct search *s, const struct chain *c, bool strict)
{
    struct evidence *v = &s->evidence;
    return v->right_map.differing > 0 ? evidence_map(v, c, &v->few_map, strict)
                                      : evidence_pair(v, c, &v->few_pair, strict);
}

static void try_chain(struct search *s, const struct chain *c, struct diagnosis *d)
{
    struct evidence *v = &s->evidence;
    if (!chain_is_exact(v, c))
        return;
    struct finding whole = finding_of(v, c);
    if (!says_something(&whole, c))
        return;
    /* The same faults with another parameter, or the other way round, are no other explanation. */
    for (size_t i = 0; i < d->exact && i < DIAGNOSIS_EXACT; i++) {
        const struct finding *known = &d->finding[i];
        bool same = known->fault[0].is == whole.fault[0].is && known->fault[1].is == whole.fault[1].is;
        bool turned = known->fault[0].is == whole.fault[1].is && known->fault[1].is == whole.fault[0].is;
        if (same || (whole.count == 2 && turned))
            return;
    }
    if (d->exact < DIAGNOSIS_EXACT)
        d->finding[d->exact] = whole;
    d->exact++;
}

static void try_singles(struct search *s, struct diagnosis *d)
{
    struct chain chains[2];
    for (size_t i = 0; i < s->count; i++, d->tried++) {
        chain_make(s->evidence.g, &s->candidate[i], NULL, s->place, chains);
        struct explained x = look(s, &chains[0], false);
        if (!chain_mixes(&chains[0]))
            keep_near(s, &chains[0], score_of(&x));
        if (explained_exactly(&x))
            try_chain(s, &chains[0], d);
    }
}

/* Where one order without a name explains everything, two names may still do so, and say more. */
static void try_pairs(struct search *s, struct diagnosis *d)
{
    struct chain chains[2];
    bool order_is_enough = d->exact > 0;
    for (size_t i = 0; i < s->count; i++)
        for (size_t j = i + 1; j < s->count; j++) {
            const struct choice *a = &s->candidate[i], *b = &s->candidate[j];
            if (!coexist(a, b) || (order_is_enough && (!a->is->id || !b->is->id)))
                continue;
            size_t ways = chain_make(s->evidence.g, a, b, s->place, chains);
            for (size_t w = 0; w < ways; w++) {
                struct explained x = look(s, &chains[w], true);
                if (explained_exactly(&x))
                    try_chain(s, &chains[w], d);
            }
            d->tried++;
        }
}

static bool names_among(const struct diagnosis *d)
{
    for (size_t i = 0; i < d->exact && i < DIAGNOSIS_EXACT; i++)
        if (finding_has_names(&d->finding[i]))
            return true;
    return false;
}

/* Names before orders that have none. */
static void put_names_first(struct diagnosis *d)
{
    size_t count = d->exact < DIAGNOSIS_EXACT ? d->exact : DIAGNOSIS_EXACT, named = 0;
    for (size_t i = 0; i < count; i++)
        if (finding_has_names(&d->finding[i])) {
            struct finding x = d->finding[i];
            memmove(&d->finding[named + 1], &d->finding[named], (i - named) * sizeof x);
            d->finding[named++] = x;
        }
}

enum status diagnosis_make(const struct coded_result *r, const struct geometry *g, struct diagnosis *out,
                           struct error *e)
{
    struct search *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a diagnosis");
    s->place = malloc(g->P * sizeof *s->place);
    enum status status =
        s->place ? evidence_make(r, g, &s->evidence, e) : error_set(e, STATUS_NO_MEMORY, "no memory for a diagnosis");
    if (status != STATUS_OK) {
        free(s->place);
        free(s);
        return status;
    }
    struct evidence *v = &s->evidence;
    struct diagnosis d = {
        .right = {.differing = v->right_map.differing + v->right_pair.differing + v->right_guard.differing}};
    size_t all = source_map_observations(&r->map);
    d.compared = all * (2 + (r->scale_planes > 0) + r->pair_planes) + (r->guard.asked ? r->map.P : 0);
    if (d.right.differing > 0) {
        candidates_make(s);
        try_singles(s, &d);
        if (!names_among(&d))
            try_pairs(s, &d);
        d.state = d.exact > 0 ? DIAGNOSIS_EXPLAINED : DIAGNOSIS_UNKNOWN;
    }
    if (d.state == DIAGNOSIS_UNKNOWN)
        for (; d.nearest < s->nearest; d.nearest++) {
            struct chain c = chain_elsewhere(&s->near[d.nearest], g, s->place);
            d.near[d.nearest] = finding_of(v, &c);
        }
    put_names_first(&d);
    *out = d;
    evidence_free(v);
    free(s->place);
    free(s);
    return STATUS_OK;
}
