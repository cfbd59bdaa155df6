#include "oracle/io/safetensors.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/io/file.h"
#include "oracle/io/json.h"

/* The length of the header comes first; the header is JSON, padded with blanks; the data follows without a gap. */
enum { LENGTH_BYTES = 8 };
/* source: the limit of the format's own implementation. */
static const uint64_t max_header_bytes = 100000000;

unsigned safetensors_dtype_bits(const char *dtype)
{
    static const struct {
        const char *name;
        unsigned bits;
    } type[] = {{"BOOL", 8},    {"U8", 8},   {"I8", 8},      {"F8_E5M2", 8}, {"F8_E4M3", 8},
                {"F8_E8M0", 8}, {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"I16", 16},
                {"U16", 16},    {"F16", 16}, {"BF16", 16},   {"I32", 32},    {"U32", 32},
                {"F32", 32},    {"I64", 64}, {"U64", 64},    {"F64", 64},    {"C64", 64}};
    for (size_t i = 0; i < sizeof type / sizeof *type; i++) {
        if (!strcmp(type[i].name, dtype))
            return type[i].bits;
    }
    return 0;
}

static bool control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

static void blank_controls(char *text)
{
    for (; *text; text++)
        *text = control(*text) ? '?' : *text;
}

static enum status refuse_list(struct error *e, const char *path, const char *field, int64_t offset, const char *why,
                               va_list ap)
{
    if (!e)
        return STATUS_BAD_INPUT;
    char text[sizeof e->why];
    vsnprintf(text, sizeof text, why, ap);
    error_set(e, STATUS_BAD_INPUT, "%s", text);
    error_at_path(e, path);
    error_at_field(e, field);
    error_at_offset(e, offset);
    /* What the file says may hold control characters, which would break the line that reports it. */
    blank_controls(e->field);
    blank_controls(e->why);
    return STATUS_BAD_INPUT;
}

STATUS_PRINTF(5, 6)
static enum status refuse(struct error *e, const char *path, const char *field, int64_t offset, const char *why, ...)
{
    va_list ap;
    va_start(ap, why);
    enum status status = refuse_list(e, path, field, offset, why, ap);
    va_end(ap);
    return status;
}

/* Where the header speaks of `name`: the byte of its opening quote, else (escapes in the name) of the header. */
static int64_t header_offset(const struct safetensors *s, const char *name)
{
    size_t length = strlen(name);
    const uint8_t *p = s->file + LENGTH_BYTES, *end = s->file + s->data_start;
    while ((p = memchr(p, '"', (size_t)(end - p)))) {
        p++;
        if ((size_t)(end - p) > length && !memcmp(p, name, length) && p[length] == '"')
            return p - 1 - s->file;
    }
    return LENGTH_BYTES;
}

/* The header's entry `name` is wrong. */
STATUS_PRINTF(4, 5)
static enum status refuse_entry(struct error *e, const struct safetensors *s, const char *name, const char *why, ...)
{
    va_list ap;
    va_start(ap, why);
    enum status status = refuse_list(e, s->path, name, header_offset(s, name), why, ap);
    va_end(ap);
    return status;
}

static enum status no_memory(struct error *e, const char *path)
{
    error_set(e, STATUS_NO_MEMORY, "no memory");
    error_at_path(e, path);
    return STATUS_NO_MEMORY;
}

/* A JSON integer that is not negative. */
static bool natural(const json_t *value, size_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (size_t)json_integer_value(value);
    return true;
}

/* dtype and shape of one header entry into t, with the bytes that they make. */
static enum status parse_shape(const struct safetensors *s, json_t *entry, struct safetensors_tensor *t,
                               struct error *e)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    json_t *shape = json_object_get(entry, "shape");
    unsigned bits = dtype ? safetensors_dtype_bits(dtype) : 0;
    if (!bits)
        return refuse_entry(e, s, t->name, dtype ? "unknown dtype %.40s" : "dtype is not a string%s",
                            dtype ? dtype : "");
    snprintf(t->dtype, sizeof t->dtype, "%s", dtype);
    if (!json_is_array(shape))
        return refuse_entry(e, s, t->name, "shape is not an array");
    if (json_array_size(shape) > SAFETENSORS_RANK)
        return refuse_entry(e, s, t->name, "more than %d dimensions", SAFETENSORS_RANK);
    t->rank = (int)json_array_size(shape);
    size_t total = bits;
    for (int i = 0; i < t->rank; i++) {
        if (!natural(json_array_get(shape, (size_t)i), &t->shape[i]))
            return refuse_entry(e, s, t->name, "extent %d of the shape is not a natural number", i);
        if (__builtin_mul_overflow(total, t->shape[i], &total))
            return refuse_entry(e, s, t->name, "a shape of more bits than 64 bits can count");
    }
    if (total % 8)
        return refuse_entry(e, s, t->name, "%zu bits of %s are not whole bytes", total, dtype);
    t->bytes = total / 8;
    return STATUS_OK;
}

/* data_offsets of one header entry, held against the bytes that dtype and shape made. */
static enum status parse_offsets(const struct safetensors *s, json_t *entry, struct safetensors_tensor *t,
                                 struct error *e)
{
    json_t *offsets = json_object_get(entry, "data_offsets");
    size_t begin, end, have = s->file_bytes - s->data_start;
    if (json_array_size(offsets) != 2 || !natural(json_array_get(offsets, 0), &begin) ||
        !natural(json_array_get(offsets, 1), &end))
        return refuse_entry(e, s, t->name, "data_offsets is not a pair of natural numbers");
    if (end < begin)
        return refuse_entry(e, s, t->name, "data_offsets decrease from %zu to %zu", begin, end);
    if (end - begin != t->bytes)
        return refuse_entry(e, s, t->name, "dtype and shape make %zu bytes, data_offsets span %zu", t->bytes,
                            end - begin);
    if (end > have)
        return refuse(e, s->path, t->name, (int64_t)s->file_bytes, "the data ends at %zu, the file's data at %zu", end,
                      have);
    t->offset = begin;
    return STATUS_OK;
}

static enum status parse_tensor(const struct safetensors *s, const char *name, json_t *entry,
                                struct safetensors_tensor *t, struct error *e)
{
    for (const char *p = name; *p; p++) {
        if (control(*p))
            return refuse_entry(e, s, name, "a control character in the name");
    }
    if (!json_is_object(entry))
        return refuse_entry(e, s, name, "the header's entry is not an object");
    t->name = strdup(name);
    if (!t->name)
        return no_memory(e, s->path);
    enum status status = parse_shape(s, entry, t, e);
    return status ? status : parse_offsets(s, entry, t, e);
}

static enum status check_metadata(const struct safetensors *s, json_t *metadata, struct error *e)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return refuse_entry(e, s, "__metadata__", "not an object");
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return refuse_entry(e, s, "__metadata__", "%.100s is not a string", key);
    }
    return STATUS_OK;
}

/* By place in the data; empty tensors before the one that begins where they stand, then by name, so that the order
 * does not depend on the header's. */
static int compare_tensors(const void *left, const void *right)
{
    const struct safetensors_tensor *a = left, *b = right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The sorted tensors cover the data without overlap, hole or rest. */
static enum status check_cover(const struct safetensors *s, struct error *e)
{
    size_t end = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct safetensors_tensor *t = &s->tensor[i];
        if (t->offset != end)
            return refuse(e, s->path, t->name, (int64_t)(s->data_start + t->offset),
                          t->offset < end ? "overlaps the tensor before it, which ends at byte %zu"
                                          : "a hole before it: the tensor before ends at byte %zu",
                          s->data_start + end);
        end += t->bytes;
    }
    if (s->data_start + end != s->file_bytes)
        return refuse(e, s->path, NULL, (int64_t)(s->data_start + end), "%zu trailing bytes belong to no tensor",
                      s->file_bytes - s->data_start - end);
    return STATUS_OK;
}

/* The header's JSON; NULL with the error set. */
static json_t *load_header(const struct safetensors *s, enum status *status, struct error *e)
{
    json_error_t json;
    size_t length = s->data_start - LENGTH_BYTES;
    if (s->file[LENGTH_BYTES] != '{') {
        *status = refuse(e, s->path, "header", LENGTH_BYTES, "does not begin with {");
        return NULL;
    }
    json_t *root = NULL;
    enum status parsed = json_load(s->file + LENGTH_BYTES, length, &root, &json);
    if (parsed == STATUS_NO_MEMORY)
        *status = no_memory(e, s->path);
    else if (parsed != STATUS_OK)
        *status = refuse(e, s->path, "header", LENGTH_BYTES + (int64_t)json.position, "line %d, column %d: %s",
                         json.line, json.column, json.text);
    return root;
}

/* data_start, from the length at the start of the file. */
static enum status parse_length(struct safetensors *s, struct error *e)
{
    uint64_t length = 0;
    if (s->file_bytes < LENGTH_BYTES)
        return refuse(e, s->path, "header", (int64_t)s->file_bytes, "the file ends inside the length of the header");
    for (int i = LENGTH_BYTES; i-- > 0;)
        length = length << 8 | s->file[i];
    if (length < 2 || length > max_header_bytes)
        return refuse(e, s->path, "header", 0, "its length %" PRIu64 " is not within 2..%" PRIu64, length,
                      max_header_bytes);
    if (length > s->file_bytes - LENGTH_BYTES)
        return refuse(e, s->path, "header", (int64_t)s->file_bytes,
                      "the file ends inside the header of %" PRIu64 " bytes", length);
    s->data_start = LENGTH_BYTES + (size_t)length;
    return STATUS_OK;
}

static enum status parse_tensors(struct safetensors *s, json_t *root, struct error *e)
{
    const char *name;
    json_t *entry;
    s->tensor = calloc(json_object_size(root) + 1, sizeof *s->tensor);
    if (!s->tensor)
        return no_memory(e, s->path);
    json_object_foreach(root, name, entry)
    {
        enum status status = strcmp(name, "__metadata__") ? parse_tensor(s, name, entry, &s->tensor[s->count++], e)
                                                          : check_metadata(s, entry, e);
        if (status)
            return status;
    }
    qsort(s->tensor, s->count, sizeof *s->tensor, compare_tensors);
    return check_cover(s, e);
}

enum status safetensors_parse(const char *path, uint8_t *bytes, size_t size, struct safetensors *out, struct error *e)
{
    struct safetensors s = {.path = strdup(path), .file = bytes, .file_bytes = size};
    json_t *root = NULL;
    enum status status = s.path ? parse_length(&s, e) : no_memory(e, path);
    if (status)
        goto cleanup;
    root = load_header(&s, &status, e);
    if (!root)
        goto cleanup;
    status = parse_tensors(&s, root, e);
    if (status)
        goto cleanup;
    *out = s;

cleanup:
    json_decref(root);
    if (status) {
        s.file = NULL; /* the caller's until we succeed */
        safetensors_free(&s);
    }
    return status;
}

enum status safetensors_read(const char *path, struct safetensors *out, struct error *e)
{
    uint8_t *bytes;
    size_t size;
    enum status status = file_read(path, 0, &bytes, &size, e);
    if (status)
        return status;
    status = safetensors_parse(path, bytes, size, out, e);
    if (status)
        free(bytes);
    return status;
}

void safetensors_free(struct safetensors *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->tensor[i].name);
    free(s->tensor);
    free(s->file);
    free(s->path);
    *s = (struct safetensors){0};
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!strcmp(s->tensor[i].name, name))
            return &s->tensor[i];
    }
    return NULL;
}

const uint8_t *safetensors_data(const struct safetensors *s, const struct safetensors_tensor *t)
{
    return s->file + s->data_start + t->offset;
}
