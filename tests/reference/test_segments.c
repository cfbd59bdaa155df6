#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "reference/segments.h"

#define SEGMENTS(p, e, starts_, ids_)                                                                                  \
    (struct segments)                                                                                                  \
    {                                                                                                                  \
        .rows = (p), .experts = (e), .active = sizeof(starts_) / sizeof *(starts_)-1, .starts = (starts_),             \
        .ids = (ids_)                                                                                                  \
    }

static void segments_status_word_legal_oddities_are_accepted(void **state)
{
    (void)state;
    /* Starts above 0, an empty segment, repeated and unsorted ids, an id above the number of segments, a tail. */
    static const uint32_t starts[] = {2, 5, 5, 6, 9};
    static const int32_t ids[] = {30, 0, 30, 4};
    struct segments s = SEGMENTS(12, 31, starts, ids);
    bool order_bad = true;
    assert_int_equal(segments_status_word(&s, &order_bad), 0);
    assert_false(order_bad);
    assert_int_equal(segments_status_word(&s, NULL), 0);
    assert_int_equal(segments_validate(&s, NULL), STATUS_OK);
    static const int32_t want[] = {-1, -1, 30, 30, 30, 30, 4, 4, 4, -1, -1, -1};
    for (size_t row = 0; row < 12; row++)
        assert_int_equal(segments_expert_of_row(&s, row), want[row]);
}

static void segments_status_word_no_segment_is_legal(void **state)
{
    (void)state;
    static const uint32_t starts[] = {0};
    struct segments s = {.rows = 3, .experts = 2, .active = 0, .starts = starts, .ids = NULL};
    assert_int_equal(segments_status_word(&s, NULL), 0);
    assert_int_equal(segments_validate(&s, NULL), STATUS_OK);
    assert_int_equal(segments_expert_of_row(&s, 2), -1);
}

static void segments_status_word_bad_id_is_named_and_only_its_rows_are_zero(void **state)
{
    (void)state;
    static const uint32_t starts[] = {0, 2, 4, 6};
    static const int32_t bad[] = {-1, 8, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int32_t ids[] = {7, bad[i], 3};
        struct segments s = SEGMENTS(6, 8, starts, ids);
        bool order_bad = true;
        assert_int_equal(segments_status_word(&s, &order_bad), 2);
        assert_false(order_bad);
        static const int32_t want[] = {7, 7, -1, -1, 3, 3};
        for (size_t row = 0; row < 6; row++)
            assert_int_equal(segments_expert_of_row(&s, row), want[row]);
        struct error e;
        assert_int_equal(segments_validate(&s, &e), STATUS_BAD_INPUT);
        assert_non_null(strstr(e.why, "segment 1 "));
        assert_non_null(strstr(e.why, "8 experts"));
    }
}

static void segments_status_word_bad_id_of_an_empty_segment_is_named(void **state)
{
    (void)state;
    static const uint32_t starts[] = {0, 0, 4};
    static const int32_t ids[] = {-5, 1};
    struct segments s = SEGMENTS(4, 2, starts, ids);
    assert_int_equal(segments_status_word(&s, NULL), 1);
    assert_int_equal(segments_expert_of_row(&s, 0), 1);
}

static void segments_status_word_decreasing_start_zeroes_every_row(void **state)
{
    (void)state;
    static const uint32_t starts[] = {0, 2, 4, 3, 6};
    static const int32_t ids[] = {0, 1, 0, 1};
    struct segments s = SEGMENTS(6, 2, starts, ids);
    bool order_bad = false;
    assert_int_equal(segments_status_word(&s, &order_bad), 3);
    assert_true(order_bad);
    for (size_t row = 0; row < 6; row++)
        assert_int_equal(segments_expert_of_row(&s, row), -1);
    struct error e;
    assert_int_equal(segments_validate(&s, &e), STATUS_BAD_INPUT);
    assert_string_equal(e.why, "segment 2 starts at row 4 but ends before it, at row 3");
}

static void segments_status_word_start_beyond_the_rows_zeroes_every_row(void **state)
{
    (void)state;
    static const uint32_t last[] = {7, UINT32_MAX};
    for (size_t i = 0; i < 2; i++) {
        uint32_t starts[] = {0, 6, last[i]};
        static const int32_t ids[] = {0, 1};
        struct segments s = SEGMENTS(6, 2, starts, ids);
        bool order_bad = false;
        assert_int_equal(segments_status_word(&s, &order_bad), 2);
        assert_true(order_bad);
        assert_int_equal(segments_expert_of_row(&s, 0), -1);
        struct error e;
        assert_int_equal(segments_validate(&s, &e), STATUS_BAD_INPUT);
        assert_non_null(strstr(e.why, "beyond the 6 rows"));
    }
}

static void segments_status_word_several_faults_name_the_lowest(void **state)
{
    (void)state;
    static const uint32_t starts[] = {0, 2, 4, 3};
    static const int32_t ids[] = {0, 9, 0};
    struct segments s = SEGMENTS(6, 2, starts, ids);
    bool order_bad = false;
    assert_int_equal(segments_status_word(&s, &order_bad), 2);
    assert_true(order_bad);
    assert_int_equal(segments_expert_of_row(&s, 0), -1);
}

static void segments_status_word_first_start_beyond_the_rows_is_the_first_segment(void **state)
{
    (void)state;
    static const uint32_t starts[] = {9, 9};
    static const int32_t ids[] = {0};
    struct segments s = SEGMENTS(6, 2, starts, ids);
    assert_int_equal(segments_status_word(&s, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_status_word_legal_oddities_are_accepted),
        cmocka_unit_test(segments_status_word_no_segment_is_legal),
        cmocka_unit_test(segments_status_word_bad_id_is_named_and_only_its_rows_are_zero),
        cmocka_unit_test(segments_status_word_bad_id_of_an_empty_segment_is_named),
        cmocka_unit_test(segments_status_word_decreasing_start_zeroes_every_row),
        cmocka_unit_test(segments_status_word_start_beyond_the_rows_zeroes_every_row),
        cmocka_unit_test(segments_status_word_several_faults_name_the_lowest),
        cmocka_unit_test(segments_status_word_first_start_beyond_the_rows_is_the_first_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
