#include "oracle/ptx/mma.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/ptx/statement.h"

enum { OPERANDS = 12, PARTS = 12 };

struct operand {
    struct lex_token first;
    uint32_t tokens;
};

struct form {
    char opcode[PTX_OPCODE_SIZE];
    const char *d, *a, *b;
    bool sparse;
    struct operand operand[OPERANDS];
    uint32_t operands;
};

static enum status fail(const struct ptx_module *m, const struct ptx_statement *s, struct error *e, const char *why)
{
    return lex_fail(&m->lexer, s->line, s->column, e, "%s", why);
}

/* Split the statement into its opcode and its operands. */
static enum status read_form(const struct ptx_module *m, const struct ptx_statement *s, struct form *f, struct error *e)
{
    struct lexer l = m->lexer;
    struct lex_token t;
    int depth = 0;
    l.at = s->at;
    l.size = s->end;
    l.line = s->line;
    l.line_at = s->at - (s->column - 1);
    enum status status;
    while ((status = lex_next(&l, &t, e)) == STATUS_OK && !lex_is(&l, &t, "wgmma"))
        continue; /* the guard */
    if (status == STATUS_OK)
        status = statement_opcode(&l, &t, f->opcode, &t, e);
    f->operands = 0;
    for (bool fresh = true; status == STATUS_OK && !(depth == 0 && lex_is(&l, &t, ";")); fresh = false) {
        bool comma = depth == 0 && lex_is(&l, &t, ",");
        if ((fresh || comma) && f->operands == OPERANDS)
            return fail(m, s, e, "wgmma with too many operands");
        if (fresh || comma)
            f->operand[f->operands++].tokens = 0;
        struct operand *o = &f->operand[f->operands - 1];
        if (!comma && o->tokens++ == 0)
            o->first = t;
        depth += lex_is(&l, &t, "{") || lex_is(&l, &t, "[") || lex_is(&l, &t, "(");
        depth -= lex_is(&l, &t, "}") || lex_is(&l, &t, "]") || lex_is(&l, &t, ")");
        status = lex_next(&l, &t, e);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < f->operands; i++)
        if (f->operand[i].tokens == 0)
            return fail(m, s, e, "wgmma with an empty operand");
    return status;
}

/* source: the tables of shapes and types; k is doubled in sparse forms. */
static int bits_of(const char *type)
{
    static const struct {
        const char *type;
        int bits;
    } types[] = {{"f16", 16}, {"bf16", 16}, {"tf32", 32}, {"e4m3", 8}, {"e5m2", 8}, {"s8", 8}, {"u8", 8}, {"b1", 1}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i].type) == 0)
            return types[i].bits;
    return 0;
}

/* "m64n128k16" */
static bool read_shape(const char *text, int *n, int *k)
{
    char end;
    return sscanf(text, "m64n%3dk%3d%c", n, k, &end) == 2 && *n >= 8 && *n <= 256 && *n % 8 == 0;
}

/* wgmma.mma_async[.sp].sync.aligned.SHAPE.D.A.B[.satfinite | .and.popc] */
static bool read_opcode(struct form *f, struct ptx_site *site)
{
    char *part[PARTS], *rest = f->opcode;
    int parts = 0;
    for (char *p; parts < PARTS && (p = strtok_r(rest, ".", &rest));)
        part[parts++] = p;
    int at = 2;
    f->sparse = at < parts && strcmp(part[at], "sp") == 0;
    at += f->sparse;
    if (parts < at + 6 || strcmp(part[at], "sync") != 0 || strcmp(part[at + 1], "aligned") != 0 ||
        !read_shape(part[at + 2], &site->n, &site->k))
        return false;
    f->d = part[at + 3];
    f->a = part[at + 4];
    f->b = part[at + 5];
    site->a_bits = bits_of(f->a);
    site->b_bits = bits_of(f->b);
    bool half = strcmp(f->d, "f16") == 0, integer = strcmp(f->d, "s32") == 0;
    site->d_registers = half ? site->n / 4 : site->n / 2;
    int k = site->a_bits == 1 ? 256 : site->a_bits == 0 ? 0 : 256 / site->a_bits;
    return (half || integer || strcmp(f->d, "f32") == 0) && k > 0 && site->a_bits == site->b_bits &&
           site->k == (f->sparse ? 2 * k : k);
}

static bool is_whole(const struct ptx_module *m, const struct ptx_ref *ref, uint8_t bits)
{
    const struct symbol *s = module_register(m, ref->reg);
    return !(ref->flags & PTX_PART) && s->bits == bits && s->lanes == 1;
}

/* The only register of an operand when it is a whole one of this width; else SYMBOL_NONE. */
static uint32_t only_register(const struct ptx_module *m, const struct ptx_statement *s, const struct form *f,
                              uint32_t operand, uint8_t bits)
{
    if (operand >= f->operands || f->operand[operand].tokens != 1)
        return SYMBOL_NONE;
    for (uint32_t r = s->ref; r < s->ref + s->refs; r++)
        if (m->ref[r].operand == operand && !(m->ref[r].flags & PTX_GUARD))
            return is_whole(m, &m->ref[r], bits) ? m->ref[r].reg : SYMBOL_NONE;
    return SYMBOL_NONE;
}

static void why_not(struct ptx_site *site, const char *why)
{
    if (site->why_not[0] == '\0')
        snprintf(site->why_not, sizeof site->why_not, "%s", why);
}

/* D, and A where it is in registers. */
static enum status read_registers(const struct ptx_module *m, const struct ptx_statement *s, struct mma *mma,
                                  struct ptx_site *site, struct error *e)
{
    int d = 0, a = 0;
    mma->whole_d = true;
    for (uint32_t r = s->ref; r < s->ref + s->refs; r++) {
        const struct ptx_ref *ref = &m->ref[r];
        if (ref->flags & PTX_GUARD)
            continue;
        if (ref->operand == 0) {
            mma->d = d++ == 0 ? r : mma->d;
            mma->whole_d = mma->whole_d && is_whole(m, ref, 32);
        }
        if (ref->operand == 1 && site->register_a) {
            if (a < PTX_A_REGISTERS)
                mma->a[a] = ref->reg;
            a++;
            if (!is_whole(m, ref, 32))
                why_not(site, "a register of A is no whole 32-bit register");
        }
    }
    if (d != site->d_registers)
        return fail(m, s, e, "wgmma with a wrong number of D registers");
    if (site->register_a && a != PTX_A_REGISTERS)
        return fail(m, s, e, "wgmma with a wrong number of A registers");
    return STATUS_OK;
}

/* The value of an operand that is a number of one token, or -1. */
static int small_number(const struct ptx_module *m, const struct operand *o)
{
    uint32_t value;
    return o->tokens == 1 && lex_integer(&m->lexer, &o->first, &value) && value < 256 ? (int)value : -1;
}

/* What follows the descriptor of B: scale-d, the signs, the transpose bits. */
static enum status read_flags(const struct ptx_module *m, const struct ptx_statement *s, const struct form *f,
                              struct mma *mma, struct ptx_site *site, struct error *e)
{
    bool integer = strcmp(f->d, "s32") == 0, transposes = site->a_bits == 16;
    uint32_t signs = integer ? 0 : 2, bits = !transposes ? 0 : site->register_a ? 1 : 2;
    if (f->operands != 4 + signs + bits)
        return fail(m, s, e, "wgmma with a wrong number of operands");
    mma->scale_d = only_register(m, s, f, 3, 1);
    int value = small_number(m, &f->operand[3]);
    mma->scale_value = value > 0;
    if (mma->scale_d == SYMBOL_NONE && value != 0 && value != 1)
        why_not(site, "scale-d is neither a predicate register nor 0 or 1");
    for (uint32_t i = 4 + signs; i < f->operands; i++) {
        int bit = small_number(m, &f->operand[i]);
        if (bit != 0 && bit != 1)
            return fail(m, s, e, "a transpose bit of wgmma is neither 0 nor 1");
        if (i + 1 < f->operands)
            site->a_mn = bit;
        else
            site->b_mn = bit;
    }
    return STATUS_OK;
}

enum status mma_read(struct ptx_module *m, uint32_t statement, struct mma *mma, struct ptx_site *site, struct error *e)
{
    const struct ptx_statement *s = &m->statement[statement];
    struct form f;
    struct mma made = {.statement = statement};
    struct ptx_site read = {.line = s->line, .column = s->column};
    made.a_descriptor = made.b_descriptor = made.scale_d = SYMBOL_NONE;
    enum status status = read_form(m, s, &f, e);
    if (status != STATUS_OK)
        return status;
    if (!read_opcode(&f, &read))
        return fail(m, s, e, "wgmma of an unknown form");
    if (f.operands < 4)
        return fail(m, s, e, "wgmma with a wrong number of operands");
    read.register_a = lex_is(&m->lexer, &f.operand[1].first, "{");
    snprintf(read.op, sizeof read.op, "wgmma.m64n%dk%d.%s.%s.%s.%s%s", read.n, read.k, f.d, f.a, f.b,
             read.register_a ? "rs" : "ss", f.sparse ? ".sp" : "");
    if (f.sparse)
        why_not(&read, "sparse wgmma is not tapped");
    status = read_registers(m, s, &made, &read, e);
    if (status == STATUS_OK && !f.sparse)
        status = read_flags(m, s, &f, &made, &read, e);
    if (status != STATUS_OK)
        return status;
    made.b_descriptor = only_register(m, s, &f, 2, 64);
    if (!read.register_a)
        made.a_descriptor = only_register(m, s, &f, 1, 64);
    if (made.b_descriptor == SYMBOL_NONE || (!read.register_a && made.a_descriptor == SYMBOL_NONE))
        why_not(&read, "a descriptor is no 64-bit register");
    *mma = made;
    *site = read;
    return STATUS_OK;
}
