/* The operator on constants of addresses that A registers are loaded from. */
#include <stdlib.h>
#include <string.h>

#include "oracle/mutate/operators.h"
#include "oracle/mutate/slice.h"

/* Instructions whose numbers are quantities; those of others (lop3, shfl, setp) say what they do. */
static const char *const computing[] = {"add", "and", "bfe", "bfi", "ld",  "ldmatrix", "ldu", "mad",
                                        "mov", "mul", "or",  "shf", "shl", "shr",      "sub", "xor"};

static bool computes(const char *opcode)
{
    size_t length = strcspn(opcode, ".");
    for (size_t i = 0; i < sizeof computing / sizeof *computing; i++)
        if (strlen(computing[i]) == length && memcmp(opcode, computing[i], length) == 0)
            return true;
    return false;
}

/* A number changes by the lowest of its bits, down and up: an offset that is a multiple of 16 remains one, so that a
 * mutant reads another place and not a misaligned one. */
static void change(const struct view *v, uint32_t which, uint32_t statement, const struct lex_token *t,
                   struct mutants *l)
{
    const struct ptx_statement *s = &v->module.statement[statement];
    uint32_t value;
    if (!lex_integer(&v->module.lexer, t, &value) || value == 0)
        return;
    uint32_t bit = value & (0 - value);
    const uint32_t to[] = {value - bit, value + bit};
    for (int i = 0; i < 2; i++) {
        if (to[i] > INT32_MAX)
            continue;
        mutants_add(l, which, s->line, s->column, "%u for %u in %.*s", to[i], value, VIEW_LINE(v, s));
        mutants_edit(l, t->at, t->length, "%u", to[i]);
    }
}

static void change_all(const struct view *v, uint32_t which, const bool *marked, struct mutants *l)
{
    struct view_form f;
    for (uint32_t i = 0; i < v->module.statements; i++)
        for (uint32_t t = 0; marked[i] && view_form(v, i, &f) && computes(f.opcode) && t < f.tokens; t++)
            if (f.token[t].kind == LEX_NUMBER)
                change(v, which, i, &f.token[t], l);
}

void operate_address_constant(const struct view *v, uint32_t which, struct mutants *l)
{
    bool *marked = calloc(v->module.statements + (size_t)1, sizeof *marked);
    if (!marked)
        l->status = STATUS_NO_MEMORY;
    for (uint32_t s = 0; l->status == STATUS_OK && s < v->sites.site_count; s++)
        if (s == 0 || v->function[s] != v->function[s - 1])
            l->status = slice_addresses(v, v->function[s], marked, NULL);
    if (l->status == STATUS_OK)
        change_all(v, which, marked, l);
    free(marked);
}
