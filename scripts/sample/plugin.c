/* plugin: a kernel of yours as a subject of fragoracle, in 40 lines. Copy it, and put your launch where `run` is.
 *
 *     cc -O2 -shared -fPIC -I. -o plugin.so scripts/sample/plugin.c
 *     fragoracle probe identity --subject plugin:./plugin.so
 */
#include "oracle/fragoracle.h"

#include <string.h>

static struct fo_plugin_weights w; /* bf16 [E,N,K]: they stay where they are until the next load */

static float widen(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    return memcpy(&value, &wide, sizeof value), value;
}

static uint16_t narrow(float value) /* to nearest, ties to even; NaN stays NaN */
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return value != value ? 0x7fff : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static int load(void *self, const struct fo_plugin_weights *weights)
{
    (void)self;
    w = *weights;
    return 0;
}

static int run(void *self, const struct fo_plugin_launch *l)
{
    (void)self;
    memset(l->out, 0, l->rows * w.N * sizeof *l->out); /* rows that no segment covers */
    for (uint64_t a = 0; a < l->active; a++)
        for (uint64_t p = l->starts[a]; p < l->starts[a + 1]; p++)
            for (uint64_t n = 0; n < w.N; n++) {
                const uint16_t *x = l->x + p * w.K, *row = (const uint16_t *)w.values + (l->ids[a] * w.N + n) * w.K;
                float sum = 0;
                for (uint64_t k = 0; k < w.K; k++)
                    sum += widen(x[k]) * widen(row[k]);
                l->out[p * w.N + n] = narrow(sum);
            }
    return 0;
}

const struct fo_plugin *fo_plugin_open(void)
{
    static const struct fo_plugin plugin = {.version = FO_PLUGIN_VERSION,
                                            .size = sizeof plugin,
                                            .name = "bf16 loops",
                                            .type = FO_WEIGHT_BF16,
                                            .segments = FO_SEGMENTS_LEGAL,
                                            .load = load,
                                            .run = run};
    return &plugin;
}
