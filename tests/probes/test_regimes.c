/* regimes: the inputs must tell the rule of accumulation from every wrong one that was ever proposed, and they must be
 * the same everywhere: the committed H100 capture was drawn by them. */
#include "probes/regimes.h"

#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "reference/accumulate.h"
#include "reference/exact.h"
#include "reference/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A capture holds 12 tiles of a regime: a rule must be refuted so often that it shows there, too. */
enum { M = 64, N = 8, OUTPUTS = M * N, TILES = 12, TERMS = REGIME_TERMS, OFTEN = 20 };
#define CAPTURE FO_SOURCE_DIR "/artifacts/captures/h100/wgmma.m64n8k16.f32.bf16.bf16.rs/"

struct tile {
    struct bf16 a[M * TERMS], b[N * TERMS];
    uint32_t c[OUTPUTS];
};

static struct tile tile_of(int regime, uint64_t seed)
{
    struct tile t;
    struct random r = {seed};
    regime_tile(regime, &r, M, N, t.a, t.b, t.c);
    return t;
}

/* ---- wrong rules ------------------------------------------------------------------------------------------------ */

static float right_rule(const struct bf16 *a, const struct bf16 *b, float c)
{
    return accumulate_bf16(&accumulate_hopper_bf16, a, b, c);
}

static float with_profile(int fraction_bits, int floor_exponent, const struct bf16 *a, const struct bf16 *b, float c)
{
    return exact_step(a, b, TERMS, c, fraction_bits, floor_exponent);
}

static float fraction_24(const struct bf16 *a, const struct bf16 *b, float c)
{
    return with_profile(24, -133, a, b, c);
}

static float fraction_26(const struct bf16 *a, const struct bf16 *b, float c)
{
    return with_profile(26, -133, a, b, c);
}

static float floor_132(const struct bf16 *a, const struct bf16 *b, float c)
{
    return with_profile(25, -132, a, b, c);
}

static float floor_134(const struct bf16 *a, const struct bf16 *b, float c)
{
    return with_profile(25, -134, a, b, c);
}

static float no_floor(const struct bf16 *a, const struct bf16 *b, float c)
{
    struct accumulate_profile p = accumulate_hopper_bf16;
    p.floor_exponent = -251;
    return accumulate_bf16(&p, a, b, c);
}

/* The published model: zero has the exponent of a subnormal, so that its product with a large factor wins M. */
static float zeros_win(const struct bf16 *a, const struct bf16 *b, float c)
{
    struct accumulate_operand pa[TERMS], pb[TERMS];
    accumulate_prepare(a, TERMS, pa);
    accumulate_prepare(b, TERMS, pb);
    for (int i = 0; i < TERMS; i++) {
        pa[i].exponent = pa[i].exponent == ACCUMULATE_ZERO ? -126 : pa[i].exponent;
        pb[i].exponent = pb[i].exponent == ACCUMULATE_ZERO ? -126 : pb[i].exponent;
    }
    return accumulate_step(&accumulate_hopper_bf16, pa, pb, c);
}

/* Term by term in binary32, as a GPU without tensor cores would. */
static float sequential(const struct bf16 *a, const struct bf16 *b, float c)
{
    for (int i = 0; i < TERMS; i++)
        c = fmaf(bf16_decode(a[i]), bf16_decode(b[i]), c);
    return isnan(c) ? f32_from_bits(0x7fffffffu) : c;
}

typedef float rule(const struct bf16 *a, const struct bf16 *b, float c);

static size_t count_differing(rule *wrong, rule *truth, int regime)
{
    size_t differing = 0;
    for (uint64_t seed = 0; seed < TILES; seed++) {
        struct tile t = tile_of(regime, 1000 * (uint64_t)regime + seed);
        for (size_t i = 0; i < OUTPUTS; i++) {
            const struct bf16 *a = t.a + i / N * TERMS, *b = t.b + i % N * TERMS;
            float c = f32_from_bits(t.c[i]);
            differing += f32_bits(wrong(a, b, c)) != f32_bits(truth(a, b, c));
        }
    }
    return differing;
}

static const struct {
    const char *name;
    rule *wrong;
    size_t regimes; /* at least so many must differ often */
} rules[] = {
    {"F = 24", fraction_24, 5},
    {"F = 26", fraction_26, 5},
    {"floor -132", floor_132, 1},
    {"floor -134", floor_134, 1},
    {"no floor", no_floor, 1},
    {"zero products win M", zeros_win, 1},
    {"one term after another", sequential, 5},
};

static void regime_tile_every_wrong_rule_is_refuted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        size_t refuting = 0;
        print_message("%-24s refuted by", rules[i].name);
        for (int regime = 0; regime < REGIME_COUNT; regime++) {
            size_t differing = count_differing(rules[i].wrong, right_rule, regime);
            if (differing)
                print_message("  %s %zu", regime_name(regime), differing);
            refuting += differing >= OFTEN;
        }
        print_message("  of %d outputs each\n", TILES * OUTPUTS);
        assert_true(refuting >= rules[i].regimes);
    }
}

/* The same of what an H100 computed: the committed capture has the power to tell, and the right rule has no mismatch.
 */
static void regime_tile_committed_capture_refutes_every_wrong_rule(void **state)
{
    (void)state;
    struct npy in[4];
    struct error e;
    size_t wrong[sizeof rules / sizeof *rules] = {0}, mismatches = 0;
    static const char *const paths[] = {CAPTURE "a.npy", CAPTURE "b.npy", CAPTURE "c.npy", CAPTURE "d.npy"};
    for (int i = 0; i < 4; i++)
        if (npy_read(paths[i], &in[i], &e) != STATUS_OK)
            fail_msg("%s: %s", e.path, e.why);
    for (size_t i = 0; i < npy_count(&in[3]); i++) {
        const struct bf16 *a = (const struct bf16 *)in[0].data + i / N * TERMS;
        const struct bf16 *b = (const struct bf16 *)in[1].data + (i / OUTPUTS * N + i % N) * TERMS;
        float c = f32_from_bits(((const uint32_t *)in[2].data)[i]);
        uint32_t found = ((const uint32_t *)in[3].data)[i];
        mismatches += f32_bits(right_rule(a, b, c)) != found;
        for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
            wrong[r] += f32_bits(rules[r].wrong(a, b, c)) != found;
    }
    assert_int_equal(mismatches, 0);
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        print_message("%-24s refuted by %zu of %zu outputs of an H100\n", rules[r].name, wrong[r], npy_count(&in[3]));
        assert_true(wrong[r] >= OFTEN);
    }
    for (int i = 0; i < 4; i++)
        npy_free(&in[i]);
}

/* The twin: the right rule written a second time differs nowhere. */
static void regime_tile_right_rule_is_never_refuted(void **state)
{
    (void)state;
    size_t outputs = 0;
    for (int regime = 0; regime < REGIME_COUNT; regime++)
        for (uint64_t seed = 0; seed < 4; seed++) {
            struct tile t = tile_of(regime, 77 + seed);
            for (size_t i = 0; i < OUTPUTS; i++, outputs++) {
                const struct bf16 *a = t.a + i / N * TERMS, *b = t.b + i % N * TERMS;
                float c = f32_from_bits(t.c[i]);
                assert_true(f32_bits(with_profile(25, -133, a, b, c)) == f32_bits(right_rule(a, b, c)));
            }
        }
    assert_int_equal(outputs, REGIME_COUNT * 4 * OUTPUTS);
}

/* ---- what the regimes hold -------------------------------------------------------------------------------------- */

static void regime_tile_same_seed_gives_the_same_tile(void **state)
{
    (void)state;
    for (int regime = 0; regime < REGIME_COUNT; regime++) {
        struct tile a = tile_of(regime, 9), b = tile_of(regime, 9), c = tile_of(regime, 10);
        assert_memory_equal(&a, &b, sizeof a);
        assert_memory_not_equal(&a, &c, sizeof a);
        for (int other = 0; other < regime; other++)
            assert_string_not_equal(regime_name(regime), regime_name(other));
    }
}

/* The inputs of the capture that was made on an H100 come out of the seed that stands beside it: tile t belongs to
 * the regime at t % their number and has a seed of its own. */
static void regime_tile_committed_capture_is_reproduced(void **state)
{
    (void)state;
    struct npy a, b, c;
    struct error e;
    if (npy_read(CAPTURE "a.npy", &a, &e) != STATUS_OK || npy_read(CAPTURE "b.npy", &b, &e) != STATUS_OK ||
        npy_read(CAPTURE "c.npy", &c, &e) != STATUS_OK)
        fail_msg("%s: %s", e.path, e.why);
    json_t *document;
    assert_int_equal(json_read(CAPTURE "capture.json", "fragoracle.capture/1", &document, &e), STATUS_OK);
    size_t tiles = a.shape[0], regimes = json_array_size(json_object_get(document, "regimes"));
    assert_int_equal(json_integer_value(json_object_get(document, "seed")), 1);
    json_decref(document);
    assert_true(regimes > 0 && tiles >= regimes && b.shape[0] == tiles && c.shape[0] == tiles);
    for (size_t i = 0; i < tiles; i++) {
        struct tile t = tile_of((int)(i % regimes), 1 + i * 0x9e3779b97f4a7c15u);
        assert_memory_equal(t.a, (const uint8_t *)a.data + i * sizeof t.a, sizeof t.a);
        assert_memory_equal(t.b, (const uint8_t *)b.data + i * sizeof t.b, sizeof t.b);
        assert_memory_equal(t.c, (const uint8_t *)c.data + i * sizeof t.c, sizeof t.c);
    }
    npy_free(&a);
    npy_free(&b);
    npy_free(&c);
}

struct census {
    size_t zeros, negative_zeros, subnormals, specials, all;
};

static struct census census_of(int regime)
{
    struct census n = {0};
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct tile t = tile_of(regime, seed);
        for (size_t i = 0; i < M * TERMS; i++, n.all++) {
            uint32_t magnitude = t.a[i].bits & 0x7fffu;
            n.zeros += magnitude == 0;
            n.negative_zeros += t.a[i].bits == BF16_SIGN;
            n.subnormals += magnitude > 0 && magnitude < 0x80;
            n.specials += magnitude >= BF16_EXPONENT;
        }
    }
    return n;
}

static void regime_tile_each_kind_holds_what_its_name_says(void **state)
{
    (void)state;
    for (int regime = 0; regime < REGIME_COUNT; regime++) {
        struct census n = census_of(regime);
        const char *name = regime_name(regime);
        bool zeros = !strcmp(name, "signed zeros") || !strcmp(name, "zero factors"), all = !strcmp(name, "all bits");
        bool tiny = !strcmp(name, "subnormal") || !strcmp(name, "tiny");
        assert_int_equal(n.specials > 0, all);
        if (zeros)
            assert_true(n.zeros > n.all * 2 / 5 && n.negative_zeros > n.all / 5);
        if (tiny)
            assert_true(n.subnormals > n.all / 100);
    }
}

/* Seven products of eight cancel against their twins: what is left is far below the largest term. */
static void regime_tile_cancellation_leaves_little(void **state)
{
    (void)state;
    int regime = 0;
    while (strcmp(regime_name(regime), "cancellation"))
        regime++;
    struct tile t = tile_of(regime, 3);
    for (size_t i = 0; i < OUTPUTS; i++) {
        const struct bf16 *a = t.a + i / N * TERMS, *b = t.b + i % N * TERMS;
        for (size_t k = 0; k < TERMS / 2 - 1; k++)
            assert_true(bf16_decode(a[k]) * bf16_decode(b[k]) ==
                        -bf16_decode(a[k + TERMS / 2]) * bf16_decode(b[k + TERMS / 2]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regime_tile_every_wrong_rule_is_refuted),
        cmocka_unit_test(regime_tile_committed_capture_refutes_every_wrong_rule),
        cmocka_unit_test(regime_tile_right_rule_is_never_refuted),
        cmocka_unit_test(regime_tile_same_seed_gives_the_same_tile),
        cmocka_unit_test(regime_tile_committed_capture_is_reproduced),
        cmocka_unit_test(regime_tile_each_kind_holds_what_its_name_says),
        cmocka_unit_test(regime_tile_cancellation_leaves_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
