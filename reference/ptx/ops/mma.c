/* mma.sync of 16 rows and 8 columns.
 *
 * With lane l, g = l/4, q = l%4, and P elements of A and B in a register, P = 32 / their width:
 *     A:        register r, part p:       row g + 8*(r&1),    k = P*q + p + 4*P*(r>>1)
 *     B:        register r, part p:       column g,           k = P*q + p + 4*P*r
 *     C and D:  element i = 0..3:         row g + 8*(i>>1),   column 2q + (i&1)
 * C and D in f16 hold two elements in a register, the first in the low half.
 * source: PTX ISA, "Matrix Fragments for mma.m16n8k4 / k8 / k16 / k32"; tests/reference/test_ptx_mma.c has the tables.
 * Not modelled: m8n8k4, f64, 4 and 1 bits, sparse operands, block scales. */
#include <stdio.h>
#include <string.h>

#include "reference/ptx/ops.h"
#include "reference/ptx/vm.h"
#include "reference/tile.h"

enum { ROWS = MMA_M, COLUMNS = MMA_N, MOST_K = TILE_MOST_K, REGISTER_BITS = 32 };
enum { D, A, B, C, OPERANDS }; /* of the instruction */
enum { OP, SATURATE };         /* in extra */

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
    const struct mma_op *op = mma_op_at((size_t)i->extra[OP]);
    const uint32_t width = (uint32_t)op->a_bits, d_width = (uint32_t)op->d_bits;
    struct tile_sum s = tile_sum_of_mma(op);
    uint32_t a[ROWS * MOST_K], b[COLUMNS * MOST_K], d[ROWS * COLUMNS];
    struct tile_rows rows;
    struct tile_columns columns;
    s.saturate = i->extra[SATURATE] != 0;
    if (w->alive != UINT32_MAX)
        return vm_fault(w, i, STATUS_SUBJECT, "mma.sync needs all 32 threads of the warp");
    if (!vm_all_here(w, lanes, UINT32_MAX))
        return VM_WAIT;
    gather(w, i, A, width, ROWS, s.k, a);
    gather(w, i, B, width, COLUMNS, s.k, b);
    gather(w, i, C, d_width, ROWS, COLUMNS, d);
    tile_prepare_a(&s, a, ROWS, false, &rows);
    tile_prepare_b(&s, b, COLUMNS, false, &columns);
    tile_multiply(&s, &rows, ROWS, &columns, COLUMNS, d);
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

/* The words that are left, shape, D, A, B and C, as mma.h writes an operation; all are taken. NULL: there is none. */
static const struct mma_op *parse_op(struct vm_instruction *i)
{
    enum { SHAPE, D_TYPE, A_TYPE, B_TYPE, C_TYPE, WORDS };
    const char *word[WORDS];
    char name[MMA_NAME_SIZE];
    const struct mma_op *op;
    uint32_t words = 0;
    for (uint32_t n = 0; n < i->words; n++)
        if ((i->words_used >> n & 1) == 0) {
            if (words == WORDS)
                return NULL;
            word[words++] = i->word[n];
            i->words_used |= UINT32_C(1) << n;
        }
    if (words != WORDS || strcmp(word[C_TYPE], word[D_TYPE]) != 0)
        return NULL;
    int length = snprintf(name, sizeof name, "mma.%s.%s.%s.%s", word[SHAPE], word[D_TYPE], word[A_TYPE], word[B_TYPE]);
    return length < (int)sizeof name && mma_parse(name, &op, NULL) == STATUS_OK ? op : NULL;
}

static const char *prepare(const struct vm_program *p, struct vm_instruction *i)
{
    if (!vm_take(i, "sync") || !vm_take(i, "aligned"))
        return "without .sync.aligned";
    if (!vm_take(i, "row") || !vm_take(i, "col"))
        return "of this order";
    const bool saturate = vm_take(i, "satfinite");
    const struct mma_op *op = parse_op(i);
    if (!op || (saturate && strcmp(op->d, "s32") != 0))
        return "of this shape or these types";
    const uint32_t width = (uint32_t)op->a_bits, d_width = (uint32_t)op->d_bits;
    const size_t k = (size_t)op->k;
    if (i->operands != OPERANDS || !has_registers(p, vm_argument(p, i, D), ROWS * COLUMNS, d_width) ||
        !has_registers(p, vm_argument(p, i, A), ROWS * k, width) ||
        !has_registers(p, vm_argument(p, i, B), COLUMNS * k, width) ||
        !has_registers(p, vm_argument(p, i, C), ROWS * COLUMNS, d_width))
        return "with these operands";
    i->extra[OP] = (uint64_t)(op - mma_op_at(0));
    i->extra[SATURATE] = saturate;
    i->type = vm_type_find(op->d);
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
