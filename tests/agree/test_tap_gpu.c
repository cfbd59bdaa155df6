/* The production kernel under `fragoracle tap`, on a GPU: its PTX is rewritten and assembled by the build, what it
 * records is judged by fo_infer. The map of the unharmed kernel is the contract; F01 to F04 and ten random pack orders
 * are recovered exactly. Exits 77 without a Hopper GPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "kernels/rs_index.h"
#include "oracle/fragoracle.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "oracle/io/tap_image.h"
#include "reference/mxfp4.h"
#include "tests/agree/tap_module.h"
#include "tests/support/problems.h"
#include "tests/support/scratch.h"
#include "tests/support/splitmix.h"

enum { SKIPPED = 77, P = 64, N = 128, K = 256, ORDER_TEXT = 32 };
static struct machine gpu;
static bool have_gpu;

#ifdef FO_HAVE_TAP_MODULE
static const char wanted[] = "v00 v01 v04 v05 v02 v03 v06 v07";

struct asked {
    struct problem problem;
    char matrix[SCRATCH_PATH], b[SCRATCH_PATH], output[SCRATCH_PATH];
};

static void write_matrix(void **state, const char *name, char *path, size_t rows, size_t columns, const void *data)
{
    struct error e;
    assert_int_equal(npy_write(scratch_path(state, name, path), NPY_U2, 2, (size_t[]){rows, columns}, data, &e),
                     STATUS_OK);
}

static struct bf16 *transposed(const struct bf16 *m, size_t rows, size_t columns)
{
    struct bf16 *t = calloc(rows * columns, sizeof *t);
    assert_non_null(t);
    for (size_t i = 0; i < rows * columns; i++)
        t[i % columns * rows + i / columns] = m[i];
    return t;
}

/* A random problem, and the matrices in the terms of wgmma: A = W [N][K], B = x transposed. */
static void ask_make(void **state, struct asked *a)
{
    problem_make_dense(splitmix_seed(), P, N, K, 1, &a->problem);
    const struct weights *w = &a->problem.weights.w;
    struct bf16 *decoded = calloc((size_t)N * K, sizeof *decoded), *b = transposed(a->problem.x, P, K);
    assert_non_null(decoded);
    mxfp4_decode_matrix(w->blocks, w->scales, N, K, decoded);
    write_matrix(state, "w.npy", a->matrix, N, K, decoded);
    write_matrix(state, "b.npy", a->b, K, P, b);
    free(decoded);
    free(b);
}

/* Launch the subject, capture it, and judge the capture. Returns the document, owned. */
static json_t *judge(void **state, struct asked *a, const char *subject, const uint8_t *order)
{
    struct error e;
    struct run_report report;
    char folder[SCRATCH_PATH];
    void *bytes;
    size_t size;
    struct tap_image image;
    struct bf16 *out = calloc((size_t)P * N, sizeof *out);
    assert_non_null(out);
    tap_module_order(order);
    assert_int_equal(tap_module_clear(), 0);
    problem_run(&gpu, subject, &a->problem, (struct bf16){0x7fa5}, out, &report);
    struct bf16 *transposed_out = transposed(out, P, N);
    write_matrix(state, "out.npy", a->output, N, P, transposed_out);
    free(transposed_out);
    free(out);
    assert_int_equal(tap_module_image(&bytes, &size), 0);
    if (tap_image_take("the module", bytes, size, &image, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    assert_int_equal(file_make_folder(scratch_path(state, "capture", folder), &e), STATUS_OK);
    assert_int_equal(tap_image_write(folder, &image, &e), STATUS_OK);
    tap_image_free(&image);

    struct fo_answer answer;
    struct fo_error error;
    const struct fo_infer_options o = {
        .capture = folder, .matrix = a->matrix, .b = a->b, .output = a->output, .site = -1};
    if (fo_infer(&o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    json_t *document = json_loads(answer.json, 0, NULL);
    assert_non_null(document);
    fo_answer_free(&answer);
    return document;
}

/* Every site that was reached: what its A says. Returns how many there were. */
static size_t expect_order(const json_t *document, const char *order)
{
    size_t index, reached = 0;
    json_t *site;
    bool right = strcmp(order, wanted) == 0;
    json_array_foreach(json_object_get(document, "sites"), index, site)
    {
        const json_t *a = json_object_get(json_object_get(site, "stations"), "A");
        if (json_integer_value(json_object_get(a, "records")) == 0)
            continue;
        reached++;
        const char *verdict = json_string_value(json_object_get(a, "verdict"));
        const char *found = json_string_value(json_object_get(a, "pack_order"));
        assert_non_null(verdict);
        if (strcmp(verdict, right ? "conforms" : "differs") != 0 || (!right && (!found || strcmp(found, order) != 0)))
            fail_msg("wanted %s: %s, %s: %s", order, verdict, found ? found : "no order",
                     json_string_value(json_object_get(a, "evidence")));
    }
    return reached;
}

static void text_of(const uint8_t order[8], char text[ORDER_TEXT])
{
    for (int i = 0; i < 8; i++)
        snprintf(text + 4 * i, ORDER_TEXT - 4 * (size_t)i, "v0%u%s", order[i], i < 7 ? " " : "");
}

static void need_gpu(void)
{
    if (!have_gpu)
        skip();
}

static void tap_production_kernel_holds_the_contract(void **state)
{
    need_gpu();
    static const char *const subjects[] = {"rs", "rs+none"};
    struct asked a;
    ask_make(state, &a);
    size_t ran = 0;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++, ran++) {
        json_t *document = judge(state, &a, subjects[i], NULL);
        assert_int_equal(expect_order(document, wanted), 8);
        assert_string_equal(json_string_value(json_object_get(document, "verdict")), "conforms");
        json_decref(document);
    }
    assert_int_equal(ran, 2);
    problem_free(&a.problem);
}

static void tap_planted_orders_are_recovered(void **state)
{
    need_gpu();
    static const struct {
        const char *subject, *order;
    } faults[] = {{"rs+F01", "v00 v04 v01 v05 v03 v07 v06 v02"},
                  {"rs+F02", "v00 v01 v02 v03 v04 v05 v06 v07"},
                  {"rs+F03", "v00 v04 v01 v05 v03 v07 v02 v06"},
                  {"rs+F04", "v00 v04 v01 v05 v02 v06 v03 v07"}};
    struct asked a;
    ask_make(state, &a);
    size_t ran = 0;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++, ran++) {
        json_t *document = judge(state, &a, faults[i].subject, NULL);
        assert_int_equal(expect_order(document, faults[i].order), 8);
        json_decref(document);
    }
    assert_int_equal(ran, 4);
    problem_free(&a.problem);
}

static void tap_random_orders_are_recovered(void **state)
{
    need_gpu();
    struct splitmix random = {splitmix_seed()};
    struct asked a;
    ask_make(state, &a);
    size_t ran = 0;
    for (; ran < 10; ran++) {
        uint8_t order[8] = {0, 1, 2, 3, 4, 5, 6, 7};
        char text[ORDER_TEXT];
        for (size_t i = 7; i > 0; i--) {
            size_t j = splitmix_below(&random, i + 1);
            uint8_t swap = order[i];
            order[i] = order[j];
            order[j] = swap;
        }
        text_of(order, text);
        json_t *document = judge(state, &a, "rs+none", order);
        assert_int_equal(expect_order(document, text), 8);
        print_message("recovered %s\n", text);
        json_decref(document);
    }
    assert_int_equal(ran, 10);
    problem_free(&a.problem);
}

/* The module lies beside the test, wherever both are carried. */
static bool open_module(void)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    if (n < 0)
        return false;
    path[n] = '\0';
    strcpy(strrchr(path, '/') + 1, "rs_gemm.tap.cubin");
    int r = tap_module_open(path);
    if (r != 0)
        fprintf(stderr, "%s: CUDA error %d\n", path, r);
    return r == 0;
}

int main(void)
{
    struct error e;
    have_gpu = machine_gpu(&gpu, &e) == STATUS_OK;
    if (!have_gpu)
        print_message("not run: %s\n", e.why);
    else if (!open_module())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tap_production_kernel_holds_the_contract, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(tap_planted_orders_are_recovered, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(tap_random_orders_are_recovered, scratch_setup, scratch_teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed ? failed : have_gpu ? 0 : SKIPPED;
}
#else
int main(void)
{
    struct error e;
    have_gpu = machine_gpu(&gpu, &e) == STATUS_OK;
    fprintf(stderr, "not run: %s\n", have_gpu ? "built without CUDA" : e.why);
    return SKIPPED;
}
#endif
