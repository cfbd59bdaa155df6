#include "oracle/exec/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/exec/module_arrays.h"
#include "oracle/exec/module_driver.h"
#include "oracle/exec/module_pack.h"
#include "oracle/exec/module_ptx.h"

struct module {
    struct module_sidecar sidecar;
    struct module_device device;
    char name[PATH_MAX + 8];
    struct module_extents extents; /* N, K, E: of the weights; E 0: none yet */
    void *x, *out;                 /* as the kernel wants them */
    size_t x_bytes, out_bytes;
    struct module_launch launch;
    enum fidelity ran; /* what the executor says of the launches so far */
    char note[MODULE_NOTE];
};

static bool multiple(uint64_t x, uint32_t of)
{
    return of <= 1 || x % of == 0;
}

static enum status module_load(void *self, const struct weights *w, struct error *e)
{
    struct module *m = self;
    const struct executor_limits *l = &m->sidecar.limits;
    struct formed_weights formed;
    if (!multiple(w->N, l->multiple_N) || !multiple(w->K, l->multiple_K) || (l->no_segments && w->experts != 1))
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "the module takes N in steps of %u, K in steps of %u%s; not %zu experts of %zu x %zu",
                         l->multiple_N, l->multiple_K, l->no_segments ? ", one expert" : "", w->experts, w->N, w->K);
    if ((l->only_N && w->N != l->only_N) || (l->only_K && w->K != l->only_K))
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "the module was made for N = %llu, K = %llu alone, not N = %zu, K = %zu",
                         (unsigned long long)(l->only_N ? l->only_N : w->N),
                         (unsigned long long)(l->only_K ? l->only_K : w->K), w->N, w->K);
    enum status s = weights_form_make(m->sidecar.form, w, &formed, e);
    if (s != STATUS_OK)
        return s;
    m->extents.E = 0;
    for (size_t i = 0; s == STATUS_OK && i < formed.arrays; i++)
        s = m->device.set(m->device.self, (enum module_buffer)(BUFFER_WEIGHTS + i), formed.array[i].data,
                          formed_array_bytes(&formed.array[i]), e);
    formed_weights_free(&formed);
    if (s == STATUS_OK)
        m->extents = (struct module_extents){.N = w->N, .K = w->K, .E = w->experts};
    return s;
}

/* Room of this size. */
static enum status make_room(void **room, size_t *has, size_t bytes, struct error *e)
{
    if (*room && *has == bytes)
        return STATUS_OK;
    void *made = realloc(*room, bytes ? bytes : 1);
    if (!made)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes of a launch", bytes);
    *room = made;
    *has = bytes;
    return STATUS_OK;
}

static enum status set_x(struct module *m, const struct bf16 *x, struct error *e)
{
    size_t bytes = module_arrays_x_bytes(&m->extents);
    enum status s = make_room(&m->x, &m->x_bytes, bytes, e);
    if (s == STATUS_OK)
        s = module_arrays_x(&m->sidecar, &m->extents, x, m->x, e);
    return s == STATUS_OK ? m->device.set(m->device.self, BUFFER_X, m->x, bytes, e) : s;
}

static enum status set_out(struct module *m, struct bf16 poison, struct error *e)
{
    size_t bytes = module_arrays_out_bytes(&m->sidecar, &m->extents);
    enum status s = make_room(&m->out, &m->out_bytes, bytes, e);
    if (s != STATUS_OK)
        return s;
    module_arrays_poison(&m->sidecar, &m->extents, poison, m->out);
    return m->device.set(m->device.self, BUFFER_OUT, m->out, bytes, e);
}

static enum status set_scratch(struct module *m, uint32_t scratch, struct error *e)
{
    size_t bytes;
    enum status s = module_pack_scratch(&m->sidecar, &m->extents, scratch, &bytes, e);
    if (s != STATUS_OK)
        return s;
    void *zeros = calloc(bytes, 1);
    if (!zeros)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes of zeros", bytes);
    s = m->device.set(m->device.self, (enum module_buffer)(BUFFER_SCRATCH + scratch), zeros, bytes, e);
    free(zeros);
    return s;
}

static enum status set_inputs(struct module *m, const struct bf16 *x, const struct segments *g, struct bf16 poison,
                              struct error *e)
{
    const struct module_device *d = &m->device;
    const uint32_t status = 0;
    enum status s = set_x(m, x, e);
    if (s == STATUS_OK)
        s = d->set(d->self, BUFFER_STARTS, g->starts, (g->active + 1) * sizeof *g->starts, e);
    if (s == STATUS_OK)
        s = d->set(d->self, BUFFER_IDS, g->ids, g->active * sizeof *g->ids, e);
    if (s == STATUS_OK)
        s = d->set(d->self, BUFFER_STATUS, &status, sizeof status, e);
    for (uint32_t i = 0; s == STATUS_OK && i < m->sidecar.scratches; i++)
        s = set_scratch(m, i, e);
    return s == STATUS_OK ? set_out(m, poison, e) : s;
}

static enum status check_request(const struct module *m, const struct segments *g, struct error *e)
{
    const struct executor_limits *l = &m->sidecar.limits;
    if (m->extents.E == 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "no weights were loaded");
    if (g->experts != m->extents.E)
        return error_set(e, STATUS_BAD_ARGUMENT, "segments of %zu experts, weights of %llu", g->experts,
                         (unsigned long long)m->extents.E);
    if (l->most_P && g->rows > l->most_P)
        return error_set(e, STATUS_BAD_ARGUMENT, "the module takes at most %llu rows, not %zu",
                         (unsigned long long)l->most_P, g->rows);
    if (l->only_P && g->rows != l->only_P)
        return error_set(e, STATUS_BAD_ARGUMENT, "the module was made for %llu rows alone, not %zu",
                         (unsigned long long)l->only_P, g->rows);
    if (l->no_segments && (g->active != 1 || g->starts[0] != 0 || g->starts[1] != g->rows || g->ids[0] != 0))
        return error_set(e, STATUS_BAD_ARGUMENT, "the module takes one segment of all rows");
    return STATUS_OK;
}

static enum status module_run(void *self, const struct bf16 *x, const struct segments *g, struct bf16 poison,
                              struct bf16 *out, struct run_report *report, struct error *e)
{
    struct module *m = self;
    const struct module_device *d = &m->device;
    struct module_ran ran;
    uint32_t status_word = 0;
    enum status s = check_request(m, g, e);
    if (s != STATUS_OK)
        return s;
    m->extents.P = g->rows, m->extents.A = g->active;
    s = module_pack_shape(&m->sidecar, &m->extents, &m->launch, e);
    if (s == STATUS_OK)
        s = set_inputs(m, x, g, poison, e);
    if (s == STATUS_OK)
        s = module_pack_parameters(&m->sidecar, &m->extents, d, &m->launch, e);
    if (s == STATUS_OK)
        s = d->launch(d->self, &m->launch, &ran, e);
    if (s == STATUS_OK)
        s = d->get(d->self, BUFFER_OUT, m->out, e);
    if (s == STATUS_OK)
        s = d->get(d->self, BUFFER_STATUS, &status_word, e);
    if (s != STATUS_OK)
        return s;
    module_arrays_result(&m->sidecar, &m->extents, poison, m->out, out);
    m->ran = ran.fidelity;
    memcpy(m->note, ran.note, sizeof m->note);
    *report = (struct run_report){.launches = 1,
                                  .status_word = status_word,
                                  .wgmma = ran.wgmma,
                                  .wgmma_unpredicted = ran.counted,
                                  .steps = ran.steps};
    snprintf(report->kernel, sizeof report->kernel, "%.*s", RUN_KERNEL_NAME - 1, m->sidecar.entry);
    return STATUS_OK;
}

static void module_release(void *self)
{
    struct module *m = self;
    m->device.close(m->device.self);
    free(m->x);
    free(m->out);
    free(m);
}

enum status module_subject_open(const char *path, bool model, struct executor *out, struct error *e)
{
    struct module *m = calloc(1, sizeof *m);
    if (!m)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a module");
    enum status s = module_sidecar_read(path, &m->sidecar, e);
    if (s == STATUS_OK)
        s = (model ? module_ptx_open : module_driver_open)(&m->sidecar, &m->device, e);
    if (s != STATUS_OK) {
        free(m);
        return s;
    }
    snprintf(m->name, sizeof m->name, MODULE_SUBJECT "%s", path);
    m->ran = m->device.fidelity;
    *out = (struct executor){.name = m->device.name,
                             .subject = m->name,
                             .fidelity = m->device.fidelity,
                             .self = m,
                             .load = module_load,
                             .run = module_run,
                             .release = module_release,
                             .limits = m->sidecar.limits,
                             .note = m->note,
                             .ran = &m->ran};
    return STATUS_OK;
}

struct vm *module_subject_vm(const struct executor *x)
{
    return module_ptx_vm(&((const struct module *)x->self)->device);
}
