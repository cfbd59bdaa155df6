/* The C that derive prints: compiled without a warning, run under the address sanitizer, and its registers held against
 * the decoded weights and against the independent product. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/rs_index.h"
#include "oracle/fragoracle.h"
#include "reference/fragment.h"
#include "reference/matmul.h"
#include "reference/tile_product.h"
#include "tests/derive/weights.h"
#include "tests/support/scratch.h"

#define BF16 "wgmma.m64n64k16.f32.bf16.bf16.rs"
#define TF32 "wgmma.m64n64k8.f32.tf32.tf32.rs"
#define E4M3 "wgmma.m64n64k32.f32.e4m3.e4m3.rs"
#define S8   "wgmma.m64n64k32.s32.s8.s8.rs"

enum { TOKENS = 64, COMMAND = 3 * SCRATCH_PATH, ROWS = WGMMA_M };

/* The layouts that files describe. A nibble has bits 1 and 2 of the position. */
#define NIBBLE "[[0,1],[0,2]]"
static const char gptq[] = "{\"schema\":\"fragoracle.storage/1\",\"code\":\"int4-offset8\",\"values\":{\"width\":4,"
                           "\"block\":[1,8],\"stored\":[1,32],\"rows_along\":\"k\",\"strides\":["
                           "{\"of\":\"k\",\"divisor\":1,\"extent\":8,\"stride\":[0,4]},"
                           "{\"of\":\"bit\",\"divisor\":1,\"extent\":4,\"stride\":[0,1]}]}}";
static const char gguf[] = "{\"schema\":\"fragoracle.storage/1\",\"code\":\"e2m1\",\"values\":{\"width\":4,"
                           "\"block\":[1,32],\"stored\":[1,128],\"rows_along\":\"n\",\"bits\":{\"n\":[],"
                           "\"k\":[[0,8],[0,16],[0,32],[0,64],[0,4]],\"bit\":" NIBBLE "}},"
                           "\"scales\":{\"width\":8,\"columns\":32,\"block\":[1,1],\"stored\":[1,8],"
                           "\"rows_along\":\"n\",\"bits\":{\"n\":[],\"k\":[],\"bit\":[[0,1],[0,2],[0,4]]}}}";
static const char row_pairs[] = "{\"schema\":\"fragoracle.storage/1\",\"code\":\"int4\",\"values\":{\"width\":4,"
                                "\"block\":[2,1],\"stored\":[1,8],\"rows_along\":\"n\",\"bits\":{\"n\":[[0,4]],"
                                "\"k\":[],\"bit\":" NIBBLE "}}}";

/* Rows of int4 whose odd ones have their nibbles exchanged: a thread uses whole bytes, but not all threads alike. */
static const char exchanged[] = "{\"schema\":\"fragoracle.storage/1\",\"code\":\"int4\",\"values\":{\"width\":4,"
                                "\"block\":[2,2],\"stored\":[2,8],\"rows_along\":\"n\",\"bits\":{\"n\":[[1,4]],"
                                "\"k\":[[0,4]],\"bit\":" NIBBLE "}}}";
/* Two rows in a byte again, and the bits of every 32-bit word rotated by 7. */
static const char rotated[] =
    "{\"schema\":\"fragoracle.storage/1\",\"code\":\"int4\",\"values\":{\"width\":4,"
    "\"block\":[2,4],\"stored\":[1,32],\"rows_along\":\"n\",\"word\":[7,8,9,10,11,12,13,14,15,"
    "16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,0,1,2,3,4,5,6],\"bits\":{\"n\":[[0,4]],"
    "\"k\":[[0,8],[0,16]],\"bit\":" NIBBLE "}}}";
/* Rows of 128 bytes, their 16-byte chunks exchanged by the row: the swizzle of shared memory. */
static const char swizzled[] =
    "{\"schema\":\"fragoracle.storage/1\",\"code\":\"bf16\",\"values\":{\"width\":16,\"block\":[8,64],"
    "\"stored\":[8,1024],\"rows_along\":\"n\",\"bits\":{\"n\":[[1,128],[2,256],[4,512]],"
    "\"k\":[[0,16],[0,32],[0,64],[0,128],[0,256],[0,512]],\"bit\":[[0,1],[0,2],[0,4],[0,8]]}}}";

static const struct subject {
    const char *op, *layout, *json, *code;
    int scaled;
    uint32_t width, steps, wide_steps; /* what derive must find; wide_steps 0: no preswizzle */
    uint32_t n_multiple, k_multiple;   /* of the shapes that are tried, at the least */
    bool shuffle;                      /* no load is without waste */
} subjects[] = {
    {BF16, "mxfp4-hopper", NULL, "e2m1", 1, 16, 4, 0, 1, 32, false},
    {BF16, "mxfp4", NULL, "e2m1", 1, 1, 1, 4, 1, 2, false},
    {BF16, "int4", NULL, "int4", 0, 1, 1, 4, 1, 2, false},
    {BF16, "int4-offset8", NULL, "int4-offset8", 0, 1, 1, 4, 1, 2, false},
    {BF16, "fp8", NULL, "e4m3", 0, 2, 1, 2, 1, 2, false},
    {BF16, "bf16", NULL, "bf16", 0, 4, 1, 1, 1, 2, false},
    {E4M3, "fp8", NULL, "e4m3", 0, 4, 1, 1, 1, 4, false},
    {S8, "int4", NULL, "int4", 0, 2, 1, 2, 1, 4, false},
    {S8, "int4-offset8", NULL, "int4-offset8", 0, 2, 1, 2, 1, 4, false},
    {TF32, "mxfp4-hopper", NULL, "e2m1", 1, 2, 2, 8, 1, 32, false},
    {TF32, "mxfp4", NULL, "e2m1", 1, 1, 1, 8, 1, 1, true},
    {TF32, "bf16", NULL, "bf16", 0, 2, 1, 2, 1, 1, false},
    {BF16, "gptq.json", gptq, "int4-offset8", 0, 1, 1, 4, 1, 8, false},
    {BF16, "gguf.json", gguf, "e2m1", 1, 2, 2, 4, 1, 32, false},
    {BF16, "row_pairs.json", row_pairs, "int4", 0, 1, 1, 4, 1, 2, true},
    {BF16, "exchanged.json", exchanged, "int4", 0, 1, 1, 4, 2, 2, true},
    {BF16, "rotated.json", rotated, "int4", 0, 4, 1, 4, 1, 4, true},
    {BF16, "swizzled.json", swizzled, "bf16", 0, 4, 1, 1, 8, 64, false},
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

static const struct {
    uint32_t N, K;
} shapes[] = {{64, 64}, {16, 32}, {80, 192}, {100, 96}, {7, 40}, {130, 24}, {1, 2}, {208, 64}, {72, 128}};

static void run(const char *format, ...)
{
    char command[COMMAND];
    va_list ap;
    va_start(ap, format);
    int length = vsnprintf(command, sizeof command, format, ap);
    va_end(ap);
    assert_true(length > 0 && (size_t)length < sizeof command);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static void write_bytes(const char *path, const void *data, size_t bytes)
{
    struct fo_error e;
    if (fo_write_file(path, data, bytes, &e) != 0)
        fail_msg("%s", e.line);
}

/* A of the whole matrix, padded to tiles, gathered out of the registers by the contract map. */
static uint32_t *gather(const struct wgmma_op *op, const char *path, uint32_t rows, uint32_t columns, uint32_t steps)
{
    struct layout map;
    assert_int_equal(fragment_map(op, FRAGMENT_A, &map, NULL), STATUS_OK);
    uint32_t parts = map.domain.extent[2], k = (uint32_t)op->family->k, width = 32 / parts;
    uint32_t mask = width == 32 ? UINT32_MAX : (1u << width) - 1, word;
    uint32_t *a = calloc((size_t)rows * columns, sizeof *a);
    FILE *f = fopen(path, "rb");
    assert_non_null(a);
    assert_non_null(f);
    for (uint32_t n0 = 0; n0 < rows; n0 += ROWS)
        for (uint32_t k0 = 0; k0 < columns; k0 += steps * k)
            for (uint32_t t = 0; t < WGMMA_THREADS; t++)
                for (uint32_t s = 0; s < steps * 4; s++) {
                    assert_int_equal(fread(&word, 4, 1, f), 1);
                    for (uint32_t p = 0; p < parts; p++) {
                        struct point at = layout_apply(&map, &(struct point){{t, s % 4, p}});
                        size_t column = k0 + s / 4 * k + at.at[1];
                        a[(n0 + at.at[0]) * (size_t)columns + column] = word >> (width * p) & mask;
                    }
                }
    assert_int_equal(fgetc(f), EOF);
    fclose(f);
    return a;
}

/* Half of the tokens pick one column each, the others are random. */
static void fill_tokens(uint32_t *x, uint32_t K, uint32_t columns, bool integers, struct splitmix *r)
{
    memset(x, 0, (size_t)TOKENS * columns * sizeof *x);
    for (uint32_t p = 0; p < TOKENS; p++)
        for (uint32_t k = 0; k < K; k++) {
            uint32_t value = (uint32_t)splitmix_next(r);
            value = integers ? value & 0xff : (value & 0x87ffu) | 0x3800u;
            uint32_t one = k == p * 37 % K ? integers ? 1 : BF16_ONE : 0;
            x[(size_t)p * columns + k] = p % 2 ? value : one;
        }
}

/* The product of the registers, step by step, against the dense product of the decoded weights. */
static void check_bf16_product(const struct wgmma_op *op, const struct logical *w, const uint32_t *a, const uint32_t *x,
                               uint32_t rows, uint32_t columns)
{
    struct bf16 *tokens = malloc(sizeof *tokens * TOKENS * columns),
                *dense = calloc((size_t)rows * columns, sizeof *dense);
    struct bf16 *want = malloc(sizeof *want * TOKENS * rows);
    assert_true(tokens && dense && want);
    for (size_t i = 0; i < (size_t)TOKENS * columns; i++)
        tokens[i].bits = (uint16_t)x[i];
    for (uint32_t n = 0; n < w->N; n++)
        for (uint32_t k = 0; k < w->K; k++)
            dense[(size_t)n * columns + k].bits = (uint16_t)element_of(w, "bf16", n, k);
    assert_int_equal(matmul_dense(tokens, TOKENS, dense, rows, columns, want, NULL), STATUS_OK);
    for (uint32_t n0 = 0; n0 < rows; n0 += ROWS) {
        struct tile_product d;
        uint32_t tile[ROWS * 16], b[TOKENS * 16];
        assert_int_equal(tile_product_make(op, NULL, &d, NULL), STATUS_OK);
        for (uint32_t k0 = 0; k0 < columns; k0 += 16) {
            for (uint32_t i = 0; i < ROWS * 16; i++)
                tile[i] = a[(n0 + i / 16) * (size_t)columns + k0 + i % 16];
            for (uint32_t i = 0; i < TOKENS * 16; i++)
                b[i] = x[i / 16 * (size_t)columns + k0 + i % 16];
            tile_product_step(&d, tile, b);
        }
        for (uint32_t m = 0; m < ROWS; m++)
            for (uint32_t p = 0; p < TOKENS; p++) {
                uint32_t have = bf16_encode(f32_from_bits(d.bits[m * TOKENS + p])).bits;
                assert_int_equal(have, want[(size_t)p * rows + n0 + m].bits);
            }
        tile_product_free(&d);
    }
    free(tokens);
    free(dense);
    free(want);
}

static void check_integer_product(const struct logical *w, const uint32_t *a, const uint32_t *x, uint32_t rows,
                                  uint32_t columns)
{
    for (uint32_t n = 0; n < rows; n++)
        for (uint32_t p = 0; p < TOKENS; p++) {
            int32_t have = 0, want = 0;
            for (uint32_t k = 0; k < columns; k++) {
                int32_t token = (int8_t)x[(size_t)p * columns + k];
                have += (int8_t)a[(size_t)n * columns + k] * token;
                want += (int8_t)element_of(w, "s8", n, k) * token;
            }
            assert_int_equal(have, want);
        }
}

static void check_registers(const struct subject *s, const struct logical *w, const char *registers, uint32_t steps,
                            struct splitmix *r)
{
    struct wgmma_op op;
    assert_int_equal(wgmma_parse(s->op, &op, NULL), STATUS_OK);
    uint32_t window = steps * (uint32_t)op.family->k, columns = (w->K + window - 1) / window * window;
    uint32_t rows = (w->N + ROWS - 1) / ROWS * ROWS;
    uint32_t *a = gather(&op, registers, rows, columns, steps);
    for (uint32_t n = 0; n < rows; n++)
        for (uint32_t k = 0; k < columns; k++) {
            uint32_t want = element_of(w, op.family->a, n, k), have = a[(size_t)n * columns + k];
            if (have != want)
                fail_msg("%s of %s, N %u, K %u: element (%u,%u) is %08x, not %08x", s->op, s->layout, w->N, w->K, n, k,
                         have, want);
        }
    bool bf16 = strcmp(op.family->a, "bf16") == 0, s8 = strcmp(op.family->a, "s8") == 0;
    uint32_t *x = malloc(sizeof *x * TOKENS * columns);
    assert_non_null(x);
    fill_tokens(x, w->K, columns, s8, r);
    if (bf16)
        check_bf16_product(&op, w, a, x, rows, columns);
    if (s8)
        check_integer_product(w, a, x, rows, columns);
    free(x);
    free(a);
}

static void store(const struct subject *s, const struct logical *w, struct stored *values, struct stored *scales)
{
    *scales = (struct stored){NULL, 0};
    if (strcmp(s->layout, "mxfp4-hopper") == 0) {
        store_hopper(w, values, scales);
        return;
    }
    *values = s->json == gptq        ? store_gptq(w)
              : s->json == gguf      ? store_gguf(w)
              : s->json == row_pairs ? store_row_pairs(w)
              : s->json == exchanged ? store_exchanged(w)
              : s->json == rotated   ? store_rotated(w)
              : s->json == swizzled  ? store_swizzled(w)
                                     : store_rows(w);
    if (w->scales)
        *scales = store_scale_rows(w);
}

/* What the production kernel computes from the same bytes. */
static void check_production(const struct logical *w, const struct stored *values, const struct stored *scales,
                             const char *registers)
{
    static const struct rs_fault neutral = RS_FAULT_NEUTRAL;
    const struct rs_shape shape = {1, w->N, w->K, 1, 1};
    FILE *f = fopen(registers, "rb");
    assert_non_null(f);
    for (uint32_t n0 = 0; n0 < w->N; n0 += RS_TILE_FEATURES)
        for (uint32_t k = 0; k < w->K; k += RS_WORD_K)
            for (uint32_t t = 0; t < RS_THREADS; t++) {
                uint32_t have[RS_STEPS][4], want[4], word[4], scale, n = n0 + rs_feature(t);
                assert_int_equal(fread(have, sizeof have, 1, f), 1);
                if (n >= w->N)
                    continue;
                memcpy(word,
                       values->data + rs_value_row(&shape, 0, n, &neutral) + rs_value_byte(n, k, t, w->K, &neutral),
                       16);
                memcpy(&scale, scales->data + rs_scale_offset(&shape, 0, n, k, 0, &neutral), 4);
                for (uint32_t step = 0; step < RS_STEPS; step++) {
                    rs_decode(word[step], scale, step, &neutral, want);
                    assert_memory_equal(have[step], want, sizeof want);
                }
            }
    fclose(f);
}

static void check_shape(void *const *state, const struct subject *s, uint32_t N, uint32_t K, int special,
                        struct splitmix *r)
{
    char v[SCRATCH_PATH], c[SCRATCH_PATH], out[SCRATCH_PATH], driver[SCRATCH_PATH];
    struct logical w = logical_make(s->code, s->scaled, N, K, special, r);
    struct stored values, scales;
    store(s, &w, &values, &scales);
    write_bytes(scratch_path(state, "values", v), values.data, values.bytes);
    write_bytes(scratch_path(state, "scales", c), scales.data, scales.bytes);
    scratch_path(state, "driver", driver);
    scratch_path(state, "registers", out);
    run("%s direct %u %u %s %s %s", driver, N, K, v, c, out);
    check_registers(s, &w, out, s->steps, r);
    if (strcmp(s->layout, "mxfp4-hopper") == 0 && s->steps == RS_STEPS && N % 16 == 0 && K % RS_WORD_K == 0)
        check_production(&w, &values, &scales, out);
    if (s->wide_steps) {
        run("%s anew %u %u %s %s %s", driver, N, K, v, c, out);
        check_registers(s, &w, out, s->wide_steps, r);
    }
    free(values.data);
    free(scales.data);
    logical_free(&w);
}

static void check_subject(void **state, const struct subject *s)
{
    char file[SCRATCH_PATH], folder[SCRATCH_PATH], driver[SCRATCH_PATH], width[64];
    struct fo_answer answer = {0};
    struct fo_error e;
    struct fo_derive_options o = {.op = s->op, .from = s->layout, .out = scratch_path(state, "derived", folder)};
    if (s->json) {
        write_bytes(scratch_path(state, s->layout, file), s->json, strlen(s->json));
        o.from = file;
    }
    if (fo_derive(&o, &answer, &e) != 0)
        fail_msg("%s", e.line);
    snprintf(width, sizeof width, "%s: %u byte", s->shuffle ? "(none does without a shuffle)" : "no shuffle", s->width);
    if (!strstr(answer.text, width))
        fail_msg("%s of %s is not '%s': %.200s", s->op, s->layout, width, answer.text);
    assert_int_equal(strstr(answer.text, "No preswizzle is needed") != NULL, s->wide_steps == 0);
    fo_answer_free(&answer);
    run("%s -std=c17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -g -O1 -fsanitize=address,undefined "
        "-fno-sanitize-recover=all -include %s/load.c tests/derive/driver.c -o %s",
        FO_CC, folder, scratch_path(state, "driver", driver));
    struct splitmix r = {splitmix_seed()};
    int tried = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (shapes[i].K % s->k_multiple == 0 && shapes[i].N % s->n_multiple == 0) {
            check_shape(state, s, shapes[i].N, shapes[i].K, i % 2 == 1, &r);
            tried++;
        }
    assert_true(tried >= 3);
    run("rm -r %s", folder);
}

static void fo_derive_printed_c_loads_what_the_product_wants(void **state)
{
    for (int i = 0; i < SUBJECTS; i++)
        check_subject(state, &subjects[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fo_derive_printed_c_loads_what_the_product_wants, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests_name("derive_c", tests, NULL, NULL);
}
