#include <string.h>

#include "oracle/derive/storage.h"
#include "oracle/io/json.h"

static enum status wrong(struct error *e, const char *path, const char *field, const char *why)
{
    error_set(e, STATUS_BAD_INPUT, "%s", why);
    error_at_path(e, path);
    return error_at_field(e, field);
}

static bool read_number(const json_t *v, uint32_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > 1 << 24)
        return false;
    *out = (uint32_t)json_integer_value(v);
    return true;
}

/* [a, b] */
static bool read_pair(const json_t *v, uint32_t out[2])
{
    return json_is_array(v) && json_array_size(v) == 2 && read_number(json_array_get(v, 0), &out[0]) &&
           read_number(json_array_get(v, 1), &out[1]);
}

static const char *const dims[] = {"n", "k", "bit"};

/* "bits": {"n": [[row, position], ...], "k": [...], "bit": [...]}: an image for each bit of the extents. */
static enum status read_bits(const char *path, const json_t *v, struct layout *l, struct error *e)
{
    for (int d = 0; d < 3; d++) {
        const json_t *images = json_object_get(v, dims[d]);
        size_t want = 0;
        while (1u << want < l->domain.extent[d])
            want++;
        if (json_array_size(images) != want)
            return wrong(e, path, dims[d], "an image [row, position] is needed for every bit of the coordinate");
        for (size_t b = 0; b < want; b++)
            if (b >= LAYOUT_BITS || !read_pair(json_array_get(images, b), l->image[d][b].at))
                return wrong(e, path, dims[d], "an image is [row, position], two numbers");
    }
    return STATUS_OK;
}

/* "strides": [{"of": "k", "divisor": 1, "extent": 8, "stride": [row, position]}, ...] */
static enum status read_strides(const char *path, const json_t *v, struct layout *l, struct error *e)
{
    l->kind = LAYOUT_STRIDED;
    if (json_array_size(v) > LAYOUT_MODES)
        return wrong(e, path, "strides", "there are at most 16 modes");
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *m = json_array_get(v, i);
        const char *of = json_string_value(json_object_get(m, "of"));
        struct layout_mode *mode = &l->mode[l->modes++];
        for (mode->dim = 0; mode->dim < 3 && (!of || strcmp(of, dims[mode->dim]) != 0); mode->dim++)
            continue;
        if (mode->dim == 3 || !read_number(json_object_get(m, "divisor"), &mode->divisor) ||
            !read_number(json_object_get(m, "extent"), &mode->extent) || mode->divisor == 0 || mode->extent == 0 ||
            !read_pair(json_object_get(m, "stride"), mode->stride.at))
            return wrong(e, path, "strides",
                         "a mode has `of` (n, k or bit), `divisor`, `extent` and `stride` [row, position]");
    }
    return STATUS_OK;
}

static enum status read_word(const char *path, const json_t *v, struct storage *s, struct error *e)
{
    uint32_t seen = 0, to;
    size_t size = json_array_size(v);
    bool whole = size == 8 || size == 16 || size == 32;
    for (size_t i = 0; i < size || !whole; i++) {
        if (!whole || !read_number(json_array_get(v, i), &to) || to >= size || seen >> to & 1u)
            return wrong(e, path, "word", "8, 16 or 32 different bits of a word are needed, each below that");
        seen |= 1u << to;
        s->word[i] = (uint8_t)to;
    }
    s->word_bits = (uint32_t)size;
    return STATUS_OK;
}

static enum status read_storage(const char *path, const json_t *v, const char *field, struct storage *out,
                                struct error *e)
{
    uint32_t bits, share = 1, block[2], stored[2];
    const char *rows = json_string_value(json_object_get(v, "rows_along"));
    const json_t *columns = json_object_get(v, "columns"), *word = json_object_get(v, "word"),
                 *images = json_object_get(v, "bits"), *strides = json_object_get(v, "strides");
    if (!read_number(json_object_get(v, "width"), &bits) || !read_pair(json_object_get(v, "block"), block) ||
        !read_pair(json_object_get(v, "stored"), stored) || (columns && !read_number(columns, &share)) || !rows ||
        (strcmp(rows, "n") != 0 && strcmp(rows, "k") != 0) || !json_is_object(images) == !json_is_array(strides))
        return wrong(e, path, field,
                     "needed: width, block [n,k], stored [rows,bits], rows_along n or k, and one of bits and strides");
    for (int i = 0; i < 2; i++)
        if (block[i] > 1u << LAYOUT_BITS)
            return wrong(e, path, "block", "too large");
    if (bits > STORAGE_WORD)
        return wrong(e, path, "width", "codes have at most 32 bits");
    struct storage s = storage_block(bits, share, block[0], block[1], stored[0], stored[1]);
    s.rows_along_k = strcmp(rows, "k") == 0;
    enum status st = images ? read_bits(path, images, &s.block, e) : read_strides(path, strides, &s.block, e);
    if (st == STATUS_OK && word)
        st = read_word(path, word, &s, e);
    if (st == STATUS_OK) {
        st = storage_check(&s, e);
        if (st != STATUS_OK) {
            error_at_path(e, path);
            error_at_field(e, field);
        }
    }
    if (st == STATUS_OK)
        *out = s;
    return st;
}

enum status packing_read(const char *path, struct packing *out, struct error *e)
{
    json_t *document = NULL;
    struct packing p = {.scaled = false};
    enum status s = json_read(path, "fragoracle.storage/1", &document, e);
    if (s != STATUS_OK)
        return s;
    const char *code = json_string_value(json_object_get(document, "code"));
    const json_t *scales = json_object_get(document, "scales");
    if (!code || strlen(code) >= STORAGE_NAME) {
        s = wrong(e, path, "code", "the name of a type of codes is needed");
        goto done;
    }
    strcpy(p.code, code);
    s = read_storage(path, json_object_get(document, "values"), "values", &p.values, e);
    if (s == STATUS_OK && p.values.share != 1)
        s = wrong(e, path, "values", "only scales are shared by columns");
    p.scaled = scales != NULL;
    if (s == STATUS_OK && scales)
        s = read_storage(path, scales, "scales", &p.scales, e);
    if (s == STATUS_OK && scales && (p.scales.bits != 8 || p.scales.share < 2 || p.scales.word_bits))
        s = wrong(e, path, "scales", "scales are bytes (e8m0), shared by `columns` columns");
    if (s == STATUS_OK)
        *out = p;
done:
    json_decref(document);
    return s;
}
