#include "oracle/exec/planted_launch.h"

#include <stdlib.h>
#include <string.h>

static int32_t id_given(int32_t id, size_t experts, const struct planted_launch *launch)
{
    if (!launch->ids_clamped)
        return id;
    return id < 0 ? 0 : (size_t)id < experts ? id : (int32_t)(experts - 1);
}

enum status planted_segments_make(const struct segments *s, const struct planted_launch *launch,
                                  struct planted_segments *out, struct error *e)
{
    size_t active = s->active + (launch->read_past_active ? 1 : 0);
    uint32_t *starts = malloc((active + 1) * sizeof *starts);
    int32_t *ids = malloc((active + 1) * sizeof *ids);
    if (!starts || !ids) {
        free(starts);
        free(ids);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu segments", active);
    }
    memcpy(starts, s->starts, (s->active + 1) * sizeof *starts);
    for (size_t a = 0; a < s->active; a++)
        ids[a] = id_given(s->ids[a], s->experts, launch);
    if (launch->read_past_active) {
        starts[active] = (uint32_t)s->rows;
        ids[s->active] = 0;
    }
    *out = (struct planted_segments){{s->rows, s->experts, active, starts, ids}, starts, ids};
    return STATUS_OK;
}

void planted_segments_free(struct planted_segments *s)
{
    free(s->starts);
    free(s->ids);
    memset(s, 0, sizeof *s);
}

enum status planted_rows_restore(const struct segments *s, const struct planted_launch *launch, size_t N,
                                 struct bf16 *out, struct error *e)
{
    bool order_bad;
    segments_status_word(s, &order_bad);
    if (!launch->rows_scattered || order_bad)
        return STATUS_OK;
    struct bf16 *from = malloc(s->rows * N * sizeof *from);
    if (!from)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu rows of %zu outputs", s->rows, N);
    memcpy(from, out, s->rows * N * sizeof *from);
    for (size_t a = 0; a < s->active; a++) {
        size_t first = s->starts[a], rows = s->starts[a + 1] - first;
        for (size_t i = 0; i < rows; i++)
            memcpy(out + (first + (i + 2) % rows) * N, from + (first + i) * N, N * sizeof *out);
    }
    free(from);
    return STATUS_OK;
}
