/* mutants: small changes of a text, as data: which bytes make way for which.
 *
 * A mutant is one or more edits of the original, which do not overlap. Nothing is applied until somebody asks for the
 * text of one. A list that ran out of memory says so once, in `status`; adding to it is safe before and after. */
#ifndef FO_ORACLE_MUTATE_MUTANTS_H
#define FO_ORACLE_MUTATE_MUTANTS_H

#include <stdbool.h>

#include "oracle/answer/answer.h"

enum { MUTANTS_OPERATORS = 17, MUTANTS_ID_SIZE = 48, MUTANTS_EDITS = 8 };

struct mutant_edit {
    uint32_t at, length; /* bytes of the original that go */
    size_t text;         /* what comes: a string in the pool */
};

struct mutant {
    uint32_t which, index; /* which operator; number within it */
    uint32_t line, column; /* of the statement that it is about */
    size_t change;         /* what was done: a string in the pool */
    size_t edit;           /* first */
    uint32_t edits;
    bool chosen;
};

struct mutants {
    struct mutant *mutant;
    struct mutant_edit *edit;
    struct text pool;
    uint32_t count, room, edits, edit_room;
    uint32_t of[MUTANTS_OPERATORS]; /* how many of each operator */
    enum status status;
};

/* Names and explanations of the operators. */
struct mutants_operator {
    const char *name, *does;
};
extern const struct mutants_operator mutants_operators[MUTANTS_OPERATORS];

/* Begin a mutant; change: printf format, a few words. Then its edits; equal places keep the order of the calls. */
void mutants_add(struct mutants *l, uint32_t which, uint32_t line, uint32_t column, const char *change, ...)
    STATUS_PRINTF(5, 6);
void mutants_edit(struct mutants *l, uint32_t at, uint32_t length, const char *with, ...) STATUS_PRINTF(4, 5);
void mutants_free(struct mutants *l);

const char *mutants_change(const struct mutants *l, const struct mutant *m);
/* "operator:index" */
void mutants_id(const struct mutant *m, char id[MUTANTS_ID_SIZE]);
/* By that name, or by its number in the whole list; NULL without one. */
struct mutant *mutants_find(const struct mutants *l, const char *id);
/* Mark `count` of them (at least one of each operator that has any, as far as count goes), always the same for a seed;
 * 0 or more than there are: all. errors: STATUS_NO_MEMORY. */
enum status mutants_choose(struct mutants *l, uint64_t count, uint64_t seed, struct error *e);
/* The text with one of them. errors: STATUS_NO_MEMORY. */
enum status mutants_apply(const struct mutants *l, const struct mutant *m, const char *text, size_t size,
                          struct text *out, struct error *e);

#endif
