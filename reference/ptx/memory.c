#include "reference/ptx/memory.h"

#include <inttypes.h>
#include <stdio.h>

#include "reference/ptx/allocations.h"
#include "reference/ptx/proxy.h"
#include "reference/ptx/vm.h"

#define WINDOW_BYTES (UINT64_C(1) << 32)
enum { ALIGN_MOST = 16 };

static const char *const space_name[VM_SPACES] = {
    [VM_GENERIC] = "generic", [VM_GLOBAL] = "global", [VM_SHARED] = "shared",
    [VM_LOCAL] = "local",     [VM_PARAM] = "param",   [VM_CONST] = "const",
};

struct access {
    struct vm_warp *w;
    const struct vm_instruction *i;
    unsigned lane;
    uint64_t address;
    uint32_t bytes;
    bool write;
};

static uint8_t *refuse(const struct access *a, enum vm_space space, const char *why)
{
    vm_fault(a->w, a->i, STATUS_SUBJECT, "lane %u %s %u bytes at 0x%" PRIx64 " of %s memory: %s", a->lane,
             a->write ? "writes" : "reads", a->bytes, a->address, space_name[space], why);
    return NULL;
}

enum vm_space vm_address_space(uint64_t generic, uint64_t *plain)
{
    static const struct {
        uint64_t from;
        enum vm_space space;
    } windows[] = {
        {VM_SHARED_WINDOW, VM_SHARED},
        {VM_LOCAL_WINDOW, VM_LOCAL},
        {VM_PARAM_WINDOW, VM_PARAM},
    };
    for (size_t n = 0; n < sizeof windows / sizeof *windows; n++)
        if (generic - windows[n].from < WINDOW_BYTES) {
            *plain = generic - windows[n].from;
            return windows[n].space;
        }
    *plain = generic;
    return VM_GLOBAL;
}

static bool fits(uint64_t at, uint64_t bytes, uint64_t size)
{
    return bytes <= size && at <= size - bytes;
}

uint8_t *vm_shared_at(struct vm_block *b, uint32_t address, uint32_t bytes, struct vm_block **block)
{
    uint32_t rank = address >> VM_RANK_SHIFT, offset = address & ((UINT32_C(1) << VM_RANK_SHIFT) - 1);
    if (rank >= b->cluster->blocks)
        return NULL;
    struct vm_block *at = &b->cluster->block[rank];
    if (offset < VM_SHARED_START || !fits(offset, bytes, at->shared_bytes))
        return NULL;
    if (block)
        *block = at;
    return at->shared + offset;
}

static uint8_t *shared_at(const struct access *a)
{
    struct vm_block *own = a->w->block, *at;
    uint8_t *found = a->address <= UINT32_MAX ? vm_shared_at(own, (uint32_t)a->address, a->bytes, &at) : NULL;
    if (!found) {
        char why[96];
        snprintf(why, sizeof why, "outside (a block has 0x%x to 0x%x, of rank %u)", VM_SHARED_START, own->shared_bytes,
                 own->rank);
        return refuse(a, VM_SHARED, why);
    }
    if (at != own && at->exited == at->threads)
        vm_hazard(a->w, a->i, "shared memory of a block that has ended", "block (%u,%u,%u) has ended", at->at[0],
                  at->at[1], at->at[2]);
    if (a->write)
        vm_proxy_store(a->w, a->lane, at, (uint32_t)(found - at->shared), a->bytes);
    return found;
}

uint8_t *vm_global_at(struct vm_block *b, uint64_t address, uint64_t bytes, bool write)
{
    const struct vm_allocation *found = vm_allocations_find(b->vm->allocations, address, bytes);
    return found && !(write && found->read_only) ? found->data + (address - found->at) : NULL;
}

static uint8_t *global_at(const struct access *a, enum vm_space space)
{
    const struct vm_allocations *all = a->w->block->vm->allocations;
    uint8_t *found = vm_global_at(a->w->block, a->address, a->bytes, a->write);
    char text[192];
    if (found)
        return found;
    if (vm_allocations_find(all, a->address, a->bytes))
        return refuse(a, space, "constants are not written");
    return refuse(a, space, vm_allocations_describe(all, a->address, text, sizeof text));
}

static uint8_t *local_at(const struct access *a)
{
    uint64_t size = vm_warp_program(a->w)->local_bytes;
    if (!fits(a->address, a->bytes, size))
        return refuse(a, VM_LOCAL, "outside");
    return a->w->local + a->lane * size + a->address;
}

static uint8_t *parameter_at(const struct access *a)
{
    const struct vm_launch *l = &a->w->block->vm->launch;
    if (a->write)
        return refuse(a, VM_PARAM, "a kernel's parameters are not written");
    if (!fits(a->address, a->bytes, l->parameter_bytes))
        return refuse(a, VM_PARAM, "outside");
    return (uint8_t *)l->parameters + a->address;
}

uint8_t *vm_memory_at(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, enum vm_space space,
                      uint64_t address, uint32_t bytes, bool write)
{
    struct access a = {w, i, lane, address, bytes, write};
    uint32_t align = bytes & -bytes;
    if (space == VM_GENERIC)
        space = vm_address_space(address, &a.address);
    if (a.address & ((align < ALIGN_MOST ? align : ALIGN_MOST) - 1))
        return refuse(&a, space, "misaligned");
    w->block->cluster->writes += write;
    switch (space) {
    case VM_SHARED:
        return shared_at(&a);
    case VM_LOCAL:
        return local_at(&a);
    case VM_PARAM:
        return parameter_at(&a);
    default:
        return global_at(&a, space);
    }
}
