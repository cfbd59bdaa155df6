/* integer: add sub mul mad mul24 mad24 sad div rem abs neg min max of 16, 32 and 64 bits, dp4a, dp2a, and the pairs of
 * 16 bits. The forms with a carry are in integer_carry.c.
 * source: PTX ISA 9.0, "Integer Arithmetic Instructions". A division by zero is left open there: the quotient is all
 * ones and the remainder the dividend here, and a hazard is noted. */
#include "reference/ptx/ops/lanes.h"

#define UNSIGNED (LANES_TYPE(VM_U16) | LANES_TYPE(VM_U32) | LANES_TYPE(VM_U64))
#define SIGNED   (LANES_TYPE(VM_S16) | LANES_TYPE(VM_S32) | LANES_TYPE(VM_S64))
#define ANY      (UNSIGNED | SIGNED)
#define WIDE     (ANY & ~(LANES_TYPE(VM_U64) | LANES_TYPE(VM_S64)))
#define U32      LANES_TYPE(VM_U32)
#define S32      LANES_TYPE(VM_S32)

__extension__ typedef __int128 wide_signed;
__extension__ typedef unsigned __int128 wide_unsigned;

static int64_t clamp32(int64_t x)
{
    return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x;
}

static uint64_t high_unsigned(uint64_t x, uint64_t y, unsigned bits)
{
    return (uint64_t)((wide_unsigned)x * y >> bits);
}

static uint64_t high_signed(int64_t x, int64_t y, unsigned bits)
{
    return (uint64_t)((wide_signed)x * y >> bits);
}

/* The least integer divided by -1 wraps around. */
static uint64_t divide_signed(int64_t x, int64_t y)
{
    return y == 0 ? UINT64_MAX : y == -1 ? 0 - (uint64_t)x : (uint64_t)(x / y);
}

static int64_t remainder_signed(int64_t x, int64_t y)
{
    return y == 0 ? x : y == -1 ? 0 : x % y;
}

LANES_KERNEL(add, x + y)
LANES_KERNEL(sub, x - y)
LANES_KERNEL(mul, x *y)
LANES_KERNEL(mad, x *y + z)
LANES_KERNEL(neg, 0 - x)
LANES_KERNEL(add_sat, clamp32(sx + sy))
LANES_KERNEL(sub_sat, clamp32(sx - sy))
LANES_KERNEL(abs_signed, sx < 0 ? 0 - x : x)
LANES_KERNEL(min_unsigned, x < y ? x : y)
LANES_KERNEL(max_unsigned, x > y ? x : y)
LANES_KERNEL(min_signed, sx < sy ? x : y)
LANES_KERNEL(max_signed, sx > sy ? x : y)
LANES_KERNEL(min_relu, sx < 0 || sy < 0 ? 0 : sx < sy ? x : y)
LANES_KERNEL(max_relu, sx < 0 && sy < 0 ? 0 : sx > sy ? x : y)
LANES_KERNEL(div_unsigned, y == 0 ? UINT64_MAX : x / y)
LANES_KERNEL(rem_unsigned, y == 0 ? x : x % y)
LANES_KERNEL(div_signed, divide_signed(sx, sy))
LANES_KERNEL(rem_signed, remainder_signed(sx, sy))
LANES_KERNEL(mul_hi_unsigned, high_unsigned(x, y, bits))
LANES_KERNEL(mul_hi_signed, high_signed(sx, sy, bits))
LANES_KERNEL(mad_hi_unsigned, high_unsigned(x, y, bits) + z)
LANES_KERNEL(mad_hi_signed, high_signed(sx, sy, bits) + z)
LANES_KERNEL(mad_hi_sat, clamp32((int64_t)high_signed(sx, sy, 32) + (int32_t)z))
LANES_KERNEL(sad_unsigned, (x < y ? y - x : x - y) + z)
LANES_KERNEL(sad_signed, (sx < sy ? y - x : x - y) + z)
/* Of the 48 bits of a product of two 24-bit numbers, the upper 32. */
LANES_KERNEL(mul24_hi, sx *sy >> 16)
LANES_KERNEL(mad24_hi, (uint64_t)(sx *sy >> 16) + z)
LANES_KERNEL(mad24_hi_sat, clamp32((int32_t)(sx *sy >> 16) + (int64_t)(int32_t)z))

static int64_t half_signed(uint64_t x, unsigned n)
{
    return (int16_t)(x >> 16 * n);
}

static int64_t half_unsigned(uint64_t x, unsigned n)
{
    return (uint16_t)(x >> 16 * n);
}

static int64_t lesser(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static int64_t greater(int64_t x, int64_t y)
{
    return x > y ? x : y;
}

static uint64_t pair(int64_t low, int64_t high)
{
    return (uint64_t)(uint16_t)low | (uint64_t)(uint16_t)high << 16;
}

#define PAIR(f, half) pair(f(half(x, 0), half(y, 0)), f(half(x, 1), half(y, 1)))
#define RELU(f)                                                                                                        \
    pair(greater(f(half_signed(x, 0), half_signed(y, 0)), 0), greater(f(half_signed(x, 1), half_signed(y, 1)), 0))
LANES_KERNEL(add_pair, pair((int64_t)(x + y), (int64_t)((x >> 16) + (y >> 16))))
LANES_KERNEL(min_pair_unsigned, PAIR(lesser, half_unsigned))
LANES_KERNEL(max_pair_unsigned, PAIR(greater, half_unsigned))
LANES_KERNEL(min_pair_signed, PAIR(lesser, half_signed))
LANES_KERNEL(max_pair_signed, PAIR(greater, half_signed))
LANES_KERNEL(min_pair_relu, RELU(lesser))
LANES_KERNEL(max_pair_relu, RELU(greater))

static const struct lanes_op table[] = {
    {"add", {NULL}, ANY, 2, 0, 0, LANES_SAME, add, false},
    {"add", {"sat"}, S32, 2, 2, 0, LANES_SAME, add_sat, false},
    {"add", {"u16x2"}, 0, 2, 0, 0, LANES_SAME, add_pair, false},
    {"add", {"s16x2"}, 0, 2, 0, 0, LANES_SAME, add_pair, false},
    {"sub", {NULL}, ANY, 2, 0, 0, LANES_SAME, sub, false},
    {"sub", {"sat"}, S32, 2, 2, 0, LANES_SAME, sub_sat, false},
    {"mul", {"lo"}, ANY, 2, 0, 0, LANES_SAME, mul, false},
    {"mul", {"hi"}, UNSIGNED, 2, 2, 0, LANES_SAME, mul_hi_unsigned, false},
    {"mul", {"hi"}, SIGNED, 2, 2, 0, LANES_SAME, mul_hi_signed, false},
    {"mul", {"wide"}, WIDE, 2, 2, 0, LANES_DOUBLE, mul, false},
    {"mad", {"lo"}, ANY, 3, 0, 0, LANES_SAME, mad, false},
    {"mad", {"hi"}, UNSIGNED, 3, 2, 0, LANES_SAME, mad_hi_unsigned, false},
    {"mad", {"hi"}, SIGNED, 3, 2, 0, LANES_SAME, mad_hi_signed, false},
    {"mad", {"hi", "sat"}, S32, 3, 2, 0, LANES_SAME, mad_hi_sat, false},
    {"mad", {"wide"}, WIDE, 3, 2, 0, LANES_DOUBLE, mad, false},
    {"mul24", {"lo"}, U32 | S32, 2, 2, 24, LANES_SAME, mul, false},
    {"mul24", {"hi"}, U32 | S32, 2, 2, 24, LANES_SAME, mul24_hi, false},
    {"mad24", {"lo"}, U32 | S32, 3, 2, 24, LANES_SAME, mad, false},
    {"mad24", {"hi"}, U32 | S32, 3, 2, 24, LANES_SAME, mad24_hi, false},
    {"mad24", {"hi", "sat"}, S32, 3, 2, 24, LANES_SAME, mad24_hi_sat, false},
    {"sad", {NULL}, UNSIGNED, 3, 2, 0, LANES_SAME, sad_unsigned, false},
    {"sad", {NULL}, SIGNED, 3, 2, 0, LANES_SAME, sad_signed, false},
    {"div", {NULL}, UNSIGNED, 2, 2, 0, LANES_SAME, div_unsigned, true},
    {"div", {NULL}, SIGNED, 2, 2, 0, LANES_SAME, div_signed, true},
    {"rem", {NULL}, UNSIGNED, 2, 2, 0, LANES_SAME, rem_unsigned, true},
    {"rem", {NULL}, SIGNED, 2, 2, 0, LANES_SAME, rem_signed, true},
    {"abs", {NULL}, SIGNED, 1, 1, 0, LANES_SAME, abs_signed, false},
    {"neg", {NULL}, SIGNED, 1, 0, 0, LANES_SAME, neg, false},
    {"min", {NULL}, UNSIGNED, 2, 2, 0, LANES_SAME, min_unsigned, false},
    {"min", {NULL}, SIGNED, 2, 2, 0, LANES_SAME, min_signed, false},
    {"min", {"relu"}, S32, 2, 2, 0, LANES_SAME, min_relu, false},
    {"min", {"u16x2"}, 0, 2, 0, 0, LANES_SAME, min_pair_unsigned, false},
    {"min", {"s16x2"}, 0, 2, 0, 0, LANES_SAME, min_pair_signed, false},
    {"min", {"relu", "s16x2"}, 0, 2, 0, 0, LANES_SAME, min_pair_relu, false},
    {"max", {NULL}, UNSIGNED, 2, 2, 0, LANES_SAME, max_unsigned, false},
    {"max", {NULL}, SIGNED, 2, 2, 0, LANES_SAME, max_signed, false},
    {"max", {"relu"}, S32, 2, 2, 0, LANES_SAME, max_relu, false},
    {"max", {"u16x2"}, 0, 2, 0, 0, LANES_SAME, max_pair_unsigned, false},
    {"max", {"s16x2"}, 0, 2, 0, 0, LANES_SAME, max_pair_signed, false},
    {"max", {"relu", "s16x2"}, 0, 2, 0, 0, LANES_SAME, max_pair_relu, false},
    {.name = NULL},
};

static const char *prepare(const struct vm_program *p, struct vm_instruction *i)
{
    return lanes_prepare(p, i, table);
}

const struct vm_op vm_ops_integer[] = {
    {"add", prepare},   {"sub", prepare}, {"mul", prepare}, {"mad", prepare}, {"mul24", prepare},
    {"mad24", prepare}, {"sad", prepare}, {"div", prepare}, {"rem", prepare}, {"abs", prepare},
    {"neg", prepare},   {"min", prepare}, {"max", prepare}, {NULL, NULL},
};
