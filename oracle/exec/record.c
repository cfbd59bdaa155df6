#include "oracle/exec/record.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/io/file.h"
#include "reference/mxfp4.h"

struct record_pass {
    size_t weights, x, segments, runs;
};

enum seen_kind { SEEN_WEIGHTS, SEEN_X, SEEN_SEGMENTS, SEEN_KINDS };

struct record_seen {
    enum seen_kind kind;
    size_t index;
    char hash[65];
};

/* Outputs that lie there belong to other inputs. */
static enum status refuse_old_outputs(const char *folder, struct error *e)
{
    DIR *list = opendir(folder);
    if (!list && (errno == ENOENT || errno == ENOTDIR))
        return STATUS_OK; /* made, or not, when something is written */
    if (!list) {
        error_set(e, errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_IO, "cannot list: %s", strerror(errno));
        return error_at_path(e, folder);
    }
    enum status s = STATUS_OK;
    const struct dirent *entry;
    char path[PATH_MAX];
    while (s == STATUS_OK && (entry = readdir(list))) {
        size_t length = strlen(entry->d_name);
        if (strncmp(entry->d_name, "out_", 4) != 0 || length < 8 || strcmp(entry->d_name + length - 4, ".npy") != 0)
            continue;
        s = error_set(e, STATUS_BAD_ARGUMENT, "an output of an earlier run lies there: remove it, or emit elsewhere");
        if (file_path(folder, entry->d_name, path, NULL) == STATUS_OK)
            error_at_path(e, path);
    }
    closedir(list);
    return s;
}

enum status record_begin(const char *folder, enum weights_form form, const struct executor_limits *limits,
                         struct record *out, struct error *e)
{
    char path[PATH_MAX];
    enum status s = file_path(folder, "emit.json", path, e);
    if (s == STATUS_OK)
        s = refuse_old_outputs(folder, e);
    if (s != STATUS_OK)
        return s;
    *out = (struct record){.form = form, .limits = *limits};
    snprintf(out->folder, sizeof out->folder, "%s", folder);
    return STATUS_OK;
}

/* While emit.json is there, the folder is whole: from here on it is not. */
static enum status open_folder(const struct record *r, struct error *e)
{
    char path[PATH_MAX];
    enum status s = file_path(r->folder, "emit.json", path, e);
    if (s == STATUS_OK)
        s = file_make_folder(r->folder, e);
    if (s == STATUS_OK && unlink(path) != 0 && errno != ENOENT) {
        s = error_set(e, STATUS_IO, "cannot remove the old one: %s", strerror(errno));
        error_at_path(e, path);
    }
    return s;
}

void record_free(struct record *r)
{
    free(r->pass);
    free(r->seen);
    memset(r, 0, sizeof *r);
}

/* Index of the same bytes among the files of this kind, or `next`, which is then new. The hash goes into a hash of all,
 * so it covers every array of an input. */
static enum status find_seen(struct record *r, enum seen_kind kind, const char hash[65], size_t next, size_t *index,
                             struct error *e)
{
    for (size_t i = 0; i < r->seen_count; i++)
        if (r->seen[i].kind == kind && strcmp(r->seen[i].hash, hash) == 0) {
            *index = r->seen[i].index;
            return STATUS_OK;
        }
    if (r->seen_count == r->seen_room) {
        size_t room = r->seen_room ? 2 * r->seen_room : 16;
        struct record_seen *more = realloc(r->seen, room * sizeof *more);
        if (!more)
            return error_set(e, STATUS_NO_MEMORY, "no memory for the list of inputs");
        r->seen = more;
        r->seen_room = room;
    }
    struct record_seen *new = &r->seen[r->seen_count++];
    *new = (struct record_seen){.kind = kind, .index = next};
    memcpy(new->hash, hash, sizeof new->hash);
    *index = next;
    return STATUS_OK;
}

static void hash_two(const void *a, size_t a_bytes, const void *b, size_t b_bytes, char hash[65])
{
    char both[130];
    file_sha256(a, a_bytes, both);
    file_sha256(b, b_bytes, both + 65);
    file_sha256(both, sizeof both, hash);
}

static void name_of(char name[FILES_NAME], const char *what, size_t index)
{
    snprintf(name, FILES_NAME, "%s_%zu.npy", what, index);
}

static enum status write_array(const struct record *r, const char *what, size_t index, enum npy_type type, int rank,
                               const size_t *shape, const void *data, struct error *e)
{
    char name[FILES_NAME], path[PATH_MAX];
    name_of(name, what, index);
    enum status s = file_path(r->folder, name, path, e);
    return s == STATUS_OK ? npy_write(path, type, rank, shape, data, e) : s;
}

static enum status write_form(const struct record *r, enum weights_form form, const struct weights *w, struct error *e)
{
    struct formed_weights formed;
    enum status s = weights_form_make(form, w, &formed, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; s == STATUS_OK && i < formed.arrays; i++) {
        const struct formed_array *a = &formed.array[i];
        s = write_array(r, a->name, r->current, a->type, a->rank, a->shape, a->data, e);
    }
    formed_weights_free(&formed);
    return s;
}

static enum status record_load(void *self, const struct weights *w, struct error *e)
{
    struct record *r = self;
    if (r->weights > 0 && (w->experts != r->experts || w->N != r->N || w->K != r->K))
        return error_set(e, STATUS_UNSUPPORTED, "a probe of several shapes does not go through files");
    enum status s = r->weights == 0 ? open_folder(r, e) : STATUS_OK;
    if (s != STATUS_OK)
        return s;
    char hash[65];
    size_t scales = w->experts * w->N * (w->K / MXFP4_BLOCK);
    hash_two(w->blocks, scales * MXFP4_BLOCK_BYTES, w->scales, scales, hash);
    s = find_seen(r, SEEN_WEIGHTS, hash, r->weights, &r->current, e);
    if (s != STATUS_OK || r->current < r->weights)
        return s;
    r->experts = w->experts, r->N = w->N, r->K = w->K;
    s = write_form(r, FORM_MXFP4, w, e);
    if (s == STATUS_OK && r->form != FORM_MXFP4)
        s = write_form(r, r->form, w, e);
    r->weights++;
    return s;
}

static enum status write_poison(const struct record *r, const char *name, uint16_t bits, struct error *e)
{
    const size_t shape[] = {r->P, r->N};
    char path[PATH_MAX];
    uint16_t *filled = malloc(r->P * r->N * sizeof *filled);
    if (!filled)
        return error_set(e, STATUS_NO_MEMORY, "no memory for an output of %zu x %zu", r->P, r->N);
    for (size_t i = 0; i < r->P * r->N; i++)
        filled[i] = bits;
    enum status s = file_path(r->folder, name, path, e);
    if (s == STATUS_OK)
        s = npy_write(path, NPY_U2, 2, shape, filled, e);
    free(filled);
    return s;
}

static enum status first_launch(struct record *r, const struct segments *g, struct error *e)
{
    r->P = g->rows;
    r->active = g->active;
    enum status s = write_poison(r, "poison_a.npy", FILES_POISON_A, e);
    return s == STATUS_OK ? write_poison(r, "poison_b.npy", FILES_POISON_B, e) : s;
}

static enum status record_x(struct record *r, const struct bf16 *x, size_t *index, struct error *e)
{
    const size_t shape[] = {r->P, r->K};
    char hash[65];
    file_sha256(x, r->P * r->K * sizeof *x, hash);
    enum status s = find_seen(r, SEEN_X, hash, r->xs, index, e);
    if (s != STATUS_OK || *index < r->xs)
        return s;
    r->xs++;
    return write_array(r, "x", *index, NPY_U2, 2, shape, x, e);
}

static enum status record_segments(struct record *r, const struct segments *g, size_t *index, struct error *e)
{
    const size_t starts[] = {g->active + 1}, ids[] = {g->active};
    char hash[65];
    hash_two(g->starts, starts[0] * sizeof *g->starts, g->ids, ids[0] * sizeof *g->ids, hash);
    enum status s = find_seen(r, SEEN_SEGMENTS, hash, r->segments, index, e);
    if (s != STATUS_OK || *index < r->segments)
        return s;
    r->segments++;
    s = write_array(r, "starts", *index, NPY_U4, 1, starts, g->starts, e);
    return s == STATUS_OK ? write_array(r, "ids", *index, NPY_I4, 1, ids, g->ids, e) : s;
}

static bool second_run(const struct record *r, const struct record_pass *p, struct bf16 poison)
{
    const struct record_pass *last = r->passes ? &r->pass[r->passes - 1] : NULL;
    return last && last->runs < FILES_RUNS && last->weights == p->weights && last->x == p->x &&
           last->segments == p->segments && poison.bits != r->poison.bits;
}

static enum status add_pass(struct record *r, const struct record_pass *p, struct error *e)
{
    if (r->passes == r->passes_room) {
        size_t room = r->passes_room ? 2 * r->passes_room : 16;
        struct record_pass *more = realloc(r->pass, room * sizeof *more);
        if (!more)
            return error_set(e, STATUS_NO_MEMORY, "no memory for the list of passes");
        r->pass = more;
        r->passes_room = room;
    }
    r->pass[r->passes++] = *p;
    return STATUS_OK;
}

static enum status record_run(void *self, const struct bf16 *x, const struct segments *g, struct bf16 poison,
                              struct bf16 *out, struct run_report *report, struct error *e)
{
    struct record *r = self;
    struct record_pass p = {.weights = r->current, .runs = 1};
    enum status s = STATUS_OK;
    if (r->P == 0)
        s = first_launch(r, g, e);
    else if (g->rows != r->P)
        s = error_set(e, STATUS_UNSUPPORTED, "a probe of several shapes does not go through files");
    if (s == STATUS_OK)
        s = record_segments(r, g, &p.segments, e);
    if (s == STATUS_OK)
        s = record_x(r, x, &p.x, e);
    if (s == STATUS_OK && second_run(r, &p, poison)) {
        r->pass[r->passes - 1].runs++;
    } else if (s == STATUS_OK) {
        s = add_pass(r, &p, e);
        r->poison = poison;
    }
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < r->P * r->N; i++)
        out[i] = poison;
    *report = (struct run_report){.launches = 1};
    return STATUS_OK;
}

static void release_nothing(void *self)
{
    (void)self; /* borrowed */
}

void record_executor(struct record *r, struct executor *out)
{
    *out = (struct executor){.name = "files",
                             .subject = r->folder,
                             .fidelity = FIDELITY_UNSTATED,
                             .self = r,
                             .load = record_load,
                             .run = record_run,
                             .release = release_nothing,
                             .limits = r->limits};
}

static void set_name(json_t *object, const char *key, const char *what, size_t index)
{
    char name[FILES_NAME];
    name_of(name, what, index);
    json_object_set_new(object, key, json_string(name));
}

/* A failed allocation of jansson is remembered by json.c: nothing is written then. */
static json_t *json_of_pass(const struct record *r, size_t index)
{
    const struct record_pass *p = &r->pass[index];
    json_t *pass = json_object(), *out = json_array();
    json_object_set_new(pass, "pass", json_integer((json_int_t)index));
    for (enum weights_form f = FORM_MXFP4;; f = r->form) {
        for (size_t i = 0; weights_form_array(f, i); i++)
            set_name(pass, weights_form_array(f, i), weights_form_array(f, i), p->weights);
        if (f == r->form)
            break;
    }
    set_name(pass, "x", "x", p->x);
    set_name(pass, "starts", "starts", p->segments);
    set_name(pass, "ids", "ids", p->segments);
    for (size_t run = 0; run < p->runs; run++) {
        char name[FILES_NAME];
        snprintf(name, sizeof name, run ? "out_%zu_b.npy" : "out_%zu.npy", index);
        json_array_append_new(out, json_string(name));
    }
    json_object_set_new(pass, "out", out);
    return pass;
}

static json_t *json_of_protocol(void)
{
    return json_pack(
        "[s, s, s, s]",
        "out[p][n] = bf16(sum over k of x[p][k] * W[n][k]), W the weights of the expert whose segment holds row p; "
        "zero where no segment does; a sum of zero is +0, and any NaN stands for NaN",
        "segment a is rows starts[a] .. starts[a+1]-1 with expert ids[a], and zero where there is no such expert; x is "
        "bf16 bits; byte j of a block holds "
        "element 2j in its low nibble; scale s is 2^(s-127), 255 is NaN",
        "for every pass: start from the first poison, run, write out[0]; where there is an out[1], start from the "
        "second poison, run again, write it (optional: without it `unwritten` rests on one run)",
        "outputs are [P,N]: <u2 bf16 bits, or <f4, which score rounds to bf16; in <f4 a poison is its 16 bits followed "
        "by 16 zero bits");
}

/* One hash of every input, in the order of the passes. errors: STATUS_NO_MEMORY. */
static enum status hash_inputs(const struct record *r, char hash[65], struct error *e)
{
    const size_t shape[] = {r->P, r->N, r->K, r->experts};
    size_t hashes = r->seen_count * sizeof r->seen->hash, passes = r->passes * sizeof *r->pass;
    char *all = malloc(sizeof shape + hashes + passes), *at = all;
    if (!all)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a hash of the inputs");
    memcpy(at, shape, sizeof shape);
    at += sizeof shape;
    for (size_t i = 0; i < r->seen_count; i++, at += sizeof r->seen->hash)
        memcpy(at, r->seen[i].hash, sizeof r->seen->hash);
    memcpy(at, r->pass, passes);
    file_sha256(all, sizeof shape + hashes + passes, hash);
    free(all);
    return STATUS_OK;
}

enum status record_describe(const struct record *r, json_t *document, struct error *e)
{
    char inputs[65];
    enum status s = hash_inputs(r, inputs, e);
    if (s != STATUS_OK)
        return s;
    json_object_set_new(document, "schema", json_string(FILES_SCHEMA));
    json_object_set_new(document, "shape",
                        json_pack("{s:I,s:I,s:I,s:I,s:I}", "P", (json_int_t)r->P, "N", (json_int_t)r->N, "K",
                                  (json_int_t)r->K, "experts", (json_int_t)r->experts, "segments",
                                  (json_int_t)r->active));
    json_t *segments = json_object(), *passes = json_array();
    set_name(segments, "starts", "starts", 0);
    set_name(segments, "ids", "ids", 0);
    json_object_set_new(document, "segments", segments);
    json_object_set_new(document, "poison",
                        json_pack("[{s:i,s:s},{s:i,s:s}]", "bits", FILES_POISON_A, "file", "poison_a.npy", "bits",
                                  FILES_POISON_B, "file", "poison_b.npy"));
    json_object_set_new(document, "limits",
                        json_pack("{s:b, s:b}", "dense", r->limits.no_segments, "no_scales", r->limits.no_scales));
    json_object_set_new(document, "weights_as", json_string(weights_form_name(r->form)));
    json_object_set_new(document, "inputs", json_string(inputs));
    for (size_t i = 0; i < r->passes; i++)
        json_array_append_new(passes, json_of_pass(r, i));
    json_object_set_new(document, "passes", passes);
    json_object_set_new(document, "protocol", json_of_protocol());
    return STATUS_OK;
}
