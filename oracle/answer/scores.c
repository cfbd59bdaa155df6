#include "oracle/answer/scores.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/heatmap.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "reference/number.h"

static const struct identity_pass_result *shown_pass(const struct identity_result *r)
{
    for (size_t i = 0; i < r->passes; i++)
        if (r->pass[i].pass == r->shown_pass)
            return &r->pass[i];
    return NULL;
}

/* Wrong in the special pass alone: the order is right, and what differs is what becomes of scales that real weights
 * hardly have. */
static const char *note_of_special(const struct identity_result *r)
{
    uint64_t special = 0, others = 0;
    for (size_t i = 0; i < r->passes; i++)
        *(r->pass[i].special ? &special : &others) += r->pass[i].score.differing;
    return special && !others && r->passes > 1
               ? "only the special pass differs: scales of 255 (NaN), 254 and 253 (overflow) and 0 (2^-127)"
               : "";
}

static json_t *json_of_notes(const struct scores_case *c, const struct identity_result *r)
{
    const char *const notes[] = {c->note, note_of_special(r)};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (*notes[i])
            json_array_append_new(list, json_string(notes[i]));
    return list;
}

static json_t *json_of_passes(const struct identity_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < r->passes; i++) {
        const struct identity_pass_result *p = &r->pass[i];
        json_t *pass = json_pack("{s:I, s:b, s:o, s:o}", "pass", (json_int_t)p->pass, "special", p->special, "scores",
                                 json_of_score(&p->score), "kernel", json_of_report(&p->report));
        if (json_array_append_new(list, pass) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *json_of_case(const struct scores_case *c, const struct identity_result *r, enum fo_verdict verdict,
                            const char *repeat)
{
    json_t *shape = json_pack("{s:I, s:I, s:I, s:I, s:I}", "P", (json_int_t)c->P, "N", (json_int_t)c->N, "K",
                              (json_int_t)c->K, "experts", (json_int_t)c->experts, "segments", (json_int_t)c->segments);
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:I, s:o, s:I, s:o, s:s, s:I, s:o, s:o, s:o, s:O}", "schema",
                     SCORES_SCHEMA, "probe", "identity", "subject", json_name(c->subject), "executor", c->executor,
                     "fidelity", c->fidelity, "kernel", json_of_report(&r->report), "shape", shape, "seed",
                     (json_int_t)c->seed, "weights", json_name(c->weights), "passes", (json_int_t)r->passes, "scores",
                     json_of_score(&r->total), "verdict", fo_verdict_name(verdict), "worst_pass",
                     (json_int_t)r->shown_pass, "repeat", json_name(repeat), "notes", json_of_notes(c, r), "per_pass",
                     json_of_passes(r), "machine", c->machine);
}

static void text_of_hits(struct text *t, const char *name, const struct hits *h)
{
    text_add(t, "  %-13s %" PRIu64 " of %" PRIu64 "\n", name, h->hits, h->of);
}

/* The first wrong element of the worst pass, field by field. */
static void text_of_worst(struct text *t, const struct scores_case *c, const struct identity_result *r)
{
    const struct identity_pass_result *worst = shown_pass(r);
    if (!worst || worst->score.differing == 0)
        return;
    uint64_t at = worst->score.first_differing;
    struct bf16 is = r->shown_output[at], wanted = r->shown_expected[at];
    text_add(t,
             "  worst pass    %zu%s: %" PRIu64 " of %" PRIu64 " elements differ; first row %" PRIu64 ", col %" PRIu64
             ": is %g (0x%04x), expected %g (0x%04x)\n",
             worst->pass, worst->special ? " (special)" : "", worst->score.differing, worst->score.compared, at / c->N,
             at % c->N, (double)bf16_decode(is), is.bits, (double)bf16_decode(wanted), wanted.bits);
}

static void text_of_case(struct text *t, const struct scores_case *c, const struct identity_result *r,
                         enum fo_verdict verdict, const char *repeat)
{
    const struct score *s = &r->total;
    text_add(t, "identity probe of %s on %s (%s), P,N,K = %zu,%zu,%zu, experts %zu, segments %zu, passes %zu\n",
             c->subject, c->executor, c->fidelity, c->P, c->N, c->K, c->experts, c->segments, r->passes);
    text_of_hits(t, "row_identity", &s->row_identity);
    text_of_hits(t, "col_identity", &s->col_identity);
    text_of_hits(t, "row_exact", &s->row_exact);
    text_of_hits(t, "col_exact", &s->col_exact);
    text_of_hits(t, "unwritten", &s->unwritten);
    text_add(t, "  max_abs %g, mean_abs %g, rel_fro %g\n", s->max_abs, s->mean_abs, s->rel_fro);
    text_of_worst(t, c, r);
    text_add(t, "  weights       %s\n", c->weights);
    text_add(t, "  kernel        %s, launches %" PRIu64, r->report.kernel, r->report.launches);
    text_of_counted(t, &r->report);
    text_add(t, "\n");
    if (r->report.status_word)
        text_add(t, "  status word   %" PRIu32 ", although no segment is bad\n", r->report.status_word);
    if (*c->note)
        text_add(t, "  note          %s\n", c->note);
    if (*note_of_special(r))
        text_add(t, "  note          %s\n", note_of_special(r));
    text_add(t, "verdict: %s\nrepeat:  %s\n", fo_verdict_name(verdict), repeat);
}

static enum status write_folder(const struct scores_case *c, const struct identity_result *r, const char *out,
                                const json_t *document, struct error *e)
{
    char path[PATH_MAX], title[200];
    if (snprintf(path, sizeof path, "%s/scores.json", out) >= (int)sizeof path)
        return error_set(e, STATUS_BAD_ARGUMENT, "the path of the output folder is too long");
    enum status s = file_make_folder(out, e);
    snprintf(title, sizeof title, "identity, %s on %s, %zu,%zu,%zu, pass %zu", c->subject, c->executor, c->P, c->N,
             c->K, r->shown_pass);
    if (s == STATUS_OK)
        s = heatmap_maps(out, r->shown_output, r->shown_expected, c->P, c->N, title, e);
    return s == STATUS_OK ? json_write(path, document, e) : s;
}

enum status scores_answer(const struct scores_case *c, const struct identity_result *r, const char *out,
                          struct fo_answer *answer, struct error *e)
{
    enum fo_verdict verdict = identity_conforms(r) ? FO_CONFORMS : FO_DIFFERS;
    struct text repeat = {0}, text = {0};
    text_add(&repeat, "%s", c->repeat);
    if (verdict == FO_DIFFERS && c->repeat_takes_pass)
        text_add(&repeat, " --pass %zu", r->shown_pass);
    json_t *document = repeat.failed ? NULL : json_of_case(c, r, verdict, repeat.data);
    enum status s = STATUS_OK;
    if (!document)
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    else if (out)
        s = write_folder(c, r, out, document, e);
    if (s == STATUS_OK) {
        text_of_case(&text, c, r, verdict, repeat.data);
        s = answer_make(verdict, document, &text, answer, e);
    } else {
        json_decref(document);
    }
    text_free(&repeat);
    return s;
}
