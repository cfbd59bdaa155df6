/* The box of a tensor map, row by row. source: PTX ISA 9.0, "Tensors": tile mode, bounding box, traversal stride,
 * out-of-bounds access, swizzle; reference/descriptor.h for the swizzle as bits of addresses. */
#include <string.h>

#include "reference/f16.h"
#include "reference/bf16.h"
#include "reference/ptx/copies.h"

enum { CHUNK = 16, SWIZZLE_AT = 4, SWIZZLE_FROM = 7 }; /* bits of a byte address */

/* The address of a chunk behind a swizzle of `width` bytes: one, two or three bits. */
static uint32_t swizzle(uint32_t address, uint32_t width)
{
    return address ^ (address >> SWIZZLE_FROM & (width / CHUNK - 1)) << SWIZZLE_AT;
}

/* Elements of a dimension that are in shared memory. The first is taken without steps. */
static uint32_t count_elements(const struct vm_tensor_map *m, uint32_t d)
{
    return d == 0 ? m->box[0] : (m->box[d] + m->step[d] - 1u) / m->step[d];
}

uint64_t vm_box_bytes(const struct vm_tensor_map *m)
{
    uint64_t bytes = m->element_bytes; /* 2^43 at most */
    for (uint32_t d = 0; d < m->rank; d++)
        bytes *= count_elements(m, d);
    return bytes;
}

/* What out-of-bounds elements of `bytes` bytes are filled with. */
static void fill(const struct vm_tensor_map *m, uint8_t *to, uint32_t bytes)
{
    static const uint64_t nan[VM_TYPES] = {
        [VM_F16] = F16_NAN,
        [VM_BF16] = BF16_NAN,
        [VM_F32] = UINT32_C(0x7fffffff),
        [VM_TF32] = UINT32_C(0x7fffffff),
        [VM_F64] = UINT64_C(0x7fffffffffffffff),
    };
    if (!m->fill_nan) {
        memset(to, 0, bytes);
        return;
    }
    for (uint32_t at = 0; at < bytes; at += m->element_bytes)
        memcpy(to + at, &nan[m->type], m->element_bytes);
}

/* One row of the box along the first dimension. inside: the bytes of it from `from` to `to`, whose first lies at
 * `global`. */
struct row {
    uint32_t at; /* behind the box's beginning in shared memory */
    uint32_t bytes, from, to;
    uint64_t global;
};

/* One piece of a row that is together in shared memory: bytes from `first` of the row on. */
static void copy_piece(const struct vm_box *b, const struct row *r, uint32_t first, uint32_t bytes, uint8_t *global)
{
    const struct vm_tensor_map *m = b->map;
    uint32_t address = b->address + r->at + first;
    uint8_t *shared = b->shared + ((m->swizzle ? swizzle(address, m->swizzle) : address) - b->address);
    uint32_t end = first + bytes, from = r->from < first ? first : r->from, to = r->to > end ? end : r->to;
    if (!b->to_global && (from > first || to < end))
        fill(m, shared, bytes);
    if (from >= to)
        return;
    uint8_t *inside = shared + (from - first);
    if (!b->to_global)
        memcpy(inside, global + (from - r->from), to - from);
    else if (b->reduction == VM_REDUCE_NONE)
        memcpy(global + (from - r->from), inside, to - from);
    else
        vm_reduce(b->reduction, b->type, global + (from - r->from), inside, to - from);
}

static bool copy_row(struct vm_box *b, const struct row *r)
{
    uint8_t *global = NULL;
    if (r->from < r->to) {
        global = vm_global_at(b->block, r->global, r->to - r->from, b->to_global);
        if (!global) {
            b->missing = r->global;
            return false;
        }
    }
    uint32_t piece = b->map->swizzle ? CHUNK : r->bytes;
    for (uint32_t first = 0; first < r->bytes; first += piece)
        copy_piece(b, r, first, piece, global);
    return true;
}

/* The bytes of a row that lie inside the tensor along its first dimension. */
static void clip(const struct vm_tensor_map *m, int64_t x, struct row *r)
{
    int64_t from = x < 0 ? -x : 0, to = (int64_t)m->extent[0] - x, most = m->box[0];
    from = from < most ? from : most;
    to = to < most ? to : most;
    r->from = (uint32_t)from * m->element_bytes;
    r->to = to > from ? (uint32_t)to * m->element_bytes : r->from;
}

bool vm_box_copy(struct vm_box *b)
{
    const struct vm_tensor_map *m = b->map;
    uint32_t rows = 1, size = m->box[0] * m->element_bytes;
    for (uint32_t d = 1; d < m->rank; d++)
        rows *= count_elements(m, d);
    for (uint32_t n = 0; n < rows; n++) {
        struct row r = {.at = n * size, .bytes = size};
        bool inside = true;
        uint32_t left = n;
        clip(m, b->at[0], &r);
        r.global = m->address + (uint64_t)((int64_t)b->at[0] * m->element_bytes) + r.from;
        for (uint32_t d = 1; d < m->rank; d++) {
            int64_t x = (int64_t)b->at[d] + (int64_t)(left % count_elements(m, d)) * m->step[d];
            left /= count_elements(m, d);
            inside = inside && x >= 0 && x < m->extent[d];
            r.global += (uint64_t)x * m->stride[d];
        }
        if (!inside)
            r.from = r.to = 0;
        if (!copy_row(b, &r))
            return false;
    }
    return true;
}
