/* layout: boxes, applying, checking and comparing, for all three kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/layouts.h"

static void box_code_every_point_comes_back(void **state)
{
    (void)state;
    const struct box b = {4, {"a", "b", "c", "d"}, {3, 5, 1, 7}};
    assert_int_equal(box_size(&b), 105);
    uint32_t code = 0;
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t j = 0; j < 5; j++)
            for (uint32_t k = 0; k < 7; k++, code++) {
                struct point p = {{i, j, 0, k}}, q = box_point(&b, code);
                assert_int_equal(box_code(&b, &p), code);
                assert_memory_equal(&p, &q, sizeof p);
                assert_true(box_contains(&b, &p));
            }
    assert_int_equal(code, 105);
}

static void box_contains_point_beyond_any_extent_is_outside(void **state)
{
    (void)state;
    const struct box b = {2, {"i", "j"}, {3, 5}};
    assert_true(box_contains(&b, &(struct point){{2, 4}}));
    assert_false(box_contains(&b, &(struct point){{3, 4}}));
    assert_false(box_contains(&b, &(struct point){{2, 5}}));
    assert_false(box_contains(&b, &(struct point){{2, 4, 1}}));
    assert_false(box_contains(&b, &(struct point){{0, 0, 0, 1}}));
}

static void box_equal_rank_extent_and_name_all_matter(void **state)
{
    (void)state;
    char name[] = "i"; /* another pointer, the same name */
    const struct box b = {2, {"i", "j"}, {3, 5}}, same = {2, {name, "j"}, {3, 5}};
    const struct box rank = {1, {"i", "j"}, {3, 5}}, extent = {2, {"i", "j"}, {3, 6}}, named = {2, {"i", "k"}, {3, 5}};
    assert_true(box_equal(&b, &same));
    assert_false(box_equal(&b, &rank));
    assert_false(box_equal(&b, &extent));
    assert_false(box_equal(&b, &named));
}

static void layout_apply_affine_xors_offset_and_images(void **state)
{
    (void)state;
    struct layout l = affine_zero(&eight_slots, &eight_values);
    l.offset = (struct point){{1, 2}};
    l.image[0][0] = (struct point){{1, 0}};
    l.image[0][1] = (struct point){{0, 3}};
    l.image[1][0] = (struct point){{1, 1}};
    static const struct point want[4][2] = {
        {{{1, 2}}, {{0, 3}}}, {{{0, 2}}, {{1, 3}}}, {{{1, 1}}, {{0, 0}}}, {{{0, 1}}, {{1, 0}}}};
    for (uint32_t r = 0; r < 4; r++)
        for (uint32_t h = 0; h < 2; h++) {
            struct point q = layout_apply(&l, &(struct point){{r, h}});
            assert_memory_equal(&q, &want[r][h], sizeof q);
        }
}

static void layout_apply_strided_sums_digits(void **state)
{
    (void)state;
    struct layout l = d24_strided();
    l.offset = (struct point){{100, 200}};
    struct point q = layout_apply(&l, &(struct point){{127, 11, 0}});
    assert_int_equal(q.at[0], 100 + 7 + 3 * 16 + 8);
    assert_int_equal(q.at[1], 200 + 3 * 2 + 1 + 2 * 8);
}

static void layout_apply_table_looks_up(void **state)
{
    (void)state;
    static const uint32_t codes[8] = {7, 7, 0, 1, 2, 3, 5, 4};
    struct layout l;
    assert_int_equal(layout_from_table(&eight_slots, &eight_values, codes, &l, NULL), STATUS_OK);
    for (uint32_t i = 0; i < 8; i++) {
        struct point p = {{i / 2, i % 2}}, q = layout_apply(&l, &p);
        assert_int_equal(q.at[0], codes[i] / 4);
        assert_int_equal(q.at[1], codes[i] % 4);
    }
    assert_false(is_bijective(&l)); /* 7 twice, 6 never */
    layout_free(&l);
    assert_null(l.table);
}

static void layout_free_zeroed_layout_is_left_alone(void **state)
{
    (void)state;
    struct layout l;
    memset(&l, 0, sizeof l);
    layout_free(&l);
    layout_free(&l);
    assert_null(l.table);
}

static void layout_check_random_affine_map_agrees_with_its_table(void **state)
{
    (void)state;
    uint64_t seed = 7;
    int bijections = 0;
    for (int round = 0; round < 400; round++) {
        struct layout l = affine_random(&eight_slots, &eight_values, &seed), table = tabulated(&l), inverse;
        bool bijective = is_bijective(&l);
        assert_int_equal(bijective, is_bijective(&table));
        assert_int_equal(layout_invert(&l, &inverse, NULL), bijective ? STATUS_OK : STATUS_BAD_ARGUMENT);
        bijections += bijective;
        layout_free(&table);
    }
    assert_true(bijections > 50 && bijections < 350);
}

static void layout_compare_three_forms_of_one_map_are_equal(void **state)
{
    (void)state;
    struct layout forms[3] = {a_affine(), a_strided(), a_affine()};
    forms[2] = tabulated(&forms[1]);
    for (int a = 0; a < 3; a++) {
        struct layout affine, inverse = inverted(&forms[a]);
        assert_true(is_bijective(&forms[a]));
        check_inverse(&forms[a], &inverse);
        assert_true(layout_to_affine(&forms[a], &affine));
        struct layout_difference d = compared(&affine, &forms[0]);
        assert_true(d.equal);
        assert_int_equal(d.evidence, LAYOUT_PROVED);
        assert_int_equal(d.compared, 11); /* the offset and ten bits */
        for (int b = 0; b < 3; b++) {
            d = compared(&forms[a], &forms[b]);
            assert_true(d.equal);
            assert_int_equal(d.differing, 0);
            assert_int_equal(d.evidence, a == 0 && b == 0 ? LAYOUT_PROVED : LAYOUT_EXHAUSTIVE);
            assert_int_equal(d.compared, a == 0 && b == 0 ? 11 : 1024);
        }
        layout_free(&inverse);
    }
    layout_free(&forms[2]);
}

static void layout_compare_exchanged_registers_finds_the_first_difference(void **state)
{
    (void)state;
    struct layout right = a_affine(), wrong = a_affine(), wrong_table;
    wrong.image[1][0] = right.image[1][1];
    wrong.image[1][1] = right.image[1][0];
    wrong_table = tabulated(&wrong);
    const struct layout *forms[2] = {&wrong, &wrong_table};
    for (int i = 0; i < 2; i++) {
        struct layout_difference d = compared(&right, forms[i]);
        assert_false(d.equal);
        assert_int_equal(d.evidence, LAYOUT_EXHAUSTIVE);
        assert_int_equal(d.compared, 1024);
        assert_int_equal(d.differing, 512); /* R1 and R2 of four */
        const struct point at = {{0, 1, 0}}, a = {{8, 0}}, b = {{0, 8}};
        assert_memory_equal(&d.at, &at, sizeof at);
        assert_memory_equal(&d.a, &a, sizeof a);
        assert_memory_equal(&d.b, &b, sizeof b);
    }
    layout_free(&wrong_table);
}

static void layout_compare_one_wrong_image_or_offset_is_seen(void **state)
{
    (void)state;
    const struct layout right = a_affine();
    size_t changed = 0;
    for (int d = 0; d < 3; d++)
        for (int b = 0; 1u << b < slots.extent[d]; b++)
            for (int c = 0; c < 2; c++, changed++) {
                struct layout wrong = right;
                wrong.image[d][b].at[c] ^= 1u;
                assert_int_equal(compared(&right, &wrong).differing, 512);
            }
    assert_int_equal(changed, 20);
    struct layout moved = right;
    moved.offset.at[1] = 1;
    assert_int_equal(compared(&right, &moved).differing, 1024);
}

static void layout_compare_images_beyond_the_box_do_not_matter(void **state)
{
    (void)state;
    struct layout a = a_affine(), b = a_affine();
    b.image[0][7] = b.image[1][2] = b.image[2][1] = b.image[3][0] = (struct point){{1, 1}};
    struct layout_difference d = compared(&a, &b);
    assert_true(d.equal);
    assert_int_equal(d.evidence, LAYOUT_PROVED);
}

static void layout_check_sizes_that_differ_are_no_bijection(void **state)
{
    (void)state;
    const struct box two = {1, {"x"}, {2}}, four = {1, {"i"}, {4}};
    struct layout into = affine_zero(&two, &four), onto = affine_zero(&four, &two), out;
    into.image[0][0] = (struct point){{3}};
    onto.image[0][0] = (struct point){{1}};
    assert_false(is_bijective(&into)); /* one-to-one, not onto */
    assert_false(is_bijective(&onto)); /* onto, not one-to-one */
    struct error e;
    assert_int_equal(layout_invert(&into, &out, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(layout_invert(&onto, &out, &e), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(e.why, "no bijection"));
}

static void layout_check_point_outside_the_codomain_is_named(void **state)
{
    (void)state;
    struct layout affine = a_affine(), strided = a_strided();
    affine.image[1][1] = (struct point){{0, 16}};
    strided.mode[4].stride = (struct point){{0, 16}};
    const struct layout *bad[] = {&affine, &strided};
    for (int i = 0; i < 2; i++) {
        bool bijective = true;
        struct error e;
        struct layout out;
        assert_int_equal(layout_check(bad[i], &bijective, &e), STATUS_BAD_INPUT);
        assert_string_equal(e.why, "thread 0, reg 2, part 0 goes to i 0, j 16, outside the codomain");
        assert_true(bijective); /* untouched */
        assert_int_equal(layout_invert(bad[i], &out, &e), STATUS_BAD_ARGUMENT);
        struct layout id = identity(&elements);
        assert_int_equal(layout_compose(&id, bad[i], &out, &e), STATUS_BAD_ARGUMENT);
    }
    struct layout deep = affine_zero(&eight_slots, &eight_values); /* a coordinate past the rank of the codomain */
    deep.offset.at[2] = 1;
    bool bijective;
    assert_int_equal(layout_check(&deep, &bijective, NULL), STATUS_BAD_INPUT);
}

static void layout_kind_name_every_kind_has_one(void **state)
{
    (void)state;
    assert_string_equal(layout_kind_name(LAYOUT_AFFINE), "affine");
    assert_string_equal(layout_kind_name(LAYOUT_STRIDED), "strided");
    assert_string_equal(layout_kind_name(LAYOUT_TABLE), "table");
    assert_string_equal(layout_kind_name((enum layout_kind)3), "unknown kind");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(box_code_every_point_comes_back),
        cmocka_unit_test(box_contains_point_beyond_any_extent_is_outside),
        cmocka_unit_test(box_equal_rank_extent_and_name_all_matter),
        cmocka_unit_test(layout_apply_affine_xors_offset_and_images),
        cmocka_unit_test(layout_apply_strided_sums_digits),
        cmocka_unit_test(layout_apply_table_looks_up),
        cmocka_unit_test(layout_free_zeroed_layout_is_left_alone),
        cmocka_unit_test(layout_check_random_affine_map_agrees_with_its_table),
        cmocka_unit_test(layout_compare_three_forms_of_one_map_are_equal),
        cmocka_unit_test(layout_compare_exchanged_registers_finds_the_first_difference),
        cmocka_unit_test(layout_compare_one_wrong_image_or_offset_is_seen),
        cmocka_unit_test(layout_compare_images_beyond_the_box_do_not_matter),
        cmocka_unit_test(layout_check_sizes_that_differ_are_no_bijection),
        cmocka_unit_test(layout_check_point_outside_the_codomain_is_named),
        cmocka_unit_test(layout_kind_name_every_kind_has_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
