/* int4: the bit pattern of one 4-bit integer weight, and how two of them share a byte.
 *
 *     bit    7 6 5 4    3 2 1 0
 *            odd k      even k         a row of K codes is K/2 bytes, k = 2 * byte + (high nibble)
 *
 * Two codings are common and say different integers with the same code: two's complement (0..7, then -8..-1) and
 * offset 8 (code - 8, so that 8 is zero). No arithmetic here: number.h says what a code is worth.
 * Compiled by the C compiler and by nvcc. */
#ifndef FO_REFERENCE_INT4_H
#define FO_REFERENCE_INT4_H

#include <stdint.h>

struct int4 {
    uint8_t bits; /* 0..15 */
};

enum int4_coding { INT4_TWOS_COMPLEMENT, INT4_OFFSET8 };

#define INT4_CODES  16u
#define INT4_SIGN   0x8u
#define INT4_OFFSET 8

#endif
