#include <stdlib.h>

#include "reference/ptx/hooks.h"
#include "reference/ptx/poison.h"
#include "reference/ptx/proxy.h"
#include "reference/ptx/schedule.h"

static void poison_rows(struct vm_warp *w)
{
    const struct vm *v = w->block->vm;
    for (uint32_t row = 0; row < v->program.rows; row++) {
        if (!v->row_used[row])
            continue;
        uint64_t *lanes = vm_row(w, row);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            lanes[lane] = vm_poison_register(row, lane, v->program.row_bits[row]);
    }
}

static bool make_warp(struct vm_block *b, uint32_t index)
{
    struct vm_warp *w = &b->warp[index];
    const struct vm_program *p = &b->vm->program;
    uint32_t threads = b->threads - index * VM_LANES;
    size_t local = (size_t)p->local_bytes * VM_LANES;
    w->block = b;
    w->index = index;
    w->exists = threads < VM_LANES ? (UINT32_C(1) << threads) - 1 : UINT32_MAX;
    w->alive = w->exists;
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        w->pc[lane] = p->function[b->vm->entry].first;
    /* Zeroed by the system as it is touched: rows of other entries of the module take no memory. */
    w->row = calloc((size_t)p->rows + 1, VM_LANES * sizeof *w->row);
    w->local = malloc(local + 1);
    if (!w->row || !w->local)
        return false;
    poison_rows(w);
    vm_poison_bytes(w->local, local);
    return vm_copies_make(w) && vm_wgmma_make(w);
}

static void free_warp(struct vm_warp *w)
{
    vm_copies_free(w);
    vm_wgmma_free(w);
    free(w->row);
    free(w->local);
}

static bool make_block(struct vm_cluster *c, uint32_t rank, const uint32_t first[3])
{
    const struct vm *v = c->vm;
    struct vm_block *b = &c->block[rank];
    uint32_t within[3] = {rank % c->extent[0], rank / c->extent[0] % c->extent[1], rank / c->extent[0] / c->extent[1]};
    b->vm = c->vm;
    b->cluster = c;
    b->rank = rank;
    for (unsigned axis = 0; axis < 3; axis++)
        b->at[axis] = first[axis] + within[axis];
    b->threads = v->launch.block[0] * v->launch.block[1] * v->launch.block[2];
    b->warps = (b->threads + VM_LANES - 1) / VM_LANES;
    b->shared_bytes = v->shared_bytes;
    b->shared = malloc(b->shared_bytes);
    b->warp = calloc(b->warps, sizeof *b->warp);
    if (!b->shared || !b->warp || !vm_proxy_make(b) || !vm_barriers_make(b))
        return false;
    vm_poison_bytes(b->shared, b->shared_bytes);
    for (uint32_t n = 0; n < b->warps; n++)
        if (!make_warp(b, n))
            return false;
    return true;
}

static void free_block(struct vm_block *b)
{
    for (uint32_t n = 0; b->warp && n < b->warps; n++)
        free_warp(&b->warp[n]);
    free(b->warp);
    free(b->shared);
    vm_proxy_free(b);
    vm_barriers_free(b);
}

enum status vm_cluster_make(struct vm *v, uint64_t index, struct vm_cluster **out, struct error *e)
{
    const struct vm_launch *l = &v->launch;
    struct vm_cluster *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a cluster");
    c->vm = v;
    c->index = index;
    uint32_t first[3], blocks = 1;
    for (unsigned axis = 0; axis < 3; axis++) {
        c->extent[axis] = l->cluster[axis] ? l->cluster[axis] : 1;
        uint32_t clusters = l->grid[axis] / c->extent[axis];
        first[axis] = (uint32_t)(index % clusters) * c->extent[axis];
        index /= clusters;
        blocks *= c->extent[axis];
    }
    c->block = calloc(blocks, sizeof *c->block);
    c->blocks = c->block ? blocks : 0;
    for (uint32_t rank = 0; rank < blocks; rank++)
        if (!c->block || !make_block(c, rank, first)) {
            vm_cluster_free(c);
            return error_set(e, STATUS_NO_MEMORY, "no memory for the blocks of a cluster");
        }
    *out = c;
    return STATUS_OK;
}

void vm_cluster_free(struct vm_cluster *c)
{
    if (!c)
        return;
    vm_pending_free(c);
    for (uint32_t rank = 0; rank < c->blocks; rank++)
        free_block(&c->block[rank]);
    free(c->block);
    free(c);
}
