/* rs_gemm: the production RS kernel, grouped bf16 x MXFP4 on Hopper, and its planted variants.
 *
 * out[p][n] = bf16(sum over k of x[p][k] * W[expert of row p][n][k]), W = MXFP4 decoded straight into the A registers
 * of wgmma.m64n64k16.f32.bf16.bf16.rs. One f32 accumulator a result, from +0, k16 steps in ascending order, rounded
 * once.
 *
 * shape: x bf16 [P,K]; values u8 [E, N/4, 2K] swizzled and packed; scales u8 [E, Npad/32, K] swizzled for 4 warps, Npad
 * = N padded to 128; starts u32 [A+1]; ids i32 [A]; out bf16 [P,N]. All in device memory, x, values and scales 16-byte
 * aligned. needs: K % 64 == 0, N % 16 == 0, P, N, K, E >= 1.
 * Segments may be empty; ids may repeat and be unsorted; entries past A are never read. Every row of out is written by
 * every launch, zero where no valid segment covers it. *status receives 0, or 1 + the lowest bad segment (id outside
 * 0..E-1, or starts that decrease or overrun P; at the latter every row is zero): read it after synchronising. Callable
 * from C. Functions return a cudaError_t as int, 0 on success; launches are asynchronous. */
#ifndef FO_KERNELS_RS_GEMM_H
#define FO_KERNELS_RS_GEMM_H

#include "kernels/rs_index.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counted on the device while a kernel runs; the caller zeroes it. */
struct rs_counters {
    uint64_t blocks;     /* thread blocks that ran */
    uint64_t tiles;      /* of these, tiles that computed a product */
    uint64_t wgmma;      /* wgmma instructions issued, one a warpgroup */
    uint32_t a_checksum; /* rs_checksum over every A register, read after the wgmma completed */
    uint32_t reserved;
};

struct rs_args {
    struct rs_shape shape;
    const struct bf16 *x;
    const uint8_t *values, *scales;
    const uint32_t *starts;
    const int32_t *ids;
    struct bf16 *out;
    uint32_t *status;
    struct rs_counters *counters; /* NULL in production */
};

/* errors: cudaErrorInvalidValue when `needs` above is not met. */
int rs_gemm_launch(const struct rs_args *args, void *stream);

/* The same source with the fault as a run-time parameter. With RS_FAULT_NEUTRAL it is the clean twin: bit-identical. */
int rs_gemm_planted_launch(const struct rs_args *args, const struct rs_fault *fault, void *stream);

/* The decode alone, of the same rs_decode: n packed words [n], scale words [n], steps [n] -> registers [n][4]. */
int rs_decode_launch(const uint32_t *words, const uint32_t *scales, const uint32_t *steps, size_t n,
                     uint32_t *registers, void *stream);

#ifdef __cplusplus
}
#endif
#endif
