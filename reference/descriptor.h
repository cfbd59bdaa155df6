/* descriptor: the 64-bit matrix descriptor of wgmma, and where each element of the tile that it names lies.
 *
 *     bits  0..13 start address >> 4     16..29 leading byte offset >> 4     32..45 stride byte offset >> 4
 *     bits 49..51 base offset            62..63 swizzle: 0 none, 1 128 bytes, 2 64 bytes, 3 32 bytes
 * source: PTX ISA, "Matrix Descriptor Format", "Strides", "Shared Memory Matrix Layout". */
#ifndef FO_REFERENCE_DESCRIPTOR_H
#define FO_REFERENCE_DESCRIPTOR_H

#include <stdbool.h>

#include "reference/status.h"

struct descriptor {
    uint32_t start;           /* byte address in shared memory, multiple of 16, below 2^18 */
    uint32_t leading, stride; /* byte offsets, multiples of 16, below 2^18 */
    uint32_t base;            /* base offset, 0..7 */
    uint32_t swizzle;         /* width in bytes: 0, 32, 64, 128 */
};

struct descriptor descriptor_decode(uint64_t bits);
/* inverse: of descriptor_decode. errors: STATUS_BAD_ARGUMENT for a field out of range or not a multiple of 16. */
enum status descriptor_encode(const struct descriptor *d, uint64_t *bits, struct error *e);

/* The shared-memory byte address of the 16-byte chunk that holds elements of the tile.
 * K-major (mn = false): outer is the row of N (or M), inner the index of 16 bytes along K.
 * MN-major (mn = true): outer is k, inner the index of 16 bytes along N (or M). */
uint32_t descriptor_chunk(const struct descriptor *d, bool mn, uint32_t outer, uint32_t inner);

#endif
