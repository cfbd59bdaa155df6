/* Operators on the A registers of a wgmma. */
#include <stdio.h>

#include "oracle/mutate/operators.h"

enum { ROTATIONS = PTX_A_REGISTERS - 1, LANE_BITS = 5 };

/* Site and its form, for those with A in registers. */
static bool open_site(const struct view *v, uint32_t site, struct view_form *f,
                      const struct lex_token *a[PTX_A_REGISTERS])
{
    return v->sites.site[site].register_a && view_form(v, v->statement[site], f) && view_a(v, f, a);
}

/* Register i of A is read from register (order[i]). Nothing where that changes nothing. */
static void permute(const struct view *v, uint32_t which, uint32_t site, const struct lex_token *const a[],
                    const int order[PTX_A_REGISTERS], struct mutants *l)
{
    bool changes = false;
    for (int i = 0; i < PTX_A_REGISTERS; i++)
        changes = changes || !view_same(v, a[i], a[order[i]]);
    if (!changes)
        return;
    mutants_add(l, which, v->sites.site[site].line, v->sites.site[site].column,
                "its A registers are {%d, %d, %d, %d} of the original", order[0], order[1], order[2], order[3]);
    for (int i = 0; i < PTX_A_REGISTERS; i++)
        if (order[i] != i)
            mutants_edit(l, a[i]->at, a[i]->length, "%.*s", VIEW_TEXT(v, a[order[i]]));
}

void operate_a_exchange(const struct view *v, uint32_t which, struct mutants *l)
{
    struct view_form f;
    const struct lex_token *a[PTX_A_REGISTERS];
    for (uint32_t s = 0; s < v->sites.site_count; s++)
        for (int i = 0; open_site(v, s, &f, a) && i < PTX_A_REGISTERS; i++)
            for (int j = i + 1; j < PTX_A_REGISTERS; j++) {
                int order[PTX_A_REGISTERS] = {0, 1, 2, 3};
                order[i] = j;
                order[j] = i;
                permute(v, which, s, a, order, l);
            }
}

void operate_a_rotate(const struct view *v, uint32_t which, struct mutants *l)
{
    struct view_form f;
    const struct lex_token *a[PTX_A_REGISTERS];
    for (uint32_t s = 0; s < v->sites.site_count; s++)
        for (int by = 1; open_site(v, s, &f, a) && by <= ROTATIONS; by++) {
            int order[PTX_A_REGISTERS];
            for (int i = 0; i < PTX_A_REGISTERS; i++)
                order[i] = (i + by) % PTX_A_REGISTERS;
            permute(v, which, s, a, order, l);
        }
}

/* Give one A register of one wgmma a register of its own, computed ahead of the fence: ptxas would inject an arrive for
 * one that is computed behind it. The register that it comes from stays as it is for whoever else reads it. */
static void replace(const struct view *v, uint32_t site, const struct lex_token *a, const char *name,
                    const char *opcode, const char *operands, struct mutants *l)
{
    mutants_edit(l, v->body[v->function[site]], 0, "\n\t.reg .b32 %%" OPERATORS_NAME ";");
    mutants_edit(l, (uint32_t)v->sites.site[site].registers_at, 0, "%s %%" OPERATORS_NAME ", %s, %s;\n\t", opcode, name,
                 operands);
    mutants_edit(l, a->at, a->length, "%%" OPERATORS_NAME);
}

void operate_a_halves(const struct view *v, uint32_t which, struct mutants *l)
{
    struct view_form f;
    const struct lex_token *a[PTX_A_REGISTERS];
    for (uint32_t s = 0; s < v->sites.site_count; s++) {
        const struct ptx_site *site = &v->sites.site[s];
        for (int i = 0; !site->why_not[0] && open_site(v, s, &f, a) && i < PTX_A_REGISTERS; i++) {
            mutants_add(l, which, site->line, site->column, "the halves of A register %d change places", i);
            replace(v, s, a[i], site->a[i], "prmt.b32", "0, 0x1032", l);
        }
    }
}

void operate_a_lanes(const struct view *v, uint32_t which, struct mutants *l)
{
    struct view_form f;
    const struct lex_token *a[PTX_A_REGISTERS];
    for (uint32_t s = 0; s < v->sites.site_count; s++) {
        const struct ptx_site *site = &v->sites.site[s];
        for (int i = 0; !site->why_not[0] && open_site(v, s, &f, a) && i < PTX_A_REGISTERS; i++)
            for (int bit = 0; bit < LANE_BITS; bit++) {
                char operands[32];
                snprintf(operands, sizeof operands, "%d, 0x1f, 0xffffffff", 1 << bit);
                mutants_add(l, which, site->line, site->column, "A register %d comes from lane ^ %d", i, 1 << bit);
                replace(v, s, a[i], site->a[i], "shfl.sync.bfly.b32", operands, l);
            }
    }
}
