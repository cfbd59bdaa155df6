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

/* Rows first..end-1 are a run: each run starts a token tile of its own. Returns the tiles so far. */
static uint32_t place_run(struct geometry *g, int32_t segment, uint32_t first, uint32_t end, uint32_t tiles)
{
    int32_t id = segment < 0 ? -1 : g->map->ids[segment];
    for (uint32_t p = first; p < end; p++) {
        uint32_t tile = (p - first) / g->tile_tokens, tile_first = first + tile * g->tile_tokens;
        g->row[p] =
            (struct row_place){.segment = segment,
                               .expert = id >= 0 && (uint32_t)id < g->experts ? id : -1,
                               .id = id,
                               .tile_first = tile_first,
                               .tile_rows = end - tile_first < g->tile_tokens ? end - tile_first : g->tile_tokens,
                               .tile = tiles + tile,
                               .run_first = first,
                               .run_rows = end - first};
    }
    return tiles + (end - first + g->tile_tokens - 1) / g->tile_tokens;
}

enum status geometry_make(const struct source_map *map, const uint32_t tile[3], struct geometry *out, struct error *e)
{
    struct geometry g = {.map = map,
                         .P = (uint32_t)map->P,
                         .N = (uint32_t)map->N,
                         .K = (uint32_t)map->K,
                         .experts = (uint32_t)map->experts,
                         .active = (uint32_t)map->segments.active,
                         .tile_features = tile[0] ? tile[0] : 64,
                         .tile_tokens = tile[1] ? tile[1] : 64,
                         .tile_K = tile[2] ? tile[2] : 128};
    g.row = malloc(map->P * sizeof *g.row);
    if (!g.row)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the geometry of %zu rows", map->P);
    uint32_t tiles = place_run(&g, -1, 0, map->starts[0], 0);
    for (uint32_t a = 0; a < g.active; a++)
        tiles = place_run(&g, (int32_t)a, map->starts[a], map->starts[a + 1], tiles);
    place_run(&g, -1, map->starts[g.active], g.P, tiles);
    *out = g;
    return STATUS_OK;
}

void geometry_free(struct geometry *g)
{
    free(g->row);
    *g = (struct geometry){0};
}
