#include "oracle/diagnose/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reference/number.h"

enum { NAME = 128, WIDTH = 110, LABEL = 14, LINE = 1200 };

enum fo_verdict report_verdict(const struct report *r)
{
    return !r->broke && coded_conforms(r->r) ? FO_CONFORMS : FO_DIFFERS;
}

/* Of every kind together. */
static struct explained whole(const struct finding *f)
{
    struct explained x = f->map;
    x.differing += f->pair.differing + f->guard.differing;
    x.explained += f->pair.explained + f->guard.explained;
    x.spoiled += f->pair.spoiled + f->guard.spoiled;
    return x;
}

/* A label at the margin and text behind it, wrapped at blanks; a label of "" goes on with the one before. */
static void text_of_part(struct text *t, const char *label, const char *text)
{
    size_t room = WIDTH - LABEL;
    do {
        size_t length = strlen(text), end = length;
        if (length > room)
            for (end = room; end > 0 && text[end] != ' ';)
                end--;
        if (end == 0)
            end = length; /* a word longer than a line */
        text_add(t, "%-*s%.*s\n", LABEL, label, (int)end, text);
        text += end + (text[end] == ' ');
        label = "";
    } while (*text);
}

static void text_of_line(struct text *t, const char *label, const char *format, ...) STATUS_PRINTF(3, 4);
static void text_of_line(struct text *t, const char *label, const char *format, ...)
{
    char line[LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    text_of_part(t, label, line);
}

/* "order v00 .. (R0 = v00 v01, ..)" */
static const char *order_text(const uint8_t order[8], char text[NAME])
{
    size_t used = (size_t)snprintf(text, NAME, "order");
    for (int i = 0; i < 8; i++)
        used += (size_t)snprintf(text + used, NAME - used, " v%02u", order[i]);
    for (int i = 0; i < 4; i++)
        used += (size_t)snprintf(text + used, NAME - used, "%sR%d = v%02u v%02u", i ? ", " : " (", i, order[2 * i],
                                 order[2 * i + 1]);
    snprintf(text + used, NAME - used, ")");
    return text;
}

static void text_of_fault(struct text *t, const struct choice *c)
{
    char name[NAME], found[NAME], wanted[NAME];
    bool order = c->is->depth == DEPTH_REGISTER;
    choice_text(c, name, sizeof name);
    text_of_line(t, c->is->id ? c->is->id : "order", "%s, in the stage %s", c->is->id ? strchr(name, ' ') + 1 : name,
                 c->is->stage);
    text_of_line(t, "", "%s", c->is->what);
    text_of_line(t, "  found", "%s", order ? order_text(c->order, found) : c->is->found);
    text_of_line(t, "  wanted", "%s", order ? order_text(order_wanted, wanted) : c->is->wanted);
}

/* "F05 warp-counts-producer (64 features) with F21 scale-odd-block" */
static const char *names_text(const struct finding *f, char text[2 * NAME])
{
    char name[NAME];
    size_t used = 0;
    for (size_t i = 0; i < f->count; i++)
        used += (size_t)snprintf(text + used, 2 * NAME - used, "%s%s", i ? " with " : "",
                                 choice_text(&f->fault[i], name, sizeof name));
    return text;
}

static void text_of_verdict(struct text *t, const struct report *r)
{
    const struct diagnosis *d = r->d;
    char names[2 * NAME];
    if (r->broke)
        text_add(t, "verdict: differs: %s\n", r->broke);
    else if (!d)
        text_add(t, "verdict: %s\n", fo_verdict_name(report_verdict(r)));
    else if (report_verdict(r) == FO_CONFORMS)
        text_add(t, "verdict: conforms: nothing is wrong in %zu observations\n", d->compared);
    else if (d->state == DIAGNOSIS_EXPLAINED)
        text_add(t, "verdict: differs: %s%s\n", names_text(&d->finding[0], names),
                 finding_has_names(&d->finding[0]) ? "" : ", which has no name in the catalogue");
    else if (d->right.differing > 0)
        text_add(t, "verdict: differs: unknown, no known fault alone or with another gives these outputs\n");
    else
        text_add(t, "verdict: differs: unknown, every source is right\n");
}

static void text_of_explained(struct text *t, const struct report *r)
{
    const struct diagnosis *d = r->d;
    const struct finding *f = &d->finding[0];
    char names[2 * NAME];
    for (size_t i = 0; i < f->count; i++)
        text_of_fault(t, &f->fault[i]);
    text_of_line(t, "evidence", "all %zu wrong observations of %zu explained exactly, no right one spoiled; %zu tried",
                 whole(f).explained, d->compared, d->tried);
    for (size_t i = 1; i < d->exact && i < DIAGNOSIS_EXACT; i++)
        text_of_line(t, i == 1 ? "equivalent" : "", "the same outputs at this shape: %s",
                     names_text(&d->finding[i], names));
}

static void text_of_unknown(struct text *t, const struct report *r)
{
    const struct diagnosis *d = r->d;
    char names[2 * NAME];
    text_of_line(t, "evidence", "%zu of %zu observations are wrong; %zu explanations tried", d->right.differing,
                 d->compared, d->tried);
    for (size_t i = 0; i < d->nearest; i++) {
        struct explained x = whole(&d->near[i]);
        text_of_line(t, i == 0 ? "nearest" : "", "%s: explains %zu of %zu and would spoil %zu",
                     names_text(&d->near[i], names), x.explained, x.differing, x.spoiled);
    }
}

static void text_of_other_signs(struct text *t, const struct coded_result *r)
{
    if (!r->repeats)
        text_of_line(t, "unsteady",
                     "the same launch gave other bits: a race, such as F38 proxy-fence-missing, F44 "
                     "register-overwrite or F34 nondeterminism");
    if (r->miscounted)
        text_of_line(t, "counted", "%zu launches issued another number of wgmma than their tiles need", r->miscounted);
    if (r->report.status_word)
        text_of_line(t, "status", "word %" PRIu32 ", although no segment is bad", r->report.status_word);
}

/* One line each, and only what there is. */
static void text_of_counts(struct text *t, const struct coded_result *r)
{
    struct source_counts c = source_map_count(&r->map);
    const struct source_count *count[] = {&c.value, &c.scale, &c.row};
    static const char *const name[] = {"values", "scales", "rows"}, *label = "sources";
    for (int i = 0; i < 3; i++) {
        const size_t number[] = {count[i]->right,     count[i]->moved,   count[i]->zero,
                                 count[i]->unwritten, count[i]->mixture, count[i]->unknown};
        static const char *const what[] = {"right",     "from elsewhere", "zero",
                                           "unwritten", "a mixture",      "of unknown source"};
        char line[LINE];
        int used = snprintf(line, sizeof line, "%s:", name[i]);
        if (i == 1 && r->scale_planes == 0)
            continue;
        const char *comma = "";
        for (size_t j = 0; j < sizeof what / sizeof *what; j++)
            if (number[j] > 0) {
                used += snprintf(line + used, sizeof line - (size_t)used, "%s %zu %s", comma, number[j], what[j]);
                comma = ",";
            }
        text_of_part(t, i == 0 ? label : "", line);
    }
}

static bool is_hidden(const struct report *r, enum explain_stage stage)
{
    const struct explain_part *part = &r->stages->part[stage];
    return stage == EXPLAIN_ARITHMETIC && part->state == EXPLAIN_UNDECIDED && r->stages->wrong > 0 &&
           r->stages->sums_asked == 0;
}

static void text_of_stage(struct text *t, enum explain_stage stage, const struct explain_part *part)
{
    char line[LINE], label[NAME];
    int used = snprintf(line, sizeof line, "%s", explain_state_name(part->state));
    if (part->wrong)
        used +=
            snprintf(line + used, sizeof line - (size_t)used, ", explains %zu of %zu", part->explained, part->wrong);
    if (part->what[0] && !part->found[0])
        used += snprintf(line + used, sizeof line - (size_t)used, ": %s", part->what);
    if (part->ambiguous >= 0)
        snprintf(line + used, sizeof line - (size_t)used, " (it could as well be the %s: outputs cannot tell)",
                 explain_stage_name((enum explain_stage)part->ambiguous));
    snprintf(label, sizeof label, "  %s", explain_stage_name(stage));
    text_of_part(t, label, line);
    if (part->found[0]) {
        text_of_part(t, "    found", part->found);
        text_of_part(t, "    wanted", part->wanted);
    }
}

/* What is wrong, stage by stage, from the map alone: no list of known faults takes part. */
static void text_of_stages(struct text *t, const struct report *r)
{
    char right[LINE] = "";
    size_t used = 0;
    text_of_line(t, "stages", "from the source map alone:");
    for (int i = 0; i < EXPLAIN_STAGES; i++) {
        enum explain_stage stage = (enum explain_stage)i;
        if (r->stages->part[i].state == EXPLAIN_CONFORMS)
            used += (size_t)snprintf(right + used, sizeof right - used, "%s%s", used ? ", " : "",
                                     explain_stage_name(stage));
        else if (!is_hidden(r, stage))
            text_of_stage(t, stage, &r->stages->part[i]);
    }
    if (used)
        text_of_part(t, "  conform", right);
    if (r->stages->sums_asked)
        text_of_line(t, "  sums", "%zu of %zu sums of a dense product are those of the factors found",
                     r->stages->sums_predicted, r->stages->sums_asked);
    if (is_hidden(r, EXPLAIN_ARITHMETIC))
        text_of_line(t, "  arithmetic", "not judged while values are misplaced");
}

static void text_of_smallest(struct text *t, const struct report *r)
{
    const struct smallest *s = r->smallest;
    if (!s->output) {
        text_of_line(t, "smallest", "P,N,K = %zu,%zu,%zu: %s", s->asked.P, s->asked.N, s->asked.K, s->what);
    } else {
        text_of_line(t, "smallest",
                     "P,N,K = %zu,%zu,%zu: out[%" PRIu32 "][%" PRIu32 "], where row %" PRIu32
                     " of x is 1 at k = %" PRIu32 " and 0 elsewhere",
                     s->asked.P, s->asked.N, s->asked.K, s->p, s->n, s->p, s->k);
        if (s->numbers && !s->unwritten)
            text_of_line(t, "  found", "%g: %s", (double)bf16_decode(s->found), s->took);
        else
            text_of_part(t, "  found", s->took);
        if (s->numbers)
            text_of_line(t, "  wanted", "%g: %s", (double)bf16_decode(s->expected), s->wanted);
        else
            text_of_part(t, "  wanted", s->wanted);
    }
    if (r->repeat_smallest)
        text_of_line(t, "  repeat", "%s", r->repeat_smallest);
}

size_t report_not_asked(const struct report *r, const char *what[REPORT_NOT_ASKED])
{
    size_t count = 0;
    if (!r->r)
        return 0;
    if (r->r->scale_planes == 0)
        what[count++] = "scales (the subject has none)";
    if (r->limits->no_segments)
        what[count++] = "experts and segments (a dense product)";
    else if (!r->r->guard.asked)
        what[count++] = "bad segments (the subject takes legal ones)";
    if (r->r->pair_planes == 0)
        what[count++] = "decoding (its type has no value for some of the codes)";
    if (r->r->special.count == 0)
        what[count++] = "special weights: Inf and NaN (its type or its scales have none)";
    return count;
}

static void text_of_wrong(struct text *t, const struct report *r)
{
    const struct coded_result *c = r->r;
    bool sources_right = r->stages->wrong == 0;
    if (r->d && r->d->state == DIAGNOSIS_EXPLAINED)
        text_of_explained(t, r);
    else if (r->d && r->d->right.differing > 0)
        text_of_unknown(t, r);
    if (c->dense_differing && sources_right)
        text_of_line(t, "sums", "%zu of %zu of the dense product differ", c->dense_differing, c->dense_count);
    if (c->special.differing && sources_right)
        text_of_line(t, "special", "%zu of %zu sums of NaN, Inf and subnormal weights differ", c->special.differing,
                     c->special.count);
    text_of_other_signs(t, c);
    text_of_counts(t, c);
}

void report_text(const struct report *r, struct text *t)
{
    const char *what[REPORT_NOT_ASKED];
    size_t not_asked = report_not_asked(r, what);
    text_add(t, "%s %s on %s (%s), P,N,K = %zu,%zu,%zu, experts %zu\n",
             r->d || r->broke ? "diagnosis of" : "what is implemented by", r->subject, r->executor, r->fidelity,
             r->asked.P, r->asked.N, r->asked.K, r->asked.experts);
    text_of_verdict(t, r);
    if (!r->broke && report_verdict(r) != FO_CONFORMS)
        text_of_wrong(t, r);
    for (size_t i = 0; i < not_asked; i++)
        text_of_line(t, i == 0 ? "not asked" : "", "%s", what[i]);
    if (r->smallest)
        text_of_smallest(t, r);
    if (r->stages)
        text_of_stages(t, r);
    if (r->note && *r->note)
        text_of_line(t, "note", "%s", r->note);
    text_add(t, "repeat:  %s\n", r->repeat);
}
