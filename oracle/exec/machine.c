#include "oracle/exec/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status machine_choose(const char *on, struct machine *out, struct error *e)
{
    if (strcmp(on, "model") == 0) {
        machine_model(out);
        return STATUS_OK;
    }
    if (strcmp(on, "gpu") == 0)
        return machine_gpu(out, e);
    if (strcmp(on, "auto") == 0) {
        if (machine_gpu(out, NULL) != STATUS_OK)
            machine_model(out);
        return STATUS_OK;
    }
    return error_set(e, STATUS_BAD_ARGUMENT, "--on %s: legal are auto, gpu and model", on);
}

uint64_t machine_expected_tiles(const struct rs_shape *shape, const uint32_t *starts, const int32_t *ids)
{
    uint64_t feature_tiles = (shape->N + RS_TILE_FEATURES - 1) / RS_TILE_FEATURES, token_tiles = 0;
    for (uint32_t a = 0; a < shape->active; a++) {
        if (starts[a] > starts[a + 1] || starts[a + 1] > shape->P)
            return 0;
        if (ids[a] >= 0 && (uint32_t)ids[a] < shape->experts)
            token_tiles += (starts[a + 1] - starts[a] + RS_TILE_TOKENS - 1) / RS_TILE_TOKENS;
    }
    return token_tiles * feature_tiles;
}

struct run_report machine_report(const struct subject *subject, const struct rs_shape *shape, const uint32_t *starts,
                                 const int32_t *ids)
{
    struct run_report r = {.tile = {RS_TILE_FEATURES, RS_TILE_TOKENS, RS_TILE_K}, .launches = 1};
    snprintf(r.kernel, sizeof r.kernel, "%s wgmma.m64n64k16.f32.bf16.bf16.rs",
             subject->planted ? "rs_gemm_planted_kernel" : "rs_gemm_kernel");
    r.wgmma_expected = machine_expected_tiles(shape, starts, ids) * (shape->K / RS_STEP_K);
    return r;
}

enum status packed_weights_any(const struct weights *w, struct packed_weights *out, struct error *e)
{
    struct hopper_layout layout;
    enum status s = hopper_layout_init(&layout, w->experts, w->N, w->K, 16, 32, 4, e);
    if (s != STATUS_OK)
        return s;
    struct packed_weights p = {.experts = w->experts,
                               .N = layout.values.padded_rows,
                               .K = layout.values.padded_row_bytes * 2,
                               .value_bytes = hopper_layout_value_bytes(&layout),
                               .scale_bytes = hopper_layout_scale_bytes(&layout)};
    p.values = malloc(p.value_bytes);
    p.scales = malloc(p.scale_bytes);
    if (!p.values || !p.scales) {
        packed_weights_free(&p);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes of packed weights",
                         hopper_layout_value_bytes(&layout));
    }
    hopper_layout_forward(&layout, w, p.values, p.scales);
    *out = p;
    return STATUS_OK;
}

enum status packed_weights_make(const struct weights *w, struct packed_weights *out, struct error *e)
{
    if (w->N % 16 || w->K % 64)
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "the production kernel wants N %% 16 == 0 and K %% 64 == 0, not N = %zu, K = %zu", w->N, w->K);
    return packed_weights_any(w, out, e);
}

void packed_weights_free(struct packed_weights *p)
{
    free(p->values);
    free(p->scales);
    memset(p, 0, sizeof *p);
}
