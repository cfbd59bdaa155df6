/* mma.sync of the PTX machine: fragments as the PTX ISA writes them, shape by shape, and rows of its figures by hand;
 * sums by fused_sum.h, accumulate.h or in whole numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reference/fused_sum.h"
#include "reference/number.h"
#include "reference/ptx/vm.h"
#include "tests/support/splitmix.h"

enum { LANES = 32, M = 16, N = 8, MOST_K = 32, WORDS = 10 }; /* of a thread: four of A, two of B, four of C and D */

struct place {
    int row, column;
};

/* The formulas of the ISA: element i of a thread, g its group, q its place there. */
static struct place a_k16_of_16(int i, int g, int q)
{
    return (struct place){(i >= 0 && i < 2) || (i >= 4 && i < 6) ? g : g + 8, q * 2 + (i & 1) + (i >= 4 ? 8 : 0)};
}
static struct place b_k16_of_16(int i, int g, int q)
{
    return (struct place){q * 2 + (i & 1) + (i >= 2 ? 8 : 0), g};
}
static struct place a_k8_of_16(int i, int g, int q)
{
    return (struct place){i < 2 ? g : g + 8, q * 2 + (i & 1)};
}
static struct place b_k8_of_16(int i, int g, int q)
{
    return (struct place){q * 2 + i, g};
}
static struct place a_k8_of_32(int i, int g, int q)
{
    return (struct place){i == 0 || i == 2 ? g : g + 8, i < 2 ? q : q + 4};
}
static struct place b_k8_of_32(int i, int g, int q)
{
    return (struct place){i == 0 ? q : q + 4, g};
}
static struct place a_k4_of_32(int i, int g, int q)
{
    return (struct place){i == 0 ? g : g + 8, q};
}
static struct place b_k4_of_32(int i, int g, int q)
{
    (void)i;
    return (struct place){q, g};
}
static struct place a_k16_of_8(int i, int g, int q)
{
    return (struct place){i < 4 ? g : g + 8, q * 4 + (i & 3)};
}
static struct place b_k16_of_8(int i, int g, int q)
{
    return (struct place){q * 4 + i, g};
}
static struct place a_k32_of_8(int i, int g, int q)
{
    return (struct place){(i >= 0 && i < 4) || (i >= 8 && i < 12) ? g : g + 8, q * 4 + (i & 3) + (i >= 8 ? 16 : 0)};
}
static struct place b_k32_of_8(int i, int g, int q)
{
    return (struct place){q * 4 + (i & 3) + (i >= 4 ? 16 : 0), g};
}
static struct place d_of_all(int i, int g, int q)
{
    return (struct place){i < 2 ? g : g + 8, q * 2 + (i & 1)};
}

typedef struct place formula(int i, int g, int q);

struct form {
    const char *words; /* behind mma.sync.aligned. */
    int k, bits;
    formula *a, *b;
    enum fused_format format_a, format_b;
    const struct fused_profile *profile; /* NULL: integers */
    bool signed_a, signed_b, saturate;
};

static const struct form forms[] = {
    {"m16n8k16.row.col.f32.f16.f16.f32", 16, 16, a_k16_of_16, b_k16_of_16, FUSED_F16, FUSED_F16, &fused_mma_16, 0, 0,
     0},
    {"m16n8k16.row.col.f16.f16.f16.f16", 16, 16, a_k16_of_16, b_k16_of_16, FUSED_F16, FUSED_F16, &fused_mma_16_half, 0,
     0, 0},
    {"m16n8k16.row.col.f32.bf16.bf16.f32", 16, 16, a_k16_of_16, b_k16_of_16, FUSED_BF16, FUSED_BF16, &fused_mma_16, 0,
     0, 0},
    {"m16n8k8.row.col.f32.f16.f16.f32", 8, 16, a_k8_of_16, b_k8_of_16, FUSED_F16, FUSED_F16, &fused_mma_8, 0, 0, 0},
    {"m16n8k8.row.col.f16.f16.f16.f16", 8, 16, a_k8_of_16, b_k8_of_16, FUSED_F16, FUSED_F16, &fused_mma_8_half, 0, 0,
     0},
    {"m16n8k8.row.col.f32.bf16.bf16.f32", 8, 16, a_k8_of_16, b_k8_of_16, FUSED_BF16, FUSED_BF16, &fused_mma_8, 0, 0, 0},
    {"m16n8k8.row.col.f32.tf32.tf32.f32", 8, 32, a_k8_of_32, b_k8_of_32, FUSED_TF32, FUSED_TF32, &fused_mma_8, 0, 0, 0},
    {"m16n8k4.row.col.f32.tf32.tf32.f32", 4, 32, a_k4_of_32, b_k4_of_32, FUSED_TF32, FUSED_TF32, &fused_mma_8, 0, 0, 0},
    {"m16n8k32.row.col.f32.e4m3.e5m2.f32", 32, 8, a_k32_of_8, b_k32_of_8, FUSED_E4M3, FUSED_E5M2, &fused_mma_16, 0, 0,
     0},
    {"m16n8k32.row.col.f16.e5m2.e4m3.f16", 32, 8, a_k32_of_8, b_k32_of_8, FUSED_E5M2, FUSED_E4M3, &fused_mma_16_half, 0,
     0, 0},
    {"m16n8k16.row.col.f32.e4m3.e4m3.f32", 16, 8, a_k16_of_8, b_k16_of_8, FUSED_E4M3, FUSED_E4M3, &fused_mma_16, 0, 0,
     0},
    {"m16n8k16.row.col.f16.e5m2.e5m2.f16", 16, 8, a_k16_of_8, b_k16_of_8, FUSED_E5M2, FUSED_E5M2, &fused_mma_16_half, 0,
     0, 0},
    {"m16n8k32.row.col.s32.s8.s8.s32", 32, 8, a_k32_of_8, b_k32_of_8, 0, 0, NULL, true, true, false},
    {"m16n8k32.row.col.s32.u8.s8.s32", 32, 8, a_k32_of_8, b_k32_of_8, 0, 0, NULL, false, true, false},
    {"m16n8k32.row.col.satfinite.s32.s8.u8.s32", 32, 8, a_k32_of_8, b_k32_of_8, 0, 0, NULL, true, false, true},
    {"m16n8k16.row.col.s32.u8.u8.s32", 16, 8, a_k16_of_8, b_k16_of_8, 0, 0, NULL, false, false, false},
    {"m16n8k16.row.col.satfinite.s32.s8.s8.s32", 16, 8, a_k16_of_8, b_k16_of_8, 0, 0, NULL, true, true, true},
};
enum { FORMS = sizeof forms / sizeof *forms };

static uint32_t words[LANES][WORDS], a_bits[M][MOST_K], b_bits[N][MOST_K], c_bits[M][N];

static bool is_half(const struct form *f)
{
    return f->profile && f->profile->half;
}

static int a_registers(const struct form *f)
{
    return M * f->k * f->bits / 1024;
}

static int b_registers(const struct form *f)
{
    return N * f->k * f->bits / 1024;
}

static int d_registers(const struct form *f)
{
    return is_half(f) ? 2 : 4;
}

/* "{%rF, %rF+1, ...}" */
static const char *list(int first, int count, char text[64])
{
    size_t length = 0;
    for (int r = first; r < first + count; r++)
        length += (size_t)snprintf(text + length, 64 - length, "%s%%r%d", r == first ? "{" : ", ", r);
    return strcat(text, "}");
}

static enum status run(const char *lines, uint32_t threads, struct vm_report *report, struct error *e)
{
    char text[4096];
    struct vm *v = NULL;
    uint64_t at;
    snprintf(text, sizeof text,
             ".version 8.0\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 p)\n{\n"
             ".reg .b32 %%r<16>, %%t;\n.reg .b64 %%p, %%o;\n.reg .pred %%q;\n"
             "ld.param.u64 %%p, [p];\nmov.u32 %%t, %%tid.x;\nmul.wide.u32 %%o, %%t, %d;\nadd.s64 %%p, %%p, %%o;\n"
             "ld.global.b32 %%r0, [%%p];\nld.global.b32 %%r1, [%%p+4];\nld.global.b32 %%r2, [%%p+8];\n"
             "ld.global.b32 %%r3, [%%p+12];\nld.global.b32 %%r4, [%%p+16];\nld.global.b32 %%r5, [%%p+20];\n"
             "ld.global.b32 %%r6, [%%p+24];\nld.global.b32 %%r7, [%%p+28];\nld.global.b32 %%r8, [%%p+32];\n"
             "ld.global.b32 %%r9, [%%p+36];\n%s\n"
             "st.global.b32 [%%p+24], %%r6;\nst.global.b32 [%%p+28], %%r7;\nst.global.b32 [%%p+32], %%r8;\n"
             "st.global.b32 [%%p+36], %%r9;\nret;\n}\n",
             WORDS * 4, lines);
    enum status s = vm_make("test.ptx", text, strlen(text), &v, e);
    if (s == STATUS_OK)
        s = vm_alloc(v, "words", sizeof words, &at, e);
    if (s == STATUS_OK) {
        struct vm_launch launch = {
            .entry = "k", .grid = {1, 1, 1}, .block = {threads, 1, 1}, .parameters = &at, .parameter_bytes = sizeof at};
        memcpy(vm_bytes(v, at), words, sizeof words);
        s = vm_run(v, &launch, e);
        if (s == STATUS_OK)
            memcpy(words, vm_bytes(v, at), sizeof words);
        if (report)
            *report = v->report;
    }
    if (v)
        vm_free(v);
    return s;
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

static uint32_t random_element(struct splitmix *r, const struct form *f, enum fused_format format)
{
    float x = ldexpf((float)splitmix_between(r, -255, 255), splitmix_between(r, -10, -6));
    if (!f->profile)
        return (uint32_t)splitmix_below(r, 256);
    switch (format) {
    case FUSED_BF16:
        return bf16_encode(x).bits;
    case FUSED_F16:
        return f16_encode(x).bits;
    case FUSED_TF32:
        return f32_bits(x) | (uint32_t)splitmix_below(r, 1 << 13);
    case FUSED_E4M3:
        return e4m3_encode(x).bits;
    default:
        return e5m2_encode(x).bits;
    }
}

static uint32_t random_c(struct splitmix *r, const struct form *f)
{
    float x = ldexpf((float)splitmix_between(r, -0xffff, 0xffff), -14);
    if (!f->profile)
        return splitmix_below(r, 2) ? 0x7ffffff0u : (uint32_t)splitmix_next(r);
    return is_half(f) ? f16_encode(x).bits : f32_bits(x);
}

/* Bits `width` wide into register 0.. of a thread, by a formula of rows and columns; B's matrix is [n][k]. */
static void put(formula *where, int first, int registers, int width, bool transposed, const uint32_t *matrix,
                int stride)
{
    const int parts = 32 / width;
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < registers * parts; i++) {
            struct place p = where(i, lane >> 2, lane % 4);
            uint32_t bits = matrix[transposed ? p.column * stride + p.row : p.row * stride + p.column];
            words[lane][first + i / parts] |= bits << i % parts * width;
        }
}

static uint32_t integer_sum(const struct form *f, int m, int n)
{
    int64_t sum = (int32_t)c_bits[m][n];
    for (int k = 0; k < f->k; k++) {
        int a = (int)a_bits[m][k], b = (int)b_bits[n][k];
        a -= f->signed_a && a > 127 ? 256 : 0;
        b -= f->signed_b && b > 127 ? 256 : 0;
        sum += a * b;
    }
    if (f->saturate)
        sum = sum > 0x7fffffff ? 0x7fffffff : sum < -0x80000000LL ? -0x80000000LL : sum;
    return (uint32_t)sum;
}

static uint32_t expected(const struct form *f, int m, int n)
{
    if (!f->profile)
        return integer_sum(f, m, n);
    struct accumulate_operand a[MOST_K], b[MOST_K];
    for (int k = 0; k < MOST_K; k++)
        a[k] = b[k] = fused_zero();
    fused_prepare(f->format_a, a_bits[m], (size_t)f->k, a);
    fused_prepare(f->format_b, b_bits[n], (size_t)f->k, b);
    uint32_t sum = c_bits[m][n];
    for (int k = 0; k < f->k; k += f->profile->products)
        sum = fused_step(f->profile, a + k, b + k, sum);
    return sum;
}

static void run_form(const struct form *f, struct splitmix *r)
{
    char line[256], d[64], a[64], b[64];
    struct vm_report report;
    struct error e;
    const int d_bits = is_half(f) ? 16 : 32;
    for (int k = 0; k < f->k; k++) {
        for (int m = 0; m < M; m++)
            a_bits[m][k] = random_element(r, f, f->format_a);
        for (int n = 0; n < N; n++)
            b_bits[n][k] = random_element(r, f, f->format_b);
    }
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++)
            c_bits[m][n] = random_c(r, f);
    memset(words, 0, sizeof words);
    put(f->a, 0, a_registers(f), f->bits, false, &a_bits[0][0], MOST_K);
    put(f->b, 4, b_registers(f), f->bits, true, &b_bits[0][0], MOST_K);
    put(d_of_all, 6, d_registers(f), d_bits, false, &c_bits[0][0], N);
    list(6, d_registers(f), d);
    snprintf(line, sizeof line, "mma.sync.aligned.%s %s, %s, %s, %s;", f->words, d, list(0, a_registers(f), a),
             list(4, b_registers(f), b), d);
    if (run(line, LANES, &report, &e) != STATUS_OK)
        fail_msg("%s: line %d: %s", f->words, e.line, e.why);
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 4; i++) {
            struct place p = d_of_all(i, lane >> 2, lane % 4);
            uint32_t found = is_half(f) ? words[lane][6 + i / 2] >> i % 2 * 16 & 0xffff : words[lane][6 + i];
            uint32_t want = expected(f, p.row, p.column);
            if (found != want)
                fail_msg("%s: D[%d][%d] is %08x, not %08x (FO_TEST_SEED=%llu)", f->words, p.row, p.column, found, want,
                         (unsigned long long)splitmix_seed());
        }
    assert_int_equal(report.mma, 1);
    assert_int_equal(report.wgmma, 0);
    assert_int_equal(report.approximate == NULL, strstr(f->words, ".s32.") != NULL);
}

static void mma_of_every_form_multiplies(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    int ran = 0;
    for (int f = 0; f < FORMS; f++)
        for (int again = 0; again < 8; again++, ran++)
            run_form(&forms[f], &r);
    assert_int_equal(ran, FORMS * 8);
}

/* ---- by hand ----------------------------------------------------------------------------------------------------- */

/* One element of A is 1 and B[k][n] = k + 16 n: the row of D that is not zero shows which. Lanes as in the figures. */
static void mma_of_one_hot_a_shows_the_fragment(void **state)
{
    (void)state;
    static const struct {
        int lane, reg, half, row, k;
    } rows[] = {
        {0, 0, 0, 0, 0},   {0, 0, 1, 0, 1},   {0, 1, 0, 8, 0},    {0, 1, 1, 8, 1},   {0, 2, 0, 0, 8},
        {0, 2, 1, 0, 9},   {0, 3, 0, 8, 8},   {0, 3, 1, 8, 9},    {1, 0, 0, 0, 2},   {1, 3, 1, 8, 11},
        {3, 0, 1, 0, 7},   {3, 2, 1, 0, 15},  {4, 0, 0, 1, 0},    {4, 1, 0, 9, 0},   {31, 0, 0, 7, 6},
        {31, 1, 1, 15, 7}, {31, 2, 0, 7, 14}, {31, 3, 1, 15, 15}, {18, 1, 0, 12, 4}, {18, 2, 1, 4, 13},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e;
        memset(words, 0, sizeof words);
        words[rows[i].lane][rows[i].reg] = 0x3c00u << 16 * rows[i].half;
        for (int lane = 0; lane < LANES; lane++)
            for (int b = 0; b < 4; b++) { /* b0 b1: k = 2q, 2q+1; b2 b3: 8 more */
                int k = lane % 4 * 2 + b % 2 + b / 2 * 8;
                words[lane][4 + b / 2] |= (uint32_t)f16_encode((float)(k + 16 * (lane / 4))).bits << b % 2 * 16;
            }
        if (run("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%r6,%r7,%r8,%r9}, {%r0,%r1,%r2,%r3}, {%r4,%r5}, "
                "{%r6,%r7,%r8,%r9};",
                LANES, NULL, &e) != STATUS_OK)
            fail_msg("line %d: %s", e.line, e.why);
        for (int lane = 0; lane < LANES; lane++)
            for (int d = 0; d < 4; d++) {
                int row = lane / 4 + d / 2 * 8, n = lane % 4 * 2 + d % 2;
                float want = row == rows[i].row ? (float)(rows[i].k + 16 * n) : 0;
                if (words[lane][6 + d] != f32_bits(want))
                    fail_msg("row %zu: D[%d][%d] is %g", i, row, n, (double)f32_from_bits(words[lane][6 + d]));
            }
    }
}

/* 1 + 2^-24 in the first 16 k and 2^-24 in the others: each sum cuts its own, one sum would keep 2^-23. */
static void mma_of_fp8_sums_sixteen_at_a_time(void **state)
{
    (void)state;
    struct error e;
    memset(words, 0, sizeof words);
    const uint32_t small = 0x0c, one = 0x3c; /* 2^-12 and 1 in e5m2 */
    words[0][0] = one | small << 8;
    words[0][4] = one | small << 8;
    words[0][2] = small;
    words[0][5] = small;
    if (run("mma.sync.aligned.m16n8k32.row.col.f32.e5m2.e5m2.f32 {%r6,%r7,%r8,%r9}, {%r0,%r1,%r2,%r3}, {%r4,%r5}, "
            "{%r6,%r7,%r8,%r9};",
            LANES, NULL, &e) != STATUS_OK)
        fail_msg("line %d: %s", e.line, e.why);
    assert_int_equal(words[0][6], f32_bits(1));
}

static void mma_into_its_own_factors_reads_them_first(void **state)
{
    (void)state;
    struct error e;
    memset(words, 0, sizeof words);
    for (int lane = 0; lane < LANES; lane++)
        for (int r = 0; r < 6; r++)
            words[lane][r] = 0x3f803f80u;
    if (run("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r0,%r1,%r4,%r5}, {%r0,%r1,%r2,%r3}, {%r4,%r5}, "
            "{%r6,%r7,%r8,%r9};\nmov.b32 %r6, %r0;\nmov.b32 %r7, %r1;\nmov.b32 %r8, %r4;\nmov.b32 %r9, %r5;",
            LANES, NULL, &e) != STATUS_OK)
        fail_msg("line %d: %s", e.line, e.why);
    for (int lane = 0; lane < LANES; lane++)
        for (int r = 6; r < 10; r++)
            assert_int_equal(words[lane][r], f32_bits(16));
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

static void mma_that_is_not_modelled_is_refused(void **state)
{
    (void)state;
#define D4 " {%r6,%r7,%r8,%r9}, "
#define A4 "{%r0,%r1,%r2,%r3}, "
    static const char *const rows[] = {
        "mma.sp.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32" D4 A4 "{%r4,%r5,%r4,%r5}," D4 "%r0, 0;",
        "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32" D4 A4 "{%r4,%r5,%r4,%r5}," D4
        "%r0, 0;",
        "mma.sync.aligned.m16n8k32.row.col.kind::mxf8f6f4.block_scale.f32.e4m3.e4m3.f32.ue8m0" D4 A4 "{%r4,%r5}," D4
        "%r0, {0, 0}, %r1, {0, 0};",
        "mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32" D4 A4 "{%r4,%r5}, {%r6,%r7,%r8,%r9};",
        "mma.sync.aligned.m16n8k32.row.col.s32.s4.s4.s32" D4 "{%r0,%r1}, {%r4}, {%r6,%r7,%r8,%r9};",
        "mma.sync.aligned.m16n8k16.row.row.f32.f16.f16.f32" D4 A4 "{%r4,%r5}, {%r6,%r7,%r8,%r9};",
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f16" D4 A4 "{%r4,%r5}, {%r6,%r7};",
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.s32" D4 A4 "{%r4,%r5}, {%r6,%r7,%r8,%r9};",
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.bf16.f32" D4 A4 "{%r4,%r5}, {%r6,%r7,%r8,%r9};",
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32" D4 "{%r0,%r1}, {%r4,%r5}, {%r6,%r7,%r8,%r9};",
        "mma.sync.aligned.m16n8k16.row.col.satfinite.f32.f16.f16.f32" D4 A4 "{%r4,%r5}, {%r6,%r7,%r8,%r9};",
        "mma.sync.m16n8k16.row.col.f32.f16.f16.f32" D4 A4 "{%r4,%r5}, {%r6,%r7,%r8,%r9};",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e = {0};
        if (run(rows[i], LANES, NULL, &e) != STATUS_UNSUPPORTED)
            fail_msg("row %zu: %s", i, e.why);
    }
}

static void mma_of_half_a_warp_is_a_fault_of_the_kernel(void **state)
{
    (void)state;
    struct error e = {0};
    assert_int_equal(
        run("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32" D4 A4 "{%r4,%r5}, {%r6,%r7,%r8,%r9};", 16, NULL, &e),
        STATUS_SUBJECT);
    assert_non_null(strstr(e.why, "all 32 threads"));
    assert_int_equal(run("setp.lt.u32 %q, %t, 16;\n@%q bra on;\n"
                         "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32" D4 A4
                         "{%r4,%r5}, {%r6,%r7,%r8,%r9};\non:",
                         LANES, NULL, &e),
                     STATUS_SUBJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mma_of_one_hot_a_shows_the_fragment),
        cmocka_unit_test(mma_of_every_form_multiplies),
        cmocka_unit_test(mma_of_fp8_sums_sixteen_at_a_time),
        cmocka_unit_test(mma_into_its_own_factors_reads_them_first),
        cmocka_unit_test(mma_that_is_not_modelled_is_refused),
        cmocka_unit_test(mma_of_half_a_warp_is_a_fault_of_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
