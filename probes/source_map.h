/* source_map: where each output of a subject really came from, as coded probes found it (coded.h).
 *
 * A coded probe launches a subject in sweeps. In sweep s every row p of x holds a single 1, at column[s][p] = k. A
 * right kernel then gives out[p][n] = W[expert of p][n][k]: one observation, named (s, p, n), of one element of the
 * weights, one scale and one row of x. The map says for each observation which element, which scale and which row it
 * really was.
 *
 * A source is a code, or one of the four words below where there is no single source. */
#ifndef FO_PROBES_SOURCE_MAP_H
#define FO_PROBES_SOURCE_MAP_H

#include <stdbool.h>

#include "reference/segments.h"

#define SOURCE_ZERO      0xffffffffu /* a zero: nothing, or something masked, took part */
#define SOURCE_UNWRITTEN 0xfffffffeu /* the poison is still there */
#define SOURCE_MIXTURE   0xfffffffdu /* a value that no single source gives */
#define SOURCE_UNKNOWN   0xfffffffcu /* not asked, or hidden by something else (no finite value to read a code from) */
#define SOURCE_CODES     0xfffffff0u /* codes are below this */

/* Owns its arrays. */
struct source_map {
    size_t P, N, K, experts, blocks; /* blocks: K / 32, the scales of one row */
    size_t sweeps;
    struct segments segments; /* borrowed from the two arrays below */
    uint32_t *starts;         /* [active+1] */
    int32_t *ids;             /* [active] */
    uint32_t *column;         /* [sweeps][P]: where row p of x holds its 1 */
    uint32_t *value;          /* [sweeps][P][N]: (expert*N + n)*K + k of the weight */
    uint32_t *scale;          /* [sweeps][P][N]: (expert*N + n)*blocks + block of its scale */
    uint32_t *row;            /* [sweeps][P][N]: row of x that it was multiplied with */
};

/* An element of the weights (k) or a scale (block). */
struct source_point {
    uint32_t expert, n, k; /* k: a column, or a block */
};

/* Sweeps that ask every column twice of the longest segment. With T its length, made odd, and h = ceil(K / T):
 *     sweep s < h     column (p + s T) % K
 *     sweep h + s     column (P-1-p + s T) % K
 * so that each column meets two rows, whose numbers differ by no constant. needs: rows, K >= 1. */
size_t source_sweeps(const struct segments *s, size_t K);

/* All columns set, all codes SOURCE_UNKNOWN. P and the experts are those of the segments. errors: STATUS_BAD_ARGUMENT
 * (zero extents, K % 32, more elements than there are codes), STATUS_NO_MEMORY. */
enum status source_map_make(const struct segments *s, size_t N, size_t K, struct source_map *out, struct error *e);
void source_map_free(struct source_map *m); /* safe on a zeroed map */

size_t source_map_observations(const struct source_map *m); /* sweeps * P * N */
/* Index of an observation in the three arrays. */
size_t source_map_at(const struct source_map *m, size_t sweep, size_t p, size_t n);

uint32_t source_value_code(const struct source_map *m, struct source_point at);
uint32_t source_scale_code(const struct source_map *m, struct source_point at);
/* needs: code < SOURCE_CODES */
struct source_point source_value_point(const struct source_map *m, uint32_t code);
struct source_point source_scale_point(const struct source_map *m, uint32_t code);

/* What a right kernel gives. Rows that no valid segment covers are zero: SOURCE_ZERO in all three. */
uint32_t source_wanted_value(const struct source_map *m, size_t sweep, size_t p, size_t n);
uint32_t source_wanted_scale(const struct source_map *m, size_t sweep, size_t p, size_t n);
uint32_t source_wanted_row(const struct source_map *m, size_t sweep, size_t p, size_t n);

/* Observations by what was found, each of value, scale and row. right + zero + unwritten + mixture + unknown + moved =
 * observations; a zero that is wanted is right. moved: one source, the wrong one. */
struct source_count {
    size_t right, moved, zero, unwritten, mixture, unknown;
};
struct source_counts {
    struct source_count value, scale, row;
};
struct source_counts source_map_count(const struct source_map *m);

#endif
