/* site_schedule: the order of the wgmma of one accumulator, from how often each came by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/infer/site_schedule.h"

/* Steps in the order in which they should run, as "site.time site.time ...". */
static void expect_steps(const uint32_t *came, size_t sites, uint32_t passes, const char *steps)
{
    struct site_schedule s;
    char text[400] = "";
    site_schedule_make(came, sites, passes, &s);
    for (uint64_t at = 0; at < s.steps * passes; at++) {
        struct site_step step = site_schedule_step(&s, at);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%zu.%u", at ? " " : "", step.site, step.time);
    }
    assert_string_equal(text, steps);
}

static void site_schedule_of_a_prologue_a_loop_and_a_tail_takes_turns_in_the_loop(void **state)
{
    (void)state;
    expect_steps((const uint32_t[]){1, 1, 3, 3, 1}, 5, 1, "0.0 1.0 2.0 3.0 2.1 3.1 2.2 3.2 4.0");
    expect_steps((const uint32_t[]){2, 2}, 2, 1, "0.0 1.0 0.1 1.1");
    expect_steps((const uint32_t[]){2, 3, 3}, 3, 1, "0.0 0.1 1.0 2.0 1.1 2.1 1.2 2.2");
    expect_steps((const uint32_t[]){2, 4, 4, 2}, 4, 2, "0.0 1.0 2.0 1.1 2.1 3.0 0.1 1.2 2.2 1.3 2.3 3.1");
    expect_steps((const uint32_t[]){2, 4}, 2, 1, "0.0 0.1 1.0 1.1 1.2 1.3");
}

static void site_schedule_at_is_the_inverse_of_step(void **state)
{
    (void)state;
    size_t ran = 0;
    for (uint32_t code = 0; code < 6 * 6 * 6 * 6; code++) {
        uint32_t came[4] = {1 + code % 6, 1 + code / 6 % 6, 1 + code / 36 % 6, 1 + code / 216 % 6};
        uint32_t most = site_schedule_passes(came, 4);
        for (uint32_t passes = 1; passes <= most; passes++) {
            struct site_schedule s;
            uint32_t seen[4] = {0};
            if (most % passes)
                continue;
            site_schedule_make(came, 4, passes, &s);
            for (uint64_t at = 0; at < s.steps * passes; at++) {
                struct site_step step = site_schedule_step(&s, at);
                assert_true(step.site < 4);
                assert_int_equal(step.time, seen[step.site]++);
                assert_int_equal(site_schedule_at(&s, step), at);
            }
            assert_memory_equal(seen, came, sizeof came);
            for (size_t i = 0; i < 4; i++)
                assert_int_equal(site_schedule_came(&s, i), came[i]);
            ran++;
        }
    }
    assert_true(ran > 1000);
}

static void site_schedule_passes_is_the_greatest_common_divisor(void **state)
{
    (void)state;
    assert_int_equal(site_schedule_passes((const uint32_t[]){12, 18, 30}, 3), 6);
    assert_int_equal(site_schedule_passes((const uint32_t[]){4, 1, 4}, 3), 1);
    assert_int_equal(site_schedule_passes((const uint32_t[]){0xffffffff}, 1), 0xffffffff);
}

static void site_schedule_is_certain_without_a_loop_of_several(void **state)
{
    static const struct {
        uint32_t came[3], sites, passes, results;
        bool certain;
    } cases[] = {{{5}, 1, 5, 1, true},       {{5}, 1, 1, 5, true},        {{1, 1, 1}, 3, 1, 1, true},
                 {{4, 4, 4}, 3, 4, 4, true}, {{4, 4, 4}, 3, 4, 1, false}, {{1, 2, 1}, 3, 1, 1, false},
                 {{2, 4, 2}, 3, 2, 2, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct site_schedule s;
        site_schedule_make(cases[i].came, cases[i].sites, cases[i].passes, &s);
        assert_int_equal(site_schedule_is_certain(&s, cases[i].results), cases[i].certain);
    }
}

static void site_schedule_words_name_sites_and_trips(void **state)
{
    static const struct {
        uint32_t came[6], sites, passes;
        const char *words;
    } cases[] = {{{1, 1, 2, 2, 1, 1}, 6, 1, "sites 8-9, 10-11 twice, 12-13"},
                 {{2, 2, 2}, 3, 2, "3 wgmma in turn, twice"},
                 {{1, 1}, 2, 1, "2 wgmma in turn"},
                 {{7, 7}, 2, 7, "2 wgmma in turn, 7 times"},
                 {{3, 9, 3}, 3, 3, "sites 8, 9 3 times, 10, all of it 3 times"},
                 {{2, 6}, 2, 2, "sites 8, 9 3 times, all of it twice"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct site_schedule s;
        char words[SITE_SCHEDULE_WORDS];
        site_schedule_make(cases[i].came, cases[i].sites, cases[i].passes, &s);
        site_schedule_words(&s, (const uint32_t[]){8, 9, 10, 11, 12, 13}, words);
        assert_string_equal(words, cases[i].words);
    }
}

static void site_numbers_words_are_ranges_and_end_in_dots(void **state)
{
    char text[24];
    (void)state;
    site_numbers_words((const uint32_t[]){0, 1, 2, 3, 7, 9, 10}, 7, text, sizeof text);
    assert_string_equal(text, "0-3, 7, 9-10");
    site_numbers_words((const uint32_t[]){5}, 1, text, sizeof text);
    assert_string_equal(text, "5");
    site_numbers_words((const uint32_t[]){0, 2, 4, 6, 8, 10, 12, 14}, 8, text, sizeof text);
    assert_string_equal(text, "0, 2, 4, 6, 8, 10, ...");
    site_numbers_words((const uint32_t[]){4294967294, 4294967295}, 2, text, 16);
    assert_string_equal(text, ", ...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(site_schedule_of_a_prologue_a_loop_and_a_tail_takes_turns_in_the_loop),
        cmocka_unit_test(site_schedule_at_is_the_inverse_of_step),
        cmocka_unit_test(site_schedule_passes_is_the_greatest_common_divisor),
        cmocka_unit_test(site_schedule_is_certain_without_a_loop_of_several),
        cmocka_unit_test(site_schedule_words_name_sites_and_trips),
        cmocka_unit_test(site_numbers_words_are_ranges_and_end_in_dots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
