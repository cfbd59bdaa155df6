/* record: the executor behind `emit`. It computes nothing: it writes every set of weights, activations and segments
 * that a probe asks with to a folder (files.h), equal ones once, and leaves the outputs poisoned. Works for every probe
 * that does not look at outputs before it asks again.
 *
 * Two launches in a row that differ in their poison alone are the two runs of one pass. */
#ifndef FO_ORACLE_EXEC_RECORD_H
#define FO_ORACLE_EXEC_RECORD_H

#include "oracle/exec/files.h"
#include "oracle/io/json.h"

struct record_pass;
struct record_seen;

struct record {
    char folder[PATH_MAX];
    enum weights_form form;
    struct executor_limits limits;
    size_t P, N, K, experts; /* P 0: nothing was launched yet */
    size_t weights, current; /* sets of weights, and the one that was loaded last */
    size_t xs, segments;     /* different ones */
    size_t active;           /* of the first launch */
    struct record_pass *pass;
    size_t passes, passes_room;
    struct record_seen *seen; /* hashes of what was written */
    size_t seen_count, seen_room;
    struct bf16 poison; /* of the first run of the last pass */
};

/* Writes nothing yet: a question may still be refused. The first load makes the folder and takes emit.json away: while
 * it is there, the folder is whole.
 * errors: STATUS_BAD_ARGUMENT (outputs of an earlier run lie there: scored against other inputs they would be an
 * accusation), STATUS_IO, STATUS_NO_MEMORY. */
enum status record_begin(const char *folder, enum weights_form form, const struct executor_limits *limits,
                         struct record *out, struct error *e);
/* r is borrowed. errors of load and run: STATUS_IO, STATUS_NO_MEMORY, STATUS_UNSUPPORTED (a launch of another shape).
 */
void record_executor(struct record *r, struct executor *out);
/* Complete `document` (members probe, historical, seed, weights) with what was recorded: emit.json, which the caller
 * writes last. needs: something was launched. errors: STATUS_NO_MEMORY; what json.h remembers is reported when the
 * document is written. */
enum status record_describe(const struct record *r, json_t *document, struct error *e);
void record_free(struct record *r); /* safe on a zeroed struct */

#endif
