/* coded, of the production kernel and its planted faults on the model: each source map is what its fault says. */
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "oracle/exec/open.h"
#include "probes/coded.h"

/* Where the weight of feature n and column k comes from, by the fault alone. Returns false where it is zero. */
static bool source_under(const struct rs_fault *fault, struct source_point *value, struct source_point *scale)
{
    static const uint8_t right[8] = {0, 1, 4, 5, 2, 3, 6, 7};
    uint32_t n = value->n, k = value->k, c = k % 16;
    /* v of the element that the tensor core wants: rows g and g+8 are v00.. and v04.., columns 2q, 2q+1, 2q+8, 2q+9 */
    uint32_t v = n % 16 / 8 * 4 + c / 8 * 2 + c % 2, slot = 0;
    while (right[slot] != v)
        slot++;
    uint32_t is = fault->pack_order[slot];
    value->n = n - n % 16 / 8 * 8 + is / 4 * 8;
    value->k = k - c % 2 - c / 8 * 8 + is % 4 / 2 * 8 + is % 2;
    scale->n = value->n;
    scale->k = (fault->scale_tile_relative ? k % 128 : k) / 32;
    return !fault->odd_column_zero || value->n % 2 == 0;
}

/* Returns how many observations are not right. */
static size_t ask(const char *name, const struct coded_options *o, bool *conforms)
{
    struct machine machine;
    struct executor x;
    struct subject subject;
    struct coded_result r;
    struct error e;
    size_t wrong = 0;
    machine_model(&machine);
    assert_int_equal(subject_parse(name, &subject, &e), STATUS_OK);
    assert_int_equal(subject_open(name, &machine, &x, &e), STATUS_OK);
    if (coded_run(&x, o, &r, &e) != STATUS_OK)
        fail_msg("%s: %s", name, e.why);
    const struct source_map *m = &r.map;
    for (size_t i = 0; i < source_map_observations(m); i++) {
        size_t s = i / (m->P * m->N), p = i / m->N % m->P, n = i % m->N;
        uint32_t value = source_wanted_value(m, s, p, n), scale = source_wanted_scale(m, s, p, n);
        uint32_t row = source_wanted_row(m, s, p, n), right_value = value, right_scale = scale;
        if (value != SOURCE_ZERO) {
            struct source_point from = source_value_point(m, value), scaled = source_scale_point(m, scale);
            bool some = source_under(&subject.fault, &from, &scaled);
            value = some ? source_value_code(m, from) : SOURCE_ZERO;
            scale = some ? source_scale_code(m, scaled) : SOURCE_ZERO;
            row = some ? row : SOURCE_ZERO;
        }
        if (m->value[i] != value || m->scale[i] != scale || m->row[i] != row)
            fail_msg("%s: sweep %zu, out[%zu][%zu] shows %08x %08x %08x, not %08x %08x %08x", name, s, p, n,
                     m->value[i], m->scale[i], m->row[i], value, scale, row);
        wrong += value != right_value || scale != right_scale;
    }
    assert_int_equal(r.report.wgmma, r.report.wgmma_expected);
    assert_true(r.report.wgmma > 0);
    assert_true(r.repeats);
    assert_int_equal(r.guard.wrong, 0);
    assert_int_equal(r.guard.status_word, 2);
    *conforms = coded_conforms(&r);
    coded_result_free(&r);
    x.release(x.self);
    return wrong;
}

static const struct coded_options usual = {128, 208, 256, 8, 0}, small = {40, 80, 192, 5, 1};

static void coded_run_of_the_production_kernel_and_its_twin_conforms(void **state)
{
    (void)state;
    bool conforms;
    assert_int_equal(ask("rs", &usual, &conforms), 0);
    assert_true(conforms);
    assert_int_equal(ask("rs+none", &small, &conforms), 0);
    assert_true(conforms);
}

static void coded_run_map_of_a_planted_fault_is_what_it_says(void **state)
{
    (void)state;
    bool conforms;
    /* Those that source_under knows; tests/planted/test_faults.c has all of them. */
    static const char *const names[] = {"rs+F01", "rs+F02", "rs+F03", "rs+F04", "rs+F07", "rs+F11"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(ask(names[i], &small, &conforms) > 0);
        assert_false(conforms);
    }
}

static void coded_run_map_of_faults_together_is_what_they_say(void **state)
{
    (void)state;
    bool conforms;
    assert_true(ask("rs+F01+F07+F11", &usual, &conforms) > 0);
    assert_false(conforms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coded_run_of_the_production_kernel_and_its_twin_conforms),
        cmocka_unit_test(coded_run_map_of_a_planted_fault_is_what_it_says),
        cmocka_unit_test(coded_run_map_of_faults_together_is_what_they_say),
    };
    /* Hundreds of small launches: threads that spin at every barrier starve each other on a busy machine. */
    omp_set_num_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
