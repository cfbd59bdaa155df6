#include "oracle/infer/site_guess.h"
#include "oracle/infer/site_partial.h"

#include <stdlib.h>
#include <string.h>

enum {
    VIEWS_MOST = 8,  /* in one question to the engine: more make no map more unique */
    ALONE_MOST = 4,  /* that are asked about one by one */
    LARGE = 1 << 22, /* elements of a matrix of which only one is */
    CLOSE_MOST = 64  /* records that are looked at slot by slot */
};

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

/* Where one record fits, exactly or as near as was asked for, in the first form that does. */
static struct site_place place_view(const struct site_tile *t, size_t v, const struct site_matrix *m, uint32_t ulps,
                                    const struct site_at *at)
{
    struct site_place p = {0};
    for (int f = 0; f < m->forms && !p.found; f++)
        p = site_place_exact(t, v, m, f, at);
    for (int f = 0; ulps && f < m->forms && !p.found; f++)
        p = site_place_within(t, v, m, f, ulps, at);
    return p;
}

/* Where the contract fits. */
static void place_views(const struct site_tile *t, const struct site_matrix *m, const struct site_asked *asked,
                        struct site_order *o)
{
    const struct site_at anywhere = {0};
    size_t fits[SITE_FORMS] = {0};
    for (size_t v = 0; v < t->views; v++) {
        const struct site_at *here = v == 0 ? &asked->at : &anywhere;
        o->place[v] = place_view(t, v, m, asked->ulps, here);
        if (!o->place[v].found && here->known) {
            o->place[v] = place_view(t, v, m, asked->ulps, &anywhere);
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
    /* Of those that are left, and that is not done for thousands. */
    for (size_t v = 0, looked = 0; v < t->views && looked < CLOSE_MOST; v++)
        if (!o->place[v].found) {
            looked++;
            o->most[v] = site_place_most(t, v, m, o->form, asked->ulps, v == 0 ? &asked->at : &anywhere);
            o->close += o->most[v].found;
        }
}

/* Which records a question is about: those that conform bit for bit, or those that do not. */
struct choice {
    bool conform;
    bool close;         /* but for a few slots: those do not conform, but the contract may be it all the same */
    int form;           /* of the matrix */
    size_t first, most; /* the first that may be taken, and how many */
};
static bool is_chosen(const struct site_order *o, const struct choice *c, size_t v)
{
    const struct site_place *p = &o->place[v];
    return c->conform ? p->found && !p->off && p->form == c->form : !p->found && o->most[v].found == c->close;
}

/* Ask the engine. */
static enum status ask(const struct site_tile *t, const struct site_matrix *m, const struct site_at *at,
                       const struct choice *c, struct site_order *o, struct error *e)
{
    struct infer_view view[VIEWS_MOST] = {{0}};
    struct infer_question q = {
        .domain = t->contract.domain, .codomain = t->contract.codomain, .view = view, .contract = &t->contract};
    for (size_t v = c->first; v < t->views && q.views < c->most; v++) {
        const struct site_place *p = &o->place[v];
        if (!is_chosen(o, c, v) || (c->conform && !inside(t, m, p)))
            continue;
        struct infer_view *w = &view[q.views++];
        w->value = t->view[v].value;
        w->matrix = (struct infer_matrix){m->rows, m->columns, m->form[c->form].value};
        if (c->conform) {
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
    o->known = answer.found && !answer.whole && (answer.family != INFER_TABLE || answer.unique);
    if (o->known && !c->conform)
        o->form = c->form;
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
    o->form = form;
    return STATUS_OK;
}

/* All of those that do not conform share a map, or one of them has one of its own. */
static enum status ask_differing(const struct site_tile *t, const struct site_matrix *m, const struct site_at *at,
                                 struct site_order *o, struct error *e)
{
    enum status s = STATUS_OK;
    /* In a large matrix a question takes long. */
    size_t alone = 0, most = m->rows * m->columns > LARGE ? 1 : ALONE_MOST;
    for (int f = 0; s == STATUS_OK && f < m->forms && !o->known; f++)
        s = ask(t, m, at, &(struct choice){false, false, f, 0, VIEWS_MOST}, o, e);
    for (size_t v = 0; o->conforming + o->close + 1 < t->views && v < t->views && alone < most; v++) {
        if (o->place[v].found || o->most[v].found)
            continue;
        alone++;
        for (int f = 0; s == STATUS_OK && f < m->forms && !o->known; f++)
            s = ask(t, m, at, &(struct choice){false, false, f, v, 1}, o, e);
    }
    /* Where most values are equal, a wrong order is close to the contract, too. */
    for (int f = 0; s == STATUS_OK && f < m->forms && !o->known; f++)
        s = ask(t, m, at, &(struct choice){false, true, f, 0, 1}, o, e);
    return s;
}

/* Which of the records that do not conform does the found map explain? */
static enum status place_found(const struct site_tile *t, const struct site_matrix *m, const struct site_asked *asked,
                               struct site_order *o, struct error *e)
{
    struct site_tile by;
    const struct site_at anywhere = {0};
    enum status s = site_tile_by_map(t, &o->answer.map, &by, e);
    if (s != STATUS_OK)
        return s;
    for (size_t v = 0, looked = 0; v < t->views; v++) {
        struct site_place *p = &o->found[v];
        if (o->place[v].found)
            continue;
        *p = site_place_exact(&by, v, m, o->form, &anywhere);
        if (!p->found && looked++ < CLOSE_MOST)
            *p = site_place_most(&by, v, m, o->form, asked->ulps, &anywhere);
        o->same += p->found;
        o->exactly += p->found && p->right == p->compared;
    }
    for (size_t i = 0; i < t->slots; i++)
        o->wrong += by.row[i] != t->row[i] || by.column[i] != t->column[i];
    site_tile_by_map_free(&by);
    return STATUS_OK;
}

enum status site_order_infer(const struct site_tile *t, const struct site_matrix *m, const struct site_asked *asked,
                             struct site_order *out, struct error *e)
{
    size_t room = t->views ? t->views : 1;
    struct site_order o = {.views = t->views,
                           .place = calloc(room, sizeof *o.place),
                           .most = calloc(room, sizeof *o.most),
                           .found = calloc(room, sizeof *o.found)};
    enum status s = STATUS_OK;
    if (!o.place || !o.most || !o.found) {
        site_order_free(&o);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu records", t->views);
    }
    place_views(t, m, asked, &o);
    bool all = o.conforming == t->views;
    if (engine_takes(t, m))
        s = all ? ask(t, m, &asked->at, &(struct choice){true, false, o.form, 0, VIEWS_MOST}, &o, e)
                : ask_differing(t, m, &asked->at, &o, e);
    for (int f = 0; !all && s == STATUS_OK && f < m->forms && !o.known; f++)
        s = ask_partial(t, m, f, &o, e);
    if (s == STATUS_OK && !all && !o.known)
        s = site_guess_order(t, m, asked, &o, e);
    if (s == STATUS_OK && !all && o.known)
        s = place_found(t, m, asked, &o, e);
    if (s == STATUS_OK)
        *out = o;
    else
        site_order_free(&o);
    return s;
}

void site_order_free(struct site_order *o)
{
    free(o->place);
    free(o->most);
    free(o->found);
    if (o->asked)
        layout_free(&o->answer.map);
    memset(o, 0, sizeof *o);
}
