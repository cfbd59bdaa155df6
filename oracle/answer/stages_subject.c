#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/adapt.h"
#include "oracle/answer/identity_case.h"
#include "oracle/answer/kill_rate.h"
#include "oracle/answer/stages.h"
#include "oracle/exec/open.h"
#include "oracle/io/file.h"
#include "probes/identity.h"
#include "probes/weights.h"
#include "reference/matmul.h"
#include "reference/mxfp4.h"
#include "reference/number.h"

/* ---- identity --------------------------------------------------------------------------------------------------- */

enum { BROKE = 320 };

/* The sentence about a subject that broke, "" for one that did not. */
static void broke_of(const struct fo_answer *answer, char broke[BROKE])
{
    json_t *document = NULL;
    json_error_t at;
    if (json_load(answer->json, strlen(answer->json), &document, &at) != STATUS_OK)
        document = NULL;
    const char *sentence = json_string_value(json_object_get(document, "broke"));
    snprintf(broke, BROKE, "%s", sentence ? sentence : "");
    json_decref(document);
}

static const uint64_t any_shape[3];

/* One run of the public probe, with scores and pictures where results are kept. shape: P, N, K, or zeros. */
static enum status probe_once(const struct check *c, const char *subject, const uint64_t shape[3], const char *weights,
                              int historical, const char *folder, enum fo_verdict *verdict, char broke[BROKE],
                              struct error *e)
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
    broke_of(&answer, broke);
    fo_answer_free(&answer);
    return STATUS_OK;
}

/* The historical case has a row of x for every column at most. */
static enum status historical_fits(const struct check *c, bool *fits, struct error *e)
{
    struct executor executor;
    uint64_t P = 0, N = 0, K = 0;
    enum status s = subject_open(c->subject, &c->machine, &executor, e);
    if (s != STATUS_OK)
        return s;
    identity_case_shape(1, &P, &N, &K);
    *fits = adapt_shape(&executor.limits, &P, &N, &K) && P <= K;
    executor.release(executor.self);
    return STATUS_OK;
}

enum status stage_identity(const struct check *c, struct stage_result *r, struct error *e)
{
    static const struct {
        const char *weights, *folder;
        int historical;
    } ask[] = {
        {"sample", "identity", 0}, {"adversarial", "identity_adversarial", 0}, {"sample", "identity_historical", 1}};
    size_t runs = 0, conforming = 0;
    bool historical;
    enum status opened = historical_fits(c, &historical, e);
    if (opened != STATUS_OK)
        return opened;
    for (size_t i = 0; i < sizeof ask / sizeof *ask; i++) {
        if (ask[i].historical && !historical)
            continue;
        runs++;
        enum fo_verdict verdict;
        char broke[BROKE];
        enum status s =
            probe_once(c, c->subject, any_shape, ask[i].weights, ask[i].historical, ask[i].folder, &verdict, broke, e);
        if (s != STATUS_OK)
            return s;
        conforming += verdict == FO_CONFORMS;
        if (verdict != FO_CONFORMS && r->detail[0] == '\0')
            snprintf(r->detail, sizeof r->detail,
                     "%s%srepeat: fragoracle probe identity --subject %s --weights %s%s --seed %" PRIu64 " --on %s",
                     broke, broke[0] ? "; " : "", c->subject, ask[i].weights, ask[i].historical ? " --historical" : "",
                     c->seed, c->machine.name);
    }
    r->verdict = conforming == runs ? FO_CONFORMS : FO_DIFFERS;
    snprintf(r->evidence, sizeof r->evidence, "exhaustive over K");
    snprintf(r->counted, sizeof r->counted,
             "%zu of %zu probes conform: shifted identities on real weights and on adversarial scales, and %s",
             conforming, runs,
             historical ? "the historical case" : "no historical case: the subject has more rows than columns");
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

/* What a tensor core sums one after the other: dense, exponents 2^-6 .. 2^2, so that every product takes part and
 * nothing overflows. */
static void fill_dense(struct random *r, struct bf16 *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i].bits = (uint16_t)(random_below(r, 2) << 15 | (121 + random_below(r, 8)) << 7 | random_below(r, 128));
}

/* What every order of summation sums alike: integers of -2 .. 2. With weights of at most 6, in halves, 2880 products
 * stay below 2^17 halves: exact in binary32, whoever computes it. */
static void fill_exact(struct random *r, struct bf16 *x, size_t n)
{
    static const uint16_t integers[] = {0xc000, 0xbf80, 0x0000, 0x3f80, 0x4000};
    for (size_t i = 0; i < n; i++)
        x[i].bits = integers[random_below(r, 5)];
}

/* The production kernel is asked for every bit; a kernel of others, for sums that have one right answer. */
static enum status trial_make(const struct check *c, const char *subject, size_t P, size_t N, size_t K, size_t experts,
                              struct trial *t, struct error *e)
{
    char note[ADAPT_NOTE];
    bool exact = subject_is_foreign(subject);
    *t = (struct trial){.P = P};
    enum status s = subject_open(subject, &c->machine, &t->executor, e);
    uint64_t fitted[] = {P, N, K};
    if (s == STATUS_OK && !adapt_shape(&t->executor.limits, &fitted[0], &fitted[1], &fitted[2]))
        s = error_set(e, STATUS_BAD_ARGUMENT, "no shape near %zu,%zu,%zu fits the limits of the subject", P, N, K);
    P = t->P = fitted[0], N = fitted[1], K = fitted[2];
    if (s == STATUS_OK)
        s = weights_make(exact ? WEIGHTS_RANDOM : WEIGHTS_ADVERSARIAL, experts, N, K, c->seed, &t->weights, e);
    if (s != STATUS_OK)
        return s;
    if (exact)
        memset(t->weights.scales, E8M0_BIAS, experts * N * (K / MXFP4_BLOCK));
    adapt_weights(&t->executor.limits, &t->weights.w, t->weights.blocks, t->weights.scales, note);
    t->x = malloc(P * K * sizeof *t->x);
    t->out = malloc(P * N * sizeof *t->out);
    t->expected = malloc(P * N * sizeof *t->expected);
    if (!t->x || !t->out || !t->expected)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a product of %zu x %zu x %zu", P, N, K);
    struct random r = {c->seed ^ N};
    (exact ? fill_exact : fill_dense)(&r, t->x, P * K);
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
    size_t cases = 0, right = 0;
    enum status s = trial_make(c, c->subject, ROUTING_ROWS, 80, 192, ROUTING_EXPERTS, &t, e);
    const struct executor_limits limits = t.executor.limits;
    bool applicable = !limits.no_segments && t.P == ROUTING_ROWS;
    for (size_t i = 0; s == STATUS_OK && applicable && i < sizeof routing_cases / sizeof *routing_cases; i++) {
        const struct routing_case *k = &routing_cases[i];
        if (k->status && limits.no_status)
            continue;
        cases++;
        struct segments segments = {ROUTING_ROWS, ROUTING_EXPERTS, k->active, k->starts, k->ids};
        struct run_report report;
        uint64_t differing = 0;
        uint32_t word;
        s = trial_run(&t, &segments, &report, &differing, &word, e);
        bool ok = differing == 0 && report.status_word == k->status && word == k->status &&
                  !run_report_miscounts(&report) &&
                  (segments_validate(&segments, NULL) == STATUS_OK) == (k->status == 0);
        right += s == STATUS_OK && ok;
        if (s == STATUS_OK && !ok && r->detail[0] == '\0')
            snprintf(r->detail, sizeof r->detail,
                     "%s: %" PRIu64 " elements differ, status word %u (wanted %u), wgmma %" PRIu64 " of %" PRIu64,
                     k->what, differing, report.status_word, k->status, report.wgmma, report.wgmma_expected);
    }
    trial_free(&t);
    snprintf(r->evidence, sizeof r->evidence, "directed");
    if (!applicable) {
        r->verdict = FO_NOT_APPLICABLE;
        snprintf(r->counted, sizeof r->counted, "the subject takes no segments, or too few rows for them");
        return s;
    }
    r->verdict = right == cases ? FO_CONFORMS : FO_DIFFERS;
    snprintf(r->counted, sizeof r->counted, "%zu of %zu cases: %shost-side guard, zero rows, every row written", right,
             cases, limits.no_status ? "legal segments only, " : "status word, ");
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

/* At every one of them the probes see every fault: a second feature tile that is cut, a second K tile, a segment of
 * more than 48 rows. */
static const uint64_t planted_shapes[][3] = {{96, 80, 192}, {96, 144, 192}, {112, 80, 256}};
enum {
    PLANTED_SHAPES = sizeof planted_shapes / sizeof *planted_shapes,
    PLANTED_PAIRS = 12,
    PLANTED_MANY = 200,
    PLANTED_RACES = 20
};

/* One planted fault on one kind of weights: by the identity probe, or else by the routing cases, which have bad ids. */
static enum status planted_found(const struct check *c, const char *name, const uint64_t shape[3], const char *weights,
                                 const char *folder, bool *found, struct error *e)
{
    enum fo_verdict verdict;
    char broke[BROKE];
    enum status s = probe_once(c, name, shape, weights, 0, folder, &verdict, broke, e);
    if (s == STATUS_OK && verdict != FO_DIFFERS) {
        struct check routed = *c;
        struct stage_result r = {.verdict = FO_UNDECIDED};
        routed.subject = name;
        s = stage_routing(&routed, &r, e);
        verdict = r.verdict;
    }
    *found = verdict == FO_DIFFERS;
    return s;
}

struct planted_count {
    size_t planted, found, twins, alarms;
    bool same;
};

/* Every fault, and the clean twin, on one kind of weights at one shape. */
static enum status planted_probe(const struct check *c, const uint64_t shape[3], const char *weights, bool keep,
                                 struct planted_count *count, struct stage_result *r, struct error *e)
{
    enum fo_verdict verdict;
    char broke[BROKE];
    enum status s = probe_once(c, "rs+none", shape, weights, 0, NULL, &verdict, broke, e);
    count->twins++;
    count->alarms += s == STATUS_OK && verdict != FO_CONFORMS;
    for (size_t i = 0; s == STATUS_OK && i < fault_count(); i++) {
        char name[SUBJECT_NAME], folder[64];
        bool seen = false;
        /* A race may be lost or won: whether it shows says nothing about the probe. */
        if (fault_at(i)->hardware_only)
            continue;
        snprintf(name, sizeof name, "rs+%s", fault_at(i)->id);
        snprintf(folder, sizeof folder, "planted/%s", fault_at(i)->id);
        s = planted_found(c, name, shape, weights, keep ? folder : NULL, &seen, e);
        count->planted++;
        count->found += seen;
        if (s == STATUS_OK && !seen && r->detail[0] == '\0')
            snprintf(r->detail, sizeof r->detail,
                     "%s on %s weights at %" PRIu64 ",%" PRIu64 ",%" PRIu64 " was not found", name, weights, shape[0],
                     shape[1], shape[2]);
    }
    return s;
}

/* Names of all faults alone, of pairs, and none for the twin. */
static enum status planted_name(const struct check *c, struct planted_count *count, struct kill_rate *k,
                                struct error *e)
{
    bool thorough = c->options->thorough;
    size_t pairs = c->options->pairs ? c->options->pairs : thorough ? PLANTED_MANY : PLANTED_PAIRS;
    enum status s = kill_singles(&c->machine, planted_shapes, thorough ? PLANTED_SHAPES : 1, c->seed, k, e);
    if (s == STATUS_OK)
        s = kill_pairs(&c->machine, planted_shapes[0], pairs, c->seed, k, e);
    if (s == STATUS_OK)
        s = kill_races(&c->machine, planted_shapes[0], PLANTED_RACES, c->seed, k, e);
    for (size_t i = 0; s == STATUS_OK && i < PLANTED_SHAPES; i++) {
        struct kill_verdict twin;
        s = kill_ask("rs+none", &c->machine, planted_shapes[i], c->seed, &twin, e);
        count->twins++;
        count->alarms += s == STATUS_OK && twin.detected;
    }
    return s;
}

enum status stage_planted(const struct check *c, struct stage_result *r, struct error *e)
{
    static const char *const weights[] = {"sample", "adversarial"};
    struct planted_count n = {0};
    struct kill_rate k = {0};
    enum status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < PLANTED_SHAPES * 2; i++)
        s = planted_probe(c, planted_shapes[i / 2], weights[i % 2], i == 0, &n, r, e);
    if (s == STATUS_OK)
        s = planted_name(c, &n, &k, e);
    if (s == STATUS_OK)
        s = twin_identical(c, &n.same, e);
    if (s != STATUS_OK)
        return s;
    if (!n.same)
        snprintf(r->detail, sizeof r->detail, "rs+none leaves other bits than rs");
    bool pairs = k.pairs.detected == k.pairs.planted && k.pairs.named * 100 >= k.pairs.planted * 95;
    bool singles = k.all.detected == k.all.planted && k.all.named == k.all.planted;
    if ((!singles || !pairs) && r->detail[0] == '\0')
        snprintf(r->detail, sizeof r->detail, "not named: %.460s", k.missed);
    r->verdict = n.found == n.planted && n.alarms == 0 && n.same && singles && pairs ? FO_CONFORMS : FO_DIFFERS;
    snprintf(r->evidence, sizeof r->evidence, "planted");
    snprintf(
        r->counted, sizeof r->counted,
        "%zu of %zu planted faults found, %zu of %zu named, %zu of %zu pairs named, %zu alarms on %zu clean twins, "
        "twin bit-identical: %s",
        n.found, n.planted, k.all.named, k.all.planted, k.pairs.named, k.pairs.planted, n.alarms, n.twins,
        n.same ? "yes" : "no");
    r->table = kill_json(&k);
    kill_text(&k, &r->table_text);
    return STATUS_OK;
}

/* ---- product ---------------------------------------------------------------------------------------------------- */

enum status stage_product(const struct check *c, struct stage_result *r, struct error *e)
{
    static const size_t shapes[][3] = {{32, 128, 128}, {80, 208, 192}, {32, 2880, 2880}, {32, 5760, 2880}};
    size_t count = sizeof shapes / sizeof *shapes;
    uint64_t outputs = 0, differing = 0, wgmma = 0;
    size_t most_N = 0, most_K = 0;
    for (size_t i = 0; i < count; i++) {
        struct run_report report = {0};
        struct trial t;
        uint64_t wrong = 0;
        uint32_t word;
        enum status s = trial_make(c, c->subject, shapes[i][0], shapes[i][1], shapes[i][2], 2, &t, e);
        size_t P = t.P, N = t.weights.w.N, K = t.weights.w.K;
        bool dense = t.executor.limits.no_segments, f16 = t.executor.limits.f16;
        const uint32_t starts[] = {0, (uint32_t)(dense ? P : P / 2 + (P < 8 ? 0 : 3)), (uint32_t)P};
        const int32_t ids[] = {!dense, 0};
        struct segments segments = {P, dense ? 1 : 2, dense ? 1 : 2, starts, ids};
        if (s == STATUS_OK && !f16)
            s = trial_run(&t, &segments, &report, &wrong, &word, e);
        trial_free(&t);
        if (s != STATUS_OK)
            return s;
        if (f16) {
            r->verdict = FO_NOT_APPLICABLE;
            snprintf(r->counted, sizeof r->counted, "the subject takes or gives f16: its sums are rounded twice");
            return STATUS_OK;
        }
        wrong += run_report_miscounts(&report);
        outputs += P * N;
        most_N = N > most_N ? N : most_N;
        most_K = K > most_K ? K : most_K;
        differing += wrong;
        wgmma += report.wgmma;
        if (wrong && r->detail[0] == '\0')
            snprintf(r->detail, sizeof r->detail,
                     "%zu,%zu,%zu: %" PRIu64 " outputs differ, wgmma %" PRIu64 " of %" PRIu64
                     "; repeat: fragoracle check --subject %s --on %s --seed %" PRIu64,
                     P, N, K, wrong, report.wgmma, report.wgmma_expected, c->subject, c->machine.name, c->seed);
    }
    r->verdict = differing ? FO_DIFFERS : FO_CONFORMS;
    snprintf(r->evidence, sizeof r->evidence, "sampled");
    snprintf(r->counted, sizeof r->counted,
             "%" PRIu64 " outputs of %zu shapes up to K=%zu, N=%zu, bit for bit; %" PRIu64
             " wgmma counted, seed %" PRIu64,
             outputs, count, most_K, most_N, wgmma, c->seed);
    return STATUS_OK;
}
