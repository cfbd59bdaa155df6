#include "oracle/answer/kill_rate.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/diagnose/diagnosis.h"
#include "oracle/exec/open.h"
#include "probes/weights.h"

enum { EXPERTS = 8, ROUNDS = 40 /* of drawing anew for pairs that were hidden, at most */ };

/* ---- one subject ------------------------------------------------------------------------------------------------ */

static size_t planted_count(const char *subject)
{
    size_t count = 0;
    for (; *subject; subject++)
        count += *subject == '+';
    return count;
}

/* Are the faults of a finding those of rs+ID[+ID], in whatever order? */
static bool finding_is(const struct finding *f, const char *subject)
{
    if (f->count != planted_count(subject))
        return false;
    for (size_t i = 0; i < f->count; i++) {
        const char *id = f->fault[i].is->id, *at = id ? strstr(subject, id) : NULL;
        size_t length = id ? strlen(id) : 0;
        if (!at || at[-1] != '+' || (at[length] != '+' && at[length] != '\0'))
            return false;
    }
    return true;
}

static void found_text(const struct diagnosis *d, char *text, size_t size)
{
    size_t used = 0;
    snprintf(text, size, "%s", d->state == DIAGNOSIS_CONFORMS ? "nothing" : "unknown");
    for (size_t i = 0; d->exact > 0 && i < d->finding[0].count && used < size; i++) {
        const char *id = d->finding[0].fault[i].is->id;
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "+" : "", id ? id : "an order");
    }
}

static void judge(const char *subject, const struct coded_result *r, const struct diagnosis *d,
                  struct kill_verdict *out)
{
    size_t kept = d->exact < DIAGNOSIS_EXACT ? d->exact : DIAGNOSIS_EXACT;
    *out = (struct kill_verdict){.detected = !coded_conforms(r)};
    for (size_t i = 0; i < kept; i++)
        out->named = out->named || finding_is(&d->finding[i], subject);
    out->alone = out->named && d->exact == 1;
    out->hidden = d->state == DIAGNOSIS_CONFORMS || (d->exact > 0 && d->finding[0].count < planted_count(subject));
    found_text(d, out->found, sizeof out->found);
}

enum status kill_ask(const char *subject, const struct machine *machine, const uint64_t shape[3], uint64_t seed,
                     struct kill_verdict *out, struct error *e)
{
    struct coded_options asked = {shape[0], shape[1], shape[2], EXPERTS, seed};
    struct executor executor;
    struct coded_result r = {0};
    struct geometry g = {0};
    struct diagnosis d;
    enum status s = subject_open(subject, machine, &executor, e);
    if (s != STATUS_OK)
        return s;
    s = coded_run(&executor, &asked, &r, e);
    executor.release(executor.self);
    if (s == STATUS_SUBJECT) {
        *out = (struct kill_verdict){.detected = true, .found = "it broke"};
        return STATUS_OK;
    }
    if (s == STATUS_OK)
        s = geometry_make(&r.map, r.report.tile, &g, e);
    if (s == STATUS_OK)
        s = diagnosis_make(&r, &g, &d, e);
    if (s == STATUS_OK)
        judge(subject, &r, &d, out);
    geometry_free(&g);
    coded_result_free(&r);
    return s;
}

/* ---- many ------------------------------------------------------------------------------------------------------- */

/* A question of many, and its answer. */
struct kill_case {
    char subject[SUBJECT_NAME];
    const uint64_t *shape;
    char class;
    struct kill_verdict verdict;
    enum status status;
    struct error error;
};

/* The model is one thread to a question; a GPU is asked one at a time. */
static enum status ask_all(const struct machine *machine, struct kill_case *cases, size_t count, uint64_t seed,
                           struct error *e)
{
    bool model = machine->fidelity == FIDELITY_BIT_EXACT_MODEL;
#pragma omp parallel for schedule(dynamic) if (model)
    for (size_t i = 0; i < count; i++)
        cases[i].status = kill_ask(cases[i].subject, machine, cases[i].shape, seed, &cases[i].verdict, &cases[i].error);
    for (size_t i = 0; i < count; i++)
        if (cases[i].status != STATUS_OK) {
            if (e)
                *e = cases[i].error;
            return cases[i].status;
        }
    return STATUS_OK;
}

static void count_one(struct kill_count *c, const struct kill_verdict *v)
{
    c->planted++;
    c->detected += v->detected;
    c->named += v->named;
    c->alone += v->alone;
}

static void miss(struct kill_rate *k, const struct kill_case *c)
{
    size_t used = strlen(k->missed);
    if (!c->verdict.named)
        snprintf(k->missed + used, sizeof k->missed - used, "%s%s at %" PRIu64 ",%" PRIu64 ",%" PRIu64 ": %s",
                 used ? "; " : "", c->subject, c->shape[0], c->shape[1], c->shape[2], c->verdict.found);
}

enum status kill_singles(const struct machine *machine, const uint64_t (*shapes)[3], size_t count, uint64_t seed,
                         struct kill_rate *out, struct error *e)
{
    struct kill_case *cases = calloc(fault_count() * count, sizeof *cases);
    size_t used = 0;
    if (!cases)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu questions", fault_count() * count);
    for (size_t i = 0; i < fault_count() * count; i++) {
        const struct fault_entry *f = fault_at(i / count);
        /* Whether a race shows says nothing about the oracle. */
        if (f->hardware_only)
            continue;
        snprintf(cases[used].subject, SUBJECT_NAME, "rs+%s", f->id);
        cases[used].shape = shapes[i % count];
        cases[used++].class = f->class;
    }
    enum status s = ask_all(machine, cases, used, seed, e);
    for (size_t i = 0; s == STATUS_OK && i < used; i++) {
        count_one(&out->by_class[cases[i].class - 'A'], &cases[i].verdict);
        count_one(&out->all, &cases[i].verdict);
        miss(out, &cases[i]);
    }
    out->shapes += s == STATUS_OK ? count : 0;
    free(cases);
    return s;
}

/* Two faults that can be planted together. */
static void draw_pair(struct random *draw, struct kill_case *c)
{
    struct subject both;
    for (bool drawn = false; !drawn;) {
        size_t a = random_below(draw, (uint32_t)fault_count()), b = random_below(draw, (uint32_t)fault_count());
        snprintf(c->subject, SUBJECT_NAME, "rs+%s+%s", fault_at(a)->id, fault_at(b)->id);
        drawn = a != b && !fault_at(a)->hardware_only && !fault_at(b)->hardware_only &&
                subject_parse(c->subject, &both, NULL) == STATUS_OK;
    }
}

enum status kill_pairs(const struct machine *machine, const uint64_t shape[3], size_t count, uint64_t seed,
                       struct kill_rate *out, struct error *e)
{
    struct random draw = {seed};
    struct kill_case *cases = calloc(count, sizeof *cases);
    size_t wanted = out->pairs.planted + count;
    enum status s = STATUS_OK;
    if (!cases)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu questions", count);
    for (int round = 0; s == STATUS_OK && round < ROUNDS && out->pairs.planted < wanted; round++) {
        size_t more = wanted - out->pairs.planted;
        for (size_t i = 0; i < more; i++) {
            cases[i].shape = shape;
            draw_pair(&draw, &cases[i]);
        }
        s = ask_all(machine, cases, more, seed, e);
        for (size_t i = 0; s == STATUS_OK && i < more; i++) {
            if (cases[i].verdict.hidden && cases[i].verdict.detected) {
                out->hidden++;
                continue;
            }
            count_one(&out->pairs, &cases[i].verdict);
            miss(out, &cases[i]);
        }
    }
    free(cases);
    return s;
}

enum status kill_races(const struct machine *machine, const uint64_t shape[3], size_t runs, uint64_t seed,
                       struct kill_rate *out, struct error *e)
{
    enum status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < fault_count(); i++) {
        const struct fault_entry *f = fault_at(i);
        if (!f->hardware_only)
            continue;
        assert(out->races < KILL_RACES);
        struct kill_race *race = &out->race[out->races++];
        char subject[SUBJECT_NAME];
        *race = (struct kill_race){.id = f->id, .name = f->name};
        snprintf(subject, sizeof subject, "rs+%s", f->id);
        for (size_t run = 0; s == STATUS_OK && machine->fidelity == FIDELITY_HARDWARE && run < runs; run++) {
            struct kill_verdict v;
            s = kill_ask(subject, machine, shape, seed + run, &v, e);
            race->runs++;
            race->seen += s == STATUS_OK && v.detected;
        }
    }
    return s;
}

/* ---- both forms ------------------------------------------------------------------------------------------------- */

static json_t *count_json(const struct kill_count *c)
{
    return json_pack("{s:I, s:I, s:I}", "planted", (json_int_t)c->planted, "detected", (json_int_t)c->detected, "named",
                     (json_int_t)c->named);
}

json_t *kill_json(const struct kill_rate *k)
{
    json_t *classes = json_object();
    for (int i = 0; i < KILL_CLASSES; i++)
        json_object_set_new(classes, fault_class_name((char)('A' + i)), count_json(&k->by_class[i]));
    json_t *races = json_array();
    for (size_t i = 0; i < k->races; i++)
        json_array_append_new(races,
                              json_pack("{s:s, s:s, s:I, s:I}", "id", k->race[i].id, "name", k->race[i].name, "runs",
                                        (json_int_t)k->race[i].runs, "seen", (json_int_t)k->race[i].seen));
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:s, s:o}", "faults", count_json(&k->all), "by_class", classes, "pairs",
                     count_json(&k->pairs), "pairs_hidden", (json_int_t)k->hidden, "shapes", (json_int_t)k->shapes,
                     "not_named", k->missed, "races", races);
}

static void count_text(struct text *t, const char *name, const struct kill_count *c)
{
    text_add(t, "    %-22s %8zu %9zu %6zu %12zu\n", name, c->planted, c->detected, c->named, c->alone);
}

void kill_text(const struct kill_rate *k, struct text *t)
{
    text_add(t, "\n    %-22s %8s %9s %6s %12s\n", "faults at each shape", "planted", "detected", "named",
             "and no other");
    for (int i = 0; i < KILL_CLASSES; i++)
        count_text(t, fault_class_name((char)('A' + i)), &k->by_class[i]);
    count_text(t, "all", &k->all);
    count_text(t, "pairs of faults", &k->pairs);
    if (k->hidden)
        text_add(t, "    %zu pairs were drawn anew: one fault alone gives the same outputs\n", k->hidden);
    for (size_t i = 0; i < k->races; i++) {
        const struct kill_race *race = &k->race[i];
        text_add(t, "    %s %s, which only hardware shows: ", race->id, race->name);
        if (race->runs)
            text_add(t, "seen in %zu of %zu runs\n", race->seen, race->runs);
        else
            text_add(t, "not asked here\n");
    }
    if (k->missed[0])
        text_add(t, "    not named: %s\n", k->missed);
}
