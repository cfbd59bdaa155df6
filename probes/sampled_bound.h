/* sampled_bound: how far an output may be from the exact sum, whoever computes it and in whatever order.
 *
 * Of one output, t[k] = x[k] * w[k] exactly, S = sum of t[k] exactly, and
 *
 *     E = (K-1) e A / (1 - (K-1) e) + K 2^-144         e = 2^-23, A = sum of |x[k]|' |w[k]|'
 *
 * where |v|' is |v|, a subnormal counted as 2^-126, and zero as zero. Claim: what is rounded to bf16 lies in [S-E, S+E]
 * for every kernel that
 *
 *     - adds the K products in a tree of any shape (any order of k, any grouping, split K, reversed, in pairs), whose
 *       nodes are f32 additions or multiply-adds, rounded to nearest or truncated, subnormals kept, or fused sums of 3
 *       to 32 products and an accumulator, as accumulate.h has them: terms cut toward zero at 2^(M-25), the result at
 *       23 fraction bits;
 *     - multiplies by powers of two wherever it likes (scales after the sum of a block: exact within the range of f32);
 *     - rounds once to bf16, to nearest even, at the end.
 *
 * Why. A node has a local error of at most g e B + 2^-145, B the sum of the magnitudes of what goes in:
 *
 *     addition    both roundings lose less than e |result|, |result| <= B; below 2^-126 a sum is exact and a product
 *                 loses 2^-149: g = 1
 *     fused sum   of r products and an accumulator. 2^M is at most |x|' |w|' of some product, or the accumulator, so at
 *                 most B, unless M is the floor of -133 or the accumulator is subnormal (2^M = 2^-126). Each of r+1
 *                 terms loses less than 2^(M-25) = 2^M e/4, the result less than e |result| or 2^-149:
 *                 g = (r+1)/4 + 1, and in the two exceptions (r+1) 2^-151 + 2^-149 < 2^-145 besides
 *
 * By induction from the leaves, a node whose leaves have gone through nodes of g1, g2, .. is off by at most
 * sum of |t|' ((1 + g1 e)(1 + g2 e) .. - 1), and (1 + g e) <= (1 + e)^g. A node that joins c things into one leaves
 * c - 1 fewer, and K products become one sum, so that along any path sum of (c-1) <= K-1. Its g is never above that:
 * 1 = 2-1 for an addition; for a fused sum with an accumulator c - 1 = r >= (r+5)/4 for r >= 2, without one (zero takes
 * no part) c - 1 = r-1 >= (r+5)/4 for r >= 3. So every product has (1+e)^(K-1) - 1 <= (K-1)e / (1 - (K-1)e) at most,
 * the first part of E. There are at most K nodes with 2^-145 each, which later nodes make at most twice as large: the
 * second. Zeros that join in (padding of K, an accumulator that starts at 0) add nothing.
 *
 * S and A are computed in binary64: products are exact there (16 bits), and K additions lose less than K 2^-53 A, which
 * is 2^-29 of E; E is made larger by 2^-20 of itself, for that and for its own rounding.
 *
 * What is found: rounding to nearest even is monotone, so a found value f has a sum in [f - half a step, f + half a
 * step], and is right when that meets [S-E, S+E]. The least |sum - S| over E is the ratio that is reported: at most 1
 * is right.
 *
 * How sharp. E is the worst case over all trees, and it is reached: one product of 1 beside others that are lost one by
 * one gives |sum - S| / E of 0.996 when truncated, 0.498 when rounded, 0.272 fused (tests/probes/test_sampled_bound.c,
 * 1,008,000 sums in 18 orders, none above 1). Of random data the largest seen is 0.01 to 0.03, of exponents over 2^60
 * 0.04 to 0.6: errors of both signs cancel, which no bound that must hold may count on. For K of a few hundred E is
 * small beside the rounding to bf16 itself: of an output's neighbours mostly none is allowed, at times one.
 *
 * Not covered, and so beyond it where they show: partial sums kept in bf16 or f16, factors rounded to fewer bits,
 * subnormals flushed, a zero point subtracted after the sum, a conversion to bf16 that truncates.
 *
 * Infinity and NaN: a NaN product, or infinite products of both signs, give NaN in every order; infinite products of
 * one sign give that infinity, unless a partial sum may overflow. Where finite products could overflow in some order
 * (A beyond 2^127, about) nothing is claimed: `open`.
 * source: derived as stated; the fused sum read and measured as accumulate.h says. */
#ifndef FO_PROBES_SAMPLED_BOUND_H
#define FO_PROBES_SAMPLED_BOUND_H

#include <stdbool.h>
#include <stddef.h>

#include "reference/bf16.h"

enum { SAMPLED_MOST_K = 1 << 20 };

/* A factor as the bound sees it. */
struct sampled_factor {
    double value;
    double size; /* |v|'; 0 for what is not finite */
};
void sampled_factors(const struct bf16 *v, size_t n, struct sampled_factor *out);

struct sampled_bound {
    double sum;   /* S; NaN or infinite where every order gives that */
    double reach; /* E; 0 where S is not finite */
    bool open;    /* some order may overflow: nothing is known */
};

/* needs: 1 <= K <= SAMPLED_MOST_K. */
struct sampled_bound sampled_bound_make(const struct sampled_factor *x, const struct sampled_factor *w, size_t K);

/* The least |sum - S| / E of a sum that rounds to `found`: at most 1 is within the bound. 0 where open; 0 or infinite
 * where S is not finite, or E is 0. */
double sampled_bound_ratio(const struct sampled_bound *b, struct bf16 found);

/* The least and the largest output that the bound allows; equal where S is not finite; -Inf and +Inf where open. */
struct sampled_interval {
    struct bf16 low, high;
};
struct sampled_interval sampled_bound_interval(const struct sampled_bound *b);

#endif
