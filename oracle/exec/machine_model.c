/* machine_model: the debug kernels without a GPU. What the loaders and wgmma do follows from the contract maps, so a
 * capture made here shows that the tool is sound, never what hardware does: it cannot lock a contract. */
#include <string.h>

#include "oracle/exec/model.h"
#include "reference/accumulate_tile.h"
#include "reference/fragment.h"

enum { M = 64, N = 64, K = 16, THREADS = 128, SMALL_N = 8 };

static enum status contract_map(enum fragment_operand operand, struct layout *out, struct error *e)
{
    struct wgmma_op op;
    enum status s = wgmma_parse("wgmma.m64n64k16.f32.bf16.bf16.rs", &op, e);
    return s == STATUS_OK ? fragment_map(&op, operand, out, e) : s;
}

/* Both loaders end at the contract map. */
static enum status model_loader(bool ldmatrix, const uint16_t *matrix, uint32_t *registers, struct error *e)
{
    struct layout map;
    enum status s = contract_map(FRAGMENT_A, &map, e);
    (void)ldmatrix;
    for (uint32_t code = 0; s == STATUS_OK && code < box_size(&map.domain); code += 2) {
        struct point low = box_point(&map.domain, code), high = box_point(&map.domain, code + 1);
        low = layout_apply(&map, &low);
        high = layout_apply(&map, &high);
        registers[code / 2] = matrix[low.at[0] * K + low.at[1]] | (uint32_t)matrix[high.at[0] * K + high.at[1]] << 16;
    }
    return s;
}

/* D [64][columns] += A [64][16] * B [columns][16]. needs: columns at most 64. */
static void multiply(const struct bf16 *a, const struct bf16 *b, size_t columns, float *d)
{
    struct accumulate_operand operand[M * K];
    struct accumulate_line line[M];
    struct accumulate_panel panel[N / ACCUMULATE_LANES];
    accumulate_prepare(a, M * K, operand);
    for (size_t i = 0; i < M; i++)
        accumulate_pack_line(operand + i * K, &line[i]);
    accumulate_prepare(b, columns * K, operand);
    accumulate_pack_panels(operand, K, columns, panel);
    accumulate_tile(&accumulate_hopper_bf16, line, NULL, M, panel, columns, d, columns);
}

/* D of one tile, by thread and register. a [64][16], b [64][16]. */
static void model_tile(const struct layout *d_map, const struct bf16 *a, const struct bf16 *b, float *d)
{
    float matrix[M * N] = {0};
    multiply(a, b, N, matrix);
    for (uint32_t code = 0; code < box_size(&d_map->domain); code++) {
        struct point slot = box_point(&d_map->domain, code), element = layout_apply(d_map, &slot);
        d[code] = matrix[element.at[0] * N + element.at[1]];
    }
}

static enum status model_product_ss(size_t tiles, const uint16_t *a, const uint16_t *b, float *d, struct error *e)
{
    struct layout d_map;
    enum status s = contract_map(FRAGMENT_D, &d_map, e);
    for (size_t t = 0; s == STATUS_OK && t < tiles; t++)
        model_tile(&d_map, (const struct bf16 *)(a + t * M * K), (const struct bf16 *)(b + t * N * K), d + t * M * N);
    return s;
}

static enum status model_product_rs(size_t tiles, const uint32_t *a, const uint16_t *b, float *d, struct error *e)
{
    struct layout a_map, d_map;
    enum status s = contract_map(FRAGMENT_A, &a_map, e);
    if (s == STATUS_OK)
        s = contract_map(FRAGMENT_D, &d_map, e);
    for (size_t t = 0; s == STATUS_OK && t < tiles; t++) {
        struct bf16 matrix[M * K];
        for (uint32_t code = 0; code < box_size(&a_map.domain); code++) {
            struct point slot = box_point(&a_map.domain, code), element = layout_apply(&a_map, &slot);
            matrix[element.at[0] * K + element.at[1]].bits =
                (uint16_t)(a[t * THREADS * 4 + code / 2] >> (16 * (code % 2)));
        }
        model_tile(&d_map, matrix, (const struct bf16 *)b, d + t * M * N);
    }
    return s;
}

static enum status model_arithmetic(size_t tiles, const uint16_t *a, const uint16_t *b, const uint32_t *c, uint32_t *d,
                                    struct error *e)
{
    (void)e;
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles; t++) {
        float matrix[M * SMALL_N];
        memcpy(matrix, c + t * M * SMALL_N, sizeof matrix);
        multiply((const struct bf16 *)(a + t * M * K), (const struct bf16 *)(b + t * SMALL_N * K), SMALL_N, matrix);
        memcpy(d + t * M * SMALL_N, matrix, sizeof matrix);
    }
    return STATUS_OK;
}

static enum status model_one_tile(const struct tile_op *op, const uint32_t *a, const uint32_t *b, const uint32_t *c,
                                  const struct tile_options *o, uint32_t *d, struct error *e)
{
    (void)e;
    tile_mma(op, a, b, c, o, d);
    return STATUS_OK;
}

static enum status model_decode(size_t n, const uint32_t *words, const uint32_t *scales, const uint32_t *steps,
                                uint32_t *registers, struct error *e)
{
    const struct rs_fault neutral = RS_FAULT_NEUTRAL;
    (void)e;
    for (size_t i = 0; i < n; i++)
        rs_decode(words[i], scales[i], steps[i], &neutral, registers + 4 * i);
    return STATUS_OK;
}

void machine_model(struct machine *out)
{
    *out = (struct machine){.name = "model",
                            .fidelity = FIDELITY_BIT_EXACT_MODEL,
                            .device = "bit-exact model",
                            .loader = model_loader,
                            .product_ss = model_product_ss,
                            .product_rs = model_product_rs,
                            .arithmetic = model_arithmetic,
                            .decode = model_decode,
                            .tile = model_one_tile,
                            .subject = model_subject};
}
