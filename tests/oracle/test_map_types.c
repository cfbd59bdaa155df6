/* map: the families whose registers hold one element, four, or results in f16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/map.h"
#include "oracle/io/npy.h"
#include "tests/support/scratch.h"

enum { THREADS = 128, A_REGS = 4 };

/* Ask fo_map; the answer is freed by the caller. */
static struct fo_answer ask(struct fo_map_options o)
{
    struct fo_answer answer = {0};
    struct fo_error error;
    if (fo_map(&o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    return answer;
}

static void expect_text(struct fo_map_options o, const char *text)
{
    struct fo_answer answer = ask(o);
    assert_string_equal(answer.text, text);
    assert_int_equal(answer.verdict, FO_NOT_APPLICABLE);
    fo_answer_free(&answer);
}

static void expect_refused(struct fo_map_options o, enum status s, const char *line)
{
    struct fo_answer answer = {.text = NULL};
    struct fo_error error;
    assert_int_equal(fo_map(&o, &answer, &error), s);
    assert_string_equal(error.line, line);
    assert_null(answer.text);
    assert_null(answer.json);
}

static void fo_map_cute_of_other_types_is_the_layout_of_the_library(void **state)
{
    (void)state;
    /* ALayout_64x8, ALayout_64x32; CLayout_64xN whatever the width of D */
    static const struct {
        const char *op, *operand, *layout;
    } cases[] = {
        {"wgmma.m64n64k8.f32.tf32.tf32.rs", "A", "((4,8,4),(2,2)):((64,1,16),(8,256))\n"},
        {"wgmma.m64n64k32.f32.e4m3.e5m2.rs", "A", "((4,8,4),(4,2,2)):((256,1,16),(64,8,1024))\n"},
        {"wgmma.m64n64k32.s32.u8.u8.rs", "A", "((4,8,4),(4,2,2)):((256,1,16),(64,8,1024))\n"},
        {"wgmma.m64n64k32.s32.u8.u8.ss", "D", "((4,8,4),(2,2,8)):((128,1,16),(64,8,512))\n"},
        {"wgmma.m64n24k16.f16.f16.f16.ss", "D", "((4,8,4),(2,2,3)):((128,1,16),(64,8,512))\n"},
        {"wgmma.m64n256k32.f16.e5m2.e4m3.rs", "D", "((4,8,4),(2,2,32)):((128,1,16),(64,8,512))\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_text((struct fo_map_options){.op = cases[i].op, .operand = cases[i].operand, .format = "cute"},
                    cases[i].layout);
}

static void fo_map_query_of_other_types_names_registers_and_parts(void **state)
{
    (void)state;
    static const struct {
        const char *op, *operand, *slot, *element, *held;
    } cases[] = {
        {"wgmma.m64n64k8.f32.tf32.tf32.rs", "A", "5.3.0", "9,5", "thread 5, register 3, part 0 holds element (9,5)"},
        {"wgmma.m64n8k32.s32.s8.u8.rs", "A", "5.3.2", "9,22", "thread 5, register 3, part 2 holds element (9,22)"},
        {"wgmma.m64n40k32.f16.e4m3.e4m3.rs", "D", "127.9.1", "63,39",
         "thread 127, register 9, part 1 holds element (63,39)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char want[200];
        snprintf(want, sizeof want, "%s %s: %s\n", cases[i].op, cases[i].operand, cases[i].held);
        struct fo_map_options o = {.op = cases[i].op, .operand = cases[i].operand, .slot = cases[i].slot};
        expect_text(o, want);
        o.slot = NULL;
        o.element = cases[i].element;
        expect_text(o, want);
    }
    expect_refused((struct fo_map_options){.op = "wgmma.m64n64k8.f32.tf32.tf32.rs", .operand = "A", .slot = "0.0.1"},
                   STATUS_BAD_ARGUMENT, "slot: no slot 0.0.1 in A: threads 0 to 127, registers 0 to 3, parts 0 to 0");
}

/* A dump of any operand: the numbers that belong there, low part first where a register holds several. */
static void write_right_dump(const char *op, const char *operand, enum npy_type type, int rank, const char *path)
{
    struct map m;
    struct error e;
    static uint16_t half[THREADS * 128];
    static uint32_t word[THREADS * 128];
    assert_int_equal(map_make(op, operand, &m, &e), STATUS_OK);
    const uint32_t *extent = m.forward.domain.extent;
    memset(word, 0, sizeof word);
    for (uint32_t i = 0; i < box_size(&m.forward.domain); i++) {
        struct point slot = box_point(&m.forward.domain, i), at = layout_apply(&m.forward, &slot);
        uint32_t code = at.at[0] * m.forward.codomain.extent[1] + at.at[1];
        half[i] = (uint16_t)code;
        word[i / extent[2]] |= code << i % extent[2] % 2 * 16; /* in four parts not used */
    }
    const size_t shape[] = {THREADS, rank == 2 && type == NPY_U2 ? (size_t)extent[1] * extent[2] : extent[1],
                            extent[2]};
    assert_int_equal(npy_write(path, type, rank, shape, type == NPY_U4 ? (const void *)word : half, &e), STATUS_OK);
    map_free(&m);
}

static void fo_map_against_dumps_of_other_types_conform(void **state)
{
    static const struct {
        const char *op, *operand;
        enum npy_type type;
        int rank;
    } cases[] = {
        {"wgmma.m64n64k8.f32.tf32.tf32.rs", "A", NPY_U4, 2}, {"wgmma.m64n64k8.f32.tf32.tf32.rs", "A", NPY_U2, 3},
        {"wgmma.m64n64k32.s32.s8.s8.rs", "A", NPY_U2, 3},    {"wgmma.m64n64k32.f32.e4m3.e4m3.rs", "A", NPY_U2, 2},
        {"wgmma.m64n256k16.f16.f16.f16.rs", "D", NPY_U4, 2}, {"wgmma.m64n256k16.f16.f16.f16.rs", "D", NPY_U2, 3},
        {"wgmma.m64n256k32.s32.s8.s8.rs", "D", NPY_U4, 2},
    };
    char path[SCRATCH_PATH];
    scratch_path(state, "dump.npy", path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_right_dump(cases[i].op, cases[i].operand, cases[i].type, cases[i].rank, path);
        struct fo_answer answer =
            ask((struct fo_map_options){.op = cases[i].op, .operand = cases[i].operand, .against = path});
        if (answer.verdict != FO_CONFORMS)
            fail_msg("case %zu: %s", i, answer.text);
        fo_answer_free(&answer);
    }
}

static void fo_map_against_bytes_exchanged_in_a_register_are_found_out(void **state)
{
    enum { PARTS = 4, COLUMNS = 32 };
    static const char *const op = "wgmma.m64n64k32.f32.e4m3.e4m3.rs";
    uint16_t code[THREADS * A_REGS * PARTS];
    const size_t shape[] = {THREADS, A_REGS, PARTS};
    char path[SCRATCH_PATH];
    struct error e;
    scratch_path(state, "dump.npy", path);
    for (uint32_t i = 0; i < THREADS * A_REGS * PARTS; i++) {
        uint32_t t = i / 16, r = i / 4 % 4, p = i % 4, other = p == 1 ? 2 : p == 2 ? 1 : p;
        uint32_t row = t / 32 * 16 + t % 32 / 4 + r % 2 * 8, column = t % 4 * 4 + other + r / 2 * 16;
        code[i] = (uint16_t)(row * COLUMNS + column);
    }
    assert_int_equal(npy_write(path, NPY_U2, 3, shape, code, &e), STATUS_OK);
    struct fo_answer answer = ask((struct fo_map_options){.op = op, .operand = "A", .against = path});
    assert_int_equal(answer.verdict, FO_DIFFERS);
    assert_non_null(
        strstr(answer.text, "differs, 1024 of 2048 slots wrong\n  slot 0.0.1: expected (0,1), found (0,2)\n"));
    assert_non_null(strstr(answer.text, "affine:\n  part bit 0 and part bit 1 are exchanged\n"));
    fo_answer_free(&answer);
    /* Eight bits hold no number up to 2047, so the registers as they are cannot be such a dump. */
    static const uint32_t zeros[THREADS * A_REGS];
    char line[SCRATCH_PATH + 200];
    assert_int_equal(npy_write(path, NPY_U4, 2, shape, zeros, &e), STATUS_OK);
    snprintf(line, sizeof line, "%s: a dump of A is u2 [128,4,4] or u2 [128,16]; this is %s of rank 2", path,
             npy_type_name(NPY_U4));
    expect_refused((struct fo_map_options){.op = op, .operand = "A", .against = path}, STATUS_BAD_INPUT, line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fo_map_cute_of_other_types_is_the_layout_of_the_library),
        cmocka_unit_test(fo_map_query_of_other_types_names_registers_and_parts),
        cmocka_unit_test_setup_teardown(fo_map_against_dumps_of_other_types_conform, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(fo_map_against_bytes_exchanged_in_a_register_are_found_out, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
