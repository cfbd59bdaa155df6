/* exact: two independent checks of accumulate.h, slow and plain, in fixed-point big integers.
 *
 * (a) the exact sum, with a proven bound on how far any truncating fused sum may be from it;
 * (b) the rule of accumulate.h written a second time, on whole big integers: clear bits below the alignment point, add,
 *     clear bits below the result's precision. It shares no code with accumulate.c. */
#ifndef FO_REFERENCE_EXACT_H
#define FO_REFERENCE_EXACT_H

#include <stdbool.h>
#include <stddef.h>

#include "reference/bf16.h"

/* Two's complement fixed point, least significant limb first; bit 0 is worth 2^EXACT_LSB. Holds any sum of a few
 * thousand bf16 products and a binary32. */
enum { EXACT_LIMBS = 20, EXACT_LSB = -300 };
struct exact {
    uint32_t limb[EXACT_LIMBS];
};

/* c + sum of a[i]*b[i], exactly. needs: every input finite. returns false (and leaves *sum) otherwise. */
bool exact_sum(const struct bf16 *a, const struct bf16 *b, size_t n, float c, struct exact *sum);
/* Nearest double (for printing). */
double exact_to_double(const struct exact *x);
/* x == value exactly. */
bool exact_equals(const struct exact *x, float value);
/* (a): is `result` within the bound of the exact sum of one fused step of n products? The bound: each of the n+1 terms
 * loses less than 2^(M-F), the final truncation less than one unit in the last place of the result. needs: finite. */
bool exact_within_step(const struct bf16 *a, const struct bf16 *b, size_t n, float c, float result, int fraction_bits,
                       int floor_exponent);
/* (b): the rule again; handles NaN and Inf as well. */
float exact_step(const struct bf16 *a, const struct bf16 *b, size_t n, float c, int fraction_bits, int floor_exponent);

#endif
