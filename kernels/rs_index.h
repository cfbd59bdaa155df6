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

#if defined(__CUDACC__)
#define RS_FN static __host__ __device__ __forceinline__
#else
#include <string.h>
#define RS_FN static inline
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

/* The ways in which a planted variant is wrong; faults.def names them. The production kernel is compiled with the
 * neutral value as a constant, so that none of this is in its machine code. */
struct rs_fault {
    uint8_t pack_order[8];       /* slot 2r+h of the fragment holds v[pack_order[2r+h]] */
    uint8_t scale_tile_relative; /* the k block of a scale is counted from the tile, not from the matrix */
    uint8_t odd_column_zero;     /* the row parity is folded into the byte index on top of the swizzle */
};
#define RS_FAULT_NEUTRAL                                                                                               \
    {                                                                                                                  \
        {0, 1, 4, 5, 2, 3, 6, 7}, 0, 0                                                                                 \
    }

/* The shape of one launch. units: elements. */
struct rs_shape {
    uint32_t P, N, K;
    uint32_t experts, active;
};

/* ---- routing: token tile -> (rows, expert), and the status word ------------------------------------------------- */

struct rs_tile {
    uint32_t row, rows; /* first row of x and out, number of rows (1..64) */
    int32_t expert;     /* -1: the rows must be zero */
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

/* Token tile `index` of the launch; 0 when there are fewer. */
RS_FN int rs_find_tile(const struct rs_shape *s, const uint32_t *starts, const int32_t *ids, int order_bad,
                       uint32_t index, struct rs_tile *tile)
{
    uint32_t begin = 0;
    uint32_t runs = order_bad || s->active == 0 ? 1 : s->active + 2;
    for (uint32_t run = 0; run < runs; run++) {
        int last = run + 1 == runs;
        uint32_t end = last ? s->P : starts[run];
        uint32_t tiles = (end - begin + RS_TILE_TOKENS - 1) / RS_TILE_TOKENS;
        if (index < tiles) {
            int32_t id = run == 0 || last ? -1 : ids[run - 1];
            tile->row = begin + index * RS_TILE_TOKENS;
            tile->rows = end - tile->row < RS_TILE_TOKENS ? end - tile->row : RS_TILE_TOKENS;
            tile->expert = id >= 0 && (uint32_t)id < s->experts ? id : -1;
            return 1;
        }
        index -= tiles;
        begin = end;
    }
    return 0;
}

/* ---- weights: addresses ----------------------------------------------------------------------------------------- */

/* The feature whose word a thread loads, relative to the tile; its partner is 8 rows below. */
RS_FN uint32_t rs_feature(uint32_t thread)
{
    return 16 * (thread / 32) + thread % 32 / 4;
}

/* Byte inside the swizzled row, of the 16-byte word with columns k .. k+63. needs: k % 64 == 0. */
RS_FN size_t rs_value_byte(uint32_t feature, uint32_t k, uint32_t thread, uint32_t K, const struct rs_fault *fault)
{
    size_t byte = (size_t)((k / RS_WORD_K * 2 + feature % 2) * 4 + thread % 4) * 16;
    return fault->odd_column_zero ? byte + (size_t)(feature % 2) * 2 * K : byte;
}

/* Does the word lie inside its row? A planted variant masks loads that do not; the production kernel needs no mask. */
RS_FN int rs_value_in_row(size_t byte, uint32_t K, const struct rs_fault *fault)
{
    return !fault->odd_column_zero || byte < (size_t)2 * K;
}

/* Byte offset of the swizzled row that holds `feature` (and feature + 8), in values u8 [E, N/4, 2K]. */
RS_FN size_t rs_value_row(const struct rs_shape *s, uint32_t expert, uint32_t feature)
{
    size_t row = (size_t)(feature / 16) * 4 + feature % 8 / 2;
    return ((size_t)expert * (s->N / 4) + row) * 2 * s->K;
}

/* Byte offset of the 32-bit scale word (m,kb) (m+8,kb) (m,kb+1) (m+8,kb+1), in scales u8 [E, Npad/32, K], Npad = N
 * padded to 128. tile_k: first column of the K tile. needs: k % 64 == 0. */
RS_FN size_t rs_scale_offset(const struct rs_shape *s, uint32_t expert, uint32_t feature, uint32_t k, uint32_t tile_k,
                             const struct rs_fault *fault)
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
RS_FN uint32_t rs_scale_pair(uint32_t s)
{
    uint32_t bits = s == E8M0_NAN ? BF16_NAN : s == 0 ? 0x0040u : s << BF16_MANTISSA_BITS;
    return bits * 0x00010001u;
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
RS_FN void rs_decode(uint32_t word, uint32_t scales, uint32_t step, const struct rs_fault *fault, uint32_t a[4])
{
    const uint32_t mask = 0x81c081c0u, two_126 = 0x7e807e80u;
    uint32_t upper = rs_scale_pair(scales >> (16 * (step / 2)) & 0xffu);
    uint32_t lower = rs_scale_pair(scales >> (16 * (step / 2) + 8) & 0xffu);
    uint32_t y[4];
    y[0] = word & mask;
    y[1] = word << 3 & mask;
    y[2] = word << 6 & mask;
    y[3] = (word << 1 & 0x80008000u) | (word >> 3 & 0x01800180u) | (word >> 7 & 0x00400040u);
    y[0] = rs_mul2(rs_mul2(y[0], two_126), upper);
    y[1] = rs_mul2(rs_mul2(y[1], two_126), lower);
    y[2] = rs_mul2(rs_mul2(y[2], two_126), upper);
    y[3] = rs_mul2(rs_mul2(y[3], two_126), lower);
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
RS_FN void rs_x_chunk(uint32_t thread, uint32_t c, uint32_t *token, uint32_t *k)
{
    uint32_t chunk = c * RS_THREADS + thread;
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
RS_FN uint32_t rs_smem_offset(uint32_t token, uint32_t k)
{
    uint32_t half = k / RS_WORD_K, chunk = k % RS_WORD_K / 8;
    return half * RS_TILE_TOKENS * 128 + token * 128 + (chunk ^ token % 8) * RS_CHUNK_BYTES;
}

/* Byte offset of the B operand of the k16 step at column k of the tile, for the matrix descriptor. */
RS_FN uint32_t rs_smem_step(uint32_t k)
{
    return k / RS_WORD_K * RS_TILE_TOKENS * 128 + k % RS_WORD_K * 2;
}

/* ---- the result ------------------------------------------------------------------------------------------------- */

/* Feature and token, inside the tile, of accumulator i of a thread. */
RS_FN uint32_t rs_acc_feature(uint32_t thread, uint32_t i)
{
    return rs_feature(thread) + 8 * (i / 2 % 2);
}
RS_FN uint32_t rs_acc_token(uint32_t thread, uint32_t i)
{
    return 8 * (i / 4) + 2 * (thread % 4) + i % 2;
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

#endif
