#include "oracle/infer/site_zero.h"

#include <stdlib.h>
#include <string.h>

/* A copy of `count` values without -0; NULL without memory. *found: there was one. */
static uint32_t *fold(const struct site_type *type, const uint32_t *value, size_t count, bool *found)
{
    uint32_t minus = (uint32_t)1 << (type->bits - 1), *copy = malloc((count ? count : 1) * sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        bool zero = value[i] == minus;
        copy[i] = zero ? 0 : value[i];
        *found = *found || zero;
    }
    return copy;
}

enum status site_zero_fold(const struct site_tile *t, const struct site_matrix *m, struct site_folded *out,
                           struct error *e)
{
    struct site_folded f = {.tile = *t, .matrix = *m};
    f.tile.view = NULL;
    f.tile.values = NULL;
    for (int i = 0; i < m->forms; i++)
        f.matrix.form[i].value = NULL;
    if (t->type->integer) {
        *out = f;
        return STATUS_OK;
    }
    bool whole = true;
    for (int i = 0; i < m->forms; i++) {
        f.matrix.form[i].value = fold(m->type, m->form[i].value, m->rows * m->columns, &f.differs);
        whole = whole && f.matrix.form[i].value;
    }
    f.tile.view = malloc((t->views ? t->views : 1) * sizeof *f.tile.view);
    f.tile.values = malloc((t->views ? t->views : 1) * t->slots * sizeof *f.tile.values);
    for (size_t v = 0; f.tile.view && f.tile.values && v < t->views; v++) {
        uint32_t *copy = fold(t->type, t->view[v].value, t->slots, &f.differs);
        whole = whole && copy;
        if (copy)
            memcpy(f.tile.values + v * t->slots, copy, t->slots * sizeof *copy);
        f.tile.view[v] = t->view[v];
        f.tile.view[v].value = f.tile.values + v * t->slots;
        free(copy);
    }
    if (!whole || !f.tile.view || !f.tile.values) {
        site_zero_free(&f);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu tiles without signs of zero", t->views);
    }
    *out = f;
    return STATUS_OK;
}

void site_zero_free(struct site_folded *f)
{
    for (int i = 0; i < f->matrix.forms; i++)
        free(f->matrix.form[i].value);
    free(f->tile.view);
    free(f->tile.values);
    memset(f, 0, sizeof *f);
}

size_t site_zero_signs(const struct site_tile *t, size_t view, const struct site_matrix *m, int form, size_t i0,
                       size_t j0)
{
    size_t signs = 0;
    for (size_t s = 0; s < t->slots; s++) {
        size_t i = i0 + t->row[s], j = j0 + t->column[s];
        if (i < m->rows && j < m->columns)
            signs += t->view[view].value[s] != m->form[form].value[i * m->columns + j];
    }
    return signs;
}
