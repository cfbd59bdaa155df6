/* descriptor: the 64-bit matrix descriptor of wgmma, and where each element of the tile that it names lies.
 *
 *     bits  0..13 start address >> 4     16..29 leading byte offset >> 4     32..45 stride byte offset >> 4
 *     bits 49..51 base offset            62..63 swizzle: 0 none, 1 128 bytes, 2 64 bytes, 3 32 bytes
 *
 * A tile is taken in chunks of 16 bytes. Without a swizzle eight lines of one chunk are a core matrix of 128 bytes in a
 * row; with a swizzle of w bytes eight lines of w bytes are. A line is a row of N (or M) when the tile is K-major, one
 * k when it is MN-major. One wgmma takes 32 bytes along K, whatever the type.
 *
 *     where                 leading byte offset leads            stride byte offset leads
 *     K-major, none         from the first 16 bytes of K to      from 8 rows to the next 8
 *                           the second
 *     K-major, swizzled     nowhere; the second 16 bytes follow  from 8 rows to the next 8
 *     MN-major, none        from 8 k to the next 8               from 16 bytes of N to the next
 *     MN-major, swizzled    from w bytes of N to the next w      from 8 k to the next 8
 *
 * The swizzle is no part of the tile: it works on the bits of the final address. Of address >> 4 the lowest one, two or
 * three bits (32, 64, 128 bytes) are exclusive-or'ed with as many bits from three higher on, so the pattern repeats
 * every 256, 512 or 1024 bytes of shared memory. A tile may begin inside a line: a kernel steps along K within a line
 * of 128 bytes by adding 32 to the start address. Where the pattern does not begin at such a multiple, the base offset
 * is (beginning of the pattern >> 7) & 7 and the lines are counted from there. source: PTX ISA, "Matrix Descriptor
 * Format" (fields, base offset), "Strides" (the table), "Shared Memory Matrix Layout"; CUTLASS, the canonical layouts
 * stated at make_gmma_desc, for the same table and for Swizzle<b,4,3> on addresses: read. Measured on an H100 for
 * 128 bytes, base offset 0: K-major and MN-major tiles captured from kernels of others give D bit for bit
 * (artifacts/reports/attach.md). tests/agree/test_descriptor_gpu.c asks hardware about all of them; it has not run yet.
 * That the base offset is subtracted is deduced from its formula. */
#ifndef FO_REFERENCE_DESCRIPTOR_H
#define FO_REFERENCE_DESCRIPTOR_H

#include <stdbool.h>

#include "reference/status.h"

enum { DESCRIPTOR_CHUNK = 16, DESCRIPTOR_LINES = 8 }; /* bytes of a chunk; lines of a core matrix */
enum { DESCRIPTOR_MEMORY = 1 << 18 };                 /* bytes that a descriptor can address */

struct descriptor {
    uint32_t start;           /* byte address in shared memory, multiple of 16, below 2^18 */
    uint32_t leading, stride; /* byte offsets, multiples of 16, below 2^18 */
    uint32_t base;            /* base offset, 0..7 */
    uint32_t swizzle;         /* width in bytes: 0, 32, 64, 128 */
};

/* Bits that belong to no field are ignored. inverse: descriptor_encode. */
struct descriptor descriptor_decode(uint64_t bits);
/* inverse: of descriptor_decode. errors: STATUS_BAD_ARGUMENT for a field out of range or not a multiple of 16. */
enum status descriptor_encode(const struct descriptor *d, uint64_t *bits, struct error *e);

/* The shared-memory byte address of the 16-byte chunk that holds elements of the tile.
 * K-major (mn = false): outer is the row of N (or M), inner the index of 16 bytes along K.
 * MN-major (mn = true): outer is k, inner the index of 16 bytes along N (or M).
 * units: bytes, below DESCRIPTOR_MEMORY, where addresses wrap. needs: a descriptor of descriptor_decode, or one that
 * descriptor_encode takes. */
uint32_t descriptor_chunk(const struct descriptor *d, bool mn, uint32_t outer, uint32_t inner);

#endif
