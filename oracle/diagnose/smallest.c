#include "oracle/diagnose/smallest.h"

#include <inttypes.h>
#include <stdio.h>

#include "oracle/diagnose/outputs.h"

enum { BLOCK = 32, SIZES = 12, EXAMPLE_BEST = 5 };

/* Sizes to try, smallest first, all below `most` and multiples of `step`. */
static size_t sizes_below(const size_t *known, size_t step, size_t most, size_t out[SIZES])
{
    size_t count = 0;
    for (size_t i = 0; known[i] > 0 && count < SIZES; i++) {
        size_t size = (known[i] + step - 1) / step * step;
        if (size < most && (count == 0 || size > out[count - 1]))
            out[count++] = size;
    }
    return count;
}

/* Does it fail there? A launch that breaks or is refused is another matter. */
static enum status fails(const struct executor *subject, const struct coded_options *o, struct smallest *s,
                         struct coded_result *result, bool *yes, struct error *e)
{
    enum status status = coded_run(subject, o, result, e);
    *yes = false;
    if (status == STATUS_SUBJECT || status == STATUS_BAD_ARGUMENT)
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    s->launches += result->launches;
    *yes = !coded_conforms(result);
    if (!*yes)
        coded_result_free(result);
    return STATUS_OK;
}

/* Shrink one extent of s->asked; *result is that of s->asked whenever this returns STATUS_OK and *smaller. */
static enum status shrink(const struct executor *subject, size_t *extent, const size_t *known, size_t step,
                          struct smallest *s, struct coded_result *result, bool *smaller, struct error *e)
{
    size_t size[SIZES], most = *extent, count = sizes_below(known, step, most, size);
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        struct coded_result tried = {0};
        bool yes;
        *extent = size[i];
        status = fails(subject, &s->asked, s, &tried, &yes, e);
        if (status == STATUS_OK && yes) {
            if (*smaller)
                coded_result_free(result);
            *result = tried;
            *smaller = true;
            return STATUS_OK;
        }
    }
    *extent = most;
    return status;
}

static const char *word_of(uint32_t found)
{
    return found == SOURCE_ZERO        ? "nothing, it is zero"
           : found == SOURCE_UNWRITTEN ? "nothing, it was never written"
           : found == SOURCE_MIXTURE   ? "no single weight"
                                       : "a source that cannot be told";
}

static void say_sources(const struct source_map *m, bool scales, uint32_t value, uint32_t scale, uint32_t row,
                        char text[SMALLEST_TEXT])
{
    if (value >= SOURCE_CODES) {
        snprintf(text, SMALLEST_TEXT, "%s", word_of(value));
        return;
    }
    struct source_point v = source_value_point(m, value), s = {0};
    int used = snprintf(text, SMALLEST_TEXT, "W[%" PRIu32 "][%" PRIu32 "][%" PRIu32 "]", v.expert, v.n, v.k);
    if (scales && scale < SOURCE_CODES) {
        s = source_scale_point(m, scale);
        used += snprintf(text + used, SMALLEST_TEXT - (size_t)used,
                         " with the scale of [%" PRIu32 "][%" PRIu32 "], block %" PRIu32, s.expert, s.n, s.k);
    }
    if (row < SOURCE_CODES)
        snprintf(text + used, SMALLEST_TEXT - (size_t)used, ", row %" PRIu32 " of x", row);
}

/* Zero, or a number that reads easily. */
static bool is_plain(struct bf16 x)
{
    int exponent = (x.bits & BF16_EXPONENT) >> BF16_MANTISSA_BITS;
    return (x.bits & ~BF16_SIGN) == 0 || (exponent > BF16_BIAS - 16 && exponent < BF16_BIAS + 16);
}

/* How good an example an observation is: plain numbers first, not 0 where it can be helped, and one that
 * a source shows as well. */
static int example(const struct coded_result *r, struct bf16 found, struct bf16 wanted, size_t at, size_t sweep,
                   uint32_t p, uint32_t n)
{
    bool moved = r->map.value[at] != source_wanted_value(&r->map, sweep, p, n) ||
                 (r->scale_planes > 0 && r->map.scale[at] != source_wanted_scale(&r->map, sweep, p, n));
    bool unwritten = r->map.value[at] == SOURCE_UNWRITTEN;
    if (!unwritten && outputs_same(found, wanted))
        return 0;
    return 1 + moved + 2 * ((unwritten || is_plain(found)) && is_plain(wanted)) + (wanted.bits != 0);
}

/* What an observation is and should be, without numbers. */
static void take(const struct coded_result *r, size_t at, size_t sweep, uint32_t p, uint32_t n, struct smallest *s)
{
    const struct source_map *m = &r->map;
    bool scales = r->scale_planes > 0;
    s->output = true;
    s->p = p;
    s->n = n;
    s->k = m->column[sweep * m->P + p];
    s->unwritten = m->value[at] == SOURCE_UNWRITTEN;
    say_sources(m, scales, m->value[at], m->scale[at], m->row[at], s->took);
    say_sources(m, scales, source_wanted_value(m, sweep, p, n), source_wanted_scale(m, sweep, p, n),
                source_wanted_row(m, sweep, p, n), s->wanted);
}

/* One output of the pair planes, which hold every kind of weight. */
static enum status pick_output(const struct coded_result *r, struct smallest *s, struct error *e)
{
    const struct source_map *m = &r->map;
    struct geometry g;
    struct outputs o;
    size_t all = source_map_observations(m);
    int best = 0;
    enum status status = geometry_make(m, r->report.tile, &g, e);
    if (status != STATUS_OK)
        return status;
    const struct chain right = {.g = &g, .place = g.place};
    status = outputs_make(&g, r->pair_planes, r->scale_planes == 0, &o, e);
    for (size_t i = 0; status == STATUS_OK && best < EXAMPLE_BEST && i < r->pair_planes * all; i++) {
        size_t at = i % all, sweep = at / (m->P * m->N);
        uint32_t p = (uint32_t)(at / m->N % m->P), n = (uint32_t)(at % m->N);
        bool anything;
        struct bf16 wanted = outputs_pair(&o, &right, i / all, sweep, p, n, &anything);
        int good = example(r, r->pair[i], wanted, at, sweep, p, n);
        if (good > best) {
            best = good;
            take(r, at, sweep, p, n, s);
            s->numbers = true;
            s->expected = wanted;
            s->found = r->pair[i];
        }
    }
    if (status == STATUS_OK)
        outputs_free(&o);
    geometry_free(&g);
    return status;
}

/* The pair planes show the same in every expert, and some subjects are not asked for them: the first observation of a
 * wrong source. */
static void pick_source(const struct coded_result *r, struct smallest *s)
{
    const struct source_map *m = &r->map;
    for (size_t at = 0; !s->output && at < source_map_observations(m); at++) {
        size_t sweep = at / (m->P * m->N);
        uint32_t p = (uint32_t)(at / m->N % m->P), n = (uint32_t)(at % m->N);
        if (m->value[at] != source_wanted_value(m, sweep, p, n) || m->row[at] != source_wanted_row(m, sweep, p, n) ||
            (r->scale_planes > 0 && m->scale[at] != source_wanted_scale(m, sweep, p, n)))
            take(r, at, sweep, p, n, s);
    }
}

/* What is wrong where every source and every output of the pair planes is right. */
static void say_else(const struct coded_result *r, struct smallest *s)
{
    const struct coded_guard *g = &r->guard;
    for (size_t p = 0; g->asked && p < r->map.P; p++)
        if (g->found[p] != g->wanted[p]) {
            if (g->found[p] < SOURCE_CODES)
                snprintf(s->what, sizeof s->what, "guard launch: row %zu of a bad id has weights of expert %" PRIu32, p,
                         g->found[p]);
            else
                snprintf(s->what, sizeof s->what, "guard launch: row %zu took %s", p, word_of(g->found[p]));
            return;
        }
    if (g->asked && g->status_told && g->status_word != g->status_wanted)
        snprintf(s->what, sizeof s->what, "guard launch: status word %" PRIu32 ", wanted %" PRIu32, g->status_word,
                 g->status_wanted);
    else if (r->special.differing)
        snprintf(s->what, sizeof s->what, "%zu of %zu sums of special weights", r->special.differing, r->special.count);
    else if (r->dense_differing)
        snprintf(s->what, sizeof s->what, "%zu of %zu sums of the dense product", r->dense_differing, r->dense_count);
    else if (!r->repeats)
        snprintf(s->what, sizeof s->what, "two launches of the same inputs");
    else
        snprintf(s->what, sizeof s->what, "what the kernel counted or reported");
}

/* Of N, then K, then P. */
static enum status shrink_all(const struct executor *subject, struct smallest *s, struct coded_result *result,
                              bool *smaller, struct error *e)
{
    static const size_t known_N[] = {1, 8, 16, 32, 64, 128, 256, 512, 0}, known_K[] = {32, 64, 128, 192, 256, 512, 0},
                        known_P[] = {1, 2, 4, 8, 16, 32, 64, 96, 128, 0};
    const struct executor_limits *l = &subject->limits;
    size_t step_K = l->multiple_K ? l->multiple_K : 1;
    while (step_K % BLOCK != 0)
        step_K += l->multiple_K ? l->multiple_K : 1;
    enum status status = STATUS_OK;
    if (!l->only_N)
        status = shrink(subject, &s->asked.N, known_N, l->multiple_N ? l->multiple_N : 1, s, result, smaller, e);
    if (status == STATUS_OK && !l->only_K)
        status = shrink(subject, &s->asked.K, known_K, step_K, s, result, smaller, e);
    if (status == STATUS_OK && !l->only_P)
        status = shrink(subject, &s->asked.P, known_P, 1, s, result, smaller, e);
    return status;
}

enum status smallest_find(const struct executor *subject, const struct coded_options *o, const struct coded_result *r,
                          struct smallest *out, struct error *e)
{
    struct smallest s = {.asked = *o};
    struct coded_result result = {0};
    bool smaller = false;
    enum status status = subject ? shrink_all(subject, &s, &result, &smaller, e) : STATUS_OK;
    if (status == STATUS_OK)
        status = pick_output(smaller ? &result : r, &s, e);
    if (status == STATUS_OK && !s.output)
        pick_source(smaller ? &result : r, &s);
    if (status == STATUS_OK && !s.output)
        say_else(smaller ? &result : r, &s);
    if (smaller)
        coded_result_free(&result);
    if (status == STATUS_OK)
        *out = s;
    return status;
}
