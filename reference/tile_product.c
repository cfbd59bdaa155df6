#include "reference/tile_product.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference/number.h"

enum { FLOOR_EXPONENT = -133, SLACK_EXPONENT = -49, F32_MIN_EXPONENT = -126, F32_MAX_EXPONENT = 127 };
enum { NO_EXPONENT = -2000 }; /* of Inf and NaN, which do not take part in the alignment */

/* A factor: its exact value, and the exponent that the alignment rule may see. */
struct tile_term {
    double value;
    int exponent;
};

/* Room for the factors of a step. */
struct tile_factors {
    struct tile_rows rows;
    struct tile_columns columns;
};

/* What each type of A and B is worth where only bounds are known. */
struct type {
    const char *name;
    double (*decode)(uint32_t bits);
    int least_exponent;
    int fraction_bits, kept; /* of the fused sum: F, and fraction bits of an f32 result */
};

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
static const struct type types[] = {
    {"f16", decode_f16, -14, 25, 23},
    {"tf32", decode_tf32, -126, 25, 23},
    {"e4m3", decode_e4m3, -6, 13, 13},
    {"e5m2", decode_e5m2, -14, 13, 13},
};

static const struct type *type_of(const char *name)
{
    size_t i = 0;
    while (strcmp(types[i].name, name) != 0) {
        i++;
        assert(i < sizeof types / sizeof *types); /* every type that is not exact stands above */
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
    struct tile_product p = {.op = *op, .rows = WGMMA_M, .columns = (size_t)op->n, .sum = tile_sum_of_wgmma(op)};
    size_t elements = p.rows * p.columns, factors = (p.rows + p.columns) * (size_t)f->k;
    p.exact = !p.sum.approximate;
    p.low = calloc(elements, sizeof *p.low);
    p.high = calloc(elements, sizeof *p.high);
    p.bits = p.exact ? calloc(elements, sizeof *p.bits) : NULL;
    p.term = p.exact ? NULL : calloc(factors, sizeof *p.term);
    p.factors = p.exact ? malloc(sizeof *p.factors) : NULL;
    if (!p.low || !p.high || (p.exact ? !p.bits || !p.factors : !p.term)) {
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

/* Bounds of the row that begins at `first`: floats are copied a row at a time, one by one that would cost a fifth of
 * the step. */
static void set_row(struct tile_product *p, size_t first)
{
    double *low = p->low + first, *high = p->high + first;
    const uint32_t *bits = p->bits + first;
    float row[TILE_MOST_N];
    if (is(p->op.family->d, "s32")) {
        for (size_t n = 0; n < p->columns; n++)
            low[n] = high[n] = (double)(int32_t)bits[n];
        return;
    }
    memcpy(row, bits, p->columns * sizeof *row);
    for (size_t n = 0; n < p->columns; n++)
        low[n] = high[n] = (double)row[n];
}

static void step_exact(struct tile_product *p, const uint32_t *a, const uint32_t *b)
{
    struct tile_factors *f = p->factors;
    tile_prepare_a(&p->sum, a, p->rows, false, &f->rows);
    tile_prepare_b(&p->sum, b, p->columns, false, &f->columns);
    tile_multiply(&p->sum, &f->rows, p->rows, &f->columns, p->columns, p->bits);
    for (size_t m = 0; m < p->rows; m++)
        set_row(p, m * p->columns);
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
    if (p->exact) {
        step_exact(p, a, b);
        return;
    }
    struct tile_term *b_term = p->term + p->rows * k;
    decode_terms(type_of(f->a), a, p->rows * k, p->term);
    decode_terms(type_of(f->b), b, p->columns * k, b_term);
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
