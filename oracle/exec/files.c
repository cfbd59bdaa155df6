#include "oracle/exec/files.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "reference/mxfp4.h"
#include "reference/number.h"

enum status files_pass_path(const char *folder, const char *prefix, size_t pass, const char *suffix,
                            char path[PATH_MAX], struct error *e)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%zu%s.npy", prefix, pass, suffix);
    return file_path(folder, name, path, e);
}

static enum status refuse(struct error *e, const char *path, const char *field, const char *why)
{
    error_set(e, STATUS_BAD_INPUT, "%s", why);
    error_at_path(e, path);
    return error_at_field(e, field), STATUS_BAD_INPUT;
}

static bool extent_ok(json_int_t x)
{
    return x >= 1 && x <= INT32_MAX;
}

static enum status parse_emit(const json_t *document, const char *path, struct files *f, struct error *e)
{
    json_int_t P, N, K, experts, active, seed, poison[2];
    const char *weights;
    json_t *passes;
    json_error_t at;
    if (json_unpack_ex((json_t *)document, &at, 0, "{s:{s:I,s:I,s:I,s:I,s:I}, s:b, s:I, s:s, s:[{s:I},{s:I}], s:o}",
                       "shape", "P", &P, "N", &N, "K", &K, "experts", &experts, "segments", &active, "historical",
                       &f->historical, "seed", &seed, "weights", &weights, "poison", "bits", &poison[0], "bits",
                       &poison[1], "passes", &passes) != 0)
        return refuse(e, path, "", at.text);
    if (!extent_ok(P) || !extent_ok(N) || !extent_ok(K) || !extent_ok(experts) || !extent_ok(active) ||
        K % MXFP4_BLOCK != 0 || (f->historical && P > K))
        return refuse(e, path, "shape", "not a shape that emit writes");
    if (poison[0] < 0 || poison[0] > UINT16_MAX || poison[1] < 0 || poison[1] > UINT16_MAX || poison[0] == poison[1])
        return refuse(e, path, "poison", "wanted two different patterns of 16 bits");
    f->P = (size_t)P, f->N = (size_t)N, f->K = (size_t)K;
    f->experts = (size_t)experts, f->active = (size_t)active, f->passes = json_array_size(passes);
    f->seed = (uint64_t)seed;
    f->poison[0].bits = (uint16_t)poison[0], f->poison[1].bits = (uint16_t)poison[1];
    snprintf(f->weights, sizeof f->weights, "%s", weights);
    return STATUS_OK;
}

static enum status read_emit(struct files *f, struct error *e)
{
    char path[PATH_MAX];
    json_t *document;
    enum status s = file_path(f->folder, "emit.json", path, e);
    if (s == STATUS_OK)
        s = json_read(path, FILES_SCHEMA, &document, e);
    if (s != STATUS_OK)
        return s;
    s = parse_emit(document, path, f, e);
    json_decref(document);
    return s;
}

/* What the user says about the run. A fidelity is a claim, so only the words of the project count. */
static enum status read_run(struct files *f, struct error *e)
{
    char path[PATH_MAX];
    json_t *document;
    const char *kernel = "unstated", *fidelity = "unstated", *device = "";
    json_error_t at;
    snprintf(f->kernel, sizeof f->kernel, "%s", kernel);
    snprintf(f->fidelity, sizeof f->fidelity, "%s", fidelity);
    enum status s = file_path(f->folder, "run.json", path, e);
    if (s != STATUS_OK || access(path, F_OK) != 0)
        return s;
    s = json_read(path, NULL, &document, e);
    if (s != STATUS_OK)
        return s;
    bool known = false;
    if (json_unpack_ex(document, &at, 0, "{s?s, s?s, s?s}", "kernel", &kernel, "fidelity", &fidelity, "device",
                       &device) != 0) {
        s = refuse(e, path, "", at.text);
    } else {
        for (int i = FIDELITY_HARDWARE; i <= FIDELITY_UNSUPPORTED; i++)
            known = known || strcmp(fidelity, fidelity_name((enum fidelity)i)) == 0;
        if (!known && strcmp(fidelity, "unstated") != 0)
            s = refuse(e, path, "fidelity",
                       "wanted hardware, hardware-instrumented, bit-exact model, approximate or unsupported");
    }
    if (s == STATUS_OK) {
        snprintf(f->kernel, sizeof f->kernel, "%s", kernel);
        snprintf(f->fidelity, sizeof f->fidelity, "%s", fidelity);
        snprintf(f->device, sizeof f->device, "%s", device);
    }
    json_decref(document);
    return s;
}

/* FOLDER/name of this type and shape. */
static enum status read_array(const struct files *f, const char *name, enum npy_type type, int rank,
                              const size_t *shape, struct npy *out, struct error *e)
{
    char path[PATH_MAX];
    struct npy a;
    enum status s = file_path(f->folder, name, path, e);
    if (s == STATUS_OK)
        s = npy_read(path, &a, e);
    if (s != STATUS_OK)
        return s;
    s = npy_expect(&a, path, type, rank, shape, e);
    if (s == STATUS_OK)
        *out = a;
    else
        npy_free(&a);
    return s;
}

static enum status read_weights(const struct files *f, const char *blocks_name, const char *scales_name,
                                struct npy *blocks, struct npy *scales, struct error *e)
{
    const size_t shape[] = {f->experts, f->N, f->K / MXFP4_BLOCK, MXFP4_BLOCK_BYTES};
    enum status s = read_array(f, blocks_name, NPY_U1, 4, shape, blocks, e);
    return s == STATUS_OK ? read_array(f, scales_name, NPY_U1, 3, shape, scales, e) : s;
}

enum status files_open(const char *folder, struct files *out, struct error *e)
{
    struct files *f = calloc(1, sizeof *f);
    if (!f)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a folder");
    enum status s = STATUS_OK;
    if (snprintf(f->folder, sizeof f->folder, "%s", folder) >= (int)sizeof f->folder)
        s = error_set(e, STATUS_BAD_ARGUMENT, "the path of the folder is too long");
    if (s == STATUS_OK)
        s = read_emit(f, e);
    if (s == STATUS_OK)
        s = read_run(f, e);
    if (s == STATUS_OK)
        s = read_weights(f, "blocks.npy", "scales.npy", &f->blocks, &f->scales, e);
    const size_t starts[] = {f->active + 1}, ids[] = {f->active};
    if (s == STATUS_OK)
        s = read_array(f, "starts.npy", NPY_U4, 1, starts, &f->starts, e);
    if (s == STATUS_OK)
        s = read_array(f, "ids.npy", NPY_I4, 1, ids, &f->ids, e);
    /* Activations of the size that emit.json claims: from here on P costs no more memory than lies in the folder. */
    struct npy x = {0};
    if (s == STATUS_OK)
        s = read_array(f, "x_0.npy", NPY_U2, 2, (const size_t[]){f->P, f->K}, &x, e);
    npy_free(&x);
    if (s == STATUS_OK)
        *out = *f;
    else
        files_close(f);
    free(f);
    return s;
}

void files_close(struct files *f)
{
    npy_free(&f->blocks);
    npy_free(&f->scales);
    npy_free(&f->starts);
    npy_free(&f->ids);
}

struct weights files_weights(const struct files *f)
{
    return (struct weights){f->experts, f->N, f->K, f->blocks.data, f->scales.data};
}

static enum status not_as_emitted(const struct files *f, const char *name, struct error *e)
{
    char path[PATH_MAX];
    error_set(e, STATUS_BAD_INPUT,
              "not what this program emits for emit.json: changed, or of another version; emit again");
    if (file_path(f->folder, name, path, NULL) == STATUS_OK)
        error_at_path(e, path);
    return STATUS_BAD_INPUT;
}

/* The weights of the special pass are made anew by who asks; the kernel saw those in the folder. */
static enum status files_load(void *self, const struct weights *w, struct error *e)
{
    const struct files *f = self;
    struct npy blocks = {0}, scales = {0};
    if (w->blocks == f->blocks.data && w->scales == f->scales.data)
        return STATUS_OK;
    enum status s = read_weights(f, "special_blocks.npy", "special_scales.npy", &blocks, &scales, e);
    if (s == STATUS_OK && (w->experts != f->experts || w->N != f->N || w->K != f->K ||
                           memcmp(w->blocks, blocks.data, npy_count(&blocks)) != 0))
        s = not_as_emitted(f, "special_blocks.npy", e);
    if (s == STATUS_OK && memcmp(w->scales, scales.data, npy_count(&scales)) != 0)
        s = not_as_emitted(f, "special_scales.npy", e);
    npy_free(&blocks);
    npy_free(&scales);
    return s;
}

static enum status check_inputs(const struct files *f, size_t pass, const struct bf16 *x, const struct segments *s,
                                struct error *e)
{
    const size_t shape[] = {f->P, f->K};
    char name[64];
    struct npy emitted;
    if (s->rows != f->P || s->experts != f->experts || s->active != f->active ||
        memcmp(s->starts, f->starts.data, (f->active + 1) * sizeof *s->starts) != 0)
        return not_as_emitted(f, "starts.npy", e);
    if (memcmp(s->ids, f->ids.data, f->active * sizeof *s->ids) != 0)
        return not_as_emitted(f, "ids.npy", e);
    snprintf(name, sizeof name, "x_%zu.npy", pass);
    enum status status = read_array(f, name, NPY_U2, 2, shape, &emitted, e);
    if (status != STATUS_OK)
        return status;
    if (memcmp(x, emitted.data, f->P * f->K * sizeof *x) != 0)
        status = not_as_emitted(f, name, e);
    npy_free(&emitted);
    return status;
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

static enum status files_run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison,
                             struct bf16 *out, struct run_report *report, struct error *e)
{
    struct files *f = self;
    size_t pass = f->runs / 2, which = f->runs % 2;
    char path[PATH_MAX];
    bool single = false;
    enum status status = which == 0 ? check_inputs(f, pass, x, s, e) : STATUS_OK;
    if (status == STATUS_OK)
        status = files_pass_path(f->folder, "out", pass, which ? "_b" : "", path, e);
    if (status == STATUS_OK && which == 1 && access(path, F_OK) != 0) {
        single = true;
        status = files_pass_path(f->folder, "out", pass, "", path, e);
    }
    if (status == STATUS_OK && access(path, F_OK) != 0) {
        error_set(e, STATUS_IO, "no output of pass %zu; wanted <u2 (bf16 bits) or <f4 of shape (%zu, %zu)", pass, f->P,
                  f->N);
        return error_at_path(e, path), STATUS_IO;
    }
    if (status == STATUS_OK)
        status = read_output(f, path, out, e);
    if (status != STATUS_OK)
        return status;
    /* Who asks has poisons of its own: an element that still holds the one that was emitted holds it. */
    uint16_t emitted = f->poison[single ? 0 : which].bits;
    for (size_t i = 0; i < f->P * f->N; i++)
        if (out[i].bits == emitted)
            out[i] = poison;
    f->single += single;
    f->runs++;
    *report = (struct run_report){.launches = single ? 0 : 1};
    snprintf(report->kernel, sizeof report->kernel, "%s", f->kernel);
    return STATUS_OK;
}

static void files_release(void *self)
{
    (void)self; /* borrowed */
}

void files_executor(struct files *f, struct executor *out)
{
    f->runs = f->single = 0;
    *out = (struct executor){"files", f->folder, FIDELITY_UNSUPPORTED, f, files_load, files_run, files_release, {0}};
}
