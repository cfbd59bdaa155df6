#include "reference/ptx/ops.h"

#include <string.h>

const char vm_op_other[] = "of another family";

static const struct vm_op *const families[] = {
    vm_ops_integer,     vm_ops_logic,        vm_ops_float,        vm_ops_half,   vm_ops_convert, vm_ops_compare,
    vm_ops_move,        vm_ops_memory,       vm_ops_matrix,       vm_ops_warp,   vm_ops_control, vm_ops_barrier,
    vm_ops_mbarrier,    vm_ops_copy,         vm_ops_bulk,         vm_ops_mma,    vm_ops_wgmma,   vm_ops_integer_carry,
    vm_ops_logic_field, vm_ops_float_approx, vm_ops_convert_pack, vm_ops_atomic,
};
enum { FAMILIES = sizeof families / sizeof *families };

static bool begins_with(const char *opcode, const char *name, size_t length)
{
    return strncmp(opcode, name, length) == 0 && (opcode[length] == '.' || opcode[length] == '\0');
}

const struct vm_op *vm_op_find(const char *opcode, size_t *name_length)
{
    const struct vm_op *best = NULL;
    *name_length = 0;
    for (size_t f = 0; f < FAMILIES; f++)
        for (const struct vm_op *op = families[f]; op->name; op++) {
            size_t length = strlen(op->name);
            if (length > *name_length && begins_with(opcode, op->name, length)) {
                best = op;
                *name_length = length;
            }
        }
    return best;
}

const struct vm_op *vm_op_next(const struct vm_op *after)
{
    const char *name = after->name;
    bool seen = false;
    for (size_t f = 0; f < FAMILIES; f++)
        for (const struct vm_op *op = families[f]; op->name; op++) {
            if (seen && strcmp(op->name, name) == 0)
                return op;
            seen = seen || op == after;
        }
    return NULL;
}

static bool is_left(const struct vm_instruction *i, uint32_t n)
{
    return (i->words_used >> n & 1) == 0;
}

bool vm_take(struct vm_instruction *i, const char *word)
{
    for (uint32_t n = 0; n < i->words; n++)
        if (is_left(i, n) && strcmp(i->word[n], word) == 0) {
            i->words_used |= UINT32_C(1) << n;
            return true;
        }
    return false;
}

enum vm_type vm_take_type(struct vm_instruction *i)
{
    for (uint32_t n = 0; n < i->words; n++) {
        enum vm_type t = is_left(i, n) ? vm_type_find(i->word[n]) : VM_UNTYPED;
        if (t != VM_UNTYPED) {
            i->words_used |= UINT32_C(1) << n;
            return t;
        }
    }
    return VM_UNTYPED;
}

bool vm_take_space(struct vm_instruction *i, enum vm_space *space)
{
    static const struct {
        const char *word;
        enum vm_space space;
    } spaces[] = {
        {"global", VM_GLOBAL},          {"shared", VM_SHARED},     {"shared::cta", VM_SHARED},
        {"shared::cluster", VM_SHARED}, {"local", VM_LOCAL},       {"param", VM_PARAM},
        {"param::entry", VM_PARAM},     {"param::func", VM_PARAM}, {"const", VM_CONST},
    };
    for (size_t s = 0; s < sizeof spaces / sizeof *spaces; s++)
        if (vm_take(i, spaces[s].word)) {
            *space = spaces[s].space;
            return true;
        }
    return false;
}

int vm_take_of(struct vm_instruction *i, const char *const *words)
{
    for (int n = 0; words[n]; n++)
        if (vm_take(i, words[n]))
            return n;
    return -1;
}

void vm_take_hints(struct vm_instruction *i)
{
    static const char *const hints[] = {
        "weak",
        "relaxed",
        "acquire",
        "release",
        "acq_rel",
        "sc",
        "volatile",
        "mmio",
        "cta",
        "cluster",
        "gpu",
        "sys",
        "ca",
        "cg",
        "cs",
        "cv",
        "lu",
        "wb",
        "wt",
        "nc",
        "L2::64B",
        "L2::128B",
        "L2::256B",
        "L1::evict_normal",
        "L1::evict_unchanged",
        "L1::evict_first",
        "L1::evict_last",
        "L1::no_allocate",
        "L2::evict_normal",
        "L2::evict_first",
        "L2::evict_last",
        "aligned",
        "sync",
        NULL,
    };
    for (int n = 0; hints[n]; n++)
        vm_take(i, hints[n]);
}

bool vm_words_left(const struct vm_instruction *i)
{
    for (uint32_t n = 0; n < i->words; n++)
        if (is_left(i, n))
            return true;
    return false;
}
