#include "reference/hopper_layout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "reference/pack_bits.h"
#include "reference/size.h"

enum { BLOCK = 32 }; /* columns that share one scale */

enum status hopper_layout_init(struct hopper_layout *l, size_t experts, size_t N, size_t K, size_t pad_rows,
                               size_t pad_bytes, int warps, struct error *e)
{
    if (experts == 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "there are no experts");
    if (K % BLOCK != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "K = %zu is not a multiple of %d, the columns that share one scale", K,
                         BLOCK);
    struct hopper_layout made = {.experts = experts};
    enum status s = value_swizzle_init(&made.values, N, K / 2, pad_rows, pad_bytes, 0, e);
    if (s == STATUS_OK)
        s = scale_swizzle_init(&made.scales, N, K / BLOCK, warps, 0, e);
    if (s != STATUS_OK)
        return s;
    size_t total;
    if (!size_multiply(experts, value_swizzle_bytes(&made.values), &total) ||
        !size_multiply(experts, scale_swizzle_bytes(&made.scales), &total))
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu experts of %zu x %zu weights are too many", experts, N, K);
    *l = made;
    return STATUS_OK;
}

size_t hopper_layout_value_bytes(const struct hopper_layout *l)
{
    return l->experts * value_swizzle_bytes(&l->values);
}

size_t hopper_layout_scale_bytes(const struct hopper_layout *l)
{
    return l->experts * scale_swizzle_bytes(&l->scales);
}

void hopper_layout_forward(const struct hopper_layout *l, const struct weights *w, uint8_t *values, uint8_t *scales)
{
    size_t row_bytes = l->values.row_bytes, blocks = l->scales.blocks;
    assert(w->experts == l->experts && w->N == l->values.rows && w->K == row_bytes * 2);
    for (size_t x = 0; x < l->experts; x++) {
        uint8_t *out = values + x * value_swizzle_bytes(&l->values);
        value_swizzle_forward(&l->values, w->blocks + x * w->N * row_bytes, row_bytes, out);
        pack_bits_forward_bytes(out, value_swizzle_bytes(&l->values));
        scale_swizzle_forward(&l->scales, w->scales + x * w->N * blocks, blocks,
                              scales + x * scale_swizzle_bytes(&l->scales));
    }
}

enum status hopper_layout_inverse(const struct hopper_layout *l, const uint8_t *values, const uint8_t *scales,
                                  uint8_t *blocks, uint8_t *scales_out, struct error *e)
{
    size_t bytes = value_swizzle_bytes(&l->values), N = l->values.rows;
    uint8_t *unpacked = malloc(bytes); /* one expert: the caller's array stays packed */
    if (!unpacked)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes, the values of one expert", bytes);
    for (size_t x = 0; x < l->experts; x++) {
        memcpy(unpacked, values + x * bytes, bytes);
        pack_bits_inverse_bytes(unpacked, bytes);
        value_swizzle_inverse(&l->values, unpacked, blocks + x * N * l->values.row_bytes, l->values.row_bytes);
        scale_swizzle_inverse(&l->scales, scales + x * scale_swizzle_bytes(&l->scales),
                              scales_out + x * N * l->scales.blocks, l->scales.blocks);
    }
    free(unpacked);
    return STATUS_OK;
}
