/* fp8: the bit patterns of one E4M3 and one E5M2 value.
 *
 *     bit    7      6..3       2..0
 *     e4m3   sign   exponent   mantissa      bias 7; no Inf; 0x7f and 0xff are NaN, so 448 is the largest
 *     bit    7      6..2       1..0
 *     e5m2   sign   exponent   mantissa      bias 15; exponent 31 is Inf or NaN, 57344 is the largest
 *
 * Exponent 0 is subnormal in both. No arithmetic here: number.h says what they are worth.
 * source: OCP 8-bit Floating Point Specification (OFP8) 1.0, section 5. Compiled by the C compiler and by nvcc. */
#ifndef FO_REFERENCE_FP8_H
#define FO_REFERENCE_FP8_H

#include <stdint.h>

struct e4m3 {
    uint8_t bits;
};
struct e5m2 {
    uint8_t bits;
};

#define FP8_CODES          256u
#define FP8_SIGN           0x80u
#define FP8_MAGNITUDE      0x7fu
#define FP8_NAN            0x7fu /* of both: the NaN this project writes, and the canonical one of PTX */
#define E4M3_MANTISSA_BITS 3
#define E4M3_BIAS          7
#define E4M3_MAX           0x7eu /* 448 */
#define E5M2_MANTISSA_BITS 2
#define E5M2_BIAS          15
#define E5M2_MAX           0x7bu /* 57344 */
#define E5M2_INF           0x7cu

#endif
