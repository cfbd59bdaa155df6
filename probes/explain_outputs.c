/* Outputs that show the whole sum of another output. */
#include <stdlib.h>

#include "probes/explain_parts.h"

/* The output that an observation is wanted at, of the same sweep; RULE_UNSEEN for none. */
static uint32_t wanted_at(const struct explain_session *x, size_t i)
{
    const struct source_map *m = x->m;
    uint32_t row = m->row[i], value = m->value[i];
    size_t sweep = i / m->N / m->P;
    if (row >= m->P || value >= SOURCE_CODES || x->row[row].expert < 0)
        return RULE_UNSEEN;
    uint32_t n = source_value_point(m, value).n;
    if (source_wanted_value(m, sweep, row, n) != value)
        return RULE_UNSEEN;
    if (x->scales_asked && source_wanted_scale(m, sweep, row, n) != m->scale[i])
        return RULE_UNSEEN;
    return row * (uint32_t)m->N + n;
}

enum status explain_outputs(struct explain_session *x, struct error *e)
{
    const struct source_map *m = x->m;
    size_t outputs = m->P * m->N;
    x->shows = malloc(outputs * sizeof *x->shows);
    if (!x->shows)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu outputs", outputs);
    for (size_t i = 0; i < source_map_observations(m); i++) {
        uint32_t at = wanted_at(x, i), *shows = &x->shows[i % outputs];
        if (i < outputs)
            *shows = at;
        else if (*shows != at)
            *shows = RULE_UNSEEN;
    }
    return STATUS_OK;
}
