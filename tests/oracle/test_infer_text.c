/* infer: many sites in few lines; what was read; what nobody reached; what to change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oracle/io/tap_image.h"
#include "tests/oracle/infer_captures.h"

enum { ROWS = 128, COLUMNS = 256 };
static const uint8_t exchanged[8] = {0, 1, 2, 3, 4, 5, 6, 7};

/* Sites `first` to `last` with A of their own tile, two records each. */
static void add_sites(struct capture *c, const struct matrix16 *m, uint32_t first, uint32_t last,
                      const uint8_t order[8])
{
    for (uint32_t site = first; site <= last; site++) {
        uint32_t s = capture_stream(c, OP_BF16, "A", FO_KIND_A, site, 4);
        snprintf(c->stream[s].source, sizeof c->stream[s].source, "/home/a/long/way/to/kernel.cu:7");
        for (uint32_t n = 0; n < c->head.iterations; n++)
            capture_pack(c, s, n, m, 64, 16 * (site % 8) + 128 * (n % 2), order);
    }
}

static struct fo_answer answer_of(void **state, struct capture *c, const struct matrix16 *m)
{
    struct asked a;
    ask16(state, c, m, &a);
    capture_free(c);
    return infer_answer_of(a.o);
}

static void fo_infer_of_neighbours_that_say_the_same_says_it_once(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 1);
    struct capture c = capture_of(1, 1, 2);
    add_sites(&c, &m, 3, 8, order_wanted);
    struct fo_answer answer = answer_of(state, &c, &m);
    assert_string_equal(answer.text,
                        "capture: a kernel; block 0, warpgroup 0, iterations 0-1; nothing refused\n"
                        "sites 3-8, to/kernel.cu:7: " OP_BF16 "\n"
                        "  A: conforms: 12288 of 12288 slots in 12 of 12 records; proved unique among affine maps\n"
                        "    tiles at (64,48), (64,176), (64,64), (64,192), ...\n"
                        "verdict: conforms\n"
                        "Recording changes when a kernel does what: it can hide a race (hardware-instrumented).\n");
    fo_answer_free(&answer);
    free(m.bits);
}

static void fo_infer_of_neighbours_that_differ_says_which(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 2);
    struct capture c = capture_of(1, 1, 2);
    add_sites(&c, &m, 0, 1, order_wanted);
    add_sites(&c, &m, 2, 3, exchanged);
    add_sites(&c, &m, 5, 5, order_wanted);
    struct fo_answer answer = answer_of(state, &c, &m);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "sites 0-3, 5, to/kernel.cu:7: " OP_BF16 "\n"
                         "  A (sites 0-1, 5): conforms: 6144 of 6144 slots in 6 of 6 records; ");
    expect_says(&answer, "  A (sites 2-3): differs: values right, order wrong: registers R1 and R2 exchanged; 512 of "
                         "1024 slots wrong; the same map in 4 of 4 records; proved unique");
    expect_says(&answer, "verdict: differs: order of the A fragment (sites 2-3, to/kernel.cu:7)\n"
                         "fix: give wgmma the registers in the order R0 R2 R1 R3\n");
    fo_answer_free(&answer);
    free(m.bits);
}

static void fo_infer_of_neighbours_with_other_causes_tells_both(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 6);
    struct capture c = capture_of(1, 1, 2);
    add_sites(&c, &m, 0, 1, order_wanted);
    memset(capture_words(&c, 0, 0, 0), 0, sizeof(uint32_t[2 * 512]));
    memset(capture_words(&c, 1, 1, 0), 0, sizeof(uint32_t[512]));
    struct fo_answer answer = answer_of(state, &c, &m);
    expect_says(&answer, "  A (site 0): differs: every slot holds zero in 2 of 2 records");
    expect_says(&answer, "  A (site 1): differs: every slot holds zero in 1 of 2 records");
    fo_answer_free(&answer);
    free(m.bits);
}

static void fo_infer_of_other_sources_and_operations_says_them_apart(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 3);
    struct capture c = capture_of(1, 1, 2);
    add_sites(&c, &m, 0, 3, order_wanted);
    snprintf(c.stream[2].source, sizeof c.stream[2].source, "b.cu:9");
    snprintf(c.stream[3].source, sizeof c.stream[3].source, "b.cu:9");
    snprintf(c.stream[3].op, sizeof c.stream[3].op, "wgmma.m64n8k16.f32.bf16.bf16.rs");
    struct fo_answer answer = answer_of(state, &c, &m);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "\nsites 0-1, to/kernel.cu:7: " OP_BF16 "\n  A: conforms: 4096 of 4096");
    expect_says(&answer, "\nsite 2, b.cu:9: " OP_BF16 "\n  A: conforms: 2048 of 2048");
    expect_says(&answer, "\nsite 3, b.cu:9: wgmma.m64n8k16.f32.bf16.bf16.rs\n  A: conforms: 2048 of 2048");
    fo_answer_free(&answer);
    free(m.bits);
}

static void fo_infer_of_sites_that_nobody_reached_decides_by_the_others(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 4);
    struct capture c = capture_of(1, 1, 2);
    add_sites(&c, &m, 0, 6, order_wanted);
    c.came[1] = c.came[2] = c.came[5] = 0;
    struct asked a;
    ask16(state, &c, &m, &a);
    struct fo_answer answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "sites 0, 3-4, 6, to/kernel.cu:7: ");
    expect_says(&answer, "sites 1-2, 5: not reached by any thread of the capture\nverdict: conforms\n");
    assert_non_null(strstr(answer.json, "\"reached\": false"));
    fo_answer_free(&answer);
    a.o.site = 5;
    answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_UNDECIDED);
    expect_says(&answer, "site 5: not reached by any thread of the capture\nNo site was reached: tap more blocks, ");
    fo_answer_free(&answer);
    /* The same where there is nothing to compare with. */
    a.o.matrix = NULL;
    answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_UNDECIDED);
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
}

/* A capture folder, as the injected library writes it, with what is known of the launch. */
static struct fo_answer ask_folder(void **state, struct capture *c, const struct matrix16 *m,
                                   const struct tap_image_launch *launch, uint32_t refused)
{
    struct tap_image image;
    struct asked a;
    char folder[SCRATCH_PATH];
    size_t size;
    uint8_t *bytes = capture_image(c, &size);
    ask16(state, c, m, &a);
    a.o.capture = scratch_path(state, "launch0", folder);
    assert_int_equal(tap_image_parse("image", bytes, size, &image, NULL), STATUS_OK);
    image.launch = *launch;
    image.refused = refused;
    assert_int_equal(file_make_folder(folder, NULL), STATUS_OK);
    assert_int_equal(tap_image_write(folder, &image, NULL), STATUS_OK);
    tap_image_free(&image);
    free(bytes);
    return infer_answer_of(a.o);
}

static void fo_infer_of_a_folder_says_what_was_read(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 5);
    struct capture c = capture_of(2, 1, 2);
    struct tap_image_launch launch = {.kernel = "_ZN7cutlass13device_kernelIN4cute5tupleEEEv",
                                      .launch = 7,
                                      .gpu = "a GPU",
                                      .driver = "1.2",
                                      .date = "today"};
    uint32_t s = capture_stream(&c, OP_BF16, "A", FO_KIND_A, 0, 4);
    for (uint32_t n = 0; n < 4; n++)
        capture_pack(&c, s, n, &m, 0, 16 * n, order_wanted);
    c.head.first_block = 3;
    c.head.first_warpgroup = 1;
    struct fo_answer answer = ask_folder(state, &c, &m, &launch, 0);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "capture: cutlass::device_kernel<...>, launch 7 on a GPU; blocks 3-4, warpgroup 1, iterations "
                         "0-1; nothing refused\n");
    expect_says(&answer, "4096 of 4096 slots in 4 of 4 records");
    fo_answer_free(&answer);
    c.came[s] = 9;
    c.head.keep_last = 1;
    snprintf(launch.kernel, sizeof launch.kernel,
             "a_name_that_is_far_too_long_to_be_told_whole_because_"
             "nobody_wants_to_read_it");
    answer = ask_folder(state, &c, &m, &launch, 5);
    expect_says(&answer, "capture: a_name_that_is_far_too_long_to_be_told_whole_because_nobody_...");
    expect_says(&answer, ", the last 2 iterations of 9; the recorder had no room 5 times: this is not whole\n");
    fo_answer_free(&answer);
    snprintf(launch.kernel, sizeof launch.kernel, "_Z4gemmPKfS0_Pf");
    c.came[s] = 3;
    c.head.keep_last = 0;
    answer = ask_folder(state, &c, &m, &launch, 0);
    expect_says(&answer, "capture: gemm, launch 7 on a GPU; blocks 3-4, warpgroup 1, iterations 0-1 of 3; nothing");
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
}

/* Slot p of every thread in `first` to `last` holds what slot order[p] of the contract should, of thread from(t). */
static void fill(struct capture *c, const struct matrix16 *m, const uint8_t order[8], uint32_t first, uint32_t last,
                 uint32_t exclusive, uint32_t step)
{
    for (uint32_t n = 0; n < c->head.iterations; n++)
        for (uint32_t t = 0; t < 128; t++)
            for (unsigned p = 0; p < 8; p++) {
                bool moved = t >= first && t <= last;
                unsigned v = moved ? order[p] : order_wanted[p];
                struct point at = lane_value(moved ? ((t ^ exclusive) + step) % 128 : t, v);
                uint32_t *w = capture_words(c, 0, n, t) + p / 2;
                *w = (*w & (p % 2 ? 0xffffu : 0xffff0000u)) | (uint32_t)matrix16_at(m, 64 + at.at[0], 16 * n + at.at[1])
                                                                  << 16 * (p % 2);
            }
}

static void fo_infer_of_a_wrong_order_says_the_fix_that_mends_it(void **state)
{
    static const struct {
        uint8_t order[8];
        uint32_t first, last, exclusive, step;
        const char *fix;
    } cases[] = {
        {{0, 1, 2, 3, 4, 5, 6, 7}, 0, 127, 0, 0, "fix: give wgmma the registers in the order R0 R2 R1 R3\n"},
        /* R0 holds what R1 should, R1 what R2 should, R2 what R3 should, R3 what R0 should */
        {{4, 5, 2, 3, 6, 7, 0, 1}, 0, 127, 0, 0, "fix: give wgmma the registers in the order R3 R0 R1 R2\n"},
        {{0, 4, 1, 5, 3, 7, 6, 2},
         0,
         127,
         0,
         0,
         "fix: pack the values of a lane in the order v00 v01 v04 v05 v02 v03 v06 v07\n"},
        {{2, 3, 4, 5, 0, 1, 6, 7},
         32,
         63,
         0,
         0,
         "fix: in threads 32 to 63: give wgmma the registers in the order R2 R1 R0 R3\n"},
        {{0, 1, 4, 5, 2, 3, 6, 7}, 0, 127, 16, 0, "fix: let thread t take what thread t ^ 16 takes now\n"},
        {{0, 1, 4, 5, 2, 3, 6, 7}, 0, 127, 0, 5, "fix: let thread t take what thread (t + 123) % 128 takes now\n"},
        {{0, 1, 2, 3, 4, 5, 6, 7}, 0, 127, 16, 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct matrix16 m = matrix16_random(ROWS, COLUMNS, 20 + i);
        struct capture c = capture_of(1, 1, 2);
        capture_stream(&c, OP_BF16, "A", FO_KIND_A, 0, 4);
        fill(&c, &m, cases[i].order, cases[i].first, cases[i].last, cases[i].exclusive, cases[i].step);
        struct fo_answer answer = answer_of(state, &c, &m);
        expect_verdict(&answer, FO_DIFFERS);
        if (cases[i].fix)
            expect_says(&answer, cases[i].fix);
        else
            expect_silent(&answer, "fix");
        fo_answer_free(&answer);
        free(m.bits);
    }
}

static void fo_infer_of_what_is_not_sure_gives_no_fix(void **state)
{
    /* One record of two is right: another order would break it. */
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 30);
    struct capture c = packed(&m, order_wanted, 2);
    memset(capture_words(&c, 0, 1, 0), 0, sizeof(uint32_t[512]));
    capture_pack(&c, 0, 1, &m, 64, 16, exchanged);
    struct fo_answer answer = answer_of(state, &c, &m);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "registers R1 and R2 exchanged");
    expect_silent(&answer, "fix");
    fo_answer_free(&answer);
    free(m.bits);
    /* What R2 should hold is nowhere: no order mends that. */
    m = matrix16_random(ROWS, COLUMNS, 34);
    c = packed(&m, order_wanted, 2);
    for (uint32_t n = 0; n < 2; n++)
        for (uint32_t t = 0; t < 128; t++)
            capture_words(&c, 0, n, t)[2] = capture_words(&c, 0, n, t)[1];
    answer = answer_of(state, &c, &m);
    expect_says(&answer, "registers hold what others should: R2 that of R1; 256 of 1024 slots wrong");
    expect_silent(&answer, "fix");
    fo_answer_free(&answer);
    free(m.bits);
    /* Every third thread: that is no order. */
    m = matrix16_random(ROWS, COLUMNS, 33);
    c = packed(&m, order_wanted, 2);
    for (uint32_t n = 0; n < 2; n++)
        for (uint32_t t = 0; t < 128; t += 3) {
            uint32_t *w = capture_words(&c, 0, n, t), keep = w[1];
            w[1] = w[2];
            w[2] = keep;
        }
    answer = answer_of(state, &c, &m);
    expect_says(&answer, "registers R1 and R2 exchanged, in 43 of 128 threads, 0 to 126;");
    expect_silent(&answer, "fix");
    fo_answer_free(&answer);
    free(m.bits);
    /* Columns 8 and 9 are equal to 10 and 11: several maps fit. */
    m = matrix16_random(ROWS, COLUMNS, 31);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < COLUMNS; j++)
            m.bits[i * COLUMNS + j] = m.bits[i * COLUMNS + (j & ~(size_t)2)];
    c = packed(&m, exchanged, 2);
    answer = answer_of(state, &c, &m);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "maps fit");
    expect_silent(&answer, "fix");
    fo_answer_free(&answer);
    free(m.bits);
}

static void fo_infer_of_two_faults_says_which_fix_is_for_which(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 32);
    struct capture c = capture_of(1, 1, 2);
    add_sites(&c, &m, 0, 1, exchanged);
    add_sites(&c, &m, 2, 2, (const uint8_t[]){2, 3, 4, 5, 0, 1, 6, 7});
    struct fo_answer answer = answer_of(state, &c, &m);
    expect_says(&answer, "verdict: differs: order of the A fragment (sites 0-1, to/kernel.cu:7)\n"
                         "fix (sites 0-1): give wgmma the registers in the order R0 R2 R1 R3\n"
                         "fix (site 2): give wgmma the registers in the order R2 R1 R0 R3\n");
    fo_answer_free(&answer);
    free(m.bits);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fo_infer_of_neighbours_that_say_the_same_says_it_once),
        TEST(fo_infer_of_neighbours_that_differ_says_which),
        TEST(fo_infer_of_neighbours_with_other_causes_tells_both),
        TEST(fo_infer_of_other_sources_and_operations_says_them_apart),
        TEST(fo_infer_of_sites_that_nobody_reached_decides_by_the_others),
        TEST(fo_infer_of_a_folder_says_what_was_read),
        TEST(fo_infer_of_a_wrong_order_says_the_fix_that_mends_it),
        TEST(fo_infer_of_what_is_not_sure_gives_no_fix),
        TEST(fo_infer_of_two_faults_says_which_fix_is_for_which),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
