/* explain_coded: what explain.h asks, answered by a coded probe and by the checksum of the A registers. */
#ifndef FO_PROBES_EXPLAIN_CODED_H
#define FO_PROBES_EXPLAIN_CODED_H

#include "probes/coded.h"
#include "probes/explain.h"

/* A question about what a coded probe found; points into it. */
struct explain_question explain_coded_question(const struct coded_result *r, bool no_scales, enum explain_registers a);

/* Are the A registers of a subject right? Asked of the checksum that it counts over them, beside that of a right kernel
 * on the same machine; outputs take no part, so it tells the load from what comes after.
 * Two launches of each with the shape and the segments of a map, of random codes under all 256 scales: with weights of
 * their own for every expert, and with the same for all, where a wrong expert or another number of tiles changes
 * nothing but the number of sums. The same sum in the first: right. Another sum of a tile in the second: wrong. Else
 * the expert is wrong, by its number or by its address: unknown, as for a subject that counts nothing. Leaves both
 * loaded with these weights. errors: whatever the executors report, STATUS_NO_MEMORY. */
enum status explain_coded_registers(const struct executor *subject, const struct executor *right,
                                    const struct source_map *like, uint64_t seed, enum explain_registers *out,
                                    struct error *e);

#endif
