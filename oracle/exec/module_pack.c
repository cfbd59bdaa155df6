#include "oracle/exec/module_pack.h"

#include <string.h>

#include "reference/number.h"

enum { MOST_SCRATCH = INT32_MAX };

static enum status refuse(const struct module_sidecar *m, const char *field, struct error *e)
{
    error_at_path(e, m->path);
    error_at_field(e, field);
    return STATUS_BAD_INPUT;
}

static enum status number(const struct module_sidecar *m, const struct module_extents *extents, const char *text,
                          const char *field, uint64_t least, uint64_t most, uint64_t *out, struct error *e)
{
    uint64_t value;
    enum status s = module_expression_value(text, extents, &value, e);
    if (s == STATUS_OK && (value < least || value > most))
        s = error_set(e, STATUS_BAD_INPUT, "'%s' is %llu, wanted %llu to %llu", text, (unsigned long long)value,
                      (unsigned long long)least, (unsigned long long)most);
    if (s != STATUS_OK)
        return refuse(m, field, e);
    *out = value;
    return STATUS_OK;
}

static enum status three(const struct module_sidecar *m, const struct module_extents *extents,
                         const char text[3][MODULE_EXPRESSION], const char *field, const uint32_t most[3],
                         uint32_t out[3], struct error *e)
{
    enum status s = STATUS_OK;
    for (int i = 0; s == STATUS_OK && i < 3; i++) {
        uint64_t value = 0;
        s = number(m, extents, text[i], field, 1, most[i], &value, e);
        out[i] = (uint32_t)value;
    }
    return s;
}

enum status module_pack_shape(const struct module_sidecar *m, const struct module_extents *extents,
                              struct module_launch *out, struct error *e)
{
    static const uint32_t blocks[] = {INT32_MAX, UINT16_MAX, UINT16_MAX}, threads[] = {1024, 1024, 1024};
    static const uint32_t cluster[] = {16, 16, 16};
    uint64_t shared = 0;
    enum status s = number(m, extents, m->shared, "shared", 0, 1 << 20, &shared, e);
    if (s == STATUS_OK)
        s = three(m, extents, m->grid, "grid", blocks, out->grid, e);
    if (s == STATUS_OK)
        s = three(m, extents, m->block, "block", threads, out->block, e);
    memset(out->cluster, 0, sizeof out->cluster);
    if (s == STATUS_OK && m->clusters)
        s = three(m, extents, m->cluster, "cluster", cluster, out->cluster, e);
    out->shared = (uint32_t)shared;
    return s;
}

enum status module_pack_scratch(const struct module_sidecar *m, const struct module_extents *extents, uint32_t scratch,
                                size_t *bytes, struct error *e)
{
    uint64_t value = 0;
    uint32_t i = 0;
    while (m->value[i].kind != VALUE_POINTER || m->value[i].buffer != BUFFER_SCRATCH + scratch)
        i++;
    enum status s = number(m, extents, m->scratch[scratch], m->value[i].field, 1, MOST_SCRATCH, &value, e);
    if (s == STATUS_OK)
        *bytes = (size_t)value;
    return s;
}

static enum status pack_tensor(const struct module_sidecar *m, const struct module_extents *extents,
                               const struct module_device *device, const struct module_value *v, uint8_t *to,
                               struct error *e)
{
    const struct module_tensor *t = &m->tensor[v->tensor];
    struct vm_tensor_map map = {.magic = VM_TENSOR_MAGIC,
                                .rank = t->rank,
                                .element_bytes = module_tensor_type_of(t->type)->bytes,
                                .swizzle = t->swizzle,
                                .fill_nan = t->fill_nan,
                                .address = device->address(device->self, t->buffer),
                                .type = (uint8_t)t->type};
    enum status s = STATUS_OK;
    map.stride[0] = map.element_bytes;
    for (unsigned i = 0; s == STATUS_OK && i < t->rank; i++) {
        uint64_t extent = 0, box = 0, step = 0;
        s = number(m, extents, t->extent[i], v->field, 1, UINT32_MAX, &extent, e);
        if (s == STATUS_OK)
            s = number(m, extents, t->box[i], v->field, 1, 256, &box, e);
        if (s == STATUS_OK)
            s = number(m, extents, t->step[i], v->field, 1, 8, &step, e);
        if (s == STATUS_OK && i > 0)
            s = number(m, extents, t->stride[i], v->field, 1, (UINT64_C(1) << 40) - 1, &map.stride[i], e);
        map.extent[i] = (uint32_t)extent, map.box[i] = (uint16_t)box, map.step[i] = (uint8_t)step;
    }
    if (s != STATUS_OK)
        return s;
    s = device->tensor_map(device->self, &map, to, e);
    if (s != STATUS_OK)
        refuse(m, v->field, e);
    return s;
}

/* A value of the launch; 8 bytes hold each that is no tensor map, the low end first. */
static enum status pack_value(const struct module_sidecar *m, const struct module_extents *extents,
                              const struct module_device *device, const struct module_value *v, uint8_t *to,
                              struct error *e)
{
    uint64_t value = 0;
    enum status s = STATUS_OK;
    if (v->kind == VALUE_TENSOR)
        return pack_tensor(m, extents, device, v, to, e);
    if (v->kind == VALUE_POINTER)
        value = device->address(device->self, v->buffer);
    else if (v->kind == VALUE_F32)
        value = f32_bits(v->f32);
    else
        s = module_expression_value(v->number, extents, &value, e);
    if (s == STATUS_OK && v->bytes < sizeof value && value >> (8 * v->bytes))
        s = error_set(e, STATUS_BAD_INPUT, "'%s' is %llu, more than %u bits hold", v->number, (unsigned long long)value,
                      8 * v->bytes);
    if (s != STATUS_OK)
        return refuse(m, v->field, e);
    memcpy(to, &value, v->bytes);
    return STATUS_OK;
}

enum status module_pack_parameters(const struct module_sidecar *m, const struct module_extents *extents,
                                   const struct module_device *device, struct module_launch *out, struct error *e)
{
    enum status s = STATUS_OK;
    memset(out->parameters, 0, sizeof out->parameters);
    for (uint32_t i = 0; s == STATUS_OK && i < m->values; i++)
        s = pack_value(m, extents, device, &m->value[i], out->parameters + m->value[i].at, e);
    return s;
}
