/* barriers: what a block keeps of its barriers: the sixteen of bar.sync, its part in barrier.cluster, its mbarriers.
 *
 * Whatever changes here is counted for the cluster, so that a wait can tell whether anything happened since it last
 * looked. */
#ifndef FO_REFERENCE_PTX_BARRIERS_H
#define FO_REFERENCE_PTX_BARRIERS_H

#include "reference/ptx/hooks.h"

enum { VM_BARS = 16 };
/* What an mbarrier counts at most: arrivals, and bytes either way. source: PTX ISA, "Contents of the mbarrier object".
 */
enum { VM_MBARRIER_MOST = (1 << 20) - 1 };

struct vm_votes {
    uint32_t set, clear; /* threads whose predicate was true, false */
};

struct vm_bar {
    uint64_t phase;
    uint32_t expected; /* threads; 0: nobody has arrived in this phase */
    bool everybody;    /* no number was given: exited warps are not waited for */
    uint32_t arrived;  /* whole warps, 32 threads each */
    struct vm_votes gathering, result;
};

struct vm_bar_warp {
    uint32_t here[VM_BARS]; /* lanes that arrived while others of their warp have not */
    uint32_t votes[VM_BARS];
    const struct vm_instruction *by[VM_BARS]; /* of the first of them */
    uint32_t cluster;                         /* lanes that arrived at barrier.cluster and have not waited */
    uint64_t cluster_phase[VM_LANES];
    /* A wait that was asked in vain: for what, when, and how often it was let go. */
    uint64_t vain_key, vain_changes;
    uint32_t vain;
};

struct vm_mbarrier {
    bool valid;
    uint32_t offset;            /* in the block's shared memory */
    uint64_t token;             /* what lies there while nobody else writes there */
    uint64_t phase;             /* that is not complete yet, from 0 */
    uint32_t expected, pending; /* arrivals: of every phase; still missing in this one */
    int32_t tx;                 /* bytes still missing in this one; below 0: more came than were announced so far */
};

struct vm_barriers {
    struct vm_bar bar[VM_BARS];
    struct vm_bar_warp *warp; /* [block->warps] */
    struct vm_mbarrier *mbarrier;
    uint32_t mbarriers, mbarrier_room;
    uint16_t *mbarrier_of; /* [shared_bytes / 8]: 1 + which mbarrier an offset names; 0: none yet */
    uint64_t changes;      /* of the first block: of the whole cluster */
};

/* Something happened that a wait may wait for. */
static inline void vm_barriers_changed(const struct vm_block *b)
{
    b->cluster->block[0].barriers->changes++;
}

static inline struct vm_bar_warp *vm_bar_warp_of(const struct vm_warp *w)
{
    return &w->block->barriers->warp[w->index];
}

/* mbarriers (mbarrier.c), by their 32-bit address in the cluster. All return false after vm_fault, with the line of
 * the instruction. */

/* The address of a lane's operand: one of shared memory, aligned to 8 bytes. own: only the block's own will do. */
bool vm_mbarrier_find(struct vm_warp *w, const struct vm_instruction *i, enum vm_space space, uint64_t address,
                      bool own, uint32_t *at);
bool vm_mbarrier_init(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t count);
bool vm_mbarrier_invalidate(struct vm_warp *w, const struct vm_instruction *i, uint32_t at);
bool vm_mbarrier_expect(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t bytes);
bool vm_mbarrier_complete(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t bytes);
/* One more arrival is missing in this phase: of copies that will arrive themselves. */
bool vm_mbarrier_owe(struct vm_warp *w, const struct vm_instruction *i, uint32_t at);
/* drop: and the next phases expect `count` less. state: may be NULL. */
bool vm_mbarrier_arrive(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t count, bool drop,
                        uint64_t *state);
/* Is the phase of a state complete? Of a parity: the latest phase of that parity? */
bool vm_mbarrier_test_state(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t state, bool *done);
bool vm_mbarrier_test_parity(struct vm_warp *w, const struct vm_instruction *i, uint32_t at, uint64_t parity,
                             bool *done);
/* Arrivals that were missing when a state was made. */
uint32_t vm_mbarrier_state_pending(uint64_t state);

#endif
