/* outputs: what the pair planes of a chain show, bit for bit. Every weight of a row takes part in an output: zero times
 * Inf or NaN is NaN. */
#ifndef FO_ORACLE_DIAGNOSE_OUTPUTS_H
#define FO_ORACLE_DIAGNOSE_OUTPUTS_H

#include "oracle/diagnose/chain.h"

/* Remembers which rows of the operand hold a special value; good for one chain at a time. Owns its array. */
struct outputs {
    const struct geometry *g;
    size_t planes;
    bool no_scales;
    uint32_t *special; /* [planes][experts][N]: 0 not looked at, else 1 + columns with Inf or NaN, most 2 */
    uint32_t *column;  /* of the first such column */
};

/* errors: STATUS_NO_MEMORY. */
enum status outputs_make(const struct geometry *g, size_t planes, bool no_scales, struct outputs *out, struct error *e);
void outputs_free(struct outputs *o);   /* safe on zeroed outputs */
void outputs_forget(struct outputs *o); /* before another chain */

/* *anything: not predicted (the row is unwritten, and poison says nothing of pairs). */
struct bf16 outputs_pair(struct outputs *o, const struct chain *c, size_t plane, size_t sweep, uint32_t p, uint32_t n,
                         bool *anything);
/* Bit for bit, but any NaN is as good as another. */
bool outputs_same(struct bf16 a, struct bf16 b);

#endif
