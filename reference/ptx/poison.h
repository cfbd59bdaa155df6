/* poison: what memory and registers hold before a kernel writes them: never zeros, the same in every run, odd, so that
 * a kernel that reads what it has not written shows. */
#ifndef FO_REFERENCE_PTX_POISON_H
#define FO_REFERENCE_PTX_POISON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { VM_POISON_BYTE = 0xad };
#define VM_POISON UINT64_C(0xadadadadadadadad)

static inline void vm_poison_bytes(void *memory, size_t bytes)
{
    if (bytes > 0)
        memset(memory, VM_POISON_BYTE, bytes);
}

/* A register of `bits` bits: a predicate is the one or the other, by its row and lane. */
static inline uint64_t vm_poison_register(uint32_t row, unsigned lane, uint32_t bits)
{
    if (bits == 1)
        return ((row * UINT32_C(2654435761)) ^ (lane * UINT32_C(2246822519))) >> 31;
    return bits < 64 ? VM_POISON & ((UINT64_C(1) << bits) - 1) : VM_POISON;
}

#endif
