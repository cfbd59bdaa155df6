#include "probes/weights.h"

#include "reference/mxfp4.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct weights_set make(enum weights_kind kind, size_t experts, size_t N, size_t K, uint64_t seed)
{
    struct weights_set w;
    struct error e;
    assert_int_equal(weights_make(kind, experts, N, K, seed, &w, &e), STATUS_OK);
    assert_int_equal(w.w.experts, experts);
    assert_int_equal(w.w.N, N);
    assert_int_equal(w.w.K, K);
    assert_ptr_equal(w.w.blocks, w.blocks);
    assert_ptr_equal(w.w.scales, w.scales);
    return w;
}

static void random_next_published_seed_gives_published_numbers(void **state)
{
    (void)state;
    static const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                        4593380528125082431u, 16408922859458223821u};
    struct random r = {1234567};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_true(random_next(&r) == expected[i]);
}

static void random_below_any_bound_stays_below_and_is_even(void **state)
{
    (void)state;
    struct random r = {7};
    uint32_t count[3] = {0}, high = 0;
    for (int i = 0; i < 30000; i++)
        count[random_below(&r, 3)]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(count[i], 9700, 10300);
    /* Without refusals a third of the range would come up twice as often: below 2^30 in half of all cases. */
    for (int i = 0; i < 30000; i++) {
        uint32_t x = random_below(&r, 3u << 30);
        assert_true(x < 3u << 30);
        high += x >= 1u << 30;
    }
    assert_in_range(high, 19700, 20300);
    assert_int_equal(random_below(&r, 1), 0);
}

static void random_unit_many_draws_fill_the_interval(void **state)
{
    (void)state;
    struct random r = {7};
    double sum = 0, low = 1, high = 0;
    for (int i = 0; i < 10000; i++) {
        double x = random_unit(&r);
        sum += x;
        low = fmin(low, x);
        high = fmax(high, x);
    }
    assert_true(low >= 0 && low < 0.001 && high > 0.999 && high < 1);
    assert_true(fabs(sum / 10000 - 0.5) < 0.02);
}

static void weights_make_same_seed_gives_same_bytes(void **state)
{
    (void)state;
    for (int kind = WEIGHTS_RANDOM; kind <= WEIGHTS_SPECIAL; kind++) {
        struct weights_set a = make(kind, 2, 48, 96, 5), b = make(kind, 2, 48, 96, 5), c = make(kind, 2, 48, 96, 6);
        assert_memory_equal(a.blocks, b.blocks, 2 * 48 * 48);
        assert_memory_equal(a.scales, b.scales, 2 * 48 * 3);
        assert_memory_not_equal(a.blocks, c.blocks, 2 * 48 * 48);
        assert_memory_not_equal(a.scales, c.scales, 2 * 48 * 3);
        weights_free(&a);
        weights_free(&b);
        weights_free(&c);
    }
}

static void weights_make_random_uses_every_code_and_spread_scale(void **state)
{
    (void)state;
    struct weights_set w = make(WEIGHTS_RANDOM, 1, 64, 256, 1);
    uint32_t code[16] = {0}, scale[256] = {0};
    for (size_t i = 0; i < 64 * 128; i++) {
        code[w.blocks[i] & 15]++;
        code[w.blocks[i] >> 4]++;
    }
    for (size_t i = 0; i < 64 * 8; i++)
        scale[w.scales[i]]++;
    for (int i = 0; i < 16; i++)
        assert_in_range(code[i], 850, 1200);
    for (int i = 0; i < 256; i++) {
        if (i >= 117 && i <= 124)
            assert_in_range(scale[i], 30, 100);
        else
            assert_int_equal(scale[i], 0);
    }
    /* The first byte is the lowest of the first number, on every machine. */
    struct random r = {1};
    uint64_t first = random_next(&r);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(w.blocks[i], first >> (8 * i) & 0xff);
    weights_free(&w);
}

static void weights_make_adversarial_never_repeats_a_scale_next_door(void **state)
{
    (void)state;
    enum { E = 2, N = 40, B = 5 };
    struct weights_set w = make(WEIGHTS_ADVERSARIAL, E, N, B * 32, 3);
    size_t compared = 0;
    for (size_t e = 0; e < E; e++) {
        for (size_t n = 0; n < N; n++) {
            for (size_t b = 0; b < B; b++) {
                const uint8_t *s = w.scales + (e * N + n) * B + b;
                assert_in_range(*s, 100, 150);
                assert_true(b + 1 == B || s[0] != s[1]);
                assert_true(n + 1 == N || s[0] != s[B]);
                assert_true(n + 8 >= N || s[0] != s[8 * B]);
                assert_true(e + 1 == E || s[0] != s[N * B]);
                uint32_t seen[16] = {0};
                for (size_t j = 0; j < 16; j++) {
                    uint8_t byte = w.blocks[((e * N + n) * B + b) * 16 + j];
                    seen[byte & 15]++;
                    seen[byte >> 4]++;
                }
                for (size_t c = 0; c < 16; c++)
                    assert_int_equal(seen[c], 2);
                compared++;
            }
        }
    }
    assert_int_equal(compared, E * N * B);
    weights_free(&w);
}

/* Sum in ascending, descending and strided order, in binary32: what any kernel might do. */
static void assert_sum_ignores_order(const struct bf16 *row, size_t K, float *sum)
{
    float up = 0, down = 0, strided = 0;
    for (size_t k = 0; k < K; k++) {
        up += bf16_decode(row[k]);
        down += bf16_decode(row[K - 1 - k]);
        strided += bf16_decode(row[k * 7 % K]);
    }
    assert_true((isnan(up) && isnan(down) && isnan(strided)) || (up == down && up == strided));
    *sum = up;
}

static void weights_make_special_rows_give_what_they_are_made_for(void **state)
{
    (void)state;
    enum { E = 3, N = 190, K = 2880, B = K / 32 };
    struct weights_set w = make(WEIGHTS_SPECIAL, E, N, K, 11);
    struct bf16 *row = malloc(K * sizeof *row);
    size_t nan = 0, inf = 0, overflow = 0, huge = 0, tiny = 0, plain = 0;
    bool block_255[B] = {false};
    for (size_t r = 0; r < E * N; r++) {
        float sum;
        mxfp4_decode_matrix(w.blocks + r * K / 2, w.scales + r * B, 1, K, row);
        assert_sum_ignores_order(row, K, &sum);
        bool overflows = false;
        for (size_t k = 0; k < K; k++)
            overflows |= isinf(bf16_decode(row[k])) != 0;
        overflow += overflows;
        nan += isnan(sum) != 0;
        inf += isinf(sum) != 0;
        huge += isfinite(sum) && fabsf(sum) > 0x1p120f;
        tiny += fabsf(sum) < 0x1p-100f;
        plain += fabsf(sum) < 0x1p12f && fabsf(sum) >= 0x1p-11f;
        for (size_t b = 0; b < B; b++)
            block_255[b] |= w.scales[r * B + b] == 255;
    }
    assert_int_equal(nan, E * 20);
    assert_int_equal(inf, E * 20);
    assert_int_equal(overflow, E * 30); /* the product itself, not only the sum */
    assert_int_equal(huge, E * 10);
    assert_in_range(tiny, E * 10, E * 10 + 5); /* a sum of plain values may be 0 */
    assert_in_range(plain, E * 130 - 5, E * 130);
    size_t places = 0;
    for (size_t b = 0; b < B; b++)
        places += block_255[b];
    assert_int_equal(places, E * 10); /* every NaN scale stands in a block of its own */
    free(row);
    weights_free(&w);
}

static void weights_make_special_rows_differ_from_those_a_kernel_may_confuse(void **state)
{
    (void)state;
    struct weights_set w = make(WEIGHTS_SPECIAL, 2, 256, 32, 11);
    static const size_t apart[] = {1, 8, 16, 32, 64, 128, 256 /* the next expert */};
    size_t seen = 0;
    for (size_t n = 0; n < 256; n++) {
        for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
            if (w.scales[n] == 255) {
                assert_int_not_equal(w.scales[n + apart[i]], 255);
                seen++;
            }
        }
    }
    assert_int_equal(seen, 14 * 7);
    weights_free(&w);
}

static void weights_make_impossible_shape_is_refused_and_leaves_out_alone(void **state)
{
    (void)state;
    static const size_t shape[][3] = {{0, 1, 32},           {1, 0, 32}, {1, 1, 0}, {1, 1, 33}, {SIZE_MAX / 2, 3, 32},
                                      {1, SIZE_MAX / 8, 32}};
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        struct weights_set w = {.w.N = 77};
        struct error e = {0};
        assert_int_equal(weights_make(WEIGHTS_RANDOM, shape[i][0], shape[i][1], shape[i][2], 0, &w, &e),
                         STATUS_BAD_ARGUMENT);
        assert_int_equal(e.status, STATUS_BAD_ARGUMENT);
        assert_int_equal(w.w.N, 77);
    }
}

static void weights_free_zeroed_set_is_safe(void **state)
{
    (void)state;
    struct weights_set w = {0};
    weights_free(&w);
    w = make(WEIGHTS_RANDOM, 1, 1, 32, 0);
    weights_free(&w);
    assert_null(w.blocks);
    weights_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_next_published_seed_gives_published_numbers),
        cmocka_unit_test(random_below_any_bound_stays_below_and_is_even),
        cmocka_unit_test(random_unit_many_draws_fill_the_interval),
        cmocka_unit_test(weights_make_same_seed_gives_same_bytes),
        cmocka_unit_test(weights_make_random_uses_every_code_and_spread_scale),
        cmocka_unit_test(weights_make_adversarial_never_repeats_a_scale_next_door),
        cmocka_unit_test(weights_make_special_rows_give_what_they_are_made_for),
        cmocka_unit_test(weights_make_special_rows_differ_from_those_a_kernel_may_confuse),
        cmocka_unit_test(weights_make_impossible_shape_is_refused_and_leaves_out_alone),
        cmocka_unit_test(weights_free_zeroed_set_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
