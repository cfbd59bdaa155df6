#include "oracle/ptx/flow.h"

#include <stdlib.h>
#include <string.h>

enum { FLOW_EDGES = 1 << 24 };

static bool ends_block(enum ptx_kind kind)
{
    return kind == PTX_BRANCH || kind == PTX_INDEXED || kind == PTX_LEAVE;
}

/* Mark the statements that begin a block, then number the blocks. */
static void cut(const struct ptx_module *m, const struct ptx_function *f, struct flow *flow)
{
    uint32_t n = f->statements;
    memset(flow->block_of, 0, n * sizeof *flow->block_of);
    for (uint32_t i = 0; i < n; i++) {
        const struct ptx_statement *s = &m->statement[f->statement + i];
        if (ends_block(s->kind) && i + 1 < n)
            flow->block_of[i + 1] = 1;
        if (s->kind != PTX_BRANCH && s->kind != PTX_TARGETS)
            continue;
        for (uint32_t u = s->use; u < s->use + s->uses; u++)
            if (m->use[u].target - f->statement < n)
                flow->block_of[m->use[u].target - f->statement] = 1;
    }
    flow->blocks = 1;
    flow->block_of[0] = 0;
    for (uint32_t i = 1; i < n; i++)
        flow->block_of[i] = flow->block_of[i] ? flow->blocks++ : flow->blocks - 1;
}

/* The statement whose names are the targets of a block's last statement, or NULL. */
static const struct ptx_statement *targets_of(const struct ptx_module *m, const struct ptx_statement *last)
{
    return last->kind == PTX_BRANCH ? last : last->kind == PTX_INDEXED ? &m->statement[m->use[last->use].target] : NULL;
}

/* Successors of every block, into `edge` or, where that is NULL, only counted. */
static enum status connect(struct ptx_module *m, const struct ptx_function *f, struct flow *flow, uint32_t *edge,
                           struct error *e)
{
    uint32_t edges = 0;
    for (uint32_t b = 0; b < flow->blocks; b++) {
        struct flow_block *block = &flow->block[b];
        const struct ptx_statement *last = &m->statement[block->end - 1], *targets = targets_of(m, last);
        enum status s = module_spend(m, 1 + (uint64_t)(targets ? targets->uses : 0), e);
        if (s != STATUS_OK)
            return s;
        if (edges > FLOW_EDGES)
            return lex_fail(&m->lexer, last->line, last->column, e, "this function has too many branches");
        block->successor = edges;
        if ((!ends_block(last->kind) || last->guarded) && b + 1 < flow->blocks) {
            if (edge)
                edge[edges] = b + 1;
            edges++;
        }
        for (uint32_t u = 0; targets && u < targets->uses; u++) {
            uint32_t to = m->use[targets->use + u].target - f->statement;
            if (to >= f->statements)
                continue; /* a label behind the last statement */
            if (edge)
                edge[edges] = flow->block_of[to];
            edges++;
        }
        block->successors = edges - block->successor;
    }
    flow->edges = edges;
    return STATUS_OK;
}

static void connect_back(struct flow *flow)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < flow->edges; i++)
        flow->block[flow->successor[i]].predecessors++;
    for (uint32_t b = 0; b < flow->blocks; b++) {
        flow->block[b].predecessor = at;
        at += flow->block[b].predecessors;
        flow->block[b].predecessors = 0;
    }
    for (uint32_t b = 0; b < flow->blocks; b++)
        for (uint32_t i = 0; i < flow->block[b].successors; i++) {
            struct flow_block *to = &flow->block[flow->successor[flow->block[b].successor + i]];
            flow->predecessor[to->predecessor + to->predecessors++] = b;
        }
}

enum status flow_make(struct ptx_module *m, const struct ptx_function *f, struct flow *flow, struct error *e)
{
    struct flow made = {0};
    enum status s = STATUS_NO_MEMORY;
    if (f->statements == 0) {
        *flow = made;
        return STATUS_OK;
    }
    made.block_of = malloc(f->statements * sizeof *made.block_of);
    if (!made.block_of)
        goto done;
    cut(m, f, &made);
    made.block = calloc(made.blocks, sizeof *made.block);
    if (!made.block)
        goto done;
    for (uint32_t i = 0; i < f->statements; i++) {
        struct flow_block *block = &made.block[made.block_of[i]];
        block->first = block->end ? block->first : f->statement + i;
        block->end = f->statement + i + 1;
    }
    s = connect(m, f, &made, NULL, e);
    if (s != STATUS_OK)
        goto done;
    s = STATUS_NO_MEMORY;
    made.successor = malloc((made.edges + (size_t)1) * sizeof *made.successor);
    made.predecessor = malloc((made.edges + (size_t)1) * sizeof *made.predecessor);
    if (!made.successor || !made.predecessor)
        goto done;
    s = connect(m, f, &made, made.successor, e);
    connect_back(&made);
done:
    if (s == STATUS_NO_MEMORY)
        error_set(e, s, "no memory for the blocks of a PTX function");
    if (s != STATUS_OK)
        flow_free(&made);
    else
        *flow = made;
    return s;
}

void flow_free(struct flow *flow)
{
    free(flow->block);
    free(flow->successor);
    free(flow->predecessor);
    free(flow->block_of);
    *flow = (struct flow){0};
}
