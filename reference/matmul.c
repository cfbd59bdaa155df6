#include "reference/matmul.h"

#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reference/accumulate_tile.h"
#include "reference/mxfp4.h"
#include "reference/number.h"

enum { STEP = ACCUMULATE_TERMS, LANES = ACCUMULATE_LANES };

/* The rows of x taken apart once, step by step, and which of their steps have an activation other than zero. */
struct activations {
    size_t P, K, steps;
    struct accumulate_line *line; /* [steps][P] */
    bool *busy;                   /* [steps][P] */
};

/* One thread's room for 16 rows of weights and what they multiply. */
struct room {
    struct bf16 *value; /* [16][K] */
    float *d;           /* [P][16] */
};

/* All that a call allocates. */
struct work {
    struct activations x;
    struct room *room; /* one a thread */
    int threads;
    /* The rows of x that the current weights multiply: all, and in each step those that are busy. */
    uint32_t *rows;                    /* [P] */
    uint32_t *busy_rows, *busy_counts; /* [steps][P], [steps] */
};

static void work_free(struct work *w)
{
    free(w->x.line);
    free(w->x.busy);
    free(w->rows);
    free(w->busy_rows);
    free(w->busy_counts);
    for (int t = 0; w->room && t < w->threads; t++) {
        free(w->room[t].value);
        free(w->room[t].d);
    }
    free(w->room);
}

/* calloc that gives a pointer for nothing, too, so that NULL always means no memory. */
static void *allocate(size_t n, size_t size)
{
    return calloc(n ? n : 1, size);
}

static void take_apart(struct activations *a, const struct bf16 *x)
{
    for (size_t p = 0; p < a->P; p++)
        for (size_t step = 0; step < a->steps; step++) {
            const struct bf16 *from = x + p * a->K + step * STEP;
            struct accumulate_operand operand[STEP];
            const size_t at = step * a->P + p;
            accumulate_prepare(from, STEP, operand);
            accumulate_pack_line(operand, &a->line[at]);
            for (size_t k = 0; k < STEP; k++)
                a->busy[at] |= (from[k].bits & ~BF16_SIGN) != 0;
        }
}

static enum status work_make(struct work *w, const struct bf16 *x, size_t P, size_t K, struct error *e)
{
    const size_t steps = K / STEP;
    *w = (struct work){.x = {.P = P, .K = K, .steps = steps}, .threads = omp_get_max_threads()};
    bool ok = P <= UINT32_MAX && P <= SIZE_MAX / sizeof *w->x.line / (K + LANES) && K <= SIZE_MAX / (LANES + 2);
    if (ok) {
        w->room = allocate((size_t)w->threads, sizeof *w->room);
        w->rows = allocate(P, sizeof *w->rows);
        w->busy_rows = allocate(steps * P, sizeof *w->busy_rows);
        w->busy_counts = allocate(steps, sizeof *w->busy_counts);
        w->x.line = allocate(steps * P, sizeof *w->x.line);
        w->x.busy = allocate(steps * P, sizeof *w->x.busy);
        ok = w->room && w->rows && w->busy_rows && w->busy_counts && w->x.line && w->x.busy;
    }
    for (int t = 0; ok && t < w->threads; t++) {
        w->room[t].value = allocate(LANES * K, sizeof *w->room[t].value);
        w->room[t].d = allocate(LANES * P, sizeof *w->room[t].d);
        ok = w->room[t].value && w->room[t].d;
    }
    if (!ok) {
        work_free(w);
        return error_set(e, STATUS_NO_MEMORY, "no memory to multiply %zu rows of %zu activations", P, K);
    }
    take_apart(&w->x, x);
    return STATUS_OK;
}

/* Of the first `count` of w->rows, those that are busy in each step. */
static void find_busy(struct work *w, size_t count)
{
    for (size_t step = 0; step < w->x.steps; step++) {
        const bool *busy = w->x.busy + step * w->x.P;
        uint32_t *list = w->busy_rows + step * w->x.P, n = 0;
        for (size_t i = 0; i < count; i++)
            if (busy[w->rows[i]])
                list[n++] = w->rows[i];
        w->busy_counts[step] = n;
    }
}

static bool any_special(const struct bf16 *value, size_t lanes, size_t K)
{
    bool special = false;
    for (size_t lane = 0; lane < lanes; lane++)
        for (size_t k = 0; k < STEP; k++)
            special |= (value[lane * K + k].bits & BF16_EXPONENT) == BF16_EXPONENT;
    return special;
}

/* Columns n to n + lanes - 1 of the first `count` of w->rows. value: [lanes][K]. In a step, rows of zeros are left out
 * where the weights are finite: zeros times finite weights add nothing. */
static void multiply(const struct work *w, size_t count, const struct bf16 *value, size_t lanes, float *d)
{
    const struct activations *x = &w->x;
    for (size_t i = 0; i < count; i++)
        memset(d + w->rows[i] * LANES, 0, LANES * sizeof *d);
    for (size_t step = 0; step < x->steps; step++) {
        const struct bf16 *from = value + step * STEP;
        const bool every = any_special(from, lanes, x->K);
        if (!every && w->busy_counts[step] == 0)
            continue;
        struct accumulate_operand operand[LANES * STEP];
        struct accumulate_panel panel;
        for (size_t lane = 0; lane < lanes; lane++)
            accumulate_prepare(from + lane * x->K, STEP, operand + lane * STEP);
        accumulate_pack_panels(operand, STEP, lanes, &panel);
        accumulate_tile(&accumulate_hopper_bf16, x->line + step * x->P, every ? w->rows : w->busy_rows + step * x->P,
                        every ? count : w->busy_counts[step], &panel, LANES, d, LANES);
    }
}

static void write_out(const struct work *w, size_t count, const float *d, size_t n, size_t lanes, size_t N,
                      struct bf16 *out)
{
    for (size_t i = 0; i < count; i++)
        for (size_t lane = 0; lane < lanes; lane++)
            out[w->rows[i] * N + n + lane] = bf16_encode(d[w->rows[i] * LANES + lane]);
}

static size_t lanes_from(size_t n, size_t N)
{
    return N - n < LANES ? N - n : LANES;
}

enum status matmul_dense(const struct bf16 *x, size_t P, const struct bf16 *w, size_t N, size_t K, struct bf16 *out,
                         struct error *e)
{
    if (K % STEP != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "K is %zu, but a step takes %d products", K, STEP);
    struct work work;
    enum status status = work_make(&work, x, P, K, e);
    if (status != STATUS_OK)
        return status;

    for (size_t p = 0; p < P; p++)
        work.rows[p] = (uint32_t)p;
    find_busy(&work, P);
#pragma omp parallel for schedule(dynamic)
    for (size_t n = 0; n < N; n += LANES) {
        float *d = work.room[omp_get_thread_num()].d;
        multiply(&work, P, w + n * K, lanes_from(n, N), d);
        write_out(&work, P, d, n, lanes_from(n, N), N, out);
    }
    work_free(&work);
    return STATUS_OK;
}

/* The columns of the first `count` of work->rows, which all use one expert. */
static void multiply_expert(struct work *work, size_t count, const struct weights *w, size_t expert, struct bf16 *out)
{
    const size_t blocks_a_row = w->K / MXFP4_BLOCK;
    find_busy(work, count);
#pragma omp parallel for schedule(dynamic)
    for (size_t n = 0; n < w->N; n += LANES) {
        const struct room *room = &work->room[omp_get_thread_num()];
        const size_t block = (expert * w->N + n) * blocks_a_row, lanes = lanes_from(n, w->N);
        mxfp4_decode_matrix(w->blocks + block * MXFP4_BLOCK_BYTES, w->scales + block, lanes, w->K, room->value);
        multiply(work, count, room->value, lanes, room->d);
        write_out(work, count, room->d, n, lanes, w->N, out);
    }
}

enum status matmul_grouped(const struct bf16 *x, const struct segments *s, const struct weights *w, struct bf16 *out,
                           uint32_t *status_word, struct error *e)
{
    if (w->K % MXFP4_BLOCK != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "K is %zu, but a block of weights holds %d", w->K, MXFP4_BLOCK);
    if (s->experts != w->experts)
        return error_set(e, STATUS_BAD_ARGUMENT, "the segments speak of %zu experts, the weights hold %zu", s->experts,
                         w->experts);
    struct work work;
    enum status status = work_make(&work, x, s->rows, w->K, e);
    if (status != STATUS_OK)
        return status;
    int32_t *expert_of_row = allocate(s->rows, sizeof *expert_of_row);
    if (!expert_of_row) {
        work_free(&work);
        return error_set(e, STATUS_NO_MEMORY, "no memory for the experts of %zu rows", s->rows);
    }

    memset(out, 0, s->rows * w->N * sizeof *out);
    for (size_t row = 0; row < s->rows; row++)
        expert_of_row[row] = segments_expert_of_row(s, row);
    /* Expert by expert, not segment by segment: an expert that several segments name is decoded once. */
    for (size_t expert = 0; expert < w->experts; expert++) {
        size_t count = 0;
        for (size_t row = 0; row < s->rows; row++)
            if (expert_of_row[row] == (int32_t)expert)
                work.rows[count++] = (uint32_t)row;
        if (count > 0)
            multiply_expert(&work, count, w, expert, out);
    }
    *status_word = segments_status_word(s, NULL);
    free(expert_of_row);
    work_free(&work);
    return STATUS_OK;
}
