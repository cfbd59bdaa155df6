/* infer_picture: an operand as a grid of slots in the order of the contract, each with the element that it holds. */
#include <stdio.h>

#include "oracle/answer/chart.h"
#include "oracle/infer/infer.h"

enum { WIDTH = 58, HEIGHT = 14, CELL_TEXT = 32 };
static const struct colour right_fill = {0xe8, 0xee, 0xf4}, wrong_fill = {0xd5, 0x5e, 0x00};

enum status infer_picture(const char *path, const struct layout *contract, const struct layout *found,
                          const char *title, struct error *e)
{
    const struct box *tile = &contract->codomain;
    const struct chart_texts texts = {
        title, "What each slot holds, drawn where it should be",
        "A cell is the place of one element; the text is the element that the slot of this "
        "place holds. Where the two differ the slot is wrong."};
    const struct chart_axis across = {"column j", tile->extent[1], 1, WIDTH};
    const struct chart_axis down = {"row i", tile->extent[0], 1, HEIGHT};
    struct chart c;
    enum status s = chart_make(&texts, &across, &down, 2 * CHART_ENTRY_HEIGHT, &c, e);
    if (s != STATUS_OK)
        return s;
    for (uint32_t i = 0; i < box_size(&contract->domain); i++) {
        char text[CELL_TEXT];
        struct point slot = box_point(&contract->domain, i);
        struct point want = layout_apply(contract, &slot), have = layout_apply(found, &slot);
        bool wrong = want.at[0] != have.at[0] || want.at[1] != have.at[1];
        int x = chart_cell_x(&c, want.at[1]), y = chart_cell_y(&c, want.at[0]);
        snprintf(text, sizeof text, "%u,%u", have.at[0], have.at[1]);
        picture_rect(&c.picture, x, y, WIDTH, HEIGHT, chart_paper);
        picture_rect(&c.picture, x, y, WIDTH - 1, HEIGHT - 1, wrong ? wrong_fill : right_fill);
        picture_text(&c.picture, x + 4, y + 2, text, 1, wrong ? chart_paper : chart_ink);
    }
    chart_legend_entry(&c, CHART_PLAIN, right_fill, "holds what it should");
    chart_legend_entry(&c, CHART_PLAIN, wrong_fill, "holds another element");
    s = picture_write_png(path, &c.picture, e);
    chart_free(&c);
    return s;
}
