/* program: a PTX module, ready to be executed: functions, instructions with their operands taken apart, variables.
 *
 * An instruction is its opcode (the longest name of ops.h that it begins with), the words behind it (".rn.bf16x2.f32"
 * is "rn", "bf16x2", "f32") and its operands. The operation's `prepare` looks at the words and chooses what runs;
 * words that it does not take are an instruction that is not modelled. Such an instruction is no error of the reader:
 * it faults when it is executed, so that a cold path (an assertion, a printf) does not stand in the way.
 *
 * Registers are rows of 32 lanes, counted over all functions of the module. A row holds the bits of its lanes' values,
 * zeros above the width of the register; a predicate is 0 or 1.
 * source: PTX ISA 9.0, "Instruction Operands", "State Spaces, Types, and Variables". */
#ifndef FO_REFERENCE_PTX_PROGRAM_H
#define FO_REFERENCE_PTX_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "reference/status.h"

enum {
    VM_LANES = 32,
    VM_WORDS = 16, /* behind an opcode */
    VM_EXTRA = 8,  /* numbers that prepare leaves for run */
    VM_DEPTH = 8   /* of calls */
};
#define VM_NONE UINT32_MAX

enum vm_type {
    VM_UNTYPED,
    VM_PRED,
    VM_B8,
    VM_B16,
    VM_B32,
    VM_B64,
    VM_B128,
    VM_U8,
    VM_U16,
    VM_U32,
    VM_U64,
    VM_S8,
    VM_S16,
    VM_S32,
    VM_S64,
    VM_F16,
    VM_F16X2,
    VM_BF16,
    VM_BF16X2,
    VM_TF32,
    VM_F32,
    VM_F64,
    VM_E4M3,
    VM_E5M2,
    VM_E4M3X2,
    VM_E5M2X2,
    VM_E2M1X2,
    VM_E3M2X2,
    VM_E2M3X2,
    VM_UE8M0X2,
    VM_B1,
    VM_S4,
    VM_U4,
    VM_TYPES
};

enum vm_space { VM_GENERIC, VM_GLOBAL, VM_SHARED, VM_LOCAL, VM_PARAM, VM_CONST, VM_SPACES };

enum vm_operand_kind {
    VM_REGISTER,
    VM_SPECIAL,   /* value: enum vm_special */
    VM_IMMEDIATE, /* value: bits, two's complement in 64; a float as the instruction's first type */
    VM_SYMBOL,    /* value: the address of a variable in its space (global: absolute) */
    VM_ADDRESS,   /* [reg + value] or [value]; space: of the variable named, VM_GENERIC where there is none */
    VM_TENSOR,    /* [map, {coordinates}]: reg or value the map, element[first ..] the coordinates */
    VM_VECTOR,    /* {a, b}, and (a, b) of a call: element[first .. first + count - 1] */
    VM_PAIR,      /* p|q: element[first], element[first + 1] */
    VM_LABEL,     /* value: index of the instruction */
    VM_FUNCTION,  /* value: index of the function, VM_NONE for one without a body; first: its index all the same */
    VM_TARGETS,   /* labels of brx.idx: element[first ..], each a VM_LABEL; none for what call speaks of: prototypes */
    VM_SINK       /* _ */
};

enum vm_special {
    VM_TID_X,
    VM_TID_Y,
    VM_TID_Z,
    VM_NTID_X,
    VM_NTID_Y,
    VM_NTID_Z,
    VM_CTAID_X,
    VM_CTAID_Y,
    VM_CTAID_Z,
    VM_NCTAID_X,
    VM_NCTAID_Y,
    VM_NCTAID_Z,
    VM_LANEID,
    VM_WARPID,
    VM_NWARPID,
    VM_LANEMASK_EQ,
    VM_LANEMASK_LE,
    VM_LANEMASK_LT,
    VM_LANEMASK_GE,
    VM_LANEMASK_GT,
    VM_CLUSTER_CTAID_X,
    VM_CLUSTER_CTAID_Y,
    VM_CLUSTER_CTAID_Z,
    VM_CLUSTER_NCTAID_X,
    VM_CLUSTER_NCTAID_Y,
    VM_CLUSTER_NCTAID_Z,
    VM_CLUSTER_CTARANK,
    VM_CLUSTER_NCTARANK,
    VM_IS_EXPLICIT_CLUSTER,
    VM_CLUSTERID_X,
    VM_CLUSTERID_Y,
    VM_CLUSTERID_Z,
    VM_NCLUSTERID_X,
    VM_NCLUSTERID_Y,
    VM_NCLUSTERID_Z,
    VM_CLOCK,
    VM_CLOCK_HI,
    VM_CLOCK64,
    VM_GLOBALTIMER,
    VM_SMID,
    VM_NSMID,
    VM_GRIDID,
    VM_DYNAMIC_SMEM_SIZE,
    VM_TOTAL_SMEM_SIZE,
    VM_SPECIALS
};

struct vm_operand {
    enum vm_operand_kind kind;
    enum vm_space space;
    uint32_t reg;          /* row, VM_NONE for none */
    uint32_t bits;         /* of a register as declared: 1, 16, 32, 64; 8 and 128 too */
    uint32_t variable;     /* that it names, VM_NONE for none: value is an offset into it until the module is placed */
    uint32_t first, count; /* in program->element */
    uint64_t value;        /* an offset is two's complement */
    uint8_t float_bits;    /* an immediate written as a float: 32 (0f...) or 64 (0d..., decimal); else 0 */
    bool negated;          /* !p, or -value of a register where PTX allows it */
};

struct vm_warp;
struct vm_instruction;

enum vm_step {
    VM_NEXT,   /* on to the next instruction */
    VM_JUMPED, /* the program counters of the lanes have been set */
    VM_WAIT,   /* nothing happened yet: ask again later */
    VM_FAULT   /* the machine stops; its finding has been made (warp.h) */
};
/* Execute for the lanes of a mask (not empty). */
typedef enum vm_step vm_execute(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes);

struct vm_instruction {
    vm_execute *run;
    const char *opcode; /* the name of its operation */
    const char *word[VM_WORDS];
    uint32_t words, words_used; /* number; bit i: prepare took word i */
    enum vm_type type, type2;   /* prepare's choice; immediates are converted to `type` */
    uint32_t operand, operands; /* first and number in program->operand */
    uint32_t guard;             /* row of the predicate, VM_NONE */
    bool guard_negated;
    uint32_t line, column;
    const char *why_not; /* NULL, or why it is not modelled */
    uint64_t extra[VM_EXTRA];
};

struct vm_variable {
    const char *name;
    enum vm_space space; /* VM_LOCAL: a .param variable that is no parameter of a kernel, too */
    uint32_t align;
    uint64_t bytes;         /* 0: extern .shared, as large as the launch says */
    uint64_t at;            /* offset in its space; global and const: absolute once the module is loaded */
    uint32_t function;      /* that declares it, VM_NONE: the module */
    const uint8_t *initial; /* bytes, or NULL for zeros; owned by the program */
};

struct vm_function {
    const char *name;
    bool entry;
    uint32_t first, instructions; /* in program->instruction; the last one ends it; 0: declared only */
    uint32_t parameter, parameters, result, results; /* in program->variable */
    uint32_t maxntid[3];                             /* 0: not said */
    bool exact_ntid;                                 /* .reqntid: so many in every dimension, no fewer */
    uint32_t cluster[3];                             /* .reqnctapercluster, 0: not said */
    uint32_t line;
};

struct vm_program {
    const char *path;
    struct vm_instruction *instruction;
    struct vm_operand *operand, *element;
    struct vm_variable *variable;
    struct vm_function *function;
    uint32_t instructions, operands, elements, variables, functions;
    uint32_t rows;         /* registers of all functions */
    uint32_t *row_bits;    /* of each row */
    const char **row_name; /* of each row, for messages */
    uint64_t shared_bytes; /* static shared variables: from 0 */
    uint64_t local_bytes;  /* .local variables, and .param variables inside functions: a lane's own memory */
    void *arena;           /* what everything lies in */
};

/* Read a module. text need not end in NUL. errors: STATUS_BAD_INPUT with line and column (syntax, an undeclared name, a
 * register of a type that there is none of), STATUS_NO_MEMORY. *out is freed with vm_program_free. */
enum status vm_program_read(const char *path, const char *text, size_t size, struct vm_program *out, struct error *e);
void vm_program_free(struct vm_program *p);
/* Index of a function that has a body, or VM_NONE. */
uint32_t vm_program_find(const struct vm_program *p, const char *name);

unsigned vm_type_bits(enum vm_type t); /* 1 for VM_PRED; 4 and 1 for the small ones */
bool vm_type_signed(enum vm_type t);
bool vm_type_float(enum vm_type t);
enum vm_type vm_type_part(enum vm_type t);   /* VM_F16 of VM_F16X2, VM_BF16 of VM_BF16X2; else t itself */
enum vm_type vm_type_find(const char *word); /* "f32"; VM_UNTYPED for no type */

#endif
