/* site_guess: no map explains a record whole, but one that was found elsewhere, or registers in another order, explain
 * all of it but a few slots. */
#ifndef FO_ORACLE_INFER_SITE_GUESS_H
#define FO_ORACLE_INFER_SITE_GUESS_H

#include "oracle/infer/site_order.h"

/* The first record that neither conforms nor is close to it: where a map was guessed, o->answer.map is it, and o->known
 * and o->guess say so. errors: STATUS_NO_MEMORY. */
enum status site_guess_order(const struct site_tile *t, const struct site_matrix *m, const struct site_asked *asked,
                             struct site_order *o, struct error *e);

/* The slots of `map` with the values of t, which stay with t. errors: STATUS_NO_MEMORY. */
enum status site_tile_by_map(const struct site_tile *t, const struct layout *map, struct site_tile *out,
                             struct error *e);
void site_tile_by_map_free(struct site_tile *t);

#endif
