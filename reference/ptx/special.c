#include "reference/ptx/special.h"

#include "reference/ptx/vm.h"

static void read_thread(const struct vm_warp *w, unsigned axis, uint64_t value[VM_LANES])
{
    const uint32_t *extent = w->block->vm->launch.block;
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        uint32_t thread = w->index * VM_LANES + lane;
        uint32_t at[3] = {thread % extent[0], thread / extent[0] % extent[1], thread / extent[0] / extent[1]};
        value[lane] = at[axis];
    }
}

static void read_mask(enum vm_special special, uint64_t value[VM_LANES])
{
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        uint32_t eq = UINT32_C(1) << lane, lt = eq - 1;
        value[lane] = special == VM_LANEMASK_EQ   ? eq
                      : special == VM_LANEMASK_LT ? lt
                      : special == VM_LANEMASK_LE ? (lt | eq)
                      : special == VM_LANEMASK_GE ? ~lt
                                                  : ~(lt | eq);
    }
}

/* What is one number for all lanes. */
static uint64_t read_shared_by_all(const struct vm_warp *w, enum vm_special s)
{
    const struct vm_block *b = w->block;
    const struct vm_launch *l = &b->vm->launch;
    const uint32_t *extent = b->cluster->extent;
    uint64_t serial = ((uint64_t)b->at[2] * l->grid[1] + b->at[1]) * l->grid[0] + b->at[0];
    if (s >= VM_NTID_X && s <= VM_NTID_Z)
        return l->block[s - VM_NTID_X];
    if (s >= VM_CTAID_X && s <= VM_CTAID_Z)
        return b->at[s - VM_CTAID_X];
    if (s >= VM_NCTAID_X && s <= VM_NCTAID_Z)
        return l->grid[s - VM_NCTAID_X];
    if (s >= VM_CLUSTER_CTAID_X && s <= VM_CLUSTER_CTAID_Z)
        return b->at[s - VM_CLUSTER_CTAID_X] % extent[s - VM_CLUSTER_CTAID_X];
    if (s >= VM_CLUSTER_NCTAID_X && s <= VM_CLUSTER_NCTAID_Z)
        return extent[s - VM_CLUSTER_NCTAID_X];
    if (s >= VM_CLUSTERID_X && s <= VM_CLUSTERID_Z)
        return b->at[s - VM_CLUSTERID_X] / extent[s - VM_CLUSTERID_X];
    if (s >= VM_NCLUSTERID_X && s <= VM_NCLUSTERID_Z)
        return l->grid[s - VM_NCLUSTERID_X] / extent[s - VM_NCLUSTERID_X];
    switch (s) {
    case VM_WARPID:
        return w->index;
    case VM_NWARPID:
        return b->warps;
    case VM_CLUSTER_CTARANK:
        return b->rank;
    case VM_CLUSTER_NCTARANK:
        return b->cluster->blocks;
    case VM_IS_EXPLICIT_CLUSTER:
        return l->cluster[0] != 0;
    case VM_CLOCK:
        return (uint32_t)w->steps;
    case VM_CLOCK64:
    case VM_GLOBALTIMER:
        return w->steps;
    case VM_CLOCK_HI:
        return w->steps >> 32;
    case VM_SMID:
        return serial % VM_SMS;
    case VM_NSMID:
        return VM_SMS;
    case VM_DYNAMIC_SMEM_SIZE:
        return l->dynamic_shared;
    case VM_TOTAL_SMEM_SIZE:
        return b->shared_bytes - VM_SHARED_START;
    default:
        return 0; /* %gridid */
    }
}

void vm_special_read(const struct vm_warp *w, enum vm_special special, uint64_t value[VM_LANES])
{
    if (special <= VM_TID_Z) {
        read_thread(w, special - VM_TID_X, value);
    } else if (special == VM_LANEID) {
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            value[lane] = lane;
    } else if (special >= VM_LANEMASK_EQ && special <= VM_LANEMASK_GT) {
        read_mask(special, value);
    } else {
        uint64_t one = read_shared_by_all(w, special);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            value[lane] = one;
    }
}
