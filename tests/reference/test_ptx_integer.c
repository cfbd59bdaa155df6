#include "tests/support/ptx_rows.h"
#include "tests/support/splitmix.h"

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 natural;

/* What a value of a type is worth, as a mathematical integer. */
static wide worth(uint64_t v, unsigned bits, bool is_signed)
{
    wide x = bits == 64 ? (wide)v : (wide)(v % (UINT64_C(1) << bits));
    wide half = (wide)1 << (bits - 1);
    return is_signed && x >= half ? x - 2 * half : x;
}

static uint64_t cut(wide x, unsigned bits)
{
    return bits >= 64 ? (uint64_t)x : (uint64_t)x & ((UINT64_C(1) << bits) - 1);
}

/* x divided by 2^bits, rounded down. */
static wide upper(wide x, unsigned bits)
{
    wide q = x / ((wide)1 << bits);
    return q * ((wide)1 << bits) > x ? q - 1 : q;
}

static wide absolute(wide x)
{
    return x < 0 ? -x : x;
}

enum what { ADD, SUB, MUL_LO, MUL_HI, MUL_WIDE, MAD_LO, MAD_HI, MAD_WIDE, SAD, DIV, REM, ABS, NEG, MIN, MAX, WHATS };
static const char *const names[WHATS] = {"add", "sub", "mul.lo", "mul.hi", "mul.wide", "mad.lo", "mad.hi", "mad.wide",
                                         "sad", "div", "rem",    "abs",    "neg",      "min",    "max"};

/* The upper half of a product of two 64-bit numbers, in schoolbook halves: a 128-bit sum has no room for its sign. */
static wide product_upper(wide a, wide b, unsigned bits)
{
    if (bits < 64)
        return upper(a * b, bits);
    wide b1 = upper(b, 32), b0 = b - b1 * ((wide)1 << 32);
    return upper(a * b1 + upper(a * b0, 32), 32);
}

static uint64_t wanted(enum what what, wide a, wide b, wide c, unsigned bits)
{
    switch (what) {
    case ADD:
        return cut(a + b, bits);
    case SUB:
        return cut(a - b, bits);
    case MUL_LO:
        return cut((wide)((natural)a * (natural)b), bits);
    case MUL_HI:
        return cut(product_upper(a, b, bits), bits);
    case MUL_WIDE:
        return cut(a * b, 2 * bits);
    case MAD_LO:
        return cut((wide)((natural)a * (natural)b) + c, bits);
    case MAD_HI:
        return cut(product_upper(a, b, bits) + c, bits);
    case MAD_WIDE:
        return cut(a * b + c, 2 * bits);
    case SAD:
        return cut(absolute(a - b) + c, bits);
    case DIV:
        return cut(a / b, bits);
    case REM:
        return cut(a % b, bits);
    case ABS:
        return cut(absolute(a), bits);
    case NEG:
        return cut(-a, bits);
    case MIN:
        return cut(a < b ? a : b, bits);
    default:
        return cut(a > b ? a : b, bits);
    }
}

static uint64_t interesting(struct splitmix *r, unsigned bits)
{
    uint64_t edge[] = {0, 1, UINT64_MAX,    UINT64_C(1) << (bits - 1), (UINT64_C(1) << (bits - 1)) - 1,
                       2, 7, UINT64_MAX - 6};
    uint64_t n = splitmix_below(r, 16), v = n < 8 ? edge[n] : splitmix_next(r) >> splitmix_below(r, 64);
    return bits == 64 ? v : v & ((UINT64_C(1) << bits) - 1);
}

static unsigned sources_of(enum what what)
{
    return what == ABS || what == NEG ? 1 : what == MAD_LO || what == MAD_HI || what == MAD_WIDE || what == SAD ? 3 : 2;
}

static bool has(enum what what, unsigned bits, bool is_signed)
{
    if (what == ABS || what == NEG)
        return is_signed;
    return (what != MUL_WIDE && what != MAD_WIDE) || bits < 64;
}

static unsigned check_form(enum what what, unsigned bits, bool is_signed, struct splitmix *random)
{
    struct rows r;
    char opcode[40];
    unsigned doubled = what == MUL_WIDE || what == MAD_WIDE ? 2 * bits : bits, n = sources_of(what);
    snprintf(opcode, sizeof opcode, "%s.%c%u", names[what], is_signed ? 's' : 'u', bits);
    const char *why = rows_open(&r, opcode, doubled, bits, n > 1 ? bits : 0, n > 2 ? doubled : 0, 0);
    if (why)
        fail_msg("%s: %s", opcode, why);
    for (unsigned round = 0; round < 64; round++) {
        for (unsigned l = 0; l < VM_LANES; l++) {
            for (unsigned s = 0; s < 3; s++)
                r.row[s + 1][l] = interesting(random, s == 2 ? doubled : bits);
            if ((what == DIV || what == REM) && r.row[2][l] == 0)
                r.row[2][l] = 3;
        }
        const uint64_t *d = rows_run(&r, round % 2 ? UINT32_MAX : (uint32_t)splitmix_next(random) | 1);
        for (unsigned l = 0; l < VM_LANES; l++) {
            uint64_t want = wanted(what, worth(r.row[1][l], bits, is_signed), worth(r.row[2][l], bits, is_signed),
                                   worth(r.row[3][l], doubled, is_signed), bits);
            if (d[l] != want && d[l] != (ROWS_POISON & cut(-1, doubled)))
                fail_msg("%s lane %u: %#lx %#lx %#lx gives %#lx, not %#lx", opcode, l, r.row[1][l], r.row[2][l],
                         r.row[3][l], d[l], want);
        }
    }
    assert_int_equal(r.vm.report.hazards, 0);
    return 1;
}

static void integer_every_type_and_operation_is_the_sum_of_mathematics(void **state)
{
    (void)state;
    static const unsigned widths[] = {16, 32, 64};
    struct splitmix random = {splitmix_seed()};
    unsigned forms = 0;
    for (enum what what = ADD; what < WHATS; what++)
        for (unsigned b = 0; b < 3; b++)
            for (int is_signed = 0; is_signed < 2; is_signed++)
                if (has(what, widths[b], is_signed))
                    forms += check_form(what, widths[b], is_signed, &random);
    assert_int_equal(forms, 15 * 6 - 2 * 3 - 2 * 2);
}

static const unsigned w32[5] = {32, 32, 32, 32, 0}, two32[5] = {32, 32, 32, 0, 0};

static void integer_saturation_stops_at_the_ends(void **state)
{
    (void)state;
    assert_int_equal(rows_ask("add.sat.s32", two32, 0x7fffffff, 1, 0, 0), 0x7fffffff);
    assert_int_equal(rows_ask("add.sat.s32", two32, 0x80000000, 0xffffffff, 0, 0), 0x80000000);
    assert_int_equal(rows_ask("add.sat.s32", two32, 5, 0xfffffffe, 0, 0), 3);
    assert_int_equal(rows_ask("sub.sat.s32", two32, 0x80000000, 1, 0, 0), 0x80000000);
    assert_int_equal(rows_ask("sub.sat.s32", two32, 0x7fffffff, 0x80000000, 0, 0), 0x7fffffff);
    assert_int_equal(rows_ask("mad.hi.sat.s32", w32, 0x7fffffff, 0x7fffffff, 0x60000000, 0), 0x7fffffff);
    assert_int_equal(rows_ask("mad.hi.sat.s32", w32, 0x7fffffff, 0x80000000, 0x80000001, 0), 0x80000000);
    assert_int_equal(rows_ask("mad24.hi.sat.s32", w32, 0x7fffff, 0x7fffff, 0x7fffffff, 0), 0x7fffffff);
    assert_int_equal(rows_ask("mad24.hi.sat.s32", w32, 0x800000, 0x7fffff, 0x80000000, 0), 0x80000000);
    assert_int_equal(rows_ask("min.relu.s32", two32, 0xfffffff0, 5, 0, 0), 0);
    assert_int_equal(rows_ask("min.relu.s32", two32, 6, 5, 0, 0), 5);
    assert_int_equal(rows_ask("max.relu.s32", two32, 0xfffffff0, 0xffffffff, 0, 0), 0);
    assert_int_equal(rows_ask("max.relu.s32", two32, 0xfffffff0, 4, 0, 0), 4);
}

static void integer_24_bits_ignore_the_upper_byte(void **state)
{
    (void)state;
    wide a = -3, b = 0x7fffff;
    assert_int_equal(rows_ask("mul24.lo.s32", two32, 0xabfffffd, 0xcd7fffff, 0, 0), cut(a * b, 32));
    assert_int_equal(rows_ask("mul24.hi.s32", two32, 0xabfffffd, 0xcd7fffff, 0, 0), cut(upper(a * b, 16), 32));
    assert_int_equal(rows_ask("mul24.lo.u32", two32, 0xabfffffd, 0xcd7fffff, 0, 0), cut((wide)0xfffffd * b, 32));
    assert_int_equal(rows_ask("mul24.hi.u32", two32, 0xabfffffd, 0xcd7fffff, 0, 0),
                     cut(((wide)0xfffffd * b) >> 16, 32));
    assert_int_equal(rows_ask("mad24.lo.u32", w32, 0x1000003, 5, 100, 0), 115);
    assert_int_equal(rows_ask("mad24.hi.s32", w32, 0xfffffd, 0x100000, 100, 0), 100 - 48);
}

static void integer_pairs_do_not_carry_into_each_other(void **state)
{
    (void)state;
    assert_int_equal(rows_ask("add.u16x2", two32, 0x0001ffff, 0xffff0002, 0, 0), 0x00000001);
    assert_int_equal(rows_ask("add.s16x2", two32, 0x7fff8000, 0x00018000, 0, 0), 0x80000000);
    assert_int_equal(rows_ask("min.u16x2", two32, 0x8000ffff, 0x00010002, 0, 0), 0x00010002);
    assert_int_equal(rows_ask("min.s16x2", two32, 0x8000ffff, 0x00010002, 0, 0), 0x8000ffff);
    assert_int_equal(rows_ask("max.u16x2", two32, 0x8000ffff, 0x00010002, 0, 0), 0x8000ffff);
    assert_int_equal(rows_ask("max.s16x2", two32, 0x8000ffff, 0x00010002, 0, 0), 0x00010002);
    assert_int_equal(rows_ask("max.relu.s16x2", two32, 0x8000ffff, 0xfff00002, 0, 0), 0x00000002);
    assert_int_equal(rows_ask("min.relu.s16x2", two32, 0x0005ffff, 0x00040002, 0, 0), 0x00040000);
}

static void integer_division_by_zero_is_a_hazard_of_the_lanes_that_divide(void **state)
{
    (void)state;
    struct rows r;
    assert_null(rows_open(&r, "div.u32", 32, 32, 32, 0));
    for (unsigned l = 0; l < VM_LANES; l++)
        r.row[1][l] = 10, r.row[2][l] = l == 3 ? 0 : 2;
    assert_int_equal(rows_run(&r, ~8u)[4], 5);
    assert_int_equal(r.vm.report.hazards, 0);
    assert_int_equal(rows_run(&r, UINT32_MAX)[3], 0xffffffff);
    assert_int_equal(r.vm.report.hazards, 1);
    assert_int_equal(rows_ask("rem.s32", two32, 0xfffffff9, 0, 0, 0), 0xfffffff9);
    assert_int_equal(rows_ask("div.s64", (unsigned[5]){64, 64, 64}, UINT64_C(1) << 63, UINT64_MAX, 0, 0), UINT64_C(1)
                                                                                                              << 63);
    assert_int_equal(rows_ask("rem.s64", (unsigned[5]){64, 64, 64}, UINT64_C(1) << 63, UINT64_MAX, 0, 0), 0);
}

static void integer_immediates_and_wider_registers_give_their_low_bits(void **state)
{
    (void)state;
    struct rows r;
    assert_null(rows_open(&r, "add.s32", 32, 32, 32, 0));
    r.operand[2] = (struct vm_operand){.kind = VM_IMMEDIATE, .value = UINT64_MAX};
    r.row[1][7] = 5;
    assert_int_equal(rows_run(&r, UINT32_MAX)[7], 4);
    assert_int_equal(rows_run(&r, UINT32_MAX)[8], 0xffffffff);
    assert_null(rows_open(&r, "max.u32", 32, 32, 32, 0));
    r.operand[2] = (struct vm_operand){.kind = VM_IMMEDIATE, .value = UINT64_MAX};
    assert_int_equal(rows_run(&r, UINT32_MAX)[7], 0xffffffff);
    assert_int_equal(rows_ask("max.u16", (unsigned[5]){16, 32, 32}, 0x10005, 3, 0, 0), 5);
    assert_int_equal(rows_ask("mad.wide.s32", (unsigned[5]){64, 32, 32, 64}, 0xffffffff, 2, UINT64_C(1) << 40, 0),
                     (UINT64_C(1) << 40) - 2);
}

static uint64_t carry_run(struct rows *r, const char *opcode, unsigned bits, uint64_t a, uint64_t b, uint64_t c,
                          bool in)
{
    bool three = opcode[0] == 'm';
    const char *why = rows_open(r, opcode, bits, bits, bits, three ? bits : 0, 0);
    if (why)
        fail_msg("%s: %s", opcode, why);
    r->warp.carry = in ? UINT32_MAX : 0;
    r->row[1][9] = a, r->row[2][9] = b, r->row[3][9] = c;
    return rows_run(r, 1u << 9)[9];
}

static void carry_every_form_sums_with_and_gives_the_carry_it_should(void **state)
{
    (void)state;
    struct rows r;
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (; ran < 4000; ran++) {
        unsigned bits = ran % 2 ? 32 : 64;
        wide base = (wide)1 << bits;
        uint64_t a = interesting(&random, bits), b = interesting(&random, bits), c = interesting(&random, bits);
        bool in = splitmix_below(&random, 2);
        const char *u = bits == 32 ? "u32" : "u64";
        char opcode[24];
#define ASK(name) (snprintf(opcode, sizeof opcode, "%s.%s", name, u), carry_run(&r, opcode, bits, a, b, c, in))
#define OUT       (r.warp.carry >> 9 & 1)
        assert_true(ASK("add.cc") == cut((wide)a + b, bits) && OUT == ((wide)a + b >= base));
        assert_true(r.warp.carry == ((in ? ~(1u << 9) : 0) | OUT << 9));
        assert_true(ASK("addc") == cut((wide)a + b + in, bits) && OUT == in);
        assert_true(ASK("addc.cc") == cut((wide)a + b + in, bits) && OUT == ((wide)a + b + in >= base));
        assert_true(ASK("sub.cc") == cut((wide)a - b, bits) && OUT == (a < b));
        assert_true(ASK("subc") == cut((wide)a - b - in, bits) && OUT == in);
        assert_true(ASK("subc.cc") == cut((wide)a - b - in, bits) && OUT == ((wide)a - b - in < 0));
        wide low = (wide)cut((wide)((natural)a * b), bits), high = (wide)((natural)a * b >> bits);
        assert_true(ASK("mad.lo.cc") == cut(low + c, bits) && OUT == (low + c >= base));
        assert_true(ASK("mad.hi.cc") == cut(high + c, bits) && OUT == (high + c >= base));
        assert_true(ASK("madc.lo") == cut(low + c + in, bits) && OUT == in);
        assert_true(ASK("madc.hi") == cut(high + c + in, bits) && OUT == in);
        assert_true(ASK("madc.lo.cc") == cut(low + c + in, bits) && OUT == (low + c + in >= base));
        assert_true(ASK("madc.hi.cc") == cut(high + c + in, bits) && OUT == (high + c + in >= base));
    }
    assert_true(ran > 0);
    /* -1 * 1: the upper word of the product is all ones, and 1 carries out of it. */
    assert_int_equal(carry_run(&r, "mad.hi.cc.s32", 32, 0xffffffff, 1, 1, false), 0);
    assert_int_equal(r.warp.carry, 1u << 9);
}

static void dot_four_bytes_and_two_halves_are_multiplied_by_their_own_signs(void **state)
{
    (void)state;
    static const char *const type[] = {"u32", "s32"};
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (; ran < 2000; ran++) {
        uint32_t a = (uint32_t)splitmix_next(&random), b = (uint32_t)splitmix_next(&random),
                 c = (uint32_t)splitmix_next(&random);
        bool sa = ran & 1, sb = ran >> 1 & 1, high = ran >> 2 & 1;
        uint32_t four = c, two = c;
        for (unsigned n = 0; n < 4; n++)
            four += (uint32_t)(sa ? (int8_t)(a >> 8 * n) : (int)(uint8_t)(a >> 8 * n)) *
                    (uint32_t)(sb ? (int8_t)(b >> 8 * n) : (int)(uint8_t)(b >> 8 * n));
        for (unsigned n = 0; n < 2; n++)
            two += (uint32_t)(sa ? (int16_t)(a >> 16 * n) : (int)(uint16_t)(a >> 16 * n)) *
                   (uint32_t)(sb ? (int8_t)(b >> (8 * n + 16 * high)) : (int)(uint8_t)(b >> (8 * n + 16 * high)));
        char opcode[32];
        snprintf(opcode, sizeof opcode, "dp4a.%s.%s", type[sa], type[sb]);
        assert_int_equal(rows_ask(opcode, w32, a, b, c, 0), four);
        snprintf(opcode, sizeof opcode, "dp2a.%s.%s.%s", high ? "hi" : "lo", type[sa], type[sb]);
        assert_int_equal(rows_ask(opcode, w32, a, b, c, 0), two);
    }
    assert_true(ran > 0);
}

static void integer_forms_that_there_are_not_are_refused(void **state)
{
    (void)state;
    struct rows r;
    static const char *const none[] = {"add.sat.u32",  "mul.wide.s64", "mul.s32",        "add.lo.s32",
                                       "neg.u32",      "abs.u32",      "mad24.wide.u32", "min.relu.u32",
                                       "add.cc.u16",   "addc.sat.u32", "madc.u32",       "dp4a.u32",
                                       "dp2a.u32.u32", "dp4a.u16.u32", "fns.u32",        "sub.u16x2"};
    for (size_t n = 0; n < sizeof none / sizeof *none; n++)
        if (!rows_open(&r, none[n], 32, 32, 32, 0))
            fail_msg("%s was taken", none[n]);
    assert_non_null(rows_open(&r, "add.u32", 32, 32, 0));
    assert_non_null(rows_open(&r, "add.u32", 32, 32, 32, 32, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_every_type_and_operation_is_the_sum_of_mathematics),
        cmocka_unit_test(integer_saturation_stops_at_the_ends),
        cmocka_unit_test(integer_24_bits_ignore_the_upper_byte),
        cmocka_unit_test(integer_pairs_do_not_carry_into_each_other),
        cmocka_unit_test(integer_division_by_zero_is_a_hazard_of_the_lanes_that_divide),
        cmocka_unit_test(integer_immediates_and_wider_registers_give_their_low_bits),
        cmocka_unit_test(carry_every_form_sums_with_and_gives_the_carry_it_should),
        cmocka_unit_test(dot_four_bytes_and_two_halves_are_multiplied_by_their_own_signs),
        cmocka_unit_test(integer_forms_that_there_are_not_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
