#include "probes/infer_bits.h"

#include <math.h>
#include <stdlib.h>

enum { BITS = LAYOUT_MODES, OUTSIDE = -1 }; /* a strided layout has one mode for each bit */

/* The slots as sets of bits. A box with odd extents holds some of the sets only. */
struct slot_bits {
    int bits;
    uint32_t movable; /* bits of extents that are powers of two: these may be set in the base */
    int32_t *code;    /* [1 << bits] of the slot, or OUTSIDE */
};

/* One slot in the order in which the search reaches them. */
struct reached {
    uint32_t from; /* reached earlier: the same slot without the bit at hand */
    int32_t want;  /* class */
    uint32_t slot;
};

struct search {
    const struct infer_space *space;
    struct infer_fits *fits;
    int bits;
    struct reached *point;  /* [slots] */
    uint32_t end[BITS + 1]; /* points reached with the base and so many bits */
    uint32_t *at;           /* [slots] place of every point so far */
    uint32_t *map;          /* [slots] the map as codes, when it is whole */
    /* Exclusive spaces only. Steps that take every element of the tile to one of its class form a group, and any of
     * them added to the base or to an image of a map that fits give one that fits: search one map of each such set.
     * In each generator its highest bit is set that no other has as its highest, so that of the places which the
     * group takes to each other exactly the lowest has all these `leading` bits clear. */
    uint32_t symmetry, leading; /* a generator, 0 if there is none */
    int generators;
};

static enum status slot_bits_make(const struct box *domain, struct slot_bits *out, struct error *e)
{
    struct slot_bits s = {0};
    uint32_t weight[BITS], dim[BITS], value[BITS], stride = 1;
    for (int d = domain->rank - 1; d >= 0; stride *= domain->extent[d--])
        for (int b = 0; 1u << b < domain->extent[d]; b++, s.bits++) {
            weight[s.bits] = stride << b;
            dim[s.bits] = (uint32_t)d;
            value[s.bits] = 1u << b;
            if ((domain->extent[d] & (domain->extent[d] - 1)) == 0)
                s.movable |= 1u << s.bits;
        }
    s.code = malloc(((size_t)1 << s.bits) * sizeof *s.code);
    if (!s.code)
        return error_set(e, STATUS_NO_MEMORY, "no memory for slots of %d bits", s.bits);
    for (uint32_t set = 0; set < 1u << s.bits; set++) {
        uint32_t at[LAYOUT_DIMS] = {0}, code = 0;
        bool inside = true;
        for (int b = 0; b < s.bits; b++)
            if (set >> b & 1u) {
                at[dim[b]] += value[b];
                code += weight[b];
                inside = inside && at[dim[b]] < domain->extent[dim[b]];
            }
        s.code[set] = inside ? (int32_t)code : OUTSIDE;
    }
    *out = s;
    return STATUS_OK;
}

/* How many elements the slot `set` may hold. needs: inside the box. */
static uint32_t choices(const struct search *s, const struct slot_bits *bits, const struct infer_classes *c,
                        uint32_t set)
{
    return infer_space_count(s->space, c->slot[bits->code[set]]);
}

/* Bits in ascending order of the choices that they leave next to this base. Returns the product for the base and the
 * first two: how wide the tree is where it is widest. */
static double order_bits(const struct search *s, const struct slot_bits *bits, const struct infer_classes *c,
                         uint32_t base, int order[BITS])
{
    uint32_t count[BITS];
    for (int b = 0; b < bits->bits; b++) {
        int n = b;
        uint32_t here = choices(s, bits, c, base ^ 1u << b);
        for (; n > 0 && count[n - 1] > here; n--) {
            count[n] = count[n - 1];
            order[n] = order[n - 1];
        }
        count[n] = here;
        order[n] = b;
    }
    double width = choices(s, bits, c, base);
    for (int b = 0; b < bits->bits && b < 2; b++)
        width *= count[b];
    return width;
}

/* Any slot may be the base: f(x ^ base) is affine, or strided with some strides negated, whenever f is. */
static uint32_t choose_base(const struct search *s, const struct slot_bits *bits, const struct infer_classes *c,
                            int order[BITS])
{
    uint32_t best = 0;
    double narrowest = order_bits(s, bits, c, 0, order);
    for (uint32_t set = 1; set < 1u << bits->bits; set++) {
        if (set & ~bits->movable)
            continue;
        double width = order_bits(s, bits, c, set, order);
        if (width < narrowest) {
            narrowest = width;
            best = set;
        }
    }
    order_bits(s, bits, c, best, order);
    return best;
}

/* needs: room for all slots in s->point and for as many sets in `set`. */
static void plan(struct search *s, const struct slot_bits *bits, const struct infer_classes *c, uint32_t *set)
{
    int order[BITS];
    uint32_t base = choose_base(s, bits, c, order), points = 1;
    set[0] = 0;
    for (int d = 0; d <= bits->bits; d++) {
        uint32_t known = points;
        for (uint32_t n = 0; d > 0 && n < known; n++) {
            uint32_t next = set[n] | 1u << order[d - 1];
            if (bits->code[next ^ base] == OUTSIDE)
                continue;
            set[points] = next;
            s->point[points++].from = n;
        }
        s->end[d] = points;
    }
    for (uint32_t n = 0; n < points; n++) {
        s->point[n].slot = (uint32_t)bits->code[set[n] ^ base];
        s->point[n].want = c->slot[s->point[n].slot];
    }
}

static bool is_symmetry(const struct infer_space *space, uint32_t step)
{
    for (size_t p = 0; p < space->places; p++)
        if (space->class_of[p] != space->class_of[p ^ step])
            return false;
    return true;
}

/* In ascending order: a step with a leading bit set is one with it clear, tested already, after a generator. */
static void find_symmetries(struct search *s, const struct infer_classes *c)
{
    const struct infer_space *space = s->space;
    int32_t rarest = 0;
    for (int32_t n = 1; n < (int32_t)c->classes; n++)
        if (infer_space_count(space, n) < infer_space_count(space, rarest))
            rarest = n;
    uint32_t rare = space->member[space->begin[rarest]]; /* goes to few places: most steps fail here */
    for (uint32_t step = 1; step < space->places; step++) {
        if (step & s->leading || space->class_of[rare ^ step] != rarest || !is_symmetry(space, step))
            continue;
        s->symmetry = step;
        s->leading |= 1u << (31 - __builtin_clz(step));
        s->generators++;
    }
}

static void keep_map(struct search *s, uint32_t symmetry)
{
    uint32_t points = s->end[s->bits];
    for (uint32_t n = 0; n < points; n++)
        s->map[s->point[n].slot] = infer_space_element(s->space, s->at[n] ^ symmetry);
    infer_fits_keep(s->fits, s->map);
}

static void found(struct search *s)
{
    s->fits->count += ldexp(1.0, s->generators * (s->bits + 1));
    if (s->fits->maps < 2)
        keep_map(s, 0);
    if (s->fits->maps < 2 && s->generators)
        keep_map(s, s->symmetry);
}

/* Do all points that bit number `depth` adds fit, if its step is `step`? Places them as far as they do. */
static bool place_points(struct search *s, int depth, uint32_t step)
{
    const struct infer_space *space = s->space;
    uint32_t n = s->end[depth - 1];
    for (; n < s->end[depth]; n++) {
        uint32_t from = s->at[s->point[n].from], to = space->exclusive ? from ^ step : from + step;
        if (space->class_of[to] != s->point[n].want)
            break;
        s->at[n] = to;
    }
    s->fits->steps -= n - s->end[depth - 1] + 1;
    s->fits->exhausted = s->fits->exhausted || s->fits->steps < 0;
    return n == s->end[depth];
}

/* Depth 0 places the base, every further depth one bit. */
static void descend(struct search *s, int depth)
{
    const struct infer_space *space = s->space;
    uint32_t first = depth ? s->end[depth - 1] : 0;
    int32_t want = s->point[first].want;
    for (uint32_t m = space->begin[want]; m < space->begin[want + 1] && !s->fits->exhausted; m++) {
        uint32_t to = space->member[m];
        if (to & s->leading)
            continue;
        if (depth == 0)
            s->at[0] = to;
        if (depth > 0 && !place_points(s, depth, space->exclusive ? to ^ s->at[0] : to - s->at[0]))
            continue;
        if (depth == s->bits)
            found(s);
        else
            descend(s, depth + 1);
    }
}

enum status infer_bits_search(const struct box *domain, const struct infer_classes *c, const struct infer_space *space,
                              struct infer_fits *fits, struct error *e)
{
    struct slot_bits bits = {0};
    struct search s = {.space = space, .fits = fits};
    uint32_t *set = NULL;
    enum status status = slot_bits_make(domain, &bits, e);
    if (status != STATUS_OK)
        return status;
    s.bits = bits.bits;
    s.point = calloc(c->slots, sizeof *s.point);
    s.at = malloc(c->slots * sizeof *s.at);
    s.map = malloc(c->slots * sizeof *s.map);
    set = malloc(c->slots * sizeof *set);
    if (!s.point || !s.at || !s.map || !set) {
        status = error_set(e, STATUS_NO_MEMORY, "no memory to search the maps of %zu slots", c->slots);
        goto done;
    }
    plan(&s, &bits, c, set);
    if (space->exclusive)
        find_symmetries(&s, c);
    descend(&s, 0);
done:
    free(bits.code);
    free(s.point);
    free(s.at);
    free(s.map);
    free(set);
    return status;
}
