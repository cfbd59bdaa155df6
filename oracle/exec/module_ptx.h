/* module_ptx: one kernel of somebody else's module on the functional PTX machine (reference/ptx/vm.h).
 *
 * The machine faults at every access outside a buffer, so that there are no guards; instead of seconds it counts
 * instructions. What it notes of undefined behaviour, and whether something was approximated, is what module_ran says.
 * By default the first launch is made twice: once with everything asynchronous done as late as it may be, once at
 * once; outputs that differ are a race, and noted. */
#ifndef FO_ORACLE_EXEC_MODULE_PTX_H
#define FO_ORACLE_EXEC_MODULE_PTX_H

#include "oracle/exec/module_device.h"

struct vm;

/* Steps of one block for each of the sidecar's seconds; a step is an instruction of a warp. */
enum { MODULE_PTX_STEPS = 1 << 22 };

/* m is borrowed. errors: STATUS_BAD_ARGUMENT (a cubin), STATUS_IO, STATUS_BAD_INPUT (no PTX; no such entry; arguments
 * of another size), STATUS_NO_MEMORY. */
enum status module_ptx_open(const struct module_sidecar *m, struct module_device *out, struct error *e);
/* The machine of a device that module_ptx_open made, for whoever wants to look on. */
struct vm *module_ptx_vm(const struct module_device *d);

#endif
