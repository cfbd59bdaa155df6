#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <png.h>

#include "oracle/io/file.h"
#include "oracle/io/font.h"
#include "oracle/io/picture.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

static const struct colour black = {0, 0, 0}, white = {255, 255, 255}, red = {200, 10, 20};

static struct picture make(int width, int height)
{
    struct picture p;
    assert_int_equal(picture_make(width, height, white, &p, NULL), STATUS_OK);
    return p;
}

static bool is(const struct picture *p, int x, int y, struct colour c)
{
    const uint8_t *pixel = p->rgb + ((size_t)y * (size_t)p->width + (size_t)x) * 3;
    return pixel[0] == c.r && pixel[1] == c.g && pixel[2] == c.b;
}

static int count(const struct picture *p, struct colour c)
{
    int n = 0;
    for (int i = 0; i < p->width * p->height; i++)
        n += is(p, i % p->width, i / p->width, c);
    return n;
}

static void picture_make_side_out_of_range_is_refused(void **state)
{
    (void)state;
    static const int bad[][2] = {{0, 5}, {5, 0}, {-1, 5}, {5, INT_MIN}, {16385, 1}, {1, INT_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct picture p = {.width = 77};
        struct error e;
        assert_int_equal(picture_make(bad[i][0], bad[i][1], white, &p, &e), STATUS_BAD_ARGUMENT);
        expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "is not within 1..16384 a side");
        assert_int_equal(p.width, 77);
        assert_null(p.rgb);
    }
}

static void picture_make_fills_with_the_background(void **state)
{
    (void)state;
    struct picture p;
    assert_int_equal(picture_make(16384, 2, red, &p, NULL), STATUS_OK);
    assert_int_equal(count(&p, red), 2 * 16384);
    picture_free(&p);
    assert_null(p.rgb);
}

static void picture_rect_inside_covers_its_pixels(void **state)
{
    (void)state;
    struct picture p = make(10, 8);
    picture_rect(&p, 2, 3, 4, 2, red);
    for (int y = 0; y < 8; y++) {
        for (int x = 0; x < 10; x++)
            assert_true(is(&p, x, y, x >= 2 && x < 6 && y >= 3 && y < 5 ? red : white));
    }
    picture_free(&p);
}

static void picture_rect_across_the_border_is_clipped(void **state)
{
    (void)state;
    static const struct {
        int x, y, w, h, covered;
    } rect[] = {{-3, -2, 5, 5, 2 * 3},
                {7, 6, 100, 100, 3 * 2},
                {-5, 0, 5, 5, 0},
                {10, 0, 5, 5, 0},
                {0, 8, 5, 5, 0},
                {3, 3, 0, 4, 0},
                {3, 3, -4, 4, 0},
                {INT_MIN, INT_MIN, INT_MAX, INT_MAX, 0},
                {INT_MAX, INT_MAX, INT_MAX, INT_MAX, 0},
                {-1, -1, INT_MAX, INT_MAX, 80},
                {5, 5, INT_MIN, INT_MIN, 0}};
    for (size_t i = 0; i < sizeof rect / sizeof *rect; i++) {
        struct picture p = make(10, 8);
        picture_rect(&p, rect[i].x, rect[i].y, rect[i].w, rect[i].h, red);
        assert_int_equal(count(&p, red), rect[i].covered);
        picture_free(&p);
    }
}

static void picture_frame_draws_the_edge_inside(void **state)
{
    (void)state;
    static const struct {
        int x, y, w, h, thickness, covered;
    } frame[] = {{1, 1, 8, 6, 1, 24},
                 {1, 1, 8, 6, 2, 48 - 8},
                 {1, 1, 8, 6, 3, 48},
                 {1, 1, 8, 6, 100, 48},
                 {1, 1, 8, 6, 0, 0},
                 {1, 1, 8, 6, -1, 0},
                 {1, 1, 0, 6, 1, 0},
                 {1, 1, 8, -6, 1, 0},
                 {-2, -2, 8, 6, 1, 6 + 3},
                 {INT_MIN, INT_MIN, INT_MAX, INT_MAX, INT_MAX, 0},
                 {2, 2, INT_MAX, INT_MAX, 1, 8 + 5}};
    for (size_t i = 0; i < sizeof frame / sizeof *frame; i++) {
        struct picture p = make(10, 8);
        picture_frame(&p, frame[i].x, frame[i].y, frame[i].w, frame[i].h, frame[i].thickness, red);
        assert_int_equal(count(&p, red), frame[i].covered);
        picture_free(&p);
    }
    struct picture p = make(10, 8);
    picture_frame(&p, 1, 1, 8, 6, 1, red);
    assert_true(is(&p, 1, 1, red) && is(&p, 8, 6, red) && is(&p, 1, 6, red) && is(&p, 8, 1, red));
    assert_true(is(&p, 2, 2, white) && is(&p, 0, 0, white) && is(&p, 9, 7, white));
    picture_free(&p);
}

static void picture_text_draws_the_glyphs(void **state)
{
    (void)state;
    static const char *const want[10] = {"............", ".###........", "#...#.......", "#...#..####.",
                                         "#...#.#...#.", "#####.#...#.", "#...#.#...#.", "#...#..####.",
                                         "..........#.", ".......###.."};
    /* The g begins at column 6; its tail hangs below the line on which the A stands. */
    for (int scale = 1; scale <= 3; scale += 2) {
        struct picture p = make(12 * scale, 10 * scale);
        picture_text(&p, 0, scale, "Ag", scale, black);
        for (int y = 0; y < 10 * scale; y++) {
            for (int x = 0; x < 12 * scale; x++) {
                bool ink = want[y / scale][x / scale] == '#';
                if (!is(&p, x, y, ink ? black : white))
                    fail_msg("scale %d, pixel %d,%d", scale, x, y);
            }
        }
        picture_free(&p);
    }
}

static void picture_text_outside_is_clipped(void **state)
{
    (void)state;
    struct picture p = make(9, 7);
    picture_text(&p, 9, 0, "W", 1, red);
    picture_text(&p, 0, 7, "W", 1, red);
    picture_text(&p, -6, 0, "W", 1, red);
    picture_text(&p, 0, -10, "W", 1, red);
    picture_text(&p, INT_MIN, INT_MIN, "WWW", INT_MAX, red);
    picture_text(&p, INT_MAX, INT_MAX, "WWW", INT_MAX, red);
    picture_text(&p, 0, 0, "W", 0, red);
    picture_text(&p, 0, 0, "W", -1, red);
    picture_text(&p, 0, 0, "", 1, red);
    picture_text(&p, 0, 0, "   ", 1, red);
    assert_int_equal(count(&p, red), 0);
    picture_text(&p, -6, 0, "WI", 1, red);
    assert_true(is(&p, 2, 1, red));
    picture_free(&p);
}

static void picture_text_width_is_a_cell_a_character(void **state)
{
    (void)state;
    assert_int_equal(picture_text_width("", 1), 0);
    assert_int_equal(picture_text_width("abc", 1), 18);
    assert_int_equal(picture_text_width("abc", 4), 72);
    assert_int_equal(picture_text_width("abc", 0), 0);
    assert_int_equal(picture_text_width("abc", -2), 0);
    assert_int_equal(picture_text_width("abc", INT_MAX), INT_MAX);
}

static void font_glyph_every_character_has_its_own(void **state)
{
    (void)state;
    int pairs = 0;
    for (int a = FONT_FIRST; a <= FONT_LAST; a++) {
        const uint8_t *glyph = font_glyph((char)a);
        for (int row = 0; row < FONT_ROWS; row++)
            assert_true(glyph[row] < 1 << FONT_COLUMNS);
        assert_memory_not_equal(glyph, font_glyph('\x7f'), FONT_ROWS);
        for (int b = FONT_FIRST; b < a; b++, pairs++) {
            if (!memcmp(glyph, font_glyph((char)b), FONT_ROWS))
                fail_msg("%c and %c look alike", a, b);
        }
    }
    assert_int_equal(pairs, 95 * 94 / 2);
}

static void font_glyph_not_printable_is_a_box(void **state)
{
    (void)state;
    const uint8_t *box = font_glyph('\n');
    assert_int_equal(box[0], 0x1f);
    for (int c = CHAR_MIN; c <= CHAR_MAX; c++)
        assert_true((font_glyph((char)c) == box) == (c < FONT_FIRST || c > FONT_LAST));
}

/* CIE L*a*b* (D65) of linear sRGB. source: CIE 15, IEC 61966-2-1. */
static void lab_of(const double rgb[3], double lab[3])
{
    static const double m[3][3] = {{0.4124, 0.3576, 0.1805}, {0.2126, 0.7152, 0.0722}, {0.0193, 0.1192, 0.9505}};
    static const double light[3] = {0.9505, 1, 1.089};
    double f[3];
    for (int i = 0; i < 3; i++) {
        double v = (m[i][0] * rgb[0] + m[i][1] * rgb[1] + m[i][2] * rgb[2]) / light[i];
        f[i] = v > 0.008856 ? cbrt(v) : 7.787 * v + 16.0 / 116;
    }
    lab[0] = 116 * f[1] - 16;
    lab[1] = 500 * (f[0] - f[1]);
    lab[2] = 200 * (f[1] - f[2]);
}

/* What an eye makes of a colour: 0 common, 1 no red cones, 2 no green ones, 3 no blue ones.
 * source: Machado, Oliveira, Fernandes 2009, severity 1. */
static void seen_by(int eye, struct colour c, double lab[3])
{
    static const double m[4][3][3] = {
        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
        {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
        {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
        {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}};
    const double srgb[3] = {c.r / 255.0, c.g / 255.0, c.b / 255.0};
    double linear[3], seen[3];
    for (int i = 0; i < 3; i++)
        linear[i] = srgb[i] <= 0.04045 ? srgb[i] / 12.92 : pow((srgb[i] + 0.055) / 1.055, 2.4);
    for (int i = 0; i < 3; i++)
        seen[i] = fmin(1, fmax(0, m[eye][i][0] * linear[0] + m[eye][i][1] * linear[1] + m[eye][i][2] * linear[2]));
    lab_of(seen, lab);
}

static void picture_ramp_grows_evenly_for_every_eye(void **state)
{
    (void)state;
    enum { STEPS = 32 };
    for (int eye = 0; eye < 4; eye++) {
        double before[3], least = INFINITY, most = 0;
        seen_by(eye, picture_ramp(0), before);
        for (int i = 1; i <= STEPS; i++) {
            double lab[3];
            seen_by(eye, picture_ramp((float)i / STEPS), lab);
            least = fmin(least, lab[0] - before[0]);
            most = fmax(most, lab[0] - before[0]);
            memcpy(before, lab, sizeof before);
        }
        assert_true(least > 0);
        /* Even as it was drawn; for the others at least without a flat stretch. */
        assert_true(most < (eye ? 3 : 1.5) * least);
    }
}

static void picture_ramp_out_of_range_is_an_end(void **state)
{
    (void)state;
    static const struct colour low = {0, 34, 78}, high = {254, 232, 56};
    const float below[] = {0, -1, -INFINITY, NAN}, above[] = {1, 2, INFINITY};
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        struct colour c = picture_ramp(below[i]);
        assert_memory_equal(&c, &low, sizeof c);
    }
    for (size_t i = 0; i < sizeof above / sizeof *above; i++) {
        struct colour c = picture_ramp(above[i]);
        assert_memory_equal(&c, &high, sizeof c);
    }
}

static void picture_category_eight_stay_distinct_for_every_eye(void **state)
{
    (void)state;
    int pairs = 0;
    for (int eye = 0; eye < 4; eye++) {
        for (int i = 0; i < 8; i++) {
            for (int j = 0; j < i; j++, pairs++) {
                double a[3], b[3];
                seen_by(eye, picture_category(i), a);
                seen_by(eye, picture_category(j), b);
                double distance =
                    sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]));
                /* 2.3 is just noticeable side by side; cells of a map lie apart. */
                if (distance < 10)
                    fail_msg("eye %d: %d and %d are %.1f apart", eye, i, j, distance);
            }
        }
    }
    assert_int_equal(pairs, 4 * 28);
}

static void picture_category_repeats_after_eight(void **state)
{
    (void)state;
    for (int i = -20; i < 20; i++) {
        struct colour a = picture_category(i), b = picture_category(i + 8);
        assert_memory_equal(&a, &b, sizeof a);
    }
}

static void picture_write_png_reads_back(void **state)
{
    char path[SCRATCH_PATH];
    struct picture p = make(37, 23);
    for (int i = 0; i < 37 * 23; i++)
        picture_rect(&p, i % 37, i / 37, 1, 1, (struct colour){(uint8_t)(i * 7), (uint8_t)(i * 5), (uint8_t)i});
    assert_int_equal(picture_write_png(scratch_path(state, "p.png", path), &p, NULL), STATUS_OK);
    png_image image = {.version = PNG_IMAGE_VERSION};
    uint8_t back[37 * 23 * 3];
    assert_true(png_image_begin_read_from_file(&image, path));
    image.format = PNG_FORMAT_RGB;
    assert_int_equal(image.width, 37);
    assert_int_equal(image.height, 23);
    assert_true(png_image_finish_read(&image, NULL, back, 0, NULL));
    assert_memory_equal(back, p.rgb, sizeof back);
    assert_int_equal(scratch_count(state), 1);
    picture_free(&p);
}

static void picture_write_png_where_it_cannot_is_refused(void **state)
{
    char path[SCRATCH_PATH];
    struct picture p = make(300, 300);
    struct rlimit before, small;
    struct error e;
    for (int i = 0; i < 300 * 300 * 3; i++)
        p.rgb[i] = (uint8_t)((unsigned)i * 2654435761u >> 24); /* too mixed to be packed small */
    assert_int_equal(picture_write_png(scratch_path(state, "missing/p.png", path), &p, &e), STATUS_IO);
    expect_error(&e, STATUS_IO, path, "", -1, "No such file");
    assert_int_equal(picture_write_png("/dev/full", &p, &e), STATUS_IO);
    expect_error(&e, STATUS_IO, "/dev/full", "", -1, "No space left");

    assert_int_equal(file_write(scratch_path(state, "p.png", path), "old", 3, NULL), STATUS_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum status s = picture_write_png(path, &p, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(s, STATUS_IO);
    expect_error(&e, STATUS_IO, path, "", -1, "cannot write");
    uint8_t *data;
    size_t size;
    assert_int_equal(file_read(path, 0, &data, &size, NULL), STATUS_OK);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "old", 3);
    free(data);
    assert_int_equal(scratch_count(state), 1);
    picture_free(&p);
}

struct job {
    void *const *state;
    char path[SCRATCH_PATH];
    struct picture picture;
};

static enum status make_once(void *context, struct error *e)
{
    struct job *j = context;
    return picture_make(20, 10, white, &j->picture, e);
}

static void make_failed(void *context)
{
    const struct job *j = context;
    assert_null(j->picture.rgb);
    assert_int_equal(j->picture.width, 77);
}

static enum status write_once(void *context, struct error *e)
{
    struct job *j = context;
    return picture_write_png(j->path, &j->picture, e);
}

static void write_failed(void *context)
{
    const struct job *j = context;
    assert_int_equal(scratch_count(j->state), 0);
}

static void picture_without_memory_says_so(void **state)
{
    struct job j = {.state = state, .picture = {.width = 77}};
    scratch_path(state, "p.png", j.path);
    assert_int_equal(alloc_check(make_once, make_failed, &j), 1);
    assert_true(alloc_check(write_once, write_failed, &j) >= 1);
    picture_free(&j.picture);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picture_make_side_out_of_range_is_refused),
        cmocka_unit_test(picture_make_fills_with_the_background),
        cmocka_unit_test(picture_rect_inside_covers_its_pixels),
        cmocka_unit_test(picture_rect_across_the_border_is_clipped),
        cmocka_unit_test(picture_frame_draws_the_edge_inside),
        cmocka_unit_test(picture_text_draws_the_glyphs),
        cmocka_unit_test(picture_text_outside_is_clipped),
        cmocka_unit_test(picture_text_width_is_a_cell_a_character),
        cmocka_unit_test(font_glyph_every_character_has_its_own),
        cmocka_unit_test(font_glyph_not_printable_is_a_box),
        cmocka_unit_test(picture_ramp_grows_evenly_for_every_eye),
        cmocka_unit_test(picture_ramp_out_of_range_is_an_end),
        cmocka_unit_test(picture_category_eight_stay_distinct_for_every_eye),
        cmocka_unit_test(picture_category_repeats_after_eight),
        IN_SCRATCH(picture_write_png_reads_back),
        IN_SCRATCH(picture_write_png_where_it_cannot_is_refused),
        IN_SCRATCH(picture_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
