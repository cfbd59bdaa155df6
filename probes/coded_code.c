#include "probes/coded_code.h"

#include <math.h>

#include "reference/number.h"

struct coded_code coded_code_make(uint32_t base, uint64_t codes, size_t checks)
{
    struct coded_code c = {.base = base, .codes = codes, .digits = 1};
    for (uint64_t label = codes / base; label > 0; label /= base)
        c.digits++;
    c.planes = c.digits + checks;
    return c;
}

/* The finaliser of SplitMix64, over the code and the number of the check digit. */
static uint32_t check_digit(const struct coded_code *c, size_t check, uint32_t code)
{
    uint64_t z = ((uint64_t)check << 32 | code) * 0x9e3779b97f4a7c15u + 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32) % c->base;
}

uint32_t coded_code_digit(const struct coded_code *c, size_t plane, uint32_t code)
{
    if (plane >= c->digits)
        return check_digit(c, plane - c->digits, code);
    uint64_t label = (uint64_t)code + 1;
    for (size_t below = c->digits - 1 - plane; below > 0; below--)
        label /= c->base;
    return (uint32_t)(label % c->base);
}

uint32_t coded_code_read(const struct coded_code *c, size_t plane, uint32_t so_far, int digit)
{
    if (so_far >= SOURCE_CODES)
        return so_far;
    if (digit < 0)
        return SOURCE_MIXTURE;
    if (plane >= c->digits)
        return check_digit(c, plane - c->digits, so_far) == (uint32_t)digit ? so_far : SOURCE_MIXTURE;
    uint64_t label = (uint64_t)so_far * c->base + (uint64_t)digit;
    if (plane + 1 < c->digits)
        return (uint32_t)label;
    return label == 0 ? SOURCE_UNKNOWN : label > c->codes ? SOURCE_MIXTURE : (uint32_t)(label - 1);
}

struct fp4 coded_value_symbol(uint32_t digit)
{
    static const struct fp4 symbol[CODED_VALUE_BASE] = {{2}, {4}, {5}, {6}, {7}};
    return symbol[digit];
}

struct bf16 coded_power_symbol(uint32_t digit)
{
    return (struct bf16){(uint16_t)((BF16_BIAS - digit) << BF16_MANTISSA_BITS)};
}

/* Exact: the divisor is a power of two, and a quotient of interest has two significant bits and an exponent near 0. */
static float ratio(struct bf16 output, struct bf16 unit)
{
    return bf16_decode(output) / bf16_decode(unit);
}

int coded_value_digit(struct bf16 output, struct bf16 unit)
{
    static const int digit[7] = {CODED_NO_DIGIT, 0, 1, 2, 3, CODED_NO_DIGIT, 4};
    float r = ratio(output, unit);
    return r >= 1 && r <= 6 && r == (float)(int)r ? digit[(int)r] : CODED_NO_DIGIT;
}

int coded_power_digit(struct bf16 output, struct bf16 unit)
{
    int exponent;
    float r = ratio(output, unit);
    if (!(r > 0 && r <= 1) || frexpf(r, &exponent) != 0.5f || exponent <= 1 - CODED_POWER_BASE)
        return CODED_NO_DIGIT;
    return 1 - exponent;
}

bool coded_factor_holds(struct bf16 unit)
{
    int exponent;
    float f = bf16_decode(unit);
    return isfinite(f) && fabsf(frexpf(f, &exponent)) == 0.5f;
}
