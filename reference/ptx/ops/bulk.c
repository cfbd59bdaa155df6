/* cp.async.bulk, cp.reduce.async.bulk and their tensor forms. source: PTX ISA 9.0, "cp.async.bulk",
 * "cp.reduce.async.bulk", "cp.async.bulk.tensor", "cp.reduce.async.bulk.tensor", "cp.async.bulk.prefetch",
 * "prefetch.tensormap", "cp.async.bulk.commit_group", "cp.async.bulk.wait_group".
 *
 * What completes on an mbarrier comes in any later moment; what completes in a bulk group by its wait. Both waits, for
 * the reads and for all, are waits for all. */
#include "reference/ptx/copies.h"

#include <string.h>

#include "reference/ptx/ops/operand.h"

enum {
    EXTRA_FORM,
    EXTRA_RANK,      /* of a tensor; 0: none */
    EXTRA_OWN,       /* shared::cta as the destination */
    EXTRA_MULTICAST, /* which operand says the blocks; 0: none */
    EXTRA_REDUCTION
};
enum { FORM_LOAD, FORM_STORE, FORM_BETWEEN }; /* shared from global, global from shared, shared from shared */
enum { ALIGN = 16, ALIGN_TENSOR = 128, ALIGN_MAP = 64 };

static const struct vm_operand *operand(const struct vm_warp *w, const struct vm_instruction *i, uint32_t n)
{
    return vm_argument(vm_warp_program(w), i, n);
}

static bool refuse(struct vm_warp *w, const struct vm_instruction *i, const char *what, uint64_t value)
{
    vm_fault(w, i, STATUS_SUBJECT, "%s: 0x%llx", what, (unsigned long long)value);
    return false;
}

/* The address of one side in shared memory. own: of this block only. */
static bool find_shared(struct vm_warp *w, const struct vm_instruction *i, uint64_t address, uint32_t bytes, bool own,
                        uint32_t *at)
{
    struct vm_block *b = NULL;
    uint32_t align = i->extra[EXTRA_RANK] ? ALIGN_TENSOR : ALIGN;
    if (address > UINT32_MAX || !vm_shared_at(w->block, (uint32_t)address, bytes, &b))
        return refuse(w, i, "a bulk copy outside shared memory", address);
    if (address % align != 0)
        return refuse(w, i,
                      align == ALIGN ? "a bulk copy of shared memory not aligned to 16 bytes"
                                     : "a box of a tensor in shared memory not aligned to 128 bytes",
                      address);
    if (own && b != w->block)
        return refuse(w, i, "a bulk copy of another block's shared memory where it must be the own", address);
    *at = (uint32_t)address;
    return true;
}

/* The rows of a lane's operands. */
struct operands {
    uint64_t to[VM_LANES], from[VM_LANES], mbarrier[VM_LANES];
    uint64_t size_room[VM_LANES], ranks_room[VM_LANES], at_room[VM_TENSOR_RANK][VM_LANES];
    const uint64_t *size, *ranks, *at[VM_TENSOR_RANK];
};

static void read_operands(struct vm_warp *w, const struct vm_instruction *i, struct operands *o)
{
    uint64_t form = i->extra[EXTRA_FORM], rank = i->extra[EXTRA_RANK];
    const struct vm_operand *map = operand(w, i, form == FORM_STORE ? 0 : 1);
    vm_read_addresses(w, operand(w, i, 0), o->to);
    vm_read_addresses(w, operand(w, i, 1), o->from);
    if (!rank)
        o->size = vm_read_operand(w, operand(w, i, 2), o->size_room);
    for (uint32_t d = 0; d < rank; d++)
        o->at[d] = vm_read_operand(w, &vm_warp_program(w)->element[map->first + d], o->at_room[d]);
    if (form != FORM_STORE)
        vm_read_addresses(w, operand(w, i, rank ? 2 : 3), o->mbarrier);
    if (i->extra[EXTRA_MULTICAST])
        o->ranks = vm_read_operand(w, operand(w, i, (uint32_t)i->extra[EXTRA_MULTICAST]), o->ranks_room);
}

/* Bits of reductions come in the tensor's integer types. */
static enum vm_type reduced_type(enum vm_reduction r, enum vm_type t)
{
    bool bits = r == VM_REDUCE_AND || r == VM_REDUCE_OR || r == VM_REDUCE_XOR;
    if (bits && (t == VM_U32 || t == VM_S32))
        return VM_B32;
    return bits && (t == VM_U64 || t == VM_S64) ? VM_B64 : t;
}

/* The map that a lane names, and what it says of the copy. */
static bool read_map(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, uint64_t address,
                     struct vm_bulk *b)
{
    enum vm_space space = operand(w, i, b->to_global ? 0 : 1)->space;
    if (address % ALIGN_MAP != 0)
        return refuse(w, i, "a tensor map not aligned to 64 bytes", address);
    const uint8_t *bytes = vm_memory_at(w, i, lane, space, address, VM_TENSOR_BYTES, false);
    if (!bytes)
        return false;
    if (!vm_tensor_map_decode(bytes, &b->map))
        return refuse(w, i, "there is no tensor map here", address);
    if (b->map.rank != i->extra[EXTRA_RANK])
        return refuse(w, i, "a tensor map of another rank", b->map.rank);
    if (b->map.swizzle && b->map.box[0] * b->map.element_bytes != b->map.swizzle) {
        vm_fault(w, i, STATUS_UNSUPPORTED, "a box of %d bytes in a row, less than its swizzle, is not modelled",
                 b->map.box[0] * b->map.element_bytes);
        return false;
    }
    b->type = reduced_type(b->reduction, (enum vm_type)b->map.type);
    if (!vm_reduce_known(b->reduction, b->type)) {
        vm_fault(w, i, STATUS_SUBJECT, "elements of this type of a tensor cannot be reduced like this");
        return false;
    }
    if (b->map.fill_nan && !b->to_global)
        vm_approximate(w, "the bits of the NaN that lies outside a tensor");
    if (vm_box_bytes(&b->map) > VM_SHARED_MOST)
        return refuse(w, i, "a box of more bytes than a block's shared memory", vm_box_bytes(&b->map));
    b->bytes = (uint32_t)vm_box_bytes(&b->map);
    return true;
}

/* Sizes and the side in global memory. */
static bool read_plain(struct vm_warp *w, const struct vm_instruction *i, uint64_t size, uint64_t address,
                       struct vm_bulk *b)
{
    b->type = i->type2;
    if (size % ALIGN != 0 || size > VM_SHARED_MOST)
        return refuse(w, i, "a bulk copy of so many bytes", size);
    b->bytes = (uint32_t)size;
    if (b->between_shared)
        return find_shared(w, i, address, b->bytes, true, &b->shared_from);
    b->global = address;
    if (address % ALIGN != 0)
        return refuse(w, i, "a bulk copy of global memory not aligned to 16 bytes", address);
    if (!vm_global_at(w->block, address, b->bytes, b->to_global))
        return refuse(w, i, "a bulk copy outside global memory", address);
    return true;
}

/* Where it goes in the cluster, and the mbarrier, which must be in the same block. */
static bool read_target(struct vm_warp *w, const struct vm_instruction *i, uint64_t mbarrier, const uint64_t *ranks,
                        struct vm_bulk *b)
{
    uint32_t rank = b->shared >> VM_RANK_SHIFT;
    b->ranks = UINT32_C(1) << rank;
    if (!vm_mbarrier_find(w, i, VM_SHARED, mbarrier, i->extra[EXTRA_OWN], &b->mbarrier))
        return false;
    if (ranks) {
        b->ranks = (uint32_t)*ranks & UINT16_MAX;
        if (b->ranks >> w->block->cluster->blocks)
            return refuse(w, i, "a copy to blocks that the cluster does not have", b->ranks);
    } else if (b->mbarrier >> VM_RANK_SHIFT != rank)
        return refuse(w, i, "a bulk copy into one block with the mbarrier of another", b->mbarrier);
    return true;
}

static bool begin_one(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, const struct operands *o)
{
    uint64_t form = i->extra[EXTRA_FORM];
    bool store = form == FORM_STORE;
    struct vm_bulk b = {.pending = {.warp = w,
                                    .instruction = i,
                                    .lane = lane,
                                    .group = w->copies->open[VM_COPY_BULK][lane],
                                    .on_mbarrier = !store,
                                    .complete = vm_bulk_complete},
                        .tensor = i->extra[EXTRA_RANK] != 0,
                        .to_global = store,
                        .between_shared = form == FORM_BETWEEN,
                        .reduction = (enum vm_reduction)i->extra[EXTRA_REDUCTION]};
    uint64_t far = store ? o->to[lane] : o->from[lane], near = store ? o->from[lane] : o->to[lane];
    for (uint32_t d = 0; d < i->extra[EXTRA_RANK]; d++)
        b.at[d] = (int32_t)(uint32_t)o->at[d][lane];
    if (!(b.tensor ? read_map(w, i, lane, far, &b) : read_plain(w, i, o->size[lane], far, &b)) ||
        !find_shared(w, i, near, b.bytes, store || i->extra[EXTRA_OWN], &b.shared))
        return false;
    if (!store && !read_target(w, i, o->mbarrier[lane], o->ranks ? &o->ranks[lane] : NULL, &b))
        return false;
    if (store || b.between_shared)
        vm_shared_read_async(w, i, store ? b.shared : b.shared_from, b.bytes);
    return vm_pending_begin(&b.pending, sizeof b) == VM_NEXT;
}

static enum vm_step run_bulk(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct operands o = {0};
    read_operands(w, i, &o);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (lanes >> lane & 1 && !begin_one(w, i, lane, &o))
            return VM_FAULT;
    return VM_NEXT;
}

/* The word at `n`, .dst, and the next, .src. */
static const char *take_form(struct vm_instruction *i, uint32_t n)
{
    static const struct {
        const char *to, *from;
        uint64_t form, own;
    } forms[] = {
        {"shared::cluster", "global", FORM_LOAD, false},
        {"shared::cta", "global", FORM_LOAD, true},
        {"global", "shared::cta", FORM_STORE, false},
        {"shared::cluster", "shared::cta", FORM_BETWEEN, false},
    };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        if (n + 1 < i->words && strcmp(i->word[n], forms[f].to) == 0 && strcmp(i->word[n + 1], forms[f].from) == 0) {
            vm_take(i, forms[f].to);
            vm_take(i, forms[f].from);
            i->extra[EXTRA_FORM] = forms[f].form;
            i->extra[EXTRA_OWN] = forms[f].own;
            return NULL;
        }
    return "a copy between such spaces";
}

static const char *take_reduction(struct vm_instruction *i)
{
    static const char *const names[] = {"add", "min", "max", "inc", "dec", "and", "or", "xor", NULL};
    int n = vm_take_of(i, names);
    i->extra[EXTRA_REDUCTION] = (uint64_t)(n + 1);
    return n < 0 ? "no reduction" : NULL;
}

/* How it completes, and what may follow the operands: at least `fixed` of them. */
static const char *take_completion(struct vm_instruction *i, uint32_t fixed)
{
    bool group = i->extra[EXTRA_FORM] == FORM_STORE;
    if (!vm_take(i, group ? "bulk_group" : "mbarrier::complete_tx::bytes"))
        return "no such completion";
    if (i->extra[EXTRA_FORM] == FORM_LOAD && vm_take(i, "multicast::cluster")) {
        i->extra[EXTRA_MULTICAST] = fixed;
        fixed++;
    }
    fixed += vm_take(i, "L2::cache_hint");
    if (i->operands != fixed)
        return "an odd number of operands";
    i->type = VM_U32;
    i->run = run_bulk;
    return NULL;
}

static const char *prepare_bulk(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    const char *why = take_form(i, 0);
    return why ? why : take_completion(i, i->extra[EXTRA_FORM] == FORM_STORE ? 3 : 4);
}

/* The types that each space reduces. */
static bool is_reducible(const struct vm_instruction *i)
{
    enum vm_reduction r = (enum vm_reduction)i->extra[EXTRA_REDUCTION];
    enum vm_type t = i->type2;
    if (i->extra[EXTRA_FORM] == FORM_STORE)
        return vm_reduce_known(r, t);
    return vm_reduce_known(r, t) && !vm_type_float(t) && t != VM_B64 &&
           (vm_type_bits(t) == 32 || (r == VM_REDUCE_ADD && t == VM_U64));
}

static const char *prepare_reduce(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    const char *why = take_form(i, 0);
    why = why ? why : i->extra[EXTRA_FORM] == FORM_LOAD ? "a reduction from global memory" : take_reduction(i);
    if (why)
        return why;
    bool keeps = vm_take(i, "noftz");
    i->type2 = vm_take_type(i);
    bool half = i->type2 == VM_F16 || i->type2 == VM_BF16;
    if (!is_reducible(i) || keeps != (half && i->extra[EXTRA_REDUCTION] == VM_REDUCE_ADD))
        return "a reduction of such a type";
    return take_completion(i, i->extra[EXTRA_FORM] == FORM_STORE ? 3 : 4);
}

/* .1d to .5d, and that it is a tile. */
static const char *take_tensor(struct vm_instruction *i)
{
    static const char *const ranks[] = {"1d", "2d", "3d", "4d", "5d", NULL}, *const others[] = {"im2col",
                                                                                                "im2col::w",
                                                                                                "im2col::w::128",
                                                                                                "im2col_no_offs",
                                                                                                "tile::gather4",
                                                                                                "tile::scatter4",
                                                                                                NULL};
    int rank = vm_take_of(i, ranks);
    if (rank < 0)
        return "a tensor of no such rank";
    if (vm_take_of(i, others) >= 0)
        return "a tensor that is not read by tiles";
    vm_take(i, "tile");
    i->extra[EXTRA_RANK] = (uint64_t)rank + 1;
    return NULL;
}

static const char *check_tensor(const struct vm_program *p, const struct vm_instruction *i)
{
    uint32_t n = i->extra[EXTRA_FORM] == FORM_STORE ? 0 : 1;
    if (i->operands <= n)
        return "an odd number of operands";
    const struct vm_operand *map = vm_argument(p, i, n);
    return map->kind == VM_TENSOR && map->count == i->extra[EXTRA_RANK] ? NULL : "another number of coordinates";
}

static const char *prepare_tensor(const struct vm_program *p, struct vm_instruction *i)
{
    const char *why = take_tensor(i);
    why = why ? why : take_form(i, 1);
    why = why ? why : i->extra[EXTRA_FORM] == FORM_BETWEEN ? "a tensor between shared memories" : check_tensor(p, i);
    return why ? why : take_completion(i, i->extra[EXTRA_FORM] == FORM_STORE ? 2 : 3);
}

static const char *prepare_tensor_reduce(const struct vm_program *p, struct vm_instruction *i)
{
    const char *why = take_tensor(i);
    why = why ? why : take_form(i, 1);
    why = why ? why : i->extra[EXTRA_FORM] != FORM_STORE ? "a reduction to shared memory" : take_reduction(i);
    why = why ? why : check_tensor(p, i);
    return why ? why : take_completion(i, 2);
}

static const char *prepare_prefetch(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    const char *why = strcmp(i->opcode, "cp.async.bulk.prefetch.tensor") == 0 ? take_tensor(i) : NULL;
    vm_take(i, "L2::cache_hint");
    i->type = VM_U32;
    i->run = vm_run_nothing;
    return why ? why : vm_take(i, "L2") && vm_take(i, "global") ? NULL : "not from global memory to L2";
}

static const char *prepare_prefetch_map(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    i->run = vm_run_nothing;
    return i->operands == 1 ? NULL : "an odd number of operands";
}

static const char *prepare_change(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    (void)i;
    return "a tensor map that the kernel changes";
}

static enum vm_step run_commit(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)i;
    vm_copies_commit(w, VM_COPY_BULK, lanes);
    return VM_NEXT;
}

static enum vm_step run_wait(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t keep = operand(w, i, 0)->value;
    return vm_copies_wait(w, VM_COPY_BULK, vm_bulk_complete, lanes, keep, false) ? VM_NEXT : VM_FAULT;
}

static const char *prepare_commit(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    i->run = run_commit;
    return i->operands == 0 ? NULL : "operands";
}

static const char *prepare_wait(const struct vm_program *p, struct vm_instruction *i)
{
    vm_take(i, "read");
    i->type = VM_U32;
    i->run = run_wait;
    return i->operands == 1 && vm_argument(p, i, 0)->kind == VM_IMMEDIATE ? NULL : "not one number";
}

const struct vm_op vm_ops_bulk[] = {
    {"cp.async.bulk", prepare_bulk},
    {"cp.reduce.async.bulk", prepare_reduce},
    {"cp.async.bulk.tensor", prepare_tensor},
    {"cp.reduce.async.bulk.tensor", prepare_tensor_reduce},
    {"cp.async.bulk.prefetch", prepare_prefetch},
    {"cp.async.bulk.prefetch.tensor", prepare_prefetch},
    {"cp.async.bulk.commit_group", prepare_commit},
    {"cp.async.bulk.wait_group", prepare_wait},
    {"prefetch.tensormap", prepare_prefetch_map},
    {"prefetch.param.tensormap", prepare_prefetch_map},
    {"prefetch.param::entry.tensormap", prepare_prefetch_map},
    {"prefetch.const.tensormap", prepare_prefetch_map},
    {"tensormap.replace", prepare_change},
    {"tensormap.cp_fenceproxy", prepare_change},
    {NULL, NULL},
};
