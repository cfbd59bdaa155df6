/* What an H100 recorded of a kernel by others (artifacts/captures/h100/triton_kernels), judged again: as it is every
 * station conforms, and with two registers of A exchanged exactly those are named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "oracle/fragoracle.h"

#define FOLDER "artifacts/captures/h100/triton_kernels/"

static json_t *judge(const char *capture)
{
    struct fo_answer answer;
    struct fo_error error;
    const struct fo_infer_options o = {
        .capture = capture, .matrix = FOLDER "w.npy", .b = FOLDER "x.npy", .output = FOLDER "out.npy", .site = -1};
    if (fo_infer(&o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    json_t *document = json_loads(answer.json, 0, NULL);
    assert_non_null(document);
    fo_answer_free(&answer);
    return document;
}

static const char *text_of(const json_t *document, const char *name)
{
    const char *text = json_string_value(json_object_get(document, name));
    return text ? text : "";
}

/* Stations of this name with this verdict, over all sites. */
static size_t count(const json_t *document, const char *station, const char *verdict)
{
    size_t index, found = 0;
    json_t *site;
    json_array_foreach(json_object_get(document, "sites"), index, site)
    {
        const json_t *s = json_object_get(json_object_get(site, "stations"), station);
        found += strcmp(text_of(s, "verdict"), verdict) == 0;
    }
    return found;
}

static void infer_kernel_by_others_conforms_at_every_station(void **state)
{
    (void)state;
    json_t *document = judge(FOLDER "right.ftap");
    assert_string_equal(text_of(document, "verdict"), "conforms");
    assert_string_equal(text_of(document, "fidelity"), "hardware-instrumented");
    assert_int_equal(json_array_size(json_object_get(document, "sites")), 16);
    assert_int_equal(count(document, "A", "conforms"), 16);
    assert_int_equal(count(document, "B", "conforms"), 16);
    assert_int_equal(count(document, "D", "conforms"), 2);
    assert_int_equal(count(document, "epilogue", "conforms"), 2);
    json_decref(document);
}

static void infer_kernel_by_others_exchanged_registers_are_named(void **state)
{
    (void)state;
    json_t *document = judge(FOLDER "exchanged.ftap");
    assert_string_equal(text_of(document, "verdict"), "differs");
    assert_int_equal(count(document, "A", "differs"), 2);
    size_t index, ran = 0;
    json_t *site;
    json_array_foreach(json_object_get(document, "sites"), index, site)
    {
        const json_t *a = json_object_get(json_object_get(site, "stations"), "A");
        size_t i, places = 0;
        json_t *threads;
        assert_string_equal(text_of(a, "stage"), "order");
        assert_string_equal(text_of(a, "pack_order"), "v00 v01 v02 v03 v04 v05 v06 v07");
        assert_string_equal(text_of(a, "cause"), "registers R1 and R2 exchanged");
        /* Both halves of R1 and of R2, in every thread, and nothing else. */
        json_array_foreach(json_object_get(a, "wrong_threads"), i, threads)
        {
            assert_int_equal(json_integer_value(threads), i / 2 == 1 || i / 2 == 2 ? 128 : 0);
            places++;
        }
        assert_int_equal(places, 8);
        assert_int_equal(json_integer_value(json_object_get(a, "wrong_slots")), 512);
        ran++;
    }
    assert_int_equal(ran, 2);
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(infer_kernel_by_others_conforms_at_every_station),
        cmocka_unit_test(infer_kernel_by_others_exchanged_registers_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
