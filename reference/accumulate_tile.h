/* accumulate_tile: the fused sum of accumulate.h for a tile of outputs at a time, in vector registers.
 *
 * D[row][column] takes one step: D plus the 16 products of a line (one row of one operand, multiplied by everything)
 * and of a lane (one of 16 rows of the other operand, side by side in a panel). Which operand is which does not matter:
 * the sum does not care.
 *
 * The bits are those of accumulate_step, whatever the machine: nothing below rounds before the one conversion that cuts
 * toward zero, as the rule does. In this order, with s a significand (|s| < 2, 7 fraction bits), e an exponent, M the
 * largest exponent and F <= 25:
 *
 *     exponents  kept + 512, a zero's as 0: a sum of two is 772..1278 of finite products, at most 639 when one is zero,
 *                at least 4608 when one is special. The floor of M (above -252, so above 772) parts zeros from the
 *                rest, 1278 parts the specials: they are done again, one by one, by accumulate_step. Sums stay below
 *                2^14, so 16 bits hold them and the order of signed and unsigned is one.
 *     s*s        16 significant bits, exact in binary32, which has 24; 0, or 2^-14 at least
 *     2^(F+e-M)  a binary32 whose exponent field is F+e-M+127, at most F+127 = 152; 0.0 where that is below 1: such a
 *                term is below 2^(2-126), which cuts to 0
 *     term       s*s times that is exact (a product with a power of two that stays above 2^-140; where the machine
 *                flushes subnormals it would be cut to 0 anyway) and below 2^(F+2) <= 2^27: its conversion to 32 bits
 *                cuts toward zero, like the rule
 *     C          the same with s of 23 fraction bits, |s| < 2; its term is below 2^(F+1) <= 2^26
 *     sum        16 * 255*255 * 2^(25-14) = 2,130,739,200 < 2^31: the products fit. With C the sum is at most
 *                2,197,848,060 < 2^32: its magnitude fits 32 bits without a sign, its sign is that of the two parts
 *                where they agree, and that of the wrapped sum where they do not (then nothing wrapped)
 *     result     cut to 24 bits: of a magnitude with its leading one at bit L, x & ~(x >> 24) clears bit L-24, so that
 *                rounding to nearest goes down; a magnitude of 2^31 or more is halved first, which costs a bit that is
 *                cut in any case. Then the exponent is added to the field; below field 1 the 24 bits are converted once
 *                more, cut toward zero, as the integer that a subnormal is.
 *
 * source: derived; tests hold both paths against accumulate.h and exact.h. */
#ifndef FO_REFERENCE_ACCUMULATE_TILE_H
#define FO_REFERENCE_ACCUMULATE_TILE_H

#include <stddef.h>
#include <stdint.h>

#include "reference/accumulate.h"

enum { ACCUMULATE_TERMS = 16, ACCUMULATE_LANES = 16 };

/* One step of one line. */
struct accumulate_line {
    float significand[ACCUMULATE_TERMS];
    uint32_t exponent[ACCUMULATE_TERMS]; /* in both halves of the word */
};

/* One step of 16 lanes; lane l stands in column 2*(l%8) + l/8, so that one mask or one shift of 32-bit words leaves
 * lanes that are neighbours in D. Significands are bf16 bits. */
struct accumulate_panel {
    uint16_t significand[ACCUMULATE_TERMS][ACCUMULATE_LANES];
    uint16_t exponent[ACCUMULATE_TERMS][ACCUMULATE_LANES];
};

/* shape: 16 operands. */
void accumulate_pack_line(const struct accumulate_operand *x, struct accumulate_line *out);
/* Lane l from x[l*stride .. l*stride + 15], into (lanes + 15) / 16 panels; what is left of the last is zeros. */
void accumulate_pack_panels(const struct accumulate_operand *x, size_t stride, size_t lanes,
                            struct accumulate_panel *out);
/* inverse of both. lane below 16. */
void accumulate_unpack_line(const struct accumulate_line *line, struct accumulate_operand *out);
void accumulate_unpack_lane(const struct accumulate_panel *panel, size_t lane, struct accumulate_operand *out);

/* One step of every listed row and the first `columns` lanes.
 * shape: panel [(columns + 15) / 16]; d [..][stride]; line and d are indexed by row[0..rows-1], or by 0..rows-1 when
 * row is NULL. needs: what accumulate_step needs of a profile; operands of accumulate_prepare; rounding to nearest. */
void accumulate_tile(const struct accumulate_profile *p, const struct accumulate_line *line, const uint32_t *row,
                     size_t rows, const struct accumulate_panel *panel, size_t columns, float *d, size_t stride);

#endif
