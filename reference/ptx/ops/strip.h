/* strip: D[16][n] += A[16][k] * B[n][k], what one warp computes of a wgmma or of an mma.sync, on elements that have
 * been gathered.
 *
 * Integers are exact (PTX ISA: they wrap, or saturate with .satfinite), and so is bf16 of wgmma (accumulate.h).
 * mma.sync of 16 products of bf16 is taken to sum like it, which was not measured; the other types follow fused_sum.h.
 */
#ifndef FO_REFERENCE_PTX_OPS_STRIP_H
#define FO_REFERENCE_PTX_OPS_STRIP_H

#include "reference/accumulate_tile.h"
#include "reference/fused_sum.h"
#include "reference/ptx/program.h"

enum { STRIP_ROWS = 16, STRIP_MOST_N = 256, STRIP_MOST_K = 32, STRIP_PANELS = STRIP_MOST_N / ACCUMULATE_LANES };
enum strip_unit { STRIP_WGMMA, STRIP_MMA };

struct strip {
    enum vm_type a, b, d;
    size_t k, room;                      /* elements along K; operands in a row: a multiple of what one sum takes */
    const struct fused_profile *profile; /* NULL: integers, or `exact` */
    bool exact;                          /* by accumulate_tile */
    bool saturate;                       /* integers */
    const char *approximate;             /* NULL, or what vm_approximate is to be told */
};

/* false: no unit multiplies these types. a, b: bf16, f16, tf32, e4m3, e5m2, s8, u8; d: f32, f16, s32. */
bool strip_make(enum strip_unit unit, enum vm_type d, enum vm_type a, enum vm_type b, size_t k, struct strip *out);
/* Lines of k elements (bits in the low bits of a word) into lines of s->room operands. type: s->a or s->b. */
void strip_prepare(const struct strip *s, enum vm_type type, const uint32_t *bits, size_t lines, bool negate,
                   struct accumulate_operand *out);
/* b [n][16] of an `exact` strip, side by side, into (n + 15) / 16 panels: once for all strips that it is multiplied by.
 */
void strip_pack(const struct strip *s, const struct accumulate_operand *b, size_t n, struct accumulate_panel *out);
/* shape: a [16][room], b [n][room], d [16][n] bits of D's type. panel: of strip_pack, read when `exact`, in place of b.
 */
void strip_multiply(const struct strip *s, const struct accumulate_operand *a, const struct accumulate_operand *b,
                    const struct accumulate_panel *panel, size_t n, uint32_t *d);

#endif
