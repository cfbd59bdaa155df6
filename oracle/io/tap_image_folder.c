/* A capture from a folder: tap.json and the arrays that it names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "oracle/io/tap_image.h"

enum { NAME_SIZE = 64, DATA_RANK = 5, COUNT_RANK = 3 };

static enum status no_memory(struct error *e, const char *path)
{
    error_set(e, STATUS_NO_MEMORY, "no memory for the streams");
    return error_at_path(e, path), STATUS_NO_MEMORY;
}

static void shapes(const struct tap_image_filter *f, uint32_t words, size_t data[DATA_RANK], size_t count[COUNT_RANK])
{
    data[0] = count[0] = f->blocks;
    data[1] = count[1] = f->warpgroups;
    data[2] = f->iterations;
    data[3] = count[2] = FO_CAPTURE_THREADS;
    data[4] = words;
}

/* What members are read from: an object of the document. */
struct source {
    const char *folder, *path; /* of tap.json */
    const json_t *object;
    struct error *e;
};

static enum status refuse(const struct source *from, const char *field, const char *why)
{
    error_set(from->e, STATUS_BAD_INPUT, "%s", why);
    error_at_path(from->e, from->path);
    return error_at_field(from->e, field), STATUS_BAD_INPUT;
}

static enum status read_u32(const struct source *from, const char *name, uint32_t least, uint32_t *out)
{
    const json_t *member = json_object_get(from->object, name);
    json_int_t x = json_integer_value(member);
    if (!json_is_integer(member) || x < (json_int_t)least || x > (json_int_t)UINT32_MAX)
        return refuse(from, name, "absent, or not a number that fits");
    *out = (uint32_t)x;
    return STATUS_OK;
}

static enum status read_bool(const struct source *from, const char *name, bool *out)
{
    const json_t *member = json_object_get(from->object, name);
    if (!json_is_boolean(member))
        return refuse(from, name, "absent, or neither true nor false");
    *out = json_is_true(member);
    return STATUS_OK;
}

static enum status read_text(const struct source *from, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(from->object, name));
    if (!text || strlen(text) >= size)
        return refuse(from, name, "absent, not a text, or too long");
    strcpy(out, text);
    return STATUS_OK;
}

/* A text that may be absent; what is too long is cut. */
static void read_note(const json_t *object, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, name));
    snprintf(out, size, "%s", text ? text : "");
}

static void read_triple(const json_t *object, const char *name, uint32_t out[3])
{
    const json_t *array = json_object_get(object, name);
    for (size_t i = 0; i < 3; i++) {
        json_int_t x = json_integer_value(json_array_get(array, i));
        out[i] = x >= 0 && x <= (json_int_t)UINT32_MAX ? (uint32_t)x : 0;
    }
}

static enum status read_filter(const struct source *document, struct tap_image_filter *f)
{
    struct source from = *document;
    from.object = json_object_get(document->object, "filter");
    enum status s = read_u32(&from, "first_block", 0, &f->first_block);
    if (s == STATUS_OK)
        s = read_u32(&from, "blocks", 1, &f->blocks);
    if (s == STATUS_OK)
        s = read_u32(&from, "first_warpgroup", 0, &f->first_warpgroup);
    if (s == STATUS_OK)
        s = read_u32(&from, "warpgroups", 1, &f->warpgroups);
    if (s == STATUS_OK)
        s = read_u32(&from, "first_iteration", 0, &f->first_iteration);
    if (s == STATUS_OK)
        s = read_u32(&from, "iterations", 1, &f->iterations);
    if (s == STATUS_OK)
        s = read_bool(&from, "keep_last", &f->keep_last);
    return s;
}

static enum status read_kind(const struct source *from, enum fo_capture_kind *out)
{
    const char *text = json_string_value(json_object_get(from->object, "kind"));
    for (int kind = FO_KIND_A; text && kind <= FO_KIND_ASSERT; kind++)
        if (strcmp(text, tap_image_kind_name((enum fo_capture_kind)kind)) == 0) {
            *out = (enum fo_capture_kind)kind;
            return STATUS_OK;
        }
    return refuse(from, "kind", "absent, or no kind of words");
}

/* The array that a member names: a file of this folder. */
static enum status read_array(const struct source *from, const char *name, int rank, const size_t *shape, void **owned)
{
    char file[NAME_SIZE * 4], path[PATH_MAX];
    enum status s = read_text(from, name, file, sizeof file);
    if (s != STATUS_OK)
        return s;
    if (!file[0] || strchr(file, '/'))
        return refuse(from, name, "not the name of a file in this folder");
    struct npy array;
    s = file_path(from->folder, file, path, from->e);
    if (s == STATUS_OK)
        s = npy_read(path, &array, from->e);
    if (s != STATUS_OK)
        return s;
    s = npy_expect(&array, path, NPY_U4, rank, shape, from->e);
    if (s != STATUS_OK)
        npy_free(&array);
    else
        *owned = array.data;
    return s;
}

static enum status read_stream(const struct source *from, const struct tap_image_filter *f, struct tap_image_stream *s)
{
    bool a_mn = false, b_mn = false;
    size_t data[DATA_RANK], count[COUNT_RANK];
    enum status status = read_kind(from, &s->kind);
    if (status == STATUS_OK)
        status = read_u32(from, "site", 0, &s->site);
    if (status == STATUS_OK)
        status = read_u32(from, "accumulator", 0, &s->accumulator);
    if (status == STATUS_OK)
        status = read_u32(from, "words", 1, &s->words);
    if (status == STATUS_OK)
        status = read_text(from, "op", s->op, sizeof s->op);
    if (status == STATUS_OK)
        status = read_text(from, "operand", s->operand, sizeof s->operand);
    if (status == STATUS_OK)
        status = read_text(from, "source", s->source, sizeof s->source);
    if (status == STATUS_OK)
        status = read_bool(from, "a_mn", &a_mn);
    if (status == STATUS_OK)
        status = read_bool(from, "b_mn", &b_mn);
    s->flags = (a_mn ? FO_FLAG_A_MN : 0) | (b_mn ? FO_FLAG_B_MN : 0);
    shapes(f, s->words, data, count);
    if (status == STATUS_OK)
        status = read_array(from, "file", DATA_RANK, data, &s->owned[0]);
    if (status == STATUS_OK)
        status = read_array(from, "count_file", COUNT_RANK, count, &s->owned[1]);
    s->data = s->owned[0];
    s->counter = s->owned[1];
    return status;
}

static enum status read_document(const struct source *from, struct tap_image *image)
{
    const json_t *streams = json_object_get(from->object, "streams"), *object;
    enum status s = read_filter(from, &image->filter);
    if (s == STATUS_OK)
        s = read_u32(from, "refused", 0, &image->refused);
    if (s != STATUS_OK)
        return s;
    if (!json_is_array(streams))
        return refuse(from, "streams", "absent, or no array");
    struct tap_image_launch *l = &image->launch;
    json_int_t launch = json_integer_value(json_object_get(from->object, "launch"));
    l->launch = launch > 0 ? (uint64_t)launch : 0;
    read_note(from->object, "kernel", l->kernel, sizeof l->kernel);
    read_note(from->object, "gpu", l->gpu, sizeof l->gpu);
    read_note(from->object, "driver", l->driver, sizeof l->driver);
    read_note(from->object, "date", l->date, sizeof l->date);
    read_triple(from->object, "grid", l->grid);
    read_triple(from->object, "block", l->block);
    image->stream = calloc(json_array_size(streams) + 1, sizeof *image->stream);
    if (!image->stream)
        return no_memory(from->e, from->path);
    size_t i;
    json_array_foreach((json_t *)streams, i, object)
    {
        struct source one = *from;
        one.object = object;
        image->stream_count++;
        s = read_stream(&one, &image->filter, &image->stream[i]);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

static enum status read_folder(const char *folder, struct tap_image *out, struct error *e)
{
    char path[PATH_MAX];
    json_t *document = NULL;
    struct tap_image image = {0};
    enum status s = file_path(folder, TAP_IMAGE_JSON, path, e);
    if (s == STATUS_OK)
        s = json_read(path, TAP_IMAGE_SCHEMA, &document, e);
    if (s != STATUS_OK)
        return s;
    struct source from = {folder, path, document, e};
    s = read_document(&from, &image);
    json_decref(document);
    if (s != STATUS_OK)
        tap_image_free(&image);
    else
        *out = image;
    return s;
}

enum status tap_image_read(const char *path, struct tap_image *out, struct error *e)
{
    struct stat is;
    if (stat(path, &is) == 0 && S_ISDIR(is.st_mode))
        return read_folder(path, out, e);
    uint8_t *bytes;
    size_t size;
    enum status s = file_read(path, 0, &bytes, &size, e);
    if (s != STATUS_OK)
        return s;
    s = tap_image_take(path, bytes, size, out, e);
    if (s != STATUS_OK)
        free(bytes);
    return s;
}
