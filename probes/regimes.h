/* regimes: kinds of inputs that tell one rule of accumulation from another.
 *
 * Uniform random bits are a weak test (about one output in ten is finite, and one in twenty of those can tell F = 25
 * from its neighbours); narrow exponents, cancellation and terms at the alignment boundary are strong. Two regimes are
 * aimed at one rule each, which the others hardly ever touch: in "zero factors" the products with a zero factor would
 * win M if they took part, in "floor" every term lies so far below the floor of M that it loses bits to it. */
#ifndef FO_PROBES_REGIMES_H
#define FO_PROBES_REGIMES_H

#include <stddef.h>

#include "probes/weights.h"
#include "reference/bf16.h"

enum { REGIME_TERMS = 16, REGIME_COUNT = 12 };

/* "uniform", "narrow", "wide", "finite bits", "cancellation", "subnormal", "signed zeros", "all bits", "tiny",
 * "boundary", "zero factors", "floor". */
const char *regime_name(int regime);

/* One tile: a [rows][16], b [columns][16], c bits of f32 [rows][columns].
 * needs: 0 <= regime < REGIME_COUNT. The same random state gives the same tile on every machine. */
void regime_tile(int regime, struct random *r, size_t rows, size_t columns, struct bf16 *a, struct bf16 *b,
                 uint32_t *c);

#endif
