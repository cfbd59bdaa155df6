/* site_type: the element types of captured operands, by the names that operations write: bits to numbers and back. */
#ifndef FO_ORACLE_INFER_SITE_TYPE_H
#define FO_ORACLE_INFER_SITE_TYPE_H

#include <stdbool.h>
#include <stdint.h>

struct site_type {
    const char *name; /* "bf16", "f16", "tf32", "f32", "e4m3", "e5m2", "s8", "u8", "s32" */
    int bits;         /* of one element */
    int spare;        /* low bits that carry nothing: 13 of tf32 */
    bool integer;
    uint32_t mask; /* the bits that the hardware reads */
    double (*decode)(uint32_t bits);
    uint32_t (*encode)(double x);
};

/* NULL for a type that is not known. */
const struct site_type *site_type_find(const char *name);
/* needs: bits of this type; what the mask hides is ignored. */
double site_type_decode(const struct site_type *t, uint32_t bits);
/* Nearest, ties to even; beyond the range what the conversion of the type gives (number.h), integers their largest. */
uint32_t site_type_encode(const struct site_type *t, double x);
/* The same, but cut towards zero. */
uint32_t site_type_truncate(const struct site_type *t, double x);
/* What stays of a number when it is scaled by a power of two or negated: the mantissa, or |x| of an integer. Zero is
 * UINT32_MAX: it says nothing. */
uint32_t site_type_digits(const struct site_type *t, uint32_t bits);

/* Are two values at most `ulps` units in the last place apart? The signs of zero do not count. What is no number, or no
 * finite one, is near to itself only; integers are apart by their difference. */
bool site_type_within(const struct site_type *t, uint32_t a, uint32_t b, uint32_t ulps, uint32_t *distance);

#endif
