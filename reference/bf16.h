/* bf16: the bit pattern of one bfloat16 value, the high half of an IEEE binary32.
 *
 *     bit   15     14..7      6..0
 *           sign   exponent   mantissa      bias 127; exponent 0 is subnormal, 255 is Inf or NaN
 *
 * Compiled by the C compiler and by nvcc. */
#ifndef FO_REFERENCE_BF16_H
#define FO_REFERENCE_BF16_H

#include <stdint.h>

struct bf16 {
    uint16_t bits;
};

#define BF16_SIGN          0x8000u
#define BF16_EXPONENT      0x7f80u
#define BF16_MANTISSA      0x007fu
#define BF16_MANTISSA_BITS 7
#define BF16_BIAS          127
#define BF16_ONE           0x3f80u
#define BF16_NAN           0x7fffu /* the NaN this project writes, and the one Hopper's f32-to-bf16 conversion writes */

#endif
