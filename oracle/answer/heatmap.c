#include "oracle/answer/heatmap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "oracle/answer/chart.h"
#include "oracle/answer/line_map.h"
#include "oracle/io/file.h"
#include "probes/score.h"
#include "reference/size.h"

enum { TEXT = 640, PATH = 1024 };

/* Pixels of a cell so that `cells` of them take about `room`. */
static int cell_pixels(size_t cells, int room, int most)
{
    int pixels = room / (int)cells;
    return pixels < 2 ? 2 : pixels > most ? most : pixels;
}

static enum status write_picture(const char *folder, const char *name, const struct picture *p, struct error *e)
{
    char path[PATH];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        error_set(e, STATUS_BAD_ARGUMENT, "the path of %s is longer than %d bytes", name, PATH - 1);
        return error_at_path(e, folder), STATUS_BAD_ARGUMENT;
    }
    return picture_write_png(path, p, e);
}

/* The cells of the plot; the diagonal is outlined beneath its cells, so that it is seen at two pixels a cell too. */
static void draw_lines(struct chart *c, const struct line_map *m, const struct chart_scale *scale)
{
    struct picture *p = &c->picture;
    int side = c->across.pixels;
    for (size_t i = 0; i < m->cells; i++)
        for (size_t j = 0; j < m->cells; j++)
            picture_rect(p, chart_cell_x(c, j), chart_cell_y(c, i), side, side,
                         chart_scale_colour(scale, m->distance[i * m->cells + j]));
    for (size_t i = 0; i < m->cells; i++)
        picture_rect(p, chart_cell_x(c, i) - 1, chart_cell_y(c, i) - 1, side + 2, side + 2, chart_outline(c));
    for (size_t i = 0; i < m->cells; i++)
        picture_rect(p, chart_cell_x(c, i), chart_cell_y(c, i), side, side,
                     chart_scale_colour(scale, m->distance[i * m->cells + i]));
    for (int mark = LINE_HIT; mark <= LINE_MISS; mark++) /* misses above hits */
        for (size_t i = 0; i < m->cells; i++)
            for (size_t j = 0; j < m->cells; j++)
                if (m->mark[i * m->cells + j] == mark)
                    chart_mark(c, i, j, mark == LINE_HIT ? CHART_HIT : CHART_MISS);
}

static void lines_caption(const struct line_map *m, const char *line, char caption[TEXT])
{
    int used = snprintf(caption, TEXT,
                        "Hits: %zu of %zu. Marks on the diagonal = every %s is nearest to itself; an orange mark shows "
                        "which %s it is nearest to instead.",
                        m->hits, m->lines, line, line);
    if (m->unmarked)
        used += snprintf(caption + used, TEXT - (size_t)used,
                         " %zu %ss without a mark hold a NaN where none is expected.", m->unmarked, line);
    if (m->per_cell > 1)
        snprintf(caption + used, TEXT - (size_t)used,
                 " Binned: a cell stands for %zu x %zu %ss and shows the smallest distance among them; every %s was "
                 "searched, and a cell of the diagonal is marked where all of its %ss are hits.",
                 m->per_cell, m->per_cell, line, line, line);
}

static enum status draw_line_map(const char *folder, const struct line_map *m, bool by_column, const char *title,
                                 struct error *e)
{
    const char *line = by_column ? "column" : "row";
    char subtitle[TEXT], caption[TEXT], across[64], down[64];
    snprintf(subtitle, sizeof subtitle,
             "%ss: Euclidean distance from each %s of the output to each %s of the expectation",
             by_column ? "Column" : "Row", line, line);
    snprintf(across, sizeof across, "%s of the expectation", line);
    snprintf(down, sizeof down, "%s of the output", line);
    lines_caption(m, line, caption);
    struct chart_scale scale = chart_scale_of(m->distance, m->cells * m->cells);
    int pixels = cell_pixels(m->cells, 900, 20);
    const struct chart_texts texts = {title, subtitle, caption};
    const struct chart_axis x = {across, m->cells, m->per_cell, pixels}, y = {down, m->cells, m->per_cell, pixels};
    struct chart c;
    enum status s = chart_make(&texts, &x, &y, chart_legend_scale_height(&scale) + 3 * CHART_ENTRY_HEIGHT, &c, e);
    if (s != STATUS_OK)
        return s;
    draw_lines(&c, m, &scale);
    chart_legend_scale(&c, &scale, "distance");
    chart_legend_entry(&c, CHART_OUTLINE, picture_ramp(0.5f), "the diagonal");
    chart_legend_entry(&c, CHART_HIT, picture_ramp(0.2f), "hit: itself is nearest");
    chart_legend_entry(&c, CHART_MISS, picture_ramp(0.2f), "miss: nearest is this");
    s = write_picture(folder, by_column ? "columns.png" : "rows.png", &c.picture, e);
    chart_free(&c);
    return s;
}

static enum status write_line_map(const char *folder, const struct bf16 *output, const struct bf16 *expected, size_t P,
                                  size_t N, bool by_column, const char *title, struct error *e)
{
    struct line_map m;
    enum status s = line_map_make(output, expected, P, N, by_column, &m, e);
    if (s != STATUS_OK)
        return s;
    s = draw_line_map(folder, &m, by_column, title, e);
    line_map_free(&m);
    return s;
}

/* The errors of all elements, binned: the largest of each cell. */
struct error_map {
    size_t rows, columns, per_row, per_column;
    float *value; /* [rows, columns]; owned */
    size_t wrong, elements;
};

static enum status error_map_make(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N,
                                  struct error_map *out, struct error *e)
{
    struct error_map m = {.per_row = line_map_per_cell(P), .per_column = line_map_per_cell(N), .elements = P * N};
    m.rows = (P + m.per_row - 1) / m.per_row;
    m.columns = (N + m.per_column - 1) / m.per_column;
    float *error = calloc(P * N, sizeof *error);
    m.value = calloc(m.rows * m.columns, sizeof *m.value);
    if (!error || !m.value) {
        free(error);
        free(m.value);
        return error_set(e, STATUS_NO_MEMORY, "no memory for a map of %zu x %zu errors", P, N);
    }
    score_errors(output, expected, P, N, error);
    for (size_t i = 0; i < P * N; i++) {
        float *cell = &m.value[i / N / m.per_row * m.columns + i % N / m.per_column];
        *cell = fmaxf(*cell, error[i]);
        m.wrong += error[i] != 0;
    }
    free(error);
    *out = m;
    return STATUS_OK;
}

static enum status draw_error_map(const char *folder, const struct error_map *m, const char *title, struct error *e)
{
    char caption[TEXT];
    int used = snprintf(caption, sizeof caption,
                        "Differing: %zu of %zu elements. All black = every element is as expected; whole rows or "
                        "columns in colour = lines that went elsewhere.",
                        m->wrong, m->elements);
    if (m->per_row > 1 || m->per_column > 1)
        snprintf(caption + used, TEXT - (size_t)used,
                 " Binned: a cell stands for %zu row%s x %zu column%s and shows the largest error among them.",
                 m->per_row, m->per_row > 1 ? "s" : "", m->per_column, m->per_column > 1 ? "s" : "");
    struct chart_scale scale = chart_scale_of(m->value, m->rows * m->columns);
    int width = cell_pixels(m->columns, 1200, 16), height = cell_pixels(m->rows, 700, 16);
    /* Cells may be oblong where one side is much longer, but not so much that a row looks like a column. */
    width = width > 3 * height ? 3 * height : width;
    height = height > 5 * width ? 5 * width : height;
    const struct chart_texts texts = {title, "Errors: |output - expectation| of each element", caption};
    const struct chart_axis x = {"column (feature n)", m->columns, m->per_column, width};
    const struct chart_axis y = {"row (token p)", m->rows, m->per_row, height};
    struct chart c;
    enum status s = chart_make(&texts, &x, &y, chart_legend_scale_height(&scale), &c, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < m->rows; i++)
        for (size_t j = 0; j < m->columns; j++)
            picture_rect(&c.picture, chart_cell_x(&c, j), chart_cell_y(&c, i), width, height,
                         chart_scale_colour(&scale, m->value[i * m->columns + j]));
    chart_legend_scale(&c, &scale, "error");
    s = write_picture(folder, "errors.png", &c.picture, e);
    chart_free(&c);
    return s;
}

enum status heatmap_maps(const char *folder, const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N,
                         const char *title, struct error *e)
{
    size_t elements;
    if (P == 0 || N == 0 || !size_multiply(P, N, &elements))
        return error_set(e, STATUS_BAD_ARGUMENT, "no map of a matrix of %zu x %zu", P, N);
    enum status s = file_make_folder(folder, e);
    if (s == STATUS_OK)
        s = write_line_map(folder, output, expected, P, N, false, title, e);
    if (s == STATUS_OK)
        s = write_line_map(folder, output, expected, P, N, true, title, e);
    if (s != STATUS_OK)
        return s;
    struct error_map m = {0};
    s = error_map_make(output, expected, P, N, &m, e);
    if (s != STATUS_OK)
        return s;
    s = draw_error_map(folder, &m, title, e);
    free(m.value);
    return s;
}
