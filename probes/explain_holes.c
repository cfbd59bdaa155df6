/* Holes: outputs that are zero, or were never written, though the rules say otherwise; rows computed that should not
 * be. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probes/explain_parts.h"
#include "reference/mxfp4.h"

static void hole_values(void *context, size_t i, uint32_t value[WHERE_FEATURES])
{
    const struct explain_session *x = context;
    size_t n = i % x->m->N, p = i / x->m->N % x->m->P, s = i / x->m->N / x->m->P;
    explain_feature_values(x, explain_columns(x, s), p, n, value);
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
    if (effect == EXPLAIN_IS_HIDDEN)
        return !covered ? WHERE_IGNORED : found == SOURCE_UNKNOWN ? WHERE_INSIDE : WHERE_OUTSIDE;
    if (found == SOURCE_UNWRITTEN || found == SOURCE_UNKNOWN)
        return WHERE_IGNORED;
    if (effect == EXPLAIN_IS_CONSTANT)
        return found >= SOURCE_CODES || !covered ? WHERE_IGNORED
               : m->scale[i] == SOURCE_UNKNOWN   ? WHERE_INSIDE
                                                 : WHERE_OUTSIDE;
    if (effect == EXPLAIN_IS_COMPUTED)
        return found == SOURCE_ZERO ? WHERE_OUTSIDE : covered ? WHERE_IGNORED : WHERE_INSIDE;
    if (!covered || explain_predict(x, EXPLAIN_STAGES, explain_columns(x, s), p, n).value == SOURCE_ZERO)
        return WHERE_IGNORED;
    return found == SOURCE_ZERO ? WHERE_INSIDE : WHERE_OUTSIDE;
}

/* Whose holes these are, by the features that say where. */
enum { N = 1 << 0, E = 1 << 2, T = 1 << 4, K = 1 << 8, NK = 1 << 10 };

/* Zeros, where it is known whether they stood in A. */
static enum explain_stage zero_stage(enum explain_registers a, unsigned used, int *ambiguous)
{
    bool wrong = a == EXPLAIN_A_WRONG;
    if (wrong && !(used & T)) /* no row, no value or no scale */
        *ambiguous = EXPLAIN_SCALES;
    if (used == 0 || (used & K && !(used & T)) || used & NK)
        return wrong ? EXPLAIN_VALUES : EXPLAIN_DESCRIPTOR;
    if (used & N)
        return wrong ? EXPLAIN_VALUES : EXPLAIN_EPILOGUE;
    if (!(used & T))
        return wrong && !(used & ~E) ? EXPLAIN_VALUES : EXPLAIN_ROUTING;
    *ambiguous = EXPLAIN_EPILOGUE;
    return EXPLAIN_DESCRIPTOR;
}

static enum explain_stage hole_stage(enum explain_registers a, enum explain_effect effect, unsigned used,
                                     int *ambiguous)
{
    *ambiguous = -1;
    if (effect == EXPLAIN_IS_CONSTANT)
        return EXPLAIN_SCALES;
    if (effect == EXPLAIN_IS_HIDDEN) {
        *ambiguous = a == EXPLAIN_A_RIGHT ? EXPLAIN_ARITHMETIC : EXPLAIN_SCALES;
        return a == EXPLAIN_A_RIGHT ? EXPLAIN_EPILOGUE : EXPLAIN_VALUES;
    }
    if (effect == EXPLAIN_IS_COMPUTED)
        return EXPLAIN_ROUTING;
    if (effect == EXPLAIN_IS_UNWRITTEN)
        return used & (N | T) ? EXPLAIN_EPILOGUE : EXPLAIN_ROUTING;
    if (a != EXPLAIN_A_UNKNOWN)
        return zero_stage(a, used, ambiguous);
    if (used & (T | K) && !(used & N)) {
        *ambiguous = used & T ? EXPLAIN_EPILOGUE : EXPLAIN_VALUES;
        return EXPLAIN_DESCRIPTOR;
    }
    if (used & (N | K | NK)) {
        *ambiguous = EXPLAIN_SCALES;
        return EXPLAIN_VALUES;
    }
    if (!(used & ~E))
        *ambiguous = EXPLAIN_VALUES; /* the weights of that expert, or all */
    return EXPLAIN_ROUTING;
}

/* The power of two that weights under no scale are multiplied with, as the pair planes show it. */
static int constant_exponent(const struct explain_session *x, const uint8_t *side)
{
    const struct explain_pairs *q = &x->q->pairs;
    size_t each = source_map_observations(x->m);
    int exponent = EXPLAIN_NO_EXPONENT;
    for (size_t i = 0; i < each * q->planes; i++) {
        if (side[i % each] != WHERE_INSIDE)
            continue;
        uint32_t code = q->code(x->m, i / each, source_value_point(x->m, x->m->value[i % each])) & (FP4_CODES - 1);
        float right = bf16_decode(mxfp4_decode((struct fp4){(uint8_t)code}, (struct e8m0){E8M0_BIAS})),
              found = bf16_decode(q->out[i]);
        int a, b;
        if (right == 0 || !isfinite(found))
            continue;
        if (frexpf(right, &a) != frexpf(found, &b) || (exponent != EXPLAIN_NO_EXPONENT && exponent != b - a))
            return EXPLAIN_NO_EXPONENT;
        exponent = b - a;
    }
    return exponent;
}

static enum status hole_describe(struct explain_session *x, enum explain_effect effect, uint8_t *side, struct error *e)
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
    enum explain_stage stage = hole_stage(x->q->registers, effect, where.used, &ambiguous);
    struct explain_part *part = &x->x.part[stage];
    if (part->sets == EXPLAIN_SETS) {
        where_free(&where);
        return STATUS_OK;
    }
    if (part->ambiguous < 0)
        part->ambiguous = ambiguous;
    if (stage == EXPLAIN_VALUES && effect != EXPLAIN_IS_CONSTANT && !(where.used & (T | K | NK)))
        part->also |= 1u << EXPLAIN_FRAGMENT; /* rows of weights that are not there */
    part->set[part->sets++] = (struct explain_set){effect, 0, where};
    if (effect == EXPLAIN_IS_CONSTANT)
        part->set[part->sets - 1].exponent = constant_exponent(x, side);
    return STATUS_OK;
}

enum status explain_holes(struct explain_session *x, struct error *e)
{
    static const enum explain_effect effects[] = {EXPLAIN_IS_UNWRITTEN, EXPLAIN_IS_COMPUTED, EXPLAIN_IS_ZERO,
                                                  EXPLAIN_IS_CONSTANT, EXPLAIN_IS_HIDDEN};
    uint8_t *side = malloc(source_map_observations(x->m));
    if (!side)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the zeros of a source map");
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof effects / sizeof *effects && status == STATUS_OK; i++)
        if (x->scales_asked || effects[i] != EXPLAIN_IS_CONSTANT)
            status = hole_describe(x, effects[i], side, e);
    free(side);
    return status;
}
