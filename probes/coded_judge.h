/* coded_judge: what the outputs of a coded probe come to, once all planes have run. */
#ifndef FO_PROBES_CODED_JUDGE_H
#define FO_PROBES_CODED_JUDGE_H

#include "probes/coded.h"
#include "probes/coded_planes.h"

/* unit: [sweeps,P,N], what the unit plane gave. Fills scaled, and takes back what was read of mixtures. */
void coded_judge_factors(const struct bf16 *unit, struct coded_result *r);
/* Fills pair_count and pair_differing. needs: the map is done. */
void coded_judge_pairs(const struct coded_planes *planes, struct coded_result *r);
/* Fills all of special but its arrays. */
void coded_judge_special(struct coded_result *r);
/* value: [P,N], what was read of the guard's launches. Fills found, wanted and wrong. */
void coded_judge_guard(const struct segments *segments, const uint32_t *value, struct coded_result *r);

#endif
