/* pack: checkpoint tensors to the layout of the Hopper kernels and back, through files.
 *
 *     values.npy   u1 [E, Mp/4, 4Kb]    value_swizzle, then pack_bits
 *     scales.npy   u1 [E, Np/32, 32Kp]  scale_swizzle
 *     layout.json  what they are: paddings, strides, and the tensor they came from */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/answer/answer.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "oracle/io/safetensors.h"
#include "reference/mxfp4.h"

#define LAYOUT_SCHEMA "fragoracle.layout/1"

enum { DEFAULT_PAD_ROWS = 16, DEFAULT_PAD_BYTES = 32, DEFAULT_WARPS = 4, STEM_TEXT = 512 };

/* A folder of packed weights. */
struct packed {
    char values_path[PATH_MAX], scales_path[PATH_MAX], layout_path[PATH_MAX];
    char stem[STEM_TEXT];
    size_t pad_rows, pad_bytes;
    int warps;
    struct hopper_layout layout;
    size_t values_shape[3], scales_shape[3];
};

static enum status packed_paths(struct packed *p, const char *folder, struct error *e)
{
    if (snprintf(p->values_path, PATH_MAX, "%s/values.npy", folder) >= PATH_MAX ||
        snprintf(p->scales_path, PATH_MAX, "%s/scales.npy", folder) >= PATH_MAX ||
        snprintf(p->layout_path, PATH_MAX, "%s/layout.json", folder) >= PATH_MAX)
        return error_set(e, STATUS_BAD_ARGUMENT, "the path of the folder is too long");
    return STATUS_OK;
}

static enum status packed_layout(struct packed *p, size_t experts, size_t N, size_t K, struct error *e)
{
    enum status s = hopper_layout_init(&p->layout, experts, N, K, p->pad_rows, p->pad_bytes, p->warps, e);
    if (s != STATUS_OK)
        return s;
    const struct value_swizzle *v = &p->layout.values;
    const struct scale_swizzle *c = &p->layout.scales;
    p->values_shape[0] = p->scales_shape[0] = experts;
    p->values_shape[1] = value_swizzle_rows(v), p->values_shape[2] = v->stride;
    p->scales_shape[1] = scale_swizzle_rows(c), p->scales_shape[2] = c->stride;
    return STATUS_OK;
}

/* An array as layout.json describes it; strides in bytes, which here are elements. */
static json_t *json_of_array(const char *file, const size_t shape[3])
{
    return json_pack("{s:s, s:s, s:[I, I, I], s:[I, I, I]}", "file", file, "type", "|u1", "shape", (json_int_t)shape[0],
                     (json_int_t)shape[1], (json_int_t)shape[2], "strides", (json_int_t)(shape[1] * shape[2]),
                     (json_int_t)shape[2], (json_int_t)1);
}

static json_t *json_of_layout(const struct packed *p)
{
    const struct value_swizzle *v = &p->layout.values;
    const struct scale_swizzle *c = &p->layout.scales;
    json_int_t E = (json_int_t)p->layout.experts, N = (json_int_t)v->rows, blocks = (json_int_t)c->blocks;
    return json_pack(
        "{s:s, s:s, s:{s:I, s:I, s:I}, s:{s:[I, I, I, I], s:[I, I, I]}, s:I, s:I, s:i, s:I, s:I, s:I, s:I, s:o, s:o}",
        "schema", LAYOUT_SCHEMA, "tensor", p->stem, "shape", "experts", E, "N", N, "K", blocks * MXFP4_BLOCK,
        "checkpoint", "blocks", E, N, blocks, (json_int_t)MXFP4_BLOCK_BYTES, "scales", E, N, blocks, "pad_m",
        (json_int_t)p->pad_rows, "pad_k", (json_int_t)p->pad_bytes, "num_warps", p->warps, "Mp",
        (json_int_t)v->padded_rows, "Kb", (json_int_t)v->padded_row_bytes, "Np", (json_int_t)c->padded_rows, "Kp",
        (json_int_t)c->padded_blocks, "values", json_of_array("values.npy", p->values_shape), "scales",
        json_of_array("scales.npy", p->scales_shape));
}

/* layout.json goes first and comes last: while it is there, the folder is whole. */
static enum status write_packed(const struct packed *p, const char *folder, const struct weights *w,
                                const json_t *document, struct error *e)
{
    uint8_t *values = malloc(hopper_layout_value_bytes(&p->layout));
    uint8_t *scales = malloc(hopper_layout_scale_bytes(&p->layout));
    enum status s = STATUS_OK;
    if (!values || !scales)
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the packed weights of %zu experts", w->experts);
    if (s == STATUS_OK)
        s = file_make_folder(folder, e);
    if (s == STATUS_OK && unlink(p->layout_path) != 0 && errno != ENOENT) {
        s = error_set(e, STATUS_IO, "cannot remove the old one: %s", strerror(errno));
        error_at_path(e, p->layout_path);
    }
    if (s == STATUS_OK) {
        hopper_layout_forward(&p->layout, w, values, scales);
        s = npy_write(p->values_path, NPY_U1, 3, p->values_shape, values, e);
    }
    if (s == STATUS_OK)
        s = npy_write(p->scales_path, NPY_U1, 3, p->scales_shape, scales, e);
    if (s == STATUS_OK)
        s = json_write(p->layout_path, document, e);
    free(values);
    free(scales);
    return s;
}

static enum status pack_tensor(const struct fo_pack_options *o, const struct safetensors *file, struct packed *p,
                               struct fo_answer *answer, struct error *e)
{
    struct weights w;
    struct text text = {0};
    enum status s = safetensors_weights(file, o->tensor, &w, e);
    if (s == STATUS_OK)
        s = packed_layout(p, w.experts, w.N, w.K, e);
    if (s != STATUS_OK)
        return s;
    json_t *document = json_of_layout(p);
    if (!document)
        return error_set(e, STATUS_NO_MEMORY, "no memory for layout.json");
    s = write_packed(p, o->out, &w, document, e);
    if (s == STATUS_OK) {
        text_add(&text, "%s: %s, %zu experts of %zu x %zu\n  %s u1 [%zu,%zu,%zu]\n  %s u1 [%zu,%zu,%zu]\n  %s\n",
                 o->out, o->tensor, w.experts, w.N, w.K, p->values_path, p->values_shape[0], p->values_shape[1],
                 p->values_shape[2], p->scales_path, p->scales_shape[0], p->scales_shape[1], p->scales_shape[2],
                 p->layout_path);
        s = answer_make(FO_NOT_APPLICABLE, json_incref(document), &text, answer, e);
    }
    json_decref(document);
    return s;
}

int fo_pack(const struct fo_pack_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {0};
    struct safetensors file = {0};
    struct packed *p = calloc(1, sizeof *p);
    enum status s = STATUS_OK;
    if (!o->weights || !o->tensor || !o->out)
        s = error_set(&e, STATUS_BAD_ARGUMENT, "pack wants --weights FILE, --tensor STEM and --out DIR");
    else if (!p)
        s = error_set(&e, STATUS_NO_MEMORY, "no memory for a layout");
    else if (snprintf(p->stem, sizeof p->stem, "%s", o->tensor) >= (int)sizeof p->stem)
        s = error_set(&e, STATUS_BAD_ARGUMENT, "a tensor name of more than %d bytes", STEM_TEXT - 1);
    if (s == STATUS_OK) {
        p->pad_rows = o->pad_m ? o->pad_m : DEFAULT_PAD_ROWS;
        p->pad_bytes = o->pad_k ? o->pad_k : DEFAULT_PAD_BYTES;
        p->warps = o->num_warps ? o->num_warps : DEFAULT_WARPS;
        s = packed_paths(p, o->out, &e);
    }
    if (s == STATUS_OK)
        s = safetensors_read(o->weights, &file, &e);
    if (s == STATUS_OK) {
        s = pack_tensor(o, &file, p, answer, &e);
        safetensors_free(&file);
    }
    free(p);
    return answer_end(s, &e, error);
}

static enum status refuse_layout(struct error *e, const struct packed *p, const char *field, const char *why)
{
    error_set(e, STATUS_BAD_INPUT, "%s", why);
    error_at_path(e, p->layout_path);
    return error_at_field(e, field), STATUS_BAD_INPUT;
}

/* Shape and strides that layout.json claims for one array against those that its paddings give. */
static enum status check_array(const struct packed *p, const json_t *document, const char *name, const size_t want[3],
                               struct error *e)
{
    json_int_t shape[3], strides[3];
    json_error_t at;
    if (json_unpack_ex((json_t *)document, &at, 0, "{s:{s:[I, I, I!], s:[I, I, I!]}}", name, "shape", &shape[0],
                       &shape[1], &shape[2], "strides", &strides[0], &strides[1], &strides[2]) != 0)
        return refuse_layout(e, p, name, at.text);
    for (int i = 0; i < 3; i++)
        if (shape[i] < 0 || (size_t)shape[i] != want[i])
            return refuse_layout(e, p, name, "the shape is not the one that shape, paddings and warps give");
    if (strides[2] != 1 || strides[1] < 0 || (size_t)strides[1] != want[2] || strides[0] < 0 ||
        (size_t)strides[0] != want[1] * want[2])
        return refuse_layout(e, p, name, "the strides are not those of a C array without gaps");
    return STATUS_OK;
}

static enum status read_layout(struct packed *p, struct error *e)
{
    json_t *document;
    json_error_t at;
    json_int_t E, N, K, pad_rows, pad_bytes;
    const char *stem;
    enum status s = json_read(p->layout_path, LAYOUT_SCHEMA, &document, e);
    if (s != STATUS_OK)
        return s;
    if (json_unpack_ex(document, &at, 0, "{s:s, s:{s:I, s:I, s:I}, s:I, s:I, s:i}", "tensor", &stem, "shape", "experts",
                       &E, "N", &N, "K", &K, "pad_m", &pad_rows, "pad_k", &pad_bytes, "num_warps", &p->warps) != 0) {
        s = refuse_layout(e, p, "", at.text);
    } else if (strlen(stem) >= sizeof p->stem) {
        s = refuse_layout(e, p, "tensor", "the name is too long");
    } else if (E <= 0 || N <= 0 || K <= 0 || pad_rows <= 0 || pad_bytes <= 0) {
        s = refuse_layout(e, p, "shape", "extents and paddings are positive");
    } else {
        strcpy(p->stem, stem);
        p->pad_rows = (size_t)pad_rows, p->pad_bytes = (size_t)pad_bytes;
        s = packed_layout(p, (size_t)E, (size_t)N, (size_t)K, e);
        if (s != STATUS_OK)
            error_at_path(e, p->layout_path);
    }
    if (s == STATUS_OK)
        s = check_array(p, document, "values", p->values_shape, e);
    if (s == STATUS_OK)
        s = check_array(p, document, "scales", p->scales_shape, e);
    json_decref(document);
    return s;
}

static enum status read_packed_array(const char *path, const size_t shape[3], struct npy *out, struct error *e)
{
    struct npy a;
    enum status s = npy_read(path, &a, e);
    if (s != STATUS_OK)
        return s;
    s = npy_expect(&a, path, NPY_U1, 3, shape, e);
    if (s == STATUS_OK)
        *out = a;
    else
        npy_free(&a);
    return s;
}

/* values and scales back to STEM_blocks and STEM_scales in one file. */
static enum status write_checkpoint(const struct packed *p, const struct npy *values, const struct npy *scales,
                                    const char *out, struct error *e)
{
    size_t E = p->layout.experts, N = p->layout.values.rows, blocks = p->layout.scales.blocks;
    char blocks_name[STEM_TEXT + 8], scales_name[STEM_TEXT + 8];
    uint8_t *codes = malloc(E * N * blocks * MXFP4_BLOCK_BYTES), *bytes = malloc(E * N * blocks);
    enum status s = STATUS_OK;
    if (!codes || !bytes)
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the weights of %zu experts", E);
    if (s == STATUS_OK)
        s = hopper_layout_inverse(&p->layout, values->data, scales->data, codes, bytes, e);
    if (s == STATUS_OK) {
        snprintf(blocks_name, sizeof blocks_name, "%s_blocks", p->stem);
        snprintf(scales_name, sizeof scales_name, "%s_scales", p->stem);
        const struct safetensors_entry entry[] = {
            {blocks_name, "U8", 4, {E, N, blocks, MXFP4_BLOCK_BYTES}, codes},
            {scales_name, "U8", 3, {E, N, blocks}, bytes},
        };
        s = safetensors_write(out, entry, 2, NULL, e);
    }
    free(codes);
    free(bytes);
    return s;
}

int fo_unpack(const struct fo_unpack_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {0};
    struct npy values = {0}, scales = {0};
    struct text text = {0};
    struct packed *p = calloc(1, sizeof *p);
    enum status s = STATUS_OK;
    if (!o->in || !o->out)
        s = error_set(&e, STATUS_BAD_ARGUMENT, "unpack wants --in DIR, a folder that pack wrote, and --out FILE");
    else if (!p)
        s = error_set(&e, STATUS_NO_MEMORY, "no memory for a layout");
    if (s == STATUS_OK)
        s = packed_paths(p, o->in, &e);
    if (s == STATUS_OK)
        s = read_layout(p, &e);
    if (s == STATUS_OK)
        s = read_packed_array(p->values_path, p->values_shape, &values, &e);
    if (s == STATUS_OK)
        s = read_packed_array(p->scales_path, p->scales_shape, &scales, &e);
    if (s == STATUS_OK)
        s = write_checkpoint(p, &values, &scales, o->out, &e);
    if (s == STATUS_OK) {
        const struct hopper_layout *l = &p->layout;
        json_int_t E = (json_int_t)l->experts, N = (json_int_t)l->values.rows;
        json_int_t K = (json_int_t)(l->scales.blocks * MXFP4_BLOCK);
        text_add(&text, "%s: %s_blocks and %s_scales, %zu experts of %zu x %zu\n", o->out, p->stem, p->stem, l->experts,
                 l->values.rows, l->scales.blocks * MXFP4_BLOCK);
        s = answer_make(FO_NOT_APPLICABLE,
                        json_pack("{s:s, s:o, s:o, s:s, s:{s:I, s:I, s:I}}", "schema", "fragoracle.unpack/1", "in",
                                  json_name(o->in), "out", json_name(o->out), "tensor", p->stem, "shape", "experts", E,
                                  "N", N, "K", K),
                        &text, answer, &e);
    }
    npy_free(&values);
    npy_free(&scales);
    free(p);
    return answer_end(s, &e, error);
}
