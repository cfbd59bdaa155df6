#include "oracle/infer/site_fault.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/infer/site_scale.h"

enum { SHOWN = 8 };

static double found_number(const struct site_samples *s, size_t i)
{
    return site_type_decode(s->matrix->type, s->sample[i].found);
}
static double wanted_number(const struct site_samples *s, size_t i)
{
    return site_type_decode(s->matrix->type, s->sample[i].want);
}
static unsigned code_of(const struct site_samples *s, size_t i)
{
    return s->matrix->source->code[(size_t)s->sample[i].row * s->matrix->columns + s->sample[i].column];
}

/* Does one relation hold between what is found and what is wanted, in every sample? */
typedef bool relation(double found, double wanted);
static bool is_zero(double found, double wanted)
{
    (void)wanted;
    return found == 0;
}
static bool is_negated(double found, double wanted)
{
    return found == -wanted;
}
static bool is_unsigned(double found, double wanted)
{
    return found == fabs(wanted);
}
static const struct {
    relation *holds;
    const char *cause;
} relations[] = {
    {is_zero, "every slot holds zero"},
    {is_negated, "every value has the wrong sign"},
    {is_unsigned, "the sign is lost: every value is the magnitude of what it should be"},
};

static bool explain_relation(const struct site_samples *s, struct site_fault *out)
{
    for (size_t r = 0; r < sizeof relations / sizeof *relations; r++) {
        bool all = true;
        for (size_t i = 0; i < s->count && all; i++)
            all = relations[r].holds(found_number(s, i), wanted_number(s, i));
        if (all) {
            out->stage = "values";
            snprintf(out->cause, sizeof out->cause, "%s", relations[r].cause);
            return true;
        }
    }
    return false;
}

/* 16-bit values whose bytes changed places. */
static bool explain_bytes(const struct site_samples *s, struct site_fault *out)
{
    bool all = s->matrix->type->bits == 16;
    for (size_t i = 0; i < s->count && all; i++) {
        uint32_t w = s->sample[i].want;
        all = s->sample[i].found == ((w << 8 | w >> 8) & 0xffffu);
    }
    if (all) {
        out->stage = "values";
        snprintf(out->cause, sizeof out->cause, "the two bytes of every value are exchanged");
    }
    return all;
}

/* What a code is decoded to, once its scale is taken off. */
struct table {
    bool seen[SITE_CODES];
    double value[SITE_CODES];
};

/* Is what is found a function of the code, under the scale that belongs to it? */
static bool decode_table(const struct site_samples *s, struct table *t)
{
    const struct site_source *source = s->matrix->source;
    memset(t, 0, sizeof *t);
    for (size_t i = 0; i < s->count; i++) {
        size_t at = (size_t)s->sample[i].row * s->matrix->columns + s->sample[i].column;
        int power = source->scale ? (int)source->scale[at / SITE_BLOCK] - 127 : 0;
        double value = ldexp(found_number(s, i), -power);
        unsigned code = code_of(s, i);
        if (!isfinite(value) || (t->seen[code] && t->value[code] != value))
            return false;
        t->seen[code] = true;
        t->value[code] = value;
    }
    return true;
}

static bool explain_decode(const struct site_samples *s, struct site_fault *out, struct text *text, json_t *document)
{
    enum site_coding coding = s->matrix->source->coding;
    struct table t;
    if (!s->matrix->source->code || !decode_table(s, &t))
        return false;
    json_t *lines = json_array();
    unsigned wrong = 0, one = 0;
    for (unsigned code = 0; code < SITE_CODES; code++) {
        double right = site_code_value(coding, code);
        if (!t.seen[code] || t.value[code] == right)
            continue;
        wrong++;
        one = code;
        text_add(text, "    code %u is decoded to %g, should be %g\n", code, t.value[code], right);
        json_array_append_new(lines, json_pack("{s:i, s:o, s:o}", "code", (int)code, "found",
                                               json_number(t.value[code]), "expected", json_number(right)));
    }
    json_object_set_new(document, "decode_table_wrong", lines);
    out->stage = "decode";
    if (wrong == 1)
        snprintf(out->cause, sizeof out->cause, "the decode table: code %u gives %g instead of %g", one, t.value[one],
                 site_code_value(coding, one));
    else
        snprintf(out->cause, sizeof out->cause, "the decode table: %u of 16 codes give a wrong value", wrong);
    return true;
}

static void list_samples(const struct site_samples *s, struct text *text, json_t *document)
{
    json_t *list = json_array();
    size_t listed = 0;
    for (size_t i = 0; i < s->count && listed < SHOWN; i++) {
        const struct site_sample *p = &s->sample[i];
        if (p->found == p->want)
            continue;
        listed++;
        text_add(text, "    element (%u,%u): expected %g (0x%x), found %g (0x%x)\n", p->row, p->column,
                 wanted_number(s, i), p->want, found_number(s, i), p->found);
        json_array_append_new(list, json_pack("{s:i, s:i, s:I, s:I}", "i", (int)p->row, "j", (int)p->column, "expected",
                                              (json_int_t)p->want, "found", (json_int_t)p->found));
    }
    json_object_set_new(document, "samples", list);
}

enum status site_fault_name(const struct site_samples *s, struct site_fault *out, struct text *text, json_t *document,
                            struct error *e)
{
    struct site_fault f = {.stage = "values"};
    bool known = explain_relation(s, &f) || explain_bytes(s, &f);
    if (!known) {
        enum status st = site_scale_explain(s, &f, &known, text, document, e);
        if (st != STATUS_OK)
            return st;
    }
    /* One factor for all would be a table too: the scales come first. */
    known = known || explain_decode(s, &f, text, document);
    f.known = known;
    if (!known)
        snprintf(f.cause, sizeof f.cause, "no known decode or scale fault explains the values: %zu of %zu are wrong",
                 s->wrong, s->count);
    if (!known || strcmp(f.stage, "values") == 0)
        list_samples(s, text, document);
    json_object_set_new(document, "cause", json_string(f.cause));
    *out = f;
    return STATUS_OK;
}
