/* module_tensor: the element types of tensor maps, as sidecars, the CUDA driver and the PTX machine call them. */
#ifndef FO_ORACLE_EXEC_MODULE_TENSOR_H
#define FO_ORACLE_EXEC_MODULE_TENSOR_H

#include "reference/ptx/tensor_map.h"

struct module_tensor_type {
    const char *name;
    enum vm_type type;
    uint8_t bytes;
    int driver; /* CUtensorMapDataType */
};
/* NULL past the last. */
const struct module_tensor_type *module_tensor_type_at(size_t i);
const struct module_tensor_type *module_tensor_type_of(enum vm_type type);

#endif
