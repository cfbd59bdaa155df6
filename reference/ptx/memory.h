/* memory: the spaces of a running kernel, in one 64-bit address space.
 *
 * - global: allocations with gaps between them; an access that is not inside one is a fault that names its neighbour.
 * - shared: the 32-bit address rank << 24 | offset inside the block; generic: VM_SHARED_WINDOW + that. A block sees its
 *   own memory at its own rank, so that an address of shared::cta is one of shared::cluster, too.
 * - local: generic: VM_LOCAL_WINDOW + offset; a lane's own.
 * - param: of a kernel; generic: VM_PARAM_WINDOW + offset; of functions: local.
 * - const: global that cannot be written.
 *
 * Accesses must be aligned to their size, as on hardware. Shared variables begin at offset VM_SHARED_START. */
#ifndef FO_REFERENCE_PTX_MEMORY_H
#define FO_REFERENCE_PTX_MEMORY_H

#include "reference/ptx/program.h"

#define VM_SHARED_WINDOW UINT64_C(0x7a0000000000)
#define VM_LOCAL_WINDOW  UINT64_C(0x7b0000000000)
#define VM_PARAM_WINDOW  UINT64_C(0x7c0000000000)
enum { VM_SHARED_START = 1024, VM_RANK_SHIFT = 24, VM_SHARED_MOST = 232448 };

struct vm_block;
struct vm_warp;
struct vm_instruction;

/* Where `bytes` bytes of a lane's address lie, or NULL after vm_fault was called for the reason (outside, misaligned,
 * read-only). write: will they be written? Generic addresses are resolved. A parameter of a function, or a .param
 * variable inside one, has the space VM_LOCAL whatever the instruction says: an operand that names it knows. Stores to
 * shared memory are noted for the proxies. */
uint8_t *vm_memory_at(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, enum vm_space space,
                      uint64_t address, uint32_t bytes, bool write);

/* The same for an engine that belongs to no lane (copies, descriptors): shared memory of a cluster by its 32-bit
 * address, NULL outside; no fault is made. *block: the one whose memory it is; may be NULL. */
uint8_t *vm_shared_at(struct vm_block *b, uint32_t address, uint32_t bytes, struct vm_block **block);
/* Global memory, NULL outside. */
uint8_t *vm_global_at(struct vm_block *b, uint64_t address, uint64_t bytes, bool write);

/* The space and the plain address of a generic address. */
enum vm_space vm_address_space(uint64_t generic, uint64_t *plain);

/* Proxies. What threads store to shared memory must be made visible to the async proxy (wgmma descriptors, bulk copies)
 * by fence.proxy.async behind the store: of the thread that stored, or of the one that starts the asynchronous read
 * once the two have synchronised. For every 16 bytes of a block's shared memory the last writer is kept, and how many
 * such fences there had been.
 * vm_shared_read_async: note a hazard where a range holds bytes that no such fence covers; called as the operation is
 * issued, w being the warp that issues it. vm_shared_written_async: the async proxy itself wrote this range.
 * source: PTX ISA, "Proxy-preserved base causality order". */
void vm_proxy_fence(struct vm_warp *w, uint32_t lanes);
void vm_shared_read_async(struct vm_warp *w, const struct vm_instruction *i, uint32_t address, uint32_t bytes);
void vm_shared_written_async(struct vm_block *b, uint32_t address, uint32_t bytes);

#endif
