#include "probes/infer.h"

#include <stdlib.h>
#include <string.h>

#include "probes/infer_family.h"
#include "probes/infer_origin.h"
#include "reference/layout_shape.h"

/* A question while it is answered. */
struct work {
    const struct infer_question *q;
    size_t slots, rows, columns;
    uint32_t *contract;          /* [slots] element codes; NULL without a contract */
    struct infer_origin *origin; /* [views] where the tiles are taken to begin */
    struct infer_tile *tile;     /* [views] */
};

static bool fits_into(size_t at, size_t extent, size_t whole)
{
    return at <= whole && extent <= whole - at;
}

static enum status check_boxes(const struct infer_question *q, struct error *e)
{
    struct layout shape = {.kind = LAYOUT_STRIDED, .domain = q->domain, .codomain = q->codomain};
    enum status s = layout_shape_check(&shape, STATUS_BAD_ARGUMENT, e);
    if (s != STATUS_OK)
        return s;
    if (q->codomain.rank != 2)
        return error_set(e, STATUS_BAD_ARGUMENT, "a tile of %d dimensions; it has 2", q->codomain.rank);
    size_t slots = box_size(&q->domain), elements = box_size(&q->codomain);
    if (slots > INFER_SLOTS || elements > INFER_SLOTS)
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu slots and %zu elements; at most %d of each", slots, elements,
                         INFER_SLOTS);
    if (slots / q->domain.extent[0] > INFER_PLACES)
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu slots of one %s; at most %d", slots / q->domain.extent[0],
                         q->domain.name[0], INFER_PLACES);
    int bits = 0;
    for (int d = 0; d < q->domain.rank; d++)
        for (uint32_t bit = 1; bit < q->domain.extent[d]; bit *= 2)
            bits++;
    if (bits > LAYOUT_MODES)
        return error_set(e, STATUS_BAD_ARGUMENT, "slots of %d bits; at most %d", bits, LAYOUT_MODES);
    return STATUS_OK;
}

static enum status check_views(const struct infer_question *q, struct error *e)
{
    if (q->views == 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "nothing was captured: no view");
    for (size_t n = 0; n < q->views; n++) {
        const struct infer_view *v = &q->view[n];
        size_t i0 = v->origin_known ? v->i0 : 0, j0 = v->origin_known ? v->j0 : 0;
        if (!fits_into(i0, q->codomain.extent[0], v->matrix.rows) ||
            !fits_into(j0, q->codomain.extent[1], v->matrix.columns))
            return error_set(e, STATUS_BAD_ARGUMENT, "view %zu: a tile of %u x %u at %zu, %zu of a matrix of %zu x %zu",
                             n, (unsigned)q->codomain.extent[0], (unsigned)q->codomain.extent[1], i0, j0,
                             v->matrix.rows, v->matrix.columns);
    }
    return STATUS_OK;
}

static bool same_extents(const struct box *a, const struct box *b)
{
    return a->rank == b->rank && memcmp(a->extent, b->extent, (size_t)a->rank * sizeof *a->extent) == 0;
}

static enum status check_contract(const struct infer_question *q, struct error *e)
{
    bool bijective;
    if (!q->contract)
        return STATUS_OK;
    if (!same_extents(&q->contract->domain, &q->domain) || !same_extents(&q->contract->codomain, &q->codomain))
        return error_set(e, STATUS_BAD_ARGUMENT, "the contract is a map between other boxes than the capture");
    enum status s = layout_check(q->contract, &bijective, e);
    /* What is wrong with a file is an argument here. */
    return s == STATUS_BAD_INPUT ? error_set(e, STATUS_BAD_ARGUMENT, "the contract leaves the tile") : s;
}

static void work_free(struct work *w)
{
    free(w->contract);
    free(w->origin);
    free(w->tile);
}

static enum status work_make(const struct infer_question *q, struct work *out, struct error *e)
{
    struct work w = {.q = q, .slots = box_size(&q->domain)};
    w.rows = q->codomain.extent[0];
    w.columns = q->codomain.extent[1];
    w.origin = calloc(q->views, sizeof *w.origin);
    w.tile = calloc(q->views, sizeof *w.tile);
    w.contract = q->contract ? malloc(w.slots * sizeof *w.contract) : NULL;
    if (!w.origin || !w.tile || (q->contract && !w.contract)) {
        work_free(&w);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu views of %zu slots", q->views, w.slots);
    }
    for (size_t n = 0; n < w.slots && q->contract; n++) {
        struct point slot = box_point(&q->domain, (uint32_t)n), element = layout_apply(q->contract, &slot);
        w.contract[n] = box_code(&q->codomain, &element);
    }
    *out = w;
    return STATUS_OK;
}

size_t infer_wrong_slots(const struct infer_view *v, const struct layout *map, size_t i0, size_t j0, bool *wrong)
{
    size_t count = 0;
    for (size_t n = 0; n < box_size(&map->domain); n++) {
        struct point slot = box_point(&map->domain, (uint32_t)n), at = layout_apply(map, &slot);
        bool differs = v->value[n] != v->matrix.value[(i0 + at.at[0]) * v->matrix.columns + j0 + at.at[1]];
        count += differs;
        if (wrong)
            wrong[n] = differs;
    }
    return count;
}

/* `count` views from `first` on, their tiles beginning at `origin`, as one question. */
static enum status solve_views(struct work *w, size_t first, size_t count, const struct infer_origin *origin,
                               enum infer_family last, struct infer_solution *out, struct error *e)
{
    struct infer_classes classes;
    for (size_t n = 0; n < count; n++) {
        const struct infer_view *v = &w->q->view[first + n];
        w->tile[n] = (struct infer_tile){v->value, v->matrix.value + origin[n].i * v->matrix.columns + origin[n].j,
                                         v->matrix.columns};
    }
    enum status s = infer_classes_make(w->tile, count, w->slots, w->rows, w->columns, &classes, e);
    if (s != STATUS_OK)
        return s;
    s = infer_solve(&w->q->domain, &classes, w->contract, last, out, e);
    infer_classes_free(&classes);
    return s;
}

/* The origin of view n by its values: of several the first at which a map better than a table fits, else the first. */
static enum status find_origin(struct work *w, size_t n, struct infer_origin *origin, bool *found, struct error *e)
{
    struct infer_origin at[INFER_ORIGINS];
    size_t count = 0, best = 0;
    enum status s = infer_origin_search(&w->q->view[n], w->slots, w->rows, w->columns, INFER_ORIGINS, at, &count, e);
    if (s != STATUS_OK)
        return s;
    *found = count > 0;
    for (size_t k = 0; k < count && count > 1; k++) {
        struct infer_solution one;
        s = solve_views(w, n, 1, &at[k], INFER_SEPARABLE, &one, e);
        if (s != STATUS_OK)
            return s;
        infer_solution_free(&one);
        if (one.found) {
            best = k;
            break;
        }
    }
    if (count > 0)
        *origin = at[best];
    return STATUS_OK;
}

static bool clearly_voted(const struct infer_vote *v, size_t slots)
{
    return 2 * v->agree > slots || (8 * v->agree >= slots && v->agree >= 4 * v->second);
}

/* Place every view: as the caller says, by its values, or by a vote for the contract. */
static enum status place_views(struct work *w, struct infer_answer *out, struct error *e)
{
    out->origin_found = true;
    bool placed = true;
    for (size_t n = 0; n < w->q->views && placed; n++) {
        const struct infer_view *v = &w->q->view[n];
        bool found = v->origin_known;
        enum status s = STATUS_OK;
        struct infer_vote vote = {{0, 0}, 0, 0};
        if (found)
            w->origin[n] = (struct infer_origin){v->i0, v->j0};
        else
            s = find_origin(w, n, &w->origin[n], &found, e);
        if (s == STATUS_OK && !found && w->contract)
            s = infer_origin_vote(v, w->contract, w->slots, w->rows, w->columns, &vote, e);
        if (s != STATUS_OK)
            return s;
        out->origin_found = out->origin_found && found;
        placed = found || clearly_voted(&vote, w->slots);
        if (!found && placed)
            w->origin[n] = vote.origin;
    }
    out->voted = placed && !out->origin_found;
    return STATUS_OK;
}

static void judge_contract(const struct work *w, struct infer_answer *out)
{
    if (!w->contract)
        return;
    for (size_t n = 0; n < w->q->views; n++) {
        size_t wrong = infer_wrong_slots(&w->q->view[n], w->q->contract, w->origin[n].i, w->origin[n].j, NULL);
        out->wrong += wrong;
        if (n == 0)
            out->agree = w->slots - wrong;
    }
    out->contract_fits = out->wrong == 0;
}

static bool better_than_a_table(const struct infer_solution *s)
{
    return s->found && s->family < INFER_TABLE;
}

static void replace_solution(struct infer_solution *old, struct infer_solution *new)
{
    infer_solution_free(old);
    *old = *new;
    *new = (struct infer_solution){0};
}

/* Nothing but a table fits where the caller said: do the values come from elsewhere in the matrix? */
static enum status solve_moved(struct work *w, struct infer_answer *out, struct infer_solution *best, struct error *e)
{
    enum status s = STATUS_OK;
    struct infer_solution solution = {0};
    struct infer_origin *moved = calloc(w->q->views, sizeof *moved);
    if (!moved)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the origins of %zu views", w->q->views);
    bool found = true;
    for (size_t n = 0; n < w->q->views && found && s == STATUS_OK; n++)
        s = find_origin(w, n, &moved[n], &found, e);
    if (s == STATUS_OK && found)
        s = solve_views(w, 0, w->q->views, moved, INFER_SEPARABLE, &solution, e);
    if (s == STATUS_OK && better_than_a_table(&solution)) {
        replace_solution(best, &solution);
        out->moved = true;
        out->moved_i = moved[0].i;
        out->moved_j = moved[0].j;
    }
    infer_solution_free(&solution);
    free(moved);
    return s;
}

/* The whole matrix as the tile. placed: there is a solution already, so that a table is no news. */
static enum status solve_whole(struct work *w, bool placed, struct infer_answer *out, struct infer_solution *best,
                               struct error *e)
{
    const struct infer_matrix *m = &w->q->view[0].matrix;
    static const struct infer_origin zero = {0, 0};
    struct infer_solution solution = {0};
    struct work whole = *w;
    whole.rows = m->rows;
    whole.columns = m->columns;
    whole.contract = NULL; /* it speaks of the tile */
    enum status s = solve_views(&whole, 0, 1, &zero, placed ? INFER_SEPARABLE : INFER_TABLE, &solution, e);
    if (s == STATUS_OK && (!placed || better_than_a_table(&solution))) {
        replace_solution(best, &solution);
        out->whole = true;
    }
    infer_solution_free(&solution);
    return s;
}

static void show_difference(const struct infer_solution *s, const struct box *domain, const struct box *codomain,
                            struct infer_answer *out)
{
    const uint32_t *a = s->fits.map[0], *b = s->fits.map[1];
    for (size_t n = 0; n < s->fits.slots && s->fits.maps == 2; n++)
        if (a[n] != b[n]) {
            out->slot = box_point(domain, (uint32_t)n);
            out->element = box_point(codomain, a[n]);
            out->other = box_point(codomain, b[n]);
            return;
        }
}

static enum status describe(const struct work *w, const struct infer_solution *s, struct infer_answer *out,
                            struct error *e)
{
    struct box codomain = w->q->codomain;
    out->explained = s->explained;
    out->found = s->found;
    out->exhausted = s->exhausted;
    if (!s->found)
        return STATUS_OK;
    if (out->whole) {
        codomain.extent[0] = (uint32_t)w->q->view[0].matrix.rows;
        codomain.extent[1] = (uint32_t)w->q->view[0].matrix.columns;
    }
    out->family = s->family;
    out->fits = s->fits.count;
    out->fits_is_lower_bound = s->fits.exhausted;
    out->unique = s->fits.count == 1 && !s->fits.exhausted;
    show_difference(s, &w->q->domain, &codomain, out);
    enum status status = infer_solution_layout(s, &w->q->domain, &codomain, &out->map, e);
    if (status == STATUS_OK)
        status = layout_check(&out->map, &out->bijective, e);
    if (status != STATUS_OK)
        layout_free(&out->map);
    return status;
}

/* Where nothing better than a table fits: elsewhere in the matrix, then all over it. */
static enum status solve_elsewhere(struct work *w, bool placed, struct infer_answer *out, struct infer_solution *best,
                                   struct error *e)
{
    enum status s = STATUS_OK;
    bool all_said = true;
    for (size_t n = 0; n < w->q->views; n++)
        all_said = all_said && w->q->view[n].origin_known;
    if (all_said)
        s = solve_moved(w, out, best, e);
    const struct infer_matrix *m = &w->q->view[0].matrix;
    bool by_values = out->origin_found && !all_said;
    if (s != STATUS_OK || out->moved || by_values || w->q->views > 1 || m->rows > INFER_WHOLE / m->columns ||
        m->rows * m->columns == w->rows * w->columns)
        return s;
    return solve_whole(w, placed, out, best, e);
}

enum status infer_map(const struct infer_question *q, struct infer_answer *out, struct error *e)
{
    struct work w = {0};
    struct infer_solution best = {0};
    struct infer_answer made = {0};
    enum status s = check_boxes(q, e);
    if (s == STATUS_OK)
        s = check_views(q, e);
    if (s == STATUS_OK)
        s = check_contract(q, e);
    if (s == STATUS_OK)
        s = work_make(q, &w, e);
    if (s != STATUS_OK)
        return s;
    made.slots = w.slots;
    s = place_views(&w, &made, e);
    bool placed = made.origin_found || made.voted;
    if (s == STATUS_OK && placed) {
        made.i0 = w.origin[0].i;
        made.j0 = w.origin[0].j;
        judge_contract(&w, &made);
        s = solve_views(&w, 0, q->views, w.origin, INFER_TABLE, &best, e);
    }
    if (s == STATUS_OK && !better_than_a_table(&best))
        s = solve_elsewhere(&w, placed, &made, &best, e);
    if (s == STATUS_OK)
        s = describe(&w, &best, &made, e);
    if (s == STATUS_OK)
        *out = made;
    infer_solution_free(&best);
    work_free(&w);
    return s;
}
