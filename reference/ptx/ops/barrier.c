#include "reference/ptx/hooks.h"
#include "reference/ptx/ops.h"

const struct vm_op vm_ops_barrier[] = {{NULL, NULL}};

bool vm_barriers_make(struct vm_block *b)
{
    (void)b;
    return true;
}

void vm_barriers_free(struct vm_block *b)
{
    (void)b;
}
