#include "oracle/exec/module_cuda.h"

#include <dlfcn.h>
#include <string.h>

enum status cuda_find(struct cuda *f, struct error *e)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_set(e, STATUS_NO_DEVICE, "no driver: %s", dlerror());
    const struct {
        void *to; /* a pointer to function */
        const char *name;
    } function[] = {
        {&f->init, "cuInit"},
        {&f->device_get, "cuDeviceGet"},
        {&f->device_get_name, "cuDeviceGetName"},
        {&f->context_retain, "cuDevicePrimaryCtxRetain"},
        {&f->context_release, "cuDevicePrimaryCtxRelease_v2"},
        {&f->context_set, "cuCtxSetCurrent"},
        {&f->module_load, "cuModuleLoadDataEx"},
        {&f->module_unload, "cuModuleUnload"},
        {&f->module_function, "cuModuleGetFunction"},
        {&f->function_set, "cuFuncSetAttribute"},
        {&f->alloc, "cuMemAlloc_v2"},
        {&f->release, "cuMemFree_v2"},
        {&f->copy_to, "cuMemcpyHtoD_v2"},
        {&f->copy_from, "cuMemcpyDtoH_v2"},
        {&f->launch, "cuLaunchKernel"},
        {&f->query, "cuStreamQuery"},
        {&f->error_name, "cuGetErrorName"},
        {&f->launch_ex, "cuLaunchKernelEx"},
        {&f->tensor_map, "cuTensorMapEncodeTiled"},
    };
    enum { FUNCTIONS = sizeof function / sizeof *function, NEEDED = FUNCTIONS - 2 };
    for (size_t i = 0; i < FUNCTIONS; i++) {
        void *found = dlsym(library, function[i].name);
        if (!found && i < NEEDED)
            return error_set(e, STATUS_NO_DEVICE, "libcuda.so.1 has no %s", function[i].name);
        /* POSIX lets an object pointer hold a function; ISO C only lets its bytes be copied. */
        memcpy(function[i].to, &found, sizeof found);
    }
    return STATUS_OK;
}
