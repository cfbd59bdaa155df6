/* Calls. source: PTX ISA 9.0, "Control Flow Instructions: call", "ret", "Function Declarations and Definitions". */
#include "reference/ptx/ops/call.h"

#include <string.h>

#include "reference/ptx/warp.h"

/* Where the three parts stand: extra[RESULTS] and extra[ARGUMENTS] are numbers of operands, NONE for none. */
enum { FUNCTION, RESULTS, ARGUMENTS };
#define NONE UINT64_MAX

static const struct vm_operand *part(const struct vm_program *p, const struct vm_instruction *i, int which)
{
    return i->extra[which] == NONE ? NULL : vm_argument(p, i, (uint32_t)i->extra[which]);
}

static uint8_t *local_bytes(const struct vm_warp *w, unsigned lane, uint64_t at)
{
    return w->local + lane * vm_warp_program(w)->local_bytes + at;
}

/* Does the lane already stand in this function, or in one that will come back to it? */
static bool is_recursive(const struct vm_warp *w, unsigned lane, uint32_t pc, const struct vm_function *f)
{
    bool within = pc - f->first < f->instructions;
    for (uint32_t n = 0; n < w->depth[lane]; n++)
        within = within || w->back[lane][n] - 1 - f->first < f->instructions;
    return within;
}

static void pass_arguments(struct vm_warp *w, unsigned lane, const struct vm_instruction *i,
                           const struct vm_function *f)
{
    const struct vm_program *p = vm_warp_program(w);
    const struct vm_operand *list = part(p, i, ARGUMENTS);
    uint64_t room[VM_LANES];
    for (uint32_t n = 0; list && n < list->count; n++) {
        const struct vm_operand *o = &p->element[list->first + n];
        const struct vm_variable *formal = &p->variable[f->parameter + n];
        const void *from =
            o->kind == VM_SYMBOL ? (const void *)local_bytes(w, lane, o->value) : &vm_read_operand(w, o, room)[lane];
        memcpy(local_bytes(w, lane, formal->at), from, formal->bytes);
    }
}

static enum vm_step run_call(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    const struct vm_function *f = &p->function[part(p, i, FUNCTION)->value];
    uint32_t pc = (uint32_t)(i - p->instruction);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        if (!(lanes >> lane & 1))
            continue;
        if (w->depth[lane] == VM_DEPTH || is_recursive(w, lane, pc, f))
            return vm_fault(w, i, STATUS_UNSUPPORTED, "%s of `%s` is not modelled",
                            w->depth[lane] == VM_DEPTH ? "a deeper call" : "a recursive call", f->name);
        pass_arguments(w, lane, i, f);
        w->back[lane][w->depth[lane]++] = pc + 1;
        w->pc[lane] = f->first;
    }
    return VM_JUMPED;
}

/* Of a function that is only declared: whatever the kernel wants of it (to print, to abort), it cannot go on. */
static enum vm_step run_foreign(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    const char *name = p->function[part(p, i, FUNCTION)->first].name;
    bool aborts = strcmp(name, "__assertfail") == 0;
    return vm_fault(w, i, aborts ? STATUS_SUBJECT : STATUS_UNSUPPORTED, "lane %d calls `%s`, which has no body",
                    __builtin_ctz(lanes), name);
}

static void pass_results(struct vm_warp *w, unsigned lane, const struct vm_instruction *call)
{
    const struct vm_program *p = vm_warp_program(w);
    const struct vm_function *f = &p->function[part(p, call, FUNCTION)->value];
    const struct vm_operand *list = part(p, call, RESULTS);
    for (uint32_t n = 0; list && n < list->count; n++) {
        const struct vm_operand *o = &p->element[list->first + n];
        const struct vm_variable *formal = &p->variable[f->result + n];
        const uint8_t *from = local_bytes(w, lane, formal->at);
        uint64_t value[VM_LANES] = {0};
        if (o->kind == VM_SYMBOL) {
            memcpy(local_bytes(w, lane, o->value), from, formal->bytes);
        } else {
            memcpy(&value[lane], from, formal->bytes);
            vm_write_operand(w, o, value, UINT32_C(1) << lane);
        }
    }
}

static enum vm_step run_return(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    uint32_t ends = 0;
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        if (!(lanes >> lane & 1))
            continue;
        if (w->depth[lane] == 0) {
            ends |= UINT32_C(1) << lane;
            continue;
        }
        uint32_t back = w->back[lane][--w->depth[lane]];
        pass_results(w, lane, &p->instruction[back - 1]);
        w->pc[lane] = back;
    }
    return ends ? vm_control_exit(w, i, ends) : VM_JUMPED;
}

/* Do the elements of a list stand for these parameters? */
static bool agrees(const struct vm_program *p, const struct vm_operand *list, uint32_t first, uint32_t number)
{
    if ((list ? list->count : 0) != number)
        return false;
    for (uint32_t n = 0; n < number; n++) {
        const struct vm_operand *o = &p->element[list->first + n];
        const struct vm_variable *formal = &p->variable[first + n];
        bool same = o->kind == VM_SYMBOL
                        ? o->space == VM_LOCAL && o->value == 0 && p->variable[o->variable].bytes == formal->bytes
                        : (o->kind == VM_REGISTER || o->kind == VM_IMMEDIATE) && formal->bytes <= sizeof(uint64_t);
        if (!same)
            return false;
    }
    return true;
}

const char *vm_call_prepare(const struct vm_program *p, struct vm_instruction *i)
{
    vm_take(i, "uni");
    i->extra[FUNCTION] = i->extra[RESULTS] = i->extra[ARGUMENTS] = NONE;
    for (uint32_t n = 0; n < i->operands; n++) {
        const struct vm_operand *o = vm_argument(p, i, n);
        bool behind = i->extra[FUNCTION] != NONE;
        int which = o->kind == VM_FUNCTION ? FUNCTION : behind ? ARGUMENTS : RESULTS;
        if ((o->kind != VM_FUNCTION && o->kind != VM_VECTOR) || i->extra[which] != NONE)
            return "a call by address";
        i->extra[which] = n;
    }
    const struct vm_operand *name = part(p, i, FUNCTION);
    if (!name)
        return "a call by address";
    if (name->value == VM_NONE) {
        i->run = run_foreign;
        return NULL;
    }
    const struct vm_function *f = &p->function[name->value];
    if (f->entry) /* whose parameters lie elsewhere */
        return "a call of a kernel";
    i->run = run_call;
    if (!agrees(p, part(p, i, RESULTS), f->result, f->results) ||
        !agrees(p, part(p, i, ARGUMENTS), f->parameter, f->parameters))
        return "arguments or results of other sizes than declared";
    return NULL;
}

const char *vm_call_prepare_return(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    vm_take(i, "uni");
    i->run = run_return;
    return i->operands ? "ret takes nothing" : NULL;
}
