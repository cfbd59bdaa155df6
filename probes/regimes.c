#include "probes/regimes.h"

#include "reference/number.h"

enum regime {
    UNIFORM,
    NARROW,
    WIDE,
    FINITE_BITS,
    CANCELLATION,
    SUBNORMAL,
    SIGNED_ZEROS,
    ALL_BITS,
    TINY,
    BOUNDARY,
    ZERO_FACTORS,
    FLOOR
};

const char *regime_name(int regime)
{
    static const char *const name[REGIME_COUNT] = {"uniform",      "narrow",    "wide",         "finite bits",
                                                   "cancellation", "subnormal", "signed zeros", "all bits",
                                                   "tiny",         "boundary",  "zero factors", "floor"};
    return name[regime];
}

/* A bf16 with a random sign and mantissa and an exponent field in [low, low + count). Field 0 is subnormal. */
static struct bf16 with_exponent(struct random *r, uint32_t low, uint32_t count)
{
    uint32_t mantissa = random_below(r, 128), sign = random_below(r, 2), field = low + random_below(r, count);
    return (struct bf16){(uint16_t)(sign << 15 | field << BF16_MANTISSA_BITS | mantissa)};
}

static uint32_t f32_with_exponent(struct random *r, uint32_t low, uint32_t count)
{
    uint32_t mantissa = random_below(r, 1u << 23), sign = random_below(r, 2), field = low + random_below(r, count);
    return sign << 31 | field << 23 | mantissa;
}

static struct bf16 zero_of_random_sign(struct random *r)
{
    return (struct bf16){(uint16_t)(random_below(r, 2) << 15)};
}

static struct bf16 operand(int regime, struct random *r)
{
    switch (regime) {
    case UNIFORM:
        return bf16_encode((float)(2 * random_unit(r) - 1));
    case NARROW:
    case CANCELLATION:
        return with_exponent(r, 124, 6);
    case WIDE:
        return with_exponent(r, 97, 61); /* 2^-30 .. 2^30 */
    case FINITE_BITS:
        return with_exponent(r, 0, 255);
    case SUBNORMAL:
        /* One factor near the bottom, the other anywhere below one, zeros among them: products next to a very small C.
         */
        return random_below(r, 4) == 0 ? zero_of_random_sign(r) : with_exponent(r, random_below(r, 2) ? 0 : 40, 3);
    case SIGNED_ZEROS:
        return random_below(r, 4) ? zero_of_random_sign(r) : with_exponent(r, 120, 10);
    case TINY:
        return with_exponent(r, random_below(r, 2) ? 0 : 50, 18);
    case BOUNDARY:
        /* Exponents so far apart that the smaller terms stand at the last kept bit, or just beyond it. */
        return with_exponent(r, random_below(r, 3) ? 127 : 114, 3);
    case ZERO_FACTORS:
        return with_exponent(r, 60, 6); /* products of 2^-134 .. 2^-124 */
    case FLOOR:
        return with_exponent(r, 51, 3); /* products of 2^-152 .. 2^-148, down to bits of 2^-166 */
    default:
        return (struct bf16){(uint16_t)random_next(r)};
    }
}

static uint32_t addend(int regime, struct random *r)
{
    switch (regime) {
    case UNIFORM:
        return f32_bits((float)(2 * random_unit(r) - 1));
    case NARROW:
    case CANCELLATION:
        return f32_with_exponent(r, 121, 12);
    case WIDE:
        return f32_with_exponent(r, 67, 121);
    case FINITE_BITS:
        return f32_with_exponent(r, 0, 255);
    case SUBNORMAL:
        return f32_with_exponent(r, 0, 4);
    case SIGNED_ZEROS:
        return random_below(r, 3) ? random_below(r, 2) << 31 : f32_with_exponent(r, 110, 20);
    case TINY:
        return random_below(r, 3) ? f32_with_exponent(r, 0, 12) : random_below(r, 2) << 31;
    case BOUNDARY:
        return f32_with_exponent(r, 100, 40);
    case ZERO_FACTORS:
        return f32_with_exponent(r, 0, 6);
    case FLOOR:
        return random_below(r, 2) << 31; /* any other C would lift M above the floor */
    default:
        return (uint32_t)random_next(r);
    }
}

/* The second half of every row of A and B repeats the first with opposite signs, but for one term. */
static void make_cancel(size_t rows, size_t columns, struct bf16 *a, struct bf16 *b)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t k = 0; k < REGIME_TERMS / 2 - 1; k++)
            a[row * REGIME_TERMS + REGIME_TERMS / 2 + k].bits = a[row * REGIME_TERMS + k].bits ^ BF16_SIGN;
    for (size_t column = 0; column < columns; column++)
        for (size_t k = 0; k < REGIME_TERMS / 2 - 1; k++)
            b[column * REGIME_TERMS + REGIME_TERMS / 2 + k] = b[column * REGIME_TERMS + k];
}

/* At every odd k a zero of A meets a factor of B large enough to win M from all the products that are not zero. */
static void make_zero_factors(struct random *r, size_t rows, size_t columns, struct bf16 *a, struct bf16 *b)
{
    for (size_t i = 1; i < rows * REGIME_TERMS; i += 2)
        a[i] = zero_of_random_sign(r);
    for (size_t i = 1; i < columns * REGIME_TERMS; i += 2)
        b[i] = with_exponent(r, 120, 20);
}

/* All terms of a sum have one sign, so that what each of them loses adds up to a bit that is kept. */
static void make_one_sign(size_t rows, size_t columns, struct bf16 *a, struct bf16 *b)
{
    for (size_t i = 0; i < rows * REGIME_TERMS; i++)
        a[i].bits = (uint16_t)((a[i].bits & ~BF16_SIGN) | (a[i / REGIME_TERMS * REGIME_TERMS].bits & BF16_SIGN));
    for (size_t i = 0; i < columns * REGIME_TERMS; i++)
        b[i].bits &= (uint16_t)~BF16_SIGN;
}

void regime_tile(int regime, struct random *r, size_t rows, size_t columns, struct bf16 *a, struct bf16 *b, uint32_t *c)
{
    for (size_t i = 0; i < rows * REGIME_TERMS; i++)
        a[i] = operand(regime, r);
    for (size_t i = 0; i < columns * REGIME_TERMS; i++)
        b[i] = operand(regime, r);
    for (size_t i = 0; i < rows * columns; i++)
        c[i] = addend(regime, r);
    if (regime == CANCELLATION)
        make_cancel(rows, columns, a, b);
    if (regime == ZERO_FACTORS)
        make_zero_factors(r, rows, columns, a, b);
    if (regime == FLOOR)
        make_one_sign(rows, columns, a, b);
}
