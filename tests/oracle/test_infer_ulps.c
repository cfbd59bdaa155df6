/* infer: operands that were approximated, and records of which the order is told by others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oracle/infer/site_type.h"
#include "tests/oracle/infer_captures.h"
#include "tests/support/alloc.h"

enum { ROWS = 128, COLUMNS = 256 };
static const uint8_t exchanged[8] = {0, 1, 2, 3, 4, 5, 6, 7};

static void expect_within(const char *type, uint32_t a, uint32_t b, uint32_t ulps, int64_t distance)
{
    uint32_t found = 0;
    bool within = site_type_within(site_type_find(type), a, b, ulps, &found);
    if (within != (distance >= 0) || (within && found != (uint32_t)distance))
        fail_msg("%s 0x%x 0x%x: %d %u", type, a, b, within, found);
}

static void site_type_within_counts_units_in_the_last_place(void **state)
{
    (void)state;
    expect_within("bf16", 0x3c63, 0x3c64, 1, 1);
    expect_within("bf16", 0x3c64, 0x3c63, 1, 1);
    expect_within("bf16", 0x3c63, 0x3c65, 1, -1);
    expect_within("bf16", 0x3c63, 0x3c65, 2, 2);
    expect_within("bf16", 0x3c7f, 0x3c80, 1, 1); /* over a binade */
    expect_within("bf16", 0x0000, 0x8000, 0, 0); /* the signs of zero */
    expect_within("bf16", 0x0001, 0x8001, 2, 2); /* through zero */
    expect_within("bf16", 0x0001, 0x8001, 1, -1);
    expect_within("bf16", 0x3f80, 0xbf80, 1024, -1);
    expect_within("bf16", 0x7f7f, 0x7f80, 1, -1); /* the largest and infinity */
    expect_within("bf16", 0x7f80, 0x7f80, 1, 0);
    expect_within("bf16", 0x7f80, 0x7f81, 1, -1); /* and not a number */
    expect_within("bf16", 0x7fc0, 0x7fc1, 9, -1);
    expect_within("f16", 0x3c00, 0x3c03, 3, 3);
    expect_within("tf32", 0x3f800000, 0x3f802000, 1, 1);
    expect_within("tf32", 0x3f800000, 0x3f801fff, 0, 0); /* what the hardware does not read */
    expect_within("f32", 0x3f800000, 0x3f800001, 1, 1);
    expect_within("e4m3", 0x38, 0x39, 1, 1);
    expect_within("e4m3", 0x7e, 0x7f, 1, -1);
    expect_within("s8", 0xff, 0x01, 2, 2);
    expect_within("u8", 0xff, 0x01, 2, -1);
}

/* Add to the magnitude of what a slot holds. */
static void nudge(struct capture *c, uint32_t stream, size_t record, uint32_t thread, unsigned place, uint32_t by)
{
    capture_words(c, stream, record, thread)[place / 2] += by << 16 * (place % 2);
}

static struct fo_answer answer_of(void **state, struct capture *c, const struct matrix16 *m, uint64_t ulps)
{
    struct asked a;
    ask16(state, c, m, &a);
    a.o.ulps = ulps;
    return infer_answer_of(a.o);
}

static void expect(void **state, struct capture *c, const struct matrix16 *m, uint64_t ulps, enum fo_verdict v,
                   const char *says)
{
    struct fo_answer answer = answer_of(state, c, m, ulps);
    expect_verdict(&answer, v);
    expect_says(&answer, says);
    fo_answer_free(&answer);
}

static void fo_infer_of_an_approximated_slot_is_permitted_where_it_is_asked_for(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 1);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        m.bits[i] &= 0xfffc; /* so that adding up to 3 stays in the value */
    struct capture c = packed(&m, order_wanted, 3);
    nudge(&c, 0, 1, 17, 5, 3);
    nudge(&c, 0, 1, 90, 0, 1);
    expect(
        state, &c, &m, 3, FO_PERMITTED,
        "  A: permitted: 3072 of 3072 slots in 3 of 3 records, 2 of them off by at most 3 units in the last place of "
        "bf16; proved unique among affine maps\n");
    expect(state, &c, &m, 3, FO_PERMITTED, "verdict: permitted\n");
    expect(state, &c, &m, 2, FO_DIFFERS, "the same map as the other records, but for 1 of 1024 slots: ");
    expect(state, &c, &m, 0, FO_DIFFERS, "the same map as the other records, but for 2 of 1024 slots: ");
    expect(state, &c, &m, 0, FO_DIFFERS, "--ulps 3 permits that\n");
    nudge(&c, 0, 2, 0, 0, 0x100);
    expect(state, &c, &m, 0, FO_DIFFERS, "but for 2 of 1024 slots");
    struct fo_answer answer = answer_of(state, &c, &m, 0);
    expect_silent(&answer, "permits");
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
}

static void fo_infer_with_a_tolerance_and_nothing_off_conforms(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 2);
    struct capture c = packed(&m, order_wanted, 2);
    expect(state, &c, &m, 4, FO_CONFORMS, "  A: conforms: 2048 of 2048 slots in 2 of 2 records; proved unique");
    capture_free(&c);
    free(m.bits);
}

static void fo_infer_of_nothing_exact_proves_no_map_unique(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 3);
    struct capture c = packed(&m, order_wanted, 1);
    capture_words(&c, 0, 0, 3)[0] ^= 1;
    expect(state, &c, &m, 2, FO_PERMITTED,
           " of them off by at most 1 units in the last place of bf16; not proved unique\n");
    capture_free(&c);
    free(m.bits);
}

static void fo_infer_of_an_exchange_with_approximated_slots_names_it(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 4);
    struct capture c = packed(&m, exchanged, 3);
    capture_words(&c, 0, 1, 40)[2] ^= 1;
    capture_words(&c, 0, 2, 41)[0] ^= 0x4000;
#define EXCHANGED                                                                                                      \
    "registers R1 and R2 exchanged; 512 of 1024 slots wrong; the same map in 3 of 3 records; proved unique"
    expect(state, &c, &m, 1, FO_DIFFERS, EXCHANGED);
    expect(
        state, &c, &m, 1, FO_DIFFERS,
        "    block 0, warpgroup 0, iteration 1: the same map, 1 of 1024 slots off by at most 1 units in the last place "
        "of bf16\n    block 0, warpgroup 0, iteration 2: the same map, but for 1 of 1024 slots: ");
    expect(state, &c, &m, 1, FO_DIFFERS, "fix: give wgmma the registers in the order R0 R2 R1 R3\n");
    expect(state, &c, &m, 0, FO_DIFFERS, EXCHANGED);
    expect(state, &c, &m, 0, FO_DIFFERS,
           "    block 0, warpgroup 0, iteration 1: the same map, but for 1 of 1024 slots: ");
    capture_free(&c);
    free(m.bits);
}

/* The joint question fails: no map explains the first record and the others. */
static void fo_infer_of_records_of_which_the_last_is_whole_asks_it_alone(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 5);
    struct capture c = packed(&m, exchanged, 3);
    capture_words(&c, 0, 0, 40)[2] ^= 1;
    capture_words(&c, 0, 1, 41)[1] ^= 0x10000;
    expect(state, &c, &m, 0, FO_DIFFERS, EXCHANGED);
    capture_free(&c);
    free(m.bits);
}

/* Two sites; no record of the second is whole. */
static void fo_infer_of_a_site_takes_the_map_of_another(void **state)
{
    static const uint8_t order[8] = {0, 4, 1, 5, 3, 7, 6, 2};
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 6);
    struct capture c = packed(&m, order, 2);
    uint32_t s = capture_stream(&c, OP_BF16, "A", FO_KIND_A, 4, 4);
    for (uint32_t n = 0; n < 2; n++) {
        capture_pack(&c, s, n, &m, 0, 64 + 16 * n, order);
        capture_words(&c, s, n, 9)[3] ^= 1;
    }
    expect(state, &c, &m, 0, FO_DIFFERS,
           "of 1024 slots wrong; the same map in 2 of 2 records; the map of site 0, not proved unique here\n");
    expect(state, &c, &m, 1, FO_DIFFERS,
           "fix: pack the values of a lane in the order v00 v01 v04 v05 v02 v03 v06 v07\n");
    capture_free(&c);
    c = packed(&m, exchanged, 2);
    s = capture_stream(&c, OP_BF16, "A", FO_KIND_A, 4, 4);
    for (uint32_t n = 0; n < 2; n++) {
        capture_pack(&c, s, n, &m, 0, 64 + 16 * n, exchanged);
        capture_words(&c, s, n, 9)[3] ^= 1;
    }
    expect(state, &c, &m, 0, FO_DIFFERS,
           "site 4, kernel.cu:104: " OP_BF16
           "\n  A: differs: values right, order wrong: registers R1 and R2 exchanged; 512 "
           "of 1024 slots wrong; the same map in 2 of 2 records; the map of site 0, not proved unique here\n");
    expect(state, &c, &m, 1, FO_DIFFERS, "fix: give wgmma the registers in the order R0 R2 R1 R3\n");
    /* What is wrong in more than a few slots takes no map of others. */
    for (uint32_t t = 0; t < 64; t++)
        capture_words(&c, s, 0, t)[1] = capture_words(&c, s, 1, t)[1] = 0x12345678;
    struct fo_answer answer = answer_of(state, &c, &m, 0);
    expect_silent(&answer, "the map of site 0");
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
}

/* Where most values are equal, an exchange leaves almost all slots right. */
static void fo_infer_of_an_exchange_in_a_sparse_matrix_is_one_of_order(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 9);
    struct splitmix r = {9};
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        if (splitmix_below(&r, 64))
            m.bits[i] = 0x3f80;
    struct capture c = packed(&m, exchanged, 1);
    expect(state, &c, &m, 0, FO_DIFFERS, "values right, order wrong");
    capture_free(&c);
    free(m.bits);
}

/* One record close to the contract, one far from everything. */
static void fo_infer_of_a_record_that_is_nothing_says_so(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 8);
    struct capture c = packed(&m, order_wanted, 2);
    for (uint32_t t = 0; t < 128; t++)
        for (uint32_t r = 0; r < 4; r++)
            capture_words(&c, 0, 0, t)[r] = 0x7f007f00 + t * 4 + r;
    capture_words(&c, 0, 1, 9)[3] ^= 0x100;
    expect(state, &c, &m, 0, FO_DIFFERS, "no known decode or scale fault explains the values: 1 of 1024 are wrong; ");
    capture_free(&c);
    free(m.bits);
}

/* The order of no other site fits, and there is none: registers are tried. */
static void fo_infer_of_nothing_whole_tries_the_orders_of_registers(void **state)
{
    static const struct {
        uint8_t order[8];
        const char *says;
    } cases[] = {{{0, 1, 2, 3, 4, 5, 6, 7}, "order wrong: registers R1 and R2 exchanged; 512 of 1024 slots wrong"},
                 {{4, 5, 2, 3, 6, 7, 0, 1}, "registers hold what others should: R0 that of R1 R1 that of R2"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct matrix16 m = matrix16_random(ROWS, COLUMNS, 40 + i);
        struct capture c = packed(&m, cases[i].order, 2);
        capture_words(&c, 0, 0, 9)[3] ^= 1;
        capture_words(&c, 0, 1, 77)[0] ^= 1;
        expect(state, &c, &m, 0, FO_DIFFERS, cases[i].says);
        expect(state, &c, &m, 1, FO_DIFFERS,
               "the same map in 2 of 2 records; no other order of the registers fits; not proved unique\n");
        /* What was tried is no map for others. */
        uint32_t s = capture_stream(&c, OP_BF16, "A", FO_KIND_A, 4, 4);
        for (uint32_t n = 0; n < 2; n++) {
            capture_pack(&c, s, n, &m, 0, 64 + 16 * n, cases[i].order);
            capture_words(&c, s, n, 9)[3] ^= 1;
        }
        struct fo_answer answer = answer_of(state, &c, &m, 0);
        expect_silent(&answer, "the map of site");
        fo_answer_free(&answer);
        capture_free(&c);
        free(m.bits);
    }
    /* Where values are few, several orders fit but for a few slots, and none is told. */
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 45);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < COLUMNS; j++)
            m.bits[i * COLUMNS + j] = m.bits[i * COLUMNS + (j & ~(size_t)8)];
    struct capture c = packed(&m, exchanged, 1);
    capture_words(&c, 0, 0, 9)[3] ^= 1;
    struct fo_answer answer = answer_of(state, &c, &m, 0);
    expect_verdict(&answer, FO_DIFFERS);
    expect_silent(&answer, "no other order");
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
}

static void fo_infer_of_too_much_tolerance_is_refused(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 7);
    struct capture c = packed(&m, order_wanted, 1);
    struct asked a;
    struct fo_answer answer = {0};
    struct fo_error error;
    ask16(state, &c, &m, &a);
    a.o.ulps = 1025;
    assert_true(fo_infer(&a.o, &answer, &error) != 0);
    assert_non_null(strstr(error.line, "--ulps: 1025 is more than 1024"));
    a.o.ulps = 1024;
    assert_int_equal(fo_infer(&a.o, &answer, &error), 0);
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
}

static void fo_infer_without_memory_fails_cleanly_where_it_guesses(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, 96, 50);
    struct capture c = packed(&m, exchanged, 1);
    struct asked a;
    uint32_t s = capture_stream(&c, OP_BF16, "A", FO_KIND_A, 4, 4);
    capture_pack(&c, s, 0, &m, 0, 64, exchanged);
    capture_words(&c, s, 0, 9)[3] ^= 1;
    ask16(state, &c, &m, &a);
    struct attempt run = {.o = a.o};
    assert_true(alloc_check(attempt_once, NULL, &run) > 10);
    expect_says(&run.answer, "the map of site 0, not proved unique here");
    fo_answer_free(&run.answer);
    capture_free(&c);
    free(m.bits);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(site_type_within_counts_units_in_the_last_place),
        TEST(fo_infer_of_an_approximated_slot_is_permitted_where_it_is_asked_for),
        TEST(fo_infer_with_a_tolerance_and_nothing_off_conforms),
        TEST(fo_infer_of_nothing_exact_proves_no_map_unique),
        TEST(fo_infer_of_an_exchange_with_approximated_slots_names_it),
        TEST(fo_infer_of_records_of_which_the_last_is_whole_asks_it_alone),
        TEST(fo_infer_of_a_site_takes_the_map_of_another),
        TEST(fo_infer_of_a_record_that_is_nothing_says_so),
        TEST(fo_infer_of_an_exchange_in_a_sparse_matrix_is_one_of_order),
        TEST(fo_infer_of_nothing_whole_tries_the_orders_of_registers),
        TEST(fo_infer_without_memory_fails_cleanly_where_it_guesses),
        TEST(fo_infer_of_too_much_tolerance_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
