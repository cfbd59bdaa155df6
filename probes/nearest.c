#include "probes/nearest.h"

#include "reference/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Both matrices decoded, a line after the other. */
struct lines {
    size_t count, length;
    float *output, *expected;              /* [count, length] */
    bool *output_finite, *expected_finite; /* [count]: all of the line is */
    double *own;                           /* [count], scratch: squared distances of line i to line i */
};

static void lines_free(struct lines *l)
{
    free(l->output);
    free(l->expected);
    free(l->output_finite);
    free(l->expected_finite);
    free(l->own);
}

static void decode(const struct bf16 *in, const struct lines *l, bool by_column, float *out, bool *finite)
{
    size_t line_stride = by_column ? 1 : l->length, element_stride = by_column ? l->count : 1;
    for (size_t i = 0; i < l->count; i++) {
        finite[i] = true;
        for (size_t j = 0; j < l->length; j++) {
            struct bf16 x = in[i * line_stride + j * element_stride];
            out[i * l->length + j] = bf16_decode(x);
            finite[i] &= (x.bits & BF16_EXPONENT) != BF16_EXPONENT;
        }
    }
}

static enum status lines_make(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N,
                              bool by_column, struct lines *l, struct error *e)
{
    *l = (struct lines){.count = by_column ? N : P, .length = by_column ? P : N};
    l->output = calloc(l->count * l->length, sizeof *l->output);
    l->expected = calloc(l->count * l->length, sizeof *l->expected);
    l->output_finite = calloc(l->count, sizeof *l->output_finite);
    l->expected_finite = calloc(l->count, sizeof *l->expected_finite);
    l->own = calloc(l->count, sizeof *l->own);
    if (!l->output || !l->expected || !l->output_finite || !l->expected_finite || !l->own) {
        lines_free(l);
        return error_set(e, STATUS_NO_MEMORY, "no memory to search %zu x %zu elements for nearest lines", P, N);
    }
    decode(output, l, by_column, l->output, l->output_finite);
    decode(expected, l, by_column, l->expected, l->expected_finite);
    return STATUS_OK;
}

double nearest_element_error(float o, float r)
{
    if (isfinite(o) && isfinite(r))
        return fabs((double)o - (double)r);
    return (isnan(o) && isnan(r)) || o == r ? 0 : INFINITY;
}

/* Squared distance of two finite lines, or any value above `limit` once it is known to exceed it. */
static double distance_finite(const float *a, const float *b, size_t n, double limit)
{
    enum { LANES = 4, STRIDE = 16 };
    double sum[LANES] = {0}, total = 0;
    size_t i = 0;
    while (i + STRIDE <= n) {
        for (size_t end = i + STRIDE; i < end; i += LANES) {
            for (size_t j = 0; j < LANES; j++) {
                double d = (double)a[i + j] - (double)b[i + j];
                sum[j] += d * d;
            }
        }
        total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        if (total > limit)
            return total;
    }
    for (; i < n; i++) {
        double d = (double)a[i] - (double)b[i];
        total += d * d;
    }
    return total;
}

/* The same where NaN and Inf may be met. */
static double distance_any(const float *a, const float *b, size_t n, double limit)
{
    double total = 0;
    for (size_t i = 0; i < n && total <= limit; i++) {
        double d = nearest_element_error(a[i], b[i]);
        total += d * d;
    }
    return total;
}

static double distance(const struct lines *l, size_t o, size_t r, double limit)
{
    const float *a = l->output + o * l->length, *b = l->expected + r * l->length;
    return l->output_finite[o] && l->expected_finite[r] ? distance_finite(a, b, l->length, limit)
                                                        : distance_any(a, b, l->length, limit);
}

/* A sum of products of bf16 values, exact. Digit i is worth 2^(32i) times the smallest product; between carries a digit
 * may hold any 64-bit integer: an element adds less than 2^49 to it, so 4096 elements leave room. A product has 16 bits
 * and the exponents of two factors span 508 places, so that 20 digits hold 2^100 of them. */
enum { DIGITS = 20, DIGIT_BITS = 32, ELEMENTS_BETWEEN_CARRIES = 4096 };

static void digits_add(int64_t *digit, float x, float y, int sign, int doubled)
{
    uint32_t a = f32_bits(x), b = f32_bits(y);
    uint32_t ea = a >> 23 & 0xff, eb = b >> 23 & 0xff;
    /* The lower 16 bits of a widened bf16 are zero: 7 bits of mantissa remain, and the hidden one if it is normal. */
    uint32_t sa = (a >> 16 & BF16_MANTISSA) | (ea ? 0x80u : 0), sb = (b >> 16 & BF16_MANTISSA) | (eb ? 0x80u : 0);
    uint32_t place = (ea ? ea - 1 : 0) + (eb ? eb - 1 : 0) + (uint32_t)doubled;
    int64_t term = (int64_t)((uint64_t)(sa * sb) << place % DIGIT_BITS);
    digit[place / DIGIT_BITS] += ((a ^ b) >> 31 ? -sign : sign) * term;
}

static void digits_carry(int64_t *digit)
{
    for (size_t i = 0; i + 1 < DIGITS; i++) {
        int64_t carry = digit[i] >> DIGIT_BITS; /* toward minus infinity: what is left is not negative */
        digit[i] -= carry * ((int64_t)1 << DIGIT_BITS);
        digit[i + 1] += carry;
    }
}

/* Is |o - q| < |o - p|, exactly? As sum of q^2 - p^2 - 2oq + 2op. needs: where an element is not finite, o, p and q
 * hold the same (their errors are 0). */
static bool strictly_nearer(const float *o, const float *q, const float *p, size_t n)
{
    int64_t digit[DIGITS] = {0};
    for (size_t i = 0; i < n; i++) {
        if (i % ELEMENTS_BETWEEN_CARRIES == 0)
            digits_carry(digit);
        if (!isfinite(o[i]))
            continue;
        digits_add(digit, q[i], q[i], 1, 0);
        digits_add(digit, p[i], p[i], -1, 0);
        digits_add(digit, o[i], q[i], -1, 1);
        digits_add(digit, o[i], p[i], 1, 1);
    }
    digits_carry(digit);
    return digit[DIGITS - 1] < 0;
}

static bool unexpected_nan(const struct lines *l, size_t i)
{
    const float *o = l->output + i * l->length, *r = l->expected + i * l->length;
    for (size_t j = 0; j < l->length; j++) {
        if (isnan(o[j]) && !isnan(r[j]))
            return true;
    }
    return false;
}

/* Is a line of R strictly nearer to line i of O, of those that lie first_step .. end_step-1 lines after it (cyclic)?
 * own: squared distance to line i of R, not 0. */
static bool beaten(const struct lines *l, size_t i, double own, size_t first_step, size_t end_step)
{
    const float *o = l->output + i * l->length, *r = l->expected + i * l->length;
    size_t bytes = l->length * sizeof *o;
    /* A difference of two bf16, its square and each of the additions are rounded once; nothing under- or overflows, and
     * no term is negative. So either sum is within `rounding` of its true value, and twice that, with room to spare,
     * covers the comparison. */
    double rounding = (double)(l->length + 8) * 0x1p-53;
    double below = own * (1 - 3 * rounding), above = own * (1 + 3 * rounding);
    for (size_t step = first_step; step < end_step; step++) {
        size_t j = (i + step) % l->count;
        const float *q = l->expected + j * l->length;
        double other = distance(l, i, j, above);
        if (other < below)
            return true;
        if (other <= above && isfinite(own) && memcmp(q, r, bytes) != 0 && strictly_nearer(o, q, r, l->length))
            return true;
    }
    return false;
}

/* The number of hits, equal lines among them. */
static size_t search(const struct lines *l, const bool *equal)
{
    /* Lines are compared with a few neighbours at a time, all lines before the next few, so that the lines of R in use
     * stay in the cache; and the closest come first, because a kernel that takes the wrong line mostly takes it from
     * close by. An own distance of 0 says that the line needs no search: it is a hit, or beaten already. */
    enum { STEPS = 16 };
    double *own = l->own;
    size_t hits = 0;
    for (size_t i = 0; i < l->count; i++) {
        bool lost = !equal[i] && !l->output_finite[i] && unexpected_nan(l, i);
        own[i] = equal[i] || lost ? 0 : distance(l, i, i, INFINITY);
        hits += !lost;
    }
    for (size_t step = 1; step < l->count; step += STEPS) {
        size_t end = l->count - step < STEPS ? l->count : step + STEPS;
        for (size_t i = 0; i < l->count; i++) {
            if (own[i] > 0 && beaten(l, i, own[i], step, end)) {
                own[i] = 0;
                hits--;
            }
        }
    }
    return hits;
}

enum status nearest_count(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N, bool by_column,
                          const bool *equal, struct hits *h, struct error *e)
{
    size_t count = by_column ? N : P, hits = 0;
    for (size_t i = 0; i < count; i++)
        hits += equal[i];
    if (hits < count) {
        struct lines l;
        enum status s = lines_make(output, expected, P, N, by_column, &l, e);
        if (s != STATUS_OK)
            return s;
        hits = search(&l, equal);
        lines_free(&l);
    }
    *h = (struct hits){hits, count};
    return STATUS_OK;
}
