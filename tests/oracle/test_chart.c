/* chart: scales, marks, and that texts stay inside the picture. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/chart.h"

static const struct chart_texts texts = {"title", "subtitle", "caption"};

static struct chart make(const struct chart_texts *t, size_t cells, int pixels)
{
    const struct chart_axis axis = {"axis", cells, 1, pixels};
    struct chart c;
    struct error e;
    assert_int_equal(chart_make(t, &axis, &axis, 100, &c, &e), STATUS_OK);
    return c;
}

static struct colour at(const struct chart *c, int x, int y)
{
    const uint8_t *rgb = c->picture.rgb + (y * c->picture.width + x) * 3;
    return (struct colour){rgb[0], rgb[1], rgb[2]};
}

static bool same(struct colour a, struct colour b)
{
    return a.r == b.r && a.g == b.g && a.b == b.b;
}

static void chart_scale_of_values_sees_range_zero_and_infinity(void **state)
{
    (void)state;
    const float linear[] = {2, 4, 1}, wide[] = {0, 1, 1001, INFINITY}, zeros[] = {0, 0}, nan[] = {NAN};
    struct chart_scale s = chart_scale_of(linear, 3);
    assert_true(s.low == 1 && s.high == 4 && !s.logarithmic && !s.zero && !s.infinite);
    s = chart_scale_of(wide, 4);
    assert_true(s.low == 1 && s.high == 1001 && s.logarithmic && s.zero && s.infinite);
    s = chart_scale_of(zeros, 2);
    assert_true(s.low == 0 && s.high == 0 && !s.logarithmic && s.zero && !s.infinite);
    s = chart_scale_of(nan, 1);
    assert_true(s.low == 0 && s.high == 0 && !s.zero && s.infinite);
}

static void chart_scale_colour_zero_infinity_and_values_differ(void **state)
{
    (void)state;
    const float values[] = {0, 1, 1.5f, 2, INFINITY};
    struct chart_scale s = chart_scale_of(values, 5);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++)
            assert_int_equal(same(chart_scale_colour(&s, values[i]), chart_scale_colour(&s, values[j])), i == j);
    assert_true(same(chart_scale_colour(&s, NAN), chart_scale_colour(&s, INFINITY)));
    assert_true(same(chart_scale_colour(&s, 2), picture_ramp(1)));
    assert_true(same(chart_scale_colour(&s, 1), picture_ramp(0.2f)));
}

static void chart_scale_colour_logarithmic_is_halfway_at_the_geometric_mean(void **state)
{
    (void)state;
    const float values[] = {1, 4096};
    struct chart_scale s = chart_scale_of(values, 2);
    struct colour middle = chart_scale_colour(&s, 64), want = picture_ramp(0.6f);
    assert_in_range(middle.r + 2 - want.r, 0, 4);
    assert_in_range(middle.b + 2 - want.b, 0, 4);
}

static void chart_scale_colour_single_value_is_bright(void **state)
{
    (void)state;
    const float values[] = {0, 1e-30f};
    struct chart_scale s = chart_scale_of(values, 2);
    assert_true(same(chart_scale_colour(&s, 1e-30f), picture_ramp(1)));
}

static void chart_mark_hit_is_white_and_miss_is_larger_and_orange(void **state)
{
    (void)state;
    static const int sides[] = {2, 4, 7, 11, 20};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        struct chart c = make(&texts, 8, sides[i]);
        int x = chart_cell_x(&c, 3) + sides[i] / 2, y = chart_cell_y(&c, 5) + sides[i] / 2, hit = 0, miss = 0;
        picture_rect(&c.picture, c.x, c.y, 8 * sides[i], 8 * sides[i], (struct colour){1, 2, 3});
        chart_mark(&c, 5, 3, CHART_HIT);
        assert_true(same(at(&c, x, y), chart_paper));
        for (int dx = -sides[i]; dx <= sides[i]; dx++)
            hit += same(at(&c, x + dx, y), chart_paper);
        chart_mark(&c, 5, 3, CHART_MISS);
        assert_true(same(at(&c, x, y), (struct colour){213, 94, 0}));
        for (int dx = -sides[i] - 2; dx <= sides[i] + 2; dx++)
            miss += !same(at(&c, x + dx, y), (struct colour){1, 2, 3});
        assert_true(hit >= 1);
        assert_true(miss > hit);
        chart_free(&c);
    }
}

/* Long texts are broken, also where there is no space, and nothing is drawn on the last pixels of a side. */
static void chart_make_long_texts_stay_inside(void **state)
{
    (void)state;
    char words[600], one[600];
    memset(one, 'W', sizeof one - 1);
    one[sizeof one - 1] = '\0';
    memcpy(words, one, sizeof one);
    for (size_t i = 7; i + 1 < sizeof words; i += 8)
        words[i] = ' ';
    const struct chart_texts t = {words, one, words};
    struct chart c = make(&t, 4, 5), plain = make(&texts, 4, 5);
    assert_true(c.picture.height > plain.picture.height);
    assert_int_equal(c.picture.width, plain.picture.width);
    for (int y = 0; y < c.picture.height; y++)
        for (int x = c.picture.width - 12; x < c.picture.width; x++)
            assert_true(same(at(&c, x, y), chart_paper));
    for (int x = 0; x < c.picture.width; x++)
        for (int y = c.picture.height - 12; y < c.picture.height; y++)
            assert_true(same(at(&c, x, y), chart_paper));
    chart_free(&c);
    chart_free(&plain);
}

static void chart_legend_measures_what_it_draws(void **state)
{
    (void)state;
    const float sets[][3] = {{0, 0, 0}, {0, 1, 2}, {INFINITY, 0, 1}, {1, 2, 3}};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct chart c = make(&texts, 8, 20);
        struct chart_scale s = chart_scale_of(sets[i], 3);
        int top = c.legend_y;
        chart_legend_scale(&c, &s, "value");
        assert_int_equal(c.legend_y - top, chart_legend_scale_height(&s));
        chart_legend_entry(&c, CHART_PLAIN, chart_ink, "entry");
        assert_int_equal(c.legend_y - top, chart_legend_scale_height(&s) + CHART_ENTRY_HEIGHT);
        chart_free(&c);
    }
}

static void chart_make_too_large_is_refused(void **state)
{
    (void)state;
    const struct chart_axis wide = {"axis", 1000, 1, 20}, narrow = {"axis", 2, 1, 20};
    struct chart c;
    struct error e;
    assert_int_equal(chart_make(&texts, &wide, &narrow, 0, &c, &e), STATUS_BAD_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chart_scale_of_values_sees_range_zero_and_infinity),
        cmocka_unit_test(chart_scale_colour_zero_infinity_and_values_differ),
        cmocka_unit_test(chart_scale_colour_logarithmic_is_halfway_at_the_geometric_mean),
        cmocka_unit_test(chart_scale_colour_single_value_is_bright),
        cmocka_unit_test(chart_mark_hit_is_white_and_miss_is_larger_and_orange),
        cmocka_unit_test(chart_make_long_texts_stay_inside),
        cmocka_unit_test(chart_legend_measures_what_it_draws),
        cmocka_unit_test(chart_make_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
