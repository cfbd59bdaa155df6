/* scores: the answer of a probe in its two forms, scores.json and a few lines, and the maps beside them. */
#ifndef FO_ORACLE_ANSWER_SCORES_H
#define FO_ORACLE_ANSWER_SCORES_H

#include "oracle/answer/answer.h"
#include "probes/identity.h"

#define SCORES_SCHEMA "fragoracle.scores/1"

/* What was asked and where; all strings borrowed, none NULL. */
struct scores_case {
    const char *subject, *executor, *fidelity, *weights;
    size_t P, N, K, experts, segments;
    uint64_t seed;
    const char *note;       /* what the scores rest on, where that needs saying; "" for nothing */
    const char *repeat;     /* the command line that asks the same again */
    bool repeat_takes_pass; /* may " --pass S" follow it */
    const json_t *machine;
};

/* Write scores.json, rows.png, columns.png and errors.png to the folder `out` (made if it is not there; NULL writes
 * nothing) and build the answer. scores.json comes last: where it is, all are.
 * errors: STATUS_IO with the path, STATUS_NO_MEMORY. */
enum status scores_answer(const struct scores_case *c, const struct identity_result *r, const char *out,
                          struct fo_answer *answer, struct error *e);

#endif
