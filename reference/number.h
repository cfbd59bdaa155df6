/* number: what the bit patterns of fp4.h, e8m0.h and bf16.h are worth, and back. */
#ifndef FO_REFERENCE_NUMBER_H
#define FO_REFERENCE_NUMBER_H

#include <stdbool.h>

#include "reference/bf16.h"
#include "reference/e8m0.h"
#include "reference/fp4.h"

/* Exact value of a code (only the low four bits count; -0 keeps its sign). inverse: fp4_encode */
float fp4_decode(struct fp4 code);
/* Nearest code, ties to even mantissa; magnitudes above 6 saturate. needs: value is not NaN. */
struct fp4 fp4_encode(float value);

/* 2^(s-127), exact in binary32 (0 gives the subnormal 2^-127); NaN for 255. */
float e8m0_decode(struct e8m0 scale);

/* Exact widening. NaN keeps its payload. */
float bf16_decode(struct bf16 x);
/* Round to nearest even; overflow gives Inf; any NaN gives BF16_NAN.
 * source: [H100] cvt.rn.bf16.f32 returns 0x7fff for NaN. */
struct bf16 bf16_encode(float x);
bool bf16_is_nan(struct bf16 x);

/* The bits of a binary32, and back. */
uint32_t f32_bits(float x);
float f32_from_bits(uint32_t bits);

#endif
