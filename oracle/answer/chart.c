#include "oracle/answer/chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct colour chart_paper = {255, 255, 255}, chart_ink = {20, 20, 20};
static const struct colour grey = {90, 90, 90};
/* Light blue: not on the ramp, which goes from dark blue through grey to yellow. */
static const struct colour infinite_colour = {120, 205, 255}, zero_colour = {0, 0, 0}, miss_colour = {213, 94, 0};

enum {
    TEXT_SCALE = 2,
    CHAR = PICTURE_GLYPH_W * TEXT_SCALE,
    LINE = PICTURE_GLYPH_H * TEXT_SCALE + 6,
    MARGIN = 24,
    TICK = 7,
    MIN_WIDTH = 900,
    SAMPLE = 20, /* side of a sample in the legend */
    RAMP_WIDTH = 28
};

/* Draw text broken at spaces to `width` pixels, or only measure it (p NULL). Returns the height. */
static int wrapped(struct picture *p, int x, int y, int width, const char *text, struct colour ink)
{
    int most = width / CHAR, height = 0;
    while (*text) {
        int length = (int)strlen(text);
        if (length > most) {
            length = most;
            while (length > 0 && text[length] != ' ')
                length--;
            if (length == 0)
                length = most;
        }
        char line[512];
        snprintf(line, sizeof line, "%.*s", length, text);
        if (p)
            picture_text(p, x, y + height, line, TEXT_SCALE, ink);
        height += LINE;
        text += length;
        while (*text == ' ')
            text++;
    }
    return height;
}

/* Lines between two ticks: a power of two of cells, so that ticks fall on the borders of tiles, and far enough apart
 * for the labels. */
static size_t tick_step(const struct chart_axis *a, int apart)
{
    size_t cells = 1;
    while ((int)cells * a->pixels < apart)
        cells *= 2;
    return cells;
}

static int label_width(const struct chart_axis *a)
{
    char text[24];
    return picture_text_width((snprintf(text, sizeof text, "%zu", a->cells * a->per_cell), text), TEXT_SCALE);
}

static void draw_axes(struct chart *c)
{
    struct picture *p = &c->picture;
    int w = (int)c->across.cells * c->across.pixels, h = (int)c->down.cells * c->down.pixels;
    char text[24];
    picture_frame(p, c->x - 2, c->y - 2, w + 4, h + 4, 2, chart_ink);
    picture_text(p, MARGIN, c->y - LINE - 6, c->down.name, TEXT_SCALE, chart_ink);
    size_t step = tick_step(&c->down, PICTURE_GLYPH_H * TEXT_SCALE + 2);
    for (size_t i = 0; i < c->down.cells; i += step) {
        int y = chart_cell_y(c, i) + c->down.pixels / 2;
        snprintf(text, sizeof text, "%zu", i * c->down.per_cell);
        picture_rect(p, c->x - 2 - TICK, y - 1, TICK, 2, chart_ink);
        picture_text(p, c->x - TICK - 8 - picture_text_width(text, TEXT_SCALE), y - PICTURE_GLYPH_H, text, TEXT_SCALE,
                     chart_ink);
    }
    step = tick_step(&c->across, label_width(&c->across) + 2 * CHAR);
    for (size_t j = 0; j < c->across.cells; j += step) {
        int x = chart_cell_x(c, j) + c->across.pixels / 2;
        snprintf(text, sizeof text, "%zu", j * c->across.per_cell);
        picture_rect(p, x - 1, c->y + h + 2, 2, TICK, chart_ink);
        picture_text(p, x - picture_text_width(text, TEXT_SCALE) / 2, c->y + h + TICK + 6, text, TEXT_SCALE, chart_ink);
    }
    picture_text(p, c->x, c->y + h + TICK + 6 + LINE, c->across.name, TEXT_SCALE, chart_ink);
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

enum status chart_make(const struct chart_texts *texts, const struct chart_axis *across, const struct chart_axis *down,
                       int legend_height, struct chart *out, struct error *e)
{
    struct chart c = {.across = *across, .down = *down};
    int w = (int)across->cells * across->pixels, h = (int)down->cells * down->pixels;
    c.x = MARGIN + label_width(down) + TICK + 10;
    int plot_width = larger(w, picture_text_width(across->name, TEXT_SCALE));
    int width = larger(c.x + plot_width + 3 * MARGIN + CHART_LEGEND_WIDTH, MIN_WIDTH), inner = width - 2 * MARGIN;
    int title = wrapped(NULL, 0, 0, inner, texts->title, chart_ink);
    int subtitle = wrapped(NULL, 0, 0, inner, texts->subtitle, chart_ink);
    c.y = MARGIN + title + subtitle + LINE + 16;
    c.legend_x = c.x + plot_width + 2 * MARGIN;
    c.legend_y = c.y;
    int bottom = c.y + larger(h + TICK + 6 + 2 * LINE, legend_height) + 10;
    int height = bottom + wrapped(NULL, 0, 0, inner, texts->caption, chart_ink) + MARGIN;
    enum status s = picture_make(width, height, chart_paper, &c.picture, e);
    if (s != STATUS_OK)
        return s;
    wrapped(&c.picture, MARGIN, MARGIN, inner, texts->title, chart_ink);
    wrapped(&c.picture, MARGIN, MARGIN + title, inner, texts->subtitle, grey);
    wrapped(&c.picture, MARGIN, bottom, inner, texts->caption, chart_ink);
    draw_axes(&c);
    *out = c;
    return STATUS_OK;
}

void chart_free(struct chart *c)
{
    picture_free(&c->picture);
}

int chart_cell_x(const struct chart *c, size_t column)
{
    return c->x + (int)column * c->across.pixels;
}

int chart_cell_y(const struct chart *c, size_t row)
{
    return c->y + (int)row * c->down.pixels;
}

struct colour chart_outline(const struct chart *c)
{
    /* The white of hits fills small cells, so there the outline has to be dark. */
    enum { SMALL = 5 };
    return c->across.pixels < SMALL ? chart_ink : (struct colour){235, 235, 235};
}

static void draw_sample(struct picture *p, int x, int y, int side, enum chart_sample mark)
{
    /* Hits are small and white, misses larger, orange in a white frame: size and place tell them apart without colour.
     */
    int half = mark == CHART_HIT ? larger(side / 5, 1) : larger(side / 4, 2);
    int cx = x + side / 2, cy = y + side / 2;
    if (mark == CHART_MISS) {
        picture_rect(p, cx - half - 1, cy - half - 1, 2 * half + 3, 2 * half + 3, chart_paper);
        picture_rect(p, cx - half, cy - half, 2 * half + 1, 2 * half + 1, miss_colour);
    } else if (mark == CHART_HIT) {
        picture_rect(p, cx - half, cy - half, 2 * half, 2 * half, chart_paper);
    }
}

void chart_mark(struct chart *c, size_t row, size_t column, enum chart_sample mark)
{
    int side = c->across.pixels < c->down.pixels ? c->across.pixels : c->down.pixels;
    draw_sample(&c->picture, chart_cell_x(c, column) + (c->across.pixels - side) / 2,
                chart_cell_y(c, row) + (c->down.pixels - side) / 2, side, mark);
}

struct chart_scale chart_scale_of(const float *value, size_t n)
{
    struct chart_scale s = {.low = INFINITY};
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(value[i])) {
            s.infinite = true;
        } else if (value[i] == 0) {
            s.zero = true;
        } else {
            s.low = fminf(s.low, value[i]);
            s.high = fmaxf(s.high, value[i]);
        }
    }
    if (s.high == 0)
        s.low = 0;
    /* Beyond three decades a linear ramp would show the largest values and nothing else. */
    s.logarithmic = s.high > 0 && s.high / 1000 > s.low;
    return s;
}

/* Where on the ramp, t in [0,1] from low to high. The darkest fifth is left out: it would pass for the black of zero.
 */
static struct colour ramp(float t)
{
    return picture_ramp(0.2f + 0.8f * t);
}

struct colour chart_scale_colour(const struct chart_scale *s, float value)
{
    if (!isfinite(value))
        return infinite_colour;
    if (value == 0)
        return zero_colour;
    if (s->high <= s->low)
        return ramp(1);
    if (s->logarithmic)
        return ramp((logf(value) - logf(s->low)) / (logf(s->high) - logf(s->low)));
    return ramp((value - s->low) / (s->high - s->low));
}

int chart_legend_scale_height(const struct chart_scale *s)
{
    return (s->high > 0 ? CHART_RAMP_HEIGHT : 0) + CHART_ENTRY_HEIGHT * (s->zero + s->infinite);
}

void chart_legend_scale(struct chart *c, const struct chart_scale *s, const char *name)
{
    enum { GAP = 12, STEPS = CHART_RAMP_HEIGHT - 2 * LINE - GAP - 20 };
    if (s->high > 0) {
        int top = c->legend_y + 2 * LINE + GAP;
        picture_text(&c->picture, c->legend_x, c->legend_y, name, TEXT_SCALE, chart_ink);
        picture_text(&c->picture, c->legend_x, c->legend_y + LINE, s->logarithmic ? "log scale" : "linear scale",
                     TEXT_SCALE, grey);
        for (int i = 0; i < STEPS; i++)
            picture_rect(&c->picture, c->legend_x, top + i, RAMP_WIDTH, 1,
                         s->high > s->low ? ramp(1 - (float)i / (STEPS - 1)) : ramp(1));
        for (int i = 0; i <= 2; i++) {
            float t = 1 - (float)i / 2;
            double value = s->logarithmic ? exp(t * log((double)s->high) + (1 - t) * log((double)s->low))
                                          : (double)(t * s->high + (1 - t) * s->low);
            char text[32];
            snprintf(text, sizeof text, "%.3g%s", value, i == 0 ? " max" : i == 2 ? " min" : "");
            int y = top + i * (STEPS - 2) / 2;
            picture_rect(&c->picture, c->legend_x + RAMP_WIDTH, y, TICK, 2, chart_ink);
            picture_text(&c->picture, c->legend_x + RAMP_WIDTH + TICK + 5, y - PICTURE_GLYPH_H + 1, text, TEXT_SCALE,
                         chart_ink);
        }
        c->legend_y += CHART_RAMP_HEIGHT;
    }
    if (s->zero)
        chart_legend_entry(c, CHART_PLAIN, zero_colour, "0 exactly");
    if (s->infinite)
        chart_legend_entry(c, CHART_PLAIN, infinite_colour, "infinite (NaN, Inf)");
}

void chart_legend_entry(struct chart *c, enum chart_sample sample, struct colour colour, const char *text)
{
    int x = c->legend_x, y = c->legend_y;
    picture_rect(&c->picture, x, y, SAMPLE, SAMPLE, colour);
    if (sample == CHART_OUTLINE)
        picture_frame(&c->picture, x, y, SAMPLE, SAMPLE, 2, chart_outline(c));
    else
        draw_sample(&c->picture, x, y, SAMPLE, sample);
    picture_text(&c->picture, x + SAMPLE + 10, y + (SAMPLE - PICTURE_GLYPH_H * TEXT_SCALE) / 2 + 1, text, TEXT_SCALE,
                 chart_ink);
    c->legend_y += CHART_ENTRY_HEIGHT;
}
