/* coded_planes: the weights and the activations of every plane of a coded probe, and which digits they carry. */
#ifndef FO_PROBES_CODED_PLANES_H
#define FO_PROBES_CODED_PLANES_H

#include "probes/coded_code.h"
#include "reference/hopper_layout.h"

/* Owns the two arrays, which hold one plane at a time; w points into them. The map is borrowed. */
struct coded_planes {
    const struct source_map *map;
    struct coded_code value, scale, row; /* scale.planes is 0 without scales */
    size_t pair;                         /* pair planes */
    bool no_scales;
    uint8_t *blocks, *scales;
    struct weights w;
};

/* errors: STATUS_NO_MEMORY. */
enum status coded_planes_make(const struct source_map *map, bool no_scales, struct coded_planes *out, struct error *e);
void coded_planes_free(struct coded_planes *p); /* safe on a zeroed one */

/* Fill p->w. */
void coded_planes_unit(struct coded_planes *p);
void coded_planes_value(struct coded_planes *p, size_t plane);
void coded_planes_scale(struct coded_planes *p, size_t plane);
void coded_planes_pair(struct coded_planes *p, size_t plane);
/* Every weight -2, -1, 1 or 2. */
void coded_planes_dense(struct coded_planes *p, uint64_t seed);

/* Set (or, with `clear`, set back to zero) the activations of a sweep in an x [P,K] of zeros. plane: of row, or
 * CODED_ONES for 1 in every row. */
#define CODED_ONES SIZE_MAX
void coded_planes_sweep(const struct coded_planes *p, size_t sweep, size_t plane, bool clear, struct bf16 *x);
/* -1, 0 or 1, at most CODED_DENSE of a row not zero, so that no partial sum exceeds 256, which is exact in bf16 too. */
enum { CODED_DENSE = 128 };
void coded_planes_dense_x(const struct coded_planes *p, uint64_t seed, struct bf16 *x);

/* What a right kernel makes of an observation of a pair plane whose element stands in the row of `at`: the product, or
 * NaN where another weight of the row is Inf or NaN (zero times it is NaN). */
struct bf16 coded_planes_pair_expected(const struct coded_planes *p, size_t plane, struct source_point at);

#endif
