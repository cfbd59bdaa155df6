#include "oracle/ptx/live.h"

#include <stdlib.h>
#include <string.h>

enum { LIVE_WORDS = 1 << 21 }; /* of one set, for all blocks of a function */

uint32_t live_index(const struct live *live, const struct ptx_function *f, uint32_t reg)
{
    return live->index[reg - f->registers_from];
}

bool live_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

bool live_out(const struct live *live, const struct flow *flow, uint32_t block, uint32_t i)
{
    const struct flow_block *b = &flow->block[block];
    for (uint32_t s = 0; s < b->successors; s++)
        if (live_bit(live->in + (size_t)flow->successor[b->successor + s] * live->words, i))
            return true;
    return false;
}

uint32_t live_source(const struct ptx_module *m, const struct live *live, const struct ptx_function *f,
                     const struct ptx_statement *copy)
{
    for (uint32_t r = copy->ref; r < copy->ref + copy->refs; r++)
        if (!(m->ref[r].flags & (PTX_GUARD | PTX_WRITTEN)))
            return live_index(live, f, m->ref[r].reg);
    return SYMBOL_NONE;
}

static bool add(const struct ptx_module *m, const struct ptx_function *f, struct live *live, uint32_t reg)
{
    const struct symbol *symbol = module_register(m, reg);
    uint32_t *index = &live->index[reg - f->registers_from];
    if (*index != SYMBOL_NONE || symbol->bits != 32 || symbol->lanes != 1)
        return false;
    live->reg[live->count] = reg;
    *index = live->count++;
    return true;
}

/* The D registers, and what mov makes of them. */
static enum status collect(struct ptx_module *m, const struct ptx_function *f, const struct mma *mma, uint32_t sites,
                           const struct ptx_site *site, struct live *live, struct error *e)
{
    for (uint32_t i = 0; i < sites; i++)
        for (int d = 0; mma[i].whole_d && d < site[i].d_registers; d++)
            add(m, f, live, m->ref[mma[i].d + (uint32_t)d].reg);
    live->d_count = live->count;
    bool more = live->count > 0;
    while (more) {
        more = false;
        enum status s = module_spend(m, f->statements, e);
        if (s != STATUS_OK)
            return s;
        for (uint32_t i = f->statement; i < f->statement + f->statements; i++) {
            const struct ptx_statement *copy = &m->statement[i];
            if (copy->kind != PTX_COPY || live_source(m, live, f, copy) == SYMBOL_NONE)
                continue;
            for (uint32_t r = copy->ref; r < copy->ref + copy->refs; r++)
                if (m->ref[r].flags & PTX_WRITTEN)
                    more = add(m, f, live, m->ref[r].reg) || more;
        }
    }
    return STATUS_OK;
}

static void set(uint64_t *bits, uint32_t i, bool value)
{
    uint64_t bit = UINT64_C(1) << i % 64;
    bits[i / 64] = value ? bits[i / 64] | bit : bits[i / 64] & ~bit;
}

/* Take a block's sets back over one statement. */
static void take_back(const struct ptx_module *m, const struct ptx_function *f, const struct live *live,
                      const struct ptx_statement *s, const uint64_t *results, uint64_t *in, uint64_t *kept,
                      uint64_t *killed)
{
    for (uint32_t r = s->ref; r < s->ref + s->refs; r++) {
        uint32_t i = live_index(live, f, m->ref[r].reg);
        if (i == SYMBOL_NONE || !(m->ref[r].flags & PTX_WRITTEN) || (m->ref[r].flags & PTX_PART) || s->guarded)
            continue;
        set(in, i, false);
        set(kept, i, false);
        set(killed, i, true);
    }
    for (uint32_t r = s->ref; r < s->ref + s->refs; r++) {
        uint32_t i = live_index(live, f, m->ref[r].reg);
        if (i == SYMBOL_NONE || ((m->ref[r].flags & PTX_WRITTEN) && s->kind != PTX_MMA))
            continue;
        set(in, i, true);
        set(kept, i, true);
    }
    for (uint32_t w = 0; s->kind == PTX_WAIT && w < live->words; w++)
        kept[w] |= results[w];
}

/* Backwards to the fixed point. killed: [blocks][words], by the statements of a block. */
static enum status settle(struct ptx_module *m, const struct flow *flow, struct live *live, const uint64_t *killed,
                          struct error *e)
{
    bool more = true;
    while (more) {
        more = false;
        for (uint32_t b = flow->blocks; b-- > 0;) {
            const struct flow_block *block = &flow->block[b];
            size_t at = (size_t)b * live->words;
            enum status s = module_spend(m, 1 + (uint64_t)block->successors * live->words, e);
            if (s != STATUS_OK)
                return s;
            for (uint32_t i = 0; i < block->successors; i++) {
                size_t from = (size_t)flow->successor[block->successor + i] * live->words;
                for (uint32_t w = 0; w < live->words; w++) {
                    uint64_t in = live->in[from + w] & ~killed[at + w], kept = live->kept[from + w] & ~killed[at + w];
                    more = more || (in & ~live->in[at + w]) || (kept & ~live->kept[at + w]);
                    live->in[at + w] |= in;
                    live->kept[at + w] |= kept;
                }
            }
        }
    }
    return STATUS_OK;
}

static enum status fill(struct ptx_module *m, const struct ptx_function *f, const struct flow *flow,
                        const uint64_t *results, struct live *live, uint64_t *killed, struct error *e)
{
    for (uint32_t b = 0; b < flow->blocks; b++) {
        size_t at = (size_t)b * live->words;
        for (uint32_t i = flow->block[b].end; i-- > flow->block[b].first;) {
            enum status s = module_spend(m, m->statement[i].kind == PTX_WAIT ? 1 + (uint64_t)live->words : 1, e);
            if (s != STATUS_OK)
                return s;
            take_back(m, f, live, &m->statement[i], results, live->in + at, live->kept + at, killed + at);
        }
    }
    return settle(m, flow, live, killed, e);
}

enum status live_make(struct ptx_module *m, const struct ptx_function *f, const struct flow *flow,
                      const struct mma *mma, uint32_t sites, const struct ptx_site *site, struct live *live,
                      struct error *e)
{
    struct live made = {0};
    uint32_t registers = f->registers_to - f->registers_from;
    uint64_t *results = NULL, *killed = NULL;
    enum status s = STATUS_NO_MEMORY;
    made.index = malloc((registers + (size_t)1) * sizeof *made.index);
    made.reg = malloc((registers + (size_t)1) * sizeof *made.reg);
    if (!made.index || !made.reg)
        goto done;
    memset(made.index, 0xff, registers * sizeof *made.index);
    s = collect(m, f, mma, sites, site, &made, e);
    if (s != STATUS_OK)
        goto done;
    made.words = made.count / 64 + 1;
    if ((uint64_t)made.words * flow->blocks > LIVE_WORDS) {
        const struct ptx_statement *first = &m->statement[f->statement];
        s = lex_fail(&m->lexer, first->line, first->column, e, "this function is too large: %u blocks, %u registers",
                     flow->blocks, made.count);
        goto done;
    }
    s = STATUS_NO_MEMORY;
    made.in = calloc((size_t)made.words * flow->blocks, sizeof *made.in);
    made.kept = calloc((size_t)made.words * flow->blocks, sizeof *made.kept);
    killed = calloc((size_t)made.words * flow->blocks, sizeof *killed);
    results = calloc(made.words, sizeof *results);
    if (!made.in || !made.kept || !killed || !results)
        goto done;
    for (uint32_t i = 0; i < made.d_count; i++)
        set(results, i, true);
    s = fill(m, f, flow, results, &made, killed, e);
done:
    free(results);
    free(killed);
    if (s == STATUS_NO_MEMORY)
        error_set(e, s, "no memory for the registers of a PTX function");
    if (s != STATUS_OK)
        live_free(&made);
    else
        *live = made;
    return s;
}

void live_free(struct live *live)
{
    free(live->index);
    free(live->reg);
    free(live->in);
    free(live->kept);
    *live = (struct live){0};
}
