/* sites: where a PTX module runs wgmma, and where its operands can be read without disturbing ptxas.
 *
 * ptxas schedules wgmma as it likes as long as nothing touches the registers of one in flight. So a recorder may not
 * stand beside the instruction: the A registers are read ahead of the wgmma.fence that covers it, the accumulators
 * after the wait that covers it. Between fence and instruction compilers put copies (inline assembly ties registers by
 * mov); they are followed back for A and forward for D, so that a recorder names a register that exists at its point.
 *
 * A point is a byte offset of the text: whole statements may be inserted there, at the beginning of a statement. They
 * must not branch, and two stores under one predicate do: see README.md.
 * Register names are valid in the scope of the point. Everything is owned by the struct; names point into `names`.
 * source: PTX ISA, "Asynchronous warpgroup level matrix instructions": wgmma.fence, commit_group, wait_group. */
#ifndef FO_ORACLE_PTX_SITES_H
#define FO_ORACLE_PTX_SITES_H

#include <stdbool.h>

#include "reference/wgmma.h"

enum { PTX_A_REGISTERS = 4, PTX_D_REGISTERS = 128, PTX_WHY_SIZE = 160 };

/* A wgmma.mma_async. */
struct ptx_site {
    uint32_t line, column;    /* in the PTX text, from 1 */
    const char *function;     /* .entry or .func that holds it */
    const char *source;       /* file of its .loc, NULL without one */
    uint32_t source_line;     /* 0 without one */
    char op[WGMMA_NAME_SIZE]; /* "wgmma.m64n64k16.f32.bf16.bf16.rs", also of families that wgmma_ops.def lacks */
    int n, k;
    int a_bits, b_bits;             /* of one element: 16, 32 (tf32), 8; 1 for b1 */
    int d_registers;                /* 32-bit registers of D a thread: N/2 for f32 and s32, N/4 for f16 */
    bool register_a;                /* .rs */
    bool a_mn, b_mn;                /* the transpose bits of the instruction: the tile is MN-major in shared memory */
    size_t registers_at;            /* point ahead of the covering fence */
    const char *a[PTX_A_REGISTERS]; /* .rs: names valid at registers_at, 32-bit (.b32 or .f32) */
    size_t descriptors_at;          /* point where the descriptors and scale-d are defined: registers_at, or later */
    const char *a_descriptor;       /* .ss; else NULL */
    const char *b_descriptor;       /* 64-bit register */
    const char *scale_d;            /* predicate register, or "0" or "1" as an immediate; valid at descriptors_at */
    uint32_t accumulator;       /* sites with the same number add into the same registers, in the order of the text */
    char why_not[PTX_WHY_SIZE]; /* "" or why A and the descriptors cannot be read here */
};

/* A point where D of an accumulator is complete. */
struct ptx_result {
    uint32_t site;        /* the last that added to it */
    uint32_t accumulator; /* of that site */
    uint32_t line;        /* of the wait */
    size_t at;            /* point after the wait */
    int registers;
    bool packed_half; /* f16 results, two a register */
    const char *d[PTX_D_REGISTERS];
};

struct ptx_sites {
    uint32_t site_count, result_count;
    struct ptx_site *site;
    struct ptx_result *result;
    size_t globals_at; /* point where module-scope variables may be declared: behind .version, .target, .address_size */
    char target[16];   /* "sm_90a" */
    char *names;       /* owns every name */
};

/* Parse a whole module and find its sites. text: need not end in NUL.
 * errors: STATUS_BAD_INPUT with line and column (error.line, error.column) and path: anything that is not understood
 * (an unknown opcode, an undeclared register, an unbalanced brace), a NUL byte, a module without sm_90a;
 * STATUS_NO_MEMORY. A module without wgmma is no error: site_count is 0. */
enum status ptx_find_sites(const char *path, const char *text, size_t size, struct ptx_sites *out, struct error *e);
void ptx_sites_free(struct ptx_sites *s);

#endif
