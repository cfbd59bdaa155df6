/* Control: branches, calls, the end of threads. source: PTX ISA 9.0, "Control Flow Instructions", "Miscellaneous
 * Instructions", "setmaxnreg", "griddepcontrol". */
#include "reference/ptx/ops/control.h"

#include "reference/ptx/ops/call.h"
#include "reference/ptx/ops/operand.h"
#include "reference/ptx/warp.h"

enum vm_step vm_control_branch(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint32_t target = vm_control_target(vm_warp_program(w), i);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (lanes >> lane & 1)
            w->pc[lane] = target;
    return VM_JUMPED;
}

static const char *prepare_branch(const struct vm_program *p, struct vm_instruction *i)
{
    vm_take(i, "uni");
    if (vm_words_left(i))
        return "unknown modifier of bra";
    if (i->operands != 1 || vm_argument(p, i, 0)->kind != VM_LABEL)
        return "bra wants one label";
    i->run = vm_control_branch;
    return NULL;
}

static enum vm_step run_branch_indexed(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    const struct vm_operand *targets = vm_argument(p, i, 1);
    uint64_t room[VM_LANES];
    const uint64_t *index = vm_read_operand(w, vm_argument(p, i, 0), room);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        if (!(lanes >> lane & 1))
            continue;
        uint32_t n = (uint32_t)index[lane];
        if (n >= targets->count)
            return vm_fault(w, i, STATUS_SUBJECT, "lane %u branches to target %u of %u", lane, n, targets->count);
        w->pc[lane] = (uint32_t)p->element[targets->first + n].value;
    }
    return VM_JUMPED;
}

static const char *prepare_branch_indexed(const struct vm_program *p, struct vm_instruction *i)
{
    vm_take(i, "uni");
    if (vm_words_left(i))
        return "unknown modifier of brx.idx";
    if (i->operands != 2 || vm_argument(p, i, 1)->kind != VM_TARGETS)
        return "brx.idx wants an index and a list of labels";
    i->run = run_branch_indexed;
    return NULL;
}

enum vm_step vm_control_exit(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)i;
    w->alive &= ~lanes;
    w->block->exited += (uint32_t)__builtin_popcount(lanes);
    return VM_JUMPED;
}

static enum vm_step run_trap(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    return vm_fault(w, i, STATUS_SUBJECT, "lane %d executes %s", __builtin_ctz(lanes), i->opcode);
}

static const char *prepare_exit(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    i->run = vm_control_exit;
    return vm_words_left(i) || i->operands ? "unknown form of exit" : NULL;
}

static const char *prepare_trap(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    i->run = run_trap;
    return vm_words_left(i) || i->operands ? "unknown form of trap" : NULL;
}

/* Time, priorities and numbers of registers: nothing that a result could depend on. */
static const char *prepare_nothing(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const words[] = {"u32", "inc", "dec", "sync", "aligned", "wait", "launch_dependents", NULL};
    (void)p;
    for (int n = 0; words[n]; n++)
        vm_take(i, words[n]);
    i->run = vm_run_nothing;
    return vm_words_left(i) ? "unknown modifier" : NULL;
}

const struct vm_op vm_ops_control[] = {
    {"bra", prepare_branch},         {"brx.idx", prepare_branch_indexed},
    {"exit", prepare_exit},          {"trap", prepare_trap},
    {"brkpt", prepare_trap},         {"nanosleep", prepare_nothing},
    {"setmaxnreg", prepare_nothing}, {"griddepcontrol", prepare_nothing},
    {"pmevent", prepare_nothing},    {"call", vm_call_prepare},
    {"ret", vm_call_prepare_return}, {NULL, NULL},
};
