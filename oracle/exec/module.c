#include "oracle/exec/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/exec/module_driver.h"
#include "reference/number.h"

struct module {
    struct module_sidecar sidecar;
    struct module_driver *driver;
    char name[PATH_MAX + 8];
    struct module_extents extents; /* N, K, E: of the weights; E 0: none yet */
    void *out;                     /* as the kernel writes it, [P][N] */
    size_t out_bytes;
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
    enum status s = weights_form_make(m->sidecar.form, w, &formed, e);
    if (s != STATUS_OK)
        return s;
    m->extents.E = 0;
    for (size_t i = 0; s == STATUS_OK && i < formed.arrays; i++)
        s = module_driver_set(m->driver, (enum module_buffer)(BUFFER_WEIGHTS + i), formed.array[i].data,
                              formed_array_bytes(&formed.array[i]), e);
    formed_weights_free(&formed);
    if (s == STATUS_OK)
        m->extents = (struct module_extents){.N = w->N, .K = w->K, .E = w->experts};
    return s;
}

/* An expression as one of the numbers of a launch. */
static enum status launch_number(const struct module *m, const char *text, const char *field, uint32_t least,
                                 uint32_t most, uint32_t *out, struct error *e)
{
    uint64_t value;
    enum status s = module_expression_value(text, &m->extents, &value, e);
    if (s == STATUS_OK && (value < least || value > most))
        s = error_set(e, STATUS_BAD_INPUT, "'%s' is %llu, wanted %u to %u", text, (unsigned long long)value, least,
                      most);
    if (s != STATUS_OK) {
        error_at_path(e, m->sidecar.path);
        error_at_field(e, field);
        return s;
    }
    *out = (uint32_t)value;
    return STATUS_OK;
}

static enum status make_launch(const struct module *m, struct module_launch *l, struct error *e)
{
    static const uint32_t most_blocks[] = {INT32_MAX, UINT16_MAX, UINT16_MAX};
    enum status s = launch_number(m, m->sidecar.shared, "shared", 0, 1 << 20, &l->shared, e);
    for (int i = 0; s == STATUS_OK && i < 3; i++)
        s = launch_number(m, m->sidecar.grid[i], "grid", 1, most_blocks[i], &l->grid[i], e);
    for (int i = 0; s == STATUS_OK && i < 3; i++)
        s = launch_number(m, m->sidecar.block[i], "block", 1, 1024, &l->block[i], e);
    return s;
}

/* One argument by value: 8 bytes hold each of them, the low end first. */
static enum status make_argument(const struct module *m, const struct module_argument *a, uint64_t *value,
                                 struct error *e)
{
    *value = 0;
    if (a->pointer)
        *value = module_driver_address(m->driver, a->buffer);
    else if (a->is_float)
        *value = f32_bits(a->f32);
    else {
        enum status s = module_expression_value(a->value, &m->extents, value, e);
        if (s != STATUS_OK)
            return s;
    }
    if (a->bytes == sizeof(uint32_t) && *value > UINT32_MAX)
        return error_set(e, STATUS_BAD_INPUT, "'%s' is %llu, more than 32 bits hold", a->value,
                         (unsigned long long)*value);
    return STATUS_OK;
}

static enum status make_arguments(const struct module *m, uint64_t values[MODULE_ARGUMENTS],
                                  void *parameters[MODULE_ARGUMENTS], struct error *e)
{
    for (size_t i = 0; i < m->sidecar.arguments; i++) {
        char field[32];
        parameters[i] = &values[i];
        enum status s = make_argument(m, &m->sidecar.argument[i], &values[i], e);
        if (s != STATUS_OK) {
            snprintf(field, sizeof field, "arguments[%zu]", i);
            error_at_path(e, m->sidecar.path);
            error_at_field(e, field);
            return s;
        }
    }
    return STATUS_OK;
}

static enum status poison_output(struct module *m, struct bf16 poison, struct error *e)
{
    size_t count = m->extents.P * m->extents.N;
    size_t bytes = count * (m->sidecar.out_f32 ? sizeof(uint32_t) : sizeof(uint16_t));
    if (bytes != m->out_bytes) {
        void *room = realloc(m->out, bytes);
        if (!room)
            return error_set(e, STATUS_NO_MEMORY, "no memory for an output of %llu x %llu",
                             (unsigned long long)m->extents.P, (unsigned long long)m->extents.N);
        m->out = room;
        m->out_bytes = bytes;
    }
    for (size_t i = 0; i < count; i++)
        if (m->sidecar.out_f32)
            ((uint32_t *)m->out)[i] = (uint32_t)poison.bits << 16;
        else
            ((struct bf16 *)m->out)[i] = poison;
    return module_driver_set(m->driver, BUFFER_OUT, m->out, bytes, e);
}

/* A binary32 that is a bf16 keeps its bits, payloads of NaN included. */
static struct bf16 narrow(uint32_t bits)
{
    return bits % 0x10000 == 0 ? (struct bf16){(uint16_t)(bits >> 16)} : bf16_encode(f32_from_bits(bits));
}

static enum status set_inputs(struct module *m, const struct bf16 *x, const struct segments *g, struct bf16 poison,
                              struct error *e)
{
    const uint32_t status = 0;
    enum status s = module_driver_set(m->driver, BUFFER_X, x, g->rows * m->extents.K * sizeof *x, e);
    if (s == STATUS_OK)
        s = module_driver_set(m->driver, BUFFER_STARTS, g->starts, (g->active + 1) * sizeof *g->starts, e);
    if (s == STATUS_OK)
        s = module_driver_set(m->driver, BUFFER_IDS, g->ids, g->active * sizeof *g->ids, e);
    if (s == STATUS_OK)
        s = module_driver_set(m->driver, BUFFER_STATUS, &status, sizeof status, e);
    return s == STATUS_OK ? poison_output(m, poison, e) : s;
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
    if (l->no_segments && (g->active != 1 || g->starts[0] != 0 || g->starts[1] != g->rows || g->ids[0] != 0))
        return error_set(e, STATUS_BAD_ARGUMENT, "the module takes one segment of all rows");
    return STATUS_OK;
}

static enum status module_run(void *self, const struct bf16 *x, const struct segments *g, struct bf16 poison,
                              struct bf16 *out, struct run_report *report, struct error *e)
{
    struct module *m = self;
    uint64_t values[MODULE_ARGUMENTS];
    void *parameters[MODULE_ARGUMENTS];
    struct module_launch launch = {.parameters = parameters};
    uint32_t status_word = 0;
    enum status s = check_request(m, g, e);
    if (s != STATUS_OK)
        return s;
    m->extents.P = g->rows, m->extents.A = g->active;
    s = make_launch(m, &launch, e);
    if (s == STATUS_OK)
        s = set_inputs(m, x, g, poison, e);
    if (s == STATUS_OK)
        s = make_arguments(m, values, parameters, e);
    if (s == STATUS_OK)
        s = module_driver_launch(m->driver, &launch, e);
    if (s == STATUS_OK)
        s = module_driver_get(m->driver, BUFFER_OUT, m->out, e);
    if (s == STATUS_OK)
        s = module_driver_get(m->driver, BUFFER_STATUS, &status_word, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < m->extents.P * m->extents.N; i++)
        out[i] = m->sidecar.out_f32 ? narrow(((uint32_t *)m->out)[i]) : ((struct bf16 *)m->out)[i];
    *report = (struct run_report){.launches = 1, .status_word = status_word};
    snprintf(report->kernel, sizeof report->kernel, "%.*s", RUN_KERNEL_NAME - 1, m->sidecar.entry);
    return STATUS_OK;
}

static void module_release(void *self)
{
    struct module *m = self;
    module_driver_close(m->driver);
    free(m->out);
    free(m);
}

enum status module_subject_open(const char *path, struct executor *out, struct error *e)
{
    struct module *m = calloc(1, sizeof *m);
    if (!m)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a module");
    enum status s = module_sidecar_read(path, &m->sidecar, e);
    if (s == STATUS_OK)
        s = module_driver_open(&m->sidecar, &m->driver, e);
    if (s != STATUS_OK) {
        free(m);
        return s;
    }
    snprintf(m->name, sizeof m->name, MODULE_SUBJECT "%s", path);
    *out = (struct executor){.name = "module",
                             .subject = m->name,
                             .fidelity = FIDELITY_HARDWARE,
                             .self = m,
                             .load = module_load,
                             .run = module_run,
                             .release = module_release,
                             .limits = m->sidecar.limits};
    return STATUS_OK;
}
