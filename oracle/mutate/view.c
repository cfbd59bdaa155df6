#include "oracle/mutate/view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/ptx/statement.h"

/* Sites stand in the order of the text, and so do the statements that they are. */
static void place_sites(struct view *v)
{
    const struct ptx_module *m = &v->module;
    uint32_t site = 0;
    for (uint32_t f = 0; f < m->functions; f++)
        for (uint32_t i = m->function[f].statement; i < m->function[f].statement + m->function[f].statements; i++)
            if (m->statement[i].kind == PTX_MMA) {
                assert(site < v->sites.site_count && v->sites.site[site].line == m->statement[i].line);
                v->statement[site] = i;
                v->function[site++] = f;
            }
    assert(site == v->sites.site_count);
}

/* The first brace behind the name: parameters stand in parentheses, and directives have none. */
static enum status find_bodies(struct view *v, struct error *e)
{
    for (uint32_t f = 0; f < v->module.functions; f++) {
        struct lexer l = v->module.lexer;
        struct lex_token t;
        l.at = l.line_at = v->module.function[f].name_at;
        enum status s;
        while ((s = lex_next(&l, &t, e)) == STATUS_OK && t.kind != LEX_END && !lex_is(&l, &t, "{"))
            continue;
        if (s != STATUS_OK)
            return s;
        v->body[f] = l.at;
    }
    return STATUS_OK;
}

enum status view_make(const char *path, const char *text, size_t size, struct view *out, struct error *e)
{
    struct view v = {.statement = NULL};
    enum status s = ptx_find_sites(path, text, size, &v.sites, e);
    if (s == STATUS_OK)
        s = module_parse(path, text, (uint32_t)size, &v.module, e);
    if (s != STATUS_OK)
        goto cleanup;
    v.statement = malloc((v.sites.site_count + (size_t)1) * sizeof *v.statement);
    v.function = malloc((v.sites.site_count + (size_t)1) * sizeof *v.function);
    v.body = malloc((v.module.functions + (size_t)1) * sizeof *v.body);
    if (!v.statement || !v.function || !v.body) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the sites of a PTX module");
        goto cleanup;
    }
    place_sites(&v);
    s = find_bodies(&v, e);
    if (s == STATUS_OK) {
        *out = v;
        return STATUS_OK;
    }

cleanup:
    view_free(&v);
    return s;
}

void view_free(struct view *v)
{
    module_free(&v->module);
    ptx_sites_free(&v->sites);
    free(v->statement);
    free(v->function);
    free(v->body);
    *v = (struct view){.statement = NULL};
}

static bool is_opening(const struct lexer *l, const struct lex_token *t)
{
    return lex_is(l, t, "{") || lex_is(l, t, "[") || lex_is(l, t, "(");
}

static bool is_closing(const struct lexer *l, const struct lex_token *t)
{
    return lex_is(l, t, "}") || lex_is(l, t, "]") || lex_is(l, t, ")");
}

/* What stands behind the opcode; *t is its first token. */
static bool read_operands(struct lexer *l, struct lex_token *t, struct view_form *f)
{
    int depth = 0;
    f->tokens = f->operands = 0;
    while (!(depth == 0 && lex_is(l, t, ";"))) {
        bool comma = depth == 0 && lex_is(l, t, ",");
        if (comma || f->operands == 0) {
            if (f->operands == VIEW_OPERANDS)
                return false;
            f->operand[f->operands++] = (struct view_operand){f->tokens, 0};
        }
        if (!comma) {
            if (f->tokens == VIEW_TOKENS)
                return false;
            f->token[f->tokens++] = *t;
            f->operand[f->operands - 1].tokens++;
        }
        depth += is_opening(l, t);
        depth -= is_closing(l, t);
        if (lex_next(l, t, NULL) != STATUS_OK)
            return false;
    }
    return true;
}

bool view_form(const struct view *v, uint32_t statement, struct view_form *out)
{
    const struct ptx_statement *s = &v->module.statement[statement];
    struct lexer l = v->module.lexer;
    struct lex_token t;
    l.at = s->at;
    l.size = s->end;
    l.line = s->line;
    l.line_at = s->at - (s->column - 1);
    if (lex_next(&l, &t, NULL) != STATUS_OK || t.kind == LEX_DOT)
        return false;
    if (lex_is(&l, &t, "@")) {
        do
            if (lex_next(&l, &t, NULL) != STATUS_OK)
                return false;
        while (lex_is(&l, &t, "!"));
        if (lex_next(&l, &t, NULL) != STATUS_OK)
            return false;
    }
    return statement_opcode(&l, &t, out->opcode, &t, NULL) == STATUS_OK && read_operands(&l, &t, out);
}

const struct lex_token *view_single(const struct view_form *f, uint32_t operand)
{
    return operand < f->operands && f->operand[operand].tokens == 1 ? &f->token[f->operand[operand].first] : NULL;
}

bool view_a(const struct view *v, const struct view_form *f, const struct lex_token *a[PTX_A_REGISTERS])
{
    const struct lexer *l = &v->module.lexer;
    int found = 0;
    if (f->operands < 2 || !lex_is(l, &f->token[f->operand[1].first], "{"))
        return false;
    for (uint32_t i = f->operand[1].first; i < f->operand[1].first + f->operand[1].tokens; i++)
        if (f->token[i].kind == LEX_NAME && found++ < PTX_A_REGISTERS)
            a[found - 1] = &f->token[i];
    return found == PTX_A_REGISTERS;
}

bool view_same(const struct view *v, const struct lex_token *a, const struct lex_token *b)
{
    const char *text = v->module.lexer.text;
    return a->length == b->length && memcmp(text + a->at, text + b->at, a->length) == 0;
}

uint32_t view_register(const struct view *v, uint32_t statement, uint32_t operand)
{
    const struct ptx_statement *s = &v->module.statement[statement];
    for (uint32_t r = s->ref; r < s->ref + s->refs; r++)
        if (v->module.ref[r].operand == operand && !(v->module.ref[r].flags & PTX_GUARD))
            return v->module.ref[r].reg;
    return SYMBOL_NONE;
}

int view_line(const struct view *v, const struct ptx_statement *s)
{
    const char *text = v->module.lexer.text + s->at;
    int length = 0;
    while (length < VIEW_LINE_MOST && length < (int)(s->end - s->at) && text[length] != '\n')
        length++;
    return length;
}
