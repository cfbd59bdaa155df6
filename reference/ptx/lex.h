/* lex: the tokens of a PTX text, each with its byte offset, line and column.
 *
 * A name holds no dot: `%tid.x` is a name and a dot token, an opcode is a name and its modifiers. A dot token takes in
 * the double colons of a modifier (`.shared::cta`). Comments and blanks are passed over.
 * source: PTX ISA, "Syntax": source format, comments, identifiers, constants. */
#ifndef FO_REFERENCE_PTX_LEX_H
#define FO_REFERENCE_PTX_LEX_H

#include <stdbool.h>

#include "reference/status.h"

enum lex_kind { LEX_END, LEX_NAME, LEX_DOT, LEX_NUMBER, LEX_STRING, LEX_PUNCTUATION };

struct lex_token {
    enum lex_kind kind;
    uint32_t at, length;   /* bytes; a string includes its quotes */
    uint32_t line, column; /* from 1 */
};

struct lexer {
    const char *path, *text;
    uint32_t size;
    uint32_t at, line, line_at; /* where the next token is looked for; offset of the first byte of its line */
};

/* errors: STATUS_BAD_INPUT at a comment or string without an end and at a byte that starts no token. */
enum status lex_next(struct lexer *l, struct lex_token *t, struct error *e);
bool lex_is(const struct lexer *l, const struct lex_token *t, const char *text);
/* Value of a decimal or hexadecimal integer token; false for other numbers and above 2^32 - 1. */
bool lex_integer(const struct lexer *l, const struct lex_token *t, uint32_t *value);

/* Report STATUS_BAD_INPUT at a place of the text. why: printf format, one sentence. */
enum status lex_fail(const struct lexer *l, uint32_t line, uint32_t column, struct error *e, const char *why, ...)
    STATUS_PRINTF(5, 6);
/* The same: "<what> near 'TOKEN'". */
enum status lex_unexpected(const struct lexer *l, const struct lex_token *t, struct error *e, const char *what);

#endif
