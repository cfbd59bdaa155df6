/* hooks: what the parts of the machine ask of each other besides the operations.
 *
 * A family that keeps state of a block or of a warp makes it with the block and frees it with the block. make: false
 * for no memory; free takes what was never made. */
#ifndef FO_REFERENCE_PTX_HOOKS_H
#define FO_REFERENCE_PTX_HOOKS_H

#include "reference/ptx/vm.h"

bool vm_barriers_make(struct vm_block *b); /* ops/barrier.c: b->barriers; threads, warps and rank are set */
void vm_barriers_free(struct vm_block *b);
bool vm_copies_make(struct vm_warp *w); /* ops/copy.c: w->copies */
void vm_copies_free(struct vm_warp *w);
bool vm_wgmma_make(struct vm_warp *w); /* ops/wgmma.c: w->wgmma */
void vm_wgmma_free(struct vm_warp *w);
/* Called before an instruction runs while w->flights is not 0 (from the first wgmma.fence of a warp on): does it touch
 * registers that a wgmma in flight reads or writes? Notes hazards. returns VM_NEXT: go on; VM_WAIT: a wgmma comes first
 * that other warps have yet to issue; VM_FAULT. */
enum vm_step vm_wgmma_flight(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes);

/* Clusters run in parallel. Around what reads and then writes global memory at once (atomics, reductions). Not around
 * anything that locks again; vm_fault and vm_hazard may be called inside. A family counts in w->block->cluster (wgmma,
 * mma), never in the report, which is summed when a cluster has ended. While somebody looks (vm->see) there is one
 * thread. */
void vm_global_lock(struct vm *v);
void vm_global_unlock(struct vm *v);

#endif
