/* module_sidecar: where arguments go, held against structs that the compiler lays out, and every refusal with its
 * field; what launches and parameters they give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/exec/module_pack.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

#define TWO_DIMENSIONS                                                                                                 \
    "{\"tensor_map\": {\"array\": \"x\", \"type\": \"bf16\", \"extent\": [\"K\", \"P\"], \"stride\": [\"K * 2\"], "    \
    "\"box\": [64, \"min(P, 64)\"], \"swizzle\": 128}}"

static const struct module_extents extents = {.P = 33, .N = 48, .K = 192, .E = 3, .A = 2};

static enum status read_with(void **state, const char *arguments, const char *more, struct module_sidecar *m,
                             struct error *e)
{
    char path[SCRATCH_PATH], *text = malloc(strlen(arguments) + strlen(more) + 200);
    assert_non_null(text);
    sprintf(text,
            "{\"schema\": \"fragoracle.module/1\", \"entry\": \"k\", \"grid\": [1], \"block\": [32], \"arguments\": "
            "[\"x\", \"blocks\", \"out\"%s]%s}",
            arguments, more);
    assert_int_equal(file_write(scratch_path(state, "k.json", path), text, strlen(text), NULL), STATUS_OK);
    free(text);
    enum status s = module_sidecar_read(scratch_path(state, "k.ptx", path), m, e);
    json_forget();
    return s;
}

static struct module_sidecar *read_or_fail(void **state, const char *arguments, const char *more)
{
    struct module_sidecar *m = calloc(1, sizeof *m);
    struct error e;
    assert_non_null(m);
    if (read_with(state, arguments, more, m, &e) != STATUS_OK)
        fail_msg("%s: %s", e.field, e.why);
    return m;
}

/* ---- a device that hands out addresses -------------------------------------------------------------------------- */

static struct vm_tensor_map asked;
static enum status answer;

static uint64_t address(const void *self, enum module_buffer b)
{
    (void)self;
    return 0x1122334455660000u + (uint64_t)b * 256;
}

static enum status tensor_map(void *self, const struct vm_tensor_map *map, uint8_t out[VM_TENSOR_BYTES],
                              struct error *e)
{
    (void)self;
    asked = *map;
    memset(out, 0x77, VM_TENSOR_BYTES);
    return answer == STATUS_OK ? answer : error_set(e, answer, "no such map");
}

static const struct module_device device = {.address = address, .tensor_map = tensor_map};

/* ---- tests ------------------------------------------------------------------------------------------------------ */

struct inner {
    uint8_t flag;
    uint16_t two;
    const void *w;
    uint32_t n;
};

struct outer {
    uint32_t first;
    struct inner inner;
    uint8_t last;
    float half;
    int64_t big;
    uint8_t tail;
};

/* The parameters as PTX has them: each at a multiple of its own alignment. */
struct parameters {
    uint64_t x, blocks, out;
    uint8_t byte;
    struct outer outer;
    uint8_t after;
    _Alignas(64) uint8_t map[128];
    uint32_t p;
    uint64_t zeros;
};

static void arguments_lie_where_a_compiler_lays_them(void **state)
{
    struct module_sidecar *m = read_or_fail(
        state,
        ", {\"u8\": 5}, {\"struct\": [\"N\", {\"struct\": [{\"u8\": 1}, {\"u16\": 65535}, \"blocks\", \"K\"]}, "
        "{\"u8\": 2}, {\"f32\": 0.5}, {\"i64\": \"P * N * K * K * K\"}, {\"u8\": 3}]}, {\"u8\": 6}, " TWO_DIMENSIONS
        ", \"P\", {\"zeros\": \"N * 4 + 1\"}",
        "");
    static struct module_launch launch;
    struct error e;
    size_t bytes;
    answer = STATUS_OK;
    assert_int_equal(module_pack_parameters(m, &extents, &device, &launch, &e), STATUS_OK);
    const struct parameters *is = (const void *)launch.parameters;
    assert_int_equal(m->parameter_bytes, offsetof(struct parameters, zeros) + 8);
    assert_int_equal(is->x, address(NULL, BUFFER_X));
    assert_int_equal(is->blocks, address(NULL, BUFFER_WEIGHTS));
    assert_int_equal(is->out, address(NULL, BUFFER_OUT));
    assert_int_equal(is->byte, 5);
    assert_int_equal(is->outer.first, 48);
    assert_int_equal(is->outer.inner.flag, 1);
    assert_int_equal(is->outer.inner.two, 65535);
    assert_int_equal((uintptr_t)is->outer.inner.w, address(NULL, BUFFER_WEIGHTS));
    assert_int_equal(is->outer.inner.n, 192);
    assert_int_equal(is->outer.last, 2);
    assert_true(is->outer.half == 0.5f);
    assert_int_equal(is->outer.big, 33ll * 48 * 192 * 192 * 192);
    assert_int_equal(is->outer.tail, 3);
    assert_int_equal(is->after, 6);
    assert_int_equal(is->map[0], 0x77);
    assert_int_equal(is->map[127], 0x77);
    assert_int_equal(is->p, 33);
    assert_int_equal(is->zeros, address(NULL, BUFFER_SCRATCH));
    const size_t at[] = {0,
                         8,
                         16,
                         offsetof(struct parameters, byte),
                         offsetof(struct parameters, outer),
                         offsetof(struct parameters, after),
                         offsetof(struct parameters, map),
                         offsetof(struct parameters, p),
                         offsetof(struct parameters, zeros)};
    assert_int_equal(m->arguments, sizeof at / sizeof *at);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        assert_int_equal(m->argument_at[i], at[i]);
    assert_int_equal(module_pack_scratch(m, &extents, 0, &bytes, &e), STATUS_OK);
    assert_int_equal(bytes, 48 * 4 + 1);
    assert_string_equal(module_buffer_name(m, BUFFER_SCRATCH), "zeros");
    free(m);
}

static void tensor_map_of_a_sidecar_is_what_the_driver_is_told(void **state)
{
    struct module_sidecar *m = read_or_fail(
        state,
        ", {\"tensor_map\": {\"array\": \"out\", \"type\": \"f32\", \"extent\": [\"N\", \"P\", 3], \"stride\": [\"N * "
        "4\", 65536], \"box\": [32, 8, 1], \"step\": [1, 2, 1], \"fill\": \"nan\", \"swizzle\": 32}}",
        "");
    static struct module_launch launch;
    struct error e;
    char path[SCRATCH_PATH];
    answer = STATUS_OK;
    assert_int_equal(module_pack_parameters(m, &extents, &device, &launch, &e), STATUS_OK);
    const struct vm_tensor_map wanted = {.magic = VM_TENSOR_MAGIC,
                                         .rank = 3,
                                         .element_bytes = 4,
                                         .swizzle = 32,
                                         .fill_nan = 1,
                                         .address = address(NULL, BUFFER_OUT),
                                         .extent = {48, 33, 3},
                                         .stride = {4, 192, 65536},
                                         .box = {32, 8, 1},
                                         .step = {1, 2, 1},
                                         .type = VM_F32};
    assert_memory_equal(&asked, &wanted, sizeof asked);
    answer = STATUS_BAD_ARGUMENT;
    assert_int_equal(module_pack_parameters(m, &extents, &device, &launch, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, scratch_path(state, "k.json", path), "arguments[3]", -1, "no such map");
    free(m);
}

/* Its size, and its place among the types of the driver. source: cuda.h, CUtensorMapDataType. */
static void tensor_types_have_the_size_and_number_of_the_driver(void **state)
{
    static const struct {
        const char *name;
        unsigned bytes;
        int number;
    } wanted[] = {{"u8", 1, 0},  {"u16", 2, 1}, {"u32", 4, 2}, {"i32", 4, 3}, {"u64", 8, 4},
                  {"i64", 8, 5}, {"f16", 2, 6}, {"f32", 4, 7}, {"f64", 8, 8}, {"bf16", 2, 9}};
    size_t i = 0;
    (void)state;
    for (; module_tensor_type_at(i); i++) {
        const struct module_tensor_type *t = module_tensor_type_at(i);
        assert_string_equal(t->name, wanted[i].name);
        assert_int_equal(t->bytes, wanted[i].bytes);
        assert_int_equal(t->driver, wanted[i].number);
        assert_int_equal(vm_type_bits(t->type), 8 * t->bytes);
        assert_ptr_equal(module_tensor_type_of(t->type), t);
    }
    assert_int_equal(i, sizeof wanted / sizeof *wanted);
}

static void launch_takes_its_clusters_where_they_are_stated(void **state)
{
    static const uint32_t none[] = {0, 0, 0}, two[] = {2, 1, 1};
    struct module_launch *launch = calloc(1, sizeof *launch);
    struct error e;
    struct module_sidecar *m = read_or_fail(state, "", "");
    assert_int_equal(module_pack_shape(m, &extents, launch, &e), STATUS_OK);
    assert_memory_equal(launch->cluster, none, sizeof none);
    free(m);
    m = read_or_fail(state, "", ", \"cluster\": [\"A\"]");
    assert_int_equal(module_pack_shape(m, &extents, launch, &e), STATUS_OK);
    assert_memory_equal(launch->cluster, two, sizeof two);
    free(m);
    m = read_or_fail(state, "", ", \"cluster\": [\"P\"]");
    assert_int_equal(module_pack_shape(m, &extents, launch, &e), STATUS_BAD_INPUT);
    assert_string_equal(e.field, "cluster");
    free(m);
    free(launch);
}

/* What becomes limits. */
static void sidecar_of_f16_takes_no_scales_and_says_that_it_is_f16(void **state)
{
    static const struct {
        const char *more;
        bool no_scales, f16;
    } cases[] = {{"", false, false},
                 {", \"x\": \"f16\"", false, true},
                 {", \"out\": \"f16\"", true, true},
                 {", \"out\": \"f32\", \"x_layout\": \"kp\", \"out_layout\": \"np\"", false, false},
                 {", \"limits\": {\"no_scales\": true}", true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct module_sidecar *m = read_or_fail(state, "", cases[i].more);
        assert_int_equal(m->limits.no_scales, cases[i].no_scales);
        assert_int_equal(m->limits.f16, cases[i].f16);
        assert_int_equal(m->x_kp, i == 3);
        assert_int_equal(m->out_np, i == 3);
        free(m);
    }
}

static void sidecar_with_a_bad_argument_is_refused_at_its_field(void **state)
{
    static const struct {
        const char *arguments, *more, *field, *why;
    } cases[] = {
        {", {\"struct\": []}", "", "arguments[3]", "wanted a struct as a list of its members"},
        {", {\"struct\": [{\"struct\": [{\"struct\": [\"P\"]}]}]}", "", "arguments[3].struct[0].struct[0]",
         "structs are nested once at most"},
        {", {\"struct\": [\"P\", {\"u32\": \"1 +\"}]}", "", "arguments[3].struct[1]", "column 4: wanted a number"},
        {", {\"struct\": [\"P\", \"w\"]}", "", "arguments[3].struct[1]", "no array is called 'w'"},
        {", {\"zeros\": \"Q\"}", "", "arguments[3]", "column 1: wanted a number"},
        {", {\"zeros\": 4, \"u32\": 1}", "", "arguments[3]", "wanted a name, or one of u8"},
        {", {\"zeros\": 1}, {\"zeros\": 1}, {\"zeros\": 1}, {\"zeros\": 1}, {\"zeros\": 1}, {\"zeros\": 1}, "
         "{\"zeros\": 1}, {\"zeros\": 1}, {\"zeros\": 1}",
         "", "arguments[11]", "more than 8 buffers of zeros"},
        {", {\"tensor_map\": 3}", "", "arguments[3]", "wanted a tensor map as an object"},
        {", {\"tensor_map\": {\"array\": \"w\"}}", "", "arguments[3].tensor_map.array", "no array is called 'w'"},
        {", {\"tensor_map\": {\"type\": \"u8\"}}", "", "arguments[3].tensor_map.array", "no array is called ''"},
        {", {\"tensor_map\": {\"array\": \"x\", \"type\": \"b16\"}}", "", "arguments[3].tensor_map.type",
         "wanted u8, u16"},
        {", {\"tensor_map\": {\"array\": \"x\", \"type\": \"u8\", \"fill\": \"one\"}}", "",
         "arguments[3].tensor_map.fill", "wanted zero or nan"},
        {", {\"tensor_map\": {\"array\": \"x\", \"type\": \"u8\", \"swizzle\": 48}}", "",
         "arguments[3].tensor_map.swizzle", "wanted 0, 32, 64 or 128"},
        {", {\"tensor_map\": {\"array\": \"x\", \"type\": \"u8\"}}", "", "arguments[3].tensor_map.extent",
         "wanted a list of 1 to 5"},
        {", {\"tensor_map\": {\"array\": \"x\", \"type\": \"u8\", \"extent\": [\"K\", \"P\"]}}", "",
         "arguments[3].tensor_map.stride", "wanted a list of 1 numbers"},
        {", {\"tensor_map\": {\"array\": \"x\", \"type\": \"u8\", \"extent\": [\"K\"]}}", "",
         "arguments[3].tensor_map.box", "wanted a list of 1 numbers"},
        {", {\"tensor_map\": {\"array\": \"x\", \"type\": \"u8\", \"extent\": [\"K\"], \"box\": [\"K\"], \"step\": "
         "[1, 1]}}",
         "", "arguments[3].tensor_map.step", "wanted a list of 1 numbers"},
        {", {\"tensor_map\": {\"array\": \"x\", \"type\": \"u8\", \"extent\": [\"K\"], \"box\": [\"K K\"]}}", "",
         "arguments[3].tensor_map.box[0]", "column 3"},
        {", {\"tensor_map\": {\"array\": \"x\", \"colour\": 1}}", "", "arguments[3].tensor_map.colour",
         "no such field"},
        {"", ", \"cluster\": []", "cluster", "wanted a list of 1 to 3"},
        {"", ", \"x\": \"f32\"", "x", "wanted bf16 or f16"},
        {"", ", \"x_layout\": \"pn\"", "x_layout", "wanted pk or kp"},
        {"", ", \"out_layout\": 1", "out_layout", "wanted pn or np"},
        {"", ", \"order\": \"never\"", "order", "wanted both, late or early"},
    };
    struct module_sidecar *m = calloc(1, sizeof *m);
    struct error e;
    char path[SCRATCH_PATH];
    scratch_path(state, "k.json", path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        m->parameter_bytes = 12345;
        assert_int_equal(read_with(state, cases[i].arguments, cases[i].more, m, &e), STATUS_BAD_INPUT);
        expect_error(&e, STATUS_BAD_INPUT, path, cases[i].field, -1, cases[i].why);
        assert_int_equal(m->parameter_bytes, 12345);
    }
    free(m);
}

/* So many of one argument. */
static char *many(size_t count, const char *argument)
{
    char *text = calloc(count, strlen(argument) + 3);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        strcat(strcat(text, ", "), argument);
    return text;
}

static void arguments_end_at_their_number_and_at_their_room(void **state)
{
    static const char struct_of_four[] = "{\"struct\": [\"P\", \"P\", \"P\", \"P\"]}";
    static const struct {
        size_t count;
        const char *argument, *field, *why;
    } cases[] = {
        {93, "{\"u64\": \"P\"}", NULL, NULL},
        {94, "{\"u64\": \"P\"}", "arguments", "wanted a list of 1 to 96 arguments"},
        {63, struct_of_four, NULL, NULL},
        {64, struct_of_four, "arguments[66].struct[1]", "more than 256 values in all arguments"},
        {16, TWO_DIMENSIONS, NULL, NULL},
        {17, TWO_DIMENSIONS, "arguments[19]", "more than 16 tensor maps"},
    };
    struct module_sidecar *m = calloc(1, sizeof *m);
    struct error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *arguments = many(cases[i].count, cases[i].argument);
        enum status s = read_with(state, arguments, "", m, &e);
        assert_int_equal(s, cases[i].why ? STATUS_BAD_INPUT : STATUS_OK);
        if (cases[i].why) {
            assert_string_equal(e.field, cases[i].field);
            assert_string_equal(e.why, cases[i].why);
        }
        free(arguments);
    }
    free(m);
}

static void values_of_a_launch_that_do_not_fit_are_refused_at_their_field(void **state)
{
    static const struct {
        const char *arguments, *field, *why;
    } cases[] = {
        {", {\"u8\": \"K + 64\"}", "arguments[3]", "'K + 64' is 256, more than 8 bits hold"},
        {", {\"struct\": [\"P\", {\"u16\": \"65536\"}]}", "arguments[3].struct[1]", "more than 16 bits hold"},
        {", {\"tensor_map\": {\"array\": \"x\", \"type\": \"u8\", \"extent\": [\"K\"], \"box\": [257]}}",
         "arguments[3]", "'257' is 257, wanted 1 to 256"},
        {", {\"tensor_map\": {\"array\": \"x\", \"type\": \"u8\", \"extent\": [\"P - 33\"], \"box\": [1]}}",
         "arguments[3]", "'P - 33' is 0, wanted 1 to"},
        {", {\"tensor_map\": {\"array\": \"x\", \"type\": \"u8\", \"extent\": [8], \"box\": [8], \"step\": [9]}}",
         "arguments[3]", "'9' is 9, wanted 1 to 8"},
    };
    static struct module_launch launch;
    struct error e;
    char path[SCRATCH_PATH];
    answer = STATUS_OK;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct module_sidecar *m = read_or_fail(state, cases[i].arguments, "");
        assert_int_equal(module_pack_parameters(m, &extents, &device, &launch, &e), STATUS_BAD_INPUT);
        expect_error(&e, STATUS_BAD_INPUT, scratch_path(state, "k.json", path), cases[i].field, -1, cases[i].why);
        free(m);
    }
    struct module_sidecar *m = read_or_fail(state, ", {\"zeros\": \"P - 33\"}", "");
    size_t bytes = 7;
    assert_int_equal(module_pack_scratch(m, &extents, 0, &bytes, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, scratch_path(state, "k.json", path), "arguments[3]", -1, "is 0, wanted 1 to");
    assert_int_equal(bytes, 7);
    free(m);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(arguments_lie_where_a_compiler_lays_them),
        IN_SCRATCH(tensor_map_of_a_sidecar_is_what_the_driver_is_told),
        cmocka_unit_test(tensor_types_have_the_size_and_number_of_the_driver),
        IN_SCRATCH(launch_takes_its_clusters_where_they_are_stated),
        IN_SCRATCH(sidecar_of_f16_takes_no_scales_and_says_that_it_is_f16),
        IN_SCRATCH(sidecar_with_a_bad_argument_is_refused_at_its_field),
        IN_SCRATCH(arguments_end_at_their_number_and_at_their_room),
        IN_SCRATCH(values_of_a_launch_that_do_not_fit_are_refused_at_their_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
