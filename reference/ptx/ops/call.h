/* call: calls of functions with a body, and the way back.
 *
 * Parameters lie in the local memory of the lane, the caller's and the function's own at different offsets: a call
 * copies the arguments, a return the results. Registers are the function's, once for all calls: a function that calls
 * itself, by whatever way, is not modelled. */
#ifndef FO_REFERENCE_PTX_OPS_CALL_H
#define FO_REFERENCE_PTX_OPS_CALL_H

#include "reference/ptx/ops.h"

const char *vm_call_prepare(const struct vm_program *p, struct vm_instruction *i);
const char *vm_call_prepare_return(const struct vm_program *p, struct vm_instruction *i);
/* The end of lanes. */
vm_execute vm_control_exit;

#endif
