/* module_arrays: activations and outputs in the type and layout that a kernel wants, from bf16 [P,K] and back to bf16
 * [P,N]. */
#ifndef FO_ORACLE_EXEC_MODULE_ARRAYS_H
#define FO_ORACLE_EXEC_MODULE_ARRAYS_H

#include "oracle/exec/module_sidecar.h"

/* Bytes of x, and of out. */
size_t module_arrays_x_bytes(const struct module_extents *extents);
size_t module_arrays_out_bytes(const struct module_sidecar *m, const struct module_extents *extents);
/* errors: STATUS_BAD_ARGUMENT "not applicable: ...", with the first value that the type has not. */
enum status module_arrays_x(const struct module_sidecar *m, const struct module_extents *extents, const struct bf16 *x,
                            uint16_t *to, struct error *e);
/* An output that nobody has written. */
void module_arrays_poison(const struct module_sidecar *m, const struct module_extents *extents, struct bf16 poison,
                          void *out);
/* What was written, rounded to bf16; what still is the poison, as the poison. */
void module_arrays_result(const struct module_sidecar *m, const struct module_extents *extents, struct bf16 poison,
                          const void *from, struct bf16 *out);

#endif
