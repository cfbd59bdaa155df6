#include "oracle/exec/weights_form.h"

#include <stdlib.h>
#include <string.h>

#include "reference/mxfp4.h"

enum { PAD_ROWS = 16, PAD_BYTES = 32, WARPS = 4 };

static const struct {
    const char *word, *array[FORM_ARRAYS];
} forms[] = {
    [FORM_MXFP4] = {"mxfp4", {"blocks", "scales"}},
    [FORM_BF16] = {"bf16", {"w"}},
    [FORM_HOPPER] = {"hopper", {"hopper_values", "hopper_scales"}},
};

const char *weights_form_name(enum weights_form f)
{
    return forms[f].word;
}

enum status weights_form_parse(const char *word, enum weights_form *out, struct error *e)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(word, forms[i].word) == 0) {
            *out = (enum weights_form)i;
            return STATUS_OK;
        }
    return error_set(e, STATUS_BAD_ARGUMENT, "no form of weights is called '%s'; legal: mxfp4, bf16, hopper", word);
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

static struct formed_weights shapes_of(enum weights_form f, const struct weights *w, const struct hopper_layout *h)
{
    size_t blocks = w->K / MXFP4_BLOCK;
    if (f == FORM_MXFP4)
        return (struct formed_weights){2,
                                       {{"", NPY_U1, 4, {w->experts, w->N, blocks, MXFP4_BLOCK_BYTES}, NULL},
                                        {"", NPY_U1, 3, {w->experts, w->N, blocks}, NULL}}};
    if (f == FORM_BF16)
        return (struct formed_weights){1, {{"", NPY_U2, 3, {w->experts, w->N, w->K}, NULL}}};
    return (struct formed_weights){
        2,
        {{"", NPY_U1, 3, {w->experts, value_swizzle_rows(&h->values), h->values.stride}, NULL},
         {"", NPY_U1, 3, {w->experts, scale_swizzle_rows(&h->scales), h->scales.stride}, NULL}}};
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
    if (s != STATUS_OK) {
        formed_weights_free(&made);
        return s;
    }
    switch (f) {
    case FORM_MXFP4:
        memcpy(made.array[0].data, w->blocks, formed_array_bytes(&made.array[0]));
        memcpy(made.array[1].data, w->scales, formed_array_bytes(&made.array[1]));
        break;
    case FORM_BF16:
        mxfp4_decode_matrix(w->blocks, w->scales, w->experts * w->N, w->K, made.array[0].data);
        break;
    case FORM_HOPPER:
        hopper_layout_forward(&layout, w, made.array[0].data, made.array[1].data);
        break;
    }
    *out = made;
    return STATUS_OK;
}
