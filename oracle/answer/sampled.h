/* sampled: the probe `random` and its answer, fragoracle.random/1. The name of the module is that of probes/sampled.h.
 */
#ifndef FO_ORACLE_ANSWER_SAMPLED_H
#define FO_ORACLE_ANSWER_SAMPLED_H

#include "oracle/answer/probe.h"
#include "probes/sampled.h"

#define SAMPLED_SCHEMA "fragoracle.random/1"

/* What was asked and where; all strings borrowed, none NULL but broke. */
struct sampled_case {
    const char *subject, *executor, *fidelity;
    size_t P, N, K, experts;
    const struct sampled_options *options;
    const char *weights, *note; /* in a few words; what was not asked, "" for nothing */
    const char *repeat;         /* the command line that asks the same again */
    const char *broke;          /* the sentence of a subject that broke; there is no result then */
    const json_t *machine;
};

/* Write scores.json to the folder `out` (made if it is not there; NULL writes nothing) and build the answer. r: NULL
 * for a subject that broke. errors: STATUS_IO with the path, STATUS_NO_MEMORY. */
enum status sampled_answer(const struct sampled_case *c, const struct sampled_result *r, const char *out,
                           struct fo_answer *answer, struct error *e);

/* The kind `random` of probe.h, with weights as the options choose them, and with given ones. */
enum status sampled_ask(const struct fo_probe_options *o, const struct machine *machine,
                        const struct executor *executor, struct fo_answer *answer, struct error *e);
enum status sampled_ask_given(const struct fo_probe_options *o, const struct machine *machine,
                              const struct executor *executor, const struct weights *w, const char *what,
                              struct fo_answer *answer, struct error *e);

#endif
