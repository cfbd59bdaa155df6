#include "oracle/answer/adapt.h"

#include <stdio.h>
#include <string.h>

#include "reference/mxfp4.h"
#include "reference/size.h"

static void note_add(char note[ADAPT_NOTE], const char *what)
{
    size_t used = strlen(note);
    snprintf(note + used, ADAPT_NOTE - used, "%s%s", used ? "; " : "not applicable: ", what);
}

/* Magnitudes grow with the code, so the next larger value is the next code; 6 is in every type. */
static uint8_t next_code(uint16_t no_codes, uint8_t code)
{
    while (no_codes >> code & 1u && (code & FP4_MAGNITUDE) < FP4_MAGNITUDE)
        code++;
    return code;
}

static void replace_codes(uint16_t no_codes, uint8_t *blocks, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        blocks[i] =
            (uint8_t)(next_code(no_codes, blocks[i] & 0xf) | next_code(no_codes, (uint8_t)(blocks[i] >> 4)) << 4);
}

void adapt_weights(const struct executor_limits *limits, struct weights *w, uint8_t *blocks, uint8_t *scales,
                   char note[ADAPT_NOTE])
{
    note[0] = '\0';
    if (limits->no_segments && w->experts > 1) {
        w->experts = 1;
        note_add(note, "experts and segments (a dense product)");
    }
    size_t count = w->experts * w->N * w->K;
    if (limits->no_scales) {
        memset(scales, E8M0_BIAS, count / MXFP4_BLOCK);
        note_add(note, "block scales (all are 1)");
    }
    if (limits->no_codes) {
        replace_codes(limits->no_codes, blocks, count / 2);
        note_add(note, "values that its type has not (the next larger one instead)");
    }
}

static bool fit(uint64_t multiple, uint64_t *x)
{
    size_t fitted;
    if (!size_round_up(*x, multiple ? multiple : 1, &fitted) || fitted > INT32_MAX)
        return false;
    *x = fitted;
    return true;
}

/* The least common multiple of a power of two and m. */
static uint64_t common(uint64_t power, uint64_t m)
{
    for (; m && power > 1 && m % 2 == 0; m /= 2)
        power /= 2;
    return power;
}

bool adapt_shape(const struct executor_limits *limits, uint64_t *P, uint64_t *N, uint64_t *K)
{
    uint64_t k = limits->multiple_K ? limits->multiple_K : 1;
    if (limits->most_P && *P > limits->most_P)
        *P = limits->most_P;
    if (limits->only_P)
        *P = limits->only_P;
    if (limits->only_N)
        *N = limits->only_N;
    if (limits->only_K) {
        *K = limits->only_K;
        return *K % MXFP4_BLOCK == 0;
    }
    return fit(limits->multiple_N, N) && fit(common(MXFP4_BLOCK, k) * k, K);
}
