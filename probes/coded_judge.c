#include "probes/coded_judge.h"

#include "reference/number.h"

static bool is_zero(struct bf16 x)
{
    return (x.bits & ~BF16_SIGN) == 0;
}

static bool count_is_right(const struct source_count *c)
{
    return c->right > 0 && c->moved + c->zero + c->unwritten + c->mixture + c->unknown == 0;
}

static bool sources_right(const struct coded_result *r)
{
    struct source_counts c = source_map_count(&r->map);
    return count_is_right(&c.value) && count_is_right(&c.row) && (r->scale_planes == 0 || count_is_right(&c.scale)) &&
           r->scaled == 0;
}

/* A factor that may be a number of sources makes what was read of scale and row a chance of its own. */
void coded_judge_factors(const struct bf16 *unit, struct coded_result *r)
{
    struct source_map *m = &r->map;
    for (size_t i = 0; i < source_map_observations(m); i++) {
        if (unit[i].bits == BF16_ONE)
            continue;
        if (m->value[i] < SOURCE_CODES)
            r->scaled++;
        else if (m->value[i] == SOURCE_MIXTURE) {
            m->row[i] = SOURCE_MIXTURE;
            if (r->scale_planes > 0)
                m->scale[i] = SOURCE_MIXTURE;
        }
    }
}

static bool same_product(struct bf16 a, struct bf16 b)
{
    return a.bits == b.bits || (bf16_is_nan(a) && bf16_is_nan(b)) || (is_zero(a) && is_zero(b));
}

/* Hold the pair planes against the product where value and scale are where they should be. In a subject that mixes rows
 * of weights up, a NaN may come from another row or be lost to one. */
void coded_judge_pairs(const struct coded_planes *planes, struct coded_result *r)
{
    bool all_right = sources_right(r);
    const struct source_map *m = &r->map;
    size_t all = source_map_observations(m);
    for (size_t i = 0; i < all; i++) {
        size_t sweep = i / (m->P * m->N), p = i / m->N % m->P, n = i % m->N;
        bool right = m->value[i] < SOURCE_CODES && m->value[i] == source_wanted_value(m, sweep, p, n);
        if (!right || (r->scale_planes > 0 && m->scale[i] != source_wanted_scale(m, sweep, p, n)))
            continue;
        struct source_point at = source_value_point(m, m->value[i]);
        for (size_t plane = 0; plane < r->pair_planes; plane++) {
            struct bf16 is = r->pair[plane * all + i];
            struct bf16 wanted = coded_planes_pair_expected(planes, plane, at);
            if (!all_right && (bf16_is_nan(is) || bf16_is_nan(wanted)))
                continue;
            r->pair_count++;
            r->pair_differing += !same_product(is, wanted);
        }
    }
}

/* What a row of the guard shows: the expert of its codes, else the word that says most. */
static uint32_t guard_row(const struct source_map *m, const uint32_t *value)
{
    static const uint32_t order[] = {SOURCE_UNWRITTEN, SOURCE_MIXTURE, SOURCE_UNKNOWN};
    uint32_t expert = SOURCE_ZERO;
    for (size_t n = 0; n < m->N; n++) {
        if (value[n] >= SOURCE_CODES)
            continue;
        uint32_t here = source_value_point(m, value[n]).expert;
        if (expert != SOURCE_ZERO && expert != here)
            return SOURCE_MIXTURE;
        expert = here;
    }
    for (size_t i = 0; expert == SOURCE_ZERO && i < sizeof order / sizeof *order; i++)
        for (size_t n = 0; n < m->N; n++)
            if (value[n] == order[i])
                expert = order[i];
    return expert;
}

void coded_judge_guard(const struct segments *segments, const uint32_t *value, struct coded_result *r)
{
    struct coded_guard *g = &r->guard;
    const struct source_map *m = &r->map;
    for (size_t p = 0; g->asked && p < m->P; p++) {
        int32_t expert = segments_expert_of_row(segments, p);
        g->found[p] = guard_row(m, value + p * m->N);
        g->wanted[p] = expert < 0 ? SOURCE_ZERO : (uint32_t)expert;
        g->wrong += g->found[p] != g->wanted[p];
    }
}

void coded_judge_special(struct coded_result *r)
{
    struct coded_special *s = &r->special;
    s->count = r->map.P * r->map.N;
    for (size_t i = 0; i < s->count; i++) {
        bool differs = !same_product(s->found[i], s->expected[i]);
        s->differing += differs;
        s->nan_is_infinite +=
            differs && bf16_is_nan(s->expected[i]) && (s->found[i].bits & ~BF16_SIGN) == BF16_EXPONENT;
    }
}

bool coded_conforms(const struct coded_result *r)
{
    const struct coded_guard *g = &r->guard;
    bool guard = !g->asked || (g->wrong == 0 && (!g->status_told || g->status_word == g->status_wanted));
    return sources_right(r) && r->repeats && r->miscounted == 0 && r->report.status_word == 0 &&
           (r->pair_count > 0 || r->pair_planes == 0) && r->pair_differing == 0 && r->dense_count > 0 &&
           r->dense_differing == 0 && r->special.differing == 0 && guard;
}
