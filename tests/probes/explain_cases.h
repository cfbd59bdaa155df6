/* explain_cases: kernels that are wrong stage by stage, and the source maps that they would give. Include after
 * cmocka.h. */
#ifndef FO_TESTS_PROBES_EXPLAIN_CASES_H
#define FO_TESTS_PROBES_EXPLAIN_CASES_H

#include <string.h>

#include "probes/explain.h"
#include "tests/support/splitmix.h"
#include "tests/support/synthetic.h"

struct synthetic_kernel;
/* A stage: changes a pair of coordinates. */
typedef void case_map(uint32_t at[2], const struct synthetic_kernel *kernel);
typedef bool case_set(uint32_t p, uint32_t n, uint32_t k, const struct source_map *m);

/* NULL is right. Tokens t and rows r are those of the tile of 64 and of the segment. */
struct synthetic_kernel {
    case_map *epilogue;   /* (n, t) */
    case_map *rows;       /* (r, rows of the segment) */
    case_map *experts;    /* (e, segment) */
    case_map *descriptor; /* (k, t) */
    case_map *fragment;   /* (n, k) */
    case_map *values;     /* (n, k) */
    case_map *scales;     /* (n, b) */
    case_set *zero, *unwritten;
    const struct source_map *m; /* filled by the cases */
    const uint32_t *table;      /* whatever a map wants */
    uint32_t a, b;
};

enum { CASE_TILE = 64 };

static inline uint32_t case_segment(const struct source_map *m, uint32_t p)
{
    uint32_t a = 0;
    while (a < m->segments.active && !(p >= m->starts[a] && p < m->starts[a + 1]))
        a++;
    return a;
}

static inline void case_apply(case_map *map, uint32_t at[2], const struct synthetic_kernel *c)
{
    if (map)
        map(at, c);
}

static inline struct synthetic case_find(const struct synthetic_kernel *c, const struct source_map *m, uint32_t s,
                                         uint32_t p, uint32_t n)
{
    const struct synthetic zero = {SOURCE_ZERO, SOURCE_ZERO, SOURCE_ZERO};
    uint32_t seg = case_segment(m, p), first = m->starts[seg], rows = m->starts[seg + 1] - first;
    uint32_t base = first + (p - first) / CASE_TILE * CASE_TILE, tile = first + rows - base;
    uint32_t nt[2] = {n, p - base}, expert[2] = {(uint32_t)m->ids[seg], seg}, k = m->column[s * m->P + p];
    if (c->unwritten && c->unwritten(p, n, k, m))
        return (struct synthetic){SOURCE_UNWRITTEN, SOURCE_UNWRITTEN, SOURCE_UNWRITTEN};
    if (c->zero && c->zero(p, n, k, m))
        return zero;
    case_apply(c->epilogue, nt, c);
    if (nt[0] >= m->N || nt[1] >= (tile < CASE_TILE ? tile : CASE_TILE))
        return zero;
    uint32_t r[2] = {base + nt[1] - first, rows};
    case_apply(c->rows, r, c);
    case_apply(c->experts, expert, c);
    if (r[0] >= rows || expert[0] >= m->experts)
        return zero;
    uint32_t row = first + r[0], kt[2] = {m->column[s * m->P + row], r[0] % CASE_TILE};
    case_apply(c->descriptor, kt, c);
    uint32_t nk[2] = {nt[0], kt[0]};
    if (kt[0] >= m->K)
        return zero;
    case_apply(c->fragment, nk, c);
    if (nk[0] >= m->N || nk[1] >= m->K)
        return zero;
    uint32_t v[2] = {nk[0], nk[1]}, b[2] = {nk[0], nk[1] / 32};
    case_apply(c->values, v, c);
    case_apply(c->scales, b, c);
    if (v[0] >= m->N || v[1] >= m->K || b[0] >= m->N || b[1] >= m->blocks)
        return zero;
    return (struct synthetic){source_value_code(m, (struct source_point){expert[0], v[0], v[1]}),
                              source_scale_code(m, (struct source_point){expert[0], b[0], b[1]}), row};
}

/* The map of a kernel. Freed with source_map_free. */
static inline void case_make(const struct synthetic_kernel *kernel, const struct segments *segments, size_t N,
                             size_t K, struct source_map *m)
{
    struct synthetic_kernel c = *kernel;
    synthetic_map(segments, N, K, false, NULL, NULL, m);
    c.m = m;
    for (uint32_t s = 0; s < m->sweeps; s++)
        for (uint32_t p = 0; p < m->P; p++)
            for (uint32_t n = 0; n < N; n++) {
                size_t at = source_map_at(m, s, p, n);
                if (m->value[at] == SOURCE_ZERO)
                    continue;
                struct synthetic found = case_find(&c, m, s, p, n);
                m->value[at] = found.value;
                m->scale[at] = found.scale;
                m->row[at] = found.row;
            }
}

/* Observations that are wrong in some code. */
static inline size_t case_wrong(const struct source_map *m)
{
    size_t wrong = 0;
    for (size_t s = 0; s < m->sweeps; s++)
        for (size_t p = 0; p < m->P; p++)
            for (size_t n = 0; n < m->N; n++) {
                size_t at = source_map_at(m, s, p, n);
                wrong += m->value[at] != source_wanted_value(m, s, p, n) ||
                         m->scale[at] != source_wanted_scale(m, s, p, n) ||
                         m->row[at] != source_wanted_row(m, s, p, n);
            }
    return wrong;
}

static inline struct explain_question case_question(const struct source_map *m)
{
    return (struct explain_question){.map = m, .guard_wrong = -1, .tile = {64, CASE_TILE, 128}};
}

static inline void case_print(const char *name, const struct explanation *x)
{
    print_message("%s: %zu observations, %zu wrong, %zu explained\n", name, x->observations, x->wrong, x->explained);
    for (int g = 0; g < EXPLAIN_STAGES; g++) {
        const struct explain_part *p = &x->part[g];
        if (p->state == EXPLAIN_DIFFERS || p->state == EXPLAIN_UNDECIDED)
            print_message("    %s %s, %zu of %zu: %s\n", explain_stage_name((enum explain_stage)g),
                          explain_state_name(p->state), p->explained, p->wrong, p->what);
    }
}

#endif
