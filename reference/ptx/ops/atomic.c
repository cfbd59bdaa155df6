/* Atomics: atom gives what was there, red does not.
 *
 * The lanes of a step follow one another, the lowest first. Clusters run beside each other, so that global memory is
 * locked for the step.
 * source: PTX ISA 9.0, "Parallel Synchronization and Communication Instructions": atom, red. */
#include <string.h>

#include "reference/number.h"
#include "reference/ptx/hooks.h"
#include "reference/ptx/ops/bytes.h"
#include "reference/ptx/ops/operand.h"
#include "reference/ptx/reduce.h"

/* The NaN that Hopper's adders give. */
#define F32_NAN UINT64_C(0x7fffffff)

enum { SPACE, OPERATION, OWN_BLOCK }; /* of extra */

/* exch and cas know no arithmetic; the rest is what bulk reductions do, too. */
enum act { ACT_EXCHANGE, ACT_COMPARE, ACT_REDUCE };
static const struct operation {
    const char *word;
    enum act act;
    enum vm_reduction reduction;
} operations[] = {
    {"add", ACT_REDUCE, VM_REDUCE_ADD},   {"min", ACT_REDUCE, VM_REDUCE_MIN}, {"max", ACT_REDUCE, VM_REDUCE_MAX},
    {"and", ACT_REDUCE, VM_REDUCE_AND},   {"or", ACT_REDUCE, VM_REDUCE_OR},   {"xor", ACT_REDUCE, VM_REDUCE_XOR},
    {"inc", ACT_REDUCE, VM_REDUCE_INC},   {"dec", ACT_REDUCE, VM_REDUCE_DEC}, {"exch", ACT_EXCHANGE, VM_REDUCE_NONE},
    {"cas", ACT_COMPARE, VM_REDUCE_NONE},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

/* On shared memory, subnormal numbers stay what they are. */
static void add_f32_shared(uint8_t *at, uint64_t b)
{
    float sum = f32_from_bits((uint32_t)vm_bytes_read(at, 4)) + f32_from_bits((uint32_t)b);
    vm_bytes_write(at, 4, sum != sum ? F32_NAN : f32_bits(sum));
}

static void replace(const struct vm_instruction *i, enum vm_space space, uint8_t *at, uint64_t b, uint64_t c)
{
    const struct operation *o = &operations[i->extra[OPERATION]];
    const unsigned bytes = vm_type_bits(i->type) / 8;
    uint8_t operand[sizeof b];
    vm_bytes_write(operand, bytes, b);
    if (o->act == ACT_EXCHANGE || (o->act == ACT_COMPARE && memcmp(at, operand, bytes) == 0))
        vm_bytes_write(at, bytes, o->act == ACT_COMPARE ? c : b);
    else if (o->act == ACT_REDUCE && i->type == VM_F32 && space == VM_SHARED)
        add_f32_shared(at, b);
    else if (o->act == ACT_REDUCE)
        vm_reduce(o->reduction, vm_type_part(i->type), at, operand, bytes);
}

/* One lane. *old: what was there. returns false after vm_fault. */
static bool change(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, uint64_t address, uint64_t b,
                   uint64_t c, uint64_t *old)
{
    unsigned bytes = vm_type_bits(i->type) / 8;
    enum vm_space space = (enum vm_space)i->extra[SPACE];
    uint64_t plain;
    uint8_t *at = vm_memory_at(w, i, lane, space, address, bytes, true);
    if (!at)
        return false;
    if (space == VM_GENERIC)
        space = vm_address_space(address, &plain);
    if (space != VM_SHARED && space != VM_GLOBAL) {
        vm_fault(w, i, STATUS_SUBJECT, "lane %u: atomics reach shared and global memory only, and 0x%llx is neither",
                 lane, (unsigned long long)address);
        return false;
    }
    *old = vm_bytes_read(at, bytes);
    replace(i, space, at, b, c);
    return true;
}

/* target: NULL for red; argument: of the address. */
static enum vm_step run(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes,
                        const struct vm_operand *target, uint32_t argument)
{
    const struct vm_program *p = vm_warp_program(w);
    uint64_t address[VM_LANES], b_room[VM_LANES], c_room[VM_LANES], old[VM_LANES] = {0};
    bool of_three = operations[i->extra[OPERATION]].act == ACT_COMPARE;
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
    const struct operation *o = operations;
    while (o < operations + OPERATIONS && !vm_take(i, o->word))
        o++;
    bool noftz = vm_take(i, "noftz");
    i->type = vm_take_type(i);
    enum vm_type part = vm_type_part(i->type);
    bool half = part == VM_F16 || part == VM_BF16, bits = i->type == VM_B32 || i->type == VM_B64;
    if (o == operations + OPERATIONS || noftz != half)
        return NULL;
    bool known = o->act == ACT_REDUCE ? vm_reduce_known(o->reduction, part) && (!half || o->reduction == VM_REDUCE_ADD)
                 : o->act == ACT_EXCHANGE ? bits
                                          : bits || i->type == VM_B16;
    return known ? o : NULL;
}

static const char *prepare(const struct vm_program *p, struct vm_instruction *i, uint32_t argument)
{
    enum vm_space space = VM_GENERIC;
    i->extra[OWN_BLOCK] = vm_names_own_block(i);
    vm_take_space(i, &space);
    vm_take_hints(i);
    uint32_t policy = vm_take_policy(i);
    const struct operation *o = take_operation(i);
    bool cas = o && o->act == ACT_COMPARE, exch = o && o->act == ACT_EXCHANGE;
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
