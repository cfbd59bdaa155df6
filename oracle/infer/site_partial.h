/* site_partial: some threads pack their values in another order, the rest as the contract wants. No simple map says
 * that, and few values leave many tables; but where most slots are right, the threads that are not stand out. */
#ifndef FO_ORACLE_INFER_SITE_PARTIAL_H
#define FO_ORACLE_INFER_SITE_PARTIAL_H

#include "oracle/infer/site_place.h"

/* view: those that do not conform, at most `views` of them are taken, each at the place that most of its slots name.
 * *found: one displacement inside a thread, the same for all threads that have a wrong slot, explains every slot of all
 * of them; *map is the table then, freed with layout_free. errors: STATUS_NO_MEMORY. */
enum status site_partial_infer(const struct site_tile *t, const struct site_matrix *m, int form, const size_t *view,
                               size_t views, struct layout *map, bool *found, struct error *e);

#endif
