#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/ptx/sites.h"
#include "tests/support/alloc.h"

#define HEAD         ".version 8.4\n.target sm_90a\n.address_size 64\n"
#define REGISTERS    ".reg .pred %p<9>; .reg .b32 %r<99>; .reg .f32 %f<99>; .reg .b64 %rd<99>;\n"
#define KERNEL(body) HEAD ".visible .entry k()\n{\n" REGISTERS body "ret;\n}\n"
#define FENCE        "wgmma.fence.sync.aligned;\n"
#define MMA          "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 "
#define RS           MMA "{%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, %rd0, %p0, 1, 1, 0;\n"
#define RS_AGAIN     MMA "{%f0,%f1,%f2,%f3}, {%r4,%r5,%r6,%r7}, %rd0, 1, 1, 1, 0;\n"
#define RS_OTHER     MMA "{%f4,%f5,%f6,%f7}, {%r0,%r1,%r2,%r3}, %rd0, %p0, 1, 1, 0;\n"
#define COMMIT       "wgmma.commit_group.sync.aligned;\n"
#define WAIT(n)      "wgmma.wait_group.sync.aligned " #n ";\n"
#define READ                                                                                                           \
    "st.global.f32 [%rd1], %f0; st.global.f32 [%rd1], %f1; st.global.f32 [%rd1], %f2; st.global.f32 [%rd1], %f3;\n"

static struct ptx_sites found; /* by the last call of find */

static void find(const char *text)
{
    struct error e;
    ptx_sites_free(&found);
    if (ptx_find_sites("k.ptx", text, strlen(text), &found, &e) != STATUS_OK)
        fail_msg("line %d, column %d: %s", e.line, e.column, e.why);
}

/* Offset of the n-th, from 0, of a string in a text. */
static size_t place(const char *text, const char *what, int n)
{
    const char *at = strstr(text, what);
    for (; n > 0 && at; n--)
        at = strstr(at + 1, what);
    assert_non_null(at);
    return (size_t)(at - text);
}

static int teardown(void **state)
{
    (void)state;
    ptx_sites_free(&found);
    return 0;
}

static void find_sites_straight_line_gives_the_fence_and_the_names(void **state)
{
    static const char text[] = KERNEL("mov.u32 %r0, 1;\n" FENCE "// comment\n" RS COMMIT WAIT(0) READ);
    (void)state;
    find(text);
    assert_int_equal(found.site_count, 1);
    const struct ptx_site *s = found.site;
    assert_string_equal(s->op, "wgmma.m64n8k16.f32.bf16.bf16.rs");
    assert_string_equal(s->function, "k");
    assert_int_equal(s->line, 10);
    assert_int_equal(s->column, 1);
    assert_null(s->source);
    assert_int_equal(s->source_line, 0);
    assert_int_equal(s->n, 8);
    assert_int_equal(s->k, 16);
    assert_int_equal(s->a_bits, 16);
    assert_int_equal(s->b_bits, 16);
    assert_int_equal(s->d_registers, 4);
    assert_true(s->register_a && !s->a_mn && !s->b_mn);
    assert_string_equal(s->why_not, "");
    assert_int_equal(s->registers_at, place(text, "wgmma.fence", 0));
    assert_int_equal(s->descriptors_at, s->registers_at);
    for (int i = 0; i < PTX_A_REGISTERS; i++) {
        char name[4] = {'%', 'r', (char)('0' + i), 0};
        assert_string_equal(s->a[i], name);
    }
    assert_null(s->a_descriptor);
    assert_string_equal(s->b_descriptor, "%rd0");
    assert_string_equal(s->scale_d, "%p0");
    assert_string_equal(found.target, "sm_90a");
    assert_int_equal(found.globals_at, place(text, ".visible", 0));
    assert_int_equal(found.result_count, 1);
    const struct ptx_result *r = found.result;
    assert_int_equal(r->site, 0);
    assert_int_equal(r->accumulator, 0);
    assert_int_equal(r->line, 12);
    assert_int_equal(r->at, place(text, "aligned 0;", 0) + strlen("aligned 0;"));
    assert_int_equal(r->registers, 4);
    assert_false(r->packed_half);
    assert_string_equal(r->d[0], "%f0");
    assert_string_equal(r->d[3], "%f3");
}

static void find_sites_mov_behind_the_fence_is_followed_back(void **state)
{
    static const char text[] = KERNEL(
        FENCE "mov.b32 %r0, %r10; mov.f32 %f9, %f8; mov.b32 %r1, %f9; mov.b64 %rd0, %rd7; mov.pred %p0, %p3;\n" RS);
    (void)state;
    find(text);
    const struct ptx_site *s = found.site;
    assert_string_equal(s->why_not, "");
    assert_string_equal(s->a[0], "%r10");
    assert_string_equal(s->a[1], "%f8");
    assert_string_equal(s->a[2], "%r2");
    assert_int_equal(s->descriptors_at, place(text, "wgmma.fence", 0));
    assert_string_equal(s->b_descriptor, "%rd7");
    assert_string_equal(s->scale_d, "%p3");
}

static void find_sites_a_computed_behind_the_fence_says_why(void **state)
{
    static const char *const late[] = {"add.s32 %r1, %r2, %r3;",  "@%p1 mov.b32 %r1, %r9;",
                                       "mov.b32 %r1, 7;",         "ld.global.v2.b32 {%r9, %r1}, [%rd5];",
                                       "mov.b64 {%r1, _}, %rd4;", "call (%r1), g, (%r2);",
                                       "mov.b32 %r1, %r9+4;",     "mov.b32 %r1, %tid.x;"};
    char text[2000];
    (void)state;
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        snprintf(text, sizeof text, "%s%s%s%s%s%s", HEAD ".func (.reg .b32 %o) g(.reg .b32 %i);\n.entry k()\n{\n",
                 REGISTERS FENCE, late[i], "\n", RS, "ret;\n}\n");
        find(text);
        assert_string_equal(found.site[0].why_not, "register %r1 of A is computed after the fence, line 9");
        assert_string_equal(found.site[0].scale_d, "%p0");
    }
    /* Behind the wgmma, and ahead of the fence, everything is allowed. */
    find(KERNEL("add.s32 %r1, %r2, %r3;\n" FENCE RS "add.s32 %r1, %r2, %r3;\n"));
    assert_string_equal(found.site[0].why_not, "");
    /* A register in an address is read, not written. */
    find(KERNEL(FENCE "mbarrier.arrive.shared.b64 [%r1]; st.b32 [%r1], %r2;\n" RS));
    assert_string_equal(found.site[0].why_not, "");
    /* The source of a mov may change behind the mov, not ahead of it. */
    find(KERNEL(FENCE "mov.b32 %r1, %r9; add.s32 %r9, %r9, 1;\n" RS));
    assert_string_equal(found.site[0].why_not, "");
    find(KERNEL(FENCE "add.s32 %r9, %r9, 1; mov.b32 %r1, %r9;\n" RS));
    assert_string_equal(found.site[0].why_not, "register %r9 of A is computed after the fence, line 8");
}

static void find_sites_descriptor_behind_the_fence_gives_the_instruction(void **state)
{
    static const char text[] = KERNEL(FENCE "mov.b64 %rd0, %rd3; add.s64 %rd0, %rd2, 1;\n" RS);
    (void)state;
    find(text);
    assert_string_equal(found.site[0].why_not, "");
    assert_int_equal(found.site[0].registers_at, place(text, "wgmma.fence", 0));
    assert_int_equal(found.site[0].descriptors_at, place(text, "wgmma.mma_async", 0));
    assert_string_equal(found.site[0].b_descriptor, "%rd0");
}

static void find_sites_predicate_of_an_inner_block_gives_a_point_inside(void **state)
{
    static const char text[] =
        KERNEL(FENCE "{\n.reg .pred p;\nsetp.ne.b32 p, %r9, 0;\n" MMA
                     "{%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, %rd0, p, 1, 1, 1;\n}\n{ .reg .pred p; }\n" COMMIT
                     "{ " WAIT(0) "}\n");
    (void)state;
    find(text);
    assert_string_equal(found.site[0].scale_d, "p");
    assert_int_equal(found.site[0].descriptors_at, place(text, "wgmma.mma_async", 0));
    assert_true(found.site[0].b_mn);
    assert_int_equal(found.result_count, 1);
}

static void find_sites_name_that_means_another_at_the_point_is_not_given(void **state)
{
    (void)state;
    find(KERNEL("{ .reg .b32 %r1; " FENCE "}\n" RS));
    assert_string_equal(found.site[0].why_not, "a register of A has no name at the fence");
    find(KERNEL(FENCE "{ .reg .b32 x; mov.b32 x, %r9; mov.b32 %r1, x; }\n" RS));
    assert_string_equal(found.site[0].a[1], "%r9");
    find(KERNEL(FENCE "{ .reg .b32 x; " MMA "{%f0,%f1,%f2,%f3}, {x,%r1,%r2,%r3}, %rd0, 0, 1, 1, 1; }\n"));
    assert_string_equal(found.site[0].why_not, "a register of A has no name at the fence");
    /* A declaration behind the point hides nothing there. */
    find(KERNEL("{ " FENCE ".reg .b32 %r1; }\n" RS));
    assert_string_equal(found.site[0].why_not, "");
    find(KERNEL("{ " FENCE ".reg .b32 %r<3>; }\n" RS));
    assert_string_equal(found.site[0].why_not, "");
    /* D that another name hides behind the wait is no result. */
    find(KERNEL(FENCE RS COMMIT "{ .reg .f32 %f2; " WAIT(0) "}\n" READ));
    assert_int_equal(found.result_count, 0);
    /* %r12 is the register 2 of %r1<...> where that stands further in. */
    find(
        KERNEL("{ .reg .b32 %r1<3>; " FENCE "}\n" MMA "{%f0,%f1,%f2,%f3}, {%r13,%r14,%r15,%r16}, %rd0, 0, 1, 1, 1;\n"));
    assert_string_equal(found.site[0].why_not, "");
    find(
        KERNEL("{ .reg .b32 %r1<3>; " FENCE "}\n" MMA "{%f0,%f1,%f2,%f3}, {%r12,%r14,%r15,%r16}, %rd0, 0, 1, 1, 1;\n"));
    assert_string_equal(found.site[0].why_not, "a register of A has no name at the fence");
}

static void find_sites_fence_is_looked_for_on_straight_ways_only(void **state)
{
    static const char *const straight[] = {
        KERNEL(FENCE "@%p1 bra OUT;\n" RS "OUT:\n"),             /* falls through */
        KERNEL(FENCE "bra NEXT;\nEND: ret;\nNEXT:\n" RS),        /* jumps */
        KERNEL(FENCE RS_AGAIN "mov.u32 %r9, 1;\n" RS),           /* one fence for two */
        KERNEL(FENCE "$L__debug:\n@%p2 exit;\n@%p2 trap;\n" RS), /* a label that nobody jumps to */
    };
    static const char *const crooked[] = {
        KERNEL(RS),
        KERNEL("@%p2 " FENCE RS),
        KERNEL(FENCE "L:\n" RS "@%p1 bra L;\n"),
        KERNEL(FENCE "@%p1 bra L;\nmov.u32 %r9, 1;\nL:\n" RS),
        KERNEL("bra M;\nL:\n" RS "M: bra L;\n" FENCE),
        KERNEL("L:\n" RS "bra L;\n"), /* a circle, no fence */
        KERNEL("ret;\n" FENCE "ret;\n" RS),
        KERNEL(FENCE "brx.idx %r9, T;\nA: mov.u32 %r8, 1;\nB:\n" RS "ret;\nT: .branchtargets A, B;\n"),
        KERNEL(FENCE "brx.idx %r9, T;\nA: B:\n" RS "ret;\nT: .branchtargets A, C;\nC:\nbra A;\n"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof straight / sizeof *straight; i++) {
        find(straight[i]);
        const struct ptx_site *last = &found.site[found.site_count - 1];
        assert_string_equal(last->why_not, "");
        assert_int_equal(last->registers_at, place(straight[i], "wgmma.fence", 0));
    }
    for (size_t i = 0; i < sizeof crooked / sizeof *crooked; i++) {
        find(crooked[i]);
        assert_string_equal(found.site[0].why_not, "no wgmma.fence stands ahead of it on a straight way");
    }
}

static void find_sites_every_form_is_read(void **state)
{
    static const struct {
        const char *opcode, *operands, *op;
        int k, a_bits, d_registers;
        bool a_mn, b_mn, tapped;
    } form[] = {
        {"m64n8k16.f32.f16.f16", "{%f0,%f1,%f2,%f3}, %rd1, %rd0, 1, 1, -1, 1, 0", "wgmma.m64n8k16.f32.f16.f16.ss", 16,
         16, 4, true, false, true},
        {"m64n8k16.f16.f16.f16", "{%r8,%r9}, {%r0,%r1,%r2,%r3}, %rd0, 0, 1, 1, 1", "wgmma.m64n8k16.f16.f16.f16.rs", 16,
         16, 2, false, true, true},
        {"m64n8k8.f32.tf32.tf32", "{%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, %rd0, %p1, -1, 1",
         "wgmma.m64n8k8.f32.tf32.tf32.rs", 8, 32, 4, false, false, true},
        {"m64n8k32.f32.e4m3.e5m2", "{%f0,%f1,%f2,%f3}, %rd1, %rd0, %p1, 1, 1", "wgmma.m64n8k32.f32.e4m3.e5m2.ss", 32, 8,
         4, false, false, true},
        {"m64n8k32.s32.s8.u8.satfinite", "{%r4,%r5,%r6,%r7}, {%r0,%r1,%r2,%r3}, %rd0, %p1",
         "wgmma.m64n8k32.s32.s8.u8.rs", 32, 8, 4, false, false, true},
        {"m64n8k256.s32.b1.b1.and.popc", "{%r4,%r5,%r6,%r7}, {%r0,%r1,%r2,%r3}, %rd0, %p1",
         "wgmma.m64n8k256.s32.b1.b1.rs", 256, 1, 4, false, false, true},
    };
    char text[2000];
    (void)state;
    for (size_t i = 0; i < sizeof form / sizeof *form; i++) {
        snprintf(text, sizeof text, "%s%s %s%s",
                 HEAD ".entry k()\n{\n" REGISTERS FENCE "wgmma .mma_async.sync.aligned.", form[i].opcode,
                 form[i].operands, ";\n" COMMIT WAIT(0) "ret;\n}\n");
        find(text);
        const struct ptx_site *s = found.site;
        assert_string_equal(s->op, form[i].op);
        assert_int_equal(s->k, form[i].k);
        assert_int_equal(s->a_bits, form[i].a_bits);
        assert_int_equal(s->b_bits, form[i].a_bits);
        assert_int_equal(s->d_registers, form[i].d_registers);
        assert_int_equal(s->a_mn, form[i].a_mn);
        assert_int_equal(s->b_mn, form[i].b_mn);
        assert_int_equal(s->register_a, strstr(form[i].op, ".rs") != NULL);
        assert_int_equal(s->why_not[0] == '\0', form[i].tapped);
        assert_int_equal(found.result_count, 1);
        assert_int_equal(found.result[0].packed_half, strstr(form[i].op, ".f16.f16.f16") != NULL);
        if (s->register_a)
            assert_null(s->a_descriptor);
        else
            assert_string_equal(s->a_descriptor, "%rd1");
    }
}

static void find_sites_immediate_scale_and_untappable_forms_say_so(void **state)
{
    static const struct {
        const char *text, *why, *scale;
    } form[] = {
        {KERNEL(FENCE RS_AGAIN), "", "1"},
        {KERNEL(FENCE MMA "{%f0,%f1,%f2,%f3}, %rd1, %rd0, 0, 1, 1, 0, 0;\n"), "", "0"},
        {KERNEL(MMA "{%f0,%f1,%f2,%f3}, %rd1, %rd0, %p0, 1, 1, 0, 0;\n"), "", "%p0"},
        {KERNEL(FENCE MMA "{%f0,%f1,%f2,%f3}, %rd1, %rd0, !%p0, 1, 1, 0, 0;\n"),
         "scale-d is neither a predicate register nor 0 or 1", "0"},
        {KERNEL(FENCE MMA "{%f0,%f1,%f2,%f3}, 77, %rd0, %p0, 1, 1, 0, 0;\n"), "a descriptor is no 64-bit register",
         "%p0"},
        {KERNEL(".reg .v4 .b32 v;\n" FENCE MMA "{%f0,%f1,%f2,%f3}, {v.x,v.y,v.z,v.w}, %rd0, %p0, 1, 1, 0;\n"),
         "a register of A is no whole 32-bit register", "%p0"},
        {KERNEL(FENCE "wgmma.mma_async.sp.sync.aligned.m64n8k32.f32.bf16.bf16 {%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, "
                      "%rd0, %r9, 0, %p0, 1, 1, 0;\n"),
         "sparse wgmma is not tapped", "0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof form / sizeof *form; i++) {
        find(form[i].text);
        assert_string_equal(found.site[0].why_not, form[i].why);
        assert_string_equal(found.site[0].scale_d, form[i].scale);
    }
    assert_string_equal(found.site[0].op, "wgmma.m64n8k32.f32.bf16.bf16.rs.sp");
}

static void find_sites_loc_and_file_give_the_source(void **state)
{
    (void)state;
    find(HEAD ".func f()\n{\n.loc 1 99 0\nret;\n}\n.entry k()\n{\n" REGISTERS FENCE RS
              ".loc 2 7 3, function_name $s + 4, inlined_at 1 5 6\n" RS ".loc 1 8 0\n" RS ".loc 3 8 0\n" RS
              "ret;\n}\n.file 2 \"b/c.h\", 1, 2\n.file 1 \"a.cu\"\n.section .debug_str\n{\n$s:\n.b8 1,2\n}\n");
    assert_int_equal(found.site_count, 4);
    assert_null(found.site[0].source);
    assert_string_equal(found.site[1].source, "b/c.h");
    assert_int_equal(found.site[1].source_line, 7);
    assert_string_equal(found.site[2].source, "a.cu");
    assert_int_equal(found.site[2].source_line, 8);
    assert_null(found.site[3].source);
    assert_int_equal(found.site[3].source_line, 0);
}

static void find_sites_module_without_wgmma_has_none(void **state)
{
    (void)state;
    find(HEAD);
    assert_int_equal(found.site_count + found.result_count, 0);
    assert_int_equal(found.globals_at, strlen(HEAD));
    find(".version 8.4 .target sm_90a, debug .global .u32 x = 1;");
    assert_int_equal(found.globals_at, place(".version 8.4 .target sm_90a, debug .global", ".global", 0));
    /* A second .target is legal; variables are needed ahead of the first function all the same. */
    find(HEAD ".func f() { ret; }\n.target sm_90a\n.func g() { ret; }\n");
    assert_int_equal(found.globals_at, strlen(HEAD));
}

static enum status find_once(void *context, struct error *e)
{
    static const char text[] = KERNEL("L:\n" FENCE RS RS_OTHER "mov.f32 %f8, %f0;\n{ .reg .b32 x; }\n" COMMIT WAIT(0)
                                          READ "@%p1 bra L;\n.loc 1 2 3\n") ".file 1 \"a\"\n";
    struct ptx_sites sites = {.site_count = 77};
    enum status s = ptx_find_sites("k.ptx", text, strlen(text), &sites, e);
    (void)context;
    if (s == STATUS_OK)
        ptx_sites_free(&sites);
    else
        assert_int_equal(sites.site_count, 77);
    return s;
}

static void find_sites_any_allocation_fails_without_a_trace(void **state)
{
    (void)state;
    assert_true(alloc_check(find_once, NULL, NULL) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_sites_straight_line_gives_the_fence_and_the_names),
        cmocka_unit_test(find_sites_mov_behind_the_fence_is_followed_back),
        cmocka_unit_test(find_sites_a_computed_behind_the_fence_says_why),
        cmocka_unit_test(find_sites_descriptor_behind_the_fence_gives_the_instruction),
        cmocka_unit_test(find_sites_predicate_of_an_inner_block_gives_a_point_inside),
        cmocka_unit_test(find_sites_name_that_means_another_at_the_point_is_not_given),
        cmocka_unit_test(find_sites_fence_is_looked_for_on_straight_ways_only),
        cmocka_unit_test(find_sites_every_form_is_read),
        cmocka_unit_test(find_sites_immediate_scale_and_untappable_forms_say_so),
        cmocka_unit_test(find_sites_loc_and_file_give_the_source),
        cmocka_unit_test(find_sites_module_without_wgmma_has_none),
        cmocka_unit_test(find_sites_any_allocation_fails_without_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
