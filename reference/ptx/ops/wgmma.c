#include "reference/ptx/hooks.h"
#include "reference/ptx/ops.h"

const struct vm_op vm_ops_wgmma[] = {{NULL, NULL}};

bool vm_wgmma_make(struct vm_warp *w)
{
    (void)w;
    return true;
}

void vm_wgmma_free(struct vm_warp *w)
{
    (void)w;
}

bool vm_wgmma_flight(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)w;
    (void)i;
    (void)lanes;
    return true;
}
