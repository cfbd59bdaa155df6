/* The GPU against the bit-exact model on the same inputs: the production kernel and its planted variants, registers
 * included, and every debug kernel. Without a Hopper GPU nothing is compared: every test says so, and the program exits
 * with SKIPPED, never with success. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/regimes.h"
#include "tests/support/problems.h"
#include "tests/support/splitmix.h"

enum { SKIPPED = 77 };
enum { M = 64, N = 64, K = 16, THREADS = 128, A_REGISTERS = 4, D_REGISTERS = 32, SMALL_N = 8 };

static struct machine gpu, model;
static bool have_gpu;
static struct error no_gpu;

static void need_gpu(void)
{
    if (!have_gpu) {
        print_message("not run: %s\n", no_gpu.why);
        skip();
    }
}

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);
    assert_non_null(p);
    return p;
}

static void must(enum status s, const struct error *e)
{
    if (s != STATUS_OK)
        fail_msg("%s", e->why);
}

/* Bits against bits; the first word that differs is named with the seed. */
static void check_words(const char *what, const uint32_t *on_gpu, const uint32_t *on_model, size_t n, uint64_t seed)
{
    size_t differing = 0, first = 0;
    for (size_t i = n; i-- > 0;)
        if (on_gpu[i] != on_model[i])
            differing++, first = i;
    if (differing)
        fail_msg("%s: %zu of %zu words differ, first %zu: gpu %08x, model %08x; repeat: FO_TEST_SEED=%" PRIu64, what,
                 differing, n, first, on_gpu[first], on_model[first], seed);
    assert_true(n > 0);
    print_message("%s: %zu words equal\n", what, n);
}

/* ---- debug kernels ---------------------------------------------------------------------------------------------- */

static void gpu_loader_any_matrix_equals_the_model(void **state)
{
    (void)state;
    need_gpu();
    uint64_t seed = splitmix_seed();
    struct splitmix r = {seed};
    uint16_t matrix[M * K];
    uint32_t on_gpu[THREADS * A_REGISTERS], on_model[THREADS * A_REGISTERS];
    struct error e;
    for (int trial = 0; trial < 8; trial++) {
        for (int i = 0; i < M * K; i++)
            matrix[i] = (uint16_t)splitmix_next(&r);
        must(gpu.loader(trial % 2, matrix, on_gpu, &e), &e);
        must(model.loader(trial % 2, matrix, on_model, &e), &e);
        check_words(trial % 2 ? "ldmatrix loader" : "plain loader", on_gpu, on_model, THREADS * A_REGISTERS, seed);
    }
}

/* Dense operands of narrow exponents, so that every product of a sum takes part. */
static void fill_bf16(struct splitmix *r, uint16_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t draw = splitmix_next(r);
        x[i] = (uint16_t)((draw & 1) << 15 | (121 + (draw >> 8) % 9) << 7 | (draw >> 32 & 0x7f));
    }
}

static void gpu_product_ss_random_tiles_equal_the_model(void **state)
{
    (void)state;
    need_gpu();
    enum { TILES = 64 };
    uint64_t seed = splitmix_seed();
    struct splitmix r = {seed};
    struct error e;
    uint16_t *a = allocate(TILES * M * K, 2), *b = allocate(TILES * N * K, 2);
    uint32_t *on_gpu = allocate(TILES * M * N, 4), *on_model = allocate(TILES * M * N, 4);
    fill_bf16(&r, a, TILES * M * K);
    fill_bf16(&r, b, TILES * N * K);
    must(gpu.product_ss(TILES, a, b, (float *)on_gpu, &e), &e);
    must(model.product_ss(TILES, a, b, (float *)on_model, &e), &e);
    check_words("product_ss", on_gpu, on_model, TILES * THREADS * D_REGISTERS, seed);
    free(a);
    free(b);
    free(on_gpu);
    free(on_model);
}

static void gpu_product_rs_random_registers_equal_the_model(void **state)
{
    (void)state;
    need_gpu();
    enum { TILES = 64 };
    uint64_t seed = splitmix_seed();
    struct splitmix r = {seed};
    struct error e;
    uint16_t b[N * K], *halves = allocate(TILES * M * K, 2);
    uint32_t *a = allocate(TILES * THREADS * A_REGISTERS, 4);
    uint32_t *on_gpu = allocate(TILES * M * N, 4), *on_model = allocate(TILES * M * N, 4);
    fill_bf16(&r, halves, TILES * M * K);
    fill_bf16(&r, b, N * K);
    memcpy(a, halves, TILES * M * K * 2);
    must(gpu.product_rs(TILES, a, b, (float *)on_gpu, &e), &e);
    must(model.product_rs(TILES, a, b, (float *)on_model, &e), &e);
    check_words("product_rs", on_gpu, on_model, TILES * THREADS * D_REGISTERS, seed);
    free(halves);
    free(a);
    free(on_gpu);
    free(on_model);
}

static void gpu_arithmetic_every_regime_equals_the_model(void **state)
{
    (void)state;
    need_gpu();
    enum { TILES = 200 };
    uint64_t seed = splitmix_seed();
    struct error e;
    uint16_t *a = allocate(TILES * M * K, 2), *b = allocate(TILES * SMALL_N * K, 2);
    uint32_t *c = allocate(TILES * M * SMALL_N, 4);
    uint32_t *on_gpu = allocate(TILES * M * SMALL_N, 4), *on_model = allocate(TILES * M * SMALL_N, 4);
    for (int regime = 0; regime < REGIME_COUNT; regime++) {
        struct random r = {seed + (uint64_t)regime};
        for (size_t t = 0; t < TILES; t++)
            regime_tile(regime, &r, M, SMALL_N, (struct bf16 *)(a + t * M * K), (struct bf16 *)(b + t * SMALL_N * K),
                        c + t * M * SMALL_N);
        must(gpu.arithmetic(TILES, a, b, c, on_gpu, &e), &e);
        must(model.arithmetic(TILES, a, b, c, on_model, &e), &e);
        check_words(regime_name(regime), on_gpu, on_model, TILES * M * SMALL_N, seed);
    }
    free(a);
    free(b);
    free(c);
    free(on_gpu);
    free(on_model);
}

static void gpu_decode_random_words_equal_the_model(void **state)
{
    (void)state;
    need_gpu();
    enum { WORDS = 1 << 20 };
    uint64_t seed = splitmix_seed();
    struct splitmix r = {seed};
    struct error e;
    uint32_t *words = allocate(WORDS, 4), *scales = allocate(WORDS, 4), *steps = allocate(WORDS, 4);
    uint32_t *on_gpu = allocate(WORDS, 16), *on_model = allocate(WORDS, 16);
    for (uint32_t i = 0; i < WORDS; i++) {
        uint64_t draw = splitmix_next(&r);
        words[i] = (uint32_t)draw;
        scales[i] = (uint32_t)(draw >> 32);
        steps[i] = i % 4;
    }
    must(gpu.decode(WORDS, words, scales, steps, on_gpu, &e), &e);
    must(model.decode(WORDS, words, scales, steps, on_model, &e), &e);
    check_words("decode", on_gpu, on_model, (size_t)WORDS * 4, seed);
    free(words);
    free(scales);
    free(steps);
    free(on_gpu);
    free(on_model);
}

/* ---- subjects --------------------------------------------------------------------------------------------------- */

static void check_subject(const char *subject, const struct problem *p)
{
    static const struct bf16 poisons[2] = {{0x7fa5}, {0x1234}};
    size_t n = problem_outputs(p), first, differing;
    struct bf16 *on_model = allocate(n, sizeof *on_model), *on_gpu = allocate(n, sizeof *on_gpu);
    struct run_report want, got;
    problem_run(&model, subject, p, poisons[0], on_model, &want);
    for (int i = 0; i < 2; i++) {
        problem_run(&gpu, subject, p, poisons[i], on_gpu, &got);
        differing = outputs_differing(on_gpu, on_model, n, &first);
        if (differing)
            fail_msg("%s, problem of seed %" PRIu64 " (P %zu N %zu K %zu): %zu elements differ, first (%zu,%zu): gpu "
                     "%04x, model %04x; repeat: FO_TEST_SEED=%" PRIu64,
                     subject, p->seed, p->segments.rows, p->weights.w.N, p->weights.w.K, differing,
                     first / p->weights.w.N, first % p->weights.w.N, on_gpu[first].bits, on_model[first].bits, p->seed);
        if (got.a_checksum != want.a_checksum || got.tiles != want.tiles || got.wgmma != want.wgmma ||
            got.wgmma != got.wgmma_expected || got.status_word != want.status_word)
            fail_msg("%s, problem of seed %" PRIu64 ": checksum %08x (model %08x), tiles %" PRIu64 " (%" PRIu64
                     "), wgmma %" PRIu64 " (%" PRIu64 "), status %u (%u); repeat: FO_TEST_SEED=%" PRIu64,
                     subject, p->seed, got.a_checksum, want.a_checksum, got.tiles, want.tiles, got.wgmma, want.wgmma,
                     got.status_word, want.status_word, p->seed);
    }
    free(on_model);
    free(on_gpu);
}

static void gpu_run_random_problems_equal_the_model(void **state)
{
    (void)state;
    need_gpu();
    enum { CASES = 240 };
    size_t ran = 0;
    for (; ran < CASES; ran++) {
        struct problem p;
        problem_make(splitmix_seed() + ran, &p);
        check_subject(ran % 8 == 7 ? "rs+none" : "rs", &p);
        problem_free(&p);
    }
    assert_int_equal(ran, CASES);
    print_message("%zu problems: outputs, registers, tiles, wgmma and status words equal\n", ran);
}

/* A planted variant is wrong in the same way on both. */
static void gpu_run_planted_variants_equal_the_model(void **state)
{
    (void)state;
    need_gpu();
    size_t ran = 0, races = 0;
    for (size_t i = 0; i <= fault_count(); i++) {
        char name[SUBJECT_NAME] = "rs+F01+F07";
        struct problem p;
        if (i < fault_count() && fault_at(i)->hardware_only) {
            races++;
            continue;
        }
        if (i < fault_count())
            snprintf(name, sizeof name, "rs+%s", fault_at(i)->id);
        problem_make_dense(splitmix_seed() + i, 80, 208, 320, 3, &p);
        check_subject(name, &p);
        problem_free(&p);
        ran++;
    }
    assert_int_equal(ran + races, fault_count() + 1);
    assert_true(ran > races);
}

int main(void)
{
    machine_model(&model);
    have_gpu = machine_gpu(&gpu, &no_gpu) == STATUS_OK;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpu_loader_any_matrix_equals_the_model),
        cmocka_unit_test(gpu_product_ss_random_tiles_equal_the_model),
        cmocka_unit_test(gpu_product_rs_random_registers_equal_the_model),
        cmocka_unit_test(gpu_arithmetic_every_regime_equals_the_model),
        cmocka_unit_test(gpu_decode_random_words_equal_the_model),
        cmocka_unit_test(gpu_run_random_problems_equal_the_model),
        cmocka_unit_test(gpu_run_planted_variants_equal_the_model),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed ? failed : have_gpu ? 0 : SKIPPED;
}
