#include "oracle/infer/site_type.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "reference/number.h"

static double bf16_number(uint32_t b)
{
    return bf16_decode((struct bf16){(uint16_t)b});
}
static uint32_t bf16_bits(double x)
{
    return bf16_encode((float)x).bits;
}
static double f16_number(uint32_t b)
{
    return f16_decode((struct f16){(uint16_t)b});
}
static uint32_t f16_bits(double x)
{
    return f16_encode((float)x).bits;
}
static double tf32_number(uint32_t b)
{
    return tf32_decode((struct tf32){b});
}
static uint32_t tf32_bits(double x)
{
    return tf32_encode((float)x).bits;
}
static double f32_number(uint32_t b)
{
    return f32_from_bits(b);
}
static uint32_t f32_of(double x)
{
    return f32_bits((float)x);
}
static double e4m3_number(uint32_t b)
{
    return e4m3_decode((struct e4m3){(uint8_t)b});
}
static uint32_t e4m3_bits(double x)
{
    return e4m3_encode((float)x).bits;
}
static double e5m2_number(uint32_t b)
{
    return e5m2_decode((struct e5m2){(uint8_t)b});
}
static uint32_t e5m2_bits(double x)
{
    return e5m2_encode((float)x).bits;
}
static double s8_number(uint32_t b)
{
    return b < 0x80 ? (double)b : (double)b - 0x100;
}
static double u8_number(uint32_t b)
{
    return b;
}
static double s32_number(uint32_t b)
{
    return (int32_t)b;
}

/* Nearest in low..high; NaN is 0. */
static uint32_t whole(double x, double low, double high)
{
    double r = isnan(x) ? 0 : rint(x);
    return (uint32_t)(int64_t)(r < low ? low : r > high ? high : r);
}
static uint32_t s8_bits(double x)
{
    return whole(x, INT8_MIN, INT8_MAX) & 0xff;
}
static uint32_t u8_bits(double x)
{
    return whole(x, 0, UINT8_MAX);
}
static uint32_t s32_bits(double x)
{
    return whole(x, INT32_MIN, INT32_MAX);
}

static const struct site_type types[] = {
    {"bf16", 16, 0, false, 0xffff, bf16_number, bf16_bits},
    {"f16", 16, 0, false, 0xffff, f16_number, f16_bits},
    {"tf32", 32, 13, false, 0xffffe000, tf32_number, tf32_bits},
    {"f32", 32, 0, false, 0xffffffff, f32_number, f32_of},
    {"e4m3", 8, 0, false, 0xff, e4m3_number, e4m3_bits},
    {"e5m2", 8, 0, false, 0xff, e5m2_number, e5m2_bits},
    {"s8", 8, 0, true, 0xff, s8_number, s8_bits},
    {"u8", 8, 0, true, 0xff, u8_number, u8_bits},
    {"s32", 32, 0, true, 0xffffffff, s32_number, s32_bits},
};

const struct site_type *site_type_find(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

double site_type_decode(const struct site_type *t, uint32_t bits)
{
    return t->decode(bits & t->mask);
}

uint32_t site_type_encode(const struct site_type *t, double x)
{
    return t->encode(x) & t->mask;
}

uint32_t site_type_truncate(const struct site_type *t, double x)
{
    if (t->integer)
        return site_type_encode(t, trunc(x));
    uint32_t bits = site_type_encode(t, x);
    /* Sign and magnitude: one less is the next towards zero. */
    return fabs(site_type_decode(t, bits)) > fabs(x) ? bits - (1u << t->spare) : bits;
}

uint32_t site_type_digits(const struct site_type *t, uint32_t bits)
{
    enum { FRACTION = 25 }; /* more than any type has */
    double x = fabs(site_type_decode(t, bits));
    int e;
    if (x == 0)
        return UINT32_MAX;
    if (t->integer)
        return (uint32_t)x;
    if (!isfinite(x))
        return UINT32_MAX - 1;
    return (uint32_t)ldexp(frexp(x, &e), FRACTION);
}

/* The place of a number among all of its type. */
static int64_t rank_of(const struct site_type *t, uint32_t bits)
{
    uint32_t sign = 1u << (t->bits - 1);
    if (t->integer)
        return (int64_t)t->decode(bits);
    int64_t magnitude = (bits & (sign - 1)) >> t->spare;
    return bits & sign ? -magnitude : magnitude;
}

bool site_type_within(const struct site_type *t, uint32_t a, uint32_t b, uint32_t ulps, uint32_t *distance)
{
    int64_t apart = rank_of(t, a & t->mask) - rank_of(t, b & t->mask);
    apart = apart < 0 ? -apart : apart;
    if (apart > (int64_t)ulps)
        return false;
    if (apart && !(isfinite(site_type_decode(t, a)) && isfinite(site_type_decode(t, b))))
        return false;
    *distance = (uint32_t)apart;
    return true;
}
