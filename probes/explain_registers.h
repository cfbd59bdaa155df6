/* explain_registers: are the A registers of a subject right? Asked of the checksum that it counts over them, beside that
 * of a right kernel on the same machine; outputs take no part, so it tells the load from what comes after. */
#ifndef FO_PROBES_EXPLAIN_REGISTERS_H
#define FO_PROBES_EXPLAIN_REGISTERS_H

#include "probes/executor.h"
#include "probes/explain.h"

/* Two launches of each with the shape and the segments of a map, of random codes under all 256 scales: with weights of
 * their own for every expert, and with the same for all, where a wrong expert or another number of tiles changes nothing
 * but the number of sums. The same sum in the first: right. Another sum of a tile in the second: wrong. Else the expert
 * is wrong, by its number or by its address: unknown, as for a subject that counts nothing.
 * Leaves both loaded with these weights. errors: whatever the executors report, STATUS_NO_MEMORY. */
enum status explain_registers_ask(const struct executor *subject, const struct executor *right,
                                  const struct source_map *like, uint64_t seed, enum explain_registers *out,
                                  struct error *e);

#endif
