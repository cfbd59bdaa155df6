/* schedule: a cluster from its first instruction to its last: who goes when.
 *
 * A turn of a warp is at most a quantum of instructions of one group of its lanes after another; a round is one turn of
 * every warp of the cluster. When rounds make no progress, what is pending is done, oldest first; when nothing is
 * pending, nobody will ever go on. */
#ifndef FO_REFERENCE_PTX_SCHEDULE_H
#define FO_REFERENCE_PTX_SCHEDULE_H

#include "reference/ptx/vm.h"

enum vm_going { VM_GOING, VM_ENDED, VM_BROKEN };

/* Poisoned registers, shared and local memory; all threads at the first instruction of v->entry. errors:
 * STATUS_NO_MEMORY. */
enum status vm_cluster_make(struct vm *v, uint64_t index, struct vm_cluster **out, struct error *e);
void vm_cluster_free(struct vm_cluster *c);

/* Go on for some rounds. VM_GOING: there is more to do, and clusters that this one waits for may have their turn.
 * VM_BROKEN: after vm_fault. */
enum vm_going vm_cluster_go(struct vm_cluster *c);

#endif
