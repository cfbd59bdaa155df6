/* As much of CUDA as fragoracle_device.h uses, on the host: threads are a loop, device memory is memory. */
#ifndef FO_TESTS_KERNELS_MOCK_CUDA_RUNTIME_H
#define FO_TESTS_KERNELS_MOCK_CUDA_RUNTIME_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct mock_dim {
    unsigned x, y, z;
};
static mock_dim gridDim = {1, 1, 1}, blockDim = {1, 1, 1}, blockIdx, threadIdx;

static inline uint32_t atomicCAS(uint32_t *at, uint32_t compare, uint32_t value)
{
    uint32_t old = *at;
    *at = old == compare ? value : old;
    return old;
}
static inline uint32_t atomicAdd(uint32_t *at, uint32_t value)
{
    uint32_t old = *at;
    *at = old + value;
    return old;
}
static inline unsigned __activemask(void)
{
    return ~0u;
}
static inline void __syncwarp(unsigned)
{
}

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorOperatingSystem = 304,
    cudaErrorMock = 999
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };

static long mock_live;           /* blocks of device memory */
static int mock_calls_left = -1; /* so many calls work, the next fails; -1: all work */
static inline bool mock_fails(void)
{
    return mock_calls_left >= 0 && mock_calls_left-- == 0;
}
static inline cudaError_t cudaMalloc(void **to, size_t size)
{
    if (mock_fails() || !(*to = malloc(size)))
        return cudaErrorMemoryAllocation;
    memset(*to, 0xee, size);
    mock_live++;
    return cudaSuccess;
}
static inline cudaError_t cudaFree(void *at)
{
    mock_live -= at != NULL;
    free(at);
    return cudaSuccess;
}
static inline cudaError_t cudaMemset(void *at, int value, size_t size)
{
    memset(at, value, size);
    return mock_fails() ? cudaErrorMock : cudaSuccess;
}
static inline cudaError_t cudaMemcpy(void *to, const void *from, size_t size, cudaMemcpyKind)
{
    memcpy(to, from, size);
    return mock_fails() ? cudaErrorMock : cudaSuccess;
}
static inline cudaError_t cudaDeviceSynchronize(void)
{
    return mock_fails() ? cudaErrorMock : cudaSuccess;
}
template <class T> static inline cudaError_t cudaMemcpyToSymbol(T &to, const void *from, size_t size)
{
    if (mock_fails())
        return cudaErrorMock;
    memcpy(&to, from, size);
    return cudaSuccess;
}

#endif
