/* plugin: the shared objects of others, behind the ABI of the public header. Runs in fragoracle-subject only. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oracle/exec/served.h"

struct plugin {
    const struct fo_plugin *calls;
    void *self;   /* of the plug-in */
    void *object; /* of dlopen */
};

static enum status returned(struct error *e, const char *function, int number)
{
    return error_set(e, STATUS_SUBJECT, "returned %d from %s", number, function);
}

static enum status plugin_load(void *self, const struct fo_plugin_weights *w, struct error *e)
{
    const struct plugin *p = self;
    int failed = p->calls->load(p->self, w);
    return failed ? returned(e, "load", failed) : STATUS_OK;
}

static enum status plugin_run(void *self, const struct fo_plugin_launch *l, struct bf16 poison,
                              struct run_report *report, struct error *e)
{
    const struct plugin *p = self;
    (void)poison;
    (void)report;
    int failed = p->calls->run(p->self, l);
    return failed ? returned(e, "run", failed) : STATUS_OK;
}

static void plugin_release(void *self)
{
    struct plugin *p = self;
    if (p->calls->destroy)
        p->calls->destroy(p->self);
    dlclose(p->object);
    free(p);
}

/* Opening a pipe would wait for its other end, so what is no file is refused before. */
static enum status open_object(const char *path, void **object, struct error *e)
{
    struct stat st;
    char here[PATH_MAX + 2];
    if (stat(path, &st) != 0)
        error_set(e, STATUS_IO, "cannot be opened: %s", strerror(errno));
    else if (!S_ISREG(st.st_mode))
        error_set(e, STATUS_BAD_INPUT, "is not a regular file");
    else {
        /* Without a slash, dlopen would search the folders of libraries. */
        snprintf(here, sizeof here, "%s%s", strchr(path, '/') ? "" : "./", path);
        *object = dlopen(here, RTLD_NOW | RTLD_LOCAL);
        if (*object)
            return STATUS_OK;
        const char *why = dlerror(), *colon = why ? strstr(why, ": ") : NULL;
        error_set(e, STATUS_BAD_INPUT, "cannot be loaded: %s", colon ? colon + 2 : why ? why : "no reason given");
    }
    return error_at_path(e, path);
}

/* What the declaration says must be what this build understands, before any of it is believed. */
static enum status read_declaration(const struct fo_plugin *p, struct child_description *d, struct error *e)
{
    if (!p)
        return error_set(e, STATUS_BAD_INPUT, "fo_plugin_open returned NULL");
    if (p->version != FO_PLUGIN_VERSION)
        return error_set(e, STATUS_BAD_INPUT, "is a plug-in of version %u; this program takes %d", p->version,
                         FO_PLUGIN_VERSION);
    if (p->size != sizeof *p)
        return error_set(e, STATUS_BAD_INPUT, "states a size of %u bytes for struct fo_plugin; it has %zu", p->size,
                         sizeof *p);
    if (!p->load || !p->run)
        return error_set(e, STATUS_BAD_INPUT, "has no function %s", p->load ? "run" : "load");
    if ((unsigned)p->segments > FO_SEGMENTS_NONE)
        return error_set(e, STATUS_BAD_INPUT, "segments %u: legal are 0 to 2", (unsigned)p->segments);
    d->format = (struct plugin_format){p->type, p->layout, p->block_scales != 0, p->pad_rows, p->pad_bytes, p->warps};
    enum status s = plugin_format_complete(&d->format, e);
    if (s != STATUS_OK)
        return s;
    d->limits = (struct executor_limits){.multiple_N = p->multiple_N,
                                         .multiple_K = p->multiple_K,
                                         .most_P = p->most_rows,
                                         .no_segments = p->segments == FO_SEGMENTS_NONE,
                                         .no_status = p->segments != FO_SEGMENTS_CHECKED};
    plugin_format_limits(&d->format, &d->limits);
    d->fidelity = p->on_gpu ? FIDELITY_HARDWARE : FIDELITY_APPROXIMATE;
    snprintf(d->name, sizeof d->name, "%s", p->name ? p->name : "unnamed");
    return STATUS_OK;
}

enum status plugin_open(const char *path, struct served *out, struct error *e)
{
    struct served s = {.load = plugin_load, .run = plugin_run, .release = plugin_release};
    struct plugin p = {0};
    const struct fo_plugin *(*open)(void);
    int failed = 0;
    enum status status = open_object(path, &p.object, e);
    if (status != STATUS_OK)
        return status;
    *(void **)&open = dlsym(p.object, "fo_plugin_open");
    if (!open) {
        status = error_set(e, STATUS_BAD_INPUT, "exports no function fo_plugin_open");
        goto refuse;
    }
    p.calls = open();
    status = read_declaration(p.calls, &s.description, e);
    if (status != STATUS_OK)
        goto refuse;
    struct plugin *kept = malloc(sizeof *kept);
    if (!kept) {
        status = error_set(e, STATUS_NO_MEMORY, "no memory for a plug-in");
        goto refuse;
    }
    failed = p.calls->create ? p.calls->create(&p.self) : 0;
    *kept = p;
    if (failed) {
        free(kept);
        status = returned(e, "create", failed);
        goto refuse;
    }
    s.self = kept;
    *out = s;
    return STATUS_OK;

refuse:
    dlclose(p.object);
    error_at_path(e, status == STATUS_SUBJECT ? NULL : path);
    return status;
}
