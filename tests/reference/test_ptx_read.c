#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reference/ptx/program.h"

#define HEAD ".version 9.0\n.target sm_90a\n.address_size 64\n"
/* The body begins in line 5. The opcodes of these tests are none of PTX: what is read must not depend on which
 * operations the machine has. */
#define KERNEL(body) HEAD ".visible .entry k(.param .u64 p) {\n" body "\n}\n"

static struct vm_program read_text(const char *text)
{
    struct vm_program p;
    struct error e = {0};
    enum status s = vm_program_read("k.ptx", text, strlen(text), &p, &e);
    if (s != STATUS_OK)
        fail_msg("%d:%d: %s", e.line, e.column, e.why);
    assert_string_equal(p.path, "k.ptx");
    return p;
}

/* The n-th instruction of the module; `ret` is put behind every body. */
static const struct vm_instruction *instruction(const struct vm_program *p, uint32_t n)
{
    assert_in_range(n, 0, p->instructions - 1);
    return &p->instruction[n];
}

static const struct vm_operand *operand(const struct vm_program *p, uint32_t n, uint32_t k)
{
    assert_in_range(k, 0, instruction(p, n)->operands - 1);
    return &p->operand[instruction(p, n)->operand + k];
}

static size_t show(const struct vm_program *p, const struct vm_operand *o, char *text, size_t size);

static size_t show_list(const struct vm_program *p, const struct vm_operand *o, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "{");
    for (uint32_t k = 0; k < o->count; k++) {
        n += (size_t)snprintf(text + n, size - n, k ? "," : "");
        n += show(p, &p->element[o->first + k], text + n, size - n);
    }
    return n + (size_t)snprintf(text + n, size - n, "}");
}

/* An operand as text: a register with its bits, a variable with its space. */
static size_t show(const struct vm_program *p, const struct vm_operand *o, char *text, size_t size)
{
    static const char spaces[] = "-GSLPC";
    const char *name = o->reg != VM_NONE ? p->row_name[o->reg] : "";
    char variable[100] = "";
    if (o->variable != VM_NONE)
        snprintf(variable, sizeof variable, "%s/%c", p->variable[o->variable].name, spaces[o->space]);
    switch (o->kind) {
    case VM_REGISTER:
        assert_int_equal(p->row_bits[o->reg], o->bits);
        return (size_t)snprintf(text, size, "%s%s:%u", o->negated ? "!" : "", name, o->bits);
    case VM_SPECIAL:
        return (size_t)snprintf(text, size, "s%d:%u", (int)o->value, o->bits);
    case VM_IMMEDIATE:
        return (size_t)snprintf(text, size, "%s%llx", o->float_bits ? o->float_bits == 32 ? "f" : "d" : "#",
                                (unsigned long long)o->value);
    case VM_SYMBOL:
        return (size_t)snprintf(text, size, "%s+%lld", variable, (long long)o->value);
    case VM_ADDRESS:
    case VM_TENSOR: {
        size_t n = (size_t)snprintf(text, size, "[%s%s+%lld", name, variable, (long long)o->value);
        if (o->kind == VM_TENSOR)
            n += show_list(p, o, text + n, size - n);
        return n + (size_t)snprintf(text + n, size - n, "]");
    }
    case VM_VECTOR:
        return show_list(p, o, text, size);
    case VM_PAIR: {
        assert_int_equal(o->count, 2);
        size_t n = (size_t)snprintf(text, size, "|");
        return n + show_list(p, o, text + n, size - n);
    }
    case VM_LABEL:
        return (size_t)snprintf(text, size, "@%u", (unsigned)o->value);
    case VM_FUNCTION:
        return (size_t)snprintf(text, size, "f%d", (int)o->value);
    case VM_TARGETS: {
        size_t n = (size_t)snprintf(text, size, "t");
        return n + show_list(p, o, text + n, size - n);
    }
    case VM_SINK:
        return (size_t)snprintf(text, size, "_");
    }
    return 0;
}

static void expect_operands(const struct vm_program *p, uint32_t n, const char *wanted)
{
    char text[400] = "";
    size_t length = 0;
    for (uint32_t k = 0; k < instruction(p, n)->operands; k++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%s", k ? " " : "");
        length += show(p, operand(p, n, k), text + length, sizeof text - length);
    }
    assert_string_equal(text, wanted);
}

static void read_a_kernel_gives_its_parameters_instructions_and_rows(void **state)
{
    (void)state;
    struct vm_program p = read_text(HEAD ".visible .entry k(\n"
                                         " .param .u32 a,\n .param .u64 .ptr .global .align 1 b,\n .param .u8 c,\n"
                                         " .param .align 64 .b8 d[100],\n .param .v2 .f32 e\n)\n"
                                         ".maxntid 384, 2\n.minnctapersm 1\n.reqnctapercluster 2, 1, 1\n"
                                         ".explicitcluster\n.maxclusterrank 8\n{\n"
                                         "  .reg .pred %p<3>;\n  .reg .b32 %r<100000>, x;\n"
                                         "  @!%p1 ttt.shared::cta.rn.b32 %r7, %r99999;\n"
                                         "  @%p1 ttt x;\n}\n");
    static const uint64_t at[] = {0, 8, 16, 64, 168}, bytes[] = {4, 8, 1, 100, 8};
    assert_int_equal(p.functions, 1);
    const struct vm_function *f = &p.function[0];
    assert_string_equal(f->name, "k");
    assert_true(f->entry);
    assert_int_equal(f->line, 4);
    assert_int_equal(f->parameters, 5);
    for (uint32_t n = 0; n < 5; n++) {
        const struct vm_variable *v = &p.variable[f->parameter + n];
        assert_int_equal(v->at, at[n]);
        assert_int_equal(v->bytes, bytes[n]);
        assert_int_equal(v->space, VM_PARAM);
        assert_int_equal(v->function, 0);
    }
    assert_int_equal(f->maxntid[0], 384);
    assert_int_equal(f->maxntid[1], 2);
    assert_int_equal(f->maxntid[2], 1);
    assert_int_equal(f->cluster[0], 2);
    assert_int_equal(f->cluster[1], 1);
    assert_int_equal(f->first, 0);
    assert_int_equal(f->instructions, 3);
    assert_int_equal(p.rows, 4); /* of a hundred thousand */
    expect_operands(&p, 0, "%r7:32 %r99999:32");
    expect_operands(&p, 1, "x:32");
    assert_string_equal(p.row_name[instruction(&p, 0)->guard], "%p1");
    assert_true(instruction(&p, 0)->guard_negated);
    assert_false(instruction(&p, 1)->guard_negated);
    assert_int_equal(instruction(&p, 0)->guard, instruction(&p, 1)->guard);
    assert_int_equal(instruction(&p, 0)->line, 19);
    assert_int_equal(instruction(&p, 0)->column, 9);
    assert_string_equal(instruction(&p, 2)->opcode, "ret");
    assert_int_equal(instruction(&p, 2)->guard, VM_NONE);
    assert_int_equal(p.local_bytes + p.shared_bytes, 0);
    vm_program_free(&p);
    assert_null(p.instruction);
}

static void read_every_form_of_operand_is_taken_apart(void **state)
{
    static const struct {
        const char *text, *wanted;
    } forms[] = {
        {"%r1", "%r1:32"},
        {"!q", "!q:1"},
        {"%r1, %rd2, q", "%r1:32 %rd2:64 q:1"},
        {"_", "_"},
        {"[%rd1]", "[%rd1+0]"},
        {"[%rd1+8]", "[%rd1+8]"},
        {"[ %r1 + -8 ]", "[%r1+-8]"},
        {"[%r1-0x10]", "[%r1+-16]"},
        {"[%r1+8+4]", "[%r1+12]"},
        {"[g]", "[g/G+0]"},
        {"[g+4]", "[g/G+4]"},
        {"[p+4]", "[p/P+4]"},
        {"[l+4]", "[l/L+4]"},
        {"[s]", "[s/S+0]"},
        {"[c]", "[c/C+0]"},
        {"[a+2]", "[a/L+2]"}, /* .param in a body lies in a lane's own memory */
        {"[4096]", "[+4096]"},
        {"[%rd1, {%r1, 5}]", "[%rd1+0{%r1:32,#5}]"},
        {"[p, {%r1}], [%r2]", "[p/P+0{%r1:32}] [%r2+0]"},
        {"g", "g/G+0"},
        {"g+12", "g/G+12"},
        {"g-4", "g/G+-4"},
        {"{%r1, _, -1, 0f3F800000}", "{%r1:32,_,#ffffffffffffffff,f3f800000}"},
        {"{%r1}, {%r2}", "{%r1:32} {%r2:32}"},
        {"%r1|q, %r2", "|{%r1:32,q:1} %r2:32"},
        {"_|q", "|{_,q:1}"},
        {"%r1|_", "|{%r1:32,_}"},
        {"(a), f, (%r1, 5)", "{a/L+0} f-1 {%r1:32,#5}"},
        {"f, ()", "f-1 {}"},
        {"k", "f1"},
        {"%tid.x, %ctaid.z, %laneid", "s0:32 s8:32 s12:32"},
        {"%clock64, %globaltimer, %is_explicit_cluster", "s37:64 s38:64 s28:1"},
        {"%cluster_ctarank, %total_smem_size", "s26:32 s43:32"},
        {"WARP_SZ", "#20"},
        {"here", "@0"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char text[800];
        snprintf(text, sizeof text,
                 HEAD ".extern .func (.param .b32 r) f (.param .b32 x, .param .b32 y);\n.global .b32 g[4];\n"
                      ".const .b64 c;\n.entry k(.param .u64 p) {\n.reg .b32 %%r<9>; .reg .b64 %%rd<9>; .reg .pred q;\n"
                      ".local .b32 l[2]; .shared .b32 s; .param .b32 a;\nhere: ttt.u %s;\n}",
                 forms[i].text);
        struct vm_program p = read_text(text);
        expect_operands(&p, 0, forms[i].wanted);
        vm_program_free(&p);
    }
}

static void read_numbers_have_the_bits_that_ptx_gives_them(void **state)
{
    static const struct {
        const char *text, *wanted;
    } numbers[] = {
        {"0", "#0"},
        {"12", "#c"},
        {"12U", "#c"},
        {"-1", "#ffffffffffffffff"},
        {"0x1E", "#1e"},
        {"0X1eU", "#1e"},
        {"017", "#f"},
        {"0b101", "#5"},
        {"0B11U", "#3"},
        {"18446744073709551615", "#ffffffffffffffff"},
        {"-9223372036854775808", "#8000000000000000"},
        {"0xffffffffffffffff", "#ffffffffffffffff"},
        {"0f3F800000", "f3f800000"},
        {"0Fff800000", "fff800000"},
        {"-0f3F800000", "fbf800000"},
        {"0d3FF0000000000000", "d3ff0000000000000"},
        {"0D7ff8000000000000", "d7ff8000000000000"},
        {"1.5", "d3ff8000000000000"},
        {"-2.5e-1", "dbfd0000000000000"},
        {"1e3", "d408f400000000000"},
    };
    static const char *const bad[] = {"18446744073709551616",
                                      "0x1ffffffffffffffff",
                                      "0f3F80",
                                      "0f3F8000000",
                                      "08",
                                      "0b2",
                                      "0x1e5ffffffffffffffff",
                                      "0xg",
                                      "0x",
                                      "1.5f",
                                      "0d3FF",
                                      "12u",
                                      "U"};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[300];
        snprintf(text, sizeof text, KERNEL("ttt %s;"), numbers[i].text);
        struct vm_program p = read_text(text);
        expect_operands(&p, 0, numbers[i].wanted);
        vm_program_free(&p);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct vm_program p;
        struct error e;
        char text[300];
        int length = snprintf(text, sizeof text, KERNEL("ttt %s;"), bad[i]);
        assert_int_equal(vm_program_read("k.ptx", text, (size_t)length, &p, &e), STATUS_BAD_INPUT);
        assert_int_equal(e.line, 5);
        assert_int_equal(e.column, 5);
    }
}

static void read_a_name_means_the_innermost_declaration(void **state)
{
    (void)state;
    struct vm_program p = read_text(".version 9.0 .target sm_90a, debug .reg .b64 m; .entry k() {\n"
                                    ".reg .b32 a, %r<20>, %s1<5>, %s<20>; ttt a, %r5;\n"
                                    "{ .reg .b64 a; .reg .f32 %r<6>; ttt a, %r5, %r6; { ttt a, %r5, m; } }\n"
                                    "{ .reg .b16 %r5; ttt %r5, %r6; }\n"
                                    "ttt a, %r5;\n"
                                    "ttt %r19, %s12, %s15;}\n"
                                    ".entry j() { .reg .b16 a, %v<9>; ttt a, m;\n"
                                    "{ .reg .b32 %v1<3>; ttt %v1, %v12; } ttt %v1; }");
    expect_operands(&p, 0, "a:32 %r5:32");
    expect_operands(&p, 1, "a:64 %r5:32 %r6:32");
    expect_operands(&p, 2, "a:64 %r5:32 m:64");
    expect_operands(&p, 3, "%r5:16 %r6:32");
    expect_operands(&p, 4, "a:32 %r5:32");
    expect_operands(&p, 5, "%r19:32 %s12:32 %s15:32");
    expect_operands(&p, 7, "a:16 m:64");
    assert_int_equal(operand(&p, 0, 0)->reg, operand(&p, 4, 0)->reg);
    assert_int_equal(operand(&p, 0, 1)->reg, operand(&p, 4, 1)->reg);
    assert_int_equal(operand(&p, 1, 1)->reg, operand(&p, 2, 1)->reg);
    assert_int_not_equal(operand(&p, 0, 1)->reg, operand(&p, 1, 1)->reg);
    assert_int_not_equal(operand(&p, 0, 1)->reg, operand(&p, 3, 0)->reg);
    assert_int_equal(operand(&p, 1, 2)->reg, operand(&p, 3, 1)->reg); /* the one outside */
    assert_int_equal(operand(&p, 2, 2)->reg, operand(&p, 7, 1)->reg);
    expect_operands(&p, 8, "%v1:16 %v12:32");
    assert_int_equal(operand(&p, 8, 0)->reg, operand(&p, 9, 0)->reg);
    assert_int_equal(p.rows, 13);
    vm_program_free(&p);
}

static void read_labels_are_found_from_the_scope_that_names_them(void **state)
{
    (void)state;
    struct vm_program p = read_text(KERNEL(".reg .b32 %r<2>; L: ttt;\n"
                                           "{ ttt L; L: ttt L, M; N: { ttt L, N; } }\n"
                                           "{ L: M: ttt L, M; }\n"
                                           "ttt L, M, E;\n"
                                           "T: .branchtargets L, M, E;\n"
                                           "C: .callprototype (.param .b32 _) _ (.param .b64 _);\n"
                                           "D: .calltargets k;\n"
                                           "ttt %r1, T; ttt C, D; M: ttt; E:"));
    expect_operands(&p, 1, "@2");
    expect_operands(&p, 2, "@2 @8");
    expect_operands(&p, 3, "@2 @3");
    expect_operands(&p, 4, "@4 @4");
    expect_operands(&p, 5, "@0 @8 @9");
    expect_operands(&p, 6, "%r1:32 t{@0,@8,@9}");
    expect_operands(&p, 7, "t{} t{}");
    assert_int_equal(p.instructions, 10);
    assert_string_equal(instruction(&p, 9)->opcode, "ret");
    vm_program_free(&p);
}

static const struct vm_variable *variable(const struct vm_program *p, const char *name)
{
    for (uint32_t v = 0; v < p->variables; v++)
        if (strcmp(p->variable[v].name, name) == 0)
            return &p->variable[v];
    fail_msg("no variable %s", name);
    return NULL;
}

static void expect_bytes(const struct vm_program *p, const char *name, const char *hexadecimal)
{
    const struct vm_variable *v = variable(p, name);
    char text[200] = "";
    assert_non_null(v->initial);
    for (uint64_t b = 0; b < v->bytes; b++)
        snprintf(text + 2 * b, sizeof text - 2 * b, "%02x", v->initial[b]);
    assert_string_equal(text, hexadecimal);
}

static void read_initialisers_fill_their_variables(void **state)
{
    (void)state;
    struct vm_program p =
        read_text(HEAD ".global .align 4 .b8 a[4] = {1, 255, -1};\n.const .u32 b = 0x12345678, n;\n"
                       ".global .u16 c[2][3] = {{1}, {2, 3}};\n.global .u16 d[2][2] = {1, 2, 3};\n"
                       ".global .f32 e[] = {0f3F800000, 1.5, -2.0};\n.global .f64 f = 1.5;\n"
                       ".visible .global .v2 .u8 g[2] = {{1, 2}, {3, 4}};\n.global .s64 h[1] = {-2};\n"
                       ".weak .global .attribute(.managed) .u8 i[][2] = {{1}, {2}, {3, 4}};\n.global .b16 j[2][2][2] = "
                       "{{{1},{2}},{{3},{4}}};\n.global .u8 l[][2] = {1, 2, 3};\n.global .u8 m[2][2] = {1, {2, 3}};");
    expect_bytes(&p, "a", "01ffff00");
    expect_bytes(&p, "b", "78563412");
    expect_bytes(&p, "c", "010000000000020003000000");
    expect_bytes(&p, "d", "0100020003000000");
    expect_bytes(&p, "e", "0000803f0000c03f000000c0");
    expect_bytes(&p, "f", "000000000000f83f");
    expect_bytes(&p, "g", "01020304");
    expect_bytes(&p, "h", "feffffffffffffff");
    expect_bytes(&p, "i", "010002000304");
    expect_bytes(&p, "j", "01000000020000000300000004000000");
    expect_bytes(&p, "l", "01020300");
    expect_bytes(&p, "m", "01000203");
    assert_null(variable(&p, "n")->initial);
    assert_int_equal(variable(&p, "n")->space, VM_CONST);
    assert_int_equal(variable(&p, "n")->bytes, 4);
    assert_int_equal(variable(&p, "n")->function, VM_NONE);
    assert_int_equal(variable(&p, "g")->align, 2);
    assert_int_equal(variable(&p, "a")->align, 4);
    vm_program_free(&p);
}

static void read_shared_and_local_variables_have_their_offsets(void **state)
{
    (void)state;
    struct vm_program p = read_text(HEAD ".shared .b8 a[3];\n.extern .shared .align 128 .b8 x[];\n"
                                         ".func (.param .b32 r) f (.param .b8 q, .param .b64 s) { ret; }\n"
                                         ".entry k() {\n.shared .align 16 .b8 b[20]; .extern .shared .b32 y[];\n"
                                         ".local .align 8 .b8 l[12]; { .param .b64 m; ttt [m]; }\n}\n"
                                         ".extern .shared .align 128 .b8 x[];\n"
                                         ".entry j() { .shared .u32 b; ttt b; }");
    assert_int_equal(variable(&p, "a")->at, 0);
    assert_int_equal(variable(&p, "b")->at, 16);
    assert_int_equal(p.shared_bytes, 40);
    assert_int_equal(p.variable[operand(&p, 4, 0)->variable].at, 36);
    assert_int_equal(variable(&p, "x")->at, 128);
    assert_int_equal(variable(&p, "x")->bytes, 0);
    assert_int_equal(variable(&p, "y")->at, 40);
    assert_int_equal(variable(&p, "y")->function, 1);
    assert_int_equal(variable(&p, "r")->at, 0);
    assert_int_equal(variable(&p, "r")->space, VM_LOCAL);
    assert_int_equal(variable(&p, "m")->space, VM_LOCAL);
    assert_int_equal(variable(&p, "q")->at, 4);
    assert_int_equal(variable(&p, "s")->at, 8);
    assert_int_equal(variable(&p, "l")->at, 16);
    assert_int_equal(variable(&p, "m")->at, 32);
    assert_int_equal(p.local_bytes, 40);
    vm_program_free(&p);
}

static void read_functions_are_declared_defined_and_renamed(void **state)
{
    (void)state;
    struct vm_program p =
        read_text(HEAD ".extern .func (.param .b32 r) f (.param .b64 a, .param .b64 b) .noreturn;\n"
                       ".func g; .func late ();\n"
                       ".entry k() { ttt f, g, late; }\n"
                       ".visible .func (.param .b32 r) f (.param .b64 a, .param .b64 b) { ttt [b]; }\n"
                       ".weak .func late { ttt f; }\n.alias g, late;\n.entry declared(.param .b32 x);");
    assert_int_equal(p.functions, 5);
    assert_int_equal(vm_program_find(&p, "f"), 0);
    assert_int_equal(vm_program_find(&p, "late"), 2);
    assert_int_equal(vm_program_find(&p, "g"), 1);
    assert_int_equal(vm_program_find(&p, "k"), 3);
    assert_int_equal(vm_program_find(&p, "declared"), VM_NONE);
    assert_int_equal(vm_program_find(&p, "nobody"), VM_NONE);
    expect_operands(&p, 0, "f0 f1 f2");
    const struct vm_function *f = &p.function[0];
    assert_false(f->entry);
    assert_int_equal(f->results, 1);
    assert_int_equal(f->parameters, 2);
    assert_string_equal(p.variable[f->result].name, "r");
    assert_string_equal(p.variable[f->parameter].name, "a");
    assert_int_equal(p.variable[f->parameter + 1].function, 0);
    assert_int_equal(f->first, 2);
    assert_int_equal(f->instructions, 2);
    expect_operands(&p, 2, "[b/L+0]");
    assert_int_equal(operand(&p, 2, 0)->variable, f->parameter + 1);
    assert_string_equal(p.function[1].name, "g");
    assert_int_equal(p.function[1].first, p.function[2].first);
    vm_program_free(&p);
}

static void read_what_says_nothing_of_the_computation_is_passed_over(void **state)
{
    (void)state;
    struct vm_program p = read_text(
        ".version 9.0\n.target sm_90a\n.address_size 64\n.file 1 \"a.cu\"\n.file 2 \"b.h\", 1700, 12\n"
        ".pragma \"nounroll\", \"x\";\n.section .debug_str {\n$i: .b8 1,2\n{}\n.b32 .debug_abbrev+4\n}\n"
        ".section\t.debug_macinfo\t{\t}\n"
        ".entry k()\n.pragma \"a\";\n.loc 1 2 3\n{\n.loc 1 2 3\nL: .loc 1 2 3, function_name $i, inlined_at 1 4 5\n"
        ".loc 1 2 3, function_name $i + 7, inlined_at 1 4 5\n.pragma \"used_bytes_mask 255\";\nttt L; ;\n}\n"
        ".loc 1 2 3\n");
    assert_int_equal(p.instructions, 2);
    expect_operands(&p, 0, "@0");
    assert_int_equal(p.rows + p.variables, 0);
    vm_program_free(&p);
}

static void read_what_the_machine_lacks_is_said_of_the_instruction(void **state)
{
    static const struct {
        const char *body, *why;
    } lacks[] = {
        {"ttt.u.v;", "no such operation"},        {".reg .b128 a; mov.b32 r, a;", "128 bits"},
        {"mov.u32 r, %pm0;", "special register"}, {"mov.u32 r, %envreg3;", "special register"},
        {"mov.u32 r, %tid;", "special register"}, {"ld.global.u32 r, [e];", "another module"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lacks / sizeof *lacks; i++) {
        char text[300];
        snprintf(text, sizeof text, HEAD ".extern .global .b32 e; .entry k() { .reg .b32 r; %s }", lacks[i].body);
        struct vm_program p = read_text(text);
        assert_non_null(instruction(&p, 0)->why_not);
        if (!strstr(instruction(&p, 0)->why_not, lacks[i].why))
            fail_msg("%s: %s", lacks[i].body, instruction(&p, 0)->why_not);
        assert_null(instruction(&p, 0)->run);
        vm_program_free(&p);
    }
    struct vm_program p = read_text(HEAD ".extern .global .b32 e; .global .b32 e = 7; .entry k() { .reg .b32 r; "
                                         "ld.global.u32 r, [e]; }");
    assert_null(instruction(&p, 0)->why_not);
    expect_bytes(&p, "e", "07000000");
    assert_int_equal(p.variables, 1);
    vm_program_free(&p);
}

static void read_float_immediates_have_the_type_of_their_instruction(void **state)
{
    static const struct {
        const char *text, *wanted; /* NULL: not modelled */
    } floats[] = {
        {"mov.f32 %f1, 1.5", "%f1:32 d3fc00000"},
        {"mov.f32 %f1, -0f3FC00000", "%f1:32 fbfc00000"},
        {"mov.f32 %f1, 1e40", "%f1:32 d7f800000"},
        {"mov.f64 %d1, 1.5", "%d1:64 d3ff8000000000000"},
        {"mov.f64 %d1, 0f3FC00000", "%d1:64 f3ff8000000000000"},
        {"mov.f64 %d1, -0fC0000000", "%d1:64 f4000000000000000"},
        {"mov.b32 %r1, 0f3FC00000", "%r1:32 f3fc00000"},
        {"mov.b64 %d1, 0d3FF8000000000000", "%d1:64 d3ff8000000000000"},
        {"st.global.v2.f32 [%d1], {1.5, 0f3FC00000}", "[%d1+0] {d3fc00000,f3fc00000}"},
        {"mov.b32 %r1, 1.5", NULL},
        {"mov.b64 %d1, 0f3FC00000", NULL},
        {"mov.b16 %h1, 0f3FC00000", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 KERNEL(".reg .b16 %%h<2>; .reg .b32 %%r<2>; .reg .f32 %%f<2>; .reg .b64 %%d<2>; %s;"), floats[i].text);
        struct vm_program p = read_text(text);
        const struct vm_instruction *one = instruction(&p, 0);
        if (floats[i].wanted) {
            assert_null(one->why_not);
            assert_non_null(one->run);
            expect_operands(&p, 0, floats[i].wanted);
        } else {
            assert_string_equal(one->why_not, "a float immediate does not fit the type");
            assert_null(one->run);
        }
        vm_program_free(&p);
    }
}

static void read_an_opcode_is_its_operation_and_words(void **state)
{
    (void)state;
    struct vm_program p =
        read_text(KERNEL(".reg .b32 %r<3>; ld.shared::cta.v2.u32 {%r1, %r2}, [64];\n"
                         "mov.zzz.b32 %r1, %r2; sad.f32 %r1, %r2, %r1, %r2;\n"
                         "mov .a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q; add.s32 %r1, %r2, 1; bra.uni E; E:\n"
                         "bar.sync.zzz 0; .reg .f32 f; add.rn.ftz.f32 f, f, f;"));
    const struct vm_instruction *load = instruction(&p, 0);
    assert_string_equal(load->opcode, "ld");
    assert_int_equal(load->words, 3);
    assert_string_equal(load->word[0], "shared::cta");
    assert_string_equal(load->word[1], "v2");
    assert_string_equal(load->word[2], "u32");
    assert_int_equal(load->type, VM_U32);
    assert_null(load->why_not);
    assert_non_null(load->run);
    assert_non_null(instruction(&p, 1)->why_not);
    assert_null(instruction(&p, 1)->run);
    assert_string_equal(instruction(&p, 2)->why_not, "no operation of this name takes these types");
    assert_string_equal(instruction(&p, 3)->why_not, "it has too many words");
    assert_null(instruction(&p, 4)->why_not);
    assert_non_null(instruction(&p, 5)->run);
    assert_string_equal(instruction(&p, 5)->opcode, "bra");
    assert_string_equal(instruction(&p, 6)->why_not, ".zzz of bar is not modelled");
    assert_null(instruction(&p, 6)->run);
    assert_null(instruction(&p, 7)->why_not);
    assert_int_equal(instruction(&p, 7)->type, VM_F32);
    vm_program_free(&p);
}

/* Everything that grows does so here, more than once. */
static void read_a_long_module_keeps_what_it_began_with(void **state)
{
    enum { NUMBER = 3000, EACH = 100 };
    (void)state;
    char *text = malloc(NUMBER * EACH), *end = text;
    assert_non_null(text);
    end += sprintf(end, HEAD ".global .u32 rows[%d][2] = {", NUMBER);
    for (int n = 0; n < NUMBER; n++)
        end += sprintf(end, "%s{%d}", n ? "," : "", n + 1);
    end += sprintf(end, "};\n.entry k() { .reg .b32 %%r<%d>;\n", NUMBER);
    for (int n = 0; n < NUMBER; n++)
        end += sprintf(end, "L%d: { .param .b32 a%d; ttt %%r%d, {a%d, L%d}; }\n", n, n, n, n, NUMBER - 1 - n);
    sprintf(end, "}\n");
    struct vm_program p = read_text(text);
    assert_int_equal(p.instructions, NUMBER + 1);
    assert_int_equal(p.rows, NUMBER);
    assert_int_equal(p.local_bytes, 4 * NUMBER);
    for (uint32_t n = 0; n < NUMBER; n++) {
        char wanted[EACH];
        snprintf(wanted, sizeof wanted, "%%r%u:32 {a%u/L+0,@%u}", n, n, NUMBER - 1 - n);
        expect_operands(&p, n, wanted);
        const uint8_t *row = variable(&p, "rows")->initial + 8 * (size_t)n;
        assert_int_equal(row[0] + 256 * row[1], n + 1);
        assert_int_equal(row[2] | row[3] | row[4] | row[5] | row[6] | row[7], 0);
    }
    vm_program_free(&p);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_a_kernel_gives_its_parameters_instructions_and_rows),
        cmocka_unit_test(read_every_form_of_operand_is_taken_apart),
        cmocka_unit_test(read_numbers_have_the_bits_that_ptx_gives_them),
        cmocka_unit_test(read_a_name_means_the_innermost_declaration),
        cmocka_unit_test(read_labels_are_found_from_the_scope_that_names_them),
        cmocka_unit_test(read_initialisers_fill_their_variables),
        cmocka_unit_test(read_shared_and_local_variables_have_their_offsets),
        cmocka_unit_test(read_functions_are_declared_defined_and_renamed),
        cmocka_unit_test(read_what_says_nothing_of_the_computation_is_passed_over),
        cmocka_unit_test(read_what_the_machine_lacks_is_said_of_the_instruction),
        cmocka_unit_test(read_float_immediates_have_the_type_of_their_instruction),
        cmocka_unit_test(read_an_opcode_is_its_operation_and_words),
        cmocka_unit_test(read_a_long_module_keeps_what_it_began_with),
    };
    return cmocka_run_group_tests_name("ptx_read", tests, NULL, NULL);
}
