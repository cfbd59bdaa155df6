/* coded_fake: a kernel in plain loops that can be told to misplace what it reads. Include after cmocka.h. */
#ifndef FO_TESTS_PROBES_CODED_FAKE_H
#define FO_TESTS_PROBES_CODED_FAKE_H

#include <stdlib.h>
#include <string.h>

#include "probes/coded.h"
#include "reference/mxfp4.h"

enum { FAKE_TERMS = 4 };
#define FAKE_UNWRITTEN UINT32_MAX
#define FAKE_PADDING   0x80000000u /* | byte: a scale that is none of the weights' */

/* One product of the sum: x[row][k] * value * scale. */
struct fake_term {
    struct source_point value, scale;
    uint32_t padding; /* 0, or the scale itself */
};

struct fake {
    struct weights w; /* owned arrays */
    bool special;     /* some scale is 253 or above */
    /* Which row of x output (p, n) is made of; FAKE_UNWRITTEN. NULL: p. */
    uint32_t (*row)(const struct fake *f, uint32_t p, uint32_t n);
    /* What is read where feature n of the expert of row p wants column k; *term begins as what is right. Returns how
     * many terms there are. NULL: the one that is right. */
    size_t (*terms)(const struct fake *f, uint32_t p, uint32_t n, uint32_t k, struct fake_term *term);
    /* The expert that an id names; -1: none, the row is zero. NULL: what segments.h says. */
    int32_t (*expert)(const struct fake *f, int32_t id);
    float (*spoil)(const struct fake *f, float sum, size_t nonzero); /* the sum, before it is rounded */
    struct run_report report;                                        /* of each launch */
    bool tell_status;
    enum status breaks;         /* STATUS_OK, or what the launch `breaks_at` ends with */
    size_t breaks_at, flips_at; /* launches count from 1; flips_at: one bit of that launch is another */
    size_t runs, loads;
};

static inline enum status fake_load(void *self, const struct weights *w, struct error *e)
{
    struct fake *f = self;
    size_t scales = w->experts * w->N * (w->K / 32);
    (void)e;
    free((void *)f->w.blocks);
    free((void *)f->w.scales);
    uint8_t *blocks = malloc(scales * 16), *bytes = malloc(scales);
    f->w = (struct weights){w->experts, w->N, w->K, blocks, bytes};
    if (!blocks || !bytes)
        return error_set(e, STATUS_NO_MEMORY, "no memory");
    memcpy(blocks, w->blocks, scales * 16);
    memcpy(bytes, w->scales, scales);
    f->special = false;
    for (size_t i = 0; i < scales; i++)
        f->special |= bytes[i] >= 253;
    f->loads++;
    return STATUS_OK;
}

static inline float fake_weight(const struct fake *f, const struct fake_term *t)
{
    size_t value = (t->value.expert * f->w.N + t->value.n) * f->w.K + t->value.k;
    size_t scale = (t->scale.expert * f->w.N + t->scale.n) * (f->w.K / 32) + t->scale.k;
    uint8_t code = (uint8_t)(f->w.blocks[value / 2] >> (4 * (value % 2)) & 0xf);
    uint8_t byte = t->padding ? (uint8_t)t->padding : f->w.scales[scale];
    return bf16_decode(mxfp4_decode((struct fp4){code}, (struct e8m0){byte}));
}

/* What output (p, n) reads at column k of an expert. */
static inline size_t fake_terms(const struct fake *f, uint32_t expert, uint32_t p, uint32_t n, uint32_t k,
                                struct fake_term term[FAKE_TERMS])
{
    for (size_t i = 0; i < FAKE_TERMS; i++)
        term[i] = (struct fake_term){{expert, n, k}, {expert, n, k / 32}, 0};
    return f->terms ? f->terms(f, p, n, k, term) : 1;
}

static inline int32_t fake_expert(const struct fake *f, const struct segments *s, size_t row)
{
    int32_t id = -1;
    for (size_t a = 0; a < s->active; a++)
        if (row >= s->starts[a] && row < s->starts[a + 1])
            id = s->ids[a];
    if (f->expert)
        return f->expert(f, id);
    return id >= 0 && (size_t)id < s->experts ? id : -1;
}

static inline struct bf16 fake_output(const struct fake *f, const struct bf16 *x, uint32_t expert, uint32_t p,
                                      uint32_t row, uint32_t n)
{
    float sum = 0;
    size_t nonzero = 0;
    for (uint32_t k = 0; k < f->w.K; k++) {
        struct fake_term term[FAKE_TERMS];
        float a = bf16_decode(x[row * f->w.K + k]);
        nonzero += a != 0;
        if (a == 0 && !f->special)
            continue;
        size_t count = fake_terms(f, expert, p, n, k, term);
        for (size_t i = 0; i < count; i++)
            sum += a * fake_weight(f, &term[i]);
    }
    return bf16_encode(f->spoil ? f->spoil(f, sum, nonzero) : sum);
}

static inline enum status fake_run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison,
                                   struct bf16 *out, struct run_report *report, struct error *e)
{
    struct fake *f = self;
    f->runs++;
    if (f->breaks != STATUS_OK && f->runs == f->breaks_at)
        return error_set(e, f->breaks, "it broke");
    for (size_t i = 0; i < s->rows * f->w.N; i++)
        if (out[i].bits != poison.bits)
            return error_set(e, STATUS_BAD_ARGUMENT, "no poison");
    for (uint32_t p = 0; p < s->rows; p++) {
        int32_t expert = fake_expert(f, s, p);
        for (uint32_t n = 0; n < f->w.N; n++) {
            uint32_t row = f->row ? f->row(f, p, n) : p;
            if (expert < 0)
                out[p * f->w.N + n].bits = 0;
            else if (row != FAKE_UNWRITTEN)
                out[p * f->w.N + n] = fake_output(f, x, (uint32_t)expert, p, row, n);
        }
    }
    out[0].bits ^= f->runs == f->flips_at;
    *report = f->report;
    report->status_word = f->tell_status ? segments_status_word(s, NULL) : f->report.status_word;
    return STATUS_OK;
}

static inline struct executor fake_executor(struct fake *f)
{
    return (struct executor){"fake", "fake", FIDELITY_APPROXIMATE, f, fake_load, fake_run, NULL, {0}, NULL, NULL};
}

static inline void fake_free(struct fake *f)
{
    free((void *)f->w.blocks);
    free((void *)f->w.scales);
    f->w = (struct weights){0};
}

/* The source map must be what the rules say, observation by observation. Returns how many were not right. */
static inline size_t fake_expect(const struct fake *f, const struct coded_result *r)
{
    const struct source_map *m = &r->map;
    size_t moved = 0, all = source_map_observations(m);
    assert_true(all > 0);
    for (size_t i = 0; i < all; i++) {
        uint32_t sweep = (uint32_t)(i / (m->P * m->N)), p = (uint32_t)(i / m->N % m->P), n = (uint32_t)(i % m->N);
        uint32_t value = SOURCE_ZERO, scale = SOURCE_ZERO, row = f->row ? f->row(f, p, n) : p;
        int32_t expert = fake_expert(f, &m->segments, p);
        if (expert >= 0 && row == FAKE_UNWRITTEN) {
            value = scale = row = SOURCE_UNWRITTEN;
        } else if (expert >= 0) {
            struct fake_term term[FAKE_TERMS];
            size_t count = fake_terms(f, (uint32_t)expert, p, n, m->column[sweep * m->P + row], term);
            value = source_value_code(m, term[0].value);
            scale = term[0].padding ? SOURCE_UNKNOWN : source_scale_code(m, term[0].scale);
            if (term[0].padding == (FAKE_PADDING | 255))
                value = row = SOURCE_UNKNOWN;
            /* 2^64 and more hide the digits of a row, which go up to 2^63. */
            if (term[0].padding > (FAKE_PADDING | 190) && m->row[i] == SOURCE_UNKNOWN)
                row = SOURCE_UNKNOWN;
            if (count == 0)
                value = scale = row = SOURCE_ZERO;
            if (count > 1)
                value = scale = row = SOURCE_MIXTURE;
        } else {
            row = SOURCE_ZERO;
        }
        if (r->scale_planes == 0)
            scale = SOURCE_UNKNOWN;
        if (m->value[i] != value || m->scale[i] != scale || m->row[i] != row)
            fail_msg("sweep %u, out[%u][%u] shows %08x %08x %08x, not %08x %08x %08x", sweep, p, n, m->value[i],
                     m->scale[i], m->row[i], value, scale, row);
        moved += value != source_wanted_value(m, sweep, p, n) || row != source_wanted_row(m, sweep, p, n) ||
                 (r->scale_planes > 0 && scale != source_wanted_scale(m, sweep, p, n));
    }
    return moved;
}

#endif
