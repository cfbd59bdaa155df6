/* special: the special registers of a warp.
 * source: PTX ISA 9.0, "Special Registers". */
#ifndef FO_REFERENCE_PTX_SPECIAL_H
#define FO_REFERENCE_PTX_SPECIAL_H

#include "reference/ptx/warp.h"

/* The clocks count the instructions of the warp; %smid is the block's number among VM_SMS. */
enum { VM_SMS = 132 };
void vm_special_read(const struct vm_warp *w, enum vm_special special, uint64_t value[VM_LANES]);

#endif
