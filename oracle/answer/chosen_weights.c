/* chosen_weights: the weights that an answer is about, cut to the shape that was asked. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/answer.h"
#include "oracle/io/safetensors.h"
#include "probes/weights.h"
#include "reference/mxfp4.h"

/* Experts are named by segments, at most five of them are active, and ids above that number are part of the question:
 * eight are enough, and a checkpoint may hold 128. */
enum { CHOSEN_EXPERTS = 8, CHOSEN_PATH = 1024 };

static const char *const sample_stems[] = {"model.layers.0.mlp.experts.gate_up_proj",
                                           "model.layers.0.mlp.experts.down_proj"};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool holds(const struct weights *w, size_t N, size_t K)
{
    return N <= w->N && K <= w->K;
}

/* Copy experts first .. first+CHOSEN_EXPERTS-1 of w, rows 0..N-1, columns 0..K-1 (0: all). needs: holds(w, N, K). */
static enum status crop(const struct weights *w, size_t first, size_t N, size_t K, struct chosen_weights *out,
                        struct error *e)
{
    size_t experts = w->experts - first < CHOSEN_EXPERTS ? w->experts - first : CHOSEN_EXPERTS;
    size_t rows = N ? N : w->N, blocks = (K ? K : w->K) / MXFP4_BLOCK, all = w->K / MXFP4_BLOCK;
    struct chosen_weights c = {.blocks = malloc(experts * rows * blocks * MXFP4_BLOCK_BYTES),
                               .scales = malloc(experts * rows * blocks)};
    if (!c.blocks || !c.scales) {
        chosen_weights_free(&c);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu experts of %zu x %zu weights", experts, rows,
                         blocks * MXFP4_BLOCK);
    }
    for (size_t i = 0; i < experts * rows; i++) {
        size_t row = (first + i / rows) * w->N + i % rows;
        memcpy(c.blocks + i * blocks * MXFP4_BLOCK_BYTES, w->blocks + row * all * MXFP4_BLOCK_BYTES,
               blocks * MXFP4_BLOCK_BYTES);
        memcpy(c.scales + i * blocks, w->scales + row * all, blocks);
    }
    c.w = (struct weights){experts, rows, blocks * MXFP4_BLOCK, c.blocks, c.scales};
    *out = c;
    return STATUS_OK;
}

/* One tensor of an open file, cropped. `from` names the file in `what`. */
static enum status choose_tensor(const struct safetensors *file, const char *from, const char *stem, uint64_t expert,
                                 size_t N, size_t K, struct chosen_weights *out, struct error *e)
{
    struct weights w;
    enum status s = safetensors_weights(file, stem, &w, e);
    if (s != STATUS_OK)
        return s;
    if (expert >= w.experts)
        s = error_set(e, STATUS_BAD_ARGUMENT, "there is no expert %llu, only 0 to %zu", (unsigned long long)expert,
                      w.experts - 1);
    else if (!holds(&w, N, K))
        s = error_set(e, STATUS_BAD_ARGUMENT, "N = %zu, K = %zu asked, but the tensor has only N = %zu, K = %zu", N, K,
                      w.N, w.K);
    if (s != STATUS_OK) {
        error_at_path(e, file->path);
        return error_at_field(e, stem), s;
    }
    s = crop(&w, (size_t)expert, N, K, out, e);
    if (s == STATUS_OK)
        snprintf(out->what, sizeof out->what, "%s: %s from expert %zu, %zu x %zu of %zu x %zu", from, stem,
                 (size_t)expert, out->w.N, out->w.K, w.N, w.K);
    return s;
}

static enum status choose_made(enum weights_kind kind, uint64_t seed, size_t N, size_t K, struct chosen_weights *out,
                               struct error *e)
{
    struct weights_set set;
    enum status s = weights_make(kind, CHOSEN_EXPERTS, N, K, seed, &set, e);
    if (s != STATUS_OK)
        return s;
    *out = (struct chosen_weights){.w = set.w, .blocks = set.blocks, .scales = set.scales};
    snprintf(out->what, sizeof out->what, "%s, seed %llu", kind == WEIGHTS_ADVERSARIAL ? "adversarial" : "random",
             (unsigned long long)seed);
    return STATUS_OK;
}

static enum status choose_file(const struct fo_weights_options *o, size_t N, size_t K, struct chosen_weights *out,
                               struct error *e)
{
    struct safetensors file;
    if (!o->tensor)
        return error_set(e, STATUS_BAD_ARGUMENT, "--weights %s wants --tensor STEM, the name without _blocks", o->kind);
    enum status s = safetensors_read(o->kind, &file, e);
    if (s != STATUS_OK)
        return s;
    s = choose_tensor(&file, base_name(o->kind), o->tensor, o->expert, N, K, out, e);
    safetensors_free(&file);
    return s;
}

/* The committed sample, or random where it is too small. */
static enum status choose_sample(const struct fo_weights_options *o, size_t N, size_t K, struct chosen_weights *out,
                                 struct error *e)
{
    char path[CHOSEN_PATH];
    struct safetensors file;
    snprintf(path, sizeof path, "%s/sample/sample.safetensors", artifacts_folder());
    enum status s = safetensors_read(path, &file, e);
    if (s != STATUS_OK)
        return s;
    struct weights w;
    const char *stem = NULL;
    size_t stems = o->tensor ? 1 : sizeof sample_stems / sizeof *sample_stems;
    for (size_t i = 0; s == STATUS_OK && !stem && i < stems; i++) {
        const char *candidate = o->tensor ? o->tensor : sample_stems[i];
        s = safetensors_weights(&file, candidate, &w, e);
        if (s == STATUS_OK && holds(&w, N, K))
            stem = candidate;
    }
    if (stem)
        s = choose_tensor(&file, "sample", stem, o->expert, N, K, out, e);
    safetensors_free(&file);
    if (s != STATUS_OK || stem)
        return s;
    s = choose_made(WEIGHTS_RANDOM, o->seed, N, K, out, e);
    if (s == STATUS_OK)
        snprintf(out->what, sizeof out->what, "random (the sample has no %zu x %zu), seed %llu", N, K,
                 (unsigned long long)o->seed);
    return s;
}

enum status chosen_weights_make(const struct fo_weights_options *o, size_t N, size_t K, struct chosen_weights *out,
                                struct error *e)
{
    const char *kind = o->kind ? o->kind : "sample";
    bool random = strcmp(kind, "random") == 0, adversarial = strcmp(kind, "adversarial") == 0;
    if (K % MXFP4_BLOCK != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "K = %zu is not a multiple of %d, the columns that share one scale", K,
                         MXFP4_BLOCK);
    if ((random || adversarial) && (o->tensor || o->expert))
        return error_set(e, STATUS_BAD_ARGUMENT, "--tensor and --expert belong to weights from a file, not to %s",
                         kind);
    if (random || adversarial)
        return choose_made(adversarial ? WEIGHTS_ADVERSARIAL : WEIGHTS_RANDOM, o->seed, N, K, out, e);
    return strcmp(kind, "sample") == 0 ? choose_sample(o, N, K, out, e) : choose_file(o, N, K, out, e);
}

void chosen_weights_free(struct chosen_weights *c)
{
    free(c->blocks);
    free(c->scales);
    memset(c, 0, sizeof *c);
}
