/* identity: inputs whose outputs name their own source. Each activation row holds a single 1, so that the output row is
 * one row of W^T, exactly.
 *
 * historical   the seed's case: one expert, x[p][p] = 1, one pass. Needs P <= K.
 * full         the default. Passes s = 0 .. ceil(K/P)-1 with x[p][(p + s*P) % K] = 1: every k is asked of every expert
 * segment's first rows, over several K and N tiles. Segments are unsorted, with ids above the number of active
 * segments, one empty and one of a single row, and rows that no segment covers. Two poisons. Then one pass `special`
 * over weights_make(WEIGHTS_SPECIAL) with rows of ones, where scales of 255 and pairs that overflow must give NaN and
 * Inf exactly there. */
#ifndef FO_PROBES_IDENTITY_H
#define FO_PROBES_IDENTITY_H

#include "probes/executor.h"
#include "probes/score.h"

struct identity_options {
    size_t P;       /* tokens; N and K are those of the weights */
    int historical; /* one expert, one pass */
    int64_t pass;   /* -1 for all, else only this one (the line that repeats a failure) */
    uint64_t seed;  /* of the special weights */
};

/* The segments of the full probe, for P rows and E experts; owned arrays. With one expert or P < 8 there is a single
 * segment. Otherwise A = min(5, ...) segments of unequal length, one empty, one of one row, at least one of more than
 * half the rows, ids unsorted and, where E allows, above A; the last row or rows are covered by none. */
struct identity_segments {
    struct segments s;
    uint32_t *starts;
    int32_t *ids;
};
enum status identity_segments_make(size_t P, size_t experts, int historical, struct identity_segments *out,
                                   struct error *e);
void identity_segments_free(struct identity_segments *s);

/* Number of passes, the special one included. */
size_t identity_passes(const struct identity_options *o, size_t K);
/* Is this pass the special one? It uses weights of its own. */
int identity_pass_is_special(const struct identity_options *o, size_t K, size_t pass);
/* Activations of one pass. shape: x [P,K]. */
void identity_activations(const struct identity_options *o, size_t K, size_t pass, struct bf16 *x);

struct identity_pass_result {
    size_t pass;
    int special;
    struct score score;
    struct run_report report;
};

struct identity_result {
    struct score total;
    size_t passes;
    struct identity_pass_result *pass; /* [passes], owned */
    struct run_report report;          /* sums over all launches */
    /* the worst pass (most differing elements; the first when none differs), for the pictures; owned, [P,N] */
    size_t shown_pass;
    struct bf16 *shown_output, *shown_expected;
};

/* Ask `subject` every pass, twice with two poisons, and score against matmul_grouped. The executor is left loaded with
 * whatever weights came last.
 * errors: STATUS_BAD_ARGUMENT (historical with P > K, pass out of range), whatever the executor reports,
 * STATUS_NO_MEMORY. */
enum status identity_run(const struct executor *subject, const struct weights *w, const struct identity_options *o,
                         struct identity_result *out, struct error *e);
void identity_result_free(struct identity_result *r);

/* conforms: nothing differs, nothing unwritten, counted wgmma as expected, the status word 0. */
int identity_conforms(const struct identity_result *r);

#endif
