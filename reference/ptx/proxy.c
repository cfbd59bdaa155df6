#include "reference/ptx/proxy.h"

#include <stdlib.h>

#include "reference/ptx/vm.h"

enum { GRAIN = 16, THREADS_MOST = 1024 };

struct vm_written {
    uint32_t writer; /* 1 + rank * THREADS_MOST + thread; 0: nobody, or the async proxy */
    uint32_t fences; /* of the cluster, before the store */
};

bool vm_proxy_make(struct vm_block *b)
{
    b->written = calloc(b->shared_bytes / GRAIN + 1, sizeof *b->written);
    return b->written != NULL;
}

void vm_proxy_free(struct vm_block *b)
{
    free(b->written);
    b->written = NULL;
}

void vm_proxy_store(struct vm_warp *w, unsigned lane, struct vm_block *at, uint32_t offset, uint32_t bytes)
{
    struct vm_written mark = {.writer = 1 + w->block->rank * THREADS_MOST + w->index * VM_LANES + lane,
                              .fences = w->block->cluster->fences};
    for (uint32_t g = offset / GRAIN; g <= (offset + bytes - 1) / GRAIN; g++)
        at->written[g] = mark;
}

void vm_proxy_fence(struct vm_warp *w, uint32_t lanes)
{
    uint32_t now = ++w->block->cluster->fences;
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (lanes >> lane & 1)
            w->fenced[lane] = now;
}

/* Did the writer fence since, or the warp that reads? Who of its lanes reads is not known: the latest fence counts. */
static bool is_covered(const struct vm_warp *reader, const struct vm_written *mark)
{
    if (mark->writer == 0)
        return true;
    uint32_t thread = mark->writer - 1;
    const struct vm_block *b = &reader->block->cluster->block[thread / THREADS_MOST];
    const struct vm_warp *writer = &b->warp[thread % THREADS_MOST / VM_LANES];
    if (writer->fenced[thread % VM_LANES] > mark->fences)
        return true;
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (reader->fenced[lane] > mark->fences)
            return true;
    return false;
}

void vm_shared_read_async(struct vm_warp *w, const struct vm_instruction *i, uint32_t address, uint32_t bytes)
{
    struct vm_block *b;
    if (bytes == 0 || !vm_shared_at(w->block, address, bytes, &b))
        return;
    uint32_t offset = address & ((UINT32_C(1) << VM_RANK_SHIFT) - 1);
    for (uint32_t g = offset / GRAIN; g <= (offset + bytes - 1) / GRAIN; g++)
        if (!is_covered(w, &b->written[g])) {
            uint32_t thread = b->written[g].writer - 1;
            vm_hazard(w, i, "shared memory read without a proxy fence",
                      "thread %u of block %u of the cluster stored at shared offset 0x%x and there was no "
                      "fence.proxy.async before this asynchronous read",
                      thread % THREADS_MOST, thread / THREADS_MOST, g * GRAIN);
            return;
        }
}

void vm_shared_written_async(struct vm_block *b, uint32_t address, uint32_t bytes)
{
    struct vm_block *at;
    if (bytes == 0 || !vm_shared_at(b, address, bytes, &at))
        return;
    uint32_t offset = address & ((UINT32_C(1) << VM_RANK_SHIFT) - 1);
    for (uint32_t g = offset / GRAIN; g <= (offset + bytes - 1) / GRAIN; g++)
        at->written[g].writer = 0;
}
