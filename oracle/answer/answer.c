#include "oracle/answer/answer.h"

#include <stdarg.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "reference/segments.h"

void text_add(struct text *t, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int need = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (need < 0 || t->failed) {
        t->failed = true;
        return;
    }
    if (t->used + (size_t)need + 1 > t->size) {
        size_t size = 2 * (t->used + (size_t)need + 1);
        char *data = realloc(t->data, size);
        if (!data) {
            t->failed = true;
            return;
        }
        t->data = data;
        t->size = size;
    }
    va_start(ap, format);
    vsnprintf(t->data + t->used, t->size - t->used, format, ap);
    va_end(ap);
    t->used += (size_t)need;
}

void text_free(struct text *t)
{
    free(t->data);
    memset(t, 0, sizeof *t);
}

enum status answer_make(enum fo_verdict verdict, json_t *document, struct text *text, struct fo_answer *answer,
                        struct error *e)
{
    text_add(text, "%s", ""); /* an empty text is a string too */
    char *json = json_text(document);
    json_decref(document);
    if (!json || text->failed) {
        free(json);
        text_free(text);
        return error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    }
    *answer = (struct fo_answer){verdict, json, text->data};
    memset(text, 0, sizeof *text);
    return STATUS_OK;
}

void fo_answer_free(struct fo_answer *a)
{
    free(a->json);
    free(a->text);
    memset(a, 0, sizeof *a);
}

int answer_end(enum status s, const struct error *e, struct fo_error *error)
{
    json_forget();
    if (s != STATUS_OK && error)
        error_line(e, error->line, sizeof error->line);
    return (int)s;
}

int fo_write_file(const char *path, const void *data, uint64_t bytes, struct fo_error *error)
{
    struct error e;
    return answer_end(file_write(path, data, bytes, &e), &e, error);
}

int fo_validate_segments(uint64_t rows, uint64_t experts, uint64_t active, const uint32_t *starts, const int32_t *ids,
                         struct fo_error *error)
{
    struct segments s = {rows, experts, active, starts, ids};
    struct error e;
    return answer_end(segments_validate(&s, &e), &e, error);
}

const char *fo_verdict_name(enum fo_verdict v)
{
    static const char *const name[] = {"conforms", "permitted", "not-applicable", "differs", "undecided"};
    return name[v];
}

static json_t *json_of_hits(const struct hits *h)
{
    return json_pack("{s:I, s:I}", "hits", (json_int_t)h->hits, "of", (json_int_t)h->of);
}

json_t *json_of_score(const struct score *s)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "max_abs", json_number(s->max_abs),
                     "mean_abs", json_number(s->mean_abs), "rel_fro", json_number(s->rel_fro), "row_identity",
                     json_of_hits(&s->row_identity), "col_identity", json_of_hits(&s->col_identity), "row_exact",
                     json_of_hits(&s->row_exact), "col_exact", json_of_hits(&s->col_exact), "unwritten",
                     json_of_hits(&s->unwritten), "differing", (json_int_t)s->differing, "compared",
                     (json_int_t)s->compared);
}

json_t *json_of_report(const struct run_report *r)
{
    json_t *expected = r->wgmma_unpredicted ? json_null() : json_integer((json_int_t)r->wgmma_expected);
    json_t *report =
        json_pack("{s:s, s:[I,I,I], s:I, s:I, s:I, s:o, s:I, s:I}", "name", r->kernel, "tile", (json_int_t)r->tile[0],
                  (json_int_t)r->tile[1], (json_int_t)r->tile[2], "launches", (json_int_t)r->launches, "tiles",
                  (json_int_t)r->tiles, "wgmma", (json_int_t)r->wgmma, "wgmma_expected", expected, "a_checksum",
                  (json_int_t)r->a_checksum, "status_word", (json_int_t)r->status_word);
    if (r->steps)
        json_object_set_new(report, "steps", json_integer((json_int_t)r->steps));
    return report;
}

void text_of_counted(struct text *t, const struct run_report *r)
{
    if (r->wgmma_unpredicted && r->wgmma)
        text_add(t, ", wgmma %" PRIu64, r->wgmma);
    else if (!r->wgmma_unpredicted && (r->wgmma || r->wgmma_expected))
        text_add(t, ", wgmma %" PRIu64 " of %" PRIu64 " expected", r->wgmma, r->wgmma_expected);
    if (r->steps)
        text_add(t, ", steps %" PRIu64, r->steps);
}

const char *answer_note(const char *asked, const struct executor *x, char room[ANSWER_NOTE])
{
    const char *ran = x->note ? x->note : "";
    snprintf(room, ANSWER_NOTE, "%s%s%s", asked, *asked && *ran ? "; " : "", ran);
    return room;
}

json_t *json_of_machine(const struct machine *m)
{
    char date[16];
    time_t now = time(NULL);
    struct tm utc;
    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&now, &utc));
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s}", "executor", m->name, "fidelity", fidelity_name(m->fidelity),
                     "device", json_name(m->device), "driver", m->driver, "cuda", m->cuda, "code", m->code, "date",
                     date);
}

const char *artifacts_folder(void)
{
    const char *named = getenv("FRAGORACLE_ARTIFACTS");
    if (named && *named)
        return named;
    return access("artifacts/README.md", R_OK) == 0 ? "artifacts" : FO_SOURCE_ARTIFACTS;
}
