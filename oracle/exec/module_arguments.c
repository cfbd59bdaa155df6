/* The arguments of a sidecar: names, numbers, structs, each given its place in the parameter buffer. */
#include <stdio.h>
#include <string.h>

#include "oracle/exec/module_read.h"

enum { NESTED = 2 /* structs in structs */, WHY = 240 };

/* Where the next value goes, and what the values so far want the whole aligned to. */
struct place {
    uint32_t at, align;
};

static uint32_t round_up(uint32_t at, uint32_t align)
{
    return (at + align - 1) / align * align;
}

/* Room for a value or a struct; its first byte. */
static uint32_t place_next(struct place *p, uint32_t bytes, uint32_t align)
{
    uint32_t at = round_up(p->at, align);
    p->at = at + bytes;
    p->align = align > p->align ? align : p->align;
    return at;
}

enum status module_read_buffer(const struct module_reader *r, const char *name, const char *field,
                               enum module_buffer *out)
{
    struct module_sidecar *m = r->m;
    char why[WHY];
    for (enum module_buffer b = 0; name && b < BUFFER_SCRATCH; b++) {
        const char *known = module_buffer_name(m, b);
        if (known && strcmp(name, known) == 0) {
            *out = b;
            m->uses[b] = true;
            return STATUS_OK;
        }
    }
    const char *first = module_buffer_name(m, BUFFER_WEIGHTS), *second = module_buffer_name(m, BUFFER_WEIGHTS_2);
    snprintf(why, sizeof why, "no array is called '%.40s'; with weights as %s: x, %s%s%s, starts, ids, out, status",
             name ? name : "", weights_form_name(m->form), first, second ? ", " : "", second ? second : "");
    return module_refuse(r, field, why);
}

/* {"zeros": BYTES}: a buffer of its own. */
static enum status read_scratch(const struct module_reader *r, const json_t *bytes, struct module_value *v)
{
    struct module_sidecar *m = r->m;
    if (m->scratches == MODULE_SCRATCH)
        return module_refuse(r, v->field, "more than 8 buffers of zeros");
    enum status s = module_read_expression(r, bytes, v->field, m->scratch[m->scratches]);
    v->kind = VALUE_POINTER;
    v->bytes = sizeof(uint64_t);
    v->buffer = (enum module_buffer)(BUFFER_SCRATCH + m->scratches);
    m->uses[v->buffer] = true;
    m->scratches++;
    return s;
}

/* A name: a number of the launch, or an array. */
static enum status read_name(const struct module_reader *r, const char *name, struct module_value *v)
{
    if (strlen(name) == 1 && strchr("PNKEA", *name)) {
        v->bytes = sizeof(uint32_t);
        snprintf(v->number, sizeof v->number, "%s", name);
        return STATUS_OK;
    }
    v->kind = VALUE_POINTER;
    v->bytes = sizeof(uint64_t);
    return module_read_buffer(r, name, v->field, &v->buffer);
}

/* {"u32": EXPRESSION} and the like: one member, whose name is the type. */
static enum status read_typed(const struct module_reader *r, json_t *value, struct module_value *v)
{
    static const struct {
        const char *name;
        uint32_t bytes;
    } types[] = {{"u32", 4}, {"i32", 4}, {"u64", 8}, {"i64", 8}, {"u16", 2}, {"u8", 1}};
    json_t *f32 = json_object_get(value, "f32"), *zeros = json_object_get(value, "zeros");
    json_t *map = json_object_get(value, "tensor_map");
    bool one = json_object_size(value) == 1;
    if (one && json_is_number(f32)) {
        v->kind = VALUE_F32;
        v->bytes = sizeof v->f32;
        v->f32 = (float)json_number_value(f32);
        return STATUS_OK;
    }
    if (one && zeros)
        return read_scratch(r, zeros, v);
    if (one && map) {
        v->kind = VALUE_TENSOR;
        v->bytes = VM_TENSOR_BYTES;
        return module_read_tensor(r, map, v->field, &v->tensor);
    }
    for (size_t i = 0; one && i < sizeof types / sizeof *types; i++) {
        const json_t *expression = json_object_get(value, types[i].name);
        v->bytes = types[i].bytes;
        if (expression)
            return module_read_expression(r, expression, v->field, v->number);
    }
    return module_refuse(r, v->field,
                         "wanted a name, or one of u8, u16, u32, i32, u64, i64, zeros with an expression, f32 with a "
                         "number, struct, tensor_map");
}

static enum status read_argument(const struct module_reader *r, json_t *value, const char *field, int depth,
                                 struct place *p, uint32_t *at);

/* {"struct": [...]}: its members from 0, then all of them moved to where it begins. */
static enum status read_struct(const struct module_reader *r, const json_t *list, const char *field, int depth,
                               struct place *p, uint32_t *at)
{
    struct module_sidecar *m = r->m;
    struct place inside = {0, 1};
    uint32_t first = m->values, member_at;
    char member[MODULE_FIELD];
    size_t count = json_array_size(list);
    if (count == 0)
        return module_refuse(r, field, "wanted a struct as a list of its members");
    if (depth == NESTED)
        return module_refuse(r, field, "structs are nested once at most");
    for (size_t i = 0; i < count; i++) {
        snprintf(member, sizeof member, "%.30s.struct[%u]", field, (unsigned)i);
        enum status s = read_argument(r, json_array_get(list, i), member, depth + 1, &inside, &member_at);
        if (s != STATUS_OK)
            return s;
    }
    *at = place_next(p, round_up(inside.at, inside.align), inside.align);
    for (uint32_t i = first; i < m->values; i++)
        m->value[i].at += *at;
    return STATUS_OK;
}

static enum status read_argument(const struct module_reader *r, json_t *value, const char *field, int depth,
                                 struct place *p, uint32_t *at)
{
    struct module_sidecar *m = r->m;
    const char *name = json_string_value(value);
    json_t *list = json_object_get(value, "struct");
    if (list && json_object_size(value) == 1)
        return read_struct(r, list, field, depth, p, at);
    if (m->values == MODULE_VALUES)
        return module_refuse(r, field, "more than 256 values in all arguments");
    struct module_value *v = &m->value[m->values];
    *v = (struct module_value){.kind = VALUE_NUMBER};
    snprintf(v->field, sizeof v->field, "%s", field);
    enum status s = name ? read_name(r, name, v) : read_typed(r, value, v);
    if (s != STATUS_OK)
        return s;
    *at = v->at = place_next(p, v->bytes, v->kind == VALUE_TENSOR ? 64 : v->bytes);
    m->values++;
    return STATUS_OK;
}

enum status module_read_arguments(const struct module_reader *r)
{
    json_t *list = json_object_get(r->document, "arguments");
    struct module_sidecar *m = r->m;
    struct place p = {0, 1};
    char field[MODULE_FIELD];
    size_t count = json_array_size(list);
    if (count < 1 || count > MODULE_ARGUMENTS)
        return module_refuse(r, "arguments", "wanted a list of 1 to 96 arguments");
    for (size_t i = 0; i < count; i++) {
        snprintf(field, sizeof field, "arguments[%zu]", i);
        enum status s = read_argument(r, json_array_get(list, i), field, 0, &p, &m->argument_at[i]);
        m->argument_bytes[i] = p.at - m->argument_at[i];
        if (s == STATUS_OK && p.at > MODULE_PARAMETERS)
            s = module_refuse(r, field, "the arguments take more than 4096 bytes");
        if (s != STATUS_OK)
            return s;
    }
    m->arguments = (uint32_t)count;
    m->parameter_bytes = p.at;
    if (!m->uses[BUFFER_X] || !m->uses[BUFFER_WEIGHTS] || !m->uses[BUFFER_OUT])
        return module_refuse(r, "arguments", "a product needs x, its weights and out");
    if (m->uses[BUFFER_STARTS] != m->uses[BUFFER_IDS])
        return module_refuse(r, "arguments", "starts and ids come together, or neither for a dense product");
    return STATUS_OK;
}
