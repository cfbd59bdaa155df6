/* infer_captures: captures made in memory, matrices to fill them with, and questions about them. Include cmocka.h
 * before. */
#ifndef FO_TESTS_ORACLE_INFER_CAPTURES_H
#define FO_TESTS_ORACLE_INFER_CAPTURES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/fragoracle_device.h"
#include "oracle/fragoracle.h"
#include "oracle/io/file.h"
#include "oracle/io/npy.h"
#include "reference/fragment.h"
#include "reference/mxfp4.h"
#include "tests/support/scratch.h"
#include "tests/support/splitmix.h"

#define OP_BF16 "wgmma.m64n64k16.f32.bf16.bf16.rs"

enum { CAPTURE_STREAMS = 16, SLOTS_A = 1024, TILE_M = 64, TILE_K = 16 };

struct capture {
    struct fo_capture_head head;
    struct fo_capture_stream stream[CAPTURE_STREAMS];
    uint32_t came[CAPTURE_STREAMS]; /* what each counter says */
    uint32_t *data[CAPTURE_STREAMS];
};

static inline struct capture capture_of(uint32_t blocks, uint32_t warpgroups, uint32_t iterations)
{
    return (struct capture){.head = {.magic = FO_CAPTURE_MAGIC,
                                     .version = FO_CAPTURE_VERSION,
                                     .blocks = blocks,
                                     .warpgroups = warpgroups,
                                     .iterations = iterations}};
}

static inline size_t capture_records(const struct capture *c)
{
    return (size_t)c->head.blocks * c->head.warpgroups * c->head.iterations;
}

/* A new stream, all words zero, every record of the window there. Returns its number. */
static inline uint32_t capture_stream(struct capture *c, const char *op, const char *operand, uint32_t kind,
                                      uint32_t site, uint32_t words)
{
    uint32_t i = c->head.streams++;
    struct fo_capture_stream *s = &c->stream[i];
    assert_true(i < CAPTURE_STREAMS);
    snprintf(s->op, sizeof s->op, "%s", op);
    snprintf(s->operand, sizeof s->operand, "%s", operand);
    snprintf(s->source, sizeof s->source, "kernel.cu:%u", 100 + site);
    s->kind = kind;
    s->site = site;
    s->words = words;
    c->came[i] = c->head.iterations;
    c->data[i] = calloc(capture_records(c) * FO_CAPTURE_THREADS * words, sizeof(uint32_t));
    assert_non_null(c->data[i]);
    return i;
}

static inline uint32_t *capture_words(const struct capture *c, uint32_t stream, size_t record, uint32_t thread)
{
    return c->data[stream] + (record * FO_CAPTURE_THREADS + thread) * c->stream[stream].words;
}

/* The image; freed by the caller. */
static inline uint8_t *capture_image(struct capture *c, size_t *size)
{
    size_t groups = (size_t)c->head.blocks * c->head.warpgroups * FO_CAPTURE_THREADS;
    size_t at = sizeof c->head + c->head.streams * sizeof *c->stream;
    for (uint32_t i = 0; i < c->head.streams; i++) {
        c->stream[i].counters = at;
        at += groups * 4;
        c->stream[i].data = at;
        at += capture_records(c) * FO_CAPTURE_THREADS * c->stream[i].words * 4;
    }
    c->head.bytes = at;
    uint8_t *image = calloc(at, 1);
    assert_non_null(image);
    memcpy(image, &c->head, sizeof c->head);
    memcpy(image + sizeof c->head, c->stream, c->head.streams * sizeof *c->stream);
    for (uint32_t i = 0; i < c->head.streams; i++) {
        for (size_t g = 0; g < groups; g++)
            memcpy(image + c->stream[i].counters + 4 * g, &c->came[i], 4);
        memcpy(image + c->stream[i].data, c->data[i], capture_records(c) * FO_CAPTURE_THREADS * c->stream[i].words * 4);
    }
    *size = at;
    return image;
}

static inline void capture_free(struct capture *c)
{
    for (uint32_t i = 0; i < c->head.streams; i++)
        free(c->data[i]);
}

static inline void capture_write(struct capture *c, const char *path)
{
    size_t size;
    uint8_t *image = capture_image(c, &size);
    assert_int_equal(file_write(path, image, size, NULL), STATUS_OK);
    free(image);
}

/* A matrix of 16-bit patterns. */
struct matrix16 {
    size_t rows, columns;
    uint16_t *bits;
};
static inline uint16_t matrix16_at(const struct matrix16 *m, size_t i, size_t j)
{
    return m->bits[i * m->columns + j];
}
static inline void matrix16_write(const struct matrix16 *m, const char *path)
{
    assert_int_equal(npy_write(path, NPY_U2, 2, (const size_t[]){m->rows, m->columns}, m->bits, NULL), STATUS_OK);
}
/* Numbers of moderate size, rarely equal. */
static inline struct matrix16 matrix16_random(size_t rows, size_t columns, uint64_t seed)
{
    struct splitmix r = {seed};
    struct matrix16 m = {rows, columns, malloc(rows * columns * 2)};
    assert_non_null(m.bits);
    for (size_t i = 0; i < rows * columns; i++)
        m.bits[i] =
            (uint16_t)(splitmix_next(&r) % 2 << 15 | (120 + splitmix_next(&r) % 12) << 7 | splitmix_next(&r) % 128);
    return m;
}

/* MXFP4: codes, scales, and what they are in bf16. */
struct matrix4 {
    size_t rows, columns;
    uint8_t *packed, *scale; /* [rows][columns/2], [rows][columns/32] */
    struct matrix16 value;
};
static inline unsigned matrix4_code(const struct matrix4 *m, size_t i, size_t j)
{
    size_t at = i * m->columns + j;
    return m->packed[at / 2] >> 4 * (at % 2) & 15u;
}
static inline struct matrix4 matrix4_random(size_t rows, size_t columns, uint64_t seed)
{
    struct splitmix r = {seed};
    size_t count = rows * columns;
    struct matrix4 m = {rows, columns, malloc(count / 2), malloc(count / 32), {rows, columns, malloc(count * 2)}};
    assert_true(m.packed && m.scale && m.value.bits);
    for (size_t i = 0; i < count / 2; i++)
        m.packed[i] = (uint8_t)splitmix_next(&r);
    for (size_t i = 0; i < count / 32; i++)
        m.scale[i] = (uint8_t)(117 + splitmix_below(&r, 8));
    for (size_t i = 0; i < count; i++)
        m.value.bits[i] = mxfp4_decode((struct fp4){(uint8_t)matrix4_code(&m, i / columns, i % columns)},
                                       (struct e8m0){m.scale[i / 32]})
                              .bits;
    return m;
}
static inline void matrix4_free(struct matrix4 *m)
{
    free(m->packed);
    free(m->scale);
    free(m->value.bits);
}

/* The values v00..v07 of a lane under the names of the house, and the pack order of the contract. */
static const uint8_t order_wanted[8] = {0, 1, 4, 5, 2, 3, 6, 7};
static inline struct point lane_value(uint32_t thread, unsigned v)
{
    uint32_t g = thread % 32 / 4, q = thread % 4;
    return (struct point){{16 * (thread / 32) + g + 8 * (v / 4), 2 * q + v % 2 + 8 * (v % 4 / 2)}};
}

/* Fill the A registers of a record with the tile at (i0, j0), packed in this order. */
static inline void capture_pack(struct capture *c, uint32_t stream, size_t record, const struct matrix16 *m, size_t i0,
                                size_t j0, const uint8_t order[8])
{
    for (uint32_t t = 0; t < FO_CAPTURE_THREADS; t++) {
        uint32_t *words = capture_words(c, stream, record, t);
        for (unsigned p = 0; p < 8; p++) {
            struct point at = lane_value(t, order[p]);
            words[p / 2] |= (uint32_t)matrix16_at(m, i0 + at.at[0], j0 + at.at[1]) << 16 * (p % 2);
        }
    }
}

static inline struct fo_answer infer_answer_of(struct fo_infer_options o)
{
    struct fo_answer answer = {0};
    struct fo_error error;
    if (fo_infer(&o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    return answer;
}

static inline void expect_says(const struct fo_answer *a, const char *text)
{
    if (!strstr(a->text, text))
        fail_msg("does not say \"%s\":\n%s", text, a->text);
}
static inline void expect_silent(const struct fo_answer *a, const char *text)
{
    if (strstr(a->text, text))
        fail_msg("says \"%s\":\n%s", text, a->text);
}
static inline void expect_verdict(const struct fo_answer *a, enum fo_verdict v)
{
    if (a->verdict != v)
        fail_msg("is %s, not %s:\n%s", fo_verdict_name(a->verdict), fo_verdict_name(v), a->text);
}

/* A question about one matrix and one capture, both written to the scratch folder. */
struct asked {
    char capture[SCRATCH_PATH], matrix[SCRATCH_PATH], scales[SCRATCH_PATH];
    struct fo_infer_options o;
};

static inline void ask16(void **state, struct capture *c, const struct matrix16 *m, struct asked *a)
{
    scratch_path(state, "capture.bin", a->capture);
    scratch_path(state, "matrix.npy", a->matrix);
    capture_write(c, a->capture);
    matrix16_write(m, a->matrix);
    a->o = (struct fo_infer_options){.capture = a->capture, .matrix = a->matrix, .site = -1};
}

static inline void ask4(void **state, struct capture *c, const struct matrix4 *m, struct asked *a)
{
    ask16(state, c, &m->value, a);
    scratch_path(state, "scales.npy", a->scales);
    npy_write(a->matrix, NPY_U1, 2, (const size_t[]){m->rows, m->columns / 2}, m->packed, NULL);
    npy_write(a->scales, NPY_U1, 2, (const size_t[]){m->rows, m->columns / 32}, m->scale, NULL);
    a->o.source = "mxfp4";
    a->o.scales = a->scales;
}

/* Several records of one site, the tiles side by side, packed in `order`. */
static inline struct capture packed(const struct matrix16 *m, const uint8_t order[8], uint32_t iterations)
{
    struct capture c = capture_of(1, 1, iterations);
    uint32_t s = capture_stream(&c, OP_BF16, "A", FO_KIND_A, 0, 4);
    for (uint32_t n = 0; n < iterations; n++)
        capture_pack(&c, s, n, m, 64, 16 * n, order);
    return c;
}

/* Ask and free the capture; the matrix stays with the caller. */
static inline struct fo_answer answer4(void **state, struct capture *c, const struct matrix4 *m, const char *at)
{
    struct asked a;
    ask4(state, c, m, &a);
    a.o.at = at;
    capture_free(c);
    return infer_answer_of(a.o);
}

/* fo_infer as alloc_check wants it. */
struct attempt {
    struct fo_infer_options o;
    struct fo_answer answer;
};
static inline enum status attempt_once(void *context, struct error *e)
{
    struct attempt *r = context;
    struct fo_error error;
    enum status s = (enum status)fo_infer(&r->o, &r->answer, &error);
    return s == STATUS_OK ? s : error_set(e, s, "%.300s", error.line);
}

#endif
