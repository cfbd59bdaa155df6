#include <string.h>

#include "reference/ptx/program.h"

enum { IS_SIGNED = 1, IS_FLOAT = 2 };

static const struct {
    const char *word;
    unsigned bits, flags;
} types[VM_TYPES] = {
    [VM_UNTYPED] = {NULL, 0, 0},
    [VM_PRED] = {"pred", 1, 0},
    [VM_B8] = {"b8", 8, 0},
    [VM_B16] = {"b16", 16, 0},
    [VM_B32] = {"b32", 32, 0},
    [VM_B64] = {"b64", 64, 0},
    [VM_B128] = {"b128", 128, 0},
    [VM_U8] = {"u8", 8, 0},
    [VM_U16] = {"u16", 16, 0},
    [VM_U32] = {"u32", 32, 0},
    [VM_U64] = {"u64", 64, 0},
    [VM_S8] = {"s8", 8, IS_SIGNED},
    [VM_S16] = {"s16", 16, IS_SIGNED},
    [VM_S32] = {"s32", 32, IS_SIGNED},
    [VM_S64] = {"s64", 64, IS_SIGNED},
    [VM_F16] = {"f16", 16, IS_SIGNED | IS_FLOAT},
    [VM_F16X2] = {"f16x2", 32, IS_SIGNED | IS_FLOAT},
    [VM_BF16] = {"bf16", 16, IS_SIGNED | IS_FLOAT},
    [VM_BF16X2] = {"bf16x2", 32, IS_SIGNED | IS_FLOAT},
    [VM_TF32] = {"tf32", 32, IS_SIGNED | IS_FLOAT},
    [VM_F32] = {"f32", 32, IS_SIGNED | IS_FLOAT},
    [VM_F64] = {"f64", 64, IS_SIGNED | IS_FLOAT},
    [VM_E4M3] = {"e4m3", 8, IS_SIGNED | IS_FLOAT},
    [VM_E5M2] = {"e5m2", 8, IS_SIGNED | IS_FLOAT},
    [VM_E4M3X2] = {"e4m3x2", 16, IS_SIGNED | IS_FLOAT},
    [VM_E5M2X2] = {"e5m2x2", 16, IS_SIGNED | IS_FLOAT},
    [VM_E2M1X2] = {"e2m1x2", 8, IS_SIGNED | IS_FLOAT},
    [VM_E3M2X2] = {"e3m2x2", 16, IS_SIGNED | IS_FLOAT},
    [VM_E2M3X2] = {"e2m3x2", 16, IS_SIGNED | IS_FLOAT},
    [VM_UE8M0X2] = {"ue8m0x2", 16, IS_FLOAT},
    [VM_B1] = {"b1", 1, 0},
    [VM_S4] = {"s4", 4, IS_SIGNED},
    [VM_U4] = {"u4", 4, 0},
};

unsigned vm_type_bits(enum vm_type t)
{
    return types[t].bits;
}

bool vm_type_signed(enum vm_type t)
{
    return (types[t].flags & IS_SIGNED) != 0;
}

bool vm_type_float(enum vm_type t)
{
    return (types[t].flags & IS_FLOAT) != 0;
}

enum vm_type vm_type_part(enum vm_type t)
{
    return t == VM_F16X2 ? VM_F16 : t == VM_BF16X2 ? VM_BF16 : t;
}

enum vm_type vm_type_find(const char *word)
{
    for (int t = VM_UNTYPED + 1; t < VM_TYPES; t++)
        if (strcmp(types[t].word, word) == 0)
            return (enum vm_type)t;
    return VM_UNTYPED;
}
