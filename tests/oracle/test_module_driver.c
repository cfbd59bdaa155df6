/* module_driver: what a driver that is not there is told of structs, tensor maps, workspaces, clusters and types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/exec/module.h"
#include "oracle/exec/open.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "probes/weights.h"
#include "tests/oracle/module_named.h"
#include "tests/support/scratch.h"

enum { P = 9, N = 7, K = 64, E = 3, A = 2 };

static struct mock_launch last;

static void *pointer_of(const struct mock_launch *l, int i)
{
    void *p;
    memcpy(&p, l->parameters[i], sizeof p);
    return p;
}

static int setup(void **state)
{
    module_mock_reset();
    return scratch_setup(state);
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

/* A struct, a tensor map, a workspace and clusters: what the driver is told, and what the kernel finds. */
static void look(const struct mock_launch *l)
{
    struct {
        uint32_t P;
        uint64_t w;
    } both;
    const uint8_t *map = l->parameters[1], *zeros = pointer_of(l, 3);
    memcpy(&both, l->parameters[0], sizeof both);
    assert_int_equal(both.P, P);
    assert_int_equal(((uint8_t *)(uintptr_t)both.w)[-1], 0xa5 ^ (uint8_t)(4095 * 7)); /* a guard lies ahead */
    for (int i = 0; i < 128; i++)
        assert_int_equal(map[i], i);
    assert_ptr_equal(pointer_of(l, 2), (void *)(uintptr_t)module_mock.map.address);
    for (int i = 0; i < 24; i++)
        assert_int_equal(zeros[i], 0);
    memset(pointer_of(l, 3), 0xee, 24);
    last = *l;
}

static void module_gets_structs_tensor_maps_zeros_and_clusters_from_the_driver(void **state)
{
    static const char text[] =
        "{\"schema\": \"fragoracle.module/1\", \"entry\": \"t\", \"grid\": [32], \"block\": [64], \"shared\": 9, "
        "\"cluster\": [\"%s\", 2], \"arguments\": [{\"struct\": [\"P\", \"blocks\"]}, {\"tensor_map\": {\"array\": "
        "\"x\", \"type\": \"bf16\", \"extent\": [\"K\", \"P\"], \"stride\": [\"K * 2\"], \"box\": [32, 8], \"step\": "
        "[1, 3], \"swizzle\": %d, \"fill\": \"nan\"}}, \"x\", {\"zeros\": 24}, \"out\", \"starts\", \"ids\"]}";
    static const int swizzles[][2] = {{0, 0}, {32, 1}, {64, 2}, {128, 3}};
    struct bf16 out[P * N];
    struct executor x;
    struct error e;
    for (size_t i = 0; i < sizeof swizzles / sizeof *swizzles; i++) {
        char sidecar[800];
        module_mock_reset();
        module_mock.kernel = look;
        snprintf(sidecar, sizeof sidecar, text, i == 3 ? "8" : "4", swizzles[i][0]);
        open_or_fail(state, sidecar, &x);
        load_some(&x);
        for (int again = 0; again < 2; again++)
            if (run_once(&x, out, &e) != STATUS_OK)
                fail_msg("%s", e.why);
        const unsigned cluster[] = {i == 3 ? 8 : 4, 2, 1}, grid[] = {32, 1, 1}, block[] = {64, 1, 1};
        assert_memory_equal(last.cluster, cluster, sizeof cluster);
        assert_memory_equal(last.grid, grid, sizeof grid);
        assert_memory_equal(last.block, block, sizeof block);
        assert_int_equal(last.shared, 9);
        assert_int_equal(module_mock.cluster_attribute, i == 3);
        assert_int_equal(module_mock.map.type, 9);
        assert_int_equal(module_mock.map.rank, 2);
        assert_int_equal(module_mock.map.extent[0], K);
        assert_int_equal(module_mock.map.extent[1], P);
        assert_int_equal(module_mock.map.stride[0], K * 2);
        assert_int_equal(module_mock.map.box[0] * 100 + module_mock.map.box[1], 3208);
        assert_int_equal(module_mock.map.step[0] * 10 + module_mock.map.step[1], 13);
        assert_int_equal(module_mock.map.swizzle, swizzles[i][1]);
        assert_int_equal(module_mock.map.fill, 1);
        assert_int_equal(module_mock.map.interleave + module_mock.map.promotion, 0);
        module_mock.tensor_map = 1;
        assert_int_equal(run_once(&x, out, &e), STATUS_BAD_ARGUMENT);
        assert_string_equal(e.why, "the driver refuses the tensor map: error 1");
        assert_string_equal(e.field, "arguments[1]");
        x.release(x.self);
        assert_nothing_lives();
    }
}

/* f16 in and out, both transposed, whatever the kernel computes: y = x, of as many columns as K. */
static void transpose(const struct mock_launch *l)
{
    const uint16_t *from = pointer_of(l, 0);
    uint16_t *to = pointer_of(l, 2);
    for (size_t n = 0; n < N; n++)
        for (size_t p = 0; p < P - 1; p++) /* the last row stays unwritten */
            to[n * P + p] = from[n * P + p];
}

static void module_of_f16_gets_values_that_it_has_and_gives_back_the_poison(void **state)
{
    static const uint32_t starts[] = {0, P};
    static const int32_t ids[] = {0};
    static const struct segments s = {P, 1, 1, starts, ids};
    static struct bf16 in[P * K], out[P * N];
    const struct bf16 poison = {0x7fa5};
    struct weights_set w;
    struct run_report report;
    struct executor x;
    struct error e;
    module_mock.kernel = transpose;
    open_or_fail(state,
                 "{\"schema\": \"fragoracle.module/1\", \"entry\": \"t\", \"grid\": [1], \"block\": [1], "
                 "\"weights\": \"f16\", \"x\": \"f16\", \"out\": \"f16\", \"x_layout\": \"kp\", \"out_layout\": "
                 "\"np\", \"arguments\": [\"x\", \"w\", \"out\"]}",
                 &x);
    assert_int_equal(weights_make(WEIGHTS_RANDOM, 1, N, K, 1, &w, NULL), STATUS_OK);
    memset(w.scales, 127, N * K / 32);
    assert_int_equal(x.load(x.self, &w.w, &e), STATUS_OK);
    weights_free(&w);
    for (size_t i = 0; i < (size_t)P * K; i++)
        in[i].bits = (uint16_t)(0x3f80 + i % 512);                                        /* 1 .. 15.9375 */
    in[1].bits = BF16_NAN, in[2].bits = 0xff80, in[3].bits = 0x8000, in[4].bits = 0x3380; /* 2^-24 */
    assert_int_equal(x.run(x.self, in, &s, poison, out, &report, &e), STATUS_OK);
    for (size_t p = 0; p < P; p++)
        for (size_t n = 0; n < N; n++)
            assert_int_equal(out[p * N + n].bits, p == P - 1 ? poison.bits : in[p * K + n].bits);
    in[K + 5].bits = 0x3300; /* 2^-25 */
    out[0].bits = 7;
    assert_int_equal(x.run(x.self, in, &s, poison, out, &report, &e), STATUS_BAD_ARGUMENT);
    assert_string_equal(e.why, "not applicable: f16 cannot hold x[1][5] = 2.98023e-08");
    assert_int_equal(out[0].bits, 7);
    x.release(x.self);
    assert_nothing_lives();
}

static void module_names_the_machine_that_it_runs_on(void **state)
{
    static const struct {
        int init;
        const char *on, *name;
    } cases[] = {{0, "gpu", "gpu"}, {0, "auto", "gpu"}, {0, "model", "model"}, {100, "auto", "model"}};
    struct machine machine;
    struct error e;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        module_mock.init = cases[i].init;
        assert_int_equal(subject_machine("module:k.ptx", cases[i].on, &machine, &e), STATUS_OK);
        assert_string_equal(machine.name, cases[i].name);
        assert_int_equal(machine.fidelity == FIDELITY_HARDWARE, strcmp(cases[i].name, "gpu") == 0);
        if (machine.fidelity == FIDELITY_HARDWARE && !machine.loader) {
            struct executor x;
            assert_string_equal(machine.device, "Mock GPU 0");
            assert_int_equal(machine.subject(NULL, &x, &e), STATUS_NO_DEVICE);
        }
    }
    module_mock.init = 100;
    assert_int_equal(subject_machine("module:k.ptx", "gpu", &machine, &e), STATUS_NO_DEVICE);
    assert_int_equal(subject_machine("module:k.ptx", "cpu", &machine, &e), STATUS_BAD_ARGUMENT);
    module_mock.init = 0;
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(module_gets_structs_tensor_maps_zeros_and_clusters_from_the_driver),
        IN_SCRATCH(module_of_f16_gets_values_that_it_has_and_gives_back_the_poison),
        IN_SCRATCH(module_names_the_machine_that_it_runs_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
