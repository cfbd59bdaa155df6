#include "oracle/answer/map.h"

#include <string.h>

enum { THREAD, REG, PART };

/* Registers side by side in one block of a table. */
enum { BLOCK = 8, WIDTH = 8, LANE_BITS = 5 };

/* One line a thread, blocks of BLOCK slots below each other. `markdown` puts bars between the columns. */
static void add_blocks(const struct map *m, bool markdown, struct text *out)
{
    const struct box *box = &m->forward.domain;
    uint32_t parts = box->extent[PART], slots = box->extent[REG] * parts;
    const char *bar = markdown ? " | " : "  ", *open = markdown ? "| " : "", *close = markdown ? " |\n" : "\n";
    for (uint32_t first = 0; first < slots; first += BLOCK) {
        uint32_t last = first + BLOCK < slots ? first + BLOCK : slots;
        text_add(out, "%s%sthread", first ? "\n" : "", open);
        for (uint32_t s = first; s < last; s++) {
            char name[24];
            snprintf(name, sizeof name, parts > 1 ? "R%u.%u" : "R%u", s / parts, s % parts);
            text_add(out, "%s%-*s", bar, markdown || s + 1 < last ? WIDTH : 0, name);
        }
        text_add(out, "%s", close);
        if (markdown) {
            text_add(out, "| -----:");
            for (uint32_t s = first; s < last; s++)
                text_add(out, " | --------");
            text_add(out, " |\n");
        }
        for (uint32_t t = 0; t < box->extent[THREAD]; t++) {
            text_add(out, "%s%6u", open, t);
            for (uint32_t s = first; s < last; s++) {
                struct point at = layout_apply(&m->forward, &(struct point){{t, s / parts, s % parts}});
                char element[24];
                snprintf(element, sizeof element, "(%u,%u)", at.at[0], at.at[1]);
                text_add(out, "%s%-*s", bar, markdown || s + 1 < last ? WIDTH : 0, element);
            }
            text_add(out, "%s", close);
        }
    }
}

static enum status add_table(const struct map *m, struct text *out, struct error *e)
{
    (void)e;
    const struct box *from = &m->forward.domain, *to = &m->forward.codomain;
    text_add(out, "%s, operand %s: element (i,j) of %u x %u in each register%s of %u threads\n", m->op, m->operand,
             to->extent[0], to->extent[1], from->extent[PART] > 1 ? ".part" : "", from->extent[THREAD]);
    add_blocks(m, false, out);
    return STATUS_OK;
}

static enum status add_markdown(const struct map *m, struct text *out, struct error *e)
{
    (void)e;
    add_blocks(m, true, out);
    return STATUS_OK;
}

static enum status add_csv(const struct map *m, struct text *out, struct error *e)
{
    (void)e;
    const struct box *box = &m->forward.domain;
    text_add(out, "thread,reg,part,i,j\n");
    for (uint32_t i = 0; i < box_size(box); i++) {
        struct point s = box_point(box, i), at = layout_apply(&m->forward, &s);
        text_add(out, "%u,%u,%u,%u,%u\n", s.at[THREAD], s.at[REG], s.at[PART], at.at[0], at.at[1]);
    }
    return STATUS_OK;
}

/* A mode of a CuTe layout: `extent` steps of `stride`. */
struct mode {
    uint32_t extent, stride;
};
struct modes {
    struct mode mode[LAYOUT_BITS * 2];
    int count;
};

/* The bits of one coordinate as modes, joined to the one before where the stride goes on doubling. An extent that is no
 * power of two cuts the last mode short, which works when that mode holds all bits from the odd factor on. */
static bool add_modes(const struct layout *l, int dim, struct modes *out)
{
    uint32_t extent = l->domain.extent[dim], rest = extent;
    int first = out->count;
    for (int bit = 0; 1u << bit < extent; bit++) {
        uint32_t stride = l->image[dim][bit].at[0] + l->codomain.extent[0] * l->image[dim][bit].at[1];
        struct mode *last = out->count ? &out->mode[out->count - 1] : NULL;
        if (last && out->count > first && stride == last->stride * last->extent)
            last->extent *= 2;
        else
            out->mode[out->count++] = (struct mode){2, stride};
    }
    for (int i = first; i + 1 < out->count; i++) {
        if (rest % out->mode[i].extent != 0)
            return false;
        rest /= out->mode[i].extent;
    }
    if (out->count > first)
        out->mode[out->count - 1].extent = rest;
    return true;
}

/* Sums of strides are exclusive ors only where no two images share a bit. */
static bool images_disjoint(const struct layout *l)
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
    text_add(out, "(");
    for (int i = 0; i < m->count; i++)
        text_add(out, "%s%u", i ? "," : "", strides ? m->mode[i].stride : m->mode[i].extent);
    text_add(out, ")");
}

/* (T,V) -> i + rows * j: thread, then the values of a thread, parts before registers. */
static enum status add_cute(const struct map *m, struct text *out, struct error *e)
{
    struct modes threads = {.count = 0}, values = {.count = 0};
    if (!images_disjoint(&m->forward) || !add_modes(&m->forward, THREAD, &threads) ||
        !add_modes(&m->forward, PART, &values) || !add_modes(&m->forward, REG, &values))
        return error_set(e, STATUS_UNSUPPORTED, "this map is no sum of strides, so CuTe has no layout for it");
    text_add(out, "(");
    add_tuple(&threads, false, out);
    text_add(out, ",");
    add_tuple(&values, false, out);
    text_add(out, "):(");
    add_tuple(&threads, true, out);
    text_add(out, ",");
    add_tuple(&values, true, out);
    text_add(out, ")\n");
    return STATUS_OK;
}

/* The images of bits [first, end) of a coordinate, appended to a list that has `listed` of them. */
static int add_images(const struct layout *l, int dim, int first, int end, int listed, struct text *out)
{
    for (int bit = first; bit < end && 1u << bit < l->domain.extent[dim]; bit++, listed++)
        text_add(out, "%s[%u, %u]", listed ? ", " : "", l->image[dim][bit].at[0], l->image[dim][bit].at[1]);
    return listed;
}

static enum status add_linear(const struct map *m, struct text *out, struct error *e)
{
    (void)e;
    const struct layout *l = &m->forward;
    text_add(out, "#ttg.linear<{register = [");
    add_images(l, REG, 0, LAYOUT_BITS, add_images(l, PART, 0, LAYOUT_BITS, 0, out), out);
    text_add(out, "], lane = [");
    add_images(l, THREAD, 0, LANE_BITS, 0, out);
    text_add(out, "], warp = [");
    add_images(l, THREAD, LANE_BITS, LAYOUT_BITS, 0, out);
    text_add(out, "], block = []}>\n");
    uint32_t regs = l->domain.extent[REG], codes = 1;
    while (codes < regs)
        codes *= 2;
    if (codes != regs)
        text_add(out, "restricted to registers 0 to %u of %u\n", regs - 1, codes);
    return STATUS_OK;
}

enum status map_format(const struct map *m, const char *format, struct text *out, struct error *e)
{
    static const struct {
        const char *name;
        enum status (*add)(const struct map *m, struct text *out, struct error *e);
    } formats[] = {
        {"table", add_table}, {"csv", add_csv}, {"markdown", add_markdown}, {"cute", add_cute}, {"linear", add_linear}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(format ? format : "table", formats[i].name) == 0)
            return formats[i].add(m, out, e);
    error_set(e, STATUS_BAD_ARGUMENT, "'%.40s' is no format; write table, csv, markdown, cute or linear", format);
    return error_at_field(e, "format"), STATUS_BAD_ARGUMENT;
}
