/* probe: the kinds of probes, as data. */
#ifndef FO_ORACLE_ANSWER_PROBE_H
#define FO_ORACLE_ANSWER_PROBE_H

#include "oracle/answer/answer.h"

struct probe_kind {
    const char *name, *does; /* does: a line of `fragoracle list` */
    /* Ask an open subject. */
    enum status (*ask)(const struct fo_probe_options *o, const struct machine *machine, const struct executor *executor,
                       struct fo_answer *answer, struct error *e);
    /* The same with given weights, `what` in a few words, of a subject files:FOLDER; NULL for a probe that makes its
     * own. */
    enum status (*ask_given)(const struct fo_probe_options *o, const struct machine *machine,
                             const struct executor *executor, const struct weights *w, const char *what,
                             struct fo_answer *answer, struct error *e);
};

size_t probe_kind_count(void);
const struct probe_kind *probe_kind_at(size_t i);
/* errors: STATUS_BAD_ARGUMENT with the legal names. */
enum status probe_kind_find(const char *name, const struct probe_kind **out, struct error *e);

/* Show a line of progress; "" clears it. */
void probe_show(const struct fo_probe_options *o, const char *line);

#endif
