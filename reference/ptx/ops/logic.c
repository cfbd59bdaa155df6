/* logic: and or xor not cnot, shl shr shf, lop3, prmt. Fields and counts of bits are in logic_field.c.
 * source: PTX ISA 9.0, "Logic and Shift Instructions", and prmt of "Data Movement". */
#include "reference/ptx/ops/lanes.h"

#define B16      LANES_TYPE(VM_B16)
#define B32      LANES_TYPE(VM_B32)
#define B64      LANES_TYPE(VM_B64)
#define BITS     (B16 | B32 | B64)
#define UNSIGNED (LANES_TYPE(VM_U16) | LANES_TYPE(VM_U32) | LANES_TYPE(VM_U64))
#define SIGNED   (LANES_TYPE(VM_S16) | LANES_TYPE(VM_S32) | LANES_TYPE(VM_S64))

/* Amounts are 32 bits wide, and shifts by the width or more shift everything out. */
static uint64_t shift_left(uint64_t x, uint32_t n)
{
    return n > 63 ? 0 : x << n;
}

static uint64_t shift_right(uint64_t x, uint32_t n)
{
    return n > 63 ? 0 : x >> n;
}

static int64_t shift_right_signed(int64_t x, uint32_t n)
{
    return x >> (n > 63 ? 63 : n);
}

static uint64_t join(uint64_t low, uint64_t high)
{
    return (low & UINT32_MAX) | high << 32;
}

static uint32_t clamped(uint64_t n)
{
    return (uint32_t)n < 32 ? (uint32_t)n : 32;
}

/* Four bytes of the eight of {b, a}; a selector's bit 3 spreads the sign of its byte. */
static uint64_t permute(uint64_t bytes, uint64_t selectors)
{
    uint64_t d = 0;
    for (unsigned n = 0; n < 4; n++) {
        unsigned selector = (unsigned)(selectors >> 4 * n & 15), byte = (unsigned)(bytes >> 8 * (selector & 7) & 255);
        d |= (uint64_t)(selector < 8 ? byte : byte & 128 ? 255 : 0) << 8 * n;
    }
    return d;
}

/* The selectors of the modes, each for the four values of the low two bits of c.
 * source: PTX ISA 9.0, the table of prmt's modes, read from the highest byte of the result to the lowest. */
static const uint16_t forward4[] = {0x3210, 0x4321, 0x5432, 0x6543};
static const uint16_t backward4[] = {0x5670, 0x6701, 0x7012, 0x0123};
static const uint16_t replicate8[] = {0x0000, 0x1111, 0x2222, 0x3333};
static const uint16_t edge_left[] = {0x3210, 0x3211, 0x3222, 0x3333};
static const uint16_t edge_right[] = {0x0000, 0x1110, 0x2210, 0x3210};
static const uint16_t replicate16[] = {0x1010, 0x3232, 0x1010, 0x3232};

LANES_KERNEL(and_bits, x &y)
LANES_KERNEL(or_bits, x | y)
LANES_KERNEL(xor_bits, x ^ y)
LANES_KERNEL(not_bits, ~x)
LANES_KERNEL(cnot_bits, x == 0)
LANES_KERNEL(shl_bits, shift_left(x, (uint32_t)y))
LANES_KERNEL(shr_bits, shift_right(x, (uint32_t)y))
LANES_KERNEL(shr_signed, shift_right_signed(sx, (uint32_t)y))
LANES_KERNEL(shf_left_clamp, join(x, y) << clamped(z) >> 32)
LANES_KERNEL(shf_left_wrap, join(x, y) << (z & 31) >> 32)
LANES_KERNEL(shf_right_clamp, join(x, y) >> clamped(z))
LANES_KERNEL(shf_right_wrap, join(x, y) >> (z & 31))
LANES_KERNEL(prmt_any, permute(join(x, y), z))
LANES_KERNEL(prmt_f4e, permute(join(x, y), forward4[z & 3]))
LANES_KERNEL(prmt_b4e, permute(join(x, y), backward4[z & 3]))
LANES_KERNEL(prmt_rc8, permute(join(x, y), replicate8[z & 3]))
LANES_KERNEL(prmt_ecl, permute(join(x, y), edge_left[z & 3]))
LANES_KERNEL(prmt_ecr, permute(join(x, y), edge_right[z & 3]))
LANES_KERNEL(prmt_rc16, permute(join(x, y), replicate16[z & 3]))

/* Bit i of the result is bit 4 a_i + 2 b_i + c_i of the table, an immediate: one for all lanes. Each step halves the
 * table, choosing by one source. */
static void lop3_bits(struct lanes *lanes)
{
    const uint64_t *a = lanes->s[0], *b = lanes->s[1], *c = lanes->s[2];
    uint64_t entry[8], change[4];
    for (unsigned n = 0; n < 8; n++)
        entry[n] = lanes->s[3][0] >> n & 1 ? UINT64_MAX : 0;
    for (unsigned n = 0; n < 4; n++)
        change[n] = entry[2 * n] ^ entry[2 * n + 1];
    for (unsigned l = 0; l < VM_LANES; l++) {
        uint64_t by_c[4], by_b[2];
        for (unsigned n = 0; n < 4; n++)
            by_c[n] = entry[2 * n] ^ (change[n] & c[l]);
        for (unsigned n = 0; n < 2; n++)
            by_b[n] = by_c[2 * n] ^ ((by_c[2 * n] ^ by_c[2 * n + 1]) & b[l]);
        lanes->d[l] = by_b[0] ^ ((by_b[0] ^ by_b[1]) & a[l]);
    }
}

static const struct lanes_op table[] = {
    {"and", {NULL}, BITS | LANES_TYPE(VM_PRED), 2, 0, 0, LANES_SAME, and_bits, false},
    {"or", {NULL}, BITS | LANES_TYPE(VM_PRED), 2, 0, 0, LANES_SAME, or_bits, false},
    {"xor", {NULL}, BITS | LANES_TYPE(VM_PRED), 2, 0, 0, LANES_SAME, xor_bits, false},
    {"not", {NULL}, BITS | LANES_TYPE(VM_PRED), 1, 0, 0, LANES_SAME, not_bits, false},
    {"cnot", {NULL}, BITS, 1, 1, 0, LANES_SAME, cnot_bits, false},
    {"shl", {NULL}, BITS, 2, 0, 0, LANES_SAME, shl_bits, false},
    {"shr", {NULL}, BITS | UNSIGNED, 2, 1, 0, LANES_SAME, shr_bits, false},
    {"shr", {NULL}, SIGNED, 2, 1, 0, LANES_SAME, shr_signed, false},
    {"shf", {"l", "clamp"}, B32, 3, 0, 0, LANES_SAME, shf_left_clamp, false},
    {"shf", {"l", "wrap"}, B32, 3, 0, 0, LANES_SAME, shf_left_wrap, false},
    {"shf", {"r", "clamp"}, B32, 3, 0, 0, LANES_SAME, shf_right_clamp, false},
    {"shf", {"r", "wrap"}, B32, 3, 0, 0, LANES_SAME, shf_right_wrap, false},
    {"lop3", {NULL}, B32, 4, 0, 0, LANES_SAME, lop3_bits, false},
    {"prmt", {NULL}, B32, 3, 0, 0, LANES_SAME, prmt_any, false},
    {"prmt", {"f4e"}, B32, 3, 0, 0, LANES_SAME, prmt_f4e, false},
    {"prmt", {"b4e"}, B32, 3, 0, 0, LANES_SAME, prmt_b4e, false},
    {"prmt", {"rc8"}, B32, 3, 0, 0, LANES_SAME, prmt_rc8, false},
    {"prmt", {"ecl"}, B32, 3, 0, 0, LANES_SAME, prmt_ecl, false},
    {"prmt", {"ecr"}, B32, 3, 0, 0, LANES_SAME, prmt_ecr, false},
    {"prmt", {"rc16"}, B32, 3, 0, 0, LANES_SAME, prmt_rc16, false},
    {.name = NULL},
};

static const char *prepare(const struct vm_program *p, struct vm_instruction *i)
{
    return lanes_prepare(p, i, table);
}

const struct vm_op vm_ops_logic[] = {
    {"and", prepare}, {"or", prepare},  {"xor", prepare},  {"not", prepare},  {"cnot", prepare}, {"shl", prepare},
    {"shr", prepare}, {"shf", prepare}, {"lop3", prepare}, {"prmt", prepare}, {NULL, NULL},
};
