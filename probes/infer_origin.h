/* infer_origin: where in the matrix is the tile that was captured? */
#ifndef FO_PROBES_INFER_ORIGIN_H
#define FO_PROBES_INFER_ORIGIN_H

#include "probes/infer.h"

struct infer_origin {
    size_t i, j;
};

/* The first origins, row-major in the steps of the view, at which the tile of rows x columns holds the values of the
 * capture, each as often; at most `most`, their number to *found. A sum of hashes finds them in one pass over the
 * matrix, a comparison of the sorted values confirms them.
 * needs: the tile fits into the matrix. errors: STATUS_NO_MEMORY. */
enum status infer_origin_search(const struct infer_view *v, size_t slots, size_t rows, size_t columns, size_t most,
                                struct infer_origin *origin, size_t *found, struct error *e);

/* The origin at which most slots hold what the contract wants, and the most that agree at any other. Steps of 0, and
 * steps that would make more than 2^28 comparisons, are those of the tile.
 * needs: the contract takes slots to elements of rows x columns. errors: STATUS_NO_MEMORY. */
struct infer_vote {
    struct infer_origin origin;
    size_t agree, second;
};
enum status infer_origin_vote(const struct infer_view *v, const uint32_t *contract, size_t slots, size_t rows,
                              size_t columns, struct infer_vote *out, struct error *e);

#endif
