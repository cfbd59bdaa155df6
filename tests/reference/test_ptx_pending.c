#include "tests/reference/ptx_run.h"

#include <omp.h>

#include "tests/support/alloc.h"

/* Something pending that notes when it was done, begun by the first nanosleep of each warp; the second one waits for
 * as many as `awaited` says. */
struct noted {
    struct vm_pending pending;
    int number;
};

static int done[64], dones, awaited;

static bool note(struct vm_pending *p)
{
    done[dones++] = ((struct noted *)p)->number;
    return ((struct noted *)p)->number != 7 ||
           vm_fault(p->warp, p->instruction, STATUS_SUBJECT, "number %d", 7) != VM_FAULT;
}

static enum vm_step begin_three(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)lanes;
    for (int n = 0; n < 3; n++) {
        struct noted one = {.pending = {.warp = w, .instruction = i, .on_mbarrier = n == 1, .complete = note},
                            .number = (int)w->index * 3 + n};
        if (vm_pending_begin(&one.pending, sizeof one) != VM_NEXT)
            return VM_FAULT;
    }
    return VM_NEXT;
}

static enum vm_step await_some(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)w;
    (void)i;
    (void)lanes;
    return dones >= awaited ? VM_NEXT : VM_WAIT;
}

static struct vm *make_pending(const char *between)
{
    char text[400];
    snprintf(text, sizeof text,
             PTX_HEAD ".visible .entry k()\n{\n.reg .pred %%p<4>;\n.reg .b32 %%r<4>;\nnanosleep.u32 1;\n%s\n"
                      "nanosleep.u32 2;\nret;\n}\n",
             between);
    struct vm *v = ptx_make(text);
    int seen = 0;
    for (uint32_t n = 0; n < v->program.instructions; n++)
        if (strcmp(v->program.instruction[n].opcode, "nanosleep") == 0)
            v->program.instruction[n].run = seen++ ? await_some : begin_three;
    dones = 0;
    return v;
}

static void pending_is_done_when_nobody_goes_on_mbarriers_first(void **state)
{
    static const int late[] = {1, 4, 0, 2, 3, 5}, early[] = {0, 1, 2, 3, 4, 5}, ends[] = {0, 1, 2, 3, 4, 5};
    (void)state;
    for (int most = 0; most <= 6; most++) {
        struct vm *v = make_pending("");
        struct vm_launch l = ptx_launch(1, 64, NULL, 0);
        awaited = most;
        ptx_expect(v, &l);
        assert_int_equal(dones, 6); /* what nobody awaited is done as the block ends */
        assert_memory_equal(done, late, sizeof *done * (size_t)(most < 2 ? most : 2));
        if (most == 0)
            assert_memory_equal(done, ends, sizeof ends);
        if (most == 6)
            assert_memory_equal(done, late, sizeof late);
        dones = 0;
        l.order = VM_EARLY;
        ptx_expect(v, &l);
        assert_memory_equal(done, early, sizeof early);
        awaited = 7;
        dones = 0;
        ptx_expect_fault(v, &l, STATUS_SUBJECT, "deadlock: 2 warps of block (0,0,0) wait in line 10 (nanosleep.u32)");
        vm_free(v);
    }
}

static void pending_fault_of_a_completion_stops_the_kernel(void **state)
{
    (void)state;
    for (int order = VM_LATE; order <= VM_EARLY; order++) {
        struct vm *v = make_pending("");
        struct vm_launch l = ptx_launch(1, 96, NULL, 0);
        l.order = (enum vm_order)order;
        awaited = 9;
        ptx_expect_fault(v, &l, STATUS_SUBJECT, "block (0,0,0), warp 2: line 8, column 1: number 7");
        vm_free(v);
    }
}

static enum vm_step poll_some(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        if (lanes >> lane & 1)
            w->pc[lane] = (uint32_t)(i - vm_warp_program(w)->instruction) + (dones >= awaited);
    return VM_JUMPED;
}

/* Who polls never waits: what is pending is done all the same. */
static void pending_is_done_in_the_end_while_others_poll(void **state)
{
    struct vm *v = make_pending("");
    struct vm_launch l = ptx_launch(1, 32, NULL, 0);
    (void)state;
    for (uint32_t n = 0; n < v->program.instructions; n++)
        if (v->program.instruction[n].run == await_some)
            v->program.instruction[n].run = poll_some;
    awaited = 3;
    l.most_steps = 10000000;
    ptx_expect(v, &l);
    vm_free(v);
}

/* One list after another: what was begun behind an emptied list is done as well. */
static enum vm_step begin_or_await(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t wanted = vm_warp_program(w)->operand[i->operand].value;
    if (wanted == 0)
        return begin_three(w, i, lanes);
    return (uint64_t)dones >= wanted ? VM_NEXT : VM_WAIT;
}

static void pending_list_begins_again_after_it_was_emptied(void **state)
{
    struct vm *v = make_pending("nanosleep.u32 3; nanosleep.u32 0; nanosleep.u32 6; nanosleep.u32 0; nanosleep.u32 9;");
    struct vm_launch l = ptx_launch(1, 32, NULL, 0);
    static const int want[] = {1, 0, 2, 1, 0, 2, 1, 0, 2};
    (void)state;
    for (uint32_t n = 0; n < v->program.instructions; n++) {
        struct vm_instruction *i = &v->program.instruction[n];
        uint64_t *value = &v->program.operand[i->operand].value;
        if (i->run == begin_three)
            *value = 0;
        if (i->run == begin_three || i->run == await_some)
            i->run = begin_or_await;
    }
    ptx_expect(v, &l);
    assert_int_equal(dones, 9);
    assert_memory_equal(done, want, sizeof want);
    vm_free(v);
}

/* Lanes whose guard is off do not wait with the others. */
static void run_guard_off_lanes_pass_a_wait(void **state)
{
    struct vm *v = make_pending("mov.u32 %r1, %tid.x; setp.eq.u32 %p1, %r1, 5; @%p1");
    struct vm_launch l = ptx_launch(1, 32, NULL, 0);
    (void)state;
    awaited = 4;
    ptx_expect_fault(v, &l, STATUS_SUBJECT, "deadlock: 1 warp of block (0,0,0) waits in line 10 (nanosleep.u32)");
    assert_int_equal(dones, 3);
    vm_free(v);
}

static enum vm_step endanger(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)lanes;
    vm_hazard(w, i, i->line % 2 ? "odd" : "even", "block %u", w->block->at[0]);
    vm_hazard(w, i, "any", "x");
    vm_approximate(w, w->block->at[0] < 5 ? "first" : "later");
    return VM_NEXT;
}

static void run_hazards_are_kept_once_a_line_and_counted(void **state)
{
    struct vm *v =
        ptx_make(PTX_HEAD ".visible .entry k()\n{\n.reg .pred %p<4>;\n.reg .b32 %r<4>;\n"
                          "bra B;\nA:\nnanosleep.u32 1;\nbra C;\nB:\nnanosleep.u32 2;\nbra A;\nC:\nret;\n}\n");
    struct vm_launch l = ptx_launch(40, 64, NULL, 0);
    int threads = omp_get_max_threads();
    (void)state;
    for (uint32_t n = 0; n < v->program.instructions; n++)
        if (strcmp(v->program.instruction[n].opcode, "nanosleep") == 0)
            v->program.instruction[n].run = endanger;
    for (int n = 1; n <= 4; n++) {
        memset(&v->report, 0, sizeof v->report);
        omp_set_num_threads(n);
        ptx_expect(v, &l);
        assert_int_equal(v->report.hazards, 4);
        static const char *const kind[] = {"any", "even", "any", "odd"};
        for (int h = 0; h < 4; h++) {
            assert_string_equal(v->report.hazard[h].kind, kind[h]);
            assert_string_equal(v->report.hazard[h].text, h % 2 ? "block 0" : "x");
            assert_int_equal(v->report.hazard[h].line, h < 2 ? 10 : 13);
            assert_int_equal(v->report.hazard[h].count, 80);
        }
        assert_string_equal(v->report.approximate, "first");
        assert_int_equal(v->report.blocks, 40);
    }
    omp_set_num_threads(threads);
    vm_free(v);
}

/* The first block is the last to speak: its words stand. In a later launch those of the earlier one do. */
static uint64_t spoke_from;

static enum vm_step endanger_late(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint32_t block = w->block->at[0];
    (void)lanes;
    if (block == 0 && w->steps < 10000)
        return poll_some(w, i, lanes);
    if (block >= spoke_from) {
        vm_hazard(w, i, "any", "block %u", block);
        vm_approximate(w, block == 0 ? "first" : "later");
    }
    return VM_NEXT;
}

static void run_hazards_are_told_by_the_first_block(void **state)
{
    (void)state;
    for (spoke_from = 0; spoke_from < 2; spoke_from++) {
        struct vm *v = make_pending("");
        struct vm_launch l = ptx_launch(4, 32, NULL, 0);
        for (uint32_t n = 0; n < v->program.instructions; n++)
            if (v->program.instruction[n].run == await_some)
                v->program.instruction[n].run = endanger_late;
        awaited = 100;
        ptx_expect(v, &l);
        assert_int_equal(v->report.hazards, 1);
        assert_string_equal(v->report.hazard[0].text, spoke_from ? "block 1" : "block 0");
        assert_string_equal(v->report.approximate, spoke_from ? "later" : "first");
        uint64_t first = spoke_from;
        spoke_from = 0;
        dones = 0;
        ptx_expect(v, &l);
        spoke_from = first;
        assert_string_equal(v->report.hazard[0].text, spoke_from ? "block 1" : "block 0");
        vm_free(v);
    }
}

static enum vm_step write_wide(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_operand *o = &vm_warp_program(w)->operand[i->operand];
    uint64_t value[VM_LANES];
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        value[lane] = UINT64_C(0xfedcba9876543200) + lane;
    vm_write_operand(w, o, value, lanes);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        assert_int_equal(vm_row(w, o->reg)[lane],
                         lanes >> lane & 1 ? value[lane] & (o->bits < 64 ? (UINT64_C(1) << o->bits) - 1 : UINT64_MAX)
                         : o->bits == 1    ? vm_row(w, o->reg)[lane] & 1
                                           : UINT64_C(0xadadadadadadadad) >> (64 - o->bits));
    return VM_NEXT;
}

static void write_operand_is_cut_to_the_width_in_the_lanes_meant(void **state)
{
    struct vm *v = ptx_make(PTX_HEAD ".visible .entry k()\n{\n.reg .b32 %r<4>;\n.reg .b64 %rd<4>;\n.reg .b16 %h<4>;\n"
                                     ".reg .pred %p<4>;\nmov.u32 %r1, 0; mov.u64 %rd1, 0; mov.u16 %h1, 0;\n"
                                     "mov.pred %p1, 0; ret;\n}\n");
    (void)state;
    int seen = 0;
    for (uint32_t n = 0; n < v->program.instructions; n++)
        if (strcmp(v->program.instruction[n].opcode, "mov") == 0) {
            v->program.instruction[n].run = write_wide;
            seen++;
        }
    assert_int_equal(seen, 4);
    for (uint32_t threads = 7; threads <= 32; threads += 25) {
        struct vm_launch l = ptx_launch(1, threads, NULL, 0);
        ptx_expect(v, &l);
    }
    vm_free(v);
}

/* A module made, memory for it, two clusters of two blocks, something pending in each. */
static enum status make_and_run(void *context, struct error *e)
{
    static const char *const text =
        PTX_HEAD ".global .b32 cell[4] = {1, 2, 3, 4};\n.extern .shared .align 4 .b8 parts[];\n"
                 ".visible .entry k(.param .u64 out)\n{\n.local .b32 mine[4];\n.reg .b32 %r<4>;\n.reg .b64 %rd<4>;\n"
                 "ld.param.u64 %rd1, [out]; mov.u32 %r1, %ctaid.x; st.local.u32 [mine], %r1;\n"
                 "ld.local.u32 %r2, [mine]; nanosleep.u32 1; bar.sync 0;\n"
                 "st.global.u32 [%rd1], %r2; ret;\n}\n";
    struct vm *v = NULL;
    uint64_t out;
    (void)context;
    enum status s = vm_make("k.ptx", text, strlen(text), &v, e);
    if (s == STATUS_OK) {
        for (uint32_t n = 0; n < v->program.instructions; n++)
            if (strcmp(v->program.instruction[n].opcode, "nanosleep") == 0)
                v->program.instruction[n].run = begin_three;
        dones = 0;
        s = vm_alloc(v, "out", 64, &out, e);
    }
    if (s == STATUS_OK) {
        struct vm_launch l = ptx_launch(4, 64, &out, sizeof out);
        l.cluster[0] = 2, l.cluster[1] = l.cluster[2] = 1;
        l.dynamic_shared = 256;
        s = vm_run(v, &l, e);
    }
    vm_free(v);
    return s;
}

static void make_and_run_without_memory_is_no_memory(void **state)
{
    int threads = omp_get_max_threads();
    (void)state;
    omp_set_num_threads(1);
    assert_true(alloc_check(make_and_run, NULL, NULL) > 30);
    omp_set_num_threads(threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pending_is_done_when_nobody_goes_on_mbarriers_first),
        cmocka_unit_test(pending_fault_of_a_completion_stops_the_kernel),
        cmocka_unit_test(pending_is_done_in_the_end_while_others_poll),
        cmocka_unit_test(pending_list_begins_again_after_it_was_emptied),
        cmocka_unit_test(run_guard_off_lanes_pass_a_wait),
        cmocka_unit_test(run_hazards_are_kept_once_a_line_and_counted),
        cmocka_unit_test(run_hazards_are_told_by_the_first_block),
        cmocka_unit_test(write_operand_is_cut_to_the_width_in_the_lanes_meant),
        cmocka_unit_test(make_and_run_without_memory_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
