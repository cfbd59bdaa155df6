#include "oracle/infer/site_source.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/io/safetensors.h"
#include "reference/mxfp4.h"
#include "reference/size.h"

static const char *const coding_names[] = {"plain", "int4", "int4-offset8", "mxfp4"};
enum { CODINGS = sizeof coding_names / sizeof *coding_names };

static enum status coding_parse(const char *name, enum site_coding *out, struct error *e)
{
    for (int i = 0; i < CODINGS; i++)
        if (!name || strcmp(name, coding_names[i]) == 0) {
            *out = (enum site_coding)i;
            return STATUS_OK;
        }
    error_set(e, STATUS_BAD_ARGUMENT, "unknown coding '%.40s'; legal: plain, int4, int4-offset8, mxfp4", name);
    return error_at_field(e, "source"), STATUS_BAD_ARGUMENT;
}

/* Bytes of two codes, the low nibble first: byte j holds the codes of k = 2j and 2j + 1. */
static enum status take_codes(const uint8_t *bytes, size_t rows, size_t columns, struct site_source *out,
                              struct error *e)
{
    out->code = malloc(rows * columns);
    if (!out->code)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu x %zu codes", rows, columns);
    for (size_t i = 0; i < rows * columns; i++)
        out->code[i] = bytes[i / 2] >> 4 * (i % 2) & 15u;
    out->rows = rows;
    out->columns = columns;
    return STATUS_OK;
}

static enum status read_scales(const char *path, struct site_source *s, struct error *e)
{
    struct npy a = {0};
    if (!path)
        return error_set(e, STATUS_BAD_ARGUMENT, "source mxfp4 wants --scales, u1 [M,K/32]");
    if (s->columns % SITE_BLOCK)
        return error_set(e, STATUS_BAD_INPUT, "%s: K = %zu is not a multiple of 32", s->path, s->columns);
    enum status st = npy_read(path, &a, e);
    if (st == STATUS_OK)
        st = npy_expect(&a, path, NPY_U1, 2, (const size_t[]){s->rows, s->columns / SITE_BLOCK}, e);
    if (st == STATUS_OK) {
        s->scale = a.data;
        a.data = NULL;
    }
    npy_free(&a);
    return st;
}

static enum status read_file(const char *path, const char *scales, struct site_source *s, struct error *e)
{
    struct npy a = {0};
    enum status st = npy_read(path, &a, e);
    if (st != STATUS_OK)
        return st;
    if (a.rank != 2 || !a.shape[0] || !a.shape[1]) {
        error_set(e, STATUS_BAD_INPUT, "a matrix has two dimensions, none of them 0; this has rank %d", a.rank);
        st = error_at_path(e, path);
    } else if (s->coding == SITE_PLAIN) {
        s->rows = a.shape[0];
        s->columns = a.shape[1];
        s->plain = a;
        return STATUS_OK;
    } else {
        st = npy_expect(&a, path, NPY_U1, 2, (const size_t[]){0, 0}, e);
        if (st == STATUS_OK)
            st = take_codes(a.data, a.shape[0], 2 * a.shape[1], s, e);
        if (st == STATUS_OK && s->coding == SITE_MXFP4)
            st = read_scales(scales, s, e);
    }
    npy_free(&a);
    return st;
}

enum status site_source_read(const char *path, const char *coding, const char *scales, struct site_source *out,
                             struct error *e)
{
    struct site_source s = {.path = path};
    enum status st = coding_parse(coding, &s.coding, e);
    if (st == STATUS_OK && scales && s.coding != SITE_MXFP4)
        st = error_set(e, STATUS_BAD_ARGUMENT, "--scales belongs to source mxfp4");
    if (st == STATUS_OK)
        st = read_file(path, scales, &s, e);
    if (st == STATUS_OK)
        *out = s;
    else
        site_source_free(&s);
    return st;
}

enum status site_source_weights(const char *path, const char *tensor, uint64_t expert, struct site_source *out,
                                struct error *e)
{
    struct site_source s = {.coding = SITE_MXFP4, .path = path};
    struct safetensors file = {0};
    struct weights w;
    enum status st = safetensors_read(path, &file, e);
    if (st != STATUS_OK)
        return st;
    st = safetensors_weights(&file, tensor, &w, e);
    if (st == STATUS_OK && expert >= w.experts)
        st = error_set(e, STATUS_BAD_ARGUMENT, "there is no expert %llu, only 0 to %zu", (unsigned long long)expert,
                       w.experts - 1);
    if (st == STATUS_OK)
        st = take_codes(w.blocks + expert * w.N * (w.K / 2), w.N, w.K, &s, e);
    if (st == STATUS_OK) {
        size_t bytes = w.N * (w.K / SITE_BLOCK);
        s.scale = malloc(bytes);
        if (s.scale)
            memcpy(s.scale, w.scales + expert * bytes, bytes);
        else
            st = error_set(e, STATUS_NO_MEMORY, "no memory for %zu scales", bytes);
    }
    safetensors_free(&file);
    if (st == STATUS_OK)
        *out = s;
    else
        site_source_free(&s);
    return st;
}

void site_source_free(struct site_source *s)
{
    npy_free(&s->plain);
    free(s->code);
    free(s->scale);
    memset(s, 0, sizeof *s);
}

double site_code_value(enum site_coding coding, unsigned code)
{
    if (coding == SITE_MXFP4)
        return fp4_decode((struct fp4){(uint8_t)code});
    return int4_decode((struct int4){(uint8_t)code}, coding == SITE_INT4 ? INT4_TWOS_COMPLEMENT : INT4_OFFSET8);
}

/* What one entry is, in the type. */
typedef uint32_t entry(const struct site_source *s, const struct site_type *t, size_t i);

static uint32_t plain_bits(const struct site_source *s, const struct site_type *t, size_t i)
{
    const void *data = s->plain.data;
    switch (npy_item_size(s->plain.type)) {
    case sizeof(uint8_t):
        return ((const uint8_t *)data)[i] & t->mask;
    case sizeof(uint16_t):
        return ((const uint16_t *)data)[i] & t->mask;
    default:
        return ((const uint32_t *)data)[i] & t->mask;
    }
}
static uint32_t plain_rounded(const struct site_source *s, const struct site_type *t, size_t i)
{
    return site_type_encode(t, ((const float *)s->plain.data)[i]);
}
static uint32_t plain_cut(const struct site_source *s, const struct site_type *t, size_t i)
{
    return site_type_truncate(t, ((const float *)s->plain.data)[i]);
}
static uint32_t plain_ties_away(const struct site_source *s, const struct site_type *t, size_t i)
{
    (void)t;
    return tf32_encode_ties_away(((const float *)s->plain.data)[i]).bits;
}
static uint32_t code_bare(const struct site_source *s, const struct site_type *t, size_t i)
{
    return site_type_encode(t, site_code_value(s->coding, s->code[i]));
}
static uint32_t code_raw(const struct site_source *s, const struct site_type *t, size_t i)
{
    return site_type_encode(t, s->code[i]);
}
static uint32_t code_scaled(const struct site_source *s, const struct site_type *t, size_t i)
{
    struct bf16 x = mxfp4_decode((struct fp4){s->code[i]}, (struct e8m0){s->scale[i / SITE_BLOCK]});
    return strcmp(t->name, "bf16") == 0 ? x.bits : site_type_encode(t, bf16_decode(x));
}

/* The forms of each coding, the one that was asked for first. */
struct form_rule {
    enum site_coding coding;
    bool of_floats;   /* SITE_PLAIN: of f4 files */
    const char *only; /* this type; NULL for all */
    entry *entry;
    const char *what;
    enum fo_verdict verdict;
};
static const struct form_rule form_rules[] = {
    {SITE_PLAIN, false, NULL, plain_bits, "", FO_CONFORMS},
    {SITE_PLAIN, true, NULL, plain_rounded, "", FO_CONFORMS},
    {SITE_PLAIN, true, "tf32", plain_ties_away, "the matrix rounded with ties away from zero", FO_CONFORMS},
    {SITE_PLAIN, true, NULL, plain_cut, "the matrix cut to the type instead of rounded", FO_PERMITTED},
    {SITE_INT4, false, NULL, code_bare, "", FO_CONFORMS},
    {SITE_INT4, false, NULL, code_raw, "the bare nibbles, without their sign", FO_PERMITTED},
    {SITE_INT4_OFFSET8, false, NULL, code_bare, "", FO_CONFORMS},
    {SITE_INT4_OFFSET8, false, NULL, code_raw, "the bare nibbles, without the offset of 8", FO_PERMITTED},
    {SITE_MXFP4, false, NULL, code_scaled, "", FO_CONFORMS},
    {SITE_MXFP4, false, NULL, code_bare, "the matrix without its block scales", FO_PERMITTED},
};

static enum status check_item(const struct site_source *s, const struct site_type *t, struct error *e)
{
    static const char *const wanted[] = {[1] = "u1", [2] = "u2", [4] = "u4"};
    /* A signed integer is the bits of its own type only. */
    const bool is_signed = s->plain.type == NPY_I1 || s->plain.type == NPY_I4;
    if (s->coding != SITE_PLAIN || s->plain.type == NPY_F4 ||
        (npy_item_size(s->plain.type) == (size_t)t->bits / 8 && (!is_signed || t->name[0] == 's')))
        return STATUS_OK;
    error_set(e, STATUS_BAD_INPUT, "a matrix of %s is %s (its bits) or f4 (rounded), not %s", t->name,
              wanted[t->bits / 8], npy_type_name(s->plain.type));
    return error_at_path(e, s->path);
}

enum status site_matrix_make(const struct site_source *s, const struct site_type *t, struct site_matrix *out,
                             struct error *e)
{
    struct site_matrix m = {.source = s, .type = t, .rows = s->rows, .columns = s->columns};
    bool floats = s->coding == SITE_PLAIN && s->plain.type == NPY_F4;
    size_t count = s->rows * s->columns, bytes;
    enum status st = check_item(s, t, e);
    if (st == STATUS_OK && !size_multiply(count, sizeof(uint32_t), &bytes))
        st = error_set(e, STATUS_NO_MEMORY, "no memory for a matrix of %zu x %zu", s->rows, s->columns);
    for (size_t r = 0; st == STATUS_OK && r < sizeof form_rules / sizeof *form_rules; r++) {
        const struct form_rule *rule = &form_rules[r];
        if (rule->coding != s->coding || rule->of_floats != floats || (rule->only && strcmp(rule->only, t->name) != 0))
            continue;
        uint32_t *value = malloc(bytes);
        if (!value) {
            st = error_set(e, STATUS_NO_MEMORY, "no memory for a matrix of %zu x %zu", s->rows, s->columns);
            break;
        }
        for (size_t i = 0; i < count; i++)
            value[i] = rule->entry(s, t, i);
        m.form[m.forms++] = (struct site_form){rule->what, rule->verdict, value};
    }
    if (st == STATUS_OK)
        *out = m;
    else
        site_matrix_free(&m);
    return st;
}

void site_matrix_free(struct site_matrix *m)
{
    for (int i = 0; i < m->forms; i++)
        free(m->form[i].value);
    memset(m, 0, sizeof *m);
}
