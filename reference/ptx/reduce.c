#include "reference/ptx/reduce.h"

#include <math.h>
#include <string.h>

#include "reference/number.h"

enum {
    ARITHMETIC = 1 << VM_REDUCE_ADD,
    ORDER = 1 << VM_REDUCE_MIN | 1 << VM_REDUCE_MAX,
    WRAP = 1 << VM_REDUCE_INC | 1 << VM_REDUCE_DEC,
    BITS = 1 << VM_REDUCE_AND | 1 << VM_REDUCE_OR | 1 << VM_REDUCE_XOR
};

static const unsigned known[VM_TYPES] = {
    [VM_U32] = ARITHMETIC | ORDER | WRAP,
    [VM_S32] = ARITHMETIC | ORDER,
    [VM_U64] = ARITHMETIC | ORDER,
    [VM_S64] = ORDER,
    [VM_B32] = BITS,
    [VM_B64] = BITS,
    [VM_F16] = ARITHMETIC | ORDER,
    [VM_BF16] = ARITHMETIC | ORDER,
    [VM_F32] = ARITHMETIC,
    [VM_F64] = ARITHMETIC,
};

bool vm_reduce_known(enum vm_reduction r, enum vm_type t)
{
    return r == VM_REDUCE_NONE || (known[t] >> r & 1) != 0;
}

/* needs: r is of BITS or WRAP, or ADD. */
static uint64_t reduce_bits(enum vm_reduction r, uint64_t to, uint64_t from)
{
    switch (r) {
    case VM_REDUCE_ADD:
        return to + from;
    case VM_REDUCE_INC:
        return to >= from ? 0 : to + 1;
    case VM_REDUCE_DEC:
        return to == 0 || to > from ? from : to - 1;
    case VM_REDUCE_AND:
        return to & from;
    case VM_REDUCE_OR:
        return to | from;
    default:
        return to ^ from;
    }
}

static uint64_t reduce_integer(enum vm_reduction r, enum vm_type t, uint64_t to, uint64_t from)
{
    if (r != VM_REDUCE_MIN && r != VM_REDUCE_MAX)
        return reduce_bits(r, to, from);
    bool less = t == VM_S32 ? (int32_t)from < (int32_t)to : t == VM_S64 ? (int64_t)from < (int64_t)to : from < to;
    return less == (r == VM_REDUCE_MIN) ? from : to;
}

/* A NaN gives way to a number; -0 is below +0. source: PTX ISA, min and max. */
static float reduce_order(enum vm_reduction r, float to, float from)
{
    if (isnan(to) || isnan(from))
        return isnan(to) ? from : to;
    bool less = from < to || (from == to && signbit(from) && !signbit(to));
    return less == (r == VM_REDUCE_MIN) ? from : to;
}

static float flush(float x)
{
    return fpclassify(x) == FP_SUBNORMAL ? copysignf(0, x) : x;
}

/* The canonical NaN of PTX for any. */
static uint32_t add_f32(uint32_t to, uint32_t from)
{
    float sum = flush(flush(f32_from_bits(to)) + flush(f32_from_bits(from)));
    return isnan(sum) ? UINT32_C(0x7fffffff) : f32_bits(sum);
}

/* A sum in binary32 first: 24 bits are at least 2 x 11 + 2, so its rounding does not change the one that follows. */
static uint16_t reduce_half(enum vm_reduction r, enum vm_type t, uint16_t to, uint16_t from)
{
    bool f16 = t == VM_F16;
    float a = f16 ? f16_decode((struct f16){to}) : bf16_decode((struct bf16){to});
    float b = f16 ? f16_decode((struct f16){from}) : bf16_decode((struct bf16){from});
    float c = r == VM_REDUCE_ADD ? a + b : reduce_order(r, a, b);
    return f16 ? f16_encode(c).bits : bf16_encode(c).bits;
}

static uint64_t reduce_one(enum vm_reduction r, enum vm_type t, uint64_t to, uint64_t from)
{
    double a, b;
    switch (t) {
    case VM_F16:
    case VM_BF16:
        return reduce_half(r, t, (uint16_t)to, (uint16_t)from);
    case VM_F32:
        return add_f32((uint32_t)to, (uint32_t)from);
    case VM_F64:
        memcpy(&a, &to, sizeof a);
        memcpy(&b, &from, sizeof b);
        a += b;
        memcpy(&to, &a, sizeof to);
        return isnan(a) ? UINT64_C(0x7fffffffffffffff) : to;
    default:
        return reduce_integer(r, t, to, from);
    }
}

void vm_reduce(enum vm_reduction r, enum vm_type t, uint8_t *to, const uint8_t *from, size_t bytes)
{
    size_t size = vm_type_bits(t) / 8;
    for (size_t at = 0; at < bytes; at += size) {
        uint64_t a = 0, b = 0;
        memcpy(&a, to + at, size);
        memcpy(&b, from + at, size);
        a = reduce_one(r, t, a, b);
        memcpy(to + at, &a, size);
    }
}
