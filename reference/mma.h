/* mma: an operation of mma.sync, parsed from and printed as one string, as wgmma.h does for wgmma.
 *
 *     mma.m16n8k16.f32.bf16.bf16
 *     name shape   D   A    B         A row-major, B column-major, C of D's type
 *
 * The operations stand in mma_ops.def. */
#ifndef FO_REFERENCE_MMA_H
#define FO_REFERENCE_MMA_H

#include "reference/status.h"

enum { MMA_M = 16, MMA_N = 8, MMA_NAME_SIZE = 64 };

struct mma_op {
    const char *d, *a, *b; /* type names */
    int k;
    int a_bits, d_bits; /* width of one element of A (and of B), and of D */
};

size_t mma_op_count(void);
const struct mma_op *mma_op_at(size_t i);
/* errors: STATUS_BAD_ARGUMENT saying which part of the name is wrong and what would be legal. */
enum status mma_parse(const char *name, const struct mma_op **op, struct error *e);
const char *mma_format(const struct mma_op *op, char text[MMA_NAME_SIZE]);

#endif
