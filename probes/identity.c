#include "probes/identity.h"

#include "probes/weights.h"
#include "reference/matmul.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Signs, payloads and quiet bits differ, so that neither survives as the other. */
static const struct bf16 poison_a = {0x7fa5}, poison_b = {0xffda};

enum { MOST_SEGMENTS = 5, FEWEST_ROWS = 8 };

/* The lengths that identity.h states, for P >= FEWEST_ROWS; returns how many there are. */
static size_t segment_lengths(size_t P, size_t length[MOST_SEGMENTS])
{
    size_t uncovered = P < 64 ? 1 : P / 32, longest = P / 2 + 1, rest = P - uncovered - longest - 1;
    length[0] = 1;
    length[2] = 0;
    if (rest < 5) {
        length[1] = longest + rest;
        return 3;
    }
    length[1] = longest;
    length[4] = rest * 2 / 5;
    length[3] = rest - length[4];
    return MOST_SEGMENTS;
}

enum status identity_segments_make(size_t P, size_t experts, int historical, struct identity_segments *out,
                                   struct error *e)
{
    if (P == 0 || P > UINT32_MAX || experts == 0 || experts > INT32_MAX)
        return error_set(e, STATUS_BAD_ARGUMENT, "no segments for %zu rows and %zu experts", P, experts);
    uint32_t *starts = calloc(MOST_SEGMENTS + 1, sizeof *starts);
    int32_t *ids = calloc(MOST_SEGMENTS, sizeof *ids);
    if (!starts || !ids) {
        free(starts);
        free(ids);
        return error_set(e, STATUS_NO_MEMORY, "no memory for segments");
    }
    size_t active = 1, length[MOST_SEGMENTS] = {P};
    ids[0] = historical ? 0 : (int32_t)(experts - 1);
    if (!historical && experts > 1 && P >= FEWEST_ROWS) {
        /* Experts spread over all there are: the longest segment has the highest, the empty one the lowest. */
        static const uint64_t quarter[MOST_SEGMENTS] = {2, 4, 0, 3, 1};
        active = segment_lengths(P, length);
        for (size_t a = 0; a < active; a++)
            ids[a] = (int32_t)(quarter[a] * (experts - 1) / 4);
    }
    for (size_t a = 0; a < active; a++)
        starts[a + 1] = starts[a] + (uint32_t)length[a];
    *out = (struct identity_segments){{P, experts, active, starts, ids}, starts, ids};
    return STATUS_OK;
}

void identity_segments_free(struct identity_segments *s)
{
    free(s->starts);
    free(s->ids);
    *s = (struct identity_segments){0};
}

/* How far the identity shifts from one pass to the next: no further than the longest segment reaches, so that its rows
 * ask every k; odd, so that a single row comes to every place of a block. The same for one expert, whose segment is
 * longer, so that a pass asks the same of any number of experts. */
static size_t shift_of_pass(size_t P)
{
    size_t length[MOST_SEGMENTS] = {0, P};
    if (P >= FEWEST_ROWS)
        segment_lengths(P, length);
    return length[1] - (length[1] % 2 == 0);
}

size_t identity_passes(const struct identity_options *o, size_t K)
{
    size_t shift = shift_of_pass(o->P);
    return o->historical ? 1 : K / shift + (K % shift != 0) + !o->no_special;
}

int identity_pass_is_special(const struct identity_options *o, size_t K, size_t pass)
{
    return !o->historical && !o->no_special && pass + 1 == identity_passes(o, K);
}

/* 1, -1, 2, -2, 4, ... : rows p and p + K hold their 1 at the same column, and must not pass for each other. */
static struct bf16 one_of_row(size_t turn)
{
    return (struct bf16){(uint16_t)(BF16_ONE + (turn / 2 % 8 << BF16_MANTISSA_BITS) + (turn % 2 ? BF16_SIGN : 0))};
}

void identity_activations(const struct identity_options *o, size_t K, size_t pass, struct bf16 *x)
{
    bool special = identity_pass_is_special(o, K, pass);
    size_t shift = o->historical ? 0 : pass * shift_of_pass(o->P);
    memset(x, 0, o->P * K * sizeof *x);
    for (size_t p = 0; p < o->P; p++) {
        if (!special)
            x[p * K + (p + shift) % K] = one_of_row(o->historical ? 0 : p / K);
        for (size_t k = 0; special && k < K; k++)
            x[p * K + k].bits = (uint16_t)(BF16_ONE | (p % 2 ? BF16_SIGN : 0));
    }
}

/* Passes are expected several at a time, so that the weights are decoded once for all of them. */
enum { BATCH_ROWS = 512 };

/* A run in progress. */
struct session {
    const struct executor *subject;
    const struct identity_options *o;
    const struct weights *w;    /* those of the pass */
    struct weights_set special; /* made when their pass comes */
    struct identity_segments segments;
    size_t batch;                /* passes in one */
    struct bf16 *x;              /* [batch,P,K] */
    struct bf16 *expected;       /* [batch,P,N] */
    uint32_t *starts;            /* [batch*(A+1) + 1], the segments of a batch */
    int32_t *ids;                /* [batch*(A+1)] */
    struct bf16 *first, *second; /* [P,N]: what the two launches gave */
    struct identity_result result;
    uint64_t most_differing; /* of any pass */
};

static enum status check_options(const struct weights *w, const struct identity_options *o, struct error *e)
{
    if (o->P == 0 || w->N == 0 || w->K == 0 || w->K % 32 != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "no identity of P = %zu, N = %zu, K = %zu (K in blocks of 32)", o->P,
                         w->N, w->K);
    if (o->historical && o->P > w->K)
        return error_set(e, STATUS_BAD_ARGUMENT, "the historical identity needs P <= K; P = %zu, K = %zu", o->P, w->K);
    size_t passes = identity_passes(o, w->K);
    if (o->pass < -1 || (o->pass >= 0 && (uint64_t)o->pass >= passes))
        return error_set(e, STATUS_BAD_ARGUMENT, "pass %lld is not one of 0 to %zu", (long long)o->pass, passes - 1);
    size_t rows = o->P < BATCH_ROWS ? BATCH_ROWS : o->P;
    if (rows > SIZE_MAX / sizeof(struct bf16) / w->K || rows > SIZE_MAX / sizeof(struct bf16) / w->N)
        return error_set(e, STATUS_BAD_ARGUMENT, "P = %zu is more than memory can hold", o->P);
    return STATUS_OK;
}

static enum status session_begin(struct session *s, const struct weights *w, struct error *e)
{
    size_t P = s->o->P;
    struct identity_result *r = &s->result;
    r->passes = s->o->pass < 0 ? identity_passes(s->o, w->K) : 1;
    r->total.first_differing = UINT64_MAX;
    s->batch = P < BATCH_ROWS ? BATCH_ROWS / P : 1;
    if (s->batch > r->passes)
        s->batch = r->passes;
    s->x = calloc(s->batch * P * w->K, sizeof *s->x);
    s->expected = calloc(s->batch * P * w->N, sizeof *s->expected);
    s->starts = calloc(s->batch * (MOST_SEGMENTS + 1) + 1, sizeof *s->starts);
    s->ids = calloc(s->batch * (MOST_SEGMENTS + 1), sizeof *s->ids);
    s->first = calloc(P * w->N, sizeof *s->first);
    s->second = calloc(P * w->N, sizeof *s->second);
    r->shown_output = calloc(P * w->N, sizeof *r->shown_output);
    r->shown_expected = calloc(P * w->N, sizeof *r->shown_expected);
    r->pass = calloc(r->passes, sizeof *r->pass);
    if (!s->x || !s->expected || !s->starts || !s->ids || !s->first || !s->second || !r->shown_output ||
        !r->shown_expected || !r->pass)
        return error_set(e, STATUS_NO_MEMORY, "no memory for an identity of P = %zu, N = %zu, K = %zu", P, w->N, w->K);
    return identity_segments_make(P, w->experts, s->o->historical, &s->segments, e);
}

static void session_end(struct session *s)
{
    weights_free(&s->special);
    identity_segments_free(&s->segments);
    free(s->x);
    free(s->expected);
    free(s->starts);
    free(s->ids);
    free(s->first);
    free(s->second);
    identity_result_free(&s->result);
}

/* Expect `count` passes from `first` on, in one product of all their rows. In it, the rows that no segment covers are
 * given to expert -1, whose rows the contract makes zero. */
static enum status expect(struct session *s, size_t first, size_t count, struct error *e)
{
    const struct segments *one = &s->segments.s;
    size_t P = one->rows, segments = one->active + 1;
    uint32_t status_word; /* says that -1 is no expert */
    for (size_t i = 0; i < count; i++) {
        identity_activations(s->o, s->w->K, first + i, s->x + i * P * s->w->K);
        for (size_t a = 0; a < segments; a++) {
            s->starts[i * segments + a] = (uint32_t)(i * P) + one->starts[a];
            s->ids[i * segments + a] = a < one->active ? one->ids[a] : -1;
        }
    }
    s->starts[count * segments] = (uint32_t)(count * P);
    struct segments all = {count * P, one->experts, count * segments, s->starts, s->ids};
    return matmul_grouped(s->x, &all, s->w, s->expected, &status_word, e);
}

static enum status launch(const struct session *s, const struct bf16 *x, struct bf16 poison, struct bf16 *out,
                          struct run_report *total, struct error *e)
{
    struct run_report report = {0};
    for (size_t i = 0; i < s->o->P * s->w->N; i++)
        out[i] = poison;
    enum status status = s->subject->run(s->subject->self, x, &s->segments.s, poison, out, &report, e);
    if (status == STATUS_OK)
        run_report_add(total, &report);
    return status;
}

/* Score both outputs, keep the worse; *output is the one that was kept. Mostly they are the same. */
static enum status score_worse(const struct session *s, const struct bf16 *expected, struct score *score,
                               const struct bf16 **output, struct error *e)
{
    size_t P = s->o->P, N = s->w->N;
    struct score other;
    enum status status = score_make(s->first, expected, P, N, score, e);
    *output = s->first;
    if (status != STATUS_OK || memcmp(s->first, s->second, P * N * sizeof *s->first) == 0)
        return status;
    status = score_make(s->second, expected, P, N, &other, e);
    if (status == STATUS_OK && other.differing > score->differing) {
        *score = other;
        *output = s->second;
    }
    return status;
}

static enum status run_pass(struct session *s, size_t pass, const struct bf16 *x, const struct bf16 *expected,
                            struct identity_pass_result *r, struct error *e)
{
    size_t elements = s->o->P * s->w->N;
    const struct bf16 *output;
    r->pass = pass;
    r->special = identity_pass_is_special(s->o, s->w->K, pass);
    enum status status = launch(s, x, poison_a, s->first, &r->report, e);
    if (status == STATUS_OK)
        status = launch(s, x, poison_b, s->second, &r->report, e);
    if (status == STATUS_OK)
        status = score_worse(s, expected, &r->score, &output, e);
    if (status != STATUS_OK)
        return status;
    score_unwritten(s->first, poison_a, s->second, poison_b, elements, &r->score);

    struct identity_result *all = &s->result;
    /* The special pass has NaN and Inf all over: a picture of it says little where an identity pass differs too. */
    bool worse = r->score.differing > s->most_differing && (!r->special || s->most_differing == 0);
    if (all->total.compared == 0 || worse) {
        all->shown_pass = pass;
        s->most_differing = r->score.differing;
        memcpy(all->shown_output, output, elements * sizeof *output);
        memcpy(all->shown_expected, expected, elements * sizeof *expected);
    }
    score_add(&all->total, &r->score);
    run_report_add(&all->report, &r->report);
    return STATUS_OK;
}

/* Passes first .. first+count-1, which share their weights; r is the result of the first. */
static enum status run_batch(struct session *s, size_t first, size_t count, struct identity_pass_result *r,
                             struct error *e)
{
    size_t P = s->o->P;
    enum status status = expect(s, first, count, e);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = run_pass(s, first + i, s->x + i * P * s->w->K, s->expected + i * P * s->w->N, &r[i], e);
    return status;
}

static enum status load(struct session *s, const struct weights *w, struct error *e)
{
    s->w = w;
    return s->subject->load(s->subject->self, w, e);
}

enum status identity_run(const struct executor *subject, const struct weights *w, const struct identity_options *o,
                         struct identity_result *out, struct error *e)
{
    struct session s = {.subject = subject, .o = o};
    enum status status = check_options(w, o, e);
    if (status != STATUS_OK)
        return status;
    status = session_begin(&s, w, e);
    size_t first = o->pass < 0 ? 0 : (size_t)o->pass, passes = s.result.passes;
    bool special = identity_pass_is_special(o, w->K, first + passes - 1); /* it is the last */
    size_t plain = passes - special;
    if (status == STATUS_OK && plain > 0)
        status = load(&s, w, e);
    for (size_t i = 0; status == STATUS_OK && i < plain; i += s.batch)
        status = run_batch(&s, first + i, plain - i < s.batch ? plain - i : s.batch, &s.result.pass[i], e);
    if (status == STATUS_OK && special)
        status = weights_make(WEIGHTS_SPECIAL, w->experts, w->N, w->K, o->seed, &s.special, e);
    if (status == STATUS_OK && special)
        status = load(&s, &s.special.w, e);
    if (status == STATUS_OK && special)
        status = run_batch(&s, first + plain, 1, &s.result.pass[plain], e);
    if (status == STATUS_OK) {
        *out = s.result;
        s.result = (struct identity_result){0};
    }
    session_end(&s);
    return status;
}

void identity_result_free(struct identity_result *r)
{
    free(r->pass);
    free(r->shown_output);
    free(r->shown_expected);
    *r = (struct identity_result){0};
}

int identity_conforms(const struct identity_result *r)
{
    for (size_t i = 0; i < r->passes; i++) {
        if (run_report_miscounts(&r->pass[i].report))
            return 0;
    }
    return r->total.compared > 0 && r->total.differing == 0 && r->total.unwritten.hits == 0 &&
           r->report.status_word == 0;
}
