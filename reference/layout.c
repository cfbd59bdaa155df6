#include "reference/layout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "reference/layout_shape.h"

size_t box_size(const struct box *b)
{
    size_t size = 1;
    for (int d = 0; d < b->rank; d++)
        size *= b->extent[d];
    return size;
}

uint32_t box_code(const struct box *b, const struct point *p)
{
    uint32_t code = 0;
    for (int d = 0; d < b->rank; d++) {
        assert(p->at[d] < b->extent[d]);
        code = code * b->extent[d] + p->at[d];
    }
    return code;
}

struct point box_point(const struct box *b, uint32_t code)
{
    struct point p = {{0}};
    for (int d = b->rank - 1; d >= 0; d--) {
        p.at[d] = code % b->extent[d];
        code /= b->extent[d];
    }
    assert(code == 0);
    return p;
}

bool box_contains(const struct box *b, const struct point *p)
{
    for (int d = 0; d < LAYOUT_DIMS; d++)
        if (p->at[d] >= (d < b->rank ? b->extent[d] : 1))
            return false;
    return true;
}

bool box_equal(const struct box *a, const struct box *b)
{
    if (a->rank != b->rank)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (a->extent[d] != b->extent[d] || strcmp(a->name[d], b->name[d]) != 0)
            return false;
    return true;
}

static bool point_equal(const struct point *a, const struct point *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static struct point point_xor(struct point a, const struct point *b)
{
    for (int d = 0; d < LAYOUT_DIMS; d++)
        a.at[d] ^= b->at[d];
    return a;
}

/* The point of one set bit. */
static struct point point_unit(int dim, int bit)
{
    struct point p = {{0}};
    p.at[dim] = 1u << bit;
    return p;
}

const char *layout_kind_name(enum layout_kind k)
{
    static const char *const name[] = {"affine", "strided", "table"};
    return (size_t)k < sizeof name / sizeof *name ? name[k] : "unknown kind";
}

void layout_free(struct layout *l)
{
    free(l->table);
    l->table = NULL;
}

/* An empty table layout between two boxes of good shape. */
static enum status table_make(const struct box *domain, const struct box *codomain, struct layout *out, struct error *e)
{
    size_t bytes = box_size(domain) * sizeof *out->table;
    uint32_t *table = malloc(bytes);
    if (!table)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a layout table of %zu bytes", bytes);
    *out = (struct layout){.kind = LAYOUT_TABLE, .domain = *domain, .codomain = *codomain, .table = table};
    return STATUS_OK;
}

enum status layout_from_table(const struct box *domain, const struct box *codomain, const uint32_t *codes,
                              struct layout *out, struct error *e)
{
    struct layout made;
    enum status s = layout_shape_check_box(domain, STATUS_BAD_ARGUMENT, e);
    if (s == STATUS_OK)
        s = layout_shape_check_box(codomain, STATUS_BAD_ARGUMENT, e);
    if (s == STATUS_OK)
        s = table_make(domain, codomain, &made, e);
    if (s != STATUS_OK)
        return s;
    memcpy(made.table, codes, box_size(domain) * sizeof *codes);
    s = layout_shape_check(&made, STATUS_BAD_ARGUMENT, e);
    if (s == STATUS_OK)
        *out = made;
    else
        layout_free(&made);
    return s;
}

static struct point apply_affine(const struct layout *l, const struct point *p)
{
    struct point out = l->offset;
    for (int d = 0; d < l->domain.rank; d++)
        for (int b = 0; p->at[d] >> b; b++)
            if (p->at[d] >> b & 1u)
                out = point_xor(out, &l->image[d][b]);
    return out;
}

/* Sums wrap around, so that a stride may stand for a negative one. */
static struct point apply_strided(const struct layout *l, const struct point *p)
{
    struct point out = l->offset;
    for (int i = 0; i < l->modes; i++) {
        const struct layout_mode *m = &l->mode[i];
        uint32_t digit = p->at[m->dim] / m->divisor % m->extent;
        for (int d = 0; d < LAYOUT_DIMS; d++)
            out.at[d] += digit * m->stride.at[d];
    }
    return out;
}

struct point layout_apply(const struct layout *l, const struct point *p)
{
    assert(box_contains(&l->domain, p));
    switch (l->kind) {
    case LAYOUT_AFFINE:
        return apply_affine(l, p);
    case LAYOUT_STRIDED:
        return apply_strided(l, p);
    case LAYOUT_TABLE:
        break;
    }
    return box_point(&l->codomain, l->table[box_code(&l->domain, p)]);
}

/* layout_check, with the status that a failure is to have. */
static enum status check_points(const struct layout *l, enum status as, bool *bijective, struct error *e)
{
    enum status s = layout_shape_check(l, as, e);
    if (s != STATUS_OK)
        return s;
    size_t points = box_size(&l->domain), targets = box_size(&l->codomain);
    bool *seen = calloc(targets, sizeof *seen), one_to_one = true;
    if (!seen)
        return error_set(e, STATUS_NO_MEMORY, "no memory to check a layout onto %zu points", targets);
    for (size_t i = 0; i < points; i++) {
        struct point p = box_point(&l->domain, (uint32_t)i), q = layout_apply(l, &p);
        if (!box_contains(&l->codomain, &q)) {
            char from[LAYOUT_SHAPE_TEXT], to[LAYOUT_SHAPE_TEXT];
            s = error_set(e, as, "%s goes to %s, outside the codomain", layout_shape_point(&l->domain, &p, from),
                          layout_shape_point(&l->codomain, &q, to));
            goto done;
        }
        uint32_t code = box_code(&l->codomain, &q);
        one_to_one = one_to_one && !seen[code];
        seen[code] = true;
    }
    *bijective = one_to_one && points == targets;
done:
    free(seen);
    return s;
}

enum status layout_check(const struct layout *l, bool *bijective, struct error *e)
{
    return check_points(l, STATUS_BAD_INPUT, bijective, e);
}

static bool box_is_power_of_two(const struct box *b)
{
    size_t size = box_size(b);
    return (size & (size - 1)) == 0; /* a product is a power of two only when all factors are */
}

/* In a box of powers of two the bits of a code are the bits of the coordinates side by side, so that the exclusive or
 * of two points is that of their codes. One row of the elimination says: the bits `source` give the image `image`. */
struct basis_row {
    uint32_t image, source;
};

static int basis_rows(const struct layout *l, struct basis_row rows[32])
{
    int count = 0;
    for (int d = 0; d < l->domain.rank; d++)
        for (int b = 0; 1u << b < l->domain.extent[d]; b++) {
            struct point unit = point_unit(d, b);
            rows[count++] = (struct basis_row){box_code(&l->codomain, &l->image[d][b]), box_code(&l->domain, &unit)};
        }
    return count;
}

/* Gauss-Jordan over GF(2): afterwards rows[i].image is 1 << i. needs: the images are independent. */
static void eliminate(struct basis_row *rows, int count)
{
    for (int i = 0; i < count; i++) {
        int pivot = i;
        while (pivot < count && !(rows[pivot].image >> i & 1u))
            pivot++;
        assert(pivot < count);
        struct basis_row chosen = rows[pivot];
        rows[pivot] = rows[i];
        rows[i] = chosen;
        for (int r = 0; r < count; r++)
            if (r != i && rows[r].image >> i & 1u) {
                rows[r].image ^= chosen.image;
                rows[r].source ^= chosen.source;
            }
    }
}

/* needs: a bijection between boxes of powers of two. */
static void invert_affine(const struct layout *l, struct layout *out)
{
    struct basis_row rows[32];
    int count = basis_rows(l, rows);
    eliminate(rows, count);
    struct layout made = {.kind = LAYOUT_AFFINE, .domain = l->codomain, .codomain = l->domain};
    uint32_t offset = box_code(&l->codomain, &l->offset);
    for (int d = 0; d < made.domain.rank; d++)
        for (int b = 0; 1u << b < made.domain.extent[d]; b++) {
            struct point unit = point_unit(d, b);
            uint32_t code = box_code(&made.domain, &unit);
            for (int i = 0; i < count; i++)
                if (rows[i].image == code)
                    made.image[d][b] = box_point(&made.codomain, rows[i].source);
            if (offset & code)
                made.offset = point_xor(made.offset, &made.image[d][b]);
        }
    *out = made;
}

enum status layout_invert(const struct layout *l, struct layout *out, struct error *e)
{
    bool bijective;
    enum status s = check_points(l, STATUS_BAD_ARGUMENT, &bijective, e);
    if (s != STATUS_OK)
        return s;
    if (!bijective)
        return error_set(e, STATUS_BAD_ARGUMENT, "a layout of %zu points onto %zu that is no bijection has no inverse",
                         box_size(&l->domain), box_size(&l->codomain));
    if (l->kind == LAYOUT_AFFINE && box_is_power_of_two(&l->domain)) {
        invert_affine(l, out);
        return STATUS_OK;
    }
    struct layout made;
    s = table_make(&l->codomain, &l->domain, &made, e);
    if (s != STATUS_OK)
        return s;
    for (uint32_t i = 0; i < box_size(&l->domain); i++) {
        struct point p = box_point(&l->domain, i), q = layout_apply(l, &p);
        made.table[box_code(&l->codomain, &q)] = i;
    }
    *out = made;
    return STATUS_OK;
}

/* An image is the exclusive or of two points of first's codomain, so it has no bit that second has no image for. */
static void compose_affine(const struct layout *second, const struct layout *first, struct layout *out)
{
    struct layout made = {.kind = LAYOUT_AFFINE, .domain = first->domain, .codomain = second->codomain};
    made.offset = apply_affine(second, &first->offset);
    for (int d = 0; d < made.domain.rank; d++)
        for (int b = 0; 1u << b < made.domain.extent[d]; b++) {
            struct point image = apply_affine(second, &first->image[d][b]);
            made.image[d][b] = point_xor(image, &second->offset);
        }
    *out = made;
}

enum status layout_compose(const struct layout *second, const struct layout *first, struct layout *out, struct error *e)
{
    bool bijective; /* asked for what comes with it: every point lands where it must */
    enum status s = check_points(first, STATUS_BAD_ARGUMENT, &bijective, e);
    if (s == STATUS_OK)
        s = check_points(second, STATUS_BAD_ARGUMENT, &bijective, e);
    if (s != STATUS_OK)
        return s;
    if (!box_equal(&first->codomain, &second->domain))
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "layouts do not compose: the first ends in another box than that in "
                         "which the second begins");
    if (first->kind == LAYOUT_AFFINE && second->kind == LAYOUT_AFFINE) {
        compose_affine(second, first, out);
        return STATUS_OK;
    }
    struct layout made;
    s = table_make(&first->domain, &second->codomain, &made, e);
    if (s != STATUS_OK)
        return s;
    for (uint32_t i = 0; i < box_size(&first->domain); i++) {
        struct point p = box_point(&first->domain, i), q = layout_apply(first, &p);
        q = layout_apply(second, &q);
        made.table[i] = box_code(&second->codomain, &q);
    }
    *out = made;
    return STATUS_OK;
}

/* The proof: the offset and the images of all bits of the box agree. *images counts what was compared. */
static bool same_basis(const struct layout *a, const struct layout *b, size_t *images)
{
    *images = 1; /* the offset is the image of the origin */
    bool same = point_equal(&a->offset, &b->offset);
    for (int d = 0; d < a->domain.rank; d++)
        for (int bit = 0; 1u << bit < a->domain.extent[d]; bit++, ++*images)
            same = same && point_equal(&a->image[d][bit], &b->image[d][bit]);
    return same;
}

enum status layout_compare(const struct layout *a, const struct layout *b, struct layout_difference *d, struct error *e)
{
    enum status s = layout_shape_check(a, STATUS_BAD_ARGUMENT, e);
    if (s == STATUS_OK)
        s = layout_shape_check(b, STATUS_BAD_ARGUMENT, e);
    if (s != STATUS_OK)
        return s;
    if (!box_equal(&a->domain, &b->domain) || !box_equal(&a->codomain, &b->codomain))
        return error_set(e, STATUS_BAD_ARGUMENT, "layouts between different boxes cannot be compared");

    struct layout_difference found = {.equal = true, .evidence = LAYOUT_PROVED};
    if (a->kind != LAYOUT_AFFINE || b->kind != LAYOUT_AFFINE || !same_basis(a, b, &found.compared)) {
        /* Also for two affine maps that differ: which points do is worth counting. */
        found.evidence = LAYOUT_EXHAUSTIVE;
        found.compared = box_size(&a->domain);
        for (uint32_t i = 0; i < found.compared; i++) {
            struct point p = box_point(&a->domain, i), pa = layout_apply(a, &p), pb = layout_apply(b, &p);
            if (point_equal(&pa, &pb) || found.differing++ > 0)
                continue;
            found.at = p;
            found.a = pa;
            found.b = pb;
        }
        found.equal = found.differing == 0;
    }
    *d = found;
    return STATUS_OK;
}

bool layout_to_affine(const struct layout *l, struct layout *out)
{
    struct layout made = {.kind = LAYOUT_AFFINE, .domain = l->domain, .codomain = l->codomain};
    if (layout_shape_check(l, STATUS_BAD_ARGUMENT, NULL) != STATUS_OK ||
        layout_shape_check(&made, STATUS_BAD_ARGUMENT, NULL) != STATUS_OK)
        return false;
    struct point origin = {{0}};
    made.offset = layout_apply(l, &origin);
    for (int d = 0; d < made.domain.rank; d++)
        for (int b = 0; 1u << b < made.domain.extent[d]; b++) {
            struct point unit = point_unit(d, b), image = layout_apply(l, &unit);
            made.image[d][b] = point_xor(image, &made.offset);
        }
    for (uint32_t i = 0; i < box_size(&l->domain); i++) {
        struct point p = box_point(&l->domain, i), have = layout_apply(l, &p), want = apply_affine(&made, &p);
        if (!point_equal(&have, &want))
            return false;
    }
    *out = made;
    return true;
}
