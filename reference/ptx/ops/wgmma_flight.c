/* What a warp has in flight, and what it must not do meanwhile: the hazards of wgmma.
 *
 * - The registers of a wgmma belong to it until a wait has covered it. Reading A is harmless, and wgmma of one shape
 * may add to the same D one behind the other.
 * - A register written by other means may be taken by a wgmma only behind a wgmma.fence; the first wgmma of a warp
 *   needs one as well.
 * source: PTX ISA, wgmma.fence, wgmma.mma_async ("accessing the registers ... is undefined"), wgmma.wait_group. */
#include <stdlib.h>
#include <string.h>

#include "reference/ptx/hooks.h"
#include "reference/ptx/ops.h"
#include "reference/ptx/ops/wgmma.h"

static const char a_overwritten[] = "A register overwritten in flight";
static const char d_touched[] = "accumulator touched in flight";
static const char unfenced[] = "no wgmma.fence between register write and wgmma";
static const char abandoned[] = "exit with wgmma never waited for";

bool vm_wgmma_make(struct vm_warp *w)
{
    w->wgmma = calloc(1, sizeof *w->wgmma);
    w->flights = 0;
    return w->wgmma != NULL;
}

void vm_wgmma_free(struct vm_warp *w)
{
    struct vm_wgmma *g = w->wgmma;
    if (!g)
        return;
    free(g->flight);
    free(g->mark);
    free(g->operands);
    free(g);
    w->wgmma = NULL;
}

/* ---- marks ------------------------------------------------------------------------------------------------------- */

static bool make_marks(struct vm_warp *w)
{
    struct vm_wgmma *g = w->wgmma;
    const uint32_t rows = vm_warp_program(w)->rows;
    if (!g->mark)
        g->mark = calloc(rows ? rows : 1, sizeof *g->mark);
    return g->mark != NULL;
}

static const char *name_of(const struct vm_warp *w, uint32_t row)
{
    return vm_warp_program(w)->row_name[row];
}

/* From the first fence on, writes to registers are looked at, in flight or not. */
bool wgmma_fence(struct vm_warp *w)
{
    if (!make_marks(w))
        return false;
    w->wgmma->fences++;
    w->flights = w->wgmma->flights + 1;
    return true;
}

/* ---- issue and wait ---------------------------------------------------------------------------------------------- */

/* What the registers of a wgmma that is issued went through since the last fence. */
static void check_fenced(struct vm_warp *w, const struct vm_instruction *i, uint32_t row)
{
    const struct vm_wgmma *g = w->wgmma;
    const struct wgmma_mark *m = &g->mark[row];
    if (g->fences > 0 && m->written == g->fences)
        vm_hazard(w, i, unfenced, "%s was written in line %u and no wgmma.fence follows before line %u",
                  name_of(w, row), m->writer, i->line);
}

static void check_a(struct vm_warp *w, const struct vm_instruction *i, uint32_t row)
{
    const struct wgmma_mark *m = &w->wgmma->mark[row];
    check_fenced(w, i, row);
    if (m->d > 0)
        vm_hazard(w, i, d_touched, "%s, accumulator of the wgmma of line %u, is A of line %u before a wait",
                  name_of(w, row), m->line, i->line);
}

static void check_d(struct vm_warp *w, const struct vm_instruction *i, uint32_t row, const struct wgmma_op *op)
{
    const struct vm_wgmma *g = w->wgmma;
    const struct wgmma_mark *m = &g->mark[row];
    const bool other = m->family && (m->family != op->family || m->n != op->n);
    check_fenced(w, i, row);
    if (m->a > 0)
        vm_hazard(w, i, a_overwritten, "%s, A of the wgmma of line %u, is the accumulator of line %u before a wait",
                  name_of(w, row), m->line, i->line);
    if (m->d > 0 && other)
        vm_hazard(w, i, d_touched, "%s, accumulator of the wgmma of line %u, is that of another shape in line %u",
                  name_of(w, row), m->line, i->line);
    else if (other && m->shaped == g->fences)
        vm_hazard(w, i, unfenced,
                  "%s was written by the wgmma of line %u, of another shape, and no wgmma.fence follows before line %u",
                  name_of(w, row), m->line, i->line);
}

/* Count the registers of a flight up or down. */
static void count_registers(struct vm_warp *w, const struct wgmma_flight *f, int by)
{
    struct wgmma_mark *mark = w->wgmma->mark;
    const struct vm_program *p = vm_warp_program(w);
    const struct wgmma_form form = wgmma_form_of(f->instruction);
    for (uint32_t r = 0; form.op.source == WGMMA_RS && r < WGMMA_A_REGISTERS; r++) {
        struct wgmma_mark *m = &mark[wgmma_row(w, f->instruction, WGMMA_A, r)];
        m->a += (uint32_t)by;
        m->line = by > 0 ? f->instruction->line : m->line;
    }
    const uint32_t count = vm_argument(p, f->instruction, WGMMA_D)->count;
    for (uint32_t r = 0; r < count; r++) {
        struct wgmma_mark *m = &mark[wgmma_row(w, f->instruction, WGMMA_D, r)];
        m->d += (uint32_t)by;
        if (by > 0) {
            m->line = f->instruction->line;
            m->shaped = w->wgmma->fences;
            m->family = form.op.family;
            m->n = form.op.n;
        }
    }
}

bool wgmma_take_off(struct vm_warp *w, const struct wgmma_flight *f)
{
    struct vm_wgmma *g = w->wgmma;
    if (!make_marks(w))
        return false;
    if (g->flights == g->room) {
        const uint32_t room = g->room ? 2 * g->room : 16;
        struct wgmma_flight *more = realloc(g->flight, room * sizeof *more);
        if (!more)
            return false;
        g->flight = more;
        g->room = room;
    }
    const struct vm_instruction *i = f->instruction;
    const struct wgmma_form form = wgmma_form_of(i);
    if (g->fences == 0)
        vm_hazard(w, i, unfenced, "no wgmma.fence before the first wgmma, in line %u", i->line);
    for (uint32_t r = 0; form.op.source == WGMMA_RS && r < WGMMA_A_REGISTERS; r++)
        check_a(w, i, wgmma_row(w, i, WGMMA_A, r));
    for (uint32_t r = 0; r < vm_argument(vm_warp_program(w), i, WGMMA_D)->count; r++)
        check_d(w, i, wgmma_row(w, i, WGMMA_D, r), &form.op);
    g->flight[g->flights++] = *f;
    g->issued++;
    w->flights = g->flights + 1;
    count_registers(w, f, 1);
    return true;
}

void wgmma_land(struct vm_warp *w, uint32_t count)
{
    struct vm_wgmma *g = w->wgmma;
    for (uint32_t n = 0; n < count; n++)
        count_registers(w, &g->flight[n], -1);
    g->flights -= count;
    memmove(g->flight, g->flight + count, g->flights * sizeof *g->flight);
    w->flights = g->flights + 1;
}

/* ---- other instructions ------------------------------------------------------------------------------------------ */

static void note_read(struct vm_warp *w, const struct vm_instruction *i, uint32_t row)
{
    if (row == VM_NONE || w->wgmma->mark[row].d == 0)
        return;
    w->wgmma->touched = true;
    vm_hazard(w, i, d_touched, "%s, accumulator of the wgmma of line %u, is read in line %u before a wait",
              name_of(w, row), w->wgmma->mark[row].line, i->line);
}

static void note_write(struct vm_warp *w, const struct vm_instruction *i, uint32_t row)
{
    if (row == VM_NONE)
        return;
    struct wgmma_mark *m = &w->wgmma->mark[row];
    m->written = w->wgmma->fences;
    m->writer = i->line;
    if (m->d == 0 && m->a == 0)
        return;
    w->wgmma->touched = true;
    if (m->d > 0)
        vm_hazard(w, i, d_touched, "%s, accumulator of the wgmma of line %u, is written in line %u before a wait",
                  name_of(w, row), m->line, i->line);
    else
        vm_hazard(w, i, a_overwritten, "%s, A of the wgmma of line %u, is written in line %u before a wait",
                  name_of(w, row), m->line, i->line);
}

static void note_operand(struct vm_warp *w, const struct vm_instruction *i, const struct vm_operand *o, bool writes)
{
    const struct vm_operand *element = vm_warp_program(w)->element;
    switch (o->kind) {
    case VM_REGISTER:
        (writes ? note_write : note_read)(w, i, o->reg);
        return;
    case VM_VECTOR:
    case VM_PAIR:
        for (uint32_t n = 0; n < o->count; n++)
            if (element[o->first + n].kind == VM_REGISTER)
                (writes ? note_write : note_read)(w, i, element[o->first + n].reg);
        return;
    case VM_TENSOR:
        for (uint32_t n = 0; n < o->count; n++)
            note_read(w, i, element[o->first + n].reg);
        note_read(w, i, o->reg);
        return;
    case VM_ADDRESS:
        note_read(w, i, o->reg);
        return;
    default:
        return;
    }
}

/* Is the first operand, where it is a register, what the instruction writes? So it is but for these. */
static bool writes_first(const struct vm_instruction *i)
{
    static const char *const readers[] = {"bar", "barrier", "nanosleep", "brx", "setmaxnreg", "call"};
    for (uint32_t n = 0; n < i->words; n++)
        if (strcmp(i->word[n], "red") == 0)
            return true; /* of a barrier; that of memory has an address */
    for (size_t r = 0; r < sizeof readers / sizeof *readers; r++) {
        const size_t length = strlen(readers[r]);
        if (strncmp(i->opcode, readers[r], length) == 0 && (i->opcode[length] == '.' || i->opcode[length] == '\0'))
            return strstr(i->opcode, ".red") != NULL;
    }
    return true;
}

static void note_exit(struct vm_warp *w, const struct vm_instruction *i)
{
    const struct vm_wgmma *g = w->wgmma;
    if (g->flights == 0 || !g->touched)
        return;
    const struct wgmma_flight *f = &g->flight[0];
    vm_hazard(w, i, abandoned, "the wgmma of line %u, whose registers were used, was never %s", f->instruction->line,
              f->group < g->group ? "waited for" : "committed");
}

bool vm_wgmma_flight(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    (void)lanes;
    if (strncmp(i->opcode, "wgmma.", strlen("wgmma.")) == 0)
        return true; /* looks for itself */
    if (strcmp(i->opcode, "exit") == 0 || (strcmp(i->opcode, "ret") == 0 && w->depth[__builtin_ctz(lanes)] == 0))
        note_exit(w, i);
    if (i->operands == 0)
        return true;
    for (uint32_t n = w->wgmma->flights > 0 ? i->operands - 1 : 0; n > 0; n--)
        note_operand(w, i, vm_argument(p, i, n), false);
    const bool writes = writes_first(i);
    if (writes || w->wgmma->flights > 0)
        note_operand(w, i, vm_argument(p, i, 0), writes);
    return true;
}
