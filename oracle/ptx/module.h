/* module: a PTX text as functions, statements and the registers that they touch.
 *
 * Directives are passed over by their structure; what is kept is what a register can flow through. A label is no
 * statement: it belongs to the one behind it. `.branchtargets` is kept as a statement that does nothing, because an
 * indexed branch goes where its names go. */
#ifndef FO_ORACLE_PTX_MODULE_H
#define FO_ORACLE_PTX_MODULE_H

#include "reference/ptx/lex.h"
#include "oracle/ptx/symbols.h"

enum ptx_kind {
    PTX_PLAIN,
    PTX_COPY,    /* mov of one whole register to another */
    PTX_BRANCH,  /* bra */
    PTX_INDEXED, /* brx.idx */
    PTX_TARGETS, /* .branchtargets */
    PTX_LEAVE,   /* ret, exit, trap */
    PTX_MMA,     /* wgmma.mma_async */
    PTX_FENCE,   /* wgmma.fence */
    PTX_COMMIT,  /* wgmma.commit_group */
    PTX_WAIT     /* wgmma.wait_group; value: how many groups may stay pending */
};

enum { PTX_WRITTEN = 1, PTX_PART = 2, PTX_GUARD = 4 };

/* Steps that the analysis of one module may take, about a second: what ends a text made to tangle it. */
#define MODULE_STEPS (UINT64_C(1) << 30)

/* A register in an operand. */
struct ptx_ref {
    uint32_t reg;
    uint8_t operand; /* 0 for the guard; 255 stands for all behind it, too */
    uint8_t flags;   /* of PTX_WRITTEN, PTX_PART (a component or bytes of it), PTX_GUARD */
};

/* A name that is no register: a label, where no variable has it. */
struct ptx_use {
    uint32_t at, length, line, column;
    uint32_t scope, statement;
    uint32_t target; /* index of the statement behind the label */
};

struct ptx_statement {
    uint32_t at, end; /* bytes, with guard and semicolon */
    uint32_t line, column;
    uint32_t scope, value;
    uint32_t ref, refs, use, uses; /* first and number */
    enum ptx_kind kind;
    bool guarded;
    uint32_t loc; /* 1 + index of the .loc in force, 0 without one */
};

struct ptx_function {
    uint32_t name_at, name_length;
    uint32_t statement, statements, registers_from, registers_to;
};

struct ptx_loc {
    uint32_t file, line;
};

struct ptx_file {
    uint32_t index, at, length; /* the string without its quotes */
};

struct ptx_module {
    struct lexer lexer;
    struct symbols symbols;
    struct ptx_ref *ref;
    struct ptx_use *use;
    struct ptx_statement *statement;
    struct ptx_function *function;
    struct ptx_loc *loc;
    struct ptx_file *file; /* sorted by index */
    uint32_t refs, uses, statements, functions, locs, files;
    uint32_t ref_room, use_room, statement_room, function_room, loc_room, file_room;
    uint32_t first_loc; /* of the function that is read */
    uint32_t head_end;  /* first token behind .version, .target and .address_size */
    uint32_t target_at, target_length, target_line, target_column;
    uint32_t current;    /* function that is analysed */
    uint64_t steps_left; /* of the analysis */
};

/* errors: as ptx_find_sites. On failure nothing is owned. */
enum status module_parse(const char *path, const char *text, uint32_t size, struct ptx_module *m, struct error *e);
void module_free(struct ptx_module *m);

/* Room for one more element of an array of the module. errors: STATUS_NO_MEMORY. */
enum status module_reserve(void **array, uint32_t used, uint32_t *room, size_t element, struct error *e);
/* Text of a register's name and its length. */
const struct symbol *module_register(const struct ptx_module *m, uint32_t reg);
/* Count steps of the analysis. errors: STATUS_BAD_INPUT at the function when there were too many. */
enum status module_spend(struct ptx_module *m, uint64_t steps, struct error *e);
/* Whether a register's name means that register in a scope ahead of an offset. errors: STATUS_NO_MEMORY. */
enum status module_visible(struct ptx_module *m, uint32_t reg, uint32_t scope, uint32_t at, bool *visible,
                           struct error *e);
/* The path of a .file, or NULL. */
const struct ptx_file *module_file(const struct ptx_module *m, uint32_t index);

#endif
