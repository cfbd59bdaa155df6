/* layout: inverses, compositions and the search for an affine form, for all three kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/layouts.h"

/* Heap's method: every permutation of eight codes, once. */
static void for_every_permutation(void (*body)(const uint32_t *codes, size_t *counts), size_t *counts)
{
    uint32_t codes[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    int taken[8] = {0};
    body(codes, counts);
    for (int i = 1; i < 8;) {
        if (taken[i] == i) {
            taken[i++] = 0;
            continue;
        }
        int j = i % 2 ? taken[i] : 0;
        uint32_t kept = codes[i];
        codes[i] = codes[j];
        codes[j] = kept;
        body(codes, counts);
        taken[i]++;
        i = 1;
    }
}

enum { COUNT_ALL, COUNT_AFFINE, COUNTS };

static void check_permutation(const uint32_t *codes, size_t *counts)
{
    struct layout table, affine;
    assert_int_equal(layout_from_table(&eight_slots, &eight_values, codes, &table, NULL), STATUS_OK);
    assert_true(is_bijective(&table));
    struct layout inverse = inverted(&table);
    assert_int_equal(inverse.kind, LAYOUT_TABLE);
    check_inverse(&table, &inverse);
    counts[COUNT_ALL]++;
    if (layout_to_affine(&table, &affine)) {
        counts[COUNT_AFFINE]++;
        assert_int_equal(affine.kind, LAYOUT_AFFINE);
        assert_true(compared(&table, &affine).equal);
        struct layout affine_inverse = inverted(&affine);
        assert_int_equal(affine_inverse.kind, LAYOUT_AFFINE);
        assert_true(compared(&inverse, &affine_inverse).equal);
    }
    layout_free(&inverse);
    layout_free(&table);
}

static void layout_to_affine_of_all_orders_of_eight_values_finds_1344(void **state)
{
    (void)state;
    size_t counts[COUNTS] = {0};
    for_every_permutation(check_permutation, counts);
    assert_int_equal(counts[COUNT_ALL], 40320);
    assert_int_equal(counts[COUNT_AFFINE], 1344); /* 8 offsets x 168 invertible 3 x 3 matrices */
}

static void layout_invert_random_affine_bijection_stays_affine(void **state)
{
    (void)state;
    static const struct box pairs[][2] = {
        {{3, {"thread", "reg", "part"}, {128, 4, 2}}, {2, {"i", "j"}, {64, 16}}},
        {{1, {"x"}, {256}}, {4, {"a", "b", "c", "d"}, {4, 4, 1, 16}}},
        {{1, {"x"}, {1}}, {2, {"i", "j"}, {1, 1}}},
        {{2, {"x", "y"}, {1, 2}}, {1, {"i"}, {2}}},
    };
    uint64_t seed = 20240901;
    for (int round = 0; round < 50; round++)
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
            uint64_t start = seed;
            struct layout l = affine_random_bijection(&pairs[i][0], &pairs[i][1], &seed);
            struct layout inverse = inverted(&l), table = tabulated(&l), table_inverse = inverted(&table);
            struct layout there = composed(&inverse, &l), id = identity(&l.domain);
            struct layout_difference d = compared(&there, &id);
            if (inverse.kind != LAYOUT_AFFINE || !d.equal || d.evidence != LAYOUT_PROVED ||
                table_inverse.kind != LAYOUT_TABLE || !compared(&inverse, &table_inverse).equal)
                fail_msg("pair %zu, generator state 0x%016llx", i, (unsigned long long)start);
            layout_free(&table);
            layout_free(&table_inverse);
        }
}

/* The same three maps as affine layouts, tables, and a mix. */
static void check_associativity(struct layout f, struct layout g, struct layout h, bool affine)
{
    struct layout gf = composed(&g, &f), hg = composed(&h, &g);
    struct layout left = composed(&hg, &f), right = composed(&h, &gf);
    struct layout_difference d = compared(&left, &right);
    assert_true(d.equal);
    assert_int_equal(d.evidence, affine ? LAYOUT_PROVED : LAYOUT_EXHAUSTIVE);
    for (uint32_t i = 0; i < box_size(&f.domain); i++) {
        struct point p = box_point(&f.domain, i), q = layout_apply(&f, &p), have = layout_apply(&left, &p);
        q = layout_apply(&g, &q);
        q = layout_apply(&h, &q);
        assert_memory_equal(&q, &have, sizeof q);
    }
    struct layout *all[] = {&gf, &hg, &left, &right};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        layout_free(all[i]);
}

static void layout_compose_is_associative_for_every_mix_of_kinds(void **state)
{
    (void)state;
    const struct box wide = {1, {"x"}, {64}};
    uint64_t seed = 11;
    for (int round = 0; round < 40; round++) {
        struct layout f = affine_random(&eight_slots, &wide, &seed), g = affine_random(&wide, &elements, &seed);
        struct layout h = affine_random(&elements, &eight_values, &seed);
        struct layout ft = tabulated(&f), gt = tabulated(&g), ht = tabulated(&h);
        for (int mix = 0; mix < 8; mix++)
            check_associativity(mix & 1 ? ft : f, mix & 2 ? gt : g, mix & 4 ? ht : h, mix == 0);
        layout_free(&ft);
        layout_free(&gt);
        layout_free(&ht);
    }
}

static void layout_compose_affine_into_restricted_box_stays_affine(void **state)
{
    (void)state;
    /* 12 is no power of two, and with offset 8 the image 3 alone is not what the offset makes of it. */
    const struct box four = {1, {"x"}, {4}}, twelve = {1, {"reg"}, {12}};
    struct layout first = affine_zero(&four, &twelve), second = affine_zero(&twelve, &elements);
    first.offset = (struct point){{8}};
    first.image[0][0] = (struct point){{1}};
    first.image[0][1] = (struct point){{2}};
    second.offset = (struct point){{5, 1}};
    for (int b = 0; b < 4; b++)
        second.image[0][b] = (struct point){{1u << b, 8}};
    struct layout both = composed(&second, &first);
    assert_int_equal(both.kind, LAYOUT_AFFINE);
    for (uint32_t x = 0; x < 4; x++) {
        struct point p = {{x}}, q = layout_apply(&first, &p), have = layout_apply(&both, &p);
        q = layout_apply(&second, &q);
        assert_memory_equal(&q, &have, sizeof q);
    }
}

static void layout_invert_restricted_box_becomes_a_table(void **state)
{
    (void)state;
    struct layout strided = d24_strided(), affine, inverse_affine;
    assert_true(layout_to_affine(&strided, &affine)); /* the restriction of an affine map to 12 of 16 codes */
    assert_true(compared(&strided, &affine).equal);
    assert_true(is_bijective(&strided));
    assert_true(is_bijective(&affine));
    struct layout inverse = inverted(&affine), other = inverted(&strided);
    assert_int_equal(inverse.kind, LAYOUT_TABLE);
    check_inverse(&affine, &inverse);
    check_inverse(&strided, &other);
    assert_true(compared(&inverse, &other).equal);
    assert_true(layout_to_affine(&inverse, &inverse_affine));
    layout_free(&inverse);
    layout_free(&other);
}

static void layout_to_affine_sum_with_carry_is_not_affine(void **state)
{
    (void)state;
    const struct box three_bits = {1, {"x"}, {8}}, values = {1, {"i"}, {32}};
    struct layout l = {.kind = LAYOUT_STRIDED, .domain = three_bits, .codomain = values, .modes = 1}, out;
    l.mode[0] = (struct layout_mode){0, 1, 8, {{3}}};
    memset(&out, 0x5a, sizeof out);
    struct layout before = out;
    assert_false(layout_to_affine(&l, &out));
    assert_memory_equal(&out, &before, sizeof out);
    l.mode[0].stride.at[0] = 4;
    l.offset.at[0] = 3; /* below the stride: adding it carries nowhere */
    assert_true(layout_to_affine(&l, &out));
}

static void layout_to_affine_domain_wider_than_its_bits_is_refused(void **state)
{
    (void)state;
    const struct box wide = {1, {"x"}, {(1u << LAYOUT_BITS) + 1}}, one = {1, {"i"}, {1}};
    struct layout l = {.kind = LAYOUT_STRIDED, .domain = wide, .codomain = one}, out;
    assert_false(layout_to_affine(&l, &out));
    l.domain.extent[0]--;
    assert_true(layout_to_affine(&l, &out));
}

static void layout_compose_boxes_that_do_not_meet_are_refused(void **state)
{
    (void)state;
    struct layout l = a_affine(), renamed = identity(&elements), out;
    struct layout_difference d;
    struct error e;
    assert_int_equal(layout_compose(&l, &l, &out, &e), STATUS_BAD_ARGUMENT);
    renamed.domain.name[1] = "k";
    assert_int_equal(layout_compose(&renamed, &l, &out, &e), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(e.why, "do not compose"));
    struct layout other = l;
    other.domain.name[2] = "half";
    assert_int_equal(layout_compare(&l, &other, &d, &e), STATUS_BAD_ARGUMENT);
    other = l;
    other.codomain.extent[1] = 32;
    assert_int_equal(layout_compare(&l, &other, &d, &e), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(e.why, "different boxes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_to_affine_of_all_orders_of_eight_values_finds_1344),
        cmocka_unit_test(layout_invert_random_affine_bijection_stays_affine),
        cmocka_unit_test(layout_compose_is_associative_for_every_mix_of_kinds),
        cmocka_unit_test(layout_compose_affine_into_restricted_box_stays_affine),
        cmocka_unit_test(layout_invert_restricted_box_becomes_a_table),
        cmocka_unit_test(layout_to_affine_sum_with_carry_is_not_affine),
        cmocka_unit_test(layout_to_affine_domain_wider_than_its_bits_is_refused),
        cmocka_unit_test(layout_compose_boxes_that_do_not_meet_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
