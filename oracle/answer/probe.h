/* probe: the kinds of probes, as data. */
#ifndef FO_ORACLE_ANSWER_PROBE_H
#define FO_ORACLE_ANSWER_PROBE_H

#include "oracle/answer/answer.h"

struct probe_kind {
    const char *name, *does; /* does: a line of `fragoracle list` */
    /* Ask an open subject. */
    enum status (*ask)(const struct fo_probe_options *o, const struct machine *machine, const struct executor *executor,
                       struct fo_answer *answer, struct error *e);
};

size_t probe_kind_count(void);
const struct probe_kind *probe_kind_at(size_t i);

/* Show a line of progress; "" clears it. */
void probe_show(const struct fo_probe_options *o, const char *line);

#endif
