/* wgmma.mma_async, wgmma.fence, wgmma.commit_group, wgmma.wait_group.
 * source: PTX ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate Instructions". */
#include "reference/ptx/ops/wgmma.h"

#include <stdio.h>
#include <string.h>

#include "reference/ptx/hooks.h"
#include "reference/ptx/ops.h"
#include "reference/ptx/poison.h"

/* What prepare leaves in extra. */
enum { FAMILY, COLUMNS, SOURCE, FLAGS };
enum { NEGATE_A = 1, NEGATE_B = 2, MN_A = 4, MN_B = 8, SATURATE = 16 };

struct wgmma_form wgmma_form_of(const struct vm_instruction *i)
{
    const struct wgmma_family *f = wgmma_family_at((size_t)i->extra[FAMILY]);
    const uint64_t flags = i->extra[FLAGS];
    struct wgmma_form form = {
        .op = {f, (int)i->extra[COLUMNS], (enum wgmma_source)i->extra[SOURCE]},
        .negate_a = flags & NEGATE_A,
        .negate_b = flags & NEGATE_B,
        .mn_a = flags & MN_A,
        .mn_b = flags & MN_B,
    };
    form.sum = tile_sum_of_wgmma(&form.op);
    form.sum.saturate = flags & SATURATE;
    return form;
}

uint32_t wgmma_row(const struct vm_warp *w, const struct vm_instruction *i, uint32_t operand, uint32_t r)
{
    const struct vm_program *p = vm_warp_program(w);
    return p->element[vm_argument(p, i, operand)->first + r].reg;
}

struct vm_warp *wgmma_leader(const struct vm_warp *w)
{
    return &w->block->warp[w->index - w->index % WGMMA_WARPS];
}

/* ---- prepare ----------------------------------------------------------------------------------------------------- */

/* The words that are left, joined as reference/wgmma.h writes an operation; all are taken. */
static bool parse_op(struct vm_instruction *i, enum wgmma_source source, struct wgmma_op *op)
{
    char name[WGMMA_NAME_SIZE] = "wgmma";
    size_t length = strlen(name);
    for (uint32_t n = 0; n < i->words; n++)
        if ((i->words_used >> n & 1) == 0) {
            int more = snprintf(name + length, sizeof name - length, ".%s", i->word[n]);
            length += (size_t)more;
            if (length >= sizeof name)
                return false;
            i->words_used |= UINT32_C(1) << n;
        }
    snprintf(name + length, sizeof name - length, source == WGMMA_RS ? ".rs" : ".ss");
    return wgmma_parse(name, op, NULL) == STATUS_OK;
}

static bool is_vector(const struct vm_program *p, const struct vm_operand *o, uint32_t count)
{
    if (o->kind != VM_VECTOR || o->count != count)
        return false;
    for (uint32_t r = 0; r < count; r++)
        if (p->element[o->first + r].kind != VM_REGISTER || p->element[o->first + r].bits != 32)
            return false;
    return true;
}

/* Operands scale and transpose. returns NULL or what is wrong. */
static const char *take_flags(const struct vm_program *p, struct vm_instruction *i, const struct wgmma_op *op)
{
    const bool integer = strcmp(op->family->d, "s32") == 0, wide = op->family->a_bits == 16;
    const uint32_t transposes = wide ? (op->source == WGMMA_RS ? 1 : 2) : 0;
    const uint32_t operands = integer ? WGMMA_NEGATE_A : WGMMA_TRANSPOSE + transposes;
    if (i->operands != operands)
        return "with this number of operands";
    uint64_t flags = 0;
    for (uint32_t n = WGMMA_NEGATE_A; n < operands; n++) {
        const struct vm_operand *o = vm_argument(p, i, n);
        const uint64_t value = o->negated ? -o->value : o->value;
        const bool negates = n < WGMMA_TRANSPOSE;
        if (o->kind != VM_IMMEDIATE || (value != 1 && value != (negates ? UINT64_MAX : 0)))
            return "with these scales or transpositions";
        if (negates && value != 1)
            flags |= n == WGMMA_NEGATE_A ? NEGATE_A : NEGATE_B;
        if (!negates && value == 1)
            flags |= n + 1 == operands ? MN_B : MN_A;
    }
    i->extra[FLAGS] = flags;
    return NULL;
}

static enum vm_step run_mma(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes);

static const char *prepare_mma(const struct vm_program *p, struct vm_instruction *i)
{
    struct wgmma_op op;
    if (!vm_take(i, "sync") || !vm_take(i, "aligned"))
        return "without .sync.aligned";
    const bool saturate = vm_take(i, "satfinite");
    if (i->operands <= WGMMA_ADD)
        return "with this number of operands";
    const enum wgmma_source source = vm_argument(p, i, WGMMA_A)->kind == VM_VECTOR ? WGMMA_RS : WGMMA_SS;
    if (!parse_op(i, source, &op))
        return "of this shape or these types";
    const char *wrong = take_flags(p, i, &op);
    if (wrong)
        return wrong;
    const bool integer = strcmp(op.family->d, "s32") == 0;
    const struct vm_operand *add = vm_argument(p, i, WGMMA_ADD);
    if (saturate && !integer)
        return "with .satfinite for a float";
    if (!is_vector(p, vm_argument(p, i, WGMMA_D), (uint32_t)(op.n * op.family->d_bits / 64)))
        return "with this D";
    if (source == WGMMA_RS && !is_vector(p, vm_argument(p, i, WGMMA_A), WGMMA_A_REGISTERS))
        return "with this A";
    if (vm_argument(p, i, WGMMA_B)->kind != VM_REGISTER ||
        (source == WGMMA_SS && vm_argument(p, i, WGMMA_A)->kind != VM_REGISTER))
        return "with a descriptor that is no register";
    if (add->kind != VM_REGISTER && add->kind != VM_IMMEDIATE)
        return "with this scale-d";
    size_t family = 0;
    while (wgmma_family_at(family) != op.family)
        family++;
    i->extra[FAMILY] = family;
    i->extra[COLUMNS] = (uint64_t)op.n;
    i->extra[SOURCE] = source;
    i->extra[FLAGS] |= saturate ? SATURATE : 0;
    i->type = VM_B64;
    i->run = run_mma;
    return NULL;
}

static const char *refuse_sparse(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    (void)i;
    return "of sparse operands";
}

/* ---- issue ------------------------------------------------------------------------------------------------------- */

/* wgmma is for whole warpgroups; NULL or why this is none. */
static const char *broken_group(const struct vm_warp *w)
{
    const struct vm_warp *four = wgmma_leader(w);
    if (w->index - w->index % WGMMA_WARPS + WGMMA_WARPS > w->block->warps)
        return "the block has no four warps for this warpgroup";
    for (int v = 0; v < WGMMA_WARPS; v++)
        if (four[v].exists != UINT32_MAX)
            return "the warpgroup has less than 128 threads";
    return w->alive == UINT32_MAX ? NULL : "threads of the warp have exited";
}

/* The value of an operand that must be the same for all lanes. */
static uint64_t uniform(struct vm_warp *w, const struct vm_instruction *i, uint32_t n)
{
    uint64_t room[VM_LANES];
    const uint64_t *value = vm_read_operand(w, vm_argument(vm_warp_program(w), i, n), room);
    for (unsigned lane = 1; lane < VM_LANES; lane++)
        if (value[lane] != value[0]) {
            vm_hazard(w, i, "wgmma operand differs between threads", "operand %u is %llx in lane 0, %llx in lane %u",
                      n + 1, (unsigned long long)value[0], (unsigned long long)value[lane], lane);
            break;
        }
    return value[0];
}

static struct wgmma_flight *flight_of(const struct vm_warp *w, uint64_t sequence)
{
    const struct vm_wgmma *g = w->wgmma;
    return &g->flight[sequence - (g->issued - g->flights)];
}

/* All four warps have issued it; w was the last. */
static enum vm_step begin(struct vm_warp *w, uint64_t sequence)
{
    struct vm_warp *four = wgmma_leader(w);
    const struct wgmma_flight *f = flight_of(four, sequence);
    for (int v = 1; v < WGMMA_WARPS; v++) {
        const struct wgmma_flight *other = flight_of(&four[v], sequence);
        if (other->instruction != f->instruction)
            return vm_fault(&four[v], other->instruction, STATUS_SUBJECT,
                            "the first warp of the warpgroup executes another wgmma, that of line %u",
                            f->instruction->line);
        if (other->a != f->a || other->b != f->b || other->add != f->add)
            vm_hazard(w, f->instruction, "wgmma operand differs between threads",
                      "descriptors or scale-d of warps %u and %u", four->index, four[v].index);
    }
    enum vm_step s = wgmma_check_operands(w, f);
    return s == VM_NEXT && w->block->vm->launch.order == VM_EARLY ? wgmma_compute(four, sequence) : s;
}

static bool all_issued(const struct vm_warp *w, uint64_t sequence)
{
    const struct vm_warp *four = wgmma_leader(w);
    for (int v = 0; v < WGMMA_WARPS; v++)
        if (four[v].wgmma->issued <= sequence)
            return false;
    return true;
}

enum vm_step wgmma_compute_until(struct vm_warp *w, uint64_t until)
{
    if (!all_issued(w, until - 1))
        return VM_WAIT;
    while (w->wgmma->computed < until)
        if (wgmma_compute(wgmma_leader(w), w->wgmma->computed) == VM_FAULT)
            return VM_FAULT;
    return VM_NEXT;
}

static enum vm_step run_mma(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const char *broken = broken_group(w);
    if (broken)
        return vm_fault(w, i, STATUS_SUBJECT, "%s", broken);
    if (!vm_all_here(w, lanes, UINT32_MAX))
        return VM_WAIT;
    struct wgmma_flight f = {.instruction = i, .group = w->wgmma->group};
    if (i->extra[SOURCE] == WGMMA_SS)
        f.a = uniform(w, i, WGMMA_A);
    f.b = uniform(w, i, WGMMA_B);
    f.add = uniform(w, i, WGMMA_ADD) != 0;
    if (f.b == VM_POISON || f.a == VM_POISON)
        return vm_fault(w, i, STATUS_SUBJECT, "the register of a matrix descriptor was never written");
    if (!wgmma_take_off(w, &f))
        return vm_fault(w, i, STATUS_NO_MEMORY, "no memory for what is in flight");
    if (w == wgmma_leader(w))
        w->block->cluster->wgmma++;
    const uint64_t sequence = w->wgmma->issued - 1;
    return all_issued(w, sequence) ? begin(w, sequence) : VM_NEXT;
}

/* ---- fence, commit, wait ----------------------------------------------------------------------------------------- */

static enum vm_step run_fence(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    if (!vm_all_here(w, lanes, w->exists))
        return VM_WAIT;
    return wgmma_fence(w) ? VM_NEXT : vm_fault(w, i, STATUS_NO_MEMORY, "no memory for the registers of wgmma");
}

static enum vm_step run_commit(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)i;
    if (!vm_all_here(w, lanes, w->exists))
        return VM_WAIT;
    w->wgmma->group++;
    return VM_NEXT;
}

static enum vm_step run_wait(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct vm_wgmma *g = w->wgmma;
    if (!vm_all_here(w, lanes, w->exists))
        return VM_WAIT;
    const uint64_t pending = vm_argument(vm_warp_program(w), i, 0)->value;
    uint32_t count = 0;
    while (count < g->flights && g->flight[count].group + pending < g->group)
        count++;
    if (count == 0)
        return VM_NEXT;
    const enum vm_step s = wgmma_compute_until(w, g->issued - g->flights + count);
    if (s == VM_NEXT)
        wgmma_land(w, count);
    return s;
}

static const char *prepare_plain(struct vm_instruction *i, uint32_t operands, vm_execute *run)
{
    if (!vm_take(i, "sync") || !vm_take(i, "aligned"))
        return "without .sync.aligned";
    if (i->operands != operands)
        return "with this number of operands";
    i->type = VM_B64;
    i->run = run;
    return NULL;
}

static const char *prepare_fence(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    return prepare_plain(i, 0, run_fence);
}

static const char *prepare_commit(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    return prepare_plain(i, 0, run_commit);
}

static const char *prepare_wait(const struct vm_program *p, struct vm_instruction *i)
{
    if (i->operands == 1 && vm_argument(p, i, 0)->kind != VM_IMMEDIATE)
        return "with a number of groups that is no constant";
    return prepare_plain(i, 1, run_wait);
}

const struct vm_op vm_ops_wgmma[] = {
    {"wgmma.mma_async", prepare_mma},       {"wgmma.mma_async.sp", refuse_sparse}, {"wgmma.fence", prepare_fence},
    {"wgmma.commit_group", prepare_commit}, {"wgmma.wait_group", prepare_wait},    {NULL, NULL},
};
