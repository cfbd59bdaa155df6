#include "oracle/exec/planted_weights.h"

#include <stdlib.h>
#include <string.h>

#include "oracle/exec/machine.h"
#include "reference/pack_bits.h"

enum { BLOCK = 32 };

/* A code of the matrix: row and column. */
struct code_place {
    size_t n, k;
};

/* Where the code comes from that the kernel takes for the one at (n, k). */
typedef struct code_place order_rule(size_t n, size_t k);

static struct code_place in_order(size_t n, size_t k)
{
    return (struct code_place){n, k};
}

/* s(j) = (j%4*4 + j/8)*2 + j/4%2, backwards. */
static struct code_place unshuffled_twice(size_t n, size_t k)
{
    size_t byte = k / 2 % 32, from = byte / 2 % 4 * 8 + byte % 2 * 4 + byte / 8;
    return (struct code_place){n, k / 64 * 64 + 2 * from + k % 2};
}

/* The bytes (m,j) (m+8,j) (m,j+4) (m+8,j+4) are the slots 0..3 of a word. */
static struct code_place neighbours(size_t n, size_t k)
{
    size_t byte = k / 2, slot = byte / 4 % 2 * 2 + n / 8 % 2, m = n / 16 * 16 + n % 8, j = byte % 4;
    return (struct code_place){m + 8 * (j % 2), 2 * (byte / 8 * 8 + j / 2 * 4 + slot) + k % 2};
}

static struct code_place split_halves(size_t n, size_t k)
{
    return (struct code_place){n, k / BLOCK * BLOCK + k % BLOCK / 2 + k % 2 * 16};
}

static struct code_place nibbles(size_t n, size_t k)
{
    return (struct code_place){n, k ^ 1};
}

static struct code_place bytes_reversed(size_t n, size_t k)
{
    return (struct code_place){n ^ 8, k ^ 8};
}

static order_rule *const orders[PLANTED_ORDERS] = {
    [PLANTED_IN_ORDER] = in_order,     [PLANTED_UNSHUFFLED_TWICE] = unshuffled_twice,
    [PLANTED_NEIGHBOURS] = neighbours, [PLANTED_SPLIT_HALVES] = split_halves,
    [PLANTED_NIBBLES] = nibbles,       [PLANTED_BYTES_REVERSED] = bytes_reversed,
};

/* The row of the checkpoint that the kernel's row n holds. */
static size_t row_of(const struct planted_data *d, size_t n, size_t N)
{
    return d->gate_up_split ? n / 2 + n % 2 * (N / 2) : n;
}

/* One expert. blocks [N][K/2], scales [N][K/32] */
static void expert_copy(const struct weights *w, const struct planted_data *d, size_t expert, uint8_t *blocks,
                        uint8_t *scales)
{
    size_t N = w->N, K = w->K, row_blocks = K / BLOCK;
    const uint8_t *codes = w->blocks + expert * N * K / 2, *from = w->scales + expert * N * row_blocks;
    for (size_t n = 0; n < N; n++) {
        memcpy(scales + n * row_blocks, from + row_of(d, n, N) * row_blocks, row_blocks);
        for (size_t k = 0; k < K; k++) {
            struct code_place at = orders[d->order](n, k);
            uint8_t code = codes[(row_of(d, at.n, N) * K + at.k) / 2] >> (4 * (at.k % 2)) & 15;
            blocks[(n * K + k) / 2] |= (uint8_t)(code << (4 * (k % 2)));
        }
    }
    if (d->expert_missing && expert + 1 == w->experts)
        memset(blocks, 0, N * K / 2);
    if (d->packbits_first)
        pack_bits_forward_bytes(blocks, N * K / 2);
}

/* Rows of the values further apart, the gaps 0. */
static enum status values_spread(struct packed_weights *p, size_t columns, struct error *e)
{
    size_t row = 2 * p->K, stride = row + 2 * columns, rows = p->value_bytes / row;
    uint8_t *values = calloc(rows, stride);
    if (!values)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes of packed weights", rows * stride);
    for (size_t i = 0; i < rows; i++)
        memcpy(values + i * stride, p->values + i * row, row);
    free(p->values);
    p->values = values;
    p->value_bytes = rows * stride;
    return STATUS_OK;
}

static enum status planted_pack(const struct weights *w, const struct planted_data *d, struct packed_weights *p,
                                struct error *e)
{
    struct hopper_layout layout;
    enum status s = hopper_layout_init(&layout, w->experts, w->N, w->K, d->value_rows ? d->value_rows : 16, BLOCK,
                                       d->scale_warps ? d->scale_warps : 4, e);
    if (s != STATUS_OK)
        return s;
    *p = (struct packed_weights){.experts = w->experts,
                                 .N = w->N,
                                 .K = w->K,
                                 .value_bytes = hopper_layout_value_bytes(&layout),
                                 .scale_bytes = hopper_layout_scale_bytes(&layout)};
    p->values = malloc(p->value_bytes);
    p->scales = malloc(p->scale_bytes);
    if (!p->values || !p->scales)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes of packed weights", p->value_bytes);
    hopper_layout_forward(&layout, w, p->values, p->scales);
    if (d->packbits_first)
        pack_bits_inverse_bytes(p->values, p->value_bytes);
    return d->value_columns ? values_spread(p, d->value_columns, e) : STATUS_OK;
}

enum status planted_weights_make(const struct weights *w, const struct planted_data *d, struct packed_weights *out,
                                 struct error *e)
{
    static const struct planted_data neutral;
    if (memcmp(d, &neutral, sizeof neutral) == 0 || w->N % 16 || w->K % 64)
        return packed_weights_make(w, out, e);
    size_t matrix = w->N * w->K;
    struct packed_weights p = {0};
    uint8_t *blocks = calloc(w->experts, matrix / 2), *scales = malloc(w->experts * matrix / BLOCK);
    enum status s = STATUS_OK;
    if (!blocks || !scales) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory for %zu experts of %zu x %zu weights", w->experts, w->N, w->K);
        goto done;
    }
    for (size_t expert = 0; expert < w->experts; expert++)
        expert_copy(w, d, expert, blocks + expert * matrix / 2, scales + expert * matrix / BLOCK);
    s = planted_pack(&(struct weights){w->experts, w->N, w->K, blocks, scales}, d, &p, e);
    if (s == STATUS_OK)
        *out = p;
    else
        packed_weights_free(&p);
done:
    free(blocks);
    free(scales);
    return s;
}
