#include "probes/infer_origin.h"

#include <stdlib.h>
#include <string.h>

enum { COMPARISONS_MOST = 1 << 28 };

/* A permutation of 64 bits, so that two values never share a hash; source: the finaliser of SplitMix64. */
static uint64_t hash(uint32_t value)
{
    uint64_t z = (value + 1u) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

struct search {
    const struct infer_matrix *matrix;
    size_t rows, columns, step_i, step_j, most;
    uint64_t target;
    uint32_t *capture, *tile; /* sorted values */
    uint64_t *sum;            /* of hashes, one for each column of the matrix, over the rows of the tile */
    struct infer_origin *origin;
    size_t found;
};

static void add_row(struct search *s, size_t i, bool add)
{
    const uint32_t *row = s->matrix->value + i * s->matrix->columns;
    for (size_t j = 0; j < s->matrix->columns; j++)
        s->sum[j] += add ? hash(row[j]) : 0 - hash(row[j]);
}

/* Different values may have one sum of hashes; sorted values have not. */
static void confirm(struct search *s, size_t i0, size_t j0)
{
    for (size_t i = 0; i < s->rows; i++)
        memcpy(s->tile + i * s->columns, s->matrix->value + (i0 + i) * s->matrix->columns + j0,
               s->columns * sizeof *s->tile);
    qsort(s->tile, s->rows * s->columns, sizeof *s->tile, by_value);
    if (memcmp(s->tile, s->capture, s->rows * s->columns * sizeof *s->tile) == 0)
        s->origin[s->found++] = (struct infer_origin){i0, j0};
}

static void search_rows(struct search *s, size_t i0)
{
    uint64_t window = 0;
    for (size_t j = 0; j < s->columns; j++)
        window += s->sum[j];
    for (size_t j0 = 0; s->found < s->most; j0++) {
        if (window == s->target && j0 % s->step_j == 0)
            confirm(s, i0, j0);
        if (j0 + s->columns == s->matrix->columns)
            break;
        window += s->sum[j0 + s->columns] - s->sum[j0];
    }
}

static void search_matrix(struct search *s)
{
    size_t first = 0, end = 0, down = s->matrix->rows - s->rows; /* first, end: rows in the sums */
    for (size_t i0 = 0; s->found < s->most; i0 += s->step_i) {
        for (; first < i0 && first < end; first++)
            add_row(s, first, false);
        first = i0;
        for (end = end > i0 ? end : i0; end < i0 + s->rows; end++)
            add_row(s, end, true);
        search_rows(s, i0);
        if (s->step_i > down - i0)
            break;
    }
}

enum status infer_origin_search(const struct infer_view *v, size_t slots, size_t rows, size_t columns, size_t most,
                                struct infer_origin *origin, size_t *found, struct error *e)
{
    enum status status = STATUS_OK;
    struct search s = {.matrix = &v->matrix, .rows = rows, .columns = columns, .most = most, .origin = origin};
    *found = 0;
    if (slots != rows * columns) /* no number of slots can be those values */
        return STATUS_OK;
    s.step_i = v->step_i ? v->step_i : 1;
    s.step_j = v->step_j ? v->step_j : 1;
    s.sum = calloc(v->matrix.columns, sizeof *s.sum);
    s.capture = malloc(slots * sizeof *s.capture);
    s.tile = malloc(slots * sizeof *s.tile);
    if (!s.sum || !s.capture || !s.tile) {
        status = error_set(e, STATUS_NO_MEMORY, "no memory to search %zu columns for a tile", v->matrix.columns);
        goto done;
    }
    memcpy(s.capture, v->value, slots * sizeof *s.capture);
    qsort(s.capture, slots, sizeof *s.capture, by_value);
    for (size_t n = 0; n < slots; n++)
        s.target += hash(s.capture[n]);
    search_matrix(&s);
    *found = s.found;
done:
    free(s.sum);
    free(s.capture);
    free(s.tile);
    return status;
}

/* Slots that agree; counted no further than it can be more than `beat`. */
static size_t count_agreeing(const uint32_t *capture, const uint32_t *tile, const size_t *offset, size_t slots,
                             size_t beat)
{
    enum { STRIDE = 64 };
    size_t agree = 0;
    for (size_t n = 0; n < slots && agree + (slots - n) > beat; n += STRIDE)
        for (size_t k = n; k < slots && k < n + STRIDE; k++)
            agree += capture[k] == tile[offset[k]];
    return agree;
}

enum status infer_origin_vote(const struct infer_view *v, const uint32_t *contract, size_t slots, size_t rows,
                              size_t columns, struct infer_vote *out, struct error *e)
{
    const struct infer_matrix *m = &v->matrix;
    struct infer_vote best = {{0, 0}, 0, 0};
    size_t step_i = v->step_i, step_j = v->step_j;
    size_t *offset = malloc(slots * sizeof *offset);
    if (!offset)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the contract of %zu slots", slots);
    for (size_t n = 0; n < slots; n++)
        offset[n] = contract[n] / columns * m->columns + contract[n] % columns;
    size_t down = m->rows - rows, across = m->columns - columns;
    if (!step_i || !step_j ||
        (double)(down / step_i + 1) * (double)(across / step_j + 1) * (double)slots > COMPARISONS_MOST) {
        step_i = rows;
        step_j = columns;
    }
    for (size_t i = 0; i <= down; i += step_i <= down - i ? step_i : down - i + 1)
        for (size_t j = 0; j <= across; j += step_j <= across - j ? step_j : across - j + 1) {
            size_t agree = count_agreeing(v->value, m->value + i * m->columns + j, offset, slots, best.second);
            if (agree > best.agree) {
                best.second = best.agree;
                best.agree = agree;
                best.origin = (struct infer_origin){i, j};
            } else if (agree > best.second) {
                best.second = agree;
            }
        }
    free(offset);
    *out = best;
    return STATUS_OK;
}
