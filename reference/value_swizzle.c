#include "reference/value_swizzle.h"

#include <assert.h>
#include <string.h>

#include "reference/size.h"

enum status value_swizzle_init(struct value_swizzle *s, size_t rows, size_t row_bytes, size_t pad_rows,
                               size_t pad_bytes, size_t stride, struct error *e)
{
    if (rows == 0 || row_bytes == 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "the values have %zu rows of %zu bytes; both must be at least 1", rows,
                         row_bytes);
    if (pad_rows == 0 || pad_rows % VALUE_SWIZZLE_MIN_ROWS != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "values cannot be padded to %zu rows; use a multiple of %d", pad_rows,
                         VALUE_SWIZZLE_MIN_ROWS);
    if (pad_bytes == 0 || pad_bytes % VALUE_SWIZZLE_MIN_BYTES != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "values cannot be padded to %zu bytes a row; use a multiple of %d",
                         pad_bytes, VALUE_SWIZZLE_MIN_BYTES);

    struct value_swizzle made = {.rows = rows, .row_bytes = row_bytes};
    size_t tight, total;
    if (!size_round_up(rows, pad_rows, &made.padded_rows) ||
        !size_round_up(row_bytes, pad_bytes, &made.padded_row_bytes) ||
        !size_multiply(made.padded_row_bytes, 4, &tight))
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu rows of %zu bytes are too many to pad and swizzle", rows,
                         row_bytes);
    made.stride = stride ? stride : tight;
    if (made.stride < tight)
        return error_set(e, STATUS_BAD_ARGUMENT, "a stride of %zu bytes is too small; a swizzled row has %zu", stride,
                         tight);
    if (!size_multiply(made.padded_rows / 4, made.stride, &total))
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu swizzled rows with a stride of %zu bytes are too many",
                         made.padded_rows / 4, made.stride);
    *s = made;
    return STATUS_OK;
}

size_t value_swizzle_rows(const struct value_swizzle *s)
{
    return s->padded_rows / 4;
}

size_t value_swizzle_bytes(const struct value_swizzle *s)
{
    return value_swizzle_rows(s) * s->stride;
}

/* Where the bits of the two coordinates go; the lower-case letters name bits of m and kb:
 *
 *     m    ... r r r r h g g p        row m2     ... r r r r g g
 *     kb   ... c c c s s u b b        position   ... c c c p b b s s u h
 *
 * h selects row g or g+8, u columns 2q or 2q+8, s the k16 step, b the lane q, p and g the row of the lane. */
size_t value_swizzle_index(const struct value_swizzle *s, size_t m, size_t kb)
{
    assert(m < s->padded_rows && kb < s->padded_row_bytes);
    size_t m2 = (m >> 4) * 4 + ((m & 7) >> 1);
    size_t k2 = kb >> 5;
    k2 = k2 * 2 + (m & 1);
    k2 = k2 * 4 + (kb & 3);
    k2 = k2 * 4 + ((kb >> 3) & 3);
    k2 = k2 * 2 + ((kb >> 2) & 1);
    k2 = k2 * 2 + ((m >> 3) & 1);
    return m2 * s->stride + k2;
}

void value_swizzle_forward(const struct value_swizzle *s, const uint8_t *in, size_t in_stride, uint8_t *out)
{
    assert(in_stride >= s->row_bytes);
    memset(out, 0, value_swizzle_bytes(s));
    for (size_t m = 0; m < s->rows; m++)
        for (size_t kb = 0; kb < s->row_bytes; kb++)
            out[value_swizzle_index(s, m, kb)] = in[m * in_stride + kb];
}

void value_swizzle_inverse(const struct value_swizzle *s, const uint8_t *in, uint8_t *out, size_t out_stride)
{
    assert(out_stride >= s->row_bytes);
    for (size_t m = 0; m < s->rows; m++)
        for (size_t kb = 0; kb < s->row_bytes; kb++)
            out[m * out_stride + kb] = in[value_swizzle_index(s, m, kb)];
}
