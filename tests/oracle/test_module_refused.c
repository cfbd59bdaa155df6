/* module: what a kernel that somebody compiled is refused for, with a driver that is not there: by the driver, by its
 * limits, by its sidecar, for want of memory. */
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/oracle/module_kernel.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"

static void module_that_the_driver_refuses_is_told_with_its_reason(void **state)
{
    struct executor x;
    struct bf16 out[P * N];
    struct error e;
    char path[SCRATCH_PATH];
    put(state, "k.json", GROUPED);
    assert_int_equal(open_named(state, "k.ptx", &x, &e), STATUS_IO);
    assert_string_equal(e.path, scratch_path(state, "k.ptx", path));
    put(state, "k.ptx", "nonsense");
    module_mock.load = 218;
    module_mock.log = "ptxas fatal: line 1\nmore";
    assert_int_equal(open_named(state, "k.ptx", &x, &e), STATUS_BAD_INPUT);
    assert_string_equal(e.why, "the driver refuses the module: error 218: ptxas fatal: line 1");
    module_mock.load = 0;
    module_mock.function = 500;
    assert_int_equal(open_named(state, "k.ptx", &x, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, scratch_path(state, "k.json", path), "entry", -1,
                 "no kernel 'product' in the module: error 500");
    module_mock.function = 0;
    module_mock.init = 100;
    assert_int_equal(open_named(state, "k.ptx", &x, &e), STATUS_NO_DEVICE);
    module_mock.init = 0;
    module_mock.retain = 2;
    assert_int_equal(open_named(state, "k.ptx", &x, &e), STATUS_DEVICE);
    module_mock.retain = 0;
    assert_nothing_lives();

    open_or_fail(state, GROUPED, &x);
    assert_int_equal(run_once(&x, out, &e), STATUS_BAD_ARGUMENT); /* no weights yet */
    load_some(&x);
    module_mock.launch = 1;
    assert_int_equal(run_once(&x, out, &e), STATUS_BAD_INPUT);
    assert_string_equal(e.why, "the driver refuses a launch of 2 x 9 x 1 blocks of 32 x 1 x 1 threads, 65536 bytes "
                               "shared: error 1");
    module_mock.launch = 0;
    module_mock.copy_from = 999;
    assert_int_equal(run_once(&x, out, &e), STATUS_DEVICE);
    module_mock.copy_from = 0, module_mock.copy_to = 999;
    assert_int_equal(run_once(&x, out, &e), STATUS_DEVICE);
    module_mock.copy_to = 0;
    assert_int_equal(run_once(&x, out, &e), STATUS_OK);
    x.release(x.self);
    assert_nothing_lives();

    open_or_fail(state, GROUPED, &x);
    struct weights_set w;
    assert_int_equal(weights_make(WEIGHTS_RANDOM, E, N, K, 1, &w, NULL), STATUS_OK);
    module_mock.alloc = 2;
    assert_int_equal(x.load(x.self, &w.w, &e), STATUS_NO_MEMORY);
    module_mock.alloc = 3;
    assert_int_equal(x.load(x.self, &w.w, &e), STATUS_DEVICE);
    weights_free(&w);
    x.release(x.self);
    assert_nothing_lives();
}

static void module_without_weights_or_beyond_its_limits_is_refused(void **state)
{
    static const uint32_t whole[] = {0, P}, late[] = {1, P}, early[] = {0, P - 1};
    static const int32_t first[] = {0};
    static const struct bf16 activations[P * K], poison = {0x7fa5};
    const struct segments right = {P, 1, 1, whole, first}, wrong[] = {{P, 1, 1, late, first}, {P, 1, 1, early, first}};
    struct bf16 out[P * N];
    struct run_report report;
    struct executor x;
    struct weights_set w;
    struct error e;
    module_mock.kernel = dense;
    open_or_fail(state,
                 "{\"schema\": \"fragoracle.module/1\", \"entry\": \"d\", \"grid\": [1], \"block\": [1], "
                 "\"weights\": \"bf16\", \"out\": \"f32\", \"arguments\": [\"x\", \"w\", \"out\", \"P\", \"N\", "
                 "\"K\"]}",
                 &x);
    assert_int_equal(weights_make(WEIGHTS_RANDOM, 1, N, K, 1, &w, NULL), STATUS_OK);
    assert_int_equal(x.load(x.self, &w.w, &e), STATUS_OK);
    assert_int_equal(x.run(x.self, activations, &right, poison, out, &report, &e), STATUS_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(x.run(x.self, activations, &wrong[i], poison, out, &report, &e), STATUS_BAD_ARGUMENT);
        assert_string_equal(e.why, "the module takes one segment of all rows");
    }
    /* A load that failed leaves no weights behind, those of before included. */
    module_mock.copy_to = 1;
    assert_int_not_equal(x.load(x.self, &w.w, &e), STATUS_OK);
    module_mock.copy_to = 0;
    assert_int_equal(x.run(x.self, activations, &right, poison, out, &report, &e), STATUS_BAD_ARGUMENT);
    assert_string_equal(e.why, "no weights were loaded");
    weights_free(&w);
    x.release(x.self);
    assert_nothing_lives();
}

static void module_expressions_that_give_no_launch_are_refused_when_it_comes(void **state)
{
    static const struct {
        const char *grid, *shared, *number, *field, *why;
    } cases[] = {{"P - 9", "0", "1", "grid", "'P - 9' is 0, wanted 1 to 2147483647"},
                 {"P - 10", "0", "1", "grid", "column 3: below 0"},
                 {"1", "K * 100000", "1", "shared", "wanted 0 to 1048576"},
                 {"1", "0", "N * 1000000000", "arguments[3]", "'N * 1000000000' is 7000000000, more than 32 bits hold"},
                 {"1", "0", "65536 * 65536", "arguments[3]", "is 4294967296, more than 32 bits hold"},
                 {"1", "0", "P / (N - 7)", "arguments[3]", "column 3: division by 0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct executor x;
        struct error e;
        char text[600], path[SCRATCH_PATH];
        snprintf(
            text, sizeof text,
            "{\"schema\": \"fragoracle.module/1\", \"entry\": \"k\", \"grid\": [\"%s\"], \"block\": [32], \"shared\": "
            "\"%s\", \"arguments\": [\"x\", \"blocks\", \"out\", {\"u32\": \"%s\"}, \"starts\", \"ids\"]}",
            cases[i].grid, cases[i].shared, cases[i].number);
        struct bf16 out[P * N];
        module_mock.kernel = NULL;
        open_or_fail(state, text, &x);
        load_some(&x);
        assert_int_equal(run_once(&x, out, &e), STATUS_BAD_INPUT);
        expect_error(&e, STATUS_BAD_INPUT, scratch_path(state, "k.json", path), cases[i].field, -1, cases[i].why);
        assert_int_equal(module_mock.launches, 0);
        x.release(x.self);
    }
}

static void sidecar_with_a_bad_field_is_refused_with_its_name(void **state)
{
    static const struct {
        const char *field, *value, *at, *why;
    } cases[] = {
        {"schema", "\"x\"", "", "schema is 'x'"},
        {"entry", "3", "entry", "wanted the name of the kernel"},
        {"entry", "\"\"", "entry", "wanted the name of the kernel"},
        {"grid", "[]", "grid", "wanted a list of 1 to 3"},
        {"grid", "[1,1,1,1]", "grid", "wanted a list of 1 to 3"},
        {"grid", "5", "grid", "wanted a list of 1 to 3"},
        {"grid", "[1, \"ceil(N 4)\"]", "grid[1]", "column 8: wanted , and a second value"},
        {"grid", "[-1]", "grid[0]", "wanted a number, or an expression"},
        {"block", "[true]", "block[0]", "wanted a number, or an expression"},
        {"shared", "\"1 +\"", "shared", "column 4: wanted a number"},
        {"seconds", "0", "seconds", "wanted a number from 1 to 3600"},
        {"seconds", "1.5", "seconds", "wanted a number from 1 to 3600"},
        {"weights", "\"int4\"", "weights", "wanted mxfp4, bf16, hopper, f16, bf16_kn or f16_kn"},
        {"weights", "4", "weights", "wanted mxfp4"},
        {"out", "\"f64\"", "out", "wanted bf16, f16 or f32"},
        {"module", "7", "module", "wanted a word"},
        {"colour", "1", "colour", "no such field"},
        {"arguments", "[]", "arguments", "wanted a list of 1 to 96 arguments"},
        {"arguments", "[\"x\", \"w\", \"out\"]", "arguments[1]",
         "no array is called 'w'; with weights as mxfp4: x, blocks, scales, starts"},
        {"arguments", "[\"x\", \"blocks\"]", "arguments", "a product needs x, its weights and out"},
        {"arguments", "[\"x\", \"blocks\", \"out\", \"ids\"]", "arguments", "starts and ids come together"},
        {"arguments", "[\"x\", \"blocks\", \"out\", {\"u12\": 1}]", "arguments[3]", "wanted a name, or one of u8"},
        {"arguments", "[\"x\", \"blocks\", \"out\", {\"u32\": 1, \"i32\": 2}]", "arguments[3]", "wanted a name"},
        {"arguments", "[\"x\", \"blocks\", \"out\", {\"u32\": \"Z\"}]", "arguments[3]", "column 1: wanted a number"},
        {"arguments", "[\"x\", \"blocks\", \"out\", {\"f32\": \"1\"}]", "arguments[3]", "wanted a name"},
        {"limits", "3", "limits", "wanted an object"},
        {"limits", "{\"most\": 3}", "limits.most", "no such field"},
        {"limits", "{\"multiple_N\": 0}", "limits.multiple_N", "wanted a number from 1 to 65536"},
        {"limits", "{\"no_scales\": 1}", "limits.no_scales", "wanted true or false"},
    };
    struct executor x;
    struct error e;
    char path[SCRATCH_PATH];
    scratch_path(state, "k.json", path);
    put(state, "k.ptx", "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *document = json_loads(GROUPED, 0, NULL);
        json_object_set_new(document, cases[i].field, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        assert_int_equal(json_write(path, document, NULL), STATUS_OK);
        json_decref(document);
        assert_int_equal(open_named(state, "k.ptx", &x, &e), STATUS_BAD_INPUT);
        expect_error(&e, STATUS_BAD_INPUT, path, cases[i].at, -1, cases[i].why);
    }
    put(state, "k.json", "[]");
    assert_int_equal(open_named(state, "k.ptx", &x, &e), STATUS_BAD_INPUT);
    assert_int_equal(open_named(state, "k.so", &x, &e), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(e.why, "wanted module:PATH.ptx, PATH.cubin or PATH.json"));
    assert_nothing_lives();
}

static void sidecar_names_its_module_or_lies_beside_it(void **state)
{
    struct executor x;
    struct error e;
    char path[SCRATCH_PATH];
    put(state, "k.json", GROUPED);
    assert_int_equal(open_named(state, "k.json", &x, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, scratch_path(state, "k.json", path), "module", -1, "no .ptx and no .cubin");
    put(state, "k.cubin", "cubin");
    assert_int_equal(open_named(state, "k.json", &x, &e), STATUS_OK);
    assert_string_equal(module_mock.image, "cubin");
    x.release(x.self);
    put(state, "k.ptx", "ptx");
    assert_int_equal(open_named(state, "k.json", &x, &e), STATUS_OK);
    assert_string_equal(module_mock.image, "ptx");
    x.release(x.self);
    assert_int_equal(open_named(state, "k.cubin", &x, &e), STATUS_OK);
    assert_string_equal(module_mock.image, "cubin");
    x.release(x.self);
    json_t *document = json_loads(GROUPED, 0, NULL);
    json_object_set_new(document, "module", json_string("other.ptx"));
    assert_int_equal(json_write(scratch_path(state, "k.json", path), document, NULL), STATUS_OK);
    put(state, "other.ptx", "other");
    assert_int_equal(open_named(state, "k.json", &x, &e), STATUS_OK);
    assert_string_equal(module_mock.image, "other");
    x.release(x.self);
    json_object_set_new(document, "module", json_string(scratch_path(state, "k.ptx", path)));
    assert_int_equal(json_write(scratch_path(state, "k.json", path), document, NULL), STATUS_OK);
    assert_int_equal(open_named(state, "k.json", &x, &e), STATUS_OK);
    assert_string_equal(module_mock.image, "ptx");
    x.release(x.self);
    json_decref(document);
    assert_nothing_lives();
}

static enum status open_load_run(void *context, struct error *e)
{
    void *state = context;
    struct executor x;
    struct bf16 out[P * N];
    struct weights_set w = {0};
    module_mock.kernel = NULL;
    enum status s = open_named(&state, "k.ptx", &x, e);
    if (s != STATUS_OK)
        return s;
    s = weights_make(WEIGHTS_RANDOM, E, N, K, 1, &w, e);
    if (s == STATUS_OK)
        s = x.load(x.self, &w.w, e);
    if (s == STATUS_OK)
        s = run_once(&x, out, e);
    weights_free(&w);
    x.release(x.self);
    return s;
}

static void module_without_memory_says_so(void **state)
{
    put(state, "k.json", GROUPED);
    put(state, "k.ptx", "");
    assert_true(alloc_check(open_load_run, NULL, *state) > 20);
    assert_nothing_lives();
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(module_that_the_driver_refuses_is_told_with_its_reason),
        IN_SCRATCH(module_without_weights_or_beyond_its_limits_is_refused),
        IN_SCRATCH(module_expressions_that_give_no_launch_are_refused_when_it_comes),
        IN_SCRATCH(sidecar_with_a_bad_field_is_refused_with_its_name),
        IN_SCRATCH(sidecar_names_its_module_or_lies_beside_it),
        IN_SCRATCH(module_without_memory_says_so),
    };
    omp_set_num_threads(1); /* allocations are counted, and made to fail, in one thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
