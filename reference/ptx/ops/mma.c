/* mma.sync of 16 rows and 8 columns.
 *
 * With lane l, g = l/4, q = l%4, and P elements of A and B in a register, P = 32 / their width:
 *     A:        register r, part p:       row g + 8*(r&1),    k = P*q + p + 4*P*(r>>1)
 *     B:        register r, part p:       column g,           k = P*q + p + 4*P*r
 *     C and D:  element i = 0..3:         row g + 8*(i>>1),   column 2q + (i&1)
 * C and D in f16 hold two elements in a register, the first in the low half.
 * source: PTX ISA, "Matrix Fragments for mma.m16n8k4 / k8 / k16 / k32"; tests/reference/test_ptx_mma.c has the tables.
 * Not modelled: m8n8k4, f64, 4 and 1 bits, sparse operands, block scales. */
#include <stdlib.h>
#include <string.h>

#include "reference/ptx/ops.h"
#include "reference/ptx/ops/strip.h"
#include "reference/ptx/vm.h"

enum { ROWS = STRIP_ROWS, COLUMNS = 8, MOST_K = STRIP_MOST_K, REGISTER_BITS = 32 };
enum { D, A, B, C, OPERANDS };                   /* of the instruction */
enum { D_TYPE, A_TYPE, B_TYPE, K_OF, SATURATE }; /* in extra */

static struct strip strip_of(const struct vm_instruction *i)
{
    struct strip s = {0};
    strip_make(STRIP_MMA, (enum vm_type)i->extra[D_TYPE], (enum vm_type)i->extra[A_TYPE],
               (enum vm_type)i->extra[B_TYPE], (size_t)i->extra[K_OF], &s);
    s.saturate = i->extra[SATURATE] != 0;
    return s;
}

/* Register r of an operand that is one register or a vector of them. */
static const struct vm_operand *register_at(const struct vm_program *p, const struct vm_operand *o, uint32_t r)
{
    return o->kind == VM_VECTOR ? &p->element[o->first + r] : o;
}

/* ---- fragments --------------------------------------------------------------------------------------------------- */

struct place {
    uint32_t line, at; /* row of A, C or D, or column of B; k, or column of C and D */
};

static struct place place_of(int operand, uint32_t parts, uint32_t lane, uint32_t r, uint32_t part)
{
    const uint32_t g = lane / 4, q = lane % 4, i = r * parts + part;
    switch (operand) {
    case A:
        return (struct place){g + 8 * (r & 1), parts * q + part + 4 * parts * (r >> 1)};
    case B:
        return (struct place){g, parts * q + part + 4 * parts * r};
    default:
        return (struct place){g + 8 * (i >> 1), 2 * q + (i & 1)};
    }
}

/* Registers of an operand into bits[line][columns]. */
static void gather(const struct vm_warp *w, const struct vm_instruction *i, int operand, uint32_t width, size_t lines,
                   size_t columns, uint32_t *bits)
{
    const struct vm_program *p = vm_warp_program(w);
    const struct vm_operand *o = vm_argument(p, i, (uint32_t)operand);
    const uint32_t parts = REGISTER_BITS / width, mask = UINT32_MAX >> (REGISTER_BITS - width);
    const uint32_t registers = (uint32_t)(lines * columns / VM_LANES) / parts;
    for (uint32_t r = 0; r < registers; r++) {
        uint64_t room[VM_LANES];
        const uint64_t *row = vm_read_operand(w, register_at(p, o, r), room);
        for (uint32_t lane = 0; lane < VM_LANES; lane++)
            for (uint32_t part = 0; part < parts; part++) {
                struct place to = place_of(operand, parts, lane, r, part);
                bits[to.line * columns + to.at] = (uint32_t)row[lane] >> part * width & mask;
            }
    }
}

static void scatter(struct vm_warp *w, const struct vm_instruction *i, uint32_t width, const uint32_t *bits)
{
    const struct vm_program *p = vm_warp_program(w);
    const struct vm_operand *o = vm_argument(p, i, D);
    const uint32_t parts = REGISTER_BITS / width, registers = ROWS * COLUMNS / VM_LANES / parts;
    for (uint32_t r = 0; r < registers; r++) {
        uint64_t row[VM_LANES] = {0};
        for (uint32_t lane = 0; lane < VM_LANES; lane++)
            for (uint32_t part = 0; part < parts; part++) {
                struct place from = place_of(D, parts, lane, r, part);
                row[lane] |= (uint64_t)bits[from.line * COLUMNS + from.at] << part * width;
            }
        vm_write_operand(w, register_at(p, o, r), row, UINT32_MAX);
    }
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

static enum vm_step run_mma(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct strip s = strip_of(i);
    const uint32_t width = vm_type_bits(s.a), d_width = vm_type_bits(s.d);
    uint32_t a[ROWS * MOST_K], b[COLUMNS * MOST_K], d[ROWS * COLUMNS];
    struct accumulate_operand a_operand[ROWS * MOST_K], b_operand[COLUMNS * MOST_K];
    struct accumulate_panel panel;
    if (w->alive != UINT32_MAX)
        return vm_fault(w, i, STATUS_SUBJECT, "mma.sync needs all 32 threads of the warp");
    if (!vm_all_here(w, lanes, UINT32_MAX))
        return VM_WAIT;
    gather(w, i, A, width, ROWS, s.k, a);
    gather(w, i, B, width, COLUMNS, s.k, b);
    gather(w, i, C, d_width, ROWS, COLUMNS, d);
    strip_prepare(&s, s.a, a, ROWS, false, a_operand);
    strip_prepare(&s, s.b, b, COLUMNS, false, b_operand);
    strip_pack(&s, b_operand, COLUMNS, &panel);
    strip_multiply(&s, a_operand, b_operand, &panel, COLUMNS, d);
    scatter(w, i, d_width, d);
    if (s.approximate)
        vm_approximate(w, s.approximate);
    w->block->cluster->mma++;
    return VM_NEXT;
}

/* ---- prepare ----------------------------------------------------------------------------------------------------- */

static bool has_registers(const struct vm_program *p, const struct vm_operand *o, size_t elements, uint32_t width)
{
    const uint32_t count = (uint32_t)elements * width / REGISTER_BITS / VM_LANES;
    if (o->kind == VM_REGISTER)
        return count == 1 && o->bits == REGISTER_BITS;
    if (o->kind != VM_VECTOR || o->count != count)
        return false;
    for (uint32_t r = 0; r < count; r++)
        if (p->element[o->first + r].kind != VM_REGISTER || p->element[o->first + r].bits != REGISTER_BITS)
            return false;
    return true;
}

static const char *prepare(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const shapes[] = {"m16n8k4", "m16n8k8", "m16n8k16", "m16n8k32", NULL};
    static const size_t ks[] = {4, 8, 16, 32};
    struct strip s;
    if (!vm_take(i, "sync") || !vm_take(i, "aligned"))
        return "without .sync.aligned";
    const int shape = vm_take_of(i, shapes);
    if (shape < 0 || !vm_take(i, "row") || !vm_take(i, "col"))
        return "of this shape or order";
    const bool saturate = vm_take(i, "satfinite");
    const enum vm_type d = vm_take_type(i), a = vm_take_type(i), b = vm_take_type(i), c = vm_take_type(i);
    if (c != d || vm_words_left(i) || !strip_make(STRIP_MMA, d, a, b, ks[shape], &s) || (saturate && d != VM_S32))
        return "of this shape or these types";
    if (i->operands != OPERANDS || !has_registers(p, vm_argument(p, i, D), ROWS * COLUMNS, vm_type_bits(d)) ||
        !has_registers(p, vm_argument(p, i, A), ROWS * s.k, vm_type_bits(a)) ||
        !has_registers(p, vm_argument(p, i, B), COLUMNS * s.k, vm_type_bits(b)) ||
        !has_registers(p, vm_argument(p, i, C), ROWS * COLUMNS, vm_type_bits(d)))
        return "with these operands";
    i->extra[D_TYPE] = d;
    i->extra[A_TYPE] = a;
    i->extra[B_TYPE] = b;
    i->extra[K_OF] = s.k;
    i->extra[SATURATE] = saturate;
    i->type = d;
    i->run = run_mma;
    return NULL;
}

static const char *refuse_sparse(const struct vm_program *p, struct vm_instruction *i)
{
    (void)p;
    (void)i;
    return "of sparse operands";
}

const struct vm_op vm_ops_mma[] = {{"mma", prepare}, {"mma.sp", refuse_sparse}, {NULL, NULL}};
