#include "tests/mutants/trace.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/rs_index.h"
#include "reference/fragment.h"
#include "reference/hopper_layout.h"
#include "reference/pack_bits.h"

enum { SLOTS = 8, NONE = -1 };
const struct rs_fault mutant_neutral = RS_FAULT_NEUTRAL;
#define neutral mutant_neutral
static const struct bf16 one = {0x3f80};

/* What an A slot holds of one column of its tile: codes, SOURCE_ZERO for a masked word. */
struct held {
    uint32_t value, scale;
};

struct tracer {
    const struct source_map *m;
    struct source_map *found;
    struct trace *t;
    struct rs_shape shape;
    size_t value_bytes, scale_bytes;
    uint32_t *value_at; /* [value bytes * 2]: code of the element whose nibble lies there, before pack_bits */
    uint32_t *scale_at; /* [scale bytes]: code of the scale there, SOURCE_UNKNOWN for padding */
    int8_t nibble[RS_STEPS][SLOTS]; /* of the word: which of its eight nibbles goes to a slot of a step */
    int8_t which[RS_STEPS][SLOTS];  /* which byte of the scale word multiplies it */
    uint8_t a_row[RS_THREADS][SLOTS], a_column[RS_THREADS][SLOTS];
    uint8_t d_row[RS_THREADS][RS_ACCUMULATORS], d_column[RS_THREADS][RS_ACCUMULATORS];
    struct held *a;   /* [64][K] */
    uint32_t *b;      /* [64][K]: row * K + column of x, SOURCE_ZERO */
    uint8_t *written; /* [P][N] */
};

static enum status contract(struct tracer *r)
{
    struct wgmma_op op;
    struct layout a, d;
    enum status s = wgmma_parse("wgmma.m64n64k16.f32.bf16.bf16.rs", &op, NULL);
    if (s == STATUS_OK)
        s = fragment_map(&op, FRAGMENT_A, &a, NULL);
    if (s == STATUS_OK)
        s = fragment_map(&op, FRAGMENT_D, &d, NULL);
    for (uint32_t c = 0; s == STATUS_OK && c < RS_THREADS * SLOTS; c++) {
        struct point at = box_point(&a.domain, c), to = layout_apply(&a, &at);
        r->a_row[c / SLOTS][c % SLOTS] = (uint8_t)to.at[0], r->a_column[c / SLOTS][c % SLOTS] = (uint8_t)to.at[1];
    }
    for (uint32_t c = 0; s == STATUS_OK && c < RS_THREADS * RS_ACCUMULATORS; c++) {
        struct point at = box_point(&d.domain, c), to = layout_apply(&d, &at);
        r->d_row[c / RS_ACCUMULATORS][c % RS_ACCUMULATORS] = (uint8_t)to.at[0];
        r->d_column[c / RS_ACCUMULATORS][c % RS_ACCUMULATORS] = (uint8_t)to.at[1];
    }
    return s;
}

/* What lies where: bytes are sent through the layouts with a digit of their number at a time. */
static enum status tables(struct tracer *r)
{
    const struct source_map *m = r->m;
    struct hopper_layout l;
    enum status s = hopper_layout_init(&l, m->experts, m->N, m->K, 16, 32, 4, NULL);
    if (s != STATUS_OK)
        return s;
    r->value_bytes = hopper_layout_value_bytes(&l), r->scale_bytes = hopper_layout_scale_bytes(&l);
    size_t rows = m->experts * m->N, per_value = r->value_bytes / m->experts, per_scale = r->scale_bytes / m->experts;
    r->value_at = malloc(r->value_bytes * 2 * sizeof *r->value_at);
    r->scale_at = malloc(r->scale_bytes * sizeof *r->scale_at);
    if (!r->value_at || !r->scale_at)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < r->value_bytes * 2; i++)
        r->value_at[i] = SOURCE_UNKNOWN;
    for (size_t i = 0; i < r->scale_bytes; i++)
        r->scale_at[i] = SOURCE_UNKNOWN;
    for (size_t row = 0; row < rows; row++)
        for (size_t k = 0; k < m->K; k += 2) {
            size_t byte = row / m->N * per_value + value_swizzle_index(&l.values, row % m->N, k / 2);
            r->value_at[2 * byte] = (uint32_t)(row * m->K + k),
                            r->value_at[2 * byte + 1] = (uint32_t)(row * m->K + k + 1);
        }
    for (size_t row = 0; row < rows; row++)
        for (size_t b = 0; b < m->blocks; b++)
            r->scale_at[row / m->N * per_scale + scale_swizzle_index(&l.scales, row % m->N, b)] =
                (uint32_t)(row * m->blocks + b);
    return STATUS_OK;
}

static uint16_t slot_bits(const uint32_t a[4], int slot)
{
    return (uint16_t)(a[slot / 2] >> (16 * (slot % 2)));
}

/* Which nibble and which scale a slot gets: one nibble 1.0 at a time, then one scale doubled at a time. A decode for
 * which this is not all there is to say mixes bits. */
static void decode_slots(struct tracer *r)
{
    for (uint32_t step = 0; step < RS_STEPS; step++) {
        int ones[SLOTS] = {0}, moved[SLOTS] = {0};
        uint32_t a[4], all[4];
        for (int n = 0; n < 8; n++) {
            rs_decode(pack_bits_forward(2u << (4 * n)), 0x7f7f7f7fu, step, &neutral, a);
            for (int slot = 0; slot < SLOTS; slot++) {
                if (slot_bits(a, slot) == one.bits)
                    r->nibble[step][slot] = (int8_t)n, ones[slot]++;
                else if (slot_bits(a, slot) & 0x7fff)
                    r->t->bits = true;
            }
        }
        rs_decode(pack_bits_forward(0x22222222u), 0x7f7f7f7fu, step, &neutral, all);
        for (int byte = 0; byte < 4; byte++) {
            rs_decode(pack_bits_forward(0x22222222u), 0x7f7f7f7fu + (1u << (8 * byte)), step, &neutral, a);
            for (int slot = 0; slot < SLOTS; slot++)
                if (slot_bits(a, slot) != slot_bits(all, slot))
                    r->which[step][slot] = (int8_t)byte, moved[slot]++;
        }
        for (int slot = 0; slot < SLOTS; slot++)
            r->t->bits = r->t->bits || ones[slot] != 1 || moved[slot] != 1 || slot_bits(all, slot) != one.bits;
    }
}

/* Every code and every scale as the format says, whatever slot it goes to. */
static void decode_values(struct tracer *r)
{
    static const float magnitude[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    uint32_t a[4];
    for (uint32_t scale = 1; scale < 250 && !r->t->bits; scale++)
        for (uint32_t code = 0; code < 16; code++) {
            rs_decode(pack_bits_forward(code * 0x11111111u), scale * 0x01010101u, scale % RS_STEPS, &neutral, a);
            uint32_t bits = scale << 23;
            float factor, want;
            memcpy(&factor, &bits, sizeof factor);
            want = (code & 8 ? -1.0f : 1.0f) * magnitude[code & 7] * factor;
            memcpy(&bits, &want, sizeof bits);
            for (int slot = 0; slot < SLOTS; slot++)
                r->t->bits = r->t->bits || slot_bits(a, slot) != bits >> 16;
        }
}

static void load_a(struct tracer *r, uint32_t expert, uint32_t feature0)
{
    const struct source_map *m = r->m;
    for (uint32_t k = 0; k < m->K; k += RS_WORD_K)
        for (uint32_t thread = 0; thread < RS_THREADS; thread++) {
            uint32_t feature = rs_weight_feature(feature0 + rs_feature(thread), &neutral),
                     k0 = k / RS_TILE_K * RS_TILE_K;
            bool inside = feature < m->N, masked = false;
            size_t byte = 0, scale = 0;
            if (inside) {
                byte = rs_value_byte(feature, k, thread, (uint32_t)m->K, &neutral);
                masked = !rs_value_inside(&r->shape, expert, feature, byte, &neutral);
                byte += rs_value_row(&r->shape, expert, feature, &neutral);
                scale = rs_scale_offset(&r->shape, expert, feature, k, k0, &neutral);
                if ((!masked && byte > r->value_bytes - 16) || byte % 4 || scale > r->scale_bytes - 4 || scale % 4) {
                    r->t->outside = true;
                    return;
                }
            }
            for (uint32_t step = 0; step < RS_STEPS; step++)
                for (uint32_t slot = 0; slot < SLOTS; slot++) {
                    struct held h = {SOURCE_ZERO, SOURCE_ZERO};
                    if (inside && !masked)
                        h = (struct held){r->value_at[(byte + 4 * step) * 2 + (size_t)r->nibble[step][slot]],
                                          r->scale_at[scale + (size_t)r->which[step][slot]]};
                    r->a[r->a_row[thread][slot] * m->K + k + step * RS_STEP_K + r->a_column[thread][slot]] = h;
                }
        }
}

static void load_b(struct tracer *r, const struct rs_tile *tile)
{
    uint32_t K = r->shape.K, smem[RS_SMEM_BYTES / 2];
    for (uint32_t k0 = 0; k0 < K; k0 += RS_TILE_K) {
        for (uint32_t i = 0; i < RS_SMEM_BYTES / 2; i++)
            smem[i] = SOURCE_ZERO; /* where nothing is written, as in oracle/exec/model.c */
        for (uint32_t i = 0; i < RS_THREADS * RS_CHUNKS; i++) {
            uint32_t token, k;
            rs_x_chunk(i % RS_THREADS, i / RS_THREADS, &neutral, &token, &k);
            uint32_t to = rs_smem_offset(token, k, &neutral);
            bool inside = token < tile->rows && k0 + k < K;
            size_t from = inside ? rs_x_offset(&r->shape, tile->row + token, k0 + k) : 0;
            if (to > RS_SMEM_BYTES - 16 || to % 16 || from > (size_t)r->shape.P * K - 8 || from % 8) {
                r->t->outside = true;
                return;
            }
            for (uint32_t j = 0; j < 8; j++)
                smem[to / 2 + j] = inside ? (uint32_t)from + j : SOURCE_ZERO;
        }
        for (uint32_t k = 0; k < RS_TILE_K && k0 + k < K; k++) {
            uint32_t start = rs_smem_step(k / RS_STEP_K * RS_STEP_K), base = start & ~1023u,
                     column = (start & 127u) / 2;
            for (uint32_t token = 0; token < RS_TILE_TOKENS; token++) {
                uint32_t at = base + (uint32_t)fragment_smem_sw128(token, column + k % RS_STEP_K);
                if (at >= RS_SMEM_BYTES || start % 16) {
                    r->t->outside = true;
                    return;
                }
                r->b[token * K + k0 + k] = smem[at / 2];
            }
        }
    }
}

/* What D holds of one feature and one token in one sweep. */
static struct held product(const struct tracer *r, size_t sweep, uint32_t feature, uint32_t token, uint32_t *row)
{
    const struct source_map *m = r->m;
    struct held h = {SOURCE_ZERO, SOURCE_ZERO};
    *row = SOURCE_ZERO;
    for (uint32_t k = 0; k < m->K; k++) {
        uint32_t x = r->b[token * m->K + k];
        struct held a = r->a[feature * m->K + k];
        if (x == SOURCE_ZERO || a.value == SOURCE_ZERO)
            continue;
        if (m->column[sweep * m->P + x / m->K] != x % m->K)
            continue;
        if (*row != SOURCE_ZERO) {
            *row = SOURCE_MIXTURE;
            return (struct held){SOURCE_MIXTURE, SOURCE_MIXTURE};
        }
        h = a;
        *row = x / (uint32_t)m->K;
    }
    return h;
}

static void write_out(struct tracer *r, const struct rs_tile *tile, uint32_t feature0)
{
    const struct source_map *m = r->m;
    for (uint32_t i = 0; i < RS_THREADS * RS_ACCUMULATORS; i++) {
        uint32_t thread = i / RS_ACCUMULATORS, acc = i % RS_ACCUMULATORS;
        uint32_t token = rs_acc_token(thread, acc, &neutral),
                 feature = feature0 + rs_acc_feature(thread, acc, &neutral);
        if (token >= tile->rows || feature >= m->N)
            continue;
        size_t at = rs_out_offset(&r->shape, tile->row + token, feature);
        if (at >= m->P * m->N) {
            r->t->outside = true;
            return;
        }
        for (size_t s = 0; s < m->sweeps; s++) {
            uint32_t row;
            struct held h = product(r, s, r->d_row[thread][acc], r->d_column[thread][acc], &row);
            size_t o = s * m->P * m->N + at;
            if (r->written[at] && (r->found->value[o] != h.value || r->found->row[o] != row))
                r->t->race = true;
            r->found->value[o] = h.value, r->found->scale[o] = h.scale, r->found->row[o] = row;
        }
        r->written[at] = 1;
    }
}

static void write_zeros(struct tracer *r, const struct rs_tile *tile)
{
    const struct source_map *m = r->m;
    for (uint32_t i = 0; i < tile->rows * m->N; i++) {
        /* a row from where its first feature lies, as in oracle/exec/model.c */
        size_t at = rs_out_offset(&r->shape, tile->row + i / (uint32_t)m->N, 0) + i % m->N;
        if (at >= m->P * m->N) {
            r->t->outside = true;
            return;
        }
        for (size_t s = 0; s < m->sweeps; s++) {
            size_t o = s * m->P * m->N + at;
            r->t->race = r->t->race || (r->written[at] && r->found->value[o] != SOURCE_ZERO);
            r->found->value[o] = r->found->scale[o] = r->found->row[o] = SOURCE_ZERO;
        }
        r->written[at] = 1;
    }
}

/* The segments between words that are not theirs. */
enum { AROUND = 16, MOST_SEGMENTS = 32 };
struct surrounded {
    uint32_t starts[MOST_SEGMENTS + 2 * AROUND];
    int32_t ids[MOST_SEGMENTS + 2 * AROUND];
};

static struct surrounded surround(const struct source_map *m, uint32_t start, int32_t id)
{
    struct surrounded s;
    for (int i = 0; i < MOST_SEGMENTS + 2 * AROUND; i++) {
        s.starts[i] = start;
        s.ids[i] = id;
    }
    memcpy(s.starts + AROUND, m->starts, (m->segments.active + 1) * sizeof *s.starts);
    memcpy(s.ids + AROUND, m->ids, m->segments.active * sizeof *s.ids);
    return s;
}

/* A tile that depends on what lies around the segments was made from beyond them. */
static bool find_tile(struct tracer *r, int order_bad, uint32_t index, struct rs_tile *tile)
{
    struct surrounded a = surround(r->m, 1, 0), b = surround(r->m, (uint32_t)r->m->P, 1);
    struct rs_tile other = {0};
    *tile = other;
    int one = rs_find_tile(&r->shape, a.starts + AROUND, a.ids + AROUND, order_bad, index, &neutral, tile);
    int two = rs_find_tile(&r->shape, b.starts + AROUND, b.ids + AROUND, order_bad, index, &neutral, &other);
    r->t->outside = r->t->outside || one != two || tile->row != other.row || tile->rows != other.rows ||
                    tile->expert != other.expert;
    return one && !r->t->outside;
}

static void launch(struct tracer *r)
{
    const struct source_map *m = r->m;
    int order_bad;
    if (m->segments.active >= MOST_SEGMENTS) {
        r->t->outside = true;
        return;
    }
    rs_status(&r->shape, m->starts, m->ids, &order_bad);
    struct rs_tile tile;
    for (uint32_t index = 0; index < rs_max_tiles(&r->shape) && !r->t->outside; index++) {
        if (!find_tile(r, order_bad, index, &tile))
            continue;
        if (tile.rows > RS_TILE_TOKENS || tile.row > m->P || tile.rows > m->P - tile.row) {
            r->t->outside = true;
            return;
        }
        if (tile.expert < 0) {
            write_zeros(r, &tile);
            continue;
        }
        load_b(r, &tile);
        for (uint32_t f = 0; f < m->N && !r->t->outside; f += RS_TILE_FEATURES) {
            load_a(r, (uint32_t)tile.expert, f);
            if (!r->t->outside)
                write_out(r, &tile, f);
        }
    }
}

enum status mutant_trace(const struct source_map *like, struct source_map *found, struct trace *out)
{
    struct tracer r = {.m = like, .found = found, .t = out};
    *out = (struct trace){0};
    r.shape = (struct rs_shape){(uint32_t)like->P, (uint32_t)like->N, (uint32_t)like->K, (uint32_t)like->experts,
                                (uint32_t)like->segments.active};
    size_t count = source_map_observations(like);
    for (size_t i = 0; i < count; i++)
        found->value[i] = found->scale[i] = found->row[i] = SOURCE_UNWRITTEN;
    r.a = malloc(RS_TILE_FEATURES * like->K * sizeof *r.a);
    r.b = malloc(RS_TILE_TOKENS * like->K * sizeof *r.b);
    r.written = calloc(like->P * like->N, 1);
    enum status s = r.a && r.b && r.written ? contract(&r) : STATUS_NO_MEMORY;
    if (s == STATUS_OK)
        s = tables(&r);
    if (s == STATUS_OK) {
        decode_slots(&r);
        decode_values(&r);
        if (!out->bits)
            launch(&r);
    }
    free(r.value_at);
    free(r.scale_at);
    free(r.a);
    free(r.b);
    free(r.written);
    return s;
}
