/* A third way to the truth, which uses neither accumulate.c nor matmul.c: weights and activations that are small
 * integers, whose sums every order of addition in binary32 gives exactly, against sums in int64_t rounded once.
 *
 * K is as long as in the real models and ends in every way that a tile can. On a GPU this is the test that sees A
 * registers overwritten while a wgmma still reads them (ptxas before 13.3 may reuse them; faults F44 and F52), because
 * each of hundreds of steps must contribute its exact integer; the model has no registers in flight and cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/problems.h"
#include "tests/support/splitmix.h"

enum { LARGEST_WEIGHT = 24, LARGEST_X = 8, EXPERTS = 2 };

/* x = integer / 1, weights = code * 2^(scale - 127). */
struct integers {
    uint64_t seed;
    size_t P, N, K;
    uint8_t *blocks, *scales; /* checkpoint layout, EXPERTS experts */
    struct bf16 *x;
    int8_t *w_value, *x_value;
    uint32_t starts[EXPERTS + 1];
    int32_t ids[EXPERTS];
};

enum { SKIPPED = 77 };

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);
    assert_non_null(p);
    return p;
}

/* The bf16 nearest to an integer, ties to even: its upper 8 significant bits, rounded by hand. */
static struct bf16 bf16_of_integer(int64_t value)
{
    uint64_t magnitude = value < 0 ? (uint64_t)-value : (uint64_t)value;
    uint32_t sign = value < 0 ? BF16_SIGN : 0, exponent = BF16_BIAS + BF16_MANTISSA_BITS;
    if (magnitude == 0)
        return (struct bf16){0};
    uint64_t lost = 0, unit = 1;
    for (; magnitude >> 8; exponent++) {
        lost |= (magnitude & 1) * unit;
        unit <<= 1;
        magnitude >>= 1;
    }
    for (; magnitude >> 7 == 0; exponent--)
        magnitude <<= 1;
    if (lost * 2 > unit || (lost * 2 == unit && magnitude % 2))
        magnitude++;
    if (magnitude >> 8) {
        magnitude >>= 1;
        exponent++;
    }
    return (struct bf16){(uint16_t)(sign | exponent << BF16_MANTISSA_BITS | (magnitude & BF16_MANTISSA))};
}

/* Codes 0 2 4 5 6 7 are 0 1 2 3 4 6; scales 127..129 multiply them by 1, 2 and 4. */
static void fill_weights(struct splitmix *r, struct integers *t)
{
    static const uint8_t codes[6] = {0, 2, 4, 5, 6, 7}, values[6] = {0, 1, 2, 3, 4, 6};
    size_t count = EXPERTS * t->N * t->K;
    for (size_t i = 0; i < count / 32; i++)
        t->scales[i] = (uint8_t)(127 + splitmix_below(r, 3));
    for (size_t i = 0; i < count; i++) {
        uint64_t draw = splitmix_next(r);
        size_t pick = draw % 6;
        int negative = draw >> 32 & 1, value = values[pick] << (t->scales[i / 32] - 127);
        t->blocks[i / 2] |= (uint8_t)((codes[pick] | negative << 3) << (i % 2 * 4));
        t->w_value[i] = (int8_t)(negative ? -value : value);
    }
}

static struct integers integers_make(uint64_t seed, size_t P, size_t N, size_t K)
{
    struct splitmix r = {seed};
    struct integers t = {.seed = seed, .P = P, .N = N, .K = K, .ids = {1, 0}};
    t.blocks = allocate(EXPERTS * N * K / 2, 1);
    t.scales = allocate(EXPERTS * N * K / 32, 1);
    t.w_value = allocate(EXPERTS * N * K, 1);
    t.x = allocate(P * K, sizeof *t.x);
    t.x_value = allocate(P * K, 1);
    t.starts[1] = (uint32_t)(P / 3);
    t.starts[2] = (uint32_t)P;
    fill_weights(&r, &t);
    for (size_t i = 0; i < P * K; i++) {
        t.x_value[i] = (int8_t)splitmix_between(&r, -LARGEST_X, LARGEST_X);
        t.x[i] = bf16_of_integer(t.x_value[i]);
    }
    return t;
}

static void integers_free(struct integers *t)
{
    free(t->blocks);
    free(t->scales);
    free(t->w_value);
    free(t->x);
    free(t->x_value);
}

static int64_t exact_sum_of(const struct integers *t, size_t row, size_t feature)
{
    size_t expert = (size_t)t->ids[row >= t->starts[1]];
    const int8_t *w = t->w_value + (expert * t->N + feature) * t->K, *x = t->x_value + row * t->K;
    int64_t sum = 0;
    for (size_t k = 0; k < t->K; k++)
        sum += w[k] * x[k];
    return sum;
}

/* One launch; every output against its integer. Returns the number of outputs that needed rounding. */
static size_t check_integers(const struct machine *m, uint64_t seed, size_t P, size_t N, size_t K)
{
    struct integers t = integers_make(seed, P, N, K);
    struct problem p = {.seed = seed,
                        .weights = {.w = {EXPERTS, N, K, t.blocks, t.scales}},
                        .segments = {P, EXPERTS, EXPERTS, t.starts, t.ids},
                        .x = t.x};
    struct bf16 *out = allocate(P * N, sizeof *out);
    struct run_report report;
    size_t rounded = 0;
    problem_run(m, "rs", &p, (struct bf16){0x7fa5}, out, &report);
    assert_true(report.wgmma == problem_wgmma(&p) && report.wgmma_expected == report.wgmma);
    for (size_t i = 0; i < P * N; i++) {
        int64_t sum = exact_sum_of(&t, i / N, i % N);
        struct bf16 want = bf16_of_integer(sum);
        assert_true(sum > -(1 << 24) && sum < 1 << 24);
        rounded += (sum < 0 ? -sum : sum) >= 256;
        if (out[i].bits != want.bits)
            fail_msg("%s, P %zu N %zu K %zu, (%zu,%zu): the sum is %" PRId64 " = %04x, found %04x; "
                     "repeat: FO_TEST_SEED=%" PRIu64,
                     m->name, P, N, K, i / N, i % N, sum, want.bits, out[i].bits, seed);
    }
    free(out);
    integers_free(&t);
    return rounded;
}

static void bf16_of_integer_small_table_is_right(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        uint16_t bits;
    } table[] = {{0, 0x0000},   {1, 0x3f80},   {-1, 0xbf80},  {2, 0x4000},   {3, 0x4040},     {255, 0x437f},
                 {256, 0x4380}, {257, 0x4380}, {258, 0x4381}, {259, 0x4382}, {511, 0x4400},   {515, 0x4401},
                 {514, 0x4400}, {518, 0x4402}, {517, 0x4401}, {-8, 0xc100},  {65535, 0x4780}, {1 << 23, 0x4b00}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (bf16_of_integer(table[i].value).bits != table[i].bits)
            fail_msg("%" PRId64 " gives %04x, not %04x", table[i].value, bf16_of_integer(table[i].value).bits,
                     table[i].bits);
}

/* The longest K of the real models and of down projections twice as wide, with every tail of N and several of P; short
 * K for every tail of K. */
static void check_every_tail(const struct machine *m, size_t most_tokens)
{
    static const size_t Ns[] = {64, 80, 96, 112, 16}, Ps[] = {1, 7, 64, 65, 127, 8};
    uint64_t seed = splitmix_seed();
    size_t rounded = 0, ran = 0;
    for (size_t n = 0; n < sizeof Ns / sizeof *Ns; n++)
        for (size_t p = 0; p < sizeof Ps / sizeof *Ps; p++)
            if (Ps[p] <= most_tokens || n == 3)
                for (size_t K = 2880; K <= 5760 && (K == 2880 || p % 3 == n % 3); K += 2880, ran++)
                    rounded += check_integers(m, seed + ran, Ps[p], Ns[n], K);
    for (size_t K = 64; K <= 576; K += 64, ran++)
        rounded += check_integers(m, seed + ran, 70, 80, K);
    print_message("%s: %zu products, %zu outputs rounded\n", m->name, ran, rounded);
    assert_true(ran >= 20 && rounded > 1000);
}

static void model_run_long_k_of_integers_is_exact(void **state)
{
    (void)state;
    struct machine model;
    machine_model(&model);
    check_every_tail(&model, PROBLEMS_OF(64));
}

static void gpu_run_long_k_of_integers_is_exact(void **state)
{
    (void)state;
    struct machine gpu;
    struct error e;
    if (machine_gpu(&gpu, &e) != STATUS_OK) {
        print_message("not run on a GPU: %s\n", e.why);
        skip();
    }
    check_every_tail(&gpu, 127);
    /* Whole matrices of gpt-oss-20b, so that every SM has several blocks in flight. */
    assert_true(check_integers(&gpu, splitmix_seed(), 200, 2880, 2880) > 0);
    assert_true(check_integers(&gpu, splitmix_seed(), 130, 5760, 2880) > 0);
    assert_true(check_integers(&gpu, splitmix_seed(), 130, 2880, 5760) > 0);
}

/* With any argument (`gpu`) the part that needs one, so that it shows as not run where there is none. */
int main(int argc, char **argv)
{
    (void)argv;
    const struct CMUnitTest host[] = {
        cmocka_unit_test(bf16_of_integer_small_table_is_right),
        cmocka_unit_test(model_run_long_k_of_integers_is_exact),
    };
    const struct CMUnitTest device[] = {cmocka_unit_test(gpu_run_long_k_of_integers_is_exact)};
    if (argc < 2)
        return cmocka_run_group_tests(host, NULL, NULL);
    int failed = cmocka_run_group_tests(device, NULL, NULL);
    return failed ? failed : machine_gpu(&(struct machine){0}, NULL) == STATUS_OK ? 0 : SKIPPED;
}
