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
static const char d_moved[] = "accumulator moved in flight";
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

typedef void visit(struct vm_warp *w, const struct vm_instruction *i, uint32_t row, bool writes, bool *found);

/* Is the row an accumulator in flight? */
static void look_for_d(struct vm_warp *w, const struct vm_instruction *i, uint32_t row, bool writes, bool *found)
{
    (void)i;
    (void)writes;
    *found = *found || w->wgmma->mark[row].d > 0;
}

static void note(struct vm_warp *w, const struct vm_instruction *i, uint32_t row, bool writes, bool *found)
{
    struct wgmma_mark *m = &w->wgmma->mark[row];
    if (writes) {
        m->written = w->wgmma->fences;
        m->writer = i->line;
    }
    if (m->d == 0 && !(writes && m->a > 0))
        return;
    *found = true;
    if (m->d == 0)
        vm_hazard(w, i, a_overwritten, "%s, A of the wgmma of line %u, is written in line %u before a wait",
                  name_of(w, row), m->line, i->line);
    else
        vm_hazard(w, i, !writes && strcmp(i->opcode, "mov") == 0 ? d_moved : d_touched,
                  "%s, accumulator of the wgmma of line %u, is %s in line %u before a wait", name_of(w, row), m->line,
                  writes ? "written" : "read", i->line);
}

static void visit_operand(struct vm_warp *w, const struct vm_instruction *i, const struct vm_operand *o, bool writes,
                          visit *what, bool *found)
{
    const struct vm_operand *element = vm_warp_program(w)->element;
    const bool direct = o->kind == VM_REGISTER, address = o->kind == VM_ADDRESS || o->kind == VM_TENSOR;
    if ((direct || address) && o->reg != VM_NONE)
        what(w, i, o->reg, writes && direct, found);
    if (o->kind != VM_VECTOR && o->kind != VM_PAIR && o->kind != VM_TENSOR)
        return;
    for (uint32_t n = o->first; n < o->first + o->count; n++)
        if (element[n].kind == VM_REGISTER)
            what(w, i, element[n].reg, writes && !address, found);
}

/* Is the first operand, where it is a register, what the instruction writes? So it is but for these. */
static bool writes_first(const struct vm_instruction *i)
{
    static const char *const readers[] = {"bar", "barrier", "nanosleep", "brx", "setmaxnreg", "call"};
    for (size_t r = 0; r < sizeof readers / sizeof *readers; r++) {
        const size_t length = strlen(readers[r]);
        if (strncmp(i->opcode, readers[r], length) != 0 || (i->opcode[length] != '.' && i->opcode[length] != '\0'))
            continue;
        bool reduces = strstr(i->opcode, ".red") != NULL;
        for (uint32_t n = 0; n < i->words; n++)
            reduces = reduces || strcmp(i->word[n], "red") == 0;
        return reduces;
    }
    return true;
}

/* All registers of an instruction; sources first, so that what it reads is told before what it writes. */
static bool visit_registers(struct vm_warp *w, const struct vm_instruction *i, visit *what)
{
    const struct vm_program *p = vm_warp_program(w);
    bool found = false;
    for (uint32_t n = i->operands; n-- > 1;)
        visit_operand(w, i, vm_argument(p, i, n), false, what, &found);
    if (i->operands > 0)
        visit_operand(w, i, vm_argument(p, i, 0), writes_first(i), what, &found);
    return found;
}

static void note_exit(struct vm_warp *w, const struct vm_instruction *i)
{
    const struct vm_wgmma *g = w->wgmma;
    const struct wgmma_flight *f = &g->flight[0];
    if (g->touched)
        vm_hazard(w, i, abandoned, "the wgmma of line %u, whose registers were used, was never %s",
                  f->instruction->line, f->group < g->group ? "waited for" : "committed");
}

enum vm_step vm_wgmma_flight(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct vm_wgmma *g = w->wgmma;
    if (strncmp(i->opcode, "wgmma.", strlen("wgmma.")) == 0)
        return VM_NEXT; /* looks for itself */
    if (g->flights == 0) {
        bool found = false;
        if (i->operands > 0 && writes_first(i))
            visit_operand(w, i, vm_argument(vm_warp_program(w), i, 0), true, note, &found);
        return VM_NEXT;
    }
    if (strcmp(i->opcode, "exit") == 0 || (strcmp(i->opcode, "ret") == 0 && w->depth[__builtin_ctz(lanes)] == 0))
        note_exit(w, i);
    if (g->computed < g->issued && visit_registers(w, i, look_for_d)) {
        const enum vm_step s = wgmma_compute_until(w, g->issued);
        if (s != VM_NEXT)
            return s;
    }
    g->touched = visit_registers(w, i, note) || g->touched;
    return VM_NEXT;
}
