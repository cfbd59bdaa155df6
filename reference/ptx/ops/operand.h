/* operand: what a `prepare` asks of the operands of an instruction. */
#ifndef FO_REFERENCE_PTX_OPS_OPERAND_H
#define FO_REFERENCE_PTX_OPS_OPERAND_H

#include "reference/ptx/ops.h"

struct vm_warp;

extern const char vm_why_words[];    /* "words that are not modelled" */
extern const char vm_why_operands[]; /* "operands that are not modelled" */

/* A register, an immediate or a special register that a value of `bits` bits is read from. */
static inline bool vm_is_source(const struct vm_operand *o, unsigned bits)
{
    return o->kind == VM_IMMEDIATE || o->kind == VM_SPECIAL ||
           (o->kind == VM_REGISTER && o->bits == bits && (bits == 1 || !o->negated));
}

/* A register or `_` that a value of `bits` bits is written to. */
static inline bool vm_is_target(const struct vm_operand *o, unsigned bits)
{
    return o->kind == VM_SINK || (o->kind == VM_REGISTER && o->bits == bits && !o->negated);
}

/* The same where registers may be wider than the value: loads and stores. */
static inline bool vm_is_wide_source(const struct vm_operand *o, unsigned bits)
{
    return o->kind == VM_IMMEDIATE || o->kind == VM_SPECIAL ||
           (o->kind == VM_REGISTER && o->bits >= bits && !o->negated);
}
static inline bool vm_is_wide_target(const struct vm_operand *o, unsigned bits)
{
    return o->kind == VM_SINK || (o->kind == VM_REGISTER && o->bits >= bits && !o->negated);
}

/* The values of an operand: the elements of a vector or pair, else the operand itself. *count: how many. */
static inline const struct vm_operand *vm_operand_elements(const struct vm_program *p, const struct vm_operand *o,
                                                           uint32_t *count)
{
    bool several = o->kind == VM_VECTOR || o->kind == VM_PAIR;
    *count = several ? (o->kind == VM_PAIR ? 2 : o->count) : 1;
    return several ? &p->element[o->first] : o;
}

/* The space of an address operand of an instruction whose words name `space` (VM_GENERIC: none). A .param variable of
 * a function or of a call is one of local memory. returns false where words and variable contradict. */
bool vm_address_operand(const struct vm_operand *o, enum vm_space *space);

/* Is a word there, taken or not? */
bool vm_has_word(const struct vm_instruction *i, const char *word);

/* Do the words name shared memory of the own block alone (.shared, .shared::cta)? For extra, and then: */
static inline bool vm_names_own_block(const struct vm_instruction *i)
{
    return vm_has_word(i, "shared") || vm_has_word(i, "shared::cta");
}
/* note a hazard for addresses of another block where own is set. */
void vm_check_own_block(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes,
                        const uint64_t address[VM_LANES], bool own);

/* The run of what no result depends on: hints, and the order between threads, which is kept anyway: warps run one
 * after another. */
vm_execute vm_run_nothing;

/* Take `.L2::cache_hint`. returns how many operands its policy adds: 0 or 1. */
static inline uint32_t vm_take_policy(struct vm_instruction *i)
{
    return vm_take(i, "L2::cache_hint") ? 1 : 0;
}

/* The last operand, where vm_take_policy found one, is a policy. */
static inline bool vm_policy_fits(const struct vm_program *p, const struct vm_instruction *i, uint32_t policy)
{
    return policy == 0 || vm_is_source(vm_argument(p, i, i->operands - 1), 64);
}

#endif
