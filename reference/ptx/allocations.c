#include "reference/ptx/allocations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference/ptx/poison.h"

/* The first address, and what lies between two: far wider than an index that is off by a row or two. */
#define FIRST UINT64_C(0x200000000)
#define GAP   (UINT64_C(1) << 20)
enum { ALIGN = 256 };

static enum status make_room(struct vm_allocations *a, struct error *e)
{
    if (a->count < a->room)
        return STATUS_OK;
    size_t room = a->room ? 2 * a->room : 16;
    struct vm_allocation *grown = realloc(a->item, room * sizeof *grown);
    if (!grown)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the list of allocations");
    a->item = grown;
    a->room = room;
    return STATUS_OK;
}

enum status vm_allocations_add(struct vm_allocations *a, const char *name, size_t bytes, bool read_only, uint64_t *at,
                               struct error *e)
{
    enum status s = make_room(a, e);
    if (s != STATUS_OK)
        return s;
    struct vm_allocation one = {.name = strdup(name), .bytes = bytes, .read_only = read_only};
    one.data = malloc(bytes ? bytes : 1);
    if (!one.name || !one.data) {
        free(one.name);
        free(one.data);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes of `%s`", bytes, name);
    }
    vm_poison_bytes(one.data, bytes);
    one.at = a->next ? a->next : FIRST;
    a->next = (one.at + bytes + GAP + ALIGN - 1) / ALIGN * ALIGN;
    a->item[a->count++] = one;
    *at = one.at;
    return STATUS_OK;
}

void vm_allocations_remove(struct vm_allocations *a, uint64_t at)
{
    struct vm_allocation *found = vm_allocations_below(a, at);
    if (!found || found->at != at)
        return;
    free(found->name);
    free(found->data);
    size_t behind = (size_t)(a->item + a->count - (found + 1));
    memmove(found, found + 1, behind * sizeof *found);
    a->count--;
}

void vm_allocations_free(struct vm_allocations *a)
{
    for (size_t n = 0; n < a->count; n++) {
        free(a->item[n].name);
        free(a->item[n].data);
    }
    free(a->item);
    *a = (struct vm_allocations){0};
}

struct vm_allocation *vm_allocations_below(const struct vm_allocations *a, uint64_t address)
{
    size_t low = 0, high = a->count; /* the items before low begin at or below, those from high on above */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (a->item[middle].at <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &a->item[low - 1] : NULL;
}

struct vm_allocation *vm_allocations_find(const struct vm_allocations *a, uint64_t address, uint64_t bytes)
{
    struct vm_allocation *found = vm_allocations_below(a, address);
    if (!found || bytes > found->bytes || address - found->at > found->bytes - bytes)
        return NULL;
    return found;
}

const char *vm_allocations_describe(const struct vm_allocations *a, uint64_t address, char *text, size_t size)
{
    const struct vm_allocation *below = vm_allocations_below(a, address);
    const struct vm_allocation *above = below ? below + 1 : a->item;
    if (!below || above == a->item + a->count)
        above = a->count && !below ? a->item : NULL;
    uint64_t behind = below ? address - below->at : UINT64_MAX;
    uint64_t before = above ? above->at - address : UINT64_MAX;
    if (below && behind < below->bytes)
        snprintf(text, size, "%" PRIu64 " bytes before the end of `%s` (%zu bytes)", below->bytes - behind, below->name,
                 below->bytes);
    else if (below && behind - below->bytes <= before)
        snprintf(text, size, "%" PRIu64 " bytes behind the end of `%s` (%zu bytes)", behind - below->bytes, below->name,
                 below->bytes);
    else if (above)
        snprintf(text, size, "%" PRIu64 " bytes before `%s`", before, above->name);
    else
        snprintf(text, size, "nothing is allocated");
    return text;
}
