#include "reference/mxfp4.h"

#include <assert.h>
#include <math.h>

/* The largest code, 6, has exponent 2: a block scale is chosen so that its largest value lands in that binade. */
enum { FP4_TOP_EXPONENT = 2, E8M0_LARGEST = 254 };

enum status mxfp4_encode_block(const float values[MXFP4_BLOCK], uint8_t codes[MXFP4_BLOCK_BYTES], struct e8m0 *scale,
                               struct error *e)
{
    float amax = 0.0f;
    for (int i = 0; i < MXFP4_BLOCK; i++) {
        if (!isfinite(values[i]))
            return error_set(e, STATUS_BAD_INPUT, "value %d of the block is %s, which MXFP4 cannot hold", i,
                             isnan(values[i]) ? "NaN" : "infinite");
        amax = fmaxf(amax, fabsf(values[i]));
    }

    int s = 0;
    if (amax > 0.0f) {
        s = ilogbf(amax) - FP4_TOP_EXPONENT + E8M0_BIAS;
        s = s < 0 ? 0 : s > E8M0_LARGEST ? E8M0_LARGEST : s;
    }
    for (int j = 0; j < MXFP4_BLOCK_BYTES; j++) {
        /* Inexact only where the quotient is far below the smallest code, and there the sign survives. */
        struct fp4 low = fp4_encode(ldexpf(values[2 * j], E8M0_BIAS - s));
        struct fp4 high = fp4_encode(ldexpf(values[2 * j + 1], E8M0_BIAS - s));
        codes[j] = (uint8_t)(low.bits | high.bits << 4);
    }
    scale->bits = (uint8_t)s;
    return STATUS_OK;
}

struct bf16 mxfp4_decode(struct fp4 code, struct e8m0 scale)
{
    /* The float product is exact: two significant bits, and 2^-128 is a multiple of the smallest subnormal. */
    return bf16_encode(fp4_decode(code) * e8m0_decode(scale));
}

void mxfp4_decode_block(const uint8_t codes[MXFP4_BLOCK_BYTES], struct e8m0 scale, struct bf16 out[MXFP4_BLOCK])
{
    struct bf16 value[FP4_CODES];
    for (unsigned code = 0; code < FP4_CODES; code++)
        value[code] = mxfp4_decode((struct fp4){(uint8_t)code}, scale);
    for (int j = 0; j < MXFP4_BLOCK_BYTES; j++) {
        out[2 * j] = value[codes[j] & 0xf];
        out[2 * j + 1] = value[codes[j] >> 4];
    }
}

void mxfp4_decode_matrix(const uint8_t *blocks, const uint8_t *scales, size_t rows, size_t K, struct bf16 *out)
{
    assert(K % MXFP4_BLOCK == 0);
    size_t count = rows * (K / MXFP4_BLOCK);
    for (size_t i = 0; i < count; i++)
        mxfp4_decode_block(blocks + i * MXFP4_BLOCK_BYTES, (struct e8m0){scales[i]}, out + i * MXFP4_BLOCK);
}
