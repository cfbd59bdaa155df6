#include "reference/ptx/read.h"

#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 1 << 30, MOST_INITIAL = 1 << 24 };

/* What is said of a variable before and behind its name. */
struct shape {
    enum vm_type type;
    uint32_t align;
    uint64_t extent[READ_DIMENSIONS + 1]; /* the vector last */
    uint32_t dimensions;
    bool open; /* the first one is [] */
};

static bool skip_attribute(struct reader *r)
{
    if (!reader_expect(r, "("))
        return false;
    while (!reader_is(r, ")")) {
        if (r->token.kind == LEX_END)
            return reader_fail(r, "expected ')'");
        if (!reader_next(r))
            return false;
    }
    return reader_next(r);
}

static bool is_space(const struct reader *r)
{
    return reader_is(r, ".global") || reader_is(r, ".const") || reader_is(r, ".local") || reader_is(r, ".shared") ||
           reader_is(r, ".param");
}

static bool read_align(struct reader *r, uint32_t *align)
{
    uint32_t n;
    if (!lex_integer(&r->lexer, &r->token, &n) || n == 0 || (n & (n - 1)) || n > MOST_BYTES)
        return reader_fail(r, "an alignment is a power of two");
    *align = n;
    return reader_next(r);
}

/* .align 4 .v2 .f32; .u64 .ptr .global .align 16, which speaks of what is pointed at */
static bool read_type(struct reader *r, struct shape *s, uint32_t *vector)
{
    bool pointer = false;
    uint32_t pointee;
    *s = (struct shape){.type = VM_UNTYPED};
    *vector = 1;
    while (r->token.kind == LEX_DOT) {
        struct lex_token at = r->token;
        char word[READ_TEXT];
        snprintf(word, sizeof word, "%.*s", (int)at.length - 1, r->lexer.text + at.at + 1);
        enum vm_type type = vm_type_find(word);
        if (!reader_next(r))
            return false;
        if (strcmp(word, "align") == 0) {
            if (!read_align(r, pointer ? &pointee : &s->align))
                return false;
        } else if (strcmp(word, "attribute") == 0) {
            if (!skip_attribute(r))
                return false;
        } else if (strcmp(word, "v2") == 0 || strcmp(word, "v4") == 0 || strcmp(word, "v8") == 0) {
            *vector = (uint32_t)(word[1] - '0');
        } else if (strcmp(word, "ptr") == 0 && s->type != VM_UNTYPED) {
            pointer = true;
            if (is_space(r) && !reader_next(r))
                return false;
        } else if (vm_type_bits(type) >= 8 && s->type == VM_UNTYPED) {
            s->type = type;
        } else {
            r->token = at;
            return reader_fail(r, "this says nothing of a variable");
        }
    }
    return s->type != VM_UNTYPED || reader_fail(r, "expected the type of a variable");
}

/* [4][8], [] */
static bool read_dimensions(struct reader *r, struct shape *s, uint32_t vector)
{
    bool more;
    uint32_t extent;
    s->dimensions = 0;
    s->open = false;
    while (reader_skip(r, "[", &more) && more) {
        if (s->dimensions == READ_DIMENSIONS)
            return reader_fail(r, "an array has too many dimensions");
        extent = 0;
        if (reader_is(r, "]") && s->dimensions == 0)
            s->open = true;
        else if (!reader_integer(r, &extent))
            return false;
        s->extent[s->dimensions++] = extent;
        if (!reader_expect(r, "]"))
            return false;
    }
    if (vector > 1)
        s->extent[s->dimensions++] = vector;
    return r->status == STATUS_OK;
}

/* Elements of one step of dimension d - 1: all of the dimensions from d on. */
static uint64_t elements_from(const struct shape *s, uint32_t d)
{
    uint64_t n = 1;
    for (; d < s->dimensions; d++)
        if (__builtin_mul_overflow(n, s->extent[d], &n))
            return UINT64_MAX;
    return n;
}

/* A value of an initialiser, as its bits. */
static bool read_value(struct reader *r, enum vm_type type, uint64_t *bits)
{
    struct vm_operand o;
    bool minus;
    if (r->token.kind == LEX_NAME)
        return reader_fail(r, "addresses in initialisers are not read");
    if (!reader_skip(r, "-", &minus) || !reader_number(r, minus, &o))
        return false;
    if (o.float_bits == 0 && vm_type_float(type))
        return reader_fail(r, "an integer begins a variable of floats");
    if (o.float_bits == 64 && vm_type_bits(type) == 32) {
        double wide;
        memcpy(&wide, &o.value, sizeof wide);
        float narrow = (float)wide;
        uint32_t pattern;
        memcpy(&pattern, &narrow, sizeof pattern);
        o.value = pattern;
    } else if (o.float_bits && o.float_bits != vm_type_bits(type)) {
        return reader_fail(r, "a float does not fit the variable");
    }
    *bits = o.value;
    return true;
}

struct filling {
    const struct shape *shape;
    uint8_t *bytes;
    uint32_t room; /* of bytes, where the first dimension is open */
    uint64_t most; /* elements */
};

static bool put_value(struct reader *r, struct filling *f, uint64_t at)
{
    unsigned size = vm_type_bits(f->shape->type) / 8;
    uint64_t bits = 0;
    if (at >= f->most)
        return reader_fail(r, "an initialiser holds more than its variable");
    if (!read_value(r, f->shape->type, &bits))
        return false;
    while ((at + 1) * size > f->room) {
        uint32_t before = f->room;
        uint8_t *grown = reader_grow(r, &r->scratch, f->bytes, f->room, &f->room, 1);
        if (!grown)
            return false;
        memset(grown + before, 0, f->room - before);
        f->bytes = grown;
    }
    for (unsigned b = 0; b < size && b < sizeof bits; b++)
        f->bytes[at * size + b] = (uint8_t)(bits >> 8 * b);
    return true;
}

/* Behind the opening brace of dimension d, whose first element is `at`. *end: behind the last one given. */
static bool fill(struct reader *r, struct filling *f, uint32_t d, uint64_t at, uint64_t *end)
{
    uint64_t stride = elements_from(f->shape, d + 1);
    bool more = !reader_is(r, "}"), nested;
    if (d >= f->shape->dimensions)
        return reader_fail(r, "an initialiser has more braces than its variable has dimensions");
    for (uint64_t next = at; more;) {
        if (!reader_skip(r, "{", &nested))
            return false;
        if (nested) {
            next = at + (next - at + stride - 1) / stride * stride;
            if (!fill(r, f, d + 1, next, end))
                return false;
            next += stride;
        } else if (!put_value(r, f, next++)) {
            return false;
        }
        *end = next;
        if (!reader_skip(r, ",", &more))
            return false;
    }
    return reader_expect(r, "}");
}

/* Behind the equals sign. */
static bool read_initial(struct reader *r, struct shape *s, const uint8_t **initial)
{
    uint64_t steps = elements_from(s, s->open ? 1 : 0), end = 0;
    uint32_t most = MOST_INITIAL / (vm_type_bits(s->type) / 8);
    struct filling f = {.shape = s, .most = s->open ? most : steps};
    bool list;
    if (steps == 0 || steps > most)
        return reader_fail(r, "only arrays of 16 MiB at most have an initialiser");
    if (!reader_skip(r, "{", &list) || !(list ? fill(r, &f, 0, 0, &end) : put_value(r, &f, 0)))
        return false;
    if (s->open)
        s->extent[0] = (end + steps - 1) / steps;
    uint64_t bytes = elements_from(s, 0) * (vm_type_bits(s->type) / 8);
    uint8_t *whole = reader_alloc(r, &r->kept, bytes);
    if (!whole)
        return false;
    if (f.bytes)
        memcpy(whole, f.bytes, f.room < bytes ? f.room : bytes);
    *initial = whole;
    return true;
}

static bool new_variable(struct reader *r, const struct vm_variable *v, bool external)
{
    struct vm_program *p = &r->program;
    struct vm_variable *list = reader_grow(r, &r->kept, p->variable, p->variables, &r->variable_room, sizeof *list);
    if (!list)
        return false;
    p->variable = list;
    bool *externals = reader_grow(r, &r->scratch, r->external, p->variables, &r->external_room, sizeof *externals);
    if (!externals)
        return false;
    r->external = externals;
    list[p->variables] = *v;
    externals[p->variables++] = external;
    return true;
}

/* Declare it, or define what an .extern declared before. extern .shared is a definition. */
static bool declare(struct reader *r, struct read_name *name, struct vm_variable *v, const struct read_place *place)
{
    bool external = place->external && v->space != VM_SHARED;
    struct read_binding *b = reader_here(r, name);
    if (b && b->kind == READ_VARIABLE && r->program.variable[b->index].space == v->space &&
        (r->external[b->index] || place->external)) {
        if (!external && v->space != VM_SHARED) {
            r->program.variable[b->index] = *v;
            r->external[b->index] = false;
        }
        return true;
    }
    if (place->bytes && v->bytes > 0) {
        uint64_t at = (*place->bytes + v->align - 1) & ~(uint64_t)(v->align - 1);
        v->at = at;
        *place->bytes = at + v->bytes;
    }
    return reader_bind(r, name, READ_VARIABLE, r->program.variables) && new_variable(r, v, external);
}

static bool one_variable(struct reader *r, struct shape *s, uint32_t vector, const struct read_place *place)
{
    struct lex_token at = r->token;
    struct read_name *name = reader_token_name(r);
    struct vm_variable v = {.space = place->space, .function = r->function};
    bool given;
    if (!name || !reader_next(r) || !read_dimensions(r, s, vector) || !reader_skip(r, "=", &given))
        return false;
    if (given && v.space != VM_GLOBAL && v.space != VM_CONST)
        return reader_fail(r, "only global and constant variables have an initialiser");
    if (given && !read_initial(r, s, &v.initial))
        return false;
    uint64_t size = vm_type_bits(s->type) / 8, count = elements_from(s, 0);
    struct lex_token behind = r->token;
    r->token = at;
    if (__builtin_mul_overflow(count, size, &v.bytes) || v.bytes > MOST_BYTES)
        return reader_fail(r, "a variable is too large");
    if (v.bytes == 0 && !place->external)
        return reader_fail(r, "a variable of no bytes is not .extern");
    v.name = name->text;
    v.align = s->align ? s->align : (uint32_t)size * vector;
    if (!declare(r, name, &v, place))
        return false;
    r->token = behind;
    return true;
}

bool reader_variables(struct reader *r, const struct read_place *place)
{
    struct shape s;
    uint32_t vector;
    bool more = true;
    if (!read_type(r, &s, &vector))
        return false;
    if (place->parameter)
        return one_variable(r, &s, vector, place);
    while (more)
        if (!one_variable(r, &s, vector, place) || !reader_skip(r, ",", &more))
            return false;
    return reader_expect(r, ";");
}

bool reader_declaration(struct reader *r, bool external, bool *was)
{
    struct vm_program *p = &r->program;
    const struct {
        const char *word;
        struct read_place place;
        bool inside, outside; /* of functions */
    } kinds[] = {
        {".global", {.space = VM_GLOBAL, .external = external}, true, true},
        {".const", {.space = VM_CONST, .external = external}, true, true},
        {".shared", {.space = VM_SHARED, .external = external, .bytes = &p->shared_bytes}, true, true},
        {".local", {.space = VM_LOCAL, .bytes = &p->local_bytes}, true, false},
        {".param", {.space = VM_LOCAL, .bytes = &p->local_bytes}, true, false},
    };
    *was = false;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (reader_is(r, kinds[k].word)) {
            if (r->function == VM_NONE ? !kinds[k].outside : !kinds[k].inside)
                return reader_fail(r, "such a variable stands in a function");
            *was = reader_next(r) && reader_variables(r, &kinds[k].place);
            return *was;
        }
    return true;
}
