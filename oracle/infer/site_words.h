/* site_words: what a found map does, in the words of who wrote the kernel: registers exchanged, a pack order, lanes.
 *
 * Against the contract a map is a displacement of slots: slot s holds what slot P(s) should hold. The eight values of
 * a lane of a 16-bit A fragment have names: v00..v03 are row g, columns 2q, 2q+1, 2q+8, 2q+9; v04..v07 row g+8. */
#ifndef FO_ORACLE_INFER_SITE_WORDS_H
#define FO_ORACLE_INFER_SITE_WORDS_H

#include "oracle/infer/site.h"
#include "reference/layout.h"

/* Adds lines (indented by four) that say how `map` differs from `contract`, and members to `document`: "cause" (one
 * line), "pack_order" and "pack_order_wanted" where there is one, "wrong" (the first slots). *cause gets the one line.
 * *fix says what to change if this map is the one, "" where it would take more than another order.
 * needs: contract a bijection from (thread, reg, part) onto (i, j), map between the same boxes. errors:
 * STATUS_NO_MEMORY. */
enum { SITE_CAUSE = 200 };
enum status site_words_order(const struct layout *contract, const struct layout *map, char cause[SITE_CAUSE],
                             char fix[SITE_FIX], struct text *text, json_t *document, struct error *e);

#endif
