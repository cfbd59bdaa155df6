#include "oracle/infer/site_tile.h"

#include <stdlib.h>
#include <string.h>

enum { THREAD, REG, PART };
enum { REGISTER_BITS = 32 };

enum status site_tile_make(const struct layout *contract, const struct site_type *type, size_t views,
                           struct site_tile *out, struct error *e)
{
    struct site_tile t = {.type = type,
                          .contract = *contract,
                          .slots = box_size(&contract->domain),
                          .rows = contract->codomain.extent[0],
                          .columns = contract->codomain.extent[1],
                          .views = views};
    t.row = malloc(t.slots * sizeof *t.row);
    t.column = malloc(t.slots * sizeof *t.column);
    t.view = calloc(views ? views : 1, sizeof *t.view);
    t.values = calloc(views ? views * t.slots : 1, sizeof *t.values);
    if (!t.row || !t.column || !t.view || !t.values) {
        site_tile_free(&t);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu records of %zu slots", views, t.slots);
    }
    for (uint32_t i = 0; i < t.slots; i++) {
        struct point slot = box_point(&contract->domain, i), at = layout_apply(contract, &slot);
        t.row[i] = at.at[0];
        t.column[i] = at.at[1];
    }
    for (size_t v = 0; v < views; v++)
        t.view[v].value = t.values + v * t.slots;
    *out = t;
    return STATUS_OK;
}

void site_tile_free(struct site_tile *t)
{
    free(t->row);
    free(t->column);
    free(t->view);
    free(t->values);
    memset(t, 0, sizeof *t);
}

uint32_t *site_tile_values(struct site_tile *t, size_t view)
{
    return t->values + view * t->slots;
}

void site_tile_put(struct site_tile *t, size_t view, uint32_t thread, const uint32_t *words)
{
    uint32_t regs = t->contract.domain.extent[REG], parts = t->contract.domain.extent[PART];
    uint32_t *value = site_tile_values(t, view) + (size_t)thread * regs * parts;
    for (uint32_t i = 0; i < regs * parts; i++)
        value[i] = words[i / parts] >> i % parts * (REGISTER_BITS / parts) & t->type->mask;
}

bool site_fragment_take(const struct tap_image *image, const struct tap_image_stream *s, const struct layout *contract,
                        const struct site_type *type, uint32_t block, uint32_t warpgroup, uint32_t time,
                        uint32_t *value)
{
    const struct box *slots = &contract->domain;
    uint32_t parts = slots->extent[PART], columns = contract->codomain.extent[1];
    for (uint32_t t = 0; t < FO_CAPTURE_THREADS; t++)
        if (!tap_image_words(image, s, block, warpgroup, time, t))
            return false;
    for (uint32_t i = 0; i < box_size(slots); i++) {
        struct point slot = box_point(slots, i), at = layout_apply(contract, &slot);
        const uint32_t *words = tap_image_words(image, s, block, warpgroup, time, slot.at[THREAD]);
        value[at.at[0] * columns + at.at[1]] =
            words[slot.at[REG]] >> slot.at[PART] * (REGISTER_BITS / parts) & type->mask;
    }
    return true;
}

/* Threads of a warpgroup that came by at this time. */
static uint32_t threads_at(const struct tap_image *image, const struct tap_image_stream *s, uint32_t block,
                           uint32_t warpgroup, uint32_t time)
{
    uint32_t count = 0;
    for (uint32_t t = 0; t < FO_CAPTURE_THREADS; t++)
        count += tap_image_words(image, s, block, warpgroup, time, t) != NULL;
    return count;
}

void site_times(const struct tap_image *image, const struct tap_image_stream *s, uint32_t block, uint32_t warpgroup,
                uint32_t *begin, uint32_t *end)
{
    const struct tap_image_filter *f = &image->filter;
    const uint32_t *counter = s->counter + ((size_t)block * f->warpgroups + warpgroup) * FO_CAPTURE_THREADS;
    uint32_t most = 0;
    for (uint32_t t = 0; t < FO_CAPTURE_THREADS; t++)
        most = counter[t] > most ? counter[t] : most;
    *begin = f->keep_last ? most - (most < f->iterations ? most : f->iterations) : f->first_iteration;
    *begin = *begin < most ? *begin : most;
    *end = most - *begin < f->iterations ? most : *begin + f->iterations;
}

/* Go through the records of a stream; `t` NULL only counts them. */
static size_t walk(const struct tap_image *image, const struct tap_image_stream *s, struct site_tile *t, size_t *broken)
{
    const struct tap_image_filter *f = &image->filter;
    size_t views = 0;
    *broken = 0;
    for (uint32_t b = 0; b < f->blocks; b++)
        for (uint32_t w = 0; w < f->warpgroups; w++) {
            uint32_t time, end;
            for (site_times(image, s, b, w, &time, &end); time < end; time++) {
                uint32_t threads = threads_at(image, s, b, w, time);
                *broken += threads > 0 && threads < FO_CAPTURE_THREADS;
                if (threads < FO_CAPTURE_THREADS)
                    continue;
                if (t) {
                    t->view[views].block = f->first_block + b;
                    t->view[views].warpgroup = f->first_warpgroup + w;
                    t->view[views].time = time;
                    for (uint32_t thread = 0; thread < FO_CAPTURE_THREADS; thread++)
                        site_tile_put(t, views, thread, tap_image_words(image, s, b, w, time, thread));
                }
                views++;
            }
        }
    return views;
}

enum status site_tile_of_stream(const struct tap_image *image, const struct tap_image_stream *s,
                                const struct layout *contract, const struct site_type *type, struct site_tile *out,
                                size_t *broken, struct error *e)
{
    enum status st = site_tile_make(contract, type, walk(image, s, NULL, broken), out, e);
    if (st == STATUS_OK)
        walk(image, s, out, broken);
    return st;
}
