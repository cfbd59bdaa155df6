/* mxfp4: 32 E2M1 values that share one E8M0 scale.
 *
 * A block is 16 bytes; byte j holds element 2j in its low nibble and element 2j+1 in its high nibble (adjacent
 * pairing, as gpt-oss checkpoints store it; GGUF pairs j with j+16, which is another layout).
 * source: OCP MX v1.0 section 5.2; gpt-oss checkpoints. */
#ifndef FO_REFERENCE_MXFP4_H
#define FO_REFERENCE_MXFP4_H

#include "reference/number.h"
#include "reference/status.h"

enum { MXFP4_BLOCK = 32, MXFP4_BLOCK_BYTES = 16 };

/* Encode 32 finite values. Scale = clamp(floor(log2 amax) - 2 + 127, 0, 254), 0 when every value is zero; each value
 * is then rounded to the nearest code, saturating at 6.
 * errors: STATUS_BAD_INPUT for a NaN or an infinity (names the index). inverse: mxfp4_decode_block (exact when the
 * values are representable). */
enum status mxfp4_encode_block(const float values[MXFP4_BLOCK], uint8_t codes[MXFP4_BLOCK_BYTES], struct e8m0 *scale,
                               struct error *e);

/* One value as the bf16 that the tensor core is fed. Exact except: scale 255 gives BF16_NAN for every code, zero
 * included; products beyond bf16 give +-Inf (scale 253 with codes 6, 7; 254 with codes 4..7). -0 stays -0. */
struct bf16 mxfp4_decode(struct fp4 code, struct e8m0 scale);

/* shape: 16 bytes and one scale -> 32 values. */
void mxfp4_decode_block(const uint8_t codes[MXFP4_BLOCK_BYTES], struct e8m0 scale, struct bf16 out[MXFP4_BLOCK]);

/* shape: blocks u8 [rows, K/32, 16], scales u8 [rows, K/32] -> out [rows, K]. needs: K % 32 == 0. */
void mxfp4_decode_matrix(const uint8_t *blocks, const uint8_t *scales, size_t rows, size_t K, struct bf16 *out);

#endif
