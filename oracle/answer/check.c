/* check: run the stages in trust order and say one thing. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "oracle/answer/stages.h"
#include "oracle/exec/open.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A stage that cannot run is undecided, and so is one that rests on a stage which did not conform. */
static void stage_run(const struct check *c, size_t index, struct stage_result *results)
{
    const struct stage *stage = &check_stages[index];
    struct stage_result *r = &results[index];
    struct error e;
    double begin = seconds_now();
    for (size_t i = 0; i < index; i++)
        if (stage->rests_on >> i & 1u && results[i].verdict != FO_CONFORMS) {
            *r = (struct stage_result){.verdict = FO_UNDECIDED};
            snprintf(r->detail, sizeof r->detail, "rests on %s, which does not conform", check_stages[i].name);
            return;
        }
    if (stage->run(c, r, &e) != STATUS_OK) {
        *r = (struct stage_result){.verdict = FO_UNDECIDED};
        error_line(&e, r->detail, sizeof r->detail);
    }
    r->seconds = seconds_now() - begin;
}

static enum fo_verdict overall(const struct stage_result *results)
{
    enum fo_verdict verdict = FO_CONFORMS;
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        if (results[i].verdict == FO_DIFFERS)
            return FO_DIFFERS;
        if (results[i].verdict == FO_UNDECIDED)
            verdict = FO_UNDECIDED;
    }
    return verdict;
}

static json_t *check_json(const struct check *c, const struct stage_result *results, enum fo_verdict verdict)
{
    json_t *stages = json_array();
    for (size_t i = 0; i < STAGE_COUNT; i++)
        json_array_append_new(stages, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:O*}", "name",
                                                check_stages[i].name, "question", check_stages[i].question, "verdict",
                                                fo_verdict_name(results[i].verdict), "evidence", results[i].evidence,
                                                "counted", results[i].counted, "detail", results[i].detail, "seconds",
                                                results[i].seconds, "table", results[i].table));
    return json_pack("{s:s, s:o, s:s, s:s, s:I, s:o, s:s, s:o}", "schema", "fragoracle.check/1", "subject",
                     json_name(c->subject), "executor", c->machine.name, "fidelity", fidelity_name(c->machine.fidelity),
                     "seed", (json_int_t)c->seed, "stages", stages, "verdict", fo_verdict_name(verdict), "machine",
                     json_of_machine(&c->machine));
}

static void check_text(const struct check *c, const struct stage_result *results, enum fo_verdict verdict,
                       struct text *text)
{
    text_add(text, "fragoracle check: %s on %s (%s), %s\n\n", c->subject, c->machine.name,
             fidelity_name(c->machine.fidelity), c->machine.device);
    text_add(text, "  %-11s %-11s %7s  %s\n", "stage", "verdict", "seconds", "what was counted");
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        const struct stage_result *r = &results[i];
        text_add(text, "  %-11s %-11s %7.2f  %s\n", check_stages[i].name, fo_verdict_name(r->verdict), r->seconds,
                 r->counted[0] ? r->counted : r->detail);
        if (r->counted[0] && r->detail[0])
            text_add(text, "  %-32s %s\n", "", r->detail);
    }
    for (size_t i = 0; i < STAGE_COUNT; i++)
        if (results[i].table_text.used)
            text_add(text, "%s", results[i].table_text.data);
    text_add(text, "\nverdict: %s\n", fo_verdict_name(verdict));
}

static void xml_add(struct text *t, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '<':
            text_add(t, "&lt;");
            break;
        case '&':
            text_add(t, "&amp;");
            break;
        case '"':
            text_add(t, "&quot;");
            break;
        default:
            text_add(t, "%c", *s);
        }
}

static enum status junit_write(const char *path, const struct check *c, const struct stage_result *results,
                               struct error *e)
{
    struct text t = {0};
    int failures = 0, errors = 0;
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        failures += results[i].verdict == FO_DIFFERS;
        errors += results[i].verdict == FO_UNDECIDED;
    }
    text_add(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text_add(&t, "<testsuite name=\"fragoracle ");
    xml_add(&t, c->subject);
    text_add(&t, " %s\" tests=\"%d\" failures=\"%d\" errors=\"%d\">\n", c->machine.name, STAGE_COUNT, failures, errors);
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        const struct stage_result *r = &results[i];
        text_add(&t, "  <testcase classname=\"check\" name=\"%s\" time=\"%.3f\">", check_stages[i].name, r->seconds);
        if (r->verdict == FO_DIFFERS || r->verdict == FO_UNDECIDED) {
            text_add(&t, "<%s message=\"", r->verdict == FO_DIFFERS ? "failure" : "error");
            xml_add(&t, r->detail[0] ? r->detail : r->counted);
            text_add(&t, "\"/>");
        }
        text_add(&t, "<system-out>");
        xml_add(&t, r->counted);
        text_add(&t, "</system-out></testcase>\n");
    }
    text_add(&t, "</testsuite>\n");
    enum status s =
        t.failed ? error_set(e, STATUS_NO_MEMORY, "no memory for %s", path) : file_write(path, t.data, t.used, e);
    text_free(&t);
    return s;
}

static enum status check_files(const struct check *c, const struct stage_result *results, const json_t *document,
                               struct error *e)
{
    enum status s = STATUS_OK;
    char path[PATH_MAX];
    if (c->options->junit)
        s = junit_write(c->options->junit, c, results, e);
    if (s != STATUS_OK || !c->options->out)
        return s;
    s = file_make_folder(c->options->out, e);
    if (s == STATUS_OK)
        s = file_path(c->options->out, "check.json", path, e);
    return s == STATUS_OK ? json_write(path, document, e) : s;
}

int fo_check(const struct fo_check_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e;
    struct check c = {.options = o, .subject = o->subject ? o->subject : "rs", .seed = o->seed};
    struct stage_result results[STAGE_COUNT] = {0};
    struct text text = {0};
    enum status s = machine_choose(o->on ? o->on : "auto", &c.machine, &e);
    if (s == STATUS_OK)
        s = subject_name_check(c.subject, &e);
    if (s != STATUS_OK)
        return answer_end(s, &e, error);
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        if (o->progress)
            o->progress(o->context, check_stages[i].name);
        stage_run(&c, i, results);
    }
    if (o->progress)
        o->progress(o->context, "");
    enum fo_verdict verdict = overall(results);
    json_t *document = check_json(&c, results, verdict);
    check_text(&c, results, verdict, &text);
    s = document ? check_files(&c, results, document, &e) : error_set(&e, STATUS_NO_MEMORY, "no memory for the answer");
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        json_decref(results[i].table);
        text_free(&results[i].table_text);
    }
    if (s != STATUS_OK) {
        json_decref(document);
        text_free(&text);
        return answer_end(s, &e, error);
    }
    return answer_end(answer_make(verdict, document, &text, answer, &e), &e, error);
}
