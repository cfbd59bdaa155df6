/* Holes: outputs that are zero, or were never written, though the rules say otherwise; rows computed that should not
 * be. */
#include <stdlib.h>
#include <string.h>

#include "probes/explain_parts.h"

static void hole_values(void *context, size_t i, uint32_t value[WHERE_FEATURES])
{
    const struct explain_session *x = context;
    size_t n = i % x->m->N, p = i / x->m->N % x->m->P, s = i / x->m->N / x->m->P;
    explain_feature_values(x, s, p, n, value);
}

/* On which side of the question is an observation? What the rules account for, or nothing can, is on neither. */
static enum where_side hole_side(const struct explain_session *x, enum explain_effect effect, size_t i)
{
    const struct source_map *m = x->m;
    size_t n = i % m->N, p = i / m->N % m->P, s = i / m->N / m->P;
    uint32_t found = m->value[i];
    bool covered = x->row[p].expert >= 0;
    if (effect == EXPLAIN_IS_UNWRITTEN)
        return found == SOURCE_UNWRITTEN ? WHERE_INSIDE : found == SOURCE_UNKNOWN ? WHERE_IGNORED : WHERE_OUTSIDE;
    if (found == SOURCE_UNWRITTEN || found == SOURCE_UNKNOWN)
        return WHERE_IGNORED;
    if (effect == EXPLAIN_IS_COMPUTED)
        return found == SOURCE_ZERO ? WHERE_OUTSIDE : covered ? WHERE_IGNORED : WHERE_INSIDE;
    if (!covered || explain_predict(x, EXPLAIN_STAGES, s, p, n).value == SOURCE_ZERO)
        return WHERE_IGNORED;
    return found == SOURCE_ZERO ? WHERE_INSIDE : WHERE_OUTSIDE;
}

/* Whose holes these are, by the features that say where. */
static enum explain_stage hole_stage(enum explain_effect effect, unsigned used, int *ambiguous)
{
    enum { N = 1 << 0, ROUTE = 1 << 1 | 1 << 2 | 1 << 3, T = 1 << 4, K = 1 << 8, NK = 1 << 10 };
    *ambiguous = -1;
    if (effect == EXPLAIN_IS_COMPUTED)
        return EXPLAIN_ROUTING;
    if (effect == EXPLAIN_IS_UNWRITTEN)
        return used & (N | T) ? EXPLAIN_EPILOGUE : EXPLAIN_ROUTING;
    if (used & (T | K) && !(used & N)) {
        *ambiguous = used & T ? EXPLAIN_EPILOGUE : EXPLAIN_VALUES;
        return EXPLAIN_DESCRIPTOR;
    }
    if (used & (N | K | NK)) {
        *ambiguous = EXPLAIN_SCALES;
        return EXPLAIN_VALUES;
    }
    if (used & 1 << 2 && !(used & ~(1u << 2)))
        *ambiguous = EXPLAIN_VALUES; /* the weights of that expert */
    return EXPLAIN_ROUTING;
}

static enum status hole_describe(struct explain_session *x, enum explain_effect effect, uint8_t *side,
                                 struct error *e)
{
    struct where_feature features[HOLE_FEATURES];
    size_t count = source_map_observations(x->m), inside = 0;
    for (size_t i = 0; i < count; i++) {
        side[i] = (uint8_t)hole_side(x, effect, i);
        inside += side[i] == WHERE_INSIDE;
    }
    if (inside == 0)
        return STATUS_OK;
    explain_features(x, features);
    struct where_question q = {features, HOLE_FEATURES, count, side, hole_values, x};
    struct where where;
    enum status status = where_find(&q, &where, e);
    if (status != STATUS_OK || !where.found)
        return status;
    int ambiguous;
    enum explain_stage stage = hole_stage(effect, where.used, &ambiguous);
    struct explain_part *part = &x->x.part[stage];
    if (part->sets == EXPLAIN_SETS) {
        where_free(&where);
        return STATUS_OK;
    }
    if (part->ambiguous < 0)
        part->ambiguous = ambiguous;
    part->set[part->sets++] = (struct explain_set){effect, 0, where};
    return STATUS_OK;
}

enum status explain_holes(struct explain_session *x, struct error *e)
{
    static const enum explain_effect effects[] = {EXPLAIN_IS_UNWRITTEN, EXPLAIN_IS_COMPUTED, EXPLAIN_IS_ZERO};
    uint8_t *side = malloc(source_map_observations(x->m));
    if (!side)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the zeros of a source map");
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof effects / sizeof *effects && status == STATUS_OK; i++)
        status = hole_describe(x, effects[i], side, e);
    free(side);
    return status;
}
