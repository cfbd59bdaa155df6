/* control: what the scheduler knows of branches. */
#ifndef FO_REFERENCE_PTX_OPS_CONTROL_H
#define FO_REFERENCE_PTX_OPS_CONTROL_H

#include "reference/ptx/ops.h"

/* The run of bra: the scheduler itself sends a group along whose lanes all branch. */
vm_execute vm_control_branch;
static inline uint32_t vm_control_target(const struct vm_program *p, const struct vm_instruction *i)
{
    return (uint32_t)vm_argument(p, i, 0)->value;
}

#endif
