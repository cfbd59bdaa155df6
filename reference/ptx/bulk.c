/* What a bulk copy does when it is done. The async proxy writes: no fence is asked of whoever waits for it. */
#include <string.h>

#include "reference/ptx/copies.h"

enum { OFFSET_MASK = (1 << VM_RANK_SHIFT) - 1 };

static bool fail_global(const struct vm_bulk *b, uint64_t address)
{
    vm_fault(b->pending.warp, b->pending.instruction, STATUS_SUBJECT,
             b->tensor ? "the tensor leaves global memory at 0x%llx" : "a bulk copy leaves global memory at 0x%llx",
             (unsigned long long)address);
    return false;
}

static bool fail_shared(const struct vm_bulk *b, uint32_t address)
{
    vm_fault(b->pending.warp, b->pending.instruction, STATUS_SUBJECT,
             "a bulk copy of %u bytes at 0x%x leaves shared memory", b->bytes, address);
    return false;
}

static void move(const struct vm_bulk *b, uint8_t *to, const uint8_t *from)
{
    if (b->reduction == VM_REDUCE_NONE)
        memmove(to, from, b->bytes);
    else
        vm_reduce(b->reduction, b->type, to, from, b->bytes);
}

static bool complete_tensor(const struct vm_bulk *b, uint32_t address, uint8_t *shared)
{
    struct vm_box box = {.block = b->pending.warp->block,
                         .map = &b->map,
                         .at = b->at,
                         .shared = shared,
                         .address = address,
                         .to_global = b->to_global,
                         .reduction = b->reduction,
                         .type = b->type};
    return vm_box_copy(&box) || fail_global(b, box.missing);
}

/* Into the shared memory of one block. */
static bool complete_into(const struct vm_bulk *b, uint32_t rank)
{
    struct vm_block *own = b->pending.warp->block, *to;
    uint32_t address = rank << VM_RANK_SHIFT | (b->shared & OFFSET_MASK);
    uint8_t *shared = vm_shared_at(own, address, b->bytes, &to);
    if (!shared)
        return fail_shared(b, address);
    if (b->tensor) {
        if (!complete_tensor(b, address, shared))
            return false;
    } else if (b->between_shared) {
        const uint8_t *from = vm_shared_at(own, b->shared_from, b->bytes, NULL);
        if (!from)
            return fail_shared(b, b->shared_from);
        move(b, shared, from);
    } else {
        const uint8_t *from = vm_global_at(own, b->global, b->bytes, false);
        if (!from)
            return fail_global(b, b->global);
        move(b, shared, from);
    }
    vm_shared_written_async(to, address, b->bytes);
    return vm_mbarrier_complete(b->pending.warp, b->pending.instruction,
                                rank << VM_RANK_SHIFT | (b->mbarrier & OFFSET_MASK), b->bytes);
}

static bool complete_to_global(const struct vm_bulk *b)
{
    struct vm_block *own = b->pending.warp->block;
    uint8_t *shared = vm_shared_at(own, b->shared, b->bytes, NULL);
    if (!shared)
        return fail_shared(b, b->shared);
    if (b->tensor)
        return complete_tensor(b, b->shared, shared);
    uint8_t *to = vm_global_at(own, b->global, b->bytes, true);
    if (!to)
        return fail_global(b, b->global);
    move(b, to, shared);
    return true;
}

bool vm_bulk_complete(struct vm_pending *p)
{
    const struct vm_bulk *b = (const struct vm_bulk *)p;
    struct vm *v = p->warp->block->vm;
    if (b->to_global) {
        /* Element by element atomic against other clusters. */
        bool locked = b->reduction != VM_REDUCE_NONE;
        if (locked)
            vm_global_lock(v);
        bool done = complete_to_global(b);
        if (locked)
            vm_global_unlock(v);
        return done;
    }
    for (uint32_t rank = 0; b->ranks >> rank; rank++)
        if (b->ranks >> rank & 1 && !complete_into(b, rank))
            return false;
    return true;
}
