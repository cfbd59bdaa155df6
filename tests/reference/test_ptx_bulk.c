#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/ptx_kernel.h"
#include "tests/support/splitmix.h"

enum { BYTES = 16384, UNTOUCHED = 0xee };

static uint8_t input[BYTES];

static int fill_input(void **state)
{
    (void)state;
    struct splitmix random = {7};
    for (size_t n = 0; n < sizeof input; n++)
        input[n] = (uint8_t)(splitmix_next(&random) | 1); /* never 0 */
    return 0;
}

/* 64 threads fill 16 KiB of the buffer with 0xee; thread 0 makes an mbarrier of one arrival. */
#define FILL                                                                                                           \
    "shl.b32 %r8, %r0, 2; mov.u32 %r9, 0xeeeeeeee;\n"                                                                  \
    "F: add.s32 %r10, %r2, %r8; st.shared.u32 [%r10], %r9; add.s32 %r8, %r8, 256; setp.lt.u32 %p1, %r8, 16384; "       \
    "@%p1 bra F;\n"                                                                                                    \
    "@%p0 mbarrier.init.shared.b64 [%r3], 1; fence.mbarrier_init.release.cluster; fence.proxy.async; bar.sync 0;\n"
/* The buffer from the input, as threads copy. */
#define LOAD                                                                                                           \
    "shl.b32 %r8, %r0, 2;\n"                                                                                           \
    "G: add.s32 %r10, %r2, %r8; mul.wide.u32 %d8, %r8, 1; add.s64 %d8, %d8, %d1; ld.global.u32 %r9, [%d8]; "           \
    "st.shared.u32 [%r10], %r9; add.s32 %r8, %r8, 256; setp.lt.u32 %p1, %r8, 16384; @%p1 bra G;\n"                     \
    "fence.proxy.async.shared::cta; bar.sync 0;\n"
#define WAIT "W: mbarrier.try_wait.parity.shared.b64 %p1, [%r3], 0; @!%p1 bra W;\n"
/* 16 KiB of the buffer to the output. */
#define DUMP                                                                                                           \
    "shl.b32 %r8, %r0, 2;\n"                                                                                           \
    "D: add.s32 %r10, %r2, %r8; mul.wide.u32 %d8, %r8, 1; add.s64 %d8, %d8, %d0; ld.shared.u32 %r9, [%r10]; "          \
    "st.global.u32 [%d8], %r9; add.s32 %r8, %r8, 256; setp.lt.u32 %p1, %r8, 16384; @%p1 bra D;\n"

static struct ptx_kernel kernel(const char *body, enum vm_order order)
{
    return (struct ptx_kernel){.body = body,
                               .blocks = 1,
                               .threads = 64,
                               .order = order,
                               .in = input,
                               .in_bytes = sizeof input,
                               .out_bytes = BYTES};
}

static void expect_bytes(const uint8_t *got, const uint8_t *want, const char *what)
{
    for (size_t n = 0; n < BYTES; n++)
        if (got[n] != want[n])
            fail_msg("byte %zu: 0x%02x, wanted 0x%02x: %s", n, got[n], want[n], what);
}

static void expect_run(const char *body, const uint8_t *want)
{
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct ptx_kernel k = kernel(body, (enum vm_order)order);
        struct ptx_done d = ptx_kernel_good(&k);
        expect_bytes(d.out, want, body);
        ptx_done_free(&d);
    }
}

#define TWO_LOADS(space)                                                                                               \
    FILL "@!%p0 bra W; mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 2096;\n"                                         \
         "cp.async.bulk." space ".global.mbarrier::complete_tx::bytes [%r2 + 32], [%d1 + 48], 2080, [%r3];\n"          \
         "cp.async.bulk." space ".global.mbarrier::complete_tx::bytes.L2::cache_hint [%r2 + 8000], [%d1], 16, [%r3], " \
         "%d0;\n" WAIT DUMP

static void bulk_load_bytes_come_with_their_mbarrier(void **state)
{
    (void)state;
    uint8_t want[BYTES];
    memset(want, UNTOUCHED, sizeof want);
    memcpy(want + 32, input + 48, 2080);
    memcpy(want + 8000, input, 16);
    expect_run(TWO_LOADS("shared::cluster"), want);
    expect_run(TWO_LOADS("shared::cta"), want);
}

/* What was not waited for is there early and not there late. */
static void bulk_load_without_a_wait_the_orders_differ(void **state)
{
    (void)state;
    const char *body = FILL "@!%p0 bra OUT; mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 16;\n"
                            "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%d1], 16, "
                            "[%r3];\nld.shared.u32 %r20, [%r2]; st.global.u32 [%d0], %r20; OUT:";
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct ptx_kernel k = kernel(body, (enum vm_order)order);
        struct ptx_done d = ptx_kernel_good(&k);
        if (order == VM_LATE)
            assert_int_equal(d.out[0], UNTOUCHED);
        else
            assert_memory_equal(d.out, input, 4);
        ptx_done_free(&d);
    }
}

static void bulk_store_groups_end_at_their_wait(void **state)
{
    (void)state;
    const char *body =
        LOAD "@!%p0 bra OUT; cp.async.bulk.global.shared::cta.bulk_group [%d0 + 64], [%r2 + 128], 1600;\n"
             "cp.async.bulk.commit_group; cp.async.bulk.global.shared::cta.bulk_group.L2::cache_hint [%d0 + 4096], "
             "[%r2], 16, "
             "%d1; cp.async.bulk.commit_group;\n"
             "cp.async.bulk.wait_group.read 1; ld.global.u32 %r20, [%d0 + 64]; st.global.u32 [%d0 + 8192], %r20;\n"
             "ld.global.u32 %r20, [%d0 + 4096]; st.global.u32 [%d0 + 8196], %r20; cp.async.bulk.wait_group 0;\n"
             "ld.global.u32 %r20, [%d0 + 4096]; st.global.u32 [%d0 + 8200], %r20; OUT:";
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        uint8_t want[BYTES] = {0};
        memcpy(want + 64, input + 128, 1600);
        memcpy(want + 4096, input, 16);
        memcpy(want + 8192, input + 128, 4);
        if (order == VM_EARLY)
            memcpy(want + 8196, input, 4);
        memcpy(want + 8200, input, 4);
        struct ptx_kernel k = kernel(body, (enum vm_order)order);
        struct ptx_done d = ptx_kernel_good(&k);
        expect_bytes(d.out, want, body);
        ptx_done_free(&d);
    }
}

/* Nobody waits, nobody commits: the end of the block does. */
static void bulk_store_nobody_waits_for_is_done_at_the_end(void **state)
{
    (void)state;
    uint8_t want[BYTES] = {0};
    memcpy(want, input, 4096);
    expect_run(LOAD "@%p0 cp.async.bulk.global.shared::cta.bulk_group [%d0], [%r2], 4096;", want);
}

static uint32_t count_hazards(const char *body)
{
    struct ptx_kernel k = kernel(body, VM_LATE);
    struct ptx_done d = ptx_kernel_run(&k);
    assert_int_equal(d.status, STATUS_OK);
    assert_true(d.report.hazards == 0 || d.report.hazard[0].line == PTX_KERNEL_LINE + 1);
    ptx_done_free(&d);
    return d.report.hazards;
}

#define STORED(fence)                                                                                                  \
    "@%p0 st.shared.u32 [%r2], %r0; " fence " bar.sync 0;\n"                                                           \
    "@%p0 cp.async.bulk.global.shared::cta.bulk_group [%d0], [%r2], 16;"

static void bulk_store_of_what_no_fence_covers_is_a_hazard(void **state)
{
    (void)state;
    assert_int_equal(count_hazards(STORED("")), 1);
    assert_int_equal(count_hazards(STORED("fence.proxy.async.global;")), 1);
    assert_int_equal(count_hazards(STORED("fence.proxy.alias;")), 1);
    assert_int_equal(count_hazards(STORED("fence.proxy.async;")), 0);
    assert_int_equal(count_hazards(STORED("fence.proxy.async.shared::cta;")), 0);
    assert_int_equal(count_hazards(STORED("fence.proxy.async.shared::cluster;")), 0);
}

/* A bulk copy over it is of the same proxy. */
static void bulk_store_of_what_a_bulk_load_brought_is_no_hazard(void **state)
{
    (void)state;
    assert_int_equal(
        count_hazards(
            "@!%p0 bra OUT; mbarrier.init.shared.b64 [%r3], 1; st.shared.u32 [%r2], %r0;\n"
            "mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 16;\n"
            "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%d1], 16, [%r3];\n" WAIT
            "cp.async.bulk.global.shared::cta.bulk_group [%d0], [%r2], 16; OUT:"),
        0);
}

#define CLUSTER "barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;\n"

/* Block 0 sends half of what it has to block 1, which waits at its own mbarrier. */
static void bulk_between_blocks_completes_at_the_other(void **state)
{
    (void)state;
    const char *body = FILL CLUSTER
        "setp.ne.u32 %p2, %r1, 0; @%p2 bra TAKE;\n" LOAD
        "@!%p0 bra OUT; mov.u32 %r20, 1; mapa.shared::cluster.u32 %r21, "
        "%r2, %r20; mapa.shared::cluster.u32 %r22, %r3, %r20;\n"
        "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r21 + 256], [%r2], 8192, [%r22];\n"
        "bra.uni OUT; TAKE: @%p0 mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 8192;\n" WAIT DUMP "OUT: " CLUSTER;
    uint8_t want[BYTES];
    memset(want, UNTOUCHED, sizeof want);
    memcpy(want + 256, input, 8192);
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct ptx_kernel k = kernel(body, (enum vm_order)order);
        k.blocks = k.cluster = 2;
        struct ptx_done d = ptx_kernel_good(&k);
        expect_bytes(d.out, want, body);
        ptx_done_free(&d);
    }
}

/* Both blocks get what block 1 asks for; each has its own mbarrier at the same offset. */
static void bulk_multicast_goes_to_every_block_of_the_mask(void **state)
{
    (void)state;
    const char *body =
        FILL "@%p0 mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 128;\n" CLUSTER
             "setp.ne.u32 %p2, %r1, 2; @%p2 bra W; @!%p0 bra W; mov.u16 %h1, 5;\n"
             "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r2 + "
             "64], [%d1 + 16], 128, [%r3], %h1;\n"
             "W: setp.eq.u32 %p2, %r1, 1; @%p2 bra NONE;\n"
             "V: mbarrier.try_wait.parity.shared.b64 %p1, [%r3], 0; @!%p1 bra V;\nNONE: " CLUSTER
             "mul.wide.u32 %d9, %r1, 4096; add.s64 %d0, %d0, %d9; ld.shared.u32 %r20, [%r2 + 64];\n"
             "@%p0 st.global.u32 [%d0], %r20;";
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct ptx_kernel k = kernel(body, (enum vm_order)order);
        k.blocks = k.cluster = 3;
        struct ptx_done d = ptx_kernel_good(&k);
        assert_memory_equal(d.out, input + 16, 4);
        assert_int_equal(d.out[4096], UNTOUCHED);
        assert_memory_equal(d.out + 8192, input + 16, 4);
        ptx_done_free(&d);
    }
}

static void reduce_bulk_adds_to_what_is_there(void **state)
{
    (void)state;
    const char *body = LOAD "@!%p0 bra OUT; mov.u32 %r20, 0;\n"
                            "L: cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%d0], [%r2], 256;\n"
                            "add.s32 %r20, %r20, 1; setp.lt.u32 %p2, %r20, 3; @%p2 bra L;\n"
                            "cp.reduce.async.bulk.global.shared::cta.bulk_group.xor.b64 [%d0 + 256], [%r2], 64;\n"
                            "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.noftz.f16 [%d0 + 512], [%r2 + 64], "
                            "0; cp.async.bulk.commit_group; cp.async.bulk.wait_group 0; OUT:";
    uint8_t want[BYTES] = {0};
    for (size_t n = 0; n < 64; n++) {
        uint32_t x;
        memcpy(&x, input + 4 * n, 4);
        x *= 3;
        memcpy(want + 4 * n, &x, 4);
    }
    memcpy(want + 256, input, 64);
    expect_run(body, want);
}

static void reduce_bulk_into_shared_memory(void **state)
{
    (void)state;
    const char *body =
        "@%p0 mbarrier.init.shared.b64 [%r3], 1;\n" LOAD
        "@!%p0 bra W; mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 128;\n"
        "cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.add.s32 [%r2], [%r2 "
        "+ 512], 128, [%r3];\n" WAIT DUMP;
    uint8_t want[BYTES];
    memcpy(want, input, sizeof want);
    for (size_t n = 0; n < 32; n++) {
        uint32_t x, y;
        memcpy(&x, input + 4 * n, 4);
        memcpy(&y, input + 512 + 4 * n, 4);
        x += y;
        memcpy(want + 4 * n, &x, 4);
    }
    expect_run(body, want);
}

static void expect_bad(const char *text, const char *why)
{
    char body[2048];
    snprintf(body, sizeof body, "@!%%p0 bra OUT; mbarrier.init.shared.b64 [%%r3], 1;\n%s OUT: " CLUSTER, text);
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct ptx_kernel k = kernel(body, (enum vm_order)order);
        k.blocks = k.cluster = 2;
        ptx_kernel_bad(&k, STATUS_SUBJECT, 2, why);
    }
}

#define IN     "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
#define IN_CTA "cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes "
#define OUT    "cp.async.bulk.global.shared::cta.bulk_group "
#define OTHER                                                                                                          \
    "xor.b32 %r20, %r1, 1; mapa.shared::cluster.u32 %r21, %r2, %r20; mapa.shared::cluster.u32 %r22, %r3, %r20; "

static void bulk_misused_is_a_fault(void **state)
{
    (void)state;
    expect_bad(IN "[%r2], [%d1], 24, [%r3];", "so many bytes");
    expect_bad(IN "[%r2], [%d1 + 8], 16, [%r3];", "global memory not aligned");
    expect_bad(IN "[%r2 + 8], [%d1], 16, [%r3];", "shared memory not aligned to 16");
    expect_bad(IN "[%r2], [%d1], 16, [%r3 + 4];", "not aligned to 8");
    expect_bad(IN "[%r2], [%d1], 16, [%r3 + 8];", "was not initialised");
    expect_bad(IN "[%r2], [%d1 + 16384], 16, [%r3];", "outside global memory");
    expect_bad(OUT "[%d0 + 16384], [%r2], 16;", "outside global memory");
    expect_bad(OUT "[%d0], [16], 16;", "outside shared memory");
    expect_bad(IN "[%r2], [%d1], 1048576, [%r3];", "so many bytes");
    expect_bad(OTHER IN "[%r21], [%d1], 16, [%r3];", "the mbarrier of another");
    expect_bad(OTHER IN_CTA "[%r21], [%d1], 16, [%r3];", "must be the own");
    expect_bad(OTHER IN_CTA "[%r2], [%d1], 16, [%r22];", "only the own block's");
    expect_bad(OTHER OUT "[%d0], [%r21], 16;", "must be the own");
    expect_bad("mov.u16 %h1, 4; cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
               "[%r2], [%d1], 16, [%r3], %h1;",
               "that the cluster does not have");
}

static void prepare_forms_are_known_or_not_modelled(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum status s;
    } forms[] = {
        {"cp.async.bulk.prefetch.L2.global [%d1], 64;", STATUS_OK},
        {"cp.async.bulk.prefetch.L2.global.L2::cache_hint [%d1], 64, %d0;", STATUS_OK},
        {"cp.async.bulk.prefetch.tensor.2d.L2.global [%d2, {%r0, %r0}];", STATUS_OK},
        {"cp.async.bulk.prefetch.tensor.4d.L2.global.tile [%d2, {%r0, %r0, 1, 2}];", STATUS_OK},
        {"prefetch.tensormap [%d2];", STATUS_OK},
        {"prefetch.param.tensormap [map];", STATUS_OK},
        {"cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0;", STATUS_OK},
        {"tensormap.replace.tile.global_address.shared::cta.b1024.b64 [%r2], %d0;", STATUS_UNSUPPORTED},
        {"tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync.aligned [%d0], [%r2], 128;",
         STATUS_UNSUPPORTED},
        {"cp.async.bulk.global.shared::cta.bulk_group.cp_mask [%d0], [%r2], 16, %h1;", STATUS_UNSUPPORTED},
        {"cp.async.bulk.global.shared::cta.mbarrier::complete_tx::bytes [%d0], [%r2], 16, [%r3];", STATUS_UNSUPPORTED},
        {"cp.async.bulk.shared::cta.shared::cta.mbarrier::complete_tx::bytes [%r2], [%r2], 16, [%r3];",
         STATUS_UNSUPPORTED},
        {"cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f16 [%d0], [%r2], 16;", STATUS_UNSUPPORTED},
        {"cp.reduce.async.bulk.global.shared::cta.bulk_group.min.f32 [%d0], [%r2], 16;", STATUS_UNSUPPORTED},
        {"cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.add.f32 [%r2], [%r2], 16, "
         "[%r3];",
         STATUS_UNSUPPORTED},
        {"cp.async.bulk.tensor.2d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%r2], [%d2, {%r0, %r0}], "
         "[%r3];",
         STATUS_UNSUPPORTED},
        {"cp.async.bulk.tensor.2d.shared::cluster.global.tile::gather4.mbarrier::complete_tx::bytes [%r2], [%d2, {%r0, "
         "%r0}], [%r3];",
         STATUS_UNSUPPORTED},
        {"cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%d2, {%r0, %r0}], [%r3];",
         STATUS_UNSUPPORTED},
    };
    for (size_t n = 0; n < sizeof forms / sizeof *forms; n++) {
        struct ptx_kernel k = kernel(forms[n].body, VM_LATE);
        struct ptx_done d = ptx_kernel_run(&k);
        if (d.status != forms[n].s)
            fail_msg("%s: %s %s", forms[n].body, status_name(d.status), d.error.why);
        ptx_done_free(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bulk_load_bytes_come_with_their_mbarrier),
        cmocka_unit_test(bulk_load_without_a_wait_the_orders_differ),
        cmocka_unit_test(bulk_store_groups_end_at_their_wait),
        cmocka_unit_test(bulk_store_nobody_waits_for_is_done_at_the_end),
        cmocka_unit_test(bulk_store_of_what_no_fence_covers_is_a_hazard),
        cmocka_unit_test(bulk_store_of_what_a_bulk_load_brought_is_no_hazard),
        cmocka_unit_test(bulk_between_blocks_completes_at_the_other),
        cmocka_unit_test(bulk_multicast_goes_to_every_block_of_the_mask),
        cmocka_unit_test(reduce_bulk_adds_to_what_is_there),
        cmocka_unit_test(reduce_bulk_into_shared_memory),
        cmocka_unit_test(bulk_misused_is_a_fault),
        cmocka_unit_test(prepare_forms_are_known_or_not_modelled),
    };
    return cmocka_run_group_tests_name("reference/ptx_bulk", tests, fill_input, NULL);
}
