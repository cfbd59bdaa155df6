#include "oracle/derive/convert.h"

#include <string.h>

/* One way from a code to a type of A. The bits keep their order; the top bit goes to `sign`, the others to `low` and
 * up.
 *
 *     e2m1     bf16  s...... emm ......   the bf16 pattern of the value times 2^-126; 0.5 is a bf16 subnormal
 *     e4m3     bf16  s.... eeee mmm ....  times 2^-120; NaN is a pattern of its own
 *     int4     bf16  0x4300 | u           128 + u, less 136; two's complement is u = code ^ 8
 *     int4     s8    u, less 8 without a carry into the next byte */
struct way {
    const char *code, *a;
    uint32_t bits, low, sign;
    const char *finish;
    bool multiplies, adds, scalable;
};

static const struct way ways[] = {
    {"e2m1", "bf16", 4, 6, 15, "    y = fo_mul2(y, 0x7e807e80u); /* 2^126 */\n", true, false, true},
    {"e4m3", "bf16", 8, 4, 15,
     "    uint32_t low = (y & 0x7fffu) == 0x07f0u ? 0x7fffu : 0, high = (y & 0x7fff0000u) == 0x07f00000u ? 0x7fff0000u "
     ": 0;\n"
     "    y = fo_mul2(y, 0x7b807b80u); /* 2^120 */\n"
     "    y = (low ? low : y & 0xffffu) | (high ? high : y & 0xffff0000u);\n",
     true, false, false},
    {"int4", "bf16", 4, 0, 3, "    y = fo_add2((y ^ 0x00080008u) | 0x43004300u, 0xc308c308u); /* 128 + u - 136 */\n",
     false, true, true},
    {"int4-offset8", "bf16", 4, 0, 3, "    y = fo_add2(y | 0x43004300u, 0xc308c308u); /* 128 + u - 136 */\n", false,
     true, true},
    {"int4", "s8", 4, 0, 3, "    y = (((y ^ 0x08080808u) | 0x80808080u) - 0x08080808u) ^ 0x80808080u;\n", false, false,
     false},
    {"int4-offset8", "s8", 4, 0, 3, "    y = ((y | 0x80808080u) - 0x08080808u) ^ 0x80808080u;\n", false, false, false},
    {"bf16", "bf16", 16, 0, 15, "", false, false, false},
    {"f16", "f16", 16, 0, 15, "", false, false, false},
    {"tf32", "tf32", 32, 0, 31, "", false, false, false},
    {"e4m3", "e4m3", 8, 0, 7, "", false, false, false},
    {"e5m2", "e5m2", 8, 0, 7, "", false, false, false},
    {"s8", "s8", 8, 0, 7, "", false, false, false},
    {"u8", "u8", 8, 0, 7, "", false, false, false},
};
enum { WAYS = sizeof ways / sizeof *ways, HALF = 16 };

static const struct way *find(const char *code, const char *a)
{
    for (size_t i = 0; i < WAYS; i++)
        if (strcmp(ways[i].code, code) == 0 && strcmp(ways[i].a, a) == 0)
            return &ways[i];
    return NULL;
}

/* Bits of a code by its name; 0 for a name that is none. */
static uint32_t bits_of(const char *code)
{
    for (size_t i = 0; i < WAYS; i++)
        if (strcmp(ways[i].code, code) == 0)
            return ways[i].bits;
    return 0;
}

enum status convert_find(const char *code, uint32_t bits, bool scaled, const char *a, uint32_t a_bits,
                         struct conversion *out, struct error *e)
{
    if (bits_of(code) == 0)
        return error_set(e, STATUS_BAD_INPUT,
                         "'%.24s' is no code; write e2m1, int4, int4-offset8, e4m3, e5m2, s8, u8, bf16, f16 or tf32",
                         code);
    if (bits_of(code) != bits)
        return error_set(e, STATUS_BAD_INPUT, "%s has %u bits, not %u", code, bits_of(code), bits);
    const struct way *w = find(code, a);
    /* Every bf16 is a tf32 with a lower half of zeros. */
    bool upper = !w && strcmp(a, "tf32") == 0;
    if (upper)
        w = find(code, "bf16");
    if (!w)
        return error_set(e, STATUS_UNSUPPORTED, "no exact conversion of %s to the %s that the operation reads", code,
                         a);
    if (scaled && !w->scalable)
        return error_set(e, STATUS_UNSUPPORTED, "%s with scales does not fit the %s that the operation reads", code, a);
    struct conversion c = {.part_bits = a_bits,
                           .bits = bits,
                           .finish = w->finish,
                           .multiplies = w->multiplies || scaled,
                           .adds = w->adds,
                           .scaled = scaled,
                           .upper = upper};
    for (uint32_t b = 0; b < bits; b++)
        c.to[b] = (uint8_t)((b + 1 < bits ? w->low + b : w->sign) + (upper ? HALF : 0));
    *out = c;
    return STATUS_OK;
}
