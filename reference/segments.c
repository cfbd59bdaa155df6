#include "reference/segments.h"

#include <inttypes.h>

static bool segment_order_is_bad(const struct segments *s, size_t a)
{
    return s->starts[a + 1] < s->starts[a] || s->starts[a + 1] > s->rows;
}

static bool segment_id_is_bad(const struct segments *s, size_t a)
{
    return s->ids[a] < 0 || (uint64_t)s->ids[a] >= s->experts;
}

uint32_t segments_status_word(const struct segments *s, bool *order_bad)
{
    uint32_t word = 0;
    bool order = false;
    for (size_t a = 0; a < s->active; a++) {
        bool here = segment_order_is_bad(s, a);
        order = order || here;
        if (word == 0 && (here || segment_id_is_bad(s, a)))
            word = (uint32_t)(a + 1);
    }
    if (order_bad)
        *order_bad = order;
    return word;
}

enum status segments_validate(const struct segments *s, struct error *e)
{
    uint32_t word = segments_status_word(s, NULL);
    if (word == 0)
        return STATUS_OK;
    size_t a = word - 1;
    if (s->starts[a + 1] < s->starts[a])
        return error_set(e, STATUS_BAD_INPUT,
                         "segment %zu starts at row %" PRIu32 " but ends before it, at row %" PRIu32, a, s->starts[a],
                         s->starts[a + 1]);
    if (s->starts[a + 1] > s->rows)
        return error_set(e, STATUS_BAD_INPUT, "segment %zu ends at row %" PRIu32 ", beyond the %zu rows", a,
                         s->starts[a + 1], s->rows);
    return error_set(e, STATUS_BAD_INPUT, "segment %zu names expert %" PRId32 ", but there are %zu experts", a,
                     s->ids[a], s->experts);
}

int32_t segments_expert_of_row(const struct segments *s, size_t row)
{
    bool order_bad;
    segments_status_word(s, &order_bad);
    if (order_bad)
        return -1;
    for (size_t a = 0; a < s->active; a++)
        if (row >= s->starts[a] && row < s->starts[a + 1])
            return segment_id_is_bad(s, a) ? -1 : s->ids[a];
    return -1;
}
