#include "oracle/exec/open.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/exec/child.h"
#include "oracle/exec/module.h"
#include "oracle/exec/module_driver.h"
#include "oracle/exec/replay.h"
#include "oracle/exec/served.h"

static const struct {
    const char *prefix, *wanted; /* what stands behind it */
} foreign[] = {{PLUGIN_PREFIX, "PATH.so"}, {MODULE_SUBJECT, "PATH.ptx"}, {FILES_SUBJECT, "FOLDER"}};

struct broken {
    struct error why;
    char name[PATH_MAX + 16];
};

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

bool subject_is_foreign(const char *name)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (begins(name, foreign[i].prefix))
            return true;
    return false;
}

enum status subject_name_check(const char *name, struct error *e)
{
    struct subject subject;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strcmp(name, foreign[i].prefix) == 0) {
            error_set(e, STATUS_BAD_ARGUMENT, "'%s' names no file; wanted %s%s", name, name, foreign[i].wanted);
            return error_at_field(e, "subject"), STATUS_BAD_ARGUMENT;
        }
    return subject_is_foreign(name) ? STATUS_OK : subject_parse(name, &subject, e);
}

enum status subject_open_here(const char *name, const struct machine *machine, struct executor *out, struct error *e)
{
    struct subject subject;
    if (begins(name, FILES_SUBJECT))
        return files_subject_open(name + strlen(FILES_SUBJECT), out, e);
    if (begins(name, MODULE_SUBJECT))
        return module_subject_open(name + strlen(MODULE_SUBJECT), machine->fidelity != FIDELITY_HARDWARE, out, e);
    enum status s = subject_parse(name, &subject, e);
    return s == STATUS_OK ? machine->subject(&subject, out, e) : s;
}

static enum status no_kernels(const struct subject *subject, struct executor *out, struct error *e)
{
    (void)subject, (void)out;
    return error_set(e, STATUS_NO_DEVICE, "this GPU runs no kernels of ours, only modules");
}

/* A GPU that the driver knows, for modules alone. */
static enum status driver_machine(struct machine *out, struct error *e)
{
    struct machine m = {.name = "gpu", .fidelity = FIDELITY_HARDWARE, .subject = no_kernels};
    enum status s = module_driver_gpu(m.device, e);
    if (s == STATUS_OK)
        *out = m;
    return s;
}

enum status subject_machine(const char *name, const char *on, struct machine *out, struct error *e)
{
    bool gpu = strcmp(on, "gpu") == 0, choose = strcmp(on, "auto") == 0;
    struct machine m;
    enum status s = machine_choose(on, &m, e);
    bool found = s == STATUS_OK && m.fidelity == FIDELITY_HARDWARE;
    if (begins(name, MODULE_SUBJECT) && !found && (gpu || choose)) {
        s = driver_machine(&m, gpu ? e : NULL);
        if (s != STATUS_OK && choose)
            s = machine_choose("model", &m, e);
    }
    if (s == STATUS_OK)
        *out = m;
    return s;
}

/* A planted kernel, or somebody's module, may read or write beyond its arrays; a CUDA context that has seen that
 * answers nothing but errors until its process ends. On the model nothing of the kind can happen. */
static bool needs_process(const char *name, const struct machine *machine)
{
    const char *asked = getenv("FRAGORACLE_ISOLATE");
    struct subject subject;
    if (begins(name, PLUGIN_PREFIX) || begins(name, FILES_SUBJECT))
        return begins(name, PLUGIN_PREFIX);
    if (asked && (strcmp(asked, "0") == 0 || strcmp(asked, "1") == 0))
        return *asked == '1';
    if (begins(name, MODULE_SUBJECT))
        return true;
    return subject_parse(name, &subject, NULL) == STATUS_OK && subject.planted &&
           machine->fidelity == FIDELITY_HARDWARE;
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
    struct error why = {0};
    enum status s = subject_name_check(name, e);
    if (s != STATUS_OK)
        return s;
    if (!needs_process(name, machine))
        return subject_open_here(name, machine, out, e);
    s = child_open(name, machine->name, out, &why);
    if (s == STATUS_SUBJECT)
        return broken_open(name, &why, out, e);
    if (s != STATUS_OK && e)
        *e = why;
    return s;
}
