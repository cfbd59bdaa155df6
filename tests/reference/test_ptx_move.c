#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/ptx_lanes.h"
#include "tests/support/splitmix.h"

#define ALL UINT32_MAX

static void fill(uint64_t *row, unsigned bits, struct splitmix *r)
{
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        row[lane] = bits == 64 ? splitmix_next(r) : splitmix_next(r) & ((UINT64_C(1) << bits) - 1);
}

static void mov_every_type_copies_the_bits(void **state)
{
    static const struct {
        const char *type, *to, *from;
        unsigned bits;
    } types[] = {
        {"pred", "%p1", "%p2", 1}, {"b16", "%h1", "%h2", 16}, {"u16", "%h1", "%h2", 16}, {"s16", "%h1", "%h2", 16},
        {"b32", "%r1", "%r2", 32}, {"u32", "%r1", "%r2", 32}, {"s32", "%r1", "%r2", 32}, {"f32", "%f1", "%f2", 32},
        {"b32", "%r1", "%f2", 32}, {"b64", "%d1", "%d2", 64}, {"u64", "%d1", "%d2", 64}, {"s64", "%d1", "%d2", 64},
        {"f64", "%g1", "%g2", 64},
    };
    struct splitmix r = {splitmix_seed()};
    (void)state;
    for (size_t n = 0; n < sizeof types / sizeof *types; n++) {
        struct ptx_lanes t;
        char body[80];
        snprintf(body, sizeof body, "mov.%s %s, %s;", types[n].type, types[n].to, types[n].from);
        ptx_lanes_open(&t, "", body, 1, 0);
        uint64_t *from = ptx_lanes_row(&t, types[n].from), *to = ptx_lanes_row(&t, types[n].to);
        uint64_t old[VM_LANES];
        fill(from, types[n].bits, &r);
        memcpy(old, to, sizeof old);
        assert_int_equal(ptx_lanes_step(&t, 0, 0x80000a05), VM_NEXT);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            if ((0x80000a05u >> lane & 1 ? from[lane] : old[lane]) != to[lane])
                fail_msg("%s: lane %u holds 0x%llx", body, lane, (unsigned long long)to[lane]);
        ptx_lanes_close(&t);
    }
}

static void mov_immediates_and_specials_are_values(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(
        &t, "",
        "mov.u32 %r1, -2; mov.b16 %h1, 0x8001; mov.b64 %d1, -2; mov.f32 %f1, 0f3FC00000;\n"
        "mov.f32 %f2, 1.5; mov.f64 %g1, 0d3FF8000000000000; mov.pred %p1, -1; mov.pred %p2, 0; mov.pred %p5, 2;\n"
        "mov.u32 %r2, %tid.x; mov.b32 %r3, %laneid; mov.u32 %r4, %cluster_ctarank; mov.u32 %r5, %ntid.x;\n"
        "mov.pred %p3, !%p1; mov.pred %p4, !%p2; mov.u32 %r6, %lanemask_lt;",
        4, 3);
    ptx_lanes_run(&t);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        assert_int_equal(ptx_lanes_row(&t, "%r1")[lane], 0xfffffffe);
        assert_int_equal(ptx_lanes_row(&t, "%h1")[lane], 0x8001);
        assert_true(ptx_lanes_row(&t, "%d1")[lane] == UINT64_MAX - 1);
        assert_int_equal(ptx_lanes_row(&t, "%f1")[lane], 0x3fc00000);
        assert_int_equal(ptx_lanes_row(&t, "%f2")[lane], 0x3fc00000);
        assert_true(ptx_lanes_row(&t, "%g1")[lane] == 0x3ff8000000000000);
        assert_int_equal(ptx_lanes_row(&t, "%p1")[lane], 1);
        assert_int_equal(ptx_lanes_row(&t, "%p2")[lane], 0);
        assert_int_equal(ptx_lanes_row(&t, "%p5")[lane], 1);
        assert_int_equal(ptx_lanes_row(&t, "%r2")[lane], lane);
        assert_int_equal(ptx_lanes_row(&t, "%r3")[lane], lane);
        assert_int_equal(ptx_lanes_row(&t, "%r4")[lane], 3);
        assert_int_equal(ptx_lanes_row(&t, "%r5")[lane], 32);
        assert_int_equal(ptx_lanes_row(&t, "%p3")[lane], 0);
        assert_int_equal(ptx_lanes_row(&t, "%p4")[lane], 1);
        assert_int_equal(ptx_lanes_row(&t, "%r6")[lane], (UINT32_C(1) << lane) - 1);
    }
    ptx_lanes_close(&t);
}

static void mov_vectors_have_the_first_element_lowest(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(&t, "",
                   "mov.b32 %r1, {%h1, %h2}; mov.b64 %d1, {%r2, %r3}; mov.b64 %d2, {%h1, %h2, %h3, %h4};\n"
                   "mov.b32 %r4, {%b1, %b2, %b3, %b4}; mov.b16 %h5, {%b1, %b2}; mov.b32 %r5, {%h1, -1};",
                   1, 0);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        for (unsigned n = 1; n <= 4; n++) {
            char name[16];
            snprintf(name, sizeof name, "%%h%u", n);
            ptx_lanes_row(&t, name)[lane] = 0x1110 * n + lane;
            snprintf(name, sizeof name, "%%b%u", n);
            ptx_lanes_row(&t, name)[lane] = 0x20 * n + lane;
        }
        ptx_lanes_row(&t, "%r2")[lane] = 0x89abcd00 + lane;
        ptx_lanes_row(&t, "%r3")[lane] = 0xf1234500 + lane;
    }
    ptx_lanes_run(&t);
    assert_int_equal(ptx_lanes_row(&t, "%r1")[0], 0x22201110);
    assert_int_equal(ptx_lanes_row(&t, "%r1")[31], 0x223f112f);
    assert_true(ptx_lanes_row(&t, "%d1")[5] == 0xf123450589abcd05);
    assert_true(ptx_lanes_row(&t, "%d2")[1] == 0x4441333122211111);
    assert_int_equal(ptx_lanes_row(&t, "%r4")[2], 0x82624222);
    assert_int_equal(ptx_lanes_row(&t, "%h5")[3], 0x4323);
    assert_int_equal(ptx_lanes_row(&t, "%r5")[0], 0xffff1110);
    ptx_lanes_close(&t);
}

static void mov_taken_apart_skips_sinks(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(&t, "",
                   "mov.b64 {%r1, %r2}, %d1; mov.b64 {_, %r3}, %d1; mov.b64 {%r4, _}, %d1;\n"
                   "mov.b64 {%h1, %h2, _, %h4}, %d1; mov.b32 {%b1, %b2, %b3, %b4}, %r10; mov.b32 {%h5, %h6}, -3;\n"
                   "mov.b32 {%h7, %h8}, %f1; mov.b16 {%b5, %b6}, %h9;",
                   1, 0);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        ptx_lanes_row(&t, "%d1")[lane] = 0x1122334455667700 + lane;
        ptx_lanes_row(&t, "%r10")[lane] = 0xa1b2c3d0 + lane;
        ptx_lanes_row(&t, "%f1")[lane] = 0x3f80abcd;
        ptx_lanes_row(&t, "%h9")[lane] = 0x9876;
    }
    ptx_lanes_run(&t);
    static const struct {
        const char *name;
        uint64_t value; /* of lane 3 */
    } wanted[] = {{"%r1", 0x55667703}, {"%r2", 0x11223344}, {"%r3", 0x11223344}, {"%r4", 0x55667703}, {"%h1", 0x7703},
                  {"%h2", 0x5566},     {"%h4", 0x1122},     {"%b1", 0xd3},       {"%b2", 0xc3},       {"%b3", 0xb2},
                  {"%b4", 0xa1},       {"%h5", 0xfffd},     {"%h6", 0xffff},     {"%h7", 0xabcd},     {"%h8", 0x3f80},
                  {"%b5", 0x76},       {"%b6", 0x98}};
    for (size_t n = 0; n < sizeof wanted / sizeof *wanted; n++)
        if (ptx_lanes_row(&t, wanted[n].name)[3] != wanted[n].value)
            fail_msg("%s is 0x%llx", wanted[n].name, (unsigned long long)ptx_lanes_row(&t, wanted[n].name)[3]);
    ptx_lanes_close(&t);
}

static const char variables[] = ".global .align 8 .b8 somewhere[64];\n.const .align 4 .b8 fixed[16];\n"
                                ".shared .align 16 .b8 first[48];\n.shared .align 16 .b8 second[64];\n"
                                ".func other(.param .b32 a) { ret; }\n";

static void mov_symbols_are_addresses_in_their_space(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(
        &t, variables,
        ".local .align 8 .b8 mine[24]; mov.u64 %d1, somewhere; mov.u64 %d2, somewhere+5; mov.u32 %r1, first;\n"
        "mov.u32 %r2, second; mov.u64 %d3, second; mov.u64 %d4, given; mov.u64 %d5, mine; mov.u32 %r3, "
        "second+4;",
        2, 1);
    ptx_lanes_run(&t);
    uint64_t at = ptx_lanes_row(&t, "%d1")[0];
    assert_non_null(vm_global_at(t.w->block, at, 64, true));
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        assert_true(ptx_lanes_row(&t, "%d1")[lane] == at);
        assert_true(ptx_lanes_row(&t, "%d2")[lane] == at + 5);
        assert_int_equal(ptx_lanes_row(&t, "%r1")[lane], 0x01000000 + VM_SHARED_START);
        assert_int_equal(ptx_lanes_row(&t, "%r2")[lane], 0x01000000 + VM_SHARED_START + 48);
        assert_true(ptx_lanes_row(&t, "%d3")[lane] == 0x01000000 + VM_SHARED_START + 48);
        assert_int_equal(ptx_lanes_row(&t, "%r3")[lane], 0x01000000 + VM_SHARED_START + 52);
        assert_int_equal(ptx_lanes_row(&t, "%d4")[lane], 0);
        assert_int_equal(ptx_lanes_row(&t, "%d5")[lane], 8); /* behind the parameter of `other` */
    }
    ptx_lanes_close(&t);
}

static void mov_what_is_not_modelled_is_refused(void **state)
{
    static const struct {
        const char *body, *why;
    } refused[] = {
        {"mov.u64 %d1, other;", "function"},
        {"mov.u32 %r1, somewhere;", "operands"},
        {"mov.u32 %r1, fixed;", "operands"},
        {"mov.u32 %r1, %d1;", "operands"},
        {"mov.u32 %r1, %h1;", "operands"},
        {"mov.u32 %d1, %r1;", "operands"},
        {"mov.b8 %b1, %b2;", "words"},
        {"mov.u32.rn %r1, %r2;", "words"},
        {"mov.b32 %r1, {%r2, %r3};", "operands"},
        {"mov.b32 %r1, {%h1, %h2, %h3};", "operands"},
        {"mov.f32 %f1, {%h1, %h2};", "operands"},
        {"mov.b32 {%h1, %r1}, %r2;", "operands"},
        {"mov.b16 %h1, {%b1, %b2, %b3, %b4};", "operands"},
        {"cvta.shared.u32 %r1, %r2;", "words"},
        {"cvta.u64 %d1, %d2;", "words"},
        {"cvta.global.u64 %d1, first;", "operands"},
        {"cvta.to.shared.u64 %d1, first;", "operands"},
        {"cvta.to.shared.u64 %r1, %d1;", "operands"},
        {"isspacep.const %p1, %d1;", "words"},
        {"isspacep.shared %r1, %d1;", "operands"},
        {"isspacep.shared %p1, %r1;", "operands"},
        {"mapa.u32 %r1, %r2, %r3;", "words"},
        {"mapa.shared::cluster.s32 %r1, %r2, %r3;", "words"},
        {"mapa.shared::cluster.u32 %r1, %r2, %d3;", "operands"},
        {"mapa.shared::cluster.u32 %r1, somewhere, %r3;", "operands"},
        {"mapa.u64 %d1, first, %r3;", "operands"},
        {"getctarank.u64 %d1, %d2;", "operands"},
        {"getctarank.u32 %r1, %r2;", "words"},
        {"createpolicy.fractional.b64 %d1, 0f3F800000;", "words"},
        {"createpolicy.fractional.L2::evict_first.b64 %r1, 0f3F800000;", "operands"},
    };
    (void)state;
    for (size_t n = 0; n < sizeof refused / sizeof *refused; n++)
        ptx_lanes_refuse(variables, refused[n].body, refused[n].why);
}

static void cvta_there_and_back_is_the_address(void **state)
{
    static const struct {
        const char *space;
        uint64_t plain, generic;
    } spaces[] = {
        {"global", 0x10000000040, 0x10000000040},
        {"const", 0x10000000040, 0x10000000040},
        {"shared", 0x03000400, 0x7a0003000400},
        {"shared::cta", 0x03000400, 0x7a0003000400},
        {"shared::cluster", 0x02000410, 0x7a0002000410},
        {"local", 8, 0x7b0000000008},
        {"param", 16, 0x7c0000000010},
        {"param::entry", 16, 0x7c0000000010},
    };
    (void)state;
    for (size_t n = 0; n < sizeof spaces / sizeof *spaces; n++) {
        struct ptx_lanes t;
        char body[120];
        snprintf(body, sizeof body, "cvta.%s.u64 %%d1, %%d2; cvta.to.%s.u64 %%d3, %%d1;", spaces[n].space,
                 spaces[n].space);
        ptx_lanes_open(&t, "", body, 4, 3);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            ptx_lanes_row(&t, "%d2")[lane] = spaces[n].plain + lane;
        ptx_lanes_run(&t);
        for (unsigned lane = 0; lane < VM_LANES; lane++) {
            assert_true(ptx_lanes_row(&t, "%d1")[lane] == spaces[n].generic + lane);
            assert_true(ptx_lanes_row(&t, "%d3")[lane] == spaces[n].plain + lane);
        }
        assert_int_equal(t.vm->report.hazards, 0);
        ptx_lanes_close(&t);
    }
}

static void cvta_of_variables_is_their_generic_address(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(&t, variables,
                   "cvta.shared.u64 %d1, second; cvta.param.u64 %d2, given+8; cvta.global.u64 %d3, somewhere;\n"
                   "mov.u64 %d4, somewhere;",
                   2, 1);
    ptx_lanes_run(&t);
    assert_true(ptx_lanes_row(&t, "%d1")[7] == 0x7a0001000000 + VM_SHARED_START + 48);
    assert_true(ptx_lanes_row(&t, "%d2")[7] == 0x7c0000000008);
    assert_true(ptx_lanes_row(&t, "%d3")[7] == ptx_lanes_row(&t, "%d4")[7]);
    ptx_lanes_close(&t);
}

static void cvta_to_a_space_that_the_address_is_not_in_is_a_hazard(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(&t, "", "cvta.to.shared.u64 %d1, %d2; cvta.to.global.u64 %d3, %d2;", 1, 0);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        ptx_lanes_row(&t, "%d2")[lane] = lane == 9 ? 0x7b0000000008 : 0x7a0000000400;
    assert_int_equal(ptx_lanes_step(&t, 0, ~(UINT32_C(1) << 9)), VM_NEXT);
    assert_int_equal(ptx_lanes_step(&t, 1, ALL), VM_NEXT);
    assert_int_equal(t.vm->report.hazards, 0);
    assert_int_equal(ptx_lanes_step(&t, 0, ALL), VM_NEXT);
    assert_true(ptx_lanes_hazard(&t, "converted to a space"));
    assert_int_equal(t.vm->report.hazard[0].count, 1);
    ptx_lanes_close(&t);
}

static void isspacep_every_space_is_told(void **state)
{
    static const uint64_t address[] = {0x10000000040, 0x7a0001000400, 0x7a0002000400, 0x7b0000000008, 0x7c0000000010};
    static const struct {
        const char *space;
        uint8_t wanted[5]; /* global, the own block's shared (rank 1), another's, local, param */
    } spaces[] = {
        {"global", {1, 0, 0, 0, 1}},          {"shared", {0, 1, 0, 0, 0}}, {"shared::cta", {0, 1, 0, 0, 0}},
        {"shared::cluster", {0, 1, 1, 0, 0}}, {"local", {0, 0, 0, 1, 0}},  {"param", {0, 0, 0, 0, 1}},
        {"param::entry", {0, 0, 0, 0, 1}},
    };
    (void)state;
    for (size_t n = 0; n < sizeof spaces / sizeof *spaces; n++) {
        struct ptx_lanes t;
        char body[80];
        snprintf(body, sizeof body, "isspacep.%s %%p1, %%d1;", spaces[n].space);
        ptx_lanes_open(&t, "", body, 4, 1);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            ptx_lanes_row(&t, "%d1")[lane] = address[lane % 5];
        ptx_lanes_run(&t);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            if (ptx_lanes_row(&t, "%p1")[lane] != spaces[n].wanted[lane % 5])
                fail_msg("isspacep.%s of 0x%llx", spaces[n].space, (unsigned long long)address[lane % 5]);
        ptx_lanes_close(&t);
    }
}

static void mapa_and_getctarank_name_blocks(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(&t, variables,
                   "mapa.shared::cluster.u32 %r1, %r2, %r3; mapa.shared::cluster.u64 %d1, second, %r3;\n"
                   "mapa.u64 %d2, %d3, %r3; getctarank.shared::cluster.u32 %r4, %r1;\n"
                   "getctarank.u64 %r5, %d2; getctarank.shared::cluster.u64 %r6, %d1; mapa.shared::cluster.u32 %r7, "
                   "first, 2; getctarank.shared::cluster.u32 %r8, first;",
                   4, 1);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        ptx_lanes_row(&t, "%r2")[lane] = 0x01000500 + 4 * lane;
        ptx_lanes_row(&t, "%d3")[lane] = 0x7a0001000500 + 4 * lane;
        ptx_lanes_row(&t, "%r3")[lane] = lane % 4;
    }
    ptx_lanes_run(&t);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        uint64_t there = (uint64_t)(lane % 4) << 24;
        assert_int_equal(ptx_lanes_row(&t, "%r1")[lane], there + 0x500 + 4 * lane);
        assert_int_equal(ptx_lanes_row(&t, "%d1")[lane], there + VM_SHARED_START + 48);
        assert_true(ptx_lanes_row(&t, "%d2")[lane] == 0x7a0000000000 + there + 0x500 + 4 * lane);
        assert_int_equal(ptx_lanes_row(&t, "%r4")[lane], lane % 4);
        assert_int_equal(ptx_lanes_row(&t, "%r5")[lane], lane % 4);
        assert_int_equal(ptx_lanes_row(&t, "%r6")[lane], lane % 4);
        assert_int_equal(ptx_lanes_row(&t, "%r7")[lane], 0x02000000 + VM_SHARED_START);
        assert_int_equal(ptx_lanes_row(&t, "%r8")[lane], 1);
    }
    assert_int_equal(t.vm->report.hazards, 0);
    ptx_lanes_close(&t);
}

static void mapa_what_lies_nowhere_is_a_hazard(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(&t, "", "mapa.shared::cluster.u32 %r1, %r2, %r3; getctarank.u64 %r4, %d1;", 2, 0);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        ptx_lanes_row(&t, "%r2")[lane] = 0x500;
        ptx_lanes_row(&t, "%r3")[lane] = lane == 4 ? 2 : 1;
        ptx_lanes_row(&t, "%d1")[lane] = lane == 4 ? 0x7b0000000008 : 0x7a0001000400;
    }
    assert_int_equal(ptx_lanes_step(&t, 0, 0xf), VM_NEXT);
    assert_int_equal(ptx_lanes_step(&t, 1, 0xf), VM_NEXT);
    assert_int_equal(t.vm->report.hazards, 0);
    assert_int_equal(ptx_lanes_step(&t, 0, 0x1f), VM_NEXT);
    assert_true(ptx_lanes_hazard(&t, "not in the cluster"));
    assert_int_equal(ptx_lanes_step(&t, 1, 0x1f), VM_NEXT);
    assert_true(ptx_lanes_hazard(&t, "of no shared memory"));
    ptx_lanes_close(&t);
}

static void createpolicy_every_form_is_taken(void **state)
{
    static const char *const forms[] = {
        "createpolicy.fractional.L2::evict_first.b64 %d1, 0f3F800000;",
        "createpolicy.fractional.L2::evict_last.L2::evict_unchanged.b64 %d1, 1.0;",
        "createpolicy.fractional.L2::evict_last.b64 %d1;",
        "createpolicy.range.global.L2::evict_last.L2::evict_first.b64 %d1, [%d2], 64, 128;",
        "createpolicy.cvt.L2.b64 %d1, %d2;",
    };
    (void)state;
    for (size_t n = 0; n < sizeof forms / sizeof *forms; n++) {
        struct ptx_lanes t;
        ptx_lanes_open(&t, "", forms[n], 1, 0);
        ptx_lanes_run(&t);
        ptx_lanes_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mov_every_type_copies_the_bits),
        cmocka_unit_test(mov_immediates_and_specials_are_values),
        cmocka_unit_test(mov_vectors_have_the_first_element_lowest),
        cmocka_unit_test(mov_taken_apart_skips_sinks),
        cmocka_unit_test(mov_symbols_are_addresses_in_their_space),
        cmocka_unit_test(mov_what_is_not_modelled_is_refused),
        cmocka_unit_test(cvta_there_and_back_is_the_address),
        cmocka_unit_test(cvta_of_variables_is_their_generic_address),
        cmocka_unit_test(cvta_to_a_space_that_the_address_is_not_in_is_a_hazard),
        cmocka_unit_test(isspacep_every_space_is_told),
        cmocka_unit_test(mapa_and_getctarank_name_blocks),
        cmocka_unit_test(mapa_what_lies_nowhere_is_a_hazard),
        cmocka_unit_test(createpolicy_every_form_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
