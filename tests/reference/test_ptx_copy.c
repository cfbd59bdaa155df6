#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/ptx_kernel.h"

enum { IN_WORDS = 1024 };

static uint32_t input[IN_WORDS];

static int fill_input(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < IN_WORDS; n++)
        input[n] = 0x1000 + n;
    return 0;
}

/* 32 threads; %r10 is 16 bytes of the buffer each, all 0xee before; %d10 16 bytes of the input. */
#define HEAD                                                                                                           \
    "shl.b32 %r9, %r0, 4; add.s32 %r10, %r2, %r9; mul.wide.u32 %d10, %r0, 16; add.s64 %d10, %d10, %d1;\n"              \
    "mov.u32 %r11, 0xeeeeeeee; st.shared.v4.u32 [%r10], {%r11, %r11, %r11, %r11};\n"
/* The thread's own 16 bytes to the output. */
#define TAIL                                                                                                           \
    "\nld.shared.v4.u32 {%r12, %r13, %r14, %r15}, [%r10]; mul.wide.u32 %d11, %r0, 16; add.s64 %d11, %d11, %d0;\n"      \
    "st.global.v4.u32 [%d11], {%r12, %r13, %r14, %r15};"

static struct ptx_done run(const char *body, enum vm_order order)
{
    struct ptx_kernel k = {.body = body,
                           .blocks = 1,
                           .threads = 32,
                           .order = order,
                           .in = input,
                           .in_bytes = sizeof input,
                           .out_bytes = 512};
    return ptx_kernel_good(&k);
}

/* Each thread's four words: word w is input[4 x thread + w + from] where bit w of `taken` is set; 0 for `zero`. */
static void expect(const char *body, enum vm_order order, unsigned from, unsigned taken, unsigned zero)
{
    struct ptx_done d = run(body, order);
    for (uint32_t n = 0; n < 128; n++) {
        uint32_t got, want = taken >> n % 4 & 1 ? input[n + from] : zero >> n % 4 & 1 ? 0 : 0xeeeeeeee;
        memcpy(&got, d.out + 4 * (size_t)n, 4);
        if (got != want)
            fail_msg("word %u: 0x%x, wanted 0x%x: %s", n, got, want, body);
    }
    ptx_done_free(&d);
}

static void expect_both(const char *body, unsigned from, unsigned taken, unsigned zero)
{
    expect(body, VM_LATE, from, taken, zero);
    expect(body, VM_EARLY, from, taken, zero);
}

#define END "\ncp.async.commit_group; cp.async.wait_group 0;" TAIL

static void copy_all_sizes_take_their_bytes(void **state)
{
    (void)state;
    expect_both(HEAD "cp.async.ca.shared.global [%r10], [%d10], 16;" END, 0, 15, 0);
    expect_both(HEAD "cp.async.cg.shared::cta.global.L2::128B [%r10], [%d10 + 16], 0x10;" END, 4, 15, 0);
    expect_both(HEAD "cp.async.ca.shared.global.L2::64B [%r10 + 8], [%d10 + 8], 8;" END, 0, 12, 0);
    expect_both(HEAD "cp.async.ca.shared.global [%r10 + 4], [%d10 + 4], 4;" END, 0, 2, 0);
    expect_both(HEAD "cp.async.ca.shared.global.L2::cache_hint [%r10], [%d10], 16, %d10;" END, 0, 15, 0);
}

static void copy_less_than_its_size_ends_in_zeros(void **state)
{
    (void)state;
    expect_both(HEAD "cp.async.cg.shared.global [%r10], [%d10], 16, 8;" END, 0, 3, 12);
    expect_both(HEAD "mov.u32 %r20, 4; cp.async.ca.shared.global [%r10], [%d10], 8, %r20;" END, 0, 1, 2);
    expect_both(HEAD "mov.u64 %d10, 0; mov.u32 %r20, 0; cp.async.cg.shared.global [%r10], [%d10], 16, %r20;" END, 0, 0,
                15);
    expect_both(HEAD "setp.eq.u32 %p1, 0, 0; cp.async.cg.shared.global [%r10], [%d10], 16, %p1;" END, 0, 0, 15);
    expect_both(HEAD
                "setp.ne.u32 %p1, 0, 0; cp.async.cg.shared.global.L2::cache_hint [%r10], [%d10], 16, %p1, %d1;" END,
                0, 15, 0);
}

/* Three groups of one word each; what is there afterwards tells which were waited for. */
#define GROUPS                                                                                                         \
    HEAD "cp.async.ca.shared.global [%r10], [%d10], 4; cp.async.commit_group;\n"                                       \
         "cp.async.ca.shared.global [%r10 + 4], [%d10 + 4], 4; cp.async.commit_group;\n"                               \
         "cp.async.ca.shared.global [%r10 + 8], [%d10 + 8], 4; cp.async.commit_group;\n"                               \
         "cp.async.ca.shared.global [%r10 + 12], [%d10 + 12], 4;\n"

static void wait_group_late_leaves_the_newest_pending(void **state)
{
    (void)state;
    expect(GROUPS TAIL, VM_LATE, 0, 0, 0);
    expect(GROUPS "cp.async.wait_group 3;" TAIL, VM_LATE, 0, 0, 0);
    expect(GROUPS "cp.async.wait_group 2;" TAIL, VM_LATE, 0, 1, 0);
    expect(GROUPS "cp.async.wait_group 1;" TAIL, VM_LATE, 0, 3, 0);
    expect(GROUPS "cp.async.wait_group 0;" TAIL, VM_LATE, 0, 7, 0);
    expect(GROUPS "cp.async.wait_all;" TAIL, VM_LATE, 0, 15, 0);
    expect(GROUPS "cp.async.commit_group; cp.async.wait_group 1;" TAIL, VM_LATE, 0, 7, 0);
    expect(GROUPS TAIL, VM_EARLY, 0, 15, 0);
}

/* An empty group counts, and a wait is for the copies of the thread that waits alone. */
static void wait_group_groups_are_of_each_thread(void **state)
{
    (void)state;
    expect(GROUPS "cp.async.commit_group; cp.async.commit_group; cp.async.wait_group 2;" TAIL, VM_LATE, 0, 7, 0);
    struct ptx_done d = run(GROUPS "setp.lt.u32 %p1, %r0, 7; @%p1 cp.async.wait_group 1;" TAIL, VM_LATE);
    for (uint32_t t = 0; t < 32; t++) {
        uint32_t got[4];
        memcpy(got, d.out + 16 * (size_t)t, sizeof got);
        for (uint32_t n = 0; n < 4; n++)
            assert_int_equal(got[n], t < 7 && n < 2 ? input[4 * t + n] : 0xeeeeeeee);
    }
    ptx_done_free(&d);
}

/* Warp 1 waits for what it began itself. */
static void wait_all_other_warps_stay_pending(void **state)
{
    (void)state;
    struct ptx_kernel k = {.body =
                               HEAD "cp.async.cg.shared.global [%r10], [%d10], 16;\nsetp.eq.u32 %p1, %r4, 1; bar.sync "
                                    "0; @%p1 cp.async.wait_all; bar.sync 0;" TAIL,
                           .blocks = 1,
                           .threads = 64,
                           .in = input,
                           .in_bytes = sizeof input,
                           .out_bytes = 1024};
    struct ptx_done d = ptx_kernel_good(&k);
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t got;
        memcpy(&got, d.out + 4 * (size_t)n, 4);
        assert_int_equal(got, n < 128 ? 0xeeeeeeee : input[n]);
    }
    ptx_done_free(&d);
}

/* A lane commits a group more than the others. */
static void commit_group_lanes_apart_count_apart(void **state)
{
    (void)state;
    struct ptx_done d = run(HEAD "cp.async.ca.shared.global [%r10], [%d10], 4; cp.async.commit_group;\n"
                                 "@%p0 cp.async.commit_group; cp.async.wait_group 1;" TAIL,
                            VM_LATE);
    uint32_t got;
    memcpy(&got, d.out, 4);
    assert_int_equal(got, input[0]);
    memcpy(&got, d.out + 16, 4);
    assert_int_equal(got, 0xeeeeeeee);
    ptx_done_free(&d);
}

#define ARRIVE(form, count)                                                                                            \
    HEAD "@%p0 mbarrier.init.shared.b64 [%r3], " count ";\nbar.warp.sync -1;\n"                                        \
         "cp.async.cg.shared.global [%r10], [%d10], 16;\n" form " [%r3];\n"

static void arrive_on_an_mbarrier_comes_behind_the_copies(void **state)
{
    (void)state;
    const char *wait = "W: mbarrier.try_wait.parity.shared.b64 %p1, [%r3], 0; @!%p1 bra W;";
    char text[2048];
    /* noinc: the arrivals are of the 32 that the phase expects. Otherwise they come on top of those. */
    snprintf(text, sizeof text, "%s%s%s", ARRIVE("cp.async.mbarrier.arrive.noinc.shared.b64", "32"), wait, TAIL);
    expect_both(text, 0, 15, 0);
    snprintf(text, sizeof text, "%s mbarrier.arrive.shared.b64 _, [%%r3];\n%s%s",
             ARRIVE("cp.async.mbarrier.arrive.shared::cta.b64", "32"), wait, TAIL);
    expect_both(text, 0, 15, 0);
    struct ptx_kernel k = {.body = ARRIVE("cp.async.mbarrier.arrive.shared.b64", "1048575"),
                           .blocks = 1,
                           .threads = 32,
                           .in = input,
                           .in_bytes = sizeof input};
    ptx_kernel_bad(&k, STATUS_SUBJECT, 0, "cannot count one more");
}

/* One lane arrives for itself. */
static void arrive_on_an_mbarrier_other_lanes_stay_pending(void **state)
{
    (void)state;
    struct ptx_done d = run(HEAD "@%p0 mbarrier.init.shared.b64 [%r3], 1;\nbar.warp.sync -1;\n"
                                 "cp.async.cg.shared.global [%r10], [%d10], 16;\n"
                                 "@%p0 cp.async.mbarrier.arrive.noinc.shared.b64 [%r3];\n"
                                 "W: mbarrier.try_wait.parity.shared.b64 %p1, [%r3], 0; @!%p1 bra W;" TAIL,
                            VM_LATE);
    for (uint32_t n = 0; n < 128; n++) {
        uint32_t got;
        memcpy(&got, d.out + 4 * (size_t)n, 4);
        assert_int_equal(got, n < 4 ? input[n] : 0xeeeeeeee);
    }
    ptx_done_free(&d);
}

/* Only the copies in front of the arrival: what comes behind it stays pending. */
static void arrive_on_an_mbarrier_late_leaves_later_copies(void **state)
{
    (void)state;
    expect(ARRIVE("cp.async.mbarrier.arrive.noinc.shared.b64",
                  "32") "cp.async.ca.shared.global [%r10], [%d10 + 64], 4;\n"
                        "W: mbarrier.try_wait.parity.shared.b64 %p1, [%r3], 0; @!%p1 bra W;" TAIL,
           VM_LATE, 0, 15, 0);
}

static void copy_outside_is_a_fault_where_it_was_issued(void **state)
{
    (void)state;
    struct ptx_kernel k = {.body = HEAD "\ncp.async.cg.shared.global [%r10], [%d10 + 16000], 16;",
                           .blocks = 1,
                           .threads = 32,
                           .in = input,
                           .in_bytes = sizeof input};
    ptx_kernel_bad(&k, STATUS_SUBJECT, 4, "behind the end");
}

static void expect_bad(const char *body, const char *why)
{
    struct ptx_kernel k = {.body = body, .blocks = 1, .threads = 32, .in = input, .in_bytes = sizeof input};
    ptx_kernel_bad(&k, STATUS_SUBJECT, 0, why);
    k.order = VM_EARLY;
    ptx_kernel_bad(&k, STATUS_SUBJECT, 0, why);
}

static void copy_misused_is_a_fault(void **state)
{
    (void)state;
    expect_bad(HEAD "cp.async.cg.shared.global [%r10 + 8], [%d10], 16;", "misaligned");
    expect_bad(HEAD "cp.async.cg.shared.global [%r10], [%d10 + 4], 16;", "misaligned");
    expect_bad(HEAD "cp.async.cg.shared.global [%r10], [%d10], 16, 17;", "a source of 17 bytes");
    expect_bad(HEAD "cp.async.cg.shared.global [64], [%d10], 16;", "shared memory");
    expect_bad(HEAD "cp.async.mbarrier.arrive.shared.b64 [%r3];", "was not initialised");
}

static void prepare_unknown_forms_are_not_modelled(void **state)
{
    (void)state;
    static const char *const forms[] = {"cp.async.cg.shared.global [%r2], [%d1], 8;",
                                        "cp.async.ca.shared.global [%r2], [%d1], 12;",
                                        "cp.async.ca.global.global [%r2], [%d1], 16;",
                                        "cp.async.shared.global [%r2], [%d1], 16;",
                                        "cp.async.ca.shared.global.L2::cache_hint [%r2], [%d1], 16;",
                                        "cp.async.wait_group %r0;",
                                        "cp.async.mbarrier.arrive.shared.b32 [%r3];"};
    for (size_t n = 0; n < sizeof forms / sizeof *forms; n++) {
        struct ptx_kernel k = {.body = forms[n], .blocks = 1, .threads = 32, .in = input, .in_bytes = sizeof input};
        ptx_kernel_bad(&k, STATUS_UNSUPPORTED, 1, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_all_sizes_take_their_bytes),
        cmocka_unit_test(copy_less_than_its_size_ends_in_zeros),
        cmocka_unit_test(wait_group_late_leaves_the_newest_pending),
        cmocka_unit_test(wait_group_groups_are_of_each_thread),
        cmocka_unit_test(wait_all_other_warps_stay_pending),
        cmocka_unit_test(commit_group_lanes_apart_count_apart),
        cmocka_unit_test(arrive_on_an_mbarrier_comes_behind_the_copies),
        cmocka_unit_test(arrive_on_an_mbarrier_other_lanes_stay_pending),
        cmocka_unit_test(arrive_on_an_mbarrier_late_leaves_later_copies),
        cmocka_unit_test(copy_outside_is_a_fault_where_it_was_issued),
        cmocka_unit_test(copy_misused_is_a_fault),
        cmocka_unit_test(prepare_unknown_forms_are_not_modelled),
    };
    return cmocka_run_group_tests_name("reference/ptx_copy", tests, fill_input, NULL);
}
