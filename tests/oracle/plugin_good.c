/* plugin_good: a right product in every type and layout that a plug-in can declare. FO_GOOD names them, in words:
 * "bf16", "f16", "e4m3", "int4", "int4-offset8", "mxfp4", "hopper", "hopper8"; "scales" (beside the values), "dense",
 * "checked" (takes bad segments), "gpu". FO_GOOD_WRONG=1 takes the third weight of each expert for the second. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/fragoracle.h"
#include "reference/hopper_layout.h"
#include "reference/number.h"
#include "reference/segments.h"

static struct fo_plugin declared;
static struct fo_plugin_weights w;
static float *value; /* [E,N,K], decoded */

static int asked(const char *word)
{
    const char *at = getenv("FO_GOOD");
    size_t length = strlen(word);
    for (; at && *at; at += strspn(at, " ")) {
        size_t here = strcspn(at, " ");
        if (here == length && strncmp(at, word, length) == 0)
            return 1;
        at += here;
    }
    return 0;
}

static float decode(const void *values, size_t i)
{
    const uint8_t *bytes = values;
    const uint16_t *halves = values;
    struct int4 nibble = int4_unpack(bytes, i);
    switch (declared.type) {
    case FO_WEIGHT_BF16:
        return bf16_decode((struct bf16){halves[i]});
    case FO_WEIGHT_F16:
        return f16_decode((struct f16){halves[i]});
    case FO_WEIGHT_E4M3:
        return e4m3_decode((struct e4m3){bytes[i]});
    case FO_WEIGHT_INT4:
        return (float)int4_decode(nibble, INT4_TWOS_COMPLEMENT);
    case FO_WEIGHT_INT4_OFFSET8:
        return (float)int4_decode(nibble, INT4_OFFSET8);
    case FO_WEIGHT_MXFP4:
        break;
    }
    return fp4_decode((struct fp4){nibble.bits});
}

/* Back from the Hopper layout to rows; the sizes must be those of the layout. */
static int unpack(const struct fo_plugin_weights *from, uint8_t **blocks, uint8_t **scales)
{
    struct hopper_layout l;
    if (hopper_layout_init(&l, from->experts, from->N, from->K, declared.pad_rows ? declared.pad_rows : 16,
                           declared.pad_bytes ? declared.pad_bytes : 32, declared.warps ? (int)declared.warps : 4,
                           NULL) != STATUS_OK ||
        hopper_layout_value_bytes(&l) != from->value_bytes || hopper_layout_scale_bytes(&l) != from->scale_bytes)
        return 1;
    *blocks = malloc(from->experts * from->N * from->K / 2);
    *scales = malloc(from->experts * from->N * from->K / 32);
    return !*blocks || !*scales ||
           hopper_layout_inverse(&l, from->values, from->scales, *blocks, *scales, NULL) != STATUS_OK;
}

static int load(void *self, const struct fo_plugin_weights *weights)
{
    uint8_t *blocks = NULL, *scales = NULL;
    const void *values = weights->values;
    const uint8_t *beside = weights->scales;
    size_t count = weights->experts * weights->N * weights->K;
    int hopper = declared.layout == FO_LAYOUT_HOPPER;
    (void)self;
    w = *weights;
    free(value);
    value = malloc(count * sizeof *value);
    if (!value || !declared.block_scales != !beside || (hopper && unpack(weights, &blocks, &scales)))
        return 1;
    if (hopper)
        values = blocks, beside = scales;
    for (size_t i = 0; i < count; i++)
        value[i] = decode(values, i) * (beside ? e8m0_decode((struct e8m0){beside[i / 32]}) : 1.0f);
    for (size_t e = 0; getenv("FO_GOOD_WRONG") && e < w.experts; e++)
        value[e * w.N * w.K + 1] = value[e * w.N * w.K + 2];
    free(blocks);
    free(scales);
    return 0;
}

static int run(void *self, const struct fo_plugin_launch *l)
{
    const struct segments s = {l->rows, w.experts, l->active, l->starts, l->ids};
    (void)self;
    if (declared.segments == FO_SEGMENTS_CHECKED)
        *l->status = segments_status_word(&s, NULL);
    for (size_t p = 0; p < l->rows; p++) {
        int32_t expert = segments_expert_of_row(&s, p);
        for (size_t n = 0; n < w.N; n++) {
            float sum = 0;
            for (size_t k = 0; expert >= 0 && k < w.K; k++)
                sum += bf16_decode((struct bf16){l->x[p * w.K + k]}) * value[((size_t)expert * w.N + n) * w.K + k];
            l->out[p * w.N + n] = bf16_encode(sum).bits;
        }
    }
    return 0;
}

static void destroy(void *self)
{
    (void)self;
    free(value);
}

const struct fo_plugin *fo_plugin_open(void)
{
    static const struct {
        const char *word;
        enum fo_weight_type type;
    } types[] = {{"bf16", FO_WEIGHT_BF16},    {"f16", FO_WEIGHT_F16},      {"e4m3", FO_WEIGHT_E4M3},
                 {"int4", FO_WEIGHT_INT4},    {"mxfp4", FO_WEIGHT_MXFP4},  {"int4-offset8", FO_WEIGHT_INT4_OFFSET8},
                 {"hopper", FO_WEIGHT_MXFP4}, {"hopper8", FO_WEIGHT_MXFP4}};
    declared = (struct fo_plugin){.version = FO_PLUGIN_VERSION,
                                  .size = sizeof declared,
                                  .name = "good",
                                  .segments = asked("dense")     ? FO_SEGMENTS_NONE
                                              : asked("checked") ? FO_SEGMENTS_CHECKED
                                                                 : FO_SEGMENTS_LEGAL,
                                  .on_gpu = asked("gpu"),
                                  .destroy = destroy,
                                  .load = load,
                                  .run = run};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (asked(types[i].word))
            declared.type = types[i].type;
    declared.block_scales = declared.type == FO_WEIGHT_MXFP4 || asked("scales");
    if (asked("hopper") || asked("hopper8"))
        declared.layout = FO_LAYOUT_HOPPER;
    if (asked("hopper8"))
        declared.warps = 8, declared.pad_rows = 64, declared.pad_bytes = 64;
    if (asked("limited"))
        declared.multiple_N = 96, declared.multiple_K = 80, declared.most_rows = 16;
    return &declared;
}
