/* The sentences and formulas of an explanation. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "probes/explain_parts.h"

STATUS_PRINTF(2, 3) static void append(char text[EXPLAIN_TEXT], const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, EXPLAIN_TEXT - used, format, arguments);
    va_end(arguments);
}

static const char *separator(const char *text)
{
    return text[0] ? ", " : "";
}

/* "n + 64, k ^ 8" beside "n, k": the coordinates that change. */
static void say_rule(struct explain_part *p, const struct source_rule *r)
{
    char formula[RULE_TEXT];
    for (int c = 0; c < 2; c++) {
        if (r->at[c].family == RULE_IDENTITY)
            continue;
        append(p->found, "%s%s", separator(p->found), source_rule_format(r, c, formula));
        append(p->wanted, "%s%s", separator(p->wanted), r->name[c]);
    }
}

static void say_pack(char text[EXPLAIN_TEXT], const uint8_t *order, unsigned slots)
{
    append(text, "pack order");
    for (unsigned s = 0; s < slots; s++)
        append(text, " v%02u", order[s]);
}

static void say_formulas(struct explain_part *p)
{
    if (p->pack_slots) {
        say_pack(p->found, p->pack_order, p->pack_slots);
        say_pack(p->wanted, p->pack_wanted, p->pack_slots);
    } else {
        say_rule(p, &p->rule);
        say_rule(p, &p->expert);
    }
}

static void say_sets(struct explain_part *p)
{
    for (int i = 0; i < p->sets; i++) {
        const struct explain_set *s = &p->set[i];
        if (s->effect == EXPLAIN_IS_SCALED)
            append(p->what, "%stimes 2^%d where %s", separator(p->what), s->exponent, s->where.text);
        else if (s->effect == EXPLAIN_IS_CONSTANT && s->exponent != EXPLAIN_NO_EXPONENT)
            append(p->what, "%s%s, but times 2^%d, where %s", separator(p->what), explain_effect_name(s->effect),
                   s->exponent, s->where.text);
        else
            append(p->what, "%s%s where %s", separator(p->what), explain_effect_name(s->effect), s->where.text);
    }
}

static const char *subject_of(enum explain_stage g)
{
    static const char *const subjects[] = {"the code of a weight comes from",
                                           "the scale of a weight comes from",
                                           "A holds",
                                           "x is read at",
                                           "an output comes from accumulator",
                                           "an output comes from"};
    return subjects[g];
}

void explain_say(struct explain_part *p, enum explain_stage g)
{
    p->what[0] = p->found[0] = p->wanted[0] = 0;
    if (p->state != EXPLAIN_DIFFERS && p->state != EXPLAIN_UNDECIDED)
        return;
    say_formulas(p);
    if (p->found[0] && g < EXPLAIN_ARITHMETIC)
        append(p->what, "%s %s instead of %s", subject_of(g), p->found, p->wanted);
    say_sets(p);
    if (p->state == EXPLAIN_UNDECIDED && p->wrong > p->explained)
        append(p->what, "%s%zu of %zu wrong observations are no formula: see the map", separator(p->what),
               p->wrong - p->explained, p->wrong);
    if (p->ambiguous < 0)
        return;
    append(p->what, " (or the %s", explain_stage_name((enum explain_stage)p->ambiguous));
    for (int s = 0; s < EXPLAIN_STAGES; s++)
        if (p->also >> s & 1 && s != p->ambiguous)
            append(p->what, ", or the %s", explain_stage_name((enum explain_stage)s));
    append(p->what, ": outputs cannot tell)");
}
