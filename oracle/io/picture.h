/* picture: pixels, text and PNG files. The one home of libpng. */
#ifndef FO_ORACLE_IO_PICTURE_H
#define FO_ORACLE_IO_PICTURE_H

#include "reference/status.h"

struct colour {
    uint8_t r, g, b;
};

struct picture {
    int width, height;
    uint8_t *rgb; /* owned */
};

/* Filled with `background`. errors: STATUS_BAD_ARGUMENT (not 1..16384 a side), STATUS_NO_MEMORY. */
enum status picture_make(int width, int height, struct colour background, struct picture *out, struct error *e);
void picture_free(struct picture *p);
/* All drawing is clipped. */
void picture_rect(struct picture *p, int x, int y, int w, int h, struct colour c);
void picture_frame(struct picture *p, int x, int y, int w, int h, int thickness, struct colour c);
/* A built-in bitmap font, PICTURE_GLYPH_W x PICTURE_GLYPH_H a character, printable ASCII; anything else is a box. */
enum { PICTURE_GLYPH_W = 6, PICTURE_GLYPH_H = 10 };
void picture_text(struct picture *p, int x, int y, const char *text, int scale, struct colour c);
int picture_text_width(const char *text, int scale);
/* A perceptually even ramp that the colour-blind can read (cividis-like), t in [0,1]. */
struct colour picture_ramp(float t);
/* Eight colours that stay distinct for the colour-blind (Okabe-Ito and one more). */
struct colour picture_category(int i);
/* Encode to memory, then file_write. */
enum status picture_write_png(const char *path, const struct picture *p, struct error *e);

#endif
