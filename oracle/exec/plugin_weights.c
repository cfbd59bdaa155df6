#include "oracle/exec/plugin_weights.h"

#include <math.h>
#include <string.h>

#include "reference/mxfp4.h"
#include "reference/size.h"

enum { SCALES = 256 };

static const struct type {
    const char *name;
    unsigned bits; /* of one weight */
} types[] = {
    [FO_WEIGHT_BF16] = {"bf16", 16}, [FO_WEIGHT_F16] = {"f16", 16},          [FO_WEIGHT_E4M3] = {"e4m3", 8},
    [FO_WEIGHT_INT4] = {"int4", 4},  [FO_WEIGHT_INT4_OFFSET8] = {"int4", 4}, [FO_WEIGHT_MXFP4] = {"mxfp4", 4},
};
enum { TYPES = sizeof types / sizeof *types };

const char *plugin_type_name(enum fo_weight_type type)
{
    return types[type].name;
}

enum status plugin_format_complete(struct plugin_format *f, struct error *e)
{
    if ((unsigned)f->type >= TYPES)
        return error_set(e, STATUS_BAD_INPUT, "weight type %u: legal are 0 to %d", (unsigned)f->type, TYPES - 1);
    if ((unsigned)f->layout > FO_LAYOUT_HOPPER)
        return error_set(e, STATUS_BAD_INPUT, "weight layout %u: legal are 0 and 1", (unsigned)f->layout);
    if (f->layout == FO_LAYOUT_HOPPER && f->type != FO_WEIGHT_MXFP4)
        return error_set(e, STATUS_BAD_INPUT, "the Hopper layout is one of mxfp4 weights, not of %s",
                         plugin_type_name(f->type));
    f->block_scales = f->block_scales || f->type == FO_WEIGHT_MXFP4;
    f->pad_rows = f->pad_rows ? f->pad_rows : 16;
    f->pad_bytes = f->pad_bytes ? f->pad_bytes : 32;
    f->warps = f->warps ? f->warps : 4;
    return STATUS_OK;
}

void plugin_format_limits(const struct plugin_format *f, struct executor_limits *limits)
{
    const struct e8m0 one = {E8M0_BIAS};
    uint32_t bits;
    /* bf16 has every product of a code and a scale, the others only those of scales near 1. */
    limits->no_scales = !f->block_scales && f->type != FO_WEIGHT_BF16;
    limits->no_codes = 0;
    for (uint8_t code = 0; code < FP4_CODES; code++)
        if (!plugin_weight_encode(f, (struct fp4){code}, one, &bits))
            limits->no_codes |= (uint16_t)(1u << code);
}

static bool encode_f16(float value, uint32_t *bits)
{
    struct f16 x = f16_encode(value);
    *bits = x.bits;
    return isnan(value) || f16_decode(x) == value;
}

/* Encoding saturates, so that Inf comes back as something else. */
static bool encode_e4m3(float value, uint32_t *bits)
{
    struct e4m3 x = e4m3_encode(value);
    *bits = x.bits;
    return isnan(value) || e4m3_decode(x) == value;
}

static bool encode_int4(float value, int offset, uint32_t *bits)
{
    if (!(value >= -8.0f && value <= 7.0f) || value != floorf(value))
        return false;
    *bits = (uint32_t)((int)value + offset) & (INT4_CODES - 1);
    return true;
}

bool plugin_weight_encode(const struct plugin_format *f, struct fp4 code, struct e8m0 scale, uint32_t *bits)
{
    struct bf16 product = mxfp4_decode(code, f->block_scales ? (struct e8m0){E8M0_BIAS} : scale);
    switch (f->type) {
    case FO_WEIGHT_BF16:
        *bits = product.bits;
        return true;
    case FO_WEIGHT_F16:
        return encode_f16(bf16_decode(product), bits);
    case FO_WEIGHT_E4M3:
        return encode_e4m3(bf16_decode(product), bits);
    case FO_WEIGHT_INT4:
        return encode_int4(bf16_decode(product), 0, bits);
    case FO_WEIGHT_INT4_OFFSET8:
        return encode_int4(bf16_decode(product), INT4_OFFSET, bits);
    case FO_WEIGHT_MXFP4:
        break;
    }
    *bits = code.bits & (FP4_CODES - 1);
    return true;
}

static enum status hopper_of(const struct plugin_format *f, const struct weights *w, struct hopper_layout *l,
                             struct error *e)
{
    return hopper_layout_init(l, w->experts, w->N, w->K, f->pad_rows, f->pad_bytes, (int)f->warps, e);
}

enum status plugin_weights_size(const struct plugin_format *f, const struct weights *w, size_t *value_bytes,
                                size_t *scale_bytes, struct error *e)
{
    struct hopper_layout l;
    size_t count, bits;
    if (w->K % MXFP4_BLOCK != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "K = %zu is not a multiple of %d", w->K, MXFP4_BLOCK);
    if (!size_multiply(w->experts, w->N, &count) || !size_multiply(count, w->K, &count) ||
        !size_multiply(count, types[f->type].bits, &bits))
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu experts of %zu x %zu weights are too many", w->experts, w->N,
                         w->K);
    if (f->layout == FO_LAYOUT_HOPPER) {
        enum status s = hopper_of(f, w, &l, e);
        if (s == STATUS_OK) {
            *value_bytes = hopper_layout_value_bytes(&l);
            *scale_bytes = hopper_layout_scale_bytes(&l);
        }
        return s;
    }
    *value_bytes = bits / 8;
    *scale_bytes = f->block_scales ? count / MXFP4_BLOCK : 0;
    return STATUS_OK;
}

/* What every pair of a code and a scale is in this type. */
struct table {
    uint16_t bits[SCALES][FP4_CODES];
    bool has[SCALES][FP4_CODES];
};

static void table_make(const struct plugin_format *f, struct table *t)
{
    for (unsigned scale = 0; scale < SCALES; scale++)
        for (unsigned code = 0; code < FP4_CODES; code++) {
            uint32_t bits = 0;
            t->has[scale][code] =
                plugin_weight_encode(f, (struct fp4){(uint8_t)code}, (struct e8m0){(uint8_t)scale}, &bits);
            t->bits[scale][code] = (uint16_t)bits;
        }
}

static void store(uint8_t *values, unsigned bits, size_t at, uint16_t value)
{
    if (bits == 16)
        memcpy(values + 2 * at, &value, sizeof value);
    else if (bits == 8)
        values[at] = (uint8_t)value;
    else if (at % 2 == 0)
        values[at / 2] = (uint8_t)value;
    else
        values[at / 2] |= (uint8_t)(value << 4);
}

static enum status convert_rows(const struct plugin_format *f, const struct weights *w, uint8_t *values,
                                struct error *e)
{
    struct table t;
    size_t count = w->experts * w->N * w->K;
    table_make(f, &t);
    for (size_t i = 0; i < count; i++) {
        unsigned code = w->blocks[i / 2] >> (i % 2 * 4) & 0xfu, scale = w->scales[i / MXFP4_BLOCK];
        if (!t.has[scale][code])
            return error_set(e, STATUS_BAD_ARGUMENT,
                             "not applicable: %s cannot hold %g (code %u, scale %u) of expert %zu, row %zu, k %zu",
                             plugin_type_name(f->type),
                             bf16_decode(mxfp4_decode((struct fp4){(uint8_t)code}, (struct e8m0){(uint8_t)scale})),
                             code, scale, i / w->K / w->N, i / w->K % w->N, i % w->K);
        store(values, types[f->type].bits, i, t.bits[scale][code]);
    }
    return STATUS_OK;
}

enum status plugin_weights_convert(const struct plugin_format *f, const struct weights *w, uint8_t *values,
                                   uint8_t *scales, struct error *e)
{
    struct hopper_layout l;
    enum status s;
    if (f->layout == FO_LAYOUT_HOPPER) {
        s = hopper_of(f, w, &l, e);
        if (s == STATUS_OK)
            hopper_layout_forward(&l, w, values, scales);
        return s;
    }
    s = convert_rows(f, w, values, e);
    if (s == STATUS_OK && f->block_scales)
        memcpy(scales, w->scales, w->experts * w->N * (w->K / MXFP4_BLOCK));
    return s;
}
