#include "oracle/diagnose/evidence.h"

#include <stdlib.h>

enum { WRONG_VALUE = 1, WRONG_SCALE = 2, WRONG_ROW = 4, GUARD_SEGMENTS = 3 };

bool explained_exactly(const struct explained *x)
{
    return x->explained == x->differing && x->spoiled == 0;
}

static void count(struct explained *x, bool differs, bool agrees)
{
    x->differing += differs;
    x->explained += differs && agrees;
    x->spoiled += !differs && !agrees;
}

static void observe(const struct evidence *v, const struct chain *c, size_t at, struct explained *x)
{
    const struct source_map *m = &v->r->map;
    size_t outputs = m->P * m->N;
    struct seen s = chain_observe(c, at / outputs, (uint32_t)(at % outputs / m->N), (uint32_t)(at % m->N));
    count(x, v->wrong[at] & WRONG_VALUE, seen_agrees(s.value, m->value[at]));
    count(x, v->wrong[at] & WRONG_ROW, seen_agrees(s.row, m->row[at]));
    if (v->r->scale_planes > 0)
        count(x, v->wrong[at] & WRONG_SCALE, seen_agrees(s.scale, m->scale[at]));
}

struct explained evidence_map(const struct evidence *v, const struct chain *c, const struct sample *s, bool strict)
{
    struct explained x = {0};
    size_t all = s ? s->count : source_map_observations(&v->r->map);
    for (size_t i = 0; i < all && !(strict && !explained_exactly(&x)); i++)
        observe(v, c, s ? s->at[i] : i, &x);
    return x;
}

static bool pair_agrees(struct evidence *v, const struct chain *c, size_t at)
{
    const struct source_map *m = &v->r->map;
    size_t outputs = m->P * m->N, all = source_map_observations(m);
    bool anything;
    struct bf16 predicted = outputs_pair(&v->outputs, c, at / all, at % all / outputs, (uint32_t)(at % outputs / m->N),
                                         (uint32_t)(at % m->N), &anything);
    return anything || outputs_same(predicted, v->r->pair[at]);
}

struct explained evidence_pair(struct evidence *v, const struct chain *c, const struct sample *s, bool strict)
{
    struct explained x = {0};
    size_t all = s ? s->count : v->r->pair_planes * source_map_observations(&v->r->map);
    outputs_forget(&v->outputs);
    for (size_t i = 0; i < all && !(strict && !explained_exactly(&x)); i++) {
        size_t at = s ? s->at[i] : i;
        count(&x, v->wrong_pair[at], pair_agrees(v, c, at));
    }
    return x;
}

/* What a row shows as a whole, as coded.h reads it: an expert, or the word that says most. */
static uint32_t guard_row(const struct geometry *g, const struct chain *c, uint32_t p)
{
    uint32_t shown = SOURCE_ZERO;
    for (uint32_t n = 0; n < g->N; n++) {
        struct seen s = chain_observe(c, 0, p, n);
        uint32_t here = s.value < SEEN_ANYTHING ? source_value_point(g->map, s.value).expert : s.value;
        if (here == SEEN_ANYTHING)
            return SEEN_ANYTHING;
        if (here == SOURCE_ZERO || here == shown)
            continue;
        if (shown != SOURCE_ZERO)
            return SOURCE_MIXTURE;
        shown = here;
    }
    return shown;
}

struct explained evidence_guard(const struct evidence *v, const struct chain *c)
{
    const struct coded_guard *guard = &v->r->guard;
    struct explained x = {0};
    if (!v->guard.place)
        return x;
    const struct chain there = chain_elsewhere(c, &v->guard, v->guard_place);
    struct launch launch = {0};
    for (size_t i = 0; i < c->count; i++)
        if (c->step[i].is->launch)
            c->step[i].is->launch(&c->step[i], &launch);
    for (uint32_t p = 0; p < v->guard.P; p++) {
        bool wrong = guard->found[p] != guard->wanted[p];
        count(&x, wrong, seen_agrees(guard_row(&v->guard, &there, p), guard->found[p]));
    }
    if (guard->status_told)
        count(&x, guard->status_word != guard->status_wanted,
              guard->status_word == (launch.clamps ? 0 : guard->status_wanted));
    return x;
}

/* Take every so many of those that differ and of those that do not. */
static void sample_make(const uint8_t *wrong, size_t all, size_t most, struct sample *out)
{
    size_t of[2] = {0}, seen[2] = {0};
    for (size_t i = 0; i < all; i++)
        of[wrong[i] != 0]++;
    out->count = 0;
    for (int kind = 1; kind >= 0; kind--) {
        /* An odd step, so that no power of two hides from it. */
        size_t step = (of[kind] / most) | 1;
        size_t taken = 0;
        for (size_t i = 0; i < all && taken < most; i++)
            if ((wrong[i] != 0) == kind && seen[kind]++ % step == 0) {
                out->at[out->count++] = i;
                taken++;
            }
    }
}

/* The segments that coded.h states for the guard. */
static enum status guard_make(struct evidence *v, struct error *e)
{
    const struct source_map *m = &v->r->map;
    uint32_t P = (uint32_t)m->P;
    uint32_t tile[3] = {v->g->tile_features, v->g->tile_tokens, v->g->tile_K};
    v->guard_starts[1] = P / 3;
    v->guard_starts[2] = P / 3 + (P + 2) / 3;
    v->guard_starts[3] = P;
    v->guard_ids[0] = (int32_t)m->experts - 1;
    v->guard_ids[1] = (int32_t)m->experts;
    v->guard_ids[2] = -1;
    v->guard_map = *m; /* the same columns and codes */
    v->guard_map.starts = v->guard_starts;
    v->guard_map.ids = v->guard_ids;
    v->guard_map.segments = (struct segments){m->P, m->experts, GUARD_SEGMENTS, v->guard_starts, v->guard_ids};
    v->guard_place = malloc(m->P * sizeof *v->guard_place);
    if (!v->guard_place)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the guard of %zu rows", m->P);
    return geometry_make(&v->guard_map, tile, &v->guard, e);
}

static void compare_with_right(struct evidence *v)
{
    const struct source_map *m = &v->r->map;
    const struct chain right = {.g = v->g, .place = v->g->place};
    size_t all = source_map_observations(m), outputs = m->P * m->N;
    for (size_t i = 0; i < all; i++) {
        struct seen s = chain_observe(&right, i / outputs, (uint32_t)(i % outputs / m->N), (uint32_t)(i % m->N));
        bool scale = v->r->scale_planes > 0 && s.scale != m->scale[i];
        v->wrong[i] = (uint8_t)((s.value != m->value[i] ? WRONG_VALUE : 0) | (scale ? WRONG_SCALE : 0) |
                                (s.row != m->row[i] ? WRONG_ROW : 0));
    }
    for (size_t i = 0; i < v->r->pair_planes * all; i++)
        v->wrong_pair[i] = !pair_agrees(v, &right, i);
    sample_make(v->wrong, all, EVIDENCE_SAMPLE, &v->map);
    sample_make(v->wrong, all, EVIDENCE_FEW, &v->few_map);
    sample_make(v->wrong_pair, v->r->pair_planes * all, EVIDENCE_SAMPLE, &v->pair);
    sample_make(v->wrong_pair, v->r->pair_planes * all, EVIDENCE_FEW, &v->few_pair);
    v->right_map = evidence_map(v, &right, NULL, false);
    v->right_pair = evidence_pair(v, &right, NULL, false);
    v->right_guard = evidence_guard(v, &right);
}

enum status evidence_make(const struct coded_result *r, const struct geometry *g, struct evidence *out, struct error *e)
{
    /* The guard's geometry points into *out, so it is made in place; nothing is kept on failure. */
    size_t all = source_map_observations(&r->map);
    enum status status = STATUS_OK;
    *out = (struct evidence){.r = r, .g = g};
    out->wrong = malloc(all);
    out->wrong_pair = malloc(r->pair_planes * all + 1);
    if (!out->wrong || !out->wrong_pair)
        status = error_set(e, STATUS_NO_MEMORY, "no memory to judge %zu observations", all);
    if (status == STATUS_OK)
        status = outputs_make(g, r->pair_planes, r->scale_planes == 0, &out->outputs, e);
    if (status == STATUS_OK && r->guard.asked)
        status = guard_make(out, e);
    if (status == STATUS_OK)
        compare_with_right(out);
    else
        evidence_free(out);
    return status;
}

void evidence_free(struct evidence *v)
{
    free(v->wrong);
    free(v->wrong_pair);
    free(v->guard_place);
    outputs_free(&v->outputs);
    geometry_free(&v->guard);
    v->wrong = v->wrong_pair = NULL;
    v->guard_place = NULL;
}
