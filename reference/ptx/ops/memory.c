/* Loads, stores, and what only speaks of caches and order.
 *
 * A step of a load or store is done lane after lane, so that of two lanes that store to one place the higher one wins;
 * words for order and scope need nothing more than the fence that keeps the host's own processor in order, since what a
 * warp does is done in program order.
 * source: PTX ISA 9.0, "Data Movement and Conversion Instructions": ld, ld.global.nc, ldu, st, prefetch, prefetchu,
 * applypriority, discard; "Parallel Synchronization and Communication Instructions": membar, fence. */
#include <stdatomic.h>

#include "reference/ptx/ops/bytes.h"
#include "reference/ptx/ops/operand.h"
#include "reference/ptx/warp.h"

enum { SPACE, ORDERED, OWN_BLOCK }; /* of extra */
enum { MOST_ELEMENTS = 8, MOST_BYTES = 32 };

static void keep_order(const struct vm_instruction *i)
{
    if (i->extra[ORDERED])
        atomic_thread_fence(memory_order_seq_cst);
}

static enum vm_step run_load(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    uint64_t address[VM_LANES], value[MOST_ELEMENTS][VM_LANES] = {{0}};
    uint32_t count;
    const struct vm_operand *element = vm_operand_elements(p, vm_argument(p, i, 0), &count);
    unsigned bits = vm_type_bits(i->type);
    bool is_signed = vm_type_signed(i->type);
    enum vm_space space = (enum vm_space)i->extra[SPACE];
    vm_read_addresses(w, vm_argument(p, i, 1), address);
    vm_check_own_block(w, i, lanes, address, i->extra[OWN_BLOCK]);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        if (!(lanes >> lane & 1))
            continue;
        const uint8_t *at = vm_memory_at(w, i, lane, space, address[lane], count * bits / 8, false);
        if (!at)
            return VM_FAULT;
        for (uint32_t n = 0; n < count; n++) {
            uint64_t got = vm_bytes_read(at + n * bits / 8, bits / 8);
            value[n][lane] = is_signed ? vm_sign_extend(got, bits) : got;
        }
    }
    keep_order(i);
    for (uint32_t n = 0; n < count; n++)
        vm_write_operand(w, &element[n], value[n], lanes);
    return VM_NEXT;
}

static enum vm_step run_store(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    uint64_t address[VM_LANES], room[MOST_ELEMENTS][VM_LANES];
    const uint64_t *value[MOST_ELEMENTS];
    uint32_t count;
    const struct vm_operand *element = vm_operand_elements(p, vm_argument(p, i, 1), &count);
    unsigned bits = vm_type_bits(i->type);
    for (uint32_t n = 0; n < count; n++)
        value[n] = vm_read_operand(w, &element[n], room[n]);
    enum vm_space space = (enum vm_space)i->extra[SPACE];
    vm_read_addresses(w, vm_argument(p, i, 0), address);
    vm_check_own_block(w, i, lanes, address, i->extra[OWN_BLOCK]);
    keep_order(i);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        if (!(lanes >> lane & 1))
            continue;
        uint8_t *at = vm_memory_at(w, i, lane, space, address[lane], count * bits / 8, true);
        if (!at)
            return VM_FAULT;
        for (uint32_t n = 0; n < count; n++)
            vm_bytes_write(at + n * bits / 8, bits / 8, value[n][lane]);
    }
    return VM_NEXT;
}

static uint32_t take_vector(struct vm_instruction *i)
{
    static const char *const words[] = {"v2", "v4", "v8", NULL};
    int n = vm_take_of(i, words);
    return n < 0 ? 1 : UINT32_C(2) << n;
}

/* Words that order this access against others; they stay for vm_take_hints. */
static bool is_ordered(const struct vm_instruction *i)
{
    static const char *const words[] = {"relaxed", "acquire", "release", "volatile", "mmio"};
    for (size_t n = 0; n < sizeof words / sizeof *words; n++)
        if (vm_has_word(i, words[n]))
            return true;
    return false;
}

/* Integers may go to and come from registers that are wider than they. */
static bool value_fits(const struct vm_operand *o, unsigned bits, bool exactly, bool target)
{
    if (exactly)
        return target ? vm_is_target(o, bits) : vm_is_source(o, bits);
    return target ? vm_is_wide_target(o, bits) : vm_is_wide_source(o, bits);
}

/* The words and operands of a load (address behind, value first) or store (the other way round). */
static const char *prepare_access(const struct vm_program *p, struct vm_instruction *i, uint32_t value_at)
{
    enum vm_space space = VM_GENERIC;
    i->extra[ORDERED] = is_ordered(i);
    i->extra[OWN_BLOCK] = vm_names_own_block(i);
    vm_take_space(i, &space);
    vm_take_hints(i);
    uint32_t policy = vm_take_policy(i), vector = take_vector(i), count;
    i->type = vm_take_type(i);
    unsigned bits = vm_type_bits(i->type);
    bool is_float = i->type == VM_F32 || i->type == VM_F64;
    if (vm_words_left(i) || vm_type_float(i->type) != is_float || bits < 8 || bits > 64 ||
        vector * bits / 8 > MOST_BYTES)
        return vm_why_words;
    if (i->operands != 2 + policy || !vm_policy_fits(p, i, policy) ||
        !vm_address_operand(vm_argument(p, i, 1 - value_at), &space))
        return vm_why_operands;
    i->extra[SPACE] = (uint64_t)space;
    const struct vm_operand *element = vm_operand_elements(p, vm_argument(p, i, value_at), &count);
    if (count != vector)
        return vm_why_operands;
    for (uint32_t n = 0; n < count; n++)
        if (!value_fits(&element[n], bits, is_float, value_at == 0))
            return vm_why_operands;
    return NULL;
}

static const char *prepare_load(const struct vm_program *p, struct vm_instruction *i)
{
    i->run = run_load;
    return prepare_access(p, i, 0);
}

static const char *prepare_store(const struct vm_program *p, struct vm_instruction *i)
{
    i->run = run_store;
    return prepare_access(p, i, 1);
}

static enum vm_step run_fence(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)w, (void)i, (void)lanes;
    atomic_thread_fence(memory_order_seq_cst);
    return VM_NEXT;
}

/* membar.gl; fence.acq_rel.gpu, fence.sc.cta ... Those of proxies and mbarriers have names of their own (barrier.c). */
static const char *prepare_fence(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    vm_take(i, "gl");
    vm_take_hints(i);
    i->run = run_fence;
    if (vm_words_left(i))
        return vm_why_words;
    return i->operands == 0 ? NULL : vm_why_operands;
}

/* What tells a cache something that it may as well ignore. */
static const char *prepare_cache_hint(const struct vm_program *p, struct vm_instruction *i)
{
    enum vm_space space = VM_GENERIC;
    vm_take_space(i, &space);
    vm_take_hints(i);
    vm_take(i, "tensormap");
    vm_take(i, "L1");
    vm_take(i, "L2");
    i->run = vm_run_nothing;
    if (vm_words_left(i))
        return vm_why_words;
    return i->operands >= 1 && vm_argument(p, i, 0)->kind == VM_ADDRESS ? NULL : vm_why_operands;
}

const struct vm_op vm_ops_memory[] = {
    {"ld", prepare_load},
    {"ldu", prepare_load},
    {"st", prepare_store},
    {"fence", prepare_fence},
    {"membar", prepare_fence},
    {"prefetch", prepare_cache_hint},
    {"prefetchu", prepare_cache_hint},
    {"applypriority", prepare_cache_hint},
    {"discard", prepare_cache_hint},
    {NULL, NULL},
};
