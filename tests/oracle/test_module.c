/* module: a kernel that somebody compiled, with a driver that is not there: sidecars, launches, guards, errors. */
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/exec/module.h"
#include "oracle/exec/module_driver.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "probes/identity.h"
#include "probes/weights.h"
#include "reference/matmul.h"
#include "tests/oracle/module_named.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

enum { P = 9, N = 7, K = 64, E = 3, A = 2 };

#define GROUPED                                                                                                        \
    "{\"schema\": \"fragoracle.module/1\", \"entry\": \"product\", \"grid\": [\"ceil(N, 4)\", \"P\"], \"block\": "     \
    "[32], "                                                                                                           \
    "\"shared\": \"K * 1024\", \"arguments\": [\"x\", \"blocks\", \"scales\", \"starts\", \"ids\", \"out\", "          \
    "\"status\", "                                                                                                     \
    "\"P\", \"N\", {\"u64\": \"K\"}, \"E\", {\"f32\": 0.5}, {\"i32\": \"A\"}]}"

/* ---- the kernel ------------------------------------------------------------------------------------------------- */

static enum { RIGHT, PAST_OUT, BEFORE_OUT, PAST_SCALES, LAST_ROW_UNWRITTEN } mode;
static struct mock_launch last;

static void *pointer_of(const struct mock_launch *l, int i)
{
    void *p;
    memcpy(&p, l->parameters[i], sizeof p);
    return p;
}

static uint32_t number_of(const struct mock_launch *l, int i)
{
    uint32_t n;
    memcpy(&n, l->parameters[i], sizeof n);
    return n;
}

static void product(const struct mock_launch *l)
{
    uint64_t k;
    float half;
    memcpy(&k, l->parameters[9], sizeof k);
    memcpy(&half, l->parameters[11], sizeof half);
    assert_true(half == 0.5f);
    struct weights w = {number_of(l, 10), number_of(l, 8), (size_t)k, pointer_of(l, 1), pointer_of(l, 2)};
    struct segments s = {number_of(l, 7), w.experts, number_of(l, 12), pointer_of(l, 3), pointer_of(l, 4)};
    uint16_t *out = pointer_of(l, 5);
    uint32_t *status = pointer_of(l, 6);
    struct bf16 *sums = test_calloc(s.rows * w.N, sizeof *sums);
    last = *l;
    assert_int_equal(*status, 0);
    assert_int_equal((uintptr_t)out % 16, 0);
    assert_int_equal(matmul_grouped(pointer_of(l, 0), &s, &w, sums, status, NULL), STATUS_OK);
    memcpy(out, sums, (s.rows - (mode == LAST_ROW_UNWRITTEN)) * w.N * sizeof *sums);
    if (mode == PAST_OUT)
        out[s.rows * w.N] = 0;
    if (mode == BEFORE_OUT)
        out[-2048] = 0;
    if (mode == PAST_SCALES)
        ((uint8_t *)pointer_of(l, 2))[w.experts * w.N * w.K / 32 + 4095] ^= 1;
    test_free(sums);
}

/* Dense, decoded weights, f32 outputs: x, w, out, P, N, K. */
static void dense(const struct mock_launch *l)
{
    size_t p = number_of(l, 3), n = number_of(l, 4), k = number_of(l, 5);
    struct bf16 *sums = test_calloc(p * n, sizeof *sums);
    uint32_t *out = pointer_of(l, 2);
    assert_int_equal(matmul_dense(pointer_of(l, 0), p, pointer_of(l, 1), n, k, sums, NULL), STATUS_OK);
    for (size_t i = 0; i < p * n; i++)
        out[i] = (uint32_t)sums[i].bits << 16;
    test_free(sums);
}

/* ---- helpers ---------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    module_mock_reset();
    module_mock.kernel = product;
    mode = RIGHT;
    return scratch_setup(state);
}

static enum status ask_identity(const struct executor *x, size_t experts, struct identity_result *r, struct error *e)
{
    const struct identity_options o = {.P = P, .pass = -1, .seed = 3};
    struct weights_set w;
    assert_int_equal(weights_make(WEIGHTS_RANDOM, experts, N, K, 1, &w, NULL), STATUS_OK);
    enum status s = identity_run(x, &w.w, &o, r, e);
    weights_free(&w);
    return s;
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void module_with_a_right_kernel_conforms(void **state)
{
    struct executor x;
    struct identity_result r;
    struct error e;
    open_or_fail(state, GROUPED, &x);
    assert_string_equal(x.name, "module");
    assert_int_equal(strncmp(x.subject, "module:/", 8), 0);
    assert_int_equal(x.fidelity, FIDELITY_HARDWARE);
    assert_string_equal(module_mock.entry, "product");
    assert_string_equal(module_mock.image, ".version 8.0");
    assert_int_equal(ask_identity(&x, E, &r, &e), STATUS_OK);
    assert_true(identity_conforms(&r));
    assert_string_equal(r.report.kernel, "product");
    assert_int_equal(r.report.launches, module_mock.launches);
    assert_true(module_mock.launches > 4);
    const unsigned grid[] = {2, P, 1}, block[] = {32, 1, 1};
    assert_memory_equal(last.grid, grid, sizeof grid);
    assert_memory_equal(last.block, block, sizeof block);
    assert_int_equal(last.shared, K * 1024);
    assert_int_equal(module_mock.shared_attribute, K * 1024);
    identity_result_free(&r);
    x.release(x.self);
    assert_nothing_lives();
}

static void module_that_is_dense_takes_decoded_weights_and_writes_f32(void **state)
{
    struct executor x;
    struct identity_result r;
    struct error e;
    module_mock.kernel = dense;
    open_or_fail(
        state,
        "{\"schema\": \"fragoracle.module/1\", \"entry\": \"d\", \"grid\": [1], \"block\": [1, 1, 1], "
        "\"weights\": \"bf16\", \"out\": \"f32\", \"arguments\": [\"x\", \"w\", \"out\", \"P\", \"N\", \"K\"], "
        "\"limits\": {\"multiple_N\": 7, \"multiple_K\": 32, \"most_P\": 9, \"no_scales\": true}}",
        &x);
    assert_true(x.limits.no_segments && x.limits.no_scales);
    assert_int_equal(x.limits.multiple_N, 7);
    assert_int_equal(x.limits.multiple_K, 32);
    assert_int_equal(x.limits.most_P, 9);
    assert_int_equal(ask_identity(&x, 1, &r, &e), STATUS_OK);
    assert_true(identity_conforms(&r));
    identity_result_free(&r);
    assert_int_equal(ask_identity(&x, 2, &r, &e), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(e.why, "N in steps of 7, K in steps of 32, one expert; not 2 experts of 7 x 64"));
    x.release(x.self);
    assert_nothing_lives();
}

static void module_gets_the_hopper_layout_where_it_asks_for_it(void **state)
{
    struct executor x;
    struct weights_set w;
    struct formed_weights formed;
    struct error e;
    open_or_fail(state,
                 "{\"schema\": \"fragoracle.module/1\", \"entry\": \"h\", \"grid\": [1], \"block\": [1], \"weights\": "
                 "\"hopper\", \"arguments\": [\"x\", \"hopper_values\", \"hopper_scales\", \"out\"]}",
                 &x);
    assert_int_equal(weights_make(WEIGHTS_RANDOM, 1, N, K, 1, &w, NULL), STATUS_OK);
    assert_int_equal(weights_form_make(FORM_HOPPER, &w.w, &formed, &e), STATUS_OK);
    assert_int_equal(x.load(x.self, &w.w, &e), STATUS_OK);
    assert_int_equal(module_mock.buffers, 2);
    formed_weights_free(&formed);
    weights_free(&w);
    x.release(x.self);
}

/* One launch of the right inputs. */
static enum status run_once(const struct executor *x, struct bf16 *out, struct error *e)
{
    static const uint32_t starts[] = {0, 4, P};
    static const int32_t ids[] = {2, 0};
    static const struct segments s = {P, E, A, starts, ids};
    static struct bf16 activations[P * K];
    struct run_report report;
    for (size_t i = 0; i < (size_t)P * K; i++)
        activations[i].bits = i % 5 ? 0 : BF16_ONE;
    for (size_t i = 0; i < (size_t)P * N; i++)
        out[i].bits = 0x1234;
    return x->run(x->self, activations, &s, (struct bf16){0x7fa5}, out, &report, e);
}

static void load_some(const struct executor *x)
{
    struct weights_set w;
    assert_int_equal(weights_make(WEIGHTS_RANDOM, E, N, K, 1, &w, NULL), STATUS_OK);
    assert_int_equal(x->load(x->self, &w.w, NULL), STATUS_OK);
    weights_free(&w); /* the executor keeps what it needs */
}

static void module_that_writes_beyond_a_buffer_is_found_and_named(void **state)
{
    static const struct {
        int mode;
        const char *why;
    } cases[] = {{PAST_OUT, "the kernel wrote past the end of out in launch 1"},
                 {BEFORE_OUT, "the kernel wrote before the beginning of out in launch 1"},
                 {PAST_SCALES, "the kernel wrote past the end of scales in launch 1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct executor x;
        struct bf16 out[P * N];
        struct error e;
        open_or_fail(state, GROUPED, &x);
        load_some(&x);
        mode = cases[i].mode;
        assert_int_equal(run_once(&x, out, &e), STATUS_SUBJECT);
        assert_string_equal(e.why, cases[i].why);
        assert_int_equal(out[0].bits, 0x1234);
        mode = RIGHT;
        assert_int_equal(run_once(&x, out, &e), STATUS_OK);
        x.release(x.self);
        assert_nothing_lives();
    }
}

static void module_leaves_the_poison_where_its_kernel_does_not_write(void **state)
{
    struct executor x;
    struct bf16 out[P * N];
    struct error e;
    open_or_fail(state, GROUPED, &x);
    load_some(&x);
    mode = LAST_ROW_UNWRITTEN;
    assert_int_equal(run_once(&x, out, &e), STATUS_OK);
    for (size_t i = 0; i < (size_t)P * N; i++)
        assert_int_equal(out[i].bits == 0x7fa5, i >= (size_t)(P - 1) * N);
    x.release(x.self);
}

static void module_that_crashes_or_hangs_is_lost_and_says_since_when(void **state)
{
    struct executor x;
    struct bf16 out[P * N];
    struct error e;
    open_or_fail(state, GROUPED, &x);
    load_some(&x);
    module_mock.not_ready = 3;
    assert_int_equal(run_once(&x, out, &e), STATUS_OK);
    module_mock.query = 700;
    assert_int_equal(run_once(&x, out, &e), STATUS_SUBJECT);
    assert_string_equal(e.why, "the kernel ended with CUDA_ERROR_ILLEGAL_ADDRESS in launch 2");
    module_mock.query = 0;
    assert_int_equal(run_once(&x, out, &e), STATUS_SUBJECT);
    assert_string_equal(e.why, "the GPU is lost to this process since launch 2");
    assert_int_equal(module_mock.launches, 2);
    x.release(x.self);
    assert_true(module_mock.buffers > 0); /* the context is left alone */

    module_mock_reset();
    put(state, "slow.ptx", "");
    put(state, "slow.json",
        "{\"schema\": \"fragoracle.module/1\", \"entry\": \"s\", \"grid\": [1], \"block\": [1], \"seconds\": 1, "
        "\"arguments\": [\"x\", \"blocks\", \"out\"]}");
    assert_int_equal(open_named(state, "slow.json", &x, &e), STATUS_OK);
    struct weights_set w;
    assert_int_equal(weights_make(WEIGHTS_RANDOM, 1, N, K, 1, &w, NULL), STATUS_OK);
    assert_int_equal(x.load(x.self, &w.w, NULL), STATUS_OK);
    weights_free(&w);
    module_mock.not_ready = 1 << 30;
    const struct segments s = {P, 1, 1, (const uint32_t[]){0, P}, (const int32_t[]){0}};
    static const struct bf16 zero[P * K];
    struct run_report report;
    assert_int_equal(x.run(x.self, zero, &s, (struct bf16){0}, out, &report, &e), STATUS_SUBJECT);
    assert_string_equal(e.why, "the kernel did not end within 1 s in launch 1");
    x.release(x.self);
    module_mock_reset();
}

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
        IN_SCRATCH(module_with_a_right_kernel_conforms),
        IN_SCRATCH(module_that_is_dense_takes_decoded_weights_and_writes_f32),
        IN_SCRATCH(module_gets_the_hopper_layout_where_it_asks_for_it),
        IN_SCRATCH(module_that_writes_beyond_a_buffer_is_found_and_named),
        IN_SCRATCH(module_leaves_the_poison_where_its_kernel_does_not_write),
        IN_SCRATCH(module_that_crashes_or_hangs_is_lost_and_says_since_when),
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
