/* infer: what is refused, in one line; memory that runs out; images that nobody wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/oracle/infer_captures.h"
#include "tests/support/alloc.h"

enum { ROWS = 64, COLUMNS = 64 };

/* A capture with every kind of stream: A in a wrong order, B, D, an assertion. */
struct scene {
    char capture[SCRATCH_PATH], a[SCRATCH_PATH], b[SCRATCH_PATH], codes[SCRATCH_PATH], scales[SCRATCH_PATH];
    char output[SCRATCH_PATH], out[SCRATCH_PATH], dump[SCRATCH_PATH];
    struct capture c;
    struct matrix4 m;
};

static void scene_make(void **state, struct scene *s, const uint8_t order[8])
{
    s->m = matrix4_random(ROWS, COLUMNS, 1);
    s->c = capture_of(1, 1, 2);
    capture_stream(&s->c, OP_BF16, "A", FO_KIND_A, 0, 4);
    capture_stream(&s->c, OP_BF16, "B", FO_KIND_B_BYTES, 0, 4);
    capture_stream(&s->c, OP_BF16, "B", FO_KIND_B_DESCRIPTOR, 0, 2);
    capture_stream(&s->c, OP_BF16, "", FO_KIND_SCALE_D, 0, 1);
    capture_stream(&s->c, OP_BF16, "D", FO_KIND_D, 0, 32);
    capture_stream(&s->c, OP_BF16, "A", FO_KIND_ASSERT, 0, FO_ASSERT_WORDS);
    for (uint32_t n = 0; n < 2; n++)
        capture_pack(&s->c, 0, n, &s->m.value, 0, 16 * n, order);
    for (uint32_t n = 0; n < 2; n++)
        for (uint32_t t = 0; t < 128; t++)
            for (uint32_t i = 0; i < 8; i++)
                ((uint16_t *)(void *)capture_words(&s->c, 1, n, t))[i] = matrix16_at(&s->m.value, t % 2 * 8 + i, t / 2);
    scratch_path(state, "capture.bin", s->capture);
    scratch_path(state, "a.npy", s->a);
    scratch_path(state, "b.npy", s->b);
    scratch_path(state, "codes.npy", s->codes);
    scratch_path(state, "scales.npy", s->scales);
    scratch_path(state, "output.npy", s->output);
    scratch_path(state, "out", s->out);
    scratch_path(state, "dump.npy", s->dump);
    capture_write(&s->c, s->capture);
    matrix16_write(&s->m.value, s->a);
    matrix16_write(&s->m.value, s->b);
    npy_write(s->codes, NPY_U1, 2, (const size_t[]){ROWS, COLUMNS / 2}, s->m.packed, NULL);
    npy_write(s->scales, NPY_U1, 2, (const size_t[]){ROWS, COLUMNS / 32}, s->m.scale, NULL);
    matrix16_write(&s->m.value, s->output);
    npy_write(s->dump, NPY_U4, 3, (const size_t[]){2, 128, 4}, s->c.data[0], NULL);
}

static void scene_free(struct scene *s)
{
    capture_free(&s->c);
    matrix4_free(&s->m);
}

static void refused(struct fo_infer_options o, const char *why)
{
    struct fo_answer answer = {0};
    struct fo_error error;
    if (fo_infer(&o, &answer, &error) == 0)
        fail_msg("not refused with \"%s\":\n%s", why, answer.text);
    if (!strstr(error.line, why) || strchr(error.line, '\n'))
        fail_msg("\"%s\" does not say \"%s\"", error.line, why);
    assert_null(answer.text);
    assert_null(answer.json);
}

static void fo_infer_of_what_cannot_be_is_refused_in_one_line(void **state)
{
    struct scene s;
    scene_make(state, &s, order_wanted);
#define O(...) ((struct fo_infer_options){.site = -1, __VA_ARGS__})
    refused(O(.matrix = s.a), "a capture is needed");
    refused(O(.capture = "/there/is/none"), "/there/is/none");
    refused(O(.capture = s.a), "an .npy of registers wants --op, --operand and --matrix");
    refused(O(.capture = s.capture, .matrix = s.a, .weights = s.a), "not from both");
    refused(O(.capture = s.capture, .weights = s.a), "wants --tensor STEM");
    refused(O(.capture = s.capture, .tensor = "x"), "--tensor and --expert belong to --weights");
    refused(O(.capture = s.capture, .weights = s.a, .tensor = "x", .source = "mxfp4"), "belong to --matrix");
    refused(O(.capture = s.capture, .source = "int4"), "--source and --scales want --matrix");
    refused(O(.capture = s.capture, .matrix = s.codes, .source = "int5"),
            "source: unknown coding 'int5'; legal: plain");
    refused(O(.capture = s.capture, .matrix = s.codes, .source = "mxfp4"), "source mxfp4 wants --scales");
    refused(O(.capture = s.capture, .matrix = s.codes, .source = "int4", .scales = s.scales),
            "belongs to source mxfp4");
    refused(O(.capture = s.capture, .matrix = s.a, .source = "mxfp4", .scales = s.scales), "a.npy");
    refused(O(.capture = s.capture, .matrix = s.codes, .source = "mxfp4", .scales = s.codes), "codes.npy");
    refused(O(.capture = s.capture, .matrix = s.codes), "a matrix of bf16 is u2 (its bits) or f4 (rounded), not |u1");
    refused(O(.capture = s.capture, .matrix = s.dump), "a matrix has two dimensions, none of them 0; this has rank 3");
    refused(O(.capture = s.capture, .matrix = s.a, .at = "1"), "at: '1' is no element; write M,K");
    refused(O(.capture = s.capture, .matrix = s.a, .at = "1,2,"), "is no element");
    refused(O(.capture = s.capture, .matrix = s.a, .at = "-1,2"), "is no element");
    refused((struct fo_infer_options){.capture = s.capture, .matrix = s.a, .site = 5}, "the capture has no site 5");
    refused(O(.capture = s.capture, .matrix = s.a, .op = OP_BF16), "belong to an .npy of registers");
    refused(O(.capture = s.dump, .matrix = s.a, .op = OP_BF16), "wants --op, --operand and --matrix");
    refused(O(.capture = s.dump, .matrix = s.a, .op = "wgmma.x", .operand = "A"), "wgmma.x");
    refused(O(.capture = s.dump, .matrix = s.a, .op = OP_BF16, .operand = "E"), "\"E\" is no operand");
    refused(O(.capture = s.dump, .matrix = s.a, .op = OP_BF16, .operand = "D"), "registers are u4 [128,32]");
    refused(O(.capture = s.dump, .matrix = s.a, .op = OP_BF16, .operand = "A", .b = s.b), "want a capture");
    refused(O(.capture = s.capture, .matrix = s.a, .out = s.a), "a.npy");
    scene_free(&s);
}

static void fo_infer_of_matrices_the_wrong_way_round_says_which(void **state)
{
    struct scene s;
    static const uint16_t zeros[64 * 96];
    scene_make(state, &s, order_wanted);
    npy_write(s.a, NPY_U2, 2, (const size_t[]){64, 32}, zeros, NULL);
    npy_write(s.b, NPY_U2, 2, (const size_t[]){96, 32}, zeros, NULL);
    refused(O(.capture = s.capture, .matrix = s.a, .b = s.b),
            "--b must be transposed: it is [96,32], and the matrix of A has K = 32");
    npy_write(s.b, NPY_U2, 2, (const size_t[]){64, 96}, zeros, NULL);
    refused(O(.capture = s.capture, .matrix = s.a, .b = s.b),
            "the matrix of A must be transposed: it is [64,32], and --b has K = 64");
    npy_write(s.b, NPY_U2, 2, (const size_t[]){48, 96}, zeros, NULL);
    refused(O(.capture = s.capture, .matrix = s.a, .b = s.b),
            "the matrix of A has K = 32 and --b has 48: they do not belong together");
    npy_write(s.output, NPY_U2, 2, (const size_t[]){96, 64}, zeros, NULL);
    refused(O(.capture = s.capture, .matrix = s.a, .output = s.output), "--output must be transposed");
    npy_write(s.output, NPY_U2, 2, (const size_t[]){64, 50}, zeros, NULL);
    refused(O(.capture = s.capture, .b = s.b, .output = s.output), "--b has N = 96 and --output has 50");
    scene_free(&s);
}

static void fo_infer_without_memory_fails_cleanly_everywhere(void **state)
{
    static const uint8_t orders[][8] = {{0, 1, 4, 5, 2, 3, 6, 7}, {0, 4, 1, 5, 3, 7, 6, 2}};
    for (int k = 0; k < 4; k++) {
        struct scene s;
        scene_make(state, &s, orders[k % 2]);
        struct attempt r = {.o = O(.capture = s.capture, .matrix = s.codes, .source = "mxfp4", .scales = s.scales,
                                   .b = s.b, .output = s.output, .out = s.out)};
        if (k == 2) /* values wrong in the second record, B read from elsewhere */
            for (uint32_t t = 0; t < 128; t++) {
                capture_words(&s.c, 0, 1, t)[0] ^= 0x1234;
                capture_words(&s.c, 1, 1, t)[0] = capture_words(&s.c, 1, 0, t ^ 2)[0];
            }
        if (k == 2)
            capture_write(&s.c, s.capture);
        if (k == 3)
            r.o = O(.capture = s.dump, .matrix = s.a, .op = OP_BF16, .operand = "A");
        assert_true(alloc_check(attempt_once, NULL, &r) > 10);
        fo_answer_free(&r.answer);
        scene_free(&s);
    }
}

static void fo_infer_of_damaged_images_never_crashes(void **state)
{
    struct scene s;
    struct splitmix r = {splitmix_seed()};
    size_t size, answered = 0, refusals = 0, head;
    scene_make(state, &s, order_wanted);
    uint8_t *image = capture_image(&s.c, &size), *copy = malloc(size);
    head = sizeof(struct fo_capture_head) + s.c.head.streams * sizeof(struct fo_capture_stream);
    for (int i = 0; i < 400; i++) {
        memcpy(copy, image, size);
        for (int n = 0; n < 1 + i % 3; n++) {
            size_t at = splitmix_below(&r, i % 4 ? head : size);
            copy[at] = (uint8_t)(i % 2 ? splitmix_next(&r) : copy[at] ^ 1u << splitmix_below(&r, 8));
        }
        size_t cut = i % 8 ? size : splitmix_below(&r, size + 1);
        assert_int_equal(file_write(s.capture, copy, cut, NULL), STATUS_OK);
        struct fo_infer_options o = O(.capture = s.capture, .matrix = s.a, .b = s.b, .output = s.output);
        struct fo_answer answer = {0};
        struct fo_error error;
        if (fo_infer(&o, &answer, &error) == 0) {
            answered++;
            fo_answer_free(&answer);
        } else {
            refusals++;
            assert_null(strchr(error.line, '\n'));
        }
    }
    assert_true(answered > 20 && refusals > 20);
    free(copy);
    free(image);
    scene_free(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fo_infer_of_what_cannot_be_is_refused_in_one_line),
        TEST(fo_infer_of_matrices_the_wrong_way_round_says_which),
        TEST(fo_infer_without_memory_fails_cleanly_everywhere),
        TEST(fo_infer_of_damaged_images_never_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
