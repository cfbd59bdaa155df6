/* driver: runs what `fragoracle derive` printed; compiled with -include load.c. Every buffer has its exact size, so
 * that the address sanitizer sees a load outside the weights. driver direct|anew N K VALUES SCALES OUT         SCALES
 * is - where there are none OUT: u32 [tile][window][thread][step][register]. */
#include <stdio.h>
#include <stdlib.h>

static uint8_t *read_file(const char *path, size_t bytes)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(bytes);
    if (!f || !data || fread(data, 1, bytes, f) != bytes || fgetc(f) != EOF) {
        fprintf(stderr, "%s: not %zu bytes\n", path, bytes);
        exit(3);
    }
    fclose(f);
    return data;
}

#define RUN(load, steps)                                                                                               \
    for (uint32_t n0 = 0; n0 < w.N; n0 += 64)                                                                          \
        for (uint32_t k0 = 0; k0 < w.K; k0 += (steps)*FO_STEP_K)                                                       \
            for (uint32_t thread = 0; thread < 128; thread++) {                                                        \
                uint32_t a[steps][4];                                                                                  \
                load(&w, n0, k0, thread, a);                                                                           \
                fwrite(a, sizeof a, 1, out);                                                                           \
            }

#ifdef FO_PRE_STEPS
static uint8_t *stored_anew(uint8_t *old, size_t pitch, size_t bytes,
                            void (*store)(const uint8_t *, size_t, uint8_t *, uint32_t, uint32_t), uint32_t N,
                            uint32_t K)
{
    uint8_t *made = malloc(bytes);
    if (!made)
        exit(3);
    store(old, pitch, made, N, K);
    free(old);
    return made;
}

static void store_anew(struct fo_weights *w, uint8_t **values, uint8_t **scales)
{
    uint32_t N = w->N, K = w->K;
    size_t pitch = fo_pre_value_pitch(N, K);
    *values = stored_anew(*values, w->value_pitch, fo_pre_value_bytes(N, K, pitch), fo_preswizzle_values, N, K);
    w->values = *values;
    w->value_pitch = pitch;
#ifdef FO_SCALE_COLUMNS
    pitch = fo_pre_scale_pitch(N, K);
    *scales = stored_anew(*scales, w->scale_pitch, fo_pre_scale_bytes(N, K, pitch), fo_preswizzle_scales, N, K);
    w->scales = *scales;
    w->scale_pitch = pitch;
#else
    (void)scales;
#endif
}
#endif

int main(int argc, char **argv)
{
    if (argc != 7)
        return 3;
    struct fo_weights w = {.N = (uint32_t)atoi(argv[2]), .K = (uint32_t)atoi(argv[3])};
    w.value_pitch = fo_value_pitch(w.N, w.K);
    uint8_t *values = read_file(argv[4], fo_value_bytes(w.N, w.K, w.value_pitch)), *scales = NULL;
    w.values = values;
#ifdef FO_SCALE_COLUMNS
    w.scale_pitch = fo_scale_pitch(w.N, w.K);
    scales = read_file(argv[5], fo_scale_bytes(w.N, w.K, w.scale_pitch));
    w.scales = scales;
#endif
    FILE *out = fopen(argv[6], "wb");
    if (!out)
        return 3;
    if (argv[1][0] == 'd') {
        RUN(fo_load_a, FO_STEPS)
    } else {
#ifdef FO_PRE_STEPS
        store_anew(&w, &values, &scales);
        RUN(fo_pre_load_a, FO_PRE_STEPS)
#else
        return 4;
#endif
    }
    free(values);
    free(scales);
    return fclose(out) != 0;
}
