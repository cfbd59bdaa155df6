/* line_map: what a picture of rows or columns shows, before it is drawn: distances and marks, binned to what a picture
 * can hold. */
#ifndef FO_ORACLE_ANSWER_LINE_MAP_H
#define FO_ORACLE_ANSWER_LINE_MAP_H

#include <stdbool.h>

#include "reference/bf16.h"
#include "reference/status.h"

enum { LINE_MAP_CELLS = 512 }; /* a side, at most */

enum line_mark { LINE_UNMARKED, LINE_HIT, LINE_MISS };

struct line_map {
    size_t lines, per_cell, cells; /* cells = lines / per_cell, rounded up, at most LINE_MAP_CELLS */
    float *distance;               /* [cells, cells] from output to expectation: the smallest of the cell; owned */
    uint8_t *mark;                 /* [cells, cells] enum line_mark; owned */
    size_t hits, misses, unmarked; /* lines; unmarked ones are near to nothing (NaN) */
};

/* Lines of so many a cell fit into LINE_MAP_CELLS cells. */
size_t line_map_per_cell(size_t lines);

/* Line i of the output is marked at a line of the expectation that is nearest to it: at i itself if none is strictly
 * nearer (a hit, exactly as score.h counts), else at the first of the nearest (a miss). In a binned map a cell of the
 * diagonal is a hit when all of its lines are. Rows, or columns when by_column.
 * shape: output, expected [P,N]. errors: STATUS_NO_MEMORY. *out is freed with line_map_free. */
enum status line_map_make(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N, bool by_column,
                          struct line_map *out, struct error *e);
void line_map_free(struct line_map *m); /* safe on a zeroed map */

#endif
