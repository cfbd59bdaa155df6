/* number: what the bit patterns of fp4.h, e8m0.h, bf16.h, f16.h, tf32.h, fp8.h and int4.h are worth, and back. */
#ifndef FO_REFERENCE_NUMBER_H
#define FO_REFERENCE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "reference/bf16.h"
#include "reference/e8m0.h"
#include "reference/f16.h"
#include "reference/fp4.h"
#include "reference/fp8.h"
#include "reference/int4.h"
#include "reference/tf32.h"

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

/* Exact widening. A NaN is a NaN; its payload is kept in the upper bits. inverse: f16_encode, but for the payload. */
float f16_decode(struct f16 x);
/* Round to nearest even; overflow gives Inf; any NaN gives F16_NAN.
 * source: PTX ISA, cvt.rn.f16.f32, and its canonical NaN. */
struct f16 f16_encode(float x);

/* What the tensor core reads of a register: the low 13 bits are cleared, so this rounds toward zero. A NaN whose
 * payload stands in those bits alone becomes Inf. */
struct tf32 tf32_truncate(float x);
/* Round to nearest even, as cvt.rn.tf32.f32, or to nearest with ties away from zero, as cvt.rna.tf32.f32. Overflow
 * gives Inf; any NaN gives TF32_NAN. source: PTX ISA, cvt. */
struct tf32 tf32_encode(float x);
struct tf32 tf32_encode_ties_away(float x);
/* Exact. inverse: each of the three above. */
float tf32_decode(struct tf32 x);

/* Exact values; NaN where fp8.h says so. */
float e4m3_decode(struct e4m3 x);
float e5m2_decode(struct e5m2 x);
/* Round to nearest even; what is beyond the largest finite value, Inf included, gives that value with the sign of x
 * (saturation; no encoder gives Inf); any NaN gives FP8_NAN, whatever its sign.
 * source: PTX ISA, cvt.rn.satfinite.e4m3x2.f32 and .e5m2x2. */
struct e4m3 e4m3_encode(float x);
struct e5m2 e5m2_encode(float x);

/* -8..7. Only the low four bits count. */
int int4_decode(struct int4 code, enum int4_coding coding);
/* Code k of a packed row. */
struct int4 int4_unpack(const uint8_t *row, size_t k);

/* The bits of a binary32, and back. */
uint32_t f32_bits(float x);
float f32_from_bits(uint32_t bits);

#endif
