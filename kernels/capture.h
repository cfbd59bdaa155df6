/* capture: the debug kernels. They measure; what the measurements mean is decided on the host
 * (oracle/answer/contract.c).
 *
 * None of them knows the fragment map of A that it measures, except the plain loader, which is the formula replayed,
 * and capture_arithmetic, which asks what the tensor core computes and takes the map as given. All pointers are device
 * memory. Callable from C; functions return a cudaError_t as int; launches are asynchronous. */
#ifndef FO_KERNELS_CAPTURE_H
#define FO_KERNELS_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CAPTURE_M = 64,
    CAPTURE_N = 64,
    CAPTURE_K = 16,
    CAPTURE_THREADS = 128,
    CAPTURE_A_REGISTERS = 4,
    CAPTURE_D_REGISTERS = 32,
    CAPTURE_SMALL_N = 8 /* capture_arithmetic */
};

/* The A fragment of m64n64k16 through the canonical shared-to-register loader: a 16x16 tile a warp (warps counted
 * within the warpgroup), pairs along k, lanes (8,4) row-major, the lane's 2x2 grid of pairs with the row index fastest.
 * shape: matrix u16 [64][16] -> registers u32 [128][4]. */
int capture_loader_plain(const uint16_t *matrix, uint32_t *registers, void *stream);

/* The same through ldmatrix.x4: the hardware distributes, lanes only name rows. */
int capture_loader_ldmatrix(const uint16_t *matrix, uint32_t *registers, void *stream);

/* D = A * B of wgmma.m64n64k16.f32.bf16.bf16.ss, one tile a block, D dumped by thread and register.
 * shape: a bf16 [tiles][64][16] (row-major, m then k), b bf16 [tiles][64][16] (n then k) -> d f32 [tiles][128][32]. */
int capture_product_ss(size_t tiles, const uint16_t *a, const uint16_t *b, float *d, void *stream);

/* The same of .rs, the A registers given as they are. shape: a u32 [tiles][128][4], b bf16 [64][16] shared by all
 * tiles. */
int capture_product_rs(size_t tiles, const uint32_t *a, const uint16_t *b, float *d, void *stream);

/* D = C + A * B of wgmma.m64n8k16.f32.bf16.bf16.rs in matrix coordinates, one tile a block.
 * shape: a bf16 [tiles][64][16], b bf16 [tiles][8][16] (n then k), c and d f32 bits [tiles][64][8] (m then n). */
int capture_arithmetic(size_t tiles, const uint16_t *a, const uint16_t *b, const uint32_t *c, uint32_t *d,
                       void *stream);

#ifdef __cplusplus
}
#endif
#endif
