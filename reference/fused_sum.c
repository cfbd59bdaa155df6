#include "reference/fused_sum.h"

#include <assert.h>
#include <string.h>

enum {
    LANES = 8, /* of a loop that the compiler makes vectors of */
    MOST = 32, /* products of one sum */
    FACTOR_FRACTION = 10,
    PRODUCT_FRACTION = 2 * FACTOR_FRACTION,
    FLOAT_FRACTION = 23,
    FLOAT_BIAS = 127,
};
enum { FLOOR = -133, FAR = 63 };

const struct fused_profile fused_wgmma_f16 = {"wgmma f16", 16, 25, FLOOR, 23, false};
const struct fused_profile fused_wgmma_f16_half = {"wgmma f16 to f16", 16, 25, FLOOR, 10, true};
const struct fused_profile fused_wgmma_tf32 = {"wgmma tf32", 8, 25, FLOOR, 23, false};
const struct fused_profile fused_wgmma_fp8 = {"wgmma fp8", 32, 13, FLOOR, 13, false};
const struct fused_profile fused_wgmma_fp8_half = {"wgmma fp8 to f16", 32, 13, FLOOR, 10, true};
const struct fused_profile fused_mma_16 = {"mma of 16", 16, 25, FLOOR, 23, false};
const struct fused_profile fused_mma_16_half = {"mma of 16 to f16", 16, 25, FLOOR, 10, true};
const struct fused_profile fused_mma_8 = {"mma of 8", 8, 25, FLOOR, 23, false};
const struct fused_profile fused_mma_8_half = {"mma of 8 to f16", 8, 25, FLOOR, 10, true};

/* ---- factors ----------------------------------------------------------------------------------------------------- */

static const struct {
    int unread, mantissa_bits, exponent_bits, bias;
    bool infinite; /* the highest exponent is Inf and NaN; else only its highest mantissa is NaN */
} formats[] = {
    [FUSED_BF16] = {0, 7, 8, 127, true}, [FUSED_F16] = {0, 10, 5, 15, true}, [FUSED_TF32] = {13, 10, 8, 127, true},
    [FUSED_E4M3] = {0, 3, 4, 7, false},  [FUSED_E5M2] = {0, 2, 5, 15, true},
};

static struct accumulate_operand decoded(enum fused_format format, uint32_t bits)
{
    const int mantissa_bits = formats[format].mantissa_bits;
    const uint32_t most_field = (1u << formats[format].exponent_bits) - 1, most_mantissa = (1u << mantissa_bits) - 1;
    bits >>= formats[format].unread;
    const uint32_t mantissa = bits & most_mantissa, field = bits >> mantissa_bits & most_field;
    const bool negative = bits >> (mantissa_bits + formats[format].exponent_bits) & 1;
    int significand = (int)(field == 0 ? mantissa : mantissa | 1u << mantissa_bits)
                      << (FACTOR_FRACTION - mantissa_bits);
    int exponent = (field == 0 ? 1 : (int)field) - formats[format].bias;
    if (significand == 0)
        exponent = ACCUMULATE_ZERO;
    if (field == most_field && (formats[format].infinite || mantissa == most_mantissa)) {
        significand = formats[format].infinite && mantissa == 0;
        exponent = ACCUMULATE_SPECIAL;
    }
    return (struct accumulate_operand){(int16_t)(negative ? -significand : significand), (int16_t)exponent};
}

void fused_prepare(enum fused_format format, const uint32_t *bits, size_t n, struct accumulate_operand *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = decoded(format, bits[i]);
}

struct accumulate_operand fused_zero(void)
{
    return (struct accumulate_operand){0, ACCUMULATE_ZERO};
}

/* ---- the accumulator --------------------------------------------------------------------------------------------- */

/* What an f32 or an f16 looks like from here. */
struct result {
    int mantissa_bits, least_exponent, most_exponent;
    uint32_t sign, infinity, nan;
};
static const struct result f32_result = {23, -126, 127, 0x80000000u, 0x7f800000u, 0x7fffffffu};
static const struct result f16_result = {10, -14, 15, 0x8000u, 0x7c00u, 0x7fffu};

static const struct result *result_of(const struct fused_profile *p)
{
    return p->half ? &f16_result : &f32_result;
}

/* The sum when a factor or the accumulator is Inf or NaN: finite terms do not matter. */
static uint32_t special_sum(const struct fused_profile *p, const struct accumulate_operand *a,
                            const struct accumulate_operand *b, uint32_t c)
{
    const struct result *r = result_of(p);
    const uint32_t magnitude = c & ~r->sign;
    bool nan = magnitude > r->infinity, plus = c == r->infinity, minus = c == (r->sign | r->infinity);
    for (int i = 0; i < p->products; i++) {
        if (a[i].exponent != ACCUMULATE_SPECIAL && b[i].exponent != ACCUMULATE_SPECIAL)
            continue;
        /* NaN has significand 0 and so has zero: both make the product of a special factor NaN. */
        int sign = a[i].significand * b[i].significand;
        nan = nan || sign == 0;
        plus = plus || sign > 0;
        minus = minus || sign < 0;
    }
    return nan || (plus && minus) ? r->nan : plus ? r->infinity : r->sign | r->infinity;
}

/* magnitude * 2^-drop, cut or to nearest even. */
static uint64_t shortened(uint64_t magnitude, int drop, bool nearest)
{
    if (drop <= 0)
        return magnitude << -drop;
    if (drop > FAR)
        return 0; /* a sum stays below 2^62 */
    uint64_t kept = magnitude >> drop, rest = magnitude & ((UINT64_C(1) << drop) - 1), half = UINT64_C(1) << (drop - 1);
    bool up = nearest && (rest > half || (rest == half && (kept & 1) != 0));
    return kept + up;
}

/* sum * 2^lsb as an f32 or f16. */
static uint32_t encoded(const struct fused_profile *p, int64_t sum, int lsb)
{
    const struct result *r = result_of(p);
    if (sum == 0)
        return 0;
    uint32_t sign = sum < 0 ? r->sign : 0;
    uint64_t magnitude = sum < 0 ? -(uint64_t)sum : (uint64_t)sum;
    int exponent = FAR - __builtin_clzll(magnitude) + lsb;
    if (exponent > r->most_exponent)
        return sign | r->infinity;
    if (exponent < r->least_exponent)
        exponent = r->least_exponent;
    uint64_t kept = shortened(magnitude, exponent - p->kept - lsb, p->half) << (r->mantissa_bits - p->kept);
    if (kept == 0)
        return 0;
    /* A normal result carries its leading one into the exponent field, rounding up too: up to Inf. */
    return sign | (((uint32_t)(exponent - r->least_exponent) << r->mantissa_bits) + (uint32_t)kept);
}

/* ---- the sum ----------------------------------------------------------------------------------------------------- */

/* Eight terms trunc(product * 2^(F+e-M)), summed. A product is below 2^22 and a term below 2^(F+2), so both are exact
 * in float, whose conversion truncates toward zero: see accumulate.c. Eight terms of F = 25 stay below 2^30. */
static int32_t sum_of_lanes(const int32_t *product, const int32_t *exponent, int bias)
{
    uint32_t scale_bits[LANES];
    float scale[LANES];
    int32_t sum = 0;
    for (int i = 0; i < LANES; i++) {
        int32_t shift = exponent[i] + bias;
        /* 2^-32 of any product is already nothing. */
        scale_bits[i] = (uint32_t)((shift < -32 ? -32 : shift) + FLOAT_BIAS) << FLOAT_FRACTION;
    }
    memcpy(scale, scale_bits, sizeof scale);
    for (int i = 0; i < LANES; i++)
        sum += (int32_t)((float)product[i] * scale[i]);
    return sum;
}

/* trunc(significand * 2^shift) */
static int64_t shifted(int64_t significand, int shift)
{
    return shift >= 0 ? significand << shift : significand >> (-shift > FAR ? FAR : -shift);
}

uint32_t fused_step(const struct fused_profile *p, const struct accumulate_operand *a,
                    const struct accumulate_operand *b, uint32_t c)
{
    assert(p->products % LANES == 0 && p->products <= MOST && p->fraction_bits <= 25 && p->floor_exponent > -252);
    int32_t product[MOST], exponent[MOST];
    int32_t top = p->floor_exponent;
    for (int first = 0; first < p->products; first += LANES)
        for (int i = first; i < first + LANES; i++) {
            product[i] = a[i].significand * b[i].significand;
            exponent[i] = a[i].exponent + b[i].exponent;
            top = exponent[i] > top ? exponent[i] : top;
        }

    const struct result *r = result_of(p);
    const uint32_t c_magnitude = c & ~r->sign;
    /* A special factor lifts the sum of exponents above every finite one, whatever its partner. */
    if (top >= ACCUMULATE_SPECIAL / 2 || c_magnitude >= r->infinity)
        return special_sum(p, a, b, c);

    int64_t c_term = 0;
    if (c_magnitude != 0) { /* a zero takes no part */
        int field = (int)(c_magnitude >> r->mantissa_bits);
        int64_t significand = c_magnitude & ((1u << r->mantissa_bits) - 1);
        if (field != 0)
            significand |= INT64_C(1) << r->mantissa_bits;
        int c_exponent = (field == 0 ? 0 : field - 1) + r->least_exponent;
        top = c_exponent > top ? c_exponent : top;
        c_term = shifted(significand, p->fraction_bits - r->mantissa_bits + c_exponent - top);
    }
    int64_t sum = c & r->sign ? -c_term : c_term;
    for (int first = 0; first < p->products; first += LANES)
        sum += sum_of_lanes(product + first, exponent + first, p->fraction_bits - PRODUCT_FRACTION - top);
    return encoded(p, sum, top - p->fraction_bits);
}
