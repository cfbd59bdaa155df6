#include "oracle/exec/module_ptx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/io/file.h"
#include "reference/ptx/vm.h"

enum { SAID = 3 /* hazards that a note names */ };

struct buffer {
    uint64_t at; /* 0: not made */
    size_t bytes;
    uint8_t *kept; /* of the launch that is made twice */
};

struct machine_ptx {
    const struct module_sidecar *sidecar; /* borrowed */
    struct vm *vm;
    struct buffer buffer[BUFFERS];
    size_t launches;
    bool ordered; /* the outputs depend on when asynchronous work is done */
};

static enum status ptx_set(void *self, enum module_buffer b, const void *data, size_t bytes, struct error *e)
{
    struct machine_ptx *p = self;
    struct buffer *to = &p->buffer[b];
    if (to->at && to->bytes != bytes) {
        vm_release(p->vm, to->at);
        *to = (struct buffer){0};
    }
    if (!to->at) {
        uint64_t at;
        enum status s = vm_alloc(p->vm, module_buffer_name(p->sidecar, b), bytes, &at, e);
        if (s != STATUS_OK)
            return s;
        *to = (struct buffer){.at = at, .bytes = bytes};
    }
    if (bytes)
        memcpy(vm_bytes(p->vm, to->at), data, bytes);
    return STATUS_OK;
}

static enum status ptx_get(void *self, enum module_buffer b, void *data, struct error *e)
{
    struct machine_ptx *p = self;
    (void)e;
    memcpy(data, vm_bytes(p->vm, p->buffer[b].at), p->buffer[b].bytes);
    return STATUS_OK;
}

static uint64_t ptx_address(const void *self, enum module_buffer b)
{
    return ((const struct machine_ptx *)self)->buffer[b].at;
}

static enum status ptx_tensor_map(void *self, const struct vm_tensor_map *map, uint8_t out[VM_TENSOR_BYTES],
                                  struct error *e)
{
    (void)self;
    return vm_tensor_map_encode(map, out, e);
}

static void drop_kept(struct machine_ptx *p)
{
    for (int b = 0; b < BUFFERS; b++) {
        free(p->buffer[b].kept);
        p->buffer[b].kept = NULL;
    }
}

static void ptx_close(void *self)
{
    struct machine_ptx *p = self;
    drop_kept(p);
    vm_free(p->vm);
    free(p);
}

/* Keep what the buffers hold. */
static enum status keep(struct machine_ptx *p, struct error *e)
{
    for (int b = 0; b < BUFFERS; b++) {
        struct buffer *of = &p->buffer[b];
        if (!of->at || of->bytes == 0)
            continue;
        of->kept = malloc(of->bytes);
        if (!of->kept) {
            drop_kept(p);
            return error_set(e, STATUS_NO_MEMORY, "no memory to make a launch twice");
        }
        memcpy(of->kept, vm_bytes(p->vm, of->at), of->bytes);
    }
    return STATUS_OK;
}

/* What was kept against what is there. */
static void exchange_kept(struct machine_ptx *p)
{
    for (int b = 0; b < BUFFERS; b++) {
        uint8_t *kept = p->buffer[b].kept, *now = kept ? vm_bytes(p->vm, p->buffer[b].at) : NULL;
        for (size_t i = 0; kept && i < p->buffer[b].bytes; i++) {
            uint8_t byte = kept[i];
            kept[i] = now[i];
            now[i] = byte;
        }
    }
}

/* Of what the caller will read. */
static bool kept_differs(const struct machine_ptx *p)
{
    static const enum module_buffer read[] = {BUFFER_OUT, BUFFER_STATUS};
    bool differs = false;
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        const struct buffer *of = &p->buffer[read[i]];
        differs = differs || (of->kept && memcmp(of->kept, vm_bytes(p->vm, of->at), of->bytes) != 0);
    }
    return differs;
}

/* What the machine says with its line, which is all that reaches another process; of a kernel that broke, as a sentence
 * about it. */
static enum status say(const struct machine_ptx *p, enum status s, struct error *e)
{
    char why[sizeof e->why], line[32] = "";
    if (s == STATUS_OK || !e)
        return s;
    if (e->line)
        snprintf(line, sizeof line, "line %d: ", e->line);
    snprintf(why, sizeof why, "%s", e->why);
    if (s == STATUS_SUBJECT)
        return error_set(e, s, "the kernel broke in launch %zu: %s%.250s", p->launches, line, why);
    if (s == STATUS_UNSUPPORTED)
        snprintf(e->why, sizeof e->why, "%s%.280s", line, why);
    return s;
}

static enum status run(struct machine_ptx *p, const struct vm_launch *launch, struct error *e)
{
    enum status s = vm_run(p->vm, launch, e);
    if (s != STATUS_BAD_ARGUMENT)
        return say(p, s, e);
    if (e)
        e->status = STATUS_BAD_INPUT;
    error_at_path(e, p->sidecar->path);
    return STATUS_BAD_INPUT;
}

/* The same launch in the other order, over the same inputs; what the first one left is what stays. */
static enum status run_early(struct machine_ptx *p, const struct vm_launch *late, struct error *e)
{
    struct vm_launch early = *late;
    early.order = VM_EARLY;
    exchange_kept(p);
    enum status s = run(p, &early, e);
    p->ordered = s == STATUS_SUBJECT || (s == STATUS_OK && kept_differs(p));
    exchange_kept(p);
    return s == STATUS_SUBJECT ? STATUS_OK : s;
}

static void note_add(char note[MODULE_NOTE], const char *separator, const char *text)
{
    size_t used = strlen(note);
    snprintf(note + used, MODULE_NOTE - used, "%s%s", used ? separator : "", text);
}

/* "the output depends on ...; 4 hazards: line 812: A register overwritten in flight; ...; approximate: ex2" */
static void write_note(const struct machine_ptx *p, char note[MODULE_NOTE])
{
    const struct vm_report *r = &p->vm->report;
    char text[MODULE_NOTE];
    note[0] = '\0';
    if (p->ordered)
        note_add(note, "; ", "the output depends on when asynchronous work is done");
    for (uint32_t i = 0; i < r->hazards && i < SAID; i++) {
        const struct vm_hazard *h = &r->hazard[i];
        if (i == 0)
            snprintf(text, sizeof text, "%u hazard%s: line %u: %s", r->hazards, r->hazards > 1 ? "s" : "", h->line,
                     h->kind);
        else
            snprintf(text, sizeof text, "line %u: %s", h->line, h->kind);
        note_add(note, "; ", text);
    }
    if (r->hazards > SAID)
        note_add(note, "; ", "...");
    if (r->approximate) {
        snprintf(text, sizeof text, "approximate: %s", r->approximate);
        note_add(note, "; ", text);
    }
}

/* The arguments where the entry wants them: an alignment may be stated there that no sidecar knows (CUDA 13 places a
 * CUtensorMap at 128 bytes, CUDA 12 at 64). *bytes: of the whole buffer. */
static enum status place_arguments(const struct machine_ptx *p, const uint8_t *from, uint8_t to[MODULE_PARAMETERS],
                                   size_t *bytes, struct error *e)
{
    const struct module_sidecar *m = p->sidecar;
    const struct vm_program *program = &p->vm->program;
    const struct vm_function *entry = &program->function[vm_program_find(program, m->entry)];
    const struct vm_variable *v = &program->variable[entry->parameter];
    if (entry->parameters != m->arguments)
        return error_set(e, STATUS_BAD_INPUT, "'%.200s' takes %u arguments, not %u", m->entry, entry->parameters,
                         m->arguments);
    memset(to, 0, MODULE_PARAMETERS);
    *bytes = 0;
    for (uint32_t i = 0; i < m->arguments; i++) {
        if (v[i].bytes != m->argument_bytes[i] || v[i].at + v[i].bytes > MODULE_PARAMETERS)
            return error_set(e, STATUS_BAD_INPUT, "argument %u has %u bytes, and '%.200s' wants %llu", i,
                             m->argument_bytes[i], m->entry, (unsigned long long)v[i].bytes);
        memcpy(to + v[i].at, from + m->argument_at[i], m->argument_bytes[i]);
        *bytes = v[i].at + v[i].bytes;
    }
    return STATUS_OK;
}

static struct vm_launch launch_of(const struct machine_ptx *p, const struct module_launch *l, const void *parameters,
                                  size_t bytes)
{
    struct vm_launch launch = {.entry = p->sidecar->entry,
                               .dynamic_shared = l->shared,
                               .parameters = parameters,
                               .parameter_bytes = bytes,
                               .order = p->sidecar->order == ORDER_EARLY ? VM_EARLY : VM_LATE,
                               .most_steps = p->sidecar->seconds * MODULE_PTX_STEPS};
    memcpy(launch.grid, l->grid, sizeof launch.grid);
    memcpy(launch.block, l->block, sizeof launch.block);
    memcpy(launch.cluster, l->cluster, sizeof launch.cluster);
    return launch;
}

static enum status ptx_launch(void *self, const struct module_launch *l, struct module_ran *ran, struct error *e)
{
    struct machine_ptx *p = self;
    uint8_t parameters[MODULE_PARAMETERS];
    size_t bytes = 0;
    enum status s = place_arguments(p, l->parameters, parameters, &bytes, e);
    if (s != STATUS_OK)
        return error_at_path(e, p->sidecar->path), s;
    const struct vm_launch launch = launch_of(p, l, parameters, bytes);
    const struct vm_report before = p->vm->report;
    bool twice = p->launches == 0 && p->sidecar->order == ORDER_BOTH;
    p->launches++;
    s = twice ? keep(p, e) : STATUS_OK;
    if (s == STATUS_OK)
        s = run(p, &launch, e);
    struct module_ran r = {
        .steps = p->vm->report.steps - before.steps, .wgmma = p->vm->report.wgmma - before.wgmma, .counted = true};
    if (s == STATUS_OK && twice)
        s = run_early(p, &launch, e);
    drop_kept(p);
    if (s != STATUS_OK)
        return s;
    r.fidelity = p->vm->report.approximate ? FIDELITY_APPROXIMATE : FIDELITY_BIT_EXACT_MODEL;
    write_note(p, r.note);
    *ran = r;
    return STATUS_OK;
}

static bool is_ptx(const char *path)
{
    const char *dot = strrchr(path, '.');
    return !dot || strcmp(dot, ".cubin") != 0;
}

static enum status make_vm(struct machine_ptx *p, struct error *e)
{
    const struct module_sidecar *m = p->sidecar;
    uint8_t *text = NULL;
    size_t size = 0;
    if (!is_ptx(m->module)) {
        error_set(e, STATUS_BAD_ARGUMENT, "a cubin needs a GPU: the machine of --on model executes PTX");
        return error_at_path(e, m->module), STATUS_BAD_ARGUMENT;
    }
    enum status s = file_read(m->module, 0, &text, &size, e);
    if (s != STATUS_OK)
        return s;
    s = vm_make(m->module, (const char *)text, size, &p->vm, e);
    free(text);
    if (s != STATUS_OK)
        return s;
    uint32_t entry = vm_program_find(&p->vm->program, m->entry);
    if (entry == VM_NONE || !p->vm->program.function[entry].entry) {
        s = error_set(e, STATUS_BAD_INPUT, "no kernel '%.200s' in the module", m->entry);
        error_at_path(e, m->path);
        error_at_field(e, "entry");
    }
    return s;
}

enum status module_ptx_open(const struct module_sidecar *m, struct module_device *out, struct error *e)
{
    struct machine_ptx *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a module");
    p->sidecar = m;
    enum status s = make_vm(p, e);
    if (s != STATUS_OK) {
        if (p->vm)
            vm_free(p->vm);
        free(p);
        return s;
    }
    *out = (struct module_device){.name = "ptx",
                                  .fidelity = FIDELITY_BIT_EXACT_MODEL,
                                  .self = p,
                                  .set = ptx_set,
                                  .get = ptx_get,
                                  .address = ptx_address,
                                  .tensor_map = ptx_tensor_map,
                                  .launch = ptx_launch,
                                  .close = ptx_close};
    return STATUS_OK;
}

struct vm *module_ptx_vm(const struct module_device *d)
{
    return ((const struct machine_ptx *)d->self)->vm;
}
