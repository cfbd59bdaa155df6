#include "oracle/diagnose/chain.h"

#include <string.h>

#include "reference/fp4.h"
#include "reference/mxfp4.h"

enum { BLOCK = 32 };

/* Faults of a launch set different things, so their order does not matter. */
struct chain chain_elsewhere(const struct chain *c, const struct geometry *g, struct row_place *place)
{
    struct chain there = *c;
    struct launch launch = {0};
    bool wrong = false;
    for (size_t i = 0; i < c->count; i++)
        if (c->step[i].is->launch) {
            c->step[i].is->launch(&c->step[i], &launch);
            wrong = true;
        }
    if (wrong)
        launch_rows(g, &launch, place);
    there.g = g;
    there.place = wrong ? place : g->place;
    return there;
}

size_t chain_make(const struct geometry *g, const struct choice *first, const struct choice *second,
                  struct row_place *place, struct chain out[2])
{
    struct chain c = {.g = g};
    if (first && second && second->is->depth < first->is->depth) {
        const struct choice *earlier = second;
        second = first;
        first = earlier;
    }
    if (first)
        c.step[c.count++] = *first;
    if (second)
        c.step[c.count++] = *second;
    out[0] = chain_elsewhere(&c, g, place);
    if (c.count < 2 || first->is->depth != second->is->depth || first->is->launch)
        return 1;
    out[1] = out[0];
    out[1].step[0] = *second;
    out[1].step[1] = *first;
    return 2;
}

static void go(const struct chain *c, enum chain_depth depth, struct site *s)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->step[i].is->depth == depth && c->step[i].is->place)
            c->step[i].is->place(c->g, &c->step[i], s);
}

struct site chain_site(const struct chain *c, size_t sweep, uint32_t p, uint32_t n)
{
    struct site s = {.p = p, .n = n};
    go(c, DEPTH_RESTORE, &s);
    const struct row_place *row = &c->place[s.p];
    s.state = row->state;
    s.expert = row->expert;
    if (s.state != SITE_COMPUTED)
        return s;
    s.token = s.p - row->tile_first;
    go(c, DEPTH_EPILOGUE, &s);
    s.p = row->tile_first + s.token;
    s.padding = s.token >= row->tile_rows;
    s.lit = !s.padding;
    if (s.lit)
        s.k = c->g->map->column[sweep * c->g->P + s.p];
    go(c, DEPTH_DESCRIPTOR, &s);
    return s;
}

static void bound(const struct chain *c, struct element *e)
{
    e->nothing = e->nothing || e->expert >= c->g->experts || e->n >= c->g->N || e->k >= c->g->K;
}

void chain_operand(const struct chain *c, uint32_t expert, uint32_t n, uint32_t k, struct element *value,
                   struct element *scale, struct decode *at)
{
    struct element v = {.expert = expert, .n = n, .k = k}, s = v;
    bool mixed = false;
    *at = (struct decode){.n = n, .k = k};
    for (size_t i = 0; i < c->count; i++) {
        const struct hypothesis *h = c->step[i].is;
        mixed = mixed || h->mixes;
        if (h->value && !mixed)
            h->value(c->g, &c->step[i], &v);
        if (h->scale)
            h->scale(c->g, &c->step[i], &s);
        if (h->depth <= DEPTH_LOAD) {
            at->n = v.n;
            at->k = v.k;
        }
    }
    bound(c, &v);
    bound(c, &s);
    *value = v;
    *scale = s;
}

void chain_beyond(const struct chain *c, struct element *value)
{
    bool mixed = false;
    for (size_t i = 0; i < c->count; i++) {
        if (mixed && c->step[i].is->value)
            c->step[i].is->value(c->g, &c->step[i], value);
        mixed = mixed || c->step[i].is->mixes;
    }
    bound(c, value);
}

bool chain_mixes(const struct chain *c)
{
    bool mixes = false;
    for (size_t i = 0; i < c->count; i++)
        mixes = mixes || c->step[i].is->mixes;
    return mixes;
}

struct seen chain_observe(const struct chain *c, size_t sweep, uint32_t p, uint32_t n)
{
    static const struct seen nothing = {SOURCE_ZERO, SOURCE_ZERO, SOURCE_ZERO};
    struct site at = chain_site(c, sweep, p, n);
    if (at.state == SITE_UNWRITTEN)
        return (struct seen){SOURCE_UNWRITTEN, SOURCE_UNWRITTEN, SOURCE_UNWRITTEN};
    if (at.state == SITE_ZERO || !at.lit)
        return nothing;
    struct element value, scale;
    struct decode unused;
    chain_operand(c, (uint32_t)at.expert, at.n, at.k, &value, &scale, &unused);
    if (chain_mixes(c))
        return (struct seen){SEEN_ANYTHING, SEEN_ANYTHING, SEEN_ANYTHING};
    if (value.nothing)
        return nothing;
    uint32_t code = source_value_code(c->g->map, (struct source_point){value.expert, value.n, value.k});
    if (scale.nothing)
        return (struct seen){code, SEEN_NO_SOURCE, SEEN_ANYTHING};
    return (struct seen){
        code, source_scale_code(c->g->map, (struct source_point){scale.expert, scale.n, scale.k / BLOCK}), at.p};
}

bool seen_agrees(uint32_t predicted, uint32_t found)
{
    if (predicted == SEEN_ANYTHING)
        return true;
    if (predicted == SEEN_NO_SOURCE)
        return found == SOURCE_MIXTURE || found == SOURCE_UNKNOWN;
    return predicted == found;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* To nearest even; every product here is exact or overflows, so only NaN needs care. */
static struct bf16 round_product(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (struct bf16){x != x ? BF16_NAN : (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

static struct bf16 multiply(struct bf16 a, struct bf16 b)
{
    return round_product(float_of((uint32_t)a.bits << 16) * float_of((uint32_t)b.bits << 16));
}

/* The way of the kernel: a pattern that is 2^-126 of the value, times 2^126, times the scale. */
struct bf16 chain_decode(const struct chain *c, const struct decode *at, uint32_t code, uint32_t scale)
{
    static const struct bf16 two_126 = {0x7e80};
    struct decode d = *at;
    d.code = code;
    d.scale = scale;
    for (size_t i = 0; i < c->count; i++)
        if (c->step[i].is->decode)
            c->step[i].is->decode(&c->step[i], &d);
    struct bf16 value = {(uint16_t)((d.code & 8) << 12 | (d.code & 7) << 6)};
    struct bf16 factor = {(uint16_t)(d.scale << BF16_MANTISSA_BITS)};
    if (d.scale == 0)
        factor.bits = d.zero_is_nothing ? 0 : 0x0040;
    if (d.scale == 255 && !d.nan_is_infinity)
        factor.bits = BF16_NAN;
    return d.folded ? multiply(value, multiply(two_126, factor)) : multiply(multiply(value, two_126), factor);
}

struct bf16 chain_output(const struct chain *c, struct bf16 product)
{
    bool infinite = (product.bits & 0x7fff) == BF16_EXPONENT, nan = (product.bits & 0x7fff) > BF16_EXPONENT;
    if ((product.bits & 0x7fff) == 0)
        product.bits = 0; /* one term that is a zero of either sign sums to +0 */
    if (nan)
        product.bits = BF16_NAN;
    for (size_t i = 0; i < c->count; i++)
        if (c->step[i].is->launders && (nan || infinite))
            product.bits = nan ? 0 : (uint16_t)((product.bits & BF16_SIGN) | 0x7f7f);
    return product;
}
