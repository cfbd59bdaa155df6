#include "probes/score.h"

#include "probes/nearest.h"
#include "reference/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool same(struct bf16 a, struct bf16 b)
{
    return a.bits == b.bits || (bf16_is_nan(a) && bf16_is_nan(b));
}

/* The means of what the sums hold. */
static void finish(struct score *s)
{
    s->mean_abs = s->compared ? s->sum_abs / (double)s->compared : 0;
    s->rel_fro = s->sum_sq_error == 0 ? 0 : sqrt(s->sum_sq_error) / sqrt(s->sum_sq_expected);
}

/* One walk over all elements. row_equal [P], column_equal [N]: set to whether the line is equal bit for bit. */
static void compare(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N, bool *row_equal,
                    bool *column_equal, struct score *s)
{
    memset(column_equal, true, N * sizeof *column_equal);
    for (size_t p = 0; p < P; p++) {
        row_equal[p] = true;
        for (size_t n = 0; n < N; n++) {
            size_t i = p * N + n;
            double r = (double)bf16_decode(expected[i]);
            if (isfinite(r))
                s->sum_sq_expected += r * r;
            if (same(output[i], expected[i]))
                continue;
            double error = nearest_element_error(bf16_decode(output[i]), bf16_decode(expected[i]));
            s->max_abs = fmax(s->max_abs, error);
            s->sum_abs += error;
            s->sum_sq_error += error * error;
            if (s->differing++ == 0)
                s->first_differing = i;
            row_equal[p] = column_equal[n] = false;
        }
        s->row_exact.hits += row_equal[p];
    }
    for (size_t n = 0; n < N; n++)
        s->col_exact.hits += column_equal[n];
}

enum status score_make(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N, struct score *s,
                       struct error *e)
{
    if (P == 0 || N == 0 || N > SIZE_MAX / P)
        return error_set(e, STATUS_BAD_ARGUMENT, "nothing to score in a matrix of %zu x %zu", P, N);
    struct score made = {.row_exact.of = P, .col_exact.of = N, .compared = P * N, .first_differing = UINT64_MAX};
    enum status status = STATUS_OK;
    bool *row_equal = calloc(P, sizeof *row_equal), *column_equal = calloc(N, sizeof *column_equal);
    if (!row_equal || !column_equal) {
        status = error_set(e, STATUS_NO_MEMORY, "no memory to score %zu x %zu elements", P, N);
        goto cleanup;
    }
    compare(output, expected, P, N, row_equal, column_equal, &made);
    finish(&made);
    status = nearest_count(output, expected, P, N, false, row_equal, &made.row_identity, e);
    if (status == STATUS_OK)
        status = nearest_count(output, expected, P, N, true, column_equal, &made.col_identity, e);
    if (status == STATUS_OK)
        *s = made;
cleanup:
    free(row_equal);
    free(column_equal);
    return status;
}

void score_unwritten(const struct bf16 *a, struct bf16 poison_a, const struct bf16 *b, struct bf16 poison_b, size_t n,
                     struct score *s)
{
    s->unwritten = (struct hits){0, n};
    for (size_t i = 0; i < n; i++)
        s->unwritten.hits += a[i].bits == poison_a.bits && b[i].bits == poison_b.bits;
}

static void add_hits(struct hits *total, struct hits pass)
{
    total->hits += pass.hits;
    total->of += pass.of;
}

void score_add(struct score *total, const struct score *pass)
{
    add_hits(&total->row_identity, pass->row_identity);
    add_hits(&total->col_identity, pass->col_identity);
    add_hits(&total->row_exact, pass->row_exact);
    add_hits(&total->col_exact, pass->col_exact);
    add_hits(&total->unwritten, pass->unwritten);
    if (total->differing == 0)
        total->first_differing = pass->first_differing;
    total->differing += pass->differing;
    total->compared += pass->compared;
    total->max_abs = fmax(total->max_abs, pass->max_abs);
    total->sum_abs += pass->sum_abs;
    total->sum_sq_error += pass->sum_sq_error;
    total->sum_sq_expected += pass->sum_sq_expected;
    finish(total);
}

void score_distances(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N, int by_column,
                     float *out)
{
    /* Lines of R are taken a group at a time, so that columns too are read along the rows that hold them. */
    enum { GROUP = 64 };
    size_t lines = by_column ? N : P, length = by_column ? P : N;
    size_t line_stride = by_column ? 1 : N, element_stride = by_column ? N : 1;
    for (size_t i = 0; i < lines; i++) {
        for (size_t first = 0; first < lines; first += GROUP) {
            size_t group = lines - first < GROUP ? lines - first : GROUP;
            double sum[GROUP] = {0};
            for (size_t k = 0; k < length; k++) {
                float o = bf16_decode(output[i * line_stride + k * element_stride]);
                const struct bf16 *r = expected + first * line_stride + k * element_stride;
                for (size_t j = 0; j < group; j++) {
                    double d = nearest_element_error(o, bf16_decode(r[j * line_stride]));
                    sum[j] += d * d;
                }
            }
            for (size_t j = 0; j < group; j++)
                out[i * lines + first + j] = (float)sqrt(sum[j]);
        }
    }
}

void score_errors(const struct bf16 *output, const struct bf16 *expected, size_t P, size_t N, float *out)
{
    for (size_t i = 0; i < P * N; i++)
        out[i] = (float)nearest_element_error(bf16_decode(output[i]), bf16_decode(expected[i]));
}
