/* module_sidecar: how a compiled kernel wants to be launched, as its author says in JSON. oracle/MODULES.md is for
 * them.
 */
#ifndef FO_ORACLE_EXEC_MODULE_SIDECAR_H
#define FO_ORACLE_EXEC_MODULE_SIDECAR_H

#include <limits.h>

#include "oracle/exec/module_expression.h"
#include "oracle/exec/weights_form.h"
#include "probes/executor.h"

#define MODULE_SCHEMA "fragoracle.module/1"

enum { MODULE_ARGUMENTS = 32, MODULE_ENTRY = 1024 };

enum module_buffer {
    BUFFER_X,
    BUFFER_WEIGHTS, /* the first array of the form */
    BUFFER_WEIGHTS_2,
    BUFFER_STARTS,
    BUFFER_IDS,
    BUFFER_OUT,
    BUFFER_STATUS,
    BUFFERS
};

struct module_argument {
    bool pointer;
    enum module_buffer buffer;
    size_t bytes; /* of a number: 4 or 8 */
    bool is_float;
    float f32;
    char value[MODULE_EXPRESSION];
};

struct module_sidecar {
    char path[PATH_MAX], module[PATH_MAX]; /* the sidecar itself, the PTX or cubin */
    char entry[MODULE_ENTRY];
    char grid[3][MODULE_EXPRESSION], block[3][MODULE_EXPRESSION], shared[MODULE_EXPRESSION];
    enum weights_form form;
    bool out_f32; /* out is f32 [P,N], else bf16 */
    uint64_t seconds;
    struct executor_limits limits;
    size_t arguments;
    struct module_argument argument[MODULE_ARGUMENTS];
    bool uses[BUFFERS];
};

/* path: the module, whose sidecar has the same name but .json, or that sidecar.
 * errors: STATUS_IO, STATUS_NO_MEMORY, STATUS_BAD_INPUT with path and field. */
enum status module_sidecar_read(const char *path, struct module_sidecar *out, struct error *e);
/* "x", "out", or the name of an array of weights. */
const char *module_buffer_name(const struct module_sidecar *m, enum module_buffer b);

#endif
