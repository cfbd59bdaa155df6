/* value_swizzle: where each byte of an MXFP4 matrix goes so that one 16-byte load feeds four k16 steps of wgmma.
 *
 * Input: bytes [M, Kb], byte (m, kb) holding columns 2kb and 2kb+1. Output: bytes [Mp/4, 4*Kbp], Mp = M padded to
 * pad_rows, Kbp = Kb padded to pad_bytes, padding zero. Byte (m, kb) goes to row m2, position k2:
 *     m2 = (m>>4)*4 + ((m&7)>>1)
 *     k2 = (((((kb>>5)*2 + (m&1))*4 + (kb&3))*4 + ((kb>>3)&3))*2 + ((kb>>2)&1))*2 + ((m>>3)&1)
 * which is the fragment order: an aligned 32-bit word holds (m,kb) (m+8,kb) (m,kb+4) (m+8,kb+4), that is registers
 * a0..a7 of one lane, and 16 aligned bytes hold the four k16 steps of 64 columns.
 * source: derived from triton_kernels (Triton 3.6 line); byte-for-byte against its output. Strides differ between
 * versions of the packers (M padded to 16, 64 or 256, K bytes to 32 or 64), so they are arguments. */
#ifndef FO_REFERENCE_VALUE_SWIZZLE_H
#define FO_REFERENCE_VALUE_SWIZZLE_H

#include "reference/status.h"

enum { VALUE_SWIZZLE_MIN_ROWS = 16, VALUE_SWIZZLE_MIN_BYTES = 32 };

struct value_swizzle {
    size_t rows, row_bytes;               /* M, Kb: logical */
    size_t padded_rows, padded_row_bytes; /* Mp, Kbp */
    size_t stride;                        /* bytes from one swizzled row to the next, >= 4*Kbp */
};

/* stride 0 means tight (4*Kbp). errors: STATUS_BAD_ARGUMENT for pad_rows not a multiple of 16, pad_bytes not a multiple
 * of 32, a stride that is too small, a zero extent, or a size that overflows size_t. */
enum status value_swizzle_init(struct value_swizzle *s, size_t rows, size_t row_bytes, size_t pad_rows,
                               size_t pad_bytes, size_t stride, struct error *e);
size_t value_swizzle_rows(const struct value_swizzle *s);  /* Mp/4 */
size_t value_swizzle_bytes(const struct value_swizzle *s); /* rows * stride: size of the output */
/* Byte position in the output of byte (m, kb). needs: m < padded_rows, kb < padded_row_bytes. */
size_t value_swizzle_index(const struct value_swizzle *s, size_t m, size_t kb);
/* in: [rows] rows of row_bytes bytes, in_stride apart. out: value_swizzle_bytes(s); padding and stride gaps zeroed. */
void value_swizzle_forward(const struct value_swizzle *s, const uint8_t *in, size_t in_stride, uint8_t *out);
/* The logical part back; padding is not read. */
void value_swizzle_inverse(const struct value_swizzle *s, const uint8_t *in, uint8_t *out, size_t out_stride);

#endif
