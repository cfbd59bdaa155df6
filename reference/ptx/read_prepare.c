#include "reference/ptx/read.h"

#include <stdio.h>
#include <string.h>

/* The label of a name that a scope sees: the one in the innermost of the scopes around it. */
static const struct read_label *find_label(const struct reader *r, const struct read_name *name, uint32_t scope)
{
    for (; scope != 0; scope = r->parent[scope])
        for (const struct read_label *l = name->label; l; l = l->older)
            if (l->scope == scope)
                return l;
    return NULL;
}

bool reader_resolve(struct reader *r)
{
    for (uint32_t n = 0; n < r->pendings; n++) {
        const struct read_pending *one = &r->pending[n];
        const struct read_label *l = find_label(r, one->name, one->scope);
        struct vm_operand *o = one->element ? &r->program.element[one->index] : &r->program.operand[one->index];
        bool target = one->element && l && l->kind != VM_LABEL; /* lists name labels only */
        if (!l || target) {
            r->status = lex_fail(&r->lexer, one->line, one->column, r->error, "%.200s is not %s", one->name->text,
                                 target ? "a label" : "declared");
            return false;
        }
        o->kind = l->kind;
        o->value = l->kind == VM_LABEL ? l->at : 0;
        o->first = l->kind == VM_TARGETS ? l->at : 0;
        o->count = l->count;
    }
    return true;
}

/* A float immediate in the bits of the instruction's type. returns false where PTX has no such conversion. */
static bool convert_float(const struct vm_instruction *i, struct vm_operand *o)
{
    bool kept = i->type != VM_UNTYPED && vm_type_bits(i->type) == o->float_bits;
    kept = kept || (i->type2 != VM_UNTYPED && vm_type_bits(i->type2) == o->float_bits);
    if (kept)
        return true;
    uint32_t pattern = (uint32_t)o->value;
    float narrow;
    double wide;
    if (o->float_bits == 64 && i->type == VM_F32) {
        memcpy(&wide, &o->value, sizeof wide);
        narrow = (float)wide;
        memcpy(&pattern, &narrow, sizeof pattern);
        o->value = pattern;
        return true;
    }
    if (o->float_bits == 32 && i->type == VM_F64) {
        memcpy(&narrow, &pattern, sizeof narrow);
        wide = narrow;
        memcpy(&o->value, &wide, sizeof wide);
        return true;
    }
    return false;
}

static bool convert_floats(struct reader *r, const struct vm_instruction *i)
{
    struct vm_program *p = &r->program;
    bool all = true;
    for (uint32_t n = 0; n < i->operands; n++) {
        struct vm_operand *o = &p->operand[i->operand + n];
        if (o->kind == VM_IMMEDIATE && o->float_bits)
            all = convert_float(i, o) && all;
        for (uint32_t k = 0; k < o->count && o->kind == VM_VECTOR; k++)
            if (p->element[o->first + k].kind == VM_IMMEDIATE && p->element[o->first + k].float_bits)
                all = convert_float(i, &p->element[o->first + k]) && all;
    }
    return all;
}

/* ".word is not modelled", kept once. */
static const char *word_left(struct reader *r, const struct vm_instruction *i)
{
    for (uint32_t n = 0; n < i->words; n++)
        if ((i->words_used >> n & 1) == 0) {
            char text[READ_TEXT + 32];
            int length = snprintf(text, sizeof text, ".%s of %s is not modelled", i->word[n], i->opcode);
            const struct read_name *name = reader_name(r, text, (size_t)length);
            return name ? name->text : NULL;
        }
    return NULL;
}

static bool prepare_one(struct reader *r, uint32_t index)
{
    struct vm_instruction *i = &r->program.instruction[index];
    const struct vm_instruction before = *i;
    const char *why = vm_op_other;
    for (const struct vm_op *op = r->opcode[index]->op; op && why == vm_op_other; op = vm_op_next(op)) {
        *i = before;
        why = op->prepare(&r->program, i);
    }
    if (why == vm_op_other)
        why = "no operation of this name takes these types";
    if (!why && vm_words_left(i)) {
        why = word_left(r, i);
        if (!why)
            return false;
    }
    if (!why && !convert_floats(r, i))
        why = "a float immediate does not fit the type";
    i->why_not = why;
    if (why)
        i->run = NULL;
    return true;
}

bool reader_prepare(struct reader *r)
{
    struct vm_program *p = &r->program;
    for (uint32_t v = 0; v < p->variables; v++)
        if (p->variable[v].space == VM_SHARED && p->variable[v].bytes == 0) {
            uint64_t align = p->variable[v].align;
            p->variable[v].at = (p->shared_bytes + align - 1) & ~(align - 1);
        }
    for (uint32_t n = 0; n < p->operands + p->elements; n++) {
        struct vm_operand *o = n < p->operands ? &p->operand[n] : &p->element[n - p->operands];
        if (o->kind == VM_FUNCTION) {
            o->first = (uint32_t)o->value;
            o->value = p->function[o->first].instructions ? o->value : VM_NONE;
        }
    }
    for (uint32_t n = 0; n < p->instructions; n++)
        if (!p->instruction[n].why_not && !prepare_one(r, n))
            return false;
    return true;
}
