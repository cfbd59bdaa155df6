#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/problems.h"

#include "reference/matmul.h"
#include "reference/number.h"
#include "tests/support/splitmix.h"

enum { TILE = 64, STEP = 16 };

static void *allocate(size_t n, size_t size)
{
    void *p = malloc(n ? n * size : 1);
    assert_non_null(p);
    return p;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void make_segments(struct splitmix *r, size_t P, size_t experts, struct problem *p)
{
    size_t active = splitmix_below(r, 8) ? 1 + splitmix_below(r, 7) : 0;
    p->starts = allocate(active + 1, sizeof *p->starts);
    p->ids = allocate(active, sizeof *p->ids);
    for (size_t a = 0; a <= active; a++)
        p->starts[a] = (uint32_t)splitmix_below(r, P + 1);
    qsort(p->starts, active + 1, sizeof *p->starts, by_value);
    if (splitmix_below(r, 2)) {
        p->starts[0] = 0;
        p->starts[active] = active ? (uint32_t)P : 0;
    }
    for (size_t a = 0; a < active; a++)
        p->ids[a] = (int32_t)splitmix_below(r, experts);
    uint64_t fault = active ? splitmix_below(r, 8) : 8;
    if (fault <= 1)
        p->ids[splitmix_below(r, active)] = fault ? -1 - (int32_t)splitmix_below(r, 9) : (int32_t)experts;
    if (fault == 2)
        p->starts[1 + splitmix_below(r, active)] = (uint32_t)splitmix_below(r, P + 1);
    if (fault == 3)
        p->starts[1 + splitmix_below(r, active)] = (uint32_t)P + 1 + (uint32_t)splitmix_below(r, 99);
    p->segments = (struct segments){P, experts, active, p->starts, p->ids};
}

enum x_kind { DENSE, SPARSE, HOSTILE, SPECIAL, SUBNORMAL, X_KINDS };

static struct bf16 dense_element(struct splitmix *r)
{
    /* 2^-6 .. 2^2 */
    uint64_t draw = splitmix_next(r);
    return (struct bf16){(uint16_t)((draw & 1) << 15 | (121 + (draw >> 8) % 9) << 7 | (draw >> 32 & 0x7f))};
}

static struct bf16 x_element(struct splitmix *r, enum x_kind kind)
{
    static const uint16_t hostile[] = {0x0000, 0x8000, 0x0001, 0x807f, 0x0080, 0x3f80, 0x7f7f, 0xff7f, 0x4000};
    static const uint16_t special[] = {0x7f80, 0xff80, 0x7fc0, 0xffff, 0x7f81};
    uint64_t draw = splitmix_next(r);
    if (kind == SPARSE && draw % 24 != 0)
        return (struct bf16){(uint16_t)(draw >> 8 & 0x8000)};
    if (kind == HOSTILE && draw % 2 == 0)
        return (struct bf16){hostile[(draw >> 8) % (sizeof hostile / sizeof *hostile)]};
    if (kind == SUBNORMAL)
        return (struct bf16){(uint16_t)(draw & (BF16_SIGN | BF16_MANTISSA))};
    if (kind == SPECIAL && draw % 2000 == 0)
        return (struct bf16){special[(draw >> 16) % (sizeof special / sizeof *special)]};
    return dense_element(r);
}

static void make_data(struct splitmix *r, enum weights_kind kind, enum x_kind x, size_t P, size_t N, size_t K,
                      size_t experts, struct problem *p)
{
    struct error e;
    if (weights_make(kind, experts, N, K, splitmix_next(r), &p->weights, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    p->x = allocate(P * K, sizeof *p->x);
    for (size_t i = 0; i < P * K; i++)
        p->x[i] = x_element(r, x);
}

/* 0 .. n-1, small ones more often: the large problems take most of the time and find least. */
static size_t lower_of_two(struct splitmix *r, size_t n)
{
    size_t a = splitmix_below(r, n), b = splitmix_below(r, n);
    return a < b ? a : b;
}

void problem_make(uint64_t seed, struct problem *p)
{
    struct splitmix r = {seed};
    *p = (struct problem){.seed = seed};
    size_t P = 1 + lower_of_two(&r, 200), N = 16 + 16 * lower_of_two(&r, 21), K = 64 + 64 * splitmix_below(&r, 6);
    size_t experts = 1 + splitmix_below(&r, 9);
    enum weights_kind kind = (enum weights_kind)splitmix_below(&r, WEIGHTS_SPECIAL + 1);
    enum x_kind x = (enum x_kind)splitmix_below(&r, X_KINDS);
    make_segments(&r, P, experts, p);
    make_data(&r, kind, x, P, N, K, experts, p);
}

void problem_make_dense(uint64_t seed, size_t P, size_t N, size_t K, size_t experts, struct problem *p)
{
    struct splitmix r = {seed};
    *p = (struct problem){.seed = seed};
    p->starts = allocate(experts + 1, sizeof *p->starts);
    p->ids = allocate(experts, sizeof *p->ids);
    for (size_t a = 0; a <= experts; a++)
        p->starts[a] = (uint32_t)(P * a / experts);
    for (size_t a = 0; a < experts; a++)
        p->ids[a] = (int32_t)(experts - 1 - a);
    p->segments = (struct segments){P, experts, experts, p->starts, p->ids};
    make_data(&r, WEIGHTS_ADVERSARIAL, DENSE, P, N, K, experts, p);
}

void problem_free(struct problem *p)
{
    weights_free(&p->weights);
    free(p->starts);
    free(p->ids);
    free(p->x);
}

size_t problem_outputs(const struct problem *p)
{
    return p->segments.rows * p->weights.w.N;
}

struct bf16 *problem_expected(const struct problem *p, uint32_t *status_word)
{
    struct bf16 *out = allocate(problem_outputs(p), sizeof *out);
    struct error e;
    if (matmul_grouped(p->x, &p->segments, &p->weights.w, out, status_word, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return out;
}

uint64_t problem_wgmma(const struct problem *p)
{
    const struct segments *s = &p->segments;
    uint64_t tiles = 0;
    for (size_t a = 0; a < s->active; a++) {
        uint64_t rows = 0;
        for (size_t row = 0; row < s->rows; row++)
            rows += row >= s->starts[a] && row < s->starts[a + 1] && segments_expert_of_row(s, row) >= 0;
        tiles += (rows + TILE - 1) / TILE;
    }
    return tiles * ((p->weights.w.N + TILE - 1) / TILE) * (p->weights.w.K / STEP);
}

void problem_run(const struct machine *m, const char *name, const struct problem *p, struct bf16 poison,
                 struct bf16 *out, struct run_report *report)
{
    struct subject subject;
    struct executor executor;
    struct error e;
    if (subject_parse(name, &subject, &e) != STATUS_OK || m->subject(&subject, &executor, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    if (executor.load(executor.self, &p->weights.w, &e) != STATUS_OK ||
        executor.run(executor.self, p->x, &p->segments, poison, out, report, &e) != STATUS_OK)
        fail_msg("%s on %s: %s", name, m->name, e.why);
    executor.release(executor.self);
}

size_t outputs_differing(const struct bf16 *a, const struct bf16 *b, size_t n, size_t *first)
{
    size_t differing = 0;
    for (size_t i = n; i-- > 0;)
        if (a[i].bits != b[i].bits && !(bf16_is_nan(a[i]) && bf16_is_nan(b[i]))) {
            differing++;
            *first = i;
        }
    return differing;
}
