#include "oracle/exec/inject/driver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAD_NAME "fragoracle_tap_head"
#define DATA_NAME "fragoracle_tap_data"

enum status driver_find(struct driver *out, struct error *e)
{
    struct driver d = {0};
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_set(e, STATUS_UNSUPPORTED, "no driver: %s", dlerror());
    const struct {
        void *to; /* a pointer to function of struct driver */
        const char *name;
        bool needed;
    } function[] = {
        {&d.func_get_module, "cuFuncGetModule", true},
        {&d.module_get_global, "cuModuleGetGlobal_v2", true},
        {&d.ctx_synchronize, "cuCtxSynchronize", true},
        {&d.memset_d8, "cuMemsetD8_v2", true},
        {&d.memcpy_d_to_h, "cuMemcpyDtoH_v2", true},
        {&d.kernel_get_function, "cuKernelGetFunction", false},
        {&d.kernel_get_library, "cuKernelGetLibrary", false},
        {&d.library_get_global, "cuLibraryGetGlobal", false},
        {&d.stream_is_capturing, "cuStreamIsCapturing", false},
        {&d.exchange_capture_mode, "cuThreadExchangeStreamCaptureMode", false},
        {&d.get_error_name, "cuGetErrorName", false},
        {&d.ctx_get_device, "cuCtxGetDevice", false},
        {&d.device_get_name, "cuDeviceGetName", false},
        {&d.driver_get_version, "cuDriverGetVersion", false},
    };
    for (size_t i = 0; i < sizeof function / sizeof *function; i++) {
        void *found = dlsym(library, function[i].name);
        if (!found && function[i].needed)
            return error_set(e, STATUS_UNSUPPORTED, "libcuda.so.1 has no %s", function[i].name);
        /* POSIX lets an object pointer hold a function; ISO C only lets its bytes be copied. */
        memcpy(function[i].to, &found, sizeof found);
    }
    *out = d;
    return STATUS_OK;
}

const char *driver_error(const struct driver *d, CUresult r, char text[32])
{
    const char *name = NULL;
    if (d->get_error_name && d->get_error_name(r, &name) == CUDA_SUCCESS && name)
        return name;
    snprintf(text, 32, "error %d", (int)r);
    return text;
}

static bool in_module(const struct driver *d, CUfunction function, struct driver_target *t)
{
    CUmodule module = NULL;
    return d->func_get_module(&module, function) == CUDA_SUCCESS && module &&
           d->module_get_global(&t->head, &t->head_bytes, module, HEAD_NAME) == CUDA_SUCCESS &&
           d->module_get_global(&t->data, &t->data_bytes, module, DATA_NAME) == CUDA_SUCCESS;
}

static bool in_library(const struct driver *d, CUkernel kernel, struct driver_target *t)
{
    CUlibrary library = NULL;
    return d->kernel_get_library && d->library_get_global && d->kernel_get_library(&library, kernel) == CUDA_SUCCESS &&
           library && d->library_get_global(&t->head, &t->head_bytes, library, HEAD_NAME) == CUDA_SUCCESS &&
           d->library_get_global(&t->data, &t->data_bytes, library, DATA_NAME) == CUDA_SUCCESS;
}

bool driver_find_target(const struct driver *d, CUfunction kernel, struct driver_target *out)
{
    struct driver_target t = {0};
    CUmodule module = NULL;
    bool found;
    if (d->func_get_module(&module, kernel) == CUDA_SUCCESS)
        found = in_module(d, kernel, &t);
    else {
        CUfunction function = NULL;
        found =
            (d->kernel_get_function && d->kernel_get_function(&function, (CUkernel)(void *)kernel) == CUDA_SUCCESS &&
             function && in_module(d, function, &t)) ||
            in_library(d, (CUkernel)(void *)kernel, &t);
    }
    if (found)
        *out = t;
    return found;
}

bool driver_is_capturing(const struct driver *d, CUstream stream)
{
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    if (!d->stream_is_capturing)
        return false;
    /* An error says that the default stream was asked about while another is captured. */
    return d->stream_is_capturing(stream, &status) != CUDA_SUCCESS || status != CU_STREAM_CAPTURE_STATUS_NONE;
}

/* A capture by another thread must not fail because this one waits: such calls are allowed in the relaxed mode. */
static CUstreamCaptureMode swap_mode(const struct driver *d, CUstreamCaptureMode mode)
{
    if (d->exchange_capture_mode && d->exchange_capture_mode(&mode) != CUDA_SUCCESS)
        return CU_STREAM_CAPTURE_MODE_RELAXED;
    return mode;
}

CUresult driver_clear(const struct driver *d, const struct driver_target *t)
{
    CUstreamCaptureMode before = swap_mode(d, CU_STREAM_CAPTURE_MODE_RELAXED);
    CUresult r = d->ctx_synchronize();
    if (r == CUDA_SUCCESS)
        r = d->memset_d8(t->data, 0, t->data_bytes);
    if (r == CUDA_SUCCESS)
        r = d->ctx_synchronize();
    swap_mode(d, before);
    return r;
}

static enum status failed(const struct driver *d, CUresult r, const char *doing, struct error *e)
{
    char text[32];
    return error_set(e, STATUS_DEVICE, "%s: %s", doing, driver_error(d, r, text));
}

static enum status copy_image(const struct driver *d, const struct driver_target *t, uint8_t **bytes, size_t *size,
                              struct error *e)
{
    struct fo_capture_head head;
    CUresult r = d->ctx_synchronize();
    if (r != CUDA_SUCCESS)
        return failed(d, r, "the kernel did not end well", e);
    if (t->head_bytes < sizeof head)
        return error_set(e, STATUS_BAD_INPUT, "%s has %zu bytes", HEAD_NAME, t->head_bytes);
    r = d->memcpy_d_to_h(&head, t->head, sizeof head);
    if (r != CUDA_SUCCESS)
        return failed(d, r, "copying the head", e);
    /* The variables may be padded beyond what the head says. */
    if (head.bytes < t->head_bytes || head.bytes - t->head_bytes > t->data_bytes)
        return error_set(e, STATUS_BAD_INPUT, "an image of %llu bytes in variables of %zu and %zu",
                         (unsigned long long)head.bytes, t->head_bytes, t->data_bytes);
    uint8_t *made = malloc(head.bytes);
    if (!made)
        return error_set(e, STATUS_NO_MEMORY, "no memory for an image of %llu bytes", (unsigned long long)head.bytes);
    r = d->memcpy_d_to_h(made, t->head, t->head_bytes);
    if (r == CUDA_SUCCESS && head.bytes > t->head_bytes)
        r = d->memcpy_d_to_h(made + t->head_bytes, t->data, head.bytes - t->head_bytes);
    if (r != CUDA_SUCCESS) {
        free(made);
        return failed(d, r, "copying the image", e);
    }
    *bytes = made;
    *size = head.bytes;
    return STATUS_OK;
}

enum status driver_read(const struct driver *d, const struct driver_target *t, const char *path, struct tap_image *out,
                        struct error *e)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    CUstreamCaptureMode before = swap_mode(d, CU_STREAM_CAPTURE_MODE_RELAXED);
    enum status s = copy_image(d, t, &bytes, &size, e);
    swap_mode(d, before);
    if (s != STATUS_OK)
        return error_at_path(e, path), s;
    s = tap_image_take(path, bytes, size, out, e);
    if (s != STATUS_OK)
        free(bytes);
    return s;
}

/* "NVRM version: NVIDIA UNIX ... Kernel Module  580.159.04  Release Build": the first word that begins like a number.
 */
static bool read_version(char *text, size_t size)
{
    char word[64];
    bool found = false;
    FILE *version = fopen("/proc/driver/nvidia/version", "r");
    if (!version)
        return false;
    while (!found && fscanf(version, "%63s", word) == 1)
        if (word[0] >= '0' && word[0] <= '9' && strchr(word, '.')) {
            snprintf(text, size, "%s", word);
            found = true;
        }
    fclose(version);
    return found;
}

void driver_describe(const struct driver *d, struct tap_image_launch *out)
{
    CUdevice device;
    int version = 0;
    if (!d->ctx_get_device || !d->device_get_name || d->ctx_get_device(&device) != CUDA_SUCCESS ||
        d->device_get_name(out->gpu, sizeof out->gpu, device) != CUDA_SUCCESS)
        out->gpu[0] = '\0';
    if (!read_version(out->driver, sizeof out->driver) && d->driver_get_version &&
        d->driver_get_version(&version) == CUDA_SUCCESS)
        snprintf(out->driver, sizeof out->driver, "CUDA %d.%d", version / 1000, version % 1000 / 10);
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(out->date, sizeof out->date, "%Y-%m-%d", &utc);
}
