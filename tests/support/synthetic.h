/* synthetic: source maps of kernels that were never run. A rule says, for every observation, what it really came from;
 * it starts from what a right kernel gives. Include after cmocka.h. */
#ifndef FO_TESTS_SUPPORT_SYNTHETIC_H
#define FO_TESTS_SUPPORT_SYNTHETIC_H

#include "probes/source_map.h"

struct synthetic {
    uint32_t value, scale, row; /* codes, or SOURCE_ZERO and its kin */
};
/* p, n, k: the observation. found: what is wanted of it; the rule changes what its kernel does otherwise. Called for
 * rows of a valid segment, unless `everywhere`. */
typedef void synthetic_rule(const struct source_map *m, uint32_t p, uint32_t n, uint32_t k, struct synthetic *found,
                            void *context);

/* Freed with source_map_free. */
static inline void synthetic_map(const struct segments *segments, size_t N, size_t K, bool everywhere,
                                 synthetic_rule *rule, void *context, struct source_map *out)
{
    struct error e;
    assert_int_equal(source_map_make(segments, N, K, out, &e), STATUS_OK);
    for (size_t s = 0; s < out->sweeps; s++)
        for (size_t p = 0; p < out->P; p++)
            for (size_t n = 0; n < N; n++) {
                size_t at = source_map_at(out, s, p, n);
                struct synthetic found = {source_wanted_value(out, s, p, n), source_wanted_scale(out, s, p, n),
                                          source_wanted_row(out, s, p, n)};
                if (rule && (everywhere || found.value != SOURCE_ZERO))
                    rule(out, (uint32_t)p, (uint32_t)n, out->column[s * out->P + p], &found, context);
                out->value[at] = found.value;
                out->scale[at] = found.scale;
                out->row[at] = found.row;
            }
}

#endif
