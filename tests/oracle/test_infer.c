/* infer: the A fragment of captures that were made from known matrices by known maps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/oracle/infer_captures.h"

enum { ROWS = 128, COLUMNS = 256 };

/* A question about one matrix and one capture, both written to the scratch folder. */
struct asked {
    char capture[SCRATCH_PATH], matrix[SCRATCH_PATH], scales[SCRATCH_PATH];
    struct fo_infer_options o;
};

static void ask16(void **state, struct capture *c, const struct matrix16 *m, struct asked *a)
{
    scratch_path(state, "capture.bin", a->capture);
    scratch_path(state, "matrix.npy", a->matrix);
    capture_write(c, a->capture);
    matrix16_write(m, a->matrix);
    a->o = (struct fo_infer_options){.capture = a->capture, .matrix = a->matrix, .site = -1};
}

static void ask4(void **state, struct capture *c, const struct matrix4 *m, struct asked *a)
{
    ask16(state, c, &m->value, a);
    scratch_path(state, "scales.npy", a->scales);
    npy_write(a->matrix, NPY_U1, 2, (const size_t[]){m->rows, m->columns / 2}, m->packed, NULL);
    npy_write(a->scales, NPY_U1, 2, (const size_t[]){m->rows, m->columns / 32}, m->scale, NULL);
    a->o.source = "mxfp4";
    a->o.scales = a->scales;
}

/* Several records of one site, the tiles side by side, packed in `order`. */
static struct capture packed(const struct matrix16 *m, const uint8_t order[8], uint32_t iterations)
{
    struct capture c = capture_of(1, 1, iterations);
    uint32_t s = capture_stream(&c, OP_BF16, "A", FO_KIND_A, 0, 4);
    for (uint32_t n = 0; n < iterations; n++)
        capture_pack(&c, s, n, m, 64, 16 * n, order);
    return c;
}

static void fo_infer_of_the_contract_conforms(void **state)
{
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 1);
    struct capture c = packed(&m.value, order_wanted, 3);
    struct asked a;
    ask4(state, &c, &m, &a);
    struct fo_answer answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "site 0, kernel.cu:100: " OP_BF16 "\n"
                         "  A: conforms: 1024 of 1024 slots in 3 of 3 records; proved unique among affine maps\n"
                         "    tiles at (64,0), (64,16), (64,32)\n"
                         "verdict: conforms\n");
    fo_answer_free(&answer);
    matrix4_free(&m);
    capture_free(&c);
}

/* "v00 v04 ..." */
static void order_text(const uint8_t order[8], char text[40])
{
    snprintf(text, 40, "v%02u v%02u v%02u v%02u v%02u v%02u v%02u v%02u", order[0], order[1], order[2], order[3],
             order[4], order[5], order[6], order[7]);
}

static void expect_order(void **state, const uint8_t order[8], uint64_t seed)
{
    char text[40], wanted[160];
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, seed);
    struct capture c = packed(&m.value, order, 2);
    struct asked a;
    ask4(state, &c, &m, &a);
    struct fo_answer answer = infer_answer_of(a.o);
    order_text(order, text);
    snprintf(wanted, sizeof wanted, "    pack order found   %s\n    pack order wanted  v00 v01 v04 v05 v02 v03 v06 v07\n",
             text);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, wanted);
    expect_says(&answer, "values right, order wrong");
    expect_says(&answer, "the same map in 2 of 2 records; proved unique");
    expect_says(&answer, "verdict: differs: order of the A fragment (site 0, kernel.cu:100)\n");
    fo_answer_free(&answer);
    matrix4_free(&m);
    capture_free(&c);
}

static void fo_infer_of_planted_orders_prints_them(void **state)
{
    static const uint8_t planted[][8] = {{0, 4, 1, 5, 3, 7, 6, 2},
                                         {0, 1, 2, 3, 4, 5, 6, 7},
                                         {0, 4, 1, 5, 3, 7, 2, 6},
                                         {0, 4, 1, 5, 2, 6, 3, 7}};
    struct splitmix r = {7};
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++)
        expect_order(state, planted[i], i);
    size_t ran = 0;
    for (uint64_t i = 0; i < 10; i++) {
        uint8_t order[8] = {0, 1, 2, 3, 4, 5, 6, 7};
        for (unsigned k = 7; k > 0; k--) {
            unsigned with = (unsigned)splitmix_below(&r, k + 1);
            uint8_t keep = order[k];
            order[k] = order[with];
            order[with] = keep;
        }
        if (memcmp(order, order_wanted, 8) == 0)
            continue;
        expect_order(state, order, 100 + i);
        ran++;
    }
    assert_true(ran >= 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fo_infer_of_the_contract_conforms, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(fo_infer_of_planted_orders_prints_them, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
