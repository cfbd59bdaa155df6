/* What an explanation predicts of each observation. */
#include "probes/explain_parts.h"

/* The row of x and the feature behind output (p, n), by the rules. false: beyond everything, a zero. */
static bool predict_row(const struct explain_session *x, enum explain_stage without, uint32_t p, uint32_t n,
                        uint32_t *row, uint32_t *feature)
{
    const struct explain_model *model = &x->model;
    const struct explain_row *r = &x->row[p];
    uint32_t N = (uint32_t)x->m->N, out[2] = {n, p - r->tile};
    if (without != EXPLAIN_EPILOGUE &&
        !source_rule_apply(&model->epilogue, out, (const uint32_t[2]){N, r->tile_rows}, out))
        return false;
    *feature = out[0];
    *row = r->tile + out[1];
    if (without == EXPLAIN_ROUTING || source_rule_is_identity(&model->routing))
        return true;
    bool launch = model->row_space == ROWS_OF_LAUNCH;
    uint32_t first = launch ? 0 : r->first, in[2] = {n, *row - first};
    if (!source_rule_apply(&model->routing, in, (const uint32_t[2]){N, launch ? (uint32_t)x->m->P : r->rows}, out))
        return false;
    *row = first + out[1];
    return true;
}

bool explain_place(const struct explain_session *x, size_t s, size_t p, size_t n, struct explain_place *out)
{
    const struct source_map *m = x->m;
    struct explain_place o = {.s = (uint32_t)s, .p = (uint32_t)p, .n = (uint32_t)n, .at = source_map_at(m, s, p, n)};
    uint32_t row, feature;
    if (!predict_row(x, EXPLAIN_STAGES, o.p, o.n, &row, &feature))
        return false;
    o.n1 = feature;
    o.p1 = m->row[o.at] < m->P ? m->row[o.at] : row;
    if (x->row[o.p1].expert < 0)
        return false;
    o.k = m->column[s * m->P + o.p1];
    o.t1 = (o.p1 - x->row[o.p1].tile) % TOKEN_GROUP;
    *out = o;
    return true;
}

static bool in_set(const struct explain_session *x, enum explain_stage without, enum explain_effect effect,
                   const uint32_t value[WHERE_FEATURES])
{
    for (int g = 0; g < EXPLAIN_STAGES; g++) {
        const struct explain_part *part = &x->x.part[g];
        for (int i = 0; i < part->sets && g != (int)without; i++)
            if (part->set[i].effect == effect && where_holds(&part->set[i].where, value))
                return true;
    }
    return false;
}

static struct explain_code all(uint32_t word)
{
    return (struct explain_code){word, word, word};
}

/* Beyond its rows a scale is a constant, where constants were found. */
static bool scale_from_padding(const struct explain_session *x)
{
    const struct explain_part *part = &x->x.part[EXPLAIN_SCALES];
    for (int i = 0; i < part->sets; i++)
        if (part->set[i].effect == EXPLAIN_IS_CONSTANT)
            return true;
    return false;
}

/* The weights behind column k of the accumulator (n, row p1). */
static struct explain_code predict_weight(const struct explain_session *x, enum explain_stage without, uint32_t expert,
                                          uint32_t n, uint32_t k, uint32_t p1)
{
    const struct source_map *m = x->m;
    const struct explain_model *model = &x->model;
    uint32_t kt[2] = {k, (p1 - x->row[p1].tile) % TOKEN_GROUP}, nk[2], v[2], s[2];
    if (without != EXPLAIN_DESCRIPTOR && !source_rule_apply(&model->descriptor, kt, NULL, kt))
        return all(SOURCE_ZERO);
    nk[0] = n;
    nk[1] = kt[0];
    if (without != EXPLAIN_FRAGMENT && !source_rule_apply(&model->fragment, nk, NULL, nk))
        return all(SOURCE_ZERO);
    uint32_t base = expert * (uint32_t)m->N, value_base = model->values_flat ? base : 0;
    uint32_t scale_base = model->scales_flat ? base : 0;
    v[0] = nk[0] + value_base;
    v[1] = nk[1];
    s[0] = nk[0] + scale_base;
    s[1] = nk[1] / BLOCK;
    if (without != EXPLAIN_VALUES && !source_rule_apply(&model->values, v, NULL, v))
        return all(SOURCE_ZERO);
    if (without != EXPLAIN_SCALES && !source_rule_apply(&model->scales, s, NULL, s) && !scale_from_padding(x))
        return all(SOURCE_ZERO);
    return (struct explain_code){source_value_code(m, (struct source_point){0, v[0] + base - value_base, v[1]}),
                                 source_scale_code(m, (struct source_point){0, s[0] + base - scale_base, s[1]}), p1};
}

static uint32_t predict_expert(const struct explain_session *x, enum explain_stage without, uint32_t p, uint32_t p1)
{
    const struct explain_row *r = &x->row[x->model.expert_of_output && without != EXPLAIN_ROUTING ? p : p1];
    uint32_t in[2] = {(uint32_t)r->expert, r->segment}, out[2];
    if (without == EXPLAIN_ROUTING || !source_rule_apply(&x->model.expert, in, NULL, out))
        return in[0];
    return out[0];
}

static struct explain_code predict_rules(const struct explain_session *x, enum explain_stage without,
                                         const uint32_t *column, size_t p, size_t n,
                                         const uint32_t value[WHERE_FEATURES])
{
    uint32_t row = (uint32_t)p, feature = (uint32_t)n;
    if (x->row[p].expert < 0) {
        if (!in_set(x, without, EXPLAIN_IS_COMPUTED, value) || x->model.extra_expert < 0)
            return all(SOURCE_ZERO);
        return predict_weight(x, without, (uint32_t)x->model.extra_expert, feature, column[p], row);
    }
    if (!predict_row(x, without, (uint32_t)p, (uint32_t)n, &row, &feature) || x->row[row].expert < 0)
        return all(SOURCE_ZERO);
    return predict_weight(x, without, predict_expert(x, without, (uint32_t)p, row), feature, column[row], row);
}

struct explain_code explain_predict(const struct explain_session *x, enum explain_stage without, const uint32_t *column,
                                    size_t p, size_t n)
{
    uint32_t value[WHERE_FEATURES] = {0};
    explain_feature_values(x, column, p, n, value);
    if (in_set(x, without, EXPLAIN_IS_UNWRITTEN, value))
        return all(SOURCE_UNWRITTEN);
    if (in_set(x, without, EXPLAIN_IS_ZERO, value))
        return all(SOURCE_ZERO);
    struct explain_code c = predict_rules(x, without, column, p, n, value);
    if (x->row[p].expert < 0)
        return c;
    if (in_set(x, without, EXPLAIN_IS_CONSTANT, value))
        c.scale = SOURCE_UNKNOWN;
    if (in_set(x, without, EXPLAIN_IS_HIDDEN, value))
        c.value = SOURCE_UNKNOWN;
    return c;
}

bool explain_agrees(const struct explain_session *x, struct explain_code c, size_t at)
{
    const struct source_map *m = x->m;
    uint32_t value = m->value[at], scale = m->scale[at], row = m->row[at];
    if (value != c.value)
        return false;
    return (scale == c.scale || (scale == SOURCE_UNKNOWN && c.value == SOURCE_UNKNOWN) ||
            (scale == SOURCE_UNKNOWN && !x->scales_asked)) &&
           (row == SOURCE_UNKNOWN || row == c.row);
}

void explain_features(const struct explain_session *x, struct where_feature f[HOLE_FEATURES])
{
    const struct source_map *m = x->m;
    uint32_t P = (uint32_t)m->P, N = (uint32_t)m->N, K = (uint32_t)m->K, A = (uint32_t)m->segments.active;
    const struct where_feature features[HOLE_FEATURES] = {
        {"n", N, 0},     {"active <= e", 2, 0}, {"e", (uint32_t)m->experts + 1, 0},
        {"a", A + 1, 0}, {"t", x->tokens, 0},   {"r", P, 0},
        {"tile", P, 0},  {"last", P, 0},        {"k", K, 0},
        {"p", P, 0},     {"(n, k)", N * K, 1}};
    for (int i = 0; i < HOLE_FEATURES; i++)
        f[i] = features[i];
}

void explain_feature_values(const struct explain_session *x, const uint32_t *column, size_t p, size_t n,
                            uint32_t value[WHERE_FEATURES])
{
    const struct source_map *m = x->m;
    const struct explain_row *r = &x->row[p];
    uint32_t k = column[p], row = (uint32_t)p;
    value[0] = (uint32_t)n;
    value[1] = r->expert >= 0 && (size_t)r->expert >= m->segments.active;
    value[2] = r->expert >= 0 ? (uint32_t)r->expert : (uint32_t)m->experts;
    value[3] = r->segment;
    value[4] = row - r->tile;
    value[5] = row - r->first;
    value[6] = (r->tile - r->first) / x->tokens;
    value[7] = (r->rows - 1) / x->tokens - value[6];
    value[8] = k;
    value[9] = row;
    value[10] = (uint32_t)n * (uint32_t)m->K + k;
}
