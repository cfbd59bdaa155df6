/* Moves: mov with its vectors and symbols, and what turns addresses of one space into those of another.
 * source: PTX ISA 9.0, "Data Movement and Conversion Instructions": mov, cvta, isspacep, mapa, getctarank,
 * createpolicy. */
#include "reference/ptx/ops/lanes.h"
#include "reference/ptx/ops/operand.h"
#include "reference/ptx/warp.h"

static const struct vm_operand *argument(const struct vm_warp *w, const struct vm_instruction *i, uint32_t n)
{
    return vm_argument(vm_warp_program(w), i, n);
}

static enum vm_step run_mov(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t room[VM_LANES];
    vm_write_operand(w, argument(w, i, 0), vm_read_operand(w, argument(w, i, 1), room), lanes);
    return VM_NEXT;
}

static enum vm_step run_mov_pred(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t room[VM_LANES], value[VM_LANES];
    const uint64_t *from = vm_read_operand(w, argument(w, i, 1), room);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        value[lane] = from[lane] != 0;
    vm_write_operand(w, argument(w, i, 0), value, lanes);
    return VM_NEXT;
}

/* {a, b, ...} into one register: a is the least significant.
 *
 *     mov.b32 d, {a, b}      31        16 15         0
 *                                   b          a                                                                  */
static enum vm_step run_pack(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    uint64_t sum[VM_LANES] = {0}, room[VM_LANES];
    uint32_t count;
    const struct vm_operand *element = vm_operand_elements(p, argument(w, i, 1), &count);
    unsigned bits = vm_type_bits(i->type) / count;
    for (uint32_t n = 0; n < count; n++) {
        const uint64_t *from = vm_read_operand(w, &element[n], room);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            sum[lane] |= (from[lane] & lanes_mask(bits)) << (n * bits);
    }
    vm_write_operand(w, argument(w, i, 0), sum, lanes);
    return VM_NEXT;
}

static enum vm_step run_unpack(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    uint64_t part[VM_LANES], room[VM_LANES];
    uint32_t count;
    const struct vm_operand *element = vm_operand_elements(p, argument(w, i, 0), &count);
    unsigned bits = vm_type_bits(i->type) / count;
    /* No element has the width of the register that is taken apart, so that none is it. */
    const uint64_t *from = vm_read_operand(w, argument(w, i, 1), room);
    for (uint32_t n = 0; n < count; n++) {
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            part[lane] = from[lane] >> (n * bits) & lanes_mask(bits);
        vm_write_operand(w, &element[n], part, lanes);
    }
    return VM_NEXT;
}

/* May {a, b, ...} stand for a value of the type? 2 or 4 elements of a quarter or half of its bits. */
static bool vector_fits(const struct vm_program *p, const struct vm_operand *o, enum vm_type type, bool target)
{
    unsigned bits = vm_type_bits(type);
    uint32_t count;
    const struct vm_operand *element = vm_operand_elements(p, o, &count);
    if (vm_type_signed(type) || (count != 2 && count != 4) || bits / count < 8)
        return false;
    for (uint32_t n = 0; n < count; n++)
        if (!(target ? vm_is_target(&element[n], bits / count) : vm_is_source(&element[n], bits / count)))
            return false;
    return true;
}

/* The address of a variable fits where its space has addresses of that size: 32 bits do for all but global memory. */
static bool symbol_fits(const struct vm_operand *o, unsigned bits)
{
    return bits == 64 || (bits == 32 && o->space != VM_GLOBAL && o->space != VM_CONST);
}

static const char *prepare_mov(const struct vm_program *p, struct vm_instruction *i)
{
    i->type = vm_take_type(i);
    unsigned bits = vm_type_bits(i->type);
    if (vm_words_left(i) || (i->type != VM_PRED && bits != 16 && bits != 32 && bits != 64))
        return vm_why_words;
    if (i->operands != 2)
        return vm_why_operands;
    const struct vm_operand *to = vm_argument(p, i, 0), *from = vm_argument(p, i, 1);
    if (to->kind == VM_VECTOR) {
        i->run = run_unpack;
        return vector_fits(p, to, i->type, true) && vm_is_source(from, bits) ? NULL : vm_why_operands;
    }
    if (!vm_is_target(to, bits))
        return vm_why_operands;
    if (from->kind == VM_FUNCTION || from->kind == VM_LABEL)
        return "the address of a function";
    if (from->kind == VM_VECTOR) {
        i->run = run_pack;
        return vector_fits(p, from, i->type, false) ? NULL : vm_why_operands;
    }
    i->run = i->type == VM_PRED ? run_mov_pred : run_mov;
    return vm_is_source(from, bits) || (from->kind == VM_SYMBOL && symbol_fits(from, bits)) ? NULL : vm_why_operands;
}

/* Where the generic addresses of a space begin. */
static uint64_t window(enum vm_space space)
{
    static const uint64_t begin[VM_SPACES] = {
        [VM_SHARED] = VM_SHARED_WINDOW, [VM_LOCAL] = VM_LOCAL_WINDOW, [VM_PARAM] = VM_PARAM_WINDOW};
    return begin[space];
}

static enum vm_step run_cvta(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t room[VM_LANES], value[VM_LANES];
    const uint64_t *from = vm_read_operand(w, argument(w, i, 1), room);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        value[lane] = from[lane] + i->extra[0];
    vm_write_operand(w, argument(w, i, 0), value, lanes);
    return VM_NEXT;
}

/* What becomes of a generic address outside the space's window is left open by PTX, and noted. A space without a window
 * of its own (global) takes every address as it is. */
static enum vm_step run_cvta_to(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t room[VM_LANES], value[VM_LANES], plain;
    enum vm_space space = (enum vm_space)i->extra[1];
    const uint64_t *from = vm_read_operand(w, argument(w, i, 1), room);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        value[lane] = from[lane] - i->extra[0];
        if (lanes >> lane & 1 && i->extra[0] != 0 && vm_address_space(from[lane], &plain) != space)
            vm_hazard(w, i, "An address converted to a space that it is not in", "generic address 0x%llx, lane %u",
                      (unsigned long long)from[lane], lane);
    }
    vm_write_operand(w, argument(w, i, 0), value, lanes);
    return VM_NEXT;
}

static const char *prepare_cvta(const struct vm_program *p, struct vm_instruction *i)
{
    bool to = vm_take(i, "to");
    enum vm_space space = VM_GENERIC;
    if (!vm_take_space(i, &space) || !vm_take(i, "u64") || vm_words_left(i))
        return vm_why_words;
    i->type = VM_U64;
    if (i->operands != 2 || !vm_is_target(vm_argument(p, i, 0), 64))
        return vm_why_operands;
    const struct vm_operand *from = vm_argument(p, i, 1);
    bool symbol = from->kind == VM_SYMBOL && !to && from->space == space;
    if (!symbol && !vm_is_source(from, 64))
        return vm_why_operands;
    i->run = to ? run_cvta_to : run_cvta;
    i->extra[0] = window(space);
    i->extra[1] = (uint64_t)space;
    return NULL;
}

/* The window of .param is contained in that of .global. */
static bool is_in_space(const struct vm_warp *w, uint64_t generic, enum vm_space wanted, bool own_block)
{
    uint64_t plain;
    enum vm_space space = vm_address_space(generic, &plain);
    if (wanted == VM_GLOBAL && space == VM_PARAM)
        return true;
    return space == wanted && (!own_block || plain >> VM_RANK_SHIFT == w->block->rank);
}

static enum vm_step run_isspacep(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t room[VM_LANES], value[VM_LANES];
    const uint64_t *from = vm_read_operand(w, argument(w, i, 1), room);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        value[lane] = is_in_space(w, from[lane], (enum vm_space)i->extra[0], i->extra[1] != 0);
    vm_write_operand(w, argument(w, i, 0), value, lanes);
    return VM_NEXT;
}

static const char *prepare_isspacep(const struct vm_program *p, struct vm_instruction *i)
{
    enum vm_space space = VM_GENERIC;
    bool cluster = vm_take(i, "shared::cluster");
    if (cluster)
        space = VM_SHARED;
    else
        vm_take_space(i, &space);
    /* Constants lie among the global variables: which is which does not show in an address. */
    if (space == VM_GENERIC || space == VM_CONST || vm_words_left(i))
        return vm_why_words;
    i->type = VM_U64;
    if (i->operands != 2 || !vm_is_target(vm_argument(p, i, 0), 1) || !vm_is_source(vm_argument(p, i, 1), 64))
        return vm_why_operands;
    i->run = run_isspacep;
    i->extra[0] = (uint64_t)space;
    i->extra[1] = space == VM_SHARED && !cluster;
    return NULL;
}

/* The shared address behind a generic or shared one. What lies elsewhere is left open by PTX, and noted. */
static uint64_t shared_address(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, uint64_t address)
{
    uint64_t shared = address;
    if (i->extra[0] == VM_GENERIC && vm_address_space(address, &shared) != VM_SHARED)
        vm_hazard(w, i, "An address of no shared memory asked for its block", "generic address 0x%llx, lane %u",
                  (unsigned long long)address, lane);
    return shared;
}

static enum vm_step run_mapa(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t room[VM_LANES], rank_room[VM_LANES], value[VM_LANES] = {0};
    const uint64_t *from = vm_read_operand(w, argument(w, i, 1), room);
    const uint64_t *rank = vm_read_operand(w, argument(w, i, 2), rank_room);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        if (!(lanes >> lane & 1))
            continue;
        uint32_t to = (uint32_t)rank[lane];
        if (to >= w->block->cluster->blocks)
            vm_hazard(w, i, "An address mapped to a block that is not in the cluster", "block %u of %u, lane %u", to,
                      w->block->cluster->blocks, lane);
        uint64_t offset = shared_address(w, i, lane, from[lane]) & lanes_mask(VM_RANK_SHIFT);
        value[lane] = i->extra[1] + (offset | (uint64_t)(to & lanes_mask(8)) << VM_RANK_SHIFT);
    }
    vm_write_operand(w, argument(w, i, 0), value, lanes);
    return VM_NEXT;
}

static enum vm_step run_getctarank(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t room[VM_LANES], value[VM_LANES] = {0};
    const uint64_t *from = vm_read_operand(w, argument(w, i, 1), room);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (lanes >> lane & 1)
            value[lane] = shared_address(w, i, lane, from[lane]) >> VM_RANK_SHIFT;
    vm_write_operand(w, argument(w, i, 0), value, lanes);
    return VM_NEXT;
}

/* What mapa and getctarank have in common: the words, and an address of a block of the cluster as operand 1.
 * extra[0]: the space of addresses; extra[1]: where its generic addresses begin. */
static const char *prepare_cluster_address(const struct vm_program *p, struct vm_instruction *i)
{
    bool shared = vm_take(i, "shared::cluster");
    i->type = vm_take_type(i);
    /* A generic address has 64 bits. */
    if ((i->type != VM_U64 && (i->type != VM_U32 || !shared)) || vm_words_left(i))
        return vm_why_words;
    i->extra[0] = (uint64_t)(shared ? VM_SHARED : VM_GENERIC);
    i->extra[1] = shared ? 0 : VM_SHARED_WINDOW;
    if (i->operands < 2)
        return vm_why_operands;
    const struct vm_operand *from = vm_argument(p, i, 1);
    bool symbol = shared && from->kind == VM_SYMBOL && from->space == VM_SHARED;
    return symbol || vm_is_source(from, vm_type_bits(i->type)) ? NULL : vm_why_operands;
}

static const char *prepare_mapa(const struct vm_program *p, struct vm_instruction *i)
{
    const char *why = prepare_cluster_address(p, i);
    if (why)
        return why;
    i->run = run_mapa;
    return i->operands == 3 && vm_is_target(vm_argument(p, i, 0), vm_type_bits(i->type)) &&
                   vm_is_source(vm_argument(p, i, 2), 32)
               ? NULL
               : vm_why_operands;
}

static const char *prepare_getctarank(const struct vm_program *p, struct vm_instruction *i)
{
    const char *why = prepare_cluster_address(p, i);
    if (why)
        return why;
    i->run = run_getctarank;
    return i->operands == 2 && vm_is_target(vm_argument(p, i, 0), 32) ? NULL : vm_why_operands;
}

/* There are no caches here: a policy is a number that nobody looks at. */
static enum vm_step run_createpolicy(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    static const uint64_t none[VM_LANES];
    vm_write_operand(w, argument(w, i, 0), none, lanes);
    return VM_NEXT;
}

static const char *prepare_createpolicy(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const kinds[] = {"fractional", "range", "cvt", NULL};
    static const char *const priorities[] = {
        "L2", "L2::evict_last", "L2::evict_normal", "L2::evict_first", "L2::evict_unchanged", NULL};
    int kind = vm_take_of(i, kinds);
    if (kind < 0 || vm_take_of(i, priorities) < 0)
        return vm_why_words;
    vm_take_of(i, priorities);
    vm_take(i, "global");
    if (!vm_take(i, "b64") || vm_words_left(i))
        return vm_why_words;
    i->type = kind == 0 ? VM_F32 : VM_B64; /* of the fraction, of the sizes */
    i->run = run_createpolicy;
    return i->operands >= 1 && vm_is_target(vm_argument(p, i, 0), 64) ? NULL : vm_why_operands;
}

const struct vm_op vm_ops_move[] = {
    {"mov", prepare_mov},
    {"cvta", prepare_cvta},
    {"isspacep", prepare_isspacep},
    {"mapa", prepare_mapa},
    {"getctarank", prepare_getctarank},
    {"createpolicy", prepare_createpolicy},
    {NULL, NULL},
};
