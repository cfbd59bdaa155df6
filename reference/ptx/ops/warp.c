/* What the lanes of a mask do together.
 *
 * Each lane names in its member mask with whom. Lanes that stand here and name the same mask form a group; a group goes
 * on when all its members that live stand here with that mask, whatever the others do.
 * source: PTX ISA 9.0, "Data Movement and Conversion Instructions": shfl.sync; "Parallel Synchronization and
 * Communication Instructions": vote.sync, match.sync, activemask, redux.sync, elect.sync, bar.warp.sync. */
#include "reference/ptx/ops/operand.h"
#include "reference/ptx/warp.h"

/* Do it for one whole group; out: what the lanes of the group get, and the predicates. in, b, c: the operands. */
struct group {
    uint32_t lanes, mask;
    const uint64_t *in, *b, *c;
    uint64_t *out, *out2;
};
typedef void together(struct vm_warp *w, const struct vm_instruction *i, const struct group *g);

enum { MODE, TOGETHER, SOURCES, TARGETS }; /* of extra; TOGETHER: index in acts */

static bool is_in(uint32_t lanes, unsigned lane)
{
    return (lanes >> lane & 1) != 0;
}

static unsigned lowest(uint32_t lanes)
{
    return (unsigned)__builtin_ctz(lanes);
}

enum shuffle { SHUFFLE_UP, SHUFFLE_DOWN, SHUFFLE_BFLY, SHUFFLE_IDX };

/* The lane that a lane reads. *in_range: is it inside the lane's segment (else the lane reads itself)?
 * c holds in bits 4..0 how far lanes may reach, in bits 12..8 which bits of a lane number name its segment. */
static unsigned shuffle_from(enum shuffle mode, unsigned lane, uint32_t b, uint32_t c, bool *in_range)
{
    unsigned by = b & 31, clamp = c & 31, segment = c >> 8 & 31;
    int most = (int)((lane & segment) | (clamp & ~segment)), from = 0;
    switch (mode) {
    case SHUFFLE_UP:
        from = (int)lane - (int)by;
        break;
    case SHUFFLE_DOWN:
        from = (int)(lane + by);
        break;
    case SHUFFLE_BFLY:
        from = (int)(lane ^ by);
        break;
    case SHUFFLE_IDX:
        from = (int)((lane & segment) | (by & ~segment));
        break;
    }
    *in_range = mode == SHUFFLE_UP ? from >= most : from <= most;
    return *in_range ? (unsigned)from : lane;
}

static void act_shuffle(struct vm_warp *w, const struct vm_instruction *i, const struct group *g)
{
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        if (!is_in(g->lanes, lane))
            continue;
        bool in_range;
        unsigned from =
            shuffle_from((enum shuffle)i->extra[MODE], lane, (uint32_t)g->b[lane], (uint32_t)g->c[lane], &in_range);
        if (!is_in(g->lanes, from)) {
            vm_hazard(w, i, "A shuffle from a lane that does not take part", "lane %u reads lane %u", lane, from);
            from = lane;
        }
        g->out[lane] = g->in[from];
        g->out2[lane] = in_range;
    }
}

enum vote { VOTE_ALL, VOTE_ANY, VOTE_UNI, VOTE_BALLOT };

static void act_vote(struct vm_warp *w, const struct vm_instruction *i, const struct group *g)
{
    (void)w;
    uint32_t ballot = 0;
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (is_in(g->lanes, lane) && g->in[lane] != 0)
            ballot |= UINT32_C(1) << lane;
    const uint32_t answer[] = {[VOTE_ALL] = ballot == g->lanes,
                               [VOTE_ANY] = ballot != 0,
                               [VOTE_UNI] = ballot == g->lanes || ballot == 0,
                               [VOTE_BALLOT] = ballot};
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (is_in(g->lanes, lane))
            g->out[lane] = answer[i->extra[MODE]];
}

static uint32_t lanes_with(const struct group *g, uint64_t value)
{
    uint32_t with = 0;
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (is_in(g->lanes, lane) && g->in[lane] == value)
            with |= UINT32_C(1) << lane;
    return with;
}

static void act_match_any(struct vm_warp *w, const struct vm_instruction *i, const struct group *g)
{
    (void)w, (void)i;
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (is_in(g->lanes, lane))
            g->out[lane] = lanes_with(g, g->in[lane]);
}

static void act_match_all(struct vm_warp *w, const struct vm_instruction *i, const struct group *g)
{
    (void)w, (void)i;
    bool all = lanes_with(g, g->in[lowest(g->lanes)]) == g->lanes;
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (is_in(g->lanes, lane)) {
            g->out[lane] = all ? g->lanes : 0;
            g->out2[lane] = all;
        }
}

/* Which lane is elected is not said, only that it is always the same: the lowest. */
static void act_elect(struct vm_warp *w, const struct vm_instruction *i, const struct group *g)
{
    (void)w, (void)i;
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (is_in(g->lanes, lane)) {
            g->out[lane] = lowest(g->lanes);
            g->out2[lane] = lane == lowest(g->lanes);
        }
}

enum reduction { REDUX_ADD, REDUX_MIN, REDUX_MAX, REDUX_AND, REDUX_OR, REDUX_XOR };

static uint32_t reduce(enum reduction how, bool is_signed, uint32_t x, uint32_t y)
{
    /* Signed numbers compare as unsigned ones do with the sign turned round. */
    uint32_t sign = is_signed ? UINT32_C(1) << 31 : 0;
    bool less = (x ^ sign) < (y ^ sign);
    switch (how) {
    case REDUX_ADD:
        return x + y;
    case REDUX_MIN:
        return less ? x : y;
    case REDUX_MAX:
        return less ? y : x;
    case REDUX_AND:
        return x & y;
    case REDUX_OR:
        return x | y;
    default:
        return x ^ y;
    }
}

static void act_redux(struct vm_warp *w, const struct vm_instruction *i, const struct group *g)
{
    (void)w;
    uint32_t sum = (uint32_t)g->in[lowest(g->lanes)];
    for (unsigned lane = lowest(g->lanes) + 1; lane < VM_LANES; lane++)
        if (is_in(g->lanes, lane))
            sum = reduce((enum reduction)i->extra[MODE], vm_type_signed(i->type), sum, (uint32_t)g->in[lane]);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (is_in(g->lanes, lane))
            g->out[lane] = sum;
}

static void act_nothing(struct vm_warp *w, const struct vm_instruction *i, const struct group *g)
{
    (void)w, (void)i, (void)g;
}

enum act { ACT_SHUFFLE, ACT_VOTE, ACT_MATCH_ANY, ACT_MATCH_ALL, ACT_ELECT, ACT_REDUX, ACT_NOTHING };
static together *const acts[] = {
    [ACT_SHUFFLE] = act_shuffle,     [ACT_VOTE] = act_vote,   [ACT_MATCH_ANY] = act_match_any,
    [ACT_MATCH_ALL] = act_match_all, [ACT_ELECT] = act_elect, [ACT_REDUX] = act_redux,
    [ACT_NOTHING] = act_nothing,
};

/* Act for every group that is whole; ready: their lanes. */
static enum vm_step act_for_groups(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes,
                                   const uint64_t mask[VM_LANES], struct group *g, uint32_t *ready)
{
    *ready = 0;
    for (uint32_t left = lanes; left != 0; left &= ~g->lanes) {
        g->mask = (uint32_t)mask[lowest(left)];
        g->lanes = 0;
        for (unsigned lane = lowest(left); lane < VM_LANES; lane++)
            if (is_in(left, lane) && (uint32_t)mask[lane] == g->mask)
                g->lanes |= UINT32_C(1) << lane;
        if (g->lanes & ~g->mask)
            return vm_fault(w, i, STATUS_SUBJECT, "lane %u is not in its own member mask 0x%08x",
                            lowest(g->lanes & ~g->mask), (unsigned)g->mask);
        if (!vm_all_here(w, g->lanes, g->mask))
            continue;
        acts[i->extra[TOGETHER]](w, i, g);
        *ready |= g->lanes;
    }
    return VM_NEXT;
}

/* The targets of d, p or d|p; NULL where there is none. */
static void targets(const struct vm_program *p, const struct vm_instruction *i, const struct vm_operand **d,
                    const struct vm_operand **pred)
{
    uint32_t count;
    *d = *pred = NULL;
    if (i->extra[TARGETS] == 0)
        return;
    const struct vm_operand *o = vm_operand_elements(p, vm_argument(p, i, 0), &count);
    *d = &o[0];
    *pred = count > 1 ? &o[1] : NULL;
}

static enum vm_step run_together(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    uint64_t room[4][VM_LANES], out[VM_LANES] = {0}, out2[VM_LANES] = {0};
    const uint64_t *source[4] = {NULL};
    const struct vm_operand *d, *pred;
    uint32_t ready, first = (uint32_t)i->extra[TARGETS], sources = (uint32_t)i->extra[SOURCES];
    for (uint32_t n = 0; n <= sources; n++)
        source[n] = vm_read_operand(w, vm_argument(p, i, first + n), room[n]);
    struct group g = {.in = source[0], .b = source[1], .c = source[2], .out = out, .out2 = out2};
    if (act_for_groups(w, i, lanes, source[sources], &g, &ready) == VM_FAULT)
        return VM_FAULT;
    if (ready == 0)
        return VM_WAIT;
    targets(p, i, &d, &pred);
    if (d)
        vm_write_operand(w, d, out, ready);
    if (pred)
        vm_write_operand(w, pred, out2, ready);
    if (ready == lanes)
        return VM_NEXT;
    uint32_t here = (uint32_t)(i - p->instruction);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (is_in(lanes, lane))
            w->pc[lane] = here + is_in(ready, lane);
    return VM_JUMPED;
}

static enum vm_step run_activemask(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t value[VM_LANES];
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        value[lane] = lanes;
    vm_write_operand(w, vm_argument(vm_warp_program(w), i, 0), value, lanes);
    return VM_NEXT;
}

/* How many bits each operand has; 0: none. d may be d|p where pair is set. */
struct shape {
    unsigned target, source, b, c;
    enum { NO_PAIR, MAY_PAIR, MUST_PAIR } pair;
};

static bool targets_fit(const struct vm_program *p, const struct vm_instruction *i, const struct shape *s)
{
    const struct vm_operand *o = vm_argument(p, i, 0);
    if (o->kind == VM_PAIR)
        return s->pair != NO_PAIR && vm_is_target(&p->element[o->first], s->target) &&
               vm_is_target(&p->element[o->first + 1], 1);
    return s->pair != MUST_PAIR && vm_is_target(o, s->target);
}

/* The common end of prepare: targets, sources, member mask. */
static const char *finish(const struct vm_program *p, struct vm_instruction *i, enum act act, const struct shape *s)
{
    if (vm_words_left(i))
        return vm_why_words;
    i->run = run_together;
    i->extra[TOGETHER] = (uint64_t)act;
    i->extra[TARGETS] = s->target != 0;
    i->extra[SOURCES] = (uint64_t)((s->source != 0) + (s->b != 0) + (s->c != 0));
    const unsigned bits[] = {s->source, s->b, s->c};
    uint32_t n = (uint32_t)i->extra[TARGETS];
    if (i->operands != i->extra[TARGETS] + i->extra[SOURCES] + 1 || (s->target != 0 && !targets_fit(p, i, s)))
        return vm_why_operands;
    for (size_t k = 0; k < sizeof bits / sizeof *bits; k++)
        if (bits[k] != 0 && !vm_is_source(vm_argument(p, i, n++), bits[k]))
            return vm_why_operands;
    return vm_is_source(vm_argument(p, i, n), 32) ? NULL : vm_why_operands;
}

static const char *prepare_shfl(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const modes[] = {"up", "down", "bfly", "idx", NULL};
    static const struct shape shape = {32, 32, 32, 32, MAY_PAIR};
    int mode = vm_take_of(i, modes);
    i->type = VM_B32;
    if (mode < 0 || !vm_take(i, "sync") || !vm_take(i, "b32"))
        return vm_why_words;
    i->extra[MODE] = (uint64_t)mode;
    return finish(p, i, ACT_SHUFFLE, &shape);
}

static const char *prepare_vote(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const modes[] = {"all", "any", "uni", "ballot", NULL};
    int mode = vm_take_of(i, modes);
    bool ballot = mode == VOTE_BALLOT;
    if (mode < 0 || !vm_take(i, "sync") || !vm_take(i, ballot ? "b32" : "pred"))
        return vm_why_words;
    i->type = VM_PRED;
    i->extra[MODE] = (uint64_t)mode;
    return finish(p, i, ACT_VOTE, &(struct shape){.target = ballot ? 32 : 1, .source = 1});
}

static const char *prepare_match(const struct vm_program *p, struct vm_instruction *i)
{
    bool all = vm_take(i, "all");
    if ((!all && !vm_take(i, "any")) || !vm_take(i, "sync"))
        return vm_why_words;
    i->type = vm_take_type(i);
    if (i->type != VM_B32 && i->type != VM_B64)
        return vm_why_words;
    const struct shape shape = {.target = 32, .source = vm_type_bits(i->type), .pair = all ? MAY_PAIR : NO_PAIR};
    return finish(p, i, all ? ACT_MATCH_ALL : ACT_MATCH_ANY, &shape);
}

static const char *prepare_redux(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const modes[] = {"add", "min", "max", "and", "or", "xor", NULL};
    int mode = vm_take_of(i, modes);
    if (mode < 0 || !vm_take(i, "sync"))
        return vm_why_words;
    i->type = vm_take_type(i);
    bool arithmetic = mode <= REDUX_MAX;
    if (arithmetic ? i->type != VM_U32 && i->type != VM_S32 : i->type != VM_B32)
        return vm_why_words;
    i->extra[MODE] = (uint64_t)mode;
    return finish(p, i, ACT_REDUX, &(struct shape){.target = 32, .source = 32});
}

static const char *prepare_elect(const struct vm_program *p, struct vm_instruction *i)
{
    static const struct shape shape = {.target = 32, .pair = MUST_PAIR};
    i->type = VM_B32;
    return vm_take(i, "sync") ? finish(p, i, ACT_ELECT, &shape) : vm_why_words;
}

static const char *prepare_bar_warp(const struct vm_program *p, struct vm_instruction *i)
{
    static const struct shape nothing = {0};
    i->type = VM_B32;
    return vm_take(i, "sync") ? finish(p, i, ACT_NOTHING, &nothing) : vm_why_words;
}

static const char *prepare_activemask(const struct vm_program *p, struct vm_instruction *i)
{
    i->run = run_activemask;
    if (!vm_take(i, "b32") || vm_words_left(i))
        return vm_why_words;
    i->type = VM_B32;
    return i->operands == 1 && vm_is_target(vm_argument(p, i, 0), 32) ? NULL : vm_why_operands;
}

const struct vm_op vm_ops_warp[] = {
    {"shfl", prepare_shfl},         {"vote", prepare_vote},
    {"match", prepare_match},       {"redux", prepare_redux},
    {"elect", prepare_elect},       {"activemask", prepare_activemask},
    {"bar.warp", prepare_bar_warp}, {NULL, NULL},
};
