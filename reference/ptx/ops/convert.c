/* convert: cvt of one value: among integers, between integers and floats, among floats.
 *
 * A source wider than its type gives its low bits; a destination wider than its type takes a signed integer with its
 * sign, everything else with zeros. Between integer and float every value goes through its exact form; the conversions
 * that kernels are full of have loops of their own.
 * source: PTX ISA 9.0, cvt, and "Operand Size Exceeding Instruction-Type Size". Float to integer clamps; a NaN gives 0,
 * or the top bit alone where either side has 64 bits. */
#include "reference/ptx/ops/real.h"

enum integral { INTEGRAL_RNI, INTEGRAL_RZI, INTEGRAL_RMI, INTEGRAL_RPI, INTEGRAL_NONE };
static const char *const integral_words[] = {"rni", "rzi", "rmi", "rpi", NULL};

/* extra. i->type is the source's type, i->type2 the destination's. */
enum { FLAGS, ROUNDING, INTEGRAL };

static uint64_t extend(uint64_t row, enum vm_type t)
{
    unsigned bits = vm_type_bits(t);
    uint64_t v = row & lanes_mask(bits), sign = UINT64_C(1) << (bits - 1);
    return vm_type_signed(t) ? (v ^ sign) - sign : v;
}

static uint64_t least_of(enum vm_type t)
{
    return vm_type_signed(t) ? UINT64_MAX << (vm_type_bits(t) - 1) : 0;
}

static uint64_t most_of(enum vm_type t)
{
    return lanes_mask(vm_type_bits(t) - vm_type_signed(t));
}

static uint64_t saturate_integer(uint64_t v, bool is_signed, enum vm_type to)
{
    bool negative = is_signed && (int64_t)v < 0;
    if (negative)
        return !vm_type_signed(to) ? 0 : (int64_t)v < (int64_t)least_of(to) ? least_of(to) : v;
    return v > most_of(to) ? most_of(to) : v;
}

static enum vm_step run_integers(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct lanes x;
    lanes_read(w, i, &x, 1);
    lanes_extend(&x, 0, vm_type_bits(i->type), vm_type_signed(i->type));
    if (i->extra[FLAGS] & REAL_SAT)
        for (unsigned l = 0; l < VM_LANES; l++)
            x.room[0][l] = saturate_integer(x.s[0][l], vm_type_signed(i->type), i->type2);
    lanes_extend(&x, 0, vm_type_bits(i->type2), vm_type_signed(i->type2));
    return lanes_write(w, i, x.s[0], lanes);
}

static double to_integral(double x, uint64_t how)
{
    switch (how) {
    case INTEGRAL_RNI:
        return rint(x);
    case INTEGRAL_RZI:
        return trunc(x);
    case INTEGRAL_RMI:
        return floor(x);
    case INTEGRAL_RPI:
        return ceil(x);
    default:
        return x;
    }
}

/* x is integral or not finite. */
static uint64_t integer_of(double x, enum vm_type from, enum vm_type to)
{
    unsigned bits = vm_type_bits(to), magnitude = bits - vm_type_signed(to);
    if (x != x)
        return from != VM_F64 && bits < 64 ? 0 : UINT64_C(1) << (bits - 1);
    if (x >= ldexp(1, (int)magnitude))
        return most_of(to);
    if (x < (vm_type_signed(to) ? -ldexp(1, (int)magnitude) : 0))
        return least_of(to);
    return vm_type_signed(to) ? (uint64_t)(int64_t)x : (uint64_t)x;
}

static double source_of(const struct vm_instruction *i, uint64_t row)
{
    double v = real_decode(i->type, row);
    return i->extra[FLAGS] & REAL_FTZ && i->type == VM_F32 ? (double)real_flush((float)v) : v;
}

static enum vm_step run_to_integer(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct lanes x;
    lanes_read(w, i, &x, 1);
    for (unsigned l = 0; l < VM_LANES; l++) {
        double v = to_integral(source_of(i, x.s[0][l]), i->extra[INTEGRAL]);
        x.d[l] = extend(integer_of(v, i->type, i->type2), i->type2);
    }
    return lanes_write(w, i, x.d, lanes);
}

static uint64_t one_of(enum vm_type t)
{
    return real_encode(t, 1, REAL_RN, false);
}

static enum vm_step run_from_integer(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct lanes x;
    lanes_read(w, i, &x, 1);
    for (unsigned l = 0; l < VM_LANES; l++) {
        uint64_t v = extend(x.s[0][l], i->type);
        bool negative = vm_type_signed(i->type) && (int64_t)v < 0;
        if (i->extra[FLAGS] & REAL_SAT)
            x.d[l] = v == 0 || negative ? 0 : one_of(i->type2);
        else
            x.d[l] =
                real_pack(i->type2, negative, negative ? 0 - v : v, 0, (enum real_rounding)i->extra[ROUNDING], false);
    }
    return lanes_write(w, i, x.d, lanes);
}

static double clamped(double v, uint64_t flags)
{
    if (flags & REAL_SAT)
        return real_saturate(v);
    return flags & REAL_RELU && v <= 0 ? 0 : v;
}

static enum vm_step run_floats(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t flags = i->extra[FLAGS];
    bool flush = flags & REAL_FTZ && i->type2 == VM_F32;
    struct lanes x;
    lanes_read(w, i, &x, 1);
    for (unsigned l = 0; l < VM_LANES; l++) {
        double v = clamped(to_integral(source_of(i, x.s[0][l]), i->extra[INTEGRAL]), flags);
        uint64_t d = real_encode(i->type2, v, (enum real_rounding)i->extra[ROUNDING], (flags & REAL_SATFINITE) != 0);
        x.d[l] = flush && (d & 0x7fffffff) < 0x00800000 ? d & 0x80000000 : d;
    }
    return lanes_write(w, i, x.d, lanes);
}

/* Conversions without flags that kernels are full of. */
#define RUN_FAST(name, expression)                                                                                     \
    static enum vm_step name(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)                        \
    {                                                                                                                  \
        struct lanes x;                                                                                                \
        lanes_read(w, i, &x, 1);                                                                                       \
        const uint64_t *s = x.s[0];                                                                                    \
        for (unsigned l = 0; l < VM_LANES; l++)                                                                        \
            x.d[l] = (expression);                                                                                     \
        return lanes_write(w, i, x.d, lanes);                                                                          \
    }
RUN_FAST(run_f32_f16, real_f32_canonical(real_f16(s[l])))
RUN_FAST(run_f32_bf16, real_f32_canonical(real_bf16(s[l])))
RUN_FAST(run_f16_f32, real_f16_bits(real_f32(s[l])))
RUN_FAST(run_bf16_f32, real_bf16_bits(real_f32(s[l])))
RUN_FAST(run_tf32_rn, tf32_encode(real_f32(s[l])).bits)
RUN_FAST(run_tf32_rna, tf32_encode_ties_away(real_f32(s[l])).bits)
RUN_FAST(run_f32_s32, real_f32_bits((float)(int32_t)(uint32_t)s[l]))

static const struct {
    enum vm_type from, to;
    enum real_rounding rounding;
    vm_execute *run;
} fast[] = {
    {VM_F16, VM_F32, REAL_RN, run_f32_f16},  {VM_BF16, VM_F32, REAL_RN, run_f32_bf16},
    {VM_F32, VM_F16, REAL_RN, run_f16_f32},  {VM_F32, VM_BF16, REAL_RN, run_bf16_f32},
    {VM_F32, VM_TF32, REAL_RN, run_tf32_rn}, {VM_F32, VM_TF32, REAL_RNA, run_tf32_rna},
    {VM_S32, VM_F32, REAL_RN, run_f32_s32},
};

static vm_execute *fast_run(const struct vm_instruction *i)
{
    if (i->extra[FLAGS] || i->extra[INTEGRAL] != INTEGRAL_NONE)
        return NULL;
    for (size_t n = 0; n < sizeof fast / sizeof *fast; n++)
        if (fast[n].from == i->type && fast[n].to == i->type2 && fast[n].rounding == i->extra[ROUNDING])
            return fast[n].run;
    return NULL;
}

static bool is_integer(enum vm_type t)
{
    return (t >= VM_U8 && t <= VM_U64) || (t >= VM_S8 && t <= VM_S64);
}

static bool is_float(enum vm_type t)
{
    return t == VM_F16 || t == VM_BF16 || t == VM_F32 || t == VM_F64;
}

/* Does every value of one format have one of the other? */
static bool widens(enum vm_type from, enum vm_type to)
{
    return from == to || to == VM_F64 || (to == VM_F32 && from != VM_F64);
}

static const char *prepare_floats(struct vm_instruction *i, enum real_rounding r)
{
    uint64_t flags = i->extra[FLAGS];
    bool narrow = i->type == VM_F32 && (i->type2 == VM_F16 || i->type2 == VM_BF16 || i->type2 == VM_TF32);
    bool integral = i->extra[INTEGRAL] != INTEGRAL_NONE;
    if (i->type2 == VM_TF32 ? !narrow || r == REAL_RM || r == REAL_RP || flags & (REAL_FTZ | REAL_SAT) : r == REAL_RNA)
        return lanes_no_form;
    if (integral ? i->type != i->type2 || r != REAL_NONE : r == REAL_NONE && !widens(i->type, i->type2))
        return lanes_no_form;
    if (flags & (REAL_RELU | REAL_SATFINITE) && (!narrow || r > REAL_RZ) && !(r == REAL_RNA && !(flags & REAL_RELU)))
        return lanes_no_form;
    i->run = run_floats;
    return NULL;
}

static const char *prepare_kind(struct vm_instruction *i, enum real_rounding r)
{
    bool integral = i->extra[INTEGRAL] != INTEGRAL_NONE;
    if (i->extra[FLAGS] & (REAL_NAN | REAL_XORSIGN))
        return lanes_no_form;
    if (is_float(i->type) && (is_float(i->type2) || i->type2 == VM_TF32))
        return prepare_floats(i, r);
    if (i->extra[FLAGS] & (REAL_RELU | REAL_SATFINITE))
        return lanes_no_form;
    if (is_integer(i->type) && is_integer(i->type2)) {
        i->run = run_integers;
        return integral || r != REAL_NONE || i->extra[FLAGS] & REAL_FTZ ? lanes_no_form : NULL;
    }
    if (is_float(i->type) && is_integer(i->type2)) {
        i->run = run_to_integer;
        return !integral || r != REAL_NONE ? lanes_no_form : NULL;
    }
    if (is_integer(i->type) && is_float(i->type2)) {
        i->run = run_from_integer;
        return integral || r > REAL_RP ? lanes_no_form : NULL;
    }
    return lanes_no_form;
}

static bool is_alone(enum vm_type t)
{
    return is_integer(t) || is_float(t) || t == VM_TF32;
}

static const char *prepare(const struct vm_program *p, struct vm_instruction *i)
{
    i->type2 = vm_take_type(i);
    i->type = vm_take_type(i);
    if (!is_alone(i->type) || !is_alone(i->type2))
        return vm_op_other;
    enum real_rounding r = real_take_rounding(i);
    int integral = vm_take_of(i, integral_words);
    i->extra[FLAGS] = real_take_flags(i);
    i->extra[INTEGRAL] = integral < 0 ? INTEGRAL_NONE : (unsigned)integral;
    i->extra[ROUNDING] = r == REAL_NONE ? REAL_RN : r;
    const char *why = prepare_kind(i, r);
    if (why || vm_words_left(i))
        return why ? why : lanes_no_form;
    vm_execute *run = fast_run(i);
    i->run = run ? run : i->run;
    return lanes_operands(p, i, 1);
}

const struct vm_op vm_ops_convert[] = {{"cvt", prepare}, {NULL, NULL}};
