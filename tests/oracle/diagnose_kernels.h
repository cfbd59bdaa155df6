/* diagnose_kernels: what a kernel with faults of the table would show, made by the table itself, and what kernels show
 * that were never run. Include after cmocka.h. */
#ifndef FO_TESTS_ORACLE_DIAGNOSE_KERNELS_H
#define FO_TESTS_ORACLE_DIAGNOSE_KERNELS_H

#include <stdlib.h>
#include <string.h>

#include "oracle/diagnose/diagnosis.h"
#include "oracle/diagnose/outputs.h"
#include "probes/identity.h"
#include "tests/support/synthetic.h"

enum { PLANES = 1 };

struct shown {
    struct identity_segments segments;
    struct coded_result r;
    struct geometry g;
    struct row_place *place;
};

/* A right kernel at a shape; pairs: with pair planes. Freed with shown_free. */
static inline void shown_make(size_t P, size_t N, size_t K, size_t experts, bool pairs, struct shown *s)
{
    static const uint32_t tile[3] = {64, 64, 128};
    struct error e;
    memset(s, 0, sizeof *s);
    assert_int_equal(identity_segments_make(P, experts, 0, &s->segments, &e), STATUS_OK);
    synthetic_map(&s->segments.s, N, K, false, NULL, NULL, &s->r.map);
    s->r.scale_planes = 1;
    s->r.pair_planes = pairs ? PLANES : 0;
    s->r.pair = calloc(source_map_observations(&s->r.map) + 1, sizeof *s->r.pair);
    s->place = calloc(P, sizeof *s->place);
    assert_true(s->r.pair && s->place);
    assert_int_equal(geometry_make(&s->r.map, tile, &s->g, &e), STATUS_OK);
}

static inline void shown_free(struct shown *s)
{
    geometry_free(&s->g);
    coded_result_free(&s->r);
    identity_segments_free(&s->segments);
    free(s->place);
}

/* Let the kernel show what a chain predicts. What the table leaves open becomes a mixture. */
static inline void shown_as(struct shown *s, const struct chain *c)
{
    static const struct bf16 poison = {0x7fa5};
    struct source_map *m = &s->r.map;
    struct outputs o;
    struct error e;
    size_t outputs = m->P * m->N;
    assert_int_equal(outputs_make(&s->g, PLANES, false, &o, &e), STATUS_OK);
    for (size_t i = 0; i < source_map_observations(m); i++) {
        size_t sweep = i / outputs;
        uint32_t p = (uint32_t)(i % outputs / m->N), n = (uint32_t)(i % m->N);
        struct seen seen = chain_observe(c, sweep, p, n);
        bool anything;
        m->value[i] = seen.value == SEEN_ANYTHING ? SOURCE_MIXTURE : seen.value;
        m->scale[i] = seen.scale == SEEN_ANYTHING || seen.scale == SEEN_NO_SOURCE ? SOURCE_MIXTURE : seen.scale;
        m->row[i] = seen.row == SEEN_ANYTHING ? SOURCE_MIXTURE : seen.row;
        if (s->r.pair_planes == 0)
            continue;
        s->r.pair[i] = outputs_pair(&o, c, 0, sweep, p, n, &anything);
        if (anything)
            s->r.pair[i] = poison;
    }
    outputs_free(&o);
}

static inline void shown_diagnose(const struct shown *s, struct diagnosis *d)
{
    struct error e;
    assert_int_equal(diagnosis_make(&s->r, &s->g, d, &e), STATUS_OK);
}

static inline bool finding_is(const struct finding *f, const struct hypothesis *a, const struct hypothesis *b)
{
    if (f->count != (b ? 2u : 1u))
        return false;
    return b ? (f->fault[0].is == a && f->fault[1].is == b) || (f->fault[0].is == b && f->fault[1].is == a)
             : f->fault[0].is == a;
}

#endif
