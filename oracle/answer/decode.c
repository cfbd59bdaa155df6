#include "oracle/answer/decode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/answer.h"
#include "oracle/io/safetensors.h"
#include "probes/weights.h"
#include "reference/fragment.h"
#include "reference/mxfp4.h"
#include "reference/pack_bits.h"

enum { SLOTS = 8, THREADS = 128, STEPS = 4, BACKGROUNDS = 4, BYTES = 256, CHUNK = 1 << 18 };

/* Which byte and nibble of the unpacked word, and which byte of the scale word, a slot of one thread and step is made
 * of. */
struct source {
    uint8_t byte, high, scale;
};

static enum status contract_a(struct layout *map, struct error *e)
{
    struct wgmma_op op;
    enum status s = wgmma_parse("wgmma.m64n64k16.f32.bf16.bf16.rs", &op, e);
    return s == STATUS_OK ? fragment_map(&op, FRAGMENT_A, map, e) : s;
}

static struct point element_of(const struct layout *map, uint32_t thread, uint32_t slot)
{
    struct point p = {{thread, slot / 2, slot % 2}};
    return layout_apply(map, &p);
}

/* The sources of one thread's slots, from the swizzles of a 64 x 64 tile. All eight must lie in one aligned word. */
static enum status sources_of(const struct layout *map, uint32_t thread, uint32_t step, struct source out[SLOTS],
                              struct error *e)
{
    struct value_swizzle values;
    struct scale_swizzle scales;
    enum status s = value_swizzle_init(&values, 64, 32, 16, 32, 0, e);
    if (s == STATUS_OK)
        s = scale_swizzle_init(&scales, 64, 2, 4, 0, e);
    size_t word = 0, scale_word = 0;
    for (uint32_t slot = 0; s == STATUS_OK && slot < SLOTS; slot++) {
        struct point at = element_of(map, thread, slot);
        size_t k = step * 16 + at.at[1];
        size_t byte = value_swizzle_index(&values, at.at[0], k / 2);
        size_t scale = scale_swizzle_index(&scales, at.at[0], k / 32);
        if (slot == 0)
            word = byte / 4, scale_word = scale / 4;
        if (byte / 4 != word || scale / 4 != scale_word)
            return error_set(e, STATUS_BAD_INPUT, "thread %u, step %u: slot %u lies outside the word of slot 0", thread,
                             step, slot);
        out[slot] = (struct source){(uint8_t)(byte % 4), (uint8_t)(k % 2), (uint8_t)(scale % 4)};
    }
    return s;
}

static struct bf16 expected_value(uint32_t nibbles, uint32_t scales, const struct source *s)
{
    struct fp4 code = {(uint8_t)(nibbles >> (8 * s->byte + 4 * s->high) & 0xfu)};
    return mxfp4_decode(code, (struct e8m0){(uint8_t)(scales >> (8 * s->scale))});
}

static struct bf16 slot_value(const uint32_t registers[4], uint32_t slot)
{
    return (struct bf16){(uint16_t)(registers[slot / 2] >> (16 * (slot % 2)))};
}

static bool same_value(struct bf16 a, struct bf16 b)
{
    return a.bits == b.bits || (bf16_is_nan(a) && bf16_is_nan(b));
}

static void describe(char *text, size_t size, const char *where, uint32_t slot, struct bf16 want, struct bf16 got)
{
    snprintf(text, size, "%s, R%u %s half: expected %04x = %g, found %04x = %g", where, slot / 2,
             slot % 2 ? "high" : "low", want.bits, bf16_decode(want), got.bits, bf16_decode(got));
}

/* ---- exhaustive ------------------------------------------------------------------------------------------------- */

/* The arrays of one call of the machine. */
struct batch {
    uint32_t *nibbles, *words, *scales, *steps, *registers;
    size_t n;
};

static void batch_free(struct batch *b)
{
    free(b->nibbles);
    free(b->words);
    free(b->scales);
    free(b->steps);
    free(b->registers);
}

static enum status batch_make(struct batch *b, size_t n, struct error *e)
{
    *b = (struct batch){malloc(n * 4), malloc(n * 4), malloc(n * 4), malloc(n * 4), malloc(n * 16), 0};
    if (b->nibbles && b->words && b->scales && b->steps && b->registers)
        return STATUS_OK;
    batch_free(b);
    return error_set(e, STATUS_NO_MEMORY, "no memory for %zu words", n);
}

static void batch_add(struct batch *b, uint32_t nibbles, uint32_t scales, uint32_t step)
{
    b->nibbles[b->n] = nibbles;
    b->words[b->n] = pack_bits_forward(nibbles);
    b->scales[b->n] = scales;
    b->steps[b->n++] = step;
}

static void batch_compare(const struct batch *b, const struct source *source, struct decode_result *r)
{
    for (size_t i = 0; i < b->n; i++)
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            struct bf16 want = expected_value(b->nibbles[i], b->scales[i], &source[slot]);
            struct bf16 got = slot_value(b->registers + 4 * i, slot);
            if (!same_value(want, got) && r->differing++ == 0) {
                char where[96];
                snprintf(where, sizeof where, "word %08x (nibbles %08x), scales %08x, step %u", b->words[i],
                         b->nibbles[i], b->scales[i], b->steps[i]);
                describe(r->first, sizeof r->first, where, slot, want, got);
            }
        }
    r->words += b->n;
    r->values += b->n * SLOTS;
}

/* All bytes and scales at one byte position over one background. */
static void batch_fill(struct batch *b, const struct source *source, uint32_t step, uint32_t position,
                       uint32_t background, struct random *r)
{
    uint32_t scale_byte = 0;
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        if (source[slot].byte == position)
            scale_byte = source[slot].scale;
    b->n = 0;
    for (uint32_t byte = 0; byte < BYTES; byte++)
        for (uint32_t scale = 0; scale < BYTES; scale++) {
            uint32_t nibbles = (background & ~(0xffu << (8 * position))) | byte << (8 * position);
            uint32_t scales = ((uint32_t)random_next(r) & ~(0xffu << (8 * scale_byte))) | scale << (8 * scale_byte);
            batch_add(b, nibbles, scales, step);
        }
}

enum status decode_exhaustive(const struct machine *m, uint64_t seed, struct decode_result *out, struct error *e)
{
    struct random r = {seed};
    const uint32_t background[BACKGROUNDS] = {0, 0xffffffffu, (uint32_t)random_next(&r), (uint32_t)random_next(&r)};
    struct decode_result result = {0};
    struct layout map;
    struct batch b;
    enum status s = contract_a(&map, e);
    if (s == STATUS_OK)
        s = batch_make(&b, BYTES * BYTES, e);
    if (s != STATUS_OK)
        return s;
    for (uint32_t i = 0; s == STATUS_OK && i < STEPS * 4 * BACKGROUNDS; i++) {
        struct source source[SLOTS];
        uint32_t step = i / (4 * BACKGROUNDS), position = i / BACKGROUNDS % 4;
        s = sources_of(&map, 0, step, source, e);
        if (s == STATUS_OK) {
            batch_fill(&b, source, step, position, background[i % BACKGROUNDS], &r);
            s = m->decode(b.n, b.words, b.scales, b.steps, b.registers, e);
        }
        if (s == STATUS_OK)
            batch_compare(&b, source, &result);
    }
    batch_free(&b);
    if (s == STATUS_OK)
        *out = result;
    return s;
}

/* ---- over weights ----------------------------------------------------------------------------------------------- */

static uint32_t load_word(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Words of one K step of 64 for one tile of 64 features, at the addresses that the kernel computes. */
static void tile_gather(const struct rs_shape *shape, const struct packed_weights *p, uint32_t feature0, uint32_t k,
                        struct batch *b)
{
    const struct rs_fault neutral = RS_FAULT_NEUTRAL;
    b->n = 0;
    for (uint32_t thread = 0; thread < THREADS; thread++) {
        uint32_t feature = feature0 + rs_feature(thread);
        for (uint32_t step = 0; step < STEPS; step++) {
            bool inside = feature < shape->N;
            const uint8_t *value =
                p->values +
                (inside ? rs_value_row(shape, 0, feature, &neutral) + rs_value_byte(feature, k, thread, shape->K, &neutral) : 0);
            b->words[b->n] = inside ? load_word(value + 4 * step) : 0;
            b->scales[b->n] =
                inside
                    ? load_word(p->scales + rs_scale_offset(shape, 0, feature, k, k / RS_TILE_K * RS_TILE_K, &neutral))
                    : 0;
            b->steps[b->n++] = step;
        }
    }
}

static void tile_compare(const struct weights *w, const struct layout *map, uint32_t feature0, uint32_t k,
                         const struct batch *b, struct decode_result *r)
{
    for (size_t i = 0; i < b->n; i++)
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            struct point at = element_of(map, (uint32_t)i / STEPS, slot);
            size_t row = feature0 + at.at[0], column = k + i % STEPS * 16 + at.at[1];
            struct bf16 want = {0}, got = slot_value(b->registers + 4 * i, slot);
            if (row < w->N && column < w->K) {
                uint8_t byte = w->blocks[(row * w->K + column) / 2];
                want = mxfp4_decode((struct fp4){(uint8_t)(byte >> (column % 2 * 4) & 0xf)},
                                    (struct e8m0){w->scales[row * (w->K / 32) + column / 32]});
            }
            if (!same_value(want, got) && r->differing++ == 0) {
                char where[96];
                snprintf(where, sizeof where, "row %zu, k %zu, thread %zu, step %zu", row, column, i / STEPS,
                         i % STEPS);
                describe(r->first, sizeof r->first, where, slot, want, got);
            }
        }
    r->words += b->n;
    r->values += b->n * SLOTS;
}

enum status decode_weights(const struct machine *m, const struct weights *w, struct decode_result *out, struct error *e)
{
    struct decode_result result = {0};
    struct packed_weights p;
    struct layout map;
    struct batch b;
    enum status s = contract_a(&map, e);
    if (s == STATUS_OK)
        s = packed_weights_any(w, &p, e);
    if (s != STATUS_OK)
        return s;
    struct rs_shape shape = {.N = (uint32_t)p.N, .K = (uint32_t)p.K, .experts = (uint32_t)p.experts};
    s = batch_make(&b, THREADS * STEPS, e);
    if (s != STATUS_OK)
        goto done;
    for (uint32_t feature0 = 0; s == STATUS_OK && feature0 < shape.N; feature0 += 64)
        for (uint32_t k = 0; s == STATUS_OK && k < shape.K; k += RS_WORD_K) {
            tile_gather(&shape, &p, feature0, k, &b);
            s = m->decode(b.n, b.words, b.scales, b.steps, b.registers, e);
            if (s == STATUS_OK)
                tile_compare(w, &map, feature0, k, &b, &result);
        }
    batch_free(&b);
done:
    packed_weights_free(&p);
    if (s == STATUS_OK)
        *out = result;
    return s;
}

json_t *json_of_decode(const struct decode_result *r)
{
    return json_pack("{s:I, s:I, s:I, s:s}", "words", (json_int_t)r->words, "values", (json_int_t)r->values,
                     "differing", (json_int_t)r->differing, "first", r->first);
}

int fo_decode(const struct fo_decode_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e;
    struct machine m;
    struct decode_result r;
    struct safetensors file = {0};
    struct text text = {0};
    enum status s = machine_choose(o->on ? o->on : "auto", &m, &e);
    if (s == STATUS_OK && !o->weights != !o->tensor)
        s = error_set(&e, STATUS_BAD_ARGUMENT, "--weights and --tensor go together");
    if (s == STATUS_OK && o->weights) {
        struct weights w;
        s = safetensors_read(o->weights, &file, &e);
        if (s == STATUS_OK)
            s = safetensors_weights(&file, o->tensor, &w, &e);
        if (s == STATUS_OK && o->expert >= w.experts) {
            s = error_set(&e, STATUS_BAD_ARGUMENT, "expert %" PRIu64 " of %zu", o->expert, w.experts);
            error_at_path(&e, o->weights);
        }
        if (s == STATUS_OK) {
            w.blocks += o->expert * w.N * w.K / 2;
            w.scales += o->expert * w.N * (w.K / 32);
            w.experts = 1;
            s = decode_weights(&m, &w, &r, &e);
        }
    } else if (s == STATUS_OK) {
        s = decode_exhaustive(&m, o->seed, &r, &e);
    }
    if (s == STATUS_OK) {
        enum fo_verdict verdict = r.differing ? FO_DIFFERS : FO_CONFORMS;
        json_t *j = json_pack("{s:s, s:s, s:s, s:o, s:s, s:o}", "schema", "fragoracle.decode/1", "what",
                              o->weights ? o->tensor : "exhaustive", "fidelity", fidelity_name(m.fidelity), "result",
                              json_of_decode(&r), "verdict", fo_verdict_name(verdict), "machine", json_of_machine(&m));
        text_add(&text, "decode contract, %s, on %s (%s)\n", o->weights ? o->tensor : "exhaustive", m.name,
                 fidelity_name(m.fidelity));
        text_add(&text, "%" PRIu64 " words, %" PRIu64 " values, %" PRIu64 " differ\n", r.words, r.values, r.differing);
        if (r.differing)
            text_add(&text, "first: %s\n", r.first);
        text_add(&text, "verdict: %s\n", fo_verdict_name(verdict));
        s = answer_make(verdict, j, &text, answer, &e);
    }
    safetensors_free(&file);
    return answer_end(s, &e, error);
}
