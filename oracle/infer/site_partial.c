#include "oracle/infer/site_partial.h"

#include <stdlib.h>
#include <string.h>

/* Views with what the contract wants of them, and the threads that have a wrong slot in any. */
struct part {
    size_t views, slots;
    uint32_t threads, places;
    const uint32_t **value; /* [views] */
    uint32_t *want;         /* [views][slots] */
    bool *wrong;            /* [threads] */
    uint32_t *to;           /* [places] */
};

static void part_free(struct part *p)
{
    free(p->value);
    free(p->want);
    free(p->wrong);
    free(p->to);
}

/* Take one view in, at the place near which it stands. false: nowhere, or beyond the matrix. */
static enum status take_view(struct part *p, const struct site_tile *t, const struct site_matrix *m, int form,
                             size_t view, bool *taken, struct error *e)
{
    const struct site_at anywhere = {0};
    struct site_place at;
    enum status s = site_place_near(t, view, m, &anywhere, &at, e);
    *taken = s == STATUS_OK && at.found && at.i0 + t->rows <= m->rows && at.j0 + t->columns <= m->columns;
    if (!*taken)
        return s;
    uint32_t *want = p->want + p->views * p->slots;
    const uint32_t *value = t->view[view].value;
    for (size_t i = 0; i < p->slots; i++) {
        want[i] = m->form[form].value[(at.i0 + t->row[i]) * m->columns + at.j0 + t->column[i]];
        p->wrong[i / p->places] = p->wrong[i / p->places] || want[i] != value[i];
    }
    p->value[p->views++] = value;
    return STATUS_OK;
}

/* May place p hold what place q should, in every thread that is wrong? */
static bool may_hold(const struct part *p, uint32_t place, uint32_t from)
{
    for (size_t v = 0; v < p->views; v++)
        for (uint32_t t = 0; t < p->threads; t++)
            if (p->wrong[t] && p->value[v][t * p->places + place] != p->want[v * p->slots + t * p->places + from])
                return false;
    return true;
}

/* The one place from which each could come; its own where that fits. */
static bool find_places(struct part *p)
{
    for (uint32_t place = 0; place < p->places; place++) {
        uint32_t candidates = 0;
        for (uint32_t from = 0; from < p->places; from++)
            if (may_hold(p, place, from)) {
                candidates++;
                p->to[place] = from;
            }
        if (candidates > 1 && may_hold(p, place, place)) {
            candidates = 1;
            p->to[place] = place;
        }
        if (candidates != 1)
            return false;
    }
    return true;
}

static enum status make_table(const struct part *p, const struct site_tile *t, struct layout *map, struct error *e)
{
    uint32_t *code = malloc(p->slots * sizeof *code);
    if (!code)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu slots", p->slots);
    for (uint32_t i = 0; i < p->slots; i++) {
        uint32_t thread = i / p->places;
        uint32_t from = p->wrong[thread] ? thread * p->places + p->to[i % p->places] : i;
        code[i] = t->row[from] * t->columns + t->column[from];
    }
    enum status s = layout_from_table(&t->contract.domain, &t->contract.codomain, code, map, e);
    free(code);
    return s;
}

enum status site_partial_infer(const struct site_tile *t, const struct site_matrix *m, int form, const size_t *view,
                               size_t views, struct layout *map, bool *found, struct error *e)
{
    struct part p = {.slots = t->slots, .threads = t->contract.domain.extent[0]};
    enum status s = STATUS_OK;
    bool taken = true;
    *found = false;
    p.places = (uint32_t)(t->slots / p.threads);
    p.value = malloc(views * sizeof *p.value);
    p.want = malloc(views * t->slots * sizeof *p.want);
    p.wrong = calloc(p.threads, sizeof *p.wrong);
    p.to = malloc(p.places * sizeof *p.to);
    if (!p.value || !p.want || !p.wrong || !p.to)
        s = error_set(e, STATUS_NO_MEMORY, "no memory for %zu records", views);
    for (size_t v = 0; s == STATUS_OK && taken && v < views; v++)
        s = take_view(&p, t, m, form, view[v], &taken, e);
    if (s == STATUS_OK && taken && find_places(&p)) {
        s = make_table(&p, t, map, e);
        *found = s == STATUS_OK;
    }
    part_free(&p);
    return s;
}
