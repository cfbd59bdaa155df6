/* read: what the parts of the reader of PTX share. Private to read*.c; program.h is what they make.
 *
 *     read.c           the module: directives, sections, what a program is freed with
 *     read_memory.c    arenas, names, lists that grow
 *     read_scope.c     what a name stands for, and where; rows of registers
 *     read_number.c    literals
 *     read_variable.c  variables and what they begin with
 *     read_function.c  heads and bodies of functions, labels
 *     read_operand.c   instructions and their operands
 *     read_special.c   special registers
 *     read_prepare.c   what is done once all is known: labels, operations, immediates
 *
 * A function that returns bool returns false after an error was recorded; a NULL for a pointer is the same. *was says
 * whether there was such a thing to read, and is only true when it has been read. */
#ifndef FO_REFERENCE_PTX_READ_H
#define FO_REFERENCE_PTX_READ_H

#include "reference/ptx/lex.h"
#include "reference/ptx/ops.h"
#include "reference/ptx/program.h"

enum { READ_DEPTH = 64, READ_DIMENSIONS = 8, READ_TEXT = 256 };

struct read_block;
struct read_arena {
    struct read_block *first, *open;
};

enum read_kind { READ_REGISTER, READ_RANGE, READ_VARIABLE, READ_FUNCTION };

/* What a name stands for from its declaration to the end of its scope. */
struct read_binding {
    enum read_kind kind;
    struct read_name *name;
    struct read_binding *outer;   /* what the name stood for before */
    struct read_binding *sibling; /* declared before in the same scope */
    uint32_t depth;               /* of its scope */
    uint32_t bits;                /* of a register */
    uint32_t index;               /* row (VM_NONE: not used yet), variable or function; number of a range */
};

/* An opcode with its words, taken apart once for all instructions that have it. */
struct read_opcode {
    const struct vm_op *op;
    const char *name, *word[VM_WORDS];
    uint32_t words;
    const char *why_not;
};

struct read_label {
    enum vm_operand_kind kind; /* VM_LABEL, VM_TARGETS (none for those of calls and for prototypes) */
    uint32_t scope;
    uint32_t at, count;       /* instruction; first element and number */
    struct read_label *older; /* of the same name */
};

struct read_name {
    const char *text; /* lives as long as the program */
    uint32_t length, hash;
    struct read_name *next; /* in its bucket */
    struct read_binding *top;
    struct read_label *label;
    struct read_opcode *opcode;
};

/* A name met before what it stands for is known: a label. */
struct read_pending {
    bool element;
    uint32_t index, scope; /* of the operand, or of the element */
    struct read_name *name;
    uint32_t line, column;
};

struct reader {
    struct lexer lexer;
    struct lex_token token; /* the next one */
    struct error *error;
    enum status status;
    struct read_arena kept, scratch; /* the program's; the reader's own */
    struct vm_program program;
    uint32_t instruction_room, operand_room, element_room, variable_room, function_room, bits_room, name_room;
    const struct read_opcode **opcode; /* of each instruction */
    uint32_t opcode_room;
    bool *external; /* of each variable: said to be defined elsewhere */
    uint32_t external_room;
    struct read_name **bucket;
    uint32_t buckets, names;
    struct read_binding *declared[READ_DEPTH + 1]; /* in each open scope, latest first */
    uint32_t scope[READ_DEPTH + 1];                /* the number of each open scope */
    uint32_t depth;
    uint32_t *parent; /* of each scope of the function, by number */
    uint32_t scopes, parent_room;
    struct read_pending *pending; /* of the function */
    uint32_t pendings, pending_room;
    uint32_t function;   /* the one that is read, VM_NONE outside */
    const char *why_not; /* of the instruction that is read */
};

/* read_memory.c */
void *reader_alloc(struct reader *r, struct read_arena *arena, size_t bytes); /* zeros */
/* Room for one more entry: the list, moved or not. */
void *reader_grow(struct reader *r, struct read_arena *arena, void *list, uint32_t count, uint32_t *room, size_t each);
void read_arena_free(struct read_arena *arena);
struct read_name *reader_name(struct reader *r, const char *text, size_t length);
struct read_name *reader_token_name(struct reader *r);

/* read.c */
bool reader_next(struct reader *r);
bool reader_is(const struct reader *r, const char *text);
bool reader_skip(struct reader *r, const char *text, bool *was); /* the token, if it is there */
bool reader_expect(struct reader *r, const char *text);
bool reader_fail(struct reader *r, const char *what); /* near the token */
bool reader_integer(struct reader *r, uint32_t *value);
/* Directives that may stand anywhere and say nothing of what is computed: .loc, .pragma, .file, .section. */
bool reader_remark(struct reader *r, bool *was);

/* read_scope.c */
bool reader_enter(struct reader *r);
void reader_leave(struct reader *r);
struct read_binding *reader_bind(struct reader *r, struct read_name *name, enum read_kind kind, uint32_t index);
struct read_binding *reader_here(const struct reader *r, const struct read_name *name); /* in the open scope, or NULL */
bool reader_registers(struct reader *r);                                                /* behind `.reg` */
/* What a name stands for: *found is NULL for nothing. A register has its row afterwards. */
bool reader_find(struct reader *r, struct read_name *name, struct read_binding **found);

/* read_number.c: the literal that is the token, behind a minus or not. */
bool reader_number(struct reader *r, bool negative, struct vm_operand *o);

/* read_variable.c */
struct read_place {
    enum vm_space space;
    bool external, parameter; /* parameter: one, without a semicolon */
    uint64_t *bytes;          /* how far the space is taken; NULL: nowhere */
};
/* Behind the directive of a space. */
bool reader_variables(struct reader *r, const struct read_place *place);
/* .shared, .local and .param in a body; the variables of a module. false in *was: none of them stands here. */
bool reader_declaration(struct reader *r, bool external, bool *was);

/* read_function.c: behind `.entry` or `.func`. */
bool reader_function(struct reader *r, bool entry);

/* read_operand.c: an instruction behind its first name, which may have been taken, and its guard. */
struct read_guard {
    uint32_t row;
    bool negated;
};
bool reader_instruction(struct reader *r, const struct lex_token *opcode, const struct read_guard *guard);
bool reader_append_operation(struct reader *r, const char *opcode, uint32_t line, uint32_t column);
/* The name of a label, as one more element. */
bool reader_target(struct reader *r);

/* read_special.c: a special register by its name and the component behind it, which is taken where there is one. */
bool reader_special(struct reader *r, const struct read_name *name, struct vm_operand *o, bool *was);

/* read_prepare.c */
bool reader_resolve(struct reader *r); /* the labels of a function */
bool reader_prepare(struct reader *r);

#endif
