/* fragment: the contract maps against the specification's tables, written by hand, and its formulas, over all slots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reference/fragment.h"

static struct wgmma_op named(const char *name)
{
    struct wgmma_op op;
    struct error e;
    if (wgmma_parse(name, &op, &e) != STATUS_OK)
        fail_msg("%s: %s", name, e.why);
    return op;
}

static struct wgmma_op operation(const char *types, int n, const char *source)
{
    char name[WGMMA_NAME_SIZE];
    snprintf(name, sizeof name, "wgmma.m64n%dk16.f32.%s.%s.%s", n, types, types, source);
    return named(name);
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

static void fragment_map_a_of_tf32_holds_what_the_specification_draws(void **state)
{
    (void)state;
    /* a0..a3, by hand from the rows and columns that the PTX ISA gives for .m64nNk8 */
    static const struct {
        uint32_t thread, a[4][2];
    } drawn[] = {
        {0, {{0, 0}, {8, 0}, {0, 4}, {8, 4}}},       {1, {{0, 1}, {8, 1}, {0, 5}, {8, 5}}},
        {3, {{0, 3}, {8, 3}, {0, 7}, {8, 7}}},       {4, {{1, 0}, {9, 0}, {1, 4}, {9, 4}}},
        {22, {{5, 2}, {13, 2}, {5, 6}, {13, 6}}},    {31, {{7, 3}, {15, 3}, {7, 7}, {15, 7}}},
        {32, {{16, 0}, {24, 0}, {16, 4}, {24, 4}}},  {69, {{33, 1}, {41, 1}, {33, 5}, {41, 5}}},
        {127, {{55, 3}, {63, 3}, {55, 7}, {63, 7}}},
    };
    struct layout map = map_of(named("wgmma.m64n64k8.f32.tf32.tf32.rs"), FRAGMENT_A);
    for (size_t d = 0; d < sizeof drawn / sizeof *drawn; d++)
        for (uint32_t a = 0; a < 4; a++)
            check_element(&map, drawn[d].thread, a, 0, drawn[d].a[a][0], drawn[d].a[a][1]);
}

static void fragment_map_a_of_8_bits_holds_what_the_specification_draws(void **state)
{
    (void)state;
    /* the first and the last byte of each register: a0 a3, a4 a7, a8 a11, a12 a15, by hand from .m64nNk32 */
    static const struct {
        uint32_t thread, a[8][2];
    } drawn[] = {
        {0, {{0, 0}, {0, 3}, {8, 0}, {8, 3}, {0, 16}, {0, 19}, {8, 16}, {8, 19}}},
        {1, {{0, 4}, {0, 7}, {8, 4}, {8, 7}, {0, 20}, {0, 23}, {8, 20}, {8, 23}}},
        {3, {{0, 12}, {0, 15}, {8, 12}, {8, 15}, {0, 28}, {0, 31}, {8, 28}, {8, 31}}},
        {4, {{1, 0}, {1, 3}, {9, 0}, {9, 3}, {1, 16}, {1, 19}, {9, 16}, {9, 19}}},
        {22, {{5, 8}, {5, 11}, {13, 8}, {13, 11}, {5, 24}, {5, 27}, {13, 24}, {13, 27}}},
        {69, {{33, 4}, {33, 7}, {41, 4}, {41, 7}, {33, 20}, {33, 23}, {41, 20}, {41, 23}}},
        {127, {{55, 12}, {55, 15}, {63, 12}, {63, 15}, {55, 28}, {55, 31}, {63, 28}, {63, 31}}},
    };
    struct layout map = map_of(named("wgmma.m64n64k32.f32.e4m3.e5m2.rs"), FRAGMENT_A);
    for (size_t d = 0; d < sizeof drawn / sizeof *drawn; d++)
        for (uint32_t a = 0; a < 8; a++)
            check_element(&map, drawn[d].thread, a / 2, a % 2 * 3, drawn[d].a[a][0], drawn[d].a[a][1]);
    check_element(&map, 2, 1, 1, 8, 9);
    check_element(&map, 2, 3, 2, 8, 26);
}

static void fragment_map_d_in_f16_holds_what_the_specification_draws(void **state)
{
    (void)state;
    /* thread, register, half, row, column: d0 d1 in register 0, d2 d3 in register 1, and so on */
    static const uint32_t drawn[][5] = {
        {0, 0, 0, 0, 0},    {0, 0, 1, 0, 1},      {0, 1, 0, 8, 0},       {0, 1, 1, 8, 1},     {0, 2, 0, 0, 8},
        {0, 3, 1, 8, 9},    {0, 4, 0, 0, 16},     {1, 0, 0, 0, 2},       {3, 1, 1, 8, 7},     {4, 0, 0, 1, 0},
        {31, 1, 1, 15, 7},  {32, 0, 0, 16, 0},    {96, 0, 0, 48, 0},     {127, 1, 1, 63, 7},  {0, 62, 0, 0, 248},
        {0, 63, 1, 8, 249}, {50, 33, 0, 28, 132}, {127, 63, 1, 63, 255}, {64, 16, 0, 32, 64}, {5, 8, 0, 1, 34},
    };
    struct layout map = map_of(named("wgmma.m64n256k16.f16.f16.f16.rs"), FRAGMENT_D);
    for (size_t d = 0; d < sizeof drawn / sizeof *drawn; d++)
        check_element(&map, drawn[d][0], drawn[d][1], drawn[d][2], drawn[d][3], drawn[d][4]);
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

/* The words of the specification for a_i of a thread: row is the group for the first register and the third, the group
 * + 8 else; columns of the last two registers lie in the second half of K. */
static void check_a(const struct layout *map, uint32_t parts)
{
    for (uint32_t t = 0; t < 128; t++)
        for (uint32_t i = 0; i < 4 * parts; i++) {
            uint32_t warp = t / 32, group = t % 32 / 4, reg = i / parts;
            uint32_t row = 16 * warp + group + (reg == 1 || reg == 3 ? 8 : 0);
            uint32_t column = t % 4 * parts + i % parts + (reg >= 2 ? 4 * parts : 0);
            check_element(map, t, reg, i % parts, row, column);
        }
}

/* The words for d_i: rows 8 further for the second pair of four, columns 8 further for every four. */
static void check_d(const struct layout *map, uint32_t parts, uint32_t n)
{
    for (uint32_t t = 0; t < 128; t++)
        for (uint32_t i = 0; i < n / 2; i++) {
            uint32_t row = t / 32 * 16 + t % 32 / 4 + (i % 4 >= 2 ? 8 : 0);
            check_element(map, t, i / parts, i % parts, row, i / 4 * 8 + t % 4 * 2 + i % 2);
        }
}

static void fragment_map_of_every_family_and_n_follows_the_formula(void **state)
{
    (void)state;
    int maps = 0;
    for (size_t i = 0; i < wgmma_family_count(); i++) {
        const struct wgmma_family *f = wgmma_family_at(i);
        for (int n = wgmma_next_n(f, 0); n; n = wgmma_next_n(f, n), maps++) {
            struct wgmma_op op = {f, n, WGMMA_RS}, ss = {f, n, WGMMA_SS};
            uint32_t a_parts = 32 / (uint32_t)f->a_bits, d_parts = 32 / (uint32_t)f->d_bits;
            struct layout a = map_of(op, FRAGMENT_A), d = map_of(op, FRAGMENT_D), d_ss = map_of(ss, FRAGMENT_D);
            check_shape(&a, 4, a_parts, (uint32_t)f->k);
            check_bijection(&a);
            check_a(&a, a_parts);
            check_shape(&d, (uint32_t)n / 2 / d_parts, d_parts, (uint32_t)n);
            check_bijection(&d);
            check_d(&d, d_parts, (uint32_t)n);
            assert_memory_equal(&d, &d_ss, sizeof d);
        }
    }
    assert_int_equal(maps, 12 * 32 + 4 * 18);
}

/* A layout of CuTe: thread and value are taken apart by the shapes and sum up strides to i + 64 * j. */
struct cute {
    uint32_t thread[3], thread_stride[3], value[3], value_stride[3];
};

static uint32_t cute_take(uint32_t index, const uint32_t shape[3], const uint32_t stride[3])
{
    uint32_t sum = 0;
    for (int i = 0; i < 3; index /= shape[i], i++)
        sum += index % shape[i] * stride[i];
    return sum;
}

static void fragment_map_of_every_width_is_the_layout_of_cute(void **state)
{
    (void)state;
    /* mma_traits_sm90_gmma.hpp: ALayout_64x8, ALayout_64x16, ALayout_64x32, CLayout_64xN */
    static const struct {
        const char *op;
        enum fragment_operand operand;
        struct cute l;
    } cases[] = {
        {"wgmma.m64n8k8.f32.tf32.tf32.rs", FRAGMENT_A, {{4, 8, 4}, {64, 1, 16}, {2, 2, 1}, {8, 256, 0}}},
        {"wgmma.m64n8k16.f32.bf16.bf16.rs", FRAGMENT_A, {{4, 8, 4}, {128, 1, 16}, {2, 2, 2}, {64, 8, 512}}},
        {"wgmma.m64n8k16.f16.f16.f16.rs", FRAGMENT_A, {{4, 8, 4}, {128, 1, 16}, {2, 2, 2}, {64, 8, 512}}},
        {"wgmma.m64n8k32.f16.e5m2.e5m2.rs", FRAGMENT_A, {{4, 8, 4}, {256, 1, 16}, {4, 2, 2}, {64, 8, 1024}}},
        {"wgmma.m64n8k32.s32.u8.s8.rs", FRAGMENT_A, {{4, 8, 4}, {256, 1, 16}, {4, 2, 2}, {64, 8, 1024}}},
        {"wgmma.m64n208k8.f32.tf32.tf32.rs", FRAGMENT_D, {{4, 8, 4}, {128, 1, 16}, {2, 2, 26}, {64, 8, 512}}},
        {"wgmma.m64n208k32.s32.s8.s8.rs", FRAGMENT_D, {{4, 8, 4}, {128, 1, 16}, {2, 2, 26}, {64, 8, 512}}},
        {"wgmma.m64n208k16.f16.f16.f16.ss", FRAGMENT_D, {{4, 8, 4}, {128, 1, 16}, {2, 2, 26}, {64, 8, 512}}},
        {"wgmma.m64n208k32.f16.e4m3.e4m3.ss", FRAGMENT_D, {{4, 8, 4}, {128, 1, 16}, {2, 2, 26}, {64, 8, 512}}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct layout map = map_of(named(cases[c].op), cases[c].operand);
        const struct cute *l = &cases[c].l;
        uint32_t parts = map.domain.extent[2], values = l->value[0] * l->value[1] * l->value[2];
        assert_int_equal(map.domain.extent[1] * parts, values);
        for (uint32_t t = 0; t < 128; t++)
            for (uint32_t v = 0; v < values; v++) {
                uint32_t at = cute_take(t, l->thread, l->thread_stride) + cute_take(v, l->value, l->value_stride);
                check_element(&map, t, v / parts, v % parts, at % 64, at / 64);
            }
    }
}

static void fragment_map_of_every_family_inverts_to_the_slot_of_every_element(void **state)
{
    (void)state;
    int inverted = 0;
    for (size_t i = 0; i < wgmma_family_count(); i++)
        for (int operand = FRAGMENT_A; operand <= FRAGMENT_D; operand++, inverted++) {
            struct wgmma_op op = {wgmma_family_at(i), i % 2 ? 64 : 80, WGMMA_RS};
            struct layout map = map_of(op, (enum fragment_operand)operand), inverse;
            assert_int_equal(layout_invert(&map, &inverse, NULL), STATUS_OK);
            assert_int_equal(inverse.kind, operand == FRAGMENT_A || i % 2 ? LAYOUT_AFFINE : LAYOUT_TABLE);
            for (uint32_t m = 0; m < 64; m++)
                for (uint32_t j = 0; j < map.codomain.extent[1]; j++) {
                    struct point p = layout_apply(&inverse, &(struct point){{m, j}});
                    check_element(&map, p.at[0], p.at[1], p.at[2], m, j);
                }
            layout_free(&inverse);
        }
    assert_int_equal(inverted, 32);
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
        cmocka_unit_test(fragment_map_a_of_tf32_holds_what_the_specification_draws),
        cmocka_unit_test(fragment_map_a_of_8_bits_holds_what_the_specification_draws),
        cmocka_unit_test(fragment_map_d_in_f16_holds_what_the_specification_draws),
        cmocka_unit_test(fragment_map_of_every_family_and_n_follows_the_formula),
        cmocka_unit_test(fragment_map_of_every_width_is_the_layout_of_cute),
        cmocka_unit_test(fragment_map_of_every_family_inverts_to_the_slot_of_every_element),
        cmocka_unit_test(fragment_map_a_of_shared_memory_is_unsupported),
        cmocka_unit_test(fragment_operand_parse_takes_a_and_d_in_either_case),
        cmocka_unit_test(fragment_smem_sw128_places_chunks_as_drawn),
        cmocka_unit_test(fragment_smem_sw128_is_a_bijection_on_the_tile),
        cmocka_unit_test(fragment_smem_sw128_eight_rows_of_one_chunk_use_all_banks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
