#include "oracle/ptx/statement.h"

#include <string.h>

#include "oracle/ptx/opcodes.h"

enum { NESTING = 8 };

/* What is known while the operands of one instruction are read. */
struct reading {
    struct ptx_module *m;
    uint32_t scope, statement;
    int destinations;
    char open[NESTING];
    int depth;
    uint32_t operand, tokens; /* of the operand */
    bool whole;               /* every operand was one register */
    bool after_register;      /* the last token was a register */
};

/* source: PTX ISA, "Special Registers". */
static bool is_special(const char *name, uint32_t length)
{
    static const char *const numbered[] = {"%envreg", "%pm"};
    static const char *const names[] = {"%tid",
                                        "%ntid",
                                        "%laneid",
                                        "%warpid",
                                        "%nwarpid",
                                        "%ctaid",
                                        "%nctaid",
                                        "%smid",
                                        "%nsmid",
                                        "%gridid",
                                        "%is_explicit_cluster",
                                        "%clusterid",
                                        "%nclusterid",
                                        "%cluster_ctaid",
                                        "%cluster_nctaid",
                                        "%cluster_ctarank",
                                        "%cluster_nctarank",
                                        "%lanemask_eq",
                                        "%lanemask_le",
                                        "%lanemask_lt",
                                        "%lanemask_ge",
                                        "%lanemask_gt",
                                        "%clock",
                                        "%clock_hi",
                                        "%clock64",
                                        "%globaltimer",
                                        "%globaltimer_lo",
                                        "%globaltimer_hi",
                                        "%reserved_smem_offset_begin",
                                        "%reserved_smem_offset_end",
                                        "%reserved_smem_offset_cap",
                                        "%reserved_smem_offset_0",
                                        "%reserved_smem_offset_1",
                                        "%total_smem_size",
                                        "%aggr_smem_size",
                                        "%dynamic_smem_size",
                                        "%current_graph_exec",
                                        "WARP_SZ"};
    for (size_t i = 0; i < sizeof numbered / sizeof *numbered; i++) {
        size_t prefix = strlen(numbered[i]);
        if (length > prefix && memcmp(name, numbered[i], prefix) == 0 && name[prefix] >= '0' && name[prefix] <= '9')
            return true;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && memcmp(name, names[i], length) == 0)
            return true;
    return false;
}

enum status statement_append(struct ptx_module *m, const struct lex_token *first, uint32_t scope, enum ptx_kind kind,
                             struct error *e)
{
    enum status s = module_reserve((void **)&m->statement, m->statements, &m->statement_room, sizeof *m->statement, e);
    if (s != STATUS_OK)
        return s;
    m->statement[m->statements++] = (struct ptx_statement){.at = first->at,
                                                           .end = first->at + first->length,
                                                           .line = first->line,
                                                           .column = first->column,
                                                           .scope = scope,
                                                           .ref = m->refs,
                                                           .use = m->uses,
                                                           .kind = kind,
                                                           .loc = m->locs > m->first_loc ? m->locs : 0};
    return STATUS_OK;
}

enum status statement_use(struct ptx_module *m, const struct lex_token *name, uint32_t scope, struct error *e)
{
    enum status s = module_reserve((void **)&m->use, m->uses, &m->use_room, sizeof *m->use, e);
    if (s != STATUS_OK)
        return s;
    m->use[m->uses++] = (struct ptx_use){.at = name->at,
                                         .length = name->length,
                                         .line = name->line,
                                         .column = name->column,
                                         .scope = scope,
                                         .statement = m->statements - 1};
    m->statement[m->statements - 1].uses++;
    return STATUS_OK;
}

static enum status add_ref(struct ptx_module *m, uint32_t reg, uint32_t operand, uint8_t flags, struct error *e)
{
    enum status s = module_reserve((void **)&m->ref, m->refs, &m->ref_room, sizeof *m->ref, e);
    if (s != STATUS_OK)
        return s;
    m->ref[m->refs++] = (struct ptx_ref){reg, operand < 255 ? (uint8_t)operand : 255, flags};
    m->statement[m->statements - 1].refs++;
    return STATUS_OK;
}

static bool within(const struct reading *r, char open)
{
    return memchr(r->open, open, (size_t)r->depth) != NULL;
}

static enum status read_name(struct reading *r, const struct lex_token *t, struct error *e)
{
    struct ptx_module *m = r->m;
    const char *name = m->lexer.text + t->at;
    uint32_t found;
    enum status s = symbols_find(&m->symbols, t->at, t->length, r->scope, t->at, &found, e);
    if (s != STATUS_OK)
        return s;
    const struct symbol *symbol = found == SYMBOL_NONE ? NULL : &m->symbols.symbol[found];
    if (symbol && symbol->kind == SYMBOL_REGISTER) {
        bool written = (int)r->operand < r->destinations && !within(r, '[');
        r->after_register = true;
        return add_ref(m, symbol->value, r->operand, written ? PTX_WRITTEN : 0, e);
    }
    r->whole = false;
    if ((t->length == 1 && *name == '_') || is_special(name, t->length) || (symbol && symbol->kind == SYMBOL_VARIABLE))
        return STATUS_OK;
    if (*name == '%')
        return lex_unexpected(&m->lexer, t, e, "an undeclared register");
    return statement_use(m, t, r->scope, e);
}

static enum status read_punctuation(struct reading *r, const struct lex_token *t, struct error *e)
{
    const struct lexer *l = &r->m->lexer;
    static const char opening[] = "{[(", closing[] = "}])";
    char c = l->text[t->at];
    const char *pair;
    r->whole = false;
    if (strchr("@=:;", c))
        return lex_unexpected(l, t, e, "an instruction is not understood");
    if (strchr(opening, c)) {
        if (r->depth == NESTING)
            return lex_unexpected(l, t, e, "operands are nested too deep");
        r->open[r->depth++] = c;
    } else if ((pair = strchr(closing, c))) {
        if (r->depth == 0 || r->open[r->depth - 1] != opening[pair - closing])
            return lex_unexpected(l, t, e, "an unbalanced bracket or a missing semicolon");
        r->depth--;
    }
    return STATUS_OK;
}

/* One token of the operands; sets *end at the semicolon. */
static enum status read_token(struct reading *r, const struct lex_token *t, bool *end, struct error *e)
{
    const struct lexer *l = &r->m->lexer;
    bool after_register = r->after_register;
    r->after_register = false;
    *end = r->depth == 0 && lex_is(l, t, ";");
    if (*end)
        return STATUS_OK;
    if (r->depth == 0 && lex_is(l, t, ",")) {
        if (r->tokens == 0)
            return lex_unexpected(l, t, e, "an operand is missing");
        r->operand++;
        r->tokens = 0;
        return STATUS_OK;
    }
    r->whole = r->whole && r->tokens == 0;
    r->tokens++;
    switch (t->kind) {
    case LEX_NAME:
        return read_name(r, t, e);
    case LEX_PUNCTUATION:
        return read_punctuation(r, t, e);
    case LEX_DOT:
        if (after_register)
            r->m->ref[r->m->refs - 1].flags |= PTX_PART;
        r->whole = false;
        return STATUS_OK;
    case LEX_NUMBER:
        r->whole = false;
        return STATUS_OK;
    default:
        return lex_unexpected(l, t, e, "an instruction has no semicolon");
    }
}

enum status statement_opcode(struct lexer *l, const struct lex_token *name, char opcode[PTX_OPCODE_SIZE],
                             struct lex_token *after, struct error *e)
{
    struct lex_token part = *name;
    size_t length = 0;
    if (name->kind != LEX_NAME)
        return lex_unexpected(l, name, e, "an instruction was expected");
    do {
        if (length + part.length >= PTX_OPCODE_SIZE)
            return lex_unexpected(l, name, e, "an opcode is too long");
        memcpy(opcode + length, l->text + part.at, part.length);
        length += part.length;
        opcode[length] = '\0';
        enum status s = lex_next(l, &part, e);
        if (s != STATUS_OK)
            return s;
    } while (part.kind == LEX_DOT);
    *after = part;
    return STATUS_OK;
}

/* @p or @!p in front of an opcode; leaves *t at the opcode. */
static enum status read_guard(struct ptx_module *m, struct lex_token *t, uint32_t scope, struct error *e)
{
    struct ptx_statement *statement = &m->statement[m->statements - 1];
    enum status s = lex_next(&m->lexer, t, e);
    if (s == STATUS_OK && lex_is(&m->lexer, t, "!"))
        s = lex_next(&m->lexer, t, e);
    if (s != STATUS_OK)
        return s;
    uint32_t found = SYMBOL_NONE;
    if (t->kind == LEX_NAME)
        s = symbols_find(&m->symbols, t->at, t->length, scope, t->at, &found, e);
    if (s != STATUS_OK)
        return s;
    if (found == SYMBOL_NONE || m->symbols.symbol[found].kind != SYMBOL_REGISTER)
        return lex_unexpected(&m->lexer, t, e, "an undeclared guard");
    statement->guarded = true;
    s = add_ref(m, m->symbols.symbol[found].value, 0, PTX_GUARD, e);
    return s == STATUS_OK ? lex_next(&m->lexer, t, e) : s;
}

static bool begins(const char *opcode, const char *with)
{
    size_t n = strlen(with);
    return strncmp(opcode, with, n) == 0 && (opcode[n] == '\0' || opcode[n] == '.');
}

static enum ptx_kind kind_of(const char *opcode)
{
    static const struct {
        const char *opcode;
        enum ptx_kind kind;
    } kinds[] = {{"bra", PTX_BRANCH},
                 {"brx", PTX_INDEXED},
                 {"ret", PTX_LEAVE},
                 {"exit", PTX_LEAVE},
                 {"trap", PTX_LEAVE},
                 {"wgmma.mma_async", PTX_MMA},
                 {"wgmma.fence", PTX_FENCE},
                 {"wgmma.commit_group", PTX_COMMIT},
                 {"wgmma.wait_group", PTX_WAIT}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (begins(opcode, kinds[i].opcode))
            return kinds[i].kind;
    return PTX_PLAIN;
}

/* Read the operands, the first token of which is *t, up to the semicolon. */
static enum status read_operands(struct reading *r, struct lex_token *t, struct error *e)
{
    struct ptx_module *m = r->m;
    bool end = false;
    uint32_t number = 0;
    for (;;) {
        enum status s = read_token(r, t, &end, e);
        if (s != STATUS_OK)
            return s;
        struct ptx_statement *statement = &m->statement[r->statement];
        if (end) {
            statement->end = t->at + t->length;
            break;
        }
        if (r->operand == 0 && r->tokens == 1 && lex_integer(&m->lexer, t, &number))
            statement->value = number;
        else if (statement->kind == PTX_WAIT)
            return lex_unexpected(&m->lexer, t, e, "wgmma.wait_group wants a number");
        s = lex_next(&m->lexer, t, e);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

enum status statement_parse(struct ptx_module *m, const struct lex_token *first, uint32_t scope, struct error *e)
{
    struct lexer *l = &m->lexer;
    struct lex_token name = *first, t;
    char opcode[PTX_OPCODE_SIZE];
    enum status s = statement_append(m, first, scope, PTX_PLAIN, e);
    if (s == STATUS_OK && lex_is(l, first, "@"))
        s = read_guard(m, &name, scope, e);
    if (s == STATUS_OK)
        s = statement_opcode(l, &name, opcode, &t, e);
    if (s != STATUS_OK)
        return s;
    struct reading r = {.m = m, .scope = scope, .statement = m->statements - 1, .whole = true};
    r.destinations = opcode_destinations(opcode, strlen(opcode));
    if (r.destinations < 0)
        return lex_fail(l, name.line, name.column, e, "unknown instruction '%s'", opcode);
    if (begins(opcode, "call"))
        r.destinations = lex_is(l, &t, "(");
    struct ptx_statement *statement = &m->statement[r.statement];
    statement->kind = kind_of(opcode);
    uint32_t guard = statement->refs;
    s = read_operands(&r, &t, e);
    if (s != STATUS_OK)
        return s;
    statement = &m->statement[r.statement];
    if (r.whole && begins(opcode, "mov") && statement->refs == guard + 2)
        statement->kind = PTX_COPY;
    if (statement->kind == PTX_WAIT && r.tokens == 0)
        return lex_fail(l, name.line, name.column, e, "wgmma.wait_group wants a number");
    if ((statement->kind == PTX_BRANCH || statement->kind == PTX_INDEXED) && statement->uses != 1)
        return lex_fail(l, name.line, name.column, e, "a branch needs one label");
    return STATUS_OK;
}
