#include "probes/infer_separable.h"

#include <stdlib.h>
#include <string.h>

/* Once the differences between places are chosen, the threads do not depend on each other: each may begin at any of a
 * list of places of the space, and the number of maps is the product of the lengths. A choice for one more place
 * shortens the lists; one that empties a list is none. */
struct pool {
    uint32_t *item;
    size_t used, room;
};
enum { POOL_MOST = 1 << 24 }; /* items: 64 MiB. A search that needs more has next to no information: exhausted */

struct search {
    size_t threads, places;
    const struct infer_classes *c;
    const struct infer_space *space;
    struct infer_fits *fits;
    struct pool starts, steps; /* lists of all depths, one after the other */
    size_t *begin;             /* [places + 1][threads + 1] into starts: the lists with so many places chosen */
    uint32_t *shift;           /* [places] from where the thread begins; of chosen places */
    bool *chosen;              /* [places] */
    uint32_t *stamp, stamps;   /* [2 * space->places] of steps, the last node that listed it */
    uint32_t *map;             /* [slots] */
    struct error *e;
};

static uint32_t choices(const struct search *s, size_t thread, size_t place)
{
    return infer_space_count(s->space, s->c->slot[thread * s->places + place]);
}

static size_t *lists(const struct search *s, size_t depth)
{
    return s->begin + depth * (s->threads + 1);
}

/* Room for `more` items. Out of what a search may take it is exhausted, and nothing is reserved. */
static enum status reserve(struct search *s, struct pool *p, size_t more)
{
    if (more > p->room - p->used) {
        size_t room = p->used + more > 2 * p->room ? p->used + more : 2 * p->room;
        if (p->used + more > POOL_MOST) {
            s->fits->exhausted = true;
            return STATUS_OK;
        }
        uint32_t *moved = realloc(p->item, room * sizeof *moved);
        if (!moved)
            return error_set(s->e, STATUS_NO_MEMORY, "no memory for %zu candidates of a separable map", room);
        p->item = moved;
        p->room = room;
    }
    return STATUS_OK;
}

/* The place at which the lists are shortest to begin with. */
static enum status begin_lists(struct search *s)
{
    size_t best = 0, fewest = SIZE_MAX;
    for (size_t p = 0; p < s->places; p++) {
        size_t sum = 0;
        for (size_t t = 0; t < s->threads; t++)
            sum += choices(s, t, p);
        if (sum < fewest) {
            fewest = sum;
            best = p;
        }
    }
    enum status status = reserve(s, &s->starts, fewest);
    if (status != STATUS_OK || s->fits->exhausted)
        return status;
    for (size_t t = 0; t < s->threads; t++) {
        int32_t want = s->c->slot[t * s->places + best];
        lists(s, 1)[t] = s->starts.used;
        for (uint32_t m = s->space->begin[want]; m < s->space->begin[want + 1]; m++)
            s->starts.item[s->starts.used++] = s->space->member[m];
    }
    lists(s, 1)[s->threads] = s->starts.used;
    s->chosen[best] = true;
    s->shift[best] = 0;
    return STATUS_OK;
}

/* The thread and the place that leave the fewest steps to try. */
static void choose_pivot(const struct search *s, size_t depth, size_t *thread, size_t *place)
{
    const size_t *list = lists(s, depth);
    size_t fewest = SIZE_MAX;
    for (size_t p = 0; p < s->places; p++)
        for (size_t t = 0; t < s->threads && !s->chosen[p]; t++) {
            size_t steps = (list[t + 1] - list[t]) * choices(s, t, p);
            if (steps < fewest) {
                fewest = steps;
                *thread = t;
                *place = p;
            }
        }
    s->fits->steps -= (int64_t)(s->threads * s->places);
}

/* List the steps that take a start of this thread to an element that its slot may hold, each once. */
static enum status list_steps(struct search *s, size_t depth, size_t thread, size_t place)
{
    const size_t *list = lists(s, depth);
    const struct infer_space *space = s->space;
    int32_t want = s->c->slot[thread * s->places + place];
    size_t pairs = (list[thread + 1] - list[thread]) * infer_space_count(space, want), kinds = 2 * space->places;
    s->fits->steps -= (int64_t)pairs;
    s->fits->exhausted = s->fits->exhausted || s->fits->steps < 0;
    if (s->fits->exhausted)
        return STATUS_OK;
    enum status status = reserve(s, &s->steps, pairs < kinds ? pairs : kinds);
    if (status != STATUS_OK || s->fits->exhausted)
        return status;
    s->stamps++;
    for (size_t n = list[thread]; n < list[thread + 1]; n++)
        for (uint32_t m = space->begin[want]; m < space->begin[want + 1]; m++) {
            uint32_t step = space->member[m] - s->starts.item[n];
            uint32_t *stamp = &s->stamp[step + (uint32_t)space->places];
            if (*stamp == s->stamps)
                continue;
            *stamp = s->stamps;
            s->steps.item[s->steps.used++] = step;
        }
    return STATUS_OK;
}

/* The lists that this step of this place leaves, after those of `depth`. false: one of them is empty. needs: room. */
static bool shorten(struct search *s, size_t depth, size_t place, uint32_t step)
{
    const size_t *list = lists(s, depth);
    size_t *shorter = lists(s, depth + 1);
    s->starts.used = list[s->threads];
    for (size_t t = 0; t < s->threads; t++) {
        int32_t want = s->c->slot[t * s->places + place];
        shorter[t] = s->starts.used;
        for (size_t n = list[t]; n < list[t + 1]; n++)
            if (s->space->class_of[s->starts.item[n] + step] == want)
                s->starts.item[s->starts.used++] = s->starts.item[n];
        s->fits->steps -= (int64_t)(list[t + 1] - list[t]);
        if (s->starts.used == shorter[t])
            return false;
    }
    shorter[s->threads] = s->starts.used;
    return true;
}

/* The map in which thread `other` takes the last of its starts and every other thread the first. */
static void keep_map(struct search *s, size_t other)
{
    const size_t *list = lists(s, s->places);
    for (size_t t = 0; t < s->threads; t++) {
        uint32_t start = s->starts.item[t == other ? list[t + 1] - 1 : list[t]];
        for (size_t p = 0; p < s->places; p++)
            s->map[t * s->places + p] = infer_space_element(s->space, start + s->shift[p]);
    }
    infer_fits_keep(s->fits, s->map);
}

static void found(struct search *s)
{
    const size_t *list = lists(s, s->places);
    double maps = 1;
    size_t free_thread = 0;
    for (size_t t = 0; t < s->threads; t++) {
        maps *= (double)(list[t + 1] - list[t]);
        if (list[t + 1] - list[t] > 1)
            free_thread = t;
    }
    s->fits->count += maps;
    for (size_t t = 0; t < 2 && s->fits->maps < 2; t++)
        keep_map(s, t ? free_thread : s->threads);
}

static enum status descend(struct search *s, size_t depth)
{
    if (depth == s->places) {
        found(s);
        return STATUS_OK;
    }
    size_t thread = 0, place = 0, first = s->steps.used;
    choose_pivot(s, depth, &thread, &place);
    enum status status = list_steps(s, depth, thread, place);
    if (status == STATUS_OK && !s->fits->exhausted)
        status = reserve(s, &s->starts, lists(s, depth)[s->threads] - lists(s, depth)[0]);
    size_t last = s->steps.used;
    s->chosen[place] = true;
    for (size_t n = first; n < last && status == STATUS_OK && !s->fits->exhausted; n++) {
        uint32_t step = s->steps.item[n];
        if (shorten(s, depth, place, step)) {
            s->shift[place] = step;
            status = descend(s, depth + 1);
        }
        s->fits->exhausted = s->fits->exhausted || s->fits->steps < 0;
    }
    s->chosen[place] = false;
    s->steps.used = first;
    return status;
}

static void free_search(struct search *s)
{
    free(s->starts.item);
    free(s->steps.item);
    free(s->begin);
    free(s->shift);
    free(s->chosen);
    free(s->stamp);
    free(s->map);
}

enum status infer_separable_search(size_t threads, size_t places, const struct infer_classes *c,
                                   const struct infer_space *space, struct infer_fits *fits, struct error *e)
{
    enum status status;
    struct search s = {.threads = threads, .places = places, .c = c, .space = space, .fits = fits, .e = e};
    s.begin = calloc((places + 1) * (threads + 1), sizeof *s.begin);
    s.shift = calloc(places, sizeof *s.shift);
    s.chosen = calloc(places, sizeof *s.chosen);
    s.stamp = calloc(2 * space->places, sizeof *s.stamp);
    s.map = malloc(c->slots * sizeof *s.map);
    if (!s.begin || !s.shift || !s.chosen || !s.stamp || !s.map) {
        status = error_set(e, STATUS_NO_MEMORY, "no memory for a separable map of %zu threads", threads);
        goto done;
    }
    status = begin_lists(&s);
    if (status == STATUS_OK && !fits->exhausted)
        status = descend(&s, 1);
done:
    free_search(&s);
    return status;
}
