#include "reference/ptx/read.h"

#include <stdio.h>
#include <string.h>

enum { RANGE_DIGITS = 9 };

bool reader_enter(struct reader *r)
{
    if (r->depth == READ_DEPTH)
        return reader_fail(r, "scopes are nested too deeply");
    uint32_t *parent = reader_grow(r, &r->scratch, r->parent, r->scopes, &r->parent_room, sizeof *parent);
    if (!parent)
        return false;
    r->parent = parent;
    parent[r->scopes] = r->scope[r->depth];
    r->depth++;
    r->scope[r->depth] = r->scopes++;
    r->declared[r->depth] = NULL;
    return true;
}

void reader_leave(struct reader *r)
{
    for (struct read_binding *b = r->declared[r->depth]; b; b = b->sibling)
        b->name->top = b->outer;
    r->depth--;
}

static struct read_binding *bind_at(struct reader *r, struct read_name *name, enum read_kind kind, uint32_t depth)
{
    struct read_binding *b = reader_alloc(r, &r->scratch, sizeof *b);
    if (!b)
        return NULL;
    struct read_binding **at = &name->top; /* below what inner scopes declared */
    while (*at && (*at)->depth > depth)
        at = &(*at)->outer;
    *b = (struct read_binding){.kind = kind, .name = name, .outer = *at, .sibling = r->declared[depth], .depth = depth};
    r->declared[depth] = b;
    *at = b;
    return b;
}

struct read_binding *reader_here(const struct reader *r, const struct read_name *name)
{
    return name->top && name->top->depth == r->depth ? name->top : NULL;
}

struct read_binding *reader_bind(struct reader *r, struct read_name *name, enum read_kind kind, uint32_t index)
{
    if (reader_here(r, name)) {
        char what[READ_TEXT];
        snprintf(what, sizeof what, "%.200s is declared twice", name->text);
        reader_fail(r, what);
        return NULL;
    }
    struct read_binding *b = bind_at(r, name, kind, r->depth);
    if (b)
        b->index = index;
    return b;
}

/* name, or name<number> */
static bool one_register(struct reader *r, uint32_t bits)
{
    struct read_name *name = reader_token_name(r);
    struct read_binding *b;
    uint32_t count;
    bool range;
    if (!name || !(b = reader_bind(r, name, READ_REGISTER, VM_NONE)) || !reader_next(r) || !reader_skip(r, "<", &range))
        return false;
    b->bits = bits;
    if (!range)
        return true;
    if (!reader_integer(r, &count) || !reader_expect(r, ">"))
        return false;
    b->kind = READ_RANGE;
    b->index = count;
    return true;
}

bool reader_registers(struct reader *r)
{
    char word[READ_TEXT];
    if (r->token.kind != LEX_DOT)
        return reader_fail(r, "expected the type of a register");
    snprintf(word, sizeof word, "%.*s", (int)r->token.length - 1, r->lexer.text + r->token.at + 1);
    enum vm_type type = vm_type_find(word);
    if (type == VM_UNTYPED)
        return reader_fail(r, word[0] == 'v' ? "vectors of registers are not read" : "no such type of register");
    unsigned bits = vm_type_bits(type);
    if (bits < 8 && type != VM_PRED)
        return reader_fail(r, "no such type of register");
    bool more = true;
    if (!reader_next(r))
        return false;
    while (more)
        if (!one_register(r, bits) || !reader_skip(r, ",", &more))
            return false;
    return reader_expect(r, ";");
}

/* The declared range that holds a name such as %r12: of those in the innermost scope. *digits: bytes of its number. */
static bool find_range(struct reader *r, const struct read_name *name, struct read_binding **found)
{
    uint32_t number = 0, scale = 1;
    *found = NULL;
    for (uint32_t digits = 1; digits < name->length && digits <= RANGE_DIGITS; digits++, scale *= 10) {
        char digit = name->text[name->length - digits];
        if (digit < '0' || digit > '9')
            break;
        number += (uint32_t)(digit - '0') * scale;
        if (digit == '0' && digits > 1)
            continue; /* %r012 is not one of %r<100> */
        const struct read_name *prefix = reader_name(r, name->text, name->length - digits);
        if (!prefix)
            return false;
        for (struct read_binding *b = prefix->top; b; b = b->outer)
            if (b->kind == READ_RANGE && number < b->index && (!*found || b->depth > (*found)->depth))
                *found = b;
    }
    return true;
}

static bool give_row(struct reader *r, struct read_binding *b)
{
    struct vm_program *p = &r->program;
    uint32_t *bits = reader_grow(r, &r->kept, p->row_bits, p->rows, &r->bits_room, sizeof *bits);
    if (!bits)
        return false;
    p->row_bits = bits;
    const char **names = reader_grow(r, &r->kept, p->row_name, p->rows, &r->name_room, sizeof *names);
    if (!names)
        return false;
    p->row_name = names;
    bits[p->rows] = b->bits;
    names[p->rows] = b->name->text;
    b->index = p->rows++;
    return true;
}

bool reader_find(struct reader *r, struct read_name *name, struct read_binding **found)
{
    struct read_binding *b = name->top, *range;
    while (b && b->kind == READ_RANGE)
        b = b->outer; /* %r<100> declares no %r */
    if (!b || b->depth < r->depth) {
        if (!find_range(r, name, &range))
            return false;
        if (range && (!b || range->depth > b->depth)) {
            b = bind_at(r, name, READ_REGISTER, range->depth);
            if (!b)
                return false;
            b->bits = range->bits;
            b->index = VM_NONE;
        }
    }
    if (b && b->kind == READ_REGISTER && b->index == VM_NONE && !give_row(r, b))
        return false;
    *found = b;
    return true;
}
