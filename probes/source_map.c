#include "probes/source_map.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 32 };

static enum status check_sizes(size_t P, size_t N, size_t K, size_t experts, struct error *e)
{
    if (P == 0 || N == 0 || K == 0 || K % BLOCK != 0 || experts == 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "no source map of P = %zu, N = %zu, K = %zu, %zu experts", P, N, K,
                         experts);
    if (N > SOURCE_CODES / K || experts > SOURCE_CODES / (N * K) || P > SOURCE_CODES)
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu experts of %zu x %zu weights are more than 32 bits can name",
                         experts, N, K);
    if (P > SIZE_MAX / 16 / N || K > SIZE_MAX / 16 / (P * N))
        return error_set(e, STATUS_BAD_ARGUMENT, "outputs of %zu x %zu for K = %zu are more than memory can hold", P, N,
                         K);
    return STATUS_OK;
}

/* Length of the longest segment, made odd. */
static size_t stride(const struct segments *s)
{
    size_t longest = 1;
    for (size_t a = 0; a < s->active; a++)
        if (s->starts[a + 1] > s->starts[a] && s->starts[a + 1] - s->starts[a] > longest)
            longest = s->starts[a + 1] - s->starts[a];
    return longest > 1 && longest % 2 == 0 ? longest - 1 : longest;
}

size_t source_sweeps(const struct segments *s, size_t K)
{
    size_t T = stride(s);
    return 2 * ((K + T - 1) / T);
}

static uint32_t column(const struct source_map *m, size_t sweep, size_t p)
{
    size_t T = stride(&m->segments), half = m->sweeps / 2;
    return (uint32_t)(((sweep < half ? p : m->P - 1 - p) + sweep % half * T) % m->K);
}

enum status source_map_make(const struct segments *s, size_t N, size_t K, struct source_map *out, struct error *e)
{
    enum status status = check_sizes(s->rows, N, K, s->experts, e);
    if (status != STATUS_OK)
        return status;
    struct source_map m = {.P = s->rows, .N = N, .K = K, .experts = s->experts, .blocks = K / BLOCK};
    m.sweeps = source_sweeps(s, K);
    size_t count = source_map_observations(&m);
    m.starts = malloc((s->active + 1) * sizeof *m.starts);
    m.ids = malloc((s->active + 1) * sizeof *m.ids);
    m.column = malloc(m.sweeps * m.P * sizeof *m.column);
    m.value = malloc(count * sizeof *m.value);
    m.scale = malloc(count * sizeof *m.scale);
    m.row = malloc(count * sizeof *m.row);
    if (!m.starts || !m.ids || !m.column || !m.value || !m.scale || !m.row) {
        source_map_free(&m);
        return error_set(e, STATUS_NO_MEMORY, "no memory for a source map of %zu observations", count);
    }
    memcpy(m.starts, s->starts, (s->active + 1) * sizeof *m.starts);
    if (s->active > 0)
        memcpy(m.ids, s->ids, s->active * sizeof *m.ids);
    m.segments = (struct segments){m.P, s->experts, s->active, m.starts, m.ids};
    for (size_t i = 0; i < m.sweeps * m.P; i++)
        m.column[i] = column(&m, i / m.P, i % m.P);
    for (size_t i = 0; i < count; i++)
        m.value[i] = m.scale[i] = m.row[i] = SOURCE_UNKNOWN;
    *out = m;
    return STATUS_OK;
}

void source_map_free(struct source_map *m)
{
    free(m->starts);
    free(m->ids);
    free(m->column);
    free(m->value);
    free(m->scale);
    free(m->row);
    *m = (struct source_map){0};
}

size_t source_map_observations(const struct source_map *m)
{
    return m->sweeps * m->P * m->N;
}

size_t source_map_at(const struct source_map *m, size_t sweep, size_t p, size_t n)
{
    return (sweep * m->P + p) * m->N + n;
}

uint32_t source_value_code(const struct source_map *m, struct source_point at)
{
    return (uint32_t)((at.expert * m->N + at.n) * m->K + at.k);
}

uint32_t source_scale_code(const struct source_map *m, struct source_point at)
{
    return (uint32_t)((at.expert * m->N + at.n) * m->blocks + at.k);
}

static struct source_point point(uint32_t code, size_t N, size_t columns)
{
    return (struct source_point){(uint32_t)(code / columns / N), (uint32_t)(code / columns % N),
                                 (uint32_t)(code % columns)};
}

struct source_point source_value_point(const struct source_map *m, uint32_t code)
{
    return point(code, m->N, m->K);
}

struct source_point source_scale_point(const struct source_map *m, uint32_t code)
{
    return point(code, m->N, m->blocks);
}

uint32_t source_wanted_value(const struct source_map *m, size_t sweep, size_t p, size_t n)
{
    int32_t expert = segments_expert_of_row(&m->segments, p);
    if (expert < 0)
        return SOURCE_ZERO;
    return source_value_code(m, (struct source_point){(uint32_t)expert, (uint32_t)n, m->column[sweep * m->P + p]});
}

uint32_t source_wanted_scale(const struct source_map *m, size_t sweep, size_t p, size_t n)
{
    int32_t expert = segments_expert_of_row(&m->segments, p);
    if (expert < 0)
        return SOURCE_ZERO;
    return source_scale_code(m,
                             (struct source_point){(uint32_t)expert, (uint32_t)n, m->column[sweep * m->P + p] / BLOCK});
}

uint32_t source_wanted_row(const struct source_map *m, size_t sweep, size_t p, size_t n)
{
    (void)sweep;
    (void)n;
    return segments_expert_of_row(&m->segments, p) < 0 ? SOURCE_ZERO : (uint32_t)p;
}

static void count_one(struct source_count *c, uint32_t found, uint32_t wanted)
{
    if (found == wanted)
        c->right++;
    else if (found == SOURCE_ZERO)
        c->zero++;
    else if (found == SOURCE_UNWRITTEN)
        c->unwritten++;
    else if (found == SOURCE_MIXTURE)
        c->mixture++;
    else if (found == SOURCE_UNKNOWN)
        c->unknown++;
    else
        c->moved++;
}

struct source_counts source_map_count(const struct source_map *m)
{
    struct source_counts c = {0};
    for (size_t s = 0; s < m->sweeps; s++)
        for (size_t p = 0; p < m->P; p++)
            for (size_t n = 0; n < m->N; n++) {
                size_t at = source_map_at(m, s, p, n);
                count_one(&c.value, m->value[at], source_wanted_value(m, s, p, n));
                count_one(&c.scale, m->scale[at], source_wanted_scale(m, s, p, n));
                count_one(&c.row, m->row[at], source_wanted_row(m, s, p, n));
            }
    return c;
}
