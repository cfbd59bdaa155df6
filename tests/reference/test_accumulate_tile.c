/* Every usable path of accumulate_tile against accumulate_step, which test_accumulate.c holds against exact.h, and on a
 * part against exact_step itself. FO_TEST_OUTPUTS=N in the environment compares about N outputs of each path in the
 * random test instead of a few million. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probes/regimes.h"
#include "reference/accumulate_paths.h"
#include "reference/exact.h"
#include "reference/number.h"
#include "tests/support/splitmix.h"

enum { T = ACCUMULATE_TERMS, ROWS = 16, COLUMNS = 48, PANELS = COLUMNS / ACCUMULATE_LANES };

/* A tile from bit patterns to what accumulate_tile takes. */
struct tile {
    struct bf16 a[ROWS * T], b[COLUMNS * T];
    struct accumulate_operand pa[ROWS * T], pb[COLUMNS * T];
    struct accumulate_line line[ROWS];
    struct accumulate_panel panel[PANELS];
    uint32_t c[ROWS * COLUMNS], want[ROWS * COLUMNS];
};

static void pack(struct tile *t)
{
    accumulate_prepare(t->a, ROWS * T, t->pa);
    accumulate_prepare(t->b, COLUMNS * T, t->pb);
    for (size_t i = 0; i < ROWS; i++)
        accumulate_pack_line(t->pa + i * T, &t->line[i]);
    accumulate_pack_panels(t->pb, T, COLUMNS, t->panel);
}

static void want(struct tile *t, const struct accumulate_profile *p)
{
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        t->want[i] =
            f32_bits(accumulate_step(p, t->pa + i / COLUMNS * T, t->pb + i % COLUMNS * T, f32_from_bits(t->c[i])));
}

/* Every path gives what t->want says. returns how many outputs that were. */
static size_t compare(const struct tile *t, const struct accumulate_profile *p, const char *where)
{
    size_t compared = 0;
    for (int path = 0; path < ACCUMULATE_PATHS; path++) {
        uint32_t bits[ROWS * COLUMNS];
        float d[ROWS * COLUMNS];
        if (!accumulate_paths[path]->usable())
            continue;
        memcpy(d, t->c, sizeof d);
        accumulate_paths[path]->tile(p, t->line, NULL, ROWS, t->panel, COLUMNS, d, COLUMNS);
        memcpy(bits, d, sizeof bits);
        for (size_t i = 0; i < ROWS * COLUMNS; i++, compared++)
            if (bits[i] != t->want[i]) {
                printf("%s, %s: row %zu, column %zu: got %08x, want %08x for c %08x and (a b as bf16 bits)\n", where,
                       accumulate_paths[path]->name, i / COLUMNS, i % COLUMNS, bits[i], t->want[i], t->c[i]);
                for (size_t k = 0; k < T; k++)
                    printf("    %04x %04x\n", t->a[i / COLUMNS * T + k].bits, t->b[i % COLUMNS * T + k].bits);
                fail_msg("%s; repeat with FO_TEST_SEED=%llu", where, (unsigned long long)splitmix_seed());
            }
    }
    return compared;
}

static void accumulate_tile_random_tiles_of_every_regime_match_accumulate_step(void **state)
{
    (void)state;
    static struct tile t;
    const char *text = getenv("FO_TEST_OUTPUTS");
    const size_t outputs = text ? strtoull(text, NULL, 0) : 3000000;
    const size_t tiles = outputs / (REGIME_COUNT * ROWS * COLUMNS) + 1;
    size_t compared = 0;
    for (int regime = 0; regime < REGIME_COUNT; regime++) {
        struct random r = {splitmix_seed() + (uint64_t)regime};
        for (size_t i = 0; i < tiles; i++) {
            regime_tile(regime, &r, ROWS, COLUMNS, t.a, t.b, t.c);
            pack(&t);
            want(&t, &accumulate_hopper_bf16);
            compared += compare(&t, &accumulate_hopper_bf16, regime_name(regime));
        }
    }
    print_message("%zu outputs, over all usable paths\n", compared);
    assert_true(compared >= outputs);
}

static void accumulate_tile_random_tiles_of_every_regime_match_exact_step(void **state)
{
    (void)state;
    static struct tile t;
    size_t compared = 0;
    for (int regime = 0; regime < REGIME_COUNT; regime++) {
        struct random r = {splitmix_seed() + 100 + (uint64_t)regime};
        for (size_t i = 0; i < 20; i++) {
            regime_tile(regime, &r, ROWS, COLUMNS, t.a, t.b, t.c);
            pack(&t);
            for (size_t at = 0; at < ROWS * COLUMNS; at++)
                t.want[at] =
                    f32_bits(exact_step(t.a + at / COLUMNS * T, t.b + at % COLUMNS * T, T, f32_from_bits(t.c[at]),
                                        accumulate_hopper_bf16.fraction_bits, accumulate_hopper_bf16.floor_exponent));
            compared += compare(&t, &accumulate_hopper_bf16, regime_name(regime));
        }
    }
    assert_true(compared >= REGIME_COUNT * 20 * ROWS * COLUMNS);
}

/* The other profiles that accumulate_step takes. */
static void accumulate_tile_other_profiles_match_accumulate_step(void **state)
{
    (void)state;
    static struct tile t;
    size_t compared = 0;
    for (int fraction_bits = 23; fraction_bits <= 25; fraction_bits++)
        for (int floor_exponent = -251; floor_exponent <= -100; floor_exponent += 118)
            for (int regime = 0; regime < REGIME_COUNT; regime++) {
                const struct accumulate_profile p = {"other", T, fraction_bits, floor_exponent};
                struct random r = {splitmix_seed() + (uint64_t)regime};
                for (int i = 0; i < 20; i++) {
                    regime_tile(regime, &r, ROWS, COLUMNS, t.a, t.b, t.c);
                    pack(&t);
                    want(&t, &p);
                    compared += compare(&t, &p, regime_name(regime));
                }
            }
    assert_true(compared > 0);
}

/* Values at which a rule changes: zeros, ends of subnormal and normal, neighbours of one, special. */
static const uint16_t corner[] = {0x0000, 0x0001, 0x0002, 0x0040, 0x007f, 0x0080, 0x0081, 0x00ff, 0x0100, 0x2000,
                                  0x3300, 0x3380, 0x3f00, 0x3f7f, 0x3f80, 0x3f81, 0x3fc0, 0x3fff, 0x4000, 0x4b80,
                                  0x5f80, 0x7e80, 0x7f00, 0x7f7f, 0x7f80, 0x7f81, 0x7fc0, 0x7fff};
enum { CORNERS = sizeof corner / sizeof *corner };
static const uint32_t corner_c[] = {0x00000000, 0x00000001, 0x00000002, 0x00400000, 0x007fffff, 0x00800000, 0x00800001,
                                    0x00ffffff, 0x01000000, 0x32800000, 0x32ffffff, 0x33000000, 0x33800000, 0x3effffff,
                                    0x3f7fffff, 0x3f800000, 0x3f800001, 0x3fffffff, 0x40000000, 0x7effffff, 0x7f000000,
                                    0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000, 0x7fffffff};
enum { CORNERS_C = sizeof corner_c / sizeof *corner_c };

/* a*b + x*y + C for all corners a, b and C of both signs; x*y is none, one, minus one, or the corners that cancel. The
 * terms stand at changing places, zeros of both signs between them. */
static void accumulate_tile_every_corner_matches_accumulate_step(void **state)
{
    (void)state;
    static struct tile t;
    size_t compared = 0;
    for (int other = 0; other < 4; other++)
        for (size_t c = 0; c < 2 * CORNERS_C; c++)
            for (size_t a0 = 0; a0 < 2 * CORNERS; a0 += ROWS)
                for (size_t b0 = 0; b0 < 2 * CORNERS; b0 += COLUMNS) {
                    const size_t place = (c + a0) % T, next = (place + 1 + c % (T - 1)) % T;
                    for (size_t i = 0; i < (ROWS + COLUMNS) * T; i++)
                        *(i < ROWS * T ? &t.a[i] : &t.b[i - ROWS * T]) =
                            (struct bf16){(uint16_t)(i % 3 == 0 ? 0x8000 : 0)};
                    for (size_t i = 0; i < ROWS; i++) {
                        const size_t at = (a0 + i) % (2 * CORNERS);
                        t.a[i * T + place].bits = (uint16_t)(corner[at / 2] | at % 2 << 15);
                        t.a[i * T + next].bits = (uint16_t)(other == 3   ? t.a[i * T + place].bits ^ 0x8000
                                                            : other == 2 ? 0xbf80
                                                                         : 0x3f80);
                    }
                    for (size_t i = 0; i < COLUMNS; i++) {
                        const size_t at = (b0 + i) % (2 * CORNERS);
                        t.b[i * T + place].bits = (uint16_t)(corner[at / 2] | at % 2 << 15);
                        t.b[i * T + next].bits = (uint16_t)(other == 3   ? t.b[i * T + place].bits
                                                            : other == 0 ? 0
                                                                         : 0x3f80);
                    }
                    for (size_t i = 0; i < ROWS * COLUMNS; i++)
                        t.c[i] = corner_c[c / 2] | (uint32_t)(c % 2) << 31;
                    pack(&t);
                    want(&t, &accumulate_hopper_bf16);
                    compared += compare(&t, &accumulate_hopper_bf16, "corners");
                }
    assert_true(compared >= (size_t)4 * 2 * CORNERS_C * 2 * CORNERS * 2 * CORNERS);
}

/* The widest sums: all significands at their largest but for the last bits, all exponents equal, C at the top of the
 * same exponent, of either sign. */
static void accumulate_tile_widest_sums_match_exact_step(void **state)
{
    (void)state;
    static struct tile t;
    struct splitmix r = {splitmix_seed()};
    size_t compared = 0, wide = 0;
    for (int repeat = 0; repeat < 64; repeat++) {
        for (size_t i = 0; i < ROWS * T; i++)
            t.a[i].bits = (uint16_t)(0x3fff - (splitmix_below(&r, 8) == 0 && repeat > 1) + ((repeat & 1) << 15));
        for (size_t i = 0; i < COLUMNS * T; i++)
            t.b[i].bits = (uint16_t)(0x3fff - (splitmix_below(&r, 8) == 0 && repeat > 1));
        for (size_t i = 0; i < ROWS * COLUMNS; i++) {
            t.c[i] = 0x3fffffffu - (uint32_t)splitmix_below(&r, 16) + (uint32_t)(repeat & 1) * 0x80000000u;
            if (splitmix_below(&r, 8) == 0)
                t.c[i] ^= 0x80000000u;
        }
        pack(&t);
        for (size_t i = 0; i < ROWS * COLUMNS; i++) {
            const float d =
                exact_step(t.a + i / COLUMNS * T, t.b + i % COLUMNS * T, T, f32_from_bits(t.c[i]), 25, -133);
            t.want[i] = f32_bits(d);
            wide += fabsf(d) >= 64.0f; /* 2^31 * 2^-25 */
        }
        compared += compare(&t, &accumulate_hopper_bf16, "widest");
    }
    assert_true(compared > 0 && wide > 1000);
}

/* Every number of rows up to 3 and of columns up to 33, D wider than that, all rows or a list of them: what is asked
 * for is right, what is not is as it was. Two steps, one after the other. */
static void accumulate_tile_every_tail_leaves_the_rest(void **state)
{
    (void)state;
    enum { STRIDE = 40, MOST = 33, LISTED = 3 };
    static struct tile t[2];
    static const uint32_t list[LISTED] = {5, 0, 9};
    size_t cases = 0;
    for (int step = 0; step < 2; step++) {
        struct random r = {splitmix_seed() + (uint64_t)step};
        regime_tile(1, &r, ROWS, COLUMNS, t[step].a, t[step].b, t[step].c);
        pack(&t[step]);
    }
    for (int path = 0; path < ACCUMULATE_PATHS; path++)
        for (size_t rows = 0; rows <= LISTED; rows++)
            for (size_t columns = 0; columns <= MOST && accumulate_paths[path]->usable(); columns++)
                for (int listed = 0; listed < 2; listed++, cases++) {
                    float d[10 * STRIDE], expected[10 * STRIDE];
                    /* What is not asked for is a NaN that no sum would leave as it is. */
                    for (size_t i = 0; i < 10 * STRIDE; i++)
                        d[i] = f32_from_bits(0xff812345u);
                    for (size_t i = 0; i < rows; i++)
                        for (size_t n = 0; n < columns; n++)
                            d[(listed ? list[i] : i) * STRIDE + n] = (float)(i + n);
                    memcpy(expected, d, sizeof d);
                    for (int step = 0; step < 2; step++) {
                        struct accumulate_panel panel[PANELS];
                        memset(panel, 0xff, sizeof panel);
                        accumulate_pack_panels(t[step].pb, T, columns, panel);
                        for (size_t lane = columns; lane % ACCUMULATE_LANES != 0; lane++) {
                            struct accumulate_operand zeros[T];
                            accumulate_unpack_lane(&panel[lane / ACCUMULATE_LANES], lane % ACCUMULATE_LANES, zeros);
                            for (size_t k = 0; k < T; k++)
                                assert_true(zeros[k].significand == 0 && zeros[k].exponent == ACCUMULATE_ZERO);
                        }
                        accumulate_paths[path]->tile(&accumulate_hopper_bf16, t[step].line, listed ? list : NULL, rows,
                                                     panel, columns, d, STRIDE);
                        for (size_t i = 0; i < rows; i++)
                            for (size_t n = 0; n < columns; n++) {
                                size_t row = listed ? list[i] : i;
                                float *at = &expected[row * STRIDE + n];
                                *at = accumulate_step(&accumulate_hopper_bf16, t[step].pa + row * T, t[step].pb + n * T,
                                                      *at);
                            }
                    }
                    assert_memory_equal(d, expected, sizeof d);
                }
    assert_true(cases >= (LISTED + 1) * (MOST + 1) * 2);
}

/* In every lane and at every term. */
static void accumulate_pack_every_bf16_comes_back(void **state)
{
    (void)state;
    struct bf16 x[ACCUMULATE_LANES * T];
    struct accumulate_operand operand[ACCUMULATE_LANES * T], back[T];
    size_t cases = 0;
    for (uint32_t first = 0; first <= UINT16_MAX; first += 16)
        for (uint32_t turn = 0; turn < 16; turn++) {
            struct accumulate_panel panel;
            for (uint32_t i = 0; i < ACCUMULATE_LANES * T; i++)
                x[i].bits = (uint16_t)(first + (i + i / T + turn) % 16);
            accumulate_prepare(x, ACCUMULATE_LANES * T, operand);
            accumulate_pack_panels(operand, T, ACCUMULATE_LANES, &panel);
            for (size_t lane = 0; lane < ACCUMULATE_LANES; lane++) {
                struct accumulate_line line;
                accumulate_unpack_lane(&panel, lane, back);
                assert_memory_equal(back, operand + lane * T, sizeof back);
                accumulate_pack_line(operand + lane * T, &line);
                accumulate_unpack_line(&line, back);
                assert_memory_equal(back, operand + lane * T, sizeof back);
                cases++;
            }
        }
    assert_int_equal(cases, 65536 * ACCUMULATE_LANES);
}

static void accumulate_path_choose_takes_the_named_or_the_best(void **state)
{
    (void)state;
    const struct accumulate_path *best = accumulate_path_choose(NULL);
    assert_ptr_equal(accumulate_path_choose("portable"), &accumulate_path_portable);
    assert_ptr_equal(accumulate_path_choose("nonsense"), best);
    assert_ptr_equal(accumulate_path_choose("avx2"), best);
    assert_ptr_equal(best, accumulate_path_avx2.usable() ? &accumulate_path_avx2 : &accumulate_path_portable);
    if (!accumulate_path_avx2.usable())
        print_message("this machine has no AVX2: that path did not run\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accumulate_pack_every_bf16_comes_back),
        cmocka_unit_test(accumulate_path_choose_takes_the_named_or_the_best),
        cmocka_unit_test(accumulate_tile_every_corner_matches_accumulate_step),
        cmocka_unit_test(accumulate_tile_widest_sums_match_exact_step),
        cmocka_unit_test(accumulate_tile_every_tail_leaves_the_rest),
        cmocka_unit_test(accumulate_tile_other_profiles_match_accumulate_step),
        cmocka_unit_test(accumulate_tile_random_tiles_of_every_regime_match_exact_step),
        cmocka_unit_test(accumulate_tile_random_tiles_of_every_regime_match_accumulate_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
