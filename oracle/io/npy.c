/* source: the format description in NumPy's numpy.lib.format, versions 1.0 and 2.0. */
#include "oracle/io/npy.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/io/file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are copied as they lie in the file");

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
enum { DATA_ALIGNMENT = 64 }; /* what NumPy writes, so that a mapped file can be used in place */

size_t npy_item_size(enum npy_type t)
{
    static const size_t size[] = {1, 2, 4, 8, 1, 4, 4};
    return size[t];
}

const char *npy_type_name(enum npy_type t)
{
    static const char *const name[] = {"|u1", "<u2", "<u4", "<u8", "|i1", "<i4", "<f4"};
    return name[t];
}

size_t npy_count(const struct npy *a)
{
    size_t count = 1;
    for (int i = 0; i < a->rank; i++)
        count *= a->shape[i];
    return count;
}

/* The header being parsed: at is the next byte, end the first that is not part of it. */
struct cursor {
    const char *path;
    const uint8_t *bytes;
    size_t at, end;
    struct error *e;
};

static enum status refuse(const struct cursor *c, const char *field, size_t offset, const char *why)
{
    error_set(c->e, STATUS_BAD_INPUT, "%s", why);
    error_at_path(c->e, c->path);
    error_at_field(c->e, field);
    error_at_offset(c->e, (int64_t)offset);
    return STATUS_BAD_INPUT;
}

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (c->bytes[c->at] == ' ' || c->bytes[c->at] == '\t' || c->bytes[c->at] == '\n'))
        c->at++;
}

/* Skip blanks, then take `byte` if it comes next. */
static bool take(struct cursor *c, char byte)
{
    skip_blanks(c);
    if (c->at == c->end || c->bytes[c->at] != (uint8_t)byte)
        return false;
    c->at++;
    return true;
}

static bool take_word(struct cursor *c, const char *word)
{
    size_t length = strlen(word);
    if (c->end - c->at < length || memcmp(c->bytes + c->at, word, length))
        return false;
    c->at += length;
    return true;
}

/* A quoted string of printable characters without escapes, shorter than size. */
static bool take_string(struct cursor *c, char *text, size_t size)
{
    char quote = take(c, '\'') ? '\'' : '"';
    if (quote == '"' && !take(c, '"'))
        return false;
    size_t length = 0;
    while (c->at < c->end && c->bytes[c->at] != (uint8_t)quote) {
        if (c->bytes[c->at] < ' ' || c->bytes[c->at] == '\\' || length + 1 == size)
            return false;
        text[length++] = (char)c->bytes[c->at++];
    }
    text[length] = '\0';
    return take(c, quote);
}

static enum status parse_descr(struct cursor *c, struct npy *a)
{
    char text[16];
    size_t at = c->at;
    if (!take_string(c, text, sizeof text))
        return refuse(c, "descr", at, "not the name of a simple type");
    for (int t = NPY_U1; t <= NPY_F4; t++) {
        if (!strcmp(text, npy_type_name(t))) {
            a->type = t;
            return STATUS_OK;
        }
    }
    if (text[0] == '>')
        return refuse(c, "descr", at, "big endian; save it as little endian");
    return refuse(c, "descr", at, "not one of |u1 <u2 <u4 <u8 |i1 <i4 <f4");
}

static enum status parse_order(struct cursor *c)
{
    size_t at = c->at;
    if (take_word(c, "False"))
        return STATUS_OK;
    if (take_word(c, "True"))
        return refuse(c, "fortran_order", at, "Fortran order; save it in C order");
    return refuse(c, "fortran_order", at, "neither True nor False");
}

static enum status parse_extent(struct cursor *c, size_t *extent)
{
    size_t at = c->at, value = 0;
    while (c->at < c->end && c->bytes[c->at] >= '0' && c->bytes[c->at] <= '9') {
        size_t digit = (size_t)(c->bytes[c->at++] - '0');
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
            return refuse(c, "shape", at, "an extent beyond 64 bits");
    }
    if (c->at == at)
        return refuse(c, "shape", at, "not an extent");
    *extent = value;
    return STATUS_OK;
}

/* A tuple: () or (3,) or (3, 4) or (3, 4,). A single extent without a comma is a number in brackets, not a tuple. */
static enum status parse_shape(struct cursor *c, struct npy *a)
{
    bool comma = true;
    size_t start = c->at;
    if (!take(c, '('))
        return refuse(c, "shape", start, "not a tuple");
    while (!take(c, ')')) {
        if (!comma)
            return refuse(c, "shape", c->at, "no comma between extents");
        if (a->rank == NPY_RANK)
            return refuse(c, "shape", c->at, "more than 6 dimensions");
        enum status s = parse_extent(c, &a->shape[a->rank]);
        if (s)
            return s;
        a->rank++;
        comma = take(c, ',');
    }
    if (a->rank == 1 && !comma)
        return refuse(c, "shape", start, "not a tuple");
    return STATUS_OK;
}

/* The dictionary {'descr': ..., 'fortran_order': ..., 'shape': ...}, in any order, each key once, and a newline. */
static enum status parse_header(struct cursor *c, struct npy *a)
{
    static const char *const key[] = {"descr", "fortran_order", "shape"};
    bool seen[3] = {false}, comma = true;
    if (!take(c, '{'))
        return refuse(c, "header", c->at, "not a dictionary");
    while (!take(c, '}')) {
        char text[16];
        size_t at = c->at;
        if (!comma || !take_string(c, text, sizeof text) || !take(c, ':'))
            return refuse(c, "header", at, "not a dictionary of descr, fortran_order and shape");
        skip_blanks(c);
        int k = 0;
        while (k < 3 && strcmp(text, key[k]))
            k++;
        if (k == 3 || seen[k])
            return refuse(c, "header", at, k == 3 ? "a key that is not descr, fortran_order or shape" : "a key twice");
        seen[k] = true;
        enum status s = k == 0 ? parse_descr(c, a) : k == 1 ? parse_order(c) : parse_shape(c, a);
        if (s)
            return s;
        comma = take(c, ',');
    }
    for (int k = 0; k < 3; k++) {
        if (!seen[k])
            return refuse(c, key[k], c->at, "absent from the header");
    }
    skip_blanks(c);
    if (c->at != c->end || c->bytes[c->end - 1] != '\n')
        return refuse(c, "header", c->at, "does not end with blanks and a newline after the dictionary");
    return STATUS_OK;
}

/* The bytes before the header: magic, version, header length. Sets c->at and c->end to the header's ends. */
static enum status parse_preamble(struct cursor *c, size_t size)
{
    if (size < sizeof magic || memcmp(c->bytes, magic, sizeof magic))
        return refuse(c, "magic", 0, "not a NumPy file");
    if (size < 8)
        return refuse(c, "version", size, "the file ends inside the version");
    uint8_t major = c->bytes[6];
    if ((major != 1 && major != 2) || c->bytes[7] != 0)
        return refuse(c, "version", 6, "neither 1.0 nor 2.0");
    size_t start = major == 1 ? 10 : 12, length = 0;
    if (size < start)
        return refuse(c, "header", size, "the file ends inside the length of the header");
    for (size_t i = start; i-- > 8;)
        length = length << 8 | c->bytes[i];
    if (length > size - start)
        return refuse(c, "header", size, "the file ends inside the header");
    c->at = start;
    c->end = start + length;
    return STATUS_OK;
}

/* Bytes of the data. An extent of zero makes no data, but does not excuse the others from fitting size_t. */
static bool data_bytes(enum npy_type type, int rank, const size_t *shape, size_t *bytes)
{
    bool empty = false;
    *bytes = npy_item_size(type);
    for (int i = 0; i < rank; i++) {
        if (shape[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(*bytes, shape[i], bytes))
            return false;
    }
    if (empty)
        *bytes = 0;
    return true;
}

enum status npy_parse(const char *path, const uint8_t *bytes, size_t size, struct npy *out, struct error *e)
{
    struct cursor c = {.path = path, .bytes = bytes, .e = e};
    struct npy a = {0};
    size_t need;
    enum status s = parse_preamble(&c, size);
    if (!s)
        s = parse_header(&c, &a);
    if (s)
        return s;
    size_t start = c.end, have = size - start;
    if (!data_bytes(a.type, a.rank, a.shape, &need))
        return refuse(&c, "shape", start, "more bytes than an address can count");
    if (have != need) {
        error_set(e, STATUS_BAD_INPUT, "%s: the shape wants %zu bytes, %zu follow the header",
                  have < need ? "truncated" : "trailing data", need, have);
        error_at_path(e, path);
        error_at_field(e, "data");
        error_at_offset(e, (int64_t)(have < need ? size : start + need));
        return STATUS_BAD_INPUT;
    }
    a.data = malloc(need ? need : 1);
    if (!a.data) {
        error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes", need);
        error_at_path(e, path);
        return STATUS_NO_MEMORY;
    }
    memcpy(a.data, bytes + start, need);
    *out = a;
    return STATUS_OK;
}

enum status npy_read(const char *path, struct npy *out, struct error *e)
{
    uint8_t *bytes;
    size_t size;
    enum status s = file_read(path, 0, &bytes, &size, e);
    if (s)
        return s;
    s = npy_parse(path, bytes, size, out, e);
    free(bytes);
    return s;
}

void npy_free(struct npy *a)
{
    free(a->data);
    *a = (struct npy){0};
}

/* A shape as Python writes it, extents of 0 as `any` if given. The longest: six extents of 20 digits. */
static const char *shape_text(int rank, const size_t *shape, const char *any, char text[160])
{
    int n = snprintf(text, 160, "(");
    for (int i = 0; i < rank; i++) {
        const char *separator = i ? ", " : "";
        n += any && shape[i] == 0 ? snprintf(text + n, 160 - (size_t)n, "%s%s", separator, any)
                                  : snprintf(text + n, 160 - (size_t)n, "%s%zu", separator, shape[i]);
    }
    snprintf(text + n, 160 - (size_t)n, rank == 1 ? ",)" : ")");
    return text;
}

enum status npy_write(const char *path, enum npy_type type, int rank, const size_t *shape, const void *data,
                      struct error *e)
{
    char dims[160], header[256];
    size_t need, total;
    if (rank < 0 || rank > NPY_RANK || !data_bytes(type, rank, shape, &need)) {
        error_set(e, STATUS_BAD_ARGUMENT, "not a shape that an array can have");
        error_at_path(e, path);
        return STATUS_BAD_ARGUMENT;
    }
    int text = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                        npy_type_name(type), shape_text(rank, shape, NULL, dims));
    size_t start = (10 + (size_t)text + 1 + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
    uint8_t *file = __builtin_add_overflow(start, need, &total) ? NULL : malloc(total);
    if (!file) {
        error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes", need);
        error_at_path(e, path);
        return STATUS_NO_MEMORY;
    }
    memcpy(file, magic, sizeof magic);
    file[6] = 1;
    file[7] = 0;
    file[8] = (uint8_t)(start - 10);
    file[9] = (uint8_t)((start - 10) >> 8);
    memcpy(file + 10, header, (size_t)text);
    memset(file + 10 + text, ' ', start - 10 - (size_t)text);
    file[start - 1] = '\n';
    if (need)
        memcpy(file + start, data, need);
    enum status s = file_write(path, file, total, e);
    free(file);
    return s;
}

enum status npy_expect(const struct npy *a, const char *path, enum npy_type type, int rank, const size_t *shape,
                       struct error *e)
{
    char wanted[160], found[160];
    assert(rank >= 0 && rank <= NPY_RANK);
    bool fits = a->type == type && a->rank == rank;
    for (int i = 0; fits && i < rank; i++)
        fits = shape[i] == 0 || shape[i] == a->shape[i];
    if (fits)
        return STATUS_OK;
    error_set(e, STATUS_BAD_INPUT, "wanted %s %s, found %s %s", npy_type_name(type),
              shape_text(rank, shape, "any", wanted), npy_type_name(a->type),
              shape_text(a->rank, a->shape, NULL, found));
    error_at_path(e, path);
    return STATUS_BAD_INPUT;
}
