#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/ptx_lanes.h"

#define ALL UINT32_MAX

static const char variables[] =
    ".global .align 16 .b8 somewhere[4096];\n.const .align 16 .b8 fixed[16] = {1, 2, 3, 4};\n"
    ".shared .align 128 .b8 area[8192];\n";

/* 128 bytes a lane of the variable `somewhere` (global) or `area` (shared): what a lane's address points at. */
static uint8_t *global_bytes(const struct ptx_lanes *t, uint64_t *address)
{
    const struct vm_program *p = &t->vm->program;
    for (uint32_t n = 0; n < p->variables; n++)
        if (strcmp(p->variable[n].name, "somewhere") == 0) {
            *address = p->variable[n].at;
            return vm_global_at(t->w->block, *address, 4096, true);
        }
    fail_msg("no variable");
    return NULL;
}

static uint8_t *shared_bytes(const struct ptx_lanes *t, uint64_t *address)
{
    *address = ((uint64_t)t->w->block->rank << 24) + VM_SHARED_START;
    return vm_shared_at(t->w->block, (uint32_t)*address, 8192, NULL);
}

static uint8_t pattern(size_t n)
{
    return (uint8_t)(n * 167 + 0x8b + (n >> 8) * 3);
}

static uint64_t pattern_value(size_t at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned n = 0; n < bytes; n++)
        value |= (uint64_t)pattern(at + n) << (8 * n);
    return value;
}

static void load_every_type_and_vector_comes_from_its_bytes(void **state)
{
    static const struct {
        const char *type;
        unsigned bytes;
        bool is_signed;
        const char *letters; /* registers that take it */
    } types[] = {
        {"b8", 1, false, "bhrd"}, {"u8", 1, false, "hrd"}, {"s8", 1, true, "hrd"},   {"b16", 2, false, "hrd"},
        {"u16", 2, false, "hrd"}, {"s16", 2, true, "hrd"}, {"b32", 4, false, "rdf"}, {"u32", 4, false, "rd"},
        {"s32", 4, true, "rd"},   {"f32", 4, false, "f"},  {"b64", 8, false, "dg"},  {"u64", 8, false, "d"},
        {"s64", 8, true, "d"},    {"f64", 8, false, "g"},
    };
    static const char *const spaces[] = {".global", ".shared", "", ".global.nc.L1::no_allocate.L2::128B",
                                         ".shared::cta"};
    static const char *const vectors[] = {"", ".v2", ".v4", ".v8"};
    unsigned ran = 0;
    (void)state;
    for (size_t n = 0; n < sizeof types / sizeof *types; n++)
        for (size_t s = 0; s < 5; s++)
            for (unsigned v = 0; v < 4; v++)
                for (const char *letter = types[n].letters; *letter; letter++) {
                    unsigned count = 1u << v, size = types[n].bytes, bits = 0;
                    if (count * size > 32)
                        continue;
                    char list[80] = "", body[200];
                    for (unsigned k = 0; k < count; k++)
                        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%%%c%u", k ? ", " : "", *letter,
                                 k + 1);
                    snprintf(body, sizeof body, "ld%s%s.%s %s%s%s, [%%d19+32];", spaces[s], vectors[v], types[n].type,
                             v ? "{" : "", list, v ? "}" : "");
                    struct ptx_lanes t;
                    ptx_lanes_open(&t, variables, body, 2, 1);
                    uint64_t at;
                    bool shared = strstr(spaces[s], "shared") != NULL;
                    uint8_t *bytes = shared ? shared_bytes(&t, &at) : global_bytes(&t, &at);
                    for (size_t k = 0; k < 4096; k++)
                        bytes[k] = pattern(k);
                    for (unsigned lane = 0; lane < VM_LANES; lane++)
                        ptx_lanes_row(&t, "%d19")[lane] = at + 64 * lane;
                    if (ptx_lanes_step(&t, 0, 0x7fffffff) != VM_NEXT)
                        fail_msg("%s: %s", body, t.vm->error.why);
                    bits = *letter == 'b' ? 8 : *letter == 'h' ? 16 : *letter == 'r' || *letter == 'f' ? 32 : 64;
                    for (unsigned lane = 0; lane < 31; lane++)
                        for (unsigned k = 0; k < count; k++) {
                            char name[16];
                            uint64_t wanted = pattern_value(64 * lane + 32 + k * size, size);
                            if (types[n].is_signed && size < 8 && wanted >> (8 * size - 1) & 1)
                                wanted |= UINT64_MAX << (8 * size);
                            if (bits < 64)
                                wanted &= (UINT64_C(1) << bits) - 1;
                            snprintf(name, sizeof name, "%%%c%u", *letter, k + 1);
                            if (ptx_lanes_row(&t, name)[lane] != wanted)
                                fail_msg("%s: lane %u: %s is 0x%llx, not 0x%llx", body, lane, name,
                                         (unsigned long long)ptx_lanes_row(&t, name)[lane], (unsigned long long)wanted);
                        }
                    ptx_lanes_close(&t);
                    ran++;
                }
    assert_true(ran > 300);
}

static void store_every_width_writes_its_bytes_alone(void **state)
{
    static const struct {
        const char *form;
        unsigned count, bytes;
        char letter;
    } forms[] = {
        {"st.global.b8 [%d19], %b1;", 1, 1, 'b'},
        {"st.global.u8 [%d19], %r1;", 1, 1, 'r'},
        {"st.u8 [%d19], %h1;", 1, 1, 'h'},
        {"st.shared.u16 [%d19], %h1;", 1, 2, 'h'},
        {"st.shared.b16 [%d19], %r1;", 1, 2, 'r'},
        {"st.global.wt.b16 [%d19], %h1;", 1, 2, 'h'},
        {"st.shared.f32 [%d19], %f1;", 1, 4, 'f'},
        {"st.volatile.global.s32 [%d19], %d1;", 1, 4, 'd'},
        {"st.release.gpu.global.u64 [%d19], %d1;", 1, 8, 'd'},
        {"st.global.f64 [%d19], %g1;", 1, 8, 'g'},
        {"st.shared.v4.b8 [%d19], {%b1, %b2, %b3, %b4};", 4, 1, 'b'},
        {"st.shared.v2.u16 [%d19], {%h1, %h2};", 2, 2, 'h'},
        {"st.global.v4.b32 [%d19], {%r1, %r2, %r3, %r4};", 4, 4, 'r'},
        {"st.shared.v2.u64 [%d19], {%d1, %d2};", 2, 8, 'd'},
        {"st.global.v8.b32 [%d19], {%r1, %r2, %r3, %r4, %r5, %r6, %r7, %r8};", 8, 4, 'r'},
        {"st.global.v4.b64 [%d19], {%d1, %d2, %d3, %d4};", 4, 8, 'd'},
        {"st.shared::cluster.v2.f32 [%d19], {%f1, %f2};", 2, 4, 'f'},
        {"st.global.L1::no_allocate.L2::cache_hint.v4.f32 [%d19], {%f1, %f2, %f3, %f4}, %d18;", 4, 4, 'f'},
    };
    (void)state;
    for (size_t n = 0; n < sizeof forms / sizeof *forms; n++) {
        struct ptx_lanes t;
        ptx_lanes_open(&t, variables, forms[n].form, 1, 0);
        uint64_t at;
        uint8_t *bytes = strstr(forms[n].form, "shared") ? shared_bytes(&t, &at) : global_bytes(&t, &at);
        memset(bytes, 0xee, 4096);
        for (unsigned lane = 0; lane < VM_LANES; lane++) {
            ptx_lanes_row(&t, "%d19")[lane] = at + 64 * lane;
            for (unsigned k = 0; k < forms[n].count; k++) {
                char name[16];
                snprintf(name, sizeof name, "%%%c%u", forms[n].letter, k + 1);
                ptx_lanes_row(&t, name)[lane] = pattern_value(300 * lane + 8 * k, 8);
            }
        }
        if (ptx_lanes_step(&t, 0, 0xfffffffe) != VM_NEXT)
            fail_msg("%s: %s", forms[n].form, t.vm->error.why);
        for (size_t k = 0; k < 2048; k++) {
            size_t lane = k / 64, within = k % 64, element = within / forms[n].bytes;
            bool mine = lane > 0 && element < forms[n].count;
            uint8_t wanted = mine ? pattern(300 * lane + 8 * element + within % forms[n].bytes) : 0xee;
            if (bytes[k] != wanted)
                fail_msg("%s: byte %zu is 0x%x, not 0x%x", forms[n].form, k, bytes[k], wanted);
        }
        ptx_lanes_close(&t);
    }
}

static void store_to_one_place_leaves_the_highest_lane(void **state)
{
    struct ptx_lanes t;
    uint64_t at;
    (void)state;
    ptx_lanes_open(&t, variables, "st.shared.u32 [area+16], %r1; st.shared.v2.u32 [area+24], {7, -1};", 1, 0);
    uint8_t *bytes = shared_bytes(&t, &at);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        ptx_lanes_row(&t, "%r1")[lane] = lane + 100;
    assert_int_equal(ptx_lanes_step(&t, 0, 0x00ffff00), VM_NEXT);
    assert_int_equal(bytes[16], 123);
    assert_int_equal(ptx_lanes_step(&t, 1, 1), VM_NEXT);
    static const uint8_t wanted[] = {7, 0, 0, 0, 255, 255, 255, 255};
    assert_memory_equal(bytes + 24, wanted, sizeof wanted);
    ptx_lanes_close(&t);
}

static void load_into_its_own_address_register_uses_the_old_one(void **state)
{
    struct ptx_lanes t;
    uint64_t at;
    (void)state;
    ptx_lanes_open(&t, variables, "ld.global.v2.u64 {%d1, %d2}, [%d1]; ld.global.u32 _, [%d3];", 1, 0);
    uint8_t *bytes = global_bytes(&t, &at);
    for (size_t k = 0; k < 4096; k++)
        bytes[k] = pattern(k);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        ptx_lanes_row(&t, "%d1")[lane] = at + 16 * lane;
        ptx_lanes_row(&t, "%d3")[lane] = at;
    }
    ptx_lanes_run(&t);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        assert_true(ptx_lanes_row(&t, "%d1")[lane] == pattern_value(16 * lane, 8));
        assert_true(ptx_lanes_row(&t, "%d2")[lane] == pattern_value(16 * lane + 8, 8));
    }
    ptx_lanes_close(&t);
}

static void parameters_of_kernels_and_of_calls_are_two_places(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(
        &t, "",
        ".param .align 8 .b8 out[16]; .local .align 8 .b8 mine[16];\n"
        "st.param.b64 [out+8], %d1; st.param.v2.b32 [out], {%r1, %r2};\n"
        "ld.param.b64 %d2, [out+8]; ld.param.b32 %r3, [out+4]; ld.param.v4.u8 {%h1, %h2, %h3, %h4}, [given+4];\n"
        "ld.param.u64 %d3, [given]; mov.u64 %d4, given; ld.param.u64 %d5, [%d4+8]; cvta.param.u64 %d6, %d4;\n"
        "ld.u64 %d7, [%d6+8]; st.local.u64 [mine], %d1; mov.u64 %d8, mine; cvta.local.u64 %d9, %d8;\n"
        "ld.u64 %d10, [%d9]; st.u64 [%d9+8], %d1; ld.local.u64 %d11, [%d8+8]; ld.param::entry.u32 %r4, "
        "[given+12];",
        1, 0);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        ptx_lanes_row(&t, "%d1")[lane] = 0x123456789abcde00 + lane;
        ptx_lanes_row(&t, "%r1")[lane] = lane;
        ptx_lanes_row(&t, "%r2")[lane] = lane + 1000;
    }
    ptx_lanes_run(&t);
    uint64_t first, second;
    memcpy(&first, t.parameters, 8);
    memcpy(&second, t.parameters + 8, 8);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        uint64_t own = 0x123456789abcde00 + lane;
        assert_true(ptx_lanes_row(&t, "%d2")[lane] == own);
        assert_int_equal(ptx_lanes_row(&t, "%r3")[lane], lane + 1000);
        assert_int_equal(ptx_lanes_row(&t, "%h1")[lane], t.parameters[4]);
        assert_int_equal(ptx_lanes_row(&t, "%h4")[lane], t.parameters[7]);
        assert_true(ptx_lanes_row(&t, "%d3")[lane] == first);
        assert_true(ptx_lanes_row(&t, "%d5")[lane] == second);
        assert_true(ptx_lanes_row(&t, "%d7")[lane] == second);
        assert_true(ptx_lanes_row(&t, "%d10")[lane] == own);
        assert_true(ptx_lanes_row(&t, "%d11")[lane] == own);
        assert_int_equal(ptx_lanes_row(&t, "%r4")[lane], second >> 32);
    }
    ptx_lanes_close(&t);
}

static void access_what_a_kernel_may_not_faults(void **state)
{
    static const struct {
        const char *body;
        uint64_t address; /* of lane 5; the others' is the beginning of the variable */
        bool shared;
        const char *why;
    } faults[] = {
        {"ld.global.u32 %r1, [%d1];", 2, false, "misaligned"},
        {"ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%d1];", 8, true, "misaligned"},
        {"st.shared.v2.u32 [%d1], {%r1, %r2};", 4, true, "misaligned"},
        {"st.shared.u32 [%d1], %r1;", 16384, true, "outside"},
        {"atom.shared.add.u32 %r1, [%d1], 1;", 2, true, "misaligned"},
        {"red.global.add.u64 [%d1], 1;", 4, false, "misaligned"},
    };
    (void)state;
    for (size_t n = 0; n < sizeof faults / sizeof *faults; n++) {
        struct ptx_lanes t;
        uint64_t at;
        ptx_lanes_open(&t, variables, faults[n].body, 1, 0);
        if (faults[n].shared)
            shared_bytes(&t, &at);
        else
            global_bytes(&t, &at);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            ptx_lanes_row(&t, "%d1")[lane] = at + (lane == 5 ? faults[n].address : 0);
        assert_int_equal(ptx_lanes_step(&t, 0, ALL & ~(1u << 5)), VM_NEXT);
        assert_int_equal(ptx_lanes_step(&t, 0, ALL), VM_FAULT);
        assert_int_equal(t.vm->error.status, STATUS_SUBJECT);
        if (!strstr(t.vm->error.why, faults[n].why) || !strstr(t.vm->error.why, "lane 5"))
            fail_msg("%s: %s", faults[n].body, t.vm->error.why);
        ptx_lanes_close(&t);
    }
    struct ptx_lanes t;
    ptx_lanes_open(&t, variables, "st.global.u32 [%d1], %r1; mov.u64 %d1, fixed; ld.const.u32 %r2, [fixed];", 1, 0);
    assert_int_equal(ptx_lanes_step(&t, 1, ALL), VM_NEXT);
    assert_int_equal(ptx_lanes_step(&t, 2, ALL), VM_NEXT);
    assert_int_equal(ptx_lanes_row(&t, "%r2")[3], 0x04030201);
    assert_int_equal(ptx_lanes_step(&t, 0, ALL), VM_FAULT);
    ptx_lanes_close(&t);
}

static void access_to_another_block_needs_shared_cluster(void **state)
{
    static const struct {
        const char *body;
        bool hazard;
    } forms[] = {
        {"ld.shared::cluster.u32 %r2, [%r1];", false},
        {"st.shared::cluster.u32 [%r1], %r2;", false},
        {"atom.shared::cluster.add.u32 %r2, [%r1], 1;", false},
        {"ld.shared.u32 %r2, [%r1];", true},
        {"st.shared::cta.u32 [%r1], %r2;", true},
        {"atom.shared.add.u32 %r2, [%r1], 1;", true},
        {"red.shared::cta.add.u32 [%r1], 1;", true},
    };
    (void)state;
    for (size_t n = 0; n < sizeof forms / sizeof *forms; n++) {
        struct ptx_lanes t;
        ptx_lanes_open(&t, variables, forms[n].body, 2, 1);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            ptx_lanes_row(&t, "%r1")[lane] = (lane == 6 ? 0 : 0x01000000) + VM_SHARED_START + 4 * lane;
        assert_int_equal(ptx_lanes_step(&t, 0, ~(1u << 6)), VM_NEXT);
        assert_int_equal(t.vm->report.hazards, 0);
        assert_int_equal(ptx_lanes_step(&t, 0, ALL), VM_NEXT);
        if (ptx_lanes_hazard(&t, "of another block") != forms[n].hazard)
            fail_msg("%s", forms[n].body);
        ptx_lanes_close(&t);
    }
}

static void memory_every_hint_is_taken(void **state)
{
    static const char *const forms[] = {
        "ld.global.L2::128B.u16 %h1, [%d1];",
        "ld.global.acquire.gpu.b32 %r1, [%d1];",
        "ld.acquire.sys.global.u64 %d2, [%d1];",
        "ld.relaxed.cluster.shared::cluster.u32 %r1, [%r2];",
        "ld.volatile.shared.u32 %r1, [%r2];",
        "ld.global.nc.L1::evict_last.L2::cache_hint.v4.u32 {%r1, %r2, %r3, %r4}, [%d1], %d2;",
        "ld.global.cg.f32 %f1, [%d1];",
        "ldu.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d1];",
        "st.global.cs.u32 [%d1], %r1;",
        "st.relaxed.sys.global.u32 [%d1], 0;",
        "red.relaxed.gpu.global.add.s32 [%d1], %r1;",
        "red.release.gpu.global.add.L2::cache_hint.u32 [%d1], 1, %d2;",
        "atom.acq_rel.sys.global.cas.b64 %d2, [%d1], %d3, %d4;",
        "atom.global.gpu.relaxed.exch.b32 %r1, [%d1], %r2;",
        "fence.acq_rel.gpu;",
        "fence.sc.cta;",
        "fence.acquire.gpu;",
        "membar.gl;",
        "membar.cta;",
        "membar.sys;",
        "prefetch.global.L1 [%d1];",
        "prefetch.L2 [%d1];",
        "prefetch.global.L2::evict_last [%d1];",
        "prefetchu.L1 [%d1];",
        "prefetch.tensormap [%d1];",
        "applypriority.global.L2::evict_normal [%d1], 128;",
        "discard.global.L2 [%d1], 128;",
    };
    (void)state;
    for (size_t n = 0; n < sizeof forms / sizeof *forms; n++)
        ptx_lanes_accept(variables, forms[n]);
}

static void memory_what_is_not_modelled_is_refused(void **state)
{
    static const struct {
        const char *body, *why;
    } refused[] = {
        {"ld.global.b128 %d1, [%d2];", "words"},
        {"ld.global.f16 %h1, [%d2];", "words"},
        {"ld.global.v8.b64 {%d1, %d2, %d3, %d4, %d5, %d6, %d7, %d8}, [%d9];", "words"},
        {"ld.global.f32 %d1, [%d2];", "operands"},
        {"st.global.f32 [%d2], %d1;", "operands"},
        {"ld.global.unified.u32 %r1, [%d2];", "words"},
        {"ld.global.u32 %h1, [%d2];", "operands"},
        {"ld.global.v2.u32 %r1, [%d2];", "operands"},
        {"ld.global.u32 {%r1, %r2}, [%d2];", "operands"},
        {"ld.global.v4.u32 {%r1, %r2}, [%d2];", "operands"},
        {"ld.global.u32 %r1, [area];", "operands"},
        {"ld.shared.u32 %r1, [somewhere];", "operands"},
        {"ld.global.u32 %r1, [%d2], %d3;", "operands"},
        {"ld.global.L2::cache_hint.u32 %r1, [%d2];", "operands"},
        {"ld.global.L2::cache_hint.u32 %r1, [%d2], %r3;", "operands"},
        {"st.global.u32 %r1, [%d2];", "operands"},
        {"st.global.u64 [%d2], %r1;", "operands"},
        {"st.global.v2.u32 [%d2], %r1;", "operands"},
        {"st.async.shared::cluster.mbarrier::complete_tx::bytes.u32 [%r1], %r2, [%r3];", "words"},
        {"atom.global.add.s64 %d1, [%d2], %d3;", "words"},
        {"atom.global.add.f16x2 %r1, [%d2], %r3;", "words"},
        {"atom.global.add.noftz.f32 %f1, [%d2], %f3;", "words"},
        {"atom.global.min.f32 %f1, [%d2], %f3;", "words"},
        {"atom.global.min.noftz.f16 %h1, [%d2], %h3;", "words"},
        {"atom.global.exch.u32 %r1, [%d2], %r3;", "words"},
        {"atom.global.cas.u32 %r1, [%d2], %r3, %r4;", "words"},
        {"atom.global.and.u32 %r1, [%d2], %r3;", "words"},
        {"atom.global.exch.b128 %d1, [%d2], %d3;", "words"},
        {"atom.global.v2.f32.add {%f1, %f2}, [%d2], {%f3, %f4};", "words"},
        {"atom.global.inc.s32 %r1, [%d2], %r3;", "words"},
        {"atom.global.u32 %r1, [%d2], %r3;", "words"},
        {"atom.local.add.u32 %r1, [%d2], %r3;", "neither"},
        {"atom.global.add.u32 %d1, [%d2], %r3;", "operands"},
        {"atom.global.add.u64 %d1, [%d2], %r3;", "operands"},
        {"atom.global.cas.b32 %r1, [%d2], %r3;", "operands"},
        {"atom.global.add.u32 %r1, [%d2], %r3, %r4;", "operands"},
        {"atom.shared.add.u32 %r1, [somewhere], %r3;", "operands"},
        {"red.global.exch.b32 [%d2], %r3;", "words"},
        {"red.global.cas.b32 [%d2], %r3, %r4;", "words"},
        {"red.async.relaxed.cluster.global.add.u32 [%d2], %r3;", "words"},
        {"fence.acquire.sync_restrict::shared::cluster.cluster;", "words"},
        {"membar.proxy.alias;", "words"},
        {"prefetch.global.L3 [%d1];", "words"},
    };
    (void)state;
    for (size_t n = 0; n < sizeof refused / sizeof *refused; n++)
        ptx_lanes_refuse(variables, refused[n].body, refused[n].why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_every_type_and_vector_comes_from_its_bytes),
        cmocka_unit_test(store_every_width_writes_its_bytes_alone),
        cmocka_unit_test(store_to_one_place_leaves_the_highest_lane),
        cmocka_unit_test(load_into_its_own_address_register_uses_the_old_one),
        cmocka_unit_test(parameters_of_kernels_and_of_calls_are_two_places),
        cmocka_unit_test(access_what_a_kernel_may_not_faults),
        cmocka_unit_test(access_to_another_block_needs_shared_cluster),
        cmocka_unit_test(memory_every_hint_is_taken),
        cmocka_unit_test(memory_what_is_not_modelled_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
