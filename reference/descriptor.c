#include "reference/descriptor.h"

#include <assert.h>

enum { START_AT = 0, LEADING_AT = 16, STRIDE_AT = 32, BASE_AT = 49, SWIZZLE_AT = 62 };
enum { OFFSET_BITS = 14, BASE_MASK = 7, SWIZZLE_MASK = 3 };
enum {
    CHUNK_SHIFT = 4,
    LINE_SHIFT = 7
}; /* of an address: chunks of 16 bytes; the bits that the swizzle adds to them */

static const uint32_t widths[] = {0, 128, 64, 32}; /* by the code of the swizzle */
enum { WIDTHS = sizeof widths / sizeof *widths };

static uint32_t offset_at(uint64_t bits, int shift)
{
    return (uint32_t)(bits >> shift & ((1u << OFFSET_BITS) - 1)) << CHUNK_SHIFT;
}

struct descriptor descriptor_decode(uint64_t bits)
{
    return (struct descriptor){
        .start = offset_at(bits, START_AT),
        .leading = offset_at(bits, LEADING_AT),
        .stride = offset_at(bits, STRIDE_AT),
        .base = (uint32_t)(bits >> BASE_AT & BASE_MASK),
        .swizzle = widths[bits >> SWIZZLE_AT & SWIZZLE_MASK],
    };
}

/* One of the three byte fields, or its name in an error. */
static enum status put_offset(const char *name, uint32_t value, int shift, uint64_t *bits, struct error *e)
{
    if (value % DESCRIPTOR_CHUNK != 0 || value >= DESCRIPTOR_MEMORY) {
        error_set(e, STATUS_BAD_ARGUMENT, "%u is not legal; write a multiple of %d below %d", value, DESCRIPTOR_CHUNK,
                  DESCRIPTOR_MEMORY);
        return error_at_field(e, name), STATUS_BAD_ARGUMENT;
    }
    *bits |= (uint64_t)(value >> CHUNK_SHIFT) << shift;
    return STATUS_OK;
}

enum status descriptor_encode(const struct descriptor *d, uint64_t *bits, struct error *e)
{
    uint64_t made = 0, code = 0;
    while (code < WIDTHS && widths[code] != d->swizzle)
        code++;
    if (code == WIDTHS) {
        error_set(e, STATUS_BAD_ARGUMENT, "%u bytes is no swizzle; write 0, 32, 64 or 128", d->swizzle);
        return error_at_field(e, "swizzle"), STATUS_BAD_ARGUMENT;
    }
    if (d->base > BASE_MASK) {
        error_set(e, STATUS_BAD_ARGUMENT, "%u is not legal; write 0 to %d", d->base, BASE_MASK);
        return error_at_field(e, "base offset"), STATUS_BAD_ARGUMENT;
    }
    enum status s = put_offset("start address", d->start, START_AT, &made, e);
    if (s == STATUS_OK)
        s = put_offset("leading byte offset", d->leading, LEADING_AT, &made, e);
    if (s == STATUS_OK)
        s = put_offset("stride byte offset", d->stride, STRIDE_AT, &made, e);
    if (s != STATUS_OK)
        return s;
    *bits = made | (uint64_t)d->base << BASE_AT | code << SWIZZLE_AT;
    return STATUS_OK;
}

/* Offset of a chunk from the start address, before the swizzle. `along` counts chunks in the direction that is
 * contiguous in a line, `across` counts lines. */
static uint32_t plain_offset(const struct descriptor *d, bool mn, uint32_t across, uint32_t along)
{
    uint32_t line = across % DESCRIPTOR_LINES, group = across / DESCRIPTOR_LINES;
    if (d->swizzle == 0)
        return line * DESCRIPTOR_CHUNK +
               (mn ? group * d->leading + along * d->stride : group * d->stride + along * d->leading);
    uint32_t width = d->swizzle / DESCRIPTOR_CHUNK, offset = line * d->swizzle + group * d->stride;
    if (!mn)
        return offset + along * DESCRIPTOR_CHUNK;
    return offset + along % width * DESCRIPTOR_CHUNK + along / width * d->leading;
}

/*     address   ... l l l | c c c | b b b b      l line of the pattern, c chunk, b byte of the chunk
 *                   |_____xor____|               as many bits as the swizzle has; the line is counted from the base
 */
static uint32_t swizzled(const struct descriptor *d, uint32_t address)
{
    uint32_t mask = d->swizzle ? d->swizzle / DESCRIPTOR_CHUNK - 1 : 0;
    uint32_t line = (address >> LINE_SHIFT) - d->base;
    return address ^ (line & mask) << CHUNK_SHIFT;
}

uint32_t descriptor_chunk(const struct descriptor *d, bool mn, uint32_t outer, uint32_t inner)
{
    assert(d->start % DESCRIPTOR_CHUNK == 0);
    return swizzled(d, (d->start + plain_offset(d, mn, outer, inner)) % DESCRIPTOR_MEMORY);
}
