/* score: how far an output is from the expectation. Counts and errors, never a threshold.
 *
 * O is the output, R the expectation as the accumulation rule gives it, both bf16 [P,N].
 * - max_abs, mean_abs, rel_fro = |O-R|_F / |R|_F. Equal infinities, and NaN against NaN, are error 0; a NaN or an Inf
 *   against a finite value is infinite; rel_fro is 0 when O = R = 0. |R| is taken over the finite elements of R.
 * - row_identity: row p is a hit when no row of R is strictly nearer to O[p] (Euclidean) than R[p]; rows equal bit for
 *   bit are hits without a search; a row with an unexpected NaN is no hit. col_identity: the same for columns.
 *   Where two distances are too near each other for binary64, they are compared in exact integers.
 *   These are the historical scores. They are not monotone in correctness: real weights give 32 of 32 rows to two wrong
 * orders.
 * - row_exact, col_exact: equal bit for bit (NaN equals NaN).
 * - unwritten: elements in which two runs with different poison patterns both still hold their poison. */
#ifndef FO_PROBES_SCORE_H
#define FO_PROBES_SCORE_H

#include "reference/bf16.h"
#include "reference/status.h"

struct hits {
    uint64_t hits, of;
};

struct score {
    double max_abs, mean_abs, rel_fro; /* INFINITY where the definition says infinite */
    struct hits row_identity, col_identity, row_exact, col_exact;
    struct hits unwritten; /* hits = unwritten elements; 0 is good */
    uint64_t differing;    /* elements that are not bit-equal (NaN equals NaN) */
    uint64_t compared;     /* elements */
    /* sums from which the means of several passes are made */
    double sum_abs, sum_sq_error, sum_sq_expected;
    /* linear index of the first, UINT64_MAX if none; in a total, that of the first pass that has one, within the pass
     */
    uint64_t first_differing;
};

/* shape: output, expected [P,N]. errors: STATUS_NO_MEMORY, STATUS_BAD_ARGUMENT for P or N of 0. */
enum status score_make(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N, struct score *s,
                       struct error *e);
/* Count unwritten elements of two runs into s->unwritten. shape: [n] each. */
void score_unwritten(const struct bf16 *a, struct bf16 poison_a, const struct bf16 *b, struct bf16 poison_b, size_t n,
                     struct score *s);
/* Add a pass to a total (start from a zeroed score with first_differing = UINT64_MAX). */
void score_add(struct score *total, const struct score *pass);

/* Distances for the pictures: out[i*of + j] = Euclidean distance from line i of O to line j of R (rows, or columns when
 * by_column). shape: out [lines, lines], lines = P or N. Infinite where a NaN or an Inf meets something else. */
void score_distances(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N, int by_column,
                     float *out);
/* |O - R| with the rules above. shape: out [P,N]. */
void score_errors(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N, float *out);

#endif
