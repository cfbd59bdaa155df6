#include "oracle/diagnose/hypothesis.h"

#include <stdlib.h>

size_t hypothesis_count(void)
{
    return hypotheses_operand_count + hypotheses_place_count;
}

const struct hypothesis *hypothesis_at(size_t i)
{
    return i < hypotheses_operand_count ? &hypotheses_operand[i] : &hypotheses_place[i - hypotheses_operand_count];
}

/* A launch as a kernel walks through it: runs of rows, each with token tiles of its own. */
struct walk {
    const struct geometry *g;
    const struct launch *l;
    struct row_place *place;
    uint32_t segments, tiles, surplus; /* read; so far; rows that a tile before wrote zeros to */
};

static void walk_tile(const struct walk *w, uint32_t first, uint32_t rows, int32_t expert)
{
    enum site_state state = expert < 0 ? SITE_ZERO : SITE_COMPUTED;
    bool beyond = w->tiles >= (w->g->P + w->g->tile_tokens - 1) / w->g->tile_tokens;
    if ((w->l->grid_by_rows && beyond) || (w->l->zeros_return && expert < 0) ||
        (w->l->skips && expert >= (int32_t)w->segments))
        return;
    for (uint32_t p = first; p < first + rows; p++)
        w->place[p] = (struct row_place){w->l->overlaps && p < w->surplus ? SITE_ZERO : state, expert, first, rows};
}

static void walk_run(struct walk *w, uint32_t first, uint32_t end, int32_t expert, bool segment)
{
    uint32_t tokens = w->g->tile_tokens;
    if (segment && w->l->rows_most && end - first > w->l->rows_most)
        end = first + w->l->rows_most;
    for (uint32_t at = first; at < end; at += tokens, w->tiles++)
        walk_tile(w, at, end - at < tokens ? end - at : tokens, expert);
    uint32_t reach = first + (end - first + tokens - 1) / tokens * tokens;
    if (segment && end > first && reach > w->surplus)
        w->surplus = reach;
}

/* Where segment a starts, one more than there are included. */
static uint32_t start_of(const struct geometry *g, uint32_t a)
{
    return a <= g->active ? g->map->starts[a] : g->P;
}

static int32_t id_of(const struct walk *w, uint32_t a)
{
    int32_t id = a < w->g->active ? w->g->map->ids[a] : 0, last = (int32_t)w->g->experts - 1;
    return !w->l->clamps ? id : id < 0 ? 0 : id > last ? last : id;
}

void launch_rows(const struct geometry *g, const struct launch *l, struct row_place *place)
{
    struct walk w = {.g = g, .l = l, .place = place, .segments = g->active + l->one_more};
    for (uint32_t p = 0; p < g->P; p++)
        place[p] = (struct row_place){.state = SITE_UNWRITTEN, .expert = -1};
    walk_run(&w, 0, g->map->starts[0], -1, false);
    for (uint32_t a = 0; a < w.segments; a++) {
        int32_t id = id_of(&w, a), expert = id >= 0 && (uint32_t)id < g->experts ? id : -1;
        bool inside = id >= 0 && (uint32_t)id < w.segments;
        if (!l->by_expert)
            walk_run(&w, start_of(g, a), start_of(g, a + 1), expert, true);
        else if (inside)
            walk_run(&w, start_of(g, (uint32_t)id), start_of(g, (uint32_t)id + 1), expert, true);
    }
    walk_run(&w, start_of(g, w.segments), g->P, -1, false);
}

static void run_rows(struct geometry *g, int32_t segment, uint32_t first, uint32_t end)
{
    for (uint32_t p = first; p < end; p++)
        g->run[p] = (struct row_run){segment, first, end - first};
}

enum status geometry_make(const struct source_map *map, const uint32_t tile[3], struct geometry *out, struct error *e)
{
    static const struct launch right = {0};
    struct geometry g = {.map = map,
                         .P = (uint32_t)map->P,
                         .N = (uint32_t)map->N,
                         .K = (uint32_t)map->K,
                         .experts = (uint32_t)map->experts,
                         .active = (uint32_t)map->segments.active,
                         .tile_features = tile[0] ? tile[0] : 64,
                         .tile_tokens = tile[1] ? tile[1] : 64,
                         .tile_K = tile[2] ? tile[2] : 128};
    g.run = malloc(map->P * sizeof *g.run);
    g.place = malloc(map->P * sizeof *g.place);
    if (!g.run || !g.place) {
        geometry_free(&g);
        return error_set(e, STATUS_NO_MEMORY, "no memory for the geometry of %zu rows", map->P);
    }
    run_rows(&g, -1, 0, map->starts[0]);
    for (uint32_t a = 0; a < g.active; a++)
        run_rows(&g, (int32_t)a, map->starts[a], map->starts[a + 1]);
    run_rows(&g, -1, map->starts[g.active], g.P);
    launch_rows(&g, &right, g.place);
    *out = g;
    return STATUS_OK;
}

void geometry_free(struct geometry *g)
{
    free(g->run);
    free(g->place);
    *g = (struct geometry){0};
}
