#include "oracle/exec/module_sidecar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/exec/module_read.h"

enum { DEFAULT_SECONDS = 30, MOST_SECONDS = 3600 };

const char *module_buffer_name(const struct module_sidecar *m, enum module_buffer b)
{
    static const char *const names[BUFFERS] = {[BUFFER_X] = "x",
                                               [BUFFER_STARTS] = "starts",
                                               [BUFFER_IDS] = "ids",
                                               [BUFFER_OUT] = "out",
                                               [BUFFER_STATUS] = "status"};
    if (b >= BUFFER_SCRATCH)
        return "zeros";
    if (b == BUFFER_WEIGHTS || b == BUFFER_WEIGHTS_2)
        return weights_form_array(m->form, b - BUFFER_WEIGHTS);
    return names[b];
}

/* Up to three; those that are not there are 1. */
static enum status read_extents(const struct module_reader *r, const char *name, char to[3][MODULE_EXPRESSION])
{
    for (size_t i = 0; i < 3; i++)
        snprintf(to[i], MODULE_EXPRESSION, "1");
    return module_read_expressions(r, json_object_get(r->document, name), name, 1, 3, to, NULL);
}

static enum status read_shape(const struct module_reader *r)
{
    const json_t *shared = json_object_get(r->document, "shared");
    struct module_sidecar *m = r->m;
    snprintf(m->shared, sizeof m->shared, "0");
    m->clusters = json_object_get(r->document, "cluster");
    enum status s = read_extents(r, "grid", m->grid);
    if (s == STATUS_OK)
        s = read_extents(r, "block", m->block);
    if (s == STATUS_OK && m->clusters)
        s = read_extents(r, "cluster", m->cluster);
    return s == STATUS_OK && shared ? module_read_expression(r, shared, "shared", m->shared) : s;
}

static enum status read_form(const struct module_reader *r)
{
    const char *words[FORMS + 1] = {NULL};
    size_t form = FORM_MXFP4;
    for (size_t i = 0; i < FORMS; i++)
        words[i] = weights_form_name((enum weights_form)i);
    enum status s = module_read_choice(r, json_object_get(r->document, "weights"), "weights", words, &form);
    r->m->form = (enum weights_form)form;
    return s;
}

/* Types and layouts of what goes in and comes out. */
static enum status read_types(const struct module_reader *r)
{
    static const char *const x_types[] = {"bf16", "f16", NULL}, *const out_types[] = {"bf16", "f16", "f32", NULL};
    static const char *const x_layouts[] = {"pk", "kp", NULL}, *const out_layouts[] = {"pn", "np", NULL};
    static const char *const orders[] = {"both", "late", "early", NULL};
    static const struct {
        const char *field;
        const char *const *words;
    } choices[] = {
        {"x", x_types}, {"out", out_types}, {"x_layout", x_layouts}, {"out_layout", out_layouts}, {"order", orders}};
    enum { CHOICES = sizeof choices / sizeof *choices };
    size_t chosen[CHOICES] = {0};
    struct module_sidecar *m = r->m;
    enum status s = read_form(r);
    for (size_t i = 0; s == STATUS_OK && i < CHOICES; i++)
        s = module_read_choice(r, json_object_get(r->document, choices[i].field), choices[i].field, choices[i].words,
                               &chosen[i]);
    m->x = (enum module_type)chosen[0], m->out = (enum module_type)chosen[1];
    m->x_kp = chosen[2] == 1, m->out_np = chosen[3] == 1;
    m->order = (enum module_order)chosen[4];
    return s;
}

/* What the author says that cannot be asked, and what follows from types and arguments. */
static enum status read_limits(const struct module_reader *r)
{
    static const char *const known[] = {"multiple_N", "multiple_K", "most_P", "P", "N", "K", "no_scales", NULL};
    json_t *limits = json_object_get(r->document, "limits");
    const json_t *no_scales = json_object_get(limits, "no_scales");
    struct module_sidecar *m = r->m;
    uint64_t N = 1, K = 1;
    if (limits && !json_is_object(limits))
        return module_refuse(r, "limits", "wanted an object");
    enum status s = module_read_only(r, limits, "limits.", known);
    if (s == STATUS_OK)
        s = module_read_number(r, json_object_get(limits, "multiple_N"), "limits.multiple_N", 1, 65536, &N);
    if (s == STATUS_OK)
        s = module_read_number(r, json_object_get(limits, "multiple_K"), "limits.multiple_K", 1, 65536, &K);
    if (s == STATUS_OK)
        s = module_read_number(r, json_object_get(limits, "most_P"), "limits.most_P", 1, INT32_MAX, &m->limits.most_P);
    if (s == STATUS_OK)
        s = module_read_number(r, json_object_get(limits, "P"), "limits.P", 1, INT32_MAX, &m->limits.only_P);
    if (s == STATUS_OK)
        s = module_read_number(r, json_object_get(limits, "N"), "limits.N", 1, INT32_MAX, &m->limits.only_N);
    if (s == STATUS_OK)
        s = module_read_number(r, json_object_get(limits, "K"), "limits.K", 1, INT32_MAX, &m->limits.only_K);
    if (s == STATUS_OK && no_scales && !json_is_boolean(no_scales))
        s = module_refuse(r, "limits.no_scales", "wanted true or false");
    weights_form_limits(m->form, &m->limits);
    m->limits.multiple_N = (uint32_t)N, m->limits.multiple_K = (uint32_t)K;
    /* An output of the identity probe is a weight: f16 has those of scales near 1. */
    m->limits.no_scales = m->limits.no_scales || json_is_true(no_scales) || m->out == MODULE_F16;
    m->limits.f16 = m->x == MODULE_F16 || m->out == MODULE_F16;
    m->limits.no_segments = !m->uses[BUFFER_STARTS];
    m->limits.no_status = !m->uses[BUFFER_STATUS];
    return s;
}

/* The module is named here, from the folder of the sidecar, unless it was named by who asks. */
static enum status read_module(const struct module_reader *r)
{
    static const char *const endings[] = {"ptx", "cubin"};
    struct module_sidecar *m = r->m;
    const char *name = NULL, *slash = strrchr(m->path, '/');
    int folder = slash ? (int)(slash - m->path) + 1 : 0, stem = (int)strlen(m->path) - (int)strlen("json");
    const json_t *value = json_object_get(r->document, "module");
    if (value && !(name = json_string_value(value)))
        return module_refuse(r, "module", "wanted a word");
    if (*m->module)
        return STATUS_OK;
    if (name) {
        if (snprintf(m->module, sizeof m->module, "%.*s%s", *name == '/' ? 0 : folder, m->path, name) >=
            (int)sizeof m->module)
            return module_refuse(r, "module", "the path is too long");
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (snprintf(m->module, sizeof m->module, "%.*s%s", stem, m->path, endings[i]) < (int)sizeof m->module &&
            access(m->module, F_OK) == 0)
            return STATUS_OK;
    return module_refuse(r, "module", "not named, and there is no .ptx and no .cubin of the same name");
}

static enum status read_document(const struct module_reader *r)
{
    static const char *const known[] = {"schema", "module",  "entry",    "grid",      "block", "cluster",
                                        "shared", "x",       "x_layout", "weights",   "out",   "out_layout",
                                        "order",  "seconds", "limits",   "arguments", NULL};
    struct module_sidecar *m = r->m;
    const char *name = json_string_value(json_object_get(r->document, "entry"));
    enum status s = module_read_only(r, r->document, "", known);
    if (s == STATUS_OK && (!name || !*name || strlen(name) >= MODULE_ENTRY))
        s = module_refuse(r, "entry", "wanted the name of the kernel in the module");
    if (s == STATUS_OK)
        snprintf(m->entry, sizeof m->entry, "%s", name);
    if (s == STATUS_OK)
        s = read_shape(r);
    m->seconds = DEFAULT_SECONDS;
    if (s == STATUS_OK)
        s = module_read_number(r, json_object_get(r->document, "seconds"), "seconds", 1, MOST_SECONDS, &m->seconds);
    if (s == STATUS_OK)
        s = read_types(r);
    if (s == STATUS_OK)
        s = module_read_arguments(r);
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
        s = read_document(&(struct module_reader){m, document, e});
    if (s == STATUS_OK)
        *out = *m;
    json_decref(document);
    free(m);
    return s;
}
