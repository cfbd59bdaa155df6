/* contract_measure: ask a machine for the maps of wgmma.m64n64k16.f32.bf16.bf16.rs, assuming no coordinates for A.
 *
 * 1. D's own map, from the shared-shared form. For each row m: A is 1 at (m, 0) and 0 elsewhere, B[0][n] = n + 1. The
 *    registers of D that are not zero belong to row m, and their value says the column.
 * 2. A's map. For each of the 1024 slots: that slot is 1, all others 0, B[k][n] = k + 1 for every n. One row of D is
 * not zero: its place says m (through the map just measured), its value says k.
 * 3. Both loaders, over a matrix of element codes.
 * 4. One product of random integers through the maps measured, against exact integer arithmetic. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/answer.h"
#include "oracle/answer/contract.h"
#include "probes/weights.h"
#include "reference/fragment.h"
#include "reference/number.h"

enum { M = 64, N = 64, K = 16, THREADS = 128, A_SLOTS = THREADS * 8, D_SLOTS = THREADS * 32 };
static const char supported[] = "wgmma.m64n64k16.f32.bf16.bf16.rs";

static uint16_t bf16_of(int integer)
{
    return bf16_encode((float)integer).bits;
}

static enum status slot_claim(uint32_t *codes, uint32_t slot, uint32_t element, const char *what, struct error *e)
{
    if (codes[slot] != UINT32_MAX && codes[slot] != element)
        return error_set(e, STATUS_BAD_INPUT, "%s slot %u answers for two elements, %u and %u", what, slot, codes[slot],
                         element);
    codes[slot] = element;
    return STATUS_OK;
}

/* codes[thread*32 + register] = m*N + n. */
static enum status measure_d(const struct machine *machine, uint32_t *codes, struct error *e)
{
    uint16_t *a = calloc(M * M * K, sizeof *a), *b = calloc(M * N * K, sizeof *b);
    float *d = malloc((size_t)M * D_SLOTS * sizeof *d);
    enum status s = a && b && d ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory to measure D");
    for (int m = 0; s == STATUS_OK && m < M; m++) {
        a[(m * M + m) * K] = BF16_ONE;
        for (int n = 0; n < N; n++)
            b[(m * N + n) * K] = bf16_of(n + 1);
    }
    if (s == STATUS_OK)
        s = machine->product_ss(M, a, b, d, e);
    for (uint32_t slot = 0; slot < D_SLOTS; slot++)
        codes[slot] = UINT32_MAX;
    for (uint32_t i = 0; s == STATUS_OK && i < M * D_SLOTS; i++) {
        if (d[i] == 0.0f)
            continue;
        if (!(d[i] >= 1.0f && d[i] <= N) || d[i] != (float)(int)d[i])
            s = error_set(e, STATUS_BAD_INPUT, "D slot %u holds %g, which names no column", i % D_SLOTS, d[i]);
        else
            s = slot_claim(codes, i % D_SLOTS, i / D_SLOTS * N + (uint32_t)d[i] - 1, "D", e);
    }
    for (uint32_t slot = 0; s == STATUS_OK && slot < D_SLOTS; slot++)
        if (codes[slot] == UINT32_MAX)
            s = error_set(e, STATUS_BAD_INPUT, "D slot %u answered for no element", slot);
    free(a);
    free(b);
    free(d);
    return s;
}

/* The element that one answer names: the same value in all N columns of one row, zero elsewhere. */
static enum status onehot_element(const float *d, const uint32_t *d_codes, uint32_t slot, uint32_t *element,
                                  struct error *e)
{
    uint32_t found = 0, row = 0;
    float value = 0;
    for (uint32_t i = 0; i < D_SLOTS; i++) {
        if (d[i] == 0.0f)
            continue;
        if (found++ == 0) {
            row = d_codes[i] / N;
            value = d[i];
        }
        if (d_codes[i] / N != row || d[i] != value)
            return error_set(e, STATUS_BAD_INPUT, "A slot %u: more than one row of D, or more than one column of A",
                             slot);
    }
    if (found != N || !(value >= 1 && value <= K) || value != (float)(int)value)
        return error_set(e, STATUS_BAD_INPUT, "A slot %u: %u outputs of value %g name no element", slot, found, value);
    *element = row * K + (uint32_t)value - 1;
    return STATUS_OK;
}

/* codes[(thread*4 + register)*2 + half] = m*K + k. */
static enum status measure_onehot(const struct machine *machine, const uint32_t *d_codes, uint32_t *codes,
                                  struct error *e)
{
    uint32_t *a = calloc((size_t)A_SLOTS * THREADS * 4, sizeof *a);
    float *d = malloc((size_t)A_SLOTS * D_SLOTS * sizeof *d);
    uint16_t b[N * K];
    enum status s = a && d ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory to measure A");
    for (int i = 0; i < N * K; i++)
        b[i] = bf16_of(i % K + 1);
    for (uint32_t slot = 0; s == STATUS_OK && slot < A_SLOTS; slot++)
        a[(size_t)slot * THREADS * 4 + slot / 2] = (uint32_t)BF16_ONE << (16 * (slot % 2));
    if (s == STATUS_OK)
        s = machine->product_rs(A_SLOTS, a, b, d, e);
    for (uint32_t slot = 0; s == STATUS_OK && slot < A_SLOTS; slot++)
        s = onehot_element(d + (size_t)slot * D_SLOTS, d_codes, slot, &codes[slot], e);
    free(a);
    free(d);
    return s;
}

static enum status measure_loader(const struct machine *machine, bool ldmatrix, uint32_t *codes, struct error *e)
{
    uint16_t matrix[M * K];
    uint32_t registers[THREADS * 4];
    for (int i = 0; i < M * K; i++)
        matrix[i] = (uint16_t)i;
    enum status s = machine->loader(ldmatrix, matrix, registers, e);
    for (uint32_t slot = 0; s == STATUS_OK && slot < A_SLOTS; slot++) {
        codes[slot] = registers[slot / 2] >> (16 * (slot % 2)) & 0xffffu;
        if (codes[slot] >= M * K)
            s = error_set(e, STATUS_BAD_INPUT, "the %s loader left %u in A slot %u, which is no element",
                          ldmatrix ? "ldmatrix" : "plain", codes[slot], slot);
    }
    return s;
}

/* One product of random integers, placed and read through the measured maps. Every sum is exact in f32. */
static enum status measure_product(const struct machine *machine, const uint32_t *a_codes, const uint32_t *d_codes,
                                   struct contract *c, struct error *e)
{
    struct random r = {20240901};
    int a[M * K], b[N * K];
    uint16_t b_bits[N * K];
    uint32_t registers[THREADS * 4] = {0};
    float d[D_SLOTS];
    for (int i = 0; i < M * K; i++)
        a[i] = (int)random_below(&r, 201) - 100;
    for (int i = 0; i < N * K; i++) {
        b[i] = (int)random_below(&r, 201) - 100;
        b_bits[i] = bf16_of(b[i]);
    }
    for (uint32_t slot = 0; slot < A_SLOTS; slot++)
        registers[slot / 2] |= (uint32_t)bf16_of(a[a_codes[slot]]) << (16 * (slot % 2));
    enum status s = machine->product_rs(1, registers, b_bits, d, e);
    if (s != STATUS_OK)
        return s;
    for (uint32_t slot = 0; slot < D_SLOTS; slot++) {
        uint32_t m = d_codes[slot] / N, n = d_codes[slot] % N;
        int sum = 0;
        for (uint32_t k = 0; k < K; k++)
            sum += a[m * K + k] * b[n * K + k];
        c->product_wrong += d[slot] != (float)sum;
        c->product_outputs++;
    }
    return STATUS_OK;
}

static enum status contract_take(struct contract *c, enum contract_source source, const uint32_t *codes,
                                 struct error *e)
{
    const struct layout *spec = &c->map[CONTRACT_SPEC];
    enum status s = layout_from_table(&spec->domain, &spec->codomain, codes, &c->map[source], e);
    c->present[source] = s == STATUS_OK;
    return s;
}

static enum status measure_all(const struct machine *m, struct contract *c, bool loaders, bool onehot, struct error *e)
{
    uint32_t d_codes[D_SLOTS], a_codes[A_SLOTS];
    enum status s = STATUS_OK;
    bool want_a = c->operand[0] == 'A';
    for (int ldmatrix = 0; s == STATUS_OK && want_a && loaders && ldmatrix < 2; ldmatrix++) {
        s = measure_loader(m, ldmatrix, a_codes, e);
        if (s == STATUS_OK)
            s = contract_take(c, ldmatrix ? CONTRACT_LDMATRIX : CONTRACT_LOADER, a_codes, e);
    }
    if (s == STATUS_OK && onehot)
        s = measure_d(m, d_codes, e);
    if (s == STATUS_OK && onehot)
        s = measure_onehot(m, d_codes, a_codes, e);
    if (s == STATUS_OK && onehot)
        s = contract_take(c, CONTRACT_ONEHOT, want_a ? a_codes : d_codes, e);
    if (s == STATUS_OK && onehot)
        s = measure_product(m, a_codes, d_codes, c, e);
    return s == STATUS_OK ? contract_judge(c, e) : s;
}

enum status contract_measure(const struct machine *m, const char *op_name, const char *operand, const char *method,
                             struct contract *out, struct error *e)
{
    struct wgmma_op op;
    enum fragment_operand which;
    struct contract c = {.fidelity = m->fidelity};
    bool all = strcmp(method, "all") == 0, loaders = all || strcmp(method, "loader") == 0,
         onehot = all || strcmp(method, "onehot") == 0;
    enum status s = wgmma_parse(op_name, &op, e);
    if (s == STATUS_OK)
        s = fragment_operand_parse(operand, &which, e);
    if (s != STATUS_OK)
        return s;
    wgmma_format(&op, c.op);
    if (strcmp(c.op, supported) != 0)
        return error_set(e, STATUS_UNSUPPORTED, "capture measures %s; %s has only its published map (see map)",
                         supported, c.op);
    if (!loaders && !onehot)
        return error_set(e, STATUS_BAD_ARGUMENT, "--method %s: legal are loader, onehot, all and arithmetic", method);
    if (which == FRAGMENT_D && !onehot)
        return error_set(e, STATUS_BAD_ARGUMENT, "no loader fills D; measure it with --method onehot");
    snprintf(c.operand, sizeof c.operand, "%s", which == FRAGMENT_A ? "A" : "D");
    s = fragment_map(&op, which, &c.map[CONTRACT_SPEC], e);
    if (s != STATUS_OK)
        return s;
    c.present[CONTRACT_SPEC] = true;
    c.provenance = json_of_machine(m);
    s = c.provenance ? measure_all(m, &c, loaders, onehot, e) : error_set(e, STATUS_NO_MEMORY, "no memory");
    if (s != STATUS_OK) {
        contract_free(&c);
        return s;
    }
    *out = c;
    return STATUS_OK;
}
