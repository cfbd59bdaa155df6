/* half: arithmetic of f16, bf16 and their pairs: add sub mul fma abs neg min max ex2 tanh.
 *
 * Values become doubles, which hold them and their products exactly. A sum that a double cannot hold is rounded to odd,
 * which leaves room enough that the second rounding, to the format, is as if it were the only one.
 *
 * Sums and products without flags go through single precision, whose 24 bits are enough for two roundings to be as one
 * (24 >= 2 * 11 + 2). Of subnormal results, sums are exact there, and so are products of bf16 from 2^-134 on, half of
 * the least bf16: what is smaller has at most 255 * 255 of 2^16 parts of it and stays below.
 *
 * source: PTX ISA 9.0, "Half Precision Floating Point Instructions"; rounding to odd: Boldo, Melquiond, "Emulation of
 * FMA and correctly rounded sums", IEEE Transactions on Computers 2008; two roundings: Figueroa, "When is double
 * rounding innocuous?", SIGNUM Newsletter 1995. */
#include "reference/ptx/ops/real.h"

enum { MOST = 2 * VM_LANES };

typedef void kernel(double *restrict d, const double *a, const double *b, const double *c);
typedef void short_kernel(float *restrict d, const float *a, const float *b);

struct op {
    const char *name;
    uint32_t sources;
    unsigned flags_f16, flags_bf16; /* that it may have */
    bool rounds;                    /* may have .rn */
    bool must_round, approximate;
    kernel *f;
    const char *what;
    short_kernel *in_f32; /* NULL for none */
};

/* extra */
enum { OP, FLAGS, GREATER };

/* The sum, its last bit set when it is not exact. Not a number compares with nothing. */
static double sum_to_odd(double x, double y)
{
    double sum = x + y, y_in = sum - x;
    double rest = (x - (sum - y_in)) + (y - y_in);
    uint64_t bits = real_f64_bits(sum);
    if ((rest > 0 || rest < 0) && bits % 2 == 0)
        bits += (rest > 0) == (sum > 0) ? 1 : UINT64_MAX;
    return real_f64(bits);
}

/* The same of the narrowing to single precision. */
static float narrow_to_odd(double x)
{
    float near = (float)x;
    uint32_t bits = real_f32_bits(near);
    if ((double)near != x && x == x && bits % 2 == 0)
        bits += fabs((double)near) < fabs(x) ? 1 : UINT32_MAX;
    return real_f32(bits);
}

#define KERNEL(name, expression)                                                                                       \
    static void name(double *restrict d, const double *a, const double *b, const double *c)                            \
    {                                                                                                                  \
        for (unsigned n = 0; n < MOST; n++) {                                                                          \
            const double x = a[n], y = b[n], z = c[n];                                                                 \
            (void)y, (void)z;                                                                                          \
            d[n] = (expression);                                                                                       \
        }                                                                                                              \
    }

KERNEL(add, sum_to_odd(x, y))
KERNEL(sub, sum_to_odd(x, -y))
KERNEL(mul, x *y)
KERNEL(fused, sum_to_odd(x *y, z))
KERNEL(magnitude, fabs(x))
KERNEL(negative, -x)
KERNEL(power_of_2, exp2(x))
KERNEL(tangent_hyperbolic, tanh(x))

#define SHORT_KERNEL(name, expression)                                                                                 \
    static void name(float *restrict d, const float *a, const float *b)                                                \
    {                                                                                                                  \
        for (unsigned n = 0; n < MOST; n++)                                                                            \
            d[n] = (expression);                                                                                       \
    }

SHORT_KERNEL(short_add, a[n] + b[n])
SHORT_KERNEL(short_sub, a[n] - b[n])
SHORT_KERNEL(short_mul, a[n] * b[n])

enum { ARITHMETIC = REAL_FTZ | REAL_SAT };

static const struct op ops[] = {
    {"add", 2, ARITHMETIC, 0, true, false, false, add, NULL, short_add},
    {"sub", 2, ARITHMETIC, 0, true, false, false, sub, NULL, short_sub},
    {"mul", 2, ARITHMETIC, 0, true, false, false, mul, NULL, short_mul},
    {"fma", 3, ARITHMETIC | REAL_RELU, REAL_RELU, true, true, false, fused, NULL, NULL},
    {"abs", 1, REAL_FTZ, 0, false, false, false, magnitude, NULL, NULL},
    {"neg", 1, REAL_FTZ, 0, false, false, false, negative, NULL, NULL},
    {"ex2", 1, 0, REAL_FTZ, false, false, true, power_of_2, "ex2.approx of 16 bits", NULL},
    {"tanh", 1, 0, 0, false, false, true, tangent_hyperbolic, "tanh.approx of 16 bits", NULL},
};
enum { OPS = sizeof ops / sizeof *ops };

static bool is_pair(enum vm_type t)
{
    return t != vm_type_part(t);
}

static bool is_f16(enum vm_type t)
{
    return vm_type_part(t) == VM_F16;
}

/* Values 0 .. 31 are the lower halves, 32 .. 63 the upper ones. */
static void load(const struct vm_instruction *i, const uint64_t *row, double to[MOST])
{
    if (is_f16(i->type))
        for (unsigned n = 0; n < MOST; n++)
            to[n] = (double)real_f16(row[n % VM_LANES] >> n / VM_LANES * 16);
    else
        for (unsigned n = 0; n < MOST; n++)
            to[n] = (double)real_bf16(row[n % VM_LANES] >> n / VM_LANES * 16 & 0xffff);
    double least = is_f16(i->type) ? 0x1p-14 : 0x1p-126;
    if (i->extra[FLAGS] & REAL_FTZ)
        for (unsigned n = 0; n < MOST; n++)
            to[n] = fabs(to[n]) < least ? copysign(0, to[n]) : to[n];
}

/* What the flags make of a result, before it is rounded and after. */
static void clamp(uint64_t flags, double x[MOST])
{
    if (flags & REAL_SAT)
        for (unsigned n = 0; n < MOST; n++)
            x[n] = real_saturate(x[n]);
    if (flags & REAL_RELU)
        for (unsigned n = 0; n < MOST; n++)
            x[n] = x[n] <= 0 ? 0 : x[n];
}

static void flush(bool f16, uint64_t code[VM_LANES], unsigned shift)
{
    uint64_t least = UINT64_C(1) << (f16 ? F16_MANTISSA_BITS : BF16_MANTISSA_BITS);
    for (unsigned l = 0; l < VM_LANES; l++)
        if ((code[l] >> shift & 0x7fff) < least)
            code[l] &= ~(UINT64_C(0x7fff) << shift);
}

static void load_short(bool f16, const uint64_t *row, float *restrict to)
{
    if (f16)
        for (unsigned l = 0; l < VM_LANES; l++) {
            to[l] = real_f16(row[l]);
            to[VM_LANES + l] = real_f16(row[l] >> 16);
        }
    else
        for (unsigned l = 0; l < VM_LANES; l++) {
            to[l] = real_bf16(row[l] & 0xffff);
            to[VM_LANES + l] = real_bf16(row[l] >> 16 & 0xffff);
        }
}

static void store_short(bool f16, bool pair, const float *from, uint64_t *restrict d)
{
    uint32_t code[MOST];
    if (f16)
        for (unsigned n = 0; n < MOST; n++)
            code[n] = real_f16_bits(from[n]);
    else
        for (unsigned n = 0; n < MOST; n++)
            code[n] = real_bf16_bits(from[n]);
    for (unsigned l = 0; l < VM_LANES; l++)
        d[l] = code[l] | (pair ? (uint64_t)code[VM_LANES + l] << 16 : 0);
}

static void store(const struct vm_instruction *i, double from[MOST], uint64_t d[VM_LANES])
{
    float narrow[MOST];
    clamp(i->extra[FLAGS], from);
    for (unsigned n = 0; n < MOST; n++)
        narrow[n] = narrow_to_odd(from[n]);
    store_short(is_f16(i->type), is_pair(i->type), narrow, d);
    if (!(i->extra[FLAGS] & REAL_FTZ))
        return;
    flush(is_f16(i->type), d, 0);
    if (is_pair(i->type))
        flush(is_f16(i->type), d, 16);
}

static void apply_short(const struct op *op, enum vm_type t, const struct lanes *x, uint64_t d[VM_LANES])
{
    float a[MOST], b[MOST], c[MOST];
    load_short(is_f16(t), x->s[0], a);
    load_short(is_f16(t), x->s[1], b);
    op->in_f32(c, a, b);
    store_short(is_f16(t), is_pair(t), c, d);
}

static enum vm_step run(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct op *op = &ops[i->extra[OP]];
    double s[3][MOST], d[MOST];
    struct lanes x;
    lanes_read(w, i, &x, op->sources);
    if (op->in_f32 && i->extra[FLAGS] == 0) {
        apply_short(op, i->type, &x, x.d);
        return lanes_write(w, i, x.d, lanes);
    }
    for (unsigned n = 0; n < op->sources; n++)
        load(i, x.s[n], s[n]);
    op->f(d, s[0], s[op->sources > 1], s[op->sources > 2 ? 2 : 0]);
    store(i, d, x.d);
    if (op->approximate)
        vm_approximate(w, op->what);
    return lanes_write(w, i, x.d, lanes);
}

static enum vm_step run_extreme(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    double s[2][MOST], d[MOST];
    struct lanes x;
    lanes_read(w, i, &x, 2);
    for (unsigned n = 0; n < 2; n++)
        load(i, x.s[n], s[n]);
    for (unsigned n = 0; n < MOST; n++)
        d[n] = real_extreme_flags(s[0][n], s[1][n], i->extra[GREATER] != 0, i->extra[FLAGS]);
    store(i, d, x.d);
    return lanes_write(w, i, x.d, lanes);
}

static bool take_type(struct vm_instruction *i)
{
    i->type = vm_take_type(i);
    return is_f16(i->type) || vm_type_part(i->type) == VM_BF16;
}

static const char *prepare(const struct vm_program *p, struct vm_instruction *i)
{
    if (!take_type(i))
        return vm_op_other;
    enum real_rounding r = real_take_rounding(i);
    unsigned flags = real_take_flags(i), n = 0;
    while (strcmp(ops[n].name, i->opcode) != 0)
        n++;
    const struct op *op = &ops[n];
    unsigned allowed = is_f16(i->type) ? op->flags_f16 : op->flags_bf16;
    bool rounded = r == REAL_NONE ? !op->must_round : op->rounds && r == REAL_RN;
    if (!rounded || (flags & ~allowed) != 0 || (flags & REAL_SAT && flags & REAL_RELU) ||
        (op->approximate && !vm_take(i, "approx")) || vm_words_left(i))
        return lanes_no_form;
    i->run = run;
    i->extra[OP] = n;
    i->extra[FLAGS] = flags;
    return lanes_operands(p, i, op->sources);
}

static const char *prepare_extreme(const struct vm_program *p, struct vm_instruction *i)
{
    if (!take_type(i))
        return vm_op_other;
    unsigned flags = real_take_flags(i);
    unsigned allowed = REAL_NAN | REAL_XORSIGN | (is_f16(i->type) ? REAL_FTZ : 0);
    if ((flags & ~allowed) != 0 || vm_words_left(i))
        return lanes_no_form;
    i->run = run_extreme;
    i->extra[FLAGS] = flags;
    i->extra[GREATER] = strcmp(i->opcode, "max") == 0;
    return lanes_operands(p, i, 2);
}

const struct vm_op vm_ops_half[] = {
    {"add", prepare},         {"sub", prepare},         {"mul", prepare}, {"fma", prepare},
    {"abs", prepare},         {"neg", prepare},         {"ex2", prepare}, {"tanh", prepare},
    {"min", prepare_extreme}, {"max", prepare_extreme}, {NULL, NULL},
};
