/* logic_field: bit fields and counts: bfe bfi bfind bmsk brev popc clz szext fns.
 * source: PTX ISA 9.0, "Integer Arithmetic Instructions". */
#include "reference/ptx/ops/lanes.h"

#define U32 LANES_TYPE(VM_U32)
#define U64 LANES_TYPE(VM_U64)
#define S32 LANES_TYPE(VM_S32)
#define S64 LANES_TYPE(VM_S64)
#define B32 LANES_TYPE(VM_B32)
#define B64 LANES_TYPE(VM_B64)

static uint64_t reverse(uint64_t x, unsigned bits)
{
    uint64_t d = 0;
    for (unsigned n = 0; n < bits; n++)
        d |= (x >> n & 1) << (bits - 1 - n);
    return d;
}

static uint64_t leading_zeros(uint64_t x, unsigned bits)
{
    return x ? (unsigned)__builtin_clzll(x) - (64 - bits) : bits;
}

/* Position and length are the low 8 bits of their operands. Bits beyond the end of the input are copies of the sign of
 * the field, whose place is no higher than the last bit of the input. x comes extended. */
static uint64_t extract(uint64_t x, unsigned position, unsigned length, unsigned bits)
{
    uint64_t field = position > 63 ? 0 : x >> position;
    return position < bits ? field & lanes_mask(length) : 0;
}

static uint64_t extract_signed(int64_t x, unsigned position, unsigned length, unsigned bits)
{
    uint64_t field = (uint64_t)(x >> (position > 63 ? 63 : position));
    if (length == 0)
        return 0;
    if (length >= bits)
        return field;
    uint64_t sign = UINT64_C(1) << (length - 1);
    return ((field & lanes_mask(length)) ^ sign) - sign;
}

static uint64_t insert(uint64_t field, uint64_t into, unsigned position, unsigned length)
{
    uint64_t mask = position > 63 ? 0 : lanes_mask(length) << position;
    return position > 63 ? into : (into & ~mask) | (field << position & mask);
}

/* The highest bit set, all ones for none. */
static uint64_t find(uint64_t x)
{
    return 63 - leading_zeros(x, 64);
}

static uint64_t find_shift(uint64_t x, unsigned bits)
{
    return x == 0 ? UINT32_MAX : leading_zeros(x, bits);
}

static uint64_t flip_negative(int64_t x)
{
    return (uint64_t)(x < 0 ? ~x : x);
}

static uint64_t mask_wrap(uint64_t position, uint64_t length)
{
    return lanes_mask((unsigned)(length & 31)) << (position & 31);
}

static uint64_t mask_clamp(uint64_t position, uint64_t length)
{
    if ((uint32_t)position > 31)
        return 0;
    return lanes_mask((uint32_t)length > 31 ? 32 : (unsigned)length) << (position & 31);
}

static uint64_t low_bits(uint64_t x, uint64_t count, bool is_signed)
{
    unsigned n = (unsigned)count & 31;
    uint64_t sign = n ? UINT64_C(1) << (n - 1) : 0;
    return is_signed ? ((x & lanes_mask(n)) ^ sign) - sign : x & lanes_mask(n);
}

static uint64_t low_bits_clamp(uint64_t x, uint64_t count, bool is_signed)
{
    return (uint32_t)count > 31 ? x : low_bits(x, count, is_signed);
}

/* The bit set that is the offset-th from the base on, itself the first; 0 asks for the base alone. A base above 31,
 * which PTX leaves open, finds nothing. */
static uint64_t find_nth(uint64_t mask, uint64_t base, uint64_t offset)
{
    int64_t steps = (int32_t)(uint32_t)offset, at = (int32_t)(uint32_t)base, step = steps < 0 ? -1 : 1;
    int64_t before = (steps < 0 ? -steps : steps) - 1;
    for (; at >= 0 && at < 32; at += step) {
        if (mask >> at & 1 && before-- <= 0)
            return (uint64_t)at;
        if (steps == 0)
            break;
    }
    return UINT32_MAX;
}

LANES_KERNEL(fns_bits, find_nth(x, y, z))
LANES_KERNEL(bfe_unsigned, extract(x, y & 255, z & 255, bits))
LANES_KERNEL(bfe_signed, extract_signed(sx, y & 255, z & 255, bits))
LANES_KERNEL(bfi_bits, insert(x, y, z & 255, e & 255))
LANES_KERNEL(bfind_unsigned, find(x))
LANES_KERNEL(bfind_signed, find(flip_negative(sx)))
LANES_KERNEL(bfind_shift_unsigned, find_shift(x, bits))
LANES_KERNEL(bfind_shift_signed, find_shift(flip_negative(sx), bits))
LANES_KERNEL(bmsk_wrap, mask_wrap(x, y))
LANES_KERNEL(bmsk_clamp, mask_clamp(x, y))
LANES_KERNEL(brev_bits, reverse(x, bits))
LANES_KERNEL(popc_bits, __builtin_popcountll(x))
LANES_KERNEL(clz_bits, leading_zeros(x, bits))
LANES_KERNEL(szext_wrap_unsigned, low_bits(x, y, false))
LANES_KERNEL(szext_wrap_signed, low_bits(x, y, true))
LANES_KERNEL(szext_clamp_unsigned, low_bits_clamp(x, y, false))
LANES_KERNEL(szext_clamp_signed, low_bits_clamp(x, y, true))

static const struct lanes_op table[] = {
    {"bfe", {NULL}, U32 | U64, 3, 1, 0, LANES_SAME, bfe_unsigned, false},
    {"bfe", {NULL}, S32 | S64, 3, 1, 0, LANES_SAME, bfe_signed, false},
    {"bfi", {NULL}, B32 | B64, 4, 0, 0, LANES_SAME, bfi_bits, false},
    {"bfind", {NULL}, U32 | U64, 1, 1, 0, LANES_32, bfind_unsigned, false},
    {"bfind", {NULL}, S32 | S64, 1, 1, 0, LANES_32, bfind_signed, false},
    {"bfind", {"shiftamt"}, U32 | U64, 1, 1, 0, LANES_32, bfind_shift_unsigned, false},
    {"bfind", {"shiftamt"}, S32 | S64, 1, 1, 0, LANES_32, bfind_shift_signed, false},
    {"bmsk", {"wrap"}, B32, 2, 0, 0, LANES_SAME, bmsk_wrap, false},
    {"bmsk", {"clamp"}, B32, 2, 0, 0, LANES_SAME, bmsk_clamp, false},
    {"brev", {NULL}, B32 | B64, 1, 0, 0, LANES_SAME, brev_bits, false},
    {"popc", {NULL}, B32 | B64, 1, 1, 0, LANES_32, popc_bits, false},
    {"clz", {NULL}, B32 | B64, 1, 1, 0, LANES_32, clz_bits, false},
    {"szext", {"wrap"}, U32, 2, 0, 0, LANES_SAME, szext_wrap_unsigned, false},
    {"szext", {"wrap"}, S32, 2, 0, 0, LANES_SAME, szext_wrap_signed, false},
    {"szext", {"clamp"}, U32, 2, 0, 0, LANES_SAME, szext_clamp_unsigned, false},
    {"szext", {"clamp"}, S32, 2, 0, 0, LANES_SAME, szext_clamp_signed, false},
    {"fns", {NULL}, B32, 3, 0, 0, LANES_SAME, fns_bits, false},
    {.name = NULL},
};

static const char *prepare(const struct vm_program *p, struct vm_instruction *i)
{
    return lanes_prepare(p, i, table);
}

const struct vm_op vm_ops_logic_field[] = {
    {"bfe", prepare},  {"bfi", prepare}, {"bfind", prepare}, {"bmsk", prepare}, {"brev", prepare},
    {"popc", prepare}, {"clz", prepare}, {"szext", prepare}, {"fns", prepare},  {NULL, NULL},
};
