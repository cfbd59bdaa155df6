/* live: which of the registers that results can be in are read later on.
 *
 * Results start in the D registers of wgmma and go where mov takes them; only those registers are looked at, under a
 * dense number. `kept` is larger than `live`: a wait counts as a reader of every D register, so that a part of D that
 * nobody reads is followed up to the wait all the same. */
#ifndef FO_ORACLE_PTX_LIVE_H
#define FO_ORACLE_PTX_LIVE_H

#include "oracle/ptx/flow.h"
#include "oracle/ptx/mma.h"

struct live {
    uint32_t *index; /* of each register of the function, from its first: its dense number or SYMBOL_NONE */
    uint32_t *reg;   /* the register of a dense number */
    uint32_t count, d_count, words; /* the first d_count of them are D of a wgmma */
    uint64_t *in, *kept;            /* [blocks][words]: bits of the registers at the start of a block */
};

/* errors: STATUS_NO_MEMORY; STATUS_BAD_INPUT for a function that is too large or too tangled. */
enum status live_make(struct ptx_module *m, const struct ptx_function *f, const struct flow *flow,
                      const struct mma *mma, uint32_t sites, const struct ptx_site *site, struct live *live,
                      struct error *e);
void live_free(struct live *live);

/* Dense number of a register, or SYMBOL_NONE. */
uint32_t live_index(const struct live *live, const struct ptx_function *f, uint32_t reg);
bool live_bit(const uint64_t *bits, uint32_t i);
/* Whether a register is read after the end of a block. */
bool live_out(const struct live *live, const struct flow *flow, uint32_t block, uint32_t i);
/* Dense number of what a mov copies, or SYMBOL_NONE. */
uint32_t live_source(const struct ptx_module *m, const struct live *live, const struct ptx_function *f,
                     const struct ptx_statement *copy);

#endif
