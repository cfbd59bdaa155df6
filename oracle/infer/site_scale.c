#include "oracle/infer/site_scale.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 8, RULES_SHOWN = 3 };

/* One row and one block of columns that were seen. */
struct group {
    uint32_t row, block;
    bool known; /* holds a value that is not zero */
    int power;  /* found = wanted * 2^power */
};
struct groups {
    const struct site_matrix *matrix;
    size_t count, blocks; /* blocks: of the matrix, in a row */
    struct group *group;  /* owned; by row, then block */
};

static int by_place(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->block > y->block) - (x->block < y->block);
}

/* The power of two between two numbers. false: there is none. */
static bool ratio(double found, double wanted, int *power)
{
    int f, w;
    if (!isfinite(found) || !isfinite(wanted) || frexp(found, &f) != frexp(wanted, &w))
        return false;
    *power = f - w;
    return true;
}

/* *known: one power a group is all there is. */
static enum status groups_make(const struct site_samples *s, struct groups *out, bool *known, struct error *e)
{
    const struct site_type *type = s->matrix->type;
    struct groups g = {s->matrix, 0, (s->matrix->columns + SITE_BLOCK - 1) / SITE_BLOCK, NULL};
    struct group *all = malloc((s->count ? s->count : 1) * sizeof *all);
    *known = true;
    if (!all)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu scales", s->count);
    for (size_t i = 0; i < s->count && *known; i++) {
        const struct site_sample *p = &s->sample[i];
        double found = site_type_decode(type, p->found), wanted = site_type_decode(type, p->want);
        struct group x = {p->row, p->column / SITE_BLOCK, wanted != 0, 0};
        *known = wanted != 0 ? found != 0 && ratio(found, wanted, &x.power) : found == 0;
        all[i] = x;
    }
    if (*known) {
        qsort(all, s->count, sizeof *all, by_place);
        for (size_t i = 0; i < s->count && *known; i++) {
            struct group *last = g.count ? &all[g.count - 1] : NULL;
            if (!last || by_place(last, &all[i]) != 0) {
                all[g.count++] = all[i];
            } else if (all[i].known) {
                *known = !last->known || last->power == all[i].power;
                *last = all[i];
            }
        }
    }
    if (!*known) {
        free(all);
        return STATUS_OK;
    }
    g.group = all;
    *out = g;
    return STATUS_OK;
}

/* Where a block takes its scale from: row + rows, and block + blocks or block % modulus. */
struct rule {
    int rows, blocks, modulus;
};

/* The block whose scale a rule takes, -1 beyond the matrix. */
static int64_t rule_scale(const struct groups *g, const struct rule *r, const struct group *x)
{
    int64_t row = (int64_t)x->row + r->rows;
    int64_t block = r->modulus ? x->block % (uint32_t)r->modulus : (int64_t)x->block + r->blocks;
    if (row < 0 || row >= (int64_t)g->matrix->rows || block < 0 || block >= (int64_t)g->blocks)
        return -1;
    return row * (int64_t)g->blocks + block;
}

static bool rule_holds(const struct groups *g, const struct rule *r)
{
    const uint8_t *scale = g->matrix->source->scale;
    for (size_t i = 0; i < g->count; i++) {
        const struct group *x = &g->group[i];
        int64_t from = rule_scale(g, r, x);
        if (!x->known)
            continue;
        if (from < 0 || scale[from] != scale[(size_t)x->row * g->blocks + x->block] + x->power)
            return false;
    }
    return true;
}

static void rule_text(const struct rule *r, char *text, size_t size)
{
    char rows[40] = "", blocks[40] = "block kb";
    if (r->rows)
        snprintf(rows, sizeof rows, " of row m%+d", r->rows);
    if (r->modulus)
        snprintf(blocks, sizeof blocks, "block kb %% %d", r->modulus);
    else if (r->blocks)
        snprintf(blocks, sizeof blocks, "block kb%+d", r->blocks);
    snprintf(text, size, "%s%s", blocks, rows);
}

/* Every rule that holds: shifts of blocks, blocks counted from a tile, shifts of rows. Returns how many. */
static size_t find_rules(const struct groups *g, struct rule *found)
{
    size_t count = 0;
    int most = g->blocks < 1024 ? (int)g->blocks : 1024;
    for (int d = 1; d < most; d++)
        for (int sign = -1; sign <= 1; sign += 2) {
            struct rule r = {0, sign * d, 0};
            if (rule_holds(g, &r) && count++ < RULES_SHOWN)
                found[count - 1] = r;
        }
    for (int m = 1; m < most; m++) {
        struct rule r = {0, 0, m};
        if (rule_holds(g, &r) && count++ < RULES_SHOWN)
            found[count - 1] = r;
    }
    most = g->matrix->rows < 128 ? (int)g->matrix->rows : 128;
    for (int d = 1; d < most; d++)
        for (int sign = -1; sign <= 1; sign += 2) {
            struct rule r = {sign * d, 0, 0};
            if (rule_holds(g, &r) && count++ < RULES_SHOWN)
                found[count - 1] = r;
        }
    return count;
}

/* One factor for all? */
static bool constant_power(const struct groups *g, int *power)
{
    bool any = false;
    for (size_t i = 0; i < g->count; i++) {
        if (!g->group[i].known)
            continue;
        if (any && g->group[i].power != *power)
            return false;
        any = true;
        *power = g->group[i].power;
    }
    return any;
}

static void list_groups(const struct groups *g, struct text *text, json_t *document)
{
    json_t *list = json_array();
    size_t wrong = 0;
    for (size_t i = 0; i < g->count; i++) {
        const struct group *x = &g->group[i];
        if (!x->known || !x->power || ++wrong > SHOWN)
            continue;
        text_add(text, "    row %u, block %u: times 2^%d\n", x->row, x->block, x->power);
        json_array_append_new(
            list, json_pack("{s:i, s:i, s:i}", "row", (int)x->row, "block", (int)x->block, "power", x->power));
    }
    if (wrong > SHOWN)
        text_add(text, "    and %zu more\n", wrong - SHOWN);
    json_object_set_new(document, "scales_wrong", list);
}

static void name_rules(const struct rule *rule, size_t rules, struct site_fault *out, struct text *text)
{
    char first[96], other[96];
    rule_text(&rule[0], first, sizeof first);
    if (rules == 1) {
        snprintf(out->cause, sizeof out->cause, "the scales: block kb uses the scale of %s", first);
        return;
    }
    snprintf(out->cause, sizeof out->cause, "the scales: of another block; %zu rules explain them all, the first: %s",
             rules, first);
    for (size_t i = 1; i < rules && i < RULES_SHOWN; i++) {
        rule_text(&rule[i], other, sizeof other);
        text_add(text, "    or: block kb uses the scale of %s\n", other);
    }
}

enum status site_scale_explain(const struct site_samples *s, struct site_fault *out, bool *known, struct text *text,
                               json_t *document, struct error *e)
{
    struct groups g = {0};
    struct rule rule[RULES_SHOWN];
    int power = 0;
    enum status st = groups_make(s, &g, known, e);
    if (st != STATUS_OK || !*known)
        return st;
    if (constant_power(&g, &power) && power == 0) { /* only zeros differ, by their signs */
        *known = false;
        free(g.group);
        return STATUS_OK;
    }
    out->stage = "scale";
    list_groups(&g, text, document);
    size_t rules = s->matrix->source->scale ? find_rules(&g, rule) : 0;
    if (constant_power(&g, &power) && rules != 1)
        snprintf(out->cause, sizeof out->cause, "the scales: every value is 2^%d times what it should be", power);
    else if (rules)
        name_rules(rule, rules, out, text);
    else
        snprintf(out->cause, sizeof out->cause,
                 "the scales: every block of 32 is off by a power of two of its own, and no shift explains which");
    free(g.group);
    return STATUS_OK;
}
