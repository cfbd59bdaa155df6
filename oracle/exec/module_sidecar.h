/* module_sidecar: how a compiled kernel wants to be launched, as its author says in JSON. oracle/MODULES.md is for
 * them.
 *
 * The parameters of a kernel lie in one buffer, each at a multiple of its own alignment, as PTX and C structs both have
 * it. Where every value goes is known once the sidecar is read; what it is, only at a launch (module_pack.h). */
#ifndef FO_ORACLE_EXEC_MODULE_SIDECAR_H
#define FO_ORACLE_EXEC_MODULE_SIDECAR_H

#include <limits.h>

#include "oracle/exec/module_expression.h"
#include "oracle/exec/weights_form.h"
#include "probes/executor.h"
#include "reference/ptx/pending.h"
#include "reference/ptx/tensor_map.h"

#define MODULE_SCHEMA "fragoracle.module/1"

enum {
    MODULE_ARGUMENTS = 96,
    MODULE_VALUES = 256, /* in all arguments: a struct has many */
    MODULE_TENSORS = 16,
    MODULE_SCRATCH = 8,
    MODULE_PARAMETERS = 4096, /* bytes */
    MODULE_ENTRY = 1024,
    MODULE_FIELD = 64 /* "arguments[95].struct[255].tensor_map.extent[4]" */
};

enum module_buffer {
    BUFFER_X,
    BUFFER_WEIGHTS, /* the first array of the form */
    BUFFER_WEIGHTS_2,
    BUFFER_STARTS,
    BUFFER_IDS,
    BUFFER_OUT,
    BUFFER_STATUS,
    BUFFER_SCRATCH, /* the first of those that a launch begins with zeros in */
    BUFFERS = BUFFER_SCRATCH + MODULE_SCRATCH
};

enum module_value_kind { VALUE_NUMBER, VALUE_F32, VALUE_POINTER, VALUE_TENSOR };

/* A part of an argument that is filled as one. */
struct module_value {
    enum module_value_kind kind;
    char field[MODULE_FIELD];
    uint32_t at, bytes; /* in the parameter buffer */
    enum module_buffer buffer;
    uint32_t tensor; /* in sidecar->tensor */
    float f32;
    char number[MODULE_EXPRESSION];
};

/* What cuTensorMapEncodeTiled is told. */
struct module_tensor {
    enum module_buffer buffer;
    enum vm_type type;
    uint8_t rank, swizzle;
    bool fill_nan;
    char extent[VM_TENSOR_RANK][MODULE_EXPRESSION], box[VM_TENSOR_RANK][MODULE_EXPRESSION];
    char step[VM_TENSOR_RANK][MODULE_EXPRESSION];
    char stride[VM_TENSOR_RANK][MODULE_EXPRESSION]; /* bytes; [0] is not used */
};

enum module_type { MODULE_BF16, MODULE_F16, MODULE_F32 };
enum module_order { ORDER_BOTH, ORDER_LATE, ORDER_EARLY };

struct module_sidecar {
    char path[PATH_MAX], module[PATH_MAX]; /* the sidecar itself, the PTX or cubin */
    char entry[MODULE_ENTRY];
    char grid[3][MODULE_EXPRESSION], block[3][MODULE_EXPRESSION], shared[MODULE_EXPRESSION];
    bool clusters; /* stated here; else as the kernel says */
    char cluster[3][MODULE_EXPRESSION];
    enum weights_form form;
    enum module_type x, out; /* x: not f32 */
    bool x_kp, out_np;       /* transposed: x [K,P], out [N,P] */
    uint64_t seconds;
    enum module_order order;
    struct executor_limits limits;
    uint32_t arguments, argument_at[MODULE_ARGUMENTS]; /* bytes in the parameter buffer */
    uint32_t argument_bytes[MODULE_ARGUMENTS];
    uint32_t parameter_bytes;
    uint32_t values, tensors, scratches;
    struct module_value value[MODULE_VALUES];
    struct module_tensor tensor[MODULE_TENSORS];
    char scratch[MODULE_SCRATCH][MODULE_EXPRESSION]; /* bytes */
    bool uses[BUFFERS];
};

/* path: the module, whose sidecar has the same name but .json, or that sidecar.
 * errors: STATUS_IO, STATUS_NO_MEMORY, STATUS_BAD_INPUT with path and field. */
enum status module_sidecar_read(const char *path, struct module_sidecar *out, struct error *e);
/* "x", "out", "zeros", or the name of an array of weights; NULL where the form has none. */
const char *module_buffer_name(const struct module_sidecar *m, enum module_buffer b);

#endif
