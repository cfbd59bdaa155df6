#include <math.h>

#include "reference/number.h"
#include "tests/support/ptx_exact.h"
#include "tests/support/ptx_rows.h"
#include "tests/support/splitmix.h"

struct half {
    const char *type, *pair;
    const struct exact_format *format;
    uint16_t infinity;
    double least; /* normal */
};
static const struct half halves[] = {{"f16", "f16x2", &exact_f16, 0x7c00, 0x1p-14},
                                     {"bf16", "bf16x2", &exact_bf16, 0x7f80, 0x1p-126}};

static double read_as(const struct half *h, uint64_t code)
{
    return h == halves ? (double)f16_decode((struct f16){(uint16_t)code})
                       : (double)bf16_decode((struct bf16){(uint16_t)code});
}

/* Of a number that the format has. */
static uint16_t write_as(const struct half *h, double x)
{
    return h == halves ? f16_encode((float)x).bits : bf16_encode((float)x).bits;
}

/* One code: near 1, special, or any. */
static uint16_t pick(const struct half *h, struct splitmix *r)
{
    uint64_t n = splitmix_below(r, 8), random = splitmix_next(r);
    unsigned fraction = h == halves ? 10 : 7, bias = h == halves ? 15 : 127;
    const uint16_t special[] = {0,
                                0x8000,
                                1,
                                0x8001,
                                (uint16_t)(1u << fraction),
                                (uint16_t)((1u << fraction) - 1),
                                h->infinity,
                                (uint16_t)(h->infinity - 1),
                                (uint16_t)(h->infinity | 0x8000),
                                (uint16_t)(h->infinity + 1),
                                0x3c00,
                                0x3f80};
    if (n == 0)
        return special[random % (sizeof special / sizeof *special)];
    if (n < 3)
        return (uint16_t)random;
    return (uint16_t)((random & 0x8000) | (bias - 8 + (random >> 20) % 16) << fraction |
                      (random >> 40 & ((1u << fraction) - 1)));
}

static double flushed(const struct half *h, double x)
{
    return fabs(x) < h->least ? copysign(0, x) : x;
}

enum { FTZ = 1, SAT = 2, RELU = 4 };

static uint16_t wanted(const struct half *h, enum exact_op op, unsigned flags, uint64_t a, uint64_t b, uint64_t c)
{
    double x = read_as(h, a), y = read_as(h, b), z = read_as(h, c);
    if (flags & FTZ)
        x = flushed(h, x), y = flushed(h, y), z = flushed(h, z);
    double d = exact_compute(op, x, y, z, h->format, MPFR_RNDN);
    if (flags & SAT)
        d = isnan(d) || d <= 0 ? 0 : fmin(d, 1);
    if (flags & RELU && d <= 0)
        d = 0;
    return write_as(h, flags & FTZ ? flushed(h, d) : d);
}

static void check(const struct half *h, const char *name, enum exact_op op, unsigned sources, unsigned flags, bool pair,
                  struct splitmix *random)
{
    struct rows r;
    char opcode[40];
    unsigned bits = pair ? 32 : 16;
    snprintf(opcode, sizeof opcode, "%s%s%s%s%s.%s", name, op == EXACT_FMA ? ".rn" : "", flags & FTZ ? ".ftz" : "",
             flags & SAT ? ".sat" : "", flags & RELU ? ".relu" : "", pair ? h->pair : h->type);
    const char *why = rows_open(&r, opcode, bits, bits, bits, sources > 2 ? bits : 0, 0);
    if (why)
        fail_msg("%s: %s", opcode, why);
    for (unsigned round = 0; round < 400; round++) {
        for (unsigned n = 1; n < 4; n++)
            for (unsigned l = 0; l < VM_LANES; l++)
                r.row[n][l] = pick(h, random) | (pair ? (uint64_t)pick(h, random) << 16 : 0);
        const uint64_t *d = rows_run(&r, UINT32_MAX);
        for (unsigned l = 0; l < VM_LANES; l++) {
            uint64_t want = 0;
            for (unsigned k = 0; k <= pair; k++)
                want |= (uint64_t)wanted(h, op, flags, r.row[1][l] >> 16 * k & 0xffff, r.row[2][l] >> 16 * k & 0xffff,
                                         r.row[3][l] >> 16 * k & 0xffff)
                        << 16 * k;
            if (d[l] != want)
                fail_msg("%s of %#lx %#lx %#lx: %#lx, not %#lx", opcode, r.row[1][l], r.row[2][l], r.row[3][l], d[l],
                         want);
        }
    }
}

static void half_every_sum_and_product_is_rounded_once(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum exact_op op;
        unsigned sources;
    } forms[] = {{"add", EXACT_ADD, 2}, {"sub", EXACT_SUB, 2}, {"mul", EXACT_MUL, 2}, {"fma", EXACT_FMA, 3}};
    static const unsigned flags[] = {0, FTZ, SAT, FTZ | SAT, RELU, FTZ | RELU};
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (unsigned h = 0; h < 2; h++)
        for (unsigned f = 0; f < 4; f++)
            for (unsigned n = 0; n < 6; n++) {
                bool fma = forms[f].op == EXACT_FMA, relu = (flags[n] & RELU) != 0;
                if ((relu && !fma) || (h == 1 && flags[n] && flags[n] != RELU))
                    continue;
                check(&halves[h], forms[f].name, forms[f].op, forms[f].sources, flags[n], ran % 2, &random);
                check(&halves[h], forms[f].name, forms[f].op, forms[f].sources, flags[n], ran % 2 == 0, &random);
                ran++;
            }
    assert_int_equal(ran, 3 * 4 + 6 + 3 + 2);
}

/* A product just beside the middle between two results, and an addend too small for a double to hold the sum. */
static void fma_of_halves_that_two_roundings_would_get_wrong(void **state)
{
    (void)state;
    const unsigned three[5] = {16, 16, 16, 16};
    const uint64_t middle[][4] = {
        /* 1.0009765625 * 1.0009765625 = 1 + 2^-9 + 2^-20 */
        {0x3c01, 0x3c01, 0x0001, 0}, {0x3c01, 0x3c01, 0x8001, 0}, {0x3c03, 0x3e00, 0x0001, 0},
        {0x3c03, 0x3e00, 0x8001, 0}, {0x3c03, 0x3e00, 0x0000, 0}, {0x3c01, 0x3e00, 0x8001, 0},
        {0x3c01, 0x3e00, 0x0001, 0}, {0x3c01, 0x3e00, 0x0000, 0},
    };
    for (unsigned n = 0; n < 8; n++)
        assert_int_equal(rows_ask("fma.rn.f16", three, middle[n][0], middle[n][1], middle[n][2], 0),
                         wanted(&halves[0], EXACT_FMA, 0, middle[n][0], middle[n][1], middle[n][2]));
    /* bf16: 0x3f81 * 0x3fc0 = 1.51171875, between 0x3fc1 and 0x3fc2; the addend is 2^-133. */
    assert_int_equal(rows_ask("fma.rn.bf16", three, 0x3f81, 0x3fc0, 0x0000, 0), 0x3fc2);
    assert_int_equal(rows_ask("fma.rn.bf16", three, 0x3f81, 0x3fc0, 0x0001, 0), 0x3fc2);
    assert_int_equal(rows_ask("fma.rn.bf16", three, 0x3f81, 0x3fc0, 0x8001, 0), 0x3fc1);
    assert_int_equal(rows_ask("fma.rn.bf16", three, 0x3f83, 0x3fc0, 0x0000, 0), 0x3fc4);
    assert_int_equal(rows_ask("fma.rn.bf16", three, 0x3f83, 0x3fc0, 0x0001, 0), 0x3fc5);
    assert_int_equal(rows_ask("add.bf16", (unsigned[5]){16, 16, 16}, 0x3f80, 0x3b80, 0, 0), 0x3f80);
}

static void half_every_product_of_bf16_powers_underflows_as_it_should(void **state)
{
    (void)state;
    const struct half *h = &halves[1];
    struct rows r;
    unsigned ran = 0;
    assert_null(rows_open(&r, "mul.bf16x2", 32, 32, 32, 0));
    for (unsigned a = 0; a < 0x4000; a += 32, ran++) {
        for (unsigned l = 0; l < VM_LANES; l++) {
            r.row[1][l] = a + l;
            r.row[2][l] = (0x3f80 - (a >> 1)) | 0x80550000;
        }
        const uint64_t *d = rows_run(&r, UINT32_MAX);
        for (unsigned l = 0; l < VM_LANES; l++)
            assert_int_equal(d[l], wanted(h, EXACT_MUL, 0, r.row[1][l], r.row[2][l] & 0xffff, 0) |
                                       (uint32_t)wanted(h, EXACT_MUL, 0, 0, 0x8055, 0) << 16);
    }
    assert_true(ran > 0);
}

/* All 65,536 values, two at a time in the pair forms. */
static void check_unary(const struct half *h, const char *form, bool pair,
                        uint16_t (*want)(const struct half *h, uint16_t code), unsigned steps)
{
    struct rows r;
    char opcode[40];
    snprintf(opcode, sizeof opcode, "%s.%s", form, pair ? h->pair : h->type);
    const char *why = rows_open(&r, opcode, pair ? 32 : 16, pair ? 32 : 16, 0);
    if (why)
        fail_msg("%s: %s", opcode, why);
    for (unsigned a = 0; a < 65536; a += VM_LANES) {
        for (unsigned l = 0; l < VM_LANES; l++)
            r.row[1][l] = (a + l) | (pair ? (uint64_t)(65535 - a - l) << 16 : 0);
        const uint64_t *d = rows_run(&r, UINT32_MAX);
        for (unsigned l = 0; l < VM_LANES; l++)
            for (unsigned k = 0; k <= pair; k++) {
                uint16_t code = (uint16_t)(r.row[1][l] >> 16 * k), got = (uint16_t)(d[l] >> 16 * k),
                         right = want(h, code);
                if (abs((int)got - (int)right) > (int)steps)
                    fail_msg("%s of %#x: %#x, not %#x", opcode, code, got, right);
            }
        assert_int_equal(d[0] >> 16 >> 16, 0);
    }
}

static bool is_nan(const struct half *h, uint16_t code)
{
    return (code & 0x7fff) > h->infinity;
}

static bool is_subnormal(const struct half *h, uint16_t code)
{
    return fabs(read_as(h, code)) < h->least;
}

static uint16_t want_abs(const struct half *h, uint16_t code)
{
    return is_nan(h, code) ? 0x7fff : code & 0x7fff;
}

static uint16_t want_neg(const struct half *h, uint16_t code)
{
    return is_nan(h, code) ? 0x7fff : code ^ 0x8000;
}

static uint16_t want_abs_flushed(const struct half *h, uint16_t code)
{
    return is_subnormal(h, code) ? 0 : want_abs(h, code);
}

static uint16_t want_neg_flushed(const struct half *h, uint16_t code)
{
    return is_subnormal(h, code) ? (code & 0x8000) ^ 0x8000 : want_neg(h, code);
}

static uint16_t want_function(const struct half *h, uint16_t code, bool tangent)
{
    mpfr_t x;
    mpfr_init2(x, 200);
    mpfr_set_d(x, read_as(h, code), MPFR_RNDN);
    if (tangent)
        mpfr_tanh(x, x, MPFR_RNDN);
    else
        mpfr_exp2(x, x, MPFR_RNDN);
    double d = mpfr_get_d(x, MPFR_RNDN);
    mpfr_clear(x);
    return write_as(h, exact_compute(EXACT_SET, d, 0, 0, h->format, MPFR_RNDN));
}

static uint16_t want_ex2(const struct half *h, uint16_t code)
{
    return want_function(h, code, false);
}

static uint16_t want_ex2_flushed(const struct half *h, uint16_t code)
{
    uint16_t d = want_function(h, is_subnormal(h, code) ? 0 : code, false);
    return is_subnormal(h, d) ? 0 : d;
}

static uint16_t want_tanh(const struct half *h, uint16_t code)
{
    return want_function(h, code, true);
}

static void half_every_value_of_the_operations_of_one(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 4; n++) {
        const struct half *h = &halves[n / 2];
        bool pair = n % 2;
        check_unary(h, "abs", pair, want_abs, 0);
        check_unary(h, "neg", pair, want_neg, 0);
        if (n < 2) {
            check_unary(h, "abs.ftz", pair, want_abs_flushed, 0);
            check_unary(h, "neg.ftz", pair, want_neg_flushed, 0);
        }
        check_unary(h, n < 2 ? "ex2.approx" : "ex2.approx.ftz", pair, n < 2 ? want_ex2 : want_ex2_flushed, 1);
        check_unary(h, "tanh.approx", pair, want_tanh, 1);
    }
}

static void half_approximations_are_reported(void **state)
{
    (void)state;
    struct rows r;
    assert_null(rows_open(&r, "ex2.approx.f16x2", 32, 32, 0));
    rows_run(&r, 1);
    assert_non_null(r.cluster.approximate);
    assert_null(rows_open(&r, "add.f16x2", 32, 32, 32, 0));
    rows_run(&r, 1);
    assert_null(r.cluster.approximate);
}

static void extreme_of_halves_is_that_of_their_order(void **state)
{
    (void)state;
    static const char *const flags[] = {"", ".NaN", ".xorsign.abs", ".NaN.xorsign.abs", ".ftz"};
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (unsigned n = 0; n < 40; n++) {
        const struct half *h = &halves[n & 1];
        bool pair = n & 2, greater = n & 4;
        unsigned f = n / 8;
        struct rows r;
        char opcode[40];
        snprintf(opcode, sizeof opcode, "%s%s.%s", greater ? "max" : "min", flags[f], pair ? h->pair : h->type);
        const char *why = rows_open(&r, opcode, pair ? 32 : 16, pair ? 32 : 16, pair ? 32 : 16, 0);
        if (f == 4 && h != halves) {
            assert_non_null(why);
            continue;
        }
        if (why)
            fail_msg("%s: %s", opcode, why);
        for (unsigned round = 0; round < 100; round++) {
            for (unsigned k = 1; k < 3; k++)
                for (unsigned l = 0; l < VM_LANES; l++)
                    r.row[k][l] = pick(h, &random) | (pair ? (uint64_t)pick(h, &random) << 16 : 0);
            const uint64_t *d = rows_run(&r, UINT32_MAX);
            for (unsigned l = 0; l < (pair ? 2u : 1u) * VM_LANES; l++, ran++) {
                uint16_t a = (uint16_t)(r.row[1][l % 32] >> l / 32 * 16),
                         b = (uint16_t)(r.row[2][l % 32] >> l / 32 * 16);
                if (f == 4)
                    a = is_subnormal(h, a) ? a & 0x8000 : a, b = is_subnormal(h, b) ? b & 0x8000 : b;
                bool keep = f == 1 || f == 3, signs = f == 2 || f == 3;
                uint16_t x = signs ? a & 0x7fff : a, y = signs ? b & 0x7fff : b, want;
                /* Codes with the sign turned into an order. */
                int p = x & 0x8000 ? -1 - (x & 0x7fff) : x, q = y & 0x8000 ? -1 - (y & 0x7fff) : y;
                if (is_nan(h, a) || is_nan(h, b))
                    want = keep || (is_nan(h, a) && is_nan(h, b)) ? 0x7fff : is_nan(h, a) ? y : x;
                else
                    want = (p < q) == greater ? y : x;
                want = signs && want != 0x7fff ? want | ((a ^ b) & 0x8000) : want;
                uint16_t got = (uint16_t)(d[l % 32] >> l / 32 * 16);
                if (got != want)
                    fail_msg("%s of %#x %#x: %#x, not %#x", opcode, a, b, got, want);
            }
        }
    }
    assert_true(ran > 0);
}

static void half_forms_that_there_are_not_are_refused(void **state)
{
    (void)state;
    struct rows r;
    static const char *const two[] = {"add.rz.f16",  "add.ftz.bf16", "add.sat.bf16x2",  "mul.relu.f16",
                                      "min.sat.f16", "div.f16",      "max.relu.bf16x2", "sub.rna.f16"};
    static const char *const one[] = {"ex2.f16",      "tanh.bf16",      "tanh.approx.ftz.f16",
                                      "neg.ftz.bf16", "rcp.approx.f16", "abs.rn.f16"};
    for (size_t n = 0; n < sizeof two / sizeof *two; n++)
        if (!rows_open(&r, two[n], 32, 32, 32, 0))
            fail_msg("%s was taken", two[n]);
    for (size_t n = 0; n < sizeof one / sizeof *one; n++)
        if (!rows_open(&r, one[n], 32, 32, 0))
            fail_msg("%s was taken", one[n]);
    assert_non_null(rows_open(&r, "fma.f16", 16, 16, 16, 16, 0));
    assert_non_null(rows_open(&r, "fma.rn.sat.relu.f16", 16, 16, 16, 16, 0));
    assert_non_null(rows_open(&r, "fma.rn.oob.f16", 16, 16, 16, 16, 0));
    assert_non_null(rows_open(&r, "fma.rn.ftz.bf16", 16, 16, 16, 16, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_every_sum_and_product_is_rounded_once),
        cmocka_unit_test(fma_of_halves_that_two_roundings_would_get_wrong),
        cmocka_unit_test(half_every_product_of_bf16_powers_underflows_as_it_should),
        cmocka_unit_test(half_every_value_of_the_operations_of_one),
        cmocka_unit_test(half_approximations_are_reported),
        cmocka_unit_test(extreme_of_halves_is_that_of_their_order),
        cmocka_unit_test(half_forms_that_there_are_not_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
