/* infer: which element does each slot hold? From one capture of ordinary data and the matrix it should come from.
 *
 * A capture says, for each slot, a value; the matrix says where that value occurs. A map from slots to elements fits
 * when the values agree in every slot. Each family of maps is searched completely, so that the number of maps that fit
 * is a count and not a guess:
 *
 *   affine     every bit of the slot adds its image, by exclusive or, inside a tile aligned at its own size
 *   strided    every bit of the slot adds its stride, by integer sums: origins anywhere, added constants
 *   separable  any table of the thread plus any table of the place in the thread (register and part): every pack order,
 *              every permutation of lanes, most of them neither affine nor strided
 *   table      anything: a slot is known where its value occurs once
 *
 * Several captures that the same map made (iterations of a loop, tiles of a matrix) are taken together: a map fits when
 * it fits each of them.
 *
 * What is counted: maps as functions from slots to elements of the tile, whatever their parameters; two sets of images,
 * of strides or of tables that take every slot to the same element are one map. None of them need be a bijection: a
 * wrong kernel may hold one element twice. The families are searched in the order above until one has a map that fits,
 * and only that family is counted; so an affine map that is unique may have company among the separable ones.
 *
 * A search stops after 2^26 comparisons of a slot with an element (under a second); the answer then says `exhausted`,
 * and a count is a lower bound. The maps that the symmetries of a tile make of an affine map are counted without being
 * searched, so that constant tiles and repeated rows are exact. */
#ifndef FO_PROBES_INFER_H
#define FO_PROBES_INFER_H

#include <stdbool.h>

#include "reference/layout.h"

enum infer_family { INFER_AFFINE, INFER_STRIDED, INFER_SEPARABLE, INFER_TABLE, INFER_FAMILIES };
const char *infer_family_name(enum infer_family f);

enum {
    INFER_SLOTS = 1 << 16,  /* in a domain, and elements in a tile, at most */
    INFER_PLACES = 1 << 10, /* slots of one thread, at most */
    INFER_WHOLE = 1 << 14,  /* elements of a matrix that is searched as one tile, at most */
    INFER_ORIGINS = 8       /* that hold the values of one capture and are tried, at most */
};

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
     * as a multiset, are those of the tile and a map better than a table fits, else the first; it is searched in steps
     * of step_i, step_j. */
    bool origin_known;
    size_t i0, j0;
    size_t step_i, step_j; /* 0 is 1 */
};
struct infer_question {
    struct box domain;   /* slots: thread, reg, part; the first dimension is the thread; any extents: an extent that is
                            no power of two restricts a map to a box */
    struct box codomain; /* the tile: i, j */
    size_t views;
    const struct infer_view *view;
    /* NULL, or the map that the contract wants: tried first, and named when it fits. */
    const struct layout *contract;
};

struct infer_answer {
    bool origin_found;  /* of every view: said by the caller, or by the values as a multiset */
    bool voted;         /* not found, but at this origin most slots hold what the contract wants: more than half
                           of them, or an eighth and four times as many as at any other origin of the tile's steps
                           (of the view's, where these are given) */
    size_t agree;       /* slots of the first view that agree with the contract at its origin */
    size_t i0, j0;      /* of the first view */
    bool contract_fits; /* every slot of every view */
    size_t slots;       /* in the domain */
    size_t wrong;       /* of them, summed over views, that do not hold what the contract wants; 0 without a contract
                           and without an origin, found or voted */
    size_t explained;   /* slots whose value occurs in the tile at all; with several views, at one element */
    bool found;         /* a map of some family fits all of it */
    enum infer_family family; /* the first family in which one fits */
    double fits;              /* how many maps of that family fit; exact below 2^53, infinite beyond a double */
    bool fits_is_lower_bound; /* the budget ended before all of that family was searched */
    bool exhausted;           /* the budget ended in this or an earlier family: a simpler map may fit */
    bool unique;              /* fits == 1, and that is no lower bound */
    bool bijective;           /* `map` is a bijection onto its codomain */
    /* Nothing better than a table fits where the tile is said to begin, but at this origin a map does: everything from
     * `explained` on is about that place. wrong, agree and contract_fits are not. */
    bool moved;
    size_t moved_i, moved_j;
    /* The same about the matrix as a whole (one view, small enough, no origin by its values): the codomain of `map` is
     * the matrix. */
    bool whole;
    struct layout map; /* one of them (the contract if it fits); freed with layout_free; zero unless found */
    /* found and not unique: two elements of the codomain of `map` that two fitting maps take for the same slot: give
     * them different values. */
    struct point slot, element, other;
};
/* errors: STATUS_BAD_ARGUMENT (extents, no view, a matrix smaller than the tile, a contract between other boxes),
 * STATUS_NO_MEMORY. */
enum status infer_map(const struct infer_question *q, struct infer_answer *out, struct error *e);

/* Mark the slots of one view that do not hold what `map` wants when its codomain begins at (i0, j0), and count them.
 * shape: wrong [slots], in the order of box_code of the domain; may be NULL.
 * needs: map stays inside its codomain, which fits into the matrix there. */
size_t infer_wrong_slots(const struct infer_view *v, const struct layout *map, size_t i0, size_t j0, bool *wrong);

#endif
