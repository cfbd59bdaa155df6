/* heatmap: which files are written, of what size, the same every time; what is refused. The marks themselves are tested
 * with line_map, the pixels of a legend with chart. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/heatmap.h"
#include "oracle/io/file.h"
#include "reference/fragment.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

static const char *const map_names[] = {"rows.png", "columns.png", "errors.png"};

struct matrices {
    size_t P, N;
    struct bf16 *output, *expected;
};

static struct matrices matrices_make(size_t P, size_t N)
{
    struct matrices m = {P, N, calloc(P * N, sizeof *m.output), calloc(P * N, sizeof *m.expected)};
    assert_non_null(m.output);
    assert_non_null(m.expected);
    for (size_t i = 0; i < P * N; i++)
        m.output[i].bits = m.expected[i].bits = (uint16_t)(0x3f00 + i * i % 251);
    return m;
}

static void matrices_free(struct matrices *m)
{
    free(m->output);
    free(m->expected);
}

static uint32_t big_endian(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The file is a PNG; its sides as IHDR says, its digest. */
static void read_png(const char *path, uint32_t *width, uint32_t *height, char hex[65])
{
    uint8_t *bytes;
    size_t size;
    struct error e;
    assert_int_equal(file_read(path, 0, &bytes, &size, &e), STATUS_OK);
    assert_true(size > 33);
    assert_memory_equal(bytes, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
    *width = big_endian(bytes + 16);
    *height = big_endian(bytes + 20);
    file_sha256(bytes, size, hex);
    free(bytes);
}

/* Draw into FOLDER/name and read the three files back. */
static void draw(void **state, const char *name, const struct matrices *m, uint32_t side[3][2], char hex[3][65])
{
    char folder[SCRATCH_PATH], path[SCRATCH_PATH + 16];
    struct error e;
    scratch_path(state, name, folder);
    assert_int_equal(heatmap_maps(folder, m->output, m->expected, m->P, m->N, "a test", &e), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, map_names[i]);
        read_png(path, &side[i][0], &side[i][1], hex[i]);
    }
}

static void heatmap_maps_usual_shapes_fit_a_screen(void **state)
{
    static const size_t shape[][2] = {{32, 128}, {80, 208}, {1, 1}, {1, 600}, {600, 8}};
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        struct matrices m = matrices_make(shape[i][0], shape[i][1]);
        uint32_t side[3][2];
        char hex[3][65];
        draw(state, "shape", &m, side, hex);
        for (int k = 0; k < 3; k++)
            for (int d = 0; d < 2; d++)
                assert_in_range(side[k][d], 200, 2500);
        matrices_free(&m);
    }
}

static void heatmap_maps_same_input_same_bytes(void **state)
{
    struct matrices m = matrices_make(32, 128);
    uint32_t side[3][2];
    char first[3][65], second[3][65], third[3][65];
    draw(state, "first", &m, side, first);
    draw(state, "second", &m, side, second);
    m.output[5 * 128 + 9].bits ^= 1;
    draw(state, "third", &m, side, third);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(first[i], second[i]);
        assert_string_not_equal(first[i], third[i]);
    }
    matrices_free(&m);
}

static void heatmap_maps_nan_and_inf_are_drawn(void **state)
{
    struct matrices m = matrices_make(32, 128);
    uint32_t side[3][2];
    char finite[3][65], infinite[3][65];
    m.output[7].bits ^= 0x10;
    draw(state, "finite", &m, side, finite);
    m.output[7].bits = BF16_NAN;
    m.output[8].bits = 0x7f80;
    draw(state, "infinite", &m, side, infinite);
    for (int i = 0; i < 3; i++)
        assert_string_not_equal(finite[i], infinite[i]);
    matrices_free(&m);
}

static void heatmap_maps_bad_arguments_are_refused(void **state)
{
    struct error e;
    struct bf16 one = {BF16_ONE};
    char folder[SCRATCH_PATH], file[SCRATCH_PATH];
    scratch_path(state, "none", folder);
    assert_int_equal(heatmap_maps(folder, &one, &one, 0, 1, "", &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(heatmap_maps(folder, &one, &one, 1, 0, "", &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(heatmap_maps(folder, &one, &one, SIZE_MAX, 2, "", &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(scratch_count(state), 0);
    scratch_path(state, "file", file);
    assert_int_equal(file_write(file, "x", 1, &e), STATUS_OK);
    assert_int_equal(heatmap_maps(file, &one, &one, 1, 1, "", &e), STATUS_IO);
    assert_string_equal(e.path, file);
}

static struct layout fragment(const char *name, enum fragment_operand operand)
{
    struct wgmma_op op;
    struct layout l;
    struct error e;
    assert_int_equal(wgmma_parse(name, &op, &e), STATUS_OK);
    assert_int_equal(fragment_map(&op, operand, &l, &e), STATUS_OK);
    return l;
}

static void heatmap_fragment_every_operand_is_drawn(void **state)
{
    static const struct {
        const char *op;
        enum fragment_operand operand;
        uint32_t least_width; /* a cell needs 20 pixels at least */
    } cases[] = {{"wgmma.m64n64k16.f32.bf16.bf16.rs", FRAGMENT_A, 16 * 100},
                 {"wgmma.m64n8k16.f32.bf16.bf16.rs", FRAGMENT_D, 8 * 80},
                 {"wgmma.m64n24k16.f32.bf16.bf16.rs", FRAGMENT_D, 24 * 80},
                 {"wgmma.m64n256k16.f32.bf16.bf16.rs", FRAGMENT_D, 256 * 24}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layout l = fragment(cases[i].op, cases[i].operand);
        char path[SCRATCH_PATH], hex[2][65];
        struct error e;
        uint32_t width, height;
        scratch_path(state, "map.png", path);
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(heatmap_fragment(path, &l, cases[i].op, &e), STATUS_OK);
            read_png(path, &width, &height, hex[twice]);
        }
        assert_string_equal(hex[0], hex[1]);
        assert_in_range(width, cases[i].least_width, 16384);
        assert_in_range(height, 64 * 20, 2500);
    }
}

/* A map that gives part 1 of register 0 the element of part 0. */
static void heatmap_fragment_second_owner_is_refused_by_name(void **state)
{
    char path[SCRATCH_PATH];
    struct error e;
    struct layout l = fragment("wgmma.m64n64k16.f32.bf16.bf16.rs", FRAGMENT_A);
    l.image[2][0] = (struct point){{0}};
    scratch_path(state, "map.png", path);
    assert_int_equal(heatmap_fragment(path, &l, "", &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, "", "", -1,
                 "element (i 0, j 0) has two owners, thread 0, reg 0, part 0 and thread 0, reg 0, part 1");
    assert_int_equal(scratch_count(state), 0);
}

static void heatmap_fragment_element_without_owner_is_refused_by_name(void **state)
{
    char path[SCRATCH_PATH];
    struct error e;
    struct layout l = fragment("wgmma.m64n64k16.f32.bf16.bf16.rs", FRAGMENT_A);
    l.codomain.extent[1] = 17;
    scratch_path(state, "map.png", path);
    assert_int_equal(heatmap_fragment(path, &l, "", &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, "", "", -1, "element (i 0, j 16) has no owner");
    assert_int_equal(scratch_count(state), 0);
}

static void heatmap_fragment_other_boxes_are_refused(void **state)
{
    char path[SCRATCH_PATH];
    struct error e;
    scratch_path(state, "map.png", path);
    const struct layout flat = {.domain = {1, {"thread"}, {4}}, .codomain = {2, {"i", "j"}, {2, 2}}};
    assert_int_equal(heatmap_fragment(path, &flat, "", &e), STATUS_BAD_ARGUMENT);
    const struct layout large = {.domain = {3, {"thread", "reg", "part"}, {513, 1, 1}},
                                 .codomain = {2, {"i", "j"}, {513, 1}}};
    assert_int_equal(heatmap_fragment(path, &large, "", &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "513 x 1 elements is too large to draw");
    struct layout outside = fragment("wgmma.m64n64k16.f32.bf16.bf16.rs", FRAGMENT_A);
    outside.codomain.extent[1] = 15;
    assert_int_equal(heatmap_fragment(path, &outside, "", &e), STATUS_BAD_INPUT);
    assert_int_equal(scratch_count(state), 0);
}

struct job {
    void **state;
    struct matrices m;
    struct layout l;
};

static enum status maps_once(void *context, struct error *e)
{
    struct job *j = context;
    char folder[SCRATCH_PATH];
    scratch_path(j->state, "memory", folder);
    return heatmap_maps(folder, j->m.output, j->m.expected, j->m.P, j->m.N, "a test", e);
}

static enum status fragment_once(void *context, struct error *e)
{
    struct job *j = context;
    char path[SCRATCH_PATH];
    scratch_path(j->state, "map.png", path);
    return heatmap_fragment(path, &j->l, "a test", e);
}

static void heatmap_any_allocation_fails_without_a_trace(void **state)
{
    struct job j = {.state = state, .m = matrices_make(2, 3)};
    j.m.output[0].bits ^= 8;
    assert_true(alloc_check(maps_once, NULL, &j) > 10);
    matrices_free(&j.m);
    /* A small fragment: two threads of one register. */
    j.l = (struct layout){.kind = LAYOUT_AFFINE,
                          .domain = {3, {"thread", "reg", "part"}, {2, 1, 1}},
                          .codomain = {2, {"i", "j"}, {2, 1}}};
    j.l.image[0][0] = (struct point){{1, 0}};
    assert_true(alloc_check(fragment_once, NULL, &j) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(heatmap_maps_usual_shapes_fit_a_screen, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(heatmap_maps_same_input_same_bytes, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(heatmap_maps_nan_and_inf_are_drawn, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(heatmap_maps_bad_arguments_are_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(heatmap_fragment_every_operand_is_drawn, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(heatmap_fragment_second_owner_is_refused_by_name, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(heatmap_fragment_element_without_owner_is_refused_by_name, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(heatmap_fragment_other_boxes_are_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(heatmap_any_allocation_fails_without_a_trace, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
