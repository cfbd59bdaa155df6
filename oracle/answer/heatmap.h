/* heatmap: pictures of an output beside what was expected, and of a fragment map.
 *
 * They are for the eye; the numbers of score.h are the measure. Every picture carries its title, axes, a legend with
 * the scale, and a line that says what to look for. The same input gives the same bytes. */
#ifndef FO_ORACLE_ANSWER_HEATMAP_H
#define FO_ORACLE_ANSWER_HEATMAP_H

#include "reference/bf16.h"
#include "reference/layout.h"

/* Writes to `folder` (made if it is not there), for one pass of a probe:
 *     rows.png     P x P: distance from row i of the output to row j of the expectation, the nearest of each row marked
 *     columns.png  N x N: the same for columns
 *     errors.png   P x N: |output - expected|
 * Above 512 lines an axis is binned and the caption says how. A mark on the diagonal is a hit as score.h defines it.
 * shape: output, expected [P,N]. title: what was run, one line of ASCII.
 * errors: STATUS_BAD_ARGUMENT (P or N of 0, or too large for memory), STATUS_NO_MEMORY, STATUS_IO with the path; files
 * written before a failure stay, each of them whole. */
enum status heatmap_maps(const char *folder, const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N,
                         const char *title, struct error *e);

/* Writes the operand as a grid of elements, with the thread, register and part that hold each of them written in its
 * cell, coloured by lane / 4, lines between warps.
 * slots_to_elements: (thread, reg, part) to (i, j), any kind of layout. title: one line of ASCII.
 * errors: STATUS_BAD_ARGUMENT: other boxes, an operand too large to draw (512 rows, 512 columns); STATUS_BAD_INPUT: not
 * a bijection, naming an element with two owners or none; STATUS_NO_MEMORY; STATUS_IO with the path. */
enum status heatmap_fragment(const char *path, const struct layout *slots_to_elements, const char *title,
                             struct error *e);

#endif
