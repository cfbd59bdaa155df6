#include "oracle/exec/replay.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/io/file.h"
#include "reference/mxfp4.h"
#include "reference/number.h"

static enum status not_as_emitted(const struct files *f, const char *name, struct error *e)
{
    char path[PATH_MAX];
    error_set(e, STATUS_BAD_INPUT,
              "not what this program emits for emit.json: changed, or of another version; emit again");
    if (file_path(f->folder, name, path, NULL) == STATUS_OK)
        error_at_path(e, path);
    return STATUS_BAD_INPUT;
}

static enum status asked_more(const struct files *f, struct error *e)
{
    error_set(e, STATUS_BAD_INPUT, "%zu passes of %zu runs, this program asks for more: emit again", f->passes,
              f->runs);
    return error_at_path(e, f->folder), STATUS_BAD_INPUT;
}

/* Are these the bytes of FOLDER/name? */
static enum status check_bytes(const struct files *f, const char *name, enum npy_type type, int rank,
                               const size_t *shape, const void *data, struct error *e)
{
    struct npy emitted;
    enum status s = files_read_array(f, name, type, rank, shape, &emitted, e);
    if (s != STATUS_OK)
        return s;
    if (memcmp(emitted.data, data, npy_count(&emitted) * npy_item_size(type)) != 0)
        s = not_as_emitted(f, name, e);
    npy_free(&emitted);
    return s;
}

static enum status replay_load(void *self, const struct weights *w, struct error *e)
{
    struct replay *r = self;
    const struct files *f = r->files;
    const size_t shape[] = {f->experts, f->N, f->K / MXFP4_BLOCK, MXFP4_BLOCK_BYTES};
    if (r->pass >= f->passes)
        return asked_more(f, e);
    const struct files_pass *next = &f->pass[r->pass];
    if (w->experts != f->experts || w->N != f->N || w->K != f->K) {
        error_set(e, STATUS_BAD_INPUT, "emitted for %zu experts of %zu x %zu, asked for %zu of %zu x %zu", f->experts,
                  f->N, f->K, w->experts, w->N, w->K);
        return error_at_path(e, f->folder);
    }
    enum status s = check_bytes(f, next->blocks, NPY_U1, 4, shape, w->blocks, e);
    if (s == STATUS_OK)
        s = check_bytes(f, next->scales, NPY_U1, 3, shape, w->scales, e);
    if (s == STATUS_OK)
        memcpy(r->loaded, next->blocks, sizeof r->loaded);
    return s;
}

static enum status check_inputs(const struct replay *r, const struct bf16 *x, const struct segments *g, struct error *e)
{
    const struct files *f = r->files;
    const struct files_pass *pass = &f->pass[r->pass];
    const size_t starts[] = {g->active + 1}, ids[] = {g->active}, shape[] = {f->P, f->K};
    if (strcmp(r->loaded, pass->blocks) != 0)
        return not_as_emitted(f, "emit.json", e);
    if (g->rows != f->P || g->experts != f->experts)
        return not_as_emitted(f, pass->starts, e);
    enum status s = check_bytes(f, pass->starts, NPY_U4, 1, starts, g->starts, e);
    if (s == STATUS_OK)
        s = check_bytes(f, pass->ids, NPY_I4, 1, ids, g->ids, e);
    return s == STATUS_OK ? check_bytes(f, pass->x, NPY_U2, 2, shape, x, e) : s;
}

/* A binary32 that is a bf16 keeps its bits, NaN payloads of a poison included; anything else is rounded. */
static struct bf16 narrow(float value)
{
    uint32_t bits = f32_bits(value);
    return bits % 0x10000 == 0 ? (struct bf16){(uint16_t)(bits >> 16)} : bf16_encode(value);
}

static enum status read_output(const struct files *f, const char *path, struct bf16 *out, struct error *e)
{
    const size_t shape[] = {f->P, f->N};
    struct npy a;
    enum status s = npy_read(path, &a, e);
    if (s != STATUS_OK)
        return s;
    s = npy_expect(&a, path, a.type == NPY_F4 ? NPY_F4 : NPY_U2, 2, shape, e);
    for (size_t i = 0; s == STATUS_OK && i < f->P * f->N; i++)
        out[i] = a.type == NPY_F4 ? narrow(((const float *)a.data)[i]) : ((const struct bf16 *)a.data)[i];
    npy_free(&a);
    return s;
}

/* The output of the run that comes next; without the second one the first stands for both. */
static enum status find_output(struct replay *r, char path[PATH_MAX], bool *single, struct error *e)
{
    const struct files *f = r->files;
    const struct files_pass *pass = &f->pass[r->pass];
    enum status s = file_path(f->folder, pass->out[r->which], path, e);
    *single = s == STATUS_OK && r->which > 0 && access(path, F_OK) != 0;
    if (*single)
        s = file_path(f->folder, pass->out[0], path, e);
    if (s == STATUS_OK && access(path, F_OK) != 0) {
        s = error_set(e, STATUS_IO, "no output of pass %zu; wanted <u2 (bf16 bits) or <f4 of shape (%zu, %zu)", r->pass,
                      f->P, f->N);
        error_at_path(e, path);
    }
    return s;
}

static void count_single(struct replay *r)
{
    r->single++;
    snprintf(r->note, sizeof r->note, "unwritten rests on one output in %zu of %zu passes: there is no out_S_b.npy",
             r->single, r->files->runs - r->files->passes);
}

static enum status replay_run(void *self, const struct bf16 *x, const struct segments *g, struct bf16 poison,
                              struct bf16 *out, struct run_report *report, struct error *e)
{
    struct replay *r = self;
    const struct files *f = r->files;
    char path[PATH_MAX];
    bool single;
    if (r->pass >= f->passes)
        return asked_more(f, e);
    enum status s = check_inputs(r, x, g, e);
    if (s == STATUS_OK)
        s = find_output(r, path, &single, e);
    if (s == STATUS_OK)
        s = read_output(f, path, out, e);
    if (s != STATUS_OK)
        return s;
    /* Who asks has poisons of its own: an element that still holds the one that was emitted holds it. */
    uint16_t emitted = f->poison[single ? 0 : r->which].bits;
    for (size_t i = 0; i < f->P * f->N; i++)
        if (out[i].bits == emitted)
            out[i] = poison;
    *report = (struct run_report){.launches = single ? 0 : 1};
    snprintf(report->kernel, sizeof report->kernel, "%s", f->kernel);
    if (single)
        count_single(r);
    r->runs++;
    r->which++;
    if (r->which == f->pass[r->pass].outs) {
        r->which = 0;
        r->pass++;
    }
    return STATUS_OK;
}

static void release_nothing(void *self)
{
    (void)self; /* borrowed */
}

void replay_executor(struct replay *r, const struct files *f, struct executor *out)
{
    *r = (struct replay){.files = f};
    snprintf(r->name, sizeof r->name, FILES_SUBJECT "%s", f->folder);
    *out = (struct executor){.name = "files",
                             .subject = r->name,
                             .fidelity = f->fidelity,
                             .self = r,
                             .load = replay_load,
                             .run = replay_run,
                             .release = release_nothing,
                             .limits = f->limits,
                             .note = r->note};
}

enum status replay_end(const struct replay *r, struct error *e)
{
    const struct files *f = r->files;
    if (r->pass == f->passes)
        return STATUS_OK;
    error_set(e, STATUS_BAD_INPUT, "%zu passes of %zu runs, this program asks for %zu runs: emit again", f->passes,
              f->runs, r->runs);
    return error_at_path(e, f->folder), STATUS_BAD_INPUT;
}

/* A folder and its replay in one block; the replay comes first, so that it is what `self` points to. */
struct opened {
    struct replay replay;
    struct files files;
};

static void release_opened(void *self)
{
    struct opened *o = self;
    files_close(&o->files);
    free(o);
}

enum status files_subject_open(const char *folder, struct executor *out, struct error *e)
{
    struct opened *o = calloc(1, sizeof *o);
    if (!o)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a folder");
    enum status s = files_open(folder, &o->files, e);
    if (s != STATUS_OK) {
        free(o);
        return s;
    }
    replay_executor(&o->replay, &o->files, out);
    out->release = release_opened;
    return STATUS_OK;
}
