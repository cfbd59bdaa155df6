#include "oracle/diagnose/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reference/number.h"

enum { NAME = 128 };

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

static void text_of_order(struct text *t, const uint8_t order[8])
{
    text_add(t, "order");
    for (int i = 0; i < 8; i++)
        text_add(t, " v%02u", order[i]);
}

static void text_of_registers(struct text *t, const uint8_t order[8])
{
    for (int i = 0; i < 4; i++)
        text_add(t, "%sR%d = v%02u v%02u", i ? ", " : "", i, order[2 * i], order[2 * i + 1]);
}

static bool is_order(const struct choice *c)
{
    return c->is->depth == DEPTH_REGISTER;
}

static void text_of_fault(struct text *t, const struct choice *c)
{
    char name[NAME];
    text_add(t, "  %s\n    %s\n    stage     %s\n", choice_text(c, name, sizeof name), c->is->what, c->is->stage);
    if (is_order(c)) {
        text_add(t, "    found     ");
        text_of_order(t, c->order);
        text_add(t, "    (");
        text_of_registers(t, c->order);
        text_add(t, ")\n    wanted    ");
        text_of_order(t, order_wanted);
        text_add(t, "    (");
        text_of_registers(t, order_wanted);
        text_add(t, ")\n");
    } else
        text_add(t, "    found     %s\n    wanted    %s\n", c->is->found, c->is->wanted);
}

static void text_of_names(struct text *t, const struct finding *f)
{
    char name[NAME];
    for (size_t i = 0; i < f->count; i++)
        text_add(t, "%s%s", i ? " with " : "", choice_text(&f->fault[i], name, sizeof name));
}

static void text_of_explained(struct text *t, const struct report *r)
{
    const struct diagnosis *d = r->d;
    const struct finding *f = &d->finding[0];
    struct explained x = whole(f);
    if (f->count == 2)
        text_add(t, "  two faults together:\n");
    for (size_t i = 0; i < f->count; i++)
        text_of_fault(t, &f->fault[i]);
    text_add(t, "  evidence    all %zu wrong observations of %zu explained exactly, none of the right ones spoiled\n",
             x.explained, d->compared);
    text_add(t,
             "              of values, scales and rows %zu, of pairs %zu, of the guard %zu; %zu explanations tried\n",
             f->map.differing, f->pair.differing, f->guard.differing, d->tried);
    for (size_t i = 1; i < d->exact && i < DIAGNOSIS_EXACT; i++) {
        text_add(t, "  equivalent  the same outputs at this shape as ");
        text_of_names(t, &d->finding[i]);
        text_add(t, "\n");
    }
    if (!finding_has_names(f))
        text_add(t, "  name        unknown: no fault of the catalogue, but the order above is what the kernel does\n");
}

static void text_of_other_signs(struct text *t, const struct coded_result *r)
{
    if (!r->repeats)
        text_add(t, "  unsteady    the same launch gave other bits: a race, such as F38 proxy-fence-missing, F44 "
                    "register-overwrite or F34 nondeterminism\n");
    if (r->miscounted)
        text_add(t, "  counted     %zu launches issued another number of wgmma than their tiles need\n", r->miscounted);
    if (r->report.status_word)
        text_add(t, "  status      word %" PRIu32 ", although no segment is bad\n", r->report.status_word);
}

static void text_of_unknown(struct text *t, const struct report *r)
{
    const struct diagnosis *d = r->d;
    text_add(t, "  unknown");
    if (d->right.differing == 0) {
        text_add(t, ": every source is right");
        if (r->r->dense_differing)
            text_add(t, ", but %zu of %zu sums of the dense product differ", r->r->dense_differing, r->r->dense_count);
        text_add(t, "\n");
        return;
    }
    text_add(t, ": no known fault, alone or with another, gives these outputs (%zu tried)\n", d->tried);
    for (size_t i = 0; i < d->nearest; i++) {
        struct explained x = whole(&d->near[i]);
        text_add(t, "  nearest     ");
        text_of_names(t, &d->near[i]);
        text_add(t, ": explains %zu of %zu and would spoil %zu\n", x.explained, x.differing, x.spoiled);
    }
}

static void text_of_counts(struct text *t, const struct coded_result *r)
{
    struct source_counts c = source_map_count(&r->map);
    const struct source_count *count[] = {&c.value, &c.scale, &c.row};
    static const char *const name[] = {"values", "scales", "rows"};
    for (int i = 0; i < 3; i++) {
        if (i == 1 && r->scale_planes == 0)
            continue;
        text_add(t, "  %-11s %zu right, %zu moved, %zu zero, %zu unwritten, %zu mixture, %zu unknown\n", name[i],
                 count[i]->right, count[i]->moved, count[i]->zero, count[i]->unwritten, count[i]->mixture,
                 count[i]->unknown);
    }
}

/* What is wrong, stage by stage, from the map alone: no list of known faults takes part. */
static void text_of_stages(struct text *t, const struct explanation *x)
{
    text_add(t, "  stages\n");
    for (int i = 0; i < EXPLAIN_STAGES; i++) {
        const struct explain_part *part = &x->part[i];
        text_add(t, "    %-11s %s", explain_stage_name((enum explain_stage)i), explain_state_name(part->state));
        if (part->wrong)
            text_add(t, ", explains %zu of %zu", part->explained, part->wrong);
        text_add(t, "%s%s\n", part->what[0] ? ": " : "", part->what);
        if (part->found[0])
            text_add(t, "                found   %s\n                wanted  %s\n", part->found, part->wanted);
        if (part->ambiguous >= 0)
            text_add(t, "                (the stage %s could as well be it)\n",
                     explain_stage_name((enum explain_stage)part->ambiguous));
    }
}

static void text_of_smallest(struct text *t, const struct report *r)
{
    const struct smallest *s = r->smallest;
    text_add(t, "  smallest    P,N,K = %zu,%zu,%zu: ", s->asked.P, s->asked.N, s->asked.K);
    if (!s->output)
        text_add(t, "%s\n", s->what);
    else {
        text_add(t,
                 "out[%" PRIu32 "][%" PRIu32 "], where row %" PRIu32 " of x is 1 at k = %" PRIu32
                 " and 0 elsewhere,\n              expected %g, ",
                 s->p, s->n, s->p, s->k, (double)bf16_decode(s->expected));
        if (s->unwritten)
            text_add(t, "never written\n");
        else
            text_add(t, "found %g\n", (double)bf16_decode(s->found));
        text_add(t, "              should take %s\n              took %s\n", s->wanted, s->took);
    }
    text_add(t, "              %s\n", r->repeat_smallest);
}

void report_text(const struct report *r, struct text *t)
{
    enum fo_verdict verdict = report_verdict(r);
    text_add(t, "diagnosis of %s on %s (%s), P,N,K = %zu,%zu,%zu, experts %zu\n", r->subject, r->executor, r->fidelity,
             r->asked.P, r->asked.N, r->asked.K, r->asked.experts);
    if (r->broke)
        text_add(t, "  the subject broke: %s\n", r->broke);
    else {
        if (verdict == FO_CONFORMS)
            text_add(t,
                     "  nothing is wrong: every value, scale, row, pair and sum is what it should be (%zu "
                     "observations)\n",
                     r->d->compared);
        else if (r->d->state == DIAGNOSIS_EXPLAINED)
            text_of_explained(t, r);
        else
            text_of_unknown(t, r);
        text_of_other_signs(t, r->r);
        if (verdict != FO_CONFORMS)
            text_of_counts(t, r->r);
    }
    if (r->stages)
        text_of_stages(t, r->stages);
    if (r->smallest)
        text_of_smallest(t, r);
    text_add(t, "verdict: %s\nrepeat:  %s\n", fo_verdict_name(verdict), r->repeat);
}
