#include <string.h>

#include "oracle/derive/emit.h"

enum { THREAD, REG, PART, LANE_BITS = 5 };

/* The window's slots to (n, k) of a tile: the fragment map, repeated for each step. */
static struct layout window_fragment(const struct tile *t, uint32_t steps)
{
    struct layout l = t->fragment;
    l.domain.extent[REG] = t->regs * steps;
    l.codomain.extent[1] = t->step_k * steps;
    for (int bit = 0, step = 0; t->regs << step < l.domain.extent[REG]; bit++)
        if (1u << bit >= t->regs)
            l.image[REG][bit] = (struct point){{0, t->step_k << step++}};
    return l;
}

static struct place code_at(const struct storage *s, uint32_t n, uint32_t k)
{
    struct place p = storage_place(s, n, k, 0);
    p.bit /= s->bits;
    return p;
}

/* (n, k) of one tile and window to (row, code), as an affine map; then proved at every point. */
static enum status window_storage(const struct storage *s, uint32_t columns, struct layout *out, struct error *e)
{
    struct layout l = {
        .kind = LAYOUT_AFFINE, .domain = {2, {"i", "j"}, {WGMMA_M, columns}}, .codomain = {2, {"row", "code"}, {1, 1}}};
    for (uint32_t i = 0; i < WGMMA_M * columns; i++) {
        struct place p = code_at(s, i / columns, i % columns);
        while (l.codomain.extent[0] <= p.row)
            l.codomain.extent[0] *= 2;
        while (l.codomain.extent[1] <= p.bit)
            l.codomain.extent[1] *= 2;
    }
    for (int dim = 0; dim < 2; dim++)
        for (int bit = 0; 1u << bit < l.domain.extent[dim]; bit++) {
            struct place p = code_at(s, dim ? 0 : 1u << bit, dim ? 1u << bit : 0);
            l.image[dim][bit] = (struct point){{(uint32_t)p.row, (uint32_t)p.bit}};
        }
    for (uint32_t i = 0; i < WGMMA_M * columns; i++) {
        struct place p = code_at(s, i / columns, i % columns);
        struct point at = layout_apply(&l, &(struct point){{i / columns, i % columns}});
        if (at.at[0] != p.row || at.at[1] != p.bit)
            return error_set(e, STATUS_UNSUPPORTED, "the places of a tile are not linear in the bits of n and k");
    }
    *out = l;
    return STATUS_OK;
}

enum status emit_window(const struct storage *s, const struct tile *t, uint32_t steps, struct layout *out,
                        struct error *e)
{
    struct layout first = window_fragment(t, steps), second;
    enum status st = window_storage(s, t->step_k * steps, &second, e);
    return st == STATUS_OK ? layout_compose(&second, &first, out, e) : st;
}

struct mode {
    uint32_t extent, stride;
    int axis;
};
struct modes {
    struct mode mode[LAYOUT_BITS * 2];
    int count;
};

/* The bits of one coordinate as modes; bits whose strides go on doubling are joined. A bit that moves both axes has no
 * stride of CuTe. */
static bool add_modes(const struct layout *l, int dim, struct modes *m)
{
    int first = m->count;
    for (int bit = 0; 1u << bit < l->domain.extent[dim]; bit++) {
        struct point p = l->image[dim][bit];
        if (p.at[0] && p.at[1])
            return false;
        struct mode next = {2, p.at[0] ? p.at[0] : p.at[1], p.at[0] ? 0 : 1};
        struct mode *last = m->count > first ? &m->mode[m->count - 1] : NULL;
        if (last && last->axis == next.axis && next.stride == last->stride * last->extent)
            last->extent *= 2;
        else
            m->mode[m->count++] = next;
    }
    if (m->count == first)
        m->mode[m->count++] = (struct mode){1, 0, 1};
    return true;
}

/* Sums of strides are exclusive ors only where no two images share a bit. */
static bool disjoint(const struct layout *l)
{
    uint32_t seen[2] = {0};
    for (int d = 0; d < l->domain.rank; d++)
        for (int bit = 0; 1u << bit < l->domain.extent[d]; bit++)
            for (int x = 0; x < 2; x++) {
                if (seen[x] & l->image[d][bit].at[x])
                    return false;
                seen[x] |= l->image[d][bit].at[x];
            }
    return true;
}

static void add_tuple(const struct modes *m, bool strides, struct text *out)
{
    for (int i = 0; i < m->count; i++) {
        const struct mode *x = &m->mode[i];
        text_add(out, "%s", i ? "," : "(");
        if (strides && x->stride)
            text_add(out, "%u@%d", x->stride, x->axis);
        else
            text_add(out, "%u", strides ? 0 : x->extent);
    }
    text_add(out, ")");
}

enum status emit_cute(const struct layout *window, struct text *out, struct error *e)
{
    struct modes threads = {.count = 0}, values = {.count = 0};
    if (!disjoint(window) || !add_modes(window, THREAD, &threads) || !add_modes(window, PART, &values) ||
        !add_modes(window, REG, &values))
        return error_set(e, STATUS_UNSUPPORTED, "this map is no sum of strides, so CuTe has no layout for it");
    for (int strides = 0; strides < 2; strides++) {
        text_add(out, "%s(", strides ? ":" : "");
        add_tuple(&threads, strides, out);
        text_add(out, ",");
        add_tuple(&values, strides, out);
        text_add(out, ")");
    }
    text_add(out, "\n");
    return STATUS_OK;
}

static int add_images(const struct layout *l, int dim, int first, int end, int listed, struct text *out)
{
    for (int bit = first; bit < end && 1u << bit < l->domain.extent[dim]; bit++, listed++)
        text_add(out, "%s[%u, %u]", listed ? ", " : "", l->image[dim][bit].at[0], l->image[dim][bit].at[1]);
    return listed;
}

void emit_linear(const struct layout *window, struct text *out)
{
    text_add(out, "#ttg.linear<{register = [");
    add_images(window, REG, 0, LAYOUT_BITS, add_images(window, PART, 0, LAYOUT_BITS, 0, out), out);
    text_add(out, "], lane = [");
    add_images(window, THREAD, 0, LANE_BITS, 0, out);
    text_add(out, "], warp = [");
    add_images(window, THREAD, LANE_BITS, LAYOUT_BITS, 0, out);
    text_add(out, "], block = []}>\n");
}
