/* slice: the statements that compute where the A registers of a function's wgmma are loaded from. */
#ifndef FO_ORACLE_MUTATE_SLICE_H
#define FO_ORACLE_MUTATE_SLICE_H

#include "oracle/mutate/view.h"

/* Mark the statements of function `f` (of the module) that are part of such an address; marked: one of each statement
 * of the module. From the registers of A back through whatever writes them to the loads (not of parameters), and from
 * the addresses of these back to parameters, special registers and other loads. The order of statements is not looked
 * at, so a register that has several lives brings in all of them. errors: STATUS_NO_MEMORY. */
enum status slice_addresses(const struct view *v, uint32_t f, bool *marked, struct error *e);

#endif
