/* results: after which wait which registers hold a whole D, and which sites add to one accumulator.
 *
 * A state says for every register whether it holds element i of D of site s, and for every site how far it is: not
 * issued, uncommitted, committed so many groups ago, complete. It is followed through wgmma, mov, commit and wait over
 * the ways of the function until nothing changes.
 *
 * Where ways meet, a register holds an element if it does on one of them and the other has that site not in flight:
 * the code behind reads one register either way, which then is the accumulator with nothing added (a loop that did not
 * run). A site is as far as on the way where it is least far. Of two sites that left one element the later counts. */
#ifndef FO_ORACLE_PTX_RESULTS_H
#define FO_ORACLE_PTX_RESULTS_H

#include "oracle/ptx/live.h"

/* A result in the registers of a function. */
struct results_found {
    uint32_t site; /* of the function */
    uint32_t wait; /* statement */
    uint32_t d[PTX_D_REGISTERS];
};

struct results {
    struct results_found *found;
    uint32_t count, room;
    uint32_t *accumulator; /* of each site: the first site of its accumulator */
};

/* errors: STATUS_NO_MEMORY; STATUS_BAD_INPUT for a function that is too large or too tangled. */
enum status results_make(struct ptx_module *m, const struct ptx_function *f, const struct flow *flow,
                         const struct live *live, const struct mma *mma, const struct ptx_site *site, uint32_t sites,
                         struct results *out, struct error *e);
void results_free(struct results *r);

#endif
