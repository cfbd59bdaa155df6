#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reference/ptx/reduce.h"
#include "tests/support/splitmix.h"

static uint64_t one(enum vm_reduction r, enum vm_type t, uint64_t to, uint64_t from)
{
    uint8_t a[8], b[8];
    uint64_t got = 0;
    size_t bytes = vm_type_bits(t) / 8;
    assert_true(vm_reduce_known(r, t));
    memcpy(a, &to, sizeof a);
    memcpy(b, &from, sizeof b);
    vm_reduce(r, t, a, b, bytes);
    memcpy(&got, a, bytes);
    return got;
}

static void reduce_tables_by_hand(void **state)
{
    (void)state;
    static const struct {
        enum vm_reduction r;
        enum vm_type t;
        uint64_t to, from, want;
    } rows[] = {
        {VM_REDUCE_ADD, VM_U32, 0xffffffff, 2, 1},
        {VM_REDUCE_ADD, VM_S32, 5, 0xfffffff9, 0xfffffffe},
        {VM_REDUCE_ADD, VM_U64, UINT64_MAX, 3, 2},
        {VM_REDUCE_MIN, VM_U32, 0x80000000, 7, 7},
        {VM_REDUCE_MIN, VM_S32, 0x80000000, 7, 0x80000000},
        {VM_REDUCE_MAX, VM_S32, 0x80000000, 7, 7},
        {VM_REDUCE_MAX, VM_U32, 0x80000000, 7, 0x80000000},
        {VM_REDUCE_MIN, VM_U64, 9, UINT64_C(1) << 63, 9},
        {VM_REDUCE_MIN, VM_S64, 9, UINT64_C(1) << 63, UINT64_C(1) << 63},
        {VM_REDUCE_MAX, VM_S64, 9, UINT64_C(1) << 63, 9},
        {VM_REDUCE_INC, VM_U32, 3, 4, 4},
        {VM_REDUCE_INC, VM_U32, 4, 4, 0},
        {VM_REDUCE_INC, VM_U32, 9, 4, 0},
        {VM_REDUCE_DEC, VM_U32, 3, 4, 2},
        {VM_REDUCE_DEC, VM_U32, 0, 4, 4},
        {VM_REDUCE_DEC, VM_U32, 9, 4, 4},
        {VM_REDUCE_DEC, VM_U32, 4, 4, 3},
        {VM_REDUCE_AND, VM_B32, 0xf0f0, 0xff00, 0xf000},
        {VM_REDUCE_OR, VM_B64, 0xf0f0, 0xff00, 0xfff0},
        {VM_REDUCE_XOR, VM_B32, 0xf0f0, 0xff00, 0x0ff0},
        /* binary32: 1 + 2^-24 is a tie to even, 1 + 3 x 2^-24 rounds up; subnormals go, their sign stays */
        {VM_REDUCE_ADD, VM_F32, 0x3f800000, 0x33800000, 0x3f800000},
        {VM_REDUCE_ADD, VM_F32, 0x3f800001, 0x33800000, 0x3f800002},
        {VM_REDUCE_ADD, VM_F32, 0x00000001, 0x3f800000, 0x3f800000},
        {VM_REDUCE_ADD, VM_F32, 0x80000001, 0x80000001, 0x80000000},
        {VM_REDUCE_ADD, VM_F32, 0x00800000, 0x80800001, 0x80000000},
        {VM_REDUCE_ADD, VM_F32, 0x7f800000, 0xff800000, 0x7fffffff},
        {VM_REDUCE_ADD, VM_F32, 0x7fc01234, 0x3f800000, 0x7fffffff},
        {VM_REDUCE_ADD, VM_F64, 0x3ff0000000000000, 0x3ca0000000000000, 0x3ff0000000000000},
        {VM_REDUCE_ADD, VM_F64, 0x0000000000000001, 0x0000000000000001, 0x0000000000000002},
        /* bfloat16: 8 bits; a tie goes to even, subnormals stay */
        {VM_REDUCE_ADD, VM_BF16, 0x3f80, 0x3b80, 0x3f80},
        {VM_REDUCE_ADD, VM_BF16, 0x3f81, 0x3b80, 0x3f82},
        {VM_REDUCE_ADD, VM_BF16, 0x3f80, 0x3b81, 0x3f81},
        {VM_REDUCE_ADD, VM_BF16, 0x0001, 0x0001, 0x0002},
        {VM_REDUCE_ADD, VM_BF16, 0x7f7f, 0x7f7f, 0x7f80},
        {VM_REDUCE_ADD, VM_BF16, 0x7f80, 0xff80, 0x7fff},
        {VM_REDUCE_MIN, VM_BF16, 0x0000, 0x8000, 0x8000},
        {VM_REDUCE_MAX, VM_BF16, 0x8000, 0x0000, 0x0000},
        {VM_REDUCE_MAX, VM_BF16, 0x0000, 0x8000, 0x0000},
        {VM_REDUCE_MAX, VM_BF16, 0x7fc0, 0xbf80, 0xbf80},
        {VM_REDUCE_MIN, VM_F16, 0x3c00, 0x7e00, 0x3c00},
        {VM_REDUCE_MIN, VM_F16, 0x7e00, 0x7c01, 0x7fff},
        {VM_REDUCE_MAX, VM_F16, 0xfc00, 0xc000, 0xc000},
        {VM_REDUCE_ADD, VM_F16, 0x7bff, 0x7bff, 0x7c00},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        uint64_t got = one(rows[n].r, rows[n].t, rows[n].to, rows[n].from);
        if (got != rows[n].want)
            fail_msg("row %zu: 0x%llx, wanted 0x%llx", n, (unsigned long long)got, (unsigned long long)rows[n].want);
    }
}

/* A finite binary16 as a multiple of 2^-24. */
static int64_t f16_units(uint16_t x)
{
    int64_t m = (x & 0x3ff) | (x & 0x7c00 ? 0x400 : 0);
    unsigned e = x >> 10 & 31;
    m <<= e ? e - 1 : 0;
    return x & 0x8000 ? -m : m;
}

/* The nearest, ties to even, in integers alone. */
static uint16_t f16_nearest(int64_t units, bool negative_zero)
{
    uint16_t sign = units < 0 || (units == 0 && negative_zero) ? 0x8000 : 0;
    uint64_t m = (uint64_t)(units < 0 ? -units : units);
    unsigned e = 0;
    for (; m >> e >= 0x800; e++)
        ;
    uint64_t low = m & ((UINT64_C(1) << e) - 1), half = e ? UINT64_C(1) << (e - 1) : 1;
    uint64_t q = m >> e;
    q += e && (low > half || (low == half && q & 1));
    if (q == 0x800) {
        q = 0x400;
        e++;
    }
    if (q < 0x400)
        return (uint16_t)(sign | q);
    return e > 29 ? (uint16_t)(sign | 0x7c00) : (uint16_t)(sign | (e + 1) << 10 | (q - 0x400));
}

static void reduce_f16_sums_round_once(void **state)
{
    (void)state;
    enum { PAIRS = 1 << 20 };
    struct splitmix random = {41};
    unsigned pairs = 0;
    for (unsigned n = 0; n < PAIRS; n++) {
        uint64_t bits = splitmix_next(&random);
        uint16_t a = (uint16_t)bits, b = (uint16_t)(bits >> 16);
        if ((a & 0x7c00) == 0x7c00 || (b & 0x7c00) == 0x7c00)
            continue;
        uint16_t want = f16_nearest(f16_units(a) + f16_units(b), a & b & 0x8000);
        uint16_t got = (uint16_t)one(VM_REDUCE_ADD, VM_F16, a, b);
        if (got != want)
            fail_msg("0x%04x + 0x%04x: 0x%04x, wanted 0x%04x (seed 41, pair %u)", a, b, got, want, n);
        pairs++;
    }
    assert_true(pairs > PAIRS / 2);
}

static void reduce_known_types_are_those_of_the_specification(void **state)
{
    (void)state;
    static const struct {
        enum vm_reduction r;
        enum vm_type t[12];
    } rows[] = {{VM_REDUCE_ADD, {VM_U32, VM_S32, VM_U64, VM_F16, VM_BF16, VM_F32, VM_F64}},
                {VM_REDUCE_MIN, {VM_U32, VM_S32, VM_U64, VM_S64, VM_F16, VM_BF16}},
                {VM_REDUCE_MAX, {VM_U32, VM_S32, VM_U64, VM_S64, VM_F16, VM_BF16}},
                {VM_REDUCE_INC, {VM_U32}},
                {VM_REDUCE_DEC, {VM_U32}},
                {VM_REDUCE_AND, {VM_B32, VM_B64}},
                {VM_REDUCE_OR, {VM_B32, VM_B64}},
                {VM_REDUCE_XOR, {VM_B32, VM_B64}}};
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++)
        for (int t = VM_UNTYPED; t < VM_TYPES; t++) {
            bool listed = false;
            for (size_t k = 0; rows[n].t[k]; k++)
                listed = listed || rows[n].t[k] == (enum vm_type)t;
            assert_int_equal(vm_reduce_known(rows[n].r, (enum vm_type)t), listed);
        }
    assert_true(vm_reduce_known(VM_REDUCE_NONE, VM_U8));
}

static void reduce_row_of_elements_each_by_itself(void **state)
{
    (void)state;
    uint16_t to[4] = {0x3c00, 0x4000, 0, 0x8000}, from[4] = {0x3c00, 0xc000, 0x0001, 0x8000};
    vm_reduce(VM_REDUCE_ADD, VM_F16, (uint8_t *)to, (const uint8_t *)from, 6);
    assert_int_equal(to[0], 0x4000);
    assert_int_equal(to[1], 0);
    assert_int_equal(to[2], 1);
    assert_int_equal(to[3], 0x8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reduce_tables_by_hand),
        cmocka_unit_test(reduce_f16_sums_round_once),
        cmocka_unit_test(reduce_known_types_are_those_of_the_specification),
        cmocka_unit_test(reduce_row_of_elements_each_by_itself),
    };
    return cmocka_run_group_tests_name("reference/ptx_reduce", tests, NULL, NULL);
}
