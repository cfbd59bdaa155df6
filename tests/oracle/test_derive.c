/* What is derived, held against what was written by hand: the addresses of the production kernel, the swizzles of the
 * reference, row-major formulas; and the printed layouts, read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/rs_index.h"
#include "oracle/derive/emit.h"
#include "oracle/fragoracle.h"
#include "reference/pack_bits.h"
#include "reference/scale_swizzle.h"
#include "reference/value_swizzle.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/scratch.h"

#define BF16_OP "wgmma.m64n64k16.f32.bf16.bf16.rs"
#define TF32_OP "wgmma.m64n64k8.f32.tf32.tf32.rs"
#define E4M3_OP "wgmma.m64n64k32.f32.e4m3.e4m3.rs"
#define S8_OP   "wgmma.m64n64k32.s32.s8.s8.rs"

static const char *const ops[] = {BF16_OP, TF32_OP, E4M3_OP, S8_OP};
static const char *const layouts[] = {"mxfp4-hopper", "mxfp4", "int4", "int4-offset8", "fp8", "bf16"};
enum { OPS = 4, LAYOUTS = 6 };

static struct tile tile_of(const char *op)
{
    struct tile t;
    struct error e;
    if (tile_make(op, &t, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return t;
}

static struct packing packing_of(const char *from)
{
    struct packing p;
    struct error e;
    if (packing_find(from, &p, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return p;
}

static struct plan plan_of(const struct storage *s, const struct tile *t, uint32_t steps)
{
    struct plan p;
    struct error e;
    if (plan_find(s, t, steps, &p, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return p;
}

/* Byte of load 0 of a thread, in an array of several matrices. */
static uint64_t load_byte(const struct storage *s, const struct plan *p, const struct tile *t, uint32_t expert,
                          const struct rs_shape *shape, uint32_t n0, uint32_t k0, uint32_t thread)
{
    struct offset o = tile_thread(t, thread), a = p->load[0].address;
    struct place at = storage_place(s, n0 + o.n + a.n, k0 + o.k + a.k, 0);
    return expert * storage_bytes(s, shape->N, shape->K) + at.row * storage_pitch(s, shape->N, shape->K) + at.bit / 8;
}

/* Every thread, window and tile of one expert. Returns how many addresses were compared. */
static size_t compare_with_production(const struct packing *p, const struct plan *v, const struct plan *s,
                                      const struct tile *t, const struct rs_shape *shape, uint32_t expert)
{
    static const struct rs_fault neutral = RS_FAULT_NEUTRAL;
    size_t compared = 0;
    for (uint32_t n0 = 0; n0 < shape->N; n0 += RS_TILE_FEATURES)
        for (uint32_t k = 0; k < shape->K; k += RS_WORD_K)
            for (uint32_t thread = 0; thread < RS_THREADS; thread++) {
                uint32_t n = n0 + rs_feature(thread);
                if (n >= shape->N)
                    continue;
                if (load_byte(&p->values, v, t, expert, shape, n0, k, thread) !=
                    rs_value_row(shape, expert, n, &neutral) + rs_value_byte(n, k, thread, shape->K, &neutral))
                    fail_msg("value of thread %u, row %u, column %u", thread, n, k);
                if (load_byte(&p->scales, s, t, expert, shape, n0, k, thread) !=
                    rs_scale_offset(shape, expert, n, k, 0, &neutral))
                    fail_msg("scale of thread %u, row %u, column %u", thread, n, k);
                compared++;
            }
    return compared;
}

static void plan_find_hopper_is_what_the_production_kernel_does(void **state)
{
    static const uint32_t rows[] = {16, 80, 128, 208, 2880}, columns[] = {64, 192, 2880};
    struct tile t = tile_of(BF16_OP);
    struct packing p = packing_of("mxfp4-hopper");
    struct plan v = plan_of(&p.values, &t, 0), s = plan_of(&p.scales, &t, v.steps);
    size_t compared = 0;
    (void)state;
    assert_true(v.clean && v.width == 16 && v.steps == RS_STEPS && v.loads == 1 && !v.shifted);
    assert_true(s.clean && s.width == 4 && s.loads == 1);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 3; j++)
            for (uint32_t expert = rows[i] > 1000 ? 2 : 0; expert < 3; expert++) {
                const struct rs_shape shape = {1, rows[i], columns[j], 3, 1};
                compared += compare_with_production(&p, &v, &s, &t, &shape, expert);
            }
    assert_true(compared > 150000);
}

static void tile_order_bf16_is_the_pack_order(void **state)
{
    static const struct rs_fault neutral = RS_FAULT_NEUTRAL;
    struct tile t = tile_of(BF16_OP);
    uint32_t order[PLAN_SLOTS];
    (void)state;
    tile_order(&t, order);
    for (int i = 0; i < 8; i++)
        assert_int_equal(order[i], neutral.pack_order[i]);
}

/* The widths are counted here on their own: is every aligned chunk of so many bytes used whole, or not at all? */
static bool can_load(const struct storage *s, const struct tile *t, uint32_t width, uint32_t steps)
{
    static uint8_t used[64][1 << 12];
    memset(used, 0, sizeof used);
    for (uint32_t slot = 0; slot < tile_slots(t, steps); slot++)
        for (uint32_t b = 0; b < s->bits; b++) {
            struct place at = storage_place(s, tile_slot(t, slot).n, tile_slot(t, slot).k, b);
            at.bit = storage_scatter(s, at.bit);
            assert_true(at.row < 64 && at.bit / 8 < sizeof used[0]);
            used[at.row][at.bit / 8] |= (uint8_t)(1 << at.bit % 8);
        }
    for (uint32_t row = 0; row < 64; row++)
        for (uint32_t chunk = 0; chunk < sizeof used[0]; chunk += width) {
            uint32_t any = 0, all = 255;
            for (uint32_t b = 0; b < width; b++) {
                any |= used[row][chunk + b];
                all &= used[row][chunk + b];
            }
            if (any && all != 255)
                return false;
        }
    return true;
}

static void plan_find_every_layout_takes_the_widest_load(void **state)
{
    int cases = 0;
    (void)state;
    for (int o = 0; o < OPS; o++)
        for (int l = 0; l < LAYOUTS; l++, cases++) {
            struct tile t = tile_of(ops[o]);
            struct packing p = packing_of(layouts[l]);
            struct plan v = plan_of(&p.values, &t, 0);
            if (v.clean)
                assert_true(can_load(&p.values, &t, v.width, v.steps));
            for (uint32_t width = PLAN_WIDTH; width > (v.clean ? v.width : 0); width /= 2)
                for (uint32_t steps = 1; steps <= PLAN_STEPS; steps *= 2)
                    if (can_load(&p.values, &t, width, steps))
                        fail_msg("%s of %s: %u bytes in %u steps", ops[o], layouts[l], width, steps);
            for (uint32_t steps = 1; v.clean && steps < v.steps; steps *= 2)
                assert_false(can_load(&p.values, &t, v.width, steps));
        }
    assert_int_equal(cases, OPS * LAYOUTS);
}

static void preswizzle_values_every_width_of_code_takes_one_wide_load(void **state)
{
    (void)state;
    for (int o = 0; o < OPS; o++) {
        struct tile t = tile_of(ops[o]);
        for (uint32_t bits = 4; bits <= 32 / t.parts; bits *= 2) {
            struct storage s = preswizzle_values(&t, bits);
            struct error e;
            if (storage_check(&s, &e) != STATUS_OK)
                fail_msg("%s", e.why);
            struct plan p = plan_of(&s, &t, 0);
            assert_true(p.clean && p.width == 16 && p.loads == 1 && p.steps == 32 / t.parts / bits);
            s = preswizzle_scales(&t, p.steps, 32);
            if (storage_check(&s, &e) != STATUS_OK)
                fail_msg("%s", e.why);
            p = plan_of(&s, &t, p.steps);
            assert_true(p.clean && p.loads == 1);
        }
    }
}

static void storage_check_named_layouts_are_whole(void **state)
{
    (void)state;
    for (int l = 0; l < LAYOUTS; l++) {
        struct packing p = packing_of(layouts[l]);
        struct error e;
        if (storage_check(&p.values, &e) != STATUS_OK || (p.scaled && storage_check(&p.scales, &e) != STATUS_OK))
            fail_msg("%s: %s", layouts[l], e.why);
    }
}

/* ---- the printed layouts ---------------------------------------------------------------------------------------- */

struct pair {
    uint32_t row, code;
};

/* The text that follows a title such as "values cute: ". */
static const char *after(const char *text, const char *title)
{
    const char *line = text;
    while (line && strncmp(line, title, strlen(title)) != 0) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line)
        fail_msg("no \"%s\" in %s", title, text);
    return line + strlen(title);
}

/* "(a,b@1,...)": numbers, and the axis after an @. */
static const char *read_tuple(const char *at, uint32_t number[16], int axis[16], int *count)
{
    assert_int_equal(*at, '(');
    *count = 0;
    do {
        char *end;
        number[*count] = (uint32_t)strtoul(at + 1, &end, 10);
        axis[*count] = *end == '@' ? (int)strtoul(end + 1, &end, 10) : -1;
        ++*count;
        at = end;
    } while (*at == ',' && *count < 16);
    assert_int_equal(*at, ')');
    return at + 1;
}

/* A CuTe layout of (thread, value) evaluated: coordinates are split by the shapes, first mode fastest. */
static struct pair cute_apply(const char *text, uint32_t thread, uint32_t value)
{
    uint32_t shape[2][16], stride[2][16], in[2] = {thread, value}, out[2] = {0};
    int axis[16], axes[2][16], count[2];
    const char *at = read_tuple(text + 1, shape[0], axis, &count[0]);
    at = read_tuple(at + 1, shape[1], axis, &count[1]);
    assert_memory_equal(at, "):(", 3);
    at = read_tuple(at + 3, stride[0], axes[0], &count[0]);
    at = read_tuple(at + 1, stride[1], axes[1], &count[1]);
    assert_memory_equal(at, ")\n", 2);
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < count[c]; i++) {
            if (axes[c][i] >= 0)
                out[axes[c][i]] += in[c] % shape[c][i] * stride[c][i];
            else
                assert_int_equal(stride[c][i], 0);
            in[c] /= shape[c][i];
        }
    assert_true(in[0] == 0 && in[1] == 0);
    return (struct pair){out[0], out[1]};
}

/* The bases of one dimension applied to a coordinate. */
static struct pair linear_dimension(const char *text, const char *dimension, uint32_t x, struct pair p)
{
    const char *at = strstr(text, dimension);
    assert_non_null(at);
    at += strlen(dimension);
    for (int bit = 0; *at != ']'; bit++) {
        char *end;
        assert_int_equal(*at, '[');
        uint32_t row = (uint32_t)strtoul(at + 1, &end, 10);
        assert_memory_equal(end, ", ", 2);
        uint32_t code = (uint32_t)strtoul(end + 2, &end, 10);
        assert_int_equal(*end, ']');
        if (x >> bit & 1u) {
            p.row ^= row;
            p.code ^= code;
        }
        at = end + 1;
        at += strncmp(at, ", ", 2) == 0 ? 2 : 0;
    }
    return p;
}

static struct pair linear_apply(const char *text, uint32_t thread, uint32_t value)
{
    struct pair p = linear_dimension(text, "register = [", value, (struct pair){0, 0});
    p = linear_dimension(text, "lane = [", thread % 32, p);
    return linear_dimension(text, "warp = [", thread / 32, p);
}

/* Where the code of (n, k) stands, written by hand. */
typedef struct pair stands(uint32_t n, uint32_t k);

static struct pair hopper_value(uint32_t n, uint32_t k)
{
    struct value_swizzle s;
    assert_int_equal(value_swizzle_init(&s, 128, 64, 16, 32, 0, NULL), STATUS_OK);
    size_t index = value_swizzle_index(&s, n, k / 2);
    /* Low nibbles of a word's bytes before its high ones. */
    size_t byte = index % s.stride;
    return (struct pair){(uint32_t)(index / s.stride), (uint32_t)(byte / 4 * 8 + k % 2 * 4 + byte % 4)};
}
static struct pair hopper_scale(uint32_t n, uint32_t k)
{
    struct scale_swizzle s;
    assert_int_equal(scale_swizzle_init(&s, 128, 4, 4, 0, NULL), STATUS_OK);
    size_t index = scale_swizzle_index(&s, n, k / 32);
    return (struct pair){(uint32_t)(index / s.stride), (uint32_t)(index % s.stride)};
}
static struct pair row_value(uint32_t n, uint32_t k)
{
    return (struct pair){n, k};
}
static struct pair row_scale(uint32_t n, uint32_t k)
{
    return (struct pair){n, k / 32};
}

/* 4-bit codes of bf16 A, four k16 steps: register r of step s has its low half in nibble r of word s. */
static struct pair anew_value(uint32_t n, uint32_t k)
{
    uint32_t thread = n % 64 / 16 * 32 + n % 8 * 4 + k % 8 / 2, reg = n / 8 % 2 + k / 8 % 2 * 2;
    return (struct pair){n / 64, k / 64 * 4096 + thread * 32 + k / 16 % 4 * 8 + k % 2 * 4 + reg};
}
static struct pair anew_scale(uint32_t n, uint32_t k)
{
    uint32_t group = n % 64 / 16 * 8 + n % 8;
    return (struct pair){n / 64, k / 64 * 128 + group * 4 + k / 32 % 2 * 2 + n / 8 % 2};
}

static void check_layout(const char *text, const char *title, const char *op, uint32_t steps, stands *want)
{
    struct tile t = tile_of(op);
    char cute[64], linear[64];
    snprintf(cute, sizeof cute, "%s cute: ", title);
    snprintf(linear, sizeof linear, "%s linear: ", title);
    const char *c = after(text, cute), *l = after(text, linear);
    uint32_t window = steps * t.step_k, slots = tile_slots(&t, steps), compared = 0;
    for (uint32_t thread = 0; thread < 128; thread++)
        for (uint32_t value = 0; value < slots; value++) {
            struct offset o = tile_thread(&t, thread), v = tile_slot(&t, value);
            struct pair by_cute = cute_apply(c, thread, value), by_linear = linear_apply(l, thread, value);
            /* The first tile and window, and the next ones: only the place where they begin is another. */
            for (uint32_t n0 = 0; n0 < 128; n0 += 64)
                for (uint32_t k0 = 0; k0 < 128; k0 += window, compared++) {
                    struct pair begin = want(n0, k0), at = want(n0 + o.n + v.n, k0 + o.k + v.k);
                    if (begin.row + by_cute.row != at.row || begin.code + by_cute.code != at.code ||
                        by_linear.row != by_cute.row || by_linear.code != by_cute.code)
                        fail_msg("%s of %s: thread %u, value %u stands at (%u,%u)", title, op, thread, value, at.row,
                                 at.code);
                }
        }
    assert_int_equal(compared, 2 * (128 / t.step_k) * 128 * tile_slots(&t, 1));
}

/* Both forms, one after the other. */
static char *layouts_of(const char *op, const char *from)
{
    struct fo_answer cute = {0}, linear = {0};
    struct fo_derive_options o = {.op = op, .from = from, .format = "cute"};
    struct fo_error e;
    if (fo_derive(&o, &cute, &e) != 0)
        fail_msg("%s", e.line);
    o.format = "linear";
    assert_int_equal(fo_derive(&o, &linear, &e), 0);
    size_t size = strlen(cute.text) + strlen(linear.text) + 1;
    char *both = malloc(size);
    assert_non_null(both);
    snprintf(both, size, "%s%s", cute.text, linear.text);
    fo_answer_free(&cute);
    fo_answer_free(&linear);
    return both;
}

static void fo_derive_printed_layouts_say_where_every_slot_stands(void **state)
{
    static const struct {
        const char *op, *from, *title;
        uint32_t steps;
        stands *want;
    } cases[] = {
        {BF16_OP, "mxfp4-hopper", "values", 4, hopper_value},
        {BF16_OP, "mxfp4-hopper", "scales", 4, hopper_scale},
        {BF16_OP, "mxfp4", "values", 1, row_value},
        {BF16_OP, "mxfp4", "scales", 1, row_scale},
        {BF16_OP, "mxfp4", "preswizzled values", 4, anew_value},
        {BF16_OP, "mxfp4", "preswizzled scales", 4, anew_scale},
        {BF16_OP, "int4", "values", 1, row_value},
        {BF16_OP, "int4", "preswizzled values", 4, anew_value},
        {BF16_OP, "fp8", "values", 1, row_value},
        {BF16_OP, "bf16", "values", 1, row_value},
        {E4M3_OP, "fp8", "values", 1, row_value},
        {S8_OP, "int4-offset8", "values", 1, row_value},
        {TF32_OP, "bf16", "values", 1, row_value},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = layouts_of(cases[i].op, cases[i].from);
        check_layout(text, cases[i].title, cases[i].op, cases[i].steps, cases[i].want);
        free(text);
    }
}

static void fo_derive_exclusive_or_is_linear_but_no_stride(void **state)
{
    static const char swizzled[] =
        "{\"schema\":\"fragoracle.storage/1\",\"code\":\"bf16\",\"values\":{\"width\":16,\"block\":[2,16],"
        "\"stored\":[2,256],\"rows_along\":\"n\",\"bits\":{\"n\":[[1,128]],"
        "\"k\":[[0,16],[0,32],[0,64],[0,128]],\"bit\":[[0,1],[0,2],[0,4],[0,8]]}}}";
    char path[SCRATCH_PATH];
    struct fo_derive_options o = {.op = BF16_OP, .from = scratch_path(state, "s.json", path), .format = "cute"};
    struct fo_answer answer;
    struct fo_error e;
    assert_int_equal(fo_write_file(path, swizzled, strlen(swizzled), &e), 0);
    assert_int_not_equal(fo_derive(&o, &answer, &e), 0);
    assert_non_null(strstr(e.line, "no sum of strides"));
    o.format = "linear";
    assert_int_equal(fo_derive(&o, &answer, &e), 0);
    const char *l = after(answer.text, "values linear: ");
    struct tile t = tile_of(BF16_OP);
    for (uint32_t thread = 0; thread < 128; thread++)
        for (uint32_t value = 0; value < 8; value++) {
            uint32_t n = tile_thread(&t, thread).n + tile_slot(&t, value).n;
            uint32_t k = tile_thread(&t, thread).k + tile_slot(&t, value).k;
            struct pair p = linear_apply(l, thread, value);
            assert_true(p.row == n && p.code == (k ^ n % 2 * 8));
        }
    fo_answer_free(&answer);
    o.format = NULL;
    assert_int_equal(fo_derive(&o, &answer, &e), 0);
    fo_answer_free(&answer);
}

static void fo_derive_printed_word_is_that_of_the_packing(void **state)
{
    char *text = layouts_of(BF16_OP, "mxfp4-hopper"), *end = strchr(after(text, "values word: "), '[');
    (void)state;
    for (uint32_t i = 0; i < 16; i++) {
        assert_non_null(end);
        uint32_t to = (uint32_t)strtoul(end + 1, &end, 10), nibble = i / 4 * 8 + i % 4;
        assert_int_equal(1u << to, pack_bits_forward(1u << nibble));
        assert_int_equal(1u << (to + 16), pack_bits_forward(1u << (nibble + 4)));
    }
    assert_int_equal(*end, ']');
    free(text);
}

/* ---- the question ----------------------------------------------------------------------------------------------- */

static void fo_derive_bad_options_are_one_line(void **state)
{
    static const struct {
        struct fo_derive_options o;
        const char *why;
    } bad[] = {
        {{.op = BF16_OP, .from = "mxfp5"}, "'mxfp5' is no layout"},
        {{.op = "mma", .from = "mxfp4"}, "\"mma\" is no operation"},
        {{.op = "wgmma.m64n64k16.f32.bf16.bf16.ss", .from = "mxfp4"}, "shared memory"},
        {{.op = BF16_OP, .from = "mxfp4", .format = "fortran"}, "'fortran' is no format"},
        {{.op = BF16_OP}, "needs an operation and the layout"},
        {{.from = "mxfp4"}, "needs an operation and the layout"},
        {{.op = E4M3_OP, .from = "bf16"}, "no exact conversion of bf16 to the e4m3"},
        {{.op = S8_OP, .from = "mxfp4"}, "no exact conversion of e2m1 to the s8"},
        {{.op = BF16_OP, .from = "/no/such.json"}, "/no/such.json"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fo_answer answer = {FO_CONFORMS, NULL, NULL};
        struct fo_error e = {""};
        assert_int_not_equal(fo_derive(&bad[i].o, &answer, &e), 0);
        assert_null(answer.text);
        if (!strstr(e.line, bad[i].why) || strchr(e.line, '\n'))
            fail_msg("\"%s\" does not say \"%s\"", e.line, bad[i].why);
    }
}

static void fo_derive_folder_holds_what_was_printed(void **state)
{
    char folder[SCRATCH_PATH], path[SCRATCH_PATH + 16];
    static char text[1 << 17];
    struct fo_derive_options o = {.op = BF16_OP, .from = "mxfp4", .out = scratch_path(state, "out", folder)};
    static const char *const files[] = {"load.c", "layout.txt", "derive.json"};
    static const char *const formats[] = {"c", NULL, "text"};
    struct fo_answer answer;
    for (int i = 0; i < 3; i++) {
        o.format = formats[i];
        assert_int_equal(fo_derive(&o, &answer, NULL), 0);
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        fclose(f);
        if (i == 0)
            assert_string_equal(text, answer.text);
        if (i == 1)
            assert_non_null(strstr(text, "preswizzled scales linear: #ttg.linear<{"));
        if (i == 2) {
            assert_string_equal(text, answer.json);
            assert_non_null(strstr(text, "\"schema\": \"fragoracle.derive/1\""));
        }
        fo_answer_free(&answer);
    }
}

struct asked {
    struct fo_derive_options o;
    struct fo_answer answer;
};

static enum status ask(void *context, struct error *e)
{
    struct asked *a = context;
    struct fo_error line = {""};
    enum status s = (enum status)fo_derive(&a->o, &a->answer, &line);
    if (s != STATUS_OK)
        error_set(e, s, "%s", line.line);
    return s;
}

static void nothing_given(void *context)
{
    struct asked *a = context;
    assert_null(a->answer.text);
}

static void fo_derive_without_memory_gives_nothing(void **state)
{
    static const char row_pairs[] = "{\"schema\":\"fragoracle.storage/1\",\"code\":\"int4\",\"values\":{\"width\":4,"
                                    "\"block\":[2,1],\"stored\":[1,8],\"rows_along\":\"n\",\"bits\":{\"n\":[[0,4]],"
                                    "\"k\":[],\"bit\":[[0,1],[0,2]]}}}";
    char path[SCRATCH_PATH];
    scratch_path(state, "s.json", path);
    assert_int_equal(fo_write_file(path, row_pairs, strlen(row_pairs), NULL), 0);
    const char *const from[] = {"mxfp4-hopper", path};
    for (int i = 0; i < 2; i++) {
        struct asked a = {.o = {.op = BF16_OP, .from = from[i], .format = "cute"}};
        assert_true(alloc_check(ask, nothing_given, &a) > 10);
        fo_answer_free(&a.answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_find_hopper_is_what_the_production_kernel_does),
        cmocka_unit_test(tile_order_bf16_is_the_pack_order),
        cmocka_unit_test(plan_find_every_layout_takes_the_widest_load),
        cmocka_unit_test(preswizzle_values_every_width_of_code_takes_one_wide_load),
        cmocka_unit_test(storage_check_named_layouts_are_whole),
        cmocka_unit_test(fo_derive_printed_layouts_say_where_every_slot_stands),
        cmocka_unit_test_setup_teardown(fo_derive_exclusive_or_is_linear_but_no_stride, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(fo_derive_printed_word_is_that_of_the_packing),
        cmocka_unit_test(fo_derive_bad_options_are_one_line),
        cmocka_unit_test_setup_teardown(fo_derive_folder_holds_what_was_printed, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(fo_derive_without_memory_gives_nothing, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests_name("derive", tests, NULL, NULL);
}
