#include "reference/accumulate.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "reference/number.h"

enum {
    STEP = 16,             /* products of one fused sum of 16-bit types */
    PRODUCT_FRACTION = 14, /* fraction bits of the product of two bf16 significands */
    F32_FRACTION = 23,
    F32_BIAS = 127,
    F32_MIN_EXPONENT = -126,
    F32_MAX_EXPONENT = 127,
};

const struct accumulate_profile accumulate_hopper_bf16 = {
    .name = "hopper.bf16", .products = STEP, .fraction_bits = 25, .floor_exponent = -133};

void accumulate_prepare(const struct bf16 *x, size_t n, struct accumulate_operand *out)
{
    for (size_t i = 0; i < n; i++) {
        int bits = x[i].bits;
        int field = (bits & BF16_EXPONENT) >> BF16_MANTISSA_BITS;
        int mantissa = bits & BF16_MANTISSA;
        int significand = field == 0 ? mantissa : mantissa | 1 << BF16_MANTISSA_BITS;
        int exponent = (field == 0 ? 1 : field) - BF16_BIAS;
        if (field == 255) {
            significand = mantissa == 0;
            exponent = ACCUMULATE_SPECIAL;
        }
        if ((bits & ~(int)BF16_SIGN) == 0)
            exponent = ACCUMULATE_ZERO;
        out[i].significand = (int16_t)(bits & BF16_SIGN ? -significand : significand);
        out[i].exponent = (int16_t)exponent;
    }
}

/* The sum when an operand or the accumulator is Inf or NaN: finite terms do not matter. */
static float special_sum(const struct accumulate_operand *a, const struct accumulate_operand *b, float c)
{
    bool plus = c == INFINITY, minus = c == -INFINITY, nan = isnan(c);
    for (int i = 0; i < STEP; i++) {
        if (a[i].exponent != ACCUMULATE_SPECIAL && b[i].exponent != ACCUMULATE_SPECIAL)
            continue;
        /* NaN has significand 0 and so has zero: both make the product of a special operand NaN. */
        int sign = a[i].significand * b[i].significand;
        nan = nan || sign == 0;
        plus = plus || sign > 0;
        minus = minus || sign < 0;
    }
    return nan || (plus && minus) ? f32_from_bits(0x7fffffffu) : plus ? INFINITY : -INFINITY;
}

/* sum * 2^lsb, truncated toward zero to a binary32. */
static float truncate_to_f32(int64_t sum, int lsb)
{
    if (sum == 0)
        return 0.0f;
    uint32_t sign = sum < 0 ? 0x80000000u : 0;
    uint64_t magnitude = sum < 0 ? -(uint64_t)sum : (uint64_t)sum;
    int exponent = 63 - __builtin_clzll(magnitude) + lsb;
    if (exponent > F32_MAX_EXPONENT)
        return f32_from_bits(sign | 0x7f800000u);
    if (exponent < F32_MIN_EXPONENT)
        exponent = F32_MIN_EXPONENT;
    int drop = exponent - F32_FRACTION - lsb;
    uint64_t kept = drop < 0 ? magnitude << -drop : drop < 64 ? magnitude >> drop : 0;
    if (kept == 0)
        return 0.0f;
    /* A normal result carries its leading one into the exponent field; a subnormal one has none. */
    uint32_t field = (uint32_t)(exponent - F32_MIN_EXPONENT) << F32_FRACTION;
    return f32_from_bits(sign | (field + (uint32_t)kept));
}

/* The terms trunc(product * 2^(F+e-M)), summed. A product is below 2^16 and a term below 2^(F+2), so the products and
 * the scaled values are exact in float, and its conversion truncates toward zero; unlike a variable shift, every x86-64
 * does this four at a time. */
static int32_t sum_of_products(const int32_t *product, const int32_t *exponent, int fraction_bits, int top)
{
    /* Sixteen terms of at most 255*255*2^(25-14) stay below 2^31. */
    uint32_t scale_bits[STEP];
    float scale[STEP];
    int32_t sum = 0;
    int bias = fraction_bits - PRODUCT_FRACTION - top;
    for (int i = 0; i < STEP; i++) {
        int32_t shift = exponent[i] + bias;
        /* 2^-32 of any product is already nothing. */
        scale_bits[i] = (uint32_t)((shift < -32 ? -32 : shift) + F32_BIAS) << F32_FRACTION;
    }
    memcpy(scale, scale_bits, sizeof scale);
    for (int i = 0; i < STEP; i++)
        sum += (int32_t)((float)product[i] * scale[i]);
    return sum;
}

float accumulate_step(const struct accumulate_profile *p, const struct accumulate_operand *a,
                      const struct accumulate_operand *b, float c)
{
    assert(p->products == STEP && p->fraction_bits >= F32_FRACTION && p->fraction_bits <= 25);
    assert(p->floor_exponent > 2 * F32_MIN_EXPONENT);
    int32_t product[STEP], exponent[STEP];
    int32_t top = p->floor_exponent;
    for (int i = 0; i < STEP; i++) {
        product[i] = a[i].significand * b[i].significand;
        exponent[i] = a[i].exponent + b[i].exponent;
        top = exponent[i] > top ? exponent[i] : top;
    }

    uint32_t c_bits = f32_bits(c);
    int c_field = (int)(c_bits >> F32_FRACTION & 0xff);
    /* A special operand lifts the sum of exponents above every finite one, whatever its partner. */
    if (top >= ACCUMULATE_SPECIAL / 2 || c_field == 255)
        return special_sum(a, b, c);

    int64_t c_significand = c_bits & 0x7fffff;
    int c_exponent = F32_MIN_EXPONENT;
    if (c_field != 0) {
        c_significand |= 0x800000;
        c_exponent = c_field - F32_BIAS;
    }
    if (c_significand == 0)
        c_exponent = top; /* a zero takes no part */
    top = c_exponent > top ? c_exponent : top;

    int c_shift = top - c_exponent;
    int64_t c_term = c_significand << (p->fraction_bits - F32_FRACTION) >> (c_shift > 63 ? 63 : c_shift);
    int64_t sum = sum_of_products(product, exponent, p->fraction_bits, top) + (c_bits >> 31 ? -c_term : c_term);
    return truncate_to_f32(sum, top - p->fraction_bits);
}

float accumulate_bf16(const struct accumulate_profile *p, const struct bf16 *a, const struct bf16 *b, float c)
{
    struct accumulate_operand pa[STEP], pb[STEP];
    assert(p->products == STEP);
    accumulate_prepare(a, STEP, pa);
    accumulate_prepare(b, STEP, pb);
    return accumulate_step(p, pa, pb, c);
}
