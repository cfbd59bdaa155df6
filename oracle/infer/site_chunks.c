#include "oracle/infer/site_chunks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_OF_A_CORE = 8 };

/* A chunk of the matrix, for looking up. */
struct entry {
    uint64_t hash;
    uint32_t line, at;
};

static uint64_t hash_step(uint64_t h, uint32_t value)
{
    h = (h ^ value) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static int by_hash(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Element `i` of a line of the matrix. */
static uint32_t element(const struct site_matrix *m, int form, bool columns, size_t line, size_t i)
{
    return m->form[form].value[columns ? i * m->columns + line : line * m->columns + i];
}

static enum status index_matrix(const struct site_matrix *m, int form, bool columns, uint32_t elements,
                                struct entry **out, size_t *count, struct error *e)
{
    size_t lines = columns ? m->columns : m->rows, along = (columns ? m->rows : m->columns) / elements;
    struct entry *all = calloc(lines * along + 1, sizeof *all);
    if (!all)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu chunks of a matrix", lines * along);
    for (size_t l = 0; l < lines; l++)
        for (size_t a = 0; a < along; a++) {
            uint64_t h = 0;
            for (uint32_t i = 0; i < elements; i++)
                h = hash_step(h, element(m, form, columns, l, a * elements + i));
            all[l * along + a] = (struct entry){h, (uint32_t)l, (uint32_t)a};
        }
    qsort(all, lines * along, sizeof *all, by_hash);
    *out = all;
    *count = lines * along;
    return STATUS_OK;
}

/* The first entry of a hash, `count` where there is none. */
static size_t lower_bound(const struct entry *all, size_t count, uint64_t hash)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct site_chunk look_up(const struct entry *all, size_t count, const uint32_t *value, uint32_t elements)
{
    uint64_t h = 0;
    for (uint32_t i = 0; i < elements; i++)
        h = hash_step(h, value[i]);
    size_t at = lower_bound(all, count, h);
    if (at == count || all[at].hash != h)
        return (struct site_chunk){CHUNK_NOWHERE, 0, 0};
    bool often = at + 1 < count && all[at + 1].hash == h;
    return (struct site_chunk){often ? CHUNK_OFTEN : CHUNK_ONCE, all[at].line, all[at].at};
}

/* Where the tile begins if this chunk stands where it should. */
static bool origin_of(const struct site_chunk_tile *t, const struct site_chunks *c, size_t i, uint32_t *line,
                      uint32_t *at)
{
    uint32_t l = (uint32_t)(i / t->along), a = (uint32_t)(i % t->along);
    const struct site_chunk *k = &c->chunk[i];
    if (k->stands != CHUNK_ONCE || k->line < l || k->at < a)
        return false;
    *line = k->line - l;
    *at = k->at - a;
    return true;
}

static size_t count_agreeing(const struct site_chunk_tile *t, const struct site_chunks *c, uint32_t line, uint32_t at)
{
    size_t agree = 0;
    for (size_t i = 0; i < c->count; i++) {
        uint32_t l, a;
        agree += origin_of(t, c, i, &l, &a) && l == line && a == at;
    }
    return agree;
}

/* The origin that most chunks agree on; of equals the one of the earliest chunk. */
static void vote(const struct site_chunk_tile *t, struct site_chunks *c)
{
    for (size_t i = 0; i < c->count; i++) {
        uint32_t line, at;
        if (!origin_of(t, c, i, &line, &at) || (c->placed && line == c->line && at == c->at))
            continue;
        size_t agree = count_agreeing(t, c, line, at);
        if (agree > c->agree) {
            c->placed = true;
            c->agree = agree;
            c->line = line;
            c->at = at;
        }
    }
}

enum status site_chunks_find(const struct site_chunk_tile *t, const struct site_matrix *m, int form,
                             bool lines_are_columns, struct site_chunks *out, struct error *e)
{
    struct site_chunks c = {.count = (size_t)t->lines * t->along};
    struct entry *all = NULL;
    size_t count = 0;
    enum status s = index_matrix(m, form, lines_are_columns, t->elements, &all, &count, e);
    if (s != STATUS_OK)
        return s;
    c.chunk = malloc((c.count ? c.count : 1) * sizeof *c.chunk);
    if (!c.chunk) {
        free(all);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu chunks", c.count);
    }
    for (size_t i = 0; i < c.count; i++) {
        c.chunk[i] = look_up(all, count, t->value + i * t->elements, t->elements);
        c.once += c.chunk[i].stands == CHUNK_ONCE;
        c.often += c.chunk[i].stands == CHUNK_OFTEN;
        c.nowhere += c.chunk[i].stands == CHUNK_NOWHERE;
    }
    free(all);
    vote(t, &c);
    *out = c;
    return STATUS_OK;
}

void site_chunks_free(struct site_chunks *c)
{
    free(c->chunk);
    memset(c, 0, sizeof *c);
}

/* The line of the matrix that a line of the tile holds, -1 where its chunks disagree or none says. */
static int64_t line_held(const struct site_chunk_tile *t, const struct site_chunks *c, uint32_t line)
{
    int64_t held = -1;
    for (uint32_t a = 0; a < t->along; a++) {
        const struct site_chunk *k = &c->chunk[line * t->along + a];
        if (k->stands != CHUNK_ONCE)
            continue;
        if (held >= 0 && held != k->line)
            return -1;
        held = k->line;
    }
    return held;
}

/* Groups of eight lines a constant number of lines apart, other than eight. */
static bool group_step(const struct site_chunk_tile *t, const struct site_chunks *c, int64_t *step)
{
    int64_t first = line_held(t, c, 0);
    bool known = false;
    if (first < 0)
        return false;
    for (uint32_t l = 0; l < t->lines; l++) {
        int64_t held = line_held(t, c, l);
        if (held < 0)
            continue;
        int64_t group = l / LINES_OF_A_CORE, from = held - l % LINES_OF_A_CORE - first;
        if (group == 0 ? from != 0 : known ? from != group * *step : from % group != 0)
            return false;
        if (group) {
            *step = from / group;
            known = true;
        }
    }
    return known && *step != LINES_OF_A_CORE;
}

/* Are lines right and chunks exclusive-or'ed with something that depends on the line only? */
static bool chunks_xored(const struct site_chunk_tile *t, const struct site_chunks *c, uint32_t *lines)
{
    *lines = 0;
    for (uint32_t l = 0; l < t->lines; l++) {
        uint32_t x = 0;
        bool any = false;
        for (uint32_t a = 0; a < t->along; a++) {
            const struct site_chunk *k = &c->chunk[l * t->along + a];
            if (k->stands != CHUNK_ONCE)
                continue;
            if (k->line != c->line + l)
                return false;
            uint32_t this = k->at ^ (c->at + a);
            if (any && this != x)
                return false;
            any = true;
            x = this;
        }
        *lines += x != 0;
    }
    return *lines > 0;
}

void site_chunks_words(const struct site_chunk_tile *t, const struct site_chunks *c, const char *line_name,
                       char cause[SITE_CHUNK_CAUSE])
{
    uint32_t xored;
    int64_t step = 0;
    const char *lines = strcmp(line_name, "row") == 0 ? "rows" : line_name;
    if (group_step(t, c, &step)) {
        int64_t first = line_held(t, c, 0);
        snprintf(cause, SITE_CHUNK_CAUSE,
                 "%s 8..15 hold %s %lld..%lld: groups of 8 %s lie %lld %s apart instead of 8 (%s byte offset)", lines,
                 lines, (long long)(step + first - c->line), (long long)(step + first - c->line + 7), lines,
                 (long long)step, lines, t->leads ? "leading" : "stride");
    } else if (chunks_xored(t, c, &xored)) {
        snprintf(cause, SITE_CHUNK_CAUSE,
                 "%s are right, but in %u of %u of them the chunks of 16 bytes are exclusive-or'ed: another swizzle "
                 "than the one "
                 "that stored them",
                 lines, xored, t->lines);
    } else {
        size_t used = (size_t)snprintf(cause, SITE_CHUNK_CAUSE, "%zu of %zu chunks of 16 bytes stand elsewhere",
                                       c->once - c->agree, c->count);
        for (uint32_t i = 0, shown = 0; i < c->count && shown < 2; i++) {
            uint32_t l = i / t->along, a = i % t->along;
            const struct site_chunk *k = &c->chunk[i];
            if (k->stands != CHUNK_ONCE || (k->line == c->line + l && k->at == c->at + a) || used >= SITE_CHUNK_CAUSE)
                continue;
            shown++;
            used +=
                (size_t)snprintf(cause + used, SITE_CHUNK_CAUSE - used, "%s %s %u chunk %u holds %s %u chunk %u",
                                 shown == 1 ? ":" : ",", line_name, c->line + l, c->at + a, line_name, k->line, k->at);
        }
    }
}
