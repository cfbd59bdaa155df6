#include "oracle/diagnose/slot_picture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "oracle/answer/chart.h"
#include "reference/fragment.h"

enum { TILE = 64, STEP = 16, WARPS = 4, LANES = 32, SLOTS = 8, CELL_W = 48, CELL_H = 20 };

enum hold { NOT_ASKED, RIGHT, WRONG_ROW, WRONG_COLUMN, WRONG_BOTH, ELSEWHERE, ZERO, UNWRITTEN, NO_SOURCE, HOLDS };
static const struct colour hold_colour[HOLDS] = {{255, 255, 255}, {222, 230, 238}, {86, 180, 233},
                                                 {230, 159, 0},   {0, 158, 115},   {240, 228, 66},
                                                 {60, 60, 60},    {213, 94, 0},    {204, 121, 167}};
static const char *const hold_name[HOLDS] = {
    "not asked", "right element", "wrong row",       "wrong column", "wrong row and column", "another tile or expert",
    "zero",      "unwritten",     "no single source"};

/* What every element of the weights was seen to come from: the first wrong source, else the right one. Outputs that
 * were never written count where there are no others: they say nothing of A. */
struct seen_elements {
    const struct source_map *m;
    uint32_t *found;  /* [N][K]; SOURCE_UNKNOWN where it was not asked; owned */
    uint32_t *expert; /* [N][K], of the row that asked; owned */
};

static void look(struct seen_elements *s)
{
    const struct source_map *m = s->m;
    for (size_t i = 0; i < m->N * m->K; i++)
        s->found[i] = SOURCE_UNKNOWN;
    for (size_t sweep = 0; sweep < m->sweeps; sweep++)
        for (size_t p = 0; p < m->P; p++)
            for (size_t n = 0; n < m->N; n++) {
                uint32_t wanted = source_wanted_value(m, sweep, p, n);
                if (wanted >= SOURCE_CODES)
                    continue;
                struct source_point at = source_value_point(m, wanted);
                size_t element = n * m->K + at.k;
                uint32_t before = s->found[element], found = m->value[source_map_at(m, sweep, p, n)];
                bool was_right = before < SOURCE_CODES &&
                                 before == source_value_code(m, (struct source_point){s->expert[element], at.n, at.k});
                bool nothing = before == SOURCE_UNKNOWN || before == SOURCE_UNWRITTEN;
                if (nothing || (was_right && found != wanted && found != SOURCE_UNWRITTEN)) {
                    s->found[element] = found;
                    s->expert[element] = at.expert;
                }
            }
}

/* held: where it comes from, counted from the tile; good for the four first holds. */
static enum hold hold_of(const struct seen_elements *s, size_t n0, size_t k0, struct point at, struct point *held)
{
    const struct source_map *m = s->m;
    size_t n = n0 + at.at[0], k = k0 + at.at[1];
    uint32_t found = n < m->N && k < m->K ? s->found[n * m->K + k] : SOURCE_UNKNOWN;
    if (found == SOURCE_UNKNOWN)
        return NOT_ASKED;
    if (found >= SOURCE_CODES)
        return found == SOURCE_ZERO ? ZERO : found == SOURCE_UNWRITTEN ? UNWRITTEN : NO_SOURCE;
    struct source_point from = source_value_point(m, found);
    if (from.expert != s->expert[n * m->K + k] || from.n < n0 || from.n >= n0 + TILE || from.k < k0 ||
        from.k >= k0 + STEP)
        return ELSEWHERE;
    held->at[0] = (uint32_t)(from.n - n0);
    held->at[1] = (uint32_t)(from.k - k0);
    bool row = from.n != n, column = from.k != k;
    return row && column ? WRONG_BOTH : row ? WRONG_ROW : column ? WRONG_COLUMN : RIGHT;
}

/* The tile and step with the most wrong slots. */
static void choose(const struct seen_elements *s, size_t *n0, size_t *k0)
{
    size_t most = 0;
    *n0 = *k0 = 0;
    for (size_t n = 0; n < s->m->N; n += TILE)
        for (size_t k = 0; k < s->m->K; k += STEP) {
            size_t wrong = 0;
            for (uint32_t i = 0; i < TILE * STEP; i++) {
                struct point unused, at = {{i / STEP, i % STEP}};
                wrong += hold_of(s, n, k, at, &unused) > RIGHT;
            }
            if (wrong > most) {
                most = wrong;
                *n0 = n;
                *k0 = k;
            }
        }
}

static void draw_cell(struct chart *c, const struct seen_elements *s, const struct layout *map, size_t n0, size_t k0,
                      uint32_t thread, uint32_t slot)
{
    struct point where = {{thread, slot / 2, slot % 2}}, at = layout_apply(map, &where), held;
    size_t column = thread / LANES * SLOTS + slot, row = thread % LANES;
    int x = chart_cell_x(c, column), y = chart_cell_y(c, row);
    enum hold hold = hold_of(s, n0, k0, at, &held);
    char text[24] = "";
    picture_rect(&c->picture, x, y, CELL_W - 1, CELL_H - 1, hold_colour[hold]);
    if (hold >= RIGHT && hold <= WRONG_BOTH)
        snprintf(text, sizeof text, "%" PRIu32 ",%" PRIu32, held.at[0], held.at[1]);
    picture_text(&c->picture, x + (CELL_W - picture_text_width(text, 1)) / 2, y + (CELL_H - PICTURE_GLYPH_H) / 2, text,
                 1, chart_ink);
    if (slot == 0 && thread >= LANES)
        picture_rect(&c->picture, x - 2, y, 3, CELL_H, chart_ink);
}

static enum status draw(const char *path, const struct seen_elements *s, const struct layout *map, const char *title,
                        struct error *e)
{
    struct chart c;
    char subtitle[160];
    size_t n0, k0;
    choose(s, &n0, &k0);
    snprintf(subtitle, sizeof subtitle,
             "A of one m64k16 step: features %zu..%zu, columns %zu..%zu; in each slot the element that the outputs "
             "show there",
             n0, n0 + TILE - 1, k0, k0 + STEP - 1);
    struct chart_texts texts = {title, subtitle,
                                "Numbers are feature,column inside the tile. Four warps from left to right; of each "
                                "lane the slots R0 low, R0 high, R1 low .. R3 high. What is wrong outside of A shows "
                                "here as if it were A's."};
    struct chart_axis across = {"slot: warp x 8 + 2 x register + half", WARPS * SLOTS, 1, CELL_W},
                      down = {"lane", LANES, 1, CELL_H};
    enum status status = chart_make(&texts, &across, &down, HOLDS * CHART_ENTRY_HEIGHT, &c, e);
    if (status != STATUS_OK)
        return status;
    for (uint32_t thread = 0; thread < WARPS * LANES; thread++)
        for (uint32_t slot = 0; slot < SLOTS; slot++)
            draw_cell(&c, s, map, n0, k0, thread, slot);
    for (int i = 0; i < HOLDS; i++) {
        int x = c.legend_x, y = c.legend_y;
        chart_legend_entry(&c, CHART_PLAIN, hold_colour[i], hold_name[i]);
        picture_frame(&c.picture, x, y, PICTURE_GLYPH_H * 2, PICTURE_GLYPH_H * 2, 1, chart_ink);
    }
    status = picture_write_png(path, &c.picture, e);
    chart_free(&c);
    return status;
}

enum status slot_picture_write(const char *path, const struct source_map *m, const char *title, struct error *e)
{
    struct wgmma_op op;
    struct layout map;
    struct seen_elements s = {.m = m};
    enum status status = wgmma_parse("wgmma.m64n64k16.f32.bf16.bf16.rs", &op, e);
    if (status == STATUS_OK)
        status = fragment_map(&op, FRAGMENT_A, &map, e);
    if (status != STATUS_OK)
        return status;
    s.found = malloc(m->N * m->K * sizeof *s.found);
    s.expert = malloc(m->N * m->K * sizeof *s.expert);
    if (!s.found || !s.expert)
        status = error_set(e, STATUS_NO_MEMORY, "no memory to draw %zu x %zu weights", m->N, m->K);
    if (status == STATUS_OK) {
        look(&s);
        status = draw(path, &s, &map, title, e);
    }
    free(s.found);
    free(s.expert);
    return status;
}
