/* ptx_rows: one PTX instruction on rows built by hand: a warp, its registers, the operands, without a module.
 *
 * Row 0 is the destination, rows 1 .. 4 the sources, rows 5 and 6 the predicates of p|q. */
#ifndef FO_TESTS_SUPPORT_PTX_ROWS_H
#define FO_TESTS_SUPPORT_PTX_ROWS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "reference/ptx/ops.h"
#include "reference/ptx/vm.h"

enum { ROWS = 8, ROWS_P = 5, ROWS_Q = 6, ROWS_POISON = 0x5a };

struct rows {
    struct vm vm;
    struct vm_cluster cluster;
    struct vm_block block;
    struct vm_warp warp;
    uint64_t row[ROWS][VM_LANES];
    uint32_t row_bits[ROWS];
    struct vm_operand operand[8], element[4];
    struct vm_instruction instruction;
    char text[120];
};

static inline struct vm_operand rows_register(uint32_t row, uint32_t bits)
{
    return (struct vm_operand){.kind = VM_REGISTER, .reg = row, .bits = bits, .variable = VM_NONE};
}

/* Cut an opcode into the name of its operation and words, and ask every family that has the name. Returns why not. */
static inline const char *rows_choose(struct rows *r, const char *opcode)
{
    struct vm_instruction *i = &r->instruction;
    size_t length;
    const struct vm_op *op = vm_op_find(opcode, &length);
    if (!op)
        return "no such operation";
    snprintf(r->text, sizeof r->text, "%s", opcode + length);
    i->words = 0;
    for (char *at = r->text; *at == '.';) {
        *at++ = '\0';
        assert_true(i->words < VM_WORDS);
        i->word[i->words++] = at;
        at += strcspn(at, ".");
    }
    i->opcode = op->name;
    const char *why = vm_op_other;
    for (; op && why == vm_op_other; op = vm_op_next(op)) {
        i->words_used = 0;
        memset(i->extra, 0, sizeof i->extra);
        i->type = i->type2 = VM_UNTYPED;
        why = op->prepare(&r->vm.program, i);
    }
    return why ? why : vm_words_left(i) ? "words left" : NULL;
}

/* Registers of the widths given, destination first; a width of 0 ends them. Returns why not, NULL for ready. */
static inline const char *rows_open(struct rows *r, const char *opcode, ...)
{
    va_list widths;
    memset(r, 0, sizeof *r);
    r->vm.program = (struct vm_program){.operand = r->operand,
                                        .element = r->element,
                                        .rows = ROWS,
                                        .row_bits = r->row_bits,
                                        .operands = 8,
                                        .elements = 4,
                                        .instruction = &r->instruction,
                                        .instructions = 1};
    r->cluster = (struct vm_cluster){.vm = &r->vm, .block = &r->block, .blocks = 1};
    r->block = (struct vm_block){.vm = &r->vm, .cluster = &r->cluster, .warp = &r->warp, .warps = 1, .threads = 32};
    r->warp = (struct vm_warp){.block = &r->block, .exists = UINT32_MAX, .alive = UINT32_MAX, .row = r->row[0]};
    r->instruction.guard = VM_NONE;
    va_start(widths, opcode);
    for (unsigned bits; (bits = va_arg(widths, unsigned)) != 0; r->instruction.operands++) {
        assert_true(r->instruction.operands < ROWS_P);
        r->row_bits[r->instruction.operands] = bits;
        r->operand[r->instruction.operands] = rows_register(r->instruction.operands, bits);
    }
    va_end(widths);
    r->element[0] = rows_register(ROWS_P, 1);
    r->element[1] = rows_register(ROWS_Q, 1);
    r->row_bits[ROWS_P] = r->row_bits[ROWS_Q] = 1;
    return rows_choose(r, opcode);
}

/* Run what was opened; lanes that do not take part must keep their poison. */
static inline const uint64_t *rows_run(struct rows *r, uint32_t lanes)
{
    for (unsigned l = 0; l < VM_LANES; l++)
        r->row[0][l] = ROWS_POISON & ((r->row_bits[0] < 8 ? 1u << r->row_bits[0] : 256u) - 1);
    uint64_t poison = r->row[0][0];
    assert_int_equal(r->instruction.run(&r->warp, &r->instruction, lanes), VM_NEXT);
    for (unsigned l = 0; l < VM_LANES; l++)
        assert_true((lanes >> l & 1) || r->row[0][l] == poison);
    return r->row[0];
}

/* One question: every lane has the same values. widths: as for rows_open, up to 5. */
static inline uint64_t rows_ask(const char *opcode, const unsigned widths[5], uint64_t a, uint64_t b, uint64_t c,
                                uint64_t e)
{
    struct rows r;
    const uint64_t value[4] = {a, b, c, e};
    const char *why = rows_open(&r, opcode, widths[0], widths[1], widths[2], widths[3], widths[4], 0);
    if (why)
        fail_msg("%s: %s", opcode, why);
    for (unsigned n = 0; n < 4; n++)
        for (unsigned l = 0; l < VM_LANES; l++)
            r.row[n + 1][l] = n + 1 < r.instruction.operands && r.row_bits[n + 1] < 64
                                  ? value[n] & ((UINT64_C(1) << r.row_bits[n + 1]) - 1)
                                  : value[n];
    const uint64_t *d = rows_run(&r, UINT32_MAX);
    for (unsigned l = 1; l < VM_LANES; l++)
        assert_true(d[l] == d[0]);
    return d[0];
}

#endif
