/* layout_shape: is this a layout at all? The questions that every operation of layout.h asks before it looks at points.
 */
#ifndef FO_REFERENCE_LAYOUT_SHAPE_H
#define FO_REFERENCE_LAYOUT_SHAPE_H

#include "reference/layout.h"

/* Ranks, names, extents, modes, the codes of a table: after this layout_apply is safe on every point of the domain, but
 * an affine or strided layout may still leave its codomain. `as` is the status of a failure: STATUS_BAD_ARGUMENT or
 * STATUS_BAD_INPUT. */
enum status layout_shape_check(const struct layout *l, enum status as, struct error *e);
enum status layout_shape_check_box(const struct box *b, enum status as, struct error *e);

/* "thread 3, reg 1, part 0": a point for people. The text is cut where it does not fit. Returns text. */
enum { LAYOUT_SHAPE_TEXT = 96 };
const char *layout_shape_point(const struct box *b, const struct point *p, char text[LAYOUT_SHAPE_TEXT]);

#endif
