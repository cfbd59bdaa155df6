#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/answer/tap_ptxas.h"
#include "tests/support/alloc.h"
#include "tests/support/scratch.h"

/* As ptxas 13.0 says it. */
static const char said[] =
    "ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized due to wgmma "
    "pipeline crossing function boundary at a function call in the function 'two'\n"
    "ptxas info    : (C7519) warpgroup.arrive is injected in around line 34 by compiler to allow use of registers in "
    "GMMA in function 'two'\n"
    "ptxas info    : (C7519) warpgroup.arrive is injected in around line 35 by compiler to allow use of registers in "
    "GMMA in function 'two'\n"
    "ptxas info    : 222526 bytes gmem\n"
    "ptxas info    : Compiling entry function 'one' for 'sm_90a'\n"
    "ptxas info    : Function properties for one\n"
    "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
    "ptxas info    : Used 168 registers, used 2 barriers\n"
    "ptxas info    : Compile time = 131.394 ms\n"
    "ptxas info    : Compiling entry function 'two' for 'sm_90a'\n"
    "ptxas info    : Function properties for two\n"
    "    96 bytes stack frame, 12 bytes spill stores, 244 bytes spill loads\n"
    "ptxas info    : Used 32 registers, used 0 barriers, 96 bytes cumulative stack size\n"
    "ptxas info    : Function properties for callee\n"
    "    8 bytes stack frame, 4 bytes spill stores, 0 bytes spill loads";

static struct tap_ptxas_report report_of(const char *text)
{
    struct tap_ptxas_report r;
    struct error e;
    assert_int_equal(tap_ptxas_parse(text, strlen(text), &r, &e), STATUS_OK);
    return r;
}

static void parse_of_what_ptxas_says_finds_every_function(void **state)
{
    (void)state;
    struct tap_ptxas_report r = report_of(said);
    assert_int_equal(r.count, 3);
    const struct tap_ptxas_function *one = tap_ptxas_find(&r, "one"), *two = tap_ptxas_find(&r, "two"),
                                    *callee = tap_ptxas_find(&r, "callee");
    assert_null(tap_ptxas_find(&r, "tw"));
    assert_true(one->entry && two->entry && !callee->entry);
    assert_int_equal(one->registers, 168);
    assert_int_equal(one->spill_stores + one->spill_loads + one->code_count, 0);
    assert_int_equal(two->registers, 32);
    assert_int_equal(two->spill_stores, 12);
    assert_int_equal(two->spill_loads, 244);
    assert_int_equal(callee->spill_stores, 4);
    assert_int_equal(two->code_count, 2);
    assert_string_equal(two->code[0].name, "C7510");
    assert_int_equal(two->code[0].lines, 1);
    assert_string_equal(two->code[1].name, "C7519");
    assert_int_equal(two->code[1].lines, 2);
    assert_int_equal(strncmp(two->code[1].line, "(C7519) warpgroup.arrive is injected in around line 34", 54), 0);
    tap_ptxas_free(&r);
}

static void parse_of_anything_else_is_no_trouble(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n\n",
                                        "(C75",
                                        "(C7519",
                                        "(C7519)",
                                        "' (C7510) '",
                                        "x: Used 3 registers",
                                        " bytes spill stores",
                                        "Compiling entry function 'x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct tap_ptxas_report r = report_of(texts[i]);
        assert_true(r.count <= 1);
        tap_ptxas_free(&r);
    }
    struct tap_ptxas_report r = report_of("ptxas info : (C7510) no function is named\n");
    assert_int_equal(tap_ptxas_find(&r, "")->code[0].lines, 1);
    tap_ptxas_free(&r);
}

static void parse_of_many_codes_keeps_the_last_kind(void **state)
{
    (void)state;
    char text[1024] = "";
    for (int i = 0; i < TAP_PTXAS_CODES + 3; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "(C75%02d) in 'f'\n", i);
    struct tap_ptxas_report r = report_of(text);
    assert_int_equal(r.function[0].code_count, TAP_PTXAS_CODES);
    assert_int_equal(r.function[0].code[TAP_PTXAS_CODES - 1].lines, 4);
    tap_ptxas_free(&r);
}

static void new_is_a_line_or_a_spill_that_was_not_there(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after, *finding;
    } cases[] = {
        {"(C7519) a 'f'\n", "(C7519) b 'f'\n", ""},
        {"(C7519) a 'f'\n", "(C7519) b 'f'\n(C7519) c 'f'\n", "(C7519) b 'f'"},
        {"(C7519) a 'f'\n", "(C7510) b 'f'\n", "(C7510) b 'f'"},
        {"(C7519) a 'g'\n", "(C7519) b 'f'\n", "(C7519) b 'f'"},
        {"Function properties for f\n 0 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads\n",
         "Function properties for f\n 0 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads\n", ""},
        {"Function properties for f\n 0 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads\n",
         "Function properties for f\n 0 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads\n",
         "12 bytes spill stores, 8 bytes spill loads (before: 8, 8)"},
        {"Function properties for f\n 0 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads\n",
         "Function properties for f\n 0 bytes stack frame, 4 bytes spill stores, 9 bytes spill loads\n",
         "4 bytes spill stores, 9 bytes spill loads (before: 8, 8)"},
        {"", "Function properties for f\n 0 bytes stack frame, 4 bytes spill stores, 0 bytes spill loads\n",
         "4 bytes spill stores, 0 bytes spill loads (before: 0, 0)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tap_ptxas_report before = report_of(cases[i].before), after = report_of(cases[i].after);
        char text[200] = "old";
        assert_int_equal(tap_ptxas_new(tap_ptxas_find(&before, "f"), tap_ptxas_find(&after, "f"), text, sizeof text),
                         cases[i].finding[0] != '\0');
        assert_string_equal(text, cases[i].finding);
        tap_ptxas_free(&before);
        tap_ptxas_free(&after);
    }
}

static enum status parse_once(void *context, struct error *e)
{
    struct tap_ptxas_report r;
    enum status s = tap_ptxas_parse(context, strlen(context), &r, e);
    if (s == STATUS_OK)
        tap_ptxas_free(&r);
    return s;
}

static void parse_without_memory_says_so(void **state)
{
    (void)state;
    char text[sizeof said];
    memcpy(text, said, sizeof said);
    assert_int_equal(alloc_check(parse_once, NULL, text), 7);
}

/* An executable that stands for ptxas. */
static void make_program(void **state, const char *script, char path[SCRATCH_PATH])
{
    FILE *f = fopen(scratch_path(state, "ptxas", path), "w");
    assert_non_null(f);
    assert_true(fprintf(f, "#!/bin/sh\n%s\n", script) > 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

static const struct tap_ptxas_module modules[2] = {{"IN", "before", 6}, {"OUT", "after", 5}};

static enum status run_program(void **state, const char *script, struct tap_ptxas_report out[2], struct error *e)
{
    char path[SCRATCH_PATH];
    make_program(state, script, path);
    assert_int_equal(setenv("TMPDIR", *state, 1), 0);
    enum status s = tap_ptxas_run(path, modules, out, e);
    assert_int_equal(unsetenv("TMPDIR"), 0);
    assert_int_equal(scratch_count(state), 1); /* the program: nothing temporary is left */
    return s;
}

static void run_reads_what_was_said_of_both(void **state)
{
    struct tap_ptxas_report r[2];
    struct error e;
    assert_int_equal(run_program(state,
                                 "[ \"$1 $2 $3\" = '-arch=sm_90a -v -o' ] || exit 9\n"
                                 "echo \"Compiling entry function '$(cat $5)' for\" >&2\n"
                                 "echo \"x: Used $(wc -c <$5) registers\"; echo cubin >$4",
                                 r, &e),
                     STATUS_OK);
    assert_int_equal(r[0].count, 1);
    assert_int_equal(tap_ptxas_find(&r[0], "before")->registers, 6);
    assert_int_equal(tap_ptxas_find(&r[1], "after")->registers, 5);
    tap_ptxas_free(&r[0]);
    tap_ptxas_free(&r[1]);
}

static void run_of_what_does_not_assemble_names_the_module(void **state)
{
    struct tap_ptxas_report r[2];
    struct error e;
    assert_int_equal(
        run_program(state, "grep -q after $5 && echo 'line 1; error: no' && echo more && exit 255\nexit 0", r, &e),
        STATUS_BAD_INPUT);
    assert_string_equal(e.path, "OUT");
    assert_string_equal(e.why, "ptxas does not assemble it: line 1; error: no");
    assert_int_equal(run_program(state, "echo 'bad'; kill -9 $$", r, &e), STATUS_BAD_INPUT);
    assert_string_equal(e.path, "IN");
}

static void run_of_no_program_says_what_to_do(void **state)
{
    struct tap_ptxas_report r[2];
    struct error e;
    assert_int_equal(setenv("TMPDIR", *state, 1), 0);
    assert_int_equal(tap_ptxas_run("/there/is/none", modules, r, &e), STATUS_IO);
    assert_non_null(strstr(e.why, "--ptxas none leaves the comparison out"));
    assert_int_equal(scratch_count(state), 0);
    assert_int_equal(setenv("TMPDIR", "/there/is/none", 1), 0);
    assert_int_equal(tap_ptxas_run("/bin/true", modules, r, &e), STATUS_IO);
    assert_non_null(strstr(e.why, "temporary folder"));
    assert_int_equal(unsetenv("TMPDIR"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_of_what_ptxas_says_finds_every_function),
        cmocka_unit_test(parse_of_anything_else_is_no_trouble),
        cmocka_unit_test(parse_of_many_codes_keeps_the_last_kind),
        cmocka_unit_test(new_is_a_line_or_a_spill_that_was_not_there),
        cmocka_unit_test(parse_without_memory_says_so),
        cmocka_unit_test_setup_teardown(run_reads_what_was_said_of_both, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(run_of_what_does_not_assemble_names_the_module, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(run_of_no_program_says_what_to_do, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
