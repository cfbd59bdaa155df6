/* flow: the basic blocks of a function and the ways between them. Block 0 is the entry; blocks are in text order. */
#ifndef FO_ORACLE_PTX_FLOW_H
#define FO_ORACLE_PTX_FLOW_H

#include "oracle/ptx/module.h"

struct flow_block {
    uint32_t first, end;                                       /* statements of the module */
    uint32_t successor, successors, predecessor, predecessors; /* first and number in the arrays below */
};

struct flow {
    struct flow_block *block;
    uint32_t *successor, *predecessor;
    uint32_t *block_of; /* of each statement, from the first of the function */
    uint32_t blocks, edges;
};

/* errors: STATUS_NO_MEMORY; STATUS_BAD_INPUT of module_spend. */
enum status flow_make(struct ptx_module *m, const struct ptx_function *f, struct flow *flow, struct error *e);
void flow_free(struct flow *flow);

#endif
