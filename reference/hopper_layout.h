/* hopper_layout: MXFP4 weights of several experts, as a checkpoint stores them and as the Hopper kernels read them.
 *
 * `struct weights` is the checkpoint form that every part of the project passes around. The packed form composes
 * value_swizzle then pack_bits for the values, and scale_swizzle for the scales, expert by expert. */
#ifndef FO_REFERENCE_HOPPER_LAYOUT_H
#define FO_REFERENCE_HOPPER_LAYOUT_H

#include "reference/scale_swizzle.h"
#include "reference/value_swizzle.h"

/* Checkpoint layout, borrowed pointers. blocks u8 [experts, N, K/32, 16], scales u8 [experts, N, K/32]. */
struct weights {
    size_t experts, N, K;
    const uint8_t *blocks;
    const uint8_t *scales;
};

/* The two layouts of one expert; all experts are alike and follow each other without a gap. */
struct hopper_layout {
    size_t experts;
    struct value_swizzle values;
    struct scale_swizzle scales;
};

/* pad_rows, pad_bytes: padding of the values; warps: 4 or 8 for the scales. The production kernel reads (16, 32, 4).
 * errors: STATUS_BAD_ARGUMENT when K % 32 != 0, plus those of value_swizzle_init and scale_swizzle_init. */
enum status hopper_layout_init(struct hopper_layout *l, size_t experts, size_t N, size_t K, size_t pad_rows,
                               size_t pad_bytes, int warps, struct error *e);
size_t hopper_layout_value_bytes(const struct hopper_layout *l); /* all experts */
size_t hopper_layout_scale_bytes(const struct hopper_layout *l);
/* values, scales: caller-allocated, of the two sizes above. */
void hopper_layout_forward(const struct hopper_layout *l, const struct weights *w, uint8_t *values, uint8_t *scales);
/* blocks [experts,N,K/32,16], scales_out [experts,N,K/32]: caller-allocated. The packed arrays are not modified. */
enum status hopper_layout_inverse(const struct hopper_layout *l, const uint8_t *values, const uint8_t *scales,
                                  uint8_t *blocks, uint8_t *scales_out, struct error *e);

#endif
