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

/* What thread 0 of a block of one warp leaves in %r40. */
static uint32_t answer(const char *body)
{
    char text[4096];
    snprintf(text, sizeof text, "mov.u32 %%r40, 0; @!%%p0 bra OUT;\n%s\nst.global.u32 [%%d3], %%r40; OUT:", body);
    struct ptx_kernel k = {.body = text, .blocks = 1, .threads = 32, .out_bytes = 128};
    struct ptx_done d = ptx_kernel_good(&k);
    uint32_t got = words(&d)[0];
    k.order = VM_EARLY;
    ptx_done_free(&d);
    d = ptx_kernel_good(&k);
    assert_int_equal(words(&d)[0], got);
    ptx_done_free(&d);
    return got;
}

/* Ask, and note the answer as bit n. */
#define BIT_0 "1"
#define BIT_1 "2"
#define BIT_2 "4"
#define BIT_3 "8"
#define BIT_4 "16"
#define PARITY(n, parity)                                                                                              \
    "mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r3], " #parity "; @%p1 or.b32 %r40, %r40, " BIT_##n ";\n"
#define STATE(n, state) "mbarrier.test_wait.shared.b64 %p1, [%r3], " state "; @%p1 or.b32 %r40, %r40, " BIT_##n ";\n"
#define INIT(count)     "mbarrier.init.shared::cta.b64 [%r3], " #count ";\n"
#define ARRIVE          "mbarrier.arrive.shared::cta.b64 _, [%r3];\n"

static void arrive_phases_follow_the_table(void **state)
{
    (void)state;
    /* Fresh: phase 0 is not complete, the one before counts as complete. */
    assert_int_equal(answer(INIT(2) PARITY(0, 0) PARITY(1, 1)), 2);
    assert_int_equal(answer(INIT(2) ARRIVE PARITY(0, 0) PARITY(1, 1)), 2);
    assert_int_equal(answer(INIT(2) ARRIVE ARRIVE PARITY(0, 0) PARITY(1, 1)), 1);
    assert_int_equal(answer(INIT(2) ARRIVE ARRIVE ARRIVE PARITY(0, 0) PARITY(1, 1)), 1);
    assert_int_equal(answer(INIT(2) ARRIVE ARRIVE ARRIVE ARRIVE PARITY(0, 0) PARITY(1, 1)), 2);
    assert_int_equal(answer(INIT(5) "mbarrier.arrive.release.cta.shared::cta.b64 _, [%r3], 5;" PARITY(0, 0)), 1);
    assert_int_equal(answer(INIT(5) "mbarrier.arrive.shared.b64 %d9, [%r3], 4;" PARITY(0, 0)), 0);
    assert_int_equal(answer(INIT(1048575) "mbarrier.arrive.shared.b64 _, [%r3], 1048575;" PARITY(0, 0)), 1);
}

static void arrive_states_name_their_phase(void **state)
{
    (void)state;
    assert_int_equal(answer(INIT(2) "mbarrier.arrive.shared.b64 %d9, [%r3];" STATE(
                         0, "%d9") "mbarrier.arrive.shared.b64 %d10, [%r3];" STATE(1, "%d9")
                                STATE(2, "%d10") "mbarrier.arrive.shared.b64 %d11, [%r3];" STATE(3, "%d9")
                                    STATE(4, "%d11")),
                     2 + 4 + 8);
    assert_int_equal(answer(INIT(7) "mbarrier.arrive.shared.b64 %d9, [%r3], 3; mbarrier.arrive.shared.b64 %d10, [%r3];"
                                    "mbarrier.pending_count.b64 %r10, %d9; mbarrier.pending_count.b64 %r11, %d10;"
                                    "mad.lo.s32 %r40, %r10, 16, %r11;"),
                     0x74);
}

static void expect_tx_bytes_are_waited_for(void **state)
{
    (void)state;
    assert_int_equal(
        answer(INIT(1) "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], 48;" PARITY(
            0,
            0) "mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%r3], 32;" PARITY(1,
                                                                                            0) "mbarrier.complete_tx."
                                                                                               "shared::cta.b64 [%r3], "
                                                                                               "16;" PARITY(2, 0)),
        4);
    /* More may come than was announced so far. */
    assert_int_equal(
        answer(INIT(2) "mbarrier.complete_tx.shared.b64 [%r3], 64;" ARRIVE PARITY(
            0, 0) "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r3], 64;" PARITY(1, 0) ARRIVE PARITY(2, 0)),
        4);
    assert_int_equal(answer(INIT(1) "mbarrier.complete_tx.shared.b64 [%r3], 64;" ARRIVE PARITY(
                         0, 0) "mbarrier.expect_tx.shared::cta.b64 [%r3], 64;" PARITY(1, 0)),
                     2);
}

static void arrive_drop_lowers_the_phases_that_follow(void **state)
{
    (void)state;
    assert_int_equal(answer(INIT(3) "mbarrier.arrive_drop.shared.b64 _, [%r3];" ARRIVE PARITY(0, 0) ARRIVE PARITY(1, 0)
                                ARRIVE PARITY(2, 1) ARRIVE PARITY(3, 1)),
                     2 + 8);
    assert_int_equal(answer(INIT(3) "mbarrier.arrive_drop.expect_tx.shared.b64 _, [%r3], 16;" ARRIVE ARRIVE PARITY(
                         0, 0) "mbarrier.complete_tx.shared.b64 [%r3], 16;" PARITY(1, 0) ARRIVE ARRIVE PARITY(2, 1)),
                     2 + 4);
}

static void init_after_inval_begins_again(void **state)
{
    (void)state;
    assert_int_equal(answer(INIT(1) ARRIVE "mbarrier.inval.shared.b64 [%r3]; st.shared.u32 [%r3], %r0;\n" INIT(2)
                                PARITY(0, 0) ARRIVE PARITY(1, 0) ARRIVE PARITY(2, 0)),
                     4);
}

/* Generic addresses do as well. */
static void arrive_generic_address_is_the_same(void **state)
{
    (void)state;
    assert_int_equal(
        answer("mov.u32 %r8, 0; mov.b64 %d8, {%r3, %r8}; cvta.shared.u64 %d8, %d8; mbarrier.init.b64 [%d8], 1;\n"
               "mbarrier.arrive.b64 %d9, [%d8]; mbarrier.test_wait.b64 %p1, [%d8], %d9; @%p1 mov.u32 "
               "%r40, 3;"),
        3);
}

/* A kernel that asks ahead of its own arrival is told "not yet", and goes on. */
static void try_wait_before_the_own_arrival_is_let_go(void **state)
{
    (void)state;
    assert_int_equal(
        answer(INIT(1) "mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r3], 0; @%p1 or.b32 %r40, %r40, 1;" ARRIVE
                       "mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r3], 0, 1000; @%p2 or.b32 %r40, %r40, 2;"),
        2);
}

/* One warp asks once and is answered when the other has arrived. */
static void try_wait_while_others_go_on_waits(void **state)
{
    (void)state;
    const char *body = "@%p0 mbarrier.init.shared.b64 [%r3], 32; bar.sync 0; mov.u32 %r20, 0;\n"
                       "setp.eq.u32 %p2, %r4, 1; @%p2 bra LATE;\n"
                       "W: add.s32 %r20, %r20, 1; mbarrier.try_wait.parity.shared.b64 %p1, [%r3], 0; @!%p1 bra W;\n"
                       "st.global.u32 [%d3], %r20; bra.uni OUT;\n"
                       "LATE: add.s32 %r20, %r20, 1; setp.lt.u32 %p3, %r20, 2000; @%p3 bra LATE; " ARRIVE "OUT:";
    struct ptx_kernel k = {.body = body, .blocks = 1, .threads = 64, .out_bytes = 256};
    struct ptx_done d = ptx_kernel_good(&k);
    for (uint32_t t = 0; t < 32; t++)
        assert_int_equal(words(&d)[t], 1);
    ptx_done_free(&d);
}

/* 96 threads hand their words round 9 times, by phases of one mbarrier. */
static void run_phases(const char *wait, enum vm_order order)
{
    char text[2048];
    snprintf(text, sizeof text,
             "@%%p0 mbarrier.init.shared::cta.b64 [%%r3], 96; bar.sync 0; mov.u32 %%r20, 0; mov.u32 %%r21, 0;\n"
             "shl.b32 %%r10, %%r0, 2; add.s32 %%r10, %%r10, %%r2; add.s32 %%r11, %%r0, 33; rem.u32 %%r11, %%r11, 96;\n"
             "shl.b32 %%r11, %%r11, 2; add.s32 %%r11, %%r11, %%r2; mov.u32 %%r12, %%r0;\n"
             "LOOP: st.shared.u32 [%%r10], %%r12;\nmbarrier.arrive.shared::cta.b64 %%d9, [%%r3];\n"
             "W1: %s; @!%%p1 bra W1;\nld.shared.u32 %%r12, [%%r11]; xor.b32 %%r21, %%r21, 1;\n"
             "mbarrier.arrive.shared::cta.b64 %%d9, [%%r3];\nW2: %s; @!%%p1 bra W2;\n"
             "xor.b32 %%r21, %%r21, 1; add.s32 %%r20, %%r20, 1; setp.lt.u32 %%p2, %%r20, 9; @%%p2 bra LOOP;\n"
             "st.global.u32 [%%d3], %%r12;",
             wait, wait);
    struct ptx_kernel k = {.body = text, .blocks = 2, .threads = 96, .out_bytes = 768, .order = order};
    struct ptx_done d = ptx_kernel_good(&k);
    for (uint32_t t = 0; t < 192; t++)
        assert_int_equal(words(&d)[t], (t % 96 + 9 * 33) % 96);
    ptx_done_free(&d);
}

static void wait_all_forms_hold_all_threads_through_phases(void **state)
{
    (void)state;
    static const char *const forms[] = {"mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r3], %r21",
                                        "mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 %p1, [%r3], %r21, %r2",
                                        "mbarrier.try_wait.shared.b64 %p1, [%r3], %d9",
                                        "mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r3], %r21",
                                        "mbarrier.test_wait.shared.b64 %p1, [%r3], %d9"};
    for (size_t n = 0; n < sizeof forms / sizeof *forms; n++) {
        run_phases(forms[n], VM_LATE);
        run_phases(forms[n], VM_EARLY);
    }
}

#define CLUSTER   "barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;\n"
#define BOTH_INIT "@%p0 mbarrier.init.shared::cta.b64 [%r3], 33;\nfence.mbarrier_init.release.cluster;\n" CLUSTER

/* 32 threads of the neighbour arrive, and one here announces bytes that the neighbour brings. */
static void arrive_remote_counts_at_the_neighbour(void **state)
{
    (void)state;
    const char *body = BOTH_INIT
        "xor.b32 %r8, %r1, 1; mapa.shared::cluster.u32 %r9, %r3, %r8; mapa.shared::cluster.u32 %r10, %r2, %r8;\n"
        "mad.lo.s32 %r11, %r1, 100, %r0; mad.lo.s32 %r10, %r0, 4, %r10; st.shared::cluster.u32 [%r10], %r11;\n"
        "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r9];\n"
        "@%p0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], 32;\n"
        "@%p0 mbarrier.complete_tx.shared::cluster.b64 [%r9], 32;\n"
        "W: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p1, [%r3], 0; @!%p1 bra W;\n"
        "mad.lo.s32 %r12, %r0, 4, %r2; ld.shared.u32 %r12, [%r12]; st.global.u32 [%d3], %r12;\n" CLUSTER;
    struct ptx_kernel k = {.body = body, .blocks = 4, .cluster = 2, .threads = 32, .out_bytes = 512};
    struct ptx_done d = ptx_kernel_good(&k);
    for (uint32_t t = 0; t < 128; t++)
        assert_int_equal(words(&d)[t], (t / 32 + 1) % 2 * 100 + t % 32);
    ptx_done_free(&d);
}

static void expect_bad(const char *body, const char *why)
{
    char text[2048];
    snprintf(text, sizeof text, "@!%%p0 bra OUT;\n%s OUT:", body);
    struct ptx_kernel k = {.body = text, .blocks = 2, .cluster = 2, .threads = 32, .out_bytes = 256};
    ptx_kernel_bad(&k, STATUS_SUBJECT, 0, why);
}

static void mbarrier_misused_is_a_fault_with_its_line(void **state)
{
    (void)state;
    struct ptx_kernel k = {
        .body = "mov.u32 %r8, 0;\nmbarrier.arrive.shared.b64 _, [%r3];", .blocks = 1, .threads = 32, .out_bytes = 128};
    ptx_kernel_bad(&k, STATUS_SUBJECT, 2, "was not initialised");
    expect_bad(PARITY(0, 0), "was not initialised");
    expect_bad(INIT(1) "st.shared.u32 [%r3 + 4], %r0;" ARRIVE, "was overwritten");
    expect_bad(INIT(1) "ld.shared.u64 %d9, [%r3]; st.shared.u64 [%r3 + 8], %d9;"
                       "mbarrier.arrive.shared.b64 _, [%r3 + 8];",
               "was not initialised");
    /* What it was a phase ago is no mbarrier either. */
    expect_bad(INIT(1) "ld.shared.u64 %d9, [%r3];" ARRIVE "st.shared.u64 [%r3], %d9;" ARRIVE, "was overwritten");
    expect_bad(INIT(1) "mbarrier.inval.shared.b64 [%r3];" ARRIVE, "was not initialised");
    expect_bad(INIT(0), "0 arrivals");
    expect_bad(INIT(1048576), "1048576 arrivals");
    expect_bad(INIT(2) "mbarrier.arrive.shared.b64 _, [%r3], 3;", "3 arrivals");
    expect_bad(INIT(2) "mbarrier.arrive.shared.b64 _, [%r3], 0;", "0 arrivals");
    expect_bad(INIT(1) "mbarrier.arrive_drop.shared.b64 _, [%r3];" ARRIVE, "misses 0 of 0");
    expect_bad(INIT(2) "mbarrier.expect_tx.shared.b64 [%r3], 1048575; mbarrier.expect_tx.shared.b64 [%r3], 1;",
               "cannot count 1 more");
    expect_bad(INIT(2) "mbarrier.expect_tx.shared.b64 [%r3], 1048576;", "cannot count");
    expect_bad(INIT(2) "mbarrier.complete_tx.shared.b64 [%r3], 1048575; mbarrier.complete_tx.shared.b64 [%r3], 1;",
               "cannot count 1 less");
    expect_bad("mbarrier.init.shared.b64 [%r3 + 4], 1;", "not aligned");
    expect_bad("mbarrier.init.shared.b64 [60], 1;", "outside shared memory");
    expect_bad("mbarrier.init.b64 [%d0], 1;", "not in shared memory");
    expect_bad("xor.b32 %r8, %r1, 1; mapa.shared::cluster.u32 %r9, %r3, %r8; mbarrier.init.shared::cta.b64 [%r9], 1;",
               "only the own block's");
    expect_bad("mbarrier.init.shared.b64 [%r3 + 8], 1; mbarrier.arrive.shared.b64 %d9, [%r3 + 8];" INIT(1)
                   STATE(0, "%d9"),
               "did not give");
    expect_bad(INIT(1) "mbarrier.arrive.shared.b64 %d9, [%r3];" ARRIVE STATE(0, "%d9"), "not of phase 2");
}

static void mbarrier_of_a_block_that_ended_is_a_fault(void **state)
{
    (void)state;
    struct ptx_kernel k = {.body = INIT(32) CLUSTER
                           "setp.eq.u32 %p1, %r1, 1; @%p1 ret; mov.u32 %r20, 0;\n"
                           "L: add.s32 %r20, %r20, 1; setp.lt.u32 %p2, %r20, 900; @%p2 bra L; mov.u32 %r8, 1;\n"
                           "mapa.shared::cluster.u32 %r9, %r3, %r8;\nmbarrier.arrive.shared::cluster.b64 _, [%r9];",
                           .blocks = 2,
                           .cluster = 2,
                           .threads = 1,
                           .out_bytes = 128};
    ptx_kernel_bad(&k, STATUS_SUBJECT, 6, "which has ended");
}

static void expect_hazard(const char *body, const char *kind)
{
    struct ptx_kernel k = {.body = body, .blocks = 1, .threads = 1, .out_bytes = 16};
    struct ptx_done d = ptx_kernel_run(&k);
    assert_int_equal(d.status, STATUS_OK);
    assert_int_equal(d.report.hazards, 1);
    assert_string_equal(d.report.hazard[0].kind, kind);
    ptx_done_free(&d);
}

static void mbarrier_undefined_but_survived_is_a_hazard(void **state)
{
    (void)state;
    expect_hazard(INIT(1) INIT(1), "An mbarrier initialised twice");
    expect_hazard(INIT(1) PARITY(0, 2), "A parity of a phase above 1");
}

static void wait_that_never_ends_is_a_deadlock(void **state)
{
    (void)state;
    expect_bad(INIT(2) ARRIVE "W: mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r3], 0; @!%p1 bra W;", "deadlock");
    expect_bad(INIT(2) ARRIVE "W: mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r3], 0; @!%p1 bra W;", "deadlock");
    expect_bad(INIT(1) "W: mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r3], 0; @!%p1 bra W;\n" ARRIVE, "deadlock");
}

static void expect_form(const char *body, enum status s)
{
    struct ptx_kernel k = {.body = body, .blocks = 1, .threads = 1, .out_bytes = 16};
    struct ptx_done d = ptx_kernel_run(&k);
    if (d.status != s)
        fail_msg("%s: %s", body, d.error.why);
    ptx_done_free(&d);
}

static void prepare_forms_are_known_or_not_modelled(void **state)
{
    (void)state;
    static const char *const known[] = {"fence.proxy.async;",
                                        "fence.proxy.async.shared::cta;",
                                        "fence.proxy.async.shared::cluster;",
                                        "fence.proxy.async.global;",
                                        "fence.proxy.alias;",
                                        "fence.proxy.tensormap::generic.release.gpu;",
                                        "fence.proxy.tensormap::generic.acquire.gpu [%d0], 128;",
                                        "fence.mbarrier_init.release.cluster;"};
    static const char *const unknown[] = {"mbarrier.arrive.noComplete.shared.b64 %d9, [%r3], 1;",
                                          "mbarrier.arrive.shared::cluster.b64 %d9, [%r3];",
                                          "mbarrier.init.shared::cluster.b64 [%r3], 1;",
                                          "mbarrier.init.global.b64 [%d0], 1;",
                                          "mbarrier.init.shared.b32 [%r3], 1;",
                                          "mbarrier.try_wait.parity.shared::cluster.b64 %p1, [%r3], 0;",
                                          "mbarrier.test_wait.parity.shared.b64 %p1, [%r3], 0, 100;",
                                          "fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster;",
                                          "fence.proxy.tensormap::generic.gpu;",
                                          "fence.mbarrier_init.release.gpu;"};
    for (size_t n = 0; n < sizeof known / sizeof *known; n++)
        expect_form(known[n], STATUS_OK);
    for (size_t n = 0; n < sizeof unknown / sizeof *unknown; n++)
        expect_form(unknown[n], STATUS_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrive_phases_follow_the_table),
        cmocka_unit_test(arrive_states_name_their_phase),
        cmocka_unit_test(expect_tx_bytes_are_waited_for),
        cmocka_unit_test(arrive_drop_lowers_the_phases_that_follow),
        cmocka_unit_test(init_after_inval_begins_again),
        cmocka_unit_test(arrive_generic_address_is_the_same),
        cmocka_unit_test(try_wait_before_the_own_arrival_is_let_go),
        cmocka_unit_test(try_wait_while_others_go_on_waits),
        cmocka_unit_test(wait_all_forms_hold_all_threads_through_phases),
        cmocka_unit_test(arrive_remote_counts_at_the_neighbour),
        cmocka_unit_test(mbarrier_misused_is_a_fault_with_its_line),
        cmocka_unit_test(mbarrier_of_a_block_that_ended_is_a_fault),
        cmocka_unit_test(mbarrier_undefined_but_survived_is_a_hazard),
        cmocka_unit_test(wait_that_never_ends_is_a_deadlock),
        cmocka_unit_test(prepare_forms_are_known_or_not_modelled),
    };
    return cmocka_run_group_tests_name("reference/ptx_mbarrier", tests, NULL, NULL);
}
