/* Operators on the shared-memory descriptors of a wgmma.
 * source: PTX ISA, "Matrix Descriptor Format": bits 0 to 13 are the address in units of 16 bytes. */
#include "oracle/mutate/operators.h"

/* Half a swizzle atom's row, a core matrix, a row of 256 bytes, an atom of 1024 bytes, two of them. */
static const int offsets[] = {2, 8, 16, 64, 128};

static void offset(const struct view *v, uint32_t which, uint32_t site, const char *operand,
                   const struct lex_token *token, const char *name, struct mutants *l)
{
    const struct ptx_site *s = &v->sites.site[site];
    for (size_t i = 0; token && name && i < sizeof offsets / sizeof *offsets; i++) {
        mutants_add(l, which, s->line, s->column, "the descriptor of %s points %d bytes further", operand,
                    16 * offsets[i]);
        mutants_edit(l, v->body[v->function[site]], 0, "\n\t.reg .b64 %%" OPERATORS_NAME ";");
        mutants_edit(l, (uint32_t)s->descriptors_at, 0, "add.s64 %%" OPERATORS_NAME ", %s, %d;\n\t", name, offsets[i]);
        mutants_edit(l, token->at, token->length, "%%" OPERATORS_NAME);
    }
}

void operate_descriptor_offset(const struct view *v, uint32_t which, struct mutants *l)
{
    struct view_form f;
    for (uint32_t s = 0; s < v->sites.site_count; s++) {
        if (!view_form(v, v->statement[s], &f))
            continue;
        offset(v, which, s, "A", view_single(&f, 1), v->sites.site[s].a_descriptor, l);
        offset(v, which, s, "B", view_single(&f, 2), v->sites.site[s].b_descriptor, l);
    }
}

/* Whether a register, where it is visible, holds one value from statement `from` to statement `to`: nothing between
 * writes it and no way leads in or out. */
static bool holds(const struct view *v, uint32_t reg, uint32_t from, uint32_t to)
{
    const struct ptx_module *m = &v->module;
    for (uint32_t i = from; i < to; i++) {
        const struct ptx_statement *s = &m->statement[i];
        if (s->kind == PTX_BRANCH || s->kind == PTX_INDEXED || s->kind == PTX_LEAVE)
            return false;
        for (uint32_t r = s->ref; r < s->ref + s->refs; r++)
            if (m->ref[r].reg == reg && (m->ref[r].flags & PTX_WRITTEN))
                return false;
    }
    for (uint32_t u = 0; u < m->uses; u++)
        if (m->use[u].target > from && m->use[u].target <= to)
            return false;
    return true;
}

/* A name means what it means only in its scope. */
static bool visible(const struct view *v, uint32_t reg, uint32_t statement)
{
    const struct ptx_statement *s = &v->module.statement[statement];
    const struct symbol *name = module_register(&v->module, reg);
    uint32_t scope = s->scope;
    while (scope != name->scope && scope != 0)
        scope = v->module.symbols.parent[scope];
    return scope == name->scope && name->declared < s->at;
}

/* Two wgmma in a row whose descriptors of B are different registers. */
struct pair {
    uint32_t first, second; /* statements */
    uint32_t reg[2];
    struct lex_token token[2];
};

static bool find_pair(const struct view *v, uint32_t site, struct pair *p)
{
    struct view_form f;
    if (site + 1 >= v->sites.site_count || v->function[site] != v->function[site + 1])
        return false;
    p->first = v->statement[site];
    p->second = v->statement[site + 1];
    for (int i = 0; i < 2; i++) {
        uint32_t statement = i ? p->second : p->first;
        const struct lex_token *t = view_form(v, statement, &f) ? view_single(&f, 2) : NULL;
        p->reg[i] = view_register(v, statement, 2);
        if (!t || p->reg[i] == SYMBOL_NONE)
            return false;
        p->token[i] = *t;
    }
    return p->reg[0] != p->reg[1] && visible(v, p->reg[0], p->second) && holds(v, p->reg[0], p->first, p->second);
}

void operate_descriptor_exchange(const struct view *v, uint32_t which, struct mutants *l)
{
    struct pair p;
    for (uint32_t s = 0; s < v->sites.site_count; s++) {
        if (!find_pair(v, s, &p) || !visible(v, p.reg[1], p.first) || !holds(v, p.reg[1], p.first, p.second))
            continue;
        mutants_add(l, which, v->sites.site[s].line, v->sites.site[s].column,
                    "exchanges its descriptor of B with line %u", v->sites.site[s + 1].line);
        for (int i = 0; i < 2; i++)
            mutants_edit(l, p.token[i].at, p.token[i].length, "%.*s", VIEW_TEXT(v, &p.token[1 - i]));
    }
}

void operate_descriptor_repeat(const struct view *v, uint32_t which, struct mutants *l)
{
    struct pair p;
    for (uint32_t s = 0; s < v->sites.site_count; s++) {
        if (!find_pair(v, s, &p))
            continue;
        mutants_add(l, which, v->sites.site[s + 1].line, v->sites.site[s + 1].column,
                    "takes the descriptor of B of line %u", v->sites.site[s].line);
        mutants_edit(l, p.token[1].at, p.token[1].length, "%.*s", VIEW_TEXT(v, &p.token[0]));
    }
}
