#include "oracle/answer/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/io/npy.h"

enum { THREAD, REG, PART };
enum { SHOWN = 16, REGISTER_BITS = 32, BIT_NAME = 32 };

/* What a dump holds: the code of an element for each slot, in the order of slot codes. */
struct found {
    uint32_t *code; /* owned */
    size_t slots, wrong;
    size_t strange;      /* codes that are no element */
    size_t twice, never; /* elements held by several slots, and by none */
};

static bool shape_is(const struct npy *a, int rank, const size_t *shape)
{
    bool same = a->rank == rank;
    for (int i = 0; i < rank; i++)
        same = same && a->shape[i] == shape[i];
    return same;
}

/* The forms in which a dump of this operand may come. A part of 8 bits holds no code. */
static bool fits_register(size_t parts)
{
    return parts <= 2;
}

static enum status refuse_form(const struct map *m, const char *path, const struct npy *a, struct error *e)
{
    const uint32_t *extent = m->forward.domain.extent;
    const uint32_t threads = extent[THREAD], regs = extent[REG], parts = extent[PART];
    char words[40] = "";
    if (fits_register(parts))
        snprintf(words, sizeof words, "u4 [%u,%u], ", threads, regs);
    error_set(e, STATUS_BAD_INPUT, "a dump of %s is %su2 [%u,%u,%u] or u2 [%u,%u]; this is %s of rank %d", m->operand,
              words, threads, regs, parts, threads, regs * parts, npy_type_name(a->type), a->rank);
    return error_at_path(e, path), STATUS_BAD_INPUT;
}

/* Take the file apart into codes. */
static enum status read_codes(const struct map *m, const char *path, struct found *out, struct error *e)
{
    const uint32_t *extent = m->forward.domain.extent;
    const size_t threads = extent[THREAD], regs = extent[REG], parts = extent[PART], slots = threads * regs * parts;
    struct npy a = {0};
    enum status s = npy_read(path, &a, e);
    if (s != STATUS_OK)
        return s;
    bool words = fits_register(parts) && a.type == NPY_U4 && shape_is(&a, 2, (const size_t[]){threads, regs});
    bool halves = a.type == NPY_U2 && (shape_is(&a, 2, (const size_t[]){threads, regs * parts}) ||
                                       shape_is(&a, 3, (const size_t[]){threads, regs, parts}));
    uint32_t *code = malloc(slots * sizeof *code);
    if (!words && !halves) {
        s = refuse_form(m, path, &a, e);
        goto cleanup;
    }
    if (!code) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory for %zu slots", slots);
        goto cleanup;
    }
    const uint32_t *word = a.data;
    const uint16_t *half = a.data;
    for (size_t i = 0; i < slots; i++) {
        unsigned shift = (unsigned)(i % parts * (REGISTER_BITS / parts));
        code[i] = halves       ? half[i]
                  : parts == 1 ? word[i]
                               : word[i / parts] >> shift & ((1u << REGISTER_BITS / parts) - 1);
    }
    *out = (struct found){.code = code, .slots = slots};
    code = NULL;
cleanup:
    free(code);
    npy_free(&a);
    return s;
}

static uint32_t expected_code(const struct map *m, size_t slot)
{
    struct point s = box_point(&m->forward.domain, (uint32_t)slot), at = layout_apply(&m->forward, &s);
    return box_code(&m->forward.codomain, &at);
}

static enum status count(const struct map *m, struct found *f, struct error *e)
{
    size_t elements = box_size(&m->forward.codomain);
    uint32_t *owners = calloc(elements, sizeof *owners);
    if (!owners)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu elements", elements);
    for (size_t i = 0; i < f->slots; i++) {
        f->wrong += f->code[i] != expected_code(m, i);
        if (f->code[i] < elements)
            owners[f->code[i]]++;
        else
            f->strange++;
    }
    for (size_t i = 0; i < elements; i++) {
        f->twice += owners[i] > 1;
        f->never += owners[i] == 0;
    }
    free(owners);
    return STATUS_OK;
}

/* Every wrong slot as JSON, the first ones as text. */
static json_t *list_wrong(const struct map *m, const struct found *f, struct text *text)
{
    json_t *list = json_array();
    const struct box *elements = &m->forward.codomain;
    size_t listed = 0;
    for (size_t i = 0; i < f->slots; i++) {
        uint32_t want_code = expected_code(m, i);
        if (f->code[i] == want_code)
            continue;
        struct point slot = box_point(&m->forward.domain, (uint32_t)i), want = box_point(elements, want_code);
        bool strange = f->code[i] >= box_size(elements);
        struct point have = strange ? (struct point){{0}} : box_point(elements, f->code[i]);
        json_t *found = strange ? json_pack("{s:I}", "code", (json_int_t)f->code[i]) : json_of_element(&have);
        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "slot", json_of_slot(&slot), "expected",
                                              json_of_element(&want), "found", found));
        if (listed++ >= SHOWN)
            continue;
        text_add(text, "  slot %u.%u.%u: expected (%u,%u), found ", slot.at[THREAD], slot.at[REG], slot.at[PART],
                 want.at[0], want.at[1]);
        if (strange)
            text_add(text, "%u, which is no element\n", f->code[i]);
        else
            text_add(text, "(%u,%u)\n", have.at[0], have.at[1]);
    }
    if (listed > SHOWN)
        text_add(text, "  and %zu more (--json names all)\n", listed - SHOWN);
    return list;
}

/* A bit of a slot coordinate. */
struct bit {
    int dim, bit;
};

static const char *bit_name(struct bit b, char text[BIT_NAME])
{
    static const char *const dim[] = {"thread", "register", "part"};
    snprintf(text, BIT_NAME, "%s bit %d", dim[b.dim], b.bit);
    return text;
}

static bool point_equal(const struct point *a, const struct point *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* The bit whose image in `l` this is. */
static bool find_bit(const struct layout *l, const struct point *image, struct bit *out)
{
    for (int d = 0; d < l->domain.rank; d++)
        for (int b = 0; 1u << b < l->domain.extent[d]; b++)
            if (point_equal(&l->image[d][b], image)) {
                *out = (struct bit){d, b};
                return true;
            }
    return false;
}

/* What one bit of the found map does, where that is not what it should do. */
static void explain_bit(const struct layout *want, const struct layout *have, struct bit at, json_t *moved,
                        struct text *text)
{
    const struct point *image = &have->image[at.dim][at.bit], *right = &want->image[at.dim][at.bit];
    char name[BIT_NAME], other[BIT_NAME];
    struct bit as;
    if (point_equal(image, right))
        return;
    bit_name(at, name);
    if (!find_bit(want, image, &as)) {
        json_array_append_new(moved,
                              json_pack("{s:s, s:[i,i]}", "bit", name, "image", (int)image->at[0], (int)image->at[1]));
        text_add(text, "  %s steps by (%u,%u) instead of (%u,%u)\n", name, image->at[0], image->at[1], right->at[0],
                 right->at[1]);
        return;
    }
    bit_name(as, other);
    json_array_append_new(moved, json_pack("{s:s, s:s}", "bit", name, "as", other));
    bool exchanged = point_equal(&have->image[as.dim][as.bit], right);
    if (!exchanged)
        text_add(text, "  %s does what %s should do\n", name, other);
    else if (at.dim < as.dim || (at.dim == as.dim && at.bit < as.bit)) /* the pair once */
        text_add(text, "  %s and %s are exchanged\n", name, other);
}

/* An offset is the same as inverted bits of the slot; which ones, where it can be said. */
static void explain_offset(const struct map *m, const struct layout *have, struct text *text)
{
    const struct point zero = {{0}};
    if (point_equal(&have->offset, &zero))
        return;
    struct point slot = layout_apply(&m->inverse, &have->offset);
    char name[BIT_NAME];
    text_add(text, "  slot 0.0.0 holds (%u,%u): inverted", have->offset.at[0], have->offset.at[1]);
    bool first = true;
    for (int d = 0; d < m->forward.domain.rank; d++)
        for (int b = 0; slot.at[d] >> b; b++)
            if (slot.at[d] >> b & 1u) {
                text_add(text, "%s%s", first ? " " : ", ", bit_name((struct bit){d, b}, name));
                first = false;
            }
    text_add(text, "\n");
}

/* Which simple thing happened, if it is one: an affine map differs from another by bits that moved. */
static enum status explain(const struct map *m, const struct found *f, json_t *document, struct text *text,
                           struct error *e)
{
    struct layout table, have;
    bool affine = false;
    if (f->strange == 0) {
        enum status s = layout_from_table(&m->forward.domain, &m->forward.codomain, f->code, &table, e);
        if (s != STATUS_OK)
            return s;
        affine = layout_to_affine(&table, &have);
        layout_free(&table);
    }
    if (!affine) {
        json_object_set_new(document, "explanation", json_pack("{s:s}", "kind", layout_kind_name(LAYOUT_TABLE)));
        text_add(text, "No exchange or inversion of slot bits explains it: the found map is a table.\n");
        return STATUS_OK;
    }
    json_t *moved = json_array();
    text_add(text, "The found map is affine:\n");
    for (int d = 0; d < have.domain.rank; d++)
        for (int b = 0; 1u << b < have.domain.extent[d]; b++)
            explain_bit(&m->forward, &have, (struct bit){d, b}, moved, text);
    explain_offset(m, &have, text);
    json_object_set_new(document, "explanation",
                        json_pack("{s:s, s:[i,i], s:o, s:o}", "kind", layout_kind_name(LAYOUT_AFFINE), "offset",
                                  (int)have.offset.at[0], (int)have.offset.at[1], "basis", json_of_basis(&have),
                                  "moved", moved));
    return STATUS_OK;
}

enum status map_against(const struct map *m, const char *path, json_t *document, struct text *text,
                        enum fo_verdict *verdict, struct error *e)
{
    struct found f = {0};
    enum status s = read_codes(m, path, &f, e);
    if (s != STATUS_OK)
        return s;
    s = count(m, &f, e);
    if (s != STATUS_OK)
        goto cleanup;
    enum fo_verdict found = f.wrong ? FO_DIFFERS : FO_CONFORMS;
    json_object_set_new(document, "verdict", json_string(fo_verdict_name(found)));
    json_object_set_new(document, "compared", json_integer((json_int_t)f.slots));
    json_object_set_new(document, "held_twice", json_integer((json_int_t)f.twice));
    json_object_set_new(document, "held_never", json_integer((json_int_t)f.never));
    text_add(text, "%s %s against %s: %s, %zu of %zu slots wrong\n", m->op, m->operand, path, fo_verdict_name(found),
             f.wrong, f.slots);
    json_object_set_new(document, "wrong", list_wrong(m, &f, text));
    if (f.never)
        text_add(text, "Elements held by no slot: %zu; by more than one: %zu\n", f.never, f.twice);
    if (f.wrong)
        s = explain(m, &f, document, text, e);
    if (s == STATUS_OK)
        *verdict = found;
cleanup:
    free(f.code);
    return s;
}
