#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "oracle/answer/coded_picture.h"
#include "oracle/answer/heatmap.h"
#include "oracle/diagnose/outputs.h"
#include "oracle/diagnose/report.h"
#include "oracle/diagnose/slot_picture.h"
#include "oracle/io/file.h"
#include "reference/number.h"

static json_t *json_of_explained(const struct explained *x)
{
    return json_pack("{s:I, s:I, s:I}", "differing", (json_int_t)x->differing, "explained", (json_int_t)x->explained,
                     "spoiled", (json_int_t)x->spoiled);
}

static json_t *json_of_order(const uint8_t *order, unsigned slots)
{
    json_t *a = json_array();
    for (unsigned i = 0; i < slots; i++)
        json_array_append_new(a, json_integer(order[i]));
    return a;
}

static json_t *json_of_choice(const struct choice *c)
{
    json_t *o = json_pack("{s:s?, s:s, s:s, s:s, s:s, s:s}", "id", c->is->id, "name", c->is->name, "stage",
                          c->is->stage, "what", c->is->what, "found", c->is->found, "wanted", c->is->wanted);
    if (c->is->parameter)
        json_object_set_new(o, "parameter", json_integer(c->parameter));
    if (c->is->depth == DEPTH_REGISTER) {
        json_object_set_new(o, "order_found", json_of_order(c->order, 8));
        json_object_set_new(o, "order_wanted", json_of_order(order_wanted, 8));
    }
    return o;
}

/* asked: false where there is nothing that it could explain. */
static json_t *json_of_kind(const struct explained *x, bool asked)
{
    return asked ? json_of_explained(x) : json_string("not-asked");
}

static json_t *json_of_finding(const struct report *r, const struct finding *f)
{
    json_t *faults = json_array();
    for (size_t i = 0; i < f->count; i++)
        json_array_append_new(faults, json_of_choice(&f->fault[i]));
    return json_pack("{s:o, s:o, s:o, s:o}", "faults", faults, "map", json_of_explained(&f->map), "pair",
                     json_of_kind(&f->pair, r->r->pair_planes > 0), "guard",
                     json_of_kind(&f->guard, r->r->guard.asked));
}

static json_t *json_of_findings(const struct report *r, const struct finding *f, size_t count)
{
    json_t *a = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(a, json_of_finding(r, &f[i]));
    return a;
}

static json_t *json_of_count(const struct source_count *c)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "right", (json_int_t)c->right, "moved", (json_int_t)c->moved,
                     "zero", (json_int_t)c->zero, "unwritten", (json_int_t)c->unwritten, "mixture",
                     (json_int_t)c->mixture, "unknown", (json_int_t)c->unknown);
}

static json_t *json_of_smallest(const struct report *r)
{
    const struct smallest *s = r->smallest;
    json_t *o = json_pack("{s:{s:I, s:I, s:I}, s:s}", "shape", "P", (json_int_t)s->asked.P, "N", (json_int_t)s->asked.N,
                          "K", (json_int_t)s->asked.K, "repeat", r->repeat_smallest ? r->repeat_smallest : r->repeat);
    if (!s->output) {
        json_object_set_new(o, "what", json_string(s->what));
        return o;
    }
    json_t *output = json_pack("{s:I, s:I, s:I, s:s, s:s}", "p", (json_int_t)s->p, "n", (json_int_t)s->n, "k",
                               (json_int_t)s->k, "wanted", s->wanted, "took", s->took);
    if (s->numbers) {
        json_object_set_new(output, "expected", json_number((double)bf16_decode(s->expected)));
        json_object_set_new(output, "found",
                            s->unwritten ? json_string("unwritten") : json_number((double)bf16_decode(s->found)));
    }
    json_object_set_new(o, "output", output);
    return o;
}

/* Both coordinates of a rule; steps of a table are what is added, row-major over its period. */
static json_t *json_of_rule(const struct source_rule *rule)
{
    char formula[RULE_TEXT];
    json_t *coordinates = json_array();
    for (int c = 0; c < 2; c++) {
        const struct rule_coordinate *at = &rule->at[c];
        json_t *o = json_pack("{s:s, s:s, s:s}", "name", rule->name[c], "family", rule_family_name(at->family),
                              "formula", source_rule_format(rule, c, formula));
        if (at->step) {
            json_t *steps = json_array();
            for (size_t i = 0; i < (size_t)at->period[0] * at->period[1]; i++)
                json_array_append_new(steps, json_integer(at->step[i]));
            json_object_set_new(o, "period", json_pack("[I, I]", (json_int_t)at->period[0], (json_int_t)at->period[1]));
            json_object_set_new(o, "steps", steps);
        }
        json_array_append_new(coordinates, o);
    }
    return coordinates;
}

static json_t *json_of_stages(const struct explanation *x)
{
    json_t *stages = json_array();
    for (int i = 0; i < EXPLAIN_STAGES; i++) {
        const struct explain_part *part = &x->part[i];
        json_t *o =
            json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s}", "stage", explain_stage_name((enum explain_stage)i),
                      "state", explain_state_name(part->state), "wrong", (json_int_t)part->wrong, "explained",
                      (json_int_t)part->explained, "what", part->what, "found", part->found, "wanted", part->wanted);
        if (part->ambiguous >= 0)
            json_object_set_new(o, "or_else", json_string(explain_stage_name((enum explain_stage)part->ambiguous)));
        if (part->rule.name[0][0] && !source_rule_is_identity(&part->rule))
            json_object_set_new(o, "rule", json_of_rule(&part->rule));
        if (part->pack_slots)
            json_object_set_new(o, "pack_order", json_of_order(part->pack_order, part->pack_slots));
        json_array_append_new(stages, o);
    }
    return stages;
}

/* "conforms", "named", "order", "unknown", "unnamed" (no names were asked for), "broke". */
static const char *state_name(const struct report *r)
{
    if (r->broke)
        return "broke";
    if (!r->d)
        return report_verdict(r) == FO_CONFORMS ? "conforms" : "unnamed";
    if (r->d->state == DIAGNOSIS_EXPLAINED)
        return finding_has_names(&r->d->finding[0]) ? "named" : "order";
    return report_verdict(r) == FO_CONFORMS ? "conforms" : "unknown";
}

/* What the names are, and how far they explain what was seen. */
static void add_names(json_t *document, const struct report *r)
{
    const struct diagnosis *d = r->d;
    size_t exact = d->exact < DIAGNOSIS_EXACT ? d->exact : DIAGNOSIS_EXACT;
    json_t *names = json_array();
    for (size_t i = 0; exact > 0 && i < d->finding[0].count; i++)
        if (d->finding[0].fault[i].is->id)
            json_array_append_new(names, json_string(d->finding[0].fault[i].is->id));
    json_object_set_new(document, "named", names);
    json_object_set_new(document, "explanations", json_of_findings(r, d->finding, exact));
    json_object_set_new(document, "nearest", json_of_findings(r, d->near, d->nearest));
    json_object_set_new(document, "tried", json_integer((json_int_t)d->tried));
    json_object_set_new(document, "compared", json_integer((json_int_t)d->compared));
    json_object_set_new(document, "differing", json_integer((json_int_t)d->right.differing));
}

static json_t *json_of_sums(size_t compared, size_t differing)
{
    return json_pack("{s:I, s:I}", "compared", (json_int_t)compared, "differing", (json_int_t)differing);
}

/* Of a subject that did not break. */
static void add_result(json_t *document, const struct report *r)
{
    struct source_counts c = source_map_count(&r->r->map);
    const char *what[REPORT_NOT_ASKED];
    size_t not_asked = report_not_asked(r, what);
    json_t *list = json_array();
    for (size_t i = 0; i < not_asked; i++)
        json_array_append_new(list, json_string(what[i]));
    json_object_set_new(document, "not_asked", list);
    json_object_set_new(document, "kernel", json_of_report(&r->r->report));
    if (r->d)
        add_names(document, r);
    json_object_set_new(document, "sources",
                        json_pack("{s:o, s:o, s:o}", "value", json_of_count(&c.value), "scale",
                                  r->r->scale_planes ? json_of_count(&c.scale) : json_string("not-applicable"), "row",
                                  json_of_count(&c.row)));
    json_object_set_new(document, "repeats", json_boolean(r->r->repeats));
    json_object_set_new(document, "special", json_of_sums(r->r->special.count, r->r->special.differing));
    json_object_set_new(document, "dense", json_of_sums(r->r->dense_count, r->r->dense_differing));
}

json_t *report_json(const struct report *r)
{
    const struct coded_options *a = &r->asked;
    json_t *document =
        json_pack("{s:s, s:o, s:s, s:s, s:{s:I, s:I, s:I, s:I}, s:I, s:s}", "schema", DIAGNOSIS_SCHEMA, "subject",
                  json_name(r->subject), "executor", r->executor, "fidelity", r->fidelity, "shape", "P",
                  (json_int_t)a->P, "N", (json_int_t)a->N, "K", (json_int_t)a->K, "experts", (json_int_t)a->experts,
                  "seed", (json_int_t)a->seed, "state", state_name(r));
    if (r->broke)
        json_object_set_new(document, "broke", json_name(r->broke));
    else
        add_result(document, r);
    if (r->stages) {
        json_object_set_new(document, "stages", json_of_stages(r->stages));
        json_object_set_new(document, "sums",
                            json_pack("{s:I, s:I}", "asked", (json_int_t)r->stages->sums_asked, "predicted",
                                      (json_int_t)r->stages->sums_predicted));
    }
    if (r->smallest)
        json_object_set_new(document, "smallest", json_of_smallest(r));
    if (r->note && *r->note)
        json_object_set_new(document, "notes", json_pack("[s]", r->note));
    json_object_set_new(document, "verdict", json_string(fo_verdict_name(report_verdict(r))));
    json_object_set_new(document, "repeat", json_name(r->repeat));
    json_object_set(document, "machine", (json_t *)r->machine);
    return document;
}

/* Rows and columns of the launch that shows most: the special plane where nothing of the map differs, the dense product
 * where it differs, else a sweep of a pair plane. */
static enum status write_lines(const struct report *r, const char *folder, const char *title, struct error *e)
{
    const struct coded_result *c = r->r;
    const struct source_map *m = &c->map;
    size_t outputs = m->P * m->N, most = 0, shown = 0;
    if (c->special.differing && r->stages->wrong == 0)
        return heatmap_maps(folder, c->special.found, c->special.expected, m->P, m->N, title, e);
    if (c->dense_differing)
        return heatmap_maps(folder, c->dense, c->dense_expected, m->P, m->N, title, e);
    const struct chain right = {.g = r->g, .place = r->g->place};
    struct outputs o = {0};
    struct bf16 *wanted = malloc(c->pair_planes * m->sweeps * outputs * sizeof *wanted);
    enum status s = wanted ? outputs_make(r->g, c->pair_planes, c->scale_planes == 0, &o, e)
                           : error_set(e, STATUS_NO_MEMORY, "no memory for outputs to draw");
    for (size_t launch = 0; s == STATUS_OK && launch < c->pair_planes * m->sweeps; launch++) {
        size_t differing = 0;
        for (size_t i = 0; i < outputs; i++) {
            bool anything;
            struct bf16 *at = &wanted[launch * outputs + i];
            *at = outputs_pair(&o, &right, launch / m->sweeps, launch % m->sweeps, (uint32_t)(i / m->N),
                               (uint32_t)(i % m->N), &anything);
            differing += !outputs_same(*at, c->pair[launch * outputs + i]);
        }
        if (differing > most) {
            most = differing;
            shown = launch;
        }
    }
    if (s == STATUS_OK)
        s = heatmap_maps(folder, c->pair + shown * outputs, wanted + shown * outputs, m->P, m->N, title, e);
    free(wanted);
    outputs_free(&o);
    return s;
}

static enum status write_pictures(const struct report *r, const char *folder, struct error *e)
{
    char path[PATH_MAX], title[200];
    snprintf(title, sizeof title, "diagnosis of %s on %s, %zu,%zu,%zu", r->subject, r->executor, r->asked.P, r->asked.N,
             r->asked.K);
    enum status s = file_path(folder, "source_map.png", path, e);
    if (s == STATUS_OK)
        s = coded_picture_write(path, &r->r->map, r->r->scale_planes > 0, title, e);
    if (s == STATUS_OK)
        s = file_path(folder, "slots.png", path, e);
    if (s == STATUS_OK)
        s = slot_picture_write(path, &r->r->map, title, e);
    return s == STATUS_OK ? write_lines(r, folder, title, e) : s;
}

enum status report_write(const struct report *r, const char *folder, const json_t *document, struct error *e)
{
    char path[PATH_MAX];
    enum status s = file_make_folder(folder, e);
    if (s == STATUS_OK && !r->broke && report_verdict(r) != FO_CONFORMS)
        s = write_pictures(r, folder, e);
    if (s == STATUS_OK)
        s = file_path(folder, "diagnosis.json", path, e);
    return s == STATUS_OK ? json_write(path, document, e) : s;
}
