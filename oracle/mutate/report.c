#include "oracle/mutate/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oracle/answer/identity_case.h"
#include "oracle/io/json.h"

#define MUTATE_SCHEMA "fragoracle.mutate/1"

static const char *const fate_names[FATES] = {"not-chosen", "listed",    "killed",       "hung",
                                              "survived",   "undecided", "not-assembled"};

struct tally {
    uint32_t offered, fate[FATES];
};

static uint32_t killed(const struct tally *t)
{
    return t->fate[FATE_KILLED] + t->fate[FATE_HUNG];
}

static uint32_t chosen(const struct tally *t)
{
    return t->offered - t->fate[FATE_NONE];
}

/* Of the mutants that could be noticed; -1 where there are none. */
static double rate(const struct tally *t)
{
    uint32_t of = killed(t) + t->fate[FATE_SURVIVED];
    return of ? (double)killed(t) / of : -1;
}

static json_t *json_of_rate(const struct tally *t)
{
    return rate(t) < 0 ? json_null() : json_real(rate(t));
}

static void count(const struct report *r, struct tally by[MUTANTS_OPERATORS], struct tally *all)
{
    for (uint32_t i = 0; i < r->mutants->count; i++) {
        struct tally *t = &by[r->mutants->mutant[i].which];
        t->offered++;
        t->fate[r->outcome[i].fate]++;
        all->offered++;
        all->fate[r->outcome[i].fate]++;
    }
}

static json_t *json_of_tally(const struct tally *t)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "offered", (json_int_t)t->offered, "chosen",
                     (json_int_t)chosen(t), "killed", (json_int_t)t->fate[FATE_KILLED], "hung",
                     (json_int_t)t->fate[FATE_HUNG], "survived", (json_int_t)t->fate[FATE_SURVIVED], "undecided",
                     (json_int_t)t->fate[FATE_UNDECIDED], "not_assembled", (json_int_t)t->fate[FATE_REFUSED],
                     "kill_rate", json_of_rate(t));
}

static json_t *json_of_operators(const struct tally by[MUTANTS_OPERATORS])
{
    json_t *all = json_array();
    for (int o = 0; o < MUTANTS_OPERATORS; o++) {
        json_t *one = json_of_tally(&by[o]);
        json_object_set_new(one, "operator", json_string(mutants_operators[o].name));
        json_object_set_new(one, "does", json_string(mutants_operators[o].does));
        json_array_append_new(all, one);
    }
    return all;
}

/* The line that repeats one mutant and keeps its file. */
static void repeat(const struct report *r, const struct mutant *m, struct text *out)
{
    const struct fo_mutate_options *o = r->options;
    char id[MUTANTS_ID_SIZE];
    mutants_id(m, id);
    text_add(out, "fragoracle mutate ");
    text_add_word(out, o->in);
    text_add(out, " --only %s --keep ", id);
    text_add_word(out, o->keep ? o->keep : ".");
    if (o->output) {
        text_add(out, " --output ");
        text_add_word(out, o->output);
    }
    if (o->run) {
        text_add(out, " --run ");
        text_add_word(out, o->run);
    }
}

/* failed: set where there was no memory. */
static json_t *json_of_mutant(const struct report *r, uint32_t i, bool *failed)
{
    const struct mutant *m = &r->mutants->mutant[i];
    const struct outcome *o = &r->outcome[i];
    struct text line = {0};
    char id[MUTANTS_ID_SIZE];
    bool ran = o->fate >= FATE_KILLED && o->fate <= FATE_UNDECIDED;
    mutants_id(m, id);
    repeat(r, m, &line);
    *failed = *failed || line.failed;
    json_t *one = json_pack(
        "{s:s, s:I, s:s, s:I, s:I, s:I, s:o, s:s, s:o, s:o, s:o, s:o}", "id", id, "number", (json_int_t)i, "operator",
        mutants_operators[m->which].name, "index", (json_int_t)m->index, "line", (json_int_t)m->line, "column",
        (json_int_t)m->column, "change", json_name(mutants_change(r->mutants, m)), "fate", fate_names[o->fate],
        "exit_status", ran && o->trial.end <= TRIAL_FAILED ? json_integer(o->trial.code) : json_null(), "seconds",
        ran ? json_real(o->trial.seconds) : json_null(), "ptxas", o->note[0] ? json_name(o->note) : json_null(),
        "repeat", line.failed ? json_null() : json_name(line.data));
    text_free(&line);
    return one;
}

static json_t *json_of_mutants(const struct report *r, bool *failed)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < r->mutants->count; i++)
        if (r->outcome[i].fate != FATE_NONE)
            json_array_append_new(all, json_of_mutant(r, i, failed));
    return all;
}

static void text_of_rate(const struct tally *t, struct text *text)
{
    if (rate(t) < 0)
        text_add(text, "%6s\n", "-");
    else
        text_add(text, "%5.1f%%\n", 100 * rate(t));
}

static void text_of_tally(const char *name, const struct tally *t, struct text *text)
{
    text_add(text, "%-21s %7" PRIu32 " %7" PRIu32 " %7" PRIu32 " %5" PRIu32 " %9" PRIu32 " %10" PRIu32 " %8" PRIu32 " ",
             name, t->offered, chosen(t), t->fate[FATE_KILLED], t->fate[FATE_HUNG], t->fate[FATE_SURVIVED],
             t->fate[FATE_UNDECIDED], t->fate[FATE_REFUSED]);
    text_of_rate(t, text);
}

/* The mutants of a fate, with what repeats them. */
static void text_of_fate(const struct report *r, enum fate fate, const char *title, struct text *text)
{
    bool first = true;
    for (uint32_t i = 0; i < r->mutants->count; i++) {
        const struct mutant *m = &r->mutants->mutant[i];
        char id[MUTANTS_ID_SIZE];
        if (r->outcome[i].fate != fate)
            continue;
        mutants_id(m, id);
        if (first)
            text_add(text, "\n%s\n", title);
        first = false;
        text_add(text, "  %s  %s:%" PRIu32 ":%" PRIu32 ": %s\n", id, r->options->in, m->line, m->column,
                 mutants_change(r->mutants, m));
        if (r->outcome[i].note[0])
            text_add(text, "      ptxas: %s\n", r->outcome[i].note);
        if (fate == FATE_SURVIVED) {
            text_add(text, "      ");
            repeat(r, m, text);
            text_add(text, "\n");
        }
    }
}

static enum fo_verdict judge(const struct report *r, const struct tally *all)
{
    if (!r->options->run)
        return FO_NOT_APPLICABLE;
    return all->fate[FATE_SURVIVED] ? FO_DIFFERS : killed(all) ? FO_CONFORMS : FO_UNDECIDED;
}

static void make_text(const struct report *r, const struct tally by[MUTANTS_OPERATORS], const struct tally *all,
                      struct text *text)
{
    text_add(text, "%-21s %7s %7s %7s %5s %9s %10s %8s %6s\n", "operator", "offered", "chosen", "killed", "hung",
             "survived", "undecided", "refused", "rate");
    for (int o = 0; o < MUTANTS_OPERATORS; o++)
        if (by[o].offered)
            text_of_tally(mutants_operators[o].name, &by[o], text);
    text_of_tally("all", all, text);
    text_of_fate(r, FATE_LISTED, "mutants", text);
    text_of_fate(r, FATE_SURVIVED, "survivors: the test passes", text);
    text_of_fate(r, FATE_UNDECIDED, "undecided: the test passes, and its output is the same", text);
    text_of_fate(r, FATE_REFUSED, "refused: ptxas does not assemble them", text);
    text_add(text, "\n");
    if (chosen(all) < all->offered && !r->options->only)
        text_add(text, "%" PRIu32 " of %" PRIu32 " mutants, chosen with --seed %" PRIu64 " (--count)\n", chosen(all),
                 all->offered, r->options->seed);
    if (!r->options->ptxas)
        text_add(text, "not assembled: no ptxas; a mutant that cannot be assembled looks like one that was killed\n");
    if (r->options->run && !r->options->output && all->fate[FATE_SURVIVED])
        text_add(text, "without --output a mutant that changes nothing looks like a survivor\n");
    text_add(text, "%s\n", fo_verdict_name(judge(r, all)));
}

static json_t *name_or_null(const char *name)
{
    return name ? json_name(name) : json_null();
}

enum status report_make(const struct report *r, struct fo_answer *answer, struct error *e)
{
    struct tally by[MUTANTS_OPERATORS] = {{0}}, all = {0};
    struct text text = {0};
    const struct fo_mutate_options *o = r->options;
    count(r, by, &all);
    make_text(r, by, &all, &text);
    enum fo_verdict verdict = judge(r, &all);
    json_t *document = json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:s}", "schema", MUTATE_SCHEMA,
                                 "in", json_name(o->in), "run", name_or_null(o->run), "output", name_or_null(o->output),
                                 "ptxas", name_or_null(o->ptxas), "seed", (json_int_t)o->seed, "original_seconds",
                                 r->original ? json_real(r->original->seconds) : json_null(), "total",
                                 json_of_tally(&all), "operators", json_of_operators(by), "mutants",
                                 json_of_mutants(r, &text.failed), "verdict", fo_verdict_name(verdict));
    return answer_make(verdict, document, &text, answer, e);
}
