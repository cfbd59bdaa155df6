/* tile: D = C + A*B of one operation, bit for bit where that is known: the arithmetic of every operation of the tensor
 * core, in one place and on matrices. Where the elements lie in registers and memory is fragment.h's.
 *
 *     bf16 of wgmma, integers    exact: accumulate.h; PTX ISA: integers wrap, or saturate with .satfinite
 *     bf16 of mma.sync           taken to sum like wgmma, which was not measured; `approximate` says so
 *     f16, tf32, fp8             fused_sum.h: read, not measured; `approximate` says so
 *
 * K of mma.sync that is more than one sum takes is summed in order of k, sum by sum; where it is less, zeros fill up.
 */
#ifndef FO_REFERENCE_TILE_H
#define FO_REFERENCE_TILE_H

#include "reference/accumulate_tile.h"
#include "reference/fused_sum.h"
#include "reference/mma.h"
#include "reference/wgmma.h"

enum { TILE_MOST_M = WGMMA_M, TILE_MOST_N = 256, TILE_MOST_K = 32, TILE_NAME_SIZE = WGMMA_NAME_SIZE };
enum tile_unit { TILE_WGMMA, TILE_MMA };
enum tile_type { TILE_BF16, TILE_F16, TILE_TF32, TILE_E4M3, TILE_E5M2, TILE_S8, TILE_U8, TILE_TYPES };

/* What an operation of either unit computes. */
struct tile_op {
    enum tile_unit unit;
    char name[TILE_NAME_SIZE];
    const char *d, *a, *b; /* type names */
    size_t m, n, k;
    int bits, d_bits; /* width of one element of A and of B; of C and D */
};

/* errors: STATUS_BAD_ARGUMENT saying which part of the name is wrong. */
enum status tile_op_parse(const char *name, struct tile_op *out, struct error *e);

/* What the instruction may be told besides. */
struct tile_options {
    bool without_c;          /* scale-d = 0 */
    bool negate_a, negate_b; /* imm-scale-a, imm-scale-b */
    bool transpose_b;        /* imm-trans-b: B lies MN-major in shared memory. The product is the same. */
    bool saturate;           /* .satfinite */
};
/* errors: STATUS_BAD_ARGUMENT: the operation does not take an option; the field says which.
 * source: PTX ISA, wgmma.mma_async: scales and transposes of the types; mma has none of them; .satfinite: integers. */
enum status tile_check_options(const struct tile_op *op, const struct tile_options *o, struct error *e);

/* NULL where tile_mma is a bit-exact model, else why it is not. */
const char *tile_approximate(const struct tile_op *op);

/* One operation. Elements are the bits of their types in the low bits of a word; what is above is ignored.
 * shape: a [m][k], b [n][k], c [m][n] (may be d; NULL: zeros), d [m][n]. needs: options that tile_check_options takes.
 */
void tile_mma(const struct tile_op *op, const uint32_t *a, const uint32_t *b, const uint32_t *c,
              const struct tile_options *o, uint32_t *d);

/* ---- in parts, for who gathers operands piece by piece ----------------------------------------------------------- */

/* How an element of D is summed. */
struct tile_sum {
    enum tile_type a, b;
    size_t k, room;                      /* elements along K; operands in a row: a multiple of what one sum takes */
    const struct fused_profile *profile; /* NULL: integers, or `panels` */
    bool panels;                         /* 16 products of bf16: by accumulate_tile */
    bool saturate;                       /* integers */
    const char *approximate;             /* NULL, or why this is no bit-exact model */
};
struct tile_sum tile_sum_of_wgmma(const struct wgmma_op *op);
struct tile_sum tile_sum_of_mma(const struct mma_op *op);

/* Rows of A and columns of B, prepared for all that they are multiplied by. With `panels` the former, else operands,
 * `room` to a line. */
struct tile_rows {
    union {
        struct accumulate_line line[TILE_MOST_M];
        struct accumulate_operand operand[TILE_MOST_M * TILE_MOST_K];
    };
};
struct tile_columns {
    union {
        struct accumulate_panel panel[TILE_MOST_N / ACCUMULATE_LANES];
        struct accumulate_operand operand[TILE_MOST_N * TILE_MOST_K];
    };
};

/* shape: a [m][k], b [n][k]. */
void tile_prepare_a(const struct tile_sum *s, const uint32_t *a, size_t m, bool negate, struct tile_rows *out);
void tile_prepare_b(const struct tile_sum *s, const uint32_t *b, size_t n, bool negate, struct tile_columns *out);
/* D += A*B. shape: a of m rows, b of n columns, d [m][n] bits of D's type. */
void tile_multiply(const struct tile_sum *s, const struct tile_rows *a, size_t m, const struct tile_columns *b,
                   size_t n, uint32_t *d);

#endif
