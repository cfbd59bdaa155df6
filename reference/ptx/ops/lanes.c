#include "reference/ptx/ops/lanes.h"

#include <string.h>

const char lanes_no_form[] = "this form is not modelled";
const char lanes_no_operands[] = "operands of another number or kind than modelled";

bool lanes_take_all(struct vm_instruction *i, const char *const *words)
{
    uint32_t before = i->words_used;
    bool all = true;
    for (int n = 0; n < LANES_MODES && words[n]; n++)
        all = all && vm_take(i, words[n]);
    if (all && !vm_words_left(i))
        return true;
    i->words_used = before;
    return false;
}

static bool is_source(const struct vm_operand *o)
{
    return o->kind == VM_REGISTER || o->kind == VM_SPECIAL || o->kind == VM_IMMEDIATE || o->kind == VM_SYMBOL;
}

const char *lanes_sources(const struct vm_program *p, const struct vm_instruction *i, uint32_t sources)
{
    if (i->operands != sources + 1)
        return lanes_no_operands;
    for (uint32_t n = 1; n <= sources; n++)
        if (!is_source(vm_argument(p, i, n)))
            return lanes_no_operands;
    return NULL;
}

const char *lanes_operands(const struct vm_program *p, const struct vm_instruction *i, uint32_t sources)
{
    const char *why = lanes_sources(p, i, sources);
    if (why)
        return why;
    enum vm_operand_kind d = vm_argument(p, i, 0)->kind;
    return d == VM_REGISTER || d == VM_SINK ? NULL : lanes_no_operands;
}

void lanes_read(const struct vm_warp *w, const struct vm_instruction *i, struct lanes *x, unsigned sources)
{
    const struct vm_program *p = vm_warp_program(w);
    for (unsigned n = 0; n < sources; n++)
        x->s[n] = vm_read_operand(w, vm_argument(p, i, n + 1), x->room[n]);
    for (unsigned n = sources; n < LANES_SOURCES; n++)
        x->s[n] = x->s[0];
}

enum vm_step lanes_write(struct vm_warp *w, const struct vm_instruction *i, const uint64_t d[VM_LANES], uint32_t lanes)
{
    vm_write_operand(w, vm_argument(vm_warp_program(w), i, 0), d, lanes);
    return VM_NEXT;
}

void lanes_extend(struct lanes *x, unsigned n, unsigned bits, bool is_signed)
{
    const uint64_t *from = x->s[n], sign = UINT64_C(1) << (bits - 1), mask = lanes_mask(bits);
    uint64_t *to = x->room[n];
    for (unsigned l = 0; l < VM_LANES; l++)
        to[l] = is_signed ? ((from[l] & mask) ^ sign) - sign : from[l] & mask;
    x->s[n] = to;
}

static void note_division(struct vm_warp *w, const struct vm_instruction *i, const uint64_t *divisor, uint32_t lanes)
{
    for (unsigned l = 0; l < VM_LANES; l++)
        if ((lanes >> l & 1) && divisor[l] == 0)
            vm_hazard(w, i, "A division by zero", "lane %u divides by zero: PTX leaves the result open", l);
}

static enum vm_step run(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct lanes_op *op = (const struct lanes_op *)(uintptr_t)i->extra[0];
    struct lanes x;
    x.bits = (unsigned)i->extra[1];
    lanes_read(w, i, &x, op->sources);
    for (unsigned n = 0; n < op->extended; n++)
        lanes_extend(&x, n, op->width ? op->width : x.bits, vm_type_signed(i->type));
    if (op->divides)
        note_division(w, i, x.s[1], lanes);
    op->kernel(&x);
    uint64_t mask = i->extra[2];
    for (unsigned l = 0; l < VM_LANES; l++)
        x.d[l] &= mask;
    return lanes_write(w, i, x.d, lanes);
}

const char *lanes_prepare(const struct vm_program *p, struct vm_instruction *i, const struct lanes_op *table)
{
    enum vm_type type = vm_take_type(i);
    bool ours = false;
    for (const struct lanes_op *op = table; op->name; op++) {
        bool typed = type == VM_UNTYPED ? op->types == 0 : (op->types & LANES_TYPE(type)) != 0;
        if (!typed || strcmp(op->name, i->opcode) != 0)
            continue;
        ours = true;
        if (!lanes_take_all(i, op->mode))
            continue;
        const char *why = lanes_operands(p, i, op->sources);
        if (why)
            return why;
        unsigned bits = type == VM_UNTYPED ? 32 : vm_type_bits(type);
        i->type = type == VM_UNTYPED ? VM_B32 : type;
        i->run = run;
        i->extra[0] = (uintptr_t)op;
        i->extra[1] = bits;
        i->extra[2] = lanes_mask(op->result == LANES_DOUBLE ? 2 * bits : op->result == LANES_32 ? 32 : bits);
        return NULL;
    }
    return ours ? lanes_no_form : vm_op_other;
}
