/* files: probes for a kernel in any language. oracle/exec/files.h says what lies in the folder. */
#include "oracle/answer/files.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/identity_case.h"
#include "oracle/answer/probe.h"
#include "oracle/answer/scores.h"
#include "oracle/exec/record.h"
#include "oracle/exec/replay.h"
#include "oracle/io/file.h"

/* ---- emit ------------------------------------------------------------------------------------------------------- */

/* What emit.json says of the question itself; record.c adds what was asked. */
static json_t *json_of_question(const char *probe, int historical, uint64_t seed, const char *weights)
{
    return json_pack("{s:s, s:s, s:b, s:I, s:o}", "schema", FILES_SCHEMA, "probe", probe, "historical", historical,
                     "seed", (json_int_t)seed, "weights", json_name(weights));
}

static enum status describe(const struct record *r, json_t *document, struct error *e)
{
    if (!document)
        return error_set(e, STATUS_NO_MEMORY, "no memory for emit.json");
    return record_describe(r, document, e);
}

static enum status emit_identity(const struct fo_emit_options *o, struct record *r, json_t **document, struct error *e)
{
    struct identity_case c;
    struct identity_result result = {0};
    struct executor executor;
    char note[ADAPT_NOTE];
    enum status s = identity_case_make(o->P, o->N, o->K, &o->weights, o->historical, -1, &c, e);
    if (s != STATUS_OK)
        return s;
    identity_case_adapt(&c, &r->limits, note);
    record_executor(r, &executor);
    s = identity_run(&executor, &c.weights.w, &c.options, &result, e);
    if (s == STATUS_OK) {
        *document = json_of_question("identity", o->historical, c.options.seed, c.weights.what);
        if (*note)
            json_object_set_new(*document, "note", json_string(note));
        s = describe(r, *document, e);
    }
    json_t *passes = json_object_get(*document, "passes");
    for (size_t i = 0; s == STATUS_OK && i < r->passes; i++)
        json_object_set_new(json_array_get(passes, i), "special",
                            json_boolean(identity_pass_is_special(&c.options, c.weights.w.K, i)));
    identity_result_free(&result);
    identity_case_free(&c);
    return s;
}

/* ---- score ------------------------------------------------------------------------------------------------------ */

/* Where the kernel ran, as far as its user says. */
static struct machine machine_of(const struct files *f)
{
    struct machine m = {.name = "files", .fidelity = f->fidelity};
    snprintf(m.device, sizeof m.device, "%s", f->device);
    return m;
}

/* What was left out of the question, and what the answer rests on. */
static void note_of(const struct replay *r, struct text *note)
{
    const char *left_out = r->files->note;
    text_add(note, "%s%s%s", left_out, *left_out && *r->note ? "; " : "", r->note);
}

static enum status identity_answer(const struct replay *replay, const struct identity_result *r, const char *out,
                                   struct fo_answer *answer, struct error *e)
{
    const struct files *f = replay->files;
    struct text repeat = {0}, note = {0};
    const struct machine machine = machine_of(f);
    json_t *described = json_of_machine(&machine);
    enum status s = STATUS_OK;
    text_add(&repeat, "fragoracle score --in ");
    text_add_word(&repeat, f->folder);
    note_of(replay, &note);
    if (!described || repeat.failed || note.failed) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    } else {
        struct scores_case c = {.subject = replay->name,
                                .executor = "files",
                                .fidelity = fidelity_name(f->fidelity),
                                .weights = f->weights,
                                .P = f->P,
                                .N = f->N,
                                .K = f->K,
                                .experts = f->experts,
                                .segments = f->active,
                                .seed = f->seed,
                                .note = note.data,
                                .repeat = repeat.data,
                                .machine = described};
        s = scores_answer(&c, r, out, answer, e);
    }
    json_decref(described);
    text_free(&repeat);
    text_free(&note);
    return s;
}

static enum status score_identity(const struct files *f, const char *out, struct fo_answer *answer, struct error *e)
{
    struct weights w = files_weights(f);
    struct identity_options options = {.P = f->P,
                                       .historical = f->historical,
                                       .pass = -1,
                                       .seed = f->seed,
                                       .no_special = identity_case_no_special(&f->limits)};
    struct identity_result result = {0};
    struct replay replay;
    struct executor executor;
    replay_executor(&replay, f, &executor);
    enum status s = identity_run(&executor, &w, &options, &result, e);
    if (s == STATUS_OK)
        s = replay_end(&replay, e);
    if (s == STATUS_OK)
        s = identity_answer(&replay, &result, out, answer, e);
    identity_result_free(&result);
    return s;
}

/* ---- the probes ------------------------------------------------------------------------------------------------- */

/* The identity takes weights from outside. Every other probe makes its inputs from the shape and the seed, and from
 * weights if it takes any: it is asked as `probe` would, first of the recording executor, then of the replay with the
 * weights that lie in the folder. */
static bool is_identity(const struct probe_kind *kind)
{
    return strcmp(kind->name, "identity") == 0;
}

/* What an answer says of its weights; new reference. */
static json_t *weights_of_answer(const struct fo_answer *a)
{
    json_t *document = json_loads(a->json, 0, NULL);
    const char *what = json_string_value(json_object_get(document, "weights"));
    json_t *weights = json_string(what ? what : "those of the probe");
    json_decref(document);
    return weights;
}

static enum status emit_other(const struct probe_kind *kind, const struct fo_emit_options *o, struct record *r,
                              json_t **document, struct error *e)
{
    const struct fo_probe_options asked = {.kind = kind->name,
                                           .P = o->P,
                                           .N = o->N,
                                           .K = o->K,
                                           .weights = o->weights,
                                           .historical = o->historical,
                                           .pass = -1};
    const struct machine machine = {.name = "files", .fidelity = FIDELITY_UNSTATED};
    struct executor executor;
    struct fo_answer unanswered = {0};
    record_executor(r, &executor);
    enum status s = kind->ask(&asked, &machine, &executor, &unanswered, e);
    json_t *weights = s == STATUS_OK ? weights_of_answer(&unanswered) : NULL;
    fo_answer_free(&unanswered);
    if (s != STATUS_OK)
        return s;
    *document = weights ? json_of_question(kind->name, 0, o->weights.seed, json_string_value(weights)) : NULL;
    json_decref(weights);
    return describe(r, *document, e);
}

static enum status score_other(const struct probe_kind *kind, const struct files *f, const char *out,
                               struct fo_answer *answer, struct error *e)
{
    const struct fo_probe_options asked = {
        .kind = kind->name, .P = f->P, .N = f->N, .K = f->K, .weights = {.seed = f->seed}, .pass = -1, .out = out};
    const struct machine machine = machine_of(f);
    struct fo_answer made = {0};
    struct replay replay;
    struct executor executor;
    replay_executor(&replay, f, &executor);
    struct weights w = files_weights(f);
    enum status s = kind->ask_given ? kind->ask_given(&asked, &machine, &executor, &w, f->weights, &made, e)
                                    : kind->ask(&asked, &machine, &executor, &made, e);
    if (s == STATUS_OK)
        s = replay_end(&replay, e);
    if (s == STATUS_OK)
        *answer = made;
    else
        fo_answer_free(&made);
    return s;
}

static void text_of_emit(struct text *t, const char *folder, const struct record *r, const json_t *document)
{
    text_add(t, "%s: %s probe, P,N,K = %zu,%zu,%zu, %zu experts, %zu segments, %zu passes\n", folder,
             json_string_value(json_object_get(document, "probe")), r->P, r->N, r->K, r->experts, r->active, r->passes);
    text_add(t, "  weights  %s\n  next     write the outputs that emit.json names, then: fragoracle score --in ",
             json_string_value(json_object_get(document, "weights")));
    text_add_word(t, folder);
    text_add(t, "\n");
}

int fo_emit(const struct fo_emit_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {0};
    struct text text = {0};
    struct record *record = calloc(1, sizeof *record);
    const struct probe_kind *kind = NULL;
    const struct executor_limits limits = {.no_segments = o->dense, .no_scales = o->no_scales};
    enum weights_form form = FORM_MXFP4;
    json_t *document = NULL;
    char path[PATH_MAX];
    enum status s = STATUS_OK;
    if (!record)
        s = error_set(&e, STATUS_NO_MEMORY, "no memory for a folder");
    else if (!o->out)
        s = error_set(&e, STATUS_BAD_ARGUMENT, "emit wants --out DIR");
    if (s == STATUS_OK)
        s = probe_kind_find(o->kind ? o->kind : "identity", &kind, &e);
    if (s == STATUS_OK && o->weights_as)
        s = weights_form_parse(o->weights_as, &form, &e);
    if (s == STATUS_OK)
        s = file_path(o->out, "emit.json", path, &e);
    if (s == STATUS_OK)
        s = record_begin(o->out, form, &limits, record, &e);
    if (s == STATUS_OK)
        s = is_identity(kind) ? emit_identity(o, record, &document, &e) : emit_other(kind, o, record, &document, &e);
    if (s == STATUS_OK)
        s = json_write(path, document, &e);
    if (s == STATUS_OK) {
        text_of_emit(&text, o->out, record, document);
        s = answer_make(FO_NOT_APPLICABLE, json_incref(document), &text, answer, &e);
    }
    json_decref(document);
    text_free(&text);
    if (record)
        record_free(record);
    free(record);
    return answer_end(s, &e, error);
}

/* kind NULL: whatever lies there. */
static int score_folder(const char *folder, const char *kind_wanted, const char *out, struct fo_answer *answer,
                        struct fo_error *error)
{
    struct error e = {0};
    struct files *f = calloc(1, sizeof *f);
    const struct probe_kind *kind;
    enum status s = f ? files_open(folder, f, &e) : error_set(&e, STATUS_NO_MEMORY, "no memory for a folder");
    if (s == STATUS_OK && kind_wanted && strcmp(kind_wanted, f->probe) != 0) {
        s = error_set(&e, STATUS_BAD_ARGUMENT, "the %s probe was emitted here, not %s", f->probe, kind_wanted);
        error_at_path(&e, folder);
    }
    if (s == STATUS_OK)
        s = probe_kind_find(f->probe, &kind, &e);
    if (s == STATUS_OK)
        s = is_identity(kind) ? score_identity(f, out, answer, &e) : score_other(kind, f, out, answer, &e);
    if (s != STATUS_OK && !*e.path)
        error_at_path(&e, folder); /* whatever is wrong was read there */
    if (f)
        files_close(f);
    free(f);
    return answer_end(s, &e, error);
}

int fo_score(const struct fo_score_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {0};
    if (!o->in) {
        error_set(&e, STATUS_BAD_ARGUMENT, "score wants --in DIR, a folder that emit wrote");
        return answer_end(e.status, &e, error);
    }
    return score_folder(o->in, NULL, o->out, answer, error);
}

int files_probe(const struct fo_probe_options *o, struct fo_answer *answer, struct fo_error *error)
{
    return score_folder(o->subject + strlen(FILES_SUBJECT), o->kind, o->out, answer, error);
}
