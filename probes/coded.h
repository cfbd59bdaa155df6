/* coded: probes whose outputs name their source exactly. What comes out is the source map of source_map.h, a sample of
 * every value that a weight can have, and a dense product whose sums are exact in any order.
 *
 * All passes share their activations: sweep s has x[p][column[s][p]] = 1 and zeros elsewhere, so that an output is one
 * weight times its scale, exactly. The sweeps ask every column of the longest segment (identity.h has the segments)
 * twice, of different rows the second time, so that what follows the row can be told from what follows the column.
 * Passes (planes) differ in the weights:
 *
 *   unit      every weight 1, every scale 2^0: what is zero, unwritten, or scaled by something that was never there
 *   value     digits of the code of (expert, n, k), one a plane, base 5, written as 1, 2, 3, 4, 6: values that FP4,
 * int4, fp8 and bf16 all have, all positive and none of them 0.5, so that a lost sign or a flushed subnormal does not
 * hide where a value came from; then check digits, a hash of the code: a sum of several weights is no code but by a
 * chance that coded.c states
 *
 *   scale     digits of the code of (expert, n, block), base 64, as powers of two from 2^-63 to 2^0; then check digits
 *
 *   row       every weight 1; row p of x holds digits of p as powers of two instead of 1; then check digits
 *
 *   pair      codes and scales in all 4096 combinations, the 256 scales spread over n and blocks: what each pair
 * decodes to, wherever it was really read from. A pair that gives Inf or NaN stands in a row of weights apart: zero
 * times it is NaN, in every output of that row
 *
 *   special   weights_make(WEIGHTS_SPECIAL) against rows of all 1 and all -1, as the identity probe has them: no zero
 * of x hides whether a weight is Inf or NaN. Left out with the pairs, and of a subject without scales
 *
 *   dense     integer activations and weights, small enough that every partial sum of every order is exact, in bf16 too
 *
 *   guard     the unit and the value planes once more, of segments that name an expert that does not exist
 *
 * The unit plane runs twice with two poisons, and its first launch and the dense product once more for the same bits.
 *
 * An observation is read relative to what the unit plane gave: a power of two is a factor that all planes share, as a
 * scale that was read from padding is. */
#ifndef FO_PROBES_CODED_H
#define FO_PROBES_CODED_H

#include "probes/executor.h"
#include "probes/source_map.h"

struct coded_options {
    size_t P; /* tokens */
    size_t N, K, experts;
    uint64_t seed; /* of the dense product and of the special weights */
};

/* A launch of three segments: P/3 rows of the last expert, then about as many of expert E, which there is not, and of
 * expert -1. Both must be zero, and the status word must name the first of them. */
struct coded_guard {
    bool asked;               /* false: the subject takes no segments, or only legal ones */
    uint32_t *found, *wanted; /* [P], owned: the expert whose weights a row shows, or SOURCE_ZERO and its kin */
    size_t wrong;             /* rows that are not what is wanted */
    uint32_t status_word, status_wanted;
    bool status_told; /* false: this subject counts nothing, so its status word says nothing either */
};

/* The special plane. Outputs that differ, by what is wanted and what is there. */
struct coded_special {
    size_t count, differing;       /* 0 compared: not asked */
    size_t nan_is_infinite;        /* of those that differ: an Inf where NaN is wanted */
    struct bf16 *found, *expected; /* [P][N], owned */
};

/* Owns its arrays. */
struct coded_result {
    struct source_map map;
    size_t value_planes, scale_planes, row_planes; /* check planes included; scale_planes 0: not applicable */
    size_t launches, loads;
    bool repeats;      /* the same launch gave the same bits */
    size_t scaled;     /* observations of a known value that came with a factor other than 1 */
    size_t miscounted; /* launches that counted another number of wgmma than expected */

    size_t pair_planes;                /* 0: the subject has no value for some of the codes */
    struct bf16 *pair;                 /* [pair_planes][sweeps][P][N]: outputs */
    size_t pair_count, pair_differing; /* observations of the right value and scale; those of another product */

    size_t dense_count; /* of outputs that were compared */
    size_t dense_differing;
    struct bf16 *dense, *dense_expected; /* [P][N] */
    struct bf16 *dense_x;                /* [P][K] */
    uint8_t *dense_blocks;               /* the codes of its weights, as struct weights has them */
    struct coded_special special;
    struct coded_guard guard;
    struct run_report report; /* sums over all launches, as identity_result has them; the status word without guard's */
};

/* errors: STATUS_BAD_ARGUMENT (extents, K % 32, limits of the subject), STATUS_SUBJECT, whatever the executor reports,
 * STATUS_NO_MEMORY. */
enum status coded_run(const struct executor *subject, const struct coded_options *o, struct coded_result *out,
                      struct error *e);
void coded_result_free(struct coded_result *r); /* safe on a zeroed result */

/* Every source right (scales where they are asked) and without a factor, the same bits again, every pair, the dense
 * product, the special plane and the guard right, wgmma as expected, no status word. */
bool coded_conforms(const struct coded_result *r);

/* The weights of pair plane `plane` at an element: its FP4 code (0..15), and the byte of a scale. The sum over planes
 * covers every pair of the two at every expert. Subjects without scales get scale 127 everywhere. */
uint32_t coded_pair_code(const struct source_map *m, size_t plane, struct source_point value);
uint32_t coded_pair_scale(const struct source_map *m, size_t plane, struct source_point scale, bool no_scales);

#endif
