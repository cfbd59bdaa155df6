/* fp4: the bit pattern of one E2M1 value. No arithmetic here: number.h says what it is worth.
 *
 *     bit   3      2 1        0
 *           sign   exponent   mantissa      magnitudes 0 .5 1 1.5 2 3 4 6, no Inf, no NaN
 *
 * source: OCP Microscaling Formats (MX) v1.0, section 5.3.3. Compiled by the C compiler and by nvcc. */
#ifndef FO_REFERENCE_FP4_H
#define FO_REFERENCE_FP4_H

#include <stdint.h>

struct fp4 {
    uint8_t bits; /* 0..15 */
};

#define FP4_CODES         16u
#define FP4_SIGN          0x8u
#define FP4_MAGNITUDE     0x7u
#define FP4_EXPONENT_BIAS 1

#endif
