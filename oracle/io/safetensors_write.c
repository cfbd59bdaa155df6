/* The writing half of safetensors.h. */
#include "oracle/io/safetensors.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "oracle/io/file.h"

enum { LENGTH_BYTES = 8, HEADER_ALIGNMENT = 8 };

static enum status refuse(struct error *e, enum status s, const char *path, const char *field, const char *why)
{
    error_set(e, s, "%s", why);
    error_at_path(e, path);
    error_at_field(e, field);
    return s;
}

/* Put `value`, owned, under `key`. A failed allocation (of value too) and a text that is not UTF-8 look alike to
 * jansson; errno, cleared by the caller, tells them apart. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static enum status put_failed(struct error *e, const char *path, const char *field)
{
    return errno == ENOMEM ? refuse(e, STATUS_NO_MEMORY, path, field, "no memory")
                           : refuse(e, STATUS_BAD_ARGUMENT, path, field, "not UTF-8");
}

static json_t *natural_array(const size_t *value, int count)
{
    json_t *array = json_array();
    for (int i = 0; array && i < count; i++) {
        if (json_array_append_new(array, json_integer((json_int_t)value[i]))) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

static enum status entry_bytes(const char *path, const struct safetensors_entry *t, size_t *bytes, struct error *e)
{
    size_t total = safetensors_dtype_bits(t->dtype);
    if (!total)
        return refuse(e, STATUS_BAD_ARGUMENT, path, t->name, "unknown dtype");
    if (t->rank < 0 || t->rank > SAFETENSORS_RANK)
        return refuse(e, STATUS_BAD_ARGUMENT, path, t->name, "more dimensions than the format's readers take");
    for (int i = 0; i < t->rank; i++) {
        if (t->shape[i] > INT64_MAX || __builtin_mul_overflow(total, t->shape[i], &total))
            return refuse(e, STATUS_BAD_ARGUMENT, path, t->name, "a shape of more bits than 64 bits can count");
    }
    if (total % 8)
        return refuse(e, STATUS_BAD_ARGUMENT, path, t->name, "its bits are not whole bytes");
    *bytes = total / 8;
    return STATUS_OK;
}

/* Add the header's entry of one tensor, whose data lies at begin..end. */
static enum status put_entry(json_t *root, const char *path, const struct safetensors_entry *t, size_t begin,
                             size_t end, struct error *e)
{
    if (!strcmp(t->name, "__metadata__") || json_object_get(root, t->name))
        return refuse(e, STATUS_BAD_ARGUMENT, path, t->name, "a name twice, or the reserved one");
    errno = 0;
    json_t *entry = json_object();
    if (put(entry, "dtype", json_string(t->dtype)) && put(entry, "shape", natural_array(t->shape, t->rank)) &&
        put(entry, "data_offsets", natural_array((size_t[]){begin, end}, 2))) {
        if (put(root, t->name, entry))
            return STATUS_OK;
    } else {
        json_decref(entry);
    }
    return put_failed(e, path, t->name);
}

static enum status put_metadata(json_t *root, const char *path, const char *const *metadata, struct error *e)
{
    errno = 0;
    json_t *object = json_object();
    for (; object && *metadata; metadata += 2) {
        if (!put(object, metadata[0], json_string(metadata[1]))) {
            json_decref(object);
            object = NULL;
        }
    }
    return put(root, "__metadata__", object) ? STATUS_OK : put_failed(e, path, "__metadata__");
}

/* The header, NULL with the error set, and the bytes of all data. */
static json_t *make_header(const char *path, const struct safetensors_entry *entry, size_t count,
                           const char *const *metadata, size_t *data_bytes, enum status *status, struct error *e)
{
    size_t end = 0;
    json_t *root = json_object();
    enum status s = root ? STATUS_OK : refuse(e, STATUS_NO_MEMORY, path, NULL, "no memory");
    if (!s && metadata && *metadata)
        s = put_metadata(root, path, metadata, e);
    for (size_t i = 0; !s && i < count; i++) {
        size_t bytes, begin = end;
        s = entry_bytes(path, &entry[i], &bytes, e);
        if (!s && __builtin_add_overflow(begin, bytes, &end))
            s = refuse(e, STATUS_BAD_ARGUMENT, path, entry[i].name, "more bytes than an address can count");
        if (!s)
            s = put_entry(root, path, &entry[i], begin, end, e);
    }
    *data_bytes = end;
    *status = s;
    if (!s)
        return root;
    json_decref(root);
    return NULL;
}

enum status safetensors_write(const char *path, const struct safetensors_entry *entry, size_t count,
                              const char *const *metadata, struct error *e)
{
    size_t data_bytes, total;
    uint8_t *file = NULL;
    enum status s;
    json_t *root = make_header(path, entry, count, metadata, &data_bytes, &s, e);
    if (!root)
        return s;
    /* Not json_dumps: where its buffer cannot grow it drops keys and succeeds (seen in 2.14). json_dumpb has none. */
    size_t length = json_dumpb(root, NULL, 0, JSON_COMPACT);
    size_t padded = (length + HEADER_ALIGNMENT - 1) / HEADER_ALIGNMENT * HEADER_ALIGNMENT;
    if (length && !__builtin_add_overflow(LENGTH_BYTES + padded, data_bytes, &total))
        file = malloc(total);
    if (!file || json_dumpb(root, (char *)file + LENGTH_BYTES, length, JSON_COMPACT) != length) {
        s = refuse(e, STATUS_NO_MEMORY, path, NULL, "no memory for the file");
        goto cleanup;
    }
    for (int i = 0; i < LENGTH_BYTES; i++)
        file[i] = (uint8_t)(padded >> 8 * i);
    memset(file + LENGTH_BYTES + length, ' ', padded - length);
    uint8_t *at = file + LENGTH_BYTES + padded;
    for (size_t i = 0; i < count; i++) {
        size_t bytes;
        entry_bytes(path, &entry[i], &bytes, NULL);
        if (bytes)
            memcpy(at, entry[i].data, bytes);
        at += bytes;
    }
    s = file_write(path, file, total, e);

cleanup:
    free(file);
    json_decref(root);
    return s;
}
