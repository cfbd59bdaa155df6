/* module on the PTX machine: the product of module_product.ptx, and what becomes of it when a line is another. */
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/exec/module.h"
#include "oracle/exec/module_ptx.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "probes/coded.h"
#include "probes/identity.h"
#include "probes/weights.h"
#include "reference/e8m0.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

enum { P = 11, N = 6, K = 64, E = 3, EDITS = 6 };

/* A text of the kernel or of its sidecar that is another. */
struct edit {
    const char *from, *to;
};

static char *text_of(const char *name)
{
    char path[600];
    uint8_t *data;
    size_t size;
    snprintf(path, sizeof path, FO_SOURCE_DIR "/tests/oracle/%s", name);
    assert_int_equal(file_read(path, 0, &data, &size, NULL), STATUS_OK);
    char *text = realloc(data, size + 1);
    assert_non_null(text);
    text[size] = '\0';
    return text;
}

/* Every `from` of the text as `to`. */
static char *replace_all(char *text, const struct edit *edit)
{
    size_t count = 0, from = strlen(edit->from), to = strlen(edit->to);
    for (char *at = text; (at = strstr(at, edit->from)); at += from)
        count++;
    if (count == 0)
        fail_msg("the kernel has no '%s'", edit->from);
    char *made = malloc(strlen(text) + count * to + 1), *end = made;
    assert_non_null(made);
    for (char *at = text, *next; *at; at = next) {
        next = strstr(at, edit->from);
        size_t length = next ? (size_t)(next - at) : strlen(at);
        memcpy(end, at, length);
        end += length;
        memcpy(end, edit->to, next ? to : 0);
        end += next ? to : 0;
        next = next ? next + from : at + length;
    }
    *end = '\0';
    free(text);
    return made;
}

/* The kernel with its lines changed; an edit belongs to the sidecar where its text stands there. */
static enum status open_edited(void **state, const struct edit *edits, struct executor *out, struct error *e)
{
    char path[SCRATCH_PATH], *ptx = text_of("module_product.ptx"), *json = text_of("module_product.json");
    for (size_t i = 0; edits && i < EDITS && edits[i].from; i++)
        if (strstr(json, edits[i].from))
            json = replace_all(json, &edits[i]);
        else
            ptx = replace_all(ptx, &edits[i]);
    assert_int_equal(file_write(scratch_path(state, "k.ptx", path), ptx, strlen(ptx), NULL), STATUS_OK);
    assert_int_equal(file_write(scratch_path(state, "k.json", path), json, strlen(json), NULL), STATUS_OK);
    free(ptx);
    free(json);
    enum status s = module_subject_open(path, true, out, e);
    json_forget();
    return s;
}

static struct executor open_or_fail(void **state, const struct edit *edits)
{
    struct executor x;
    struct error e;
    if (open_edited(state, edits, &x, &e) != STATUS_OK)
        fail_msg("%s: %s: line %d: %s", e.path, e.field, e.line, e.why);
    return x;
}

static enum status ask_identity(const struct executor *x, size_t experts, struct identity_result *r, struct error *e)
{
    const struct identity_options o = {
        .P = P, .pass = -1, .seed = 3, .no_special = x->limits.no_scales || x->limits.no_codes};
    struct weights_set w;
    assert_int_equal(weights_make(WEIGHTS_RANDOM, experts, N, K, 1, &w, NULL), STATUS_OK);
    if (x->limits.no_scales)
        memset(w.scales, E8M0_BIAS, experts * N * K / 32);
    enum status s = identity_run(x, &w.w, &o, r, e);
    weights_free(&w);
    return s;
}

/* Does it conform under both probes? */
static bool conforms(const struct executor *x, size_t experts)
{
    const struct coded_options coded = {P, N, K, experts, 4};
    struct identity_result r;
    struct coded_result sources;
    struct error e;
    char line[900];
    if (ask_identity(x, experts, &r, &e) != STATUS_OK)
        fail_msg("%s", error_line(&e, line, sizeof line));
    bool identity = identity_conforms(&r);
    identity_result_free(&r);
    if (coded_run(x, &coded, &sources, &e) != STATUS_OK)
        fail_msg("%s", error_line(&e, line, sizeof line));
    bool right = coded_conforms(&sources);
    coded_result_free(&sources);
    assert_int_equal(identity, right);
    return right;
}

static void module_with_a_right_kernel_conforms_on_the_machine(void **state)
{
    struct executor x = open_or_fail(state, NULL);
    struct identity_result r;
    struct error e;
    assert_string_equal(x.name, "ptx");
    assert_int_equal(executor_fidelity(&x), FIDELITY_BIT_EXACT_MODEL);
    assert_true(conforms(&x, E));
    assert_int_equal(ask_identity(&x, E, &r, &e), STATUS_OK);
    assert_string_equal(r.report.kernel, "product");
    assert_true(r.report.wgmma_unpredicted && r.report.wgmma == 0);
    /* Two warps a row, of N = 6 lanes that go on: every step of K is twelve instructions of one. */
    assert_true(r.report.steps > r.report.launches * P * K * 10 && r.report.steps < r.report.launches * P * K * 20);
    assert_string_equal(x.note, "");
    assert_int_equal(executor_fidelity(&x), FIDELITY_BIT_EXACT_MODEL);
    identity_result_free(&r);
    x.release(x.self);
}

/* A column from its neighbour, a K that is too short, rows of another expert, an output that is not written. */
static void module_with_a_wrong_kernel_differs_on_the_machine(void **state)
{
    static const struct edit wrong[] = {
        {"mov.u32 %column, %n;", "add.u32 %column, %n, 1; rem.u32 %column, %column, %count;"},
        {"setp.ne.u32 %more, %k, 0;", "setp.ne.u32 %more, %k, 1;"},
        {"ld.global.u32 %id, [%at];", "mov.u32 %id, 1;"},
        {"st.global.f32 [%at], %sum;", "setp.ne.u32 %skip, %p, 3; @%skip st.global.f32 [%at], %sum;"},
        {"fma.rn.f32 %sum, %left, %right, %sum;", "fma.rn.f32 %sum, %left, %right, %left;"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct edit edits[EDITS] = {wrong[i]};
        struct executor x = open_or_fail(state, edits);
        if (conforms(&x, E))
            fail_msg("'%s' conforms", wrong[i].to);
        x.release(x.self);
    }
}

/* The types and layouts of the sidecar, each with the line of the kernel that it takes. */
static void module_gets_its_arrays_in_the_type_and_layout_it_asks_for(void **state)
{
    static const struct {
        struct edit edits[EDITS];
        size_t experts;
    } cases[] = {
        {{{"\"bf16\"", "\"bf16_kn\""},
          {"mul.lo.u32 %row, %row, %k;\n    mul.wide.u32 %wide, %row, 2;\n    add.u64 %w, %w, %wide;",
           "mul.lo.u32 %row, %id, %count; mad.lo.u32 %row, %row, %k, %column; mul.wide.u32 %wide, %row, 2; "
           "add.u64 %w, %w, %wide;"},
          {"add.u64 %w, %w, 2;", "mul.wide.u32 %wide, %count, 2; add.u64 %w, %w, %wide;"}},
         E},
        {{{"\"out\": \"f32\"", "\"out\": \"f32\", \"out_layout\": \"np\""},
          {"\"A\"]", "\"A\", \"P\"]"},
          {".param .u32 A\n", ".param .u32 A, .param .u32 P\n"},
          {"mad.lo.u32 %row, %p, %count, %n;", "ld.param.u32 %t, [P]; mad.lo.u32 %row, %n, %t, %p;"}},
         E},
        {{{"\"out\": \"f32\"", "\"out\": \"f32\", \"x_layout\": \"kp\""},
          {"\"A\"]", "\"A\", \"P\"]"},
          {".param .u32 A\n", ".param .u32 A, .param .u32 P\n"},
          {"mul.lo.u32 %row, %p, %k;", "mov.u32 %row, %p;"},
          {"add.u64 %x, %x, 2;", "ld.param.u32 %t, [P]; mul.wide.u32 %wide, %t, 2; add.u64 %x, %x, %wide;"}},
         E},
        {{{"\"weights\": \"bf16\"", "\"weights\": \"f16\", \"x\": \"f16\""},
          {"\"f32\"", "\"f16\""},
          {"cvt.u32.u16 %t, %half;\n    shl.b32 %t, %t, 16;\n    mov.b32 %left, %t;", "cvt.f32.f16 %left, %half;"},
          {"cvt.u32.u16 %t, %half;\n    shl.b32 %t, %t, 16;\n    mov.b32 %right, %t;", "cvt.f32.f16 %right, %half;"},
          {"mul.wide.u32 %wide, %row, 4;", "mul.wide.u32 %wide, %row, 2;"},
          {"st.global.f32 [%at], %sum;", "cvt.rn.f16.f32 %half, %sum; st.global.b16 [%at], %half;"}},
         E},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct executor x = open_or_fail(state, cases[i].edits);
        if (!conforms(&x, cases[i].experts))
            fail_msg("case %zu differs", i);
        x.release(x.self);
        /* The same kernel with arrays that it does not take. */
        struct edit plain[EDITS] = {{0}};
        size_t kept = 0;
        for (size_t k = 0; k < EDITS && cases[i].edits[k].from; k++)
            if (cases[i].edits[k].from[0] != '"' || strstr(cases[i].edits[k].from, "A\"]"))
                plain[kept++] = cases[i].edits[k];
        if (i == 3)
            continue; /* outputs of half the size leave half of them unwritten, which the next test has */
        x = open_or_fail(state, plain);
        if (conforms(&x, cases[i].experts))
            fail_msg("case %zu conforms with other arrays", i);
        x.release(x.self);
    }
}

/* A struct by value, a workspace of zeros, numbers of one and two bytes. */
static void module_gets_structs_and_zeros_where_it_asks_for_them(void **state)
{
    static const struct edit edits[EDITS] = {
        {"[\"x\", \"w\", \"starts\", \"ids\", \"out\", \"N\", \"K\", \"A\"]",
         "[{\"u8\": 7}, {\"struct\": [\"x\", {\"u16\": 9}, {\"struct\": [\"w\", {\"u8\": 1}]}, \"starts\", \"ids\", "
         "\"out\", \"N\", \"K\", \"A\"]}, {\"zeros\": \"P * 4\"}]"},
        {"    .param .u64 x,\n    .param .u64 w,\n    .param .u64 starts,\n    .param .u64 ids,\n    .param .u64 "
         "out,\n  "
         "  .param .u32 N,\n    .param .u32 K,\n    .param .u32 A\n",
         "    .param .u8 first, .param .align 8 .b8 all[72], .param .u64 zeros\n"},
        {"    ld.param.u64 %x, [x];\n    ld.param.u64 %w, [w];\n    ld.param.u64 %starts, [starts];\n    ld.param.u64 "
         "%ids, [ids];\n    ld.param.u64 %out, [out];\n    ld.param.u32 %count, [N];\n    ld.param.u32 %k, [K];\n    "
         "ld.param.u32 %a, [A];\n",
         "ld.param.u64 %x, [all]; ld.param.u64 %w, [all+16]; ld.param.u64 %starts, [all+32]; ld.param.u64 %ids, "
         "[all+40]; ld.param.u64 %out, [all+48]; ld.param.u32 %count, [all+56]; ld.param.u32 %k, [all+60]; "
         "ld.param.u32 %a, [all+64]; ld.param.u16 %half, [all+8]; cvt.u32.u16 %t, %half; setp.ne.u32 %skip, %t, 9; "
         "@%skip bra done; ld.param.u8 %half, [all+24]; cvt.u32.u16 %t, %half; setp.ne.u32 %skip, %t, 1; @%skip bra "
         "done; ld.param.u8 %half, [first]; cvt.u32.u16 %t, %half; setp.ne.u32 %skip, %t, 7; @%skip bra done; "},
        /* The first thread of a row finds a zero in its word of the workspace, and leaves a one there. */
        {"    mov.u32 %column, %n;",
         "mov.u32 %column, %n; setp.ne.u32 %skip, %n, 0; @%skip bra find0; ld.param.u64 %at, [zeros]; mul.wide.u32 "
         "%wide, %p, 4; add.u64 %at, %at, %wide; ld.global.u32 %t, [%at]; setp.ne.u32 %skip, %t, 0; @%skip bra done; "
         "mov.u32 %t, 1; st.global.u32 [%at], %t; find0:"},
    };
    struct executor x = open_or_fail(state, edits);
    assert_true(conforms(&x, E));
    x.release(x.self);
}

static enum status run_once(const struct executor *x, struct bf16 *out, struct run_report *report, struct error *e)
{
    static const uint32_t starts[] = {0, 4, P};
    static const int32_t ids[] = {2, 0};
    static const struct segments s = {P, E, 2, starts, ids};
    static struct bf16 activations[P * K];
    struct weights_set w;
    for (size_t i = 0; i < (size_t)P * K; i++)
        activations[i].bits = i % 5 ? 0 : BF16_ONE;
    memset(out, 0x11, sizeof *out * P * N);
    assert_int_equal(weights_make(WEIGHTS_RANDOM, E, N, K, 1, &w, NULL), STATUS_OK);
    enum status status = x->load(x->self, &w.w, e);
    weights_free(&w);
    return status == STATUS_OK ? x->run(x->self, activations, &s, (struct bf16){0x7fa5}, out, report, e) : status;
}

static void module_that_breaks_on_the_machine_is_one_sentence_with_its_line(void **state)
{
    static const struct {
        struct edit edit;
        enum status status;
        const char *begins, *holds;
    } cases[] = {
        {{"st.global.f32 [%at], %sum;", "st.global.f32 [%at+1024], %sum;"},
         STATUS_SUBJECT,
         "the kernel broke in launch 1: line 8",
         "out"},
        {{"ld.global.b16 %half, [%w];", "ld.global.b16 %half, [%w+4096];"},
         STATUS_SUBJECT,
         "the kernel broke in launch 1: line 7",
         "w"},
        {{"sub.u32 %k, %k, 1;", "sub.u32 %k, %k, 0; mov.u64 %x, %starts; mov.u64 %w, %starts;"},
         STATUS_SUBJECT,
         "the kernel broke in launch 1: ",
         "4194304"},
        {{"fma.rn.f32 %sum, %left, %right, %sum;", "trap;"},
         STATUS_SUBJECT,
         "the kernel broke in launch 1: line 7",
         ""},
        {{"fma.rn.f32 %sum, %left, %right, %sum;", "fma.rn.f32.frob %sum, %left, %right, %sum;"},
         STATUS_UNSUPPORTED,
         "line 7",
         "frob"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct edit edits[EDITS] = {cases[i].edit, {"\"block\"", "\"seconds\": 1, \"block\""}};
        struct executor x = open_or_fail(state, edits);
        struct bf16 out[P * N];
        struct run_report report;
        struct error e;
        assert_int_equal(run_once(&x, out, &report, &e), cases[i].status);
        if (strncmp(e.why, cases[i].begins, strlen(cases[i].begins)) != 0 || !strstr(e.why, cases[i].holds))
            fail_msg("case %zu: \"%s\"", i, e.why);
        assert_int_equal(out[0].bits, 0x1111);
        x.release(x.self);
    }
}

/* Copies that nobody waits for. */
static void module_whose_outputs_depend_on_the_order_is_noted(void **state)
{
    static const struct edit race[EDITS] = {
        {"    .reg .pred %skip", "    .shared .align 16 .b8 room[1024];\n    .reg .b32 %s;\n    .reg .pred %skip"},
        {"ld.global.u32 %id, [%at];", "mov.u32 %s, room; mov.u32 %t, %tid.x; shl.b32 %t, %t, 4; add.u32 %s, %s, %t; "
                                      "st.shared.u32 [%s], 0; cp.async.ca.shared.global [%s], [%at], 4; "
                                      "cp.async.commit_group; ld.shared.u32 %id, [%s];"}};
    static const char note[] = "the output depends on when asynchronous work is done";
    static const struct {
        const char *order;
        bool noted, late;
    } cases[] = {{"both", true, true}, {"late", false, true}, {"early", false, false}};
    struct bf16 right[P * N], out[P * N];
    struct run_report report;
    struct error e;
    struct executor x = open_or_fail(state, NULL);
    assert_int_equal(run_once(&x, right, &report, &e), STATUS_OK);
    x.release(x.self);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char order[60];
        struct edit edits[EDITS] = {race[0], race[1], {"\"block\"", order}};
        snprintf(order, sizeof order, "\"order\": \"%s\", \"block\"", cases[i].order);
        x = open_or_fail(state, edits);
        if (run_once(&x, out, &report, &e) != STATUS_OK)
            fail_msg("%s", e.why);
        assert_int_equal(strstr(x.note, note) != NULL, cases[i].noted);
        assert_int_equal(memcmp(out, right, sizeof right) != 0, cases[i].late);
        /* Only the first launch is made twice; what it found stays. */
        assert_int_equal(run_once(&x, out, &report, &e), STATUS_OK);
        assert_int_equal(strstr(x.note, note) != NULL, cases[i].noted);
        x.release(x.self);
    }
    const struct edit waits[EDITS] = {
        race[0], race[1], {"cp.async.commit_group;", "cp.async.commit_group; cp.async.wait_group 0;"}};
    x = open_or_fail(state, waits);
    assert_int_equal(run_once(&x, out, &report, &e), STATUS_OK);
    assert_memory_equal(out, right, sizeof right);
    assert_string_equal(x.note, "");
    x.release(x.self);
}

static void module_that_is_approximated_says_so_once_it_ran(void **state)
{
    static const struct edit edits[EDITS] = {{"fma.rn.f32 %sum, %left, %right, %sum;",
                                              "fma.rn.f32 %sum, %left, %right, %sum; ex2.approx.f32 %left, %left;"}};
    struct executor x = open_or_fail(state, edits);
    struct bf16 out[P * N];
    struct run_report report;
    struct error e;
    assert_int_equal(executor_fidelity(&x), FIDELITY_BIT_EXACT_MODEL);
    assert_int_equal(run_once(&x, out, &report, &e), STATUS_OK);
    assert_int_equal(executor_fidelity(&x), FIDELITY_APPROXIMATE);
    assert_int_equal(strncmp(x.note, "approximate: ", 13), 0);
    x.release(x.self);
}

static void module_that_the_machine_cannot_take_is_trouble_with_its_place(void **state)
{
    static const struct {
        struct edit edit;
        const char *field, *why;
    } cases[] = {
        {{"\"entry\": \"product\"", "\"entry\": \"produkt\""}, "entry", "no kernel 'produkt' in the module"},
        {{"    mov.f32 %sum, 0f00000000;", "mov.f32 %sum, %nobody;"}, "", "nobody"},
    };
    struct executor x = {.name = "untouched"};
    struct error e;
    char path[SCRATCH_PATH];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct edit edits[EDITS] = {cases[i].edit};
        assert_int_equal(open_edited(state, edits, &x, &e), STATUS_BAD_INPUT);
        assert_string_equal(e.field, cases[i].field);
        assert_non_null(strstr(e.why, cases[i].why));
    }
    assert_int_equal(file_write(scratch_path(state, "k.cubin", path), "x", 1, NULL), STATUS_OK);
    assert_int_equal(module_subject_open(path, true, &x, &e), STATUS_BAD_ARGUMENT);
    expect_error(&e, STATUS_BAD_ARGUMENT, path, "", -1, "a cubin needs a GPU");
    assert_string_equal(x.name, "untouched");

    const struct edit few[EDITS] = {{"\"K\", \"A\"]", "\"K\"]"}};
    struct bf16 out[P * N];
    struct run_report report;
    x = open_or_fail(state, few);
    assert_int_equal(run_once(&x, out, &report, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, scratch_path(state, "k.json", path), "", -1, "takes 8 arguments, not 7");
    x.release(x.self);
    const struct edit wide[EDITS] = {{"\"K\", \"A\"]", "\"K\", {\"u64\": 1}]"}};
    x = open_or_fail(state, wide);
    assert_int_equal(run_once(&x, out, &report, &e), STATUS_BAD_INPUT);
    expect_error(&e, STATUS_BAD_INPUT, scratch_path(state, "k.json", path), "", -1, "argument 7 has 8 bytes");
    x.release(x.self);
}

static enum status open_and_run(void *context, struct error *e)
{
    void *state = context;
    struct executor x;
    struct bf16 out[P * N];
    struct run_report report;
    char path[SCRATCH_PATH];
    enum status s = module_subject_open(scratch_path(&state, "k.json", path), true, &x, e);
    json_forget();
    if (s != STATUS_OK)
        return s;
    static const uint32_t starts[] = {0, P};
    static const int32_t ids[] = {0};
    const struct segments one = {P, 1, 1, starts, ids};
    static const struct bf16 zero[P * K];
    struct weights_set w = {0};
    s = weights_make(WEIGHTS_RANDOM, 1, N, K, 1, &w, e);
    if (s == STATUS_OK)
        s = x.load(x.self, &w.w, e);
    if (s == STATUS_OK)
        s = x.run(x.self, zero, &one, (struct bf16){0x7fa5}, out, &report, e);
    weights_free(&w);
    x.release(x.self);
    return s;
}

static void module_on_the_machine_without_memory_says_so(void **state)
{
    struct executor x = open_or_fail(state, NULL);
    x.release(x.self);
    assert_true(alloc_check(open_and_run, NULL, *state) > 20);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(module_with_a_right_kernel_conforms_on_the_machine),
        IN_SCRATCH(module_with_a_wrong_kernel_differs_on_the_machine),
        IN_SCRATCH(module_gets_its_arrays_in_the_type_and_layout_it_asks_for),
        IN_SCRATCH(module_gets_structs_and_zeros_where_it_asks_for_them),
        IN_SCRATCH(module_that_breaks_on_the_machine_is_one_sentence_with_its_line),
        IN_SCRATCH(module_whose_outputs_depend_on_the_order_is_noted),
        IN_SCRATCH(module_that_is_approximated_says_so_once_it_ran),
        IN_SCRATCH(module_that_the_machine_cannot_take_is_trouble_with_its_place),
        IN_SCRATCH(module_on_the_machine_without_memory_says_so),
    };
    omp_set_num_threads(1); /* allocations are counted, and made to fail, in one thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
