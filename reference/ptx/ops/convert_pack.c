#include "reference/ptx/ops.h"

const struct vm_op vm_ops_convert_pack[] = {{NULL, NULL}};
