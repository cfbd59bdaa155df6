/* wgmma: what the files of wgmma.mma_async share.
 *
 * A wgmma is one operation of four warps. Each warp issues it for itself; it can begin when the last of the four has,
 * and that is when VM_EARLY computes it. VM_LATE computes it, for all four, at the first wait of one of them that
 * covers it: a wait of one warp says that the whole wgmma is done. Until its own wait a warp must not touch the
 * registers, so what it has in flight is kept until then. Whoever touches an accumulator all the same finds it
 * computed: ptxas keeps that order, and compilers that move accumulators in flight rely on it. */
#ifndef FO_REFERENCE_PTX_OPS_WGMMA_H
#define FO_REFERENCE_PTX_OPS_WGMMA_H

#include "reference/ptx/vm.h"
#include "reference/tile.h"

enum { WGMMA_WARPS = 4, WGMMA_WARP_ROWS = WGMMA_M / WGMMA_WARPS, WGMMA_A_REGISTERS = 4 };
/* Operands of the instruction. */
enum { WGMMA_D, WGMMA_A, WGMMA_B, WGMMA_ADD, WGMMA_NEGATE_A, WGMMA_NEGATE_B, WGMMA_TRANSPOSE };

struct wgmma_form {
    struct wgmma_op op;
    struct tile_sum sum;
    bool negate_a, negate_b;
    bool mn_a, mn_b; /* in shared memory, MN-major */
};

struct wgmma_flight {
    const struct vm_instruction *instruction;
    uint64_t a, b;  /* descriptors */
    bool add;       /* scale-d */
    uint64_t group; /* of the warp's groups, from 0 */
};

/* A register of the program, as a warp sees it. */
struct wgmma_mark {
    uint32_t a, d;                     /* how many in flight read it as A, write it as D */
    uint32_t line;                     /* of the last of them */
    uint32_t written;                  /* vm_wgmma.fences when another instruction wrote it last */
    uint32_t writer;                   /* the line of that */
    uint32_t shaped;                   /* vm_wgmma.fences when a wgmma took it as D last, */
    int n;                             /* of this N */
    const struct wgmma_family *family; /* and of this family; NULL: none did */
};

struct wgmma_room;

struct vm_wgmma {
    struct wgmma_flight *flight; /* that this warp has not waited for; oldest first */
    uint32_t flights, room;
    uint64_t issued;   /* how many, ever */
    uint64_t computed; /* of them */
    uint64_t group;    /* that is being collected */
    uint32_t fences;
    bool touched; /* a register of one in flight was */
    struct wgmma_mark *mark;
    struct wgmma_room *operands; /* of the first warp of four, for all */
};

/* The form of a prepared instruction. */
struct wgmma_form wgmma_form_of(const struct vm_instruction *i);
/* Row of the register in element r of a vector operand. */
uint32_t wgmma_row(const struct vm_warp *w, const struct vm_instruction *i, uint32_t operand, uint32_t r);
/* The four warps of w's warpgroup. */
struct vm_warp *wgmma_leader(const struct vm_warp *w);

/* wgmma_compute.c. Can the operands be read, and has what threads wrote of them been made visible? w: the last warp
 * that issued it. returns VM_NEXT or VM_FAULT. */
enum vm_step wgmma_check_operands(struct vm_warp *w, const struct wgmma_flight *f);
/* Compute the wgmma with this number for all four warps. returns VM_NEXT or VM_FAULT. */
enum vm_step wgmma_compute(struct vm_warp *leader, uint64_t sequence);
/* Compute all of a warp's before number `until`, at least 1. returns VM_WAIT while another warp has not issued them. */
enum vm_step wgmma_compute_until(struct vm_warp *w, uint64_t until);

/* wgmma_flight.c: note what is in flight, and the hazards of taking off. false: no memory. */
bool wgmma_take_off(struct vm_warp *w, const struct wgmma_flight *f);
/* The oldest `count` have been waited for. */
void wgmma_land(struct vm_warp *w, uint32_t count);
bool wgmma_fence(struct vm_warp *w); /* false: no memory */

#endif
