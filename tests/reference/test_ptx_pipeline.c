/* A kernel as they are written: a warp that fetches swizzled tiles through a tensor map into a ring of two stages, for
 * both blocks of its cluster, and warps that take them out; and what is seen when a wait is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/alloc.h"
#include "tests/support/ptx_kernel.h"
#include "tests/support/splitmix.h"

enum {
    TILES = 7,
    TILE = 2048,
    CLUSTERS = 2,
    BLOCKS = 2 * CLUSTERS,
    IN = CLUSTERS * TILES * TILE,
    OUT = BLOCKS * TILES * TILE
};

static uint8_t input[IN];

static int fill_input(void **state)
{
    (void)state;
    struct splitmix random = {5};
    for (size_t n = 0; n < sizeof input; n++)
        input[n] = (uint8_t)splitmix_next(&random);
    return 0;
}

#define CLUSTER "barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;\n"
/* full[s] at %r3 + 8 s: one arrival and the bytes of a tile; empty[s] at %r3 + 16 + 8 s: two warps of both blocks. */
#define MAKE                                                                                                           \
    "mov.u32 %r30, %clusterid.x; xor.b32 %r31, %r1, 1;\n@!%p0 bra MADE;\n"                                             \
    "mbarrier.init.shared::cta.b64 [%r3], 1; mbarrier.init.shared::cta.b64 [%r3 + 8], 1;\n"                            \
    "mbarrier.init.shared::cta.b64 [%r3 + 16], 4; mbarrier.init.shared::cta.b64 [%r3 + 24], 4;\n"                      \
    "fence.mbarrier_init.release.cluster;\nMADE: " CLUSTER                                                             \
    "mov.u32 %r20, 0; mov.u32 %r21, 0; mov.u32 %r22, 0;\nsetp.lt.u32 %p2, %r4, 2; @%p2 bra TAKE;\n"
/* %r20 the tile, %r21 its stage, %r22 the parity of its phase. */
#define NEXT(loop)                                                                                                     \
    "add.s32 %r20, %r20, 1; xor.b32 %r21, %r21, 1; setp.eq.u32 %p4, %r21, 0; @%p4 xor.b32 %r22, %r22, 1;\n"            \
    "setp.lt.u32 %p5, %r20, 7; @%p5 bra " loop ";\n"
/* Each block fetches half of the rows for both. */
#define FETCH(wait)                                                                                                    \
    "setp.ne.u32 %p3, %r5, 0; @%p3 bra END; mov.u16 %h1, 3; prefetch.tensormap [%d2];\n"                               \
    "FETCH: mad.lo.s32 %r23, %r21, 8, %r3; xor.b32 %r24, %r22, 1;\n" wait                                              \
    "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r23], 2048;\n"                                                     \
    "mad.lo.s32 %r25, %r21, 2048, %r2; mad.lo.s32 %r25, %r1, 1024, %r25;\n"                                            \
    "mad.lo.s32 %r26, %r30, 7, %r20; shl.b32 %r26, %r26, 4; mad.lo.s32 %r26, %r1, 8, %r26; mov.u32 %r27, 0;\n"         \
    "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%r25], "     \
    "[%d2, {%r27, %r26}], [%r23], %h1;\n" NEXT("FETCH") "bra END;\n"
#define WAIT_EMPTY "E: mbarrier.try_wait.parity.shared::cta.b64 %p6, [%r23 + 16], %r24; @%p6 bra E2; bra E; E2:\n"
/* Each of 64 threads takes two chunks of 16 bytes, from where the swizzle put them. */
#define TAKE(wait, free)                                                                                               \
    "TAKE: shr.u32 %r40, %r0, 2; and.b32 %r41, %r0, 3; shl.b32 %r41, %r41, 1; and.b32 %r42, %r40, 7;\n"                \
    "xor.b32 %r43, %r41, %r42; shl.b32 %r43, %r43, 4; shl.b32 %r44, %r40, 7; add.s32 %r43, %r43, %r44;\n"              \
    "shl.b32 %r45, %r41, 4; add.s32 %r45, %r45, %r44; mov.u32 %r46, %ctaid.x; mad.lo.s32 %r45, %r46, 14336, %r45;\n"   \
    "mul.wide.u32 %d10, %r45, 1; add.s64 %d10, %d10, %d0;\n"                                                           \
    "LOOP: mad.lo.s32 %r23, %r21, 8, %r3;\n" wait                                                                      \
    "mad.lo.s32 %r47, %r21, 2048, %r2; add.s32 %r47, %r47, %r43; xor.b32 %r48, %r47, 16;\n"                            \
    "ld.shared.v4.u32 {%r50, %r51, %r52, %r53}, [%r47]; ld.shared.v4.u32 {%r54, %r55, %r56, %r57}, [%r48];\n"          \
    "st.global.v4.u32 [%d10], {%r50, %r51, %r52, %r53}; st.global.v4.u32 [%d10 + 16], {%r54, %r55, %r56, %r57};\n"     \
    "add.s64 %d10, %d10, 2048; bar.warp.sync -1; setp.ne.u32 %p7, %r5, 0; @%p7 bra FREED;\n" free                      \
    "FREED:\n" NEXT("LOOP") "END: " CLUSTER
#define WAIT_FULL "F: mbarrier.try_wait.parity.shared::cta.b64 %p6, [%r23], %r22; @!%p6 bra F;\n"
#define FREE                                                                                                           \
    "mbarrier.arrive.shared::cta.b64 _, [%r23 + 16]; add.s32 %r60, %r23, 16; mapa.shared::cluster.u32 %r60, %r60, "    \
    "%r31;\nmbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r60];\n"

static struct ptx_done run(const char *body, enum vm_order order)
{
    static const struct vm_tensor_map map = {.rank = 2,
                                             .element_bytes = 2,
                                             .swizzle = 128,
                                             .extent = {64, IN / 128},
                                             .stride = {2, 128},
                                             .box = {64, 8},
                                             .step = {1, 1},
                                             .type = VM_BF16};
    struct ptx_kernel k = {.body = body,
                           .blocks = BLOCKS,
                           .cluster = 2,
                           .threads = 96,
                           .order = order,
                           .in = input,
                           .in_bytes = sizeof input,
                           .out_bytes = OUT,
                           .map = &map};
    return ptx_kernel_run(&k);
}

/* Both blocks of a cluster have all tiles of it. */
static bool is_right(const struct ptx_done *d)
{
    for (unsigned block = 0; block < BLOCKS; block++)
        if (memcmp(d->out + block * TILES * TILE, input + block / 2 * TILES * TILE, TILES * TILE) != 0)
            return false;
    return true;
}

static bool runs_right(const char *body, enum vm_order order)
{
    struct ptx_done d = run(body, order);
    bool right = d.status == STATUS_OK && d.report.hazards == 0 && is_right(&d);
    ptx_done_free(&d);
    return right;
}

static void pipeline_with_all_waits_is_right_in_both_orders(void **state)
{
    (void)state;
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct ptx_done d = run(MAKE FETCH(WAIT_EMPTY) TAKE(WAIT_FULL, FREE), (enum vm_order)order);
        if (d.status != STATUS_OK)
            fail_msg("%s, line %d of the body", d.error.why, d.error.line - PTX_KERNEL_LINE + 1);
        assert_int_equal(d.report.hazards, 0);
        assert_true(is_right(&d));
        ptx_done_free(&d);
    }
}

static void pipeline_without_a_wait_for_full_late_copies_show(void **state)
{
    (void)state;
    assert_false(runs_right(MAKE FETCH(WAIT_EMPTY) TAKE("", FREE), VM_LATE));
}

static void pipeline_without_a_wait_for_empty_shows(void **state)
{
    (void)state;
    assert_false(runs_right(MAKE FETCH("") TAKE(WAIT_FULL, FREE), VM_LATE));
    assert_false(runs_right(MAKE FETCH("") TAKE(WAIT_FULL, FREE), VM_EARLY));
}

/* Nobody says that a stage is free: the third tile never comes. */
static void pipeline_without_freeing_is_a_deadlock(void **state)
{
    (void)state;
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct ptx_done d = run(MAKE FETCH(WAIT_EMPTY) TAKE(WAIT_FULL, ""), (enum vm_order)order);
        assert_int_equal(d.status, STATUS_SUBJECT);
        assert_non_null(strstr(d.error.why, "deadlock"));
        ptx_done_free(&d);
    }
}

/* One thread that needs an mbarrier, a copy of each kind and their groups. */
static enum status run_small(void *context, struct error *e)
{
    static const char text[] =
        ".version 8.6\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 at)\n{\n"
        ".reg .b64 %d<4>; .reg .pred %p<2>; .shared .align 128 .b8 buf[256]; .shared .align 8 .b64 bar;\n"
        "ld.param.u64 %d0, [at]; mbarrier.init.shared.b64 [bar], 1;\n"
        "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 32; cp.async.ca.shared.global [buf + 128], [%d0], 16;\n"
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [buf], [%d0], 32, [bar];\n"
        "W: mbarrier.try_wait.parity.shared.b64 %p0, [bar], 0; @!%p0 bra W; cp.async.wait_all;\n"
        "cp.async.bulk.global.shared::cta.bulk_group [%d0 + 32], [buf], 32; cp.async.bulk.commit_group;\n"
        "cp.async.bulk.wait_group 0; bar.sync 0; ret;\n}\n";
    enum vm_order order = *(const enum vm_order *)context;
    struct vm *v;
    uint64_t at;
    enum status s = vm_make("small.ptx", text, sizeof text - 1, &v, e);
    if (s != STATUS_OK)
        return s;
    s = vm_alloc(v, "at", 64, &at, e);
    struct vm_launch l = {.entry = "k",
                          .grid = {1, 1, 1},
                          .block = {1, 1, 1},
                          .cluster = {1, 1, 1},
                          .parameters = &at,
                          .parameter_bytes = sizeof at,
                          .order = order};
    if (s == STATUS_OK)
        s = vm_run(v, &l, e);
    vm_free(v);
    return s;
}

static void copies_without_memory_say_so(void **state)
{
    (void)state;
    for (enum vm_order order = VM_LATE; order <= VM_EARLY; order++)
        assert_true(alloc_check(run_small, NULL, &order) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipeline_with_all_waits_is_right_in_both_orders),
        cmocka_unit_test(pipeline_without_a_wait_for_full_late_copies_show),
        cmocka_unit_test(pipeline_without_a_wait_for_empty_shows),
        cmocka_unit_test(pipeline_without_freeing_is_a_deadlock),
        cmocka_unit_test(copies_without_memory_say_so),
    };
    return cmocka_run_group_tests_name("reference/ptx_pipeline", tests, fill_input, NULL);
}
