/* bench: how fast the host side is on this machine. Not a timed test: it prints, and judges nothing.
 *     bench            every line from at least 5 runs, after one that is not counted
 *     bench --smoke    one run of little work, to see that it works; without check */
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oracle/answer/decode.h"
#include "oracle/fragoracle.h"
#include "probes/weights.h"
#include "reference/accumulate_paths.h"
#include "reference/hopper_layout.h"
#include "reference/matmul.h"
#include "reference/mxfp4.h"

enum { RUNS_MOST = 9, K = 2880, VECTORS = 256, TERMS = ACCUMULATE_TERMS, TOKENS_MOST = 64 };

/* One line of the table. A rate is work / seconds / scale; without a scale the line shows seconds. */
struct line {
    const char *what, *unit;
    double work, scale;
    char done[120]; /* what one run did */
    int threads, runs;
    bool (*run)(void *context);
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool measure(const struct line *l, void *context, bool smoke)
{
    double value[RUNS_MOST];
    int runs = smoke ? 1 : l->runs;
    omp_set_num_threads(l->threads);
    for (int i = smoke ? 0 : -1; i < runs; i++) {
        double start = now();
        if (!l->run(context)) {
            fprintf(stderr, "bench: %s: failed\n", l->what);
            return false;
        }
        double seconds = now() - start;
        if (i >= 0)
            value[i] = l->scale > 0 ? l->work / seconds / l->scale : seconds;
    }
    qsort(value, (size_t)runs, sizeof *value, by_value);
    printf("%-34s %9.3f %9.3f %9.3f  %-12s %7d %5d  %s\n", l->what, value[runs / 2], value[0], value[runs - 1], l->unit,
           l->threads, runs, l->done);
    fflush(stdout);
    return true;
}

/* ---- what is measured ------------------------------------------------------------------------------------------- */

static bool run_decode_contract(void *context)
{
    struct machine model;
    struct decode_result r;
    (void)context;
    machine_model(&model);
    return decode_exhaustive(&model, 1, &r, NULL) == STATUS_OK && r.differing == 0;
}

static bool run_check(void *context)
{
    struct fo_check_options o = {.on = "model", .seed = 1};
    struct fo_answer answer = {0};
    struct fo_error error;
    (void)context;
    bool ok = fo_check(&o, &answer, &error) == 0 && answer.verdict == FO_CONFORMS;
    fo_answer_free(&answer);
    return ok;
}

struct packing {
    struct weights_set set;
    struct hopper_layout layout;
    struct bf16 *decoded;
    uint8_t *values, *scales;
};

static bool run_decode(void *context)
{
    struct packing *p = context;
    mxfp4_decode_matrix(p->set.w.blocks, p->set.w.scales, p->set.w.N, K, p->decoded);
    return true;
}

static bool run_pack(void *context)
{
    struct packing *p = context;
    hopper_layout_forward(&p->layout, &p->set.w, p->values, p->scales);
    return true;
}

/* A tile of outputs, all of whose products and sums are finite. */
struct sums {
    struct accumulate_operand a[VECTORS][TERMS], b[VECTORS][TERMS];
    struct accumulate_line line[VECTORS];
    struct accumulate_panel panel[VECTORS / ACCUMULATE_LANES];
    const struct accumulate_path *path; /* NULL: accumulate_step */
    int repeats;
    float d[VECTORS][VECTORS];
};

static bool run_sums(void *context)
{
    struct sums *s = context;
    memset(s->d, 0, sizeof s->d);
    for (int r = 0; r < s->repeats; r++) {
        if (s->path)
            s->path->tile(&accumulate_hopper_bf16, s->line, NULL, VECTORS, s->panel, VECTORS, &s->d[0][0], VECTORS);
        for (int i = 0; !s->path && i < VECTORS; i++)
            for (int j = 0; j < VECTORS; j++)
                s->d[i][j] = accumulate_step(&accumulate_hopper_bf16, s->a[i], s->b[j], s->d[i][j]);
    }
    return isfinite(s->d[0][0]);
}

struct product {
    struct weights_set set;
    size_t tokens;
    struct bf16 *x, *out;
    uint32_t starts[2];
    int32_t ids[1];
};

static bool run_product(void *context)
{
    struct product *p = context;
    struct segments s = {p->tokens, 1, 1, p->starts, p->ids};
    uint32_t status_word;
    return matmul_grouped(p->x, &s, &p->set.w, p->out, &status_word, NULL) == STATUS_OK && status_word == 0;
}

/* ---- the lines -------------------------------------------------------------------------------------------------- */

/* A finite bf16 that is not zero, of magnitude 2^-7 to 2^8. */
static struct bf16 random_bf16(struct random *r)
{
    uint64_t bits = random_next(r);
    return (struct bf16){
        (uint16_t)((bits & BF16_SIGN) | (120 + (bits >> 32) % 15) << BF16_MANTISSA_BITS | (bits & BF16_MANTISSA))};
}

static bool bench_contract(bool smoke)
{
    int threads = omp_get_num_procs();
    struct line decode = {.what = "exhaustive decode contract",
                          .unit = "s",
                          .done = "33554432 values",
                          .threads = threads,
                          .runs = 5,
                          .run = run_decode_contract};
    struct line rate = decode;
    rate.unit = "Mvalues/s", rate.work = 33554432, rate.scale = 1e6;
    struct line check = {.what = "check on the model",
                         .unit = "s",
                         .done = "every stage",
                         .threads = threads,
                         .runs = 5,
                         .run = run_check};
    return measure(&decode, NULL, smoke) && measure(&rate, NULL, smoke) && (smoke || measure(&check, NULL, smoke));
}

static bool bench_layout(bool smoke)
{
    struct packing p = {0};
    size_t rows = smoke ? 64 : 46592, bytes = rows * K / 2 + rows * K / 32;
    if (weights_make(WEIGHTS_RANDOM, 1, rows, K, 1, &p.set, NULL) != STATUS_OK ||
        hopper_layout_init(&p.layout, 1, rows, K, 16, 32, 4, NULL) != STATUS_OK)
        return false;
    p.decoded = malloc(rows * K * sizeof *p.decoded);
    p.values = malloc(hopper_layout_value_bytes(&p.layout));
    p.scales = malloc(hopper_layout_scale_bytes(&p.layout));
    struct line decode = {.what = "mxfp4_decode_matrix, a core",
                          .unit = "GB/s out",
                          .work = (double)(rows * K * sizeof *p.decoded),
                          .scale = 1e9,
                          .threads = 1,
                          .runs = 9,
                          .run = run_decode};
    struct line pack = {.what = "hopper_layout_forward, a core",
                        .unit = "GB/s in",
                        .work = (double)bytes,
                        .scale = 1e9,
                        .threads = 1,
                        .runs = 9,
                        .run = run_pack};
    snprintf(decode.done, sizeof decode.done, "%zu x %d random values, %.1f MB in, %.1f MB out", rows, K,
             (double)bytes / 1e6, decode.work / 1e6);
    snprintf(pack.done, sizeof pack.done, "%zu x %d random values, %.1f MB in", rows, K, pack.work / 1e6);
    bool ok = p.decoded && p.values && p.scales && measure(&decode, &p, smoke) && measure(&pack, &p, smoke);
    free(p.decoded);
    free(p.values);
    free(p.scales);
    weights_free(&p.set);
    return ok;
}

static bool bench_sums(bool smoke)
{
    struct sums *s = calloc(1, sizeof *s);
    struct random random = {1};
    struct bf16 x[TERMS];
    if (!s)
        return false;
    for (int i = 0; i < 2 * VECTORS; i++) {
        for (int k = 0; k < TERMS; k++)
            x[k] = random_bf16(&random);
        accumulate_prepare(x, TERMS, i < VECTORS ? s->a[i] : s->b[i - VECTORS]);
    }
    for (int i = 0; i < VECTORS; i++)
        accumulate_pack_line(s->a[i], &s->line[i]);
    accumulate_pack_panels(s->b[0], TERMS, VECTORS, s->panel);
    s->repeats = smoke ? 1 : 64;
    bool ok = true;
    for (int path = -1; ok && path < ACCUMULATE_PATHS; path++) {
        char what[40];
        s->path = path < 0 ? NULL : accumulate_paths[path];
        if (s->path && !s->path->usable())
            continue;
        struct line line = {.what = what,
                            .unit = "Mdots/s",
                            .work = (double)s->repeats * VECTORS * VECTORS,
                            .scale = 1e6,
                            .threads = 1,
                            .runs = 9,
                            .run = run_sums};
        snprintf(what, sizeof what, s->path ? "accumulate_tile %s, a core" : "accumulate_step, a core",
                 s->path ? s->path->name : "");
        snprintf(line.done, sizeof line.done, "%.0f fused sums of 16 products and C, operands prepared", line.work);
        ok = measure(&line, s, smoke);
    }
    free(s);
    return ok;
}

static bool bench_product(bool smoke)
{
    size_t N = smoke ? 64 : K;
    struct random random = {1};
    struct product p = {0};
    if (weights_make(WEIGHTS_RANDOM, 1, N, K, 1, &p.set, NULL) != STATUS_OK)
        return false;
    p.x = calloc(TOKENS_MOST * K, sizeof *p.x);
    p.out = malloc(TOKENS_MOST * N * sizeof *p.out);
    bool ok = p.x && p.out;
    static const struct {
        size_t tokens;
        bool dense;
    } cases[] = {{32, true}, {64, true}, {32, false}};
    for (size_t c = 0; ok && c < sizeof cases / sizeof *cases; c++) {
        const bool dense = cases[c].dense;
        p.tokens = p.starts[1] = (uint32_t)cases[c].tokens;
        struct line line = {.what = dense ? "grouped product, dense x" : "grouped product, one-hot x",
                            .unit = "s",
                            .threads = omp_get_num_procs(),
                            .runs = 7,
                            .run = run_product};
        for (size_t i = 0; i < p.tokens * K; i++)
            p.x[i] = dense ? random_bf16(&random) : (struct bf16){i % K == i / K ? BF16_ONE : 0};
        snprintf(line.done, sizeof line.done, "P = %zu, N = %zu, K = %d, weights decoded on the way", p.tokens, N, K);
        ok = measure(&line, &p, smoke);
    }
    free(p.x);
    free(p.out);
    weights_free(&p.set);
    return ok;
}

int main(int argc, char **argv)
{
    bool smoke = argc == 2 && !strcmp(argv[1], "--smoke");
    if (argc > 2 || (argc == 2 && !smoke)) {
        fprintf(stderr, "usage: bench [--smoke]\n");
        return 2;
    }
    printf("%-34s %9s %9s %9s  %-12s %7s %5s  %s\n", "what", "median", "min", "max", "unit", "threads", "runs",
           "a run");
    return bench_contract(smoke) && bench_layout(smoke) && bench_sums(smoke) && bench_product(smoke) ? 0 : 2;
}
