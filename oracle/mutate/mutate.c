/* fo_mutate: every chosen mutant is written, read again, assembled where there is a ptxas, and put to the test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/answer/tap_ptxas.h"
#include "oracle/io/file.h"
#include "oracle/mutate/operators.h"
#include "oracle/mutate/report.h"

enum { TEXT_MOST = 256 << 20, COUNT_DEFAULT = 100, TIMES_LONGER = 10, SECONDS_LEAST = 10, LAST_LINE = 160 };

/* Everything that one question holds. */
struct work {
    const struct fo_mutate_options *o;
    const char *text;
    size_t size;
    struct mutants mutants;
    struct outcome *outcome;
    struct tap_ptxas_report original; /* with ptxas */
    struct trial first;               /* the test of the original */
    double limit;
    uint8_t *wanted; /* what the original wrote to --output */
    size_t wanted_size;
    char folder[PATH_MAX - 64]; /* temporary */
    char path[PATH_MAX], log[PATH_MAX], unchanged[PATH_MAX];
    uint32_t done, chosen;
};

/* The last line that the test printed, for a message. */
static void last_line(const char *log, char line[LAST_LINE])
{
    uint8_t *said;
    size_t size;
    line[0] = '\0';
    if (file_read(log, TEXT_MOST, &said, &size, NULL) != STATUS_OK)
        return;
    while (size > 0 && said[size - 1] <= ' ')
        size--;
    size_t from = size;
    while (from > 0 && said[from - 1] != '\n')
        from--;
    if (size > from)
        snprintf(line, LAST_LINE, ": %.*s", (int)(size - from < LAST_LINE ? size - from : LAST_LINE),
                 (const char *)said + from);
    free(said);
}

/* The test must pass with the original, whenever it is asked. `when` begins the sentence. */
static enum status test_original(struct work *w, const char *when, double limit, struct trial *t, struct error *e)
{
    char line[LAST_LINE];
    if (w->o->output)
        unlink(w->o->output);
    enum status s = trial_run(w->o->run, w->unchanged, w->log, limit, t, e);
    if (s != STATUS_OK || t->end == TRIAL_PASSED)
        return s;
    last_line(w->log, line);
    if (t->end == TRIAL_TOO_LONG)
        error_set(e, STATUS_BAD_INPUT, "%s the unmutated module is not through in %.0f s (--timeout)", when, limit);
    else
        error_set(e, STATUS_BAD_INPUT, "%s the unmutated module fails its test (%s %d)%s", when,
                  t->end == TRIAL_SIGNAL ? "signal" : "exit status", t->code, line);
    return error_at_field(e, "--run");
}

/* The unmutated module, twice where its output counts: one that changes from run to run tells nothing. */
static enum status begin(struct work *w, struct error *e)
{
    const struct fo_mutate_options *o = w->o;
    double limit = o->timeout ? (double)o->timeout : 3600;
    uint8_t *again = NULL;
    size_t size = 0;
    struct trial second;
    enum status s = file_write(w->unchanged, w->text, w->size, e);
    if (s == STATUS_OK)
        s = test_original(w, "before any change", limit, &w->first, e);
    w->limit = TIMES_LONGER * w->first.seconds < SECONDS_LEAST ? SECONDS_LEAST : TIMES_LONGER * w->first.seconds;
    w->limit = o->timeout ? (double)o->timeout : w->limit;
    if (s == STATUS_OK && o->output)
        s = file_read(o->output, 0, &w->wanted, &w->wanted_size, e);
    if (s == STATUS_OK && o->output)
        s = test_original(w, "when asked again", limit, &second, e);
    if (s == STATUS_OK && o->output)
        s = file_read(o->output, 0, &again, &size, e);
    if (s == STATUS_OK && o->output && (size != w->wanted_size || memcmp(again, w->wanted, size) != 0)) {
        error_set(e, STATUS_BAD_INPUT, "two runs of the unmutated module write different bytes");
        s = error_at_path(e, o->output);
    }
    free(again);
    return s;
}

/* Whether the test left the bytes that the original left; a file that is not there is another output. */
static enum status compare_output(const struct work *w, bool *same, struct error *e)
{
    uint8_t *data;
    size_t size;
    *same = false;
    if (!w->o->output || access(w->o->output, F_OK) != 0)
        return STATUS_OK;
    enum status s = file_read(w->o->output, 0, &data, &size, e);
    if (s != STATUS_OK)
        return s;
    *same = size == w->wanted_size && memcmp(data, w->wanted, size) == 0;
    free(data);
    return STATUS_OK;
}

/* What ptxas says of a mutant that it did not say of the original. */
static void note_new(const struct work *w, const struct tap_ptxas_report *report, struct outcome *out)
{
    char finding[REPORT_NOTE + 160];
    for (uint32_t i = 0; i < report->count && !out->note[0]; i++) {
        const struct tap_ptxas_function *f = &report->function[i];
        if (tap_ptxas_new(tap_ptxas_find(&w->original, f->name), f, finding, sizeof finding))
            snprintf(out->note, sizeof out->note, "%.*s", REPORT_NOTE - 1, finding);
    }
}

static enum status assemble(const struct work *w, const char *id, const struct text *text, struct outcome *out,
                            struct error *e)
{
    const struct tap_ptxas_module module = {id, text->data, text->used};
    struct tap_ptxas_report report = {0};
    struct error refusal;
    if (!w->o->ptxas)
        return STATUS_OK;
    enum status s = tap_ptxas_run_one(w->o->ptxas, &module, &report, &refusal);
    if (s == STATUS_BAD_INPUT) {
        out->fate = FATE_REFUSED;
        snprintf(out->note, sizeof out->note, "%.*s", REPORT_NOTE - 1, refusal.why);
        return STATUS_OK;
    }
    if (s != STATUS_OK) {
        if (e)
            *e = refusal;
        return s;
    }
    note_new(w, &report, out);
    tap_ptxas_free(&report);
    return STATUS_OK;
}

static enum status put_to_test(struct work *w, struct outcome *out, struct error *e)
{
    bool same;
    if (!w->o->run) {
        out->fate = FATE_LISTED;
        return STATUS_OK;
    }
    if (w->o->output)
        unlink(w->o->output);
    enum status s = trial_run(w->o->run, w->path, w->log, w->limit, &out->trial, e);
    if (s == STATUS_OK)
        s = compare_output(w, &same, e);
    if (s != STATUS_OK)
        return s;
    if (out->trial.end == TRIAL_PASSED)
        out->fate = same ? FATE_UNDECIDED : FATE_SURVIVED;
    else
        out->fate = out->trial.end == TRIAL_TOO_LONG ? FATE_HUNG : FATE_KILLED;
    return STATUS_OK;
}

/* One mutant: a whole module that the parser takes. */
static enum status take(struct work *w, const struct mutant *m, struct outcome *out, struct error *e)
{
    char id[MUTANTS_ID_SIZE], name[MUTANTS_ID_SIZE + 4], line[MUTANTS_ID_SIZE + 64];
    struct text text = {0};
    struct ptx_module module;
    mutants_id(m, id);
    snprintf(name, sizeof name, "%s.ptx", id);
    *strchr(name, ':') = '-';
    snprintf(line, sizeof line, "%u/%u %s", ++w->done, w->chosen, id);
    if (w->o->progress)
        w->o->progress(w->o->context, line);
    enum status s = file_path(w->o->keep ? w->o->keep : w->folder, name, w->path, e);
    if (s == STATUS_OK)
        s = mutants_apply(&w->mutants, m, w->text, w->size, &text, e);
    if (s == STATUS_OK)
        s = module_parse(id, text.data, (uint32_t)text.used, &module, e);
    if (s == STATUS_OK)
        module_free(&module);
    if (s == STATUS_OK)
        s = assemble(w, id, &text, out, e);
    if (s == STATUS_OK && (w->o->run || w->o->keep))
        s = file_write(w->path, text.data, text.used, e);
    if (s == STATUS_OK && out->fate == FATE_NONE)
        s = put_to_test(w, out, e);
    if (!w->o->keep)
        unlink(w->path);
    text_free(&text);
    return s;
}

static enum status choose(struct work *w, struct error *e)
{
    const struct fo_mutate_options *o = w->o;
    enum status s = STATUS_OK;
    if (o->only) {
        struct mutant *m = mutants_find(&w->mutants, o->only);
        if (!m) {
            error_set(e, STATUS_BAD_ARGUMENT, "there is no mutant '%.60s' among %u", o->only, w->mutants.count);
            return error_at_field(e, "--only");
        }
        m->chosen = true;
    } else {
        s = mutants_choose(&w->mutants, o->count ? o->count : COUNT_DEFAULT, o->seed, e);
    }
    for (uint32_t i = 0; i < w->mutants.count; i++)
        w->chosen += w->mutants.mutant[i].chosen;
    return s;
}

static enum status prepare(struct work *w, struct error *e)
{
    const struct tap_ptxas_module original = {w->o->in, w->text, w->size};
    const char *temp = getenv("TMPDIR");
    enum status s = operators_list(w->o->in, w->text, w->size, &w->mutants, e);
    if (s == STATUS_OK)
        s = choose(w, e);
    if (s != STATUS_OK)
        return s;
    w->outcome = calloc(w->mutants.count + (size_t)1, sizeof *w->outcome);
    if (!w->outcome)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %u mutants", w->mutants.count);
    if (w->o->keep)
        s = file_make_folder(w->o->keep, e);
    if (s == STATUS_OK && w->o->ptxas)
        s = tap_ptxas_run_one(w->o->ptxas, &original, &w->original, e);
    if (s != STATUS_OK)
        return s;
    if (snprintf(w->folder, sizeof w->folder, "%s/fragoracle-mutate-XXXXXX", temp && *temp ? temp : "/tmp") >=
            (int)sizeof w->folder ||
        !mkdtemp(w->folder)) {
        error_set(e, STATUS_IO, "cannot make a temporary folder");
        error_at_path(e, w->folder);
        w->folder[0] = '\0';
        return STATUS_IO;
    }
    snprintf(w->log, sizeof w->log, "%s/log", w->folder);
    snprintf(w->unchanged, sizeof w->unchanged, "%s/original.ptx", w->folder);
    return STATUS_OK;
}

/* A device that a mutant broke fails every test after it, and all of these would count as killed. */
static enum status end(struct work *w, struct error *e)
{
    struct trial last;
    return test_original(w, "after the mutants", w->limit, &last, e);
}

static enum status run(struct work *w, struct fo_answer *answer, struct error *e)
{
    enum status s = prepare(w, e);
    if (s == STATUS_OK && w->o->run)
        s = begin(w, e);
    for (uint32_t i = 0; s == STATUS_OK && i < w->mutants.count; i++)
        if (w->mutants.mutant[i].chosen)
            s = take(w, &w->mutants.mutant[i], &w->outcome[i], e);
    if (s == STATUS_OK && w->o->run)
        s = end(w, e);
    const struct report report = {w->o, &w->mutants, w->outcome, w->o->run ? &w->first : NULL};
    if (s == STATUS_OK)
        s = report_make(&report, answer, e);
    if (w->folder[0]) {
        unlink(w->log);
        unlink(w->unchanged);
        rmdir(w->folder);
    }
    mutants_free(&w->mutants);
    tap_ptxas_free(&w->original);
    free(w->outcome);
    free(w->wanted);
    return s;
}

int fo_mutate(const struct fo_mutate_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {.status = STATUS_OK};
    struct work w = {.o = o};
    uint8_t *text = NULL;
    enum status s = STATUS_OK;
    if (!o->in)
        s = error_set(&e, STATUS_BAD_ARGUMENT, "it needs the module to mutate");
    if (s == STATUS_OK)
        s = file_read(o->in, TEXT_MOST, &text, &w.size, &e);
    w.text = (const char *)text;
    if (s == STATUS_OK)
        s = run(&w, answer, &e);
    free(text);
    return answer_end(s, &e, error);
}
