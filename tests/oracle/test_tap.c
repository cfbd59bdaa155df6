#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/answer.h"
#include "oracle/io/file.h"
#include "tests/support/alloc.h"
#include "tests/support/scratch.h"

#define MODULE "tests/cli/tap.ptx"

static void tap_returns_an_answer_and_writes_the_module(void **state)
{
    char out[SCRATCH_PATH];
    struct fo_answer answer;
    struct fo_error error;
    struct fo_tap_options o = {.in = MODULE, .out = scratch_path(state, "out.ptx", out)};
    assert_int_equal(fo_tap(&o, &answer, &error), 0);
    assert_int_equal(answer.verdict, FO_CONFORMS);
    assert_non_null(strstr(answer.json, "\"schema\": \"fragoracle.tap/1\""));
    assert_non_null(strstr(answer.text, "3 points, 9 streams"));
    uint8_t *data;
    size_t size;
    assert_int_equal(file_read(out, 0, &data, &size, NULL), STATUS_OK);
    assert_non_null(memmem(data, size, "fragoracle_tap_data", 19));
    free(data);
    fo_answer_free(&answer);
}

static void tap_of_nothing_to_tap_says_which(void **state)
{
    char out[SCRATCH_PATH], in[SCRATCH_PATH];
    static const char empty[] = ".version 8.7\n.target sm_90a\n.address_size 64\n";
    struct fo_answer answer, before;
    struct fo_error error;
    memset(&before, 0x5a, sizeof before);
    answer = before;
    assert_int_equal(file_write(scratch_path(state, "in.ptx", in), empty, sizeof empty - 1, NULL), STATUS_OK);
    struct fo_tap_options o = {.in = in, .out = scratch_path(state, "out.ptx", out)};
    assert_int_equal(fo_tap(&o, &answer, &error), FO_TAP_NOTHING);
    assert_non_null(strstr(error.line, "no wgmma in it"));
    o.in = MODULE, o.function = "nobody";
    assert_int_equal(fo_tap(&o, &answer, &error), FO_TAP_NOTHING);
    o.function = "memory";
    assert_int_equal(fo_tap(&o, &answer, &error), FO_TAP_NOTHING);
    o.function = NULL, o.sites = "2";
    assert_int_equal(fo_tap(&o, &answer, &error), FO_TAP_NOTHING);
    o.sites = "7";
    assert_int_equal(fo_tap(&o, &answer, &error), STATUS_BAD_ARGUMENT);
    assert_memory_equal(&answer, &before, sizeof before);
    assert_int_equal(scratch_count(state), 1);
}

static void tap_without_names_is_refused(void **state)
{
    (void)state;
    struct fo_answer answer;
    struct fo_error error;
    assert_int_equal(fo_tap(&(struct fo_tap_options){.in = MODULE}, &answer, &error), STATUS_BAD_ARGUMENT);
    assert_int_equal(fo_tap(&(struct fo_tap_options){.out = "x"}, &answer, &error), STATUS_BAD_ARGUMENT);
}

static enum status tap_once(void *context, struct error *e)
{
    struct fo_answer answer;
    struct fo_error error = {""};
    struct fo_tap_options o = {.in = MODULE, .out = context, .all = 1, .sites = "0,2"};
    enum status s = (enum status)fo_tap(&o, &answer, &error);
    if (s == STATUS_OK)
        fo_answer_free(&answer);
    else
        error_set(e, s, "%.300s", error.line);
    return s;
}

static void nothing_is_written(void *context)
{
    FILE *f = fopen(context, "r");
    assert_null(f);
}

static void tap_without_memory_says_so_and_writes_nothing(void **state)
{
    char out[SCRATCH_PATH];
    scratch_path(state, "out.ptx", out);
    assert_true(alloc_check(tap_once, nothing_is_written, out) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tap_returns_an_answer_and_writes_the_module, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(tap_of_nothing_to_tap_says_which, scratch_setup, scratch_teardown),
        cmocka_unit_test(tap_without_names_is_refused),
        cmocka_unit_test_setup_teardown(tap_without_memory_says_so_and_writes_nothing, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
