#include "reference/ptx/tensor_map.h"

#include <string.h>

/*     bytes  0 magic 4   4 rank, element_bytes, swizzle, fill_nan   8 address 8   16 extent 5 x 4   36 stride 5 x 8
 *           76 box 5 x 2   86 step 5   91 type   92 zeros */
enum {
    AT_RANK = 4,
    AT_ADDRESS = 8,
    AT_EXTENT = 16,
    AT_STRIDE = 36,
    AT_BOX = 76,
    AT_STEP = 86,
    AT_TYPE = 91,
    AT_ZEROS = 92
};
enum { ALIGN = 16, BOX_MOST = 256, STEP_MOST = 8 };
#define STRIDE_LIMIT (UINT64_C(1) << 40)

static bool is_type(enum vm_type t)
{
    return t == VM_U8 || t == VM_U16 || t == VM_U32 || t == VM_S32 || t == VM_U64 || t == VM_S64 || t == VM_F16 ||
           t == VM_BF16 || t == VM_F32 || t == VM_TF32 || t == VM_F64;
}

static enum status check_whole(const struct vm_tensor_map *m, struct error *e)
{
    if (m->rank < 1 || m->rank > VM_TENSOR_RANK)
        return error_set(e, STATUS_BAD_ARGUMENT, "a tensor of rank %d; 1 to %d can be", m->rank, VM_TENSOR_RANK);
    if (m->type >= VM_TYPES || !is_type((enum vm_type)m->type))
        return error_set(e, STATUS_BAD_ARGUMENT, "a tensor of a type that no tensor map has");
    if (m->element_bytes != vm_type_bits((enum vm_type)m->type) / 8)
        return error_set(e, STATUS_BAD_ARGUMENT, "elements of %d bytes, of a type of %u", m->element_bytes,
                         vm_type_bits((enum vm_type)m->type) / 8);
    if (m->swizzle != 0 && m->swizzle != 32 && m->swizzle != 64 && m->swizzle != 128)
        return error_set(e, STATUS_BAD_ARGUMENT, "a swizzle of %d bytes; 0, 32, 64 and 128 can be", m->swizzle);
    if (m->fill_nan > 1 || (m->fill_nan && !vm_type_float((enum vm_type)m->type)))
        return error_set(e, STATUS_BAD_ARGUMENT, "a fill of NaN for elements that are no floats");
    if (m->address % ALIGN != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "a tensor at 0x%llx, which is not aligned to %d bytes",
                         (unsigned long long)m->address, ALIGN);
    return STATUS_OK;
}

static enum status check_dimension(const struct vm_tensor_map *m, uint32_t d, struct error *e)
{
    if (m->extent[d] == 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "no elements in dimension %u", d);
    if (d == 0 && m->stride[0] != m->element_bytes)
        return error_set(e, STATUS_BAD_ARGUMENT, "the first dimension has a stride of %llu bytes",
                         (unsigned long long)m->stride[0]);
    if (d > 0 && (m->stride[d] % ALIGN != 0 || m->stride[d] >= STRIDE_LIMIT))
        return error_set(e, STATUS_BAD_ARGUMENT, "dimension %u has a stride of %llu bytes: a multiple of %d below 2^40",
                         d, (unsigned long long)m->stride[d], ALIGN);
    if (m->box[d] < 1 || m->box[d] > BOX_MOST)
        return error_set(e, STATUS_BAD_ARGUMENT, "a box of %d elements in dimension %u; 1 to %d can be", m->box[d], d,
                         BOX_MOST);
    if (m->step[d] < 1 || m->step[d] > STEP_MOST)
        return error_set(e, STATUS_BAD_ARGUMENT, "a step of %d in dimension %u; 1 to %d can be", m->step[d], d,
                         STEP_MOST);
    return STATUS_OK;
}

static enum status check(const struct vm_tensor_map *m, struct error *e)
{
    enum status s = check_whole(m, e);
    for (uint32_t d = 0; s == STATUS_OK && d < m->rank; d++)
        s = check_dimension(m, d, e);
    if (s != STATUS_OK)
        return s;
    uint32_t inner = (uint32_t)m->box[0] * m->element_bytes;
    if (inner % ALIGN != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "a box of %u bytes in a row, not a multiple of %d", inner, ALIGN);
    if (m->swizzle && inner > m->swizzle)
        return error_set(e, STATUS_BAD_ARGUMENT, "a box of %u bytes in a row, more than the swizzle of %d", inner,
                         m->swizzle);
    return STATUS_OK;
}

enum status vm_tensor_map_encode(const struct vm_tensor_map *map, uint8_t out[VM_TENSOR_BYTES], struct error *e)
{
    enum status s = check(map, e);
    if (s != STATUS_OK)
        return s;
    const uint32_t magic = VM_TENSOR_MAGIC;
    memset(out, 0, VM_TENSOR_BYTES);
    memcpy(out, &magic, sizeof magic);
    out[AT_RANK] = map->rank;
    out[AT_RANK + 1] = map->element_bytes;
    out[AT_RANK + 2] = map->swizzle;
    out[AT_RANK + 3] = map->fill_nan;
    memcpy(out + AT_ADDRESS, &map->address, sizeof map->address);
    memcpy(out + AT_EXTENT, map->extent, sizeof map->extent);
    memcpy(out + AT_STRIDE, map->stride, sizeof map->stride);
    memcpy(out + AT_BOX, map->box, sizeof map->box);
    memcpy(out + AT_STEP, map->step, sizeof map->step);
    out[AT_TYPE] = map->type;
    return STATUS_OK;
}

bool vm_tensor_map_decode(const uint8_t bytes[VM_TENSOR_BYTES], struct vm_tensor_map *map)
{
    struct vm_tensor_map m = {0};
    memcpy(&m.magic, bytes, sizeof m.magic);
    m.rank = bytes[AT_RANK];
    m.element_bytes = bytes[AT_RANK + 1];
    m.swizzle = bytes[AT_RANK + 2];
    m.fill_nan = bytes[AT_RANK + 3];
    memcpy(&m.address, bytes + AT_ADDRESS, sizeof m.address);
    memcpy(m.extent, bytes + AT_EXTENT, sizeof m.extent);
    memcpy(m.stride, bytes + AT_STRIDE, sizeof m.stride);
    memcpy(m.box, bytes + AT_BOX, sizeof m.box);
    memcpy(m.step, bytes + AT_STEP, sizeof m.step);
    m.type = bytes[AT_TYPE];
    for (unsigned at = AT_ZEROS; at < VM_TENSOR_BYTES; at++)
        if (bytes[at] != 0)
            return false;
    if (m.magic != VM_TENSOR_MAGIC || check(&m, NULL) != STATUS_OK)
        return false;
    *map = m;
    return true;
}
