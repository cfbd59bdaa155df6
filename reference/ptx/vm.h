/* vm: the PTX machine. It executes a kernel as PTX defines it: warps, shared memory, barriers, copies, tensor cores.
 *
 * What it computes is what the PTX says, not what ptxas made of it: a fault of the compiler does not show. Integer and
 * IEEE arithmetic are exact; the tensor cores follow accumulate.h; what is only approximated is said by the report.
 * Undefined behaviour that hardware may forgive (registers of a wgmma touched in flight, shared memory written without
 * fence.proxy.async) is noted as a hazard. */
#ifndef FO_REFERENCE_PTX_VM_H
#define FO_REFERENCE_PTX_VM_H

#include <pthread.h>

#include "reference/ptx/pending.h"
#include "reference/ptx/warp.h"

enum { VM_HAZARD_TEXT = 200, VM_HAZARDS = 64, VM_ENTRY_PARAMETERS = 4096 };

struct vm_hazard {
    const char *kind;
    uint32_t line;
    uint64_t count;
    char text[VM_HAZARD_TEXT]; /* of the first */
};

/* What ran. Sums over the launches of a vm. */
struct vm_report {
    uint64_t blocks, steps, wgmma, mma;
    uint32_t hazards;
    struct vm_hazard hazard[VM_HAZARDS];
    const char *approximate; /* NULL, or the first thing that was */
};

struct vm_launch {
    const char *entry;
    uint32_t grid[3], block[3], cluster[3]; /* cluster 0: as the kernel says, else 1 */
    uint32_t dynamic_shared;
    const void *parameters; /* the parameter buffer, laid out as the entry declares */
    size_t parameter_bytes;
    enum vm_order order;
    uint64_t most_steps; /* of one block; 0: 2^40 */
};

/* What an observer of tensor-core operands sees: all that one warp feeds to one wgmma, as it is computed. */
struct vm_seen {
    const struct vm_block *block;
    const struct vm_instruction *instruction;
    uint32_t warp;
    uint64_t sequence;    /* of this warp's wgmma, from 0 */
    const uint64_t *a[4]; /* register A: rows of lanes; NULL for shared A */
    uint64_t a_descriptor, b_descriptor;
    bool add; /* into the accumulator: scale-d */
};

struct vm {
    struct vm_program program;
    struct vm_allocations *allocations; /* memory.c */
    struct vm_launch launch;            /* the one that runs */
    struct vm_report report;
    struct error error;                                  /* of the fault; code STATUS_OK: none */
    void (*see)(void *self, const struct vm_seen *seen); /* NULL: nobody looks */
    void *see_self;
    pthread_mutex_t global; /* hooks.h: vm_global_lock */
    pthread_mutex_t notes;  /* around error and report while clusters run */
    uint64_t error_cluster; /* that the error is of: the first one's stands, whoever was faster */
    uint64_t hazard_cluster[VM_HAZARDS];
    uint32_t entry, shared_bytes; /* of the launch; bytes from offset 0 on */
    uint8_t *row_used;            /* [rows]: by the entry and by the functions that are none */
};

/* Read a module and place its global variables. errors: of vm_program_read. *out is freed with vm_free. */
enum status vm_make(const char *path, const char *text, size_t size, struct vm **out, struct error *e);
/* The same of a program that has been read; *program is the vm's own on success. */
enum status vm_make_program(struct vm_program *program, struct vm **out, struct error *e);
void vm_free(struct vm *v);
/* Global memory. name: for messages, copied. *address: 256-byte aligned. errors: STATUS_NO_MEMORY. */
enum status vm_alloc(struct vm *v, const char *name, size_t bytes, uint64_t *address, struct error *e);
void vm_release(struct vm *v, uint64_t address); /* an address of vm_alloc */
/* The bytes of an allocation, for the host. NULL for an address that is none. */
void *vm_bytes(struct vm *v, uint64_t address);
/* Run a grid, cluster by cluster, and return when it has ended. errors: STATUS_BAD_ARGUMENT (no such entry, launch out
 * of bounds, parameters of another size); STATUS_SUBJECT: the kernel did what it may not (said with line of the PTX);
 * STATUS_UNSUPPORTED: it needs what is not modelled; STATUS_NO_MEMORY. */
enum status vm_run(struct vm *v, const struct vm_launch *launch, struct error *e);

#endif
