/* module_kernel: kernels on the host for the driver that is not there, a sidecar for them, and a subject opened and
 * launched with both. Include after cmocka.h. */
#ifndef FO_TESTS_ORACLE_MODULE_KERNEL_H
#define FO_TESTS_ORACLE_MODULE_KERNEL_H

#include <stdlib.h>
#include <string.h>

#include "oracle/exec/module.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "probes/weights.h"
#include "reference/matmul.h"
#include "tests/oracle/mock/module_driver.h"
#include "tests/support/scratch.h"

enum { P = 9, N = 7, K = 64, E = 3, A = 2 };

#define GROUPED                                                                                                        \
    "{\"schema\": \"fragoracle.module/1\", \"entry\": \"product\", \"grid\": [\"ceil(N, 4)\", \"P\"], \"block\": "     \
    "[32], "                                                                                                           \
    "\"shared\": \"K * 1024\", \"arguments\": [\"x\", \"blocks\", \"scales\", \"starts\", \"ids\", \"out\", "          \
    "\"status\", "                                                                                                     \
    "\"P\", \"N\", {\"u64\": \"K\"}, \"E\", {\"f32\": 0.5}, {\"i32\": \"A\"}]}"

static enum { RIGHT, PAST_OUT, BEFORE_OUT, PAST_SCALES, LAST_ROW_UNWRITTEN } mode;
static struct mock_launch last;

static inline void *pointer_of(const struct mock_launch *l, int i)
{
    void *p;
    memcpy(&p, l->parameters[i], sizeof p);
    return p;
}

static inline uint32_t number_of(const struct mock_launch *l, int i)
{
    uint32_t n;
    memcpy(&n, l->parameters[i], sizeof n);
    return n;
}

static inline void product(const struct mock_launch *l)
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
static inline void dense(const struct mock_launch *l)
{
    size_t p = number_of(l, 3), n = number_of(l, 4), k = number_of(l, 5);
    struct bf16 *sums = test_calloc(p * n, sizeof *sums);
    uint32_t *out = pointer_of(l, 2);
    assert_int_equal(matmul_dense(pointer_of(l, 0), p, pointer_of(l, 1), n, k, sums, NULL), STATUS_OK);
    for (size_t i = 0; i < p * n; i++)
        out[i] = (uint32_t)sums[i].bits << 16;
    test_free(sums);
}

static inline int setup(void **state)
{
    module_mock_reset();
    module_mock.kernel = product;
    mode = RIGHT;
    return scratch_setup(state);
}

static inline void put(void **state, const char *name, const char *text)
{
    char path[SCRATCH_PATH];
    assert_int_equal(file_write(scratch_path(state, name, path), text, strlen(text), NULL), STATUS_OK);
}

static inline enum status open_named(void **state, const char *name, struct executor *out, struct error *e)
{
    char path[SCRATCH_PATH];
    enum status s = module_subject_open(scratch_path(state, name, path), false, out, e);
    json_forget();
    return s;
}

static inline void open_or_fail(void **state, const char *sidecar, struct executor *out)
{
    struct error e;
    put(state, "k.json", sidecar);
    put(state, "k.ptx", ".version 8.0");
    if (open_named(state, "k.ptx", out, &e) != STATUS_OK)
        fail_msg("%s: %s: %s", e.path, e.field, e.why);
}

static inline void assert_nothing_lives(void)
{
    assert_int_equal(module_mock.buffers, 0);
    assert_int_equal(module_mock.modules, 0);
    assert_int_equal(module_mock.contexts, 0);
}

/* One launch of the right inputs. */
static inline enum status run_once(const struct executor *x, struct bf16 *out, struct error *e)
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

static inline void load_some(const struct executor *x)
{
    struct weights_set w;
    assert_int_equal(weights_make(WEIGHTS_RANDOM, E, N, K, 1, &w, NULL), STATUS_OK);
    assert_int_equal(x->load(x->self, &w.w, NULL), STATUS_OK);
    weights_free(&w); /* the executor keeps what it needs */
}

#endif
