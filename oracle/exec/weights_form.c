#include "oracle/exec/weights_form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/exec/plugin_weights.h"
#include "reference/mxfp4.h"

enum { PAD_ROWS = 16, PAD_BYTES = 32, WARPS = 4 };

static const struct {
    const char *word, *array[FORM_ARRAYS];
    enum fo_weight_type type;
    bool transposed; /* [E,K,N] */
} forms[] = {
    [FORM_MXFP4] = {"mxfp4", {"blocks", "scales"}, FO_WEIGHT_MXFP4, false},
    [FORM_BF16] = {"bf16", {"w"}, FO_WEIGHT_BF16, false},
    [FORM_HOPPER] = {"hopper", {"hopper_values", "hopper_scales"}, FO_WEIGHT_MXFP4, false},
    [FORM_F16] = {"f16", {"w"}, FO_WEIGHT_F16, false},
    [FORM_BF16_KN] = {"bf16_kn", {"w"}, FO_WEIGHT_BF16, true},
    [FORM_F16_KN] = {"f16_kn", {"w"}, FO_WEIGHT_F16, true},
};

const char *weights_form_name(enum weights_form f)
{
    return forms[f].word;
}

enum status weights_form_parse(const char *word, enum weights_form *out, struct error *e)
{
    char legal[80] = "";
    for (size_t i = 0; i < FORMS; i++) {
        size_t used = strlen(legal);
        if (strcmp(word, forms[i].word) == 0) {
            *out = (enum weights_form)i;
            return STATUS_OK;
        }
        snprintf(legal + used, sizeof legal - used, "%s%s", i ? ", " : "", forms[i].word);
    }
    return error_set(e, STATUS_BAD_ARGUMENT, "no form of weights is called '%s'; legal: %s", word, legal);
}

const char *weights_form_array(enum weights_form f, size_t i)
{
    return i < FORM_ARRAYS ? forms[f].array[i] : NULL;
}

size_t formed_array_bytes(const struct formed_array *a)
{
    size_t bytes = npy_item_size(a->type);
    for (int i = 0; i < a->rank; i++)
        bytes *= a->shape[i];
    return bytes;
}

void formed_weights_free(struct formed_weights *f)
{
    for (size_t i = 0; i < f->arrays; i++)
        free(f->array[i].data);
    memset(f, 0, sizeof *f);
}

static struct plugin_format format_of(enum weights_form f)
{
    return (struct plugin_format){.type = forms[f].type, .block_scales = forms[f].type == FO_WEIGHT_MXFP4};
}

void weights_form_limits(enum weights_form f, struct executor_limits *limits)
{
    const struct plugin_format format = format_of(f);
    plugin_format_limits(&format, limits);
}

static struct formed_weights shapes_of(enum weights_form f, const struct weights *w, const struct hopper_layout *h)
{
    size_t blocks = w->K / MXFP4_BLOCK;
    if (f == FORM_MXFP4)
        return (struct formed_weights){2,
                                       {{"", NPY_U1, 4, {w->experts, w->N, blocks, MXFP4_BLOCK_BYTES}, NULL},
                                        {"", NPY_U1, 3, {w->experts, w->N, blocks}, NULL}}};
    if (f == FORM_HOPPER)
        return (struct formed_weights){
            2,
            {{"", NPY_U1, 3, {w->experts, value_swizzle_rows(&h->values), h->values.stride}, NULL},
             {"", NPY_U1, 3, {w->experts, scale_swizzle_rows(&h->scales), h->scales.stride}, NULL}}};
    if (forms[f].transposed)
        return (struct formed_weights){1, {{"", NPY_U2, 3, {w->experts, w->K, w->N}, NULL}}};
    return (struct formed_weights){1, {{"", NPY_U2, 3, {w->experts, w->N, w->K}, NULL}}};
}

/* [E,N,K] as [E,K,N]. */
static enum status transpose(const struct weights *w, uint16_t *values, struct error *e)
{
    uint16_t *expert = malloc(w->N * w->K * sizeof *expert);
    if (!expert)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu x %zu weights", w->N, w->K);
    for (size_t i = 0; i < w->experts; i++) {
        uint16_t *to = values + i * w->N * w->K;
        memcpy(expert, to, w->N * w->K * sizeof *expert);
        for (size_t n = 0; n < w->N; n++)
            for (size_t k = 0; k < w->K; k++)
                to[k * w->N + n] = expert[n * w->K + k];
    }
    free(expert);
    return STATUS_OK;
}

static enum status fill(enum weights_form f, const struct weights *w, const struct hopper_layout *layout,
                        struct formed_weights *to, struct error *e)
{
    const struct plugin_format format = format_of(f);
    if (f == FORM_HOPPER) {
        hopper_layout_forward(layout, w, to->array[0].data, to->array[1].data);
        return STATUS_OK;
    }
    enum status s = plugin_weights_convert(&format, w, to->array[0].data, to->array[1].data, e);
    return s == STATUS_OK && forms[f].transposed ? transpose(w, to->array[0].data, e) : s;
}

enum status weights_form_make(enum weights_form f, const struct weights *w, struct formed_weights *out, struct error *e)
{
    struct hopper_layout layout;
    enum status s = hopper_layout_init(&layout, w->experts, w->N, w->K, PAD_ROWS, PAD_BYTES, WARPS, e);
    if (s != STATUS_OK)
        return s;
    struct formed_weights made = shapes_of(f, w, &layout);
    for (size_t i = 0; i < made.arrays; i++) {
        struct formed_array *a = &made.array[i];
        a->name = forms[f].array[i];
        a->data = malloc(formed_array_bytes(a));
        if (!a->data)
            s = error_set(e, STATUS_NO_MEMORY, "no memory for the weights as %s", forms[f].word);
    }
    if (s == STATUS_OK)
        s = fill(f, w, &layout, &made, e);
    if (s != STATUS_OK) {
        formed_weights_free(&made);
        return s;
    }
    *out = made;
    return STATUS_OK;
}
