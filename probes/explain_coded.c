#include "probes/explain_coded.h"

#include <stdlib.h>
#include <string.h>

#include "probes/weights.h"
#include "reference/mxfp4.h"

/* Rows of the launch with bad experts that should be zero and are not. What is wrong with the others shows in the map.
 */
static int64_t guard_wrong(const struct coded_guard *g, size_t P)
{
    int64_t wrong = 0;
    for (size_t p = 0; p < P; p++)
        wrong += g->wanted[p] == SOURCE_ZERO && g->found[p] != SOURCE_ZERO;
    return wrong + (g->status_told && g->status_word != g->status_wanted);
}

struct explain_question explain_coded_question(const struct coded_result *r, bool no_scales, enum explain_registers a)
{
    return (struct explain_question){.map = &r->map,
                                     .pairs = {r->pair_planes, r->pair, coded_pair_code, coded_pair_scale, no_scales},
                                     .dense_count = r->dense_count,
                                     .dense_differing = r->dense_differing,
                                     .dense = {r->dense, r->dense_x, r->dense_blocks},
                                     .special_count = r->special.count,
                                     .special_differing = r->special.differing,
                                     .special_nan_is_infinite = r->special.nan_is_infinite,
                                     .changes = !r->repeats,
                                     .guard_wrong = r->guard.asked ? guard_wrong(&r->guard, r->map.P) : -1,
                                     .tile = {r->report.tile[0], r->report.tile[1], r->report.tile[2]},
                                     .registers = a};
}

struct question {
    const struct source_map *m;
    struct weights w;
    uint8_t *blocks, *scales;
    struct bf16 *x, *out;
};

static void fill(uint8_t *bytes, size_t count, struct random *r)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)random_next(r);
}

/* The weights of expert 0 for all of them. */
static void share(uint8_t *bytes, size_t each, size_t experts)
{
    for (size_t e = 1; e < experts; e++)
        memcpy(bytes + e * each, bytes, each);
}

static enum status ask(const struct question *q, const struct executor *x, struct run_report *out, struct error *e)
{
    const struct bf16 poison = {0x7fa5};
    struct run_report r = {0};
    enum status status = x->load(x->self, &q->w, e);
    for (size_t i = 0; i < q->m->P * q->m->N; i++)
        q->out[i] = poison;
    if (status == STATUS_OK)
        status = x->run(x->self, q->x, &q->m->segments, poison, q->out, &r, e);
    if (status == STATUS_OK)
        *out = r;
    return status;
}

static enum status compare(const struct question *q, const struct executor *subject, const struct executor *right,
                           bool *same, bool *counted, struct error *e)
{
    struct run_report a, b;
    enum status status = ask(q, subject, &a, e);
    if (status == STATUS_OK)
        status = ask(q, right, &b, e);
    if (status != STATUS_OK)
        return status;
    *counted = a.tiles > 0 && b.tiles > 0 && a.wgmma > 0 && b.wgmma > 0;
    *same = a.a_checksum * (uint32_t)b.tiles == b.a_checksum * (uint32_t)a.tiles;
    return STATUS_OK;
}

static enum status question_make(const struct source_map *m, struct question *out, struct error *e)
{
    struct question q = {.m = m};
    size_t scales = m->experts * m->N * m->blocks;
    q.blocks = malloc(scales * MXFP4_BLOCK_BYTES);
    q.scales = malloc(scales);
    q.x = calloc(m->P * m->K, sizeof *q.x);
    q.out = malloc(m->P * m->N * sizeof *q.out);
    q.w = (struct weights){m->experts, m->N, m->K, q.blocks, q.scales};
    *out = q;
    return q.blocks && q.scales && q.x && q.out ? STATUS_OK
                                                : error_set(e, STATUS_NO_MEMORY, "no memory for %zu scales", scales);
}

enum status explain_coded_registers(const struct executor *subject, const struct executor *right,
                                    const struct source_map *like, uint64_t seed, enum explain_registers *out,
                                    struct error *e)
{
    struct question q;
    struct random r = {seed};
    size_t scales = like->N * like->blocks, codes = scales * MXFP4_BLOCK_BYTES;
    bool own = false, shared = false, counted = false;
    enum status status = question_make(like, &q, e);
    if (status != STATUS_OK)
        goto done;
    fill(q.blocks, codes * like->experts, &r);
    fill(q.scales, scales * like->experts, &r);
    status = compare(&q, subject, right, &own, &counted, e);
    if (status != STATUS_OK)
        goto done;
    share(q.blocks, codes, like->experts);
    share(q.scales, scales, like->experts);
    status = compare(&q, subject, right, &shared, &counted, e);
    if (status == STATUS_OK)
        *out = !counted        ? EXPLAIN_A_UNKNOWN
               : own && shared ? EXPLAIN_A_RIGHT
               : !shared       ? EXPLAIN_A_WRONG
                               : EXPLAIN_A_UNKNOWN;
done:
    free(q.blocks);
    free(q.scales);
    free(q.x);
    free(q.out);
    return status;
}
