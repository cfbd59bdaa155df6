/* Descriptor, fragment, values, scales: where in the weights each product took its code and its scale. */
#include <stdlib.h>
#include <string.h>

#include "probes/explain_parts.h"

/* What was found of (n, k), for one way to undo the stages before. */
struct places {
    struct rule_samples value, scale;
    bool value_one, scale_one; /* a place has one answer */
    size_t values;             /* answers that were taken */
};

static void places_free(struct places *f)
{
    rule_samples_free(&f->value);
    rule_samples_free(&f->scale);
}

struct place_filter {
    int residue; /* t % 8 of the rows that are taken, -1 for all */
    bool value_flat, scale_flat;
    bool through_descriptor; /* k: where the tensor core read the 1, by the rule of the descriptor */
};

static void take(struct explain_session *x, const struct place_filter *f, const struct explain_place *o,
                 struct places *out)
{
    const struct source_map *m = x->m;
    uint32_t in[2] = {o->n1, o->k}, kt[2] = {o->k, o->t1}, k1[2];
    if (f->through_descriptor) {
        if (!source_rule_apply(&x->model.descriptor, kt, NULL, k1))
            return;
        in[1] = k1[0];
    }
    uint32_t expert = x->experts_of[o->p] == RULE_UNSEEN ? (uint32_t)x->row[o->p].expert : x->experts_of[o->p];
    uint32_t base = expert * (uint32_t)m->N;
    if (m->value[o->at] < SOURCE_CODES) {
        struct source_point v = source_value_point(m, m->value[o->at]);
        uint32_t to[2] = {in[0] + (f->value_flat ? base : 0), in[1]};
        uint32_t from[2] = {v.n + (f->value_flat ? v.expert * (uint32_t)m->N : 0), v.k};
        out->value_one &= (f->value_flat || v.expert == expert) && rule_samples_add(&out->value, to, from);
        out->values++;
    }
    if (m->scale[o->at] < SOURCE_CODES) {
        struct source_point s = source_scale_point(m, m->scale[o->at]);
        uint32_t to[2] = {in[0] + (f->scale_flat ? base : 0), in[1]};
        uint32_t from[2] = {s.n + (f->scale_flat ? s.expert * (uint32_t)m->N : 0), s.k};
        out->scale_one &= (f->scale_flat || s.expert == expert) && rule_samples_add(&out->scale, to, from);
    }
}

static enum status places_collect(struct explain_session *x, const struct place_filter *f, struct places *out,
                                  struct error *e)
{
    const struct source_map *m = x->m;
    struct places c = {.value_one = true, .scale_one = true};
    uint32_t flat = (uint32_t)(m->experts * m->N), N = (uint32_t)m->N;
    enum status status = rule_samples_make(f->value_flat ? flat : N, (uint32_t)m->K, &c.value, e);
    if (status == STATUS_OK)
        status = rule_samples_make(f->scale_flat ? flat : N, (uint32_t)m->K, &c.scale, e);
    if (status != STATUS_OK) {
        places_free(&c);
        return status;
    }
    for (size_t s = 0; s < m->sweeps && (c.value_one || c.scale_one); s++)
        for (size_t p = 0; p < m->P; p++) {
            if (x->row[p].expert < 0)
                continue;
            for (size_t n = 0; n < m->N; n++) {
                struct explain_place o;
                if (!explain_place(x, s, p, n, &o) || o.p1 == NO_ROW ||
                    (f->residue >= 0 && o.t1 != (uint32_t)f->residue))
                    continue;
                take(x, f, &o, &c);
            }
        }
    *out = c;
    return STATUS_OK;
}

/* ---- fragment, values, scales ----------------------------------------------------------------------------------- */

/* Candidates for the fragment; the remaining map of values and scales is then measured from its sources. */
enum candidate { KEEP, ROW_OF_VALUE, ROW_OF_SCALE, COLUMN_OF_VALUE, VALUE, CANDIDATES };

struct solution {
    struct source_rule fragment, values, scales;
    struct explain_pack pack; /* slots 0: none; of the fragment, or of the values */
    bool pack_of_values;
    unsigned cost;
};

static void solution_free(struct solution *s)
{
    source_rule_free(&s->fragment);
    source_rule_free(&s->values);
    source_rule_free(&s->scales);
}

static bool candidate_source(enum candidate c, const struct places *f, const uint32_t in[2], uint32_t out[2])
{
    size_t at = (size_t)in[0] * f->value.extent[1] + in[1];
    uint32_t nv = f->value.y[0][at], kv = f->value.y[1][at], ns = f->scale.y[0][at];
    if (nv == RULE_UNSEEN || (c == ROW_OF_SCALE && ns == RULE_UNSEEN))
        return false;
    out[0] = c == ROW_OF_VALUE || c == VALUE ? nv : c == ROW_OF_SCALE ? ns : in[0];
    out[1] = c == COLUMN_OF_VALUE || c == VALUE ? kv : in[1];
    return true;
}

/* Values and scales as they are; their rows may be counted differently. false: no map of blocks. */
static bool keep_rest(const struct places *f, struct rule_samples *values, struct rule_samples *scales)
{
    const struct rule_samples *from[] = {&f->value, &f->scale};
    bool one = true;
    for (int i = 0; i < 2; i++)
        for (uint32_t n = 0; n < from[i]->extent[0]; n++)
            for (uint32_t k = 0; k < from[i]->extent[1]; k++) {
                size_t at = (size_t)n * from[i]->extent[1] + k;
                uint32_t y[2] = {from[i]->y[0][at], from[i]->y[1][at]};
                if (y[0] != RULE_UNSEEN)
                    one &= rule_samples_add(i == 0 ? values : scales, (uint32_t[2]){n, i == 0 ? k : k / BLOCK}, y);
            }
    return one;
}

/* The maps of values and scales that remain behind a candidate; false: they are none. */
static bool candidate_rest(enum candidate c, const struct places *f, struct rule_samples *fragment,
                           struct rule_samples *values, struct rule_samples *scales)
{
    if (c == KEEP)
        return keep_rest(f, values, scales);
    for (uint32_t n = 0; n < f->value.extent[0]; n++)
        for (uint32_t k = 0; k < f->value.extent[1]; k++) {
            size_t at = (size_t)n * f->value.extent[1] + k;
            uint32_t in[2] = {n, k}, mid[2] = {n, k};
            if (!candidate_source(c, f, in, mid))
                continue;
            if (!rule_samples_add(fragment, in, mid))
                return false;
            uint32_t v[2] = {f->value.y[0][at], f->value.y[1][at]}, s[2] = {f->scale.y[0][at], f->scale.y[1][at]};
            if (v[0] != RULE_UNSEEN && !rule_samples_add(values, mid, v))
                return false;
            if (s[0] != RULE_UNSEEN && !rule_samples_add(scales, (uint32_t[2]){mid[0], mid[1] / BLOCK}, s))
                return false;
        }
    return true;
}

enum { COST_PACK = 5 };

/* The rule of samples of (n, k), a pack order if it is one. `elementary`: steps that an address does as well come
 * first, and are no order even where they are. */
static enum status fit_nk(const struct explain_session *x, const struct rule_samples *s, bool elementary,
                          struct source_rule *out, struct explain_pack *pack, unsigned *cost, struct error *e)
{
    struct explain_pack found;
    struct source_rule rule;
    *pack = (struct explain_pack){0};
    for (int i = 0; i < 2; i++) {
        if (!explain_pack_find(&x->pack[i], s, &found))
            continue;
        enum status status = source_rule_fit(s, "n", "k", &rule, cost, e);
        if (status != STATUS_OK)
            return status;
        bool n = rule.at[0].family != RULE_IDENTITY, k = rule.at[1].family != RULE_IDENTITY;
        bool simple = rule.at[0].family <= RULE_XOR && rule.at[1].family <= RULE_XOR;
        if (simple && (elementary || !n || !k)) {
            *out = rule;
            return STATUS_OK;
        }
        source_rule_free(&rule);
        *pack = found;
        *cost = simple ? *cost : COST_PACK;
        return explain_pack_rule(&x->pack[i], &found, s->extent, out, e);
    }
    return source_rule_fit(s, "n", "k", out, cost, e);
}

static enum status solve_samples(const struct explain_session *x, enum candidate c, const struct rule_samples *fragment,
                                 const struct rule_samples *values, const struct rule_samples *scales,
                                 struct solution *out, struct error *e)
{
    struct solution s = {0};
    struct explain_pack pack;
    unsigned cost = 0, more = 0;
    enum status status;
    if (x->q->registers == EXPLAIN_A_RIGHT)
        status = source_rule_fit(fragment, "n", "k", &s.fragment, &cost, e);
    else if (c == KEEP)
        s.fragment = source_rule_identity("n", "k", values->extent), status = STATUS_OK;
    else
        status = fit_nk(x, fragment, false, &s.fragment, &s.pack, &cost, e);
    if (status == STATUS_OK)
        status = fit_nk(x, values, true, &s.values, &pack, &more, e);
    cost += more;
    more = 0;
    if (status == STATUS_OK && pack.slots) { /* an order is the registers' when it can be */
        s.pack = pack;
        s.pack_of_values = true;
        cost++;
    }
    if (status == STATUS_OK)
        status = source_rule_fit(scales, "n", "b", &s.scales, &more, e);
    s.cost = cost + more;
    if (status != STATUS_OK) {
        solution_free(&s);
        return status;
    }
    *out = s;
    return STATUS_OK;
}

static enum status solve_candidate(const struct explain_session *x, enum candidate c, const struct places *f,
                                   struct solution *best, struct error *e)
{
    uint32_t N = f->value.extent[0], K = f->value.extent[1], rows = f->scale.extent[0];
    struct rule_samples fragment = {0}, values = {0}, scales = {0};
    struct solution s;
    enum status status = rule_samples_make(N, K, &fragment, e);
    if (status == STATUS_OK)
        status = rule_samples_make(N, K, &values, e);
    if (status == STATUS_OK)
        status = rule_samples_make(rows, (uint32_t)x->m->blocks, &scales, e);
    if (status == STATUS_OK && candidate_rest(c, f, &fragment, &values, &scales)) {
        status = solve_samples(x, c, &fragment, &values, &scales, &s, e);
        if (status == STATUS_OK && (best->cost == UINT32_MAX || s.cost < best->cost)) {
            solution_free(best);
            *best = s;
        } else if (status == STATUS_OK) {
            solution_free(&s);
        }
    }
    rule_samples_free(&fragment);
    rule_samples_free(&values);
    rule_samples_free(&scales);
    return status;
}

/* A is right: value and scale move together, n in the epilogue, k in the descriptor, each for itself, or there is no
 * answer. share_out gives them away. */
static enum status solve_behind_a(struct explain_session *x, const struct places *f, struct solution *best,
                                  struct error *e)
{
    enum status status = solve_candidate(x, VALUE, f, best, e);
    if (status != STATUS_OK || best->cost == UINT32_MAX)
        return status;
    if (source_rule_is_identity(&best->values) && source_rule_is_identity(&best->scales) && !best->pack.slots &&
        rule_coordinate_is_alone(&best->fragment.at[0]) && rule_coordinate_is_alone(&best->fragment.at[1]))
        return STATUS_OK;
    solution_free(best);
    *best = (struct solution){.cost = UINT32_MAX};
    return STATUS_OK;
}

static enum status solve(struct explain_session *x, const struct places *f, bool flat, struct solution *best,
                         struct error *e)
{
    enum status status = STATUS_OK;
    *best = (struct solution){.cost = UINT32_MAX};
    if (x->q->registers == EXPLAIN_A_RIGHT)
        return flat ? STATUS_OK : solve_behind_a(x, f, best, e);
    for (int c = KEEP; c < (flat ? 1 : CANDIDATES) && status == STATUS_OK && best->cost != 0; c++)
        status = solve_candidate(x, (enum candidate)c, f, best, e);
    if (status != STATUS_OK)
        solution_free(best);
    return status;
}

/* ---- who moved n, who moved k ----------------------------------------------------------------------------------- */

static void say_ambiguous(struct explain_session *x, enum explain_stage stage, enum explain_stage other)
{
    if (x->q->registers == EXPLAIN_A_UNKNOWN)
        x->x.part[stage].ambiguous = (int)other;
}

/* A move of n alone, or of k alone, may belong to the stages before the fragment. */
static void share_out(struct explain_session *x, struct source_rule *f, bool pack)
{
    struct rule_coordinate none = {0};
    enum explain_registers a = x->q->registers;
    bool far, apart = !pack && rule_coordinate_is_alone(&f->at[0]) && rule_coordinate_is_alone(&f->at[1]);
    if (!apart || a == EXPLAIN_A_WRONG)
        return;
    if (f->at[0].family != RULE_IDENTITY && x->model.epilogue.at[0].family == RULE_IDENTITY) {
        bool epilogue = a == EXPLAIN_A_RIGHT || source_rule_is_one_to_one(f);
        say_ambiguous(x, epilogue ? EXPLAIN_EPILOGUE : EXPLAIN_FRAGMENT,
                      epilogue ? EXPLAIN_FRAGMENT : EXPLAIN_EPILOGUE);
        if (epilogue) {
            x->model.epilogue.at[0] = f->at[0];
            f->at[0] = none;
        }
    }
    if (f->at[1].family != RULE_IDENTITY && source_rule_is_identity(&x->model.descriptor) &&
        (a == EXPLAIN_A_RIGHT || (source_rule_moves_chunks(f, TOKEN_GROUP, BLOCK, &far) && far))) {
        say_ambiguous(x, EXPLAIN_DESCRIPTOR, EXPLAIN_FRAGMENT);
        x->model.descriptor.at[0] = f->at[1];
        f->at[1] = none;
    }
}

static void adopt(struct explain_session *x, struct solution *s, const struct place_filter *f)
{
    struct explain_model *model = &x->model;
    bool far;
    if (s->pack.slots) {
        struct explain_part *p = &x->x.part[s->pack_of_values ? EXPLAIN_VALUES : EXPLAIN_FRAGMENT];
        p->pack_slots = s->pack.slots;
        explain_pack_words(&s->pack, p->pack_order, p->pack_wanted);
    }
    share_out(x, &s->fragment, s->pack.slots && !s->pack_of_values);
    if (!source_rule_is_identity(&s->fragment) && s->pack.slots && source_rule_stays_in_block(&s->fragment, BLOCK))
        say_ambiguous(x, EXPLAIN_FRAGMENT, EXPLAIN_VALUES);
    if (!f->value_flat && !source_rule_is_identity(&s->values) && source_rule_stays_in_block(&s->values, BLOCK))
        say_ambiguous(x, EXPLAIN_VALUES,
                      rule_coordinate_is_alone(&s->values.at[1]) &&
                              source_rule_moves_chunks(&s->values, TOKEN_GROUP, BLOCK, &far)
                          ? EXPLAIN_DESCRIPTOR
                          : EXPLAIN_FRAGMENT);
    source_rule_free(&model->fragment);
    source_rule_free(&model->values);
    source_rule_free(&model->scales);
    model->fragment = s->fragment;
    model->values = s->values;
    model->scales = s->scales;
    model->values_flat = f->value_flat;
    model->scales_flat = f->scale_flat;
    if (f->value_flat)
        memcpy(model->values.name[0], "m", 2);
    if (f->scale_flat)
        memcpy(model->scales.name[0], "m", 2);
}

/* ---- descriptor ---------------------------------------------------------------------------------------------------
 */

/* Columns as a map of (k, t % 8) alone, whatever n does. */
static enum status descriptor_alone(struct explain_session *x, bool *fits, struct error *e)
{
    const struct source_map *m = x->m;
    struct rule_samples s;
    unsigned cost;
    bool good = true;
    enum status status = rule_samples_make((uint32_t)m->K, TOKEN_GROUP, &s, e);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < source_map_observations(m) && good; i++) {
        size_t n = i % m->N, p = i / m->N % m->P;
        struct explain_place o;
        if (m->value[i] >= SOURCE_CODES || x->row[p].expert < 0 || !explain_place(x, i / m->N / m->P, p, n, &o) ||
            o.p1 == NO_ROW)
            continue;
        struct source_point v = source_value_point(m, m->value[i]);
        good = rule_samples_add(&s, (uint32_t[2]){o.k, o.t1}, (uint32_t[2]){v.k, o.t1});
    }
    if (good) {
        struct source_rule rule;
        status = source_rule_fit(&s, "k", "t", &rule, &cost, e);
        if (status == STATUS_OK) {
            source_rule_free(&x->model.descriptor);
            x->model.descriptor = rule;
        }
    }
    rule_samples_free(&s);
    *fits = status == STATUS_OK && good;
    return status;
}

enum { MASKS = 16 }; /* chunks of eight columns in one row of a 128-column tile */

/* With something else behind it: in each residue of t the same rule, behind an exclusive-or of its own. */
struct masked {
    struct rule_samples s[TOKEN_GROUP];
    bool seen[TOKEN_GROUP];
    int first; /* residue that was seen */
    uint32_t mask[TOKEN_GROUP];
    unsigned least; /* cost of the masks */
};

static bool mask_serves(const struct rule_samples *s, const struct source_rule *rule, uint32_t mask)
{
    for (uint32_t n = 0; n < s->extent[0]; n++)
        for (uint32_t k = 0; k < s->extent[1]; k++) {
            size_t at = (size_t)n * s->extent[1] + k;
            uint32_t out[2];
            if (s->y[0][at] != RULE_UNSEEN &&
                ((k ^ mask) >= s->extent[1] || !source_rule_apply(rule, (uint32_t[2]){n, k ^ mask}, NULL, out) ||
                 out[0] != s->y[0][at] || out[1] != s->y[1][at]))
                return false;
        }
    return true;
}

/* The masks behind which a rule serves every residue; the simplest rule wins, then the fewest bits. */
static void masks_try(struct masked *m, const struct source_rule *rule, unsigned rule_cost)
{
    uint32_t mask[TOKEN_GROUP] = {0};
    unsigned cost = rule_cost * TOKEN_GROUP * MASKS;
    for (int r = 0; r < TOKEN_GROUP; r++) {
        uint32_t c = 0;
        while (m->seen[r] && c < MASKS && !mask_serves(&m->s[r], rule, c * TOKEN_GROUP))
            c++;
        if (c == MASKS)
            return;
        mask[r] = c * TOKEN_GROUP;
        cost += (unsigned)__builtin_popcount(c);
    }
    if (cost < m->least) {
        m->least = cost;
        memcpy(m->mask, mask, sizeof mask);
    }
}

/* The samples of one residue, their columns moved by a mask. errors: STATUS_NO_MEMORY. */
static enum status masked_samples(const struct rule_samples *s, uint32_t mask, struct rule_samples *out,
                                  struct error *e)
{
    enum status status = rule_samples_make(s->extent[0], s->extent[1], out, e);
    for (uint32_t n = 0; n < s->extent[0] && status == STATUS_OK; n++)
        for (uint32_t k = 0; k < s->extent[1]; k++) {
            size_t at = (size_t)n * s->extent[1] + k;
            if (s->y[0][at] != RULE_UNSEEN && (k ^ mask) < s->extent[1])
                rule_samples_add(out, (uint32_t[2]){n, k ^ mask}, (uint32_t[2]){s->y[0][at], s->y[1][at]});
        }
    return status;
}

static enum status masks_behind(const struct explain_session *x, struct masked *m, uint32_t mask, struct error *e)
{
    struct rule_samples s;
    struct source_rule rule = {0};
    struct explain_pack pack;
    unsigned cost;
    enum status status = masked_samples(&m->s[m->first], mask, &s, e);
    if (status != STATUS_OK)
        return status;
    status = fit_nk(x, &s, true, &rule, &pack, &cost, e);
    rule_samples_free(&s);
    if (status != STATUS_OK)
        return status;
    if (pack.slots)
        cost = 0;
    else if (cost > 0)
        cost += EXPLAIN_SLOTS;
    for (unsigned i = 0; i < pack.slots; i++) /* an order before other formulas, and the one that is less wrong */
        cost += pack.order[i] != i;
    if (rule.at[0].family != RULE_TABLE && rule.at[1].family != RULE_TABLE)
        masks_try(m, &rule, cost);
    source_rule_free(&rule);
    return STATUS_OK;
}

static enum status descriptor_give_masks(struct explain_session *x, const uint32_t mask[TOKEN_GROUP], struct error *e)
{
    struct rule_samples s;
    struct source_rule rule;
    unsigned cost;
    uint32_t K = (uint32_t)x->m->K;
    enum status status = rule_samples_make(K, TOKEN_GROUP, &s, e);
    if (status != STATUS_OK)
        return status;
    for (uint32_t k = 0; k < K; k++)
        for (uint32_t t = 0; t < TOKEN_GROUP; t++)
            if ((k ^ mask[t]) < K)
                rule_samples_add(&s, (uint32_t[2]){k, t}, (uint32_t[2]){k ^ mask[t], t});
    status = source_rule_fit(&s, "k", "t", &rule, &cost, e);
    rule_samples_free(&s);
    if (status == STATUS_OK) {
        source_rule_free(&x->model.descriptor);
        x->model.descriptor = rule;
    }
    return status;
}

static enum status descriptor_before_others(struct explain_session *x, bool *fits, struct error *e)
{
    struct masked m = {.first = -1, .least = UINT32_MAX};
    enum status status = STATUS_OK;
    bool one = true;
    for (int r = 0; r < TOKEN_GROUP && status == STATUS_OK && one; r++) {
        struct places f = {0};
        status = places_collect(x, &(struct place_filter){.residue = r}, &f, e);
        if (status != STATUS_OK)
            break;
        m.s[r] = f.value;
        rule_samples_free(&f.scale);
        m.seen[r] = f.values > 0;
        one = f.value_one;
        m.first = m.first < 0 && m.seen[r] ? r : m.first;
    }
    for (uint32_t c = 0; c < MASKS && m.first >= 0 && one && status == STATUS_OK; c++)
        status = masks_behind(x, &m, c * TOKEN_GROUP, e);
    if (status == STATUS_OK && m.least != UINT32_MAX)
        status = descriptor_give_masks(x, m.mask, e);
    for (int r = 0; r < TOKEN_GROUP; r++)
        rule_samples_free(&m.s[r]);
    *fits = status == STATUS_OK && m.least != UINT32_MAX;
    return status;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------
 */

static void descriptor_forget(struct explain_session *x)
{
    source_rule_free(&x->model.descriptor);
    x->model.descriptor = source_rule_identity("k", "t", (const uint32_t[2]){(uint32_t)x->m->K, TOKEN_GROUP});
}

/* Answers that are no map leave their stage undecided; the other is still asked. */
static enum status settle(struct explain_session *x, struct places *c, const struct place_filter *f, struct error *e)
{
    struct solution s;
    if (!c->value_one)
        memset(c->value.y[0], 0xff, (size_t)c->value.extent[0] * c->value.extent[1] * sizeof *c->value.y[0]);
    if (!c->scale_one)
        memset(c->scale.y[0], 0xff, (size_t)c->scale.extent[0] * c->scale.extent[1] * sizeof *c->scale.y[0]);
    enum status status = solve(x, c, f->value_flat || f->scale_flat, &s, e);
    if (status == STATUS_OK && s.cost != UINT32_MAX)
        adopt(x, &s, f);
    return status;
}

/* Rows of one expert further on, where only the value or only the scale is: the address, not the routing. */
static enum status places_flat(struct explain_session *x, struct places *c, struct place_filter *f, struct error *e)
{
    enum { MOST = 1 << 26 };
    if ((c->value_one && c->scale_one) || x->m->experts * x->m->N * x->m->K > MOST)
        return STATUS_OK;
    struct place_filter flat = *f;
    struct places d;
    flat.value_flat = !c->value_one;
    flat.scale_flat = !c->scale_one;
    enum status status = places_collect(x, &flat, &d, e);
    if (status != STATUS_OK)
        return status;
    if (d.value_one && d.scale_one) {
        places_free(c);
        *c = d;
        *f = flat;
    } else {
        places_free(&d);
    }
    return STATUS_OK;
}

enum status explain_places(struct explain_session *x, struct error *e)
{
    struct place_filter f = {.residue = -1};
    struct places c;
    bool fits = false;
    enum status status = places_collect(x, &f, &c, e);
    if (status != STATUS_OK)
        return status;
    if (!c.value_one) {
        status = descriptor_before_others(x, &fits, e);
        if (status == STATUS_OK && !fits)
            status = descriptor_alone(x, &fits, e);
        if (status == STATUS_OK && fits) {
            places_free(&c);
            f.through_descriptor = true;
            status = places_collect(x, &f, &c, e);
        }
        if (status == STATUS_OK && !c.value_one) {
            f.through_descriptor = false;
            descriptor_forget(x);
        }
    }
    if (status == STATUS_OK)
        status = places_flat(x, &c, &f, e);
    if (status == STATUS_OK)
        status = settle(x, &c, &f, e);
    places_free(&c);
    return status;
}
