#include "oracle/answer/site_type.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* source: OCP 8-bit Floating Point Specification (e4m3, e5m2), IEEE 754 (f16, f32), PTX ISA "Alternate Floating-Point
 * Data Formats" (bf16, tf32: 32 bits of which the low 13 are not read). */
static const struct site_type types[] = {
    {"bf16", 16, 8, 7, 127, true, false, 0xffff},
    {"f16", 16, 5, 10, 15, true, false, 0xffff},
    {"tf32", 32, 8, 10, 127, true, false, 0xffffe000},
    {"f32", 32, 8, 23, 127, true, false, 0xffffffff},
    {"e4m3", 8, 4, 3, 7, false, false, 0xff},
    {"e5m2", 8, 5, 2, 15, true, false, 0xff},
    {"s8", 8, 0, 0, 0, false, true, 0xff},
    {"u8", 8, 0, 0, 0, false, false, 0xff},
    {"s32", 32, 0, 0, 0, false, true, 0xffffffff},
};

const struct site_type *site_type_find(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

/* Bits below those that the type has: tf32 lies in the high end of 32. */
static int spare(const struct site_type *t)
{
    return t->bits - 1 - t->exponent - t->mantissa;
}

double site_type_decode(const struct site_type *t, uint32_t bits)
{
    bits &= t->mask;
    if (!t->exponent) {
        double top = ldexp(1, t->bits);
        return t->is_signed && bits >> (t->bits - 1) ? (double)bits - top : (double)bits;
    }
    bits >>= spare(t);
    uint32_t fraction = bits & ((1u << t->mantissa) - 1), most = (1u << t->exponent) - 1;
    uint32_t field = bits >> t->mantissa & most;
    double sign = bits >> (t->exponent + t->mantissa) ? -1 : 1;
    if (field == most && t->infinite)
        return fraction ? NAN : sign * INFINITY;
    if (field == most && fraction == (1u << t->mantissa) - 1)
        return NAN;
    if (field == 0)
        return sign * ldexp(fraction, 1 - t->bias - t->mantissa);
    return sign * ldexp(fraction + (1u << t->mantissa), (int)field - t->bias - t->mantissa);
}

/* |x| in units of the last place of its binade. */
static uint32_t encode_float(const struct site_type *t, double x, double (*to_integer)(double))
{
    uint32_t most = (1u << t->exponent) - 1, sign = signbit(x) ? 1u << (t->exponent + t->mantissa) : 0;
    uint32_t infinity = most << t->mantissa, full = (1u << t->mantissa) - 1;
    uint32_t beyond = t->infinite ? infinity : (infinity | full) - 1;
    if (isnan(x))
        return (infinity | full) << spare(t);
    if (isinf(x))
        return (sign | beyond) << spare(t);
    int e = 0;
    frexp(x, &e);
    e = x == 0 || e - 1 < 1 - t->bias ? 1 - t->bias : e - 1;
    /* A carry out of the fraction runs into the exponent, which is what it should do. */
    double units = to_integer(ldexp(fabs(x), t->mantissa - e));
    double magnitude = units + ldexp((double)(e + t->bias - 1), t->mantissa);
    uint32_t bits = magnitude >= (double)beyond ? beyond : (uint32_t)magnitude;
    return (sign | bits) << spare(t);
}

static uint32_t encode(const struct site_type *t, double x, double (*to_integer)(double))
{
    if (t->exponent)
        return encode_float(t, x, to_integer);
    double low = t->is_signed ? -ldexp(1, t->bits - 1) : 0, high = ldexp(1, t->bits - t->is_signed) - 1;
    double whole = isnan(x) ? 0 : to_integer(x);
    whole = whole < low ? low : whole > high ? high : whole;
    return (uint32_t)(int64_t)whole & t->mask;
}

uint32_t site_type_encode(const struct site_type *t, double x)
{
    return encode(t, x, rint);
}

uint32_t site_type_truncate(const struct site_type *t, double x)
{
    return encode(t, x, trunc);
}

uint32_t site_type_digits(const struct site_type *t, uint32_t bits)
{
    double x = fabs(site_type_decode(t, bits));
    int e;
    if (x == 0)
        return UINT32_MAX;
    if (!t->exponent)
        return (uint32_t)x;
    if (!isfinite(x))
        return UINT32_MAX - 1;
    return (uint32_t)ldexp(frexp(x, &e), t->mantissa + 1);
}
