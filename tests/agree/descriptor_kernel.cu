/* One wgmma.m64n64k16 with A in registers and B wherever a descriptor says, K-major or MN-major. nvcc includes the
 * runtime by itself. */
#include "kernels/ptx_wgmma.cuh"
#include "tests/agree/descriptor_kernel.h"

__device__ __forceinline__ void wgmma_transposed(float (&d)[32], const uint32_t (&a)[4], uint64_t b)
{
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " WGMMA_LIST32
                 ", {%32, %33, %34, %35}, %36, 1, 1, 1, 1;"
                 : WGMMA_D32(d)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

/* A block a case. The image of every case is laid at the beginning of shared memory, which is 1024-aligned. */
template <bool MN>
__global__ void __launch_bounds__(128)
    product(const uint8_t *image, const uint64_t *descriptor, const uint32_t *registers, float *out)
{
    extern __shared__ __align__(1024) uint8_t smem[];
    const uint4 *from = (const uint4 *)(image + (size_t)blockIdx.x * DESCRIPTOR_IMAGE);
    for (uint32_t i = threadIdx.x; i < DESCRIPTOR_IMAGE / 16; i += 128)
        ((uint4 *)smem)[i] = from[i];
    fence_proxy_async();
    __syncthreads();
    uint32_t a[4], base = (uint32_t)__cvta_generic_to_shared(smem);
    float d[32];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        a[i] = registers[((size_t)blockIdx.x * 128 + threadIdx.x) * 4 + i];
        wgmma_pin(a[i]);
    }
#pragma unroll
    for (int i = 0; i < 32; i++)
        d[i] = 0.0f;
    uint64_t b = descriptor[blockIdx.x] + (base >> 4);
    wgmma_fence();
    if (MN)
        wgmma_transposed(d, a, b);
    else
        wgmma_m64n64k16_bf16_rs(d, a, b);
    wgmma_commit();
    wgmma_wait();
#pragma unroll
    for (int i = 0; i < 32; i++) {
        wgmma_pin(d[i]);
        out[((size_t)blockIdx.x * 128 + threadIdx.x) * 32 + i] = d[i];
    }
    if (threadIdx.x == 0 && base % 1024 != 0)
        __trap();
}

static cudaError_t put(const void *host, size_t bytes, void **device)
{
    cudaError_t r = cudaMalloc(device, bytes);
    return r == cudaSuccess ? cudaMemcpy(*device, host, bytes, cudaMemcpyHostToDevice) : r;
}

extern "C" int descriptor_kernel_run(bool mn, uint32_t cases, const uint8_t *image, const uint64_t *descriptor,
                                     const uint32_t *registers, float *out)
{
    void *d_image = NULL, *d_descriptor = NULL, *d_registers = NULL, *d_out = NULL;
    size_t outputs = (size_t)cases * 128 * 32 * sizeof *out;
    cudaError_t r = put(image, (size_t)cases * DESCRIPTOR_IMAGE, &d_image);
    if (r == cudaSuccess)
        r = put(descriptor, cases * sizeof *descriptor, &d_descriptor);
    if (r == cudaSuccess)
        r = put(registers, (size_t)cases * 128 * 4 * sizeof *registers, &d_registers);
    if (r == cudaSuccess)
        r = cudaMalloc(&d_out, outputs);
    if (r == cudaSuccess)
        r = cudaFuncSetAttribute(mn ? product<true> : product<false>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 DESCRIPTOR_IMAGE);
    if (r == cudaSuccess) {
        if (mn)
            product<true><<<cases, 128, DESCRIPTOR_IMAGE>>>((const uint8_t *)d_image, (const uint64_t *)d_descriptor,
                                                            (const uint32_t *)d_registers, (float *)d_out);
        else
            product<false><<<cases, 128, DESCRIPTOR_IMAGE>>>((const uint8_t *)d_image, (const uint64_t *)d_descriptor,
                                                             (const uint32_t *)d_registers, (float *)d_out);
        r = cudaGetLastError();
    }
    if (r == cudaSuccess)
        r = cudaMemcpy(out, d_out, outputs, cudaMemcpyDeviceToHost);
    cudaFree(d_image);
    cudaFree(d_descriptor);
    cudaFree(d_registers);
    cudaFree(d_out);
    return r;
}
