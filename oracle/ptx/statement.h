/* statement: one PTX instruction, with the registers that it reads and writes. */
#ifndef FO_ORACLE_PTX_STATEMENT_H
#define FO_ORACLE_PTX_STATEMENT_H

#include "oracle/ptx/module.h"

enum { PTX_OPCODE_SIZE = 160 };

/* Parse the instruction that begins with `first` (its guard or its opcode) up to its semicolon and append it to the
 * module. errors: as ptx_find_sites. */
enum status statement_parse(struct ptx_module *m, const struct lex_token *first, uint32_t scope, struct error *e);
/* The opcode that begins at `name` with its modifiers, without blanks between them; *after is the token behind it. */
enum status statement_opcode(struct lexer *l, const struct lex_token *name, char opcode[PTX_OPCODE_SIZE],
                             struct lex_token *after, struct error *e);
/* Append a statement of a kind without operands that spans a token. */
enum status statement_append(struct ptx_module *m, const struct lex_token *first, uint32_t scope, enum ptx_kind kind,
                             struct error *e);
/* Append a name that must turn out to be a label, for the last statement. */
enum status statement_use(struct ptx_module *m, const struct lex_token *name, uint32_t scope, struct error *e);

#endif
