/* sampled: random activations through a subject, held against the exact sums. `fragoracle probe random` asks it.
 *
 * Passes (weights are those of the caller but for the last):
 *
 *   uniform   x uniform in (-1, 1)
 *   spread    x of either sign, exponents 2^-8 .. 2^7
 *   special   uniform; row p has nothing else, one +-Inf, an Inf of each sign, or one NaN, as p % 4 is 0, 1, 2, 3
 *   weights   x uniform, weights_make(WEIGHTS_SPECIAL): scales of 255, 254, 253 and 0
 *
 * of the segments of identity.h, on two poisons. Each output is judged twice: bit for bit against matmul.h, which adds
 * as our kernels do, and against the bound of sampled_bound.h, which holds for every order of summation. Where the two
 * launches differ, an element counts as the worse of its two.
 *
 * Random data says that nothing is wrong by more than the bound, not what is: identity and coded probes do, exactly. */
#ifndef FO_PROBES_SAMPLED_H
#define FO_PROBES_SAMPLED_H

#include "probes/executor.h"
#include "probes/sampled_bound.h"

enum sampled_pass { SAMPLED_UNIFORM, SAMPLED_SPREAD, SAMPLED_SPECIAL, SAMPLED_WEIGHTS, SAMPLED_PASSES };
const char *sampled_pass_name(enum sampled_pass pass);

struct sampled_options {
    size_t P; /* tokens; N, K and experts are those of the weights */
    uint64_t seed;
    bool bitwise;    /* the order of summation is ours: conforming is being equal bit for bit */
    bool no_special; /* the subject cannot hold the special weights: leave that pass out */
};

/* Outputs, each in one of the four classes, best first. */
enum sampled_class {
    SAMPLED_EQUAL,  /* bit for bit, or both NaN, and within the bound */
    SAMPLED_WITHIN, /* within the bound */
    SAMPLED_OPEN,   /* not equal, and where some order may overflow nothing is known */
    SAMPLED_BEYOND,
    SAMPLED_CLASSES
};
struct sampled_counts {
    size_t of[SAMPLED_CLASSES];
    size_t unwritten; /* still poisoned after both launches; they are beyond the bound, or where NaN is wanted too,
                         equal */
    double worst;     /* the largest ratio of sampled_bound.h */
};

/* One output. */
struct sampled_output {
    bool found; /* is there one */
    enum sampled_pass pass;
    size_t p, n;
    struct sampled_bound bound;
    struct sampled_interval allowed;
    struct bf16 wanted, is; /* wanted: in our order */
    double ratio;
};

struct sampled_result {
    size_t passes;
    struct sampled_counts pass[SAMPLED_PASSES], total;
    struct sampled_output first_beyond, first_unequal;
    bool repeats;             /* both launches of every pass gave the same bits, unwritten elements aside */
    size_t miscounted;        /* launches that counted another number of wgmma than expected */
    size_t active;            /* segments */
    struct run_report report; /* sums over all launches; the first status word that is not 0 */
};

/* errors: STATUS_BAD_ARGUMENT (P of 0, K % 32, K above SAMPLED_MOST_K), whatever the executor reports,
 * STATUS_NO_MEMORY. The executor is left loaded with whatever weights came last. */
enum status sampled_run(const struct executor *subject, const struct weights *w, const struct sampled_options *o,
                        struct sampled_result *out, struct error *e);

/* Activations of one pass. shape: x [P,K]. */
void sampled_activations(const struct sampled_options *o, size_t K, enum sampled_pass pass, struct bf16 *x);

enum sampled_verdict { SAMPLED_CONFORMS, SAMPLED_PERMITTED, SAMPLED_DIFFERS };
/* differs: an output is beyond the bound or unwritten, none was judged, wgmma were miscounted or a status word came;
 * or the order is ours and an output is not equal. permitted: the order is not ours, and not every output is equal. */
enum sampled_verdict sampled_judge(const struct sampled_result *r, const struct sampled_options *o);

#endif
