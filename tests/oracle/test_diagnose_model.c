/* The planted kernels on the model: each is asked by the coded probe and must be named.
 *     test_oracle_diagnose_model all        at the shape that fo_diagnose asks, instead of the smallest that shows it
 *     test_oracle_diagnose_model SUBJECT    what is said of one */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/diagnose/diagnosis.h"
#include "oracle/exec/open.h"

struct asked {
    struct coded_result result;
    struct geometry geometry;
    struct diagnosis d;
};

static void ask_kernel(const struct executor *kernel, size_t P, size_t N, size_t K, struct asked *out)
{
    struct error e;
    const struct coded_options o = {.P = P, .N = N, .K = K, .experts = 8, .seed = 1};
    assert_int_equal(coded_run(kernel, &o, &out->result, &e), STATUS_OK);
    assert_int_equal(geometry_make(&out->result.map, out->result.report.tile, &out->geometry, &e), STATUS_OK);
    assert_int_equal(diagnosis_make(&out->result, &out->geometry, &out->d, &e), STATUS_OK);
}

static void ask(const char *subject, size_t P, size_t N, size_t K, struct asked *out)
{
    struct machine machine;
    struct executor executor;
    struct error e;
    machine_model(&machine);
    assert_int_equal(subject_open(subject, &machine, &executor, &e), STATUS_OK);
    ask_kernel(&executor, P, N, K, out);
    executor.release(executor.self);
}

static void asked_free(struct asked *a)
{
    geometry_free(&a->geometry);
    coded_result_free(&a->result);
}

/* The ids of the first explanation, sorted and joined: "F01+F07". */
static const char *names_of(const struct diagnosis *d, char text[32])
{
    const struct finding *x = &d->finding[0];
    if (d->state == DIAGNOSIS_CONFORMS)
        return strcpy(text, "none");
    if (d->state == DIAGNOSIS_UNKNOWN || !finding_has_names(x))
        return strcpy(text, "unknown");
    const char *a = x->fault[0].is->id, *b = x->count == 2 ? x->fault[1].is->id : NULL;
    if (b && strcmp(a, b) > 0) {
        const char *t = a;
        a = b;
        b = t;
    }
    snprintf(text, 32, b ? "%s+%s" : "%s", a, b ? b : "");
    return text;
}

static void show(const struct diagnosis *d)
{
    char text[96];
    for (size_t i = 0; i < d->nearest; i++)
        for (size_t j = 0; j < d->near[i].count; j++)
            print_message("    near %zu: %s map %zu-%zu of %zu, pair %zu-%zu of %zu, guard %zu-%zu of %zu\n", i,
                          choice_text(&d->near[i].fault[j], text, sizeof text), d->near[i].map.explained,
                          d->near[i].map.spoiled, d->near[i].map.differing, d->near[i].pair.explained,
                          d->near[i].pair.spoiled, d->near[i].pair.differing, d->near[i].guard.explained,
                          d->near[i].guard.spoiled, d->near[i].guard.differing);
    for (size_t i = 0; i < d->exact && i < DIAGNOSIS_EXACT; i++)
        for (size_t j = 0; j < d->finding[i].count; j++)
            print_message("    exact %zu: %s\n", i, choice_text(&d->finding[i].fault[j], text, sizeof text));
}

struct shape {
    size_t P, N, K;
};
static const struct shape usual = {128, 208, 256};
static bool at_usual;

/* Two tiles of features, the second not full, show most. F07 needs two tiles of K, F27 a segment of more than 48 rows.
 */
static struct shape shape_for(const char *faults)
{
    if (at_usual)
        return usual;
    return (struct shape){strstr(faults, "F27") ? 96 : 64, 80, strstr(faults, "F07") ? 192 : 64};
}

static void expect_named(const char *faults)
{
    char subject[40], text[32];
    struct asked a;
    struct shape at = shape_for(faults);
    snprintf(subject, sizeof subject, "rs+%s", faults);
    ask(subject, at.P, at.N, at.K, &a);
    if (strcmp(names_of(&a.d, text), faults) != 0 || a.d.exact < (strcmp(faults, "none") != 0)) {
        print_message("%s: %s, %zu exact\n", subject, text, a.d.exact);
        show(&a.d);
        fail();
    }
    asked_free(&a);
}

static void diagnosis_make_planted_fault_is_named(void **state)
{
    (void)state;
    size_t asked = 0;
    expect_named("none");
    for (size_t i = 0; i < fault_count(); i++)
        if (!fault_at(i)->hardware_only) {
            expect_named(fault_at(i)->id);
            asked++;
        }
    assert_int_equal(asked, 41);
}

/* A newcomer writes the eight values down in some order that nobody named. */
static void diagnosis_make_order_without_a_name_is_shown(void **state)
{
    (void)state;
    static const uint8_t orders[][8] = {{0, 1, 4, 5, 2, 3, 7, 6}, {7, 6, 5, 4, 3, 2, 1, 0}, {4, 0, 5, 1, 6, 2, 7, 3}};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct machine machine;
        struct executor executor;
        struct subject subject;
        struct asked a;
        struct error e;
        machine_model(&machine);
        assert_int_equal(subject_parse("rs+none", &subject, &e), STATUS_OK);
        memcpy(subject.fault.pack_order, orders[i], sizeof orders[i]);
        assert_int_equal(machine.subject(&subject, &executor, &e), STATUS_OK);
        ask_kernel(&executor, 64, 80, 64, &a);
        executor.release(executor.self);
        size_t shown = 0;
        for (size_t x = 0; x < a.d.exact && x < DIAGNOSIS_EXACT; x++)
            if (!a.d.finding[x].fault[0].is->id) {
                assert_memory_equal(a.d.finding[x].fault[0].order, orders[i], sizeof orders[i]);
                shown++;
            }
        assert_int_equal(a.d.state, DIAGNOSIS_EXPLAINED);
        assert_int_equal(shown, 1);
        asked_free(&a);
    }
}

static void diagnosis_make_planted_pair_is_named(void **state)
{
    (void)state;
    static const char *const planted[] = {"F01+F07", "F02+F07", "F03+F07", "F04+F07", "F01+F11",
                                          "F02+F11", "F03+F11", "F04+F11", "F07+F11", "F01+F53"};
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++)
        expect_named(planted[i]);
}

int main(int argc, char **argv)
{
    at_usual = argc == 2 && strcmp(argv[1], "all") == 0;
    if (argc == 2 && !at_usual) {
        char text[32];
        struct asked a;
        ask(argv[1], usual.P, usual.N, usual.K, &a);
        printf("%s: %s, %zu exact, %zu tried\n", argv[1], names_of(&a.d, text), a.d.exact, a.d.tried);
        show(&a.d);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diagnosis_make_planted_fault_is_named),
        cmocka_unit_test(diagnosis_make_planted_pair_is_named),
        cmocka_unit_test(diagnosis_make_order_without_a_name_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
