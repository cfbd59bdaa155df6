#include "reference/matmul.h"

#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reference/mxfp4.h"
#include "reference/number.h"

enum { STEP = 16 };

/* The rows of x taken apart once, and which of their steps have an activation other than zero. */
struct activations {
    size_t K, steps;
    struct accumulate_operand *operand; /* [P,K] */
    bool *busy;                         /* [P,steps] */
};

/* One thread's room for one row of weights. */
struct weight_row {
    struct bf16 *value;                 /* [K] */
    struct accumulate_operand *operand; /* [K] */
    bool *busy;                         /* [steps]: holds a weight that is not finite */
};

/* All that a call allocates. */
struct work {
    struct activations x;
    struct weight_row *row; /* one a thread */
    int threads;
    size_t *rows; /* [P]: the rows of x that the current weights multiply */
};

static void work_free(struct work *w)
{
    free(w->x.operand);
    free(w->x.busy);
    free(w->rows);
    for (int t = 0; w->row && t < w->threads; t++) {
        free(w->row[t].value);
        free(w->row[t].operand);
        free(w->row[t].busy);
    }
    free(w->row);
}

/* calloc that gives a pointer for nothing, too, so that NULL always means no memory. */
static void *allocate(size_t n, size_t size)
{
    return calloc(n ? n : 1, size);
}

static enum status work_make(struct work *w, const struct bf16 *x, size_t P, size_t K, struct error *e)
{
    size_t steps = K / STEP;
    *w = (struct work){.x = {.K = K, .steps = steps}, .threads = omp_get_max_threads()};
    bool ok = P <= SIZE_MAX / sizeof(size_t) / (K + 1);
    if (ok) {
        w->row = allocate((size_t)w->threads, sizeof *w->row);
        w->rows = allocate(P, sizeof *w->rows);
        w->x.operand = allocate(P * K, sizeof *w->x.operand);
        w->x.busy = allocate(P * steps, sizeof *w->x.busy);
        ok = w->row && w->rows && w->x.operand && w->x.busy;
    }
    for (int t = 0; ok && t < w->threads; t++) {
        struct weight_row *row = &w->row[t];
        row->value = allocate(K, sizeof *row->value);
        row->operand = allocate(K, sizeof *row->operand);
        row->busy = allocate(steps, sizeof *row->busy);
        ok = row->value && row->operand && row->busy;
    }
    if (!ok) {
        work_free(w);
        return error_set(e, STATUS_NO_MEMORY, "no memory to multiply %zu rows of %zu activations", P, K);
    }

    accumulate_prepare(x, P * K, w->x.operand);
    for (size_t i = 0; i < P * K; i++)
        if (x[i].bits & ~BF16_SIGN)
            w->x.busy[i / STEP] = true;
    return STATUS_OK;
}

static void weight_row_prepare(struct weight_row *row, const struct bf16 *value, size_t K)
{
    accumulate_prepare(value, K, row->operand);
    memset(row->busy, 0, K / STEP * sizeof *row->busy);
    for (size_t k = 0; k < K; k++)
        if ((value[k].bits & BF16_EXPONENT) == BF16_EXPONENT)
            row->busy[k / STEP] = true;
}

/* One output element. A step is left out where neither side is busy: zeros times finite weights add nothing. */
static struct bf16 dot(const struct activations *x, size_t p, const struct weight_row *w)
{
    const struct accumulate_operand *a = x->operand + p * x->K;
    const bool *busy = x->busy + p * x->steps;
    float sum = 0.0f;
    for (size_t i = 0; i < x->steps; i++)
        if (busy[i] | w->busy[i])
            sum = accumulate_step(&accumulate_hopper_bf16, a + i * STEP, w->operand + i * STEP, sum);
    return bf16_encode(sum);
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

#pragma omp parallel for schedule(dynamic, 16)
    for (size_t n = 0; n < N; n++) {
        struct weight_row *row = &work.row[omp_get_thread_num()];
        weight_row_prepare(row, w + n * K, K);
        for (size_t p = 0; p < P; p++)
            out[p * N + n] = dot(&work.x, p, row);
    }
    work_free(&work);
    return STATUS_OK;
}

/* The columns of the first `count` of work->rows, which all use one expert. */
static void multiply_expert(struct work *work, size_t count, const struct weights *w, size_t expert, struct bf16 *out)
{
    size_t blocks_a_row = w->K / MXFP4_BLOCK;
#pragma omp parallel for schedule(dynamic, 16)
    for (size_t n = 0; n < w->N; n++) {
        struct weight_row *row = &work->row[omp_get_thread_num()];
        size_t block = (expert * w->N + n) * blocks_a_row;
        mxfp4_decode_matrix(w->blocks + block * MXFP4_BLOCK_BYTES, w->scales + block, 1, w->K, row->value);
        weight_row_prepare(row, row->value, w->K);
        for (size_t i = 0; i < count; i++)
            out[work->rows[i] * w->N + n] = dot(&work->x, work->rows[i], row);
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
                work.rows[count++] = row;
        if (count > 0)
            multiply_expert(&work, count, w, expert, out);
    }
    *status_word = segments_status_word(s, NULL);
    free(expert_of_row);
    work_free(&work);
    return STATUS_OK;
}
