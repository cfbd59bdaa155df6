/* Matrices of 8 x 8 halves between shared memory and the registers of a warp.
 *
 * A row is 16 bytes; the addresses of rows 0-7 of matrix n come from lanes 8n .. 8n + 7. Lane t holds two neighbours of
 * row t / 4 in register n:
 *
 *               31           16 15            0
 *     lane t    (t/4, 2(t%4)+1)  (t/4, 2(t%4))         with .trans (2(t%4)+1, t/4)  (2(t%4), t/4)
 *
 * Lanes that give no address of a matrix that is moved need not have one.
 * source: PTX ISA 9.0, "Warp Level Matrix Load Instruction: ldmatrix", "... Store Instruction: stmatrix", "...
 * Transpose Instruction: movmatrix". */
#include <string.h>

#include "reference/ptx/ops/operand.h"
#include "reference/ptx/warp.h"

enum { SPACE, TRANSPOSED, OWN_BLOCK }; /* of extra */
enum { SIDE = 8, MOST = 4, ROW_BYTES = 2 * SIDE };

struct matrix {
    uint16_t at[SIDE][SIDE];
};

/* Element `half` of a lane's register. */
static uint16_t *element(struct matrix *m, unsigned lane, unsigned half, bool transposed)
{
    unsigned row = lane / 4, column = 2 * (lane % 4) + half;
    return transposed ? &m->at[column][row] : &m->at[row][column];
}

static void to_registers(struct matrix *m, bool transposed, uint64_t row[VM_LANES])
{
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        row[lane] = *element(m, lane, 0, transposed) | (uint64_t)*element(m, lane, 1, transposed) << 16;
}

static void from_registers(struct matrix *m, bool transposed, const uint64_t row[VM_LANES])
{
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        *element(m, lane, 0, transposed) = (uint16_t)row[lane];
        *element(m, lane, 1, transposed) = (uint16_t)(row[lane] >> 16);
    }
}

/* All lanes of a warp execute these together. */
static enum vm_step gather(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    if (!vm_all_here(w, lanes, UINT32_MAX))
        return VM_WAIT;
    if (lanes != UINT32_MAX)
        return vm_fault(w, i, STATUS_SUBJECT, "%s needs all 32 lanes of a warp, and only those of 0x%08x live",
                        i->opcode, (unsigned)lanes);
    return VM_NEXT;
}

/* Where row `lane` lies; NULL after a fault. */
static uint8_t *row_at(struct vm_warp *w, const struct vm_instruction *i, unsigned lane, uint64_t address, bool write)
{
    uint64_t plain;
    enum vm_space space = (enum vm_space)i->extra[SPACE];
    if (space == VM_GENERIC && vm_address_space(address, &plain) != VM_SHARED) {
        vm_fault(w, i, STATUS_SUBJECT, "lane %u: the row at 0x%llx is not in shared memory", lane,
                 (unsigned long long)address);
        return NULL;
    }
    return vm_memory_at(w, i, lane, space, address, ROW_BYTES, write);
}

static enum vm_step run_ldmatrix(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    enum vm_step step = gather(w, i, lanes);
    if (step != VM_NEXT)
        return step;
    uint32_t count;
    const struct vm_operand *to = vm_operand_elements(p, vm_argument(p, i, 0), &count);
    uint64_t address[VM_LANES], value[VM_LANES];
    struct matrix m[MOST];
    vm_read_addresses(w, vm_argument(p, i, 1), address);
    vm_check_own_block(w, i, (uint32_t)((UINT64_C(1) << count * SIDE) - 1), address, i->extra[OWN_BLOCK] != 0);
    for (unsigned lane = 0; lane < count * SIDE; lane++) {
        const uint8_t *at = row_at(w, i, lane, address[lane], false);
        if (!at)
            return VM_FAULT;
        memcpy(m[lane / SIDE].at[lane % SIDE], at, ROW_BYTES);
    }
    for (uint32_t n = 0; n < count; n++) {
        to_registers(&m[n], i->extra[TRANSPOSED] != 0, value);
        vm_write_operand(w, &to[n], value, lanes);
    }
    return VM_NEXT;
}

static enum vm_step run_stmatrix(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    enum vm_step step = gather(w, i, lanes);
    if (step != VM_NEXT)
        return step;
    uint32_t count;
    const struct vm_operand *from = vm_operand_elements(p, vm_argument(p, i, 1), &count);
    uint64_t address[VM_LANES], room[VM_LANES];
    struct matrix m[MOST];
    for (uint32_t n = 0; n < count; n++)
        from_registers(&m[n], i->extra[TRANSPOSED] != 0, vm_read_operand(w, &from[n], room));
    vm_read_addresses(w, vm_argument(p, i, 0), address);
    vm_check_own_block(w, i, (uint32_t)((UINT64_C(1) << count * SIDE) - 1), address, i->extra[OWN_BLOCK] != 0);
    for (unsigned lane = 0; lane < count * SIDE; lane++) {
        uint8_t *at = row_at(w, i, lane, address[lane], true);
        if (!at)
            return VM_FAULT;
        memcpy(at, m[lane / SIDE].at[lane % SIDE], ROW_BYTES);
    }
    return VM_NEXT;
}

static enum vm_step run_movmatrix(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    enum vm_step step = gather(w, i, lanes);
    if (step != VM_NEXT)
        return step;
    uint64_t room[VM_LANES], value[VM_LANES];
    struct matrix m;
    from_registers(&m, false, vm_read_operand(w, vm_argument(p, i, 1), room));
    to_registers(&m, true, value);
    vm_write_operand(w, vm_argument(p, i, 0), value, lanes);
    return VM_NEXT;
}

static const char *prepare(const struct vm_program *p, struct vm_instruction *i, uint32_t value_at)
{
    static const char *const numbers[] = {"x1", "x2", "x4", NULL};
    enum vm_space space = VM_GENERIC;
    bool whole = vm_take(i, "sync") && vm_take(i, "aligned") && vm_take(i, "m8n8") && vm_take(i, "b16");
    int number = vm_take_of(i, numbers);
    i->extra[TRANSPOSED] = vm_take(i, "trans");
    i->extra[OWN_BLOCK] = vm_names_own_block(i);
    vm_take_space(i, &space);
    i->type = VM_B32;
    if (!whole || number < 0 || vm_words_left(i))
        return vm_why_words;
    if (i->operands != 2 || !vm_address_operand(vm_argument(p, i, 1 - value_at), &space) ||
        (space != VM_GENERIC && space != VM_SHARED))
        return vm_why_operands;
    i->extra[SPACE] = (uint64_t)space;
    uint32_t count;
    const struct vm_operand *e = vm_operand_elements(p, vm_argument(p, i, value_at), &count);
    if (count != UINT32_C(1) << number)
        return vm_why_operands;
    for (uint32_t n = 0; n < count; n++)
        if (!(value_at == 0 ? vm_is_target(&e[n], 32) : vm_is_source(&e[n], 32)))
            return vm_why_operands;
    return NULL;
}

static const char *prepare_ldmatrix(const struct vm_program *p, struct vm_instruction *i)
{
    i->run = run_ldmatrix;
    return prepare(p, i, 0);
}

static const char *prepare_stmatrix(const struct vm_program *p, struct vm_instruction *i)
{
    i->run = run_stmatrix;
    return prepare(p, i, 1);
}

static const char *prepare_movmatrix(const struct vm_program *p, struct vm_instruction *i)
{
    bool whole =
        vm_take(i, "sync") && vm_take(i, "aligned") && vm_take(i, "m8n8") && vm_take(i, "trans") && vm_take(i, "b16");
    i->type = VM_B32;
    i->run = run_movmatrix;
    if (!whole || vm_words_left(i))
        return vm_why_words;
    return i->operands == 2 && vm_is_target(vm_argument(p, i, 0), 32) && vm_is_source(vm_argument(p, i, 1), 32)
               ? NULL
               : vm_why_operands;
}

const struct vm_op vm_ops_matrix[] = {
    {"ldmatrix", prepare_ldmatrix},
    {"stmatrix", prepare_stmatrix},
    {"movmatrix", prepare_movmatrix},
    {NULL, NULL},
};
