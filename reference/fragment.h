/* fragment: the contract maps of A and D of wgmma.m64nNkK, as data.
 *
 * A slot is (thread 0..127 of the warpgroup, register, part); an A element is (m, k), a D element (m, n). A register
 * holds P parts, P = 32 / the width of an element: 1 (tf32, f32, s32), 2 (bf16, f16) or 4 (8-bit types), part 0 in the
 * low bits. With warp w = t/32, lane l = t%32, g = l/4, q = l%4:
 *     A:        register r = 0..3, part p:          m = 16w + g + 8*(r&1),       k = P*q + p + 4*P*(r>>1)
 *     D 32-bit: register i = 0..N/2-1:              m = 16w + g + 8*((i>>1)&1),  n = 8*(i>>2) + 2q + (i&1)
 *     D f16:    register r = 0..N/4-1, half h:      the 32-bit map at i = 2r + h
 * source: PTX ISA, "Register Fragments" of wgmma.mma_async for .m64nNk8, .m64nNk16 and .m64nNk32; the same maps as
 * ALayout_64x8, _64x16, _64x32 and CLayout_64xN of CUTLASS (mma_traits_sm90_gmma.hpp). A of 16-bit types measured on an
 * H100 by one-hot wgmma and through ldmatrix.x4, and D in f32 by one-hot wgmma (artifacts/contracts); the others are
 * read, not measured. */
#ifndef FO_REFERENCE_FRAGMENT_H
#define FO_REFERENCE_FRAGMENT_H

#include "reference/layout.h"
#include "reference/wgmma.h"

enum fragment_operand { FRAGMENT_A, FRAGMENT_D };

/* The map from slots (thread, reg, part) to elements (i, j). D of 32 bits has part extent 1. Affine, a bijection onto
 * the operand.
 * errors: STATUS_UNSUPPORTED for A of an .ss operation (it lives in shared memory). */
enum status fragment_map(const struct wgmma_op *op, enum fragment_operand operand, struct layout *out, struct error *e);
/* "A" or "D", case-insensitive. errors: STATUS_BAD_ARGUMENT. */
enum status fragment_operand_parse(const char *name, enum fragment_operand *operand, struct error *e);

/* shared memory: byte offset, from a 1024-aligned base, of element (row, k) of a K-major bf16 tile of 64 columns with
 * the 128-byte swizzle, as the matrix descriptor of wgmma reads it: rows of 128 bytes, groups of 8 rows, the 16-byte
 * chunk index exclusive-or'ed with row % 8.
 * source: PTX ISA, "Shared Memory Matrix Layout" and "Matrix Descriptor Format", 128-byte swizzle. */
size_t fragment_smem_sw128(size_t row, size_t k);

#endif
