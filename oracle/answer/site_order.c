#include "oracle/answer/site_order.h"
#include "oracle/answer/site_partial.h"

#include <stdlib.h>
#include <string.h>

enum { VIEWS_MOST = 8 }; /* in one question to the engine: more make no map more unique */

/* The engine wants tiles no larger than their matrix. */
static bool engine_takes(const struct site_tile *t, const struct site_matrix *m)
{
    return t->rows <= m->rows && t->columns <= m->columns && t->slots <= INFER_SLOTS &&
           t->slots / t->contract.domain.extent[0] <= INFER_PLACES;
}

static bool inside(const struct site_tile *t, const struct site_matrix *m, const struct site_place *p)
{
    return p->i0 + t->rows <= m->rows && p->j0 + t->columns <= m->columns;
}

/* Where the contract fits, in the first form that does. */
static void place_views(const struct site_tile *t, const struct site_matrix *m, const struct site_at *at,
                        struct site_order *o)
{
    const struct site_at anywhere = {0};
    size_t fits[SITE_FORMS] = {0};
    for (size_t v = 0; v < t->views; v++) {
        const struct site_at *here = v == 0 ? at : &anywhere;
        for (int f = 0; f < m->forms && !o->place[v].found; f++)
            o->place[v] = site_place_exact(t, v, m, f, here);
        for (int f = 0; f < m->forms && !o->place[v].found && here->known; f++) {
            o->place[v] = site_place_exact(t, v, m, f, &anywhere);
            o->elsewhere = o->place[v].found;
        }
        if (!o->place[v].found)
            continue;
        o->conforming++;
        fits[o->place[v].form]++;
    }
    for (int f = 0; f < m->forms; f++)
        if (fits[f] > fits[o->form])
            o->form = f;
    while (o->conforming < t->views && o->place[o->first].found)
        o->first++;
}

/* Ask about the records that conform, or about those that do not, `most` of them. `form` of the matrix. */
static enum status ask(const struct site_tile *t, const struct site_matrix *m, const struct site_at *at, bool conform,
                       int form, size_t most, struct site_order *o, struct error *e)
{
    struct infer_view view[VIEWS_MOST] = {{0}};
    struct infer_question q = {
        .domain = t->contract.domain, .codomain = t->contract.codomain, .view = view, .contract = &t->contract};
    for (size_t v = 0; v < t->views && q.views < most; v++) {
        const struct site_place *p = &o->place[v];
        if (p->found != conform || (conform && (p->form != form || !inside(t, m, p))))
            continue;
        struct infer_view *w = &view[q.views++];
        w->value = t->view[v].value;
        w->matrix = (struct infer_matrix){m->rows, m->columns, m->form[form].value};
        if (conform) {
            w->origin_known = true;
            w->i0 = p->i0;
            w->j0 = p->j0;
        } else if (v == 0 && at->known && at->i0 + t->rows <= m->rows && at->j0 + t->columns <= m->columns) {
            w->origin_known = true;
            w->i0 = at->i0;
            w->j0 = at->j0;
        }
    }
    if (!q.views)
        return STATUS_OK;
    struct infer_answer answer = {0};
    enum status s = infer_map(&q, &answer, e);
    if (s != STATUS_OK)
        return s;
    if (o->asked)
        layout_free(&o->answer.map);
    o->asked = true;
    o->answer = answer;
    o->asked_views = q.views;
    o->known = answer.found && !answer.whole && (answer.family != INFER_TABLE || answer.unique);
    if (o->known && !conform)
        o->form = form;
    return STATUS_OK;
}

/* No map of the engine: is the order wrong in some threads only? */
static enum status ask_partial(const struct site_tile *t, const struct site_matrix *m, int form, struct site_order *o,
                               struct error *e)
{
    size_t view[VIEWS_MOST], views = 0;
    struct layout map;
    bool found;
    for (size_t v = 0; v < t->views && views < VIEWS_MOST; v++)
        if (!o->place[v].found)
            view[views++] = v;
    enum status s = site_partial_infer(t, m, form, view, views, &map, &found, e);
    if (s != STATUS_OK || !found)
        return s;
    if (o->asked)
        layout_free(&o->answer.map);
    o->answer.map = map;
    o->answer.found = o->asked = o->known = o->partial = true;
    o->answer.family = INFER_TABLE;
    o->asked_views = views;
    o->form = form;
    return STATUS_OK;
}

/* How many of the records that do not conform does the found map explain? */
static enum status count_same(const struct site_tile *t, const struct site_matrix *m, struct site_order *o,
                              struct error *e)
{
    struct site_tile found = {0};
    const struct site_at anywhere = {0};
    enum status s = site_tile_make(&o->answer.map, t->type, 0, &found, e);
    if (s != STATUS_OK)
        return s;
    free(found.view);
    found.view = t->view;
    for (size_t v = 0; v < t->views; v++)
        if (!o->place[v].found)
            o->same += site_place_exact(&found, v, m, o->form, &anywhere).found;
    found.view = NULL;
    for (size_t i = 0; i < t->slots; i++)
        o->wrong += found.row[i] != t->row[i] || found.column[i] != t->column[i];
    site_tile_free(&found);
    return STATUS_OK;
}

enum status site_order_infer(const struct site_tile *t, const struct site_matrix *m, const struct site_at *at,
                             struct site_order *out, struct error *e)
{
    struct site_order o = {.views = t->views, .place = calloc(t->views ? t->views : 1, sizeof *o.place)};
    enum status s = STATUS_OK;
    if (!o.place)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu records", t->views);
    place_views(t, m, at, &o);
    bool all = o.conforming == t->views;
    if (engine_takes(t, m)) {
        if (all)
            s = ask(t, m, at, true, o.form, VIEWS_MOST, &o, e);
        /* All of them share a map, or the first has one of its own. */
        for (int f = 0; !all && s == STATUS_OK && f < m->forms && !o.known; f++)
            s = ask(t, m, at, false, f, VIEWS_MOST, &o, e);
        for (int f = 0; o.conforming + 1 < t->views && s == STATUS_OK && f < m->forms && !o.known; f++)
            s = ask(t, m, at, false, f, 1, &o, e);
    }
    for (int f = 0; !all && s == STATUS_OK && f < m->forms && !o.known; f++)
        s = ask_partial(t, m, f, &o, e);
    if (s == STATUS_OK && !all && o.known)
        s = count_same(t, m, &o, e);
    if (s == STATUS_OK)
        *out = o;
    else
        site_order_free(&o);
    return s;
}

void site_order_free(struct site_order *o)
{
    free(o->place);
    if (o->asked)
        layout_free(&o->answer.map);
    memset(o, 0, sizeof *o);
}
