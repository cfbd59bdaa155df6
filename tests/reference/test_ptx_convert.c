#include <math.h>

#include "reference/number.h"
#include "tests/support/ptx_exact.h"
#include "tests/support/ptx_rows.h"
#include "tests/support/splitmix.h"

__extension__ typedef __int128 wide;

static uint64_t cut(wide x, unsigned bits)
{
    return bits >= 64 ? (uint64_t)x : (uint64_t)x & ((UINT64_C(1) << bits) - 1);
}

static wide worth(uint64_t v, unsigned bits, bool is_signed)
{
    wide x = (wide)cut((wide)v, bits), half = (wide)1 << (bits - 1);
    return is_signed && x >= half ? x - 2 * half : x;
}

static wide clamp(wide x, unsigned bits, bool is_signed)
{
    wide most = ((wide)1 << (bits - is_signed)) - 1, least = is_signed ? -most - 1 : 0;
    return x > most ? most : x < least ? least : x;
}

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

static uint64_t any_integer(struct splitmix *r)
{
    uint64_t v = splitmix_next(r), edge = (UINT64_C(1) << splitmix_below(r, 64)) + splitmix_below(r, 3) - 1;
    return v % 3 == 0 ? edge : v % 3 == 1 ? 0 - edge : v >> splitmix_below(r, 64);
}

/* Registers are 64 bits wide wherever the type is: the low bits count, and the sign fills the destination. */
static void cvt_of_integers_cuts_extends_and_clamps(void **state)
{
    (void)state;
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (unsigned n = 0; n < 8 * 8 * 2; n++, ran++) {
        unsigned from = 8u << n % 4, to = 8u << n / 8 % 4;
        bool from_signed = n / 4 % 2, to_signed = n / 32 % 2, sat = n / 64;
        struct rows r;
        char opcode[40];
        snprintf(opcode, sizeof opcode, "cvt%s.%c%u.%c%u", sat ? ".sat" : "", to_signed ? 's' : 'u', to,
                 from_signed ? 's' : 'u', from);
        const char *why = rows_open(&r, opcode, 64, 64, 0);
        if (why)
            fail_msg("%s: %s", opcode, why);
        for (unsigned round = 0; round < 8; round++) {
            for (unsigned l = 0; l < VM_LANES; l++)
                r.row[1][l] = any_integer(&random);
            const uint64_t *d = rows_run(&r, UINT32_MAX);
            for (unsigned l = 0; l < VM_LANES; l++) {
                wide v = worth(r.row[1][l], from, from_signed);
                uint64_t want = (uint64_t)(sat ? clamp(v, to, to_signed) : worth((uint64_t)v, to, to_signed));
                if (d[l] != want)
                    fail_msg("%s of %#lx: %#lx, not %#lx", opcode, r.row[1][l], d[l], want);
            }
        }
    }
    assert_int_equal(ran, 128);
    assert_int_equal(rows_ask("cvt.s16.s8", (unsigned[5]){32, 16}, 0x80, 0, 0, 0), 0xffffff80);
    assert_int_equal(rows_ask("cvt.u64.u32", (unsigned[5]){64, 32}, 0xffffffff, 0, 0, 0), 0xffffffff);
    assert_int_equal(rows_ask("cvt.s64.s32", (unsigned[5]){64, 32}, 0xffffffff, 0, 0, 0), UINT64_MAX);
    assert_int_equal(rows_ask("cvt.u16.u32", (unsigned[5]){16, 32}, 0xabcd1234, 0, 0, 0), 0x1234);
}

struct real {
    const char *name;
    unsigned width;
    const struct exact_format *format;
};
static const struct real reals[] = {
    {"f16", 16, &exact_f16}, {"bf16", 16, &exact_bf16}, {"f32", 32, &exact_f32}, {"f64", 64, &exact_f64}};

static double read_as(const struct real *f, uint64_t row)
{
    return f == reals       ? (double)f16_decode((struct f16){(uint16_t)row})
           : f == reals + 1 ? (double)bf16_decode((struct bf16){(uint16_t)row})
           : f == reals + 2 ? (double)f32_from_bits((uint32_t)row)
                            : value_of(row);
}

static uint64_t write_as(const struct real *f, double x)
{
    return f == reals       ? f16_encode((float)x).bits
           : f == reals + 1 ? bf16_encode((float)x).bits
           : isnan(x)       ? (f == reals + 2 ? 0x7fffffff : UINT64_C(0x7ff8000000000000))
           : f == reals + 2 ? f32_bits((float)x)
                            : bits_of(x);
}

static void cvt_of_integers_to_floats_rounds_the_exact_value(void **state)
{
    (void)state;
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (unsigned n = 0; n < 4 * 4 * 2 * 4; n++, ran++) {
        const struct real *to = &reals[n % 4];
        unsigned mode = n / 4 % 4, bits = 8u << n / 32;
        bool is_signed = n / 16 % 2;
        struct rows r;
        char opcode[40];
        snprintf(opcode, sizeof opcode, "cvt.%s.%s.%c%u", exact_roundings[mode].word, to->name, is_signed ? 's' : 'u',
                 bits);
        const char *why = rows_open(&r, opcode, 64, 64, 0);
        if (why)
            fail_msg("%s: %s", opcode, why);
        for (unsigned round = 0; round < 8; round++) {
            for (unsigned l = 0; l < VM_LANES; l++)
                r.row[1][l] = any_integer(&random);
            const uint64_t *d = rows_run(&r, UINT32_MAX);
            for (unsigned l = 0; l < VM_LANES; l++) {
                wide v = worth(r.row[1][l], bits, is_signed);
                /* A sum of two doubles that hold the value's halves, which MPFR rounds once. */
                double high = (double)(int64_t)(v >> 32) * 0x1p32, low = (double)(uint32_t)v;
                double want = exact_compute(EXACT_ADD, high, low, 0, to->format, exact_roundings[mode].rounding);
                if (d[l] != write_as(to, v == 0 ? 0 : want))
                    fail_msg("%s of %#lx: %#lx, not %#lx", opcode, r.row[1][l], d[l], write_as(to, want));
            }
        }
    }
    assert_int_equal(ran, 128);
    assert_int_equal(rows_ask("cvt.rn.f16.u32", (unsigned[5]){16, 32}, 70000, 0, 0, 0), 0x7c00);
    assert_int_equal(rows_ask("cvt.rz.f16.u32", (unsigned[5]){16, 32}, 70000, 0, 0, 0), 0x7bff);
    assert_int_equal(rows_ask("cvt.rn.sat.f32.s32", (unsigned[5]){32, 32}, 7, 0, 0, 0), 0x3f800000);
    assert_int_equal(rows_ask("cvt.rn.sat.f32.s32", (unsigned[5]){32, 32}, 0xfffffff0, 0, 0, 0), 0);
}

static uint64_t any_real(const struct real *f, struct splitmix *r)
{
    static const double edges[] = {0,     0.5,      1.5,          2.5,    127.5,      128,    255.5,
                                   256,   32767.5,  65535.5,      0x1p31, 0x1p32,     0x1p63, 0x1p64,
                                   1e-40, INFINITY, 2147483647.5, NAN,    0.49999999, 1e300};
    uint64_t v = splitmix_next(r), n = splitmix_below(r, 3);
    double x = n == 0   ? edges[v % (sizeof edges / sizeof *edges)]
               : n == 1 ? ldexp((double)(v >> 20), (int)(v % 40) - 60)
                        : ldexp(1 + (double)(v >> 12) * 0x1p-52, (int)(v % 80) - 10);
    return f->width == 64 && v & 256 ? v : write_as(f, splitmix_below(r, 2) ? -x : x);
}

static double integral(double x, unsigned mode)
{
    double down = floor(x), rest = x - down;
    if (x - x != 0 || rest == 0)
        return x;
    if (mode == 0)
        return rest > 0.5 || (rest == 0.5 && fmod(down, 2) != 0) ? down + 1 : down;
    return mode == 1 ? (x < 0 ? down + 1 : down) : mode == 2 ? down : down + 1;
}

static uint64_t integer_wanted(double x, unsigned from_width, unsigned bits, bool is_signed)
{
    if (isnan(x))
        return from_width < 64 && bits < 64 ? 0 : (uint64_t)worth(UINT64_C(1) << (bits - 1), bits, is_signed);
    /* Beyond 2^100 in either direction everything is clamped. */
    wide v = x > 0x1p100 ? (wide)1 << 100 : x < -0x1p100 ? -((wide)1 << 100) : (wide)x;
    return (uint64_t)clamp(v, bits, is_signed);
}

static void cvt_of_floats_to_integers_rounds_and_clamps(void **state)
{
    (void)state;
    static const char *const modes[] = {"rni", "rzi", "rmi", "rpi"};
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (unsigned n = 0; n < 4 * 4 * 2 * 4 * 2; n++, ran++) {
        const struct real *from = &reals[n % 4];
        unsigned mode = n / 4 % 4, bits = 8u << n / 32 % 4;
        bool is_signed = n / 16 % 2, flush = n / 128;
        struct rows r;
        char opcode[40];
        snprintf(opcode, sizeof opcode, "cvt.%s%s.%c%u.%s", modes[mode], flush ? ".ftz" : "", is_signed ? 's' : 'u',
                 bits, from->name);
        const char *why = rows_open(&r, opcode, 64, 64, 0);
        if (why)
            fail_msg("%s: %s", opcode, why);
        for (unsigned round = 0; round < 16; round++) {
            for (unsigned l = 0; l < VM_LANES; l++)
                r.row[1][l] = any_real(from, &random);
            const uint64_t *d = rows_run(&r, UINT32_MAX);
            for (unsigned l = 0; l < VM_LANES; l++) {
                double x = read_as(from, r.row[1][l]);
                x = flush && from->width == 32 && fabs(x) < 0x1p-126 ? 0 : x;
                uint64_t want = integer_wanted(integral(x, mode), from->width, bits, is_signed);
                if (d[l] != want)
                    fail_msg("%s of %#lx (%g): %#lx, not %#lx", opcode, r.row[1][l], x, d[l], want);
            }
        }
    }
    assert_int_equal(ran, 256);
    assert_int_equal(rows_ask("cvt.rzi.s32.f32", (unsigned[5]){32, 32}, 0x7fc00000, 0, 0, 0), 0);
    assert_int_equal(rows_ask("cvt.rzi.s32.f64", (unsigned[5]){32, 64}, bits_of(NAN), 0, 0, 0), 0x80000000);
    assert_int_equal(rows_ask("cvt.rzi.u64.f32", (unsigned[5]){64, 32}, 0x7fc00000, 0, 0, 0), UINT64_C(1) << 63);
    assert_int_equal(rows_ask("cvt.rpi.s32.f32", (unsigned[5]){32, 32}, 1, 0, 0, 0), 1);
    assert_int_equal(rows_ask("cvt.rpi.ftz.s32.f32", (unsigned[5]){32, 32}, 1, 0, 0, 0), 0);
}

static void check_floats(const struct real *from, const struct real *to, unsigned mode, bool sat, bool flush,
                         struct splitmix *random)
{
    struct rows r;
    char opcode[40];
    bool rounds = to < from || (to == reals + 1 && from == reals);
    snprintf(opcode, sizeof opcode, "cvt%s%s%s%s.%s.%s", rounds ? "." : "", rounds ? exact_roundings[mode].word : "",
             flush ? ".ftz" : "", sat ? ".sat" : "", to->name, from->name);
    const char *why = rows_open(&r, opcode, to->width, from->width, 0);
    if (why)
        fail_msg("%s: %s", opcode, why);
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned l = 0; l < VM_LANES; l++) {
            uint64_t v = splitmix_next(random);
            r.row[1][l] = v & 1 ? any_real(from, random) : v >> (64 - from->width);
        }
        const uint64_t *d = rows_run(&r, UINT32_MAX);
        for (unsigned l = 0; l < VM_LANES; l++) {
            double x = read_as(from, r.row[1][l]);
            if (flush && from->width == 32)
                x = fabs(x) < 0x1p-126 ? copysign(0, x) : x;
            x = sat ? isnan(x) || x <= 0 ? 0 : fmin(x, 1) : x;
            double want = exact_compute(EXACT_SET, x, 0, 0, to->format, exact_roundings[mode].rounding);
            if (flush && to->width == 32)
                want = fabs(want) < 0x1p-126 ? copysign(0, want) : want;
            if (d[l] != write_as(to, want))
                fail_msg("%s of %#lx: %#lx, not %#lx", opcode, r.row[1][l], d[l], write_as(to, want));
        }
    }
}

static void cvt_among_floats_rounds_once(void **state)
{
    (void)state;
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (unsigned n = 0; n < 4 * 4 * 4 * 4; n++, ran++)
        check_floats(&reals[n % 4], &reals[n / 4 % 4], n / 16 % 4, n / 64 % 2, n / 128, &random);
    assert_int_equal(ran, 256);
}

/* Every value of 16 bits, and what lies around every middle between two neighbours. */
static void cvt_every_value_of_16_bits(void **state)
{
    (void)state;
    for (unsigned t = 0; t < 2; t++) {
        struct rows up, down, pair;
        char opcode[40];
        snprintf(opcode, sizeof opcode, "cvt.f32.%s", reals[t].name);
        assert_null(rows_open(&up, opcode, 32, 16, 0));
        snprintf(opcode, sizeof opcode, "cvt.rn.%s.f32", reals[t].name);
        assert_null(rows_open(&down, opcode, 16, 32, 0));
        snprintf(opcode, sizeof opcode, "cvt.rn.%sx2.f32", reals[t].name);
        assert_null(rows_open(&pair, opcode, 32, 32, 32, 0));
        for (unsigned a = 0; a < 65536; a += VM_LANES) {
            for (unsigned l = 0; l < VM_LANES; l++)
                up.row[1][l] = a + l;
            rows_run(&up, UINT32_MAX);
            for (unsigned l = 0; l < VM_LANES; l++) {
                double x = read_as(&reals[t], a + l);
                assert_int_equal(up.row[0][l], isnan(x) ? 0x7fffffff : f32_bits((float)x));
            }
            for (unsigned around = 0; around < 5; around++) {
                uint32_t half = t ? 0x8000 : 0x1000;
                static const int beside[] = {0, 1, -1, 0, 1};
                for (unsigned l = 0; l < VM_LANES; l++) {
                    uint32_t bits = (uint32_t)up.row[0][l] + (around > 1 ? half : 0) + (uint32_t)beside[around];
                    down.row[1][l] = pair.row[1][VM_LANES - 1 - l] = pair.row[2][l] = bits;
                }
                rows_run(&down, UINT32_MAX);
                rows_run(&pair, UINT32_MAX);
                for (unsigned l = 0; l < VM_LANES; l++) {
                    float x = f32_from_bits((uint32_t)down.row[1][l]);
                    uint64_t want =
                        write_as(&reals[t], exact_compute(EXACT_SET, (double)x, 0, 0, reals[t].format, MPFR_RNDN));
                    assert_int_equal(down.row[0][l], want);
                    assert_int_equal(pair.row[0][l] & 0xffff, want);
                    assert_int_equal(pair.row[0][VM_LANES - 1 - l] >> 16, want);
                }
            }
        }
    }
}

static void cvt_f16_every_subnormal_of_f32_and_middle(void **state)
{
    (void)state;
    struct rows r;
    struct splitmix random = {splitmix_seed()};
    assert_null(rows_open(&r, "cvt.rn.f16.f32", 16, 32, 0));
    for (unsigned round = 0; round < 4000; round++) {
        for (unsigned l = 0; l < VM_LANES; l++) {
            uint32_t exponent = 100 + (uint32_t)splitmix_below(&random, 16), low = (uint32_t)splitmix_next(&random);
            r.row[1][l] = exponent << 23 | (round % 2 ? low & 0x7fffff : (low & 0x7fffff) >> 10 << 10);
        }
        rows_run(&r, UINT32_MAX);
        for (unsigned l = 0; l < VM_LANES; l++)
            assert_int_equal(r.row[0][l], f16_encode(f32_from_bits((uint32_t)r.row[1][l])).bits);
    }
}

static const unsigned one32[5] = {32, 32}, two32[5] = {32, 32, 32}, to16[5] = {16, 32}, two16[5] = {16, 32, 32};

static void cvt_relu_and_satfinite_of_one_value(void **state)
{
    (void)state;
    enum { BIG = 0x7f000000, ONE = 0x3f800000, INF = 0x7f800000 };
    const uint32_t minus = 0xbf800000, minus_inf = 0xff800000, nan = 0x7f800001, minus_zero = 0x80000000;
    assert_int_equal(rows_ask("cvt.rn.relu.f16.f32", to16, minus, 0, 0, 0), 0);
    assert_int_equal(rows_ask("cvt.rn.relu.f16.f32", to16, minus_zero, 0, 0, 0), 0);
    assert_int_equal(rows_ask("cvt.rn.relu.f16.f32", to16, nan, 0, 0, 0), 0x7fff);
    assert_int_equal(rows_ask("cvt.rn.relu.bf16.f32", to16, ONE, 0, 0, 0), 0x3f80);
    assert_int_equal(rows_ask("cvt.rn.satfinite.f16.f32", to16, BIG, 0, 0, 0), 0x7bff);
    assert_int_equal(rows_ask("cvt.rn.satfinite.f16.f32", to16, minus_inf, 0, 0, 0), 0xfbff);
    assert_int_equal(rows_ask("cvt.rz.satfinite.bf16.f32", to16, INF, 0, 0, 0), 0x7f7f);
    assert_int_equal(rows_ask("cvt.rn.relu.satfinite.bf16.f32", to16, nan, 0, 0, 0), 0x7fff);
    assert_int_equal(rows_ask("cvt.rn.relu.satfinite.f16x2.f32", two32, minus, BIG, 0, 0), 0x00007bff);
    assert_int_equal(rows_ask("cvt.rz.bf16x2.f32", two32, 0x3f81ffff, 0xbf81ffff, 0, 0), 0x3f81bf81);
    assert_int_equal(rows_ask("cvt.rz.f16x2.f32", two32, 0x47800000, 0x3f800000, 0, 0), 0x7bff3c00);
    assert_int_equal(rows_ask("cvt.rn.f16x2.f32", two32, 0x40000000, 0x3f800000, 0, 0), 0x40003c00);
}

static void cvt_tf32_rounds_at_13_bits(void **state)
{
    (void)state;
    /* The range of f32 with 11 bits of precision. */
    const struct exact_format tf32 = {11, -135, 128};
    struct splitmix random = {splitmix_seed()};
    unsigned ran = 0;
    for (; ran < 20000; ran++) {
        uint32_t x = (uint32_t)splitmix_next(&random);
        x = ran % 4 == 0 ? (x & 0xffffe000) | 0x1000 : ran % 4 == 1 ? x & 0x807fffff : x;
        bool nan = (x & 0x7fffffff) > 0x7f800000;
        double nearest = exact_compute(EXACT_SET, (double)f32_from_bits(x), 0, 0, &tf32, MPFR_RNDN);
        assert_int_equal(rows_ask("cvt.rn.tf32.f32", one32, x, 0, 0, 0), nan ? TF32_NAN : f32_bits((float)nearest));
        assert_int_equal(rows_ask("cvt.rna.tf32.f32", one32, x, 0, 0, 0),
                         nan ? TF32_NAN : (x & 0xffffe000) + (x & 0x1000 ? 0x2000 : 0));
        assert_int_equal(rows_ask("cvt.rz.tf32.f32", one32, x, 0, 0, 0), nan ? TF32_NAN : x & 0xffffe000);
    }
    assert_true(ran > 0);
    assert_int_equal(rows_ask("cvt.rna.satfinite.tf32.f32", one32, 0x7f7fffff, 0, 0, 0), 0x7f7fe000);
    assert_int_equal(rows_ask("cvt.rna.tf32.f32", one32, 0x7f7fffff, 0, 0, 0), 0x7f800000);
    assert_int_equal(rows_ask("cvt.rn.relu.tf32.f32", one32, 0xbf800000, 0, 0, 0), 0);
}

static void cvt_integral_floats_stay_floats(void **state)
{
    (void)state;
    assert_int_equal(rows_ask("cvt.rni.f32.f32", one32, f32_bits(2.5f), 0, 0, 0), f32_bits(2));
    assert_int_equal(rows_ask("cvt.rzi.f32.f32", one32, f32_bits(-2.5f), 0, 0, 0), f32_bits(-2));
    assert_int_equal(rows_ask("cvt.rmi.f32.f32", one32, f32_bits(-2.5f), 0, 0, 0), f32_bits(-3));
    assert_int_equal(rows_ask("cvt.rpi.f32.f32", one32, f32_bits(-0.5f), 0, 0, 0), 0x80000000);
    assert_int_equal(rows_ask("cvt.rpi.ftz.f32.f32", one32, 1, 0, 0, 0), 0);
    assert_int_equal(rows_ask("cvt.rni.f64.f64", (unsigned[5]){64, 64}, bits_of(0x1p52 + 1), 0, 0, 0),
                     bits_of(0x1p52 + 1));
}

/* All codes of 8 bits to f16, and back from the values in between. */
static void cvt_every_fp8_pair(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 256; code++) {
        uint16_t e4 = f16_encode(e4m3_decode((struct e4m3){(uint8_t)code})).bits;
        uint16_t e5 = f16_encode(e5m2_decode((struct e5m2){(uint8_t)code})).bits;
        uint16_t other = f16_encode(e4m3_decode((struct e4m3){(uint8_t)(code ^ 0x35)})).bits;
        uint32_t both = code << 8 | (code ^ 0x35);
        assert_int_equal(rows_ask("cvt.rn.f16x2.e4m3x2", (unsigned[5]){32, 16}, both, 0, 0, 0),
                         (uint32_t)e4 << 16 | other);
        assert_int_equal(rows_ask("cvt.rn.f16x2.e5m2x2", (unsigned[5]){32, 16}, code << 8, 0, 0, 0),
                         (uint32_t)e5 << 16);
        bool nan = (e5 & 0x7fff) > 0x7c00;
        assert_int_equal(rows_ask("cvt.rn.relu.f16x2.e5m2x2", (unsigned[5]){32, 16}, code, 0, 0, 0), nan ? 0x7fff
                                                                                                     : code & 0x80
                                                                                                         ? 0
                                                                                                         : e5);
    }
    unsigned ran = 0;
    for (uint32_t half = 0; half < 65536; half += 3, ran++) {
        float x = f16_decode((struct f16){(uint16_t)half});
        /* A pair of f16: the second value has all bits turned. */
        float y = f16_decode((struct f16){(uint16_t)~half});
        uint32_t pair = half << 16 | (uint16_t)~half;
        assert_int_equal(rows_ask("cvt.rn.satfinite.e4m3x2.f16x2", to16, pair, 0, 0, 0),
                         (uint32_t)e4m3_encode(x).bits << 8 | e4m3_encode(y).bits);
        assert_int_equal(rows_ask("cvt.rn.satfinite.e5m2x2.f16x2", to16, pair, 0, 0, 0),
                         (uint32_t)e5m2_encode(x).bits << 8 | e5m2_encode(y).bits);
        assert_int_equal(rows_ask("cvt.rn.satfinite.e4m3x2.f32", two16, f32_bits(x), f32_bits(y * 1.0009765625f), 0, 0),
                         (uint32_t)e4m3_encode(x).bits << 8 | e4m3_encode(y * 1.0009765625f).bits);
        assert_int_equal(rows_ask("cvt.rn.satfinite.relu.e5m2x2.f32", two16, f32_bits(x), f32_bits(y), 0, 0),
                         (uint32_t)(x <= 0 ? 0 : e5m2_encode(x).bits) << 8 | (y <= 0 ? 0 : e5m2_encode(y).bits));
    }
    assert_true(ran > 0);
    assert_int_equal(rows_ask("cvt.rn.satfinite.e4m3x2.f32", two16, 0x7f800000, 0x7fc00000, 0, 0), 0x7e7f);
    assert_int_equal(rows_ask("cvt.rn.satfinite.e4m3x2.f32", two16, f32_bits(-464), f32_bits(1), 0, 0), 0xfe38);
}

static void cvt_e2m1_pairs_are_two_nibbles(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 16; code++) {
        uint16_t f = f16_encode(fp4_decode((struct fp4){(uint8_t)code})).bits;
        assert_int_equal(rows_ask("cvt.rn.f16x2.e2m1x2", (unsigned[5]){32, 8}, code << 4, 0, 0, 0), (uint32_t)f << 16);
        assert_int_equal(rows_ask("cvt.rn.f16x2.e2m1x2", (unsigned[5]){32, 8}, code, 0, 0, 0), f);
    }
    for (int n = -1000; n < 1000; n++) {
        float x = (float)n / 128;
        assert_int_equal(
            rows_ask("cvt.rn.satfinite.e2m1x2.f32", (unsigned[5]){8, 32, 32}, f32_bits(x), f32_bits(-x), 0, 0),
            (uint32_t)fp4_encode(x).bits << 4 | fp4_encode(-x).bits);
    }
    assert_int_equal(rows_ask("cvt.rn.satfinite.e2m1x2.f32", (unsigned[5]){8, 32, 32}, 0x7fc00000, 0xff800000, 0, 0),
                     0x7f);
}

static void cvt_pack_clamps_and_moves_the_third_up(void **state)
{
    (void)state;
    const unsigned three[5] = {32, 32, 32, 32};
    assert_int_equal(rows_ask("cvt.pack.sat.s16.s32", two32, 40000, 0xffff0000, 0, 0), 0x7fff8000);
    assert_int_equal(rows_ask("cvt.pack.sat.u16.s32", two32, 40000, 0xffff0000, 0, 0), 0x9c400000);
    assert_int_equal(rows_ask("cvt.pack.sat.u16.s32", two32, 70000, 5, 0, 0), 0xffff0005);
    assert_int_equal(rows_ask("cvt.pack.sat.u8.s32.b32", three, 300, 7, 0x12345678, 0), 0x5678ff07);
    assert_int_equal(rows_ask("cvt.pack.sat.s8.s32.b32", three, 300, 0xffffff00, 0x12345678, 0), 0x56787f80);
    assert_int_equal(rows_ask("cvt.pack.sat.u4.s32.b32", three, 300, 7, 0x12345678, 0), 0x345678f7);
    assert_int_equal(rows_ask("cvt.pack.sat.s4.s32.b32", three, 7, 0xfffffff0, 0x12345678, 0), 0x34567878);
    assert_int_equal(rows_ask("cvt.pack.sat.u2.s32.b32", three, 2, 9, 0x12345678, 0), 0x2345678b);
    assert_int_equal(rows_ask("cvt.pack.sat.s2.s32.b32", three, 9, 0xfffffff0, 0x12345678, 0), 0x23456786);
}

static void convert_forms_that_there_are_not_are_refused(void **state)
{
    (void)state;
    struct rows r;
    static const char *const one[] = {"cvt.f16.f32",
                                      "cvt.rna.f16.f32",
                                      "cvt.s32.f32",
                                      "cvt.rn.s32.f32",
                                      "cvt.rni.f32.s32",
                                      "cvt.rn.u32.u16",
                                      "cvt.rni.f16.f32",
                                      "cvt.tf32.f32",
                                      "cvt.rm.tf32.f32",
                                      "cvt.relu.f32.f32",
                                      "cvt.rs.f16.f32",
                                      "cvt.rn.satfinite.f32.f64",
                                      "cvt.rn.tf32.f64",
                                      "cvt.rn.f16x2.f16x2",
                                      "cvt.ftz.u32.u16",
                                      "cvt.rn.bf16x2.ue8m0x2",
                                      "cvt.u32.b32",
                                      "cvt.rn.e4m3x2.f16x2",
                                      "cvt.rn.satfinite.f16x2.e4m3x2",
                                      "cvt.rz.f16x2.e4m3x2",
                                      "cvt.rn.satfinite.e2m1x2.f16x2",
                                      "cvt.rn.satfinite.e4m3.f32",
                                      "cvt.rn.relu.f32.f16",
                                      "cvt.rna.relu.tf32.f32"};
    static const char *const two[] = {"cvt.f16x2.f32",    "cvt.rm.bf16x2.f32",           "cvt.rn.e4m3x2.f32",
                                      "cvt.rs.f16x2.f32", "cvt.rz.satfinite.e4m3x2.f32", "cvt.rn.sat.f16x2.f32",
                                      "cvt.pack.s16.s32", "cvt.pack.sat.u8.s32",         "cvt.rn.satfinite.e2m3x2.f32",
                                      "cvt.rn.f16x2.f64"};
    for (size_t n = 0; n < sizeof one / sizeof *one; n++)
        if (!rows_open(&r, one[n], 32, 32, 0))
            fail_msg("%s was taken", one[n]);
    for (size_t n = 0; n < sizeof two / sizeof *two; n++)
        if (!rows_open(&r, two[n], 32, 32, 32, 0))
            fail_msg("%s was taken", two[n]);
    assert_non_null(rows_open(&r, "cvt.rn.bf16x2.f32", 32, 32, 0));
    assert_non_null(rows_open(&r, "cvt.u32.u16", 32, 16, 16, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cvt_of_integers_cuts_extends_and_clamps),
        cmocka_unit_test(cvt_of_integers_to_floats_rounds_the_exact_value),
        cmocka_unit_test(cvt_of_floats_to_integers_rounds_and_clamps),
        cmocka_unit_test(cvt_among_floats_rounds_once),
        cmocka_unit_test(cvt_every_value_of_16_bits),
        cmocka_unit_test(cvt_f16_every_subnormal_of_f32_and_middle),
        cmocka_unit_test(cvt_relu_and_satfinite_of_one_value),
        cmocka_unit_test(cvt_tf32_rounds_at_13_bits),
        cmocka_unit_test(cvt_integral_floats_stay_floats),
        cmocka_unit_test(cvt_every_fp8_pair),
        cmocka_unit_test(cvt_e2m1_pairs_are_two_nibbles),
        cmocka_unit_test(cvt_pack_clamps_and_moves_the_third_up),
        cmocka_unit_test(convert_forms_that_there_are_not_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
