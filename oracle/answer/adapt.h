/* adapt: what a probe asks, cut to what a subject can be asked. What was given up is said. */
#ifndef FO_ORACLE_ANSWER_ADAPT_H
#define FO_ORACLE_ANSWER_ADAPT_H

#include "oracle/answer/answer.h"

enum { ADAPT_NOTE = 240 };

/* Weights that a subject with these limits takes: one expert where there are no segments, every scale 2^0 where there
 * are no scales, and the next larger value (1 for 0.5, 2 for 1.5) where its type has none for a code. note says what
 * was given up, "" for nothing. blocks, scales: the arrays that w points to, changed in place. */
void adapt_weights(const struct executor_limits *limits, struct weights *w, uint8_t *blocks, uint8_t *scales,
                   char note[ADAPT_NOTE]);

/* A shape that nobody asked for by name: the extents that the subject was made for, else multiples of what it wants,
 * and no more rows than it takes. K stays a multiple of 32. false: there is none. */
bool adapt_shape(const struct executor_limits *limits, uint64_t *P, uint64_t *N, uint64_t *K);

#endif
