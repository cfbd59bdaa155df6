/* segments: which rows of x belong to which expert, the rules of the grouped kernel's contract, and the status word.
 *
 * Rows are sorted into `active` segments; segment a covers rows starts[a] .. starts[a+1]-1 and uses expert ids[a].
 * Legal: empty segments, repeated and unsorted ids, ids above `active`, rows that no segment covers (they are zero).
 * Bad: an id < 0 or >= experts (its rows are zero); a start that decreases or ends beyond P (all rows are zero). */
#ifndef FO_REFERENCE_SEGMENTS_H
#define FO_REFERENCE_SEGMENTS_H

#include <stdbool.h>

#include "reference/status.h"

struct segments {
    size_t rows;            /* P */
    size_t experts;         /* E */
    size_t active;          /* A */
    const uint32_t *starts; /* [A+1] */
    const int32_t *ids;     /* [A]; entries past A are never read */
};

/* 0, or 1 + the lowest bad segment. *order_bad (may be NULL) says whether the starts themselves are bad. */
uint32_t segments_status_word(const struct segments *s, bool *order_bad);

/* The host-side guard for people who launch the kernel: the same rules, with a sentence.
 * errors: STATUS_BAD_INPUT naming the segment and the values. */
enum status segments_validate(const struct segments *s, struct error *e);

/* Expert of a row, or -1 when the row must be zero. needs: row < rows. */
int32_t segments_expert_of_row(const struct segments *s, size_t row);

#endif
