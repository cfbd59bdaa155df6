#include "reference/tile_product.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference/accumulate_tile.h"
#include "reference/number.h"

enum { FLOOR_EXPONENT = -133, SLACK_EXPONENT = -49, F32_MIN_EXPONENT = -126, F32_MAX_EXPONENT = 127 };
enum { MOST_N = 256 };
enum { NO_EXPONENT = -2000 }; /* of Inf and NaN, which do not take part in the alignment */

/* A factor: its exact value, and the exponent that the alignment rule may see. */
struct tile_term {
    double value;
    int exponent;
};

/* Room for the factors of a step. */
struct tile_factors {
    struct bf16 factor[MOST_N * ACCUMULATE_TERMS];
    struct accumulate_operand operand[MOST_N * ACCUMULATE_TERMS];
    struct accumulate_line line[WGMMA_M];
    struct accumulate_panel panel[MOST_N / ACCUMULATE_LANES];
    float d[WGMMA_M * MOST_N];
};

/* What each type of A and B is worth. */
struct type {
    const char *name;
    double (*decode)(uint32_t bits);
    int least_exponent;
    int fraction_bits, kept; /* of the fused sum: F, and fraction bits of an f32 result. 0: integers, bf16 */
};

static double decode_bf16(uint32_t bits)
{
    return (double)bf16_decode((struct bf16){(uint16_t)bits});
}
static double decode_f16(uint32_t bits)
{
    return (double)f16_decode((struct f16){(uint16_t)bits});
}
static double decode_tf32(uint32_t bits)
{
    return (double)tf32_decode((struct tf32){bits});
}
static double decode_e4m3(uint32_t bits)
{
    return (double)e4m3_decode((struct e4m3){(uint8_t)bits});
}
static double decode_e5m2(uint32_t bits)
{
    return (double)e5m2_decode((struct e5m2){(uint8_t)bits});
}
static double decode_s8(uint32_t bits)
{
    return (double)(bits & 0x80u ? (int)(bits & 0xffu) - 256 : (int)(bits & 0xffu));
}
static double decode_u8(uint32_t bits)
{
    return (double)(bits & 0xffu);
}

static const struct type types[] = {
    {"bf16", decode_bf16, -126, 0, 0}, {"f16", decode_f16, -14, 25, 23},   {"tf32", decode_tf32, -126, 25, 23},
    {"e4m3", decode_e4m3, -6, 13, 13}, {"e5m2", decode_e5m2, -14, 13, 13}, {"s8", decode_s8, 0, 0, 0},
    {"u8", decode_u8, 0, 0, 0},
};

static const struct type *type_of(const char *name)
{
    size_t i = 0;
    while (strcmp(types[i].name, name) != 0) {
        i++;
        assert(i < sizeof types / sizeof *types); /* every type of wgmma_ops.def stands above */
    }
    return &types[i];
}

static bool is(const char *type, const char *name)
{
    return strcmp(type, name) == 0;
}

/* The value of an element of D. */
static double decode_d(const struct wgmma_family *f, uint32_t bits)
{
    if (is(f->d, "s32"))
        return (double)(int32_t)bits;
    return is(f->d, "f16") ? decode_f16(bits) : (double)f32_from_bits(bits);
}

enum status tile_product_make(const struct wgmma_op *op, const uint32_t *c, struct tile_product *out, struct error *e)
{
    const struct wgmma_family *f = op->family;
    struct tile_product p = {.op = *op, .rows = WGMMA_M, .columns = (size_t)op->n};
    bool bf16 = is(f->a, "bf16");
    size_t elements = p.rows * p.columns, factors = (p.rows + p.columns) * (size_t)f->k;
    p.exact = bf16 || is(f->d, "s32");
    p.low = calloc(elements, sizeof *p.low);
    p.high = calloc(elements, sizeof *p.high);
    p.bits = p.exact ? calloc(elements, sizeof *p.bits) : NULL;
    p.term = bf16 ? NULL : calloc(factors, sizeof *p.term);
    p.factors = bf16 ? malloc(sizeof *p.factors) : NULL;
    if (!p.low || !p.high || (p.exact && !p.bits) || (bf16 ? !p.factors : !p.term)) {
        tile_product_free(&p);
        return error_set(e, STATUS_NO_MEMORY, "no memory for a product of %zu x %zu elements", p.rows, p.columns);
    }
    for (size_t i = 0; c && i < elements; i++) {
        p.low[i] = p.high[i] = decode_d(f, c[i]);
        if (p.exact)
            p.bits[i] = c[i];
    }
    *out = p;
    return STATUS_OK;
}

void tile_product_free(struct tile_product *p)
{
    free(p->bits);
    free(p->low);
    free(p->high);
    free(p->term);
    free(p->factors);
    *p = (struct tile_product){0};
}

/* ---- bf16 and integers: bit for bit ------------------------------------------------------------------------------ */

static void prepare_bf16(const uint32_t *bits, size_t n, struct tile_factors *f)
{
    for (size_t i = 0; i < n; i++)
        f->factor[i].bits = (uint16_t)bits[i];
    accumulate_prepare(f->factor, n, f->operand);
}

static void step_bf16(struct tile_product *p, const uint32_t *a, const uint32_t *b)
{
    struct tile_factors *f = p->factors;
    const size_t k = (size_t)p->op.family->k, elements = p->rows * p->columns;
    prepare_bf16(a, p->rows * k, f);
    for (size_t m = 0; m < p->rows; m++)
        accumulate_pack_line(f->operand + m * k, &f->line[m]);
    prepare_bf16(b, p->columns * k, f);
    accumulate_pack_panels(f->operand, k, p->columns, f->panel);
    memcpy(f->d, p->bits, elements * sizeof *p->bits);
    accumulate_tile(&accumulate_hopper_bf16, f->line, NULL, p->rows, f->panel, p->columns, f->d, p->columns);
    memcpy(p->bits, f->d, elements * sizeof *p->bits);
    for (size_t i = 0; i < elements; i++)
        p->low[i] = p->high[i] = (double)f->d[i];
}

/* Products of 8-bit integers are exact in binary64, and so is the sum of 32 of them. */
static void step_integers(struct tile_product *p, const struct tile_term *a, const struct tile_term *b)
{
    size_t k = (size_t)p->op.family->k;
    for (size_t m = 0; m < p->rows; m++)
        for (size_t n = 0; n < p->columns; n++) {
            size_t at = m * p->columns + n;
            double sum = 0;
            for (size_t i = 0; i < k; i++)
                sum += a[m * k + i].value * b[n * k + i].value;
            p->bits[at] += (uint32_t)(int32_t)sum;
            p->low[at] = p->high[at] = (double)(int32_t)p->bits[at];
        }
}

/* ---- the others: two bounds ------------------------------------------------------------------------------------- */

/* The sum of the products of one element and what the alignment rule may see of them. */
struct sum {
    double value;
    int exponent;
    bool nan, plus, minus; /* seen among the products and in C */
};

/* Exponent of a finite value, not below that of the format. */
static int exponent_of(double value, int least)
{
    int exponent = value == 0 ? least : ilogb(value);
    return exponent < least ? least : exponent;
}

static struct sum add_products(const struct tile_term *a, const struct tile_term *b, size_t k)
{
    struct sum s = {.exponent = FLOOR_EXPONENT};
    for (size_t i = 0; i < k; i++) {
        /* Exact: significands of at most 11 bits, exponents far from the ends of binary64. */
        double product = a[i].value * b[i].value;
        int exponent = a[i].exponent + b[i].exponent;
        if (isfinite(product)) {
            s.value += product;
            s.exponent = exponent > s.exponent ? exponent : s.exponent;
        } else {
            s.nan = s.nan || isnan(product);
            s.plus = s.plus || product > 0;
            s.minus = s.minus || product < 0;
        }
    }
    return s;
}

/* Toward zero, to multiples of the last place of `kept` fraction bits. */
static double cut(double x, int kept)
{
    double place = ldexp(1, exponent_of(x, F32_MIN_EXPONENT) - kept);
    return trunc(x / place) * place;
}

/* What an f32 result may be of a sum between low and high. Cutting brings it nearer to zero, never beyond what `kept`
 * bits hold, and never across zero. */
static void bound_f32(double *low, double *high, int kept)
{
    const double overflow = ldexp(1, F32_MAX_EXPONENT + 1);
    *low = *low >= overflow ? INFINITY : *low <= -overflow ? -INFINITY : *low > 0 ? cut(*low, kept) : *low;
    *high = *high >= overflow ? INFINITY : *high <= -overflow ? -INFINITY : *high < 0 ? cut(*high, kept) : *high;
}

/* The same for an f16 result, rounded either way. */
static void bound_f16(double *low, double *high)
{
    enum { LEAST = 1 - F16_BIAS };
    const double largest = 65504, low_place = ldexp(1, exponent_of(*low, LEAST) - F16_MANTISSA_BITS),
                 high_place = ldexp(1, exponent_of(*high, LEAST) - F16_MANTISSA_BITS);
    *low = floor(*low / low_place) * low_place;
    *high = ceil(*high / high_place) * high_place;
    *low = *low < -largest ? -INFINITY : *low > largest ? largest : *low;
    *high = *high > largest ? INFINITY : *high < -largest ? -largest : *high;
}

static void set_both(double *low, double *high, double value)
{
    *low = *high = value;
}

/* A NaN or an infinity among the products or in C decides, and so does a C of which not even that is known. */
static bool special_bounds(const struct sum *s, double *low, double *high)
{
    bool nan = s->nan || isnan(*low), unknown = *low < *high && (isinf(*low) || isinf(*high));
    bool plus = s->plus || *low == INFINITY, minus = s->minus || *high == -INFINITY;
    if (nan || (plus && minus)) {
        set_both(low, high, (double)NAN);
    } else if (unknown) {
        *low = -INFINITY;
        *high = INFINITY;
    } else if (plus || minus) {
        set_both(low, high, plus ? (double)INFINITY : -(double)INFINITY);
    } else {
        return false;
    }
    return true;
}

static void step_bounds(struct tile_product *p, const struct tile_term *a, const struct tile_term *b)
{
    const struct type *type = type_of(p->op.family->a);
    const bool half = is(p->op.family->d, "f16");
    const size_t k = (size_t)p->op.family->k;
    const double terms = (double)(k + 1);
    for (size_t m = 0; m < p->rows; m++)
        for (size_t n = 0; n < p->columns; n++) {
            double *low = &p->low[m * p->columns + n], *high = &p->high[m * p->columns + n];
            struct sum s = add_products(a + m * k, b + n * k, k);
            if (special_bounds(&s, low, high))
                continue;
            double c = fmax(fabs(*low), fabs(*high));
            int c_exponent = c == 0 ? FLOOR_EXPONENT : exponent_of(c, half ? 1 - F16_BIAS : F32_MIN_EXPONENT);
            int top = c_exponent > s.exponent ? c_exponent : s.exponent;
            double error = ldexp(terms, top - type->fraction_bits) + ldexp(terms * terms, top + SLACK_EXPONENT);
            *low += s.value - error;
            *high += s.value + error;
            if (half)
                bound_f16(low, high);
            else
                bound_f32(low, high, type->kept);
        }
}

static void decode_terms(const struct type *type, const uint32_t *bits, size_t n, struct tile_term *out)
{
    for (size_t i = 0; i < n; i++) {
        double value = type->decode(bits[i]);
        int exponent = isfinite(value) ? exponent_of(value, type->least_exponent) : NO_EXPONENT;
        out[i] = (struct tile_term){value, exponent};
    }
}

void tile_product_step(struct tile_product *p, const uint32_t *a, const uint32_t *b)
{
    const struct wgmma_family *f = p->op.family;
    const size_t k = (size_t)f->k;
    if (p->factors) {
        step_bf16(p, a, b);
        return;
    }
    struct tile_term *b_term = p->term + p->rows * k;
    decode_terms(type_of(f->a), a, p->rows * k, p->term);
    decode_terms(type_of(f->b), b, p->columns * k, b_term);
    if (p->exact)
        step_integers(p, p->term, b_term);
    else
        step_bounds(p, p->term, b_term);
}

bool tile_product_holds(const struct tile_product *p, size_t row, size_t column, uint32_t bits)
{
    assert(row < p->rows && column < p->columns);
    size_t at = row * p->columns + column;
    if (p->exact)
        return p->bits[at] == bits;
    double found = decode_d(p->op.family, bits), low = p->low[at], high = p->high[at];
    if (isinf(low) && isinf(high) && low < high)
        return true;
    if (isnan(found) || isnan(low))
        return isnan(found) && isnan(low);
    return found >= low && found <= high;
}
