/* Rows and experts: which row of x, and the weights of which expert, stand behind each row of the outputs. */
#include <stdlib.h>
#include <string.h>

#include "probes/explain_parts.h"

/* Rows as they were found, over all sweeps. */
struct rows_found {
    uint32_t *row; /* [P][N]: RULE_UNSEEN, or the one row that was found */
    bool one;      /* no output had different rows in different sweeps */
    bool right, of_p_alone;
};

static enum status rows_collect(const struct explain_session *x, struct rows_found *out, struct error *e)
{
    const struct source_map *m = x->m;
    struct rows_found f = {.one = true, .right = true, .of_p_alone = true};
    f.row = malloc(m->P * m->N * sizeof *f.row);
    if (!f.row)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the rows of %zu x %zu outputs", m->P, m->N);
    memset(f.row, 0xff, m->P * m->N * sizeof *f.row);
    for (size_t i = 0; i < source_map_observations(m); i++) {
        size_t place = i % (m->P * m->N), p = place / m->N;
        if (m->row[i] >= m->P || x->row[p].expert < 0)
            continue;
        f.one &= f.row[place] == RULE_UNSEEN || f.row[place] == m->row[i];
        f.row[place] = m->row[i];
        f.right &= m->row[i] == p;
    }
    for (size_t p = 0; p < m->P; p++) {
        uint32_t seen = RULE_UNSEEN;
        for (size_t n = 0; n < m->N; n++) {
            uint32_t row = f.row[p * m->N + n];
            f.of_p_alone &= row == RULE_UNSEEN || seen == RULE_UNSEEN || row == seen;
            seen = row == RULE_UNSEEN ? seen : row;
        }
    }
    *out = f;
    return STATUS_OK;
}

/* Where a row stands in a space: 0 tile, 1 segment, 2 launch. */
enum { TILE, SEGMENT, LAUNCH };
static uint32_t space_first(const struct explain_row *r, int space)
{
    return space == TILE ? r->tile : space == SEGMENT ? r->first : 0;
}

/* Samples of rows in a space; false: some row comes from beyond, or two places disagree. With `features`, of (n, row)
 * and features as the values say them, else of the row alone. */
static enum status rows_samples(const struct explain_session *x, const struct rows_found *f, int space, bool features,
                                struct rule_samples *out, bool *fits, struct error *e)
{
    const struct source_map *m = x->m;
    uint32_t extent = space == TILE ? x->tokens : (uint32_t)m->P;
    struct rule_samples s;
    enum status status = rule_samples_make(features ? (uint32_t)m->N : 1, extent, &s, e);
    if (status != STATUS_OK)
        return status;
    bool good = true;
    for (size_t i = 0; i < source_map_observations(m) && good; i++) {
        uint32_t place = (uint32_t)(i % (m->P * m->N)), p = place / (uint32_t)m->N, n = place % (uint32_t)m->N;
        uint32_t row = f->row[place];
        if (row == RULE_UNSEEN || (!features && i >= m->P * m->N))
            continue;
        uint32_t first = space_first(&x->row[p], space), in[2] = {features ? n : 0, p - first};
        uint32_t found[2] = {0, row - first};
        good = x->row[row].expert >= 0 && space_first(&x->row[row], space) == first;
        if (good && features && m->value[i] < SOURCE_CODES)
            found[0] = source_value_point(m, m->value[i]).n;
        if (good && (!features || m->value[i] < SOURCE_CODES))
            good = rule_samples_add(&s, in, found);
    }
    *fits = good;
    *out = s;
    return STATUS_OK;
}

/* The rotation (r + add) % rows that serves every segment, or 0. */
static int64_t rows_rotation(const struct explain_session *x, const struct rows_found *f)
{
    const struct source_map *m = x->m;
    int64_t add = 0;
    uint32_t longest = 0;
    for (size_t i = 0; i < m->P * m->N; i++) {
        const struct explain_row *r = &x->row[i / m->N];
        if (f->row[i] == RULE_UNSEEN || r->rows <= longest)
            continue;
        longest = r->rows;
        add = (int64_t)f->row[i] - (int64_t)(i / m->N);
    }
    if (add > longest / 2)
        add -= longest;
    if (-add > longest / 2)
        add += longest;
    for (size_t i = 0; i < m->P * m->N; i++) {
        const struct explain_row *r = &x->row[i / m->N];
        int64_t in = (int64_t)(i / m->N) - r->first, rows = r->rows;
        if (f->row[i] != RULE_UNSEEN && ((in + add) % rows + rows) % rows + r->first != f->row[i])
            return 0;
    }
    return add;
}

static size_t tiles_of(const struct explain_session *x)
{
    size_t tiles = 0;
    for (size_t p = 0; p < x->m->P; p++)
        tiles += x->row[p].expert >= 0 && x->row[p].tile == p;
    return tiles;
}

static void give_rule(struct source_rule *to, struct source_rule *rule, const char *first, const char *second, size_t N)
{
    source_rule_free(to);
    *to = source_rule_identity(first, second, (const uint32_t[2]){(uint32_t)N, rule->extent[1]});
    to->at[0] = rule->at[0];
    to->at[1] = rule->at[1];
    *rule = (struct source_rule){0};
}

/* A table of the token is a matter of the tile when tiles share it; a shift is a matter of the segment. */
static bool belongs_to_tile(const struct explain_session *x, const struct source_rule *r)
{
    enum rule_family f = r->at[1].family;
    if (f == RULE_ADD || f == RULE_MODULO)
        return false;
    return f != RULE_TABLE || tiles_of(x) > 1;
}

/* Rows that depend on p alone: the tile if it can be, then a rotation, a formula of the segment, of the launch. */
static enum status rows_of_p(struct explain_session *x, const struct rows_found *f, struct error *e)
{
    static const char *const name[] = {"t", "r", "p"};
    int64_t add = rows_rotation(x, f);
    for (int space = TILE; space <= LAUNCH; space++) {
        struct rule_samples s;
        struct source_rule rule = {0};
        bool fits;
        unsigned cost;
        enum status status = rows_samples(x, f, space, false, &s, &fits, e);
        if (status != STATUS_OK)
            return status;
        if (fits)
            status = source_rule_fit(&s, "n", name[space], &rule, &cost, e);
        rule_samples_free(&s);
        if (status != STATUS_OK)
            return status;
        bool take = fits && (space != TILE || belongs_to_tile(x, &rule));
        if (take && space == TILE) {
            give_rule(&x->model.epilogue, &rule, "n", "t", x->m->N);
            x->x.part[EXPLAIN_EPILOGUE].ambiguous = EXPLAIN_DESCRIPTOR; /* x stands in the rows of others */
            return STATUS_OK;
        }
        if (space == SEGMENT && add != 0 && !(take && rule.at[1].family == RULE_ADD)) {
            source_rule_free(&rule);
            rule = source_rule_identity("n", "r", (const uint32_t[2]){1, (uint32_t)x->m->P});
            rule.at[1] = (struct rule_coordinate){.family = RULE_ROTATE, .add = add};
            take = true;
        }
        if (take && space == SEGMENT && rule.at[1].family == RULE_TABLE && tiles_of(x) > 1)
            take = false; /* a table of all rows says no more than one of the launch */
        if (take) {
            x->model.row_space = space == SEGMENT ? ROWS_OF_SEGMENT : ROWS_OF_LAUNCH;
            give_rule(&x->model.routing, &rule, "n", name[space], x->m->N);
            if (space == LAUNCH) /* an address in x, or in the outputs */
                x->x.part[EXPLAIN_ROUTING].ambiguous = EXPLAIN_EPILOGUE;
            return STATUS_OK;
        }
        source_rule_free(&rule);
    }
    return STATUS_OK;
}

/* Rows that depend on n too came out of the accumulators that way, and so did the features, where they moved. */
static enum status rows_of_p_and_n(struct explain_session *x, const struct rows_found *f, struct error *e)
{
    struct rule_samples s;
    struct source_rule rule = {0};
    bool fits;
    unsigned cost;
    enum status status = rows_samples(x, f, TILE, true, &s, &fits, e);
    if (status != STATUS_OK)
        return status;
    if (fits)
        status = source_rule_fit(&s, "n", "t", &rule, &cost, e);
    rule_samples_free(&s);
    if (status != STATUS_OK || !fits)
        return status;
    give_rule(&x->model.epilogue, &rule, "n", "t", x->m->N);
    if (x->model.epilogue.at[0].family == RULE_IDENTITY) /* warps that each have features of their own load x, too */
        x->x.part[EXPLAIN_EPILOGUE].ambiguous = EXPLAIN_DESCRIPTOR;
    return status;
}

/* Is the feature another in other rows of a tile? Then it came out of the accumulators that way. */
static bool changes_with_token(const struct rule_samples *s)
{
    for (uint32_t n = 0; n < s->extent[0]; n++) {
        uint32_t seen = RULE_UNSEEN;
        for (uint32_t t = 0; t < s->extent[1]; t++) {
            uint32_t found = s->y[0][(size_t)n * s->extent[1] + t];
            if (found != RULE_UNSEEN && seen != RULE_UNSEEN && found != seen)
                return true;
            seen = found == RULE_UNSEEN ? seen : found;
        }
    }
    return false;
}

/* Rows are right; are features moved, and otherwise in each row? */
static enum status features_of_token(struct explain_session *x, const struct rows_found *f, struct error *e)
{
    struct rule_samples s;
    bool fits;
    enum status status = rows_samples(x, f, TILE, true, &s, &fits, e);
    if (status != STATUS_OK)
        return status;
    fits = fits && changes_with_token(&s);
    rule_samples_free(&s);
    return fits ? rows_of_p_and_n(x, f, e) : STATUS_OK;
}

enum status explain_rows(struct explain_session *x, struct error *e)
{
    struct rows_found f;
    enum status status = rows_collect(x, &f, e);
    if (status != STATUS_OK)
        return status;
    x->rows_change = !f.one;
    if (f.one && f.right && x->q->registers != EXPLAIN_A_WRONG)
        status = features_of_token(x, &f, e);
    else if (f.one && !f.right)
        status = f.of_p_alone ? rows_of_p(x, &f, e) : rows_of_p_and_n(x, &f, e);
    free(f.row);
    return status;
}

/* ---- experts ------------------------------------------------------------------------------------------------------
 */

/* Experts that value and scale agree about, one for each row; false: some row has several. */
static bool experts_collect(struct explain_session *x)
{
    const struct source_map *m = x->m;
    bool one = true;
    memset(x->experts_of, 0xff, m->P * sizeof *x->experts_of);
    for (size_t i = 0; i < source_map_observations(m); i++) {
        size_t p = i / m->N % m->P;
        if (m->value[i] >= SOURCE_CODES)
            continue;
        uint32_t expert = source_value_point(m, m->value[i]).expert;
        if (m->scale[i] < SOURCE_CODES && source_scale_point(m, m->scale[i]).expert != expert)
            continue;
        one &= x->experts_of[p] == RULE_UNSEEN || x->experts_of[p] == expert;
        x->experts_of[p] = expert;
    }
    return one;
}

/* Rows with an expert other than that of the row of x (or, of_output, of the row that is written). */
static size_t experts_wrong(const struct explain_session *x, bool of_output)
{
    const struct source_map *m = x->m;
    size_t wrong = 0;
    for (size_t i = 0; i < source_map_observations(m); i++) {
        size_t p = i / m->N % m->P, from = of_output || m->row[i] >= m->P ? p : m->row[i];
        wrong += m->value[i] < SOURCE_CODES && x->row[p].expert >= 0 && x->experts_of[p] != RULE_UNSEEN &&
                 x->row[from].expert != (int32_t)x->experts_of[p];
    }
    return wrong;
}

static enum status experts_fit(struct explain_session *x, struct error *e)
{
    const struct source_map *m = x->m;
    struct rule_samples s;
    struct source_rule rule = {0};
    unsigned cost;
    bool one = true, is_segment = true;
    enum status status = rule_samples_make((uint32_t)m->experts, (uint32_t)m->segments.active + 1, &s, e);
    if (status != STATUS_OK)
        return status;
    for (size_t p = 0; p < m->P; p++) {
        if (x->row[p].expert < 0 || x->experts_of[p] == RULE_UNSEEN)
            continue;
        uint32_t in[2] = {(uint32_t)x->row[p].expert, x->row[p].segment};
        one &= rule_samples_add(&s, in, (const uint32_t[2]){x->experts_of[p], in[1]});
        is_segment &= x->experts_of[p] == in[1];
    }
    if (one)
        status = source_rule_fit(&s, "e", "a", &rule, &cost, e);
    rule_samples_free(&s);
    if (status != STATUS_OK || !one)
        return status;
    if (is_segment && rule.at[0].family > RULE_XOR) { /* e ^ e ^ a */
        free(rule.at[0].step);
        rule.at[0] = (struct rule_coordinate){.family = RULE_AFFINE};
        for (int i = 0; i < RULE_BITS; i++)
            rule.at[0].image[0][i] = rule.at[0].image[1][i] = 1u << i;
    }
    source_rule_free(&x->model.expert);
    x->model.expert = rule;
    return STATUS_OK;
}

enum status explain_experts(struct explain_session *x, struct error *e)
{
    const struct source_map *m = x->m;
    bool one = experts_collect(x);
    for (size_t p = 0; p < m->P; p++) {
        if (x->row[p].expert >= 0 || x->experts_of[p] == RULE_UNSEEN)
            continue;
        if (x->model.extra_expert >= 0 && x->model.extra_expert != (int32_t)x->experts_of[p])
            one = false;
        x->model.extra_expert = (int32_t)x->experts_of[p];
    }
    if (!one || experts_wrong(x, false) == 0)
        return STATUS_OK;
    x->model.expert_of_output = true;
    return experts_wrong(x, true) == 0 ? STATUS_OK : experts_fit(x, e);
}
