/* What each operator does to a module, byte for byte, and what holds for every mutant of the modules at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/io/file.h"
#include "oracle/mutate/operators.h"
#include "tests/support/alloc.h"

enum { CHANGES = 4, FILES = 3 };

static const char *const files[FILES] = {"tests/cli/tap.ptx", "tests/cli/mutate.ptx", "tests/cli/mutate_loop.ptx"};
enum { TAP, INDEXED, LOOP };

static char *text[FILES]; /* with a NUL */
static size_t size[FILES];
static struct mutants list[FILES];

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < FILES; i++) {
        uint8_t *data;
        struct error e;
        if (file_read(files[i], 0, &data, &size[i], &e) != STATUS_OK)
            return -1;
        text[i] = malloc(size[i] + 1);
        if (!text[i])
            return -1;
        memcpy(text[i], data, size[i]);
        text[i][size[i]] = '\0';
        free(data);
        if (operators_list(files[i], text[i], size[i], &list[i], &e) != STATUS_OK)
            return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < FILES; i++) {
        free(text[i]);
        mutants_free(&list[i]);
    }
    return 0;
}

static struct text mutant_text(int file, const struct mutant *m)
{
    struct text out;
    struct error e;
    assert_int_equal(mutants_apply(&list[file], m, text[file], size[file], &out, &e), STATUS_OK);
    return out;
}

struct change {
    const char *from, *to; /* `from` stands once in the module */
};

#define BODY      "\n\t.reg .b32 %fomutate;"
#define BODY_WIDE "\n\t.reg .b64 %fomutate;"
#define MMA_1     "{%r2, %r3, %r4, %r5}, %rd4, %p1, 1, 1, 0;"
#define MMA_2     "{%r2, %r3, %r4, %r5}, %rd5, 1, 1, 1, 0;"
#define FENCE_1   "1000;\n\twgmma.fence"
#define ENTRY_1   "registers(.param .u64 in, .param .u64 out)\n{"
#define ENTRY_2   "memory(.param .u64 in, .param .u64 out)\n{"
#define INDEXED_1 "{%r8, %r9, %r10, %r11}, %rd3, %p1, 1, -1, 0;"
#define INDEXED_2 "{%r8, %r8, %r10, %r11}, %rd4, 1, 1, 1, 0;"
#define INDEXED_3 "%rd3, %rd4, 0, 1, 1, 0, 1;"
#define WHOLE_1   "{%r2, %r3, %r4, %r5}, %rd4, 1;"
#define SWAP(a, b)                                                                                                     \
    "\n\t{\n\t.reg .b32 %fomutate;\n\tmov.b32 %fomutate, " a ";\n\tmov.b32 " a ", " b ";\n\tmov.b32 " b                \
    ", %fomutate;\n\t}"

/* Rows of one line and column are the statement that the report names. */
static const struct row {
    int file;
    const char *id;
    uint32_t line, column;
    struct change change[CHANGES];
} rows[] = {
    {TAP, "a-exchange:0", 28, 2, {{MMA_1, "{%r3, %r2, %r4, %r5}, %rd4, %p1, 1, 1, 0;"}}},
    {TAP, "a-exchange:4", 28, 2, {{MMA_1, "{%r2, %r5, %r4, %r3}, %rd4, %p1, 1, 1, 0;"}}},
    {TAP, "a-exchange:11", 31, 2, {{MMA_2, "{%r2, %r3, %r5, %r4}, %rd5, 1, 1, 1, 0;"}}},
    /* %r8 stands twice there: to exchange it with itself is no mutant */
    {INDEXED, "a-exchange:6", 41, 2, {{INDEXED_2, "{%r10, %r8, %r8, %r11}, %rd4, 1, 1, 1, 0;"}}},
    {LOOP, "a-exchange:1", 43, 2, {{"{%r12, %r13, %r14, %r15},\n", "{%r14, %r13, %r12, %r15},\n"}}},
    {TAP, "a-rotate:0", 28, 2, {{MMA_1, "{%r3, %r4, %r5, %r2}, %rd4, %p1, 1, 1, 0;"}}},
    {TAP, "a-rotate:2", 28, 2, {{MMA_1, "{%r5, %r2, %r3, %r4}, %rd4, %p1, 1, 1, 0;"}}},
    {TAP,
     "a-halves:1",
     28,
     2,
     {{ENTRY_1, ENTRY_1 BODY},
      {FENCE_1, "1000;\n\tprmt.b32 %fomutate, %r3, 0, 0x1032;\n\twgmma.fence"},
      {MMA_1, "{%r2, %fomutate, %r4, %r5}, %rd4, %p1, 1, 1, 0;"}}},
    {TAP,
     "a-halves:7",
     31,
     2,
     {{ENTRY_1, ENTRY_1 BODY},
      {FENCE_1, "1000;\n\tprmt.b32 %fomutate, %r5, 0, 0x1032;\n\twgmma.fence"},
      {MMA_2, "{%r2, %r3, %r4, %fomutate}, %rd5, 1, 1, 1, 0;"}}},
    /* ahead of the fence the register has another name */
    {LOOP,
     "a-halves:0",
     43,
     2,
     {{"128, 1, 1\n{", "128, 1, 1\n{" BODY},
      {"asm\n\twgmma.fence", "asm\n\tprmt.b32 %fomutate, %r8, 0, 0x1032;\n\twgmma.fence"},
      {"{%r12, %r13, %r14, %r15},\n", "{%fomutate, %r13, %r14, %r15},\n"}}},
    {TAP,
     "a-lanes:13",
     28,
     2,
     {{ENTRY_1, ENTRY_1 BODY},
      {FENCE_1, "1000;\n\tshfl.sync.bfly.b32 %fomutate, %r4, 8, 0x1f, 0xffffffff;\n\twgmma.fence"},
      {MMA_1, "{%r2, %r3, %fomutate, %r5}, %rd4, %p1, 1, 1, 0;"}}},
    {INDEXED, "address-constant:0", 20, 2, {{"%r1, 24;", "%r1, 16;"}}},
    {INDEXED, "address-constant:3", 21, 2, {{"%r3, 4;", "%r3, 8;"}}},
    {INDEXED, "address-constant:5", 22, 2, {{"0x30", "64"}}},
    {INDEXED, "address-constant:7", 26, 2, {{"%r6+512", "%r6+1024"}}},
    {INDEXED, "address-constant:10", 64, 2, {{"+-32", "+-0"}}},
    {LOOP, "address-constant:4", 29, 2, {{"%rd3, 2048;", "%rd3, 0;"}}},
    {TAP,
     "descriptor-offset:0",
     28,
     2,
     {{ENTRY_1, ENTRY_1 BODY_WIDE},
      {FENCE_1, "1000;\n\tadd.s64 %fomutate, %rd4, 2;\n\twgmma.fence"},
      {MMA_1, "{%r2, %r3, %r4, %r5}, %fomutate, %p1, 1, 1, 0;"}}},
    /* computed behind the fence: there it is */
    {TAP,
     "descriptor-offset:6",
     31,
     2,
     {{ENTRY_1, ENTRY_1 BODY_WIDE},
      {"wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f1, %f2, %f3, %f4}, " MMA_2,
       "add.s64 %fomutate, %rd5, 8;\n\twgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f1, %f2, %f3, %f4}, "
       "{%r2, %r3, %r4, %r5}, %fomutate, 1, 1, 1, 0;"}}},
    {TAP,
     "descriptor-offset:14",
     56,
     2,
     {{ENTRY_2, ENTRY_2 BODY_WIDE},
      {"%f4, 0f00000000;\n\twgmma.fence", "%f4, 0f00000000;\n\tadd.s64 %fomutate, %rd3, 128;\n\twgmma.fence"},
      {"{%f1, %f2, %f3, %f4}, %rd3", "{%f1, %f2, %f3, %f4}, %fomutate"}}},
    {INDEXED,
     "descriptor-exchange:0",
     40,
     2,
     {{INDEXED_1, "{%r8, %r9, %r10, %r11}, %rd4, %p1, 1, -1, 0;"},
      {INDEXED_2, "{%r8, %r8, %r10, %r11}, %rd3, 1, 1, 1, 0;"}}},
    {INDEXED, "descriptor-repeat:0", 41, 2, {{INDEXED_2, "{%r8, %r8, %r10, %r11}, %rd3, 1, 1, 1, 0;"}}},
    {TAP, "descriptor-repeat:0", 31, 2, {{MMA_2, "{%r2, %r3, %r4, %r5}, %rd4, 1, 1, 1, 0;"}}},
    {TAP, "negate-a:0", 28, 2, {{MMA_1, "{%r2, %r3, %r4, %r5}, %rd4, %p1, -1, 1, 0;"}}},
    {TAP, "negate-b:1", 31, 2, {{MMA_2, "{%r2, %r3, %r4, %r5}, %rd5, 1, 1, -1, 0;"}}},
    {INDEXED, "negate-b:0", 40, 2, {{INDEXED_1, "{%r8, %r9, %r10, %r11}, %rd3, %p1, 1, 1, 0;"}}},
    {INDEXED, "negate-a:2", 43, 2, {{INDEXED_3, "%rd3, %rd4, 0, -1, 1, 0, 1;"}}},
    {TAP, "scale-d:0", 28, 2, {{MMA_1, "{%r2, %r3, %r4, %r5}, %rd4, 0, 1, 1, 0;"}}},
    {TAP, "scale-d:1", 28, 2, {{MMA_1, "{%r2, %r3, %r4, %r5}, %rd4, 1, 1, 1, 0;"}}},
    {TAP, "scale-d:2", 31, 2, {{MMA_2, "{%r2, %r3, %r4, %r5}, %rd5, 0, 1, 1, 0;"}}},
    {INDEXED, "scale-d:3", 43, 2, {{INDEXED_3, "%rd3, %rd4, 1, 1, 1, 0, 1;"}}},
    {INDEXED, "scale-d:4", 71, 2, {{WHOLE_1, "{%r2, %r3, %r4, %r5}, %rd4, 0;"}}},
    {INDEXED,
     "accumulator-exchange:1",
     41,
     2,
     {{"wait_group.sync.aligned 1;", "wait_group.sync.aligned 1;" SWAP("%f1", "%f3")}}},
    {INDEXED,
     "accumulator-exchange:2",
     43,
     2,
     {{"0;\n\tst.global.v4.f32 [%rd6+16]", "0;" SWAP("%f5", "%f6") "\n\tst.global.v4.f32 [%rd6+16]"}}},
    {TAP, "fence-drop:0", 26, 2, {{"1000;\n\twgmma.fence.sync.aligned;", "1000;\n\t"}}},
    {INDEXED, "commit-drop:0", 42, 2, {{INDEXED_2 "\n\twgmma.commit_group.sync.aligned;", INDEXED_2 "\n\t"}}},
    {LOOP, "commit-drop:0", 49, 4, {{"{ wgmma.commit_group.sync.aligned; }", "{  }"}}},
    {INDEXED, "wait-drop:0", 45, 2, {{"wgmma.wait_group.sync.aligned 1;", ""}}},
    {INDEXED, "wait-raise:0", 45, 2, {{"wait_group.sync.aligned 1;", "wait_group.sync.aligned 2;"}}},
    {INDEXED, "proxy-drop:0", 27, 2, {{"fence.proxy.async;", ""}}},
};

/* The module with the changes made. */
static char *expected_of(const struct row *row)
{
    char *made = strdup(text[row->file]);
    assert_non_null(made);
    for (int i = 0; i < CHANGES && row->change[i].from; i++) {
        const struct change *c = &row->change[i];
        char *at = strstr(made, c->from);
        if (!at || strstr(at + 1, c->from))
            fail_msg("%s: '%s' does not stand once in the module", row->id, c->from);
        size_t before = (size_t)(at - made), behind = strlen(at + strlen(c->from));
        char *next = malloc(before + strlen(c->to) + behind + 1);
        assert_non_null(next);
        memcpy(next, made, before);
        strcpy(next + before, c->to);
        strcat(next, at + strlen(c->from));
        free(made);
        made = next;
    }
    return made;
}

static void every_operator_changes_what_it_says_and_only_that(void **state)
{
    bool seen[MUTANTS_OPERATORS] = {false};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct mutant *m = mutants_find(&list[rows[i].file], rows[i].id);
        if (!m)
            fail_msg("%s: no such mutant", rows[i].id);
        seen[m->which] = true;
        char *expected = expected_of(&rows[i]);
        struct text got = mutant_text(rows[i].file, m);
        if (strcmp(got.data, expected) != 0)
            fail_msg("%s:\n%s\nwanted\n%s", rows[i].id, got.data, expected);
        assert_int_equal(m->line, rows[i].line);
        assert_int_equal(m->column, rows[i].column);
        free(expected);
        text_free(&got);
    }
    for (int o = 0; o < MUTANTS_OPERATORS; o++)
        if (!seen[o])
            fail_msg("%s has no row", mutants_operators[o].name);
}

static void list_of_a_module_has_all_of_them(void **state)
{
    /* By operator, counted by hand: sites with A in registers times pairs, rotations, registers, lanes, ... */
    static const uint32_t wanted[FILES][MUTANTS_OPERATORS] = {
        {12, 6, 8, 40, 2, 20, 0, 1, 3, 3, 4, 4, 2, 2, 2, 2, 0},
        {17, 9, 12, 60, 12, 25, 1, 1, 3, 3, 5, 6, 2, 3, 3, 3, 1},
        {12, 6, 8, 40, 6, 10, 0, 0, 2, 2, 3, 2, 2, 2, 2, 2, 0},
    };
    (void)state;
    for (int f = 0; f < FILES; f++)
        for (int o = 0; o < MUTANTS_OPERATORS; o++)
            if (list[f].of[o] != wanted[f][o])
                fail_msg("%s: %u mutants of %s, not %u", files[f], list[f].of[o], mutants_operators[o].name,
                         wanted[f][o]);
}

/* A mutant is another module that the whole analysis takes, with the same wgmma in it, and no other mutant's text. */
static void every_mutant_is_a_module_of_its_own(void **state)
{
    uint32_t checked = 0;
    (void)state;
    for (int f = 0; f < FILES; f++) {
        struct ptx_sites original, sites;
        struct error e;
        char **seen = calloc(list[f].count, sizeof *seen);
        assert_non_null(seen);
        assert_int_equal(ptx_find_sites(files[f], text[f], size[f], &original, &e), STATUS_OK);
        for (uint32_t i = 0; i < list[f].count; i++, checked++) {
            struct text got = mutant_text(f, &list[f].mutant[i]);
            assert_int_equal(strlen(got.data), got.used);
            assert_int_equal(ptx_find_sites(files[f], got.data, got.used, &sites, &e), STATUS_OK);
            assert_int_equal(sites.site_count, original.site_count);
            for (uint32_t s = 0; s < sites.site_count; s++)
                assert_string_equal(sites.site[s].op, original.site[s].op);
            ptx_sites_free(&sites);
            assert_string_not_equal(got.data, text[f]);
            for (uint32_t j = 0; j < i; j++)
                if (strcmp(got.data, seen[j]) == 0)
                    fail_msg("mutants %u and %u of %s are one", j, i, files[f]);
            seen[i] = got.data;
        }
        for (uint32_t i = 0; i < list[f].count; i++)
            free(seen[i]);
        free(seen);
        ptx_sites_free(&original);
    }
    assert_true(checked > 300);
}

static void find_takes_a_name_or_a_number(void **state)
{
    (void)state;
    assert_ptr_equal(mutants_find(&list[TAP], "a-exchange:3"), &list[TAP].mutant[3]);
    assert_ptr_equal(mutants_find(&list[TAP], "3"), &list[TAP].mutant[3]);
    assert_ptr_equal(mutants_find(&list[TAP], "a-rotate:0"), &list[TAP].mutant[12]);
    static const char *const none[] = {"", "a-exchange", "a-exchange:", "a-exchange:12", "03", "-1", "111", "x:0"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(mutants_find(&list[TAP], none[i]));
}

static uint32_t count_chosen(const struct mutants *l, uint32_t of[MUTANTS_OPERATORS])
{
    uint32_t all = 0;
    memset(of, 0, MUTANTS_OPERATORS * sizeof *of);
    for (uint32_t i = 0; i < l->count; i++) {
        of[l->mutant[i].which] += l->mutant[i].chosen;
        all += l->mutant[i].chosen;
    }
    return all;
}

static void choose_takes_operators_in_turn_and_repeats_by_seed(void **state)
{
    uint32_t of[MUTANTS_OPERATORS];
    bool first[512], differs = false;
    struct mutants *l = &list[INDEXED];
    struct error e;
    (void)state;
    assert_true(l->count < 512);
    for (uint64_t count = 1; count <= l->count; count++) {
        assert_int_equal(mutants_choose(l, count, 7, &e), STATUS_OK);
        assert_int_equal(count_chosen(l, of), count);
        for (int o = 0; count >= MUTANTS_OPERATORS && o < MUTANTS_OPERATORS; o++)
            assert_true(of[o] >= 1);
    }
    assert_int_equal(mutants_choose(l, 40, 7, &e), STATUS_OK);
    for (uint32_t i = 0; i < l->count; i++)
        first[i] = l->mutant[i].chosen;
    assert_int_equal(mutants_choose(l, 40, 7, &e), STATUS_OK);
    for (uint32_t i = 0; i < l->count; i++)
        assert_int_equal(first[i], l->mutant[i].chosen);
    assert_int_equal(mutants_choose(l, 40, 8, &e), STATUS_OK);
    for (uint32_t i = 0; i < l->count; i++)
        differs = differs || first[i] != l->mutant[i].chosen;
    assert_true(differs);
    assert_int_equal(mutants_choose(l, 0, 0, &e), STATUS_OK);
    assert_int_equal(count_chosen(l, of), l->count);
    assert_int_equal(mutants_choose(l, UINT64_MAX, 0, &e), STATUS_OK);
    assert_int_equal(count_chosen(l, of), l->count);
}

#define HEAD ".version 8.7\n.target sm_90a\n.address_size 64\n"

static void list_of_what_is_no_subject_says_why(void **state)
{
    static const struct {
        const char *text, *why;
        enum status status;
    } cases[] = {
        {HEAD ".visible .entry f()\n{\n\tret;\n}\n", "no wgmma in it", STATUS_UNSUPPORTED},
        {HEAD ".visible .entry fomutate()\n{\n\tret;\n}\n", "a mutant already", STATUS_BAD_INPUT},
        {HEAD ".visible .entry f()\n{\n\twgmma.strange;\n}\n", "unknown instruction", STATUS_BAD_INPUT},
        {"", "no .target in the text", STATUS_BAD_INPUT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mutants l = {.count = 77};
        struct error e;
        assert_int_equal(operators_list("k.ptx", cases[i].text, strlen(cases[i].text), &l, &e), cases[i].status);
        if (!strstr(e.why, cases[i].why))
            fail_msg("%s", e.why);
        assert_string_equal(e.path, "k.ptx");
        assert_int_equal(l.count, 77);
    }
}

static enum status list_once(void *context, struct error *e)
{
    struct mutants l;
    struct text one;
    (void)context;
    enum status s = operators_list(files[INDEXED], text[INDEXED], size[INDEXED], &l, e);
    if (s != STATUS_OK)
        return s;
    s = mutants_choose(&l, 20, 0, e);
    if (s == STATUS_OK)
        s = mutants_apply(&l, &l.mutant[0], text[INDEXED], size[INDEXED], &one, e);
    if (s == STATUS_OK)
        text_free(&one);
    mutants_free(&l);
    return s;
}

static void list_without_memory_says_so(void **state)
{
    (void)state;
    assert_true(alloc_check(list_once, NULL, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_changes_what_it_says_and_only_that),
        cmocka_unit_test(list_of_a_module_has_all_of_them),
        cmocka_unit_test(every_mutant_is_a_module_of_its_own),
        cmocka_unit_test(find_takes_a_name_or_a_number),
        cmocka_unit_test(choose_takes_operators_in_turn_and_repeats_by_seed),
        cmocka_unit_test(list_of_what_is_no_subject_says_why),
        cmocka_unit_test(list_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
