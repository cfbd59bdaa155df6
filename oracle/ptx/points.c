#include "oracle/ptx/points.h"

#include <stdio.h>

enum { FOLLOWED = PTX_A_REGISTERS + 3 };

/* A register followed from the wgmma back to the fence. */
struct follow {
    uint32_t reg, now; /* at the wgmma; at the place reached: another one once a mov was passed */
    uint32_t lost;     /* line of the definition that is no mov, 0 without one */
};

/* The statement that runs ahead of `at` whatever way was taken, or SYMBOL_NONE. */
static uint32_t before(const struct ptx_function *f, const struct flow *flow, uint32_t at)
{
    uint32_t b = flow->block_of[at - f->statement];
    const struct flow_block *block = &flow->block[b];
    if (at > block->first)
        return at - 1;
    if (b == 0 || block->predecessors != 1)
        return SYMBOL_NONE;
    return flow->block[flow->predecessor[block->predecessor]].end - 1;
}

static uint32_t copied_from(const struct ptx_module *m, const struct ptx_statement *s)
{
    uint32_t source = SYMBOL_NONE;
    for (uint32_t r = s->ref; r < s->ref + s->refs; r++)
        if (!(m->ref[r].flags & (PTX_GUARD | PTX_WRITTEN)))
            source = m->ref[r].reg;
    return source;
}

/* Take the registers back over one statement. */
static void step(const struct ptx_module *m, const struct ptx_statement *s, struct follow *follow, int count)
{
    for (uint32_t r = s->ref; r < s->ref + s->refs; r++) {
        const struct ptx_ref *ref = &m->ref[r];
        for (int i = 0; (ref->flags & PTX_WRITTEN) && i < count; i++) {
            if (follow[i].lost || follow[i].now != ref->reg)
                continue;
            uint32_t source = s->kind == PTX_COPY && !s->guarded ? copied_from(m, s) : SYMBOL_NONE;
            const struct symbol *to = module_register(m, ref->reg);
            const struct symbol *from = source == SYMBOL_NONE ? to : module_register(m, source);
            if (source == SYMBOL_NONE || from->bits != to->bits || from->lanes != to->lanes)
                follow[i].lost = s->line;
            else
                follow[i].now = source;
        }
    }
}

/* Whether all of them exist at the start of a statement. errors: STATUS_NO_MEMORY. */
static enum status all_named(struct ptx_module *m, const struct ptx_statement *at, const struct follow *follow,
                             int count, bool *named, struct error *e)
{
    *named = true;
    for (int i = 0; i < count && *named; i++) {
        enum status s = STATUS_OK;
        if (follow[i].lost)
            *named = false;
        else
            s = module_visible(m, follow[i].now, at->scope, at->at, named, e);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

static void name_lost(const struct ptx_module *m, const struct follow *follow, int count, struct ptx_site *site)
{
    for (int i = 0; i < count; i++) {
        const struct symbol *name = module_register(m, follow[i].now);
        int length = name->length < 64 ? (int)name->length : 64;
        if (!follow[i].lost)
            continue;
        snprintf(site->why_not, sizeof site->why_not, "register %.*s of A is computed after the fence, line %u", length,
                 m->lexer.text + name->at, follow[i].lost);
        return;
    }
    snprintf(site->why_not, sizeof site->why_not, "a register of A has no name at the fence");
}

/* Walk back to the covering fence; *fence is SYMBOL_NONE where no straight way leads to one. */
static enum status find_fence(struct ptx_module *m, const struct ptx_function *f, const struct flow *flow,
                              uint32_t from, struct follow *follow, int count, uint32_t *fence, struct error *e)
{
    *fence = SYMBOL_NONE;
    for (uint32_t at = before(f, flow, from); at != SYMBOL_NONE && at != from; at = before(f, flow, at)) {
        const struct ptx_statement *s = &m->statement[at];
        enum status status = module_spend(m, 1 + (uint64_t)s->refs, e);
        if (status != STATUS_OK)
            return status;
        if (s->kind == PTX_FENCE && !s->guarded) {
            *fence = at;
            return STATUS_OK;
        }
        step(m, s, follow, count);
    }
    return STATUS_OK;
}

enum status points_find(struct ptx_module *m, const struct ptx_function *f, const struct flow *flow, struct mma *mma,
                        struct ptx_site *site, struct error *e)
{
    const struct ptx_statement *own = &m->statement[mma->statement];
    uint32_t *const slot[FOLLOWED] = {&mma->a[0],         &mma->a[1],         &mma->a[2],   &mma->a[3],
                                      &mma->a_descriptor, &mma->b_descriptor, &mma->scale_d};
    struct follow follow[FOLLOWED];
    uint32_t *from[FOLLOWED];
    int count = 0, a = site->register_a ? PTX_A_REGISTERS : 0;
    for (int i = site->register_a ? 0 : PTX_A_REGISTERS; i < FOLLOWED; i++)
        if (i < PTX_A_REGISTERS || *slot[i] != SYMBOL_NONE) {
            from[count] = slot[i];
            follow[count++] = (struct follow){*slot[i], *slot[i], 0};
        }
    uint32_t fence;
    bool named;
    site->registers_at = site->descriptors_at = own->at;
    enum status s = find_fence(m, f, flow, mma->statement, follow, count, &fence, e);
    if (s != STATUS_OK)
        return s;
    if (fence == SYMBOL_NONE) {
        if (site->register_a && site->why_not[0] == '\0')
            snprintf(site->why_not, sizeof site->why_not, "no wgmma.fence stands ahead of it on a straight way");
        return STATUS_OK;
    }
    const struct ptx_statement *covering = &m->statement[fence];
    site->registers_at = covering->at;
    s = all_named(m, covering, follow, a, &named, e);
    if (s != STATUS_OK)
        return s;
    if (!named && site->why_not[0] == '\0')
        name_lost(m, follow, a, site);
    for (int i = 0; named && i < a; i++)
        *from[i] = follow[i].now;
    s = all_named(m, covering, follow + a, count - a, &named, e);
    if (s != STATUS_OK || !named)
        return s;
    site->descriptors_at = covering->at;
    for (int i = a; i < count; i++)
        *from[i] = follow[i].now;
    return STATUS_OK;
}
