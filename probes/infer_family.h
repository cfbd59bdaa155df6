/* infer_family: the families of maps, for one tile whose origin is decided: the first that fits, the count, and the map
 * written as a layout of its kind. */
#ifndef FO_PROBES_INFER_FAMILY_H
#define FO_PROBES_INFER_FAMILY_H

#include "probes/infer.h"
#include "probes/infer_classes.h"

struct infer_solution {
    size_t explained;
    bool found, exhausted; /* exhausted: in any family searched */
    enum infer_family family;
    struct infer_fits fits; /* of that family; map[0] is the contract if it fits */
};

/* Search the families in order up to `last`. contract: NULL, or the element code of each slot, which counts as a map
 * that fits when it does. errors: STATUS_NO_MEMORY. Freed with infer_solution_free. */
enum status infer_solve(const struct box *domain, const struct infer_classes *c, const uint32_t *contract,
                        enum infer_family last, struct infer_solution *out, struct error *e);
void infer_solution_free(struct infer_solution *s);

/* The first map of a solution: affine, strided or a table. needs: found. errors: STATUS_NO_MEMORY. Freed with
 * layout_free. */
enum status infer_solution_layout(const struct infer_solution *s, const struct box *domain, const struct box *codomain,
                                  struct layout *out, struct error *e);

#endif
