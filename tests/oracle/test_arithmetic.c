/* arithmetic: the committed capture replays, one flipped bit in it is found and described, and what is no capture is
 * refused. */
#include "oracle/answer/arithmetic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "reference/accumulate.h"
#include "reference/number.h"
#include "tests/support/scratch.h"

#define CAPTURE FO_SOURCE_DIR "/artifacts/captures/h100/wgmma.m64n8k16.f32.bf16.bf16.rs"
static const char *const names[] = {"capture.json", "a.npy", "b.npy", "c.npy", "d.npy"};
enum { FILES = 5, ROUND = ARITHMETIC_TILE * REGIME_COUNT };

/* A copy of the capture in the scratch folder; file `without` (or none, NULL) is left out. */
static void copy_capture(void **state, const char *without)
{
    char from[SCRATCH_PATH], to[SCRATCH_PATH];
    for (int i = 0; i < FILES; i++) {
        uint8_t *data;
        size_t size;
        scratch_path(state, names[i], to);
        unlink(to);
        if (without && strcmp(names[i], without) == 0)
            continue;
        snprintf(from, sizeof from, "%s/%s", CAPTURE, names[i]);
        assert_int_equal(file_read(from, 0, &data, &size, NULL), STATUS_OK);
        assert_int_equal(file_write(to, data, size, NULL), STATUS_OK);
        free(data);
    }
}

static struct arithmetic_result replayed(const char *folder)
{
    struct arithmetic_result r;
    struct error e;
    if (arithmetic_replay(folder, &r, NULL, &e) != STATUS_OK)
        fail_msg("%s: %s", e.path, e.why);
    return r;
}

/* ---- replay ----------------------------------------------------------------------------------------------------- */

static void arithmetic_replay_committed_capture_has_no_mismatch(void **state)
{
    (void)state;
    struct arithmetic_result r;
    struct error e;
    struct npy d;
    json_t *provenance = NULL;
    uint64_t sum = 0;
    assert_int_equal(arithmetic_replay(CAPTURE, &r, &provenance, &e), STATUS_OK);
    assert_string_equal(json_string_value(json_object_get(provenance, "fidelity")), "hardware");
    json_decref(provenance);
    assert_int_equal(npy_read(CAPTURE "/d.npy", &d, &e), STATUS_OK);
    assert_true(r.outputs_all == npy_count(&d) && r.outputs_all >= 61440);
    npy_free(&d);
    for (int i = 0; i < REGIME_COUNT; i++) {
        assert_int_equal(r.mismatches[i], 0);
        sum += r.outputs[i];
    }
    assert_int_equal(sum, r.outputs_all);
    assert_int_equal(r.mismatches_all, 0);
    assert_string_equal(r.first, "");
}

/* One bit of one result: counted in its regime, and described with both values, C, and all 16 products. */
static void arithmetic_replay_one_flipped_bit_is_described(void **state)
{
    static const size_t at[] = {0, 511, 512 * 3 + 100, 512 * 119 + 5};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        char path[SCRATCH_PATH], want[96];
        struct npy a, d;
        copy_capture(state, NULL);
        scratch_path(state, "d.npy", path);
        assert_int_equal(npy_read(path, &d, NULL), STATUS_OK);
        assert_int_equal(npy_read(CAPTURE "/a.npy", &a, NULL), STATUS_OK);
        uint32_t *bits = (uint32_t *)d.data + at[i], right = *bits;
        const uint16_t *row = (const uint16_t *)a.data + at[i] / ARITHMETIC_N * REGIME_TERMS;
        *bits ^= 1;
        snprintf(want, sizeof want, ": expected %08x, found %08x, C ", right, right ^ 1);
        assert_int_equal(npy_write(path, NPY_U4, 3, d.shape, d.data, NULL), STATUS_OK);
        struct arithmetic_result r = replayed(*state);
        assert_int_equal(r.mismatches_all, 1);
        int regime = (int)(at[i] / ARITHMETIC_TILE % 10); /* the committed capture lists ten or, one day, more */
        if (r.outputs[REGIME_COUNT - 1])
            regime = (int)(at[i] / ARITHMETIC_TILE % REGIME_COUNT);
        assert_int_equal(r.mismatches[regime], 1);
        if (!strstr(r.first, want) || strncmp(r.first, regime_name(regime), strlen(regime_name(regime))) != 0)
            fail_msg("\"%s\" does not say \"%s%s\"", r.first, regime_name(regime), want);
        snprintf(want, sizeof want, "A*B %04x*", row[0]);
        assert_non_null(strstr(r.first, want));
        size_t products = 0;
        for (const char *star = r.first; (star = strchr(star, '*')); star++)
            products++;
        assert_int_equal(products, 1 + REGIME_TERMS); /* "A*B" */
        npy_free(&a);
        npy_free(&d);
    }
}

static void expect_refused(void **state, enum status status, const char *file, const char *says)
{
    struct arithmetic_result untouched = {.outputs_all = 77}, r = untouched;
    json_t *provenance = NULL;
    struct error e;
    char path[SCRATCH_PATH], line[1100];
    enum status s = arithmetic_replay(*state, &r, &provenance, &e);
    if (s == STATUS_OK)
        fail_msg("accepted, although %s should say \"%s\"", file, says);
    error_line(&e, line, sizeof line);
    if (s != status || strcmp(e.path, scratch_path(state, file, path)) != 0 || !strstr(line, says))
        fail_msg("\"%s\" is not about %s or does not say \"%s\"", line, file, says);
    assert_memory_equal(&r, &untouched, sizeof r);
    assert_null(provenance);
}

static void arithmetic_replay_missing_or_cut_files_are_refused(void **state)
{
    size_t refused = 0;
    for (int i = 0; i < FILES; i++) {
        char path[SCRATCH_PATH];
        copy_capture(state, names[i]);
        expect_refused(state, STATUS_IO, names[i], "");
        copy_capture(state, NULL);
        scratch_path(state, names[i], path);
        assert_int_equal(truncate(path, 200), 0);
        expect_refused(state, STATUS_BAD_INPUT, names[i], "");
        refused += 2;
    }
    assert_int_equal(refused, 2 * FILES);
}

static void arithmetic_replay_misshaped_arrays_are_refused(void **state)
{
    static const struct {
        const char *file;
        enum npy_type type;
        int rank;
        size_t shape[3];
    } cases[] = {
        {"a.npy", NPY_U2, 3, {120, 64, 8}}, {"a.npy", NPY_U2, 2, {120, 1024, 0}}, {"a.npy", NPY_U4, 3, {120, 64, 16}},
        {"b.npy", NPY_U2, 3, {119, 8, 16}}, {"b.npy", NPY_U2, 3, {120, 16, 8}},   {"c.npy", NPY_F4, 3, {120, 64, 8}},
        {"d.npy", NPY_U4, 3, {121, 64, 8}}, {"d.npy", NPY_U4, 3, {120, 8, 64}},   {"d.npy", NPY_U2, 3, {120, 64, 8}},
    };
    void *zeros = calloc(130 * 1024, 4);
    assert_non_null(zeros);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[SCRATCH_PATH];
        copy_capture(state, NULL);
        scratch_path(state, cases[i].file, path);
        assert_int_equal(npy_write(path, cases[i].type, cases[i].rank, cases[i].shape, zeros, NULL), STATUS_OK);
        expect_refused(state, STATUS_BAD_INPUT, cases[i].file, "");
    }
    for (int i = 1; i < FILES; i++) {
        static const size_t empty[4][3] = {{0, 64, 16}, {0, 8, 16}, {0, 64, 8}, {0, 64, 8}};
        char path[SCRATCH_PATH];
        assert_int_equal(
            npy_write(scratch_path(state, names[i], path), i < 3 ? NPY_U2 : NPY_U4, 3, empty[i - 1], zeros, NULL),
            STATUS_OK);
    }
    expect_refused(state, STATUS_BAD_INPUT, "capture.json", "tiles: says something else than the 0 tiles");
    /* Not even when it says so itself: nothing compared is no evidence. */
    char path[SCRATCH_PATH];
    json_t *document;
    assert_int_equal(json_read(scratch_path(state, "capture.json", path), NULL, &document, NULL), STATUS_OK);
    json_object_set_new(document, "tiles", json_integer(0));
    assert_int_equal(json_write(path, document, NULL), STATUS_OK);
    json_decref(document);
    expect_refused(state, STATUS_BAD_INPUT, "capture.json", "tiles: ");
    free(zeros);
}

/* A capture says what it is of; one of something else is not judged by this rule. */
static void arithmetic_replay_wrong_description_is_refused(void **state)
{
    static const struct {
        const char *member, *value, *says;
    } cases[] = {
        {"schema", "\"fragoracle.contract/1\"", "schema is"},
        {"op", "\"wgmma.m64n8k8.f32.tf32.tf32.rs\"", "op: \"wgmma.m64n8k8.f32.tf32.tf32.rs\" is not"},
        {"op", "null", "op: "},
        {"tiles", "119", "tiles: says something else than the"},
        {"tiles", "\"120\"", "tiles: "},
        {"regimes", "[]", "regimes: is not a list of regimes"},
        {"regimes", "[\"uniform\", \"nonsense\"]", "regimes: "},
        {"regimes", "[\"uniform\", 3]", "regimes: "},
        {"regimes", "null", "regimes: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[SCRATCH_PATH];
        json_t *document;
        copy_capture(state, NULL);
        assert_int_equal(json_read(scratch_path(state, "capture.json", path), NULL, &document, NULL), STATUS_OK);
        json_object_set_new(document, cases[i].member, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        assert_int_equal(json_write(path, document, NULL), STATUS_OK);
        json_decref(document);
        expect_refused(state, STATUS_BAD_INPUT, "capture.json", cases[i].says);
    }
}

/* ---- machines --------------------------------------------------------------------------------------------------- */

static struct machine honest;
static size_t wrong_tile, wrong_output, tiles_seen, calls;
static uint16_t first_row[2][REGIME_TERMS]; /* of the first two calls */
static bool fails;

/* Wrong in the last bit of one output of one tile, counted over all calls, and of all that follow it in the tile. */
static enum status lying_arithmetic(size_t tiles, const uint16_t *a, const uint16_t *b, const uint32_t *c, uint32_t *d,
                                    struct error *e)
{
    if (fails)
        return error_set(e, STATUS_DEVICE, "the tensor core fell over");
    enum status s = honest.arithmetic(tiles, a, b, c, d, e);
    if (wrong_tile >= tiles_seen && wrong_tile - tiles_seen < tiles)
        for (size_t i = wrong_output; i < ARITHMETIC_TILE; i++)
            d[(wrong_tile - tiles_seen) * ARITHMETIC_TILE + i] ^= 1;
    if (calls < 2)
        memcpy(first_row[calls], a, sizeof first_row[calls]);
    calls++;
    tiles_seen += tiles;
    return s;
}

static struct machine liar(size_t tile, size_t output)
{
    machine_model(&honest);
    wrong_tile = tile, wrong_output = output, tiles_seen = calls = 0, fails = false;
    struct machine m = honest;
    m.arithmetic = lying_arithmetic;
    return m;
}

static void arithmetic_compare_counts_whole_rounds_of_every_regime(void **state)
{
    (void)state;
    static const uint64_t asked[] = {0, 1, ROUND, ROUND + 1, 50000}, rounds[] = {0, 1, 1, 2, 9};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct machine m = liar(SIZE_MAX, 0);
        struct arithmetic_result r;
        assert_int_equal(arithmetic_compare(&m, asked[i], 3, &r, NULL), STATUS_OK);
        assert_int_equal(r.mismatches_all, 0);
        assert_true(r.outputs_all == rounds[i] * ROUND);
        for (int regime = 0; regime < REGIME_COUNT; regime++)
            assert_true(r.outputs[regime] == rounds[i] * ARITHMETIC_TILE);
    }
}

static void arithmetic_compare_one_wrong_output_is_found_in_any_batch(void **state)
{
    (void)state;
    for (size_t tile = 0; tile < 30; tile += 7) {
        struct machine m = liar(tile, 511);
        struct arithmetic_result r;
        assert_int_equal(arithmetic_compare(&m, 3 * ROUND, 3, &r, NULL), STATUS_OK);
        assert_int_equal(r.mismatches_all, 1);
        assert_int_equal(r.mismatches[tile % REGIME_COUNT], 1);
        const char *name = regime_name((int)(tile % REGIME_COUNT));
        assert_int_equal(strncmp(r.first, name, strlen(name)), 0);
    }
    struct machine m = liar(0, 0);
    struct arithmetic_result r = {.outputs_all = 77};
    struct error e;
    fails = true;
    assert_int_equal(arithmetic_compare(&m, ROUND, 3, &r, &e), STATUS_DEVICE);
    assert_int_equal(r.outputs_all, 77);
}

/* Tiles of a later batch are other tiles, keep their regimes, and the first difference is the lowest of all. */
static void arithmetic_compare_second_batch_goes_on_where_the_first_ended(void **state)
{
    (void)state;
    struct machine m = liar(ARITHMETIC_BATCH + 4, 500);
    struct arithmetic_result r;
    assert_int_equal(arithmetic_compare(&m, (uint64_t)ARITHMETIC_BATCH * ARITHMETIC_TILE + 1, 3, &r, NULL), STATUS_OK);
    assert_int_equal(calls, 2);
    assert_memory_not_equal(first_row[0], first_row[1], sizeof first_row[0]);
    assert_int_equal(r.mismatches_all, 12);
    assert_int_equal(r.mismatches[4], 12);
    /* Output 500 is row 62, column 4 of its tile. */
    struct random random = {3 + (uint64_t)(ARITHMETIC_BATCH + 4) * 0x9e3779b97f4a7c15u};
    struct bf16 a[ARITHMETIC_M * REGIME_TERMS], b[ARITHMETIC_N * REGIME_TERMS];
    uint32_t c[ARITHMETIC_TILE];
    char want[64];
    regime_tile(4, &random, ARITHMETIC_M, ARITHMETIC_N, a, b, c);
    snprintf(want, sizeof want, "C %08x, A*B %04x*%04x", c[500], a[62 * REGIME_TERMS].bits, b[4 * REGIME_TERMS].bits);
    if (!strstr(r.first, want))
        fail_msg("\"%s\" does not say \"%s\"", r.first, want);
}

/* The model is held against the rule written a second time; no machine takes part. */
static void arithmetic_exact_model_has_no_mismatch(void **state)
{
    (void)state;
    struct arithmetic_result r;
    assert_int_equal(arithmetic_exact(4 * ROUND, 5, &r, NULL), STATUS_OK);
    assert_int_equal(r.outputs_all, 4 * ROUND);
    assert_int_equal(r.mismatches_all, 0);
}

static void arithmetic_capture_is_what_replay_reads(void **state)
{
    char folder[SCRATCH_PATH], path[SCRATCH_PATH + 16];
    struct machine m = liar(5, 511);
    struct arithmetic_result r;
    struct npy a;
    struct error e;
    json_t *provenance;
    if (arithmetic_capture(&m, 2, 8, scratch_path(state, "deep/capture", folder), &e) != STATUS_OK)
        fail_msg("%s", e.why);
    assert_int_equal(arithmetic_replay(folder, &r, &provenance, &e), STATUS_OK);
    assert_int_equal(r.outputs_all, 2 * ROUND);
    assert_int_equal(r.mismatches_all, 1);
    assert_int_equal(r.mismatches[5], 1);
    assert_string_equal(json_string_value(json_object_get(provenance, "fidelity")), "bit-exact model");
    json_decref(provenance);
    snprintf(path, sizeof path, "%s/a.npy", folder);
    assert_int_equal(npy_read(path, &a, &e), STATUS_OK);
    assert_int_equal(a.shape[0], 2 * REGIME_COUNT);
    npy_free(&a);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_replay_committed_capture_has_no_mismatch),
        IN_SCRATCH(arithmetic_replay_one_flipped_bit_is_described),
        IN_SCRATCH(arithmetic_replay_missing_or_cut_files_are_refused),
        IN_SCRATCH(arithmetic_replay_misshaped_arrays_are_refused),
        IN_SCRATCH(arithmetic_replay_wrong_description_is_refused),
        cmocka_unit_test(arithmetic_compare_counts_whole_rounds_of_every_regime),
        cmocka_unit_test(arithmetic_compare_one_wrong_output_is_found_in_any_batch),
        cmocka_unit_test(arithmetic_compare_second_batch_goes_on_where_the_first_ended),
        cmocka_unit_test(arithmetic_exact_model_has_no_mismatch),
        IN_SCRATCH(arithmetic_capture_is_what_replay_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
