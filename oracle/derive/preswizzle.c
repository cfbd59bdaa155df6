/* The layouts that a kernel would wish for: the bits of a slot, in the order in which a thread wants them, become the
 * bits of the position; the fragment map says which bits of n and k they are. */
#include <assert.h>

#include "oracle/derive/plan.h"

enum { THREAD, REG, PART, BYTE = 8, REGISTER = 32 };

/* A bit of (n, k): exactly one of the two is set. */
static struct point image_of(const struct layout *fragment, int dim, int bit)
{
    struct point p = fragment->image[dim][bit];
    /* The A maps of wgmma permute bits. */
    assert((p.at[0] == 0) != (p.at[1] == 0));
    return p;
}

static int log2_of(uint32_t x)
{
    int bit = 0;
    while (1u << bit < x)
        bit++;
    return bit;
}

/* The next free bit of the position is this bit of (n, k). Columns that share a code have no bit of their own. */
static void append(struct storage *s, struct point p, uint32_t *position)
{
    int dim = p.at[0] ? STORAGE_N : STORAGE_K;
    uint32_t value = dim == STORAGE_N ? p.at[0] : p.at[1] / s->share;
    if (value == 0)
        return;
    s->block.image[dim][log2_of(value)].at[STORAGE_POSITION] = *position;
    *position *= 2;
}

static struct storage empty(const struct tile *t, uint32_t bits, uint32_t steps, uint32_t share, uint32_t *position)
{
    uint32_t columns = steps * t->step_k > share ? steps * t->step_k / share : 1;
    struct storage s = storage_block(bits, share, WGMMA_M, columns, 1, WGMMA_M * columns * bits);
    for (*position = 1; *position < bits; *position *= 2)
        s.block.image[STORAGE_BIT][log2_of(*position)].at[STORAGE_POSITION] = *position;
    return s;
}

/* Register and step bits: the registers of the window, one after the other. */
static struct point register_bit(const struct tile *t, int bit)
{
    int in_step = log2_of(t->regs);
    return bit < in_step ? image_of(&t->fragment, REG, bit) : (struct point){{0, t->step_k << (bit - in_step)}};
}

/* In one 32-bit word, part 0 of several registers in its low half (or byte), part 1 in the next, so that one shift and
 * one mask give a register:
 *
 *     bit      31 .. 16                  15 .. 0
 *     int4     R3.1 R2.1 R1.1 R0.1       R3.0 R2.0 R1.0 R0.0       four registers of 16-bit parts
 */
struct storage preswizzle_values(const struct tile *t, uint32_t bits)
{
    uint32_t part_bits = REGISTER / t->parts, position;
    uint32_t steps = part_bits / bits; /* one step fills 16 bytes when codes are as wide as parts */
    struct storage s = empty(t, bits, steps, 1, &position);
    int registers = log2_of(t->regs * steps), next = 0;
    while (position < part_bits)
        append(&s, register_bit(t, next++), &position);
    for (int bit = 0; 1u << bit < t->parts; bit++)
        append(&s, image_of(&t->fragment, PART, bit), &position);
    while (next < registers)
        append(&s, register_bit(t, next++), &position);
    for (int bit = 0; 1u << bit < WGMMA_THREADS; bit++)
        append(&s, image_of(&t->fragment, THREAD, bit), &position);
    return s;
}

struct storage preswizzle_scales(const struct tile *t, uint32_t steps, uint32_t share)
{
    uint32_t position;
    struct storage s = empty(t, BYTE, steps, share, &position);
    int registers = log2_of(t->regs * steps);
    for (int bit = 0; bit < registers; bit++)
        append(&s, register_bit(t, bit), &position);
    for (int bit = 0; 1u << bit < WGMMA_THREADS; bit++)
        append(&s, image_of(&t->fragment, THREAD, bit), &position);
    return s;
}
