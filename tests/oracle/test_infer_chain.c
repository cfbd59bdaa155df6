/* infer: D of several wgmma that add into one accumulator, in loops and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reference/accumulate.h"
#include "tests/oracle/infer_captures.h"
#include "tests/support/alloc.h"

enum { N = 64, KS = 16, STEPS_MOST = 12, SITES = 4, ANEW = 16, RESULT = 32 };

/* What runs, step by step: a site, perhaps beginning anew, perhaps with a result of that site behind it. */
struct scene {
    struct matrix16 a, b;
    struct capture c;
    uint32_t stream_a[SITES], stream_b[SITES], stream_scale[SITES], stream_d[SITES];
    float d[TILE_M][N];
};

static void product_step(struct scene *s, size_t k0, bool anew)
{
    static struct accumulate_operand left[KS], right[KS];
    for (size_t m = 0; m < TILE_M; m++)
        for (size_t n = 0; n < N; n++) {
            struct bf16 x[KS], y[KS];
            for (size_t k = 0; k < KS; k++) {
                x[k].bits = matrix16_at(&s->a, m, k0 + k);
                y[k].bits = matrix16_at(&s->b, k0 + k, n);
            }
            accumulate_prepare(x, KS, left);
            accumulate_prepare(y, KS, right);
            s->d[m][n] = accumulate_step(&accumulate_hopper_bf16, left, right, anew ? 0 : s->d[m][n]);
        }
}

static void put_d(struct scene *s, uint32_t site)
{
    struct wgmma_op op;
    struct layout map;
    uint32_t stream = s->stream_d[site];
    wgmma_parse(OP_BF16, &op, NULL);
    fragment_map(&op, FRAGMENT_D, &map, NULL);
    for (uint32_t i = 0; i < box_size(&map.domain); i++) {
        struct point slot = box_point(&map.domain, i), at = layout_apply(&map, &slot);
        capture_words(&s->c, stream, s->c.came[stream], slot.at[0])[slot.at[1]] = f32_bits(s->d[at.at[0]][at.at[1]]);
    }
    s->c.came[stream]++;
}

static void put_factors(struct scene *s, uint32_t site, size_t k0, bool anew)
{
    uint32_t a = s->stream_a[site], b = s->stream_b[site], scale = s->stream_scale[site], time = s->c.came[a];
    capture_pack(&s->c, a, time, &s->a, 0, k0, order_wanted);
    for (uint32_t t = 0; t < 128; t++) {
        uint16_t *chunk = (uint16_t *)(void *)capture_words(&s->c, b, time, t);
        for (size_t k = 0; k < 8; k++)
            chunk[k] = matrix16_at(&s->b, k0 + t % 2 * 8 + k, t / 2);
        *capture_words(&s->c, scale, time, t) = !anew;
    }
    s->c.came[a] = s->c.came[b] = s->c.came[scale] = time + 1;
}

/* Run steps of sites 0 .. 3 with these accumulators. */
static struct scene scene_of(const uint32_t accumulator[SITES], size_t steps, const int *step, uint64_t seed)
{
    size_t k = STEPS_MOST * KS;
    struct scene s = {.a = matrix16_random(TILE_M, k, seed), .b = matrix16_random(k, N, seed + 1)};
    bool used[SITES] = {false}, result[SITES] = {false};
    for (size_t i = 0; i < steps; i++) {
        used[step[i] % ANEW] = true;
        result[step[i] % ANEW] = result[step[i] % ANEW] || step[i] & RESULT;
    }
    s.c = capture_of(1, 1, 4);
    for (uint32_t site = 0; site < SITES; site++) {
        if (!used[site])
            continue;
        s.stream_a[site] = capture_stream(&s.c, OP_BF16, "A", FO_KIND_A, site, 4);
        s.stream_b[site] = capture_stream(&s.c, OP_BF16, "B", FO_KIND_B_BYTES, site, 4);
        s.stream_scale[site] = capture_stream(&s.c, OP_BF16, "", FO_KIND_SCALE_D, site, 1);
        if (result[site])
            s.stream_d[site] = capture_stream(&s.c, OP_BF16, "D", FO_KIND_D, site, N / 2);
    }
    for (uint32_t i = 0; i < s.c.head.streams; i++) {
        s.c.came[i] = 0;
        s.c.stream[i].accumulator = accumulator[s.c.stream[i].site];
    }
    for (size_t i = 0; i < steps; i++) {
        put_factors(&s, (uint32_t)step[i] % ANEW, i * KS, step[i] & ANEW);
        product_step(&s, i * KS, i == 0 || step[i] & ANEW);
        if (step[i] & RESULT)
            put_d(&s, (uint32_t)step[i] % ANEW);
    }
    return s;
}

static void expect(void **state, struct scene *s, enum fo_verdict v, const char *says)
{
    char capture[SCRATCH_PATH];
    scratch_path(state, "capture.bin", capture);
    capture_write(&s->c, capture);
    struct fo_answer answer = infer_answer_of((struct fo_infer_options){.capture = capture, .site = -1});
    expect_verdict(&answer, v);
    expect_says(&answer, says);
    fo_answer_free(&answer);
}

static void scene_free(struct scene *s)
{
    capture_free(&s->c);
    free(s->a.bits);
    free(s->b.bits);
}

static const uint32_t one_accumulator[SITES] = {0, 0, 0, 0};

/* A run that must conform, and must not when one bit of its first D is wrong. */
struct run {
    uint32_t accumulator[SITES];
    size_t steps;
    int step[STEPS_MOST];
    const char *says;
    enum fo_verdict wrong; /* the verdict on the wrong bit */
};
static void fo_infer_of_a_chain_conforms_in_the_order_that_ran(void **state)
{
#define FOLLOW "records follow from A, B and scale-d"
    static const struct run runs[] = {
        {{0}, 3, {0 | ANEW, 1, 2 | RESULT}, "1 of 1 " FOLLOW "\n", FO_DIFFERS},
        /* a prologue, a loop of two, a tail */
        {{0},
         8,
         {0 | ANEW, 1, 2, 1, 2, 1, 2, 3 | RESULT},
         "1 of 1 " FOLLOW "; summed as sites 0, 1-2 3 times, 3\n",
         FO_UNDECIDED},
        /* the same over two tiles */
        {{0},
         12,
         {0 | ANEW, 1, 2, 1, 2, 3 | RESULT, 0 | ANEW, 1, 2, 1, 2, 3 | RESULT},
         "2 of 2 " FOLLOW "; summed as sites 0, 1-2 twice, 3, all of it twice\n",
         FO_UNDECIDED},
        /* one loop behind the other, of counts that have a divisor in common */
        {{0},
         6,
         {0 | ANEW, 0, 1, 1, 1, 1 | RESULT},
         "1 of 1 " FOLLOW "; summed as sites 0 twice, 1 4 times\n",
         FO_UNDECIDED},
        /* a loop over all of them, and one with a result each time */
        {{0}, 6, {0 | ANEW, 1, 0, 1, 0, 1 | RESULT}, "; summed as 2 wgmma in turn, 3 times\n", FO_UNDECIDED},
        {{0}, 6, {0 | ANEW, 1 | RESULT, 0, 1 | RESULT, 0, 1 | RESULT}, "3 of 3 " FOLLOW "\n", FO_DIFFERS},
        /* what a loop begins with stands in other registers */
        {{1, 1, 2, 2},
         6,
         {0 | ANEW, 1, 2, 2, 2, 3 | RESULT},
         "1 of 1 " FOLLOW "; summed as sites 0-1, 2 3 times, 3\n",
         FO_UNDECIDED},
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct scene s = scene_of(runs[i].accumulator, runs[i].steps, runs[i].step, 10 * i);
        expect(state, &s, FO_CONFORMS, runs[i].says);
        for (uint32_t d = 0; d < s.c.head.streams; d++)
            if (s.c.stream[d].kind == FO_KIND_D)
                capture_words(&s.c, d, 0, 3)[5] ^= 1;
        expect(state, &s, runs[i].wrong,
               runs[i].wrong == FO_DIFFERS ? "D does not follow from the recorded" : "may have run in another order");
        scene_free(&s);
    }
}

static void fo_infer_of_a_chain_with_several_results_judges_each(void **state)
{
    struct scene s = scene_of(one_accumulator, 5, (const int[]){0 | ANEW, 1 | RESULT, 2, 3, 3 | RESULT}, 100);
    expect(state, &s, FO_CONFORMS, "site 1, kernel.cu:101");
    expect(state, &s, FO_CONFORMS, "; summed as sites 0-2, 3 twice\n");
    /* of the second alone */
    capture_words(&s.c, s.stream_d[3], 0, 0)[0] ^= 1;
    expect(state, &s, FO_UNDECIDED, "4096 of 4096 values in 1 of 1 " FOLLOW);
    scene_free(&s);
    /* two ways out of one loop: each has a stream */
    s = scene_of(one_accumulator, 3, (const int[]){0 | ANEW, 0 | RESULT, 0 | ANEW}, 110);
    uint32_t second = capture_stream(&s.c, OP_BF16, "D", FO_KIND_D, 0, N / 2);
    s.c.came[second] = 0;
    s.c.came[s.stream_d[0]] = 0;
    s.stream_d[0] = second;
    put_d(&s, 0);
    expect(state, &s, FO_CONFORMS, "4096 of 4096 values in 1 of 1 " FOLLOW);
    scene_free(&s);
}

static void fo_infer_of_a_chain_leaves_out_sites_that_did_not_run(void **state)
{
    struct scene s = scene_of(one_accumulator, 4, (const int[]){0 | ANEW, 2, 2 | RESULT, 1}, 130);
    s.c.came[s.stream_a[1]] = s.c.came[s.stream_b[1]] = s.c.came[s.stream_scale[1]] = 0;
    expect(state, &s, FO_CONFORMS, "; summed as sites 0, 2 twice\n");
    scene_free(&s);
}

static void fo_infer_of_a_chain_that_is_fed_is_never_wrong_from_the_d_before(void **state)
{
    /* Two tiles; the second D is not the first and what came between. */
    static const uint32_t fed[SITES] = {1, 2, 2, 2};
    struct scene s = scene_of(fed, 4, (const int[]){0 | ANEW, 1 | RESULT, 0 | ANEW, 1 | RESULT}, 140);
    expect(state, &s, FO_CONFORMS, "2 of 2 " FOLLOW "; summed as 2 wgmma in turn, twice\n");
    capture_words(&s.c, s.stream_d[1], 1, 3)[5] ^= 1;
    expect(state, &s, FO_UNDECIDED, "may have run in another order");
    /* What would feed it was not recorded whole: the accumulator alone. */
    s.c.stream[s.stream_b[0]].kind = FO_KIND_UNUSED;
    expect(state, &s, FO_DIFFERS, "D does not follow from the recorded");
    scene_free(&s);
}

static void fo_infer_of_a_chain_whose_counts_do_not_divide_is_undecided(void **state)
{
    struct scene s = scene_of(one_accumulator, 3, (const int[]){0 | ANEW, 0 | RESULT, 0 | RESULT}, 160);
    expect(state, &s, FO_UNDECIDED, "D and the wgmma of site 0 did not come by equally often");
    scene_free(&s);
}

/* fo_infer as alloc_check wants it. */
struct question {
    struct fo_infer_options o;
    struct fo_answer answer;
};
static enum status ask_once(void *context, struct error *e)
{
    struct question *q = context;
    struct fo_error error;
    enum status s = (enum status)fo_infer(&q->o, &q->answer, &error);
    return s == STATUS_OK ? s : error_set(e, s, "%.300s", error.line);
}

static void fo_infer_of_a_chain_without_memory_fails_cleanly(void **state)
{
    static const uint32_t fed[SITES] = {1, 2, 2, 2};
    struct scene s = scene_of(fed, 4, (const int[]){0 | ANEW, 1, 1, 2 | RESULT}, 150);
    char capture[SCRATCH_PATH];
    scratch_path(state, "capture.bin", capture);
    capture_write(&s.c, capture);
    struct question q = {.o = {.capture = capture, .site = -1}};
    assert_true(alloc_check(ask_once, NULL, &q) > 10);
    expect_says(&q.answer, "summed as sites 0, 1 twice, 2");
    fo_answer_free(&q.answer);
    scene_free(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fo_infer_of_a_chain_conforms_in_the_order_that_ran),
        TEST(fo_infer_of_a_chain_with_several_results_judges_each),
        TEST(fo_infer_of_a_chain_leaves_out_sites_that_did_not_run),
        TEST(fo_infer_of_a_chain_whose_counts_do_not_divide_is_undecided),
        TEST(fo_infer_of_a_chain_without_memory_fails_cleanly),
        TEST(fo_infer_of_a_chain_that_is_fed_is_never_wrong_from_the_d_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
