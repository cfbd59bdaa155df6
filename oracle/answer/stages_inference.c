/* Layouts planted in source maps that no kernel made: does the explanation (probes/explain.h) give them back? The maps
 * are written from formulas of this file alone. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oracle/answer/stages.h"
#include "probes/explain.h"
#include "probes/weights.h"

enum { ROWS = 40, FEATURES = 64, COLUMNS = 128, BLOCK = 32, BLOCKS = COLUMNS / BLOCK, SLOTS = 8, FEW = 40, MANY = 400 };
/* The order that the contract wants: slot 2r + h of a thread holds v of row 8 (r & 1), column h + 8 (r >> 1). */
static const uint8_t contract[SLOTS] = {0, 1, 4, 5, 2, 3, 6, 7};

struct layout_planted {
    uint8_t order[SLOTS];       /* what slot s holds */
    uint32_t feature[FEATURES]; /* permutation; FEATURES and above: nothing is there */
    uint32_t shift;             /* of scale blocks */
};

struct place {
    uint32_t n, k, scale_n, block;
};

static struct place place_of(const struct layout_planted *l, uint32_t n, uint32_t k)
{
    uint32_t f = l->feature[n], slot = 2 * ((f >> 3 & 1) + 2 * (k >> 3 & 1)) + (k & 1), v = l->order[slot];
    uint32_t row = (f & ~8u) | (v >> 2) * 8, column = (k & ~9u) | (v >> 1 & 1) * 8 | (v & 1);
    return (struct place){row, column, row, (column / BLOCK + l->shift) % BLOCKS};
}

static void map_fill(const struct layout_planted *l, struct source_map *m)
{
    for (size_t s = 0; s < m->sweeps; s++)
        for (size_t p = 0; p < m->P; p++)
            for (size_t n = 0; n < m->N; n++) {
                struct place at = place_of(l, (uint32_t)n, m->column[s * m->P + p]);
                size_t i = source_map_at(m, s, p, n);
                bool nothing = at.n >= FEATURES;
                m->value[i] = nothing ? SOURCE_ZERO : source_value_code(m, (struct source_point){0, at.n, at.k});
                m->scale[i] =
                    nothing ? SOURCE_ZERO : source_scale_code(m, (struct source_point){0, at.scale_n, at.block});
                m->row[i] = nothing ? SOURCE_ZERO : (uint32_t)p;
            }
}

/* ---- what is planted, and whether it came back ------------------------------------------------------------------ */

static void shuffle(struct random *r, uint8_t *order)
{
    for (uint32_t i = SLOTS; i > 1; i--) {
        uint32_t j = random_below(r, i);
        uint8_t kept = order[i - 1];
        order[i - 1] = order[j], order[j] = kept;
    }
}

static void plant_order(struct random *r, struct layout_planted *l)
{
    while (memcmp(l->order, contract, SLOTS) == 0)
        shuffle(r, l->order);
}

static bool order_back(const struct layout_planted *l, const struct explanation *x)
{
    const struct explain_part *part = &x->part[EXPLAIN_FRAGMENT];
    return part->state == EXPLAIN_DIFFERS && part->pack_slots == SLOTS &&
           memcmp(part->pack_order, l->order, SLOTS) == 0;
}

static void plant_features(struct random *r, struct layout_planted *l)
{
    for (uint32_t i = FEATURES; i > 1; i--) {
        uint32_t j = random_below(r, i), kept = l->feature[i - 1];
        l->feature[i - 1] = l->feature[j], l->feature[j] = kept;
    }
}

static void plant_constant(struct random *r, struct layout_planted *l)
{
    uint32_t c = 1 + random_below(r, FEATURES - 1);
    for (uint32_t n = 0; n < FEATURES; n++)
        l->feature[n] = n + c;
}

/* The rule of features stands where the epilogue or the load of A is: outputs cannot tell. */
static bool features_back(const struct layout_planted *l, const struct explanation *x)
{
    const struct explain_part *epilogue = &x->part[EXPLAIN_EPILOGUE], *fragment = &x->part[EXPLAIN_FRAGMENT];
    const struct source_rule *rule = epilogue->state == EXPLAIN_DIFFERS ? &epilogue->rule : &fragment->rule;
    for (uint32_t n = 0; n < FEATURES; n++) {
        uint32_t in[2] = {n, 0}, out[2] = {FEATURES, 0};
        bool inside = source_rule_apply(rule, in, NULL, out) && out[0] < FEATURES;
        if (inside ? out[0] != l->feature[n] || out[1] != 0 : l->feature[n] < FEATURES)
            return false;
    }
    return true;
}

static void plant_shift(struct random *r, struct layout_planted *l)
{
    l->shift = 1 + random_below(r, BLOCKS - 1);
}

static bool shift_back(const struct layout_planted *l, const struct explanation *x)
{
    const struct explain_part *part = &x->part[EXPLAIN_SCALES];
    for (uint32_t b = 0; b < BLOCKS; b++) {
        uint32_t in[2] = {5, b}, out[2];
        if (!source_rule_apply(&part->rule, in, NULL, out) || out[0] != 5 || out[1] != (b + l->shift) % BLOCKS)
            return false;
    }
    return part->state == EXPLAIN_DIFFERS;
}

static const struct {
    const char *name;
    void (*plant)(struct random *r, struct layout_planted *l);
    bool (*is_back)(const struct layout_planted *l, const struct explanation *x);
} kinds[] = {{"pack orders", plant_order, order_back},
             {"feature permutations", plant_features, features_back},
             {"added constants", plant_constant, features_back},
             {"scale block shifts", plant_shift, shift_back}};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* One layout, drawn; its map; what the explanation says. */
static enum status ask(int kind, struct random *r, struct source_map *m, bool *back, struct error *e)
{
    struct layout_planted l = {.shift = 0};
    struct explanation x;
    memcpy(l.order, contract, sizeof l.order);
    for (uint32_t n = 0; n < FEATURES; n++)
        l.feature[n] = n;
    kinds[kind].plant(r, &l);
    map_fill(&l, m);
    struct explain_question q = {.map = m, .guard_wrong = -1, .tile = {FEATURES, 64, COLUMNS}};
    enum status s = explain_run(&q, &x, e);
    if (s != STATUS_OK)
        return s;
    *back = x.wrong > 0 && x.explained == x.wrong && kinds[kind].is_back(&l, &x);
    explanation_free(&x);
    return STATUS_OK;
}

enum status stage_inference(const struct check *c, struct stage_result *r, struct error *e)
{
    static const uint32_t starts[] = {0, ROWS};
    static const int32_t ids[] = {0};
    const struct segments segments = {ROWS, 1, 1, starts, ids};
    size_t each = c->options->thorough ? MANY : FEW, planted = 0, recovered[KINDS] = {0}, all = 0;
    struct random draw = {c->seed};
    struct source_map m;
    enum status s = source_map_make(&segments, FEATURES, COLUMNS, &m, e);
    if (s != STATUS_OK)
        return s;
    for (int kind = 0; s == STATUS_OK && kind < KINDS; kind++)
        for (size_t i = 0; s == STATUS_OK && i < each; i++) {
            bool back = false;
            s = ask(kind, &draw, &m, &back, e);
            planted++;
            recovered[kind] += back;
            all += back;
        }
    source_map_free(&m);
    if (s != STATUS_OK)
        return s;
    r->verdict = all == planted ? FO_CONFORMS : FO_DIFFERS;
    snprintf(r->evidence, sizeof r->evidence, "sampled");
    snprintf(r->counted, sizeof r->counted, "%zu of %zu layouts planted in a map came back exactly, seed %" PRIu64, all,
             planted, c->seed);
    r->table = json_object();
    for (int kind = 0; kind < KINDS; kind++) {
        json_object_set_new(
            r->table, kinds[kind].name,
            json_pack("{s:I, s:I}", "planted", (json_int_t)each, "recovered", (json_int_t)recovered[kind]));
        if (recovered[kind] < each && r->detail[0] == '\0')
            snprintf(r->detail, sizeof r->detail, "%s: %zu of %zu", kinds[kind].name, recovered[kind], each);
    }
    return STATUS_OK;
}
