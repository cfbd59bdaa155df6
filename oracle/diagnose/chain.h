/* chain: what a kernel with some faults would give, observation by observation. */
#ifndef FO_ORACLE_DIAGNOSE_CHAIN_H
#define FO_ORACLE_DIAGNOSE_CHAIN_H

#include "oracle/diagnose/hypothesis.h"
#include "reference/bf16.h"

enum { CHAIN_MOST = 2 };

/* Steps in the order in which they apply. */
struct chain {
    const struct geometry *g;
    const struct row_place *place; /* [P]: what its launch does */
    size_t count;
    struct choice step[CHAIN_MOST];
};

/* Of no, one or two choices; either may be NULL. place: [P], where the chain that goes wrong in its launch keeps what
 * that does; it lives as long. Returns the number of different chains written, 1 or 2: two of one depth stand either
 * way round. */
size_t chain_make(const struct geometry *g, const struct choice *first, const struct choice *second,
                  struct row_place *place, struct chain out[2]);
/* The same faults in another launch. */
struct chain chain_elsewhere(const struct chain *c, const struct geometry *g, struct row_place *place);

/* What an observation shows. A member is a code, SOURCE_ZERO, SOURCE_UNWRITTEN, or one of these two. */
#define SEEN_NO_SOURCE 0xfffffffbu /* a scale that comes from padding: no code fits */
#define SEEN_ANYTHING  0xfffffffau /* not predicted here, only by pair planes */
struct seen {
    uint32_t value, scale, row;
};
struct seen chain_observe(const struct chain *c, size_t sweep, uint32_t p, uint32_t n);
/* Is this what was found? */
bool seen_agrees(uint32_t predicted, uint32_t found);

/* The product element of an output. */
struct site chain_site(const struct chain *c, size_t sweep, uint32_t p, uint32_t n);
/* Where the operand at (expert, n, k) was stored. Past the arrays it is nothing. Where bits are mixed, value is the
 * element whose word is looked at; chain_beyond follows an element of the mixture from there. */
void chain_operand(const struct chain *c, uint32_t expert, uint32_t n, uint32_t k, struct element *value,
                   struct element *scale, struct decode *place);
void chain_beyond(const struct chain *c, struct element *value);
/* Decode a code and a scale as the chain does. place: of chain_operand. */
struct bf16 chain_decode(const struct chain *c, const struct decode *place, uint32_t code, uint32_t scale);
/* What the epilogue makes of it: no negative zero, one NaN. */
struct bf16 chain_output(const struct chain *c, struct bf16 product);
bool chain_mixes(const struct chain *c);

#endif
