#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/stages.h"
#include "oracle/io/file.h"
#include "probes/identity.h"
#include "probes/weights.h"
#include "reference/matmul.h"
#include "reference/number.h"

/* ---- identity --------------------------------------------------------------------------------------------------- */

static const uint64_t any_shape[3];

/* One run of the public probe, with scores and pictures where results are kept. shape: P, N, K, or zeros. */
static enum status probe_once(const struct check *c, const char *subject, const uint64_t shape[3], const char *weights,
                              int historical, const char *folder, enum fo_verdict *verdict, struct error *e)
{
    char out[PATH_MAX];
    struct fo_probe_options o = {.kind = "identity",
                                 .subject = subject,
                                 .P = shape[0],
                                 .N = shape[1],
                                 .K = shape[2],
                                 .weights = {.kind = weights, .seed = c->seed},
                                 .historical = historical,
                                 .pass = -1,
                                 .on = c->machine.name};
    struct fo_answer answer;
    struct fo_error line;
    if (c->options->out && folder) {
        enum status s = file_path(c->options->out, folder, out, e);
        if (s != STATUS_OK)
            return s;
        o.out = out;
    }
    int failed = fo_probe(&o, &answer, &line);
    if (failed)
        return error_set(e, (enum status)failed, "%s: %.280s", subject, line.line);
    *verdict = answer.verdict;
    fo_answer_free(&answer);
    return STATUS_OK;
}

enum status stage_identity(const struct check *c, struct stage_result *r, struct error *e)
{
    static const struct {
        const char *weights, *folder;
        int historical;
    } ask[] = {
        {"sample", "identity", 0}, {"adversarial", "identity_adversarial", 0}, {"sample", "identity_historical", 1}};
    size_t runs = sizeof ask / sizeof *ask, conforming = 0;
    for (size_t i = 0; i < runs; i++) {
        enum fo_verdict verdict;
        enum status s =
            probe_once(c, c->subject.name, any_shape, ask[i].weights, ask[i].historical, ask[i].folder, &verdict, e);
        if (s != STATUS_OK)
            return s;
        conforming += verdict == FO_CONFORMS;
        if (verdict != FO_CONFORMS && r->detail[0] == '\0')
            snprintf(r->detail, sizeof r->detail,
                     "repeat: fragoracle probe identity --subject %s --weights %s%s --seed %" PRIu64 " --on %s",
                     c->subject.name, ask[i].weights, ask[i].historical ? " --historical" : "", c->seed,
                     c->machine.name);
    }
    r->verdict = conforming == runs ? FO_CONFORMS : FO_DIFFERS;
    snprintf(r->evidence, sizeof r->evidence, "exhaustive over K");
    snprintf(r->counted, sizeof r->counted,
             "%zu of %zu probes conform: shifted identities on real weights and on adversarial scales, and the "
             "historical case",
             conforming, runs);
    return STATUS_OK;
}

/* ---- runs of a subject against the independent product ---------------------------------------------------------- */

struct trial {
    struct executor executor;
    struct weights_set weights;
    struct bf16 *x, *out, *expected;
    size_t P;
};

static void trial_free(struct trial *t)
{
    if (t->executor.self)
        t->executor.release(t->executor.self);
    weights_free(&t->weights);
    free(t->x);
    free(t->out);
    free(t->expected);
}

/* x: dense, exponents 2^-6 .. 2^2, so that every product takes part and nothing overflows. */
static enum status trial_make(const struct check *c, const char *subject, size_t P, size_t N, size_t K, size_t experts,
                              struct trial *t, struct error *e)
{
    struct subject parsed;
    *t = (struct trial){.P = P};
    enum status s = subject_parse(subject, &parsed, e);
    if (s == STATUS_OK)
        s = c->machine.subject(&parsed, &t->executor, e);
    if (s == STATUS_OK)
        s = weights_make(WEIGHTS_ADVERSARIAL, experts, N, K, c->seed, &t->weights, e);
    if (s != STATUS_OK)
        return s;
    t->x = malloc(P * K * sizeof *t->x);
    t->out = malloc(P * N * sizeof *t->out);
    t->expected = malloc(P * N * sizeof *t->expected);
    if (!t->x || !t->out || !t->expected)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a product of %zu x %zu x %zu", P, N, K);
    struct random r = {c->seed ^ N};
    for (size_t i = 0; i < P * K; i++)
        t->x[i].bits = (uint16_t)(random_below(&r, 2) << 15 | (121 + random_below(&r, 8)) << 7 | random_below(&r, 128));
    return t->executor.load(t->executor.self, &t->weights.w, e);
}

/* Run and count elements that differ from the independent product. */
static enum status trial_run(struct trial *t, const struct segments *s, struct run_report *report, uint64_t *differing,
                             uint32_t *expected_word, struct error *e)
{
    const struct bf16 poison = {0x7fa5};
    enum status status = t->executor.run(t->executor.self, t->x, s, poison, t->out, report, e);
    if (status == STATUS_OK)
        status = matmul_grouped(t->x, s, &t->weights.w, t->expected, expected_word, e);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < t->P * t->weights.w.N; i++)
        *differing += t->out[i].bits != t->expected[i].bits && !(bf16_is_nan(t->out[i]) && bf16_is_nan(t->expected[i]));
    return STATUS_OK;
}

/* ---- routing ---------------------------------------------------------------------------------------------------- */

enum { ROUTING_ROWS = 150, ROUTING_EXPERTS = 6, ROUTING_MOST = 5 };

static const struct routing_case {
    const char *what;
    size_t active;
    uint32_t starts[ROUTING_MOST + 1];
    int32_t ids[ROUTING_MOST];
    uint32_t status; /* the word that the contract demands */
} routing_cases[] = {
    {"one segment", 1, {0, 150}, {3}, 0},
    {"unsorted and repeated ids, an empty and a one-row segment", 5, {0, 70, 70, 71, 140, 150}, {5, 0, 2, 5, 4}, 0},
    {"rows before the first and after the last segment", 2, {10, 80, 140}, {1, 0}, 0},
    {"no active segment", 0, {0}, {0}, 0},
    {"an id above the experts", 3, {0, 50, 100, 150}, {1, 6, 2}, 2},
    {"a negative id", 3, {0, 50, 100, 150}, {-1, 0, 2}, 1},
    {"a start that decreases", 3, {0, 100, 50, 150}, {1, 0, 2}, 2},
    {"a segment that overruns P", 2, {0, 50, 151}, {1, 0}, 2},
    {"a bad id before a bad start", 3, {0, 50, 200, 150}, {9, 0, 2}, 1},
};

enum status stage_routing(const struct check *c, struct stage_result *r, struct error *e)
{
    struct trial t;
    size_t cases = sizeof routing_cases / sizeof *routing_cases, right = 0;
    enum status s = trial_make(c, c->subject.name, ROUTING_ROWS, 80, 192, ROUTING_EXPERTS, &t, e);
    for (size_t i = 0; s == STATUS_OK && i < cases; i++) {
        const struct routing_case *k = &routing_cases[i];
        struct segments segments = {ROUTING_ROWS, ROUTING_EXPERTS, k->active, k->starts, k->ids};
        struct run_report report;
        uint64_t differing = 0;
        uint32_t word;
        s = trial_run(&t, &segments, &report, &differing, &word, e);
        bool ok = differing == 0 && report.status_word == k->status && word == k->status &&
                  report.wgmma == report.wgmma_expected &&
                  (segments_validate(&segments, NULL) == STATUS_OK) == (k->status == 0);
        right += s == STATUS_OK && ok;
        if (s == STATUS_OK && !ok && r->detail[0] == '\0')
            snprintf(r->detail, sizeof r->detail,
                     "%s: %" PRIu64 " elements differ, status word %u (wanted %u), wgmma %" PRIu64 " of %" PRIu64,
                     k->what, differing, report.status_word, k->status, report.wgmma, report.wgmma_expected);
    }
    trial_free(&t);
    r->verdict = right == cases ? FO_CONFORMS : FO_DIFFERS;
    snprintf(r->evidence, sizeof r->evidence, "directed");
    snprintf(r->counted, sizeof r->counted,
             "%zu of %zu cases: status word, host-side guard, zero rows, every row written", right, cases);
    return s;
}

/* ---- planted ---------------------------------------------------------------------------------------------------- */

/* The clean twin must leave the same bits and the same registers as rs. */
static enum status twin_identical(const struct check *c, bool *same, struct error *e)
{
    static const char *const names[] = {"rs", "rs+none"};
    const uint32_t starts[] = {0, 80};
    const int32_t ids[] = {1};
    struct segments segments = {80, 2, 1, starts, ids};
    struct trial t[2];
    struct run_report report[2];
    enum status s = STATUS_OK;
    memset(t, 0, sizeof t);
    for (int i = 0; s == STATUS_OK && i < 2; i++) {
        uint64_t differing = 0;
        uint32_t word;
        s = trial_make(c, names[i], 80, 208, 192, 2, &t[i], e);
        if (s == STATUS_OK)
            s = trial_run(&t[i], &segments, &report[i], &differing, &word, e);
    }
    *same = s == STATUS_OK && memcmp(t[0].out, t[1].out, 80 * 208 * sizeof *t[0].out) == 0 &&
            report[0].a_checksum == report[1].a_checksum && report[0].wgmma == report[1].wgmma;
    for (int i = 0; i < 2; i++)
        trial_free(&t[i]);
    return s;
}

/* One planted fault on one kind of weights: by the identity probe at the smallest shape from which it sees them all (a
 * second feature tile, a second K tile, a segment of more than 48 rows), or else by the routing cases, which have bad
 * ids. */
static enum status planted_found(const struct check *c, const char *name, const char *weights, const char *folder,
                                 bool *found, struct error *e)
{
    static const uint64_t shape[] = {96, 80, 192};
    enum fo_verdict verdict;
    enum status s = probe_once(c, name, shape, weights, 0, folder, &verdict, e);
    if (s == STATUS_OK && verdict != FO_DIFFERS) {
        struct check routed = *c;
        struct stage_result r = {.verdict = FO_UNDECIDED};
        s = subject_parse(name, &routed.subject, e);
        if (s == STATUS_OK)
            s = stage_routing(&routed, &r, e);
        verdict = r.verdict;
    }
    *found = verdict == FO_DIFFERS;
    return s;
}

enum status stage_planted(const struct check *c, struct stage_result *r, struct error *e)
{
    static const char *const weights[] = {"sample", "adversarial"};
    size_t found = 0, planted = 0, alarms = 0, twins = 0;
    bool same = false;
    for (size_t w = 0; w < 2; w++) {
        enum fo_verdict verdict;
        enum status s = probe_once(c, "rs+none", any_shape, weights[w], 0, NULL, &verdict, e);
        if (s != STATUS_OK)
            return s;
        twins++;
        alarms += verdict != FO_CONFORMS;
        for (size_t i = 0; i < fault_count(); i++) {
            char name[SUBJECT_NAME], folder[64];
            bool seen = false;
            /* A race may be lost or won: whether it shows says nothing about the probe. */
            if (fault_at(i)->hardware_only)
                continue;
            snprintf(name, sizeof name, "rs+%s", fault_at(i)->id);
            snprintf(folder, sizeof folder, "planted/%s", fault_at(i)->id);
            s = planted_found(c, name, weights[w], w == 0 ? folder : NULL, &seen, e);
            if (s != STATUS_OK)
                return s;
            planted++;
            found += seen;
            if (!seen && r->detail[0] == '\0')
                snprintf(r->detail, sizeof r->detail, "%s on %s weights was not found", name, weights[w]);
        }
    }
    enum status s = twin_identical(c, &same, e);
    if (s != STATUS_OK)
        return s;
    if (!same)
        snprintf(r->detail, sizeof r->detail, "rs+none leaves other bits than rs");
    r->verdict = found == planted && alarms == 0 && same ? FO_CONFORMS : FO_DIFFERS;
    snprintf(r->evidence, sizeof r->evidence, "planted");
    snprintf(r->counted, sizeof r->counted,
             "%zu of %zu planted faults found, %zu alarms on %zu clean twins, twin bit-identical: %s", found, planted,
             alarms, twins, same ? "yes" : "no");
    return STATUS_OK;
}

/* ---- product ---------------------------------------------------------------------------------------------------- */

enum status stage_product(const struct check *c, struct stage_result *r, struct error *e)
{
    static const size_t shapes[][3] = {{32, 128, 128}, {80, 208, 192}, {32, 2880, 2880}, {32, 5760, 2880}};
    size_t count = sizeof shapes / sizeof *shapes;
    uint64_t outputs = 0, differing = 0, wgmma = 0;
    for (size_t i = 0; i < count; i++) {
        size_t P = shapes[i][0], N = shapes[i][1], K = shapes[i][2];
        const uint32_t starts[] = {0, (uint32_t)P / 2 + 3, (uint32_t)P};
        const int32_t ids[] = {1, 0};
        struct segments segments = {P, 2, 2, starts, ids};
        struct run_report report;
        struct trial t;
        uint64_t wrong = 0;
        uint32_t word;
        enum status s = trial_make(c, c->subject.name, P, N, K, 2, &t, e);
        if (s == STATUS_OK)
            s = trial_run(&t, &segments, &report, &wrong, &word, e);
        trial_free(&t);
        if (s != STATUS_OK)
            return s;
        wrong += report.wgmma != report.wgmma_expected;
        outputs += P * N;
        differing += wrong;
        wgmma += report.wgmma;
        if (wrong && r->detail[0] == '\0')
            snprintf(r->detail, sizeof r->detail,
                     "%zu,%zu,%zu: %" PRIu64 " outputs differ, wgmma %" PRIu64 " of %" PRIu64
                     "; repeat: fragoracle check --subject %s --on %s --seed %" PRIu64,
                     P, N, K, wrong, report.wgmma, report.wgmma_expected, c->subject.name, c->machine.name, c->seed);
    }
    r->verdict = differing ? FO_DIFFERS : FO_CONFORMS;
    snprintf(r->evidence, sizeof r->evidence, "sampled");
    snprintf(r->counted, sizeof r->counted,
             "%" PRIu64 " outputs of %zu shapes up to K=2880, N=5760, bit for bit; %" PRIu64
             " wgmma counted, seed %" PRIu64,
             outputs, count, wgmma, c->seed);
    return STATUS_OK;
}
