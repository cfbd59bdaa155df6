/* The product of one wgmma: operands from registers (fragment.h) and shared memory (descriptor.h), and back. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "reference/descriptor.h"
#include "reference/fragment.h"
#include "reference/ptx/ops/wgmma.h"

enum { K_BYTES = 32, REGISTER_BITS = 32, MOST_D_REGISTERS = 128, MOST_PARTS = 4 };
enum { CHUNKS = K_BYTES / DESCRIPTOR_CHUNK }; /* along K */

struct place {
    uint32_t i, j;
};

/* A fragment map is affine without an offset: an element is the exclusive or of what lane, register and part say. All
 * warps have the same, 16 rows apart, so that the rows here count within the strip of a warp. */
struct slots {
    struct place lane[VM_LANES], reg[MOST_D_REGISTERS], part[MOST_PARTS];
    uint32_t regs, parts;
};

struct wgmma_room {
    struct wgmma_op op; /* the operation that the slots are of; family NULL: none */
    struct slots a, d;
    uint32_t a_bits[WGMMA_WARP_ROWS * TILE_MOST_K], b_bits[TILE_MOST_N * TILE_MOST_K];
    struct tile_rows rows;       /* of one warp */
    struct tile_columns columns; /* for all four */
    uint32_t d_bits[WGMMA_WARP_ROWS * TILE_MOST_N];
};

/* ---- registers --------------------------------------------------------------------------------------------------- */

static struct place place_of(const struct layout *map, uint32_t thread, uint32_t reg, uint32_t part)
{
    struct point at = layout_apply(map, &(struct point){{thread, reg, part}});
    return (struct place){at.at[0], at.at[1]};
}

static void make_slots(const struct wgmma_op *op, enum fragment_operand operand, struct slots *s)
{
    struct layout map;
    enum status made = fragment_map(op, operand, &map, NULL);
    assert(made == STATUS_OK && map.kind == LAYOUT_AFFINE);
    (void)made;
    const struct place zero = place_of(&map, 0, 0, 0);
    assert(zero.i == 0 && zero.j == 0);
    (void)zero;
    s->regs = map.domain.extent[1];
    s->parts = map.domain.extent[2];
    assert(s->regs <= MOST_D_REGISTERS && s->parts <= MOST_PARTS);
    for (uint32_t n = 0; n < VM_LANES; n++)
        s->lane[n] = place_of(&map, n, 0, 0);
    for (uint32_t n = 0; n < s->regs; n++)
        s->reg[n] = place_of(&map, 0, n, 0);
    for (uint32_t n = 0; n < s->parts; n++)
        s->part[n] = place_of(&map, 0, 0, n);
}

static uint32_t mask_of(uint32_t parts)
{
    return UINT32_MAX >> (REGISTER_BITS - REGISTER_BITS / parts);
}

/* Registers of a vector operand into bits[16][columns]. */
static void gather(const struct vm_warp *w, const struct vm_instruction *i, uint32_t operand, const struct slots *s,
                   size_t columns, uint32_t *bits)
{
    const uint32_t width = REGISTER_BITS / s->parts, mask = mask_of(s->parts);
    for (uint32_t r = 0; r < s->regs; r++) {
        const uint64_t *row = vm_row(w, wgmma_row(w, i, operand, r));
        for (uint32_t lane = 0; lane < VM_LANES; lane++)
            for (uint32_t part = 0; part < s->parts; part++) {
                uint32_t m = s->lane[lane].i ^ s->reg[r].i ^ s->part[part].i;
                uint32_t n = s->lane[lane].j ^ s->reg[r].j ^ s->part[part].j;
                bits[m * columns + n] = (uint32_t)row[lane] >> part * width & mask;
            }
    }
}

/* And back. */
static void scatter(struct vm_warp *w, const struct vm_instruction *i, uint32_t operand, const struct slots *s,
                    size_t columns, const uint32_t *bits)
{
    const uint32_t width = REGISTER_BITS / s->parts;
    for (uint32_t r = 0; r < s->regs; r++) {
        uint64_t *row = vm_row(w, wgmma_row(w, i, operand, r));
        for (uint32_t lane = 0; lane < VM_LANES; lane++) {
            uint32_t word = 0;
            for (uint32_t part = 0; part < s->parts; part++) {
                uint32_t m = s->lane[lane].i ^ s->reg[r].i ^ s->part[part].i;
                uint32_t n = s->lane[lane].j ^ s->reg[r].j ^ s->part[part].j;
                word |= bits[m * columns + n] << part * width;
            }
            row[lane] = word;
        }
    }
}

/* ---- shared memory ----------------------------------------------------------------------------------------------- */

/* The chunks of lines first .. first + lines - 1 of a tile: outer and inner as descriptor_chunk takes them. */
struct tile {
    struct descriptor descriptor;
    bool mn;
    uint32_t outer, outers, inner, inners;
};

static struct tile tile_of(uint64_t descriptor, bool mn, uint32_t first, uint32_t lines, uint32_t element_bytes)
{
    const uint32_t each = DESCRIPTOR_CHUNK / element_bytes;
    struct tile t = {.descriptor = descriptor_decode(descriptor), .mn = mn};
    if (mn) {
        t.outers = K_BYTES / element_bytes;
        t.inner = first / each;
        t.inners = lines / each;
    } else {
        t.outer = first;
        t.outers = lines;
        t.inners = CHUNKS;
    }
    return t;
}

static uint32_t chunk_address(const struct vm_block *b, const struct tile *t, uint32_t outer, uint32_t inner)
{
    return b->rank << VM_RANK_SHIFT | descriptor_chunk(&t->descriptor, t->mn, t->outer + outer, t->inner + inner);
}

static enum vm_step check_tile(struct vm_warp *w, const struct vm_instruction *i, const struct tile *t)
{
    for (uint32_t outer = 0; outer < t->outers; outer++)
        for (uint32_t inner = 0; inner < t->inners; inner++) {
            const uint32_t address = chunk_address(w->block, t, outer, inner);
            if (!vm_shared_at(w->block, address, DESCRIPTOR_CHUNK, NULL))
                return vm_fault(w, i, STATUS_SUBJECT,
                                "a matrix descriptor reaches byte %u of shared memory, of which there are %u",
                                address - (w->block->rank << VM_RANK_SHIFT), w->block->shared_bytes);
            vm_shared_read_async(w, i, address, DESCRIPTOR_CHUNK);
        }
    return VM_NEXT;
}

enum vm_step wgmma_check_operands(struct vm_warp *w, const struct wgmma_flight *f)
{
    const struct wgmma_form form = wgmma_form_of(f->instruction);
    const uint32_t bytes = (uint32_t)form.op.family->a_bits / 8;
    if (form.op.source == WGMMA_SS) {
        const struct tile a = tile_of(f->a, form.mn_a, 0, WGMMA_M, bytes);
        if (check_tile(w, f->instruction, &a) == VM_FAULT)
            return VM_FAULT;
    }
    const struct tile b = tile_of(f->b, form.mn_b, 0, (uint32_t)form.op.n, bytes);
    return check_tile(w, f->instruction, &b);
}

/* Element e of a chunk. */
static uint32_t element(const uint8_t *chunk, uint32_t e, uint32_t bytes)
{
    uint32_t bits = 0;
    memcpy(&bits, chunk + (size_t)e * bytes, bytes);
    return bits;
}

/* The tile into bits[lines][k]. needs: a tile that has been checked. */
static void read_tile(struct vm_block *b, const struct tile *t, uint32_t bytes, uint32_t *bits)
{
    const uint32_t each = DESCRIPTOR_CHUNK / bytes, k = K_BYTES / bytes;
    for (uint32_t outer = 0; outer < t->outers; outer++)
        for (uint32_t inner = 0; inner < t->inners; inner++) {
            const uint8_t *chunk = vm_shared_at(b, chunk_address(b, t, outer, inner), DESCRIPTOR_CHUNK, NULL);
            uint32_t *to = t->mn ? bits + (size_t)inner * each * k + outer : bits + (size_t)outer * k + inner * each;
            for (uint32_t e = 0; e < each; e++)
                to[t->mn ? e * k : e] = element(chunk, e, bytes);
        }
}

/* ---- the product ------------------------------------------------------------------------------------------------- */

static struct wgmma_room *room_of(struct vm_warp *leader, const struct wgmma_op *op)
{
    struct vm_wgmma *g = leader->wgmma;
    if (!g->operands)
        g->operands = calloc(1, sizeof *g->operands);
    struct wgmma_room *room = g->operands;
    if (room && (room->op.family != op->family || room->op.n != op->n || room->op.source != op->source)) {
        room->op = *op;
        make_slots(op, FRAGMENT_D, &room->d);
        if (op->source == WGMMA_RS)
            make_slots(op, FRAGMENT_A, &room->a);
    }
    return room;
}

static void show(struct vm_warp *w, const struct wgmma_flight *f, uint64_t sequence, bool registers)
{
    struct vm *vm = w->block->vm;
    struct vm_seen seen = {.block = w->block,
                           .instruction = f->instruction,
                           .warp = w->index,
                           .sequence = sequence,
                           .a_descriptor = f->a,
                           .b_descriptor = f->b,
                           .add = f->add};
    for (uint32_t r = 0; registers && r < WGMMA_A_REGISTERS; r++)
        seen.a[r] = vm_row(w, wgmma_row(w, f->instruction, WGMMA_A, r));
    vm->see(vm->see_self, &seen);
}

/* The 16 rows of one warp. */
static void compute_strip(struct vm_warp *w, const struct wgmma_form *form, const struct wgmma_flight *f,
                          struct wgmma_room *room)
{
    const size_t n = (size_t)form->op.n;
    const uint32_t bytes = (uint32_t)form->op.family->a_bits / 8;
    if (form->op.source == WGMMA_RS) {
        gather(w, f->instruction, WGMMA_A, &room->a, form->sum.k, room->a_bits);
    } else {
        const uint32_t first = w->index % WGMMA_WARPS * WGMMA_WARP_ROWS;
        const struct tile a = tile_of(f->a, form->mn_a, first, WGMMA_WARP_ROWS, bytes);
        read_tile(w->block, &a, bytes, room->a_bits);
    }
    tile_prepare_a(&form->sum, room->a_bits, WGMMA_WARP_ROWS, form->negate_a, &room->rows);
    if (f->add)
        gather(w, f->instruction, WGMMA_D, &room->d, n, room->d_bits);
    else
        memset(room->d_bits, 0, WGMMA_WARP_ROWS * n * sizeof *room->d_bits);
    tile_multiply(&form->sum, &room->rows, WGMMA_WARP_ROWS, &room->columns, n, room->d_bits);
    scatter(w, f->instruction, WGMMA_D, &room->d, n, room->d_bits);
}

enum vm_step wgmma_compute(struct vm_warp *leader, uint64_t sequence)
{
    const struct vm_wgmma *g = leader->wgmma;
    const struct wgmma_flight *f = &g->flight[sequence - (g->issued - g->flights)];
    const struct wgmma_form form = wgmma_form_of(f->instruction);
    const uint32_t bytes = (uint32_t)form.op.family->a_bits / 8;
    struct wgmma_room *room = room_of(leader, &form.op);
    if (!room)
        return vm_fault(leader, f->instruction, STATUS_NO_MEMORY, "no memory for the operands of wgmma");
    const struct tile b = tile_of(f->b, form.mn_b, 0, (uint32_t)form.op.n, bytes);
    read_tile(leader->block, &b, bytes, room->b_bits);
    tile_prepare_b(&form.sum, room->b_bits, (size_t)form.op.n, form.negate_b, &room->columns);
    if (form.sum.approximate)
        vm_approximate(leader, form.sum.approximate);
    for (struct vm_warp *w = leader; w < leader + WGMMA_WARPS; w++) {
        const struct vm_wgmma *own = w->wgmma;
        const struct wgmma_flight *flight = &own->flight[sequence - (own->issued - own->flights)];
        if (w->block->vm->see)
            show(w, flight, sequence, form.op.source == WGMMA_RS);
        compute_strip(w, &form, flight, room);
        w->wgmma->computed++;
    }
    return VM_NEXT;
}
