/* infer_bits: the maps that a base and one step for each bit of the slot make: affine where steps combine by exclusive
 * or, strided where they are added. */
#ifndef FO_PROBES_INFER_BITS_H
#define FO_PROBES_INFER_BITS_H

#include "probes/infer_classes.h"
#include "reference/layout.h"

/* Search all of them in `space` and add what fits to `fits`. A map has one base and one step for each bit 2^b below an
 * extent, and these are its values at slots of the box: two sets of steps are two maps, so nothing is counted twice.
 * needs: every slot has a class; fits is fresh, or keeps a map that fits. errors: STATUS_NO_MEMORY. */
enum status infer_bits_search(const struct box *domain, const struct infer_classes *c, const struct infer_space *space,
                              struct infer_fits *fits, struct error *e);

#endif
