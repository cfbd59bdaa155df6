#include "tests/support/ptx_rows.h"
#include "tests/support/splitmix.h"

static const unsigned one32[5] = {32, 32}, two32[5] = {32, 32, 32}, three32[5] = {32, 32, 32, 32};
static const unsigned four32[5] = {32, 32, 32, 32, 32}, one64[5] = {64, 64}, shift64[5] = {64, 64, 32};

static bool bit(uint64_t x, unsigned n)
{
    return n < 64 && (x >> n & 1);
}

static void logic_and_or_xor_not_of_every_width(void **state)
{
    (void)state;
    static const char *const types[] = {"pred", "b16", "b32", "b64"};
    static const unsigned bits[] = {1, 16, 32, 64};
    const uint64_t a = UINT64_C(0xf0f0123456789abd), b = UINT64_C(0x3c3c8f8f0ff0a5a4);
    for (unsigned t = 0; t < 4; t++) {
        const unsigned two[5] = {bits[t], bits[t], bits[t]};
        uint64_t mask = bits[t] == 64 ? UINT64_MAX : (UINT64_C(1) << bits[t]) - 1;
        char opcode[16];
#define ASK(name) (snprintf(opcode, sizeof opcode, "%s.%s", name, types[t]), rows_ask(opcode, two, a, b, 0, 0))
        assert_true(ASK("and") == (a & b & mask));
        assert_true(ASK("or") == ((a | b) & mask));
        assert_true(ASK("xor") == ((a ^ b) & mask));
        snprintf(opcode, sizeof opcode, "not.%s", types[t]);
        assert_true(rows_ask(opcode, (unsigned[5]){bits[t], bits[t]}, a, 0, 0, 0) == (~a & mask));
        if (t == 0)
            continue;
        snprintf(opcode, sizeof opcode, "cnot.%s", types[t]);
        assert_int_equal(rows_ask(opcode, (unsigned[5]){bits[t], bits[t]}, a, 0, 0, 0), 0);
        assert_int_equal(rows_ask(opcode, (unsigned[5]){bits[t], bits[t]}, 0, 0, 0, 0), 1);
    }
}

static void shift_every_amount_shifts_out_what_it_should(void **state)
{
    (void)state;
    static const char *const opcodes[] = {"shl.b16", "shl.b32", "shl.b64", "shr.b16", "shr.u32", "shr.b64",
                                          "shr.u16", "shr.b32", "shr.u64", "shr.s16", "shr.s32", "shr.s64"};
    static const uint32_t far[] = {100, 128, 0x80000000, 0xffffffff};
    const uint64_t x = UINT64_C(0x9234567897654321) | 0x8000;
    unsigned ran = 0;
    for (unsigned o = 0; o < 12; o++) {
        unsigned bits = 16u << o % 3;
        for (unsigned k = 0; k < 74; k++) {
            uint32_t n = k < 70 ? k : far[k - 70];
            uint64_t want = 0;
            for (unsigned d = 0; d < bits; d++) {
                uint64_t from = o < 3 ? (uint64_t)d - n : (uint64_t)d + n;
                bool in = o < 3 ? n <= d && bit(x, (unsigned)from) : from < bits && bit(x, (unsigned)from);
                if (o >= 9 && from >= bits)
                    in = bit(x, bits - 1);
                want |= (uint64_t)in << d;
            }
            uint64_t got = rows_ask(opcodes[o], (unsigned[5]){bits, bits, 32}, x, n, 0, 0);
            if (got != want)
                fail_msg("%s by %u: %#lx, not %#lx", opcodes[o], n, got, want);
            ran++;
        }
    }
    assert_int_equal(ran, 12 * 74);
    assert_int_equal(rows_ask("shl.b64", shift64, 1, 63, 0, 0) >> 63, 1);
}

static void shf_every_amount_clamps_or_wraps(void **state)
{
    (void)state;
    const uint32_t low = 0x89abcdef, high = 0x91234567;
    for (uint32_t n = 0; n < 70; n++) {
        uint32_t c = n < 32 ? n : 32, v = n & 31;
        assert_int_equal(rows_ask("shf.l.clamp.b32", three32, low, high, n, 0), c == 0 ? high
                                                                                : c == 32
                                                                                    ? low
                                                                                    : high << c | low >> (32 - c));
        assert_int_equal(rows_ask("shf.r.clamp.b32", three32, low, high, n, 0), c == 0 ? low
                                                                                : c == 32
                                                                                    ? high
                                                                                    : low >> c | high << (32 - c));
        assert_int_equal(rows_ask("shf.l.wrap.b32", three32, low, high, n, 0), v ? high << v | low >> (32 - v) : high);
        assert_int_equal(rows_ask("shf.r.wrap.b32", three32, low, high, n, 0), v ? low >> v | high << (32 - v) : low);
    }
}

static void lop3_every_table_is_looked_up_bit_by_bit(void **state)
{
    (void)state;
    const uint32_t a = 0xf0f0a15c, b = 0xcccc3b27, c = 0xaaaa96d1;
    for (unsigned table = 0; table < 256; table++) {
        uint32_t want = 0;
        for (unsigned n = 0; n < 32; n++)
            want |= (uint32_t)(table >> ((a >> n & 1) * 4 + (b >> n & 1) * 2 + (c >> n & 1)) & 1) << n;
        assert_int_equal(rows_ask("lop3.b32", four32, a, b, c, table), want);
    }
    assert_int_equal(rows_ask("lop3.b32", four32, a, b, c, 0x1a), (((a & b) | c) ^ a));
    assert_int_equal(rows_ask("lop3.b32", four32, a, b, c, 0xe8), ((a & b) | (a & c) | (b & c)));
    struct rows r;
    assert_non_null(rows_open(&r, "lop3.or.b32", 32, 32, 32, 32, 32, 0));
}

static void prmt_every_selector_picks_its_byte(void **state)
{
    (void)state;
    const uint32_t a = 0x83726150, b = 0xf7e6d594;
    const uint8_t bytes[8] = {0x50, 0x61, 0x72, 0x83, 0x94, 0xd5, 0xe6, 0xf7};
    unsigned ran = 0;
    for (unsigned s = 0; s < 65536; s += 1 + s % 7, ran++) {
        uint32_t want = 0;
        for (unsigned n = 0; n < 4; n++) {
            unsigned pick = s >> 4 * n & 15;
            want |= (uint32_t)(pick & 8 ? (bytes[pick & 7] & 0x80 ? 0xff : 0) : bytes[pick & 7]) << 8 * n;
        }
        assert_int_equal(rows_ask("prmt.b32", three32, a, b, s | 0xabcd0000, 0), want);
    }
    assert_true(ran > 10000);
}

/* The bytes are numbered 0 .. 7; the rows below are the table of the specification, highest byte first. */
static void prmt_the_modes_are_those_of_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *opcode;
        uint32_t want[4];
    } modes[] = {
        {"prmt.b32.f4e", {0x03020100, 0x04030201, 0x05040302, 0x06050403}},
        {"prmt.b32.b4e", {0x05060700, 0x06070001, 0x07000102, 0x00010203}},
        {"prmt.b32.rc8", {0x00000000, 0x01010101, 0x02020202, 0x03030303}},
        {"prmt.b32.ecl", {0x03020100, 0x03020101, 0x03020202, 0x03030303}},
        {"prmt.b32.ecr", {0x00000000, 0x01010100, 0x02020100, 0x03020100}},
        {"prmt.b32.rc16", {0x01000100, 0x03020302, 0x01000100, 0x03020302}},
    };
    for (unsigned m = 0; m < sizeof modes / sizeof *modes; m++)
        for (unsigned c = 0; c < 8; c++)
            assert_int_equal(rows_ask(modes[m].opcode, three32, 0x03020100, 0x07060504, c, 0), modes[m].want[c & 3]);
}

static void bfe_is_the_loop_of_the_specification(void **state)
{
    (void)state;
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (; ran < 6000; ran++) {
        bool is_signed = ran & 1;
        unsigned msb = ran & 2 ? 63 : 31;
        uint64_t a = splitmix_next(&random) >> (63 - msb), b = splitmix_next(&random), c = splitmix_next(&random);
        b = ran & 4 ? b % 70 : b & 0xffffffff, c = ran & 8 ? c % 70 : c & 0xffffffff;
        unsigned pos = b & 255, len = c & 255, last = pos + len - 1 < msb ? pos + len - 1 : msb;
        bool sign = is_signed && len && bit(a, last);
        uint64_t want = 0;
        for (unsigned i = 0; i <= msb; i++)
            want |= (uint64_t)(i < len && pos + i <= msb ? bit(a, pos + i) : sign) << i;
        const char *opcode = msb == 63 ? is_signed ? "bfe.s64" : "bfe.u64" : is_signed ? "bfe.s32" : "bfe.u32";
        uint64_t got = rows_ask(opcode, (unsigned[5]){msb + 1, msb + 1, 32, 32}, a, b, c, 0);
        if (got != want)
            fail_msg("%s %#lx at %u of %u: %#lx, not %#lx", opcode, a, pos, len, got, want);
    }
    assert_true(ran > 0);
}

static void bfi_is_the_loop_of_the_specification(void **state)
{
    (void)state;
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (; ran < 6000; ran++) {
        unsigned msb = ran & 2 ? 63 : 31;
        uint64_t a = splitmix_next(&random) >> (63 - msb), b = splitmix_next(&random) >> (63 - msb);
        uint64_t c = splitmix_next(&random), e = splitmix_next(&random), want = b;
        c = ran & 4 ? c % 70 : c & 0xffffffff, e = ran & 8 ? e % 70 : e & 0xffffffff;
        for (unsigned i = 0; i < (e & 255) && (c & 255) + i <= msb; i++)
            want = (want & ~(UINT64_C(1) << ((c & 255) + i))) | (uint64_t)bit(a, i) << ((c & 255) + i);
        uint64_t got =
            rows_ask(msb == 63 ? "bfi.b64" : "bfi.b32", (unsigned[5]){msb + 1, msb + 1, msb + 1, 32, 32}, a, b, c, e);
        if (got != want)
            fail_msg("bfi of %u bits, %#lx into %#lx at %lu of %lu: %#lx, not %#lx", msb + 1, a, b, c & 255, e & 255,
                     got, want);
    }
    assert_true(ran > 0);
}

static void bmsk_and_szext_are_the_formulas_of_the_specification(void **state)
{
    (void)state;
    static const uint32_t far[] = {64, 255, 0x80000001, 0xffffffff};
    for (unsigned j = 0; j < 44 * 44; j++) {
        uint32_t a = j % 44 < 40 ? j % 44 : far[j % 44 - 40], b = j / 44 < 40 ? j / 44 : far[j / 44 - 40];
        uint32_t start = a & 31, length = b & 31, wrapped = 0, clamped = 0;
        for (unsigned n = 0; n < 32; n++) {
            wrapped |= (uint32_t)(n >= start && n < start + length) << n;
            clamped |= (uint32_t)(a < 32 && n >= a && (b > 31 || n < a + b)) << n;
        }
        assert_int_equal(rows_ask("bmsk.wrap.b32", two32, a, b, 0, 0), wrapped);
        assert_int_equal(rows_ask("bmsk.clamp.b32", two32, a, b, 0, 0), clamped);
        uint32_t x = 0x9e3779b9u * (a + 1), low = length ? x << (32 - length) : 0;
        uint32_t zero = length ? low >> (32 - length) : 0,
                 sign = length ? (uint32_t)((int32_t)low >> (32 - length)) : 0;
        assert_int_equal(rows_ask("szext.wrap.u32", two32, x, b, 0, 0), zero);
        assert_int_equal(rows_ask("szext.wrap.s32", two32, x, b, 0, 0), sign);
        assert_int_equal(rows_ask("szext.clamp.u32", two32, x, b, 0, 0), b > 31 ? x : zero);
        assert_int_equal(rows_ask("szext.clamp.s32", two32, x, b, 0, 0), b > 31 ? x : sign);
    }
}

static void counts_and_searches_of_every_single_bit(void **state)
{
    (void)state;
    const unsigned from64[5] = {32, 64};
    for (unsigned n = 0; n < 64; n++) {
        uint64_t x = UINT64_C(1) << n | (n > 3 ? 5 : 0);
        unsigned ones = n > 3 ? 3 : 1;
        assert_int_equal(rows_ask("clz.b64", from64, x, 0, 0, 0), 63 - n);
        assert_int_equal(rows_ask("popc.b64", from64, x, 0, 0, 0), ones);
        assert_int_equal(rows_ask("bfind.u64", from64, x, 0, 0, 0), n);
        assert_int_equal(rows_ask("bfind.shiftamt.u64", from64, x, 0, 0, 0), 63 - n);
        assert_int_equal(rows_ask("brev.b64", one64, x, 0, 0, 0),
                         UINT64_C(1) << (63 - n) | (n > 3 ? UINT64_C(5) << 61 : 0));
        if (n > 31)
            continue;
        assert_int_equal(rows_ask("clz.b32", one32, x, 0, 0, 0), 31 - n);
        assert_int_equal(rows_ask("popc.b32", one32, x, 0, 0, 0), ones);
        assert_int_equal(rows_ask("bfind.u32", one32, x, 0, 0, 0), n);
        assert_int_equal(rows_ask("bfind.shiftamt.u32", one32, x, 0, 0, 0), 31 - n);
        assert_int_equal(rows_ask("brev.b32", one32, x, 0, 0, 0), (uint32_t)1 << (31 - n) | (n > 3 ? 5u << 29 : 0));
        if (n > 30)
            continue;
        assert_int_equal(rows_ask("bfind.s32", one32, x, 0, 0, 0), n);
        assert_int_equal(rows_ask("bfind.s32", one32, ~x, 0, 0, 0), n);
        assert_int_equal(rows_ask("bfind.shiftamt.s32", one32, ~x, 0, 0, 0), 31 - n);
        assert_int_equal(rows_ask("bfind.s64", from64, ~x, 0, 0, 0), n);
        assert_int_equal(rows_ask("bfind.shiftamt.s64", from64, ~x, 0, 0, 0), 63 - n);
    }
}

static void counts_and_searches_of_nothing(void **state)
{
    (void)state;
    const unsigned from64[5] = {32, 64};
    assert_int_equal(rows_ask("clz.b32", one32, 0, 0, 0, 0), 32);
    assert_int_equal(rows_ask("clz.b64", from64, 0, 0, 0, 0), 64);
    assert_int_equal(rows_ask("popc.b64", from64, UINT64_MAX, 0, 0, 0), 64);
    assert_int_equal(rows_ask("bfind.u32", one32, 0, 0, 0, 0), 0xffffffff);
    assert_int_equal(rows_ask("bfind.shiftamt.u32", one32, 0, 0, 0, 0), 0xffffffff);
    assert_int_equal(rows_ask("bfind.s32", one32, 0xffffffff, 0, 0, 0), 0xffffffff);
    assert_int_equal(rows_ask("bfind.shiftamt.s64", from64, UINT64_MAX, 0, 0, 0), 0xffffffff);
}

static void fns_is_the_loop_of_the_specification(void **state)
{
    (void)state;
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (; ran < 8000; ran++) {
        uint32_t mask = (uint32_t)(splitmix_next(&random) & splitmix_next(&random)), want = 0xffffffff;
        int base = splitmix_between(&random, 0, 31), offset = splitmix_between(&random, -9, 9);
        int count = abs(offset) - 1, inc = offset > 0 ? 1 : -1;
        if (offset == 0)
            want = mask >> base & 1 ? (uint32_t)base : want;
        for (int pos = base; offset != 0 && pos >= 0 && pos < 32 && want == 0xffffffff; pos += inc)
            if (mask >> pos & 1) {
                want = count == 0 ? (uint32_t)pos : want;
                count--;
            }
        assert_int_equal(rows_ask("fns.b32", three32, mask, (uint64_t)base, (uint32_t)offset, 0), want);
    }
    assert_true(ran > 0);
    assert_int_equal(rows_ask("fns.b32", three32, 0xaaaaaaaa, 2, (uint32_t)-1, 0), 1);
    assert_int_equal(rows_ask("fns.b32", three32, 0xffffffff, 32, 0, 0), 0xffffffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logic_and_or_xor_not_of_every_width),
        cmocka_unit_test(shift_every_amount_shifts_out_what_it_should),
        cmocka_unit_test(shf_every_amount_clamps_or_wraps),
        cmocka_unit_test(lop3_every_table_is_looked_up_bit_by_bit),
        cmocka_unit_test(prmt_every_selector_picks_its_byte),
        cmocka_unit_test(prmt_the_modes_are_those_of_the_table),
        cmocka_unit_test(bfe_is_the_loop_of_the_specification),
        cmocka_unit_test(bfi_is_the_loop_of_the_specification),
        cmocka_unit_test(bmsk_and_szext_are_the_formulas_of_the_specification),
        cmocka_unit_test(counts_and_searches_of_every_single_bit),
        cmocka_unit_test(counts_and_searches_of_nothing),
        cmocka_unit_test(fns_is_the_loop_of_the_specification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
