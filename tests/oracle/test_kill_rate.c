/* The kill rate counts what it says, also when the oracle is wrong about what was planted. */
#include "oracle/answer/kill_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/exec/model.h"

static const uint64_t shapes[][3] = {{96, 80, 192}}, tiny[][3] = {{24, 32, 64}};

static struct kill_verdict ask(const char *subject)
{
    struct machine model;
    struct kill_verdict v;
    struct error e;
    machine_model(&model);
    if (kill_ask(subject, &model, shapes[0], 1, &v, &e) != STATUS_OK)
        fail_msg("%s: %s", subject, e.why);
    return v;
}

static void kill_ask_one_fault_is_named(void **state)
{
    (void)state;
    struct kill_verdict v = ask("rs+F07");
    assert_true(v.detected && v.named && v.alone && !v.hidden);
    assert_string_equal(v.found, "F07");
    v = ask("rs+F02");
    assert_true(v.detected && v.named);
}

static void kill_ask_right_kernel_is_nothing(void **state)
{
    (void)state;
    struct kill_verdict v = ask("rs");
    assert_false(v.detected || v.named || v.alone);
    assert_string_equal(v.found, "nothing");
    assert_false(ask("rs+none").detected);
}

static void kill_ask_two_faults_are_named_in_either_order(void **state)
{
    (void)state;
    assert_true(ask("rs+F07+F11").named);
    assert_true(ask("rs+F11+F07").named);
}

/* What hides another fault makes no pair. */
static void kill_ask_hidden_fault_is_hidden(void **state)
{
    (void)state;
    struct kill_verdict v = ask("rs+F26+F31");
    assert_true(v.detected && v.hidden && !v.named);
}

/* A machine that plants F02 whatever it is asked for. */
static enum status plant_f02(const struct subject *subject, struct executor *out, struct error *e)
{
    struct subject other;
    (void)subject;
    assert_int_equal(subject_parse("rs+F02", &other, e), STATUS_OK);
    return model_subject(&other, out, e);
}

static enum status plant_nothing(const struct subject *subject, struct executor *out, struct error *e)
{
    struct subject other;
    (void)subject;
    assert_int_equal(subject_parse("rs", &other, e), STATUS_OK);
    return model_subject(&other, out, e);
}

static void kill_singles_another_fault_than_was_asked_is_not_named(void **state)
{
    (void)state;
    struct machine model;
    struct kill_rate k = {0};
    struct error e;
    machine_model(&model);
    model.subject = plant_f02;
    assert_int_equal(kill_singles(&model, tiny, 1, 1, &k, &e), STATUS_OK);
    assert_true(k.all.planted > 30);
    assert_int_equal(k.all.detected, k.all.planted);
    assert_int_equal(k.all.named, 1);
    assert_non_null(strstr(k.missed, "rs+F01 at 24,32,64: F02"));
    assert_null(strstr(k.missed, "rs+F02 at"));
}

static void kill_singles_nothing_planted_is_not_detected(void **state)
{
    (void)state;
    struct machine model;
    struct kill_rate k = {0};
    struct error e;
    machine_model(&model);
    model.subject = plant_nothing;
    assert_int_equal(kill_singles(&model, tiny, 1, 1, &k, &e), STATUS_OK);
    assert_true(k.all.planted > 30);
    assert_int_equal(k.all.detected + k.all.named, 0);
    assert_non_null(strstr(k.missed, "rs+F01 at 24,32,64: nothing"));
}

/* Classes add up, and the same seed draws the same pairs. */
static void kill_pairs_seed_repeats(void **state)
{
    (void)state;
    struct machine model;
    struct kill_rate a = {0}, b = {0};
    struct error e;
    machine_model(&model);
    assert_int_equal(kill_pairs(&model, shapes[0], 6, 5, &a, &e), STATUS_OK);
    assert_int_equal(kill_pairs(&model, shapes[0], 6, 5, &b, &e), STATUS_OK);
    assert_int_equal(a.pairs.planted, 6);
    assert_int_equal(a.pairs.named, 6);
    assert_memory_equal(&a, &b, sizeof a);
    model.subject = plant_f02;
    b = (struct kill_rate){0};
    /* Whatever is drawn is F02 alone: no pair is left to count, and drawing ends. */
    assert_int_equal(kill_pairs(&model, tiny[0], 1, 5, &b, &e), STATUS_OK);
    assert_int_equal(b.pairs.planted, 0);
    assert_true(b.hidden > 0);
}

static int asked_for;
static enum status plant_every_third(const struct subject *subject, struct executor *out, struct error *e)
{
    return asked_for++ % 3 ? plant_nothing(subject, out, e) : plant_f02(subject, out, e);
}

static void kill_races_are_counted_where_hardware_is(void **state)
{
    (void)state;
    struct machine machine;
    struct kill_rate k = {0};
    struct error e;
    struct text text = {0};
    machine_model(&machine);
    assert_int_equal(kill_races(&machine, tiny[0], 6, 1, &k, &e), STATUS_OK);
    assert_int_equal(k.races, 2);
    assert_int_equal(k.race[0].runs + k.race[1].runs, 0);
    kill_text(&k, &text);
    assert_non_null(strstr(text.data, "F38 proxy-fence-missing, which only hardware shows: not asked here"));
    text_free(&text);

    setenv("FRAGORACLE_ISOLATE", "0", 1);
    machine.fidelity = FIDELITY_HARDWARE;
    machine.subject = plant_every_third;
    k = (struct kill_rate){0};
    assert_int_equal(kill_races(&machine, tiny[0], 6, 1, &k, &e), STATUS_OK);
    unsetenv("FRAGORACLE_ISOLATE");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(k.race[i].runs, 6);
        assert_int_equal(k.race[i].seen, 2);
    }
    json_t *j = kill_json(&k);
    assert_int_equal(json_array_size(json_object_get(j, "races")), 2);
    json_decref(j);
    kill_text(&k, &text);
    assert_non_null(strstr(text.data, "F44 register-overwrite, which only hardware shows: seen in 2 of 6 runs"));
    text_free(&text);
}

static void kill_json_classes_add_up(void **state)
{
    (void)state;
    struct kill_rate k = {.all = {6, 6, 6, 6}, .shapes = 1, .hidden = 2, .missed = "x"};
    struct text text = {0};
    for (int i = 0; i < KILL_CLASSES; i++)
        k.by_class[i] = (struct kill_count){1, 1, 1, 1};
    json_t *j = kill_json(&k), *classes = json_object_get(j, "by_class");
    assert_non_null(j);
    assert_int_equal(json_object_size(classes), KILL_CLASSES);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "faults"), "named")), 6);
    assert_int_equal(json_integer_value(json_object_get(j, "pairs_hidden")), 2);
    kill_text(&k, &text);
    assert_non_null(strstr(text.data, "not named: x"));
    json_decref(j);
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_ask_one_fault_is_named),
        cmocka_unit_test(kill_ask_right_kernel_is_nothing),
        cmocka_unit_test(kill_ask_two_faults_are_named_in_either_order),
        cmocka_unit_test(kill_ask_hidden_fault_is_hidden),
        cmocka_unit_test(kill_singles_another_fault_than_was_asked_is_not_named),
        cmocka_unit_test(kill_singles_nothing_planted_is_not_detected),
        cmocka_unit_test(kill_pairs_seed_repeats),
        cmocka_unit_test(kill_races_are_counted_where_hardware_is),
        cmocka_unit_test(kill_json_classes_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
