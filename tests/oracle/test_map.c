/* map: queries in both directions, every notation, dumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/map.h"
#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "tests/support/alloc.h"
#include "tests/support/scratch.h"

#define OP "wgmma.m64n64k16.f32.bf16.bf16.rs"

enum { THREADS = 128, A_REGS = 4, A_PARTS = 2, A_SLOTS = THREADS * A_REGS * A_PARTS, A_COLUMNS = 16 };

static struct map made(int n, const char *operand)
{
    char op[WGMMA_NAME_SIZE];
    struct map m;
    struct error e;
    snprintf(op, sizeof op, "wgmma.m64n%dk16.f32.bf16.bf16.rs", n);
    assert_int_equal(map_make(op, operand, &m, &e), STATUS_OK);
    assert_string_equal(m.op, op);
    return m;
}

/* The tables of the specification once more, written as formulas. */
static struct point specified(bool a, const struct point *slot)
{
    uint32_t w = slot->at[0] / 32, g = slot->at[0] % 32 / 4, q = slot->at[0] % 4, r = slot->at[1];
    if (a)
        return (struct point){{16 * w + g + 8 * (r & 1), 2 * q + slot->at[2] + 8 * (r >> 1)}};
    return (struct point){{16 * w + g + 8 * (r >> 1 & 1), 8 * (r >> 2) + 2 * q + (r & 1)}};
}

/* Ask fo_map; the answer is freed by the caller. */
static struct fo_answer ask(struct fo_map_options o)
{
    struct fo_answer answer = {0};
    struct fo_error error;
    o.op = o.op ? o.op : OP;
    o.operand = o.operand ? o.operand : "A";
    if (fo_map(&o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    return answer;
}

static void expect_text(struct fo_map_options o, const char *text)
{
    struct fo_answer answer = ask(o);
    assert_string_equal(answer.text, text);
    assert_int_equal(answer.verdict, FO_NOT_APPLICABLE);
    fo_answer_free(&answer);
}

static void expect_refused(struct fo_map_options o, enum status s, const char *line)
{
    struct fo_answer answer = {.text = NULL};
    struct fo_error error;
    o.op = o.op ? o.op : OP;
    o.operand = o.operand ? o.operand : "A";
    assert_int_equal(fo_map(&o, &answer, &error), s);
    assert_string_equal(error.line, line);
    assert_null(answer.text);
    assert_null(answer.json);
}

static void map_parse_slot_and_element_are_inverse_everywhere(void **state)
{
    (void)state;
    static const int ns[] = {8, 24, 64, 256};
    size_t asked = 0;
    for (size_t c = 0; c < 2 * sizeof ns / sizeof *ns; c++) {
        bool a = c % 2;
        struct map m = made(ns[c / 2], a ? "a" : "D");
        for (uint32_t i = 0; i < 64; i++)
            for (uint32_t j = 0; j < m.forward.codomain.extent[1]; j++, asked++) {
                char text[40];
                struct point element, slot;
                struct error e;
                snprintf(text, sizeof text, "%u,%u", i, j);
                assert_int_equal(map_parse_element(&m, text, &element, &e), STATUS_OK);
                slot = layout_apply(&m.inverse, &element);
                snprintf(text, sizeof text, "%u.%u.%u", slot.at[0], slot.at[1], slot.at[2]);
                assert_int_equal(map_parse_slot(&m, text, &slot, &e), STATUS_OK);
                struct point back = layout_apply(&m.forward, &slot), want = specified(a, &slot);
                assert_true(back.at[0] == i && back.at[1] == j);
                assert_true(want.at[0] == i && want.at[1] == j);
            }
        map_free(&m);
    }
    assert_int_equal(asked, 64 * (4 * 16 + 8 + 24 + 64 + 256));
}

/* Element asked, slot of the answer asked: JSON of both is the same. */
static void fo_map_query_and_its_inverse_give_the_same_answer(void **state)
{
    (void)state;
    static const char *const operands[] = {"A", "D"};
    size_t asked = 0;
    for (int which = 0; which < 2; which++)
        for (int i = 0; i < 64; i++)
            for (int j = which ? i % 7 : 0; j < (which ? 64 : 16); j += which ? 7 : 1, asked++) {
                char text[40];
                int thread, reg, part;
                snprintf(text, sizeof text, "%d,%d", i, j);
                struct fo_answer first = ask((struct fo_map_options){.operand = operands[which], .element = text});
                assert_int_equal(sscanf(first.text, "%*s %*s thread %d, register %d, part %d", &thread, &reg, &part),
                                 3);
                snprintf(text, sizeof text, "%d.%d.%d", thread, reg, part);
                struct fo_answer second = ask((struct fo_map_options){.operand = operands[which], .slot = text});
                assert_string_equal(first.json, second.json);
                assert_string_equal(first.text, second.text);
                fo_answer_free(&first);
                fo_answer_free(&second);
            }
    assert_true(asked > 1024);
}

static void fo_map_query_has_text_and_json(void **state)
{
    (void)state;
    struct fo_answer answer = ask((struct fo_map_options){.slot = "5.2.1"});
    assert_string_equal(answer.text, OP " A: thread 5, register 2, part 1 holds element (1,11)\n");
    assert_string_equal(answer.json,
                        "{\n  \"schema\": \"fragoracle.map/1\",\n  \"op\": \"" OP "\",\n  \"operand\": \"A\",\n"
                        "  \"slot\": {\n    \"space\": \"reg\",\n    \"thread\": 5,\n    \"reg\": 2,\n"
                        "    \"part\": 1\n  },\n  \"element\": {\n    \"i\": 1,\n    \"j\": 11\n  }\n}\n");
    fo_answer_free(&answer);
}

static void fo_map_cute_is_the_layout_of_the_library(void **state)
{
    (void)state;
    /* ALayout_64x16 and CLayout_64xN; N = 8 without the mode of extent 1. */
    expect_text((struct fo_map_options){.format = "cute"}, "((4,8,4),(2,2,2)):((128,1,16),(64,8,512))\n");
    expect_text((struct fo_map_options){.operand = "D", .format = "cute"},
                "((4,8,4),(2,2,8)):((128,1,16),(64,8,512))\n");
    expect_text((struct fo_map_options){.op = "wgmma.m64n8k16.f32.bf16.bf16.rs", .operand = "D", .format = "cute"},
                "((4,8,4),(2,2)):((128,1,16),(64,8))\n");
    expect_text((struct fo_map_options){.op = "wgmma.m64n24k16.f32.bf16.bf16.rs", .operand = "D", .format = "cute"},
                "((4,8,4),(2,2,3)):((128,1,16),(64,8,512))\n");
    expect_text((struct fo_map_options){.op = "wgmma.m64n248k16.f32.bf16.bf16.rs", .operand = "D", .format = "cute"},
                "((4,8,4),(2,2,31)):((128,1,16),(64,8,512))\n");
}

static void map_format_cute_refuses_what_is_no_sum_of_strides(void **state)
{
    (void)state;
    struct text text = {0};
    struct error e;
    struct map m = made(64, "A");
    m.forward.image[0][2] = (struct point){{1, 2}}; /* shares a bit with lane bit 0 */
    assert_int_equal(map_format(&m, "cute", &text, &e), STATUS_UNSUPPORTED);
    map_free(&m);
    m = made(24, "D"); /* 12 registers: exchanged bits 1 and 3 leave no mode for the odd factor */
    struct point bit = m.forward.image[1][1];
    m.forward.image[1][1] = m.forward.image[1][3];
    m.forward.image[1][3] = bit;
    assert_int_equal(map_format(&m, "cute", &text, &e), STATUS_UNSUPPORTED);
    map_free(&m);
    text_free(&text);
}

static void fo_map_linear_lists_the_bases(void **state)
{
    (void)state;
    expect_text((struct fo_map_options){.format = "linear"},
                "#ttg.linear<{register = [[0, 1], [8, 0], [0, 8]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], "
                "warp = [[16, 0], [32, 0]], block = []}>\n");
    expect_text((struct fo_map_options){.op = "wgmma.m64n24k16.f32.bf16.bf16.rs", .operand = "D", .format = "linear"},
                "#ttg.linear<{register = [[0, 1], [8, 0], [0, 8], [0, 16]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], "
                "[4, 0]], warp = [[16, 0], [32, 0]], block = []}>\nrestricted to registers 0 to 11 of 16\n");
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void fo_map_tables_have_a_line_for_every_thread(void **state)
{
    (void)state;
    struct fo_answer table = ask((struct fo_map_options){0}), same = ask((struct fo_map_options){.format = "table"});
    assert_string_equal(table.text, same.text);
    static const char *const head =
        OP ", operand A: element (i,j) of 64 x 16 in each register.part of 128 threads\n"
           "thread  R0.0      R0.1      R1.0      R1.1      R2.0      R2.1      R3.0      R3.1\n"
           "     0  (0,0)     (0,1)     (8,0)     (8,1)     (0,8)     (0,9)     (8,8)     (8,9)\n";
    assert_memory_equal(table.text, head, strlen(head));
    assert_int_equal(count_lines(table.text), 2 + THREADS);
    fo_answer_free(&table);
    fo_answer_free(&same);
    struct fo_answer d = ask((struct fo_map_options){.operand = "D"});
    assert_int_equal(count_lines(d.text), 1 + 4 * (1 + THREADS) + 3); /* 32 registers in blocks of 8 */
    assert_non_null(strstr(d.text, "\nthread  R24       R25 "));
    assert_non_null(
        strstr(d.text, "\n   127  (55,54)   (55,55)   (63,54)   (63,55)   (55,62)   (55,63)   (63,62)   (63,63)\n"));
    fo_answer_free(&d);
    struct fo_answer md = ask((struct fo_map_options){.format = "markdown"});
    assert_int_equal(count_lines(md.text), 2 + THREADS);
    assert_memory_equal(md.text, "| thread | R0.0     | R0.1     |", 32);
    assert_non_null(strstr(md.text, "\n| -----: | -------- |"));
    assert_non_null(strstr(md.text, "\n|      1 | (0,2)    | (0,3)    |"));
    fo_answer_free(&md);
}

static void fo_map_csv_names_every_slot(void **state)
{
    (void)state;
    struct fo_answer csv = ask((struct fo_map_options){.format = "csv"});
    const char *line = strchr(csv.text, '\n') + 1;
    assert_memory_equal(csv.text, "thread,reg,part,i,j\n", 20);
    size_t rows = 0;
    for (; *line; line = strchr(line, '\n') + 1, rows++) {
        struct point slot = {{0}}, at = {{0}};
        assert_int_equal(sscanf(line, "%u,%u,%u,%u,%u", &slot.at[0], &slot.at[1], &slot.at[2], &at.at[0], &at.at[1]),
                         5);
        struct point want = specified(true, &slot);
        assert_memory_equal(&at, &want, sizeof at);
    }
    assert_int_equal(rows, A_SLOTS);
    fo_answer_free(&csv);
}

/* One line of JSON; to be freed. */
static char *compact(const json_t *j)
{
    size_t length = json_dumpb(j, NULL, 0, JSON_COMPACT);
    char *text = malloc(length + 1);
    assert_non_null(text);
    assert_int_equal(json_dumpb(j, text, length, JSON_COMPACT), length);
    text[length] = '\0';
    return text;
}

static void fo_map_whole_json_has_extents_and_basis(void **state)
{
    (void)state;
    struct fo_answer answer = ask((struct fo_map_options){.format = "cute"});
    json_t *doc = json_loads(answer.json, 0, NULL);
    const char *schema, *op, *operand, *kind;
    int threads, regs, parts, rows, columns;
    json_t *basis;
    assert_int_equal(json_unpack(doc, "{s:s,s:s,s:s,s:s,s:{s:i,s:i,s:i},s:{s:i,s:i},s:o!}", "schema", &schema, "op",
                                 &op, "operand", &operand, "kind", &kind, "slots", "thread", &threads, "reg", &regs,
                                 "part", &parts, "elements", "i", &rows, "j", &columns, "basis", &basis),
                     0);
    assert_string_equal(schema, "fragoracle.map/1");
    assert_string_equal(op, OP);
    assert_string_equal(operand, "A");
    assert_string_equal(kind, "affine");
    assert_true(threads == 128 && regs == 4 && parts == 2 && rows == 64 && columns == 16);
    char *text = compact(basis);
    assert_string_equal(text, "{\"thread\":[[0,2],[0,4],[1,0],[2,0],[4,0],[16,0],[32,0]],\"reg\":[[8,0],[0,8]],"
                              "\"part\":[[0,1]]}");
    free(text);
    json_decref(doc);
    fo_answer_free(&answer);
}

static void fo_map_bad_queries_are_refused_in_one_line(void **state)
{
    (void)state;
    static const char *const slots[] = {"",       "1",      "1.2",   "1.2.",    "1.2.3.4", " 1.2.0",     "1.2.0 ",
                                        "+1.2.0", "-1.2.0", "1,2,0", "0x1.2.0", "1..0",    "1234567.0.0"};
    static const char *const elements[] = {"", "1", "1,", "1,2,3", " 1,2", "1, 2", "1.2", "-1,0"};
    char line[200];
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        snprintf(line, sizeof line, "slot: '%s' is no slot; write THREAD.REG.PART, as in 5.2.0", slots[i]);
        expect_refused((struct fo_map_options){.slot = slots[i]}, STATUS_BAD_ARGUMENT, line);
    }
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
        snprintf(line, sizeof line, "element: '%s' is no element; write I,J, as in 1,11", elements[i]);
        expect_refused((struct fo_map_options){.element = elements[i]}, STATUS_BAD_ARGUMENT, line);
    }
    expect_refused((struct fo_map_options){.element = "1,2\n"}, STATUS_BAD_ARGUMENT,
                   "element: '1,2?' is no element; write I,J, as in 1,11");
    static const char *const outside[] = {"128.0.0", "0.4.0", "0.0.2"};
    for (int i = 0; i < 3; i++) {
        snprintf(line, sizeof line, "slot: no slot %s in A: threads 0 to 127, registers 0 to 3, parts 0 to 1",
                 outside[i]);
        expect_refused((struct fo_map_options){.slot = outside[i]}, STATUS_BAD_ARGUMENT, line);
    }
    expect_refused((struct fo_map_options){.element = "64,0"}, STATUS_BAD_ARGUMENT,
                   "element: no element 64,0 in A: i 0 to 63, j 0 to 15");
    expect_refused((struct fo_map_options){.element = "0,64", .operand = "D"}, STATUS_BAD_ARGUMENT,
                   "element: no element 0,64 in D: i 0 to 63, j 0 to 63");
}

static void fo_map_bad_options_are_refused_in_one_line(void **state)
{
    (void)state;
    expect_refused((struct fo_map_options){.format = "cube"}, STATUS_BAD_ARGUMENT,
                   "format: 'cube' is no format; write table, csv, markdown, cute or linear");
    expect_refused((struct fo_map_options){.slot = "0.0.0", .element = "0,0"}, STATUS_BAD_ARGUMENT,
                   "ask for one thing: a slot, an element, or what a dump holds");
    expect_refused((struct fo_map_options){.slot = "0.0.0", .format = "csv"}, STATUS_BAD_ARGUMENT,
                   "a format is for the whole map; a query and a comparison have their own");
    expect_refused((struct fo_map_options){.operand = "B"}, STATUS_BAD_ARGUMENT,
                   "\"B\" is no operand with a fragment; write A or D");
    expect_refused((struct fo_map_options){.op = "wgmma.m64n64k16.f32.bf16.bf16.ss"}, STATUS_UNSUPPORTED,
                   "A of an .ss operation lives in shared memory and has no fragment");
    struct fo_answer answer;
    struct fo_error error;
    assert_int_equal(fo_map(&(struct fo_map_options){.op = OP}, &answer, &error), STATUS_BAD_ARGUMENT);
    assert_string_equal(error.line, "a map needs an operation and an operand, A or D");
}

static void fo_map_png_is_written_or_nothing_is_answered(void **state)
{
    char path[SCRATCH_PATH];
    scratch_path(state, "map.png", path);
    struct fo_answer answer = ask((struct fo_map_options){.png = path, .slot = "0.0.0"});
    assert_int_equal(scratch_count(state), 1);
    fo_answer_free(&answer);
    struct fo_error error;
    scratch_path(state, "none/map.png", path);
    assert_int_equal(fo_map(&(struct fo_map_options){.op = OP, .operand = "A", .png = path}, &answer, &error),
                     STATUS_IO);
    assert_null(answer.text);
}

/* The dump of a kernel: where each slot's element comes from is `wrong` of the slot that asks. */
typedef struct point permutation(struct point slot);

static struct point right_slot(struct point s)
{
    return s;
}

static struct point registers_1_and_2_exchanged(struct point s)
{
    s.at[1] = s.at[1] == 1 ? 2 : s.at[1] == 2 ? 1 : s.at[1];
    return s;
}

static struct point halves_exchanged(struct point s)
{
    s.at[2] ^= 1;
    return s;
}

static struct point every_warp_is_the_first(struct point s)
{
    s.at[0] %= 32;
    return s;
}

static struct point one_slot_astray(struct point s)
{
    return s.at[0] == 77 && s.at[1] == 3 && s.at[2] == 0 ? (struct point){{1, 0, 0}} : s;
}

static void a_codes(permutation *wrong, uint16_t code[A_SLOTS])
{
    for (uint32_t i = 0; i < A_SLOTS; i++) {
        struct point slot = wrong((struct point){{i / 8, i / 2 % 4, i % 2}}), at = specified(true, &slot);
        code[i] = (uint16_t)(at.at[0] * A_COLUMNS + at.at[1]);
    }
}

/* The three forms in which a dump of A may come. */
enum form { U4, U2_PARTS, U2_FLAT, FORMS };

static const char *write_dump(void **state, const uint16_t code[A_SLOTS], enum form form, char path[SCRATCH_PATH])
{
    static const size_t shape[FORMS][3] = {{128, 4}, {128, 4, 2}, {128, 8}};
    uint32_t word[A_SLOTS / 2];
    struct error e;
    for (int i = 0; i < A_SLOTS / 2; i++)
        word[i] = code[2 * i] | (uint32_t)code[2 * i + 1] << 16;
    scratch_path(state, "dump.npy", path);
    assert_int_equal(npy_write(path, form == U4 ? NPY_U4 : NPY_U2, form == U2_PARTS ? 3 : 2, shape[form],
                               form == U4 ? (const void *)word : code, &e),
                     STATUS_OK);
    return path;
}

/* The answer about A held against these codes; the text without its first line, which holds the path. */
static struct fo_answer against(void **state, const uint16_t code[A_SLOTS], enum form form, const char **rest)
{
    char path[SCRATCH_PATH];
    struct fo_answer answer = ask((struct fo_map_options){.against = write_dump(state, code, form, path)});
    *rest = strchr(answer.text, '\n') + 1;
    return answer;
}

static void fo_map_against_every_form_of_a_right_dump_conforms(void **state)
{
    uint16_t code[A_SLOTS];
    const char *rest;
    a_codes(right_slot, code);
    for (int form = U4; form < FORMS; form++) {
        struct fo_answer answer = against(state, code, (enum form)form, &rest);
        assert_int_equal(answer.verdict, FO_CONFORMS);
        assert_non_null(strstr(answer.text, "dump.npy: conforms, 0 of 1024 slots wrong\n"));
        assert_string_equal(rest, "");
        json_t *doc = json_loads(answer.json, 0, NULL), *wrong;
        const char *schema, *op, *operand, *verdict;
        int compared, twice, never;
        assert_int_equal(json_unpack(doc, "{s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:o!}", "schema", &schema, "op", &op, "operand",
                                     &operand, "verdict", &verdict, "compared", &compared, "held_twice", &twice,
                                     "held_never", &never, "wrong", &wrong),
                         0);
        assert_string_equal(verdict, "conforms");
        assert_true(compared == 1024 && twice == 0 && never == 0 && json_array_size(wrong) == 0);
        json_decref(doc);
        fo_answer_free(&answer);
    }
}

static void fo_map_against_exchanged_registers_are_found_out(void **state)
{
    uint16_t code[A_SLOTS];
    const char *rest;
    a_codes(registers_1_and_2_exchanged, code);
    struct fo_answer answer = against(state, code, U4, &rest);
    assert_int_equal(answer.verdict, FO_DIFFERS);
    assert_non_null(strstr(answer.text, "differs, 512 of 1024 slots wrong\n"));
    static const char *const first =
        "  slot 0.1.0: expected (8,0), found (0,8)\n  slot 0.1.1: expected (8,1), found (0,9)\n"
        "  slot 0.2.0: expected (0,8), found (8,0)\n";
    assert_memory_equal(rest, first, strlen(first));
    assert_int_equal(count_lines(rest), 16 + 1 + 2);
    assert_string_equal(strstr(rest, "  and"), "  and 496 more (--json names all)\nThe found map is affine:\n"
                                               "  register bit 0 and register bit 1 are exchanged\n");
    json_t *doc = json_loads(answer.json, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(doc, "wrong")), 512);
    char *text = compact(json_array_get(json_object_get(doc, "wrong"), 0));
    assert_string_equal(text, "{\"slot\":{\"space\":\"reg\",\"thread\":0,\"reg\":1,\"part\":0},"
                              "\"expected\":{\"i\":8,\"j\":0},\"found\":{\"i\":0,\"j\":8}}");
    free(text);
    json_t *why = json_object_get(doc, "explanation");
    json_object_del(why, "basis");
    text = compact(why);
    assert_string_equal(text, "{\"kind\":\"affine\",\"offset\":[0,0],\"moved\":[{\"bit\":\"register bit 0\",\"as\":"
                              "\"register bit 1\"},{\"bit\":\"register bit 1\",\"as\":\"register bit 0\"}]}");
    free(text);
    json_decref(doc);
    fo_answer_free(&answer);
}

static void expect_found_out(void **state, permutation *wrong, const char *tail)
{
    uint16_t code[A_SLOTS];
    const char *rest;
    a_codes(wrong, code);
    struct fo_answer answer = against(state, code, U2_PARTS, &rest);
    assert_int_equal(answer.verdict, FO_DIFFERS);
    assert_non_null(strstr(rest, tail));
    assert_string_equal(strstr(rest, tail), tail);
    fo_answer_free(&answer);
}

static void fo_map_against_other_faults_are_found_out(void **state)
{
    expect_found_out(state, halves_exchanged,
                     "The found map is affine:\n  slot 0.0.0 holds (0,1): inverted part bit 0\n");
    expect_found_out(
        state, every_warp_is_the_first,
        "Elements held by no slot: 768; by more than one: 256\nThe found map is affine:\n"
        "  thread bit 5 steps by (0,0) instead of (16,0)\n  thread bit 6 steps by (0,0) instead of (32,0)\n");
    expect_found_out(state, one_slot_astray,
                     "  slot 77.3.0: expected (43,10), found (0,2)\nElements held by no slot: 1; by more than one: 1\n"
                     "No exchange or inversion of slot bits explains it: the found map is a table.\n");
}

static void fo_map_against_a_number_beyond_the_operand_is_named(void **state)
{
    uint16_t code[A_SLOTS];
    const char *rest;
    a_codes(right_slot, code);
    code[9] = 1024;
    struct fo_answer answer = against(state, code, U2_FLAT, &rest);
    assert_memory_equal(rest, "  slot 1.0.1: expected (0,3), found 1024, which is no element\n", 62);
    assert_non_null(strstr(answer.json, "\"code\": 1024"));
    fo_answer_free(&answer);
}

static void fo_map_against_accumulator_takes_32_bit_codes(void **state)
{
    enum { N = 24, REGS = N / 2 };
    uint32_t code[THREADS * REGS];
    const size_t shape[] = {THREADS, REGS};
    char path[SCRATCH_PATH];
    struct error e;
    scratch_path(state, "d.npy", path);
    for (uint32_t i = 0; i < THREADS * REGS; i++) {
        struct point slot = {{i / REGS, i % REGS}}, at = specified(false, &slot);
        code[i] = at.at[0] * N + at.at[1];
    }
    struct fo_map_options o = {.op = "wgmma.m64n24k16.f32.bf16.bf16.rs", .operand = "D", .against = path};
    assert_int_equal(npy_write(path, NPY_U4, 2, shape, code, &e), STATUS_OK);
    struct fo_answer answer = ask(o);
    assert_int_equal(answer.verdict, FO_CONFORMS);
    fo_answer_free(&answer);
    code[5] ^= 0x10000; /* not to be lost with the high half */
    assert_int_equal(npy_write(path, NPY_U4, 2, shape, code, &e), STATUS_OK);
    answer = ask(o);
    assert_int_equal(answer.verdict, FO_DIFFERS);
    fo_answer_free(&answer);
}

static void fo_map_against_other_types_and_shapes_are_refused(void **state)
{
    static const struct {
        enum npy_type type;
        int rank;
        size_t shape[3];
    } cases[] = {{NPY_F4, 2, {128, 4}},    {NPY_U4, 2, {128, 8}}, {NPY_U4, 3, {128, 4, 1}}, {NPY_U2, 2, {128, 4}},
                 {NPY_U2, 3, {128, 2, 4}}, {NPY_U2, 1, {1024}},   {NPY_U4, 2, {4, 128}}};
    static const uint8_t zeros[8192];
    char path[SCRATCH_PATH], line[SCRATCH_PATH + 200];
    struct error e;
    scratch_path(state, "dump.npy", path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(npy_write(path, cases[i].type, cases[i].rank, cases[i].shape, zeros, &e), STATUS_OK);
        snprintf(line, sizeof line, "%s: a dump of A is u4 [128,4], u2 [128,4,2] or u2 [128,8]; this is %s of rank %d",
                 path, npy_type_name(cases[i].type), cases[i].rank);
        expect_refused((struct fo_map_options){.against = path}, STATUS_BAD_INPUT, line);
    }
}

static enum status ask_once(void *context, struct error *e)
{
    struct fo_answer answer;
    struct fo_error error;
    int failed = fo_map(context, &answer, &error);
    if (failed)
        return error_set(e, (enum status)failed, "%s", error.line);
    fo_answer_free(&answer);
    return STATUS_OK;
}

static void fo_map_any_allocation_fails_without_a_trace(void **state)
{
    uint16_t code[A_SLOTS];
    char path[SCRATCH_PATH];
    a_codes(one_slot_astray, code);
    code[0] = 2000;
    struct fo_map_options o[] = {{.op = OP, .operand = "A", .format = "cute"},
                                 {.op = OP, .operand = "A", .format = "csv"},
                                 {.op = OP, .operand = "A", .element = "3,3"},
                                 {.op = OP, .operand = "A", .against = write_dump(state, code, U4, path)}};
    for (size_t i = 0; i < sizeof o / sizeof *o; i++)
        assert_true(alloc_check(ask_once, NULL, &o[i]) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_parse_slot_and_element_are_inverse_everywhere),
        cmocka_unit_test(fo_map_query_and_its_inverse_give_the_same_answer),
        cmocka_unit_test(fo_map_query_has_text_and_json),
        cmocka_unit_test(fo_map_cute_is_the_layout_of_the_library),
        cmocka_unit_test(map_format_cute_refuses_what_is_no_sum_of_strides),
        cmocka_unit_test(fo_map_linear_lists_the_bases),
        cmocka_unit_test(fo_map_tables_have_a_line_for_every_thread),
        cmocka_unit_test(fo_map_csv_names_every_slot),
        cmocka_unit_test(fo_map_whole_json_has_extents_and_basis),
        cmocka_unit_test(fo_map_bad_queries_are_refused_in_one_line),
        cmocka_unit_test(fo_map_bad_options_are_refused_in_one_line),
        cmocka_unit_test_setup_teardown(fo_map_png_is_written_or_nothing_is_answered, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(fo_map_against_every_form_of_a_right_dump_conforms, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(fo_map_against_exchanged_registers_are_found_out, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(fo_map_against_other_faults_are_found_out, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(fo_map_against_a_number_beyond_the_operand_is_named, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(fo_map_against_accumulator_takes_32_bit_codes, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(fo_map_against_other_types_and_shapes_are_refused, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(fo_map_any_allocation_fails_without_a_trace, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
