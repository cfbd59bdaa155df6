#include "oracle/io/picture.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "oracle/io/file.h"
#include "oracle/io/font.h"

enum { MAX_SIDE = 16384 };

_Static_assert((int)FONT_COLUMNS < (int)PICTURE_GLYPH_W && (int)FONT_ROWS < (int)PICTURE_GLYPH_H,
               "a cell leaves a gap to the next");

enum status picture_make(int width, int height, struct colour background, struct picture *out, struct error *e)
{
    if (width < 1 || width > MAX_SIDE || height < 1 || height > MAX_SIDE)
        return error_set(e, STATUS_BAD_ARGUMENT, "a picture of %d x %d is not within 1..%d a side", width, height,
                         MAX_SIDE);
    struct picture p = {.width = width, .height = height};
    p.rgb = malloc((size_t)width * (size_t)height * 3);
    if (!p.rgb)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a picture of %d x %d", width, height);
    picture_rect(&p, 0, 0, width, height, background);
    *out = p;
    return STATUS_OK;
}

void picture_free(struct picture *p)
{
    free(p->rgb);
    *p = (struct picture){0};
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* In 64 bits, so that no corner that an int can name overflows before it is clipped. */
static void fill(struct picture *p, int64_t x, int64_t y, int64_t w, int64_t h, struct colour c)
{
    int64_t right = clamp(x + w, 0, p->width), bottom = clamp(y + h, 0, p->height);
    for (int64_t row = clamp(y, 0, p->height); row < bottom; row++) {
        for (int64_t column = clamp(x, 0, p->width); column < right; column++) {
            uint8_t *pixel = p->rgb + (row * p->width + column) * 3;
            pixel[0] = c.r;
            pixel[1] = c.g;
            pixel[2] = c.b;
        }
    }
}

void picture_rect(struct picture *p, int x, int y, int w, int h, struct colour c)
{
    fill(p, x, y, w, h, c);
}

void picture_frame(struct picture *p, int x, int y, int w, int h, int thickness, struct colour c)
{
    if (w <= 0 || h <= 0 || thickness <= 0)
        return;
    /* A frame thicker than the rectangle fills it and nothing outside it. */
    int64_t across = clamp(thickness, 0, w), down = clamp(thickness, 0, h);
    fill(p, x, y, w, down, c);
    fill(p, x, (int64_t)y + h - down, w, down, c);
    fill(p, x, y, across, h, c);
    fill(p, (int64_t)x + w - across, y, across, h, c);
}

void picture_text(struct picture *p, int x, int y, const char *text, int scale, struct colour c)
{
    if (scale <= 0)
        return;
    int64_t left = x;
    for (; *text && left < p->width; text++, left += (int64_t)PICTURE_GLYPH_W * scale) {
        const uint8_t *row = font_glyph(*text);
        for (int i = 0; i < FONT_ROWS * FONT_COLUMNS; i++) {
            int down = i / FONT_COLUMNS, across = i % FONT_COLUMNS;
            if (row[down] >> (FONT_COLUMNS - 1 - across) & 1)
                fill(p, left + (int64_t)across * scale, y + (int64_t)down * scale, scale, scale, c);
        }
    }
}

int picture_text_width(const char *text, int scale)
{
    size_t width;
    if (scale <= 0)
        return 0;
    if (__builtin_mul_overflow(strlen(text), (size_t)scale * PICTURE_GLYPH_W, &width) || width > INT_MAX)
        return INT_MAX;
    return (int)width;
}

struct colour picture_ramp(float t)
{
    /* Dark blue over grey to yellow: hues that every kind of colour vision keeps apart, and a lightness (CIE L*) that
     * grows by nearly equal steps. source: after cividis (Nunez, Anderton, Renslow 2018). */
    static const struct colour control[] = {{0, 34, 78},     {18, 53, 112},   {59, 73, 108},   {87, 93, 109},
                                            {112, 113, 115}, {138, 134, 120}, {165, 156, 116}, {195, 179, 105},
                                            {225, 204, 85},  {254, 232, 56}};
    enum { LAST = sizeof control / sizeof *control - 1 };
    float at = t > 0 ? (t < 1 ? t * LAST : LAST) : 0; /* NaN is 0 */
    int i = at < LAST ? (int)at : LAST - 1;
    float f = at - (float)i;
    const struct colour *a = &control[i], *b = &control[i + 1];
    return (struct colour){(uint8_t)((float)a->r + f * (float)(b->r - a->r) + 0.5f),
                           (uint8_t)((float)a->g + f * (float)(b->g - a->g) + 0.5f),
                           (uint8_t)((float)a->b + f * (float)(b->b - a->b) + 0.5f)};
}

struct colour picture_category(int i)
{
    /* source: Okabe and Ito 2008, without black, which is the text upon them, and with a grey. */
    static const struct colour category[8] = {{230, 159, 0}, {86, 180, 233}, {0, 158, 115},   {240, 228, 66},
                                              {0, 114, 178}, {213, 94, 0},   {204, 121, 167}, {187, 187, 187}};
    return category[(unsigned)i % 8];
}

enum status picture_write_png(const char *path, const struct picture *p, struct error *e)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)p->width,
                       .height = (png_uint_32)p->height,
                       .format = PNG_FORMAT_RGB};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    enum status s;
    uint8_t *file = malloc(size);
    if (!file) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the PNG");
        error_at_path(e, path);
        goto cleanup;
    }
    /* Nothing but memory can fail here: the picture is in range, the room suffices, no file is touched. */
    if (!png_image_write_to_memory(&image, file, &size, 0, p->rgb, 0, NULL)) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory to encode the PNG: %s", image.message);
        error_at_path(e, path);
        goto cleanup;
    }
    s = file_write(path, file, size, e);

cleanup:
    free(file);
    return s;
}
