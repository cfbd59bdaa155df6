/* Operators on the immediates of a wgmma, on its scale-d, and on its accumulator after the wait. */
#include <string.h>

#include "oracle/mutate/operators.h"

enum { SCALE_D = 3, SIGN_A = 4, SIGN_B = 5, OPERANDS_SIGNED = 6 };

/* scale-a and scale-b: 1 or -1. Integer forms have none: there, operand 4 is missing or a transpose bit is all. */
static void negate(const struct view *v, uint32_t which, uint32_t operand, struct mutants *l)
{
    struct view_form f;
    for (uint32_t s = 0; s < v->sites.site_count; s++) {
        const struct ptx_site *site = &v->sites.site[s];
        if (strstr(site->op, ".s32.") || strstr(site->op, ".sp") || !view_form(v, v->statement[s], &f) ||
            f.operands < OPERANDS_SIGNED)
            continue;
        const struct lex_token *first = &f.token[f.operand[operand].first];
        const struct lex_token *last = first + f.operand[operand].tokens - 1;
        bool negative = f.operand[operand].tokens == 2 && lex_is(&v->module.lexer, first, "-");
        if (!lex_is(&v->module.lexer, last, "1") || !(negative || first == last))
            continue;
        mutants_add(l, which, site->line, site->column, "%s is multiplied by %s1", operand == SIGN_A ? "A" : "B",
                    negative ? "" : "-");
        mutants_edit(l, first->at, last->at + last->length - first->at, negative ? "1" : "-1");
    }
}

void operate_negate_a(const struct view *v, uint32_t which, struct mutants *l)
{
    negate(v, which, SIGN_A, l);
}

void operate_negate_b(const struct view *v, uint32_t which, struct mutants *l)
{
    negate(v, which, SIGN_B, l);
}

void operate_scale_d(const struct view *v, uint32_t which, struct mutants *l)
{
    struct view_form f;
    for (uint32_t s = 0; s < v->sites.site_count; s++) {
        const struct ptx_site *site = &v->sites.site[s];
        const struct lex_token *t = view_form(v, v->statement[s], &f) ? view_single(&f, SCALE_D) : NULL;
        for (int value = 0; t && value <= 1; value++) {
            if (lex_is(&v->module.lexer, t, value ? "1" : "0"))
                continue;
            mutants_add(l, which, site->line, site->column,
                        value ? "always adds to the accumulator" : "always clears the accumulator");
            mutants_edit(l, t->at, t->length, "%d", value);
        }
    }
}

/* The next column, the row 8 further on, the next 8 columns. source: the D fragment of wgmma, two registers a row and
 * four for 8 columns (f32, s32); the same numbers of packed halves are other neighbours. */
static const int partners[] = {1, 2, 4};

void operate_accumulator_exchange(const struct view *v, uint32_t which, struct mutants *l)
{
    const struct ptx_sites *sites = &v->sites;
    for (uint32_t r = 0; r < sites->result_count; r++) {
        const struct ptx_result *result = &sites->result[r];
        bool last = true;
        for (uint32_t other = 0; other < sites->result_count; other++)
            last = last &&
                   !(sites->result[other].accumulator == result->accumulator && sites->result[other].at > result->at);
        for (size_t i = 0; last && i < sizeof partners / sizeof *partners; i++) {
            int j = partners[i];
            if (j >= result->registers || !result->d[0] || !result->d[j] || strcmp(result->d[0], result->d[j]) == 0)
                continue;
            mutants_add(l, which, sites->site[result->site].line, sites->site[result->site].column,
                        "accumulator registers 0 and %d change places after the wait of line %u", j, result->line);
            mutants_edit(l, (uint32_t)result->at, 0,
                         "\n\t{\n\t.reg .b32 %%" OPERATORS_NAME ";\n\tmov.b32 %%" OPERATORS_NAME
                         ", %s;\n\tmov.b32 %s, %s;\n\tmov.b32 %s, %%" OPERATORS_NAME ";\n\t}",
                         result->d[0], result->d[0], result->d[j], result->d[j]);
        }
    }
}
