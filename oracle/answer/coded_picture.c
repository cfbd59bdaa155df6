#include "oracle/answer/coded_picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/chart.h"

/* What a cell shows. */
enum find { NOT_ASKED, RIGHT, OTHER_DOWN, OTHER_ACROSS, OTHER_BOTH, OTHER_EXPERT, ZERO, UNWRITTEN, MIXTURE, UNKNOWN };
enum { FINDS = UNKNOWN + 1, MOST_LINES = 512, MOST_PIXELS = 768, MOST_CELL = 24, PLOTS = 3 };

/* Okabe and Ito's colours for what is wrong, paper and a pale blue for what is not. */
static const struct colour find_colour[FINDS] = {{255, 255, 255}, {222, 230, 238}, {0, 114, 178}, {230, 159, 0},
                                                 {0, 158, 115},   {240, 228, 66},  {0, 0, 0},     {213, 94, 0},
                                                 {204, 121, 167}, {120, 120, 120}};

/* A matrix of finds, binned. */
struct plot {
    struct chart_texts texts;
    const char *names[FINDS]; /* NULL: cannot be */
    struct chart_axis across, down;
    uint8_t *find; /* [down.cells][across.cells], owned */
};

#define NAMES(down, across, both)                                                                                      \
    {                                                                                                                  \
        "not asked", "right", down, across, both, "another expert", "zero", "unwritten", "mixture", "unknown"          \
    }

static struct chart_axis axis(const char *name, size_t lines)
{
    size_t per_cell = (lines + MOST_LINES - 1) / MOST_LINES, cells = (lines + per_cell - 1) / per_cell;
    int pixels = (int)(MOST_PIXELS / cells);
    return (struct chart_axis){name, cells, per_cell, pixels < 1 ? 1 : pixels > MOST_CELL ? MOST_CELL : pixels};
}

static enum status plot_begin(struct plot *p, const char *down, size_t lines_down, const char *across,
                              size_t lines_across, struct error *e)
{
    p->down = axis(down, lines_down);
    p->across = axis(across, lines_across);
    p->find = calloc(p->down.cells * p->across.cells, sizeof *p->find);
    return p->find ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory for a source map to draw");
}

/* The first wrong one stays. */
static void plot_add(struct plot *p, size_t down, size_t across, enum find find)
{
    uint8_t *cell = &p->find[down / p->down.per_cell * p->across.cells + across / p->across.per_cell];
    if (*cell <= RIGHT)
        *cell = (uint8_t)find;
}

static enum status plot_draw(const struct plot *p, struct chart *out, struct error *e)
{
    int entries = 0;
    for (int i = 0; i < FINDS; i++)
        entries += p->names[i] != NULL;
    enum status s = chart_make(&p->texts, &p->across, &p->down, entries * CHART_ENTRY_HEIGHT, out, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < p->down.cells; i++)
        for (size_t j = 0; j < p->across.cells; j++)
            picture_rect(&out->picture, chart_cell_x(out, j), chart_cell_y(out, i), p->across.pixels, p->down.pixels,
                         find_colour[p->find[i * p->across.cells + j]]);
    for (int i = 0; i < FINDS; i++)
        if (p->names[i]) {
            int x = out->legend_x, y = out->legend_y;
            chart_legend_entry(out, CHART_PLAIN, find_colour[i], p->names[i]);
            picture_frame(&out->picture, x, y, PICTURE_GLYPH_H * 2, PICTURE_GLYPH_H * 2, 1, chart_ink);
        }
    return STATUS_OK;
}

static enum find find_of_word(uint32_t found)
{
    return found == SOURCE_ZERO        ? ZERO
           : found == SOURCE_UNWRITTEN ? UNWRITTEN
           : found == SOURCE_MIXTURE   ? MIXTURE
                                       : UNKNOWN;
}

static enum find find_of_points(struct source_point found, struct source_point wanted)
{
    if (found.expert != wanted.expert)
        return OTHER_EXPERT;
    if (found.n == wanted.n)
        return OTHER_ACROSS;
    return found.k == wanted.k ? OTHER_DOWN : OTHER_BOTH;
}

/* The segment with the most rows; -1 where there is none. */
static int longest_segment(const struct source_map *m)
{
    int longest = -1;
    uint32_t most = 0;
    for (size_t a = 0; a < m->segments.active; a++)
        if (m->starts[a + 1] > m->starts[a] && m->starts[a + 1] - m->starts[a] > most) {
            most = m->starts[a + 1] - m->starts[a];
            longest = (int)a;
        }
    return longest;
}

/* Values and scales of a segment. */
static void find_segment(const struct source_map *m, int segment, struct plot *value, struct plot *scale)
{
    for (size_t s = 0; segment >= 0 && s < m->sweeps; s++)
        for (size_t p = m->starts[segment]; p < m->starts[segment + 1]; p++)
            for (size_t n = 0; n < m->N; n++) {
                size_t at = source_map_at(m, s, p, n), k = m->column[s * m->P + p];
                uint32_t found = m->value[at], wanted = source_wanted_value(m, s, p, n);
                plot_add(value, n, k,
                         found == wanted ? RIGHT
                         : found >= SOURCE_CODES
                             ? find_of_word(found)
                             : find_of_points(source_value_point(m, found), source_value_point(m, wanted)));
                found = m->scale[at], wanted = source_wanted_scale(m, s, p, n);
                plot_add(scale, n, k / (m->K / m->blocks),
                         found == wanted ? RIGHT
                         : found >= SOURCE_CODES
                             ? find_of_word(found)
                             : find_of_points(source_scale_point(m, found), source_scale_point(m, wanted)));
            }
}

static void find_rows(const struct source_map *m, struct plot *row)
{
    for (size_t i = 0; i < source_map_observations(m); i++) {
        size_t sweep = i / (m->P * m->N), p = i / m->N % m->P, n = i % m->N;
        uint32_t found = m->row[i], wanted = source_wanted_row(m, sweep, p, n);
        plot_add(row, p, n, found == wanted ? RIGHT : found >= SOURCE_CODES ? find_of_word(found) : OTHER_DOWN);
    }
}

/* One picture of several, one above the other. */
static enum status stack(const struct chart *charts, size_t count, struct picture *out, struct error *e)
{
    int width = 0, height = 0;
    for (size_t i = 0; i < count; i++) {
        width = charts[i].picture.width > width ? charts[i].picture.width : width;
        height += charts[i].picture.height;
    }
    enum status s = picture_make(width, height, chart_paper, out, e);
    size_t top = 0;
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        const struct picture *p = &charts[i].picture;
        size_t line = (size_t)p->width * 3;
        for (size_t y = 0; y < (size_t)p->height; y++)
            memcpy(out->rgb + (top + y) * (size_t)width * 3, p->rgb + y * line, line);
        top += (size_t)p->height;
    }
    return s;
}

static enum status plots_make(const struct source_map *m, const char *title, struct plot plot[PLOTS],
                              char subtitle[160], struct error *e)
{
    int segment = longest_segment(m);
    snprintf(subtitle, 160, "Values: which weight each output shows, of segment %d (expert %d, %u rows)", segment,
             segment < 0 ? -1 : (int)m->ids[segment],
             segment < 0 ? 0 : (unsigned)(m->starts[segment + 1] - m->starts[segment]));
    plot[0] = (struct plot){
        {title, subtitle,
         "The cell at n, k is the output of feature n where x asks for column k. Its colour says from where the weight "
         "came that was found there."},
        NAMES("another n", "another k", "another n and k"),
        {0},
        {0},
        NULL};
    plot[1] = (struct plot){
        {"Scales", "Which scale each output shows, of the same segment",
         "The cell at n, block is the same output; of the 32 columns of a block the first wrong one shows."},
        NAMES("another n", "another block", "another n and block"),
        {0},
        {0},
        NULL};
    plot[2] = (struct plot){{"Rows", "Which row of x each output shows, of every segment",
                             "The cell at p, n is an output as it stands in memory. Rows that no segment covers are "
                             "right when they are zero."},
                            NAMES("another row", NULL, NULL),
                            {0},
                            {0},
                            NULL};
    plot[2].names[NOT_ASKED] = plot[2].names[OTHER_EXPERT] = NULL;
    enum status s = plot_begin(&plot[0], "feature n", m->N, "column k", m->K, e);
    if (s == STATUS_OK)
        s = plot_begin(&plot[1], "feature n", m->N, "block of 32 columns", m->blocks, e);
    if (s == STATUS_OK)
        s = plot_begin(&plot[2], "row p", m->P, "feature n", m->N, e);
    if (s != STATUS_OK)
        return s;
    find_segment(m, segment, &plot[0], &plot[1]);
    find_rows(m, &plot[2]);
    return STATUS_OK;
}

enum status coded_picture_write(const char *path, const struct source_map *m, bool scales, const char *title,
                                struct error *e)
{
    struct plot plot[PLOTS] = {{.find = NULL}};
    struct chart chart[PLOTS] = {{.x = 0}};
    struct picture whole = {0};
    char subtitle[160];
    size_t count = 0;
    enum status s = plots_make(m, title, plot, subtitle, e);
    for (size_t i = 0; s == STATUS_OK && i < PLOTS; i++)
        if (i != 1 || scales) {
            s = plot_draw(&plot[i], &chart[count], e);
            count += s == STATUS_OK;
        }
    if (s == STATUS_OK)
        s = stack(chart, count, &whole, e);
    if (s == STATUS_OK)
        s = picture_write_png(path, &whole, e);
    picture_free(&whole);
    for (size_t i = 0; i < PLOTS; i++) {
        free(plot[i].find);
        chart_free(&chart[i]);
    }
    return s;
}
