/* contract: measured on the model, and on machines that lie in one way each. Files are in test_contract_file.c. */
#include "oracle/answer/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/layouts.h"

static const char op[] = "wgmma.m64n64k16.f32.bf16.bf16.rs";
enum { A_SLOTS = 1024, D_SLOTS = 4096, TILE = 4096, REGISTERS = 512 };

static struct contract measured(const struct machine *m, const char *operand, const char *method)
{
    struct contract c;
    struct error e;
    if (contract_measure(m, op, operand, method, &c, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return c;
}

/* ---- the model -------------------------------------------------------------------------------------------------- */

static void contract_measure_model_every_method_conforms_and_never_locks(void **state)
{
    (void)state;
    static const struct {
        const char *operand, *method;
        bool present[CONTRACT_SOURCES];
        size_t slots, outputs;
    } cases[] = {
        {"A", "all", {true, true, true, true}, A_SLOTS, 4096},
        {"a", "onehot", {true, false, false, true}, A_SLOTS, 4096},
        {"A", "loader", {true, true, true, false}, A_SLOTS, 0},
        {"D", "all", {true, false, false, true}, D_SLOTS, 4096},
        {"D", "onehot", {true, false, false, true}, D_SLOTS, 4096},
    };
    struct machine model;
    machine_model(&model);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct contract c = measured(&model, cases[i].operand, cases[i].method);
        struct layout truth = a_affine();
        assert_int_equal(c.slots, cases[i].slots);
        assert_int_equal(c.product_outputs, cases[i].outputs);
        assert_int_equal(c.product_wrong, 0);
        for (int s = 0; s < CONTRACT_SOURCES; s++) {
            assert_int_equal(c.present[s], cases[i].present[s]);
            assert_int_equal(c.agree[s], c.present[s] ? c.slots : 0);
            if (c.present[s] && c.operand[0] == 'A')
                assert_true(compared(&c.map[s], &truth).equal);
        }
        assert_true(c.conforms);
        assert_false(c.locked);
        assert_string_equal(c.first, "");
        assert_int_equal(c.fidelity, FIDELITY_BIT_EXACT_MODEL);
        contract_free(&c);
    }
}

static void contract_measure_what_it_cannot_measure_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *op, *operand, *method, *why;
        enum status status;
    } cases[] = {
        {"wgmma.m64n8k16.f32.bf16.bf16.rs", "A", "all", "only its published map", STATUS_UNSUPPORTED},
        {"wgmma.m64n64k16.f32.bf16.bf16.ss", "A", "all", "only its published map", STATUS_UNSUPPORTED},
        {"wgmma.m64n64k16.f32.bf16.bf16.ss", "D", "all", "only its published map", STATUS_UNSUPPORTED},
        {"wgmma.m64n63k16.f32.bf16.bf16.rs", "A", "all", "", STATUS_BAD_ARGUMENT},
        {"nonsense", "A", "all", "", STATUS_BAD_ARGUMENT},
        {op, "B", "all", "A or D", STATUS_BAD_ARGUMENT},
        {op, "A", "guess", "--method guess", STATUS_BAD_ARGUMENT},
        {op, "A", "", "legal are", STATUS_BAD_ARGUMENT},
        {op, "D", "loader", "no loader fills D", STATUS_BAD_ARGUMENT},
    };
    struct machine model;
    machine_model(&model);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct contract untouched = {.slots = 77}, c = untouched;
        struct error e;
        assert_int_equal(contract_measure(&model, cases[i].op, cases[i].operand, cases[i].method, &c, &e),
                         cases[i].status);
        if (!strstr(e.why, cases[i].why) || e.why[0] == '\0')
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, e.why, cases[i].why);
        assert_memory_equal(&c, &untouched, sizeof c);
    }
}

/* ---- machines that lie ------------------------------------------------------------------------------------------ */

/* A model that does one thing wrong. The functions of a machine have no context, so the lie is global. */
static struct machine honest;
static struct {
    bool ldmatrix, plain, onehot, d_map, product; /* what it lies about */
    uint32_t i, j;                                /* the two slots it exchanges */
    float value;                                  /* what d[i] is instead, when `garbage` */
    bool garbage, everywhere, fails;
} lie;

static void swap_halves(uint32_t *registers, uint32_t i, uint32_t j)
{
    uint32_t a = registers[i / 2] >> (16 * (i % 2)) & 0xffff, b = registers[j / 2] >> (16 * (j % 2)) & 0xffff;
    registers[i / 2] ^= (a ^ b) << (16 * (i % 2));
    registers[j / 2] ^= (a ^ b) << (16 * (j % 2));
}

static enum status lying_loader(bool ldmatrix, const uint16_t *matrix, uint32_t *registers, struct error *e)
{
    enum status s = honest.loader(ldmatrix, matrix, registers, e);
    if (!(ldmatrix ? lie.ldmatrix : lie.plain))
        return s;
    if (lie.fails)
        return error_set(e, STATUS_DEVICE, "the loader fell over");
    if (lie.garbage)
        registers[lie.i / 2] = 0xffffffffu;
    else
        swap_halves(registers, lie.i, lie.j);
    return s;
}

static void spoil(float *d, size_t tiles)
{
    for (size_t t = 0; lie.garbage && t < tiles; t++)
        for (uint32_t slot = 0; slot < TILE; slot++)
            if (slot == lie.i || lie.everywhere)
                d[t * TILE + slot] = lie.value;
}

static enum status lying_ss(size_t tiles, const uint16_t *a, const uint16_t *b, float *d, struct error *e)
{
    enum status s = honest.product_ss(tiles, a, b, d, e);
    if (lie.d_map && lie.fails)
        return error_set(e, STATUS_DEVICE, "the product fell over");
    if (lie.d_map)
        spoil(d, tiles);
    for (size_t t = 0; lie.d_map && !lie.garbage && t < tiles; t++) {
        float keep = d[t * TILE + lie.i];
        d[t * TILE + lie.i] = d[t * TILE + lie.j];
        d[t * TILE + lie.j] = keep;
    }
    return s;
}

/* What the model answers to the 1024 one-hot tiles, which are the same in every measurement: computed once. */
static enum status honest_rs(size_t tiles, const uint32_t *a, const uint16_t *b, float *d, struct error *e)
{
    static float *kept;
    size_t bytes = (size_t)A_SLOTS * TILE * sizeof *kept;
    if (tiles != A_SLOTS)
        return honest.product_rs(tiles, a, b, d, e);
    if (!kept) {
        kept = malloc(bytes);
        assert_non_null(kept);
        assert_int_equal(honest.product_rs(tiles, a, b, kept, e), STATUS_OK);
    }
    memcpy(d, kept, bytes);
    return STATUS_OK;
}

/* Hardware on which two A slots are exchanged (a one in slot i has the effect of a one in slot j), or that leaves
 * nonsense in D. */
static enum status lying_rs(size_t tiles, const uint32_t *a, const uint16_t *b, float *d, struct error *e)
{
    uint32_t registers[REGISTERS];
    bool swaps = lie.onehot && !lie.garbage;
    if (tiles == 1) {
        memcpy(registers, a, sizeof registers);
        if (swaps)
            swap_halves(registers, lie.i, lie.j);
        a = registers;
    }
    enum status s = honest_rs(tiles, a, b, d, e);
    for (size_t k = 0; swaps && tiles > 1 && k < TILE; k++) {
        float keep = d[lie.i * TILE + k];
        d[lie.i * TILE + k] = d[lie.j * TILE + k];
        d[lie.j * TILE + k] = keep;
    }
    if ((lie.onehot && tiles > 1) || (lie.product && tiles == 1))
        spoil(d, tiles);
    return s;
}

static struct machine liar(void)
{
    struct machine m;
    machine_model(&honest);
    memset(&lie, 0, sizeof lie);
    m = honest;
    m.fidelity = FIDELITY_HARDWARE;
    m.loader = lying_loader;
    m.product_ss = lying_ss;
    m.product_rs = lying_rs;
    return m;
}

/* Were the model hardware: which methods are enough to lock. */
static void contract_measure_hardware_locks_with_independent_evidence_only(void **state)
{
    (void)state;
    static const struct {
        const char *operand, *method;
        bool locked;
    } cases[] = {
        {"A", "all", true}, {"A", "onehot", false}, {"A", "loader", false}, {"D", "all", true}, {"D", "onehot", true}};
    struct machine m = liar(); /* that tells no lie but that it is hardware */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct contract c = measured(&m, cases[i].operand, cases[i].method);
        assert_true(c.conforms);
        assert_int_equal(c.locked, cases[i].locked);
        contract_free(&c);
    }
}

/* Two slots that no formula would exchange, in each source alone. The contract is not locked, and the lower of the two
 * is named with what it holds. */
static void contract_measure_two_exchanged_slots_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum contract_source source;
        uint32_t i, j;
        const char *slot;
    } cases[] = {
        {"loader", CONTRACT_LOADER, 2, 1023, "loader: slot 0.1.0 holds (63,15), the formula says (8,0)"},
        {"ldmatrix", CONTRACT_LDMATRIX, 9, 44, "ldmatrix: slot 1.0.1 holds (1,10), the formula says (0,3)"},
        {"onehot", CONTRACT_ONEHOT, 0, 7, "onehot: slot 0.0.0 holds (8,9), the formula says (0,0)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct machine m = liar();
        lie.plain = cases[i].source == CONTRACT_LOADER;
        lie.ldmatrix = cases[i].source == CONTRACT_LDMATRIX;
        lie.onehot = cases[i].source == CONTRACT_ONEHOT;
        lie.i = cases[i].i;
        lie.j = cases[i].j;
        struct contract c = measured(&m, "A", "all");
        for (int s = 0; s < CONTRACT_SOURCES; s++)
            assert_int_equal(c.agree[s], s == (int)cases[i].source ? A_SLOTS - 2 : A_SLOTS);
        if (!strstr(c.first, cases[i].slot) || !strstr(c.first, "2 of 1024 differ"))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].name, c.first, cases[i].slot);
        assert_int_equal(c.product_wrong, 0); /* the product goes through the measured map */
        assert_false(c.conforms);
        assert_false(c.locked);
        contract_free(&c);
    }
}

static void contract_measure_exchanged_accumulators_are_named(void **state)
{
    (void)state;
    struct machine m = liar();
    lie.d_map = true;
    lie.i = 1, lie.j = 33;
    struct contract c = measured(&m, "D", "onehot");
    assert_int_equal(c.agree[CONTRACT_ONEHOT], D_SLOTS - 2);
    if (!strstr(c.first, "onehot: slot 0.1.0 holds (0,3), the formula says (0,1)"))
        fail_msg("\"%s\"", c.first);
    assert_false(c.conforms || c.locked);
    /* Shared-shared and register form disagree about D: the closing product sees the two. */
    assert_int_equal(c.product_wrong, 2);
    contract_free(&c);
}

static void contract_measure_wrong_product_does_not_conform(void **state)
{
    (void)state;
    struct machine m = liar();
    lie.product = lie.garbage = true;
    lie.i = 17;
    lie.value = 0.5f;
    struct contract c = measured(&m, "A", "all");
    assert_int_equal(c.product_wrong, 1);
    assert_string_equal(c.first, "product: 1 of 4096 outputs are wrong");
    assert_int_equal(c.agree[CONTRACT_ONEHOT], A_SLOTS);
    assert_false(c.conforms || c.locked);
    contract_free(&c);
}

static void contract_measure_garbage_is_an_error_that_says_where(void **state)
{
    (void)state;
    static const struct {
        int about; /* 0 plain, 1 ldmatrix, 2 D, 3 A */
        bool everywhere;
        float value;
        const char *why;
    } cases[] = {
        {0, false, 0, "the plain loader left 65535 in A slot 4, which is no element"},
        {1, false, 0, "the ldmatrix loader left 65535 in A slot 4, which is no element"},
        {2, false, NAN, "D slot 5 holds nan, which names no column"},
        {2, false, 0.5f, "D slot 5 holds 0.5, which names no column"},
        {2, false, 1.5f, "D slot 5 holds 1.5, which names no column"},
        {2, false, 65, "D slot 5 holds 65, which names no column"},
        {2, false, INFINITY, "D slot 5 holds inf, which names no column"},
        {2, false, -1, "D slot 5 holds -1, which names no column"},
        {2, false, 0, "D slot 5 answered for no element"},
        {2, true, 0, "D slot 0 answered for no element"},
        {2, true, 1, "D slot 0 answers for two elements"},
        {3, false, NAN, "A slot 0: more than one row of D, or more than one column of A"},
        {3, false, 7, "A slot 0: more than one row of D, or more than one column of A"},
        {3, false, 0, "63 outputs of value 1 name no element"},
        {3, true, 0, "A slot 0: 0 outputs of value 0 name no element"},
        {3, true, NAN, "A slot 0: more than one row of D, or more than one column of A"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct machine m = liar();
        struct contract untouched = {.slots = 77}, c = untouched;
        struct error e;
        lie.plain = cases[i].about == 0, lie.ldmatrix = cases[i].about == 1;
        lie.d_map = cases[i].about == 2, lie.onehot = cases[i].about == 3;
        lie.garbage = true, lie.everywhere = cases[i].everywhere;
        lie.i = cases[i].about == 3 ? 0 : cases[i].about == 2 ? 5 : 4;
        lie.value = cases[i].value;
        assert_int_equal(contract_measure(&m, op, "A", "all", &c, &e), STATUS_BAD_INPUT);
        if (!strstr(e.why, cases[i].why))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, e.why, cases[i].why);
        assert_memory_equal(&c, &untouched, sizeof c);
    }
}

static void contract_measure_failing_machine_passes_its_error_on(void **state)
{
    (void)state;
    for (int about = 0; about < 3; about++) {
        struct machine m = liar();
        struct contract c;
        struct error e;
        lie.fails = true;
        lie.plain = about == 0, lie.ldmatrix = about == 1, lie.d_map = about == 2;
        assert_int_equal(contract_measure(&m, op, "A", "all", &c, &e), STATUS_DEVICE);
        assert_non_null(strstr(e.why, "fell over"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contract_measure_model_every_method_conforms_and_never_locks),
        cmocka_unit_test(contract_measure_hardware_locks_with_independent_evidence_only),
        cmocka_unit_test(contract_measure_what_it_cannot_measure_is_refused),
        cmocka_unit_test(contract_measure_two_exchanged_slots_are_named),
        cmocka_unit_test(contract_measure_exchanged_accumulators_are_named),
        cmocka_unit_test(contract_measure_wrong_product_does_not_conform),
        cmocka_unit_test(contract_measure_garbage_is_an_error_that_says_where),
        cmocka_unit_test(contract_measure_failing_machine_passes_its_error_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
