#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/ptx_lanes.h"
#include "tests/support/splitmix.h"

#define ALL UINT32_MAX

static void set_row(const struct ptx_lanes *t, const char *name, uint64_t value)
{
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        ptx_lanes_row(t, name)[lane] = value;
}

/* Which lane a shuffle of CUDA reads. source: CUDA C++ programming guide, "Warp Shuffle Functions": subsections of
 * `width` lanes; up and down leave lanes alone whose source is outside theirs, xor those whose source is in a later
 * one, idx is taken modulo width. returns -1 for: itself. */
static int cuda_source(char mode, int lane, int delta, int width)
{
    int begin = lane / width * width, end = begin + width;
    switch (mode) {
    case 'u':
        return lane - delta < begin ? -1 : lane - delta;
    case 'd':
        return lane + delta >= end ? -1 : lane + delta;
    case 'b':
        return (lane ^ delta) >= end ? -1 : lane ^ delta;
    default:
        return begin + delta % width;
    }
}

static void shfl_every_width_and_distance_is_cudas(void **state)
{
    static const struct {
        const char *words;
        char mode;
    } modes[] = {{"up", 'u'}, {"down", 'd'}, {"bfly", 'b'}, {"idx", 'i'}};
    (void)state;
    for (size_t m = 0; m < 4; m++) {
        struct ptx_lanes t;
        char body[100];
        snprintf(body, sizeof body, "shfl.sync.%s.b32 %%r1|%%p1, %%r2, %%r3, %%r4, -1;", modes[m].words);
        ptx_lanes_open(&t, "", body, 1, 0);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            ptx_lanes_row(&t, "%r2")[lane] = 0xabcd0000 + lane;
        for (int width = 1; width <= 32; width *= 2)
            for (int delta = 0; delta < 32; delta++) {
                /* What CUDA's headers pass: the segment's mask, and how far lanes may reach. */
                set_row(&t, "%r4", (uint64_t)(32 - width) << 8 | (modes[m].mode == 'u' ? 0 : 31));
                set_row(&t, "%r3", (uint64_t)delta | 0xffffff00 | (delta % 2 ? 0x60 : 0));
                assert_int_equal(ptx_lanes_step(&t, 0, ALL), VM_NEXT);
                for (int lane = 0; lane < VM_LANES; lane++) {
                    int from = cuda_source(modes[m].mode, lane, delta, width);
                    uint64_t wanted = 0xabcd0000u + (unsigned)(from < 0 ? lane : from);
                    if (ptx_lanes_row(&t, "%r1")[lane] != wanted || ptx_lanes_row(&t, "%p1")[lane] != (from >= 0))
                        fail_msg("%s %d, width %d, lane %d: 0x%llx", modes[m].words, delta, width, lane,
                                 (unsigned long long)ptx_lanes_row(&t, "%r1")[lane]);
                }
            }
        assert_int_equal(t.vm->report.hazards, 0);
        ptx_lanes_close(&t);
    }
}

/* Clamps that CUDA never passes, worked by hand from the ISA's pseudocode. */
static void shfl_clamps_are_where_c_says(void **state)
{
    static const struct {
        const char *words;
        uint32_t b, c;
        unsigned lane, from;
        bool in_range;
    } cases[] = {
        {"down", 1, 0x000f, 14, 15, true}, {"down", 1, 0x000f, 15, 15, false}, {"down", 1, 0x000f, 20, 20, false},
        {"up", 2, 0x0004, 6, 4, true},     {"up", 2, 0x0004, 5, 5, false},     {"idx", 9, 0x0008, 3, 3, false},
        {"idx", 9, 0x0009, 3, 9, true},    {"idx", 3, 0x1802, 17, 17, false},  {"idx", 2, 0x1802, 17, 18, true},
        {"bfly", 16, 0x000f, 20, 4, true}, {"bfly", 16, 0x000f, 4, 4, false},
    };
    (void)state;
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct ptx_lanes t;
        char body[100];
        snprintf(body, sizeof body, "shfl.sync.%s.b32 %%r1|%%p1, %%r2, %u, %u, -1;", cases[n].words, cases[n].b,
                 cases[n].c);
        ptx_lanes_open(&t, "", body, 1, 0);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            ptx_lanes_row(&t, "%r2")[lane] = lane;
        ptx_lanes_run(&t);
        if (ptx_lanes_row(&t, "%r1")[cases[n].lane] != cases[n].from ||
            ptx_lanes_row(&t, "%p1")[cases[n].lane] != cases[n].in_range)
            fail_msg("%s: lane %u got %llu", body, cases[n].lane,
                     (unsigned long long)ptx_lanes_row(&t, "%r1")[cases[n].lane]);
        ptx_lanes_close(&t);
    }
}

static void shfl_forms_without_predicate_and_onto_itself(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(&t, "", "shfl.sync.bfly.b32 %r1, %r1, 1, 31, -1; shfl.sync.idx.b32 _|%p1, %r1, 0, 31, -1;", 1, 0);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        ptx_lanes_row(&t, "%r1")[lane] = lane;
    ptx_lanes_run(&t);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        assert_int_equal(ptx_lanes_row(&t, "%r1")[lane], lane ^ 1);
        assert_int_equal(ptx_lanes_row(&t, "%p1")[lane], 1);
    }
    ptx_lanes_close(&t);
}

static void shfl_from_a_lane_that_is_not_there_is_a_hazard(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(&t, "", "shfl.sync.idx.b32 %r1, %r2, %r3, 31, 0xff;", 1, 0);
    set_row(&t, "%r3", 7);
    assert_int_equal(ptx_lanes_step(&t, 0, 0xff), VM_NEXT);
    assert_int_equal(t.vm->report.hazards, 0);
    set_row(&t, "%r3", 8);
    set_row(&t, "%r2", 0);
    ptx_lanes_row(&t, "%r2")[5] = 55;
    ptx_lanes_row(&t, "%r2")[8] = 88;
    assert_int_equal(ptx_lanes_step(&t, 0, 0xff), VM_NEXT);
    assert_true(ptx_lanes_hazard(&t, "does not take part"));
    assert_int_equal(ptx_lanes_row(&t, "%r1")[5], 55);
    ptx_lanes_close(&t);
}

static const char every_collective[] =
    "vote.sync.all.pred %p1, %p9, %r9; vote.sync.any.pred %p2, %p9, %r9; vote.sync.uni.pred %p3, %p9, %r9;\n"
    "vote.sync.ballot.b32 %r1, !%p9, %r9; match.any.sync.b32 %r2, %r8, %r9; match.all.sync.b32 %r3|%p4, %r8, %r9;\n"
    "match.any.sync.b64 %r4, %d8, %r9; redux.sync.add.s32 %r5, %r8, %r9; redux.sync.min.s32 %r6, %r8, %r9;\n"
    "redux.sync.max.u32 %r7, %r8, %r9; redux.sync.min.u32 %r10, %r8, %r9; redux.sync.max.s32 %r11, %r8, %r9;\n"
    "redux.sync.and.b32 %r12, %r8, %r9; redux.sync.or.b32 %r13, %r8, %r9; redux.sync.xor.b32 %r14, %r8, %r9;\n"
    "elect.sync %r15|%p5, %r9; elect.sync _|%p6, %r9; bar.warp.sync %r9; activemask.b32 %r16;\n"
    "redux.sync.add.u32 %r17, %r8, %r9; match.all.sync.b64 %r18, %d8, %r9;";
enum { COLLECTIVES = 21 };

/* What the lanes hold, as the definitions of the ISA say it. */
struct facts {
    uint32_t lanes, yes, sum, ones, any, odd, least, most, first;
    int32_t least_signed, most_signed;
};

static struct facts facts_of(const uint64_t a[VM_LANES], const uint64_t p[VM_LANES], uint32_t lanes)
{
    struct facts f = {.lanes = lanes, .ones = ALL, .least = ALL, .least_signed = INT32_MAX, .most_signed = INT32_MIN};
    for (unsigned lane = VM_LANES; lane-- > 0;) {
        uint32_t x = (uint32_t)a[lane];
        if (!(lanes >> lane & 1))
            continue;
        f.yes |= (uint32_t)p[lane] << lane;
        f.sum += x;
        f.ones &= x;
        f.any |= x;
        f.odd ^= x;
        f.least = x < f.least ? x : f.least;
        f.most = x > f.most ? x : f.most;
        f.least_signed = (int32_t)x < f.least_signed ? (int32_t)x : f.least_signed;
        f.most_signed = (int32_t)x > f.most_signed ? (int32_t)x : f.most_signed;
        f.first = lane;
    }
    return f;
}

static void expect_facts(const struct ptx_lanes *t, const struct facts *f, unsigned lane)
{
    const uint64_t *a = ptx_lanes_row(t, "%r8");
    uint32_t same = 0;
    for (unsigned other = 0; other < VM_LANES; other++)
        if (f->lanes >> other & 1 && a[other] == a[lane])
            same |= UINT32_C(1) << other;
    const struct {
        const char *name;
        uint32_t value;
    } wanted[] = {
        {"%p1", f->yes == f->lanes},
        {"%p2", f->yes != 0},
        {"%p3", f->yes == f->lanes || f->yes == 0},
        {"%r1", f->lanes & ~f->yes},
        {"%r2", same},
        {"%r3", same == f->lanes ? f->lanes : 0},
        {"%p4", same == f->lanes},
        {"%r4", same},
        {"%r5", f->sum},
        {"%r6", (uint32_t)f->least_signed},
        {"%r7", f->most},
        {"%r10", f->least},
        {"%r11", (uint32_t)f->most_signed},
        {"%r12", f->ones},
        {"%r13", f->any},
        {"%r14", f->odd},
        {"%r15", f->first},
        {"%p5", lane == f->first},
        {"%p6", lane == f->first},
        {"%r16", f->lanes},
        {"%r17", f->sum},
        {"%r18", same == f->lanes ? f->lanes : 0},
    };
    for (size_t n = 0; n < sizeof wanted / sizeof *wanted; n++)
        if (ptx_lanes_row(t, wanted[n].name)[lane] != wanted[n].value)
            fail_msg("lanes 0x%x, lane %u: %s is 0x%llx, not 0x%x (FO_TEST_SEED=%llu)", f->lanes, lane, wanted[n].name,
                     (unsigned long long)ptx_lanes_row(t, wanted[n].name)[lane], wanted[n].value,
                     (unsigned long long)splitmix_seed());
}

static void collectives_over_random_masks_are_their_definition(void **state)
{
    enum { ROUNDS = 300 };
    struct splitmix r = {splitmix_seed()};
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(&t, "", every_collective, 1, 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t mask = (uint32_t)splitmix_next(&r) | UINT32_C(1) << splitmix_below(&r, 32);
        uint32_t dead = (uint32_t)(splitmix_next(&r) & splitmix_next(&r));
        uint64_t kinds = 1 + splitmix_below(&r, 3); /* often all the same */
        dead = (mask & ~dead) ? dead : 0;
        t.w->alive = ~dead;
        for (unsigned lane = 0; lane < VM_LANES; lane++) {
            uint64_t kind = (round & 1 ? splitmix_next(&r) : splitmix_below(&r, kinds)) * 0x80000001;
            ptx_lanes_row(&t, "%r8")[lane] = kind & UINT32_MAX;
            ptx_lanes_row(&t, "%d8")[lane] = kind << 32 | 5;
            ptx_lanes_row(&t, "%r9")[lane] = mask;
            ptx_lanes_row(&t, "%p9")[lane] = splitmix_below(&r, kinds) == 0;
        }
        for (uint32_t n = 0; n < COLLECTIVES; n++)
            assert_int_equal(ptx_lanes_step(&t, n, mask & ~dead), VM_NEXT);
        struct facts f = facts_of(ptx_lanes_row(&t, "%r8"), ptx_lanes_row(&t, "%p9"), mask & ~dead);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            if (f.lanes >> lane & 1)
                expect_facts(&t, &f, lane);
    }
    ptx_lanes_close(&t);
}

static const char *const collectives[] = {
    "shfl.sync.idx.b32 %r1, %r2, 0, 31, %r9;",
    "vote.sync.any.pred %p1, %p2, %r9;",
    "match.any.sync.b32 %r1, %r2, %r9;",
    "match.all.sync.b64 %r1|%p1, %d2, %r9;",
    "redux.sync.add.u32 %r1, %r2, %r9;",
    "elect.sync %r1|%p1, %r9;",
    "bar.warp.sync %r9;",
};

static void collectives_wait_for_the_living_of_their_mask(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof collectives / sizeof *collectives; n++) {
        struct ptx_lanes t;
        ptx_lanes_open(&t, "", collectives[n], 1, 0);
        set_row(&t, "%r9", 0x0000ffff);
        assert_int_equal(ptx_lanes_step(&t, 0, 0x00007fff), VM_WAIT);
        assert_int_equal(ptx_lanes_step(&t, 0, 0x00000001), VM_WAIT);
        assert_int_equal(ptx_lanes_step(&t, 0, 0x0000ffff), VM_NEXT);
        t.w->alive = 0xffff7fff;
        assert_int_equal(ptx_lanes_step(&t, 0, 0x00007fff), VM_NEXT);
        assert_int_equal(ptx_lanes_step(&t, 0, 0x0001ffff), VM_FAULT);
        assert_int_equal(t.vm->error.status, STATUS_SUBJECT);
        assert_non_null(strstr(t.vm->error.why, "lane 16 is not in its own member mask 0x0000ffff"));
        ptx_lanes_close(&t);
    }
}

static void collectives_a_whole_group_goes_on_without_the_others(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(&t, "", "redux.sync.add.u32 %r1, %r2, %r9; bar.warp.sync %r9;", 1, 0);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        ptx_lanes_row(&t, "%r1")[lane] = 777;
        ptx_lanes_row(&t, "%r2")[lane] = lane;
        ptx_lanes_row(&t, "%r9")[lane] = lane % 3 == 0 ? 0x49249249 : 0xb6db6db6;
        t.w->pc[lane] = UINT32_MAX; /* the scheduler leaves it as it was some instructions ago */
    }
    const uint32_t here = t.f->first;
    /* All but lane 31: the group of multiples of three is whole. */
    assert_int_equal(ptx_lanes_step(&t, 0, 0x7fffffff), VM_JUMPED);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        assert_int_equal(t.w->pc[lane], lane == 31 ? UINT32_MAX : here + (lane % 3 == 0));
        assert_int_equal(ptx_lanes_row(&t, "%r1")[lane], lane % 3 == 0 ? 165 : 777);
    }
    assert_int_equal(ptx_lanes_step(&t, 0, 0xb6db6db6), VM_NEXT);
    assert_int_equal(ptx_lanes_row(&t, "%r1")[31], 31 * 32 / 2 - 165);
    assert_int_equal(ptx_lanes_row(&t, "%r1")[30], 165);
    assert_int_equal(ptx_lanes_step(&t, 1, ALL), VM_NEXT);
    ptx_lanes_close(&t);
}

/* The whole machine: lane 0 takes a way further down; the upper half of the warp goes on while the lower half waits for
 * it, until all stand at the barrier. */
static void collectives_of_lanes_that_part_come_together(void **state)
{
    static const char text[] = ".version 8.6\n.target sm_90a\n.address_size 64\n"
                               ".visible .entry k(.param .u64 out)\n{\n"
                               ".reg .b32 %r<9>;\n.reg .b64 %d<9>;\n.reg .pred %p<9>;\n"
                               "ld.param.u64 %d1, [out]; mov.u32 %r1, %tid.x;\n"
                               "and.b32 %r4, %r1, 16; shl.b32 %r3, 0xffff, %r4;\n"
                               "elect.sync _|%p1, -1;\n"
                               "@%p1 bra ONE;\n"
                               "redux.sync.add.u32 %r2, %r1, 0xfffffffe;\n"
                               "JOIN: redux.sync.max.u32 %r5, %r1, %r3;\n"
                               "bar.warp.sync -1;\n"
                               "mad.wide.u32 %d2, %r1, 8, %d1; st.global.v2.u32 [%d2], {%r2, %r5};\n"
                               "ret;\n"
                               "ONE: redux.sync.add.u32 %r2, 1000, 1;\n"
                               "bra.uni JOIN;\n}\n";
    struct vm *v;
    struct error e;
    uint64_t at;
    (void)state;
    assert_int_equal(vm_make("k.ptx", text, strlen(text), &v, &e), STATUS_OK);
    assert_int_equal(vm_alloc(v, "out", 256, &at, &e), STATUS_OK);
    const struct vm_launch launch = {
        .entry = "k", .grid = {1, 1, 1}, .block = {32, 1, 1}, .parameters = &at, .parameter_bytes = sizeof at};
    if (vm_run(v, &launch, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    const uint32_t *out = vm_bytes(v, at);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        assert_int_equal(out[2 * lane], lane == 0 ? 1000 : 31 * 32 / 2);
        assert_int_equal(out[2 * lane + 1], lane < 16 ? 15 : 31);
    }
    vm_free(v);
}

static void warp_what_is_not_modelled_is_refused(void **state)
{
    static const struct {
        const char *body, *why;
    } refused[] = {
        {"shfl.idx.b32 %r1, %r2, 0, 31;", "words"},
        {"shfl.sync.b32 %r1, %r2, 0, 31, -1;", "words"},
        {"shfl.sync.idx.b64 %d1, %d2, 0, 31, -1;", "words"},
        {"shfl.sync.idx.b32 %r1, %r2, 0, 31;", "operands"},
        {"shfl.sync.idx.b32 %d1, %r2, 0, 31, -1;", "operands"},
        {"shfl.sync.idx.b32 %r1|%r2, %r3, 0, 31, -1;", "operands"},
        {"shfl.sync.idx.b32 %r1, %d2, 0, 31, -1;", "operands"},
        {"vote.all.pred %p1, %p2;", "words"},
        {"vote.sync.all.b32 %r1, %p2, -1;", "words"},
        {"vote.sync.ballot.b32 %p1, %p2, -1;", "operands"},
        {"vote.sync.ballot.b32 %r1, %r2, -1;", "operands"},
        {"match.any.sync.b16 %r1, %h2, -1;", "words"},
        {"match.any.sync.b32 %r1|%p1, %r2, -1;", "operands"},
        {"redux.sync.min.f32 %f1, %f2, -1;", "words"},
        {"redux.sync.and.u32 %r1, %r2, -1;", "words"},
        {"redux.sync.add.b32 %r1, %r2, -1;", "words"},
        {"elect.sync %r1, -1;", "operands"},
        {"elect.sync %r1|%p1, %d2;", "operands"},
        {"activemask.b64 %d1;", "words"},
        {"bar.warp.sync;", "operands"},
        {"bar.warp.arrive -1;", "words"},
    };
    (void)state;
    for (size_t n = 0; n < sizeof refused / sizeof *refused; n++)
        ptx_lanes_refuse("", refused[n].body, refused[n].why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shfl_every_width_and_distance_is_cudas),
        cmocka_unit_test(shfl_clamps_are_where_c_says),
        cmocka_unit_test(shfl_forms_without_predicate_and_onto_itself),
        cmocka_unit_test(shfl_from_a_lane_that_is_not_there_is_a_hazard),
        cmocka_unit_test(collectives_over_random_masks_are_their_definition),
        cmocka_unit_test(collectives_wait_for_the_living_of_their_mask),
        cmocka_unit_test(collectives_a_whole_group_goes_on_without_the_others),
        cmocka_unit_test(collectives_of_lanes_that_part_come_together),
        cmocka_unit_test(warp_what_is_not_modelled_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
