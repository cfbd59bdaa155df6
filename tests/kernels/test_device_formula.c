/* The formulas of fragoracle_device.h, which it states on its own, against those of reference/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kernels/fragoracle_device.h"
#include "reference/descriptor.h"
#include "reference/fragment.h"
#include "tests/support/splitmix.h"

/* The map of an operand against a formula; returns the slots compared. */
static size_t compare_map(const struct wgmma_op *op, enum fragment_operand operand)
{
    struct layout map;
    struct error e;
    if (fragment_map(op, operand, &map, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    uint32_t parts = map.domain.extent[2];
    size_t slots = box_size(&map.domain);
    for (uint32_t code = 0; code < slots; code++) {
        struct point slot = box_point(&map.domain, code), want = layout_apply(&map, &slot);
        uint32_t thread = slot.at[0], reg = slot.at[1], part = slot.at[2], value = reg * parts + part;
        bool a = operand == FRAGMENT_A;
        assert_int_equal(a ? fo_a_row(thread, reg) : fo_d_row(thread, value), want.at[0]);
        assert_int_equal(a ? fo_a_column(thread, reg, part, 32 / parts) : fo_d_column(thread, value), want.at[1]);
    }
    layout_free(&map);
    return slots;
}

static void formulas_every_family_and_n_equal_the_contract(void **state)
{
    (void)state;
    size_t slots = 0, operations = 0;
    for (size_t i = 0; i < wgmma_family_count(); i++) {
        const struct wgmma_family *f = wgmma_family_at(i);
        for (int n = f->n_min; n <= f->n_max; n += f->n_step, operations++) {
            struct wgmma_op op = {f, n, WGMMA_RS};
            slots += compare_map(&op, FRAGMENT_A) + compare_map(&op, FRAGMENT_D);
        }
    }
    assert_true(operations >= 64 && slots > operations * 1024);
    print_message("%zu operations, %zu slots\n", operations, slots);
}

/* Read off the figures of the PTX ISA: thread 77 is warp 2, group 3, place 1 of four. */
static void formulas_figures_of_every_width_are_met(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits, reg, part, row, column;
    } a[] = {
        {16, 0, 0, 35, 2}, {16, 0, 1, 35, 3}, {16, 1, 0, 43, 2}, {16, 2, 0, 35, 10}, {16, 3, 1, 43, 11},
        {32, 0, 0, 35, 1}, {32, 1, 0, 43, 1}, {32, 2, 0, 35, 5}, {32, 3, 0, 43, 5},  {8, 0, 0, 35, 4},
        {8, 0, 3, 35, 7},  {8, 1, 2, 43, 6},  {8, 2, 0, 35, 20}, {8, 3, 1, 43, 21},
    };
    static const struct {
        uint32_t value, row, column;
    } d[] = {{0, 35, 2}, {1, 35, 3}, {2, 43, 2}, {3, 43, 3}, {4, 35, 10}, {7, 43, 11}, {126, 43, 250}, {127, 43, 251}};
    for (size_t i = 0; i < sizeof a / sizeof *a; i++) {
        assert_int_equal(fo_a_row(77, a[i].reg), a[i].row);
        assert_int_equal(fo_a_column(77, a[i].reg, a[i].part, a[i].bits), a[i].column);
    }
    for (size_t i = 0; i < sizeof d / sizeof *d; i++) {
        assert_int_equal(fo_d_row(77, d[i].value), d[i].row);
        assert_int_equal(fo_d_column(77, d[i].value), d[i].column);
    }
}

/* Each width fills its tile once. */
static void formulas_every_width_is_a_bijection(void **state)
{
    (void)state;
    static const uint32_t widths[] = {8, 16, 32};
    for (size_t w = 0; w < 3; w++) {
        uint32_t parts = 32 / widths[w], columns = 8 * parts;
        uint8_t seen[64][32] = {{0}};
        size_t filled = 0;
        for (uint32_t thread = 0; thread < 128; thread++)
            for (uint32_t reg = 0; reg < 4; reg++)
                for (uint32_t part = 0; part < parts; part++) {
                    uint32_t row = fo_a_row(thread, reg), column = fo_a_column(thread, reg, part, widths[w]);
                    assert_true(row < 64 && column < columns && !seen[row][column]++);
                    filled++;
                }
        assert_int_equal(filled, 64 * columns);
    }
}

static uint64_t descriptor(uint32_t start, uint32_t leading, uint32_t stride, uint32_t base, uint32_t code)
{
    return (uint64_t)(start >> 4) | (uint64_t)(leading >> 4) << 16 | (uint64_t)(stride >> 4) << 32 |
           (uint64_t)base << 49 | (uint64_t)code << 62;
}

static void smem_chunk_128_bytes_equal_the_reference(void **state)
{
    (void)state;
    size_t compared = 0;
    for (uint32_t start = 0; start < 8192; start += 1024)
        for (uint32_t row = 0; row < 256; row++)
            for (uint32_t chunk = 0; chunk < 8; chunk++, compared++) {
                /* A k16 step is 32 bytes further: its chunk 0 and 1 are those of the row from there on. */
                uint64_t at = descriptor(start + chunk / 2 * 32, 16, 1024, 0, 1);
                assert_int_equal(fo_smem_chunk(at, 0, row, chunk % 2), start + fragment_smem_sw128(row, chunk * 8));
            }
    assert_int_equal(compared, 8 * 256 * 8);
}

/* Read off the canonical layouts: core matrices of 8 rows of 16 bytes, and lines of 32 and 64 bytes. */
static void smem_chunk_other_layouts_lie_as_the_figures_say(void **state)
{
    (void)state;
    uint64_t none = descriptor(0x400, 0x80, 0x100, 0, 0), narrow = descriptor(0x200, 16, 0x100, 0, 3);
    uint64_t middle = descriptor(0x200, 0x1000, 0x200, 0, 2), wide = descriptor(0x400, 0x1000, 0x400, 0, 1);
    assert_int_equal(fo_smem_chunk(none, 0, 0, 0), 0x400);
    assert_int_equal(fo_smem_chunk(none, 0, 3, 0), 0x430);
    assert_int_equal(fo_smem_chunk(none, 0, 3, 1), 0x4b0);  /* leading: from one column of cores to the next */
    assert_int_equal(fo_smem_chunk(none, 0, 11, 1), 0x5b0); /* stride: from eight rows to the next */
    assert_int_equal(fo_smem_chunk(none, 1, 3, 1), 0x530);  /* the other way round */
    assert_int_equal(fo_smem_chunk(none, 1, 11, 1), 0x5b0);
    assert_int_equal(fo_smem_chunk(narrow, 0, 3, 1), 0x270);
    assert_int_equal(fo_smem_chunk(narrow, 0, 4, 0), 0x290);
    assert_int_equal(fo_smem_chunk(narrow, 0, 4, 1), 0x280);
    assert_int_equal(fo_smem_chunk(narrow, 0, 9, 1), 0x330);
    assert_int_equal(fo_smem_chunk(middle, 0, 2, 1), 0x280);
    assert_int_equal(fo_smem_chunk(middle, 0, 6, 0), 0x3b0);
    assert_int_equal(fo_smem_chunk(middle, 1, 2, 5), 0x1280); /* chunk 5 is the second of the next 64 bytes */
    assert_int_equal(fo_smem_chunk(wide, 1, 13, 3), 0x400 + 0x400 + 5 * 128 + (3 ^ 5) * 16);
    assert_int_equal(fo_smem_chunk(wide, 1, 13, 11), 0x1400 + 0x400 + 5 * 128 + (3 ^ 5) * 16);
    /* A tile that begins at line 3 of the pattern says so in its base offset. */
    assert_int_equal(fo_smem_chunk(descriptor(0x580, 16, 0x400, 3, 1), 0, 2, 1), 0x680 + (1 ^ 2) * 16);
    assert_int_equal(fo_smem_chunk(descriptor(0x3fff0, 0x20, 0x20, 0, 0), 0, 0, 1), 0x10);
}

/* The header may not use the reference; any descriptor at all must name the same bytes in both. */
static void smem_chunk_any_descriptor_equals_the_reference(void **state)
{
    (void)state;
    struct splitmix random = {splitmix_seed()};
    size_t compared = 0;
    for (int i = 0; i < 4000; i++) {
        uint64_t bits = splitmix_next(&random);
        struct descriptor d = descriptor_decode(bits);
        for (int mn = 0; mn < 2; mn++)
            for (uint32_t outer = 0; outer < 64; outer += 1 + outer / 9)
                for (uint32_t inner = 0; inner < 32; inner++, compared++)
                    if (fo_smem_chunk(bits, mn, outer, inner) != descriptor_chunk(&d, mn, outer, inner))
                        fail_msg("descriptor 0x%016llx, mn %d, outer %u, inner %u: 0x%x, reference 0x%x",
                                 (unsigned long long)bits, mn, outer, inner, fo_smem_chunk(bits, mn, outer, inner),
                                 descriptor_chunk(&d, mn, outer, inner));
    }
    assert_true(compared > 4000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formulas_every_family_and_n_equal_the_contract),
        cmocka_unit_test(formulas_figures_of_every_width_are_met),
        cmocka_unit_test(formulas_every_width_is_a_bijection),
        cmocka_unit_test(smem_chunk_128_bytes_equal_the_reference),
        cmocka_unit_test(smem_chunk_other_layouts_lie_as_the_figures_say),
        cmocka_unit_test(smem_chunk_any_descriptor_equals_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
