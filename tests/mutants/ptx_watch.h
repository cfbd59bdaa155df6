/* ptx_watch: what the tensor cores were fed in a launch: sums over every warp of every wgmma, by its place in the grid
 * and in the order of its warp. Asks no output, so it is another way to the stage than probes/explain.h. */
#ifndef FO_TESTS_MUTANTS_PTX_WATCH_H
#define FO_TESTS_MUTANTS_PTX_WATCH_H

#include "probes/executor.h"
#include "probes/source_map.h"

enum ptx_operand { PTX_OPERAND_A, PTX_OPERAND_B, PTX_OPERANDS };

struct ptx_watch {
    uint64_t count;
    uint64_t bytes[PTX_OPERANDS];      /* registers of A, or what a descriptor names, element by element */
    uint64_t descriptor[PTX_OPERANDS]; /* 0: A in registers */
    uint64_t negated[PTX_OPERANDS];    /* by the instruction */
    uint64_t added;                    /* scale-d */
    size_t unwritten;                  /* outputs: no matter of operands */
};

/* Which operand holds what. */
struct ptx_roles {
    bool weights[PTX_OPERANDS], x[PTX_OPERANDS];
};

/* One launch of a module on the PTX machine (module_subject_vm), with random weights and activations. errors: those of
 * the executor, STATUS_NO_MEMORY. */
enum status ptx_watch_launch(const struct executor *module, const struct source_map *like, uint64_t seed,
                             struct ptx_watch *out, struct error *e);
/* Found by the same launch with one weight changed, and with one activation changed. */
enum status ptx_watch_roles(const struct executor *module, const struct source_map *like, uint64_t seed,
                            struct ptx_roles *out, struct error *e);

/* What the difference of two such launches leaves: bits 1 << enum explain_stage. */
struct ptx_truth {
    unsigned stages;
    bool open; /* other wgmma, or another accumulation: any stage may be where it shows */
};
struct ptx_truth ptx_watch_truth(const struct ptx_watch *right, const struct ptx_watch *found,
                                 const struct ptx_roles *roles);

#endif
