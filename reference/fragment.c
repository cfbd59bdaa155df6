#include "reference/fragment.h"

#include <assert.h>
#include <strings.h>

enum slot_dim { THREAD, REG, PART };

/* One bit of a slot's coordinates, and what it adds (by exclusive or) to the element (i, j). */
struct basis {
    enum slot_dim dim;
    int bit;
    uint32_t i, j;
};

/* A of 16-bit types, m64k16: i is the row m, j is k. */
static const struct basis a16_basis[] = {
    {THREAD, 0, 0, 2},  /* q: pairs of columns */
    {THREAD, 1, 0, 4},  /* q */
    {THREAD, 2, 1, 0},  /* g: rows */
    {THREAD, 3, 2, 0},  /* g */
    {THREAD, 4, 4, 0},  /* g */
    {THREAD, 5, 16, 0}, /* warp: strips of 16 rows */
    {THREAD, 6, 32, 0}, /* warp */
    {REG, 0, 8, 0},     /* R1 and R3: row g + 8 */
    {REG, 1, 0, 8},     /* R2 and R3: columns 2q + 8, 2q + 9 */
    {PART, 0, 0, 1},    /* the high half: the odd column */
};

/* D in f32, m64nN: i is the row m, j is n. Register bits beyond N/2 are cut off by the extent. */
static const struct basis d32_basis[] = {
    {THREAD, 0, 0, 2},  /* q: pairs of columns */
    {THREAD, 1, 0, 4},  /* q */
    {THREAD, 2, 1, 0},  /* g: rows */
    {THREAD, 3, 2, 0},  /* g */
    {THREAD, 4, 4, 0},  /* g */
    {THREAD, 5, 16, 0}, /* warp: strips of 16 rows */
    {THREAD, 6, 32, 0}, /* warp */
    {REG, 0, 0, 1},     /* the odd column */
    {REG, 1, 8, 0},     /* row g + 8 */
    {REG, 2, 0, 8},     /* columns in groups of 8, up to N */
    {REG, 3, 0, 16},    /* columns */
    {REG, 4, 0, 32},    /* columns */
    {REG, 5, 0, 64},    /* columns */
    {REG, 6, 0, 128},   /* columns */
};

/* A basis restricted to a box of `regs` registers and `parts` parts a thread, onto 64 x columns elements. */
static struct layout restrict_to_box(const struct basis *basis, size_t rows, int regs, int parts, int columns)
{
    struct layout map = {
        .kind = LAYOUT_AFFINE,
        .domain = {3, {"thread", "reg", "part"}, {WGMMA_THREADS, (uint32_t)regs, (uint32_t)parts}},
        .codomain = {2, {"i", "j"}, {WGMMA_M, (uint32_t)columns}},
    };
    for (size_t r = 0; r < rows; r++)
        if (1u << basis[r].bit < map.domain.extent[basis[r].dim])
            map.image[basis[r].dim][basis[r].bit] = (struct point){{basis[r].i, basis[r].j}};
    return map;
}

enum status fragment_map(const struct wgmma_op *op, enum fragment_operand operand, struct layout *out, struct error *e)
{
    const struct wgmma_family *f = op->family;
    if (operand == FRAGMENT_A && op->source != WGMMA_RS)
        return error_set(e, STATUS_UNSUPPORTED, "A of an .ss operation lives in shared memory and has no fragment");
    /* Every family of wgmma_ops.def so far; another one needs its own rows above. */
    assert(f->a_bits == 16 && f->k == 16);
    if (operand == FRAGMENT_A)
        *out = restrict_to_box(a16_basis, sizeof a16_basis / sizeof *a16_basis, 4, 2, f->k);
    else
        *out = restrict_to_box(d32_basis, sizeof d32_basis / sizeof *d32_basis, op->n / 2, 1, op->n);
    return STATUS_OK;
}

enum status fragment_operand_parse(const char *name, enum fragment_operand *operand, struct error *e)
{
    if (strcasecmp(name, "A") == 0)
        *operand = FRAGMENT_A;
    else if (strcasecmp(name, "D") == 0)
        *operand = FRAGMENT_D;
    else
        return error_set(e, STATUS_BAD_ARGUMENT, "\"%.40s\" is no operand with a fragment; write A or D", name);
    return STATUS_OK;
}

/* One row of 64 columns, 128 bytes, is eight chunks of 16 bytes:
 *
 *     byte offset    ... r r r | r r r | c c c | b b b b      r row, c chunk ^ row % 8, b byte in the chunk
 *                      group     row     chunk
 */
size_t fragment_smem_sw128(size_t row, size_t k)
{
    enum { COLUMNS = 64, CHUNK = 8, BYTES = 2 };
    assert(k < COLUMNS);
    size_t chunk = (k / CHUNK) ^ (row % 8);
    return (row * COLUMNS + chunk * CHUNK + k % CHUNK) * BYTES;
}
