/* e8m0: the bit pattern of one block scale, a power of two.
 *
 * Byte s stands for 2^(s-127); 0 is 2^-127 (not zero), 255 is NaN. There is no sign.
 * source: OCP Microscaling Formats (MX) v1.0, section 5.4.1. Compiled by the C compiler and by nvcc. */
#ifndef FO_REFERENCE_E8M0_H
#define FO_REFERENCE_E8M0_H

#include <stdint.h>

struct e8m0 {
    uint8_t bits;
};

#define E8M0_BIAS 127
#define E8M0_NAN  255u

#endif
