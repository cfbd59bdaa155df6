#include "reference/ptx/read.h"

#include <stdio.h>
#include <string.h>

static const struct vm_operand blank = {.reg = VM_NONE, .variable = VM_NONE};

static bool push_operand(struct reader *r, const struct vm_operand *o)
{
    struct vm_program *p = &r->program;
    struct vm_operand *list = reader_grow(r, &r->kept, p->operand, p->operands, &r->operand_room, sizeof *list);
    if (!list)
        return false;
    p->operand = list;
    list[p->operands++] = *o;
    return true;
}

static bool push_element(struct reader *r, const struct vm_operand *o)
{
    struct vm_program *p = &r->program;
    struct vm_operand *list = reader_grow(r, &r->kept, p->element, p->elements, &r->element_room, sizeof *list);
    if (!list)
        return false;
    p->element = list;
    list[p->elements++] = *o;
    return true;
}

static bool push_pending(struct reader *r, const struct read_pending *one)
{
    struct read_pending *list = reader_grow(r, &r->scratch, r->pending, r->pendings, &r->pending_room, sizeof *list);
    if (!list)
        return false;
    r->pending = list;
    list[r->pendings++] = *one;
    return true;
}

static void use_binding(struct reader *r, const struct read_binding *b, struct vm_operand *o)
{
    const struct vm_program *p = &r->program;
    switch (b->kind) {
    case READ_REGISTER:
        o->kind = VM_REGISTER;
        o->reg = b->index;
        o->bits = b->bits;
        if (b->bits > 64)
            r->why_not = "a register of 128 bits";
        break;
    case READ_VARIABLE:
        o->kind = VM_SYMBOL;
        o->variable = b->index;
        o->space = p->variable[b->index].space;
        if (r->external[b->index])
            r->why_not = "a variable that another module defines";
        break;
    case READ_FUNCTION:
        o->kind = VM_FUNCTION;
        o->value = b->index;
        break;
    case READ_RANGE:
        break;
    }
}

/* The name that is the token. *later: it stands for nothing yet, so it must be a label. */
static bool read_name(struct reader *r, struct vm_operand *o, struct read_name **later)
{
    struct lex_token at = r->token;
    struct read_name *name = reader_token_name(r);
    struct read_binding *b;
    bool was;
    *later = NULL;
    if (!name || !reader_find(r, name, &b) || !reader_next(r))
        return false;
    if (b) {
        use_binding(r, b, o);
        return true;
    }
    if (strcmp(name->text, "_") == 0) {
        o->kind = VM_SINK;
        return true;
    }
    if (strcmp(name->text, "WARP_SZ") == 0) {
        o->kind = VM_IMMEDIATE;
        o->value = VM_LANES;
        return true;
    }
    if (!reader_special(r, name, o, &was) || was)
        return was;
    if (name->text[0] == '%') {
        r->status = lex_fail(&r->lexer, at.line, at.column, r->error, "%.200s is not declared", name->text);
        return false;
    }
    *later = name;
    return true;
}

/* A name or a number; !p. */
static bool read_simple(struct reader *r, struct vm_operand *o, struct read_name **later)
{
    bool negated, minus;
    *o = blank;
    *later = NULL;
    if (!reader_skip(r, "!", &negated) || !reader_skip(r, "-", &minus))
        return false;
    if (minus || r->token.kind == LEX_NUMBER) {
        if (negated)
            return reader_fail(r, "'!' stands before a predicate only");
        return reader_number(r, minus, o);
    }
    struct lex_token at = r->token;
    if (!read_name(r, o, later))
        return false;
    if (negated && (o->kind != VM_REGISTER || o->bits != 1)) {
        r->token = at;
        return reader_fail(r, "'!' stands before a predicate only");
    }
    o->negated = negated;
    return true;
}

static bool await_label(struct reader *r, struct read_name *name, const struct lex_token *at, bool element)
{
    struct read_pending one = {.element = element,
                               .index = element ? r->program.elements : r->program.operands,
                               .scope = r->scope[r->depth],
                               .name = name,
                               .line = at->line,
                               .column = at->column};
    return !name || push_pending(r, &one);
}

bool reader_target(struct reader *r)
{
    struct lex_token at = r->token;
    struct read_name *name = reader_token_name(r);
    return name && reader_next(r) && await_label(r, name, &at, true) && push_element(r, &blank);
}

static bool read_element(struct reader *r)
{
    struct vm_operand o;
    struct read_name *later;
    struct lex_token at = r->token;
    return read_simple(r, &o, &later) && await_label(r, later, &at, true) && push_element(r, &o);
}

/* Elements up to a closing bracket, behind the opening one. */
static bool read_elements(struct reader *r, const char *close, struct vm_operand *o)
{
    bool more = !reader_is(r, close);
    o->first = r->program.elements;
    while (more)
        if (!read_element(r) || !reader_skip(r, ",", &more))
            return false;
    o->count = r->program.elements - o->first;
    return reader_expect(r, close);
}

/* + N, +-N, - N: as often as they stand. */
static bool read_offset(struct reader *r, uint64_t *value)
{
    for (;;) {
        struct vm_operand n;
        bool plus, minus;
        if (!reader_skip(r, "+", &plus) || !reader_skip(r, "-", &minus))
            return false;
        if (!plus && !minus)
            return true;
        if (!reader_number(r, minus, &n))
            return false;
        if (n.float_bits)
            return reader_fail(r, "an offset is no float");
        *value += n.value;
    }
}

/* Behind the opening bracket. */
static bool read_address(struct reader *r, struct vm_operand *o)
{
    struct read_name *later;
    struct lex_token at = r->token;
    bool tensor;
    if (!read_simple(r, o, &later))
        return false;
    bool base = o->kind == VM_REGISTER || o->kind == VM_SYMBOL || (o->kind == VM_IMMEDIATE && !o->float_bits);
    if (later || !base || o->negated) {
        r->status = later ? lex_fail(&r->lexer, at.line, at.column, r->error, "%.200s is not declared", later->text)
                          : lex_fail(&r->lexer, at.line, at.column, r->error, "this is not an address");
        return false;
    }
    o->kind = VM_ADDRESS;
    if (!read_offset(r, &o->value) || !reader_skip(r, ",", &tensor))
        return false;
    if (tensor) {
        o->kind = VM_TENSOR;
        if (!reader_expect(r, "{") || !read_elements(r, "}", o))
            return false;
    }
    return reader_expect(r, "]");
}

/* Behind the first register of p|q. */
static bool read_pair(struct reader *r, struct vm_operand *o)
{
    struct vm_operand first = *o;
    if (first.kind != VM_REGISTER && first.kind != VM_SINK)
        return reader_fail(r, "'|' stands between registers");
    *o = blank;
    o->kind = VM_PAIR;
    o->first = r->program.elements;
    o->count = 2;
    return push_element(r, &first) && read_element(r);
}

static bool read_operand(struct reader *r)
{
    struct vm_operand o = blank;
    struct read_name *later = NULL;
    struct lex_token at = r->token;
    bool vector = reader_is(r, "{"), pair;
    if (reader_is(r, "[")) {
        if (!reader_next(r) || !read_address(r, &o))
            return false;
    } else if (vector || reader_is(r, "(")) {
        o.kind = VM_VECTOR;
        if (!reader_next(r) || !read_elements(r, vector ? "}" : ")", &o))
            return false;
    } else {
        if (!read_simple(r, &o, &later))
            return false;
        if (o.kind == VM_SYMBOL && !read_offset(r, &o.value))
            return false;
        if (!reader_skip(r, "|", &pair) || (pair && !read_pair(r, &o)))
            return false;
    }
    return await_label(r, later, &at, false) && push_operand(r, &o);
}

/* The opcode's name and its words, taken apart once. */
static const struct read_opcode *find_opcode(struct reader *r, const char *text)
{
    struct read_name *name = reader_name(r, text, strlen(text));
    size_t length;
    if (!name || name->opcode)
        return name ? name->opcode : NULL;
    struct read_opcode *o = reader_alloc(r, &r->scratch, sizeof *o);
    if (!o)
        return NULL;
    o->op = vm_op_find(text, &length);
    o->name = o->op ? o->op->name : name->text;
    o->why_not = o->op ? NULL : "the machine has no such operation";
    for (const char *at = text + length; o->op && *at;) {
        size_t bytes = strcspn(at + 1, ".");
        if (o->words == VM_WORDS) {
            o->why_not = "it has too many words";
            break;
        }
        const struct read_name *word = reader_name(r, at + 1, bytes);
        if (!word)
            return NULL;
        o->word[o->words++] = word->text;
        at += 1 + bytes;
    }
    name->opcode = o;
    return o;
}

static bool push_instruction(struct reader *r, const struct vm_instruction *i, const struct read_opcode *opcode)
{
    struct vm_program *p = &r->program;
    struct vm_instruction *list =
        reader_grow(r, &r->kept, p->instruction, p->instructions, &r->instruction_room, sizeof *list);
    if (!list)
        return false;
    p->instruction = list;
    const struct read_opcode **opcodes =
        reader_grow(r, &r->scratch, r->opcode, p->instructions, &r->opcode_room, sizeof *opcodes);
    if (!opcodes)
        return false;
    r->opcode = opcodes;
    list[p->instructions] = *i;
    opcodes[p->instructions++] = opcode;
    return true;
}

bool reader_append_operation(struct reader *r, const char *text, uint32_t line, uint32_t column)
{
    const struct read_opcode *o = find_opcode(r, text);
    struct vm_instruction i = {.operand = r->program.operands, .guard = VM_NONE, .line = line, .column = column};
    if (!o)
        return false;
    i.opcode = o->name;
    i.why_not = o->why_not;
    memcpy(i.word, o->word, sizeof i.word);
    i.words = o->words;
    return push_instruction(r, &i, o);
}

bool reader_instruction(struct reader *r, const struct lex_token *name, const struct read_guard *guard)
{
    char text[READ_TEXT];
    uint32_t first = r->program.operands;
    size_t length = name->length;
    bool more = true;
    snprintf(text, sizeof text, "%.*s", (int)length, r->lexer.text + name->at);
    while (length < sizeof text && r->token.kind == LEX_DOT) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%.*s", (int)r->token.length,
                                   r->lexer.text + r->token.at);
        if (!reader_next(r))
            return false;
    }
    if (length >= sizeof text)
        return reader_fail(r, "an opcode is too long");
    r->why_not = NULL;
    for (more = !reader_is(r, ";"); more;)
        if (!read_operand(r) || !reader_skip(r, ",", &more))
            return false;
    if (!reader_expect(r, ";") || !reader_append_operation(r, text, name->line, name->column))
        return false;
    struct vm_instruction *i = &r->program.instruction[r->program.instructions - 1];
    i->operand = first;
    i->operands = r->program.operands - first;
    i->guard = guard->row;
    i->guard_negated = guard->negated;
    i->why_not = i->why_not ? i->why_not : r->why_not;
    return true;
}
