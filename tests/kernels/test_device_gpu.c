/* The production kernel built with FRAGORACLE_TAP, on a GPU: the A registers of every k16 step are what the contract
 * map makes of the decoded weights, D is the product so far, and the assertions name the wrong slots and no other.
 * Exits 77 without a Hopper GPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/rs_index.h"
#include "oracle/io/tap_image.h"
#include "reference/accumulate.h"
#include "reference/fragment.h"
#include "reference/mxfp4.h"
#include "tests/support/problems.h"
#include "tests/support/scratch.h"
#include "tests/support/splitmix.h"

enum { SKIPPED = 77 };
static struct machine gpu;
static bool have_gpu;

#ifdef FO_HAVE_TAPPED
extern const struct fo_capture_calls rs_gemm_capture, tile_capture;
int rs_gemm_tap_weights(const uint16_t *weights);
int test_device_put(const void *host, size_t bytes, void **device);
void test_device_drop(void *device);
int test_device_tile(const void *a, const void *b, const void *want, const void *b_transposed, int swap);

enum { P = 70, N = 80, K = 192, EXPERTS = 2, M = 64, TILE_K = 128, STEPS = 8, THREADS = 128, GRID_Y = 2, TILES = 4 };
static const char op_name[] = "wgmma.m64n64k16.f32.bf16.bf16.rs";

/* One launch, captured whole, and what it should have held. */
struct run {
    struct problem problem;
    struct bf16 *w; /* [EXPERTS][N][K] */
    struct rs_shape shape;
    struct layout a_map, d_map;
    struct tap_image image;
};

static void run_make(void **state, const char *subject, struct run *r)
{
    struct wgmma_op op;
    struct error e;
    char path[SCRATCH_PATH];
    void *device = NULL;
    struct run_report report;
    problem_make_dense(splitmix_seed(), P, N, K, EXPERTS, &r->problem);
    const struct weights *w = &r->problem.weights.w;
    r->w = calloc((size_t)EXPERTS * N * K, sizeof *r->w);
    struct bf16 *out = calloc((size_t)P * N, sizeof *out);
    assert_true(r->w && out);
    mxfp4_decode_matrix(w->blocks, w->scales, (size_t)EXPERTS * N, K, r->w);
    r->shape = (struct rs_shape){P, N, K, EXPERTS, (uint32_t)r->problem.segments.active};
    assert_int_equal(wgmma_parse(op_name, &op, &e), STATUS_OK);
    assert_int_equal(fragment_map(&op, FRAGMENT_A, &r->a_map, &e), STATUS_OK);
    assert_int_equal(fragment_map(&op, FRAGMENT_D, &r->d_map, &e), STATUS_OK);

    const struct fo_capture_filter all = {0, rs_max_tiles(&r->shape) * GRID_Y, 0, 1, 0, 2, 0};
    assert_int_equal(test_device_put(r->w, (size_t)EXPERTS * N * K * sizeof *r->w, &device), 0);
    assert_int_equal(rs_gemm_tap_weights(device), 0);
    assert_int_equal(rs_gemm_capture.begin(&all, 2 * STEPS + 1, 32), 0);
    problem_run(&gpu, subject, &r->problem, (struct bf16){0x7fa5}, out, &report);
    assert_int_equal(rs_gemm_capture.save(scratch_path(state, "x.ftap", path)), 0);
    assert_int_equal(rs_gemm_capture.end(), 0);
    assert_int_equal(rs_gemm_tap_weights(NULL), 0);
    test_device_drop(device);
    if (tap_image_read(path, &r->image, &e) != STATUS_OK)
        fail_msg("%s: %s", e.field, e.why);
    assert_int_equal(r->image.refused, 0);
    assert_int_equal(r->image.stream_count, 2 * STEPS + 1);
    free(out);
}

static void run_free(struct run *r)
{
    tap_image_free(&r->image);
    problem_free(&r->problem);
    free(r->w);
}

/* The tile of a block; false where there is none. */
static bool tile_of(const struct run *r, uint32_t block, struct rs_tile *tile, uint32_t *feature0)
{
    const struct rs_fault neutral = RS_FAULT_NEUTRAL;
    uint32_t width = rs_max_tiles(&r->shape);
    *feature0 = block / width * M;
    return rs_find_tile(&r->shape, r->problem.starts, r->problem.ids, 0, block % width, &neutral, tile) &&
           tile->expert >= 0;
}

static uint16_t weight(const struct run *r, int32_t expert, uint32_t n, uint32_t k)
{
    return n < N ? r->w[((size_t)expert * N + n) * K + k].bits : 0;
}

/* The A registers of a thread as the contract wants them. */
static void contract_a(const struct run *r, int32_t expert, uint32_t feature0, uint32_t k0, uint32_t thread,
                       uint32_t a[4])
{
    for (uint32_t reg = 0; reg < 4; reg++) {
        a[reg] = 0;
        for (uint32_t part = 0; part < 2; part++) {
            struct point slot = {{thread, reg, part}}, at = layout_apply(&r->a_map, &slot);
            a[reg] |= (uint32_t)weight(r, expert, feature0 + at.at[0], k0 + at.at[1]) << 16 * part;
        }
    }
}

/* The words of FO_ASSERT_A against registers that were recorded beside them. */
static void check_assertion(const struct run *r, const uint32_t *words, const uint32_t found[4], const uint32_t want[4],
                            uint32_t thread, uint32_t m0, uint32_t k0)
{
    uint32_t wrong = 0, first[6] = {0};
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t reg = i / 2, part = i % 2, have = found[reg] >> 16 * part & 0xffff;
        uint32_t expected = want[reg] >> 16 * part & 0xffff;
        struct point slot = {{thread, reg, part}}, at = layout_apply(&r->a_map, &slot);
        if (have != expected && wrong++ == 0)
            memcpy(first, (uint32_t[]){reg, part, m0 + at.at[0], k0 + at.at[1], expected, have}, sizeof first);
    }
    assert_int_equal(words[FO_ASSERT_COMPARED], 8);
    assert_int_equal(words[FO_ASSERT_WRONG], wrong);
    assert_memory_equal(words + FO_ASSERT_REGISTER, first, sizeof first);
}

/* Every slot of every step of every tile. exchanged: R1 and R2 are (F02). Returns the wrong slots that were named. */
static size_t check_a(const struct run *r, bool exchanged)
{
    size_t slots = 0, wrong = 0;
    for (uint32_t block = 0; block < r->image.filter.blocks; block++) {
        struct rs_tile tile;
        uint32_t feature0;
        bool there = tile_of(r, block, &tile, &feature0);
        for (uint32_t k0 = 0; k0 < 2 * TILE_K; k0 += 16) {
            const struct tap_image_stream *a = tap_image_find(&r->image, k0 % TILE_K / 16, FO_KIND_A, "A");
            const struct tap_image_stream *assertion = tap_image_find(&r->image, k0 % TILE_K / 16, FO_KIND_ASSERT, "A");
            assert_true(a && assertion);
            assert_string_equal(a->op, op_name);
            for (uint32_t thread = 0; thread < THREADS; thread++) {
                const uint32_t *found = tap_image_words(&r->image, a, block, 0, k0 / TILE_K, thread);
                const uint32_t *said = tap_image_words(&r->image, assertion, block, 0, k0 / TILE_K, thread);
                uint32_t want[4], held[4];
                assert_int_equal(found != NULL, there && k0 < K);
                assert_int_equal(said != NULL, there && k0 < K);
                if (!found || !said)
                    continue;
                contract_a(r, tile.expert, feature0, k0, thread, want);
                memcpy(held, want, sizeof held);
                if (exchanged)
                    held[1] = want[2], held[2] = want[1];
                assert_memory_equal(found, held, sizeof held);
                check_assertion(r, said, held, want, thread, feature0, k0);
                wrong += said[FO_ASSERT_WRONG];
                slots += 8;
            }
        }
    }
    assert_int_equal(slots, (size_t)TILES * (K / 16) * 1024);
    print_message("%zu slots of A, %zu wrong\n", slots, wrong);
    return wrong;
}

/* D after each K tile, bit for bit the product so far. */
static size_t check_d(const struct run *r)
{
    size_t compared = 0;
    struct accumulate_operand *w = calloc((size_t)K, sizeof *w), *x = calloc((size_t)K, sizeof *x);
    const struct tap_image_stream *d = tap_image_find(&r->image, STEPS - 1, FO_KIND_D, "D");
    assert_true(w && x && d);
    for (uint32_t block = 0; block < r->image.filter.blocks; block++) {
        struct rs_tile tile;
        uint32_t feature0;
        if (!tile_of(r, block, &tile, &feature0))
            continue;
        for (uint32_t code = 0; code < box_size(&r->d_map.domain); code++, compared++) {
            struct point slot = box_point(&r->d_map.domain, code), at = layout_apply(&r->d_map, &slot);
            struct bf16 weights[K], activations[K] = {{0}};
            for (uint32_t k = 0; k < K; k++)
                weights[k].bits = weight(r, tile.expert, feature0 + at.at[0], k);
            if (at.at[1] < tile.rows)
                memcpy(activations, r->problem.x + (size_t)(tile.row + at.at[1]) * K, sizeof activations);
            accumulate_prepare(weights, K, w);
            accumulate_prepare(activations, K, x);
            float sum = 0;
            for (uint32_t k = 0; k < K; k += 16) {
                sum = accumulate_step(&accumulate_hopper_bf16, w + k, x + k, sum);
                if ((k + 16) % TILE_K && k + 16 < K)
                    continue;
                const uint32_t *found = tap_image_words(&r->image, d, block, 0, k / TILE_K, slot.at[0]);
                assert_non_null(found);
                uint32_t bits;
                memcpy(&bits, &sum, sizeof bits);
                assert_int_equal(found[slot.at[1]], bits);
            }
        }
    }
    free(w);
    free(x);
    return compared;
}

static void need_gpu(void)
{
    if (!have_gpu)
        skip();
}

static void rs_gemm_tapped_holds_what_the_contract_wants(void **state)
{
    need_gpu();
    struct run r;
    run_make(state, "rs", &r);
    assert_int_equal(check_a(&r, false), 0);
    assert_int_equal(check_d(&r), TILES * 64 * 64);
    run_free(&r);
}

static void rs_gemm_tapped_exchanged_registers_are_named(void **state)
{
    need_gpu();
    struct run r;
    run_make(state, "rs+F02", &r);
    assert_true(check_a(&r, true) > 1000);
    run_free(&r);
}

/* Not begun: the tapped kernel is the kernel. */
static void rs_gemm_tapped_without_a_buffer_gives_the_product(void **state)
{
    (void)state;
    need_gpu();
    struct problem p;
    struct run_report report;
    uint32_t status;
    size_t first = 0;
    problem_make_dense(splitmix_seed(), P, N, K, EXPERTS, &p);
    struct bf16 *want = problem_expected(&p, &status), *out = calloc((size_t)P * N, sizeof *out);
    assert_true(want && out);
    problem_run(&gpu, "rs", &p, (struct bf16){0x7fa5}, out, &report);
    assert_int_equal(outputs_differing(out, want, (size_t)P * N, &first), 0);
    free(want);
    free(out);
    problem_free(&p);
}

/* Words added over the threads of an assertion of one time. */
static uint32_t sum_of(const struct tap_image *image, uint32_t site, const char *operand, int word)
{
    const struct tap_image_stream *s = tap_image_find(image, site, FO_KIND_ASSERT, operand);
    assert_non_null(s);
    uint32_t sum = 0;
    for (uint32_t thread = 0; thread < THREADS; thread++) {
        const uint32_t *words = tap_image_words(image, s, 0, 0, 0, thread);
        assert_non_null(words);
        sum += words[word];
    }
    return sum;
}

/* A [64][16] against B with B[n][k] = (k == n % 16): D[m][n] = A[m][n % 16], exactly. */
static void assertions_of_a_tile_are_clean_until_its_bytes_are_exchanged(void **state)
{
    need_gpu();
    static uint16_t a[64 * 16], b[64 * 16], transposed[16 * 64];
    static float want[64 * 64];
    const void *host[] = {a, b, want, transposed};
    const size_t bytes[] = {sizeof a, sizeof b, sizeof want, sizeof transposed};
    void *device[4];
    char path[SCRATCH_PATH];
    struct error e;
    for (uint32_t i = 0; i < 64 * 16; i++) {
        a[i] = (uint16_t)(0x3f80 + i % 1000);
        b[i] = i / 16 % 16 == i % 16 ? 0x3f80 : 0;
        transposed[i % 16 * 64 + i / 16] = b[i];
    }
    for (uint32_t i = 0; i < 64 * 64; i++) {
        uint32_t bits = (uint32_t)a[i / 64 * 16 + i % 64 % 16] << 16;
        memcpy(&want[i], &bits, sizeof bits);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(test_device_put(host[i], bytes[i], &device[i]), 0);
    for (int swap = 0; swap < 2; swap++) {
        struct tap_image image;
        assert_int_equal(tile_capture.begin(NULL, 8, FO_ASSERT_WORDS), 0);
        assert_int_equal(test_device_tile(device[0], device[1], device[2], device[3], swap), 0);
        assert_int_equal(tile_capture.save(scratch_path(state, "t.ftap", path)), 0);
        assert_int_equal(tile_capture.end(), 0);
        assert_int_equal(tap_image_read(path, &image, &e), STATUS_OK);
        assert_int_equal(image.stream_count, 5);
        for (uint32_t site = 0; site < 4; site++)
            assert_int_equal(sum_of(&image, site, "smem", FO_ASSERT_COMPARED), 64 * 16);
        assert_int_equal(sum_of(&image, 0, "D", FO_ASSERT_COMPARED), 64 * 64);
        assert_int_equal(sum_of(&image, 0, "smem", FO_ASSERT_WRONG), 0);
        assert_int_equal(sum_of(&image, 3, "smem", FO_ASSERT_WRONG), 0);
        /* Every odd row has its one in the other chunk: two elements each. */
        assert_int_equal(sum_of(&image, 1, "smem", FO_ASSERT_WRONG), swap ? 64 : 0);
        /* Beyond the end zero is expected: the one of the last row is wrong, wherever it lies. */
        assert_int_equal(sum_of(&image, 2, "smem", FO_ASSERT_WRONG), swap ? 63 : 1);
        assert_int_equal(sum_of(&image, 0, "D", FO_ASSERT_WRONG) > 0, swap);
        tap_image_free(&image);
    }
    for (int i = 0; i < 4; i++)
        test_device_drop(device[i]);
}

int main(void)
{
    struct error e;
    have_gpu = machine_gpu(&gpu, &e) == STATUS_OK;
    if (!have_gpu)
        print_message("not run: %s\n", e.why);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rs_gemm_tapped_holds_what_the_contract_wants, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(rs_gemm_tapped_exchanged_registers_are_named, scratch_setup, scratch_teardown),
        cmocka_unit_test(rs_gemm_tapped_without_a_buffer_gives_the_product),
        cmocka_unit_test_setup_teardown(assertions_of_a_tile_are_clean_until_its_bytes_are_exchanged, scratch_setup,
                                        scratch_teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed ? failed : have_gpu ? 0 : SKIPPED;
}
#else
int main(void)
{
    struct error e;
    have_gpu = machine_gpu(&gpu, &e) == STATUS_OK;
    fprintf(stderr, "not run: %s\n", have_gpu ? "built without CUDA" : e.why);
    return SKIPPED;
}
#endif
