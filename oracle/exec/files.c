#include "oracle/exec/files.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "reference/mxfp4.h"

static enum status refuse(struct error *e, const char *path, const char *field, const char *why)
{
    error_set(e, STATUS_BAD_INPUT, "%s", why);
    error_at_path(e, path);
    return error_at_field(e, field), STATUS_BAD_INPUT;
}

/* What json_unpack says when it runs out of memory, or does not say, is of no use. */
static enum status no_memory(struct error *e, const char *path)
{
    error_set(e, STATUS_NO_MEMORY, "no memory for the document");
    return error_at_path(e, path), STATUS_NO_MEMORY;
}

static bool extent_ok(json_int_t x)
{
    return x >= 1 && x <= INT32_MAX;
}

/* A file beside emit.json: no path leads out of the folder, none is the folder. */
static bool take_name(char to[FILES_NAME], const char *name)
{
    if (!*name || *name == '.' || strchr(name, '/') || strlen(name) >= FILES_NAME)
        return false;
    memcpy(to, name, strlen(name) + 1);
    return true;
}

static bool take_outputs(const json_t *outs, struct files_pass *out)
{
    out->outs = json_array_size(outs);
    if (out->outs < 1 || out->outs > FILES_RUNS)
        return false;
    for (size_t i = 0; i < out->outs; i++) {
        const char *name = json_string_value(json_array_get(outs, i));
        if (!name || !take_name(out->out[i], name))
            return false;
    }
    return true;
}

/* Segments stand in a pass where passes differ in them, else once for all: those two. */
static enum status parse_pass(json_t *entry, const char *starts, const char *ids, const char *path, const char *field,
                              struct files_pass *out, struct error *e)
{
    const char *blocks, *scales, *x;
    json_t *outs;
    bool found = json_unpack(entry, "{s:s, s:s, s:s, s?s, s?s, s:o}", "blocks", &blocks, "scales", &scales, "x", &x,
                             "starts", &starts, "ids", &ids, "out", &outs) == 0;
    if (found && take_name(out->blocks, blocks) && take_name(out->scales, scales) && take_name(out->x, x) &&
        take_name(out->starts, starts) && take_name(out->ids, ids) && take_outputs(outs, out))
        return STATUS_OK;
    return refuse(e, path, field, "wanted names of files here: blocks, scales, x, and out, a list of 1 or 2");
}

static enum status parse_passes(const json_t *list, const char *starts, const char *ids, const char *path,
                                struct files *f, struct error *e)
{
    f->passes = json_array_size(list);
    if (f->passes == 0)
        return refuse(e, path, "passes", "wanted a list of passes");
    f->pass = calloc(f->passes, sizeof *f->pass);
    if (!f->pass)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu passes", f->passes);
    enum status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < f->passes; i++) {
        char field[FILES_NAME];
        snprintf(field, sizeof field, "passes[%zu]", i);
        s = parse_pass(json_array_get(list, i), starts, ids, path, field, &f->pass[i], e);
        f->runs += f->pass[i].outs;
    }
    return s;
}

static enum status parse_emit(json_t *document, const char *path, struct files *f, struct error *e)
{
    json_int_t P, N, K, experts, active, seed, poison[FILES_RUNS];
    const char *probe, *weights, *starts, *ids, *inputs = "", *note = "";
    json_t *passes;
    int dense = 0, no_scales = 0;
    json_error_t at;
    if (json_unpack_ex(document, &at, 0,
                       "{s:s, s:{s:I,s:I,s:I,s:I,s:I}, s:b, s:I, s:s, s:{s:s,s:s}, s:[{s:I},{s:I}], s:o, s?s, "
                       "s?{s:b,s:b}, s?s}",
                       "probe", &probe, "shape", "P", &P, "N", &N, "K", &K, "experts", &experts, "segments", &active,
                       "historical", &f->historical, "seed", &seed, "weights", &weights, "segments", "starts", &starts,
                       "ids", &ids, "poison", "bits", &poison[0], "bits", &poison[1], "passes", &passes, "inputs",
                       &inputs, "limits", "dense", &dense, "no_scales", &no_scales, "note", &note) != 0)
        return refuse(e, path, "", at.text);
    if (!extent_ok(P) || !extent_ok(N) || !extent_ok(K) || !extent_ok(experts) || !extent_ok(active) ||
        K % MXFP4_BLOCK != 0 || (f->historical && P > K))
        return refuse(e, path, "shape", "not a shape that emit writes");
    if (poison[0] < 0 || poison[0] > UINT16_MAX || poison[1] < 0 || poison[1] > UINT16_MAX || poison[0] == poison[1])
        return refuse(e, path, "poison", "wanted two different patterns of 16 bits");
    if (seed < 0)
        return refuse(e, path, "seed", "wanted a number from 0");
    if (!take_name(f->probe, probe))
        return refuse(e, path, "probe", "not a probe that emit knows");
    f->P = (size_t)P, f->N = (size_t)N, f->K = (size_t)K;
    f->experts = (size_t)experts, f->active = (size_t)active, f->seed = (uint64_t)seed;
    f->poison[0].bits = (uint16_t)poison[0], f->poison[1].bits = (uint16_t)poison[1];
    f->limits = (struct executor_limits){.no_segments = dense, .no_scales = no_scales};
    snprintf(f->weights, sizeof f->weights, "%s", weights);
    snprintf(f->note, sizeof f->note, "%s", note);
    snprintf(f->inputs, sizeof f->inputs, "%s", inputs);
    return parse_passes(passes, starts, ids, path, f, e);
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
    return json_starved() ? no_memory(e, path) : s;
}

static bool fidelity_named(const char *name, enum fidelity *out)
{
    for (int i = FIDELITY_HARDWARE; i <= FIDELITY_UNSTATED; i++)
        if (strcmp(name, fidelity_name((enum fidelity)i)) == 0) {
            *out = (enum fidelity)i;
            return true;
        }
    return false;
}

/* What the user says about the run. A fidelity is a claim, so only the words of the project count. */
static enum status parse_run(json_t *document, const char *path, struct files *f, struct error *e)
{
    const char *kernel = "unstated", *fidelity = "unstated", *device = "", *inputs = NULL;
    enum fidelity stated;
    json_error_t at;
    if (json_unpack_ex(document, &at, 0, "{s?s, s?s, s?s, s?s}", "kernel", &kernel, "fidelity", &fidelity, "device",
                       &device, "inputs", &inputs) != 0)
        return refuse(e, path, "", at.text);
    if (!fidelity_named(fidelity, &stated))
        return refuse(e, path, "fidelity",
                      "wanted hardware, hardware-instrumented, bit-exact model, approximate or unsupported");
    if (inputs && strcmp(inputs, f->inputs) != 0)
        return refuse(e, path, "inputs", "the outputs belong to other inputs than emit.json: run the kernel again");
    snprintf(f->kernel, sizeof f->kernel, "%s", kernel);
    f->fidelity = stated;
    snprintf(f->device, sizeof f->device, "%s", device);
    return STATUS_OK;
}

static enum status read_run(struct files *f, struct error *e)
{
    char path[PATH_MAX];
    json_t *document;
    snprintf(f->kernel, sizeof f->kernel, "unstated");
    f->fidelity = FIDELITY_UNSTATED;
    enum status s = file_path(f->folder, "run.json", path, e);
    if (s != STATUS_OK || access(path, F_OK) != 0)
        return s;
    s = json_read(path, NULL, &document, e);
    if (s != STATUS_OK)
        return s;
    s = parse_run(document, path, f, e);
    json_decref(document);
    return json_starved() ? no_memory(e, path) : s;
}

enum status files_read_array(const struct files *f, const char *name, enum npy_type type, int rank, const size_t *shape,
                             struct npy *out, struct error *e)
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

/* Arrays of the sizes that emit.json claims: from here on its extents cost no more memory than lies in the folder. */
static enum status read_first_pass(struct files *f, struct error *e)
{
    const size_t blocks[] = {f->experts, f->N, f->K / MXFP4_BLOCK, MXFP4_BLOCK_BYTES}, x[] = {f->P, f->K};
    const size_t starts[] = {f->active + 1}, ids[] = {f->active};
    const struct files_pass *first = f->pass;
    struct npy a = {0};
    enum status s = files_read_array(f, first->blocks, NPY_U1, 4, blocks, &f->blocks, e);
    if (s == STATUS_OK)
        s = files_read_array(f, first->scales, NPY_U1, 3, blocks, &f->scales, e);
    if (s == STATUS_OK)
        s = files_read_array(f, first->starts, NPY_U4, 1, starts, &a, e);
    npy_free(&a);
    if (s == STATUS_OK)
        s = files_read_array(f, first->ids, NPY_I4, 1, ids, &a, e);
    npy_free(&a);
    if (s == STATUS_OK)
        s = files_read_array(f, first->x, NPY_U2, 2, x, &a, e);
    npy_free(&a);
    return s;
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
        s = read_first_pass(f, e);
    if (s == STATUS_OK)
        *out = *f;
    else
        files_close(f);
    free(f);
    return s;
}

void files_close(struct files *f)
{
    free(f->pass);
    npy_free(&f->blocks);
    npy_free(&f->scales);
    f->pass = NULL;
    f->passes = 0;
}

struct weights files_weights(const struct files *f)
{
    return (struct weights){f->experts, f->N, f->K, f->blocks.data, f->scales.data};
}
