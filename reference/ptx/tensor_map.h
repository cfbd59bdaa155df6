/* tensor_map: what cuTensorMapEncodeTiled says of a tensor, for the bulk tensor copies of the machine.
 *
 * The 128 bytes that the driver makes are opaque; these are the machine's own, with a magic number first, so that a
 * map made elsewhere is noticed.
 * source: CUDA driver API, cuTensorMapEncodeTiled; PTX ISA, "Tensors": bounding box, traversal stride, swizzle,
 * out-of-bounds access. */
#ifndef FO_REFERENCE_PTX_TENSOR_MAP_H
#define FO_REFERENCE_PTX_TENSOR_MAP_H

#include "reference/ptx/program.h"

enum { VM_TENSOR_RANK = 5, VM_TENSOR_BYTES = 128 };
#define VM_TENSOR_MAGIC UINT32_C(0x464f544d)

struct vm_tensor_map {
    uint32_t magic;
    uint8_t rank, element_bytes, swizzle, fill_nan; /* swizzle: 0, 32, 64, 128 bytes */
    uint64_t address;
    uint32_t extent[VM_TENSOR_RANK]; /* elements, fastest first */
    uint64_t stride[VM_TENSOR_RANK]; /* bytes; [0] is element_bytes */
    uint16_t box[VM_TENSOR_RANK];    /* elements */
    uint8_t step[VM_TENSOR_RANK];    /* traversal strides, elements */
    uint8_t type;                    /* enum vm_type, for reductions and the NaN fill */
};

/* errors: STATUS_BAD_ARGUMENT for what the driver refuses: rank, alignment of address (16) and strides (16), box above
 * 256, an inner box wider than the swizzle, extents of 0. */
enum status vm_tensor_map_encode(const struct vm_tensor_map *map, uint8_t out[VM_TENSOR_BYTES], struct error *e);
/* false: these bytes are no map of this machine. */
bool vm_tensor_map_decode(const uint8_t bytes[VM_TENSOR_BYTES], struct vm_tensor_map *map);

#endif
