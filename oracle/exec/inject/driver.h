/* driver: the few functions of the CUDA driver that the injected library calls, found in the process at run time. */
#ifndef FO_ORACLE_EXEC_INJECT_DRIVER_H
#define FO_ORACLE_EXEC_INJECT_DRIVER_H

#include <cuda.h>
#include <stdbool.h>

#include "oracle/io/tap_image.h"

struct driver {
    CUresult (*func_get_module)(CUmodule *, CUfunction);
    CUresult (*module_get_global)(CUdeviceptr *, size_t *, CUmodule, const char *);
    CUresult (*ctx_synchronize)(void);
    CUresult (*memset_d8)(CUdeviceptr, unsigned char, size_t);
    CUresult (*memcpy_d_to_h)(void *, CUdeviceptr, size_t);
    /* NULL where the driver is too old to have them */
    CUresult (*kernel_get_function)(CUfunction *, CUkernel);
    CUresult (*kernel_get_library)(CUlibrary *, CUkernel);
    CUresult (*library_get_global)(CUdeviceptr *, size_t *, CUlibrary, const char *);
    CUresult (*stream_is_capturing)(CUstream, CUstreamCaptureStatus *);
    CUresult (*exchange_capture_mode)(CUstreamCaptureMode *);
    CUresult (*get_error_name)(CUresult, const char **);
    CUresult (*ctx_get_device)(CUdevice *);
    CUresult (*device_get_name)(char *, int, CUdevice);
    CUresult (*driver_get_version)(int *);
};

/* errors: STATUS_UNSUPPORTED naming what the process lacks. */
enum status driver_find(struct driver *out, struct error *e);
/* "CUDA_ERROR_..." or its number; never NULL. text: room for the number. */
const char *driver_error(const struct driver *d, CUresult r, char text[32]);

/* The two variables of a module that fragoracle tap rewrote. */
struct driver_target {
    CUdeviceptr head, data;
    size_t head_bytes, data_bytes;
};
/* false: the kernel's module has no such variables. kernel: a CUfunction, or a CUkernel in its place. */
bool driver_find_target(const struct driver *d, CUfunction kernel, struct driver_target *out);
bool driver_is_capturing(const struct driver *d, CUstream stream);
/* Wait for everything that was launched, then set the data to zero. */
CUresult driver_clear(const struct driver *d, const struct driver_target *t);
/* Wait, then copy the image. errors: STATUS_DEVICE; and those of tap_image_take. path is for messages. */
enum status driver_read(const struct driver *d, const struct driver_target *t, const char *path, struct tap_image *out,
                        struct error *e);
/* GPU, driver and date. */
void driver_describe(const struct driver *d, struct tap_image_launch *out);

#endif
