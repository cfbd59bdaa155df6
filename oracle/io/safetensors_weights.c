/* MXFP4 weights out of a safetensors file: the tensors STEM_blocks and STEM_scales, or what to do where they are not.
 */
#include "oracle/io/safetensors.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 32, BLOCK_BYTES = 16 };

static enum status refuse(struct error *e, const struct safetensors *s, const char *field, const char *why)
{
    error_set(e, STATUS_BAD_INPUT, "%s", why);
    error_at_path(e, s->path);
    error_at_field(e, field);
    return STATUS_BAD_INPUT;
}

/* The tensor named stem (of `length` bytes) followed by suffix; NULL if absent. */
static const struct safetensors_tensor *find_suffixed(const struct safetensors *s, const char *stem, size_t length,
                                                      const char *suffix)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!strncmp(s->tensor[i].name, stem, length) && !strcmp(s->tensor[i].name + length, suffix))
            return &s->tensor[i];
    }
    return NULL;
}

/* The length of the stem if the tensor is the blocks of a pair, else 0. */
static size_t stem_length(const struct safetensors *s, const struct safetensors_tensor *t)
{
    static const char suffix[] = "_blocks";
    size_t length = strlen(t->name), tail = sizeof suffix - 1;
    if (length <= tail || strcmp(t->name + length - tail, suffix))
        return 0;
    length -= tail;
    return find_suffixed(s, t->name, length, "_scales") ? length : 0;
}

/* "the file has A, B, C, D and 3 more"; false if it has none. */
static bool list_stems(const struct safetensors *s, char *text, size_t size)
{
    size_t stems = 0;
    int n = snprintf(text, size, "absent; the file has ");
    for (size_t i = 0; i < s->count; i++) {
        size_t length = stem_length(s, &s->tensor[i]);
        if (length && stems++ < 4)
            n += snprintf(text + n, size - (size_t)n, "%s%.*s", stems > 1 ? ", " : "", length < 60 ? (int)length : 60,
                          s->tensor[i].name);
    }
    if (stems > 4)
        snprintf(text + n, size - (size_t)n, " and %zu more", stems - 4);
    return stems > 0;
}

static bool wide(const struct safetensors_tensor *t)
{
    return t && (!strcmp(t->dtype, "BF16") || !strcmp(t->dtype, "F16") || !strcmp(t->dtype, "F32"));
}

/* Say why there is no such stem, and what to do about it. */
static enum status refuse_absent(const struct safetensors *s, const char *stem, struct error *e)
{
    char text[320];
    bool original = false, any_wide = false;
    const struct safetensors_tensor *self = safetensors_find(s, stem);
    for (size_t i = 0; i < s->count; i++) {
        const char *name = s->tensor[i].name;
        original = original || (!strncmp(name, "block.", 6) && strstr(name, ".mlp."));
        any_wide = any_wide || wide(&s->tensor[i]);
    }
    if (wide(self)) {
        snprintf(text, sizeof text, "is %s: quantise it to MXFP4 and store it as STEM_blocks and STEM_scales",
                 self->dtype);
        return refuse(e, s, stem, text);
    }
    if (list_stems(s, text, sizeof text))
        return refuse(e, s, stem, text);
    if (original)
        return refuse(e, s, stem,
                      "absent; the file has the original gpt-oss names: rename block.L.mlp.mlp1_weight.blocks to "
                      "model.layers.L.mlp.experts.gate_up_proj_blocks, mlp2_weight to down_proj, .scales to _scales");
    if (any_wide)
        return refuse(e, s, stem,
                      "absent; the file has no MXFP4 tensors: quantise its weights and store each as STEM_blocks and "
                      "STEM_scales");
    return refuse(e, s, stem, "absent; the file has no MXFP4 tensors (STEM_blocks and STEM_scales)");
}

/* U8, of this rank, with these extents (0: any but none). */
static enum status expect(const struct safetensors *s, const struct safetensors_tensor *t, int rank,
                          const size_t *extent, const char *wanted, struct error *e)
{
    char text[320];
    bool fits = !strcmp(t->dtype, "U8") && t->rank == rank;
    for (int i = 0; fits && i < rank; i++)
        fits = extent[i] ? t->shape[i] == extent[i] : t->shape[i] > 0;
    if (fits)
        return STATUS_OK;
    int n = snprintf(text, sizeof text, "wanted U8 %s, found %s [", wanted, t->dtype);
    for (int i = 0; i < t->rank; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%zu", i ? ", " : "", t->shape[i]);
    snprintf(text + n, sizeof text - (size_t)n, "]");
    refuse(e, s, t->name, text);
    error_at_offset(e, (int64_t)(s->data_start + t->offset));
    return STATUS_BAD_INPUT;
}

enum status safetensors_weights(const struct safetensors *s, const char *stem, struct weights *w, struct error *e)
{
    size_t length = strlen(stem);
    const struct safetensors_tensor *blocks = find_suffixed(s, stem, length, "_blocks");
    const struct safetensors_tensor *scales = find_suffixed(s, stem, length, "_scales");
    if (!blocks && !scales)
        return refuse_absent(s, stem, e);
    if (!blocks || !scales)
        return refuse(e, s, stem,
                      blocks ? "STEM_scales is absent, STEM_blocks is there"
                             : "STEM_blocks is absent, STEM_scales is there");
    enum status status = expect(s, blocks, 4, (size_t[]){0, 0, 0, BLOCK_BYTES}, "[experts, N, K/32, 16]", e);
    if (status)
        return status;
    char wanted[100];
    snprintf(wanted, sizeof wanted, "[%zu, %zu, %zu] as the blocks have it", blocks->shape[0], blocks->shape[1],
             blocks->shape[2]);
    status = expect(s, scales, 3, blocks->shape, wanted, e);
    if (status)
        return status;
    *w = (struct weights){.experts = blocks->shape[0],
                          .N = blocks->shape[1],
                          .K = blocks->shape[2] * BLOCK,
                          .blocks = safetensors_data(s, blocks),
                          .scales = safetensors_data(s, scales)};
    return STATUS_OK;
}
