#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "oracle/ptx/opcodes.h"
#include "oracle/ptx/sites.h"
#include "tests/support/expect.h"

#define HEAD                 ".version 8.4 .target sm_90a\n"
#define REGISTERS            ".reg .pred %p<9>; .reg .b32 %r<99>; .reg .f32 %f<99>; .reg .b64 %rd<9>;\n"
#define KERNEL(body)         HEAD ".entry k() {\n" REGISTERS body "\n}\n"
#define MMA(shape, operands) KERNEL("wgmma.mma_async.sync.aligned." shape " " operands ";")
#define D4                   "{%f0,%f1,%f2,%f3}"

static enum status read_text(const char *text, size_t size, struct error *e)
{
    struct ptx_sites sites;
    enum status s = ptx_find_sites("k.ptx", text, size, &sites, e);
    if (s == STATUS_OK)
        ptx_sites_free(&sites);
    return s;
}

static void expect_read(const char *text)
{
    struct error e;
    if (read_text(text, strlen(text), &e) != STATUS_OK)
        fail_msg("line %d, column %d: %s\n%s", e.line, e.column, e.why, text);
}

static void parse_everything_that_compilers_write_is_read(void **state)
{
    (void)state;
    expect_read(HEAD
                ".address_size 64\n"
                "/* a comment\n over lines */ // and another\n"
                ".file 1 \"a.cu\", 1700000000, 55\n"
                ".extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);\n"
                ".extern .shared .align 16 .b8 smem[];\n"
                ".visible .global .align 4 .b8 table[2][3] = {1, 2, {3, 4}}, other;\n"
                ".const .align 8 .b64 pointers[2] = {generic(table), table+4};\n"
                ".weak .func (.reg .b32 %o, .reg .pred %q) f (.reg .b32 %i) { mov.b32 %o, %i; ret; }\n"
                ".alias g, f;\n"
                ".visible .entry k(\n .param .u64 .ptr .global .align 8 k_param_0,\n .param .align 64 .b8 k_1[128]\n)\n"
                ".maxntid 384, 1, 1\n.minnctapersm 1\n.reqnctapercluster 2\n.pragma \"a;b\";\n{\n" REGISTERS
                ".reg .v4 .f32 v; .reg .b16 %h<5>; .reg .b128 q;\n"
                ".local .align 16 .b8 depot[64]; .loc 1 3 4\n.pragma \"nounroll\";\n"
                "ld.param.u64 %rd1, [k_param_0+8]; mov.u32 %r1, %ctaid.x; mov.u32 %r2, %envreg3; mov.b64 %rd2, depot;\n"
                "{ // callseq 0, 0\n.reg .b32 temp; .param .b64 param0; .param .b32 retval0;\n"
                "st.param.b64 [param0+0], %rd1;\ncall.uni (retval0), vprintf, (param0, param0);\n"
                "ld.param.b32 %r3, [retval0+0];\n}\n"
                "P: .callprototype (.param .b32 _) _ (.param .b64 _);\nC: .calltargets f;\n"
                "call (%r1), %rd1, (param_unused), P;\n"
                "param_unused:\n"
                "@!%p1 bra.uni DONE;\nsetp.lt.and.s32 %p1|%p2, %r1, -5, !%p3;\nlop3 .b32 %r1, %r2, %r3, 0xc0, 0x6a;\n"
                "shfl.sync.bfly.b32 %r1|%p2, %r2, 1, 31, -1;\nmov.b64 {%r1, _}, %rd1;\nfma.rn.f32 %f1, v.x, "
                "0f3F800000, 1.5e-3;\n"
                "ld.global.nc.L1::no_allocate.L2::128B.v4.f32 {%f1,%f2,%f3,%f4}, [%rd1+-16];\n"
                "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1, {%r2, "
                "%r3}], [%r4];\n"
                "mbarrier.arrive.shared.b64 _, [%r1]; mbarrier.arrive.shared::cta.b64 %rd1, [%r1], 1;\n"
                "vadd.s32.u32.s32.sat %r1, %r2.b0, %r3.h1; ;\n"
                "tex.2d.v4.f32.f32 {%f1,%f2,%f3,%f4}, [%rd1, {%f1,%f2}];\n"
                "{ .reg .pred P1; LAB_WAIT: mbarrier.try_wait.parity.shared::cta.b64 P1, [%r1], %r2; @P1 bra DONE; bra "
                "LAB_WAIT; DONE: }\n"
                "{ LAB_WAIT: bra LAB_WAIT; }\n"
                "DONE:\nret;\n}\n"
                ".section .debug_str\n{\n$L__info: .b8 1,2\n.b32 $L__info-4\n}\n");
}

static void parse_bad_text_says_where(void **state)
{
    static const struct {
        const char *text;
        int line, column;
        const char *why;
    } bad[] = {
        {"", 1, 1, "no .target in the text"},
        {".version 8.4\n.target sm_90\n", 2, 9, "target 'sm_90' where sm_90a is wanted"},
        {".version 8.4\n .target sm_100a, debug\n", 2, 10, "target 'sm_100a' where"},
        {".entry k() {}\n.target sm_90a\n", 2, 1, "it must stand ahead of the functions near '.target'"},
        {".target", 1, 8, "a directive is not understood at the end of the text"},
        {HEAD "/* a\n", 2, 1, "a comment has no end"},
        {HEAD "\n .pragma \"x\n\";", 3, 10, "a string has no end"},
        {HEAD "#line", 2, 1, "byte 0x23 starts nothing in PTX"},
        {HEAD "/*\n*/ ret;", 3, 4, "a directive was expected near 'ret'"},
        {HEAD ".strange 1;", 2, 1, "an unknown directive near '.strange'"},
        {HEAD ".reg .b32 %r;", 2, 1, "registers outside of a function"},
        {HEAD ".global .b32 x", 2, 15, "expected ';' at the end"},
        {HEAD ".global .b32 x = {1", 2, 18, "a bracket has no end near '{'"},
        {HEAD ".entry k() {", 2, 13, "a function has no end"},
        {HEAD ".entry k(.b32) {}", 2, 14, "expected a name near ')'"},
        {HEAD ".entry k(", 2, 10, "expected a parameter"},
        {HEAD ".entry k() .maxntid 1", 2, 22, "a function has no body"},
        {KERNEL("frobnicate.b32 %r1, %r2;"), 4, 1, "unknown instruction 'frobnicate.b32'"},
        {KERNEL(" add.s32 %r1, %r2, %x;"), 4, 20, "an undeclared register near '%x'"},
        {KERNEL(" add.s32 %r1, %r2, %r99;"), 4, 20, "an undeclared register near '%r99'"},
        {KERNEL("add.s32 %r1, %r2, %r07;"), 4, 19, "an undeclared register near '%r07'"},
        {KERNEL("add.s32 %r1, %r2, %r;"), 4, 19, "an undeclared register near '%r'"},
        {KERNEL("{ .reg .b32 x; }\nmov.b32 x, 1;"), 5, 9, "'x' is not declared"},
        {KERNEL("mov.b32 x, 1; .reg .b32 x;"), 4, 9, "'x' is not declared"},
        {KERNEL(".reg .b32 x, x;"), 4, 14, "a register is declared twice near 'x'"},
        {KERNEL(".reg .strange x;"), 4, 6, "registers of an unknown type near '.strange'"},
        {KERNEL("L: ret; L: ret;"), 4, 9, "a label is declared twice near 'L'"},
        {KERNEL("bra L;"), 4, 5, "'L' is not declared"},
        {KERNEL("{ L: ret; } bra L;"), 4, 17, "'L' is not declared"},
        {KERNEL("bra %r1;"), 4, 1, "a branch needs one label"},
        {KERNEL("L: brx.idx %r1, L;"), 4, 17, "the branch names no .branchtargets"},
        {KERNEL("@%p99 ret;"), 4, 2, "an undeclared guard near '%p99'"},
        {KERNEL("@%p1 ;"), 4, 6, "an instruction was expected near ';'"},
        {KERNEL("mov.b32 %r1, %r2"), 5, 1, "an unbalanced bracket or a missing semicolon near '}'"},
        {KERNEL("mov.b32 %r1, {%r2;"), 4, 18, "an instruction is not understood near ';'"},
        {KERNEL("mov.b32 %r1, (%r2];"), 4, 18, "an unbalanced bracket or a missing semicolon near ']'"},
        {KERNEL("mov.b32 , %r2;"), 4, 9, "an operand is missing near ','"},
        {KERNEL("mov.b32 %r1, \"x\";"), 4, 14, "near '\"x\"'"},
        {KERNEL("st.b32 [[[[[[[[[1]]]]]]]]], 1;"), 4, 16, "operands are nested too deep"},
        {KERNEL("wgmma.wait_group.sync.aligned;"), 4, 1, "wgmma.wait_group wants a number"},
        {KERNEL("wgmma.wait_group.sync.aligned %r1;"), 4, 31, "wgmma.wait_group wants a number near '%r1'"},
        {KERNEL("wgmma.wait_group.sync.aligned 99999999999;"), 4, 31, "wgmma.wait_group wants a number"},
        {KERNEL("wgmma.strange;"), 4, 1, "unknown instruction 'wgmma.strange'"},
        {KERNEL(".loc 1 2"), 5, 1, "expected a number near '}'"},
        {KERNEL(".loc 1 2 3, strange"), 4, 13, "expected 'function_name' near 'strange'"},
        {MMA("m64n8k16.f32.bf16.bf16", "{%f0,%f1,%f2}, %rd1, %rd2, 1, 1, 1, 0, 0"), 4, 1,
         "a wrong number of D registers"},
        {MMA("m64n8k16.f32.bf16.bf16", D4 ", {%r1,%r2}, %rd2, 1, 1, 1, 0"), 4, 1, "a wrong number of A registers"},
        {MMA("m64n8k16.f32.bf16.bf16", D4 ", %rd1, %rd2, 1, 1, 1, 0"), 4, 1, "a wrong number of operands"},
        {MMA("m64n8k16.f32.bf16.bf16", D4 ", %rd1, %rd2"), 4, 1, "a wrong number of operands"},
        {MMA("m64n8k16.f32.bf16.bf16", D4 ", %rd1, %rd2, 1, 1, 1, 0, 2"), 4, 1, "neither 0 nor 1"},
        {MMA("m64n8k16.f32.bf16.bf16", D4 ", %rd1, %rd2, 1, 1, 1, 0, 0,1,1,1,1,1,1"), 4, 1, "too many operands"},
        {MMA("m64n12k16.f32.bf16.bf16", D4 ", %rd1, %rd2, 1, 1, 1, 0, 0"), 4, 1, "wgmma of an unknown form"},
        {MMA("m64n8k8.f32.bf16.bf16", D4 ", %rd1, %rd2, 1, 1, 1, 0, 0"), 4, 1, "wgmma of an unknown form"},
        {MMA("m64n8k16.f64.bf16.bf16", D4 ", %rd1, %rd2, 1, 1, 1, 0, 0"), 4, 1, "wgmma of an unknown form"},
        {MMA("m64n8k16.f32.bf16.e4m3", D4 ", %rd1, %rd2, 1, 1, 1, 0, 0"), 4, 1, "wgmma of an unknown form"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error e = {0};
        enum status s = read_text(bad[i].text, strlen(bad[i].text), &e);
        if (s != STATUS_BAD_INPUT || e.line != bad[i].line || e.column != bad[i].column || !strstr(e.why, bad[i].why))
            fail_msg("%zu: status %d, line %d, column %d: %s", i, (int)s, e.line, e.column, e.why);
        expect_error(&e, STATUS_BAD_INPUT, "k.ptx", "", -1, bad[i].why);
    }
}

static void parse_nul_byte_says_where(void **state)
{
    static const char text[] = HEAD "// a\0b\n";
    struct error e;
    (void)state;
    assert_int_equal(read_text(text, sizeof text - 1, &e), STATUS_BAD_INPUT);
    assert_int_equal(e.line, 2);
    assert_int_equal(e.column, 5);
    expect_error(&e, STATUS_BAD_INPUT, "k.ptx", "", -1, "a NUL byte in the text");
}

static void opcode_destinations_longest_name_counts(void **state)
{
    static const struct {
        const char *opcode;
        int destinations;
    } some[] = {{"mov.b32", 1},
                {"st.global.f32", 0},
                {"bar.sync", 0},
                {"bar.red.popc.u32", 1},
                {"barrier.cta.red.and.pred", 1},
                {"barrier.cluster.wait", 0},
                {"wgmma.mma_async.sync", 1},
                {"wgmma.fence.sync", 0},
                {"wgmma", -1},
                {"tcgen05.ld.sync", 1},
                {"tcgen05.ld.red.sync", 2},
                {"tcgen05.st.sync", 0},
                {"multimem.red.add", 0},
                {"multimem.ld_reduce.add", 1},
                {"movx", -1},
                {"mo", -1},
                {"", -1},
                {"red.async", 0},
                {"elect.sync", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        assert_int_equal(opcode_destinations(some[i].opcode, strlen(some[i].opcode)), some[i].destinations);
    assert_true(opcode_count() > 150);
    for (size_t i = 0; i < opcode_count(); i++) {
        assert_true(opcode_destinations(opcode_at(i), strlen(opcode_at(i))) >= 0); /* which a wrong order would break */
        assert_true(i == 0 || strcmp(opcode_at(i - 1), opcode_at(i)) < 0);
    }
}

/* Texts made to be slow: each must end, read or refused, in time that follows its size. */
static void parse_hostile_text_ends_soon(void **state)
{
    enum { LINES = 20000, SIZE = 12000000 };
    static const char *const line[] = {
        "mov.f32 %%f%d, %%f%d; L%d: @%%p1 bra L%d;\n",   /* chains of copies through a block each */
        "{ mov.b32 %%r%d, %%r%d; L%d: @%%p1 bra L%d;\n", /* nested blocks */
        "add.s32 %%r%d, %%r%d, 1; L%d: bra L%d;\n",
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%%f%d,%%f%d,%%f0,%%f1}, {%%r0,%%r1,%%r2,%%r3}, %%rd0, "
        "%%p0, "
        "1, 1, 0; L%d: @%%p1 bra L%d; wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 1;\n",
    };
    char *text = malloc(SIZE);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
        int at = snprintf(text, SIZE, "%s",
                          HEAD ".entry k() {\n.reg .pred %p<9>; .reg .b32 %r<99999>; .reg .f32 "
                               "%f<99999>; .reg .b64 %rd<9>;\nwgmma.fence.sync.aligned;\n"
                               "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0,%f1,%f2,%f3}, "
                               "%rd1, %rd0, %p0, 1, 1, 0, 0;\n");
        for (int k = 0; k < LINES && at < SIZE - 2000; k++) {
            at += snprintf(text + at, (size_t)(SIZE - at), line[i], k + 4, k + 3, k, (k * 7919) % LINES);
        }
        snprintf(text + at, (size_t)(SIZE - at), "ret;\n}\n");
        struct error e;
        clock_t start = clock();
        enum status s = read_text(text, strlen(text), &e);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        assert_true(s == STATUS_OK || (s == STATUS_BAD_INPUT && e.line > 0 && e.column > 0));
        if (seconds > 60)
            fail_msg("case %zu took %.1f s", i, seconds);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_everything_that_compilers_write_is_read),
        cmocka_unit_test(parse_bad_text_says_where),
        cmocka_unit_test(parse_nul_byte_says_where),
        cmocka_unit_test(opcode_destinations_longest_name_counts),
        cmocka_unit_test(parse_hostile_text_ends_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
