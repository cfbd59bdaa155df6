/* reduce: what bulk copies and atomics do with what is already there.
 *
 * source: PTX ISA 9.0, cp.reduce.async.bulk: operations and types; add of f32 flushes subnormal operands and sums to
 * zero and keeps the sign; f16 and bf16 are .noftz; rounding is to nearest even; inc and dec as in atom. */
#ifndef FO_REFERENCE_PTX_REDUCE_H
#define FO_REFERENCE_PTX_REDUCE_H

#include "reference/ptx/program.h"

enum vm_reduction {
    VM_REDUCE_NONE, /* a copy */
    VM_REDUCE_ADD,
    VM_REDUCE_MIN,
    VM_REDUCE_MAX,
    VM_REDUCE_INC,
    VM_REDUCE_DEC,
    VM_REDUCE_AND,
    VM_REDUCE_OR,
    VM_REDUCE_XOR
};

/* Is there such a reduction? NONE is one of all types. */
bool vm_reduce_known(enum vm_reduction r, enum vm_type t);
/* to[n] = to[n] op from[n]. bytes: a multiple of the element. needs: vm_reduce_known. */
void vm_reduce(enum vm_reduction r, enum vm_type t, uint8_t *to, const uint8_t *from, size_t bytes);

#endif
