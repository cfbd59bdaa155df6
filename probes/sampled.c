#include "probes/sampled.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probes/identity.h"
#include "probes/weights.h"
#include "reference/matmul.h"
#include "reference/mxfp4.h"
#include "reference/number.h"

/* NaNs that no epilogue writes, as identity.h has them. */
static const struct bf16 poison_a = {0x7fa5}, poison_b = {0xffda};

enum { SPREAD_LOWEST = BF16_BIAS - 8, SPREAD_COUNT = 16 };

const char *sampled_pass_name(enum sampled_pass pass)
{
    static const char *const name[] = {"uniform", "spread", "special", "weights"};
    return name[pass];
}

static struct bf16 uniform(struct random *r)
{
    return bf16_encode((float)(2 * random_unit(r) - 1));
}

static struct bf16 spread(struct random *r)
{
    uint32_t mantissa = random_below(r, BF16_MANTISSA + 1), sign = random_below(r, 2);
    uint32_t exponent = SPREAD_LOWEST + random_below(r, SPREAD_COUNT);
    return (struct bf16){(uint16_t)(sign << 15 | exponent << BF16_MANTISSA_BITS | mantissa)};
}

static void make_row_special(struct random *r, size_t p, size_t K, struct bf16 *row)
{
    uint32_t at = random_below(r, (uint32_t)K), other = (at + 1 + random_below(r, (uint32_t)K - 1)) % (uint32_t)K;
    uint16_t sign = random_below(r, 2) ? BF16_SIGN : 0;
    if (p % 4 == 3)
        row[at].bits = BF16_NAN;
    else if (p % 4 != 0)
        row[at].bits = sign | BF16_EXPONENT;
    if (p % 4 == 2)
        row[other].bits = (uint16_t)(sign ^ BF16_SIGN) | BF16_EXPONENT;
}

void sampled_activations(const struct sampled_options *o, size_t K, enum sampled_pass pass, struct bf16 *x)
{
    struct random r = {o->seed};
    /* A stream of its own for every pass. */
    r.state = random_next(&r) + pass;
    for (size_t p = 0; p < o->P; p++) {
        for (size_t k = 0; k < K; k++)
            x[p * K + k] = pass == SAMPLED_SPREAD ? spread(&r) : uniform(&r);
        if (pass == SAMPLED_SPECIAL)
            make_row_special(&r, p, K, x + p * K);
    }
}

/* A run in progress. */
struct session {
    const struct executor *subject;
    const struct sampled_options *o;
    const struct weights *w;    /* those of the pass */
    struct weights_set special; /* made when their pass comes */
    struct identity_segments segments;
    struct bf16 *x, *wanted, *out[2]; /* [P,K], [P,N] */
    struct bf16 *row;                 /* [K]: a row of weights */
    struct sampled_factor *x_factor;  /* [P,K] */
    struct sampled_factor *w_factor;  /* [K] */
    struct sampled_result result;
};

static enum status session_begin(struct session *s, const struct weights *w, struct error *e)
{
    size_t P = s->o->P;
    s->w = w;
    s->result.repeats = true;
    s->x = calloc(P * w->K, sizeof *s->x);
    s->x_factor = calloc(P * w->K, sizeof *s->x_factor);
    s->row = calloc(w->K, sizeof *s->row);
    s->w_factor = calloc(w->K, sizeof *s->w_factor);
    s->wanted = calloc(P * w->N, sizeof *s->wanted);
    s->out[0] = calloc(P * w->N, sizeof *s->out[0]);
    s->out[1] = calloc(P * w->N, sizeof *s->out[1]);
    if (!s->x || !s->x_factor || !s->row || !s->w_factor || !s->wanted || !s->out[0] || !s->out[1])
        return error_set(e, STATUS_NO_MEMORY, "no memory for a random probe of P = %zu, N = %zu, K = %zu", P, w->N,
                         w->K);
    enum status status = identity_segments_make(P, w->experts, 0, &s->segments, e);
    s->result.active = s->segments.s.active;
    return status;
}

static void session_end(struct session *s)
{
    weights_free(&s->special);
    identity_segments_free(&s->segments);
    free(s->x);
    free(s->x_factor);
    free(s->row);
    free(s->w_factor);
    free(s->wanted);
    free(s->out[0]);
    free(s->out[1]);
}

static enum status launch(struct session *s, struct bf16 poison, struct bf16 *out, struct error *e)
{
    struct run_report report = {0};
    for (size_t i = 0; i < s->o->P * s->w->N; i++)
        out[i] = poison;
    enum status status = s->subject->run(s->subject->self, s->x, &s->segments.s, poison, out, &report, e);
    if (status == STATUS_OK) {
        s->result.miscounted += run_report_miscounts(&report);
        run_report_add(&s->result.report, &report);
    }
    return status;
}

static bool equal(struct bf16 a, struct bf16 b)
{
    return a.bits == b.bits || (bf16_is_nan(a) && bf16_is_nan(b));
}

static enum sampled_class classify(const struct sampled_bound *bound, struct bf16 wanted, struct bf16 is, double *ratio)
{
    *ratio = sampled_bound_ratio(bound, is);
    if (*ratio > 1)
        return SAMPLED_BEYOND;
    return equal(wanted, is) ? SAMPLED_EQUAL : bound->open ? SAMPLED_OPEN : SAMPLED_WITHIN;
}

static void keep_first(struct sampled_output *first, const struct sampled_output *this)
{
    bool earlier = this->pass < first->pass ||
                   (this->pass == first->pass && (this->p < first->p || (this->p == first->p && this->n < first->n)));
    if (!first->found || earlier)
        *first = *this;
}

/* One output, of both launches: it counts as the worse. */
static void judge_output(struct session *s, enum sampled_pass pass, size_t p, size_t n,
                         const struct sampled_bound *bound)
{
    size_t at = p * s->w->N + n;
    struct sampled_result *r = &s->result;
    struct sampled_counts *counts = &r->pass[pass];
    struct bf16 is[2] = {s->out[0][at], s->out[1][at]}, wanted = s->wanted[at];
    bool unwritten = is[0].bits == poison_a.bits && is[1].bits == poison_b.bits;
    double ratio, other;
    enum sampled_class class = classify(bound, wanted, is[0], &ratio), second = classify(bound, wanted, is[1], &other);
    bool worse = second > class || (second == class && other > ratio);
    struct sampled_output this = {true, pass, p, n, *bound, sampled_bound_interval(bound), wanted, is[worse], ratio};
    if (worse) {
        class = second;
        this.ratio = other;
    }
    counts->of[class]++;
    counts->unwritten += unwritten;
    counts->worst = fmax(counts->worst, this.ratio);
    r->repeats = r->repeats && (unwritten || is[0].bits == is[1].bits);
    if (class == SAMPLED_BEYOND)
        keep_first(&r->first_beyond, &this);
    if (class != SAMPLED_EQUAL)
        keep_first(&r->first_unequal, &this);
}

/* Rows that no segment covers are sums of nothing. */
static void judge_uncovered(struct session *s, enum sampled_pass pass)
{
    static const struct sampled_bound zero;
    for (size_t p = 0; p < s->o->P; p++)
        for (size_t n = 0; n < s->w->N && segments_expert_of_row(&s->segments.s, p) < 0; n++)
            judge_output(s, pass, p, n, &zero);
}

/* The weights are decoded a row at a time, once for all rows of x that multiply them. */
static void judge_pass(struct session *s, enum sampled_pass pass)
{
    const struct weights *w = s->w;
    const struct segments *g = &s->segments.s;
    sampled_factors(s->x, s->o->P * w->K, s->x_factor);
    judge_uncovered(s, pass);
    for (size_t a = 0; a < g->active; a++)
        for (size_t n = 0; n < w->N && g->starts[a] < g->starts[a + 1]; n++) {
            size_t block = ((size_t)g->ids[a] * w->N + n) * (w->K / MXFP4_BLOCK);
            mxfp4_decode_matrix(w->blocks + block * MXFP4_BLOCK_BYTES, w->scales + block, 1, w->K, s->row);
            sampled_factors(s->row, w->K, s->w_factor);
            for (size_t p = g->starts[a]; p < g->starts[a + 1]; p++) {
                struct sampled_bound bound = sampled_bound_make(s->x_factor + p * w->K, s->w_factor, w->K);
                judge_output(s, pass, p, n, &bound);
            }
        }
}

static enum status load(struct session *s, const struct weights *w, struct error *e)
{
    s->w = w;
    return s->subject->load(s->subject->self, w, e);
}

static enum status run_pass(struct session *s, enum sampled_pass pass, struct error *e)
{
    uint32_t status_word; /* 0: all segments are good */
    enum status status = STATUS_OK;
    if (pass == SAMPLED_WEIGHTS)
        status = weights_make(WEIGHTS_SPECIAL, s->w->experts, s->w->N, s->w->K, s->o->seed, &s->special, e);
    if (status == STATUS_OK && (pass == SAMPLED_UNIFORM || pass == SAMPLED_WEIGHTS))
        status = load(s, pass == SAMPLED_WEIGHTS ? &s->special.w : s->w, e);
    if (status != STATUS_OK)
        return status;
    sampled_activations(s->o, s->w->K, pass, s->x);
    status = launch(s, poison_a, s->out[0], e);
    if (status == STATUS_OK)
        status = launch(s, poison_b, s->out[1], e);
    if (status == STATUS_OK)
        status = matmul_grouped(s->x, &s->segments.s, s->w, s->wanted, &status_word, e);
    if (status != STATUS_OK)
        return status;
    judge_pass(s, pass);
    struct sampled_counts *total = &s->result.total, *counts = &s->result.pass[pass];
    for (size_t class = 0; class < SAMPLED_CLASSES; class ++)
        total->of[class] += counts->of[class];
    total->unwritten += counts->unwritten;
    total->worst = fmax(total->worst, counts->worst);
    return STATUS_OK;
}

enum status sampled_run(const struct executor *subject, const struct weights *w, const struct sampled_options *o,
                        struct sampled_result *out, struct error *e)
{
    struct session s = {.subject = subject, .o = o};
    if (o->P == 0 || w->N == 0 || w->K == 0 || w->K % MXFP4_BLOCK != 0 || w->K > SAMPLED_MOST_K)
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "a random probe of P = %zu, N = %zu, K = %zu: wanted at least one of each, and K a multiple "
                         "of %d, at most %d",
                         o->P, w->N, w->K, MXFP4_BLOCK, SAMPLED_MOST_K);
    enum status status = session_begin(&s, w, e);
    s.result.passes = o->no_special ? SAMPLED_WEIGHTS : SAMPLED_PASSES;
    for (size_t pass = 0; status == STATUS_OK && pass < s.result.passes; pass++)
        status = run_pass(&s, (enum sampled_pass)pass, e);
    if (status == STATUS_OK)
        *out = s.result;
    session_end(&s);
    return status;
}

enum sampled_verdict sampled_judge(const struct sampled_result *r, const struct sampled_options *o)
{
    const size_t *of = r->total.of;
    size_t judged = of[SAMPLED_EQUAL] + of[SAMPLED_WITHIN];
    bool all_equal = of[SAMPLED_WITHIN] + of[SAMPLED_OPEN] == 0;
    if (judged == 0 || of[SAMPLED_BEYOND] || r->total.unwritten || r->miscounted || r->report.status_word ||
        (o->bitwise && !all_equal))
        return SAMPLED_DIFFERS;
    return all_equal ? SAMPLED_CONFORMS : SAMPLED_PERMITTED;
}
