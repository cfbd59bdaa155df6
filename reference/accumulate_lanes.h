/* accumulate_lanes: the body of accumulate_tile, compiled once for each width of a vector register, so without a guard.
 * accumulate_tile.h has the rule and the proof that the widths suffice.
 *
 * Whoever includes it defines LANES_BYTES (of a register), LANES_TARGET (an attribute), and, on the type `shorts`:
 *     LANES_LARGER(a, b)        the larger, signed
 *     LANES_LESS(a, b)          a - b, or 0 if that is negative; unsigned
 *     LANES_ANY(a)              is any bit of it set?
 * and gets lanes_tile. */
enum {
    SHORTS = LANES_BYTES / 2,
    WORDS = LANES_BYTES / 4,
    HALF = ACCUMULATE_LANES / 2,
    F32_FRACTION = 23,
    F32_BIAS = 127,
    F32_SPECIAL = 255,    /* exponent field */
    OPERAND_OFFSET = 512, /* of an exponent in a line or a panel */
    OFFSET = 1024,        /* of a sum of two */
    MOST_FINITE = 1278,   /* of such sums */
    SPECIAL_OFFSET = 4096,
    SUBNORMAL_SHIFT = 149,
};

typedef uint16_t shorts __attribute__((vector_size(LANES_BYTES)));
typedef int32_t ints __attribute__((vector_size(LANES_BYTES)));
typedef uint32_t words __attribute__((vector_size(LANES_BYTES)));
typedef float floats __attribute__((vector_size(LANES_BYTES)));

#define LANES_FUNCTION static inline LANES_TARGET

/* Vectors leave and enter memory that is not aligned for them. */
#define LANES_LOAD(v, from) memcpy(&(v), from, sizeof(v))
#define LANES_STORE(to, v)  memcpy(to, &(v), sizeof(v))

/* Columns of a panel in one register hold lanes of two groups: even columns one, odd columns the other. */
LANES_FUNCTION words lanes_even(shorts x)
{
    return (words)x << 16;
}

LANES_FUNCTION words lanes_odd(shorts x)
{
    return (words)x & 0xffff0000u;
}

LANES_FUNCTION words lanes_select(ints mask, words yes, words no)
{
    return ((words)mask & yes) | (~(words)mask & no);
}

/* A word of exponents, in both halves. */
LANES_FUNCTION shorts lanes_exponents(const struct accumulate_line *line, int k, const uint16_t *column)
{
    shorts x;
    LANES_LOAD(x, column);
    return x + (shorts)(line->exponent[k] + (words){0});
}

/* C of one group, taken apart: s with 23 fraction bits as a float, e as the sum of two offset exponents, 0 of a zero
 * and above MOST_FINITE of Inf and NaN. */
struct lanes_c {
    floats significand;
    words exponent;
};

LANES_FUNCTION struct lanes_c lanes_take_apart(floats c)
{
    const words bits = (words)c, sign = bits & 0x80000000u, field = bits << 1 >> (F32_FRACTION + 1);
    const ints subnormal = field == 0, special = field == F32_SPECIAL, zero = bits << 1 == 0;
    /* 1.m, from which a subnormal loses its 1 again: exact. */
    const floats one = (floats)(sign | (uint32_t)F32_BIAS << F32_FRACTION);
    const floats with_one = (floats)((words)one | (bits & 0x7fffffu));
    words exponent = field - (words)subnormal + (uint32_t)(OFFSET - F32_BIAS);
    exponent += (words)special & (uint32_t)SPECIAL_OFFSET;
    return (struct lanes_c){with_one - (floats)((words)one & (words)subnormal), exponent & ~(words)zero};
}

/* The sum of products and C's term as the bits of a binary32. top: M, with its offset. */
LANES_FUNCTION floats lanes_result(ints products, ints c, words top, int fraction_bits)
{
    const words sum = (words)products + (words)c;
    const words negative = (words)((ints)(((words)products & (words)c) | (((words)products ^ (words)c) & sum)) >> 31);
    words magnitude = (sum ^ negative) - negative;
    const words wide = (words)((ints)magnitude >> 31);
    magnitude = lanes_select((ints)wide, magnitude >> 1, magnitude);
    const floats cut = __builtin_convertvector((ints)(magnitude & ~(magnitude >> 24)), floats);

    const words exponent = top - (uint32_t)(OFFSET + fraction_bits) - wide;
    const ints field = (ints)(((words)cut >> F32_FRACTION) + exponent);
    const words normal = (words)cut + (exponent << F32_FRACTION);
    const words subnormal =
        (words) __builtin_convertvector((floats)(normal + ((uint32_t)SUBNORMAL_SHIFT << F32_FRACTION)), ints);
    words result = lanes_select(field <= 0, subnormal, normal);
    result = lanes_select(field >= F32_SPECIAL, (words){0} + ((uint32_t)F32_SPECIAL << F32_FRACTION), result);
    result &= (words)(magnitude != 0);
    /* A zero is +0, also one that was cut to it. */
    return (floats)(result | (negative & 0x80000000u & (words)(result != 0)));
}

/* One step of the lanes of one register of a panel, from column `first` on. d: of lane 0 of its even columns; those of
 * the odd are HALF further. returns whether a lane is special; then d is as it was. */
LANES_FUNCTION bool lanes_step(const struct accumulate_profile *p, const struct accumulate_line *line,
                               const struct accumulate_panel *panel, size_t first, float *d)
{
    floats c_even, c_odd;
    LANES_LOAD(c_even, d);
    LANES_LOAD(c_odd, d + HALF);
    const struct lanes_c even = lanes_take_apart(c_even), odd = lanes_take_apart(c_odd);
    const shorts c_exponent = (shorts)(even.exponent | odd.exponent << 16);
    shorts top = (shorts){0} + (uint16_t)(p->floor_exponent + OFFSET);
    top = LANES_LARGER(top, c_exponent);
    for (int k = 0; k < ACCUMULATE_TERMS; k++)
        top = LANES_LARGER(top, lanes_exponents(line, k, &panel->exponent[k][first]));
    if (LANES_ANY((shorts)(top > (shorts){0} + MOST_FINITE)))
        return true;

    /* What the exponent field of 2^(F+e-M) is short of e. */
    const shorts base = top - (uint16_t)(p->fraction_bits + F32_BIAS);
    ints sum_even = {0}, sum_odd = {0};
    for (int k = 0; k < ACCUMULATE_TERMS; k++) {
        const shorts field = LANES_LESS(lanes_exponents(line, k, &panel->exponent[k][first]), base);
        shorts significand;
        LANES_LOAD(significand, &panel->significand[k][first]);
        const float x = line->significand[k];
        const floats scale_even = (floats)((words)field << F32_FRACTION);
        const floats scale_odd = (floats)lanes_odd(field << (F32_FRACTION - 16));
        sum_even += __builtin_convertvector((floats)lanes_even(significand) * x * scale_even, ints);
        sum_odd += __builtin_convertvector((floats)lanes_odd(significand) * x * scale_odd, ints);
    }
    const shorts c_field = LANES_LESS(c_exponent, base);
    const ints term_even = __builtin_convertvector(even.significand * (floats)((words)c_field << F32_FRACTION), ints);
    const ints term_odd =
        __builtin_convertvector(odd.significand * (floats)lanes_odd(c_field << (F32_FRACTION - 16)), ints);
    const floats d_even = lanes_result(sum_even, term_even, (words)top & 0xffffu, p->fraction_bits);
    const floats d_odd = lanes_result(sum_odd, term_odd, (words)top >> 16, p->fraction_bits);
    LANES_STORE(d, d_even);
    LANES_STORE(d + HALF, d_odd);
    return false;
}

/* The lanes that lanes_step left, one by one. */
static void lanes_one_by_one(const struct accumulate_profile *p, const struct accumulate_line *line,
                             const struct accumulate_panel *panel, size_t first, float *d)
{
    struct accumulate_operand a[ACCUMULATE_TERMS], b[ACCUMULATE_TERMS];
    accumulate_unpack_line(line, a);
    for (size_t i = 0; i < WORDS; i++)
        for (size_t group = 0; group < 2; group++) {
            accumulate_unpack_lane(panel, first / 2 + group * HALF + i, b);
            d[group * HALF + i] = accumulate_step(p, a, b, d[group * HALF + i]);
        }
}

LANES_TARGET static void lanes_tile(const struct accumulate_profile *p, const struct accumulate_line *line,
                                    const uint32_t *row, size_t rows, const struct accumulate_panel *panel,
                                    size_t columns, float *d, size_t stride)
{
    for (size_t column = 0; column < columns; column += ACCUMULATE_LANES, panel++) {
        const size_t lanes = columns - column < ACCUMULATE_LANES ? columns - column : ACCUMULATE_LANES;
        for (size_t i = 0; i < rows; i++) {
            const size_t at = row ? row[i] : i;
            float part[ACCUMULATE_LANES] = {0}, *whole = d + at * stride + column;
            float *to = lanes < ACCUMULATE_LANES ? memcpy(part, whole, lanes * sizeof *part) : whole;
            for (size_t first = 0; first < ACCUMULATE_LANES; first += SHORTS)
                if (lanes_step(p, &line[at], panel, first, to + first / 2))
                    lanes_one_by_one(p, &line[at], panel, first, to + first / 2);
            if (to == part)
                memcpy(whole, part, lanes * sizeof *part);
        }
    }
}
