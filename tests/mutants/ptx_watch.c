#include "tests/mutants/ptx_watch.h"

#include <stdlib.h>

#include "oracle/exec/module.h"
#include "probes/explain.h"
#include "probes/weights.h"
#include "reference/number.h"
#include "reference/descriptor.h"
#include "reference/mxfp4.h"
#include "reference/ptx/ops/wgmma.h"
#include "reference/ptx/vm.h"

enum { K_BYTES = 32, K_CHUNKS = K_BYTES / DESCRIPTOR_CHUNK };
static const uint64_t BEGIN = 0x9e3779b97f4a7c15u;

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0xbf58476d1ce4e5b9u;
    return h ^ h >> 29;
}

/* The elements of lines first .. first + lines - 1 of a tile, 0 to K on in each, whatever way they lie in memory. */
static uint64_t hash_tile(struct vm_block *block, uint64_t descriptor, bool mn, uint32_t first, uint32_t lines,
                          uint32_t bytes)
{
    const struct descriptor d = descriptor_decode(descriptor);
    const uint32_t each = DESCRIPTOR_CHUNK / bytes;
    uint64_t h = BEGIN;
    for (uint32_t line = first; line < first + lines; line++)
        for (uint32_t k = 0; k < K_BYTES / bytes; k++) {
            uint32_t at = mn ? descriptor_chunk(&d, true, k, line / each) : descriptor_chunk(&d, false, line, k / each);
            const uint8_t *chunk = vm_shared_at(block, block->rank << VM_RANK_SHIFT | at, DESCRIPTOR_CHUNK, NULL);
            for (uint32_t i = 0; i < bytes; i++)
                h = mix(h, chunk ? chunk[(mn ? line : k) % each * bytes + i] : UINT64_MAX);
        }
    return h;
}

static uint64_t hash_registers(const struct vm_seen *seen)
{
    uint64_t h = BEGIN;
    for (int r = 0; r < WGMMA_A_REGISTERS; r++)
        for (int lane = 0; lane < VM_LANES; lane++)
            h = mix(h, (uint32_t)seen->a[r][lane]);
    return h;
}

static void see(void *self, const struct vm_seen *seen)
{
    struct ptx_watch *w = self;
    const struct wgmma_form form = wgmma_form_of(seen->instruction);
    const uint32_t bytes = (uint32_t)form.op.family->a_bits / 8;
    struct vm_block *block = seen->block->cluster->block + seen->block->rank;
    uint64_t at = BEGIN;
    for (int i = 0; i < 3; i++)
        at = mix(at, block->at[i]);
    at = mix(mix(at, seen->warp), seen->sequence);
    w->count++;
    w->bytes[PTX_OPERAND_A] +=
        mix(at, seen->a[0] ? hash_registers(seen)
                           : hash_tile(block, seen->a_descriptor, form.mn_a, seen->warp % WGMMA_WARPS * WGMMA_WARP_ROWS,
                                       WGMMA_WARP_ROWS, bytes));
    w->bytes[PTX_OPERAND_B] += mix(at, hash_tile(block, seen->b_descriptor, form.mn_b, 0, (uint32_t)form.op.n, bytes));
    w->descriptor[PTX_OPERAND_A] += seen->a[0] ? 0 : mix(at, seen->a_descriptor);
    w->descriptor[PTX_OPERAND_B] += mix(at, seen->b_descriptor);
    w->negated[PTX_OPERAND_A] += mix(at, form.negate_a);
    w->negated[PTX_OPERAND_B] += mix(at, form.negate_b);
    w->added += mix(at, seen->add);
}

struct question {
    const struct source_map *m;
    struct weights w;
    uint8_t *blocks, *scales;
    struct bf16 *x, *out;
};

static void question_free(struct question *q)
{
    free(q->blocks);
    free(q->scales);
    free(q->x);
    free(q->out);
}

/* Weights that no two are alike of for long, of codes that every type has; the same for x. */
static enum status question_make(const struct executor *module, const struct source_map *m, uint64_t seed,
                                 struct question *out, struct error *e)
{
    size_t scales = m->experts * m->N * m->blocks, rows = m->P;
    struct random r = {seed};
    struct question q = {.m = m,
                         .blocks = malloc(scales * MXFP4_BLOCK_BYTES),
                         .scales = malloc(scales),
                         .x = malloc(rows * m->K * sizeof *q.x),
                         .out = malloc(rows * m->N * sizeof *q.out)};
    if (!q.blocks || !q.scales || !q.x || !q.out) {
        question_free(&q);
        return error_set(e, STATUS_NO_MEMORY, "no memory for a launch that is watched");
    }
    q.w = (struct weights){m->experts, m->N, m->K, q.blocks, q.scales};
    for (size_t i = 0; i < scales * MXFP4_BLOCK_BYTES; i++)
        q.blocks[i] =
            (uint8_t)(2 + 2 * random_below(&r, 2) + 16 * (2 + 2 * random_below(&r, 2)) + 0x88 * random_below(&r, 2));
    for (size_t i = 0; i < scales; i++)
        q.scales[i] = (uint8_t)(module->limits.no_scales ? E8M0_BIAS : E8M0_BIAS - 3 + (int)random_below(&r, 8));
    for (size_t i = 0; i < rows * m->K; i++)
        q.x[i] = bf16_encode((float)(1 + (int)random_below(&r, 15)) * (random_below(&r, 2) ? 1 : -1));
    *out = q;
    return STATUS_OK;
}

static enum status ask(const struct executor *module, const struct question *q, struct ptx_watch *out, struct error *e)
{
    struct run_report report;
    struct vm *vm = module_subject_vm(module);
    const struct bf16 poison = {0x7fa5};
    struct ptx_watch w = {0};
    enum status s = module->load(module->self, &q->w, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < q->m->P * q->m->N; i++)
        q->out[i] = poison;
    vm->see = see;
    vm->see_self = &w;
    s = module->run(module->self, q->x, &q->m->segments, poison, q->out, &report, e);
    vm->see = NULL;
    for (size_t i = 0; i < q->m->P * q->m->N; i++)
        w.unwritten += q->out[i].bits == poison.bits;
    if (s == STATUS_OK)
        *out = w;
    return s;
}

enum status ptx_watch_launch(const struct executor *module, const struct source_map *like, uint64_t seed,
                             struct ptx_watch *out, struct error *e)
{
    struct question q;
    enum status s = question_make(module, like, seed, &q, e);
    if (s != STATUS_OK)
        return s;
    s = ask(module, &q, out, e);
    question_free(&q);
    return s;
}

enum status ptx_watch_roles(const struct executor *module, const struct source_map *like, uint64_t seed,
                            struct ptx_roles *out, struct error *e)
{
    struct question q;
    struct ptx_watch right, other_weight = {0}, other_x = {0};
    enum status s = question_make(module, like, seed, &q, e);
    if (s != STATUS_OK)
        return s;
    s = ask(module, &q, &right, e);
    for (size_t expert = 0; expert < like->experts; expert++)
        q.blocks[expert * like->N * like->blocks * MXFP4_BLOCK_BYTES] ^= 0x6;
    if (s == STATUS_OK)
        s = ask(module, &q, &other_weight, e);
    for (size_t expert = 0; expert < like->experts; expert++)
        q.blocks[expert * like->N * like->blocks * MXFP4_BLOCK_BYTES] ^= 0x6;
    q.x[(size_t)like->starts[0] * like->K].bits ^= BF16_SIGN;
    if (s == STATUS_OK)
        s = ask(module, &q, &other_x, e);
    for (int i = 0; s == STATUS_OK && i < PTX_OPERANDS; i++) {
        out->weights[i] = right.bytes[i] != other_weight.bytes[i];
        out->x[i] = right.bytes[i] != other_x.bytes[i];
    }
    question_free(&q);
    return s;
}

#define IS(stage) (1u << EXPLAIN_##stage)
struct ptx_truth ptx_watch_truth(const struct ptx_watch *right, const struct ptx_watch *found,
                                 const struct ptx_roles *roles)
{
    struct ptx_truth t = {.open = right->count != found->count || right->added != found->added};
    bool neither = !t.open;
    for (int i = 0; i < PTX_OPERANDS; i++) {
        bool bytes = right->bytes[i] != found->bytes[i], sign = right->negated[i] != found->negated[i];
        if (!bytes && !sign)
            continue;
        neither = false;
        if (roles->weights[i])
            t.stages |= IS(VALUES) | IS(SCALES) | IS(FRAGMENT);
        if (roles->x[i])
            t.stages |= IS(DESCRIPTOR) | IS(ROUTING);
        if (right->descriptor[i] != found->descriptor[i])
            t.stages |= IS(DESCRIPTOR);
        if (sign)
            t.stages |= IS(ARITHMETIC);
    }
    if (neither || right->unwritten != found->unwritten)
        t.stages |= IS(EPILOGUE) | IS(ROUTING) | IS(ARITHMETIC);
    if (t.open)
        t.stages = (1u << EXPLAIN_STAGES) - 1;
    return t;
}
#undef IS
