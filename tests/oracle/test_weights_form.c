/* weights_form: every form against the decoded matrix, element by element. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/exec/weights_form.h"
#include "probes/weights.h"
#include "reference/e8m0.h"
#include "reference/mxfp4.h"
#include "reference/number.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"

enum { E = 2, N = 5, K = 64 };

static struct weights_set weights;

static int setup(void **state)
{
    (void)state;
    return weights_make(WEIGHTS_RANDOM, E, N, K, 4, &weights, NULL) != STATUS_OK;
}

static int teardown(void **state)
{
    (void)state;
    weights_free(&weights);
    return 0;
}

static void make_of_every_form_has_every_weight_in_its_place(void **state)
{
    static const struct {
        enum weights_form form;
        const char *word;
        bool f16, kn;
    } cases[] = {{FORM_BF16, "bf16", false, false},
                 {FORM_F16, "f16", true, false},
                 {FORM_BF16_KN, "bf16_kn", false, true},
                 {FORM_F16_KN, "f16_kn", true, true}};
    struct bf16 decoded[E * N * K];
    size_t compared = 0;
    (void)state;
    memset(weights.scales, E8M0_BIAS - 1, E * N * K / MXFP4_BLOCK);
    mxfp4_decode_matrix(weights.blocks, weights.scales, (size_t)E * N, K, decoded);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum weights_form parsed;
        struct formed_weights made;
        struct error e;
        assert_int_equal(weights_form_parse(cases[i].word, &parsed, &e), STATUS_OK);
        assert_int_equal(parsed, cases[i].form);
        assert_string_equal(weights_form_name(parsed), cases[i].word);
        assert_string_equal(weights_form_array(parsed, 0), "w");
        assert_null(weights_form_array(parsed, 1));
        assert_int_equal(weights_form_make(parsed, &weights.w, &made, &e), STATUS_OK);
        assert_int_equal(made.arrays, 1);
        assert_int_equal(made.array[0].shape[1], cases[i].kn ? K : N);
        assert_int_equal(made.array[0].shape[2], cases[i].kn ? N : K);
        assert_int_equal(formed_array_bytes(&made.array[0]), sizeof decoded);
        const uint16_t *bits = made.array[0].data;
        for (size_t x = 0; x < E; x++)
            for (size_t n = 0; n < N; n++)
                for (size_t k = 0; k < K; k++, compared++) {
                    uint16_t is = bits[cases[i].kn ? (x * K + k) * N + n : (x * N + n) * K + k];
                    float value = cases[i].f16 ? f16_decode((struct f16){is}) : bf16_decode((struct bf16){is});
                    assert_true(value == bf16_decode(decoded[(x * N + n) * K + k]));
                }
        formed_weights_free(&made);
    }
    assert_int_equal(compared, 4 * E * N * K);
}

static void make_of_f16_refuses_what_it_cannot_hold_and_its_limits_say_so(void **state)
{
    struct executor_limits limits = {.multiple_N = 3};
    struct formed_weights made;
    struct error e;
    (void)state;
    memset(weights.scales, E8M0_BIAS, E * N * K / MXFP4_BLOCK);
    weights.blocks[K / 2] = 0x72; /* expert 0, row 1: code 2 at k 0, code 7 at k 1 */
    weights.scales[K / MXFP4_BLOCK] = E8M0_BIAS + 14;
    assert_int_equal(weights_form_make(FORM_F16_KN, &weights.w, &made, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1,
                 "not applicable: f16 cannot hold 98304 (code 7, scale 141) of expert 0, row 1, k 1");
    for (enum weights_form f = 0; f < FORMS; f++) {
        weights_form_limits(f, &limits);
        assert_int_equal(limits.no_scales, f == FORM_F16 || f == FORM_F16_KN);
        assert_int_equal(limits.no_codes, 0);
        assert_int_equal(limits.multiple_N, 3);
    }
}

static void parse_of_an_unknown_word_lists_the_known_ones(void **state)
{
    enum weights_form form = FORM_HOPPER;
    struct error e;
    (void)state;
    assert_int_equal(weights_form_parse("int4", &form, &e), STATUS_BAD_ARGUMENT);
    assert_string_equal(e.why, "no form of weights is called 'int4'; legal: mxfp4, bf16, hopper, f16, bf16_kn, f16_kn");
    assert_int_equal(form, FORM_HOPPER);
}

static enum status make_transposed(void *context, struct error *e)
{
    struct formed_weights made;
    (void)context;
    enum status s = weights_form_make(FORM_BF16_KN, &weights.w, &made, e);
    if (s == STATUS_OK)
        formed_weights_free(&made);
    return s;
}

static void make_without_memory_says_so(void **state)
{
    (void)state;
    assert_int_equal(alloc_check(make_transposed, NULL, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(make_of_every_form_has_every_weight_in_its_place),
        cmocka_unit_test(make_of_f16_refuses_what_it_cannot_hold_and_its_limits_say_so),
        cmocka_unit_test(parse_of_an_unknown_word_lists_the_known_ones),
        cmocka_unit_test(make_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
