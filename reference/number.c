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
