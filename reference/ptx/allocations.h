/* allocations: what lies in global and constant memory.
 *
 * Addresses are the machine's own, not the host's: ascending, with wide gaps, the same in every run. */
#ifndef FO_REFERENCE_PTX_ALLOCATIONS_H
#define FO_REFERENCE_PTX_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "reference/status.h"

struct vm_allocation {
    char *name;
    uint64_t at;
    size_t bytes;
    uint8_t *data;
    bool read_only;
};

struct vm_allocations {
    struct vm_allocation *item; /* ascending */
    size_t count, room;
    uint64_t next; /* address */
};

/* shape: filled with poison, 256-byte aligned. errors: STATUS_NO_MEMORY. */
enum status vm_allocations_add(struct vm_allocations *a, const char *name, size_t bytes, bool read_only, uint64_t *at,
                               struct error *e);
void vm_allocations_remove(struct vm_allocations *a, uint64_t at);
void vm_allocations_free(struct vm_allocations *a);
/* The last one that begins at or below an address; NULL for none. */
struct vm_allocation *vm_allocations_below(const struct vm_allocations *a, uint64_t address);
/* The one that a range lies in; NULL for none. */
struct vm_allocation *vm_allocations_find(const struct vm_allocations *a, uint64_t address, uint64_t bytes);
/* In words, where an address that is in none lies: "16 bytes behind `out` (4096 bytes)". returns text. */
const char *vm_allocations_describe(const struct vm_allocations *a, uint64_t address, char *text, size_t size);

#endif
