/* symbols: the names that a PTX module declares, by scope.
 *
 * Scope 0 is the module, a `{ }` opens another inside it; a name means its innermost declaration ahead of the place
 * where it is used. `.reg .b32 %r<100>` declares a hundred registers: they come to be as they are used, so that memory
 * follows the text and not the number in it. */
#ifndef FO_ORACLE_PTX_SYMBOLS_H
#define FO_ORACLE_PTX_SYMBOLS_H

#include <stdbool.h>

#include "reference/status.h"

enum { SYMBOLS_DEPTH = 64 };
#define SYMBOL_NONE UINT32_MAX
enum symbol_kind { SYMBOL_REGISTER, SYMBOL_RANGE, SYMBOL_VARIABLE, SYMBOL_LABEL };

struct symbol {
    uint32_t at, length; /* its name in the text, where it was first written */
    uint32_t scope;
    uint32_t declared; /* offset of the declaration */
    uint32_t value;    /* register: its number; range: how many; label: index of the statement behind it */
    enum symbol_kind kind;
    uint8_t bits, lanes; /* register: 1 for a predicate; components of a vector register */
};

struct symbols {
    const char *text;
    struct symbol *symbol;
    uint32_t *slot;            /* hash table of symbol index + 1 */
    uint32_t *parent;          /* of each scope */
    uint8_t *depth;            /* of each scope */
    uint32_t *register_symbol; /* of each register */
    uint32_t count, capacity, slots, scopes, scope_capacity, registers, register_capacity;
};

/* text: outlives the table. errors: STATUS_NO_MEMORY. */
enum status symbols_make(const char *text, struct symbols *s, struct error *e);
void symbols_free(struct symbols *s);

/* A new scope inside `parent`; false in *fits when that is nested too deep. errors: STATUS_NO_MEMORY. */
enum status symbols_open(struct symbols *s, uint32_t parent, uint32_t *scope, bool *fits, struct error *e);
/* Declare what `symbol` says; a register gets its number. *known: the scope's older symbol of this name, which stays,
 * or SYMBOL_NONE. errors: STATUS_NO_MEMORY. */
enum status symbols_declare(struct symbols *s, const struct symbol *symbol, uint32_t *known, struct error *e);
/* The symbol that a name means in a scope ahead of an offset, or SYMBOL_NONE. Pass UINT32_MAX for labels, which may be
 * used ahead of their declaration. errors: STATUS_NO_MEMORY. */
enum status symbols_find(struct symbols *s, uint32_t at, uint32_t length, uint32_t scope, uint32_t before,
                         uint32_t *found, struct error *e);

#endif
