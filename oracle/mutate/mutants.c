#include "oracle/mutate/mutants.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/ptx/module.h"
#include "probes/weights.h"

const struct mutants_operator mutants_operators[MUTANTS_OPERATORS] = {
#define OPERATOR(name, function, does) {name, does},
#include "oracle/mutate/operators.def"
#undef OPERATOR
};

enum { STRING_SIZE = 512 };

/* Into the pool, with its NUL; SIZE_MAX without memory. */
static size_t keep(struct mutants *l, const char *format, va_list ap)
{
    char string[STRING_SIZE];
    size_t at = l->pool.used;
    int length = vsnprintf(string, sizeof string, format, ap);
    assert(length >= 0 && length < STRING_SIZE);
    text_add(&l->pool, "%s%c", string, 0);
    if (l->pool.failed)
        l->status = STATUS_NO_MEMORY;
    return at;
}

void mutants_add(struct mutants *l, uint32_t which, uint32_t line, uint32_t column, const char *change, ...)
{
    if (l->status == STATUS_OK)
        l->status = module_reserve((void **)&l->mutant, l->count, &l->room, sizeof *l->mutant, NULL);
    if (l->status != STATUS_OK)
        return;
    va_list ap;
    va_start(ap, change);
    l->mutant[l->count++] = (struct mutant){.which = which,
                                            .index = l->of[which]++,
                                            .line = line,
                                            .column = column,
                                            .change = keep(l, change, ap),
                                            .edit = l->edits};
    va_end(ap);
}

void mutants_edit(struct mutants *l, uint32_t at, uint32_t length, const char *with, ...)
{
    if (l->status == STATUS_OK)
        l->status = module_reserve((void **)&l->edit, l->edits, &l->edit_room, sizeof *l->edit, NULL);
    if (l->status != STATUS_OK)
        return;
    struct mutant *m = &l->mutant[l->count - 1];
    assert(m->edits < MUTANTS_EDITS);
    va_list ap;
    va_start(ap, with);
    l->edit[l->edits++] = (struct mutant_edit){at, length, keep(l, with, ap)};
    va_end(ap);
    m->edits++;
}

void mutants_free(struct mutants *l)
{
    free(l->mutant);
    free(l->edit);
    text_free(&l->pool);
    *l = (struct mutants){0};
}

const char *mutants_change(const struct mutants *l, const struct mutant *m)
{
    return l->pool.data + m->change;
}

void mutants_id(const struct mutant *m, char id[MUTANTS_ID_SIZE])
{
    snprintf(id, MUTANTS_ID_SIZE, "%s:%u", mutants_operators[m->which].name, m->index);
}

struct mutant *mutants_find(const struct mutants *l, const char *id)
{
    for (uint32_t i = 0; i < l->count; i++) {
        char name[MUTANTS_ID_SIZE], number[16];
        mutants_id(&l->mutant[i], name);
        snprintf(number, sizeof number, "%u", i);
        if (strcmp(id, name) == 0 || strcmp(id, number) == 0)
            return &l->mutant[i];
    }
    return NULL;
}

enum status mutants_choose(struct mutants *l, uint64_t count, uint64_t seed, struct error *e)
{
    bool all = count == 0 || count >= l->count;
    uint32_t left[MUTANTS_OPERATORS], first[MUTANTS_OPERATORS], at = 0;
    struct random random = {seed};
    for (uint32_t i = 0; i < l->count; i++)
        l->mutant[i].chosen = all;
    if (all)
        return STATUS_OK;
    uint32_t *order = malloc(l->count * sizeof *order);
    if (!order)
        return error_set(e, STATUS_NO_MEMORY, "no memory to choose of %u mutants", l->count);
    for (uint32_t i = 0; i < l->count; i++)
        order[i] = i;
    for (uint32_t o = 0; o < MUTANTS_OPERATORS; at += l->of[o++]) {
        left[o] = l->of[o];
        first[o] = at;
    }
    /* Operators take turns, so that one with many mutants does not crowd out the others. */
    for (uint32_t o = 0; count > 0; o = (o + 1) % MUTANTS_OPERATORS) {
        if (left[o] == 0)
            continue;
        uint32_t *taken = &order[first[o] + random_below(&random, left[o])];
        l->mutant[*taken].chosen = true;
        *taken = order[first[o] + --left[o]];
        count--;
    }
    free(order);
    return STATUS_OK;
}

enum status mutants_apply(const struct mutants *l, const struct mutant *m, const char *text, size_t size,
                          struct text *out, struct error *e)
{
    struct mutant_edit edit[MUTANTS_EDITS];
    struct text made = {0};
    size_t at = 0;
    for (uint32_t i = 0; i < m->edits; i++) {
        uint32_t to = i;
        for (; to > 0 && edit[to - 1].at > l->edit[m->edit + i].at; to--)
            edit[to] = edit[to - 1];
        edit[to] = l->edit[m->edit + i];
    }
    for (uint32_t i = 0; i < m->edits; i++) {
        assert(edit[i].at >= at && edit[i].at + (size_t)edit[i].length <= size);
        text_add(&made, "%.*s%s", (int)(edit[i].at - at), text + at, l->pool.data + edit[i].text);
        at = edit[i].at + (size_t)edit[i].length;
    }
    text_add(&made, "%.*s", (int)(size - at), text + at);
    if (made.failed) {
        text_free(&made);
        return error_set(e, STATUS_NO_MEMORY, "no memory for a mutant");
    }
    *out = made;
    return STATUS_OK;
}
