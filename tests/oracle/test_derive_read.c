/* A layout described by a file: every way in which it can be wrong is refused with a line that names it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oracle/derive/storage.h"
#include "oracle/fragoracle.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

#define SCHEMA "\"schema\":\"fragoracle.storage/1\","
#define BITS   "\"bits\":{\"n\":[],\"k\":[[0,4]],\"bit\":[[0,1],[0,2]]}"
#define VALUES "{\"width\":4,\"block\":[1,2],\"stored\":[1,8],\"rows_along\":\"n\"," BITS "}"

static enum status read_text(void *const *state, const char *text, struct packing *out, struct error *e)
{
    char path[SCRATCH_PATH];
    struct fo_error line;
    if (fo_write_file(scratch_path(state, "s.json", path), text, strlen(text), &line) != 0)
        fail_msg("%s", line.line);
    return packing_find(path, out, e);
}

static void packing_read_files_say_the_same_as_the_names(void **state)
{
    static const char *const texts[] = {
        "{" SCHEMA "\"code\":\"int4\",\"values\":" VALUES "}",
        "{" SCHEMA "\"code\":\"int4\",\"values\":{\"width\":4,\"block\":[1,2],\"stored\":[1,8],\"rows_along\":\"n\","
        "\"strides\":[{\"of\":\"k\",\"divisor\":1,\"extent\":2,\"stride\":[0,4]},"
        "{\"of\":\"bit\",\"divisor\":1,\"extent\":4,\"stride\":[0,1]}]}}"};
    struct packing named;
    struct error e;
    assert_int_equal(packing_find("int4", &named, &e), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        struct packing p;
        if (read_text(state, texts[i], &p, &e) != STATUS_OK)
            fail_msg("%s", e.why);
        assert_string_equal(p.code, "int4");
        assert_false(p.scaled);
        for (uint32_t n = 0; n < 4; n++)
            for (uint32_t k = 0; k < 64; k++)
                for (uint32_t b = 0; b < 4; b++) {
                    struct place have = storage_place(&p.values, n, k, b), want = storage_place(&named.values, n, k, b);
                    assert_true(have.row == want.row && have.bit == want.bit);
                }
    }
}

/* The file of VALUES with one piece put in the place of another. */
static const struct {
    const char *from, *to, *field, *why;
} wrong[] = {
    {"\"code\":\"int4\"", "\"code\":4", "code", "the name of a type"},
    {"\"code\":\"int4\"", "\"code\":\"a name that is longer than all\"", "code", "the name of a type"},
    {"\"width\":4", "\"width\":5", "bit", "an image"},
    {"\"width\":4", "\"width\":2", "bit", "an image"},
    {"\"width\":4", "\"width\":64", "width", "at most 32 bits"},
    {"\"width\":4", "\"width\":-4", "values", "needed: width"},
    {"\"width\":4", "\"columns\":32,\"width\":4", "values", "only scales are shared"},
    {"\"width\":4", "\"columns\":3,\"width\":4", "values", "3 columns share"},
    {"\"width\":4", "\"columns\":512,\"width\":4", "values", "512 columns share"},
    {"\"block\":[1,2]", "\"block\":[1,99999]", "block", "too large"},
    {"\"block\":[1,2]", "\"block\":[3,2]", "n", "an image [row, position] is needed"},
    {"\"block\":[1,2]", "\"block\":[1,2,3]", "values", "needed: width"},
    {"\"block\":[1,2]", "\"block\":[0,2]", "values", "a block of 0 x 2"},
    {"\"stored\":[1,8]", "\"stored\":[2,8]", "values", "does not fill"},
    {"\"stored\":[1,8]", "\"stored\":[2,4]", "values", "does not fill"},
    {"\"rows_along\":\"n\"", "\"rows_along\":\"m\"", "values", "needed: width"},
    {"\"k\":[[0,4]]", "\"k\":[[0,8]]", "values", "outside the codomain"},
    {"\"k\":[[0,4]]", "\"k\":[[0,1]]", "values", "two bits of a block stand in one place"},
    {"\"k\":[[0,4]]", "\"k\":[[0]]", "k", "two numbers"},
    {"\"k\":[[0,4]]", "\"k\":[]", "k", "an image [row, position] is needed"},
    {"\"rows_along\"", "\"word\":[0],\"rows_along\"", "word", "different bits"},
    {"\"rows_along\"", "\"strides\":[],\"rows_along\"", "values", "one of bits and strides"},
    {"\"bits\":{", "\"bots\":{", "values", "one of bits and strides"},
    {BITS, "\"strides\":[{\"of\":\"m\"}]", "strides", "a mode has"},
    {BITS, "\"strides\":[{\"of\":\"k\",\"divisor\":0,\"extent\":2,\"stride\":[0,4]}]", "strides", "a mode has"},
    {"}}}", "}},\"scales\":" VALUES "}", "scales", "scales are bytes"},
    {"}}}", "}},\"scales\":1}", "scales", "needed: width"},
};

static void packing_read_wrong_files_are_refused(void **state)
{
    static const char good[] = "{" SCHEMA "\"code\":\"int4\",\"values\":" VALUES "}";
    char path[SCRATCH_PATH];
    scratch_path(state, "s.json", path);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[2048];
        const char *at = strstr(good, wrong[i].from);
        struct packing p = {.code = "untouched"};
        struct error e = {0};
        if (!at) /* the closing braces of the whole */
            at = good + strlen(good) - 3;
        size_t cut = strncmp(at, wrong[i].from, strlen(wrong[i].from)) == 0 ? strlen(wrong[i].from) : 1;
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, wrong[i].to, at + cut);
        if (read_text(state, text, &p, &e) != STATUS_BAD_INPUT)
            fail_msg("accepted: %s", text);
        expect_error(&e, STATUS_BAD_INPUT, path, wrong[i].field, -1, wrong[i].why);
        assert_string_equal(p.code, "untouched");
    }
}

static void packing_read_word_must_permute(void **state)
{
    char text[2048], word[256] = "";
    struct packing p;
    struct error e;
    for (int repeat = 0; repeat < 2; repeat++) {
        size_t used = 0;
        for (int i = 0; i < 32; i++)
            used += (size_t)snprintf(word + used, sizeof word - used, "%s%d", i ? "," : "",
                                     repeat && i == 31 ? 5 : (i + 5) % 32);
        snprintf(text, sizeof text,
                 "{" SCHEMA "\"code\":\"int4\",\"values\":{\"width\":4,\"block\":[1,8],\"stored\":[1,32],"
                 "\"rows_along\":\"n\",\"word\":[%s],\"bits\":{\"n\":[],\"k\":[[0,4],[0,8],[0,16]],"
                 "\"bit\":[[0,1],[0,2]]}}}",
                 word);
        assert_int_equal(read_text(state, text, &p, &e), repeat ? STATUS_BAD_INPUT : STATUS_OK);
    }
    assert_int_equal(storage_scatter(&p.values, 32 + 30), 32 + 3);
}

static void fo_derive_code_of_another_width_is_refused(void **state)
{
    static const char text[] = "{" SCHEMA "\"code\":\"e4m3\",\"values\":" VALUES "}";
    char path[SCRATCH_PATH];
    struct fo_error e;
    struct fo_answer answer;
    assert_int_equal(fo_write_file(scratch_path(state, "s.json", path), text, strlen(text), &e), 0);
    struct fo_derive_options o = {.op = "wgmma.m64n64k16.f32.bf16.bf16.rs", .from = path};
    assert_int_not_equal(fo_derive(&o, &answer, &e), 0);
    assert_non_null(strstr(e.line, "e4m3 has 8 bits, not 4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packing_read_files_say_the_same_as_the_names, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(packing_read_wrong_files_are_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(packing_read_word_must_permute, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(fo_derive_code_of_another_width_is_refused, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests_name("derive_read", tests, NULL, NULL);
}
