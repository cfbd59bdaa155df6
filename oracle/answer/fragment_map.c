#include "oracle/answer/heatmap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/chart.h"
#include "reference/layout_shape.h"

enum { THREAD, REG, PART };
enum { LANES = 32, LANES_A_ROW = 4, GROUPS = 8, MOST_LINES = 512, WIDE_COLUMNS = 32, CELL_TEXT = 24 };

/* Who owns each element, and how much room its cell takes. */
struct owners {
    struct box slots, elements;
    uint32_t *slot; /* [elements] code of a slot; owned */
    int scale;      /* of the text in a cell */
    bool two_lines; /* thread above register, for many columns */
    int width, height;
};

static enum status check_boxes(const struct layout *l, struct error *e)
{
    if (l->domain.rank != 3 || l->codomain.rank != 2)
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "a fragment goes from (thread, reg, part) to (i, j), not from %d to %d dimensions",
                         l->domain.rank, l->codomain.rank);
    if (l->codomain.extent[0] > MOST_LINES || l->codomain.extent[1] > MOST_LINES)
        return error_set(e, STATUS_BAD_ARGUMENT, "an operand of %u x %u elements is too large to draw; at most %d x %d",
                         l->codomain.extent[0], l->codomain.extent[1], MOST_LINES, MOST_LINES);
    return STATUS_OK;
}

/* An element with two owners or none is the news; a picture could show one of them only. */
static enum status no_bijection(const struct layout *l, struct error *e)
{
    const uint32_t none = UINT32_MAX;
    size_t elements = box_size(&l->codomain);
    uint32_t *owner = malloc(elements * sizeof *owner);
    if (!owner)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the owners of %zu elements", elements);
    memset(owner, 0xff, elements * sizeof *owner);
    char element[LAYOUT_SHAPE_TEXT], first[LAYOUT_SHAPE_TEXT], second[LAYOUT_SHAPE_TEXT];
    enum status s = STATUS_OK;
    for (uint32_t i = 0; i < box_size(&l->domain) && s == STATUS_OK; i++) {
        struct point slot = box_point(&l->domain, i), at = layout_apply(l, &slot);
        uint32_t code = box_code(&l->codomain, &at);
        if (owner[code] != none) {
            struct point other = box_point(&l->domain, owner[code]);
            s = error_set(e, STATUS_BAD_INPUT, "no bijection, not drawn: element (%s) has two owners, %s and %s",
                          layout_shape_point(&l->codomain, &at, element), layout_shape_point(&l->domain, &other, first),
                          layout_shape_point(&l->domain, &slot, second));
        }
        owner[code] = i;
    }
    for (uint32_t i = 0; i < elements && s == STATUS_OK; i++) {
        struct point at = box_point(&l->codomain, i);
        if (owner[i] == none)
            s = error_set(e, STATUS_BAD_INPUT, "no bijection, not drawn: element (%s) has no owner",
                          layout_shape_point(&l->codomain, &at, element));
    }
    free(owner);
    return s;
}

/* needs: a bijection. */
static enum status owners_make(const struct layout *l, struct owners *out, struct error *e)
{
    struct layout to_slots;
    enum status s = layout_invert(l, &to_slots, e);
    if (s != STATUS_OK)
        return s;
    struct owners o = {.slots = l->domain, .elements = l->codomain};
    size_t elements = box_size(&o.elements);
    o.slot = malloc(elements * sizeof *o.slot);
    for (uint32_t i = 0; o.slot && i < elements; i++) {
        struct point at = box_point(&o.elements, i), slot = layout_apply(&to_slots, &at);
        o.slot[i] = box_code(&o.slots, &slot);
    }
    layout_free(&to_slots);
    if (!o.slot)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the owners of %zu elements", elements);
    *out = o;
    return STATUS_OK;
}

static uint32_t owner_thread(const struct owners *o, uint32_t i, uint32_t j)
{
    return box_point(&o->slots, o->slot[i * o->elements.extent[1] + j]).at[THREAD];
}

/* "T5" and "R2.1", or "R2" where a register holds one element. */
static void owner_texts(const struct owners *o, uint32_t i, uint32_t j, char thread[CELL_TEXT], char reg[CELL_TEXT])
{
    struct point slot = box_point(&o->slots, o->slot[i * o->elements.extent[1] + j]);
    snprintf(thread, CELL_TEXT, "T%u", slot.at[THREAD]);
    if (o->slots.extent[PART] > 1)
        snprintf(reg, CELL_TEXT, "R%u.%u", slot.at[REG], slot.at[PART]);
    else
        snprintf(reg, CELL_TEXT, "R%u", slot.at[REG]);
}

/* Few columns take large text on one line; many take small text on two. */
static void size_cells(struct owners *o)
{
    char thread[CELL_TEXT], reg[CELL_TEXT], both[2 * CELL_TEXT];
    int one = 0, two = 0;
    o->two_lines = o->elements.extent[1] > WIDE_COLUMNS;
    o->scale = o->two_lines ? 1 : 2;
    for (uint32_t i = 0; i < o->elements.extent[0]; i++)
        for (uint32_t j = 0; j < o->elements.extent[1]; j++) {
            owner_texts(o, i, j, thread, reg);
            snprintf(both, sizeof both, "%s %s", thread, reg);
            int t = picture_text_width(thread, o->scale), r = picture_text_width(reg, o->scale);
            int b = picture_text_width(both, o->scale);
            two = t > two ? t : two;
            two = r > two ? r : two;
            one = b > one ? b : one;
        }
    o->width = (o->two_lines ? two : one) + 6 * o->scale;
    o->height = (o->two_lines ? 2 : 1) * (PICTURE_GLYPH_H * o->scale + 1) + 3 * o->scale;
}

/* Black or white, whichever stands out. */
static struct colour ink_on(struct colour c)
{
    return 299 * c.r + 587 * c.g + 114 * c.b > 100 * 1000 ? chart_ink : chart_paper;
}

static void draw_cell(struct chart *c, const struct owners *o, uint32_t i, uint32_t j)
{
    char thread[CELL_TEXT], reg[CELL_TEXT], text[2 * CELL_TEXT];
    owner_texts(o, i, j, thread, reg);
    struct colour fill = picture_category((int)(owner_thread(o, i, j) % LANES / LANES_A_ROW)), ink = ink_on(fill);
    int x = chart_cell_x(c, j), y = chart_cell_y(c, i), pad = 3 * o->scale, line = PICTURE_GLYPH_H * o->scale + 1;
    picture_rect(&c->picture, x, y, o->width, o->height, chart_paper);
    picture_rect(&c->picture, x, y, o->width - 1, o->height - 1, fill);
    if (o->two_lines) {
        picture_text(&c->picture, x + pad, y + pad, thread, o->scale, ink);
        picture_text(&c->picture, x + pad, y + pad + line, reg, o->scale, ink);
    } else {
        snprintf(text, sizeof text, "%s %s", thread, reg);
        picture_text(&c->picture, x + pad, y + pad, text, o->scale, ink);
    }
}

/* A thick line wherever two neighbours belong to different warps. */
static void draw_warp_borders(struct chart *c, const struct owners *o)
{
    enum { THICK = 4 };
    for (uint32_t i = 0; i < o->elements.extent[0]; i++)
        for (uint32_t j = 0; j < o->elements.extent[1]; j++) {
            uint32_t warp = owner_thread(o, i, j) / LANES;
            int x = chart_cell_x(c, j), y = chart_cell_y(c, i);
            if (j > 0 && owner_thread(o, i, j - 1) / LANES != warp)
                picture_rect(&c->picture, x - THICK / 2, y, THICK, o->height, chart_ink);
            if (i > 0 && owner_thread(o, i - 1, j) / LANES != warp)
                picture_rect(&c->picture, x, y - THICK / 2, o->width, THICK, chart_ink);
        }
}

static enum status draw(const char *path, const struct owners *o, const char *title, struct error *e)
{
    char caption[256];
    snprintf(
        caption, sizeof caption,
        "T = thread of the warpgroup, R = its register%s. Every cell is one element and every slot stands in exactly "
        "one cell. Thick lines divide the warps (32 threads each).",
        o->slots.extent[PART] > 1 ? " and, after the dot, the part of it (0 = lowest bits)" : "");
    const struct chart_texts texts = {title, "Fragment map: which thread and register holds each element", caption};
    const struct chart_axis across = {"column j", o->elements.extent[1], 1, o->width};
    const struct chart_axis down = {"row i", o->elements.extent[0], 1, o->height};
    struct chart c;
    enum status s = chart_make(&texts, &across, &down, (GROUPS + 1) * CHART_ENTRY_HEIGHT, &c, e);
    if (s != STATUS_OK)
        return s;
    for (uint32_t i = 0; i < o->elements.extent[0]; i++)
        for (uint32_t j = 0; j < o->elements.extent[1]; j++)
            draw_cell(&c, o, i, j);
    draw_warp_borders(&c, o);
    for (int g = 0; g < GROUPS; g++) {
        char text[64];
        snprintf(text, sizeof text, "lane/4 = %d: lanes %d-%d", g, LANES_A_ROW * g, LANES_A_ROW * g + LANES_A_ROW - 1);
        chart_legend_entry(&c, CHART_PLAIN, picture_category(g), text);
    }
    s = picture_write_png(path, &c.picture, e);
    chart_free(&c);
    return s;
}

enum status heatmap_fragment(const char *path, const struct layout *slots_to_elements, const char *title,
                             struct error *e)
{
    bool bijective;
    enum status s = check_boxes(slots_to_elements, e);
    if (s == STATUS_OK)
        s = layout_check(slots_to_elements, &bijective, e);
    if (s != STATUS_OK)
        return s;
    if (!bijective)
        return no_bijection(slots_to_elements, e);
    struct owners o;
    s = owners_make(slots_to_elements, &o, e);
    if (s != STATUS_OK)
        return s;
    size_cells(&o);
    s = draw(path, &o, title, e);
    free(o.slot);
    return s;
}
