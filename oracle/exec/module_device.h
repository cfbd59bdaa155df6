/* module_device: where the kernel of a module runs. Two of them: the CUDA driver on a GPU (module_driver.h), and the
 * functional PTX machine (module_ptx.h).
 *
 * A kernel that breaks is STATUS_SUBJECT with a whole sentence that begins "the kernel". */
#ifndef FO_ORACLE_EXEC_MODULE_DEVICE_H
#define FO_ORACLE_EXEC_MODULE_DEVICE_H

#include "oracle/exec/module_sidecar.h"
#include "oracle/exec/module_tensor.h"

enum { MODULE_NOTE = 320 };

struct module_launch {
    uint32_t grid[3], block[3], cluster[3]; /* cluster 0: as the kernel says */
    uint32_t shared;
    _Alignas(64) uint8_t parameters[MODULE_PARAMETERS]; /* laid out as the sidecar says */
};

/* What is known of a launch once it has ended, beyond its outputs. */
struct module_ran {
    enum fidelity fidelity;
    uint64_t steps, wgmma; /* counted; 0 where nobody counts */
    bool counted;
    char note[MODULE_NOTE]; /* of all launches so far; "" */
};

struct module_device {
    const char *name; /* of the executor: "module", "ptx" */
    enum fidelity fidelity;
    void *self;
    /* Fill a buffer, which is made, or made anew at another size. */
    enum status (*set)(void *self, enum module_buffer b, const void *data, size_t bytes, struct error *e);
    enum status (*get)(void *self, enum module_buffer b, void *data, struct error *e);
    /* needs: set */
    uint64_t (*address)(const void *self, enum module_buffer b);
    /* The 128 bytes that a kernel is given for a map. errors: STATUS_BAD_ARGUMENT: not such a map. */
    enum status (*tensor_map)(void *self, const struct vm_tensor_map *map, uint8_t out[VM_TENSOR_BYTES],
                              struct error *e);
    /* Launch and wait. errors: STATUS_SUBJECT; STATUS_BAD_INPUT where the launch is refused. */
    enum status (*launch)(void *self, const struct module_launch *l, struct module_ran *ran, struct error *e);
    void (*close)(void *self);
};

#endif
