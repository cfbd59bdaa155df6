/* guard: one launch that no segment list of the coded probe makes: ids below 0 and beyond the experts. A right kernel
 * writes zeros there and reports the lowest bad segment. Weights are the same for all features and columns of an
 * expert and name it, so that the output says whose weights a row was given. */
#ifndef FO_ORACLE_DIAGNOSE_GUARD_H
#define FO_ORACLE_DIAGNOSE_GUARD_H

#include "probes/executor.h"
#include "probes/source_map.h"

struct guard {
    bool asked;                     /* false: the subject takes no segments */
    struct source_map map;          /* one sweep is used; value: (expert, n, column), ZERO, UNWRITTEN or MIXTURE */
    uint32_t status, status_wanted; /* status words */
};

/* tile: as run_report has it. errors: whatever the executor reports, STATUS_NO_MEMORY. */
enum status guard_run(const struct executor *subject, size_t N, size_t K, struct guard *out, struct error *e);
void guard_free(struct guard *g); /* safe on a zeroed guard */

#endif
