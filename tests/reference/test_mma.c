/* mma: every operation's name read and written, and every wrong name refused with a sentence that says what is legal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reference/mma.h"

static void mma_parse_primary_operation_gives_its_fields(void **state)
{
    (void)state;
    const struct mma_op *op;
    struct error e;
    assert_int_equal(mma_parse("mma.m16n8k32.f16.e4m3.e5m2", &op, &e), STATUS_OK);
    assert_string_equal(op->d, "f16");
    assert_string_equal(op->a, "e4m3");
    assert_string_equal(op->b, "e5m2");
    assert_int_equal(op->k, 32);
    assert_int_equal(op->a_bits, 8);
    assert_int_equal(op->d_bits, 16);
}

/* A row of A is 128 or 256 bits: m16n8k8 and k16 of 16-bit types, k4 and k8 of tf32, k16 and k32 of bytes. */
static void mma_op_at_every_operation_of_the_specification_is_there_once(void **state)
{
    (void)state;
    static const struct {
        const char *types;
        int bits, d_bits;
    } pairs[] = {
        {"f32.bf16.bf16", 16, 32}, {"f32.f16.f16", 16, 32},  {"f16.f16.f16", 16, 16},  {"f32.tf32.tf32", 32, 32},
        {"f32.e4m3.e4m3", 8, 32},  {"f32.e4m3.e5m2", 8, 32}, {"f32.e5m2.e4m3", 8, 32}, {"f32.e5m2.e5m2", 8, 32},
        {"f16.e4m3.e4m3", 8, 16},  {"f16.e4m3.e5m2", 8, 16}, {"f16.e5m2.e4m3", 8, 16}, {"f16.e5m2.e5m2", 8, 16},
        {"s32.s8.s8", 8, 32},      {"s32.s8.u8", 8, 32},     {"s32.u8.s8", 8, 32},     {"s32.u8.u8", 8, 32},
    };
    enum { PAIRS = sizeof pairs / sizeof *pairs };
    size_t found = 0;
    for (size_t p = 0; p < PAIRS; p++)
        for (int row = 128; row <= 256; row += 128, found++) {
            char want[MMA_NAME_SIZE], text[MMA_NAME_SIZE];
            const struct mma_op *op;
            size_t times = 0;
            snprintf(want, sizeof want, "mma.m16n8k%d.%s", row / pairs[p].bits, pairs[p].types);
            for (size_t i = 0; i < mma_op_count(); i++)
                times += strcmp(mma_format(mma_op_at(i), text), want) == 0;
            assert_int_equal(times, 1);
            assert_int_equal(mma_parse(want, &op, NULL), STATUS_OK);
            assert_string_equal(mma_format(op, text), want);
            assert_int_equal(op->k * op->a_bits, row);
            assert_int_equal(op->a_bits, pairs[p].bits);
            assert_int_equal(op->d_bits, pairs[p].d_bits);
        }
    assert_int_equal(found, 2 * PAIRS);
    assert_int_equal(found, mma_op_count());
}

static void mma_parse_wrong_name_says_what_is_legal(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } wrong[] = {
        {"", "\"\" is no operation; write mma.SHAPE.D.A.B"},
        {"mma", "\"mma\" is no operation; write mma.SHAPE.D.A.B"},
        {"mma.m16n8k16", "\"mma.m16n8k16\" is no operation; write mma.SHAPE.D.A.B"},
        {"mma.m16n8k32.f32.bf16.bf16", "\"m16n8k32\" is no shape of these types; use one of m16n8k8, m16n8k16"},
        {"mma.m8n8k4.f16.f16.f16", "\"m8n8k4\" is no shape of these types; use one of m16n8k8, m16n8k16"},
        {"mma.m16n8k4.s32.u8.s8", "\"m16n8k4\" is no shape of these types; use one of m16n8k16, m16n8k32"},
        {"mma..f32.tf32.tf32", "\"\" is no shape of these types; use one of m16n8k4, m16n8k8"},
        {"mma.m16n8k16.f16.bf16.bf16",
         "the types \"f16.bf16.bf16\" are not covered; use one of f32.bf16.bf16, f32.f16.f16, f16.f16.f16, "
         "f32.tf32.tf32, f32.e4m3.e4m3, f32.e4m3.e5m2, f32.e5m2.e4m3, f32.e5m2.e5m2, f16.e4m3.e4m3, f16.e4m3.e5m2, "
         "f16.e5m2.e4m3, f16.e5m2.e5m2, s32.s8.s8, s32.s8.u8, s32.u8.s8, s32.u8.u8"},
    };
    enum { WRONG = sizeof wrong / sizeof *wrong };
    size_t refused = 0;
    for (; refused < WRONG; refused++) {
        const struct mma_op *op = mma_op_at(3);
        struct error e = {0};
        assert_int_equal(mma_parse(wrong[refused].name, &op, &e), STATUS_BAD_ARGUMENT);
        assert_string_equal(e.why, wrong[refused].why);
        assert_ptr_equal(op, mma_op_at(3));
    }
    assert_int_equal(refused, WRONG);
}

static void mma_parse_any_tail_or_cut_is_refused(void **state)
{
    (void)state;
    size_t refused = 0;
    for (size_t i = 0; i < mma_op_count(); i++) {
        char text[MMA_NAME_SIZE + 4], longer[2 * MMA_NAME_SIZE];
        const struct mma_op *op;
        mma_format(mma_op_at(i), text);
        snprintf(longer, sizeof longer, "%s.rs", text);
        assert_int_equal(mma_parse(longer, &op, NULL), STATUS_BAD_ARGUMENT);
        snprintf(longer, sizeof longer, "%s8", text);
        assert_int_equal(mma_parse(longer, &op, NULL), STATUS_BAD_ARGUMENT);
        for (size_t length = strlen(text); length-- > 0; refused++) {
            text[length] = '\0';
            assert_int_equal(mma_parse(text, &op, NULL), STATUS_BAD_ARGUMENT);
        }
    }
    assert_true(refused > 500);
    char huge[4096];
    struct error e;
    const struct mma_op *op;
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_int_equal(mma_parse(huge, &op, &e), STATUS_BAD_ARGUMENT);
    memcpy(huge, "mma.m.", 6);
    assert_int_equal(mma_parse(huge, &op, &e), STATUS_BAD_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mma_parse_primary_operation_gives_its_fields),
        cmocka_unit_test(mma_op_at_every_operation_of_the_specification_is_there_once),
        cmocka_unit_test(mma_parse_wrong_name_says_what_is_legal),
        cmocka_unit_test(mma_parse_any_tail_or_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
