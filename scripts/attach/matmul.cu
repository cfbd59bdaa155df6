/* matmul: D = W X with W int8, widened to bf16 in registers: a small kernel to attach to, see oracle/ATTACH.md.
 *
 *     nvcc -gencode arch=compute_90a,code=sm_90a -I. scripts/attach/matmul.cu -o matmul      -DFRAGORACLE_TAP: captured
 *     ./matmul FOLDER [--wrong]       writes w.npy [M,K], x.npy [K,N], d.npy [M,N]; tapped, capture.ftap too
 *
 * Exit status: 0 the result is right, 1 it is wrong, 2 trouble. --wrong loads each thread's registers in the order in
 * which the matrix lies, R1 beside R0 instead of below it: the classic mistake. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/fragoracle_device.h"

#define OP "wgmma.m64n64k16.f32.bf16.bf16.rs"
enum { M = 128, N = 64, K = 256, TILE_M = 64, TILE_K = 64, STEP_K = 16, STEPS = TILE_K / STEP_K };

struct matmul {
    const int8_t *w;   /* [M][K] */
    const uint16_t *x; /* bits of bf16, [N][K]: the columns of X one after the other */
    float *d;          /* [M][N] */
    uint32_t wrong;    /* exchange R1 and R2 */
    /* What the assertions of a tapped build compare with. */
    const uint16_t *w_expected; /* [M][K] */
    const float *d_expected;    /* [M][N] */
};

/* ---- PTX --------------------------------------------------------------------------------------------------------- */

/* Nothing that computes this register may move below this point, nothing that reads it above: wgmma.fence orders
 * memory, not arithmetic, and the compiler cannot see that wgmma still reads A, and writes D, until the wait. */
static __device__ __forceinline__ void pin(uint32_t &reg)
{
    asm volatile("" : "+r"(reg)::"memory");
}
static __device__ __forceinline__ void pin(float &reg)
{
    asm volatile("" : "+f"(reg)::"memory");
}

/* A K-major tile with the 128-byte swizzle: 1024 bytes from eight rows to the next eight. */
static __device__ __forceinline__ uint64_t descriptor_of(uint32_t address)
{
    return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)1 << 16 | (uint64_t)(1024 >> 4) << 32 | (uint64_t)1 << 62;
}

#define D4(d, i)  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define D16(d, i) D4(d, i), D4(d, i + 4), D4(d, i + 8), D4(d, i + 12)

static __device__ __forceinline__ void multiply_add(float (&d)[32], const uint32_t (&a)[4], uint64_t b)
{
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
                 "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
                 "{%32, %33, %34, %35}, %36, 1, 1, 1, 0;"
                 : D16(d, 0), D16(d, 16)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

/* ---- the kernel -------------------------------------------------------------------------------------------------- */

/* Two int8 that lie side by side, as two bf16 in a register, the first in the low half; bf16 holds each exactly. */
static __device__ __forceinline__ uint32_t widen(const int8_t *at)
{
    char2 pair = *(const char2 *)at;
    return __float_as_uint((float)pair.x) >> 16 | (__float_as_uint((float)pair.y) & 0xffff0000u);
}

/* The A fragment of the 64 x 16 tile at w: thread t holds, in row 16 (t / 32) + t % 32 / 4 and column 2 (t % 4),
 *
 *              column    +0  +1      +8  +9
 *     row +0             R0          R2
 *     row +8             R1          R3          each register two columns, the left one in its low half */
static __device__ __forceinline__ void load_a(const int8_t *w, uint32_t wrong, uint32_t (&a)[4])
{
    uint32_t row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
#pragma unroll
    for (uint32_t r = 0; r < 4; r++) {
        uint32_t down = wrong ? r / 2 : r % 2, right = wrong ? r % 2 : r / 2;
        a[r] = widen(w + (row + 8 * down) * K + column + 8 * right);
    }
}

/* 64 columns of X, 64 k of each: lines of 128 bytes, in which 16 bytes c of line r stand at c ^ r % 8. */
static __device__ __forceinline__ void store_b(const uint16_t *x, unsigned char *tile)
{
    for (uint32_t i = threadIdx.x; i < N * 8; i += blockDim.x) {
        uint32_t row = i / 8, chunk = i % 8;
        *(uint4 *)(tile + row * 128 + (chunk ^ row % 8) * 16) = *(const uint4 *)(x + row * K + chunk * 8);
    }
    /* wgmma reads through another proxy than these stores write. */
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

static __device__ __forceinline__ void store_d(float *to, const float (&d)[32])
{
    uint32_t row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
#pragma unroll
    for (uint32_t i = 0; i < 32; i += 2)
        *(float2 *)(to + (row + i / 2 % 2 * 8) * N + column + i / 4 * 8) = make_float2(d[i], d[i + 1]);
}

/* One warpgroup a block, 64 rows of D each. The FO_ lines are all that attaching takes. */
__global__ void __launch_bounds__(128) matmul_kernel(struct matmul p)
{
    __shared__ __align__(1024) unsigned char tile[N * TILE_K * 2];
    uint32_t address = (uint32_t)__cvta_generic_to_shared(tile), m0 = blockIdx.x * TILE_M;
    float d[32] = {};
#pragma unroll 1
    for (uint32_t k0 = 0; k0 < K; k0 += TILE_K) {
        uint32_t a[STEPS][4];
        store_b(p.x + k0, tile);
        __syncthreads();
#pragma unroll
        for (uint32_t step = 0; step < STEPS; step++) {
            uint32_t k = k0 + step * STEP_K;
            load_a(p.w + m0 * K + k, p.wrong, a[step]);
            FO_TAP_INTO(step, 0, OP, "A", a[step]);
            FO_ASSERT_A(step, OP, a[step][0], a[step][1], a[step][2], a[step][3], p.w_expected, K, m0, k);
            FO_ASSERT_SMEM(step, OP, descriptor_of(address + 2 * STEP_K * step), N, p.x, K, 0, k);
        }
#pragma unroll
        for (uint32_t i = 0; i < STEPS * 4; i++)
            pin(a[i / 4][i % 4]);
        asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
        for (uint32_t step = 0; step < STEPS; step++)
            multiply_add(d, a[step], descriptor_of(address + 2 * STEP_K * step));
        asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
        asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
#pragma unroll
        for (uint32_t i = 0; i < 32; i++)
            pin(d[i]);
        __syncthreads(); /* the tile is written again */
    }
    FO_ASSERT_D(STEPS - 1, OP, d, p.d_expected, N, m0, 0);
    store_d(p.d + m0 * N, d);
}

/* ---- the host ---------------------------------------------------------------------------------------------------- */

static int8_t w[M][K];
static uint16_t w_bits[M][K], x_bits[K][N], x_columns[N][K];
static float d[M][N], d_expected[M][N];

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "matmul: %s: %s\n", what, why);
    exit(2);
}
static void cuda(cudaError_t error)
{
    if (error != cudaSuccess)
        stop("CUDA", cudaGetErrorString(error));
}

/* Of values that eight significant bits hold. */
static uint16_t bf16_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)(bits >> 16);
}

/* Integers -8..7 times multiples of 1/64 below 2: every sum is exact, in any order. */
static void make_inputs(void)
{
    srand(1);
    for (int m = 0; m < M; m++)
        for (int k = 0; k < K; k++) {
            w[m][k] = (int8_t)(rand() / 7 % 16 - 8);
            w_bits[m][k] = bf16_bits(w[m][k]);
        }
    for (int k = 0; k < K; k++)
        for (int n = 0; n < N; n++) {
            float value = (float)(rand() / 7 % 256 - 128) / 64;
            x_bits[k][n] = x_columns[n][k] = bf16_bits(value);
            for (int m = 0; m < M; m++)
                d_expected[m][n] += (float)w[m][k] * value;
        }
}

static void *to_device(const void *from, size_t bytes)
{
    void *to;
    cuda(cudaMalloc(&to, bytes));
    cuda(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice));
    return to;
}

/* type: as numpy writes it, "<u2". The head is 128 bytes: magic, version 1.0, and 118 bytes of text. */
static void write_npy(const char *folder, const char *name, const char *type, int rows, int columns, const void *data)
{
    char path[4096], text[118];
    size_t size = type[2] - '0', count = (size_t)rows * columns;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }", type, rows, columns);
    FILE *file = fopen(path, "wb");
    if (!file || fprintf(file, "\x93NUMPY%c%c%c%c%-117s\n", 1, 0, 118, 0, text) != 128 ||
        fwrite(data, size, count, file) != count || fclose(file) != 0)
        stop(path, strerror(errno));
}

static void run(const char *folder, uint32_t wrong)
{
    struct matmul p = {};
    float *result;
    p.w = (const int8_t *)to_device(w, sizeof w);
    p.x = (const uint16_t *)to_device(x_columns, sizeof x_columns);
    p.d = result = (float *)to_device(d, sizeof d);
    p.wrong = wrong;
    p.w_expected = (const uint16_t *)to_device(w_bits, sizeof w_bits);
    p.d_expected = (const float *)to_device(d_expected, sizeof d_expected);
#ifdef FRAGORACLE_TAP
    /* Both blocks, their one warpgroup, all four trips; room for 16 places in the code, of 8 words a thread. */
    const struct fo_capture_filter everything = {0, M / TILE_M, 0, 1, 0, K / TILE_K, 0};
    cuda(fo_capture_begin(&everything, 16, FO_ASSERT_WORDS));
#endif
    matmul_kernel<<<M / TILE_M, 128>>>(p);
    cuda(cudaGetLastError());
    cuda(cudaMemcpy(d, result, sizeof d, cudaMemcpyDeviceToHost));
#ifdef FRAGORACLE_TAP
    char path[4096];
    snprintf(path, sizeof path, "%s/capture.ftap", folder);
    cuda(fo_capture_save(path));
    cuda(fo_capture_end());
#endif
    write_npy(folder, "w.npy", "<u2", M, K, w_bits);
    write_npy(folder, "x.npy", "<u2", K, N, x_bits);
    write_npy(folder, "d.npy", "<f4", M, N, d);
}

int main(int argc, char **argv)
{
    uint32_t wrong = argc == 3 && strcmp(argv[2], "--wrong") == 0;
    int differing = 0;
    if (argc != 2 && !wrong)
        stop("usage", "matmul FOLDER [--wrong]");
    if (mkdir(argv[1], 0777) != 0 && errno != EEXIST)
        stop(argv[1], strerror(errno));
    make_inputs();
    run(argv[1], wrong);
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++)
            differing += d[m][n] != d_expected[m][n];
    printf("matmul: %d of %d values of D are wrong\n", differing, M * N);
    return differing != 0;
}
