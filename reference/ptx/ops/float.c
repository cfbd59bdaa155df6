/* float: exact arithmetic of f32 and f64: add sub mul fma mad div rcp sqrt abs neg min max copysign testp. What PTX
 * only approximates is in float_approx.c.
 *
 * The sums of the C compiler are those of IEEE 754: nothing is contracted (-ffp-contract=off), and the kernels are
 * called through pointers between two changes of the rounding mode, which no compiler moves a load across. PTX lets
 * ptxas fuse a mul and an add without rounding words; here they stay two roundings.
 * source: PTX ISA 9.0, "Floating Point Instructions". */
#include <fenv.h>

#include "reference/ptx/ops/real.h"

typedef void kernel32(float *restrict d, const float *a, const float *b, const float *c);
typedef void kernel64(double *restrict d, const double *a, const double *b, const double *c);

enum rounding_rule { ROUNDS_OR_NOT, ROUNDS_ALWAYS, ROUNDS_NEVER };

struct op {
    const char *name;
    uint32_t sources;
    enum rounding_rule rounding;
    unsigned flags32, flags64; /* that it may have */
    kernel32 *f32;
    kernel64 *f64;
};

/* extra */
enum { OP, FLAGS, ROUNDING };

#define KERNEL(name, in32, in64)                                                                                       \
    static void name##32(float *restrict d, const float *a, const float *b, const float *c)                            \
    {                                                                                                                  \
        for (unsigned l = 0; l < VM_LANES; l++) {                                                                      \
            const float x = a[l], y = b[l], z = c[l];                                                                  \
            (void)y, (void)z;                                                                                          \
            d[l] = (in32);                                                                                             \
        }                                                                                                              \
    }                                                                                                                  \
    static void name##64(double *restrict d, const double *a, const double *b, const double *c)                        \
    {                                                                                                                  \
        for (unsigned l = 0; l < VM_LANES; l++) {                                                                      \
            const double x = a[l], y = b[l], z = c[l];                                                                 \
            (void)y, (void)z;                                                                                          \
            d[l] = (in64);                                                                                             \
        }                                                                                                              \
    }

KERNEL(add, x + y, x + y)
KERNEL(sub, x - y, x - y)
KERNEL(mul, x *y, x *y)
KERNEL(fused, fmaf(x, y, z), fma(x, y, z))
KERNEL(quotient, x / y, x / y)
KERNEL(reciprocal, 1 / x, 1 / x)
KERNEL(root, sqrtf(x), sqrt(x))
KERNEL(magnitude, fabsf(x), fabs(x))
KERNEL(negative, -x, -x)

static const struct op ops[] = {
    {"add", 2, ROUNDS_OR_NOT, REAL_FTZ | REAL_SAT, 0, add32, add64},
    {"sub", 2, ROUNDS_OR_NOT, REAL_FTZ | REAL_SAT, 0, sub32, sub64},
    {"mul", 2, ROUNDS_OR_NOT, REAL_FTZ | REAL_SAT, 0, mul32, mul64},
    {"fma", 3, ROUNDS_ALWAYS, REAL_FTZ | REAL_SAT, 0, fused32, fused64},
    {"mad", 3, ROUNDS_ALWAYS, REAL_FTZ | REAL_SAT, 0, fused32, fused64},
    {"div", 2, ROUNDS_ALWAYS, REAL_FTZ, 0, quotient32, quotient64},
    {"rcp", 1, ROUNDS_ALWAYS, REAL_FTZ, 0, reciprocal32, reciprocal64},
    {"sqrt", 1, ROUNDS_ALWAYS, REAL_FTZ, 0, root32, root64},
    {"abs", 1, ROUNDS_NEVER, REAL_FTZ, 0, magnitude32, magnitude64},
    {"neg", 1, ROUNDS_NEVER, REAL_FTZ, 0, negative32, negative64},
};
enum { OPS = sizeof ops / sizeof *ops };

/* A kernel in a rounding mode. REAL_RN is how every thread stands otherwise. */
static void apply32(const struct op *op, enum real_rounding r, float d[VM_LANES], float s[3][VM_LANES])
{
    static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    int before = fegetround();
    if (r != REAL_RN)
        fesetround(modes[r]);
    op->f32(d, s[0], s[op->sources > 1], s[op->sources > 2 ? 2 : 0]);
    if (r != REAL_RN)
        fesetround(before);
}

static void apply64(const struct op *op, enum real_rounding r, double d[VM_LANES], double s[3][VM_LANES])
{
    static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    int before = fegetround();
    if (r != REAL_RN)
        fesetround(modes[r]);
    op->f64(d, s[0], s[op->sources > 1], s[op->sources > 2 ? 2 : 0]);
    if (r != REAL_RN)
        fesetround(before);
}

static void load32(const struct lanes *x, unsigned n, bool flush, float to[VM_LANES])
{
    for (unsigned l = 0; l < VM_LANES; l++)
        to[l] = real_f32(x->s[n][l]);
    if (flush)
        for (unsigned l = 0; l < VM_LANES; l++)
            to[l] = real_flush(to[l]);
}

static void store32(const float from[VM_LANES], uint64_t flags, uint64_t d[VM_LANES])
{
    for (unsigned l = 0; l < VM_LANES; l++) {
        float v = flags & REAL_SAT ? (float)real_saturate((double)from[l]) : from[l];
        d[l] = real_f32_canonical(flags & REAL_FTZ ? real_flush(v) : v);
    }
}

static enum vm_step run32(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct op *op = &ops[i->extra[OP]];
    struct lanes x;
    float s[3][VM_LANES], d[VM_LANES];
    lanes_read(w, i, &x, op->sources);
    for (unsigned n = 0; n < op->sources; n++)
        load32(&x, n, (i->extra[FLAGS] & REAL_FTZ) != 0, s[n]);
    apply32(op, (enum real_rounding)i->extra[ROUNDING], d, s);
    store32(d, i->extra[FLAGS], x.d);
    return lanes_write(w, i, x.d, lanes);
}

static enum vm_step run64(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct op *op = &ops[i->extra[OP]];
    struct lanes x;
    double s[3][VM_LANES], d[VM_LANES];
    lanes_read(w, i, &x, op->sources);
    for (unsigned n = 0; n < op->sources; n++)
        for (unsigned l = 0; l < VM_LANES; l++)
            s[n][l] = real_f64(x.s[n][l]);
    apply64(op, (enum real_rounding)i->extra[ROUNDING], d, s);
    for (unsigned l = 0; l < VM_LANES; l++)
        x.d[l] = d[l] != d[l] ? REAL_F64_NAN : real_f64_bits(d[l]);
    return lanes_write(w, i, x.d, lanes);
}

/* Is it an operation of f32 or f64? A second type (a mixed fma) is left and so refused. */
static bool take_type(struct vm_instruction *i)
{
    i->type = vm_take_type(i);
    return i->type == VM_F32 || i->type == VM_F64;
}

static const char *prepare(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const approximate[] = {"approx", "full", NULL};
    if (!take_type(i) || vm_take_of(i, approximate) >= 0)
        return vm_op_other;
    enum real_rounding r = real_take_rounding(i);
    unsigned flags = real_take_flags(i), n = 0;
    while (n < OPS && strcmp(ops[n].name, i->opcode) != 0)
        n++;
    const struct op *op = &ops[n];
    unsigned allowed = i->type == VM_F32 ? op->flags32 : op->flags64;
    if (r == REAL_RNA || (flags & ~allowed) != 0 || vm_words_left(i) ||
        (r == REAL_NONE ? op->rounding == ROUNDS_ALWAYS : op->rounding == ROUNDS_NEVER))
        return lanes_no_form;
    i->run = i->type == VM_F32 ? run32 : run64;
    i->extra[OP] = n;
    i->extra[FLAGS] = flags;
    i->extra[ROUNDING] = r == REAL_NONE ? REAL_RN : r;
    return lanes_operands(p, i, op->sources);
}

static enum vm_step run_extreme(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    bool greater = i->extra[OP] != 0;
    struct lanes x;
    lanes_read(w, i, &x, 2);
    for (unsigned l = 0; l < VM_LANES; l++) {
        double a = real_decode(i->type, x.s[0][l]), b = real_decode(i->type, x.s[1][l]);
        if (i->extra[FLAGS] & REAL_FTZ) {
            a = (double)real_flush((float)a);
            b = (double)real_flush((float)b);
        }
        double d = real_extreme_flags(a, b, greater, i->extra[FLAGS]);
        x.d[l] = i->type == VM_F32 ? real_f32_canonical((float)d) : d != d ? REAL_F64_NAN : real_f64_bits(d);
    }
    return lanes_write(w, i, x.d, lanes);
}

static const char *prepare_extreme(const struct vm_program *p, struct vm_instruction *i)
{
    if (!take_type(i))
        return vm_op_other;
    unsigned flags = real_take_flags(i);
    unsigned allowed = i->type == VM_F32 ? REAL_FTZ | REAL_NAN | REAL_XORSIGN : 0;
    if ((flags & ~allowed) != 0 || vm_words_left(i))
        return lanes_no_form;
    i->run = run_extreme;
    i->extra[OP] = strcmp(i->opcode, "max") == 0;
    i->extra[FLAGS] = flags;
    return lanes_operands(p, i, 2);
}

static enum vm_step run_copysign(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t sign = UINT64_C(1) << (vm_type_bits(i->type) - 1);
    struct lanes x;
    lanes_read(w, i, &x, 2);
    for (unsigned l = 0; l < VM_LANES; l++)
        x.d[l] = (x.s[0][l] & sign) | (x.s[1][l] & (sign - 1));
    return lanes_write(w, i, x.d, lanes);
}

static const char *prepare_copysign(const struct vm_program *p, struct vm_instruction *i)
{
    i->run = run_copysign;
    return !take_type(i) || vm_words_left(i) ? lanes_no_form : lanes_operands(p, i, 2);
}

enum { IS_FINITE, IS_INFINITE, IS_NUMBER, IS_NOTANUMBER, IS_NORMAL, IS_SUBNORMAL };
static const char *const properties[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal", NULL};

/* Zero counts as normal. */
static bool has_property(uint64_t property, uint64_t exponent, uint64_t mantissa, uint64_t most)
{
    switch (property) {
    case IS_FINITE:
        return exponent < most;
    case IS_INFINITE:
        return exponent == most && mantissa == 0;
    case IS_NUMBER:
        return exponent < most || mantissa == 0;
    case IS_NOTANUMBER:
        return exponent == most && mantissa != 0;
    case IS_NORMAL:
        return exponent < most && (exponent > 0 || mantissa == 0);
    default:
        return exponent == 0 && mantissa != 0;
    }
}

static enum vm_step run_testp(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    unsigned fraction = i->type == VM_F32 ? 23 : 52, field = i->type == VM_F32 ? 8 : 11;
    struct lanes x;
    lanes_read(w, i, &x, 1);
    for (unsigned l = 0; l < VM_LANES; l++)
        x.d[l] = has_property(i->extra[OP], x.s[0][l] >> fraction & lanes_mask(field), x.s[0][l] & lanes_mask(fraction),
                              lanes_mask(field));
    return lanes_write(w, i, x.d, lanes);
}

static const char *prepare_testp(const struct vm_program *p, struct vm_instruction *i)
{
    int property = vm_take_of(i, properties);
    if (property < 0 || !take_type(i) || vm_words_left(i))
        return lanes_no_form;
    i->run = run_testp;
    i->extra[OP] = (uint64_t)property;
    return lanes_operands(p, i, 1);
}

const struct vm_op vm_ops_float[] = {
    {"add", prepare},
    {"sub", prepare},
    {"mul", prepare},
    {"fma", prepare},
    {"mad", prepare},
    {"div", prepare},
    {"rcp", prepare},
    {"sqrt", prepare},
    {"abs", prepare},
    {"neg", prepare},
    {"min", prepare_extreme},
    {"max", prepare_extreme},
    {"copysign", prepare_copysign},
    {"testp", prepare_testp},
    {NULL, NULL},
};
