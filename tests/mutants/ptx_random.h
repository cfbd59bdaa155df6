/* ptx_random: a source map held against launches with random weights, scales and factors of rows. It knows the layout
 * of a map and nothing of how one is found. */
#ifndef FO_TESTS_MUTANTS_PTX_RANDOM_H
#define FO_TESTS_MUTANTS_PTX_RANDOM_H

#include "probes/executor.h"
#include "probes/source_map.h"

struct ptx_random {
    size_t observations, wrong; /* of those that the map gives a source, a zero or the poison */
    size_t scaled;              /* of these: times the same power of two in all planes */
    size_t blank;               /* zero in all planes, so that a factor would not show */
    size_t mixtures, single;    /* mixtures and unknown ones; of these: what one source gives after all */
    size_t first_wrong;         /* observation */
};

/* limits: of the executor. errors: those of the executor, STATUS_NO_MEMORY. */
enum status ptx_random_check(const struct executor *subject, const struct source_map *m, uint64_t seed,
                             struct ptx_random *out, struct error *e);

#endif
