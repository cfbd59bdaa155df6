/* module_cuda: the few words of cuda.h that module_driver needs, and the functions themselves, out of libcuda.so.1.
 * source: cuda.h of CUDA 13.0. */
#ifndef FO_ORACLE_EXEC_MODULE_CUDA_H
#define FO_ORACLE_EXEC_MODULE_CUDA_H

#include "reference/status.h"

typedef int cu_result;
typedef int cu_device;
typedef uint64_t cu_pointer;
enum {
    CU_OK = 0,
    CU_OUT_OF_MEMORY = 2,
    CU_NOT_READY = 600,
    CU_JIT_LOG = 5,        /* CU_JIT_ERROR_LOG_BUFFER */
    CU_JIT_LOG_BYTES = 6,  /* CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES */
    CU_DYNAMIC_SHARED = 8, /* CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES */
    CU_LARGE_CLUSTER = 14, /* CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED */
    CU_CLUSTER = 4         /* CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION */
};

/* CUlaunchAttribute and CUlaunchConfig. */
struct cuda_attribute {
    int id, padding;
    union {
        uint32_t cluster[3];
        uint8_t bytes[64];
    } value;
};

struct cuda_config {
    unsigned grid[3], block[3], shared;
    void *stream;
    struct cuda_attribute *attribute;
    unsigned attributes;
};

struct cuda {
    cu_result (*init)(unsigned flags);
    cu_result (*device_get)(cu_device *device, int ordinal);
    cu_result (*device_get_name)(char *name, int bytes, cu_device device);
    cu_result (*context_retain)(void **context, cu_device device);
    cu_result (*context_release)(cu_device device);
    cu_result (*context_set)(void *context);
    cu_result (*module_load)(void **module, const void *image, unsigned options, int *option, void **value);
    cu_result (*module_unload)(void *module);
    cu_result (*module_function)(void **function, void *module, const char *name);
    cu_result (*function_set)(void *function, int attribute, int value);
    cu_result (*alloc)(cu_pointer *at, size_t bytes);
    cu_result (*release)(cu_pointer at);
    cu_result (*copy_to)(cu_pointer to, const void *from, size_t bytes);
    cu_result (*copy_from)(void *to, cu_pointer from, size_t bytes);
    cu_result (*launch)(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                        unsigned shared, void *stream, void **parameters, void **extra);
    cu_result (*query)(void *stream);
    cu_result (*error_name)(cu_result r, const char **name);
    /* Of drivers from CUDA 11.8 on; NULL where there is none. */
    cu_result (*launch_ex)(const struct cuda_config *config, void *function, void **parameters, void **extra);
    cu_result (*tensor_map)(void *map, int type, uint32_t rank, void *address, const uint64_t *extent,
                            const uint64_t *stride, const uint32_t *box, const uint32_t *step, int interleave,
                            int swizzle, int promotion, int fill);
};

/* errors: STATUS_NO_DEVICE: no such library, or one that lacks a function. */
enum status cuda_find(struct cuda *out, struct error *e);

#endif
