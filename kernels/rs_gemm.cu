/* rs_gemm: first rung of the ladder. The simplest kernel that is correct for the whole contract.
 *
 * One block is one warpgroup and one tile of 64 features x 64 tokens. For each K tile of 128 it copies x into shared
 * memory (128-byte swizzle), loads each word of weights once (16 bytes a lane), decodes it in place into A registers,
 * issues up to eight wgmma and waits for them. Nothing overlaps yet.
 *
 * A registers are written before wgmma_fence, and read again after wgmma_wait behind a branch on `counters`, which the
 * compiler cannot decide: that keeps them alive and unwritten while the tensor core reads them. ptxas before 13.3 may
 * otherwise reuse registers of an RS wgmma in flight (triton issues 9433 and 11781). */
#include "kernels/rs_gemm.h"

#include <cuda_runtime_api.h>

#include "kernels/fragoracle_device.h"
#include "kernels/ptx_wgmma.cuh"

#define RS_HALVES (RS_TILE_K / RS_WORD_K)
#define RS_OP     "wgmma.m64n64k16.f32.bf16.bf16.rs"

/* Built with FRAGORACLE_TAP: the decoded weights [experts][N][K] that A is held against, in device memory or NULL. */
#ifdef FRAGORACLE_TAP
static __device__ const uint16_t *rs_tap_weights;
static __device__ __forceinline__ const uint16_t *rs_tap_matrix(const struct rs_args &args, uint32_t expert)
{
    return rs_tap_weights ? rs_tap_weights + (size_t)expert * args.shape.N * args.shape.K : NULL;
}
extern "C" int rs_gemm_tap_weights(const uint16_t *weights)
{
    return cudaMemcpyToSymbol(rs_tap_weights, &weights, sizeof weights);
}
#endif
FO_CAPTURE_EXPORT(rs_gemm)

static __device__ void rs_write_zeros(const struct rs_args &args, const struct rs_tile &tile, uint32_t feature0)
{
    const struct bf16 zero = {0};
    for (uint32_t i = threadIdx.x; i < tile.rows * RS_TILE_FEATURES; i += RS_THREADS) {
        uint32_t feature = feature0 + i % RS_TILE_FEATURES;
        if (feature < args.shape.N)
            args.out[rs_out_offset(&args.shape, tile.row + i / RS_TILE_FEATURES, feature)] = zero;
    }
}

/* x of one K tile into shared memory; rows past the tile and columns past K are zero. */
template <class rs_wrong>
static __device__ __forceinline__ void rs_copy_x(const struct rs_args &args, const struct rs_tile &tile, uint32_t k0,
                                                 const rs_wrong &fault, uint8_t *smem)
{
#pragma unroll
    for (uint32_t c = 0; c < RS_CHUNKS; c++) {
        uint32_t token, k;
        rs_x_chunk(threadIdx.x, c, &fault, &token, &k);
        uint4 chunk = make_uint4(0, 0, 0, 0);
        if (token < tile.rows && k0 + k < args.shape.K)
            chunk = *(const uint4 *)(args.x + rs_x_offset(&args.shape, tile.row + token, k0 + k));
        *(uint4 *)(smem + rs_smem_offset(token, k, &fault)) = chunk;
    }
}

/* The A registers of one K tile: [64 columns][k16 step][register]. Rows past N and columns past K are zero. */
template <class rs_wrong>
static __device__ __forceinline__ void rs_load_a(const struct rs_args &args, uint32_t expert, uint32_t feature,
                                                 uint32_t k0, const rs_wrong &fault,
                                                 uint32_t (&a)[RS_HALVES][RS_STEPS][4])
{
#pragma unroll
    for (uint32_t h = 0; h < RS_HALVES; h++) {
        uint32_t k = k0 + h * RS_WORD_K;
        uint32_t word[RS_STEPS] = {0, 0, 0, 0}, scales = 0;
        if (feature < args.shape.N && k < args.shape.K) {
            size_t byte = rs_value_byte(feature, k, threadIdx.x, args.shape.K, &fault);
            if (rs_value_inside(&args.shape, expert, feature, byte, &fault)) {
                uint4 v = *(const uint4 *)(args.values + rs_value_row(&args.shape, expert, feature, &fault) + byte);
                word[0] = v.x, word[1] = v.y, word[2] = v.z, word[3] = v.w;
            }
            scales = *(const uint32_t *)(args.scales + rs_scale_offset(&args.shape, expert, feature, k, k0, &fault));
        }
#pragma unroll
        for (uint32_t step = 0; step < RS_STEPS; step++)
            rs_decode(word[step], scales, step, &fault, a[h][step]);
    }
}

/* Four k16 steps: 64 columns. Returns the number of wgmma issued. */
static __device__ __forceinline__ uint32_t rs_multiply(float (&d)[RS_ACCUMULATORS], uint32_t (&a)[RS_STEPS][4],
                                                       uint32_t b_address)
{
#pragma unroll
    for (uint32_t i = 0; i < RS_STEPS * 4; i++)
        wgmma_pin(a[i / 4][i % 4]);
    wgmma_fence();
#pragma unroll
    for (uint32_t step = 0; step < RS_STEPS; step++)
        wgmma_m64n64k16_bf16_rs(d, a[step], wgmma_descriptor_sw128(b_address + rs_smem_step(step * RS_STEP_K)));
    wgmma_commit();
    return RS_STEPS;
}

/* Site h * 4 + step: the A registers of one K tile, ahead of the first fence. Nothing without FRAGORACLE_TAP. */
static __device__ __forceinline__ void rs_tap_a(const struct rs_args &args, uint32_t expert, uint32_t feature0,
                                                uint32_t k0, const uint32_t (&a)[RS_HALVES][RS_STEPS][4])
{
#pragma unroll
    for (uint32_t h = 0; h < RS_HALVES; h++)
#pragma unroll
        for (uint32_t step = 0; step < RS_STEPS; step++)
            if (k0 + h * RS_WORD_K < args.shape.K) {
                FO_TAP_INTO(h * RS_STEPS + step, 0, RS_OP, "A", a[h][step]);
                FO_ASSERT_A_BOUNDED(h * RS_STEPS + step, RS_OP, a[h][step][0], a[h][step][1], a[h][step][2],
                                    a[h][step][3], rs_tap_matrix(args, expert), args.shape.K, feature0,
                                    k0 + h * RS_WORD_K + step * RS_STEP_K, args.shape.N, args.shape.K);
            }
}

template <class rs_wrong>
static __device__ __forceinline__ void rs_write_out(const struct rs_args &args, const struct rs_tile &tile,
                                                    uint32_t feature0, const rs_wrong &fault,
                                                    const float (&d)[RS_ACCUMULATORS])
{
#pragma unroll
    for (uint32_t i = 0; i < RS_ACCUMULATORS; i++) {
        uint32_t token = rs_acc_token(threadIdx.x, i, &fault);
        uint32_t feature = feature0 + rs_acc_feature(threadIdx.x, i, &fault);
        if (token < tile.rows && feature < args.shape.N)
            args.out[rs_out_offset(&args.shape, tile.row + token, feature)] = rs_result(d[i], &tile, token, &fault);
    }
}

template <class rs_wrong>
static __device__ __forceinline__ void rs_body(const struct rs_args &args, const rs_wrong &fault)
{
    __shared__ __align__(1024) uint8_t smem[RS_SMEM_BYTES];
    int order_bad;
    uint32_t status = rs_status(&args.shape, args.starts, args.ids, &order_bad);
    if (blockIdx.x == 0 && blockIdx.y == 0 && threadIdx.x == 0)
        *args.status = status;
    if (args.counters && threadIdx.x == 0)
        atomicAdd((unsigned long long *)&args.counters->blocks, 1ull);

    struct rs_tile tile;
    if (!rs_find_tile(&args.shape, args.starts, args.ids, order_bad, blockIdx.x, &fault, &tile))
        return;
    if (rs_tile_returns(&args.shape, &tile, &fault))
        return;
    uint32_t feature0 = blockIdx.y * RS_TILE_FEATURES;
    if (tile.expert < 0) {
        rs_write_zeros(args, tile, feature0);
        return;
    }

    if (fault.half_map) { /* what is never written must be the same every time */
        for (uint32_t i = threadIdx.x; i < RS_SMEM_BYTES / 4; i += RS_THREADS)
            ((uint32_t *)smem)[i] = 0;
        __syncthreads();
    }
    uint32_t feature = rs_weight_feature(feature0 + rs_feature(threadIdx.x), &fault);
    uint32_t smem_address = (uint32_t)__cvta_generic_to_shared(smem);
    uint32_t issued = 0, checksum = 0;
    float d[RS_ACCUMULATORS];
#pragma unroll
    for (uint32_t i = 0; i < RS_ACCUMULATORS; i++)
        d[i] = 0.0f;

    for (uint32_t k0 = 0; k0 < args.shape.K; k0 += RS_TILE_K) {
        uint32_t a[RS_HALVES][RS_STEPS][4];
        rs_copy_x(args, tile, k0, fault, smem);
        rs_load_a(args, (uint32_t)tile.expert, feature, k0, fault, a);
        rs_tap_a(args, (uint32_t)tile.expert, feature0, k0, a);
        if (!fault.no_proxy_fence)
            fence_proxy_async();
        __syncthreads();

#pragma unroll
        for (uint32_t h = 0; h < RS_HALVES; h++)
            /* K is a multiple of 64: the second half of the last tile may be past the end. */
            if (k0 + h * RS_WORD_K < args.shape.K)
                issued += rs_multiply(d, a[h], smem_address + rs_smem_step(h * RS_WORD_K));
        wgmma_wait();
#pragma unroll
        for (uint32_t i = 0; i < RS_ACCUMULATORS; i++)
            wgmma_pin(d[i]);
        FO_TAP_INTO(RS_HALVES * RS_STEPS - 1, 0, RS_OP, "D", d);
        if (args.counters) {
#pragma unroll
            for (uint32_t k = 0; k < RS_TILE_K; k += RS_STEP_K)
                if (k0 + k < args.shape.K)
                    checksum += rs_checksum(a[k / RS_WORD_K][k / RS_STEP_K % RS_STEPS], k0 + k, threadIdx.x);
        }
        __syncthreads();
    }
    rs_write_out(args, tile, feature0, fault, d);

    if (args.counters) {
        atomicAdd(&args.counters->a_checksum, checksum);
        if (threadIdx.x == 0) {
            atomicAdd((unsigned long long *)&args.counters->tiles, 1ull);
            atomicAdd((unsigned long long *)&args.counters->wgmma, (unsigned long long)issued);
        }
    }
}

__global__ void __launch_bounds__(RS_THREADS) rs_gemm_kernel(const __grid_constant__ struct rs_args args)
{
    const struct rs_right neutral = {RS_PACK_ORDER};
    rs_body(args, neutral);
}

__global__ void __launch_bounds__(RS_THREADS)
    rs_gemm_planted_kernel(const __grid_constant__ struct rs_args args, const __grid_constant__ struct rs_fault fault)
{
    rs_body(args, fault);
}

static bool rs_args_valid(const struct rs_args *args)
{
    const struct rs_shape *s = &args->shape;
    return s->P && s->N && s->K && s->experts && s->K % RS_WORD_K == 0 && s->N % 16 == 0 && args->x && args->values &&
           args->scales && args->starts && (args->ids || s->active == 0) && args->out && args->status &&
           (s->N + RS_TILE_FEATURES - 1) / RS_TILE_FEATURES <= 65535u;
}

static dim3 rs_grid(const struct rs_shape *s, uint32_t token_tiles)
{
    return dim3(token_tiles, (s->N + RS_TILE_FEATURES - 1) / RS_TILE_FEATURES);
}

extern "C" int rs_gemm_launch(const struct rs_args *args, void *stream)
{
    if (!rs_args_valid(args))
        return cudaErrorInvalidValue;
    rs_gemm_kernel<<<rs_grid(&args->shape, rs_max_tiles(&args->shape)), RS_THREADS, 0, (cudaStream_t)stream>>>(*args);
    return cudaGetLastError();
}

extern "C" int rs_gemm_planted_launch(const struct rs_args *args, const struct rs_fault *fault, void *stream)
{
    if (!rs_args_valid(args))
        return cudaErrorInvalidValue;
    uint32_t token_tiles = rs_grid_tiles(&args->shape, fault);
    rs_gemm_planted_kernel<<<rs_grid(&args->shape, token_tiles), RS_THREADS, 0, (cudaStream_t)stream>>>(*args, *fault);
    return cudaGetLastError();
}

__global__ void rs_decode_kernel(const uint32_t *words, const uint32_t *scales, const uint32_t *steps, size_t n,
                                 uint32_t *registers)
{
    const struct rs_right neutral = {RS_PACK_ORDER};
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        uint32_t a[4];
        rs_decode(words[i], scales[i], steps[i], &neutral, a);
        for (int r = 0; r < 4; r++)
            registers[4 * i + r] = a[r];
    }
}

extern "C" int rs_decode_launch(const uint32_t *words, const uint32_t *scales, const uint32_t *steps, size_t n,
                                uint32_t *registers, void *stream)
{
    if (n == 0 || n > (size_t)1 << 38)
        return cudaErrorInvalidValue;
    rs_decode_kernel<<<(unsigned)((n + 255) / 256), 256, 0, (cudaStream_t)stream>>>(words, scales, steps, n, registers);
    return cudaGetLastError();
}
