/* probe: ask a subject on this machine, or on its model, with inputs whose outputs name their source. */
#include <stdio.h>
#include <string.h>

#include "oracle/answer/adapt.h"
#include "oracle/answer/broke.h"
#include "oracle/answer/identity_case.h"
#include "oracle/answer/scores.h"
#include "oracle/exec/open.h"

static void show(const struct fo_probe_options *o, const char *line)
{
    if (o->progress)
        o->progress(o->context, line);
}

static enum status segments_count(const struct identity_case *c, size_t *active, struct error *e)
{
    struct identity_segments segments;
    enum status s = identity_segments_make(c->options.P, c->weights.w.experts, c->options.historical, &segments, e);
    if (s != STATUS_OK)
        return s;
    *active = segments.s.active;
    identity_segments_free(&segments);
    return STATUS_OK;
}

/* What was asked of whom. */
struct question {
    const struct fo_probe_options *o;
    struct machine machine;
    struct executor executor;
    struct identity_case c;
    char note[ADAPT_NOTE];
};

/* The answer, once the subject has been asked, or (broke) once it cannot be any more. */
static enum status probe_answer(const struct question *q, const struct identity_result *result,
                                const struct error *broke, struct fo_answer *answer, struct error *e)
{
    struct text repeat = {0};
    size_t segments;
    json_t *described = json_of_machine(&q->machine);
    enum status s = segments_count(&q->c, &segments, e);
    text_add(&repeat, "fragoracle probe identity --subject ");
    text_add_word(&repeat, q->executor.subject);
    identity_case_options(&q->c, &repeat);
    text_add(&repeat, " --on %s", q->machine.name);
    if (s == STATUS_OK && (!described || repeat.failed))
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    if (s == STATUS_OK) {
        struct scores_case asked = {.subject = q->executor.subject,
                                    .executor = q->executor.name,
                                    .fidelity = fidelity_name(q->executor.fidelity),
                                    .weights = q->c.weights.what,
                                    .P = q->c.options.P,
                                    .N = q->c.weights.w.N,
                                    .K = q->c.weights.w.K,
                                    .experts = q->c.weights.w.experts,
                                    .segments = segments,
                                    .seed = q->c.options.seed,
                                    .note = q->note,
                                    .repeat = repeat.data,
                                    .repeat_takes_pass = true,
                                    .machine = described};
        s = broke ? broke_answer(&asked, broke, q->o->out, answer, e)
                  : scores_answer(&asked, result, q->o->out, answer, e);
    }
    json_decref(described);
    text_free(&repeat);
    return s;
}

/* The question as this subject can be asked it. */
static enum status probe_case(struct question *q, struct error *e)
{
    const struct fo_probe_options *o = q->o;
    const struct executor_limits *limits = &q->executor.limits;
    uint64_t P = o->P, N = o->N, K = o->K;
    bool chosen = !P && !N && !K;
    identity_case_shape(o->historical, &P, &N, &K);
    if (chosen && !adapt_shape(limits, &P, &N, &K))
        return error_set(e, STATUS_BAD_ARGUMENT, "no shape fits the limits of the subject; ask one with --shape");
    enum status s = identity_case_make(P, N, K, &o->weights, o->historical, o->pass, &q->c, e);
    if (s != STATUS_OK)
        return s;
    /* The special weights are made of all codes and of scales that are no numbers. */
    q->c.options.no_special = limits->no_scales || limits->no_codes;
    adapt_weights(limits, &q->c.weights.w, q->c.weights.blocks, q->c.weights.scales, q->note);
    if (q->c.options.no_special && !o->historical)
        snprintf(q->note + strlen(q->note), sizeof q->note - strlen(q->note), "; the special pass");
    return STATUS_OK;
}

/* A subject that breaks before it says anything of itself is a question all the same: *broke says what happened. */
static enum status probe_open(struct question *q, struct error *broke, struct error *e)
{
    const char *subject = q->o->subject ? q->o->subject : "rs";
    enum status s = machine_choose(q->o->on ? q->o->on : "auto", &q->machine, e);
    if (s != STATUS_OK)
        return s;
    s = subject_open(subject, &q->machine, &q->executor, e);
    if (s == STATUS_SUBJECT) {
        q->executor = (struct executor){.name = "plugin", .subject = subject, .fidelity = FIDELITY_UNSUPPORTED};
        *broke = *e;
        s = STATUS_OK;
    }
    return s == STATUS_OK ? probe_case(q, e) : s;
}

static enum status probe_run(struct question *q, struct identity_result *result, struct error *broke, struct error *e)
{
    char line[160];
    snprintf(line, sizeof line, "identity probe of %.80s on %s, %zu,%zu,%zu", q->executor.subject, q->machine.name,
             q->c.options.P, q->c.weights.w.N, q->c.weights.w.K);
    show(q->o, line);
    enum status s = identity_run(&q->executor, &q->c.weights.w, &q->c.options, result, e);
    show(q->o, "");
    if (s != STATUS_SUBJECT)
        return s;
    *broke = *e;
    return STATUS_OK;
}

int fo_probe(const struct fo_probe_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {0}, broke = {0};
    struct question q = {.o = o};
    struct identity_result result = {0};
    enum status s = STATUS_OK;
    if (!o->kind || strcmp(o->kind, "identity") != 0)
        s = error_set(&e, STATUS_BAD_ARGUMENT, "unknown probe '%s'; legal: identity", o->kind ? o->kind : "");
    if (s == STATUS_OK)
        s = probe_open(&q, &broke, &e);
    if (s == STATUS_OK && broke.status == STATUS_OK)
        s = probe_run(&q, &result, &broke, &e);
    if (s == STATUS_OK)
        s = probe_answer(&q, &result, broke.status == STATUS_OK ? NULL : &broke, answer, &e);
    identity_result_free(&result);
    if (q.executor.release)
        q.executor.release(q.executor.self);
    identity_case_free(&q.c);
    return answer_end(s, &e, error);
}
