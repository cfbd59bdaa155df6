/* fo_diagnose: what it says, what it writes, and that the line that repeats a case does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "oracle/diagnose/report.h"
#include "oracle/fragoracle.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "tests/oracle/diagnose_kernels.h"
#include "tests/support/alloc.h"
#include "tests/support/scratch.h"

static json_t *ask(const struct fo_diagnose_options *o, enum fo_verdict verdict, char **text)
{
    struct fo_answer answer = {0};
    struct fo_error error = {""};
    json_error_t at;
    if (fo_diagnose(o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    assert_int_equal(answer.verdict, verdict);
    json_t *document = json_loads(answer.json, 0, &at);
    assert_non_null(document);
    if (text)
        *text = strdup(answer.text);
    fo_answer_free(&answer);
    return document;
}

static const char *text_at(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    assert_non_null(text);
    return text;
}

static void fo_diagnose_right_kernel_conforms(void **state)
{
    (void)state;
    const struct fo_diagnose_options o = {.subject = "rs", .P = 32, .N = 80, .K = 128, .on = "model"};
    json_t *d = ask(&o, FO_CONFORMS, NULL);
    assert_string_equal(text_at(d, "schema"), "fragoracle.diagnosis/1");
    assert_string_equal(text_at(d, "state"), "conforms");
    assert_int_equal(json_array_size(json_object_get(d, "named")), 0);
    assert_null(json_object_get(d, "smallest"));
    json_decref(d);
}

static void fo_diagnose_pack_order_is_named_shrunk_and_repeated(void **state)
{
    (void)state;
    struct fo_diagnose_options o = {.subject = "rs+F01", .P = 32, .N = 80, .K = 128, .on = "model"};
    char *text = NULL;
    json_t *d = ask(&o, FO_DIFFERS, &text);
    json_t *smallest = json_object_get(d, "smallest"), *shape = json_object_get(smallest, "shape");
    assert_string_equal(text_at(d, "state"), "named");
    assert_string_equal(json_string_value(json_array_get(json_object_get(d, "named"), 0)), "F01");
    assert_non_null(strstr(text, "order v00 v04 v01 v05 v03 v07 v06 v02"));
    assert_non_null(strstr(text, "order v00 v01 v04 v05 v02 v03 v06 v07"));
    assert_non_null(strstr(text, text_at(smallest, "repeat")));
    assert_non_null(json_object_get(json_object_get(smallest, "output"), "expected"));
    o.P = (uint64_t)json_integer_value(json_object_get(shape, "P"));
    o.N = (uint64_t)json_integer_value(json_object_get(shape, "N"));
    o.K = (uint64_t)json_integer_value(json_object_get(shape, "K"));
    assert_true(o.P == 1 && o.N == 16 && o.K == 64);
    json_decref(d);
    free(text);
    d = ask(&o, FO_DIFFERS, NULL);
    assert_string_equal(text_at(d, "state"), "named");
    json_decref(d);
}

static void fo_diagnose_out_holds_document_and_pictures(void **state)
{
    static const char *const names[] = {"diagnosis.json", "source_map.png", "slots.png",
                                        "rows.png",       "columns.png",    "errors.png"};
    char path[SCRATCH_PATH];
    struct error e;
    const struct fo_diagnose_options o = {.subject = "rs+F11", .P = 16, .N = 32, .K = 64, .on = "model", .out = *state};
    json_decref(ask(&o, FO_DIFFERS, NULL));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint8_t *data;
        size_t size;
        assert_int_equal(file_read(scratch_path(state, names[i], path), 0, &data, &size, &e), STATUS_OK);
        assert_true(size > 100);
        free(data);
    }
}

static void fo_diagnose_bad_questions_are_refused(void **state)
{
    (void)state;
    const struct fo_diagnose_options bad[] = {{.subject = "rs+F99", .on = "model"},
                                              {.subject = "rs", .P = 16, .N = 17, .K = 64, .on = "model"},
                                              {.subject = "rs", .P = 16, .on = "model"},
                                              {.subject = "rs", .on = "moon"},
                                              {.subject = "rs", .seed = UINT64_MAX, .on = "model"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fo_answer answer = {0};
        struct fo_error error = {""};
        assert_int_not_equal(fo_diagnose(&bad[i], &answer, &error), 0);
        assert_true(error.line[0] != '\0');
        assert_null(answer.json);
    }
}

/* What an answer is made of, of a kernel with F01; the probe has its own test. */
static enum status diagnose_shown(void *context, struct error *e)
{
    static const uint32_t tile[3] = {64, 64, 128};
    const struct shown *s = context;
    const struct coded_options o = {.P = s->r.map.P, .N = s->r.map.N, .K = s->r.map.K, .experts = 4};
    const struct executor_limits limits = {0};
    struct geometry g = {0};
    struct diagnosis d;
    struct smallest smallest;
    json_t *document = NULL, *machine = json_object();
    enum status status = machine ? geometry_make(&s->r.map, tile, &g, e) : error_set(e, STATUS_NO_MEMORY, "machine");
    if (status == STATUS_OK)
        status = diagnosis_make(&s->r, &g, &d, e);
    if (status == STATUS_OK)
        status = smallest_find(NULL, &o, &s->r, &smallest, e);
    const struct explanation stages = {.wrong = 1};
    if (status == STATUS_OK) {
        const struct report r = {"rs", "model", "bit-exact model", "again", o,       NULL,    &s->r, &d,
                                 &g,   &stages, &smallest,         NULL,    &limits, machine, NULL};
        struct fo_answer answer = {0};
        struct text text = {0};
        document = report_json(&r);
        if (document) {
            report_text(&r, &text);
            status = answer_make(report_verdict(&r), document, &text, &answer, e);
        } else
            status = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
        if (status == STATUS_OK)
            assert_non_null(strstr(answer.text, "F01"));
        fo_answer_free(&answer);
    }
    json_decref(machine);
    json_forget();
    geometry_free(&g);
    return status;
}

static void diagnosis_make_no_memory_is_clean(void **state)
{
    (void)state;
    struct shown s;
    struct chain chains[2];
    struct choice c = {.is = hypothesis_at(0)};
    shown_make(8, 16, 64, 4, true, &s);
    c.is->choices(&s.g, c.is, &c);
    chain_make(&s.g, &c, NULL, s.place, chains);
    shown_as(&s, &chains[0]);
    assert_true(alloc_check(diagnose_shown, NULL, &s) > 10);
    shown_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fo_diagnose_right_kernel_conforms),
        cmocka_unit_test(fo_diagnose_pack_order_is_named_shrunk_and_repeated),
        cmocka_unit_test_setup_teardown(fo_diagnose_out_holds_document_and_pictures, scratch_setup, scratch_teardown),
        cmocka_unit_test(fo_diagnose_bad_questions_are_refused),
        cmocka_unit_test(diagnosis_make_no_memory_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
