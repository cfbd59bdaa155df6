/* weights: sets of MXFP4 weights that the probes make themselves, from a seed, and a small generator of randomness. */
#ifndef FO_PROBES_WEIGHTS_H
#define FO_PROBES_WEIGHTS_H

#include "reference/hopper_layout.h"

/* SplitMix64: the same numbers on every machine. */
struct random {
    uint64_t state;
};
uint64_t random_next(struct random *r);
uint32_t random_below(struct random *r, uint32_t n); /* needs: n > 0; unbiased */
double random_unit(struct random *r);                /* [0, 1) */

enum weights_kind {
    WEIGHTS_RANDOM, /* codes uniform, block scales uniform in 2^-10 .. 2^-3 (bytes 117..124): the spread scales of the
                       score table */
    WEIGHTS_ADVERSARIAL, /* neighbouring (n, block) never share a scale; codes cover all 16 in every block; scales
                            100..150 */
    WEIGHTS_SPECIAL /* random, plus blocks with scale 255, 254, 253 and 0 at places that differ from row to row, most
                       rows left finite. Against activations of +1 and -1 every row's sum is the same in whatever order
                       it is taken: NaN or Inf for certain, or exact in binary32 (K <= 10922), so that any kernel that
                       accumulates in f32 must agree bit for bit */
};

/* Owns its arrays. */
struct weights_set {
    struct weights w; /* points into the arrays below */
    uint8_t *blocks, *scales;
};

/* errors: STATUS_BAD_ARGUMENT (K % 32, zero extents, overflow), STATUS_NO_MEMORY. Freed with weights_free. */
enum status weights_make(enum weights_kind kind, size_t experts, size_t N, size_t K, uint64_t seed,
                         struct weights_set *out, struct error *e);
void weights_free(struct weights_set *w); /* safe on a zeroed set */

#endif
