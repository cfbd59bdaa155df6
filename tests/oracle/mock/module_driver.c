#include "tests/oracle/mock/module_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct module_mock module_mock;
static void *live[32];

void module_mock_reset(void)
{
    for (size_t i = 0; i < sizeof live / sizeof *live; i++) {
        free(live[i]);
        live[i] = NULL;
    }
    module_mock = (struct module_mock){0};
}

int cuInit(unsigned flags);
int cuDeviceGet(int *device, int ordinal);
int cuDeviceGetName(char *name, int bytes, int device);
int cuDevicePrimaryCtxRetain(void **context, int device);
int cuDevicePrimaryCtxRelease_v2(int device);
int cuCtxSetCurrent(void *context);
int cuModuleLoadDataEx(void **module, const void *image, unsigned options, int *option, void **value);
int cuModuleUnload(void *module);
int cuModuleGetFunction(void **function, void *module, const char *name);
int cuFuncSetAttribute(void *function, int attribute, int value);
int cuMemAlloc_v2(uint64_t *at, size_t bytes);
int cuMemFree_v2(uint64_t at);
int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes);
int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes);
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **parameters, void **extra);
int cuLaunchKernelEx(const void *config, void *function, void **parameters, void **extra);
int cuTensorMapEncodeTiled(void *map, int type, uint32_t rank, void *address, const uint64_t *extent,
                           const uint64_t *stride, const uint32_t *box, const uint32_t *step, int interleave,
                           int swizzle, int promotion, int fill);
int cuStreamQuery(void *stream);
int cuGetErrorName(int r, const char **name);

int cuInit(unsigned flags)
{
    return flags ? 1 : module_mock.init;
}

int cuDeviceGet(int *device, int ordinal)
{
    *device = ordinal;
    return 0;
}

int cuDeviceGetName(char *name, int bytes, int device)
{
    snprintf(name, (size_t)bytes, "Mock GPU %d", device);
    return 0;
}

int cuDevicePrimaryCtxRetain(void **context, int device)
{
    (void)device;
    if (module_mock.retain)
        return module_mock.retain;
    *context = &module_mock;
    module_mock.contexts++;
    return 0;
}

int cuDevicePrimaryCtxRelease_v2(int device)
{
    (void)device;
    module_mock.contexts--;
    return 0;
}

int cuCtxSetCurrent(void *context)
{
    return context != &module_mock;
}

int cuModuleLoadDataEx(void **module, const void *image, unsigned options, int *option, void **value)
{
    snprintf(module_mock.image, sizeof module_mock.image, "%s", (const char *)image);
    if (module_mock.load) {
        if (options == 2 && option[0] == 5 && option[1] == 6 && module_mock.log)
            snprintf(value[0], (size_t)(uintptr_t)value[1], "%s", module_mock.log);
        return module_mock.load;
    }
    *module = &module_mock;
    module_mock.modules++;
    return 0;
}

int cuModuleUnload(void *module)
{
    module_mock.modules--;
    return module != &module_mock;
}

int cuModuleGetFunction(void **function, void *module, const char *name)
{
    snprintf(module_mock.entry, sizeof module_mock.entry, "%s", name);
    *function = module;
    return module_mock.function;
}

int cuFuncSetAttribute(void *function, int attribute, int value)
{
    (void)function;
    if (attribute == 14)
        module_mock.cluster_attribute = value;
    else
        module_mock.shared_attribute = attribute == 8 ? value : -1;
    return 0;
}

int cuMemAlloc_v2(uint64_t *at, size_t bytes)
{
    void *made = module_mock.alloc ? NULL : malloc(bytes);
    if (!made)
        return module_mock.alloc;
    size_t i = 0;
    while (live[i])
        i++;
    live[i] = made;
    *at = (uint64_t)(uintptr_t)made;
    module_mock.buffers++;
    return 0;
}

int cuMemFree_v2(uint64_t at)
{
    for (size_t i = 0; i < sizeof live / sizeof *live; i++)
        if (live[i] == (void *)(uintptr_t)at)
            live[i] = NULL;
    free((void *)(uintptr_t)at);
    module_mock.buffers--;
    return 0;
}

int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes)
{
    if (!module_mock.copy_to)
        memcpy((void *)(uintptr_t)to, from, bytes);
    return module_mock.copy_to;
}

int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes)
{
    if (!module_mock.copy_from)
        memcpy(to, (const void *)(uintptr_t)from, bytes);
    return module_mock.copy_from;
}

int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **parameters, void **extra)
{
    if (module_mock.launch || function != &module_mock || stream || extra)
        return module_mock.launch ? module_mock.launch : 1;
    module_mock.launches++;
    const struct mock_launch l = {{gx, gy, gz}, {bx, by, bz}, shared, parameters, {0}};
    if (module_mock.kernel)
        module_mock.kernel(&l);
    return 0;
}

/* source: cuda.h of CUDA 13.0: CUlaunchConfig is seven unsigned, a stream at 32, attributes at 40, their number at 48;
 * CUlaunchAttribute an id, and its value at 8. */
int cuLaunchKernelEx(const void *config, void *function, void **parameters, void **extra)
{
    struct mock_launch l = {.parameters = parameters};
    const uint8_t *bytes = config, *attribute;
    unsigned attributes, id;
    void *stream;
    memcpy(l.grid, bytes, sizeof l.grid);
    memcpy(l.block, bytes + 12, sizeof l.block);
    memcpy(&l.shared, bytes + 24, sizeof l.shared);
    memcpy(&stream, bytes + 32, sizeof stream);
    memcpy(&attribute, bytes + 40, sizeof attribute);
    memcpy(&attributes, bytes + 48, sizeof attributes);
    if (module_mock.launch || function != &module_mock || stream || extra || attributes != 1)
        return module_mock.launch ? module_mock.launch : 1;
    memcpy(&id, attribute, sizeof id);
    if (id != 4)
        return 1;
    memcpy(l.cluster, attribute + 8, sizeof l.cluster);
    module_mock.launches++;
    if (module_mock.kernel)
        module_mock.kernel(&l);
    return 0;
}

int cuTensorMapEncodeTiled(void *map, int type, uint32_t rank, void *address, const uint64_t *extent,
                           const uint64_t *stride, const uint32_t *box, const uint32_t *step, int interleave,
                           int swizzle, int promotion, int fill)
{
    if (module_mock.tensor_map || (uintptr_t)map % 64)
        return module_mock.tensor_map ? module_mock.tensor_map : 1;
    module_mock.map.type = type, module_mock.map.rank = rank, module_mock.map.address = (uint64_t)(uintptr_t)address;
    module_mock.map.interleave = interleave, module_mock.map.swizzle = swizzle;
    module_mock.map.promotion = promotion, module_mock.map.fill = fill;
    for (uint32_t i = 0; i < rank; i++) {
        module_mock.map.extent[i] = extent[i], module_mock.map.box[i] = box[i], module_mock.map.step[i] = step[i];
        if (i + 1 < rank)
            module_mock.map.stride[i] = stride[i];
    }
    for (int i = 0; i < 128; i++)
        ((uint8_t *)map)[i] = (uint8_t)i;
    return 0;
}

int cuStreamQuery(void *stream)
{
    (void)stream;
    if (module_mock.not_ready > 0) {
        module_mock.not_ready--;
        return 600;
    }
    return module_mock.query;
}

int cuGetErrorName(int r, const char **name)
{
    if (r != 700)
        return 1;
    *name = "CUDA_ERROR_ILLEGAL_ADDRESS";
    return 0;
}
