#include "oracle/infer/site_guess.h"

#include <stdlib.h>
#include <string.h>

enum { REG = 1, PART = 2, REGISTERS = 4, CODES = 256 /* four digits of four */ };

enum status site_tile_by_map(const struct site_tile *t, const struct layout *map, struct site_tile *out,
                             struct error *e)
{
    enum status s = site_tile_make(map, t->type, 0, out, e);
    if (s != STATUS_OK)
        return s;
    free(out->view);
    out->view = t->view;
    return STATUS_OK;
}
void site_tile_by_map_free(struct site_tile *t)
{
    t->view = NULL;
    site_tile_free(t);
}

/* Take the map whose slots these are. */
static enum status adopt(const struct site_tile *by, enum site_guess how, struct site_order *o, struct error *e)
{
    struct layout map;
    uint32_t *code = malloc(by->slots * sizeof *code);
    if (!code)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu slots", by->slots);
    for (size_t i = 0; i < by->slots; i++)
        code[i] = by->row[i] * by->columns + by->column[i];
    enum status s = layout_from_table(&by->contract.domain, &by->contract.codomain, code, &map, e);
    free(code);
    if (s != STATUS_OK)
        return s;
    if (o->asked)
        layout_free(&o->answer.map);
    o->answer = (struct infer_answer){.found = true, .family = INFER_TABLE, .map = map};
    o->asked = o->known = true;
    o->guess = how;
    return STATUS_OK;
}

/* Is the order that of another site? */
static enum status try_maps(const struct site_tile *t, size_t view, const struct site_matrix *m,
                            const struct site_asked *asked, struct site_order *o, struct error *e)
{
    const struct site_at anywhere = {0};
    enum status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < asked->maps && !o->known; i++) {
        struct site_tile by;
        if (box_size(&asked->map[i].map->domain) != t->slots)
            continue;
        s = site_tile_by_map(t, asked->map[i].map, &by, e);
        if (s != STATUS_OK)
            break;
        o->lender = asked->map[i].site;
        if (site_place_most(&by, view, m, o->form, asked->ulps, &anywhere).found)
            s = adopt(&by, GUESS_OTHER_SITE, o, e);
        site_tile_by_map_free(&by);
    }
    return s;
}

/* Order number n of four registers: register r holds what order[r] should. */
static bool register_order(unsigned n, uint32_t order[REGISTERS])
{
    bool used[REGISTERS] = {false};
    for (unsigned r = 0; r < REGISTERS; n /= REGISTERS, r++) {
        order[r] = n % REGISTERS;
        if (used[order[r]])
            return false;
        used[order[r]] = true;
    }
    return true;
}

/* The slots of t with their registers in this order. */
static void reorder(const struct site_tile *t, const uint32_t order[REGISTERS], struct site_tile *by)
{
    uint32_t parts = t->contract.domain.extent[PART];
    for (size_t i = 0; i < t->slots; i++) {
        size_t from = i - i % (parts * REGISTERS) + order[i / parts % REGISTERS] * parts + i % parts;
        by->row[i] = t->row[from];
        by->column[i] = t->column[from];
    }
}

/* The contract with its registers in another order: one that fits, and no other does. */
static enum status try_registers(const struct site_tile *t, size_t view, const struct site_matrix *m,
                                 const struct site_asked *asked, struct site_order *o, struct error *e)
{
    const struct site_at anywhere = {0};
    uint32_t order[REGISTERS], found[REGISTERS];
    size_t fit = 0;
    struct site_tile by;
    if (t->contract.domain.rank != 3 || t->contract.domain.extent[REG] != REGISTERS)
        return STATUS_OK;
    enum status s = site_tile_by_map(t, &t->contract, &by, e);
    if (s != STATUS_OK)
        return s;
    for (unsigned n = 0; n < CODES && fit < 2; n++) {
        if (!register_order(n, order))
            continue;
        reorder(t, order, &by);
        if (site_place_most(&by, view, m, o->form, asked->ulps, &anywhere).found && fit++ == 0)
            memcpy(found, order, sizeof found);
    }
    if (fit == 1) {
        reorder(t, found, &by);
        s = adopt(&by, GUESS_REGISTERS, o, e);
    }
    site_tile_by_map_free(&by);
    return s;
}

enum status site_guess_order(const struct site_tile *t, const struct site_matrix *m, const struct site_asked *asked,
                             struct site_order *o, struct error *e)
{
    size_t view = 0;
    while (view < t->views && (o->place[view].found || o->most[view].found))
        view++;
    if (view == t->views)
        return STATUS_OK;
    enum status s = try_maps(t, view, m, asked, o, e);
    if (s == STATUS_OK && !o->known)
        s = try_registers(t, view, m, asked, o, e);
    return s;
}
