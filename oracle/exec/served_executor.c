/* served_executor: what a machine offers in this process, offered to another: a planted kernel may leave a CUDA context
 * that answers nothing but errors, and shall not be the end of who asks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/exec/served.h"

struct held {
    struct executor executor;
    uint64_t experts;
};

/* On a machine, trouble of the device after the subject ran is what the subject did. */
static enum status blame(enum status s, struct error *e)
{
    char line[400];
    if (s != STATUS_DEVICE)
        return s;
    error_line(e, line, sizeof line);
    return error_set(e, STATUS_SUBJECT, "left the device in error (%.300s)", line);
}

static enum status held_load(void *self, const struct fo_plugin_weights *w, struct error *e)
{
    struct held *h = self;
    const struct weights weights = {w->experts, w->N, w->K, w->values, w->scales};
    h->experts = w->experts;
    return blame(h->executor.load(h->executor.self, &weights, e), e);
}

static enum status held_run(void *self, const struct fo_plugin_launch *l, struct bf16 poison, struct run_report *report,
                            struct error *e)
{
    const struct held *h = self;
    const struct segments segments = {l->rows, h->experts, l->active, l->starts, l->ids};
    enum status s = h->executor.run(h->executor.self, (const struct bf16 *)l->x, &segments, poison,
                                    (struct bf16 *)l->out, report, e);
    if (s == STATUS_OK)
        *l->status = report->status_word;
    return blame(s, e);
}

static void held_release(void *self)
{
    struct held *h = self;
    h->executor.release(h->executor.self);
    free(h);
}

enum status served_executor(const struct executor *executor, struct served *out, struct error *e)
{
    struct held *h = malloc(sizeof *h);
    if (!h)
        return error_set(e, STATUS_NO_MEMORY, "no memory for an executor");
    *h = (struct held){.executor = *executor};
    *out = (struct served){
        .description = {.fidelity = executor->fidelity,
                        .format = {.type = FO_WEIGHT_MXFP4, .layout = FO_LAYOUT_ROWS, .block_scales = true},
                        .limits = executor->limits},
        .self = h,
        .note = executor->note,
        .ran = executor->ran,
        .load = held_load,
        .run = held_run,
        .release = held_release};
    snprintf(out->description.name, sizeof out->description.name, "%s", executor->name);
    return STATUS_OK;
}
