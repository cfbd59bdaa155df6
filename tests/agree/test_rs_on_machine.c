/* The production kernel, compiled to PTX, on the functional machine, against the model: two ways to the same bits. They
 * share rs_index.h and the rule of the fused sum, but neither instructions, nor the way of the data through shared
 * memory and registers, nor the maps of fragments. And the two planted faults that the model has no picture of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/coded.h"
#include "probes/identity.h"
#include "tests/agree/rs_ptx.h"
#include "tests/support/problems.h"
#include "tests/support/scratch.h"
#include "tests/support/splitmix.h"

enum {
    SKIPPED = 77,
    PROBLEMS = 6, /* of random ones: each fault shows in one */
    WARPS = 4,
    REGISTERS = 4, /* of A, of one thread and wgmma */
    SITES = 8,     /* wgmma in the text of a kernel: one K tile */
    A_REGISTERS = SITES * REGISTERS,
    CHUNKS = 64 * 16 * 2 / 16 /* of 16 bytes: what one wgmma reads of shared memory */
};
static const struct bf16 poison = {0x7fa5};
static char *text; /* of the module */

/* ---- one executor that asks both, and wants the same of them ----------------------------------------------------- */

struct both {
    struct executor machine, model;
    size_t N, outputs;
};

static void want_same_reports(const char *subject, const struct run_report *a, const struct run_report *b)
{
    if (strcmp(a->kernel, b->kernel) != 0 || memcmp(a->tile, b->tile, sizeof a->tile) != 0 || a->tiles != b->tiles ||
        a->wgmma != b->wgmma || a->wgmma_expected != b->wgmma_expected || a->a_checksum != b->a_checksum ||
        a->status_word != b->status_word)
        fail_msg("%s: machine: tiles %" PRIu64 " wgmma %" PRIu64 " checksum %08x status %u; model: %" PRIu64 " %" PRIu64
                 " %08x %u",
                 subject, a->tiles, a->wgmma, a->a_checksum, a->status_word, b->tiles, b->wgmma, b->a_checksum,
                 b->status_word);
}

static enum status both_load(void *self, const struct weights *w, struct error *e)
{
    struct both *b = self;
    enum status s = b->machine.load(b->machine.self, w, e);
    b->N = w->N;
    return s == STATUS_OK ? b->model.load(b->model.self, w, e) : s;
}

static enum status both_run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 fill,
                            struct bf16 *out, struct run_report *report, struct error *e)
{
    struct both *b = self;
    struct run_report modelled;
    size_t n = s->rows * b->N;
    struct bf16 *other = malloc(n * sizeof *other);
    assert_non_null(other);
    enum status status = b->machine.run(b->machine.self, x, s, fill, out, report, e);
    if (status == STATUS_OK)
        status = b->model.run(b->model.self, x, s, fill, other, &modelled, e);
    for (size_t i = 0; status == STATUS_OK && i < n; i++)
        if (out[i].bits != other[i].bits)
            fail_msg("%s (%zu,%zu): %04x on the machine, %04x on the model", b->model.subject, i / b->N, i % b->N,
                     out[i].bits, other[i].bits);
    free(other);
    if (status != STATUS_OK)
        return status;
    want_same_reports(b->model.subject, report, &modelled);
    b->outputs += n;
    return STATUS_OK;
}

static void both_open(const char *name, enum vm_order order, struct both *b, struct executor *out)
{
    struct machine model;
    struct subject subject;
    struct error e;
    machine_model(&model);
    *b = (struct both){0};
    rs_ptx_open(text, name, order, &b->machine);
    if (subject_parse(name, &subject, &e) != STATUS_OK || model.subject(&subject, &b->model, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    *out = b->model;
    out->self = b, out->load = both_load, out->run = both_run;
}

/* What the machine noted must be nothing: these kernels are wrong in their numbers alone. */
static void both_close(struct both *b)
{
    const struct vm_report *r = rs_ptx_report(&b->machine);
    if (r->hazards || r->approximate)
        fail_msg("%s: line %u: %s", b->model.subject, r->hazard[0].line,
                 r->hazards ? r->hazard[0].text : r->approximate);
    b->machine.release(b->machine.self);
    b->model.release(b->model.self);
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static bool ask_identity(const struct executor *x, size_t P, size_t N, size_t K, size_t experts)
{
    const struct identity_options o = {.P = P, .pass = -1, .seed = splitmix_seed()};
    struct weights_set w;
    struct identity_result r;
    struct error e;
    assert_int_equal(weights_make(WEIGHTS_RANDOM, experts, N, K, splitmix_seed(), &w, NULL), STATUS_OK);
    if (identity_run(x, &w.w, &o, &r, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    bool conforms = identity_conforms(&r);
    identity_result_free(&r);
    weights_free(&w);
    return conforms;
}

static bool ask_coded(const struct executor *x, size_t P, size_t N, size_t K, size_t experts)
{
    const struct coded_options o = {P, N, K, experts, splitmix_seed()};
    struct coded_result r;
    struct error e;
    if (coded_run(x, &o, &r, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    bool conforms = coded_conforms(&r);
    coded_result_free(&r);
    return conforms;
}

/* One launch. Returns the outputs that are not what the product is. */
static size_t ask_problem(const struct executor *x, const struct problem *p, uint64_t *wgmma)
{
    struct run_report report;
    struct error e;
    uint32_t word;
    size_t n = problem_outputs(p), first;
    struct bf16 *right = problem_expected(p, &word), *out = malloc(n * sizeof *out);
    assert_non_null(out);
    if (x->load(x->self, &p->weights.w, &e) != STATUS_OK ||
        x->run(x->self, p->x, &p->segments, poison, out, &report, &e) != STATUS_OK)
        fail_msg("%s, problem of seed %" PRIu64 ": %s", x->subject, p->seed, e.why);
    size_t wrong = outputs_differing(out, right, n, &first) + (report.status_word != word);
    *wgmma += report.wgmma;
    free(out);
    free(right);
    return wrong;
}

/* Random weights, activations and segments, some of them bad. */
static size_t ask_problems(const struct executor *x, size_t count)
{
    size_t wrong = 0;
    uint64_t wgmma = 0;
    for (size_t i = 0; i < count; i++) {
        struct problem p;
        problem_make(splitmix_seed() + i, &p);
        wrong += ask_problem(x, &p, &wgmma);
        problem_free(&p);
    }
    return wrong;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void machine_run_of_the_production_kernel_gives_the_bits_of_the_model(void **state)
{
    static const struct {
        const char *subject;
        enum vm_order order;
    } cases[] = {{"rs", VM_LATE}, {"rs", VM_EARLY}, {"rs+none", VM_LATE}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct both b;
        struct executor x;
        both_open(cases[i].subject, cases[i].order, &b, &x);
        assert_true(i > 0 || ask_identity(&x, 21, 48, 64, 3));
        assert_true(i > 0 || ask_coded(&x, 5, 48, 64, 3));
        assert_int_equal(ask_problems(&x, PROBLEMS), 0);
        assert_true(b.outputs > 50000);
        print_message("%s, %s: %zu outputs, %" PRIu64 " wgmma\n", cases[i].subject,
                      cases[i].order == VM_LATE ? "late" : "early", b.outputs, rs_ptx_report(&b.machine)->wgmma);
        both_close(&b);
    }
}

static void machine_run_of_planted_faults_gives_the_bits_of_the_model(void **state)
{
    size_t asked = 0, outputs = 0;
    (void)state;
    for (size_t i = 0; i < fault_count(); i++) {
        const struct fault_entry *f = fault_at(i);
        struct both b;
        struct executor x;
        char name[SUBJECT_NAME];
        if (f->hardware_only)
            continue;
        snprintf(name, sizeof name, "rs+%s", f->id);
        both_open(name, VM_LATE, &b, &x);
        if (ask_problems(&x, PROBLEMS) == 0)
            fail_msg("%s was not to be seen", name);
        outputs += b.outputs;
        both_close(&b);
        asked++;
    }
    print_message("%zu faults, %zu outputs\n", asked, outputs);
    assert_true(asked == fault_count() - 2 && asked > 40);
}

/* ---- the two that the model has no picture of -------------------------------------------------------------------- */

/* The number of the first line behind `from` that holds `what`. */
static uint32_t line_with(const char *what, uint32_t from)
{
    const char *at = text;
    for (uint32_t line = 1; at; line++) {
        const char *end = strchr(at, '\n'), *found = line > from ? strstr(at, what) : NULL;
        if (found && (!end || found < end))
            return line;
        at = end ? end + 1 : NULL;
    }
    fail_msg("no '%s' behind line %u", what, from);
    return 0;
}

/* A fault in one order over problems of one and two K tiles. */
struct raced {
    size_t wrong;
    uint64_t wgmma;
    struct vm_report report;
};

static void race(const char *subject, enum vm_order order, struct raced *r)
{
    struct executor x;
    *r = (struct raced){0};
    rs_ptx_open(text, subject, order, &x);
    for (size_t i = 0; i < 3; i++) {
        struct problem p;
        problem_make_dense(splitmix_seed() + i, 20 + i, 80, 64 + 64 * i, 2, &p);
        r->wrong += ask_problem(&x, &p, &r->wgmma);
        problem_free(&p);
    }
    r->report = *rs_ptx_report(&x);
    x.release(x.self);
    print_message("%s, %s: %zu outputs wrong, %" PRIu64 " wgmma, %u hazards\n", subject,
                  order == VM_LATE ? "late" : "early", r->wrong, r->wgmma, r->report.hazards);
}

/* Are the hazards of one kind, and at the next `lines` lines behind `from` that hold `what`, and so many in all? */
static void want_hazards(const struct vm_report *r, const char *kind, const char *what, uint32_t from, uint32_t lines,
                         uint64_t count)
{
    assert_int_equal(r->hazards, lines);
    for (uint32_t h = 0; h < lines; h++) {
        from = line_with(what, from);
        assert_string_equal(r->hazard[h].kind, kind);
        assert_int_equal(r->hazard[h].line, from);
        assert_true(r->hazard[h].count > 0);
        count -= r->hazard[h].count;
    }
    assert_int_equal(count, 0);
}

static void machine_run_without_a_proxy_fence_is_a_hazard_of_every_wgmma(void **state)
{
    const uint32_t kernel = line_with(".entry _Z22rs_gemm_planted_kernel", 0);
    (void)state;
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct raced r;
        race("rs+F38", (enum vm_order)order, &r);
        want_hazards(&r.report, "shared memory read without a proxy fence", "wgmma.mma_async", kernel, SITES,
                     r.wgmma * CHUNKS);
        assert_int_equal(r.wrong, 0); /* the machine's shared memory has one face */
    }
}

static void machine_run_with_a_overwritten_is_a_hazard_of_every_register_and_wrong(void **state)
{
    const uint32_t kernel = line_with(".entry _Z22rs_gemm_planted_kernel", 0);
    const uint32_t commit = line_with("wgmma.commit_group", kernel);
    (void)state;
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct raced r;
        race("rs+F44", (enum vm_order)order, &r);
        want_hazards(&r.report, "A register overwritten in flight", "not.b32", commit, A_REGISTERS,
                     r.wgmma * WARPS * REGISTERS);
        for (uint32_t h = 0, wgmma = kernel; h < A_REGISTERS; h++) {
            char reader[60];
            wgmma = h % REGISTERS ? wgmma : line_with("wgmma.mma_async", wgmma);
            snprintf(reader, sizeof reader, "A of the wgmma of line %u,", wgmma);
            assert_non_null(strstr(r.report.hazard[h].text, reader));
        }
        assert_true(order == VM_EARLY || r.wrong > 4000);
    }
}

static void machine_run_of_the_clean_twin_has_no_hazard(void **state)
{
    (void)state;
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct raced r;
        race("rs+none", (enum vm_order)order, &r);
        assert_true(r.wrong == 0 && r.report.hazards == 0 && r.wgmma == 96);
    }
}

int main(void)
{
    void *folder;
    if (scratch_setup(&folder) != 0)
        return 1;
    text = rs_ptx_compile(&folder);
    scratch_teardown(&folder);
    if (!text) {
        print_message("not run: no nvcc\n");
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machine_run_of_the_production_kernel_gives_the_bits_of_the_model),
        cmocka_unit_test(machine_run_of_planted_faults_gives_the_bits_of_the_model),
        cmocka_unit_test(machine_run_without_a_proxy_fence_is_a_hazard_of_every_wgmma),
        cmocka_unit_test(machine_run_with_a_overwritten_is_a_hazard_of_every_register_and_wrong),
        cmocka_unit_test(machine_run_of_the_clean_twin_has_no_hazard),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(text);
    return failed;
}
