/* probe: ask a subject on this machine, or on its model, with inputs whose outputs name their source. */
#include "oracle/answer/probe.h"

#include <stdio.h>
#include <string.h>

#include "oracle/answer/broke.h"
#include "oracle/answer/coded.h"
#include "oracle/answer/files.h"
#include "oracle/answer/identity_case.h"
#include "oracle/answer/sampled.h"
#include "oracle/answer/scores.h"
#include "oracle/exec/open.h"

void probe_show(const struct fo_probe_options *o, const char *line)
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
    const struct machine *machine;
    const struct executor *executor;
    struct identity_case c;
    char note[ADAPT_NOTE];
};

/* The answer, once the subject has been asked, or (broke) once it cannot be any more. */
static enum status probe_answer(const struct question *q, const struct identity_result *result,
                                const struct error *broke, struct fo_answer *answer, struct error *e)
{
    struct text repeat = {0};
    char note[ANSWER_NOTE];
    size_t segments;
    json_t *described = json_of_machine(q->machine);
    enum status s = segments_count(&q->c, &segments, e);
    text_add(&repeat, "fragoracle probe identity --subject ");
    text_add_word(&repeat, q->executor->subject);
    identity_case_options(&q->c, &repeat);
    text_add(&repeat, " --on %s", q->machine->name);
    if (s == STATUS_OK && (!described || repeat.failed))
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    if (s == STATUS_OK) {
        struct scores_case asked = {.subject = q->executor->subject,
                                    .executor = q->executor->name,
                                    .fidelity = fidelity_name(executor_fidelity(q->executor)),
                                    .weights = q->c.weights.what,
                                    .P = q->c.options.P,
                                    .N = q->c.weights.w.N,
                                    .K = q->c.weights.w.K,
                                    .experts = q->c.weights.w.experts,
                                    .segments = segments,
                                    .seed = q->c.options.seed,
                                    .note = answer_note(q->note, q->executor, note),
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
    const struct executor_limits *limits = &q->executor->limits;
    uint64_t P = o->P, N = o->N, K = o->K;
    bool chosen = !P && !N && !K;
    identity_case_shape(o->historical, &P, &N, &K);
    if (chosen && !adapt_shape(limits, &P, &N, &K))
        return error_set(e, STATUS_BAD_ARGUMENT, "no shape fits the limits of the subject; ask one with --shape");
    enum status s = identity_case_make(P, N, K, &o->weights, o->historical, o->pass, &q->c, e);
    if (s != STATUS_OK)
        return s;
    identity_case_adapt(&q->c, limits, q->note);
    return STATUS_OK;
}

static enum status identity_ask(const struct fo_probe_options *o, const struct machine *machine,
                                const struct executor *executor, struct fo_answer *answer, struct error *e)
{
    struct question q = {.o = o, .machine = machine, .executor = executor};
    struct identity_result result = {0};
    char line[160];
    enum status s = probe_case(&q, e);
    if (s != STATUS_OK)
        return s;
    snprintf(line, sizeof line, "identity probe of %.80s on %s, %zu,%zu,%zu", executor->subject, machine->name,
             q.c.options.P, q.c.weights.w.N, q.c.weights.w.K);
    probe_show(o, line);
    s = identity_run(executor, &q.c.weights.w, &q.c.options, &result, e);
    probe_show(o, "");
    if (s == STATUS_OK || s == STATUS_SUBJECT) {
        struct error broke = s == STATUS_SUBJECT ? *e : (struct error){0};
        s = probe_answer(&q, &result, s == STATUS_SUBJECT ? &broke : NULL, answer, e);
    }
    identity_result_free(&result);
    identity_case_free(&q.c);
    return s;
}

static const struct probe_kind kinds[] = {
    {"identity", "each output row is one row of W^T, exactly", identity_ask, NULL},
    {"coded", "each output names the weight, the scale and the row that it came from", coded_ask, NULL},
    {"random", "random activations, held against the exact sums: bit for bit, and by a proven bound", sampled_ask,
     sampled_ask_given}};

size_t probe_kind_count(void)
{
    return sizeof kinds / sizeof *kinds;
}

const struct probe_kind *probe_kind_at(size_t i)
{
    return &kinds[i];
}

enum status probe_kind_find(const char *name, const struct probe_kind **out, struct error *e)
{
    char legal[128] = "";
    for (size_t i = 0; i < probe_kind_count(); i++) {
        size_t used = strlen(legal);
        if (name && strcmp(name, kinds[i].name) == 0) {
            *out = &kinds[i];
            return STATUS_OK;
        }
        snprintf(legal + used, sizeof legal - used, "%s%s", used ? ", " : "", kinds[i].name);
    }
    return error_set(e, STATUS_BAD_ARGUMENT, "unknown probe '%s'; legal: %s", name ? name : "", legal);
}

int fo_probe(const struct fo_probe_options *o, struct fo_answer *answer, struct fo_error *error)
{
    if (o->subject && strncmp(o->subject, FILES_SUBJECT, strlen(FILES_SUBJECT)) == 0)
        return files_probe(o, answer, error);
    struct error e = {0};
    struct machine machine;
    struct executor executor = {0};
    const struct probe_kind *kind = NULL;
    enum status s = probe_kind_find(o->kind, &kind, &e);
    if (s == STATUS_OK)
        s = subject_machine(o->subject ? o->subject : "rs", o->on ? o->on : "auto", &machine, &e);
    if (s == STATUS_OK)
        s = subject_open(o->subject ? o->subject : "rs", &machine, &executor, &e);
    if (s == STATUS_OK)
        s = kind->ask(o, &machine, &executor, answer, &e);
    if (executor.release)
        executor.release(executor.self);
    return answer_end(s, &e, error);
}
