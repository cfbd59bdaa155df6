#include "oracle/exec/module_tensor.h"

#include <stdio.h>
#include <string.h>

#include "oracle/exec/module_read.h"

enum { FIELD = MODULE_FIELD + 40 };

/* source: cuda.h of CUDA 13.0, CUtensorMapDataType. */
static const struct module_tensor_type types[] = {
    {"u8", VM_U8, 1, 0},   {"u16", VM_U16, 2, 1}, {"u32", VM_U32, 4, 2}, {"i32", VM_S32, 4, 3}, {"u64", VM_U64, 8, 4},
    {"i64", VM_S64, 8, 5}, {"f16", VM_F16, 2, 6}, {"f32", VM_F32, 4, 7}, {"f64", VM_F64, 8, 8}, {"bf16", VM_BF16, 2, 9},
};

const struct module_tensor_type *module_tensor_type_at(size_t i)
{
    return i < sizeof types / sizeof *types ? &types[i] : NULL;
}

const struct module_tensor_type *module_tensor_type_of(enum vm_type type)
{
    size_t i = 0;
    while (types[i].type != type)
        i++;
    return &types[i];
}

static enum status read_type(const struct module_reader *r, const json_t *value, const char *field, enum vm_type *out)
{
    const char *word = json_string_value(value);
    for (size_t i = 0; word && i < sizeof types / sizeof *types; i++)
        if (strcmp(word, types[i].name) == 0) {
            *out = types[i].type;
            return STATUS_OK;
        }
    return module_refuse(r, field, "wanted u8, u16, u32, i32, u64, i64, f16, bf16, f32 or f64");
}

/* A member whose list has one entry a dimension. */
struct dimensions {
    const char *name;
    size_t fewer; /* entries than dimensions: the stride of the first is that of its type */
    bool needed;
    char (*to)[MODULE_EXPRESSION];
};

static enum status read_dimensions(const struct module_reader *r, json_t *object, const char *field,
                                   const struct dimensions *d, size_t rank)
{
    char at[FIELD];
    const json_t *list = json_object_get(object, d->name);
    if (!list && (!d->needed || rank == d->fewer))
        return STATUS_OK;
    snprintf(at, sizeof at, "%s.tensor_map.%s", field, d->name);
    return module_read_expressions(r, list, at, rank - d->fewer, rank - d->fewer, d->to + d->fewer, NULL);
}

static enum status read_words(const struct module_reader *r, json_t *object, const char *field, struct module_tensor *t)
{
    static const char *const fills[] = {"zero", "nan", NULL};
    char at[FIELD];
    size_t fill = 0;
    uint64_t swizzle = 0;
    snprintf(at, sizeof at, "%s.tensor_map.array", field);
    enum status s = module_read_buffer(r, json_string_value(json_object_get(object, "array")), at, &t->buffer);
    if (s == STATUS_OK) {
        snprintf(at, sizeof at, "%s.tensor_map.type", field);
        s = read_type(r, json_object_get(object, "type"), at, &t->type);
    }
    if (s == STATUS_OK) {
        snprintf(at, sizeof at, "%s.tensor_map.fill", field);
        s = module_read_choice(r, json_object_get(object, "fill"), at, fills, &fill);
    }
    snprintf(at, sizeof at, "%s.tensor_map.swizzle", field);
    if (s == STATUS_OK)
        s = module_read_number(r, json_object_get(object, "swizzle"), at, 0, 128, &swizzle);
    if (s == STATUS_OK && swizzle != 0 && swizzle != 32 && swizzle != 64 && swizzle != 128)
        s = module_refuse(r, at, "wanted 0, 32, 64 or 128");
    t->fill_nan = fill == 1;
    t->swizzle = (uint8_t)swizzle;
    return s;
}

enum status module_read_tensor(const struct module_reader *r, json_t *object, const char *field, uint32_t *out)
{
    static const char *const known[] = {"array", "type", "extent", "stride", "box", "swizzle", "step", "fill", NULL};
    struct module_sidecar *m = r->m;
    char at[FIELD];
    size_t rank = 0;
    snprintf(at, sizeof at, "%s.tensor_map.", field);
    if (!json_is_object(object))
        return module_refuse(r, field, "wanted a tensor map as an object");
    if (m->tensors == MODULE_TENSORS)
        return module_refuse(r, field, "more than 16 tensor maps");
    struct module_tensor *t = &m->tensor[m->tensors];
    const struct dimensions more[] = {
        {"stride", 1, true, t->stride}, {"box", 0, true, t->box}, {"step", 0, false, t->step}};
    for (size_t i = 0; i < VM_TENSOR_RANK; i++)
        snprintf(t->step[i], MODULE_EXPRESSION, "1");
    enum status s = module_read_only(r, object, at, known);
    if (s == STATUS_OK)
        s = read_words(r, object, field, t);
    snprintf(at, sizeof at, "%s.tensor_map.extent", field);
    if (s == STATUS_OK)
        s = module_read_expressions(r, json_object_get(object, "extent"), at, 1, VM_TENSOR_RANK, t->extent, &rank);
    for (size_t i = 0; s == STATUS_OK && i < sizeof more / sizeof *more; i++)
        s = read_dimensions(r, object, field, &more[i], rank);
    if (s != STATUS_OK)
        return s;
    t->rank = (uint8_t)rank;
    *out = m->tensors++;
    return STATUS_OK;
}
