/* scale_swizzle: where each E8M0 scale goes so that one 32-bit load serves a lane for 64 columns.
 *
 * Input: scales [N, Kb], Kb = K/32. Output: [Np/32, 32*Kp], Np = N padded to 32*warps, Kp = Kb padded to even,
 * padding zero. For 4 warps, scale (n, kb) goes to row n2, position k2:
 *     n2 = (n>>7)*4 + ((n>>4)&3)
 *     k2 = ((((kb>>1)*2 + ((n>>6)&1))*8 + (n&7))*2 + (kb&1))*2 + ((n>>3)&1)
 * For 8 warps: n2 = (n>>8)*8 + ((n>>4)&7), and (n>>7)&1 in place of (n>>6)&1.
 * An aligned 32-bit word holds (n,kb) (n+8,kb) (n,kb+1) (n+8,kb+1).
 * source: derived from triton_kernels (Triton 3.6 line); byte-for-byte against its output. */
#ifndef FO_REFERENCE_SCALE_SWIZZLE_H
#define FO_REFERENCE_SCALE_SWIZZLE_H

#include "reference/status.h"

struct scale_swizzle {
    int warps;                         /* 4 or 8 */
    size_t rows, blocks;               /* N, Kb: logical */
    size_t padded_rows, padded_blocks; /* Np, Kp */
    size_t stride;                     /* bytes from one swizzled row to the next, >= 32*Kp */
};

/* stride 0 means tight. errors: STATUS_BAD_ARGUMENT for warps other than 4 and 8, a stride that is too small, a zero
 * extent, overflow. */
enum status scale_swizzle_init(struct scale_swizzle *s, size_t rows, size_t blocks, int warps, size_t stride,
                               struct error *e);
size_t scale_swizzle_rows(const struct scale_swizzle *s);  /* Np/32 */
size_t scale_swizzle_bytes(const struct scale_swizzle *s); /* rows * stride */
/* needs: n < padded_rows, kb < padded_blocks. */
size_t scale_swizzle_index(const struct scale_swizzle *s, size_t n, size_t kb);
void scale_swizzle_forward(const struct scale_swizzle *s, const uint8_t *in, size_t in_stride, uint8_t *out);
void scale_swizzle_inverse(const struct scale_swizzle *s, const uint8_t *in, uint8_t *out, size_t out_stride);

#endif
