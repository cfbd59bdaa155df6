/* tf32: the bit pattern of one TF32 value, a binary32 of which the tensor core reads the upper 19 bits.
 *
 *     bit   31     30..23     22..13     12..0
 *           sign   exponent   mantissa   not read      bias 127; exponent 0 is subnormal, 255 is Inf or NaN
 *
 * No arithmetic here: number.h says what it is worth.
 * source: PTX ISA, "Alternate Floating Point Data Formats" (range of .f32, 10 bits of mantissa, in a .b32 register);
 * that the low 13 bits are cleared and not rounded: MMA-Sim (arXiv 2511.10909). Compiled by the C compiler and by
 * nvcc. */
#ifndef FO_REFERENCE_TF32_H
#define FO_REFERENCE_TF32_H

#include <stdint.h>

struct tf32 {
    uint32_t bits; /* what is not read is 0 */
};

#define TF32_SIGN          0x80000000u
#define TF32_EXPONENT      0x7f800000u
#define TF32_MANTISSA      0x007fe000u
#define TF32_MANTISSA_BITS 10
#define TF32_READ          0xffffe000u
#define TF32_BIAS          127
#define TF32_NAN           0x7fffe000u /* what is read of 0x7fffffff, the canonical NaN of PTX */

#endif
