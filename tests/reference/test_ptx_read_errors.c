#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reference/ptx/program.h"
#include "tests/support/alloc.h"

#define HEAD ".version 9.0\n.target sm_90a\n.address_size 64\n"
/* The body begins in line 5. */
#define KERNEL(body) HEAD ".visible .entry k(.param .u64 p) {\n" body "\n}\n"

static void read_what_is_wrong_is_said_with_its_place(void **state)
{
    static const struct {
        const char *text;
        int line, column;
        const char *why;
    } bad[] = {
        {"", 1, 1, "begins with .version"},
        {".target sm_90a", 1, 1, "begins with .version"},
        {".version x", 1, 10, "a version"},
        {".version 9.0\n.target sm_90a\n.address_size 32", 3, 15, "64-bit"},
        {HEAD ".nonsense", 4, 1, "directive of a module"},
        {HEAD ".section .debug {\n", 5, 1, "no end"},
        {HEAD ".local .b32 x;", 4, 1, "in a function"},
        {HEAD ".global .b32 x; .global .b32 x;", 4, 30, "x is declared twice"},
        {HEAD ".global .b3 x;", 4, 9, "nothing of a variable"},
        {HEAD ".global x;", 4, 9, "type of a variable"},
        {HEAD ".global .align 3 .b8 x;", 4, 16, "power of two"},
        {HEAD ".global .b8 x[0];", 4, 13, "no bytes"},
        {HEAD ".global .b8 x[];", 4, 13, "no bytes"},
        {HEAD ".global .b8 x[4294967295][4294967295];", 4, 13, "too large"},
        {HEAD ".global .b8 x[4294967295][4294967295] = {1};", 4, 41, "16 MiB"},
        {HEAD ".global .b64 x[4000000] = {1};", 4, 27, "16 MiB"},
        {HEAD ".global .b8 x[2] = {1, 2, 3};", 4, 27, "more than"},
        {HEAD ".global .b8 x[2] = {{1}};", 4, 22, "more braces"},
        {HEAD ".global .b8 x = {1};", 4, 18, "more braces"},
        {HEAD ".global .b64 y; .global .b64 x = y;", 4, 34, "addresses"},
        {HEAD ".global .b64 x = generic(x);", 4, 18, "addresses"},
        {HEAD ".global .f32 x = 1;", 4, 19, "integer begins"},
        {HEAD ".global .b16 x = 1.5;", 4, 21, "does not fit"},
        {HEAD ".shared .b16 x = 1;", 4, 18, "have an initialiser"},
        {HEAD ".func (.reg .b32 x) f () { ret; }", 4, 8, "in registers"},
        {HEAD ".entry k() .maxntid 1,2,3,4 { ret; }", 4, 27, "three numbers"},
        {HEAD ".entry k() .fast { ret; }", 4, 12, "directive of a function"},
        {HEAD ".entry k() {} .entry k() {}", 4, 22, "declared twice"},
        {HEAD ".func k(); .entry k() {}", 4, 19, "declared twice"},
        {HEAD ".entry k() { ret;", 4, 18, "no end"},
        {HEAD ".entry k() ret;", 4, 12, "expected ';'"},
        {HEAD ".func f(); .alias f, f;", 4, 22, "has a body"},
        {HEAD ".func f() {} .alias f, f;", 4, 21, "declared only"},
        {KERNEL("ttt %r1;"), 5, 5, "%r1 is not declared"},
        {KERNEL(".reg .b32 %r<1>; ttt %r1;"), 5, 22, "%r1 is not declared"},
        {KERNEL(".reg .b32 %r<9>; ttt %r01;"), 5, 22, "%r01 is not declared"},
        {KERNEL(".reg .b32 %r<9>; ttt %r;"), 5, 22, "%r is not declared"},
        {KERNEL("{.reg .b32 %r<9>;} ttt %r1;"), 5, 24, "%r1 is not declared"},
        {KERNEL(".reg .b32 a, a;"), 5, 14, "a is declared twice"},
        {KERNEL(".reg .b3 a;"), 5, 6, "type of register"},
        {KERNEL(".reg .s4 a;"), 5, 6, "type of register"},
        {KERNEL(".reg .v2 .b32 a;"), 5, 6, "vectors of registers"},
        {KERNEL(".reg a;"), 5, 6, "type of a register"},
        {KERNEL("ttt L;"), 5, 5, "L is not declared"},
        {KERNEL("{ L: } ttt L;"), 5, 12, "L is not declared"},
        {KERNEL("L: ttt; L: ttt;"), 5, 9, "L stands twice"},
        {KERNEL("T: .branchtargets T;"), 5, 19, "not a label"},
        {KERNEL("T: .branchtargets 5;"), 5, 19, "expected a name"},
        {KERNEL("ttt {L};"), 5, 6, "L is not declared"},
        {KERNEL("ttt [L];"), 5, 6, "L is not declared"},
        {KERNEL(".reg .pred q; ttt [!q];"), 5, 20, "not an address"},
        {KERNEL("ttt [%tid.x];"), 5, 6, "not an address"},
        {KERNEL("ttt [1.5];"), 5, 6, "not an address"},
        {KERNEL("ttt [8+%r1];"), 5, 8, "expected a number"},
        {KERNEL("ttt [8+1.5];"), 5, 11, "no float"},
        {KERNEL("ttt [8;"), 5, 7, "expected ']'"},
        {KERNEL("ttt {1;"), 5, 7, "expected '}'"},
        {KERNEL("ttt 1 2;"), 5, 7, "expected ';'"},
        {KERNEL("ttt 1,;"), 5, 7, "expected a name"},
        {KERNEL(".reg .b32 r; ttt !r;"), 5, 19, "before a predicate"},
        {KERNEL("ttt !1;"), 5, 6, "before a predicate"},
        {KERNEL(".reg .b32 r; ttt -r;"), 5, 19, "expected a number"},
        {KERNEL("ttt 1|2;"), 5, 7, "between registers"},
        {KERNEL(".reg .b32 r; @r ttt;"), 5, 15, "guard is a predicate"},
        {KERNEL("@5 ttt;"), 5, 2, "expected a name"},
        {KERNEL(".reg .pred q; @q L: ttt;"), 5, 19, "expected a name"},
        {KERNEL(".extern ttt;"), 5, 9, "expected a variable"},
        {KERNEL("5;"), 5, 1, "expected an instruction"},
        {KERNEL("\x01"), 5, 1, "starts nothing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct vm_program p, before;
        struct error e = {0};
        memset(&p, 0x5a, sizeof p);
        before = p;
        assert_int_equal(vm_program_read("k.ptx", bad[i].text, strlen(bad[i].text), &p, &e), STATUS_BAD_INPUT);
        if (e.line != bad[i].line || e.column != bad[i].column || !strstr(e.why, bad[i].why))
            fail_msg("%s\n%d:%d: %s", bad[i].text, e.line, e.column, e.why);
        assert_string_equal(e.path, "k.ptx");
        assert_memory_equal(&p, &before, sizeof p);
    }
    struct vm_program p;
    struct error e = {0};
    assert_int_equal(vm_program_read("k.ptx", HEAD "\0", sizeof HEAD, &p, &e), STATUS_BAD_INPUT);
    assert_int_equal(e.offset, sizeof HEAD - 1);
}

static const char small[] =
    HEAD "/* all of it */ .file 1 \"a\"\n.extern .shared .align 16 .b8 x[];\n.global .b16 g[2][2] = {{1,-2},{0x3}};\n"
         ".global .f64 h = 1.5e0;\n.func (.param .b32 r) f (.param .b64 a) { ret; }\n"
         ".visible .entry k(.param .u64 .ptr .global .align 4 p, .param .align 8 .b8 q[16])\n.maxntid 32, 1\n{\n"
         ".reg .pred %p<2>; .reg .b32 %r<9>;\n.loc 1 2 3, function_name $a + 1, inlined_at 1 2 3\n"
         "ld.param.u64.v2 {%r1, _}, [p+-8];\nL: @!%p1 bra L; { .param .b32 t; call.uni (t), f, (g, %r3); }\n"
         "T: .branchtargets L, L; brx.idx %r1, T;\ncp.async.bulk.tensor [x], [q, {%r1, 5}], [%r2], %tid.x, !%p1, "
         "0f3F800000;\n"
         "shfl.sync.idx.b32 %r1|%p1, %r2, WARP_SZ, 017;\n}\n.section .debug { .b8 1 }\n";

/* In a block of its own size, so that a sanitiser sees a byte read too far. */
static enum status read_copy(const char *text, size_t size, struct error *e)
{
    struct vm_program p;
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    enum status s = vm_program_read("k.ptx", copy, size, &p, e);
    if (s == STATUS_OK)
        vm_program_free(&p);
    free(copy);
    return s;
}

static void read_a_text_cut_anywhere_is_refused(void **state)
{
    struct error e;
    size_t refused = 0, whole = strlen(small);
    (void)state;
    assert_int_equal(read_copy(small, whole, &e), STATUS_OK);
    for (size_t size = 0; size < whole; size++) {
        enum status s = read_copy(small, size, &e);
        assert_true(s == STATUS_OK || s == STATUS_BAD_INPUT);
        refused += s == STATUS_BAD_INPUT;
    }
    assert_true(refused > whole * 8 / 10); /* a module may end behind any of its items */
}

static void read_a_text_with_a_token_too_many_or_too_few_never_breaks(void **state)
{
    static const char insert[] = "{}[](),;:.-!|@<%09afux_\"/ ";
    char text[sizeof small + 1];
    struct error e;
    size_t runs = 0;
    (void)state;
    for (size_t at = 0; at < strlen(small); at++) {
        memcpy(text, small, at);
        memcpy(text + at, small + at + 1, strlen(small) - at - 1);
        enum status s = read_copy(text, strlen(small) - 1, &e);
        assert_true(s == STATUS_OK || s == STATUS_BAD_INPUT);
        memcpy(text + at + 1, small + at, strlen(small) - at);
        for (size_t c = at % 4; c < strlen(insert); c += 4, runs++) {
            text[at] = insert[c];
            s = read_copy(text, strlen(small) + 1, &e);
            assert_true(s == STATUS_OK || s == STATUS_BAD_INPUT);
        }
    }
    assert_true(runs > 4000);
}

static enum status read_small(void *context, struct error *e)
{
    return vm_program_read("k.ptx", small, strlen(small), context, e);
}

static void read_without_memory_fails_cleanly(void **state)
{
    struct vm_program p;
    (void)state;
    assert_true(alloc_check(read_small, NULL, &p) > 10);
    vm_program_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(read_a_text_cut_anywhere_is_refused),
        cmocka_unit_test(read_a_text_with_a_token_too_many_or_too_few_never_breaks),
        cmocka_unit_test(read_without_memory_fails_cleanly),
    };
    return cmocka_run_group_tests_name("ptx_read_errors", tests, NULL, NULL);
}
