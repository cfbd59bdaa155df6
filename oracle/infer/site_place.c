#include "oracle/infer/site_place.h"

#include <stdlib.h>
#include <string.h>

enum { STEP = 8, LEAST = 64 };

/* Does a slot hold what it should? Counts how far off it is. */
static bool slot_fits(const struct site_type *type, uint32_t found, uint32_t want, uint32_t ulps, struct site_place *p)
{
    uint32_t distance;
    if (found == want)
        return true;
    if (!ulps || !site_type_within(type, found, want, ulps, &distance))
        return false;
    p->off++;
    p->worst = distance > p->worst ? distance : p->worst;
    return true;
}

/* Does every slot hold what it should with the tile at (i0, j0)? Elements beyond the matrix are not compared. */
static bool fits_at(const struct site_tile *t, const uint32_t *value, const struct site_matrix *m, uint32_t ulps,
                    struct site_place *p)
{
    const uint32_t *matrix = m->form[p->form].value;
    p->compared = p->off = p->worst = 0;
    for (size_t s = 0; s < t->slots; s++) {
        size_t i = p->i0 + t->row[s], j = p->j0 + t->column[s];
        if (i >= m->rows || j >= m->columns)
            continue;
        if (!slot_fits(t->type, value[s], matrix[i * m->columns + j], ulps, p))
            return false;
        p->compared++;
    }
    p->right = p->compared;
    return p->compared > 0;
}

/* Try origins in steps. Tiles that leave the matrix are tried in steps of whole tiles only. */
static void search(const struct site_tile *t, const uint32_t *value, const struct site_matrix *m, uint32_t ulps,
                   size_t step_i, size_t step_j, struct site_place *p)
{
    const uint32_t *matrix = m->form[p->form].value;
    for (size_t i = 0; i < m->rows && !p->several; i += step_i)
        for (size_t j = 0; j < m->columns && !p->several; j += step_j) {
            bool inside = i + t->rows <= m->rows && j + t->columns <= m->columns;
            /* Most places are none, and one look says so. */
            if (inside && !ulps && matrix[(i + t->row[0]) * m->columns + j + t->column[0]] != value[0])
                continue;
            struct site_place here = {.form = p->form, .i0 = i, .j0 = j};
            if ((!inside && (i % t->rows || j % t->columns)) || !fits_at(t, value, m, ulps, &here))
                continue;
            if (p->found) {
                p->several = true;
                break;
            }
            *p = here;
            p->found = true;
        }
}

struct site_place site_place_within(const struct site_tile *t, size_t view, const struct site_matrix *m, int form,
                                    uint32_t ulps, const struct site_at *at)
{
    const uint32_t *value = t->view[view].value;
    struct site_place p = {.form = form};
    if (at->known) {
        p.i0 = at->i0;
        p.j0 = at->j0;
        p.found = at->i0 < m->rows && at->j0 < m->columns && fits_at(t, value, m, ulps, &p);
        return p;
    }
    /* Tiles mostly begin at multiples of themselves; only what does not is searched everywhere. */
    search(t, value, m, ulps, t->rows, t->columns, &p);
    if (!p.found)
        search(t, value, m, ulps, 1, 1, &p);
    return p;
}

struct site_place site_place_exact(const struct site_tile *t, size_t view, const struct site_matrix *m, int form,
                                   const struct site_at *at)
{
    return site_place_within(t, view, m, form, 0, at);
}

/* Count the slots that hold what they should, every so many of them, until more than `wrong` do not. */
static void count_at(const struct site_tile *t, const uint32_t *value, const struct site_matrix *m, uint32_t ulps,
                     size_t every, size_t wrong, struct site_place *p)
{
    const uint32_t *matrix = m->form[p->form].value;
    p->right = p->compared = p->off = p->worst = 0;
    for (size_t s = 0; s < t->slots && p->compared - p->right <= wrong; s += every) {
        size_t i = p->i0 + t->row[s], j = p->j0 + t->column[s];
        if (i >= m->rows || j >= m->columns)
            continue;
        uint32_t want = matrix[i * m->columns + j];
        bool right = slot_fits(t->type, value[s], want, ulps, p);
        if (!right && p->right == p->compared) {
            p->want = want;
            p->held = value[s];
        }
        p->compared++;
        p->right += right;
    }
}

struct site_place site_place_most(const struct site_tile *t, size_t view, const struct site_matrix *m, int form,
                                  uint32_t ulps, const struct site_at *at)
{
    enum { ALL_BUT = 32, LOOKED_AT = 16 };
    const uint32_t *value = t->view[view].value;
    size_t every = (t->slots / LOOKED_AT) | 1; /* odd, so that no register is left out */
    struct site_place best = {.form = form, .i0 = at->i0, .j0 = at->j0};
    for (size_t i = at->known ? at->i0 : 0; i < m->rows; i += STEP) {
        for (size_t j = at->known ? at->j0 : 0; j < m->columns; j += STEP) {
            struct site_place p = {.form = form, .i0 = i, .j0 = j};
            count_at(t, value, m, ulps, every, LOOKED_AT / 4, &p);
            if (p.compared - p.right <= LOOKED_AT / 4)
                count_at(t, value, m, ulps, 1, t->slots, &p);
            else
                p.right = 0;
            if (p.right > best.right)
                best = p;
            if (at->known)
                break;
        }
        if (at->known)
            break;
    }
    best.found = best.compared >= LEAST && best.right * ALL_BUT >= best.compared * (ALL_BUT - 1);
    return best;
}

/* What stays of bits when sign and scale do not count. Values of up to 16 bits are looked up. */
struct digits {
    const struct site_type *type;
    bool sign;       /* keep it, fold the rest so that the few values of a code fall apart */
    uint32_t *table; /* owned; NULL for wider types */
};
enum { TABLE_BITS = 16 };

static uint32_t digits_make(const struct digits *d, uint32_t bits)
{
    uint32_t x = site_type_digits(d->type, bits);
    if (!d->sign)
        return x;
    return x == UINT32_MAX ? 0 : 1 + (x * 2654435761u >> 27) * 2 + (site_type_decode(d->type, bits) < 0);
}

static uint32_t digits_of(const struct digits *d, uint32_t bits)
{
    return d->table ? d->table[bits] : digits_make(d, bits);
}

/* How much of a tile agrees, whatever sign and scale its values have. */
struct agreement {
    size_t right, of;
};

/* Plain values: the same digits. Zeros say nothing. least: of the first slots that are looked at, so many must agree; 0
 * looks at all of them. */
static struct agreement agree_plain(const struct site_tile *t, const uint32_t *digits, const struct site_matrix *m,
                                    const struct digits *d, size_t i0, size_t j0, size_t every, size_t least)
{
    enum { FIRST = 16 };
    struct agreement a = {0, 0};
    for (size_t s = 0; s < t->slots; s += every) {
        size_t i = i0 + t->row[s], j = j0 + t->column[s];
        if (i >= m->rows || j >= m->columns)
            continue;
        uint32_t want = digits_of(d, m->form[0].value[i * m->columns + j]);
        if (want == UINT32_MAX && digits[s] == UINT32_MAX)
            continue;
        a.of++;
        a.right += digits[s] == want;
        if (a.of == FIRST && a.right < least)
            return (struct agreement){0, LEAST};
    }
    return a;
}

/* Does what the first slots hold not depend on the code? It does where slots of one code mostly hold the same. */
static bool codes_disagree(const struct site_tile *t, const uint32_t *digits, const struct site_matrix *m, size_t i0,
                           size_t j0, size_t every)
{
    enum { REPEATS = 12 };
    uint32_t first[SITE_CODES];
    unsigned seen = 0, repeats = 0, same = 0;
    for (size_t s = 0; s < t->slots && repeats < REPEATS; s += every) {
        size_t i = i0 + t->row[s], j = j0 + t->column[s];
        if (i >= m->rows || j >= m->columns)
            continue;
        unsigned code = m->source->code[i * m->columns + j];
        if (seen & 1u << code) {
            repeats++;
            same += first[code] == digits[s];
        } else {
            seen |= 1u << code;
            first[code] = digits[s];
        }
    }
    return repeats == REPEATS && same * 2 < repeats;
}

/* Codes: is what a slot holds, up to its scale, a function of the code? Slots that hold what most slots of their code
 * hold. This finds the tile also under a wrong decode table. */
enum { SIGHTS = 64 };
static struct agreement agree_coded(const struct site_tile *t, const uint32_t *digits, const struct site_matrix *m,
                                    size_t i0, size_t j0, size_t every, size_t least)
{
    struct agreement a = {0, 0};
    uint16_t seen[SITE_CODES][SIGHTS];
    if (least && codes_disagree(t, digits, m, i0, j0, every))
        return (struct agreement){0, LEAST};
    memset(seen, 0, sizeof seen);
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
        for (unsigned k = 0; k < SIGHTS; k++)
            most = seen[code][k] > most ? seen[code][k] : most;
        a.right += most;
    }
    return a;
}

static struct agreement agree(const struct site_tile *t, const uint32_t *digits, const struct site_matrix *m,
                              const struct digits *d, size_t i0, size_t j0, size_t every, size_t least)
{
    return m->source->code ? agree_coded(t, digits, m, i0, j0, every, least)
                           : agree_plain(t, digits, m, d, i0, j0, every, least);
}

/* The best of all places: by some of the slots, then of the best of these by all. */
static void search_near(const struct site_tile *t, const uint32_t *digits, const struct site_matrix *m,
                        const struct digits *d, struct site_place *best)
{
    enum { FINALISTS = 16, LOOKED_AT = 192, LEAST_OF_FIRST = 4 };
    struct site_place finalist[FINALISTS] = {{0}};
    size_t every = (t->slots / LOOKED_AT) | 1, worst = 0;
    for (size_t i = 0; i < m->rows; i += STEP)
        for (size_t j = 0; j < m->columns; j += STEP) {
            struct agreement a = agree(t, digits, m, d, i, j, every, LEAST_OF_FIRST);
            struct site_place *out = &finalist[worst];
            if (a.of < LEAST || a.right * (out->compared ? out->compared : 1) <= out->right * a.of)
                continue;
            *out = (struct site_place){.i0 = i, .j0 = j, .right = a.right, .compared = a.of};
            for (size_t k = 0; k < FINALISTS; k++)
                if (!finalist[k].compared ||
                    finalist[k].right * finalist[worst].compared < finalist[worst].right * finalist[k].compared)
                    worst = k;
        }
    for (size_t k = 0; k < FINALISTS; k++) {
        const struct site_place *p = &finalist[k];
        struct agreement a = {0, 0};
        if (p->compared)
            a = agree(t, digits, m, d, p->i0, p->j0, 1, 0);
        if (a.of >= LEAST && a.right * (best->compared ? best->compared : 1) > best->right * a.of)
            *best = (struct site_place){.i0 = p->i0, .j0 = p->j0, .right = a.right, .compared = a.of};
    }
}

enum status site_place_near(const struct site_tile *t, size_t view, const struct site_matrix *m,
                            const struct site_at *at, struct site_place *out, struct error *e)
{
    struct digits d = {.type = t->type, .sign = m->source->code != NULL};
    bool narrow = t->type->bits <= TABLE_BITS;
    uint32_t *digits = malloc(t->slots * sizeof *digits);
    uint32_t *table = narrow ? malloc(sizeof *table << t->type->bits) : NULL;
    struct site_place best = {.i0 = at->i0, .j0 = at->j0};
    enum status s = STATUS_OK;
    if (!digits || (narrow && !table)) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory to look for a tile in a matrix of %zu x %zu", m->rows,
                      m->columns);
        goto cleanup;
    }
    for (uint32_t bits = 0; narrow && bits < 1u << t->type->bits; bits++)
        table[bits] = digits_make(&d, bits);
    d.table = table;
    for (size_t i = 0; i < t->slots; i++)
        digits[i] = digits_of(&d, t->view[view].value[i]);
    if (!at->known)
        search_near(t, digits, m, &d, &best);
    struct agreement a = agree(t, digits, m, &d, best.i0, best.j0, 1, 0);
    best.right = a.right;
    best.compared = a.of;
    /* A wrong place agrees in about a quarter (codes) or less (values). */
    best.found = a.of >= LEAST && a.right * 10 >= a.of * 7;
    *out = best;
cleanup:
    free(digits);
    free(table);
    return s;
}
