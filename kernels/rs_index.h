/* rs_index: every index and every bit of decode that the production RS kernel computes, on host and device.
 *
 * The kernel (rs_gemm.cu) and the model executor compile this same file, so a fault in it shows on both. It takes
 * nothing from reference/ but the bit patterns: the fragment map that the model gives to the tensor core, and the
 * expectation, come from there and never from here. That is what makes a comparison of the two mean something.
 *
 * The product is out^T = W x^T. One tile is 64 features (the m of wgmma) by 64 tokens (its n) by 128 of K. One block is
 * one warpgroup. With thread t: warp w = t/32, lane l = t%32, g = l/4, q = l%4.
 *
 * One 16-byte load of swizzled weights holds, for rows m = 16w + g and m + 8, the four k16 steps of 64 columns: 32-bit
 * word j is step j, and its four packed bytes are already in fragment order,
 *
 *     byte       0            1              2              3
 *     holds   (m, c0 c1)  (m+8, c0 c1)   (m, c2 c3)   (m+8, c2 c3)     c0..c3 = 2q, 2q+1, 2q+8, 2q+9
 *     named    v00 v01      v04 v05        v02 v03       v06 v07
 *     goes to    R0           R1             R2            R3
 *
 * so unpacking in place is the pack order v00 v01 v04 v05 v02 v03 v06 v07, and no shuffle is needed.
 * source: derived from the layout of triton_kernels' Hopper weights; PTX ISA, register fragments of wgmma.m64nNk16. */
#ifndef FO_KERNELS_RS_INDEX_H
#define FO_KERNELS_RS_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "reference/bf16.h"
#include "reference/e8m0.h"

/* RS_FAULT_FN: a function that a fault may change; it takes a `const rs_wrong *`. In CUDA that is rs_fault or rs_right,
 * whose parameters are literal zeros: what they guard is gone before the compiler looks at it, and the production
 * kernel comes out byte for byte as if it had never been there. */
#if defined(__CUDACC__)
#define RS_FN       static __host__ __device__ __forceinline__
#define RS_FAULT_FN template <class rs_wrong> RS_FN
#else
#include <string.h>
#define RS_FN       static inline
#define RS_FAULT_FN RS_FN
typedef struct rs_fault rs_wrong;
#endif

#define RS_TILE_FEATURES 64u
#define RS_TILE_TOKENS   64u
#define RS_TILE_K        128u
#define RS_WORD_K        64u /* columns of one 16-byte load */
#define RS_STEP_K        16u
#define RS_STEPS         4u /* k16 steps in one load */
#define RS_THREADS       128u
#define RS_ACCUMULATORS  32u
#define RS_SMEM_BYTES    (RS_TILE_TOKENS * RS_TILE_K * 2u)
#define RS_CHUNK_BYTES   16u
#define RS_CHUNKS        (RS_SMEM_BYTES / RS_CHUNK_BYTES / RS_THREADS) /* 16-byte chunks of x a thread copies per tile */

#define RS_PACK_ORDER                                                                                                  \
    {                                                                                                                  \
        0, 1, 4, 5, 2, 3, 6, 7                                                                                         \
    }

/* The ways in which a planted variant is wrong; faults.def names them and says exactly what each does. Bytes, so that
 * faults can be put together one byte at a time; 0 is right. */
#define RS_FAULT_PARAMETERS(P)                                                                                         \
    /* addresses of weights */                                                                                         \
    P(feature_add)     /* added to the feature whose weights are loaded */                                             \
    P(feature_clear)   /* bits of that feature that are cleared first */                                               \
    P(odd_column_zero) /* the row parity is folded into the byte index on top of the swizzle */                        \
    P(unswizzled_row)  /* the feature stands where the swizzled row should */                                          \
    /* decode */                                                                                                       \
    P(sign_lost)           /* of the fourth value of a word */                                                         \
    P(subnormal_flush)     /* code 1, a bf16 subnormal before the multiply, is 0 */                                    \
    P(scale_tile_relative) /* the k block of a scale is counted from the tile, not from the matrix */                  \
    P(scale_even_block)    /* odd blocks take the scale of the block before */                                         \
    P(scale_row8_swap)     /* row m takes the scale of m ^ 8 */                                                        \
    P(scale_first)         /* 2^126 times the scale, then times the value */                                           \
    P(scale_specials_lost) /* the byte is shifted into the exponent without a look: 0 is 0, 255 is Inf */              \
    /* x in shared memory */                                                                                           \
    P(smem_swizzle) /* of the writer; RS_SMEM_... */                                                                   \
    P(half_map)     /* the chunk map repeats after half of the tile */                                                 \
    /* the result */                                                                                                   \
    P(acc_transposed)   /* accumulators numbered row by row of their 2 x 16 grid */                                    \
    P(acc_lane_major)   /* token pairs numbered lane by lane */                                                        \
    P(specials_clamped) /* NaN becomes 0, Inf the largest finite number */                                             \
    /* routing */                                                                                                      \
    P(id_over_active_skipped) /* segments of an expert at or above the number of segments do nothing */                \
    P(segment_by_expert)      /* rows starts[id] .. starts[id+1] instead of starts[a] .. starts[a+1] */                \
    P(segment_rows_most)      /* rows of a segment past this many are not computed */                                  \
    P(grid_by_rows)           /* as many token tiles are launched as P rows of one segment need */                     \
    P(zero_tile_returns)      /* a tile of no expert returns without a write */                                        \
    P(tile_overlap)           /* the last tile of a segment writes all its 64 rows, after its neighbour did */         \
    /* of no effect on the model */                                                                                    \
    P(no_proxy_fence) /* wgmma reads shared memory that no fence made visible to it */                                 \
    P(a_overwritten)  /* A registers change between the wgmma and the wait */
enum { RS_SMEM_UNSWIZZLED = 1, RS_SMEM_ONE_ROW_OFF = 2 };

struct rs_fault {
    uint8_t pack_order[8]; /* slot 2r+h of the fragment holds v[pack_order[2r+h]] */
#define P(name) uint8_t name;
    RS_FAULT_PARAMETERS(P)
#undef P
};
#define RS_PACK_ORDER                                                                                                  \
    {                                                                                                                  \
        0, 1, 4, 5, 2, 3, 6, 7                                                                                         \
    }
#define RS_FAULT_NEUTRAL                                                                                               \
    {                                                                                                                  \
        .pack_order = RS_PACK_ORDER                                                                                    \
    }
#if defined(__CUDACC__)
struct rs_right {
    uint8_t pack_order[8];
#define P(name) enum { name = 0 };
    RS_FAULT_PARAMETERS(P)
#undef P
};
#endif

/* The shape of one launch. units: elements. */
struct rs_shape {
    uint32_t P, N, K;
    uint32_t experts, active;
};

/* ---- routing: token tile -> (rows, expert), and the status word ------------------------------------------------- */

struct rs_tile {
    uint32_t row, rows; /* first row of x and out, number of rows (1..64) */
    int32_t expert;     /* -1: the rows must be zero */
    uint32_t lost;      /* with fault->tile_overlap: rows at the top that another tile overwrites with zeros */
};

/* 0, or 1 + the lowest bad segment. *order_bad: the starts decrease or overrun P somewhere, so every row is zero. */
RS_FN uint32_t rs_status(const struct rs_shape *s, const uint32_t *starts, const int32_t *ids, int *order_bad)
{
    uint32_t status = 0;
    *order_bad = 0;
    for (uint32_t a = 0; a < s->active; a++) {
        int wrong_order = starts[a] > starts[a + 1] || starts[a + 1] > s->P;
        int wrong_id = ids[a] < 0 || (uint32_t)ids[a] >= s->experts;
        if (wrong_order)
            *order_bad = 1;
        if (status == 0 && (wrong_order || wrong_id))
            status = a + 1;
        if (wrong_order)
            break;
    }
    return status;
}

/* Token tiles that a launch may need: every run of rows (a segment, or the rows before the first and after the last)
 * starts a tile of its own. */
RS_FN uint32_t rs_max_tiles(const struct rs_shape *s)
{
    return s->P / RS_TILE_TOKENS + s->active + 2;
}

/* Token tiles that are launched. */
RS_FAULT_FN uint32_t rs_grid_tiles(const struct rs_shape *s, const rs_wrong *fault)
{
    uint32_t one = (s->P + RS_TILE_TOKENS - 1) / RS_TILE_TOKENS;
    if (fault->grid_by_rows)
        return one;
    if (fault->segment_by_expert) /* segments may all take the longest one's rows */
        return (s->active + 2) * one;
    return rs_max_tiles(s);
}

/* Token tile `index` of the launch; 0 when there are fewer. */
RS_FAULT_FN int rs_find_tile(const struct rs_shape *s, const uint32_t *starts, const int32_t *ids, int order_bad,
                             uint32_t index, const rs_wrong *fault, struct rs_tile *tile)
{
    uint32_t begin = 0, surplus = 0;
    uint32_t runs = order_bad || s->active == 0 ? 1 : s->active + 2;
    for (uint32_t run = 0; run < runs; run++) {
        int last = run + 1 == runs;
        uint32_t end = last ? s->P : starts[run];
        uint32_t next = end;
        if (fault->segment_by_expert && run > 0 && !last) {
            int inside = ids[run - 1] >= 0 && (uint32_t)ids[run - 1] < s->active;
            begin = inside ? starts[ids[run - 1]] : 0;
            end = inside ? starts[ids[run - 1] + 1] : 0;
        }
        if (fault->segment_rows_most && run > 0 && !last && end - begin > fault->segment_rows_most)
            end = begin + fault->segment_rows_most;
        uint32_t tiles = (end - begin + RS_TILE_TOKENS - 1) / RS_TILE_TOKENS;
        if (index < tiles) {
            int32_t id = run == 0 || last ? -1 : ids[run - 1];
            tile->row = begin + index * RS_TILE_TOKENS;
            tile->rows = end - tile->row < RS_TILE_TOKENS ? end - tile->row : RS_TILE_TOKENS;
            tile->expert = id >= 0 && (uint32_t)id < s->experts ? id : -1;
            if (fault->tile_overlap)
                tile->lost = surplus > tile->row ? surplus - tile->row : 0;
            return 1;
        }
        if (fault->tile_overlap && run > 0 && tiles && begin + tiles * RS_TILE_TOKENS > surplus)
            surplus = begin + tiles * RS_TILE_TOKENS;
        index -= tiles;
        begin = next;
    }
    return 0;
}

/* Does the tile return without a write? Never, but for a fault. */
RS_FAULT_FN int rs_tile_returns(const struct rs_shape *s, const struct rs_tile *tile, const rs_wrong *fault)
{
    return (fault->zero_tile_returns && tile->expert < 0) ||
           (fault->id_over_active_skipped && tile->expert >= 0 && (uint32_t)tile->expert >= s->active);
}

/* ---- weights: addresses ----------------------------------------------------------------------------------------- */

/* The feature whose word a thread loads, relative to the tile; its partner is 8 rows below. */
RS_FN uint32_t rs_feature(uint32_t thread)
{
    return 16 * (thread / 32) + thread % 32 / 4;
}

/* The feature whose weights are loaded for `feature`; past N they are zero. */
RS_FAULT_FN uint32_t rs_weight_feature(uint32_t feature, const rs_wrong *fault)
{
    return (feature & ~(uint32_t)fault->feature_clear) + fault->feature_add;
}

/* Byte inside the swizzled row, of the 16-byte word with columns k .. k+63. needs: k % 64 == 0. */
RS_FAULT_FN size_t rs_value_byte(uint32_t feature, uint32_t k, uint32_t thread, uint32_t K, const rs_wrong *fault)
{
    size_t byte = (size_t)((k / RS_WORD_K * 2 + feature % 2) * 4 + thread % 4) * 16;
    return fault->odd_column_zero ? byte + (size_t)(feature % 2) * 2 * K : byte;
}

/* Byte offset of the swizzled row that holds `feature` (and feature + 8), in values u8 [E, N/4, 2K]. */
RS_FAULT_FN size_t rs_value_row(const struct rs_shape *s, uint32_t expert, uint32_t feature, const rs_wrong *fault)
{
    size_t row = (size_t)(feature / 16) * 4 + feature % 8 / 2;
    return ((size_t)expert * (s->N / 4) + (fault->unswizzled_row ? feature : row)) * 2 * s->K;
}

/* Does the word at `byte` lie inside its row, and its row inside the array? A planted variant masks loads that do not,
 * and takes them for 0; the production kernel needs no mask. */
RS_FAULT_FN int rs_value_inside(const struct rs_shape *s, uint32_t expert, uint32_t feature, size_t byte,
                                const rs_wrong *fault)
{
    return (!fault->odd_column_zero || byte < (size_t)2 * s->K) &&
           (!fault->unswizzled_row ||
            rs_value_row(s, expert, feature, fault) < (size_t)s->experts * (s->N / 4) * 2 * s->K);
}

/* Byte offset of the 32-bit scale word (m,kb) (m+8,kb) (m,kb+1) (m+8,kb+1), in scales u8 [E, Npad/32, K], Npad = N
 * padded to 128. tile_k: first column of the K tile. needs: k % 64 == 0. */
RS_FAULT_FN size_t rs_scale_offset(const struct rs_shape *s, uint32_t expert, uint32_t feature, uint32_t k,
                                   uint32_t tile_k, const rs_wrong *fault)
{
    size_t rows = (size_t)(s->N + 127) / 128 * 4;
    size_t row = (size_t)(feature / 128) * 4 + feature / 16 % 4;
    uint32_t pair = (fault->scale_tile_relative ? k - tile_k : k) / RS_WORD_K;
    return ((size_t)expert * rows + row) * s->K + (size_t)((pair * 2 + feature / 64 % 2) * 8 + feature % 8) * 4;
}

/* ---- weights: decode -------------------------------------------------------------------------------------------- */

/* Two bf16 products, each half on its own, rounded to nearest even (every product here is exact or overflows). */
RS_FN uint32_t rs_mul2(uint32_t a, uint32_t b)
{
#if defined(__CUDA_ARCH__)
    uint32_t d;
    asm("mul.rn.bf16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
    return d;
#else
    uint32_t d = 0;
    for (int half = 0; half < 2; half++) {
        uint32_t ab = (a >> (16 * half)) << 16, bb = (b >> (16 * half)) << 16, pb;
        float x, y, product;
        memcpy(&x, &ab, sizeof x);
        memcpy(&y, &bb, sizeof y);
        product = x * y;
        memcpy(&pb, &product, sizeof pb);
        d |= (product != product ? (uint32_t)BF16_NAN : pb >> 16) << (16 * half);
    }
    return d;
#endif
}

/* Both halves the bf16 pattern of 2^(s-127): 0 is the subnormal 2^-127, 255 is NaN. */
RS_FAULT_FN uint32_t rs_scale_pair(uint32_t s, const rs_wrong *fault)
{
    uint32_t bits = s == E8M0_NAN ? BF16_NAN : s == 0 ? 0x0040u : s << BF16_MANTISSA_BITS;
    return (fault->scale_specials_lost ? s << BF16_MANTISSA_BITS : bits) * 0x00010001u;
}

/* Two values: the masked pattern y, times 2^126, times the scale. */
RS_FAULT_FN uint32_t rs_scaled(uint32_t y, uint32_t scale, const rs_wrong *fault)
{
    const uint32_t two_126 = 0x7e807e80u;
    if (fault->subnormal_flush) /* bit 6 counts only with bit 7 or bit 8 */
        y &= ~0x00400040u | (y >> 1 | y >> 2);
    if (fault->scale_first)
        return rs_mul2(y, rs_mul2(two_126, scale));
    return rs_mul2(rs_mul2(y, two_126), scale);
}

/* Half v of the eight decoded values v00..v07, out of the four unpacked registers (the table at the top). */
RS_FN uint32_t rs_value(const uint32_t y[4], uint32_t v)
{
    uint32_t reg = (v >> 2 & 1) | (v & 2);
    uint32_t pair = reg == 0 ? y[0] : reg == 1 ? y[1] : reg == 2 ? y[2] : y[3];
    return pair >> (16 * (v & 1)) & 0xffffu;
}

/* One packed word and its scale word -> the four A registers of k16 step `step` (0..3) of the 64 columns.
 *
 *     bit    15  14  13  12  11  10   9   8   7   6   5   4   3   2   1   0     (and the same in the high half)
 *            s0  s3  m3  s1  e3  e3  s2  y0  y0  y0  y1  y1  y1  y2  y2  y2
 *
 * A mask and a shift put each value's sign at bit 15 and its three magnitude bits at 8..6: the bf16 pattern of the
 * value times 2^-126. It is multiplied by 2^126 first and by the scale second: in one factor, scales of 129 and above
 * would overflow. Code 1 (0.5) is a bf16 subnormal before the multiply, so a flush to zero here would lose it. */
RS_FAULT_FN void rs_decode(uint32_t word, uint32_t scales, uint32_t step, const rs_wrong *fault, uint32_t a[4])
{
    const uint32_t mask = 0x81c081c0u;
    uint32_t block = fault->scale_even_block ? 0 : step / 2, swap = fault->scale_row8_swap ? 8 : 0;
    uint32_t upper = rs_scale_pair(scales >> (16 * block + swap) & 0xffu, fault);
    uint32_t lower = rs_scale_pair(scales >> (16 * block + 8 - swap) & 0xffu, fault);
    uint32_t y[4];
    y[0] = word & mask;
    y[1] = word << 3 & mask;
    y[2] = word << 6 & mask;
    y[3] = (word << 1 & 0x80008000u) | (word >> 3 & 0x01800180u) | (word >> 7 & 0x00400040u);
    if (fault->sign_lost)
        y[3] &= 0x7fff7fffu;
    y[0] = rs_scaled(y[0], upper, fault);
    y[1] = rs_scaled(y[1], lower, fault);
    y[2] = rs_scaled(y[2], upper, fault);
    y[3] = rs_scaled(y[3], lower, fault);
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
    for (int r = 0; r < 4; r++)
        a[r] = rs_value(y, fault->pack_order[2 * r]) | rs_value(y, fault->pack_order[2 * r + 1]) << 16;
}

/* What the A registers of one k16 step add to the checksum that counters carry. Each register is mixed with its place
 * before the sum (the finaliser of MurmurHash3), so that an exchange of halves, slots, threads or steps shows. A mere
 * weighted sum would not do: decoded values differ in their upper bits, and a product with a weight that differs by a
 * multiple of 2^10 from another loses just those. Sums wrap, so their order does not matter. */
RS_FN uint32_t rs_checksum(const uint32_t a[4], uint32_t k, uint32_t thread)
{
    uint32_t sum = 0;
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
    for (uint32_t r = 0; r < 4; r++) {
        uint32_t h = a[r] + ((k / RS_STEP_K * RS_THREADS + thread) * 4 + r) * 0x9e3779b9u;
        h = (h ^ h >> 16) * 0x85ebca6bu;
        h = (h ^ h >> 13) * 0xc2b2ae35u;
        sum += h ^ h >> 16;
    }
    return sum;
}

/* ---- x: from memory to shared memory ---------------------------------------------------------------------------- */

/* Chunk c (0..RS_CHUNKS-1) of a thread: token and first column inside the tile. Eight columns, 16 bytes. */
RS_FAULT_FN void rs_x_chunk(uint32_t thread, uint32_t c, const rs_wrong *fault, uint32_t *token, uint32_t *k)
{
    uint32_t chunk = c * RS_THREADS + thread;
    if (fault->half_map)
        chunk %= RS_CHUNKS * RS_THREADS / 2;
    *token = chunk / (RS_TILE_K / 8);
    *k = chunk % (RS_TILE_K / 8) * 8;
}

/* Element offset of (row, k) in x [P,K]. */
RS_FN size_t rs_x_offset(const struct rs_shape *s, uint32_t row, uint32_t k)
{
    return (size_t)row * s->K + k;
}

/* Byte offset in shared memory of columns k..k+7 of a token: two halves of 64 columns, each K-major with the 128-byte
 * swizzle, the 16-byte chunk index exclusive-or'ed with token % 8. */
RS_FAULT_FN uint32_t rs_smem_offset(uint32_t token, uint32_t k, const rs_wrong *fault)
{
    uint32_t half = k / RS_WORD_K, chunk = k % RS_WORD_K / 8, row = token;
    if (fault->smem_swizzle)
        row = fault->smem_swizzle == RS_SMEM_ONE_ROW_OFF ? token + 1 : 0;
    return half * RS_TILE_TOKENS * 128 + token * 128 + (chunk ^ row % 8) * RS_CHUNK_BYTES;
}

/* Byte offset of the B operand of the k16 step at column k of the tile, for the matrix descriptor. */
RS_FN uint32_t rs_smem_step(uint32_t k)
{
    return k / RS_WORD_K * RS_TILE_TOKENS * 128 + k % RS_WORD_K * 2;
}

/* ---- the result ------------------------------------------------------------------------------------------------- */

/* Feature and token, inside the tile, of accumulator i of a thread: a grid of 2 features by 16 tokens, whose element
 * (r, c) is accumulator (c/2)*4 + r*2 + c%2. Tokens go in pairs. */
RS_FAULT_FN uint32_t rs_acc_feature(uint32_t thread, uint32_t i, const rs_wrong *fault)
{
    return rs_feature(thread) + 8 * (fault->acc_transposed ? i / 16 : i / 2 % 2);
}
RS_FAULT_FN uint32_t rs_acc_token(uint32_t thread, uint32_t i, const rs_wrong *fault)
{
    uint32_t pair = fault->acc_transposed ? i % 16 / 2 : i / 4;
    if (fault->acc_lane_major)
        return 2 * (thread % 4 * 8 + pair) + i % 2;
    return 8 * pair + 2 * (thread % 4) + i % 2;
}

/* Element offset of (row, feature) in out [P,N]. */
RS_FN size_t rs_out_offset(const struct rs_shape *s, uint32_t row, uint32_t feature)
{
    return (size_t)row * s->N + feature;
}

/* Round to nearest even; NaN becomes 0x7fff. */
RS_FN struct bf16 rs_round(float x)
{
    struct bf16 out;
#if defined(__CUDA_ARCH__)
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(out.bits) : "f"(x));
#else
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    out.bits = x != x ? BF16_NAN : (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
#endif
    return out;
}

/* What goes to out for an accumulator at a token of the tile. */
RS_FAULT_FN struct bf16 rs_result(float x, const struct rs_tile *tile, uint32_t token, const rs_wrong *fault)
{
    struct bf16 out = rs_round(x);
    if (fault->specials_clamped && (out.bits & BF16_EXPONENT) == BF16_EXPONENT)
        out.bits = (uint16_t)(out.bits & BF16_MANTISSA ? 0 : (out.bits & BF16_SIGN) | (BF16_EXPONENT - 1));
    if (fault->tile_overlap && token < tile->lost)
        out.bits = 0;
    return out;
}

#endif
