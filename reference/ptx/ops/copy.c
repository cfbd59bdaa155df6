#include "reference/ptx/hooks.h"
#include "reference/ptx/ops.h"

const struct vm_op vm_ops_copy[] = {{NULL, NULL}};

bool vm_copies_make(struct vm_warp *w)
{
    (void)w;
    return true;
}

void vm_copies_free(struct vm_warp *w)
{
    (void)w;
}
