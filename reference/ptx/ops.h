/* ops: the operations that the machine knows, a table a family, each in ops/.
 *
 * To add one: a line in the table of its family, a `prepare` that takes the words and counts the operands, a `run`. The
 * header comment of the family's file says which section of the PTX ISA it follows. What prepare asks of operands
 * stands in ops/operand.h; tests/support/ptx_lanes.h runs single instructions of a PTX text for chosen lanes of a warp.
 */
#ifndef FO_REFERENCE_PTX_OPS_H
#define FO_REFERENCE_PTX_OPS_H

#include "reference/ptx/program.h"

struct vm_op {
    const char *name; /* "add", "cp.async.bulk": up to the first word that is only a modifier */
    /* Take the words, check number and kind of operands, choose i->run, i->type. returns NULL, or in a few words why
     * it is not modelled (a static string). */
    const char *(*prepare)(const struct vm_program *p, struct vm_instruction *i);
};

/* Each ends with a NULL name. */
extern const struct vm_op vm_ops_integer[];       /* add sub mul mad neg abs min max div rem sad ... */
extern const struct vm_op vm_ops_integer_carry[]; /* add.cc addc sub.cc subc mad.cc madc dp4a dp2a */
extern const struct vm_op vm_ops_logic[];         /* and or xor not cnot lop3 shl shr shf prmt */
extern const struct vm_op vm_ops_logic_field[];   /* bfe bfi bfind bmsk brev popc clz szext fns */
extern const struct vm_op vm_ops_float[];         /* f32 and f64: add sub mul fma div rcp sqrt min max abs neg ... */
extern const struct vm_op vm_ops_float_approx[];  /* div.approx rcp.approx sqrt.approx rsqrt ex2 lg2 sin cos tanh */
extern const struct vm_op vm_ops_half[];          /* both for f16, f16x2, bf16, bf16x2 */
extern const struct vm_op vm_ops_convert[];       /* cvt of one value */
extern const struct vm_op vm_ops_convert_pack[];  /* cvt to and from pairs of narrow floats, cvt.pack */
extern const struct vm_op vm_ops_compare[];       /* setp set selp slct */
extern const struct vm_op
    vm_ops_move[]; /* mov (vectors, symbols, special registers), cvta, isspacep, mapa, getctarank */
extern const struct vm_op vm_ops_memory[]; /* ld st prefetch ..., ldu, fence/membar without proxies */
extern const struct vm_op vm_ops_atomic[]; /* atom red */
extern const struct vm_op vm_ops_matrix[]; /* ldmatrix stmatrix movmatrix */
extern const struct vm_op vm_ops_warp[];   /* shfl vote match activemask elect redux bar.warp.sync */
extern const struct vm_op
    vm_ops_control[]; /* bra brx.idx call ret exit trap nanosleep pragma-like no-ops, setmaxnreg */
extern const struct vm_op vm_ops_barrier[];  /* bar barrier barrier.cluster */
extern const struct vm_op vm_ops_mbarrier[]; /* mbarrier fence.proxy fence.mbarrier_init */
extern const struct vm_op vm_ops_copy[];     /* cp.async */
extern const struct vm_op vm_ops_bulk[];     /* cp.async.bulk, bulk tensors, reductions, prefetches */
extern const struct vm_op vm_ops_mma[];      /* mma.sync, mma.sp */
extern const struct vm_op vm_ops_wgmma[];    /* wgmma.* */

/* The operation with the longest name that an opcode text ("cp.async.bulk.wait_group.read") begins with at a dot.
 * words: the bytes of the name are left out. NULL for none. */
const struct vm_op *vm_op_find(const char *opcode, size_t *name_length);

/* A name such as `add` occurs in several tables (integer, float, half): prepare returns vm_op_other, having taken
 * nothing that it does not restore (words_used is reset by the caller), when the types are not its own, and
 * vm_op_next is asked. */
extern const char vm_op_other[];
const struct vm_op *vm_op_next(const struct vm_op *after); /* of the same name; NULL for none */

/* For prepare. Each takes the word: a second look does not find it. */
bool vm_take(struct vm_instruction *i, const char *word);
enum vm_type vm_take_type(struct vm_instruction *i);                /* the first type left; VM_UNTYPED for none */
bool vm_take_space(struct vm_instruction *i, enum vm_space *space); /* global, shared, shared::cta, ... */
/* Exactly one of a NULL-ended list, or -1 for none. */
int vm_take_of(struct vm_instruction *i, const char *const *words);
/* The words that only speak of order, scope, caches and predictions, where the machine does nothing by them. */
void vm_take_hints(struct vm_instruction *i);
bool vm_words_left(const struct vm_instruction *i);

static inline const struct vm_operand *vm_argument(const struct vm_program *p, const struct vm_instruction *i,
                                                   uint32_t n)
{
    return &p->operand[i->operand + n];
}

#endif
