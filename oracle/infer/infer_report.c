/* infer_report: the findings of all sites as one answer, in JSON and pictures. */
#include <stdio.h>
#include <string.h>

#include "oracle/infer/infer.h"
#include "oracle/answer/map.h"
#include "oracle/io/file.h"

static enum fo_verdict worse(enum fo_verdict a, enum fo_verdict b)
{
    /* A difference is certain whatever else is not; something judged outweighs nothing to judge. */
    static const int rank[] = {
        [FO_NOT_APPLICABLE] = 0, [FO_CONFORMS] = 1, [FO_PERMITTED] = 2, [FO_UNDECIDED] = 3, [FO_DIFFERS] = 4};
    return rank[a] >= rank[b] ? a : b;
}

static json_t *json_of_finding(const struct site_finding *f)
{
    char cause[SITE_FINDING_CAUSE];
    site_cause_words(f->cause, &f->count, cause);
    json_t *o = json_pack("{s:s, s:s, s:o}", "verdict", fo_verdict_name(f->verdict), "stage", f->stage, "evidence",
                          json_name(cause));
    json_object_update(o, f->document);
    if (*f->fix)
        json_object_set_new(o, "fix", json_string(f->fix));
    if (f->map_known)
        json_object_set_new(o, "map_kind", json_string(layout_kind_name(f->map.kind)));
    if (f->map_known && f->map.kind == LAYOUT_AFFINE)
        json_object_set_new(o, "basis", json_of_basis(&f->map));
    return o;
}

static json_t *json_of_site(const struct infer_site *s)
{
    json_t *judged = json_object();
    for (int k = 0; k < INFER_STATIONS; k++)
        if (s->finding[k].station)
            json_object_set_new(judged, s->finding[k].station, json_of_finding(&s->finding[k]));
    return json_pack("{s:I, s:o, s:o, s:b, s:o}", "site", (json_int_t)s->site, "op", json_name(s->op), "where",
                     json_name(s->where), "reached", s->reached, "stations", judged);
}

/* A line that was lost is an answer that was lost. */
static bool lost_lines(const struct infer_site *s)
{
    bool lost = false;
    for (int k = 0; k < INFER_STATIONS; k++)
        lost = lost || s->finding[k].detail.failed || s->finding[k].note.failed;
    return lost;
}

static json_t *json_of_capture(const struct infer_report *r)
{
    json_t *o = json_pack("{s:o}", "path", json_name(r->path));
    if (!r->image)
        return o;
    const struct tap_image_filter *f = &r->image->filter;
    const struct tap_image_launch *l = &r->image->launch;
    json_object_set_new(o, "kernel", json_name(l->kernel));
    json_object_set_new(o, "gpu", json_name(l->gpu));
    json_object_set_new(o, "driver", json_name(l->driver));
    json_object_set_new(o, "date", json_name(l->date));
    json_object_set_new(o, "window",
                        json_pack("{s:[I,I], s:[I,I], s:[I,I], s:b}", "blocks", (json_int_t)f->first_block,
                                  (json_int_t)f->blocks, "warpgroups", (json_int_t)f->first_warpgroup,
                                  (json_int_t)f->warpgroups, "iterations", (json_int_t)f->first_iteration,
                                  (json_int_t)f->iterations, "last", f->keep_last));
    json_object_set_new(o, "refused", json_integer(r->image->refused));
    return o;
}

static bool any_reached(const struct infer_report *r)
{
    bool any = false;
    for (size_t i = 0; i < r->sites; i++)
        any = any || r->site[i].reached;
    return any;
}

static void set_verdict(const struct infer_report *r, enum fo_verdict verdict, json_t *document)
{
    const struct infer_site *site = NULL;
    const struct site_finding *f = infer_first_wrong(r, &site);
    char cause[SITE_FINDING_CAUSE];
    json_object_set_new(document, "verdict", json_string(fo_verdict_name(verdict)));
    if (!f)
        return;
    site_cause_words(f->cause, &f->count, cause);
    json_object_set_new(document, "fault",
                        json_pack("{s:I, s:o, s:s, s:s, s:o, s:s*}", "site", (json_int_t)site->site, "where",
                                  json_name(site->where), "station", f->station, "stage", f->stage, "evidence",
                                  json_name(cause), "fix", *f->fix ? f->fix : NULL));
}

static enum status write_folder(const struct infer_report *r, const char *out, const json_t *document, struct error *e)
{
    char path[PATH_MAX], name[64], title[200];
    enum status s = file_make_folder(out, e);
    if (s == STATUS_OK)
        s = file_path(out, "infer.json", path, e);
    if (s == STATUS_OK)
        s = json_write(path, document, e);
    for (size_t i = 0; i < r->sites; i++)
        for (int k = 0; s == STATUS_OK && k < INFER_STATIONS; k++) {
            const struct site_finding *f = &r->site[i].finding[k];
            struct map m;
            if (!f->station || !f->map_known || f->map.codomain.extent[1] > 64)
                continue;
            s = map_make(r->site[i].op, f->station, &m, e);
            if (s != STATUS_OK)
                break;
            snprintf(name, sizeof name, "site%u.%s.png", r->site[i].site, f->station);
            snprintf(title, sizeof title, "%s, operand %s, %.100s", r->site[i].op, f->station, r->site[i].where);
            s = file_path(out, name, path, e);
            if (s == STATUS_OK)
                s = infer_picture(path, &m.forward, &f->map, title, e);
            map_free(&m);
        }
    return s;
}

enum status infer_report_answer(const struct infer_report *r, const char *out, struct fo_answer *answer,
                                struct error *e)
{
    struct text text = {0};
    enum fo_verdict verdict = FO_NOT_APPLICABLE;
    json_t *sites = json_array();
    json_t *document = json_pack("{s:s, s:s}", "schema", "fragoracle.infer/1", "fidelity", "hardware-instrumented");
    for (size_t i = 0; i < r->sites; i++) {
        json_array_append_new(sites, json_of_site(&r->site[i]));
        text.failed = text.failed || lost_lines(&r->site[i]);
        for (int k = 0; k < INFER_STATIONS; k++)
            if (r->site[i].finding[k].station)
                verdict = worse(verdict, r->site[i].finding[k].verdict);
    }
    json_object_set_new(document, "capture", json_of_capture(r));
    json_object_set_new(document, "sites", sites);
    if (verdict == FO_NOT_APPLICABLE && (r->compared || !any_reached(r)))
        verdict = FO_UNDECIDED;
    set_verdict(r, verdict, document);
    infer_text_make(r, verdict, &text);
    enum status s = out ? write_folder(r, out, document, e) : STATUS_OK;
    if (s == STATUS_OK)
        return answer_make(verdict, document, &text, answer, e);
    json_decref(document);
    text_free(&text);
    return s;
}
