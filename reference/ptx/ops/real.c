#include "reference/ptx/ops/real.h"

struct format {
    int fraction, bias;
    unsigned shift;       /* of the code in its register */
    uint64_t sign;        /* of the code */
    uint64_t largest;     /* finite magnitude */
    uint64_t beyond, nan; /* infinity, or the largest where there is none */
};

static const struct format formats[VM_TYPES] = {
    [VM_F16] = {F16_MANTISSA_BITS, F16_BIAS, 0, F16_SIGN, F16_MAX, F16_INF, F16_NAN},
    [VM_BF16] = {BF16_MANTISSA_BITS, BF16_BIAS, 0, BF16_SIGN, 0x7f7f, 0x7f80, BF16_NAN},
    [VM_TF32] = {TF32_MANTISSA_BITS, TF32_BIAS, 13, TF32_SIGN >> 13, 0x3fbff, 0x3fc00, TF32_NAN >> 13},
    [VM_F32] = {23, 127, 0, 0x80000000, 0x7f7fffff, 0x7f800000, REAL_F32_NAN},
    [VM_F64] = {52, 1023, 0, UINT64_C(1) << 63, UINT64_C(0x7fefffffffffffff), UINT64_C(0x7ff0000000000000),
                REAL_F64_NAN},
    [VM_E4M3] = {E4M3_MANTISSA_BITS, E4M3_BIAS, 0, FP8_SIGN, E4M3_MAX, E4M3_MAX, FP8_NAN},
    [VM_E5M2] = {E5M2_MANTISSA_BITS, E5M2_BIAS, 0, FP8_SIGN, E5M2_MAX, E5M2_INF, FP8_NAN},
    [VM_E2M1X2] = {1, FP4_EXPONENT_BIAS, 0, FP4_SIGN, FP4_MAGNITUDE, FP4_MAGNITUDE, FP4_MAGNITUDE},
};

const char *const real_rounding_words[] = {"rn", "rz", "rm", "rp", "rna", NULL};

enum real_rounding real_take_rounding(struct vm_instruction *i)
{
    int r = vm_take_of(i, real_rounding_words);
    return r < 0 ? REAL_NONE : (enum real_rounding)r;
}

unsigned real_take_flags(struct vm_instruction *i)
{
    static const struct {
        const char *word;
        unsigned flag;
    } flags[] = {
        {"ftz", REAL_FTZ}, {"sat", REAL_SAT}, {"relu", REAL_RELU}, {"NaN", REAL_NAN}, {"satfinite", REAL_SATFINITE}};
    unsigned all = 0;
    for (size_t f = 0; f < sizeof flags / sizeof *flags; f++)
        if (vm_take(i, flags[f].word))
            all |= flags[f].flag;
    /* The two words stand together. */
    if (vm_take(i, "xorsign") && vm_take(i, "abs"))
        all |= REAL_XORSIGN;
    return all;
}

/* Is the magnitude to go up, `rest` of 2^drop being cut off, drop <= 64? */
static bool rounds_up(uint64_t kept, uint64_t rest, int drop, bool negative, enum real_rounding r)
{
    uint64_t half = UINT64_C(1) << (drop - 1);
    switch (r) {
    case REAL_RZ:
        return false;
    case REAL_RM:
        return negative && rest != 0;
    case REAL_RP:
        return !negative && rest != 0;
    case REAL_RNA:
        return rest >= half;
    default:
        return rest > half || (rest == half && kept % 2 == 1);
    }
}

static uint64_t beyond(const struct format *f, bool negative, enum real_rounding r, bool finite)
{
    bool stays = r == REAL_RZ || (r == REAL_RM && !negative) || (r == REAL_RP && negative);
    return stays || finite ? f->largest : f->beyond;
}

uint64_t real_pack(enum vm_type t, bool negative, uint64_t significand, int exponent, enum real_rounding r, bool finite)
{
    const struct format *f = &formats[t];
    uint64_t sign = negative ? f->sign : 0, code;
    if (significand == 0)
        return sign << f->shift;
    int top = 63 - __builtin_clzll(significand), least = 1 - f->bias, below = least - (exponent + top);
    int drop = top - f->fraction + (below > 0 ? below : 0);
    if (drop <= 0) {
        code = significand << -drop;
    } else {
        /* Whatever lies below the 64 bits is less than half of the least code: any such rest will do. */
        uint64_t kept = drop > 63 ? 0 : significand >> drop;
        uint64_t rest = drop > 64 ? 1 : drop == 64 ? significand : significand & lanes_mask((unsigned)drop);
        code = kept + rounds_up(kept, rest, drop > 64 ? 64 : drop, negative, r);
    }
    /* The leading one of a normal code adds one to its exponent field. */
    code += below > 0 ? 0 : (uint64_t)-below << f->fraction;
    return ((code > f->largest ? beyond(f, negative, r, finite) : code) | sign) << f->shift;
}

uint64_t real_encode(enum vm_type t, double x, enum real_rounding r, bool finite)
{
    const struct format *f = &formats[t];
    uint64_t bits = real_f64_bits(x), mantissa = bits & lanes_mask(52);
    int field = (int)(bits >> 52 & 0x7ff);
    if (x != x)
        return f->nan << f->shift;
    if (field == 0x7ff)
        return ((finite ? f->largest : f->beyond) | (x < 0 ? f->sign : 0)) << f->shift;
    return real_pack(t, signbit(x) != 0, field ? mantissa | UINT64_C(1) << 52 : mantissa, (field ? field : 1) - 1075, r,
                     finite);
}
