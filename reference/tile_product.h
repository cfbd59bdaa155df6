/* tile_product: what D of one wgmma, or of several that add into the same registers, must be.
 *
 * Where the arithmetic of the types is modelled (bf16; integers) D is known bit for bit. Elsewhere (f16, tf32, fp8) it
 * lies between two bounds that hold for every fused sum of the truncating kind, and a checker can say inside or
 * outside:
 *
 *     S = C + sum of a*b in binary64: every product is exact there; each of the K additions loses at most 2^-53 of a
 *         partial sum below (K+1) * 2^(M+2). Slack (K+1)^2 * 2^(M-49) is four times all of that and covers the addition
 *         of the bounds too.
 *     M   the largest exponent of the products and of C, never below -133. A factor that is zero or subnormal counts
 *         with the least exponent of its format, the larger of the rules that are known.
 *     sum of the hardware: each of the K+1 terms is cut toward zero at 2^(M-F), so it lies within (K+1) * 2^(M-F) of S
 *     D   f32: cut toward zero to some number of fraction bits, at least the `kept` of the type; f16: rounded either
 * way
 *
 * The bounds of one step are the C of the next.
 * source: MMA-Sim (arXiv 2511.10909) for the shape of the rule and F, kept: f16 and tf32 25 and 23, fp8 13 and 13;
 * read, not measured here. bf16 and integers (without .satfinite): tile.h. */
#ifndef FO_REFERENCE_TILE_PRODUCT_H
#define FO_REFERENCE_TILE_PRODUCT_H

#include <stdbool.h>

#include "reference/tile.h"

struct tile_term;
struct tile_factors;

struct tile_product {
    struct wgmma_op op;
    bool exact; /* bits says D; else low and high do */
    size_t rows, columns;
    uint32_t *bits; /* [rows][columns] exact: f32 or s32 bits; owned, NULL when not exact */
    /* [rows][columns] the least and the largest value that D may have; equal when exact. Both NaN: D is NaN. From
     * -infinity to +infinity: nothing is known, and even NaN is inside. */
    double *low, *high;
    struct tile_sum sum;
    struct tile_factors *factors; /* room for the factors of a step; exact */
    struct tile_term *term;       /* the same, not exact */
};

/* Begin with C. c: [64][N] bits of D's type (f32, s32, f16), or NULL for scale-d = 0. *out is freed with
 * tile_product_free. errors: STATUS_NO_MEMORY. */
enum status tile_product_make(const struct wgmma_op *op, const uint32_t *c, struct tile_product *out, struct error *e);
void tile_product_free(struct tile_product *p); /* safe on a zeroed one */

/* One wgmma: D[m][n] becomes D[m][n] + sum over k of A[m][k] * B[n][k].
 * shape: a [64][K], b [N][K], each element the bits of its type in the low bits of a word (what is above is ignored).
 */
void tile_product_step(struct tile_product *p, const uint32_t *a, const uint32_t *b);

/* May the hardware give these bits for D[row][column]? bits: of D's type. Exact: are they the ones? */
bool tile_product_holds(const struct tile_product *p, size_t row, size_t column, uint32_t bits);

#endif
