/* wgmma of the PTX machine: whole kernels. D against tile_product.h for every family, sources, layouts and flags, with
 * operands placed by the fragment maps and descriptors; two cases written out by hand; what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reference/descriptor.h"
#include "reference/fragment.h"
#include "reference/number.h"
#include "reference/tile_product.h"
#include "tests/support/alloc.h"
#include "tests/support/expect.h"
#include "tests/support/ptx_wgmma.h"
#include "tests/support/splitmix.h"

enum { M = 64, MOST_N = 256, MOST_K = 32, A_AT = VM_SHARED_START, B_AT = VM_SHARED_START + (PTX_IMAGE / 2) };

static struct ptx_wgmma kernel;
static uint32_t a_bits[M * MOST_K], b_bits[MOST_N * MOST_K], c_bits[M * MOST_N], d_bits[M * MOST_N];

static struct wgmma_op named(const char *name)
{
    struct wgmma_op op;
    struct error e;
    if (wgmma_parse(name, &op, &e) != STATUS_OK)
        fail_msg("%s: %s", name, e.why);
    return op;
}

/* ---- placing operands -------------------------------------------------------------------------------------------- */

static struct layout map_of(const struct wgmma_op *op, enum fragment_operand operand)
{
    struct layout map;
    assert_int_equal(fragment_map(op, operand, &map, NULL), STATUS_OK);
    return map;
}

/* matrix[64][columns] into the words of the threads. */
static void put_registers(const struct layout *map, const uint32_t *matrix, uint32_t *words)
{
    const uint32_t regs = map->domain.extent[1], parts = map->domain.extent[2], columns = map->codomain.extent[1];
    memset(words, 0, PTX_THREADS * regs * sizeof *words);
    for (uint32_t t = 0; t < PTX_THREADS; t++)
        for (uint32_t r = 0; r < regs; r++)
            for (uint32_t p = 0; p < parts; p++) {
                struct point at = layout_apply(map, &(struct point){{t, r, p}});
                words[t * regs + r] |= matrix[at.at[0] * columns + at.at[1]] << p * (32 / parts);
            }
}

static void get_registers(const struct layout *map, const uint32_t *words, uint32_t *matrix)
{
    const uint32_t regs = map->domain.extent[1], parts = map->domain.extent[2], columns = map->codomain.extent[1];
    for (uint32_t t = 0; t < PTX_THREADS; t++)
        for (uint32_t r = 0; r < regs; r++)
            for (uint32_t p = 0; p < parts; p++) {
                struct point at = layout_apply(map, &(struct point){{t, r, p}});
                matrix[at.at[0] * columns + at.at[1]] =
                    words[t * regs + r] >> p * (32 / parts) & (UINT32_MAX >> (32 - 32 / parts));
            }
}

/* lines x k elements into the image by a descriptor. */
static uint64_t put_shared(const struct descriptor *d, bool mn, uint32_t lines, uint32_t k, uint32_t bytes,
                           const uint32_t *matrix)
{
    const uint32_t each = 16 / bytes;
    uint64_t bits = 0;
    for (uint32_t line = 0; line < lines; line++)
        for (uint32_t i = 0; i < k; i++) {
            uint32_t chunk =
                mn ? descriptor_chunk(d, true, i, line / each) : descriptor_chunk(d, false, line, i / each);
            uint32_t at = chunk + (mn ? line : i) % each * bytes - VM_SHARED_START;
            assert_true(at + bytes <= PTX_IMAGE);
            memcpy(kernel.image + at, &matrix[line * k + i], bytes);
        }
    assert_int_equal(descriptor_encode(d, &bits, NULL), STATUS_OK);
    return bits;
}

static bool is(const char *type, const char *name)
{
    return strcmp(type, name) == 0;
}

static uint32_t random_element(struct splitmix *r, const char *type)
{
    float x = ldexpf((float)splitmix_between(r, -255, 255), splitmix_between(r, -9, -6));
    if (is(type, "bf16"))
        return bf16_encode(x).bits;
    if (is(type, "f16"))
        return f16_encode(x).bits;
    if (is(type, "tf32") || is(type, "f32"))
        return f32_bits(x) | (is(type, "tf32") ? (uint32_t)splitmix_below(r, 1 << 13) : 0);
    if (is(type, "e4m3"))
        return e4m3_encode(x).bits;
    if (is(type, "e5m2"))
        return e5m2_encode(x).bits;
    return (uint32_t)splitmix_next(r) & (is(type, "s32") ? 0xffffffff : 0xff);
}

static uint32_t negated(const char *type, uint32_t bits)
{
    return bits ^ (is(type, "tf32") ? 0x80000000u : is(type, "bf16") || is(type, "f16") ? 0x8000u : 0x80u);
}

/* ---- one wgmma --------------------------------------------------------------------------------------------------- */

struct trial {
    const char *op;
    uint32_t a_swizzle, b_swizzle; /* of shared memory */
    bool mn_a, mn_b, negate_a, negate_b, add, immediate;
    enum vm_order order;
};

/* A descriptor whose fields hold for any extent used here. */
static struct descriptor place(uint32_t start, uint32_t swizzle, bool mn, uint32_t lines)
{
    if (swizzle == 0) /* K-major: 16 bytes of K, then 8 rows; MN-major: 8 k, then 16 bytes of N */
        return (struct descriptor){start, mn ? lines / 8 * 128 : lines * 16, 128, 0, 0};
    /* MN-major: w bytes of N after all 16 k; K-major: leading leads nowhere */
    return (struct descriptor){start, mn ? 16 * swizzle : 16, 8 * swizzle, 0, swizzle};
}

static void fill(const struct wgmma_op *op, struct splitmix *r)
{
    const struct wgmma_family *f = op->family;
    for (int i = 0; i < M * f->k; i++)
        a_bits[i] = random_element(r, f->a);
    for (int i = 0; i < op->n * f->k; i++)
        b_bits[i] = random_element(r, f->b);
    for (int i = 0; i < M * op->n; i++)
        c_bits[i] = random_element(r, f->d);
}

/* The opcode's words and operands of `op`. */
static void write_mma(const struct trial *t, const struct wgmma_op *op)
{
    static char list[2048];
    const struct wgmma_family *f = op->family;
    char flags[64] = "";
    if (!is(f->d, "s32"))
        snprintf(flags, sizeof flags, ", %d, %d", t->negate_a ? -1 : 1, t->negate_b ? -1 : 1);
    if (f->a_bits == 16 && op->source == WGMMA_SS)
        strcat(flags, t->mn_a ? ", 1" : ", 0");
    if (f->a_bits == 16)
        strcat(flags, t->mn_b ? ", 1" : ", 0");
    ptx_line(&kernel, "wgmma.mma_async.sync.aligned.m64n%dk%d.%s.%s.%s %s, %s, %%bdesc, %s%s;", op->n, f->k, f->d, f->a,
             f->b, ptx_list('d', kernel.registers, list, sizeof list),
             op->source == WGMMA_RS ? "{%a0, %a1, %a2, %a3}" : "%adesc", t->immediate ? (t->add ? "1" : "0") : "%add",
             flags);
}

static void put_operands(const struct trial *t, const struct wgmma_op *op)
{
    const struct wgmma_family *f = op->family;
    const uint32_t k = (uint32_t)f->k, bytes = (uint32_t)f->a_bits / 8, n = (uint32_t)op->n;
    struct layout d_map = map_of(op, FRAGMENT_D);
    memset(kernel.image, 0x5c, sizeof kernel.image);
    kernel.registers = d_map.domain.extent[1];
    put_registers(&d_map, c_bits, kernel.d);
    if (op->source == WGMMA_RS) {
        struct layout a_map = map_of(op, FRAGMENT_A);
        put_registers(&a_map, a_bits, &kernel.a[0][0]);
    } else {
        struct descriptor d = place(A_AT, t->a_swizzle, t->mn_a, M);
        kernel.a_descriptor = put_shared(&d, t->mn_a, M, k, bytes, a_bits);
    }
    struct descriptor d = place(B_AT, t->b_swizzle, t->mn_b, n);
    kernel.b_descriptor = put_shared(&d, t->mn_b, n, k, bytes, b_bits);
    kernel.add = t->immediate ? 0 : t->add;
    kernel.order = t->order;
}

static void expect_product(const struct trial *t, const struct wgmma_op *op)
{
    const struct wgmma_family *f = op->family;
    struct layout d_map = map_of(op, FRAGMENT_D);
    struct tile_product want;
    for (int i = 0; t->negate_a && i < M * f->k; i++)
        a_bits[i] = negated(f->a, a_bits[i]);
    for (int i = 0; t->negate_b && i < op->n * f->k; i++)
        b_bits[i] = negated(f->b, b_bits[i]);
    assert_int_equal(tile_product_make(op, t->add ? c_bits : NULL, &want, NULL), STATUS_OK);
    tile_product_step(&want, a_bits, b_bits);
    get_registers(&d_map, kernel.d, d_bits);
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < (size_t)op->n; n++)
            if (!tile_product_holds(&want, m, n, d_bits[m * (size_t)op->n + n]))
                fail_msg("%s: D[%zu][%zu] is %08x, not in %g .. %g (FO_TEST_SEED=%llu)", t->op, m, n,
                         d_bits[m * (size_t)op->n + n], want.low[m * want.columns + n], want.high[m * want.columns + n],
                         (unsigned long long)splitmix_seed());
    assert_int_equal(kernel.report.approximate != NULL, !want.exact);
    tile_product_free(&want);
}

static void run_trial(const struct trial *t, struct splitmix *r)
{
    struct wgmma_op op = named(t->op);
    struct error e;
    fill(&op, r);
    put_operands(t, &op);
    ptx_begin(&kernel);
    ptx_line(&kernel, "wgmma.fence.sync.aligned;");
    write_mma(t, &op);
    ptx_line(&kernel, "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;");
    ptx_end(&kernel);
    if (ptx_run(&kernel, &e) != STATUS_OK)
        fail_msg("%s: line %d: %s", t->op, e.line, e.why);
    assert_int_equal(kernel.report.wgmma, 1);
    for (uint32_t n = 0; n < kernel.report.hazards; n++)
        fail_msg("%s: %s: %s", t->op, kernel.report.hazard[n].kind, kernel.report.hazard[n].text);
    expect_product(t, &op);
}

static void wgmma_of_every_family_multiplies(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    size_t ran = 0;
    for (size_t f = 0; f < wgmma_family_count(); f++)
        for (int source = WGMMA_RS; source <= WGMMA_SS; source++) {
            static const int columns[] = {8, 24, 64};
            for (int n = 0; n < 3; n++) {
                struct wgmma_op op = {wgmma_family_at(f), columns[n], (enum wgmma_source)source};
                char name[WGMMA_NAME_SIZE];
                struct trial t = {.op = wgmma_format(&op, name),
                                  .a_swizzle = 128,
                                  .b_swizzle = n == 1 ? 0 : 128,
                                  .add = n != 2,
                                  .order = n == 0 ? VM_EARLY : VM_LATE};
                run_trial(&t, &r);
                ran++;
            }
        }
    assert_int_equal(ran, wgmma_family_count() * 6);
}

static void wgmma_of_every_n_multiplies(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    int ran = 0;
    const struct wgmma_family *f = named("wgmma.m64n8k16.f32.bf16.bf16.rs").family;
    for (int n = wgmma_next_n(f, 0); n; n = wgmma_next_n(f, n)) {
        struct wgmma_op op = {f, n, WGMMA_RS};
        char name[WGMMA_NAME_SIZE];
        struct trial t = {.op = wgmma_format(&op, name), .b_swizzle = n % 16 ? 32 : 64, .add = true, .immediate = true};
        run_trial(&t, &r);
        ran++;
    }
    assert_int_equal(ran, 32);
}

static void wgmma_of_every_layout_and_flag_multiplies(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    static const uint32_t swizzles[] = {0, 32, 64, 128};
    static const char *const ops[] = {"wgmma.m64n64k16.f32.bf16.bf16.ss", "wgmma.m64n128k16.f32.bf16.bf16.rs",
                                      "wgmma.m64n64k16.f16.f16.f16.ss"};
    size_t ran = 0;
    for (uint32_t o = 0; o < 3; o++)
        for (uint32_t bits = 0; bits < 128; bits++) {
            struct trial t = {.op = ops[o],
                              .a_swizzle = swizzles[bits >> 2 & 3],
                              .b_swizzle = swizzles[bits & 3],
                              .mn_a = bits >> 4 & 1,
                              .mn_b = bits >> 5 & 1,
                              .negate_a = bits % 3 == 0,
                              .negate_b = bits % 5 == 0,
                              .add = bits >> 6 & 1,
                              .immediate = bits % 7 == 0,
                              .order = bits % 2 ? VM_EARLY : VM_LATE};
            run_trial(&t, &r);
            ran++;
        }
    assert_int_equal(ran, 3 * 128);
}

/* ---- by hand ----------------------------------------------------------------------------------------------------- */

/* A = one-hot row by row through the formula of the register fragment; B[n][k] = (n + 1) * 2^k in the 128-byte
 * swizzle; D by its formula: D[m][n] = (n + 1) * 2^(m % 16). Nothing of fragment.c or descriptor.c takes part. */
static void expect_one_hot(bool registers)
{
    struct error e;
    memset(&kernel, 0, sizeof kernel);
    kernel.registers = 32;
    for (uint32_t n = 0; n < 64; n++)
        for (uint32_t k = 0; k < 16; k++) {
            uint16_t bits = bf16_encode(ldexpf((float)(n + 1), (int)k)).bits;
            memcpy(kernel.image + (B_AT - VM_SHARED_START) + fragment_smem_sw128(n, k), &bits, 2);
        }
    for (uint32_t m = 0; m < 64; m++) {
        uint32_t k = m % 16, g = m % 8, thread = m / 16 * 32 + g * 4 + k % 8 / 2;
        uint32_t reg = (m % 16 >= 8) + (k >= 8 ? 2 : 0);
        uint16_t one = BF16_ONE;
        if (registers)
            kernel.a[thread][reg] = k % 2 ? 0x3f800000u : 0x3f80u;
        else
            memcpy(kernel.image + fragment_smem_sw128(m, k), &one, 2);
    }
    /* start >> 4, leading 1, stride 1024 >> 4, swizzle 128 */
    kernel.a_descriptor = UINT64_C(1) << 62 | UINT64_C(64) << 32 | UINT64_C(1) << 16 | A_AT >> 4;
    kernel.b_descriptor = UINT64_C(1) << 62 | UINT64_C(64) << 32 | UINT64_C(1) << 16 | B_AT >> 4;
    ptx_begin(&kernel);
    ptx_line(&kernel, "wgmma.fence.sync.aligned;");
    char list[1024];
    ptx_list('d', 32, list, sizeof list);
    if (registers)
        ptx_line(&kernel,
                 "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 %s, {%%a0,%%a1,%%a2,%%a3}, %%bdesc, 0, 1, 1, 0;",
                 list);
    else
        ptx_line(&kernel, "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 %s, %%adesc, %%bdesc, 0, 1, 1, 0, 0;",
                 list);
    ptx_line(&kernel, "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;");
    ptx_end(&kernel);
    if (ptx_run(&kernel, &e) != STATUS_OK)
        fail_msg("line %d: %s", e.line, e.why);
    for (uint32_t t = 0; t < PTX_THREADS; t++)
        for (uint32_t i = 0; i < 32; i++) {
            uint32_t m = t / 32 * 16 + t % 32 / 4 + 8 * (i / 2 % 2), n = 8 * (i / 4) + 2 * (t % 4) + i % 2;
            assert_int_equal(kernel.d[t * 32 + i], f32_bits(ldexpf((float)(n + 1), (int)m % 16)));
        }
    assert_int_equal(kernel.report.hazards, 0);
    assert_null(kernel.report.approximate);
}

static void wgmma_rs_of_one_hot_rows_gives_rows_of_b(void **state)
{
    (void)state;
    expect_one_hot(true);
}

static void wgmma_ss_of_one_hot_rows_gives_rows_of_b(void **state)
{
    (void)state;
    expect_one_hot(false);
}

/* All of A and B are 127: a product is 32 * 16129. C near the ends of s32. */
static uint32_t integer_corner(uint32_t c, uint8_t a, const char *satfinite)
{
    struct error e;
    memset(&kernel, 0, sizeof kernel);
    kernel.registers = 4;
    memset(kernel.a, a, sizeof kernel.a);
    memset(kernel.image, 127, sizeof kernel.image);
    for (int i = 0; i < PTX_THREADS * 4; i++)
        kernel.d[i] = c;
    kernel.add = 1;
    kernel.b_descriptor = UINT64_C(8) << 32 | UINT64_C(8) << 16 | B_AT >> 4;
    ptx_begin(&kernel);
    ptx_line(&kernel, "wgmma.fence.sync.aligned;");
    ptx_line(&kernel,
             "wgmma.mma_async.sync.aligned.m64n8k32.s32.s8.u8%s {%%d0,%%d1,%%d2,%%d3}, {%%a0,%%a1,%%a2,%%a3}, "
             "%%bdesc, %%add;",
             satfinite);
    ptx_line(&kernel, "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;");
    ptx_end(&kernel);
    if (ptx_run(&kernel, &e) != STATUS_OK)
        fail_msg("line %d: %s", e.line, e.why);
    for (int i = 1; i < PTX_THREADS * 4; i++)
        assert_int_equal(kernel.d[i], kernel.d[0]);
    return kernel.d[0];
}

static void wgmma_of_integers_wraps_or_saturates(void **state)
{
    (void)state;
    enum { PRODUCT = 32 * 127 * 127, LOW = 32 * 128 * 127 };
    assert_int_equal(integer_corner(5, 127, ""), PRODUCT + 5);
    assert_int_equal(integer_corner(0x7fffffffu, 127, ""), 0x7fffffffu + (uint32_t)PRODUCT);
    assert_int_equal(integer_corner(0x7fffffffu, 127, ".satfinite"), 0x7fffffffu);
    assert_int_equal(integer_corner(0x80000000u, 0x80, ""), 0x80000000u - (uint32_t)LOW);
    assert_int_equal(integer_corner(0x80000000u, 0x80, ".satfinite"), 0x80000000u);
    assert_int_equal(integer_corner(7, 0x80, ".satfinite"), 7 - (uint32_t)LOW);
}

/* ---- the observer ------------------------------------------------------------------------------------------------ */

struct seen {
    uint64_t calls, b_descriptor;
    uint32_t a[PTX_THREADS][PTX_A];
    uint64_t sequence[8];
    uint32_t warp[8];
};

static void look(void *self, const struct vm_seen *s)
{
    struct seen *to = self;
    if (to->calls < 8) {
        to->sequence[to->calls] = s->sequence;
        to->warp[to->calls] = s->warp;
    }
    to->calls++;
    to->b_descriptor = s->b_descriptor;
    for (uint32_t r = 0; s->sequence == 1 && r < PTX_A; r++)
        for (uint32_t lane = 0; lane < 32; lane++)
            to->a[s->warp * 32 + lane][r] = (uint32_t)s->a[r][lane];
}

static void see_of_two_wgmma_shows_a_of_every_warp(void **state)
{
    (void)state;
    static struct seen seen;
    struct splitmix r = {splitmix_seed()};
    struct trial t = {.op = "wgmma.m64n8k16.f32.bf16.bf16.rs", .b_swizzle = 128};
    struct wgmma_op op = named(t.op);
    struct error e;
    memset(&kernel, 0, sizeof kernel);
    fill(&op, &r);
    put_operands(&t, &op);
    kernel.see = look;
    kernel.see_self = &seen;
    ptx_begin(&kernel);
    ptx_line(&kernel, "wgmma.fence.sync.aligned;");
    write_mma(&t, &op);
    write_mma(&t, &op);
    ptx_line(&kernel, "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;");
    ptx_end(&kernel);
    if (ptx_run(&kernel, &e) != STATUS_OK)
        fail_msg("line %d: %s", e.line, e.why);
    assert_int_equal(seen.calls, 8);
    assert_int_equal(kernel.report.wgmma, 2);
    assert_int_equal(seen.b_descriptor, kernel.b_descriptor);
    assert_memory_equal(seen.a, kernel.a, sizeof seen.a);
    for (uint32_t n = 0; n < 8; n++) {
        assert_int_equal(seen.sequence[n], n / 4);
        assert_int_equal(seen.warp[n], n % 4);
    }
    kernel.see = NULL;
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

static enum status run_lines(const char *lines, uint32_t registers, struct error *e)
{
    memset(&kernel, 0, sizeof kernel);
    kernel.registers = registers;
    kernel.b_descriptor = UINT64_C(8) << 32 | UINT64_C(8) << 16 | B_AT >> 4;
    ptx_begin(&kernel);
    ptx_line(&kernel, "wgmma.fence.sync.aligned;\n%s", lines);
    ptx_end(&kernel);
    return ptx_run(&kernel, e);
}

static void wgmma_that_is_not_modelled_is_refused(void **state)
{
    (void)state;
#define A4 "{%a0,%a1,%a2,%a3}"
#define D4 "{%d0,%d1,%d2,%d3}"
    static const struct {
        const char *line, *why;
    } rows[] = {
        {"wgmma.mma_async.sp.sync.aligned.m64n8k32.f32.bf16.bf16 " D4 ", " A4 ", %bdesc, %d0, 0, %add, 1, 1, 0;",
         "sparse"},
        {"wgmma.mma_async.sync.aligned.m64n8k256.s32.b1.b1.and.popc " D4 ", " A4 ", %bdesc, %add;", "types"},
        {"wgmma.mma_async.sync.aligned.m64n12k16.f32.bf16.bf16 " D4 ", " A4 ", %bdesc, %add, 1, 1, 0;", "shape"},
        {"wgmma.mma_async.sync.aligned.m64n8k32.f32.bf16.bf16 " D4 ", " A4 ", %bdesc, %add, 1, 1, 0;", "shape"},
        {"wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 " D4 ", " A4 ", %bdesc, %add, 1, 1;", "operands"},
        {"wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 " D4 ", " A4 ", %bdesc, %add, 1, 1, 0, 0;", "operands"},
        {"wgmma.mma_async.sync.aligned.m64n8k8.f32.tf32.tf32 " D4 ", " A4 ", %bdesc, %add, 1, 1, 0;", "operands"},
        {"wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 " D4 ", " A4 ", %bdesc, %add, 2, 1, 0;", "scales"},
        {"wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 " D4 ", " A4 ", %bdesc, %add, 1, 0, 0;", "scales"},
        {"wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 " D4 ", " A4 ", %bdesc, %add, 1, 1, -1;", "scales"},
        {"wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16.satfinite " D4 ", " A4 ", %bdesc, %add, 1, 1, 0;",
         "satfinite"},
        {"wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 " D4 ", " A4 ", %bdesc, %add, 1, 1, 0;", "this D"},
        {"wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 " D4 ", {%a0,%a1}, %bdesc, %add, 1, 1, 0;", "this A"},
        {"wgmma.mma_async.sync.m64n8k16.f32.bf16.bf16 " D4 ", " A4 ", %bdesc, %add, 1, 1, 0;", "aligned"},
        {"wgmma.wait_group.sync.aligned %n;", "constant"},
        {"wgmma.commit_group.sync;", "aligned"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e = {0};
        assert_int_equal(run_lines(rows[i].line, 4, &e), STATUS_UNSUPPORTED);
        if (!strstr(e.why, rows[i].why))
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, e.why, rows[i].why);
    }
}

static void wgmma_of_a_wrong_descriptor_is_a_fault_of_the_kernel(void **state)
{
    (void)state;
#define OP "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 " D4
    static const struct {
        const char *lines, *why;
    } rows[] = {
        {"mov.b64 %bdesc, 0x3fff;\n" OP ", " A4 ", %bdesc, %add, 1, 1, 0;", "descriptor reaches byte"},
        {"mov.b64 %adesc, 0x3fff;\n" OP ", %adesc, %bdesc, %add, 1, 1, 0, 0;", "descriptor reaches byte"},
        {".reg .b64 %never;\n" OP ", " A4 ", %never, %add, 1, 1, 0;", "descriptor was never written"},
        {".reg .b64 %never;\n" OP ", %never, %bdesc, %add, 1, 1, 0, 0;", "descriptor was never written"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e = {0};
        assert_int_equal(run_lines(rows[i].lines, 4, &e), STATUS_SUBJECT);
        if (!strstr(e.why, rows[i].why))
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, e.why, rows[i].why);
    }
}

static void wgmma_of_warps_that_differ_is_a_fault_of_the_kernel(void **state)
{
    (void)state;
    struct error e = {0};
#define MMA "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 " D4 ", " A4 ", %bdesc, 0, 1, 1, 0;\n"
    assert_int_equal(
        run_lines("setp.lt.u32 %p, %t, 32;\n@%p bra other;\n" MMA "bra.uni on;\nother:\n" MMA "on:", 4, &e),
        STATUS_SUBJECT);
    assert_non_null(strstr(e.why, "executes another wgmma"));
    /* One warp leaves its wgmma out: the others wait for it for ever. */
    assert_int_equal(run_lines("setp.lt.u32 %p, %t, 32;\n@%p bra on;\n" MMA "wgmma.commit_group.sync.aligned;\n"
                               "wgmma.wait_group.sync.aligned 0;\non:",
                               4, &e),
                     STATUS_SUBJECT);
    assert_non_null(strstr(e.why, "deadlock"));
    /* A part of a warp. */
    assert_int_equal(run_lines("setp.lt.u32 %p, %t, 16;\n@%p bra on;\n" MMA "on:", 4, &e), STATUS_SUBJECT);
}

static void wgmma_without_a_warpgroup_is_a_fault_of_the_kernel(void **state)
{
    (void)state;
    static const struct {
        uint32_t threads;
        const char *why;
    } rows[] = {{96, "no four warps"}, {112, "less than 128"}};
    for (size_t n = 0; n < 2; n++) {
        struct error e = {0};
        memset(&kernel, 0, sizeof kernel);
        kernel.registers = 4;
        kernel.threads = rows[n].threads;
        ptx_begin(&kernel);
        ptx_line(&kernel, "%s", MMA);
        ptx_end(&kernel);
        assert_int_equal(ptx_run(&kernel, &e), STATUS_SUBJECT);
        if (!strstr(e.why, rows[n].why))
            fail_msg("\"%s\" does not say \"%s\"", e.why, rows[n].why);
    }
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static enum status run_again(void *context, struct error *e)
{
    (void)context;
    return ptx_run(&kernel, e);
}

static void wgmma_without_memory_says_so(void **state)
{
    (void)state;
    memset(&kernel, 0, sizeof kernel);
    kernel.registers = 4;
    kernel.b_descriptor = UINT64_C(8) << 32 | UINT64_C(8) << 16 | B_AT >> 4;
    ptx_begin(&kernel);
    ptx_line(&kernel, "wgmma.fence.sync.aligned;\n%s", MMA);
    ptx_line(&kernel, "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;");
    ptx_end(&kernel);
    long before = alloc_live();
    assert_true(alloc_check(run_again, NULL, NULL) > 8);
    assert_int_equal(alloc_live(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wgmma_rs_of_one_hot_rows_gives_rows_of_b),
        cmocka_unit_test(wgmma_ss_of_one_hot_rows_gives_rows_of_b),
        cmocka_unit_test(wgmma_of_every_family_multiplies),
        cmocka_unit_test(wgmma_of_every_n_multiplies),
        cmocka_unit_test(wgmma_of_every_layout_and_flag_multiplies),
        cmocka_unit_test(wgmma_of_integers_wraps_or_saturates),
        cmocka_unit_test(see_of_two_wgmma_shows_a_of_every_warp),
        cmocka_unit_test(wgmma_that_is_not_modelled_is_refused),
        cmocka_unit_test(wgmma_of_a_wrong_descriptor_is_a_fault_of_the_kernel),
        cmocka_unit_test(wgmma_of_warps_that_differ_is_a_fault_of_the_kernel),
        cmocka_unit_test(wgmma_without_a_warpgroup_is_a_fault_of_the_kernel),
        cmocka_unit_test(wgmma_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
