#include "reference/ptx/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reference/ptx/hooks.h"
#include "reference/ptx/ops/control.h"

enum {
    QUANTUM = 128,  /* instructions of a turn */
    PATIENCE = 4,   /* turns that a runnable lane goes without one before those ahead of it are held */
    ROUNDS = 1024,  /* of one vm_cluster_go */
    GLANCE = 16,    /* rounds without a store: whoever goes on like this may be polling */
    WAITERS = 64,   /* places that a deadlock is told of */
    IDLE_ROUNDS = 2 /* an arrival late in one round is seen by those that wait in the next */
};

/* Lanes at one instruction, and the first instruction that they may not run without looking around. */
struct group {
    uint32_t lanes, pc, stop;
};

static void set_pc(struct vm_warp *w, uint32_t lanes, uint32_t pc)
{
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (lanes >> lane & 1)
            w->pc[lane] = pc;
}

/* Those of the runnable lanes that stand lowest, up to where others stand further on: runnable or not, who gets there
 * first stays for them, for what follows may need them together. */
static struct group choose_group(const struct vm_warp *w, uint32_t runnable)
{
    struct group g = {.pc = UINT32_MAX, .stop = UINT32_MAX};
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (runnable >> lane & 1 && w->pc[lane] < g.pc)
            g.pc = w->pc[lane];
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (runnable >> lane & 1 && w->pc[lane] == g.pc)
            g.lanes |= UINT32_C(1) << lane;
        else if (w->alive >> lane & 1 && w->pc[lane] > g.pc && w->pc[lane] < g.stop)
            g.stop = w->pc[lane];
    return g;
}

static bool is_anybody_at(const struct vm_warp *w, uint32_t lanes, uint32_t pc)
{
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (lanes >> lane & 1 && w->pc[lane] == pc)
            return true;
    return false;
}

static uint32_t guarded(const struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const uint64_t *row = vm_row(w, i->guard);
    uint32_t mask = 0;
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        mask |= (uint32_t)(row[lane] & 1) << lane;
    return lanes & (i->guard_negated ? ~mask : mask);
}

/* Run a group until it has to look around. returns the lanes that wait; *steps is counted up. */
static uint32_t run_group(struct vm_warp *w, struct group g, uint32_t *steps)
{
    const struct vm_program *p = vm_warp_program(w);
    for (; g.pc < g.stop && *steps < QUANTUM; g.pc++) {
        const struct vm_instruction *i = &p->instruction[g.pc];
        uint32_t active = i->guard == VM_NONE ? g.lanes : guarded(w, i, g.lanes);
        enum vm_step step = active && w->flights ? vm_wgmma_flight(w, i, active) : VM_NEXT;
        if (step == VM_NEXT && active && active == w->alive && i->run == vm_control_branch)
            g.pc = vm_control_target(p, i) - 1; /* all together: the way of most branches */
        else if (step == VM_NEXT && active)
            step = i->run(w, i, active);
        *steps += step != VM_WAIT;
        if (step == VM_NEXT)
            continue;
        set_pc(w, g.lanes & ~active, g.pc + 1);
        if (step != VM_JUMPED)
            set_pc(w, active, g.pc);
        return step == VM_WAIT ? active : 0;
    }
    set_pc(w, g.lanes, g.pc);
    return 0;
}

/* Lanes that could have gone and did not, turn after turn: those that went are held once. */
static void be_fair(struct vm_warp *w, uint32_t waiting, uint32_t went)
{
    bool hungry = (w->alive & ~waiting & ~went) != 0;
    w->starved = hungry ? w->starved + 1 : 0;
    if (w->starved >= PATIENCE) {
        w->held = went;
        w->starved = 0;
    }
}

/* returns the number of instructions. */
static uint32_t take_turn(struct vm_warp *w)
{
    uint32_t waiting = w->alive & ~w->held ? w->held : 0, went = 0, steps = 0;
    w->held = 0;
    while (steps < QUANTUM && (w->alive & ~waiting) && !w->block->cluster->faulted) {
        struct group g = choose_group(w, w->alive & ~waiting);
        if (waiting && is_anybody_at(w, w->alive & waiting, g.pc)) {
            waiting |= g.lanes;
            continue;
        }
        waiting |= run_group(w, g, &steps);
        went |= g.lanes;
    }
    be_fair(w, waiting, went);
    w->steps += steps;
    w->block->steps += steps;
    return steps;
}

static bool is_of_block(const struct vm_pending *p, const void *block)
{
    return p->warp->block == block;
}

/* One turn of every warp of a block. returns the number of instructions. */
static uint32_t go_round_block(struct vm_block *b)
{
    struct vm_cluster *c = b->cluster;
    uint64_t most = b->vm->launch.most_steps ? b->vm->launch.most_steps : UINT64_C(1) << 40;
    uint32_t steps = 0;
    for (uint32_t n = 0; n < b->warps && !c->faulted; n++) {
        struct vm_warp *w = &b->warp[n];
        steps += w->alive ? take_turn(w) : 0;
        if (b->steps > most && b->exited < b->threads && !c->faulted)
            vm_fault(w, NULL, STATUS_SUBJECT, "did not end within %" PRIu64 " instructions", most);
    }
    if (b->exited == b->threads && !c->faulted) {
        b->ended = true;
        vm_pending_complete(c, is_of_block, b);
    }
    return steps;
}

struct waiter {
    struct vm_block *block;
    uint32_t pc, warps;
};

static void count_waiter(struct waiter *list, uint32_t *count, struct vm_block *b, uint32_t pc)
{
    for (uint32_t n = 0; n < *count; n++)
        if (list[n].block == b && list[n].pc == pc) {
            list[n].warps++;
            return;
        }
    if (*count < WAITERS)
        list[(*count)++] = (struct waiter){b, pc, 1};
}

static uint32_t list_waiters(struct vm_cluster *c, struct waiter list[WAITERS])
{
    uint32_t count = 0;
    for (uint32_t rank = 0; rank < c->blocks; rank++)
        for (uint32_t n = 0; n < c->block[rank].warps; n++) {
            const struct vm_warp *w = &c->block[rank].warp[n];
            for (uint32_t left = w->alive; left;) {
                struct group g = choose_group(w, left);
                count_waiter(list, &count, &c->block[rank], g.pc);
                left &= ~g.lanes;
            }
        }
    return count;
}

/* Nobody goes on and nothing is pending: say who waits where. */
static void tell_deadlock(struct vm_cluster *c)
{
    struct waiter list[WAITERS];
    uint32_t count = list_waiters(c, list);
    char text[256] = "", name[80];
    size_t used = 0;
    for (uint32_t n = 0; n < count; n++) {
        const struct vm_instruction *i = &c->vm->program.instruction[list[n].pc];
        const uint32_t *at = list[n].block->at;
        char one[192];
        int length = snprintf(one, sizeof one, "%s%u warp%s of block (%u,%u,%u) wait%s in line %u (%s)", n ? ", " : "",
                              list[n].warps, list[n].warps == 1 ? "" : "s", at[0], at[1], at[2],
                              list[n].warps == 1 ? "s" : "", i->line, vm_instruction_name(i, name, sizeof name));
        if (used + (size_t)length + 16 > sizeof text) {
            snprintf(text + used, sizeof text - used, " and others");
            break;
        }
        memcpy(text + used, one, (size_t)length + 1);
        used += (size_t)length;
    }
    vm_fault(&list[0].block->warp[0], &c->vm->program.instruction[list[0].pc], STATUS_SUBJECT, "deadlock: %s", text);
}

static bool is_any(const struct vm_pending *p, const void *with)
{
    (void)p;
    (void)with;
    return true;
}

/* One round. returns VM_ENDED when all blocks have. */
static enum vm_going go_round(struct vm_cluster *c)
{
    uint32_t steps = 0, ended = 0;
    for (uint32_t rank = 0; rank < c->blocks && !c->faulted; rank++) {
        if (!c->block[rank].ended)
            steps += go_round_block(&c->block[rank]);
        ended += c->block[rank].ended;
    }
    if (c->faulted)
        return VM_BROKEN;
    if (ended == c->blocks)
        return VM_ENDED;
    c->rounds++;
    c->idle = steps ? 0 : c->idle + 1;
    if (c->idle >= IDLE_ROUNDS) {
        c->idle = IDLE_ROUNDS - 1;
        if (!vm_pending_complete_one(c) && !c->faulted)
            tell_deadlock(c);
    } else if (c->rounds % ROUNDS == 0) {
        /* Whoever polls without waiting shall see in the end what has been started. */
        vm_pending_complete(c, is_any, NULL);
    }
    return c->faulted ? VM_BROKEN : VM_GOING;
}

enum vm_going vm_cluster_go(struct vm_cluster *c)
{
    enum vm_going going = VM_GOING;
    uint64_t writes = c->writes;
    for (uint32_t round = 1; going == VM_GOING && round <= ROUNDS; round++) {
        going = go_round(c);
        if (round % GLANCE)
            continue;
        if (c->writes == writes)
            break;
        writes = c->writes;
    }
    return going;
}
