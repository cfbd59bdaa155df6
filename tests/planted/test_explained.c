/* Every planted fault on the model, explained: the stage that a user reads first is the one where faults.def plants it,
 * though explain.h knows no fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/exec/open.h"
#include "probes/explain_coded.h"

#define IS(stage) (1u << EXPLAIN_##stage)
/* found: a part of the sentence; NULL: there is no formula for it. */
static const struct {
    const char *id;
    unsigned stages;
    const char *found;
} faults[] = {
    {"F01", IS(FRAGMENT), "pack order v00 v04 v01 v05 v03 v07 v06 v02"},
    {"F02", IS(FRAGMENT), "pack order v00 v01 v02 v03 v04 v05 v06 v07"},
    {"F03", IS(FRAGMENT), "pack order v00 v04 v01 v05 v03 v07 v02 v06"},
    {"F04", IS(FRAGMENT), "pack order v00 v04 v01 v05 v02 v06 v03 v07"},
    {"F05", IS(FRAGMENT), "n + 64"},
    {"F06", IS(FRAGMENT), "n"},
    {"F08", IS(EPILOGUE), "accumulator"},
    {"F09", IS(EPILOGUE), "accumulator"},
    {"F11", IS(VALUES), "zero where n % 2 == 1"},
    {"F12", IS(VALUES), "code of a weight"},
    {"F13", IS(VALUES), "code of a weight"},
    {"F14", IS(VALUES), "code of a weight"},
    {"F15", IS(VALUES), "code of a weight"},
    {"F16", IS(VALUES), "code of a weight"},
    {"F53", IS(VALUES), "k ^ 1"},
    {"F54", IS(VALUES), NULL},
    {"F55", IS(VALUES), "n ^ 8, k ^ 8"},
    {"F56", IS(VALUES), "without its sign"},
    {"F57", IS(VALUES), "code of a weight"},
    {"F07", IS(SCALES), "b % 4"},
    {"F18", IS(SCALES), "NaN where greatest scale of the row >= 129"},
    {"F19", IS(SCALES), "zero where"},
    {"F20", IS(SCALES), "times 2^-127"},
    {"F21", IS(SCALES), "b & ~1"},
    {"F22", IS(SCALES), "n ^ 8"},
    {"F23", IS(VALUES), "(code & 7) == 1"},
    {"F24", IS(ROUTING), "never written where active <= e"},
    {"F25", IS(ROUTING), "never written"},
    {"F26", IS(ROUTING), "computed where"},
    {"F27", IS(ROUTING), "never written where r >= 48"},
    {"F28", IS(ROUTING), "never written"},
    {"F29", IS(ROUTING), "bad segments"},
    {"F30", IS(ROUTING), "never written"},
    {"F31", IS(ROUTING), "zero where"},
    {"F32", IS(ROUTING), "(r - 2) % rows"},
    {"F33", IS(EPILOGUE), "zero where result == 2"},
    {"F36", IS(DESCRIPTOR), "(t << 3 & 0x38)"},
    {"F37", IS(DESCRIPTOR), "k"},
    {"F39", IS(DESCRIPTOR), "zero where t >= 32"},
    {"F47", IS(FRAGMENT), "n"}, /* rows of weights, value and scale together */
    {"F48", IS(VALUES), "zero where e == 7"},
};

static const struct coded_options options = {.P = 132, .N = 144, .K = 192, .experts = 8, .seed = 1};

static void explain_subject(const char *name, struct explanation *x, enum explain_registers *a)
{
    struct machine model;
    struct executor subject, right;
    struct coded_result r;
    struct error e;
    machine_model(&model);
    assert_int_equal(subject_open_here(name, &model, &subject, &e), STATUS_OK);
    assert_int_equal(subject_open_here("rs", &model, &right, &e), STATUS_OK);
    assert_int_equal(coded_run(&subject, &options, &r, &e), STATUS_OK);
    assert_int_equal(explain_coded_registers(&subject, &right, &r.map, 1, a, &e), STATUS_OK);
    struct explain_question q = explain_coded_question(&r, false, *a);
    assert_int_equal(explain_run(&q, x, &e), STATUS_OK);
    coded_result_free(&r);
    subject.release(subject.self);
    right.release(right.self);
}

static unsigned stages_named(const struct explanation *x)
{
    unsigned stages = 0;
    for (int g = 0; g < EXPLAIN_STAGES; g++)
        if (x->part[g].state == EXPLAIN_DIFFERS || (g < EXPLAIN_ARITHMETIC && x->part[g].state == EXPLAIN_UNDECIDED))
            stages |= 1u << g;
    return stages;
}

static void explain_run_planted_fault_its_stage_alone(void **state)
{
    (void)state;
    size_t asked = 0, right = 0, summed = 0;
    for (size_t i = 0; i < fault_count(); i++) {
        const struct fault_entry *f = fault_at(i);
        size_t j = 0;
        char name[SUBJECT_NAME];
        struct explanation x;
        enum explain_registers a;
        if (f->hardware_only)
            continue;
        while (j < sizeof faults / sizeof *faults && strcmp(faults[j].id, f->id) != 0)
            j++;
        assert_true(j < sizeof faults / sizeof *faults); /* a new fault wants a line here */
        snprintf(name, sizeof name, "rs+%s", f->id);
        explain_subject(name, &x, &a);
        bool said = !faults[j].found;
        for (int g = 0; g < EXPLAIN_STAGES && !said; g++)
            said = faults[j].stages >> g & 1 && strstr(x.part[g].what, faults[j].found);
        bool good = stages_named(&x) == faults[j].stages && said;
        if (!good)
            print_message("%s %s, A %d, %zu of %zu explained\n", name, f->name, (int)a, x.explained, x.wrong);
        for (int g = 0; g < EXPLAIN_STAGES && !good; g++)
            if (x.part[g].state > EXPLAIN_CONFORMS)
                print_message("    %s %s: %s\n", explain_stage_name((enum explain_stage)g),
                              explain_state_name(x.part[g].state), x.part[g].what);
        right += good;
        asked++;
        if (x.sums_predicted != x.sums_asked)
            print_message("%s: %zu of %zu sums\n", name, x.sums_predicted, x.sums_asked);
        assert_int_equal(x.sums_predicted, x.sums_asked);
        summed += x.sums_asked > 0;
        explanation_free(&x);
    }
    print_message("%zu of %zu faults explained\n", right, asked);
    assert_int_equal(asked, sizeof faults / sizeof *faults);
    assert_int_equal(right, asked);
    assert_true(summed >= 28); /* the others hide every sum, leave every factor right, or are no formula */
}

/* Weights other than those that the dense product had: no sum may pass for predicted but by chance. */
static void explain_run_sums_of_other_weights_are_not_predicted(void **state)
{
    (void)state;
    struct machine model;
    struct executor subject;
    struct coded_result r;
    struct explanation x;
    struct error e;
    machine_model(&model);
    assert_int_equal(subject_open_here("rs+F02", &model, &subject, &e), STATUS_OK);
    assert_int_equal(coded_run(&subject, &options, &r, &e), STATUS_OK);
    struct explain_question q = explain_coded_question(&r, false, EXPLAIN_A_UNKNOWN);
    assert_int_equal(explain_run(&q, &x, &e), STATUS_OK);
    size_t outputs = options.P * options.N;
    assert_int_equal(x.sums_asked, outputs);
    assert_int_equal(x.sums_predicted, outputs);
    assert_int_equal(x.part[EXPLAIN_ARITHMETIC].state, EXPLAIN_CONFORMS);
    explanation_free(&x);
    size_t bytes = options.experts * options.N * options.K / 2;
    for (size_t i = 0; i < bytes; i += 61)
        r.dense_blocks[i] ^= 0x88; /* the signs of two weights, of every output that meets them */
    assert_int_equal(explain_run(&q, &x, &e), STATUS_OK);
    assert_int_equal(x.sums_asked, outputs);
    assert_true(x.sums_predicted < outputs / 2);
    assert_int_equal(x.part[EXPLAIN_ARITHMETIC].state, EXPLAIN_UNDECIDED);
    explanation_free(&x);
    coded_result_free(&r);
    subject.release(subject.self);
}

static void explain_run_clean_twin_conforms(void **state)
{
    (void)state;
    struct explanation x;
    enum explain_registers a;
    explain_subject("rs+none", &x, &a);
    assert_int_equal(a, EXPLAIN_A_RIGHT);
    assert_int_equal(stages_named(&x), 0);
    explanation_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain_run_planted_fault_its_stage_alone),
        cmocka_unit_test(explain_run_sums_of_other_weights_are_not_predicted),
        cmocka_unit_test(explain_run_clean_twin_conforms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
