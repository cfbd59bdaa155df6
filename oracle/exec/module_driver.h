/* module_driver: one kernel of somebody else's module on the GPU, through the CUDA driver, which is looked for when it
 * is needed: nothing here links or includes CUDA.
 *
 * Every buffer lies between two guards, which are compared after every launch: a write up to 4 KiB beyond its ends
 * shows. A kernel that ends in an error, does not end, or writes there is STATUS_SUBJECT with a sentence. After an
 * error that stays with the context, and after a kernel that did not end, every later call says so. */
#ifndef FO_ORACLE_EXEC_MODULE_DRIVER_H
#define FO_ORACLE_EXEC_MODULE_DRIVER_H

#include "oracle/exec/module_sidecar.h"

enum { MODULE_GUARD = 4096, MODULE_DEVICE = 128 };

struct module_driver;

struct module_launch {
    uint32_t grid[3], block[3], shared;
    void **parameters; /* one pointer an argument */
};

/* Context, module and entry on the first GPU; m is borrowed. errors: STATUS_NO_DEVICE (no driver, no GPU), STATUS_IO,
 * STATUS_BAD_INPUT (the driver refuses the module, with the first line of its reason; no such entry), STATUS_DEVICE,
 * STATUS_NO_MEMORY. */
enum status module_driver_open(const struct module_sidecar *m, struct module_driver **out, struct error *e);
void module_driver_close(struct module_driver *d); /* NULL is fine */
const char *module_driver_device(const struct module_driver *d);

/* Fill a buffer, which is made, or made anew at another size. errors: STATUS_DEVICE, STATUS_NO_MEMORY, STATUS_SUBJECT.
 */
enum status module_driver_set(struct module_driver *d, enum module_buffer b, const void *data, size_t bytes,
                              struct error *e);
enum status module_driver_get(struct module_driver *d, enum module_buffer b, void *data, struct error *e);
/* needs: set */
uint64_t module_driver_address(const struct module_driver *d, enum module_buffer b);
/* Launch, wait, look at the guards. errors: STATUS_SUBJECT; STATUS_BAD_INPUT where the driver refuses the launch. */
enum status module_driver_launch(struct module_driver *d, const struct module_launch *l, struct error *e);

#endif
