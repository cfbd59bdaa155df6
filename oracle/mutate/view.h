/* view: a PTX module as the operators see it: its wgmma, the statements that they are, and their operands in tokens. */
#ifndef FO_ORACLE_MUTATE_VIEW_H
#define FO_ORACLE_MUTATE_VIEW_H

#include "oracle/ptx/module.h"
#include "oracle/ptx/sites.h"

enum { VIEW_LINE_MOST = 80, VIEW_TOKENS = 1024, VIEW_OPERANDS = 16, VIEW_OPCODE_SIZE = 160 };

struct view {
    struct ptx_module module;
    struct ptx_sites sites;
    uint32_t *statement; /* of each site */
    uint32_t *function;  /* of each site */
    uint32_t *body;      /* of each function: the byte behind its opening brace */
};

/* One operand: its tokens, commas and the semicolon excepted. */
struct view_operand {
    uint32_t first, tokens;
};

struct view_form {
    char opcode[VIEW_OPCODE_SIZE];
    struct lex_token token[VIEW_TOKENS]; /* of all operands */
    struct view_operand operand[VIEW_OPERANDS];
    uint32_t tokens, operands;
};

/* errors: as ptx_find_sites. text: outlives the view. */
enum status view_make(const char *path, const char *text, size_t size, struct view *out, struct error *e);
void view_free(struct view *v);

/* The tokens of a statement; false for one that has too many. */
bool view_form(const struct view *v, uint32_t statement, struct view_form *out);
/* The token of an operand that is one token, else NULL. */
const struct lex_token *view_single(const struct view_form *f, uint32_t operand);
/* The four register tokens of A of an .rs wgmma; false where they are none. */
bool view_a(const struct view *v, const struct view_form *f, const struct lex_token *a[PTX_A_REGISTERS]);
bool view_same(const struct view *v, const struct lex_token *a, const struct lex_token *b);
/* The register that an operand of one token names, or SYMBOL_NONE. */
uint32_t view_register(const struct view *v, uint32_t statement, uint32_t operand);
/* How much of a statement fits a line of a report. */
int view_line(const struct view *v, const struct ptx_statement *s);
#define VIEW_LINE(v, s) view_line(v, s), (v)->module.lexer.text + (s)->at
/* Bytes of a token in the text, for "%.*s". */
#define VIEW_TEXT(v, t) (int)(t)->length, (v)->module.lexer.text + (t)->at

#endif
