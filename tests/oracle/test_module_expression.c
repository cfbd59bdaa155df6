/* module_expression: values by hand, and every way to be wrong with its column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/exec/module_expression.h"

static const struct module_extents extents = {.P = 33, .N = 208, .K = 192, .E = 8, .A = 5};

static void value_of_a_right_expression_is_that_of_arithmetic(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        {"0", 0},
        {"P", 33},
        {"N", 208},
        {"K", 192},
        {"E", 8},
        {"A", 5},
        {" P ", 33},
        {"1+2*3", 7},
        {"(1+2)*3", 9},
        {"10-2-3", 5},
        {"100/7/2", 7},
        {"100%7", 2},
        {"2*7%4", 2},
        {"7/2*2", 6},
        {"ceil(N,64)", 4},
        {"ceil(K,64)", 3},
        {"ceil(P, 8) * ceil(N, 64)", 20},
        {"min(P,N)", 33},
        {"max(P, N)", 208},
        {"max(min(E, A), 6) + 1", 7},
        {"((((P))))", 33},
        {"9223372036854775807", INT64_MAX},
        {"P*N*K - 1", 33ull * 208 * 192 - 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = 12345;
        struct error e;
        assert_int_equal(module_expression_check(cases[i].text, &e), STATUS_OK);
        if (module_expression_value(cases[i].text, &extents, &value, &e) != STATUS_OK || value != cases[i].value)
            fail_msg("%s: %llu, wanted %llu", cases[i].text, (unsigned long long)value,
                     (unsigned long long)cases[i].value);
    }
}

static void value_of_a_wrong_expression_is_refused_at_its_column(void **state)
{
    static const struct {
        const char *text, *why;
        int syntax; /* shows without values */
    } cases[] = {
        {"", "'': column 1: wanted a number", 1},
        {"Q", "column 1: wanted a number", 1},
        {"PN", "column 1: wanted a number", 1},
        {"1 + ", "column 5: wanted a number", 1},
        {"1 +* 2", "column 4: wanted a number", 1},
        {"1 2", "column 3: wanted + - * / % or the end", 1},
        {"(1+2", "column 5: wanted )", 1},
        {"1)", "column 2: wanted + - * / % or the end", 1},
        {"ceil N", "column 6: wanted (", 1},
        {"ceil(N)", "column 7: wanted , and a second value", 1},
        {"ceil(N,64", "column 10: wanted )", 1},
        {"min(N,64,3)", "column 9: wanted )", 1},
        {"ceil(N,)", "column 8: wanted a number", 1},
        {"-1", "column 1: wanted a number", 1},
        {"1.5", "column 2: wanted + - * / % or the end", 1},
        {"9223372036854775808", "column 1: above 2^63-1", 1},
        {"P/0", "column 2: division by 0", 0},
        {"P%(E-8)", "column 2: division by 0", 0},
        {"ceil(P, 0)", "column 1: division by 0", 0},
        {"P-N", "column 2: below 0", 0},
        {"9223372036854775807+1", "column 20: above 2^63-1", 0},
        {"9223372036854775807*9223372036854775807", "column 20: above 2^63-1", 0},
    };
    char deep[200] = "";
    struct error e;
    uint64_t value = 7;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(module_expression_value(cases[i].text, &extents, &value, &e), STATUS_BAD_INPUT);
        if (!strstr(e.why, cases[i].why))
            fail_msg("\"%s\" does not say \"%s\"", e.why, cases[i].why);
        assert_int_equal(module_expression_check(cases[i].text, &e), cases[i].syntax ? STATUS_BAD_INPUT : STATUS_OK);
    }
    memset(deep, '(', 120);
    assert_int_equal(module_expression_value(deep, &extents, &value, &e), STATUS_BAD_INPUT);
    assert_non_null(strstr(e.why, "too deep"));
    assert_int_equal(value, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_of_a_right_expression_is_that_of_arithmetic),
        cmocka_unit_test(value_of_a_wrong_expression_is_refused_at_its_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
