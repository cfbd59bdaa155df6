#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/io/json.h"
#include "tests/support/alloc.h"

static const char document_text[] =
    "{\"schema\": \"a/1\", \"list\": [1, 2, [3, \"four \\u00e9\\n\", {\"five\": 5.5, \"six\": [true, null]}]],"
    " \"long\": \"................................................................................................\"}";

static enum status load_once(void *context, struct error *e)
{
    json_t *document = context;
    json_error_t at;
    enum status s = json_load(document_text, strlen(document_text), &document, &at);
    if (s != STATUS_OK) {
        assert_ptr_equal(document, context);
        return error_set(e, s, "as it should be");
    }
    json_decref(document);
    return STATUS_OK;
}

/* Every allocation of the parser in turn: it is left cleanly, nothing is leaked, and the thread goes on. */
static void json_load_any_allocation_fails_without_a_trace(void **state)
{
    (void)state;
    assert_true(alloc_check(load_once, NULL, NULL) > 20);
}

static void json_load_bad_text_says_where(void **state)
{
    static const char bad[] = "{\"a\": 1,\n \"a\": 2}";
    json_t *document = NULL;
    json_error_t at;
    (void)state;
    assert_int_equal(json_load(bad, strlen(bad), &document, &at), STATUS_BAD_INPUT);
    assert_null(document);
    assert_int_equal(at.line, 2);
    for (size_t size = 0; size < strlen(document_text); size++)
        assert_int_equal(json_load(document_text, size, &document, &at), STATUS_BAD_INPUT);
    assert_null(document);
}

static void json_parse_wrong_schema_is_refused(void **state)
{
    struct error e;
    json_t *document = NULL;
    (void)state;
    assert_int_equal(json_parse("p", document_text, strlen(document_text), "b/1", &document, &e), STATUS_BAD_INPUT);
    assert_string_equal(e.path, "p");
    assert_non_null(strstr(e.why, "schema is 'a/1', not 'b/1'"));
    assert_int_equal(json_parse("p", document_text, strlen(document_text), "a/1", &document, &e), STATUS_OK);
    json_decref(document);
}

static void json_text_numbers_stand_on_one_line(void **state)
{
    (void)state;
    json_t *j = json_pack("{s:[i,i], s:[s], s:o, s:o, s:o}", "n", 0, -2, "s", "[1,\n 2]", "inf", json_number(INFINITY),
                          "nan", json_number(NAN), "half", json_number(0.5));
    char *text = json_text(j);
    assert_string_equal(text, "{\n  \"n\": [0, -2],\n  \"s\": [\n    \"[1,\\n 2]\"\n  ],\n  \"inf\": \"inf\",\n"
                              "  \"nan\": \"nan\",\n  \"half\": 0.5\n}\n");
    free(text);
    json_decref(j);
}

static enum status build_once(void *context, struct error *e)
{
    (void)context;
    json_t *j = json_object();
    for (int i = 0; i < 20; i++)
        json_object_set_new(j, (const char[]){(char)('a' + i), '\0'}, json_pack("[i,i]", i, i));
    char *text = json_text(j);
    json_decref(j);
    json_forget();
    if (!text)
        return error_set(e, STATUS_NO_MEMORY, "a member was lost");
    /* Nothing is missing. */
    assert_non_null(strstr(text, "\"t\": [19, 19]"));
    size_t members = 0;
    for (const char *at = text; (at = strchr(at, ':')); at++)
        members++;
    free(text);
    assert_int_equal(members, 20);
    return STATUS_OK;
}

/* jansson drops a member in silence; the text is then refused as a whole. */
static void json_text_of_a_document_that_lost_a_member_is_refused(void **state)
{
    (void)state;
    assert_true(alloc_check(build_once, NULL, NULL) > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_load_any_allocation_fails_without_a_trace),
        cmocka_unit_test(json_load_bad_text_says_where),
        cmocka_unit_test(json_parse_wrong_schema_is_refused),
        cmocka_unit_test(json_text_numbers_stand_on_one_line),
        cmocka_unit_test(json_text_of_a_document_that_lost_a_member_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
