#include "oracle/answer/map.h"

#include <stdio.h>
#include <string.h>

#include "oracle/answer/heatmap.h"
#include "oracle/io/json.h"

enum { THREAD, REG, PART };
enum { DIGITS = 6, TITLE = 160 };

enum status map_make(const char *op, const char *operand, struct map *out, struct error *e)
{
    static const char *const operand_names[] = {[FRAGMENT_A] = "A", [FRAGMENT_D] = "D"};
    struct map m = {.operand = NULL};
    struct wgmma_op parsed;
    enum fragment_operand which;
    if (!op || !operand)
        return error_set(e, STATUS_BAD_ARGUMENT, "a map needs an operation and an operand, A or D");
    enum status s = wgmma_parse(op, &parsed, e);
    if (s == STATUS_OK)
        s = fragment_operand_parse(operand, &which, e);
    if (s == STATUS_OK)
        s = fragment_map(&parsed, which, &m.forward, e);
    if (s == STATUS_OK)
        s = layout_invert(&m.forward, &m.inverse, e);
    if (s != STATUS_OK)
        return s;
    wgmma_format(&parsed, m.op);
    m.operand = operand_names[which];
    *out = m;
    return STATUS_OK;
}

void map_free(struct map *m)
{
    layout_free(&m->forward);
    layout_free(&m->inverse);
}

/* `count` decimal numbers with `separator` between them and nothing else. */
static bool read_numbers(const char *text, char separator, int count, uint32_t *number)
{
    for (int i = 0; i < count; i++) {
        int digits = 0;
        number[i] = 0;
        for (; *text >= '0' && *text <= '9' && digits < DIGITS; text++, digits++)
            number[i] = 10 * number[i] + (uint32_t)(*text - '0');
        if (digits == 0 || *text++ != (i + 1 < count ? separator : '\0'))
            return false;
    }
    return true;
}

enum status map_parse_slot(const struct map *m, const char *text, struct point *slot, struct error *e)
{
    struct point read = {{0}};
    const struct box *b = &m->forward.domain;
    if (!read_numbers(text, '.', 3, read.at)) {
        error_set(e, STATUS_BAD_ARGUMENT, "'%.40s' is no slot; write THREAD.REG.PART, as in 5.2.0", text);
        return error_at_field(e, "slot"), STATUS_BAD_ARGUMENT;
    }
    if (!box_contains(b, &read)) {
        error_set(e, STATUS_BAD_ARGUMENT, "no slot %.40s in %s: threads 0 to %u, registers 0 to %u, parts 0 to %u",
                  text, m->operand, b->extent[THREAD] - 1, b->extent[REG] - 1, b->extent[PART] - 1);
        return error_at_field(e, "slot"), STATUS_BAD_ARGUMENT;
    }
    *slot = read;
    return STATUS_OK;
}

enum status map_parse_element(const struct map *m, const char *text, struct point *element, struct error *e)
{
    struct point read = {{0}};
    const struct box *b = &m->forward.codomain;
    if (!read_numbers(text, ',', 2, read.at)) {
        error_set(e, STATUS_BAD_ARGUMENT, "'%.40s' is no element; write I,J, as in 1,11", text);
        return error_at_field(e, "element"), STATUS_BAD_ARGUMENT;
    }
    if (!box_contains(b, &read)) {
        error_set(e, STATUS_BAD_ARGUMENT, "no element %.40s in %s: i 0 to %u, j 0 to %u", text, m->operand,
                  b->extent[0] - 1, b->extent[1] - 1);
        return error_at_field(e, "element"), STATUS_BAD_ARGUMENT;
    }
    *element = read;
    return STATUS_OK;
}

json_t *json_of_slot(const struct point *slot)
{
    return json_pack("{s:s, s:i, s:i, s:i}", "space", "reg", "thread", (int)slot->at[THREAD], "reg", (int)slot->at[REG],
                     "part", (int)slot->at[PART]);
}

json_t *json_of_element(const struct point *element)
{
    return json_pack("{s:i, s:i}", "i", (int)element->at[0], "j", (int)element->at[1]);
}

json_t *json_of_box(const struct box *b)
{
    json_t *extents = json_object();
    for (int d = 0; d < b->rank; d++)
        json_object_set_new(extents, b->name[d], json_integer(b->extent[d]));
    return extents;
}

json_t *json_of_basis(const struct layout *l)
{
    json_t *basis = json_object();
    for (int d = 0; d < l->domain.rank; d++) {
        json_t *images = json_array();
        for (int bit = 0; 1u << bit < l->domain.extent[d]; bit++)
            json_array_append_new(images, json_pack("[i,i]", (int)l->image[d][bit].at[0], (int)l->image[d][bit].at[1]));
        json_object_set_new(basis, l->domain.name[d], images);
    }
    return basis;
}

/* One slot and its element, asked from either side. */
static enum status answer_query(const struct map *m, const struct fo_map_options *o, json_t *document,
                                struct text *text, struct error *e)
{
    struct point slot, element;
    enum status s;
    if (o->slot) {
        s = map_parse_slot(m, o->slot, &slot, e);
        if (s == STATUS_OK)
            element = layout_apply(&m->forward, &slot);
    } else {
        s = map_parse_element(m, o->element, &element, e);
        if (s == STATUS_OK)
            slot = layout_apply(&m->inverse, &element);
    }
    if (s != STATUS_OK)
        return s;
    json_object_set_new(document, "slot", json_of_slot(&slot));
    json_object_set_new(document, "element", json_of_element(&element));
    text_add(text, "%s %s: thread %u, register %u, part %u holds element (%u,%u)\n", m->op, m->operand, slot.at[THREAD],
             slot.at[REG], slot.at[PART], element.at[0], element.at[1]);
    return STATUS_OK;
}

static void describe_whole(const struct map *m, json_t *document)
{
    json_object_set_new(document, "slots", json_of_box(&m->forward.domain));
    json_object_set_new(document, "elements", json_of_box(&m->forward.codomain));
    json_object_set_new(document, "kind", json_string(layout_kind_name(m->forward.kind)));
    json_object_set_new(document, "basis", json_of_basis(&m->forward));
}

/* One question at a time: a query and a comparison have one form each. */
static enum status check_options(const struct fo_map_options *o, struct error *e)
{
    if (!!o->slot + !!o->element + !!o->against > 1)
        return error_set(e, STATUS_BAD_ARGUMENT, "ask for one thing: a slot, an element, or what a dump holds");
    if (o->format && (o->slot || o->element || o->against))
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "a format is for the whole map; a query and a comparison have their own");
    return STATUS_OK;
}

static enum status answer_map(const struct map *m, const struct fo_map_options *o, struct fo_answer *answer,
                              struct error *e)
{
    struct text text = {0};
    enum fo_verdict verdict = FO_NOT_APPLICABLE;
    json_t *document = json_pack("{s:s, s:s, s:s}", "schema", "fragoracle.map/1", "op", m->op, "operand", m->operand);
    enum status s;
    if (o->slot || o->element) {
        s = answer_query(m, o, document, &text, e);
    } else if (o->against) {
        s = map_against(m, o->against, document, &text, &verdict, e);
    } else {
        describe_whole(m, document);
        s = map_format(m, o->format, &text, e);
    }
    if (s == STATUS_OK && o->png) {
        char title[TITLE];
        snprintf(title, sizeof title, "%s, operand %s", m->op, m->operand);
        s = heatmap_fragment(o->png, &m->forward, title, e);
    }
    if (s == STATUS_OK)
        return answer_make(verdict, document, &text, answer, e);
    json_decref(document);
    text_free(&text);
    return s;
}

int fo_map(const struct fo_map_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e;
    struct map m = {.operand = NULL};
    enum status s = check_options(o, &e);
    if (s == STATUS_OK)
        s = map_make(o->op, o->operand, &m, &e);
    if (s == STATUS_OK)
        s = answer_map(&m, o, answer, &e);
    map_free(&m);
    return answer_end(s, &e, error);
}
