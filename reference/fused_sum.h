/* fused_sum: the rule of accumulate.h for the other float types of the tensor cores, and for f16 accumulators.
 *
 *     factors: f16, bf16, tf32, e4m3, e5m2, any two together; their significands are brought to 10 fraction bits
 *     F, the number of products in one sum and the bits kept of the result are the profile's
 *     f32 result: truncated to `kept` fraction bits, as in accumulate.h
 *     f16 result: rounded to nearest even, overflow gives Inf; zero, also by rounding, is +0; NaN is 0x7fff
 *
 * source: MMA-Sim (arXiv 2511.10909), its Hopper models: wgmma of f16, bf16 and tf32, F 25, of fp8, F 13, and 13 bits
 * kept of f32; mma.sync, F 25: read, not measured. Accumulators captured on an H100 confirm wgmma of bf16, f16, tf32,
 * e4m3 with f32 and of f16 with f16 results, and refute their neighbours (artifacts/reports/machine.md). That zero
 * factors take no part and the floor are those of bf16 on an H100 (accumulate.h); for types whose products stay above
 * 2^-60 the floor decides nothing. Deduced: mma.sync of fp8, which Hopper has no unit for, sums 16 products at a time
 * like f16. */
#ifndef FO_REFERENCE_FUSED_SUM_H
#define FO_REFERENCE_FUSED_SUM_H

#include <stdbool.h>

#include "reference/accumulate.h"

enum fused_format { FUSED_BF16, FUSED_F16, FUSED_TF32, FUSED_E4M3, FUSED_E5M2 };

struct fused_profile {
    const char *name;
    int products;       /* in one fused sum; 8, 16 or 32 */
    int fraction_bits;  /* F */
    int floor_exponent; /* the alignment exponent is never below this */
    int kept;           /* fraction bits of the result */
    bool half;          /* C and the result are f16 */
};

extern const struct fused_profile fused_wgmma_f16, fused_wgmma_f16_half, fused_wgmma_tf32, fused_wgmma_fp8,
    fused_wgmma_fp8_half;
extern const struct fused_profile fused_mma_16, fused_mma_16_half, fused_mma_8, fused_mma_8_half;

/* Factors as accumulate.h takes them apart, but with 10 fraction bits. bits: each element in the low bits of a word; of
 * tf32 the low 13 bits are not read. */
void fused_prepare(enum fused_format format, const uint32_t *bits, size_t n, struct accumulate_operand *out);
/* What fills up a sum of fewer products: a zero. */
struct accumulate_operand fused_zero(void);

/* c + sum of a[i]*b[i] over profile->products terms, one fused step. c and the result: bits of an f32, or of an f16.
 * needs: operands of fused_prepare or fused_zero. */
uint32_t fused_step(const struct fused_profile *p, const struct accumulate_operand *a,
                    const struct accumulate_operand *b, uint32_t c);

#endif
