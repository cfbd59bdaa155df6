#include "reference/ptx/read.h"

#include <string.h>

/* (.param ..., .param ...): *first and *number in program->variable. */
static bool read_parameters(struct reader *r, bool entry, uint32_t *first, uint32_t *number)
{
    uint64_t bytes = 0;
    struct read_place place = {
        .space = entry ? VM_PARAM : VM_LOCAL, .parameter = true, .bytes = entry ? &bytes : &r->program.local_bytes};
    bool more;
    *first = r->program.variables;
    if (!reader_skip(r, "(", &more))
        return false;
    if (!more)
        return true;
    for (more = !reader_is(r, ")"); more;) {
        if (reader_is(r, ".reg"))
            return reader_fail(r, "parameters in registers are not read");
        if (!reader_expect(r, ".param") || !reader_variables(r, &place) || !reader_skip(r, ",", &more))
            return false;
    }
    *number = r->program.variables - *first;
    return reader_expect(r, ")");
}

static bool read_three(struct reader *r, uint32_t three[3])
{
    bool more = true;
    three[1] = three[2] = 1;
    for (int n = 0; more; n++)
        if (n == 3)
            return reader_fail(r, "expected three numbers at most");
        else if (!reader_integer(r, &three[n]) || !reader_skip(r, ",", &more))
            return false;
    return true;
}

/* .maxntid and its like, between the parameters and the body. */
static bool read_performance(struct reader *r, struct vm_function *f)
{
    static const struct {
        const char *word;
        int numbers; /* 1, or 3 for a list */
    } directives[] = {{".maxntid", 3},        {".reqntid", 3},         {".reqnctapercluster", 3},
                      {".minnctapersm", 1},   {".maxnctapersm", 1},    {".maxnreg", 1},
                      {".maxclusterrank", 1}, {".explicitcluster", 0}, {".blocksareclusters", 0},
                      {".noreturn", 0},       {".abi_preserve", 1},    {".abi_preserve_control", 1}};
    enum { EXACT = 1, CLUSTER = 2, DIRECTIVES = sizeof directives / sizeof *directives };
    while (r->token.kind == LEX_DOT) {
        uint32_t number[3];
        size_t d = 0;
        bool was;
        if (!reader_remark(r, &was))
            return false;
        if (was)
            continue;
        while (d < DIRECTIVES && !reader_is(r, directives[d].word))
            d++;
        if (d == DIRECTIVES)
            return reader_fail(r, "no such directive of a function");
        if (!reader_next(r) || (directives[d].numbers == 3 && !read_three(r, number)) ||
            (directives[d].numbers == 1 && !reader_integer(r, number)))
            return false;
        if (directives[d].numbers == 3)
            memcpy(d == CLUSTER ? f->cluster : f->maxntid, number, sizeof number);
        f->exact_ntid = f->exact_ntid || d == EXACT;
    }
    return true;
}

/* The function of this name, as declared before or new. */
static bool find_function(struct reader *r, bool entry, uint32_t *index)
{
    struct vm_program *p = &r->program;
    struct read_name *name = reader_token_name(r);
    if (!name)
        return false;
    if (name->top && name->top->kind == READ_FUNCTION && p->function[name->top->index].instructions == 0 &&
        p->function[name->top->index].entry == entry) {
        *index = name->top->index;
        return reader_next(r);
    }
    if (name->top)
        return reader_fail(r, "a name is declared twice");
    struct vm_function *list = reader_grow(r, &r->kept, p->function, p->functions, &r->function_room, sizeof *list);
    if (!list)
        return false;
    p->function = list;
    list[p->functions] = (struct vm_function){.name = name->text, .entry = entry, .line = r->token.line};
    *index = p->functions;
    /* At the module's level, whatever scope is open for the parameters. */
    uint32_t depth = r->depth;
    r->depth = 0;
    struct read_binding *b = reader_bind(r, name, READ_FUNCTION, p->functions++);
    r->depth = depth;
    return b && reader_next(r);
}

static bool new_label(struct reader *r, const struct lex_token *at, const struct read_label *one)
{
    struct read_name *name = reader_name(r, r->lexer.text + at->at, at->length);
    if (!name)
        return false;
    for (const struct read_label *l = name->label; l; l = l->older)
        if (l->scope == one->scope) {
            r->status = lex_fail(&r->lexer, at->line, at->column, r->error, "label %.200s stands twice", name->text);
            return false;
        }
    struct read_label *l = reader_alloc(r, &r->scratch, sizeof *l);
    if (!l)
        return false;
    *l = *one;
    l->older = name->label;
    name->label = l;
    return true;
}

/* NAME: has been taken. What may follow it: a list of targets, a prototype, or whatever the label stands at. */
static bool read_label(struct reader *r, const struct lex_token *at)
{
    struct read_label l = {.kind = VM_LABEL, .scope = r->scope[r->depth], .at = r->program.instructions};
    bool more = true;
    if (reader_is(r, ".branchtargets")) {
        l.kind = VM_TARGETS;
        l.at = r->program.elements;
        if (!reader_next(r))
            return false;
        while (more)
            if (!reader_target(r) || !reader_skip(r, ",", &more))
                return false;
        l.count = r->program.elements - l.at;
        if (!reader_expect(r, ";"))
            return false;
    } else if (reader_is(r, ".calltargets") || reader_is(r, ".callprototype")) {
        l.kind = VM_TARGETS;
        while (!reader_is(r, ";")) {
            if (r->token.kind == LEX_END)
                return reader_fail(r, "a directive has no end");
            if (!reader_next(r))
                return false;
        }
        if (!reader_next(r))
            return false;
    }
    return new_label(r, at, &l);
}

/* @p or @!p, whose sign has been taken. */
static bool read_guard(struct reader *r, struct read_guard *guard)
{
    struct read_binding *b;
    if (!reader_skip(r, "!", &guard->negated))
        return false;
    struct read_name *name = reader_token_name(r);
    if (!name || !reader_find(r, name, &b))
        return false;
    if (!b || b->kind != READ_REGISTER || b->bits != 1)
        return reader_fail(r, "a guard is a predicate");
    guard->row = b->index;
    return reader_next(r);
}

static bool read_statement(struct reader *r)
{
    struct read_guard guard = {.row = VM_NONE};
    bool was, external, guarded;
    if (!reader_remark(r, &was) || was)
        return was;
    if (!reader_skip(r, ".reg", &was))
        return false;
    if (was)
        return reader_registers(r);
    if (!reader_skip(r, ".extern", &external) || !reader_declaration(r, external, &was) || was)
        return was;
    if (external)
        return reader_fail(r, "expected a variable");
    if (!reader_skip(r, "@", &guarded) || (guarded && !read_guard(r, &guard)))
        return false;
    struct lex_token at = r->token;
    if (at.kind != LEX_NAME)
        return reader_fail(r, "expected an instruction");
    if (!reader_next(r))
        return false;
    if (!reader_is(r, ":") || guarded)
        return reader_instruction(r, &at, &guard);
    return reader_next(r) && read_label(r, &at);
}

/* Behind the opening brace, up to and with the closing one. */
static bool read_statements(struct reader *r)
{
    uint32_t outside = r->depth;
    for (;;) {
        bool was;
        if (r->token.kind == LEX_END)
            return reader_fail(r, "a body has no end");
        if (!reader_skip(r, ";", &was))
            return false;
        if (was)
            continue;
        if (reader_is(r, "{")) {
            if (!reader_enter(r) || !reader_next(r))
                return false;
        } else if (!reader_is(r, "}")) {
            if (!read_statement(r))
                return false;
        } else if (r->depth == outside) {
            return true; /* the brace is left to who entered the scope */
        } else {
            reader_leave(r);
            if (!reader_next(r))
                return false;
        }
    }
}

static bool read_body(struct reader *r, uint32_t function)
{
    struct vm_program *p = &r->program;
    uint32_t first = p->instructions;
    r->pendings = 0;
    if (!read_statements(r))
        return false;
    /* Whoever runs into the end returns; a label may stand there. */
    if (!reader_append_operation(r, "ret", r->token.line, r->token.column) || !reader_resolve(r))
        return false;
    p->function[function].first = first;
    p->function[function].instructions = p->instructions - first;
    return reader_next(r);
}

bool reader_function(struct reader *r, bool entry)
{
    struct vm_function head = {.result = r->program.variables};
    uint32_t index = VM_NONE;
    bool body;
    if (!reader_enter(r))
        return false;
    if (!entry && !read_parameters(r, false, &head.result, &head.results))
        return false;
    if (!find_function(r, entry, &index) || !read_parameters(r, entry, &head.parameter, &head.parameters) ||
        !read_performance(r, &head) || !reader_skip(r, "{", &body))
        return false;
    r->function = index;
    head.name = r->program.function[index].name;
    head.line = r->program.function[index].line;
    head.entry = entry;
    r->program.function[index] = head;
    for (uint32_t v = head.result; v < r->program.variables; v++)
        r->program.variable[v].function = index;
    if (body ? !read_body(r, index) : !reader_expect(r, ";"))
        return false;
    r->function = VM_NONE;
    reader_leave(r);
    return true;
}
