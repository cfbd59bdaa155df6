/* Atomics: atom gives what was there, red does not.
 *
 * The lanes of a step follow one another, the lowest first. Clusters run beside each other, so that global memory is
 * locked for the step.
 * source: PTX ISA 9.0, "Parallel Synchronization and Communication Instructions": atom, red. */
#include "reference/number.h"
#include "reference/ptx/hooks.h"
#include "reference/ptx/ops/bytes.h"
#include "reference/ptx/ops/operand.h"

enum { SPACE, OPERATION, OWN_BLOCK }; /* of extra */

/* What replaces `old`. All are cut to the type's width, and two's complement in 64 bits where it is signed. */
typedef uint64_t combine(uint64_t old, uint64_t b, uint64_t c);

static uint64_t combine_add(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return old + b;
}

static uint64_t combine_and(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return old & b;
}

static uint64_t combine_or(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return old | b;
}

static uint64_t combine_xor(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return old ^ b;
}

static uint64_t combine_exch(uint64_t old, uint64_t b, uint64_t c)
{
    (void)old, (void)c;
    return b;
}

static uint64_t combine_cas(uint64_t old, uint64_t b, uint64_t c)
{
    return old == b ? c : old;
}

static uint64_t combine_inc(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return old >= b ? 0 : old + 1;
}

static uint64_t combine_dec(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return old == 0 || old > b ? b : old - 1;
}

static uint64_t combine_min_unsigned(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return old < b ? old : b;
}

static uint64_t combine_max_unsigned(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return old > b ? old : b;
}

static uint64_t combine_min_signed(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return (int64_t)old < (int64_t)b ? old : b;
}

static uint64_t combine_max_signed(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return (int64_t)old > (int64_t)b ? old : b;
}

/* The NaN that Hopper's adders give. */
#define F32_NAN UINT64_C(0x7fffffff)

static uint64_t combine_add_f32(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    float sum = f32_from_bits((uint32_t)old) + f32_from_bits((uint32_t)b);
    return sum != sum ? F32_NAN : f32_bits(sum);
}

static uint64_t flush(uint64_t f32)
{
    return (f32 & UINT64_C(0x7f800000)) == 0 ? f32 & UINT64_C(0x80000000) : f32;
}

/* On global memory subnormal numbers are zeros with their sign, before and after. */
static uint64_t combine_add_f32_global(uint64_t old, uint64_t b, uint64_t c)
{
    return flush(combine_add_f32(flush(old), flush(b), c));
}

static uint64_t combine_add_f64(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    double x, y;
    memcpy(&x, &old, sizeof x);
    memcpy(&y, &b, sizeof y);
    x += y;
    memcpy(&old, &x, sizeof old);
    return x != x ? UINT64_C(0x7fffffffffffffff) : old;
}

/* Rounded to binary32 and then to the half: its 24 bits are at least twice 11 (or 8) and two more, so that the sum of
 * two halves comes out as if rounded once. */
static uint64_t combine_add_f16(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return f16_encode(f16_decode((struct f16){(uint16_t)old}) + f16_decode((struct f16){(uint16_t)b})).bits;
}

static uint64_t combine_add_bf16(uint64_t old, uint64_t b, uint64_t c)
{
    (void)c;
    return bf16_encode(bf16_decode((struct bf16){(uint16_t)old}) + bf16_decode((struct bf16){(uint16_t)b})).bits;
}

static uint64_t combine_add_f16x2(uint64_t old, uint64_t b, uint64_t c)
{
    return combine_add_f16(old >> 16, b >> 16, c) << 16 | combine_add_f16(old, b, c);
}

static uint64_t combine_add_bf16x2(uint64_t old, uint64_t b, uint64_t c)
{
    return combine_add_bf16(old >> 16, b >> 16, c) << 16 | combine_add_bf16(old, b, c);
}

static const struct operation {
    const char *word;
    enum vm_type type;
    combine *combine;
} operations[] = {
    {"add", VM_U32, combine_add},
    {"add", VM_S32, combine_add},
    {"add", VM_U64, combine_add},
    {"add", VM_F32, combine_add_f32},
    {"add", VM_F64, combine_add_f64},
    {"add", VM_F16, combine_add_f16},
    {"add", VM_BF16, combine_add_bf16},
    {"add", VM_F16X2, combine_add_f16x2},
    {"add", VM_BF16X2, combine_add_bf16x2},
    {"min", VM_U32, combine_min_unsigned},
    {"min", VM_U64, combine_min_unsigned},
    {"min", VM_S32, combine_min_signed},
    {"min", VM_S64, combine_min_signed},
    {"max", VM_U32, combine_max_unsigned},
    {"max", VM_U64, combine_max_unsigned},
    {"max", VM_S32, combine_max_signed},
    {"max", VM_S64, combine_max_signed},
    {"and", VM_B32, combine_and},
    {"and", VM_B64, combine_and},
    {"or", VM_B32, combine_or},
    {"or", VM_B64, combine_or},
    {"xor", VM_B32, combine_xor},
    {"xor", VM_B64, combine_xor},
    {"inc", VM_U32, combine_inc},
    {"dec", VM_U32, combine_dec},
    {"exch", VM_B32, combine_exch},
    {"exch", VM_B64, combine_exch},
    {"cas", VM_B16, combine_cas},
    {"cas", VM_B32, combine_cas},
    {"cas", VM_B64, combine_cas},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static uint64_t cut(uint64_t value, unsigned bits)
{
    return bits == 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

/* One lane. *old: what was there. returns false after vm_fault. */
static bool change(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, uint64_t address, uint64_t b,
                   uint64_t c, uint64_t *old)
{
    const struct operation *o = &operations[i->extra[OPERATION]];
    unsigned bits = vm_type_bits(o->type);
    enum vm_space space = (enum vm_space)i->extra[SPACE];
    uint64_t plain;
    uint8_t *at = vm_memory_at(w, i, lane, space, address, bits / 8, true);
    if (!at)
        return false;
    if (space == VM_GENERIC)
        space = vm_address_space(address, &plain);
    if (space != VM_SHARED && space != VM_GLOBAL) {
        vm_fault(w, i, STATUS_SUBJECT, "lane %u: atomics reach shared and global memory only, and 0x%llx is neither",
                 lane, (unsigned long long)address);
        return false;
    }
    combine *f = o->combine == combine_add_f32 && space == VM_GLOBAL ? combine_add_f32_global : o->combine;
    *old = vm_bytes_read(at, bits / 8);
    uint64_t from = *old;
    b = cut(b, bits);
    c = cut(c, bits);
    if (vm_type_signed(o->type) && !vm_type_float(o->type)) {
        from = vm_sign_extend(from, bits);
        b = vm_sign_extend(b, bits);
    }
    vm_bytes_write(at, bits / 8, f(from, b, c));
    return true;
}

/* target: NULL for red; argument: of the address. */
static enum vm_step run(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes,
                        const struct vm_operand *target, uint32_t argument)
{
    const struct vm_program *p = vm_warp_program(w);
    uint64_t address[VM_LANES], b_room[VM_LANES], c_room[VM_LANES], old[VM_LANES] = {0};
    bool of_three = operations[i->extra[OPERATION]].combine == combine_cas;
    const uint64_t *b = vm_read_operand(w, vm_argument(p, i, argument + 1), b_room);
    const uint64_t *c = of_three ? vm_read_operand(w, vm_argument(p, i, argument + 2), c_room) : b;
    vm_read_addresses(w, vm_argument(p, i, argument), address);
    vm_check_own_block(w, i, lanes, address, i->extra[OWN_BLOCK] != 0);
    bool locked = i->extra[SPACE] != VM_SHARED, well = true;
    if (locked)
        vm_global_lock(w->block->vm);
    for (unsigned lane = 0; well && lane < VM_LANES; lane++)
        if (lanes >> lane & 1)
            well = change(w, i, lane, address[lane], b[lane], c[lane], &old[lane]);
    if (locked)
        vm_global_unlock(w->block->vm);
    if (well && target)
        vm_write_operand(w, target, old, lanes);
    return well ? VM_NEXT : VM_FAULT;
}

static enum vm_step run_atom(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    return run(w, i, lanes, vm_argument(vm_warp_program(w), i, 0), 1);
}

static enum vm_step run_red(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    return run(w, i, lanes, NULL, 0);
}

/* Choose the operation by its word and type. returns NULL for none. */
static const struct operation *take_operation(struct vm_instruction *i)
{
    static const char *const words[] = {"add", "min", "max", "and", "or", "xor", "inc", "dec", "exch", "cas", NULL};
    int word = vm_take_of(i, words);
    bool noftz = vm_take(i, "noftz");
    i->type = vm_take_type(i);
    bool half = i->type == VM_F16 || i->type == VM_BF16 || i->type == VM_F16X2 || i->type == VM_BF16X2;
    for (size_t n = 0; word >= 0 && noftz == half && n < OPERATIONS; n++)
        if (operations[n].type == i->type && strcmp(operations[n].word, words[word]) == 0)
            return &operations[n];
    return NULL;
}

static const char *prepare(const struct vm_program *p, struct vm_instruction *i, uint32_t argument)
{
    enum vm_space space = VM_GENERIC;
    i->extra[OWN_BLOCK] = vm_names_own_block(i);
    vm_take_space(i, &space);
    vm_take_hints(i);
    uint32_t policy = vm_take_policy(i);
    const struct operation *o = take_operation(i);
    bool cas = o && o->combine == combine_cas, exch = o && o->combine == combine_exch;
    if (!o || vm_words_left(i) || (argument == 0 && (cas || exch)))
        return vm_why_words;
    i->extra[OPERATION] = (uint64_t)(o - operations);
    if (i->operands != argument + 2 + cas + policy || !vm_policy_fits(p, i, policy) ||
        !vm_address_operand(vm_argument(p, i, argument), &space))
        return vm_why_operands;
    if (space != VM_GENERIC && space != VM_GLOBAL && space != VM_SHARED)
        return "atomics on memory that is neither global nor shared";
    i->extra[SPACE] = (uint64_t)space;
    unsigned bits = vm_type_bits(i->type);
    for (uint32_t n = 1; n <= 1u + cas; n++)
        if (!vm_is_source(vm_argument(p, i, argument + n), bits))
            return vm_why_operands;
    return argument == 0 || vm_is_target(vm_argument(p, i, 0), bits) ? NULL : vm_why_operands;
}

static const char *prepare_atom(const struct vm_program *p, struct vm_instruction *i)
{
    i->run = run_atom;
    return prepare(p, i, 1);
}

static const char *prepare_red(const struct vm_program *p, struct vm_instruction *i)
{
    i->run = run_red;
    return prepare(p, i, 0);
}

const struct vm_op vm_ops_atomic[] = {{"atom", prepare_atom}, {"red", prepare_red}, {NULL, NULL}};
