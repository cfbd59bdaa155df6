/* bar, barrier, barrier.cluster. source: PTX ISA 9.0, "bar, barrier", "barrier.cluster".
 *
 * A warp arrives at a barrier as a whole: when all of its threads that have not exited stand there; it counts as 32
 * threads. Lanes on their way are marked in w->between; their ticket is NOT_YET until the warp has arrived, then the
 * phase that it arrived in. */
#include "reference/ptx/barriers.h"

#include <stdlib.h>

#include "reference/ptx/ops.h"

#define NOT_YET UINT64_MAX

enum { BAR_SYNC, BAR_ARRIVE, BAR_RED_POPC, BAR_RED_AND, BAR_RED_OR };
enum { EXTRA_KIND, EXTRA_FIRST, EXTRA_COUNTED, EXTRA_ALIGNED }; /* which operand is the barrier; is there a number */

bool vm_barriers_make(struct vm_block *b)
{
    struct vm_barriers *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    s->warp = calloc(b->warps, sizeof *s->warp);
    s->mbarrier_of = calloc(b->shared_bytes / 8 + 1, sizeof *s->mbarrier_of);
    b->barriers = s;
    if (s->warp && s->mbarrier_of)
        return true;
    vm_barriers_free(b);
    return false;
}

void vm_barriers_free(struct vm_block *b)
{
    if (!b->barriers)
        return;
    free(b->barriers->warp);
    free(b->barriers->mbarrier);
    free(b->barriers->mbarrier_of);
    free(b->barriers);
    b->barriers = NULL;
}

static uint32_t count_lanes(uint32_t lanes)
{
    return (uint32_t)__builtin_popcount(lanes);
}

/* Threads that a barrier without a number waits for. */
static uint32_t count_everybody(const struct vm_block *b)
{
    uint32_t threads = 0;
    for (uint32_t n = 0; n < b->warps; n++)
        threads += b->warp[n].alive != 0 ? VM_LANES : 0;
    return threads;
}

/* What the lanes say of one operand, which must be the same. false after vm_fault. */
static bool read_same(struct vm_warp *w, const struct vm_instruction *i, uint32_t n, uint32_t lanes, uint64_t *value)
{
    uint64_t room[VM_LANES];
    const uint64_t *row = vm_read_operand(w, vm_argument(vm_warp_program(w), i, n), room);
    uint32_t first = (uint32_t)__builtin_ctz(lanes);
    for (uint32_t lane = first; lane < VM_LANES; lane++)
        if (lanes >> lane & 1 && row[lane] != row[first]) {
            vm_fault(w, i, STATUS_SUBJECT, "threads of one warp say %llu and %llu of a barrier",
                     (unsigned long long)row[first], (unsigned long long)row[lane]);
            return false;
        }
    *value = row[first];
    return true;
}

/* The barrier, and the number of threads (0: none said). */
static bool read_bar(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes, uint64_t *which,
                     uint64_t *threads)
{
    uint32_t first = (uint32_t)i->extra[EXTRA_FIRST];
    *threads = 0;
    if (!read_same(w, i, first, lanes, which))
        return false;
    if (*which >= VM_BARS) {
        vm_fault(w, i, STATUS_SUBJECT, "barrier %llu; there are 0 to 15", (unsigned long long)*which);
        return false;
    }
    if (!i->extra[EXTRA_COUNTED])
        return true;
    if (!read_same(w, i, first + 1, lanes, threads))
        return false;
    if (*threads == 0 || *threads % VM_LANES != 0) {
        vm_fault(w, i, STATUS_SUBJECT, "a barrier for %llu threads, not a multiple of 32",
                 (unsigned long long)*threads);
        return false;
    }
    return true;
}

/* Lanes that did not stand here before. */
static void enter(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes, uint64_t which)
{
    struct vm_bar_warp *s = vm_bar_warp_of(w);
    if (s->here[which] == 0) {
        s->by[which] = i;
        s->votes[which] = 0;
    } else if (s->by[which] != i && i->extra[EXTRA_ALIGNED])
        vm_hazard(w, i, "A barrier met by parts of a warp",
                  "threads of one warp are at barrier %u here and on line %u; .aligned allows it nowhere",
                  (unsigned)which, s->by[which]->line);
    s->here[which] |= lanes;
    w->between |= lanes;
    for (uint32_t lane = 0; lane < VM_LANES; lane++)
        if (lanes >> lane & 1)
            w->ticket[lane] = NOT_YET;
    if (i->extra[EXTRA_KIND] >= BAR_RED_POPC) {
        uint64_t room[VM_LANES];
        const uint64_t *c =
            vm_read_operand(w, vm_argument(vm_warp_program(w), i, i->operands - 1), room); /* the predicate is last */
        for (uint32_t lane = 0; lane < VM_LANES; lane++)
            s->votes[which] |= (uint32_t)(lanes >> lane & c[lane] & 1) << lane;
    }
}

/* The whole warp is here: count it. false after vm_fault. */
static bool arrive(struct vm_warp *w, const struct vm_instruction *i, uint64_t which, uint64_t threads)
{
    struct vm_bar_warp *s = vm_bar_warp_of(w);
    struct vm_bar *bar = &w->block->barriers->bar[which];
    uint32_t wanted = threads ? (uint32_t)threads : (w->block->threads + VM_LANES - 1) / VM_LANES * VM_LANES;
    if (bar->arrived == 0) {
        bar->expected = wanted;
        bar->everybody = threads == 0;
    } else if (bar->expected != wanted) {
        vm_fault(w, i, STATUS_SUBJECT, "barrier %u is met here by %u threads and elsewhere by %u", (unsigned)which,
                 wanted, bar->expected);
        return false;
    }
    bar->everybody = bar->everybody && threads == 0;
    for (uint32_t lane = 0; lane < VM_LANES; lane++)
        if (s->here[which] >> lane & 1)
            w->ticket[lane] = bar->phase;
    bar->arrived += VM_LANES;
    bar->gathering.set += count_lanes(s->votes[which]);
    bar->gathering.clear += count_lanes(s->here[which] & ~s->votes[which]);
    s->here[which] = 0;
    vm_barriers_changed(w->block);
    return true;
}

/* Begin the next phase where nobody is missing. */
static void fill(struct vm_block *b, struct vm_bar *bar)
{
    if (bar->arrived == 0 || bar->arrived < (bar->everybody ? count_everybody(b) : bar->expected))
        return;
    *bar = (struct vm_bar){.phase = bar->phase + 1, .result = bar->gathering};
    vm_barriers_changed(b);
}

static void write_votes(struct vm_warp *w, const struct vm_instruction *i, const struct vm_bar *bar, uint32_t lanes)
{
    const struct vm_votes *v = &bar->result;
    uint64_t value = i->extra[EXTRA_KIND] == BAR_RED_POPC  ? v->set
                     : i->extra[EXTRA_KIND] == BAR_RED_AND ? v->clear == 0
                                                           : v->set != 0;
    uint64_t row[VM_LANES];
    for (uint32_t lane = 0; lane < VM_LANES; lane++)
        row[lane] = value;
    vm_write_operand(w, vm_argument(vm_warp_program(w), i, 0), row, lanes);
}

static enum vm_step run_bar(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct vm_bar_warp *s = vm_bar_warp_of(w);
    uint64_t which, threads;
    if (!read_bar(w, i, lanes, &which, &threads))
        return VM_FAULT;
    struct vm_bar *bar = &w->block->barriers->bar[which];
    if (lanes & ~w->between)
        enter(w, i, lanes & ~w->between, which);
    if (s->here[which] != 0 && vm_all_here(w, s->here[which], UINT32_MAX) && !arrive(w, i, which, threads))
        return VM_FAULT;
    fill(w->block, bar);
    for (uint32_t lane = 0; lane < VM_LANES; lane++)
        if (lanes >> lane & 1 &&
            (w->ticket[lane] == NOT_YET || (i->extra[EXTRA_KIND] != BAR_ARRIVE && w->ticket[lane] == bar->phase)))
            return VM_WAIT;
    w->between &= ~lanes;
    if (i->extra[EXTRA_KIND] >= BAR_RED_POPC)
        write_votes(w, i, bar, lanes);
    return VM_NEXT;
}

/* barrier without .cta, bar: the same. The order of words is fixed enough that each is looked for by itself. */
static const char *prepare_bar(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const kinds[] = {"sync", "arrive", "red", NULL}, *const reds[] = {"popc", "and", "or", NULL};
    (void)p;
    vm_take(i, "cta");
    int kind = vm_take_of(i, kinds);
    int red = kind == BAR_RED_POPC ? vm_take_of(i, reds) : 0;
    if (kind < 0 || red < 0)
        return "neither sync nor arrive nor red";
    if (kind == BAR_RED_POPC && vm_take_type(i) != (red == 0 ? VM_U32 : VM_PRED))
        return "a reduction of another type";
    bool reduces = kind == BAR_RED_POPC;
    bool aligned = vm_take(i, "aligned");
    uint32_t least = kind == BAR_ARRIVE ? 2 : reduces ? 3 : 1, most = reduces ? 4 : 2;
    if (i->operands < least || i->operands > most)
        return "an odd number of operands";
    i->extra[EXTRA_KIND] = (uint64_t)(kind + red);
    i->extra[EXTRA_FIRST] = reduces;
    i->extra[EXTRA_COUNTED] = i->operands == most;
    i->extra[EXTRA_ALIGNED] = aligned || i->opcode[3] == '\0'; /* bar is barrier.aligned */
    i->type = VM_U32;
    i->run = run_bar;
    return NULL;
}

/* All threads of the cluster that have not exited stand between an arrive and their wait. */
static bool cluster_filled(const struct vm_cluster *c)
{
    for (uint32_t b = 0; b < c->blocks; b++)
        for (uint32_t n = 0; n < c->block[b].warps; n++) {
            const struct vm_warp *w = &c->block[b].warp[n];
            const struct vm_bar_warp *s = vm_bar_warp_of(w);
            for (uint32_t lane = 0; lane < VM_LANES; lane++)
                if (w->alive >> lane & 1 && !(s->cluster >> lane & 1 && s->cluster_phase[lane] == c->phase))
                    return false;
        }
    return true;
}

static enum vm_step run_cluster_arrive(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct vm_cluster *c = w->block->cluster;
    struct vm_bar_warp *s = vm_bar_warp_of(w);
    if (i->extra[EXTRA_ALIGNED] && !vm_all_here(w, lanes, UINT32_MAX))
        return VM_WAIT;
    if (s->cluster & lanes)
        return vm_fault(w, i, STATUS_SUBJECT,
                        "a thread arrives at the barrier of the cluster a second time without "
                        "waiting in between");
    s->cluster |= lanes;
    for (uint32_t lane = 0; lane < VM_LANES; lane++)
        if (lanes >> lane & 1)
            s->cluster_phase[lane] = c->phase;
    c->arrived += count_lanes(lanes);
    vm_barriers_changed(w->block);
    return VM_NEXT;
}

static enum vm_step run_cluster_wait(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct vm_cluster *c = w->block->cluster;
    struct vm_bar_warp *s = vm_bar_warp_of(w);
    if (i->extra[EXTRA_ALIGNED] && !vm_all_here(w, lanes, UINT32_MAX))
        return VM_WAIT;
    if (lanes & ~s->cluster)
        return vm_fault(w, i, STATUS_SUBJECT, "a thread waits at the barrier of the cluster without having arrived");
    bool waits = false;
    for (uint32_t lane = 0; lane < VM_LANES; lane++)
        waits = waits || (lanes >> lane & 1 && s->cluster_phase[lane] == c->phase);
    if (waits && !cluster_filled(c))
        return VM_WAIT;
    if (waits) {
        c->phase++;
        c->arrived = 0;
        vm_barriers_changed(w->block);
    }
    s->cluster &= ~lanes;
    return VM_NEXT;
}

static const char *prepare_cluster(struct vm_instruction *i, vm_execute *run)
{
    i->extra[EXTRA_ALIGNED] = vm_take(i, "aligned");
    if (i->operands != 0)
        return "operands";
    i->run = run;
    return NULL;
}

static const char *prepare_cluster_arrive(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const orders[] = {"release", "relaxed", NULL};
    (void)p;
    vm_take_of(i, orders);
    return prepare_cluster(i, run_cluster_arrive);
}

static const char *prepare_cluster_wait(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    vm_take(i, "acquire");
    return prepare_cluster(i, run_cluster_wait);
}

const struct vm_op vm_ops_barrier[] = {
    {"bar", prepare_bar},
    {"barrier", prepare_bar},
    {"barrier.cluster.arrive", prepare_cluster_arrive},
    {"barrier.cluster.wait", prepare_cluster_wait},
    {NULL, NULL},
};
