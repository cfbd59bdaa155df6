/* identity: inputs whose outputs name their own source. Each activation row holds a single 1, so that the output row is
 * one row of W^T, exactly.
 *
 * historical   the seed's case: one expert, x[p][p] = 1, one pass. Needs P <= K.
 * full         the default. Passes s = 0 .. ceil(K/T)-1 with x[p][(p + s*T) % K] = 1, where T is the length of the
 *              longest segment, made odd (rows from K on hold -1, 2, -2, 4 .. instead, another for every K rows); then
 * one pass `special` over weights_make(WEIGHTS_SPECIAL) with rows of all 1 and of all -1 in turn, where scales of 255
 * and pairs that overflow must give NaN and Inf exactly there.
 *
 * What the full probe covers: every k is asked of the expert of the longest segment, which holds more than half of the
 * rows. A segment of r other rows asks r * ceil(K/T) pairs of a row and a k; a single row asks ceil(K/T) different k,
 * and because T is odd the first 32 of them stand at 32 different places of a scale block (16 of a k16 step). What it
 * does not cover: every k of every expert (a segment of one row would need K passes), and experts without a segment.
 * Passes are fewer than twice ceil(K/P), about.
 *
 * Poisons are two NaN with payloads that an epilogue does not write: the contract's only NaN is BF16_NAN, and no finite
 * value can be taken for one, as 0 or a plausible number could. */
#ifndef FO_PROBES_IDENTITY_H
#define FO_PROBES_IDENTITY_H

#include "probes/executor.h"
#include "probes/score.h"

struct identity_options {
    size_t P;       /* tokens; N and K are those of the weights */
    int historical; /* one expert, one pass */
    int64_t pass;   /* -1 for all, else only this one (the line that repeats a failure) */
    uint64_t seed;  /* of the special weights */
    int no_special; /* the subject cannot hold the special weights: leave that pass out */
};

/* The segments for P rows and E experts; owned arrays. The same for the same numbers, always.
 *
 * historical: one segment of all rows and expert 0. Otherwise, with one expert or P < 8: one segment of all rows and
 * expert E-1. Otherwise, with u = max(1, P/32) rows at the end that no segment covers, b = P/2 + 1 and
 * r = P - u - b - 1:
 *     r >= 5    A = 5, lengths 1, b, 0, r - 2r/5, 2r/5    experts 2h/4, 4h/4, 0, 3h/4, h/4 with h = E-1
 *     else      A = 3, lengths 1, b + r, 0                experts 2h/4, 4h/4, 0
 * (divisions round down): of unequal length, one empty, one of one row, so that the longest starts at an odd row, the
 * longest with more than half of the rows and the highest expert, which is above A where E allows; ids unsorted, and
 * repeated where E < A.
 * errors: STATUS_BAD_ARGUMENT (P or E of 0, or beyond the types of segments.h), STATUS_NO_MEMORY. */
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
/* Activations of one pass. shape: x [P,K]. needs: historical only with P <= K. */
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
    struct run_report report;          /* sums over all launches; the first status word that is not 0 */
    /* the worst pass, for the pictures: most differing elements, the first when none differs, and the special one only
     * when no other differs; owned, [P,N] */
    size_t shown_pass;
    struct bf16 *shown_output, *shown_expected;
};

/* Ask `subject` every pass, twice with two poisons, and score against matmul_grouped; where the two outputs differ, the
 * worse one is scored. The executor is left loaded with whatever weights came last.
 * errors: STATUS_BAD_ARGUMENT (P of 0, historical with P > K, pass out of range, K % 32), whatever the executor
 * reports, STATUS_NO_MEMORY. */
enum status identity_run(const struct executor *subject, const struct weights *w, const struct identity_options *o,
                         struct identity_result *out, struct error *e);
void identity_result_free(struct identity_result *r);

/* conforms: something was compared, nothing differs, nothing unwritten, in each pass counted wgmma as expected, and the
 * status word 0. */
int identity_conforms(const struct identity_result *r);

#endif
