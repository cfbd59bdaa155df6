/* infer: which element does each slot hold? From one capture of ordinary data and the matrix it should come from.
 *
 * A capture says, for each slot, a value; the matrix says where that value occurs. A map from slots to elements fits
 * when the values agree in every slot. Each family of maps is searched completely, so that the number of maps that fit
 * is a count and not a guess:
 *
 *   affine     every bit of the slot adds its image, by exclusive or, inside a tile aligned at its own size
 *   strided    every bit of the slot adds its stride, by integer sums: origins anywhere, added constants
 *   separable  any table of the thread plus any table of the place in the thread: every pack order, every permutation
 * of lanes, most of them neither affine nor strided table      anything: a slot is known where its value occurs once
 *
 * Several captures that the same map made (iterations of a loop, tiles of a matrix) are taken together. */
#ifndef FO_PROBES_INFER_H
#define FO_PROBES_INFER_H

#include <stdbool.h>

#include "reference/layout.h"

enum infer_family { INFER_AFFINE, INFER_STRIDED, INFER_SEPARABLE, INFER_TABLE, INFER_FAMILIES };
const char *infer_family_name(enum infer_family f);

/* Values as the bits that a slot holds, in a uint32_t; what the hardware ignores (the low 13 bits of tf32) is masked by
 * the caller in both. */
struct infer_matrix {
    size_t rows, columns;
    const uint32_t *value; /* [rows][columns] */
};
struct infer_view {
    const uint32_t *value;      /* one for each slot, in the order of box_code of the domain */
    struct infer_matrix matrix; /* what it should come from */
    /* Where the tile begins. origin_known false: the first of the row-major origins at which the values of the capture,
     * as a multiset, are those of the tile; it is searched in steps of step_i, step_j. */
    bool origin_known;
    size_t i0, j0;
    size_t step_i, step_j; /* 0 is 1 */
};
struct infer_question {
    struct box domain;   /* slots: thread, reg, part; extents are powers of two */
    struct box codomain; /* the tile: i, j */
    size_t views;
    const struct infer_view *view;
    /* NULL, or the map that the contract wants: tried first, and named when it fits. */
    const struct layout *contract;
};

struct infer_answer {
    bool origin_found;        /* of every view; without it the whole matrix is the tile where it is small enough */
    size_t i0, j0;            /* of the first view */
    bool contract_fits;       /* every slot of every view */
    size_t slots;             /* in the domain */
    size_t wrong;             /* of them, summed over views, that do not hold what the contract wants; 0 without one */
    size_t explained;         /* slots whose value occurs in the tile at all */
    bool found;               /* a map of some family fits all of it */
    enum infer_family family; /* the first family in which one fits */
    double fits;              /* how many maps of that family fit; exact below 2^53 */
    bool unique;              /* fits == 1 */
    struct layout map;        /* one of them (the contract if it fits); freed with layout_free */
    /* not unique: two elements of the tile that two fitting maps take for the same slot: give them different values. */
    struct point slot, element, other;
};
/* errors: STATUS_BAD_ARGUMENT (extents, no view, a matrix smaller than the tile), STATUS_NO_MEMORY. */
enum status infer_map(const struct infer_question *q, struct infer_answer *out, struct error *e);

#endif
