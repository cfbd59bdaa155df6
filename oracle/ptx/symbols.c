#include "oracle/ptx/symbols.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

static enum status no_memory(struct error *e)
{
    return error_set(e, STATUS_NO_MEMORY, "no memory for the names of a PTX module");
}

static uint32_t hash(const char *name, uint32_t length, uint32_t scope)
{
    uint64_t h = 0xcbf29ce484222325u ^ scope * 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)name[i]) * 0x100000001b3u;
    h ^= h >> 29;
    return (uint32_t)(h * 0xbf58476d1ce4e5b9u >> 32);
}

enum status symbols_make(const char *text, struct symbols *s, struct error *e)
{
    struct symbols made = {.text = text, .slots = 2 * FIRST_CAPACITY};
    made.slot = calloc(made.slots, sizeof *made.slot);
    made.parent = malloc(FIRST_CAPACITY * sizeof *made.parent);
    made.depth = malloc(FIRST_CAPACITY);
    if (!made.slot || !made.parent || !made.depth) {
        symbols_free(&made);
        return no_memory(e);
    }
    made.scope_capacity = FIRST_CAPACITY;
    made.parent[0] = SYMBOL_NONE;
    made.depth[0] = 0;
    made.scopes = 1;
    *s = made;
    return STATUS_OK;
}

void symbols_free(struct symbols *s)
{
    free(s->symbol);
    free(s->slot);
    free(s->parent);
    free(s->depth);
    free(s->register_symbol);
    *s = (struct symbols){0};
}

enum status symbols_open(struct symbols *s, uint32_t parent, uint32_t *scope, bool *fits, struct error *e)
{
    *fits = s->depth[parent] < SYMBOLS_DEPTH;
    if (!*fits)
        return STATUS_OK;
    if (s->scopes == s->scope_capacity) {
        uint32_t capacity = 2 * s->scope_capacity;
        uint32_t *parents = realloc(s->parent, capacity * sizeof *parents);
        if (!parents)
            return no_memory(e);
        s->parent = parents;
        uint8_t *depths = realloc(s->depth, capacity);
        if (!depths)
            return no_memory(e);
        s->depth = depths;
        s->scope_capacity = capacity;
    }
    s->parent[s->scopes] = parent;
    s->depth[s->scopes] = (uint8_t)(s->depth[parent] + 1);
    *scope = s->scopes++;
    return STATUS_OK;
}

/* The slot that holds the name in exactly this scope, or the empty one where it belongs. */
static uint32_t *probe(const struct symbols *s, const char *name, uint32_t length, uint32_t scope)
{
    for (uint32_t i = hash(name, length, scope);; i++) {
        uint32_t *slot = &s->slot[i & (s->slots - 1)];
        if (*slot == 0)
            return slot;
        const struct symbol *symbol = &s->symbol[*slot - 1];
        if (symbol->scope == scope && symbol->length == length && memcmp(s->text + symbol->at, name, length) == 0)
            return slot;
    }
}

static enum status grow_symbols(struct symbols *s, struct error *e)
{
    uint32_t capacity = s->capacity ? 2 * s->capacity : FIRST_CAPACITY;
    struct symbol *symbols = realloc(s->symbol, capacity * sizeof *symbols);
    if (!symbols)
        return no_memory(e);
    s->symbol = symbols;
    uint32_t *slots = calloc(2 * (size_t)capacity, sizeof *slots);
    if (!slots)
        return no_memory(e);
    free(s->slot);
    s->slot = slots;
    s->slots = 2 * capacity;
    s->capacity = capacity;
    for (uint32_t i = 0; i < s->count; i++)
        *probe(s, s->text + symbols[i].at, symbols[i].length, symbols[i].scope) = i + 1;
    return STATUS_OK;
}

static enum status grow_registers(struct symbols *s, struct error *e)
{
    uint32_t capacity = s->register_capacity ? 2 * s->register_capacity : FIRST_CAPACITY;
    uint32_t *registers = realloc(s->register_symbol, capacity * sizeof *registers);
    if (!registers)
        return no_memory(e);
    s->register_symbol = registers;
    s->register_capacity = capacity;
    return STATUS_OK;
}

enum status symbols_declare(struct symbols *s, const struct symbol *symbol, uint32_t *known, struct error *e)
{
    enum status status = STATUS_OK;
    if (s->count == s->capacity)
        status = grow_symbols(s, e);
    if (status == STATUS_OK && symbol->kind == SYMBOL_REGISTER && s->registers == s->register_capacity)
        status = grow_registers(s, e);
    if (status != STATUS_OK)
        return status;
    uint32_t *slot = probe(s, s->text + symbol->at, symbol->length, symbol->scope);
    *known = *slot ? *slot - 1 : SYMBOL_NONE;
    if (*slot)
        return STATUS_OK;
    struct symbol *added = &s->symbol[s->count];
    *added = *symbol;
    if (symbol->kind == SYMBOL_REGISTER) {
        added->value = s->registers;
        s->register_symbol[s->registers++] = s->count;
    }
    *slot = ++s->count;
    return STATUS_OK;
}

/* The range of a scope that holds the name: "%r12" is the register 12 of %r<...> or the register 2 of %r1<...>. */
static uint32_t find_range(const struct symbols *s, uint32_t at, uint32_t length, uint32_t scope, uint32_t before)
{
    const char *name = s->text + at;
    uint64_t number = 0, unit = 1;
    for (uint32_t prefix = length - 1; prefix > 0 && unit <= UINT32_MAX; prefix--, unit *= 10) {
        char digit = name[prefix];
        if (digit < '0' || digit > '9')
            break;
        number += unit * (uint64_t)(digit - '0');
        if (digit == '0' && prefix + 1 < length)
            continue; /* a number is written without leading zeros */
        uint32_t found = *probe(s, name, prefix, scope);
        if (!found)
            continue;
        const struct symbol *range = &s->symbol[found - 1];
        if (range->kind == SYMBOL_RANGE && range->declared < before && number < range->value)
            return found - 1;
    }
    return SYMBOL_NONE;
}

enum status symbols_find(struct symbols *s, uint32_t at, uint32_t length, uint32_t scope, uint32_t before,
                         uint32_t *found, struct error *e)
{
    *found = SYMBOL_NONE;
    for (; scope != SYMBOL_NONE; scope = s->parent[scope]) {
        uint32_t symbol = *probe(s, s->text + at, length, scope);
        if (symbol && s->symbol[symbol - 1].declared < before) {
            *found = symbol - 1;
            return STATUS_OK;
        }
        uint32_t range = symbol ? SYMBOL_NONE : find_range(s, at, length, scope, before);
        if (range == SYMBOL_NONE)
            continue;
        struct symbol one = s->symbol[range];
        one.kind = SYMBOL_REGISTER;
        one.at = at;
        one.length = length;
        uint32_t known;
        enum status status = symbols_declare(s, &one, &known, e);
        *found = s->count - 1;
        return status;
    }
    return STATUS_OK;
}
