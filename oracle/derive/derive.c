/* derive: the answer to fo_derive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/derive/emit.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static enum status plan_loader(const struct tile *t, struct loader *l, struct error *e)
{
    enum status s = plan_find(&l->packing.values, t, 0, &l->values, e);
    if (s == STATUS_OK && l->packing.scaled)
        s = plan_find(&l->packing.scales, t, l->values.steps, &l->scales, e);
    l->n_multiple = larger(l->values.n_multiple, l->packing.scaled ? l->scales.n_multiple : 1);
    l->k_multiple = larger(l->values.k_multiple, l->packing.scaled ? l->scales.k_multiple : 1);
    return s;
}

static enum status derive_make(const char *op, const char *from, struct derived *d, struct error *e)
{
    struct loader *wide = &d->wide;
    enum status s = tile_make(op, &d->tile, e);
    if (s == STATUS_OK)
        s = packing_find(from, &d->direct.packing, e);
    const struct packing *p = &d->direct.packing;
    if (s == STATUS_OK)
        s = convert_find(p->code, p->values.bits, p->scaled, d->tile.op.family->a, (uint32_t)d->tile.op.family->a_bits,
                         &d->conversion, e);
    if (s == STATUS_OK)
        s = plan_loader(&d->tile, &d->direct, e);
    if (s != STATUS_OK)
        return s;
    wgmma_format(&d->tile.op, d->op);
    snprintf(d->from, sizeof d->from, "%s", from);
    for (char *c = d->from; *c; c++) /* it stands in a comment of the C */
        if (*c < ' ' || *c > '~' || *c == '*' || *c == '\\')
            *c = '?';
    d->preswizzled = d->direct.values.width < PLAN_WIDTH;
    if (!d->preswizzled)
        return STATUS_OK;
    wide->packing = *p;
    wide->packing.values = preswizzle_values(&d->tile, p->values.bits);
    if (p->scaled)
        wide->packing.scales =
            preswizzle_scales(&d->tile, (uint32_t)d->tile.op.family->a_bits / p->values.bits, p->scales.share);
    return plan_loader(&d->tile, wide, e);
}

/* ---- layout.txt ----------------------------------------------------------------------------------------------------
 */

static enum status add_storage_layout(const struct storage *s, const struct tile *t, uint32_t steps, const char *title,
                                      const char *format, struct text *out, struct error *e)
{
    struct layout window;
    enum status st = emit_window(s, t, steps, &window, e);
    if (st != STATUS_OK)
        return st;
    if (strcmp(format, "linear") != 0) {
        text_add(out, "%s cute: ", title);
        st = emit_cute(&window, out, e);
    }
    if (st == STATUS_OK && strcmp(format, "cute") != 0) {
        text_add(out, "%s linear: ", title);
        emit_linear(&window, out);
    }
    layout_free(&window);
    if (s->word_bits) {
        text_add(out, "%s word: bits 0 .. %u of every stored word stand at [", title, s->word_bits - 1);
        for (uint32_t i = 0; i < s->word_bits; i++)
            text_add(out, "%s%u", i ? ", " : "", s->word[i]);
        text_add(out, "]\n");
    }
    return st;
}

static enum status add_loader_layouts(const struct derived *d, const struct loader *l, const char *prefix,
                                      const char *format, struct text *out, struct error *e)
{
    char title[32];
    snprintf(title, sizeof title, "%svalues", prefix);
    enum status s = add_storage_layout(&l->packing.values, &d->tile, l->values.steps, title, format, out, e);
    snprintf(title, sizeof title, "%sscales", prefix);
    if (s == STATUS_OK && l->packing.scaled)
        s = add_storage_layout(&l->packing.scales, &d->tile, l->values.steps, title, format, out, e);
    return s;
}

/* format: "cute", "linear", or anything else for both. */
static enum status add_layouts(const struct derived *d, const char *format, struct text *out, struct error *e)
{
    text_add(
        out,
        "# (thread, (part, register)) of %u step%s of K to (stored row @0, code of the row @1), added to the place "
        "of the tile and window\n",
        d->direct.values.steps, plural(d->direct.values.steps));
    enum status s = add_loader_layouts(d, &d->direct, "", format, out, e);
    if (s == STATUS_OK && d->preswizzled) {
        text_add(out, "# the same for %u step%s, stored anew\n", d->wide.values.steps, plural(d->wide.values.steps));
        s = add_loader_layouts(d, &d->wide, "preswizzled ", format, out, e);
    }
    return s;
}

/* ---- words ---------------------------------------------------------------------------------------------------------
 */

static uint32_t wasted(const struct plan *p, const struct storage *s, const struct tile *t)
{
    return p->clean ? 0 : (p->loads * p->width * 8 - tile_slots(t, p->steps) * s->bits) / 8;
}

static void add_order(const struct derived *d, struct text *out)
{
    uint32_t order[PLAN_SLOTS];
    tile_order(&d->tile, order);
    for (uint32_t i = 0; i < tile_slots(&d->tile, 1); i++)
        text_add(out, "%sv%02u", i ? " " : "", order[i]);
}

static void add_plan_words(const struct derived *d, const struct loader *l, struct text *out)
{
    const struct plan *p = &l->values;
    uint32_t waste = wasted(p, &l->packing.values, &d->tile);
    text_add(out, "%u load%s of %u byte%s for %u step%s of K", p->loads, plural(p->loads), p->width, plural(p->width),
             p->steps, plural(p->steps));
    if (p->steps > 1)
        text_add(out, " (%g a step)", (double)p->loads / p->steps);
    if (p->clean)
        text_add(out, ", no shuffle, no byte wasted");
    else
        text_add(out, ", %u of the bytes loaded for nothing: another thread wants the other bits", waste);
    if (l->packing.scaled)
        text_add(out, "; scales: %u load%s of %u byte%s%s", l->scales.loads, plural(l->scales.loads), l->scales.width,
                 plural(l->scales.width), l->scales.clean ? "" : ", not all of it used");
    emit_needs(l, "; needs ", "", out);
}

static void add_words(const struct derived *d, struct text *out)
{
    text_add(out, "%s, A from %s. Widest load %s: %u byte%s. ", d->op, d->from,
             d->direct.values.clean ? "that needs no shuffle" : "(none does without a shuffle)", d->direct.values.width,
             plural(d->direct.values.width));
    add_plan_words(d, &d->direct, out);
    text_add(out, ".\nRegister order: ");
    add_order(d, out);
    text_add(out, " (a thread's values of one step by row, then column).\n");
    if (!d->preswizzled) {
        text_add(out, "No preswizzle is needed.\n");
        return;
    }
    text_add(out,
             "Of a 16-byte load a thread could use %u byte%s. A preswizzle (blocks of %u rows by %u columns, "
             "fo_preswizzle_values below) allows %u-byte loads: ",
             d->direct.values.wide_used, plural(d->direct.values.wide_used), WGMMA_M,
             d->wide.values.steps * d->tile.step_k, d->wide.values.width);
    add_plan_words(d, &d->wide, out);
    text_add(out, ".\n");
}

/* ---- derive.json ---------------------------------------------------------------------------------------------------
 */

static json_t *json_of_loads(const struct derived *d, const struct plan *p, const struct storage *s)
{
    json_t *loads = json_array(), *slots = json_array();
    for (uint32_t i = 0; i < p->loads; i++)
        json_array_append_new(loads,
                              json_pack("{s:i, s:i}", "n", (int)p->load[i].address.n, "k", (int)p->load[i].address.k));
    /* The bits of a scale stand side by side: one number says where. */
    for (uint32_t slot = 0; slot < tile_slots(&d->tile, p->steps); slot++) {
        json_t *place = json_pack("[i]", (int)p->at[slot]);
        for (uint32_t b = 0; b < (s->share > 1 ? 1 : s->bits); b++)
            json_array_append_new(place, json_integer(p->bit[slot][b]));
        json_array_append_new(slots, place);
    }
    return json_pack("{s:i, s:i, s:b, s:b, s:i, s:o, s:o}", "width", (int)p->width, "steps", (int)p->steps,
                     "shuffle_free", (int)p->clean, "shifted", (int)p->shifted, "wasted_bytes",
                     (int)wasted(p, s, &d->tile), "loads", loads, "slots", slots);
}

static json_t *json_of_loader(const struct derived *d, const struct loader *l)
{
    json_t *o = json_pack("{s:i, s:i, s:o}", "n_multiple", (int)l->n_multiple, "k_multiple", (int)l->k_multiple,
                          "values", json_of_loads(d, &l->values, &l->packing.values));
    if (l->packing.scaled)
        json_object_set_new(o, "scales", json_of_loads(d, &l->scales, &l->packing.scales));
    return o;
}

static json_t *json_of_derived(const struct derived *d, const struct text *c, const struct text *layouts)
{
    uint32_t order[PLAN_SLOTS];
    json_t *names = json_array();
    tile_order(&d->tile, order);
    for (uint32_t i = 0; i < tile_slots(&d->tile, 1); i++)
        json_array_append_new(names, json_integer(order[i]));
    json_t *o = json_pack("{s:s, s:s, s:o, s:s, s:s, s:i, s:i, s:i, s:o, s:o}", "schema", "fragoracle.derive/1", "op",
                          d->op, "layout", json_name(d->from), "code", d->direct.packing.code, "element",
                          d->tile.op.family->a, "step_k", (int)d->tile.step_k, "registers", (int)d->tile.regs, "parts",
                          (int)d->tile.parts, "order", names, "direct", json_of_loader(d, &d->direct));
    json_object_set_new(o, "preswizzled", d->preswizzled ? json_of_loader(d, &d->wide) : json_null());
    json_object_set_new(o, "layouts", json_name(layouts->data ? layouts->data : ""));
    json_object_set_new(o, "c", json_name(c->data ? c->data : ""));
    return o;
}

/* ---- the question --------------------------------------------------------------------------------------------------
 */

static enum status write_texts(const char *folder, const struct text *c, const struct text *layouts, const json_t *o,
                               struct error *e)
{
    char path[PATH_MAX];
    enum status s = file_make_folder(folder, e);
    if (s == STATUS_OK)
        s = file_path(folder, "load.c", path, e);
    if (s == STATUS_OK)
        s = file_write(path, c->data, c->used, e);
    if (s == STATUS_OK)
        s = file_path(folder, "layout.txt", path, e);
    if (s == STATUS_OK)
        s = file_write(path, layouts->data, layouts->used, e);
    if (s == STATUS_OK)
        s = file_path(folder, "derive.json", path, e);
    return s == STATUS_OK ? json_write(path, o, e) : s;
}

static enum status answer_derive(const struct derived *d, const struct fo_derive_options *o, struct fo_answer *answer,
                                 struct error *e)
{
    const char *format = o->format ? o->format : "text";
    struct text text = {0}, c = {0}, layouts = {0};
    json_t *document = NULL;
    struct error linear = {0};
    emit_c(d, &c);
    /* Whoever asks for the C alone gets it though the map may have no name in the other languages. */
    enum status s = add_layouts(d, format, &layouts, &linear);
    bool nonlinear = s == STATUS_UNSUPPORTED && (strcmp(format, "text") == 0 || strcmp(format, "c") == 0);
    if (nonlinear) {
        text_add(&layouts, "none: %s\n", linear.why);
    } else if (s != STATUS_OK) {
        if (e)
            *e = linear;
        goto done;
    }
    s = STATUS_NO_MEMORY;
    if (c.failed || layouts.failed) {
        error_set(e, s, "no memory for what was derived");
        goto done;
    }
    document = json_of_derived(d, &c, &layouts);
    s = o->out ? write_texts(o->out, &c, &layouts, document, e) : STATUS_OK;
    if (s != STATUS_OK)
        goto done;
    if (strcmp(format, "text") == 0)
        add_words(d, &text);
    if (strcmp(format, "text") == 0 || strcmp(format, "c") == 0)
        text_add(&text, "%s%s", text.used ? "\n" : "", c.data);
    else
        text_add(&text, "%s", layouts.data);
    s = answer_make(FO_NOT_APPLICABLE, document, &text, answer, e);
    document = NULL;
done:
    json_decref(document);
    text_free(&text);
    text_free(&c);
    text_free(&layouts);
    return s;
}

static enum status check_options(const struct fo_derive_options *o, struct error *e)
{
    static const char *const formats[] = {"text", "c", "cute", "linear"};
    if (!o->op || !o->from)
        return error_set(e, STATUS_BAD_ARGUMENT, "derive needs an operation and the layout that its A comes from");
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(o->format ? o->format : "text", formats[i]) == 0)
            return STATUS_OK;
    error_set(e, STATUS_BAD_ARGUMENT, "'%.40s' is no format; write text, c, cute or linear", o->format);
    return error_at_field(e, "format"), STATUS_BAD_ARGUMENT;
}

int fo_derive(const struct fo_derive_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {0};
    struct derived *d = NULL;
    enum status s = check_options(o, &e);
    if (s == STATUS_OK && !(d = calloc(1, sizeof *d)))
        s = error_set(&e, STATUS_NO_MEMORY, "no memory to derive");
    if (s == STATUS_OK)
        s = derive_make(o->op, o->from, d, &e);
    if (s == STATUS_OK)
        s = answer_derive(d, o, answer, &e);
    free(d);
    return answer_end(s, &e, error);
}
