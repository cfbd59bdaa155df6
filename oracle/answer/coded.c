#include "oracle/answer/coded.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "oracle/answer/adapt.h"
#include "oracle/answer/coded_picture.h"
#include "oracle/io/file.h"
#include "oracle/io/npy.h"

static const uint64_t default_shape[] = {128, 208, 256};
enum { DEFAULT_EXPERTS = 8 };

static json_t *json_of_count(const struct source_count *c)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "right", (json_int_t)c->right, "moved", (json_int_t)c->moved,
                     "zero", (json_int_t)c->zero, "unwritten", (json_int_t)c->unwritten, "mixture",
                     (json_int_t)c->mixture, "unknown", (json_int_t)c->unknown);
}

static json_t *json_of_segments(const struct source_map *m)
{
    json_t *starts = json_array(), *ids = json_array();
    for (size_t a = 0; a < m->segments.active; a++)
        json_array_append_new(ids, json_integer(m->ids[a]));
    for (size_t a = 0; a <= m->segments.active; a++)
        json_array_append_new(starts, json_integer(m->starts[a]));
    return json_pack("{s:o, s:o}", "starts", starts, "ids", ids);
}

static json_t *json_of_guard(const struct coded_guard *g, size_t rows)
{
    if (!g->asked)
        return json_string("not-applicable");
    return json_pack("{s:I, s:I, s:I, s:I, s:b}", "rows", (json_int_t)rows, "wrong", (json_int_t)g->wrong,
                     "status_word", (json_int_t)g->status_word, "status_wanted", (json_int_t)g->status_wanted,
                     "status_told", (int)g->status_told);
}

/* The members that only a subject has which did not break. */
static void json_add_result(json_t *document, const struct coded_result *r)
{
    struct source_counts counts = source_map_count(&r->map);
    size_t planes = 1 + r->value_planes + r->scale_planes + r->row_planes + r->pair_planes + 1 + (r->special.count > 0);
    json_t *scores = json_pack("{s:o, s:o, s:o}", "value", json_of_count(&counts.value), "scale",
                               r->scale_planes ? json_of_count(&counts.scale) : json_string("not-applicable"), "row",
                               json_of_count(&counts.row));
    json_t *of_planes =
        json_pack("{s:i, s:I, s:I, s:I, s:I, s:i, s:i}", "unit", 1, "value", (json_int_t)r->value_planes, "scale",
                  (json_int_t)r->scale_planes, "row", (json_int_t)r->row_planes, "pair", (json_int_t)r->pair_planes,
                  "special", r->special.count > 0, "dense", 1);
    json_t *more = json_pack(
        "{s:o, s:o, s:I, s:o, s:I, s:I, s:I, s:o, s:b, s:I, s:I, s:{s:I, s:I}, s:{s:I, s:I}, s:{s:I, s:I}, s:o}",
        "kernel", json_of_report(&r->report), "segments", json_of_segments(&r->map), "passes", (json_int_t)planes,
        "planes", of_planes, "sweeps", (json_int_t)r->map.sweeps, "launches", (json_int_t)r->launches, "loads",
        (json_int_t)r->loads, "scores", scores, "repeats", (int)r->repeats, "scaled", (json_int_t)r->scaled,
        "miscounted", (json_int_t)r->miscounted, "pair", "compared", (json_int_t)r->pair_count, "differing",
        (json_int_t)r->pair_differing, "special", "compared", (json_int_t)r->special.count, "differing",
        (json_int_t)r->special.differing, "dense", "compared", (json_int_t)r->dense_count, "differing",
        (json_int_t)r->dense_differing, "guard", json_of_guard(&r->guard, r->map.P));
    json_object_update(document, more);
    json_decref(more);
}

static json_t *json_of_case(const struct coded_case *c, const struct coded_result *r, enum fo_verdict verdict)
{
    json_t *document = json_pack("{s:s, s:s, s:o, s:s, s:s, s:{s:I, s:I, s:I, s:I, s:I}, s:I}", "schema", CODED_SCHEMA,
                                 "probe", "coded", "subject", json_name(c->subject), "executor", c->executor,
                                 "fidelity", c->fidelity, "shape", "P", (json_int_t)c->P, "N", (json_int_t)c->N, "K",
                                 (json_int_t)c->K, "experts", (json_int_t)c->experts, "segments",
                                 (json_int_t)(r ? r->map.segments.active : 0), "seed", (json_int_t)c->seed);
    if (r)
        json_add_result(document, r);
    else
        json_object_set_new(document, "broke", json_name(c->broke));
    if (c->note && *c->note)
        json_object_set_new(document, "notes", json_pack("[s]", c->note));
    json_object_set_new(document, "verdict", json_string(fo_verdict_name(verdict)));
    json_object_set_new(document, "repeat", json_name(c->repeat));
    json_object_set(document, "machine", (json_t *)c->machine);
    return document;
}

static void text_of_count(struct text *t, const char *name, const struct source_count *c)
{
    text_add(t, "  %-9s %10zu %10zu %10zu %10zu %10zu %10zu\n", name, c->right, c->moved, c->zero, c->unwritten,
             c->mixture, c->unknown);
}

static void text_of_source(struct text *t, struct source_point at, const char *column)
{
    text_add(t, "expert %" PRIu32 ", n %" PRIu32 ", %s %" PRIu32, at.expert, at.n, column, at.k);
}

static const char *word_of(uint32_t found)
{
    return found == SOURCE_ZERO        ? "zero"
           : found == SOURCE_UNWRITTEN ? "unwritten"
           : found == SOURCE_MIXTURE   ? "a mixture"
                                       : "unknown";
}

/* The first observation whose value is wrong, else whose scale, else whose row. */
static void text_of_first_wrong(struct text *t, const struct coded_result *r)
{
    const struct source_map *m = &r->map;
    const uint32_t *const found[] = {m->value, m->scale, m->row};
    uint32_t (*const wanted[])(const struct source_map *, size_t, size_t,
                               size_t) = {source_wanted_value, source_wanted_scale, source_wanted_row};
    static const char *const name[] = {"value", "scale", "row"};
    for (size_t kind = 0; kind < 3; kind++) {
        if (kind == 1 && r->scale_planes == 0)
            continue;
        for (size_t i = 0; i < source_map_observations(m); i++) {
            size_t sweep = i / (m->P * m->N), p = i / m->N % m->P, n = i % m->N;
            uint32_t is = found[kind][i];
            if (is == wanted[kind](m, sweep, p, n))
                continue;
            text_add(t, "  first wrong %s: sweep %zu, out[%zu][%zu], asked for k %" PRIu32 ": ", name[kind], sweep, p,
                     n, m->column[sweep * m->P + p]);
            if (is >= SOURCE_CODES)
                text_add(t, "%s", word_of(is));
            else if (kind == 2)
                text_add(t, "row %" PRIu32, is);
            else
                text_of_source(t, kind == 0 ? source_value_point(m, is) : source_scale_point(m, is),
                               kind == 0 ? "k" : "block");
            text_add(t, "\n");
            return;
        }
    }
}

static void text_of_result(struct text *t, const struct coded_result *r)
{
    struct source_counts counts = source_map_count(&r->map);
    const struct coded_guard *g = &r->guard;
    text_add(t, "  %-9s %10s %10s %10s %10s %10s %10s\n", "", "right", "moved", "zero", "unwritten", "mixture",
             "unknown");
    text_of_count(t, "value", &counts.value);
    if (r->scale_planes)
        text_of_count(t, "scale", &counts.scale);
    else
        text_add(t, "  scale     not applicable: this subject has no block scales\n");
    text_of_count(t, "row", &counts.row);
    text_of_first_wrong(t, r);
    if (r->scaled)
        text_add(t, "  factor        %zu values came with a factor that is not 1\n", r->scaled);
    text_add(t, "  pairs         %zu of %zu products differ\n", r->pair_differing, r->pair_count);
    if (r->special.count)
        text_add(t, "  special       %zu of %zu sums of NaN, Inf and subnormal weights differ\n", r->special.differing,
                 r->special.count);
    text_add(t, "  dense         %zu of %zu sums differ\n", r->dense_differing, r->dense_count);
    text_add(t, "  repeats       %s\n", r->repeats ? "the same bits" : "NOT the same bits");
    if (g->asked)
        text_add(t, "  guard         %zu of %zu rows wrong, status word %" PRIu32 " (wanted %" PRIu32 "%s)\n", g->wrong,
                 r->map.P, g->status_word, g->status_wanted, g->status_told ? "" : ", but this subject tells none");
    text_add(t, "  planes        unit 1, value %zu, scale %zu, row %zu, pair %zu, special %d, dense 1; sweeps %zu\n",
             r->value_planes, r->scale_planes, r->row_planes, r->pair_planes, r->special.count > 0, r->map.sweeps);
    text_add(t, "  kernel        %s, launches %zu, loads %zu", r->report.kernel, r->launches, r->loads);
    text_of_counted(t, &r->report);
    text_add(t, "\n");
    if (r->miscounted)
        text_add(t, "  miscounted    %zu launches counted another number of wgmma than expected\n", r->miscounted);
    if (r->report.status_word)
        text_add(t, "  status word   %" PRIu32 ", although no segment is bad\n", r->report.status_word);
}

static enum status write_arrays(const char *out, const struct coded_result *r, struct error *e)
{
    const struct source_map *m = &r->map;
    size_t shape[] = {m->sweeps, m->P, m->N};
    const struct {
        const char *name;
        const uint32_t *data;
        int rank;
    } array[] = {{"value.npy", m->value, 3},
                 {"scale.npy", r->scale_planes ? m->scale : NULL, 3},
                 {"row.npy", m->row, 3},
                 {"columns.npy", m->column, 2}};
    char path[PATH_MAX];
    enum status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < sizeof array / sizeof *array; i++) {
        if (!array[i].data)
            continue;
        s = file_path(out, array[i].name, path, e);
        if (s == STATUS_OK)
            s = npy_write(path, NPY_U4, array[i].rank, shape, array[i].data, e);
    }
    return s;
}

static enum status write_folder(const struct coded_case *c, const struct coded_result *r, const char *out,
                                const json_t *document, struct error *e)
{
    char path[PATH_MAX], title[200];
    enum status s = file_make_folder(out, e);
    snprintf(title, sizeof title, "coded, %s on %s, %zu,%zu,%zu", c->subject, c->executor, c->P, c->N, c->K);
    if (s == STATUS_OK && r)
        s = write_arrays(out, r, e);
    if (s == STATUS_OK)
        s = file_path(out, "source_map.png", path, e);
    if (s == STATUS_OK && r)
        s = coded_picture_write(path, &r->map, r->scale_planes > 0, title, e);
    if (s == STATUS_OK)
        s = file_path(out, "scores.json", path, e);
    return s == STATUS_OK ? json_write(path, document, e) : s;
}

enum status coded_answer(const struct coded_case *c, const struct coded_result *r, const char *out,
                         struct fo_answer *answer, struct error *e)
{
    enum fo_verdict verdict = r && coded_conforms(r) ? FO_CONFORMS : FO_DIFFERS;
    struct text text = {0};
    json_t *document = json_of_case(c, r, verdict);
    enum status s = STATUS_OK;
    if (!document)
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    else if (out)
        s = write_folder(c, r, out, document, e);
    if (s != STATUS_OK) {
        json_decref(document);
        return s;
    }
    text_add(&text, "coded probe of %s on %s (%s), P,N,K = %zu,%zu,%zu, experts %zu\n", c->subject, c->executor,
             c->fidelity, c->P, c->N, c->K, c->experts);
    if (r)
        text_of_result(&text, r);
    else
        text_add(&text, "  the subject broke: %s\n", c->broke);
    if (c->note && *c->note)
        text_add(&text, "  note          %s\n", c->note);
    text_add(&text, "verdict: %s\nrepeat:  %s\n", fo_verdict_name(verdict), c->repeat);
    return answer_make(verdict, document, &text, answer, e);
}

static enum status check_options(const struct fo_probe_options *o, struct error *e)
{
    if (o->weights.kind || o->weights.tensor || o->weights.expert || o->historical || o->pass != -1)
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "coded probes make their own weights and run all passes: --weights, --tensor, --expert, "
                         "--historical and --pass belong to identity");
    bool none = !o->P && !o->N && !o->K;
    if (!none && (!o->P || !o->N || !o->K || o->P > INT32_MAX || o->N > INT32_MAX || o->K > INT32_MAX))
        return error_set(e, STATUS_BAD_ARGUMENT, "shape %" PRIu64 ",%" PRIu64 ",%" PRIu64 ": wanted 1 to %d each", o->P,
                         o->N, o->K, INT32_MAX);
    if (o->weights.seed > INT64_MAX)
        return error_set(e, STATUS_BAD_ARGUMENT, "seed %" PRIu64 ": JSON holds numbers to 2^63 - 1", o->weights.seed);
    return STATUS_OK;
}

enum status coded_ask(const struct fo_probe_options *o, const struct machine *machine, const struct executor *executor,
                      struct fo_answer *answer, struct error *e)
{
    enum status s = check_options(o, e);
    if (s != STATUS_OK)
        return s;
    bool given = o->P > 0;
    uint64_t P = given ? o->P : default_shape[0], N = given ? o->N : default_shape[1];
    uint64_t K = given ? o->K : default_shape[2];
    if (!given && !adapt_shape(&executor->limits, &P, &N, &K))
        return error_set(e, STATUS_BAD_ARGUMENT, "no shape fits the limits of the subject; ask one with --shape");
    struct coded_options asked = {P, N, K, executor->limits.no_segments ? 1 : DEFAULT_EXPERTS, o->weights.seed};
    struct coded_result result = {0};
    struct text repeat = {0};
    char line[200], broke[1024];
    snprintf(line, sizeof line, "coded probe of %s on %s, %zu,%zu,%zu", executor->subject, machine->name, asked.P,
             asked.N, asked.K);
    text_add(&repeat, "fragoracle probe coded --subject %s --shape %zu,%zu,%zu --seed %" PRIu64 " --on %s",
             executor->subject, asked.P, asked.N, asked.K, asked.seed, machine->name);
    probe_show(o, line);
    enum status ran = coded_run(executor, &asked, &result, e);
    probe_show(o, "");
    s = ran == STATUS_SUBJECT ? STATUS_OK : ran;
    json_t *described = json_of_machine(machine);
    if (s == STATUS_OK && (!described || repeat.failed))
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    if (s == STATUS_OK) {
        struct coded_case c = {executor->subject,
                               executor->name,
                               fidelity_name(executor_fidelity(executor)),
                               asked.P,
                               asked.N,
                               asked.K,
                               asked.experts,
                               asked.seed,
                               repeat.data,
                               ran == STATUS_SUBJECT ? error_line(e, broke, sizeof broke) : NULL,
                               described,
                               executor->note};
        s = coded_answer(&c, ran == STATUS_SUBJECT ? NULL : &result, o->out, answer, e);
    }
    json_decref(described);
    text_free(&repeat);
    coded_result_free(&result);
    return s;
}
