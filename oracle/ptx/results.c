#include "oracle/ptx/results.h"

#include <stdlib.h>
#include <string.h>

/* How far a site is; the larger, the less far. COMMITTED - c: c groups were committed since it was issued. */
enum { NOT_ISSUED = 0, COMPLETE = 1, FLYING = 2, UNCOMMITTED = 255 };
/* What a register holds: nothing known, or different things, or FIRST_TAG + site * ELEMENTS + element. */
enum { NOTHING = 0, CONFLICT = 1, FIRST_TAG = 2, ELEMENTS = PTX_D_REGISTERS };
/* Bytes of the states at the starts of all blocks of a function. */
enum { RESULTS_STATES = 1 << 26, RESULTS_TAGS = 1 << 24 };

struct tagged {
    uint32_t i, tag; /* dense register */
};

/* One pass over a function. The arrays named `now` are the state at the place reached. */
struct pass {
    struct ptx_module *m;
    const struct ptx_function *f;
    const struct flow *flow;
    const struct live *live;
    const struct mma *mma;
    const struct ptx_site *site;
    uint32_t sites;
    struct tagged *kept;           /* registers that a block starts with, block by block */
    uint32_t *kept_first;          /* [blocks + 1] */
    uint8_t *far;                  /* [blocks][sites] */
    bool *seen, *changed;          /* [blocks] */
    uint32_t *now_tag, *now_since; /* [live->count]: tag, and the statement that set it */
    uint8_t *now_far, *ahead;      /* [sites]: now, and ahead of a wait */
    uint32_t *reader;              /* [live->count]: 1 read after the wait, 2 written first, 0 neither */
    uint32_t *site_of;             /* of a statement of the function that is a wgmma */
    struct results *out;
    bool settled;
};

static uint32_t tag_site(uint32_t tag)
{
    return (tag - FIRST_TAG) / ELEMENTS;
}

static uint32_t tag_element(uint32_t tag)
{
    return (tag - FIRST_TAG) % ELEMENTS;
}

/* What a register holds where a way with one tag and the site's progress meets another. */
static uint32_t meet(uint32_t a, const uint8_t *far_a, uint32_t b, const uint8_t *far_b)
{
    if (a == b)
        return a;
    if (a == CONFLICT || b == CONFLICT)
        return CONFLICT;
    if (a == NOTHING)
        return far_a[tag_site(b)] < FLYING ? b : CONFLICT;
    if (b == NOTHING)
        return far_b[tag_site(a)] < FLYING ? a : CONFLICT;
    if (tag_element(a) != tag_element(b))
        return CONFLICT;
    return a > b ? a : b;
}

static uint32_t *accumulator_of(uint32_t *accumulator, uint32_t site)
{
    while (accumulator[site] != site) {
        accumulator[site] = accumulator[accumulator[site]];
        site = accumulator[site];
    }
    return &accumulator[site];
}

static void join(struct results *r, uint32_t a, uint32_t b)
{
    uint32_t *x = accumulator_of(r->accumulator, a), *y = accumulator_of(r->accumulator, b);
    if (*x < *y)
        *y = *x;
    else
        *x = *y;
}

/* Bring the state now into the start of a block. */
static void flow_into(struct pass *p, uint32_t b)
{
    uint8_t *far = p->far + (size_t)b * p->sites;
    const uint64_t *live = p->live->in + (size_t)b * p->live->words;
    bool first = !p->seen[b], changed = first;
    for (uint32_t k = p->kept_first[b]; k < p->kept_first[b + 1]; k++) {
        struct tagged *t = &p->kept[k];
        uint32_t now = p->now_tag[t->i], met = first ? now : meet(t->tag, far, now, p->now_far);
        if (!first && met >= FIRST_TAG && now >= FIRST_TAG && t->tag >= FIRST_TAG && live_bit(live, t->i))
            join(p->out, tag_site(now), tag_site(t->tag));
        changed = changed || met != t->tag;
        t->tag = met;
    }
    for (uint32_t s = 0; s < p->sites; s++) {
        uint8_t met = first || p->now_far[s] > far[s] ? p->now_far[s] : far[s];
        changed = changed || met != far[s];
        far[s] = met;
    }
    p->seen[b] = true;
    p->changed[b] = p->changed[b] || changed;
}

static void hold(struct pass *p, uint32_t i, uint32_t tag, uint32_t statement)
{
    p->now_tag[i] = tag;
    p->now_since[i] = statement;
}

static void do_mma(struct pass *p, uint32_t statement)
{
    uint32_t s = p->site_of[statement - p->f->statement];
    p->now_far[s] = UNCOMMITTED;
    for (uint32_t d = 0; p->mma[s].whole_d && d < (uint32_t)p->site[s].d_registers; d++) {
        uint32_t i = live_index(p->live, p->f, p->m->ref[p->mma[s].d + d].reg);
        uint32_t tag = p->now_tag[i];
        if (p->settled && tag >= FIRST_TAG && tag_element(tag) == d)
            join(p->out, s, tag_site(tag));
        hold(p, i, FIRST_TAG + s * ELEMENTS + d, statement);
    }
}

/* Any other statement: mov hands a tag on, another definition ends it. */
static void do_plain(struct pass *p, uint32_t statement)
{
    const struct ptx_statement *s = &p->m->statement[statement];
    for (uint32_t r = s->ref; r < s->ref + s->refs; r++) {
        const struct ptx_ref *ref = &p->m->ref[r];
        uint32_t i = live_index(p->live, p->f, ref->reg), tag = NOTHING;
        if (!(ref->flags & PTX_WRITTEN) || i == SYMBOL_NONE)
            continue;
        uint32_t from = s->kind == PTX_COPY ? live_source(p->m, p->live, p->f, s) : SYMBOL_NONE;
        if (from != SYMBOL_NONE)
            tag = p->now_tag[from];
        if ((s->guarded || (ref->flags & PTX_PART)) && tag != p->now_tag[i])
            tag = CONFLICT;
        hold(p, i, tag, statement);
    }
}

/* Mark what the rest of the block does first with each register. */
static void look_ahead(struct pass *p, uint32_t wait, uint32_t end)
{
    memset(p->reader, 0, p->live->count * sizeof *p->reader);
    for (uint32_t at = wait + 1; at < end; at++) {
        const struct ptx_statement *s = &p->m->statement[at];
        for (int writes = 0; writes < 2; writes++)
            for (uint32_t r = s->ref; r < s->ref + s->refs; r++) {
                const struct ptx_ref *ref = &p->m->ref[r];
                uint32_t i = live_index(p->live, p->f, ref->reg);
                bool written = (ref->flags & PTX_WRITTEN) && s->kind != PTX_MMA;
                if (i != SYMBOL_NONE && p->reader[i] == 0 && written == writes && !(written && s->guarded))
                    p->reader[i] = written ? 2 : 1;
            }
    }
}

/* The register that holds each element of a site's D, best first: read later, set last. */
static bool choose(struct pass *p, uint32_t block, uint32_t site, uint32_t best[PTX_D_REGISTERS])
{
    uint32_t n = (uint32_t)p->site[site].d_registers, have = 0;
    bool best_read[PTX_D_REGISTERS];
    for (uint32_t d = 0; d < n; d++)
        best[d] = SYMBOL_NONE;
    for (uint32_t i = 0; i < p->live->count; i++) {
        uint32_t tag = p->now_tag[i];
        if (tag < FIRST_TAG || tag_site(tag) != site)
            continue;
        uint32_t d = tag_element(tag), old = best[d];
        bool read = p->reader[i] == 1 || (p->reader[i] == 0 && live_out(p->live, p->flow, block, i));
        have += old == SYMBOL_NONE;
        if (old == SYMBOL_NONE || (read && !best_read[d]) ||
            (read == best_read[d] && p->now_since[i] > p->now_since[old])) {
            best[d] = i;
            best_read[d] = read;
        }
    }
    return have == n;
}

/* Keep a result if all its registers have a name behind the wait. */
static enum status keep(struct pass *p, uint32_t site, uint32_t wait, const uint32_t *best, struct error *e)
{
    const struct ptx_statement *w = &p->m->statement[wait];
    struct results *r = p->out;
    struct results_found found = {.site = site, .wait = wait};
    for (uint32_t d = 0; d < (uint32_t)p->site[site].d_registers; d++) {
        bool visible;
        found.d[d] = p->live->reg[best[d]];
        enum status s = module_visible(p->m, found.d[d], w->scope, w->end, &visible, e);
        if (s != STATUS_OK || !visible)
            return s;
    }
    enum status s = module_reserve((void **)&r->found, r->count, &r->room, sizeof *r->found, e);
    if (s == STATUS_OK)
        r->found[r->count++] = found;
    return s;
}

/* The sites that the wait completes, once the states are settled. */
static enum status report(struct pass *p, uint32_t block, uint32_t wait, struct error *e)
{
    uint32_t best[PTX_D_REGISTERS];
    bool looked = false;
    for (uint32_t s = 0; s < p->sites; s++) {
        if (p->ahead[s] < FLYING || p->now_far[s] != COMPLETE || !p->mma[s].whole_d)
            continue;
        enum status status = module_spend(p->m, p->live->count + (looked ? 0 : p->flow->block[block].end - wait), e);
        if (status != STATUS_OK)
            return status;
        if (!looked)
            look_ahead(p, wait, p->flow->block[block].end);
        looked = true;
        if (choose(p, block, s, best))
            status = keep(p, s, wait, best, e);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* source: PTX ISA, wgmma.wait_group N: "wait until N or fewer of the most recent wgmma-groups are pending". */
static enum status do_wait(struct pass *p, uint32_t block, uint32_t statement, struct error *e)
{
    const struct ptx_statement *w = &p->m->statement[statement];
    if (w->guarded)
        return STATUS_OK;
    memcpy(p->ahead, p->now_far, p->sites);
    for (uint32_t s = 0; s < p->sites; s++) {
        uint32_t commits = UNCOMMITTED - p->now_far[s]; /* since it was issued, its own included */
        if (p->now_far[s] >= FLYING && commits >= 1 && commits - 1 >= w->value)
            p->now_far[s] = COMPLETE;
    }
    return p->settled ? report(p, block, statement, e) : STATUS_OK;
}

static void do_commit(struct pass *p, uint32_t statement)
{
    for (uint32_t s = 0; !p->m->statement[statement].guarded && s < p->sites; s++)
        if (p->now_far[s] > FLYING)
            p->now_far[s]--;
}

static enum status run_block(struct pass *p, uint32_t b, struct error *e)
{
    const struct flow_block *block = &p->flow->block[b];
    memset(p->now_tag, 0, p->live->count * sizeof *p->now_tag);
    memset(p->now_since, 0, p->live->count * sizeof *p->now_since);
    for (uint32_t k = p->kept_first[b]; k < p->kept_first[b + 1]; k++)
        p->now_tag[p->kept[k].i] = p->kept[k].tag;
    memcpy(p->now_far, p->far + (size_t)b * p->sites, p->sites);
    enum status s = module_spend(p->m, 1 + (uint64_t)p->live->count / 4 + p->sites, e);
    for (uint32_t at = block->first; s == STATUS_OK && at < block->end; at++) {
        enum ptx_kind kind = p->m->statement[at].kind;
        bool counts = kind == PTX_COMMIT || kind == PTX_WAIT;
        s = module_spend(p->m, 1 + (uint64_t)p->m->statement[at].refs + (counts ? p->sites : 0), e);
        if (s == STATUS_OK && kind == PTX_WAIT)
            s = do_wait(p, b, at, e);
        else if (kind == PTX_MMA)
            do_mma(p, at);
        else if (kind == PTX_COMMIT)
            do_commit(p, at);
        else
            do_plain(p, at);
    }
    for (uint32_t i = 0; s == STATUS_OK && !p->settled && i < block->successors; i++) {
        uint32_t to = p->flow->successor[block->successor + i];
        s = module_spend(p->m, 1 + (uint64_t)p->sites + p->kept_first[to + 1] - p->kept_first[to], e);
        flow_into(p, to);
    }
    return s;
}

/* Lay out the registers that each block starts with. errors: STATUS_BAD_INPUT when there are too many. */
static enum status make_kept(struct pass *p, struct error *e)
{
    uint32_t blocks = p->flow->blocks;
    uint64_t total = 0;
    for (uint32_t b = 0; b < blocks; b++) {
        p->kept_first[b] = (uint32_t)total;
        for (uint32_t w = 0; w < p->live->words; w++)
            total += (uint32_t)__builtin_popcountll(p->live->kept[(size_t)b * p->live->words + w]);
        if (total > RESULTS_TAGS || (uint64_t)blocks * p->sites > RESULTS_STATES) {
            const struct ptx_statement *first = &p->m->statement[p->f->statement];
            return lex_fail(&p->m->lexer, first->line, first->column, e, "this function is too large: %u blocks",
                            blocks);
        }
    }
    p->kept_first[blocks] = (uint32_t)total;
    p->kept = malloc((total + 1) * sizeof *p->kept);
    if (!p->kept)
        return STATUS_NO_MEMORY;
    uint32_t k = 0;
    for (uint32_t b = 0; b < blocks; b++)
        for (uint32_t i = 0; i < p->live->count; i++)
            if (live_bit(p->live->kept + (size_t)b * p->live->words, i))
                p->kept[k++] = (struct tagged){i, NOTHING};
    return STATUS_OK;
}

static enum status make_pass(struct pass *p, struct error *e)
{
    size_t blocks = p->flow->blocks, registers = p->live->count, sites = p->sites;
    p->kept_first = malloc((blocks + 1) * sizeof *p->kept_first);
    p->seen = calloc(blocks, sizeof *p->seen);
    p->changed = calloc(blocks, sizeof *p->changed);
    p->now_tag = malloc((registers + 1) * sizeof *p->now_tag);
    p->now_since = malloc((registers + 1) * sizeof *p->now_since);
    p->reader = malloc((registers + 1) * sizeof *p->reader);
    p->now_far = calloc(sites, 1);
    p->ahead = malloc(sites);
    p->site_of = malloc(p->f->statements * sizeof *p->site_of);
    if (!p->kept_first || !p->seen || !p->changed || !p->now_tag || !p->now_since || !p->reader || !p->now_far ||
        !p->ahead || !p->site_of)
        return STATUS_NO_MEMORY;
    for (uint32_t s = 0; s < p->sites; s++)
        p->site_of[p->mma[s].statement - p->f->statement] = s;
    enum status s = make_kept(p, e);
    if (s != STATUS_OK)
        return s;
    p->far = calloc(blocks * sites, 1);
    return p->far ? STATUS_OK : STATUS_NO_MEMORY;
}

static void free_pass(struct pass *p)
{
    free(p->kept);
    free(p->kept_first);
    free(p->far);
    free(p->seen);
    free(p->changed);
    free(p->now_tag);
    free(p->now_since);
    free(p->now_far);
    free(p->ahead);
    free(p->reader);
    free(p->site_of);
}

/* Run the blocks until no start of one changes, then once more to see the results. */
static enum status settle(struct pass *p, struct error *e)
{
    enum status s = STATUS_OK;
    p->seen[0] = p->changed[0] = true;
    for (bool more = true; more && s == STATUS_OK;) {
        more = false;
        s = module_spend(p->m, p->flow->blocks, e);
        for (uint32_t b = 0; s == STATUS_OK && b < p->flow->blocks; b++) {
            if (!p->changed[b])
                continue;
            p->changed[b] = false;
            more = true;
            s = run_block(p, b, e);
        }
    }
    p->settled = true;
    for (uint32_t b = 0; s == STATUS_OK && b < p->flow->blocks; b++)
        s = p->seen[b] ? run_block(p, b, e) : STATUS_OK;
    return s;
}

enum status results_make(struct ptx_module *m, const struct ptx_function *f, const struct flow *flow,
                         const struct live *live, const struct mma *mma, const struct ptx_site *site, uint32_t sites,
                         struct results *out, struct error *e)
{
    struct pass p = {.m = m, .f = f, .flow = flow, .live = live, .mma = mma, .site = site, .sites = sites};
    struct results made = {.accumulator = malloc(sites * sizeof *made.accumulator)};
    p.out = &made;
    enum status s = made.accumulator ? make_pass(&p, e) : STATUS_NO_MEMORY;
    for (uint32_t i = 0; made.accumulator && i < sites; i++)
        made.accumulator[i] = i;
    if (s == STATUS_OK)
        s = settle(&p, e);
    for (uint32_t i = 0; s == STATUS_OK && i < sites; i++)
        made.accumulator[i] = *accumulator_of(made.accumulator, i);
    free_pass(&p);
    if (s == STATUS_NO_MEMORY)
        error_set(e, s, "no memory for the results of a PTX function");
    if (s != STATUS_OK)
        results_free(&made);
    else
        *out = made;
    return s;
}

void results_free(struct results *r)
{
    free(r->found);
    free(r->accumulator);
    *r = (struct results){0};
}
