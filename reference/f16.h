/* f16: the bit pattern of one IEEE binary16 value.
 *
 *     bit   15     14..10     9..0
 *           sign   exponent   mantissa      bias 15; exponent 0 is subnormal, 31 is Inf or NaN
 *
 * No arithmetic here: number.h says what it is worth. Compiled by the C compiler and by nvcc. */
#ifndef FO_REFERENCE_F16_H
#define FO_REFERENCE_F16_H

#include <stdint.h>

struct f16 {
    uint16_t bits;
};

#define F16_SIGN          0x8000u
#define F16_EXPONENT      0x7c00u
#define F16_MANTISSA      0x03ffu
#define F16_MANTISSA_BITS 10
#define F16_BIAS          15
#define F16_MAX           0x7bffu /* 65504 */
#define F16_INF           0x7c00u
#define F16_NAN           0x7fffu /* the NaN this project writes, and the canonical one of PTX */

#endif
