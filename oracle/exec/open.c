#include "oracle/exec/open.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/exec/child.h"
#include "oracle/exec/served.h"

struct broken {
    struct error why;
    char name[PATH_MAX + 16];
};

bool subject_is_plugin(const char *name)
{
    return strncmp(name, PLUGIN_PREFIX, strlen(PLUGIN_PREFIX)) == 0;
}

enum status subject_name_check(const char *name, struct error *e)
{
    struct subject subject;
    if (!subject_is_plugin(name))
        return subject_parse(name, &subject, e);
    if (name[strlen(PLUGIN_PREFIX)] != '\0')
        return STATUS_OK;
    error_set(e, STATUS_BAD_ARGUMENT, "'%s' names no file; wanted plugin:PATH.so", name);
    return error_at_field(e, "subject"), STATUS_BAD_ARGUMENT;
}

enum status subject_open_here(const char *name, const struct machine *machine, struct executor *out, struct error *e)
{
    struct subject subject;
    enum status s = subject_parse(name, &subject, e);
    return s == STATUS_OK ? machine->subject(&subject, out, e) : s;
}

/* A planted kernel may read or write beyond its arrays on purpose; a CUDA context that has seen that answers nothing
 * but errors until its process ends. On the model nothing of the kind can happen. */
static bool needs_process(const struct subject *subject, const struct machine *machine)
{
    const char *asked = getenv("FRAGORACLE_ISOLATE");
    if (asked && (strcmp(asked, "0") == 0 || strcmp(asked, "1") == 0))
        return *asked == '1';
    return subject->planted && machine->fidelity == FIDELITY_HARDWARE;
}

/* What stands for a subject that broke before it said anything of itself: it breaks at its first load. */
static enum status broken_load(void *self, const struct weights *w, struct error *e)
{
    (void)w;
    if (e)
        *e = ((const struct broken *)self)->why;
    return STATUS_SUBJECT;
}

static enum status broken_run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison,
                              struct bf16 *out, struct run_report *report, struct error *e)
{
    (void)x, (void)s, (void)poison, (void)out, (void)report;
    return broken_load(self, NULL, e);
}

static enum status broken_open(const char *name, const struct error *why, struct executor *out, struct error *e)
{
    struct broken *b = malloc(sizeof *b);
    if (!b)
        return error_set(e, STATUS_NO_MEMORY, "no memory for an executor");
    b->why = *why;
    snprintf(b->name, sizeof b->name, "%s", name);
    *out = (struct executor){.name = "plugin",
                             .subject = b->name,
                             .fidelity = FIDELITY_UNSUPPORTED,
                             .self = b,
                             .load = broken_load,
                             .run = broken_run,
                             .release = free};
    return STATUS_OK;
}

enum status subject_open(const char *name, const struct machine *machine, struct executor *out, struct error *e)
{
    struct subject subject;
    struct error why = {0};
    enum status s = subject_name_check(name, e);
    if (s == STATUS_OK && subject_is_plugin(name)) {
        s = child_open(name, machine->name, out, &why);
        if (s == STATUS_SUBJECT)
            return broken_open(name, &why, out, e);
        if (s != STATUS_OK && e)
            *e = why;
        return s;
    }
    if (s == STATUS_OK)
        s = subject_parse(name, &subject, e);
    if (s != STATUS_OK)
        return s;
    return needs_process(&subject, machine) ? child_open(name, machine->name, out, e)
                                            : machine->subject(&subject, out, e);
}
