/* cp.async: copies of a thread, in groups that it waits for. source: PTX ISA 9.0, "cp.async", "cp.async.commit_group",
 * "cp.async.wait_group", "cp.async.mbarrier.arrive". */
#include "reference/ptx/copies.h"

#include <stdlib.h>
#include <string.h>

#include "reference/ptx/ops.h"

enum { EXTRA_LESS, EXTRA_SPACE, EXTRA_NO_INCREMENT };
enum { LESS_NONE, LESS_SIZE, LESS_IGNORED }; /* what the fourth operand says */
enum { AT_TO, AT_FROM, AT_SIZE, AT_LESS };

struct async_copy {
    struct vm_pending pending;
    uint64_t to, from;
    uint32_t bytes, taken; /* the rest is zeros */
    uint64_t serial;       /* of the thread's */
};

struct async_arrival {
    struct vm_pending pending;
    uint32_t mbarrier;
    uint64_t serial; /* of the first copy that it does not speak of */
};

bool vm_copies_make(struct vm_warp *w)
{
    w->copies = calloc(1, sizeof *w->copies);
    return w->copies != NULL;
}

void vm_copies_free(struct vm_warp *w)
{
    free(w->copies);
    w->copies = NULL;
}

void vm_copies_commit(struct vm_warp *w, enum vm_copy_kind kind, uint32_t lanes)
{
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        w->copies->open[kind][lane] += lanes >> lane & 1;
}

struct wanted {
    const struct vm_warp *w;
    enum vm_copy_kind kind;
    bool (*of)(struct vm_pending *p);
    uint32_t lanes;
    uint64_t keep;
    bool open;
};

static bool is_wanted(const struct vm_pending *p, const void *with)
{
    const struct wanted *want = with;
    if (p->warp != want->w || p->complete != want->of || p->on_mbarrier || !(want->lanes >> p->lane & 1))
        return false;
    uint64_t open = want->w->copies->open[want->kind][p->lane];
    return want->open || (open > want->keep && p->group < open - want->keep);
}

bool vm_copies_wait(struct vm_warp *w, enum vm_copy_kind kind, bool (*of)(struct vm_pending *p), uint32_t lanes,
                    uint64_t keep, bool open)
{
    struct wanted want = {w, kind, of, lanes, keep, open};
    return vm_pending_complete(w->block->cluster, is_wanted, &want);
}

static bool complete_copy(struct vm_pending *p)
{
    const struct async_copy *c = (const struct async_copy *)p;
    uint8_t *to = vm_memory_at(p->warp, p->instruction, p->lane, VM_SHARED, c->to, c->bytes, true);
    const uint8_t *from = NULL;
    if (to && c->taken)
        from = vm_memory_at(p->warp, p->instruction, p->lane, VM_GLOBAL, c->from, c->bytes, false);
    if (!to || (c->taken && !from))
        return false;
    if (c->taken)
        memcpy(to, from, c->taken);
    memset(to + c->taken, 0, c->bytes - c->taken);
    return true;
}

/* How much of a lane's source is taken. */
static bool read_taken(struct vm_warp *w, const struct vm_instruction *i, uint64_t less, uint32_t bytes,
                       uint32_t *taken)
{
    *taken = bytes;
    if (i->extra[EXTRA_LESS] == LESS_IGNORED)
        *taken = less & 1 ? 0 : bytes;
    if (i->extra[EXTRA_LESS] != LESS_SIZE)
        return true;
    if (less > bytes) {
        vm_fault(w, i, STATUS_SUBJECT, "a source of %llu bytes for a copy of %u", (unsigned long long)less, bytes);
        return false;
    }
    *taken = (uint32_t)less;
    return true;
}

static enum vm_step run_copy(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    uint64_t to[VM_LANES], from[VM_LANES], room[VM_LANES];
    const uint64_t *less = room;
    uint32_t bytes = (uint32_t)vm_argument(p, i, AT_SIZE)->value;
    vm_read_addresses(w, vm_argument(p, i, AT_TO), to);
    vm_read_addresses(w, vm_argument(p, i, AT_FROM), from);
    if (i->extra[EXTRA_LESS] != LESS_NONE)
        less = vm_read_operand(w, vm_argument(p, i, AT_LESS), room);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        if (!(lanes >> lane & 1))
            continue;
        struct async_copy c = {.pending = {.warp = w,
                                           .instruction = i,
                                           .lane = lane,
                                           .group = w->copies->open[VM_COPY_ASYNC][lane],
                                           .complete = complete_copy},
                               .to = to[lane],
                               .from = from[lane],
                               .bytes = bytes,
                               .serial = w->copies->begun[lane]++};
        /* What is wrong with the addresses is said now, also when the copy comes late. */
        if (!read_taken(w, i, i->extra[EXTRA_LESS] != LESS_NONE ? less[lane] : 0, bytes, &c.taken) ||
            !vm_memory_at(w, i, lane, VM_SHARED, c.to, bytes, true) ||
            (c.taken && !vm_memory_at(w, i, lane, VM_GLOBAL, c.from, bytes, false)) ||
            vm_pending_begin(&c.pending, sizeof c) == VM_FAULT)
            return VM_FAULT;
    }
    return VM_NEXT;
}

static const char *prepare_copy(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const caches[] = {"ca", "cg", NULL}, *const to[] = {"shared", "shared::cta", NULL},
                             *const sizes[] = {"L2::64B", "L2::128B", "L2::256B", NULL};
    int cache = vm_take_of(i, caches);
    if (cache < 0 || vm_take_of(i, to) < 0 || !vm_take(i, "global"))
        return "not from global to shared memory";
    vm_take_of(i, sizes);
    uint32_t policy = vm_take(i, "L2::cache_hint");
    if (i->operands < 3 + policy || i->operands > 4 + policy)
        return "an odd number of operands";
    const struct vm_operand *size = vm_argument(p, i, AT_SIZE);
    if (size->kind != VM_IMMEDIATE || (size->value != 16 && (cache == 1 || (size->value != 8 && size->value != 4))))
        return "a copy of an odd size";
    i->type = VM_U32;
    i->run = run_copy;
    if (i->operands == 4 + policy) {
        const struct vm_operand *less = vm_argument(p, i, AT_LESS);
        i->extra[EXTRA_LESS] = less->kind == VM_REGISTER && less->bits == 1 ? LESS_IGNORED : LESS_SIZE;
    }
    return NULL;
}

static enum vm_step run_commit(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)i;
    vm_copies_commit(w, VM_COPY_ASYNC, lanes);
    return VM_NEXT;
}

static enum vm_step run_wait(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t keep = vm_argument(vm_warp_program(w), i, 0)->value;
    return vm_copies_wait(w, VM_COPY_ASYNC, complete_copy, lanes, keep, false) ? VM_NEXT : VM_FAULT;
}

static enum vm_step run_wait_all(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)i;
    vm_copies_commit(w, VM_COPY_ASYNC, lanes);
    return vm_copies_wait(w, VM_COPY_ASYNC, complete_copy, lanes, 0, true) ? VM_NEXT : VM_FAULT;
}

static const char *prepare_commit(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    i->run = run_commit;
    return i->operands == 0 ? NULL : "operands";
}

static const char *prepare_wait(const struct vm_program *p, struct vm_instruction *i)
{
    i->type = VM_U32;
    i->run = run_wait;
    return i->operands == 1 && vm_argument(p, i, 0)->kind == VM_IMMEDIATE ? NULL : "not one number";
}

static const char *prepare_wait_all(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    i->run = run_wait_all;
    return i->operands == 0 ? NULL : "operands";
}

static bool is_before(const struct vm_pending *p, const void *with)
{
    const struct async_arrival *a = with;
    return p->complete == complete_copy && p->warp == a->pending.warp && p->lane == a->pending.lane &&
           ((const struct async_copy *)p)->serial < a->serial;
}

/* All copies that the thread began before come first. */
static bool complete_arrival(struct vm_pending *p)
{
    const struct async_arrival *a = (const struct async_arrival *)p;
    return vm_pending_complete(p->warp->block->cluster, is_before, a) &&
           vm_mbarrier_arrive(p->warp, p->instruction, a->mbarrier, 1, false, NULL);
}

static enum vm_step run_arrive(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t address[VM_LANES];
    vm_read_addresses(w, vm_argument(vm_warp_program(w), i, 0), address);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        if (!(lanes >> lane & 1))
            continue;
        struct async_arrival a = {
            .pending = {.warp = w, .instruction = i, .lane = lane, .on_mbarrier = true, .complete = complete_arrival},
            .serial = w->copies->begun[lane]};
        if (!vm_mbarrier_find(w, i, (enum vm_space)i->extra[EXTRA_SPACE], address[lane], true, &a.mbarrier) ||
            (!i->extra[EXTRA_NO_INCREMENT] && !vm_mbarrier_owe(w, i, a.mbarrier)) ||
            vm_pending_begin(&a.pending, sizeof a) == VM_FAULT)
            return VM_FAULT;
    }
    return VM_NEXT;
}

static const char *prepare_arrive(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    static const char *const spaces[] = {"shared", "shared::cta", NULL};
    i->extra[EXTRA_NO_INCREMENT] = vm_take(i, "noinc");
    i->extra[EXTRA_SPACE] = vm_take_of(i, spaces) >= 0 ? VM_SHARED : VM_GENERIC;
    i->run = run_arrive;
    if (!vm_take(i, "b64"))
        return "not of type b64";
    return i->operands == 1 ? NULL : "an odd number of operands";
}

const struct vm_op vm_ops_copy[] = {
    {"cp.async", prepare_copy},
    {"cp.async.commit_group", prepare_commit},
    {"cp.async.wait_group", prepare_wait},
    {"cp.async.wait_all", prepare_wait_all},
    {"cp.async.mbarrier.arrive", prepare_arrive},
    {NULL, NULL},
};
