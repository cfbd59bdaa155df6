/* model: what an H100 would answer, computed here.
 *
 * Every address, the decode, the pack order and the output index come from kernels/rs_index.h, the file that the kernel
 * itself compiles. What the tensor core does with the registers comes from reference/: the fragment maps of A and D,
 * the 128-byte swizzle of B, and the fused sum. So a fault in rs_index.h shows here as it does on the GPU, and neither
 * can hide behind the other. */
#include "oracle/exec/model.h"

#include <stdlib.h>
#include <string.h>

#include "reference/accumulate_tile.h"
#include "reference/fragment.h"

enum { A_SLOTS = 8, D_SLOTS = RS_ACCUMULATORS, PANELS = RS_TILE_FEATURES / ACCUMULATE_LANES };
/* Decoded experts are dropped when they would take more. */
static const size_t decoded_bytes_most = (size_t)1 << 30;
/* Steps of a sum, and weights of an expert, below which threads are not worth their meeting: where another program has
 * one of the cores, each meeting may cost a time slice, and a probe has thousands of small launches. */
static const size_t parallel_steps = (size_t)1 << 21, parallel_weights = (size_t)1 << 19;

struct place {
    uint8_t i, j;
};

/* The A operand of one expert as the tensor core takes it, rows padded to whole tiles. Decoded at its first use and
 * kept until other weights are loaded: a probe asks the same weights hundreds of times. */
struct decoded {
    struct accumulate_panel *a; /* [rows/16][K/16] */
    bool *special;              /* [rows/16][K/16]: some weight of the panel is Inf or NaN */
    uint32_t checksum;          /* of the registers of all tiles */
};

struct model {
    struct subject subject;
    struct packed_weights weights;
    struct decoded *decoded; /* [experts] */
    size_t decoded_bytes;
    struct place a[RS_THREADS][A_SLOTS]; /* what the tensor core takes each A slot for */
    struct place d[RS_THREADS][D_SLOTS]; /* which element of D it leaves in each register */
};

/* One launch: shared by all tiles. */
struct launch {
    struct model *model;
    struct rs_shape shape;
    const struct bf16 *x;
    struct bf16 *out;
};

/* The B operand of one token tile as the tensor core reads it, over the whole of K. */
struct token_tile {
    struct rs_tile tile;
    struct accumulate_line *b; /* [K/16][64 tokens] */
    uint32_t *busy;            /* [K/16][64]: the tokens of which some activation is not zero in the step */
    uint32_t *busy_count;      /* [K/16] */
};

static uint32_t load_word(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t model_tiles(const struct launch *l)
{
    return (l->shape.N + RS_TILE_FEATURES - 1) / RS_TILE_FEATURES;
}

/* Copy one K tile of x into shared memory as the kernel does, then read it as the matrix descriptor makes wgmma read.
 */
static void model_stage_x(const struct launch *l, struct token_tile *t, uint32_t k0)
{
    static const struct bf16 zero[8];
    uint8_t smem[RS_SMEM_BYTES] = {0}; /* where nothing is written; a GPU has what was there */
    const struct rs_fault *fault = &l->model->subject.fault;
    for (uint32_t thread = 0; thread < RS_THREADS; thread++)
        for (uint32_t c = 0; c < RS_CHUNKS; c++) {
            uint32_t token, k;
            rs_x_chunk(thread, c, fault, &token, &k);
            bool inside = token < t->tile.rows && k0 + k < l->shape.K;
            memcpy(smem + rs_smem_offset(token, k, fault),
                   inside ? l->x + rs_x_offset(&l->shape, t->tile.row + token, k0 + k) : zero, RS_CHUNK_BYTES);
        }
    for (uint32_t k = 0; k < RS_TILE_K && k0 + k < l->shape.K; k += RS_STEP_K) {
        uint32_t start = rs_smem_step(k), base = start & ~1023u, column = (start & 127u) / 2;
        uint32_t at = (k0 + k) / RS_STEP_K;
        t->busy_count[at] = 0;
        for (uint32_t token = 0; token < RS_TILE_TOKENS; token++) {
            struct bf16 step[RS_STEP_K];
            struct accumulate_operand operand[RS_STEP_K];
            uint16_t any = 0;
            for (uint32_t j = 0; j < RS_STEP_K; j++) {
                memcpy(&step[j], smem + base + fragment_smem_sw128(token, column + j), sizeof step[j]);
                any |= step[j].bits & 0x7fffu;
            }
            accumulate_prepare(step, RS_STEP_K, operand);
            accumulate_pack_line(operand, &t->b[(size_t)at * RS_TILE_TOKENS + token]);
            if (any)
                t->busy[(size_t)at * RS_TILE_TOKENS + t->busy_count[at]++] = token;
        }
    }
}

/* The A operand of one feature tile, as the tensor core takes the registers that the kernel's decode leaves: a [64][K].
 * Returns the checksum of the registers. */
static uint32_t model_decode_a(const struct launch *l, uint32_t expert, uint32_t feature0, struct bf16 *a)
{
    const struct model *m = l->model;
    const struct rs_fault *fault = &m->subject.fault;
    uint32_t checksum = 0, K = l->shape.K;
    for (uint32_t k = 0; k < K; k += RS_WORD_K) {
        for (uint32_t thread = 0; thread < RS_THREADS; thread++) {
            uint32_t feature = rs_weight_feature(feature0 + rs_feature(thread), fault);
            uint32_t word[RS_STEPS] = {0}, scales = 0;
            if (feature < l->shape.N) {
                size_t byte = rs_value_byte(feature, k, thread, K, fault);
                const uint8_t *row = m->weights.values + rs_value_row(&l->shape, expert, feature, fault);
                bool inside = rs_value_inside(&l->shape, expert, feature, byte, fault);
                for (uint32_t step = 0; inside && step < RS_STEPS; step++)
                    word[step] = load_word(row + byte + 4 * step);
                scales = load_word(m->weights.scales +
                                   rs_scale_offset(&l->shape, expert, feature, k, k / RS_TILE_K * RS_TILE_K, fault));
            }
            for (uint32_t step = 0; step < RS_STEPS; step++) {
                uint32_t registers[4];
                rs_decode(word[step], scales, step, fault, registers);
                checksum += rs_checksum(registers, k + step * RS_STEP_K, thread);
                for (uint32_t slot = 0; slot < A_SLOTS; slot++) {
                    struct place p = m->a[thread][slot];
                    a[(size_t)p.i * K + k + step * RS_STEP_K + p.j].bits =
                        (uint16_t)(registers[slot / 2] >> (16 * (slot % 2)));
                }
            }
        }
    }
    return checksum;
}

static void decoded_drop(struct model *m)
{
    for (size_t e = 0; m->decoded && e < m->weights.experts; e++) {
        free(m->decoded[e].a);
        free(m->decoded[e].special);
        m->decoded[e] = (struct decoded){0};
    }
    m->decoded_bytes = 0;
}

/* One step of 16 rows of a [..][K]. returns whether a weight is special. */
static bool decoded_panel(const struct bf16 *a, uint32_t K, struct accumulate_panel *out)
{
    struct accumulate_operand operand[ACCUMULATE_LANES * RS_STEP_K];
    bool special = false;
    for (uint32_t lane = 0; lane < ACCUMULATE_LANES; lane++)
        accumulate_prepare(a + (size_t)lane * K, RS_STEP_K, operand + lane * RS_STEP_K);
    for (uint32_t i = 0; i < ACCUMULATE_LANES * RS_STEP_K; i++)
        special |= operand[i].exponent == ACCUMULATE_SPECIAL;
    accumulate_pack_panels(operand, RS_STEP_K, ACCUMULATE_LANES, out);
    return special;
}

/* One feature tile into place. */
static enum status decoded_tile(const struct launch *l, uint32_t expert, uint32_t tile, struct decoded *d)
{
    uint32_t K = l->shape.K, steps = K / RS_STEP_K;
    struct bf16 *a = malloc((size_t)RS_TILE_FEATURES * K * sizeof *a);
    if (!a)
        return STATUS_NO_MEMORY;
    d->checksum = model_decode_a(l, expert, tile * RS_TILE_FEATURES, a);
    for (uint32_t panel = 0; panel < PANELS; panel++)
        for (uint32_t step = 0; step < steps; step++) {
            size_t at = ((size_t)tile * PANELS + panel) * steps + step;
            d->special[at] = decoded_panel(a + (size_t)panel * ACCUMULATE_LANES * K + step * RS_STEP_K, K, &d->a[at]);
        }
    free(a);
    return STATUS_OK;
}

static enum status decoded_expert(const struct launch *l, uint32_t expert, struct error *e)
{
    struct model *m = l->model;
    uint32_t tiles = model_tiles(l), checksum = 0;
    size_t elements = (size_t)tiles * RS_TILE_FEATURES * l->shape.K;
    size_t panels = elements / (ACCUMULATE_LANES * RS_STEP_K), bytes = panels * sizeof *m->decoded->a;
    bool failed = false;
    if (m->decoded[expert].a)
        return STATUS_OK;
    if (m->decoded_bytes + bytes > decoded_bytes_most)
        decoded_drop(m);
    struct decoded d = {malloc(bytes), malloc(panels * sizeof *d.special), 0};
    if (!d.a || !d.special)
        goto no_memory;
#pragma omp parallel for schedule(dynamic) reduction(+ : checksum) reduction(|| : failed) \
    if (elements >= parallel_weights)
    for (uint32_t tile = 0; tile < tiles; tile++) {
        struct decoded part = d;
        failed = failed || decoded_tile(l, expert, tile, &part) != STATUS_OK;
        checksum += part.checksum;
    }
    if (failed)
        goto no_memory;
    d.checksum = checksum;
    m->decoded[expert] = d;
    m->decoded_bytes += bytes;
    return STATUS_OK;
no_memory:
    free(d.a);
    free(d.special);
    return error_set(e, STATUS_NO_MEMORY, "no memory for the %zu weights of an expert", elements);
}

/* D of one tile: d [64 tokens][64 features], of zeros where no token is. A step in which every activation is zero
 * leaves the accumulator as it is when the weights are finite (reference/matmul.h says why that is exact). */
static void model_multiply(const struct launch *l, const struct token_tile *t, const struct decoded *w, uint32_t tile,
                           float *d)
{
    uint32_t steps = l->shape.K / RS_STEP_K;
    memset(d, 0, RS_TILE_FEATURES * RS_TILE_TOKENS * sizeof *d);
    for (uint32_t panel = 0; panel < PANELS; panel++)
        for (uint32_t step = 0; step < steps; step++) {
            size_t at = ((size_t)tile * PANELS + panel) * steps + step, first = (size_t)step * RS_TILE_TOKENS;
            bool every = w->special[at];
            accumulate_tile(&accumulate_hopper_bf16, t->b + first, every ? NULL : t->busy + first,
                            every ? RS_TILE_TOKENS : t->busy_count[step], &w->a[at], ACCUMULATE_LANES,
                            d + (size_t)panel * ACCUMULATE_LANES, RS_TILE_FEATURES);
        }
}

/* The epilogue of the kernel: each thread writes what its registers hold, where rs_index.h says. */
static void model_write_out(const struct launch *l, const struct rs_tile *tile, uint32_t feature0, const float *d)
{
    const struct rs_fault *fault = &l->model->subject.fault;
    for (uint32_t thread = 0; thread < RS_THREADS; thread++)
        for (uint32_t i = 0; i < RS_ACCUMULATORS; i++) {
            uint32_t token = rs_acc_token(thread, i, fault), feature = feature0 + rs_acc_feature(thread, i, fault);
            struct place p = l->model->d[thread][i];
            if (token < tile->rows && feature < l->shape.N)
                l->out[rs_out_offset(&l->shape, tile->row + token, feature)] =
                    rs_result(d[p.j * RS_TILE_FEATURES + p.i], tile, token, fault);
        }
}

static void model_write_zeros(const struct launch *l, const struct rs_tile *tile)
{
    for (uint32_t row = 0; row < tile->rows; row++)
        memset(l->out + rs_out_offset(&l->shape, tile->row + row, 0), 0, l->shape.N * sizeof *l->out);
}

/* About how many steps of a sum a token tile costs for each feature. */
static size_t model_steps(const struct token_tile *t, uint32_t K)
{
    size_t sums = RS_TILE_TOKENS;
    for (uint32_t step = 0; step < K / RS_STEP_K; step++)
        sums += t->busy_count[step];
    return sums;
}

/* All feature tiles of one token tile. */
static enum status model_token_tile(const struct launch *l, struct token_tile *t, struct run_report *r, struct error *e)
{
    uint32_t K = l->shape.K, tiles = model_tiles(l);
    enum status s = decoded_expert(l, (uint32_t)t->tile.expert, e);
    if (s != STATUS_OK)
        return s;
    const struct decoded *w = &l->model->decoded[t->tile.expert];
    for (uint32_t k0 = 0; k0 < K; k0 += RS_TILE_K)
        model_stage_x(l, t, k0);
    bool many = model_steps(t, K) * tiles * RS_TILE_FEATURES >= parallel_steps;
#pragma omp parallel for schedule(dynamic) if (many)
    for (uint32_t tile = 0; tile < tiles; tile++) {
        float d[RS_TILE_FEATURES * RS_TILE_TOKENS];
        model_multiply(l, t, w, tile, d);
        model_write_out(l, &t->tile, tile * RS_TILE_FEATURES, d);
    }
    r->tiles += tiles;
    r->wgmma += (uint64_t)tiles * (K / RS_STEP_K);
    r->a_checksum += w->checksum;
    return STATUS_OK;
}

/* Every token tile of a launch, in the order of the grid. */
static enum status model_launch(const struct launch *l, const struct segments *s, struct run_report *r, struct error *e)
{
    const struct rs_fault *fault = &l->model->subject.fault;
    const size_t steps = l->shape.K / RS_STEP_K;
    struct token_tile t = {.b = malloc(RS_TILE_TOKENS * steps * sizeof *t.b),
                           .busy = malloc(RS_TILE_TOKENS * steps * sizeof *t.busy),
                           .busy_count = malloc(steps * sizeof *t.busy_count)};
    enum status status = STATUS_OK;
    int order_bad;
    if (!t.b || !t.busy || !t.busy_count)
        status = error_set(e, STATUS_NO_MEMORY, "no memory for a token tile of K = %u", l->shape.K);
    r->status_word = rs_status(&l->shape, s->starts, s->ids, &order_bad);
    for (uint32_t index = 0; status == STATUS_OK && index < rs_grid_tiles(&l->shape, fault); index++) {
        if (!rs_find_tile(&l->shape, s->starts, s->ids, order_bad, index, fault, &t.tile))
            break;
        if (rs_tile_returns(&l->shape, &t.tile, fault))
            continue;
        if (t.tile.expert < 0)
            model_write_zeros(l, &t.tile);
        else
            status = model_token_tile(l, &t, r, e);
    }
    free(t.b);
    free(t.busy);
    free(t.busy_count);
    return status;
}

static enum status model_run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison,
                             struct bf16 *out, struct run_report *report, struct error *e)
{
    struct model *m = self;
    struct planted_segments given;
    struct run_report r;
    if (!m->weights.values)
        return error_set(e, STATUS_BAD_ARGUMENT, "run before load");
    if (s->experts != m->weights.experts)
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu experts asked of weights with %zu", s->experts,
                         m->weights.experts);
    enum status status = planted_segments_make(s, &m->subject.launch, &given, e);
    if (status != STATUS_OK)
        return status;
    struct launch l = {
        m,
        {(uint32_t)s->rows, (uint32_t)m->weights.N, (uint32_t)m->weights.K, (uint32_t)s->experts, (uint32_t)s->active},
        x,
        out};
    for (size_t i = 0; i < s->rows * m->weights.N; i++)
        out[i] = poison;
    r = machine_report(&m->subject, &l.shape, s->starts, s->ids);
    l.shape.active = (uint32_t)given.s.active;
    status = model_launch(&l, &given.s, &r, e);
    if (status == STATUS_OK)
        status = planted_rows_restore(s, &m->subject.launch, m->weights.N, out, e);
    if (status == STATUS_OK)
        *report = r;
    planted_segments_free(&given);
    return status;
}

static enum status model_load(void *self, const struct weights *w, struct error *e)
{
    struct model *m = self;
    struct packed_weights p;
    enum status s = planted_weights_make(w, &m->subject.data, &p, e);
    if (s != STATUS_OK)
        return s;
    struct decoded *decoded = calloc(w->experts, sizeof *decoded);
    if (!decoded) {
        packed_weights_free(&p);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu experts", w->experts);
    }
    decoded_drop(m);
    free(m->decoded);
    packed_weights_free(&m->weights);
    m->decoded = decoded;
    m->weights = p;
    return STATUS_OK;
}

static void model_release(void *self)
{
    struct model *m = self;
    decoded_drop(m);
    free(m->decoded);
    packed_weights_free(&m->weights);
    free(m);
}

static void model_places(const struct layout *map, struct place *out)
{
    uint32_t slots = map->domain.extent[1] * map->domain.extent[2];
    for (uint32_t code = 0; code < RS_THREADS * slots; code++) {
        struct point slot = box_point(&map->domain, code), element = layout_apply(map, &slot);
        out[code] = (struct place){(uint8_t)element.at[0], (uint8_t)element.at[1]};
    }
}

enum status model_subject(const struct subject *subject, struct executor *out, struct error *e)
{
    struct wgmma_op op;
    struct layout a, d;
    if (subject->hardware_only)
        return error_set(e, STATUS_UNSUPPORTED,
                         "%s: a race, which the model has not; use --on gpu, or give the kernel's PTX "
                         "as module: to the PTX machine (kernels/README.md)",
                         subject->name);
    enum status s = wgmma_parse("wgmma.m64n64k16.f32.bf16.bf16.rs", &op, e);
    if (s == STATUS_OK)
        s = fragment_map(&op, FRAGMENT_A, &a, e);
    if (s == STATUS_OK)
        s = fragment_map(&op, FRAGMENT_D, &d, e);
    if (s != STATUS_OK)
        return s;
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the model");
    m->subject = *subject;
    model_places(&a, &m->a[0][0]);
    model_places(&d, &m->d[0][0]);
    *out = (struct executor){.name = "model",
                             .subject = m->subject.name,
                             .fidelity = FIDELITY_BIT_EXACT_MODEL,
                             .self = m,
                             .load = model_load,
                             .run = model_run,
                             .release = model_release,
                             .limits = {.multiple_N = 16, .multiple_K = 64}};
    return STATUS_OK;
}
