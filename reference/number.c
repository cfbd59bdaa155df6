#include "reference/number.h"

#include <math.h>
#include <string.h>

uint32_t f32_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

float f32_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

float fp4_decode(struct fp4 code)
{
    static const float magnitude[] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
    float m = magnitude[code.bits & FP4_MAGNITUDE];
    return code.bits & FP4_SIGN ? -m : m;
}

struct fp4 fp4_encode(float value)
{
    /* Halfway points between neighbours; at a tie the even code (mantissa bit 0) wins, which is the lower one exactly
     * when the lower code is even. */
    static const float halfway[] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f};
    float m = fabsf(value);
    uint8_t code = 0;
    while (code < 7 && (m > halfway[code] || (m == halfway[code] && (code & 1))))
        code++;
    return (struct fp4){(uint8_t)(code | (signbit(value) ? FP4_SIGN : 0))};
}

float e8m0_decode(struct e8m0 scale)
{
    if (scale.bits == E8M0_NAN)
        return f32_from_bits(0x7fffffffu);
    return scale.bits == 0 ? f32_from_bits(0x00400000u) : f32_from_bits((uint32_t)scale.bits << 23);
}

float bf16_decode(struct bf16 x)
{
    return f32_from_bits((uint32_t)x.bits << 16);
}

bool bf16_is_nan(struct bf16 x)
{
    return (x.bits & BF16_EXPONENT) == BF16_EXPONENT && (x.bits & BF16_MANTISSA) != 0;
}

struct bf16 bf16_encode(float x)
{
    uint32_t bits = f32_bits(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (struct bf16){BF16_NAN};
    /* Nearest even: add half of the last kept bit, less one unless that bit is odd. A carry out of the mantissa moves
     * the exponent up, and out of the largest finite value to Inf. */
    bits += 0x7fffu + ((bits >> 16) & 1u);
    return (struct bf16){(uint16_t)(bits >> 16)};
}

enum { F32_FRACTION = 23, F32_BIAS = 127, F32_SPECIAL = 255 };

/* The formats narrower than binary32: a sign, an exponent, `fraction` bits of mantissa. */
struct format {
    int fraction, bias;
    uint32_t sign;
};
static const struct format f16_format = {F16_MANTISSA_BITS, F16_BIAS, F16_SIGN};
static const struct format e4m3_format = {E4M3_MANTISSA_BITS, E4M3_BIAS, FP8_SIGN};
static const struct format e5m2_format = {E5M2_MANTISSA_BITS, E5M2_BIAS, FP8_SIGN};

/* Value of a code that is neither Inf nor NaN. */
static float widen(uint32_t code, const struct format *f)
{
    uint32_t magnitude = code & (f->sign - 1), mantissa = magnitude & ((1u << f->fraction) - 1);
    int field = (int)(magnitude >> f->fraction), exponent = (field ? field : 1) - f->bias;
    uint32_t significand = field ? mantissa | 1u << f->fraction : mantissa;
    float value = ldexpf((float)significand, exponent - f->fraction);
    return code & f->sign ? -value : value;
}

/* x >> shift, to nearest, ties to even. */
static uint32_t shift_to_even(uint32_t x, int shift)
{
    if (shift > 31)
        return 0;
    uint32_t kept = x >> shift, rest = x & ((1u << shift) - 1), half = 1u << shift >> 1;
    return kept + (rest > half || (rest == half && kept % 2 == 1));
}

/* Code of the magnitude of a finite x, nearest even, as if the exponent had no end: the caller says what is too large.
 * A significand that rounds up to the next power of two carries into the exponent field. */
static uint32_t narrow(float x, const struct format *f)
{
    uint32_t bits = f32_bits(x) & 0x7fffffffu, mantissa = bits & 0x7fffffu;
    int field = (int)(bits >> F32_FRACTION), exponent = (field ? field : 1) - F32_BIAS, least = 1 - f->bias;
    uint32_t significand = field ? mantissa | 0x800000u : mantissa;
    int below = exponent < least ? least - exponent : 0;
    uint32_t kept = shift_to_even(significand, F32_FRACTION - f->fraction + below);
    /* The leading one of a normal code adds one to the field. */
    return kept + (below ? 0 : (uint32_t)(exponent - least) << f->fraction);
}

float f16_decode(struct f16 x)
{
    if ((x.bits & F16_EXPONENT) != F16_EXPONENT)
        return widen(x.bits, &f16_format);
    uint32_t payload = (uint32_t)(x.bits & F16_MANTISSA) << (F32_FRACTION - F16_MANTISSA_BITS);
    return f32_from_bits((uint32_t)(x.bits & F16_SIGN) << 16 | (uint32_t)F32_SPECIAL << F32_FRACTION | payload);
}

struct f16 f16_encode(float x)
{
    if (isnan(x))
        return (struct f16){F16_NAN};
    uint32_t code = isinf(x) ? F16_INF : narrow(x, &f16_format);
    return (struct f16){(uint16_t)((code > F16_MAX ? F16_INF : code) | (signbit(x) ? F16_SIGN : 0))};
}

struct tf32 tf32_truncate(float x)
{
    return (struct tf32){f32_bits(x) & TF32_READ};
}

/* Add to the bits that are not read what makes the cut round; the carry goes as far as it must, up to Inf. */
static struct tf32 round_tf32(float x, uint32_t add)
{
    if (isnan(x))
        return (struct tf32){TF32_NAN};
    return (struct tf32){(f32_bits(x) + add) & TF32_READ};
}

struct tf32 tf32_encode(float x)
{
    return round_tf32(x, 0xfffu + (f32_bits(x) >> 13 & 1u));
}

struct tf32 tf32_encode_ties_away(float x)
{
    return round_tf32(x, 0x1000u);
}

float tf32_decode(struct tf32 x)
{
    return f32_from_bits(x.bits & TF32_READ);
}

float e4m3_decode(struct e4m3 x)
{
    return (x.bits & FP8_MAGNITUDE) == FP8_NAN ? f32_from_bits(0x7fffffffu) : widen(x.bits, &e4m3_format);
}

float e5m2_decode(struct e5m2 x)
{
    uint32_t magnitude = x.bits & FP8_MAGNITUDE;
    if (magnitude > E5M2_INF)
        return f32_from_bits(0x7fffffffu);
    if (magnitude == E5M2_INF)
        return x.bits & FP8_SIGN ? -INFINITY : INFINITY;
    return widen(x.bits, &e5m2_format);
}

static uint8_t encode_fp8(float x, const struct format *f, uint32_t largest)
{
    if (isnan(x))
        return FP8_NAN;
    uint32_t code = isinf(x) ? largest : narrow(x, f);
    return (uint8_t)((code > largest ? largest : code) | (signbit(x) ? FP8_SIGN : 0));
}

struct e4m3 e4m3_encode(float x)
{
    return (struct e4m3){encode_fp8(x, &e4m3_format, E4M3_MAX)};
}

struct e5m2 e5m2_encode(float x)
{
    return (struct e5m2){encode_fp8(x, &e5m2_format, E5M2_MAX)};
}

int int4_decode(struct int4 code, enum int4_coding coding)
{
    int bits = code.bits & (int)(INT4_CODES - 1);
    if (coding == INT4_OFFSET8)
        return bits - INT4_OFFSET;
    return bits & (int)INT4_SIGN ? bits - (int)INT4_CODES : bits;
}

struct int4 int4_unpack(const uint8_t *row, size_t k)
{
    return (struct int4){(uint8_t)(row[k / 2] >> (k % 2 * 4) & (INT4_CODES - 1))};
}
