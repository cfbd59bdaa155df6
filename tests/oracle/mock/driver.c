#include "tests/oracle/mock/driver.h"

#include <string.h>

struct mock mock;
static CUpti_CallbackFunc callback;
static bool enabled[1024];

/* ---- CUPTI ------------------------------------------------------------------------------------------------------ */

CUptiResult cuptiSubscribe(CUpti_SubscriberHandle *subscriber, CUpti_CallbackFunc function, void *userdata)
{
    (void)userdata;
    if (mock.subscribed != CUPTI_SUCCESS)
        return mock.subscribed;
    *subscriber = NULL;
    callback = function;
    return CUPTI_SUCCESS;
}

CUptiResult cuptiEnableCallback(uint32_t enable, CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain,
                                CUpti_CallbackId id)
{
    (void)subscriber;
    if (domain != CUPTI_CB_DOMAIN_DRIVER_API || id >= 1024)
        return CUPTI_ERROR_INVALID_PARAMETER;
    enabled[id] = enable != 0;
    return CUPTI_SUCCESS;
}

bool mock_reports(CUpti_CallbackId id)
{
    return callback && enabled[id];
}

void mock_launch(CUpti_CallbackId id, enum mock_handle kernel, const char *name, uint32_t value)
{
    CUfunction f = (CUfunction)(uintptr_t)kernel;
    cuLaunchKernel_params plain = {
        .f = f, .gridDimX = 1, .gridDimY = 2, .gridDimZ = 3, .blockDimX = 4, .blockDimY = 5, .blockDimZ = 6};
    cuLaunchCooperativeKernel_params cooperative = {
        .f = f, .gridDimX = 1, .gridDimY = 2, .gridDimZ = 3, .blockDimX = 4, .blockDimY = 5, .blockDimZ = 6};
    CUlaunchConfig config = {
        .gridDimX = 1, .gridDimY = 2, .gridDimZ = 3, .blockDimX = 4, .blockDimY = 5, .blockDimZ = 6};
    cuLaunchKernelEx_params ex = {.config = &config, .f = f};
    const void *parameters = &plain;
    if (id == CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx || id == CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz)
        parameters = &ex;
    if (id == CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel ||
        id == CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz)
        parameters = &cooperative;
    CUresult launched = mock.launched;
    CUpti_CallbackData call = {.callbackSite = CUPTI_API_ENTER,
                               .functionParams = parameters,
                               .functionReturnValue = &launched,
                               .symbolName = name};
    mock.depth++;
    if (mock.depth > mock.deepest)
        mock.deepest = mock.depth;
    if (mock_reports(id) && mock.depth < 5)
        callback(NULL, CUPTI_CB_DOMAIN_DRIVER_API, id, &call);
    for (size_t i = 0; kernel != MOCK_PLAIN && kernel != MOCK_PLAIN_KERNEL && i < mock.data_bytes; i += 4) {
        uint32_t before;
        memcpy(&before, mock.data + i, 4);
        mock.dirty_at_launch = mock.dirty_at_launch || before != 0;
        memcpy(mock.data + i, &value, 4);
    }
    call.callbackSite = CUPTI_API_EXIT;
    if (mock_reports(id) && mock.depth < 5)
        callback(NULL, CUPTI_CB_DOMAIN_DRIVER_API, id, &call);
    mock.depth--;
}

/* ---- the driver ------------------------------------------------------------------------------------------------- */

static CUresult called(CUresult result)
{
    mock.strict += !mock.relaxed;
    if (mock.launch_inside && mock.depth < 4)
        mock_launch(CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel, MOCK_PLAIN, "inside", 0);
    return result;
}

CUresult cuFuncGetModule(CUmodule *module, CUfunction function)
{
    uintptr_t f = (uintptr_t)function;
    if (f != MOCK_PLAIN && f != MOCK_TAPPED)
        return CUDA_ERROR_INVALID_HANDLE;
    *module = (CUmodule)f;
    return CUDA_SUCCESS;
}

CUresult cuKernelGetFunction(CUfunction *function, CUkernel kernel)
{
    uintptr_t k = (uintptr_t)kernel;
    if (k != MOCK_KERNEL && k != MOCK_PLAIN_KERNEL)
        return CUDA_ERROR_INVALID_HANDLE;
    *function = (CUfunction)(uintptr_t)(k == MOCK_KERNEL ? MOCK_TAPPED : MOCK_PLAIN);
    return CUDA_SUCCESS;
}

CUresult cuKernelGetLibrary(CUlibrary *library, CUkernel kernel)
{
    if ((uintptr_t)kernel != MOCK_LIBRARY)
        return CUDA_ERROR_INVALID_HANDLE;
    *library = (CUlibrary)(uintptr_t)MOCK_LIBRARY;
    return CUDA_SUCCESS;
}

static CUresult find(CUdeviceptr *at, size_t *bytes, const char *name)
{
    bool head = strcmp(name, "fragoracle_tap_head") == 0;
    if (!head && strcmp(name, "fragoracle_tap_data") != 0)
        return CUDA_ERROR_NOT_FOUND;
    *at = (CUdeviceptr)(uintptr_t)(head ? mock.head : mock.data);
    *bytes = head ? mock.head_bytes : mock.data_bytes;
    return CUDA_SUCCESS;
}

CUresult cuModuleGetGlobal(CUdeviceptr *at, size_t *bytes, CUmodule module, const char *name)
{
    return (uintptr_t)module == MOCK_TAPPED ? find(at, bytes, name) : CUDA_ERROR_NOT_FOUND;
}

CUresult cuLibraryGetGlobal(CUdeviceptr *at, size_t *bytes, CUlibrary library, const char *name)
{
    return (uintptr_t)library == MOCK_LIBRARY ? find(at, bytes, name) : CUDA_ERROR_NOT_FOUND;
}

CUresult cuCtxSynchronize(void)
{
    mock.synchronised++;
    return called(mock.synchronise);
}

CUresult cuMemsetD8(CUdeviceptr at, unsigned char value, size_t bytes)
{
    if (mock.set == CUDA_SUCCESS) {
        memset((void *)(uintptr_t)at, value, bytes);
        mock.zeroed++;
    }
    return called(mock.set);
}

CUresult cuMemcpyDtoH(void *to, CUdeviceptr from, size_t bytes)
{
    if (mock.copy == CUDA_SUCCESS) {
        memcpy(to, (const void *)(uintptr_t)from, bytes);
        mock.copied++;
    }
    return called(mock.copy);
}

CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status)
{
    (void)stream;
    *status = mock.capturing;
    return mock.asked_capturing;
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
    CUstreamCaptureMode before = mock.relaxed ? CU_STREAM_CAPTURE_MODE_RELAXED : CU_STREAM_CAPTURE_MODE_GLOBAL;
    mock.relaxed = *mode == CU_STREAM_CAPTURE_MODE_RELAXED;
    *mode = before;
    return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char **name)
{
    *name = error == CUDA_ERROR_ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_UNKNOWN";
    return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice *device)
{
    *device = 0;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int size, CUdevice device)
{
    (void)device;
    strncpy(name, "Mock GPU", (size_t)size);
    return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version)
{
    *version = 13000;
    return CUDA_SUCCESS;
}
