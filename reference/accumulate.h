/* accumulate: the tensor core's fused sum, bit for bit.
 *
 * One output element of one wgmma step is one fused sum of all its products and the accumulator; the order of the terms
 * does not matter.
 *     significand and exponent: normal 1 <= |s| < 2; a subnormal keeps the format's minimum exponent, not normalised
 *     product: s = sa*sb exact, e = ea+eb, not renormalised; a product with a zero factor takes no part
 *     M = the largest exponent of the remaining products and of C (a zero C takes no part), but never below the floor
 *     term: trunc(s * 2^(F+e-M)) toward zero; the integers are summed exactly; value = sum * 2^(M-F)
 *     f32 result: truncated to 23 fraction bits (subnormals kept, overflow gives Inf); zero, also by truncation, is +0
 *     NaN in, Inf*0, Inf-Inf: 0x7fffffff; otherwise an Inf term decides
 * bf16 on Hopper: 16 products, F = 25, floor -133.
 * source: MMA-Sim (arXiv 2511.10909) for the shape of the rule; F = 25 and "zero factors take no part" measured on an
 * H100 (F = 24 and 26 are refuted); the floor derived from H100 captures. artifacts/captures holds the evidence that
 * tests replay. */
#ifndef FO_REFERENCE_ACCUMULATE_H
#define FO_REFERENCE_ACCUMULATE_H

#include <stddef.h>

#include "reference/bf16.h"

struct accumulate_profile {
    const char *name;
    int products;       /* in one fused sum */
    int fraction_bits;  /* F */
    int floor_exponent; /* M is never below this */
};

extern const struct accumulate_profile accumulate_hopper_bf16;

/* A bf16 taken apart once, so that a matrix product does not do it again for every element. */
struct accumulate_operand {
    int16_t significand; /* signed, 7 fraction bits; 0 for zero */
    int16_t exponent;    /* unbiased; ACCUMULATE_SPECIAL for Inf (significand +-1) and NaN (significand 0) */
};
/* The exponent of zero is so low that no product with it wins M, yet not low enough to hide a special partner. */
enum { ACCUMULATE_SPECIAL = 4096, ACCUMULATE_ZERO = -1024 };

void accumulate_prepare(const struct bf16 *x, size_t n, struct accumulate_operand *out);

/* c + sum of a[i]*b[i] over profile->products terms, one fused step.
 * needs: operands of accumulate_prepare; 16 products, F of 23 to 25, a floor above -252. */
float accumulate_step(const struct accumulate_profile *p, const struct accumulate_operand *a,
                      const struct accumulate_operand *b, float c);

/* The same from bit patterns. */
float accumulate_bf16(const struct accumulate_profile *p, const struct bf16 *a, const struct bf16 *b, float c);

#endif
