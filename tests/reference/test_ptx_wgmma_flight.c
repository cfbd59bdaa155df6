/* wgmma in flight: when it is computed under the two orders, and the hazards, each with a clean twin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reference/number.h"
#include "tests/support/ptx_wgmma.h"

/* A is 1 everywhere and so is B: a wgmma of 16 k adds 16 to D, or 32 where the A registers have become 2. */
#define OPCODE    "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 "
#define D4        "{%d0, %d1, %d2, %d3}"
#define E4        "{%d4, %d5, %d6, %d7}"
#define A4        "{%a0, %a1, %a2, %a3}"
#define TAIL      ", %bdesc, 1, 1, 1, 0;\n"
#define MMA       OPCODE D4 ", " A4 TAIL
#define MMA_E     OPCODE E4 ", " A4 TAIL
#define WIDE      "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {%d0,%d1,%d2,%d3,%d4,%d5,%d6,%d7}, " A4 TAIL
#define SHARED    OPCODE D4 ", %adesc, %bdesc, 1, 1, 1, 0, 0;\n"
#define FENCE     "wgmma.fence.sync.aligned;\n"
#define ALL       "bar.sync 0;\n"
#define COMMIT    "wgmma.commit_group.sync.aligned;\n"
#define WAIT(n)   "wgmma.wait_group.sync.aligned " #n ";\n"
#define TWO(r)    "mov.b32 %a" #r ", 0x40004000;\n"
#define ALL_TWO   TWO(0) TWO(1) TWO(2) TWO(3)
#define A_TWICE   "A register overwritten in flight"
#define D_TOUCHED "accumulator touched in flight"
#define D_MOVED   "accumulator moved in flight"
#define UNFENCED  "no wgmma.fence between register write and wgmma"
#define ABANDONED "exit with wgmma never waited for"

static struct ptx_wgmma kernel;

/* Run lines with D = 0; D and E registers of all threads must be these. */
static void run_blocks(uint32_t blocks, const char *lines, enum vm_order order, float d, float e_value)
{
    struct error e;
    memset(&kernel, 0, sizeof kernel);
    kernel.blocks = blocks;
    kernel.registers = 8;
    kernel.order = order;
    for (int t = 0; t < PTX_THREADS; t++)
        for (int r = 0; r < PTX_A; r++)
            kernel.a[t][r] = 0x3f803f80u;
    for (size_t i = 0; i < PTX_IMAGE; i += 2) {
        kernel.image[i] = 0x80;
        kernel.image[i + 1] = 0x3f;
    }
    kernel.b_descriptor = UINT64_C(8) << 32 | UINT64_C(16) << 16 | VM_SHARED_START >> 4;
    kernel.a_descriptor = UINT64_C(8) << 32 | UINT64_C(64) << 16 | (VM_SHARED_START + 16384) >> 4;
    ptx_begin(&kernel);
    ptx_line(&kernel, "%s", lines);
    ptx_end(&kernel);
    if (ptx_run(&kernel, &e) != STATUS_OK)
        fail_msg("line %d: %s", e.line, e.why);
    for (int t = 0; t < PTX_THREADS; t++)
        for (int r = 0; r < 8; r++)
            if (kernel.d[t * 8 + r] != f32_bits(r < 4 ? d : e_value))
                fail_msg("thread %d, register %d: %g, not %g", t, r, (double)f32_from_bits(kernel.d[t * 8 + r]),
                         (double)(r < 4 ? d : e_value));
}

static void run(const char *lines, enum vm_order order, float d, float e_value)
{
    run_blocks(1, lines, order, d, e_value);
}

static void expect_clean(void)
{
    for (uint32_t n = 0; n < kernel.report.hazards; n++)
        fail_msg("%s: %s", kernel.report.hazard[n].kind, kernel.report.hazard[n].text);
}

/* Exactly one kind, whose text has a word. */
static void expect_hazard(const char *kind, const char *word)
{
    const char *text = NULL;
    if (ptx_hazards(&kernel, kind, &text) == 0)
        fail_msg("no \"%s\", but %u others", kind, kernel.report.hazards);
    if (!strstr(text, word))
        fail_msg("\"%s\" does not say \"%s\"", text, word);
    for (uint32_t n = 0; n < kernel.report.hazards; n++)
        if (strcmp(kernel.report.hazard[n].kind, kind) != 0)
            fail_msg("also %s: %s", kernel.report.hazard[n].kind, kernel.report.hazard[n].text);
}

/* The line of the text that begins with `line`, the n-th of them from 1; for messages. */
static uint32_t line_of(const char *line, int n)
{
    uint32_t at = 1;
    for (const char *p = kernel.text; p; p = strchr(p, '\n')) {
        if (*p == '\n') {
            p++;
            at++;
        }
        if (strncmp(p, line, strlen(line)) == 0 && --n == 0)
            return at;
    }
    fail_msg("no line \"%s\"", line);
    return 0;
}

/* ---- when -------------------------------------------------------------------------------------------------------- */

static void wgmma_in_order_adds_up(void **state)
{
    (void)state;
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        run(FENCE MMA MMA COMMIT WAIT(0) FENCE MMA COMMIT WAIT(0), (enum vm_order)order, 48, 0);
        expect_clean();
        assert_int_equal(kernel.report.wgmma, 3);
        run(FENCE MMA COMMIT MMA_E MMA_E COMMIT WAIT(1) "add.f32 %d0, %d0, 0f00000000;\n" WAIT(0), (enum vm_order)order,
            16, 32);
        expect_clean();
    }
}

static void wgmma_of_both_sources_changes_between_them(void **state)
{
    (void)state;
    run(FENCE SHARED MMA SHARED COMMIT WAIT(0), VM_LATE, 48, 0);
    expect_clean();
}

/* A descriptor speaks of the block's own memory: the first block of the cluster has zeros there and stores nothing. */
static void wgmma_in_a_cluster_reads_its_own_block(void **state)
{
    (void)state;
    run_blocks(2,
               "mov.u32 %v, %ctaid.x;\nsetp.eq.u32 %p, %v, 0;\nmov.u32 %s, memory;\nshl.b32 %v, %t, 2;\n"
               "add.u32 %s, %s, %v;\nmov.b32 %v, 0;\n@%p st.shared.b32 [%s], %v;\nfence.proxy.async;\n" ALL FENCE MMA
                   COMMIT WAIT(0) "@%p exit;\n",
               VM_LATE, 16, 0);
    expect_clean();
    assert_int_equal(kernel.report.wgmma, 2);
}

static void wait_of_one_group_leaves_the_last_in_flight(void **state)
{
    (void)state;
    const char *lines = FENCE MMA COMMIT MMA_E COMMIT WAIT(1) ALL_TWO ALL WAIT(0);
    run(lines, VM_LATE, 16, 32); /* the second group reads A at its own wait */
    expect_hazard(A_TWICE, "%a0");
    run(lines, VM_EARLY, 16, 16);
    expect_hazard(A_TWICE, "%a0");
    run(FENCE MMA COMMIT MMA_E COMMIT WAIT(0) ALL_TWO, VM_LATE, 16, 16);
    expect_clean();
}

static void wait_without_commit_covers_nothing(void **state)
{
    (void)state;
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        const char *text = NULL;
        run(FENCE MMA WAIT(0), (enum vm_order)order, 16, 0);
        assert_true(ptx_hazards(&kernel, D_TOUCHED, NULL) > 0);
        assert_true(ptx_hazards(&kernel, ABANDONED, &text) > 0);
        assert_non_null(strstr(text, "never committed"));
        run(FENCE MMA COMMIT, (enum vm_order)order, 16, 0);
        assert_true(ptx_hazards(&kernel, D_TOUCHED, NULL) > 0);
        assert_true(ptx_hazards(&kernel, ABANDONED, &text) > 0);
        assert_non_null(strstr(text, "never waited for"));
    }
    run(FENCE MMA COMMIT MMA_E COMMIT WAIT(1) WAIT(1) WAIT(0), VM_LATE, 16, 16);
    expect_clean();
    run(FENCE MMA COMMIT MMA_E COMMIT MMA COMMIT WAIT(1) "add.u32 %v, %d4, 1;\n" WAIT(0), VM_LATE, 32, 16);
    expect_clean();
    const char *text = NULL;
    run(FENCE MMA COMMIT "add.u32 %v, %d3, 1;\nexit;\n", VM_LATE, 0, 0);
    assert_true(ptx_hazards(&kernel, ABANDONED, &text) > 0);
    run(FENCE MMA COMMIT "exit;\n", VM_LATE, 0, 0); /* nobody wants D */
    expect_clean();
}

static void wait_of_more_groups_than_there_are_waits_for_none(void **state)
{
    (void)state;
    run(FENCE MMA COMMIT WAIT(1) ALL_TWO WAIT(0), VM_LATE, 32, 0);
    run(FENCE MMA COMMIT WAIT(7) ALL_TWO WAIT(0), VM_LATE, 32, 0);
    run(FENCE MMA COMMIT COMMIT WAIT(1) ALL_TWO WAIT(0), VM_LATE, 16, 0); /* the empty group is the last */
    expect_clean();
}

/* The first warp to wait has the whole wgmma computed: it may let others overwrite the operands. */
static void wait_of_one_warp_is_for_all_four(void **state)
{
    (void)state;
    /* Warp 3 goes on to its wait only when warp 0, done with its own, has overwritten B. */
    const char *lines = FENCE MMA COMMIT "setp.ge.u32 %p, %t, 32;\n@%p bra others;\n" WAIT(
        0) "mov.u32 %s, memory;\nmov.b32 %v, 0;\nst.shared.b32 [%s], %v;\nst.shared.b32 [%s+4], %v;\n"
           "others:\nbar.sync 0;\n" WAIT(0);
    run(lines, VM_LATE, 16, 0);
    expect_clean();
    run(lines, VM_EARLY, 16, 0);
}

/* Shared memory is read at the wait. */
static void wgmma_late_reads_shared_memory_as_it_is_then(void **state)
{
    (void)state;
    const char *overwrite = "mul.wide.u32 %o, %t, 4;\nmov.u32 %s, memory;\nshl.b32 %v, %t, 2;\nadd.u32 %s, %s, %v;\n"
                            "mov.b32 %v, 0x40004000;\nst.shared.b32 [%s], %v;\nst.shared.b32 [%s+16384], %v;\n"
                            "bar.sync 0;\n";
    char lines[1024];
    snprintf(lines, sizeof lines, "%s%s%s", FENCE MMA COMMIT ALL, overwrite, WAIT(0));
    run(lines, VM_LATE, 32, 0); /* 128 words: all 256 bytes of B */
    run(lines, VM_EARLY, 16, 0);
    snprintf(lines, sizeof lines, "%s%s%s", FENCE SHARED COMMIT, "", WAIT(0));
    run(lines, VM_LATE, 16, 0);
    expect_clean();
}

static void wgmma_of_memory_without_proxy_fence_is_a_hazard(void **state)
{
    (void)state;
    const char *store = "mov.u32 %s, memory;\nmov.b32 %v, 0x3f803f80;\nst.shared.b32 [%s], %v;\nbar.sync 0;\n";
    const char *store_a = "mov.u32 %s, memory;\nmov.b32 %v, 0x3f803f80;\nst.shared.b32 [%s+18400], %v;\nbar.sync 0;\n";
    char lines[1024];
    snprintf(lines, sizeof lines, "%s%s", store, FENCE MMA COMMIT WAIT(0));
    run(lines, VM_LATE, 16, 0);
    expect_hazard("shared memory read without a proxy fence", "fence.proxy.async");
    snprintf(lines, sizeof lines, "%s%s", store_a, FENCE SHARED COMMIT WAIT(0));
    run(lines, VM_LATE, 16, 0);
    expect_hazard("shared memory read without a proxy fence", "fence.proxy.async");
    snprintf(lines, sizeof lines, "%s%s", store_a, FENCE MMA COMMIT WAIT(0));
    run(lines, VM_LATE, 16, 0);
    expect_clean();
}

/* ---- hazards ----------------------------------------------------------------------------------------------------- */

static void write_of_a_in_flight_is_a_hazard(void **state)
{
    (void)state;
    run(FENCE MMA COMMIT ALL TWO(2) WAIT(0), VM_EARLY, 16, 0);
    expect_hazard(A_TWICE, "%a2");
    char text[160];
    snprintf(text, sizeof text, "A of the wgmma of line %u, is written in line %u", line_of(OPCODE, 1),
             line_of("mov.b32 %a2", 1));
    expect_hazard(A_TWICE, text);
    assert_int_equal(kernel.report.hazard[0].count, 4);
    run(FENCE MMA COMMIT "ld.global.v4.b32 " A4 ", [%pa];\n" WAIT(0), VM_LATE, 16, 0);
    expect_hazard(A_TWICE, "%a0");
    run(FENCE MMA COMMIT "add.u32 %v, %a2, %a3;\n" WAIT(0) TWO(2), VM_LATE, 16, 0); /* reading is harmless */
    expect_clean();
}

static void touch_of_an_accumulator_in_flight_is_a_hazard(void **state)
{
    (void)state;
    run(FENCE MMA COMMIT "add.u32 %v, %d3, 1;\n" WAIT(0), VM_LATE, 16, 0);
    char text[160];
    snprintf(text, sizeof text, "%%d3, accumulator of the wgmma of line %u, is read in line %u", line_of(OPCODE, 1),
             line_of("add.u32 %v, %d3", 1));
    expect_hazard(D_TOUCHED, text);
    assert_int_equal(kernel.report.hazard[0].count, 4);
    run("mov.u32 %s, memory;\n" FENCE MMA COMMIT "st.shared.v2.b32 [%s+16384], {%d4, %d1};\n" WAIT(0), VM_LATE, 16, 0);
    expect_hazard(D_TOUCHED, "%d1");
    run(FENCE MMA COMMIT "mov.b32 %v, %d4;\nmov.b32 %d5, 0;\n" WAIT(0) "mov.b32 %v, %d0;\n", VM_LATE, 16, 0);
    expect_clean();
}

/* As compilers write it and ptxas orders it: the copy has what the wgmma computes. */
static void move_of_an_accumulator_in_flight_finds_it_computed(void **state)
{
    (void)state;
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        run(FENCE MMA COMMIT "mov.b32 %d4, %d3;\nmov.b32 %d5, %d4;\nmov.b32 %d6, %d0;\nmov.b32 %d7, %d0;\n" WAIT(0),
            (enum vm_order)order, 16, 16);
        expect_hazard(D_MOVED, "%d3");
        run(FENCE MMA COMMIT "mov.b32 %d0, 0;\nmov.b32 %d1, 0;\nmov.b32 %d2, 0;\nmov.b32 %d3, 0;\n" WAIT(0),
            (enum vm_order)order, 0, 0);
        expect_hazard(D_TOUCHED, "is written");
    }
}

#define NONE(r) "mov.b32 %a" #r ", 0;\n"
/* An address may hang on an accumulator, too: the least of numbers, to which nothing is added. */
static void address_in_an_accumulator_in_flight_is_a_hazard(void **state)
{
    (void)state;
    run("mov.u32 %d7, memory;\n" NONE(0) NONE(1) NONE(2) NONE(3) FENCE MMA_E COMMIT
        "ld.shared.b32 %v, [%d7];\n" WAIT(0) "mov.b32 %d7, %d6;\n",
        VM_LATE, 0, 0);
    expect_hazard(D_TOUCHED, "%d7");
    run("mov.u32 %d7, memory;\n" NONE(0) NONE(1) NONE(2) NONE(3) FENCE MMA_E COMMIT
        "st.shared.b32 [%d7+16384], %v;\n" WAIT(0) "mov.b32 %d7, %d6;\n",
        VM_LATE, 0, 0);
    expect_hazard(D_TOUCHED, "is read");
}

static void wgmma_on_registers_of_another_in_flight_is_a_hazard(void **state)
{
    (void)state;
    run(FENCE MMA MMA COMMIT WAIT(0), VM_LATE, 32, 0); /* the same shape may */
    expect_clean();
    run(FENCE MMA WIDE COMMIT WAIT(0), VM_LATE, 32, 16);
    expect_hazard(D_TOUCHED, "another shape");
    run(FENCE MMA OPCODE E4 ", " D4 TAIL COMMIT WAIT(0) "mov.b32 %d4, 0;\nmov.b32 %d5, 0;\nmov.b32 %d6, 0;\n"
                                                        "mov.b32 %d7, 0;\n",
        VM_LATE, 16, 0);
    expect_hazard(D_TOUCHED, "is A of line");
    run(FENCE MMA_E OPCODE A4 ", " D4 TAIL COMMIT WAIT(0), VM_LATE, 0, 16);
    expect_hazard(A_TWICE, "is the accumulator of line");
}

static void wgmma_of_registers_written_since_the_fence_is_a_hazard(void **state)
{
    (void)state;
    run(FENCE ALL_TWO MMA COMMIT WAIT(0), VM_LATE, 32, 0);
    expect_hazard(UNFENCED, "%a0");
    char text[160];
    snprintf(text, sizeof text, "was written in line %u and no wgmma.fence follows before line %u",
             line_of("mov.b32 %a0", 1), line_of(OPCODE, 1));
    expect_hazard(UNFENCED, text);
    run(FENCE "mov.b32 %d2, 0;\n" MMA COMMIT WAIT(0), VM_LATE, 16, 0);
    expect_hazard(UNFENCED, "%d2");
    run(ALL_TWO FENCE MMA COMMIT WAIT(0) "mov.b32 %d0, %d1;\n" FENCE MMA COMMIT WAIT(0), VM_LATE, 64, 0);
    expect_clean();
    run(FENCE MMA COMMIT WAIT(0) "mov.b32 %d0, %d1;\n" MMA COMMIT WAIT(0), VM_LATE, 32, 0);
    expect_hazard(UNFENCED, "%d0");
    run(FENCE MMA COMMIT WAIT(0) MMA COMMIT WAIT(0), VM_LATE, 32, 0); /* written by wgmma alone */
    expect_clean();
    run(FENCE MMA COMMIT WAIT(0) WIDE COMMIT WAIT(0), VM_LATE, 32, 16);
    expect_hazard(UNFENCED, "another shape");
    run(FENCE MMA COMMIT WAIT(0) FENCE WIDE COMMIT WAIT(0), VM_LATE, 32, 16);
    expect_clean();
}

static void wgmma_before_any_fence_is_a_hazard(void **state)
{
    (void)state;
    run(MMA COMMIT WAIT(0), VM_LATE, 16, 0);
    expect_hazard(UNFENCED, "before the first wgmma");
}

/* The first operand of these is read, not written. */
static void register_read_as_first_operand_is_no_write(void **state)
{
    (void)state;
    /* a0 is half of the k of rows g, and as a bf16 pair it is next to nothing. */
    run("mov.b32 %a0, 1;\n" FENCE MMA COMMIT "bar.sync %a0, 128;\n" WAIT(0) "mov.b32 %d2, %d0;\nmov.b32 %d3, %d1;\n",
        VM_LATE, 8, 0);
    expect_clean();
}

static void scale_that_differs_between_threads_is_a_hazard(void **state)
{
    (void)state;
    run("setp.ne.u32 %add, %t, 5;\n" FENCE OPCODE D4 ", " A4 ", %bdesc, %add, 1, 1, 0;\n" COMMIT WAIT(0), VM_LATE, 16,
        0);
    expect_hazard("wgmma operand differs between threads", "lane 5");
    run("setp.ge.u32 %add, %t, 32;\n" FENCE OPCODE D4 ", " A4 ", %bdesc, %add, 1, 1, 0;\n" COMMIT WAIT(0), VM_LATE, 16,
        0);
    expect_hazard("wgmma operand differs between threads", "warps 0 and 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wgmma_in_order_adds_up),
        cmocka_unit_test(wgmma_of_both_sources_changes_between_them),
        cmocka_unit_test(wgmma_in_a_cluster_reads_its_own_block),
        cmocka_unit_test(wait_of_one_group_leaves_the_last_in_flight),
        cmocka_unit_test(wait_without_commit_covers_nothing),
        cmocka_unit_test(wait_of_more_groups_than_there_are_waits_for_none),
        cmocka_unit_test(wait_of_one_warp_is_for_all_four),
        cmocka_unit_test(wgmma_late_reads_shared_memory_as_it_is_then),
        cmocka_unit_test(wgmma_of_memory_without_proxy_fence_is_a_hazard),
        cmocka_unit_test(write_of_a_in_flight_is_a_hazard),
        cmocka_unit_test(touch_of_an_accumulator_in_flight_is_a_hazard),
        cmocka_unit_test(move_of_an_accumulator_in_flight_finds_it_computed),
        cmocka_unit_test(address_in_an_accumulator_in_flight_is_a_hazard),
        cmocka_unit_test(wgmma_on_registers_of_another_in_flight_is_a_hazard),
        cmocka_unit_test(wgmma_of_registers_written_since_the_fence_is_a_hazard),
        cmocka_unit_test(wgmma_before_any_fence_is_a_hazard),
        cmocka_unit_test(register_read_as_first_operand_is_no_write),
        cmocka_unit_test(scale_that_differs_between_threads_is_a_hazard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
