/* diagnose: the public question. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oracle/answer/adapt.h"
#include "oracle/diagnose/report.h"
#include "oracle/exec/open.h"
#include "oracle/exec/replay.h"
#include "probes/explain_coded.h"

enum { DEFAULT_EXPERTS = 8 };
static const uint64_t default_shape[] = {128, 208, 256};

/* A question on its way to an answer. */
struct question {
    const struct fo_diagnose_options *o;
    struct machine machine;
    struct executor executor;
    bool from_files; /* the two below hold something, and nothing but what they hold can be asked */
    struct files files;
    struct replay replay;
    struct coded_options asked;
    struct coded_result result;
    struct geometry geometry;
    struct diagnosis diagnosis;
    struct explanation stages;
    struct smallest smallest;
    struct text repeat, repeat_smallest;
    char broke[1024];
};

static void show(const struct question *q, const char *line)
{
    if (q->o->progress)
        q->o->progress(q->o->context, line);
}

static enum status shape_check(const struct fo_diagnose_options *o, struct error *e)
{
    bool none = !o->P && !o->N && !o->K;
    if (!none && (!o->P || !o->N || !o->K || o->P > INT32_MAX || o->N > INT32_MAX || o->K > INT32_MAX))
        return error_set(e, STATUS_BAD_ARGUMENT, "shape %" PRIu64 ",%" PRIu64 ",%" PRIu64 ": wanted 1 to %d each", o->P,
                         o->N, o->K, INT32_MAX);
    if (o->seed > INT64_MAX)
        return error_set(e, STATUS_BAD_ARGUMENT, "seed %" PRIu64 ": JSON holds numbers to 2^63 - 1", o->seed);
    return STATUS_OK;
}

/* The shape that was asked for, or the usual one as the subject takes it. */
static enum status asked_of_limits(struct question *q, struct error *e)
{
    const struct executor_limits *limits = &q->executor.limits;
    uint64_t P = q->o->P, N = q->o->N, K = q->o->K;
    if (!P) {
        P = default_shape[0];
        N = default_shape[1];
        K = default_shape[2];
        if (!adapt_shape(limits, &P, &N, &K))
            return error_set(e, STATUS_BAD_ARGUMENT, "no shape fits the limits of the subject; ask one with --shape");
    }
    q->asked = (struct coded_options){P, N, K, limits->no_segments ? 1 : DEFAULT_EXPERTS, q->o->seed};
    return STATUS_OK;
}

/* A folder says itself what was asked. */
static enum status asked_of_files(struct question *q, const char *folder, struct error *e)
{
    const struct fo_diagnose_options *o = q->o;
    struct files *f = &q->files;
    enum status s = files_open(folder, f, e);
    if (s != STATUS_OK)
        return s;
    q->from_files = true;
    if (strcmp(f->probe, "coded") != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "%s: was emitted for the probe '%s'; diagnose wants `emit coded`",
                         folder, f->probe);
    if ((o->P && (o->P != f->P || o->N != f->N || o->K != f->K)) || (o->seed && o->seed != f->seed))
        return error_set(e, STATUS_BAD_ARGUMENT, "%s: was emitted for P,N,K = %zu,%zu,%zu and seed %" PRIu64, folder,
                         f->P, f->N, f->K, f->seed);
    q->asked = (struct coded_options){f->P, f->N, f->K, f->experts, f->seed};
    replay_executor(&q->replay, f, &q->executor);
    return STATUS_OK;
}

static enum status question_open(struct question *q, struct error *e)
{
    const char *subject = q->o->subject ? q->o->subject : "rs";
    enum status s = shape_check(q->o, e);
    if (s == STATUS_OK)
        s = subject_machine(subject, q->o->on ? q->o->on : "auto", &q->machine, e);
    if (s == STATUS_OK && strncmp(subject, FILES_SUBJECT, strlen(FILES_SUBJECT)) == 0)
        return asked_of_files(q, subject + strlen(FILES_SUBJECT), e);
    if (s == STATUS_OK)
        s = subject_open(subject, &q->machine, &q->executor, e);
    return s == STATUS_OK ? asked_of_limits(q, e) : s;
}

static void repeat_line(const struct question *q, const struct coded_options *at, struct text *out)
{
    const char *command = q->o->unnamed ? "infer" : "diagnose";
    if (q->from_files) {
        text_add(out, "fragoracle %s --subject %s", command, q->executor.subject);
        return;
    }
    text_add(out, "fragoracle %s --subject %s --shape %zu,%zu,%zu --seed %" PRIu64 " --on %s", command,
             q->executor.subject, at->P, at->N, at->K, at->seed, q->machine.name);
}

/* Did the A registers hold what they should? The kernel of this project counts a checksum of them; the model of the
 * unplanted one says what it should be. Another number of tiles would change it too. The unplanted kernel itself shares
 * rs_index.h with its model: that the two agree says nothing there. */
static enum status registers_of(const struct question *q, enum explain_registers *out, struct error *e)
{
    const char *name = q->executor.subject;
    struct machine model;
    struct executor right = {0};
    struct coded_result wanted = {0};
    *out = EXPLAIN_A_UNKNOWN;
    if (strncmp(name, "rs", 2) != 0 || (name[2] != '\0' && name[2] != '+'))
        return STATUS_OK;
    machine_model(&model);
    enum status s = subject_open("rs", &model, &right, e);
    if (s != STATUS_OK)
        return s;
    s = coded_run(&right, &q->asked, &wanted, e);
    right.release(right.self);
    const struct run_report *a = &q->result.report, *b = &wanted.report;
    if (s == STATUS_OK && a->tiles == b->tiles && a->wgmma == b->wgmma)
        *out = a->a_checksum != b->a_checksum ? EXPLAIN_A_WRONG : name[2] ? EXPLAIN_A_RIGHT : EXPLAIN_A_UNKNOWN;
    coded_result_free(&wanted);
    return s;
}

static enum status stages_of(struct question *q, struct error *e)
{
    struct explain_question ask = explain_coded_question(&q->result, q->result.scale_planes == 0, EXPLAIN_A_UNKNOWN);
    enum status s = registers_of(q, &ask.registers, e);
    return s == STATUS_OK ? explain_run(&ask, &q->stages, e) : s;
}

/* Ask, name, shrink. A subject that breaks leaves its sentence in q->broke. */
static enum status ask(struct question *q, struct error *e)
{
    char line[200];
    snprintf(line, sizeof line, "coded probe of %s on %s, %zu,%zu,%zu", q->executor.subject, q->machine.name,
             q->asked.P, q->asked.N, q->asked.K);
    show(q, line);
    enum status s = coded_run(&q->executor, &q->asked, &q->result, e);
    if (s == STATUS_SUBJECT) {
        error_line(e, q->broke, sizeof q->broke);
        return STATUS_OK;
    }
    if (s == STATUS_OK && q->from_files)
        s = replay_end(&q->replay, e);
    if (s == STATUS_OK)
        s = geometry_make(&q->result.map, q->result.report.tile, &q->geometry, e);
    if (s == STATUS_OK && q->o->unnamed)
        return stages_of(q, e);
    show(q, "naming");
    if (s == STATUS_OK)
        s = diagnosis_make(&q->result, &q->geometry, &q->diagnosis, e);
    if (s != STATUS_OK || coded_conforms(&q->result))
        return s;
    s = stages_of(q, e);
    if (s != STATUS_OK)
        return s;
    show(q, "looking for the smallest case");
    return smallest_find(q->from_files ? NULL : &q->executor, &q->asked, &q->result, &q->smallest, e);
}

static enum status answer_of(struct question *q, struct fo_answer *answer, struct error *e)
{
    bool broke = q->broke[0] != '\0', wrong = broke || !coded_conforms(&q->result);
    struct text text = {0};
    json_t *machine = json_of_machine(&q->machine);
    repeat_line(q, &q->asked, &q->repeat);
    bool named = !broke && !q->o->unnamed;
    if (wrong && named && !q->from_files)
        repeat_line(q, &q->smallest.asked, &q->repeat_smallest);
    struct report r = {q->executor.subject,
                       q->executor.name,
                       fidelity_name(executor_fidelity(&q->executor)),
                       q->repeat.data,
                       q->asked,
                       broke ? q->broke : NULL,
                       broke ? NULL : &q->result,
                       named ? &q->diagnosis : NULL,
                       broke ? NULL : &q->geometry,
                       !broke && (wrong || !named) ? &q->stages : NULL,
                       wrong && named ? &q->smallest : NULL,
                       q->repeat_smallest.data,
                       &q->executor.limits,
                       machine,
                       q->executor.note};
    enum status s = STATUS_OK;
    json_t *document = NULL;
    if (!machine || q->repeat.failed || q->repeat_smallest.failed)
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    if (s == STATUS_OK && !(document = report_json(&r)))
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    if (s == STATUS_OK && q->o->out)
        s = report_write(&r, q->o->out, document, e);
    if (s == STATUS_OK) {
        report_text(&r, &text);
        s = answer_make(report_verdict(&r), document, &text, answer, e);
    } else
        json_decref(document);
    json_decref(machine);
    return s;
}

int fo_diagnose(const struct fo_diagnose_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {0};
    struct question q = {.o = o};
    enum status s = question_open(&q, &e);
    if (s != STATUS_OK)
        goto cleanup;
    s = ask(&q, &e);
    show(&q, "");
    if (s == STATUS_OK)
        s = answer_of(&q, answer, &e);

cleanup:
    text_free(&q.repeat);
    text_free(&q.repeat_smallest);
    explanation_free(&q.stages);
    geometry_free(&q.geometry);
    coded_result_free(&q.result);
    if (q.executor.release)
        q.executor.release(q.executor.self);
    if (q.from_files)
        files_close(&q.files);
    return answer_end(s, &e, error);
}
