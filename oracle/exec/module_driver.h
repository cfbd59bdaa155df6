/* module_driver: one kernel of somebody else's module on the GPU, through the CUDA driver, which is looked for when it
 * is needed: nothing here links or includes CUDA.
 *
 * Every buffer lies between two guards, which are compared after every launch: a write up to 4 KiB beyond its ends
 * shows. A kernel that ends in an error, does not end, or writes there is STATUS_SUBJECT with a sentence. After an
 * error that stays with the context, and after a kernel that did not end, every later call says so. */
#ifndef FO_ORACLE_EXEC_MODULE_DRIVER_H
#define FO_ORACLE_EXEC_MODULE_DRIVER_H

#include "oracle/exec/module_device.h"

enum { MODULE_GUARD = 4096, MODULE_GPU = 128 };

/* Context, module and entry on the first GPU; m is borrowed. errors: STATUS_NO_DEVICE (no driver, no GPU), STATUS_IO,
 * STATUS_BAD_INPUT (the driver refuses the module, with the first line of its reason; no such entry), STATUS_DEVICE,
 * STATUS_NO_MEMORY. */
enum status module_driver_open(const struct module_sidecar *m, struct module_device *out, struct error *e);
/* The name of the first GPU. errors: STATUS_NO_DEVICE. */
enum status module_driver_gpu(char name[MODULE_GPU], struct error *e);

#endif
