#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reference/ptx/lex.h"

/* The tokens of a text, kind by kind and with the places, as one string. */
static void expect_tokens(const char *text, const char *wanted)
{
    static const char kinds[] = {'$', 'n', 'd', '0', 's', 'p'};
    struct lexer l = {.path = "k.ptx", .text = text, .size = (uint32_t)strlen(text), .line = 1};
    struct lex_token t;
    struct error e;
    char got[600] = "";
    size_t length = 0;
    do {
        assert_int_equal(lex_next(&l, &t, &e), STATUS_OK);
        length += (size_t)snprintf(got + length, sizeof got - length, "%s%c%u.%u:%.*s", length ? " " : "",
                                   kinds[t.kind], t.line, t.column, (int)t.length, text + t.at);
    } while (t.kind != LEX_END);
    assert_string_equal(got, wanted);
}

static void next_every_kind_of_token_has_its_place(void **state)
{
    (void)state;
    expect_tokens("", "$1.1:");
    expect_tokens(" // a\n/* b\n*/ c", "n3.4:c $3.5:");
    expect_tokens("%r1 $L__0 _ a$b", "n1.1:%r1 n1.5:$L__0 n1.11:_ n1.13:a$b $1.16:");
    expect_tokens("mov.b32\t%tid.x;", "n1.1:mov d1.4:.b32 n1.9:%tid d1.13:.x p1.15:; $1.16:");
    expect_tokens("st.shared::cta.b8", "n1.1:st d1.3:.shared::cta d1.15:.b8 $1.18:");
    expect_tokens("cp.mbarrier::complete_tx::bytes.2d", "n1.1:cp d1.3:.mbarrier::complete_tx::bytes d1.32:.2d $1.35:");
    expect_tokens("L: a%b", "n1.1:L p1.2:: n1.4:a n1.5:%b $1.7:");
    expect_tokens("1 0x1E+4 0f3F800000 1.5e-3 2e+4 12U", "01.1:1 01.3:0x1E p1.7:+ 01.8:4 01.10:0f3F800000 01.21:1.5e-3 "
                                                         "01.28:2e+4 01.33:12U $1.36:");
    expect_tokens("64.global 7.x", "01.1:64 d1.3:.global 01.11:7 d1.12:.x $1.14:");
    expect_tokens("\"a\\\"b\" \"\"", "s1.1:\"a\\\"b\" s1.8:\"\" $1.10:");
    expect_tokens("% /", "p1.1:% p1.3:/ $1.4:");
}

static void next_what_has_no_end_is_refused_where_it_begins(void **state)
{
    static const struct {
        const char *text;
        int line, column;
    } bad[] = {{"\n /*", 2, 2},     {"/*/", 1, 1},   {"\"a", 1, 1},
               {"\"a\\\n\"", 1, 1}, {"\"a\\", 1, 1}, {"\n\n  \x80", 3, 3}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct lexer l = {.path = "k.ptx", .text = bad[i].text, .size = (uint32_t)strlen(bad[i].text), .line = 1};
        struct lex_token t;
        struct error e;
        assert_int_equal(lex_next(&l, &t, &e), STATUS_BAD_INPUT);
        assert_int_equal(e.line, bad[i].line);
        assert_int_equal(e.column, bad[i].column);
        assert_string_equal(e.path, "k.ptx");
    }
}

static void integer_numbers_of_every_spelling(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        uint32_t value;
    } some[] = {{"0", true, 0},
                {"12", true, 12},
                {"0x1F", true, 31},
                {"0XfU", true, 15},
                {"4294967295", true, ~0u},
                {"7U", true, 7},
                {"4294967296", false, 0},
                {"99999999999999999999", false, 0},
                {"1.5", false, 0},
                {"0f3F800000", false, 0},
                {"a", false, 0},
                {"12a", false, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        struct lexer l = {.text = some[i].text, .size = (uint32_t)strlen(some[i].text), .line = 1};
        struct lex_token t;
        uint32_t value = 0;
        assert_int_equal(lex_next(&l, &t, NULL), STATUS_OK);
        assert_int_equal(lex_integer(&l, &t, &value), some[i].valid);
        assert_int_equal(value, some[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_every_kind_of_token_has_its_place),
        cmocka_unit_test(next_what_has_no_end_is_refused_where_it_begins),
        cmocka_unit_test(integer_numbers_of_every_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
