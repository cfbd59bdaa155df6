#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/ptx_kernel.h"

static const uint32_t *words(const struct ptx_done *d)
{
    return (const uint32_t *)(const void *)d->out;
}

/* Every thread writes its word of the buffer, meets the others, and reads that of the last thread before it, counted
 * from the other end. */
#define EXCHANGE(barrier)                                                                                              \
    "shl.b32 %r8, %r0, 2; add.s32 %r9, %r2, %r8; add.s32 %r10, %r0, 1000; st.shared.u32 [%r9], %r10;\n" barrier        \
    "\nsub.s32 %r11, %r7, %r0; shl.b32 %r11, %r11, 2; add.s32 %r11, %r11, %r2; ld.shared.u32 %r12, [%r11 + -4];\n"     \
    "st.global.u32 [%d3], %r12;"

static void expect_exchange(const char *body, uint32_t threads)
{
    struct ptx_kernel k = {.body = body, .blocks = 2, .threads = threads, .out_bytes = 8 * threads};
    struct ptx_done d = ptx_kernel_good(&k);
    for (uint32_t t = 0; t < 2 * threads; t++)
        assert_int_equal(words(&d)[t], 1000 + threads - 1 - t % threads);
    ptx_done_free(&d);
}

static void bar_sync_all_forms_hold_all_warps(void **state)
{
    (void)state;
    static const char *const forms[] = {EXCHANGE("bar.sync 0;"),
                                        EXCHANGE("bar.cta.sync 3;"),
                                        EXCHANGE("bar.sync 15, 128;"),
                                        EXCHANGE("barrier.sync 1;"),
                                        EXCHANGE("barrier.cta.sync.aligned 2, 128;"),
                                        EXCHANGE("mov.u32 %r20, 7; bar.sync %r20;"),
                                        EXCHANGE("mov.u32 %r20, 7; mov.u32 %r21, 128; bar.sync %r20, %r21;")};
    for (size_t n = 0; n < sizeof forms / sizeof *forms; n++)
        expect_exchange(forms[n], 128);
}

static void bar_sync_partial_last_warp_counts_as_a_whole(void **state)
{
    (void)state;
    expect_exchange(EXCHANGE("bar.sync 0;"), 80);
    expect_exchange(EXCHANGE("bar.sync 0, 96;"), 80);
    expect_exchange(EXCHANGE("bar.sync 0;"), 1);
}

/* One warp knows how many are expected, the others say nothing: the same barrier. */
static void bar_sync_number_of_all_threads_is_no_number(void **state)
{
    (void)state;
    expect_exchange(EXCHANGE("setp.eq.u32 %p1, %r4, 2; @%p1 bra A; bar.sync 0; bra.uni B; A: bar.sync 0, 96; B:"), 96);
}

/* Who says a number means it, whoever came first and did not. */
static void bar_sync_number_with_a_warp_that_exited_never_fills(void **state)
{
    (void)state;
    struct ptx_kernel k = {.body = "setp.eq.u32 %p1, %r4, 2; @%p1 ret; setp.eq.u32 %p1, %r4, 0; @%p1 bra A;\n"
                                   "bar.sync 0, 96; ret; A: bar.sync 0;",
                           .blocks = 1,
                           .threads = 96};
    ptx_kernel_bad(&k, STATUS_SUBJECT, 0, "deadlock");
}

/* Warps 0 and 1 hand a word on to each other 20 times, warps 2 and 3 at another barrier; nobody else takes part. */
static void bar_sync_two_groups_many_phases_stay_apart(void **state)
{
    (void)state;
    const char *body = "shr.u32 %r8, %r0, 6; add.s32 %r9, %r8, 4; mov.u32 %r20, 0;\n"
                       "shl.b32 %r10, %r0, 2; add.s32 %r10, %r10, %r2; xor.b32 %r11, %r10, 128; mov.u32 %r12, %r0;\n"
                       "LOOP: st.shared.u32 [%r10], %r12; bar.sync %r9, 64;\n"
                       "ld.shared.u32 %r12, [%r11]; bar.sync %r9, 64;\n"
                       "add.s32 %r12, %r12, 7; add.s32 %r20, %r20, 1; setp.lt.u32 %p1, %r20, 20; @%p1 bra LOOP;\n"
                       "st.global.u32 [%d3], %r12;";
    struct ptx_kernel k = {.body = body, .blocks = 1, .threads = 128, .out_bytes = 512};
    struct ptx_done d = ptx_kernel_good(&k);
    for (uint32_t t = 0; t < 128; t++)
        assert_int_equal(words(&d)[t], t + 20 * 7);
    ptx_done_free(&d);
}

/* Warp 0 makes, warp 1 takes: two barriers, of which each only arrives at one. */
static void bar_arrive_producer_goes_on_consumer_waits(void **state)
{
    (void)state;
    const char *body = "shl.b32 %r10, %r5, 2; add.s32 %r10, %r10, %r2; mov.u32 %r20, 0; mov.u32 %r12, 0;\n"
                       "setp.ne.u32 %p1, %r4, 0; @%p1 bra TAKE;\n"
                       "MAKE: bar.sync 2, 64; add.s32 %r11, %r20, %r5; st.shared.u32 [%r10], %r11; bar.arrive 1, 64;\n"
                       "add.s32 %r20, %r20, 1; setp.lt.u32 %p2, %r20, 9; @%p2 bra MAKE; bra.uni OUT;\n"
                       "TAKE: bar.arrive 2, 64; bar.sync 1, 64; ld.shared.u32 %r11, [%r10]; mad.lo.s32 %r12, %r12, 3, "
                       "%r11;\n"
                       "add.s32 %r20, %r20, 1; setp.lt.u32 %p2, %r20, 9; @%p2 bra TAKE;\n"
                       "OUT: st.global.u32 [%d3], %r12;";
    struct ptx_kernel k = {.body = body, .blocks = 1, .threads = 64, .out_bytes = 256};
    struct ptx_done d = ptx_kernel_good(&k);
    for (uint32_t lane = 0; lane < 32; lane++) {
        uint32_t sum = 0;
        for (uint32_t n = 0; n < 9; n++)
            sum = 3 * sum + n + lane;
        assert_int_equal(words(&d)[32 + lane], sum);
    }
    ptx_done_free(&d);
}

/* Whoever only arrives does not wait: warp 1 comes to barrier 1 behind barrier 2. */
static void bar_arrive_does_not_wait_for_others(void **state)
{
    (void)state;
    expect_exchange(EXCHANGE("setp.eq.u32 %p1, %r4, 1; @%p1 bra ONE; bar.arrive 1, 64; bar.sync 2, 64; bra JOIN;\n"
                             "ONE: bar.sync 2, 64; bar.sync 1, 64; JOIN: bar.sync 0;"),
                    64);
}

/* Two reductions one behind the other at the same barrier: the second must not change what the first gives. */
static void bar_red_votes_of_all_threads_of_each_phase(void **state)
{
    (void)state;
    const char *body = "setp.lt.u32 %p1, %r0, 5; setp.lt.u32 %p2, %r0, 80;\n"
                       "bar.red.popc.u32 %r8, 0, %p1; bar.red.popc.u32 %r9, 0, !%p1; bar.red.and.pred %p3, 0, %p1;\n"
                       "bar.red.and.pred %p4, 0, %p2; bar.red.or.pred %p5, 1, 96, %p1; bar.red.or.pred %p6, 0, !%p2;\n"
                       "barrier.cta.red.popc.u32 %r10, 3, 96, %p2;\n"
                       "mov.u32 %r11, 0; @%p3 or.b32 %r11, %r11, 1; @%p4 or.b32 %r11, %r11, 2; @%p5 or.b32 %r11, %r11, "
                       "4; @%p6 or.b32 %r11, %r11, 8;\n"
                       "shl.b32 %r9, %r9, 8; shl.b32 %r10, %r10, 16; shl.b32 %r11, %r11, 24; add.s32 %r8, %r8, %r9; "
                       "add.s32 %r8, %r8, %r10; add.s32 %r8, %r8, %r11; st.global.u32 [%d3], %r8;";
    struct ptx_kernel k = {.body = body, .blocks = 1, .threads = 80, .out_bytes = 320};
    struct ptx_done d = ptx_kernel_good(&k);
    for (uint32_t t = 0; t < 80; t++)
        assert_int_equal(words(&d)[t], 5 | 75 << 8 | 80 << 16 | 6 << 24);
    ptx_done_free(&d);
}

static void bar_sync_threads_that_exited_are_not_waited_for(void **state)
{
    (void)state;
    const char *body = "setp.eq.u32 %p1, %r4, 1; @%p1 ret; setp.eq.u32 %p2, %r0, 77; @%p2 ret;\n" EXCHANGE(
        "bar.sync 0;") "\nbar.sync 0;";
    struct ptx_kernel k = {.body = body, .blocks = 1, .threads = 96, .out_bytes = 384};
    struct ptx_done d = ptx_kernel_good(&k);
    uint32_t met = 0;
    for (uint32_t t = 0; t < 96; t++) {
        uint32_t other = 95 - t;
        if (t / 32 == 1 || t == 77 || other / 32 == 1 || other == 77)
            continue;
        assert_int_equal(words(&d)[t], 1000 + other);
        met++;
    }
    assert_int_equal(met, 62);
    ptx_done_free(&d);
}

/* A thread exits while the rest of its warp already waits. */
static void bar_sync_thread_exits_behind_those_that_wait_barrier_fills(void **state)
{
    (void)state;
    struct ptx_kernel k = {.body = "mov.u32 %r8, 1; setp.eq.u32 %p1, %r5, 31; @!%p1 bra MEET;\n"
                                   "bra LATE; MEET: bar.sync 0; st.global.u32 [%d3], %r8; ret; LATE: nanosleep.u32 20;",
                           .blocks = 1,
                           .threads = 64,
                           .out_bytes = 256};
    struct ptx_done d = ptx_kernel_good(&k);
    for (uint32_t t = 0; t < 64; t++)
        assert_int_equal(words(&d)[t], t % 32 != 31);
    ptx_done_free(&d);
}

#define PARTED(word) EXCHANGE("setp.lt.u32 %p1, %r5, 9; @%p1 bra FEW; " word " 0; bra JOIN; FEW: " word " 0; JOIN:")

static void barrier_sync_parts_of_a_warp_meet_from_two_lines(void **state)
{
    (void)state;
    expect_exchange(PARTED("barrier.sync"), 64);
}

static void bar_sync_parts_of_a_warp_are_a_hazard(void **state)
{
    (void)state;
    struct ptx_kernel k = {.body = PARTED("bar.sync"), .blocks = 1, .threads = 64, .out_bytes = 256};
    struct ptx_done d = ptx_kernel_run(&k);
    assert_int_equal(d.status, STATUS_OK);
    assert_int_equal(d.report.hazards, 1);
    assert_string_equal(d.report.hazard[0].kind, "A barrier met by parts of a warp");
    ptx_done_free(&d);
}

static void expect_bad(const char *body, const char *words_of_it)
{
    struct ptx_kernel k = {.body = body, .blocks = 2, .cluster = 2, .threads = 64, .out_bytes = 512};
    ptx_kernel_bad(&k, STATUS_SUBJECT, 0, words_of_it);
}

static void bar_misused_is_a_fault(void **state)
{
    (void)state;
    expect_bad("bar.sync 16;", "barrier 16");
    expect_bad("bar.sync 0, 48;", "48 threads");
    expect_bad("mov.u32 %r8, 0; bar.sync 0, %r8;", "0 threads");
    expect_bad("bar.sync %r5;", "threads of one warp say 0 and 1");
    expect_bad("@%p0 bra A; setp.lt.u32 %p1, %r0, 32; @%p1 bra A; bar.sync 1, 64; ret; A: bar.sync 1, 96;",
               "met here by");
    expect_bad("bar.sync 1, 128;", "deadlock");
    expect_bad("setp.eq.u32 %p1, %r4, 1; @%p1 ret; bar.sync 1, 64;", "deadlock");
    expect_bad("setp.eq.u32 %p1, %r4, 0; @%p1 bar.sync 0;\n@!%p1 bar.sync 1;", "deadlock");
}

static void expect_unknown(const char *body)
{
    struct ptx_kernel k = {.body = body, .blocks = 1, .threads = 32, .out_bytes = 128};
    ptx_kernel_bad(&k, STATUS_UNSUPPORTED, 1, "");
}

static void prepare_unknown_forms_are_not_modelled(void **state)
{
    (void)state;
    expect_unknown("bar.arrive 1;");
    expect_unknown("bar.sync.relaxed 1;");
    expect_unknown("bar.red.popc.pred %p1, 0, %p2;");
    expect_unknown("bar.red.xor.pred %p1, 0, %p2;");
    expect_unknown("barrier.cluster.arrive.acquire;");
    expect_unknown("barrier.cluster.wait.release;");
}

#define CLUSTER "barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;\n"

/* Each block reads what its neighbour in the cluster wrote, three times over. */
static void cluster_barrier_many_phases_hold_all_blocks(void **state)
{
    (void)state;
    const char *body =
        "shl.b32 %r10, %r0, 2; add.s32 %r10, %r10, %r2; add.s32 %r8, %r1, 1; and.b32 %r8, %r8, 3;\n"
        "mapa.shared::cluster.u32 %r11, %r10, %r8; mad.lo.s32 %r12, %r1, 1000, %r0; mov.u32 %r20, 0;\n"
        "LOOP: st.shared.u32 [%r10], %r12; barrier.cluster.arrive; barrier.cluster.wait;\n"
        "ld.shared::cluster.u32 %r12, [%r11]; barrier.cluster.arrive.relaxed; add.s32 %r20, %r20, 1;\n"
        "barrier.cluster.wait.acquire; setp.lt.u32 %p1, %r20, 3; @%p1 bra LOOP;\n" CLUSTER "st.global.u32 [%d3], %r12;";
    struct ptx_kernel k = {.body = body, .blocks = 8, .cluster = 4, .threads = 40, .out_bytes = 1280};
    struct ptx_done d = ptx_kernel_good(&k);
    for (uint32_t t = 0; t < 320; t++)
        assert_int_equal(words(&d)[t], (t / 40 + 3) % 4 * 1000 + t % 40);
    ptx_done_free(&d);
}

/* Lane 0 comes later than its warp, which .aligned allows as long as they meet in the end. */
static void cluster_barrier_aligned_waits_for_its_warp(void **state)
{
    (void)state;
    const char *body =
        "@!%p0 bra MEET; mov.u32 %r20, 0; LOOP: add.s32 %r20, %r20, 1; setp.lt.u32 %p1, %r20, 500; @%p1 "
        "bra LOOP; st.shared.u32 [%r2], %r20;\n"
        "MEET: " CLUSTER "xor.b32 %r8, %r1, 1; mapa.shared::cluster.u32 %r9, %r2, %r8; ld.shared::cluster.u32 %r10, "
        "[%r9]; st.global.u32 [%d3], %r10;\n" CLUSTER;
    struct ptx_kernel k = {.body = body, .blocks = 2, .cluster = 2, .threads = 64, .out_bytes = 512};
    struct ptx_done d = ptx_kernel_good(&k);
    for (uint32_t t = 0; t < 128; t++)
        assert_int_equal(words(&d)[t], 500);
    ptx_done_free(&d);
}

static void cluster_barrier_threads_that_exited_are_not_waited_for(void **state)
{
    (void)state;
    const char *body = "setp.eq.u32 %p1, %r1, 1; @%p1 ret; " CLUSTER "mov.u32 %r8, 9; st.global.u32 [%d3], %r8;";
    struct ptx_kernel k = {.body = body, .blocks = 2, .cluster = 2, .threads = 32, .out_bytes = 256};
    struct ptx_done d = ptx_kernel_good(&k);
    assert_int_equal(words(&d)[0], 9);
    assert_int_equal(words(&d)[32], 0);
    ptx_done_free(&d);
}

static void cluster_barrier_misused_is_a_fault(void **state)
{
    (void)state;
    expect_bad("barrier.cluster.arrive; barrier.cluster.arrive;", "second time");
    expect_bad("barrier.cluster.wait;", "without having arrived");
    expect_bad(CLUSTER "barrier.cluster.wait;", "without having arrived");
    expect_bad("setp.eq.u32 %p1, %r1, 0; @%p1 bra A; bar.sync 1, 96; A: " CLUSTER, "deadlock");
    expect_bad("@!%p0 barrier.cluster.arrive.aligned; @%p0 barrier.cluster.arrive.aligned; barrier.cluster.wait;",
               "deadlock");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bar_sync_all_forms_hold_all_warps),
        cmocka_unit_test(bar_sync_partial_last_warp_counts_as_a_whole),
        cmocka_unit_test(bar_sync_number_of_all_threads_is_no_number),
        cmocka_unit_test(bar_sync_number_with_a_warp_that_exited_never_fills),
        cmocka_unit_test(bar_sync_two_groups_many_phases_stay_apart),
        cmocka_unit_test(bar_arrive_producer_goes_on_consumer_waits),
        cmocka_unit_test(bar_arrive_does_not_wait_for_others),
        cmocka_unit_test(bar_red_votes_of_all_threads_of_each_phase),
        cmocka_unit_test(bar_sync_threads_that_exited_are_not_waited_for),
        cmocka_unit_test(bar_sync_thread_exits_behind_those_that_wait_barrier_fills),
        cmocka_unit_test(barrier_sync_parts_of_a_warp_meet_from_two_lines),
        cmocka_unit_test(bar_sync_parts_of_a_warp_are_a_hazard),
        cmocka_unit_test(bar_misused_is_a_fault),
        cmocka_unit_test(prepare_unknown_forms_are_not_modelled),
        cmocka_unit_test(cluster_barrier_many_phases_hold_all_blocks),
        cmocka_unit_test(cluster_barrier_aligned_waits_for_its_warp),
        cmocka_unit_test(cluster_barrier_threads_that_exited_are_not_waited_for),
        cmocka_unit_test(cluster_barrier_misused_is_a_fault),
    };
    return cmocka_run_group_tests_name("reference/ptx_barrier", tests, NULL, NULL);
}
