/* broke: the answer about a subject that crashed, hung or wrote where it must not: it differs, and there are no scores.
 */
#ifndef FO_ORACLE_ANSWER_BROKE_H
#define FO_ORACLE_ANSWER_BROKE_H

#include "oracle/answer/scores.h"

/* why: STATUS_SUBJECT with its sentence. scores.json in the folder `out` (NULL writes nothing) has "broke" in place of
 * scores. errors: STATUS_IO with the path, STATUS_NO_MEMORY. */
enum status broke_answer(const struct scores_case *c, const struct error *why, const char *out,
                         struct fo_answer *answer, struct error *e);

#endif
