#include "oracle/exec/module_sidecar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/io/json.h"

enum { DEFAULT_SECONDS = 30, MOST_SECONDS = 3600 };

/* What is read, and where an error is. */
struct reader {
    struct module_sidecar *m;
    const json_t *document;
    struct error *e;
};

static enum status refuse(const struct reader *r, const char *field, const char *why)
{
    error_set(r->e, STATUS_BAD_INPUT, "%s", why);
    error_at_path(r->e, r->m->path);
    return error_at_field(r->e, field), STATUS_BAD_INPUT;
}

const char *module_buffer_name(const struct module_sidecar *m, enum module_buffer b)
{
    static const char *const names[BUFFERS] = {[BUFFER_X] = "x",
                                               [BUFFER_STARTS] = "starts",
                                               [BUFFER_IDS] = "ids",
                                               [BUFFER_OUT] = "out",
                                               [BUFFER_STATUS] = "status"};
    if (b == BUFFER_WEIGHTS || b == BUFFER_WEIGHTS_2)
        return weights_form_array(m->form, b - BUFFER_WEIGHTS);
    return names[b];
}

/* A number, or an expression. */
static enum status read_expression(const struct reader *r, const json_t *value, const char *field,
                                   char to[MODULE_EXPRESSION])
{
    const char *text = json_string_value(value);
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        snprintf(to, MODULE_EXPRESSION, "%lld", (long long)json_integer_value(value));
    else if (!text || strlen(text) >= MODULE_EXPRESSION)
        return refuse(r, field, "wanted a number, or an expression of P, N, K, E and A in at most 127 characters");
    else
        snprintf(to, MODULE_EXPRESSION, "%s", text);
    if (module_expression_check(to, r->e) == STATUS_OK)
        return STATUS_OK;
    error_at_path(r->e, r->m->path);
    return error_at_field(r->e, field), STATUS_BAD_INPUT;
}

/* Up to three; those that are not there are 1. */
static enum status read_extents(const struct reader *r, const char *name, char to[3][MODULE_EXPRESSION])
{
    const json_t *list = json_object_get(r->document, name);
    size_t count = json_array_size(list);
    if (count < 1 || count > 3)
        return refuse(r, name, "wanted a list of 1 to 3 numbers or expressions");
    for (size_t i = 0; i < 3; i++) {
        char field[32];
        snprintf(field, sizeof field, "%s[%zu]", name, i);
        snprintf(to[i], MODULE_EXPRESSION, "1");
        enum status s = i < count ? read_expression(r, json_array_get(list, i), field, to[i]) : STATUS_OK;
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

static enum status read_pointer(const struct reader *r, const char *name, const char *field,
                                struct module_argument *out)
{
    struct module_sidecar *m = r->m;
    for (enum module_buffer b = 0; b < BUFFERS; b++) {
        const char *known = module_buffer_name(m, b);
        if (known && strcmp(name, known) == 0) {
            *out = (struct module_argument){.pointer = true, .buffer = b, .bytes = sizeof(uint64_t)};
            m->uses[b] = true;
            return STATUS_OK;
        }
    }
    char why[200];
    snprintf(why, sizeof why,
             "no argument is called '%.40s'; with weights as %s: x, %s%s%s, starts, ids, out, status, "
             "P, N, K, E, A, or {\"u32\": EXPRESSION}, u64, i32, i64, f32",
             name, weights_form_name(m->form), module_buffer_name(m, BUFFER_WEIGHTS),
             module_buffer_name(m, BUFFER_WEIGHTS_2) ? ", " : "",
             module_buffer_name(m, BUFFER_WEIGHTS_2) ? module_buffer_name(m, BUFFER_WEIGHTS_2) : "");
    return refuse(r, field, why);
}

/* {"u32": EXPRESSION} and the like: one member, whose name is the type. */
static enum status read_typed(const struct reader *r, json_t *value, const char *field, struct module_argument *out)
{
    static const struct {
        const char *name;
        size_t bytes;
    } types[] = {{"u32", 4}, {"i32", 4}, {"u64", 8}, {"i64", 8}};
    const json_t *f32 = json_object_get(value, "f32");
    *out = (struct module_argument){.bytes = sizeof(uint32_t)};
    if (json_object_size(value) == 1 && json_is_number(f32)) {
        out->is_float = true;
        out->f32 = (float)json_number_value(f32);
        return STATUS_OK;
    }
    for (size_t i = 0; json_object_size(value) == 1 && i < sizeof types / sizeof *types; i++) {
        const json_t *expression = json_object_get(value, types[i].name);
        if (!expression)
            continue;
        out->bytes = types[i].bytes;
        return read_expression(r, expression, field, out->value);
    }
    return refuse(r, field, "wanted a name, or one of u32, u64, i32, i64 with an expression, or f32 with a number");
}

static enum status read_arguments(const struct reader *r)
{
    json_t *list = json_object_get(r->document, "arguments");
    struct module_sidecar *m = r->m;
    m->arguments = json_array_size(list);
    if (m->arguments < 1 || m->arguments > MODULE_ARGUMENTS)
        return refuse(r, "arguments", "wanted a list of 1 to 32 arguments");
    enum status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < m->arguments; i++) {
        json_t *value = json_array_get(list, i);
        const char *name = json_string_value(value);
        char field[32];
        snprintf(field, sizeof field, "arguments[%zu]", i);
        if (name && strlen(name) == 1 && strchr("PNKEA", *name)) {
            m->argument[i] = (struct module_argument){.bytes = sizeof(uint32_t)};
            snprintf(m->argument[i].value, MODULE_EXPRESSION, "%s", name);
        } else if (name) {
            s = read_pointer(r, name, field, &m->argument[i]);
        } else {
            s = read_typed(r, value, field, &m->argument[i]);
        }
    }
    if (s != STATUS_OK)
        return s;
    if (!m->uses[BUFFER_X] || !m->uses[BUFFER_WEIGHTS] || !m->uses[BUFFER_OUT])
        return refuse(r, "arguments", "a product needs x, its weights and out");
    if (m->uses[BUFFER_STARTS] != m->uses[BUFFER_IDS])
        return refuse(r, "arguments", "starts and ids come together, or neither for a dense product");
    return STATUS_OK;
}

static enum status read_word(const struct reader *r, const char *field, const char **word)
{
    const json_t *value = json_object_get(r->document, field);
    if (!value)
        return STATUS_OK;
    *word = json_string_value(value);
    return *word ? STATUS_OK : refuse(r, field, "wanted a word");
}

static enum status read_types(const struct reader *r)
{
    const char *form = "mxfp4", *out = "bf16";
    struct module_sidecar *m = r->m;
    enum status s = read_word(r, "weights", &form);
    if (s == STATUS_OK && weights_form_parse(form, &m->form, NULL) != STATUS_OK)
        s = refuse(r, "weights", "wanted mxfp4, bf16 or hopper");
    if (s == STATUS_OK)
        s = read_word(r, "out", &out);
    if (s == STATUS_OK && strcmp(out, "bf16") != 0 && strcmp(out, "f32") != 0)
        s = refuse(r, "out", "wanted bf16 or f32");
    m->out_f32 = strcmp(out, "f32") == 0;
    return s;
}

/* A number in an object, or what it is without. */
static enum status read_number(const struct reader *r, const json_t *object, const char *name, const char *field,
                               uint64_t least, uint64_t most, uint64_t *out)
{
    const json_t *value = json_object_get(object, name);
    if (!value)
        return STATUS_OK;
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number < least || (uint64_t)number > most) {
        char why[80];
        snprintf(why, sizeof why, "wanted a number from %llu to %llu", (unsigned long long)least,
                 (unsigned long long)most);
        return refuse(r, field, why);
    }
    *out = (uint64_t)number;
    return STATUS_OK;
}

/* Is every member of the object one of these words? */
static enum status read_only(const struct reader *r, json_t *object, const char *where, const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        char field[100];
        snprintf(field, sizeof field, "%s%.60s", where, key);
        if (!known[i])
            return refuse(r, field, "no such field");
    }
    return STATUS_OK;
}

static enum status read_limits(const struct reader *r)
{
    static const char *const known[] = {"multiple_N", "multiple_K", "most_P", "no_scales", NULL};
    json_t *limits = json_object_get(r->document, "limits");
    const json_t *no_scales = json_object_get(limits, "no_scales");
    struct module_sidecar *m = r->m;
    uint64_t N = 1, K = 1;
    if (limits && !json_is_object(limits))
        return refuse(r, "limits", "wanted an object");
    enum status s = read_only(r, limits, "limits.", known);
    if (s == STATUS_OK)
        s = read_number(r, limits, "multiple_N", "limits.multiple_N", 1, 65536, &N);
    if (s == STATUS_OK)
        s = read_number(r, limits, "multiple_K", "limits.multiple_K", 1, 65536, &K);
    if (s == STATUS_OK)
        s = read_number(r, limits, "most_P", "limits.most_P", 1, INT32_MAX, &m->limits.most_P);
    if (s == STATUS_OK && no_scales && !json_is_boolean(no_scales))
        s = refuse(r, "limits.no_scales", "wanted true or false");
    m->limits.multiple_N = (uint32_t)N, m->limits.multiple_K = (uint32_t)K;
    m->limits.no_scales = json_is_true(no_scales);
    m->limits.no_segments = !m->uses[BUFFER_STARTS];
    m->limits.no_status = !m->uses[BUFFER_STATUS];
    return s;
}

/* The module is named here, from the folder of the sidecar, unless it was named by who asks. */
static enum status read_module(const struct reader *r)
{
    static const char *const endings[] = {"ptx", "cubin"};
    struct module_sidecar *m = r->m;
    const char *name = NULL, *slash = strrchr(m->path, '/');
    int folder = slash ? (int)(slash - m->path) + 1 : 0, stem = (int)strlen(m->path) - (int)strlen("json");
    enum status s = read_word(r, "module", &name);
    if (s != STATUS_OK || *m->module)
        return s;
    if (name) {
        if (snprintf(m->module, sizeof m->module, "%.*s%s", *name == '/' ? 0 : folder, m->path, name) >=
            (int)sizeof m->module)
            return refuse(r, "module", "the path is too long");
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (snprintf(m->module, sizeof m->module, "%.*s%s", stem, m->path, endings[i]) < (int)sizeof m->module &&
            access(m->module, F_OK) == 0)
            return STATUS_OK;
    return refuse(r, "module", "not named, and there is no .ptx and no .cubin of the same name");
}

static enum status read_document(const struct reader *r)
{
    static const char *const known[] = {"schema",  "module", "entry",   "grid",   "block",     "shared",
                                        "weights", "out",    "seconds", "limits", "arguments", NULL};
    const json_t *entry = json_object_get(r->document, "entry"), *shared = json_object_get(r->document, "shared");
    struct module_sidecar *m = r->m;
    const char *name = json_string_value(entry);
    enum status s = read_only(r, (json_t *)r->document, "", known);
    if (s == STATUS_OK && (!name || !*name || strlen(name) >= MODULE_ENTRY))
        s = refuse(r, "entry", "wanted the name of the kernel in the module");
    if (s == STATUS_OK)
        snprintf(m->entry, sizeof m->entry, "%s", name);
    if (s == STATUS_OK)
        s = read_extents(r, "grid", m->grid);
    if (s == STATUS_OK)
        s = read_extents(r, "block", m->block);
    snprintf(m->shared, sizeof m->shared, "0");
    if (s == STATUS_OK && shared)
        s = read_expression(r, shared, "shared", m->shared);
    m->seconds = DEFAULT_SECONDS;
    if (s == STATUS_OK)
        s = read_number(r, r->document, "seconds", "seconds", 1, MOST_SECONDS, &m->seconds);
    if (s == STATUS_OK)
        s = read_types(r);
    if (s == STATUS_OK)
        s = read_arguments(r);
    if (s == STATUS_OK)
        s = read_limits(r);
    return s == STATUS_OK ? read_module(r) : s;
}

static bool ends_in(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    return length > tail && strcmp(path + length - tail, ending) == 0;
}

/* Both paths, as far as the name alone tells. */
static enum status name_both(const char *path, struct module_sidecar *m, struct error *e)
{
    static const char *const endings[] = {".ptx", ".cubin"};
    if (strlen(path) + strlen(".json") >= sizeof m->path)
        return error_set(e, STATUS_BAD_ARGUMENT, "the path of the module is too long");
    if (ends_in(path, ".json")) {
        snprintf(m->path, sizeof m->path, "%s", path);
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_in(path, endings[i])) {
            snprintf(m->module, sizeof m->module, "%s", path);
            snprintf(m->path, sizeof m->path, "%.*s.json", (int)(strlen(path) - strlen(endings[i])), path);
            return STATUS_OK;
        }
    error_set(e, STATUS_BAD_ARGUMENT, "wanted module:PATH.ptx, PATH.cubin or PATH.json");
    return error_at_path(e, path), STATUS_BAD_ARGUMENT;
}

enum status module_sidecar_read(const char *path, struct module_sidecar *out, struct error *e)
{
    struct module_sidecar *m = calloc(1, sizeof *m);
    json_t *document = NULL;
    enum status s = m ? name_both(path, m, e) : error_set(e, STATUS_NO_MEMORY, "no memory for a sidecar");
    if (s == STATUS_OK)
        s = json_read(m->path, MODULE_SCHEMA, &document, e);
    if (s == STATUS_OK)
        s = read_document(&(struct reader){m, document, e});
    if (s == STATUS_OK)
        *out = *m;
    json_decref(document);
    free(m);
    return s;
}
