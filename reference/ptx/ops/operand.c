#include "reference/ptx/ops/operand.h"

#include <string.h>

#include "reference/ptx/warp.h"

const char vm_why_words[] = "words that are not modelled";
const char vm_why_operands[] = "operands that are not modelled";

bool vm_address_operand(const struct vm_operand *o, enum vm_space *space)
{
    enum vm_space own = o->space;
    if (o->kind != VM_ADDRESS)
        return false;
    if (own == VM_GENERIC)
        return true;
    if (*space != VM_GENERIC && *space != own && !(*space == VM_PARAM && own == VM_LOCAL))
        return false;
    *space = own;
    return true;
}

bool vm_has_word(const struct vm_instruction *i, const char *word)
{
    for (uint32_t n = 0; n < i->words; n++)
        if (strcmp(i->word[n], word) == 0)
            return true;
    return false;
}

void vm_check_own_block(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes,
                        const uint64_t address[VM_LANES], bool own)
{
    for (unsigned lane = 0; own && lane < VM_LANES; lane++)
        if (lanes >> lane & 1 && (uint32_t)address[lane] >> VM_RANK_SHIFT != w->block->rank)
            vm_hazard(w, i, "Shared memory of another block reached as the block's own", "address 0x%llx, lane %u",
                      (unsigned long long)address[lane], lane);
}

enum vm_step vm_run_nothing(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)w, (void)i, (void)lanes;
    return VM_NEXT;
}
