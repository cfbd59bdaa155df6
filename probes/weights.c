#include "probes/weights.h"

#include "reference/mxfp4.h"

#include <stdlib.h>
#include <string.h>

uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t random_below(struct random *r, uint32_t n)
{
    /* Of the 2^32 values the lowest 2^32 % n are refused, so that every remainder is left equally often. */
    uint32_t refused = (0u - n) % n, x;
    do
        x = (uint32_t)(random_next(r) >> 32);
    while (x < refused);
    return x % n;
}

double random_unit(struct random *r)
{
    return (double)(random_next(r) >> 11) * 0x1p-53;
}

enum { SPREAD_LOWEST = 117, SPREAD_COUNT = 8, ADVERSARIAL_LOWEST = 100, ADVERSARIAL_COUNT = 51 };

/* What the makers below see of a set: `blocks` MXFP4 blocks a row. */
struct shape {
    size_t experts, N, blocks;
};

static void fill_random(struct random *r, const struct shape *s, uint8_t *codes, uint8_t *scales)
{
    size_t count = s->experts * s->N * s->blocks;
    for (size_t i = 0; i < count * MXFP4_BLOCK_BYTES; i += sizeof(uint64_t)) {
        /* Byte by byte, lowest first: the same bytes whatever the machine's byte order. */
        uint64_t x = random_next(r);
        for (size_t j = 0; j < sizeof x; j++)
            codes[i + j] = (uint8_t)(x >> (8 * j));
    }
    for (size_t i = 0; i < count; i++)
        scales[i] = (uint8_t)(SPREAD_LOWEST + random_below(r, SPREAD_COUNT));
}

/* All 16 codes twice, shuffled. */
static void shuffle_block(struct random *r, uint8_t block[MXFP4_BLOCK_BYTES])
{
    uint8_t code[MXFP4_BLOCK];
    for (uint32_t i = 0; i < MXFP4_BLOCK; i++)
        code[i] = (uint8_t)(i % FP4_CODES);
    for (uint32_t i = MXFP4_BLOCK - 1; i > 0; i--) {
        uint32_t j = random_below(r, i + 1);
        uint8_t t = code[i];
        code[i] = code[j];
        code[j] = t;
    }
    for (uint32_t i = 0; i < MXFP4_BLOCK_BYTES; i++)
        block[i] = (uint8_t)(code[2 * i] | code[2 * i + 1] << 4);
}

/* Does an earlier neighbour of block i hold this scale? Neighbours are the places a wrong index lands on: one row or
 * one block away, the row 8 away (the other half of a fragment), and the same place of the expert before. */
static int scale_taken(const struct shape *s, const uint8_t *scales, size_t i)
{
    size_t b = i % s->blocks, n = i / s->blocks % s->N, e = i / s->blocks / s->N;
    return (b >= 1 && scales[i - 1] == scales[i]) || (n >= 1 && scales[i - s->blocks] == scales[i]) ||
           (n >= 8 && scales[i - 8 * s->blocks] == scales[i]) || (e >= 1 && scales[i - s->N * s->blocks] == scales[i]);
}

static void fill_adversarial(struct random *r, const struct shape *s, uint8_t *codes, uint8_t *scales)
{
    size_t count = s->experts * s->N * s->blocks;
    for (size_t i = 0; i < count; i++) {
        shuffle_block(r, codes + i * MXFP4_BLOCK_BYTES);
        do /* at most 4 of 51 scales are taken, so this ends */
            scales[i] = (uint8_t)(ADVERSARIAL_LOWEST + random_below(r, ADVERSARIAL_COUNT));
        while (scale_taken(s, scales, i));
    }
}

/* Six rows of 19 are special. 19 is prime to every tile and to the 8 and 64 rows by which kernels miss, so a row never
 * stands in for the one that should have been read. Kinds 0 to 3 make the row's sum NaN or Inf whatever the order of
 * summation; kinds 4 and 5 stay finite and exact. */
enum special {
    SPECIAL_NAN_SCALE,    /* 255 over codes of one sign, or all zero: read as Inf it is no NaN */
    SPECIAL_OVERFLOW_254, /* codes of one sign, one of them large enough: Inf */
    SPECIAL_OVERFLOW_253, /* the same one scale lower, where only 6 (codes 7) and 4 (code 6) overflow */
    SPECIAL_CANCEL,       /* +Inf and -Inf in one block: NaN */
    SPECIAL_HUGE,         /* the largest products that do not overflow, alone in their block */
    SPECIAL_TINY,         /* the whole row at scale 0, which is 2^-127 and not zero */
    SPECIAL_KINDS,
    SPECIAL_PERIOD = 19
};

/* shape: codes [blocks,16] and scales [blocks] of one row. `at` is the block that is special. */
static void make_row_special(struct random *r, enum special kind, size_t blocks, size_t at, uint8_t *codes,
                             uint8_t *scales)
{
    uint8_t *block = codes + at * MXFP4_BLOCK_BYTES;
    uint8_t sign = (uint8_t)(random_below(r, 2) * FP4_SIGN), where = (uint8_t)random_below(r, MXFP4_BLOCK_BYTES);
    switch (kind) {
    case SPECIAL_NAN_SCALE:
        scales[at] = E8M0_NAN;
        for (size_t j = 0; j < MXFP4_BLOCK_BYTES; j++)
            block[j] = sign ? 0 : (uint8_t)((block[j] & 0x77) | 0x11);
        break;
    case SPECIAL_OVERFLOW_254:
    case SPECIAL_OVERFLOW_253:
        scales[at] = kind == SPECIAL_OVERFLOW_254 ? 254 : 253;
        for (size_t j = 0; j < MXFP4_BLOCK_BYTES; j++)
            block[j] = (uint8_t)((block[j] & 0x77) | sign | sign << 4);
        block[where] = (uint8_t)((block[where] & 0xf0) | sign | (kind == SPECIAL_OVERFLOW_254 ? 4 : 6));
        break;
    case SPECIAL_CANCEL:
        scales[at] = 254;
        memset(block, 0, MXFP4_BLOCK_BYTES);
        block[where] = 7 | (7 | FP4_SIGN) << 4;
        break;
    case SPECIAL_HUGE:
        scales[at] = sign ? 254 : 253; /* 1.5 * 2^127 or 3 * 2^126 */
        memset(block, 0, MXFP4_BLOCK_BYTES);
        block[where] = (uint8_t)(sign ? 3 << 4 : 5 | FP4_SIGN);
        break;
    default:
        memset(scales, 0, blocks);
    }
}

static void fill_special(struct random *r, const struct shape *s, uint8_t *codes, uint8_t *scales)
{
    fill_random(r, s, codes, scales);
    for (size_t e = 0; e < s->experts; e++) {
        for (size_t n = 0; n < s->N; n++) {
            size_t kind = (n + 5 * e) % SPECIAL_PERIOD, row = (e * s->N + n) * s->blocks;
            if (kind < SPECIAL_KINDS)
                make_row_special(r, (enum special)kind, s->blocks, (n + e) % s->blocks, codes + row * MXFP4_BLOCK_BYTES,
                                 scales + row);
        }
    }
}

enum status weights_make(enum weights_kind kind, size_t experts, size_t N, size_t K, uint64_t seed,
                         struct weights_set *out, struct error *e)
{
    if (experts == 0 || N == 0 || K == 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "weights need at least one expert, row and column");
    if (K % MXFP4_BLOCK != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "K = %zu is not a multiple of %d", K, MXFP4_BLOCK);
    struct shape s = {experts, N, K / MXFP4_BLOCK};
    size_t count;
    if (__builtin_mul_overflow(experts, N, &count) || __builtin_mul_overflow(count, s.blocks, &count) ||
        count > SIZE_MAX / MXFP4_BLOCK_BYTES)
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu experts of %zu x %zu do not fit in memory", experts, N, K);

    uint8_t *blocks = malloc(count * MXFP4_BLOCK_BYTES), *scales = malloc(count);
    if (!blocks || !scales) {
        free(blocks);
        free(scales);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu experts of %zu x %zu", experts, N, K);
    }
    struct random r = {seed};
    if (kind == WEIGHTS_ADVERSARIAL)
        fill_adversarial(&r, &s, blocks, scales);
    else if (kind == WEIGHTS_SPECIAL)
        fill_special(&r, &s, blocks, scales);
    else
        fill_random(&r, &s, blocks, scales);
    *out = (struct weights_set){{experts, N, K, blocks, scales}, blocks, scales};
    return STATUS_OK;
}

void weights_free(struct weights_set *w)
{
    free(w->blocks);
    free(w->scales);
    *w = (struct weights_set){0};
}
