/* float_approx: what PTX gives with an error bound only: div.approx div.full rcp.approx sqrt.approx rsqrt ex2 lg2 sin
 * cos tanh. The value is computed in double precision and rounded to nearest: the special cases are those of PTX, the
 * last bits may differ from a GPU's, which the report says.
 *
 * source: PTX ISA 9.0, "Floating Point Instructions". */
#include "reference/ptx/ops/real.h"

typedef double kernel(double x, double y);

struct op {
    const char *name, *word; /* approx or full */
    uint32_t sources;
    kernel *f;
    const char *what;
};

/* extra */
enum { OP, FLAGS };

/* a * (1 / b), and 1 / b is 0 from 2^126 on. */
static double quotient(double x, double y)
{
    return x * (fabs(y) > 0x1p126 ? copysign(0, y) : 1 / y);
}

static double quotient_full(double x, double y)
{
    return x / y;
}

static double reciprocal(double x, double y)
{
    (void)y;
    return 1 / x;
}

static double root(double x, double y)
{
    (void)y;
    return sqrt(x);
}

static double inverse_root(double x, double y)
{
    (void)y;
    return 1 / sqrt(x);
}

static double power_of_2(double x, double y)
{
    (void)y;
    return exp2(x);
}

static double logarithm_2(double x, double y)
{
    (void)y;
    return log2(x);
}

static double sine(double x, double y)
{
    (void)y;
    return sin(x);
}

static double cosine(double x, double y)
{
    (void)y;
    return cos(x);
}

static double tangent_hyperbolic(double x, double y)
{
    (void)y;
    return tanh(x);
}

static const struct op ops[] = {
    {"div", "approx", 2, quotient, "div.approx"},         {"div", "full", 2, quotient_full, "div.full"},
    {"rcp", "approx", 1, reciprocal, "rcp.approx"},       {"sqrt", "approx", 1, root, "sqrt.approx"},
    {"rsqrt", "approx", 1, inverse_root, "rsqrt.approx"}, {"ex2", "approx", 1, power_of_2, "ex2.approx"},
    {"lg2", "approx", 1, logarithm_2, "lg2.approx"},      {"sin", "approx", 1, sine, "sin.approx"},
    {"cos", "approx", 1, cosine, "cos.approx"},           {"tanh", "approx", 1, tangent_hyperbolic, "tanh.approx"},
};
enum { OPS = sizeof ops / sizeof *ops };

static enum vm_step run32(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct op *op = &ops[i->extra[OP]];
    bool flush = (i->extra[FLAGS] & REAL_FTZ) != 0;
    struct lanes x;
    lanes_read(w, i, &x, op->sources);
    for (unsigned l = 0; l < VM_LANES; l++) {
        float a = real_f32(x.s[0][l]), b = real_f32(x.s[1][l]);
        float d = (float)op->f((double)(flush ? real_flush(a) : a), (double)(flush ? real_flush(b) : b));
        x.d[l] = real_f32_canonical(flush ? real_flush(d) : d);
    }
    vm_approximate(w, op->what);
    return lanes_write(w, i, x.d, lanes);
}

/* Of f64 the upper 32 bits are read and given by the forms with .ftz, whose lower bits are 0. */
static enum vm_step run64(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct op *op = &ops[i->extra[OP]];
    uint64_t kept = i->extra[FLAGS] & REAL_FTZ ? UINT64_C(0xffffffff00000000) : UINT64_MAX;
    uint64_t sign = UINT64_C(1) << 63, least = UINT64_C(1) << 52;
    struct lanes x;
    lanes_read(w, i, &x, 1);
    for (unsigned l = 0; l < VM_LANES; l++) {
        uint64_t a = x.s[0][l] & kept;
        if ((i->extra[FLAGS] & REAL_FTZ) && (a & ~sign) < least)
            a &= sign;
        double d = op->f(real_f64(a), 0);
        uint64_t bits = (d != d ? REAL_F64_NAN : real_f64_bits(d)) & kept;
        x.d[l] = (i->extra[FLAGS] & REAL_FTZ) && (bits & ~sign) < least ? bits & sign : bits;
    }
    vm_approximate(w, op->what);
    return lanes_write(w, i, x.d, lanes);
}

static bool is_double_form(const struct op *op, unsigned flags)
{
    return op->f == inverse_root || (op->f == reciprocal && flags == REAL_FTZ);
}

static const char *prepare(const struct vm_program *p, struct vm_instruction *i)
{
    i->type = vm_take_type(i);
    if (i->type != VM_F32 && i->type != VM_F64)
        return vm_op_other;
    unsigned flags = real_take_flags(i), n = 0;
    while (n < OPS && (strcmp(ops[n].name, i->opcode) != 0 || !vm_take(i, ops[n].word)))
        n++;
    if (n == OPS || (flags & ~(unsigned)REAL_FTZ) != 0 || vm_words_left(i) ||
        (i->type == VM_F64 && !is_double_form(&ops[n], flags)) || (ops[n].f == tangent_hyperbolic && flags))
        return lanes_no_form;
    i->run = i->type == VM_F32 ? run32 : run64;
    i->extra[OP] = n;
    i->extra[FLAGS] = flags;
    return lanes_operands(p, i, ops[n].sources);
}

const struct vm_op vm_ops_float_approx[] = {
    {"div", prepare}, {"rcp", prepare}, {"sqrt", prepare}, {"rsqrt", prepare}, {"ex2", prepare},
    {"lg2", prepare}, {"sin", prepare}, {"cos", prepare},  {"tanh", prepare},  {NULL, NULL},
};
