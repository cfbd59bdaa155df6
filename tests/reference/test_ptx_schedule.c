#include "tests/reference/ptx_run.h"

#include <omp.h>
#include <stdlib.h>

/* out[i] = f(i) with i the thread's number in the grid: %r1 in, %r2 out. */
#define MAP(body)                                                                                                      \
    PTX_HEAD ".visible .entry k(.param .u64 out)\n{\n.reg .pred %p<8>;\n.reg .b32 %r<32>;\n.reg .b64 %rd<8>;\n"        \
             "mov.u32 %r10, %ctaid.x; mov.u32 %r11, %ntid.x; mov.u32 %r12, %tid.x;\n"                                  \
             "mad.lo.s32 %r1, %r10, %r11, %r12;\n"                                                                     \
             "ld.param.u64 %rd1, [out]; mul.wide.u32 %rd2, %r1, 4; add.s64 %rd3, %rd1, %rd2;\n" body                   \
             "\nDONE: st.global.u32 [%rd3], %r2;\nret;\n}\n"

static void expect_map(const char *text, uint32_t blocks, uint32_t threads, uint32_t (*f)(uint32_t))
{
    struct vm *v = ptx_make(text);
    uint64_t out = ptx_alloc(v, "out", 4 * (size_t)blocks * threads);
    struct vm_launch l = ptx_launch(blocks, threads, &out, sizeof out);
    ptx_expect(v, &l);
    const uint32_t *got = vm_bytes(v, out);
    for (uint32_t i = 0; i < blocks * threads; i++)
        if (got[i] != f(i))
            fail_msg("thread %u: %u, wanted %u", i, got[i], f(i));
    assert_int_equal(v->report.blocks, blocks);
    assert_true(v->report.steps > 0);
    vm_free(v);
}

static uint32_t triple(uint32_t i)
{
    return 3 * i + 1;
}

static void run_straight_line_every_thread_gets_its_own(void **state)
{
    (void)state;
    expect_map(MAP("mad.lo.s32 %r2, %r1, 3, 1;"), 3, 77, triple);
}

static uint32_t collatz(uint32_t i)
{
    uint32_t steps = 0;
    for (uint32_t n = i + 1; n != 1; n = n % 2 ? 3 * n + 1 : n / 2)
        steps++;
    return steps;
}

static void run_loop_of_another_length_in_each_lane_all_end(void **state)
{
    (void)state;
    expect_map(MAP("add.s32 %r3, %r1, 1; mov.u32 %r2, 0;\n"
                   "LOOP: setp.eq.u32 %p1, %r3, 1; @%p1 bra OUT;\n"
                   "and.b32 %r4, %r3, 1; setp.ne.u32 %p2, %r4, 0; @%p2 bra ODD;\n"
                   "shr.u32 %r3, %r3, 1; bra NEXT;\n"
                   "ODD: mad.lo.s32 %r3, %r3, 3, 1;\n"
                   "NEXT: add.s32 %r2, %r2, 1; bra.uni LOOP;\nOUT:"),
               2, 300, collatz);
}

static uint32_t nested(uint32_t i)
{
    return i & 1 ? (i & 2 ? i + 100 : i + 200) : (i & 4 ? i + 300 : 7);
}

static void run_nested_ways_part_and_join(void **state)
{
    (void)state;
    expect_map(MAP("mov.u32 %r2, 7;\n"
                   "and.b32 %r3, %r1, 1; setp.eq.u32 %p1, %r3, 0; @%p1 bra EVEN;\n"
                   "and.b32 %r3, %r1, 2; setp.eq.u32 %p2, %r3, 0;\n"
                   "@%p2 add.s32 %r2, %r1, 200; @!%p2 add.s32 %r2, %r1, 100; bra DONE;\n"
                   "EVEN: and.b32 %r3, %r1, 4; setp.ne.u32 %p3, %r3, 0; @%p3 add.s32 %r2, %r1, 300;"),
               1, 64, nested);
}

/* After the ways have joined, what was parted goes together again: the steps of a warp say so. */
static void run_ways_that_join_execute_together_again(void **state)
{
    struct vm *v = ptx_make(MAP("and.b32 %r3, %r1, 1; setp.eq.u32 %p1, %r3, 0; @%p1 bra L;\n"
                                "add.s32 %r2, %r1, 1; add.s32 %r2, %r1, 2;\nL: mov.u32 %r2, 5;"));
    uint64_t out = ptx_alloc(v, "out", 128);
    struct vm_launch l = ptx_launch(1, 32, &out, sizeof out);
    (void)state;
    ptx_expect(v, &l);
    assert_int_equal(v->report.steps, 7 + 3 + 2 + 3);
    vm_free(v);
}

static uint32_t chosen(uint32_t i)
{
    static const uint32_t to[] = {10, 20, 30};
    return to[i % 3];
}

static void run_branch_by_index_each_lane_finds_its_target(void **state)
{
    (void)state;
    expect_map(MAP("rem.u32 %r3, %r1, 3;\nT: .branchtargets A, B, C;\nbrx.idx %r3, T;\n"
                   "A: mov.u32 %r2, 10; bra DONE;\nC: mov.u32 %r2, 30; bra DONE;\nB: mov.u32 %r2, 20;"),
               1, 50, chosen);
    struct vm *v = ptx_make(MAP("T: .branchtargets DONE, DONE;\nbrx.idx %r1, T;\n"));
    uint64_t out = ptx_alloc(v, "out", 128);
    struct vm_launch l = ptx_launch(1, 32, &out, sizeof out);
    ptx_expect_fault(v, &l, STATUS_SUBJECT, "lane 2 branches to target 2 of 2");
    vm_free(v);
}

/* h(x, y) = x * 1000 + y, or 1 where x is odd; g(x) = h(x, 5) + h(x, 6). */
#define FUNCTIONS                                                                                                      \
    PTX_HEAD ".func (.param .b32 res) h(.param .b32 x, .param .b64 y)\n{\n.reg .b32 %r<8>; .reg .b64 %rd<4>;\n"        \
             ".reg .pred %p<2>;\nld.param.u32 %r1, [x]; ld.param.u64 %rd1, [y]; mov.b64 {%r2, %r3}, %rd1;\n"           \
             "and.b32 %r3, %r1, 1; setp.eq.u32 %p1, %r3, 0; @%p1 bra L;\nst.param.b32 [res], 1; ret;\n"                \
             "L: mad.lo.s32 %r4, %r1, 1000, %r2; st.param.b32 [res], %r4; ret;\n}\n"                                   \
             ".func (.param .b32 res) g(.param .b32 x)\n{\n.reg .b32 %r<8>; .reg .b64 %rd<4>;\n"                       \
             "ld.param.u32 %r1, [x];\n"                                                                                \
             "{ .param .b32 a; .param .b64 b; .param .b32 c; st.param.b32 [a], %r1; st.param.b64 [b], 5;\n"            \
             "call.uni (c), h, (a, b); ld.param.b32 %r2, [c]; }\n"                                                     \
             "{ .param .b32 a; .param .b64 b; .param .b32 c; st.param.b32 [a], %r1; st.param.b64 [b], 6;\n"            \
             "call (c), h, (a, b); ld.param.b32 %r3, [c]; }\n"                                                         \
             "add.s32 %r2, %r2, %r3; st.param.b32 [res], %r2; ret;\n}\n"

static uint32_t called(uint32_t i)
{
    return i % 3 == 0 ? 77 : i % 2 ? 2 : 2 * 1000 * i + 11;
}

static void run_calls_of_calls_arguments_and_results_pass(void **state)
{
    (void)state;
    const char *body = MAP("mov.u32 %r2, 77; rem.u32 %r4, %r1, 3; setp.eq.u32 %p1, %r4, 0; @%p1 bra DONE;\n"
                           "{ .param .b32 a; .param .b32 c; st.param.b32 [a], %r1; call (c), g, (a);\n"
                           "ld.param.b32 %r2, [c]; }\n");
    char *text = malloc(sizeof FUNCTIONS + strlen(body));
    assert_non_null(text);
    strcpy(text, FUNCTIONS);
    strcat(text, body + strlen(PTX_HEAD));
    expect_map(text, 1, 70, called);
    free(text);
}

static void run_call_without_a_body_is_named_when_it_is_reached(void **state)
{
    (void)state;
    const char *text =
        PTX_HEAD ".extern .func __assertfail(.param .b64 a);\n.extern .func (.param .b32 r) vprintf"
                 "(.param .b64 a, .param .b64 b);\n"
                 ".visible .entry k(.param .u32 which)\n{\n.reg .b32 %r<4>; .reg .pred %p<4>;\n"
                 "ld.param.u32 %r1, [which]; setp.eq.u32 %p1, %r1, 1; setp.eq.u32 %p2, %r1, 2;\n"
                 "@%p1 bra A; @%p2 bra B; ret;\n"
                 "A: { .param .b64 a; call.uni __assertfail, (a); }\nret;\n"
                 "B: { .param .b64 a; .param .b64 b; .param .b32 c; call (c), vprintf, (a, b); }\nret;\n}\n";
    struct vm *v = ptx_make(text);
    uint32_t which = 0;
    struct vm_launch l = ptx_launch(1, 32, &which, sizeof which);
    ptx_expect(v, &l);
    which = 1;
    ptx_expect_fault(v, &l, STATUS_SUBJECT, "`__assertfail`");
    which = 2;
    ptx_expect_fault(v, &l, STATUS_UNSUPPORTED, "`vprintf`");
    vm_free(v);
}

static void run_calls_that_are_not_modelled_are_refused(void **state)
{
#define F(name, next) ".func " #name "()\n{\ncall " #next ";\nret;\n}\n"
#define K             ".visible .entry k()\n{\ncall f;\nret;\n}\n"
    static const struct {
        const char *text, *why;
    } bad[] = {
        {PTX_HEAD F(f, f) K, "a recursive call of `f`"},
        {PTX_HEAD ".func h();\n.func g();\n" F(f, g) F(g, h) F(h, f) K, "a recursive call of `f`"},
        {PTX_HEAD ".func a8()\n{\nret;\n}\n" F(a7, a8) F(a6, a7) F(a5, a6) F(a4, a5) F(a3, a4) F(a2, a3) F(a1, a2)
             F(f, a1) K,
         "a deeper call of `a8`"},
        {PTX_HEAD
         ".func f(.param .b32 x)\n{\nret;\n}\n.visible .entry k()\n{\n{ .param .b64 a; call f, (a); }\nret;\n}\n",
         "other sizes than declared"},
        {PTX_HEAD ".visible .entry other(.param .align 16 .b8 x[4096], .param .b64 y)\n{\nret;\n}\n"
                  ".visible .entry k()\n{\n{ .param .align 16 .b8 a[4096]; .param .b64 b; call other, (a, b); }\n"
                  "ret;\n}\n",
         "a call of a kernel"},
    };
    (void)state;
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
        struct vm *v = ptx_make(bad[n].text);
        struct vm_launch l = ptx_launch(1, 32, NULL, 0);
        ptx_expect_fault(v, &l, STATUS_UNSUPPORTED, bad[n].why);
        vm_free(v);
    }
    struct vm *v = ptx_make(PTX_HEAD ".func a8()\n{\nret;\n}\n" F(a7, a8) F(a6, a7) F(a5, a6) F(a4, a5) F(a3, a4)
                                F(a2, a3) F(f, a2) K);
    struct vm_launch l = ptx_launch(1, 32, NULL, 0);
    ptx_expect(v, &l);
    vm_free(v);
}

/* The limit is of all warps of a block together. */
static void run_limit_of_steps_holds_for_long_kernels_only(void **state)
{
    struct vm *v = ptx_make(PTX_HEAD ".visible .entry k()\n{\n.reg .pred %p<4>;\n.reg .b32 %r<4>;\nmov.u32 %r1, 0;\n"
                                     "L: add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 500; @%p1 bra L; ret;\n}\n");
    struct vm_launch l = ptx_launch(1, 64, NULL, 0);
    (void)state;
    l.most_steps = 2 * (1 + 3 * 500 + 1);
    ptx_expect(v, &l);
    assert_int_equal(v->report.steps, l.most_steps);
    l.most_steps = 2000;
    ptx_expect_fault(v, &l, STATUS_SUBJECT, "did not end within 2000 instructions");
    vm_free(v);
}

static uint32_t not_both(uint32_t i)
{
    return i % 4 == 2;
}

static void run_negated_predicate_operand_is_its_opposite(void **state)
{
    (void)state;
    expect_map(MAP("and.b32 %r3, %r1, 1; setp.eq.u32 %p1, %r3, 1; and.b32 %r3, %r1, 2;\n"
                   "setp.eq.and.u32 %p2, %r3, 2, !%p1; selp.u32 %r2, 1, 0, %p2;"),
               1, 32, not_both);
}

static void run_masks_of_lanes_are_as_named(void **state)
{
    struct vm *v = ptx_make(
        PTX_HEAD
        ".visible .entry k(.param .u64 out)\n{\n.reg .b32 %r<12>;\n.reg .b64 %rd<4>;\n"
        "ld.param.u64 %rd1, [out]; mov.u32 %r1, %laneid; mul.wide.u32 %rd2, %r1, 20; add.s64 %rd1, %rd1, %rd2;\n"
        "mov.u32 %r2, %lanemask_eq; mov.u32 %r3, %lanemask_le; mov.u32 %r4, %lanemask_lt;\n"
        "mov.u32 %r5, %lanemask_ge; mov.u32 %r6, %lanemask_gt; st.global.u32 [%rd1], %r2;\n"
        "st.global.u32 [%rd1+4], %r3; st.global.u32 [%rd1+8], %r4; st.global.u32 [%rd1+12], %r5;\n"
        "st.global.u32 [%rd1+16], %r6; ret;\n}\n");
    uint64_t out = ptx_alloc(v, "out", 32 * 20);
    struct vm_launch l = ptx_launch(1, 32, &out, sizeof out);
    (void)state;
    ptx_expect(v, &l);
    const uint32_t(*got)[5] = vm_bytes(v, out);
    for (uint32_t lane = 0; lane < 32; lane++)
        for (uint32_t bit = 0; bit < 32; bit++) {
            const int want[5] = {bit == lane, bit <= lane, bit<lane, bit >= lane, bit> lane};
            for (int n = 0; n < 5; n++)
                assert_int_equal(got[lane][n] >> bit & 1, want[n]);
        }
    vm_free(v);
}

static void run_what_ends_a_kernel_badly_is_told_with_its_place(void **state)
{
    static const struct {
        const char *body, *text;
        enum status s;
    } bad[] = {
        {"\ntrap;\nret;", "k.ptx: block (0,0,0), warp 0: line 7, column 1: lane 0 executes trap", STATUS_SUBJECT},
        {"mov.u32 %r1, %laneid; setp.eq.u32 %p1, %r1, 9; @%p1 brkpt; ret;", "lane 9 executes brkpt", STATUS_SUBJECT},
        {"L: bra L;", "did not end within 5000 instructions", STATUS_SUBJECT},
        {"setp.eq.u32 %p1, 1, 2; @%p1 tex.1d.v4.s32.s32 _, _; txq.width.b32 %r1, [%r2]; ret;",
         "`txq.width.b32` is not modelled", STATUS_UNSUPPORTED},
    };
    (void)state;
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
        char text[600];
        snprintf(text, sizeof text, PTX_HEAD ".visible .entry k()\n{ .reg .b32 %%r<4>; .reg .pred %%p<4>;\n%s\n}\n",
                 bad[n].body);
        struct vm *v = ptx_make(text);
        struct vm_launch l = ptx_launch(1, 33, NULL, 0);
        l.most_steps = 5000;
        ptx_expect_fault(v, &l, bad[n].s, bad[n].text);
        vm_free(v);
    }
}

/* Lanes that stand low wait for what a lane that stands high will do. */
static void run_spinning_lanes_do_not_starve_the_others(void **state)
{
    static const char *const spin =
        PTX_HEAD ".visible .entry k(.param .u64 flag)\n{\n.reg .pred %p<4>;\n.reg .b32 %r<4>;\n.reg .b64 %rd<4>;\n"
                 "ld.param.u64 %rd1, [flag]; mov.u32 %r1, %tid.x; setp.eq.u32 %p1, %r1, WHO; @%p1 bra SET;\n"
                 "L: ld.volatile.global.u32 %r2, [%rd1]; setp.ne.u32 %p2, %r2, 42; @%p2 bra L; ret;\n"
                 "SET: mov.u32 %r3, 42; st.global.u32 [%rd1], %r3; ret;\n}\n";
    static const uint32_t who[] = {0, 31, 32, 95};
    (void)state;
    for (size_t n = 0; n < sizeof who / sizeof *who; n++) {
        char text[800], number[8];
        snprintf(number, sizeof number, "%u", who[n]);
        const char *at = strstr(spin, "WHO");
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - spin), spin, number, at + 3);
        struct vm *v = ptx_make(text);
        uint64_t flag = ptx_alloc(v, "flag", 4);
        struct vm_launch l = ptx_launch(1, 96, &flag, sizeof flag);
        l.most_steps = 100000;
        ptx_expect(v, &l);
        vm_free(v);
    }
}

/* A block waits for the one behind it; more of them than begin at once. */
static void run_blocks_wait_for_later_ones_all_end(void **state)
{
    struct vm *v = ptx_make(
        PTX_HEAD ".visible .entry k(.param .u64 flags)\n{\n.reg .pred %p<4>;\n.reg .b32 %r<8>;\n.reg .b64 %rd<4>;\n"
                 "ld.param.u64 %rd1, [flags]; mov.u32 %r1, %ctaid.x; mov.u32 %r2, %nctaid.x; sub.u32 %r2, %r2, 1;\n"
                 "mul.wide.u32 %rd2, %r1, 4; add.s64 %rd1, %rd1, %rd2; setp.eq.u32 %p1, %r1, %r2; @%p1 bra SET;\n"
                 "L: ld.acquire.gpu.global.u32 %r3, [%rd1+4]; setp.eq.u32 %p2, %r3, 0; @%p2 bra L;\n"
                 "SET: st.release.gpu.global.u32 [%rd1], 1; ret;\n}\n");
    (void)state;
    uint64_t flags = ptx_alloc(v, "flags", 4 * 150);
    struct vm_launch l = ptx_launch(150, 1, &flags, sizeof flags);
    ptx_expect(v, &l);
    const uint32_t *got = vm_bytes(v, flags);
    for (int n = 0; n < 150; n++)
        assert_int_equal(got[n], 1);
    assert_int_equal(v->report.blocks, 150);
    vm_free(v);
}

static void run_faults_of_several_blocks_the_first_block_speaks(void **state)
{
    struct vm *v = ptx_make(PTX_HEAD ".visible .entry k()\n{\n.reg .pred %p<4>;\n.reg .b32 %r<8>;\n"
                                     "mov.u32 %r1, %ctaid.x; setp.gt.u32 %p1, %r1, 4; @%p1 trap;\n"
                                     "mov.u32 %r2, 0;\nL: add.u32 %r2, %r2, 1; setp.lt.u32 %p2, %r2, 300; @%p2 bra L;\n"
                                     "setp.ge.u32 %p1, %r1, 3; @%p1 brkpt; ret;\n}\n");
    struct vm_launch l = ptx_launch(64, 32, NULL, 0);
    int threads = omp_get_max_threads();
    (void)state;
    for (int n = 1; n <= 4; n++) {
        omp_set_num_threads(n);
        ptx_expect_fault(v, &l, STATUS_SUBJECT, "block (3,0,0), warp 0: line 11, column ");
    }
    omp_set_num_threads(threads);
    vm_free(v);
}

static void run_coordinates_of_clusters_are_those_of_the_grid(void **state)
{
    struct vm *v = ptx_make(
        PTX_HEAD ".visible .entry k(.param .u64 out)\n{\n.reg .b32 %r<40>;\n.reg .b64 %rd<4>;\n"
                 "ld.param.u64 %rd1, [out];\n"
                 "mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; mov.u32 %r3, %tid.z;\n"
                 "mov.u32 %r4, %ctaid.x; mov.u32 %r5, %ctaid.y; mov.u32 %r6, %ctaid.z;\n"
                 "mov.u32 %r7, %cluster_ctarank; mov.u32 %r8, %clusterid.x; mov.u32 %r9, %cluster_ctaid.y;\n"
                 "mov.u32 %r10, %nclusterid.z; mov.u32 %r11, %laneid; mov.u32 %r12, %warpid; mov.u32 %r13, %nwarpid;\n"
                 "mov.u32 %r14, %cluster_nctarank; mov.u32 %r15, %ntid.y; mov.u32 %r16, %nctaid.x;\n"
                 /* thread = tid.x + 5 * (tid.y + 3 * tid.z); block = ctaid.x + 4 * (ctaid.y + 6 * ctaid.z) */
                 "mad.lo.s32 %r20, %r3, 3, %r2; mad.lo.s32 %r20, %r20, 5, %r1;\n"
                 "mad.lo.s32 %r21, %r6, 6, %r5; mad.lo.s32 %r21, %r21, 4, %r4;\n"
                 "mad.lo.s32 %r21, %r21, 60, %r20; mul.wide.u32 %rd2, %r21, 64; add.s64 %rd1, %rd1, %rd2;\n"
                 "st.global.v4.u32 [%rd1], {%r1, %r2, %r3, %r4}; st.global.v4.u32 [%rd1+16], {%r5, %r6, %r7, %r8};\n"
                 "st.global.v4.u32 [%rd1+32], {%r9, %r10, %r11, %r12};\n"
                 "st.global.v4.u32 [%rd1+48], {%r13, %r14, %r15, %r16}; ret;\n}\n");
    enum { BLOCKS = 4 * 6 * 2, THREADS = 5 * 3 * 4 };
    uint64_t out = ptx_alloc(v, "out", (size_t)BLOCKS * THREADS * 64);
    struct vm_launch l = {.entry = "k",
                          .grid = {4, 6, 2},
                          .block = {5, 3, 4},
                          .cluster = {2, 3, 1},
                          .parameters = &out,
                          .parameter_bytes = sizeof out};
    (void)state;
    ptx_expect(v, &l);
    uint32_t(*got)[16] = vm_bytes(v, out);
    for (uint32_t b = 0; b < BLOCKS; b++)
        for (uint32_t t = 0; t < THREADS; t++) {
            uint32_t x = b % 4, y = b / 4 % 6, z = b / 24;
            uint32_t want[16] = {t % 5,  t / 5 % 3, t / 15, x, y, z, x % 2 + 2 * (y % 3), x / 2, y % 3, 2,
                                 t % 32, t / 32,    2,      6, 3, 4};
            assert_memory_equal(got[b * THREADS + t], want, sizeof want);
        }
    vm_free(v);
}

static void run_launch_out_of_bounds_is_refused(void **state)
{
    struct vm *v = ptx_make(PTX_HEAD ".visible .entry k(.param .u64 a, .param .u32 b)\n.maxntid 128, 1, 1\n{\nret;\n}\n"
                                     ".visible .entry c()\n.reqnctapercluster 2, 1, 1\n{\nret;\n}\n"
                                     ".visible .entry r()\n.reqntid 64\n{\nret;\n}\n"
                                     ".func f()\n{\nret;\n}\n");
    char parameters[16] = {0};
    const struct vm_launch good = ptx_launch(4, 128, parameters, 12);
    struct vm_launch bad[12];
    (void)state;
    ptx_expect(v, &good);
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++)
        bad[n] = good;
    bad[0].entry = "none";
    bad[1].entry = "f";
    bad[2].grid[0] = 0;
    bad[3].grid[1] = 65536;
    bad[4].block[0] = 129;
    bad[5].parameter_bytes = 16;
    bad[6].parameters = NULL;
    bad[7].cluster[0] = 3, bad[7].cluster[1] = bad[7].cluster[2] = 1;
    bad[8].dynamic_shared = VM_SHARED_MOST + 1;
    bad[9].entry = "c", bad[9].parameter_bytes = 0, bad[9].cluster[0] = 4;
    bad[10].entry = "r", bad[10].parameter_bytes = 0, bad[10].block[0] = 32;
    bad[11].entry = "r", bad[11].parameter_bytes = 0, bad[11].block[0] = 32, bad[11].block[1] = 2;
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
        struct error e = {0};
        if (vm_run(v, &bad[n], &e) != STATUS_BAD_ARGUMENT || e.why[0] == '\0')
            fail_msg("launch %zu was not refused", n);
    }
    struct vm_launch c = bad[9];
    c.cluster[0] = 0; /* as the kernel says */
    ptx_expect(v, &c);
    struct vm_launch r = bad[10];
    r.block[0] = 64;
    ptx_expect(v, &r);
    vm_free(v);
}

/* What a thread may have, and no byte more. */
static void run_local_memory_has_a_limit(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        char text[200];
        snprintf(text, sizeof text, "%s.visible .entry k()\n{\n.local .b8 stack[%d];\nret;\n}\n", PTX_HEAD,
                 (512 << 10) + more);
        struct vm *v = ptx_make(text);
        struct vm_launch l = ptx_launch(1, 1, NULL, 0);
        if (more)
            ptx_expect_fault(v, &l, STATUS_BAD_ARGUMENT, "524289 bytes of local memory a thread");
        else
            ptx_expect(v, &l);
        vm_free(v);
    }
}

/* Sums of 1 .. threads by halves, each thread on its own part of shared memory. */
static void run_sum_over_shared_memory_with_barriers_is_exact(void **state)
{
    struct vm *v = ptx_make(
        PTX_HEAD ".extern .shared .align 4 .b8 parts[];\n"
                 ".visible .entry k(.param .u64 out)\n{\n.reg .pred %p<4>;\n.reg .b32 %r<12>;\n.reg .b64 %rd<4>;\n"
                 "ld.param.u64 %rd1, [out]; mov.u32 %r1, %tid.x; mov.u32 %r2, parts; mad.lo.s32 %r3, %r1, 4, %r2;\n"
                 "mov.u32 %r4, %ctaid.x; mad.lo.s32 %r5, %r4, 1000, %r1; st.shared.u32 [%r3], %r5;\n"
                 "mov.u32 %r6, %ntid.x;\n"
                 "L: shr.u32 %r6, %r6, 1; bar.sync 0; setp.eq.u32 %p1, %r6, 0; @%p1 bra OUT;\n"
                 "setp.ge.u32 %p2, %r1, %r6; @%p2 bra L;\n"
                 "mad.lo.s32 %r7, %r6, 4, %r3; ld.shared.u32 %r8, [%r7]; ld.shared.u32 %r9, [%r3];\n"
                 "add.u32 %r9, %r9, %r8; st.shared.u32 [%r3], %r9; bra L;\n"
                 "OUT: setp.ne.u32 %p3, %r1, 0; @%p3 bra END; ld.shared.u32 %r9, [%r2];\n"
                 "mul.wide.u32 %rd2, %r4, 4; add.s64 %rd1, %rd1, %rd2; st.global.u32 [%rd1], %r9;\nEND: ret;\n}\n");
    enum { BLOCKS = 20, THREADS = 256 };
    uint64_t out = ptx_alloc(v, "out", 4 * BLOCKS);
    struct vm_launch l = ptx_launch(BLOCKS, THREADS, &out, sizeof out);
    l.dynamic_shared = 4 * THREADS;
    int threads = omp_get_max_threads();
    uint64_t steps = 0;
    (void)state;
    for (int n = 1; n <= 4; n++) {
        uint64_t before = v->report.steps;
        omp_set_num_threads(n);
        memset(vm_bytes(v, out), 0, 4 * BLOCKS);
        ptx_expect(v, &l);
        const uint32_t *got = vm_bytes(v, out);
        for (uint32_t b = 0; b < BLOCKS; b++)
            assert_int_equal(got[b], THREADS * 1000 * b + THREADS * (THREADS - 1) / 2);
        assert_true(steps == 0 || steps == v->report.steps - before);
        steps = v->report.steps - before;
    }
    omp_set_num_threads(threads);
    l.dynamic_shared = 4 * THREADS - 4;
    ptx_expect_fault(v, &l, STATUS_SUBJECT, "block (0,0,0), warp 7: line 11, column");
    vm_free(v);
}

static void run_where_nobody_goes_on_tells_who_waits(void **state)
{
    struct vm *v = ptx_make(PTX_HEAD ".visible .entry k()\n{\n.reg .pred %p<4>;\n.reg .b32 %r<12>;\n"
                                     "mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; add.u32 %r3, %r1, %r2;\n"
                                     "setp.lt.u32 %p1, %r1, 64; setp.eq.u32 %p2, %r2, 1; @!%p2 ret;\n@%p1 bra L;\n"
                                     "bar.sync 1, 128;\nret;\nL:\nbar.sync 2, 96;\nret;\n}\n");
    struct vm_launch l = ptx_launch(3, 160, NULL, 0);
    (void)state;
    ptx_expect_fault(v, &l, STATUS_SUBJECT,
                     "line 14, column 1: deadlock: 2 warps of block (1,0,0) wait in line 14 (bar.sync), "
                     "3 warps of block (1,0,0) wait in line 11 (bar.sync)");
    vm_free(v);
}

/* What is not written is neither zero nor another value in the next run. */
static void run_nothing_begins_with_zeros(void **state)
{
    struct vm *v = ptx_make(
        PTX_HEAD ".extern .shared .align 16 .b8 dynamic[];\n"
                 ".visible .entry k(.param .u64 out)\n{\n.local .b32 mine[4];\n.reg .pred %p<40>;\n.reg .b32 %r<12>;\n"
                 ".reg .b64 %rd<4>;\n.reg .b16 %h<2>;\nld.param.u64 %rd1, [out];\n"
                 "st.global.u32 [%rd1], %r11; mov.u32 %r1, dynamic; ld.shared.u32 %r2, [%r1+60];\n"
                 "st.global.u32 [%rd1+4], %r2; ld.local.u32 %r3, [mine+12]; st.global.u32 [%rd1+8], %r3;\n"
                 "mov.b32 %r4, {%h1, %h1}; st.global.u32 [%rd1+12], %r4; ret;\n}\n");
    uint64_t out = ptx_alloc(v, "out", 16);
    struct vm_launch l = ptx_launch(1, 1, &out, sizeof out);
    l.dynamic_shared = 64;
    (void)state;
    ptx_expect(v, &l);
    const uint32_t want[4] = {0xadadadad, 0xadadadad, 0xadadadad, 0xadadadad};
    assert_memory_equal(vm_bytes(v, out), want, sizeof want);
    vm_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_straight_line_every_thread_gets_its_own),
        cmocka_unit_test(run_loop_of_another_length_in_each_lane_all_end),
        cmocka_unit_test(run_nested_ways_part_and_join),
        cmocka_unit_test(run_ways_that_join_execute_together_again),
        cmocka_unit_test(run_branch_by_index_each_lane_finds_its_target),
        cmocka_unit_test(run_calls_of_calls_arguments_and_results_pass),
        cmocka_unit_test(run_call_without_a_body_is_named_when_it_is_reached),
        cmocka_unit_test(run_calls_that_are_not_modelled_are_refused),
        cmocka_unit_test(run_limit_of_steps_holds_for_long_kernels_only),
        cmocka_unit_test(run_negated_predicate_operand_is_its_opposite),
        cmocka_unit_test(run_masks_of_lanes_are_as_named),
        cmocka_unit_test(run_what_ends_a_kernel_badly_is_told_with_its_place),
        cmocka_unit_test(run_spinning_lanes_do_not_starve_the_others),
        cmocka_unit_test(run_blocks_wait_for_later_ones_all_end),
        cmocka_unit_test(run_faults_of_several_blocks_the_first_block_speaks),
        cmocka_unit_test(run_coordinates_of_clusters_are_those_of_the_grid),
        cmocka_unit_test(run_launch_out_of_bounds_is_refused),
        cmocka_unit_test(run_local_memory_has_a_limit),
        cmocka_unit_test(run_nothing_begins_with_zeros),
        cmocka_unit_test(run_sum_over_shared_memory_with_barriers_is_exact),
        cmocka_unit_test(run_where_nobody_goes_on_tells_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
