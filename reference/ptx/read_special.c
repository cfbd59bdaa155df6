/* source: PTX ISA 9.0, "Special Registers". */
#include "reference/ptx/read.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t bits;
} specials[VM_SPECIALS] = {
    [VM_TID_X] = {"%tid.x", 32},
    [VM_TID_Y] = {"%tid.y", 32},
    [VM_TID_Z] = {"%tid.z", 32},
    [VM_NTID_X] = {"%ntid.x", 32},
    [VM_NTID_Y] = {"%ntid.y", 32},
    [VM_NTID_Z] = {"%ntid.z", 32},
    [VM_CTAID_X] = {"%ctaid.x", 32},
    [VM_CTAID_Y] = {"%ctaid.y", 32},
    [VM_CTAID_Z] = {"%ctaid.z", 32},
    [VM_NCTAID_X] = {"%nctaid.x", 32},
    [VM_NCTAID_Y] = {"%nctaid.y", 32},
    [VM_NCTAID_Z] = {"%nctaid.z", 32},
    [VM_LANEID] = {"%laneid", 32},
    [VM_WARPID] = {"%warpid", 32},
    [VM_NWARPID] = {"%nwarpid", 32},
    [VM_LANEMASK_EQ] = {"%lanemask_eq", 32},
    [VM_LANEMASK_LE] = {"%lanemask_le", 32},
    [VM_LANEMASK_LT] = {"%lanemask_lt", 32},
    [VM_LANEMASK_GE] = {"%lanemask_ge", 32},
    [VM_LANEMASK_GT] = {"%lanemask_gt", 32},
    [VM_CLUSTER_CTAID_X] = {"%cluster_ctaid.x", 32},
    [VM_CLUSTER_CTAID_Y] = {"%cluster_ctaid.y", 32},
    [VM_CLUSTER_CTAID_Z] = {"%cluster_ctaid.z", 32},
    [VM_CLUSTER_NCTAID_X] = {"%cluster_nctaid.x", 32},
    [VM_CLUSTER_NCTAID_Y] = {"%cluster_nctaid.y", 32},
    [VM_CLUSTER_NCTAID_Z] = {"%cluster_nctaid.z", 32},
    [VM_CLUSTER_CTARANK] = {"%cluster_ctarank", 32},
    [VM_CLUSTER_NCTARANK] = {"%cluster_nctarank", 32},
    [VM_IS_EXPLICIT_CLUSTER] = {"%is_explicit_cluster", 1},
    [VM_CLUSTERID_X] = {"%clusterid.x", 32},
    [VM_CLUSTERID_Y] = {"%clusterid.y", 32},
    [VM_CLUSTERID_Z] = {"%clusterid.z", 32},
    [VM_NCLUSTERID_X] = {"%nclusterid.x", 32},
    [VM_NCLUSTERID_Y] = {"%nclusterid.y", 32},
    [VM_NCLUSTERID_Z] = {"%nclusterid.z", 32},
    [VM_CLOCK] = {"%clock", 32},
    [VM_CLOCK_HI] = {"%clock_hi", 32},
    [VM_CLOCK64] = {"%clock64", 64},
    [VM_GLOBALTIMER] = {"%globaltimer", 64},
    [VM_SMID] = {"%smid", 32},
    [VM_NSMID] = {"%nsmid", 32},
    [VM_GRIDID] = {"%gridid", 64},
    [VM_DYNAMIC_SMEM_SIZE] = {"%dynamic_smem_size", 32},
    [VM_TOTAL_SMEM_SIZE] = {"%total_smem_size", 32},
};

/* Special registers that are none of the machine's: their instruction is not modelled. */
static bool is_foreign(const char *name)
{
    static const char *const begins[] = {"%pm",   "%envreg", "%reserved_smem_", "%globaltimer_", "%current_graph_exec",
                                         "%aggr", "%tid",    "%ntid",           "%ctaid",        "%nctaid"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(name, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

bool reader_special(struct reader *r, const struct read_name *name, struct vm_operand *o, bool *was)
{
    char text[READ_TEXT];
    bool component = r->token.kind == LEX_DOT && r->token.length == 2;
    snprintf(text, sizeof text, "%.100s%.*s", name->text, component ? 2 : 0, r->lexer.text + r->token.at);
    *was = false;
    for (int s = 0; s < VM_SPECIALS; s++)
        if (strcmp(specials[s].name, text) == 0) {
            o->kind = VM_SPECIAL;
            o->bits = specials[s].bits;
            o->value = (uint64_t)s;
            *was = !component || reader_next(r);
            return *was;
        }
    if (!is_foreign(name->text))
        return true;
    o->kind = VM_SPECIAL;
    r->why_not = "a special register that the machine lacks";
    *was = r->token.kind != LEX_DOT || reader_next(r);
    return *was;
}
