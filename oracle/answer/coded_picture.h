/* coded_picture: a source map for the eye. */
#ifndef FO_ORACLE_ANSWER_CODED_PICTURE_H
#define FO_ORACLE_ANSWER_CODED_PICTURE_H

#include "probes/source_map.h"

/* One picture of three plots, one above the other: the values of the longest segment (n x k), its scales (n x block;
 * left out without `scales`), and the rows of all outputs (p x n). A cell has the colour of what was found there; of
 * several observations, and of several lines above 512 an axis, the first wrong one shows. title: one line of ASCII.
 * errors: STATUS_NO_MEMORY, STATUS_BAD_ARGUMENT (too large to draw), STATUS_IO with the path. */
enum status coded_picture_write(const char *path, const struct source_map *m, bool scales, const char *title,
                                struct error *e);

#endif
