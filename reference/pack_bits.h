/* pack_bits: the bit shuffle inside each aligned 32-bit word of swizzled FP4 bytes.
 *
 * It moves the bits of eight nibbles so that three masks, two shifts and one small fix-up unpack a word into four
 * bf16x2 patterns (each to be multiplied by 2^126 and the scale).
 *
 * For the bytes b0 b1 b2 b3 of a little-endian word, with low nibbles going to the low 16 bits and high nibbles to the
 * high 16 bits, and for a nibble n:
 *     c(n) = (n&8)<<12 | (n&7)<<6                         sign to bit 15, magnitude to bits 8..6
 *     d(n) = (n&8)<<11 | (n&6)<<9 | (n&1)<<13             the fourth value, in the bits the others leave free
 *     half = c(b0) | c(b1)>>3 | c(b2)>>6 | d(b3)
 *
 *     bit    15  14  13  12  11  10   9   8   7   6   5   4   3   2   1   0
 *            s0  s3  m3  s1  e3  e3  s2  b0  b0  b0  b1  b1  b1  b2  b2  b2
 *
 * source: derived from the layout code of triton_kernels (Triton 3.6 line); byte-for-byte against its output. */
#ifndef FO_REFERENCE_PACK_BITS_H
#define FO_REFERENCE_PACK_BITS_H

#include <stddef.h>
#include <stdint.h>

/* One word. A bijection on 32-bit words; each is the other's inverse. */
uint32_t pack_bits_forward(uint32_t nibbles);
uint32_t pack_bits_inverse(uint32_t packed);

/* The same over `bytes` bytes in place, little-endian words. needs: bytes % 4 == 0. */
void pack_bits_forward_bytes(uint8_t *data, size_t bytes);
void pack_bits_inverse_bytes(uint8_t *data, size_t bytes);

#endif
