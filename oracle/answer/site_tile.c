#include "oracle/answer/site_tile.h"

#include <stdlib.h>
#include <string.h>

enum { THREAD, REG, PART };
enum { REGISTER_BITS = 32, STEP = 8, LOOKED_AT = 1024, LEAST = 64 };

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

/* Does every slot hold what it should with the tile at (i0, j0)? Elements beyond the matrix are not compared. */
static bool fits_at(const struct site_tile *t, const uint32_t *value, const struct site_matrix *m,
                    const uint32_t *matrix, size_t i0, size_t j0, size_t *compared)
{
    size_t seen = 0;
    for (size_t s = 0; s < t->slots; s++) {
        size_t i = i0 + t->row[s], j = j0 + t->column[s];
        if (i >= m->rows || j >= m->columns)
            continue;
        if (matrix[i * m->columns + j] != value[s])
            return false;
        seen++;
    }
    *compared = seen;
    return seen > 0;
}

/* Try origins in steps. Tiles that leave the matrix are tried in steps of whole tiles only. */
static void search(const struct site_tile *t, const uint32_t *value, const struct site_matrix *m,
                   const uint32_t *matrix, size_t step_i, size_t step_j, struct site_place *p)
{
    for (size_t i = 0; i < m->rows && !p->several; i += step_i)
        for (size_t j = 0; j < m->columns && !p->several; j += step_j) {
            bool inside = i + t->rows <= m->rows && j + t->columns <= m->columns;
            size_t compared;
            if ((!inside && (i % t->rows || j % t->columns)) || !fits_at(t, value, m, matrix, i, j, &compared))
                continue;
            if (p->found) {
                p->several = true;
                break;
            }
            p->found = true;
            p->i0 = i;
            p->j0 = j;
            p->right = p->compared = compared;
        }
}

struct site_place site_place_exact(const struct site_tile *t, size_t view, const struct site_matrix *m, int form,
                                   const struct site_at *at)
{
    const uint32_t *value = t->view[view].value, *matrix = m->form[form].value;
    struct site_place p = {.form = form};
    if (at->known) {
        p.found = at->i0 < m->rows && at->j0 < m->columns && fits_at(t, value, m, matrix, at->i0, at->j0, &p.compared);
        p.i0 = at->i0;
        p.j0 = at->j0;
        p.right = p.compared;
        return p;
    }
    /* Tiles mostly begin at multiples of themselves; only what does not is searched everywhere. */
    search(t, value, m, matrix, t->rows, t->columns, &p);
    if (!p.found)
        search(t, value, m, matrix, 1, 1, &p);
    return p;
}

/* How much of a tile agrees, whatever sign and scale its values have. */
struct agreement {
    size_t right, of;
};

/* Plain values: the same digits. Zeros say nothing. */
static struct agreement agree_plain(const struct site_tile *t, const uint32_t *digits, const struct site_matrix *m,
                                    const uint32_t *matrix_digits, size_t i0, size_t j0, size_t every)
{
    struct agreement a = {0, 0};
    for (size_t s = 0; s < t->slots; s += every) {
        size_t i = i0 + t->row[s], j = j0 + t->column[s];
        if (i >= m->rows || j >= m->columns)
            continue;
        uint32_t want = matrix_digits[i * m->columns + j];
        if (want == UINT32_MAX && digits[s] == UINT32_MAX)
            continue;
        a.of++;
        a.right += digits[s] == want;
    }
    return a;
}

/* Codes: is what a slot holds, up to its scale, a function of the code? Slots that hold what most slots of their code
 * hold. This finds the tile also under a wrong decode table. */
enum { SIGHTS = 64 };
static struct agreement agree_coded(const struct site_tile *t, const uint32_t *digits, const struct site_matrix *m,
                                    size_t i0, size_t j0, size_t every)
{
    struct agreement a = {0, 0};
    uint16_t seen[SITE_CODES][SIGHTS] = {{0}};
    for (size_t s = 0; s < t->slots; s += every) {
        size_t i = i0 + t->row[s], j = j0 + t->column[s];
        if (i >= m->rows || j >= m->columns)
            continue;
        unsigned code = m->source->code[i * m->columns + j];
        a.of++;
        seen[code][digits[s] % SIGHTS]++;
    }
    for (unsigned code = 0; code < SITE_CODES; code++) {
        uint16_t most = 0;
        for (unsigned d = 0; d < SIGHTS; d++)
            most = seen[code][d] > most ? seen[code][d] : most;
        a.right += most;
    }
    return a;
}

/* Digits and sign, folded so that the few values of a code fall apart. */
static void take_digits(const struct site_type *type, const uint32_t *value, size_t n, bool sign, uint32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t d = site_type_digits(type, value[i]);
        bool negative = sign && d != UINT32_MAX && site_type_decode(type, value[i]) < 0;
        out[i] = sign ? (d == UINT32_MAX ? 0 : 1 + (d * 2654435761u >> 27) * 2 + negative) : d;
    }
}

/* `matrix_digits` NULL: codes. */
static struct agreement agree(const struct site_tile *t, const uint32_t *digits, const struct site_matrix *m,
                              const uint32_t *matrix_digits, size_t i0, size_t j0, size_t every)
{
    return matrix_digits ? agree_plain(t, digits, m, matrix_digits, i0, j0, every)
                         : agree_coded(t, digits, m, i0, j0, every);
}

/* The best of all places, by some of the slots. */
static void search_near(const struct site_tile *t, const uint32_t *digits, const struct site_matrix *m,
                        const uint32_t *matrix_digits, struct site_place *best)
{
    /* odd, so that no register is left out */
    size_t every = (t->slots / LOOKED_AT) | 1;
    for (size_t i = 0; i < m->rows; i += STEP)
        for (size_t j = 0; j < m->columns; j += STEP) {
            struct agreement a = agree(t, digits, m, matrix_digits, i, j, every);
            if (a.of >= LEAST && a.right * (best->compared ? best->compared : 1) > best->right * a.of)
                *best = (struct site_place){.i0 = i, .j0 = j, .right = a.right, .compared = a.of};
        }
}

enum status site_place_near(const struct site_tile *t, size_t view, const struct site_matrix *m,
                            const struct site_at *at, struct site_place *out, struct error *e)
{
    bool coded = m->source->code != NULL;
    size_t count = coded ? 1 : m->rows * m->columns;
    uint32_t *digits = malloc(t->slots * sizeof *digits), *matrix_digits = malloc(count * sizeof *matrix_digits);
    struct site_place best = {.i0 = at->i0, .j0 = at->j0};
    enum status s = STATUS_OK;
    if (!digits || !matrix_digits) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory to look for a tile in a matrix of %zu x %zu", m->rows,
                      m->columns);
        goto cleanup;
    }
    take_digits(t->type, t->view[view].value, t->slots, coded, digits);
    if (!coded)
        take_digits(t->type, m->form[0].value, count, false, matrix_digits);
    if (!at->known)
        search_near(t, digits, m, coded ? NULL : matrix_digits, &best);
    struct agreement a = agree(t, digits, m, coded ? NULL : matrix_digits, best.i0, best.j0, 1);
    best.right = a.right;
    best.compared = a.of;
    /* A wrong place agrees in about a quarter (codes) or less (values). */
    best.found = a.of >= LEAST && a.right * 10 >= a.of * 7;
    *out = best;
cleanup:
    free(digits);
    free(matrix_digits);
    return s;
}
