/* record and replay: a toy probe that launches in every order, through a folder and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/exec/machine.h"
#include "oracle/exec/record.h"
#include "oracle/exec/replay.h"
#include "oracle/io/file.h"
#include "probes/weights.h"
#include "reference/mxfp4.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

enum { P = 3, N = 5, K = 32, E = 2, A = 2, LAUNCHES = 8 };

static const struct bf16 red = {0x7fa5}, blue = {0xffda};
static const uint32_t starts[2][A + 1] = {{0, 1, 3}, {0, 2, 3}};
static const int32_t ids[A] = {1, 0};
static const struct segments segments[2] = {{P, E, A, starts[0], ids}, {P, E, A, starts[1], ids}};

/* What the toy asks, one line a launch, and the pass and run that it must become. */
static const struct launch {
    size_t weights, x, segments;
    bool second_poison;
    size_t pass, run;
} launches[LAUNCHES] = {
    {0, 0, 0, false, 0, 0}, {0, 0, 0, true, 0, 1},  /* two poisons: one pass */
    {0, 0, 0, false, 1, 0},                         /* once more: a pass of its own */
    {0, 1, 0, true, 2, 0},                          /* begins with the other poison */
    {1, 1, 0, true, 3, 0},                          /* other weights, no second run of the pass before */
    {1, 1, 1, false, 4, 0},                         /* other segments */
    {0, 0, 0, true, 5, 0},  {0, 0, 0, false, 5, 1}, /* weights and x from before */
};
enum { PASSES = 6 };

static struct bf16 x_of(size_t i, size_t at)
{
    return (struct bf16){(uint16_t)(0x3f80 + 16 * i + at % 7)};
}

struct toy {
    struct weights_set weights[2];
    struct bf16 x[2][P * K];
    struct bf16 out[LAUNCHES][P * N];
};

static void toy_make(struct toy *t)
{
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(weights_make(WEIGHTS_RANDOM, E, N, K, i, &t->weights[i], NULL), STATUS_OK);
        for (size_t at = 0; at < (size_t)P * K; at++)
            t->x[i][at] = x_of(i, at);
    }
}

static void toy_free(struct toy *t)
{
    for (size_t i = 0; i < 2; i++)
        weights_free(&t->weights[i]);
}

/* Ask launches 0 .. count-1. */
static enum status toy_ask(struct toy *t, const struct executor *executor, size_t count, struct error *e)
{
    enum status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        const struct launch *l = &launches[i];
        struct run_report report = {0};
        if (i == 0 || l->weights != launches[i - 1].weights)
            s = executor->load(executor->self, &t->weights[l->weights].w, e);
        if (s == STATUS_OK)
            s = executor->run(executor->self, t->x[l->x], &segments[l->segments], l->second_poison ? blue : red,
                              t->out[i], &report, e);
        if (s == STATUS_OK)
            assert_int_equal(report.launches, 1);
    }
    return s;
}

static json_t *question(void)
{
    return json_pack("{s:s, s:b, s:i, s:s}", "probe", "toy", "historical", 0, "seed", 0, "weights", "of a toy");
}

static enum status record_toy(const char *folder, struct toy *t, enum weights_form form, struct error *e)
{
    struct record *r = calloc(1, sizeof *r);
    struct executor executor;
    const struct executor_limits limits = {.no_scales = true};
    char path[PATH_MAX];
    if (!r)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a folder");
    enum status s = record_begin(folder, form, &limits, r, e);
    if (s == STATUS_OK) {
        record_executor(r, &executor);
        s = toy_ask(t, &executor, LAUNCHES, e);
    }
    json_t *document = NULL;
    if (s == STATUS_OK) {
        document = question();
        s = record_describe(r, document, e);
    }
    snprintf(path, sizeof path, "%s/emit.json", folder);
    if (s == STATUS_OK)
        s = json_write(path, document, e);
    json_decref(document);
    json_forget();
    record_free(r);
    free(r);
    return s;
}

static void record_or_fail(void **state, struct toy *t, enum weights_form form)
{
    struct error e;
    if (record_toy(*state, t, form, &e) != STATUS_OK)
        fail_msg("%s: %s", e.path, e.why);
}

static json_t *emitted(void **state)
{
    char path[SCRATCH_PATH];
    json_t *document;
    assert_int_equal(json_read(scratch_path(state, "emit.json", path), FILES_SCHEMA, &document, NULL), STATUS_OK);
    return document;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

/* An output that says which run it is of; element 0 keeps the poison of the run. */
static void write_outputs(void **state)
{
    for (size_t i = 0; i < LAUNCHES; i++) {
        char name[64], path[SCRATCH_PATH];
        uint16_t out[P * N];
        for (size_t at = 0; at < (size_t)P * N; at++)
            out[at] = (uint16_t)(0x4000 + 256 * i + at);
        out[0] = launches[i].run ? FILES_POISON_B : FILES_POISON_A;
        snprintf(name, sizeof name, launches[i].run ? "out_%zu_b.npy" : "out_%zu.npy", launches[i].pass);
        assert_int_equal(npy_write(scratch_path(state, name, path), NPY_U2, 2, (const size_t[]){P, N}, out, NULL),
                         STATUS_OK);
    }
}

static void record_writes_equal_inputs_once_and_names_them_in_every_pass(void **state)
{
    static const char *const out[PASSES][2] = {
        {"out_0.npy", "out_0_b.npy"}, {"out_1.npy"}, {"out_2.npy"}, {"out_3.npy"}, {"out_4.npy"},
        {"out_5.npy", "out_5_b.npy"}};
    struct toy t;
    toy_make(&t);
    record_or_fail(state, &t, FORM_MXFP4);
    /* emit.json, 2 poisons, 2 sets of weights of 2 files, 2 x, 2 segments of 2 files */
    assert_int_equal(scratch_count(state), 1 + 2 + 4 + 2 + 4);
    json_t *d = emitted(state), *passes = json_object_get(d, "passes");
    assert_int_equal(json_array_size(passes), PASSES);
    for (size_t i = 0; i < LAUNCHES; i++) {
        const struct launch *l = &launches[i];
        const json_t *pass = json_array_get(passes, l->pass);
        char name[64];
        snprintf(name, sizeof name, "blocks_%zu.npy", l->weights);
        assert_string_equal(text_of(pass, "blocks"), name);
        snprintf(name, sizeof name, "x_%zu.npy", l->x);
        assert_string_equal(text_of(pass, "x"), name);
        snprintf(name, sizeof name, "starts_%zu.npy", l->segments);
        assert_string_equal(text_of(pass, "starts"), name);
        const json_t *outs = json_object_get(pass, "out");
        assert_string_equal(json_string_value(json_array_get(outs, l->run)), out[l->pass][l->run]);
        assert_int_equal(json_array_size(outs), out[l->pass][1] ? 2 : 1);
        /* Outputs stay poisoned. */
        for (size_t at = 0; at < (size_t)P * N; at++)
            assert_int_equal(t.out[i][at].bits, l->second_poison ? blue.bits : red.bits);
    }
    assert_true(json_is_true(json_object_get(json_object_get(d, "limits"), "no_scales")));
    assert_true(json_is_false(json_object_get(json_object_get(d, "limits"), "dense")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(d, "shape"), "segments")), A);
    json_decref(d);
    toy_free(&t);
}

static void replay_gives_each_launch_its_own_output_and_its_own_poison(void **state)
{
    struct toy t;
    struct executor executor;
    struct error e;
    toy_make(&t);
    record_or_fail(state, &t, FORM_MXFP4);
    write_outputs(state);
    assert_int_equal(files_subject_open(*state, &executor, &e), STATUS_OK);
    assert_string_equal(executor.name, "files");
    assert_int_equal(strncmp(executor.subject, "files:", 6), 0);
    assert_string_equal(executor.subject + 6, *state);
    assert_true(executor.limits.no_scales && !executor.limits.no_segments);
    memset(t.out, 0, sizeof t.out);
    if (toy_ask(&t, &executor, LAUNCHES, &e) != STATUS_OK)
        fail_msg("%s: %s", e.path, e.why);
    for (size_t i = 0; i < LAUNCHES; i++) {
        assert_int_equal(t.out[i][0].bits, launches[i].second_poison ? blue.bits : red.bits);
        for (size_t at = 1; at < (size_t)P * N; at++)
            assert_int_equal(t.out[i][at].bits, 0x4000 + 256 * i + at);
    }
    /* One launch more was never emitted. */
    struct run_report report;
    assert_int_equal(executor.run(executor.self, t.x[0], &segments[0], red, t.out[0], &report, &e), STATUS_BAD_INPUT);
    assert_non_null(strstr(e.why, "6 passes of 8 runs, this program asks for more"));
    assert_int_equal(executor.load(executor.self, &t.weights[0].w, &e), STATUS_BAD_INPUT);
    executor.release(executor.self);
    toy_free(&t);
}

static void replay_end_wants_everything_asked(void **state)
{
    struct toy t;
    struct files *f = calloc(1, sizeof *f);
    struct replay replay;
    struct executor executor;
    struct error e;
    toy_make(&t);
    record_or_fail(state, &t, FORM_MXFP4);
    write_outputs(state);
    assert_int_equal(files_open(*state, f, &e), STATUS_OK);
    for (size_t asked = 0; asked <= LAUNCHES; asked++) {
        replay_executor(&replay, f, &executor);
        assert_int_equal(toy_ask(&t, &executor, asked, &e), STATUS_OK);
        assert_int_equal(replay_end(&replay, &e), asked == LAUNCHES ? STATUS_OK : STATUS_BAD_INPUT);
        if (asked == 3)
            assert_non_null(strstr(e.why, "6 passes of 8 runs, this program asks for 3 runs"));
    }
    files_close(f);
    free(f);
    toy_free(&t);
}

/* The first launch, with one thing that is not as it was emitted. */
static void replay_refuses_inputs_that_were_not_emitted(void **state)
{
    struct toy t;
    struct error e;
    struct executor x;
    struct run_report report;
    toy_make(&t);
    record_or_fail(state, &t, FORM_MXFP4);
    write_outputs(state);
    assert_int_equal(files_subject_open(*state, &x, &e), STATUS_OK);
    struct bf16 *out = t.out[0];
    /* nothing loaded */
    assert_int_equal(x.run(x.self, t.x[0], &segments[0], red, out, &report, &e), STATUS_BAD_INPUT);
    assert_non_null(strstr(e.path, "/emit.json"));
    /* other weights, in a block, in a scale, in shape */
    assert_int_equal(x.load(x.self, &t.weights[1].w, &e), STATUS_BAD_INPUT);
    assert_non_null(strstr(e.path, "/blocks_0.npy"));
    t.weights[0].scales[E * N - 1] ^= 1;
    assert_int_equal(x.load(x.self, &t.weights[0].w, &e), STATUS_BAD_INPUT);
    assert_non_null(strstr(e.path, "/scales_0.npy"));
    t.weights[0].scales[E * N - 1] ^= 1;
    struct weights w = t.weights[0].w;
    w.experts = 1;
    assert_int_equal(x.load(x.self, &w, &e), STATUS_BAD_INPUT);
    assert_non_null(strstr(e.why, "emitted for 2 experts of 5 x 32, asked for 1 of 5 x 32"));
    assert_int_equal(x.load(x.self, &t.weights[0].w, &e), STATUS_OK);
    /* other activations, segments, ids, numbers of them */
    assert_int_equal(x.run(x.self, t.x[1], &segments[0], red, out, &report, &e), STATUS_BAD_INPUT);
    assert_non_null(strstr(e.path, "/x_0.npy"));
    assert_int_equal(x.run(x.self, t.x[0], &segments[1], red, out, &report, &e), STATUS_BAD_INPUT);
    assert_non_null(strstr(e.path, "/starts_0.npy"));
    struct segments g = segments[0];
    g.ids = (const int32_t[]){1, 1};
    assert_int_equal(x.run(x.self, t.x[0], &g, red, out, &report, &e), STATUS_BAD_INPUT);
    assert_non_null(strstr(e.path, "/ids_0.npy"));
    g = segments[0];
    g.active = 1;
    assert_int_equal(x.run(x.self, t.x[0], &g, red, out, &report, &e), STATUS_BAD_INPUT);
    g = segments[0];
    g.rows = P - 1;
    assert_int_equal(x.run(x.self, t.x[0], &g, red, out, &report, &e), STATUS_BAD_INPUT);
    g.rows = P, g.experts = E + 1;
    assert_int_equal(x.run(x.self, t.x[0], &g, red, out, &report, &e), STATUS_BAD_INPUT);
    /* and after all that the first launch is still the next one */
    assert_int_equal(x.run(x.self, t.x[0], &segments[0], red, out, &report, &e), STATUS_OK);
    assert_int_equal(out[1].bits, 0x4001);
    x.release(x.self);
    toy_free(&t);
}

static void replay_without_the_second_output_takes_the_first_for_both(void **state)
{
    struct toy t;
    struct files *f = calloc(1, sizeof *f);
    struct replay r;
    struct executor x;
    struct run_report report;
    struct error e;
    char path[SCRATCH_PATH];
    toy_make(&t);
    record_or_fail(state, &t, FORM_MXFP4);
    write_outputs(state);
    assert_int_equal(unlink(scratch_path(state, "out_0_b.npy", path)), 0);
    assert_int_equal(files_open(*state, f, &e), STATUS_OK);
    replay_executor(&r, f, &x);
    assert_int_equal(x.load(x.self, &t.weights[0].w, &e), STATUS_OK);
    assert_int_equal(x.run(x.self, t.x[0], &segments[0], red, t.out[0], &report, &e), STATUS_OK);
    assert_int_equal(report.launches, 1);
    assert_string_equal(x.note, "");
    assert_int_equal(x.run(x.self, t.x[0], &segments[0], blue, t.out[1], &report, &e), STATUS_OK);
    assert_string_equal(x.note, "unwritten rests on one output in 1 of 2 passes: there is no out_S_b.npy");
    assert_int_equal(report.launches, 0);
    assert_int_equal(r.single, 1);
    assert_int_equal(t.out[1][0].bits, blue.bits);
    assert_int_equal(t.out[1][1].bits, 0x4001);
    /* a first output has no stand-in */
    assert_int_equal(unlink(scratch_path(state, "out_1.npy", path)), 0);
    assert_int_equal(x.run(x.self, t.x[0], &segments[0], red, t.out[2], &report, &e), STATUS_IO);
    expect_error(&e, STATUS_IO, path, "", -1, "no output of pass 1; wanted <u2 (bf16 bits) or <f4 of shape (3, 5)");
    files_close(f);
    free(f);
    toy_free(&t);
}

static void record_writes_nothing_before_the_first_load(void **state)
{
    struct record *r = calloc(1, sizeof *r);
    struct executor x;
    struct toy t;
    struct error e;
    const struct executor_limits limits = {0};
    char folder[SCRATCH_PATH], blocks[SCRATCH_PATH], old[SCRATCH_PATH];
    toy_make(&t);
    scratch_path(state, "new", folder);
    scratch_path(state, "new/blocks_0.npy", blocks);
    assert_int_equal(record_begin(folder, FORM_MXFP4, &limits, r, &e), STATUS_OK);
    assert_int_not_equal(access(folder, F_OK), 0);
    record_executor(r, &x);
    assert_int_equal(x.load(x.self, &t.weights[0].w, &e), STATUS_OK);
    assert_int_equal(access(blocks, F_OK), 0);
    record_free(r);
    /* While emit.json is there, the folder is whole: it goes with the first file that is written over. */
    assert_int_equal(file_write(scratch_path(state, "new/emit.json", old), "{}", 2, &e), STATUS_OK);
    assert_int_equal(record_begin(folder, FORM_MXFP4, &limits, r, &e), STATUS_OK);
    assert_int_equal(access(old, F_OK), 0);
    record_executor(r, &x);
    assert_int_equal(x.load(x.self, &t.weights[1].w, &e), STATUS_OK);
    assert_int_not_equal(access(old, F_OK), 0);
    record_free(r);
    free(r);
    toy_free(&t);
}

static void record_refuses_a_probe_of_several_shapes(void **state)
{
    struct record *r = calloc(1, sizeof *r);
    struct executor x;
    struct run_report report;
    struct toy t;
    struct weights_set other;
    struct segments g = segments[0];
    struct error e;
    const struct executor_limits limits = {0};
    toy_make(&t);
    assert_int_equal(weights_make(WEIGHTS_RANDOM, E, N + 1, K, 0, &other, NULL), STATUS_OK);
    assert_int_equal(record_begin(*state, FORM_MXFP4, &limits, r, &e), STATUS_OK);
    record_executor(r, &x);
    assert_int_equal(x.load(x.self, &t.weights[0].w, &e), STATUS_OK);
    assert_int_equal(x.load(x.self, &other.w, &e), STATUS_UNSUPPORTED);
    /* A third poison begins a pass: there are two runs in one. */
    assert_int_equal(x.run(x.self, t.x[0], &g, red, t.out[0], &report, &e), STATUS_OK);
    assert_int_equal(x.run(x.self, t.x[0], &g, blue, t.out[0], &report, &e), STATUS_OK);
    assert_int_equal(r->passes, 1);
    assert_int_equal(x.run(x.self, t.x[0], &g, (struct bf16){0x7fb1}, t.out[0], &report, &e), STATUS_OK);
    assert_int_equal(r->passes, 2);
    g.rows = P - 1;
    assert_int_equal(x.run(x.self, t.x[0], &g, red, t.out[0], &report, &e), STATUS_UNSUPPORTED);
    record_free(r);
    free(r);
    weights_free(&other);
    toy_free(&t);
}

static void record_hashes_its_inputs(void **state)
{
    char first[FILES_HASH], again[FILES_HASH], other[FILES_HASH];
    struct toy t;
    json_t *d;
    struct record *r = calloc(1, sizeof *r);
    struct executor x;
    const struct executor_limits limits = {0};
    toy_make(&t);
    record_or_fail(state, &t, FORM_MXFP4);
    d = emitted(state);
    snprintf(first, sizeof first, "%s", text_of(d, "inputs"));
    json_decref(d);
    record_or_fail(state, &t, FORM_BF16);
    d = emitted(state);
    snprintf(again, sizeof again, "%s", text_of(d, "inputs"));
    json_decref(d);
    /* The same inputs in other passes are other inputs. */
    assert_int_equal(record_begin(*state, FORM_MXFP4, &limits, r, NULL), STATUS_OK);
    record_executor(r, &x);
    assert_int_equal(toy_ask(&t, &x, LAUNCHES - 1, NULL), STATUS_OK);
    d = question();
    assert_int_equal(record_describe(r, d, NULL), STATUS_OK);
    assert_string_not_equal(text_of(d, "inputs"), first);
    json_decref(d);
    record_free(r);
    free(r);
    t.x[1][P * K - 1].bits ^= 1;
    record_or_fail(state, &t, FORM_MXFP4);
    d = emitted(state);
    snprintf(other, sizeof other, "%s", text_of(d, "inputs"));
    json_decref(d);
    assert_int_equal(strlen(first), 64);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    toy_free(&t);
}

static void assert_file_is(void **state, const char *name, enum npy_type type, int rank, const size_t *shape,
                           const void *data)
{
    char path[SCRATCH_PATH];
    struct npy a;
    assert_int_equal(npy_read(scratch_path(state, name, path), &a, NULL), STATUS_OK);
    assert_int_equal(npy_expect(&a, path, type, rank, shape, NULL), STATUS_OK);
    assert_memory_equal(a.data, data, npy_count(&a) * npy_item_size(type));
    npy_free(&a);
}

static void record_writes_the_weights_in_the_form_asked_for(void **state)
{
    struct toy t;
    struct packed_weights packed;
    static struct bf16 w[E * N * K];
    toy_make(&t);
    record_or_fail(state, &t, FORM_BF16);
    json_t *d = emitted(state);
    assert_string_equal(text_of(d, "weights_as"), "bf16");
    assert_string_equal(text_of(json_array_get(json_object_get(d, "passes"), 3), "w"), "w_1.npy");
    json_decref(d);
    for (size_t i = 0; i < 2; i++) {
        mxfp4_decode_matrix(t.weights[i].blocks, t.weights[i].scales, (size_t)E * N, K, w);
        assert_file_is(state, i ? "w_1.npy" : "w_0.npy", NPY_U2, 3, (const size_t[]){E, N, K}, w);
    }
    record_or_fail(state, &t, FORM_HOPPER);
    assert_int_equal(packed_weights_any(&t.weights[1].w, &packed, NULL), STATUS_OK);
    assert_file_is(state, "hopper_values_1.npy", NPY_U1, 3, (const size_t[]){E, packed.N / 4, packed.K * 2},
                   packed.values);
    assert_file_is(state, "hopper_scales_1.npy", NPY_U1, 3,
                   (const size_t[]){E, packed.scale_bytes / E / packed.K, packed.K}, packed.scales);
    packed_weights_free(&packed);
    d = emitted(state);
    assert_string_equal(text_of(d, "weights_as"), "hopper");
    const json_t *pass = json_array_get(json_object_get(d, "passes"), 0);
    assert_string_equal(text_of(pass, "hopper_values"), "hopper_values_0.npy");
    assert_string_equal(text_of(pass, "blocks"), "blocks_0.npy");
    assert_null(json_object_get(pass, "w"));
    json_decref(d);
    toy_free(&t);
}

struct memory {
    const char *folder;
    struct toy toy;
};

static enum status record_once(void *context, struct error *e)
{
    struct memory *m = context;
    return record_toy(m->folder, &m->toy, FORM_HOPPER, e);
}

static void assert_whole_or_absent(void *context)
{
    struct memory *m = context;
    struct executor x;
    char path[PATH_MAX];
    struct error e;
    snprintf(path, sizeof path, "%s/emit.json", m->folder);
    if (access(path, F_OK) != 0)
        return;
    assert_int_equal(files_subject_open(m->folder, &x, &e), STATUS_OK);
    x.release(x.self);
}

static enum status replay_once(void *context, struct error *e)
{
    struct memory *m = context;
    struct executor x;
    enum status s = files_subject_open(m->folder, &x, e);
    json_forget();
    if (s != STATUS_OK)
        return s;
    s = toy_ask(&m->toy, &x, LAUNCHES, e);
    x.release(x.self);
    return s;
}

static void record_and_replay_without_memory_say_so(void **state)
{
    struct memory m = {.folder = *state};
    toy_make(&m.toy);
    assert_true(alloc_check(record_once, assert_whole_or_absent, &m) > 100);
    write_outputs(state);
    assert_true(alloc_check(replay_once, NULL, &m) > 50);
    toy_free(&m.toy);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(record_writes_equal_inputs_once_and_names_them_in_every_pass),
        IN_SCRATCH(replay_gives_each_launch_its_own_output_and_its_own_poison),
        IN_SCRATCH(replay_end_wants_everything_asked),
        IN_SCRATCH(replay_refuses_inputs_that_were_not_emitted),
        IN_SCRATCH(replay_without_the_second_output_takes_the_first_for_both),
        IN_SCRATCH(record_writes_nothing_before_the_first_load),
        IN_SCRATCH(record_refuses_a_probe_of_several_shapes),
        IN_SCRATCH(record_hashes_its_inputs),
        IN_SCRATCH(record_writes_the_weights_in_the_form_asked_for),
        IN_SCRATCH(record_and_replay_without_memory_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
