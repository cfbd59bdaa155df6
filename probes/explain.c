#include "probes/explain.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/explain_parts.h"

const char *explain_stage_name(enum explain_stage s)
{
    static const char *const names[] = {"values",   "scales",  "fragment",  "descriptor",
                                        "epilogue", "routing", "arithmetic"};
    assert(s < EXPLAIN_STAGES);
    return names[s];
}

const char *explain_state_name(enum explain_state s)
{
    static const char *const names[] = {"not asked", "conforms", "differs", "undecided"};
    assert(s <= EXPLAIN_UNDECIDED);
    return names[s];
}

const char *explain_effect_name(enum explain_effect x)
{
    static const char *const names[] = {"zero",
                                        "never written",
                                        "computed",
                                        "infinite",
                                        "NaN",
                                        "negated",
                                        "without its sign",
                                        "the largest finite number",
                                        "scaled",
                                        "under no scale of any block",
                                        "not finite, or the same whatever the weights are,"};
    assert(x < EXPLAIN_EFFECTS);
    return names[x];
}

/* ---- the rows of the launch ---------------------------------------------------------------------------------------
 */

static void session_rows(struct explain_session *x)
{
    const struct segments *s = &x->m->segments;
    uint32_t P = (uint32_t)x->m->P;
    for (uint32_t p = 0; p < P; p++)
        x->row[p] = (struct explain_row){-1, (uint32_t)s->active, p, 1, p, 1};
    for (size_t a = 0; a < s->active; a++)
        for (uint32_t p = s->starts[a]; p < s->starts[a + 1] && p < P; p++) {
            uint32_t first = s->starts[a], rows = s->starts[a + 1] - first, tile = p - (p - first) % x->tokens;
            uint32_t left = first + rows - tile;
            x->row[p] = (struct explain_row){segments_expert_of_row(s, p),       (uint32_t)a, first, rows, tile,
                                             left < x->tokens ? left : x->tokens};
        }
    /* Rows of no segment, before, between and behind: runs of their own, so that a tile of them has a beginning. */
    for (uint32_t p = 1; p < P; p++)
        if (x->row[p].segment == s->active && x->row[p - 1].segment == s->active) {
            x->row[p].first = x->row[p - 1].first;
            x->row[p].tile = p - (p - x->row[p].first) % x->tokens;
        }
    for (uint32_t p = P; p-- > 0;)
        if (x->row[p].segment == s->active) {
            bool same = p + 1 < P && x->row[p + 1].segment == s->active && x->row[p + 1].first == x->row[p].first;
            x->row[p].rows = same ? x->row[p + 1].rows : p + 1 - x->row[p].first;
        }
}

/* What was asked is not unknown everywhere: the zeros of rows that no segment covers are known. */
static void words_asked(struct explain_session *x)
{
    const struct explain_pairs *pairs = &x->q->pairs;
    x->asked = pairs->planes > 0;
    x->scales_asked = pairs->planes > 0 && !pairs->no_scales;
    for (size_t i = 0; i < source_map_observations(x->m); i++) {
        x->asked |= x->m->value[i] != SOURCE_UNKNOWN;
        x->scales_asked |= x->m->scale[i] != SOURCE_UNKNOWN;
    }
}

enum { USUAL_TOKENS = 64 };

static enum status session_begin(struct explain_session *x, const struct explain_question *q, struct error *e)
{
    const struct source_map *m = q->map;
    uint32_t N = (uint32_t)m->N, K = (uint32_t)m->K;
    *x = (struct explain_session){.q = q, .m = m, .tokens = q->tile[1] ? q->tile[1] : USUAL_TOKENS};
    x->row = malloc(m->P * sizeof *x->row);
    x->experts_of = malloc(m->P * sizeof *x->experts_of);
    if (!x->row || !x->experts_of)
        return error_set(e, STATUS_NO_MEMORY, "no memory to explain %zu rows", m->P);
    session_rows(x);
    words_asked(x);
    explain_pack_maps(x->pack);
    struct explain_model *model = &x->model;
    model->extra_expert = -1;
    model->epilogue = source_rule_identity("n", "t", (const uint32_t[2]){N, x->tokens});
    model->routing = source_rule_identity("n", "r", (const uint32_t[2]){N, (uint32_t)m->P});
    model->expert =
        source_rule_identity("e", "a", (const uint32_t[2]){(uint32_t)m->experts, (uint32_t)m->segments.active + 1});
    model->descriptor = source_rule_identity("k", "t", (const uint32_t[2]){K, TOKEN_GROUP});
    model->fragment = source_rule_identity("n", "k", (const uint32_t[2]){N, K});
    model->values = model->fragment;
    model->scales = source_rule_identity("n", "b", (const uint32_t[2]){N, (uint32_t)m->blocks});
    for (int g = 0; g < EXPLAIN_STAGES; g++)
        x->x.part[g].ambiguous = -1;
    return STATUS_OK;
}

static void session_end(struct explain_session *x)
{
    struct explain_model *m = &x->model;
    struct source_rule *rules[] = {&m->epilogue, &m->routing, &m->expert, &m->descriptor,
                                   &m->fragment, &m->values,  &m->scales};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        source_rule_free(rules[i]);
    free(x->row);
    free(x->shows);
    free(x->experts_of);
    explanation_free(&x->x);
}

/* ---- counting -----------------------------------------------------------------------------------------------------
 */

/* Was something of this row written in this sweep? */
static bool row_is_written(const struct source_map *m, size_t at)
{
    size_t first = at - at % m->N;
    for (size_t n = 0; n < m->N; n++)
        if (m->value[first + n] != SOURCE_UNWRITTEN)
            return true;
    return false;
}

/* A is right: a wrong feature is that of another accumulator, anything else is x. */
static enum explain_stage stage_behind_a(const struct source_map *m, size_t at)
{
    uint32_t value = m->value[at];
    return value < SOURCE_CODES && source_value_point(m, value).n != at % m->N ? EXPLAIN_EPILOGUE : EXPLAIN_DESCRIPTOR;
}

/* The stage in which an observation shows that nobody accounts for. */
static enum explain_stage stage_of(const struct explain_session *x, size_t at, size_t p)
{
    const struct source_map *m = x->m;
    uint32_t row = m->row[at], value = m->value[at], scale = m->scale[at];
    if (value == SOURCE_UNWRITTEN)
        return row_is_written(m, at) ? EXPLAIN_EPILOGUE : EXPLAIN_ROUTING;
    if (x->row[p].expert < 0)
        return EXPLAIN_ROUTING;
    if (explain_is_exchange(x, at))
        return EXPLAIN_EPILOGUE;
    if (row < m->P && row != p && x->rows_change)
        return EXPLAIN_DESCRIPTOR;
    if (row < m->P && row != p)
        return x->row[row].tile == x->row[p].tile ? EXPLAIN_EPILOGUE : EXPLAIN_ROUTING;
    if (value < SOURCE_CODES && scale < SOURCE_CODES) {
        struct source_point v = source_value_point(m, value), s = source_scale_point(m, scale);
        if (v.expert == s.expert && v.expert != (uint32_t)x->row[p].expert)
            return EXPLAIN_ROUTING;
        if (x->q->registers == EXPLAIN_A_RIGHT)
            return stage_behind_a(m, at);
        if (v.n == s.n && v.k / BLOCK == s.k && v.expert == s.expert)
            return EXPLAIN_FRAGMENT;
    }
    if (x->q->registers == EXPLAIN_A_RIGHT)
        return stage_behind_a(m, at);
    struct explain_code c = explain_predict(x, EXPLAIN_SCALES, explain_columns(x, at / m->N / m->P), p, at % m->N);
    return value == c.value && scale != c.scale ? EXPLAIN_SCALES : EXPLAIN_VALUES;
}

static bool part_claims(const struct explain_part *p, const struct source_rule *rule)
{
    return p->sets > 0 || !source_rule_is_identity(rule);
}

static void count_stages(struct explain_session *x, const bool claims[EXPLAIN_STAGES], size_t i, bool predicted)
{
    const struct source_map *m = x->m;
    size_t n = i % m->N, p = i / m->N % m->P, s = i / m->N / m->P;
    bool blamed = false;
    for (int g = 0; g < EXPLAIN_ARITHMETIC; g++) {
        if (!claims[g] || !predicted)
            continue;
        if (explain_agrees(x, explain_predict(x, (enum explain_stage)g, explain_columns(x, s), p, n), i))
            continue;
        x->x.part[g].wrong++;
        x->x.part[g].explained++;
        blamed = true;
    }
    if (predicted || blamed)
        return;
    enum explain_stage stage = stage_of(x, i, p);
    struct explain_part *part = &x->x.part[stage];
    part->wrong++;
    part->also |= explain_stage_also(x, stage, i);
    for (int g = 0; g < EXPLAIN_STAGES && part->ambiguous < 0; g++)
        part->ambiguous = part->also >> g & 1 ? g : -1;
}

static void count(struct explain_session *x)
{
    const struct source_map *m = x->m;
    const struct explain_model *d = &x->model;
    const struct source_rule *rules[] = {&d->values,     &d->scales,   &d->fragment,
                                         &d->descriptor, &d->epilogue, &d->routing};
    bool claims[EXPLAIN_STAGES] = {false};
    for (int g = 0; g < EXPLAIN_ARITHMETIC; g++)
        claims[g] = part_claims(&x->x.part[g], rules[g]);
    claims[EXPLAIN_ROUTING] |= !source_rule_is_identity(&d->expert) || d->expert_of_output;
    size_t asked = x->asked ? source_map_observations(m) : 0;
    for (size_t i = 0; i < asked; i++) {
        size_t n = i % m->N, p = i / m->N % m->P, s = i / m->N / m->P;
        struct explain_code wanted = {source_wanted_value(m, s, p, n), source_wanted_scale(m, s, p, n),
                                      source_wanted_row(m, s, p, n)};
        bool right = explain_agrees(x, wanted, i);
        bool predicted = explain_agrees(x, explain_predict(x, EXPLAIN_STAGES, explain_columns(x, s), p, n), i);
        x->x.wrong += !right;
        x->x.explained += !right && predicted;
        if (!right || !predicted)
            count_stages(x, claims, i, predicted);
    }
    x->x.observations = asked;
    for (int g = 0; g < EXPLAIN_ARITHMETIC; g++)
        x->x.part[g].observations += asked;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------
 */

static void move_rule(struct source_rule *to, struct source_rule *from)
{
    *to = *from;
    *from = (struct source_rule){0};
}

static void give_rules(struct explain_session *x)
{
    struct explain_part *p = x->x.part;
    struct explain_model *m = &x->model;
    move_rule(&p[EXPLAIN_VALUES].rule, &m->values);
    move_rule(&p[EXPLAIN_SCALES].rule, &m->scales);
    move_rule(&p[EXPLAIN_FRAGMENT].rule, &m->fragment);
    move_rule(&p[EXPLAIN_DESCRIPTOR].rule, &m->descriptor);
    move_rule(&p[EXPLAIN_EPILOGUE].rule, &m->epilogue);
    move_rule(&p[EXPLAIN_ROUTING].rule, &m->routing);
    move_rule(&p[EXPLAIN_ROUTING].expert, &m->expert);
}

/* Codes that no formula accounts for leave open which of these stages they belong to. */
static void doubt_neighbours(struct explanation *x, enum explain_registers a)
{
    static const enum explain_stage shared[] = {EXPLAIN_VALUES, EXPLAIN_FRAGMENT, EXPLAIN_DESCRIPTOR};
    enum { SHARED = sizeof shared / sizeof *shared };
    bool doubt =
        x->part[EXPLAIN_VALUES].state == EXPLAIN_UNDECIDED || x->part[EXPLAIN_FRAGMENT].state == EXPLAIN_UNDECIDED;
    for (int i = 0; i < SHARED && doubt && a == EXPLAIN_A_UNKNOWN; i++)
        if (x->part[shared[i]].state == EXPLAIN_CONFORMS)
            x->part[shared[i]].state = EXPLAIN_UNDECIDED;
}

static void judge_arithmetic(const struct explain_question *q, struct explanation *x)
{
    struct explain_part *p = &x->part[EXPLAIN_ARITHMETIC];
    bool sources_right = x->wrong == 0;
    for (int g = 0; g < EXPLAIN_ARITHMETIC; g++)
        sources_right &= x->part[g].state <= EXPLAIN_CONFORMS;
    if (q->dense_count == 0 && !q->changes)
        return;
    p->observations = q->dense_count;
    p->state = EXPLAIN_CONFORMS;
    if (q->changes) {
        p->state = EXPLAIN_DIFFERS;
        snprintf(p->what, sizeof p->what, "the same launch does not give the same bits");
    } else if (q->dense_differing > 0 && sources_right) {
        p->state = EXPLAIN_DIFFERS;
        p->wrong = q->dense_differing;
        /* A column of x is asked of few rows. */
        if (x->observations > 0 && q->map->sweeps < q->map->K)
            p->ambiguous = EXPLAIN_DESCRIPTOR;
        snprintf(p->what, sizeof p->what,
                 "every product that was asked has the right factors, and %zu of %zu sums are wrong%s",
                 q->dense_differing, q->dense_count,
                 p->ambiguous < 0 ? "" : " (or the descriptor, at a column of x that was not asked of this row)");
    } else if (q->dense_differing > 0 && x->sums_asked == 0) {
        p->state = EXPLAIN_UNDECIDED; /* the factors are wrong already */
    } else if (x->sums_predicted < x->sums_asked) {
        p->state = EXPLAIN_UNDECIDED;
        snprintf(p->what, sizeof p->what, "%zu of %zu sums are not those of the factors found",
                 x->sums_asked - x->sums_predicted, x->sums_asked);
    }
}

/* Only a sum that no other weight made wrong says something of a weight that is not finite. */
static void judge_special(const struct explain_question *q, struct explanation *x)
{
    bool right = x->wrong == 0, infinite = q->special_nan_is_infinite == q->special_differing;
    for (int g = 0; g < EXPLAIN_STAGES; g++)
        right &= x->part[g].state <= EXPLAIN_CONFORMS;
    if (q->special_differing == 0 || !right)
        return;
    enum explain_stage stage = infinite ? EXPLAIN_SCALES : EXPLAIN_VALUES;
    if (q->registers == EXPLAIN_A_RIGHT)
        stage = EXPLAIN_EPILOGUE;
    struct explain_part *p = &x->part[stage];
    p->state = EXPLAIN_DIFFERS;
    p->observations += q->special_count;
    p->wrong += q->special_differing;
    if (stage == EXPLAIN_VALUES)
        p->ambiguous = EXPLAIN_SCALES;
    if (!infinite) {
        snprintf(p->what, sizeof p->what, "%zu of %zu sums of weights that are NaN, Inf or subnormal are wrong",
                 q->special_differing, q->special_count);
        return;
    }
    p->explained += q->special_differing;
    snprintf(p->what, sizeof p->what, "Inf in %zu of %zu sums where NaN is wanted: %s", q->special_differing,
             q->special_count, stage == EXPLAIN_SCALES ? "a scale of 255 is read as Inf" : "the operand was right");
    if (stage == EXPLAIN_SCALES) {
        snprintf(p->found, sizeof p->found, "scale 255: weight * Inf");
        snprintf(p->wanted, sizeof p->wanted, "scale 255: NaN");
    }
}

static void judge_guard(const struct explain_question *q, struct explanation *x)
{
    struct explain_part *p = &x->part[EXPLAIN_ROUTING];
    if (q->guard_wrong <= 0)
        return;
    p->state = EXPLAIN_DIFFERS;
    size_t used = strlen(p->what);
    snprintf(p->what + used, sizeof p->what - used, "%sa launch with bad segments is not refused as it should be",
             used ? ", " : "");
}

static void judge(struct explain_session *x)
{
    struct explanation *r = &x->x;
    for (int g = 0; g < EXPLAIN_ARITHMETIC; g++) {
        struct explain_part *p = &r->part[g];
        p->state = p->wrong == 0 ? EXPLAIN_CONFORMS : p->explained == p->wrong ? EXPLAIN_DIFFERS : EXPLAIN_UNDECIDED;
        if (r->observations == 0 || (g == EXPLAIN_SCALES && !x->scales_asked && p->wrong == 0))
            p->state = EXPLAIN_NOT_ASKED;
    }
    doubt_neighbours(r, x->q->registers);
    for (int g = 0; g < EXPLAIN_ARITHMETIC; g++)
        explain_say(&r->part[g], (enum explain_stage)g);
    judge_arithmetic(x->q, r);
    judge_special(x->q, r);
    judge_guard(x->q, r);
}

static enum status run_with_tile(const struct explain_question *q, struct explanation *out, struct error *e)
{
    struct explain_session x;
    enum status status = session_begin(&x, q, e);
    if (status == STATUS_OK)
        status = explain_rows(&x, e);
    if (status == STATUS_OK)
        status = explain_experts(&x, e);
    if (status == STATUS_OK)
        status = explain_places(&x, e);
    if (status == STATUS_OK)
        status = explain_holes(&x, e);
    if (status == STATUS_OK)
        status = explain_outputs(&x, e);
    if (status == STATUS_OK) {
        count(&x);
        status = explain_pair_planes(&x, e);
    }
    if (status == STATUS_OK)
        status = explain_sums(&x, e);
    if (status == STATUS_OK) {
        give_rules(&x);
        judge(&x);
        *out = x.x;
        x.x = (struct explanation){0};
    }
    session_end(&x);
    return status;
}

/* Where nobody says how many tokens a tile has, 64 of them are tried first: a kernel that mixes rows up inside of
 * larger tiles is explained by a larger one. */
enum status explain_run(const struct explain_question *q, struct explanation *out, struct error *e)
{
    static const uint32_t larger[] = {128, 256};
    struct explanation best;
    enum status status = run_with_tile(q, &best, e);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < sizeof larger / sizeof *larger && !q->tile[1] && best.explained < best.wrong; i++) {
        struct explain_question with = *q;
        struct explanation x;
        with.tile[1] = larger[i];
        status = run_with_tile(&with, &x, e);
        if (status != STATUS_OK)
            break;
        bool better = x.explained > best.explained;
        explanation_free(better ? &best : &x);
        best = better ? x : best;
    }
    if (status == STATUS_OK)
        *out = best;
    else
        explanation_free(&best);
    return status;
}

void explanation_free(struct explanation *x)
{
    for (int g = 0; g < EXPLAIN_STAGES; g++) {
        struct explain_part *p = &x->part[g];
        source_rule_free(&p->rule);
        source_rule_free(&p->expert);
        for (int i = 0; i < p->sets; i++)
            where_free(&p->set[i].where);
    }
    *x = (struct explanation){0};
}
