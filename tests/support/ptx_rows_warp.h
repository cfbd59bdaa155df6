/* ptx_rows_warp: what the rows of ptx_rows.h need of the machine, alone. */
#ifndef FO_TESTS_SUPPORT_PTX_ROWS_WARP_H
#define FO_TESTS_SUPPORT_PTX_ROWS_WARP_H

#include "reference/ptx/vm.h"

const struct vm_program *vm_warp_program(const struct vm_warp *w)
{
    return &w->block->vm->program;
}

const uint64_t *vm_read_operand(const struct vm_warp *w, const struct vm_operand *o, uint64_t room[VM_LANES])
{
    for (unsigned l = 0; l < VM_LANES; l++)
        room[l] = o->kind == VM_REGISTER ? vm_row(w, o->reg)[l] ^ o->negated : o->value;
    return o->kind == VM_REGISTER && !o->negated ? vm_row(w, o->reg) : room;
}

void vm_write_operand(struct vm_warp *w, const struct vm_operand *o, const uint64_t value[VM_LANES], uint32_t lanes)
{
    if (o->kind == VM_REGISTER)
        for (unsigned l = 0; l < VM_LANES; l++)
            if (lanes >> l & 1)
                vm_row(w, o->reg)[l] = o->bits > 63 ? value[l] : value[l] & ((UINT64_C(1) << o->bits) - 1);
}

void vm_hazard(struct vm_warp *w, const struct vm_instruction *i, const char *kind, const char *what, ...)
{
    (void)i, (void)what;
    w->block->vm->report.hazards++;
    w->block->vm->report.hazard[0].kind = kind;
}

void vm_approximate(struct vm_warp *w, const char *what)
{
    if (!w->block->vm->report.approximate)
        w->block->vm->report.approximate = what;
}

#endif
