/* The dense product as an explanation predicts it. */
#include <math.h>
#include <stdlib.h>

#include "probes/explain_parts.h"
#include "reference/number.h"

/* Sums of outputs [P][N] so far; NAN: nothing is said of this one. */
static void add_column(const struct explain_session *x, const uint32_t *column, double *sum)
{
    const struct explain_dense *d = &x->q->dense;
    const struct source_map *m = x->m;
    uint32_t k = column[0];
#pragma omp parallel for
    for (size_t p = 0; p < m->P; p++)
        for (size_t n = 0; n < m->N; n++) {
            double *at = &sum[p * m->N + n];
            struct explain_code c = explain_predict(x, EXPLAIN_STAGES, column, p, n);
            if (c.value == SOURCE_ZERO)
                continue;
            if (c.value >= SOURCE_CODES || c.row >= m->P || (x->scales_asked && c.scale >= SOURCE_CODES)) {
                *at = (double)NAN;
                continue;
            }
            uint8_t byte = d->blocks[c.value / 2];
            struct fp4 code = {(uint8_t)(c.value % 2 ? byte >> 4 : byte & 0xf)};
            *at += (double)bf16_decode(d->x[c.row * m->K + k]) * (double)fp4_decode(code);
        }
}

/* Does a pair of code and scale decode wrongly? Then the weights of the dense product may. */
static bool decodes_wrongly(const struct explain_session *x)
{
    for (int g = 0; g < EXPLAIN_STAGES; g++)
        for (int i = 0; i < x->x.part[g].sets; i++)
            if (x->x.part[g].set[i].effect >= EXPLAIN_IS_INF)
                return true;
    return false;
}

/* A table says nothing of places that no observation came from. */
static bool has_table(const struct explain_model *model)
{
    const struct source_rule *rules[] = {&model->epilogue, &model->routing, &model->expert, &model->descriptor,
                                         &model->fragment, &model->values,  &model->scales};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i]->at[0].family == RULE_TABLE || rules[i]->at[1].family == RULE_TABLE)
            return true;
    return false;
}

enum status explain_sums(struct explain_session *x, struct error *e)
{
    const struct source_map *m = x->m;
    const struct explain_dense *d = &x->q->dense;
    size_t outputs = m->P * m->N;
    if (!d->out || x->x.wrong == 0 || x->x.explained < x->x.wrong || x->rows_change || has_table(&x->model) ||
        decodes_wrongly(x))
        return STATUS_OK;
    double *sum = calloc(outputs, sizeof *sum);
    uint32_t *column = malloc(m->P * sizeof *column);
    if (!sum || !column) {
        free(sum);
        free(column);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu sums", outputs);
    }
    for (uint32_t k = 0; k < m->K; k++) {
        for (size_t p = 0; p < m->P; p++)
            column[p] = k;
        add_column(x, column, sum);
    }
    for (size_t i = 0; i < outputs; i++) {
        x->x.sums_asked += !isnan(sum[i]);
        x->x.sums_predicted += (double)bf16_decode(d->out[i]) == sum[i];
    }
    free(sum);
    free(column);
    return STATUS_OK;
}
