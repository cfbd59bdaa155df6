/* Every planted fault on the model, against plain loops over the checkpoint with the wrong index written out: bit for
 * bit, so that each is wrong where it should be and nowhere else. Nothing here comes from rs_index.h or from the code
 * that plants; reference/ lends packbits and the rounding to bf16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/exec/open.h"
#include "reference/pack_bits.h"
#include "tests/support/splitmix.h"

enum { P = 230, N = 144, K = 192, E = 6, A = 5, B = K / 32, ROW = K / 2 };
enum { NO_EXPERT = -1, NOT_WRITTEN = -2 };
static const struct bf16 poison = {0x7fa5};

/* Weights, segments, activations. */
struct world {
    uint8_t blocks[E][N][ROW], scales[E][N][B];
    uint32_t starts[A + 1];
    int32_t ids[A];
    struct bf16 x[P][K];
};

static uint32_t code_of(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return w->blocks[e][n][k / 2] >> (4 * (k % 2)) & 15;
}

static float value_of(uint32_t code)
{
    static const float magnitude[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    return code & 8 ? -magnitude[code & 7] : magnitude[code & 7];
}

static float power_of(uint32_t scale)
{
    return scale == 255 ? NAN : ldexpf(1, (int)scale - 127);
}

static float at(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return value_of(code_of(w, e, n, k)) * power_of(w->scales[e][n][k / 32]);
}

/* A code from somewhere else under the scale that belongs here. */
static float moved(const struct world *w, int e, uint32_t n, uint32_t k, uint32_t code)
{
    return value_of(code) * power_of(w->scales[e][n][k / 32]);
}

/* ---- weights: what the kernel takes for (e, n, k) --------------------------------------------------------------- */

typedef float weight_rule(const struct world *w, int e, uint32_t n, uint32_t k);

static uint32_t with_bit(uint32_t v, uint32_t bit, uint32_t set)
{
    return (v & ~(1u << bit)) | set << bit;
}

/* The eight slots of a lane: the half of its two rows, and the column among its four. */
static float by_order(const struct world *w, int e, uint32_t n, uint32_t k, const uint32_t order[8])
{
    /* R0 R1 R2 R3: (g; c0 c1) (g+8; c0 c1) (g; c2 c3) (g+8; c2 c3) */
    uint32_t slot = (k >> 3 & 1) * 4 + (n >> 3 & 1) * 2 + (k & 1), v = order[slot];
    return at(w, e, with_bit(n, 3, v / 4), with_bit(with_bit(k, 3, v >> 1 & 1), 0, v & 1));
}
static float f01(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return by_order(w, e, n, k, (const uint32_t[]){0, 4, 1, 5, 3, 7, 6, 2});
}
static float f02(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return at(w, e, with_bit(n, 3, k >> 3 & 1), with_bit(k, 3, n >> 3 & 1));
}
static float f03(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return by_order(w, e, n, k, (const uint32_t[]){0, 4, 1, 5, 3, 7, 2, 6});
}
static float f04(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return at(w, e, with_bit(n, 3, k & 1), with_bit(k, 0, n >> 3 & 1));
}
static float f05(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return n + 64 < N ? at(w, e, n + 64, k) : 0;
}
static float f06(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return at(w, e, n / 64 % 2 ? n - 64 : n, k);
}
static float f07(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return value_of(code_of(w, e, n, k)) * power_of(w->scales[e][n][k % 128 / 32]);
}
static float f11(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return n % 2 ? 0 : at(w, e, n, k);
}
/* Found by looking for the byte that goes here. */
static float f12(const struct world *w, int e, uint32_t n, uint32_t k)
{
    for (uint32_t j = 0; j < 32; j++)
        if (((j & 3) * 4 + (j >> 3 & 3)) * 2 + (j >> 2 & 1) == k / 2 % 32)
            return moved(w, e, n, k, code_of(w, e, n, k / 64 * 64 + 2 * j + k % 2));
    fail();
    return 0;
}
static float f13(const struct world *w, int e, uint32_t n, uint32_t k)
{
    uint32_t m = n & ~8u;
    for (uint32_t j = k / 16 * 8; j < k / 16 * 8 + 4; j++) { /* the words of these eight bytes */
        const uint32_t rows[] = {m, m + 8, m, m + 8}, bytes[] = {j, j, j + 4, j + 4};
        for (uint32_t slot = 0; slot < 4; slot++)
            if (rows[slot] == n && bytes[slot] == k / 2) {
                uint32_t from = (j & ~7u) + ((j & 3) >= 2 ? 4 : 0) + slot;
                return moved(w, e, n, k, code_of(w, e, j % 2 ? m + 8 : m, 2 * from + k % 2));
            }
    }
    fail();
    return 0;
}
static float f14(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return moved(w, e, n, k, code_of(w, e, n, (k & ~31u) + (k & 31) / 2 + (k & 1) * 16));
}
static float f53(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return moved(w, e, n, k, code_of(w, e, n, k % 2 ? k - 1 : k + 1));
}
/* Four packed bytes of a row each, gathered from the places of one word, unpacked as one. */
static float f54(const struct world *w, int e, uint32_t n, uint32_t k)
{
    uint32_t m = n & ~8u, j = k / 2 & ~4u, word = 0, slot = (k / 2 >> 2 & 1) * 2 + (n >> 3 & 1);
    const uint32_t rows[] = {m, m + 8, m, m + 8}, bytes[] = {j, j, j + 4, j + 4};
    for (uint32_t i = 0; i < 4; i++) {
        const uint8_t *four = &w->blocks[e][rows[i]][bytes[i] & ~3u];
        uint32_t packed =
            pack_bits_forward(four[0] | (uint32_t)four[1] << 8 | (uint32_t)four[2] << 16 | (uint32_t)four[3] << 24);
        word |= (packed >> (8 * (bytes[i] & 3)) & 255) << (8 * i);
    }
    return moved(w, e, n, k, pack_bits_inverse(word) >> (8 * slot + 4 * (k & 1)) & 15);
}
static float f55(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return moved(w, e, n, k, code_of(w, e, n ^ 8, k ^ 8));
}
static float f56(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return n % 16 >= 8 && k % 16 >= 8 ? fabsf(at(w, e, n, k)) : at(w, e, n, k);
}

/* The swizzle of the values as two numbers: row among the swizzled rows of an expert, byte in it. */
static uint32_t swizzled_row(uint32_t n)
{
    return n / 16 * 4 + n % 8 / 2;
}
static uint32_t swizzled_byte(uint32_t n, uint32_t j)
{
    return ((((j / 32 * 2 + n % 2) * 4 + j % 4) * 4 + j / 8 % 4) * 2 + j / 4 % 2) * 2 + n / 8 % 2;
}
/* The code in swizzled row `row` (of all experts, each of rows_expert of them) and byte `byte`, nibble k % 2. */
static uint32_t code_in(const struct world *w, uint32_t row, uint32_t rows_expert, uint32_t byte, uint32_t k)
{
    uint32_t e = row / rows_expert;
    for (uint32_t n = 0; e < E && n < N; n++)
        for (uint32_t j = 0; swizzled_row(n) == row % rows_expert && j < ROW; j++)
            if (swizzled_byte(n, j) == byte)
                return code_of(w, (int)e, n, 2 * j + k % 2);
    return 0; /* padding, or past the end */
}
static float f15(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return moved(w, e, n, k, code_in(w, (uint32_t)e * (N / 4) + (n & ~8u), N / 4, swizzled_byte(n, k / 2), k));
}
static float f16(const struct world *w, int e, uint32_t n, uint32_t k)
{
    uint32_t address = ((uint32_t)e * (N / 4) + swizzled_row(n)) * 2 * K + swizzled_byte(n, k / 2);
    uint32_t byte = address % (2 * K + 128);
    return moved(w, e, n, k, byte < 2 * K ? code_in(w, address / (2 * K + 128), N / 4, byte, k) : 0);
}
static float f57(const struct world *w, int e, uint32_t n, uint32_t k)
{
    uint32_t row = (uint32_t)e * (N / 4) + swizzled_row(n);
    return moved(w, e, n, k, code_in(w, row, (N + 63) / 64 * 64 / 4, swizzled_byte(n, k / 2), k));
}

static float f18(const struct world *w, int e, uint32_t n, uint32_t k)
{
    uint32_t scale = w->scales[e][n][k / 32];
    return scale >= 129 && scale < 255 ? value_of(code_of(w, e, n, k)) * INFINITY : at(w, e, n, k);
}
static float f19(const struct world *w, int e, uint32_t n, uint32_t k)
{
    uint32_t scale = w->scales[e][n][k / 32];
    return value_of(code_of(w, e, n, k)) * (scale == 0 ? 0 : scale == 255 ? INFINITY : power_of(scale));
}
/* Where the scale of (n, b) lies in the array of one expert, for 4 or 8 warps. */
static uint32_t scale_place(uint32_t n, uint32_t b, uint32_t warps)
{
    uint32_t strip = n / 16, row = strip / (2 * warps) * warps + strip % warps;
    return row * K + (((b / 2 * 2 + strip / warps % 2) * 8 + n % 8) * 2 + b % 2) * 2 + n / 8 % 2;
}
static float f20(const struct world *w, int e, uint32_t n, uint32_t k)
{
    uint32_t scale = 0;              /* padding */
    for (uint32_t m = 0; m < N; m++) /* N = 144: both take 256 rows an expert */
        for (uint32_t b = 0; b < B; b++)
            if (scale_place(m, b, 8) == scale_place(n, k / 32, 4))
                scale = w->scales[e][m][b];
    return value_of(code_of(w, e, n, k)) * power_of(scale);
}
static float f21(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return value_of(code_of(w, e, n, k)) * power_of(w->scales[e][n][k / 64 * 2]);
}
static float f22(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return value_of(code_of(w, e, n, k)) * power_of(w->scales[e][n % 16 < 8 ? n + 8 : n - 8][k / 32]);
}
static float f23(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return code_of(w, e, n, k) % 8 == 1 ? 0 * power_of(w->scales[e][n][k / 32]) : at(w, e, n, k);
}
static float f47(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return at(w, e, n % 2 ? N / 2 + n / 2 : n / 2, k);
}
static float f48(const struct world *w, int e, uint32_t n, uint32_t k)
{
    return e == E - 1 ? 0 * power_of(w->scales[e][n][k / 32]) : at(w, e, n, k);
}

static float four_at_once(const struct world *w, int e, uint32_t n, uint32_t k)
{
    uint32_t tile = n & ~64u, row = tile / 2 + tile % 2 * (N / 2);
    return value_of(code_of(w, e, row, k ^ 1)) * power_of(w->scales[e][row][k % 128 / 32]);
}

/* ---- routing: the expert of a row ------------------------------------------------------------------------------- */

typedef int row_rule(const struct world *w, uint32_t p);

/* The segment of a row, or -1. */
static int segment_of(const struct world *w, uint32_t p)
{
    for (int a = 0; a < A; a++)
        if (p >= w->starts[a] && p < w->starts[a + 1])
            return a;
    return -1;
}
static int right_row(const struct world *w, uint32_t p)
{
    int a = segment_of(w, p);
    return a >= 0 && w->ids[a] >= 0 && w->ids[a] < E ? w->ids[a] : NO_EXPERT;
}
static int f24(const struct world *w, uint32_t p)
{
    return right_row(w, p) >= A ? NOT_WRITTEN : right_row(w, p);
}
static int f25(const struct world *w, uint32_t p)
{
    for (int a = 0; a < A; a++)
        if (w->ids[a] >= 0 && w->ids[a] < A && p >= w->starts[w->ids[a]] && p < w->starts[w->ids[a] + 1])
            return w->ids[a];
    return segment_of(w, p) < 0 ? NO_EXPERT : NOT_WRITTEN;
}
static int f26(const struct world *w, uint32_t p)
{
    return p >= w->starts[A] ? 0 : right_row(w, p);
}
static int f27(const struct world *w, uint32_t p)
{
    int a = segment_of(w, p);
    return a >= 0 && p - w->starts[a] >= 48 ? NOT_WRITTEN : right_row(w, p);
}
/* Four tiles: rows 0..4, 5..68, 69..74, 75. */
static int f28(const struct world *w, uint32_t p)
{
    return p >= 76 ? NOT_WRITTEN : right_row(w, p);
}
static int f29(const struct world *w, uint32_t p)
{
    int a = segment_of(w, p);
    return a < 0 ? NO_EXPERT : w->ids[a] < 0 ? 0 : w->ids[a] >= E ? E - 1 : w->ids[a];
}
static int f30(const struct world *w, uint32_t p)
{
    return right_row(w, p) == NO_EXPERT ? NOT_WRITTEN : right_row(w, p);
}
static int f31(const struct world *w, uint32_t p)
{
    for (int a = 0; a < segment_of(w, p); a++)
        if (w->starts[a + 1] > w->starts[a] && p < w->starts[a] + (w->starts[a + 1] - w->starts[a] + 63) / 64 * 64)
            return NO_EXPERT;
    return right_row(w, p);
}

/* ---- x and the result ------------------------------------------------------------------------------------------- */

/* The column of x that is taken for k by token t of a tile; K for none. */
typedef uint32_t column_rule(uint32_t t, uint32_t k);
static uint32_t f36(uint32_t t, uint32_t k)
{
    return (k & ~56u) | (k / 8 % 8 ^ t % 8) * 8;
}
static uint32_t f37(uint32_t t, uint32_t k)
{
    return (k & ~56u) | (k / 8 % 8 ^ t % 8 ^ (t + 1) % 8) * 8;
}
static uint32_t f39(uint32_t t, uint32_t k)
{
    return t < 32 ? k : K;
}

/* What belongs to token t, feature n of a tile, and where it is put. */
typedef void result_rule(uint32_t *t, uint32_t *n);
static void f08(uint32_t *t, uint32_t *n)
{
    uint32_t r = *n % 16 / 8, c = *t / 8 * 2 + *t % 2, q = *t % 8 / 2;
    *t = 8 * (4 * r + c / 4) + 2 * q + c % 2;
    *n = *n / 16 * 16 + *n % 8 + 8 * (c / 2 % 2);
}
static void f09(uint32_t *t, uint32_t *n)
{
    for (uint32_t c = 0; c < 8; c++)
        for (uint32_t q = 0; q < 4; q++)
            if (c + q * 8 == *t / 2) {
                *t = 2 * (q + 4 * c) + *t % 2;
                return;
            }
    *n = N;
}

static const struct planted {
    const char *id;
    weight_rule *weight;
    row_rule *row;
    column_rule *column;
    result_rule *result;
    bool scattered, clamped, special, bad_ids; /* the world in which it shows */
} cases[] = {
    {"none", .special = true},
    {"none", .bad_ids = true},
    {"none", .weight = at},
    {"F01", .weight = f01},
    {"F02", .weight = f02},
    {"F03", .weight = f03},
    {"F04", .weight = f04},
    {"F05", .weight = f05},
    {"F06", .weight = f06},
    {"F07", .weight = f07},
    {"F08", .result = f08},
    {"F08", .result = f08, .special = true},
    {"F09", .result = f09},
    {"F11", .weight = f11},
    {"F12", .weight = f12},
    {"F13", .weight = f13},
    {"F14", .weight = f14},
    {"F15", .weight = f15},
    {"F16", .weight = f16},
    {"F18", .weight = f18, .special = true},
    {"F19", .weight = f19, .special = true},
    {"F20", .weight = f20},
    {"F21", .weight = f21},
    {"F22", .weight = f22},
    {"F23", .weight = f23},
    {"F23", .weight = f23, .special = true},
    {"F24", .row = f24},
    {"F24", .row = f24, .bad_ids = true},
    {"F25", .row = f25},
    {"F25", .row = f25, .bad_ids = true},
    {"F26", .row = f26},
    {"F26", .row = f26, .bad_ids = true},
    {"F27", .row = f27},
    {"F27", .row = f27, .bad_ids = true},
    {"F28", .row = f28},
    {"F29", .row = f29, .bad_ids = true},
    {"F30", .row = f30},
    {"F30", .row = f30, .bad_ids = true},
    {"F31", .row = f31},
    {"F31", .row = f31, .bad_ids = true},
    {"F32", .scattered = true},
    {"F33", .clamped = true, .special = true},
    {"F36", .column = f36},
    {"F37", .column = f37},
    {"F39", .column = f39},
    {"F47", .weight = f47},
    {"F48", .weight = f48},
    {"F53", .weight = f53},
    {"F54", .weight = f54},
    {"F55", .weight = f55},
    {"F56", .weight = f56},
    {"F57", .weight = f57},
    {"F53+F47+F07+F06", .weight = four_at_once},
};

/* ---- the comparison --------------------------------------------------------------------------------------------- */

/* Sums are exact: codes, scales and activations of few bits. special: rows of features with a scale of 255, with a
 * single Inf, and with a scale of 0 or above 128. */
static void world_make(bool special, bool bad_ids, struct world *w)
{
    static const uint32_t starts[] = {5, 75, 75, 76, 180, 215};
    static const int32_t ids[2][A] = {{5, 0, 2, 3, 1}, {5, 0, -1, 6, 1}};
    struct splitmix r = {splitmix_seed()};
    memcpy(w->starts, starts, sizeof starts);
    memcpy(w->ids, ids[bad_ids], sizeof w->ids);
    for (int e = 0; e < E; e++)
        for (uint32_t n = 0; n < N; n++) {
            for (uint32_t j = 0; j < ROW; j++)
                w->blocks[e][n][j] = (uint8_t)splitmix_next(&r);
            for (uint32_t b = 0; b < B; b++)
                w->scales[e][n][b] = (uint8_t)(125 + splitmix_below(&r, 4));
            uint32_t odd = (uint32_t)splitmix_below(&r, B);
            if (special && n % 5 == 1)
                w->scales[e][n][odd] = 255;
            if (special && n % 5 == 2) { /* one code of 6, either sign, times 2^127 */
                memset(&w->blocks[e][n][odd * 16], 0, 16);
                w->blocks[e][n][odd * 16 + 5] = n % 2 ? 0x70 : 0xf0;
                w->scales[e][n][odd] = 254;
            }
            if (special && n % 5 == 3)
                w->scales[e][n][odd] = n % 2 ? 0 : 130;
        }
    for (uint32_t p = 0; p < P; p++)
        for (uint32_t k = 0; k < K; k++) {
            /* whole rows, and rows with a single 1 */
            static const uint16_t some[] = {0x3f80, 0xbf80, 0x4000, 0xc000};
            w->x[p][k].bits = p % 2 ? some[splitmix_below(&r, 4)] : (uint16_t)(k == p * 7 % K ? 0x3f80 : 0);
        }
}

static float bf16_float(struct bf16 v)
{
    uint32_t bits = (uint32_t)v.bits << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static struct bf16 rounded(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return isnan(f) ? (struct bf16){0x7fff} : (struct bf16){(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

/* What `c` must leave at (p, n). taken: the weights [E][N][K] as it takes them. */
static struct bf16 wanted(const struct planted *c, const struct world *w, const float *taken, uint32_t p, uint32_t n)
{
    int a = segment_of(w, p), expert = c->row ? c->row(w, p) : right_row(w, p);
    if (expert < 0)
        return expert == NOT_WRITTEN ? poison : (struct bf16){0};
    uint32_t first = a >= 0 ? w->starts[a] : w->starts[A], rows = a >= 0 ? w->starts[a + 1] - first : P - first;
    uint32_t i = p - first;
    if (c->scattered)
        i = (i + 2 * rows - 2) % rows;
    uint32_t t = i % 64, tile = i - t, row = n;
    if (c->result)
        c->result(&t, &row);
    float sum = 0;
    for (uint32_t k = 0; k < K; k++) {
        uint32_t column = c->column ? c->column(t, k) : k;
        float x = tile + t < rows && column < K ? bf16_float(w->x[first + tile + t][column]) : 0;
        sum += x * taken[((uint32_t)expert * N + row) * K + k];
    }
    struct bf16 out = rounded(sum);
    if (c->clamped && (out.bits & 0x7f80) == 0x7f80)
        out.bits = out.bits & 0x7f ? 0 : out.bits == 0xff80 ? 0xff7f : 0x7f7f;
    return out;
}

static void world_run(const struct world *w, const char *name, struct bf16 *out, struct run_report *report)
{
    struct machine model;
    struct executor x;
    struct error e;
    const struct weights weights = {E, N, K, &w->blocks[0][0][0], &w->scales[0][0][0]};
    const struct segments s = {P, E, A, w->starts, w->ids};
    machine_model(&model);
    if (subject_open(name, &model, &x, &e) != STATUS_OK || x.load(x.self, &weights, &e) != STATUS_OK ||
        x.run(x.self, &w->x[0][0], &s, poison, out, report, &e) != STATUS_OK)
        fail_msg("%s: %s", name, e.why);
    x.release(x.self);
}

static size_t case_check(const struct planted *c, const struct world *w, const struct bf16 *right)
{
    char name[SUBJECT_NAME];
    struct run_report report;
    size_t differing = 0;
    struct bf16 *out = calloc((size_t)P * N, sizeof *out);
    float *taken = malloc((size_t)E * N * K * sizeof *taken);
    assert_true(out && taken);
    for (uint32_t i = 0; i < E * N * K; i++)
        taken[i] = (c->weight ? c->weight : at)(w, (int)(i / K / N), i / K % N, i % K);
    snprintf(name, sizeof name, "rs+%s", c->id);
    world_run(w, name, out, &report);
    for (uint32_t p = 0; p < P; p++)
        for (uint32_t n = 0; n < N; n++) {
            struct bf16 want = wanted(c, w, taken, p, n), got = out[p * N + n];
            if (got.bits != want.bits)
                fail_msg("%s at (%u, %u): %04x, wanted %04x, rs %04x", name, p, n, got.bits, want.bits,
                         right[p * N + n].bits);
            differing += got.bits != right[p * N + n].bits;
        }
    free(out);
    free(taken);
    return differing;
}

static void model_run_every_fault_is_wrong_as_its_formula_says(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    struct bf16 *right = calloc((size_t)P * N, sizeof *right);
    struct run_report report;
    size_t ran = 0;
    assert_true(w && right);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool twin = strcmp(cases[i].id, "none") == 0;
        world_make(cases[i].special, cases[i].bad_ids, w);
        world_run(w, "rs", right, &report);
        size_t differing = case_check(&cases[i], w, right);
        if ((differing == 0) != twin)
            fail_msg("%s differs from rs at %zu elements", cases[i].id, differing);
        ran++;
    }
    assert_int_equal(ran, sizeof cases / sizeof *cases);
    free(w);
    free(right);
}

/* The twin: the same bits, the same registers, the same counts. */
static void model_run_clean_twin_is_identical(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    struct bf16 *right = calloc((size_t)P * N, sizeof *right), *twin = calloc((size_t)P * N, sizeof *twin);
    struct run_report of_right, of_twin;
    assert_true(w && right && twin);
    for (int i = 0; i < 4; i++) {
        world_make(i / 2, i % 2, w);
        world_run(w, "rs", right, &of_right);
        world_run(w, "rs+none", twin, &of_twin);
        assert_memory_equal(right, twin, (size_t)P * N * sizeof *twin);
        assert_int_equal(of_right.a_checksum, of_twin.a_checksum);
        assert_int_equal(of_right.wgmma, of_twin.wgmma);
        assert_int_equal(of_right.tiles, of_twin.tiles);
        assert_int_equal(of_right.status_word, i % 2 ? 3 : 0);
        assert_int_equal(of_twin.status_word, of_right.status_word);
    }
    world_run(w, "rs+F29", right, &of_right);
    assert_int_equal(of_right.status_word, 0);
    free(w);
    free(right);
    free(twin);
}

/* A fault without a case here is a fault that nobody has seen to be what it says. */
static void fault_at_every_fault_has_a_case(void **state)
{
    (void)state;
    size_t hardware = 0;
    for (size_t i = 0; i < fault_count(); i++) {
        bool has = false;
        for (size_t j = 0; j < sizeof cases / sizeof *cases; j++)
            has = has || strcmp(cases[j].id, fault_at(i)->id) == 0;
        hardware += fault_at(i)->hardware_only;
        if (has == fault_at(i)->hardware_only)
            fail_msg("%s: %s", fault_at(i)->id, has ? "a case of the model" : "no case");
    }
    assert_int_equal(hardware, 2);
    assert_int_equal(fault_count(), 43);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fault_at_every_fault_has_a_case),
        cmocka_unit_test(model_run_clean_twin_is_identical),
        cmocka_unit_test(model_run_every_fault_is_wrong_as_its_formula_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
