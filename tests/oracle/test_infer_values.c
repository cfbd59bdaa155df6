/* infer: the order right and the values wrong, or right in another form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/oracle/infer_captures.h"

enum { ROWS = 128, COLUMNS = 256 };

/* Decode the tile of every record with another rule. */
static void fill(struct capture *c, const struct matrix4 *m, size_t i0,
                 uint16_t (*value)(const struct matrix4 *, size_t, size_t))
{
    struct matrix16 held = {m->rows, m->columns, malloc(m->rows * m->columns * 2)};
    assert_non_null(held.bits);
    for (size_t i = 0; i < m->rows * m->columns; i++)
        held.bits[i] = value(m, i / m->columns, i % m->columns);
    memset(c->data[0], 0, capture_records(c) * 128 * 4 * 4);
    for (uint32_t n = 0; n < c->head.iterations; n++)
        capture_pack(c, 0, n, &held, i0, 16 * n, order_wanted);
    free(held.bits);
}
static uint16_t bf16_of(double x)
{
    return bf16_encode((float)x).bits;
}
static double scale_of(const struct matrix4 *m, size_t i, size_t block)
{
    return e8m0_decode((struct e8m0){m->scale[i * (m->columns / 32) + block]});
}
static double code_value(const struct matrix4 *m, size_t i, size_t j)
{
    return fp4_decode((struct fp4){(uint8_t)matrix4_code(m, i, j)});
}
static uint16_t wrong_code(const struct matrix4 *m, size_t i, size_t j)
{
    return bf16_of((matrix4_code(m, i, j) == 5 ? 2.5 : code_value(m, i, j)) * scale_of(m, i, j / 32));
}
static uint16_t sign_of_eight(const struct matrix4 *m, size_t i, size_t j)
{
    unsigned code = matrix4_code(m, i, j);
    return bf16_of((code == 12 || code == 13 ? -1 : 1) * code_value(m, i, j) * scale_of(m, i, j / 32));
}
static uint16_t tile_relative(const struct matrix4 *m, size_t i, size_t j)
{
    return bf16_of(code_value(m, i, j) * scale_of(m, i, j / 32 % 4));
}
static uint16_t block_before(const struct matrix4 *m, size_t i, size_t j)
{
    return bf16_of(code_value(m, i, j) * scale_of(m, i, j / 32 ? j / 32 - 1 : 7));
}
static uint16_t row_after(const struct matrix4 *m, size_t i, size_t j)
{
    return bf16_of(code_value(m, i, j) * scale_of(m, (i + 8) % m->rows, j / 32));
}
static uint16_t doubled(const struct matrix4 *m, size_t i, size_t j)
{
    return bf16_of(code_value(m, i, j) * scale_of(m, i, j / 32) * 2);
}
static uint16_t random_scale(const struct matrix4 *m, size_t i, size_t j)
{
    return bf16_of(code_value(m, i, j) * (double)(1 << (i * 7 + j / 32 * 3) % 5));
}
static uint16_t unscaled(const struct matrix4 *m, size_t i, size_t j)
{
    return bf16_of(code_value(m, i, j));
}
static uint16_t negated(const struct matrix4 *m, size_t i, size_t j)
{
    return bf16_of(-code_value(m, i, j) * scale_of(m, i, j / 32));
}
static uint16_t magnitude(const struct matrix4 *m, size_t i, size_t j)
{
    uint16_t bits = bf16_of(code_value(m, i, j) * scale_of(m, i, j / 32));
    return bits & 0x7fff;
}
static uint16_t zero(const struct matrix4 *m, size_t i, size_t j)
{
    (void)m;
    (void)i;
    (void)j;
    return 0;
}
static uint16_t one_slot_off(const struct matrix4 *m, size_t i, size_t j)
{
    double x = code_value(m, i, j) * scale_of(m, i, j / 32);
    return bf16_of(i == 10 && j == 40 ? 1000 : x);
}

static void fo_infer_of_wrong_values_names_the_fault(void **state)
{
    static const struct {
        uint16_t (*value)(const struct matrix4 *, size_t, size_t);
        enum fo_verdict verdict;
        const char *says, *place;
    } cases[] = {
        {wrong_code, FO_DIFFERS, "order right, values wrong: the decode table: code 5 gives 2.5 instead of 3;",
         "differs: decode of the A fragment"},
        {sign_of_eight, FO_DIFFERS, "the decode table: 2 of 16 codes give a wrong value;",
         "differs: decode of the A fragment"},
        {tile_relative, FO_DIFFERS, "the scales: block kb uses the scale of block kb % 4;",
         "differs: scale of the A fragment"},
        {block_before, FO_DIFFERS, "no shift explains which", "differs: scale of the A fragment"},
        {row_after, FO_DIFFERS, "the scales: block kb uses the scale of block kb of row m+8;",
         "differs: scale of the A fragment"},
        {doubled, FO_DIFFERS, "values are", NULL},
        {random_scale, FO_DIFFERS,
         "every block of 32 is off by a power of two of its own, and no shift explains which;", NULL},
        {unscaled, FO_PERMITTED,
         "proved unique among affine maps; the values are the matrix without its block scales\n", "verdict: permitted"},
        {negated, FO_DIFFERS, "every value has the wrong sign;", NULL},
        {magnitude, FO_DIFFERS, "the sign is lost", NULL},
        {zero, FO_DIFFERS, "every slot holds zero in 16 of 16 records", "differs: values of the A fragment"},
        {one_slot_off, FO_DIFFERS,
         "the same map as the other records, but for 1 of 1024 slots: 0.046875 expected, 1000 found (1 of 16 records)",
         NULL},
    };
    size_t ran = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct matrix4 m = matrix4_random(ROWS, COLUMNS, 20 + i);
        struct capture c = packed(&m.value, order_wanted, 16);
        fill(&c, &m, 0, cases[i].value);
        struct fo_answer answer = answer4(state, &c, &m, NULL);
        expect_verdict(&answer, cases[i].verdict);
        expect_says(&answer, cases[i].value == doubled ? "the scales: every value is 2^1 times what it should be;"
                                                       : cases[i].says);
        if (cases[i].place)
            expect_says(&answer, cases[i].place);
        expect_silent(&answer, cases[i].verdict == FO_DIFFERS ? "order wrong" : "differs");
        fo_answer_free(&answer);
        matrix4_free(&m);
        ran++;
    }
    assert_int_equal(ran, 12);
}

static void fo_infer_of_unscaled_codes_in_a_wrong_order_says_both(void **state)
{
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 40);
    struct matrix16 held = {ROWS, COLUMNS, malloc(ROWS * COLUMNS * 2)};
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        held.bits[i] = unscaled(&m, i / COLUMNS, i % COLUMNS);
    struct capture c = packed(&held, (const uint8_t[]){0, 1, 2, 3, 4, 5, 6, 7}, 4);
    struct fo_answer answer = answer4(state, &c, &m, NULL);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "registers R1 and R2 exchanged");
    expect_says(&answer, "the values are the matrix without its block scales");
    fo_answer_free(&answer);
    matrix4_free(&m);
    free(held.bits);
}

/* A kernel whose zeros are all negative, half of the time its matrix's are not: no product knows. */
static void fo_infer_of_zeros_of_the_other_sign_is_permitted(void **state)
{
    enum { COUNT = ROWS * COLUMNS, RECORDS = 4, TILE_COLUMNS = 16 * RECORDS };
    static const uint8_t exchanged[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct splitmix r = {43};
    struct matrix16 want = matrix16_random(ROWS, COLUMNS, 44), held = {ROWS, COLUMNS, malloc(COUNT * 2)};
    size_t signs = 0;
    for (size_t i = 0; i < COUNT; i++) {
        if (splitmix_below(&r, 4) == 0)
            want.bits[i] = (uint16_t)(splitmix_below(&r, 2) << 15);
        held.bits[i] = want.bits[i] & 0x7fff ? want.bits[i] : 0x8000;
        signs += held.bits[i] != want.bits[i] && i / COLUMNS >= 64 && i % COLUMNS < TILE_COLUMNS;
    }
    for (int wrong = 0; wrong < 2; wrong++) {
        char says[128];
        struct capture c = packed(&held, wrong ? exchanged : order_wanted, RECORDS);
        struct asked a;
        ask16(state, &c, &want, &a);
        struct fo_answer answer = infer_answer_of(a.o);
        expect_verdict(&answer, wrong ? FO_DIFFERS : FO_PERMITTED);
        snprintf(says, sizeof says, "4096 of 4096 slots in 4 of 4 records, %zu of them zeros of the other sign", signs);
        expect_says(&answer, wrong ? "registers R1 and R2 exchanged; 512 of 1024 slots wrong" : says);
        if (wrong)
            expect_says(&answer, "zeros of either sign are taken for the same");
        fo_answer_free(&answer);
        capture_free(&c);
    }
    assert_true(signs > 100);
    free(want.bits);
    free(held.bits);
}

static void fo_infer_of_another_matrix_asks_whether_it_is_the_right_one(void **state)
{
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 41), other = matrix4_random(ROWS, COLUMNS, 42);
    struct capture c = packed(&other.value, order_wanted, 2);
    struct fo_answer answer = answer4(state, &c, &m, NULL);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "is it the right matrix?");
    expect_silent(&answer, "order wrong");
    expect_silent(&answer, "the scales");
    expect_silent(&answer, "decode table");
    fo_answer_free(&answer);
    matrix4_free(&m);
    matrix4_free(&other);
}

/* An f4 matrix is rounded to the type; a kernel that cuts instead is told so. */
static void fo_infer_of_floats_rounds_and_names_what_was_cut(void **state)
{
    enum { COUNT = ROWS * 32 };
    static float x[COUNT];
    struct splitmix r = {15};
    struct matrix16 near = {ROWS, 32, malloc(COUNT * 2)}, cut = {ROWS, 32, malloc(COUNT * 2)};
    for (size_t i = 0; i < COUNT; i++) {
        x[i] = (float)((double)splitmix_next(&r) / 1e19 - 0.9);
        near.bits[i] = bf16_encode(x[i]).bits;
        cut.bits[i] = (uint16_t)(f32_bits(x[i]) >> 16);
    }
    for (int k = 0; k < 2; k++) {
        struct capture c = packed(k ? &cut : &near, order_wanted, 2);
        struct asked a;
        ask16(state, &c, &near, &a);
        npy_write(a.matrix, NPY_F4, 2, (const size_t[]){ROWS, 32}, x, NULL);
        struct fo_answer answer = infer_answer_of(a.o);
        expect_verdict(&answer, k ? FO_PERMITTED : FO_CONFORMS);
        if (k)
            expect_says(&answer, "the values are the matrix cut to the type instead of rounded");
        fo_answer_free(&answer);
        capture_free(&c);
    }
    free(near.bits);
    free(cut.bits);
}

static void fo_infer_of_int4_takes_both_offsets(void **state)
{
    static const char *const sources[] = {"int4", "int4-offset8"};
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 16);
    for (int k = 0; k < 2; k++)
        for (int raw = 0; raw < 2; raw++) {
            struct matrix16 held = {ROWS, COLUMNS, malloc(ROWS * COLUMNS * 2)};
            for (size_t i = 0; i < ROWS * COLUMNS; i++) {
                int code = (int)matrix4_code(&m, i / COLUMNS, i % COLUMNS);
                held.bits[i] = bf16_of(raw ? code : k ? code - 8 : code < 8 ? code : code - 16);
            }
            struct capture c = packed(&held, order_wanted, 2);
            struct asked a;
            ask4(state, &c, &m, &a);
            a.o.source = sources[k];
            a.o.scales = NULL;
            struct fo_answer answer = infer_answer_of(a.o);
            expect_verdict(&answer, raw ? FO_PERMITTED : FO_CONFORMS);
            fo_answer_free(&answer);
            capture_free(&c);
            free(held.bits);
        }
    matrix4_free(&m);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fo_infer_of_wrong_values_names_the_fault),
        TEST(fo_infer_of_unscaled_codes_in_a_wrong_order_says_both),
        TEST(fo_infer_of_zeros_of_the_other_sign_is_permitted),
        TEST(fo_infer_of_another_matrix_asks_whether_it_is_the_right_one),
        TEST(fo_infer_of_floats_rounds_and_names_what_was_cut),
        TEST(fo_infer_of_int4_takes_both_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
