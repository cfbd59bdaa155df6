/* How sure a code is. A sum of m sources shows m in the unit plane, so it can pass only for m a power of two, and then
 * every plane must show m times a symbol. For two sources of different labels that leaves 11 of 25 pairs of symbols;
 * the mean of their two hashes must be that of a third, which is 11/125 a check digit and (11/125)^10 = 3e-11 in all,
 * whatever the labels; for more sources it is less, as fewer sums are m times a symbol. Two bytes of which the bits of
 * one are mixed into the other give any symbol, which is the right one in 1/5: 1e-7. A scale or a row has digits of 64
 * symbols and four of them are checks: 6e-8; and where the unit plane shows another factor than 1, they count only if
 * the value is known. */
#include "probes/coded.h"

#include <stdlib.h>
#include <string.h>

#include "probes/coded_judge.h"
#include "probes/identity.h"
#include "probes/weights.h"
#include "reference/matmul.h"

/* As in identity.c: signs, payloads and quiet bits differ, so that neither survives as the other. */
static const struct bf16 poison_a = {0x7fa5}, poison_b = {0xffda};

enum { GUARD_SEGMENTS = 3 };

/* A run in progress. */
struct session {
    const struct executor *subject;
    const struct coded_options *o;
    struct identity_segments segments;
    struct coded_planes planes;
    struct bf16 *x;        /* [P,K]: zeros between launches */
    struct bf16 *out;      /* [P,N] */
    struct bf16 *unit;     /* [sweeps,P,N]: what the unit plane gave */
    struct segments guard; /* points into the two arrays below */
    uint32_t guard_starts[GUARD_SEGMENTS + 1];
    int32_t guard_ids[GUARD_SEGMENTS];
    struct bf16 *guard_unit; /* [P,N] */
    uint32_t *guard_value;   /* [P,N]: as source_map's */
    struct coded_result result;
};

static enum status check_limits(const struct executor *subject, const struct coded_options *o, struct error *e)
{
    const struct executor_limits *l = &subject->limits;
    uint32_t n = l->multiple_N ? l->multiple_N : 1, k = l->multiple_K ? l->multiple_K : 1;
    if (o->N % n != 0 || o->K % k != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "%s wants N %% %u == 0 and K %% %u == 0, not N = %zu, K = %zu",
                         subject->subject, n, k, o->N, o->K);
    if ((l->only_P && o->P != l->only_P) || (l->only_N && o->N != l->only_N) || (l->only_K && o->K != l->only_K))
        return error_set(e, STATUS_BAD_ARGUMENT, "%s was made for one shape: P,N,K = %llu,%llu,%llu (0: any)",
                         subject->subject, (unsigned long long)l->only_P, (unsigned long long)l->only_N,
                         (unsigned long long)l->only_K);
    if (l->most_P && o->P > l->most_P)
        return error_set(e, STATUS_BAD_ARGUMENT, "%s takes at most %llu rows, not P = %zu", subject->subject,
                         (unsigned long long)l->most_P, o->P);
    return STATUS_OK;
}

static void guard_make(struct session *s, size_t P, size_t experts)
{
    size_t right = P / 3, beyond = (P + 2) / 3;
    s->guard_starts[1] = (uint32_t)right;
    s->guard_starts[2] = (uint32_t)(right + beyond);
    s->guard_starts[3] = (uint32_t)P;
    s->guard_ids[0] = (int32_t)(experts - 1);
    s->guard_ids[1] = (int32_t)experts;
    s->guard_ids[2] = -1;
    s->guard = (struct segments){P, experts, GUARD_SEGMENTS, s->guard_starts, s->guard_ids};
    struct coded_guard *g = &s->result.guard;
    g->asked = true;
    g->status_wanted = g->status_word = segments_status_word(&s->guard, NULL);
}

static enum status session_allocate(struct session *s, struct error *e)
{
    struct coded_result *r = &s->result;
    size_t P = r->map.P, N = r->map.N, all = source_map_observations(&r->map);
    s->x = calloc(P * r->map.K, sizeof *s->x);
    s->out = malloc(P * N * sizeof *s->out);
    s->unit = malloc(all * sizeof *s->unit);
    s->guard_unit = malloc(P * N * sizeof *s->guard_unit);
    s->guard_value = malloc(P * N * sizeof *s->guard_value);
    r->guard.found = malloc(P * sizeof *r->guard.found);
    r->guard.wanted = malloc(P * sizeof *r->guard.wanted);
    r->dense = malloc(P * N * sizeof *r->dense);
    r->dense_expected = malloc(P * N * sizeof *r->dense_expected);
    r->special.found = malloc(P * N * sizeof *r->special.found);
    r->special.expected = malloc(P * N * sizeof *r->special.expected);
    if (all <= SIZE_MAX / sizeof *r->pair / (s->planes.pair + 1))
        r->pair = malloc((s->planes.pair * all + 1) * sizeof *r->pair);
    if (!s->x || !s->out || !s->unit || !s->guard_unit || !s->guard_value || !r->guard.found || !r->guard.wanted ||
        !r->dense || !r->dense_expected || !r->special.found || !r->special.expected || !r->pair)
        return error_set(e, STATUS_NO_MEMORY, "no memory for coded probes of P = %zu, N = %zu, K = %zu", P, N,
                         r->map.K);
    return STATUS_OK;
}

static enum status session_begin(struct session *s, struct error *e)
{
    const struct executor_limits *l = &s->subject->limits;
    const struct coded_options *o = s->o;
    struct coded_result *r = &s->result;
    enum status status = check_limits(s->subject, o, e);
    if (status == STATUS_OK)
        status = identity_segments_make(o->P, l->no_segments ? 1 : o->experts, 0, &s->segments, e);
    if (status == STATUS_OK)
        status = source_map_make(&s->segments.s, o->N, o->K, &r->map, e);
    if (status == STATUS_OK)
        status = coded_planes_make(&r->map, l->no_scales, &s->planes, e);
    if (status != STATUS_OK)
        return status;
    if (l->f16)
        s->planes.row = coded_code_make(CODED_HALF_BASE, o->P, CODED_HALF_CHECKS);
    r->value_planes = s->planes.value.planes;
    r->scale_planes = s->planes.scale.planes;
    r->row_planes = s->planes.row.planes;
    /* The pairs need every code. */
    r->pair_planes = s->planes.pair = l->no_codes ? 0 : s->planes.pair;
    r->repeats = true;
    if (!l->no_segments && !l->no_status)
        guard_make(s, o->P, o->experts);
    return session_allocate(s, e);
}

static void session_end(struct session *s)
{
    identity_segments_free(&s->segments);
    coded_planes_free(&s->planes);
    free(s->x);
    free(s->out);
    free(s->unit);
    free(s->guard_unit);
    free(s->guard_value);
    coded_result_free(&s->result);
}

static enum status load(struct session *s, struct error *e)
{
    s->result.loads++;
    return s->subject->load(s->subject->self, &s->planes.w, e);
}

static enum status launch(struct session *s, const struct segments *segments, struct bf16 poison, struct bf16 *out,
                          struct error *e)
{
    struct run_report report = {0};
    struct coded_guard *guard = &s->result.guard;
    for (size_t i = 0; i < s->result.map.P * s->result.map.N; i++)
        out[i] = poison;
    enum status status = s->subject->run(s->subject->self, s->x, segments, poison, out, &report, e);
    if (status != STATUS_OK)
        return status;
    s->result.launches++;
    s->result.miscounted += run_report_miscounts(&report);
    if (segments == &s->guard) {
        guard->status_told |= report.wgmma_expected > 0 || report.status_word != 0;
        if (guard->status_word == guard->status_wanted)
            guard->status_word = report.status_word;
        report.status_word = 0;
    }
    run_report_add(&s->result.report, &report);
    return STATUS_OK;
}

/* One launch of a sweep. */
static enum status launch_sweep(struct session *s, const struct segments *segments, size_t sweep, size_t plane,
                                struct bf16 poison, struct bf16 *out, struct error *e)
{
    coded_planes_sweep(&s->planes, sweep, plane, false, s->x);
    enum status status = launch(s, segments, poison, out, e);
    coded_planes_sweep(&s->planes, sweep, plane, true, s->x);
    return status;
}

static bool is_zero(struct bf16 x)
{
    return (x.bits & ~BF16_SIGN) == 0;
}

/* What the unit plane says of an observation, from its two outputs: a word of source_map.h, or 0, from which the digits
 * are read. */
static uint32_t first_look(struct bf16 a, struct bf16 b)
{
    if (a.bits == poison_a.bits && b.bits == poison_b.bits)
        return SOURCE_UNWRITTEN;
    if (is_zero(a) && is_zero(b))
        return SOURCE_ZERO;
    if ((a.bits & BF16_EXPONENT) == BF16_EXPONENT)
        return SOURCE_UNKNOWN;
    return a.bits == b.bits && coded_factor_holds(a) ? 0 : SOURCE_MIXTURE;
}

/* Both launches of the unit plane at one sweep; unit and value: [P,N]. */
static enum status run_unit(struct session *s, const struct segments *segments, size_t sweep, struct bf16 *unit,
                            uint32_t *value, struct error *e)
{
    enum status status = launch_sweep(s, segments, sweep, CODED_ONES, poison_a, unit, e);
    if (status == STATUS_OK)
        status = launch_sweep(s, segments, sweep, CODED_ONES, poison_b, s->out, e);
    for (size_t i = 0; status == STATUS_OK && i < s->result.map.P * s->result.map.N; i++) {
        value[i] = first_look(unit[i], s->out[i]);
        if (unit[i].bits != s->out[i].bits && value[i] != SOURCE_UNWRITTEN)
            s->result.repeats = false;
    }
    return status;
}

typedef int read_digit(struct bf16 output, struct bf16 unit);

/* Read one plane of [P,N] observations. */
static void read_plane(const struct session *s, const struct coded_code *code, size_t plane, read_digit *digit,
                       const struct bf16 *unit, uint32_t *state)
{
    for (size_t i = 0; i < s->result.map.P * s->result.map.N; i++)
        if (state[i] < SOURCE_CODES)
            state[i] = coded_code_read(code, plane, state[i], digit(s->out[i], unit[i]));
}

/* All sweeps of a plane under the weights that are loaded. x_plane: of the row, or CODED_ONES. */
static enum status run_plane(struct session *s, const struct coded_code *code, size_t plane, size_t x_plane,
                             read_digit *digit, uint32_t *state, struct error *e)
{
    const struct source_map *m = &s->result.map;
    enum status status = STATUS_OK;
    for (size_t sweep = 0; status == STATUS_OK && sweep < m->sweeps; sweep++) {
        size_t at = source_map_at(m, sweep, 0, 0);
        status = launch_sweep(s, &m->segments, sweep, x_plane, poison_a, s->out, e);
        if (status == STATUS_OK)
            read_plane(s, code, plane, digit, s->unit + at, state + at);
    }
    return status;
}

/* Everything that is asked of weights of 1: the unit plane, the rows, and where the guard begins. */
static enum status run_units(struct session *s, struct error *e)
{
    struct source_map *m = &s->result.map;
    size_t outputs = m->P * m->N, all = source_map_observations(m);
    coded_planes_unit(&s->planes);
    enum status status = load(s, e);
    for (size_t sweep = 0; status == STATUS_OK && sweep < m->sweeps; sweep++) {
        size_t at = source_map_at(m, sweep, 0, 0);
        status = run_unit(s, &m->segments, sweep, s->unit + at, m->value + at, e);
    }
    if (status == STATUS_OK)
        status = launch_sweep(s, &m->segments, 0, CODED_ONES, poison_a, s->out, e);
    if (status == STATUS_OK)
        s->result.repeats &= memcmp(s->out, s->unit, outputs * sizeof *s->out) == 0;
    if (status != STATUS_OK)
        return status;
    memcpy(m->row, m->value, all * sizeof *m->row);
    if (s->result.scale_planes > 0)
        memcpy(m->scale, m->value, all * sizeof *m->scale);
    for (size_t plane = 0; status == STATUS_OK && plane < s->planes.row.planes; plane++)
        status = run_plane(s, &s->planes.row, plane, plane, coded_row_digit, m->row, e);
    if (status == STATUS_OK && s->result.guard.asked)
        status = run_unit(s, &s->guard, 0, s->guard_unit, s->guard_value, e);
    return status;
}

static enum status run_values(struct session *s, struct error *e)
{
    const struct coded_code *code = &s->planes.value;
    enum status status = STATUS_OK;
    for (size_t plane = 0; status == STATUS_OK && plane < code->planes; plane++) {
        coded_planes_value(&s->planes, plane);
        status = load(s, e);
        if (status == STATUS_OK)
            status = run_plane(s, code, plane, CODED_ONES, coded_value_digit, s->result.map.value, e);
        if (status != STATUS_OK || !s->result.guard.asked)
            continue;
        status = launch_sweep(s, &s->guard, 0, CODED_ONES, poison_a, s->out, e);
        if (status == STATUS_OK)
            read_plane(s, code, plane, coded_value_digit, s->guard_unit, s->guard_value);
    }
    return status;
}

static enum status run_scales(struct session *s, struct error *e)
{
    const struct coded_code *code = &s->planes.scale;
    enum status status = STATUS_OK;
    for (size_t plane = 0; status == STATUS_OK && plane < code->planes; plane++) {
        coded_planes_scale(&s->planes, plane);
        status = load(s, e);
        if (status == STATUS_OK)
            status = run_plane(s, code, plane, CODED_ONES, coded_scale_digit, s->result.map.scale, e);
    }
    return status;
}

static enum status run_pairs(struct session *s, struct error *e)
{
    const struct source_map *m = &s->result.map;
    enum status status = STATUS_OK;
    for (size_t plane = 0; status == STATUS_OK && plane < s->planes.pair; plane++) {
        coded_planes_pair(&s->planes, plane);
        status = load(s, e);
        for (size_t sweep = 0; status == STATUS_OK && sweep < m->sweeps; sweep++)
            status = launch_sweep(s, &m->segments, sweep, CODED_ONES, poison_a,
                                  s->result.pair + (plane * m->sweeps + sweep) * m->P * m->N, e);
    }
    return status;
}

static enum status run_dense(struct session *s, struct error *e)
{
    struct coded_result *r = &s->result;
    size_t outputs = r->map.P * r->map.N;
    uint32_t status_word;
    coded_planes_dense(&s->planes, s->o->seed);
    coded_planes_dense_x(&s->planes, s->o->seed, s->x);
    enum status status = load(s, e);
    if (status == STATUS_OK)
        status = launch(s, &r->map.segments, poison_a, r->dense, e);
    if (status == STATUS_OK)
        status = launch(s, &r->map.segments, poison_a, s->out, e);
    if (status == STATUS_OK)
        status = matmul_grouped(s->x, &r->map.segments, &s->planes.w, r->dense_expected, &status_word, e);
    if (status != STATUS_OK)
        return status;
    r->repeats &= memcmp(s->out, r->dense, outputs * sizeof *s->out) == 0;
    r->dense_count = outputs;
    for (size_t i = 0; i < outputs; i++)
        r->dense_differing += r->dense[i].bits != r->dense_expected[i].bits;
    return STATUS_OK;
}

/* What a 1 among zeros cannot tell: Inf from NaN. Sums are the same in every order (weights.h). */
static enum status run_special(struct session *s, struct error *e)
{
    struct coded_special *special = &s->result.special;
    const struct source_map *m = &s->result.map;
    struct weights_set weights = {0};
    uint32_t status_word;
    if (s->planes.pair == 0 || s->planes.no_scales)
        return STATUS_OK;
    enum status status = weights_make(WEIGHTS_SPECIAL, m->experts, m->N, m->K, s->o->seed, &weights, e);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < m->P * m->K; i++)
        s->x[i].bits = (uint16_t)(BF16_ONE | (i / m->K % 2 ? BF16_SIGN : 0));
    s->result.loads++;
    status = s->subject->load(s->subject->self, &weights.w, e);
    if (status == STATUS_OK)
        status = launch(s, &m->segments, poison_a, special->found, e);
    if (status == STATUS_OK)
        status = matmul_grouped(s->x, &m->segments, &weights.w, special->expected, &status_word, e);
    weights_free(&weights);
    if (status == STATUS_OK)
        coded_judge_special(&s->result);
    return status;
}

enum status coded_run(const struct executor *subject, const struct coded_options *o, struct coded_result *out,
                      struct error *e)
{
    struct session s = {.subject = subject, .o = o};
    enum status status = session_begin(&s, e);
    if (status == STATUS_OK)
        status = run_units(&s, e);
    if (status == STATUS_OK)
        status = run_values(&s, e);
    if (status == STATUS_OK)
        status = run_scales(&s, e);
    if (status == STATUS_OK)
        status = run_pairs(&s, e);
    if (status == STATUS_OK)
        status = run_special(&s, e);
    if (status == STATUS_OK)
        status = run_dense(&s, e);
    if (status == STATUS_OK) {
        coded_judge_factors(s.unit, &s.result);
        coded_judge_pairs(&s.planes, &s.result);
        coded_judge_guard(&s.guard, s.guard_value, &s.result);
        s.result.dense_x = s.x; /* of the plane that ran last */
        s.result.dense_blocks = s.planes.blocks;
        s.x = NULL;
        s.planes.blocks = NULL;
        *out = s.result;
        s.result = (struct coded_result){0};
    }
    session_end(&s);
    return status;
}

void coded_result_free(struct coded_result *r)
{
    source_map_free(&r->map);
    free(r->pair);
    free(r->dense);
    free(r->dense_expected);
    free(r->dense_x);
    free(r->dense_blocks);
    free(r->special.found);
    free(r->special.expected);
    free(r->guard.found);
    free(r->guard.wanted);
    *r = (struct coded_result){0};
}
