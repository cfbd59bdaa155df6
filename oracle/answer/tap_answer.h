/* tap_answer: what a tap has to say: sites, streams, and what ptxas said before and after. */
#ifndef FO_ORACLE_ANSWER_TAP_ANSWER_H
#define FO_ORACLE_ANSWER_TAP_ANSWER_H

#include "oracle/answer/tap.h"
#include "oracle/answer/tap_ptxas.h"

struct tap_answer {
    const struct fo_tap_options *options;
    const char *text; /* the module as it was read */
    size_t size;
    struct tap_plan plan;
    bool compared;
    struct tap_ptxas_report report[2]; /* before, after; empty unless compared */
};

/* conforms, or differs where ptxas says something new. chosen: as tap_plan_make had it. errors: STATUS_NO_MEMORY. */
enum status tap_answer_make(const struct tap_answer *a, const bool *chosen, struct fo_answer *answer, struct error *e);

#endif
