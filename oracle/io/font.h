/* font: bitmaps of the printable ASCII characters, 5 pixels wide and 9 high. */
#ifndef FO_ORACLE_IO_FONT_H
#define FO_ORACLE_IO_FONT_H

#include <stdint.h>

enum { FONT_FIRST = ' ', FONT_LAST = '~', FONT_COLUMNS = 5, FONT_ROWS = 9 };

/* FONT_ROWS rows from the top, bit 4 the leftmost pixel. Anything but printable ASCII gives an empty box. */
const uint8_t *font_glyph(char c);

#endif
