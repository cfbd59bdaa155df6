#include "probes/explain_rule.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *rule_family_name(enum rule_family f)
{
    static const char *const names[] = {"identity", "add",   "xor",    "modulo",   "rotate",
                                        "mask",     "split", "affine", "periodic", "table"};
    assert(f < RULE_FAMILIES);
    return names[f];
}

struct source_rule source_rule_identity(const char *first, const char *second, const uint32_t extent[2])
{
    struct source_rule r = {.extent = {extent[0], extent[1]}};
    snprintf(r.name[0], sizeof r.name[0], "%s", first);
    snprintf(r.name[1], sizeof r.name[1], "%s", second);
    return r;
}

bool source_rule_is_identity(const struct source_rule *r)
{
    return r->at[0].family == RULE_IDENTITY && r->at[1].family == RULE_IDENTITY;
}

void source_rule_free(struct source_rule *r)
{
    free(r->at[0].step);
    free(r->at[1].step);
    *r = (struct source_rule){0};
}

static int64_t wrap(int64_t x, int64_t m)
{
    return m == 0 ? -1 : (x % m + m) % m;
}

static uint32_t images(const uint32_t image[RULE_BITS], uint32_t x)
{
    uint32_t sum = 0;
    for (int i = 0; i < RULE_BITS && x >> i; i++)
        if (x >> i & 1)
            sum ^= image[i];
    return sum;
}

static int64_t coordinate_apply(const struct rule_coordinate *c, uint32_t z, uint32_t w, uint32_t bound)
{
    switch (c->family) {
    case RULE_ADD:
        return z + c->add;
    case RULE_XOR:
        return z ^ c->bits;
    case RULE_MASK:
        return z & ~c->bits;
    case RULE_MODULO:
        return wrap(z + c->add, c->modulus);
    case RULE_ROTATE:
        return wrap(z + c->add, bound);
    case RULE_SPLIT:
        return (int64_t)(z / c->modulus) * c->high + (int64_t)(z % c->modulus) * c->low;
    case RULE_AFFINE:
        return z ^ c->bits ^ images(c->image[0], z) ^ images(c->image[1], w);
    case RULE_PERIODIC:
    case RULE_TABLE:
        return (int64_t)z + c->step[(size_t)(z % c->period[0]) * c->period[1] + w % c->period[1]];
    default:
        return z;
    }
}

bool source_rule_apply(const struct source_rule *r, const uint32_t in[2], const uint32_t bound[2], uint32_t out[2])
{
    const uint32_t *limit = bound ? bound : r->extent;
    int64_t y[2];
    for (int c = 0; c < 2; c++) {
        y[c] = coordinate_apply(&r->at[c], in[c], in[1 - c], limit[c]);
        if (y[c] < 0 || y[c] >= limit[c])
            return false;
    }
    out[0] = (uint32_t)y[0];
    out[1] = (uint32_t)y[1];
    return true;
}

/* ---- as text ----------------------------------------------------------------------------------------------------- */

struct writer {
    char *text;
    size_t used;
    bool full;
};

static void put(struct writer *w, const char *format, const char *name, long long a, long long b)
{
    char piece[64];
    int length = snprintf(piece, sizeof piece, format, name, a, b);
    if (length < 0 || (size_t)length >= sizeof piece || w->used + (size_t)length >= RULE_TEXT) {
        w->full = true;
        return;
    }
    memcpy(w->text + w->used, piece, (size_t)length + 1);
    w->used += (size_t)length;
}

/* Bits that move by the same distance are one term: (n >> 3 & 0x7). */
static void format_affine(const struct source_rule *r, int coordinate, struct writer *w)
{
    const struct rule_coordinate *c = &r->at[coordinate];
    int terms = 0;
    for (int v = 0; v < 2; v++) {
        const char *name = r->name[v == 0 ? coordinate : 1 - coordinate];
        for (int shift = -(RULE_BITS - 1); shift < RULE_BITS; shift++) {
            uint32_t mask = 0; /* bits of the result; shift: how far they came down */
            for (int i = 0; i < RULE_BITS; i++) {
                uint32_t bit = c->image[v][i] ^ (v == 0 ? 1u << i : 0);
                if (i - shift >= 0 && i - shift < RULE_BITS && bit >> (i - shift) & 1)
                    mask |= 1u << (i - shift);
            }
            uint32_t all = r->extent[coordinate] - 1;
            for (int i = 1; i < 32; i *= 2)
                all |= all >> i;
            if (mask == 0 || (mask & all) == 0)
                continue;
            put(w, terms++ ? " ^ (%s" : "(%s", name, 0, 0);
            if (shift != 0)
                put(w, shift > 0 ? "%s >> %lld" : "%s << %lld", "", shift > 0 ? shift : -shift, 0);
            put(w, "%s & 0x%llx)", "", mask & all, 0);
        }
    }
    if (c->bits || terms == 0)
        put(w, terms ? "%s ^ %lld" : "%s%lld", "", c->bits, 0);
}

static void format_steps(const struct source_rule *r, int coordinate, struct writer *w)
{
    const struct rule_coordinate *c = &r->at[coordinate];
    const char *z = r->name[coordinate], *other = r->name[1 - coordinate];
    size_t entries = (size_t)c->period[0] * c->period[1];
    struct writer start = *w;
    if (entries <= 64 && (c->period[0] == 1 || c->period[1] == 1)) {
        put(w, "%s + (int[]){", z, 0, 0);
        for (size_t i = 0; i < entries; i++)
            put(w, i + 1 < entries ? "%s%lld, " : "%s%lld}", "", c->step[i], 0);
    } else {
        w->full = true;
    }
    bool one = c->period[0] == 1 || c->period[1] == 1;
    const char *sub = c->period[1] == 1 ? z : other;
    uint32_t m = c->period[1] == 1 ? c->period[0] : c->period[1];
    uint32_t whole = r->extent[c->period[1] == 1 ? coordinate : 1 - coordinate];
    if (w->full) {
        *w = start;
        put(w, "%s + t", z, 0, 0);
    }
    put(w, one && m < whole ? "[%s %% %lld]" : "[%s", one ? sub : z, m, 0);
    if (!one)
        put(w, c->family == RULE_TABLE ? "%s" : "%s %% %lld", "", c->period[0], 0);
    if (!one || m >= whole)
        put(w, "%s]", "", 0, 0);
    if (!one)
        put(w, c->family == RULE_TABLE ? "[%s]" : "[%s %% %lld]", other, c->period[1], 0);
}

const char *source_rule_format(const struct source_rule *r, int coordinate, char text[RULE_TEXT])
{
    const struct rule_coordinate *c = &r->at[coordinate];
    const char *z = r->name[coordinate];
    struct writer w = {text, 0, false};
    text[0] = 0;
    long long a = c->add < 0 ? -c->add : c->add;
    const char *sign = c->add < 0 ? "-" : "+";
    switch (c->family) {
    case RULE_ADD:
        snprintf(text, RULE_TEXT, "%s %s %lld", z, sign, a);
        break;
    case RULE_XOR:
        snprintf(text, RULE_TEXT, "%s ^ %u", z, c->bits);
        break;
    case RULE_MASK:
        if ((r->extent[coordinate] - 1) & ~c->bits)
            snprintf(text, RULE_TEXT, c->bits > 9 ? "%s & ~0x%x" : "%s & ~%u", z, c->bits);
        else
            snprintf(text, RULE_TEXT, "0");
        break;
    case RULE_MODULO:
    case RULE_ROTATE:
        if (c->add != 0)
            snprintf(text, RULE_TEXT, "(%s %s %lld) %% ", z, sign, a);
        else
            snprintf(text, RULE_TEXT, "%s %% ", z);
        w.used = strlen(text);
        put(&w, c->family == RULE_MODULO ? "%s%lld" : "%srows", "", c->modulus, 0);
        break;
    case RULE_SPLIT:
        snprintf(text, RULE_TEXT, "%s / %u * %u + %s %% %u * %u", z, c->modulus, c->high, z, c->modulus, c->low);
        break;
    case RULE_AFFINE:
        format_affine(r, coordinate, &w);
        break;
    case RULE_PERIODIC:
    case RULE_TABLE:
        format_steps(r, coordinate, &w);
        break;
    default:
        snprintf(text, RULE_TEXT, "%s", z);
    }
    return text;
}

bool rule_coordinate_is_alone(const struct rule_coordinate *c)
{
    if (c->family < RULE_AFFINE)
        return true;
    if (c->family >= RULE_PERIODIC)
        return c->period[1] == 1;
    for (int i = 0; i < RULE_BITS; i++)
        if (c->image[1][i])
            return false;
    return true;
}

bool source_rule_is_one_to_one(const struct source_rule *r)
{
    uint32_t extent = r->extent[0], out[2];
    for (uint32_t a = 0; a < extent; a++) {
        if (!source_rule_apply(r, (uint32_t[2]){a, 0}, NULL, out))
            return false;
        uint32_t first = out[0];
        for (uint32_t b = 0; b < a; b++)
            if (source_rule_apply(r, (uint32_t[2]){b, 0}, NULL, out) && out[0] == first)
                return false;
    }
    return true;
}

bool source_rule_moves_chunks(const struct source_rule *r, uint32_t chunk, uint32_t block, bool *far)
{
    uint32_t out[2];
    *far = false;
    for (uint32_t k = 0; k < r->extent[1]; k++) {
        if (!source_rule_apply(r, (uint32_t[2]){0, k}, NULL, out))
            continue;
        if (out[1] % chunk != k % chunk)
            return false;
        *far |= out[1] / block != k / block;
    }
    return true;
}

bool source_rule_stays_in_block(const struct source_rule *r, uint32_t block)
{
    uint32_t out[2];
    for (uint32_t n = 0; n < r->extent[0]; n++)
        for (uint32_t k = 0; k < r->extent[1]; k++)
            if (!source_rule_apply(r, (uint32_t[2]){n, k}, NULL, out) || out[0] != n || out[1] / block != k / block)
                return false;
    return true;
}
