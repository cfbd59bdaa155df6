/* plugin_weights: every code and scale in every type, held against what the type can say; layouts against those of
 * reference/. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/exec/plugin_weights.h"
#include "probes/weights.h"
#include "reference/mxfp4.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"

static const enum fo_weight_type types[] = {FO_WEIGHT_BF16, FO_WEIGHT_F16,          FO_WEIGHT_E4M3,
                                            FO_WEIGHT_INT4, FO_WEIGHT_INT4_OFFSET8, FO_WEIGHT_MXFP4};
enum { TYPES = sizeof types / sizeof *types };

static float decode(enum fo_weight_type type, uint32_t bits)
{
    switch (type) {
    case FO_WEIGHT_BF16:
        return bf16_decode((struct bf16){(uint16_t)bits});
    case FO_WEIGHT_F16:
        return f16_decode((struct f16){(uint16_t)bits});
    case FO_WEIGHT_E4M3:
        return e4m3_decode((struct e4m3){(uint8_t)bits});
    case FO_WEIGHT_INT4:
        return (float)int4_decode((struct int4){(uint8_t)bits}, INT4_TWOS_COMPLEMENT);
    case FO_WEIGHT_INT4_OFFSET8:
        return (float)int4_decode((struct int4){(uint8_t)bits}, INT4_OFFSET8);
    case FO_WEIGHT_MXFP4:
        break;
    }
    return fp4_decode((struct fp4){(uint8_t)bits});
}

/* Has the type this value? From its range and its smallest step; values here have two significant bits at most. */
static bool sayable(enum fo_weight_type type, float v)
{
    float size = fabsf(v);
    switch (type) {
    case FO_WEIGHT_F16:
        return !isfinite(v) || size == 0 || (size <= 65504.0f && size / 0x1p-24f == floorf(size / 0x1p-24f));
    case FO_WEIGHT_E4M3:
        return isnan(v) || size == 0 || (size <= 448.0f && size / 0x1p-9f == floorf(size / 0x1p-9f));
    case FO_WEIGHT_INT4:
    case FO_WEIGHT_INT4_OFFSET8:
        return v == floorf(v) && v >= -8.0f && v <= 7.0f;
    default:
        return true;
    }
}

static void encode_of_every_code_and_scale_is_the_value_or_is_refused(void **state)
{
    size_t said = 0, refused = 0;
    (void)state;
    for (size_t t = 0; t < TYPES; t++)
        for (unsigned beside = 0; beside < 2; beside++)
            for (unsigned code = 0; code < 16; code++)
                for (unsigned scale = 0; scale < 256; scale++) {
                    struct plugin_format f = {.type = types[t], .block_scales = beside};
                    struct error e;
                    assert_int_equal(plugin_format_complete(&f, &e), STATUS_OK);
                    struct e8m0 s = {(uint8_t)(f.block_scales ? E8M0_BIAS : scale)};
                    float value = bf16_decode(mxfp4_decode((struct fp4){(uint8_t)code}, s));
                    uint32_t bits = 0xdead;
                    bool has =
                        plugin_weight_encode(&f, (struct fp4){(uint8_t)code}, (struct e8m0){(uint8_t)scale}, &bits);
                    assert_int_equal(has, sayable(f.type, value));
                    *(has ? &said : &refused) += 1;
                    if (!has)
                        continue;
                    float back = decode(f.type, bits);
                    bool integer = f.type == FO_WEIGHT_INT4 || f.type == FO_WEIGHT_INT4_OFFSET8;
                    if (isnan(value) ? !isnan(back) : back != value || (!integer && signbit(back) != signbit(value)))
                        fail_msg("type %zu, code %u, scale %u: %g became %g", t, code, scale, value, back);
                }
    assert_true(said > 0 && refused > 0);
    assert_int_equal(said + refused, 2u * TYPES * 4096u);
}

static void limits_name_the_codes_that_integers_lack(void **state)
{
    (void)state;
    for (size_t t = 0; t < TYPES; t++)
        for (int beside = 0; beside < 2; beside++) {
            struct plugin_format f = {.type = types[t], .block_scales = beside};
            struct executor_limits l = {.multiple_N = 5};
            struct error e;
            assert_int_equal(plugin_format_complete(&f, &e), STATUS_OK);
            plugin_format_limits(&f, &l);
            bool integer = f.type == FO_WEIGHT_INT4 || f.type == FO_WEIGHT_INT4_OFFSET8;
            assert_int_equal(l.no_codes, integer ? 1 << 1 | 1 << 3 | 1 << 9 | 1 << 11 : 0);
            assert_int_equal(l.no_scales, !beside && f.type != FO_WEIGHT_BF16 && f.type != FO_WEIGHT_MXFP4);
            assert_int_equal(l.multiple_N, 5);
        }
}

/* Weights of 3 experts, 20 rows, 64 columns that the format can say; freed with weights_free. */
static void make_weights(const struct plugin_format *f, struct weights_set *set)
{
    struct error e;
    struct executor_limits l = {0};
    assert_int_equal(weights_make(WEIGHTS_RANDOM, 3, 20, 64, 9, set, &e), STATUS_OK);
    plugin_format_limits(f, &l);
    if (l.no_scales)
        memset(set->scales, E8M0_BIAS, 3 * 20 * 2);
    if (l.no_codes)
        for (size_t i = 0; i < 3 * 20 * 32; i++)
            set->blocks[i] &= 0xee;
    if (l.no_codes)
        for (size_t i = 0; i < 3 * 20 * 32; i++)
            assert_false(l.no_codes >> (set->blocks[i] & 15) & 1);
}

static void convert_of_rows_places_every_value(void **state)
{
    size_t compared = 0;
    (void)state;
    for (size_t t = 0; t < TYPES; t++) {
        struct plugin_format f = {.type = types[t]};
        struct weights_set set;
        size_t values, scales;
        struct error e;
        assert_int_equal(plugin_format_complete(&f, &e), STATUS_OK);
        make_weights(&f, &set);
        assert_int_equal(plugin_weights_size(&f, &set.w, &values, &scales, &e), STATUS_OK);
        static const size_t bits[TYPES] = {16, 16, 8, 4, 4, 4};
        assert_int_equal(values, 3 * 20 * 64 * bits[t] / 8);
        assert_int_equal(scales, f.type == FO_WEIGHT_MXFP4 ? 3 * 20 * 2 : 0);
        uint8_t *v = malloc(values), *s = malloc(scales + 1);
        assert_true(v && s);
        memset(v, 0xff, values);
        assert_int_equal(plugin_weights_convert(&f, &set.w, v, s, &e), STATUS_OK);
        for (size_t i = 0; i < 3 * 20 * 64; i++, compared++) {
            struct fp4 code = {(uint8_t)(set.blocks[i / 2] >> (i % 2 ? 4 : 0) & 15)};
            uint16_t half;
            memcpy(&half, bits[t] == 16 ? v + 2 * i : v, sizeof half);
            uint32_t got = bits[t] == 16 ? half : bits[t] == 8 ? v[i] : int4_unpack(v, i).bits;
            float want = f.type == FO_WEIGHT_MXFP4 ? fp4_decode(code)
                                                   : bf16_decode(mxfp4_decode(code, (struct e8m0){set.scales[i / 32]}));
            assert_true(decode(f.type, got) == want);
        }
        if (scales)
            assert_memory_equal(s, set.scales, scales);
        free(v);
        free(s);
        weights_free(&set);
    }
    assert_int_equal(compared, TYPES * 3 * 20 * 64);
}

static void convert_of_scales_beside_keeps_them(void **state)
{
    (void)state;
    struct plugin_format f = {.type = FO_WEIGHT_E4M3, .block_scales = true};
    struct weights_set set;
    size_t values, scales;
    struct error e;
    uint8_t v[3 * 20 * 64], s[3 * 20 * 2];
    assert_int_equal(weights_make(WEIGHTS_SPECIAL, 3, 20, 64, 9, &set, &e), STATUS_OK);
    assert_int_equal(plugin_weights_size(&f, &set.w, &values, &scales, &e), STATUS_OK);
    assert_int_equal(values, sizeof v);
    assert_int_equal(scales, sizeof s);
    assert_int_equal(plugin_weights_convert(&f, &set.w, v, s, &e), STATUS_OK);
    assert_memory_equal(s, set.scales, sizeof s);
    assert_true(decode(FO_WEIGHT_E4M3, v[77]) == fp4_decode((struct fp4){(uint8_t)(set.blocks[38] >> 4)}));
    weights_free(&set);
}

static void convert_to_the_hopper_layout_comes_back(void **state)
{
    static const struct plugin_format formats[] = {
        {.type = FO_WEIGHT_MXFP4, .layout = FO_LAYOUT_HOPPER},
        {.type = FO_WEIGHT_MXFP4, .layout = FO_LAYOUT_HOPPER, .pad_rows = 64, .pad_bytes = 64, .warps = 8}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct plugin_format f = formats[i];
        struct weights_set set;
        struct hopper_layout l;
        struct error e;
        size_t values, scales;
        assert_int_equal(plugin_format_complete(&f, &e), STATUS_OK);
        make_weights(&f, &set);
        assert_int_equal(hopper_layout_init(&l, 3, 20, 64, i ? 64 : 16, i ? 64 : 32, i ? 8 : 4, &e), STATUS_OK);
        assert_int_equal(plugin_weights_size(&f, &set.w, &values, &scales, &e), STATUS_OK);
        assert_int_equal(values, hopper_layout_value_bytes(&l));
        assert_int_equal(scales, hopper_layout_scale_bytes(&l));
        uint8_t *v = malloc(values), *s = malloc(scales), blocks[3 * 20 * 32], back[3 * 20 * 2];
        assert_true(v && s);
        assert_int_equal(plugin_weights_convert(&f, &set.w, v, s, &e), STATUS_OK);
        assert_int_equal(hopper_layout_inverse(&l, v, s, blocks, back, &e), STATUS_OK);
        assert_memory_equal(blocks, set.blocks, sizeof blocks);
        assert_memory_equal(back, set.scales, sizeof back);
        free(v);
        free(s);
        weights_free(&set);
    }
}

static void convert_of_a_value_that_the_type_lacks_is_not_applicable(void **state)
{
    (void)state;
    struct plugin_format f = {.type = FO_WEIGHT_INT4};
    uint8_t blocks[2 * 16] = {0}, scales[2] = {127, 128}, v[32];
    struct weights w = {1, 2, 32, blocks, scales};
    struct error e;
    blocks[16 + 3] = 0x34; /* k 6: 2 * 2, k 7: 1.5 * 2 */
    assert_int_equal(plugin_weights_convert(&f, &w, v, NULL, &e), STATUS_OK);
    assert_int_equal(v[16 + 3], 0x34);
    blocks[5] = 0x90; /* k 11: -0.5 */
    assert_int_equal(plugin_weights_convert(&f, &w, v, NULL, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1,
                 "not applicable: int4 cannot hold -0.5 (code 9, scale 127) of expert 0, row 0, k 11");
}

static void format_complete_refuses_what_is_not_offered(void **state)
{
    static const struct {
        struct plugin_format f;
        const char *why;
    } cases[] = {
        {{.type = (enum fo_weight_type)6}, "weight type 6: legal are 0 to 5"},
        {{.layout = (enum fo_weight_layout)2}, "weight layout 2"},
        {{.type = FO_WEIGHT_F16, .layout = FO_LAYOUT_HOPPER}, "Hopper layout is one of mxfp4 weights, not of f16"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plugin_format f = cases[i].f;
        struct error e;
        assert_int_equal(plugin_format_complete(&f, &e), STATUS_BAD_INPUT);
        expect_error(&e, STATUS_BAD_INPUT, "", "", -1, cases[i].why);
    }
}

static void size_refuses_what_no_memory_holds(void **state)
{
    (void)state;
    struct plugin_format f = {.type = FO_WEIGHT_BF16}, hopper = {FO_WEIGHT_MXFP4, FO_LAYOUT_HOPPER, true, 16, 32, 4};
    struct weights odd = {1, 1, 33, NULL, NULL}, huge = {SIZE_MAX / 8, 32, 32, NULL, NULL};
    size_t values = 1, scales = 2;
    struct error e;
    assert_int_equal(plugin_weights_size(&f, &odd, &values, &scales, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(plugin_weights_size(&f, &huge, &values, &scales, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(plugin_weights_size(&hopper, &huge, &values, &scales, &e), STATUS_BAD_ARGUMENT);
    assert_true(values == 1 && scales == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode_of_every_code_and_scale_is_the_value_or_is_refused),
        cmocka_unit_test(limits_name_the_codes_that_integers_lack),
        cmocka_unit_test(convert_of_rows_places_every_value),
        cmocka_unit_test(convert_of_scales_beside_keeps_them),
        cmocka_unit_test(convert_to_the_hopper_layout_comes_back),
        cmocka_unit_test(convert_of_a_value_that_the_type_lacks_is_not_applicable),
        cmocka_unit_test(format_complete_refuses_what_is_not_offered),
        cmocka_unit_test(size_refuses_what_no_memory_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
