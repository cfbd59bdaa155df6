/* Built against a reference/fragment.c in which the two register bits of A are exchanged: the classic mistake. What was
 * measured must not follow the formula, and the contract must refuse to lock.
 *
 * The hardware map is written here once more, by hand, so that "unchanged" does not lean on the formula either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oracle/answer/contract.h"
#include "tests/support/layouts.h"
#include "tests/support/problems.h"
#include "tests/support/splitmix.h"

enum { SKIPPED = 77 };

static const char op[] = "wgmma.m64n64k16.f32.bf16.bf16.rs";

/* R0 and R3 stay, R1 and R2 change places: half of the slots. */
enum { A_SLOTS = 1024, A_AGREE = 512, D_SLOTS = 4096 };

static struct contract committed(const char *operand)
{
    char path[512];
    struct contract c;
    struct error e;
    snprintf(path, sizeof path, "%s/artifacts/contracts/%s.%s.json", FO_SOURCE_DIR, op, operand);
    if (contract_read(path, &c, &e) != STATUS_OK)
        fail_msg("%s: %s", path, e.why);
    return c;
}

/* Every source but the formula is what hardware does, and the contract says that the formula is not. */
static void check_a_refused(const struct contract *c)
{
    struct layout truth = a_affine();
    size_t sources = 0;
    assert_false(compared(&c->map[CONTRACT_SPEC], &truth).equal);
    for (int s = CONTRACT_LOADER; s < CONTRACT_SOURCES; s++) {
        assert_true(c->present[s]);
        assert_true(compared(&c->map[s], &truth).equal);
        assert_int_equal(c->agree[s], A_AGREE);
        sources++;
    }
    assert_int_equal(sources, 3);
    assert_int_equal(c->slots, A_SLOTS);
    assert_int_equal(c->agree[CONTRACT_SPEC], A_SLOTS);
    assert_int_equal(c->product_wrong, 0); /* the product closes over measured maps, not over the formula */
    assert_true(c->product_outputs > 0);
    assert_false(c->conforms);
    assert_false(c->locked);
}

static void contract_read_permuted_formula_refuses_to_lock(void **state)
{
    (void)state;
    struct contract a = committed("A"), d = committed("D");
    assert_int_equal(a.fidelity, FIDELITY_HARDWARE);
    check_a_refused(&a);
    /* D's formula is untouched, and D still locks: it is A that is refused, not the file. */
    assert_int_equal(d.agree[CONTRACT_ONEHOT], D_SLOTS);
    assert_true(d.locked);
    contract_free(&a);
    contract_free(&d);
}

/* The model follows the formula, right or wrong. That is why it never locks a contract. */
static void contract_measure_model_follows_the_formula_and_never_locks(void **state)
{
    (void)state;
    struct layout truth = a_affine();
    struct machine model;
    struct contract c;
    struct error e;
    machine_model(&model);
    assert_int_equal(contract_measure(&model, op, "A", "all", &c, &e), STATUS_OK);
    assert_int_equal(c.agree[CONTRACT_ONEHOT], A_SLOTS);
    assert_int_equal(A_SLOTS - compared(&c.map[CONTRACT_ONEHOT], &truth).differing, A_AGREE);
    assert_true(c.conforms);
    assert_false(c.locked);
    contract_free(&c);
}

static void contract_measure_gpu_capture_is_unchanged_and_refuses_to_lock(void **state)
{
    (void)state;
    struct machine gpu;
    struct contract c;
    struct error e;
    if (machine_gpu(&gpu, &e) != STATUS_OK) {
        print_message("not run on a GPU: %s\n", e.why);
        skip();
    }
    assert_int_equal(contract_measure(&gpu, op, "A", "all", &c, &e), STATUS_OK);
    check_a_refused(&c);
    contract_free(&c);
}

/* The right kernel on a model whose tensor core is wrong: the independent product knows no fragments and disagrees. */
static void model_run_permuted_fragment_differs_from_the_independent_product(void **state)
{
    (void)state;
    struct machine model;
    struct problem p;
    struct run_report report;
    uint32_t word;
    size_t first;
    machine_model(&model);
    problem_make_dense(splitmix_seed(), 40, 80, 128, 2, &p);
    struct bf16 *out = malloc(problem_outputs(&p) * sizeof *out), *expected = problem_expected(&p, &word);
    assert_non_null(out);
    problem_run(&model, "rs", &p, (struct bf16){0x7fa5}, out, &report);
    assert_true(outputs_differing(out, expected, problem_outputs(&p), &first) > problem_outputs(&p) / 2);
    free(out);
    free(expected);
    problem_free(&p);
}

/* With any argument (`gpu`) the part that needs one, so that it shows as not run where there is none. */
int main(int argc, char **argv)
{
    (void)argv;
    const struct CMUnitTest host[] = {
        cmocka_unit_test(contract_read_permuted_formula_refuses_to_lock),
        cmocka_unit_test(contract_measure_model_follows_the_formula_and_never_locks),
        cmocka_unit_test(model_run_permuted_fragment_differs_from_the_independent_product),
    };
    const struct CMUnitTest device[] = {
        cmocka_unit_test(contract_measure_gpu_capture_is_unchanged_and_refuses_to_lock),
    };
    if (argc < 2)
        return cmocka_run_group_tests(host, NULL, NULL);
    int failed = cmocka_run_group_tests(device, NULL, NULL);
    return failed ? failed : machine_gpu(&(struct machine){0}, NULL) == STATUS_OK ? 0 : SKIPPED;
}
