#include "oracle/diagnose/outputs.h"

#include <stdlib.h>
#include <string.h>

#include "probes/coded.h"
#include "reference/pack_bits.h"

enum { BLOCK = 32 };

enum status outputs_make(const struct geometry *g, size_t planes, bool no_scales, struct outputs *out, struct error *e)
{
    size_t rows = planes * g->experts * g->N;
    struct outputs o = {.g = g, .planes = planes, .no_scales = no_scales};
    o.special = calloc(rows + 1, sizeof *o.special);
    o.column = calloc(rows + 1, sizeof *o.column);
    if (!o.special || !o.column) {
        outputs_free(&o);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu rows of weights", rows);
    }
    *out = o;
    return STATUS_OK;
}

void outputs_free(struct outputs *o)
{
    free(o->special);
    free(o->column);
    *o = (struct outputs){0};
}

void outputs_forget(struct outputs *o)
{
    memset(o->special, 0, o->planes * o->g->experts * o->g->N * sizeof *o->special);
}

static uint32_t code_at(const struct outputs *o, size_t plane, const struct element *e)
{
    return coded_pair_code(o->g->map, plane, (struct source_point){e->expert, e->n, e->k});
}

/* Byte kb of a row whose bytes were packed four by four as they stand. */
static uint32_t packed_byte(const struct outputs *o, const struct chain *c, size_t plane, struct element e, uint32_t kb)
{
    uint32_t word = 0;
    for (uint32_t nibble = 0; nibble < 8; nibble++) {
        struct element at = e;
        at.k = kb / 4 * 8 + nibble;
        chain_beyond(c, &at);
        if (!at.nothing)
            word |= code_at(o, plane, &at) << (4 * nibble);
    }
    return pack_bits_forward(word) >> (8 * (kb % 4)) & 0xff;
}

/* The code at an element where bits were packed before bytes were permuted: the four bytes of its word come from four
 * packed words, and are unpacked as if they were one. */
static uint32_t mixed_code(const struct outputs *o, const struct chain *c, size_t plane, const struct element *at)
{
    uint32_t kb = at->k / 2, word = 0;
    for (uint32_t byte = 0; byte < 4; byte++) {
        struct element e = {.expert = at->expert, .n = (at->n & ~8u) | (byte & 1) * 8};
        word |= packed_byte(o, c, plane, e, (kb & ~4u) | (byte >> 1) * 4) << (8 * byte);
    }
    uint32_t byte = (at->n >> 3 & 1) + 2 * (kb >> 2 & 1);
    return pack_bits_inverse(word) >> (8 * byte + 4 * (at->k & 1)) & 0xf;
}

/* What the registers hold at (expert, n, k). */
static struct bf16 operand(const struct outputs *o, const struct chain *c, size_t plane, uint32_t expert, uint32_t n,
                           uint32_t k)
{
    struct element value, scale;
    struct decode at;
    uint32_t code = 0, byte = o->no_scales ? 127 : 0;
    chain_operand(c, expert, n, k, &value, &scale, &at);
    if (!value.nothing)
        code = chain_mixes(c) ? mixed_code(o, c, plane, &value) : code_at(o, plane, &value);
    if (!scale.nothing)
        byte = coded_pair_scale(o->g->map, plane, (struct source_point){scale.expert, scale.n, scale.k / BLOCK},
                                o->no_scales);
    return chain_decode(c, &at, code, byte);
}

static bool is_special(struct bf16 x)
{
    return (x.bits & BF16_EXPONENT) == BF16_EXPONENT;
}

/* Does any column but k hold a special value? k may be K: none is left out. */
static bool special_beside(struct outputs *o, const struct chain *c, size_t plane, uint32_t expert, uint32_t n,
                           uint32_t k)
{
    size_t row = (plane * o->g->experts + expert) * o->g->N + n;
    if (o->special[row] == 0) {
        o->special[row] = 1;
        for (uint32_t i = 0; i < o->g->K && o->special[row] < 3; i++) {
            if (!is_special(operand(o, c, plane, expert, n, i)))
                continue;
            if (o->special[row]++ == 1)
                o->column[row] = i;
        }
    }
    return o->special[row] == 3 || (o->special[row] == 2 && o->column[row] != k);
}

struct bf16 outputs_pair(struct outputs *o, const struct chain *c, size_t plane, size_t sweep, uint32_t p, uint32_t n,
                         bool *anything)
{
    static const struct bf16 zero = {0}, nan = {BF16_NAN};
    struct site at = chain_site(c, sweep, p, n);
    *anything = at.state == SITE_UNWRITTEN;
    if (at.state != SITE_COMPUTED)
        return zero;
    if (special_beside(o, c, plane, (uint32_t)at.expert, at.n, at.lit ? at.k : o->g->K))
        return chain_output(c, nan);
    return chain_output(c, at.lit ? operand(o, c, plane, (uint32_t)at.expert, at.n, at.k) : zero);
}

bool outputs_same(struct bf16 a, struct bf16 b)
{
    bool nan_a = (a.bits & 0x7fff) > BF16_EXPONENT, nan_b = (b.bits & 0x7fff) > BF16_EXPONENT;
    return (nan_a && nan_b) || a.bits == b.bits;
}
