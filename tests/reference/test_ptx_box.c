/* Boxes of tensor maps, copied by kernels of a few lines, against loops over single elements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/ptx_kernel.h"
#include "tests/support/splitmix.h"

enum { BYTES = 16384, UNTOUCHED = 0xee, PLACE = 2176 }; /* of the box in the buffer: 17 x 128 */

static uint8_t input[BYTES];

static int fill_input(void **state)
{
    (void)state;
    struct splitmix random = {11};
    for (size_t n = 0; n < sizeof input; n++)
        input[n] = (uint8_t)(splitmix_next(&random) % 100 + 1);
    return 0;
}

#define FILL                                                                                                           \
    "shl.b32 %r8, %r0, 2; mov.u32 %r9, 0xeeeeeeee;\n"                                                                  \
    "F: add.s32 %r10, %r2, %r8; st.shared.u32 [%r10], %r9; add.s32 %r8, %r8, 256; setp.lt.u32 %p1, %r8, 16384; "       \
    "@%p1 bra F;\n"                                                                                                    \
    "@%p0 mbarrier.init.shared.b64 [%r3], 1; fence.proxy.async; bar.sync 0;\n"
#define LOAD                                                                                                           \
    "shl.b32 %r8, %r0, 2;\n"                                                                                           \
    "G: add.s32 %r10, %r2, %r8; mul.wide.u32 %d8, %r8, 1; add.s64 %d8, %d8, %d1; ld.global.u32 %r9, [%d8]; "           \
    "st.shared.u32 [%r10], %r9; add.s32 %r8, %r8, 256; setp.lt.u32 %p1, %r8, 16384; @%p1 bra G;\n"                     \
    "fence.proxy.async.shared::cta; bar.sync 0;\n"
#define WAIT "W: mbarrier.try_wait.parity.shared.b64 %p1, [%r3], 0; @!%p1 bra W;\n"
#define DUMP                                                                                                           \
    "shl.b32 %r8, %r0, 2;\n"                                                                                           \
    "D: add.s32 %r10, %r2, %r8; mul.wide.u32 %d8, %r8, 1; add.s64 %d8, %d8, %d0; ld.shared.u32 %r9, [%r10]; "          \
    "st.global.u32 [%d8], %r9; add.s32 %r8, %r8, 256; setp.lt.u32 %p1, %r8, 16384; @%p1 bra D;\n"

/* "{1, -2, ...}" */
static const char *coordinates(const struct vm_tensor_map *m, const int32_t at[VM_TENSOR_RANK], char *text, size_t size)
{
    size_t used = 0;
    for (unsigned d = 0; d < m->rank; d++)
        used += (size_t)snprintf(text + used, size - used, "%s%d", d ? ", " : "{", at[d]);
    snprintf(text + used, size - used, "}");
    return text;
}

static unsigned elements_of(const struct vm_tensor_map *m, unsigned d)
{
    unsigned n = 0;
    for (unsigned x = 0; x < m->box[d]; x += d ? m->step[d] : 1)
        n++;
    return n;
}

static unsigned bytes_of(const struct vm_tensor_map *m)
{
    unsigned bytes = m->element_bytes;
    for (unsigned d = 0; d < m->rank; d++)
        bytes *= elements_of(m, d);
    return bytes;
}

/* Where byte `at` of a box without swizzle lies with it, as tables of sixteenths of lines of 128 bytes: line l of a
 * pattern holds chunk c of the box at place table[l][c]. needs: the box begins at a multiple of 128. The buffer begins
 * at a multiple of 1024. */
static unsigned swizzled(unsigned swizzle, unsigned at)
{
    static const unsigned char by128[8][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6},
                                              {2, 3, 0, 1, 6, 7, 4, 5}, {3, 2, 1, 0, 7, 6, 5, 4},
                                              {4, 5, 6, 7, 0, 1, 2, 3}, {5, 4, 7, 6, 1, 0, 3, 2},
                                              {6, 7, 4, 5, 2, 3, 0, 1}, {7, 6, 5, 4, 3, 2, 1, 0}},
                               by64[4][8] = {{0, 1, 2, 3, 4, 5, 6, 7},
                                             {1, 0, 3, 2, 5, 4, 7, 6},
                                             {2, 3, 0, 1, 6, 7, 4, 5},
                                             {3, 2, 1, 0, 7, 6, 5, 4}},
                               by32[2][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6}};
    unsigned line = at / 128, chunk = at / 16 % 8;
    unsigned place = swizzle == 128  ? by128[line % 8][chunk]
                     : swizzle == 64 ? by64[line % 4][chunk]
                     : swizzle == 32 ? by32[line % 2][chunk]
                                     : chunk;
    return line * 128 + place * 16 + at % 16;
}

typedef void element_each(unsigned shared, bool inside, uint64_t global, unsigned bytes, void *context);

/* Every element of a box: its place in the buffer, and in the tensor if it is inside. */
static void walk(const struct vm_tensor_map *m, const int32_t at[VM_TENSOR_RANK], element_each *each, void *context)
{
    unsigned count[VM_TENSOR_RANK], index[VM_TENSOR_RANK] = {0}, total = 1;
    for (unsigned d = 0; d < VM_TENSOR_RANK; d++) {
        count[d] = d < m->rank ? elements_of(m, d) : 1;
        total *= count[d];
    }
    for (unsigned n = 0; n < total; n++) {
        bool inside = true;
        uint64_t global = 0;
        for (unsigned d = 0; d < m->rank; d++) {
            int64_t x = (int64_t)at[d] + (int64_t)index[d] * (d ? m->step[d] : 1);
            inside = inside && x >= 0 && x < (int64_t)m->extent[d];
            if (inside)
                global += (uint64_t)x * m->stride[d];
        }
        each(swizzled(m->swizzle, PLACE + n * m->element_bytes), inside, global, m->element_bytes, context);
        for (unsigned d = 0; d < VM_TENSOR_RANK && ++index[d] == count[d]; d++)
            index[d] = 0;
    }
}

static struct ptx_kernel kernel(const char *body, const struct vm_tensor_map *m, bool of_out, enum vm_order order)
{
    return (struct ptx_kernel){.body = body,
                               .blocks = 1,
                               .threads = 64,
                               .order = order,
                               .in = input,
                               .in_bytes = sizeof input,
                               .out_bytes = BYTES,
                               .map = m,
                               .map_of_out = of_out};
}

static void expect_bytes(const uint8_t *got, const uint8_t *want, const char *what)
{
    for (size_t n = 0; n < BYTES; n++)
        if (got[n] != want[n])
            fail_msg("byte %zu: 0x%02x, wanted 0x%02x: %s", n, got[n], want[n], what);
}

struct loaded {
    uint8_t *want;
    const uint8_t *fill; /* of what is outside */
    unsigned inside;
};

static void load_one(unsigned shared, bool inside, uint64_t global, unsigned bytes, void *context)
{
    struct loaded *l = context;
    l->inside += inside;
    memcpy(l->want + shared, inside ? input + global : l->fill, bytes);
}

/* returns the number of elements that are inside. */
static unsigned expect_load(const struct vm_tensor_map *m, const int32_t at[VM_TENSOR_RANK], const uint8_t fill[8])
{
    uint8_t want[BYTES];
    char text[4096], where[96];
    struct loaded l = {want, fill, 0};
    memset(want, UNTOUCHED, sizeof want);
    walk(m, at, load_one, &l);
    snprintf(text, sizeof text,
             "%s @!%%p0 bra W; mbarrier.arrive.expect_tx.shared.b64 _, [%%r3], %u;\n"
             "cp.async.bulk.tensor.%dd.shared::cluster.global%s.mbarrier::complete_tx::bytes [%%r2 + %d], [%%d2, %s], "
             "[%%r3];\n%s%s",
             FILL, bytes_of(m), m->rank, m->rank % 2 ? ".tile" : "", PLACE, coordinates(m, at, where, sizeof where),
             WAIT, DUMP);
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct ptx_kernel k = kernel(text, m, false, (enum vm_order)order);
        struct ptx_done d = ptx_kernel_good(&k);
        expect_bytes(d.out, want, text);
        assert_int_equal(d.report.approximate != NULL, m->fill_nan);
        ptx_done_free(&d);
    }
    return l.inside;
}

/* 128 bytes a row, 16 columns: what a kernel loads for a wgmma. */
static const struct vm_tensor_map plain = {.rank = 2,
                                           .element_bytes = 2,
                                           .extent = {72, 40},
                                           .stride = {2, 160},
                                           .box = {64, 24},
                                           .step = {1, 1},
                                           .type = VM_BF16};

static void tensor_load_all_swizzles(void **state)
{
    (void)state;
    static const uint8_t zero[8];
    static const uint8_t widths[] = {0, 32, 64, 128};
    for (size_t n = 0; n < sizeof widths; n++) {
        struct vm_tensor_map m = plain;
        m.swizzle = widths[n];
        if (m.swizzle)
            m.box[0] = m.swizzle / 2;
        assert_int_equal(expect_load(&m, (const int32_t[VM_TENSOR_RANK]){8, 16}, zero), 24u * m.box[0]);
    }
}

static void tensor_load_outside_is_filled(void **state)
{
    (void)state;
    static const uint8_t zero[8], nan16[8] = {0xff, 0x7f}, nan32[8] = {0xff, 0xff, 0xff, 0x7f};
    struct vm_tensor_map m = plain;
    m.swizzle = 128;
    assert_int_equal(expect_load(&m, (const int32_t[VM_TENSOR_RANK]){-3, -5}, zero), 61 * 19);
    assert_int_equal(expect_load(&m, (const int32_t[VM_TENSOR_RANK]){60, 30}, zero), 12 * 10);
    assert_int_equal(expect_load(&m, (const int32_t[VM_TENSOR_RANK]){72, 0}, zero), 0);
    assert_int_equal(expect_load(&m, (const int32_t[VM_TENSOR_RANK]){0, -24}, zero), 0);
    assert_int_equal(expect_load(&m, (const int32_t[VM_TENSOR_RANK]){INT32_MIN, INT32_MAX}, zero), 0);
    m.fill_nan = 1;
    assert_int_equal(expect_load(&m, (const int32_t[VM_TENSOR_RANK]){-3, 20}, nan16), 61 * 20);
    m = (struct vm_tensor_map){.rank = 1,
                               .element_bytes = 4,
                               .extent = {37},
                               .stride = {4},
                               .box = {64},
                               .step = {1},
                               .type = VM_F32,
                               .fill_nan = 1};
    assert_int_equal(expect_load(&m, (const int32_t[VM_TENSOR_RANK]){5}, nan32), 32);
}

/* Any rank, element, box, step and place, from a seed. */
static void random_map(struct splitmix *random, struct vm_tensor_map *m, int32_t at[VM_TENSOR_RANK])
{
    static const struct {
        uint8_t type, bytes;
    } types[] = {{VM_U8, 1}, {VM_BF16, 2}, {VM_F32, 4}, {VM_U64, 8}};
    static const uint8_t widths[] = {0, 32, 64, 128};
    size_t type = splitmix_below(random, 4);
    *m = (struct vm_tensor_map){.rank = (uint8_t)splitmix_between(random, 1, 5),
                                .element_bytes = types[type].bytes,
                                .type = types[type].type,
                                .swizzle = widths[splitmix_below(random, 4)]};
    unsigned row = m->swizzle ? m->swizzle : 16 * (unsigned)splitmix_between(random, 1, 6);
    uint64_t stride = 0;
    for (unsigned d = 0; d < m->rank; d++) {
        m->extent[d] = (uint32_t)splitmix_between(random, 1, d ? 5 : 130 / m->element_bytes);
        m->stride[d] = d == 0 ? m->element_bytes : stride;
        stride = d == 0 ? (m->extent[0] * m->element_bytes + 15) / 16 * 16 : stride * m->extent[d];
        m->box[d] = (uint16_t)(d ? (unsigned)splitmix_between(random, 1, 4) : row / m->element_bytes);
        m->step[d] = (uint8_t)splitmix_between(random, 1, 3);
        at[d] = splitmix_between(random, -(int)m->box[d] / 2, (int)m->extent[d]);
    }
    m->step[0] = 1;
}

/* 5^4 rows of at most 144 bytes do not fit: such a tensor is passed over. */
static bool fits(const struct vm_tensor_map *m)
{
    uint64_t bytes = (uint64_t)m->extent[0] * m->element_bytes;
    for (unsigned d = 1; d < m->rank; d++)
        bytes += (m->extent[d] - 1) * m->stride[d];
    return bytes <= BYTES && bytes_of(m) + PLACE <= BYTES;
}

static void tensor_load_random_maps(void **state)
{
    (void)state;
    static const uint8_t zero[8];
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0, inside = 0;
    while (ran < 120) {
        struct vm_tensor_map m;
        int32_t at[VM_TENSOR_RANK];
        random_map(&random, &m, at);
        if (!fits(&m))
            continue;
        inside += expect_load(&m, at, zero);
        ran++;
    }
    assert_true(inside > 1000);
}

struct stored {
    uint8_t *want;
    unsigned inside;
};

static void store_one(unsigned shared, bool inside, uint64_t global, unsigned bytes, void *context)
{
    struct stored *s = context;
    if (inside)
        memcpy(s->want + global, input + shared, bytes);
    s->inside += inside;
}

/* What is already there is 0: add, or, xor and max of unsigned are stores; what is outside is dropped. */
static void add_one(unsigned shared, bool inside, uint64_t global, unsigned bytes, void *context)
{
    struct stored *s = context;
    uint32_t to, from;
    assert_int_equal(bytes, 4);
    if (inside) {
        memcpy(&to, s->want + global, 4);
        memcpy(&from, input + shared, 4);
        to += from;
        memcpy(s->want + global, &to, 4);
    }
    s->inside += inside;
}

static unsigned expect_store(const struct vm_tensor_map *m, const int32_t at[VM_TENSOR_RANK], const char *opcode,
                             const char *words, element_each *each, unsigned times)
{
    uint8_t want[BYTES] = {0};
    char text[4096], where[96], one[256];
    struct stored s = {want, 0};
    for (unsigned n = 0; n < times; n++)
        walk(m, at, each, &s);
    snprintf(one, sizeof one, "%s.%dd.global.shared::cta%s.bulk_group [%%d2, %s], [%%r2 + %d];\n", opcode, m->rank,
             words, coordinates(m, at, where, sizeof where), PLACE);
    snprintf(text, sizeof text,
             "%s @!%%p0 bra OUT;\n%s%scp.async.bulk.commit_group; cp.async.bulk.wait_group 0; OUT:", LOAD, one,
             times > 1 ? one : "");
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct ptx_kernel k = kernel(text, m, true, (enum vm_order)order);
        struct ptx_done d = ptx_kernel_good(&k);
        expect_bytes(d.out, want, text);
        ptx_done_free(&d);
    }
    return s.inside;
}

static void tensor_store_random_maps(void **state)
{
    (void)state;
    struct splitmix random = {splitmix_seed() + 1};
    unsigned ran = 0, inside = 0;
    while (ran < 80) {
        struct vm_tensor_map m;
        int32_t at[VM_TENSOR_RANK];
        random_map(&random, &m, at);
        if (!fits(&m))
            continue;
        inside += expect_store(&m, at, "cp.async.bulk.tensor", ran % 2 ? ".tile" : "", store_one, 1);
        ran++;
    }
    assert_true(inside > 500);
}

static void tensor_reduce_adds_inside_alone(void **state)
{
    (void)state;
    struct vm_tensor_map m = plain;
    m.element_bytes = 4;
    m.stride[0] = 4;
    m.extent[0] = 30;
    m.box[0] = 32;
    m.swizzle = 128;
    m.type = VM_U32;
    const int32_t at[VM_TENSOR_RANK] = {-2, 20};
    assert_int_equal(expect_store(&m, at, "cp.reduce.async.bulk.tensor", ".add", add_one, 2), 2 * 30 * 20);
    assert_int_equal(expect_store(&m, at, "cp.reduce.async.bulk.tensor", ".or.tile", store_one, 2), 2 * 30 * 20);
    assert_int_equal(expect_store(&m, at, "cp.reduce.async.bulk.tensor", ".max", store_one, 1), 30 * 20);
}

static void expect_bad(const struct vm_tensor_map *m, enum status s, const char *text, const char *why)
{
    char body[2048];
    snprintf(body, sizeof body, "@!%%p0 bra OUT; mbarrier.init.shared.b64 [%%r3], 1;\n%s OUT:", text);
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct ptx_kernel k = kernel(body, m, false, (enum vm_order)order);
        ptx_kernel_bad(&k, s, 2, why);
    }
}

#define TILE(rank) "cp.async.bulk.tensor." #rank "d.shared::cluster.global.mbarrier::complete_tx::bytes "

static void tensor_misused_is_a_fault(void **state)
{
    (void)state;
    struct vm_tensor_map m = plain;
    expect_bad(&m, STATUS_SUBJECT, TILE(2) "[%r2 + 64], [%d2, {0, 0}], [%r3];", "not aligned to 128");
    expect_bad(&m, STATUS_SUBJECT, TILE(1) "[%r2], [%d2, {0}], [%r3];", "another rank: 0x2");
    expect_bad(&m, STATUS_SUBJECT, TILE(2) "[%r2], [%d2 + 16, {0, 0}], [%r3];", "not aligned to 64");
    expect_bad(&m, STATUS_SUBJECT, TILE(2) "[%r2], [%d1, {0, 0}], [%r3];", "no tensor map here");
    expect_bad(&m, STATUS_SUBJECT, TILE(2) "[%r2], [%d2, {0, 0}], [%r3 + 8];", "was not initialised");
    expect_bad(&m, STATUS_SUBJECT, TILE(2) "[%r2 + 32768], [%d2, {0, 0}], [%r3];", "outside shared memory");
    expect_bad(&m, STATUS_SUBJECT,
               "cp.reduce.async.bulk.tensor.2d.global.shared::cta.and.bulk_group [%d2, {0, 0}], [%r2];",
               "cannot be reduced");
    m.swizzle = 64;
    m.box[0] = 16;
    expect_bad(&m, STATUS_UNSUPPORTED, TILE(2) "[%r2], [%d2, {0, 0}], [%r3];", "less than its swizzle");
    m = plain;
    m.extent[1] = 1000; /* the tensor says more than there is */
    expect_bad(&m, STATUS_SUBJECT, TILE(2) "[%r2], [%d2, {0, 600}], [%r3];", "leaves global memory");
    /* 2^40 bytes, of which 32 bits hold none. */
    m = (struct vm_tensor_map){.rank = 5, .element_bytes = 1, .type = VM_U8};
    for (uint32_t d = 0; d < m.rank; d++)
        m.extent[d] = m.box[d] = 256, m.stride[d] = d ? 16 : 1, m.step[d] = 1;
    expect_bad(&m, STATUS_SUBJECT, TILE(5) "[%r2], [%d2, {0, 0, 0, 0, 0}], [%r3];", "a box of more bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensor_load_all_swizzles),        cmocka_unit_test(tensor_load_outside_is_filled),
        cmocka_unit_test(tensor_load_random_maps),         cmocka_unit_test(tensor_store_random_maps),
        cmocka_unit_test(tensor_reduce_adds_inside_alone), cmocka_unit_test(tensor_misused_is_a_fault),
    };
    return cmocka_run_group_tests_name("reference/ptx_box", tests, fill_input, NULL);
}
