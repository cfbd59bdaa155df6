/* encode: projections as f32 arrays to a checkpoint in MXFP4, in the names and ranks of gpt-oss.
 *
 *     sample_encode IN OUT.safetensors [KEY VALUE]...
 *
 * Reads IN/{gate_up_proj,down_proj}.npy f4 [E, N, K] and ..._bias.npy f4 [E, N], as extract.py writes them; KEY VALUE
 * pairs go to the metadata. Prints what the scales and codes of each projection look like. Exit status 0 or 2. */
#include <stdio.h>
#include <stdlib.h>

#include "oracle/io/npy.h"
#include "oracle/io/safetensors.h"
#include "reference/mxfp4.h"

enum { PROJECTIONS = 2, PARTS = 3, ENTRIES = PROJECTIONS * PARTS };
static const char *const projection_name[PROJECTIONS] = {"gate_up_proj", "down_proj"};

/* The three tensors of one projection; `data` is owned, the names are `name`. */
struct projection {
    struct safetensors_entry entry[PARTS]; /* blocks, scales, bias */
    char name[PARTS][80];
    void *data[PARTS];
};

static void print_statistics(const char *name, const uint8_t *blocks, const uint8_t *scales, size_t count)
{
    size_t scale_of[256] = {0}, code_of[16] = {0};
    for (size_t i = 0; i < count; i++)
        scale_of[scales[i]]++;
    for (size_t i = 0; i < count * MXFP4_BLOCK_BYTES; i++) {
        code_of[blocks[i] & 15]++;
        code_of[blocks[i] >> 4]++;
    }
    printf("%s: %zu blocks\n  scale  blocks\n", name, count);
    for (int s = 0; s < 256; s++)
        if (scale_of[s] != 0)
            printf("  %5d %7zu  %6.2f%%\n", s, scale_of[s], 100.0 * (double)scale_of[s] / (double)count);
    printf("   code  values\n");
    for (int c = 0; c < 16; c++)
        printf("  %5d %7zu  %6.2f%%\n", c, code_of[c], 100.0 * (double)code_of[c] / (double)(count * MXFP4_BLOCK));
}

static enum status encode_weights(const struct npy *w, uint8_t *blocks, uint8_t *scales, struct error *e)
{
    const float *values = w->data;
    for (size_t i = 0; i < npy_count(w) / MXFP4_BLOCK; i++) {
        struct e8m0 scale;
        enum status s = mxfp4_encode_block(values + i * MXFP4_BLOCK, blocks + i * MXFP4_BLOCK_BYTES, &scale, e);
        if (s != STATUS_OK)
            return s;
        scales[i] = scale.bits;
    }
    return STATUS_OK;
}

static enum status read_array(const char *folder, const char *name, const char *suffix, int rank, const size_t *shape,
                              struct npy *out, struct error *e)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s.npy", folder, name, suffix);
    enum status s = npy_read(path, out, e);
    return s == STATUS_OK ? npy_expect(out, path, NPY_F4, rank, shape, e) : s;
}

static enum status make_projection(const char *folder, const char *name, struct projection *p, struct error *e)
{
    static const char *const part_name[PARTS] = {"blocks", "scales", "bias"};
    struct npy w = {0}, b = {0};
    enum status s = read_array(folder, name, "", 3, (const size_t[3]){0}, &w, e);
    if (s != STATUS_OK)
        goto done;
    const size_t experts = w.shape[0], N = w.shape[1], K = w.shape[2], blocks = npy_count(&w) / MXFP4_BLOCK;
    s = read_array(folder, name, "_bias", 2, (const size_t[2]){experts, N}, &b, e);
    if (s != STATUS_OK)
        goto done;
    if (K % MXFP4_BLOCK != 0) {
        s = error_set(e, STATUS_BAD_INPUT, "%s: K = %zu is no multiple of %d", name, K, MXFP4_BLOCK);
        goto done;
    }
    p->data[0] = malloc(blocks * MXFP4_BLOCK_BYTES);
    p->data[1] = malloc(blocks);
    p->data[2] = malloc(npy_count(&b) * sizeof(struct bf16));
    if (p->data[0] == NULL || p->data[1] == NULL || p->data[2] == NULL) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory for %s", name);
        goto done;
    }
    s = encode_weights(&w, p->data[0], p->data[1], e);
    if (s != STATUS_OK) {
        error_at_field(e, name);
        goto done;
    }
    for (size_t i = 0; i < npy_count(&b); i++)
        ((struct bf16 *)p->data[2])[i] = bf16_encode(((const float *)b.data)[i]);
    for (int i = 0; i < PARTS; i++) {
        snprintf(p->name[i], sizeof p->name[i], "model.layers.0.mlp.experts.%s_%s", name, part_name[i]);
        p->entry[i] = (struct safetensors_entry){.name = p->name[i],
                                                 .dtype = i == 2 ? "BF16" : "U8",
                                                 .rank = 4 - i,
                                                 .shape = {experts, N, K / MXFP4_BLOCK, MXFP4_BLOCK_BYTES},
                                                 .data = p->data[i]};
    }
    print_statistics(name, p->data[0], p->data[1], blocks);
done:
    npy_free(&w);
    npy_free(&b);
    return s;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc % 2 == 0) {
        fprintf(stderr, "usage: %s IN OUT.safetensors [KEY VALUE]...\n", argv[0]);
        return 2;
    }
    struct projection p[PROJECTIONS] = {0};
    struct safetensors_entry entry[ENTRIES];
    struct error e = {0};
    enum status s = STATUS_OK;
    for (int i = 0; s == STATUS_OK && i < PROJECTIONS; i++) {
        s = make_projection(argv[1], projection_name[i], &p[i], &e);
        for (int j = 0; j < PARTS; j++)
            entry[i * PARTS + j] = p[i].entry[j];
    }
    /* argv ends with NULL, as the metadata must. */
    if (s == STATUS_OK)
        s = safetensors_write(argv[2], entry, ENTRIES, (const char *const *)(argv + 3), &e);
    if (s != STATUS_OK) {
        char text[1024];
        fprintf(stderr, "%s: %s\n", argv[0], error_line(&e, text, sizeof text));
    }
    for (int i = 0; i < PROJECTIONS; i++)
        for (int j = 0; j < PARTS; j++)
            free(p[i].data[j]);
    return s == STATUS_OK ? 0 : 2;
}
