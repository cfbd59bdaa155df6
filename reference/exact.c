#include "reference/exact.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Everything here is one big integer of EXACT_LIMBS limbs. The smallest bit that can occur is 2^-266 (the product of
 * two bf16 subnormals), a product is below 2^256, so a few thousand of them stay below 2^270; the integer covers
 * 2^-300 up to the sign bit at 2^339. */
enum { EXACT_BITS = 32 * EXACT_LIMBS };

enum kind { ZERO, FINITE, INFINITE, NOT_A_NUMBER };

/* (-1)^negative * significand * 2^lsb; exponent is the one that the alignment rule sees: of the leading one of a normal
 * number, and the least of the format for a subnormal one. A product has the sum of its factors' exponents. */
struct parts {
    enum kind kind;
    bool negative;
    uint64_t significand;
    int lsb, exponent;
};

/* An IEEE format with 8 exponent bits and `fraction` fraction bits: binary32 (23) or bf16 (7). */
static struct parts take_apart(uint32_t bits, int fraction)
{
    uint32_t field = (bits >> fraction) & 255, mantissa = bits & ((1u << fraction) - 1);
    struct parts x = {.negative = (bits >> (fraction + 8)) & 1};
    if (field == 255) {
        x.kind = mantissa ? NOT_A_NUMBER : INFINITE;
    } else if (field == 0 && mantissa == 0) {
        x.kind = ZERO;
    } else {
        x.kind = FINITE;
        x.significand = field ? mantissa + (1u << fraction) : mantissa;
        x.exponent = field ? (int)field - 127 : -126;
        x.lsb = x.exponent - fraction;
    }
    return x;
}

static struct parts parts_of_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return take_apart(bits, 23);
}

static struct parts parts_of_product(struct bf16 a, struct bf16 b)
{
    struct parts x = take_apart(a.bits, 7), y = take_apart(b.bits, 7);
    struct parts p = {.negative = x.negative != y.negative};
    if (x.kind == NOT_A_NUMBER || y.kind == NOT_A_NUMBER)
        p.kind = NOT_A_NUMBER;
    else if (x.kind == INFINITE || y.kind == INFINITE)
        p.kind = x.kind == ZERO || y.kind == ZERO ? NOT_A_NUMBER : INFINITE;
    else if (x.kind == ZERO || y.kind == ZERO)
        p.kind = ZERO;
    else
        p = (struct parts){FINITE, p.negative, x.significand * y.significand, x.lsb + y.lsb, x.exponent + y.exponent};
    return p;
}

static bool is_negative(const struct exact *x)
{
    return x->limb[EXACT_LIMBS - 1] >> 31;
}

static void add(struct exact *x, const struct exact *y)
{
    uint64_t carry = 0;
    for (int i = 0; i < EXACT_LIMBS; i++) {
        carry += (uint64_t)x->limb[i] + y->limb[i];
        x->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static void negate(struct exact *x)
{
    static const struct exact one = {{1}};
    for (int i = 0; i < EXACT_LIMBS; i++)
        x->limb[i] = ~x->limb[i];
    add(x, &one);
}

/* The magnitude of a finite number or zero. */
static struct exact magnitude_of(const struct parts *p)
{
    struct exact x = {{0}};
    if (p->kind == ZERO)
        return x;
    int position = p->lsb - EXACT_LSB;
    assert(p->kind == FINITE && position >= 0 && position + 64 < EXACT_BITS);
    for (int bit = 0; bit < 64; bit += 32) {
        uint64_t piece = (uint64_t)(uint32_t)(p->significand >> bit) << position % 32;
        int limb = (position + bit) / 32;
        x.limb[limb] |= (uint32_t)piece;
        x.limb[limb + 1] |= (uint32_t)(piece >> 32);
    }
    return x;
}

/* Clear every bit that is worth less than 2^weight. needs: x is not negative. */
static void clear_below(struct exact *x, int weight)
{
    int bits = weight - EXACT_LSB;
    for (int i = 0; i < EXACT_LIMBS; i++) {
        int inside = bits - 32 * i;
        if (inside >= 32)
            x->limb[i] = 0;
        else if (inside > 0)
            x->limb[i] &= ~0u << inside;
    }
}

/* Position of the highest set bit, -1 for zero. */
static int highest_bit(const struct exact *x)
{
    for (int i = EXACT_LIMBS - 1; i >= 0; i--)
        for (int bit = 31; bit >= 0; bit--)
            if (x->limb[i] >> bit & 1)
                return 32 * i + bit;
    return -1;
}

/* `count` bits from position `low` up. needs: count <= 63. */
static uint64_t bits_at(const struct exact *x, int low, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--) {
        int position = low + i;
        assert(position >= 0 && position < EXACT_BITS);
        value = value << 1 | (x->limb[position / 32] >> position % 32 & 1);
    }
    return value;
}

static void add_signed(struct exact *sum, struct exact magnitude, bool negative)
{
    if (negative)
        negate(&magnitude);
    add(sum, &magnitude);
}

bool exact_sum(const struct bf16 *a, const struct bf16 *b, size_t n, float c, struct exact *sum)
{
    struct exact total = {{0}};
    for (size_t i = 0; i <= n; i++) {
        struct parts term = i < n ? parts_of_product(a[i], b[i]) : parts_of_f32(c);
        if (term.kind == INFINITE || term.kind == NOT_A_NUMBER)
            return false;
        add_signed(&total, magnitude_of(&term), term.negative);
    }
    *sum = total;
    return true;
}

double exact_to_double(const struct exact *x)
{
    struct exact magnitude = *x;
    if (is_negative(x))
        negate(&magnitude);
    int top = highest_bit(&magnitude);
    int low = top < 52 ? 0 : top - 52;
    uint64_t kept = bits_at(&magnitude, low, 53);
    if (low > 0) {
        struct exact down_to_half = magnitude;
        clear_below(&down_to_half, low - 1 + EXACT_LSB);
        bool half = bits_at(&magnitude, low - 1, 1);
        bool more = memcmp(&down_to_half, &magnitude, sizeof magnitude) != 0;
        kept += half && (more || kept % 2 == 1);
    }
    double value = ldexp((double)kept, low + EXACT_LSB);
    return is_negative(x) ? -value : value;
}

bool exact_equals(const struct exact *x, float value)
{
    struct exact y;
    return exact_sum(NULL, NULL, 0, value, &y) && memcmp(x, &y, sizeof y) == 0;
}

/* M: the largest exponent of the products without a zero factor and of a C that is not zero, or the floor. */
static int alignment(const struct bf16 *a, const struct bf16 *b, size_t n, float c, int floor_exponent)
{
    int M = floor_exponent;
    for (size_t i = 0; i <= n; i++) {
        struct parts term = i < n ? parts_of_product(a[i], b[i]) : parts_of_f32(c);
        if (term.kind == FINITE && term.exponent > M)
            M = term.exponent;
    }
    return M;
}

bool exact_within_step(const struct bf16 *a, const struct bf16 *b, size_t n, float c, float result, int fraction_bits,
                       int floor_exponent)
{
    struct exact sum;
    if (isnan(result) || !exact_sum(a, b, n, c, &sum))
        return false;
    struct parts all_terms = {.kind = FINITE, .significand = n + 1};
    all_terms.lsb = alignment(a, b, n, c, floor_exponent) - fraction_bits;
    struct exact bound = magnitude_of(&all_terms);

    struct parts r = parts_of_f32(result);
    if (r.kind == INFINITE) {
        struct exact largest = sum;
        if (is_negative(&sum))
            negate(&largest);
        add(&largest, &bound);
        return r.negative == is_negative(&sum) && highest_bit(&largest) + EXACT_LSB >= 128;
    }
    struct parts last_place = {.kind = FINITE, .significand = 1, .lsb = r.kind == ZERO ? -149 : r.lsb};
    struct exact ulp = magnitude_of(&last_place);
    add(&bound, &ulp);

    struct exact distance = sum;
    add_signed(&distance, magnitude_of(&r), !r.negative);
    if (is_negative(&distance))
        negate(&distance);
    negate(&bound);
    add(&distance, &bound);
    return is_negative(&distance);
}

/* True when a NaN or an infinity decides; *result is then the answer. */
static bool special_step(const struct bf16 *a, const struct bf16 *b, size_t n, float c, float *result)
{
    static const uint32_t nan_bits = 0x7fffffff;
    bool nan = false, plus = false, minus = false;
    for (size_t i = 0; i <= n; i++) {
        struct parts term = i < n ? parts_of_product(a[i], b[i]) : parts_of_f32(c);
        if (term.kind == NOT_A_NUMBER)
            nan = true;
        else if (term.kind == INFINITE && term.negative)
            minus = true;
        else if (term.kind == INFINITE)
            plus = true;
    }
    if (nan || (plus && minus))
        memcpy(result, &nan_bits, sizeof *result);
    else if (plus || minus)
        *result = plus ? INFINITY : -INFINITY;
    return nan || plus || minus;
}

float exact_step(const struct bf16 *a, const struct bf16 *b, size_t n, float c, int fraction_bits, int floor_exponent)
{
    float special;
    if (special_step(a, b, n, c, &special))
        return special;

    int M = alignment(a, b, n, c, floor_exponent);
    struct exact sum = {{0}};
    for (size_t i = 0; i <= n; i++) {
        struct parts term = i < n ? parts_of_product(a[i], b[i]) : parts_of_f32(c);
        struct exact magnitude = magnitude_of(&term);
        clear_below(&magnitude, M - fraction_bits);
        add_signed(&sum, magnitude, term.negative);
    }

    bool negative = is_negative(&sum);
    if (negative)
        negate(&sum);
    int exponent = highest_bit(&sum) + EXACT_LSB;
    if (exponent > 127)
        return negative ? -INFINITY : INFINITY;
    int last_place = exponent < -126 ? -149 : exponent - 23;
    clear_below(&sum, last_place);
    if (highest_bit(&sum) < 0)
        return 0.0f;
    float value = (float)ldexp((double)bits_at(&sum, last_place - EXACT_LSB, 24), last_place);
    return negative ? -value : value;
}
