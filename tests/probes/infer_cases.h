/* infer_cases: tiles of data and planted maps, for the tests of infer. Include cmocka.h first. */
#ifndef FO_TESTS_PROBES_INFER_CASES_H
#define FO_TESTS_PROBES_INFER_CASES_H

#include <stdio.h>

#include "oracle/io/safetensors.h"
#include "probes/infer.h"
#include "probes/weights.h"
#include "reference/mxfp4.h"
#include "tests/support/layouts.h"
#include "tests/support/splitmix.h"

enum { ROWS = 64, COLUMNS = 16, TILE_SLOTS = 1024, PLACES = 8 };

/* What real kernels read: decoded MXFP4 with the scales spread, or all alike; int4 codes; trained weights. */
enum source { SPREAD, COMMON, INT4, SAMPLE, SOURCES };
static const char *const source_name[] = {"MXFP4, scales 2^-10..2^-3", "MXFP4, one scale", "int4 codes",
                                          "trained weights in MXFP4"};

/* The committed sample, read once. */
static inline const struct weights *sample_weights(int which)
{
    static struct safetensors file;
    static struct weights w[2];
    struct error e;
    if (!file.file) {
        assert_int_equal(safetensors_read(FO_SOURCE_DIR "/artifacts/sample/sample.safetensors", &file, &e), STATUS_OK);
        assert_int_equal(safetensors_weights(&file, "model.layers.0.mlp.experts.gate_up_proj", &w[0], &e), STATUS_OK);
        assert_int_equal(safetensors_weights(&file, "model.layers.0.mlp.experts.down_proj", &w[1], &e), STATUS_OK);
    }
    return &w[which];
}

static inline uint32_t decoded(const struct weights *w, size_t expert, size_t n, size_t k)
{
    size_t row = expert * w->N + n;
    uint8_t byte = w->blocks[row * w->K / 2 + k / 2];
    struct fp4 code = {(uint8_t)(k % 2 ? byte >> 4 : byte & 15)};
    return mxfp4_decode(code, (struct e8m0){w->scales[row * w->K / 32 + k / 32]}).bits;
}

/* rows x columns of a source, as a kernel would meet it at a random place. */
static inline void fill_matrix(enum source from, size_t rows, size_t columns, struct splitmix *r, uint32_t *value)
{
    const struct weights *w = sample_weights((int)splitmix_below(r, 2));
    size_t expert = splitmix_below(r, w->experts), n0 = 16 * splitmix_below(r, 3), k0 = 16 * splitmix_below(r, 16);
    uint8_t scale = 120;
    assert_true(from != SAMPLE || (n0 + rows <= w->N && k0 + columns <= w->K));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            uint32_t code = (uint32_t)splitmix_below(r, 16);
            if (from == SPREAD && j % 32 == 0)
                scale = (uint8_t)splitmix_between(r, 117, 124);
            value[i * columns + j] = from == INT4 ? code
                                     : from == SAMPLE
                                         ? decoded(w, expert, n0 + i, k0 + j)
                                         : mxfp4_decode((struct fp4){(uint8_t)code}, (struct e8m0){scale}).bits;
        }
}

/* What a kernel with this map holds. */
static inline void capture(const struct layout *map, const uint32_t *value, size_t pitch, size_t i0, size_t j0,
                           uint32_t *out)
{
    for (uint32_t s = 0; s < box_size(&map->domain); s++) {
        struct point slot = box_point(&map->domain, s), at = layout_apply(map, &slot);
        out[s] = value[(i0 + at.at[0]) * pitch + j0 + at.at[1]];
    }
}

/* The map of a kernel whose lane packs value v<order[n]> into place n: v00..v03 are row g, columns 2q, 2q+1, 2q+8,
 * 2q+9, and v04..v07 the same of row g+8. */
static inline struct layout packed(const uint8_t order[PLACES])
{
    uint32_t codes[TILE_SLOTS];
    struct layout map;
    for (uint32_t s = 0; s < TILE_SLOTS; s++) {
        uint32_t t = s / PLACES, v = order[s % PLACES], g = t % 32 / 4, q = t % 4;
        uint32_t i = 16 * (t / 32) + g + 8 * (v / 4), j = 2 * q + v % 2 + 8 * (v / 2 % 2);
        codes[s] = i * COLUMNS + j;
    }
    assert_int_equal(layout_from_table(&slots, &elements, codes, &map, NULL), STATUS_OK);
    return map;
}

static inline struct infer_answer asked(const struct infer_question *q)
{
    struct infer_answer a;
    struct error e;
    if (infer_map(q, &a, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return a;
}

/* One view whose tile is the whole of `value`. */
static inline struct infer_view view_of(const uint32_t *held, const uint32_t *value, size_t rows, size_t columns)
{
    return (struct infer_view){.value = held, .matrix = {rows, columns, value}, .origin_known = true};
}

/* The answer's map is this one, slot by slot. */
static inline bool recovered(const struct infer_answer *a, const struct layout *planted)
{
    return a->found && compared(&a->map, planted).equal;
}

/* Two elements that both have the value of the slot, so that giving them different ones decides between two maps. */
static inline void check_other(const struct infer_answer *a, const struct infer_view *v)
{
    struct point first = layout_apply(&a->map, &a->slot);
    uint32_t held = v->value[box_code(&a->map.domain, &a->slot)];
    const uint32_t *tile = v->matrix.value + v->i0 * v->matrix.columns + v->j0;
    assert_memory_equal(&first, &a->element, sizeof first);
    assert_memory_not_equal(&a->other, &a->element, sizeof first);
    assert_int_equal(tile[a->element.at[0] * v->matrix.columns + a->element.at[1]], held);
    assert_int_equal(tile[a->other.at[0] * v->matrix.columns + a->other.at[1]], held);
}

#endif
