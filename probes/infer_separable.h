/* infer_separable: element(thread, place) = a(thread) + b(place) with any two tables; a place is what is not the
 * thread. */
#ifndef FO_PROBES_INFER_SEPARABLE_H
#define FO_PROBES_INFER_SEPARABLE_H

#include "probes/infer_classes.h"

/* Search all such maps in `space`, whose steps must be sums, and add what fits to `fits`. Only the differences of b are
 * searched, from the first place chosen, and a is where that place goes: two choices are two maps, so nothing is
 * counted twice. needs: every slot has a class; slot code = thread * places + place; fits is fresh, or keeps a map that
 * fits. errors: STATUS_NO_MEMORY. */
enum status infer_separable_search(size_t threads, size_t places, const struct infer_classes *c,
                                   const struct infer_space *space, struct infer_fits *fits, struct error *e);

#endif
