/* slot_picture: what the A registers of one m64k16 step hold, lane by register, as far as outputs can say. */
#ifndef FO_ORACLE_DIAGNOSE_SLOT_PICTURE_H
#define FO_ORACLE_DIAGNOSE_SLOT_PICTURE_H

#include "probes/source_map.h"

/* Draw the tile of 64 features and the step of 16 columns with the most wrong slots (the first of them; the first of
 * all where none is wrong). Four warps side by side, lanes down, the eight slots R0 low .. R3 high across; in each cell
 * the element (feature, column) that it holds, counted from the tile, and in colour whether it is the right one.
 * title: one line of ASCII. errors: STATUS_NO_MEMORY, STATUS_IO with the path. */
enum status slot_picture_write(const char *path, const struct source_map *m, const char *title, struct error *e);

#endif
