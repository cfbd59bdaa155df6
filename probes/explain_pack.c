/* Pack orders: every slot of every thread takes its value from one other slot of the same thread. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "probes/explain_parts.h"
#include "reference/fragment.h"

enum { ROWS = 16, THREADS = 32 };

static void pack_map(const char *name, unsigned parts, struct explain_pack_map *out)
{
    struct wgmma_op op;
    struct layout layout;
    enum status status = wgmma_parse(name, &op, NULL);
    assert(status == STATUS_OK);
    status = fragment_map(&op, FRAGMENT_A, &layout, NULL);
    assert(status == STATUS_OK);
    (void)status;
    *out = (struct explain_pack_map){.slots = 4 * parts, .columns = 8 * parts};
    for (uint32_t t = 0; t < THREADS; t++)
        for (uint32_t s = 0; s < out->slots; s++) {
            struct point element = layout_apply(&layout, &(struct point){{t, s / parts, s % parts}});
            assert(element.at[0] < ROWS && element.at[1] < out->columns); /* warp 0 holds the first 16 rows */
            out->slot[element.at[0]][element.at[1]] = (uint8_t)s;
            out->thread[element.at[0]][element.at[1]] = (uint8_t)t;
            out->row[t][s] = (uint8_t)element.at[0];
            out->column[t][s] = (uint8_t)element.at[1];
        }
    layout_free(&layout);
}

void explain_pack_maps(struct explain_pack_map map[2])
{
    pack_map("wgmma.m64n64k16.f32.bf16.bf16.rs", 2, &map[0]);
    pack_map("wgmma.m64n64k32.f32.e4m3.e4m3.rs", 4, &map[1]);
}

enum { OPEN = 0xff };

static bool pack_add(const struct explain_pack_map *map, const uint32_t to[2], const uint32_t from[2], uint8_t *order)
{
    if (from[0] / ROWS != to[0] / ROWS || from[1] / map->columns != to[1] / map->columns)
        return false;
    uint32_t i = to[0] % ROWS, j = to[1] % map->columns, i2 = from[0] % ROWS, j2 = from[1] % map->columns;
    if (map->thread[i][j] != map->thread[i2][j2])
        return false;
    uint8_t *at = &order[map->slot[i][j]];
    if (*at == OPEN)
        *at = map->slot[i2][j2];
    return *at == map->slot[i2][j2];
}

bool explain_pack_find(const struct explain_pack_map *map, const struct rule_samples *s, uint32_t mask,
                       struct explain_pack *out)
{
    struct explain_pack pack = {.slots = map->slots, .columns = map->columns};
    memset(pack.order, OPEN, sizeof pack.order);
    for (uint32_t n = 0; n < s->extent[0]; n++)
        for (uint32_t k = 0; k < s->extent[1]; k++) {
            size_t at = (size_t)n * s->extent[1] + k;
            const uint32_t to[2] = {n, k ^ mask}, from[2] = {s->y[0][at], s->y[1][at]};
            if (from[0] != RULE_UNSEEN && !pack_add(map, to, from, pack.order))
                return false;
        }
    bool moves = false;
    for (unsigned i = 0; i < pack.slots; i++) {
        pack.order[i] = pack.order[i] == OPEN ? (uint8_t)i : pack.order[i];
        moves |= pack.order[i] != i;
    }
    *out = pack;
    return moves || mask;
}

enum status explain_pack_rule(const struct explain_pack_map *map, const struct explain_pack *pack,
                              const uint32_t extent[2], struct source_rule *out, struct error *e)
{
    struct source_rule r = source_rule_identity("n", "k", extent);
    for (int c = 0; c < 2; c++) {
        uint32_t a = c == 0 ? ROWS : map->columns, b = c == 0 ? map->columns : ROWS;
        int32_t *step = malloc((size_t)a * b * sizeof *step);
        if (!step) {
            source_rule_free(&r);
            return error_set(e, STATUS_NO_MEMORY, "no memory for a pack order");
        }
        for (uint32_t z = 0; z < a; z++)
            for (uint32_t w = 0; w < b; w++) {
                uint32_t i = c == 0 ? z : w, j = c == 0 ? w : z;
                uint8_t from = pack->order[map->slot[i][j]], thread = map->thread[i][j];
                step[z * b + w] = (int32_t)(c == 0 ? map->row[thread][from] : map->column[thread][from]) - (int32_t)z;
            }
        r.at[c] = (struct rule_coordinate){.family = RULE_PERIODIC, .period = {a, b}, .step = step};
    }
    *out = r;
    return STATUS_OK;
}

/* The values of a thread are counted row by row: v[h * slots/2 ...] of row g + 8h, then by columns. Slot 2r + part of
 * register r stands in row g + 8 (r & 1). */
void explain_pack_words(const struct explain_pack *pack, uint8_t found[EXPLAIN_SLOTS], uint8_t wanted[EXPLAIN_SLOTS])
{
    unsigned parts = pack->slots / 4;
    for (unsigned s = 0; s < pack->slots; s++) {
        unsigned r = s / parts;
        wanted[s] = (uint8_t)((r & 1) * 2 * parts + (r >> 1) * parts + s % parts);
    }
    for (unsigned s = 0; s < pack->slots; s++)
        found[s] = wanted[pack->order[s]];
}
