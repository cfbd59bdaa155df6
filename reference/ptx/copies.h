/* copies: the groups of asynchronous copies of a warp's threads, and bulk copies once their operands are read. */
#ifndef FO_REFERENCE_PTX_COPIES_H
#define FO_REFERENCE_PTX_COPIES_H

#include "reference/ptx/barriers.h"
#include "reference/ptx/reduce.h"
#include "reference/ptx/tensor_map.h"

enum vm_copy_kind { VM_COPY_ASYNC, VM_COPY_BULK, VM_COPY_KINDS };

struct vm_copies {
    uint64_t open[VM_COPY_KINDS][VM_LANES]; /* number of the group that a thread's next copy belongs to */
    uint64_t begun[VM_LANES];               /* cp.async so far */
};

/* cp.async.commit_group, cp.async.bulk.commit_group. */
void vm_copies_commit(struct vm_warp *w, enum vm_copy_kind kind, uint32_t lanes);
/* Do what lanes began, but for the newest groups. of: what completes the copies in question. keep: how many groups
 * may be pending; open: the group that is not committed too. false after vm_fault. */
bool vm_copies_wait(struct vm_warp *w, enum vm_copy_kind kind, bool (*of)(struct vm_pending *p), uint32_t lanes,
                    uint64_t keep, bool open);

/* A bulk copy or reduction of one thread. Shared memory is named by addresses in the cluster. */
struct vm_bulk {
    struct vm_pending pending;
    bool tensor, to_global;
    uint32_t shared;      /* the side that is in shared memory; of two, the destination */
    uint32_t shared_from; /* the other one of two */
    bool between_shared;  /* shared memory on both sides */
    uint64_t global;      /* when not a tensor */
    uint32_t bytes;       /* of the full box, when a tensor */
    uint32_t mbarrier;    /* when pending.on_mbarrier */
    uint32_t ranks;       /* bit r: goes to block r of the cluster, at the same offset */
    enum vm_reduction reduction;
    enum vm_type type; /* of the elements to be reduced */
    struct vm_tensor_map map;
    int32_t at[VM_TENSOR_RANK]; /* coordinates of the box */
};

/* struct vm_pending's complete for struct vm_bulk. */
bool vm_bulk_complete(struct vm_pending *p);

/* Copy the box of a tensor map between global memory and `shared`, its bytes at the address `address` (which the
 * swizzle looks at). false: the tensor leaves global memory; *missing is where. */
struct vm_box {
    struct vm_block *block; /* any of the launch */
    const struct vm_tensor_map *map;
    const int32_t *at;
    uint8_t *shared;
    uint32_t address;
    bool to_global;
    enum vm_reduction reduction; /* to_global */
    enum vm_type type;           /* of the elements to be reduced */
    uint64_t missing;
};
bool vm_box_copy(struct vm_box *b);
uint64_t vm_box_bytes(const struct vm_tensor_map *m); /* of shared memory: the full box, whatever of it is outside */

#endif
