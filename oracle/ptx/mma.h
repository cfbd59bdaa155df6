/* mma: one wgmma.mma_async, its opcode and operands.
 * source: PTX ISA 8.7, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate Instructions". */
#ifndef FO_ORACLE_PTX_MMA_H
#define FO_ORACLE_PTX_MMA_H

#include "oracle/ptx/module.h"
#include "oracle/ptx/sites.h"

/* What a site is called by the registers of its function; SYMBOL_NONE where there is none. */
struct mma {
    uint32_t statement;
    uint32_t d; /* first of its D in the references of the module, in order */
    uint32_t a[PTX_A_REGISTERS], a_descriptor, b_descriptor, scale_d;
    uint32_t scale_value; /* 0 or 1 where scale_d is an immediate */
    bool whole_d;         /* D is whole 32-bit registers */
};

/* Fill what the instruction itself says of the site: op, n, k, bits, d_registers, register_a, transpose bits, line,
 * column, and why_not for what cannot be tapped. errors: STATUS_BAD_INPUT for what no wgmma is. */
enum status mma_read(struct ptx_module *m, uint32_t statement, struct mma *mma, struct ptx_site *site, struct error *e);

#endif
