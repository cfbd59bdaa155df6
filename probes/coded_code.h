/* coded_code: a number shown one digit a plane, with digits of a hash behind it, and read back from what came out.
 *
 * What is shown is the label, code + 1, so that a digit 0 in every plane, which is what a constant that nobody labelled
 * looks like, is no code. Reading keeps one word an observation: the digits read so far, then the code, or one of the
 * words of source_map.h from the moment that it can be no code. */
#ifndef FO_PROBES_CODED_CODE_H
#define FO_PROBES_CODED_CODE_H

#include "probes/source_map.h"
#include "reference/bf16.h"
#include "reference/fp4.h"

enum {
    CODED_VALUE_BASE = 5,  /* the symbols 1, 2, 3, 4, 6 */
    CODED_POWER_BASE = 64, /* a scale 2^0 to 2^-63, an activation 2^0 to 2^63: times 2^-127, which padding gives, it
                              must not vanish */
    CODED_HALF_BASE = 8,   /* an activation 2^0 to 2^7, where f16 must have it, and a factor more */
    CODED_VALUE_CHECKS = 10,
    CODED_POWER_CHECKS = 4,
    CODED_HALF_CHECKS = 8,
    CODED_NO_DIGIT = -1,
    CODED_HIDDEN = -2 /* Inf or NaN */
};

struct coded_code {
    uint32_t base;
    uint64_t codes;        /* 0 .. codes-1 are shown */
    size_t digits, planes; /* planes: digits and check digits */
};

/* needs: base >= 2, 1 <= codes <= SOURCE_CODES. */
struct coded_code coded_code_make(uint32_t base, uint64_t codes, size_t checks);
/* The digit that plane `plane` shows of a code. needs: code < codes, plane < planes. */
uint32_t coded_code_digit(const struct coded_code *c, size_t plane, uint32_t code);
/* One plane more of an observation. so_far: 0 ahead of plane 0, then what this returned; words of source_map.h stay as
 * they are. digit: what the plane showed, or CODED_NO_DIGIT, or CODED_HIDDEN. After the last plane it is a code,
 * SOURCE_UNKNOWN (a constant, or hidden) or SOURCE_MIXTURE. */
uint32_t coded_code_read(const struct coded_code *c, size_t plane, uint32_t so_far, int digit);

/* The three alphabets. */
struct fp4 coded_value_symbol(uint32_t digit);
uint8_t coded_scale_symbol(uint32_t digit); /* the byte of an E8M0 */
struct bf16 coded_row_symbol(uint32_t digit);
/* The digit that an output shows, given what the unit plane gave at its place, which is a factor common to all planes.
 * needs: coded_factor_holds(unit). */
int coded_value_digit(struct bf16 output, struct bf16 unit);
int coded_scale_digit(struct bf16 output, struct bf16 unit);
int coded_row_digit(struct bf16 output, struct bf16 unit);
/* Can it be the factor of one source: a power of two, of either sign? */
bool coded_factor_holds(struct bf16 unit);

#endif
