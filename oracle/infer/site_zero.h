/* site_zero: captured tiles and their matrix with every zero made +0.
 *
 * The sign of a zero factor changes no product of finite numbers, and kernels that decode by tables or by
 * multiplication do hold -0 where the matrix has +0. What differs in that alone is permitted; what differs in more is
 * judged without it. */
#ifndef FO_ORACLE_INFER_SITE_ZERO_H
#define FO_ORACLE_INFER_SITE_ZERO_H

#include "oracle/infer/site_tile.h"

struct site_folded {
    struct site_tile tile; /* as the one it was made of, but for its views, which are owned */
    struct site_matrix matrix;
    bool differs; /* there was a -0 at all */
};
/* errors: STATUS_NO_MEMORY. *out is freed with site_zero_free, before what it was made of. */
enum status site_zero_fold(const struct site_tile *t, const struct site_matrix *m, struct site_folded *out,
                           struct error *e);
void site_zero_free(struct site_folded *f); /* safe on a zeroed one */

/* Slots of a view, whose tile begins at (i0, j0), that hold a zero of the other sign. form: of the matrix.
 * needs: folded, they hold what the contract wants. */
size_t site_zero_signs(const struct site_tile *t, size_t view, const struct site_matrix *m, int form, size_t i0,
                       size_t j0);

#endif
