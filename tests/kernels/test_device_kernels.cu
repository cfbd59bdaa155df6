/* What tests/kernels/test_device_gpu.c needs on the device: memory, and one tile of wgmma whose operands and result are
 * asserted where they lie. */
#include "kernels/fragoracle_device.h"
#include "kernels/ptx_wgmma.cuh"

#define TILE_OP "wgmma.m64n64k16.f32.bf16.bf16.ss"

FO_CAPTURE_EXPORT(tile)

/* A K-major operand [64][16] into lines of 128 bytes; swap exchanges the two chunks of every odd row. */
static __device__ void stage(uint8_t *smem, const uint16_t *rows, int swap)
{
    uint32_t row = threadIdx.x / 2, chunk = threadIdx.x % 2, to = chunk ^ (swap && row % 2);
    *(uint4 *)(smem + row * 128 + (to ^ row % 8) * 16) = *(const uint4 *)(rows + row * 16 + chunk * 8);
}

__global__ void __launch_bounds__(128)
    tile_kernel(const uint16_t *a, const uint16_t *b, const float *want, const uint16_t *b_transposed, int swap)
{
    __shared__ __align__(1024) uint8_t smem_a[64 * 128], smem_b[64 * 128], smem_mn[16 * 128];
    stage(smem_a, a, 0);
    stage(smem_b, b, swap);
    /* The same B with n running along the line: 16 lines of 64 columns. */
    uint32_t k = threadIdx.x / 8, chunk = threadIdx.x % 8;
    *(uint4 *)(smem_mn + k * 128 + (chunk ^ k % 8) * 16) = *(const uint4 *)(b_transposed + k * 64 + chunk * 8);
    fence_proxy_async();
    __syncthreads();
    uint64_t da = wgmma_descriptor_sw128((uint32_t)__cvta_generic_to_shared(smem_a));
    uint64_t db = wgmma_descriptor_sw128((uint32_t)__cvta_generic_to_shared(smem_b));
    FO_ASSERT_SMEM(0, TILE_OP, da, 64, a, 16, 0, 0);
    FO_ASSERT_SMEM(1, TILE_OP, db, 64, b, 16, 0, 0);
    FO_ASSERT_SMEM_BOUNDED(2, TILE_OP, db, 64, b, 16, 0, 0, 63, 16);
    FO_ASSERT_SMEM_MN(3, TILE_OP, wgmma_descriptor_sw128((uint32_t)__cvta_generic_to_shared(smem_mn)), 64, b, 16, 0, 0);
    float d[32];
#pragma unroll
    for (int i = 0; i < 32; i++)
        d[i] = 0.0f;
    wgmma_fence();
    wgmma_m64n64k16_bf16_ss(d, da, db);
    wgmma_commit();
    wgmma_wait();
#pragma unroll
    for (int i = 0; i < 32; i++)
        wgmma_pin(d[i]);
    FO_ASSERT_D(0, TILE_OP, d, want, 64, 0, 0);
}

extern "C" int test_device_put(const void *host, size_t bytes, void **device)
{
    cudaError_t error = cudaMalloc(device, bytes);
    return error != cudaSuccess ? error : cudaMemcpy(*device, host, bytes, cudaMemcpyHostToDevice);
}

extern "C" void test_device_drop(void *device)
{
    cudaFree(device);
}

extern "C" int test_device_tile(const void *a, const void *b, const void *want, const void *b_transposed, int swap)
{
    tile_kernel<<<1, 128>>>((const uint16_t *)a, (const uint16_t *)b, (const float *)want,
                            (const uint16_t *)b_transposed, swap);
    return cudaGetLastError();
}
