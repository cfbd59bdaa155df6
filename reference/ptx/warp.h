/* warp: 32 lanes, where they are, and what operations need to work on them.
 *
 * The lanes of a warp that stand at one instruction execute it together. Of those that stand at different ones the
 * lowest go first, so that ways that part meet again where the text joins them; a group that waits lets the next one
 * run. A step of an instruction for all its lanes is one after another for warps and at once for lanes: that is one of
 * the orders that PTX allows. What PTX leaves to happen any time later (asynchronous copies, wgmma) is done as late as
 * it may be, or at once (pending.h). */
#ifndef FO_REFERENCE_PTX_WARP_H
#define FO_REFERENCE_PTX_WARP_H

#include "reference/ptx/memory.h"
#include "reference/ptx/program.h"

struct vm;
struct vm_wgmma;    /* ops/wgmma.c: what a warp has in flight */
struct vm_copies;   /* ops/copy.c: what a lane's warp has in flight */
struct vm_barriers; /* ops/barrier.c: of a block */

struct vm_block {
    struct vm *vm;
    struct vm_cluster *cluster;
    uint32_t rank;  /* in the cluster */
    uint32_t at[3]; /* ctaid */
    uint32_t threads, warps;
    struct vm_warp *warp;
    uint8_t *shared; /* [shared_bytes] */
    uint32_t shared_bytes;
    struct vm_barriers *barriers;
    uint32_t exited;            /* threads */
    bool ended;                 /* all have exited, and what they began is done */
    uint64_t steps;             /* of its warps */
    struct vm_written *written; /* proxy.c */
};

struct vm_cluster {
    struct vm *vm;
    uint32_t extent[3], blocks;
    struct vm_block *block;
    uint64_t arrived; /* of barrier.cluster, counted by ops/barrier.c */
    uint64_t phase;
    struct vm_pending *pending, *pending_end; /* pending.h; oldest first */
    uint64_t index;                           /* in the grid */
    uint64_t wgmma, mma;                      /* executed, for the report */
    const char *approximate;                  /* the first that was, for the report */
    uint32_t fences;                          /* of proxies, so far (memory.h) */
    uint32_t idle;                            /* rounds without any progress, in a row (schedule.c) */
    uint64_t rounds, writes;                  /* so far; of memory */
    bool faulted;                             /* nothing of this cluster goes on */
};

struct vm_warp {
    struct vm_block *block;
    uint32_t index;  /* in the block */
    uint32_t exists; /* lanes that have a thread */
    uint32_t alive;  /* and have not exited */
    uint32_t pc[VM_LANES];
    uint32_t depth[VM_LANES], back[VM_LANES][VM_DEPTH]; /* of calls */
    /* An operation of two parts (arrive, then wait) notes here which lanes are between them, and for what. */
    uint32_t between;
    uint64_t ticket[VM_LANES];
    uint32_t carry; /* CC.CF of each lane */
    uint64_t *row;  /* [program->rows][VM_LANES] */
    uint8_t *local; /* [VM_LANES][local_bytes] */
    struct vm_wgmma *wgmma;
    struct vm_copies *copies;
    uint64_t steps;            /* instructions executed */
    uint32_t flights;          /* kept by ops/wgmma.c: not 0 while registers of a wgmma are in flight */
    uint32_t fenced[VM_LANES]; /* cluster->fences after the lane's last proxy fence (memory.h) */
    uint32_t held, starved;    /* whose turn it is not, and for how many turns some have had none (schedule.c) */
};

static inline uint64_t *vm_row(const struct vm_warp *w, uint32_t row)
{
    return w->row + (size_t)row * VM_LANES;
}

const struct vm_program *vm_warp_program(const struct vm_warp *w);

/* The values of an operand for all lanes: a register's own row, else `room` filled. Not for vectors and addresses.
 * Negation is applied to predicates. */
const uint64_t *vm_read_operand(const struct vm_warp *w, const struct vm_operand *o, uint64_t room[VM_LANES]);
/* Write the lanes of a register (or a sink), cut to its width. */
void vm_write_operand(struct vm_warp *w, const struct vm_operand *o, const uint64_t value[VM_LANES], uint32_t lanes);
/* The addresses of an address operand, before any space is applied. */
void vm_read_addresses(const struct vm_warp *w, const struct vm_operand *o, uint64_t address[VM_LANES]);

/* "setp.eq.u32", for messages; returns text. */
const char *vm_instruction_name(const struct vm_instruction *i, char *text, size_t size);

/* Stop the machine: what a kernel may not do (an access outside, a deadlock) or what the machine cannot (an instruction
 * that is not modelled: STATUS_UNSUPPORTED). The line of the instruction is said. returns VM_FAULT. */
enum vm_step vm_fault(struct vm_warp *w, const struct vm_instruction *i, enum status s, const char *why, ...)
    STATUS_PRINTF(4, 5);
/* Note what PTX leaves undefined but the machine survives: a hazard. Each (line, kind) is kept once and counted.
 * kind: one static string each, such as "A register overwritten in flight". */
void vm_hazard(struct vm_warp *w, const struct vm_instruction *i, const char *kind, const char *what, ...)
    STATUS_PRINTF(4, 5);
/* The result of the run rests on an approximation from here on (ex2.approx; arithmetic that is not modelled bit for
 * bit). what: a static string. */
void vm_approximate(struct vm_warp *w, const char *what);

/* Do all living lanes of `wanted` stand here (are in `lanes`)? For what a whole mask executes together. */
bool vm_all_here(const struct vm_warp *w, uint32_t lanes, uint32_t wanted);

#endif
