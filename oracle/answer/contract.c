#include "oracle/answer/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/answer.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "reference/fragment.h"

enum { CONTRACT_FILE_LIMIT = 16 << 20 };

const char *contract_source_name(enum contract_source s)
{
    static const char *const name[CONTRACT_SOURCES] = {"spec", "loader", "ldmatrix", "onehot"};
    return name[s];
}

void contract_free(struct contract *c)
{
    for (int s = 0; s < CONTRACT_SOURCES; s++)
        layout_free(&c->map[s]);
    json_decref(c->provenance);
    memset(c, 0, sizeof *c);
}

/* The first slot, as `map --slot` takes it. */
static void describe_first(struct contract *c, enum contract_source s, const struct layout_difference *d)
{
    snprintf(c->first, sizeof c->first, "%s: slot %u.%u.%u holds (%u,%u), the formula says (%u,%u); %zu of %zu differ",
             contract_source_name(s), d->at.at[0], d->at.at[1], d->at.at[2], d->b.at[0], d->b.at[1], d->a.at[0],
             d->a.at[1], d->differing, c->slots);
}

enum status contract_judge(struct contract *c, struct error *e)
{
    c->slots = box_size(&c->map[CONTRACT_SPEC].domain);
    c->conforms = c->product_wrong == 0;
    c->first[0] = '\0';
    for (int s = 0; s < CONTRACT_SOURCES; s++) {
        struct layout_difference d;
        if (!c->present[s])
            continue;
        enum status status = layout_compare(&c->map[CONTRACT_SPEC], &c->map[s], &d, e);
        if (status != STATUS_OK)
            return status;
        c->agree[s] = c->slots - d.differing;
        if (!d.equal && c->first[0] == '\0')
            describe_first(c, (enum contract_source)s, &d);
        c->conforms = c->conforms && d.equal;
    }
    if (c->product_wrong && c->first[0] == '\0')
        snprintf(c->first, sizeof c->first, "product: %zu of %zu outputs are wrong", c->product_wrong,
                 c->product_outputs);
    bool evidence = c->present[CONTRACT_ONEHOT] && (c->present[CONTRACT_LDMATRIX] || c->operand[0] == 'D');
    c->locked = c->conforms && evidence && c->product_outputs > 0 && c->fidelity == FIDELITY_HARDWARE;
    return STATUS_OK;
}

/* ---- as JSON ---------------------------------------------------------------------------------------------------- */

static json_t *point_json(const struct point *p, int rank)
{
    json_t *array = json_array();
    for (int i = 0; i < rank; i++)
        json_array_append_new(array, json_integer(p->at[i]));
    return array;
}

static json_t *box_json(const struct box *b)
{
    json_t *object = json_object();
    for (int i = 0; i < b->rank; i++)
        json_object_set_new(object, b->name[i], json_integer(b->extent[i]));
    return object;
}

static json_t *map_json(const struct layout *map)
{
    struct layout affine;
    if (layout_to_affine(map, &affine)) {
        json_t *basis = json_object();
        for (int dim = 0; dim < affine.domain.rank; dim++) {
            json_t *images = json_array();
            for (int bit = 0; 1u << bit < affine.domain.extent[dim]; bit++)
                json_array_append_new(images, point_json(&affine.image[dim][bit], affine.codomain.rank));
            json_object_set_new(basis, affine.domain.name[dim], images);
        }
        return json_pack("{s:s, s:o, s:o}", "kind", "affine", "offset",
                         point_json(&affine.offset, affine.codomain.rank), "basis", basis);
    }
    json_t *codes = json_array();
    for (uint32_t code = 0; code < box_size(&map->domain); code++) {
        struct point slot = box_point(&map->domain, code), element = layout_apply(map, &slot);
        json_array_append_new(codes, json_integer(box_code(&map->codomain, &element)));
    }
    return json_pack("{s:s, s:o}", "kind", "table", "codes", codes);
}

json_t *contract_json(const struct contract *c)
{
    json_t *sources = json_object();
    for (int s = 0; s < CONTRACT_SOURCES; s++) {
        if (!c->present[s])
            continue;
        json_t *map = map_json(&c->map[s]);
        json_object_set_new(map, "slots", json_integer((json_int_t)c->slots));
        json_object_set_new(map, "agree", json_integer((json_int_t)c->agree[s]));
        json_object_set_new(sources, contract_source_name((enum contract_source)s), map);
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:o, s:o, s:o, s:{s:I, s:I}, s:O}", "schema", "fragoracle.contract/1",
                     "op", c->op, "operand", c->operand, "locked", c->locked, "conforms", c->conforms, "slots",
                     box_json(&c->map[CONTRACT_SPEC].domain), "elements", box_json(&c->map[CONTRACT_SPEC].codomain),
                     "sources", sources, "product", "outputs", (json_int_t)c->product_outputs, "wrong",
                     (json_int_t)c->product_wrong, "provenance", c->provenance);
}

/* ---- from JSON -------------------------------------------------------------------------------------------------- */

static bool point_from_json(const json_t *array, const struct box *box, struct point *out)
{
    *out = (struct point){{0}};
    if (json_array_size(array) != (size_t)box->rank)
        return false;
    for (int i = 0; i < box->rank; i++) {
        const json_t *value = json_array_get(array, (size_t)i);
        json_int_t number = json_integer_value(value);
        if (!json_is_integer(value) || number < 0 || number >= box->extent[i])
            return false;
        out->at[i] = (uint32_t)number;
    }
    return true;
}

static bool affine_from_json(const json_t *object, const struct layout *spec, struct layout *out)
{
    *out = (struct layout){.kind = LAYOUT_AFFINE, .domain = spec->domain, .codomain = spec->codomain};
    const json_t *basis = json_object_get(object, "basis");
    if (!point_from_json(json_object_get(object, "offset"), &out->codomain, &out->offset))
        return false;
    for (int dim = 0; dim < out->domain.rank; dim++) {
        const json_t *images = json_object_get(basis, out->domain.name[dim]);
        size_t bits = 0;
        while (1u << bits < out->domain.extent[dim])
            bits++;
        if (json_array_size(images) != bits)
            return false;
        for (size_t bit = 0; bit < bits; bit++)
            if (!point_from_json(json_array_get(images, bit), &out->codomain, &out->image[dim][bit]))
                return false;
    }
    return true;
}

static bool table_from_json(const json_t *object, const struct layout *spec, struct layout *out)
{
    const json_t *codes = json_object_get(object, "codes");
    size_t n = box_size(&spec->domain);
    if (json_array_size(codes) != n)
        return false;
    uint32_t *table = malloc(n * sizeof *table);
    for (size_t i = 0; table && i < n; i++) {
        json_int_t code = json_is_integer(json_array_get(codes, i)) ? json_integer_value(json_array_get(codes, i)) : -1;
        table[i] = code < 0 || code > UINT32_MAX ? UINT32_MAX : (uint32_t)code;
    }
    bool ok = table && layout_from_table(&spec->domain, &spec->codomain, table, out, NULL) == STATUS_OK;
    free(table);
    return ok;
}

static enum status contract_sources_read(const json_t *document, struct contract *c, struct error *e)
{
    const json_t *sources = json_object_get(document, "sources");
    for (int s = CONTRACT_LOADER; s < CONTRACT_SOURCES; s++) {
        const char *name = contract_source_name((enum contract_source)s);
        const json_t *object = json_object_get(sources, name);
        if (!object)
            continue;
        const char *kind = json_string_value(json_object_get(object, "kind"));
        bool ok = kind && (strcmp(kind, "affine") == 0  ? affine_from_json(object, &c->map[CONTRACT_SPEC], &c->map[s])
                           : strcmp(kind, "table") == 0 ? table_from_json(object, &c->map[CONTRACT_SPEC], &c->map[s])
                                                        : false);
        if (!ok) {
            error_set(e, STATUS_BAD_INPUT, "the map is neither affine nor a table of this operand");
            return error_at_field(e, name), STATUS_BAD_INPUT;
        }
        c->present[s] = true;
    }
    return STATUS_OK;
}

/* A member that another module refused: its reason stays, but here it is the file that is wrong. */
static enum status member_refused(const char *field, struct error *e)
{
    if (e)
        e->status = STATUS_BAD_INPUT;
    return error_at_field(e, field), STATUS_BAD_INPUT;
}

static enum status member_wrong(const char *field, const char *wanted, struct error *e)
{
    error_set(e, STATUS_BAD_INPUT, "is missing or is not %s", wanted);
    return error_at_field(e, field), STATUS_BAD_INPUT;
}

/* A count of the product. */
static bool count_from_json(const json_t *value, size_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (size_t)json_integer_value(value);
    return true;
}

/* The operation, the operand and the spec that belongs to them. */
static enum status contract_spec_read(const json_t *document, struct contract *c, struct error *e)
{
    const char *name = json_string_value(json_object_get(document, "op"));
    const char *operand = json_string_value(json_object_get(document, "operand"));
    struct wgmma_op op;
    enum fragment_operand which;
    if (!name)
        return member_wrong("op", "a string", e);
    if (!operand)
        return member_wrong("operand", "a string", e);
    enum status s = wgmma_parse(name, &op, e);
    if (s != STATUS_OK)
        return member_refused("op", e);
    s = fragment_operand_parse(operand, &which, e);
    if (s == STATUS_OK)
        s = fragment_map(&op, which, &c->map[CONTRACT_SPEC], e);
    if (s == STATUS_BAD_ARGUMENT || s == STATUS_UNSUPPORTED) {
        /* The file asked, not the caller. */
        s = STATUS_BAD_INPUT;
        if (e)
            e->status = s;
    }
    if (s != STATUS_OK)
        return member_refused("operand", e);
    wgmma_format(&op, c->op);
    snprintf(c->operand, sizeof c->operand, "%s", which == FRAGMENT_A ? "A" : "D");
    c->present[CONTRACT_SPEC] = true;
    return STATUS_OK;
}

static enum status contract_from_json(json_t *document, struct contract *c, struct error *e)
{
    const json_t *product = json_object_get(document, "product");
    json_t *provenance = json_object_get(document, "provenance");
    const char *fidelity = json_string_value(json_object_get(provenance, "fidelity"));
    if (!count_from_json(json_object_get(product, "outputs"), &c->product_outputs))
        return member_wrong("product.outputs", "a count", e);
    if (!count_from_json(json_object_get(product, "wrong"), &c->product_wrong) || c->product_wrong > c->product_outputs)
        return member_wrong("product.wrong", "a count of at most the outputs", e);
    if (!fidelity)
        return member_wrong("provenance.fidelity", "a string", e);
    if (!json_is_object(json_object_get(document, "sources")))
        return member_wrong("sources", "an object", e);
    enum status s = contract_spec_read(document, c, e);
    if (s != STATUS_OK)
        return s;
    c->fidelity = strcmp(fidelity, fidelity_name(FIDELITY_HARDWARE)) == 0 ? FIDELITY_HARDWARE : FIDELITY_UNSUPPORTED;
    c->provenance = json_incref(provenance);
    s = contract_sources_read(document, c, e);
    return s == STATUS_OK ? contract_judge(c, e) : s;
}

enum status contract_parse(const char *path, const void *bytes, size_t size, struct contract *out, struct error *e)
{
    json_t *document;
    struct contract c = {0};
    enum status s = json_parse(path, bytes, size, "fragoracle.contract/1", &document, e);
    if (s != STATUS_OK)
        return s;
    s = contract_from_json(document, &c, e);
    json_decref(document);
    if (s != STATUS_OK) {
        contract_free(&c);
        return error_at_path(e, path), s;
    }
    *out = c;
    return STATUS_OK;
}

enum status contract_read(const char *path, struct contract *out, struct error *e)
{
    uint8_t *bytes;
    size_t size;
    enum status s = file_read(path, CONTRACT_FILE_LIMIT, &bytes, &size, e);
    if (s != STATUS_OK)
        return s;
    s = contract_parse(path, bytes, size, out, e);
    free(bytes);
    return s;
}
