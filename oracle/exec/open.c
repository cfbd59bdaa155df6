#include "oracle/exec/open.h"

#include <stdlib.h>
#include <string.h>

#include "oracle/exec/child.h"
#include "oracle/exec/served.h"

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

enum status subject_open(const char *name, const struct machine *machine, struct executor *out, struct error *e)
{
    struct subject subject;
    enum status s = subject_name_check(name, e);
    if (s != STATUS_OK)
        return s;
    if (subject_is_plugin(name))
        return child_open(name, machine->name, out, e);
    s = subject_parse(name, &subject, e);
    if (s != STATUS_OK)
        return s;
    return needs_process(&subject, machine) ? child_open(name, machine->name, out, e)
                                            : machine->subject(&subject, out, e);
}
