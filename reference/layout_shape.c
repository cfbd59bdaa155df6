#include "reference/layout_shape.h"

#include <stdio.h>

const char *layout_shape_point(const struct box *b, const struct point *p, char text[LAYOUT_SHAPE_TEXT])
{
    size_t used = 0;
    text[0] = '\0';
    for (int d = 0; d < b->rank && used < LAYOUT_SHAPE_TEXT; d++)
        used += (size_t)snprintf(text + used, LAYOUT_SHAPE_TEXT - used, "%s%s %u", d ? ", " : "", b->name[d],
                                 (unsigned)p->at[d]);
    return text;
}

enum status layout_shape_check_box(const struct box *b, enum status as, struct error *e)
{
    if (b->rank < 1 || b->rank > LAYOUT_DIMS)
        return error_set(e, as, "a box of rank %d; the rank is 1 to %d", b->rank, LAYOUT_DIMS);
    uint64_t size = 1;
    for (int d = 0; d < b->rank; d++) {
        if (!b->name[d])
            return error_set(e, as, "dimension %d of a box has no name", d);
        size *= b->extent[d];
        if (size == 0 || size > LAYOUT_POINTS)
            return error_set(e, as, "a box with %u of %s; a box holds 1 to %u points", (unsigned)b->extent[d],
                             b->name[d], (unsigned)LAYOUT_POINTS);
    }
    return STATUS_OK;
}

static enum status check_affine(const struct layout *l, enum status as, struct error *e)
{
    for (int d = 0; d < l->domain.rank; d++)
        if (l->domain.extent[d] > 1u << LAYOUT_BITS)
            return error_set(e, as, "an affine layout with %u of %s; there are images for %d bits",
                             (unsigned)l->domain.extent[d], l->domain.name[d], LAYOUT_BITS);
    return STATUS_OK;
}

static enum status check_strided(const struct layout *l, enum status as, struct error *e)
{
    if (l->modes < 0 || l->modes > LAYOUT_MODES)
        return error_set(e, as, "a strided layout with %d modes; there are at most %d", l->modes, LAYOUT_MODES);
    for (int i = 0; i < l->modes; i++) {
        const struct layout_mode *m = &l->mode[i];
        if (m->dim < 0 || m->dim >= l->domain.rank || m->divisor == 0 || m->extent == 0)
            return error_set(e, as, "mode %d reads dimension %d with divisor %u and extent %u", i, m->dim,
                             (unsigned)m->divisor, (unsigned)m->extent);
    }
    return STATUS_OK;
}

static enum status check_table(const struct layout *l, enum status as, struct error *e)
{
    if (!l->table)
        return error_set(e, as, "a table layout without its table");
    size_t domain = box_size(&l->domain), codomain = box_size(&l->codomain);
    for (size_t i = 0; i < domain; i++)
        if (l->table[i] >= codomain) {
            char text[LAYOUT_SHAPE_TEXT];
            struct point p = box_point(&l->domain, (uint32_t)i);
            return error_set(e, as, "%s goes to code %u, but the codomain has %zu points",
                             layout_shape_point(&l->domain, &p, text), (unsigned)l->table[i], codomain);
        }
    return STATUS_OK;
}

enum status layout_shape_check(const struct layout *l, enum status as, struct error *e)
{
    enum status s = layout_shape_check_box(&l->domain, as, e);
    if (s == STATUS_OK)
        s = layout_shape_check_box(&l->codomain, as, e);
    if (s != STATUS_OK)
        return s;
    switch (l->kind) {
    case LAYOUT_AFFINE:
        return check_affine(l, as, e);
    case LAYOUT_STRIDED:
        return check_strided(l, as, e);
    case LAYOUT_TABLE:
        return check_table(l, as, e);
    }
    return error_set(e, as, "%d is no kind of layout", (int)l->kind);
}
