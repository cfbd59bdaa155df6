/* coded: the answer of a coded probe in its two forms, and the source map beside it, as a picture and as arrays. */
#ifndef FO_ORACLE_ANSWER_CODED_H
#define FO_ORACLE_ANSWER_CODED_H

#include "oracle/answer/probe.h"
#include "probes/coded.h"

#define CODED_SCHEMA "fragoracle.coded/1"

/* What was asked and where; all strings borrowed, none NULL but broke and note. */
struct coded_case {
    const char *subject, *executor, *fidelity;
    size_t P, N, K, experts;
    uint64_t seed;
    const char *repeat; /* the command line that asks the same again */
    const char *broke;  /* the sentence of a subject that broke; there is no result then */
    const json_t *machine;
    const char *note; /* what the scores rest on, where that needs saying; NULL or "" for nothing */
};

/* Write scores.json, source_map.png, value.npy, scale.npy (where scales are asked), row.npy and columns.npy to the
 * folder `out` (made if it is not there; NULL writes nothing; only scores.json of a subject that broke) and build the
 * answer. scores.json comes last: where it is, all are. r: NULL for a subject that broke.
 * errors: STATUS_IO with the path, STATUS_NO_MEMORY. */
enum status coded_answer(const struct coded_case *c, const struct coded_result *r, const char *out,
                         struct fo_answer *answer, struct error *e);

/* The kind `coded` of probe.h. */
enum status coded_ask(const struct fo_probe_options *o, const struct machine *machine, const struct executor *executor,
                      struct fo_answer *answer, struct error *e);

#endif
