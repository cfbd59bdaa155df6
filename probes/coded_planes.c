#include "probes/coded_planes.h"

#include <stdlib.h>
#include <string.h>

#include "probes/coded.h"
#include "probes/weights.h"
#include "reference/mxfp4.h"

enum { ONE = 2, SCALE_ONE = 127, SCALES = 256 };

/* Pairs whose product is Inf or NaN turn every output of their row of weights into NaN but one at most: zero times them
 * is NaN. So each stands in a row of its own, and of the 256 scales only 253 are spread over the other rows.
 *     rows  0       scale 255, every code
 *           1..5    scale 253: the codes whose product is finite, then one of the others in each
 *           6..14   scale 254: the same */
struct special_row {
    uint8_t scale;
    int8_t code;  /* that overflows, at one place of the block; -1: none */
    uint8_t most; /* magnitudes of the other codes: 0 .. most */
};
static const struct special_row special_rows[] = {{255, -1, 7}, {253, -1, 5}, {253, 6, 5},  {253, 7, 5},  {253, 14, 5},
                                                  {253, 15, 5}, {254, -1, 3}, {254, 4, 3},  {254, 5, 3},  {254, 6, 3},
                                                  {254, 7, 3},  {254, 12, 3}, {254, 13, 3}, {254, 14, 3}, {254, 15, 3}};
enum { SPECIAL_ROWS = sizeof special_rows / sizeof *special_rows, PLAIN_SCALES = 253 };

/* The rows of all planes, counted through. */
static size_t pair_row(const struct source_map *m, size_t plane, uint32_t n)
{
    return plane * m->N + n;
}

static uint32_t special_block(const struct source_map *m, size_t row)
{
    return (uint32_t)(row % m->blocks);
}

/* Where in its block the code that overflows stands. */
static uint32_t special_place(size_t row)
{
    return (uint32_t)(5 * row % MXFP4_BLOCK);
}

static size_t pair_planes(const struct source_map *m)
{
    size_t rows = SPECIAL_ROWS + (PLAIN_SCALES + m->blocks - 1) / m->blocks;
    return (rows + m->N - 1) / m->N;
}

uint32_t coded_pair_code(const struct source_map *m, size_t plane, struct source_point value)
{
    size_t row = pair_row(m, plane, value.n);
    uint32_t block = value.k / MXFP4_BLOCK, counter = value.k + 5 * value.n + block;
    if (row >= SPECIAL_ROWS || block != special_block(m, row))
        return counter % FP4_CODES;
    const struct special_row *s = &special_rows[row];
    if (s->code >= 0 && value.k % MXFP4_BLOCK == special_place(row))
        return (uint32_t)s->code;
    return counter % (s->most + 1u) | (counter / (s->most + 1u) % 2 ? FP4_SIGN : 0);
}

uint32_t coded_pair_scale(const struct source_map *m, size_t plane, struct source_point scale, bool no_scales)
{
    size_t row = pair_row(m, plane, scale.n);
    if (no_scales)
        return SCALE_ONE;
    if (row < SPECIAL_ROWS)
        return scale.k == special_block(m, row) ? special_rows[row].scale : SCALE_ONE;
    return (uint32_t)(((row - SPECIAL_ROWS) * m->blocks + scale.k) % PLAIN_SCALES);
}

enum status coded_planes_make(const struct source_map *map, bool no_scales, struct coded_planes *out, struct error *e)
{
    size_t scales = map->experts * map->N * map->blocks;
    struct coded_planes p = {.map = map, .no_scales = no_scales, .pair = no_scales ? 1 : pair_planes(map)};
    p.value = coded_code_make(CODED_VALUE_BASE, (uint64_t)scales * MXFP4_BLOCK, CODED_VALUE_CHECKS);
    if (!no_scales)
        p.scale = coded_code_make(CODED_POWER_BASE, scales, CODED_POWER_CHECKS);
    p.row = coded_code_make(CODED_POWER_BASE, map->P, CODED_POWER_CHECKS);
    p.blocks = malloc(scales * MXFP4_BLOCK_BYTES);
    p.scales = malloc(scales);
    if (!p.blocks || !p.scales) {
        coded_planes_free(&p);
        return error_set(e, STATUS_NO_MEMORY, "no memory for the weights of %zu blocks", scales);
    }
    p.w = (struct weights){map->experts, map->N, map->K, p.blocks, p.scales};
    *out = p;
    return STATUS_OK;
}

void coded_planes_free(struct coded_planes *p)
{
    free(p->blocks);
    free(p->scales);
    *p = (struct coded_planes){0};
}

static size_t scale_count(const struct coded_planes *p)
{
    return p->map->experts * p->map->N * p->map->blocks;
}

static void fill_ones(struct coded_planes *p)
{
    memset(p->blocks, ONE | ONE << 4, scale_count(p) * MXFP4_BLOCK_BYTES);
}

static void fill_scale_ones(struct coded_planes *p)
{
    memset(p->scales, SCALE_ONE, scale_count(p));
}

void coded_planes_unit(struct coded_planes *p)
{
    fill_ones(p);
    fill_scale_ones(p);
}

void coded_planes_value(struct coded_planes *p, size_t plane)
{
    size_t bytes = scale_count(p) * MXFP4_BLOCK_BYTES;
    fill_scale_ones(p);
    for (size_t i = 0; i < bytes; i++) {
        struct fp4 low = coded_value_symbol(coded_code_digit(&p->value, plane, (uint32_t)(2 * i)));
        struct fp4 high = coded_value_symbol(coded_code_digit(&p->value, plane, (uint32_t)(2 * i + 1)));
        p->blocks[i] = (uint8_t)(low.bits | high.bits << 4);
    }
}

void coded_planes_scale(struct coded_planes *p, size_t plane)
{
    fill_ones(p);
    for (size_t i = 0; i < scale_count(p); i++)
        p->scales[i] = (uint8_t)(SCALE_ONE - coded_code_digit(&p->scale, plane, (uint32_t)i));
}

void coded_planes_pair(struct coded_planes *p, size_t plane)
{
    const struct source_map *m = p->map;
    for (size_t i = 0; i < scale_count(p); i++)
        p->scales[i] = (uint8_t)coded_pair_scale(m, plane, source_scale_point(m, (uint32_t)i), p->no_scales);
    for (size_t i = 0; i < scale_count(p) * MXFP4_BLOCK_BYTES; i++) {
        uint32_t low = coded_pair_code(m, plane, source_value_point(m, (uint32_t)(2 * i)));
        uint32_t high = coded_pair_code(m, plane, source_value_point(m, (uint32_t)(2 * i + 1)));
        p->blocks[i] = (uint8_t)(low | high << 4);
    }
}

void coded_planes_dense(struct coded_planes *p, uint64_t seed)
{
    static const uint8_t code[4] = {2, 4, 2 | FP4_SIGN, 4 | FP4_SIGN};
    struct random r = {seed};
    fill_scale_ones(p);
    for (size_t i = 0; i < scale_count(p) * MXFP4_BLOCK_BYTES; i++) {
        uint64_t bits = random_next(&r);
        p->blocks[i] = (uint8_t)(code[bits & 3] | code[bits >> 2 & 3] << 4);
    }
}

void coded_planes_sweep(const struct coded_planes *p, size_t sweep, size_t plane, bool clear, struct bf16 *x)
{
    const struct source_map *m = p->map;
    for (size_t row = 0; row < m->P; row++) {
        struct bf16 one = {BF16_ONE};
        if (plane != CODED_ONES)
            one = coded_power_symbol(coded_code_digit(&p->row, plane, (uint32_t)row));
        x[row * m->K + m->column[sweep * m->P + row]] = clear ? (struct bf16){0} : one;
    }
}

void coded_planes_dense_x(const struct coded_planes *p, uint64_t seed, struct bf16 *x)
{
    static const uint16_t value[2] = {BF16_ONE, BF16_ONE | BF16_SIGN};
    const struct source_map *m = p->map;
    struct random r = {~seed};
    memset(x, 0, m->P * m->K * sizeof *x);
    for (size_t row = 0; row < m->P; row++) {
        size_t left = m->K < CODED_DENSE ? m->K : CODED_DENSE;
        /* Every choice of so many columns is as likely: column k is taken with chance left / columns left. */
        for (size_t k = 0; k < m->K; k++) {
            if (random_below(&r, (uint32_t)(m->K - k)) >= left)
                continue;
            x[row * m->K + k].bits = value[random_next(&r) & 1];
            left--;
        }
    }
}

struct bf16 coded_planes_pair_expected(const struct coded_planes *p, size_t plane, struct source_point at)
{
    const struct source_map *m = p->map;
    size_t row = pair_row(m, plane, at.n);
    struct source_point scale = {at.expert, at.n, at.k / MXFP4_BLOCK};
    bool special = !p->no_scales && row < SPECIAL_ROWS, here = special && scale.k == special_block(m, row);
    if (special && special_rows[row].scale == E8M0_NAN)
        return (struct bf16){BF16_NAN};
    if (special && special_rows[row].code >= 0 && !(here && at.k % MXFP4_BLOCK == special_place(row)))
        return (struct bf16){BF16_NAN};
    return mxfp4_decode((struct fp4){(uint8_t)coded_pair_code(m, plane, at)},
                        (struct e8m0){(uint8_t)coded_pair_scale(m, plane, scale, p->no_scales)});
}
