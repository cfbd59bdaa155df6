#include "tests/reference/ptx_run.h"

#include "reference/ptx/hooks.h"

/* Addresses of any space that one instruction of a kernel tries, by a run of the test's own. */
static struct {
    enum vm_space space;
    uint64_t address;
    uint32_t bytes;
    bool write;
    unsigned lane;
    uint8_t *found;
} asked;

static enum vm_step ask(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    (void)lanes;
    if (w->block->rank != 0 || w->index != 0)
        return VM_NEXT;
    asked.found = vm_memory_at(w, i, asked.lane, asked.space, asked.address, asked.bytes, asked.write);
    return asked.found ? VM_NEXT : VM_FAULT;
}

#define MODULE                                                                                                         \
    PTX_HEAD ".const .align 4 .b32 fixed[4] = {1, 2, 3, 4};\n.global .align 8 .b32 cell[2] = {5, 6};\n"                \
             ".shared .align 4 .b32 fixedly[4];\n.extern .shared .align 64 .b8 dynamic[];\n"                           \
             ".visible .entry k(.param .u64 a, .param .u32 b)\n{\n.local .align 8 .b8 mine[24];\n.reg .b32 %r<4>;\n"   \
             "mov.u32 %r1, dynamic;\nnanosleep.u32 1;\nret;\n}\n"

static struct vm *make_asking(vm_execute *run)
{
    struct vm *v = ptx_make(MODULE);
    for (uint32_t n = 0; n < v->program.instructions; n++)
        if (strcmp(v->program.instruction[n].opcode, "nanosleep") == 0)
            v->program.instruction[n].run = run;
    return v;
}

static uint8_t parameters[12];

static struct vm_launch asking_launch(void)
{
    struct vm_launch l = ptx_launch(2, 64, parameters, sizeof parameters);
    l.cluster[0] = 2, l.cluster[1] = l.cluster[2] = 1;
    l.dynamic_shared = 100;
    return l;
}

static void try_at(struct vm *v, unsigned lane, enum vm_space space, uint64_t address, uint32_t bytes, bool write,
                   const char *fault)
{
    struct vm_launch l = asking_launch();
    asked.space = space;
    asked.address = address;
    asked.bytes = bytes;
    asked.write = write;
    asked.lane = lane;
    if (fault)
        ptx_expect_fault(v, &l, STATUS_SUBJECT, fault);
    else
        ptx_expect(v, &l);
}

static void alloc_addresses_are_far_apart_and_the_same_each_time(void **state)
{
    uint64_t first[3] = {0};
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct vm *v = ptx_make(MODULE);
        uint64_t at[3] = {ptx_alloc(v, "a", 1), ptx_alloc(v, "b", 5000), ptx_alloc(v, "c", 0)};
        for (int n = 0; n < 3; n++)
            assert_true(at[n] % 256 == 0 && (n == 0 || at[n] - at[n - 1] > 65536));
        if (round == 0)
            memcpy(first, at, sizeof at);
        assert_memory_equal(first, at, sizeof at);
        assert_non_null(vm_bytes(v, at[1]));
        assert_null(vm_bytes(v, at[1] + 1));
        assert_null(vm_bytes(v, 16));
        vm_release(v, at[0]);
        vm_release(v, at[0]);
        assert_null(vm_bytes(v, at[0]));
        memset(vm_bytes(v, at[1]), 3, 5000);
        vm_free(v);
    }
}

static uint64_t address_of(const struct vm *v, const char *name)
{
    for (uint32_t n = 0; n < v->program.variables; n++)
        if (strcmp(v->program.variable[n].name, name) == 0)
            return v->program.variable[n].at;
    fail_msg("no variable %s", name);
    return 0;
}

static void at_global_inside_is_found_and_outside_names_the_neighbour(void **state)
{
    struct vm *v = make_asking(ask);
    uint64_t a = ptx_alloc(v, "first", 1000), b = ptx_alloc(v, "second", 64);
    (void)state;
    try_at(v, 3, VM_GLOBAL, a + 992, 8, true, NULL);
    assert_ptr_equal(asked.found, (uint8_t *)vm_bytes(v, a) + 992);
    try_at(v, 0, VM_GENERIC, b, 16, false, NULL);
    assert_ptr_equal(asked.found, vm_bytes(v, b));
    try_at(v, 3, VM_GLOBAL, a + 1000, 4, true, "lane 3 writes 4 bytes at 0x");
    try_at(v, 3, VM_GLOBAL, a + 1000, 4, false, "of global memory: 0 bytes behind the end of `first` (1000 bytes)");
    try_at(v, 3, VM_GLOBAL, a + 992, 16, false, "8 bytes before the end of `first`");
    try_at(v, 3, VM_GLOBAL, b - 16, 4, false, "16 bytes before `second`");
    try_at(v, 3, VM_GLOBAL, b + 80, 4, false, "16 bytes behind the end of `second`");
    try_at(v, 3, VM_GLOBAL, 0, 4, false, "bytes before `fixed`");
    try_at(v, 3, VM_GLOBAL, UINT64_MAX - 3, 4, false, "behind the end of `second`");
    try_at(v, 3, VM_GLOBAL, a + 2, 4, false, "misaligned");
    try_at(v, 3, VM_GLOBAL, a + 8, 16, false, "misaligned");
    vm_release(v, a);
    try_at(v, 3, VM_GLOBAL, a + 16, 4, false, "of global memory: ");
    try_at(v, 3, VM_GLOBAL, b + 16, 4, false, NULL);
    vm_free(v);
}

static void at_constants_are_read_and_never_written(void **state)
{
    struct vm *v = make_asking(ask);
    uint64_t fixed = address_of(v, "fixed"), cell = address_of(v, "cell");
    (void)state;
    try_at(v, 0, VM_CONST, fixed + 4, 4, false, NULL);
    assert_int_equal(asked.found[0], 2);
    try_at(v, 0, VM_GENERIC, fixed, 4, true, "constants are not written");
    try_at(v, 0, VM_GENERIC, cell, 8, true, NULL);
    assert_int_equal(asked.found[4], 6);
    vm_free(v);
}

static void at_shared_of_the_cluster_by_rank_and_within_bounds(void **state)
{
    struct vm *v = make_asking(ask);
    uint64_t fixedly = address_of(v, "fixedly"), dynamic = address_of(v, "dynamic"), rank = 1 << VM_RANK_SHIFT;
    (void)state;
    assert_int_equal(fixedly, VM_SHARED_START);
    assert_int_equal(dynamic, VM_SHARED_START + 64);
    try_at(v, 0, VM_SHARED, fixedly, 16, true, NULL);
    try_at(v, 0, VM_SHARED, dynamic + 96, 4, true, NULL);
    try_at(v, 0, VM_SHARED, dynamic + 100, 4, true,
           "of shared memory: outside (a block has 0x400 to 0x4a4, of rank 0)");
    try_at(v, 0, VM_SHARED, dynamic + 96, 8, true, "outside");
    try_at(v, 0, VM_SHARED, VM_SHARED_START - 4, 4, false, "outside");
    try_at(v, 0, VM_SHARED, rank + dynamic, 4, false, NULL);
    try_at(v, 0, VM_SHARED, 2 * rank + dynamic, 4, false, "outside");
    try_at(v, 0, VM_SHARED, (UINT64_C(1) << 32) + dynamic, 4, false, "outside");
    try_at(v, 0, VM_GENERIC, VM_SHARED_WINDOW + rank + dynamic, 4, true, NULL);
    try_at(v, 0, VM_GENERIC, VM_SHARED_WINDOW + 8, 4, true, "of shared memory: outside");
    vm_free(v);
}

static void at_local_and_parameters_within_bounds(void **state)
{
    struct vm *v = make_asking(ask);
    (void)state;
    parameters[8] = 77;
    assert_true(v->program.local_bytes >= 24);
    try_at(v, 0, VM_LOCAL, 0, 8, true, NULL);
    try_at(v, 5, VM_GENERIC, VM_LOCAL_WINDOW + v->program.local_bytes - 8, 8, true, NULL);
    try_at(v, 31, VM_LOCAL, v->program.local_bytes, 4, false, "lane 31 reads 4 bytes at 0x18 of local memory: outside");
    try_at(v, 0, VM_PARAM, 8, 4, false, NULL);
    assert_int_equal(asked.found[0], 77);
    try_at(v, 0, VM_GENERIC, VM_PARAM_WINDOW + 8, 4, false, NULL);
    assert_int_equal(asked.found[0], 77);
    try_at(v, 0, VM_PARAM, 12, 4, false, "of param memory: outside");
    try_at(v, 0, VM_PARAM, 8, 8, false, "outside");
    try_at(v, 0, VM_PARAM, 0, 8, true, "parameters are not written");
    vm_free(v);
}

static void address_space_of_windows_and_between(void **state)
{
    static const struct {
        uint64_t generic;
        enum vm_space space;
        uint64_t plain;
    } is[] = {
        {0x200000000, VM_GLOBAL, 0x200000000},
        {0x7a0000000000, VM_SHARED, 0},
        {0x7a00ffffffff, VM_SHARED, 0xffffffff},
        {0x7a0100000000, VM_GLOBAL, 0x7a0100000000},
        {0x7b0000000010, VM_LOCAL, 16},
        {0x7c0000000010, VM_PARAM, 16},
        {0x79ffffffffff, VM_GLOBAL, 0x79ffffffffff},
    };
    (void)state;
    for (size_t n = 0; n < sizeof is / sizeof *is; n++) {
        uint64_t plain = 1;
        assert_int_equal(vm_address_space(is[n].generic, &plain), is[n].space);
        assert_int_equal(plain, is[n].plain);
    }
}

/* What threads of the first block do to shared memory, one letter each: s store by lane 3 of warp 0, S by lane 3 of
 * warp 1, f F fence by these warps, r asynchronous read by warp 0, w write by the engine, 1 store to rank 1. */
static const char *script;
static uint32_t base;

static enum vm_step act(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    struct vm_warp *second = &w->block->warp[1];
    (void)lanes;
    if (w->block->rank != 0 || w->index != 0)
        return VM_NEXT;
    for (const char *c = script; *c; c++)
        switch (*c) {
        case 's':
        case 'S':
            assert_non_null(vm_memory_at(*c == 's' ? w : second, i, 3, VM_SHARED, base + 20, 4, true));
            break;
        case 'l':
            assert_non_null(vm_memory_at(w, i, 3, VM_SHARED, base + 20, 4, false));
            break;
        case '1':
            assert_non_null(vm_memory_at(w, i, 3, VM_SHARED, (1 << VM_RANK_SHIFT) + base + 20, 4, true));
            break;
        case 'f':
        case 'F':
            vm_proxy_fence(*c == 'f' ? w : second, UINT32_C(1) << 3);
            break;
        case 'o':
            vm_proxy_fence(second, UINT32_C(1) << 4);
            break;
        case 'r':
            vm_shared_read_async(w, i, base, 24);
            break;
        case 'a':
            vm_shared_read_async(w, i, base, 16);
            break;
        case 'b':
            vm_shared_read_async(w, i, base + 32, 16);
            break;
        case 'R':
            vm_shared_read_async(w, i, (1 << VM_RANK_SHIFT) + base, 24);
            break;
        case 'w':
            vm_shared_written_async(w->block, base + 16, 16);
            break;
        default:
            fail();
        }
    return VM_NEXT;
}

static void read_async_of_unfenced_stores_is_a_hazard(void **state)
{
    static const struct {
        const char *script;
        uint64_t hazards;
    } is[] = {
        {"r", 0},    {"sr", 1},    {"sfr", 0}, {"fsr", 1}, {"SFr", 0},  {"Sfr", 0}, {"Sor", 1},
        {"sfsr", 1}, {"sfrsr", 1}, {"srr", 2}, {"sa", 0},  {"sb", 0},   {"swr", 0}, {"wsr", 1},
        {"lr", 0},   {"1r", 0},    {"1R", 1},  {"1fR", 0}, {"SFsr", 1}, {"sFr", 1},
    };
    (void)state;
    for (size_t n = 0; n < sizeof is / sizeof *is; n++) {
        struct vm *v = make_asking(act);
        struct vm_launch l = asking_launch();
        script = is[n].script;
        base = (uint32_t)address_of(v, "dynamic");
        ptx_expect(v, &l);
        uint64_t count = v->report.hazards ? v->report.hazard[0].count : 0;
        if (count != is[n].hazards || v->report.hazards > 1)
            fail_msg("%s: %u hazards", is[n].script, (unsigned)count);
        if (count) {
            assert_string_equal(v->report.hazard[0].kind, "shared memory read without a proxy fence");
            assert_non_null(strstr(v->report.hazard[0].text, "0x450"));
            assert_int_equal(v->report.hazard[0].line, 13);
        }
        vm_free(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alloc_addresses_are_far_apart_and_the_same_each_time),
        cmocka_unit_test(at_global_inside_is_found_and_outside_names_the_neighbour),
        cmocka_unit_test(at_constants_are_read_and_never_written),
        cmocka_unit_test(at_shared_of_the_cluster_by_rank_and_within_bounds),
        cmocka_unit_test(at_local_and_parameters_within_bounds),
        cmocka_unit_test(address_space_of_windows_and_between),
        cmocka_unit_test(read_async_of_unfenced_stores_is_a_hazard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
