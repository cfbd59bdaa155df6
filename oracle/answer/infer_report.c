/* infer_report: the findings of all sites as one answer, in text, JSON and pictures. */
#include <stdio.h>
#include <string.h>

#include "oracle/answer/infer.h"
#include "oracle/answer/map.h"
#include "oracle/io/file.h"

/* What a wrong station is called. */
static const struct {
    const char *station, *what;
} places[] = {{"assert", "an assertion"},
              {"A", "the A fragment"},
              {"B", "B"},
              {"D", "the product"},
              {"epilogue", "the epilogue"}};

static const char *place_name(const struct site_finding *f)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].station, f->station) == 0)
            return places[i].what;
    return f->station;
}

static enum fo_verdict worse(enum fo_verdict a, enum fo_verdict b)
{
    /* A difference is certain whatever else is not; something judged outweighs nothing to judge. */
    static const int rank[] = {
        [FO_NOT_APPLICABLE] = 0, [FO_CONFORMS] = 1, [FO_PERMITTED] = 2, [FO_UNDECIDED] = 3, [FO_DIFFERS] = 4};
    return rank[a] >= rank[b] ? a : b;
}

/* The first station that differs, in the order of sites and stations. */
static const struct site_finding *first_wrong(const struct infer_report *r, const struct infer_site **at)
{
    for (size_t i = 0; i < r->sites; i++)
        for (int k = 0; k < INFER_STATIONS; k++)
            if (r->site[i].finding[k].station && r->site[i].finding[k].verdict == FO_DIFFERS) {
                *at = &r->site[i];
                return &r->site[i].finding[k];
            }
    return NULL;
}

static json_t *json_of_finding(const struct site_finding *f)
{
    json_t *o = json_pack("{s:s, s:s, s:o}", "verdict", fo_verdict_name(f->verdict), "stage", f->stage, "evidence",
                          json_name(f->cause));
    json_object_update(o, f->document);
    if (f->map_known)
        json_object_set_new(o, "map_kind", json_string(layout_kind_name(f->map.kind)));
    if (f->map_known && f->map.kind == LAYOUT_AFFINE)
        json_object_set_new(o, "basis", json_of_basis(&f->map));
    return o;
}

static json_t *add_site(const struct infer_site *s, struct text *text, enum fo_verdict *verdict)
{
    json_t *judged = json_object();
    text_add(text, "%s: %s\n", s->where, s->op);
    for (int k = 0; k < INFER_STATIONS; k++) {
        const struct site_finding *f = &s->finding[k];
        if (!f->station)
            continue;
        *verdict = worse(*verdict, f->verdict);
        json_object_set_new(judged, f->station, json_of_finding(f));
        text->failed = text->failed || f->detail.failed; /* a line was lost: so is the answer */
        if (f->verdict == FO_NOT_APPLICABLE && !*f->cause)
            continue;
        text_add(text, "  %s: %s: %s\n%s", f->station, fo_verdict_name(f->verdict), f->cause,
                 f->detail.data ? f->detail.data : "");
    }
    return json_pack("{s:I, s:o, s:o, s:o}", "site", (json_int_t)s->site, "op", json_name(s->op), "where",
                     json_name(s->where), "stations", judged);
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

static void add_verdict(const struct infer_report *r, enum fo_verdict verdict, json_t *document, struct text *text)
{
    const struct infer_site *site = NULL;
    const struct site_finding *f = first_wrong(r, &site);
    json_object_set_new(document, "verdict", json_string(fo_verdict_name(verdict)));
    if (f) {
        json_object_set_new(document, "fault",
                            json_pack("{s:I, s:o, s:s, s:s, s:o}", "site", (json_int_t)site->site, "where",
                                      json_name(site->where), "station", f->station, "stage", f->stage, "evidence",
                                      json_name(f->cause)));
        text_add(text, "verdict: differs: %s of %s (%s)\n", *f->stage ? f->stage : "something", place_name(f),
                 site->where);
    } else {
        text_add(text, "verdict: %s\n", fo_verdict_name(verdict));
    }
    if (r->image && r->image->refused)
        text_add(text, "The recorder had no room %u times: the capture is not whole.\n", r->image->refused);
    if (r->image)
        text_add(text, "Recording changes when a kernel does what: it can hide a race (hardware-instrumented).\n");
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
    for (size_t i = 0; i < r->sites; i++)
        json_array_append_new(sites, add_site(&r->site[i], &text, &verdict));
    json_object_set_new(document, "capture", json_of_capture(r));
    json_object_set_new(document, "sites", sites);
    if (verdict == FO_NOT_APPLICABLE && r->compared)
        verdict = FO_UNDECIDED;
    add_verdict(r, verdict, document, &text);
    enum status s = out ? write_folder(r, out, document, e) : STATUS_OK;
    if (s == STATUS_OK)
        return answer_make(verdict, document, &text, answer, e);
    json_decref(document);
    text_free(&text);
    return s;
}
