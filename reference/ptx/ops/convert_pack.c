/* convert_pack: cvt to and from pairs of narrow floats, and cvt.pack of integers.
 *
 *     bits      2n-1 .. n        n-1 .. 0
 *               of a             of b          (two sources; n bits a value)
 *               upper half       lower half    (one source that is a pair)
 *
 * source: PTX ISA 9.0, cvt and cvt.pack. Formats of 6 bits, ue8m0 and stochastic rounding, which sm_90 does not have,
 * are not modelled. */
#include "reference/ptx/ops/real.h"

/* extra */
enum { FLAGS, ROUNDING, BITS };

struct pair {
    enum vm_type type, part;
    unsigned bits;
};
static const struct pair pairs[] = {
    {VM_F16X2, VM_F16, 16},  {VM_BF16X2, VM_BF16, 16},  {VM_E4M3X2, VM_E4M3, 8},
    {VM_E5M2X2, VM_E5M2, 8}, {VM_E2M1X2, VM_E2M1X2, 4},
};

static const struct pair *find_pair(enum vm_type t)
{
    for (size_t n = 0; n < sizeof pairs / sizeof *pairs; n++)
        if (pairs[n].type == t)
            return &pairs[n];
    return NULL;
}

static uint64_t convert(const struct vm_instruction *i, enum vm_type to, double v)
{
    uint64_t flags = i->extra[FLAGS];
    if (flags & REAL_RELU && v <= 0)
        v = 0;
    if (to == VM_F16 && flags == 0 && i->extra[ROUNDING] == REAL_RN)
        return real_f16_bits((float)v);
    return real_encode(to, v, (enum real_rounding)i->extra[ROUNDING], (flags & REAL_SATFINITE) != 0);
}

static enum vm_step run_two(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct pair *to = find_pair(i->type2);
    struct lanes x;
    lanes_read(w, i, &x, 2);
    for (unsigned l = 0; l < VM_LANES; l++)
        x.d[l] = convert(i, to->part, (double)real_f32(x.s[0][l])) << to->bits |
                 convert(i, to->part, (double)real_f32(x.s[1][l]));
    return lanes_write(w, i, x.d, lanes);
}

/* The two that kernels are full of, to nearest and without flags. */
static enum vm_step run_two_bf16(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct lanes x;
    lanes_read(w, i, &x, 2);
    for (unsigned l = 0; l < VM_LANES; l++)
        x.d[l] = (uint64_t)real_bf16_bits(real_f32(x.s[0][l])) << 16 | real_bf16_bits(real_f32(x.s[1][l]));
    return lanes_write(w, i, x.d, lanes);
}

static enum vm_step run_two_f16(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct lanes x;
    lanes_read(w, i, &x, 2);
    for (unsigned l = 0; l < VM_LANES; l++)
        x.d[l] = (uint64_t)real_f16_bits(real_f32(x.s[0][l])) << 16 | real_f16_bits(real_f32(x.s[1][l]));
    return lanes_write(w, i, x.d, lanes);
}

static enum vm_step run_pair(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct pair *from = find_pair(i->type), *to = find_pair(i->type2);
    struct lanes x;
    lanes_read(w, i, &x, 1);
    for (unsigned l = 0; l < VM_LANES; l++) {
        uint64_t high = x.s[0][l] >> from->bits & lanes_mask(from->bits), low = x.s[0][l] & lanes_mask(from->bits);
        x.d[l] = convert(i, to->part, real_decode(from->part, high)) << to->bits |
                 convert(i, to->part, real_decode(from->part, low));
    }
    return lanes_write(w, i, x.d, lanes);
}

static const char *prepare(const struct vm_program *p, struct vm_instruction *i)
{
    i->type2 = vm_take_type(i);
    i->type = vm_take_type(i);
    const struct pair *to = find_pair(i->type2), *from = find_pair(i->type);
    enum real_rounding r = real_take_rounding(i);
    unsigned flags = real_take_flags(i);
    bool halves = to && to->bits == 16, two = to && i->type == VM_F32;
    bool narrows = to && !halves && i->type == VM_F16X2 && to->bits == 8;
    bool widens = i->type2 == VM_F16X2 && from && from->bits < 16;
    /* The formats without infinity have no other way than .satfinite, and only towards them it means something. */
    bool finite = halves ? two || !(flags & REAL_SATFINITE) : (flags & REAL_SATFINITE) != 0;
    if (!(two || narrows || widens) || !finite || (flags & ~(unsigned)(REAL_RELU | REAL_SATFINITE)) != 0 ||
        !(r == REAL_RN || (r == REAL_RZ && two && halves)) || vm_words_left(i))
        return lanes_no_form;
    bool plain = r == REAL_RN && flags == 0 && two;
    i->run = plain && i->type2 == VM_BF16X2  ? run_two_bf16
             : plain && i->type2 == VM_F16X2 ? run_two_f16
             : two                           ? run_two
                                             : run_pair;
    i->extra[FLAGS] = flags;
    i->extra[ROUNDING] = r;
    return lanes_operands(p, i, two ? 2 : 1);
}

static uint64_t saturate(uint64_t row, unsigned bits, bool is_signed)
{
    int64_t v = (int32_t)(uint32_t)row, most = (int64_t)lanes_mask(bits - is_signed), least = is_signed ? -most - 1 : 0;
    return (uint64_t)(v > most ? most : v < least ? least : v) & lanes_mask(bits);
}

/* The third source moves up to make room for the two values; of 16 bits there is none. */
static enum vm_step run_pack(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    unsigned bits = (unsigned)i->extra[BITS];
    bool is_signed = i->extra[FLAGS] != 0;
    struct lanes x;
    lanes_read(w, i, &x, bits == 16 ? 2 : 3);
    for (unsigned l = 0; l < VM_LANES; l++) {
        uint64_t both = saturate(x.s[0][l], bits, is_signed) << bits | saturate(x.s[1][l], bits, is_signed);
        x.d[l] = (bits == 16 ? both : x.s[2][l] << 2 * bits | both) & UINT32_MAX;
    }
    return lanes_write(w, i, x.d, lanes);
}

static const char *prepare_pack(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const to[] = {"u2", "s2", "u4", "s4", "u8", "s8", "u16", "s16", NULL};
    int form = vm_take(i, "sat") ? vm_take_of(i, to) : -1;
    if (form < 0 || !vm_take(i, "s32") || (form < 6 && !vm_take(i, "b32")) || vm_words_left(i))
        return lanes_no_form;
    i->type = VM_S32;
    i->run = run_pack;
    i->extra[BITS] = 2u << form / 2;
    i->extra[FLAGS] = form % 2;
    return lanes_operands(p, i, form < 6 ? 3 : 2);
}

const struct vm_op vm_ops_convert_pack[] = {{"cvt", prepare}, {"cvt.pack", prepare_pack}, {NULL, NULL}};
