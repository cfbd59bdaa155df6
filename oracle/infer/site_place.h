/* site_place: where a tile of ordinary data stands in a matrix, by the map of the tile. */
#ifndef FO_ORACLE_INFER_SITE_PLACE_H
#define FO_ORACLE_INFER_SITE_PLACE_H

#include "oracle/infer/site_tile.h"

struct site_place {
    bool found;
    int form;     /* of the matrix, that fits */
    bool several; /* more than one origin fits */
    size_t i0, j0;
    size_t right, compared; /* slots */
    size_t off;             /* right ones that do not hold their value bit for bit */
    uint32_t worst;         /* units in the last place, of these */
    uint32_t want, held;    /* bits of the first slot that is not right; where right < compared */
};
struct site_at { /* --at */
    bool known;
    size_t i0, j0;
};
/* The first origin at which every slot holds what the map wants, or a value at most `ulps` units in the last place from
 * it; elements beyond the matrix are not compared. */
struct site_place site_place_within(const struct site_tile *t, size_t view, const struct site_matrix *m, int form,
                                    uint32_t ulps, const struct site_at *at);
/* The same bit for bit. */
struct site_place site_place_exact(const struct site_tile *t, size_t view, const struct site_matrix *m, int form,
                                   const struct site_at *at);
/* The origin, in steps of 8, at which all slots but a few do: one of 32, at most. found: there is one. */
struct site_place site_place_most(const struct site_tile *t, size_t view, const struct site_matrix *m, int form,
                                  uint32_t ulps, const struct site_at *at);
/* The origin, in steps of 8, at which most slots agree with what they should hold but for sign and scale; `found` only
 * where that cannot be chance. errors: STATUS_NO_MEMORY. */
enum status site_place_near(const struct site_tile *t, size_t view, const struct site_matrix *m,
                            const struct site_at *at, struct site_place *out, struct error *e);

#endif
