/* chart: the furniture around a plot: title, two axes with ticks, a legend, a caption.
 *
 *     title and subtitle
 *     down axis name
 *       0 +----------------+   legend: a ramp with its scale, then entries
 *       8 |      plot      |
 *         +----------------+
 *         0    8    16      across axis name
 *     caption
 *
 * The caller draws the plot itself, cell by cell; everything else is measured first, so that texts do not meet. */
#ifndef FO_ORACLE_ANSWER_CHART_H
#define FO_ORACLE_ANSWER_CHART_H

#include <stdbool.h>

#include "oracle/io/picture.h"

struct chart_axis {
    const char *name;
    size_t cells;    /* along this axis */
    size_t per_cell; /* lines of the matrix in one cell */
    int pixels;      /* of one cell */
};

struct chart_texts {
    const char *title, *subtitle, *caption; /* ASCII, wrapped where they are too long */
};

struct chart {
    struct picture picture; /* owned; free with chart_free */
    struct chart_axis across, down;
    int x, y;               /* top left of the plot, pixels */
    int legend_x, legend_y; /* where the next entry goes */
};

/* What an entry of the legend shows beside its text. */
enum chart_sample { CHART_PLAIN, CHART_HIT, CHART_MISS, CHART_OUTLINE };

enum { CHART_RAMP_HEIGHT = 260, CHART_ENTRY_HEIGHT = 30, CHART_LEGEND_WIDTH = 310 };

extern const struct colour chart_paper, chart_ink;

/* legend_height: pixels that the legend will take. errors: STATUS_BAD_ARGUMENT (larger than a picture may be),
 * STATUS_NO_MEMORY. */
enum status chart_make(const struct chart_texts *texts, const struct chart_axis *across, const struct chart_axis *down,
                       int legend_height, struct chart *out, struct error *e);
void chart_free(struct chart *c);

/* Pixel of the left and the upper edge of a cell. */
int chart_cell_x(const struct chart *c, size_t column);
int chart_cell_y(const struct chart *c, size_t row);
/* Of the cells on a diagonal. */
struct colour chart_outline(const struct chart *c);
/* The marks of a line that is nearest to itself and of one that is not, centred in a cell; visible in cells of any
 * size. */
void chart_mark(struct chart *c, size_t row, size_t column, enum chart_sample mark);

/* Colours for values of which the zeros are drawn apart: dark is small, and any value but zero is seen on black. */
struct chart_scale {
    float low, high; /* of the finite values above zero; both 0 when there is none */
    bool logarithmic;
    bool zero, infinite; /* there are such cells */
};
struct chart_scale chart_scale_of(const float *value, size_t n);
struct colour chart_scale_colour(const struct chart_scale *s, float value);
/* The ramp with the scale, and entries for zero and for infinite cells where there are such. */
void chart_legend_scale(struct chart *c, const struct chart_scale *s, const char *name);
int chart_legend_scale_height(const struct chart_scale *s);
void chart_legend_entry(struct chart *c, enum chart_sample sample, struct colour colour, const char *text);

#endif
