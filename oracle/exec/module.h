/* module: a compiled kernel as a subject: module:PATH.ptx, PATH.cubin, or the PATH.json beside it that says how to
 * launch it (module_sidecar.h). It runs on the GPU of the process that opens it, which is one of its own (open.h), or
 * on the functional PTX machine; oracle/MODULES.md is for its author. */
#ifndef FO_ORACLE_EXEC_MODULE_H
#define FO_ORACLE_EXEC_MODULE_H

#include "probes/executor.h"

#define MODULE_SUBJECT "module:"

struct vm;

/* path: what follows the prefix. model: on the PTX machine. *out is freed with its own release; out->subject and
 * out->note live as long.
 * errors: those of module_sidecar_read, module_driver_open and module_ptx_open; of load and run: STATUS_BAD_ARGUMENT
 * (beyond the limits that the sidecar states), STATUS_BAD_INPUT (an expression that gives no launch), those of
 * module_device.h. */
enum status module_subject_open(const char *path, bool model, struct executor *out, struct error *e);
/* The machine of a module that was opened here, with `model`. */
struct vm *module_subject_vm(const struct executor *x);

#endif
