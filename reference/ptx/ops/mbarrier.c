/* mbarrier, and the fences that speak of it or of proxies. source: PTX ISA 9.0, "mbarrier", "membar/fence".
 *
 * A wait that is asked in vain. try_wait may suspend its thread, for a time of the machine's choice: here until nothing
 * else in the cluster can go on. Then it is let go and says false, since a kernel may ask ahead of what it does itself.
 * test_wait says false at once. Both are let go VAIN_MOST times while no barrier of the cluster changes; a kernel that
 * only asks again then waits for good, and that is the deadlock that it is. */
#include "reference/ptx/barriers.h"

#include <string.h>

#include "reference/ptx/ops/operand.h"

enum { VAIN_MOST = 64 };
enum { EXTRA_SPACE, EXTRA_OWN, EXTRA_DROP, EXTRA_EXPECT, EXTRA_PARITY, EXTRA_TRY };

/* One thread's part. n: the address is operand n. */
typedef bool mbarrier_each(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, uint32_t at,
                           const uint64_t *value, uint64_t *result);

static const struct vm_operand *operand(const struct vm_warp *w, const struct vm_instruction *i, uint32_t n)
{
    return vm_argument(vm_warp_program(w), i, n);
}

/* Do one operation for each lane: the address is operand `n`, the value behind it (1 where there is none); the result,
 * where n is 1, operand 0. */
static enum vm_step each(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes, uint32_t n,
                         mbarrier_each *one)
{
    uint64_t address[VM_LANES], room[VM_LANES], result[VM_LANES];
    const uint64_t *value = NULL;
    vm_read_addresses(w, operand(w, i, n), address);
    if (i->operands > n + 1)
        value = vm_read_operand(w, operand(w, i, n + 1), room);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        uint32_t at;
        if (lanes >> lane & 1 &&
            !(vm_mbarrier_find(w, i, (enum vm_space)i->extra[EXTRA_SPACE], address[lane], i->extra[EXTRA_OWN], &at) &&
              one(w, i, lane, at, value ? &value[lane] : NULL, &result[lane])))
            return VM_FAULT;
    }
    if (n == 1)
        vm_write_operand(w, operand(w, i, 0), result, lanes);
    return VM_NEXT;
}

static bool init_one(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, uint32_t at,
                     const uint64_t *value, uint64_t *result)
{
    (void)lane;
    (void)result;
    return vm_mbarrier_init(w, i, at, *value);
}

static bool invalidate_one(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, uint32_t at,
                           const uint64_t *value, uint64_t *result)
{
    (void)lane;
    (void)value;
    (void)result;
    return vm_mbarrier_invalidate(w, i, at);
}

static bool expect_one(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, uint32_t at,
                       const uint64_t *value, uint64_t *result)
{
    (void)lane;
    (void)result;
    return vm_mbarrier_expect(w, i, at, *value);
}

static bool complete_one(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, uint32_t at,
                         const uint64_t *value, uint64_t *result)
{
    (void)lane;
    (void)result;
    return vm_mbarrier_complete(w, i, at, *value);
}

static bool arrive_one(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, uint32_t at,
                       const uint64_t *value, uint64_t *result)
{
    (void)lane;
    if (i->extra[EXTRA_EXPECT] && !vm_mbarrier_expect(w, i, at, *value))
        return false;
    return vm_mbarrier_arrive(w, i, at, value && !i->extra[EXTRA_EXPECT] ? *value : 1, i->extra[EXTRA_DROP], result);
}

static enum vm_step run_init(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    return each(w, i, lanes, 0, init_one);
}

static enum vm_step run_invalidate(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    return each(w, i, lanes, 0, invalidate_one);
}

static enum vm_step run_expect(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    return each(w, i, lanes, 0, expect_one);
}

static enum vm_step run_complete(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    return each(w, i, lanes, 0, complete_one);
}

static enum vm_step run_arrive(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    return each(w, i, lanes, 1, arrive_one);
}

/* May a wait that is not over be let go? key: what is waited for. */
static bool let_go(struct vm_warp *w, const struct vm_instruction *i, uint64_t key)
{
    struct vm_bar_warp *s = vm_bar_warp_of(w);
    const struct vm_cluster *c = w->block->cluster;
    uint64_t changes = c->block[0].barriers->changes;
    if (s->vain_key != key || s->vain_changes != changes) {
        s->vain_key = key;
        s->vain_changes = changes;
        s->vain = 0;
    }
    if (s->vain == VAIN_MOST || (i->extra[EXTRA_TRY] && !(c->idle > 0 && !c->pending)))
        return false;
    s->vain++;
    return true;
}

static enum vm_step run_wait(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t address[VM_LANES], room[VM_LANES], result[VM_LANES] = {0}, key = i->line;
    const uint64_t *value = vm_read_operand(w, operand(w, i, 2), room);
    vm_read_addresses(w, operand(w, i, 1), address);
    bool any = false;
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        uint32_t at;
        bool done;
        if ((lanes >> lane & 1) == 0)
            continue;
        if (!vm_mbarrier_find(w, i, (enum vm_space)i->extra[EXTRA_SPACE], address[lane], true, &at))
            return VM_FAULT;
        if (!(i->extra[EXTRA_PARITY] ? vm_mbarrier_test_parity : vm_mbarrier_test_state)(w, i, at, value[lane], &done))
            return VM_FAULT;
        result[lane] = done;
        any = any || done;
        key = key * UINT64_C(0x100000001b3) ^ (address[lane] << 1 | value[lane]);
    }
    if (!any && !let_go(w, i, key))
        return VM_WAIT;
    vm_write_operand(w, operand(w, i, 0), result, lanes);
    return VM_NEXT;
}

static enum vm_step run_pending_count(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t room[VM_LANES], result[VM_LANES];
    const uint64_t *state = vm_read_operand(w, operand(w, i, 1), room);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        result[lane] = vm_mbarrier_state_pending(state[lane]);
    vm_write_operand(w, operand(w, i, 0), result, lanes);
    return VM_NEXT;
}

/* The words that all of them share. own: shared::cluster is not allowed. */
static const char *take_common(struct vm_instruction *i, bool own)
{
    enum vm_space space = VM_GENERIC;
    bool cluster = vm_take(i, "shared::cluster");
    if (cluster)
        space = VM_SHARED;
    else if (vm_take_space(i, &space) && space != VM_SHARED)
        return "an mbarrier outside shared memory";
    if (cluster && own)
        return "shared::cluster, where only shared::cta will do";
    static const char *const orders[] = {"relaxed", "acquire", "release", NULL}, *const scopes[] = {"cta", "cluster",
                                                                                                    NULL};
    vm_take_of(i, orders);
    vm_take_of(i, scopes);
    if (!vm_take(i, "b64"))
        return "not of type b64";
    i->extra[EXTRA_SPACE] = space;
    i->extra[EXTRA_OWN] = own || (space == VM_SHARED && !cluster);
    return NULL;
}

static const char *choose(struct vm_instruction *i, vm_execute *run, enum vm_type type, uint32_t least, uint32_t most)
{
    if (i->operands < least || i->operands > most)
        return "an odd number of operands";
    i->type = type;
    i->run = run;
    return NULL;
}

static const char *prepare_init(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    const char *why = take_common(i, true);
    return why ? why : choose(i, run_init, VM_U32, 2, 2);
}

static const char *prepare_invalidate(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    const char *why = take_common(i, true);
    return why ? why : choose(i, run_invalidate, VM_U32, 1, 1);
}

static const char *prepare_expect(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    const char *why = take_common(i, false);
    return why ? why : choose(i, run_expect, VM_U32, 2, 2);
}

static const char *prepare_complete(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    const char *why = take_common(i, false);
    return why ? why : choose(i, run_complete, VM_U32, 2, 2);
}

static const char *prepare_arrive(const struct vm_program *p, struct vm_instruction *i)
{
    if (vm_take(i, "noComplete"))
        return "noComplete";
    i->extra[EXTRA_DROP] = strcmp(i->opcode, "mbarrier.arrive_drop") == 0;
    i->extra[EXTRA_EXPECT] = vm_take(i, "expect_tx");
    const char *why = take_common(i, false);
    why = why ? why : choose(i, run_arrive, VM_U32, i->extra[EXTRA_EXPECT] ? 3 : 2, 3);
    if (!why && i->extra[EXTRA_SPACE] == VM_SHARED && !i->extra[EXTRA_OWN] && vm_argument(p, i, 0)->kind != VM_SINK)
        return "a state of an mbarrier of shared::cluster";
    return why;
}

static const char *prepare_wait(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    i->extra[EXTRA_TRY] = strcmp(i->opcode, "mbarrier.try_wait") == 0;
    i->extra[EXTRA_PARITY] = vm_take(i, "parity");
    const char *why = take_common(i, true);
    /* The time that try_wait may take is a hint. */
    return why ? why : choose(i, run_wait, i->extra[EXTRA_PARITY] ? VM_U32 : VM_B64, 3, i->extra[EXTRA_TRY] ? 4 : 3);
}

static const char *prepare_pending_count(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    return vm_take(i, "b64") ? choose(i, run_pending_count, VM_B64, 2, 2) : "not of type b64";
}

static enum vm_step run_proxy_fence(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)i;
    vm_proxy_fence(w, lanes);
    return VM_NEXT;
}

static const char *prepare_proxy(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    static const char *const orders[] = {"acquire", "release", NULL}, *const scopes[] = {"cta", "cluster", "gpu", "sys",
                                                                                         NULL};
    if (vm_take(i, "async")) {
        bool elsewhere = vm_take(i, "global");
        enum vm_space space;
        if (!elsewhere && vm_take_space(i, &space) && space != VM_SHARED)
            return "a proxy of another space";
        return choose(i, elsewhere ? vm_run_nothing : run_proxy_fence, VM_UNTYPED, 0, 0);
    }
    if (vm_take(i, "alias"))
        return choose(i, vm_run_nothing, VM_UNTYPED, 0, 0);
    if (!vm_take(i, "tensormap::generic"))
        return "a proxy that is not modelled";
    int order = vm_take_of(i, orders);
    if (order < 0 || vm_take_of(i, scopes) < 0)
        return "a fence without an order or a scope";
    return choose(i, vm_run_nothing, VM_U32, order == 0 ? 2 : 0, order == 0 ? 2 : 0);
}

static const char *prepare_init_fence(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    return vm_take(i, "release") && vm_take(i, "cluster") ? choose(i, vm_run_nothing, VM_UNTYPED, 0, 0)
                                                          : "not release at cluster";
}

const struct vm_op vm_ops_mbarrier[] = {
    {"mbarrier.init", prepare_init},
    {"mbarrier.inval", prepare_invalidate},
    {"mbarrier.expect_tx", prepare_expect},
    {"mbarrier.complete_tx", prepare_complete},
    {"mbarrier.arrive", prepare_arrive},
    {"mbarrier.arrive_drop", prepare_arrive},
    {"mbarrier.test_wait", prepare_wait},
    {"mbarrier.try_wait", prepare_wait},
    {"mbarrier.pending_count", prepare_pending_count},
    {"fence.proxy", prepare_proxy},
    {"fence.mbarrier_init", prepare_init_fence},
    {NULL, NULL},
};
