#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/ptx_lanes.h"
#include "tests/support/splitmix.h"

#define ALL UINT32_MAX

static const char variables[] = ".global .align 16 .b8 somewhere[4096];\n.shared .align 128 .b8 area[4096];\n";

enum place { GLOBAL, SHARED, GENERIC_GLOBAL, GENERIC_SHARED, PLACES };
static const char *const place_word[PLACES] = {".global", ".shared", "", ""};

/* The address of the variable of a place as the instruction wants it, and its bytes. */
static uint8_t *bytes_of(const struct ptx_lanes *t, enum place place, uint64_t *address)
{
    const struct vm_program *p = &t->vm->program;
    *address = VM_SHARED_START + (place == GENERIC_SHARED ? UINT64_C(0x7a0000000000) : 0);
    if (place == SHARED || place == GENERIC_SHARED)
        return vm_shared_at(t->w->block, VM_SHARED_START, 4096, NULL);
    for (uint32_t n = 0; n < p->variables; n++)
        if (strcmp(p->variable[n].name, "somewhere") == 0) {
            *address = p->variable[n].at;
            return vm_global_at(t->w->block, *address, 4096, true);
        }
    fail_msg("no variable");
    return NULL;
}

/* source: PTX ISA, "atom", worked by hand. */
static const struct atomic {
    const char *words;
    unsigned bytes;
    uint64_t old, b, c, now;
    uint64_t now_global; /* where it is another; else 0 */
} table[] = {
    {"add.u32", 4, 0xfffffffe, 3, 0, 1, 0},
    {"add.s32", 4, 5, 0xfffffff9, 0, 0xfffffffe, 0},
    {"add.u64", 8, 0xffffffffffffffff, 2, 0, 1, 0},
    {"add.f32", 4, 0x3f800000, 0x40000000, 0, 0x40400000, 0},           /* 1 + 2 */
    {"add.f32", 4, 0x4b800000, 0x3f800000, 0, 0x4b800000, 0},           /* 2^24 + 1: tie to even */
    {"add.f32", 4, 0x00000001, 0x00000002, 0, 0x00000003, 0x100000000}, /* subnormals: flushed on global */
    {"add.f32", 4, 0x80000001, 0x80000001, 0, 0x80000002, 0x180000000}, /* -0 + -0 there */
    {"add.f32", 4, 0x00800001, 0x80800000, 0, 0x00000001, 0x100000000}, /* a subnormal sum */
    {"add.f32", 4, 0x00800000, 0x00000001, 0, 0x00800001, 0x00800000},  /* a subnormal number added */
    {"add.f32", 4, 0x7f800000, 0xff800000, 0, 0x7fffffff, 0},           /* inf - inf */
    {"add.f64", 8, 0x3ff0000000000000, 0x3cb0000000000000, 0, 0x3ff0000000000001, 0}, /* 1 + 2^-52 */
    {"add.f64", 8, 0x0000000000000001, 0x0000000000000001, 0, 2, 0},
    {"add.noftz.f16", 2, 0x3c00, 0x4000, 0, 0x4200, 0},
    {"add.noftz.f16", 2, 0x0001, 0x0001, 0, 0x0002, 0},
    {"add.noftz.f16", 2, 0x7bff, 0x5000, 0, 0x7c00, 0},  /* 65504 + 32: to infinity */
    {"add.noftz.bf16", 2, 0x3f80, 0x3b80, 0, 0x3f80, 0}, /* 1 + 2^-8: tie to even */
    {"add.noftz.bf16", 2, 0x3f81, 0x3b80, 0, 0x3f82, 0},
    {"add.noftz.f16x2", 4, 0x3c000001, 0x40000001, 0, 0x42000002, 0},
    {"add.noftz.bf16x2", 4, 0x3f810001, 0x3b800001, 0, 0x3f820002, 0},
    {"min.u32", 4, 0xffffffff, 1, 0, 1, 0},
    {"min.s32", 4, 0xffffffff, 1, 0, 0xffffffff, 0},
    {"min.u64", 8, 0xffffffffffffffff, 1, 0, 1, 0},
    {"min.s64", 8, 0xffffffffffffffff, 1, 0, 0xffffffffffffffff, 0},
    {"min.s32", 4, 7, 0x80000000, 0, 0x80000000, 0},
    {"max.u32", 4, 0xffffffff, 1, 0, 0xffffffff, 0},
    {"max.s32", 4, 0xffffffff, 1, 0, 1, 0},
    {"max.u64", 8, 0xffffffffffffffff, 1, 0, 0xffffffffffffffff, 0},
    {"max.s64", 8, 0xffffffffffffffff, 1, 0, 1, 0},
    {"and.b32", 4, 0xf0f0f0f0, 0x3c3c3c3c, 0, 0x30303030, 0},
    {"or.b32", 4, 0xf0f0f0f0, 0x3c3c3c3c, 0, 0xfcfcfcfc, 0},
    {"xor.b32", 4, 0xf0f0f0f0, 0x3c3c3c3c, 0, 0xcccccccc, 0},
    {"and.b64", 8, 0xf0f0f0f000000001, 0x3c3c3c3c00000003, 0, 0x3030303000000001, 0},
    {"or.b64", 8, 0xf0f0f0f000000001, 0x3c3c3c3c00000002, 0, 0xfcfcfcfc00000003, 0},
    {"xor.b64", 8, 0xf0f0f0f000000001, 0x3c3c3c3c00000003, 0, 0xcccccccc00000002, 0},
    {"inc.u32", 4, 4, 5, 0, 5, 0},
    {"inc.u32", 4, 5, 5, 0, 0x200000000, 0},
    {"inc.u32", 4, 9, 5, 0, 0x200000000, 0},
    {"dec.u32", 4, 4, 5, 0, 3, 0},
    {"dec.u32", 4, 0, 5, 0, 5, 0},
    {"dec.u32", 4, 6, 5, 0, 5, 0},
    {"dec.u32", 4, 5, 5, 0, 4, 0},
    {"exch.b32", 4, 3, 0xdeadbeef, 0, 0xdeadbeef, 0},
    {"exch.b64", 8, 3, 0xdeadbeef01234567, 0, 0xdeadbeef01234567, 0},
    {"cas.b16", 2, 0xfffe, 0xfffe, 0x1234, 0x1234, 0},
    {"cas.b32", 4, 7, 7, 0xdeadbeef, 0xdeadbeef, 0},
    {"cas.b32", 4, 7, 8, 0xdeadbeef, 7, 0},
    {"cas.b64", 8, 0xdeadbeef01234567, 0xdeadbeef01234567, 5, 5, 0},
    {"cas.b64", 8, 0xdeadbeef01234567, 0x01234567, 5, 0xdeadbeef01234567, 0},
};

static void check(const struct atomic *a, enum place place, bool red)
{
    struct ptx_lanes t;
    char body[120], letter = a->bytes == 2 ? 'h' : a->bytes == 4 ? 'r' : 'd', name[16];
    bool cas = strncmp(a->words, "cas", 3) == 0;
    snprintf(body, sizeof body, red ? "red%s.%s [%%d19], %%%c2" : "atom%s.%s %%%c1, [%%d19], %%%c2", place_word[place],
             a->words, letter, letter);
    snprintf(body + strlen(body), sizeof body - strlen(body), cas ? ", %%%c3;" : ";", letter);
    ptx_lanes_open(&t, variables, body, 1, 0);
    uint64_t at, got;
    uint8_t *bytes = bytes_of(&t, place, &at);
    memset(bytes, 0xee, 4096);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        ptx_lanes_row(&t, "%d19")[lane] = at + 16 * lane;
        snprintf(name, sizeof name, "%%%c2", letter);
        ptx_lanes_row(&t, name)[lane] = a->b;
        snprintf(name, sizeof name, "%%%c3", letter);
        if (cas)
            ptx_lanes_row(&t, name)[lane] = a->c;
        memcpy(bytes + 16 * lane, &a->old, a->bytes);
    }
    if (ptx_lanes_step(&t, 0, ALL) != VM_NEXT)
        fail_msg("%s: %s", body, t.vm->error.why);
    bool global = place == GLOBAL || place == GENERIC_GLOBAL;
    uint64_t wanted = global && a->now_global ? a->now_global : a->now;
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        snprintf(name, sizeof name, "%%%c1", letter);
        if (!red && ptx_lanes_row(&t, name)[lane] != a->old)
            fail_msg("%s: gave 0x%llx", body, (unsigned long long)ptx_lanes_row(&t, name)[lane]);
        uint8_t whole[16];
        memset(whole, 0xee, sizeof whole);
        memcpy(whole, &wanted, a->bytes);
        memcpy(&got, bytes + 16 * lane, 8);
        if (memcmp(bytes + 16 * lane, whole, 16) != 0)
            fail_msg("%s of 0x%llx and 0x%llx left 0x%llx", body, (unsigned long long)a->old, (unsigned long long)a->b,
                     (unsigned long long)got);
    }
    ptx_lanes_close(&t);
}

static void atom_and_red_every_operation_on_every_space(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof table / sizeof *table; n++)
        for (int place = 0; place < PLACES; place++) {
            check(&table[n], (enum place)place, false);
            if (strncmp(table[n].words, "cas", 3) != 0 && strncmp(table[n].words, "exch", 4) != 0)
                check(&table[n], (enum place)place, true);
        }
}

static void atom_lanes_follow_one_another(void **state)
{
    struct ptx_lanes t;
    uint64_t at, sum;
    (void)state;
    ptx_lanes_open(&t, variables,
                   "atom.global.add.u64 %d1, [somewhere], %d2; atom.shared.cas.b32 %r1, [area], 0, %r2;\n"
                   "atom.shared.add.u32 _, [area+8], 3; red.shared.max.s32 [area+16], -5;",
                   1, 0);
    uint8_t *bytes = bytes_of(&t, GLOBAL, &at), *shared = bytes_of(&t, SHARED, &at);
    memset(bytes, 0, 64);
    memset(shared, 0, 64);
    memset(shared + 16, 0x80, 4);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        ptx_lanes_row(&t, "%d2")[lane] = lane + 1;
        ptx_lanes_row(&t, "%r2")[lane] = lane + 1;
    }
    for (uint32_t n = 0; n < 4; n++)
        assert_int_equal(ptx_lanes_step(&t, n, 0xfffffff8), VM_NEXT);
    memcpy(&sum, bytes, 8);
    assert_int_equal(sum, 32 * 33 / 2 - 6);
    uint64_t before = 0;
    for (unsigned lane = 3; lane < VM_LANES; lane++) {
        assert_int_equal(ptx_lanes_row(&t, "%d1")[lane], before);
        before += lane + 1;
        assert_int_equal(ptx_lanes_row(&t, "%r1")[lane], lane == 3 ? 0 : 4);
    }
    assert_int_equal(shared[0], 4);
    assert_int_equal(shared[8], 29 * 3);
    static const uint8_t minus_five[] = {0xfb, 0xff, 0xff, 0xff};
    assert_memory_equal(shared + 16, minus_five, 4);
    ptx_lanes_close(&t);
}

static void atom_outside_its_spaces_faults_and_unlocks(void **state)
{
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(&t, variables, ".local .align 8 .b8 mine[8]; atom.add.u32 %r1, [%d1], 1; st.local.u32 [mine], 0;", 1,
                   0);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        ptx_lanes_row(&t, "%d1")[lane] = 0x7b0000000000;
    assert_int_equal(ptx_lanes_step(&t, 0, ALL), VM_FAULT);
    if (!strstr(t.vm->error.why, "shared and global"))
        fail_msg("%s", t.vm->error.why);
    assert_int_equal(pthread_mutex_trylock(&t.vm->global), 0);
    pthread_mutex_unlock(&t.vm->global);
    ptx_lanes_close(&t);
}

/* The value of a finite f16 in units of 2^-24, and the f16 nearest to such a sum, ties to even: worked in integers. */
static int64_t f16_units(uint16_t bits)
{
    int64_t exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
    int64_t value = exponent == 0 ? fraction : (fraction + 1024) * ((int64_t)1 << (exponent - 1));
    return bits & 0x8000 ? -value : value;
}

static uint16_t f16_nearest(int64_t units, bool minus_zero)
{
    uint16_t sign = units < 0 || (units == 0 && minus_zero) ? 0x8000 : 0;
    int64_t left = units < 0 ? -units : units;
    int shift = 0;
    while (left >> shift >= 2048)
        shift++;
    int64_t half = shift ? (int64_t)1 << (shift - 1) : 0, rest = left - ((left >> shift) << shift), top = left >> shift;
    if (shift && (rest > half || (rest == half && top % 2 == 1)))
        top++;
    /* A carry into 2048 runs on into the exponent, as it should. */
    int64_t bits = ((int64_t)shift << 10) + top;
    return (uint16_t)(sign | (bits > 0x7c00 ? 0x7c00 : bits));
}

static void atom_f16_sums_are_rounded_once(void **state)
{
    enum { ROUNDS = 20000 };
    struct splitmix r = {splitmix_seed()};
    struct ptx_lanes t;
    uint64_t at;
    (void)state;
    ptx_lanes_open(&t, variables, "red.shared.add.noftz.f16x2 [%d1], %r1;", 1, 0);
    uint8_t *bytes = bytes_of(&t, SHARED, &at);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        ptx_lanes_row(&t, "%d1")[lane] = at + 4 * lane;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint16_t x[2 * VM_LANES], y[2 * VM_LANES], sum[2 * VM_LANES];
        for (unsigned n = 0; n < 2 * VM_LANES; n++) {
            x[n] = (uint16_t)splitmix_next(&r);
            y[n] = (uint16_t)splitmix_next(&r);
            x[n] ^= (x[n] & 0x7c00) == 0x7c00 ? 0x4000 : 0;
            y[n] ^= (y[n] & 0x7c00) == 0x7c00 ? 0x4000 : 0;
        }
        memcpy(bytes, x, sizeof x);
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            ptx_lanes_row(&t, "%r1")[lane] = (uint32_t)y[2 * lane + 1] << 16 | y[2 * lane];
        assert_int_equal(ptx_lanes_step(&t, 0, ALL), VM_NEXT);
        memcpy(sum, bytes, sizeof sum);
        for (unsigned n = 0; n < 2 * VM_LANES; n++) {
            uint16_t wanted = f16_nearest(f16_units(x[n]) + f16_units(y[n]), (x[n] & y[n] & 0x8000) != 0);
            if (sum[n] != wanted)
                fail_msg("0x%04x + 0x%04x = 0x%04x, not 0x%04x (FO_TEST_SEED=%llu)", x[n], y[n], sum[n], wanted,
                         (unsigned long long)splitmix_seed());
        }
    }
    ptx_lanes_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(atom_and_red_every_operation_on_every_space),
        cmocka_unit_test(atom_lanes_follow_one_another),
        cmocka_unit_test(atom_outside_its_spaces_faults_and_unlocks),
        cmocka_unit_test(atom_f16_sums_are_rounded_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
