/* The decode: what each pair of a code and a scale gave, looked up where it was really read from. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probes/explain_parts.h"
#include "reference/mxfp4.h"

enum {
    FEATURE_SCALE,
    FEATURE_MAGNITUDE,
    FEATURE_SIGN,
    FEATURE_N,
    FEATURE_K,
    FEATURE_ROW_SCALE, /* the greatest of the row of A: where it decodes to no finite value, all of the row is NaN */
    FEATURE_CLASS,
    PAIR_FEATURES
};
enum result_class { FINITE, RESULT_INF, RESULT_NAN, CLASSES };

/* A weight of the plane that decodes to no finite value makes its whole row of A one: zero times it is NaN. */
#define NOBODY  0xffffffffu
#define SEVERAL 0xfffffffeu

struct pair {
    uint32_t code, scale; /* of the weight that decides: its own, or that which makes the row NaN */
    bool own;
    float weight, right; /* its own weight, and the right result */
    float found;
};

struct pairs {
    struct explain_session *x;
    size_t each;          /* observations of a plane */
    uint32_t *culprit;    /* [planes][N]: the only observation's column that is not finite, NOBODY or SEVERAL */
    uint32_t *culprit_at; /* [planes][N]: an observation of it */
    uint8_t *row_scale;   /* [planes][N]: the greatest of the row */
    uint8_t *special;     /* [planes][N]: of the weights as they were given: some pair of the row is not finite */
    uint8_t *side;        /* [planes][each] */
    uint8_t *explained;   /* [planes][each] */
    uint8_t *muddled;     /* [N]: some output of this feature is not what the rules say, so its row of A is not known */
    bool of_result;       /* only the class of the result is asked */
};

static bool pair_sources(const struct pairs *c, size_t plane, size_t i, uint32_t *code, uint32_t *scale)
{
    const struct explain_session *x = c->x;
    const struct source_map *m = x->m;
    const struct explain_pairs *q = &x->q->pairs;
    if (m->value[i] >= SOURCE_CODES || (!q->no_scales && m->scale[i] >= SOURCE_CODES) ||
        x->row[i / m->N % m->P].expert < 0)
        return false;
    struct source_point v = source_value_point(m, m->value[i]);
    struct source_point s =
        q->no_scales ? (struct source_point){v.expert, v.n, v.k / BLOCK} : source_scale_point(m, m->scale[i]);
    *code = q->code(m, plane, v) & (FP4_CODES - 1);
    *scale = q->scale(m, plane, s, q->no_scales);
    return true;
}

static float decode(uint32_t code, uint32_t scale)
{
    return bf16_decode(mxfp4_decode((struct fp4){(uint8_t)code}, (struct e8m0){(uint8_t)scale}));
}

/* Where in A the 1 of an observation meets its weight. */
static uint32_t column_of_a(const struct explain_session *x, const struct explain_place *o)
{
    uint32_t kt[2] = {o->k, o->t1};
    source_rule_apply(&x->model.descriptor, kt, NULL, kt);
    return kt[0];
}

/* Rows of weights of which some pair decodes to no finite value. */
static void find_specials(struct pairs *c)
{
    const struct source_map *m = c->x->m;
    const struct explain_pairs *q = &c->x->q->pairs;
    for (size_t plane = 0; plane < q->planes; plane++)
        for (uint32_t n = 0; n < m->N; n++)
            for (uint32_t k = 0; k < m->K; k++) {
                uint32_t code = q->code(m, plane, (struct source_point){0, n, k}) & (FP4_CODES - 1);
                uint32_t scale = q->scale(m, plane, (struct source_point){0, n, k / BLOCK}, q->no_scales);
                c->special[plane * m->N + n] |= !isfinite(decode(code, scale));
            }
}

static void find_muddled(struct pairs *c)
{
    const struct explain_session *x = c->x;
    const struct source_map *m = x->m;
    for (size_t i = 0; i < c->each; i++) {
        size_t n = i % m->N, p = i / m->N % m->P, s = i / m->N / m->P;
        if (!explain_agrees(x, explain_predict(x, EXPLAIN_STAGES, explain_columns(x, s), p, n), i))
            c->muddled[n] = 1;
    }
}

/* needs: the sources of observation i are known. */
static bool row_is_special(const struct pairs *c, size_t plane, size_t i)
{
    const struct source_map *m = c->x->m;
    const uint8_t *special = c->special + plane * m->N;
    return special[source_value_point(m, m->value[i]).n] ||
           (!c->x->q->pairs.no_scales && special[source_scale_point(m, m->scale[i]).n]);
}

static void find_culprits(struct pairs *c)
{
    const struct source_map *m = c->x->m;
    for (size_t plane = 0; plane < c->x->q->pairs.planes; plane++)
        for (size_t i = 0; i < c->each; i++) {
            uint32_t code, scale, *who = &c->culprit[plane * m->N + i % m->N];
            struct explain_place o;
            if (!pair_sources(c, plane, i, &code, &scale))
                continue;
            uint8_t *greatest = &c->row_scale[plane * m->N + i % m->N];
            *greatest = scale > *greatest ? (uint8_t)scale : *greatest;
            if (isfinite(decode(code, scale)) || !explain_place(c->x, i / m->N / m->P, i / m->N % m->P, i % m->N, &o))
                continue;
            uint32_t k = column_of_a(c->x, &o);
            if (*who == NOBODY) {
                *who = k;
                c->culprit_at[plane * m->N + i % m->N] = (uint32_t)i;
            } else if (*who != k) {
                *who = SEVERAL;
            }
        }
}

static bool pair_get(const struct pairs *c, size_t plane, size_t i, struct pair *out)
{
    const struct source_map *m = c->x->m;
    struct pair r = {.own = true};
    struct explain_place o;
    if (!pair_sources(c, plane, i, &r.code, &r.scale) ||
        !explain_place(c->x, i / m->N / m->P, i / m->N % m->P, i % m->N, &o))
        return false;
    uint32_t who = c->culprit[plane * m->N + i % m->N];
    r.weight = decode(r.code, r.scale);
    r.right = r.weight == 0 ? 0 : r.weight;           /* a sum is never -0 */
    if (who == NOBODY && row_is_special(c, plane, i)) /* by a weight that no output showed */
        return false;
    if (c->muddled[i % m->N] && (who != NOBODY || row_is_special(c, plane, i)))
        return false;
    if (who != NOBODY && who != column_of_a(c->x, &o))
        r.right = NAN;
    if (who != NOBODY && isfinite(r.weight)) {
        r.own = false;
        pair_sources(c, plane, c->culprit_at[plane * m->N + i % m->N], &r.code, &r.scale);
    }
    r.found = bf16_decode(c->x->q->pairs.out[plane * c->each + i]);
    *out = r;
    return true;
}

static bool same(float a, float b)
{
    return (isnan(a) && isnan(b)) || a == b;
}

/* What the result would be, were the effect on the weight that decides. of_result: were it on the result. */
static float with_effect(const struct pair *p, enum explain_effect effect, int exponent, bool of_result)
{
    float x = of_result || p->own ? p->right : p->weight;
    if (!of_result && !p->own) /* zero times something else: the weight itself unless that is still not finite */
        return effect == EXPLAIN_IS_ZERO || effect == EXPLAIN_IS_LARGEST ? x : NAN;
    switch (effect) {
    case EXPLAIN_IS_ZERO:
        return 0;
    case EXPLAIN_IS_INF:
        return copysignf(INFINITY, p->code & FP4_SIGN ? -1.0F : 1.0F);
    case EXPLAIN_IS_NAN:
        return NAN;
    case EXPLAIN_IS_NEGATED:
        return -x;
    case EXPLAIN_IS_POSITIVE:
        return fabsf(x);
    case EXPLAIN_IS_LARGEST:
        return copysignf(bf16_decode((struct bf16){BF16_EXPONENT - 1}), x);
    default:
        return bf16_decode(bf16_encode(ldexpf(x, exponent)));
    }
}

static void pair_values(void *context, size_t i, uint32_t value[WHERE_FEATURES])
{
    const struct pairs *c = context;
    const struct source_map *m = c->x->m;
    struct pair p = {0};
    pair_get(c, i / c->each, i % c->each, &p);
    memset(value, 0, PAIR_FEATURES * sizeof *value);
    value[FEATURE_CLASS] = isnan(p.right) ? RESULT_NAN : isinf(p.right) ? RESULT_INF : FINITE;
    if (c->of_result)
        return;
    struct source_point v = source_value_point(m, m->value[i % c->each]);
    value[FEATURE_SCALE] = p.scale;
    value[FEATURE_MAGNITUDE] = p.code & FP4_MAGNITUDE;
    value[FEATURE_SIGN] = p.code & FP4_SIGN ? 1 : 0;
    value[FEATURE_N] = v.n;
    value[FEATURE_K] = v.k;
    value[FEATURE_ROW_SCALE] = c->row_scale[i / c->each * m->N + i % m->N];
}

/* Where does one effect account for what is wrong? Places where it could not be seen are on neither side. */
static size_t set_sides(struct pairs *c, enum explain_effect effect, int exponent, bool of_result)
{
    size_t inside = 0;
    for (size_t j = 0; j < c->x->q->pairs.planes * c->each; j++) {
        struct pair p;
        c->side[j] = WHERE_IGNORED;
        if (c->explained[j] || !pair_get(c, j / c->each, j % c->each, &p))
            continue;
        float expected = with_effect(&p, effect, exponent, of_result);
        if (same(expected, p.right))
            continue;
        if (same(p.found, expected)) {
            c->side[j] = WHERE_INSIDE;
            inside++;
        } else if (same(p.found, p.right)) {
            c->side[j] = WHERE_OUTSIDE;
        }
    }
    return inside;
}

static enum explain_stage pair_stage(enum explain_registers a, unsigned used, struct explain_part *parts)
{
    if (a == EXPLAIN_A_RIGHT)
        return EXPLAIN_EPILOGUE;
    if (used == 1u << FEATURE_CLASS) {
        if (parts[EXPLAIN_EPILOGUE].ambiguous < 0)
            parts[EXPLAIN_EPILOGUE].ambiguous = EXPLAIN_ARITHMETIC;
        return EXPLAIN_EPILOGUE;
    }
    return used == 1u << FEATURE_SCALE || used == 1u << FEATURE_ROW_SCALE ? EXPLAIN_SCALES : EXPLAIN_VALUES;
}

/* Take one effect, if it has a product of conditions. */
static enum status try_effect(struct pairs *c, enum explain_effect effect, int exponent, bool of_result,
                              struct error *e)
{
    const struct source_map *m = c->x->m;
    const struct where_feature features[PAIR_FEATURES] = {
        {"scale", 256, 0},        {"(code & 7)", 8, 0},     {"(code >> 3)", 2, 0},
        {"n", (uint32_t)m->N, 0}, {"k", (uint32_t)m->K, 0}, {"greatest scale of the row", 256, 0},
        {"result", CLASSES, 0}};
    c->of_result = of_result;
    if (set_sides(c, effect, exponent, of_result) == 0)
        return STATUS_OK;
    struct where_question q = {features, PAIR_FEATURES, c->x->q->pairs.planes * c->each, c->side, pair_values, c};
    struct where where;
    enum status status = where_find(&q, &where, e);
    if (status != STATUS_OK || !where.found)
        return status;
    enum explain_stage stage = pair_stage(c->x->q->registers, where.used, c->x->x.part);
    struct explain_part *part = &c->x->x.part[stage];
    if (part->sets == EXPLAIN_SETS) {
        where_free(&where);
        return STATUS_OK;
    }
    part->set[part->sets++] = (struct explain_set){effect, exponent, where};
    for (size_t j = 0; j < c->x->q->pairs.planes * c->each; j++)
        if (c->side[j] == WHERE_INSIDE) {
            c->explained[j] = 1;
            part->wrong++;
            part->explained++;
        }
    return STATUS_OK;
}

/* The exponent of the first wrong result that is off by a power of two, 0 if there is none. */
static int first_factor(const struct pairs *c)
{
    for (size_t j = 0; j < c->x->q->pairs.planes * c->each; j++) {
        struct pair p;
        int a, b;
        if (c->explained[j] || !pair_get(c, j / c->each, j % c->each, &p) || !p.own || !isfinite(p.right) ||
            !isfinite(p.found) || p.right == 0 || p.found == 0)
            continue;
        if (frexpf(p.right, &a) == frexpf(p.found, &b) && a != b)
            return b - a;
    }
    return 0;
}

static bool is_negated(const struct pair *p)
{
    return p->own && p->right != 0 && p->found == -p->right;
}

/* Is a result negative that should be positive? A lost sign has none. */
static bool negates(const struct pairs *c)
{
    for (size_t j = 0; j < c->x->q->pairs.planes * c->each; j++) {
        struct pair p;
        if (pair_get(c, j / c->each, j % c->each, &p) && p.right > 0 && is_negated(&p))
            return true;
    }
    return false;
}

/* The sign of a product: the weight's, that of x, that of the sum, or that with which the instruction takes them. */
static void doubt_sign(struct explain_part *part, enum explain_stage stage)
{
    const unsigned any = 1u << EXPLAIN_VALUES | 1u << EXPLAIN_DESCRIPTOR | 1u << EXPLAIN_EPILOGUE;
    if (part->ambiguous < 0)
        part->ambiguous = EXPLAIN_ARITHMETIC;
    part->also |= (any | 1u << EXPLAIN_ARITHMETIC) & ~(1u << stage);
}

/* Ahead of the lost sign, which accounts for half of it. */
static enum status find_negated(struct pairs *c, struct error *e)
{
    enum explain_stage stage = c->x->q->registers == EXPLAIN_A_RIGHT ? EXPLAIN_EPILOGUE : EXPLAIN_VALUES;
    struct explain_part *part = &c->x->x.part[stage];
    int sets = part->sets;
    if (!negates(c))
        return STATUS_OK;
    enum status status = try_effect(c, EXPLAIN_IS_NEGATED, 0, false, e);
    if (status == STATUS_OK && part->sets > sets)
        doubt_sign(part, stage);
    return status;
}

static enum status find_effects(struct pairs *c, struct error *e)
{
    static const enum explain_effect effects[] = {EXPLAIN_IS_ZERO, EXPLAIN_IS_INF, EXPLAIN_IS_NAN, EXPLAIN_IS_POSITIVE,
                                                  EXPLAIN_IS_LARGEST};
    enum { EFFECTS = sizeof effects / sizeof *effects, MOST_FACTORS = 4 };
    enum status status = find_negated(c, e);
    /* A clamp of results first: it takes no notice of what made them. */
    for (int i = 0; i < EFFECTS && c->x->q->registers != EXPLAIN_A_WRONG && status == STATUS_OK; i++)
        status = try_effect(c, effects[i], 0, true, e);
    for (int i = 0; i < EFFECTS && status == STATUS_OK; i++)
        status = try_effect(c, effects[i], 0, false, e);
    for (int i = 0; i < MOST_FACTORS && status == STATUS_OK; i++) {
        int exponent = first_factor(c);
        if (exponent == 0)
            break;
        status = try_effect(c, EXPLAIN_IS_SCALED, exponent, false, e);
    }
    return status;
}

static bool mixed(size_t count[][2], size_t rows)
{
    for (size_t i = 0; i < rows; i++)
        if (count[i][0] > 0 && count[i][1] > 0)
            return true;
    return false;
}

/* What no effect says. Where a scale is wrong under every code but zero, and others are under none, it is the scale. */
static void count_rest(struct pairs *c)
{
    size_t rest = 0, negated = 0, asked = 0, by_scale[256][2] = {{0}}, by_code[FP4_CODES][2] = {{0}};
    for (size_t j = 0; j < c->x->q->pairs.planes * c->each; j++) {
        struct pair p;
        if (!pair_get(c, j / c->each, j % c->each, &p))
            continue;
        asked++;
        bool wrong = !c->explained[j] && !same(p.found, p.right);
        rest += wrong;
        negated += wrong && is_negated(&p);
        if (!p.own || p.code % FP4_SIGN == 0)
            continue;
        by_scale[p.scale][wrong]++;
        by_code[p.code][wrong]++;
    }
    struct explain_part *parts = c->x->x.part;
    enum explain_stage stage = EXPLAIN_VALUES;
    bool scales = !mixed(by_scale, 256), codes = !mixed(by_code, FP4_CODES);
    if (c->x->q->registers == EXPLAIN_A_RIGHT)
        stage = EXPLAIN_EPILOGUE;
    else if (scales && !codes && negated < rest)
        stage = EXPLAIN_SCALES;
    if (rest > 0 && negated == rest && c->x->q->registers == EXPLAIN_A_UNKNOWN && stage == EXPLAIN_VALUES)
        doubt_sign(&parts[stage], stage);
    else if (rest > 0 && scales == codes && stage == EXPLAIN_VALUES && parts[stage].ambiguous < 0)
        parts[stage].ambiguous = EXPLAIN_SCALES;
    parts[stage].observations += asked;
    parts[stage].wrong += rest;
}

enum status explain_pair_planes(struct explain_session *x, struct error *e)
{
    const struct source_map *m = x->m;
    size_t planes = x->q->pairs.planes;
    struct pairs c = {.x = x, .each = source_map_observations(m)};
    const struct explain_part *values = &x->x.part[EXPLAIN_VALUES];
    if (planes == 0 || values->wrong > values->explained) /* of codes that are mixed, no pair is known */
        return STATUS_OK;
    enum status status = STATUS_OK;
    c.culprit = malloc(planes * m->N * sizeof *c.culprit);
    c.culprit_at = malloc(planes * m->N * sizeof *c.culprit_at);
    c.row_scale = calloc(planes, m->N);
    c.special = calloc(planes, m->N);
    c.muddled = calloc(m->N, 1);
    c.side = malloc(planes * c.each);
    c.explained = calloc(planes, c.each);
    if (!c.culprit || !c.culprit_at || !c.row_scale || !c.special || !c.muddled || !c.side || !c.explained) {
        status = error_set(e, STATUS_NO_MEMORY, "no memory for %zu pair planes", planes);
    } else {
        memset(c.culprit, 0xff, planes * m->N * sizeof *c.culprit);
        find_muddled(&c);
        find_specials(&c);
        find_culprits(&c);
        status = find_effects(&c, e);
    }
    if (status == STATUS_OK)
        count_rest(&c);
    free(c.culprit);
    free(c.culprit_at);
    free(c.row_scale);
    free(c.special);
    free(c.muddled);
    free(c.side);
    free(c.explained);
    return status;
}
