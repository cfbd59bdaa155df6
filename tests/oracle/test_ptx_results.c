#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/ptx/sites.h"

#define KERNEL(body)                                                                                                   \
    ".version 8.4\n.target sm_90a\n.entry k()\n{\n"                                                                    \
    ".reg .pred %p<9>; .reg .b32 %r<99>; .reg .f32 %f<99>; .reg .b64 %rd<99>; .reg .b16 %h<9>;\n" body "ret;\n}\n"
#define FENCE   "wgmma.fence.sync.aligned;\n"
#define MMA(d)  "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {" d "}, %rd1, %rd0, %p0, 1, 1, 0, 0;\n"
#define X       "%f0,%f1,%f2,%f3"
#define Y       "%f4,%f5,%f6,%f7"
#define COMMIT  "wgmma.commit_group.sync.aligned;\n"
#define WAIT(n) "wgmma.wait_group.sync.aligned " #n ";\n"
#define READ(a, b, c, d)                                                                                               \
    "st.f32 [%rd9], %f" #a "; st.f32 [%rd9], %f" #b "; st.f32 [%rd9], %f" #c "; st.f32 [%rd9], %f" #d ";\n"
#define ZERO "mov.f32 %f0, 0f00000000; mov.f32 %f1, %f0; mov.f32 %f2, %f0; mov.f32 %f3, %f0;\n"

static struct ptx_sites found; /* by the last call of find */

static int teardown(void **state)
{
    (void)state;
    ptx_sites_free(&found);
    return 0;
}

/* Find the sites and check the results: "WAIT:SITE:FIRST D", the wait counted from 0 in the text, one after another. */
static void expect_results(const char *text, const char *wanted)
{
    struct error e;
    char got[400] = "";
    size_t length = 0;
    ptx_sites_free(&found);
    if (ptx_find_sites("k.ptx", text, strlen(text), &found, &e) != STATUS_OK)
        fail_msg("line %d, column %d: %s", e.line, e.column, e.why);
    for (uint32_t i = 0; i < found.result_count; i++) {
        const struct ptx_result *r = &found.result[i];
        int wait = -1;
        for (const char *at = text; (at = strstr(at, "wait_group")) && at < text + r->at; at++)
            wait++;
        assert_true(r->at > 0 && text[r->at - 1] == ';');
        assert_int_equal(r->accumulator, found.site[r->site].accumulator);
        length +=
            (size_t)snprintf(got + length, sizeof got - length, "%s%d:%u:%s", i ? " " : "", wait, r->site, r->d[0]);
    }
    assert_string_equal(got, wanted);
}

static void find_results_wait_completes_what_is_old_enough(void **state)
{
    (void)state;
    expect_results(KERNEL(FENCE MMA(X) COMMIT WAIT(0)), "0:0:%f0");
    expect_results(KERNEL(FENCE MMA(X) WAIT(0)), ""); /* not committed */
    expect_results(KERNEL(FENCE MMA(X) WAIT(0) COMMIT WAIT(0)), "1:0:%f0");
    expect_results(KERNEL(FENCE MMA(X) COMMIT WAIT(1)), "");
    expect_results(KERNEL(FENCE MMA(X) COMMIT WAIT(1) WAIT(0) WAIT(0)), "1:0:%f0");
    expect_results(KERNEL(FENCE MMA(X) COMMIT MMA(Y) COMMIT WAIT(1) WAIT(0)), "0:0:%f0 1:1:%f4");
    expect_results(KERNEL(FENCE MMA(X) MMA(Y) COMMIT WAIT(1) COMMIT WAIT(1)), "1:0:%f0 1:1:%f4");
    expect_results(KERNEL(FENCE MMA(X) COMMIT COMMIT COMMIT WAIT(3) WAIT(2)), "1:0:%f0"); /* empty groups count */
    expect_results(KERNEL(FENCE MMA(X) COMMIT "@%p1 " WAIT(0)), "");
    expect_results(KERNEL(FENCE MMA(X) "@%p1 " COMMIT WAIT(0)), "");
    expect_results(KERNEL(FENCE MMA(X) COMMIT), "");
}

static void find_results_last_of_a_chain_only(void **state)
{
    (void)state;
    expect_results(KERNEL(FENCE MMA(X) MMA(X) MMA(Y) COMMIT WAIT(0)), "0:1:%f0 0:2:%f4");
    assert_int_equal(found.site[0].accumulator, 0);
    assert_int_equal(found.site[1].accumulator, 0);
    assert_int_equal(found.site[2].accumulator, 1);
    /* The second adds to the first that is in flight: no result of the first when its group is done. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT MMA(X) COMMIT WAIT(1) WAIT(0)), "1:1:%f0");
    /* A result that was complete and is added to again gives two. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT WAIT(0) FENCE MMA(X) COMMIT WAIT(0)), "0:0:%f0 1:1:%f0");
    assert_int_equal(found.site[1].accumulator, 0);
    /* The same registers, but anew. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT WAIT(0) READ(0, 1, 2, 3) ZERO FENCE MMA(X) COMMIT WAIT(0)),
                   "0:0:%f0 1:1:%f0");
    assert_int_equal(found.site[1].accumulator, 1);
}

static void find_results_copies_are_followed(void **state)
{
    (void)state;
#define COPY "mov.f32 %f10, %f0; mov.b32 %r11, %f1; mov.f32 %f11, %r11; mov.f32 %f12, %f2; mov.f32 %f13, %f3;\n"
    /* Between the instruction and the wait: the copy that is read behind it. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT COPY WAIT(0) READ(10, 11, 12, 13)), "0:0:%f10");
    assert_string_equal(found.result[0].d[1], "%f11");
    /* Read is the original, whatever was copied. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT COPY WAIT(0) READ(0, 1, 2, 3)), "0:0:%f0");
    /* Read in another block. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT COPY WAIT(0) "@%p1 bra L;\nret;\nL:\n" READ(0, 11, 12, 13)), "0:0:%f0");
    assert_string_equal(found.result[0].d[1], "%f11");
    /* Overwritten behind the wait is not read. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT COPY WAIT(0) "mov.f32 %f0, 0f00000000;\n" READ(0, 1, 2, 10)), "0:0:%f10");
    expect_results(KERNEL(FENCE MMA(X) COMMIT COPY WAIT(0) "@%p1 bra L;\nmov.f32 %f0, 0f00000000;\nL: mov.f32 %f0, "
                                                           "0f00000000;\n@%p1 bra M;\nM:\n" READ(0, 1, 2, 10)),
                   "0:0:%f10");
    /* A copy that is made on a condition is none. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT "@%p1 mov.f32 %f9, %f0;\n" WAIT(0) READ(9, 1, 2, 3)), "0:0:%f0");
    /* Nobody reads it: the last copy. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT COPY WAIT(0)), "0:0:%f10");
    /* A part was overwritten, or may have been: no result. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT "add.f32 %f1, %f1, %f1;\n" WAIT(0)), "");
    expect_results(KERNEL(FENCE MMA(X) COMMIT "@%p1 mov.f32 %f1, %f9;\n" WAIT(0)), "");
    expect_results(KERNEL(FENCE MMA(X) COMMIT "@%p1 mov.f32 %f1, %f2;\n" WAIT(0)), "");
    expect_results(KERNEL(FENCE MMA(X) COMMIT "ld.v2.f32 {%f9, %f1}, [%rd2];\n" WAIT(0)), "");
    /* Reading a half of it, as an f16 result is taken apart, changes nothing. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT "mov.b32 {%h0, %h1}, %f1;\n" WAIT(0)), "0:0:%f0");
    /* Two elements exchanged by copies are found where they are. */
    expect_results(
        KERNEL(FENCE MMA(X) COMMIT "mov.f32 %f9, %f0; mov.f32 %f0, %f1; mov.f32 %f1, %f9;\n" WAIT(0) READ(0, 1, 2, 3)),
        "0:0:%f1");
    assert_string_equal(found.result[0].d[1], "%f0");
#undef COPY
}

static void find_results_a_copied_accumulator_stays_one(void **state)
{
    (void)state;
    expect_results(KERNEL(FENCE MMA(X) "mov.f32 %f4,%f0; mov.f32 %f5,%f1; mov.f32 %f6,%f2; mov.f32 %f7,%f3;\n" MMA(Y)
                              COMMIT WAIT(0)),
                   "0:0:%f0 0:1:%f4");
    assert_int_equal(found.site[1].accumulator, 0);
}

/* The shapes of real main loops. */
static void find_results_loops_give_the_last_site(void **state)
{
    (void)state;
    /* All of it in the loop. */
    expect_results(KERNEL(ZERO "L:\n" FENCE MMA(X) MMA(X) COMMIT WAIT(0) "@%p1 bra L;\n" READ(0, 1, 2, 3)), "0:1:%f0");
    /* One group stays in flight, the rest is waited for behind the loop, which may not run. */
    expect_results(
        KERNEL(ZERO "@%p2 bra E;\nL:\n" FENCE MMA(X) COMMIT WAIT(1) "@%p1 bra L;\nE:\n" WAIT(0) READ(0, 1, 2, 3)),
        "1:0:%f0");
    /* A prologue, then a pipelined loop. */
    expect_results(KERNEL(ZERO FENCE MMA(X) COMMIT "@%p2 bra E;\nL:\n" FENCE MMA(X)
                              COMMIT WAIT(1) "@%p1 bra L;\nE:\n" WAIT(0) READ(0, 1, 2, 3)),
                   "1:1:%f0");
    assert_int_equal(found.site[1].accumulator, found.site[0].accumulator);
    /* The accumulator goes round through another name. */
    expect_results(KERNEL(ZERO "L:\n" FENCE MMA(X)
                              COMMIT WAIT(1) "mov.f32 %f4,%f0; mov.f32 %f5,%f1; mov.f32 %f6,%f2; mov.f32 %f7,%f3;\n"
                                             "mov.f32 %f0,%f4; mov.f32 %f1,%f5; mov.f32 %f2,%f6; mov.f32 %f3,%f7;\n"
                                             "@%p1 bra L;\n" WAIT(0) READ(4, 5, 6, 7)),
                   "1:0:%f4");
    /* Two accumulators in turn, each waited for while the other is in flight. */
    expect_results(KERNEL("L:\n" FENCE MMA(X) COMMIT WAIT(1) READ(4, 5, 6, 7) FENCE MMA(Y) COMMIT WAIT(1)
                              READ(0, 1, 2, 3) "@%p1 bra L;\n" WAIT(0) READ(4, 5, 6, 7)),
                   "0:1:%f4 1:0:%f0 2:1:%f4");
    assert_int_equal(found.site[0].accumulator, 0);
    assert_int_equal(found.site[1].accumulator, 1);
    /* An indexed branch leads to both. */
    expect_results(
        KERNEL("T: .branchtargets A, B;\n" FENCE "brx.idx %r1, T;\nA:\n" MMA(X) "B:\n" COMMIT WAIT(0) READ(0, 1, 2, 3)),
        "0:0:%f0");
}

static void find_results_ways_that_disagree_give_none(void **state)
{
    (void)state;
    /* Element 0 on one way, element 1 on the other. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT
                          "@%p1 bra E;\nmov.f32 %f9, %f0; mov.f32 %f0, %f1; mov.f32 %f1, %f9;\nE:\n" WAIT(0)
                              READ(0, 1, 2, 3)),
                   "");
    expect_results(KERNEL(FENCE MMA(X) COMMIT "mov.f32 %f9, %f0;\n@%p1 bra E;\nmov.f32 %f0, %f1; mov.f32 %f1, %f9;\n"
                                              "E:\n" WAIT(0) READ(9, 1, 2, 3)),
                   "");
    /* Overwritten in flight on one way, be it looked at first or last. */
    expect_results(KERNEL(FENCE MMA(X) COMMIT "@%p1 bra O;\nmov.f32 %f0, 0f00000000;\nE:\n" WAIT(0)
                              READ(0, 1, 2, 3) "ret;\nO: bra E;\n"),
                   "");
    expect_results(KERNEL(FENCE MMA(X) COMMIT "@%p1 bra E;\nmov.f32 %f0, 0f00000000;\nE:\n" WAIT(0) READ(0, 1, 2, 3)),
                   "");
    /* Issued on one way only: the other has the accumulator as it was. */
    expect_results(KERNEL(ZERO FENCE "@%p1 bra E;\n" MMA(X) COMMIT "E:\n" WAIT(0) READ(0, 1, 2, 3)), "0:0:%f0");
    assert_int_equal(found.site_count, 1);
}

static void find_results_functions_are_apart(void **state)
{
    (void)state;
    expect_results(KERNEL(FENCE MMA(X) COMMIT WAIT(0)) ".entry l()\n{\n.reg .pred %p0; .reg .f32 %f<9>; .reg .b64 "
                                                       "%rd<9>;\n" FENCE MMA(X) MMA(Y) COMMIT WAIT(0) "exit;\n}\n",
                   "0:0:%f0 1:1:%f0 1:2:%f4");
    assert_string_equal(found.site[2].function, "l");
    assert_string_equal(found.site[0].function, "k");
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(found.site[i].accumulator, i);
}

/* Registers may be declared ahead of the name of a function. */
static void find_results_parameters_in_registers_are_followed(void **state)
{
    (void)state;
    expect_results(
        ".target sm_90a .func (.reg .f32 %f0, .reg .f32 %f1) k(.reg .f32 %f2, .reg .f32 %f3, .reg .b64 %rd0, "
        ".reg .b64 %rd1, .reg .pred %p0) {\n" FENCE MMA(X) COMMIT WAIT(0) "ret; }",
        "0:0:%f0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_results_wait_completes_what_is_old_enough),
        cmocka_unit_test(find_results_last_of_a_chain_only),
        cmocka_unit_test(find_results_copies_are_followed),
        cmocka_unit_test(find_results_a_copied_accumulator_stays_one),
        cmocka_unit_test(find_results_loops_give_the_last_site),
        cmocka_unit_test(find_results_ways_that_disagree_give_none),
        cmocka_unit_test(find_results_functions_are_apart),
        cmocka_unit_test(find_results_parameters_in_registers_are_followed),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
