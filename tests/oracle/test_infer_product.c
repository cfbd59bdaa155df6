/* infer: does D follow from A, B and scale-d, and does it stand in the output? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reference/accumulate.h"
#include "tests/oracle/infer_captures.h"

enum { N = 64, K = 64, STEPS = 4, KS = 16 };
enum { A_STREAM, B_STREAM, SCALE_STREAM, D_STREAM };

/* A [64,K] times B [K,N], one k16 a step, as the tensor core accumulates it. */
struct product {
    struct matrix16 a, b;
    float d[STEPS][TILE_M][N]; /* after each step */
    struct capture c;
};

/* One step onto the one before, or onto nothing. */
static void step(struct product *p, int s, bool onto)
{
    static struct accumulate_operand left[16], right[16];
    for (size_t m = 0; m < TILE_M; m++)
        for (size_t n = 0; n < N; n++) {
            struct bf16 x[16], y[16];
            for (size_t k = 0; k < KS; k++) {
                x[k].bits = matrix16_at(&p->a, m, (size_t)s * KS + k);
                y[k].bits = matrix16_at(&p->b, (size_t)s * KS + k, n);
            }
            accumulate_prepare(x, 16, left);
            accumulate_prepare(y, 16, right);
            p->d[s][m][n] = accumulate_step(&accumulate_hopper_bf16, left, right, onto ? p->d[s - 1][m][n] : 0);
        }
}

static struct product made(uint64_t seed)
{
    struct product p = {.a = matrix16_random(TILE_M, K, seed), .b = matrix16_random(K, N, seed + 1)};
    for (int s = 0; s < STEPS; s++)
        step(&p, s, s > 0);
    return p;
}

static void put_d(struct product *p, size_t record, int step)
{
    struct wgmma_op op;
    struct layout map;
    wgmma_parse(OP_BF16, &op, NULL);
    fragment_map(&op, FRAGMENT_D, &map, NULL);
    for (uint32_t i = 0; i < box_size(&map.domain); i++) {
        struct point slot = box_point(&map.domain, i), at = layout_apply(&map, &slot);
        capture_words(&p->c, D_STREAM, record, slot.at[0])[slot.at[1]] = f32_bits(p->d[step][at.at[0]][at.at[1]]);
    }
}

/* One site in a loop: D recorded every time (results STEPS) or behind the loop (results 1). */
static void record(struct product *p, uint32_t results)
{
    p->c = capture_of(1, 1, STEPS);
    capture_stream(&p->c, OP_BF16, "A", FO_KIND_A, 0, 4);
    capture_stream(&p->c, OP_BF16, "B", FO_KIND_B_BYTES, 0, 4);
    capture_stream(&p->c, OP_BF16, "", FO_KIND_SCALE_D, 0, 1);
    capture_stream(&p->c, OP_BF16, "D", FO_KIND_D, 0, N / 2);
    p->c.came[D_STREAM] = results;
    for (uint32_t s = 0; s < STEPS; s++) {
        capture_pack(&p->c, A_STREAM, s, &p->a, 0, s * KS, order_wanted);
        for (uint32_t t = 0; t < 128; t++) {
            uint16_t *chunk = (uint16_t *)(void *)capture_words(&p->c, B_STREAM, s, t);
            for (size_t k = 0; k < 8; k++)
                chunk[k] = matrix16_at(&p->b, s * KS + t % 2 * 8 + k, t / 2);
            *capture_words(&p->c, SCALE_STREAM, s, t) = s > 0;
        }
    }
    for (uint32_t r = 0; r < results; r++)
        put_d(p, r, results == 1 ? STEPS - 1 : (int)r);
}

static void product_free(struct product *p)
{
    capture_free(&p->c);
    free(p->a.bits);
    free(p->b.bits);
}

static struct fo_answer ask(void **state, struct product *p, const char *output)
{
    char capture[SCRATCH_PATH];
    scratch_path(state, "capture.bin", capture);
    capture_write(&p->c, capture);
    return infer_answer_of((struct fo_infer_options){.capture = capture, .output = output, .site = -1});
}

static void expect_d(void **state, struct product *p, enum fo_verdict v, const char *says)
{
    struct fo_answer answer = ask(state, p, NULL);
    expect_verdict(&answer, v);
    expect_says(&answer, says);
    fo_answer_free(&answer);
}

static void fo_infer_of_a_right_product_conforms(void **state)
{
    struct product p = made(1);
    record(&p, STEPS);
    expect_d(state, &p, FO_CONFORMS,
             "  D: conforms: 16384 of 16384 values in 4 of 4 records follow from A, B and scale-d\n");
    capture_free(&p.c);
    record(&p, 1);
    expect_d(state, &p, FO_CONFORMS, "  D: conforms: 4096 of 4096 values in 1 of 1 records");
    /* scale-d not recorded, the registers were cleared before the loop */
    p.c.stream[SCALE_STREAM].kind = FO_KIND_UNUSED;
    expect_d(state, &p, FO_CONFORMS, "  D: conforms: 4096 of 4096 values in 1 of 1 records");
    product_free(&p);
}

static void fo_infer_of_a_product_wrong_by_one_bit_says_where(void **state)
{
    struct product p = made(3);
    record(&p, STEPS);
    capture_words(&p.c, D_STREAM, 2, 5)[6] ^= 1; /* row 1 + 8, column 8 + 2 */
    expect_d(state, &p, FO_DIFFERS, "D does not follow from the recorded A, B and scale-d: ");
    expect_d(state, &p, FO_DIFFERS, "block 0, warpgroup 0, iteration 2: D(9,10) is ");
    expect_d(state, &p, FO_DIFFERS, "verdict: differs: arithmetic of the product (site 0, kernel.cu:100)");
    capture_free(&p.c);
    record(&p, 1);
    capture_words(&p.c, D_STREAM, 0, 0)[0] ^= 1;
    expect_d(state, &p, FO_DIFFERS,
             ": 1 wrong values in 1 of 1 records; block 0, warpgroup 0, iteration 0: D(0,0) is ");
    /* The beginning unknown, nobody can say. */
    p.c.stream[SCALE_STREAM].kind = FO_KIND_UNUSED;
    expect_d(state, &p, FO_UNDECIDED,
             "D does not follow from zero, and what its registers held before was not recorded");
    product_free(&p);
}

static void fo_infer_of_a_product_takes_the_registers_by_the_contract(void **state)
{
    struct product p = made(5);
    record(&p, 1);
    for (uint32_t t = 0; t < 128; t++) {
        uint32_t *w = capture_words(&p.c, A_STREAM, 3, t), keep = w[1];
        w[1] = w[2];
        w[2] = keep;
    }
    expect_d(state, &p, FO_DIFFERS, "verdict: differs: arithmetic of the product");
    product_free(&p);
}

static void fo_infer_of_a_product_with_something_missing_is_undecided(void **state)
{
    struct product p = made(7);
    record(&p, 1);
    p.c.came[A_STREAM] = p.c.came[B_STREAM] = p.c.came[SCALE_STREAM] = STEPS + 1;
    expect_d(state, &p, FO_UNDECIDED, "1 of 1 records: a wgmma of the chain is outside the window of the capture");
    p.c.came[B_STREAM] = 0;
    expect_d(state, &p, FO_UNDECIDED, "D came by, but the wgmma of site 0 did not");
    p.c.stream[B_STREAM].kind = FO_KIND_UNUSED;
    expect_d(state, &p, FO_NOT_APPLICABLE, "the bytes of B were recorded nowhere: no product to compare");
    p.c.stream[B_STREAM].kind = FO_KIND_B_BYTES;
    p.c.stream[D_STREAM].words = 31;
    expect_d(state, &p, FO_UNDECIDED, "31 registers a thread were recorded, which is no D fragment");
    product_free(&p);
}

static void fo_infer_of_a_product_starts_where_scale_d_is_zero(void **state)
{
    struct product p = made(15);
    record(&p, 1);
    for (uint32_t t = 0; t < 128; t++) { /* the third wgmma begins anew */
        *capture_words(&p.c, SCALE_STREAM, 0, t) = 1;
        *capture_words(&p.c, SCALE_STREAM, 2, t) = 0;
    }
    for (int s = 2; s < STEPS; s++)
        step(&p, s, s > 2);
    put_d(&p, 0, STEPS - 1);
    expect_d(state, &p, FO_CONFORMS, "  D: conforms: 4096 of 4096 values in 1 of 1 records");
    /* A loop of four thousand million, of which the last four were kept. */
    p.c.head.keep_last = 1;
    p.c.came[A_STREAM] = p.c.came[B_STREAM] = p.c.came[SCALE_STREAM] = 0xfffffffc;
    expect_d(state, &p, FO_CONFORMS, "  D: conforms: 4096 of 4096 values in 1 of 1 records");
    for (uint32_t t = 0; t < 128; t++)
        *capture_words(&p.c, SCALE_STREAM, 2, t) = 1;
    expect_d(state, &p, FO_UNDECIDED, "a wgmma of the chain is outside the window of the capture");
    product_free(&p);
}

static void fo_infer_of_a_chain_takes_d_of_the_trip_before(void **state)
{
    struct product p = made(17);
    record(&p, STEPS);
    /* scale-d is never 0 and the registers held something before: only the trips after the first can be told. */
    for (uint32_t s = 0; s < STEPS; s++)
        for (uint32_t t = 0; t < 128; t++)
            *capture_words(&p.c, SCALE_STREAM, s, t) = 1;
    expect_d(state, &p, FO_CONFORMS, "values in 4 of 4 records");
    capture_words(&p.c, D_STREAM, 3, 0)[0] ^= 1;
    expect_d(state, &p, FO_DIFFERS, "iteration 3: D(0,0) is ");
    product_free(&p);
}

/* The output of the epilogue as bf16, D at (64, 8) of [192, 80]. */
enum { OUT_ROWS = 192, OUT_COLUMNS = 80, OUT_I = 64, OUT_J = 8 };
typedef struct point index_of(uint32_t m, uint32_t n);
static struct point straight(uint32_t m, uint32_t n)
{
    return (struct point){{OUT_I + m, OUT_J + n}};
}
static struct point transposed(uint32_t m, uint32_t n)
{
    return (struct point){{OUT_I + n, OUT_J + m}};
}
static struct point columns_exchanged(uint32_t m, uint32_t n)
{
    return (struct point){{OUT_I + m, OUT_J + (n ^ 6)}};
}
static struct point rows_turned(uint32_t m, uint32_t n)
{
    return (struct point){{OUT_I + (m + 3) % 64, OUT_J + n}};
}
static struct point half_shifted(uint32_t m, uint32_t n)
{
    return (struct point){{OUT_I + m + (n >= 48 ? 64 : 0), OUT_J + n}};
}

static struct fo_answer ask_output(void **state, struct product *p, index_of *index, bool half)
{
    char path[SCRATCH_PATH];
    struct matrix16 o = {OUT_ROWS, OUT_COLUMNS, calloc(OUT_ROWS * OUT_COLUMNS, 2)};
    for (uint32_t m = 0; m < TILE_M; m++)
        for (uint32_t n = 0; n < N; n++) {
            struct point at = index(m, n);

            uint16_t bits = bf16_encode(p->d[STEPS - 1][m][n]).bits;
            if (half)
                bits = f16_encode(p->d[STEPS - 1][m][n]).bits;
            o.bits[at.at[0] * OUT_COLUMNS + at.at[1]] = bits;
        }
    scratch_path(state, "output.npy", path);
    matrix16_write(&o, path);
    free(o.bits);
    return ask(state, p, path);
}

static void fo_infer_of_an_output_says_where_the_tile_stands(void **state)
{
    static const struct {
        index_of *index;
        bool half;
        enum fo_verdict verdict;
        const char *says;
    } cases[] = {
        {straight, false, FO_CONFORMS,
         "epilogue: conforms: 4096 of 4096 values in 1 of 1 records stand in the output as bf16\n"
         "    tiles at (64,8)\n"},
        {straight, true, FO_CONFORMS, "stand in the output as f16\n    tiles at (64,8)\n"},
        {transposed, false, FO_DIFFERS, "output index wrong: 1 of 1 tiles stand transposed, the first at (64,8)"},
        {columns_exchanged, false, FO_DIFFERS,
         "output index wrong: columns: 64 of 64 columns moved, column 0 stands at 6"},
        {rows_turned, false, FO_DIFFERS, "output index wrong: rows: 64 of 64 rows moved, row 0 stands at 3"},
        {half_shifted, false, FO_DIFFERS, "3072 of 4096 values of the tile stand at (64,8), the others do not"},
    };
    struct product p = made(9);
    record(&p, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fo_answer answer = ask_output(state, &p, cases[i].index, cases[i].half);
        expect_verdict(&answer, cases[i].verdict);
        expect_says(&answer, cases[i].says);
        expect_says(&answer, cases[i].verdict == FO_DIFFERS ? "verdict: differs: output index of the epilogue"
                                                            : "verdict: conforms");
        fo_answer_free(&answer);
    }
    product_free(&p);
}

static void fo_infer_of_an_output_of_something_else_is_undecided(void **state)
{
    struct product p = made(11), other = made(13);
    record(&p, 1);
    record(&other, 1);
    struct fo_answer answer;
    char path[SCRATCH_PATH];
    float *o = malloc(sizeof other.d[0]);
    memcpy(o, other.d[STEPS - 1], sizeof other.d[0]);
    scratch_path(state, "output.npy", path);
    npy_write(path, NPY_F4, 2, (const size_t[]){TILE_M, N}, o, NULL);
    answer = ask(state, &p, path);
    expect_verdict(&answer, FO_UNDECIDED);
    expect_says(&answer, "the values of D stand nowhere in the output");
    fo_answer_free(&answer);
    npy_write(path, NPY_F4, 2, (const size_t[]){TILE_M, N}, p.d[STEPS - 1], NULL);
    answer = ask(state, &p, path);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "stand in the output as f32\n    tiles at (0,0)\n");
    fo_answer_free(&answer);
    float *twice = malloc(2 * sizeof p.d[0]);
    memcpy(twice, p.d[STEPS - 1], sizeof p.d[0]);
    memcpy(twice + TILE_M * N, p.d[STEPS - 1], sizeof p.d[0]);
    npy_write(path, NPY_F4, 2, (const size_t[]){2 * TILE_M, N}, twice, NULL);
    free(twice);
    answer = ask(state, &p, path);
    expect_verdict(&answer, FO_UNDECIDED);
    expect_says(&answer, "the tile stands at several places of the output");
    fo_answer_free(&answer);
    p.c.came[D_STREAM] = STEPS + 1;
    answer = ask(state, &p, path);
    expect_verdict(&answer, FO_UNDECIDED);
    expect_says(&answer, "the last D of 1 warpgroups is not in the window of the capture");
    fo_answer_free(&answer);
    free(o);
    product_free(&p);
    product_free(&other);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fo_infer_of_a_right_product_conforms),
        TEST(fo_infer_of_a_product_wrong_by_one_bit_says_where),
        TEST(fo_infer_of_a_product_takes_the_registers_by_the_contract),
        TEST(fo_infer_of_a_product_with_something_missing_is_undecided),
        TEST(fo_infer_of_a_product_starts_where_scale_d_is_zero),
        TEST(fo_infer_of_a_chain_takes_d_of_the_trip_before),
        TEST(fo_infer_of_an_output_says_where_the_tile_stands),
        TEST(fo_infer_of_an_output_of_something_else_is_undecided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
