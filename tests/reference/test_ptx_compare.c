#include "reference/number.h"
#include "tests/support/ptx_rows.h"
#include "tests/support/splitmix.h"

static const char *const combines[] = {"", ".and", ".or", ".xor"};

static bool combined(unsigned how, bool t, bool c)
{
    return how == 0 ? t : how == 1 ? t && c : how == 2 ? t || c : t != c;
}

static bool holds_integer(const char *name, int64_t a, int64_t b)
{
    return strcmp(name, "eq") == 0   ? a == b
           : strcmp(name, "ne") == 0 ? a != b
           : strcmp(name, "lt") == 0 ? a < b
           : strcmp(name, "le") == 0 ? a <= b
           : strcmp(name, "gt") == 0 ? a > b
                                     : a >= b;
}

static bool holds_natural(const char *name, uint64_t a, uint64_t b)
{
    return strcmp(name, "eq") == 0                              ? a == b
           : strcmp(name, "ne") == 0                            ? a != b
           : strcmp(name, "lt") == 0 || strcmp(name, "lo") == 0 ? a < b
           : strcmp(name, "le") == 0 || strcmp(name, "ls") == 0 ? a <= b
           : strcmp(name, "gt") == 0 || strcmp(name, "hi") == 0 ? a > b
                                                                : a >= b;
}

static bool holds_real(const char *name, double a, double b)
{
    bool open = a != a || b != b, unordered_too = name[2] == 'u' && strcmp(name, "num") != 0;
    if (strcmp(name, "num") == 0 || strcmp(name, "nan") == 0)
        return open == (name[1] == 'a');
    if (open)
        return unordered_too;
    return name[0] == 'e'                ? a == b
           : name[0] == 'n'              ? a != b
           : strncmp(name, "lt", 2) == 0 ? a < b
           : strncmp(name, "le", 2) == 0 ? a <= b
           : strncmp(name, "gt", 2) == 0 ? a > b
                                         : a >= b;
}

/* p|q of one opcode on rows of values near each other; `want` gives what the comparison holds of the rows. */
static void check_setp(const char *name, unsigned how, const char *type, unsigned bits, bool flush,
                       bool (*want)(const char *name, const char *type, uint64_t a, uint64_t b, bool flush),
                       uint64_t (*value)(struct splitmix *random, const char *type), struct splitmix *random)
{
    struct rows r;
    char opcode[40];
    snprintf(opcode, sizeof opcode, "setp.%s%s%s.%s", name, combines[how], flush ? ".ftz" : "", type);
    const char *why = rows_open(&r, opcode, 1, bits, bits, how ? 1 : 0, 0);
    if (why)
        fail_msg("%s: %s", opcode, why);
    r.operand[0] = (struct vm_operand){.kind = VM_PAIR, .first = 0, .count = 2};
    if (how)
        r.operand[3].negated = how == 2;
    assert_null(rows_choose(&r, opcode));
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned l = 0; l < VM_LANES; l++) {
            r.row[1][l] = value(random, type);
            r.row[2][l] = splitmix_below(random, 4) ? value(random, type) : r.row[1][l];
            r.row[3][l] = splitmix_below(random, 2);
        }
        rows_run(&r, UINT32_MAX);
        for (unsigned l = 0; l < VM_LANES; l++) {
            bool t = want(name, type, r.row[1][l], r.row[2][l], flush), c = r.row[3][l] ^ (how == 2);
            if (r.row[ROWS_P][l] != combined(how, t, c) || r.row[ROWS_Q][l] != combined(how, !t, c))
                fail_msg("%s of %#lx %#lx %d: %lu|%lu", opcode, r.row[1][l], r.row[2][l], c, r.row[ROWS_P][l],
                         r.row[ROWS_Q][l]);
        }
    }
}

static uint64_t cut(uint64_t v, unsigned bits)
{
    return bits == 64 ? v : v & ((UINT64_C(1) << bits) - 1);
}

static unsigned width_of(const char *type)
{
    return strstr(type, "16") ? 16 : strstr(type, "32") ? 32 : 64;
}

static uint64_t integer_value(struct splitmix *random, const char *type)
{
    unsigned bits = width_of(type);
    uint64_t near = (UINT64_C(1) << (bits - 1)) + splitmix_below(random, 3) - 1, v = splitmix_next(random);
    return cut(v % 3 == 0 ? near : v % 3 == 1 ? splitmix_below(random, 3) - 1 : splitmix_next(random), bits);
}

static bool integer_wants(const char *name, const char *type, uint64_t a, uint64_t b, bool flush)
{
    unsigned up = 64 - width_of(type);
    (void)flush;
    return type[0] == 's' ? holds_integer(name, (int64_t)(a << up), (int64_t)(b << up)) : holds_natural(name, a, b);
}

static void setp_every_comparison_of_integers(void **state)
{
    (void)state;
    static const char *const names[] = {"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs"};
    static const char *const types[] = {"u16", "u32", "u64", "s16", "s32", "s64", "b16", "b32", "b64"};
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (unsigned t = 0; t < 9; t++)
        for (unsigned n = 0; n < (t < 3 ? 10u : t < 6 ? 6u : 2u); n++)
            for (unsigned how = 0; how < 4; how++, ran++)
                check_setp(names[n], how, types[t], width_of(types[t]), false, integer_wants, integer_value, &random);
    assert_int_equal(ran, (30 + 18 + 6) * 4);
}

static uint64_t real_value(struct splitmix *random, const char *type)
{
    static const float values[] = {0, -0.0f, 1, -1, 0x1p-20f, -0x1p-20f, 0x1p-133f, -0x1p-133f, 2};
    uint64_t n = splitmix_below(random, 13), wide;
    float v = n < 9 ? values[n] : f32_from_bits(n == 9 ? 0x7f800000 : n == 10 ? 0xff800000 : 0x7fc00000);
    double w = (double)v;
    if (strcmp(type, "f64") == 0) {
        memcpy(&wide, &w, sizeof wide);
        return wide;
    }
    return strcmp(type, "f16") == 0    ? f16_encode(v).bits
           : strcmp(type, "bf16") == 0 ? bf16_encode(v).bits
                                       : f32_bits(v);
}

static double real_of(const char *type, uint64_t row)
{
    double w;
    memcpy(&w, &row, sizeof w);
    return strcmp(type, "f64") == 0    ? w
           : strcmp(type, "f16") == 0  ? (double)f16_decode((struct f16){(uint16_t)row})
           : strcmp(type, "bf16") == 0 ? (double)bf16_decode((struct bf16){(uint16_t)row})
                                       : (double)f32_from_bits((uint32_t)row);
}

static bool real_wants(const char *name, const char *type, uint64_t a, uint64_t b, bool flush)
{
    double x = real_of(type, a), y = real_of(type, b), least = strcmp(type, "f16") == 0 ? 0x1p-14 : 0x1p-126;
    return holds_real(name, flush && x < least && x > -least ? 0 : x, flush && y < least && y > -least ? 0 : y);
}

static void setp_every_comparison_of_floats(void **state)
{
    (void)state;
    static const char *const names[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                        "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
    static const char *const types[] = {"f16", "f32", "bf16", "f64"};
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (unsigned t = 0; t < 4; t++)
        for (unsigned n = 0; n < 14; n++)
            for (unsigned how = 0; how < 4; how++)
                for (unsigned flush = 0; flush < (t < 2 ? 2 : 1); flush++, ran++)
                    check_setp(names[n], how, types[t], width_of(types[t]), flush, real_wants, real_value, &random);
    assert_int_equal(ran, 14 * 4 * 6);
}

static void setp_destinations_may_be_one_predicate_or_a_sink(void **state)
{
    (void)state;
    struct rows r;
    assert_int_equal(rows_ask("setp.lt.s32", (unsigned[5]){1, 32, 32}, 0xffffffff, 0, 0, 0), 1);
    assert_int_equal(rows_ask("setp.lt.u32", (unsigned[5]){1, 32, 32}, 0xffffffff, 0, 0, 0), 0);
    assert_null(rows_open(&r, "setp.ne.b32", 1, 32, 32, 0));
    r.operand[0] = (struct vm_operand){.kind = VM_PAIR, .first = 0, .count = 2};
    r.element[0] = (struct vm_operand){.kind = VM_SINK};
    r.operand[2] = (struct vm_operand){.kind = VM_IMMEDIATE, .value = UINT64_MAX};
    assert_null(rows_choose(&r, "setp.ne.b32"));
    r.row[1][3] = 0xffffffff;
    rows_run(&r, 0xff);
    assert_int_equal(r.row[ROWS_Q][3], 1);
    assert_int_equal(r.row[ROWS_Q][4], 0);
    assert_int_equal(r.row[ROWS_P][3], 0);
}

static void setp_of_pairs_gives_one_predicate_a_half(void **state)
{
    (void)state;
    struct rows r;
    assert_non_null(rows_open(&r, "setp.lt.f16x2", 1, 32, 32, 0));
    r.operand[0] = (struct vm_operand){.kind = VM_PAIR, .first = 0, .count = 2};
    assert_null(rows_choose(&r, "setp.lt.f16x2"));
    r.row[1][0] = 0x3c00bc00, r.row[2][0] = 0x3c003c00; /* (-1, 1) < (1, 1) */
    r.row[1][1] = 0xbc003c00, r.row[2][1] = 0x3c003c00;
    rows_run(&r, 3);
    assert_int_equal(r.row[ROWS_P][0] << 1 | r.row[ROWS_Q][0], 2);
    assert_int_equal(r.row[ROWS_P][1] << 1 | r.row[ROWS_Q][1], 1);
    r.row[1][0] = 0xbc00bc00;
    rows_run(&r, 1);
    assert_int_equal(r.row[ROWS_P][0] << 1 | r.row[ROWS_Q][0], 3);
    assert_null(rows_choose(&r, "setp.nan.bf16x2"));
    r.row[1][0] = 0x7fc03f80;
    rows_run(&r, 1);
    assert_int_equal(r.row[ROWS_P][0] << 1 | r.row[ROWS_Q][0], 1);
}

static void set_writes_ones_or_one(void **state)
{
    (void)state;
    const unsigned two[5] = {32, 32, 32}, combined32[5] = {32, 32, 32, 1};
    assert_int_equal(rows_ask("set.lt.u32.s32", two, 0xfffffffe, 3, 0, 0), 0xffffffff);
    assert_int_equal(rows_ask("set.lt.u32.u32", two, 0xfffffffe, 3, 0, 0), 0);
    assert_int_equal(rows_ask("set.eq.f32.s32", two, 3, 3, 0, 0), 0x3f800000);
    assert_int_equal(rows_ask("set.neu.ftz.s32.f32", two, 1, 0, 0, 0), 0);
    assert_int_equal(rows_ask("set.neu.s32.f32", two, 1, 0, 0, 0), 0xffffffff);
    assert_int_equal(rows_ask("set.ge.and.f32.u32", combined32, 4, 3, 1, 0), 0x3f800000);
    assert_int_equal(rows_ask("set.ge.and.f32.u32", combined32, 4, 3, 0, 0), 0);
    assert_int_equal(rows_ask("set.gt.bf16.bf16", (unsigned[5]){16, 16, 16}, 0x4000, 0x3f80, 0, 0), 0x3f80);
    assert_int_equal(rows_ask("set.gt.f16.f16", (unsigned[5]){16, 16, 16}, 0x4000, 0x3f80, 0, 0), 0x3c00);
    assert_int_equal(rows_ask("set.gt.s16.f64", (unsigned[5]){16, 64, 64}, 0x4000, 0x3f80, 0, 0), 0xffff);
}

static void select_takes_the_first_where_the_predicate_holds(void **state)
{
    (void)state;
    static const char *const types[] = {"b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64"};
    for (unsigned t = 0; t < 11; t++) {
        char opcode[16];
        unsigned bits = width_of(types[t]);
        snprintf(opcode, sizeof opcode, "selp.%s", types[t]);
        const uint64_t a = UINT64_C(0xfedcba9876543210), b = UINT64_C(0x0123456789abcdef);
        assert_true(rows_ask(opcode, (unsigned[5]){bits, bits, bits, 1}, a, b, 1, 0) == cut(a, bits));
        assert_true(rows_ask(opcode, (unsigned[5]){bits, bits, bits, 1}, a, b, 0, 0) == cut(b, bits));
    }
    struct rows r;
    assert_null(rows_open(&r, "selp.u32", 32, 32, 32, 1, 0));
    r.operand[3].negated = true;
    r.row[1][0] = 1, r.row[2][0] = 2;
    assert_int_equal(rows_run(&r, 1)[0], 1);
}

static void slct_takes_the_first_where_the_third_is_not_negative(void **state)
{
    (void)state;
    const unsigned w[5] = {32, 32, 32, 32}, w64[5] = {64, 64, 64, 32};
    assert_int_equal(rows_ask("slct.u32.s32", w, 5, 6, 0, 0), 5);
    assert_int_equal(rows_ask("slct.u32.s32", w, 5, 6, 0x80000000, 0), 6);
    assert_int_equal(rows_ask("slct.f32.f32", w, 5, 6, 0x80000000, 0), 5);
    assert_int_equal(rows_ask("slct.f32.f32", w, 5, 6, 0x80000001, 0), 6);
    assert_int_equal(rows_ask("slct.ftz.b32.f32", w, 5, 6, 0x80000001, 0), 5);
    assert_int_equal(rows_ask("slct.b32.f32", w, 5, 6, 0x7fc00000, 0), 6);
    assert_int_equal(rows_ask("slct.b64.s32", w64, UINT64_C(5) << 40, 6, 0x7fffffff, 0), UINT64_C(5) << 40);
}

static void compare_forms_that_there_are_not_are_refused(void **state)
{
    (void)state;
    struct rows r;
    static const char *const none[] = {"setp.lo.s32",      "setp.lt.b32",     "setp.equ.s32",     "setp.hi.f32",
                                       "setp.eq.ftz.s32",  "setp.eq.ftz.f64", "setp.eq.ftz.bf16", "setp.s32",
                                       "setp.eq.nand.s32", "setp.eq.pred",    "setp.eq.u8",       "setp.eq.e4m3"};
    for (size_t n = 0; n < sizeof none / sizeof *none; n++)
        if (!rows_open(&r, none[n], 1, 32, 32, 0))
            fail_msg("%s was taken", none[n]);
    assert_non_null(rows_open(&r, "setp.eq.and.s32", 1, 32, 32, 0));
    assert_non_null(rows_open(&r, "setp.eq.s32", 1, 32, 32, 1, 0));
    assert_non_null(rows_open(&r, "setp.eq.s32", 32, 32, 32, 0));
    assert_non_null(rows_open(&r, "set.eq.u64.s32", 64, 32, 32, 0));
    assert_non_null(rows_open(&r, "set.eq.f16x2.f16x2", 32, 32, 32, 0));
    assert_non_null(rows_open(&r, "slct.u32.u32", 32, 32, 32, 32, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setp_every_comparison_of_integers),
        cmocka_unit_test(setp_every_comparison_of_floats),
        cmocka_unit_test(setp_destinations_may_be_one_predicate_or_a_sink),
        cmocka_unit_test(setp_of_pairs_gives_one_predicate_a_half),
        cmocka_unit_test(set_writes_ones_or_one),
        cmocka_unit_test(select_takes_the_first_where_the_predicate_holds),
        cmocka_unit_test(slct_takes_the_first_where_the_third_is_not_negative),
        cmocka_unit_test(compare_forms_that_there_are_not_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
