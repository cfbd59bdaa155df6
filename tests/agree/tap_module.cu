/* The production kernel out of a rewritten module: launches go to it instead of to the kernel that the program holds.
 * nvcc includes the runtime by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/rs_gemm.h"
#include "tests/agree/tap_module.h"

static cudaLibrary_t library;
static cudaKernel_t production, planted;
static uint8_t order[8];
static bool has_order;

extern "C" int tap_module_open(const char *cubin)
{
    cudaError_t r = cudaLibraryLoadFromFile(&library, cubin, NULL, NULL, 0, NULL, NULL, 0);
    if (r == cudaSuccess)
        r = cudaLibraryGetKernel(&production, library, "_Z14rs_gemm_kernel7rs_args");
    if (r == cudaSuccess)
        r = cudaLibraryGetKernel(&planted, library, "_Z22rs_gemm_planted_kernel7rs_args8rs_fault");
    return r;
}

extern "C" void tap_module_order(const uint8_t pack_order[8])
{
    has_order = pack_order != NULL;
    if (has_order)
        memcpy(order, pack_order, sizeof order);
}

extern "C" int tap_module_clear(void)
{
    void *data;
    size_t bytes;
    cudaError_t r = cudaLibraryGetGlobal(&data, &bytes, library, "fragoracle_tap_data");
    return r == cudaSuccess ? cudaMemset(data, 0, bytes) : r;
}

extern "C" int tap_module_image(void **image, size_t *size)
{
    void *head, *data;
    size_t head_bytes, data_bytes;
    cudaError_t r = cudaLibraryGetGlobal(&head, &head_bytes, library, "fragoracle_tap_head");
    if (r == cudaSuccess)
        r = cudaLibraryGetGlobal(&data, &data_bytes, library, "fragoracle_tap_data");
    if (r != cudaSuccess)
        return r;
    uint8_t *bytes = (uint8_t *)malloc(head_bytes + data_bytes);
    if (!bytes)
        return cudaErrorMemoryAllocation;
    r = cudaMemcpy(bytes, head, head_bytes, cudaMemcpyDeviceToHost);
    if (r == cudaSuccess)
        r = cudaMemcpy(bytes + head_bytes, data, data_bytes, cudaMemcpyDeviceToHost);
    if (r != cudaSuccess) {
        free(bytes);
        return r;
    }
    *image = bytes;
    *size = head_bytes + data_bytes;
    return cudaSuccess;
}

static int launch(cudaKernel_t kernel, const struct rs_shape *s, void **parameters, void *stream)
{
    dim3 grid(rs_max_tiles(s), (s->N + RS_TILE_FEATURES - 1) / RS_TILE_FEATURES);
    return cudaLaunchKernel((const void *)kernel, grid, dim3(RS_THREADS), parameters, 0, (cudaStream_t)stream);
}

extern "C" int rs_gemm_launch(const struct rs_args *args, void *stream)
{
    void *parameters[] = {(void *)args};
    return launch(production, &args->shape, parameters, stream);
}

extern "C" int rs_gemm_planted_launch(const struct rs_args *args, const struct rs_fault *fault, void *stream)
{
    struct rs_fault f = *fault;
    if (has_order)
        memcpy(f.pack_order, order, sizeof order);
    void *parameters[] = {(void *)args, &f};
    return launch(planted, &args->shape, parameters, stream);
}

extern "C" int rs_decode_launch(const uint32_t *, const uint32_t *, const uint32_t *, size_t, uint32_t *, void *)
{
    return cudaErrorNotSupported;
}
