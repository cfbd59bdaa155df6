/* chosen_weights: the sample, random where it ends, a file, each cut to what was asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oracle/answer/answer.h"
#include "oracle/io/safetensors.h"
#include "probes/weights.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

#define GATE "model.layers.0.mlp.experts.gate_up_proj"
#define DOWN "model.layers.0.mlp.experts.down_proj"

static const char sample_path[] = FO_SOURCE_DIR "/artifacts/sample/sample.safetensors";

static struct chosen_weights choose(const char *kind, const char *tensor, uint64_t expert, size_t N, size_t K)
{
    const struct fo_weights_options o = {kind, tensor, expert, 11};
    struct chosen_weights c;
    struct error e;
    if (chosen_weights_make(&o, N, K, &c, &e) != STATUS_OK)
        fail_msg("%s: %s", e.path, e.why);
    assert_int_equal(c.w.N, N);
    assert_int_equal(c.w.K, K);
    assert_ptr_equal(c.w.blocks, c.blocks);
    assert_ptr_equal(c.w.scales, c.scales);
    return c;
}

/* c is what a file holds of this tensor from expert `first` on. */
static void assert_cut_from(const struct chosen_weights *c, const char *path, const char *stem, size_t first)
{
    struct safetensors file;
    struct weights all;
    struct error e;
    assert_int_equal(safetensors_read(path, &file, &e), STATUS_OK);
    assert_int_equal(safetensors_weights(&file, stem, &all, &e), STATUS_OK);
    assert_true(first + c->w.experts <= all.experts);
    size_t blocks = c->w.K / 32, rows = 0;
    for (size_t x = 0; x < c->w.experts; x++)
        for (size_t n = 0; n < c->w.N; n++, rows++) {
            size_t from = ((first + x) * all.N + n) * (all.K / 32), to = (x * c->w.N + n) * blocks;
            assert_memory_equal(c->w.blocks + to * 16, all.blocks + from * 16, blocks * 16);
            assert_memory_equal(c->w.scales + to, all.scales + from, blocks);
        }
    assert_true(rows > 0);
    safetensors_free(&file);
}

static void assert_refused(const char *kind, const char *tensor, uint64_t expert, size_t N, size_t K, enum status s,
                           const char *path, const char *field, const char *why)
{
    const struct fo_weights_options o = {kind, tensor, expert, 0};
    struct chosen_weights c, before;
    struct error e;
    memset(&c, 0x5a, sizeof c);
    before = c;
    assert_int_equal(chosen_weights_make(&o, N, K, &c, &e), s);
    expect_error(&e, s, path, field, -1, why);
    assert_memory_equal(&c, &before, sizeof c);
    assert_int_equal(chosen_weights_make(&o, N, K, &c, NULL), s);
}

static void chosen_weights_of_the_sample_are_the_tensor_that_is_large_enough(void **state)
{
    (void)state;
    struct chosen_weights c = choose(NULL, NULL, 0, 208, 192);
    assert_string_equal(c.what, "sample: " GATE " from expert 0, 208 x 192 of 272 x 320");
    assert_int_equal(c.w.experts, 6);
    assert_cut_from(&c, sample_path, GATE, 0);
    chosen_weights_free(&c);

    c = choose("sample", NULL, 2, 112, 352);
    assert_string_equal(c.what, "sample: " DOWN " from expert 2, 112 x 352 of 112 x 1472");
    assert_int_equal(c.w.experts, 4);
    assert_cut_from(&c, sample_path, DOWN, 2);
    chosen_weights_free(&c);

    c = choose("sample", DOWN, 0, 16, 64);
    assert_cut_from(&c, sample_path, DOWN, 0);
    chosen_weights_free(&c);
}

static void chosen_weights_beyond_the_sample_are_random_and_say_so(void **state)
{
    (void)state;
    static const struct {
        const char *tensor;
        size_t N, K;
    } beyond[] = {{NULL, 273, 32}, {NULL, 16, 1504}, {NULL, 113, 352}, {DOWN, 208, 192}};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        struct chosen_weights c = choose(NULL, beyond[i].tensor, 0, beyond[i].N, beyond[i].K);
        struct weights_set random;
        char what[160];
        snprintf(what, sizeof what, "random (the sample has no %zu x %zu), seed 11", beyond[i].N, beyond[i].K);
        assert_string_equal(c.what, what);
        assert_int_equal(c.w.experts, 8);
        assert_int_equal(weights_make(WEIGHTS_RANDOM, 8, c.w.N, c.w.K, 11, &random, NULL), STATUS_OK);
        assert_memory_equal(c.blocks, random.blocks, 8 * c.w.N * c.w.K / 2);
        assert_memory_equal(c.scales, random.scales, 8 * c.w.N * c.w.K / 32);
        weights_free(&random);
        chosen_weights_free(&c);
    }
}

static void chosen_weights_made_from_a_seed_are_those_of_the_probes(void **state)
{
    (void)state;
    static const enum weights_kind kinds[] = {WEIGHTS_RANDOM, WEIGHTS_ADVERSARIAL};
    static const char *const names[] = {"random", "adversarial"};
    for (int i = 0; i < 2; i++) {
        struct chosen_weights c = choose(names[i], NULL, 0, 17, 96);
        struct weights_set made;
        assert_int_equal(weights_make(kinds[i], 8, 17, 96, 11, &made, NULL), STATUS_OK);
        assert_memory_equal(c.blocks, made.blocks, 8 * 17 * 48);
        assert_memory_equal(c.scales, made.scales, 8 * 17 * 3);
        assert_non_null(strstr(c.what, names[i]));
        weights_free(&made);
        chosen_weights_free(&c);
    }
}

static void chosen_weights_of_a_file_start_at_the_expert_and_stop_at_eight(void **state)
{
    enum { EXPERTS = 11, ROWS = 3, BLOCKS = 2 };
    static uint8_t blocks[EXPERTS * ROWS * BLOCKS * 16], scales[EXPERTS * ROWS * BLOCKS];
    const struct safetensors_entry entry[] = {{"w_blocks", "U8", 4, {EXPERTS, ROWS, BLOCKS, 16}, blocks},
                                              {"w_scales", "U8", 3, {EXPERTS, ROWS, BLOCKS}, scales}};
    static const size_t first[] = {0, 1, 3, 4, 10}, count[] = {8, 8, 8, 7, 1};
    char path[SCRATCH_PATH];
    for (size_t i = 0; i < sizeof blocks; i++)
        blocks[i] = (uint8_t)(i * 7 + i / 251);
    for (size_t i = 0; i < sizeof scales; i++)
        scales[i] = (uint8_t)i;
    scratch_path(state, "w.safetensors", path);
    assert_int_equal(safetensors_write(path, entry, 2, NULL, NULL), STATUS_OK);
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        struct chosen_weights c = choose(path, "w", first[i], 2, 32);
        char what[160];
        snprintf(what, sizeof what, "w.safetensors: w from expert %zu, 2 x 32 of 3 x 64", first[i]);
        assert_string_equal(c.what, what);
        assert_int_equal(c.w.experts, count[i]);
        assert_cut_from(&c, path, "w", first[i]);
        chosen_weights_free(&c);
    }
    assert_refused(path, "w", EXPERTS, 2, 32, STATUS_BAD_ARGUMENT, path, "w", "there is no expert 11, only 0 to 10");
    assert_refused(path, "w", 0, 4, 64, STATUS_BAD_ARGUMENT, path, "w", "has only N = 3, K = 64");
    assert_refused(path, "w", 0, 3, 96, STATUS_BAD_ARGUMENT, path, "w", "has only N = 3, K = 64");
    assert_refused(path, NULL, 0, 3, 64, STATUS_BAD_ARGUMENT, "", "", "wants --tensor STEM");
}

static void chosen_weights_of_no_extent_are_the_whole_tensor(void **state)
{
    (void)state;
    const struct fo_weights_options o = {sample_path, DOWN, 5, 0};
    struct chosen_weights c;
    assert_int_equal(chosen_weights_make(&o, 0, 0, &c, NULL), STATUS_OK);
    assert_int_equal(c.w.experts, 1);
    assert_int_equal(c.w.N, 112);
    assert_int_equal(c.w.K, 1472);
    assert_cut_from(&c, sample_path, DOWN, 5);
    chosen_weights_free(&c);
}

static void chosen_weights_that_cannot_be_are_refused(void **state)
{
    char path[SCRATCH_PATH];
    assert_refused(NULL, NULL, 0, 16, 33, STATUS_BAD_ARGUMENT, "", "", "K = 33 is not a multiple of 32");
    assert_refused(NULL, NULL, 6, 16, 32, STATUS_BAD_ARGUMENT, sample_path, GATE, "there is no expert 6, only 0 to 5");
    assert_refused("random", "w", 0, 16, 32, STATUS_BAD_ARGUMENT, "", "", "belong to weights from a file");
    assert_refused("adversarial", NULL, 1, 16, 32, STATUS_BAD_ARGUMENT, "", "", "belong to weights from a file");
    assert_refused("random", NULL, 0, 0, 32, STATUS_BAD_ARGUMENT, "", "", "at least one expert, row and column");
    scratch_path(state, "none", path);
    assert_refused(path, "w", 0, 16, 32, STATUS_IO, path, "", "cannot open");

    /* Without its sample the program does not fall back to anything. */
    char sample[SCRATCH_PATH];
    scratch_path(state, "sample/sample.safetensors", sample);
    assert_int_equal(setenv("FRAGORACLE_ARTIFACTS", *state, 1), 0);
    assert_refused(NULL, NULL, 0, 16, 32, STATUS_IO, sample, "", "cannot open");
    assert_int_equal(setenv("FRAGORACLE_ARTIFACTS", FO_SOURCE_DIR "/artifacts", 1), 0);
}

static enum status make_once(void *context, struct error *e)
{
    const struct fo_weights_options o = {context, NULL, 0, 0};
    struct chosen_weights c;
    enum status s = chosen_weights_make(&o, 17, 32, &c, e);
    if (s == STATUS_OK)
        chosen_weights_free(&c);
    return s;
}

static void chosen_weights_without_memory_say_so(void **state)
{
    (void)state;
    static char random[] = "random", adversarial[] = "adversarial";
    assert_int_equal(alloc_check(make_once, NULL, random), 2);
    assert_int_equal(alloc_check(make_once, NULL, adversarial), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chosen_weights_of_the_sample_are_the_tensor_that_is_large_enough),
        cmocka_unit_test(chosen_weights_beyond_the_sample_are_random_and_say_so),
        cmocka_unit_test(chosen_weights_made_from_a_seed_are_those_of_the_probes),
        cmocka_unit_test_setup_teardown(chosen_weights_of_a_file_start_at_the_expert_and_stop_at_eight, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(chosen_weights_of_no_extent_are_the_whole_tensor),
        cmocka_unit_test_setup_teardown(chosen_weights_that_cannot_be_are_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test(chosen_weights_without_memory_say_so),
    };
    setenv("FRAGORACLE_ARTIFACTS", FO_SOURCE_DIR "/artifacts", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
