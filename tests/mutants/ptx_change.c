#include "tests/mutants/ptx_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/io/file.h"
#include "oracle/mutate/operators.h"
#include "tests/support/splitmix.h"

/* The lines of a function of that name; 0 and UINT32_MAX where there is none. */
static void find_lines(const struct view *v, const char *entry, uint32_t *first, uint32_t *last)
{
    const struct ptx_module *m = &v->module;
    *first = 0;
    *last = UINT32_MAX;
    for (uint32_t f = 0; f < m->functions; f++) {
        const struct ptx_function *is = &m->function[f];
        if (is->name_length != strlen(entry) || memcmp(m->lexer.text + is->name_at, entry, is->name_length) != 0 ||
            is->statements == 0)
            continue;
        *first = m->statement[is->statement].line;
        *last = m->statement[is->statement + is->statements - 1].line;
    }
}

static enum status take_asked(const char *entry, struct ptx_changes *c, struct error *e)
{
    uint32_t first, last, asked = 0;
    find_lines(&c->view, entry, &first, &last);
    c->asked = calloc((size_t)c->mutants.count + 1, sizeof *c->asked);
    if (!c->asked)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the mutants");
    for (uint32_t i = 0; i < c->mutants.count; i++) {
        const struct mutant *m = &c->mutants.mutant[i];
        c->asked[i] = m->line >= first && m->line <= last;
        c->of[m->which] += c->asked[i];
        asked += c->asked[i];
    }
    return asked > 0 ? STATUS_OK : error_set(e, STATUS_UNSUPPORTED, "nothing to change in this kernel");
}

enum status ptx_changes_make(const char *path, const char *entry, struct ptx_changes *out, struct error *e)
{
    struct ptx_changes c = {0};
    uint8_t *text = NULL;
    enum status s = file_read(path, 0, &text, &c.size, e);
    if (s != STATUS_OK)
        return s;
    s = operators_list(path, (const char *)text, c.size, &c.mutants, e);
    if (s == STATUS_OK && (s = view_make(path, (const char *)text, c.size, &c.view, e)) != STATUS_OK)
        mutants_free(&c.mutants);
    if (s != STATUS_OK) {
        free(text);
        return s;
    }
    c.text = (char *)text;
    s = take_asked(entry, &c, e);
    if (s != STATUS_OK) {
        ptx_changes_free(&c);
        return s;
    }
    *out = c;
    return STATUS_OK;
}

void ptx_changes_free(struct ptx_changes *c)
{
    if (!c->text)
        return;
    view_free(&c->view);
    mutants_free(&c->mutants);
    free(c->text);
    free(c->asked);
    *c = (struct ptx_changes){0};
}

/* The accumulator that a mutant is about; UINT32_MAX where its statement is no wgmma. */
static uint32_t accumulator(const struct ptx_changes *c, const struct mutant *m)
{
    for (uint32_t s = 0; s < c->view.sites.site_count; s++)
        if (c->view.sites.site[s].line == m->line && c->view.sites.site[s].column == m->column)
            return c->view.sites.site[s].accumulator;
    return UINT32_MAX;
}

/* An edit of one of several mutants: each has a register of its own. */
struct edit {
    uint32_t at, length, mutant;
    const char *text;
};

struct edits {
    struct edit *edit;
    size_t count;
};

static void take_edits(const struct ptx_changes *c, const struct mutant *m, uint32_t number, struct edits *to)
{
    for (uint32_t i = 0; i < m->edits; i++) {
        const struct mutant_edit *from = &c->mutants.edit[m->edit + i];
        to->edit[to->count++] = (struct edit){from->at, from->length, number, c->mutants.pool.data + from->text};
    }
}

static int by_place(const void *a, const void *b)
{
    const struct edit *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->mutant < y->mutant ? -1 : x->mutant > y->mutant;
}

static bool overlap(const struct edits *e)
{
    for (size_t i = 1; i < e->count; i++)
        if (e->edit[i - 1].at + e->edit[i - 1].length > e->edit[i].at)
            return true;
    return false;
}

/* The text of an edit, its register renamed. */
static void add_renamed(struct text *out, const struct edit *e)
{
    const char *at = e->text;
    for (const char *next; (next = strstr(at, OPERATORS_NAME)); at = next + strlen(OPERATORS_NAME))
        text_add(out, "%.*s%s%u", (int)(next - at), at, OPERATORS_NAME, (unsigned)e->mutant);
    text_add(out, "%s", at);
}

static void apply(const struct ptx_changes *c, const struct edits *e, struct text *out)
{
    size_t at = 0;
    for (size_t i = 0; i < e->count; i++) {
        text_add(out, "%.*s", (int)(e->edit[i].at - at), c->text + at);
        add_renamed(out, &e->edit[i]);
        at = e->edit[i].at + (size_t)e->edit[i].length;
    }
    text_add(out, "%.*s", (int)(c->size - at), c->text + at);
}

/* The mutants that do the same at the other sites of the accumulator; of statements that are no wgmma: everywhere. */
static uint32_t take_alike(const struct ptx_changes *c, const struct mutant *like, struct edits *to)
{
    uint32_t places = 0, of = accumulator(c, like);
    const char *change = mutants_change(&c->mutants, like);
    for (uint32_t i = 0; i < c->mutants.count; i++) {
        const struct mutant *m = &c->mutants.mutant[i];
        if (c->asked[i] && m->which == like->which && strcmp(mutants_change(&c->mutants, m), change) == 0 &&
            accumulator(c, m) == of)
            take_edits(c, m, places++, to);
    }
    return places;
}

/* Operators that have any, one as likely as the other; then one of its mutants. */
static const struct mutant *choose(const struct ptx_changes *c, struct splitmix *r)
{
    uint32_t have[MUTANTS_OPERATORS], operators = 0;
    for (uint32_t o = 0; o < MUTANTS_OPERATORS; o++)
        if (c->of[o] > 0)
            have[operators++] = o;
    uint32_t which = have[splitmix_below(r, operators)];
    uint64_t left = splitmix_below(r, c->of[which]);
    for (uint32_t i = 0; i < c->mutants.count; i++)
        if (c->asked[i] && c->mutants.mutant[i].which == which && left-- == 0)
            return &c->mutants.mutant[i];
    return NULL;
}

enum status ptx_change_pick(const struct ptx_changes *c, uint64_t seed, struct ptx_change *what, struct text *out,
                            struct error *e)
{
    struct splitmix r = {seed * 0x9e3779b97f4a7c15u};
    char id[MUTANTS_ID_SIZE];
    struct text made = {0};
    struct edits edits = {calloc((size_t)c->mutants.edits + 1, sizeof *edits.edit), 0};
    if (!edits.edit)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a mutant");
    const struct mutant *m = choose(c, &r);
    uint32_t places = splitmix_below(&r, 2) ? take_alike(c, m, &edits) : 0;
    qsort(edits.edit, edits.count, sizeof *edits.edit, by_place);
    if (places < 2 || overlap(&edits)) {
        edits.count = 0;
        take_edits(c, m, 0, &edits);
        qsort(edits.edit, edits.count, sizeof *edits.edit, by_place);
        places = 1;
    }
    apply(c, &edits, &made);
    free(edits.edit);
    if (made.failed) {
        text_free(&made);
        return error_set(e, STATUS_NO_MEMORY, "no memory for a mutant");
    }
    mutants_id(m, id);
    *what = (struct ptx_change){.which = m->which, .places = places};
    snprintf(what->what, sizeof what->what, "%s line %u, %u place%s: %.120s", id, m->line, places,
             places > 1 ? "s" : "", mutants_change(&c->mutants, m));
    *out = made;
    return STATUS_OK;
}
