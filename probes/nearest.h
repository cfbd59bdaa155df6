/* nearest: is a line of R the one nearest to the same line of O? The search behind row_identity and col_identity.
 *
 * A line is a row or a column of two bf16 matrices [P,N]. Distances are Euclidean, with the element rules of score.h.
 */
#ifndef FO_PROBES_NEAREST_H
#define FO_PROBES_NEAREST_H

#include <stdbool.h>

#include "probes/score.h"

/* Count the lines i for which no line of R is strictly nearer to line i of O than line i of R is.
 *
 * Squared distances are summed in binary64. Where two of them lie closer together than rounding can tell apart, the
 * question is asked again in exact integers, so "strictly" means what it says.
 *
 * equal: [lines], true where line i of O and of R are equal bit for bit (NaN equals NaN): a hit without a search. A
 * line of O with a NaN where R has none is no hit. *h is set, not added to. errors: STATUS_NO_MEMORY. */
enum status nearest_count(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N, bool by_column,
                          const bool *equal, struct hits *h, struct error *e);

/* The error of one element: |o - r|, 0 for equal infinities and for two NaN, else infinite where either is not finite.
 */
double nearest_element_error(float o, float r);

#endif
