#include "reference/scale_swizzle.h"

#include <assert.h>
#include <string.h>

#include "reference/size.h"

enum status scale_swizzle_init(struct scale_swizzle *s, size_t rows, size_t blocks, int warps, size_t stride,
                               struct error *e)
{
    if (rows == 0 || blocks == 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "the scales have %zu rows of %zu blocks; both must be at least 1",
                         rows, blocks);
    if (warps != 4 && warps != 8)
        return error_set(e, STATUS_BAD_ARGUMENT, "scales cannot be laid out for %d warps; use 4 or 8", warps);

    struct scale_swizzle made = {.warps = warps, .rows = rows, .blocks = blocks};
    size_t tight, total;
    if (!size_round_up(rows, 32 * (size_t)warps, &made.padded_rows) || !size_round_up(blocks, 2, &made.padded_blocks) ||
        !size_multiply(made.padded_blocks, 32, &tight))
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu rows of %zu blocks are too many to pad and swizzle", rows,
                         blocks);
    made.stride = stride ? stride : tight;
    if (made.stride < tight)
        return error_set(e, STATUS_BAD_ARGUMENT, "a stride of %zu bytes is too small; a swizzled row has %zu", stride,
                         tight);
    if (!size_multiply(made.padded_rows / 32, made.stride, &total))
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu swizzled rows with a stride of %zu bytes are too many",
                         made.padded_rows / 32, made.stride);
    *s = made;
    return STATUS_OK;
}

size_t scale_swizzle_rows(const struct scale_swizzle *s)
{
    return s->padded_rows / 32;
}

size_t scale_swizzle_bytes(const struct scale_swizzle *s)
{
    return scale_swizzle_rows(s) * s->stride;
}

/* Where the bits of the two coordinates go (4 warps; with 8 warps w has three bits):
 *
 *     n    ... r r t w w h g g g      row n2     ... r r w w
 *     kb   ... c c c b                position   ... c c c t g g g b h
 *
 * h selects row g or g+8, b the block of 32 columns, w the warp, t the second 64 (128) rows of the tile. */
size_t scale_swizzle_index(const struct scale_swizzle *s, size_t n, size_t kb)
{
    assert(n < s->padded_rows && kb < s->padded_blocks);
    size_t warps = (size_t)s->warps, strip = n >> 4; /* a strip of 16 rows belongs to one warp */
    size_t n2 = strip / (2 * warps) * warps + strip % warps;
    size_t k2 = kb >> 1;
    k2 = k2 * 2 + ((strip / warps) & 1);
    k2 = k2 * 8 + (n & 7);
    k2 = k2 * 2 + (kb & 1);
    k2 = k2 * 2 + ((n >> 3) & 1);
    return n2 * s->stride + k2;
}

void scale_swizzle_forward(const struct scale_swizzle *s, const uint8_t *in, size_t in_stride, uint8_t *out)
{
    assert(in_stride >= s->blocks);
    memset(out, 0, scale_swizzle_bytes(s));
    for (size_t n = 0; n < s->rows; n++)
        for (size_t kb = 0; kb < s->blocks; kb++)
            out[scale_swizzle_index(s, n, kb)] = in[n * in_stride + kb];
}

void scale_swizzle_inverse(const struct scale_swizzle *s, const uint8_t *in, uint8_t *out, size_t out_stride)
{
    assert(out_stride >= s->blocks);
    for (size_t n = 0; n < s->rows; n++)
        for (size_t kb = 0; kb < s->blocks; kb++)
            out[n * out_stride + kb] = in[scale_swizzle_index(s, n, kb)];
}
