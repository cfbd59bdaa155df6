/* Built against a kernels/rs_index.h in which one formula is wrong (FO_PERMUTED says which; "none" is the unharmed
 * twin). The model executor compiles the header and is wrong with it; the independent product and the decode contract
 * share nothing with it and must say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/contract.h"
#include "oracle/answer/decode.h"
#include "tests/support/problems.h"
#include "tests/support/splitmix.h"

static bool permuted(const char *what)
{
    return strcmp(FO_PERMUTED, what) == 0;
}

static void model_run_permuted_rs_index_differs_from_the_independent_product(void **state)
{
    (void)state;
    struct machine model;
    struct problem p;
    struct run_report report;
    uint32_t word;
    size_t first;
    machine_model(&model);
    problem_make_dense(splitmix_seed(), 40, 80, 192, 2, &p);
    size_t n = problem_outputs(&p);
    struct bf16 *out = malloc(n * sizeof *out), *expected = problem_expected(&p, &word);
    assert_non_null(out);
    problem_run(&model, "rs", &p, (struct bf16){0x7fa5}, out, &report);
    size_t differing = outputs_differing(out, expected, n, &first);
    print_message("%s: %zu of %zu outputs differ\n", FO_PERMUTED, differing, n);
    if (permuted("none"))
        assert_int_equal(differing, 0);
    else
        assert_true(differing > n / 4);
    free(out);
    free(expected);
    problem_free(&p);
}

/* A wrong row is no fault of the decode itself, only of where its words come from. */
static void decode_exhaustive_permuted_decode_differs(void **state)
{
    (void)state;
    struct machine model;
    struct decode_result r;
    struct error e;
    machine_model(&model);
    assert_int_equal(decode_exhaustive(&model, splitmix_seed(), &r, &e), STATUS_OK);
    assert_int_equal(r.words, 4194304);
    if (permuted("none") || permuted("row"))
        assert_int_equal(r.differing, 0);
    else
        assert_true(r.differing > r.values / 8);
    assert_int_equal(r.first[0] != '\0', r.differing > 0);
}

static void decode_weights_permuted_rs_index_differs(void **state)
{
    (void)state;
    struct machine model;
    struct decode_result r;
    struct weights_set w;
    struct error e;
    machine_model(&model);
    assert_int_equal(weights_make(WEIGHTS_ADVERSARIAL, 1, 80, 192, splitmix_seed(), &w, &e), STATUS_OK);
    assert_int_equal(decode_weights(&model, &w.w, &r, &e), STATUS_OK);
    if (permuted("none"))
        assert_int_equal(r.differing, 0);
    else
        assert_true(r.differing > r.values / 8);
    weights_free(&w);
}

/* The fragment contract has nothing to do with the kernel's arithmetic: it stays as it was. */
static void contract_read_permuted_rs_index_stays_locked(void **state)
{
    (void)state;
    struct contract c;
    struct error e;
    if (contract_read(FO_SOURCE_DIR "/artifacts/contracts/wgmma.m64n64k16.f32.bf16.bf16.rs.A.json", &c, &e) !=
        STATUS_OK)
        fail_msg("%s", e.why);
    assert_true(c.locked);
    contract_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_run_permuted_rs_index_differs_from_the_independent_product),
        cmocka_unit_test(decode_exhaustive_permuted_decode_differs),
        cmocka_unit_test(decode_weights_permuted_rs_index_differs),
        cmocka_unit_test(contract_read_permuted_rs_index_stays_locked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
