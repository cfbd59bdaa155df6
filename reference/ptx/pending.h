/* pending: what has been started and may happen any time until somebody waits for it.
 *
 * With VM_LATE an operation stays in its cluster's list until a wait for its group asks for it (copies of a thread), or
 * until no warp of the cluster can go on without one (what completes on an mbarrier): then the oldest is done. With
 * VM_EARLY everything is done as it is issued. A kernel that synchronises rightly cannot tell the two apart. */
#ifndef FO_REFERENCE_PTX_PENDING_H
#define FO_REFERENCE_PTX_PENDING_H

#include "reference/ptx/warp.h"

enum vm_order { VM_LATE, VM_EARLY };

struct vm_pending {
    struct vm_pending *next;
    struct vm_warp *warp; /* that issued it */
    const struct vm_instruction *instruction;
    unsigned lane;
    uint64_t group; /* of the lane; what it means is up to who made it */
    bool on_mbarrier;
    /* Do it. returns false after vm_fault. */
    bool (*complete)(struct vm_pending *p);
    /* what it needs follows in the same allocation */
};

/* Begin an operation: bytes is the size of the whole allocation, copied from `p`. Done at once when the order is
 * VM_EARLY. returns VM_NEXT, or VM_FAULT (of complete, or no memory). */
enum vm_step vm_pending_begin(const struct vm_pending *p, size_t bytes);
/* Complete and remove all that `chosen` picks, oldest first. returns false after vm_fault. */
bool vm_pending_complete(struct vm_cluster *c, bool (*chosen)(const struct vm_pending *p, const void *with),
                         const void *with);
/* The oldest one on an mbarrier; else the oldest. false: nothing pending (or after vm_fault: the vm has stopped). */
bool vm_pending_complete_one(struct vm_cluster *c);
void vm_pending_free(struct vm_cluster *c);

#endif
