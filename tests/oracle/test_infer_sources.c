/* infer: the other ways to say what should be there: real weights; D from a dump. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oracle/io/safetensors.h"
#include "tests/oracle/infer_captures.h"

#define SAMPLE FO_SOURCE_DIR "/artifacts/sample/sample.safetensors"
#define STEM   "model.layers.0.mlp.experts.down_proj"
static const uint8_t exchanged[8] = {0, 1, 2, 3, 4, 5, 6, 7};

/* An expert of the sample in bf16. */
static struct matrix16 expert_of(size_t expert)
{
    struct safetensors file;
    struct weights w;
    struct matrix16 m;
    assert_int_equal(safetensors_read(SAMPLE, &file, NULL), STATUS_OK);
    assert_int_equal(safetensors_weights(&file, STEM, &w, NULL), STATUS_OK);
    assert_true(expert < w.experts);
    m = (struct matrix16){w.N, w.K, malloc(w.N * w.K * 2)};
    assert_non_null(m.bits);
    for (size_t i = 0; i < w.N * w.K; i++) {
        size_t at = expert * w.N * w.K + i;
        uint8_t code = w.blocks[at / 2] >> 4 * (at % 2) & 15u;
        m.bits[i] = mxfp4_decode((struct fp4){code}, (struct e8m0){w.scales[at / 32]}).bits;
    }
    safetensors_free(&file);
    return m;
}

/* The tile at (64,32) of 112 x 1472: its last 16 rows are beyond the matrix. */
static struct capture capture_expert(const struct matrix16 *m, const uint8_t order[8])
{
    struct matrix16 padded = {128, m->columns, calloc(128 * m->columns, 2)};
    assert_non_null(padded.bits);
    memcpy(padded.bits, m->bits, m->rows * m->columns * 2);
    struct capture c = capture_of(1, 1, 2);
    uint32_t s = capture_stream(&c, OP_BF16, "A", FO_KIND_A, 0, 4);
    capture_pack(&c, s, 0, &padded, 0, 32, order);
    capture_pack(&c, s, 1, &padded, order == order_wanted ? 64 : 0, 48, order);
    free(padded.bits);
    return c;
}

static void fo_infer_of_real_weights_conforms_with_their_expert(void **state)
{
    struct matrix16 m = expert_of(3);
    struct capture c = capture_expert(&m, order_wanted);
    struct asked a;
    ask16(state, &c, &m, &a);
    a.o.matrix = NULL;
    a.o.weights = SAMPLE;
    a.o.tensor = STEM;
    a.o.expert = 3;
    struct fo_answer answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "    tiles at (0,32), (64,48)\n");
    fo_answer_free(&answer);
    a.o.expert = 2;
    answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "verdict: differs: values of the A fragment");
    fo_answer_free(&answer);
    capture_free(&c);
    c = capture_expert(&m, exchanged);
    capture_write(&c, a.capture);
    a.o.expert = 3;
    answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "registers R1 and R2 exchanged; 512 of 1024 slots wrong; the same map in 2 of 2 records");
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
}

static void fo_infer_of_weights_that_are_not_there_is_refused(void **state)
{
    struct matrix16 m = expert_of(0);
    struct capture c = capture_expert(&m, order_wanted);
    struct asked a;
    struct fo_answer answer = {0};
    struct fo_error error;
    ask16(state, &c, &m, &a);
    a.o.matrix = NULL;
    a.o.weights = SAMPLE;
    a.o.tensor = STEM;
    a.o.expert = 6;
    assert_true(fo_infer(&a.o, &answer, &error) != 0);
    assert_non_null(strstr(error.line, "there is no expert 6, only 0 to 5"));
    a.o.expert = 0;
    a.o.tensor = "model.layers.9.mlp.experts.down_proj";
    assert_true(fo_infer(&a.o, &answer, &error) != 0);
    assert_non_null(strstr(error.line, "model.layers.9.mlp.experts.down_proj"));
    capture_free(&c);
    free(m.bits);
}

/* D of wgmma: 32 registers a thread of f32, the matrix as f4. */
enum { N = 64, D_ROWS = 192, D_COLUMNS = 160 };
static void fill_d(uint32_t *words, const float *matrix, size_t i0, size_t j0, bool swapped)
{
    struct wgmma_op op;
    struct layout map;
    assert_int_equal(wgmma_parse(OP_BF16, &op, NULL), STATUS_OK);
    assert_int_equal(fragment_map(&op, FRAGMENT_D, &map, NULL), STATUS_OK);
    for (uint32_t i = 0; i < box_size(&map.domain); i++) {
        struct point slot = box_point(&map.domain, i), at = layout_apply(&map, &slot);
        uint32_t reg = swapped && slot.at[1] / 2 == 2 ? slot.at[1] ^ 1 : slot.at[1];
        memcpy(&words[slot.at[0] * (N / 2) + reg], &matrix[(i0 + at.at[0]) * D_COLUMNS + j0 + at.at[1]], 4);
    }
}

static void fo_infer_of_a_dump_of_d_says_its_order(void **state)
{
    float *matrix = malloc(sizeof(float[D_ROWS * D_COLUMNS]));
    uint32_t *words = malloc(sizeof(uint32_t[2 * 128 * (N / 2)]));
    char dump[SCRATCH_PATH], path[SCRATCH_PATH];
    struct splitmix r = {1};
    assert_true(matrix && words);
    for (size_t i = 0; i < (size_t)D_ROWS * D_COLUMNS; i++)
        matrix[i] = (float)(splitmix_next(&r) % 1000003) / 1024;
    scratch_path(state, "d.npy", dump);
    scratch_path(state, "o.npy", path);
    npy_write(path, NPY_F4, 2, (const size_t[]){D_ROWS, D_COLUMNS}, matrix, NULL);
    struct fo_infer_options o = {.capture = dump, .op = OP_BF16, .operand = "D", .matrix = path, .site = -1};
    for (int swapped = 0; swapped < 2; swapped++) {
        fill_d(words, matrix, 64, 96, swapped);
        fill_d(words + 128 * (N / 2), matrix, 128, 32, swapped);
        npy_write(dump, NPY_U4, 3, (const size_t[]){2, 128, N / 2}, words, NULL);
        struct fo_answer answer = infer_answer_of(o);
        expect_verdict(&answer, swapped ? FO_DIFFERS : FO_CONFORMS);
        if (swapped) {
            expect_says(&answer, "  D: differs: values right, order wrong: registers R4 and R5 exchanged; 256 of 4096 "
                                 "slots wrong; the same map in 2 of 2 records");
            expect_says(&answer, "verdict: differs: order of the product (registers)\n");
            expect_silent(&answer, "pack order");
            expect_silent(&answer, "fix");
        } else {
            expect_says(&answer, "registers: " OP_BF16
                                 "\n  D: conforms: 8192 of 8192 slots in 2 of 2 records; proved unique among ");
            expect_says(&answer, "    tiles at (64,96), (128,32)\nverdict: conforms\n");
        }
        fo_answer_free(&answer);
    }
    free(matrix);
    free(words);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fo_infer_of_real_weights_conforms_with_their_expert),
        TEST(fo_infer_of_weights_that_are_not_there_is_refused),
        TEST(fo_infer_of_a_dump_of_d_says_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
