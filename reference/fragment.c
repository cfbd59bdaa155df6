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

/* Rows. Every map takes them from the thread; the bit that adds 8 is the lowest of the register, but for D in 32 bits,
 * where two registers stand side by side in a row first. i is the row m. */
static const struct basis rows_basis[] = {
    {THREAD, 2, 1, 0},  /* g: rows */
    {THREAD, 3, 2, 0},  /* g */
    {THREAD, 4, 4, 0},  /* g */
    {THREAD, 5, 16, 0}, /* warp: strips of 16 rows */
    {THREAD, 6, 32, 0}, /* warp */
    {REG, 0, 8, 0},     /* R1, R3, ...: row g + 8 */
};
static const struct basis d32_rows_basis[] = {
    {THREAD, 2, 1, 0},  {THREAD, 3, 2, 0},  {THREAD, 4, 4, 0},
    {THREAD, 5, 16, 0}, {THREAD, 6, 32, 0}, {REG, 1, 8, 0}, /* row g + 8 */
};

/* Columns; j is k of A, n of D. A of tf32, m64k8: one element a register. */
static const struct basis a32_basis[] = {
    {THREAD, 0, 0, 1}, /* q: columns */
    {THREAD, 1, 0, 2}, /* q */
    {REG, 1, 0, 4},    /* R2 and R3: column q + 4 */
};

/* A of 16-bit types, m64k16, and D in f16, m64nN: the same, as far as A has registers. */
static const struct basis half_basis[] = {
    {PART, 0, 0, 1},   /* the high half: the odd column */
    {THREAD, 0, 0, 2}, /* q: pairs of columns */
    {THREAD, 1, 0, 4}, /* q */
    {REG, 1, 0, 8},    /* R2 and R3: columns 2q + 8, 2q + 9 */
    {REG, 2, 0, 16},   /* only D: columns in groups of 8, up to N */
    {REG, 3, 0, 32},   /* columns */
    {REG, 4, 0, 64},   /* columns */
    {REG, 5, 0, 128},  /* columns */
};

/* A of 8-bit types, m64k32: four elements a register. */
static const struct basis a8_basis[] = {
    {PART, 0, 0, 1},   /* bytes of a register */
    {PART, 1, 0, 2},   /* bytes */
    {THREAD, 0, 0, 4}, /* q: fours of columns */
    {THREAD, 1, 0, 8}, /* q */
    {REG, 1, 0, 16},   /* R2 and R3: columns 4q + 16 .. 4q + 19 */
};

/* D in f32 and s32, m64nN. Register bits beyond N/2 are cut off by the extent. */
static const struct basis d32_basis[] = {
    {REG, 0, 0, 1},    /* the odd column */
    {THREAD, 0, 0, 2}, /* q: pairs of columns */
    {THREAD, 1, 0, 4}, /* q */
    {REG, 2, 0, 8},    /* columns in groups of 8, up to N */
    {REG, 3, 0, 16},   /* columns */
    {REG, 4, 0, 32},   /* columns */
    {REG, 5, 0, 64},   /* columns */
    {REG, 6, 0, 128},  /* columns */
};

/* The bases of an operand by the width of its elements. */
struct fragment {
    enum fragment_operand operand;
    int bits;
    const struct basis *rows, *columns;
    size_t row_count, column_count;
};
#define BASIS(rows, columns) rows, columns, sizeof rows / sizeof *rows, sizeof columns / sizeof *columns
static const struct fragment fragments[] = {
    {FRAGMENT_A, 32, BASIS(rows_basis, a32_basis)},  {FRAGMENT_A, 16, BASIS(rows_basis, half_basis)},
    {FRAGMENT_A, 8, BASIS(rows_basis, a8_basis)},    {FRAGMENT_D, 32, BASIS(d32_rows_basis, d32_basis)},
    {FRAGMENT_D, 16, BASIS(rows_basis, half_basis)},
};
enum { FRAGMENTS = sizeof fragments / sizeof *fragments, REGISTER_BITS = 32 };

/* Add the images of the bits that the box of `map` has. */
static void add_images(struct layout *map, const struct basis *basis, size_t count)
{
    for (size_t r = 0; r < count; r++)
        if (1u << basis[r].bit < map->domain.extent[basis[r].dim])
            map->image[basis[r].dim][basis[r].bit] = (struct point){{basis[r].i, basis[r].j}};
}

enum status fragment_map(const struct wgmma_op *op, enum fragment_operand operand, struct layout *out, struct error *e)
{
    const struct wgmma_family *f = op->family;
    if (operand == FRAGMENT_A && op->source != WGMMA_RS)
        return error_set(e, STATUS_UNSUPPORTED, "A of an .ss operation lives in shared memory and has no fragment");
    int bits = operand == FRAGMENT_A ? f->a_bits : f->d_bits, columns = operand == FRAGMENT_A ? f->k : op->n;
    const struct fragment *found = fragments;
    while (found < fragments + FRAGMENTS && (found->operand != operand || found->bits != bits))
        found++;
    /* Every family of wgmma_ops.def has its rows above, and fills its registers. */
    assert(found < fragments + FRAGMENTS);
    uint32_t parts = (uint32_t)(REGISTER_BITS / bits), slots = (uint32_t)(WGMMA_M * columns / WGMMA_THREADS);
    assert(slots % parts == 0);
    struct layout map = {
        .kind = LAYOUT_AFFINE,
        .domain = {3, {"thread", "reg", "part"}, {WGMMA_THREADS, slots / parts, parts}},
        .codomain = {2, {"i", "j"}, {WGMMA_M, (uint32_t)columns}},
    };
    add_images(&map, found->rows, found->row_count);
    add_images(&map, found->columns, found->column_count);
    *out = map;
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
