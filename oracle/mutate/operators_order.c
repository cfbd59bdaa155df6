/* Operators on what orders a wgmma: fences, groups, waits. Only functions that hold a wgmma are looked at. */
#include <string.h>

#include "oracle/mutate/operators.h"

static bool holds_site(const struct view *v, uint32_t function)
{
    for (uint32_t s = 0; s < v->sites.site_count; s++)
        if (v->function[s] == function)
            return true;
    return false;
}

typedef bool matches(const struct view *v, uint32_t statement, enum ptx_kind kind);

static bool is_kind(const struct view *v, uint32_t statement, enum ptx_kind kind)
{
    return v->module.statement[statement].kind == kind;
}

static bool is_proxy(const struct view *v, uint32_t statement, enum ptx_kind kind)
{
    static const char name[] = "fence.proxy.async";
    struct view_form f;
    return is_kind(v, statement, kind) && view_form(v, statement, &f) && strncmp(f.opcode, name, sizeof name - 1) == 0;
}

static void drop(const struct view *v, uint32_t which, matches *match, enum ptx_kind kind, struct mutants *l)
{
    const struct ptx_module *m = &v->module;
    for (uint32_t f = 0; f < m->functions; f++) {
        uint32_t end = holds_site(v, f) ? m->function[f].statement + m->function[f].statements : 0;
        for (uint32_t i = m->function[f].statement; i < end; i++) {
            const struct ptx_statement *s = &m->statement[i];
            if (!match(v, i, kind))
                continue;
            mutants_add(l, which, s->line, s->column, "without %.*s", VIEW_LINE(v, s));
            mutants_edit(l, s->at, s->end - s->at, "%s", "");
        }
    }
}

void operate_fence_drop(const struct view *v, uint32_t which, struct mutants *l)
{
    drop(v, which, is_kind, PTX_FENCE, l);
}

void operate_commit_drop(const struct view *v, uint32_t which, struct mutants *l)
{
    drop(v, which, is_kind, PTX_COMMIT, l);
}

void operate_wait_drop(const struct view *v, uint32_t which, struct mutants *l)
{
    drop(v, which, is_kind, PTX_WAIT, l);
}

void operate_proxy_drop(const struct view *v, uint32_t which, struct mutants *l)
{
    drop(v, which, is_proxy, PTX_PLAIN, l);
}

void operate_wait_raise(const struct view *v, uint32_t which, struct mutants *l)
{
    const struct ptx_module *m = &v->module;
    struct view_form f;
    for (uint32_t i = 0; i < m->statements; i++) {
        const struct ptx_statement *s = &m->statement[i];
        const struct lex_token *t = s->kind == PTX_WAIT && view_form(v, i, &f) ? view_single(&f, 0) : NULL;
        if (!t || s->value == UINT32_MAX)
            continue;
        mutants_add(l, which, s->line, s->column, "waits until %u groups are in flight, not %u", s->value + 1,
                    s->value);
        mutants_edit(l, t->at, t->length, "%u", s->value + 1);
    }
}
