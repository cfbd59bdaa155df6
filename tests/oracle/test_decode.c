/* decode: the decode contract counts what it says, and finds one wrong bit. */
#include "oracle/answer/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/io/json.h"
#include "oracle/fragoracle.h"
#include "probes/weights.h"
#include "reference/number.h"
#include "reference/pack_bits.h"

enum { WORDS = 4194304, STEPS = 4, PLACES = 4 };
#define SAMPLE FO_SOURCE_DIR "/artifacts/sample/sample.safetensors"
#define STEM   "model.layers.0.mlp.experts.gate_up_proj"

/* ---- a machine that can be watched and made to lie --------------------------------------------------------------- */

/* How often each byte at each place met each scale, and met it over a background of zeros or of ones. */
struct seen {
    uint32_t background[STEPS][PLACES][4]; /* the other three bytes, different ones */
    uint8_t backgrounds[STEPS][PLACES];
    uint16_t any[STEPS][PLACES][256][256], zeros[STEPS][PLACES][256][256], ones[STEPS][PLACES][256][256];
};

static struct machine honest;
static struct {
    struct seen *seen;
    uint64_t hash;             /* of everything that was asked */
    size_t calls, call, index; /* flip `mask` in register `reg` of this word of this call; calls count from 0 */
    uint32_t reg, mask;
    bool flush, quiet_nan, fails;
} watch;

static void see(uint32_t word, uint32_t scales, uint32_t step)
{
    uint32_t nibbles = pack_bits_inverse(word);
    for (uint32_t place = 0; place < PLACES; place++) {
        uint32_t byte = nibbles >> (8 * place) & 0xff, rest = nibbles | 0xffu << (8 * place);
        uint32_t scale = scales >> (8 * (step / 2 * 2 + place % 2)) & 0xff;
        watch.seen->any[step][place][byte][scale]++;
        watch.seen->ones[step][place][byte][scale] += rest == 0xffffffffu;
        watch.seen->zeros[step][place][byte][scale] += (nibbles & ~(0xffu << (8 * place))) == 0;
    }
}

/* The other bytes of a block of 65,536 words, of which the first has the byte 0 at its place. */
static void see_background(uint32_t word, uint32_t step, uint32_t place)
{
    uint32_t rest = pack_bits_inverse(word) & ~(0xffu << (8 * place));
    uint8_t *n = &watch.seen->backgrounds[step][place];
    for (uint8_t i = 0; i < *n; i++)
        if (watch.seen->background[step][place][i] == rest)
            return;
    assert_true(*n < 4);
    watch.seen->background[step][place][(*n)++] = rest;
}

static uint32_t spoil_half(uint32_t half)
{
    if (watch.flush && (half & BF16_EXPONENT) == 0)
        return half & BF16_SIGN;
    if (watch.quiet_nan && bf16_is_nan((struct bf16){(uint16_t)half}))
        return 0xffc1;
    return half;
}

static enum status watched_decode(size_t n, const uint32_t *words, const uint32_t *scales, const uint32_t *steps,
                                  uint32_t *registers, struct error *e)
{
    if (watch.fails)
        return error_set(e, STATUS_DEVICE, "the decode fell over");
    enum status s = honest.decode(n, words, scales, steps, registers, e);
    for (size_t i = 0; i < n; i++) {
        watch.hash = (watch.hash ^ words[i] ^ (uint64_t)scales[i] << 32 ^ steps[i]) * 0x9e3779b97f4a7c15u;
        watch.hash ^= watch.hash >> 29;
        if (watch.seen)
            see(words[i], scales[i], steps[i]);
        for (uint32_t r = 0; (watch.flush || watch.quiet_nan) && r < 4; r++)
            registers[4 * i + r] = spoil_half(registers[4 * i + r] & 0xffff) | spoil_half(registers[4 * i + r] >> 16)
                                                                                   << 16;
    }
    if (watch.seen)
        see_background(words[0], steps[0], watch.calls / 4 % PLACES);
    if (watch.mask && watch.calls == watch.call)
        registers[4 * watch.index + watch.reg] ^= watch.mask;
    watch.calls++;
    return s;
}

static struct machine watched(void)
{
    machine_model(&honest);
    memset(&watch, 0, sizeof watch);
    struct machine m = honest;
    m.decode = watched_decode;
    return m;
}

static struct decode_result exhaustive(const struct machine *m, uint64_t seed)
{
    struct decode_result r;
    struct error e;
    if (decode_exhaustive(m, seed, &r, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    assert_true(r.words == WORDS && r.values == 8 * (uint64_t)WORDS);
    assert_int_equal(r.first[0] == '\0', r.differing == 0);
    return r;
}

/* ---- exhaustive ------------------------------------------------------------------------------------------------- */

/* Every byte and scale at every place and step, over 00, over FF and over two more. */
static void decode_exhaustive_model_asks_everything_and_conforms(void **state)
{
    (void)state;
    struct machine m = watched();
    size_t compared = 0;
    watch.seen = calloc(1, sizeof *watch.seen);
    assert_non_null(watch.seen);
    assert_int_equal(exhaustive(&m, 1).differing, 0);
    for (uint32_t i = 0; i < STEPS * PLACES * 65536; i++, compared++) {
        uint32_t step = i >> 18, place = i >> 16 & 3, byte = i >> 8 & 255, scale = i & 255;
        if (watch.seen->any[step][place][byte][scale] < 4 || watch.seen->zeros[step][place][byte][scale] == 0 ||
            watch.seen->ones[step][place][byte][scale] == 0)
            fail_msg("step %u, byte %02x at place %u under scale %u: asked %u times, %u over 00, %u over FF", step,
                     byte, place, scale, watch.seen->any[step][place][byte][scale],
                     watch.seen->zeros[step][place][byte][scale], watch.seen->ones[step][place][byte][scale]);
    }
    assert_int_equal(compared, WORDS / 4);
    for (uint32_t i = 0; i < STEPS * PLACES; i++)
        assert_int_equal(watch.seen->backgrounds[i / PLACES][i % PLACES], 4);
    free(watch.seen);
}

static void decode_exhaustive_seed_decides_what_is_asked(void **state)
{
    (void)state;
    uint64_t hash[3];
    for (int i = 0; i < 3; i++) {
        struct machine m = watched();
        exhaustive(&m, i == 2 ? 6 : 5);
        hash[i] = watch.hash;
    }
    assert_true(hash[0] == hash[1]);
    assert_true(hash[0] != hash[2]);
}

/* Call 5 is step 0, place 1, background FF; word 0x25 * 256 + 127 has the byte 25 there under the scale 2^0. */
static void decode_exhaustive_one_wrong_bit_is_described(void **state)
{
    (void)state;
    struct machine m = watched();
    watch.call = 5;
    watch.index = 0x25 * 256 + 127;
    watch.reg = 1;
    watch.mask = 1u << 20;
    struct decode_result r = exhaustive(&m, 1);
    assert_int_equal(r.differing, 1);
    static const char *const parts[] = {"(nibbles ffff25ff)", "step 0", "R1 high half: expected 3f80 = 1, found 3f90"};
    for (size_t i = 0; i < 3; i++)
        if (!strstr(r.first, parts[i]))
            fail_msg("\"%s\" does not say \"%s\"", r.first, parts[i]);
}

/* Subnormals flushed to zero: code 1 under scales 0 (2^-128), and codes 1..3 there, are lost. NaN is NaN. */
static void decode_exhaustive_flushed_subnormals_are_found(void **state)
{
    (void)state;
    struct machine m = watched();
    watch.flush = true;
    struct decode_result r = exhaustive(&m, 1);
    assert_true(r.differing > 8192);
    assert_non_null(strstr(r.first, "found 0000 = 0"));
    m = watched();
    watch.quiet_nan = true;
    assert_int_equal(exhaustive(&m, 1).differing, 0);
}

static void decode_exhaustive_failing_machine_passes_its_error_on(void **state)
{
    (void)state;
    struct machine m = watched();
    struct decode_result r = {.words = 3};
    struct error e;
    watch.fails = true;
    assert_int_equal(decode_exhaustive(&m, 1, &r, &e), STATUS_DEVICE);
    assert_non_null(strstr(e.why, "fell over"));
    assert_int_equal(r.words, 3);
}

/* ---- over weights ----------------------------------------------------------------------------------------------- */

static const struct {
    size_t N, K;
} shapes[] = {{1, 32}, {15, 64}, {16, 96}, {17, 96}, {64, 128}, {70, 64}, {112, 160}, {130, 224}, {48, 2880}};

static void decode_weights_any_n_and_k_conform(void **state)
{
    (void)state;
    size_t ran = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int kind = WEIGHTS_RANDOM; kind <= WEIGHTS_SPECIAL; kind++, ran++) {
            struct machine m = watched();
            struct weights_set w;
            struct decode_result r;
            struct error e;
            assert_int_equal(weights_make((enum weights_kind)kind, 1, shapes[i].N, shapes[i].K, i, &w, &e), STATUS_OK);
            if (decode_weights(&m, &w.w, &r, &e) != STATUS_OK)
                fail_msg("%s", e.why);
            if (r.differing)
                fail_msg("N %zu K %zu: %s", shapes[i].N, shapes[i].K, r.first);
            size_t words = (shapes[i].N + 63) / 64 * ((shapes[i].K + 63) / 64) * 128 * 4;
            assert_int_equal(r.words, words);
            assert_int_equal(r.values, words * 8);
            weights_free(&w);
        }
    assert_int_equal(ran, 27);
}

/* Wherever the bit is, in the matrix or in its padding, it is found and its place named. */
static void decode_weights_one_wrong_bit_is_described(void **state)
{
    (void)state;
    static const struct {
        size_t call, index;
        uint32_t reg, mask;
        const char *where;
    } bits[] = {
        /* N 70, K 96: two tiles of features, two of K. Thread 5 of tile 0: row 1, columns 2 and 3, step 1 */
        {0, 5 * 4 + 1, 0, 1u << 31, "row 1, k 19, thread 5, step 1, R0 high half"},
        {0, 37 * 4, 3, 1u << 31, "row 25, k 11, thread 37, step 0, R3 high half"},
        {1, 37 * 4, 3, 1u << 15, "row 25, k 74, thread 37, step 0, R3 low half"},
        {2, 2 * 4 + 3, 2, 1u << 15, "row 64, k 60, thread 2, step 3, R2 low half"},
        {1, 2, 0, 1u, "row 0, k 96, thread 0, step 2, R0 low half: expected 0000"}, /* K is padded from 96 on */
        {2, 127 * 4, 1, 1u << 16, "row 127, k 7, thread 127, step 0, R1 high half: expected 0000"},
    };
    struct weights_set w;
    struct error e;
    assert_int_equal(weights_make(WEIGHTS_RANDOM, 1, 70, 96, 4, &w, &e), STATUS_OK);
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        struct machine m = watched();
        struct decode_result r;
        watch.call = bits[i].call, watch.index = bits[i].index, watch.reg = bits[i].reg, watch.mask = bits[i].mask;
        assert_int_equal(decode_weights(&m, &w.w, &r, &e), STATUS_OK);
        assert_int_equal(watch.calls, 4);
        assert_int_equal(r.differing, 1);
        if (!strstr(r.first, bits[i].where))
            fail_msg("\"%s\" does not say \"%s\"", r.first, bits[i].where);
    }
    weights_free(&w);
}

static void decode_weights_wrong_arguments_are_refused(void **state)
{
    (void)state;
    struct machine m = watched();
    struct weights_set w;
    struct decode_result r;
    struct error e;
    assert_int_equal(weights_make(WEIGHTS_RANDOM, 1, 16, 64, 4, &w, &e), STATUS_OK);
    struct weights wrong = w.w;
    wrong.K = 48;
    assert_int_equal(decode_weights(&m, &wrong, &r, &e), STATUS_BAD_ARGUMENT);
    wrong = w.w;
    wrong.N = 0;
    assert_int_equal(decode_weights(&m, &wrong, &r, &e), STATUS_BAD_ARGUMENT);
    watch.fails = true;
    assert_int_equal(decode_weights(&m, &w.w, &r, &e), STATUS_DEVICE);
    weights_free(&w);
}

/* ---- the public question ---------------------------------------------------------------------------------------- */

static void fo_decode_wrong_options_are_refused_in_one_line(void **state)
{
    (void)state;
    static const struct {
        struct fo_decode_options o;
        const char *says;
    } cases[] = {
        {{.on = "model", .weights = SAMPLE}, "--weights and --tensor go together"},
        {{.on = "model", .tensor = STEM}, "--weights and --tensor go together"},
        {{.on = "toaster"}, "--on toaster"},
        {{.on = "model", .weights = "no/such/file.safetensors", .tensor = STEM}, "no/such/file.safetensors"},
        {{.on = "model", .weights = SAMPLE, .tensor = "model.layers.7.nonsense"}, "absent; the file has"},
        {{.on = "model", .weights = SAMPLE, .tensor = STEM, .expert = 1000}, "expert 1000 of"},
        {{.on = "model", .weights = FO_SOURCE_DIR "/CMakeLists.txt", .tensor = STEM}, "CMakeLists.txt"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fo_answer answer = {.verdict = FO_UNDECIDED};
        struct fo_error error = {""};
        assert_int_not_equal(fo_decode(&cases[i].o, &answer, &error), 0);
        if (!strstr(error.line, cases[i].says) || strchr(error.line, '\n'))
            fail_msg("\"%s\" does not say \"%s\" in one line", error.line, cases[i].says);
        assert_true(answer.json == NULL && answer.text == NULL && answer.verdict == FO_UNDECIDED);
    }
}

static void fo_decode_real_weights_conform_expert_by_expert(void **state)
{
    (void)state;
    for (uint64_t expert = 0; expert < 2; expert++) {
        struct fo_decode_options o = {.on = "model", .weights = SAMPLE, .tensor = STEM, .expert = expert};
        struct fo_answer answer;
        struct fo_error error;
        if (fo_decode(&o, &answer, &error) != 0)
            fail_msg("%s", error.line);
        assert_int_equal(answer.verdict, FO_CONFORMS);
        json_t *j = json_loads(answer.json, 0, NULL), *result = json_object_get(j, "result");
        assert_true(json_integer_value(json_object_get(result, "values")) > 0);
        assert_int_equal(json_integer_value(json_object_get(result, "differing")), 0);
        assert_string_equal(json_string_value(json_object_get(j, "schema")), "fragoracle.decode/1");
        assert_string_equal(json_string_value(json_object_get(j, "what")), STEM);
        json_decref(j);
        fo_answer_free(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_exhaustive_model_asks_everything_and_conforms),
        cmocka_unit_test(decode_exhaustive_seed_decides_what_is_asked),
        cmocka_unit_test(decode_exhaustive_one_wrong_bit_is_described),
        cmocka_unit_test(decode_exhaustive_flushed_subnormals_are_found),
        cmocka_unit_test(decode_exhaustive_failing_machine_passes_its_error_on),
        cmocka_unit_test(decode_weights_any_n_and_k_conform),
        cmocka_unit_test(decode_weights_one_wrong_bit_is_described),
        cmocka_unit_test(decode_weights_wrong_arguments_are_refused),
        cmocka_unit_test(fo_decode_wrong_options_are_refused_in_one_line),
        cmocka_unit_test(fo_decode_real_weights_conform_expert_by_expert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
