/* What the public header offers besides its questions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/fragoracle.h"

static void fo_validate_segments_legal_arrays_pass(void **state)
{
    const uint32_t starts[] = {3, 3, 10, 10, 20};
    const int32_t ids[] = {30, 0, 30, 31};
    struct fo_error e;
    (void)state;
    assert_int_equal(fo_validate_segments(25, 32, 4, starts, ids, &e), 0);
    assert_int_equal(fo_validate_segments(20, 32, 4, starts, ids, NULL), 0);
    assert_int_equal(fo_validate_segments(5, 32, 0, starts, NULL, &e), 0);
}

static void fo_validate_segments_bad_arrays_name_the_segment(void **state)
{
    static const struct {
        uint32_t starts[4];
        int32_t ids[3];
        const char *segment;
    } bad[] = {
        {{0, 5, 10, 15}, {0, 32, 1}, "segment 1"},
        {{0, 5, 10, 15}, {-1, 2, 1}, "segment 0"},
        {{0, 5, 4, 15}, {0, 2, 1}, "segment 1"},
        {{0, 5, 10, 16}, {0, 2, 1}, "segment 2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fo_error e = {""};
        assert_int_not_equal(fo_validate_segments(15, 32, 3, bad[i].starts, bad[i].ids, &e), 0);
        if (!strstr(e.line, bad[i].segment))
            fail_msg("\"%s\" does not name %s", e.line, bad[i].segment);
        assert_null(strchr(e.line, '\n'));
    }
}

static void fo_verdict_name_every_verdict_has_its_word(void **state)
{
    (void)state;
    assert_string_equal(fo_verdict_name(FO_CONFORMS), "conforms");
    assert_string_equal(fo_verdict_name(FO_PERMITTED), "permitted");
    assert_string_equal(fo_verdict_name(FO_NOT_APPLICABLE), "not-applicable");
    assert_string_equal(fo_verdict_name(FO_DIFFERS), "differs");
    assert_string_equal(fo_verdict_name(FO_UNDECIDED), "undecided");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fo_validate_segments_legal_arrays_pass),
        cmocka_unit_test(fo_validate_segments_bad_arrays_name_the_segment),
        cmocka_unit_test(fo_verdict_name_every_verdict_has_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
