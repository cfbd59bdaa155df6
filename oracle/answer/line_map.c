#include "oracle/answer/line_map.h"

#include <math.h>
#include <stdlib.h>

#include "probes/nearest.h"
#include "reference/size.h"

/* The lines of one matrix: where line i begins and how far apart its elements are. */
struct view {
    const struct bf16 *output, *expected;
    size_t lines, length, line_stride, element_stride;
};

/* Distances between which binary32 cannot tell: rounding moves each of them by half a unit in the last place. */
struct range {
    double low, high;
};

static struct range too_close(float distance)
{
    const double unit = 0x1p-22, smallest = 0x1p-148; /* the latter for subnormal distances */
    return (struct range){(double)distance * (1 - unit) - smallest, (double)distance * (1 + unit) + smallest};
}

static bool within(float distance, const struct range *r)
{
    return (double)distance >= r->low && (double)distance <= r->high;
}

/* Lines of the expectation too close to call against line i itself, and room to ask which of them is nearer. */
struct tied {
    size_t *line, count;
    struct bf16 *output, *expected; /* [count + 1, length] */
    bool *equal;                    /* [count + 1] */
};

static void tied_free(struct tied *t)
{
    free(t->line);
    free(t->output);
    free(t->expected);
    free(t->equal);
}

static void copy_line(const struct view *v, const struct bf16 *from, size_t line, struct bf16 *to)
{
    for (size_t k = 0; k < v->length; k++)
        to[k] = from[line * v->line_stride + k * v->element_stride];
}

/* Is one of the `count` candidates strictly nearer to line i than line i of the expectation is? Asked of score's own
 * search, so that the picture and the count never disagree: a matrix of line i and the candidates, in which all but the
 * first are hits already. A NaN where none is expected counts as yes. */
static enum status any_nearer(const struct view *v, size_t i, const size_t *candidate, size_t count, struct tied *room,
                              bool *nearer, struct error *e)
{
    for (size_t j = 0; j <= count; j++) {
        copy_line(v, v->output, i, room->output + j * v->length);
        copy_line(v, v->expected, j ? candidate[j - 1] : i, room->expected + j * v->length);
        room->equal[j] = j > 0;
    }
    struct hits h;
    enum status s = nearest_count(room->output, room->expected, count + 1, v->length, false, room->equal, &h, e);
    if (s == STATUS_OK)
        *nearer = h.hits <= count;
    return s;
}

static enum status tied_make(const struct view *v, size_t i, const float *distance, struct tied *t, struct error *e)
{
    const struct range close = too_close(distance[i]);
    *t = (struct tied){0};
    for (size_t j = 0; j < v->lines; j++)
        t->count += j != i && within(distance[j], &close);
    t->line = calloc(t->count + 1, sizeof *t->line);
    t->output = calloc((t->count + 1) * v->length, sizeof *t->output);
    t->expected = calloc((t->count + 1) * v->length, sizeof *t->expected);
    t->equal = calloc(t->count + 1, sizeof *t->equal);
    if (!t->line || !t->output || !t->expected || !t->equal) {
        tied_free(t);
        return error_set(e, STATUS_NO_MEMORY, "no memory to compare %zu lines", t->count);
    }
    for (size_t j = 0, k = 0; j < v->lines; j++)
        if (j != i && within(distance[j], &close))
            t->line[k++] = j;
    return STATUS_OK;
}

/* No distance is clearly below that of line i to itself, but others may be as good. *nearest: i, or a line that is
 * strictly nearer, or v->lines for none. */
static enum status break_tie(const struct view *v, size_t i, const float *distance, size_t *nearest, struct error *e)
{
    struct tied t;
    enum status s = tied_make(v, i, distance, &t, e);
    if (s != STATUS_OK)
        return s;
    bool nan = false, nearer = false;
    size_t first = 0, count = t.count;
    s = any_nearer(v, i, t.line, 0, &t, &nan, e);
    if (s == STATUS_OK && !nan)
        s = any_nearer(v, i, t.line, count, &t, &nearer, e);
    /* Halve until one is left that is nearer: the first one. */
    while (s == STATUS_OK && nearer && count > 1) {
        bool lower;
        s = any_nearer(v, i, t.line + first, count / 2, &t, &lower, e);
        first += lower ? 0 : count / 2;
        count = lower ? count / 2 : count - count / 2;
    }
    if (s == STATUS_OK)
        *nearest = nan ? v->lines : nearer ? t.line[first] : i;
    tied_free(&t);
    return s;
}

static enum status find_nearest(const struct view *v, size_t i, const float *distance, size_t *nearest, struct error *e)
{
    size_t best = i;
    for (size_t j = 0; j < v->lines; j++)
        if (distance[j] < distance[best])
            best = j;
    if (distance[i] == 0 || (double)distance[best] < too_close(distance[i]).low) {
        *nearest = best;
        return STATUS_OK;
    }
    return break_tie(v, i, distance, nearest, e);
}

/* Row `cell` of the picture: the lines of the output that it stands for, against all lines of the expectation. */
static enum status fill_cells(const struct view *v, const float *distance, size_t cell, struct line_map *m,
                              struct error *e)
{
    size_t first = cell * m->per_cell, end = first + m->per_cell, hits = 0;
    float *smallest = m->distance + cell * m->cells;
    uint8_t *mark = m->mark + cell * m->cells;
    end = end < m->lines ? end : m->lines;
    for (size_t j = 0; j < m->cells; j++)
        smallest[j] = INFINITY;
    for (size_t i = first; i < end; i++) {
        const float *from = distance + i * m->lines;
        for (size_t j = 0; j < m->lines; j++)
            smallest[j / m->per_cell] = fminf(smallest[j / m->per_cell], from[j]);
        size_t nearest;
        enum status s = find_nearest(v, i, from, &nearest, e);
        if (s != STATUS_OK)
            return s;
        if (nearest == i) {
            hits++;
        } else if (nearest < m->lines) {
            mark[nearest / m->per_cell] = LINE_MISS;
            m->misses++;
        } else {
            m->unmarked++;
        }
    }
    if (hits == end - first)
        mark[cell] = LINE_HIT;
    m->hits += hits;
    return STATUS_OK;
}

size_t line_map_per_cell(size_t lines)
{
    return (lines + LINE_MAP_CELLS - 1) / LINE_MAP_CELLS;
}

enum status line_map_make(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N, bool by_column,
                          struct line_map *out, struct error *e)
{
    struct view v = {output, expected, by_column ? N : P, by_column ? P : N, by_column ? 1 : N, by_column ? N : 1};
    struct line_map m = {.lines = v.lines, .per_cell = line_map_per_cell(v.lines)};
    m.cells = (m.lines + m.per_cell - 1) / m.per_cell;
    size_t pairs;
    float *distance = size_multiply(m.lines, m.lines, &pairs) ? calloc(pairs, sizeof *distance) : NULL;
    m.distance = malloc(m.cells * m.cells * sizeof *m.distance);
    m.mark = calloc(m.cells * m.cells, sizeof *m.mark);
    enum status s = STATUS_OK;
    if (!distance || !m.distance || !m.mark) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the distances of %zu lines", m.lines);
        goto cleanup;
    }
    score_distances(output, expected, P, N, by_column, distance);
    for (size_t cell = 0; cell < m.cells && s == STATUS_OK; cell++)
        s = fill_cells(&v, distance, cell, &m, e);
    if (s != STATUS_OK)
        goto cleanup;
    *out = m;
    m = (struct line_map){0};
cleanup:
    free(distance);
    line_map_free(&m);
    return s;
}

void line_map_free(struct line_map *m)
{
    free(m->distance);
    free(m->mark);
    *m = (struct line_map){0};
}
