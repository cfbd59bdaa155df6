/* real: floating-point rows: bits to numbers, and numbers to bits with every rounding of PTX.
 *
 * A NaN that comes out is one of one pattern a format: f32 0x7fffffff, f16 and bf16 0x7fff, fp8 0x7f.
 * source: PTX ISA 9.0, "Floating Point Instructions" (canonical NaN of single precision), number.h for the others.
 * Which NaN double precision gives is left open there: 0x7ff8000000000000 here. */
#ifndef FO_REFERENCE_PTX_OPS_REAL_H
#define FO_REFERENCE_PTX_OPS_REAL_H

#include <math.h>
#include <string.h>

#include "reference/number.h"
#include "reference/ptx/ops/lanes.h"

#define REAL_F32_NAN UINT32_C(0x7fffffff)
#define REAL_F64_NAN UINT64_C(0x7ff8000000000000)

enum real_rounding { REAL_RN, REAL_RZ, REAL_RM, REAL_RP, REAL_RNA, REAL_NONE };
extern const char *const real_rounding_words[]; /* "rn" "rz" "rm" "rp" "rna", NULL */

/* Words that change what goes in or comes out. */
enum { REAL_FTZ = 1, REAL_SAT = 2, REAL_RELU = 4, REAL_NAN = 8, REAL_XORSIGN = 16, REAL_SATFINITE = 32 };
/* Take those that are there. */
unsigned real_take_flags(struct vm_instruction *i);
enum real_rounding real_take_rounding(struct vm_instruction *i);

/* Value = (-1)^negative * significand * 2^exponent to the nearest code as the rounding says; beyond the largest finite
 * code to infinity or that code, as IEEE 754 has it for the rounding, or to that code if `finite`. */
uint64_t real_pack(enum vm_type t, bool negative, uint64_t significand, int exponent, enum real_rounding r,
                   bool finite);
/* The same of a double, infinities and NaN too. t: also tf32 (in its upper bits), e4m3, e5m2, and VM_E2M1X2 for one
 * e2m1, where NaN is the largest value. */
uint64_t real_encode(enum vm_type t, double x, enum real_rounding r, bool finite);

static inline uint64_t real_f64_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double real_f64(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t real_f32_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float real_f32(uint64_t row)
{
    uint32_t bits = (uint32_t)row;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t real_f32_canonical(float x)
{
    return x != x ? REAL_F32_NAN : real_f32_bits(x);
}

static inline float real_bf16(uint64_t row)
{
    return real_f32(row << 16);
}

/* The exponent moves up by a product, which is exact for subnormals too. */
static inline float real_f16(uint64_t row)
{
    uint32_t magnitude = (uint32_t)(row & 0x7fff) << 13, sign = (uint32_t)(row & F16_SIGN) << 16;
    uint32_t scaled = real_f32_bits(real_f32(magnitude) * 0x1p112f);
    return real_f32((magnitude >= UINT32_C(0x7c00) << 13 ? magnitude | 0x7f800000u : scaled) | sign);
}

/* The same way; the code above 448 is NaN. */
static inline float real_e4m3(uint64_t row)
{
    uint32_t magnitude = (uint32_t)(row & FP8_MAGNITUDE), sign = (uint32_t)(row & FP8_SIGN) << 24;
    uint32_t scaled = real_f32_bits(real_f32(magnitude << 20) * 0x1p120f);
    return real_f32((magnitude == FP8_NAN ? REAL_F32_NAN : scaled) | sign);
}

/* Nearest even. Inline, since these two are what kernels do most; otherwise as bf16_encode and f16_encode. */
static inline uint32_t real_bf16_bits(float x)
{
    uint32_t bits = real_f32_bits(x);
    return x != x ? BF16_NAN : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

/* A subnormal result is rounded by the sum with 0.5, whose last bit is the least of f16; a normal one as for bf16. */
static inline uint32_t real_f16_bits(float x)
{
    uint32_t bits = real_f32_bits(x), magnitude = bits & 0x7fffffffu, sign = bits >> 16 & F16_SIGN;
    uint32_t normal = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - (UINT32_C(112) << 23)) >> 13;
    uint32_t tiny = real_f32_bits(real_f32(magnitude) + 0.5f) - real_f32_bits(0.5f);
    uint32_t code = magnitude < UINT32_C(113) << 23 ? tiny : magnitude >= 0x47800000u ? F16_INF : normal;
    return x != x ? F16_NAN : code | sign;
}

/* A value of a row, exactly. t: f16 bf16 f32 tf32 f64 e4m3 e5m2, VM_E2M1X2 for one e2m1. */
static inline double real_decode(enum vm_type t, uint64_t row)
{
    switch (t) {
    case VM_F16:
        return (double)real_f16(row);
    case VM_BF16:
        return (double)real_bf16(row);
    case VM_F64:
        return real_f64(row);
    case VM_E4M3:
        return (double)real_e4m3(row);
    case VM_E5M2:
        return (double)real_f16((row & 0xff) << 8);
    case VM_E2M1X2:
        return (double)fp4_decode((struct fp4){(uint8_t)(row & 15)});
    default:
        return (double)real_f32(row);
    }
}

/* Zero of the same sign for a subnormal. */
static inline float real_flush(float x)
{
    return fabsf(x) < 0x1p-126f ? real_f32(real_f32_bits(x) & 0x80000000u) : x;
}

/* Clamped to 0 .. 1, NaN to +0. */
static inline double real_saturate(double x)
{
    return x > 0 ? x > 1 ? 1 : x : 0;
}

/* The lesser or greater one: -0 is less than +0, a NaN loses, unless `keep_nan`. Two NaN give one. */
static inline double real_extreme(double a, double b, bool greater, bool keep_nan)
{
    if (a != a || b != b)
        return keep_nan || (a != a && b != b) ? real_f64(REAL_F64_NAN) : a != a ? b : a;
    bool less = a < b || (a == b && signbit(a));
    return less == greater ? b : a;
}

/* The same as the flags of an instruction have it. */
static inline double real_extreme_flags(double a, double b, bool greater, uint64_t flags)
{
    if (!(flags & REAL_XORSIGN))
        return real_extreme(a, b, greater, (flags & REAL_NAN) != 0);
    double m = real_extreme(fabs(a), fabs(b), greater, (flags & REAL_NAN) != 0);
    return !signbit(a) != !signbit(b) ? -m : m;
}

#endif
