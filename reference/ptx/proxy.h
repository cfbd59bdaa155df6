/* proxy: who wrote shared memory, for memory.h's vm_shared_read_async. */
#ifndef FO_REFERENCE_PTX_PROXY_H
#define FO_REFERENCE_PTX_PROXY_H

#include "reference/ptx/memory.h"
#include "reference/ptx/warp.h"

bool vm_proxy_make(struct vm_block *b); /* shared_bytes is set; false: no memory */
void vm_proxy_free(struct vm_block *b);
/* A lane stores to a block's shared memory; the range has been checked. */
void vm_proxy_store(struct vm_warp *w, unsigned lane, struct vm_block *at, uint32_t offset, uint32_t bytes);

#endif
