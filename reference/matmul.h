/* matmul: the expectation. Dense and grouped products over decoded values, bit for bit as the tensor core sums them.
 *
 * out[p][n] = bf16(sum over k of x[p][k] * W[n][k]): one f32 accumulator that starts at +0 and takes the k16 steps in
 * ascending order through accumulate.h, rounded once to bf16 (nearest even) at the end. Shares nothing with kernels/.
 */
#ifndef FO_REFERENCE_MATMUL_H
#define FO_REFERENCE_MATMUL_H

#include "reference/accumulate.h"
#include "reference/bf16.h"
#include "reference/hopper_layout.h"
#include "reference/segments.h"

/* shape: x [P,K], w [N,K] -> out [P,N]. needs: K % 16 == 0. errors: STATUS_NO_MEMORY, STATUS_BAD_ARGUMENT.
 * A step whose 16 activations are all zero is skipped when the 16 weights are finite (exact: it leaves the accumulator,
 * except that -0 becomes +0, and an accumulator that starts at +0 never is -0). */
enum status matmul_dense(const struct bf16 *x, size_t P, const struct bf16 *w, size_t N, size_t K, struct bf16 *out,
                         struct error *e);

/* shape: x [s->rows, w->K] -> out [s->rows, w->N]. Rows of no valid segment are zero. *status_word as segments.h says.
 * errors: STATUS_BAD_ARGUMENT (K % 32, s->experts != w->experts), STATUS_NO_MEMORY. */
enum status matmul_grouped(const struct bf16 *x, const struct segments *s, const struct weights *w, struct bf16 *out,
                           uint32_t *status_word, struct error *e);

#endif
