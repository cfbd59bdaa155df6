#include "reference/tile.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "reference/number.h"

/* ---- types ------------------------------------------------------------------------------------------------------- */

enum { INTEGER = -1 };

/* The types of A and B: what they are called in fused_sum.h, and what is said of their arithmetic. */
static const struct {
    const char *name;
    int format;
    const char *approximate;
} types[TILE_TYPES] = {
    [TILE_BF16] = {"bf16", FUSED_BF16, NULL},
    [TILE_F16] = {"f16", FUSED_F16, "tensor-core arithmetic of f16 is read, not measured"},
    [TILE_TF32] = {"tf32", FUSED_TF32, "tensor-core arithmetic of tf32 is read, not measured"},
    [TILE_E4M3] = {"e4m3", FUSED_E4M3, "tensor-core arithmetic of e4m3 is read, not measured"},
    [TILE_E5M2] = {"e5m2", FUSED_E5M2, "tensor-core arithmetic of e5m2 is read, not measured"},
    [TILE_S8] = {"s8", INTEGER, NULL},
    [TILE_U8] = {"u8", INTEGER, NULL},
};

static const char bf16_of_mma[] = "tensor-core arithmetic of bf16 was measured on wgmma only, not on mma.sync";

static enum tile_type type_of(const char *name)
{
    int t = 0;
    while (strcmp(types[t].name, name) != 0) {
        t++;
        assert(t < TILE_TYPES); /* every type of wgmma_ops.def and mma_ops.def stands above */
    }
    return (enum tile_type)t;
}

/* Types that go with each other: the table of sums has the first of them. */
static enum tile_type kin(enum tile_type t)
{
    return t == TILE_E5M2 ? TILE_E4M3 : t == TILE_U8 ? TILE_S8 : t;
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static struct tile_op of_wgmma(const struct wgmma_op *op)
{
    const struct wgmma_family *f = op->family;
    struct tile_op t = {.unit = TILE_WGMMA,
                        .d = f->d,
                        .a = f->a,
                        .b = f->b,
                        .m = WGMMA_M,
                        .n = (size_t)op->n,
                        .k = (size_t)f->k,
                        .bits = f->a_bits,
                        .d_bits = f->d_bits};
    wgmma_format(op, t.name);
    return t;
}

static struct tile_op of_mma(const struct mma_op *op)
{
    struct tile_op t = {.unit = TILE_MMA,
                        .d = op->d,
                        .a = op->a,
                        .b = op->b,
                        .m = MMA_M,
                        .n = MMA_N,
                        .k = (size_t)op->k,
                        .bits = op->a_bits,
                        .d_bits = op->d_bits};
    mma_format(op, t.name);
    return t;
}

enum status tile_op_parse(const char *name, struct tile_op *out, struct error *e)
{
    _Static_assert((int)TILE_NAME_SIZE >= (int)MMA_NAME_SIZE, "a name fits");
    struct wgmma_op wgmma;
    const struct mma_op *mma;
    if (strncmp(name, "mma.", 4) == 0) {
        enum status s = mma_parse(name, &mma, e);
        if (s == STATUS_OK)
            *out = of_mma(mma);
        return s;
    }
    if (strncmp(name, "wgmma.", 6) != 0)
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "\"%.100s\" is no operation; write wgmma.SHAPE.D.A.B.rs (or .ss), or mma.SHAPE.D.A.B", name);
    enum status s = wgmma_parse(name, &wgmma, e);
    if (s == STATUS_OK)
        *out = of_wgmma(&wgmma);
    return s;
}

enum status tile_check_options(const struct tile_op *op, const struct tile_options *o, struct error *e)
{
    const bool wgmma = op->unit == TILE_WGMMA, integers = strcmp(op->d, "s32") == 0;
    const struct {
        bool asked, legal;
        const char *field, *why;
    } rules[] = {
        {o->without_c, wgmma, "scale-d", "mma.sync always adds C; leave C away"},
        {o->negate_a, wgmma && !integers, "neg-a", "only wgmma of floats negates an operand"},
        {o->negate_b, wgmma && !integers, "neg-b", "only wgmma of floats negates an operand"},
        {o->transpose_b, wgmma && op->bits == 16, "trans-b", "only wgmma of 16-bit types transposes"},
        {o->saturate, integers, "sat", "only integers saturate"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].asked && !rules[i].legal) {
            error_set(e, STATUS_BAD_ARGUMENT, "%s, not %s", rules[i].why, op->name);
            error_at_field(e, rules[i].field);
            return STATUS_BAD_ARGUMENT;
        }
    return STATUS_OK;
}

/* ---- sums -------------------------------------------------------------------------------------------------------- */

/* How each unit sums; integers need no profile, and bf16 of 16 products has accumulate.h. */
static const struct {
    enum tile_unit unit;
    enum tile_type type; /* of A; B's is kin */
    int d_bits;
    size_t k;
    const struct fused_profile *profile;
} sums[] = {
    {TILE_WGMMA, TILE_BF16, 32, 16, NULL},
    {TILE_WGMMA, TILE_F16, 32, 16, &fused_wgmma_f16},
    {TILE_WGMMA, TILE_F16, 16, 16, &fused_wgmma_f16_half},
    {TILE_WGMMA, TILE_TF32, 32, 8, &fused_wgmma_tf32},
    {TILE_WGMMA, TILE_E4M3, 32, 32, &fused_wgmma_fp8},
    {TILE_WGMMA, TILE_E4M3, 16, 32, &fused_wgmma_fp8_half},
    {TILE_WGMMA, TILE_S8, 32, 32, NULL},
    {TILE_MMA, TILE_BF16, 32, 8, &fused_mma_8},
    {TILE_MMA, TILE_BF16, 32, 16, NULL},
    {TILE_MMA, TILE_F16, 32, 8, &fused_mma_8},
    {TILE_MMA, TILE_F16, 16, 8, &fused_mma_8_half},
    {TILE_MMA, TILE_F16, 32, 16, &fused_mma_16},
    {TILE_MMA, TILE_F16, 16, 16, &fused_mma_16_half},
    {TILE_MMA, TILE_TF32, 32, 4, &fused_mma_8},
    {TILE_MMA, TILE_TF32, 32, 8, &fused_mma_8},
    {TILE_MMA, TILE_E4M3, 32, 16, &fused_mma_16},
    {TILE_MMA, TILE_E4M3, 16, 16, &fused_mma_16_half},
    {TILE_MMA, TILE_E4M3, 32, 32, &fused_mma_16},
    {TILE_MMA, TILE_E4M3, 16, 32, &fused_mma_16_half},
    {TILE_MMA, TILE_S8, 32, 16, NULL},
    {TILE_MMA, TILE_S8, 32, 32, NULL},
};

static struct tile_sum sum_of(enum tile_unit unit, const char *a_name, const char *b_name, int d_bits, size_t k)
{
    const enum tile_type a = type_of(a_name), b = type_of(b_name);
    size_t i = 0;
    while (sums[i].unit != unit || sums[i].type != kin(a) || sums[i].d_bits != d_bits || sums[i].k != k) {
        i++;
        assert(i < sizeof sums / sizeof *sums); /* every operation has a row */
    }
    assert(kin(b) == kin(a));
    const struct fused_profile *p = sums[i].profile;
    return (struct tile_sum){.a = a,
                             .b = b,
                             .k = k,
                             .room = p && k % (size_t)p->products != 0 ? (size_t)p->products : k,
                             .profile = p,
                             .panels = a == TILE_BF16 && p == NULL,
                             .approximate = unit == TILE_MMA && a == TILE_BF16 ? bf16_of_mma : types[a].approximate};
}

const char *tile_approximate(const struct tile_op *op)
{
    return sum_of(op->unit, op->a, op->b, op->d_bits, op->k).approximate;
}

struct tile_sum tile_sum_of_wgmma(const struct wgmma_op *op)
{
    const struct wgmma_family *f = op->family;
    return sum_of(TILE_WGMMA, f->a, f->b, f->d_bits, (size_t)f->k);
}

struct tile_sum tile_sum_of_mma(const struct mma_op *op)
{
    return sum_of(TILE_MMA, op->a, op->b, op->d_bits, (size_t)op->k);
}

/* Ten fraction bits for fused_sum.h; an integer is its own significand. */
static struct accumulate_operand prepared(const struct tile_sum *s, enum tile_type type, uint32_t bits)
{
    struct accumulate_operand o = {0};
    if (s->profile)
        fused_prepare((enum fused_format)types[type].format, &bits, 1, &o);
    else
        o.significand = type == TILE_S8 ? (int8_t)bits : (uint8_t)bits;
    return o;
}

/* k elements of a line into s->room operands; with `panels` they have seven fraction bits, for accumulate.h. */
static void prepare_line(const struct tile_sum *s, enum tile_type type, const uint32_t *bits,
                         struct accumulate_operand *out)
{
    if (s->panels) {
        struct bf16 x[ACCUMULATE_TERMS];
        for (size_t i = 0; i < ACCUMULATE_TERMS; i++)
            x[i].bits = (uint16_t)bits[i];
        accumulate_prepare(x, ACCUMULATE_TERMS, out);
        return;
    }
    for (size_t i = 0; i < s->room; i++)
        out[i] = i < s->k ? prepared(s, type, bits[i]) : fused_zero();
}

/* Lines of k elements into lines of s->room operands. */
static void prepare(const struct tile_sum *s, enum tile_type type, const uint32_t *bits, size_t lines, bool negate,
                    struct accumulate_operand *out)
{
    for (size_t line = 0; line < lines; line++)
        prepare_line(s, type, bits + line * s->k, out + line * s->room);
    /* Inf is a signed 1, NaN a 0. */
    for (size_t i = 0; negate && i < lines * s->room; i++)
        out[i].significand = (int16_t)-out[i].significand;
}

void tile_prepare_a(const struct tile_sum *s, const uint32_t *a, size_t m, bool negate, struct tile_rows *out)
{
    assert(m <= TILE_MOST_M && s->room <= TILE_MOST_K);
    if (!s->panels) {
        prepare(s, s->a, a, m, negate, out->operand);
        return;
    }
    for (size_t row = 0; row < m; row++) {
        struct accumulate_operand operand[ACCUMULATE_TERMS];
        prepare(s, s->a, a + row * s->k, 1, negate, operand);
        accumulate_pack_line(operand, &out->line[row]);
    }
}

void tile_prepare_b(const struct tile_sum *s, const uint32_t *b, size_t n, bool negate, struct tile_columns *out)
{
    assert(n <= TILE_MOST_N && s->room <= TILE_MOST_K);
    if (!s->panels) {
        prepare(s, s->b, b, n, negate, out->operand);
        return;
    }
    for (size_t column = 0; column < n; column += ACCUMULATE_LANES) {
        const size_t lanes = n - column < ACCUMULATE_LANES ? n - column : ACCUMULATE_LANES;
        struct accumulate_operand operand[ACCUMULATE_LANES * ACCUMULATE_TERMS];
        prepare(s, s->b, b + column * s->k, lanes, negate, operand);
        accumulate_pack_panels(operand, s->room, lanes, &out->panel[column / ACCUMULATE_LANES]);
    }
}

static uint32_t integer_step(const struct tile_sum *s, const struct accumulate_operand *a,
                             const struct accumulate_operand *b, uint32_t c)
{
    int64_t sum = (int32_t)c;
    int32_t products = 0;
    for (size_t i = 0; i < s->room; i++)
        products += a[i].significand * b[i].significand;
    sum += products;
    if (s->saturate)
        sum = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
    return (uint32_t)sum;
}

static uint32_t step(const struct tile_sum *s, const struct accumulate_operand *a, const struct accumulate_operand *b,
                     uint32_t c)
{
    if (!s->profile)
        return integer_step(s, a, b, c);
    const size_t products = (size_t)s->profile->products;
    for (size_t i = 0; i < s->room; i += products)
        c = fused_step(s->profile, a + i, b + i, c);
    return c;
}

/* A group of rows at a time, so that what is copied stays small. */
static void multiply_panels(const struct tile_rows *a, size_t m, const struct tile_columns *b, size_t n, uint32_t *d)
{
    enum { ROWS = 16 };
    float sum[ROWS * TILE_MOST_N];
    for (size_t row = 0; row < m; row += ROWS) {
        const size_t rows = m - row < ROWS ? m - row : ROWS;
        memcpy(sum, d + row * n, rows * n * sizeof *d);
        accumulate_tile(&accumulate_hopper_bf16, a->line + row, NULL, rows, b->panel, n, sum, n);
        memcpy(d + row * n, sum, rows * n * sizeof *d);
    }
}

void tile_multiply(const struct tile_sum *s, const struct tile_rows *a, size_t m, const struct tile_columns *b,
                   size_t n, uint32_t *d)
{
    assert(m <= TILE_MOST_M && n <= TILE_MOST_N && s->room <= TILE_MOST_K);
    if (s->panels) {
        multiply_panels(a, m, b, n, d);
        return;
    }
    for (size_t row = 0; row < m; row++)
        for (size_t column = 0; column < n; column++) {
            uint32_t *to = &d[row * n + column];
            *to = step(s, a->operand + row * s->room, b->operand + column * s->room, *to);
        }
}

void tile_mma(const struct tile_op *op, const uint32_t *a, const uint32_t *b, const uint32_t *c,
              const struct tile_options *o, uint32_t *d)
{
    struct tile_rows rows;
    struct tile_columns columns;
    struct tile_sum s = sum_of(op->unit, op->a, op->b, op->d_bits, op->k);
    assert(tile_check_options(op, o, NULL) == STATUS_OK);
    s.saturate = o->saturate;
    tile_prepare_a(&s, a, op->m, o->negate_a, &rows);
    tile_prepare_b(&s, b, op->n, o->negate_b, &columns);
    const uint32_t c_mask = UINT32_MAX >> (32 - op->d_bits);
    for (size_t i = 0; i < op->m * op->n; i++)
        d[i] = c && !o->without_c ? c[i] & c_mask : 0;
    tile_multiply(&s, &rows, op->m, &columns, op->n, d);
}
