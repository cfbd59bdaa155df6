#include "oracle/answer/tap_answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oracle/io/json.h"
#include "oracle/io/tap_image.h"

#define SITES_SCHEMA "fragoracle.tap/1"

enum { FINDING_SIZE = 360, FINDING_SHOWN = 200 };

/* Lines of the module, from 1, at ascending places. */
struct lines {
    const char *text;
    size_t at;
    uint32_t line;
};

static uint32_t line_of(struct lines *l, size_t at)
{
    if (at < l->at)
        *l = (struct lines){l->text, 0, 1};
    for (; l->at < at; l->at++)
        l->line += l->text[l->at] == '\n';
    return l->line;
}

static json_t *json_of_streams(const struct tap_plan *p, struct lines *lines)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < p->point_count; i++)
        for (uint32_t j = p->point[i].first; j < p->point[i].first + p->point[i].count; j++) {
            const struct tap_stream *s = &p->stream[j];
            json_array_append_new(
                all, json_pack("{s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I}", "stream", (json_int_t)j, "site",
                               (json_int_t)s->site, "accumulator", (json_int_t)p->sites->site[s->site].accumulator,
                               "kind", tap_image_kind_name(s->kind), "operand", tap_operand(s->kind), "words",
                               (json_int_t)s->words, "point_line", (json_int_t)line_of(lines, s->at), "counters",
                               (json_int_t)p->point[i].counters, "data", (json_int_t)s->data));
        }
    return all;
}

static json_t *json_of_source(const struct ptx_site *site)
{
    return site->source
               ? json_pack("{s:o, s:I}", "file", json_name(site->source), "line", (json_int_t)site->source_line)
               : json_null();
}

static json_t *json_of_sites(const struct ptx_sites *sites, const bool *chosen, struct lines *lines)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < sites->site_count; i++) {
        const struct ptx_site *site = &sites->site[i];
        json_t *one = json_pack("{s:I, s:s, s:o, s:I, s:I, s:o, s:I, s:b, s:s}", "site", (json_int_t)i, "op", site->op,
                                "function", json_name(site->function), "line", (json_int_t)site->line, "column",
                                (json_int_t)site->column, "source", json_of_source(site), "accumulator",
                                (json_int_t)site->accumulator, "tapped", chosen[i] && !site->why_not[0], "why_not",
                                site->why_not);
        json_t *points = json_null();
        if (!site->why_not[0])
            points = json_pack("{s:I, s:I}", "registers", (json_int_t)line_of(lines, site->registers_at), "descriptors",
                               (json_int_t)line_of(lines, site->descriptors_at));
        json_object_set_new(one, "points", points);
        json_array_append_new(all, one);
    }
    return all;
}

static json_t *json_of_function(const struct tap_ptxas_function *f)
{
    if (!f)
        return json_null();
    json_t *lines = json_array();
    for (uint32_t i = 0; i < f->code_count; i++)
        json_array_append_new(lines, json_pack("{s:s, s:I, s:o}", "code", f->code[i].name, "count",
                                               (json_int_t)f->code[i].lines, "line", json_name(f->code[i].line)));
    json_t *registers = f->entry ? json_integer((json_int_t)f->registers) : json_null();
    return json_pack("{s:o, s:I, s:I, s:o}", "registers", registers, "spill_stores", (json_int_t)f->spill_stores,
                     "spill_loads", (json_int_t)f->spill_loads, "lines", lines);
}

/* A function without a site is of interest only where it changed. */
static bool holds_site(const struct ptx_sites *sites, const char *function)
{
    for (uint32_t i = 0; i < sites->site_count; i++)
        if (strcmp(sites->site[i].function, function) == 0)
            return true;
    return false;
}

/* Before and after of every function that holds a site or has something new; also as lines of the text. */
static json_t *compare(const struct tap_answer *a, struct text *text, bool *differs)
{
    json_t *functions = json_array();
    text_add(text, "\n%-5s %-9s %-14s %-14s %-7s %s\n", "ptxas", "registers", "spill stores", "spill loads", "C75xx",
             "function");
    for (uint32_t i = 0; i < a->report[1].count; i++) {
        const struct tap_ptxas_function *after = &a->report[1].function[i];
        const struct tap_ptxas_function *before = tap_ptxas_find(&a->report[0], after->name);
        char finding[FINDING_SIZE];
        bool fresh = tap_ptxas_new(before, after, finding, sizeof finding);
        if (!fresh && !holds_site(a->plan.sites, after->name))
            continue;
        *differs = *differs || fresh;
        json_array_append_new(functions, json_pack("{s:o, s:o, s:o, s:o}", "function", json_name(after->name), "before",
                                                   json_of_function(before), "after", json_of_function(after), "new",
                                                   fresh ? json_name(finding) : json_null()));
        const struct tap_ptxas_function none = {.name = NULL};
        before = before ? before : &none;
        uint32_t was = 0, is = 0;
        for (uint32_t c = 0; c < before->code_count; c++)
            was += before->code[c].lines;
        for (uint32_t c = 0; c < after->code_count; c++)
            is += after->code[c].lines;
        text_add(text,
                 "%-5s %3" PRIu32 " > %3" PRIu32 " %5" PRIu64 " > %-6" PRIu64 " %5" PRIu64 " > %-6" PRIu64 " %" PRIu32
                 " > %-" PRIu32 "   %.100s\n",
                 fresh ? "NEW" : "same", before->registers, after->registers, before->spill_stores, after->spill_stores,
                 before->spill_loads, after->spill_loads, was, is, after->name);
        if (fresh)
            text_add(text, "      %.*s\n", FINDING_SHOWN, finding);
    }
    return json_pack("{s:o, s:o}", "program", json_name(a->options->ptxas), "functions", functions);
}

static void text_of_sites(const struct ptx_sites *sites, const bool *chosen, struct lines *lines, struct text *text)
{
    text_add(text, "%-5s %-40s %-12s %-7s %s\n", "site", "operation", "line:column", "point", "source");
    for (uint32_t i = 0; i < sites->site_count; i++) {
        const struct ptx_site *site = &sites->site[i];
        char place[32], point[16] = "-";
        if (!chosen[i])
            continue;
        snprintf(place, sizeof place, "%" PRIu32 ":%" PRIu32, site->line, site->column);
        if (!site->why_not[0])
            snprintf(point, sizeof point, "%" PRIu32,
                     line_of(lines, site->register_a ? site->registers_at : site->descriptors_at));
        text_add(text, "%-5" PRIu32 " %-40s %-12s %-7s ", i, site->op, place, point);
        if (site->source)
            text_add(text, "%s:%" PRIu32 "\n", site->source, site->source_line);
        else
            text_add(text, "%.80s\n", site->function);
        if (site->why_not[0])
            text_add(text, "      A and the descriptors are not recorded: %s\n", site->why_not);
    }
}

static json_t *json_of_filter(const struct tap_filter *f)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "block", (json_int_t)f->first_block, "blocks",
                     (json_int_t)f->blocks, "warpgroup", (json_int_t)f->first_warpgroup, "warpgroups",
                     (json_int_t)f->warpgroups, "iteration", (json_int_t)f->first_iteration, "iterations",
                     (json_int_t)f->iterations, "last", (int)f->last, "no_bytes", (int)f->no_bytes);
}

enum status tap_answer_make(const struct tap_answer *a, const bool *chosen, struct fo_answer *answer, struct error *e)
{
    const struct tap_plan *p = &a->plan;
    struct lines lines = {a->text, 0, 1};
    struct text text = {0};
    bool differs = false;
    text_of_sites(p->sites, chosen, &lines, &text);
    text_add(&text, "\n%" PRIu32 " points, %" PRIu32 " streams, %" PRIu64 " bytes of capture in %s\n", p->point_count,
             p->stream_count, p->bytes, a->options->out);
    json_t *comparison = a->compared ? compare(a, &text, &differs) : json_null();
    if (differs)
        text_add(&text, "a smaller tap may do: --no-bytes, or fewer sites (--sites, --function)\n");
    if (!a->compared)
        text_add(&text, "not held against ptxas: no --ptxas\n");
    enum fo_verdict verdict = differs ? FO_DIFFERS : FO_CONFORMS;
    text_add(&text, "%s\n", fo_verdict_name(verdict));
    json_t *document =
        json_pack("{s:s, s:o, s:o, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:s}", "schema", SITES_SCHEMA, "in",
                  json_name(a->options->in), "out", json_name(a->options->out), "target", p->sites->target, "filter",
                  json_of_filter(&p->filter), "head_bytes", (json_int_t)p->head_bytes, "bytes", (json_int_t)p->bytes,
                  "sites", json_of_sites(p->sites, chosen, &lines), "streams", json_of_streams(p, &lines), "ptxas",
                  comparison, "verdict", fo_verdict_name(verdict));
    return answer_make(verdict, document, &text, answer, e);
}
