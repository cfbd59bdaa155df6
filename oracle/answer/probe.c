/* probe: ask a subject on this machine, or on its model, with inputs whose outputs name their source. */
#include "oracle/answer/probe.h"

#include <stdio.h>
#include <string.h>

#include "oracle/answer/coded.h"
#include "oracle/answer/identity_case.h"
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

/* The answer, once the subject has been asked. */
static enum status probe_answer(const struct fo_probe_options *o, const struct identity_case *c,
                                const struct machine *machine, const struct executor *executor,
                                const struct identity_result *result, struct fo_answer *answer, struct error *e)
{
    struct text repeat = {0};
    size_t segments;
    json_t *described = json_of_machine(machine);
    enum status s = segments_count(c, &segments, e);
    text_add(&repeat, "fragoracle probe identity --subject %s", executor->subject);
    identity_case_options(c, &repeat);
    text_add(&repeat, " --on %s", machine->name);
    if (s == STATUS_OK && (!described || repeat.failed))
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    if (s == STATUS_OK) {
        struct scores_case asked = {.subject = executor->subject,
                                    .executor = executor->name,
                                    .fidelity = fidelity_name(executor->fidelity),
                                    .weights = c->weights.what,
                                    .P = c->options.P,
                                    .N = c->weights.w.N,
                                    .K = c->weights.w.K,
                                    .experts = c->weights.w.experts,
                                    .segments = segments,
                                    .seed = c->options.seed,
                                    .note = "",
                                    .repeat = repeat.data,
                                    .repeat_takes_pass = true,
                                    .machine = described};
        s = scores_answer(&asked, result, o->out, answer, e);
    }
    json_decref(described);
    text_free(&repeat);
    return s;
}

static enum status identity_ask(const struct fo_probe_options *o, const struct machine *machine,
                                const struct executor *executor, struct fo_answer *answer, struct error *e)
{
    struct identity_case c = {0};
    struct identity_result result = {0};
    char line[160];
    enum status s = identity_case_make(o->P, o->N, o->K, &o->weights, o->historical, o->pass, &c, e);
    if (s != STATUS_OK)
        return s;
    snprintf(line, sizeof line, "identity probe of %s on %s, %zu,%zu,%zu", executor->subject, machine->name,
             c.options.P, c.weights.w.N, c.weights.w.K);
    probe_show(o, line);
    s = identity_run(executor, &c.weights.w, &c.options, &result, e);
    probe_show(o, "");
    if (s == STATUS_OK)
        s = probe_answer(o, &c, machine, executor, &result, answer, e);
    identity_result_free(&result);
    identity_case_free(&c);
    return s;
}

static const struct probe_kind kinds[] = {
    {"identity", "each output row is one row of W^T, exactly", identity_ask},
    {"coded", "each output names the weight, the scale and the row that it came from", coded_ask}};

size_t probe_kind_count(void)
{
    return sizeof kinds / sizeof *kinds;
}

const struct probe_kind *probe_kind_at(size_t i)
{
    return &kinds[i];
}

static enum status find_kind(const char *name, const struct probe_kind **out, struct error *e)
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
    struct error e = {0};
    struct machine machine;
    struct executor executor = {0};
    const struct probe_kind *kind = NULL;
    enum status s = find_kind(o->kind, &kind, &e);
    if (s == STATUS_OK)
        s = machine_choose(o->on ? o->on : "auto", &machine, &e);
    if (s == STATUS_OK)
        s = subject_open(o->subject ? o->subject : "rs", &machine, &executor, &e);
    if (s == STATUS_OK)
        s = kind->ask(o, &machine, &executor, answer, &e);
    if (executor.release)
        executor.release(executor.self);
    return answer_end(s, &e, error);
}
