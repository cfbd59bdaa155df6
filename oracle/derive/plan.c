#include "oracle/derive/plan.h"

#include <assert.h>
#include <string.h>

enum { THREAD, REG, PART, BYTE = 8 };

enum status tile_make(const char *op, struct tile *out, struct error *e)
{
    struct tile t;
    enum status s = wgmma_parse(op, &t.op, e);
    if (s == STATUS_OK)
        s = fragment_map(&t.op, FRAGMENT_A, &t.fragment, e);
    if (s != STATUS_OK)
        return s;
    t.regs = t.fragment.domain.extent[REG];
    t.parts = t.fragment.domain.extent[PART];
    t.step_k = (uint32_t)t.op.family->k;
    *out = t;
    return STATUS_OK;
}

uint32_t tile_slots(const struct tile *t, uint32_t steps)
{
    return steps * t->regs * t->parts;
}

/* The map is linear and the bits of threads and slots go to different bits of the element, so offsets add. */
struct offset tile_slot(const struct tile *t, uint32_t slot)
{
    uint32_t in_step = slot % tile_slots(t, 1);
    struct point p = {{0, in_step / t->parts, in_step % t->parts}};
    p = layout_apply(&t->fragment, &p);
    return (struct offset){p.at[0], p.at[1] + slot / tile_slots(t, 1) * t->step_k};
}

struct offset tile_thread(const struct tile *t, uint32_t thread)
{
    struct point p = {{thread, 0, 0}};
    p = layout_apply(&t->fragment, &p);
    return (struct offset){p.at[0], p.at[1]};
}

void tile_order(const struct tile *t, uint32_t order[PLAN_SLOTS])
{
    uint32_t slots = tile_slots(t, 1);
    for (uint32_t a = 0; a < slots; a++) {
        struct offset x = tile_slot(t, a);
        order[a] = 0;
        for (uint32_t b = 0; b < slots; b++) {
            struct offset y = tile_slot(t, b);
            order[a] += y.n < x.n || (y.n == x.n && y.k < x.k);
        }
    }
}

/* The chunk of `bits` bits in which a place lies. */
static struct place chunk_of(struct place p, uint32_t bits)
{
    return (struct place){p.row, p.bit / bits};
}

static bool same_place(struct place a, struct place b)
{
    return a.row == b.row && a.bit == b.bit;
}

/* What thread 0 of the first window needs, sorted into chunks. */
struct gathered {
    struct place chunk[PLAN_SLOTS];
    bool begins[PLAN_SLOTS];              /* the load has its address */
    uint8_t used[PLAN_SLOTS][PLAN_WIDTH]; /* bits */
};

static uint32_t chunk_index(struct gathered *g, struct plan *p, struct place chunk, struct offset slot)
{
    uint32_t i = 0;
    while (i < p->loads && !same_place(g->chunk[i], chunk))
        i++;
    if (i == p->loads) {
        g->chunk[i] = chunk;
        p->load[i] = (struct plan_load){slot, slot};
        p->loads++;
    }
    return i;
}

static bool gather(const struct storage *s, const struct tile *t, struct plan *p, struct gathered *g)
{
    uint32_t bits = p->width * BYTE;
    for (uint32_t slot = 0; slot < tile_slots(t, p->steps); slot++) {
        struct offset o = tile_slot(t, slot);
        struct place first = storage_place(s, o.n, o.k, 0);
        uint32_t load = chunk_index(g, p, chunk_of(first, bits), o);
        p->at[slot] = (uint8_t)load;
        struct plan_load *l = &p->load[load];
        l->least.n = o.n < l->least.n ? o.n : l->least.n;
        l->least.k = o.k < l->least.k ? o.k : l->least.k;
        if (!g->begins[load] && first.bit % bits < BYTE) {
            l->address = o;
            g->begins[load] = true;
        }
        for (uint32_t b = 0; b < s->bits; b++) {
            struct place at = storage_place(s, o.n, o.k, b);
            at.bit = storage_scatter(s, at.bit);
            if (!same_place(chunk_of(at, bits), g->chunk[load]))
                return false;
            p->bit[slot][b] = (uint8_t)(at.bit % bits);
            g->used[load][at.bit % bits / BYTE] |= (uint8_t)(1u << at.bit % BYTE);
        }
    }
    return true;
}

static bool all_used(const struct plan *p, const struct gathered *g)
{
    for (uint32_t i = 0; i < p->loads; i++) {
        for (uint32_t b = 0; b < p->width; b++)
            if (g->used[i][b] != UINT8_MAX)
                return false;
        if (!g->begins[i])
            return false;
    }
    return true;
}

/* Do slots of another thread lie in the loads that those of thread 0 lie in, at the same bits? */
static bool same_elsewhere(const struct storage *s, const struct tile *t, const struct plan *p, struct offset at)
{
    uint32_t bits = p->width * BYTE;
    for (uint32_t slot = 0; slot < tile_slots(t, p->steps); slot++) {
        struct offset o = tile_slot(t, slot), a = p->load[p->at[slot]].address;
        struct place here = storage_place(s, at.n + o.n, at.k + o.k, 0);
        struct place begin = storage_place(s, at.n + a.n, at.k + a.k, 0);
        if (!same_place(chunk_of(here, bits), chunk_of(begin, bits)) || begin.bit % bits >= BYTE ||
            storage_scatter(s, here.bit) % bits != p->bit[slot][0])
            return false;
    }
    return true;
}

static bool same_everywhere(const struct storage *s, const struct tile *t, const struct plan *p)
{
    uint32_t window = p->steps * t->step_k, n_block = s->block.domain.extent[STORAGE_N],
             k_block = s->block.domain.extent[STORAGE_K] * s->share;
    uint32_t n_end = 2 * (n_block > WGMMA_M ? n_block : WGMMA_M), k_end = 2 * (k_block > window ? k_block : window);
    for (uint32_t n = 0; n < n_end; n += WGMMA_M)
        for (uint32_t k = 0; k < k_end; k += window)
            for (uint32_t thread = 0; thread < WGMMA_THREADS; thread++) {
                struct offset o = tile_thread(t, thread);
                if (!same_elsewhere(s, t, p, (struct offset){n + o.n, k + o.k}))
                    return false;
            }
    return true;
}

/* Rows (or columns) of one load differ in bits below this power of two: a matrix of such a multiple cuts none in two.
 */
static uint32_t span(const struct tile *t, const struct plan *p, bool columns)
{
    uint32_t differ = 0, power = 1;
    for (uint32_t slot = 0; slot < tile_slots(t, p->steps); slot++) {
        struct offset o = tile_slot(t, slot), a = p->load[p->at[slot]].address;
        differ |= columns ? o.k ^ a.k : o.n ^ a.n;
    }
    while (power <= differ)
        power *= 2;
    return power;
}

static void set_multiples(const struct storage *s, const struct tile *t, struct plan *p)
{
    uint32_t n_block = s->block.domain.extent[STORAGE_N], k_block = s->block.domain.extent[STORAGE_K] * s->share;
    uint32_t block_bytes = s->block.codomain.extent[STORAGE_POSITION] / BYTE;
    uint32_t n = span(t, p, false), k = span(t, p, true);
    uint32_t aligned = p->width > block_bytes ? p->width / block_bytes : 1; /* blocks, for a pitch of whole loads */
    uint32_t *along = s->rows_along_k ? &n : &k;
    uint32_t right = (s->rows_along_k ? n_block : k_block) * aligned;
    if (aligned > 1 && *along < right)
        *along = right;
    /* A multiple that padding to whole blocks gives is nothing to ask for; half a register is never loaded. */
    p->n_multiple = n > n_block ? n : 1;
    p->k_multiple = k > k_block ? k : 1;
    if (s->share == 1 && p->k_multiple < t->parts)
        p->k_multiple = t->parts;
}

static bool try_clean(const struct storage *s, const struct tile *t, uint32_t steps, uint32_t width, struct plan *p)
{
    struct gathered g;
    memset(&g, 0, sizeof g);
    *p = (struct plan){.steps = steps, .width = width, .clean = true};
    return gather(s, t, p, &g) && all_used(p, &g) && same_everywhere(s, t, p);
}

/* Every slot loads its own code (or the word that its bits are scattered in), and shifts it to where it is wanted:
 * waste, but right. */
static enum status plan_single(const struct storage *s, const struct tile *t, uint32_t steps, struct plan *p,
                               struct error *e)
{
    bool together = true;
    for (uint32_t b = 1; b < s->bits; b++)
        together = together && storage_place(s, 0, 0, b).bit == b;
    if (!together)
        return error_set(e, STATUS_UNSUPPORTED, "the bits of one code are spread over more than one thread can load");
    uint32_t code_bytes = s->bits < BYTE ? 1 : s->bits / BYTE, width = s->word_bits / BYTE;
    width = width > code_bytes ? width : code_bytes;
    *p = (struct plan){.steps = steps, .width = width, .shifted = s->bits < width * BYTE};
    p->loads = tile_slots(t, steps);
    for (uint32_t slot = 0; slot < p->loads; slot++) {
        struct offset o = tile_slot(t, slot);
        p->load[slot] = (struct plan_load){o, o};
        p->at[slot] = (uint8_t)slot;
        for (uint32_t b = 0; b < s->bits; b++)
            p->bit[slot][b] = (uint8_t)b;
    }
    return STATUS_OK;
}

/* What 16-byte loads would bring that the thread can use, at the best. */
static uint32_t wide_used(const struct storage *s, const struct tile *t)
{
    uint32_t best = 0;
    for (uint32_t steps = 1; steps <= PLAN_STEPS && tile_slots(t, steps) <= PLAN_SLOTS; steps *= 2) {
        struct gathered g;
        struct plan p = {.steps = steps, .width = PLAN_WIDTH};
        memset(&g, 0, sizeof g);
        if (!gather(s, t, &p, &g))
            continue;
        uint32_t used = 0;
        for (uint32_t i = 0; i < p.loads; i++)
            for (uint32_t b = 0; b < PLAN_WIDTH; b++)
                used += g.used[i][b] != 0;
        used /= p.loads;
        best = used > best ? used : best;
    }
    return best;
}

enum status plan_find(const struct storage *s, const struct tile *t, uint32_t steps, struct plan *out, struct error *e)
{
    struct plan p;
    bool found = false;
    for (uint32_t width = PLAN_WIDTH; !found && width >= 1; width /= 2)
        for (uint32_t g = steps ? steps : 1;
             !found && g <= (steps ? steps : PLAN_STEPS) && tile_slots(t, g) <= PLAN_SLOTS; g *= 2)
            found = try_clean(s, t, g, width, &p);
    if (!found) {
        enum status st = plan_single(s, t, steps ? steps : 1, &p, e);
        if (st != STATUS_OK)
            return st;
    }
    set_multiples(s, t, &p);
    p.wide_used = wide_used(s, t);
    *out = p;
    return STATUS_OK;
}
