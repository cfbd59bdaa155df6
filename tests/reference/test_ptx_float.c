#include <fenv.h>
#include <math.h>

#include "reference/number.h"
#include "tests/support/ptx_exact.h"
#include "tests/support/ptx_rows.h"
#include "tests/support/splitmix.h"

#define P0    0x00000000u
#define N0    0x80000000u
#define TINY  0x00000001u
#define ONE   0x3f800000u
#define M2    0xc0000000u
#define INF   0x7f800000u
#define MINF  0xff800000u
#define QUIET 0x7fc00000u
#define CANON 0x7fffffffu

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double value_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The number that a row holds as f32 or f64. */
static double read_as(unsigned width, uint64_t row)
{
    return width == 32 ? (double)f32_from_bits((uint32_t)row) : value_of(row);
}

/* Its code, NaN as the machine writes it. */
static uint64_t write_as(unsigned width, double x)
{
    if (width == 32)
        return isnan(x) ? 0x7fffffff : f32_bits((float)x);
    return isnan(x) ? UINT64_C(0x7ff8000000000000) : bits_of(x);
}

static double flush32(double x)
{
    return fabs(x) < 0x1p-126 ? copysign(0, x) : x;
}

/* Numbers near each other, far apart, at the ends and special ones. */
static uint64_t pick(struct splitmix *r, unsigned width)
{
    static const uint64_t special32[] = {0,          1,          0x7fffff,   0x800000,   0x7f7fffff,
                                         0x7f800000, 0x7fc00001, 0x3f800000, 0x807fffff, 0x80000000,
                                         0xff800000, 0x3f800001, 0xbf7fffff, 0x00ffffff};
    uint64_t n = splitmix_below(r, 8), random = splitmix_next(r);
    if (n == 0 && width == 32)
        return special32[random % (sizeof special32 / sizeof *special32)];
    if (n == 0)
        return random % 4 ? random & UINT64_C(0x800fffffffffffff) : UINT64_C(0x7ff) << 52 | (random & 4 ? 1 : 0);
    if (n < 4)
        return width == 32 ? random & 0xffffffff : random;
    return width == 32 ? (random & 0x807fffff) | (uint64_t)(118 + random % 61 % 20) << 23
                       : (random & UINT64_C(0x800fffffffffffff)) | (uint64_t)(1014 + random % 61 % 20) << 52;
}

struct form {
    const char *name;
    enum exact_op op;
    unsigned sources;
};
static const struct form forms[] = {{"add", EXACT_ADD, 2},   {"sub", EXACT_SUB, 2}, {"mul", EXACT_MUL, 2},
                                    {"fma", EXACT_FMA, 3},   {"mad", EXACT_FMA, 3}, {"div", EXACT_DIV, 2},
                                    {"sqrt", EXACT_SQRT, 1}, {"rcp", EXACT_RCP, 1}};

static void check(const struct form *f, unsigned rounding, unsigned width, bool flush, bool sat,
                  struct splitmix *random)
{
    struct rows r;
    char opcode[40];
    const struct exact_format *format = width == 32 ? &exact_f32 : &exact_f64;
    snprintf(opcode, sizeof opcode, "%s.%s%s%s.f%u", f->name, exact_roundings[rounding].word, flush ? ".ftz" : "",
             sat ? ".sat" : "", width);
    const char *why = rows_open(&r, opcode, width, width, f->sources > 1 ? width : 0, f->sources > 2 ? width : 0, 0);
    if (why)
        fail_msg("%s: %s", opcode, why);
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned n = 1; n < 4; n++)
            for (unsigned l = 0; l < VM_LANES; l++)
                r.row[n][l] = pick(random, width);
        const uint64_t *d = rows_run(&r, UINT32_MAX);
        for (unsigned l = 0; l < VM_LANES; l++) {
            double v[3];
            for (unsigned n = 0; n < 3; n++) {
                v[n] = read_as(width, r.row[n + 1][l]);
                v[n] = flush ? flush32(v[n]) : v[n];
            }
            double want = exact_compute(f->op, v[0], v[1], v[2], format, exact_roundings[rounding].rounding);
            want = sat ? isnan(want) || want <= 0 ? 0 : fmin(want, 1) : want;
            want = flush ? flush32(want) : want;
            if (d[l] != write_as(width, want))
                fail_msg("%s of %#lx %#lx %#lx: %#lx, not %#lx", opcode, r.row[1][l], r.row[2][l], r.row[3][l], d[l],
                         write_as(width, want));
        }
    }
}

static void float_every_rounding_is_that_of_the_exact_result(void **state)
{
    (void)state;
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (size_t n = 0; n < sizeof forms / sizeof *forms; n++)
        for (unsigned r = 0; r < 4; r++) {
            bool may_saturate = n < 5;
            check(&forms[n], r, 64, false, false, &random);
            for (unsigned flags = 0; flags < (may_saturate ? 4 : 2); flags++, ran++)
                check(&forms[n], r, 32, flags & 1, flags & 2, &random);
        }
    assert_int_equal(ran, 5 * 4 * 4 + 3 * 4 * 2);
    assert_int_equal(fegetround(), FE_TONEAREST);
}

static const unsigned two32[5] = {32, 32, 32}, one32[5] = {32, 32}, two64[5] = {64, 64, 64}, one64[5] = {64, 64};

static void float_without_rounding_words_rounds_to_nearest(void **state)
{
    (void)state;
    assert_int_equal(rows_ask("add.f32", two32, 0x3f800000, 0x33800000, 0, 0), 0x3f800000);
    assert_int_equal(rows_ask("add.f32", two32, 0x3f800001, 0x33800000, 0, 0), 0x3f800002);
    assert_int_equal(rows_ask("mul.ftz.f32", two32, 0x00800000, 0xbf000000, 0, 0), 0x80000000);
    assert_int_equal(rows_ask("mul.f32", two32, 0x00800000, 0xbf000000, 0, 0), 0x80400000);
    assert_int_equal(rows_ask("sub.ftz.f32", two32, 0x00000001, 0x3f800000, 0, 0), 0xbf800000);
    assert_int_equal(rows_ask("sub.f64", two64, bits_of(1), bits_of(3), 0, 0), bits_of(-2));
    assert_int_equal(rows_ask("mul.f64", two64, bits_of(3), bits_of(0x1p-1074), 0, 0), 3);
}

/* (1 + 2^-12)^2 is the middle between two f32; an addend that a double would lose decides. */
static void fma_of_f32_that_a_double_would_round_twice(void **state)
{
    (void)state;
    const unsigned three32[5] = {32, 32, 32, 32};
    assert_int_equal(rows_ask("fma.rn.f32", three32, 0x3f800800, 0x3f800800, 0x00000000, 0), 0x3f801000);
    assert_int_equal(rows_ask("fma.rn.f32", three32, 0x3f800800, 0x3f800800, 0x12800000, 0), 0x3f801001);
    assert_int_equal(rows_ask("fma.rn.f32", three32, 0x3f800800, 0x3f800800, 0x92800000, 0), 0x3f801000);
    assert_int_equal(rows_ask("fma.rn.f32", three32, 0x3f800800, 0x3f801800, 0x92800000, 0), 0x3f802001);
}

static void float_signs_and_nan_of_one_value(void **state)
{
    (void)state;
    assert_int_equal(rows_ask("neg.f32", one32, 0x00000000, 0, 0, 0), 0x80000000);
    assert_int_equal(rows_ask("neg.f32", one32, 0x80000001, 0, 0, 0), 0x00000001);
    assert_int_equal(rows_ask("neg.ftz.f32", one32, 0x80000001, 0, 0, 0), 0x00000000);
    assert_int_equal(rows_ask("abs.f32", one32, 0xff800000, 0, 0, 0), 0x7f800000);
    assert_int_equal(rows_ask("abs.ftz.f32", one32, 0x807fffff, 0, 0, 0), 0x00000000);
    assert_int_equal(rows_ask("abs.f32", one32, 0xffc12345, 0, 0, 0), 0x7fffffff);
    assert_int_equal(rows_ask("neg.f32", one32, 0x7f800001, 0, 0, 0), 0x7fffffff);
    assert_int_equal(rows_ask("neg.f64", one64, bits_of(2.5), 0, 0, 0), bits_of(-2.5));
    assert_int_equal(rows_ask("abs.f64", one64, bits_of(-2.5), 0, 0, 0), bits_of(2.5));
    assert_int_equal(rows_ask("copysign.f32", two32, 0x80000000, 0x7fc12345, 0, 0), 0xffc12345);
    assert_int_equal(rows_ask("copysign.f32", two32, 0x7f800000, 0xbf800000, 0, 0), 0x3f800000);
    assert_int_equal(rows_ask("copysign.f64", two64, bits_of(-0.0), bits_of(3), 0, 0), bits_of(-3));
}

static void extreme_of_numbers_zeros_and_nan(void **state)
{
    (void)state;
    static const struct {
        const char *flags;
        uint32_t a, b, least, greatest;
    } cases[] = {
        {"", ONE, M2, M2, ONE},
        {"", M2, ONE, M2, ONE},
        {"", P0, N0, N0, P0},
        {"", N0, P0, N0, P0},
        {"", QUIET, ONE, ONE, ONE},
        {"", M2, QUIET, M2, M2},
        {"", QUIET, 0xffc00001, CANON, CANON},
        {".NaN", QUIET, ONE, CANON, CANON},
        {".NaN", ONE, 0x7f800001, CANON, CANON},
        {".NaN", ONE, M2, M2, ONE},
        {".ftz", TINY, P0, P0, P0},
        {".ftz", 0x80000001, N0, N0, N0},
        {"", TINY, P0, P0, TINY},
        {".xorsign.abs", ONE, M2, 0xbf800000, 0xc0000000},
        {".xorsign.abs", 0xbf800000, M2, ONE, 0x40000000},
        {".xorsign.abs", 0xbf800000, 0x40000000, 0xbf800000, 0xc0000000},
        {".xorsign.abs", QUIET, M2, 0xc0000000, 0xc0000000},
        {".NaN.xorsign.abs", QUIET, M2, CANON, CANON},
        {".ftz.NaN.xorsign.abs", TINY, M2, N0, 0xc0000000},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        char opcode[40];
        snprintf(opcode, sizeof opcode, "min%s.f32", cases[n].flags);
        if (rows_ask(opcode, two32, cases[n].a, cases[n].b, 0, 0) != cases[n].least)
            fail_msg("case %zu: %s", n, opcode);
        snprintf(opcode, sizeof opcode, "max%s.f32", cases[n].flags);
        if (rows_ask(opcode, two32, cases[n].a, cases[n].b, 0, 0) != cases[n].greatest)
            fail_msg("case %zu: %s", n, opcode);
    }
    assert_int_equal(rows_ask("max.f64", two64, bits_of(1e300), bits_of(-1e300), 0, 0), bits_of(1e300));
    assert_int_equal(rows_ask("min.f64", two64, bits_of(NAN), bits_of(-1e-320), 0, 0), bits_of(-1e-320));
}

static void testp_every_property_of_every_class(void **state)
{
    (void)state;
    static const char *const names[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};
    static const struct {
        uint32_t value;
        unsigned holds; /* bit n: names[n] */
    } cases[] = {{0, 0x15},          {0x80000000, 0x15}, {1, 0x25},          {0x807fffff, 0x25}, {0x00800000, 0x15},
                 {0xff7fffff, 0x15}, {0x7f800000, 0x06}, {0xff800000, 0x06}, {0x7f800001, 0x08}, {0xffffffff, 0x08}};
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++)
        for (unsigned p = 0; p < 6; p++) {
            char opcode[32];
            float v = f32_from_bits(cases[n].value);
            snprintf(opcode, sizeof opcode, "testp.%s.f32", names[p]);
            assert_int_equal(rows_ask(opcode, (unsigned[5]){1, 32}, cases[n].value, 0, 0, 0), cases[n].holds >> p & 1);
            snprintf(opcode, sizeof opcode, "testp.%s.f64", names[p]);
            /* Widened, only zero, infinity and NaN stay in their class; a subnormal becomes normal. */
            unsigned holds = cases[n].holds == 0x25 ? 0x15 : cases[n].holds;
            assert_int_equal(rows_ask(opcode, (unsigned[5]){1, 64}, bits_of((double)v), 0, 0, 0), holds >> p & 1);
        }
    assert_int_equal(rows_ask("testp.subnormal.f64", (unsigned[5]){1, 64}, 1, 0, 0, 0), 1);
}

/* Distance in steps of f32. */
static int64_t steps_between(uint32_t a, uint32_t b)
{
    int64_t x = a & 0x80000000 ? -(int64_t)(a & 0x7fffffff) : a, y = b & 0x80000000 ? -(int64_t)(b & 0x7fffffff) : b;
    return x > y ? x - y : y - x;
}

static void check_approximate(const char *opcode, unsigned sources, long double (*f)(long double), double low,
                              double high)
{
    struct rows r;
    struct splitmix random = {splitmix_seed()};
    const char *why = rows_open(&r, opcode, 32, 32, sources > 1 ? 32 : 0, 0);
    if (why)
        fail_msg("%s: %s", opcode, why);
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned l = 0; l < VM_LANES; l++) {
            double u = (double)(splitmix_next(&random) >> 11) * 0x1p-53;
            r.row[1][l] = f32_bits((float)(low + u * (high - low)));
            r.row[2][l] = f32_bits((float)(1 + u));
        }
        const uint64_t *d = rows_run(&r, UINT32_MAX);
        for (unsigned l = 0; l < VM_LANES; l++) {
            long double x = f32_from_bits((uint32_t)r.row[1][l]), y = f32_from_bits((uint32_t)r.row[2][l]);
            float want = (float)(sources > 1 ? x / y : f(x));
            if (steps_between((uint32_t)d[l], f32_bits(want)) > 1)
                fail_msg("%s of %#lx: %#lx, not %#x", opcode, r.row[1][l], d[l], f32_bits(want));
        }
    }
    assert_non_null(r.cluster.approximate);
    assert_non_null(strstr(r.cluster.approximate, strncmp(opcode, "rsqrt", 5) == 0 ? "rsqrt" : "."));
}

static long double one_over(long double x)
{
    return 1 / x;
}

static long double one_over_root(long double x)
{
    return 1 / sqrtl(x);
}

static void approximate_values_are_near_and_reported(void **state)
{
    (void)state;
    check_approximate("ex2.approx.f32", 1, exp2l, -20, 20);
    check_approximate("ex2.approx.ftz.f32", 1, exp2l, -100, 100);
    check_approximate("lg2.approx.ftz.f32", 1, log2l, 0.01, 1000);
    check_approximate("sin.approx.f32", 1, sinl, -3, 3);
    check_approximate("cos.approx.ftz.f32", 1, cosl, -3, 3);
    check_approximate("tanh.approx.f32", 1, tanhl, -4, 4);
    check_approximate("rcp.approx.ftz.f32", 1, one_over, 0.001, 1000);
    check_approximate("sqrt.approx.f32", 1, sqrtl, 0, 1e6);
    check_approximate("rsqrt.approx.ftz.f32", 1, one_over_root, 1e-3, 1e6);
    check_approximate("div.approx.ftz.f32", 2, NULL, -50, 50);
    check_approximate("div.full.f32", 2, NULL, -50, 50);
}

/* source: PTX ISA, the tables of special inputs of each instruction. */
static void approximate_special_values_are_those_of_the_specification(void **state)
{
    (void)state;
    static const struct {
        const char *opcode;
        uint32_t a, b, want;
    } cases[] = {
        {"ex2.approx.f32", MINF, 0, P0},
        {"ex2.approx.ftz.f32", 0x80000001, 0, ONE},
        {"ex2.approx.f32", INF, 0, INF},
        {"ex2.approx.f32", 0x41200000, 0, 0x44800000},
        {"ex2.approx.ftz.f32", 0xc2fe0000, 0, P0},
        {"ex2.approx.f32", 0xc2fe0000, 0, 0x00400000},
        {"ex2.approx.f32", 0xffc00000, 0, CANON},
        {"lg2.approx.f32", N0, 0, MINF},
        {"lg2.approx.ftz.f32", 1, 0, MINF},
        {"lg2.approx.f32", 1, 0, 0xc3150000},
        {"lg2.approx.f32", 0xbf800000, 0, CANON},
        {"lg2.approx.f32", INF, 0, INF},
        {"sin.approx.f32", INF, 0, CANON},
        {"sin.approx.f32", N0, 0, N0},
        {"sin.approx.ftz.f32", 0x80000001, 0, N0},
        {"cos.approx.f32", N0, 0, ONE},
        {"tanh.approx.f32", MINF, 0, 0xbf800000},
        {"tanh.approx.f32", 1, 0, 1},
        {"rcp.approx.f32", N0, 0, MINF},
        {"rcp.approx.ftz.f32", 0x00000001, 0, INF},
        {"rcp.approx.f32", 0x7f000000, 0, 0x00400000},
        {"rcp.approx.ftz.f32", 0xff000000, 0, N0},
        {"sqrt.approx.f32", N0, 0, N0},
        {"sqrt.approx.ftz.f32", 0xbf800000, 0, CANON},
        {"rsqrt.approx.f32", N0, 0, MINF},
        {"rsqrt.approx.f32", INF, 0, P0},
        {"rsqrt.approx.f32", 0x3e800000, 0, 0x40000000},
        {"div.approx.f32", INF, 0x7e800000, INF},
        {"div.approx.f32", INF, 0x7e800001, CANON},
        {"div.approx.f32", 0x7f000000, 0xfe800001, N0},
        {"div.approx.f32", ONE, N0, MINF},
        {"div.approx.ftz.f32", ONE, 1, INF},
        {"div.full.f32", 0x7f000000, 0x7f000000, ONE},
        {"div.full.ftz.f32", P0, P0, CANON},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        uint64_t d =
            rows_ask(cases[n].opcode, strncmp(cases[n].opcode, "div", 3) ? one32 : two32, cases[n].a, cases[n].b, 0, 0);
        if (d != cases[n].want)
            fail_msg("%s of %#x %#x: %#lx, not %#x", cases[n].opcode, cases[n].a, cases[n].b, d, cases[n].want);
    }
    assert_int_equal(rows_ask("rcp.approx.ftz.f64", one64, bits_of(4) | 0xffffffff, 0, 0, 0), bits_of(0.25));
    assert_int_equal(rows_ask("rcp.approx.ftz.f64", one64, bits_of(3), 0, 0, 0), bits_of(1.0 / 3) >> 32 << 32);
    assert_int_equal(rows_ask("rcp.approx.ftz.f64", one64, 5, 0, 0, 0), bits_of(INFINITY));
    assert_int_equal(rows_ask("rcp.approx.ftz.f64", one64, bits_of(-0x1p-1023), 0, 0, 0), bits_of(-INFINITY));
    assert_int_equal(rows_ask("rsqrt.approx.f64", one64, bits_of(16), 0, 0, 0), bits_of(0.25));
    assert_int_equal(rows_ask("rsqrt.approx.ftz.f64", one64, bits_of(-1), 0, 0, 0), UINT64_C(0x7ff8000000000000));
}

static void float_forms_that_there_are_not_are_refused(void **state)
{
    (void)state;
    struct rows r;
    static const char *const two[] = {"add.rna.f32",   "add.relu.f32",   "add.ftz.f64",      "add.sat.f64",
                                      "div.f32",       "div.approx.f64", "div.full.sat.f32", "min.sat.f32",
                                      "min.NaN.f64",   "mul.rn.f32.f16", "add.f32x2",        "copysign.ftz.f32",
                                      "div.sat.rn.f32"};
    static const char *const one[] = {
        "rcp.f32",        "sqrt.f32",       "neg.rn.f32", "ex2.f32",     "tanh.approx.ftz.f32",
        "sin.approx.f64", "rcp.approx.f64", "testp.f32",  "abs.sat.f32", "lg2.approx.sat.f32"};
    for (size_t n = 0; n < sizeof two / sizeof *two; n++)
        if (!rows_open(&r, two[n], 32, 32, 32, 0))
            fail_msg("%s was taken", two[n]);
    for (size_t n = 0; n < sizeof one / sizeof *one; n++)
        if (!rows_open(&r, one[n], 32, 32, 0))
            fail_msg("%s was taken", one[n]);
    assert_non_null(rows_open(&r, "fma.f32", 32, 32, 32, 32, 0));
    assert_non_null(rows_open(&r, "max.f32", 32, 32, 32, 32, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_every_rounding_is_that_of_the_exact_result),
        cmocka_unit_test(float_without_rounding_words_rounds_to_nearest),
        cmocka_unit_test(fma_of_f32_that_a_double_would_round_twice),
        cmocka_unit_test(float_signs_and_nan_of_one_value),
        cmocka_unit_test(extreme_of_numbers_zeros_and_nan),
        cmocka_unit_test(testp_every_property_of_every_class),
        cmocka_unit_test(approximate_values_are_near_and_reported),
        cmocka_unit_test(approximate_special_values_are_those_of_the_specification),
        cmocka_unit_test(float_forms_that_there_are_not_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
