/* files: emit and score, with a kernel that is the reference itself, right or spoiled in one way. */
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/answer/answer.h"
#include "oracle/exec/files.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "reference/matmul.h"
#include "reference/number.h"
#include "tests/support/alloc.h"
#include "tests/support/scratch.h"

enum { P = 9, N = 7, K = 64 }; /* N of no tile: what only the production kernel wants is not asked of others */

static void emit(void **state, int historical)
{
    const struct fo_emit_options o = {
        .P = P, .N = N, .K = K, .weights = {.kind = "random", .seed = 3}, .historical = historical, .out = *state};
    struct fo_answer answer;
    struct fo_error error;
    if (fo_emit(&o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    assert_int_equal(answer.verdict, FO_NOT_APPLICABLE);
    fo_answer_free(&answer);
}

static struct npy read_array(void **state, const char *name)
{
    char path[SCRATCH_PATH];
    struct npy a;
    struct error e;
    if (npy_read(scratch_path(state, name, path), &a, &e) != STATUS_OK)
        fail_msg("%s: %s", e.path, e.why);
    return a;
}

static void write_array(void **state, const char *name, const struct npy *a)
{
    char path[SCRATCH_PATH];
    assert_int_equal(npy_write(scratch_path(state, name, path), a->type, a->rank, a->shape, a->data, NULL), STATUS_OK);
}

/* The product of pass `pass`, from nothing but the emitted files. */
static void product(void **state, size_t pass, int special, struct bf16 out[P * N])
{
    char name[32];
    snprintf(name, sizeof name, "x_%zu.npy", pass);
    struct npy x = read_array(state, name), starts = read_array(state, "starts_0.npy"),
               ids = read_array(state, "ids_0.npy");
    struct npy blocks = read_array(state, special ? "blocks_1.npy" : "blocks_0.npy");
    struct npy scales = read_array(state, special ? "scales_1.npy" : "scales_0.npy");
    struct weights w = {blocks.shape[0], N, K, blocks.data, scales.data};
    struct segments s = {P, w.experts, ids.shape[0], starts.data, ids.data};
    uint32_t status_word;
    assert_int_equal(matmul_grouped(x.data, &s, &w, out, &status_word, NULL), STATUS_OK);
    assert_int_equal(status_word, 0);
    npy_free(&x);
    npy_free(&starts);
    npy_free(&ids);
    npy_free(&blocks);
    npy_free(&scales);
}

enum form { AS_U2, AS_F4, AS_F4_UNROUNDED };

static void write_output(void **state, size_t pass, int second, enum form form, const struct bf16 out[P * N])
{
    char name[32];
    float wide[P * N];
    struct npy a = {form == AS_U2 ? NPY_U2 : NPY_F4, 2, {P, N}, NULL};
    for (size_t i = 0; i < P * N; i++) {
        /* Less than half of the last place away, so that it rounds to what it was. */
        uint32_t bits = (uint32_t)out[i].bits << 16;
        wide[i] = f32_from_bits(
            form == AS_F4_UNROUNDED && !bf16_is_nan(out[i]) && isfinite(bf16_decode(out[i])) ? bits + 0x7fff : bits);
    }
    a.data = form == AS_U2 ? (void *)out : (void *)wide;
    snprintf(name, sizeof name, second ? "out_%zu_b.npy" : "out_%zu.npy", pass);
    write_array(state, name, &a);
}

static size_t passes_of(void **state)
{
    char path[SCRATCH_PATH];
    json_t *document;
    assert_int_equal(json_read(scratch_path(state, "emit.json", path), FILES_SCHEMA, &document, NULL), STATUS_OK);
    size_t passes = json_array_size(json_object_get(document, "passes"));
    json_decref(document);
    return passes;
}

/* Every output right, twice. */
static void run_kernel(void **state, enum form form)
{
    size_t passes = passes_of(state);
    for (size_t pass = 0; pass < passes; pass++) {
        struct bf16 out[P * N];
        product(state, pass, passes > 1 && pass + 1 == passes, out);
        write_output(state, pass, 0, form, out);
        write_output(state, pass, 1, form, out);
    }
}

static json_t *score(void **state, enum fo_verdict verdict)
{
    const struct fo_score_options o = {*state, NULL};
    struct fo_answer answer;
    struct fo_error error;
    if (fo_score(&o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    if (answer.verdict != verdict)
        fail_msg("%s", answer.text);
    json_t *document = json_loads(answer.json, 0, NULL);
    assert_non_null(document);
    fo_answer_free(&answer);
    return document;
}

static json_int_t hits_of(const json_t *document, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(json_object_get(document, "scores"), name), "hits"));
}

static void assert_score_refuses(void **state, const char *why)
{
    const struct fo_score_options o = {*state, NULL};
    struct fo_answer answer;
    struct fo_error error;
    assert_int_not_equal(fo_score(&o, &answer, &error), 0);
    if (strncmp(error.line, *state, strlen(*state)) != 0 || !strstr(error.line, why))
        fail_msg("\"%s\" does not say \"%s\"", error.line, why);
}

static void score_of_the_right_outputs_conforms_in_every_form(void **state)
{
    emit(state, 0);
    assert_true(passes_of(state) > 2);
    for (enum form form = AS_U2; form <= AS_F4_UNROUNDED; form++) {
        run_kernel(state, form);
        json_t *d = score(state, FO_CONFORMS);
        assert_string_equal(json_string_value(json_object_get(d, "executor")), "files");
        assert_string_equal(json_string_value(json_object_get(d, "fidelity")), "unstated");
        assert_int_equal(json_array_size(json_object_get(d, "notes")), 0);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(d, "kernel"), "launches")),
                         2 * passes_of(state));
        json_decref(d);
    }
}

/* A folder as it was before passes named their segments and inputs had a hash. */
static void score_of_an_older_folder_conforms(void **state)
{
    static const char *const later[] = {"inputs", "limits", "weights_as"};
    char path[SCRATCH_PATH];
    json_t *document;
    emit(state, 0);
    run_kernel(state, AS_U2);
    assert_int_equal(json_read(scratch_path(state, "emit.json", path), FILES_SCHEMA, &document, NULL), STATUS_OK);
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        assert_int_equal(json_object_del(document, later[i]), 0);
    json_t *passes = json_object_get(document, "passes");
    assert_true(json_array_size(passes) > 2);
    for (size_t i = 0; i < json_array_size(passes); i++) {
        assert_int_equal(json_object_del(json_array_get(passes, i), "starts"), 0);
        assert_int_equal(json_object_del(json_array_get(passes, i), "ids"), 0);
        assert_int_equal(json_is_true(json_object_get(json_array_get(passes, i), "special")),
                         i + 1 == json_array_size(passes));
    }
    assert_int_equal(json_write(path, document, NULL), STATUS_OK);
    json_decref(document);
    json_decref(score(state, FO_CONFORMS));
}

static void score_of_one_wrong_bit_differs_there(void **state)
{
    struct bf16 out[P * N];
    emit(state, 0);
    run_kernel(state, AS_U2);
    product(state, 1, 0, out);
    out[4 * N + 5].bits ^= 1;
    write_output(state, 1, 0, AS_U2, out);
    write_output(state, 1, 1, AS_U2, out);
    json_t *d = score(state, FO_DIFFERS);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(d, "scores"), "differing")), 1);
    assert_int_equal(json_integer_value(json_object_get(d, "worst_pass")), 1);
    json_decref(d);
}

static void score_finds_what_was_never_written(void **state)
{
    static const enum form forms[] = {AS_U2, AS_F4};
    emit(state, 1);
    for (int i = 0; i < 2; i++) {
        /* The last row, left as it was: with both poisons, then known from one output alone. */
        struct bf16 out[P * N];
        product(state, 0, 0, out);
        for (int second = 1; second >= 0; second--) {
            for (size_t n = 0; n < N; n++)
                out[(P - 1) * N + n].bits = second ? FILES_POISON_B : FILES_POISON_A;
            write_output(state, 0, second, forms[i], out);
        }
        json_t *d = score(state, FO_DIFFERS);
        assert_int_equal(hits_of(d, "unwritten"), N);
        assert_int_equal(json_array_size(json_object_get(d, "notes")), 0);
        json_decref(d);

        char path[SCRATCH_PATH];
        assert_int_equal(unlink(scratch_path(state, "out_0_b.npy", path)), 0);
        d = score(state, FO_DIFFERS);
        assert_int_equal(hits_of(d, "unwritten"), N);
        assert_int_equal(json_array_size(json_object_get(d, "notes")), 1);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(d, "kernel"), "launches")), 1);
        json_decref(d);
    }
}

static void score_refuses_inputs_that_are_not_those_emitted(void **state)
{
    static const char *const inputs[] = {"x_0.npy",   "x_2.npy",      "starts_0.npy",
                                         "ids_0.npy", "blocks_1.npy", "scales_1.npy"};
    emit(state, 0);
    run_kernel(state, AS_U2);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct npy a = read_array(state, inputs[i]);
        ((uint8_t *)a.data)[npy_count(&a) * npy_item_size(a.type) - 1] ^= 1;
        write_array(state, inputs[i], &a);
        char why[64];
        snprintf(why, sizeof why, "%s: not what this program emits", inputs[i]);
        assert_score_refuses(state, why);
        ((uint8_t *)a.data)[npy_count(&a) * npy_item_size(a.type) - 1] ^= 1;
        write_array(state, inputs[i], &a);
        npy_free(&a);
    }
    json_decref(score(state, FO_CONFORMS));

    /* Weights are taken as they lie there, so that other weights are another answer. */
    struct npy a = read_array(state, "blocks_0.npy");
    memset(a.data, 0x77, npy_count(&a));
    write_array(state, "blocks_0.npy", &a);
    npy_free(&a);
    json_decref(score(state, FO_DIFFERS));
}

static void score_refuses_an_emit_json_that_does_not_hold(void **state)
{
    char path[SCRATCH_PATH];
    const struct {
        const char *in, *member;
        json_t *value; /* NULL: removed */
        const char *why;
    } changes[] = {
        {NULL, "schema", json_string("x"), "emit.json: schema is 'x'"},
        {NULL, "poison", NULL, "emit.json: Object item not found: poison"},
        {NULL, "poison", json_pack("[{s:i}, {s:i}]", "bits", 5, "bits", 5), "emit.json: poison: wanted two different"},
        {NULL, "poison", json_pack("[{s:i}, {s:i}]", "bits", 5, "bits", 65536),
         "emit.json: poison: wanted two different"},
        {NULL, "passes", json_array(), "emit.json: passes: wanted a list of passes"},
        {NULL, "passes", json_pack("[{s:s}]", "x", "x_0.npy"), "emit.json: passes[0]: wanted names of files here"},
        {NULL, "passes",
         json_pack("[{s:s, s:s, s:s, s:[s]}]", "x", "../x_0.npy", "blocks", "blocks_0.npy", "scales", "scales_0.npy",
                   "out", "out_0.npy"),
         "emit.json: passes[0]: wanted names of files here"},
        {NULL, "passes",
         json_pack("[{s:s, s:s, s:s, s:[s]}]", "x", ".", "blocks", "blocks_0.npy", "scales", "scales_0.npy", "out",
                   "out_0.npy"),
         "emit.json: passes[0]: wanted names of files here"},
        {NULL, "seed", json_integer(-1), "emit.json: seed: wanted a number from 0"},
        {NULL, "probe", json_string("guess"), "unknown probe 'guess'; legal: identity"},
        {NULL, "seed", json_integer(4), "blocks_1.npy: not what this program emits"},
        {"shape", "P", json_integer(0), "emit.json: shape: "},
        {"shape", "K", json_integer(65), "emit.json: shape: "},
        {"shape", "K", json_integer(96), "blocks_0.npy: wanted |u1 (8, 7, 3, 16), found |u1 (8, 7, 2, 16)"},
        {"shape", "experts", json_integer(1), "blocks_0.npy: wanted |u1 (1, 7, 2, 16)"},
        {"shape", "segments", json_integer(1), "starts_0.npy: wanted <u4 (2,)"},
        {"shape", "N", json_integer(INT64_MAX), "emit.json: shape: "},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        json_t *document, *whole;
        emit(state, 0);
        run_kernel(state, AS_U2);
        assert_int_equal(json_read(scratch_path(state, "emit.json", path), NULL, &document, NULL), STATUS_OK);
        whole = json_deep_copy(document);
        json_t *object = changes[i].in ? json_object_get(document, changes[i].in) : document;
        assert_int_equal(changes[i].value ? json_object_set_new(object, changes[i].member, changes[i].value)
                                          : json_object_del(object, changes[i].member),
                         0);
        assert_int_equal(json_write(path, document, NULL), STATUS_OK);
        assert_score_refuses(state, changes[i].why);
        assert_int_equal(json_write(path, whole, NULL), STATUS_OK);
        json_decref(whole);
        json_decref(document);
        for (size_t pass = 0, passes = passes_of(state); pass < passes; pass++) {
            char name[32];
            snprintf(name, sizeof name, "out_%zu.npy", pass);
            assert_int_equal(unlink(scratch_path(state, name, path)), 0);
            snprintf(name, sizeof name, "out_%zu_b.npy", pass);
            assert_int_equal(unlink(scratch_path(state, name, path)), 0);
        }
    }
}

static void emit_without_scales_leaves_the_special_pass_out_and_says_so(void **state)
{
    const struct fo_emit_options o = {.P = P, .N = N, .K = K, .dense = 1, .no_scales = 1, .out = *state};
    struct fo_answer answer;
    struct fo_error error;
    struct bf16 out[P * N];
    if (fo_emit(&o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    fo_answer_free(&answer);
    struct npy blocks = read_array(state, "blocks_0.npy"), scales = read_array(state, "scales_0.npy");
    assert_int_equal(blocks.shape[0], 1);
    for (size_t i = 0; i < N * K / 32; i++)
        assert_int_equal(((const uint8_t *)scales.data)[i], 127);
    npy_free(&blocks);
    npy_free(&scales);
    size_t passes = passes_of(state);
    assert_true(passes > 1);
    for (size_t pass = 0; pass < passes; pass++) {
        product(state, pass, 0, out);
        write_output(state, pass, 0, AS_U2, out);
    }
    json_t *document = score(state, FO_CONFORMS), *notes = json_object_get(document, "notes");
    char wanted[300];
    snprintf(wanted, sizeof wanted,
             "not applicable: experts and segments (a dense product); block scales (all are 1); the special pass; "
             "unwritten rests on one output in %zu of %zu passes: there is no out_S_b.npy",
             passes, passes);
    assert_int_equal(json_array_size(notes), 1);
    assert_string_equal(json_string_value(json_array_get(notes, 0)), wanted);
    json_decref(document);
}

static void write_run(void **state, const char *text)
{
    char path[SCRATCH_PATH];
    assert_int_equal(file_write(scratch_path(state, "run.json", path), text, strlen(text), NULL), STATUS_OK);
}

static void score_hands_on_what_the_user_states_about_the_run(void **state)
{
    emit(state, 1);
    run_kernel(state, AS_U2);
    write_run(state, "{\"kernel\": \"mine\", \"device\": \"that one\", \"fidelity\": \"hardware\"}");
    json_t *d = score(state, FO_CONFORMS);
    const json_t *machine = json_object_get(d, "machine");
    assert_string_equal(json_string_value(json_object_get(d, "fidelity")), "hardware");
    assert_string_equal(json_string_value(json_object_get(json_object_get(d, "kernel"), "name")), "mine");
    assert_string_equal(json_string_value(json_object_get(machine, "device")), "that one");
    assert_string_equal(json_string_value(json_object_get(machine, "fidelity")), "hardware");
    json_decref(d);

    write_run(state, "{\"kernel\": \"mine\"}");
    d = score(state, FO_CONFORMS);
    assert_string_equal(json_string_value(json_object_get(d, "fidelity")), "unstated");
    json_decref(d);
    write_run(state, "{\"fidelity\": \"very good\"}");
    assert_score_refuses(state, "run.json: fidelity: wanted hardware");
    write_run(state, "{\"kernel\": 3}");
    assert_score_refuses(state, "run.json: ");
    write_run(state, "[]");
    assert_score_refuses(state, "run.json: ");
    write_run(state, "{");
    assert_score_refuses(state, "run.json: ");
}

static void emit_refuses_to_write_beside_outputs(void **state)
{
    const struct fo_emit_options o = {
        .P = P, .N = N, .K = K, .weights = {.kind = "random"}, .historical = 1, .out = *state};
    struct fo_answer answer;
    struct fo_error error;
    emit(state, 1);
    emit(state, 1); /* again is fine while no kernel ran */
    run_kernel(state, AS_U2);
    assert_int_not_equal(fo_emit(&o, &answer, &error), 0);
    assert_non_null(strstr(error.line, "out_0.npy: an output of an earlier run lies there"));
    json_decref(score(state, FO_CONFORMS));
}

static enum status emit_once(void *context, struct error *e)
{
    const struct fo_emit_options o = {
        .P = P, .N = N, .K = K, .weights = {.kind = "random"}, .historical = 1, .out = context};
    struct fo_answer answer;
    struct fo_error error;
    int failed = fo_emit(&o, &answer, &error);
    if (!failed)
        fo_answer_free(&answer);
    else
        error_set(e, (enum status)failed, "%s", error.line);
    return (enum status)failed;
}

/* emit.json comes last: where it is, only the answer about it can have failed. */
static void assert_whole_if_it_says_so(void *context)
{
    char path[SCRATCH_PATH];
    scratch_path(&context, "emit.json", path);
    if (access(path, F_OK) != 0)
        return;
    run_kernel(&context, AS_U2);
    json_decref(score(&context, FO_CONFORMS));
    for (size_t pass = 0, passes = passes_of(&context); pass < 2 * passes; pass++) {
        char name[32];
        snprintf(name, sizeof name, pass % 2 ? "out_%zu_b.npy" : "out_%zu.npy", pass / 2);
        assert_int_equal(unlink(scratch_path(&context, name, path)), 0);
    }
}

static void emit_without_memory_says_so_and_leaves_no_half_folder(void **state)
{
    assert_true(alloc_check(emit_once, assert_whole_if_it_says_so, *state) > 100);
    run_kernel(state, AS_U2);
    json_decref(score(state, FO_CONFORMS));
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(score_of_the_right_outputs_conforms_in_every_form),
        IN_SCRATCH(score_of_an_older_folder_conforms),
        IN_SCRATCH(score_of_one_wrong_bit_differs_there),
        IN_SCRATCH(score_finds_what_was_never_written),
        IN_SCRATCH(score_refuses_inputs_that_are_not_those_emitted),
        IN_SCRATCH(score_refuses_an_emit_json_that_does_not_hold),
        IN_SCRATCH(emit_without_scales_leaves_the_special_pass_out_and_says_so),
        IN_SCRATCH(score_hands_on_what_the_user_states_about_the_run),
        IN_SCRATCH(emit_refuses_to_write_beside_outputs),
        IN_SCRATCH(emit_without_memory_says_so_and_leaves_no_half_folder),
    };
    omp_set_num_threads(1); /* allocations are counted, and made to fail, in one thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
