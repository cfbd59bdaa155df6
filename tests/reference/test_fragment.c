/* fragment: the contract maps against the specification's tables, written by hand, and its formulas, over all slots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reference/fragment.h"

static struct wgmma_op operation(const char *types, int n, const char *source)
{
    char name[WGMMA_NAME_SIZE];
    struct wgmma_op op;
    struct error e;
    snprintf(name, sizeof name, "wgmma.m64n%dk16.f32.%s.%s.%s", n, types, types, source);
    if (wgmma_parse(name, &op, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return op;
}

static struct layout map_of(struct wgmma_op op, enum fragment_operand operand)
{
    struct layout map;
    struct error e;
    if (fragment_map(&op, operand, &map, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return map;
}

static void check_element(const struct layout *map, uint32_t t, uint32_t r, uint32_t h, uint32_t i, uint32_t j)
{
    struct point p = layout_apply(map, &(struct point){{t, r, h}});
    if (p.at[0] != i || p.at[1] != j)
        fail_msg("thread %u, reg %u, part %u holds (%u, %u), not (%u, %u)", t, r, h, p.at[0], p.at[1], i, j);
}

static void fragment_map_a_holds_what_the_specification_draws(void **state)
{
    (void)state;
    /* a0..a7 of some threads, by hand from the rows and columns that the PTX ISA gives for the A fragment. */
    static const struct {
        uint32_t thread, a[8][2];
    } drawn[] = {
        {0, {{0, 0}, {0, 1}, {8, 0}, {8, 1}, {0, 8}, {0, 9}, {8, 8}, {8, 9}}},
        {1, {{0, 2}, {0, 3}, {8, 2}, {8, 3}, {0, 10}, {0, 11}, {8, 10}, {8, 11}}},
        {3, {{0, 6}, {0, 7}, {8, 6}, {8, 7}, {0, 14}, {0, 15}, {8, 14}, {8, 15}}},
        {4, {{1, 0}, {1, 1}, {9, 0}, {9, 1}, {1, 8}, {1, 9}, {9, 8}, {9, 9}}},
        {22, {{5, 4}, {5, 5}, {13, 4}, {13, 5}, {5, 12}, {5, 13}, {13, 12}, {13, 13}}},
        {31, {{7, 6}, {7, 7}, {15, 6}, {15, 7}, {7, 14}, {7, 15}, {15, 14}, {15, 15}}},
        {32, {{16, 0}, {16, 1}, {24, 0}, {24, 1}, {16, 8}, {16, 9}, {24, 8}, {24, 9}}},
        {69, {{33, 2}, {33, 3}, {41, 2}, {41, 3}, {33, 10}, {33, 11}, {41, 10}, {41, 11}}},
        {127, {{55, 6}, {55, 7}, {63, 6}, {63, 7}, {55, 14}, {55, 15}, {63, 14}, {63, 15}}},
    };
    struct layout map = map_of(operation("bf16", 64, "rs"), FRAGMENT_A);
    for (size_t d = 0; d < sizeof drawn / sizeof *drawn; d++)
        for (uint32_t a = 0; a < 8; a++)
            check_element(&map, drawn[d].thread, a / 2, a % 2, drawn[d].a[a][0], drawn[d].a[a][1]);
}

static void fragment_map_d_holds_what_the_specification_draws(void **state)
{
    (void)state;
    /* thread, register, row, column, by hand from the same section for D */
    static const uint32_t drawn[][4] = {
        {0, 0, 0, 0},     {0, 1, 0, 1},      {0, 2, 8, 0},        {0, 3, 8, 1},     {0, 4, 0, 8},
        {0, 7, 8, 9},     {0, 8, 0, 16},     {1, 0, 0, 2},        {3, 3, 8, 7},     {4, 0, 1, 0},
        {31, 3, 15, 7},   {32, 0, 16, 0},    {96, 0, 48, 0},      {127, 3, 63, 7},  {0, 124, 0, 248},
        {0, 127, 8, 249}, {50, 66, 28, 132}, {127, 127, 63, 255}, {64, 32, 32, 64}, {5, 16, 1, 34},
    };
    struct layout map = map_of(operation("bf16", 256, "rs"), FRAGMENT_D);
    for (size_t d = 0; d < sizeof drawn / sizeof *drawn; d++)
        check_element(&map, drawn[d][0], drawn[d][1], 0, drawn[d][2], drawn[d][3]);
}

static void check_bijection(const struct layout *map)
{
    bool bijective;
    struct error e;
    if (layout_check(map, &bijective, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    assert_true(bijective);
}

static void check_shape(const struct layout *map, uint32_t regs, uint32_t parts, uint32_t columns)
{
    const struct box slots = {3, {"thread", "reg", "part"}, {128, regs, parts}};
    const struct box elements = {2, {"i", "j"}, {64, columns}};
    assert_int_equal(map->kind, LAYOUT_AFFINE);
    assert_true(box_equal(&map->domain, &slots));
    assert_true(box_equal(&map->codomain, &elements));
}

static void fragment_map_a_follows_the_formula_for_every_slot(void **state)
{
    (void)state;
    static const char *const types[] = {"bf16", "f16"};
    int slots = 0;
    for (int type = 0; type < 2; type++)
        for (int n = 8; n <= 256; n += 8) {
            struct layout map = map_of(operation(types[type], n, "rs"), FRAGMENT_A);
            check_shape(&map, 4, 2, 16);
            check_bijection(&map);
            for (uint32_t t = 0; t < 128; t++)
                for (uint32_t a = 0; a < 8; a++, slots++) {
                    /* The specification's words: row is the group for a0 a1 a4 a5 and the group + 8 else; columns of
                     * a4.. lie 8 further. */
                    uint32_t warp = t / 32, group = (t % 32) / 4;
                    uint32_t row = 16 * warp + group + (a == 2 || a == 3 || a >= 6 ? 8 : 0);
                    uint32_t column = (t % 4) * 2 + (a & 1) + (a >= 4 ? 8 : 0);
                    check_element(&map, t, a / 2, a % 2, row, column);
                }
        }
    assert_int_equal(slots, 2 * 32 * 1024);
}

static void fragment_map_d_follows_the_formula_for_every_slot_of_every_n(void **state)
{
    (void)state;
    static const char *const sources[] = {"rs", "ss"};
    int slots = 0;
    for (int source = 0; source < 2; source++)
        for (int n = 8; n <= 256; n += 8) {
            struct layout map = map_of(operation("bf16", n, sources[source]), FRAGMENT_D);
            check_shape(&map, (uint32_t)n / 2, 1, (uint32_t)n);
            check_bijection(&map);
            for (uint32_t t = 0; t < 128; t++)
                for (uint32_t d = 0; d < (uint32_t)n / 2; d++, slots++) {
                    uint32_t row = t / 32 * 16 + t % 32 / 4 + (d % 4 >= 2 ? 8 : 0);
                    check_element(&map, t, d, 0, row, d / 4 * 8 + t % 4 * 2 + d % 2);
                }
        }
    assert_int_equal(slots, 2 * 64 * 8 * 32 * 33 / 2);
}

static void fragment_map_a_inverts_to_the_slot_of_every_element(void **state)
{
    (void)state;
    struct layout map = map_of(operation("bf16", 64, "rs"), FRAGMENT_A), inverse;
    assert_int_equal(layout_invert(&map, &inverse, NULL), STATUS_OK);
    assert_int_equal(inverse.kind, LAYOUT_AFFINE);
    for (uint32_t i = 0; i < 64; i++)
        for (uint32_t j = 0; j < 16; j++) {
            struct point p = layout_apply(&inverse, &(struct point){{i, j}});
            check_element(&map, p.at[0], p.at[1], p.at[2], i, j);
        }
}

static void fragment_map_a_of_shared_memory_is_unsupported(void **state)
{
    (void)state;
    struct wgmma_op op = operation("bf16", 64, "ss");
    struct layout map, before;
    struct error e;
    memset(&map, 0x5a, sizeof map);
    before = map;
    assert_int_equal(fragment_map(&op, FRAGMENT_A, &map, &e), STATUS_UNSUPPORTED);
    assert_non_null(strstr(e.why, "shared memory"));
    assert_memory_equal(&map, &before, sizeof map);
}

static void fragment_operand_parse_takes_a_and_d_in_either_case(void **state)
{
    (void)state;
    enum fragment_operand operand = FRAGMENT_D;
    assert_int_equal(fragment_operand_parse("A", &operand, NULL), STATUS_OK);
    assert_int_equal(operand, FRAGMENT_A);
    assert_int_equal(fragment_operand_parse("d", &operand, NULL), STATUS_OK);
    assert_int_equal(operand, FRAGMENT_D);
    assert_int_equal(fragment_operand_parse("a", &operand, NULL), STATUS_OK);
    assert_int_equal(operand, FRAGMENT_A);
    static const char *const bad[] = {"", "B", "AD", " A", "A "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error e;
        assert_int_equal(fragment_operand_parse(bad[i], &operand, &e), STATUS_BAD_ARGUMENT);
        assert_non_null(strstr(e.why, "write A or D"));
        assert_int_equal(operand, FRAGMENT_A);
    }
}

static void fragment_smem_sw128_places_chunks_as_drawn(void **state)
{
    (void)state;
    /* row, column, byte offset, by hand: chunk 0 of row r stands where chunk r % 8 would without the swizzle. */
    static const size_t drawn[][3] = {
        {0, 0, 0},
        {0, 1, 2},
        {0, 8, 16},
        {0, 63, 126},
        {1, 0, 128 + 16},
        {1, 8, 128},
        {1, 16, 128 + 48},
        {2, 0, 256 + 32},
        {3, 8, 384 + 32},
        {7, 0, 896 + 112},
        {7, 56, 896},
        {7, 63, 896 + 14},
        {8, 0, 1024},
        {9, 0, 1024 + 128 + 16},
        {63, 63, 7 * 1024 + 896 + 14},
        {5, 27, 640 + 96 + 6},
    };
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++)
        assert_int_equal(fragment_smem_sw128(drawn[i][0], drawn[i][1]), drawn[i][2]);
}

static void fragment_smem_sw128_is_a_bijection_on_the_tile(void **state)
{
    (void)state;
    static bool seen[128 * 128];
    size_t elements = 0;
    for (size_t row = 0; row < 128; row++)
        for (size_t k = 0; k < 64; k++, elements++) {
            size_t at = fragment_smem_sw128(row, k);
            assert_true(at < sizeof seen && at % 2 == 0);
            assert_int_equal(at / 128, row); /* the swizzle never leaves a row */
            assert_false(seen[at]);
            seen[at] = true;
        }
    assert_int_equal(elements, 128 * 64);
}

static void fragment_smem_sw128_eight_rows_of_one_chunk_use_all_banks(void **state)
{
    (void)state;
    /* What the swizzle is for: a column of eight chunks touches eight different groups of banks. */
    for (size_t row = 0; row < 64; row += 8)
        for (size_t k = 0; k < 64; k += 8) {
            unsigned chunks = 0;
            for (size_t r = 0; r < 8; r++)
                chunks |= 1u << fragment_smem_sw128(row + r, k) / 16 % 8;
            assert_int_equal(chunks, 0xff);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragment_map_a_holds_what_the_specification_draws),
        cmocka_unit_test(fragment_map_d_holds_what_the_specification_draws),
        cmocka_unit_test(fragment_map_a_follows_the_formula_for_every_slot),
        cmocka_unit_test(fragment_map_d_follows_the_formula_for_every_slot_of_every_n),
        cmocka_unit_test(fragment_map_a_inverts_to_the_slot_of_every_element),
        cmocka_unit_test(fragment_map_a_of_shared_memory_is_unsupported),
        cmocka_unit_test(fragment_operand_parse_takes_a_and_d_in_either_case),
        cmocka_unit_test(fragment_smem_sw128_places_chunks_as_drawn),
        cmocka_unit_test(fragment_smem_sw128_is_a_bijection_on_the_tile),
        cmocka_unit_test(fragment_smem_sw128_eight_rows_of_one_chunk_use_all_banks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
