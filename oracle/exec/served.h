/* served: a subject as fragoracle-subject has it, before it is given away to another process. Two kinds: a plug-in, and
 * any executor of a machine. */
#ifndef FO_ORACLE_EXEC_SERVED_H
#define FO_ORACLE_EXEC_SERVED_H

#include "oracle/exec/child_wire.h"
#include "oracle/exec/machine.h"

#define PLUGIN_PREFIX "plugin:"

struct served {
    struct child_description description;
    void *self;
    const char *note; /* as those of an executor; NULL where there is none */
    const enum fidelity *ran;
    /* The weights are in the format of the description and stay until the next load. errors: STATUS_SUBJECT, or what is
     * no fault of the subject. */
    enum status (*load)(void *self, const struct fo_plugin_weights *w, struct error *e);
    /* out holds the poison already, *status 0. *report is zero but for launches; what the subject knows goes there. */
    enum status (*run)(void *self, const struct fo_plugin_launch *l, struct bf16 poison, struct run_report *report,
                       struct error *e);
    void (*release)(void *self); /* frees self */
};

/* errors: STATUS_IO (no such file), STATUS_BAD_INPUT (no plug-in, or not one of this version), STATUS_SUBJECT (its
 * create fails), STATUS_NO_MEMORY; all with the path. */
enum status plugin_open(const char *path, struct served *out, struct error *e);

/* executor: is taken over, and released with the rest. errors: STATUS_NO_MEMORY; it is then still the caller's. */
enum status served_executor(const struct executor *executor, struct served *out, struct error *e);

#endif
