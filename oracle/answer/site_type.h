/* site_type: the element types of captured operands: bit patterns in, numbers out, and back. */
#ifndef FO_ORACLE_ANSWER_SITE_TYPE_H
#define FO_ORACLE_ANSWER_SITE_TYPE_H

#include <stdbool.h>
#include <stdint.h>

struct site_type {
    const char *name; /* as operations write it: "bf16", "f16", "tf32", "f32", "e4m3", "e5m2", "s8", "u8", "s32" */
    int bits;         /* of one element */
    int exponent, mantissa, bias; /* 0: an integer */
    bool infinite;                /* has infinities (e4m3 has none) */
    bool is_signed;               /* integers */
    uint32_t mask;                /* the bits that the hardware reads: tf32 without its low 13 */
};

/* NULL for a type that is not known. */
const struct site_type *site_type_find(const char *name);
/* needs: bits of this type; what the mask hides is ignored. */
double site_type_decode(const struct site_type *t, uint32_t bits);
/* Nearest, ties to even; beyond the range the infinity where there is one, else the largest. */
uint32_t site_type_encode(const struct site_type *t, double x);
/* The same, but cut towards zero. */
uint32_t site_type_truncate(const struct site_type *t, double x);
/* What stays of a number when it is scaled by a power of two or negated: the mantissa, or |x| of an integer. Zero is
 * UINT32_MAX: it says nothing. */
uint32_t site_type_digits(const struct site_type *t, uint32_t bits);

#endif
