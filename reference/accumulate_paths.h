/* accumulate_paths: the ways in which accumulate_tile may be computed, for those who compare them. Same bits, each.
 *
 * accumulate_tile takes the last usable one, or the one that FRAGORACLE_SIMD names in the environment (`portable` or
 * `avx2`, read once; a name that is not known or not usable counts as none). */
#ifndef FO_REFERENCE_ACCUMULATE_PATHS_H
#define FO_REFERENCE_ACCUMULATE_PATHS_H

#include <stdbool.h>

#include "reference/accumulate_tile.h"

struct accumulate_path {
    const char *name;
    bool (*usable)(void); /* on this machine */
    void (*tile)(const struct accumulate_profile *p, const struct accumulate_line *line, const uint32_t *row,
                 size_t rows, const struct accumulate_panel *panel, size_t columns, float *d, size_t stride);
};

enum { ACCUMULATE_PATHS = 2 };
extern const struct accumulate_path accumulate_path_portable, accumulate_path_avx2;
extern const struct accumulate_path *const accumulate_paths[ACCUMULATE_PATHS];

/* The one that accumulate_tile takes. name: of FRAGORACLE_SIMD, or NULL. */
const struct accumulate_path *accumulate_path_choose(const char *name);

#endif
