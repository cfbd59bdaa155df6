/* subject: names of planted variants taken apart, and what may be combined; and that whatever packs and launches for
 * them says when memory runs out. */
#include "oracle/exec/subject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/exec/machine.h"
#include "probes/weights.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"

static const struct rs_fault neutral = RS_FAULT_NEUTRAL;

static struct subject parse(const char *name)
{
    struct subject s;
    struct error e;
    if (subject_parse(name, &s, &e) != STATUS_OK)
        fail_msg("%s: %s", name, e.why);
    return s;
}

static void subject_parse_neutral_names_set_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"rs", "rs+none"};
    for (int i = 0; i < 2; i++) {
        static const struct planted_data data;
        static const struct planted_launch launch;
        struct subject s = parse(names[i]);
        assert_string_equal(s.name, names[i]);
        assert_int_equal(s.planted, i);
        assert_false(s.hardware_only);
        assert_memory_equal(&s.fault, &neutral, sizeof neutral);
        assert_memory_equal(&s.data, &data, sizeof data);
        assert_memory_equal(&s.launch, &launch, sizeof launch);
    }
}

static void subject_parse_wrong_names_are_refused_in_one_line(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "r",
                                        "rsx",
                                        "rs+",
                                        "rs+F",
                                        "rs+F99",
                                        "rs+F01+",
                                        "rs+none+F1",
                                        "RS",
                                        "rs+F01+F07+F11+F21+F22+F23+F24+F25+F26+F27+F28+F29+F30+F31+F32+F33",
                                        "rs+F12345678901234567890123456789012345678901234567890"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct subject s = {.name = "untouched"};
        struct error e = {0};
        assert_int_equal(subject_parse(names[i], &s, &e), STATUS_BAD_ARGUMENT);
        assert_true(e.why[0] && !strchr(e.why, '\n'));
        assert_string_equal(s.name, "untouched");
    }
    struct error e = {0};
    struct subject s;
    assert_int_equal(subject_parse("rs+F99", &s, &e), STATUS_BAD_ARGUMENT);
    for (size_t i = 0; i < fault_count(); i++)
        assert_non_null(strstr(e.why, fault_at(i)->id));
}

/* One order of the fragment, one order of the codes, one writer of shared memory; whatever else combines. */
static int kind_of(const char *id)
{
    static const char *const kinds[] = {"F01 F02 F03 F04", "F12 F13 F14 F53 F55", "F36 F37"};
    for (int k = 0; k < 3; k++)
        if (strstr(kinds[k], id))
            return k;
    return -1;
}

static void subject_parse_every_pair_combines_or_is_refused(void **state)
{
    (void)state;
    size_t combined = 0, refused = 0;
    for (size_t i = 0; i < fault_count(); i++)
        for (size_t j = 0; j < fault_count(); j++) {
            const struct fault_entry *f = fault_at(i), *g = fault_at(j);
            char name[SUBJECT_NAME];
            struct subject s;
            struct error e = {0};
            bool clash = i == j || (kind_of(f->id) >= 0 && kind_of(f->id) == kind_of(g->id));
            snprintf(name, sizeof name, "rs+%s+%s", f->id, g->id);
            enum status got = subject_parse(name, &s, &e);
            if (got != (clash ? STATUS_BAD_ARGUMENT : STATUS_OK))
                fail_msg("%s: %s %s", name, status_name(got), e.why);
            refused += clash;
            combined += !clash;
            if (clash) {
                assert_non_null(strstr(e.why, "cannot combine"));
                continue;
            }
            /* Both, whole. */
            const uint8_t *sum = (const uint8_t *)&s.fault, *a = (const uint8_t *)&f->fault,
                          *b = (const uint8_t *)&g->fault, *none = (const uint8_t *)&neutral;
            for (size_t at = 0; at < sizeof neutral; at++)
                assert_int_equal(sum[at], a[at] != none[at] ? a[at] : b[at]);
            assert_int_equal(s.data.order, f->data.order | g->data.order);
            assert_int_equal(s.data.value_rows, f->data.value_rows | g->data.value_rows);
            assert_int_equal(s.launch.ids_clamped, f->launch.ids_clamped | g->launch.ids_clamped);
            assert_int_equal(s.hardware_only, f->hardware_only || g->hardware_only);
        }
    assert_int_equal(refused, fault_count() + 12 + 20 + 2);
    assert_int_equal(combined, fault_count() * fault_count() - refused);
}

/* Every fault sets something, and only what its carrier has. */
static void fault_at_every_entry_is_whole(void **state)
{
    (void)state;
    static const struct planted_data data;
    static const struct planted_launch launch;
    for (size_t i = 0; i < fault_count(); i++) {
        const struct fault_entry *f = fault_at(i);
        bool kernel = memcmp(&f->fault, &neutral, sizeof neutral) != 0;
        bool packs = memcmp(&f->data, &data, sizeof data) != 0;
        bool launches = memcmp(&f->launch, &launch, sizeof launch) != 0 || f->fault.grid_by_rows;
        assert_int_equal(packs, f->carrier == FAULT_DATA);
        assert_int_equal(launches, f->carrier == FAULT_LAUNCH);
        assert_true(kernel + packs + launches >= 1);
        assert_true(f->name[0] && f->what[0] && f->looks_like[0] && f->exactly[0]);
        assert_true(fault_class_name(f->class)[0] && fault_carrier_name(f->carrier)[0]);
    }
}

static void machine_model_hardware_only_fault_is_unsupported(void **state)
{
    (void)state;
    static const char *const names[] = {"rs+F38", "rs+F44", "rs+F01+F38"};
    struct machine model;
    machine_model(&model);
    for (int i = 0; i < 3; i++) {
        struct subject s = parse(names[i]);
        struct executor x = {0};
        struct error e = {0};
        assert_true(s.hardware_only);
        assert_int_equal(model.subject(&s, &x, &e), STATUS_UNSUPPORTED);
        assert_non_null(strstr(e.why, "--on gpu"));
        assert_non_null(strstr(e.why, "module:"));
        assert_null(x.self);
    }
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static struct weights_set set;
static struct packed_weights packed;
static const char *planted;

static enum status pack(void *context, struct error *e)
{
    (void)context;
    struct subject s = parse(planted);
    struct packed_weights p = {0};
    enum status status = planted_weights_make(&set.w, &s.data, &p, e);
    if (status == STATUS_OK)
        packed = p;
    else
        assert_null(p.values);
    return status;
}

static enum status launch_once(void *context, struct error *e)
{
    (void)context;
    static const uint32_t starts[] = {0, 3, 7};
    static const int32_t ids[] = {1, 0};
    const struct segments s = {8, 2, 2, starts, ids};
    struct subject parsed = parse(planted);
    struct planted_segments given = {0};
    struct bf16 out[8 * 2] = {{0}};
    enum status status = planted_segments_make(&s, &parsed.launch, &given, e);
    if (status == STATUS_OK)
        status = planted_rows_restore(&s, &parsed.launch, 2, out, e);
    planted_segments_free(&given);
    return status;
}

static void planted_weights_and_launch_without_memory_say_so(void **state)
{
    (void)state;
    struct error e;
    assert_int_equal(weights_make(WEIGHTS_RANDOM, 2, 48, 64, 1, &set, &e), STATUS_OK);
    static const char *const names[] = {"rs", "rs+F16", "rs+F57+F54", "rs+F20"};
    for (int i = 0; i < 4; i++) {
        planted = names[i];
        long before = alloc_live();
        assert_true(alloc_check(pack, NULL, NULL) >= 2);
        packed_weights_free(&packed);
        assert_int_equal(alloc_live(), before);
    }
    planted = "rs+F26+F32";
    long before = alloc_live();
    assert_int_equal(alloc_check(launch_once, NULL, NULL), 3);
    assert_int_equal(alloc_live(), before);
    weights_free(&set);
}

/* What the kernel does not take is refused before anything is planted. */
static void planted_weights_make_wrong_shapes_are_refused(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{24, 64}, {16, 96}};
    struct subject s = parse("rs+F14");
    for (int i = 0; i < 2; i++) {
        struct packed_weights p = {0};
        struct error e;
        assert_int_equal(weights_make(WEIGHTS_RANDOM, 1, shapes[i][0], shapes[i][1], 1, &set, &e), STATUS_OK);
        assert_int_equal(planted_weights_make(&set.w, &s.data, &p, &e), STATUS_BAD_ARGUMENT);
        expect_error(&e, STATUS_BAD_ARGUMENT, "", "", -1, "N % 16 == 0 and K % 64 == 0");
        weights_free(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subject_parse_neutral_names_set_nothing),
        cmocka_unit_test(subject_parse_wrong_names_are_refused_in_one_line),
        cmocka_unit_test(subject_parse_every_pair_combines_or_is_refused),
        cmocka_unit_test(fault_at_every_entry_is_whole),
        cmocka_unit_test(machine_model_hardware_only_fault_is_unsupported),
        cmocka_unit_test(planted_weights_and_launch_without_memory_say_so),
        cmocka_unit_test(planted_weights_make_wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
