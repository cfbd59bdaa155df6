/* coded: the answer of a coded probe, field by field, its files, and its picture. */
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/coded.h"
#include "oracle/answer/coded_picture.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "tests/support/alloc.h"
#include "tests/support/scratch.h"
#include "tests/support/synthetic.h"

static const struct fo_probe_options plain = {.kind = "coded", .pass = -1, .on = "model", .P = 16, .N = 16, .K = 64};

static json_t *probe(const struct fo_probe_options *o, enum fo_verdict verdict, char **text)
{
    struct fo_answer answer;
    struct fo_error error;
    if (fo_probe(o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    assert_int_equal(answer.verdict, verdict);
    json_t *document = json_loads(answer.json, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    if (text) {
        *text = answer.text;
        answer.text = NULL;
    }
    fo_answer_free(&answer);
    return document;
}

/* "a.b.c" of a document. */
static const json_t *member(const json_t *document, const char *path)
{
    char name[64];
    while (document && *path) {
        size_t length = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        document = json_object_get(document, name);
        path += length + (path[length] == '.');
    }
    assert_non_null(document);
    return document;
}

static json_int_t integer(const json_t *document, const char *path)
{
    assert_true(json_is_integer(member(document, path)));
    return json_integer_value(member(document, path));
}

static const char *string(const json_t *document, const char *path)
{
    assert_true(json_is_string(member(document, path)));
    return json_string_value(member(document, path));
}

static void probe_coded_of_the_production_kernel_conforms(void **state)
{
    (void)state;
    char *text;
    json_t *d = probe(&plain, FO_CONFORMS, &text);
    assert_string_equal(string(d, "schema"), "fragoracle.coded/1");
    assert_string_equal(string(d, "probe"), "coded");
    assert_string_equal(string(d, "subject"), "rs");
    assert_string_equal(string(d, "executor"), "model");
    assert_string_equal(string(d, "fidelity"), "bit-exact model");
    assert_string_equal(string(d, "verdict"), "conforms");
    assert_string_equal(string(d, "repeat"),
                        "fragoracle probe coded --subject rs --shape 16,16,64 --seed 0 --on model");
    json_int_t observations = integer(d, "sweeps") * 16 * 16;
    assert_true(observations > 0);
    assert_int_equal(integer(d, "scores.value.right"), observations);
    assert_int_equal(integer(d, "scores.scale.right"), observations);
    assert_int_equal(integer(d, "scores.row.right"), observations);
    assert_int_equal(integer(d, "scores.value.moved"), 0);
    assert_int_equal(integer(d, "shape.experts"), 8);
    assert_int_equal(integer(d, "shape.segments"), 5);
    assert_int_equal(json_array_size(member(d, "segments.starts")), 6);
    assert_int_equal(json_array_size(member(d, "segments.ids")), 5);
    assert_int_equal(integer(d, "passes"), integer(d, "planes.unit") + integer(d, "planes.value") +
                                               integer(d, "planes.scale") + integer(d, "planes.row") +
                                               integer(d, "planes.pair") + integer(d, "planes.special") +
                                               integer(d, "planes.dense"));
    assert_int_equal(integer(d, "planes.special"), 1);
    assert_int_equal(integer(d, "special.compared"), integer(d, "dense.compared"));
    assert_int_equal(integer(d, "special.differing"), 0);
    assert_int_equal(integer(d, "launches"), integer(d, "kernel.launches"));
    assert_int_equal(integer(d, "kernel.wgmma"), integer(d, "kernel.wgmma_expected"));
    assert_int_equal(integer(d, "dense.compared"), 256);
    assert_int_equal(integer(d, "dense.differing") + integer(d, "pair.differing"), 0);
    assert_int_equal(integer(d, "guard.status_word"), 2);
    assert_int_equal(integer(d, "guard.wrong"), 0);
    assert_true(json_is_true(member(d, "repeats")));
    assert_string_equal(string(d, "machine.executor"), "model");
    assert_non_null(strstr(text, "verdict: conforms\n"));
    assert_null(strstr(text, "first wrong"));
    free(text);
    json_decref(d);
}

static void probe_coded_of_a_planted_fault_names_the_first_wrong_source(void **state)
{
    (void)state;
    struct fo_probe_options o = plain;
    char *text;
    o.subject = "rs+F02";
    json_t *d = probe(&o, FO_DIFFERS, &text);
    assert_true(integer(d, "scores.value.moved") > 0);
    /* Row 0 is of expert 3 and asks for k 0 first; registers 1 and 2 are exchanged. */
    assert_non_null(strstr(text, "first wrong value: sweep 0, out[0][8], asked for k 0: expert 3, n 0, k 8\n"));
    free(text);
    json_decref(d);
    o.subject = "rs+F11";
    json_decref(probe(&o, FO_DIFFERS, &text));
    assert_non_null(strstr(text, "first wrong value: sweep 0, out[0][1], asked for k 0: zero\n"));
    free(text);
}

static void probe_coded_writes_its_folder(void **state)
{
    struct fo_probe_options o = plain;
    char out[SCRATCH_PATH], path[SCRATCH_PATH];
    static const char *const arrays[] = {"out/value.npy", "out/scale.npy", "out/row.npy", "out/columns.npy"};
    json_t *written;
    o.subject = "rs+F01";
    o.out = scratch_path(state, "out", out);
    json_t *d = probe(&o, FO_DIFFERS, NULL);
    assert_int_equal(json_read(scratch_path(state, "out/scores.json", path), CODED_SCHEMA, &written, NULL), STATUS_OK);
    assert_true(json_equal(d, written));
    size_t sweeps = (size_t)integer(d, "sweeps"), right = 0;
    for (size_t i = 0; i < 4; i++) {
        struct npy a;
        size_t shape[] = {sweeps, 16, 16};
        scratch_path(state, arrays[i], path);
        assert_int_equal(npy_read(path, &a, NULL), STATUS_OK);
        assert_int_equal(npy_expect(&a, path, NPY_U4, i == 3 ? 2 : 3, shape, NULL), STATUS_OK);
        for (size_t j = 0; i == 2 && j < npy_count(&a); j++)
            right += ((const uint32_t *)a.data)[j] == j / 16 % 16;
        npy_free(&a);
    }
    assert_int_equal(right, sweeps * 15 * 16); /* one row that no segment covers */
    uint8_t *bytes;
    size_t size;
    assert_int_equal(file_read(scratch_path(state, "out/source_map.png", path), 0, &bytes, &size, NULL), STATUS_OK);
    assert_memory_equal(bytes, "\x89PNG\r\n\x1a\n", 8);
    free(bytes);
    json_decref(written);
    json_decref(d);
}

static void assert_refused(const struct fo_probe_options *o, const char *why)
{
    struct fo_answer answer = {.text = (char *)"untouched"};
    struct fo_error error;
    assert_int_not_equal(fo_probe(o, &answer, &error), 0);
    assert_string_equal(answer.text, "untouched");
    if (!strstr(error.line, why) || strchr(error.line, '\n'))
        fail_msg("\"%s\" does not say \"%s\" in one line", error.line, why);
}

static void probe_coded_refuses_what_belongs_to_identity(void **state)
{
    (void)state;
    struct fo_probe_options o = plain;
    o.historical = 1;
    assert_refused(&o, "--historical");
    o = plain, o.pass = 0;
    assert_refused(&o, "--pass belong to identity");
    o = plain, o.weights.kind = "random";
    assert_refused(&o, "--weights");
    o = plain, o.weights.tensor = "x";
    assert_refused(&o, "--tensor");
    o = plain, o.weights.expert = 1;
    assert_refused(&o, "--expert");
    o = plain, o.weights.seed = UINT64_MAX;
    assert_refused(&o, "seed 18446744073709551615");
    o = plain, o.N = 0;
    assert_refused(&o, "shape 16,0,64: wanted 1 to 2147483647 each");
    o = plain, o.K = 1ull << 40;
    assert_refused(&o, "wanted 1 to 2147483647 each");
    o = plain, o.N = 24;
    assert_refused(&o, "N % 16 == 0 and K % 64 == 0, not N = 24, K = 64");
    o = plain, o.N = 2147483632, o.K = 2147483584;
    assert_refused(&o, "more than 32 bits can name");
    o = plain, o.kind = "colour";
    assert_refused(&o, "unknown probe 'colour'; legal: identity, coded");
}

/* ---- an answer that is made here -------------------------------------------------------------------------------- */

static const uint32_t starts[] = {0, 2, 7};
static const int32_t ids[] = {1, 0};
static const struct segments segments = {8, 2, 2, starts, ids};
static const struct coded_case made = {"made", "fake", "approximate", 8,    6,    32,
                                       2,      0,      "again",       NULL, NULL, "a note of the subject"};

static void result_make(synthetic_rule *rule, void *context, struct coded_result *r)
{
    *r = (struct coded_result){.scale_planes = 1, .repeats = true, .pair_count = 1, .dense_count = 1};
    synthetic_map(&segments, 6, 32, false, rule, context, &r->map);
}

static enum fo_verdict answer_of(const struct coded_result *r, const char *says)
{
    struct fo_answer answer;
    struct error e;
    assert_int_equal(coded_answer(&made, r, NULL, &answer, &e), STATUS_OK);
    enum fo_verdict verdict = answer.verdict;
    assert_non_null(strstr(answer.text, "note          a note of the subject\n"));
    assert_non_null(strstr(answer.json, "\"a note of the subject\""));
    if (says && !strstr(answer.text, says))
        fail_msg("\"%s\" does not say \"%s\"", answer.text, says);
    fo_answer_free(&answer);
    return verdict;
}

static void coded_answer_says_what_keeps_it_from_conforming(void **state)
{
    (void)state;
    struct coded_result r;
    result_make(NULL, NULL, &r);
    assert_int_equal(answer_of(&r, "verdict: conforms"), FO_CONFORMS);
    r.repeats = false;
    assert_int_equal(answer_of(&r, "NOT the same bits"), FO_DIFFERS);
    r.repeats = true, r.scaled = 3;
    assert_int_equal(answer_of(&r, "3 values came with a factor that is not 1"), FO_DIFFERS);
    r.scaled = 0, r.miscounted = 2;
    assert_int_equal(answer_of(&r, "2 launches counted another number of wgmma"), FO_DIFFERS);
    r.miscounted = 0, r.report.status_word = 4;
    assert_int_equal(answer_of(&r, "status word   4, although no segment is bad"), FO_DIFFERS);
    r.report.status_word = 0, r.pair_differing = 1;
    assert_int_equal(answer_of(&r, "1 of 1 products differ"), FO_DIFFERS);
    r.pair_differing = 0, r.dense_differing = 1;
    assert_int_equal(answer_of(&r, "1 of 1 sums differ"), FO_DIFFERS);
    r.dense_differing = 0, r.guard = (struct coded_guard){.asked = true, .wrong = 5};
    assert_int_equal(answer_of(&r, "5 of 8 rows wrong"), FO_DIFFERS);
    r.guard = (struct coded_guard){.asked = true, .status_wanted = 2};
    assert_int_equal(answer_of(&r, "but this subject tells none"), FO_CONFORMS);
    r.guard.status_told = true;
    assert_int_equal(answer_of(&r, "status word 0 (wanted 2)"), FO_DIFFERS);
    r.guard.asked = false, r.scale_planes = 0;
    assert_int_equal(answer_of(&r, "scale     not applicable"), FO_CONFORMS);
    coded_result_free(&r);
}

static void coded_answer_of_a_subject_that_broke_differs(void **state)
{
    char out[SCRATCH_PATH], path[SCRATCH_PATH];
    struct coded_case c = made;
    struct fo_answer answer;
    struct error e;
    json_t *written;
    c.broke = "it wrote where it must not";
    assert_int_equal(coded_answer(&c, NULL, scratch_path(state, "broke", out), &answer, &e), STATUS_OK);
    assert_int_equal(answer.verdict, FO_DIFFERS);
    assert_non_null(strstr(answer.text, "it wrote where it must not"));
    assert_int_equal(json_read(scratch_path(state, "broke/scores.json", path), CODED_SCHEMA, &written, NULL),
                     STATUS_OK);
    assert_string_equal(string(written, "broke"), "it wrote where it must not");
    assert_string_equal(string(written, "verdict"), "differs");
    assert_null(json_object_get(written, "scores"));
    json_decref(written);
    fo_answer_free(&answer);
}

static enum status breaks_load(void *self, const struct weights *w, struct error *e)
{
    (void)self, (void)w;
    return error_set(e, STATUS_SUBJECT, "it crashed");
}

static void coded_ask_turns_a_break_into_an_answer(void **state)
{
    (void)state;
    struct machine machine;
    struct executor x = {.name = "fake", .subject = "breaks", .load = breaks_load};
    struct fo_answer answer;
    struct error e;
    machine_model(&machine);
    assert_int_equal(coded_ask(&plain, &machine, &x, &answer, &e), STATUS_OK);
    assert_int_equal(answer.verdict, FO_DIFFERS);
    assert_non_null(strstr(answer.text, "the subject broke: it crashed\n"));
    fo_answer_free(&answer);
}

/* ---- the picture ------------------------------------------------------------------------------------------------ */

/* The observation of n 3, k 9 is another thing, in one of ten ways. */
static void one_wrong(const struct source_map *m, uint32_t p, uint32_t n, uint32_t k, struct synthetic *found,
                      void *context)
{
    static const uint32_t words[] = {SOURCE_ZERO, SOURCE_UNWRITTEN, SOURCE_MIXTURE, SOURCE_UNKNOWN};
    int way = *(const int *)context;
    if (p < 2 || n != 3 || k != 9)
        return;
    struct source_point at = source_value_point(m, found->value);
    if (way < 4)
        found->value = words[way];
    at.n += way == 4 || way == 6;
    at.k += way == 5 || way == 6;
    at.expert ^= way == 7;
    if (way >= 4 && way < 8)
        found->value = source_value_code(m, at);
    if (way == 8)
        found->scale = SOURCE_ZERO;
    if (way == 9)
        found->row = p - 1;
}

static void coded_picture_shows_every_way_to_be_wrong(void **state)
{
    enum { WAYS = 10 };
    char path[SCRATCH_PATH], hash[WAYS + 2][65];
    for (int way = 0; way < WAYS + 2; way++) { /* the last two: nothing wrong, twice */
        struct coded_result r;
        struct error e;
        uint8_t *bytes;
        size_t size;
        result_make(way < WAYS ? one_wrong : NULL, &way, &r);
        scratch_path(state, "map.png", path);
        assert_int_equal(coded_picture_write(path, &r.map, true, "made", &e), STATUS_OK);
        assert_int_equal(file_read(path, 0, &bytes, &size, NULL), STATUS_OK);
        file_sha256(bytes, size, hash[way]);
        free(bytes);
        coded_result_free(&r);
        for (int other = 0; other < way; other++)
            assert_int_equal(strcmp(hash[way], hash[other]) == 0, way == WAYS + 1 && other == WAYS);
    }
}

static void coded_picture_of_any_size_is_drawn(void **state)
{
    static const size_t shape[][2] = {{1, 32}, {600, 32}, {3, 1088}};
    char path[SCRATCH_PATH];
    for (size_t i = 0; i < 3; i++) {
        struct source_map m;
        struct error e;
        synthetic_map(&segments, shape[i][0], shape[i][1], false, NULL, NULL, &m);
        assert_int_equal(coded_picture_write(scratch_path(state, "map.png", path), &m, i != 1, "made", &e), STATUS_OK);
        source_map_free(&m);
    }
    struct source_map none;
    struct error e;
    synthetic_map(&(struct segments){4, 1, 0, starts, ids}, 4, 32, false, NULL, NULL, &none);
    assert_int_equal(coded_picture_write(path, &none, true, "made", &e), STATUS_OK);
    source_map_free(&none);
}

struct asked {
    const struct coded_result *r;
    const char *picture;
    struct fo_answer answer;
};

static enum status answer_once(void *context, struct error *e)
{
    struct asked *a = context;
    enum status s = coded_answer(&made, a->r, NULL, &a->answer, e);
    json_forget();
    return s;
}

static enum status draw_once(void *context, struct error *e)
{
    const struct asked *a = context;
    return coded_picture_write(a->picture, &a->r->map, true, "made", e);
}

static void coded_answer_without_memory_says_so(void **state)
{
    char path[SCRATCH_PATH];
    struct coded_result r;
    int way = 5;
    result_make(one_wrong, &way, &r);
    struct asked a = {&r, scratch_path(state, "map.png", path), {FO_CONFORMS, NULL, NULL}};
    assert_true(alloc_check(answer_once, NULL, &a) > 10);
    assert_true(alloc_check(draw_once, NULL, &a) > 7);
    fo_answer_free(&a.answer);
    coded_result_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_coded_of_the_production_kernel_conforms),
        cmocka_unit_test(probe_coded_of_a_planted_fault_names_the_first_wrong_source),
        cmocka_unit_test_setup_teardown(probe_coded_writes_its_folder, scratch_setup, scratch_teardown),
        cmocka_unit_test(probe_coded_refuses_what_belongs_to_identity),
        cmocka_unit_test(coded_answer_says_what_keeps_it_from_conforming),
        cmocka_unit_test_setup_teardown(coded_answer_of_a_subject_that_broke_differs, scratch_setup, scratch_teardown),
        cmocka_unit_test(coded_ask_turns_a_break_into_an_answer),
        cmocka_unit_test_setup_teardown(coded_picture_shows_every_way_to_be_wrong, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(coded_picture_of_any_size_is_drawn, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(coded_answer_without_memory_says_so, scratch_setup, scratch_teardown),
    };
    /* Hundreds of small launches: threads that spin at every barrier starve each other on a busy machine. */
    omp_set_num_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
