/* site_epilogue: where does the last D stand in the output that the kernel wrote? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/infer/site.h"
#include "reference/fragment.h"

/* What D is rounded to, by the type of the file: each is tried. */
static const struct {
    enum npy_type file;
    const char *type;
} output_types[] = {{NPY_U2, "bf16"}, {NPY_U2, "f16"}, {NPY_F4, "f32"},
                    {NPY_U4, "f32"},  {NPY_U4, "s32"}, {NPY_I4, "s32"}};

/* D as (m, n) onto the output, as it stands or transposed. */
static struct layout contract_of(uint32_t rows, uint32_t columns, bool transposed)
{
    return (struct layout){
        .kind = LAYOUT_STRIDED,
        .domain = {2, {"m", "n"}, {rows, columns}},
        .codomain = {2, {"i", "j"}, {transposed ? columns : rows, transposed ? rows : columns}},
        .modes = 2,
        .mode = {{0, 1, rows, {{!transposed, transposed}}}, {1, 1, columns, {{transposed, !transposed}}}}};
}

/* The last D of every warpgroup. *lost: warpgroups whose last one is not in the window. */
static enum status last_results(const struct site_case *c, const struct tap_image_stream *s, const struct layout *d,
                                const struct site_type *type, struct site_tile *out, size_t *lost, struct error *e)
{
    const struct tap_image_filter *f = &c->image->filter;
    struct layout plain = contract_of(d->codomain.extent[0], d->codomain.extent[1], false);
    struct site_tile t;
    size_t views = 0;
    enum status st = site_tile_make(&plain, type, (size_t)f->blocks * f->warpgroups, &t, e);
    *lost = 0;
    if (st != STATUS_OK)
        return st;
    for (uint32_t b = 0; b < f->blocks; b++)
        for (uint32_t w = 0; w < f->warpgroups; w++) {
            uint32_t came = s->counter[((size_t)b * f->warpgroups + w) * FO_CAPTURE_THREADS];
            if (!came)
                continue;
            if (!site_fragment_take(c->image, s, d, type, b, w, came - 1, site_tile_values(&t, views))) {
                ++*lost;
                continue;
            }
            t.view[views].block = f->first_block + b;
            t.view[views].warpgroup = f->first_warpgroup + w;
            t.view[views++].time = came - 1;
        }
    t.views = views;
    *out = t;
    return STATUS_OK;
}

/* The same tile with its values rounded to the type of the output, its contract perhaps transposed. */
static enum status rounded(const struct site_tile *d, const struct site_type *to, bool transposed,
                           struct site_tile *out, struct error *e)
{
    struct layout contract = contract_of(d->rows, d->columns, transposed);
    enum status s = site_tile_make(&contract, to, d->views, out, e);
    if (s != STATUS_OK)
        return s;
    for (size_t v = 0; v < d->views; v++) {
        out->view[v] = (struct site_view){d->view[v].block, d->view[v].warpgroup, d->view[v].time, out->view[v].value};
        for (size_t i = 0; i < d->slots; i++)
            site_tile_values(out, v)[i] = d->type == to
                                              ? d->view[v].value[i]
                                              : site_type_encode(to, site_type_decode(d->type, d->view[v].value[i]));
    }
    return STATUS_OK;
}

/* How many records stand somewhere, exactly; the places of the first. */
struct standing {
    size_t records, several;
    size_t compared; /* values */
    struct site_place first;
    size_t missing; /* the first record that does not; records when all do */
};
static struct standing stand(const struct site_tile *t, const struct site_matrix *m, json_t *tiles)
{
    const struct site_at anywhere = {0};
    struct standing s = {0};
    s.missing = t->views;
    for (size_t v = 0; v < t->views; v++) {
        struct site_place p = site_place_exact(t, v, m, 0, &anywhere);
        if (p.found && !s.records++)
            s.first = p;
        if (p.found)
            json_array_append_new(tiles, json_pack("[I,I]", (json_int_t)p.i0, (json_int_t)p.j0));
        s.compared += p.found ? p.compared : 0;
        s.several += p.several;
        if (!p.found && s.missing == t->views)
            s.missing = v;
    }
    return s;
}

/* Rows and columns in another order, by the tables of a found map. */
static void say_lines(const struct layout *map, char text[200])
{
    uint32_t rows = map->domain.extent[0], columns = map->domain.extent[1], moved[2] = {0, 0}, first[2] = {0, 0};
    uint32_t holds[2] = {0, 0};
    bool separable = true;
    struct point origin = {{0}}, base = layout_apply(map, &origin);
    for (uint32_t m = 0; m < rows; m++)
        for (uint32_t n = 0; n < columns; n++) {
            struct point at = {{m, n}}, row = {{m, 0}}, column = {{0, n}}, to = layout_apply(map, &at);
            struct point r = layout_apply(map, &row), c = layout_apply(map, &column);
            separable = separable && to.at[0] == r.at[0] && to.at[1] == c.at[1] && r.at[1] == base.at[1] &&
                        c.at[0] == base.at[0];
        }
    for (int d = 0; d < 2; d++)
        for (uint32_t x = 0; x < map->domain.extent[d]; x++) {
            struct point at = {{0}}, to;
            at.at[d] = x;
            to = layout_apply(map, &at);
            if (to.at[d] != x && !moved[d]++) {
                first[d] = x;
                holds[d] = to.at[d];
            }
        }
    if (!separable)
        snprintf(text, 200, "rows and columns are mixed");
    else
        snprintf(text, 200, "%s%s%s%s", "", moved[0] ? "rows" : "", moved[0] && moved[1] ? " and " : "",
                 moved[1] ? "columns" : "");
    if (separable)
        for (int d = 0; d < 2; d++)
            if (moved[d])
                snprintf(text + strlen(text), 200 - strlen(text), "%s %u of %u %s moved, %s %u stands at %u",
                         d && moved[0] ? ";" : ":", moved[d], map->domain.extent[d], d ? "columns" : "rows",
                         d ? "column" : "row", first[d], holds[d]);
}

/* The tile stands nowhere as it is: another order of its rows and columns, part of it, or nothing of it. */
static enum status conclude_elsewhere(const struct site_tile *t, const struct site_matrix *m, size_t view,
                                      size_t differing, struct site_finding *f, struct error *e)
{
    const struct site_at anywhere = {0};
    struct site_tile one = *t;
    struct site_order o = {0};
    struct site_place near;
    char text[200];
    one.views = 1;
    one.view = &t->view[view];
    enum status s = site_order_infer(&one, m, &(struct site_asked){0}, &o, e);
    if (s == STATUS_OK)
        s = site_place_near(&one, 0, m, &anywhere, &near, e);
    if (s != STATUS_OK) {
        site_order_free(&o);
        return s;
    }
    if (o.known) {
        say_lines(&o.answer.map, text);
        site_conclude(f, FO_DIFFERS, "output index", "product right, output index wrong: %s (%zu of %zu records)", text,
                      differing, t->views);
    } else if (near.found) {
        site_conclude(f, FO_DIFFERS, "output index",
                      "%zu of %zu values of the tile stand at (%zu,%zu), the others do not (%zu of %zu records): part "
                      "of the tile "
                      "is not written or written elsewhere",
                      near.right, near.compared, near.i0, near.j0, differing, t->views);
    } else {
        site_conclude(
            f, FO_UNDECIDED, "",
            "the values of D stand nowhere in the output (%zu of %zu records): the epilogue does more than round "
            "them, or this is another output",
            differing, t->views);
    }
    site_order_free(&o);
    return STATUS_OK;
}

/* One type of output. *settled: something was found. */
static enum status judge(const struct site_tile *d, struct site_operand *output, const struct site_type *to,
                         bool *settled, struct site_finding *f, struct error *e)
{
    struct site_tile t = {0}, across = {0};
    const struct site_matrix *m;
    enum status s = site_operand_matrix(output, to, &m, e);
    if (s == STATUS_OK)
        s = rounded(d, to, false, &t, e);
    if (s == STATUS_OK)
        s = rounded(d, to, true, &across, e);
    if (s != STATUS_OK)
        goto cleanup;
    json_t *tiles = json_array();
    struct standing plain = stand(&t, m, tiles), turned = {0};
    json_object_set_new(f->document, "tiles", tiles);
    if (plain.records < d->views)
        turned = stand(&across, m, NULL);
    f->count = (struct site_count){
        .right = plain.compared, .of = t.slots * d->views, .good = plain.records, .records = d->views};
    json_object_set_new(f->document, "records", json_integer((json_int_t)d->views));
    json_object_set_new(f->document, "conforming", json_integer((json_int_t)plain.records));
    json_object_set_new(f->document, "type", json_string(to->name));
    if (plain.records == d->views && plain.several)
        site_conclude(f, FO_UNDECIDED, "", "the tile stands at several places of the output: give it different values");
    else if (plain.records == d->views)
        site_conclude(f, FO_CONFORMS, "",
                      SITE_RIGHT " of " SITE_OF " values in " SITE_GOOD " of " SITE_RECORDS
                                 " records stand in the output as %s",
                      to->name);
    else if (turned.records)
        site_conclude(f, FO_DIFFERS, "output index",
                      "product right, output index wrong: %zu of %zu tiles stand transposed, the first at (%zu,%zu)",
                      turned.records, d->views, turned.first.i0, turned.first.j0);
    else
        s = conclude_elsewhere(&t, m, plain.missing, d->views - plain.records, f, e);
    /* Nothing of it: perhaps the next type. */
    *settled = f->verdict != FO_UNDECIDED || plain.records;
cleanup:
    site_tile_free(&t);
    site_tile_free(&across);
    return s;
}

enum status site_epilogue_check(const struct site_case *c, struct site_finding *f, struct error *e)
{
    const struct tap_image_stream *s = tap_image_find(c->image, c->site, FO_KIND_D, NULL);
    struct layout d;
    struct site_tile t = {0};
    size_t lost = 0, tried = 0, types = sizeof output_types / sizeof *output_types;
    bool settled = false;
    if (!c->output->given || !s)
        return STATUS_OK;
    const struct site_type *type = site_type_find(c->op.family->d);
    if (!type || fragment_map(&c->op, FRAGMENT_D, &d, e) != STATUS_OK || s->words != d.domain.extent[1]) {
        site_conclude(f, FO_UNDECIDED, "", "%u registers a thread were recorded, which is no D fragment", s->words);
        return STATUS_OK;
    }
    enum status st = last_results(c, s, &d, type, &t, &lost, e);
    if (st == STATUS_OK && (!t.views || lost)) {
        site_conclude(f, FO_UNDECIDED, "", "the last D of %zu warpgroups is not in the window of the capture", lost);
        goto cleanup;
    }
    for (size_t i = 0; st == STATUS_OK && !settled && i < types; i++)
        if (output_types[i].file == c->output->source.plain.type && ++tried)
            st = judge(&t, c->output, site_type_find(output_types[i].type), &settled, f, e);
    if (st == STATUS_OK && !tried)
        site_conclude(f, FO_UNDECIDED, "", "an output is u2 (bf16 or f16 bits), f4, u4 or i4");
cleanup:
    site_tile_free(&t);
    return st;
}
