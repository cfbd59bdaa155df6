/* identity_case: what an identity probe is asked with, from the options of the public header: the shape, the weights
 * and the segments. Shared by the question itself (probe.c) and by its form in files (files.c). */
#ifndef FO_ORACLE_ANSWER_IDENTITY_CASE_H
#define FO_ORACLE_ANSWER_IDENTITY_CASE_H

#include "oracle/answer/adapt.h"
#include "probes/identity.h"

struct identity_case {
    struct fo_weights_options asked; /* borrowed strings */
    struct chosen_weights weights;   /* N, K and the experts of the case; one expert when historical */
    struct identity_options options;
};

/* P, N, K: all zero for the default, 80,208,192 (a partial token tile, a partial feature tile and a partial K tile of
 * the production kernel), or 32,128,128, the seed's case, when historical.
 * errors: STATUS_BAD_ARGUMENT (a zero extent, historical with P > K, a pass or a seed out of range), those of
 * chosen_weights_make. */
enum status identity_case_make(uint64_t P, uint64_t N, uint64_t K, const struct fo_weights_options *weights,
                               int historical, int64_t pass, struct identity_case *out, struct error *e);
/* Fill in the default where all three are zero. */
void identity_case_shape(int historical, uint64_t *P, uint64_t *N, uint64_t *K);
void identity_case_free(struct identity_case *c);
/* Cut it to what a subject with these limits can be asked; note says what was given up. */
void identity_case_adapt(struct identity_case *c, const struct executor_limits *limits, char note[ADAPT_NOTE]);
/* The special weights are made of all codes and of scales that are no numbers. */
bool identity_case_no_special(const struct executor_limits *limits);

/* " --shape P,N,K --weights ... --seed S": the options that ask the same again. */
void identity_case_options(const struct identity_case *c, struct text *t);
/* One word of a command line, quoted where a shell wants it. */
void text_add_word(struct text *t, const char *word);

#endif
