#include "oracle/answer/sampled.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "oracle/answer/adapt.h"
#include "oracle/answer/files.h"
#include "oracle/answer/identity_case.h"
#include "oracle/exec/open.h"
#include "oracle/io/file.h"
#include "reference/number.h"

static const char bound_words[] = "any order and grouping of f32 sums or fused sums of up to 32 products, then one "
                                  "rounding to bf16: (K-1) 2^-23 / (1 - (K-1) 2^-23) * sum |x w| + K 2^-144";
static const char freedom_words[] = "order of summation";

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static json_t *json_of_counts(const struct sampled_counts *c)
{
    size_t compared = 0;
    for (size_t i = 0; i < SAMPLED_CLASSES; i++)
        compared += c->of[i];
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "compared", (json_int_t)compared, "equal",
                     (json_int_t)c->of[SAMPLED_EQUAL], "within", (json_int_t)c->of[SAMPLED_WITHIN], "open",
                     (json_int_t)c->of[SAMPLED_OPEN], "beyond", (json_int_t)c->of[SAMPLED_BEYOND], "unwritten",
                     (json_int_t)c->unwritten, "worst_ratio", json_number(c->worst));
}

static json_t *json_of_value(struct bf16 x)
{
    return json_number((double)bf16_decode(x));
}

static json_t *json_of_output(const struct sampled_output *o)
{
    if (!o->found)
        return json_null();
    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:[o, o], s:o, s:i, s:o, s:i, s:o}", "pass", sampled_pass_name(o->pass),
                     "p", (json_int_t)o->p, "n", (json_int_t)o->n, "sum", json_number(o->bound.sum), "reach",
                     json_number(o->bound.reach), "allowed", json_of_value(o->allowed.low),
                     json_of_value(o->allowed.high), "in_our_order", json_of_value(o->wanted), "in_our_order_bits",
                     (int)o->wanted.bits, "found", json_of_value(o->is), "found_bits", (int)o->is.bits, "ratio",
                     json_number(o->ratio));
}

static json_t *json_of_passes(const struct sampled_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->passes; i++)
        json_array_append_new(list, json_pack("{s:s, s:o}", "pass", sampled_pass_name((enum sampled_pass)i), "counts",
                                              json_of_counts(&r->pass[i])));
    return list;
}

/* The members that only a subject has which did not break. */
static void json_add_result(json_t *document, const struct sampled_result *r)
{
    json_t *more =
        json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:b, s:I}", "kernel", json_of_report(&r->report), "passes",
                  (json_int_t)r->passes, "counts", json_of_counts(&r->total), "per_pass", json_of_passes(r),
                  "first_beyond", json_of_output(&r->first_beyond), "first_unequal", json_of_output(&r->first_unequal),
                  "repeats", (int)r->repeats, "miscounted", (json_int_t)r->miscounted);
    json_object_update(document, more);
    json_decref(more);
}

static json_t *json_of_case(const struct sampled_case *c, const struct sampled_result *r, enum fo_verdict verdict)
{
    json_t *notes = *c->note ? json_pack("[s]", c->note) : json_array();
    json_t *shape =
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "P", (json_int_t)c->P, "N", (json_int_t)c->N, "K", (json_int_t)c->K,
                  "experts", (json_int_t)c->experts, "segments", (json_int_t)(r ? r->active : 0));
    json_t *document =
        json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:I, s:o, s:s, s:s, s:o}", "schema", SAMPLED_SCHEMA, "probe",
                  "random", "subject", json_name(c->subject), "executor", c->executor, "fidelity", c->fidelity, "shape",
                  shape, "seed", (json_int_t)c->options->seed, "weights", json_name(c->weights), "bound", bound_words,
                  "judged", c->options->bitwise ? "bit for bit, and by the bound" : "by the bound", "notes", notes);
    if (r)
        json_add_result(document, r);
    else
        json_object_set_new(document, "broke", json_name(c->broke));
    if (verdict == FO_PERMITTED)
        json_object_set_new(document, "freedom", json_string(freedom_words));
    json_object_set_new(document, "verdict", json_string(fo_verdict_name(verdict)));
    json_object_set_new(document, "repeat", json_name(c->repeat));
    json_object_set(document, "machine", (json_t *)c->machine);
    return document;
}

/* ---- text ------------------------------------------------------------------------------------------------------- */

static void text_of_counts(struct text *t, const char *name, const struct sampled_counts *c)
{
    text_add(t, "  %-9s %10zu %10zu %10zu %10zu %10zu %12.3g\n", name, c->of[SAMPLED_EQUAL], c->of[SAMPLED_WITHIN],
             c->of[SAMPLED_OPEN], c->of[SAMPLED_BEYOND], c->unwritten, c->worst);
}

static void text_of_output(struct text *t, const char *what, const struct sampled_output *o)
{
    if (!o->found)
        return;
    text_add(t, "  first %s: pass %s, out[%zu][%zu] is %g (0x%04x), allowed %g to %g, in our order %g (0x%04x)\n", what,
             sampled_pass_name(o->pass), o->p, o->n, (double)bf16_decode(o->is), o->is.bits,
             (double)bf16_decode(o->allowed.low), (double)bf16_decode(o->allowed.high), (double)bf16_decode(o->wanted),
             o->wanted.bits);
    text_add(t, "    exact sum %.9g, reach %.3g, error before rounding at least %.3g of it\n", o->bound.sum,
             o->bound.reach, o->ratio);
}

static void text_of_result(struct text *t, const struct sampled_case *c, const struct sampled_result *r)
{
    text_add(t, "  weights       %s\n", c->weights);
    if (*c->note)
        text_add(t, "  note          %s\n", c->note);
    text_add(t, "  bound         %s\n  judged        %s\n", bound_words,
             c->options->bitwise ? "bit for bit, and by the bound" : "by the bound: its order of summation is its own");
    text_add(t, "  %-9s %10s %10s %10s %10s %10s %12s\n", "", "equal", "within", "open", "beyond", "unwritten",
             "worst ratio");
    for (size_t i = 0; i < r->passes; i++)
        text_of_counts(t, sampled_pass_name((enum sampled_pass)i), &r->pass[i]);
    text_of_counts(t, "all", &r->total);
    text_of_output(t, "beyond", &r->first_beyond);
    if (c->options->bitwise)
        text_of_output(t, "unequal", &r->first_unequal);
    text_add(t, "  repeats       %s\n", r->repeats ? "the same bits" : "NOT the same bits");
    text_add(t, "  kernel        %s, launches %" PRIu64, r->report.kernel, r->report.launches);
    text_of_counted(t, &r->report);
    text_add(t, "\n");
    if (r->miscounted)
        text_add(t, "  miscounted    %zu launches counted another number of wgmma than expected\n", r->miscounted);
    if (r->report.status_word)
        text_add(t, "  status word   %" PRIu32 ", although no segment is bad\n", r->report.status_word);
}

/* ---- the answer ------------------------------------------------------------------------------------------------- */

static enum status write_folder(const char *out, const json_t *document, struct error *e)
{
    char path[PATH_MAX];
    enum status s = file_make_folder(out, e);
    if (s == STATUS_OK)
        s = file_path(out, "scores.json", path, e);
    return s == STATUS_OK ? json_write(path, document, e) : s;
}

enum status sampled_answer(const struct sampled_case *c, const struct sampled_result *r, const char *out,
                           struct fo_answer *answer, struct error *e)
{
    static const enum fo_verdict verdicts[] = {
        [SAMPLED_CONFORMS] = FO_CONFORMS, [SAMPLED_PERMITTED] = FO_PERMITTED, [SAMPLED_DIFFERS] = FO_DIFFERS};
    enum fo_verdict verdict = r ? verdicts[sampled_judge(r, c->options)] : FO_DIFFERS;
    struct text text = {0};
    json_t *document = json_of_case(c, r, verdict);
    enum status s = STATUS_OK;
    if (!document)
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    else if (out)
        s = write_folder(out, document, e);
    if (s != STATUS_OK) {
        json_decref(document);
        return s;
    }
    text_add(&text, "random probe of %s on %s (%s), P,N,K = %zu,%zu,%zu, experts %zu\n", c->subject, c->executor,
             c->fidelity, c->P, c->N, c->K, c->experts);
    if (r)
        text_of_result(&text, c, r);
    else
        text_add(&text, "  the subject broke: %s\n", c->broke);
    text_add(&text, "verdict: %s%s%s\nrepeat:  %s\n", fo_verdict_name(verdict),
             verdict == FO_PERMITTED ? ", which leaves free: " : "", verdict == FO_PERMITTED ? freedom_words : "",
             c->repeat);
    return answer_make(verdict, document, &text, answer, e);
}

/* ---- the question ----------------------------------------------------------------------------------------------- */

/* What was asked of whom. */
struct question {
    const struct fo_probe_options *o;
    const struct machine *machine;
    const struct executor *executor;
    const struct weights *w;
    const char *what;   /* the weights, in a few words */
    const char *repeat; /* the command line */
    const char *note;   /* what was given up */
    size_t P;
};

static enum status question_ask(const struct question *q, struct fo_answer *answer, struct error *e)
{
    const struct executor *executor = q->executor;
    const struct sampled_options options = {q->P, q->o->weights.seed, !subject_is_foreign(executor->subject),
                                            executor->limits.no_scales || executor->limits.no_codes};
    struct sampled_result result;
    char line[200], broke[1024], note[ADAPT_NOTE + 40], all[ANSWER_NOTE];
    snprintf(line, sizeof line, "random probe of %.80s on %s, %zu,%zu,%zu", executor->subject, q->machine->name, q->P,
             q->w->N, q->w->K);
    snprintf(note, sizeof note, "%s%s%s", q->note, options.no_special ? *q->note ? "; " : "not applicable: " : "",
             options.no_special ? "the pass of special weights" : "");
    probe_show(q->o, line);
    enum status ran = sampled_run(executor, q->w, &options, &result, e);
    probe_show(q->o, "");
    if (ran != STATUS_OK && ran != STATUS_SUBJECT)
        return ran;
    json_t *described = json_of_machine(q->machine);
    struct sampled_case c = {.subject = executor->subject,
                             .executor = executor->name,
                             .fidelity = fidelity_name(executor_fidelity(executor)),
                             .P = q->P,
                             .N = q->w->N,
                             .K = q->w->K,
                             .experts = q->w->experts,
                             .options = &options,
                             .weights = q->what,
                             .note = answer_note(note, executor, all),
                             .repeat = q->repeat,
                             .broke = ran == STATUS_SUBJECT ? error_line(e, broke, sizeof broke) : NULL,
                             .machine = described};
    enum status s = described ? sampled_answer(&c, ran == STATUS_OK ? &result : NULL, q->o->out, answer, e)
                              : error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    json_decref(described);
    return s;
}

enum status sampled_ask_given(const struct fo_probe_options *o, const struct machine *machine,
                              const struct executor *executor, const struct weights *w, const char *what,
                              struct fo_answer *answer, struct error *e)
{
    struct text repeat = {0};
    text_add(&repeat, "fragoracle score --in ");
    text_add_word(&repeat, executor->subject + strlen(FILES_SUBJECT));
    struct question q = {o, machine, executor, w, what, repeat.data, "", o->P};
    enum status s =
        repeat.failed ? error_set(e, STATUS_NO_MEMORY, "no memory for the answer") : question_ask(&q, answer, e);
    text_free(&repeat);
    return s;
}

/* The shape, and the weights as this subject can hold them. */
static enum status make_case(const struct fo_probe_options *o, const struct executor_limits *limits,
                             struct identity_case *c, char note[ADAPT_NOTE], struct error *e)
{
    uint64_t P = o->P, N = o->N, K = o->K;
    bool chosen = !P && !N && !K;
    if (o->historical || o->pass != -1)
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "random probes run all passes: --historical and --pass belong to identity");
    identity_case_shape(0, &P, &N, &K);
    if (chosen && !adapt_shape(limits, &P, &N, &K))
        return error_set(e, STATUS_BAD_ARGUMENT, "no shape fits the limits of the subject; ask one with --shape");
    enum status s = identity_case_make(P, N, K, &o->weights, 0, -1, c, e);
    if (s == STATUS_OK)
        adapt_weights(limits, &c->weights.w, c->weights.blocks, c->weights.scales, note);
    return s;
}

enum status sampled_ask(const struct fo_probe_options *o, const struct machine *machine,
                        const struct executor *executor, struct fo_answer *answer, struct error *e)
{
    struct identity_case c;
    struct text repeat = {0};
    char note[ADAPT_NOTE];
    if (executor->limits.f16)
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "not applicable: random activations and the bound of their sums are those of bf16, and the "
                         "subject takes or gives f16");
    enum status s = make_case(o, &executor->limits, &c, note, e);
    if (s != STATUS_OK)
        return s;
    text_add(&repeat, "fragoracle probe random --subject ");
    text_add_word(&repeat, executor->subject);
    identity_case_options(&c, &repeat);
    text_add(&repeat, " --on %s", machine->name);
    struct question q = {o, machine, executor, &c.weights.w, c.weights.what, repeat.data, note, c.options.P};
    s = repeat.failed ? error_set(e, STATUS_NO_MEMORY, "no memory for the answer") : question_ask(&q, answer, e);
    text_free(&repeat);
    identity_case_free(&c);
    return s;
}
