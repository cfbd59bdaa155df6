#include "oracle/ptx/module.h"

#include <stdlib.h>
#include <string.h>

#include "oracle/ptx/statement.h"

struct parser {
    struct ptx_module *m;
    struct lex_token t; /* the next one, read and not used */
};

/* What a declaration says ahead of its names. */
struct declared {
    enum symbol_kind kind; /* SYMBOL_REGISTER or SYMBOL_VARIABLE */
    uint8_t bits, lanes;
};

enum status module_reserve(void **array, uint32_t used, uint32_t *room, size_t element, struct error *e)
{
    if (used < *room)
        return STATUS_OK;
    uint32_t more = *room ? 2 * *room : 64;
    void *grown = realloc(*array, more * element);
    if (!grown)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a PTX module");
    *array = grown;
    *room = more;
    return STATUS_OK;
}

static enum status next(struct parser *p, struct error *e)
{
    return lex_next(&p->m->lexer, &p->t, e);
}

static bool is(const struct parser *p, const char *text)
{
    return lex_is(&p->m->lexer, &p->t, text);
}

static bool is_one_of(const struct parser *p, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is(p, texts[i]))
            return true;
    return false;
}
#define IS_ONE_OF(p, texts) is_one_of(p, texts, sizeof(texts) / sizeof *(texts))

static enum status expect(struct parser *p, const char *text, struct error *e)
{
    char what[40] = "expected '";
    if (is(p, text))
        return next(p, e);
    strcat(strcat(what, text), "'");
    return lex_unexpected(&p->m->lexer, &p->t, e, what);
}

static enum status expect_kind(struct parser *p, enum lex_kind kind, const char *what, struct error *e)
{
    return p->t.kind == kind ? next(p, e) : lex_unexpected(&p->m->lexer, &p->t, e, what);
}

/* Past a bracket, what it holds and its fellow; p->t is the opening one. */
static enum status skip_brackets(struct parser *p, struct error *e)
{
    struct lex_token open = p->t;
    uint64_t depth = 0;
    do {
        if (p->t.kind == LEX_END)
            return lex_unexpected(&p->m->lexer, &open, e, "a bracket has no end");
        depth += is(p, "{") || is(p, "(") || is(p, "[");
        depth -= is(p, "}") || is(p, ")") || is(p, "]");
        enum status s = next(p, e);
        if (s != STATUS_OK)
            return s;
    } while (depth > 0);
    return STATUS_OK;
}

/* Past everything up to the first of the characters outside of brackets, which stays in p->t. */
static enum status skip_until(struct parser *p, const char *stops, struct error *e)
{
    for (;;) {
        if (p->t.kind == LEX_END)
            return lex_unexpected(&p->m->lexer, &p->t, e, "a directive has no end");
        char c = p->m->lexer.text[p->t.at];
        if (p->t.kind == LEX_PUNCTUATION && strchr(stops, c))
            return STATUS_OK;
        bool bracket = is(p, "{") || is(p, "(") || is(p, "[");
        enum status s = bracket ? skip_brackets(p, e) : next(p, e);
        if (s != STATUS_OK)
            return s;
    }
}

static enum status skip_directive(struct parser *p, struct error *e)
{
    enum status s = skip_until(p, ";", e);
    return s == STATUS_OK ? next(p, e) : s;
}

/* The dot tokens of a declaration, up to its first name. */
static enum status read_type(struct parser *p, struct declared *d, struct error *e)
{
    static const struct {
        const char *name;
        uint8_t bits;
    } types[] = {{".pred", 1}, {".b8", 8},    {".s8", 8},     {".u8", 8},   {".b16", 16},    {".s16", 16},
                 {".u16", 16}, {".f16", 16},  {".bf16", 16},  {".b32", 32}, {".s32", 32},    {".u32", 32},
                 {".f32", 32}, {".tf32", 32}, {".f16x2", 32}, {".b64", 64}, {".bf16x2", 32}, {".s64", 64},
                 {".u64", 64}, {".f64", 64},  {".b128", 128}};
    struct lex_token first = p->t;
    d->bits = 0;
    d->lanes = 1;
    while (p->t.kind == LEX_DOT) {
        bool alignment = is(p, ".align"), attribute = is(p, ".attribute");
        d->lanes = is(p, ".v2") ? 2 : is(p, ".v4") ? 4 : is(p, ".v8") ? 8 : d->lanes;
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            d->bits = is(p, types[i].name) ? types[i].bits : d->bits;
        enum status s = next(p, e);
        if (s == STATUS_OK && alignment)
            s = expect_kind(p, LEX_NUMBER, "expected an alignment", e);
        if (s == STATUS_OK && attribute)
            s = is(p, "(") ? skip_brackets(p, e) : expect(p, "(", e);
        if (s != STATUS_OK)
            return s;
    }
    if (d->kind == SYMBOL_REGISTER && d->bits == 0)
        return lex_unexpected(&p->m->lexer, &first, e, "registers of an unknown type");
    return STATUS_OK;
}

/* One name with its array bounds and initialiser; leaves p->t behind them. */
static enum status read_declarator(struct parser *p, const struct declared *d, uint32_t scope, struct error *e)
{
    struct ptx_module *m = p->m;
    struct lex_token name = p->t;
    struct symbol symbol = {.at = name.at,
                            .length = name.length,
                            .scope = scope,
                            .declared = name.at,
                            .kind = d->kind,
                            .bits = d->bits,
                            .lanes = d->lanes};
    enum status s = expect_kind(p, LEX_NAME, "expected a name", e);
    if (s == STATUS_OK && is(p, "<")) {
        symbol.kind = d->kind == SYMBOL_REGISTER ? SYMBOL_RANGE : d->kind;
        s = next(p, e);
        if (s == STATUS_OK && !lex_integer(&m->lexer, &p->t, &symbol.value))
            s = lex_unexpected(&m->lexer, &p->t, e, "expected a number of registers");
        if (s == STATUS_OK)
            s = next(p, e);
        if (s == STATUS_OK)
            s = expect(p, ">", e);
    }
    while (s == STATUS_OK && is(p, "["))
        s = skip_brackets(p, e);
    if (s == STATUS_OK && is(p, "="))
        s = skip_until(p, ",;)", e);
    uint32_t known;
    if (s != STATUS_OK || lex_is(&m->lexer, &name, "_"))
        return s;
    s = symbols_declare(&m->symbols, &symbol, &known, e);
    if (s == STATUS_OK && known != SYMBOL_NONE && d->kind == SYMBOL_REGISTER)
        return lex_unexpected(&m->lexer, &name, e, "a register is declared twice");
    return s;
}

/* .reg .b32 %r<10>, a; .shared .align 16 .b8 s[64]; p->t is the state space. */
static enum status read_declaration(struct parser *p, uint32_t scope, struct error *e)
{
    struct declared d = {.kind = is(p, ".reg") ? SYMBOL_REGISTER : SYMBOL_VARIABLE};
    if (d.kind == SYMBOL_REGISTER && scope == 0)
        return lex_unexpected(&p->m->lexer, &p->t, e, "registers outside of a function");
    enum status s = next(p, e);
    if (s == STATUS_OK)
        s = read_type(p, &d, e);
    if (s == STATUS_OK)
        s = read_declarator(p, &d, scope, e);
    while (s == STATUS_OK && is(p, ",")) {
        s = next(p, e);
        if (s == STATUS_OK)
            s = read_declarator(p, &d, scope, e);
    }
    return s == STATUS_OK ? expect(p, ";", e) : s;
}

/* (.param .b32 a, .reg .b32 %b): p->t is the bracket. */
static enum status read_parameters(struct parser *p, uint32_t scope, struct error *e)
{
    enum status s = next(p, e);
    while (s == STATUS_OK && !is(p, ")")) {
        struct declared d = {.kind = is(p, ".reg") ? SYMBOL_REGISTER : SYMBOL_VARIABLE};
        s = expect_kind(p, LEX_DOT, "expected a parameter", e);
        if (s == STATUS_OK)
            s = read_type(p, &d, e);
        if (s == STATUS_OK)
            s = read_declarator(p, &d, scope, e);
        if (s == STATUS_OK && !is(p, ")"))
            s = expect(p, ",", e);
    }
    return s == STATUS_OK ? next(p, e) : s;
}

static enum status read_integers(struct parser *p, uint32_t *value, int count, struct error *e)
{
    enum status s = STATUS_OK;
    for (int i = 0; i < count && s == STATUS_OK; i++) {
        if (!lex_integer(&p->m->lexer, &p->t, &value[i]))
            return lex_unexpected(&p->m->lexer, &p->t, e, "expected a number");
        s = next(p, e);
    }
    return s;
}

/* , function_name LABEL [+ N] or , inlined_at FILE LINE COLUMN: p->t is the comma. */
static enum status read_loc_clause(struct parser *p, struct error *e)
{
    uint32_t place[3];
    enum status s = next(p, e);
    if (s != STATUS_OK)
        return s;
    if (is(p, "inlined_at")) {
        s = next(p, e);
        return s == STATUS_OK ? read_integers(p, place, 3, e) : s;
    }
    s = expect(p, "function_name", e);
    if (s == STATUS_OK)
        s = expect_kind(p, LEX_NAME, "expected a label", e);
    if (s != STATUS_OK || !is(p, "+"))
        return s;
    s = next(p, e);
    return s == STATUS_OK ? read_integers(p, place, 1, e) : s;
}

/* .loc FILE LINE COLUMN [, function_name LABEL [+ N], inlined_at FILE LINE COLUMN] */
static enum status read_loc(struct parser *p, struct error *e)
{
    struct ptx_module *m = p->m;
    uint32_t place[3];
    enum status s = next(p, e);
    if (s == STATUS_OK)
        s = read_integers(p, place, 3, e);
    while (s == STATUS_OK && is(p, ","))
        s = read_loc_clause(p, e);
    if (s == STATUS_OK)
        s = module_reserve((void **)&m->loc, m->locs, &m->loc_room, sizeof *m->loc, e);
    if (s == STATUS_OK)
        m->loc[m->locs++] = (struct ptx_loc){place[0], place[1]};
    return s;
}

/* .file INDEX "PATH" [, TIME, SIZE] */
static enum status read_file(struct parser *p, struct error *e)
{
    struct ptx_module *m = p->m;
    struct ptx_file file = {0};
    uint32_t i = 0;
    enum status s = next(p, e);
    if (s == STATUS_OK)
        s = read_integers(p, &file.index, 1, e);
    file.at = p->t.at + 1;
    file.length = p->t.length - 2;
    if (s == STATUS_OK)
        s = expect_kind(p, LEX_STRING, "expected a file's path", e);
    for (; s == STATUS_OK && i < 2 && is(p, ","); i++) {
        s = next(p, e);
        if (s == STATUS_OK)
            s = expect_kind(p, LEX_NUMBER, "expected a number", e);
    }
    if (s == STATUS_OK)
        s = module_reserve((void **)&m->file, m->files, &m->file_room, sizeof *m->file, e);
    if (s == STATUS_OK)
        m->file[m->files++] = file;
    return s;
}

static enum status read_pragma(struct parser *p, struct error *e)
{
    enum status s = next(p, e);
    return s == STATUS_OK ? skip_directive(p, e) : s;
}

/* .branchtargets A, B; */
static enum status read_targets(struct parser *p, uint32_t scope, struct error *e)
{
    struct ptx_module *m = p->m;
    enum status s = statement_append(m, &p->t, scope, PTX_TARGETS, e);
    do {
        if (s == STATUS_OK)
            s = next(p, e);
        if (s == STATUS_OK && p->t.kind != LEX_NAME)
            s = lex_unexpected(&m->lexer, &p->t, e, "expected a label");
        if (s == STATUS_OK)
            s = statement_use(m, &p->t, scope, e);
        if (s == STATUS_OK)
            s = next(p, e);
    } while (s == STATUS_OK && is(p, ","));
    return s == STATUS_OK ? expect(p, ";", e) : s;
}

static const char *const spaces[] = {".reg",   ".param", ".local",  ".shared",  ".global",
                                     ".const", ".tex",   ".texref", ".surfref", ".samplerref"};

/* A directive among the statements of a function. */
static enum status read_inner_directive(struct parser *p, uint32_t scope, struct error *e)
{
    static const char *const skipped[] = {".pragma", ".calltargets", ".callprototype"};
    if (IS_ONE_OF(p, spaces))
        return read_declaration(p, scope, e);
    if (IS_ONE_OF(p, skipped))
        return read_pragma(p, e);
    if (is(p, ".loc"))
        return read_loc(p, e);
    if (is(p, ".file"))
        return read_file(p, e);
    if (is(p, ".branchtargets"))
        return read_targets(p, scope, e);
    return lex_unexpected(&p->m->lexer, &p->t, e, "an unknown directive");
}

/* A label or an instruction; p->t is the name. */
static enum status read_named(struct parser *p, uint32_t scope, struct error *e)
{
    struct ptx_module *m = p->m;
    struct lexer here = m->lexer;
    struct lex_token name = p->t;
    uint32_t known;
    enum status s = next(p, e);
    if (s != STATUS_OK)
        return s;
    if (!is(p, ":")) {
        m->lexer = here;
        s = statement_parse(m, &name, scope, e);
        return s == STATUS_OK ? next(p, e) : s;
    }
    struct symbol label = {.at = name.at,
                           .length = name.length,
                           .scope = scope,
                           .declared = name.at,
                           .value = m->statements,
                           .kind = SYMBOL_LABEL};
    s = symbols_declare(&m->symbols, &label, &known, e);
    if (s == STATUS_OK && known != SYMBOL_NONE)
        return lex_unexpected(&m->lexer, &name, e, "a label is declared twice");
    return s == STATUS_OK ? next(p, e) : s;
}

static enum status open_scope(struct parser *p, uint32_t parent, uint32_t *scope, struct error *e)
{
    bool fits;
    enum status s = symbols_open(&p->m->symbols, parent, scope, &fits, e);
    if (s == STATUS_OK && !fits)
        return lex_unexpected(&p->m->lexer, &p->t, e, "blocks are nested too deep");
    return s;
}

/* From the opening brace to behind the closing one. */
static enum status read_body(struct parser *p, uint32_t outer, struct error *e)
{
    uint32_t scope = outer;
    enum status s = next(p, e);
    while (s == STATUS_OK && !(scope == outer && is(p, "}"))) {
        if (p->t.kind == LEX_END)
            return lex_unexpected(&p->m->lexer, &p->t, e, "a function has no end");
        if (is(p, "{")) {
            s = open_scope(p, scope, &scope, e);
            s = s == STATUS_OK ? next(p, e) : s;
        } else if (is(p, "}")) {
            scope = p->m->symbols.parent[scope];
            s = next(p, e);
        } else if (is(p, ";")) {
            s = next(p, e);
        } else if (is(p, "@")) {
            s = statement_parse(p->m, &p->t, scope, e);
            s = s == STATUS_OK ? next(p, e) : s;
        } else if (p->t.kind == LEX_DOT) {
            s = read_inner_directive(p, scope, e);
        } else {
            s = read_named(p, scope, e);
        }
    }
    return s == STATUS_OK ? next(p, e) : s;
}

/* Where the labels that a function names lead. */
static enum status resolve_labels(struct ptx_module *m, uint32_t first, struct error *e)
{
    for (uint32_t i = first; i < m->uses; i++) {
        struct ptx_use *u = &m->use[i];
        uint32_t found;
        enum status s = symbols_find(&m->symbols, u->at, u->length, u->scope, UINT32_MAX, &found, e);
        if (s != STATUS_OK)
            return s;
        if (found == SYMBOL_NONE || m->symbols.symbol[found].kind != SYMBOL_LABEL)
            return lex_fail(&m->lexer, u->line, u->column, e, "'%.*s' is not declared",
                            u->length < 60 ? (int)u->length : 60, m->lexer.text + u->at);
        u->target = m->symbols.symbol[found].value;
        if (m->statement[u->statement].kind == PTX_INDEXED &&
            (u->target == m->statements || m->statement[u->target].kind != PTX_TARGETS))
            return lex_fail(&m->lexer, u->line, u->column, e, "the branch names no .branchtargets");
    }
    return STATUS_OK;
}

/* .entry or .func, with or without a body. */
static enum status read_function(struct parser *p, struct error *e)
{
    struct ptx_module *m = p->m;
    uint32_t scope, known, uses = m->uses, registers = m->symbols.registers;
    enum status s = open_scope(p, 0, &scope, e);
    if (s == STATUS_OK)
        s = next(p, e);
    struct declared d = {.kind = SYMBOL_VARIABLE};
    if (s == STATUS_OK)
        s = read_type(p, &d, e);
    if (s == STATUS_OK && is(p, "("))
        s = read_parameters(p, scope, e);
    struct ptx_function f = {
        .name_at = p->t.at, .name_length = p->t.length, .statement = m->statements, .registers_from = registers};
    struct symbol name = {.at = f.name_at, .length = f.name_length, .declared = f.name_at, .kind = SYMBOL_VARIABLE};
    if (s == STATUS_OK)
        s = expect_kind(p, LEX_NAME, "expected the name of a function", e);
    if (s == STATUS_OK)
        s = symbols_declare(&m->symbols, &name, &known, e);
    if (s == STATUS_OK && is(p, "("))
        s = read_parameters(p, scope, e);
    while (s == STATUS_OK && !is(p, "{") && !is(p, ";")) {
        bool pragma = is(p, ".pragma");
        s = next(p, e);
        if (s == STATUS_OK && pragma)
            s = skip_directive(p, e);
        if (s == STATUS_OK && p->t.kind == LEX_END)
            s = lex_unexpected(&m->lexer, &p->t, e, "a function has no body");
    }
    if (s != STATUS_OK || is(p, ";"))
        return s == STATUS_OK ? next(p, e) : s;
    m->first_loc = m->locs;
    s = read_body(p, scope, e);
    if (s == STATUS_OK)
        s = resolve_labels(m, uses, e);
    if (s == STATUS_OK)
        s = module_reserve((void **)&m->function, m->functions, &m->function_room, sizeof *m->function, e);
    f.statements = m->statements - f.statement;
    f.registers_to = m->symbols.registers;
    if (s == STATUS_OK)
        m->function[m->functions++] = f;
    return s;
}

/* .version 8.7, .target sm_90a, debug, .address_size 64 */
static enum status read_head(struct parser *p, struct error *e)
{
    struct ptx_module *m = p->m;
    bool target = is(p, ".target");
    if (m->functions > 0 && m->target_length == 0)
        return lex_unexpected(&m->lexer, &p->t, e, "it must stand ahead of the functions");
    enum status s = next(p, e);
    if (s == STATUS_OK && target && m->target_length == 0) {
        m->target_at = p->t.at;
        m->target_length = p->t.length;
        m->target_line = p->t.line;
        m->target_column = p->t.column;
    }
    if (s == STATUS_OK)
        s = expect_kind(p, target ? LEX_NAME : LEX_NUMBER, "a directive is not understood", e);
    while (s == STATUS_OK && target && is(p, ",")) {
        s = next(p, e);
        if (s == STATUS_OK)
            s = expect_kind(p, LEX_NAME, "expected a target", e);
    }
    /* A later .target only widens what may follow. */
    if (m->functions == 0)
        m->head_end = p->t.at;
    return s;
}

static enum status read_outer_directive(struct parser *p, struct error *e)
{
    static const char *const heads[] = {".version", ".target", ".address_size"};
    static const char *const linkage[] = {".extern", ".visible", ".weak", ".common"};
    static const char *const skipped[] = {".pragma", ".alias"};
    enum status s;
    if (IS_ONE_OF(p, heads))
        return read_head(p, e);
    if (IS_ONE_OF(p, linkage))
        return next(p, e);
    if (is(p, ".entry") || is(p, ".func"))
        return read_function(p, e);
    if (IS_ONE_OF(p, spaces))
        return read_declaration(p, 0, e);
    if (IS_ONE_OF(p, skipped))
        return read_pragma(p, e);
    if (is(p, ".loc"))
        return read_loc(p, e);
    if (is(p, ".file"))
        return read_file(p, e);
    if (!is(p, ".section"))
        return lex_unexpected(&p->m->lexer, &p->t, e, "an unknown directive");
    while ((s = next(p, e)) == STATUS_OK && (p->t.kind == LEX_DOT || p->t.kind == LEX_NAME))
        continue;
    return s != STATUS_OK ? s : is(p, "{") ? skip_brackets(p, e) : expect(p, "{", e);
}

static int compare_files(const void *a, const void *b)
{
    uint32_t x = ((const struct ptx_file *)a)->index, y = ((const struct ptx_file *)b)->index;
    return (x > y) - (x < y);
}

const struct ptx_file *module_file(const struct ptx_module *m, uint32_t index)
{
    struct ptx_file key = {.index = index};
    return m->files ? bsearch(&key, m->file, m->files, sizeof *m->file, compare_files) : NULL;
}

enum status module_spend(struct ptx_module *m, uint64_t steps, struct error *e)
{
    if (steps > m->steps_left) {
        const struct ptx_statement *first = &m->statement[m->function[m->current].statement];
        return lex_fail(&m->lexer, first->line, first->column, e, "this function is too tangled to follow");
    }
    m->steps_left -= steps;
    return STATUS_OK;
}

enum status module_visible(struct ptx_module *m, uint32_t reg, uint32_t scope, uint32_t at, bool *visible,
                           struct error *e)
{
    struct symbol name = *module_register(m, reg);
    uint32_t found;
    enum status s = symbols_find(&m->symbols, name.at, name.length, scope, at, &found, e);
    *visible = s == STATUS_OK && found != SYMBOL_NONE && m->symbols.symbol[found].kind == SYMBOL_REGISTER &&
               m->symbols.symbol[found].value == reg;
    return s;
}

const struct symbol *module_register(const struct ptx_module *m, uint32_t reg)
{
    return &m->symbols.symbol[m->symbols.register_symbol[reg]];
}

enum status module_parse(const char *path, const char *text, uint32_t size, struct ptx_module *m, struct error *e)
{
    struct ptx_module made = {.lexer = {path, text, size, 0, 1, 0}, .steps_left = MODULE_STEPS};
    struct parser p = {.m = &made};
    enum status s = symbols_make(text, &made.symbols, e);
    if (s == STATUS_OK)
        s = next(&p, e);
    while (s == STATUS_OK && p.t.kind != LEX_END)
        s = p.t.kind == LEX_DOT ? read_outer_directive(&p, e)
                                : lex_unexpected(&made.lexer, &p.t, e, "a directive was expected");
    if (s != STATUS_OK) {
        module_free(&made);
        return s;
    }
    if (made.files)
        qsort(made.file, made.files, sizeof *made.file, compare_files);
    *m = made;
    return STATUS_OK;
}

void module_free(struct ptx_module *m)
{
    symbols_free(&m->symbols);
    free(m->ref);
    free(m->use);
    free(m->statement);
    free(m->function);
    free(m->loc);
    free(m->file);
    *m = (struct ptx_module){0};
}
